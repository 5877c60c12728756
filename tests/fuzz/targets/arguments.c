/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Arguments, as words that end with a NUL. What is understood is either refused in words or means something;
 * commands that only look are then run on an image of ours, whatever file they named.
 */
#include <string.h>

#include "../lib/fuzzer.h"
#include "cli/options.h"

enum { WORDS_MAX = 24, TEXT_BYTES = 8192 };

static size_t split(char **words, char *text, size_t n_bytes)
{
    size_t n = 0;
    words[n++] = "cowtui";
    for (char *at = text; at < text + n_bytes && n < WORDS_MAX; at += strlen(at) + 1) {
        words[n++] = at;
    }
    words[n] = NULL;
    return n;
}

/* Does it look, and nothing else? */
static bool only_looks(const struct cli_options *o)
{
    const unsigned bit = o->command != NULL ? o->command->bit : 0;
    return !o->help && !o->version && (bit & (CLI_INFO | CLI_MAP | CLI_CHECK | CLI_FILES)) != 0 &&
           !o->repair && o->fix.n == 0 && o->svg == NULL && o->png == NULL && o->words.output == NULL &&
           o->operands == 1;
}

static void run(struct cli_options *options)
{
    static const uint8_t bytes[] = {0, 0,    3,    15,   0,    0,    0, 9,    1,    0x10, 0, 0, 0,
                                    0, 0,    0,    0,    0x40, 0,    0, 0,    0,    0,    0, 0, 5,
                                    0, 0xa5, 0x0f, 0xff, 0,    0x81, 3, 0x70, 0x11, 9,    4};
    struct input in = {bytes, sizeof bytes};
    struct picture picture;
    struct cow_error err = {.status = 0};
    scratch_begin();
    MUST(picture_make(&picture, &in));
    picture_free(&picture);
    options->operand[0] = PICTURE_COW;
    const int status = options->command->run(options, &err);
    MUST(status == 0 || status == COW_FINDING || err.message[0] != '\0');
    error_is_whole(status == COW_FINDING ? 0 : status, &err);
    scratch_check();
}

void fuzz_one(const uint8_t *data, size_t n_bytes)
{
    static bool ready;
    static char text[TEXT_BYTES];
    char *words[WORDS_MAX + 1];
    struct cli_options options;
    struct cow_error err = {.status = 0};
    if (!ready) { /* what it prints is not looked at */
        ready = freopen("/dev/null", "w", stdout) != NULL;
        MUST(ready);
    }
    const size_t length = n_bytes < sizeof text ? n_bytes : sizeof text - 1;
    memcpy(text, data, length);
    text[length] = '\0';
    const size_t n_words = split(words, text, length);
    const int status = cli_read_options(&options, (int)n_words, words, &err);
    error_is_whole(status, &err);
    if (status == 0) {
        MUST(options.help || options.version || options.command != NULL);
        MUST(options.help || options.version || options.operands == options.command->n_operands ||
             (strchr(options.command->operands, '[') != NULL &&
              options.operands + 1 == options.command->n_operands));
        if (options.help) {
            cli_print_help(options.command);
        } else if (only_looks(&options)) {
            run(&options);
        }
    }
}
