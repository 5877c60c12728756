/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Images to plan for, and what is asked of each plan.
 */
#include "planning.h"

#include <stdio.h>
#include <string.h>

struct model_spec usual_of(enum cow_format format)
{
    return model_spec_of(format, OLD_SIZE, PATTERN_RUNS, 2);
}

struct model *model_of(enum cow_format format)
{
    struct model_spec spec = usual_of(format);
    return model_create(&spec);
}

struct cow_image *open_named(const char *path, const char *backing)
{
    return image_opened(path, &(struct cow_open_options){.backing_path = backing});
}

struct cow_resize_options grow(enum cow_policy policy)
{
    return (struct cow_resize_options){.size_bytes = NEW_SIZE, .policy = policy};
}

/* ---- steps and preview ---- */

void check_steps(const struct cow_plan *plan, const char *wanted)
{
    char names[512] = "";
    size_t n;
    const struct cow_step *steps = cow_plan_steps(plan, &n);
    for (size_t i = 0; i < n; i++) {
        must(steps[i].text[0] != '\0' && is_terminal_safe(steps[i].text), "step %zu", i);
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i == 0 ? "" : " ",
                 cow_step_name(steps[i].kind));
    }
    ck_assert_str_eq(names, wanted);
}

void check_texts(const struct cow_preview *p)
{
    const char *const texts[] = {cow_operation_name(p->operation),
                                 cow_method_name(p->method),
                                 p->policy,
                                 p->backing_text,
                                 p->undo_text,
                                 p->command,
                                 p->next_step};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        must(texts[i] != NULL && is_terminal_safe(texts[i]), "text %zu", i);
    }
    must(strncmp(p->command, "cowtui ", 7) == 0, "%s", p->command);
    for (size_t i = 0; i < p->notes; i++) {
        must(p->note[i][0] != '\0' && is_terminal_safe(p->note[i]), "note %zu", i);
    }
}
