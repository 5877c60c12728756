/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Recovery over states that are made by hand: each kind of record, with the old, the new and a strange image,
 * complete and incomplete new files, a guest that wrote in between, files that are gone, and backing files of
 * either size and of neither. (Those that a crash really leaves are in the suite of faults.)
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "changes.h"
#include "core/commit/settle.h"
#include "core/ledger/record_codec.h"
#include "core/ledger/state.h"

enum { OLD_SECTORS = 301, NEW_SECTORS = 444 };

/* A change that is done, and all that it knows, to lay it out anew in any state. */
struct scene {
    struct subject *s;
    struct record *record;
    uint8_t *new_file; /* the new image's bytes */
    uint64_t new_bytes;
    char *image, *undo, *old, *fresh, *journal;
};

static struct scene scene_of(enum operation operation, bool in_place)
{
    const struct change change = {.operation = operation,
                                  .spec = {.format = COW_FORMAT_V3,
                                           .sector_bytes = 512,
                                           .alignment = 4096,
                                           .size_bytes = OLD_SECTORS * 512,
                                           .backing_bytes = OLD_SECTORS * 512,
                                           .pattern = PATTERN_RUNS,
                                           .garbage = true,
                                           .seed = 13},
                                  .new_bytes = NEW_SECTORS * 512,
                                  .reserve_bytes = in_place ? 0 : UINT64_C(1) << 30};
    struct cow_error err = {.status = 0};
    bool planned;
    uint64_t offset;
    struct scene scene = {.s = subject_create(&change),
                          .record = calloc(1, sizeof *scene.record),
                          .image = test_path("m"),
                          .undo = test_path(".m.cowtui-undo"),
                          .old = test_path(".m.cowtui-old"),
                          .fresh = test_path(".m.cowtui-new"),
                          .journal = test_path(".m.cowtui-journal")};
    must(scene.s->in_place == in_place && !scene.s->model->dirty[OLD_SECTORS - 1], "the test itself");
    must_succeed(subject_run(scene.s, NULL, NULL, &planned, &err), err);
    int fd = open(scene.undo, O_RDONLY | O_CLOEXEC);
    must_succeed(record_read(scene.record, &offset, &io_system, fd, &err), err);
    close(fd);
    scene.new_bytes = file_size(scene.image);
    scene.new_file = malloc(scene.new_bytes);
    must(scene.new_file != NULL, "out of memory");
    file_read(scene.image, 0, scene.new_file, scene.new_bytes);
    return scene;
}

static void scene_end(struct scene *scene)
{
    record_clear(scene->record);
    free(scene->record);
    free(scene->new_file);
    free(scene->image);
    free(scene->undo);
    free(scene->old);
    free(scene->fresh);
    free(scene->journal);
    subject_free(scene->s);
}

/* ---- building blocks ---- */

static void set_date(const char *path, struct timespec mtime)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, mtime};
    must(utimensat(AT_FDCWD, path, times, 0) == 0, "%s: %s", path, strerror(errno));
}

static void move(const char *from, const char *to)
{
    must(rename(from, to) == 0, "%s: %s", from, strerror(errno));
}

/* Another file by that name. The old one goes last, for a filesystem may give its inode number away at once.
 */
static void put_another(const char *path)
{
    char *other = test_path("other");
    file_write(other, "somebody else's", 15);
    move(other, path);
    free(other);
}

static void put_journal(const struct scene *scene, uint32_t kind)
{
    uint8_t *bytes;
    size_t n;
    struct cow_error err = {.status = 0};
    scene->record->kind = kind;
    must_succeed(record_encode(&bytes, &n, scene->record, &err), err);
    file_write(scene->journal, bytes, n);
    free(bytes);
}

/* The file of the old image (by whatever name) as it was before the change. */
static void revive(const struct scene *scene, const char *path)
{
    const struct subject *s = scene->s;
    file_write_at(path, 0, s->old_file, (size_t)s->image.facts.st_size);
    file_truncate(path, (uint64_t)s->image.facts.st_size);
    must(chmod(path, s->image.facts.st_mode & 07777) == 0, "%s: %s", path, strerror(errno));
    set_date(path, s->image.facts.st_mtim);
}

/* The image is the old one again, the new one is beside it. */
static void before_the_rename(const struct scene *scene)
{
    move(scene->image, scene->fresh);
    move(scene->undo, scene->image);
    revive(scene, scene->image);
}

static void backing_length(const struct scene *scene, uint64_t size_bytes, bool dated)
{
    file_truncate(scene->s->model->backing_path, size_bytes);
    if (dated) {
        set_date(scene->s->model->backing_path, scene->s->backing.facts.st_mtim);
    }
}

static void old_backing(const struct scene *scene)
{
    if (scene->s->change.operation == OPERATION_EXTEND) {
        backing_length(scene, OLD_SECTORS * 512, true);
    }
}

/* A guest sets the bit of the last old sector, in the byte that old and new bits share, and writes there. */
static void guest_writes(const struct scene *scene)
{
    const struct geometry *g = &scene->s->model->geometry;
    struct model_view view;
    must(model_read_header(&view, scene->image, COW_FORMAT_V3), "header");
    const uint64_t bit_at = view.geometry.bitmap_offset + (g->sectors - 1) / 8;
    uint8_t byte;
    file_read(scene->image, bit_at, &byte, 1);
    byte |= (uint8_t)(1u << (g->sectors - 1) % 8);
    file_write_at(scene->image, bit_at, &byte, 1);
    file_write_at(scene->image, view.geometry.data_offset + (g->sectors - 1) * 512, "the guest was here", 18);
}

/* What the guest sees in that sector now. */
static bool guest_is_kept(const struct scene *scene)
{
    uint64_t size;
    uint8_t *disk = model_compose(scene->image, COW_FORMAT_V3, NULL, &size);
    bool kept = disk != NULL && size >= OLD_SECTORS * 512 &&
                memcmp(disk + (OLD_SECTORS - 1) * 512, "the guest was here", 18) == 0;
    free(disk);
    return kept;
}

static void recover(const struct scene *scene, const char *where)
{
    struct cow_error err = {.status = 0};
    int status = subject_recover(scene->s, NULL, &err);
    must(status == 0, "%s: %s: %s", where, subject_describe(scene->s), err.message);
    must(!file_exists(scene->journal), "%s: the journal is still there", where);
    must_fail(subject_recover(scene->s, NULL, &err), COW_REFUSED, err);
}

/* Refused, and nothing is touched. */
static void refused(const struct scene *scene, int wanted, const char *where)
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

static void becomes_new(struct scene *scene, const char *where)
{
    recover(scene, where);
    subject_check_settled(scene->s, OUTCOME_NEW, where);
    subject_check_undo(scene->s, where);
    scene_end(scene);
}

static void becomes_old(struct scene *scene, const char *where)
{
    recover(scene, where);
    subject_check_settled(scene->s, OUTCOME_OLD, where);
    scene_end(scene);
}

/* The old image with what the guest wrote; nothing of the new one. */
static void becomes_old_with_guest(struct scene *scene, const char *where)
{
    recover(scene, where);
    must(guest_is_kept(scene), "%s: what the guest wrote is lost", where);
    struct model_view view;
    must(model_read_header(&view, scene->image, COW_FORMAT_V3) && view.size_bytes == OLD_SECTORS * 512,
         "%s: not the old size", where);
    subject_check_names(scene->s, OUTCOME_OLD, where);
    witness_check(&scene->s->backing, where);
    scene_end(scene);
}

static void becomes_new_with_guest(struct scene *scene, const char *where)
{
    struct cow_error err = {.status = 0};
    recover(scene, where);
    must(guest_is_kept(scene), "%s: what the guest wrote is lost", where);
    struct model_view view;
    must(model_read_header(&view, scene->image, COW_FORMAT_V3) && view.size_bytes == NEW_SECTORS * 512,
         "%s: not the new size", where);
    subject_check_names(scene->s, OUTCOME_NEW, where);
    must_fail(subject_undo(scene->s, NULL, &err), COW_REFUSED, err); /* it would lose that */
    must(guest_is_kept(scene), "%s: undo lost it", where);
    scene_end(scene);
}

static const enum operation operations[] = {OPERATION_EXTEND, OPERATION_COPY, OPERATION_KEEP};
static const uint8_t mark[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* ---- a copy ---- */

START_TEST(copy_before_the_rename)
{
    const enum operation operation = operations[_i];
    struct scene scene = scene_of(operation, false);
    before_the_rename(&scene); /* the new file is complete, the backing is lengthened */
    put_journal(&scene, RECORD_COPY);
    becomes_new(&scene, "complete");

    scene = scene_of(operation, false);
    before_the_rename(&scene);
    old_backing(&scene);
    put_journal(&scene, RECORD_COPY);
    becomes_new(&scene, "complete, backing not yet lengthened");

    scene = scene_of(operation, false);
    before_the_rename(&scene);
    set_date(scene.fresh, (struct timespec){1, 1});
    put_journal(&scene, RECORD_COPY);
    becomes_new(&scene, "complete, not yet dated");

    scene = scene_of(operation, false);
    before_the_rename(&scene);
    must(link(scene.image, scene.old) == 0, "link"); /* it was about to be renamed */
    put_journal(&scene, RECORD_COPY);
    becomes_new(&scene, "complete, the old one linked");

    scene = scene_of(operation, false);
    before_the_rename(&scene);
    file_write_at(scene.fresh, shapes[COW_FORMAT_V3].size, mark, sizeof mark);
    put_journal(&scene, RECORD_COPY);
    becomes_old(&scene, "marked unfinished");

    scene = scene_of(operation, false);
    before_the_rename(&scene);
    file_write_at(scene.fresh, 100, "?", 1); /* another header than was meant */
    put_journal(&scene, RECORD_COPY);
    becomes_old(&scene, "another header");

    scene = scene_of(operation, false);
    before_the_rename(&scene);
    unlink(scene.fresh);
    old_backing(&scene);
    put_journal(&scene, RECORD_COPY);
    becomes_old(&scene, "no new file");

    scene = scene_of(operation, false);
    before_the_rename(&scene);
    file_truncate(scene.fresh, 0);
    must(link(scene.image, scene.old) == 0, "link");
    put_journal(&scene, RECORD_COPY);
    becomes_old(&scene, "empty, the old one linked");

    scene = scene_of(operation, false);
    before_the_rename(&scene);
    guest_writes(&scene);
    put_journal(&scene, RECORD_COPY);
    becomes_old_with_guest(&scene, "a guest wrote to the old image");
}
END_TEST

START_TEST(copy_with_another_new_file)
{
    struct scene scene = scene_of(operations[_i], false);
    char *other = test_path("other");
    before_the_rename(&scene);
    file_write(other, scene.new_file, scene.new_bytes);
    move(other, scene.fresh); /* the same bytes, but another file */
    const struct witness theirs = witness_of(scene.fresh);
    put_journal(&scene, RECORD_COPY);
    recover(&scene, "another new file");
    witness_check(&theirs, "another new file");
    unlink(scene.fresh);
    subject_check_settled(scene.s, OUTCOME_OLD, "another new file");
    free(other);
    scene_end(&scene);
}
END_TEST

START_TEST(copy_without_its_private_backing)
{
    for (int kind = 0; kind < 2; kind++) {
        struct scene scene = scene_of(OPERATION_COPY, false);
        before_the_rename(&scene);
        if (kind == 0) {
            unlink(scene.s->copy);
        } else {
            put_another(scene.s->copy);
        }
        put_journal(&scene, RECORD_COPY);
        recover(&scene, "no private backing");
        must(subject_outcome(scene.s) == OUTCOME_OLD, "it took a new image without its backing");
        witness_check(&scene.s->image, "no private backing");
        must(file_exists(scene.s->copy) == (kind == 1), "the other file");
        scene_end(&scene);
    }
}
END_TEST

START_TEST(copy_after_the_rename)
{
    const enum operation operation = operations[_i];
    for (int state = 0; state < 4; state++) {
        struct scene scene = scene_of(operation, false);
        if (state < 2) {
            move(scene.undo, scene.old);
        }
        if (state == 0) { /* not yet stamped */
            revive(&scene, scene.old);
        } else if (state == 3) { /* half stamped: the record, and no mark */
            move(scene.undo, scene.old);
            file_write_at(scene.old, shapes[COW_FORMAT_V3].size,
                          scene.s->old_file + shapes[COW_FORMAT_V3].size, 8);
        }
        put_journal(&scene, RECORD_COPY);
        becomes_new(&scene, "after the rename");
    }
    struct scene scene = scene_of(operation, false);
    move(scene.undo, scene.old);
    revive(&scene, scene.old);
    guest_writes(&scene);
    put_journal(&scene, RECORD_COPY);
    becomes_new_with_guest(&scene, "after the rename, a guest wrote");

    scene = scene_of(operation, false);
    unlink(scene.undo);
    put_journal(&scene, RECORD_COPY);
    recover(&scene, "nothing to undo with");
    must(subject_outcome(scene.s) == OUTCOME_NEW, "the new image");
    struct cow_error err = {.status = 0};
    must_fail(subject_undo(scene.s, NULL, &err), COW_REFUSED, err);
    scene_end(&scene);
}
END_TEST

/* ---- in place ---- */

START_TEST(in_place_before_the_header)
{
    const enum operation operation = operations[_i];
    for (int state = 0; state < 6; state++) {
        struct scene scene = scene_of(operation, true);
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
    struct scene scene = scene_of(operation, true);
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
    const enum operation operation = operations[_i];
    struct scene scene = scene_of(operation, true);
    unlink(scene.undo);
    put_journal(&scene, RECORD_HEADER);
    becomes_new(&scene, "after the header");

    scene = scene_of(operation, true); /* there is undo data of a change before */
    file_write(scene.undo, "of an earlier change", 20);
    put_journal(&scene, RECORD_HEADER);
    becomes_new(&scene, "after the header, older undo data");

    scene = scene_of(operation, true);
    unlink(scene.undo);
    guest_writes(&scene);
    put_journal(&scene, RECORD_HEADER);
    becomes_new_with_guest(&scene, "after the header, a guest wrote");
}
END_TEST

/* ---- going back ---- */

START_TEST(undo_of_a_copy)
{
    const enum operation operation = operations[_i];
    struct scene scene = scene_of(operation, false);
    put_journal(&scene, RECORD_UNDO_COPY);
    becomes_old(&scene, "nothing is done yet");

    scene = scene_of(operation, false);
    revive(&scene, scene.undo);
    put_journal(&scene, RECORD_UNDO_COPY);
    becomes_old(&scene, "revived");

    scene = scene_of(operation, false);
    revive(&scene, scene.undo);
    old_backing(&scene);
    put_journal(&scene, RECORD_UNDO_COPY);
    becomes_old(&scene, "revived, backing cut");

    scene = scene_of(operation, false);
    revive(&scene, scene.undo);
    move(scene.undo, scene.image);
    put_journal(&scene, RECORD_UNDO_COPY);
    becomes_old(&scene, "in its place again");

    scene = scene_of(operation, false);
    guest_writes(&scene);
    put_journal(&scene, RECORD_UNDO_COPY);
    becomes_new_with_guest(&scene, "a guest wrote before anything was done");

    scene = scene_of(operation, false);
    revive(&scene, scene.undo);
    guest_writes(&scene);
    put_journal(&scene, RECORD_UNDO_COPY);
    becomes_new_with_guest(&scene, "a guest wrote after the old image was revived");
}
END_TEST

START_TEST(undo_of_a_copy_whose_old_image_is_gone)
{
    for (int kind = 0; kind < 3; kind++) {
        struct scene scene = scene_of(operations[_i], false);
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
        recover(&scene, "the old image is gone"); /* given up: there is nothing to go back to */
        witness_check(&image, "the old image is gone");
        witness_check(&backing, "the old image is gone");
        must(scene.s->copy == NULL || file_exists(scene.s->copy), "the private backing file is gone");
        scene_end(&scene);
    }
}
END_TEST

START_TEST(undo_in_place)
{
    const enum operation operation = operations[_i];
    struct scene scene = scene_of(operation, true);
    put_journal(&scene, RECORD_UNDO_HEADER);
    becomes_old(&scene, "nothing is done yet");

    scene = scene_of(operation, true);
    file_write_at(scene.image, 0, scene.s->old_file, 512);
    put_journal(&scene, RECORD_UNDO_HEADER);
    becomes_old(&scene, "the old header");

    scene = scene_of(operation, true);
    revive(&scene, scene.image);
    put_journal(&scene, RECORD_UNDO_HEADER);
    becomes_old(&scene, "the old bytes");

    scene = scene_of(operation, true);
    revive(&scene, scene.image);
    old_backing(&scene);
    unlink(scene.undo);
    put_journal(&scene, RECORD_UNDO_HEADER);
    becomes_old(&scene, "all but the journal");

    scene = scene_of(operation, true);
    guest_writes(&scene);
    put_journal(&scene, RECORD_UNDO_HEADER);
    becomes_new_with_guest(&scene, "a guest wrote to the new image");

    scene = scene_of(operation, true);
    revive(&scene, scene.image);
    old_backing(&scene);
    guest_writes(&scene);
    put_journal(&scene, RECORD_UNDO_HEADER);
    becomes_old_with_guest(&scene, "a guest wrote to the old image");
}
END_TEST

/* ---- what is not the record's business ---- */

static const uint32_t kinds[] = {RECORD_COPY, RECORD_HEADER, RECORD_UNDO_COPY, RECORD_UNDO_HEADER};

START_TEST(a_strange_image_is_left_alone)
{
    const bool in_place = kinds[_i] == RECORD_HEADER || kinds[_i] == RECORD_UNDO_HEADER;
    char *other;
    struct scene scene = scene_of(OPERATION_EXTEND, in_place);
    const int keeps_number = open(scene.image, O_RDONLY | O_CLOEXEC); /* that no other file shall have */
    other = test_path("other");
    file_write(other, scene.new_file, scene.new_bytes); /* the new bytes in another file, of another time */
    file_set_mtime(other, MODEL_MTIME + 5);
    move(other, scene.image);
    put_journal(&scene, kinds[_i]);
    refused(&scene, COW_REFUSED, "another file");
    file_write(other, scene.s->old_file, (size_t)scene.s->image.facts.st_size);
    file_set_mtime(other, MODEL_MTIME + 5);
    move(other, scene.image);
    refused(&scene, COW_REFUSED, "another file");
    close(keeps_number);
    scene_end(&scene);
    free(other);

    scene = scene_of(OPERATION_EXTEND, in_place); /* our file, with a header that somebody edited */
    file_write_at(scene.image, 8, "\x11\x22\x33\x44", 4);
    put_journal(&scene, kinds[_i]);
    refused(&scene, COW_REFUSED, "another header");
    scene_end(&scene);
}
END_TEST

START_TEST(a_backing_of_neither_size_is_left_alone)
{
    const bool in_place = kinds[_i] == RECORD_HEADER || kinds[_i] == RECORD_UNDO_HEADER;
    static const uint64_t sizes[] = {0, (OLD_SECTORS - 1) * 512, (OLD_SECTORS + 1) * 512,
                                     (NEW_SECTORS + 1) * 512};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct scene scene = scene_of(OPERATION_EXTEND, in_place);
        backing_length(&scene, sizes[i], true);
        put_journal(&scene, kinds[_i]);
        refused(&scene, COW_REFUSED, "neither size");
        backing_length(&scene, OLD_SECTORS * 512, true); /* as the hint says */
        recover(&scene, "one of the sizes again");
        scene_end(&scene);

        scene = scene_of(OPERATION_EXTEND, in_place); /* the same with the old image */
        if (in_place) {
            file_write_at(scene.image, 0, scene.s->old_file, 512);
        } else {
            before_the_rename(&scene);
        }
        backing_length(&scene, sizes[i], true);
        put_journal(&scene, kinds[_i]);
        refused(&scene, COW_REFUSED, "neither size, the old image");
        scene_end(&scene);
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

static void happen(const struct scene *scene, enum event event, struct timespec later)
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
            struct scene scene = scene_of(OPERATION_EXTEND, in_place);
            struct stat journal;
            const bool in_tail = event == EVENT_TAIL || event == EVENT_TAIL_DATED;
            if (in_tail && (old_size != 0 || !undoes)) { /* nothing is cut there */
                scene_end(&scene);
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
                recover(&scene, "as the kill left it");
                must(file_mtime(scene.s->model->backing_path) == scene.record->backing_mtime.tv_sec,
                     "not dated");
            } else {
                refused(&scene, COW_REFUSED, "worked on since");
            }
            if (event == EVENT_TOUCHED) { /* as the hint says */
                set_date(scene.s->model->backing_path, scene.record->backing_mtime);
                recover(&scene, "given its date again");
            }
            scene_end(&scene);
        }
    }
}
END_TEST

/* One of another length, or of another date while it is another file, is refused by the settling itself, too:
 * a failed change is taken back by the same function. */
START_TEST(settling_asks_itself)
{
    struct scene scene = scene_of(OPERATION_EXTEND, true);
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
    scene_end(&scene);
}
END_TEST

/* What a careful admin does first: a link to the old image. It is not marked, and no undo data. */
START_TEST(a_link_that_was_made_since_is_left_as_it_is)
{
    struct scene scene = scene_of(OPERATION_EXTEND, false);
    char *backup = test_path("backup");
    move(scene.undo, scene.old);
    revive(&scene, scene.old);
    must(link(scene.old, backup) == 0, "link");
    put_journal(&scene, RECORD_COPY);
    const struct witness before = witness_of(backup);
    recover(&scene, "after the rename");
    must(witness_same_content(&before), "the backup was written");
    must(!file_exists(scene.undo) && !file_exists(scene.old), "the old image has kept a name");
    free(backup);
    scene_end(&scene);
}
END_TEST

/* The undo file is the old image by its header's sum, not by its inode number and shape alone. */
START_TEST(an_old_image_with_another_header_is_none)
{
    struct scene scene = scene_of(OPERATION_KEEP, false);
    must(state_has_undo(&io_system, scene.record, scene.undo) == 1, "the test itself");
    file_write_at(scene.undo, 8, "\x01\x02\x03\x04", 4); /* the date of the backing file */
    must(state_has_undo(&io_system, scene.record, scene.undo) == 0, "it was taken for the old image");
    scene_end(&scene);
}
END_TEST

START_TEST(a_private_backing_that_was_written_is_kept)
{
    struct scene scene = scene_of(OPERATION_COPY, true);
    file_write_at(scene.image, 0, scene.s->old_file, 512);
    put_journal(&scene, RECORD_HEADER);
    write_into(scene.s->copy, 100);
    const struct witness before = witness_of(scene.s->copy);
    recover(&scene, "back");
    witness_check(&before, "somebody wrote to it");
    scene_end(&scene);
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
        struct scene scene = scene_of(OPERATION_EXTEND, in_place);
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
        scene_end(&scene);
    }
}
END_TEST

/* Shown was that the new image is put in place; since then it has gone, so the old one would stay. */
START_TEST(another_way_than_was_shown_is_not_taken)
{
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    struct scene scene = scene_of(OPERATION_EXTEND, false);
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
    scene_end(&scene);
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
        struct scene scene = scene_of(OPERATION_EXTEND, way == 0);
        struct subject *s = scene.s;
        must_succeed(subject_undo(s, NULL, &err), err);
        struct cow_io io = *quick_io();
        io.context = s;
        io.futimens = foreign_futimens;
        int status = subject_run(s, &io, NULL, &planned, &err);
        must_fail(status, COW_IO, err);
        subject_check_untouched(s, "somebody else's backing");
        scene_end(&scene);
    }
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
