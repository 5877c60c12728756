/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui create, diff, resize: from the arguments to a plan. Everything after that is the same (carry_out.c).
 */
#include <string.h>
#include <unistd.h>

#include "cli/carry_out.h"
#include "cli/commands.h"
#include "cli/output/progress_line.h"
#include "cow/family.h"
#include "cow/image.h"
#include "cow/ops.h"
#include "cow/text.h"
#include "front/change/changes.h"
#include "front/resize_fs.h"
#include "front/trace.h"

static int create_empty(const struct cli_options *options, struct cow_error *err)
{
    struct cow_create_options create = {
        .path = options->operand[0], .backing_path = options->operand[1], .force = options->words.force};
    struct cow_plan *plan;
    int status = front_read_reserve(&create.reserve_bytes, options->words.reserve, err);

    if (create.backing_path == NULL) {
        cow_error_set(err, COW_USAGE, "create needs IMAGE BACKING");
        return cow_error_hint(err, "BACKING may be left out with --from only; try: cowtui create --help");
    }
    if (status == 0) {
        status = cow_plan_create(&plan, &create, err);
    }
    if (status != 0) {
        return status;
    }
    status = cli_change(plan, options, err);
    cow_plan_free(plan);
    return status;
}

int cli_create(const struct cli_options *options, struct cow_error *err)
{
    return options->from != NULL ? cli_create_from_qcow2(options, err) : create_empty(options, err);
}

int cli_diff(const struct cli_options *options, struct cow_error *err)
{
    struct cli_progress progress;
    struct cow_env env;
    struct cow_diff_options diff = {.output_path = options->words.output,
                                    .backing_path = options->operand[0],
                                    .raw_path = options->operand[1],
                                    .sectors = options->words.sectors,
                                    .force = options->words.force,
                                    .env = &env};
    struct cow_plan *plan;
    int status = front_read_reserve(&diff.reserve_bytes, options->words.reserve, err);

    if (status != 0) {
        return status;
    }
    if (diff.output_path == NULL || *diff.output_path == '\0') {
        cow_error_set(err, COW_USAGE, "diff needs to know the image to make");
        return cow_error_hint(err, "usage: cowtui diff -o COW BACKING RAW");
    }
    cli_catch_signals();
    cli_progress_begin(&progress, &env, options->quiet);
    status = cow_plan_diff(&plan, &diff, err);
    cli_progress_end(&progress);
    if (status != 0) {
        return status;
    }
    status = cli_change(plan, options, err);
    cow_plan_free(plan);
    return status;
}

/* "extend", "copy", "copy:PATH", "keep" */
static int read_policy(struct cow_resize_options *resize, const char *text, struct cow_error *err)
{
    static const enum cow_policy policies[] = {COW_POLICY_EXTEND, COW_POLICY_COPY, COW_POLICY_KEEP};

    if (text == NULL) {
        return 0;
    }
    if (strncmp(text, "copy:", 5) == 0 && text[5] != '\0') {
        resize->policy = COW_POLICY_COPY;
        resize->copy_path = text + 5;
        return 0;
    }
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        if (strcmp(text, cow_policy_name(policies[i])) == 0) {
            resize->policy = policies[i];
            return 0;
        }
    }
    return cow_error_set(err, COW_USAGE, "--policy is extend, copy, copy:PATH or keep, not '%s'", text);
}

static int read_method(enum cow_resize_method *out, const char *text, struct cow_error *err)
{
    static const char *const names[] = {[COW_RESIZE_COPY] = "copy",
                                        [COW_RESIZE_HEADER] = "header",
                                        [COW_RESIZE_INSERTED] = "inserted",
                                        [COW_RESIZE_MOVED] = "moved"};

    *out = COW_RESIZE_ANY;
    if (text == NULL) {
        return 0;
    }
    for (size_t i = COW_RESIZE_COPY; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum cow_resize_method)i;
            return 0;
        }
    }
    return cow_error_set(err, COW_USAGE, "--method is copy, header, inserted or moved, not '%s'", text);
}

/* It may be left out where room to grow is all that is wanted. */
static int read_size(struct cow_resize_options *resize, const struct cli_options *options,
                     const struct cow_header *header, struct cow_error *err)
{
    const bool in_place =
        resize->in_place || resize->method == COW_RESIZE_INSERTED || resize->method == COW_RESIZE_MOVED;

    if (options->operands > 1) {
        return cow_size_parse(&resize->size_bytes, options->operand[1], header->size_bytes, err);
    }
    resize->size_bytes = header->size_bytes;
    if (in_place && resize->reserve_bytes != 0) {
        return 0;
    }
    cow_error_set(err, COW_USAGE, "resize needs IMAGE SIZE");
    return cow_error_hint(err, "SIZE may be left out with --in-place and --reserve only; try: cowtui resize "
                               "--help");
}

static int read_resize(struct cow_resize_options *resize, const struct cli_options *options,
                       const struct cow_header *header, struct cow_error *err)
{
    struct cow_error ignored;
    int status;

    *resize = (struct cow_resize_options){.output_path = options->words.output,
                                          .shrink = options->shrink,
                                          .in_place = options->words.in_place,
                                          .fs = options->resize_fs ? COW_FS_FITS
                                                : options->grow_fs ? COW_FS_GROWS
                                                                   : COW_FS_STAYS,
                                          .force = options->words.force,
                                          .cut_foreign = options->cut_foreign};
    status = read_method(&resize->method, options->method, err);
    if (status == 0 && options->grow_fs && options->resize_fs) {
        status = cow_error_set(err, COW_USAGE, "--grow-fs or --resize-fs, not both");
    }
    if (status == 0 && resize->fs != COW_FS_STAYS) {
        status = front_need_resize_fs(&resize->fs_is_copied, options->dry_run ? &ignored : err);
        status = options->dry_run ? 0 : status; /* a plan can be looked at without them */
    }
    if (status == 0) {
        status = front_read_reserve(&resize->reserve_bytes, options->words.reserve, err);
    }
    if (status == 0) {
        status = read_size(resize, options, header, err);
    }
    if (status == 0) {
        status = read_policy(resize, options->policy, err);
    }
    return status;
}

static int plan_resize(struct cow_plan **out, struct cow_image *image, const struct cli_options *options,
                       const struct cow_resize_options *resize, struct cow_error *err)
{
    struct cow_env env = {0};
    struct cow_resize_options traced = *resize;
    const struct cow_family_options where = {.place = options->in.word, .n_places = options->in.n};

    front_trace(&env);
    traced.env = &env;
    if (options->family) {
        return cow_plan_resize_family(out, image, &traced, &where, err);
    }
    if (options->in.n > 0) {
        return cow_error_set(err, COW_USAGE, "--in goes with --family: where other images are looked for");
    }
    return cow_plan_resize(out, image, &traced, err);
}

int cli_resize(const struct cli_options *options, struct cow_error *err)
{
    struct cow_resize_options resize;
    struct cow_image *image;
    struct cow_plan *plan = NULL;
    int status = cli_open_image(&image, options, err);

    if (status != 0) {
        return status;
    }
    status = cli_need_layout(image, "cannot be resized", err);
    if (status == 0) {
        status = read_resize(&resize, options, cow_image_header(image), err);
    }
    if (status == 0) {
        status = plan_resize(&plan, image, options, &resize, err);
    }
    if (status == 0) {
        status = cli_change(plan, options, err);
    }
    cow_plan_free(plan);
    cow_image_close(image);
    return status;
}
