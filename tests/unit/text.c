/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sizes and names as text: what is read, what is written, and that no byte of a name can steer a terminal.
 */
#include "cow/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "support.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)
#define TIB (GIB * 1024)

START_TEST(reads_sizes)
{
    static const struct {
        const char *text;
        uint64_t base, value;
    } good[] = {
        {"0", 0, 0},
        {"512", 7, 512},
        {"512B", 0, 512},
        {"400M", 0, 400 * MIB},
        {"400m", 0, 400 * MIB},
        {"400MiB", 0, 400 * MIB},
        {"400MB", 0, 400 * MIB},
        {"1K", 0, KIB},
        {"1.5G", 0, GIB + GIB / 2},
        {".5K", 0, 512},
        {"0.5k", 0, 512},
        {"2.K", 0, 2 * KIB},
        {"1T", 0, TIB},
        {"007", 0, 7},
        {"4 G", 0, 4 * GIB},
        {"1.5", UINT64_MAX, 0}, /* no whole number of bytes: marked bad by base */
        {"+1G", 64 * MIB, GIB + 64 * MIB},
        {"+0", 5, 5},
        {"-512M", GIB, 512 * MIB},
        {"-1G", GIB, 0},
        {"+.5K", 1, 513},
        {"9223372036854775807", 0, INT64_MAX},
        {"+9223372036854775806", 1, INT64_MAX},
        {"8388607T", 0, 8388607 * TIB},
        {"0.001953125K", 0, 2},
        {"1.953125M", 0, 2048000},
        {"9007199254740991.5K", 0, INT64_MAX - 511}, /* the product before the division needs 67 bits */
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct cow_error err = {.status = 0};
        uint64_t out = 12345;
        int status = cow_size_parse(&out, good[i].text, good[i].base, &err);
        if (good[i].base == UINT64_MAX) {
            must_fail(status, COW_USAGE, err);
            ck_assert_uint_eq(out, 12345);
            continue;
        }
        must(status == 0, "%s: %s", good[i].text, err.message);
        must(out == good[i].value, "%s gives %" PRIu64, good[i].text, out);
    }
}
END_TEST

START_TEST(refuses_what_is_no_size)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "K",
                                      ".",
                                      "+",
                                      "-",
                                      "--1",
                                      "+-1",
                                      "1..5",
                                      "1.5.5K",
                                      "1x",
                                      "1KK",
                                      "1Ki",
                                      "1KiBs",
                                      "1K ",
                                      " 1K",
                                      "0x10",
                                      "1e3",
                                      "1,5G",
                                      "\xd9\xa1",
                                      "1\x1b[2J",
                                      "1P",
                                      "1E",
                                      "inf",
                                      "nan",
                                      "-1", /* of a base of 0 */
                                      "-18446744073709551615",
                                      "9223372036854775808",
                                      "+9223372036854775807", /* of a base of 1 below */
                                      "18446744073709551616",
                                      "18446744073709551617",
                                      "99999999999999999999999999999999",
                                      "8388608T",
                                      "8388608.0T",
                                      "9007199254740992.0K",
                                      "16777216T",
                                      "17179869185G", /* wraps a 64-bit product to a small number */
                                      "36893488147419103233",
                                      "0.1",
                                      "1.0001K",
                                      "1.0000000000000000000000000001K"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cow_error err = {.status = 0};
        uint64_t out = 12345;
        uint64_t base = strcmp(bad[i], "-1") == 0 ? 0 : 1;
        int status = cow_size_parse(&out, bad[i], base, &err);
        must(status == COW_USAGE, "\"%s\" is read as %" PRIu64, bad[i], out);
        must_fail(status, COW_USAGE, err);
        must(out == 12345, "\"%s\" touched the result", bad[i]);
        must(cow_size_parse(&out, bad[i], base, NULL) == COW_USAGE, "\"%s\" without err", bad[i]);
    }
}
END_TEST

START_TEST(an_argument_reads_back_and_is_the_shortest)
{
    struct rng rng = {2};
    char buffer[COW_SIZE_TEXT_BYTES];
    static const struct {
        uint64_t value;
        const char *text;
    } known[] = {{0, "0"},
                 {1, "1"},
                 {300001, "300001"},
                 {512, "512"},
                 {1024, "1K"},
                 {952 * KIB, "952K"},
                 {128 * MIB, "128M"},
                 {1536 * MIB, "1536M"},
                 {GIB, "1G"},
                 {8 * TIB - GIB, "8191G"},
                 {1024 * TIB, "1024T"},
                 {INT64_MAX, "9223372036854775807"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        ck_assert_str_eq(cow_size_argument(buffer, known[i].value), known[i].text);
    }
    for (unsigned i = 0; i < 5000; i++) {
        uint64_t value = rng_next(&rng) >> (1 + rng_below(&rng, 63)) << (i % 5 * 10);
        value &= INT64_MAX;
        uint64_t back = 1;
        struct cow_error err;
        must_succeed(cow_size_parse(&back, cow_size_argument(buffer, value), 0, &err), err);
        must(back == value, "%" PRIu64 " is written %s and read %" PRIu64, value, buffer, back);
    }
}
END_TEST

/* What a size text says, by its own words; -1 if it is not one. */
static double said_by(const char *text, int *digits)
{
    char unit[8] = "";
    double value;
    if (sscanf(text, "%lf %7s", &value, unit) != 2) {
        return -1;
    }
    *digits = 0;
    for (const char *c = text; *c != ' '; c++) {
        *digits += *c != '.';
    }
    const char *units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    for (int i = 0; i < 7; i++) {
        if (strcmp(unit, units[i]) == 0) {
            return ldexp(value, 10 * i);
        }
    }
    return -1;
}

START_TEST(a_size_text_has_three_digits_and_is_true)
{
    char buffer[COW_SIZE_TEXT_BYTES];
    static const struct {
        uint64_t value;
        const char *text;
    } known[] = {{0, "0 B"},
                 {512, "512 B"},
                 {1023, "1023 B"},
                 {1024, "1.00 KiB"},
                 {64 * MIB, "64.0 MiB"},
                 {128 * MIB, "128 MiB"},
                 {952 * KIB, "952 KiB"},
                 {4 * GIB, "4.00 GiB"},
                 {MIB - 1, "1.00 MiB"},
                 {GIB - 1, "1.00 GiB"},
                 {1023 * KIB, "1023 KiB"},
                 {UINT64_MAX, "16.0 EiB"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        ck_assert_str_eq(cow_size_text(buffer, known[i].value), known[i].text);
    }
    struct rng rng = {3};
    for (unsigned i = 0; i < 5000; i++) {
        uint64_t value = rng_next(&rng) >> rng_below(&rng, 64);
        int digits;
        double said = said_by(cow_size_text(buffer, value), &digits);
        must(said >= 0, "%" PRIu64 " is written \"%s\"", value, buffer);
        must(fabs(said - (double)value) <= (double)value / 100, "%" PRIu64 " is written \"%s\"", value,
             buffer);
        must(value < 1024 || digits == 3 || digits == 4, "%" PRIu64 " is written \"%s\"", value, buffer);
        must(strstr(buffer, "1024") == NULL, "%" PRIu64 " is written \"%s\"", value, buffer);
    }
}
END_TEST

START_TEST(a_duration_is_never_too_short)
{
    static const struct {
        uint64_t n_bytes;
        const char *text;
    } durations[] = {
        {0, "about 0 seconds at 200 MiB/s"},
        {1, "about 1 second at 200 MiB/s"},
        {200 * MIB, "about 1 second at 200 MiB/s"},
        {200 * MIB + 1, "about 2 seconds at 200 MiB/s"},
        {200 * 120 * MIB, "about 120 seconds at 200 MiB/s"},
        {200 * 120 * MIB + 1, "about 3 minutes at 200 MiB/s"},
        {200 * 180 * MIB, "about 3 minutes at 200 MiB/s"},
        {UINT64_MAX, "about 1466015504 minutes at 200 MiB/s"},
    };
    char text[COW_DURATION_TEXT_BYTES];
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        ck_assert_str_eq(cow_duration_text(text, durations[i].n_bytes), durations[i].text);
    }
}
END_TEST

START_TEST(every_byte_is_escaped_or_plain)
{
    char out[64];
    for (int byte = 1; byte < 256; byte++) {
        char text[8] = {'a', (char)byte, 'b', 0}, wanted[16];
        if (byte == '\\') {
            snprintf(wanted, sizeof wanted, "a\\\\b");
        } else if (byte >= 0x20 && byte < 0x7f) {
            snprintf(wanted, sizeof wanted, "a%cb", byte);
        } else {
            snprintf(wanted, sizeof wanted, "a\\x%02xb", byte);
        }
        must(cow_escape(out, sizeof out, text) == out, "answers its buffer");
        must(strcmp(out, wanted) == 0, "byte %02x: \"%s\"", byte, out);
        if (byte != '\\') {
            must(strcmp(cow_escape_message(out, sizeof out, text), wanted) == 0, "byte %02x: \"%s\"", byte,
                 out);
        }
    }
    ck_assert_str_eq(cow_escape_message(out, sizeof out, "a\\x1bb"), "a\\x1bb");
    ck_assert_str_eq(cow_escape(out, sizeof out, ""), "");
}
END_TEST

START_TEST(hostile_names_are_defused)
{
    static const struct {
        const char *text, *wanted;
    } names[] = {
        {"\x1b]0;title\x07", "\\x1b]0;title\\x07"},   /* OSC */
        {"\x1b[2J\r\n\b", "\\x1b[2J\\x0d\\x0a\\x08"}, /* CSI, CR, LF, BS */
        {"\xc2\x9b"
         "2J",
         "\\xc2\\x9b"
         "2J"}, /* C1 as UTF-8 */
        {"a\xe2\x80\xae"
         "fdp",
         "a\\xe2\\x80\\xae"
         "fdp"},                                                          /* RLO */
        {"\xe2\x81\xa6x\xe2\x81\xa9", "\\xe2\\x81\\xa6x\\xe2\\x81\\xa9"}, /* LRI, PDI */
        {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},                              /* line separator */
        {"\xc0\xaf", "\\xc0\\xaf"},                                       /* overlong */
        {"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},
        {"\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* a surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* past U+10FFFF */
        {"\xe2\x82", "\\xe2\\x82"},                   /* cut off */
        {"\xe2\x82x", "\\xe2\\x82x"},
        {"\x80\xbf", "\\x80\\xbf"},
        {"\xff\xfe", "\\xff\\xfe"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x84", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x84"}, /* good ones stay */
        {"\xc2\xa0", "\xc2\xa0"},
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
    };
    char out[256];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ck_assert_str_eq(cow_escape(out, sizeof out, names[i].text), names[i].wanted);
    }
}
END_TEST

/* A code point as UTF-8, for tests; answers its length. */
static size_t put_code_point(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    int tail = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned lead[] = {0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(lead[tail] | code >> (6 * tail));
    for (int i = 1; i <= tail; i++) {
        out[i] = (char)(0x80 | (code >> (6 * (tail - i)) & 0x3f));
    }
    return (size_t)tail + 1;
}

/* The same, escaped byte by byte. */
static void escaped_code_point(char *out, uint32_t code)
{
    char bytes[4];
    size_t n = put_code_point(bytes, code);
    for (size_t i = 0; i < n; i++) {
        sprintf(out + 4 * i, "\\x%02x", (unsigned char)bytes[i]);
    }
}

START_TEST(what_draws_nothing_is_escaped)
{
    static const uint32_t ranges[][2] = {
        {0xad, 0xad},       {0x34f, 0x34f},     {0x61c, 0x61c},   {0x115f, 0x1160}, {0x17b4, 0x17b5},
        {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164},
        {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3},
        {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        for (uint32_t code = ranges[i][0]; code <= ranges[i][1]; code++) {
            char text[8] = "a", wanted[24] = "a", out[24];
            text[1 + put_code_point(text + 1, code)] = '\0';
            escaped_code_point(wanted + 1, code);
            must(cow_glyph_of(code) == COW_GLYPH_HIDDEN, "U+%04X is not hidden", code);
            ck_assert_str_eq(cow_escape(out, sizeof out, text), wanted);
            ck_assert_str_eq(cow_escape_message(out, sizeof out, text), wanted);
        }
        uint32_t beside[] = {ranges[i][0] - 1, ranges[i][1] + 1};
        for (int k = 0; k < 2; k++) { /* U+180A, for example, is there to be read */
            must(cow_glyph_of(beside[k]) != COW_GLYPH_HIDDEN, "U+%04X is hidden", beside[k]);
        }
    }
}
END_TEST

START_TEST(marks_need_a_letter_and_are_few)
{
#define ACUTE         "\xcc\x81"
#define ACUTE_ESCAPED "\\xcc\\x81"
    static const struct {
        const char *text, *wanted;
    } texts[] = {
        {"e" ACUTE, "e" ACUTE},
        {"e" ACUTE ACUTE ACUTE ACUTE "x", "e" ACUTE ACUTE ACUTE ACUTE "x"},
        {"e" ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE "x" ACUTE,
         "e" ACUTE ACUTE ACUTE ACUTE ACUTE_ESCAPED ACUTE_ESCAPED "x" ACUTE},
        {ACUTE "e", ACUTE_ESCAPED "e"},
        {ACUTE ACUTE "e", ACUTE_ESCAPED ACUTE_ESCAPED "e"},
        {"a/" ACUTE, "a/" ACUTE_ESCAPED},
        {"a " ACUTE, "a " ACUTE_ESCAPED},
        {"a\"" ACUTE, "a\"" ACUTE_ESCAPED},
        {"\x01" ACUTE, "\\x01" ACUTE_ESCAPED},
        {"e\x01" ACUTE, "e\\x01" ACUTE_ESCAPED},
        {"9" ACUTE "Z" ACUTE, "9" ACUTE "Z" ACUTE},
        {"\xe5\x90\x8d" ACUTE, "\xe5\x90\x8d" ACUTE},             /* a wide character */
        {"\xe1\x84\x80\xe1\x85\xa1", "\xe1\x84\x80\xe1\x85\xa1"}, /* a syllable of Hangul */
        {"\xe1\x85\xa1", "\\xe1\\x85\\xa1"},                      /* its vowel alone */
        {"\xe2\x83\x9d", "\\xe2\\x83\\x9d"},                      /* an enclosing circle */
        {"\xf0\x9d\x85\xa7", "\\xf0\\x9d\\x85\\xa7"},             /* the last table's middle */
        {"\xe0\xa4\x95\xe0\xa5\x8d\xe0\xa4\xb7", "\xe0\xa4\x95\xe0\xa5\x8d\xe0\xa4\xb7"}, /* ksha */
    };
    char out[128];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ck_assert_str_eq(cow_escape(out, sizeof out, texts[i].text), texts[i].wanted);
        ck_assert_str_eq(cow_escape_message(out, sizeof out, texts[i].text), texts[i].wanted);
    }
    must(cow_glyph_of(0x300) == COW_GLYPH_MARK && cow_glyph_of(0x36f) == COW_GLYPH_MARK, "the first range");
    must(cow_glyph_of(0x2ff) == COW_GLYPH_SEEN && cow_glyph_of(0x370) == COW_GLYPH_SEEN,
         "beside the first range");
    must(cow_glyph_of(0x1e94a) == COW_GLYPH_MARK && cow_glyph_of(0x1e94b) == COW_GLYPH_SEEN,
         "the last range");
}
END_TEST

START_TEST(random_bytes_in_any_buffer_are_safe)
{
    struct rng rng = {4};
    static const char *const pieces[] = {
        "a", "\\", "\x1b", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\x84", "\xe2\x80\xae", "\xff"};
    for (unsigned round = 0; round < 20000; round++) {
        char text[64] = "", whole[512];
        unsigned n = (unsigned)rng_below(&rng, 12);
        for (unsigned i = 0; i < n; i++) {
            if (round % 2 == 0) {
                text[i] = (char)(1 + rng_below(&rng, 255));
            } else {
                strncat(text, pieces[rng_below(&rng, 8)], 8);
            }
        }
        cow_escape(whole, sizeof whole, text);
        must(is_terminal_safe(whole), "\"%s\"", whole);
        size_t out_bytes = 8 + rng_below(&rng, 24);
        char *out = malloc(out_bytes); /* of that size, so that a sanitizer sees a step too far */
        must(out != NULL, "out of memory");
        cow_escape(out, out_bytes, text);
        must(strlen(out) < out_bytes, "no end");
        must(is_terminal_safe(out), "in %zu bytes: \"%s\"", out_bytes, out);
        size_t kept = strlen(out);
        if (strcmp(out, whole) != 0) {
            must(kept >= 3 && strcmp(out + kept - 3, "...") == 0, "truncated without dots: \"%s\"", out);
            must(strncmp(out, whole, kept - 3) == 0, "\"%s\" does not begin \"%s\"", out, whole);
        }
        free(out);
    }
}
END_TEST

START_TEST(a_text_that_just_fits_is_not_cut)
{
    char out[64];
    ck_assert_str_eq(cow_escape(out, 8, "abcdefg"), "abcdefg");
    ck_assert_str_eq(cow_escape(out, 8, "abcdefgh"), "abcd...");
    ck_assert_str_eq(cow_escape(out, 8, "abcd\xc3\xa4"), "abcd\xc3\xa4");
    ck_assert_str_eq(cow_escape(out, 9, "abcd\x1b"), "abcd\\x1b");
    ck_assert_str_eq(cow_escape(out, 8,
                                "abc\x1b"
                                "x"),
                     "abc...");
    ck_assert_str_eq(cow_escape(out, 8,
                                "abc\xe2\x82\xac"
                                "xyz"),
                     "abc...");
    for (size_t n = 0; n < 40; n++) {
        char text[64];
        memset(text, 'x', n);
        text[n] = '\0';
        must(strcmp(cow_escape(out, n < 8 ? 8 : n + 1, text), text) == 0, "%zu characters: \"%s\"", n, out);
    }
}
END_TEST

START_TEST(quotes_for_a_shell)
{
    char out[64];
    ck_assert_str_eq(cow_shell_quote(out, sizeof out, "root.cow"), "root.cow");
    ck_assert_str_eq(cow_shell_quote(out, sizeof out, "/a-b/c_d.1"), "/a-b/c_d.1");
    ck_assert_str_eq(cow_shell_quote(out, sizeof out, "my disk.cow"), "'my disk.cow'");
    ck_assert_str_eq(cow_shell_quote(out, sizeof out, ""), "''");
    ck_assert_str_eq(cow_shell_quote(out, sizeof out, "it's"), "'it'\\''s'");
    ck_assert_str_eq(cow_shell_quote(out, sizeof out, "$(rm *)"), "'$(rm *)'");
    ck_assert_str_eq(cow_shell_quote(out, sizeof out, "~root"), "'~root'");
    ck_assert_str_eq(cow_shell_quote(out, sizeof out, "a\x1b[0m"), "'a\\x1b[0m'");
}
END_TEST

/* The shell itself is the witness: what it makes of the quoted word is the word. */
START_TEST(a_shell_reads_quoted_words_back)
{
    struct rng rng = {5};
    static const char letters[] = "aZ9 '\"$`\\*?[]{}()<>|&;#!~^%=-+,:@./_";
    char command[8192] = "set --";
    char words[60][16];
    for (unsigned i = 0; i < 60; i++) {
        unsigned n = (unsigned)rng_below(&rng, 8);
        for (unsigned k = 0; k < n; k++) {
            words[i][k] = letters[rng_below(&rng, sizeof letters - 1)];
        }
        words[i][n] = '\0';
        char quoted[128];
        strcat(strcat(command, " "), cow_shell_quote(quoted, sizeof quoted, words[i]));
    }
    strcat(command, "; printf '%s\\n' \"$@\"");
    FILE *shell = popen(command, "r");
    must(shell != NULL, "no shell");
    for (unsigned i = 0; i < 60; i++) {
        char line[64];
        must(fgets(line, sizeof line, shell) != NULL, "the shell stopped at word %u", i);
        line[strcspn(line, "\n")] = '\0';
        ck_assert_str_eq(line, words[i]);
    }
    must(pclose(shell) == 0, "the shell failed");
}
END_TEST

/* A letter or two: too much, too few, others, exchanged; and no word at all where none is near. */
START_TEST(the_nearest_word_is_meant)
{
    static const char *const words[] = {"info", "map", "family", "files", "merge", "resize", "recover"};
    static const struct {
        const char *typed, *meant;
    } known[] = {{"infoo", "info"},
                 {"inof", "info"},
                 {"nfo", "info"},
                 {"filse", "files"},
                 {"reize", "resize"},
                 {"rezise", "resize"},
                 {"recoevr", "recover"},
                 {"mpa", "map"},
                 {"mop", "map"},
                 {"x", NULL},
                 {"", NULL},
                 {"ma", "map"},
                 {"mxx", NULL},
                 {"convert", NULL},
                 {"root.cow", NULL},
                 {"famly.cow", NULL}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct cow_nearest nearest = {.typed = known[i].typed, .typed_bytes = strlen(known[i].typed)};
        for (size_t j = 0; j < sizeof words / sizeof words[0]; j++) {
            cow_nearest_offer(&nearest, words[j]);
        }
        must((nearest.word == NULL) == (known[i].meant == NULL) &&
                 (nearest.word == NULL || strcmp(nearest.word, known[i].meant) == 0),
             "%s: %s", known[i].typed, nearest.word != NULL ? nearest.word : "none");
    }
    char longest[4096];
    memset(longest, 'i', sizeof longest);
    struct cow_nearest nearest = {.typed = longest, .typed_bytes = sizeof longest};
    cow_nearest_offer(&nearest, "info");
    must(nearest.word == NULL, "4096 letters mean %s", nearest.word);
}
END_TEST

START_TEST(a_share_is_never_nothing_or_all_by_rounding)
{
    static const struct {
        uint64_t part, whole;
        const char *text;
    } known[] = {{0, 0, "0.0%"},
                 {0, 7, "0.0%"},
                 {1, 1000000, "<0.1%"},
                 {15, 1000, "1.5%"},
                 {999999, 1000000, ">99.9%"},
                 {7, 7, "100.0%"}};
    char buffer[COW_SHARE_TEXT_BYTES];
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        ck_assert_str_eq(cow_share_text(buffer, known[i].part, known[i].whole), known[i].text);
    }
}
END_TEST

Suite *text_suite(void)
{
    Suite *suite = suite_create("text");
    TCase *tc = tcase_create("sizes");
    tcase_add_test(tc, reads_sizes);
    tcase_add_test(tc, refuses_what_is_no_size);
    tcase_add_test(tc, an_argument_reads_back_and_is_the_shortest);
    tcase_add_test(tc, a_size_text_has_three_digits_and_is_true);
    tcase_add_test(tc, a_duration_is_never_too_short);
    suite_add_tcase(suite, tc);
    tc = tcase_create("names");
    tcase_set_timeout(tc, 20);
    tcase_add_test(tc, every_byte_is_escaped_or_plain);
    tcase_add_test(tc, hostile_names_are_defused);
    tcase_add_test(tc, what_draws_nothing_is_escaped);
    tcase_add_test(tc, marks_need_a_letter_and_are_few);
    tcase_add_test(tc, random_bytes_in_any_buffer_are_safe);
    tcase_add_test(tc, a_text_that_just_fits_is_not_cut);
    tcase_add_test(tc, quotes_for_a_shell);
    tcase_add_test(tc, a_shell_reads_quoted_words_back);
    tcase_add_test(tc, the_nearest_word_is_meant);
    tcase_add_test(tc, a_share_is_never_nothing_or_all_by_rounding);
    suite_add_tcase(suite, tc);
    return suite;
}
