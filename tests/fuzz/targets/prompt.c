/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Bytes from a terminal, to keys, to the line of the ':' prompt, and onto a small screen. The line stays text
 * of a line's length, and what is drawn stays within its cells.
 */
#include <locale.h>
#include <string.h>

#include "../lib/fuzzer.h"
#include "tui/actions/actions.h"
#include "tui/screen/input.h"
#include "tui/screen/keys.h"
#include "tui/screen/prompt.h"

enum { COLS = 40, ROWS = 3 };

static struct tui_canvas canvas;

static void look(void)
{
    char row[COLS * 4 + 1];
    MUST(strlen(tui_prompt_text()) < TUI_PROMPT_BYTES);
    tui_canvas_clear(&canvas);
    tui_prompt_draw(&canvas, 0, 1, COLS, TUI_STRONG, ":");
    tui_text(&canvas, 0, 2, COLS, TUI_DIM, tui_prompt_candidates());
    tui_canvas_row_text(&canvas, 1, row, sizeof row);
    MUST(is_terminal_safe(row));
    tui_canvas_row_text(&canvas, 2, row, sizeof row);
    MUST(is_terminal_safe(row));
    MUST(canvas.cursor_y == 1 && canvas.cursor_x >= 0 && canvas.cursor_x < COLS);
}

/* false: the line has ended. */
static bool take(const struct tui_input *input, enum tui_input_kind kind)
{
    char name[TUI_KEY_NAME_BYTES];
    if (kind == TUI_INPUT_MOUSE) {
        MUST(input->mouse.kind < TUI_MOUSE_KINDS && input->mouse.x >= 0 && input->mouse.x < TUI_SIDE_MAX);
        MUST(input->mouse.y >= 0 && input->mouse.y < TUI_SIDE_MAX);
    } else if (kind == TUI_INPUT_PASTE) {
        MUST(strlen(input->paste) < TUI_PASTE_BYTES && is_terminal_safe(input->paste));
        tui_prompt_paste(input->paste);
    } else if (kind == TUI_INPUT_KEY) {
        MUST(input->key > 0 && strlen(tui_key_name(name, input->key)) < sizeof name);
        return tui_prompt_key(input->key) == TUI_PROMPT_EDITING;
    }
    return true;
}

void fuzz_one(const uint8_t *data, size_t n_bytes)
{
    static bool ready;
    struct tui_input input;
    int64_t now = 0;
    scratch_begin();
    if (!ready) {
        ready = setlocale(LC_CTYPE, "C.UTF-8") != NULL && tui_prompt_init(false, NULL) == 0 &&
                tui_canvas_resize(&canvas, COLS, ROWS) == 0;
        MUST(ready);
    }
    tui_input_init(&input, NULL);
    input.takes_mouse = true;
    tui_prompt_begin("", tui_command_name, tui_command_file);
    tui_prompt_offer(tui_command_word);
    for (size_t n = 0; n < n_bytes && n < 4096; n++) {
        bool goes_on = take(&input, tui_input_byte(&input, data[n], now));
        now += data[n] == 0 ? 2000 : 1;
        goes_on = take(&input, tui_input_wait(&input, now)) && goes_on;
        if (!goes_on) {
            look();
            tui_prompt_begin(n % 2 == 0 ? "" : "rebase /", n % 3 == 0 ? NULL : tui_command_name,
                             n % 3 == 0 ? tui_prompt_whole : tui_command_file);
            tui_prompt_offer(n % 3 == 0 ? NULL : tui_command_word);
        }
        if (n % 16 == 0) {
            look();
        }
    }
    look();
    tui_prompt_stop();
    scratch_check_outside();
}
