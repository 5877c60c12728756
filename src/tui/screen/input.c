/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A state machine over bytes, after ECMA-48 and xterm's "Control Sequences". Its one rule: whatever begins
 * like a sequence ends like one, and only a whole one that has a name is a key.
 *
 * Nothing of a string (OSC and its kind) is kept, so its length needs no bound; one that never ends is over
 * when the line has been silent for a while, or when somebody presses Esc. A paste ends with its mark alone,
 * or by Esc: what is still on its way must not be taken for keys because the line is slow.
 */
#include "tui/screen/input.h"

#include <string.h>

#include "tui/screen/keys.h"
#include "tui/screen/utf8.h"

enum { ESC = 0x1b, CAN = 0x18, SUB = 0x1a, BEL = 0x07, DEL = 0x7f, C1 = 0x80, C1_END = 0xa0 };

/* What xterm, the Linux console, rxvt and their kind send, whatever the terminal's description says. */
static const struct {
    const char *sequence;
    int key;
} key_sequences[] = {
    {"\033[A", TUI_KEY_UP},    {"\033[B", TUI_KEY_DOWN},    {"\033[C", TUI_KEY_RIGHT},
    {"\033[D", TUI_KEY_LEFT},  {"\033[H", TUI_KEY_HOME},    {"\033[F", TUI_KEY_END},
    {"\033OA", TUI_KEY_UP},    {"\033OB", TUI_KEY_DOWN},    {"\033OC", TUI_KEY_RIGHT},
    {"\033OD", TUI_KEY_LEFT},  {"\033OH", TUI_KEY_HOME},    {"\033OF", TUI_KEY_END},
    {"\033[1~", TUI_KEY_HOME}, {"\033[4~", TUI_KEY_END},    {"\033[7~", TUI_KEY_HOME},
    {"\033[8~", TUI_KEY_END},  {"\033[2~", TUI_KEY_INSERT}, {"\033[3~", TUI_KEY_DELETE},
    {"\033[5~", TUI_KEY_PGUP}, {"\033[6~", TUI_KEY_PGDN},   {"\033[Z", TUI_KEY_BACKTAB},
    {"\033[11~", TUI_KEY_F1},  {"\033[15~", TUI_KEY_F5},    {"\033OP", TUI_KEY_F1},
    {"\033[[A", TUI_KEY_F1},   {"\033[[E", TUI_KEY_F5},     {"\033OM", TUI_KEY_ENTER},
};

static const char paste_begins[] = "\033[200~", paste_ends[] = "\033[201~";

void tui_input_init(struct tui_input *input, tui_input_decode *decode)
{
    memset(input, 0, sizeof *input);
    input->decode = decode;
}

void tui_input_learn(struct tui_input *input, const char *sequence, int key)
{
    if (sequence == NULL || sequence[0] == '\0' || strlen(sequence) >= TUI_INPUT_SEQUENCE_BYTES ||
        input->own_keys == TUI_INPUT_OWN_KEYS) {
        return;
    }
    memcpy(input->own[input->own_keys].sequence, sequence, strlen(sequence) + 1);
    input->own[input->own_keys++].key = key;
}

/* The terminal's description goes first. A keypad in application mode sends the character, moved by 0x40. */
static int key_of(const struct tui_input *input)
{
    const char *sequence = input->sequence;

    for (size_t i = 0; i < input->own_keys; i++) {
        if (strcmp(input->own[i].sequence, sequence) == 0) {
            return input->own[i].key;
        }
    }
    for (size_t i = 0; i < sizeof key_sequences / sizeof key_sequences[0]; i++) {
        if (strcmp(key_sequences[i].sequence, sequence) == 0) {
            return key_sequences[i].key;
        }
    }
    if (strncmp(sequence, "\033O", 2) == 0 && sequence[2] >= 'j' && sequence[2] <= 'y' &&
        sequence[3] == '\0') {
        return sequence[2] - 0x40;
    }
    return TUI_KEY_NONE;
}

static enum tui_input_kind give_key(struct tui_input *input, int key)
{
    input->key = key;
    return key == TUI_KEY_NONE ? TUI_INPUT_NOTHING : TUI_INPUT_KEY;
}

static void keep_byte(struct tui_input *input, unsigned char byte)
{
    if (input->sequence_bytes < TUI_INPUT_SEQUENCE_BYTES) {
        input->sequence[input->sequence_bytes++] = (char)byte;
    }
    input->sequence[input->sequence_bytes] = '\0';
}

static void begin_escape(struct tui_input *input, enum tui_input_state state, unsigned char second)
{
    input->state = state;
    input->sequence_bytes = 0;
    keep_byte(input, ESC);
    if (second != 0) {
        keep_byte(input, second);
    }
}

/* The sequence is whole. */
static enum tui_input_kind end_escape(struct tui_input *input)
{
    input->state = TUI_INPUT_GROUND;
    return give_key(input, input->meta ? TUI_KEY_NONE : key_of(input));
}

static enum tui_input_kind drop_sequence(struct tui_input *input)
{
    input->state = TUI_INPUT_GROUND;
    return TUI_INPUT_NOTHING;
}

/* A line has no lines: what parts words is a blank, at the ends it is nothing. */
static enum tui_input_kind paste_character(struct tui_input *input, uint32_t character)
{
    if (character == '\n' || character == '\r' || character == '\t') {
        input->blank = input->paste_bytes > 0;
    }
    if (character < 0x20 || character == DEL) {
        return TUI_INPUT_NOTHING;
    }
    if (input->paste_bytes + 1 + TUI_UTF8_BYTES < sizeof input->paste) {
        if (input->blank) {
            input->paste[input->paste_bytes++] = ' ';
        }
        input->paste_bytes += tui_utf8_put(input->paste + input->paste_bytes, character);
    }
    input->blank = false;
    return TUI_INPUT_NOTHING;
}

static enum tui_input_kind end_paste(struct tui_input *input)
{
    input->pasting = input->blank = false;
    input->paste[input->paste_bytes] = '\0';
    return input->paste_bytes > 0 ? TUI_INPUT_PASTE : TUI_INPUT_NOTHING;
}

/* The second byte of a sequence, in its form of seven bits. */
static enum tui_input_kind begin_sequence(struct tui_input *input, unsigned char second)
{
    switch (second) {
    case '[':
        begin_escape(input, TUI_INPUT_CSI, second);
        break;
    case 'N': /* SS2: the terminal's own, as SS3, but no key of ours comes so */
    case 'O':
        begin_escape(input, TUI_INPUT_SS3, second);
        break;
    case ']':
    case 'P':
    case 'X':
    case '^':
    case '_':
        begin_escape(input, TUI_INPUT_STRING, second);
        input->osc = second == ']';
        input->last = 0;
        break;
    default:
        return drop_sequence(input);
    }
    return TUI_INPUT_NOTHING;
}

static enum tui_input_kind take_character(struct tui_input *input, uint32_t character)
{
    bool meta = input->character_meta;

    input->character_meta = false;
    if (input->pasting && character >= C1 && character < C1_END && character - 0x40 != '[') {
        return TUI_INPUT_NOTHING;
    }
    if (character >= C1 && character < C1_END) {
        input->meta = meta;
        return begin_sequence(input, (unsigned char)(character - 0x40));
    }
    if (input->pasting) {
        return paste_character(input, character);
    }
    return meta ? TUI_INPUT_NOTHING : give_key(input, (int)character);
}

/* The first byte of a character of UTF-8; one that cannot be is dropped. */
static void begin_character(struct tui_input *input, unsigned char byte)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    int rest = byte >= 0xc2 && byte < 0xe0   ? 1
               : byte >= 0xe0 && byte < 0xf0 ? 2
               : byte >= 0xf0 && byte < 0xf5 ? 3
                                             : 0;

    input->character_rest = rest;
    input->character_least = least[rest];
    input->character = byte & (0x3fU >> rest);
}

static enum tui_input_kind take_rest(struct tui_input *input, unsigned char byte)
{
    input->character = input->character << 6 | (byte & 0x3fU);
    if (--input->character_rest > 0) {
        return TUI_INPUT_NOTHING;
    }
    if (input->character < input->character_least || input->character > 0x10ffff ||
        (input->character >= 0xd800 && input->character <= 0xdfff)) {
        input->character_meta = false;
        return TUI_INPUT_NOTHING;
    }
    return take_character(input, input->character);
}

static enum tui_input_kind take_high_byte(struct tui_input *input, unsigned char byte)
{
    if (input->decode != NULL) {
        int character = input->decode(byte);
        input->character_rest = character == TUI_INPUT_MORE; /* so that one that never ends is forgotten */
        if (character >= 0) {
            return take_character(input, (uint32_t)character);
        }
        if (character == TUI_INPUT_BAD) {
            input->character_meta = false;
        }
        return TUI_INPUT_NOTHING;
    }
    if (input->character_rest > 0 && (byte & 0xc0) == 0x80) {
        return take_rest(input, byte);
    }
    begin_character(input, byte);
    return TUI_INPUT_NOTHING;
}

static enum tui_input_kind in_ground(struct tui_input *input, unsigned char byte)
{
    char alone[2] = {(char)byte, '\0'};

    if (byte >= 0x80 || (input->decode != NULL && input->character_rest > 0)) {
        return take_high_byte(input, byte);
    }
    input->character_rest = 0; /* a broken one; this byte is none of it */
    input->character_meta = false;
    if (byte == ESC) {
        input->meta = false;
        begin_escape(input, TUI_INPUT_ESCAPE, 0);
        return TUI_INPUT_NOTHING;
    }
    if (input->pasting) {
        return paste_character(input, byte);
    }
    for (size_t i = 0; i < input->own_keys && byte < 0x20; i++) {
        if (strcmp(input->own[i].sequence, alone) == 0) {
            return give_key(input, input->own[i].key);
        }
    }
    if (byte == '\n') {
        return give_key(input, TUI_KEY_ENTER);
    }
    return give_key(input, byte == '\b' ? TUI_KEY_BACKSPACE : byte);
}

static enum tui_input_kind in_escape(struct tui_input *input, unsigned char byte)
{
    if (byte == ESC) { /* some terminals put it before the sequence of a key that Alt was held with */
        input->meta = true;
        return TUI_INPUT_NOTHING;
    }
    if (input->pasting && byte != '[') {
        input->state = TUI_INPUT_GROUND;
        return in_ground(input, byte);
    }
    if (strchr("[NO]PX^_", byte) != NULL && byte != 0) {
        return begin_sequence(input, byte);
    }
    if (byte >= 0x20 && byte < 0x30) {
        input->state = TUI_INPUT_INTERMEDIATE;
        return TUI_INPUT_NOTHING;
    }
    if (byte >= 0x80) { /* Alt and a character */
        input->state = TUI_INPUT_GROUND;
        input->character_meta = true;
        return take_high_byte(input, byte);
    }
    keep_byte(input, byte);
    return end_escape(input);
}

/* A report of the mouse begins with what no key does. */
static bool takes_mouse(struct tui_input *input)
{
    return input->takes_mouse && !input->meta && tui_mouse_read(&input->mouse, input->sequence);
}

/* Old mouse reports go on behind their end; learned sequences have been looked for before. */
static enum tui_input_kind end_of_csi(struct tui_input *input, unsigned char byte)
{
    static const struct {
        char final;
        int more;
    } reports[] = {{'M', 3}, {'t', 2}, {'T', 6}};

    if (input->pasting) {
        input->state = TUI_INPUT_GROUND;
        return strcmp(input->sequence, paste_ends) == 0 ? end_paste(input) : TUI_INPUT_NOTHING;
    }
    if (strcmp(input->sequence, paste_begins) == 0) {
        input->pasting = true;
        input->paste_bytes = 0;
        return drop_sequence(input);
    }
    if (takes_mouse(input)) {
        input->state = TUI_INPUT_GROUND;
        return TUI_INPUT_MOUSE;
    }
    if (byte == '[' && input->sequence_bytes == 3) { /* a function key of the Linux console: one byte more */
        input->state = TUI_INPUT_SS3;
        return TUI_INPUT_NOTHING;
    }
    for (size_t i = 0; i < sizeof reports / sizeof reports[0]; i++) {
        if (reports[i].final != byte || input->sequence_bytes != 3 || key_of(input) != TUI_KEY_NONE) {
            continue;
        }
        input->state = TUI_INPUT_COUNTED;
        input->counted = reports[i].more;
        return TUI_INPUT_NOTHING;
    }
    return end_escape(input);
}

/* CSI and SS3: parameters, then one final byte. Control characters in between are dropped. */
static enum tui_input_kind in_sequence(struct tui_input *input, unsigned char byte)
{
    if (byte == ESC) {
        begin_escape(input, TUI_INPUT_ESCAPE, 0);
        return TUI_INPUT_NOTHING;
    }
    if (byte == CAN || byte == SUB || byte >= 0x80) {
        return drop_sequence(input);
    }
    if (byte < 0x20 || byte == DEL) {
        return TUI_INPUT_NOTHING;
    }
    keep_byte(input, byte);
    if (byte < 0x40) {
        return TUI_INPUT_NOTHING;
    }
    return input->state == TUI_INPUT_CSI ? end_of_csi(input, byte) : end_escape(input);
}

static enum tui_input_kind in_string(struct tui_input *input, unsigned char byte)
{
    unsigned char last = input->last;

    input->last = byte;
    if (last == ESC && byte != '\\') { /* it is cut off by another sequence */
        begin_escape(input, TUI_INPUT_ESCAPE, 0);
        return in_escape(input, byte);
    }
    if (last == ESC || byte == CAN || byte == SUB || (byte == BEL && input->osc) ||
        (byte == 0x9c && (input->decode != NULL || last == 0xc2))) {
        return drop_sequence(input);
    }
    return TUI_INPUT_NOTHING;
}

enum tui_input_kind tui_input_byte(struct tui_input *input, unsigned char byte, int64_t now_ms)
{
    input->since_ms = now_ms;
    switch (input->state) {
    case TUI_INPUT_GROUND:
        return in_ground(input, byte);
    case TUI_INPUT_ESCAPE:
        return in_escape(input, byte);
    case TUI_INPUT_INTERMEDIATE:
        return byte >= 0x20 && byte < 0x30 ? TUI_INPUT_NOTHING : drop_sequence(input);
    case TUI_INPUT_CSI:
    case TUI_INPUT_SS3:
        return in_sequence(input, byte);
    case TUI_INPUT_STRING:
        return in_string(input, byte);
    case TUI_INPUT_COUNTED:
        return --input->counted > 0 ? TUI_INPUT_NOTHING : drop_sequence(input);
    }
    return TUI_INPUT_NOTHING;
}

/* Whether somebody may have pressed Esc: it is the last byte that came. */
static bool at_escape(const struct tui_input *input)
{
    return input->state == TUI_INPUT_ESCAPE || input->state == TUI_INPUT_INTERMEDIATE ||
           (input->state == TUI_INPUT_STRING && input->last == ESC);
}

int tui_input_patience_ms(const struct tui_input *input, int64_t now_ms)
{
    /* ESC in a paste is the beginning of its end, and a slow line is likelier than a key */
    int64_t limit = at_escape(input) && !input->pasting ? TUI_INPUT_ESC_MS : TUI_INPUT_REST_MS;
    int64_t left = input->since_ms + limit - now_ms;

    if (input->state == TUI_INPUT_GROUND && input->character_rest == 0) {
        return -1;
    }
    return left > 0 ? (int)left : 0;
}

enum tui_input_kind tui_input_wait(struct tui_input *input, int64_t now_ms)
{
    enum tui_input_state state = input->state;

    if (tui_input_patience_ms(input, now_ms) != 0) {
        return TUI_INPUT_NOTHING;
    }
    input->state = TUI_INPUT_GROUND;
    input->character_rest = 0;
    input->character_meta = false;
    if (state != TUI_INPUT_ESCAPE) {
        return TUI_INPUT_NOTHING;
    }
    if (!input->pasting) {
        return give_key(input, TUI_KEY_ESC);
    }
    input->pasting = false; /* somebody gives it up */
    return TUI_INPUT_NOTHING;
}

bool tui_input_drop(struct tui_input *input)
{
    bool under_way = input->state != TUI_INPUT_GROUND || input->character_rest > 0 || input->pasting;

    input->state = TUI_INPUT_GROUND;
    input->character_rest = 0;
    input->character_meta = input->pasting = false;
    return under_way;
}
