/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pages, compact, rebase, convert: another image of the same disk. The composed disk stays, the bits come out
 * as a naive computation has them, nothing but the image is written, and undo brings all of it back; and what
 * is refused, stopped, or has nothing to do leaves everything as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "changes.h"
#include "core/plan/selection.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* ---- the naive computation ---- */

static bool all_zero(const uint8_t *bytes, uint64_t n_bytes)
{
    for (uint64_t i = 0; i < n_bytes; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

static uint64_t sectors_of(const struct model *m)
{
    return (m->spec.size_bytes + 511) / 512;
}

/* A file as long as the disk, cut or filled up with zeros. NULL path: zeros. */
static uint8_t *base_of(const struct model *m, const char *path)
{
    uint8_t *base = calloc(m->spec.size_bytes + 1, 1);
    must(base != NULL, "out of memory");
    if (path != NULL) {
        file_read(path, 0, base, m->spec.size_bytes);
    }
    return base;
}

/* Sectors of 512 bytes: the old bits in units of 1 or 8 sectors; with `compare` those of them where the disk
 * is not `base`; with `all` not the old bits but everything is compared; with `keep` no bit that was clear is
 * set. */
static uint8_t *naive_bits(const struct model *m, unsigned unit, bool compare, bool all, bool keep,
                           const uint8_t *base)
{
    const uint64_t n = sectors_of(m), ratio = m->spec.sector_bytes / 512;
    uint8_t *bits = calloc(n + 1, 1);
    must(bits != NULL, "out of memory");
    for (uint64_t at = 0; at < n; at += unit) {
        const uint64_t stop = at + unit < n ? at + unit : n;
        const uint64_t begin = at * 512,
                       end = stop * 512 < m->spec.size_bytes ? stop * 512 : m->spec.size_bytes;
        bool set = all;
        for (uint64_t i = at; i < stop; i++) {
            set = set || m->dirty[i / ratio] != 0;
        }
        set = set && (!compare || memcmp(m->disk + begin, base + begin, end - begin) != 0);
        for (uint64_t i = at; i < stop; i++) {
            bits[i] = set && (!keep || m->dirty[i / ratio] != 0);
        }
    }
    return bits;
}

static bool selects(const struct cow_rewrite_options *opt)
{
    return opt->complete_pages || opt->compact || opt->safe;
}

static uint8_t *bits_after(const struct model *m, const struct cow_rewrite_options *opt)
{
    uint8_t *base = base_of(m, opt->safe ? opt->backing_path : m->backing_path);
    uint8_t *bits = naive_bits(m, selects(opt) && !opt->sectors ? 8 : 1, opt->compact || opt->safe, opt->safe,
                               false, base);
    free(base);
    return bits;
}

/* ---- running ---- */

struct result {
    char method[16], operation[16];
    uint64_t after_dirty_sectors;
    bool planned;
};

static int run_rewrite(const char *path, const struct cow_rewrite_options *opt, const struct cow_io *io,
                       const struct cow_env *env, struct result *result, struct cow_error *err)
{
    const struct cow_open_options open_options = {.io = io != NULL ? io : quick_io()};
    struct cow_image *img = NULL;
    struct cow_plan *plan = NULL;
    const unsigned files = open_files();
    *result = (struct result){.planned = false};
    int status = cow_image_open(&img, path, &open_options, err);
    if (status == 0) {
        status = cow_plan_rewrite(&plan, img, opt, err);
        must(status == 0 || plan == NULL, "*out was touched");
    }
    if (status == 0) {
        const struct cow_preview *p = cow_plan_preview(plan);
        snprintf(result->method, sizeof result->method, "%s", cow_method_name(p->method));
        snprintf(result->operation, sizeof result->operation, "%s", cow_operation_name(p->operation));
        result->after_dirty_sectors = p->after_dirty_sectors;
        result->planned = true;
        must(p->has_after_dirty && is_terminal_safe(p->content_text) && is_terminal_safe(p->command),
             "texts");
        status = cow_plan_commit(plan, env, err);
    }
    cow_plan_free(plan);
    cow_image_close(img);
    must(open_files() == files, "%s: a file was left open", path);
    return status;
}

static void check_names(const char *wanted, const char *where)
{
    char *names = directory_list(test_directory());
    must(strcmp(names, wanted) == 0, "%s: there is \"%s\", not \"%s\"", where, names, wanted);
    free(names);
}

/* The new image: header, bits, disk. By a header edit garbage past the last bit stays. */
static void check_image(const struct model *m, const char *target, const char *method, const uint8_t *bits,
                        const char *stored, uint32_t mtime)
{
    struct model_view view;
    must(model_read_header(&view, target, COW_FORMAT_V3), "%s: no v3", model_describe(m));
    must(view.size_bytes == m->spec.size_bytes && view.sector_bytes == 512 && view.mtime == mtime,
         "%s: size %" PRIu64 " sector %u mtime %u", model_describe(m), view.size_bytes, view.sector_bytes,
         view.mtime);
    must(strcmp(view.path, stored) == 0, "%s: path %s", model_describe(m), view.path);
    uint8_t *bitmap = calloc(view.geometry.bitmap_bytes + 1, 1);
    must(bitmap != NULL, "out of memory");
    file_read(target, view.geometry.bitmap_offset, bitmap, view.geometry.bitmap_bytes);
    const uint64_t n = strcmp(method, "header") == 0 ? view.geometry.sectors : view.geometry.bitmap_bytes * 8;
    for (uint64_t i = 0; i < n; i++) {
        const bool bit = bitmap[i / 8] >> (i % 8) & 1, wanted = i < view.geometry.sectors && bits[i] != 0;
        must(bit == wanted, "%s: bit %" PRIu64 " of %" PRIu64 " is %d", model_describe(m), i,
             view.geometry.sectors, bit);
    }
    free(bitmap);
    uint64_t size;
    uint8_t *disk = model_compose(target, COW_FORMAT_V3, NULL, &size);
    must(disk != NULL && size == m->spec.size_bytes && memcmp(disk, m->disk, size) == 0, "%s: another disk",
         model_describe(m));
    free(disk);
}

/* Selected pages that hold nothing but zeros cost nothing. */
static void check_punched(const struct model *m, const char *target, const uint8_t *bits)
{
    struct model_view view;
    must(model_read_header(&view, target, COW_FORMAT_V3) && view.geometry.data_offset % 4096 == 0, "header");
    int fd = open(target, O_RDONLY | O_CLOEXEC);
    for (uint64_t at = 0; at + 4096 <= m->spec.size_bytes; at += 4096) {
        const off_t begin = (off_t)(view.geometry.data_offset + at), data = lseek(fd, begin, SEEK_DATA);
        must(!bits[at / 512] || !all_zero(m->disk + at, 4096) || data < 0 || data >= begin + 4096,
             "%s: written zeros at %" PRIu64, model_describe(m), at);
    }
    close(fd);
}

static void undo(const struct model *m, const struct witness *image, const char *names)
{
    struct cow_error err = {.status = 0};
    int status = plan_and_commit(m->cow_path, cow_plan_undo, NULL, &err);
    must(status == 0, "%s: undo: %s", model_describe(m), err.message);
    witness_check(image, "undo");
    check_names(names, "undo");
}

/* One rewrite of one image, there and back. `other`: a further file in the directory, or "". */
static void rewrite_and_back(const struct model *m, const struct cow_rewrite_options *opt, const char *stored,
                             uint32_t mtime, const char *other)
{
    struct faulty f;
    struct cow_error err = {.status = 0};
    struct result result;
    char before[64], after[96];
    char *fellow = test_path(other[0] != '\0' ? other : "m");
    const bool backed = m->backing_path != NULL;
    const struct witness image = witness_of(m->cow_path), theirs = witness_of(fellow),
                         backing = witness_of(backed ? m->backing_path : m->cow_path);
    snprintf(before, sizeof before, "m%s%s%s", backed ? " m.img" : "", other[0] != '\0' ? " " : "", other);
    snprintf(after, sizeof after, ".m.cowtui-undo %s", before);
    uint8_t *bits = bits_after(m, opt);
    uint64_t n_bits = 0, old_bits = 0;
    for (uint64_t i = 0; i < sectors_of(m); i++) {
        n_bits += bits[i];
        old_bits += m->dirty[i * 512 / m->spec.sector_bytes];
    }
    faulty_init(&f, FAULT_NONE, 0, 0);
    int status = run_rewrite(m->cow_path, opt, &f.io, NULL, &result, &err);
    must(status == 0, "%s: %s", model_describe(m), err.message);
    must(result.after_dirty_sectors == n_bits, "%s: %" PRIu64 " dirty sectors were promised, not %" PRIu64,
         model_describe(m), result.after_dirty_sectors, n_bits);
    if (strcmp(result.method, "none") == 0) {
        must(n_bits == old_bits, "%s: there was something to do", model_describe(m));
        must(!opt->safe && !opt->restamp && !opt->convert, "%s: not nothing", model_describe(m));
        witness_check(&image, "nothing to do");
        check_names(before, "nothing to do");
        must(f.calls == 0, "%s: %" PRIu64 " calls for nothing", model_describe(m), f.calls);
    } else {
        must(f.n_unsynced == 0 && f.sizes_unsynced == 0 && f.renames_unsynced == 0, "%s: not durable",
             model_describe(m));
        check_image(m, m->cow_path, result.method, bits, stored, mtime);
        check_names(after, "rewritten");
        if (opt->compact) {
            check_punched(m, m->cow_path, bits);
        }
    }
    if (backed) {
        witness_check(&backing, "rewritten");
    }
    if (other[0] != '\0') {
        witness_check(&theirs, "rewritten");
    }
    if (strcmp(result.method, "none") != 0) {
        undo(m, &image, before);
        witness_check(&backing, "undone"); /* (or the image itself) */
    }
    free(bits);
    free(fellow);
}

/* ---- the matrix ---- */

/* Sectors of the COW from dull_from on are zeros or what the backing file has, in turn. */
static struct model_spec spec_of(enum cow_format format, uint64_t seed)
{
    static const uint32_t sizes[] = {512, 512, 1024, 4096, 65536};
    static const unsigned eighths[] = {8, 8, 8, 5, 12};
    const bool qemu = shapes[format].kind == 'q';
    const uint32_t sector = qemu ? 512 : sizes[seed % 5];
    const uint64_t sectors = sector > 4096 ? 5 + seed % 7 : 150 + seed * 37 % 400;
    struct model_spec spec = {.format = format,
                              .size_bytes = sectors * sector,
                              .sector_bytes = sector,
                              .alignment = shapes[format].kind == 'a' ? (seed % 2 == 0 ? 4096 : 512) : 0,
                              .pattern = (enum pattern)(seed % PATTERNS),
                              .garbage = seed % 2 == 0,
                              .short_file = seed % 9 == 4,
                              .dull_from = sectors / 3 * sector,
                              .seed = seed};
    if (!qemu && seed % 3 == 1) {
        spec.size_bytes -= 1 + seed * 131 % (sector - 1);
    }
    spec.backing_bytes = eighths[seed % 5] == 8 ? spec.size_bytes : spec.size_bytes * eighths[seed % 5] / 8;
    return spec;
}

static void clear_directory(struct model *m)
{
    remove_tree(test_directory());
    must(mkdir(test_directory(), 0700) == 0, "mkdir");
    model_free(m);
}

static void in_the_matrix(int i, const struct cow_rewrite_options *opt)
{
    for (uint64_t n = 0; n < 5; n++) {
        const uint64_t seed = n + (uint64_t)i * 9;
        const struct model_spec spec = spec_of((enum cow_format)i, seed);
        struct model *m = model_create(&spec);
        rewrite_and_back(m, opt, m->backing_path, MODEL_MTIME, "");
        clear_directory(m);
    }
}

START_TEST(pages)
{
    in_the_matrix(_i, &(struct cow_rewrite_options){.complete_pages = true});
}
END_TEST

START_TEST(compact)
{
    in_the_matrix(_i, &(struct cow_rewrite_options){.compact = true, .larger = true});
}
END_TEST

START_TEST(compact_by_sectors)
{
    in_the_matrix(_i, &(struct cow_rewrite_options){.compact = true, .sectors = true});
}
END_TEST

START_TEST(convert)
{
    in_the_matrix(_i, &(struct cow_rewrite_options){.convert = true});
}
END_TEST

START_TEST(several_at_once)
{
    in_the_matrix(_i,
                  &(struct cow_rewrite_options){.complete_pages = true, .compact = true, .convert = true});
    in_the_matrix(_i, &(struct cow_rewrite_options){
                          .complete_pages = true, .convert = true, .reserve_bytes = UINT64_C(1) << 36});
}
END_TEST

/* Another backing file: some pages as before, some single bytes changed, some stretches other noise, zeros or
 * holes. */
static char *make_other(const struct model *m, uint64_t n_bytes, int64_t mtime)
{
    struct rng rng = {m->spec.seed + 5};
    char *path = test_path("n.img");
    uint8_t *bytes = calloc(n_bytes + 1, 1);
    must(bytes != NULL, "out of memory");
    if (m->backing != NULL) {
        memcpy(bytes, m->backing, n_bytes < m->spec.backing_bytes ? n_bytes : m->spec.backing_bytes);
    }
    file_truncate(path, n_bytes);
    int fd = file_open_to_write(path);
    for (uint64_t at = 0; at < n_bytes; at += 4096) {
        const uint64_t n = n_bytes - at < 4096 ? n_bytes - at : 4096;
        switch (rng_below(&rng, 6)) {
        case 0:
            rng_fill(&rng, bytes + at, n);
            break;
        case 1:
            bytes[at + rng_below(&rng, n)] ^= 1;
            break;
        case 2:
            memset(bytes + at, 0, n);
            continue; /* a hole */
        case 3:       /* what the guest sees */
            memcpy(bytes + at, m->disk + at, at + n <= m->spec.size_bytes ? n : 0);
            break;
        default:
            break;
        }
        file_write_to(fd, at, bytes + at, n);
    }
    close(fd);
    free(bytes);
    file_set_mtime(path, mtime);
    return path;
}

static void safe_in_the_matrix(int i, bool sectors)
{
    for (uint64_t n = 0; n < 5; n++) {
        const uint64_t seed = n + (uint64_t)i * 9;
        struct model_spec spec = spec_of((enum cow_format)i, seed);
        if (shapes[spec.format].kind == 'q' && n % 3 == 2) {
            spec.backing_bytes = NO_BACKING;
        }
        struct model *m = model_create(&spec);
        const uint64_t n_bytes = n % 4 == 3 ? spec.size_bytes / 2 : spec.size_bytes;
        char *other = make_other(m, n_bytes, MODEL_MTIME + 5);
        const struct cow_rewrite_options opt = {.backing_path = other,
                                                .safe = true,
                                                .sectors = sectors,
                                                .compact = n % 2 == 0,
                                                .force = n_bytes != spec.size_bytes};
        rewrite_and_back(m, &opt, other, MODEL_MTIME + 5, "n.img");
        free(other);
        clear_directory(m);
    }
}

START_TEST(rebase_safely)
{
    safe_in_the_matrix(_i, false);
}
END_TEST

START_TEST(rebase_safely_by_sectors)
{
    safe_in_the_matrix(_i, true);
}
END_TEST

/* The same bytes under another name; the old one may be gone by then. */
START_TEST(rebase_to_a_copy)
{
    for (uint64_t n = 0; n < 6; n++) {
        struct model_spec spec = spec_of((enum cow_format)_i, n + (uint64_t)_i * 5);
        spec.backing_bytes = spec.size_bytes;
        struct model *m = model_create(&spec);
        char *other = test_path("n.img");
        const int64_t mtime = n % 2 == 0 ? MODEL_MTIME : MODEL_MTIME + 9;
        file_write(other, m->backing, spec.backing_bytes);
        file_set_mtime(other, mtime);
        const struct cow_rewrite_options opt = {
            .backing_path = other, .restamp = n % 2 == 1, .convert = n % 3 == 2};
        rewrite_and_back(m, &opt, other, (uint32_t)mtime, "n.img");
        free(other);
        clear_directory(m);
    }
}
END_TEST

START_TEST(restamp)
{
    for (uint64_t n = 0; n < 4; n++) {
        struct model_spec spec = spec_of((enum cow_format)_i, n + (uint64_t)_i * 5);
        spec.backing_bytes = spec.size_bytes;
        struct model *m = model_create(&spec);
        file_set_mtime(m->backing_path, MODEL_MTIME + 77);
        const struct cow_rewrite_options opt = {.restamp = true, .complete_pages = n % 2 == 1};
        rewrite_and_back(m, &opt, m->backing_path, MODEL_MTIME + 77, "");
        const struct cow_rewrite_options by_hand = {.set_mtime = true, .mtime = 12345};
        rewrite_and_back(m, &by_hand, m->backing_path, 12345, "");
        clear_directory(m);
    }
}
END_TEST

/* Into a new file: the image stays. */
START_TEST(elsewhere)
{
    static const struct cow_rewrite_options options[] = {
        {.complete_pages = true}, {.compact = true, .larger = true}, {.convert = true}, {.restamp = true}};
    for (uint64_t n = 0; n < 8; n++) {
        struct cow_error err = {.status = 0};
        struct result result;
        struct model_spec spec = spec_of((enum cow_format)_i, n + (uint64_t)_i * 5);
        spec.backing_bytes = spec.size_bytes;
        struct model *m = model_create(&spec);
        char *out = test_path("out");
        const struct witness image = witness_of(m->cow_path), backing = witness_of(m->backing_path);
        struct cow_rewrite_options opt = options[n % 4];
        opt.output_path = out;
        if (n >= 4) {
            file_write(out, "old", 3);
            must_fail(run_rewrite(m->cow_path, &opt, NULL, NULL, &result, &err), COW_REFUSED, err);
            ck_assert_uint_eq(file_size(out), 3);
            opt.force = true;
        }
        must_succeed(run_rewrite(m->cow_path, &opt, NULL, NULL, &result, &err), err);
        ck_assert_str_eq(result.method, "copy");
        uint8_t *bits = bits_after(m, &opt);
        check_image(m, out, result.method, bits, m->backing_path, MODEL_MTIME);
        witness_check(&image, "elsewhere");
        witness_check(&backing, "elsewhere");
        check_names("m m.img out", "elsewhere");
        free(bits);
        free(out);
        clear_directory(m);
    }
}
END_TEST

/* ---- by one write of the first sector ---- */

static struct model_spec usual(enum pattern pattern)
{
    return (struct model_spec){.format = COW_FORMAT_V3,
                               .size_bytes = 403 * 512,
                               .sector_bytes = 512,
                               .alignment = 4096,
                               .backing_bytes = 403 * 512,
                               .pattern = pattern,
                               .garbage = true,
                               .seed = 5};
}

START_TEST(a_header_edit_touches_the_first_sector)
{
    for (unsigned n = 0; n < 12; n++) {
        struct cow_error err = {.status = 0};
        struct result result;
        struct model_spec spec = usual(PATTERN_RUNS);
        spec.garbage = n % 2 == 0;
        spec.short_file = n % 3 == 1;
        spec.tail_bytes = n % 3 == 2 ? 5000 : 0;
        struct model *m = model_create(&spec);
        char *other = test_path("n.img");
        file_write(other, m->backing, spec.backing_bytes);
        file_set_mtime(other, MODEL_MTIME + 3);
        const struct witness image = witness_of(m->cow_path), backing = witness_of(m->backing_path);
        const uint64_t length = file_size(m->cow_path);
        uint8_t *old = malloc(length), *now = malloc(length);
        must(old != NULL && now != NULL, "out of memory");
        file_read(m->cow_path, 0, old, length);
        const struct cow_rewrite_options options[] = {{.backing_path = other, .restamp = true},
                                                      {.set_mtime = true, .mtime = UINT32_MAX},
                                                      {.backing_path = other, .set_mtime = true, .mtime = 0},
                                                      {.backing_path = other, .force = true}};
        must_succeed(run_rewrite(m->cow_path, &options[n / 3], NULL, NULL, &result, &err), err);
        ck_assert_str_eq(result.method, "header");
        must(file_size(m->cow_path) == length && file_inode(m->cow_path) == image.facts.st_ino,
             "another file, or length");
        file_read(m->cow_path, 0, now, length);
        for (uint64_t at = 0; at < length; at++) {
            const bool may = (at >= 8 && at < 12) || (at >= 32 && at < 512);
            must(now[at] == old[at] || may, "%u: byte %" PRIu64 " was written", n, at);
        }
        must(memcmp(now + 8, old + 8, 4) != 0, "the date is the old one");
        must((strcmp((char *)now + 32, other) == 0) == (options[n / 3].backing_path != NULL), "the path");
        check_names(".m.cowtui-undo m m.img n.img", "header");
        undo(m, &image, "m m.img n.img");
        witness_check(&backing, "header");
        free(old);
        free(now);
        free(other);
        clear_directory(m);
    }
}
END_TEST

/* Only where the path ends in the first sector. */
START_TEST(a_long_path_goes_by_copy)
{
    for (size_t length = 478; length <= 482; length++) {
        struct cow_error err = {.status = 0};
        struct result result;
        char path[600];
        const struct model_spec spec = usual(PATTERN_RANDOM);
        struct model *m = model_create(&spec);
        const struct witness image = witness_of(m->cow_path);
        snprintf(path, sizeof path, "%s/", test_directory());
        for (int i = 0; i < 2; i++) { /* two names share what is left */
            size_t have = strlen(path), n = i == 0 ? (length - have) / 2 : length - have;
            memset(path + have, 'x', n);
            path[have + n] = '\0';
            if (i == 0) {
                must(mkdir(path, 0700) == 0, "mkdir");
                snprintf(path + have + n, sizeof path - have - n, "/");
            }
        }
        must(strlen(path) == length, "%zu", strlen(path));
        file_write(path, m->backing, spec.backing_bytes);
        file_set_mtime(path, MODEL_MTIME);
        const struct cow_rewrite_options opt = {.backing_path = path};
        must_succeed(run_rewrite(m->cow_path, &opt, NULL, NULL, &result, &err), err);
        ck_assert_str_eq(result.method, length < 480 ? "header" : "copy");
        uint8_t *bits = bits_after(m, &opt);
        check_image(m, m->cow_path, result.method, bits, path, MODEL_MTIME);
        must_succeed(plan_and_commit(m->cow_path, cow_plan_undo, NULL, &err), err);
        witness_check(&image, "undo");
        free(bits);
        clear_directory(m);
    }
}
END_TEST

/* ---- nothing to do ---- */

START_TEST(nothing_to_do_writes_nothing)
{
    for (unsigned n = 0; n < 7; n++) {
        struct model_spec spec = usual(n < 3 ? PATTERN_ALL : PATTERN_RUNS);
        if (n == 0) {
            spec.garbage = false;
        }
        struct model *m = model_create(&spec);
        struct cow_error err = {.status = 0};
        struct result result;
        struct faulty f;
        const struct witness image = witness_of(m->cow_path);
        const struct cow_rewrite_options options[] = {
            {.complete_pages = true},
            {.complete_pages = true, .backing_path = m->backing_path},
            {.complete_pages = true, .restamp = true},
            {.backing_path = m->backing_path},
            {.restamp = true},
            {.set_mtime = true, .mtime = MODEL_MTIME},
            {.backing_path = m->backing_path, .restamp = true}};
        faulty_init(&f, FAULT_NONE, 0, 0);
        must_succeed(run_rewrite(m->cow_path, &options[n], &f.io, NULL, &result, &err), err);
        ck_assert_str_eq(result.method, "none");
        must(f.calls == 0, "%u: %" PRIu64 " calls", n, f.calls);
        witness_check(&image, "nothing to do");
        check_names("m m.img", "nothing to do");
        clear_directory(m);
    }
}
END_TEST

/* What was rewritten needs it no more. */
START_TEST(a_second_time_there_is_nothing_to_do)
{
    static const struct cow_rewrite_options options[] = {{.complete_pages = true},
                                                         {.compact = true},
                                                         {.compact = true, .sectors = true},
                                                         {.complete_pages = true, .compact = true}};
    for (unsigned n = 0; n < 4; n++) {
        struct cow_error err = {.status = 0};
        struct result result;
        struct model_spec spec = usual(PATTERN_RANDOM);
        spec.format = COW_FORMAT_V2;
        spec.alignment = 0;
        spec.dull_from = 100 * 512;
        struct model *m = model_create(&spec);
        must_succeed(run_rewrite(m->cow_path, &options[n], NULL, NULL, &result, &err), err);
        ck_assert_str_eq(result.method, "copy");
        const struct witness image = witness_of(m->cow_path);
        must_succeed(run_rewrite(m->cow_path, &options[n], NULL, NULL, &result, &err), err);
        if (!options[n].sectors) { /* by sectors mixed pages are left, which compact has to look after */
            must(strcmp(result.method, "none") == 0, "%u: again by %s", n, result.method);
            witness_check(&image, "a second time");
        }
        clear_directory(m);
    }
}
END_TEST

/* A v3 is written anew, too: that mends its padding, its length and its layout. */
START_TEST(a_v3_is_converted_all_the_same)
{
    for (unsigned n = 0; n < 2; n++) {
        struct cow_error err = {.status = 0};
        struct result result;
        struct model_spec spec = usual(PATTERN_RUNS);
        spec.tail_bytes = 5000;
        struct model *m = model_create(&spec);
        const struct cow_rewrite_options opt = {
            .convert = true, .set_mtime = n == 1, .mtime = MODEL_MTIME + 1};
        const struct witness image = witness_of(m->cow_path);
        must_succeed(run_rewrite(m->cow_path, &opt, NULL, NULL, &result, &err), err);
        ck_assert_str_eq(result.method, "copy");
        uint8_t *bits = bits_after(m, &opt);
        check_image(m, m->cow_path, result.method, bits, m->backing_path, MODEL_MTIME + n);
        struct model_view view;
        must(model_read_header(&view, m->cow_path, COW_FORMAT_V3) &&
                 file_size(m->cow_path) == view.geometry.end_offset,
             "its length");
        undo(m, &image, "m m.img");
        free(bits);
        clear_directory(m);
    }
}
END_TEST

/* ---- refusals ---- */

static void refuse(const struct model *m, const struct cow_rewrite_options *opt, int wanted,
                   const char *where)
{
    struct cow_error err = {.status = 0};
    struct result result;
    const struct witness image = witness_of(m->cow_path);
    char *before = directory_list(test_directory());
    int status = run_rewrite(m->cow_path, opt, NULL, NULL, &result, &err);
    must(status == wanted && !result.planned, "%s: %d instead of %d (%s)", where, status, wanted,
         err.message);
    must_fail(status, wanted, err);
    witness_check(&image, where);
    char *after = directory_list(test_directory());
    ck_assert_str_eq(after, before);
    free(before);
    free(after);
}

static void accept(const struct model *m, const struct cow_rewrite_options *opt, const char *where)
{
    const struct cow_open_options quick = {.io = quick_io()};
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    must_succeed(cow_image_open(&img, m->cow_path, &quick, &err), err);
    int status = cow_plan_rewrite(&plan, img, opt, &err);
    must(status == 0, "%s: %d %s", where, status, err.message);
    cow_plan_free(plan);
    cow_image_close(img);
}

START_TEST(combinations_of_options)
{
    const struct model_spec spec = usual(PATTERN_RUNS);
    struct model *m = model_create(&spec);
    static const struct cow_rewrite_options wrong[] = {{.sectors = false},
                                                       {.force = true},
                                                       {.reserve_bytes = UINT64_C(1) << 40},
                                                       {.safe = true},
                                                       {.safe = true, .compact = true},
                                                       {.restamp = true, .set_mtime = true},
                                                       {.sectors = true},
                                                       {.sectors = true, .complete_pages = true},
                                                       {.sectors = true, .convert = true}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        refuse(m, &wrong[i], COW_USAGE, "a combination");
    }
    static const struct {
        struct cow_rewrite_options opt;
        const char *operation;
    } named[] = {{{.complete_pages = true}, "pages"}, {{.compact = true}, "compact"},
                 {{.restamp = true}, "rebase"},       {{.set_mtime = true}, "rebase"},
                 {{.convert = true}, "convert"},      {{.convert = true, .complete_pages = true}, "repair"}};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        struct cow_error err = {.status = 0};
        struct cow_image *img;
        struct cow_plan *plan;
        must_succeed(cow_image_open(&img, m->cow_path, NULL, &err), err);
        must_succeed(cow_plan_rewrite(&plan, img, &named[i].opt, &err), err);
        ck_assert_str_eq(cow_operation_name(cow_plan_preview(plan)->operation), named[i].operation);
        cow_plan_free(plan);
        cow_image_close(img);
    }
    clear_directory(m);
}
END_TEST

START_TEST(a_new_backing_file_that_does_not_fit)
{
    const struct model_spec spec = usual(PATTERN_RUNS);
    struct model *m = model_create(&spec);
    char *other = test_path("n.img"), *nowhere = test_path("nowhere"), *directory = test_path("directory"),
         *hard = test_path("hard");
    struct cow_rewrite_options opt = {.backing_path = nowhere};
    refuse(m, &opt, COW_IO, "no such file");
    opt.safe = opt.force = true;
    refuse(m, &opt, COW_IO, "no such file");
    mkdir(directory, 0700);
    refuse(m, &(struct cow_rewrite_options){.backing_path = directory}, COW_IO, "a directory");
    must(mkfifo(other, 0600) == 0, "mkfifo");
    refuse(m, &(struct cow_rewrite_options){.backing_path = other}, COW_IO, "a FIFO");
    unlink(other);

    refuse(m, &(struct cow_rewrite_options){.backing_path = m->cow_path, .force = true}, COW_REFUSED,
           "itself");
    must(symlink(m->cow_path, other) == 0, "symlink");
    refuse(m, &(struct cow_rewrite_options){.backing_path = other, .force = true}, COW_REFUSED, "itself");
    unlink(other);

    file_write(other, m->backing, spec.backing_bytes); /* another date */
    file_set_mtime(other, MODEL_MTIME + 1);
    opt = (struct cow_rewrite_options){.backing_path = other};
    refuse(m, &opt, COW_REFUSED, "another date");
    opt.convert = true;
    refuse(m, &opt, COW_REFUSED, "another date");
    accept(m, &(struct cow_rewrite_options){.backing_path = other, .restamp = true}, "restamp");
    accept(m, &(struct cow_rewrite_options){.backing_path = other, .safe = true}, "safe");
    accept(m, &(struct cow_rewrite_options){.backing_path = other, .force = true}, "force");
    accept(m, &(struct cow_rewrite_options){.backing_path = other, .set_mtime = true}, "by hand");

    static const uint64_t sizes[] = {0, 402 * 512, 403 * 512 - 1, 403 * 512 + 1, 404 * 512};
    for (size_t i = 0; i < 5; i++) {
        file_truncate(other, sizes[i]);
        file_set_mtime(other, MODEL_MTIME);
        refuse(m, &(struct cow_rewrite_options){.backing_path = other}, COW_REFUSED, "size");
        refuse(m, &(struct cow_rewrite_options){.backing_path = other, .safe = true}, COW_REFUSED, "size");
        refuse(m, &(struct cow_rewrite_options){.backing_path = other, .restamp = true}, COW_REFUSED, "size");
        accept(m, &(struct cow_rewrite_options){.backing_path = other, .force = true}, "size, force");
    }
    file_truncate(other, spec.size_bytes);
    static const int64_t dates[] = {-1, -100000, INT64_C(1) << 32};
    for (size_t i = 0; i < 3 && date_fits(dates[i]); i++) {
        file_set_mtime(other, dates[i]);
        refuse(m, &(struct cow_rewrite_options){.backing_path = other, .restamp = true}, COW_REFUSED, "date");
        refuse(m, &(struct cow_rewrite_options){.backing_path = other, .safe = true}, COW_REFUSED, "date");
        accept(m, &(struct cow_rewrite_options){.backing_path = other, .set_mtime = true, .mtime = 1},
               "date");
    }
    file_set_mtime(m->backing_path, -1);
    refuse(m, &(struct cow_rewrite_options){.restamp = true}, COW_REFUSED, "date");
    file_set_mtime(m->backing_path, MODEL_MTIME);

    uint8_t header[COW_HEADER_BYTES_MAX]; /* a COW image */
    size_t n = model_header(header, COW_FORMAT_V2, "/x", 1 << 20, 512, 0, 1, false);
    file_write_at(other, 0, header, n);
    file_set_mtime(other, MODEL_MTIME);
    refuse(m, &(struct cow_rewrite_options){.backing_path = other}, COW_REFUSED, "a COW image");
    accept(m, &(struct cow_rewrite_options){.backing_path = other, .force = true}, "a COW image");

    opt = (struct cow_rewrite_options){.complete_pages = true, .output_path = m->cow_path, .force = true};
    refuse(m, &opt, COW_REFUSED, "the output is the image");
    opt.output_path = m->backing_path;
    refuse(m, &opt, COW_REFUSED, "the output is the backing file");
    must(link(m->backing_path, hard) == 0, "link");
    opt.output_path = hard;
    refuse(m, &opt, COW_REFUSED, "the output is the backing file");
    unlink(hard);
    file_write(other, m->backing, spec.backing_bytes);
    file_set_mtime(other, MODEL_MTIME);
    must(symlink(other, hard) == 0, "symlink");
    opt = (struct cow_rewrite_options){.backing_path = other, .output_path = hard, .force = true};
    refuse(m, &opt, COW_REFUSED, "the output is the new backing file");
    opt.output_path = directory;
    refuse(m, &opt, COW_REFUSED, "the output is a directory");
    free(other);
    free(nowhere);
    free(directory);
    free(hard);
    clear_directory(m);
}
END_TEST

START_TEST(a_doubtful_old_backing_file)
{
    struct cow_error err = {.status = 0};
    struct result result;
    const struct model_spec spec = usual(PATTERN_RANDOM);
    struct model *m = model_create(&spec);
    static const struct cow_rewrite_options reading[] = {{.complete_pages = true}, {.compact = true}};
    file_set_mtime(m->backing_path, MODEL_MTIME + 1);
    for (size_t i = 0; i < 2; i++) {
        struct cow_rewrite_options opt = reading[i];
        refuse(m, &opt, COW_REFUSED, "another date");
        opt.convert = true;
        refuse(m, &opt, COW_REFUSED, "another date");
        opt.restamp = true;
        accept(m, &opt, "another date, restamp");
    }
    rewrite_and_back(m, &(struct cow_rewrite_options){.complete_pages = true, .force = true}, m->backing_path,
                     MODEL_MTIME + 1, ""); /* vouched for: with its date */
    accept(m, &(struct cow_rewrite_options){.convert = true}, "that reads nothing of it");
    file_truncate(m->backing_path, spec.size_bytes + 512);
    refuse(m, &(struct cow_rewrite_options){.restamp = true}, COW_REFUSED, "another size");
    accept(m, &(struct cow_rewrite_options){.restamp = true, .force = true}, "another size, force");

    char *other = test_path("n.img"); /* it is gone, or has moved */
    must(rename(m->backing_path, other) == 0, "rename");
    file_truncate(other, spec.size_bytes);
    file_set_mtime(other, MODEL_MTIME);
    for (size_t i = 0; i < 2; i++) {
        refuse(m, &reading[i], COW_IO, "no backing file");
    }
    refuse(m, &(struct cow_rewrite_options){.restamp = true}, COW_IO, "no backing file");
    refuse(m, &(struct cow_rewrite_options){.backing_path = other, .safe = true}, COW_IO, "no backing file");
    must_succeed(run_rewrite(m->cow_path, &(struct cow_rewrite_options){.backing_path = other}, NULL, NULL,
                             &result, &err),
                 err);
    uint64_t size;
    uint8_t *disk = model_compose(m->cow_path, COW_FORMAT_V3, NULL, &size);
    must(disk != NULL && memcmp(disk, m->disk, spec.size_bytes) == 0, "another disk");
    free(disk);
    free(other);
    clear_directory(m);
}
END_TEST

START_TEST(converting_needs_no_backing_file)
{
    for (unsigned n = 0; n < 2; n++) {
        struct cow_error err = {.status = 0};
        struct result result;
        struct model_spec spec = usual(PATTERN_RANDOM);
        spec.format = n == 0 ? COW_FORMAT_V1 : COW_FORMAT_V2_LONG;
        spec.alignment = 0;
        struct model *m = model_create(&spec);
        char *away = test_path("away");
        const struct cow_rewrite_options opt = {.convert = true};
        must(rename(m->backing_path, away) == 0, "rename");
        must_succeed(run_rewrite(m->cow_path, &opt, NULL, NULL, &result, &err), err);
        must(rename(away, m->backing_path) == 0, "rename");
        uint8_t *bits = bits_after(m, &opt);
        check_image(m, m->cow_path, result.method, bits, m->backing_path, MODEL_MTIME);
        free(bits);
        free(away);
        clear_directory(m);
    }
}
END_TEST

START_TEST(a_qemu_image_without_a_backing_file)
{
    struct model_spec spec = usual(PATTERN_RANDOM);
    spec.format = _i == 0 ? COW_FORMAT_QEMU : COW_FORMAT_QEMU_I386;
    spec.alignment = 0;
    spec.backing_bytes = NO_BACKING;
    struct model *m = model_create(&spec);
    refuse(m, &(struct cow_rewrite_options){.complete_pages = true}, COW_UNSUPPORTED, "QEMU");
    refuse(m, &(struct cow_rewrite_options){.compact = true}, COW_UNSUPPORTED, "QEMU");
    refuse(m, &(struct cow_rewrite_options){.convert = true}, COW_UNSUPPORTED, "QEMU");
    char *other = make_other(m, spec.size_bytes, MODEL_MTIME);
    struct cow_open_options named = {.backing_path = other, .io = quick_io()}; /* the user knows of one */
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    must_succeed(cow_image_open(&img, m->cow_path, &named, &err), err);
    must_succeed(cow_plan_rewrite(&plan, img, &(struct cow_rewrite_options){.convert = true}, &err), err);
    ck_assert_str_eq(cow_plan_preview(plan)->after_backing_path, other);
    must(cow_plan_preview(plan)->after_verdict.opens, "%s", cow_plan_preview(plan)->after_verdict.reason);
    cow_plan_free(plan);
    cow_image_close(img);
    rewrite_and_back(m, &(struct cow_rewrite_options){.backing_path = other, .safe = true}, other,
                     MODEL_MTIME, "n.img");
    free(other);
    clear_directory(m);
}
END_TEST

START_TEST(images_with_several_names)
{
    struct cow_error err = {.status = 0};
    struct result result;
    const struct model_spec spec = usual(PATTERN_RANDOM);
    struct model *m = model_create(&spec);
    char *hard = test_path("hard"), *out = test_path("out");
    must(link(m->cow_path, hard) == 0, "link");
    struct cow_rewrite_options opt = {.complete_pages = true};
    refuse(m, &opt, COW_REFUSED, "two names");
    opt.output_path = out;
    accept(m, &opt, "elsewhere");
    accept(m, &(struct cow_rewrite_options){.set_mtime = true}, "in place");
    opt = (struct cow_rewrite_options){.complete_pages = true, .force = true};
    const struct witness image = witness_of(hard);
    must_succeed(run_rewrite(m->cow_path, &opt, NULL, NULL, &result, &err), err);
    must(file_inode(hard) == image.facts.st_ino && witness_same_content(&image), "the other name's file");
    check_names("hard m m.img", "there is no undo");
    free(hard);
    free(out);
    clear_directory(m);
}
END_TEST

START_TEST(an_interrupted_change_waits)
{
    const struct model_spec spec = usual(PATTERN_RANDOM);
    struct model *m = model_create(&spec);
    char *journal = test_path(".m.cowtui-journal");
    file_write(journal, "x", 1);
    refuse(m, &(struct cow_rewrite_options){.complete_pages = true}, COW_REFUSED, "pending");
    refuse(m, &(struct cow_rewrite_options){.set_mtime = true}, COW_REFUSED, "pending");
    unlink(journal);
    uint8_t mark[8];
    memset(mark, 0xff, sizeof mark);
    file_write_at(m->cow_path, shapes[COW_FORMAT_V3].size, mark, sizeof mark);
    refuse(m, &(struct cow_rewrite_options){.complete_pages = true}, COW_INVALID, "unfinished");
    free(journal);
    clear_directory(m);
}
END_TEST

/* What happens between plan and commit is noticed: a guest, another date, another file. */
START_TEST(files_that_change_after_the_plan)
{
    for (unsigned event = 0; event < 6; event++) {
        const struct cow_open_options quick = {.io = quick_io()};
        struct cow_error err = {.status = 0};
        struct cow_image *img;
        struct cow_plan *plan;
        const struct model_spec spec = usual(PATTERN_RANDOM);
        struct model *m = model_create(&spec);
        char *other = make_other(m, spec.size_bytes, MODEL_MTIME);
        const struct cow_rewrite_options opt = {
            .backing_path = event < 3 ? NULL : other, .compact = true, .safe = event >= 3};
        must_succeed(cow_image_open(&img, m->cow_path, &quick, &err), err);
        must_succeed(cow_plan_rewrite(&plan, img, &opt, &err), err);
        if (event == 0 || event == 3) {
            file_set_mtime(m->cow_path, 1);
        } else if (event == 1 || event == 4) {
            file_set_mtime(m->backing_path, MODEL_MTIME + 1);
        } else {
            file_truncate(event == 2 ? m->backing_path : other, spec.size_bytes + 1);
        }
        const struct witness image = witness_of(m->cow_path);
        must_fail(cow_plan_commit(plan, NULL, &err), COW_REFUSED, err);
        witness_check(&image, "changed after the plan");
        check_names("m m.img n.img", "changed after the plan");
        cow_plan_free(plan);
        cow_image_close(img);
        free(other);
        clear_directory(m);
    }
}
END_TEST

/* ---- stopping ---- */

struct asked {
    unsigned calls, stop_at;
    bool could;
};

static bool ask(void *context, const struct cow_progress *progress)
{
    struct asked *asked = context;
    must(progress->total_bytes > 0 && progress->phase[0] != '\0', "progress");
    if (++asked->calls == asked->stop_at) {
        asked->could = progress->can_cancel;
        return true;
    }
    return false;
}

START_TEST(stopping_leaves_all_as_it_was)
{
    struct model_spec spec = usual(_i == 1 ? PATTERN_ALL : PATTERN_LONG);
    spec.size_bytes = spec.backing_bytes = 3 * MIB + 512 * 1024;
    struct model *m = model_create(&spec);
    char *other = make_other(m, spec.size_bytes, MODEL_MTIME + 3);
    const struct cow_rewrite_options options[] = {
        {.complete_pages = true, .convert = true, .reserve_bytes = 1},
        {.compact = true},
        {.backing_path = other, .safe = true},
        {.backing_path = other, .restamp = true}};
    const struct witness image = witness_of(m->cow_path), backing = witness_of(m->backing_path),
                         theirs = witness_of(other);
    unsigned in_plan = 0, in_commit = 0;
    for (bool done = false; !done;) {
        struct asked asked = {.stop_at = in_plan + 1};
        const struct cow_env env = {.progress = ask, .context = &asked};
        struct cow_rewrite_options opt = options[_i];
        struct cow_error err = {.status = 0};
        const struct cow_open_options quick = {.io = quick_io()};
        struct cow_image *img;
        struct cow_plan *plan = NULL;
        opt.env = &env;
        must_succeed(cow_image_open(&img, m->cow_path, &quick, &err), err);
        int status = cow_plan_rewrite(&plan, img, &opt, &err);
        if (asked.calls < asked.stop_at) {
            must_succeed(status, err);
            done = true;
        } else {
            must_fail(status, COW_CANCELLED, err);
            must(plan == NULL && asked.calls == asked.stop_at, "it went on");
            in_plan++;
        }
        cow_plan_free(plan);
        cow_image_close(img);
        witness_check(&image, "stopped");
    }
    must(_i == 0 || _i == 3 || in_plan >= 3, "asked %u times only", in_plan);
    for (bool done = false; !done;) {
        struct asked asked = {.stop_at = in_commit + 1};
        const struct cow_env env = {.progress = ask, .context = &asked};
        struct cow_error err = {.status = 0};
        struct result result;
        int status = run_rewrite(m->cow_path, &options[_i], NULL, &env, &result, &err);
        if (status == 0) { /* past the point where it can be stopped, or never asked */
            must(asked.calls < asked.stop_at || !asked.could, "asked, and not stopped");
            done = true;
        } else {
            must_fail(status, COW_CANCELLED, err);
            must(asked.could, "stopped where it cannot be");
            witness_check(&image, "stopped");
            check_names("m m.img n.img", "stopped");
            in_commit++;
        }
    }
    must(in_commit >= 3, "asked %u times only", in_commit);
    witness_check(&backing, "stopped");
    witness_check(&theirs, "stopped");
    undo(m, &image, "m m.img n.img");
    free(other);
    clear_directory(m);
}
END_TEST

/* ---- the selection itself ---- */

/* Two passes, as plan and commit make them. */
static void check_selection(struct selection *selection, const struct model *m, const uint8_t *bits)
{
    struct cow_error err = {.status = 0};
    const uint64_t n = sectors_of(m);
    for (unsigned pass = 0; pass < 2; pass++) {
        struct cow_dirty_run run = {0, 0};
        uint64_t at = 0;
        do {
            must_succeed(selection_next(selection, at, &run, &err), err);
            const uint64_t first = run.sectors > 0 ? run.first_sector : n;
            must(first >= at && run.sectors <= n - first, "%s: run %" PRIu64 "+%" PRIu64, model_describe(m),
                 run.first_sector, run.sectors);
            for (; at < first + run.sectors; at++) {
                must((bits[at] != 0) == (at >= first), "%s: sector %" PRIu64, model_describe(m), at);
            }
        } while (run.sectors > 0);
        must(at == n, "%s: ended at %" PRIu64, model_describe(m), at);
    }
    for (uint64_t at = n; at-- > 0;) { /* in any order, and cut where it is asked */
        struct cow_dirty_run run;
        must_succeed(selection_next(selection, at, &run, &err), err);
        must(!bits[at] || (run.first_sector == at && run.sectors > 0), "%s: at %" PRIu64, model_describe(m),
             at);
    }
    struct cow_dirty_run run;
    must_succeed(selection_next(selection, n, &run, &err), err);
    must(run.sectors == 0, "past the end");
    must_succeed(selection_next(selection, UINT64_MAX, &run, &err), err);
    must(run.sectors == 0, "at the end of numbers");
}

START_TEST(selections)
{
    for (uint64_t n = 0; n < 24; n++) {
        struct model_spec spec = spec_of((enum cow_format)_i, n + (uint64_t)_i * 11);
        spec.backing_bytes = n % 6 == 5 ? spec.size_bytes / 2 : spec.size_bytes;
        struct model *m = model_create(&spec);
        struct cow_error err = {.status = 0};
        struct cow_image *img;
        struct selection *selection;
        must_succeed(cow_image_open(&img, m->cow_path, NULL, &err), err);
        const struct selection_rule rule = {.pages = n % 2 == 0,
                                            .compare = n % 4 >= 2,
                                            .look_at_all = n % 8 >= 6,
                                            .keep = n >= 12 && n % 8 < 6,
                                            .backing = n % 3 == 2 ? NULL : &img->backing.file};
        uint8_t *base = base_of(m, rule.backing != NULL ? m->backing_path : NULL);
        uint8_t *bits = naive_bits(m, rule.pages ? 8 : 1, rule.compare, rule.look_at_all, rule.keep, base);
        if (!rule.compare || rule.backing != NULL || rule.look_at_all) {
            must_succeed(selection_open(&selection, img, &rule, &err), err);
            check_selection(selection, m, bits);
            selection_close(selection);
        }
        selection_close(NULL);
        cow_image_close(img);
        free(base);
        free(bits);
        clear_directory(m);
    }
}
END_TEST

/* ---- a disk of many chunks ---- */

enum { CHUNK_SECTORS = 512 * 1024 }; /* in which a selection is made: 256 MiB */

/* A sparse image whose dirty sectors are few and known: what the disk shows in each. */
struct wide {
    char *path, *backing;
    uint64_t size, n_bytes; /* of the bitmap */
    uint8_t *bitmap;        /* the old bits */
    struct geometry g;
    int cow_fd, backing_fd;
    uint64_t full_page; /* in a chunk that is all dirty, and holes on both sides; 0: none */
};

static void wide_begin(struct wide *w, uint64_t sectors)
{
    uint8_t header[COW_HEADER_BYTES_MAX];
    *w = (struct wide){.path = test_path("m"), .backing = test_path("m.img"), .size = sectors * 512 - 100};
    w->g = model_geometry(COW_FORMAT_V3, w->size, 512, 65536);
    w->n_bytes = w->g.bitmap_bytes;
    w->bitmap = calloc(w->n_bytes, 1);
    must(w->bitmap != NULL, "out of memory");
    file_truncate(w->backing, w->size);
    size_t n = model_header(header, COW_FORMAT_V3, w->backing, w->size, 512, 65536, MODEL_MTIME, false);
    file_write(w->path, header, n);
    file_truncate(w->path, w->g.end_offset);
    w->cow_fd = file_open_to_write(w->path);
    w->backing_fd = file_open_to_write(w->backing);
}

enum kind { CHANGED = 'c', REDUNDANT = 'r', HOLE = 'h', BARE = 'b' };

/* Dirty sectors: other data than the backing file's, the same, a hole over its data, or nothing on both
 * sides. */
static void wide_put(struct wide *w, uint64_t first, uint64_t sectors, enum kind kind)
{
    uint8_t ours[512], theirs[512];
    for (uint64_t i = first; i < first + sectors; i++) {
        const size_t n = (size_t)(w->size - i * 512 < 512 ? w->size - i * 512 : 512);
        w->bitmap[i / 8] = (uint8_t)(w->bitmap[i / 8] | 1u << i % 8);
        memset(ours, (int)(i % 200 + 1), sizeof ours);
        memset(theirs, kind == REDUNDANT ? (int)(i % 200 + 1) : 255, sizeof theirs);
        if (kind == CHANGED || kind == REDUNDANT) {
            file_write_to(w->cow_fd, w->g.data_offset + i * 512, ours, n);
        }
        if (kind == HOLE || kind == REDUNDANT) {
            file_write_to(w->backing_fd, i * 512, theirs, n);
        }
    }
}

static void wide_end(struct wide *w)
{
    for (uint64_t at = 0; at < w->n_bytes; at += 4096) { /* empty parts stay holes */
        const uint64_t n = w->n_bytes - at < 4096 ? w->n_bytes - at : 4096;
        if (!all_zero(w->bitmap + at, n)) {
            file_write_to(w->cow_fd, w->g.bitmap_offset + at, w->bitmap + at, n);
        }
    }
    close(w->cow_fd);
    close(w->backing_fd);
    file_set_mtime(w->backing, MODEL_MTIME);
}

static void wide_free(struct wide *w)
{
    unlink(w->path);
    unlink(w->backing);
    free(w->path);
    free(w->backing);
    free(w->bitmap);
}

static void wide_sector(const char *path, const struct geometry *g, const uint8_t *bitmap,
                        const char *backing, uint64_t sector, uint64_t n, uint8_t out[512])
{
    if ((bitmap[sector / 8] >> sector % 8 & 1) != 0) {
        file_read(path, g->data_offset + sector * 512, out, n);
    } else {
        file_read(backing, sector * 512, out, n);
    }
}

/* The bits by the naive rule, page by page where there is any old bit; the disk in all of those pages. */
static void wide_check(const struct wide *w, const char *target, const char *backing, bool compare)
{
    struct model_view view;
    must(model_read_header(&view, target, COW_FORMAT_V3) && view.size_bytes == w->size, "header");
    const struct geometry *g = &view.geometry;
    uint8_t *bitmap = calloc(g->bitmap_bytes, 1);
    must(bitmap != NULL, "out of memory");
    file_read(target, g->bitmap_offset, bitmap, g->bitmap_bytes);
    for (uint64_t page = 0; page < w->n_bytes; page++) { /* 8 sectors: a page is a byte */
        uint8_t wanted = 0, old[512] = {0}, now[512] = {0}, base[512] = {0};
        const uint8_t all =
            (uint8_t)(page + 1 == w->n_bytes && w->g.sectors % 8 != 0 ? (1u << w->g.sectors % 8) - 1 : 0xff);
        if (w->bitmap[page] == 0 && bitmap[page] == 0) {
            continue;
        }
        if (w->full_page != 0 && page / (CHUNK_SECTORS / 8) == w->full_page / (CHUNK_SECTORS / 8) &&
            page % 61 != 0) { /* holes on both sides */
            must(bitmap[page] == (compare ? 0 : 0xff), "page %" PRIu64 " of the full chunk", page);
            continue;
        }
        for (uint64_t i = page * 8; i < page * 8 + 8 && i < w->g.sectors; i++) {
            const uint64_t n = w->size - i * 512 < 512 ? w->size - i * 512 : 512;
            wide_sector(w->path, &w->g, w->bitmap, w->backing, i, n, old);
            wide_sector(target, g, bitmap, backing, i, n, now);
            file_read(backing, i * 512, base, n);
            must(memcmp(old, now, n) == 0, "sector %" PRIu64 " is another one", i);
            wanted = !compare || memcmp(old, base, n) != 0 ? all : wanted;
        }
        must(bitmap[page] == wanted, "page %" PRIu64 ": bits %x instead of %x", page, bitmap[page], wanted);
    }
    free(bitmap);
}

/* Runs up to, from and across the edges of chunks; a full chunk, a chunk of redundant holes, an empty one. */
START_TEST(edges_of_chunks)
{
    static const struct cow_rewrite_options options[] = {{.complete_pages = true}, {.compact = true}};
    struct cow_error err = {.status = 0};
    struct result result;
    struct wide w;
    const uint64_t c = CHUNK_SECTORS;
    char *out = test_path("out");
    wide_begin(&w, 5 * c + 21);
    wide_put(&w, 0, 3, CHANGED);
    wide_put(&w, c - 1, 1, CHANGED);      /* up to an edge */
    wide_put(&w, 2 * c - 9, 20, CHANGED); /* across one */
    wide_put(&w, 3 * c, 1, HOLE);         /* from one on */
    wide_put(&w, 3 * c + 100, 9, REDUNDANT);
    wide_put(&w, 3 * c + 160, 9, BARE);
    wide_put(&w, 4 * c - 8, 8, REDUNDANT);
    wide_put(&w, 5 * c, 20, CHANGED);
    wide_put(&w, 5 * c + 20, 1, CHANGED);
    memset(w.bitmap + 4 * c / 8, 0xff, c / 8); /* a full chunk */
    w.full_page = 4 * c / 8;
    wide_end(&w);
    for (unsigned n = 0; n < 2; n++) {
        struct cow_rewrite_options opt = options[n];
        opt.output_path = out;
        must_succeed(run_rewrite(w.path, &opt, NULL, NULL, &result, &err), err);
        wide_check(&w, out, w.backing, opt.compact);
        struct stat facts;
        must(stat(out, &facts) == 0 && facts.st_blocks < 8 * 2048, "%jd blocks", (intmax_t)facts.st_blocks);
        unlink(out);
    }
    free(out);
    wide_free(&w);
}
END_TEST

/* More mixed chunks than are remembered: the second pass compares again, and must come to the same. */
START_TEST(more_chunks_than_are_remembered)
{
    struct cow_error err = {.status = 0};
    struct result result;
    struct wide w;
    const uint64_t c = CHUNK_SECTORS;
    char *out = test_path("out"), *other = test_path("n.img");
    wide_begin(&w, 136 * c + 5);
    for (uint64_t i = 0; i < 136; i++) {
        wide_put(&w, i * c + (i * 37 + 11) % 3000, 2, CHANGED);
        wide_put(&w, i * c + 5000 + i, 8, REDUNDANT);
        wide_put(&w, i * c + 7000 + i, 3, HOLE);
        if (i % 2 == 0) {
            wide_put(&w, (i + 1) * c - 1, 2, CHANGED);
        }
    }
    wide_put(&w, 136 * c + 2, 3, CHANGED);
    wide_end(&w);
    const struct witness image = witness_of(w.path), backing = witness_of(w.backing);
    struct cow_rewrite_options opt = {.compact = true, .output_path = out};
    must_succeed(run_rewrite(w.path, &opt, NULL, NULL, &result, &err), err);
    wide_check(&w, out, w.backing, true);
    unlink(out);

    file_truncate(other, w.size); /* the whole disk is compared with another backing file */
    file_set_mtime(other, MODEL_MTIME);
    opt = (struct cow_rewrite_options){.backing_path = other, .safe = true, .output_path = out};
    must_succeed(run_rewrite(w.path, &opt, NULL, NULL, &result, &err), err);
    wide_check(&w, out, other, true);
    unlink(out);
    unlink(other);
    witness_check(&image, "many chunks");
    witness_check(&backing, "many chunks");
    free(out);
    free(other);
    wide_free(&w);
}
END_TEST

Suite *rewrite_suite(void)
{
    Suite *suite = suite_create("rewrite");
    TCase *tc = tcase_create("rewrite");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, pages, 0, COW_FORMATS);
    tcase_add_loop_test(tc, compact, 0, COW_FORMATS);
    tcase_add_loop_test(tc, compact_by_sectors, 0, COW_FORMATS);
    tcase_add_loop_test(tc, convert, 0, COW_FORMATS);
    tcase_add_loop_test(tc, several_at_once, 0, COW_FORMATS);
    tcase_add_loop_test(tc, rebase_safely, 0, COW_FORMATS);
    tcase_add_loop_test(tc, rebase_safely_by_sectors, 0, COW_FORMATS);
    tcase_add_loop_test(tc, rebase_to_a_copy, 0, COW_FORMATS);
    tcase_add_loop_test(tc, restamp, 0, COW_FORMATS);
    tcase_add_loop_test(tc, elsewhere, 0, COW_FORMATS);
    tcase_add_test(tc, a_header_edit_touches_the_first_sector);
    tcase_add_test(tc, a_long_path_goes_by_copy);
    tcase_add_test(tc, nothing_to_do_writes_nothing);
    tcase_add_test(tc, a_second_time_there_is_nothing_to_do);
    tcase_add_test(tc, a_v3_is_converted_all_the_same);
    tcase_add_test(tc, combinations_of_options);
    tcase_add_test(tc, a_new_backing_file_that_does_not_fit);
    tcase_add_test(tc, a_doubtful_old_backing_file);
    tcase_add_test(tc, converting_needs_no_backing_file);
    tcase_add_loop_test(tc, a_qemu_image_without_a_backing_file, 0, 2);
    tcase_add_test(tc, images_with_several_names);
    tcase_add_test(tc, an_interrupted_change_waits);
    tcase_add_test(tc, files_that_change_after_the_plan);
    tcase_add_loop_test(tc, stopping_leaves_all_as_it_was, 0, 4);
    tcase_add_loop_test(tc, selections, 0, COW_FORMATS);
    tcase_add_test(tc, edges_of_chunks);
    tcase_add_test(tc, more_chunks_than_are_remembered);
    suite_add_tcase(suite, tc);
    return suite;
}
