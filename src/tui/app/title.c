/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The title. From left to right: the image's name and what it is; how much is in it; what a kernel says of
 * it; who uses it, or what waits to be recovered; what others have done to its files since they were read.
 * What does not fit gets shorter in a fixed order, what is of most weight last: the name is cut only where
 * nothing else is left to be cut.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/app/app.h"
#include "tui/screen/utf8.h"

enum { FACT_BYTES = 768, NAME_CELLS = 24, BETWEEN = 3 };

enum { FACTS, USAGE, VERDICT, USE, CHANGED, PARTS };

/* How short each part is; tried in this order. */
static const int tries[][PARTS] = {
    {0, 0, 0, 0, 0}, {0, 1, 0, 0, 0}, {0, 2, 0, 0, 0}, {1, 1, 0, 0, 0}, {1, 2, 0, 0, 0},
    {2, 1, 0, 0, 0}, {2, 2, 0, 0, 0}, {3, 2, 0, 0, 0}, {3, 2, 1, 0, 0}, {3, 2, 1, 1, 0},
    {3, 2, 1, 1, 1}, {3, 2, 2, 1, 1}, {3, 2, 2, 2, 1},
};

struct title {
    char part[PARTS][FACT_BYTES];
};

/* What the image is, from the long form (0) to the short (2), and nothing (3). */
static void image_facts(const struct tui_app *app, char *out, size_t out_bytes, int shortness)
{
    const struct cow_header *header = cow_image_header(app->subject.image);
    const struct cow_backing *backing = cow_image_backing(app->subject.image);
    char size[COW_SIZE_TEXT_BYTES];

    out[0] = '\0';
    if (shortness == 3) {
        return;
    }
    if (header->unfinished) { /* the verdict says so */
        snprintf(out, out_bytes, "%s", cow_format_title(header->format));
        return;
    }
    cow_size_text(size, header->size_bytes);
    if (shortness == 2) {
        snprintf(out, out_bytes, "%s", size);
    } else if (shortness == 1 || backing->state == COW_BACKING_NONE) {
        snprintf(out, out_bytes, "%s \u00b7 %s", cow_format_title(header->format), size);
    } else {
        snprintf(out, out_bytes, "%s \u00b7 %s over %s%s", cow_format_title(header->format), size,
                 app->backing_name,
                 backing->state == COW_BACKING_FOUND      ? ""
                 : backing->state == COW_BACKING_IGNORED  ? " (not opened)"
                 : backing->state == COW_BACKING_UNUSABLE ? " (not usable)"
                                                          : " (not found)");
    }
}

static void usage_facts(const struct tui_app *app, char *out, size_t out_bytes, int shortness)
{
    char percent[COW_SHARE_TEXT_BYTES];
    uint64_t sectors = tui_app_sectors(app);

    out[0] = '\0';
    if (!app->cells.usage_known || shortness == 2) {
        return;
    }
    cow_share_text(percent, app->cells.usage.dirty_sectors, sectors);
    if (shortness == 1) {
        snprintf(out, out_bytes, "%s dirty", percent);
    } else {
        snprintf(out, out_bytes, "dirty %" PRIu64 " of %" PRIu64 " (%s)", app->cells.usage.dirty_sectors,
                 sectors, percent);
    }
}

/* Why it refuses: a change that is not finished goes before what the kernel would say of its traces. */
static const char *verdict_brief(const struct tui_app *app)
{
    if (cow_image_half(app->subject.image) == COW_HALF_MOVING) {
        return "being moved";
    }
    return cow_image_header(app->subject.image)->unfinished ? "unfinished change" : app->verdict.brief;
}

/* From the long form (0) to the short (2). */
static void verdict_facts(const struct tui_app *app, char *out, size_t out_bytes, int shortness)
{
    if (app->verdict.unknown) {
        snprintf(out, out_bytes, "kernel: not known");
    } else if (!app->verdict.opens && verdict_brief(app)[0] != '\0' && shortness == 0) {
        snprintf(out, out_bytes, "kernel: REFUSES, %s", verdict_brief(app));
    } else if (!app->verdict.opens) {
        snprintf(out, out_bytes, shortness == 2 ? "REFUSES" : "kernel: REFUSES");
    } else if (app->verdict.warnings > 0 && shortness == 0) {
        snprintf(out, out_bytes, "kernel: opens, %zu warning%s", app->verdict.warnings,
                 app->verdict.warnings == 1 ? "" : "s");
    } else {
        snprintf(out, out_bytes, shortness == 2 ? "opens" : "kernel: opens");
    }
}

/* What waits, and who uses it: "half moved, in use by 1234 linux". Shorter: without the program, the number.
 */
static void use_facts(const struct tui_app *app, char *out, size_t out_bytes, int shortness)
{
    bool half = cow_image_half(app->subject.image) == COW_HALF_MOVED;
    const char *pending = half ? "half moved" : app->pending ? "pending change" : "";
    const char *comma = app->pending ? ", " : "";

    if (!app->holder.held) {
        snprintf(out, out_bytes, "%s", app->pending ? pending : "");
    } else if (app->holder.pid == 0 || shortness == 2) {
        snprintf(out, out_bytes, "%s%sin use", pending, comma);
    } else {
        snprintf(out, out_bytes, "%s%sin use by %" PRId64 "%s%s", pending, comma, app->holder.pid,
                 shortness == 0 && app->holder_name[0] != '\0' ? " " : "",
                 shortness == 0 ? app->holder_name : "");
    }
}

/* The image's own fate goes before its backing file's. */
static void changed_facts(const struct tui_app *app, char *out, size_t out_bytes, int shortness)
{
    static const char *const words[COW_OUTSIDES] = {
        [COW_OUTSIDE_WRITTEN] = "written",   [COW_OUTSIDE_GROWN] = "grown", [COW_OUTSIDE_SHRUNK] = "shrunk",
        [COW_OUTSIDE_REPLACED] = "replaced", [COW_OUTSIDE_GONE] = "gone",   [COW_OUTSIDE_FOUND] = "found"};
    enum cow_outside fate = app->outside.image;
    char whose[32] = "";

    out[0] = '\0';
    if (fate == COW_OUTSIDE_SAME) {
        fate = app->outside.backing;
        if (app->outside.layer > 1) {
            snprintf(whose, sizeof whose, "layer %zu ", app->outside.layer);
        } else {
            snprintf(whose, sizeof whose, "backing ");
        }
    }
    if (fate == COW_OUTSIDE_SAME) {
        return;
    }
    snprintf(out, out_bytes, "%s%s%s", whose, words[fate], shortness == 0 ? ", R reads it" : "");
}

static void write_parts(const struct tui_app *app, struct title *title, const int shortness[PARTS])
{
    image_facts(app, title->part[FACTS], FACT_BYTES, shortness[FACTS]);
    usage_facts(app, title->part[USAGE], FACT_BYTES, shortness[USAGE]);
    verdict_facts(app, title->part[VERDICT], FACT_BYTES, shortness[VERDICT]);
    use_facts(app, title->part[USE], FACT_BYTES, shortness[USE]);
    changed_facts(app, title->part[CHANGED], FACT_BYTES, shortness[CHANGED]);
}

/* What all of it takes, a long name counted as if it were cut. */
static int title_cells(const struct tui_app *app, const struct title *title)
{
    int name = tui_text_cells(app->name), cells = 1;

    cells += name < NAME_CELLS ? name : NAME_CELLS;
    for (int i = 0; i < PARTS; i++) {
        cells += title->part[i][0] != '\0' ? BETWEEN + tui_text_cells(title->part[i]) : 0;
    }
    return cells + 1;
}

void tui_title_draw(const struct tui_app *app, struct tui_canvas *canvas)
{
    struct title title;
    const enum tui_style style[PARTS] = {
        [USAGE] = TUI_BAR,
        [VERDICT] = app->verdict.opens || app->verdict.unknown ? TUI_BAR : TUI_BAR_ALERT,
        [USE] = TUI_BAR_ALERT,
        [CHANGED] = TUI_BAR_ALERT,
    };
    int x_right = canvas->cols - 1 + BETWEEN;

    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        write_parts(app, &title, tries[i]);
        if (title_cells(app, &title) <= canvas->cols) {
            break;
        }
    }
    tui_fill(canvas, (struct tui_rect){0, 0, canvas->cols, 1}, ' ', TUI_BAR);
    for (int i = PARTS - 1; i > FACTS; i--) {
        if (title.part[i][0] != '\0') {
            x_right = tui_text_right(canvas, x_right - BETWEEN, 0, canvas->cols - 2, style[i], title.part[i]);
        }
    }
    int x = 1 + tui_text(canvas, 1, 0, x_right - 2, TUI_BAR_STRONG, app->name);
    if (title.part[FACTS][0] != '\0' && x + BETWEEN < x_right) {
        tui_text(canvas, x + BETWEEN, 0, x_right - x - BETWEEN - 1, TUI_BAR, title.part[FACTS]);
    }
}
