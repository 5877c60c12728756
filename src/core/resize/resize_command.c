/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See resize_command.h.
 */
#include "core/resize/resize_command.h"

#include <limits.h>

#include "cow/text.h"

const char *resize_command(struct cow_plan *plan, const struct cow_resize_options *opt)
{
    char image[PATH_MAX], other[PATH_MAX], size[COW_SIZE_TEXT_BYTES];
    const char *text = plan_text(plan, "cowtui resize --policy %s", cow_policy_name(opt->policy));
    if (opt->copy_path != NULL) {
        text = plan_text(plan, "%s:%s", text, cow_shell_quote(other, sizeof other, opt->copy_path));
    }
    if (plan->img->backing.facts.named) {
        text = plan_text(plan, "%s -b %s", text, cow_shell_quote(other, sizeof other, plan->backing.path));
    }
    if (opt->reserve_bytes != 0) {
        text = plan_text(plan, "%s --reserve %s", text, cow_size_argument(size, opt->reserve_bytes));
    }
    if (opt->output_path != NULL) {
        text = plan_text(plan, "%s -o %s", text, cow_shell_quote(other, sizeof other, opt->output_path));
    }
    if (opt->method != COW_RESIZE_ANY) {
        static const char *const names[] = {"", "copy", "header", "inserted", "moved"};
        text = plan_text(plan, "%s --method %s", text, names[opt->method]);
    } else if (opt->in_place) {
        text = plan_text(plan, "%s --in-place", text);
    }
    if (plan->result.shrinks) {
        text = plan_text(plan, "%s --shrink", text);
    }
    if (opt->fs != COW_FS_STAYS) {
        text = plan_text(plan, "%s %s", text, opt->fs == COW_FS_GROWS ? "--grow-fs" : "--resize-fs");
    }
    if (opt->force) {
        text = plan_text(plan, "%s --force", text);
    }
    if (opt->cut_foreign) {
        text = plan_text(plan, "%s --force=cut-foreign", text);
    }
    return plan_text(plan, "%s %s %s", text, cow_shell_quote(image, sizeof image, plan->img->path),
                     cow_size_argument(size, opt->size_bytes));
}
