/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Bytes from a terminal become keys and pasted text here, and nowhere else. What a terminal sends is not only
 * what somebody types: answers to questions, mouse reports, focus reports and keys that we have no name for
 * come the same way. Such a sequence is taken as a whole and dropped as a whole, for its tail read as keys
 * would be obeyed.
 *
 * Nothing here knows a terminal, a clock or the locale: bytes, times and characters come in, events come out.
 */
#ifndef COW_TUI_SCREEN_INPUT_H
#define COW_TUI_SCREEN_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tui/screen/mouse.h"

enum {
    TUI_INPUT_SEQUENCE_BYTES = 32, /* a longer one is none of ours */
    TUI_INPUT_OWN_KEYS = 24,
    TUI_PASTE_BYTES = 4352, /* as long as a line of the prompt; what is more is dropped */

    TUI_INPUT_ESC_MS = 50,    /* an ESC that is followed by nothing for so long is the key */
    TUI_INPUT_REST_MS = 1000, /* any other sequence whose rest does not come for so long is dropped */
};

enum tui_input_kind {
    TUI_INPUT_NOTHING, /* more bytes are needed, or what came means nothing */
    TUI_INPUT_KEY,     /* input->key */
    TUI_INPUT_PASTE,   /* input->paste: a whole pasted text */
    TUI_INPUT_MOUSE,   /* input->mouse */
};

enum tui_input_state {
    TUI_INPUT_GROUND,
    TUI_INPUT_ESCAPE,       /* behind ESC */
    TUI_INPUT_INTERMEDIATE, /* behind ESC and 0x20 to 0x2f */
    TUI_INPUT_CSI,
    TUI_INPUT_SS3,
    TUI_INPUT_STRING, /* OSC, DCS, APC, PM, SOS: until ST or BEL */
    TUI_INPUT_COUNTED /* so many bytes more, whatever they are */
};

/* What makes a character of bytes in a locale without UTF-8. Returns the code point, TUI_INPUT_MORE if the
 * bytes so far are the beginning of one, or TUI_INPUT_BAD. Keeps what it needs between calls. */
enum { TUI_INPUT_MORE = -1, TUI_INPUT_BAD = -2 };
typedef int tui_input_decode(unsigned char byte);

struct tui_input {
    enum tui_input_state state;
    bool meta; /* there was an ESC before the sequence, or two: nothing that we have a name for */
    bool osc;  /* the string may end with BEL */
    bool pasting;
    int counted;
    char sequence[TUI_INPUT_SEQUENCE_BYTES +
                  1]; /* as it came; cut, so that it equals none of ours, if too long */
    size_t sequence_bytes;
    unsigned char last; /* byte of a string */
    int64_t since_ms;   /* when the last byte came */

    tui_input_decode *decode; /* NULL: UTF-8 */
    uint32_t character;
    int character_rest; /* continuation bytes that are to come */
    uint32_t character_least;
    bool character_meta;

    struct {
        char sequence[TUI_INPUT_SEQUENCE_BYTES];
        int key;
    } own[TUI_INPUT_OWN_KEYS]; /* what the terminal's description says */
    size_t own_keys;

    bool takes_mouse; /* it was asked for; else its reports are dropped as any other sequence */
    struct tui_mouse mouse;
    int key;
    char paste[TUI_PASTE_BYTES];
    size_t paste_bytes;
    bool blank; /* the paste has a control character that may become a blank */
};

/* decode: NULL for UTF-8. */
void tui_input_init(struct tui_input *input, tui_input_decode *decode);

/* Teaches a sequence of this terminal. What does not fit is left out: NULL, empty, too long, one too many. */
void tui_input_learn(struct tui_input *input, const char *sequence, int key);

/* Takes one byte that came at a time in ms (of any clock that goes forward). */
enum tui_input_kind tui_input_byte(struct tui_input *input, unsigned char byte, int64_t now_ms);

/* Time passes and no byte came. */
enum tui_input_kind tui_input_wait(struct tui_input *input, int64_t now_ms);

/* How long a wait may be before tui_input_wait() has something to do; -1: for ever. */
int tui_input_patience_ms(const struct tui_input *input, int64_t now_ms);

/* Forgets a sequence or a paste that is under way. Returns whether there was one. */
bool tui_input_drop(struct tui_input *input);

#endif
