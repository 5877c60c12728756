/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Changes over images of the model's, judged by the model.
 */
#include "changes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const operation_names[OPERATIONS] = {"create", "extend", "copy",
                                                        "keep",   "shrink", "merge"};

static bool is_resize(const struct subject *s)
{
    return s->change.operation != OPERATION_CREATE && s->change.operation != OPERATION_MERGE;
}

static bool has_backing(const struct subject *s)
{
    return s->model->backing_path != NULL;
}

bool subject_changes_image(const struct subject *s)
{
    return is_resize(s) && !s->change.elsewhere;
}

static char *side_name(const struct subject *s, const char *what)
{
    char name[64];
    snprintf(name, sizeof name, ".%s.cowtui-%s", strrchr(s->model->cow_path, '/') + 1, what);
    return test_path(name);
}

/* ---- making ---- */

/* The rule by which an image grows where it is: a v3 with sectors of 512 whose data offset stays, and with
 * keep nothing lies where the new sectors come to lie. */
static bool grows_in_place(const struct subject *s)
{
    const struct model_spec *spec = &s->change.spec;
    if (!subject_changes_image(s) || spec->format != COW_FORMAT_V3 || spec->sector_bytes != 512 ||
        s->new_bytes <= spec->size_bytes) {
        return false;
    }
    const uint64_t wanted = s->change.reserve_bytes > s->new_bytes ? s->change.reserve_bytes : s->new_bytes;
    const struct geometry later = model_geometry(COW_FORMAT_V3, wanted, 512, spec->alignment);
    return later.data_offset == s->model->geometry.data_offset &&
           (s->change.operation != OPERATION_COPY || strlen(s->copy) < 480) &&
           (s->change.operation != OPERATION_KEEP ||
            (spec->size_bytes % 512 == 0 &&
             (uint64_t)s->image.facts.st_size <= s->model->geometry.end_offset));
}

struct subject *subject_create(const struct change *change)
{
    struct subject *s = calloc(1, sizeof *s);
    must(s != NULL, "out of memory");
    s->change = *change;
    s->model = model_create(&change->spec);
    s->new_bytes = is_resize(s) ? change->new_bytes : change->spec.size_bytes;
    s->new_disk = calloc(s->new_bytes + 1, 1);
    memcpy(s->new_disk, s->model->disk,
           change->spec.size_bytes < s->new_bytes ? change->spec.size_bytes : s->new_bytes);
    if (change->operation == OPERATION_CREATE) {
        unlink(s->model->cow_path);
        memset(s->new_disk, 0, s->new_bytes);
        memcpy(s->new_disk, s->model->backing, s->new_bytes);
        s->target = strdup(s->model->cow_path);
    } else {
        s->target = change->operation == OPERATION_MERGE || change->elsewhere ? test_path("out")
                                                                              : strdup(s->model->cow_path);
        chmod(s->model->cow_path, 0640);
        subject_look_again(s);
    }
    if (change->operation == OPERATION_COPY || change->operation == OPERATION_SHRINK) {
        s->copy = test_path(change->elsewhere ? "out.backing" : "m.backing");
    }
    if (has_backing(s)) {
        s->backing = witness_of(s->model->backing_path);
    }
    s->in_place = grows_in_place(s);
    return s;
}

void subject_look_again(struct subject *s)
{
    free(s->old_file);
    s->image = witness_of(s->model->cow_path);
    s->old_file = malloc((size_t)s->image.facts.st_size + 1);
    must(s->old_file != NULL, "out of memory");
    file_read(s->model->cow_path, 0, s->old_file, (size_t)s->image.facts.st_size);
}

void subject_free(struct subject *s)
{
    test_directory_clear();
    model_free(s->model);
    free(s->target);
    free(s->copy);
    free(s->new_disk);
    free(s->old_file);
    free(s);
}

const char *subject_describe(const struct subject *s)
{
    static char text[512];
    snprintf(text, sizeof text, "%s%s to %" PRIu64 " of %s", operation_names[s->change.operation],
             s->change.elsewhere ? " elsewhere" : "", s->new_bytes, model_describe(s->model));
    return text;
}

/* ---- running ---- */

static int no_fsync(void *context, int fd)
{
    (void)context;
    (void)fd;
    return 0;
}

const struct cow_io *quick_io(void)
{
    static struct cow_io io;
    io = io_system;
    io.fsync = no_fsync;
    io.datasync = NULL;
    return &io;
}

static int plan_it(const struct subject *s, const struct cow_io *io, struct cow_plan **plan,
                   struct cow_image **img, struct cow_error *err)
{
    static const enum cow_policy policies[OPERATIONS] = {[OPERATION_EXTEND] = COW_POLICY_EXTEND,
                                                         [OPERATION_COPY] = COW_POLICY_COPY,
                                                         [OPERATION_KEEP] = COW_POLICY_KEEP,
                                                         [OPERATION_SHRINK] = COW_POLICY_COPY};
    if (s->change.operation == OPERATION_CREATE) {
        const struct cow_create_options options = {
            .path = s->target, .backing_path = s->model->backing_path, .force = s->change.force, .io = io};
        return cow_plan_create(plan, &options, err);
    }
    const struct cow_open_options open_options = {.io = io};
    int status = cow_image_open(img, s->model->cow_path, &open_options, err);
    if (status != 0) {
        return status;
    }
    if (s->change.operation == OPERATION_MERGE) {
        const struct cow_merge_options options = {.output_path = s->target, .force = s->change.force};
        return cow_plan_merge(plan, *img, &options, err);
    }
    const struct cow_resize_options options = {.size_bytes = s->new_bytes,
                                               .policy = policies[s->change.operation],
                                               .output_path = s->change.elsewhere ? s->target : NULL,
                                               .reserve_bytes = s->change.reserve_bytes,
                                               .shrink = s->change.operation == OPERATION_SHRINK,
                                               .force = s->change.force};
    return cow_plan_resize(plan, *img, &options, err);
}

int subject_run(const struct subject *s, const struct cow_io *io, const struct cow_env *env, bool *planned,
                struct cow_error *err)
{
    struct cow_plan *plan = NULL;
    struct cow_image *img = NULL;
    const unsigned files = open_files();
    *planned = false;
    int status = plan_it(s, io != NULL ? io : quick_io(), &plan, &img, err);
    if (status == 0) {
        *planned = true;
        status = cow_plan_commit(plan, env, err);
    }
    cow_plan_free(plan);
    cow_image_close(img);
    must(open_files() == files, "%s: a file was left open", subject_describe(s));
    return status;
}

int plan_and_commit(const char *path, plan_builder builder, const struct cow_io *io, struct cow_error *err)
{
    const struct cow_open_options options = {.io = io != NULL ? io : quick_io()};
    struct cow_plan *plan = NULL;
    struct cow_image *img = NULL;
    const unsigned files = open_files();
    int status = cow_image_open(&img, path, &options, err);
    if (status == 0) {
        status = builder(&plan, img, err);
    }
    if (status == 0) {
        status = cow_plan_commit(plan, NULL, err);
    }
    cow_plan_free(plan);
    cow_image_close(img);
    must(open_files() == files, "%s: a file was left open", path);
    return status;
}

int subject_undo(const struct subject *s, const struct cow_io *io, struct cow_error *err)
{
    return plan_and_commit(s->target, cow_plan_undo, io, err);
}

int subject_recover(const struct subject *s, const struct cow_io *io, struct cow_error *err)
{
    return plan_and_commit(s->target, cow_plan_recover, io, err);
}

bool subject_is_pending(const struct subject *s)
{
    char *journal = side_name(s, "journal");
    bool pending = subject_changes_image(s) && file_exists(journal);
    free(journal);
    return pending;
}

/* ---- judging ---- */

static bool composes(const char *path, enum cow_format format, const uint8_t *disk, uint64_t size_bytes)
{
    uint64_t found_bytes = 0;
    uint8_t *found = model_compose(path, format, NULL, &found_bytes);
    bool equal = found != NULL && found_bytes == size_bytes && memcmp(found, disk, size_bytes) == 0;
    free(found);
    return equal;
}

static bool is_raw(const char *path, const uint8_t *disk, uint64_t size_bytes)
{
    uint8_t *found = malloc(size_bytes);
    must(found != NULL, "out of memory");
    file_read(path, 0, found, size_bytes);
    bool equal = file_size(path) == size_bytes && memcmp(found, disk, size_bytes) == 0;
    free(found);
    return equal;
}

static bool holds_new_disk(const struct subject *s)
{
    return s->change.operation == OPERATION_MERGE
               ? is_raw(s->target, s->new_disk, s->new_bytes)
               : composes(s->target, COW_FORMAT_V3, s->new_disk, s->new_bytes);
}

enum outcome subject_outcome(const struct subject *s)
{
    const bool changes = subject_changes_image(s);
    if (!file_exists(s->target)) {
        return changes ? OUTCOME_BROKEN : OUTCOME_OLD;
    }
    if (changes && composes(s->target, s->change.spec.format, s->model->disk, s->change.spec.size_bytes)) {
        return OUTCOME_OLD;
    }
    return holds_new_disk(s) ? OUTCOME_NEW : OUTCOME_BROKEN;
}

void subject_check_backing(const struct subject *s, bool extended, const char *where)
{
    if (!has_backing(s)) {
        return;
    }
    const char *path = s->model->backing_path;
    const uint64_t old_bytes = s->change.spec.backing_bytes;
    uint8_t *bytes = malloc(old_bytes + 1);
    must(bytes != NULL, "out of memory");
    file_read(path, 0, bytes, old_bytes);
    must(memcmp(bytes, s->model->backing, old_bytes) == 0, "%s: %s: the backing's content", where,
         subject_describe(s));
    free(bytes);
    const uint64_t size = file_size(path);
    must(size == old_bytes || (s->change.operation == OPERATION_EXTEND && size == s->new_bytes),
         "%s: %s: the backing has %" PRIu64 " bytes", where, subject_describe(s), size);
    must(!extended || size == s->new_bytes, "%s: %s: the backing was not lengthened", where,
         subject_describe(s));
    uint8_t *tail = malloc(size - old_bytes + 1);
    must(tail != NULL, "out of memory");
    file_read(path, old_bytes, tail, size - old_bytes);
    for (uint64_t at = 0; at < size - old_bytes; at++) {
        must(tail[at] == 0, "%s: not a hole at %" PRIu64, where, old_bytes + at);
    }
    free(tail);
}

void subject_check_untouched(const struct subject *s, const char *where)
{
    char *names = directory_list(test_directory());
    const char *wanted = s->change.operation == OPERATION_CREATE ? "m.img" : has_backing(s) ? "m m.img" : "m";
    must(strcmp(names, wanted) == 0, "%s: %s: there is \"%s\"", where, subject_describe(s), names);
    free(names);
    if (s->change.operation != OPERATION_CREATE) {
        witness_check(&s->image, where);
    }
    if (has_backing(s)) {
        witness_check(&s->backing, where);
    }
}

/* An odd end in a clean sector, behind which the backing goes on: keep has to take that sector over, or the
 * backing's bytes would show up in the longer disk. */
static bool takes_over_odd_end(const struct subject *s)
{
    return s->change.operation == OPERATION_KEEP && s->change.spec.size_bytes % 512 != 0 && has_backing(s) &&
           s->change.spec.backing_bytes > s->change.spec.size_bytes;
}

/* A dirty sector stays dirty, a clean one clean; new ones are dirty with keep only. */
static void check_bits(const struct subject *s, const struct geometry *now, const char *where)
{
    const uint32_t ss = s->change.spec.sector_bytes;
    const uint64_t old_sectors = (s->change.spec.size_bytes + 511) / 512;
    uint8_t *bitmap = calloc(now->bitmap_bytes + 1, 1);
    must(bitmap != NULL, "out of memory");
    file_read(s->target, now->bitmap_offset, bitmap, now->bitmap_bytes);
    for (uint64_t i = 0; i < now->bitmap_bytes * 8; i++) {
        bool bit = bitmap[i / 8] >> (i % 8) & 1;
        bool wanted =
            s->change.operation != OPERATION_CREATE && i < now->sectors &&
            (i < old_sectors ? s->model->dirty[i * 512 / ss] != 0 : s->change.operation == OPERATION_KEEP);
        wanted = wanted || (i + 1 == old_sectors && takes_over_odd_end(s));
        must(bit == wanted, "%s: %s: bit %" PRIu64 " of %" PRIu64 " is %d", where, subject_describe(s), i,
             now->sectors, bit);
    }
    free(bitmap);
}

static void check_new_image(const struct subject *s, const char *where)
{
    struct model_view view;
    must(model_read_header(&view, s->target, COW_FORMAT_V3), "%s: %s: no v3 header", where,
         subject_describe(s));
    must(view.size_bytes == s->new_bytes && view.sector_bytes == 512, "%s: %s: size %" PRIu64 " sector %u",
         where, subject_describe(s), view.size_bytes, view.sector_bytes);
    must(view.geometry.data_offset <= INT32_MAX, "%s: data offset", where);
    if (s->in_place) {
        must(view.alignment == s->change.spec.alignment &&
                 view.geometry.data_offset == s->model->geometry.data_offset,
             "%s: %s: the data moved", where, subject_describe(s));
        must(file_inode(s->target) == s->image.facts.st_ino, "%s: another file", where);
    } else {
        must(view.alignment >= 1 << 20, "%s: %s: alignment %u", where, subject_describe(s), view.alignment);
    }
    const uint64_t old_length = s->in_place ? (uint64_t)s->image.facts.st_size : 0;
    must(file_size(s->target) ==
             (old_length > view.geometry.end_offset ? old_length : view.geometry.end_offset),
         "%s: %s: length", where, subject_describe(s));
    const char *path = s->copy != NULL ? s->copy : s->model->backing_path;
    if (s->copy == NULL && s->change.spec.stored != NULL) {
        path = s->change.spec.stored;
    }
    must(strcmp(view.path, path) == 0, "%s: %s: path %s", where, subject_describe(s), view.path);
    must(view.mtime == (has_backing(s) ? MODEL_MTIME : 0), "%s: mtime %u", where, view.mtime);
    check_bits(s, &view.geometry, where);
}

/* Growing in place touches the first sector, the bitmap's new part, the byte that old and new bits share, and
 * what lies between an odd end and its sector's end; all else of the old file is as it was. */
static void check_untouched_bytes(const struct subject *s, const char *where)
{
    const struct geometry *g = &s->model->geometry;
    const uint64_t n = (uint64_t)s->image.facts.st_size;
    const uint64_t bits = g->bitmap_offset + (s->change.spec.size_bytes + 511) / 512 / 8;
    const struct geometry later = model_geometry(COW_FORMAT_V3, s->new_bytes, 512, s->change.spec.alignment);
    const uint64_t bits_end = later.bitmap_offset + later.bitmap_bytes;
    const uint64_t data_end = g->data_offset + s->change.spec.size_bytes;
    uint8_t *now = malloc(n + 1);
    must(now != NULL, "out of memory");
    file_read(s->target, 0, now, n);
    for (uint64_t at = 512; at < n; at++) {
        must(now[at] == s->old_file[at] || (at >= bits && at < bits_end) ||
                 (at >= data_end && at < g->end_offset),
             "%s: %s: byte %" PRIu64 " was written", where, subject_describe(s), at);
    }
    free(now);
}

static uint32_t crc_of(const uint8_t *bytes, size_t n_bytes)
{
    uint32_t table[256], crc = 0xffffffff;
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int k = 0; k < 8; k++) {
            table[i] = (table[i] & 1) != 0 ? table[i] >> 1 ^ 0xedb88320 : table[i] >> 1;
        }
    }
    for (size_t i = 0; i < n_bytes; i++) {
        crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 0xff];
    }
    return ~crc;
}

static uint64_t number_at(const uint8_t *bytes, unsigned width)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

/* Where the record at a file's end begins; it must be a whole one. */
static uint64_t record_begin(const uint8_t *bytes, uint64_t n, const char *where)
{
    must(n > 32 && memcmp(bytes + n - 8, "endofchg", 8) == 0, "%s: no record at the end", where);
    const uint64_t length = number_at(bytes + n - 16, 4);
    must(length <= n - 16, "%s: the record's length", where);
    const uint8_t *record = bytes + n - 16 - length;
    must(memcmp(record, "cowtui change\0\0\3", 16) == 0, "%s: no record", where);
    must(crc_of(record, length + 4) == number_at(bytes + n - 12, 4), "%s: the record's sum", where);
    return n - 16 - length;
}

/* The undo file: after a copy the old file itself, marked, with a record behind all that its layout shows;
 * after a change in place nothing but the record. */
static void check_undo_file(const struct subject *s, const char *where)
{
    char *path = side_name(s, "undo");
    const uint64_t n = file_size(path), old = (uint64_t)s->image.facts.st_size;
    const uint64_t end = s->model->geometry.end_offset;
    uint8_t *bytes = malloc(n + 1), mark[8];
    must(bytes != NULL, "out of memory");
    memset(mark, 0xff, sizeof mark);
    file_read(path, 0, bytes, n);
    const uint64_t record = record_begin(bytes, n, where);
    if (s->in_place) {
        must(record == 0, "%s: something stands before the record", where);
        must(number_at(bytes + 16, 4) == 2, "%s: kind of record", where);
    } else {
        const unsigned field = shapes[s->change.spec.format].size;
        must(number_at(bytes + record + 16, 4) == 1, "%s: kind of record", where);
        must(file_inode(path) == s->image.facts.st_ino, "%s: not the old file", where);
        must(record == (old > end ? old : end), "%s: %s: the record lies at %" PRIu64, where,
             subject_describe(s), record);
        must(memcmp(bytes + field, mark, 8) == 0, "%s: the old file is not marked", where);
        memcpy(bytes + field, s->old_file + field, 8);
        must(memcmp(bytes, s->old_file, old) == 0, "%s: the old file's bytes", where);
        for (uint64_t at = old; at < record; at++) {
            must(bytes[at] == 0, "%s: byte %" PRIu64 " of the undo file", where, at);
        }
    }
    free(bytes);
    free(path);
}

void subject_check_names(const struct subject *s, enum outcome outcome, const char *where)
{
    char *names = directory_list(test_directory());
    char wanted[256];
    const bool is_new = outcome == OUTCOME_NEW;
    const bool output = is_new && strcmp(s->target, s->model->cow_path) != 0;
    const char *copy = s->copy != NULL && is_new ? strrchr(s->copy, '/') + 1 : NULL;
    const bool copy_of_out = copy != NULL && s->change.elsewhere;
    snprintf(wanted, sizeof wanted, "%s%s%s%s%s%s%s%s",
             is_new && subject_changes_image(s) ? " .m.cowtui-undo" : "",
             s->change.operation != OPERATION_CREATE || is_new ? " m" : "",
             copy != NULL && !copy_of_out ? " " : "", copy != NULL && !copy_of_out ? copy : "",
             has_backing(s) ? " m.img" : "", output ? " out" : "", copy_of_out ? " " : "",
             copy_of_out ? copy : "");
    must(strcmp(names, wanted + 1) == 0, "%s: %s: there is \"%s\", not \"%s\"", where, subject_describe(s),
         names, wanted + 1);
    free(names);
}

static void check_copy(const struct subject *s, const char *where)
{
    const struct model_spec *spec = &s->change.spec;
    uint8_t *found = malloc(s->new_bytes), *wanted = calloc(s->new_bytes, 1);
    must(found != NULL && wanted != NULL, "out of memory");
    must(file_size(s->copy) == s->new_bytes, "%s: the copy has %" PRIu64 " bytes", where, file_size(s->copy));
    must(!has_backing(s) || file_mtime(s->copy) == MODEL_MTIME, "%s: the copy's date", where);
    if (has_backing(s)) {
        uint64_t n = spec->backing_bytes < spec->size_bytes ? spec->backing_bytes : spec->size_bytes;
        memcpy(wanted, s->model->backing, n < s->new_bytes ? n : s->new_bytes);
    }
    file_read(s->copy, 0, found, s->new_bytes);
    must(memcmp(found, wanted, s->new_bytes) == 0, "%s: %s: the copy's content", where, subject_describe(s));
    free(found);
    free(wanted);
}

void subject_check_done(const struct subject *s, const char *where)
{
    must(file_exists(s->target) && holds_new_disk(s), "%s: %s: not the new disk", where, subject_describe(s));
    if (s->change.operation != OPERATION_MERGE) {
        check_new_image(s, where);
    }
    if (s->change.operation == OPERATION_EXTEND) {
        subject_check_backing(s, true, where);
        must(file_mtime(s->model->backing_path) == MODEL_MTIME, "%s: the backing's date", where);
    } else if (has_backing(s)) {
        witness_check(&s->backing, where);
    }
    if (s->copy != NULL) {
        check_copy(s, where);
    }
    if (s->change.operation == OPERATION_MERGE || s->change.elsewhere) {
        witness_check(&s->image, where);
    }
    struct stat facts;
    must(stat(s->target, &facts) == 0, "stat");
    const bool empty =
        s->change.operation == OPERATION_CREATE; /* else it is the image, or holds what is in it */
    must((facts.st_mode & 07777) == (empty ? 0644 : 0640), "%s: mode %o", where, facts.st_mode);
    if (subject_changes_image(s)) {
        check_undo_file(s, where);
    }
    if (s->in_place) {
        check_untouched_bytes(s, where);
    }
    subject_check_names(s, OUTCOME_NEW, where);
}

void subject_check_settled(const struct subject *s, enum outcome outcome, const char *where)
{
    if (outcome == OUTCOME_NEW) {
        subject_check_done(s, where);
        return;
    }
    if (!s->in_place) {
        subject_check_untouched(s, where);
        return;
    }
    const uint64_t old = (uint64_t)s->image.facts.st_size, end = s->model->geometry.end_offset;
    const uint64_t n = file_size(s->target);
    uint8_t *now = malloc(n + 1);
    must(now != NULL, "out of memory");
    file_read(s->target, 0, now, n);
    must(n == old || (old < end && n == end), "%s: %s: length %" PRIu64, where, subject_describe(s), n);
    must(memcmp(now, s->old_file, old) == 0, "%s: %s: the old bytes", where, subject_describe(s));
    for (uint64_t at = old; at < n; at++) {
        must(now[at] == 0, "%s: byte %" PRIu64 " behind the old end", where, at);
    }
    free(now);
    if (has_backing(s)) {
        witness_check(&s->backing, where);
    }
    subject_check_names(s, OUTCOME_OLD, where);
}

void subject_check_undo(const struct subject *s, const char *where)
{
    struct cow_error err = {.status = 0};
    if (subject_changes_image(s)) {
        int status = subject_undo(s, NULL, &err);
        must(status == 0, "%s: %s: undo: %s", where, subject_describe(s), err.message);
        subject_check_untouched(s, where);
    }
}
