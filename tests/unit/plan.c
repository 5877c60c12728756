/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The builders of plans: what they refuse, with which status, and what they promise. None of them writes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/io.h"
#include "support.h"

#define TIB         (UINT64_C(1) << 40)
#define FAR_RESERVE (UINT64_C(1) << 30) /* more than any of the images here could grow to in place */

enum { SIZE = 400 * 512, NEW_SIZE = 700 * 512 };

static struct model_spec usual(enum cow_format format)
{
    return (struct model_spec){.format = format,
                               .size_bytes = SIZE,
                               .sector_bytes = 512,
                               .alignment = shapes[format].kind == 'a' ? 4096 : 0,
                               .backing_bytes = SIZE,
                               .pattern = PATTERN_RUNS,
                               .seed = 2};
}

static struct model *model_of(enum cow_format format)
{
    struct model_spec spec = usual(format);
    return model_create(&spec);
}

static struct cow_image *open_named(const char *path, const char *backing)
{
    struct cow_image *img;
    struct cow_error err = {.status = 0};
    must_succeed(cow_image_open(&img, path, &(struct cow_open_options){.backing_path = backing}, &err), err);
    return img;
}

static struct cow_resize_options grow(enum cow_policy policy)
{
    return (struct cow_resize_options){.size_bytes = NEW_SIZE, .policy = policy};
}

/* 0: the plan is made (and thrown away); else it is refused with that status, words and nothing touched. */
static void check_resize(struct cow_image *img, struct cow_resize_options opt, int wanted)
{
    struct cow_plan *const none = (struct cow_plan *)&opt;
    struct cow_plan *plan = none;
    struct cow_error err = {.status = 0};
    const unsigned files = open_files();
    int status = cow_plan_resize(&plan, img, &opt, &err);
    must(status == wanted, "status %d instead of %d: %s", status, wanted, err.message);
    if (status != 0) {
        must_fail(status, wanted, err);
        must(plan == none, "a refusal touched the output");
        must(cow_plan_resize(&plan, img, &opt, NULL) == wanted, "without err");
    } else {
        cow_plan_free(plan);
    }
    must(open_files() == files, "a file was left open");
}

/* ---- resize ---- */

START_TEST(resize_refuses_requests_that_make_no_sense)
{
    struct model *m = model_of(COW_FORMAT_V3);
    const struct witness cow = witness_of(m->cow_path), backing = witness_of(m->backing_path);
    struct cow_image *img = open_named(m->cow_path, NULL);
    char *out = test_path("out");
    struct cow_resize_options opt = grow(COW_POLICY_KEEP);
    check_resize(img, opt, 0);
    static const struct {
        uint64_t size;
        int status;
    } sizes[] = {{0, COW_USAGE},
                 {NEW_SIZE + 1, COW_USAGE},
                 {NEW_SIZE + 256, COW_USAGE},
                 {SIZE - 512, COW_REFUSED},
                 {512, COW_REFUSED},
                 {8 * TIB, COW_INVALID},
                 {16 * TIB, COW_INVALID},
                 {UINT64_MAX - 511, COW_INVALID},
                 {8 * TIB - (UINT64_C(1) << 30), 0}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        opt.size_bytes = sizes[i].size;
        check_resize(img, opt, sizes[i].status);
    }
    opt = grow(COW_POLICY_UNSET); /* extend, for nobody else is on the backing file */
    check_resize(img, opt, 0);
    opt.output_path = out;
    check_resize(img, opt, COW_REFUSED);
    opt = grow(COW_POLICY_KEEP);
    opt.in_place = true;
    check_resize(img, opt, 0);
    opt.method = COW_RESIZE_COPY; /* which makes a new file */
    check_resize(img, opt, COW_USAGE);
    opt.method = COW_RESIZE_ANY;
    opt.output_path = out;
    check_resize(img, opt, COW_USAGE);
    opt = grow(COW_POLICY_KEEP);
    opt.method = COW_RESIZE_MOVED; /* implies it */
    check_resize(img, opt, 0);
    opt.output_path = out;
    check_resize(img, opt, COW_USAGE);
    opt = grow(COW_POLICY_COPY);
    opt.in_place = opt.shrink = true;
    opt.size_bytes = SIZE / 2;
    check_resize(img, opt, COW_USAGE);
    static const struct {
        enum cow_policy policy;
        int status;
    } shrinking[] = {{COW_POLICY_EXTEND, COW_USAGE},
                     {COW_POLICY_KEEP, COW_USAGE},
                     {COW_POLICY_COPY, COW_REFUSED},   /* there is data in the last sectors */
                     {COW_POLICY_UNSET, COW_REFUSED}}; /* the same as copy */
    for (size_t i = 0; i < sizeof shrinking / sizeof shrinking[0]; i++) {
        opt = grow(shrinking[i].policy);
        opt.shrink = true;
        opt.size_bytes = SIZE / 2;
        check_resize(img, opt, shrinking[i].status);
    }
    opt = grow(COW_POLICY_COPY);
    opt.shrink = true;
    opt.size_bytes = 32768;
    check_resize(img, opt, COW_INVALID);
    opt = grow(COW_POLICY_EXTEND);
    opt.output_path = out;
    check_resize(img, opt, COW_USAGE);
    opt = grow(COW_POLICY_KEEP);
    opt.copy_path = out;
    check_resize(img, opt, COW_USAGE);
    opt = grow(COW_POLICY_EXTEND);
    opt.copy_path = out;
    check_resize(img, opt, COW_USAGE);
    opt = grow(COW_POLICY_KEEP);
    opt.reserve_bytes = NEW_SIZE - 512;
    check_resize(img, opt, COW_USAGE);
    opt.reserve_bytes = 9 * TIB;
    check_resize(img, opt, COW_INVALID);
    opt.reserve_bytes = 2 * TIB;
    check_resize(img, opt, 0);
    cow_image_close(img);
    witness_check(&cow, "planning");
    witness_check(&backing, "planning");
    char *names = directory_list(test_directory());
    ck_assert_str_eq(names, "m m.img");
    free(names);
    free(out);
    model_free(m);
}
END_TEST

START_TEST(resize_refuses_backings_it_cannot_trust)
{
    static const enum cow_policy policies[] = {COW_POLICY_EXTEND, COW_POLICY_COPY, COW_POLICY_KEEP};
    struct model *m = model_of(COW_FORMAT_V3);
    for (size_t i = 0; i < 3; i++) {
        struct cow_resize_options opt = grow(policies[i]);
        file_set_mtime(m->backing_path, MODEL_MTIME + 1);
        struct cow_image *img = open_named(m->cow_path, NULL);
        check_resize(img, opt, COW_REFUSED);
        opt.force = true;
        check_resize(img, opt, 0);
        cow_image_close(img);
        file_set_mtime(m->backing_path, -1); /* no header can hold that */
        img = open_named(m->cow_path, NULL);
        check_resize(img, opt, COW_REFUSED);
        cow_image_close(img);
        file_set_mtime(m->backing_path, MODEL_MTIME);

        char *away = test_path("away");
        must(rename(m->backing_path, away) == 0, "rename");
        img = open_named(m->cow_path, NULL);
        check_resize(img, grow(policies[i]), COW_IO);
        cow_image_close(img);
        img = open_named(m->cow_path, away); /* named, it is as good */
        check_resize(img, grow(policies[i]), 0);
        cow_image_close(img);
        must(rename(away, m->backing_path) == 0, "rename");
        free(away);
    }
    model_free(m);
}
END_TEST

START_TEST(extend_wants_a_backing_of_the_old_size)
{
    static const struct {
        uint64_t backing;
        int status, forced;
    } table[] = {{SIZE, 0, 0},
                 {NEW_SIZE, 0, 0}, /* lengthened already: only the COW is left to do */
                 {SIZE + 512, COW_REFUSED, 0},
                 {NEW_SIZE + 512, COW_REFUSED, COW_REFUSED},
                 {SIZE - 512, 0, 0}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct model_spec spec = usual(COW_FORMAT_V3);
        spec.backing_bytes = table[i].backing;
        struct model *m = model_create(&spec);
        struct cow_image *img = open_named(m->cow_path, NULL);
        struct cow_resize_options opt = grow(COW_POLICY_EXTEND);
        check_resize(img, opt, table[i].status);
        opt.force = true;
        check_resize(img, opt, table[i].forced);
        cow_image_close(img);
        model_free(m);
    }
}
END_TEST

START_TEST(a_qemu_image_without_backing_needs_one)
{
    struct model_spec spec = usual(COW_FORMAT_QEMU);
    spec.backing_bytes = NO_BACKING;
    struct model *m = model_create(&spec);
    char *named = test_path("named");
    struct cow_image *img = open_named(m->cow_path, NULL);
    check_resize(img, grow(COW_POLICY_EXTEND), COW_UNSUPPORTED);
    check_resize(img, grow(COW_POLICY_KEEP), COW_UNSUPPORTED);
    check_resize(img, grow(COW_POLICY_COPY), 0);
    cow_image_close(img);
    free(named);
    model_free(m);
}
END_TEST

START_TEST(resize_never_writes_over_its_input)
{
    struct model *m = model_of(COW_FORMAT_V3);
    char *out = test_path("out"), *hard = test_path("hard"), *soft = test_path("soft"),
         *backing_name = test_path("b2"), *nowhere = test_path("no/such/out");
    struct cow_image *img = open_named(m->cow_path, NULL);
    struct cow_resize_options opt = grow(COW_POLICY_KEEP);
    opt.output_path = out;
    check_resize(img, opt, 0);
    file_write(out, "x", 1);
    check_resize(img, opt, COW_REFUSED);
    opt.force = true;
    check_resize(img, opt, 0);
    unlink(out);
    must(mkdir(out, 0700) == 0, "mkdir");
    check_resize(img, opt, COW_REFUSED);
    rmdir(out);
    must(symlink(m->cow_path, soft) == 0 && link(m->backing_path, backing_name) == 0, "links");
    const char *const inputs[] = {m->cow_path, m->backing_path, soft, backing_name};
    for (size_t i = 0; i < 4; i++) {
        opt.output_path = inputs[i];
        check_resize(img, opt, COW_REFUSED);
        struct cow_resize_options copy = grow(COW_POLICY_COPY);
        copy.copy_path = inputs[i];
        copy.force = true;
        check_resize(img, copy, COW_REFUSED);
    }
    opt.output_path = nowhere;
    check_resize(img, opt, COW_IO);
    struct cow_resize_options same = grow(COW_POLICY_COPY); /* both outputs one file */
    same.output_path = out;
    same.copy_path = out;
    check_resize(img, same, COW_REFUSED);
    cow_image_close(img);

    must(link(m->cow_path, hard) == 0, "link");
    img = open_named(m->cow_path, NULL);
    check_resize(img, grow(COW_POLICY_KEEP), 0); /* in place all names see the new disk */
    opt = grow(COW_POLICY_KEEP);
    opt.reserve_bytes = FAR_RESERVE; /* by copy a second name would keep the old one */
    check_resize(img, opt, COW_REFUSED);
    opt.force = true;
    check_resize(img, opt, 0);
    opt.force = false;
    opt.output_path = out;
    check_resize(img, opt, 0);
    cow_image_close(img);
    free(out);
    free(hard);
    free(soft);
    free(backing_name);
    free(nowhere);
    model_free(m);
}
END_TEST

START_TEST(an_unfinished_image_is_only_looked_at)
{
    struct model *m = model_of(COW_FORMAT_V3);
    uint8_t mark[8];
    memset(mark, 0xff, sizeof mark);
    file_write_at(m->cow_path, shapes[COW_FORMAT_V3].size, mark, sizeof mark);
    struct cow_image *img = open_named(m->cow_path, NULL);
    struct cow_resize_options opt = grow(COW_POLICY_KEEP);
    opt.force = true;
    check_resize(img, opt, COW_INVALID);
    char *out = test_path("out");
    struct cow_plan *plan;
    struct cow_error err = {.status = 0};
    const struct cow_merge_options merge = {.output_path = out, .force = true};
    must_fail(cow_plan_merge(&plan, img, &merge, &err), COW_INVALID, err);
    cow_image_close(img);
    free(out);
    model_free(m);
}
END_TEST

/* ---- steps and preview ---- */

static void check_steps(const struct cow_plan *plan, const char *wanted)
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

static void check_texts(const struct cow_preview *p)
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

static void check_layouts(const struct cow_preview *p, const struct model *m, bool in_place)
{
    const struct geometry old = m->geometry;
    must(p->has_before && p->before_format == m->spec.format && p->before_size_bytes == m->spec.size_bytes,
         "before");
    must(p->before.bitmap_offset == old.bitmap_offset && p->before.data_offset == old.data_offset, "before");
    must(p->has_after && p->after_format == COW_FORMAT_V3 && p->after_size_bytes == NEW_SIZE, "after");
    const struct geometry new = model_geometry(COW_FORMAT_V3, NEW_SIZE, 512, p->after_alignment);
    must(p->after.bitmap_offset == new.bitmap_offset && p->after.bitmap_bytes == new.bitmap_bytes &&
             p->after.data_offset == new.data_offset && p->after.end_offset == new.end_offset,
         "layout after");
    uint64_t dirty = 0;
    for (uint64_t i = 0; i < old.sectors; i++) {
        dirty += m->dirty[i];
    }
    must(p->dirty_sectors == dirty, "%" PRIu64 " dirty", p->dirty_sectors);
    if (in_place) {
        must(p->after_alignment == m->spec.alignment && new.data_offset == old.data_offset, "the data moves");
        must(p->moves_bytes == 0 && p->needs_free_bytes <= 1 << 20, "moves %" PRIu64, p->moves_bytes);
        must(p->can_grow_to_bytes == (old.data_offset - old.bitmap_offset) * 8 * 512, "can grow to %" PRIu64,
             p->can_grow_to_bytes);
    } else {
        must(p->moves_bytes == dirty * 512, "moves %" PRIu64, p->moves_bytes);
        must(p->can_grow_to_bytes >= UINT64_C(1) << 30, "can grow to %" PRIu64, p->can_grow_to_bytes);
    }
}

static const struct {
    enum cow_policy policy;
    const char *by_copy, *in_place;
    bool opens;
} resize_steps[] = {
    {COW_POLICY_EXTEND,
     "lock check-space begin-image journal write-bitmap copy-data keep-attributes finish-image "
     "extend-backing rename keep-undo end-journal",
     "lock check-space journal prepare-in-place extend-backing write-header end-journal", true},
    {COW_POLICY_COPY,
     "lock check-space begin-image journal copy-backing write-bitmap copy-data keep-attributes "
     "finish-image rename keep-undo end-journal",
     "lock check-space journal copy-backing prepare-in-place write-header end-journal", true},
    {COW_POLICY_KEEP,
     "lock check-space begin-image journal write-bitmap copy-data keep-attributes finish-image "
     "rename keep-undo end-journal",
     "lock check-space journal prepare-in-place write-header end-journal", false}};

static void check_resize_plan(struct cow_image *img, const struct model *m, size_t i, bool in_place,
                              uint64_t reserve_bytes)
{
    struct cow_plan *plan;
    struct cow_error err = {.status = 0};
    struct cow_resize_options opt = grow(resize_steps[i].policy);
    opt.reserve_bytes = reserve_bytes;
    must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
    check_steps(plan, in_place ? resize_steps[i].in_place : resize_steps[i].by_copy);
    const struct cow_preview *p = cow_plan_preview(plan);
    check_texts(p);
    check_layouts(p, m, in_place);
    ck_assert_str_eq(cow_operation_name(p->operation), "resize");
    ck_assert_str_eq(cow_method_name(p->method), in_place ? "header" : "copy");
    ck_assert_str_eq(p->policy, cow_policy_name(resize_steps[i].policy));
    ck_assert_str_eq(p->target_path, m->cow_path);
    must(p->replaces && p->changes_existing, "it replaces the image");
    must(strstr(p->undo_text, "cowtui undo") != NULL, "%s", p->undo_text);
    must(p->after_verdict.opens == resize_steps[i].opens, "policy %zu: opens %d: %s", i,
         p->after_verdict.opens, p->after_verdict.reason);
    must(p->patched_opens, "the seed's kernel");
    must(resize_steps[i].policy != COW_POLICY_KEEP ||
             strcmp(p->after_verdict.reason,
                    "Size mismatch (358400 vs 204800) of COW header vs backing file") == 0,
         "%s", p->after_verdict.reason);
    cow_plan_free(plan);
}

START_TEST(resize_plans_in_the_documented_order)
{
    const enum cow_format format = (enum cow_format)_i;
    struct model *m = model_of(format);
    struct cow_image *img = open_named(m->cow_path, NULL);
    for (size_t i = 0; i < 3; i++) { /* only a v3 can grow where it is */
        check_resize_plan(img, m, i, format == COW_FORMAT_V3, 0);
        check_resize_plan(img, m, i, false, FAR_RESERVE);
    }
    cow_image_close(img);
    cow_plan_free(NULL);
    model_free(m);
}
END_TEST

START_TEST(shrinking_goes_by_a_private_copy)
{
    struct model_spec spec = usual((enum cow_format)_i);
    spec.dull_from = SIZE / 2;
    struct model *m = model_create(&spec);
    struct cow_image *img = open_named(m->cow_path, NULL);
    static const enum cow_policy policies[] = {COW_POLICY_COPY, COW_POLICY_UNSET};
    for (size_t i = 0; i < 2; i++) {
        struct cow_plan *plan;
        struct cow_error err = {.status = 0};
        const struct cow_resize_options opt = {.size_bytes = SIZE / 2, .policy = policies[i], .shrink = true};
        must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
        check_steps(plan, resize_steps[1].by_copy);
        const struct cow_preview *p = cow_plan_preview(plan);
        check_texts(p);
        ck_assert_str_eq(cow_method_name(p->method), "copy");
        ck_assert_str_eq(p->policy, "copy");
        must(p->after_size_bytes == SIZE / 2 && p->after_verdict.opens, "%s", p->after_verdict.reason);
        must(strstr(p->command, "--shrink") != NULL, "the command would be refused: %s", p->command);
        cow_plan_free(plan);
    }
    cow_image_close(img);
    model_free(m);
}
END_TEST

START_TEST(elsewhere_nothing_old_is_changed)
{
    struct model *m = model_of(COW_FORMAT_V3);
    struct cow_image *img = open_named(m->cow_path, NULL);
    char *out = test_path("out");
    struct cow_resize_options opt = grow(COW_POLICY_KEEP);
    struct cow_plan *plan;
    struct cow_error err = {.status = 0};
    opt.output_path = out;
    must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
    check_steps(plan, "lock check-space begin-image write-bitmap copy-data finish-image rename");
    must(!cow_plan_preview(plan)->changes_existing && !cow_plan_preview(plan)->replaces,
         "it changes the old one");
    ck_assert_str_eq(cow_plan_preview(plan)->target_path, out);
    cow_plan_free(plan);
    cow_image_close(img);
    free(out);
    model_free(m);
}
END_TEST

START_TEST(what_is_done_already_is_not_done_again)
{
    struct model_spec spec = usual(COW_FORMAT_V3);
    struct model *m = model_create(&spec);
    struct cow_image *img = open_named(m->cow_path, NULL);
    struct cow_resize_options opt = grow(COW_POLICY_EXTEND);
    struct cow_plan *plan;
    struct cow_error err = {.status = 0};
    const struct witness cow = witness_of(m->cow_path), backing = witness_of(m->backing_path);
    opt.size_bytes = SIZE;
    must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
    ck_assert_str_eq(cow_method_name(cow_plan_preview(plan)->method), "none");
    check_steps(plan, "");
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    cow_plan_free(plan);
    witness_check(&cow, "nothing");
    witness_check(&backing, "nothing");
    cow_image_close(img);

    file_truncate(m->backing_path, SIZE - 1024); /* the image is done, the backing is not */
    file_set_mtime(m->backing_path, MODEL_MTIME);
    const struct witness shorter = witness_of(m->backing_path);
    img = open_named(m->cow_path, NULL);
    must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
    ck_assert_str_eq(cow_method_name(cow_plan_preview(plan)->method), "backing-only");
    check_steps(plan, "lock journal extend-backing end-journal");
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    cow_plan_free(plan);
    cow_image_close(img);
    witness_check(&cow, "the image was done");
    ck_assert_uint_eq(file_size(m->backing_path), SIZE);
    ck_assert_int_eq(file_mtime(m->backing_path), MODEL_MTIME);

    img = open_named(m->cow_path, NULL); /* and back */
    must_succeed(cow_plan_undo(&plan, img, &err), err);
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    cow_plan_free(plan);
    cow_image_close(img);
    witness_check(&cow, "undone");
    witness_check(&shorter, "undone");
    char *names = directory_list(test_directory());
    ck_assert_str_eq(names, "m m.img");
    free(names);
    model_free(m);
}
END_TEST

START_TEST(choices_for_the_wizard)
{
    struct model_spec spec = usual(COW_FORMAT_V3);
    struct model *m = model_create(&spec);
    struct cow_image *img = open_named(m->cow_path, NULL);
    struct cow_policy_choice choices[COW_POLICY_CHOICES];
    memset(choices, 0x5a, sizeof choices);
    must(cow_resize_choices(choices, img, NEW_SIZE, COW_FS_STAYS) == 3,
         "no other image is on its backing file");
    bool seen[4] = {false};
    for (unsigned i = 0; i < 3; i++) {
        must(choices[i].possible && choices[i].obstacle[0] == '\0', "choice %u: %s", i, choices[i].obstacle);
        must(choices[i].recommended == (i == 0), "choice %u", i);
        must(choices[i].consequence[0] != '\0' && is_terminal_safe(choices[i].consequence), "choice %u", i);
        must(choices[i].policy >= COW_POLICY_EXTEND && choices[i].policy <= COW_POLICY_KEEP &&
                 !seen[choices[i].policy],
             "choice %u", i);
        seen[choices[i].policy] = true;
    }
    must(choices[0].policy != COW_POLICY_KEEP, "a stock kernel refuses what keep makes");
    cow_image_close(img);

    unlink(m->backing_path); /* nothing is possible, and each says why */
    img = open_named(m->cow_path, NULL);
    cow_resize_choices(choices, img, NEW_SIZE, COW_FS_STAYS);
    for (unsigned i = 0; i < 3; i++) {
        must(!choices[i].possible && !choices[i].recommended && choices[i].obstacle[0] != '\0', "choice %u",
             i);
        must(is_terminal_safe(choices[i].obstacle), "choice %u", i);
    }
    cow_image_close(img);
    model_free(m);

    spec = usual(COW_FORMAT_QEMU); /* only copy: it comes first */
    spec.backing_bytes = NO_BACKING;
    spec.name = "q";
    m = model_create(&spec);
    img = open_named(m->cow_path, NULL);
    cow_resize_choices(choices, img, NEW_SIZE, COW_FS_STAYS);
    must(choices[0].policy == COW_POLICY_COPY && choices[0].possible && choices[0].recommended, "copy");
    must(!choices[1].possible && !choices[2].possible, "others");
    cow_image_close(img);
    model_free(m);
}
END_TEST

static int hardly_any_room(void *context, int fd, uint64_t *out)
{
    (void)context;
    (void)fd;
    *out = 64 * 1024;
    return 0;
}

/* How many methods there are to choose from. */
static size_t methods(struct cow_method_choice choices[COW_METHOD_CHOICES], struct cow_image *img,
                      struct cow_resize_options opt)
{
    memset(choices, 0x5a, COW_METHOD_CHOICES * sizeof *choices);
    return cow_resize_method_choices(choices, img, &opt, false);
}

START_TEST(methods_for_the_wizard)
{
    struct model *m = model_of(COW_FORMAT_V3);
    struct cow_io io = io_system;
    struct cow_image *img;
    struct cow_error err = {.status = 0};
    struct cow_method_choice choices[COW_METHOD_CHOICES];
    struct cow_policy_choice policies[COW_POLICY_CHOICES];
    struct cow_resize_options opt = {.size_bytes = 32 << 20, .policy = COW_POLICY_EXTEND};
    must_succeed(cow_image_open(&img, m->cow_path, &(struct cow_open_options){.io = &io}, &err), err);
    must(cow_image_can_grow_to(img) == 16 << 20, "it can grow to %" PRIu64, cow_image_can_grow_to(img));
    must(methods(choices, img, opt) == COW_METHOD_CHOICES, "the data has to move");
    must(choices[0].method == COW_METHOD_COPY && choices[0].recommended && choices[0].possible, "copy");
    must(choices[1].in_place && choices[1].possible && !choices[1].recommended, "in place");
    must(choices[1].method == COW_METHOD_INSERTED || choices[1].method == COW_METHOD_MOVED, "its method");
    for (unsigned i = 0; i < COW_METHOD_CHOICES; i++) {
        const struct cow_method_choice *c = &choices[i];
        must(*c->how && *c->writes && *c->time && *c->needs && *c->free && *c->crash && *c->undo, "words");
    }
    io.free_bytes = hardly_any_room; /* a copy is impossible, and the policies are not */
    must(methods(choices, img, opt) == COW_METHOD_CHOICES, "no room");
    must(!choices[0].possible && !choices[0].recommended, "no room for a copy: %s of %s, in place %s",
         choices[0].needs, choices[0].free, choices[1].needs);
    must(strstr(choices[0].obstacle, "not enough space for a copy") != NULL, "%s", choices[0].obstacle);
    must(choices[0].needs[0] != '\0' && choices[1].possible, "what it would need");
    cow_resize_choices(policies, img, opt.size_bytes, COW_FS_STAYS);
    must(policies[0].possible && policies[1].possible && policies[2].possible, "a policy by another method");
    opt.size_bytes = NEW_SIZE;
    must(methods(choices, img, opt) == 0, "the data stays");
    opt.size_bytes = 32 << 20;
    opt.method = COW_RESIZE_COPY;
    must(methods(choices, img, opt) == 0, "it is named");
    cow_image_close(img);
    model_free(m);

    m = model_of(COW_FORMAT_V2); /* which is copied, or not resized */
    img = open_named(m->cow_path, NULL);
    opt.method = COW_RESIZE_ANY;
    must(methods(choices, img, opt) == 0, "an old variant");
    must(cow_image_can_grow_to(img) == 0, "an old variant has no room");
    cow_image_close(img);
    model_free(m);
}
END_TEST

static int it_can_insert(void *context, int fd, const char *path, uint64_t offset, uint64_t n_bytes)
{
    (void)context;
    (void)fd;
    (void)path;
    (void)offset;
    (void)n_bytes;
    return 1;
}

/* Every other sector is data. */
static int64_t every_other_sector(void *context, int fd, uint64_t offset, int whence)
{
    struct stat facts;
    (void)context;
    if (fstat(fd, &facts) != 0 || offset >= (uint64_t)facts.st_size) {
        return -ENXIO;
    }
    const bool is_data = offset / 512 % 2 == 0;
    return (int64_t)(is_data == (whence == SEEK_DATA) ? offset : (offset / 512 + 1) * 512);
}

/* An interrupted insertion is found by a map of the data: what is too long for one is moved. */
START_TEST(too_many_pieces_are_moved)
{
    struct model *m = model_of(COW_FORMAT_V3);
    struct cow_io io = io_system;
    struct cow_image *img;
    struct cow_error err = {.status = 0};
    struct cow_plan *plan = NULL;
    struct cow_resize_options opt = {.size_bytes = 32 << 20, .policy = COW_POLICY_EXTEND, .in_place = true};
    io.can_insert = it_can_insert;
    for (int is_long = 0; is_long < 2; is_long++) {
        must(is_long == 0 || truncate(m->cow_path, INT64_C(1100) << 20) == 0, "longer");
        io.seek = is_long ? every_other_sector : io_system.seek;
        must_succeed(cow_image_open(&img, m->cow_path, &(struct cow_open_options){.io = &io}, &err), err);
        opt.method = COW_RESIZE_ANY;
        must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
        must(cow_plan_preview(plan)->method == (is_long ? COW_METHOD_MOVED : COW_METHOD_INSERTED),
             "its method");
        cow_plan_free(plan);
        opt.method = COW_RESIZE_INSERTED;
        const int status = cow_plan_resize(&plan, img, &opt, &err);
        must(status == (is_long ? COW_UNSUPPORTED : 0), "named: %d", status);
        must(!is_long || strstr(err.message, "more pieces") != NULL, "%s", err.message);
        if (status == 0) {
            cow_plan_free(plan);
        }
        cow_image_close(img);
    }
    model_free(m);
}
END_TEST

static int lstat_of_a_sick_disk(void *context, const char *path, struct stat *out)
{
    const char *sick = context;
    const size_t n = strlen(path), m = strlen(sick);
    return n > m && strcmp(path + n - m, sick) == 0 ? -EIO : io_system.lstat(NULL, path, out);
}

/* Whether there is a journal cannot be told: that is no "no". */
START_TEST(a_journal_that_cannot_be_looked_at_is_none_that_is_not_there)
{
    static const char *const sick[] = {"cowtui-move", "cowtui-family"};
    for (unsigned i = 0; i < 2; i++) {
        struct model *m = model_of(COW_FORMAT_V3);
        struct cow_io io = io_system;
        struct cow_image *img;
        struct cow_error err = {.status = 0};
        struct cow_plan *plan = NULL;
        struct cow_resize_options opt = {.size_bytes = NEW_SIZE, .policy = COW_POLICY_EXTEND};
        io.context = (void *)(uintptr_t)sick[i];
        io.lstat = lstat_of_a_sick_disk;
        must_succeed(cow_image_open(&img, m->cow_path, &(struct cow_open_options){.io = &io}, &err), err);
        must(cow_plan_resize(&plan, img, &opt, &err) != 0, "%s: planned", sick[i]);
        must(err.message[0] != '\0', "%s: words", sick[i]);
        cow_image_close(img);
        model_free(m);
    }
}
END_TEST

/* ---- create and merge ---- */

static void check_create(const char *path, const char *backing, bool force, int wanted)
{
    struct cow_plan *plan = NULL;
    struct cow_error err = {.status = 0};
    const struct cow_create_options opt = {.path = path, .backing_path = backing, .force = force};
    int status = cow_plan_create(&plan, &opt, &err);
    must(status == wanted, "create %s %s: %d instead of %d: %s", path, backing, status, wanted, err.message);
    if (status != 0) {
        must_fail(status, wanted, err);
        must(plan == NULL, "a refusal touched the output");
        must(cow_plan_create(&plan, &opt, NULL) == wanted, "without err");
    }
    cow_plan_free(plan);
}

START_TEST(create_refuses)
{
    char *path = test_path("new"), *backing = test_path("b"), *other = test_path("other"),
         *soft = test_path("soft"), *nowhere = test_path("no/such");
    file_truncate(backing, SIZE);
    const struct witness before = witness_of(backing);
    check_create(path, backing, false, 0);
    check_create(path, other, false, COW_IO);
    check_create(path, test_directory(), false, COW_IO);
    check_create(nowhere, backing, false, COW_IO);
    file_write(other, "x", 1);
    check_create(other, backing, false, COW_REFUSED);
    check_create(other, backing, true, 0);
    must(symlink(backing, soft) == 0, "symlink");
    check_create(backing, backing, false, COW_REFUSED);
    check_create(backing, backing, true, COW_REFUSED);
    check_create(soft, backing, true, COW_REFUSED);
    check_create(test_directory(), backing, true, COW_REFUSED);
    witness_check(&before, "planning");
    file_set_mtime(backing, -1);
    check_create(path, backing, false, COW_REFUSED);
    if (date_fits(INT64_C(1) << 32)) {
        file_set_mtime(backing, INT64_C(1) << 32);
        check_create(path, backing, false, COW_REFUSED);
    }
    file_set_mtime(backing, date_fits(UINT32_MAX) ? UINT32_MAX : INT32_MAX);
    check_create(path, backing, false, 0);
    file_truncate(backing, 8 * TIB);
    file_set_mtime(backing, MODEL_MTIME);
    check_create(path, backing, false, COW_REFUSED);
    file_truncate(backing, 0);
    file_set_mtime(backing, MODEL_MTIME);
    check_create(path, backing, false, COW_REFUSED);
    must(!file_exists(path), "a plan wrote");
    free(path);
    free(backing);
    free(other);
    free(soft);
    free(nowhere);
}
END_TEST

/* A kernel takes such a disk, too: its last sector is a part of one. */
START_TEST(create_takes_a_backing_of_an_odd_size)
{
    char *path = test_path("new"), *backing = test_path("b");
    file_truncate(backing, SIZE + 1);
    check_create(path, backing, false, 0);
    free(path);
    free(backing);
}
END_TEST

START_TEST(create_plans_in_the_documented_order)
{
    struct cow_plan *plan;
    struct cow_error err = {.status = 0};
    char *backing = test_path("b");
    must(chdir(test_directory()) == 0, "chdir");
    file_truncate(backing, SIZE);
    file_set_mtime(backing, MODEL_MTIME);
    const struct cow_create_options opt = {.path = "new", .backing_path = "b"};
    must_succeed(cow_plan_create(&plan, &opt, &err), err);
    check_steps(plan, "lock begin-image finish-image rename");
    const struct cow_preview *p = cow_plan_preview(plan);
    check_texts(p);
    must(!p->has_before && p->has_after && !p->changes_existing && !p->replaces, "preview");
    ck_assert_str_eq(p->after_backing_path, backing); /* absolute */
    must(p->after_verdict.opens, "%s", p->after_verdict.reason);
    must(p->after_alignment >= 1 << 20, "alignment %u", p->after_alignment);
    cow_plan_free(plan);
    free(backing);
}
END_TEST

static void check_merge(struct cow_image *img, const char *output, bool force, int wanted)
{
    struct cow_plan *plan = NULL;
    struct cow_error err = {.status = 0};
    const struct cow_merge_options opt = {.output_path = output, .force = force};
    int status = cow_plan_merge(&plan, img, &opt, &err);
    must(status == wanted, "merge to %s: %d instead of %d: %s", output, status, wanted, err.message);
    if (status != 0) {
        must_fail(status, wanted, err);
        must(plan == NULL, "a refusal touched the output");
    } else {
        check_steps(plan, "lock check-space begin-raw compose finish-raw rename");
        check_texts(cow_plan_preview(plan));
        must(!cow_plan_preview(plan)->has_after && !cow_plan_preview(plan)->changes_existing, "preview");
    }
    cow_plan_free(plan);
}

START_TEST(merge_refuses)
{
    struct model *m = model_of(COW_FORMAT_V3);
    char *out = test_path("out"), *hard = test_path("hard"), *soft = test_path("soft"),
         *nowhere = test_path("no/such");
    struct cow_image *img = open_named(m->cow_path, NULL);
    check_merge(img, out, false, 0);
    file_write(out, "x", 1);
    check_merge(img, out, false, COW_REFUSED);
    check_merge(img, out, true, 0);
    check_merge(img, nowhere, false, COW_IO);
    must(link(m->cow_path, hard) == 0 && symlink(m->backing_path, soft) == 0, "links");
    const char *const inputs[] = {m->cow_path, m->backing_path, hard, soft};
    for (size_t i = 0; i < 4; i++) {
        check_merge(img, inputs[i], false, COW_REFUSED);
        check_merge(img, inputs[i], true, COW_REFUSED);
    }
    cow_image_close(img);
    unlink(m->backing_path);
    unlink(out);
    img = open_named(m->cow_path, NULL);
    check_merge(img, out, false, COW_IO);
    check_merge(img, out, true, COW_IO);
    cow_image_close(img);
    free(out);
    free(hard);
    free(soft);
    free(nowhere);
    model_free(m);
}
END_TEST

START_TEST(a_fully_dirty_image_needs_no_backing_to_merge)
{
    struct model_spec spec = usual(COW_FORMAT_V3);
    spec.pattern = PATTERN_ALL;
    spec.backing_absent = true;
    struct model *m = model_create(&spec);
    struct cow_image *img = open_named(m->cow_path, NULL);
    char *out = test_path("out");
    check_merge(img, out, false, 0);
    cow_image_close(img);
    free(out);
    model_free(m);
}
END_TEST

START_TEST(policies_have_names)
{
    ck_assert_str_eq(cow_policy_name(COW_POLICY_UNSET), "");
    ck_assert_str_eq(cow_policy_name(COW_POLICY_EXTEND), "extend");
    ck_assert_str_eq(cow_policy_name(COW_POLICY_COPY), "copy");
    ck_assert_str_eq(cow_policy_name(COW_POLICY_KEEP), "keep");
}
END_TEST

static int counts_no_blocks(void *context, const char *directory)
{
    (void)context;
    return directory[0] == '/' ? 0 : -ENOENT; /* it is asked about the target's */
}

/* Where it is not known how a filesystem counts room, nothing is told exactly. */
START_TEST(room_is_about_where_it_is_not_counted_by_blocks)
{
    for (int counted = 0; counted < 2; counted++) {
        struct cow_error err = {.status = 0};
        struct cow_io io = io_system;
        const struct cow_open_options options = {.io = &io};
        const struct cow_rewrite_options compact = {.compact = true, .larger = true};
        const struct model_spec spec = {.format = COW_FORMAT_V2,
                                        .size_bytes = 1 << 20,
                                        .sector_bytes = 512,
                                        .pattern = PATTERN_RANDOM,
                                        .backing_bytes = 1 << 20,
                                        .seed = 3};
        struct model *m = model_create(&spec);
        struct cow_image *img;
        struct cow_plan *plan;
        char text[COW_NEEDS_TEXT_BYTES];
        io.counts_blocks = counted ? NULL : counts_no_blocks;
        must_succeed(cow_image_open(&img, m->cow_path, &options, &err), err);
        must_succeed(cow_plan_rewrite(&plan, img, &compact, &err), err);
        const struct cow_preview *p = cow_plan_preview(plan);
        must(p->space_is_about == !counted, "about: %d", p->space_is_about);
        must((strncmp(cow_needs_text(text, p), "about ", 6) == 0) == !counted, "%s", text);
        must((strstr(p->content_text, "takes about ") != NULL) == !counted, "%s", p->content_text);
        cow_plan_free(plan);
        cow_image_close(img);
        model_free(m);
    }
}
END_TEST

Suite *plan_suite(void)
{
    Suite *suite = suite_create("plan");
    TCase *tc = tcase_create("plan");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_test(tc, room_is_about_where_it_is_not_counted_by_blocks);
    tcase_add_test(tc, resize_refuses_requests_that_make_no_sense);
    tcase_add_test(tc, resize_refuses_backings_it_cannot_trust);
    tcase_add_test(tc, extend_wants_a_backing_of_the_old_size);
    tcase_add_test(tc, a_qemu_image_without_backing_needs_one);
    tcase_add_test(tc, resize_never_writes_over_its_input);
    tcase_add_test(tc, an_unfinished_image_is_only_looked_at);
    tcase_add_loop_test(tc, resize_plans_in_the_documented_order, 0, COW_FORMATS);
    tcase_add_loop_test(tc, shrinking_goes_by_a_private_copy, 0, COW_FORMATS);
    tcase_add_test(tc, elsewhere_nothing_old_is_changed);
    tcase_add_test(tc, what_is_done_already_is_not_done_again);
    tcase_add_test(tc, choices_for_the_wizard);
    tcase_add_test(tc, methods_for_the_wizard);
    tcase_add_test(tc, too_many_pieces_are_moved);
    tcase_add_test(tc, a_journal_that_cannot_be_looked_at_is_none_that_is_not_there);
    tcase_add_test(tc, create_refuses);
    tcase_add_test(tc, create_takes_a_backing_of_an_odd_size);
    tcase_add_test(tc, create_plans_in_the_documented_order);
    tcase_add_test(tc, merge_refuses);
    tcase_add_test(tc, a_fully_dirty_image_needs_no_backing_to_merge);
    tcase_add_test(tc, policies_have_names);
    suite_add_tcase(suite, tc);
    return suite;
}
