/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which sectors a rewriting takes: the selection itself, and disks of more chunks than are remembered.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/plan/selection.h"
#include "rewriting.h"

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
    *w = (struct wide){.path = test_path("m"), .backing = test_path("m.img"), .size = sectors * 512 - 100};
    w->g = model_put_empty(w->path, COW_FORMAT_V3, w->backing, w->size, 512, 65536);
    w->n_bytes = w->g.bitmap_bytes;
    w->bitmap = calloc(w->n_bytes, 1);
    must(w->bitmap != NULL, "out of memory");
    file_truncate(w->backing, w->size);
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

Suite *rewrite_selection_suite(void)
{
    Suite *suite = suite_create("rewrite-selection");
    TCase *tc = tcase_create("rewrite selection");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, selections, 0, COW_FORMATS);
    tcase_add_test(tc, edges_of_chunks);
    tcase_add_test(tc, more_chunks_than_are_remembered);
    suite_add_tcase(suite, tc);
    return suite;
}
