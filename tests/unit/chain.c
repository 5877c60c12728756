/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A COW on a COW: the model composes each disk byte by byte over the one below, and holds reads, runs and
 * files against it. Then the chains that cannot be followed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/image/chain.h"
#include "core/image/image.h"
#include "cow/scan.h"
#include "support.h"

/* A disk as the model has it, and the file that holds it. */
struct floor {
    char *path;
    uint64_t size_bytes;
    uint32_t sector_bytes;
    uint8_t *disk; /* [size_bytes] what it shows */
    unsigned
        *layer; /* [size_bytes] which floor a byte is from, counted from the raw disk, 0; UINT32_MAX: none */
    uint64_t *host_offset; /* [size_bytes] in that floor's file */
};

static struct floor floor_new(const char *name, uint64_t size_bytes, uint32_t sector_bytes)
{
    struct floor f = {.path = test_path(name), .size_bytes = size_bytes, .sector_bytes = sector_bytes};
    f.disk = calloc(1, (size_t)size_bytes);
    f.layer = calloc((size_t)size_bytes, sizeof *f.layer);
    f.host_offset = calloc((size_t)size_bytes, sizeof *f.host_offset);
    must(f.disk != NULL && f.layer != NULL && f.host_offset != NULL, "out of memory");
    return f;
}

static void floor_free(struct floor *f)
{
    unlink(f->path);
    free(f->path);
    free(f->disk);
    free(f->layer);
    free(f->host_offset);
}

static struct floor raw_floor(uint64_t size_bytes, struct rng *rng)
{
    struct floor f = floor_new("base.img", size_bytes, 512);
    rng_fill(rng, f.disk, (size_t)size_bytes);
    for (uint64_t i = 0; i < size_bytes; i++) {
        f.host_offset[i] = i;
    }
    file_write(f.path, f.disk, (size_t)size_bytes);
    return f;
}

/* A COW of any variant over `below`; one sector in `rarity` is dirty, in runs. index: which floor it is. */
static struct floor cow_floor(const char *name, const struct floor *below, unsigned index,
                              enum cow_format format, uint64_t size_bytes, uint32_t sector_bytes,
                              const char *stored, unsigned rarity, struct rng *rng)
{
    const uint32_t alignment = shapes[format].kind == 'a' ? 4096 : 0;
    const struct geometry g = model_geometry(format, size_bytes, sector_bytes, alignment);
    struct floor f = floor_new(name, size_bytes, sector_bytes);
    uint8_t header[COW_HEADER_BYTES_MAX], *bits = calloc(1, (size_t)g.bitmap_bytes + 1);
    uint8_t *data = malloc((size_t)(g.sectors * sector_bytes));
    const size_t header_bytes =
        model_header(header, format, stored != NULL ? stored : below->path, size_bytes, sector_bytes,
                     alignment, (uint32_t)file_mtime(below->path), true);
    must(bits != NULL && data != NULL, "out of memory");
    rng_fill(rng, data, (size_t)(g.sectors * sector_bytes));
    bool dirty = false;
    for (uint64_t sector = 0; sector < g.sectors; sector++) {
        dirty = rng_below(rng, 3) != 0 ? dirty : rng_below(rng, rarity) == 0;
        if (dirty && sector < g.mapped) {
            bits[sector / 8] |= (uint8_t)(1u << sector % 8);
        }
        const bool here = dirty && sector < g.mapped;
        for (uint64_t i = sector * sector_bytes; i < (sector + 1) * sector_bytes && i < size_bytes; i++) {
            const bool there = !here && i < below->size_bytes;
            f.disk[i] = here ? data[i] : there ? below->disk[i] : 0;
            f.layer[i] = here ? index : there ? below->layer[i] : UINT32_MAX;
            f.host_offset[i] = here ? g.data_offset + i : there ? below->host_offset[i] : 0;
        }
    }
    file_write(f.path, header, header_bytes);
    file_write_at(f.path, g.bitmap_offset, bits, (size_t)g.bitmap_bytes);
    file_write_at(f.path, g.data_offset, data, (size_t)(g.sectors * sector_bytes));
    free(bits);
    free(data);
    return f;
}

static void check_reads(const struct floor *top, struct cow_image *img, struct rng *rng)
{
    struct cow_error err = {.status = 0};
    uint8_t *bytes = malloc((size_t)top->size_bytes);
    must(bytes != NULL, "out of memory");
    for (unsigned i = 0; i < 40; i++) {
        const uint64_t offset = i == 0 ? 0 : rng_below(rng, top->size_bytes);
        const uint64_t n = i == 0 ? top->size_bytes : rng_below(rng, top->size_bytes - offset + 1);
        must_succeed(cow_image_read(img, offset, bytes, (size_t)n, &err), err);
        must(memcmp(bytes, top->disk + offset, (size_t)n) == 0, "read(%" PRIu64 ", %" PRIu64 ") differs",
             offset, n);
    }
    free(bytes);
}

/* Each byte of a run comes from the layer and the place that the run says. floors: of the chain. */
static void check_run(const struct floor *top, const struct cow_run *run, unsigned floors)
{
    const uint64_t begin = run->first_sector * top->sector_bytes;
    for (uint64_t i = begin; i < begin + run->sectors * top->sector_bytes && i < top->size_bytes; i++) {
        if (run->origin == COW_ORIGIN_BEYOND_BACKING) {
            must(top->layer[i] == UINT32_MAX, "byte %" PRIu64 " is in a file", i);
        } else if (run->host_offset != COW_NO_OFFSET && top->layer[i] != UINT32_MAX) {
            must(run->layer == floors - 1 - top->layer[i], "byte %" PRIu64 ": layer %u", i, run->layer);
            must((uint64_t)run->host_offset + (i - begin) == top->host_offset[i],
                 "byte %" PRIu64 ": at %" PRIu64 ", not at %" PRIu64, i,
                 (uint64_t)run->host_offset + (i - begin), top->host_offset[i]);
        }
        must((run->layer == 0) == (top->layer[i] == floors - 1), "byte %" PRIu64 ": dirty?", i);
    }
}

static void check_all_runs(const struct floor *top, struct cow_image *img, unsigned floors)
{
    struct cow_error err = {.status = 0};
    struct cow_run run = {.sectors = 0};
    uint64_t next = 0, without_place = 0;
    do {
        must_succeed(cow_image_next_run(img, next, &run, &err), err);
        must(run.sectors == 0 || run.first_sector == next, "a gap before sector %" PRIu64, run.first_sector);
        check_run(top, &run, floors);
        without_place +=
            run.host_offset == COW_NO_OFFSET && run.origin == COW_ORIGIN_BACKING ? run.sectors : 0;
        next += run.sectors;
    } while (run.sectors > 0);
    must(next * top->sector_bytes >= top->size_bytes, "the runs end at sector %" PRIu64, next);
    must(top->sector_bytes > 512 || without_place == 0, "%" PRIu64 " sectors in pieces", without_place);
}

/* What lies below, and what a scan makes of it: redundant is what the layers below show. */
static void check_below(const struct floor *top, const struct floor *below, struct cow_image *img)
{
    struct cow_error err = {.status = 0};
    struct cow_scan *scan;
    struct cow_run run = {.sectors = 0};
    const size_t n = (size_t)(top->size_bytes < below->size_bytes ? top->size_bytes : below->size_bytes);
    uint8_t *bytes = malloc(n);
    must(bytes != NULL, "out of memory");
    must_succeed(cow_image_read_file(img, COW_FILE_BACKING, 0, bytes, n, &err), err);
    must(memcmp(bytes, below->disk, n) == 0, "what lies below differs");
    free(bytes);
    must_succeed(cow_scan_open(&scan, img, &err), err);
    do {
        must_succeed(cow_scan_run(scan, run.first_sector + run.sectors, &run, &err), err);
        must(run.origin != COW_ORIGIN_REDUNDANT || run.sectors == 0, "random bytes are never redundant");
    } while (run.sectors > 0);
    cow_scan_close(scan);
}

/* Round by round other variants, sizes of sectors and of disks; one floor lies beside the other, by a
 * relative path. */
START_TEST(three_layers_of_every_variant_compose)
{
    static const uint32_t sector_sizes[] = {512, 1024, 4096};
    struct rng rng = {(uint64_t)_i + 1};
    const enum cow_format inner = (enum cow_format)(_i % COW_FORMATS);
    const enum cow_format outer = (enum cow_format)((_i * 7 + 3) % COW_FORMATS);
    const bool qemu = shapes[inner].kind == 'q' || shapes[outer].kind == 'q';
    struct floor base =
        raw_floor(40000 + 512 * rng_below(&rng, 300) + (qemu ? 0 : rng_below(&rng, 512)), &rng);
    struct floor mid =
        cow_floor("mid.cow", &base, 1, inner, 512 * (100 + rng_below(&rng, 300)),
                  shapes[inner].kind == 'q' ? 512 : sector_sizes[rng_below(&rng, 3)], "base.img", 3, &rng);
    struct floor top =
        cow_floor("top.cow", &mid, 2, outer, 512 * (100 + rng_below(&rng, 300)),
                  shapes[outer].kind == 'q' ? 512 : sector_sizes[rng_below(&rng, 3)], NULL, 4, &rng);
    struct cow_image *img = image_opened(top.path, NULL);
    struct cow_layer layer;
    must(cow_image_layers(img) == 3, "%zu layers", cow_image_layers(img));
    cow_image_layer(img, 1, &layer);
    must(strcmp(layer.format, cow_format_name(inner)) == 0 && layer.size_bytes == mid.size_bytes,
         "layer 1 is %s", layer.format);
    cow_image_layer(img, 2, &layer);
    must(strcmp(layer.format, "raw") == 0 && layer.size_bytes == base.size_bytes, "layer 2");
    check_reads(&top, img, &rng);
    check_all_runs(&top, img, 3);
    check_below(&top, &mid, img);
    cow_image_close(img);
    floor_free(&top);
    floor_free(&mid);
    floor_free(&base);
}
END_TEST

/* Two files of one layout have a sector at the same place: runs that follow each other there are nevertheless
 * two. */
START_TEST(layers_of_one_layout_are_runs_of_their_own)
{
    struct rng rng = {11};
    struct floor base = raw_floor(64 * 1024, &rng);
    struct floor low = cow_floor("low.cow", &base, 1, COW_FORMAT_V3, 64 * 1024, 512, NULL, 2, &rng);
    struct floor mid = cow_floor("mid.cow", &low, 2, COW_FORMAT_V3, 64 * 1024, 512, NULL, 2, &rng);
    struct floor top = cow_floor("top.cow", &mid, 3, COW_FORMAT_V3, 64 * 1024, 512, NULL, 4, &rng);
    struct cow_image *img = image_opened(top.path, NULL);
    check_reads(&top, img, &rng);
    check_all_runs(&top, img, 4);
    cow_image_close(img);
    floor_free(&top);
    floor_free(&mid);
    floor_free(&low);
    floor_free(&base);
}
END_TEST

/* After a refresh the image reads what the files hold now, through layers that were opened anew. */
START_TEST(a_refresh_follows_all_layers)
{
    struct rng rng = {7};
    struct cow_error err = {.status = 0};
    struct floor base = raw_floor(64 * 1024, &rng);
    struct floor mid = cow_floor("mid.cow", &base, 1, COW_FORMAT_V3, 64 * 1024, 512, NULL, 3, &rng);
    struct floor top = cow_floor("top.cow", &mid, 2, COW_FORMAT_V3, 64 * 1024, 512, NULL, 4, &rng);
    const unsigned open_before = open_files();
    struct cow_image *img = image_opened(top.path, NULL);
    check_reads(&top, img, &rng);
    /* Another file takes the raw disk's name, with each bit the other way: so does what shows of it. */
    for (uint64_t i = 0; i < base.size_bytes; i++) {
        base.disk[i] ^= 0xff;
        top.disk[i] ^= top.layer[i] == 0 ? 0xff : 0;
    }
    must(unlink(base.path) == 0, "unlink");
    file_write(base.path, base.disk, (size_t)base.size_bytes);
    must_succeed(cow_image_refresh(img, &err), err);
    struct stat facts;
    must(stat(base.path, &facts) == 0 && image_has_below(image_flat(img), &facts),
         "the flat one knows no layers");
    check_reads(&top, img, &rng);
    check_all_runs(&top, img, 3);
    cow_image_close(img);
    must(open_files() == open_before, "files are left open");
    floor_free(&top);
    floor_free(&mid);
    floor_free(&base);
}
END_TEST

/* What changes an image sees what a kernel sees: the raw bytes of the file below. */
START_TEST(flat_is_what_a_kernel_reads)
{
    struct rng rng = {9};
    struct cow_error err = {.status = 0};
    uint8_t wanted[4096], bytes[4096];
    struct floor base = raw_floor(64 * 1024, &rng);
    struct floor mid = cow_floor("mid.cow", &base, 1, COW_FORMAT_V3, 64 * 1024, 512, NULL, 3, &rng);
    struct floor top = cow_floor("top.cow", &mid, 2, COW_FORMAT_V3, 64 * 1024, 512, NULL, 1000000, &rng);
    struct cow_image *img = image_opened(top.path, NULL), *plain;
    must(image_flat(img) != img && cow_image_layers(image_flat(img)) == 2, "no flat one");
    file_read(mid.path, 0, wanted, sizeof wanted);
    must_succeed(cow_image_read(image_flat(img), 0, bytes, sizeof bytes, &err), err);
    must(memcmp(bytes, wanted, sizeof bytes) == 0,
         "the flat image does not show the header of what lies below");
    plain = image_opened(mid.path, NULL);
    must(image_flat(plain) == plain, "an image on a raw disk is flat already");
    cow_image_close(plain);
    cow_image_close(img);
    floor_free(&top);
    floor_free(&mid);
    floor_free(&base);
}
END_TEST

/* ---- chains that cannot be followed ---- */

/* An empty v3 over a path, 64 KiB. */
static char *plain_cow(const char *name, const char *stored)
{
    char *path = test_path(name);
    model_put_empty(path, COW_FORMAT_V3, stored, 64 * 1024, 512, 4096);
    return path;
}

/* It opens; what lies below cannot be read, with these words; bits and what kernels read can be asked. */
static void check_cut(const char *path, const char *words, size_t layers)
{
    struct cow_error err = {.status = 0};
    struct cow_run run;
    uint8_t byte;
    struct cow_image *img = image_opened(path, NULL);
    must(cow_image_layers(img) == layers, "%zu layers", cow_image_layers(img));
    must(strstr(cow_image_cut_text(img), words) != NULL, "\"%s\" instead of \"%s\"", cow_image_cut_text(img),
         words);
    must_fail(cow_image_read(img, 0, &byte, 1, &err), COW_IO, err);
    must(strstr(err.message, words) != NULL, "\"%s\"", err.message);
    must_succeed(cow_image_next_run(img, 0, &run, &err), err);
    must(run.origin == COW_ORIGIN_BACKING && run.sectors == 128, "%s", cow_origin_name(run.origin));
    must_succeed(cow_image_read(image_flat(img), 0, &byte, 1, &err), err);
    must(byte == 'O', "the flat image reads the header below");
    cow_image_close(img);
}

START_TEST(a_loop_is_cut)
{
    char *link = test_path("link");
    char *a = plain_cow("a.cow", "b.cow"), *b = plain_cow("b.cow", "c.cow"), *c = plain_cow("c.cow", link);
    must(symlink("a.cow", link) == 0, "symlink");
    check_cut(a, "leads back", 3);
    check_cut(b, "leads back", 3);
    unlink(link);
    must(symlink("c.cow", link) == 0, "symlink");
    check_cut(b, "COW image itself", 2);
    free(a);
    free(b);
    free(c);
    free(link);
}
END_TEST

START_TEST(a_missing_middle_is_told)
{
    char *top = plain_cow("top.cow", "mid.cow"), *mid = plain_cow("mid.cow", "nowhere.cow");
    check_cut(top, "nowhere.cow: No such file", 2);
    free(top);
    free(mid);
}
END_TEST

START_TEST(an_unfinished_layer_is_told)
{
    static const uint8_t mark[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    char *top = plain_cow("top.cow", "mid.cow"), *mid = plain_cow("mid.cow", "base.img");
    file_write_at(mid, shapes[COW_FORMAT_V3].size, mark, sizeof mark);
    check_cut(top, "unfinished", 1);
    free(top);
    free(mid);
}
END_TEST

/* A v2-64 of 4 GiB + 512 bytes can be read as a packed v2 of one byte: it is what fits its backing file, as
 * where it is opened by itself. */
START_TEST(a_tie_is_broken_below_as_well)
{
    const uint64_t size_bytes = (UINT64_C(4) << 30) + 512;
    char *base = test_path("base.img"), *mid = test_path("mid.cow"), *top = plain_cow("top.cow", "mid.cow");
    uint8_t header[COW_HEADER_BYTES_MAX], byte;
    struct cow_error err = {.status = 0};
    struct cow_layer layer;
    file_write(base, "raw disk", 8);
    file_truncate(base, size_bytes);
    file_write(mid, header,
               model_header(header, COW_FORMAT_V2_64, "base.img", size_bytes, 512, 0, MODEL_MTIME, false));
    file_truncate(mid, 4608);
    struct cow_image *img = image_opened(top, NULL), *alone = image_opened(mid, NULL);
    cow_image_layer(img, 1, &layer);
    must(layer.size_bytes == size_bytes && cow_image_header(alone)->size_bytes == size_bytes, "layer 1 is %s",
         layer.format);
    must(strcmp(layer.format, cow_format_name(COW_FORMAT_V2_64)) == 0, "layer 1 is %s", layer.format);
    must_succeed(cow_image_read(img, 2, &byte, 1, &err), err);
    must(byte == 'w', "what shows is not the raw disk");
    cow_image_close(alone);
    cow_image_close(img);
    free(base);
    free(mid);
    free(top);
}
END_TEST

START_TEST(the_depth_has_a_limit)
{
    char name[32], below[32];
    char *path = NULL, *base = test_path("0");
    struct cow_error err = {.status = 0};
    uint8_t byte;
    file_write(base, "raw disk", 8);
    for (int i = 1; i <= CHAIN_LAYERS_MAX; i++) {
        free(path);
        snprintf(name, sizeof name, "%d", i);
        snprintf(below, sizeof below, "%d", i - 1);
        path = plain_cow(name, below);
        if (i == CHAIN_LAYERS_MAX - 1) {
            struct cow_image *img = image_opened(path, NULL);
            must(cow_image_layers(img) == CHAIN_LAYERS_MAX && *cow_image_cut_text(img) == '\0', "16 files");
            must_succeed(cow_image_read(img, 0, &byte, 1, &err), err);
            must(byte == 'r', "the raw disk's first byte");
            cow_image_close(img);
        }
    }
    check_cut(path, "16 are followed", CHAIN_LAYERS_MAX);
    free(path);
    free(base);
}
END_TEST

Suite *chain_suite(void)
{
    Suite *suite = suite_create("chain");
    TCase *tc = tcase_create("chain");
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, three_layers_of_every_variant_compose, 0, 44);
    tcase_add_test(tc, layers_of_one_layout_are_runs_of_their_own);
    tcase_add_test(tc, a_refresh_follows_all_layers);
    tcase_add_test(tc, flat_is_what_a_kernel_reads);
    tcase_add_test(tc, a_loop_is_cut);
    tcase_add_test(tc, a_missing_middle_is_told);
    tcase_add_test(tc, an_unfinished_layer_is_told);
    tcase_add_test(tc, a_tie_is_broken_below_as_well);
    tcase_add_test(tc, the_depth_has_a_limit);
    suite_add_tcase(suite, tc);
    return suite;
}
