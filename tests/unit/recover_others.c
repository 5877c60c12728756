/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Recovery where others were at work: images and backing files that are not the record's business, or have
 * been written to since; they are left alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/commit/settle.h"
#include "core/ledger/state.h"
#include "recovering.h"

/* ---- building blocks ---- */

/* Refused, and nothing is touched. */
static void refused(const struct laid_out *scene, int wanted, const char *where)
{
    struct cow_error err = {.status = 0};
    const struct witness image = witness_of(scene->image),
                         backing = witness_of(scene->s->model->backing_path),
                         journal = witness_of(scene->journal);
    char *before = directory_list(test_directory());
    int status = subject_recover(scene->s, NULL, &err);
    must(status == wanted, "%s: %s: %d: %s", where, subject_describe(scene->s), status, err.message);
    must_fail(status, wanted, err);
    must(err.hint[0] != '\0' || wanted == COW_IO, "%s: no hint", where);
    witness_check(&image, where);
    witness_check(&backing, where);
    witness_check(&journal, where);
    char *after = directory_list(test_directory());
    ck_assert_str_eq(after, before);
    free(before);
    free(after);
}

/* ---- what is not the record's business ---- */

static const uint32_t kinds[] = {RECORD_COPY, RECORD_HEADER, RECORD_UNDO_COPY, RECORD_UNDO_HEADER};

START_TEST(a_strange_image_is_left_alone)
{
    const bool in_place = kinds[_i] == RECORD_HEADER || kinds[_i] == RECORD_UNDO_HEADER;
    char *other;
    struct laid_out scene = change_laid_out(OPERATION_EXTEND, in_place);
    const int keeps_number = open(scene.image, O_RDONLY | O_CLOEXEC); /* that no other file shall have */
    other = test_path("other");
    file_write(other, scene.new_file, scene.new_bytes); /* the new bytes in another file, of another time */
    file_set_mtime(other, MODEL_MTIME + 5);
    move_file(other, scene.image);
    put_journal(&scene, kinds[_i]);
    refused(&scene, COW_REFUSED, "another file");
    file_write(other, scene.s->old_file, (size_t)scene.s->image.facts.st_size);
    file_set_mtime(other, MODEL_MTIME + 5);
    move_file(other, scene.image);
    refused(&scene, COW_REFUSED, "another file");
    close(keeps_number);
    layout_end(&scene);
    free(other);

    scene = change_laid_out(OPERATION_EXTEND, in_place); /* our file, with a header that somebody edited */
    file_write_at(scene.image, 8, "\x11\x22\x33\x44", 4);
    put_journal(&scene, kinds[_i]);
    refused(&scene, COW_REFUSED, "another header");
    layout_end(&scene);
}
END_TEST

START_TEST(a_backing_of_neither_size_is_left_alone)
{
    const bool in_place = kinds[_i] == RECORD_HEADER || kinds[_i] == RECORD_UNDO_HEADER;
    static const uint64_t sizes[] = {0, (OLD_SECTORS - 1) * 512, (OLD_SECTORS + 1) * 512,
                                     (NEW_SECTORS + 1) * 512};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct laid_out scene = change_laid_out(OPERATION_EXTEND, in_place);
        backing_length(&scene, sizes[i], true);
        put_journal(&scene, kinds[_i]);
        refused(&scene, COW_REFUSED, "neither size");
        backing_length(&scene, OLD_SECTORS * 512, true); /* as the hint says */
        recover_it(&scene, "one of the sizes again");
        layout_end(&scene);

        scene = change_laid_out(OPERATION_EXTEND, in_place); /* the same with the old image */
        if (in_place) {
            file_write_at(scene.image, 0, scene.s->old_file, 512);
        } else {
            before_the_rename(&scene);
        }
        backing_length(&scene, sizes[i], true);
        put_journal(&scene, kinds[_i]);
        refused(&scene, COW_REFUSED, "neither size, the old image");
        layout_end(&scene);
    }
}
END_TEST

/* ---- is the backing file ours to touch? ---- */

static void write_into(const char *path, uint64_t offset)
{
    file_write_at(path, offset, "merged", 6);
}

/* What an admin does between the crash and the recovery. */
enum event { EVENT_NONE, EVENT_WRITTEN, EVENT_TOUCHED, EVENT_REPLACED, EVENT_TAIL, EVENT_TAIL_DATED, EVENTS };

static void happen(const struct laid_out *scene, enum event event, struct timespec later)
{
    const char *path = scene->s->model->backing_path;
    if (event == EVENT_WRITTEN) {
        write_into(path, 0);
    } else if (event == EVENT_REPLACED) {
        const uint64_t n = file_size(path);
        put_another(path);
        file_truncate(path, n);
    } else if (event == EVENT_TAIL || event == EVENT_TAIL_DATED) {
        write_into(path, (OLD_SECTORS + 3) * 512);
    }
    if (event == EVENT_TAIL_DATED) {
        set_date(path, scene->record->backing_mtime);
    } else if (event != EVENT_NONE) {
        set_date(path, later);
    }
}

START_TEST(a_backing_that_was_worked_on_since_is_left_alone)
{
    const bool undoes = kinds[_i] == RECORD_UNDO_COPY || kinds[_i] == RECORD_UNDO_HEADER;
    const bool in_place = kinds[_i] == RECORD_HEADER || kinds[_i] == RECORD_UNDO_HEADER;
    for (int event = 0; event < EVENTS; event++) {
        for (int old_size = 0; old_size < 2; old_size++) {
            struct laid_out scene = change_laid_out(OPERATION_EXTEND, in_place);
            struct stat journal;
            const bool in_tail = event == EVENT_TAIL || event == EVENT_TAIL_DATED;
            if (in_tail && (old_size != 0 || !undoes)) { /* nothing is cut there */
                layout_end(&scene);
                continue;
            }
            put_journal(&scene, kinds[_i]);
            must(stat(scene.journal, &journal) == 0, "stat");
            /* as the kill left it: lengthened, or cut again, and not dated yet */
            file_truncate(scene.s->model->backing_path, (old_size != 0 ? OLD_SECTORS : NEW_SECTORS) * 512);
            struct timespec later = journal.st_mtim;
            set_date(scene.s->model->backing_path, journal.st_mtim);
            later.tv_sec += event == EVENT_TAIL ? 0 : 5;
            happen(&scene, (enum event)event, later);
            if (event == EVENT_NONE) {
                recover_it(&scene, "as the kill left it");
                must(file_mtime(scene.s->model->backing_path) == scene.record->backing_mtime.tv_sec,
                     "not dated");
            } else {
                refused(&scene, COW_REFUSED, "worked on since");
            }
            if (event == EVENT_TOUCHED) { /* as the hint says */
                set_date(scene.s->model->backing_path, scene.record->backing_mtime);
                recover_it(&scene, "given its date again");
            }
            layout_end(&scene);
        }
    }
}
END_TEST

/* One of another length, or of another date while it is another file, is refused by the settling itself, too:
 * a failed change is taken back by the same function. */
START_TEST(settling_asks_itself)
{
    struct laid_out scene = change_laid_out(OPERATION_EXTEND, true);
    const char *path = scene.s->model->backing_path;
    put_journal(&scene, RECORD_HEADER);
    for (int i = 0; i < 2; i++) {
        file_truncate(path, i == 0 ? (NEW_SECTORS + 1) * 512 : NEW_SECTORS * 512);
        set_date(path, i == 0 ? scene.record->backing_mtime : (struct timespec){.tv_sec = 5});
        const struct witness before = witness_of(path);
        int fd = open(path, O_RDWR);
        must(settle_backing(&io_system, scene.record, scene.image, fd, true) == -EBUSY, "%d: it was touched",
             i);
        close(fd);
        witness_check(&before, "settling");
    }
    layout_end(&scene);
}
END_TEST

/* What a careful admin does first: a link to the old image. It is not marked, and no undo data. */
START_TEST(a_link_that_was_made_since_is_left_as_it_is)
{
    struct laid_out scene = change_laid_out(OPERATION_EXTEND, false);
    char *backup = test_path("backup");
    move_file(scene.undo, scene.old);
    revive(&scene, scene.old);
    must(link(scene.old, backup) == 0, "link");
    put_journal(&scene, RECORD_COPY);
    const struct witness before = witness_of(backup);
    recover_it(&scene, "after the rename");
    must(witness_same_content(&before), "the backup was written");
    must(!file_exists(scene.undo) && !file_exists(scene.old), "the old image has kept a name");
    free(backup);
    layout_end(&scene);
}
END_TEST

/* The undo file is the old image by its header's sum, not by its inode number and shape alone. */
START_TEST(an_old_image_with_another_header_is_none)
{
    struct laid_out scene = change_laid_out(OPERATION_KEEP, false);
    must(state_has_undo(&io_system, scene.record, scene.undo) == 1, "the test itself");
    file_write_at(scene.undo, 8, "\x01\x02\x03\x04", 4); /* the date of the backing file */
    must(state_has_undo(&io_system, scene.record, scene.undo) == 0, "it was taken for the old image");
    layout_end(&scene);
}
END_TEST

START_TEST(a_private_backing_that_was_written_is_kept)
{
    struct laid_out scene = change_laid_out(OPERATION_COPY, true);
    file_write_at(scene.image, 0, scene.s->old_file, 512);
    put_journal(&scene, RECORD_HEADER);
    write_into(scene.s->copy, 100);
    const struct witness before = witness_of(scene.s->copy);
    recover_it(&scene, "back");
    witness_check(&before, "somebody wrote to it");
    layout_end(&scene);
}
END_TEST

START_TEST(what_happens_after_the_plan_is_noticed)
{
    const bool in_place = kinds[_i] == RECORD_HEADER || kinds[_i] == RECORD_UNDO_HEADER;
    for (int event = 0; event < 4; event++) {
        struct cow_error err = {.status = 0};
        struct cow_image *img;
        struct cow_plan *plan;
        const struct cow_open_options quick = {.io = quick_io()};
        struct laid_out scene = change_laid_out(OPERATION_EXTEND, in_place);
        const bool undoes = kinds[_i] == RECORD_UNDO_COPY || kinds[_i] == RECORD_UNDO_HEADER;
        const struct record was = *scene.record;
        if (event == 3 && undoes) { /* a base that is not held would have to have another date */
            scene.record->old_mode ^= 1;
        } else if (event == 3) {
            scene.record->extends = 0;
        }
        put_journal(&scene, kinds[_i]);
        must_succeed(cow_image_open(&img, scene.image, &quick, &err), err);
        must_succeed(cow_plan_recover(&plan, img, &err), err);
        must(is_terminal_safe(cow_plan_preview(plan)->command) &&
                 strncmp(cow_plan_preview(plan)->command, "cowtui recover ", 15) == 0,
             "%s", cow_plan_preview(plan)->command);
        if (event == 0) { /* another cowtui has done it */
            unlink(scene.journal);
        } else if (event == 1) {
            guest_writes(&scene);
        } else if (event == 2) {
            file_set_mtime(scene.s->model->backing_path, MODEL_MTIME + 3);
        } else { /* another change was begun, and cut off: one that writes a file that the plan does not hold
                  */
            unlink(scene.journal);
            *scene.record = was;
            put_journal(&scene, kinds[_i]);
        }
        const struct witness image = witness_of(scene.image),
                             backing = witness_of(scene.s->model->backing_path);
        must_fail(cow_plan_commit(plan, NULL, &err), COW_REFUSED, err);
        witness_check(&image, "after the plan");
        witness_check(&backing, "after the plan");
        cow_plan_free(plan);
        cow_image_close(img);
        layout_end(&scene);
    }
}
END_TEST

/* Shown was that the new image is put in place; since then it has gone, so the old one would stay. */
START_TEST(another_way_than_was_shown_is_not_taken)
{
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    struct laid_out scene = change_laid_out(OPERATION_EXTEND, false);
    before_the_rename(&scene);
    put_journal(&scene, RECORD_COPY);
    must_succeed(cow_image_open(&img, scene.image, NULL, &err), err);
    must_succeed(cow_plan_recover(&plan, img, &err), err);
    ck_assert_int_eq(cow_plan_preview(plan)->method, COW_METHOD_FORWARD);
    unlink(scene.fresh);
    const struct witness image = witness_of(scene.image), backing = witness_of(scene.s->model->backing_path);
    must_fail(cow_plan_commit(plan, NULL, &err), COW_REFUSED, err);
    must(strstr(err.hint, "back") != NULL, "%s", err.hint);
    must(file_exists(scene.journal), "the journal has gone");
    witness_check(&image, "another way");
    witness_check(&backing, "another way");
    cow_plan_free(plan);
    cow_image_close(img);
    layout_end(&scene);
}
END_TEST

/* A date that cannot be put back is known before anything is written. */
static int foreign_futimens(void *context, int fd, const struct timespec times[2])
{
    struct stat facts;
    const struct subject *s = context;
    if (fstat(fd, &facts) == 0 && facts.st_ino == s->backing.facts.st_ino) {
        return -EPERM;
    }
    return io_system.futimens(NULL, fd, times);
}

START_TEST(a_backing_that_belongs_to_somebody_else)
{
    for (int way = 0; way < 2; way++) {
        struct cow_error err = {.status = 0};
        bool planned;
        struct laid_out scene = change_laid_out(OPERATION_EXTEND, way == 0);
        struct subject *s = scene.s;
        must_succeed(subject_undo(s, NULL, &err), err);
        struct cow_io io = *quick_io();
        io.context = s;
        io.futimens = foreign_futimens;
        int status = subject_run(s, &io, NULL, &planned, &err);
        must_fail(status, COW_IO, err);
        subject_check_untouched(s, "somebody else's backing");
        layout_end(&scene);
    }
}
END_TEST

Suite *recover_others_suite(void)
{
    Suite *suite = suite_create("recover-others");
    TCase *tc = tcase_create("recover others");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, a_strange_image_is_left_alone, 0, 4);
    tcase_add_loop_test(tc, a_backing_of_neither_size_is_left_alone, 0, 4);
    tcase_add_loop_test(tc, a_backing_that_was_worked_on_since_is_left_alone, 0, 4);
    tcase_add_test(tc, settling_asks_itself);
    tcase_add_test(tc, a_link_that_was_made_since_is_left_as_it_is);
    tcase_add_test(tc, an_old_image_with_another_header_is_none);
    tcase_add_test(tc, a_private_backing_that_was_written_is_kept);
    tcase_add_loop_test(tc, what_happens_after_the_plan_is_noticed, 0, 4);
    tcase_add_test(tc, another_way_than_was_shown_is_not_taken);
    tcase_add_test(tc, a_backing_that_belongs_to_somebody_else);
    suite_add_tcase(suite, tc);
    return suite;
}
