/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Disks in formats that the core does not know: a source and a sink in memory, which know what they were
 * asked for, and can fail.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "changes.h"
#include "core/plan/plan.h"

enum { PAGE_BYTES = 4096, GRANULE_BYTES = 1536 };

static void check_names(const char *wanted, const char *where)
{
    char *names = directory_list(test_directory());
    must(strcmp(names, wanted) == 0, "%s: there is \"%s\", not \"%s\"", where, names, wanted);
    free(names);
}

/* ---- a source ---- */

struct memory_disk {
    struct cow_foreign_source source;
    uint8_t *base, *bytes; /* what the backing file has, and what the disk shows */
    uint64_t n_bytes;
    struct rng rng;
    uint64_t fails_at; /* a read of this byte; UINT64_MAX: none does */
    bool extents_fail, has_all;
};

static int memory_read(void *context, void *buffer, size_t n_bytes, uint64_t offset)
{
    struct memory_disk *d = context;
    must(n_bytes > 0 && offset + n_bytes <= d->n_bytes, "a read past the end");
    if (d->fails_at >= offset && d->fails_at < offset + n_bytes) {
        return -EIO;
    }
    memcpy(buffer, d->bytes + offset, n_bytes);
    return 0;
}

/* What is true of the granule that this byte is in. */
static enum cow_foreign_kind kind_of(const struct memory_disk *d, uint64_t offset)
{
    static const uint8_t zeros[GRANULE_BYTES];
    const uint64_t begin = offset / GRANULE_BYTES * GRANULE_BYTES;
    const uint64_t n = d->n_bytes - begin < GRANULE_BYTES ? d->n_bytes - begin : GRANULE_BYTES;
    return memcmp(d->bytes + begin, d->base + begin, n) == 0 ? COW_FOREIGN_BACKING
           : memcmp(d->bytes + begin, zeros, n) == 0         ? COW_FOREIGN_ZEROS
                                                             : COW_FOREIGN_DATA;
}

/* Of a byte always the same, but sometimes less far than it goes. */
static int memory_extent(void *context, uint64_t offset, uint64_t limit, enum cow_foreign_kind *kind,
                         uint64_t *end_bytes)
{
    struct memory_disk *d = context;
    must(offset < limit && limit <= d->n_bytes, "an extent past the end");
    if (d->extents_fail) {
        return -ESHUTDOWN;
    }
    *kind = kind_of(d, offset);
    uint64_t end = (offset / GRANULE_BYTES + 1) * GRANULE_BYTES;
    while (end < limit && kind_of(d, end) == *kind && rng_below(&d->rng, 8) != 0) {
        end += GRANULE_BYTES;
    }
    *end_bytes = end < limit ? end : limit;
    return 0;
}

static bool memory_has_file(void *context, uint64_t device, uint64_t inode)
{
    const struct memory_disk *d = context;
    (void)device;
    (void)inode;
    return d->has_all;
}

static struct memory_disk memory_disk_of(uint64_t n_bytes, uint64_t seed)
{
    struct memory_disk d = {.n_bytes = n_bytes, .rng = {seed}, .fails_at = UINT64_MAX};
    d.base = calloc(n_bytes, 1);
    d.bytes = calloc(n_bytes, 1);
    must(d.base != NULL && d.bytes != NULL, "out of memory");
    rng_fill(&d.rng, d.base, n_bytes);
    memcpy(d.bytes, d.base, n_bytes);
    for (unsigned i = 0; i < 12; i++) {
        const uint64_t at = rng_below(&d.rng, n_bytes), n = 1 + rng_below(&d.rng, 40000);
        const uint64_t there = n < n_bytes - at ? n : n_bytes - at;
        if (i % 3 == 0) {
            memset(d.bytes + at, 0, there);
        } else {
            rng_fill(&d.rng, d.bytes + at, i % 3 == 1 ? there : 1);
        }
    }
    return d;
}

static int run_from(struct memory_disk *d, const char *output, bool force, struct cow_error *err)
{
    char *backing = test_path("a"), *container = test_path("b");
    struct cow_plan *plan = NULL;
    const unsigned files = open_files();
    d->source = (struct cow_foreign_source){.size_bytes = d->n_bytes,
                                            .title = "strange image",
                                            .outside = "it reads a file of yours",
                                            .mode = 0640,
                                            .read = memory_read,
                                            .extent = memory_extent,
                                            .has_file = memory_has_file,
                                            .context = d};
    const struct cow_diff_options opt = {.output_path = output,
                                         .backing_path = backing,
                                         .raw_path = container,
                                         .source = &d->source,
                                         .force = force,
                                         .io = quick_io()};
    int status = cow_plan_diff(&plan, &opt, err);
    if (status == 0) {
        const struct cow_preview *p = cow_plan_preview(plan);
        ck_assert_str_eq(cow_operation_name(p->operation), "create");
        ck_assert_str_eq(p->outside_note, "it reads a file of yours");
        must(strstr(p->command, "cowtui create --from ") == p->command, "%s", p->command);
        status = cow_plan_commit(plan, NULL, err);
    }
    cow_plan_free(plan);
    must(open_files() == files, "a file was left open");
    free(backing);
    free(container);
    return status;
}

/* Of pages that differ each sector is dirty, of others none. */
static void check_bits(const struct memory_disk *d, const char *path)
{
    struct model_view view;
    must(model_read_header(&view, path, COW_FORMAT_V3), "no header");
    for (uint64_t at = 0; at < d->n_bytes; at += 512) {
        const uint64_t page = at / PAGE_BYTES * PAGE_BYTES;
        const uint64_t n = d->n_bytes - page < PAGE_BYTES ? d->n_bytes - page : PAGE_BYTES;
        must(model_file_bit(path, &view.geometry, at / 512) ==
                 (memcmp(d->bytes + page, d->base + page, n) != 0),
             "the bit of byte %ju", (uintmax_t)at);
    }
}

START_TEST(from_a_source)
{
    static const uint64_t sizes[] = {65536, 1000 * 512, 300 * 4096 + 700, 2 << 20};
    struct cow_error err = {.status = 0};
    struct memory_disk d = memory_disk_of(sizes[_i % 4], (uint64_t)_i + 1);
    char *backing = test_path("a"), *container = test_path("b"), *out = test_path("out");
    uint64_t size_bytes;
    struct stat facts;
    file_write(backing, d.base, d.n_bytes);
    file_set_mtime(backing, MODEL_MTIME);
    file_write(container, "not the disk", 12);
    const struct witness of_a = witness_of(backing), of_b = witness_of(container);
    must_succeed(run_from(&d, out, false, &err), err);
    uint8_t *disk = model_compose(out, COW_FORMAT_V3, NULL, &size_bytes);
    must(disk != NULL && size_bytes == d.n_bytes && memcmp(disk, d.bytes, size_bytes) == 0, "another disk");
    check_bits(&d, out);
    must(stat(out, &facts) == 0 && (facts.st_mode & 0777 & ~0640u) == 0, "more than all its files allow");
    witness_check(&of_a, "create");
    witness_check(&of_b, "create");
    check_names("a b out", "create");
    free(disk);
    free(backing);
    free(container);
    free(out);
    free(d.base);
    free(d.bytes);
}
END_TEST

START_TEST(a_source_that_fails)
{
    struct cow_error err = {.status = 0};
    struct memory_disk d = memory_disk_of(200 * 4096, 5);
    char *backing = test_path("a"), *container = test_path("b"), *out = test_path("out");
    file_write(backing, d.base, d.n_bytes);
    file_set_mtime(backing, MODEL_MTIME);
    file_write(container, "not the disk", 12);
    d.bytes[d.n_bytes / 2] ^= 1;
    d.fails_at = d.n_bytes / 2;
    must_fail(run_from(&d, out, false, &err), COW_IO, err);
    d.fails_at = UINT64_MAX;
    d.extents_fail = true;
    must_fail(run_from(&d, out, false, &err), COW_IO, err);
    d.extents_fail = false;
    check_names("a b", "a source that fails");
    file_write(out, "a file that it reads", 20);
    d.has_all = true;
    must_fail(run_from(&d, out, true, &err), COW_REFUSED, err);
    d.has_all = false;
    must_succeed(run_from(&d, out, true, &err), err);
    d.n_bytes -= 512;
    must_fail(run_from(&d, out, true, &err), COW_REFUSED, err);
    free(backing);
    free(container);
    free(out);
    free(d.base);
    free(d.bytes);
}
END_TEST

/* ---- a sink ---- */

enum sink_call { CALL_NONE, CALL_BEGIN, CALL_WRITE, CALL_ZERO, CALL_FINISH, SINK_CALLS };

struct memory_sink {
    struct cow_foreign_sink sink;
    const struct model *model;
    uint8_t *bytes;
    uint64_t n_bytes; /* in whole sectors */
    bool with_backing, begun, finished;
    enum sink_call fails;
};

static int sink_begin(void *context, const char *path, int fd, uint64_t size_bytes, const char *backing_path,
                      struct cow_error *err)
{
    struct memory_sink *s = context;
    const struct model *m = s->model;
    struct stat named, open;
    must(stat(path, &named) == 0 && fstat(fd, &open) == 0 && named.st_ino == open.st_ino && open.st_size == 0,
         "not an empty file of that name");
    must(size_bytes == m->spec.size_bytes && (backing_path != NULL) == s->with_backing, "what is begun");
    must(backing_path == NULL || strcmp(backing_path, m->backing_path) == 0, "on %s", backing_path);
    if (s->fails == CALL_BEGIN) {
        return cow_error_set(err, COW_UNSUPPORTED, "no sink");
    }
    if (s->with_backing) {
        memcpy(s->bytes, m->backing, m->spec.backing_bytes < s->n_bytes ? m->spec.backing_bytes : s->n_bytes);
    }
    s->begun = true;
    must(write(fd, "made", 4) == 4, "writing");
    return 0;
}

static int sink_put(struct memory_sink *s, const void *bytes, size_t n_bytes, uint64_t offset)
{
    must(s->begun && !s->finished && offset + n_bytes <= s->n_bytes, "a write that must not be");
    if (bytes != NULL) {
        memcpy(s->bytes + offset, bytes, n_bytes);
    } else {
        memset(s->bytes + offset, 0, n_bytes);
    }
    return 0;
}

static int sink_write(void *context, const void *bytes, size_t n_bytes, uint64_t offset)
{
    struct memory_sink *s = context;
    return s->fails == CALL_WRITE ? -ENOSPC : sink_put(s, bytes, n_bytes, offset);
}

static int sink_zero(void *context, uint64_t n_bytes, uint64_t offset)
{
    struct memory_sink *s = context;
    must(s->with_backing, "zeros over nothing");
    return s->fails == CALL_ZERO ? -EIO : sink_put(s, NULL, n_bytes, offset);
}

static int sink_finish(void *context, struct cow_error *err)
{
    struct memory_sink *s = context;
    must(s->begun && !s->finished, "finished when it must not be");
    s->finished = true;
    return s->fails == CALL_FINISH ? cow_error_set(err, COW_IO, "not finished") : 0;
}

static bool stop_at_once(void *context, const struct cow_progress *progress)
{
    const struct memory_sink *s = context;
    return s->begun && progress->can_cancel;
}

static int run_export(struct memory_sink *s, const char *output, const struct cow_env *env,
                      struct cow_error *err)
{
    struct cow_image *img;
    struct cow_plan *plan = NULL;
    const struct cow_open_options open = {.io = quick_io()};
    const struct cow_export_options opt = {
        .output_path = output, .sink = &s->sink, .with_backing = s->with_backing};
    s->sink = (struct cow_foreign_sink){.title = "strange image",
                                        .begin = sink_begin,
                                        .write = sink_write,
                                        .zero = sink_zero,
                                        .finish = sink_finish,
                                        .context = s};
    s->begun = s->finished = false;
    must_succeed(cow_image_open(&img, s->model->cow_path, &open, err), *err);
    int status = cow_plan_export(&plan, img, &opt, err);
    if (status == 0) {
        const struct cow_preview *p = cow_plan_preview(plan);
        ck_assert_str_eq(p->makes_foreign, "strange image");
        must(!p->changes_existing && !p->makes_raw && p->needs_at_most && is_terminal_safe(p->command),
             "the preview");
        must(!s->begun, "it is begun before the commit");
        status = cow_plan_commit(plan, env, err);
    }
    cow_plan_free(plan);
    cow_image_close(img);
    return status;
}

static struct memory_sink sink_of(const struct model *m, bool with_backing)
{
    struct memory_sink s = {.model = m, .with_backing = with_backing};
    s.n_bytes = (m->spec.size_bytes + 511) / 512 * 512;
    s.bytes = calloc(s.n_bytes, 1);
    must(s.bytes != NULL, "out of memory");
    return s;
}

START_TEST(into_a_sink)
{
    static const uint64_t sizes[] = {65536, 1000 * 512 + 9, 3 << 20};
    static const enum cow_format formats[] = {COW_FORMAT_V3, COW_FORMAT_V2, COW_FORMAT_V1};
    const uint64_t size_bytes = sizes[_i % 3];
    const struct model_spec spec = {.format = formats[_i / 3 % 3],
                                    .size_bytes = size_bytes,
                                    .sector_bytes = 512,
                                    .alignment = 4096,
                                    .backing_bytes = size_bytes + (_i % 2 == 1 ? 3000 : 0),
                                    .pattern = (enum pattern)(_i % PATTERNS),
                                    .garbage = true,
                                    .seed = (uint64_t)_i};
    struct cow_error err = {.status = 0};
    struct model *m = model_create(&spec);
    char *out = test_path("out");
    const struct witness cow = witness_of(m->cow_path), base = witness_of(m->backing_path);
    for (unsigned way = 0; way < 2; way++) {
        struct memory_sink s = sink_of(m, way == 1);
        must_succeed(run_export(&s, out, NULL, &err), err);
        must(s.finished && memcmp(s.bytes, m->disk, size_bytes) == 0, "%s: another disk", model_describe(m));
        for (uint64_t at = size_bytes; at < s.n_bytes; at++) {
            must(s.bytes[at] == 0, "%s: behind the odd end", model_describe(m));
        }
        must(file_size(out) == 4, "not the file that the sink filled");
        unlink(out);
        free(s.bytes);
    }
    witness_check(&cow, "export");
    witness_check(&base, "export");
    check_names("m m.img", "export");
    free(out);
    model_free(m);
}
END_TEST

START_TEST(a_sink_that_fails)
{
    static const int wanted[] = {[CALL_NONE] = COW_CANCELLED,
                                 [CALL_BEGIN] = COW_UNSUPPORTED,
                                 [CALL_WRITE] = COW_IO,
                                 [CALL_ZERO] = COW_IO,
                                 [CALL_FINISH] = COW_IO};
    const struct model_spec spec = {.format = COW_FORMAT_V3,
                                    .size_bytes = 3 << 20,
                                    .sector_bytes = 512,
                                    .alignment = 4096,
                                    .backing_bytes = 3 << 20,
                                    .pattern = PATTERN_LONG,
                                    .dull_from = 1 << 20,
                                    .seed = 3};
    struct cow_error err = {.status = 0};
    struct model *m = model_create(&spec);
    char *out = test_path("out");
    const enum sink_call call = (enum sink_call)_i;
    struct memory_sink s = sink_of(m, true);
    const struct cow_env env = {.progress = stop_at_once, .context = &s};
    s.fails = call;
    if (call == CALL_ZERO) { /* zeros that are dirty, over data */
        memset(m->cow, 0, m->geometry.sectors * 512);
        file_truncate(m->cow_path, m->geometry.data_offset);
        file_truncate(m->cow_path, m->geometry.end_offset);
    }
    must_fail(run_export(&s, out, call == CALL_NONE ? &env : NULL, &err), wanted[call], err);
    check_names("m m.img", "a sink that fails");
    free(s.bytes);
    free(out);
    model_free(m);
}
END_TEST

Suite *foreign_suite(void)
{
    Suite *suite = suite_create("foreign");
    TCase *tc = tcase_create("foreign");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, from_a_source, 0, 12);
    tcase_add_test(tc, a_source_that_fails);
    tcase_add_loop_test(tc, into_a_sink, 0, 24);
    tcase_add_loop_test(tc, a_sink_that_fails, 0, SINK_CALLS);
    suite_add_tcase(suite, tc);
    return suite;
}
