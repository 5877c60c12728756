/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rewriting an image, going back, and the naive computation that both are held against.
 */
#include "rewriting.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/plan/selection.h"
#include "faulty.h"

/* ---- the naive computation ---- */

bool all_zero(const uint8_t *bytes, uint64_t n_bytes)
{
    for (uint64_t i = 0; i < n_bytes; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

uint64_t sectors_of(const struct model *m)
{
    return (m->spec.size_bytes + 511) / 512;
}

uint8_t *base_of(const struct model *m, const char *path)
{
    uint8_t *base = calloc(m->spec.size_bytes + 1, 1);
    must(base != NULL, "out of memory");
    if (path != NULL) {
        file_read(path, 0, base, m->spec.size_bytes);
    }
    return base;
}

uint8_t *naive_bits(const struct model *m, unsigned unit, bool compare, bool all, bool keep,
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

uint8_t *bits_after(const struct model *m, const struct cow_rewrite_options *opt)
{
    uint8_t *base = base_of(m, opt->safe ? opt->backing_path : m->backing_path);
    uint8_t *bits = naive_bits(m, selects(opt) && !opt->sectors ? 8 : 1, opt->compact || opt->safe, opt->safe,
                               false, base);
    free(base);
    return bits;
}

/* ---- running ---- */

int run_rewrite(const char *path, const struct cow_rewrite_options *opt, const struct cow_io *io,
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

void check_names(const char *wanted, const char *where)
{
    char *names = directory_list(test_directory());
    must(strcmp(names, wanted) == 0, "%s: there is \"%s\", not \"%s\"", where, names, wanted);
    free(names);
}

void check_image(const struct model *m, const char *target, const char *method, const uint8_t *bits,
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

void undo_rewrite(const struct model *m, const struct witness *image, const char *names)
{
    struct cow_error err = {.status = 0};
    int status = plan_and_commit(m->cow_path, cow_plan_undo, NULL, &err);
    must(status == 0, "%s: undo: %s", model_describe(m), err.message);
    witness_check(image, "undo");
    check_names(names, "undo");
}

void rewrite_and_back(const struct model *m, const struct cow_rewrite_options *opt, const char *stored,
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
        undo_rewrite(m, &image, before);
        witness_check(&backing, "undone"); /* (or the image itself) */
    }
    free(bits);
    free(fellow);
}

/* ---- the matrix ---- */

struct model_spec spec_of(enum cow_format format, uint64_t seed)
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

void clear_directory(struct model *m)
{
    test_directory_clear();
    model_free(m);
}

char *make_other(const struct model *m, uint64_t n_bytes, int64_t mtime)
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

/* ---- by one write of the first sector ---- */

struct model_spec usual_v3(enum pattern pattern)
{
    struct model_spec spec = model_spec_of(COW_FORMAT_V3, 403 * 512, pattern, 5);
    spec.garbage = true;
    return spec;
}
