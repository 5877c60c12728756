/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Every change, on a sound image or a bent one, in a scratch directory. What the operation promises of the
 * disk is so; one that fails leaves all as it was; undo leads back byte for byte; no file that is not named
 * is touched.
 */
#include <string.h>

#include "../lib/fuzzer.h"

#define OUTPUT "out"

enum operation { RESIZE, REWRITE, REBASE, MERGE, MERGE_IN_PLACE, CREATE, DIFF, DISCARD, OPERATIONS };

struct job {
    struct cow_image *img;
    const struct picture *picture;
    struct input *in;
    bool bent;
    bool elsewhere;      /* the result is OUTPUT, and the image stays */
    bool raw;            /* ... a raw disk */
    bool changes_disk;   /* nothing is promised of it */
    uint64_t size_bytes; /* that it has afterwards */
};

static int plan_resize(struct job *job, struct cow_plan **plan, struct cow_error *err)
{
    const uint64_t size = 512 * (1 + input_below(job->in, 2 * PICTURE_DISK_MAX / 512));
    const struct cow_resize_options options = {
        .size_bytes = size,
        .policy = (enum cow_policy)input_below(job->in, 4),
        .shrink = input_flag(job->in),
        .force = input_flag(job->in),
        .cut_foreign = input_flag(job->in),
        .reserve_bytes = input_flag(job->in) ? size * input_below(job->in, 100) : 0,
        .output_path = job->elsewhere ? OUTPUT : NULL,
    };
    job->size_bytes = size;
    return cow_plan_resize(plan, job->img, &options, err);
}

static int plan_rewrite(struct job *job, struct cow_plan **plan, struct cow_error *err)
{
    const struct cow_rewrite_options options = {
        .complete_pages = input_flag(job->in),
        .compact = input_flag(job->in),
        .sectors = input_flag(job->in),
        .convert = input_flag(job->in),
        .restamp = input_flag(job->in),
        .force = input_flag(job->in),
        .reserve_bytes = input_flag(job->in) ? UINT64_C(1) << input_below(job->in, 40) : 0,
        .output_path = job->elsewhere ? OUTPUT : NULL,
    };
    return cow_plan_rewrite(plan, job->img, &options, err);
}

/* To another file of the same size: with its content, or with other content and then safely. */
static int plan_rebase(struct job *job, struct cow_plan **plan, struct cow_error *err)
{
    static uint8_t bytes[2 * PICTURE_DISK_MAX];
    const bool same = input_flag(job->in);
    struct cow_rewrite_options options = {
        .backing_path = "y.img",
        .safe = !same || input_flag(job->in),
        .restamp = input_flag(job->in),
        .compact = input_flag(job->in),
        .set_mtime = false,
        .output_path = job->elsewhere ? OUTPUT : NULL,
    };
    FILE *base = fopen(PICTURE_BASE, "r");
    MUST(base != NULL && fread(bytes, 1, sizeof bytes, base) == job->picture->base_bytes &&
         fclose(base) == 0);
    if (!same) {
        noise(input_number(job->in, 1), bytes + job->picture->base_bytes / 2, 512);
    }
    file_make("y.img", bytes, (size_t)job->picture->base_bytes);
    file_date("y.img", PICTURE_DATE + (input_flag(job->in) ? 5 : 0));
    return cow_plan_rewrite(plan, job->img, &options, err);
}

static int plan_merge(struct job *job, struct cow_plan **plan, struct cow_error *err)
{
    const struct cow_merge_options options = {.output_path = OUTPUT, .force = input_flag(job->in)};
    job->elsewhere = job->raw = true;
    return cow_plan_merge(plan, job->img, &options, err);
}

static int plan_merge_in_place(struct job *job, struct cow_plan **plan, struct cow_error *err)
{
    const struct cow_merge_options options = {.in_place = true, .force = input_flag(job->in)};
    job->elsewhere = false;
    return cow_plan_merge(plan, job->img, &options, err);
}

static int plan_create(struct job *job, struct cow_plan **plan, struct cow_error *err)
{
    const struct cow_create_options options = {.path = OUTPUT,
                                               .backing_path =
                                                   input_flag(job->in) ? PICTURE_BASE : PICTURE_COW,
                                               .force = input_flag(job->in)};
    job->elsewhere = job->changes_disk = true;
    return cow_plan_create(plan, &options, err);
}

static int plan_diff(struct job *job, struct cow_plan **plan, struct cow_error *err)
{
    const struct cow_diff_options options = {.output_path = OUTPUT,
                                             .backing_path = PICTURE_BASE,
                                             .raw_path = "raw",
                                             .sectors = input_flag(job->in),
                                             .force = input_flag(job->in)};
    job->elsewhere = true;
    file_make("raw", job->picture->disk, (size_t)job->picture->header.size_bytes);
    return cow_plan_diff(plan, &options, err);
}

static int plan_discard(struct job *job, struct cow_plan **plan, struct cow_error *err)
{
    job->elsewhere = false;
    return cow_plan_discard_undo(plan, job->img, err);
}

static int (*const planners[OPERATIONS])(struct job *, struct cow_plan **,
                                         struct cow_error *) = {[RESIZE] = plan_resize,
                                                                [REWRITE] = plan_rewrite,
                                                                [REBASE] = plan_rebase,
                                                                [MERGE] = plan_merge,
                                                                [MERGE_IN_PLACE] = plan_merge_in_place,
                                                                [CREATE] = plan_create,
                                                                [DIFF] = plan_diff,
                                                                [DISCARD] = plan_discard};

/* ---- what is true of a plan, and afterwards ---- */

static void check_preview(const struct cow_plan *plan)
{
    const struct cow_preview *p = cow_plan_preview(plan);
    size_t n_steps;
    const struct cow_step *steps = cow_plan_steps(plan, &n_steps);
    MUST(p->operation < COW_OPERATIONS && is_terminal_safe(p->command) && is_terminal_safe(p->next_step));
    MUST(is_terminal_safe(p->backing_text) && is_terminal_safe(p->content_text) &&
         is_terminal_safe(p->undo_text));
    for (size_t i = 0; i < p->notes; i++) {
        MUST(is_terminal_safe(p->note[i]));
    }
    for (size_t i = 0; i < n_steps; i++) {
        MUST(steps[i].kind < COW_STEPS && is_terminal_safe(steps[i].text));
    }
}

static uint8_t *raw_disk(uint64_t *n_bytes)
{
    FILE *file = fopen(OUTPUT, "r");
    *n_bytes = (uint64_t)file_length(OUTPUT);
    uint8_t *bytes = malloc((size_t)*n_bytes + 1);
    MUST(file != NULL && bytes != NULL && fread(bytes, 1, (size_t)*n_bytes, file) == *n_bytes &&
         fclose(file) == 0);
    return bytes;
}

/* The disk is what it was, as far as it goes, and zeros behind that. */
static void check_disk(const struct job *job)
{
    const struct picture *p = job->picture;
    uint64_t n_bytes = 0;
    uint8_t *disk = job->raw ? raw_disk(&n_bytes) : disk_of(job->elsewhere ? OUTPUT : PICTURE_COW, &n_bytes);
    MUST(disk != NULL && n_bytes == job->size_bytes);
    const uint64_t both = n_bytes < p->header.size_bytes ? n_bytes : p->header.size_bytes;
    MUST(memcmp(disk, p->disk, (size_t)both) == 0);
    for (uint64_t at = both; at < n_bytes && p->base_bytes <= p->header.size_bytes; at++) {
        MUST(disk[at] == 0);
    }
    free(disk);
}

static void take_back(const struct snapshot *before)
{
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    if (file_length("." PICTURE_COW ".cowtui-undo") < 0) {
        return;
    }
    MUST(cow_image_open(&img, PICTURE_COW, NULL, &err) == 0);
    const int status = cow_plan_undo(&plan, img, &err);
    if (status != 0) {
        fprintf(stderr, "fuzz: change: undo: %s\n", err.message);
    }
    MUST(status == 0);
    check_preview(plan);
    MUST(cow_plan_commit(plan, NULL, &err) == 0);
    cow_plan_free(plan);
    cow_image_close(img);
    MUST(snapshot_all_same(before));
}

static void change(struct job *job, enum operation operation)
{
    struct cow_error err = {.status = 0};
    struct cow_plan *plan = NULL;
    struct snapshot before;
    int status = planners[operation](job, &plan, &err);
    error_is_whole(status, &err);
    if (status != 0) {
        return;
    }
    snapshot_take(&before);
    check_preview(plan);
    if (getenv("FUZZ_TELL") != NULL) {
        const struct cow_preview *p = cow_plan_preview(plan);
        fprintf(stderr, "fuzz: %s (%s), disk of %llu, backing file of %llu, alignment %u, sectors of %u\n",
                p->command, cow_method_name(p->method), (unsigned long long)job->picture->header.size_bytes,
                (unsigned long long)job->picture->base_bytes, job->picture->header.alignment,
                job->picture->header.sector_bytes);
    }
    const bool nothing = cow_plan_preview(plan)->method == COW_METHOD_NONE;
    status = cow_plan_commit(plan, NULL, &err);
    error_is_whole(status, &err);
    cow_plan_free(plan);
    if (status != 0 || nothing) {
        MUST(snapshot_all_same(&before));
    } else {
        MUST(!job->elsewhere || snapshot_same(&before, PICTURE_COW));
        MUST(file_length("." PICTURE_COW ".cowtui-journal") < 0);
        if (!job->bent && !job->changes_disk && operation != DISCARD) {
            check_disk(job);
        }
        take_back(&before);
    }
    snapshot_free(&before);
}

void fuzz_one(const uint8_t *data, size_t n_bytes)
{
    struct input in = {data, n_bytes};
    struct picture picture;
    struct cow_error err = {.status = 0};
    scratch_begin();
    const enum operation operation = (enum operation)input_below(&in, OPERATIONS);
    struct job job = {.in = &in, .elsewhere = input_flag(&in), .picture = &picture};
    job.bent = input_below(&in, 4) == 3;
    const bool exists = input_below(&in, 8) == 7;
    if (picture_make(&picture, &in)) {
        if (job.bent) {
            picture_bend(&picture, &in);
        }
        if (exists) {
            file_make(OUTPUT, "there", 5);
        }
        job.size_bytes = picture.header.size_bytes;
        const int status = cow_image_open(&job.img, PICTURE_COW, NULL, &err);
        error_is_whole(status, &err);
        MUST(status == 0 || job.bent);
        if (status == 0) {
            change(&job, operation);
            cow_image_close(job.img);
        }
        scratch_check();
    }
    picture_free(&picture);
}
