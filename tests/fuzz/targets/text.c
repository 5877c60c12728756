/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Text: what is escaped is safe on a terminal, whatever it was and however small the buffer is; what is
 * quoted is read back; a size that is written is read back.
 */
#include <string.h>

#include "../lib/fuzzer.h"

enum { TEXT_BYTES = 4096, GUARD = 0x5a };

typedef const char *text_function(char *out, size_t out_bytes, const char *text);

static void try_function(text_function *function, const char *text, size_t out_bytes)
{
    static char out[TEXT_BYTES * 4 + 16];
    memset(out, GUARD, sizeof out);
    MUST(function(out, out_bytes, text) == out);
    MUST(memchr(out, '\0', out_bytes) != NULL && out[out_bytes] == GUARD);
    MUST(is_terminal_safe(out));
}

static void try_error(const char *text)
{
    struct cow_error err = {.status = 0};
    error_is_whole(cow_error_set(&err, COW_IO, "%s: %s", text, text), &err);
    error_is_whole(cow_error_prefix(&err, "%s", text), &err);
    error_is_whole(cow_error_hint(&err, "try %s", text), &err);
}

static void try_size(const char *text, uint64_t base)
{
    char buffer[COW_SIZE_TEXT_BYTES];
    struct cow_error err = {.status = 0};
    uint64_t size = 4711, again = 0;
    const int status = cow_size_parse(&size, text, base, &err);
    error_is_whole(status, &err);
    MUST(status == 0 || size == 4711);
    if (status == 0) {
        MUST(size <= INT64_MAX && strlen(cow_size_text(buffer, size)) < sizeof buffer);
        MUST(cow_size_parse(&again, cow_size_argument(buffer, size), 0, &err) == 0 && again == size);
    }
}

/* Escaping what was escaped without a backslash changes nothing. */
static void try_again(const char *text)
{
    static char once[TEXT_BYTES * 4], twice[TEXT_BYTES * 4];
    cow_escape_message(once, sizeof once, text);
    cow_escape_message(twice, sizeof twice, once);
    MUST(strcmp(once, twice) == 0);
}

void fuzz_one(const uint8_t *data, size_t n_bytes)
{
    static text_function *const functions[] = {cow_escape, cow_escape_message, cow_shell_quote};
    char text[TEXT_BYTES];
    char time_text[COW_TIME_TEXT_BYTES];
    struct input in = {data, n_bytes};
    const size_t out_bytes = 8 + (size_t)input_below(&in, TEXT_BYTES);
    const uint64_t number = input_number(&in, 8);
    const size_t length = in.left < sizeof text ? in.left : sizeof text - 1;
    input_bytes(&in, text, length);
    text[length] = '\0';
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        try_function(functions[i], text, out_bytes);
        try_function(functions[i], text, 8 + out_bytes % 24);
        try_function(functions[i], text, TEXT_BYTES * 4);
    }
    try_again(text);
    try_error(text);
    try_size(text, number);
    MUST(is_terminal_safe(cow_time_text(time_text, (int64_t)number)));
    MUST(cow_glyph_of((uint32_t)number) <= COW_GLYPH_HIDDEN);
}
