/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A change that is done, laid out anew in any state, and what recovery makes of it.
 */
#include "recovering.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct laid_out change_laid_out(enum operation operation, bool in_place)
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
    struct laid_out scene = {.s = subject_create(&change),
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

void layout_end(struct laid_out *scene)
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

void set_date(const char *path, struct timespec mtime)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, mtime};
    must(utimensat(AT_FDCWD, path, times, 0) == 0, "%s: %s", path, strerror(errno));
}

void move_file(const char *from, const char *to)
{
    must(rename(from, to) == 0, "%s: %s", from, strerror(errno));
}

void put_another(const char *path)
{
    char *other = test_path("other");
    file_write(other, "somebody else's", 15);
    move_file(other, path);
    free(other);
}

void put_journal(const struct laid_out *scene, uint32_t kind)
{
    uint8_t *bytes;
    size_t n;
    struct cow_error err = {.status = 0};
    scene->record->kind = kind;
    must_succeed(record_encode(&bytes, &n, scene->record, &err), err);
    file_write(scene->journal, bytes, n);
    free(bytes);
}

void revive(const struct laid_out *scene, const char *path)
{
    const struct subject *s = scene->s;
    file_write_at(path, 0, s->old_file, (size_t)s->image.facts.st_size);
    file_truncate(path, (uint64_t)s->image.facts.st_size);
    must(chmod(path, s->image.facts.st_mode & 07777) == 0, "%s: %s", path, strerror(errno));
    set_date(path, s->image.facts.st_mtim);
}

void before_the_rename(const struct laid_out *scene)
{
    move_file(scene->image, scene->fresh);
    move_file(scene->undo, scene->image);
    revive(scene, scene->image);
}

void backing_length(const struct laid_out *scene, uint64_t size_bytes, bool dated)
{
    file_truncate(scene->s->model->backing_path, size_bytes);
    if (dated) {
        set_date(scene->s->model->backing_path, scene->s->backing.facts.st_mtim);
    }
}

void guest_writes(const struct laid_out *scene)
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

void recover_it(const struct laid_out *scene, const char *where)
{
    struct cow_error err = {.status = 0};
    int status = subject_recover(scene->s, NULL, &err);
    must(status == 0, "%s: %s: %s", where, subject_describe(scene->s), err.message);
    must(!file_exists(scene->journal), "%s: the journal is still there", where);
    must_fail(subject_recover(scene->s, NULL, &err), COW_REFUSED, err);
}
