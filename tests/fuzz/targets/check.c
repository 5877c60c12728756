/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What check finds in an image that is sound, or bent here and there, and the repairs that it offers:
 * planned, and made. A repair that is safe to make keeps the disk as it is, takes its finding away, and can
 * be taken back byte for byte.
 */
#include <string.h>

#include "../lib/fuzzer.h"

static struct cow_check found, after;

static void check_form(const struct cow_check *check)
{
    MUST(check->findings <= COW_FINDINGS);
    for (size_t i = 0; i < check->findings; i++) {
        const struct cow_finding *f = &check->finding[i];
        MUST(f->code < COW_FINDINGS && (i == 0 || check->finding[i - 1].code < f->code));
        MUST(f->message[0] != '\0' && is_terminal_safe(f->message));
        MUST(!f->fixable || cow_finding_fix(f->code) != COW_FIX_NONE);
    }
}

static bool finds(const struct cow_check *check, enum cow_finding_code code)
{
    for (size_t i = 0; i < check->findings; i++) {
        if (check->finding[i].code == code) {
            return true;
        }
    }
    return false;
}

/* Undo leads back to the file as it was. */
static void take_back(const struct snapshot *before)
{
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    MUST(cow_image_open(&img, PICTURE_COW, NULL, &err) == 0);
    const int status = cow_plan_undo(&plan, img, &err);
    error_is_whole(status, &err);
    if (status == 0) {
        MUST(cow_plan_commit(plan, NULL, &err) == 0);
        cow_plan_free(plan);
        MUST(snapshot_all_same(before));
    }
    MUST(status == 0 || file_length("." PICTURE_COW ".cowtui-undo") < 0);
    cow_image_close(img);
}

/* Commits a repair; `chosen` as for cow_plan_repair. */
static void repair(struct cow_image *img, const bool *chosen, bool keeps_disk, const struct snapshot *before)
{
    struct cow_error err = {.status = 0};
    struct cow_plan *plan;
    uint64_t old_bytes = 0, new_bytes = 0;
    int status = cow_plan_repair(&plan, img, &found, chosen, &err);
    error_is_whole(status, &err);
    if (status != 0) {
        return;
    }
    uint8_t *old = disk_of(PICTURE_COW, &old_bytes);
    status = cow_plan_commit(plan, NULL, &err);
    error_is_whole(status, &err);
    cow_plan_free(plan);
    if (status != 0) {
        MUST(snapshot_all_same(before));
    } else {
        uint8_t *new = disk_of(PICTURE_COW, &new_bytes);
        MUST(!keeps_disk || old == NULL ||
             (new != NULL &&old_bytes == new_bytes &&memcmp(old, new, (size_t)old_bytes) == 0));
        free(new);
        MUST(cow_check(&after, PICTURE_COW, NULL, &err) == 0);
        check_form(&after);
        take_back(before);
    }
    free(old);
}

static void choose(struct cow_image *img, struct input *in, const struct snapshot *before)
{
    bool chosen[COW_FINDINGS] = {false}, all_safe = true;
    for (size_t i = 0; i < found.findings; i++) {
        chosen[i] = input_flag(in);
        all_safe = all_safe && (!chosen[i] || cow_finding_safe(found.finding[i].code));
    }
    repair(img, chosen, all_safe, before);
}

void fuzz_one(const uint8_t *data, size_t n_bytes)
{
    struct input in = {data, n_bytes};
    struct picture picture;
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct snapshot before;
    scratch_begin();
    const bool safe = input_flag(&in), bent = input_flag(&in);
    if (!picture_make(&picture, &in)) {
        picture_free(&picture);
        return;
    }
    if (bent) {
        picture_bend(&picture, &in);
    }
    snapshot_take(&before);
    const int quick = cow_check(&after, PICTURE_COW, &(struct cow_check_options){.quick = true}, &err);
    error_is_whole(quick, &err);
    const int status = cow_check(&found, PICTURE_COW, NULL, &err);
    error_is_whole(status, &err);
    MUST(snapshot_all_same(&before));
    if (status == 0) {
        check_form(&found);
        MUST(quick != 0 || finds(&after, COW_FINDING_MIXED_PAGES) == finds(&found, COW_FINDING_MIXED_PAGES));
        MUST(bent || !finds(&found, COW_FINDING_NOT_VALID));
        if (cow_image_open(&img, PICTURE_COW, NULL, &err) == 0) {
            if (safe) {
                repair(img, NULL, true, &before);
            } else {
                choose(img, &in, &before);
            }
            cow_image_close(img);
        }
    }
    scratch_check();
    snapshot_free(&before);
    picture_free(&picture);
}
