/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The writer: whatever it is asked to write, a reader of the file that knows nothing of it finds the disk
 * that an array in memory has, at each flush; whole pages, and nothing else of the file, come out dirty. What
 * refuses it, and what it does to undo data.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/writer/writer.h"
#include "support.h"

static struct cow_writer *open_writer(const char *path)
{
    struct cow_writer *w;
    struct cow_error err = {.status = 0};
    must_succeed(cow_writer_open(&w, path, NULL, &err), err);
    return w;
}

static void must_show(const char *path, const uint8_t *disk, uint64_t size_bytes, const char *when)
{
    uint64_t composed_bytes;
    uint8_t *composed = model_compose(path, COW_FORMAT_V3, NULL, &composed_bytes);
    must(composed != NULL && composed_bytes == size_bytes, "%s: %s: no image", path, when);
    for (uint64_t at = 0; at < size_bytes; at++) {
        must(composed[at] == disk[at], "%s: %s: byte %" PRIu64 " is %02x, not %02x", path, when, at,
             composed[at], disk[at]);
    }
    free(composed);
}

/* One random call; the array follows. */
static void one_call(struct cow_writer *w, uint8_t *disk, struct rng *rng, uint8_t *buffer)
{
    const uint64_t size_bytes = cow_writer_size_bytes(w);
    struct cow_error err = {.status = 0};
    uint64_t offset = rng_below(rng, size_bytes),
             length = rng_below(rng, rng_below(rng, 4) == 0 ? 300000 : 9000);
    if (rng_below(rng, 3) == 0) { /* at pages, often to the end */
        offset = offset / 4096 * 4096;
        length = rng_below(rng, 4) == 0 ? size_bytes : (length + 4095) / 4096 * 4096;
    }
    length = length > size_bytes - offset ? size_bytes - offset : length;
    switch (rng_below(rng, 5)) {
    case 0:
    case 1:
        rng_fill(rng, buffer, (size_t)length);
        must_succeed(cow_writer_write(w, offset, buffer, (size_t)length, &err), err);
        memcpy(disk + offset, buffer, (size_t)length);
        break;
    case 2:
        must_succeed(cow_writer_zero(w, offset, length, &err), err);
        memset(disk + offset, 0, (size_t)length);
        break;
    case 3: {
        must_succeed(cow_writer_trim(w, offset, length, &err), err);
        const uint64_t first = (offset + 4095) / 4096 * 4096;
        const uint64_t end = offset + length == size_bytes ? size_bytes : (offset + length) / 4096 * 4096;
        if (first < end) {
            memset(disk + first, 0, (size_t)(end - first));
        }
        break;
    }
    default:
        must_succeed(cow_writer_read(w, offset, buffer, (size_t)length, &err), err);
        must(memcmp(buffer, disk + offset, (size_t)length) == 0, "read at %" PRIu64 " + %" PRIu64, offset,
             length);
    }
}

/* No page is dirty in part. */
static void must_be_whole(const char *path)
{
    struct cow_image *img;
    struct cow_error err = {.status = 0};
    uint64_t pages;
    must_succeed(cow_image_open(&img, path, NULL, &err), err);
    must_succeed(image_count_mixed(img, &pages, NULL, &err), err);
    must(pages == 0, "%s: %" PRIu64 " mixed pages are left", path, pages);
    cow_image_close(img);
}

static void random_session(struct model *m, struct rng *rng, size_t pieces_max)
{
    struct cow_error err = {.status = 0};
    struct cow_writer *w = open_writer(m->cow_path);
    const uint64_t size_bytes = m->spec.size_bytes;
    uint8_t *disk = m->disk;
    uint8_t *buffer = malloc((size_t)size_bytes + 1);
    const struct witness backing = witness_of(m->backing_path);
    uint8_t before[4128], after[4128];
    must(buffer != NULL, "out of memory");
    file_read(m->cow_path, 0, before, sizeof before);
    w->pieces_max = pieces_max;
    must_show(m->cow_path, disk, size_bytes, "the test itself");
    for (unsigned i = 0; i < 60; i++) {
        one_call(w, disk, rng, buffer);
        if (rng_below(rng, 8) == 0) {
            must_succeed(cow_writer_flush(w, &err), err);
            must_show(m->cow_path, disk, size_bytes, "flushed");
        }
    }
    must_succeed(cow_writer_finish(w, NULL, &err), err);
    cow_writer_close(w);
    must_show(m->cow_path, disk, size_bytes, "finished");
    must_be_whole(m->cow_path);
    file_read(m->cow_path, 0, after, sizeof after);
    must(memcmp(before, after, sizeof before) == 0, "the header was written");
    witness_check(&backing, "the backing file");
    free(buffer);
}

START_TEST(random_calls)
{
    struct rng rng = {.state = 77 + (uint64_t)_i};
    for (unsigned n = 0; n < 6; n++) {
        const uint64_t sectors = 1 + rng_below(&rng, 2000);
        struct model_spec spec = {.format = COW_FORMAT_V3,
                                  .size_bytes = sectors * 512 - (n % 3 == 2 ? rng_below(&rng, 511) : 0),
                                  .sector_bytes = 512,
                                  .alignment = n % 4 == 0   ? 512
                                               : n % 4 == 1 ? 1 << 20
                                                            : 4096,
                                  .pattern = (enum pattern)(n % PATTERNS),
                                  .garbage = n % 2 == 0,
                                  .short_file = n % 5 == 4,
                                  .seed = rng_next(&rng)};
        spec.backing_bytes = n % 6 == 5 ? spec.size_bytes / 2 : spec.size_bytes;
        struct model *m = model_create(&spec);
        random_session(m, &rng, n % 2 == 0 ? WRITER_PIECES_MAX : 1);
        random_session(m, &rng, WRITER_PIECES_MAX);
        unlink(m->cow_path); /* the next one has the same names */
        unlink(m->backing_path);
        model_free(m);
    }
}
END_TEST

Suite *writer_suite(void)
{
    Suite *suite = suite_create("writer");
    TCase *tc = tcase_create("writer");
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, random_calls, 0, 4);
    suite_add_tcase(suite, tc);
    return suite;
}
