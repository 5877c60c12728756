/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * diff: a new image that turns one raw disk into another. Its composed disk is the other one, its bits are
 * where they differ, the inputs are only read, and none of them is ever the output.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "changes.h"
#include "core/image/image.h"
#include "faulty.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* Two raw files of the same size, "a" to stand on and "b" to be shown; the result is "out". */
struct pair {
    char *a, *b, *out;
    uint8_t *in_a, *in_b;
    uint64_t n_bytes;
    struct witness of_a, of_b;
};

enum likeness { EQUAL, SINGLE_BYTES, MIXED, ZEROS_NOW, ZEROS_BEFORE, UNLIKE, LIKENESSES };

/* Whole pages of zeros stay holes. */
static void write_sparse(const char *path, const uint8_t *bytes, uint64_t n_bytes)
{
    static const uint8_t zeros[4096];
    file_truncate(path, n_bytes);
    int fd = file_open_to_write(path);
    for (uint64_t at = 0; at < n_bytes; at += 4096) {
        const uint64_t n = n_bytes - at < 4096 ? n_bytes - at : 4096;
        if (memcmp(bytes + at, zeros, n) != 0) {
            file_write_to(fd, at, bytes + at, n);
        }
    }
    close(fd);
}

static void differ(struct pair *p, enum likeness likeness, struct rng *rng)
{
    for (uint64_t at = 0; at < p->n_bytes; at += 512) {
        const uint64_t n = p->n_bytes - at < 512 ? p->n_bytes - at : 512;
        const uint64_t dice = likeness == MIXED ? rng_below(rng, 12) : likeness == UNLIKE ? 0 : 100;
        if (dice == 0) {
            rng_fill(rng, p->in_b + at, n);
        } else if (dice == 1 || (likeness == ZEROS_NOW && at / 20480 % 2 == 0)) {
            memset(p->in_b + at, 0, n);
        } else if (dice == 2 || (likeness == ZEROS_BEFORE && at / 20480 % 2 == 0)) {
            memset(p->in_a + at, 0, n);
        } else if (dice == 3 || (likeness == SINGLE_BYTES && rng_below(rng, 20) == 0)) {
            p->in_b[at + rng_below(rng, n)] ^= 0x80;
        }
    }
}

static struct pair pair_of(uint64_t n_bytes, enum likeness likeness, uint64_t seed)
{
    struct rng rng = {seed};
    struct pair p = {.a = test_path("a"),
                     .b = test_path("b"),
                     .out = test_path("out"),
                     .in_a = calloc(n_bytes + 1, 1),
                     .in_b = calloc(n_bytes + 1, 1),
                     .n_bytes = n_bytes};
    must(p.in_a != NULL && p.in_b != NULL, "out of memory");
    for (uint64_t at = 0; at < n_bytes; at += 8192) { /* a third is holes on both sides */
        if (rng_below(&rng, 3) != 0) {
            rng_fill(&rng, p.in_a + at, n_bytes - at < 8192 ? n_bytes - at : 8192);
        }
    }
    memcpy(p.in_b, p.in_a, n_bytes);
    differ(&p, likeness, &rng);
    write_sparse(p.a, p.in_a, n_bytes);
    write_sparse(p.b, p.in_b, n_bytes);
    file_set_mtime(p.a, MODEL_MTIME);
    file_set_mtime(p.b, MODEL_MTIME + 100);
    p.of_a = witness_of(p.a);
    p.of_b = witness_of(p.b);
    return p;
}

static void pair_free(struct pair *p)
{
    test_directory_clear();
    free(p->a);
    free(p->b);
    free(p->out);
    free(p->in_a);
    free(p->in_b);
}

static int run_diff(const struct cow_diff_options *wanted, const struct cow_io *io, const struct cow_env *env,
                    uint64_t *sectors, struct cow_error *err)
{
    struct cow_diff_options opt = *wanted;
    struct cow_plan *plan = NULL;
    const unsigned files = open_files();
    opt.io = io != NULL ? io : quick_io();
    int status = cow_plan_diff(&plan, &opt, err);
    must(status == 0 || plan == NULL, "*out was touched");
    if (status == 0) {
        const struct cow_preview *p = cow_plan_preview(plan);
        must(!p->has_before && p->has_after_dirty && !p->changes_existing && p->after_verdict.opens &&
                 p->after_format == COW_FORMAT_V3 && is_terminal_safe(p->command),
             "the preview");
        ck_assert_str_eq(cow_operation_name(p->operation), "diff");
        *sectors = p->after_dirty_sectors;
        status = cow_plan_commit(plan, env, err);
    }
    cow_plan_free(plan);
    must(open_files() == files, "a file was left open");
    return status;
}

static void check_names(const char *wanted, const char *where)
{
    char *names = directory_list(test_directory());
    must(strcmp(names, wanted) == 0, "%s: there is \"%s\", not \"%s\"", where, names, wanted);
    free(names);
}

static void check_inputs(const struct pair *p, const char *where)
{
    witness_check(&p->of_a, where);
    witness_check(&p->of_b, where);
}

static void check_result(const struct pair *p, unsigned unit, uint64_t promised, const char *where)
{
    struct model_view view;
    uint64_t size, count = 0;
    must(model_read_header(&view, p->out, COW_FORMAT_V3), "%s: no v3", where);
    must(view.size_bytes == p->n_bytes && view.sector_bytes == 512 && view.mtime == MODEL_MTIME &&
             strcmp(view.path, p->a) == 0,
         "%s: size %" PRIu64 " mtime %u path %s", where, view.size_bytes, view.mtime, view.path);
    uint8_t *bitmap = malloc(view.geometry.bitmap_bytes);
    must(bitmap != NULL, "out of memory");
    file_read(p->out, view.geometry.bitmap_offset, bitmap, view.geometry.bitmap_bytes);
    for (uint64_t i = 0; i < view.geometry.bitmap_bytes * 8; i++) {
        const uint64_t begin = i / unit * unit * 512;
        const uint64_t end = begin + unit * 512 < p->n_bytes ? begin + unit * 512 : p->n_bytes;
        const bool bit = bitmap[i / 8] >> i % 8 & 1;
        const bool wanted =
            i < view.geometry.sectors && memcmp(p->in_a + begin, p->in_b + begin, end - begin) != 0;
        must(bit == wanted, "%s: bit %" PRIu64 " of %" PRIu64 " is %d", where, i, view.geometry.sectors, bit);
        count += bit;
    }
    must(count == promised, "%s: %" PRIu64 " sectors were promised, not %" PRIu64, where, promised, count);
    free(bitmap);
    uint8_t *disk = model_compose(p->out, COW_FORMAT_V3, NULL, &size);
    must(disk != NULL && size == p->n_bytes && memcmp(disk, p->in_b, size) == 0, "%s: another disk", where);
    free(disk);
    check_inputs(p, where);
    check_names("a b out", where);
}

START_TEST(the_matrix)
{
    static const uint64_t sizes[] = {
        65 * 512, 128 * 512, 333 * 512, 333 * 512 - 1, 72 * 512 + 7, 1861 * 512, 3 * 1024 * 1024 + 512 * 5};
    for (unsigned n = 0; n < 7; n++) {
        struct faulty f;
        struct cow_error err = {.status = 0};
        uint64_t sectors;
        struct pair p = pair_of(sizes[n], (enum likeness)_i, n + 100);
        const struct cow_diff_options opt = {.output_path = p.out,
                                             .backing_path = p.a,
                                             .raw_path = p.b,
                                             .sectors = n % 2 == 1,
                                             .reserve_bytes = n % 3 == 0 ? 1 << 30 : 0};
        faulty_init(&f, FAULT_NONE, 0, 0);
        must_succeed(run_diff(&opt, &f.io, NULL, &sectors, &err), err);
        must(f.n_unsynced == 0 && f.sizes_unsynced == 0 && f.renames_unsynced == 0, "not durable");
        check_result(&p, opt.sectors ? 1 : 8, sectors, "diff");
        must((sectors == 0) == (_i == EQUAL), "%" PRIu64 " sectors", sectors);
        if (_i == EQUAL || _i == ZEROS_NOW) { /* nothing, or zeros, cost nothing */
            struct stat facts;
            must(stat(p.out, &facts) == 0 && facts.st_blocks * 512 < 64 * 1024 + 512 * (off_t)sectors / 2,
                 "%jd blocks for %" PRIu64 " sectors", (intmax_t)facts.st_blocks, sectors);
        }
        pair_free(&p);
    }
}
END_TEST

/* Relative names, and links: what is stored is an absolute path, as the user named the file. */
START_TEST(names)
{
    char here[4096];
    struct cow_error err = {.status = 0};
    uint64_t sectors;
    struct pair p = pair_of(100 * 512, MIXED, 1);
    must(getcwd(here, sizeof here) != NULL && chdir(test_directory()) == 0, "chdir");
    must_succeed(
        run_diff(&(struct cow_diff_options){.output_path = "out", .backing_path = "./a", .raw_path = "b"},
                 NULL, NULL, &sectors, &err),
        err);
    check_result(&p, 8, sectors, "relative");
    unlink(p.out);
    must(symlink("a", "link") == 0, "symlink");
    must_succeed(
        run_diff(&(struct cow_diff_options){.output_path = "out", .backing_path = "link", .raw_path = "b"},
                 NULL, NULL, &sectors, &err),
        err);
    must(chdir(here) == 0, "chdir");
    struct model_view view;
    must(model_read_header(&view, p.out, COW_FORMAT_V3), "header");
    char *link_path = test_path("link");
    ck_assert_str_eq(view.path, link_path);
    free(link_path);
    pair_free(&p);
}
END_TEST

/* ---- refusals ---- */

static void refuse(const struct pair *p, const struct cow_diff_options *opt, int wanted, const char *where)
{
    struct cow_error err = {.status = 0};
    uint64_t sectors;
    const struct witness a = witness_of(p->a), b = witness_of(p->b);
    char *before = directory_list(test_directory());
    int status = run_diff(opt, NULL, NULL, &sectors, &err);
    must(status == wanted, "%s: %d instead of %d (%s)", where, status, wanted, err.message);
    must_fail(status, wanted, err);
    witness_check(&a, where);
    witness_check(&b, where);
    char *after = directory_list(test_directory());
    must(strcmp(after, before) == 0, "%s: there is \"%s\"", where, after);
    free(before);
    free(after);
}

START_TEST(inputs_that_do_not_fit)
{
    struct pair p = pair_of(100 * 512, MIXED, 1);
    struct cow_diff_options opt = {.output_path = p.out, .backing_path = p.a, .raw_path = p.b};
    char *nowhere = test_path("nowhere"), *other = test_path("other");
    static const uint64_t sizes[] = {1, 99 * 512, 100 * 512 - 1, 100 * 512 + 1, 101 * 512};
    for (unsigned i = 0; i < 10; i++) {
        char *path = i < 5 ? p.a : p.b;
        file_truncate(path, sizes[i % 5]);
        opt.force = i % 2 == 0;
        refuse(&p, &opt, COW_REFUSED, "another size");
        file_truncate(path, 0);
        refuse(&p, &opt, i < 5 ? COW_REFUSED : COW_INVALID, "an empty file");
        file_truncate(path, p.n_bytes);
    }
    opt.force = false;
    static const int64_t dates[] = {-1, INT64_C(1) << 32};
    for (unsigned i = 0; i < 2 && date_fits(dates[i]); i++) {
        file_set_mtime(p.a, dates[i]);
        refuse(&p, &opt, COW_REFUSED, "date");
    }
    file_set_mtime(p.a, MODEL_MTIME);
    opt.raw_path = p.a;
    refuse(&p, &opt, COW_REFUSED, "the same file");
    must(link(p.a, other) == 0, "link");
    opt.raw_path = other;
    refuse(&p, &opt, COW_REFUSED, "the same file by a hard link");
    unlink(other);
    must(symlink("a", other) == 0, "symlink");
    refuse(&p, &opt, COW_REFUSED, "the same file by a link");
    unlink(other);
    opt.raw_path = nowhere;
    refuse(&p, &opt, COW_IO, "no raw disk");
    opt = (struct cow_diff_options){.output_path = p.out, .backing_path = nowhere, .raw_path = p.b};
    refuse(&p, &opt, COW_IO, "no backing file");
    opt.backing_path = test_directory();
    refuse(&p, &opt, COW_IO, "a directory");
    must(mkfifo(other, 0600) == 0, "mkfifo");
    opt.backing_path = other;
    refuse(&p, &opt, COW_IO, "a FIFO");
    opt = (struct cow_diff_options){.output_path = p.out, .backing_path = p.a, .raw_path = other};
    refuse(&p, &opt, COW_IO, "a FIFO");
    uint8_t header[COW_HEADER_BYTES_MAX]; /* a COW image to stand on */
    opt.raw_path = p.b;
    const size_t n = model_header(header, COW_FORMAT_V2, "/x", 1 << 20, 512, 0, 1, false);
    file_write_at(p.a, 0, header, n);
    refuse(&p, &opt, COW_REFUSED, "a COW image");
    file_truncate(p.a, 32768); /* too small for a guest */
    file_truncate(p.b, 32768);
    opt.force = true;
    refuse(&p, &opt, COW_REFUSED, "a small disk");
    free(nowhere);
    free(other);
    pair_free(&p);
}
END_TEST

START_TEST(outputs_that_are_refused)
{
    struct cow_error err = {.status = 0};
    uint64_t sectors;
    struct pair p = pair_of(100 * 512, MIXED, 1);
    char *other = test_path("other"), *nowhere = test_path("nowhere/out");
    const char *const inputs[] = {p.a, p.b};
    for (unsigned force = 0; force < 2; force++) {
        struct cow_diff_options opt = {.backing_path = p.a, .raw_path = p.b, .force = force == 1};
        for (unsigned i = 0; i < 2; i++) {
            opt.output_path = inputs[i];
            refuse(&p, &opt, COW_REFUSED, "the output is an input");
            opt.output_path = other;
            must(link(inputs[i], other) == 0, "link");
            refuse(&p, &opt, COW_REFUSED, "the output is an input by a hard link");
            unlink(other);
            must(symlink(inputs[i], other) == 0, "symlink");
            refuse(&p, &opt, COW_REFUSED, "the output is an input by a link");
            unlink(other);
        }
        opt.output_path = test_directory();
        refuse(&p, &opt, COW_REFUSED, "the output is a directory");
        must(mkfifo(other, 0600) == 0, "mkfifo");
        opt.output_path = other;
        refuse(&p, &opt, COW_REFUSED, "the output is a FIFO");
        unlink(other);
        opt.output_path = nowhere;
        refuse(&p, &opt, COW_IO, "no such directory");
    }
    struct cow_diff_options opt = {.output_path = p.out, .backing_path = p.a, .raw_path = p.b};
    file_write(p.out, "theirs", 6);
    const struct witness theirs = witness_of(p.out);
    refuse(&p, &opt, COW_REFUSED, "the output exists");
    witness_check(&theirs, "the output exists");
    opt.force = true;
    must_succeed(run_diff(&opt, NULL, NULL, &sectors, &err), err);
    p.of_a = witness_of(p.a); /* links have come and gone */
    p.of_b = witness_of(p.b);
    check_result(&p, 8, sectors, "replaced");
    free(other);
    free(nowhere);
    pair_free(&p);
}
END_TEST

/* ---- what happens meanwhile ---- */

START_TEST(inputs_that_change_after_the_plan)
{
    for (unsigned event = 0; event < 5; event++) {
        struct cow_error err = {.status = 0};
        struct cow_plan *plan;
        struct pair p = pair_of(100 * 512, MIXED, 1);
        const struct cow_diff_options opt = {
            .output_path = p.out, .backing_path = p.a, .raw_path = p.b, .io = quick_io()};
        must_succeed(cow_plan_diff(&plan, &opt, &err), err);
        char *changed = event % 2 == 0 ? p.a : p.b;
        if (event < 2) {
            file_set_mtime(changed, 5);
        } else if (event < 4) {
            file_truncate(changed, p.n_bytes + 1);
        } else {
            file_write(p.out, "theirs", 6); /* an output that has appeared */
        }
        int status = cow_plan_commit(plan, NULL, &err);
        must(status == COW_REFUSED || (event == 4 && status == COW_IO), "%u: %d %s", event, status,
             err.message);
        check_names(event == 4 ? "a b out" : "a b", "changed after the plan");
        must(event != 4 || file_size(p.out) == 6, "somebody else's file was replaced");
        cow_plan_free(plan);
        pair_free(&p);
    }
}
END_TEST

struct asked {
    unsigned calls, stop_at;
    bool could;
};

static bool ask(void *context, const struct cow_progress *progress)
{
    struct asked *asked = context;
    must(progress->total_bytes > 0 && progress->phase[0] != '\0', "progress");
    if (++asked->calls != asked->stop_at) {
        return false;
    }
    asked->could = progress->can_cancel;
    return true;
}

START_TEST(stopping)
{
    struct pair p = pair_of(5 * MIB, MIXED, 1);
    unsigned stops[2] = {0, 0};
    for (unsigned part = 0; part < 2; part++) { /* the plan, then the commit */
        bool done = false;
        for (unsigned at = 1; !done; at++) {
            struct asked asked = {.stop_at = at};
            const struct cow_env env = {.progress = ask, .context = &asked};
            struct cow_error err = {.status = 0};
            uint64_t sectors;
            const struct cow_diff_options opt = {
                .output_path = p.out, .backing_path = p.a, .raw_path = p.b, .env = part == 0 ? &env : NULL};
            int status = run_diff(&opt, NULL, part == 1 ? &env : NULL, &sectors, &err);
            done = asked.calls < at || !asked.could;
            if (done) {
                must_succeed(status, err);
                check_result(&p, 8, sectors, "not stopped");
                unlink(p.out);
            } else {
                must_fail(status, COW_CANCELLED, err);
                check_names("a b", "stopped");
                check_inputs(&p, "stopped");
                stops[part]++;
            }
        }
    }
    must(stops[0] >= 3 && stops[1] >= 3, "asked %u and %u times only", stops[0], stops[1]);
    pair_free(&p);
}
END_TEST

START_TEST(an_error_at_each_call)
{
    static const int errors[] = {EIO, ENOSPC};
    for (uint64_t at = 1;; at++) {
        struct faulty f;
        struct cow_error err = {.status = 0};
        uint64_t sectors;
        struct pair p = pair_of(100 * 512, MIXED, 1);
        const struct cow_diff_options opt = {.output_path = p.out, .backing_path = p.a, .raw_path = p.b};
        faulty_init(&f, _i < 2 ? FAULT_ERROR : FAULT_LATE, errors[_i % 2], at);
        int status = run_diff(&opt, &f.io, NULL, &sectors, &err);
        if (status == 0) {
            must(f.struck == NULL || strcmp(f.struck, "fchown") == 0 || strcmp(f.struck, "unlink") == 0,
                 "call %" PRIu64 " (%s): called a success", at, f.struck);
            check_result(&p, 8, sectors, "diff");
        } else {
            must_fail(status, COW_IO, err);
            check_inputs(&p, f.struck);
            if (file_exists(p.out)) { /* it was only the last step that failed */
                check_result(&p, 8, sectors, f.struck);
                unlink(p.out);
            }
            check_names("a b", f.struck);
            must_succeed(run_diff(&opt, NULL, NULL, &sectors, &err), err);
            check_result(&p, 8, sectors, "again");
        }
        pair_free(&p);
        if (f.struck == NULL) {
            must(at > 8, "only %" PRIu64 " calls: the table is not used", at);
            return;
        }
    }
}
END_TEST

/* ---- many chunks ---- */

/* 35 GiB, nearly all of it holes: differences at the edges of chunks of 256 MiB, in more of them than are
 * remembered, and holes on either side. */
START_TEST(a_large_sparse_disk)
{
    enum { CHUNKS = 140 };
    const uint64_t chunk = 256 * MIB, size = CHUNKS * chunk + 3 * 512 + 100;
    char *a = test_path("a"), *b = test_path("b"), *out = test_path("out");
    uint8_t bytes[4096];
    file_truncate(a, size);
    file_truncate(b, size);
    memset(bytes, 7, sizeof bytes);
    for (uint64_t i = 0; i < CHUNKS; i++) {
        file_write_at(b, i * chunk + i * 4096, "x", 1); /* a page that differs in its first byte */
        file_write_at(a, (i + 1) * chunk - 1, "y", 1);  /* in its last byte; now zeros */
        file_write_at(a, i * chunk + 100 * MIB, bytes, sizeof bytes); /* equal */
        file_write_at(b, i * chunk + 100 * MIB, bytes, sizeof bytes);
    }
    file_write_at(b, size - 1, "z", 1);
    file_set_mtime(a, MODEL_MTIME);
    const struct witness of_a = witness_of(a), of_b = witness_of(b);
    struct cow_error err = {.status = 0};
    uint64_t sectors;
    const struct cow_diff_options opt = {.output_path = out, .backing_path = a, .raw_path = b};
    must_succeed(run_diff(&opt, NULL, NULL, &sectors, &err), err);
    ck_assert_uint_eq(sectors, CHUNKS * 16 + 4);
    struct model_view view;
    must(model_read_header(&view, out, COW_FORMAT_V3) && view.size_bytes == size, "header");
    const struct geometry *g = &view.geometry;
    uint8_t *bitmap = malloc(g->bitmap_bytes), *wanted = calloc(g->bitmap_bytes, 1);
    must(bitmap != NULL && wanted != NULL, "out of memory");
    for (uint64_t i = 0; i < CHUNKS; i++) {
        wanted[(i * chunk + i * 4096) / 4096] = 0xff;
        wanted[((i + 1) * chunk - 1) / 4096] = 0xff;
        file_read(out, g->data_offset + i * chunk + i * 4096, bytes, 2);
        must(bytes[0] == 'x' && bytes[1] == 0, "chunk %" PRIu64, i);
        file_read(out, g->data_offset + (i + 1) * chunk - 1, bytes, 1);
        must(bytes[0] == 0, "chunk %" PRIu64, i);
    }
    wanted[CHUNKS * chunk / 4096] = 0x0f;
    file_read(out, g->bitmap_offset, bitmap, g->bitmap_bytes);
    must(memcmp(bitmap, wanted, g->bitmap_bytes) == 0, "the bits");
    witness_check(&of_a, "large");
    witness_check(&of_b, "large");
    struct stat facts;
    must(stat(out, &facts) == 0 && facts.st_blocks * 512 < 16 * (off_t)MIB, "%jd blocks",
         (intmax_t)facts.st_blocks);
    free(bitmap);
    free(wanted);
    unlink(a);
    unlink(b);
    unlink(out);
    free(a);
    free(b);
    free(out);
}
END_TEST

/* ---- the raw disk as an image ---- */

START_TEST(a_raw_disk_reads_as_an_image)
{
    static const uint64_t sizes[] = {1, 511, 512, 100 * 512, 100 * 512 + 7};
    for (unsigned i = 0; i < 5; i++) {
        struct cow_error err = {.status = 0};
        struct cow_image *img;
        struct cow_dirty_run dirty;
        struct pair p = pair_of(sizes[i], MIXED, 3);
        uint8_t *bytes = malloc(p.n_bytes);
        must(bytes != NULL, "out of memory");
        must_succeed(image_open_raw(&img, p.b, &io_system, &err), err);
        must_succeed(cow_image_read(img, 0, bytes, p.n_bytes, &err), err);
        must(memcmp(bytes, p.in_b, p.n_bytes) == 0, "its bytes");
        must_fail(cow_image_read(img, p.n_bytes, bytes, 1, &err), COW_USAGE, err);
        must_succeed(cow_image_next_dirty(img, 0, &dirty, &err), err);
        must(dirty.first_sector == 0 && dirty.sectors == (p.n_bytes + 511) / 512,
             "it does not have every sector");
        cow_image_close(img);
        free(bytes);
        pair_free(&p);
    }
    struct cow_error err = {.status = 0};
    struct cow_image *img = NULL;
    char *path = test_path("raw");
    must_fail(image_open_raw(&img, path, &io_system, &err), COW_IO, err);
    file_write(path, "", 0);
    must_fail(image_open_raw(&img, path, &io_system, &err), COW_INVALID, err);
    must_fail(image_open_raw(&img, test_directory(), &io_system, &err), COW_IO, err);
    file_truncate(path, 8192 * GIB);
    if (file_size(path) == 8192 * GIB) {
        must_fail(image_open_raw(&img, path, &io_system, &err), COW_INVALID, err);
    }
    must(img == NULL, "*out was touched");
    unlink(path);
    free(path);
}
END_TEST

Suite *diff_suite(void)
{
    Suite *suite = suite_create("diff");
    TCase *tc = tcase_create("diff");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, the_matrix, 0, LIKENESSES);
    tcase_add_test(tc, names);
    tcase_add_test(tc, inputs_that_do_not_fit);
    tcase_add_test(tc, outputs_that_are_refused);
    tcase_add_test(tc, inputs_that_change_after_the_plan);
    tcase_add_test(tc, stopping);
    tcase_add_loop_test(tc, an_error_at_each_call, 0, 3);
    tcase_add_test(tc, a_large_sparse_disk);
    tcase_add_test(tc, a_raw_disk_reads_as_an_image);
    suite_add_tcase(suite, tc);
    return suite;
}
