/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether the filesystem goes with the disk. That is asked of the core by planning it, and of the front end's
 * programs; where both agree it does, unless the user wants the disk alone.
 */
#include <stdio.h>

#include "front/resize_fs.h"
#include "tui/change/wizard.h"

enum cow_resize_fs wizard_fs_of(const struct tui_app *app, const struct wizard *w)
{
    if (!w->fs.possible || (w->fs.alone && !w->fs.needed)) {
        return COW_FS_STAYS;
    }
    return wizard_shrinks(app, w) ? COW_FS_FITS : COW_FS_GROWS;
}

struct cow_resize_options wizard_options(const struct tui_app *app, const struct wizard *w,
                                         enum cow_policy policy)
{
    return (struct cow_resize_options){.size_bytes = w->size_bytes,
                                       .policy = policy,
                                       .shrink = wizard_shrinks(app, w),
                                       .fs = wizard_fs_of(app, w),
                                       .fs_is_copied = w->fs.is_copied};
}

/* By any method: what is not possible by copy may be in place. */
static int try_plan(struct tui_app *app, const struct wizard *w, const struct cow_policy_choice *choice,
                    struct cow_error *err)
{
    struct cow_plan *plan = NULL;
    struct cow_resize_options options = wizard_options(app, w, choice->policy);
    int status = choice->family ? cow_plan_resize_family(&plan, app->subject.image, &options, NULL, err)
                                : cow_plan_resize(&plan, app->subject.image, &options, err);

    options.in_place = true;
    if (status != 0 && !choice->family && cow_plan_resize(&plan, app->subject.image, &options, NULL) == 0) {
        status = 0;
    }
    cow_plan_free(plan);
    return status;
}

void wizard_ask_fs(struct tui_app *app, struct wizard *w)
{
    struct wizard_fs *fs = &w->fs;
    struct cow_error err = {0};
    bool alone = fs->alone;

    fs->asked = w->facts[0] != '\0' && w->choice_at != WIZARD_NONE && (fs->needed || !wizard_shrinks(app, w));
    fs->possible = false;
    if (!fs->asked) {
        return;
    }
    int status = front_need_resize_fs(&fs->is_copied, &err);
    fs->possible = true; /* so that it is planned */
    fs->alone = false;
    if (status == 0) {
        status = try_plan(app, w, &w->choice[w->choice_at], &err);
    }
    fs->alone = alone;
    fs->possible = status == 0;
    snprintf(fs->obstacle, sizeof fs->obstacle, "%.*s", WIZARD_LINE - 1, err.message);
}

bool wizard_shrinks_fs(struct tui_app *app, struct wizard *w, struct cow_error *err)
{
    const struct cow_policy_choice copy = {.policy = COW_POLICY_COPY};
    struct wizard_fs *fs = &w->fs;
    struct cow_error why = {0};

    if (w->facts[0] == '\0' || front_need_resize_fs(&fs->is_copied, &why) != 0) {
        return false;
    }
    fs->possible = fs->needed = true;
    int status = try_plan(app, w, &copy, &why);
    fs->possible = fs->needed = status == 0;
    if (status == COW_REFUSED) {
        *err = why;
    }
    return status == 0;
}

void wizard_put_fs(const struct tui_app *app, const struct wizard *w, struct tui_page *page)
{
    const struct wizard_fs *fs = &w->fs;

    if (!fs->asked) {
        return;
    }
    tui_page_line(page);
    if (!fs->possible) {
        tui_page_wrapf(page, 1, 1, TUI_WARN, "The disk alone: %s", fs->obstacle);
    } else if (fs->needed) {
        tui_page_wrap(page, 1, 1, TUI_NORMAL, "Before it e2fsck and resize2fs make the filesystem smaller.");
    } else if (wizard_fs_of(app, w) == COW_FS_STAYS) {
        tui_page_wrap(page, 1, 1, TUI_NORMAL,
                      "The disk alone; its filesystem is grown in the guest. f: both");
    } else {
        tui_page_wrap(page, 1, 1, TUI_GOOD, "Its filesystem grows with it, by resize2fs. f: the disk alone");
    }
}
