/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a terminal sends, byte by byte: keys come out as their names in <>, characters as they are, a pasted
 * text in
 * {}. A '.' in what goes in is a key that must be the only one to come out: it tells that what stood before
 * it was taken as a whole.
 */
#include "tui/screen/input.h"

#include <stdio.h>
#include <string.h>

#include "support.h"
#include "tui/screen/keys.h"
#include "tui/screen/utf8.h"

static int64_t now;

static void tell(char *out, size_t out_bytes, const struct tui_input *input, enum tui_input_kind kind)
{
    char name[TUI_KEY_NAME_BYTES];
    size_t used = strlen(out);

    if (kind == TUI_INPUT_MOUSE) {
        static const char *const kinds[] = {"press", "drag", "release", "up", "down"};
        snprintf(out + used, out_bytes - used, "(%s %d,%d)", kinds[input->mouse.kind], input->mouse.x,
                 input->mouse.y);
    } else if (kind == TUI_INPUT_PASTE) {
        snprintf(out + used, out_bytes - used, "{%s}", input->paste);
    } else if (kind == TUI_INPUT_KEY) {
        bool plain = input->key > ' ' && input->key < 0x200000 && input->key != TUI_KEY_BACKSPACE;
        tui_key_name(name, input->key);
        snprintf(out + used, out_bytes - used, plain ? "%s" : "<%s>", name);
    }
}

static void feed_bytes(struct tui_input *input, char *out, size_t out_bytes, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        tell(out, out_bytes, input, tui_input_byte(input, (unsigned char)bytes[i], now));
        now++;
        tell(out, out_bytes, input, tui_input_wait(input, now)); /* a read may end anywhere */
    }
}

static void pass(struct tui_input *input, char *out, size_t out_bytes, int64_t ms)
{
    now += ms;
    tell(out, out_bytes, input, tui_input_wait(input, now));
}

static const char *sent(char *out, size_t out_bytes, const char *bytes, size_t n)
{
    struct tui_input input;

    out[0] = '\0';
    tui_input_init(&input, NULL);
    feed_bytes(&input, out, out_bytes, bytes, n);
    return out;
}

#define SENT(bytes) sent(out, sizeof out, bytes, sizeof(bytes) - 1)

START_TEST(keys_are_told)
{
    char out[512];
    ck_assert_str_eq(SENT("aZ~\t\r\n\b\x7f \x01"),
                     "aZ~<Tab><Enter><Enter><Backspace><Backspace><Space><C-a>");
    ck_assert_str_eq(SENT("\033[A\033[B\033[C\033[D\033[H\033[F"), "<Up><Down><Right><Left><Home><End>");
    ck_assert_str_eq(SENT("\033OA\033OB\033OC\033OD\033OH\033OF"), "<Up><Down><Right><Left><Home><End>");
    ck_assert_str_eq(SENT("\033[1~\033[4~\033[7~\033[8~\033[2~\033[3~"),
                     "<Home><End><Home><End><Insert><Delete>");
    ck_assert_str_eq(SENT("\033[5~\033[6~\033[Z\033[11~\033[15~"), "<PgUp><PgDn><S-Tab><F1><F5>");
    ck_assert_str_eq(SENT("\033OP\033[[A\033[[E"), "<F1><F1><F5>");
    ck_assert_str_eq(SENT("\033OM\033Op\033Oy\033Om\033Ok"), "<Enter>09-+"); /* a keypad */
    ck_assert_str_eq(SENT("\x9b"
                          "A\302\233A"),
                     "A<Up>"); /* CSI as a character of UTF-8; as a byte it is a broken one */
}
END_TEST

START_TEST(characters_are_whole_or_nothing)
{
    char out[512];
    ck_assert_str_eq(SENT("\303\244\342\202\254\360\237\220\204."), "\303\244\342\202\254\360\237\220\204.");
    ck_assert_str_eq(SENT("\303."), ".");
    ck_assert_str_eq(SENT("\342\202."), ".");
    ck_assert_str_eq(SENT("\360\237\220."), ".");
    ck_assert_str_eq(SENT("\200\277\377\376\301\205\365\200\200\200."), ".");
    ck_assert_str_eq(SENT("\340\200\257\360\200\200\257\355\240\200\364\220\200\200."),
                     "."); /* overlong, surrogate */
    ck_assert_str_eq(SENT("\342\303\244."), "\303\244.");
    ck_assert_str_eq(SENT("\302\200\302\205."), "."); /* C1 that begins nothing */
}
END_TEST

/* What a terminal may send, and nobody asked for. */
static const struct {
    const char *bytes;
    size_t n;
} unknown[] = {
#define S(text)                                                                                              \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }
    S("\033[99;5u"),         /* Ctrl-c, of keyboards that tell all */
    S("\033[1;5A"),          /* Ctrl-Up */
    S("\033[1;2:3A"),        /* a release */
    S("\033[?62;1;6c"),      /* what the terminal is */
    S("\033[24;80R"),        /* where the cursor is */
    S("\033[?2026;2$y"),     /* a mode */
    S("\033[I"),             /* focus */
    S("\033[O"),             /* no SS3 */
    S("\033[<64;10;20M"),    /* a wheel */
    S("\033[<0;10;20m"),     /* a button */
    S("\033[64;10;20M"),     /* the same, of rxvt */
    S("\033[M`q:"),          /* the same, of X10 */
    S("\033[M\033[A"),       /* it may look like anything */
    S("\033[M\377\377\377"), /* and need not be ASCII */
    S("\033[tq:"),           /* X10's tracking */
    S("\033[Tqqqqqq"),
    S("\033[[B"),      /* F2 of the Linux console */
    S("\033[12~"),     /* F2 */
    S("\033[201~"),    /* the end of no paste */
    S("\033[200;1~"),  /* no beginning of one */
    S("\033[3\0013q"), /* a control character inside */
    S("\033[00000000000000000000000000000000000000000000000000000000A"),
    S("\033[\177 !\"q"), /* intermediates */
    S("\033OQ"),         /* F2 */
    S("\033O5A"),        /* Ctrl-Up, of old */
    S("\033NA"),         /* SS2 */
    S("\033q"),          /* Alt-q */
    S("\033\r"),         /* Alt-Enter */
    S("\033\177"),
    S("\033\303\244"),  /* Alt and a character */
    S("\033\302\233A"), /* Alt and CSI */
    S("\033\033[A"),    /* Alt-Up, of rxvt */
    S("\033(B"),
    S("\033 !q"),                      /* intermediates */
    S("\033\\"),                       /* the end of no string */
    S("\033]11;rgb:1a1a/1a1a/1a1a\a"), /* a colour */
    S("\033]11;rgb:1a1a/1a1a/1a1a\033\\"),
    S("\033]52;c;eWVzCg==\302\234"),
    S("\033]0;\303\234q\a"),        /* a letter with a byte that is ST elsewhere */
    S("\033P1+r436f=323536\033\\"), /* a capability */
    S("\033Pq\aq\033\\"),
    S("\033_Gi=31;OK\033\\"),
    S("\033^q\033\\"),
    S("\033Xq\033\\"),
    S("\302\220q\302\234"),
    S("\302\235q\a"),
    S("\302\23399;5u"),
    S("\302\217Q"),
    S("\033]q\030"),
    S("\033]q\032"),
    S("\033[3\030"),
    S("\033[1\302"), /* cut off by a character */
#undef S
};

START_TEST(unknown_sequences_are_dropped_whole)
{
    char out[512], bytes[128];
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        memcpy(bytes, unknown[i].bytes, unknown[i].n);
        bytes[unknown[i].n] = '.';
        sent(out, sizeof out, bytes, unknown[i].n + 1);
        must(strcmp(out, ".") == 0, "sequence %zu, ESC%s: \"%s\"", i, unknown[i].bytes + 1, out);
    }
    ck_assert_str_eq(SENT("\033[1\033[A."), "<Up>."); /* cut off by another one */
    ck_assert_str_eq(SENT("\033]q\033[A."), "<Up>.");
    ck_assert_str_eq(SENT("\033O\033[A."), "<Up>.");
}
END_TEST

START_TEST(time_ends_what_does_not_end)
{
    struct tui_input input;
    char out[64] = "";

    tui_input_init(&input, NULL);
    must(tui_input_patience_ms(&input, now) == -1, "waits for nothing");
    feed_bytes(&input, out, sizeof out, "\033", 1); /* takes 1 ms */
    must(tui_input_patience_ms(&input, now) == TUI_INPUT_ESC_MS - 1, "waits for what follows ESC");
    pass(&input, out, sizeof out, TUI_INPUT_ESC_MS - 2);
    ck_assert_str_eq(out, "");
    pass(&input, out, sizeof out, 1);
    ck_assert_str_eq(out, "<Esc>");
    must(tui_input_patience_ms(&input, now) == -1, "waits for nothing");
    feed_bytes(&input, out, sizeof out, "[A\033\033", 4); /* pressed twice, fast */
    pass(&input, out, sizeof out, TUI_INPUT_ESC_MS);
    ck_assert_str_eq(out, "<Esc>[A<Esc>");

    static const char *const unfinished[] = {"\033[",  "\033[1;", "\033O",  "\033]q",
                                             "\033Pq", "\033[M",  "\033[[", "\342\202"};
    for (size_t i = 0; i < sizeof unfinished / sizeof unfinished[0]; i++) {
        out[0] = '\0';
        feed_bytes(&input, out, sizeof out, unfinished[i], strlen(unfinished[i]));
        pass(&input, out, sizeof out, TUI_INPUT_REST_MS - 2);
        must(tui_input_patience_ms(&input, now) == 1, "%zu: is given up early", i);
        pass(&input, out, sizeof out, 1);
        feed_bytes(&input, out, sizeof out, ".", 1);
        must(strcmp(out, ".") == 0, "%zu: \"%s\"", i, out);
    }
    out[0] = '\0'; /* Esc is heard in a string that does not end, and is no key */
    feed_bytes(&input, out, sizeof out, "\033]qqq\033", 6);
    pass(&input, out, sizeof out, TUI_INPUT_ESC_MS);
    feed_bytes(&input, out, sizeof out, "\033 ", 2); /* Alt and a blank, or the beginning of something */
    pass(&input, out, sizeof out, TUI_INPUT_ESC_MS);
    feed_bytes(&input, out, sizeof out, ".", 1);
    ck_assert_str_eq(out, ".");
}
END_TEST

START_TEST(a_split_sequence_is_one)
{
    struct tui_input input;
    char out[64] = "";

    tui_input_init(&input, NULL);
    feed_bytes(&input, out, sizeof out, "\033", 1);
    pass(&input, out, sizeof out, TUI_INPUT_ESC_MS - 2);
    feed_bytes(&input, out, sizeof out, "[", 1);
    pass(&input, out, sizeof out, TUI_INPUT_REST_MS - 2);
    feed_bytes(&input, out, sizeof out, "A\342", 2);
    pass(&input, out, sizeof out, TUI_INPUT_REST_MS - 2);
    feed_bytes(&input, out, sizeof out, "\202\254", 2);
    ck_assert_str_eq(out, "<Up>\342\202\254");
}
END_TEST

#define BEGIN "\033[200~"
#define END   "\033[201~"

START_TEST(a_paste_is_one_text)
{
    char out[512];
    ck_assert_str_eq(SENT(BEGIN "r32M" END "."), "{r32M}.");
    ck_assert_str_eq(SENT(BEGIN "r\n32M\r\n\nyes\n" END "."), "{r 32M yes}."); /* lines become words */
    ck_assert_str_eq(SENT(BEGIN "\n\t a\tb \n" END), "{ a b }");
    ck_assert_str_eq(SENT(BEGIN "q\001\003\032\177\b." END "."), "{q.}.");
    ck_assert_str_eq(SENT(BEGIN "\303\244\377\342\202x" END), "{\303\244x}");
    ck_assert_str_eq(SENT(BEGIN "a\033[31mb\033[Ac\033[200~d" END "."), "{abcd}.");
    ck_assert_str_eq(SENT(BEGIN "a\033]0;b\033Oc\033[Md\033[[e\302\233f" END "."), "{a]0;bOcde}.");
    ck_assert_str_eq(SENT(BEGIN "a\033[" END "."), "{a}.");
    ck_assert_str_eq(SENT(BEGIN "a\033" END "."), "{a}.");
    ck_assert_str_eq(SENT(BEGIN END "."), ".");
    ck_assert_str_eq(SENT(BEGIN "\n" END "."), ".");
    ck_assert_str_eq(SENT(BEGIN "a" END BEGIN "b\n" END BEGIN "c" END), "{a}{b}{c}");
    ck_assert_str_eq(SENT("\302\233200~a\302\233201~."), "{a}.");
}
END_TEST

START_TEST(a_long_paste_is_cut)
{
    static struct tui_input input;
    static char out[2 * TUI_PASTE_BYTES];

    for (int prefix = 0; prefix < 9; prefix++) { /* it may end anywhere in a character */
        out[0] = '\0';
        tui_input_init(&input, NULL);
        feed_bytes(&input, out, sizeof out, BEGIN "xxxxxxxx", 6 + (size_t)prefix);
        for (int i = 0; i < 2 * TUI_PASTE_BYTES; i++) {
            feed_bytes(&input, out, sizeof out, (i % 3) != 0 ? "\360\237\220\204" : "\n",
                       (i % 3) != 0 ? 4 : 1);
        }
        feed_bytes(&input, out, sizeof out, END ".", 7);
        must(input.paste_bytes < TUI_PASTE_BYTES && input.paste_bytes > TUI_PASTE_BYTES - 8, "%zu bytes",
             input.paste_bytes);
        ck_assert_str_eq(out + strlen(out) - 6, "\360\237\220\204}.");
    }
}
END_TEST

/* No time ends a paste: what is still to come on a slow line is no key. Esc gives it up. */
START_TEST(a_paste_ends_by_its_mark_or_esc)
{
    struct tui_input input;
    char out[64] = "";

    tui_input_init(&input, NULL);
    feed_bytes(&input, out, sizeof out, BEGIN "a", 7);
    must(tui_input_patience_ms(&input, now) == -1, "waits for the end");
    pass(&input, out, sizeof out, 3600000);
    feed_bytes(&input, out, sizeof out, "b\033", 2);
    pass(&input, out, sizeof out, TUI_INPUT_REST_MS - 2);
    feed_bytes(&input, out, sizeof out, "[201~.", 6);
    ck_assert_str_eq(out, "{ab}.");
    out[0] = '\0';
    feed_bytes(&input, out, sizeof out, BEGIN "a\033", 8);
    pass(&input, out, sizeof out, TUI_INPUT_REST_MS);
    feed_bytes(&input, out, sizeof out, ".", 1);
    ck_assert_str_eq(out, ".");
}
END_TEST

START_TEST(what_is_dropped_is_forgotten)
{
    static const char *const under_way[] = {"\033", "\033[1", "\033]q", BEGIN "q", "\342\202"};
    struct tui_input input;
    char out[64] = "";

    tui_input_init(&input, NULL);
    must(!tui_input_drop(&input), "nothing is under way");
    for (size_t i = 0; i < sizeof under_way / sizeof under_way[0]; i++) {
        out[0] = '\0';
        feed_bytes(&input, out, sizeof out, under_way[i], strlen(under_way[i]));
        must(tui_input_drop(&input), "%zu is under way", i);
        feed_bytes(&input, out, sizeof out, ".", 1);
        must(strcmp(out, ".") == 0, "%zu: \"%s\"", i, out);
    }
}
END_TEST

START_TEST(a_terminal_may_have_keys_of_its_own)
{
    struct tui_input input;
    char out[64] = "";

    tui_input_init(&input, NULL);
    tui_input_learn(&input, NULL, TUI_KEY_UP);
    tui_input_learn(&input, "", TUI_KEY_UP);
    tui_input_learn(&input, "\033[123456789012345678901234567890~", TUI_KEY_UP);
    tui_input_learn(&input, "\v", TUI_KEY_UP);      /* of a Wyse */
    tui_input_learn(&input, "\033B", TUI_KEY_DOWN); /* of a VT52 */
    tui_input_learn(&input, "\033[M", TUI_KEY_F1);  /* of SCO */
    tui_input_learn(&input, "\033[215z", TUI_KEY_F5);
    feed_bytes(&input, out, sizeof out, "\v\033B\033[M\033[215z\033[216z\033[A.", 22);
    ck_assert_str_eq(out, "<Up><Down><F1><F5><Up>.");
    for (int i = 0; i < 2 * TUI_INPUT_OWN_KEYS; i++) {
        tui_input_learn(&input, "x", TUI_KEY_UP);
    }
    must(input.own_keys == TUI_INPUT_OWN_KEYS, "%zu keys", input.own_keys);
}
END_TEST

/* Latin-1, and a code of two bytes of which the second may be an ASCII letter. */
static int one_byte(unsigned char byte)
{
    return byte;
}

static int two_bytes(unsigned char byte)
{
    static unsigned char first;

    if (first == 0) {
        first = byte;
        return byte == 0xff ? (first = 0, TUI_INPUT_BAD) : TUI_INPUT_MORE;
    }
    first = 0;
    return byte < 0x40 ? TUI_INPUT_BAD : 0x3000 + byte;
}

START_TEST(other_locales_have_characters_too)
{
    struct tui_input input;
    char out[64] = "";

    tui_input_init(&input, one_byte);
    feed_bytes(&input, out, sizeof out,
               "\344\x9b"
               "99;5u\x9b"
               "A\x9d"
               "q\x9c\x9dq\a\x8fQ\x85.",
               19);
    ck_assert_str_eq(out, "\303\244<Up>.");
    out[0] = '\0';
    tui_input_init(&input, two_bytes);
    feed_bytes(&input, out, sizeof out, "\201q\377\201!\033\201q.", 9);
    ck_assert_str_eq(out, "\343\201\261.");
}
END_TEST

/* Whatever comes: no key that is no character, and Esc and a while later every key is heard again. */
START_TEST(random_bytes_never_hang)
{
    static const char pieces[] = "\033\033\033[[]OPM~A0;?q\a\\\302\233\x9b\377\n ";
    struct rng rng = {7};
    struct tui_input input;
    char out[16];

    tui_input_init(&input, NULL);
    for (int round = 0; round < 20000; round++) {
        for (uint64_t n = rng_below(&rng, 12); n > 0; n--) {
            unsigned char byte = rng_below(&rng, 4) != 0
                                     ? (unsigned char)pieces[rng_below(&rng, sizeof pieces - 1)]
                                     : (unsigned char)rng_below(&rng, 256);
            enum tui_input_kind kind = tui_input_byte(&input, byte, now);
            bool character =
                input.key > 0 && input.key <= 0x10ffff && !(input.key >= 0x80 && input.key < 0xa0);
            must(kind != TUI_INPUT_KEY || character || (input.key >= TUI_KEY_UP && input.key <= TUI_KEY_F5),
                 "key %d", input.key);
            must(input.sequence_bytes <= TUI_INPUT_SEQUENCE_BYTES, "%zu bytes", input.sequence_bytes);
        }
        if (round % 16 == 0) {
            now += TUI_INPUT_REST_MS;
            tui_input_wait(&input, now);
            tui_input_byte(&input, 033, now);
            now += TUI_INPUT_REST_MS;
            tui_input_wait(&input, now);
            out[0] = '\0';
            feed_bytes(&input, out, sizeof out, ".", 1);
            must(strcmp(out, ".") == 0, "round %d: \"%s\"", round, out);
        }
    }
}
END_TEST

/* The same where the mouse was asked for. */
static const char *sent_with_mouse(char *out, size_t out_bytes, const char *bytes, size_t n)
{
    struct tui_input input;

    out[0] = '\0';
    tui_input_init(&input, NULL);
    input.takes_mouse = true;
    feed_bytes(&input, out, out_bytes, bytes, n);
    return out;
}

#define WITH_MOUSE(bytes) sent_with_mouse(out, sizeof out, bytes, sizeof(bytes) - 1)

START_TEST(the_mouse_is_told_where_it_was_asked_for)
{
    char out[512];
    ck_assert_str_eq(WITH_MOUSE("\033[<0;1;1M\033[<32;80;24M\033[<0;80;24m"),
                     "(press 0,0)(drag 79,23)(release 79,23)");
    ck_assert_str_eq(WITH_MOUSE("\033[<64;5;6M\033[<65;1000;1000M"), "(up 4,5)(down 999,999)");
    ck_assert_str_eq(WITH_MOUSE("\302\233<0;7;8Mx"), "(press 6,7)x"); /* CSI as one character */
    ck_assert_str_eq(WITH_MOUSE("a\033[<0;1;2Mb\033[Ac"), "a(press 0,1)b<Up>c");
    ck_assert_str_eq(SENT("\033[<0;1;1M.\033[<64;5;6M.\033[<0;1;1m."), "...");
}
END_TEST

START_TEST(other_reports_of_the_mouse_are_dropped_whole)
{
    static const char *const reports[] = {
        "\033[<1;1;1M",
        "\033[<2;1;1M",
        "\033[<3;1;1m",
        "\033[<4;1;1M",
        "\033[<16;1;1M",
        "\033[<35;1;1M",
        "\033[<36;1;1M",
        "\033[<66;1;1M",
        "\033[<128;1;1M",
        "\033[<32;1;1m",
        "\033[<0;0;1M",
        "\033[<0;1;0M",
        "\033[<0;1001;1M",
        "\033[<0;1;1001M",
        "\033[<0;99999;1M",
        "\033[<0;1M",
        "\033[<0;1;1;1M",
        "\033[<;;M",
        "\033[<M",
        "\033[<0;-1;1M",
        "\033[<0;1;1 M",
        "\033[<0;1;1A",
        "\033[<0:1:1M",
        "\033[0;1;1M",
        "\033[<00000;1;1M",
        "\033[<0;1;1~",
        "\033[<<0;1;1M",
        "\033\033[<0;1;1M",
        "\033[>0;1;1M",
        "\033[M !!",
        "\033[M\177\377\377",
        "\033[<0;00000000000000000000000000000000000000000000001;1M",
    };
    char out[512], bytes[128];

    for (size_t i = 0; i < sizeof reports / sizeof reports[0]; i++) {
        snprintf(bytes, sizeof bytes, "%s.", reports[i]);
        must(strcmp(sent_with_mouse(out, sizeof out, bytes, strlen(bytes)), ".") == 0, "%s: %s",
             reports[i] + 1, out);
    }
}
END_TEST

/* At every place: by a pause, by another sequence, and by its end; nothing of it does anything, but what
 * comes a second later is typed. */
START_TEST(a_torn_report_of_the_mouse_does_nothing)
{
    static const char report[] = "\033[<0;12;34M";
    struct tui_input input;
    char out[512];

    for (size_t n = 1; n < sizeof report - 1; n++) {
        tui_input_init(&input, NULL);
        input.takes_mouse = true;
        out[0] = '\0';
        feed_bytes(&input, out, sizeof out, report, n);
        feed_bytes(&input, out, sizeof out, "\033[<65;1;1M", 11);
        must(strcmp(out, "(down 0,0)") == 0 || n == 1, "cut after %zu: %s", n, out);
        out[0] = '\0';
        feed_bytes(&input, out, sizeof out, report, n);
        pass(&input, out, sizeof out, TUI_INPUT_REST_MS + 1);
        feed_bytes(&input, out, sizeof out, ".", 1);
        must(strcmp(out, n == 1 ? "<Esc>." : ".") == 0, "silent after %zu: %s", n, out);
    }
}
END_TEST

START_TEST(the_mouse_is_nothing_in_a_paste)
{
    char out[512];
    ck_assert_str_eq(WITH_MOUSE("\033[200~a\033[<0;1;1Mb\033[201~.\033[<0;1;1M"), "{ab}.(press 0,0)");
}
END_TEST

START_TEST(two_clicks_are_one_after_the_other)
{
    const struct tui_mouse here = {TUI_MOUSE_PRESS, 3, 4}, there = {TUI_MOUSE_PRESS, 4, 4};
    struct tui_clicks clicks = {.one = false};

    ck_assert(!tui_clicks_take(&clicks, &here, 10) && tui_clicks_take(&clicks, &here, 10.4));
    ck_assert(!tui_clicks_take(&clicks, &here, 10.5)); /* a third one is the first of others */
    ck_assert(!tui_clicks_take(&clicks, &there, 10.6) && !tui_clicks_take(&clicks, &here, 10.7));
    ck_assert(!tui_clicks_take(&clicks, &here, 11.3) && tui_clicks_take(&clicks, &here, 11.8));
    ck_assert(!tui_clicks_take(&clicks, &here, 12));
    clicks.one = false; /* a key, or dragging */
    ck_assert(!tui_clicks_take(&clicks, &here, 12.1));
}
END_TEST

Suite *input_suite(void)
{
    Suite *suite = suite_create("input");
    TCase *tc = tcase_create("bytes");
    tcase_add_test(tc, keys_are_told);
    tcase_add_test(tc, characters_are_whole_or_nothing);
    tcase_add_test(tc, unknown_sequences_are_dropped_whole);
    tcase_add_test(tc, time_ends_what_does_not_end);
    tcase_add_test(tc, a_split_sequence_is_one);
    tcase_add_test(tc, a_paste_is_one_text);
    tcase_add_test(tc, a_long_paste_is_cut);
    tcase_add_test(tc, a_paste_ends_by_its_mark_or_esc);
    tcase_add_test(tc, what_is_dropped_is_forgotten);
    tcase_add_test(tc, a_terminal_may_have_keys_of_its_own);
    tcase_add_test(tc, other_locales_have_characters_too);
    tcase_add_test(tc, random_bytes_never_hang);
    tcase_add_test(tc, the_mouse_is_told_where_it_was_asked_for);
    tcase_add_test(tc, other_reports_of_the_mouse_are_dropped_whole);
    tcase_add_test(tc, a_torn_report_of_the_mouse_does_nothing);
    tcase_add_test(tc, the_mouse_is_nothing_in_a_paste);
    tcase_add_test(tc, two_clicks_are_one_after_the_other);
    suite_add_tcase(suite, tc);
    return suite;
}
