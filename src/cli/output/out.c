/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rows and words on a stream. Failures to write stay in the stream's error flag; cli_run looks at it.
 */
#include "cli/output/out.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/output/text_stream.h"
#include "cow/text.h"

enum { INDENT = 2, LABEL_WIDTH = 14, NARROWEST = 20 };

static const char *const tone_codes[] = {[CLI_PLAIN] = "",
                                         [CLI_STRONG] = "\033[1m",
                                         [CLI_GOOD] = "\033[32m",
                                         [CLI_WARN] = "\033[33m",
                                         [CLI_BAD] = "\033[31m"};

void cli_out_init(struct cli_out *out, FILE *file, enum cli_color color)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool terminal = isatty(fileno(file)) == 1;
    struct winsize size;

    out->file = cli_text_stream(file);
    out->color =
        terminal && !(no_color != NULL && *no_color != '\0') && !(term != NULL && strcmp(term, "dumb") == 0);
    if (color != CLI_COLOR_AUTO) {
        out->color = color == CLI_COLOR_ALWAYS;
    }
    out->width = 0;
    if (terminal && ioctl(fileno(file), TIOCGWINSZ, &size) == 0) {
        out->width = size.ws_col;
    }
}

static void put_tone(struct cli_out *out, enum cli_tone tone)
{
    if (out->color) {
        fputs(tone_codes[tone], out->file);
    }
}

static void end_tone(struct cli_out *out, enum cli_tone tone)
{
    if (out->color && tone != CLI_PLAIN) {
        fputs("\033[0m", out->file);
    }
}

void cli_heading(struct cli_out *out, const char *format, ...)
{
    va_list arguments;

    put_tone(out, CLI_STRONG);
    va_start(arguments, format);
    vfprintf(out->file, format, arguments);
    va_end(arguments);
    end_tone(out, CLI_STRONG);
    fputc('\n', out->file);
}

/* Columns of n bytes of UTF-8; wide characters are rare enough in our sentences to be counted as one. */
static size_t columns_of(const char *text, size_t n)
{
    size_t columns = 0;

    for (size_t i = 0; i < n; i++) {
        columns += ((unsigned char)text[i] & 0xC0) != 0x80;
    }
    return columns;
}

static void put_wrapped(struct cli_out *out, const char *text)
{
    const size_t margin = INDENT + LABEL_WIDTH;
    size_t column = margin;

    if (out->width < margin + NARROWEST) {
        fputs(text, out->file);
        return;
    }
    while (*text != '\0') {
        size_t blanks = strspn(text, " "), word = strcspn(text + blanks, " ");
        size_t columns = columns_of(text + blanks, word);

        if (column > margin && column + blanks + columns > out->width) {
            fprintf(out->file, "\n%*s", (int)margin, "");
            column = margin;
        } else {
            fprintf(out->file, "%*s", (int)blanks, "");
            column += blanks;
        }
        fwrite(text + blanks, 1, word, out->file);
        column += columns;
        text += blanks + word;
    }
}

static void print_row(struct cli_out *out, enum cli_tone tone, const char *label, const char *format,
                      va_list arguments)
{
    char *text = NULL;

    fprintf(out->file, "%*s%-*s", INDENT, "", LABEL_WIDTH, label);
    put_tone(out, tone);
    if (vasprintf(&text, format, arguments) >= 0) {
        put_wrapped(out, text);
        free(text);
    }
    end_tone(out, tone);
    fputc('\n', out->file);
}

void cli_row(struct cli_out *out, const char *label, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print_row(out, CLI_PLAIN, label, format, arguments);
    va_end(arguments);
}

void cli_row_tone(struct cli_out *out, enum cli_tone tone, const char *label, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print_row(out, tone, label, format, arguments);
    va_end(arguments);
}

static void put_told(void *context, const char *label, enum front_tone tone, const char *text)
{
    static const enum cli_tone tones[] = {[FRONT_PLAIN] = CLI_PLAIN,
                                          [FRONT_FAINT] = CLI_PLAIN,
                                          [FRONT_GOOD] = CLI_GOOD,
                                          [FRONT_WARN] = CLI_WARN,
                                          [FRONT_BAD] = CLI_BAD};

    cli_row_tone(context, tones[tone], label, "%s", text);
}

struct front_rows cli_rows(struct cli_out *out)
{
    return (struct front_rows){.put = put_told, .context = out};
}

void cli_note(const char *text)
{
    if (*text != '\0') {
        fprintf(cli_text_stream(stderr), "note: %s\n", text);
    }
}

const char *cli_amount(char *buffer, uint64_t bytes)
{
    char text[COW_SIZE_TEXT_BYTES];

    if (bytes < 1024) {
        snprintf(buffer, CLI_AMOUNT_BYTES, "%" PRIu64 " bytes", bytes);
    } else {
        snprintf(buffer, CLI_AMOUNT_BYTES, "%s (%" PRIu64 " bytes)", cow_size_text(text, bytes), bytes);
    }
    return buffer;
}

const char *cli_time(char *buffer, int64_t seconds)
{
    return cow_time_text(buffer, seconds);
}

const char *cli_name(char *buffer, const char *path)
{
    return cow_escape(buffer, CLI_NAME_BYTES, path);
}
