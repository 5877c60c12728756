/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See recover_choice.h. Whether a way is open, and what it costs, is asked of the core's builder.
 */
#include "tui/change/recover_choice.h"

#include <inttypes.h>
#include <stdio.h>

#include "tui/change/change.h"

enum { FORWARD, BACK };

static const enum cow_recover_way ways[BESIDE_WAYS] = {
    [FORWARD] = COW_RECOVER_FORWARD, [BACK] = COW_RECOVER_BACK};

/* What one way does and costs. Returns whether it is open. */
static bool ask_way(struct recover_choice *choice, struct tui_app *app, int i)
{
    struct cow_plan *plan = NULL;
    size_t n_steps;

    if (cow_plan_recover_way(&plan, app->subject.image, ways[i], NULL) != 0) {
        return false;
    }
    const struct cow_step *step = cow_plan_steps(plan, &n_steps);
    choice->moves_bytes[i] = cow_plan_preview(plan)->moves_bytes;
    snprintf(choice->does[i], sizeof choice->does[i], "%s", n_steps > 0 ? step[n_steps - 1].text : "");
    cow_plan_free(plan);
    return true;
}

bool recover_choice_ask(struct recover_choice *choice, struct tui_app *app, const struct cow_plan *plan)
{
    bool open[BESIDE_WAYS];

    for (int i = 0; i < BESIDE_WAYS; i++) {
        open[i] = ask_way(choice, app, i);
    }
    choice->chosen = choice->shorter = cow_plan_preview(plan)->method == COW_METHOD_BACK ? BACK : FORWARD;
    choice->asked = open[FORWARD] && open[BACK];
    return choice->asked;
}

enum cow_recover_way recover_choice_way(const struct recover_choice *choice)
{
    return ways[choice->chosen];
}

enum tui_result recover_choice_act(struct recover_choice *choice, enum tui_action_id action)
{
    enum tui_result result = beside_act(&choice->chosen, (const bool[BESIDE_WAYS]){true, true}, action);

    return result != TUI_IGNORED ? result : tui_page_act(&choice->page, action, choice->page_rows);
}

static void put_how_far(struct recover_choice *choice, struct tui_app *app)
{
    uint64_t all = choice->moves_bytes[FORWARD] + choice->moves_bytes[BACK];
    char done[COW_SIZE_TEXT_BYTES], total[COW_SIZE_TEXT_BYTES];
    struct tui_page *page = &choice->page;

    tui_page_line(page);
    tui_page_line(page);
    int col = tui_page_wrapf(page, 1, 1, TUI_STRONG, "%s: the moving of its data was interrupted half way.",
                             app->name);
    if (all > 0) {
        tui_page_wrapf(page, col + 1, 1, TUI_NORMAL, "%s of %s are done (%" PRIu64 "%%).",
                       cow_size_text(done, choice->moves_bytes[BACK]), cow_size_text(total, all),
                       choice->moves_bytes[BACK] * 100 / all);
    }
    change_put_holder(app, page);
    tui_page_line(page);
    tui_page_line(page);
    tui_page_put(page, 1, TUI_NORMAL, "Both ways are open. Which shall it be?");
    tui_page_line(page);
}

void recover_choice_draw(struct recover_choice *choice, struct tui_app *app, struct tui_canvas *canvas,
                         struct tui_rect area)
{
    static const char *const labels[] = {"does", "moves", "time", NULL};
    static const char *const names[BESIDE_WAYS] = {[FORWARD] = "forward", [BACK] = "back"};
    char moves[BESIDE_WAYS][COW_SIZE_TEXT_BYTES], time[BESIDE_WAYS][COW_DURATION_TEXT_BYTES];
    bool by_filesystem = choice->moves_bytes[FORWARD] + choice->moves_bytes[BACK] == 0;
    struct beside_way way[BESIDE_WAYS];
    struct tui_rect inside = tui_frame(canvas, area, "Recover \u2500 1 of 2: which way");

    for (int i = 0; i < BESIDE_WAYS; i++) {
        cow_size_text(moves[i], choice->moves_bytes[i]);
        cow_duration_text(time[i], choice->moves_bytes[i]);
        way[i] = (struct beside_way){
            .name = names[i],
            .possible = true,
            .recommended = i == choice->shorter,
            .obstacle = "",
            .text = {choice->does[i], by_filesystem ? "nothing: the filesystem does" : moves[i],
                     choice->moves_bytes[i] == 0 ? "milliseconds" : time[i]},
        };
    }
    tui_page_begin(&choice->page, inside.cols - 1);
    choice->page_rows = inside.rows;
    put_how_far(choice, app);
    beside_put(&choice->page, labels, way, choice->chosen);
    tui_page_draw(&choice->page, canvas, inside, area.x + area.cols - 1);
}
