/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Recovery over states that are made by hand: each kind of record, with the old, the new and a strange image,
 * complete and incomplete new files, a guest that wrote in between, and files that are gone. (Those that a
 * crash really leaves are in the suite of faults.)
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recovering.h"

/* ---- building blocks ---- */

static void old_backing(const struct laid_out *scene)
{
    if (scene->s->change.operation == OPERATION_EXTEND) {
        backing_length(scene, OLD_SECTORS * 512, true);
    }
}

/* What the guest sees in that sector now. */
static bool guest_is_kept(const struct laid_out *scene)
{
    uint64_t size;
    uint8_t *disk = model_compose(scene->image, COW_FORMAT_V3, NULL, &size);
    bool kept = disk != NULL && size >= OLD_SECTORS * 512 &&
                memcmp(disk + (OLD_SECTORS - 1) * 512, "the guest was here", 18) == 0;
    free(disk);
    return kept;
}

static void becomes_new(struct laid_out *scene, const char *where)
{
    recover_it(scene, where);
    subject_check_settled(scene->s, OUTCOME_NEW, where);
    subject_check_undo(scene->s, where);
    layout_end(scene);
}

static void becomes_old(struct laid_out *scene, const char *where)
{
    recover_it(scene, where);
    subject_check_settled(scene->s, OUTCOME_OLD, where);
    layout_end(scene);
}

/* The old image with what the guest wrote; nothing of the new one. */
static void becomes_old_with_guest(struct laid_out *scene, const char *where)
{
    recover_it(scene, where);
    must(guest_is_kept(scene), "%s: what the guest wrote is lost", where);
    struct model_view view;
    must(model_read_header(&view, scene->image, COW_FORMAT_V3) && view.size_bytes == OLD_SECTORS * 512,
         "%s: not the old size", where);
    subject_check_names(scene->s, OUTCOME_OLD, where);
    witness_check(&scene->s->backing, where);
    layout_end(scene);
}

static void becomes_new_with_guest(struct laid_out *scene, const char *where)
{
    struct cow_error err = {.status = 0};
    recover_it(scene, where);
    must(guest_is_kept(scene), "%s: what the guest wrote is lost", where);
    struct model_view view;
    must(model_read_header(&view, scene->image, COW_FORMAT_V3) && view.size_bytes == NEW_SECTORS * 512,
         "%s: not the new size", where);
    subject_check_names(scene->s, OUTCOME_NEW, where);
    must_fail(subject_undo(scene->s, NULL, &err), COW_REFUSED, err); /* it would lose that */
    must(guest_is_kept(scene), "%s: undo lost it", where);
    layout_end(scene);
}

static const enum operation resizes[] = {OPERATION_EXTEND, OPERATION_COPY, OPERATION_KEEP};
static const uint8_t unfinished_mark[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* ---- a copy ---- */

START_TEST(copy_before_the_rename)
{
    const enum operation operation = resizes[_i];
    struct laid_out scene = change_laid_out(operation, false);
    before_the_rename(&scene); /* the new file is complete, the backing is lengthened */
    put_journal(&scene, RECORD_COPY);
    becomes_new(&scene, "complete");

    scene = change_laid_out(operation, false);
    before_the_rename(&scene);
    old_backing(&scene);
    put_journal(&scene, RECORD_COPY);
    becomes_new(&scene, "complete, backing not yet lengthened");

    scene = change_laid_out(operation, false);
    before_the_rename(&scene);
    set_date(scene.fresh, (struct timespec){1, 1});
    put_journal(&scene, RECORD_COPY);
    becomes_new(&scene, "complete, not yet dated");

    scene = change_laid_out(operation, false);
    before_the_rename(&scene);
    must(link(scene.image, scene.old) == 0, "link"); /* it was about to be renamed */
    put_journal(&scene, RECORD_COPY);
    becomes_new(&scene, "complete, the old one linked");

    scene = change_laid_out(operation, false);
    before_the_rename(&scene);
    file_write_at(scene.fresh, shapes[COW_FORMAT_V3].size, unfinished_mark, sizeof unfinished_mark);
    put_journal(&scene, RECORD_COPY);
    becomes_old(&scene, "marked unfinished");

    scene = change_laid_out(operation, false);
    before_the_rename(&scene);
    file_write_at(scene.fresh, 100, "?", 1); /* another header than was meant */
    put_journal(&scene, RECORD_COPY);
    becomes_old(&scene, "another header");

    scene = change_laid_out(operation, false);
    before_the_rename(&scene);
    unlink(scene.fresh);
    old_backing(&scene);
    put_journal(&scene, RECORD_COPY);
    becomes_old(&scene, "no new file");

    scene = change_laid_out(operation, false);
    before_the_rename(&scene);
    file_truncate(scene.fresh, 0);
    must(link(scene.image, scene.old) == 0, "link");
    put_journal(&scene, RECORD_COPY);
    becomes_old(&scene, "empty, the old one linked");

    scene = change_laid_out(operation, false);
    before_the_rename(&scene);
    guest_writes(&scene);
    put_journal(&scene, RECORD_COPY);
    becomes_old_with_guest(&scene, "a guest wrote to the old image");
}
END_TEST

START_TEST(copy_with_another_new_file)
{
    struct laid_out scene = change_laid_out(resizes[_i], false);
    char *other = test_path("other");
    before_the_rename(&scene);
    file_write(other, scene.new_file, scene.new_bytes);
    move_file(other, scene.fresh); /* the same bytes, but another file */
    const struct witness theirs = witness_of(scene.fresh);
    put_journal(&scene, RECORD_COPY);
    recover_it(&scene, "another new file");
    witness_check(&theirs, "another new file");
    unlink(scene.fresh);
    subject_check_settled(scene.s, OUTCOME_OLD, "another new file");
    free(other);
    layout_end(&scene);
}
END_TEST

START_TEST(copy_without_its_private_backing)
{
    for (int kind = 0; kind < 2; kind++) {
        struct laid_out scene = change_laid_out(OPERATION_COPY, false);
        before_the_rename(&scene);
        if (kind == 0) {
            unlink(scene.s->copy);
        } else {
            put_another(scene.s->copy);
        }
        put_journal(&scene, RECORD_COPY);
        recover_it(&scene, "no private backing");
        must(subject_outcome(scene.s) == OUTCOME_OLD, "it took a new image without its backing");
        witness_check(&scene.s->image, "no private backing");
        must(file_exists(scene.s->copy) == (kind == 1), "the other file");
        layout_end(&scene);
    }
}
END_TEST

START_TEST(copy_after_the_rename)
{
    const enum operation operation = resizes[_i];
    for (int state = 0; state < 4; state++) {
        struct laid_out scene = change_laid_out(operation, false);
        if (state < 2) {
            move_file(scene.undo, scene.old);
        }
        if (state == 0) { /* not yet stamped */
            revive(&scene, scene.old);
        } else if (state == 3) { /* half stamped: the record, and no mark */
            move_file(scene.undo, scene.old);
            file_write_at(scene.old, shapes[COW_FORMAT_V3].size,
                          scene.s->old_file + shapes[COW_FORMAT_V3].size, 8);
        }
        put_journal(&scene, RECORD_COPY);
        becomes_new(&scene, "after the rename");
    }
    struct laid_out scene = change_laid_out(operation, false);
    move_file(scene.undo, scene.old);
    revive(&scene, scene.old);
    guest_writes(&scene);
    put_journal(&scene, RECORD_COPY);
    becomes_new_with_guest(&scene, "after the rename, a guest wrote");

    scene = change_laid_out(operation, false);
    unlink(scene.undo);
    put_journal(&scene, RECORD_COPY);
    recover_it(&scene, "nothing to undo with");
    must(subject_outcome(scene.s) == OUTCOME_NEW, "the new image");
    struct cow_error err = {.status = 0};
    must_fail(subject_undo(scene.s, NULL, &err), COW_REFUSED, err);
    layout_end(&scene);
}
END_TEST

/* ---- in place ---- */

START_TEST(in_place_before_the_header)
{
    const enum operation operation = resizes[_i];
    for (int state = 0; state < 6; state++) {
        struct laid_out scene = change_laid_out(operation, true);
        const struct geometry later = model_geometry(COW_FORMAT_V3, NEW_SECTORS * 512, 512, 4096);
        unlink(scene.undo);
        file_write_at(scene.image, 0, scene.s->old_file,
                      512); /* all is prepared, but the header is the old */
        if (state == 1) {   /* nothing is prepared */
            revive(&scene, scene.image);
        } else if (state == 2) { /* half of the bits, the old ones in their shared byte as they were */
            uint8_t bits[4] = {0, 0x55, 0x55, 0x55};
            const uint64_t at = later.bitmap_offset + OLD_SECTORS / 8;
            bits[0] = (uint8_t)((scene.s->old_file[at] & 0x1f) | 0xa0);
            file_write_at(scene.image, at, bits, sizeof bits);
        } else if (state == 3) { /* not yet longer */
            file_truncate(scene.image, (uint64_t)scene.s->image.facts.st_size);
        } else if (state == 4) {
            old_backing(&scene);
        } else if (state == 5 && operation == OPERATION_EXTEND) { /* lengthened, not yet dated */
            backing_length(&scene, NEW_SECTORS * 512, false);
        }
        put_journal(&scene, RECORD_HEADER);
        becomes_old(&scene, "before the header");
    }
    struct laid_out scene = change_laid_out(operation, true);
    unlink(scene.undo);
    file_write_at(scene.image, 0, scene.s->old_file, 512);
    old_backing(&scene);
    guest_writes(&scene);
    put_journal(&scene, RECORD_HEADER);
    becomes_old_with_guest(&scene, "prepared, and a guest wrote");
}
END_TEST

START_TEST(in_place_after_the_header)
{
    const enum operation operation = resizes[_i];
    struct laid_out scene = change_laid_out(operation, true);
    unlink(scene.undo);
    put_journal(&scene, RECORD_HEADER);
    becomes_new(&scene, "after the header");

    scene = change_laid_out(operation, true); /* there is undo data of a change before */
    file_write(scene.undo, "of an earlier change", 20);
    put_journal(&scene, RECORD_HEADER);
    becomes_new(&scene, "after the header, older undo data");

    scene = change_laid_out(operation, true);
    unlink(scene.undo);
    guest_writes(&scene);
    put_journal(&scene, RECORD_HEADER);
    becomes_new_with_guest(&scene, "after the header, a guest wrote");
}
END_TEST

/* ---- going back ---- */

START_TEST(undo_of_a_copy)
{
    const enum operation operation = resizes[_i];
    struct laid_out scene = change_laid_out(operation, false);
    put_journal(&scene, RECORD_UNDO_COPY);
    becomes_old(&scene, "nothing is done yet");

    scene = change_laid_out(operation, false);
    revive(&scene, scene.undo);
    put_journal(&scene, RECORD_UNDO_COPY);
    becomes_old(&scene, "revived");

    scene = change_laid_out(operation, false);
    revive(&scene, scene.undo);
    old_backing(&scene);
    put_journal(&scene, RECORD_UNDO_COPY);
    becomes_old(&scene, "revived, backing cut");

    scene = change_laid_out(operation, false);
    revive(&scene, scene.undo);
    move_file(scene.undo, scene.image);
    put_journal(&scene, RECORD_UNDO_COPY);
    becomes_old(&scene, "in its place again");

    scene = change_laid_out(operation, false);
    guest_writes(&scene);
    put_journal(&scene, RECORD_UNDO_COPY);
    becomes_new_with_guest(&scene, "a guest wrote before anything was done");

    scene = change_laid_out(operation, false);
    revive(&scene, scene.undo);
    guest_writes(&scene);
    put_journal(&scene, RECORD_UNDO_COPY);
    becomes_new_with_guest(&scene, "a guest wrote after the old image was revived");
}
END_TEST

START_TEST(undo_of_a_copy_whose_old_image_is_gone)
{
    for (int kind = 0; kind < 3; kind++) {
        struct laid_out scene = change_laid_out(resizes[_i], false);
        if (kind == 1) {
            put_another(scene.undo);
        } else {
            unlink(scene.undo);
        }
        if (kind == 2) {
            guest_writes(&scene);
        }
        const struct witness image = witness_of(scene.image),
                             backing = witness_of(scene.s->model->backing_path);
        put_journal(&scene, RECORD_UNDO_COPY);
        recover_it(&scene, "the old image is gone"); /* given up: there is nothing to go back to */
        witness_check(&image, "the old image is gone");
        witness_check(&backing, "the old image is gone");
        must(scene.s->copy == NULL || file_exists(scene.s->copy), "the private backing file is gone");
        layout_end(&scene);
    }
}
END_TEST

START_TEST(undo_in_place)
{
    const enum operation operation = resizes[_i];
    struct laid_out scene = change_laid_out(operation, true);
    put_journal(&scene, RECORD_UNDO_HEADER);
    becomes_old(&scene, "nothing is done yet");

    scene = change_laid_out(operation, true);
    file_write_at(scene.image, 0, scene.s->old_file, 512);
    put_journal(&scene, RECORD_UNDO_HEADER);
    becomes_old(&scene, "the old header");

    scene = change_laid_out(operation, true);
    revive(&scene, scene.image);
    put_journal(&scene, RECORD_UNDO_HEADER);
    becomes_old(&scene, "the old bytes");

    scene = change_laid_out(operation, true);
    revive(&scene, scene.image);
    old_backing(&scene);
    unlink(scene.undo);
    put_journal(&scene, RECORD_UNDO_HEADER);
    becomes_old(&scene, "all but the journal");

    scene = change_laid_out(operation, true);
    guest_writes(&scene);
    put_journal(&scene, RECORD_UNDO_HEADER);
    becomes_new_with_guest(&scene, "a guest wrote to the new image");

    scene = change_laid_out(operation, true);
    revive(&scene, scene.image);
    old_backing(&scene);
    guest_writes(&scene);
    put_journal(&scene, RECORD_UNDO_HEADER);
    becomes_old_with_guest(&scene, "a guest wrote to the old image");
}
END_TEST

Suite *recover_suite(void)
{
    Suite *suite = suite_create("recover");
    TCase *tc = tcase_create("recover");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, copy_before_the_rename, 0, 3);
    tcase_add_loop_test(tc, copy_with_another_new_file, 0, 3);
    tcase_add_test(tc, copy_without_its_private_backing);
    tcase_add_loop_test(tc, copy_after_the_rename, 0, 3);
    tcase_add_loop_test(tc, in_place_before_the_header, 0, 3);
    tcase_add_loop_test(tc, in_place_after_the_header, 0, 3);
    tcase_add_loop_test(tc, undo_of_a_copy, 0, 3);
    tcase_add_loop_test(tc, undo_of_a_copy_whose_old_image_is_gone, 0, 3);
    tcase_add_loop_test(tc, undo_in_place, 0, 3);
    suite_add_tcase(suite, tc);
    return suite;
}
