/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Plans as objects: their strings, notes, steps and inputs. What is asked of files before a change may begin
 * stands in plan_rules.c, where an output goes in plan_output.c.
 */
#include "core/plan/plan.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/grow.h"
#include "cow/text.h"

static const char *const step_names[COW_STEPS] = {
#define STEP_ROW(id, name) [COW_STEP_##id] = (name),
    COW_STEP_LIST(STEP_ROW)
#undef STEP_ROW
};

const char *cow_step_name(enum cow_step_kind kind)
{
    return step_names[kind];
}

const char *cow_operation_name(enum cow_operation operation)
{
    static const char *const names[COW_OPERATIONS] = {
#define OPERATION_ROW(id, name) [COW_OPERATION_##id] = (name),
        COW_OPERATION_LIST(OPERATION_ROW)
#undef OPERATION_ROW
    };
    return names[operation];
}

const char *cow_method_name(enum cow_method method)
{
    static const char *const names[COW_METHODS] = {
#define METHOD_ROW(id, name) [COW_METHOD_##id] = (name),
        COW_METHOD_LIST(METHOD_ROW)
#undef METHOD_ROW
    };
    return names[method];
}

const char *cow_policy_name(enum cow_policy policy)
{
    static const char *const names[] = {"", "extend", "copy", "keep"};
    return names[policy];
}

bool plan_is_journaled(const struct cow_plan *plan)
{
    return plan->method != RECORD_NONE && (plan->purpose == PLAN_CHANGES || plan->purpose == PLAN_UNDOES);
}

const struct cow_layout *plan_made_layout(const struct cow_plan *plan)
{
    return plan->result.is_cut ? &plan->result.made : &plan->result.layout;
}

uint64_t plan_made_bytes(const struct cow_plan *plan)
{
    return plan->result.is_cut ? plan->img->header.size_bytes : plan->result.header.size_bytes;
}

struct cow_plan *plan_new(const struct cow_io *io, struct cow_image *img, enum cow_operation operation,
                          struct cow_error *err)
{
    struct cow_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL) {
        cow_error_set(err, COW_NO_MEMORY, "out of memory");
        return NULL;
    }
    plan->io = io;
    /* What changes an image reads it as a kernel does. */
    img = img != NULL ? image_flat(img) : NULL;
    plan->img = img;
    plan->target.stream_fd = -1;
    plan->preview = (struct cow_preview){.operation = operation,
                                         .method = COW_METHOD_COPY,
                                         .policy = "",
                                         .target_path = "",
                                         .backing_text = "",
                                         .after_backing_path = "",
                                         .undo_text = "",
                                         .command = "",
                                         .next_step = "",
                                         .content_text = "",
                                         .outside_note = "",
                                         .makes_foreign = "",
                                         .note = plan->notes,
                                         .sibling = plan->siblings};
    if (img != NULL) {
        plan->preview.has_before = true;
        plan->preview.before_format = img->header.format;
        plan->preview.before_size_bytes = img->header.size_bytes;
        plan->preview.before = img->layout;
        plan->preview.before_allocated_bytes = (uint64_t)img->cow.facts.st_blocks * 512;
        if (img->backing.facts.state == COW_BACKING_FOUND) {
            plan->backing.path = img->backing.facts.path;
            plan->backing.facts = img->backing.file.facts;
            plan->backing.is_cow = backing_is_cow(io, &img->backing.file);
            plan->backing.size_bytes = plan->backing.new_size_bytes = img->backing.facts.size_bytes;
        }
    }
    return plan;
}

static void free_family(struct plan_family *family)
{
    if (family == NULL) {
        return;
    }
    for (size_t i = 0; i < family->members; i++) {
        cow_plan_free(family->member[i]);
        cow_image_close(family->image[i]);
    }
    free(family->member);
    free(family->image);
    free(family->preview);
    family_record_clear(&family->record);
    free(family);
}

void cow_plan_free(struct cow_plan *plan)
{
    if (plan != NULL) {
        for (size_t i = 0; i < plan->n_strings; i++) {
            free(plan->strings[i]);
        }
        free(plan->strings);
        free(plan->steps);
        free(plan->then);
        free(plan->files);
        for (size_t i = 0; i < plan->n_inputs; i++) {
            host_file_close(plan->io, &plan->input[i].file);
        }
        selection_close(plan->result.selection);
        cow_fs_reader_close(plan->file);
        cow_fs_scan_free(plan->fs_scan);
        cow_fs_close(plan->fs);
        free_family(plan->family);
        cow_image_close(plan->own_image);
        free(plan);
    }
}

static const char *plan_vtext(struct cow_plan *plan, const char *format, va_list arguments)
{
    char *text;
    char **grown = grow_array(plan->strings, plan->n_strings, &plan->room_for_strings, sizeof *plan->strings);
    plan->strings = grown != NULL ? grown : plan->strings;
    if (grown == NULL || vasprintf(&text, format, arguments) < 0) {
        plan->out_of_memory = true;
        return "";
    }
    plan->strings[plan->n_strings++] = text;
    return text;
}

const char *plan_text(struct cow_plan *plan, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = plan_vtext(plan, format, arguments);
    va_end(arguments);
    return text;
}

static const char *plan_vwords(struct cow_plan *plan, const char *format, va_list arguments)
{
    char escaped[3 * PATH_MAX];
    return plan_text(plan, "%s",
                     cow_escape_message(escaped, sizeof escaped, plan_vtext(plan, format, arguments)));
}

const char *plan_words(struct cow_plan *plan, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = plan_vwords(plan, format, arguments);
    va_end(arguments);
    return text;
}

void plan_note(struct cow_plan *plan, const char *format, ...)
{
    va_list arguments;
    assert(plan->preview.notes < PLAN_NOTES_MAX); /* a consequence that is not told */
    va_start(arguments, format);
    plan->notes[plan->preview.notes++] = plan_vwords(plan, format, arguments);
    va_end(arguments);
}

void plan_add_step(struct cow_plan *plan, const struct cow_step *step)
{
    struct cow_step *grown =
        grow_array(plan->steps, plan->n_steps, &plan->room_for_steps, sizeof *plan->steps);
    if (grown == NULL) {
        plan->out_of_memory = true;
        return;
    }
    plan->steps = grown;
    plan->steps[plan->n_steps++] = *step;
}

void plan_step(struct cow_plan *plan, enum cow_step_kind kind, uint64_t bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const struct cow_step step = {.kind = kind, .bytes = bytes, .text = plan_vwords(plan, format, arguments)};
    va_end(arguments);
    plan_add_step(plan, &step);
}

int plan_add_input(struct cow_plan *plan, const char *what, const char *path, struct cow_error *err)
{
    assert(plan->n_inputs < PLAN_INPUTS_MAX);
    struct plan_input *input = &plan->input[plan->n_inputs];
    int status = host_file_open_disk(plan->io, &input->file, path, O_RDONLY, err);
    if (status != 0) {
        return cow_error_prefix(err, "the %s", what);
    }
    plan->n_inputs++;
    input->what = what;
    input->path = plan_text(plan, "%s", path);
    return 0;
}

const struct cow_preview *cow_plan_preview(const struct cow_plan *plan)
{
    return &plan->preview;
}

const struct cow_step *cow_plan_steps(const struct cow_plan *plan, size_t *n_steps)
{
    *n_steps = plan->n_steps;
    return plan->steps;
}
