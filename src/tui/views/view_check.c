/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Check: the findings, one of them selected, the worst sign of each beside its name; and a page that explains
 * one. Fixes are staged here, and written as one plan by the pages of a change: mending three things rewrites
 * an image once. The selection is kept by the finding's code, for the list is made anew whenever the check
 * is.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "tui/app/app.h"
#include "tui/change/change.h"

enum { STAGED_COL = 3, SEVERITY_COL = 7, CODE_COL = 18, FIX_COL = 42, TEXT_COL = 7, LABEL_COL = 1 };

struct check_view {
    struct tui_page page;
    int rows;
    enum cow_finding_code code;        /* the selected finding's: what is found anew keeps the selection */
    enum cow_finding_code code_before; /* where a search began */
    bool reveal;
    size_t shown; /* findings, as drawn last */
    struct {      /* and where: in the page, from line on */
        int line;
        enum cow_finding_code code;
    } at[COW_FINDINGS];
    struct tui_rect list; /* the page on the canvas */
};

struct finding_view {
    struct tui_page page;
    int rows;
    enum cow_finding_code code;
};

static const struct {
    uint32_t glyph;
    enum tui_style style;
} severities[] = {
    [COW_SEVERITY_NOTE] = {'i', TUI_GOOD},
    [COW_SEVERITY_WARNING] = {'!', TUI_WARN},
    [COW_SEVERITY_ERROR] = {0x00d7, TUI_BAD},
    [COW_SEVERITY_CORRUPT] = {0x2588, TUI_BAD},
};

/* The finding of that code; NULL if there is none. */
static const struct cow_finding *finding_of(const struct tui_app *app, enum cow_finding_code code)
{
    const struct tui_check *check = &app->check;

    for (size_t i = 0; check->known && i < check->result.findings; i++) {
        if (check->result.finding[i].code == code) {
            return &check->result.finding[i];
        }
    }
    return NULL;
}

static int check_open(struct tui_app *app, void **state, const void *argument, struct cow_error *err)
{
    struct check_view *view = calloc(1, sizeof *view);

    (void)app;
    (void)argument;
    if (view == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    *state = view;
    return 0;
}

static void check_close(struct tui_app *app, void *state)
{
    struct check_view *view = state;

    (void)app;
    tui_page_free(&view->page);
    free(view);
}

/* The right file is not known here: whoever looks may know it. */
static bool wants_a_name(const struct tui_app *app, const struct cow_finding *finding)
{
    return cow_finding_fix(finding->code) == COW_FIX_REBASE && !finding->fixable && !app->holder.held &&
           !app->pending; /* a change that was interrupted goes first */
}

/* What the selected finding allows. */
static tui_contexts finding_contexts(const struct tui_app *app, const struct cow_finding *finding)
{
    return (finding != NULL && (finding->fixable || wants_a_name(app, finding)) ? TUI_IN_FIXABLE : 0U) |
           (finding != NULL && finding->sectors > 0 ? TUI_IN_PLACE : 0U) |
           (tui_check_staged(&app->check) > 0 ? TUI_IN_STAGED : 0U);
}

static tui_contexts check_contexts(struct tui_app *app, void *state)
{
    const struct check_view *view = state;

    return TUI_IN_CHECK | finding_contexts(app, finding_of(app, view->code));
}

static void put_severity(struct tui_page *page, enum cow_finding_code code, int col, enum tui_style style)
{
    enum cow_severity severity = cow_finding_severity(code);

    tui_page_put_char(page, col, style, severities[severity].glyph);
    tui_page_put(page, col + 2, style, cow_severity_name(severity));
}

/* "there is /d/root_fs.img: same name, size and date" */
static void put_candidate(struct tui_page *page, int col, const char *before,
                          const struct cow_candidate *candidate)
{
    char path[4 * COW_PATH_BYTES + 16], fits[128];

    tui_page_wrapf(page, col, col, TUI_NORMAL, "%s%s: %s", before,
                   cow_escape(path, sizeof path, candidate->path),
                   cow_candidate_text(fits, sizeof fits, candidate));
}

/* "> [x] ! warning  mixed-pages", and the message below it. */
static void put_finding(const struct tui_app *app, struct tui_page *page, const struct cow_finding *finding,
                        bool selected)
{
    bool staged = app->check.staged[finding->code];
    enum tui_style severity = severities[cow_finding_severity(finding->code)].style;

    tui_page_line(page);
    for (int x = 1; selected && x < page->cols; x++) {
        tui_page_put_char(page, x, TUI_SELECTED, ' ');
    }
    if (selected) {
        tui_page_put_char(page, 1, TUI_SELECTED, 0x25b8);
    }
    if (finding->fixable) {
        tui_page_put(page, STAGED_COL,
                     selected ? TUI_SELECTED
                     : staged ? TUI_WARN
                              : TUI_DIM,
                     staged ? "[x]" : "[ ]");
    }
    put_severity(page, finding->code, SEVERITY_COL, selected ? TUI_SELECTED : severity);
    tui_page_put(page, CODE_COL, selected ? TUI_SELECTED : TUI_STRONG, cow_finding_name(finding->code));
    if (staged) {
        tui_page_put(page, FIX_COL, selected ? TUI_SELECTED : TUI_WARN, "its fix is staged");
    }
    tui_page_line(page);
    tui_page_wrap(page, TEXT_COL, TEXT_COL, TUI_NORMAL, finding->message);
    if (cow_finding_has_candidates(finding->code) && app->check.result.candidates > 0) {
        tui_page_line(page);
        put_candidate(page, TEXT_COL, "there is ", &app->check.result.candidate[0]);
    }
}

/* What stands above the findings: how far the check is. */
static void put_check_state(const struct tui_app *app, struct tui_page *page)
{
    const struct tui_check *check = &app->check;
    bool current = tui_job_is_current(&check->job), running = check->job.state == TUI_JOB_RUNNING;

    tui_page_line(page);
    if (!current || (running && !check->known)) {
        tui_page_put(page, LABEL_COL, TUI_DIM, "looking...");
    } else if (running) {
        tui_page_putf(page, LABEL_COL, TUI_STRONG,
                      "headers and bits are done; comparing the bytes: %d%% (s stops that)",
                      tui_job_percent(&check->job));
    } else if (!check->known) {
        tui_page_put(page, LABEL_COL, TUI_BAD, "it could not be checked:");
    } else if (check->job.state == TUI_JOB_STOPPED) {
        tui_page_put(page, LABEL_COL, TUI_WARN, "stopped: the bytes were not compared; s checks anew");
    } else if (!check->result.scanned) {
        tui_page_put(page, LABEL_COL, TUI_WARN, "headers and bits only; the bytes could not be compared");
    } else if (check->result.findings > 0) {
        tui_page_put(page, LABEL_COL, TUI_DIM, "headers, bits and bytes were looked at");
    }
    if (!check->known && !running && current) {
        tui_page_line(page);
        tui_page_wrap(page, LABEL_COL + 2, LABEL_COL + 2, TUI_NORMAL, check->job.error.message);
        if (check->job.error.hint[0] != '\0') {
            tui_page_line(page);
        }
        tui_page_wrap(page, LABEL_COL + 2, LABEL_COL + 2, TUI_NORMAL, check->job.error.hint);
    }
}

static void fill_check(const struct tui_app *app, struct check_view *view)
{
    const struct tui_check *check = &app->check;
    struct tui_page *page = &view->page;
    bool current = check->known && tui_job_is_current(&check->job);

    view->shown = 0;
    put_check_state(app, page);
    if (current && check->result.findings == 0 && check->job.state != TUI_JOB_RUNNING &&
        check->job.state != TUI_JOB_STOPPED) {
        tui_page_line(page);
        tui_page_put(page, LABEL_COL, TUI_GOOD, "nothing is wrong");
    }
    if (!current) {
        return;
    }
    if (finding_of(app, view->code) == NULL && check->result.findings > 0) {
        view->code = check->result.finding[0].code;
    }
    for (size_t i = 0; i < check->result.findings; i++) {
        const struct cow_finding *finding = &check->result.finding[i];
        bool selected = finding->code == view->code;
        int first = page->lines;
        tui_page_line(page);
        view->at[view->shown].line = page->lines;
        view->at[view->shown++].code = finding->code;
        put_finding(app, page, finding, selected);
        if (selected && view->reveal) {
            tui_page_reveal(page, i == 0 ? 0 : first, page->lines - 1, view->rows);
        }
    }
    view->reveal = false;
}

/* "Check - 3 findings, 1 fix staged" */
static void check_title(const struct tui_app *app, char *out, size_t out_bytes)
{
    size_t findings = app->check.result.findings, staged = tui_check_staged(&app->check);

    if (!app->check.known || !tui_job_is_current(&app->check.job)) {
        snprintf(out, out_bytes, "Check");
    } else if (staged > 0) {
        snprintf(out, out_bytes, "Check \u2500 %zu finding%s, %zu fix%s staged", findings,
                 findings == 1 ? "" : "s", staged, staged == 1 ? "" : "es");
    } else {
        snprintf(out, out_bytes, "Check \u2500 %zu finding%s", findings, findings == 1 ? "" : "s");
    }
}

static void check_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    struct check_view *view = state;
    char title[96];

    check_title(app, title, sizeof title);
    struct tui_rect inside = tui_frame(canvas, area, title);
    view->rows = inside.rows;
    tui_page_begin(&view->page, inside.cols - 1);
    fill_check(app, view);
    view->list = inside;
    tui_page_draw(&view->page, canvas, inside, area.x + area.cols - 1);
}

static bool check_click(struct tui_app *app, void *state, int x, int y)
{
    struct check_view *view = state;
    int line = view->page.top + y - view->list.y;
    size_t i = view->shown;

    (void)app;
    while (i > 0 && line < view->at[i - 1].line) {
        i--;
    }
    if (i == 0 || !tui_rect_holds(view->list, x, y) || line >= view->page.lines) {
        return false;
    }
    view->code = view->at[i - 1].code;
    return true;
}

static enum tui_result select_by(const struct tui_app *app, struct check_view *view, int step)
{
    const struct cow_check *result = &app->check.result;

    for (size_t i = 0; app->check.known && i < result->findings; i++) {
        if (result->finding[i].code != view->code) {
            continue;
        }
        if ((step < 0 && i == 0) || (step > 0 && i + 1 == result->findings)) {
            return tui_page_scroll(&view->page, step, view->rows) ? TUI_REDRAW : TUI_NOTHING;
        }
        view->code = result->finding[step < 0 ? i - 1 : i + 1].code;
        view->reveal = true;
        return TUI_REDRAW;
    }
    return TUI_NOTHING;
}

/* The first finding, or the last, as well as that end of the page. */
static enum tui_result select_end(const struct tui_app *app, struct check_view *view,
                                  enum tui_action_id action)
{
    const struct cow_check *result = &app->check.result;

    tui_page_act(&view->page, action, view->rows);
    if (app->check.known && result->findings > 0) {
        view->code = result->finding[action == TUI_DO_FIRST ? 0 : result->findings - 1].code;
    }
    return TUI_REDRAW;
}

static void answer_backing(struct tui_app *app, const char *path)
{
    const struct tui_change_request request = {.own = TUI_CHANGE_REBASE, .argument = path};

    if (*path != '\0') {
        tui_app_push(app, &tui_view_change, &request);
    }
}

static void stage_fix(struct tui_app *app, const struct cow_finding *finding)
{
    if (finding == NULL) {
        return;
    }
    app->redraw = true;
    if (!finding->fixable && app->holder.held) {
        tui_app_say(app, TUI_WARN, "nothing is mended as long as the image is in use");
    } else if (wants_a_name(app, finding)) {
        tui_app_ask_file(app, "backing file: ", "", answer_backing);
    } else if (!finding->fixable) {
        tui_app_say(app, TUI_WARN, "nothing that this program does mends it here; Enter tells more");
    } else {
        app->check.staged[finding->code] = !app->check.staged[finding->code];
    }
}

/* Goes to where a finding is, to come back with q. */
static void go_to_finding(struct tui_app *app, const struct cow_finding *finding, enum tui_tab tab)
{
    if (finding == NULL || finding->sectors == 0) {
        tui_app_say(app, TUI_WARN, "this finding has no place on the disk");
        return;
    }
    tui_app_select(app, finding->first_sector);
    tui_app_show_tab(app, tab, true);
}

/* What list and explanation have in common. */
static enum tui_result act_on(struct tui_app *app, const struct cow_finding *finding,
                              enum tui_action_id action)
{
    switch (action) {
    case TUI_DO_STAGE:
        stage_fix(app, finding);
        return TUI_REDRAW;
    case TUI_DO_PLACE:
        go_to_finding(app, finding, TUI_TAB_BLOCKS);
        return TUI_REDRAW;
    case TUI_DO_PLACE_MAP:
        go_to_finding(app, finding, TUI_TAB_MAP);
        return TUI_REDRAW;
    default:
        return TUI_IGNORED;
    }
}

static enum tui_result check_act(struct tui_app *app, void *state, enum tui_action_id action,
                                 const char *argument)
{
    struct check_view *view = state;
    const struct cow_finding *finding = finding_of(app, view->code);

    switch (action) {
    case TUI_DO_UP:
        return select_by(app, view, -1);
    case TUI_DO_DOWN:
        return select_by(app, view, 1);
    case TUI_DO_FIRST:
    case TUI_DO_LAST:
        return select_end(app, view, action);
    case TUI_DO_STAGE: /* not out of sight */
        view->reveal = true;
        break;
    case TUI_DO_ENTER:
        if (finding != NULL) {
            tui_app_push(app, &tui_view_finding, &view->code);
        }
        return TUI_REDRAW;
    case TUI_DO_SCAN:
        if (argument != NULL) { /* the command means the scan of the map */
            return TUI_IGNORED;
        }
        if (app->check.job.state == TUI_JOB_RUNNING) {
            tui_job_stop(&app->check.job);
        } else {
            tui_check_again(&app->check);
        }
        return TUI_REDRAW;
    default:
        break;
    }
    enum tui_result result = act_on(app, finding, action);
    return result == TUI_IGNORED ? tui_page_act(&view->page, action, view->rows) : result;
}

static int finding_open(struct tui_app *app, void **state, const void *argument, struct cow_error *err)
{
    struct finding_view *view = calloc(1, sizeof *view);

    (void)app;
    if (view == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    view->code = *(const enum cow_finding_code *)argument;
    *state = view;
    return 0;
}

static void finding_close(struct tui_app *app, void *state)
{
    struct finding_view *view = state;

    (void)app;
    tui_page_free(&view->page);
    free(view);
}

static tui_contexts finding_view_contexts(struct tui_app *app, void *state)
{
    const struct finding_view *view = state;

    return TUI_IN_FINDING | finding_contexts(app, finding_of(app, view->code));
}

static void put_finding_section(struct tui_page *page, const char *title, enum tui_style style,
                                const char *text)
{
    tui_page_line(page);
    tui_page_line(page);
    tui_page_put(page, LABEL_COL, TUI_HEADING, title);
    tui_page_line(page);
    tui_page_wrap(page, LABEL_COL + 2, LABEL_COL + 2, style, text);
}

/* Files that may be the backing file: the first is what f stages, where that is the finding's fix. */
static void put_check_candidates(const struct tui_app *app, struct tui_page *page,
                                 const struct cow_finding *finding)
{
    const struct cow_check *check = &app->check.result;

    bool is_fix = cow_finding_fix(finding->code) == COW_FIX_REBASE;

    if (!cow_finding_has_candidates(finding->code) || (!is_fix && check->candidates == 0)) {
        return;
    }
    put_finding_section(page, is_fix ? "Files that may be it" : "Files that fit better", TUI_NORMAL,
                        check->candidates == 0
                            ? "none beside the image, nor where its header looks: of the disk's "
                              "size, and of the same name, date or filesystem"
                            : "");
    for (size_t i = 0; i < check->candidates; i++) {
        if (i > 0) {
            tui_page_line(page);
        }
        put_candidate(page, LABEL_COL + 2, "", &check->candidate[i]);
    }
    if (check->candidates_cut) {
        tui_page_line(page);
        tui_page_wrap(page, LABEL_COL + 2, LABEL_COL + 2, TUI_DIM, "looked at: " COW_CANDIDATES_CUT);
    }
    tui_page_line(page);
    tui_page_wrap(page, LABEL_COL + 2, LABEL_COL + 2, TUI_NORMAL,
                  ":backing PATH looks through a file that you name, :rebase PATH stores its name in the "
                  "header, :rebase PATH restamp its date, too");
}

/* Naming a file of another date takes that over. */
static const char *fix_text(const struct tui_app *app, enum cow_fix fix)
{
    const struct cow_check *check = &app->check.result;

    if (fix == COW_FIX_REBASE && check->candidates == 0) {
        return "naming the right file, which f asks for: none that fits was found";
    }
    if (fix == COW_FIX_REBASE && !check->candidate[0].same_date) {
        return "name the first of these files as the backing file, and take over its date, if you know that "
               "its content is right";
    }
    return fix == COW_FIX_REBASE ? "name the first of these files as the backing file" : cow_fix_text(fix);
}

static void put_check_fix(const struct tui_app *app, struct tui_page *page, const struct cow_finding *finding)
{
    enum cow_fix fix = cow_finding_fix(finding->code);

    if (fix == COW_FIX_NONE) {
        put_finding_section(page, "What mends it", TUI_NORMAL, "nothing that this program does");
        return;
    }
    put_finding_section(page, "What mends it", TUI_NORMAL, fix_text(app, fix));
    if (fix == COW_FIX_REBASE && app->check.result.candidates == 0) {
        return;
    }
    tui_page_line(page);
    if (!finding->fixable) {
        tui_page_wrap(page, LABEL_COL + 2, LABEL_COL + 2, TUI_WARN,
                      app->holder.held ? "not as long as the image is in use" : "not possible here and now");
    } else if (app->check.staged[finding->code]) {
        tui_page_wrap(page, LABEL_COL + 2, LABEL_COL + 2, TUI_WARN,
                      "staged: W shows what writing it does; f takes it back");
    } else {
        tui_page_wrap(page, LABEL_COL + 2, LABEL_COL + 2, TUI_NORMAL, "f stages it; nothing is written yet");
    }
    tui_page_line(page);
    tui_page_wrap(page, LABEL_COL + 2, LABEL_COL + 2, TUI_NORMAL,
                  cow_finding_safe(finding->code)
                      ? "it is safe: check --repair makes it without being told to"
                      : "it is a decision: check --repair does not make it without being told to");
}

static void put_place(struct tui_app *app, struct tui_page *page, const struct cow_finding *finding)
{
    char at[COW_SIZE_TEXT_BYTES];

    if (finding->sectors == 0) {
        return;
    }
    cow_size_text(at, finding->first_sector * cow_image_header(app->subject.image)->sector_bytes);
    tui_page_line(page);
    tui_page_line(page);
    tui_page_put(page, LABEL_COL, TUI_HEADING, "Where");
    tui_page_line(page);
    tui_page_wrapf(page, LABEL_COL + 2, LABEL_COL + 2, TUI_NORMAL,
                   "sectors %" PRIu64 "-%" PRIu64 " @ %s: Enter or b shows them in Blocks, m on the Map",
                   finding->first_sector, finding->first_sector + finding->sectors - 1, at);
}

static void finding_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    struct finding_view *view = state;
    const struct cow_finding *finding = finding_of(app, view->code);
    struct tui_page *page = &view->page;
    struct tui_rect inside = tui_frame(canvas, area, cow_finding_name(view->code));

    view->rows = inside.rows;
    tui_page_begin(page, inside.cols - 1);
    tui_page_line(page);
    if (finding != NULL) {
        put_severity(page, view->code, LABEL_COL, severities[cow_finding_severity(view->code)].style);
        tui_page_line(page);
        tui_page_wrap(page, LABEL_COL + 2, LABEL_COL + 2, TUI_NORMAL, finding->message);
        put_finding_section(page, "What that means for a stock kernel", TUI_NORMAL,
                            cow_finding_meaning(view->code));
        if (cow_finding_fix(view->code) == COW_FIX_REBASE) {
            put_check_candidates(app, page, finding);
        }
        put_check_fix(app, page, finding);
        if (cow_finding_fix(view->code) != COW_FIX_REBASE) {
            put_check_candidates(app, page, finding);
        }
        put_place(app, page, finding);
    } else {
        tui_page_put(page, LABEL_COL, TUI_GOOD, "it is no longer there");
    }
    tui_page_draw(page, canvas, inside, area.x + area.cols - 1);
}

static enum tui_result finding_act(struct tui_app *app, void *state, enum tui_action_id action,
                                   const char *argument)
{
    struct finding_view *view = state;

    (void)argument;
    enum tui_result result = act_on(app, finding_of(app, view->code), action);
    return result == TUI_IGNORED ? tui_page_act(&view->page, action, view->rows) : result;
}

static const char *finding_text(void *list, size_t row, char out[TUI_ROW_TEXT_BYTES])
{
    const struct cow_finding *finding = &((const struct cow_check *)list)->finding[row];

    snprintf(out, TUI_ROW_TEXT_BYTES, "%s %s", cow_finding_name(finding->code), finding->message);
    return out;
}

static enum tui_found check_search(struct tui_app *app, void *state, const struct tui_search *search)
{
    struct check_view *view = state;
    struct cow_check *result = &app->check.result;
    bool typing = search->step == TUI_SEARCH_TYPED || search->step == TUI_SEARCH_CANCEL;
    enum cow_finding_code code = typing ? view->code_before : view->code;
    size_t at = 0;

    if (search->step == TUI_SEARCH_BEGIN) {
        view->code_before = view->code;
    }
    view->reveal = true;
    view->code = code;
    if (search->step == TUI_SEARCH_BEGIN || search->step == TUI_SEARCH_CANCEL) {
        return TUI_FOUND;
    }
    while (app->check.known && at < result->findings && result->finding[at].code != code) {
        at++;
    }
    if (!app->check.known || at == result->findings) {
        return TUI_FOUND_NOT;
    }
    long row = tui_list_search(result->findings, at, search, finding_text, result);
    if (row >= 0) {
        view->code = result->finding[row].code;
    }
    return row >= 0 ? TUI_FOUND : TUI_FOUND_NOT;
}

const struct tui_view_class tui_view_finding = {
    .has_page = true,
    .open = finding_open,
    .contexts = finding_view_contexts,
    .act = finding_act,
    .draw = finding_draw,
    .close = finding_close,
};

static void check_again(struct tui_app *app)
{
    tui_check_again(&app->check);
}

const struct tui_view_class tui_view_check = {
    .open = check_open,
    .contexts = check_contexts,
    .act = check_act,
    .search = check_search,
    .draw = check_draw,
    .click = check_click,
    .again = check_again,
    .close = check_close,
};
