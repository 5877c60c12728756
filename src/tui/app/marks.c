/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Marks: a letter stands for a byte of the disk, whatever view set it. Both keys of a mark are heard by the
 * loop: the first one says what for, and the next one, whatever it is, is the letter or gives it up.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/app/app.h"
#include "tui/screen/keys.h"

/* The letters that are set, for a question: "a c x". */
static void list_marks(const struct tui_marks *marks, char out[2 * TUI_MARKS + 1])
{
    size_t n = 0;

    for (int i = 0; i < TUI_MARKS; i++) {
        if (marks->set[i]) {
            out[n++] = ' ';
            out[n++] = (char)('a' + i);
        }
    }
    out[n] = '\0';
}

enum tui_result tui_app_do_letter(struct tui_app *app, int awaits, const char *argument)
{
    char letters[2 * TUI_MARKS + 1];

    (void)argument;
    list_marks(&app->marks, letters);
    if (tui_app_sectors(app) == 0) {
        return TUI_NOTHING;
    }
    if (awaits == TUI_LETTER_GOES && letters[0] == '\0') {
        tui_app_say(app, TUI_DIM, "there are no marks yet: m and a letter sets one");
        return TUI_REDRAW;
    }
    app->marks.awaits = (enum tui_letter)awaits;
    if (awaits == TUI_LETTER_SETS) {
        tui_app_say(app, TUI_NORMAL, "mark this byte by which letter, a to z?");
    } else {
        tui_app_say(app, TUI_NORMAL, "to which mark?%s", letters);
    }
    return TUI_REDRAW;
}

void tui_app_take_letter(struct tui_app *app, int key)
{
    struct tui_marks *marks = &app->marks;
    bool goes = marks->awaits == TUI_LETTER_GOES;
    char name[TUI_KEY_NAME_BYTES], at[COW_SIZE_TEXT_BYTES];
    int letter = key - 'a';

    marks->awaits = TUI_LETTER_NONE;
    if (letter < 0 || letter >= TUI_MARKS) {
        tui_app_say(app, TUI_DIM, key == TUI_KEY_ESC ? "no mark" : "a mark is a letter, a to z, not %s",
                    tui_key_name(name, key));
        return;
    }
    if (goes && !marks->set[letter]) {
        tui_app_say(app, TUI_WARN, "there is no mark %c", key);
        return;
    }
    if (goes) {
        if (marks->byte[letter] >= cow_image_header(app->subject.image)->size_bytes) {
            tui_app_say(app, TUI_WARN, "mark %c is past the end of the disk; this is its last sector", key);
        }
        tui_app_select_byte(app, marks->byte[letter]);
        return;
    }
    marks->set[letter] = true;
    marks->byte[letter] = tui_app_byte(app);
    tui_app_say(app, TUI_DIM, "mark %c is byte %" PRIu64 " (%s): '%c goes there", key, marks->byte[letter],
                cow_size_text(at, marks->byte[letter]), key);
}
