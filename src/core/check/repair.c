/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Mending: the fixes of the chosen findings as one plan. Recovery, naming another backing file and resizing
 * come alone, and first, for what else is found may be another thing afterwards.
 */
#include <limits.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/check/finders.h"
#include "core/plan/plan.h"
#include "cow/ops.h"
#include "cow/text.h"

enum { FIX_KINDS = COW_FIX_REBASE + 1 };

static void collect(bool wanted[FIX_KINDS], const struct cow_check *check, const bool *chosen)
{
    for (size_t i = 0; i < check->findings; i++) {
        const struct cow_finding *finding = &check->finding[i];
        const bool is_chosen = chosen != NULL ? chosen[i] : cow_finding_safe(finding->code);
        if (finding->fixable && is_chosen) {
            wanted[cow_finding_fix(finding->code)] = true;
        }
    }
}

static int refuse(const struct cow_image *img, const struct cow_check *check, const bool *chosen,
                  struct cow_error *err)
{
    bool others = false;
    for (size_t i = 0; i < check->findings; i++) {
        others = others || check->finding[i].fixable;
    }
    cow_error_set(err, COW_REFUSED, "%s: nothing to mend %s", img->path,
                  chosen != NULL ? "among what was chosen" : "without a decision");
    return others && chosen == NULL
               ? cow_error_hint(err, "what needs a decision has a command of its own: see \"fix\"")
               : COW_REFUSED;
}

/* Whether "cowtui check --repair" would mend the same: all that is safe, and nothing else. */
static bool is_all_safe(const struct cow_check *check, const bool *chosen)
{
    for (size_t i = 0; chosen != NULL && i < check->findings; i++) {
        const struct cow_finding *finding = &check->finding[i];
        if (finding->fixable && chosen[i] != cow_finding_safe(finding->code)) {
            return false;
        }
    }
    return true;
}

/* "cowtui check --repair root.cow" where that does the same, else "cowtui check --fix redundant root.cow". */
static const char *repair_command(struct cow_plan *plan, const struct cow_check *check, const bool *chosen)
{
    char image[PATH_MAX];
    const bool is_safe = is_all_safe(check, chosen);
    const char *text = is_safe ? "cowtui check --repair" : "cowtui check";
    for (size_t i = 0; i < check->findings && !is_safe; i++) {
        if (check->finding[i].fixable && chosen[i]) {
            text = plan_text(plan, "%s --fix %s", text, cow_finding_name(check->finding[i].code));
        }
    }
    return plan_text(plan, "%s %s", text, cow_shell_quote(image, sizeof image, plan->img->path));
}

static int plan_resize(struct cow_plan **out, struct cow_image *img, struct cow_error *err)
{
    const struct cow_resize_options options = {
        .size_bytes = arith_max(img->header.size_bytes, img->backing.facts.size_bytes),
        .policy = COW_POLICY_EXTEND};
    return cow_plan_resize(out, img, &options, err);
}

/* What the user is told of its date stands in the plan. */
static int plan_rebase(struct cow_plan **out, struct cow_image *img, const struct cow_check *check,
                       struct cow_error *err)
{
    const struct cow_candidate *candidate = &check->candidate[0];
    const struct cow_rewrite_options options = {.backing_path = candidate->path,
                                                .restamp = !candidate->same_date};
    return cow_plan_rewrite(out, img, &options, err);
}

static int plan_rewrite(struct cow_plan **out, struct cow_image *img, const bool wanted[FIX_KINDS],
                        struct cow_error *err)
{
    char path[PATH_MAX];
    struct cow_rewrite_options options = {
        .complete_pages = wanted[COW_FIX_PAGES],
        .compact = wanted[COW_FIX_COMPACT],
        .restamp = wanted[COW_FIX_RESTAMP],
        /* what compacting gains may be little: it was found, and it is mended */
        .convert = wanted[COW_FIX_CONVERT] || wanted[COW_FIX_COMPACT]};
    if (wanted[COW_FIX_ABSOLUTE]) {
        if (!backing_absolute(img, path)) {
            return cow_error_set(err, COW_IO, "%s: the backing file is not there any more", img->path);
        }
        options.backing_path = path;
    }
    return cow_plan_rewrite(out, img, &options, err);
}

int cow_plan_repair(struct cow_plan **out, struct cow_image *img, const struct cow_check *check,
                    const bool *chosen, struct cow_error *err)
{
    bool wanted[FIX_KINDS] = {false};
    struct cow_error local;
    int status;
    err = err != NULL ? err : &local;
    collect(wanted, check, chosen);
    if (wanted[COW_FIX_RECOVER]) {
        return cow_plan_recover(out, img, err);
    }
    if (wanted[COW_FIX_REBASE] && check->candidates > 0) {
        return plan_rebase(out, img, check, err);
    }
    if (wanted[COW_FIX_RESIZE]) {
        return plan_resize(out, img, err);
    }
    if (wanted[COW_FIX_PAGES] || wanted[COW_FIX_COMPACT] || wanted[COW_FIX_RESTAMP] ||
        wanted[COW_FIX_ABSOLUTE] || wanted[COW_FIX_CONVERT]) {
        status = plan_rewrite(out, img, wanted, err);
        if (status == 0 && ((*out)->preview.operation == COW_OPERATION_REPAIR ||
                            (*out)->preview.operation == COW_OPERATION_CONVERT)) {
            (*out)->preview.command = repair_command(*out, check, chosen);
        }
        return status;
    }
    return refuse(img, check, chosen, err);
}
