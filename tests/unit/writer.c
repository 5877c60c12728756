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
#include <sys/wait.h>
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

/* ---- what refuses ---- */

static struct model_spec usual_spec(void)
{
    return model_spec_of(COW_FORMAT_V3, 403 * 512, PATTERN_RUNS, 5);
}

static struct cow_error must_refuse(const char *path, int wanted)
{
    struct cow_writer *w = NULL;
    struct cow_error err = {.status = 0};
    const unsigned open = open_files();
    must_fail(cow_writer_open(&w, path, NULL, &err), wanted, err);
    must(w == NULL && open_files() == open, "a file is left open");
    return err;
}

START_TEST(other_variants)
{
    struct model_spec spec = usual_spec();
    spec.format = (enum cow_format)_i;
    spec.sector_bytes = spec.format == COW_FORMAT_V3 ? 1024 : 512;
    spec.size_bytes = spec.backing_bytes = 404 * 512;
    struct model *m = model_create(&spec);
    const struct cow_error err = must_refuse(m->cow_path, COW_UNSUPPORTED);
    must(strstr(err.hint, "cowtui convert") != NULL, "hint: %s", err.hint);
    model_free(m);
}
END_TEST

START_TEST(what_does_not_fit)
{
    const struct model_spec spec = usual_spec();
    struct model *m = model_create(&spec);
    file_set_mtime(m->backing_path, MODEL_MTIME + 1);
    struct cow_error err = must_refuse(m->cow_path, COW_REFUSED);
    must(strstr(err.message, "another date") != NULL, "%s", err.message);
    file_truncate(m->backing_path, 500 * 512);
    file_set_mtime(m->backing_path, MODEL_MTIME);
    err = must_refuse(m->cow_path, COW_REFUSED);
    must(strstr(err.message, "longer") != NULL && strstr(err.hint, "resize") != NULL, "%s", err.message);
    unlink(m->backing_path);
    must_refuse(m->cow_path, COW_IO);
    must_refuse(m->backing_path, COW_IO);
    model_free(m);
}
END_TEST

START_TEST(what_is_pending)
{
    const struct model_spec spec = usual_spec();
    struct model *m = model_create(&spec);
    uint8_t sector[512];
    char journal[512];
    snprintf(journal, sizeof journal, "%s/.m.cowtui-journal", test_directory());
    file_write(journal, "x", 1);
    must_refuse(m->cow_path, COW_REFUSED);
    unlink(journal);
    snprintf(journal, sizeof journal, "%s/.m.img.cowtui-family", test_directory());
    file_write(journal, "x", 1);
    must_refuse(m->cow_path, COW_REFUSED);
    unlink(journal);
    struct model_spec other = spec; /* another image on the backing file */
    file_read(m->cow_path, 0, sector, sizeof sector);
    memset(sector + 12, 0xff, 8);
    file_write_at(m->cow_path, 0, sector, sizeof sector);
    must_refuse(m->cow_path, COW_INVALID);
    other.name = "other";
    other.stored = m->backing_path;
    struct model *sibling = model_create(&other);
    file_set_mtime(m->backing_path, MODEL_MTIME);
    must_refuse(sibling->cow_path, COW_REFUSED);
    model_free(sibling);
    model_free(m);
}
END_TEST

START_TEST(locks)
{
    const struct model_spec spec = usual_spec();
    struct model *m = model_create(&spec);
    struct cow_image *img;
    struct cow_holder holder;
    struct cow_error err;
    int go;
    pid_t child = hold_lock(_i == 0 ? m->cow_path : m->backing_path, F_WRLCK, &go);
    err = must_refuse(m->cow_path, COW_LOCKED);
    char pid[32];
    snprintf(pid, sizeof pid, "pid %d", (int)child);
    must(strstr(err.message, pid) != NULL, "%s", err.message);
    close(go);
    waitpid(child, NULL, 0);
    struct cow_writer *w = open_writer(m->cow_path);
    must_refuse(m->cow_path, COW_LOCKED);
    must_succeed(cow_image_open(&img, m->cow_path, NULL, &err), err);
    must_succeed(cow_image_in_use(img, &holder, &err), err);
    must(holder.held, "nobody would see that it is served");
    cow_image_close(img);
    cow_writer_close(w);
    w = open_writer(m->cow_path);
    cow_writer_close(w);
    model_free(m);
}
END_TEST

/* ---- what is written, and where ---- */

/* The sectors of [0, n) that are dirty in the file, as letters. */
static const char *bits_of(const struct model *m, unsigned n)
{
    static char text[64];
    for (unsigned i = 0; i < n; i++) {
        text[i] = model_file_bit(m->cow_path, &m->geometry, i) ? 'x' : '.';
    }
    text[n] = '\0';
    return text;
}

START_TEST(order_of_bits)
{
    struct model_spec spec = usual_spec();
    spec.pattern = PATTERN_NONE;
    struct model *m = model_create(&spec);
    struct cow_writer *w = open_writer(m->cow_path);
    struct cow_error err = {.status = 0};
    uint8_t bytes[5000] = {1}, read[5000];
    must_succeed(cow_writer_write(w, 4000, bytes, sizeof bytes, &err), err);
    must_succeed(cow_writer_read(w, 4000, read, sizeof read, &err), err);
    must(memcmp(bytes, read, sizeof read) == 0, "what is written is not read");
    ck_assert_str_eq(bits_of(m, 32), "................................"); /* nothing was flushed */
    must_succeed(cow_writer_flush(w, &err), err);
    ck_assert_str_eq(bits_of(m, 32), "xxxxxxxxxxxxxxxxxxxxxxxx........");
    cow_writer_close(w);
    model_free(m);
}
END_TEST

START_TEST(zeros_cost_nothing)
{
    struct model_spec spec = usual_spec();
    spec.pattern = PATTERN_NONE;
    spec.size_bytes = 1 << 20;
    spec.backing_bytes = 1 << 19; /* all zeros behind it */
    struct model *m = model_create(&spec);
    struct cow_writer *w = open_writer(m->cow_path);
    struct cow_error err = {.status = 0};
    struct cow_extent extent;
    must_succeed(cow_writer_zero(w, (1 << 19) + 100, 300000, &err), err);
    must_succeed(cow_writer_trim(w, 1 << 19, 1 << 19, &err), err);
    must_succeed(cow_writer_flush(w, &err), err);
    must(!model_file_bit(m->cow_path, &m->geometry, 1100), "zeros over zeros are written");
    must_succeed(cow_writer_zero(w, 0, 1 << 19, &err), err);
    must_succeed(cow_writer_extent(w, 0, &extent, &err), err);
    must(extent.is_hole && extent.n_bytes == 1 << 20, "%d %" PRIu64, extent.is_hole, extent.n_bytes);
    must_succeed(cow_writer_write(w, 12345, "a", 1, &err), err);
    must_succeed(cow_writer_extent(w, 100, &extent, &err), err);
    must(extent.is_hole && extent.n_bytes == 12288 - 100, "%" PRIu64, extent.n_bytes);
    must_succeed(cow_writer_extent(w, 12288, &extent, &err), err);
    must(!extent.is_hole && extent.n_bytes == 4096, "%" PRIu64, extent.n_bytes);
    must_succeed(cow_writer_extent(w, 1 << 20, &extent, &err), err);
    must(extent.n_bytes == 0, "past the end: %" PRIu64, extent.n_bytes);
    must_fail(cow_writer_write(w, (1 << 20) - 1, "ab", 2, &err), COW_USAGE, err);
    must_fail(cow_writer_zero(w, UINT64_MAX, 2, &err), COW_USAGE, err);
    cow_writer_close(w);
    model_free(m);
}
END_TEST

/* A writer's own memory for bits has a bound; far apart on a large disk it is reached soon. */
START_TEST(bits_far_apart)
{
    const uint64_t size_bytes = UINT64_C(1) << 36;
    struct model_spec spec = usual_spec();
    struct model *m = model_create(&spec);
    uint8_t header[COW_HEADER_BYTES_MAX], byte;
    struct cow_error err = {.status = 0};
    file_truncate(m->backing_path, size_bytes);
    file_set_mtime(m->backing_path, MODEL_MTIME);
    const size_t n =
        model_header(header, COW_FORMAT_V3, m->backing_path, size_bytes, 512, 1 << 20, MODEL_MTIME, false);
    file_write(m->cow_path, header, n);
    struct cow_writer *w = open_writer(m->cow_path);
    w->pieces_max = 16;
    for (uint64_t i = 0; i < 200; i++) {
        byte = (uint8_t)(i + 1);
        must_succeed(cow_writer_write(w, (i * 37 % 200) << 28, &byte, 1, &err), err);
        must(bitmap_changed(w->img->bitmap) <= 16, "%zu pieces", bitmap_changed(w->img->bitmap));
    }
    must_succeed(cow_writer_zero(w, UINT64_C(1) << 35, UINT64_C(1) << 34, &err), err);
    must_succeed(cow_writer_flush(w, &err), err);
    cow_writer_close(w);
    w = open_writer(m->cow_path);
    for (uint64_t i = 0; i < 200; i++) {
        must_succeed(cow_writer_read(w, (i * 37 % 200) << 28, &byte, 1, &err), err);
        const uint64_t at = (i * 37 % 200) << 28;
        const bool zeroed = at >= UINT64_C(1) << 35 && at < (UINT64_C(1) << 35) + (UINT64_C(1) << 34);
        must(byte == (zeroed ? 0 : (uint8_t)(i + 1)), "%" PRIu64 ": %d", i, byte);
    }
    cow_writer_close(w);
    model_free(m);
}
END_TEST

/* ---- a descriptor that is handed over ---- */

START_TEST(held_without_a_name)
{
    const struct model_spec spec = usual_spec();
    struct model *m = model_create(&spec);
    struct cow_error err = {.status = 0};
    struct cow_writer *w;
    uint8_t mark[8];
    memset(mark, 0xff, sizeof mark);
    file_write_at(m->cow_path, 12, mark, sizeof mark);
    const int fd = open(m->cow_path, O_RDWR);
    const struct flock lock = {.l_type = F_WRLCK};
    must(fd >= 0 && fcntl(fd, F_OFD_SETLK, &lock) == 0, "the lock");
    struct cow_writer_options options = {.held_fd = fd};
    must_fail(cow_writer_open(&w, m->cow_path, &options, &err), COW_INVALID, err);
    options.held_size_bytes = spec.size_bytes;
    must_succeed(cow_writer_open(&w, m->cow_path, &options, &err), err);
    char *moved = test_path("moved");
    must(rename(m->cow_path, moved) == 0, "rename"); /* no name leads to it any more */
    must_succeed(cow_writer_write(w, 777, "held", 4, &err), err);
    must_succeed(cow_writer_finish(w, NULL, &err), err);
    cow_writer_close(w);
    must(fcntl(fd, F_GETFD) >= 0, "the descriptor was closed");
    put_number(mark, 8, true, spec.size_bytes);
    must(pwrite(fd, mark, 8, 12) == 8 && close(fd) == 0, "the size");
    memcpy(m->disk + 777, "held", 4);
    must_show(moved, m->disk, spec.size_bytes, "held");
    free(moved);
    model_free(m);
}
END_TEST

/* An overlay of the same size on the model's image, without a bit. Answers a descriptor. */
static int make_overlay(const struct model *m, const char *path)
{
    uint8_t header[COW_HEADER_BYTES_MAX];
    const size_t n =
        model_header(header, COW_FORMAT_V3, m->cow_path, m->spec.size_bytes, 512, 4096, 0, false);
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    must(fd >= 0 && pwrite(fd, header, n, 0) == (ssize_t)n &&
             ftruncate(fd, (off_t)m->geometry.end_offset) == 0,
         "the overlay");
    return fd;
}

/* What a page lacks of which the image below has a part is in the overlay; so is nothing of which it has all.
 */
START_TEST(an_overlay_completes_what_lies_below)
{
    struct model_spec spec = usual_spec();
    spec.seed += (uint64_t)_i;
    struct model *m = model_create(&spec);
    struct cow_error err = {.status = 0};
    struct cow_writer *w;
    char *path = test_path("overlay");
    const int fd = make_overlay(m, path);
    const struct cow_writer_options options = {.held_fd = fd, .held_size_bytes = spec.size_bytes};
    must_succeed(cow_writer_open(&w, path, &options, &err), err);
    uint8_t written[512] = "over", *now = malloc(spec.size_bytes);
    unsigned mixed = 0;
    must_succeed(cow_writer_write(w, 0, written, sizeof written, &err), err);
    must_succeed(cow_writer_finish(w, NULL, &err), err);
    memcpy(m->disk, written, sizeof written);
    must(now != NULL, "out of memory");
    must_succeed(cow_writer_read(w, 0, now, spec.size_bytes, &err), err);
    must(memcmp(now, m->disk, spec.size_bytes) == 0, "it shows another disk");
    for (uint64_t page = 1; page < spec.size_bytes / 4096; page++) {
        unsigned below = 0;
        uint8_t above;
        for (unsigned i = 0; i < 8; i++) {
            below += m->dirty[page * 8 + i];
        }
        file_read(path, m->geometry.bitmap_offset + page, &above, 1);
        must(above == (below > 0 && below < 8 ? 0xff : 0), "page %" PRIu64 ": %u below, %02x above", page,
             below, above);
        mixed += below > 0 && below < 8;
    }
    must(mixed > 0, "the test itself");
    cow_writer_close(w);
    close(fd);
    free(now);
    free(path);
    model_free(m);
}
END_TEST

/* Only where it was written: to open it for writing, and to read it, leaves the undo data as they are. */
START_TEST(undo_is_void)
{
    const struct model_spec spec = usual_spec();
    struct model *m = model_create(&spec);
    struct cow_image *img;
    struct cow_plan *plan;
    struct cow_error err = {.status = 0};
    const struct cow_resize_options grow = {.size_bytes = 500 * 512, .policy = COW_POLICY_EXTEND};
    must_succeed(cow_image_open(&img, m->cow_path, NULL, &err), err);
    must_succeed(cow_plan_resize(&plan, img, &grow, &err), err);
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    cow_plan_free(plan);
    cow_image_close(img);
    struct cow_writer *w = open_writer(m->cow_path);
    uint8_t byte;
    must_succeed(cow_writer_read(w, 0, &byte, 1, &err), err);
    must_succeed(cow_writer_flush(w, &err), err);
    cow_writer_close(w);
    must_succeed(cow_image_open(&img, m->cow_path, NULL, &err), err);
    must_succeed(cow_plan_undo(&plan, img, &err), err);
    cow_plan_free(plan);
    cow_image_close(img);
    w = open_writer(m->cow_path);
    must_succeed(cow_writer_write(w, 0, &byte, 1, &err), err);
    cow_writer_close(w);
    must_succeed(cow_image_open(&img, m->cow_path, NULL, &err), err);
    must_fail(cow_plan_undo(&plan, img, &err), COW_REFUSED, err);
    must(strstr(err.message, "has changed since") != NULL, "%s", err.message);
    cow_image_close(img);
    model_free(m);
}
END_TEST

START_TEST(a_replaced_image)
{
    const struct model_spec spec = usual_spec();
    struct model *m = model_create(&spec);
    struct cow_image *img;
    struct cow_error err = {.status = 0};
    must_succeed(cow_image_open(&img, m->cow_path, NULL, &err), err);
    must(cow_image_is_same_file(img), "it is the same");
    char *other = test_path("other");
    file_write(other, "x", 1);
    must(rename(other, m->cow_path) == 0, "rename");
    must(!cow_image_is_same_file(img), "another one has its name");
    unlink(m->cow_path);
    must(!cow_image_is_same_file(img), "nothing has its name");
    cow_image_close(img);
    free(other);
    model_free(m);
}
END_TEST

Suite *writer_suite(void)
{
    Suite *suite = suite_create("writer");
    TCase *tc = tcase_create("writer");
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, random_calls, 0, 4);
    tcase_add_loop_test(tc, other_variants, 0, COW_FORMATS);
    tcase_add_test(tc, what_does_not_fit);
    tcase_add_test(tc, what_is_pending);
    tcase_add_loop_test(tc, locks, 0, 2);
    tcase_add_test(tc, order_of_bits);
    tcase_add_test(tc, zeros_cost_nothing);
    tcase_add_test(tc, bits_far_apart);
    tcase_add_test(tc, held_without_a_name);
    tcase_add_loop_test(tc, an_overlay_completes_what_lies_below, 0, 4);
    tcase_add_test(tc, undo_is_void);
    tcase_add_test(tc, a_replaced_image);
    suite_add_tcase(suite, tc);
    return suite;
}
