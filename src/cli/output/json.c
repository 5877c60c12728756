/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The pieces of JSON that more than one command prints. An allocation that failed anywhere makes the whole
 * value NULL, and that is looked at once, when it is printed.
 */
#include "cli/output/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output/out.h"
#include "cli/output/text_stream.h"
#include "cow/text.h"

/* The value is the same everywhere; in a locale without UTF-8 what is not ASCII is written \uNNNN. */
static size_t json_charset_flags(void)
{
    return cli_speaks_utf8() ? 0 : JSON_ENSURE_ASCII;
}

int cli_json_print(json_t *value, struct cow_error *err)
{
    char *text = value != NULL ? json_dumps(value, JSON_INDENT(2) | json_charset_flags()) : NULL;

    json_decref(value);
    if (text == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory for the JSON");
    }
    puts(text);
    free(text);
    return 0;
}

/* What jansson says in many small pieces, in larger ones. */
struct pieces {
    FILE *file;
    size_t n;
    char bytes[4096];
};

static int flush_pieces(struct pieces *pieces)
{
    size_t n = pieces->n;

    pieces->n = 0;
    return fwrite(pieces->bytes, 1, n, pieces->file) == n ? 0 : -1;
}

static int take_piece(const char *bytes, size_t n, void *context)
{
    struct pieces *pieces = context;

    if (n > sizeof pieces->bytes - pieces->n && flush_pieces(pieces) != 0) {
        return -1;
    }
    if (n > sizeof pieces->bytes) {
        return fwrite(bytes, 1, n, pieces->file) == n ? 0 : -1;
    }
    memcpy(pieces->bytes + pieces->n, bytes, n);
    pieces->n += n;
    return 0;
}

int cli_json_spool(FILE *spool, const char *before, json_t *value, struct cow_error *err)
{
    struct pieces pieces = {.file = spool};
    int failed;

    if (value == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory for the JSON");
    }
    fputs(before, spool);
    failed = json_dump_callback(value, take_piece, &pieces, JSON_ENCODE_ANY | json_charset_flags()) != 0 ||
             flush_pieces(&pieces) != 0;
    json_decref(value);
    return failed != 0 || ferror(spool) != 0
               ? cow_error_system(err, errno != 0 ? errno : EIO, "temporary file")
               : 0;
}

void cli_json_write_string(FILE *file, const char *text)
{
    fputc('"', file);
    while (*text != '\0') {
        size_t plain = 0;

        while ((unsigned char)text[plain] >= 0x20 && text[plain] != '"' && text[plain] != '\\') {
            plain++;
        }
        fwrite(text, 1, plain, file);
        text += plain;
        if (*text == '"' || *text == '\\') {
            fprintf(file, "\\%c", *text++);
        } else if (*text != '\0') {
            fprintf(file, "\\u%04x", (unsigned)*text++);
        }
    }
    fputc('"', file);
}

void cli_json_put(json_t **object, const char *key, json_t *value)
{
    if (*object == NULL) {
        json_decref(value);
    } else if (json_object_set_new_nocheck(*object, key, value) != 0) {
        json_decref(*object);
        *object = NULL;
    }
}

void cli_json_append(json_t **array, json_t *value)
{
    if (*array == NULL) {
        json_decref(value);
    } else if (json_array_append_new(*array, value) != 0) {
        json_decref(*array);
        *array = NULL;
    }
}

json_t *cli_json_u64(uint64_t value)
{
    return value > INT64_MAX ? json_null() : json_integer((json_int_t)value);
}

json_t *cli_json_text(const char *text)
{
    char escaped[CLI_NAME_BYTES];

    return json_string(cow_escape(escaped, sizeof escaped, text));
}

json_t *cli_json_text_or_null(const char *text)
{
    return *text != '\0' ? cli_json_text(text) : json_null();
}

json_t *cli_json_sentence(const char *text)
{
    json_t *value = json_string(text);

    return value != NULL ? value : cli_json_text(text);
}

json_t *cli_json_sentence_or_null(const char *text)
{
    return *text != '\0' ? cli_json_sentence(text) : json_null();
}

json_t *cli_json_layout(const struct cow_layout *layout)
{
    json_t *object = json_object();

    cli_json_put(&object, "header_bytes", cli_json_u64(layout->header_bytes));
    cli_json_put(&object, "bitmap_offset", cli_json_u64(layout->bitmap_offset));
    cli_json_put(&object, "bitmap_bytes", cli_json_u64(layout->bitmap_bytes));
    cli_json_put(&object, "data_offset", cli_json_u64(layout->data_offset));
    cli_json_put(&object, "end_offset", cli_json_u64(layout->end_offset));
    return object;
}

json_t *cli_json_holder(const struct cow_holder *holder)
{
    json_t *object;

    if (!holder->held) {
        return json_null();
    }
    object = json_object();
    cli_json_put(&object, "pid", holder->pid > 0 ? json_integer(holder->pid) : json_null());
    return object;
}

json_t *cli_json_verdict(const struct cow_verdict *verdict)
{
    json_t *object = json_object(), *warnings = json_array();

    for (size_t i = 0; i < verdict->warnings && i < COW_VERDICT_WARNINGS_MAX; i++) {
        cli_json_append(&warnings, cli_json_sentence(verdict->warning[i]));
    }
    cli_json_put(&object, "opens", verdict->unknown ? json_null() : json_boolean(verdict->opens));
    cli_json_put(&object, "reason", cli_json_sentence_or_null(verdict->opens ? "" : verdict->reason));
    cli_json_put(&object, "advice", cli_json_sentence_or_null(verdict->advice));
    cli_json_put(&object, "warnings", warnings);
    return object;
}
