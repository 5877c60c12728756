/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Records of a change as bytes: every field there and back, alone in a file and behind something; and nothing
 * but a whole record with a good sum is taken for one.
 */
#include "core/ledger/record.h"
#include "core/base/crc.h"
#include "core/ledger/record_codec.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "changes.h"

/* ---- a file in memory ---- */

struct memory {
    const uint8_t *bytes;
    size_t n_bytes;
};

static ssize_t memory_pread(void *context, int fd, void *buffer, size_t n_bytes, uint64_t offset)
{
    const struct memory *m = context;
    (void)fd;
    if (offset >= m->n_bytes) {
        return 0;
    }
    size_t n = m->n_bytes - (size_t)offset < n_bytes ? m->n_bytes - (size_t)offset : n_bytes;
    memcpy(buffer, m->bytes + offset, n);
    return (ssize_t)n;
}

static int memory_fstat(void *context, int fd, struct stat *out)
{
    const struct memory *m = context;
    (void)fd;
    *out = (struct stat){.st_size = (off_t)m->n_bytes};
    return 0;
}

static int read_bytes(struct record *out, uint64_t *offset, const uint8_t *bytes, size_t n_bytes,
                      struct cow_error *err)
{
    struct memory memory = {bytes, n_bytes};
    struct cow_io io = io_system;
    io.context = &memory;
    io.pread = memory_pread;
    io.fstat = memory_fstat;
    return record_read(out, offset, &io, 3, err);
}

/* ---- samples ---- */

static uint8_t first_saved[700], second_saved[3];

/* Numbers as a change could have them, each another one. */
static struct record *sample(uint32_t kind)
{
    struct record *r = calloc(1, sizeof *r);
    struct rng rng = {kind + 1};
    must(r != NULL, "out of memory");
    const bool content = kind == RECORD_CONTENT || kind == RECORD_UNDO_CONTENT;
    const bool shifts = kind >= RECORD_MOVE && !content;
    const bool in_place = kind == RECORD_HEADER || kind == RECORD_UNDO_HEADER || shifts || content;
    r->kind = kind;
    r->old_inode = rng_next(&rng);
    r->new_inode = in_place ? r->old_inode : rng_next(&rng);
    r->old_file_bytes = rng_below(&rng, 1 << 30);
    r->new_file_bytes = r->old_file_bytes + rng_below(&rng, 1 << 30);
    r->old_end_offset = 8192 + rng_below(&rng, 1 << 30);
    r->old_header_bytes = 4128; /* of a v3 */
    r->size_field_offset = 12;
    r->old_header_crc = (uint32_t)rng_next(&rng);
    r->new_header_crc = (uint32_t)rng_next(&rng);
    r->old_size_field = rng_next(&rng);
    rng_fill(&rng, r->old_sector, sizeof r->old_sector);
    rng_fill(&rng, r->new_sector, sizeof r->new_sector);
    r->old_mtime = (struct timespec){-5, 999999999};
    r->new_mtime = (struct timespec){(time_t)(sizeof(time_t) > 4 ? INT64_C(1) << 40 : 1 << 30), 1};
    r->keeps_undo = 1;
    r->extends = kind != RECORD_COPY;
    r->backing_old_bytes = rng_below(&rng, 1 << 30);
    r->backing_new_bytes = r->backing_old_bytes + (kind == RECORD_MERGE ? 0 : 512);
    r->backing_mtime = (struct timespec){MODEL_MTIME, 123456789};
    r->backing_old_mtime = (struct timespec){MODEL_MTIME - 1, 7};
    r->backing_inode = rng_next(&rng);
    snprintf(r->backing_path, sizeof r->backing_path, "/a/backing \x01\xff");
    if (kind == RECORD_COPY) {
        r->copy_inode = rng_next(&rng);
        snprintf(r->copy_path, sizeof r->copy_path, "/the/copy");
    }
    if (shifts) {
        rng_fill(&rng, r->half_id, sizeof r->half_id);
        rng_fill(&rng, r->family_id, sizeof r->family_id);
        snprintf(r->family_path, sizeof r->family_path, "/the/shared one");
        r->born_first_sector = rng_next(&rng);
        r->born_sectors = rng_next(&rng);
    }
    if (content) {
        r->n_more = 3;
        r->more = calloc(3, sizeof *r->more);
        must(r->more != NULL, "out of memory");
        r->more[0] = (struct record_saved){4096, sizeof second_saved, sizeof second_saved, second_saved};
        r->more[1] = (struct record_saved){UINT64_C(1) << 40, 1 << 20, 0, NULL};
        r->more[2] = (struct record_saved){512, 1000, sizeof first_saved, first_saved};
    }
    if (in_place) {
        r->shared_offset = 4096 + rng_below(&rng, 1 << 30);
        r->shared_bits = 3;
        r->shared_byte = (uint8_t)rng_next(&rng);
        rng_fill(&rng, first_saved, sizeof first_saved);
        rng_fill(&rng, second_saved, sizeof second_saved);
        r->saved[0] = (struct record_saved){UINT64_C(1) << 60, 4000, sizeof first_saved, first_saved};
        r->saved[1] = (struct record_saved){777, sizeof second_saved, sizeof second_saved, second_saved};
    }
    return r;
}

static void sample_free(struct record *r)
{
    free(r->more);
    free(r);
}

static uint8_t *encoded(const struct record *r, size_t *n_bytes)
{
    uint8_t *bytes = NULL;
    struct cow_error err = {.status = 0};
    must_succeed(record_encode(&bytes, n_bytes, r, &err), err);
    return bytes;
}

#define SAME(field) must(memcmp(&a->field, &b->field, sizeof a->field) == 0, "%s differs", #field)

static void check_same(const struct record *a, const struct record *b)
{
    SAME(kind);
    SAME(old_inode);
    SAME(new_inode);
    SAME(old_file_bytes);
    SAME(new_file_bytes);
    SAME(old_end_offset);
    SAME(old_header_bytes);
    SAME(old_header_crc);
    SAME(new_header_crc);
    SAME(size_field_offset);
    SAME(old_size_field);
    SAME(old_sector);
    SAME(new_sector);
    SAME(old_mtime);
    SAME(new_mtime);
    SAME(keeps_undo);
    SAME(extends);
    SAME(backing_old_bytes);
    SAME(backing_new_bytes);
    SAME(backing_mtime);
    SAME(backing_old_mtime);
    SAME(backing_inode);
    ck_assert_str_eq(a->backing_path, b->backing_path);
    SAME(copy_inode);
    ck_assert_str_eq(a->copy_path, b->copy_path);
    SAME(shared_offset);
    SAME(shared_bits);
    SAME(shared_byte);
    SAME(half_id);
    SAME(family_id);
    ck_assert_str_eq(a->family_path, b->family_path);
    SAME(born_first_sector);
    SAME(born_sectors);
    SAME(n_more);
    for (size_t i = 0; i < a->n_more; i++) {
        SAME(more[i].offset);
        SAME(more[i].n_bytes);
        SAME(more[i].held_bytes);
        must(a->more[i].held_bytes == 0 ||
                 memcmp(a->more[i].bytes, b->more[i].bytes, a->more[i].held_bytes) == 0,
             "more saved bytes %zu", i);
    }
    for (size_t i = 0; i < RECORD_SAVED_MAX; i++) {
        SAME(saved[i].offset);
        SAME(saved[i].n_bytes);
        SAME(saved[i].held_bytes);
        must(a->saved[i].held_bytes == 0 ||
                 memcmp(a->saved[i].bytes, b->saved[i].bytes, a->saved[i].held_bytes) == 0,
             "saved bytes %zu", i);
    }
}

/* Reads it back from behind some other bytes. */
static void check_round_trip(const struct record *r, size_t before)
{
    size_t n;
    uint64_t offset = 99;
    struct record *back = calloc(1, sizeof *back);
    uint8_t *bytes = encoded(r, &n), *file = malloc(before + n);
    struct cow_error err = {.status = 0};
    must(back != NULL && file != NULL, "out of memory");
    memset(file, 0x5a, before);
    memcpy(file + before, bytes, n);
    must_succeed(read_bytes(back, &offset, file, before + n, &err), err);
    must(offset == before, "it begins at %llu", (unsigned long long)offset);
    check_same(back, r);
    record_clear(back);
    must(back->saved[0].bytes == NULL && back->saved[1].bytes == NULL, "not cleared");
    free(back);
    free(file);
    free(bytes);
}

START_TEST(every_field_there_and_back)
{
    for (uint32_t kind = RECORD_COPY; kind < RECORD_KINDS; kind++) {
        struct record *r = sample(kind);
        check_round_trip(r, 0);
        check_round_trip(r, 1);
        check_round_trip(r, 100000);
        sample_free(r);
    }
}
END_TEST

START_TEST(empty_and_full_fields)
{
    struct record *r = sample(RECORD_HEADER);
    uint8_t *big = malloc(1 << 20);
    must(big != NULL, "out of memory");
    memset(big, 0xab, 1 << 20);
    r->backing_path[0] = '\0';
    r->extends = 0;
    r->copy_inode = 1;
    memset(r->copy_path, 'x', sizeof r->copy_path - 1);
    r->copy_path[0] = '/';
    r->saved[0] = (struct record_saved){.offset = 512, .n_bytes = 1 << 30};
    r->saved[1] = (struct record_saved){513, 1 << 20, 1 << 20, big};
    check_round_trip(r, 7);
    r->saved[1] = (struct record_saved){.offset = 0};
    r->copy_inode = 0;
    memset(r->copy_path, 0, sizeof r->copy_path);
    check_round_trip(r, 0);
    free(big);
    free(r);
}
END_TEST

/* ---- what is none ---- */

static void check_refused(const uint8_t *bytes, size_t n, const char *what, size_t at)
{
    struct cow_error err = {.status = 0};
    struct record *out = malloc(sizeof *out), *before = malloc(sizeof *before);
    uint64_t offset = 99;
    must(out != NULL && before != NULL, "out of memory");
    memset(out, 0x11, sizeof *out);
    memset(before, 0x11, sizeof *before);
    int status = read_bytes(out, &offset, bytes, n, &err);
    must(status == COW_INVALID, "%s at %zu: %d", what, at, status);
    must_fail(status, COW_INVALID, err);
    must(memcmp(out, before, sizeof *out) == 0 && offset == 99, "%s at %zu: the output was touched", what,
         at);
    free(out);
    free(before);
}

START_TEST(every_truncation_is_refused)
{
    size_t n;
    struct record *r = sample(RECORD_HEADER);
    uint8_t *bytes = encoded(r, &n);
    for (size_t length = 0; length < n; length++) {
        check_refused(bytes, length, "cut", length);                /* the end is missing */
        check_refused(bytes + n - length, length, "begun", length); /* the beginning is */
    }
    for (size_t length = 1; length < 40; length++) { /* something stands behind it */
        uint8_t *longer = calloc(1, n + length);
        must(longer != NULL, "out of memory");
        memcpy(longer, bytes, n);
        check_refused(longer, n + length, "lengthened", length);
        free(longer);
    }
    free(bytes);
    free(r);
}
END_TEST

START_TEST(every_flipped_bit_is_refused)
{
    size_t n;
    struct record *r = sample(RECORD_COPY);
    uint8_t *bytes = encoded(r, &n);
    for (size_t at = 0; at < n; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes[at] ^= (uint8_t)(1u << bit);
            check_refused(bytes, n, "flipped", at);
            bytes[at] ^= (uint8_t)(1u << bit);
        }
        uint8_t old = bytes[at];
        bytes[at] = (uint8_t)~old;
        check_refused(bytes, n, "inverted", at);
        bytes[at] = old;
    }
    free(bytes);
    free(r);
}
END_TEST

START_TEST(torn_sectors_are_refused)
{
    size_t n;
    struct record *r = sample(RECORD_COPY);
    uint8_t *bytes = encoded(r, &n), *torn = malloc(n);
    must(torn != NULL, "out of memory");
    for (size_t at = 0; at < n; at += 512) { /* this one never reached the disk */
        memcpy(torn, bytes, n);
        memset(torn + at, 0, n - at < 512 ? n - at : 512);
        check_refused(torn, n, "torn", at);
    }
    free(torn);
    free(bytes);
    free(r);
}
END_TEST

static uint32_t sum_of(const uint8_t *bytes, size_t n)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        for (int k = 0; k < 8; k++) {
            crc = (crc & 1) != 0 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
        }
    }
    return ~crc;
}

/* A record that lies, with a good sum: n bytes in all. */
static void seal(uint8_t *bytes, size_t n, uint64_t length)
{
    put_number(bytes + n - 16, 4, true, length);
    put_number(bytes + n - 12, 4, true, sum_of(bytes + n - 16 - length, length + 4));
}

static size_t place_of(const uint8_t *bytes, size_t n, const void *what, size_t what_bytes)
{
    const uint8_t *found = memmem(bytes, n, what, what_bytes);
    must(found != NULL, "not found in the record");
    return (size_t)(found - bytes);
}

START_TEST(the_sum_is_the_usual_one)
{
    ck_assert_uint_eq(crc_ieee((const uint8_t *)"123456789", 9), 0xcbf43926);
    ck_assert_uint_eq(crc_ieee(NULL, 0), 0);
    uint8_t bytes[300];
    struct rng rng = {8};
    rng_fill(&rng, bytes, sizeof bytes);
    for (size_t n = 0; n < sizeof bytes; n++) {
        ck_assert_uint_eq(crc_ieee(bytes, n), sum_of(bytes, n));
    }
}
END_TEST

START_TEST(numbers_that_lie_are_refused)
{
    size_t n;
    struct record *r = sample(RECORD_HEADER);
    uint8_t *good = encoded(r, &n), *bytes = malloc(n + 64);
    must(bytes != NULL, "out of memory");
    const size_t path = place_of(good, n, "/a/backing", 10) - 4;
    const size_t saved = place_of(good, n, first_saved, sizeof first_saved) - 24;
    const size_t last = place_of(good, n, second_saved, sizeof second_saved) - 24;
    const struct {
        size_t at;
        unsigned width;
        uint64_t value;
    } lies[] = {
        {16, 4, 0},
        {16, 4, 6},
        {16, 4, UINT32_MAX},
        {path, 4, PATH_MAX},
        {path, 4, PATH_MAX - 1},
        {path, 4, 11},
        {path, 4, 14},
        {path, 4, UINT32_MAX},
        {saved + 8, 8, sizeof first_saved - 1}, /* more is held than the range has */
        {saved + 16, 8, sizeof first_saved - 1},
        {saved + 16, 8, sizeof first_saved + 1},
        {saved + 16, 8, UINT64_MAX},
        {saved + 16, 8, UINT64_C(1) << 63},
        {saved + 16, 8, 0},
        {last + 16, 8, 4},
        {last + 16, 8, UINT64_MAX - 15},
        {last + 16, 8, 2},
        {0, 1, 'C'},
        {15, 1, 1}, /* another version */
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        memcpy(bytes, good, n);
        put_number(bytes + lies[i].at, lies[i].width, true, lies[i].value);
        seal(bytes, n, n - 16);
        check_refused(bytes, n, "lie", i);
    }
    static const uint64_t lengths[] = {0, 1, 15, UINT32_MAX, RECORD_BYTES_MAX, RECORD_BYTES_MAX + 1};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        memcpy(bytes, good, n);
        put_number(bytes + n - 16, 4, true, lengths[i]);
        check_refused(bytes, n, "length", i);
    }
    memcpy(bytes, good, n); /* a shorter length with a good sum: no opening there */
    seal(bytes, n, n - 17);
    check_refused(bytes, n, "shorter", 0);
    memcpy(bytes, good, n - 16); /* more than the fields take */
    memset(bytes + n - 16, 0, 8);
    memcpy(bytes + n - 8, good + n - 16, 16);
    seal(bytes, n + 8, n - 8);
    check_refused(bytes, n + 8, "longer", 0);
    free(bytes);
    free(good);
    free(r);
}
END_TEST

/* ---- a strange value in every field ---- */

#define SHIFTS   (1u << RECORD_MOVE | 1u << RECORD_INSERT | 1u << RECORD_UNDO_MOVE | 1u << RECORD_UNDO_INSERT)
#define CONTENT  (1u << RECORD_CONTENT | 1u << RECORD_UNDO_CONTENT)
#define IN_PLACE (1u << RECORD_HEADER | 1u << RECORD_UNDO_HEADER | SHIFTS | CONTENT)
#define COPIES   (1u << RECORD_COPY | 1u << RECORD_UNDO_COPY | 1u << RECORD_MERGE)
#define ALL      (IN_PLACE | COPIES)

static const struct strange {
    const char *what;
    unsigned kinds; /* of which it is strange */
    size_t offset, width;
    uint64_t value;
} strange_numbers[] = {
#define STRANGE(kinds, field, value)                                                                         \
    {                                                                                                        \
#field " = " #value, (kinds), offsetof(struct record, field), sizeof((struct record *)0)->field,     \
            (value)                                                                                          \
    }
    STRANGE(ALL, kind, 0),
    STRANGE(ALL, kind, RECORD_KINDS),
    STRANGE(ALL, kind, UINT32_MAX),
    STRANGE(IN_PLACE, old_inode, 1),
    STRANGE(IN_PLACE, new_inode, 1),
    STRANGE(ALL, old_file_bytes, UINT64_C(1) << 63),
    STRANGE(ALL, old_file_bytes, UINT64_MAX),
    STRANGE(IN_PLACE, old_file_bytes, INT64_MAX), /* more than the new one */
    STRANGE(ALL, new_file_bytes, UINT64_C(1) << 63),
    STRANGE(IN_PLACE, new_file_bytes, 0),
    STRANGE(ALL, old_end_offset, UINT64_MAX),
    STRANGE(ALL, old_end_offset, 0),
    STRANGE(ALL, old_end_offset, 4128),
    STRANGE(ALL, old_header_bytes, 0),
    STRANGE(ALL, old_header_bytes, 7),
    STRANGE(ALL, old_header_bytes, 4136), /* another variant's */
    STRANGE(ALL, old_header_bytes, 4137),
    STRANGE(ALL, old_header_bytes, UINT32_MAX),
    STRANGE(ALL, size_field_offset, 0),
    STRANGE(ALL, size_field_offset, 4121),
    STRANGE(ALL, size_field_offset, 4129),
    STRANGE(ALL, size_field_offset, UINT32_MAX - 7), /* + 8 wraps */
    STRANGE(ALL, size_field_offset, UINT32_MAX),
    STRANGE(ALL, old_size_field, UINT64_MAX), /* the mark */
    STRANGE(ALL, old_mtime.tv_sec, INT64_MAX),
    STRANGE(ALL, old_mtime.tv_sec, (uint64_t)INT64_MIN),
    STRANGE(ALL, old_mtime.tv_nsec, 1000000000),
    STRANGE(ALL, new_mtime.tv_sec, INT64_MAX),
    STRANGE(ALL, new_mtime.tv_nsec, UINT32_MAX),
    STRANGE(ALL, keeps_undo, 2),
    STRANGE(ALL, keeps_undo, UINT32_MAX),
    STRANGE(ALL, extends, 2),
    STRANGE(1u << RECORD_MERGE, extends, 0),
    STRANGE(1u << RECORD_COPY, extends, 1), /* and a private copy */
    STRANGE(ALL, backing_old_bytes, UINT64_MAX),
    STRANGE(ALL & ~(1u << RECORD_COPY), backing_old_bytes, UINT64_C(1) << 62), /* it grows, or stays */
    STRANGE(ALL, backing_new_bytes, UINT64_C(1) << 63),
    STRANGE(ALL & ~(1u << RECORD_COPY), backing_new_bytes, 1),
    STRANGE(ALL, backing_mtime.tv_sec, (uint64_t)INT64_MIN),
    STRANGE(ALL, backing_mtime.tv_nsec, UINT32_MAX),
    STRANGE(ALL, backing_old_mtime.tv_sec, INT64_MAX),
    STRANGE(ALL, backing_old_mtime.tv_nsec, 1000000000),
    STRANGE(ALL & ~(1u << RECORD_COPY), backing_inode, 0),
    STRANGE(1u << RECORD_COPY, copy_inode, 0),
    STRANGE(ALL & ~(1u << RECORD_COPY), copy_inode, 5),
    STRANGE(ALL, shared_offset, UINT64_MAX),
    STRANGE(IN_PLACE, shared_offset, 511), /* in the header */
    STRANGE(COPIES, shared_offset, 4096),
    STRANGE(ALL, shared_bits, 8),
    STRANGE(ALL, shared_bits, UINT32_MAX),
    STRANGE(COPIES, shared_bits, 1),
    STRANGE(ALL, shared_byte, 256),
    STRANGE(COPIES, shared_byte, 1),
    STRANGE(ALL, saved[0].offset, UINT64_MAX),
    STRANGE(IN_PLACE, saved[0].offset, INT64_MAX - 3999), /* it ends behind what a file can have */
    STRANGE(IN_PLACE, saved[0].offset, 0),
    STRANGE(COPIES, saved[0].offset, 4096),
    STRANGE(ALL, saved[0].n_bytes, UINT64_MAX),
    STRANGE(IN_PLACE, saved[0].n_bytes, sizeof first_saved - 1),
    STRANGE(IN_PLACE, saved[1].offset, 511),
    STRANGE(IN_PLACE, saved[1].n_bytes, UINT64_MAX - 700),
    STRANGE(COPIES, saved[1].n_bytes, 1),
};

static void check_strange(const struct record *r, const char *what)
{
    size_t n;
    uint8_t *bytes = encoded(r, &n);
    check_refused(bytes, n, what, r->kind);
    free(bytes);
}

START_TEST(strange_numbers_are_refused)
{
    for (uint32_t kind = RECORD_COPY; kind < RECORD_KINDS; kind++) {
        for (size_t i = 0; i < sizeof strange_numbers / sizeof strange_numbers[0]; i++) {
            const struct strange *strange = &strange_numbers[i];
            if ((strange->kinds & 1u << kind) != 0) {
                struct record *r = sample(kind);
                memcpy((char *)r + strange->offset, &strange->value, strange->width);
                check_strange(r, strange->what);
                sample_free(r);
            }
        }
    }
}
END_TEST

START_TEST(strange_paths_are_refused)
{
    static const char *const paths[] = {"x/y",    "./x",     "../x", "/",     "/x/",  "//x", "/a//x",
                                        "/a/./x", "/a/../x", "/..",  "/a/..", "/a/.", ".",   ".."};
    for (uint32_t kind = RECORD_COPY; kind < RECORD_KINDS; kind++) {
        for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
            struct record *r = sample(kind);
            strcpy(r->backing_path, paths[i]);
            check_strange(r, paths[i]);
            sample_free(r);
            r = sample(kind);
            strcpy(r->copy_path, paths[i]);
            check_strange(r, paths[i]);
            sample_free(r);
        }
        size_t n;
        struct record *r = sample(kind);
        uint8_t *bytes = encoded(r, &n); /* a NUL in the middle of one */
        bytes[place_of(bytes, n, "/a/backing", 10) + 4] = 0;
        seal(bytes, n, n - 16);
        check_refused(bytes, n, "NUL", kind);
        free(bytes);
        sample_free(r);
    }
}
END_TEST

/* What a change of content wrote over: each range by itself, and in no other kind. */
START_TEST(strange_ranges_are_refused)
{
    static const struct record_saved strange[] = {
        {511, 100, 0, NULL},
        {4096, 0, 0, NULL},
        {INT64_MAX - 10, 100, 0, NULL},
        {UINT64_MAX, 1, 0, NULL},
        {4096, sizeof first_saved - 1, sizeof first_saved, first_saved},
    };
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        struct record *r = sample(RECORD_CONTENT);
        r->more[i % 3] = strange[i];
        check_strange(r, "a range");
        sample_free(r);
    }
    size_t n;
    struct record *r = sample(RECORD_UNDO_CONTENT);
    uint8_t *bytes = encoded(r, &n);
    const size_t field = n - 16 - (4 + 3 * 24 + sizeof second_saved + sizeof first_saved);
    for (unsigned more = 0; more < 2; more++) { /* more of them than there are, and than there can be */
        put_number(bytes + field, 4, true, more == 0 ? 4 : UINT32_MAX);
        seal(bytes, n, n - 16);
        check_refused(bytes, n, "a number of ranges", more);
    }
    free(bytes);
    sample_free(r);
}
END_TEST

START_TEST(noise_is_refused)
{
    struct rng rng = {4};
    uint8_t bytes[4096];
    for (size_t i = 0; i < 2000; i++) {
        size_t n = rng_below(&rng, sizeof bytes);
        rng_fill(&rng, bytes, n);
        if (n > 32) { /* closed as a record is, and with a plausible length */
            memcpy(bytes + n - 8, "endofchg", 8);
            put_number(bytes + n - 16, 4, true, rng_below(&rng, n));
        }
        check_refused(bytes, n, "noise", i);
        if (n > 600) { /* and with a good sum */
            memcpy(bytes, "cowtui change\0\0\3", 16);
            put_number(bytes + 16, 4, true, 1);
            seal(bytes, n, n - 16);
            check_refused(bytes, n, "sealed noise", i);
        }
    }
}
END_TEST

START_TEST(the_last_of_two_counts)
{
    size_t n, m;
    uint64_t offset;
    struct record *first = sample(RECORD_COPY), *second = sample(RECORD_HEADER),
                  *back = calloc(1, sizeof *back);
    uint8_t *a = encoded(first, &n), *b = encoded(second, &m), *file = malloc(n + m);
    struct cow_error err = {.status = 0};
    must(file != NULL && back != NULL, "out of memory");
    memcpy(file, a, n);
    memcpy(file + n, b, m);
    must_succeed(read_bytes(back, &offset, file, n + m, &err), err);
    must(offset == n && back->kind == RECORD_HEADER, "kind %u", back->kind);
    record_clear(back);
    free(file);
    free(a);
    free(b);
    free(first);
    free(second);
    free(back);
}
END_TEST

static ssize_t failing_pread(void *context, int fd, void *buffer, size_t n_bytes, uint64_t offset)
{
    (void)context;
    (void)fd;
    (void)buffer;
    (void)n_bytes;
    (void)offset;
    return -EIO;
}

START_TEST(a_file_that_cannot_be_read_is_not_called_strange)
{
    struct memory memory = {(const uint8_t *)"", 4096};
    struct record *out = malloc(sizeof *out);
    struct cow_io io = io_system;
    struct cow_error err = {.status = 0};
    uint64_t offset;
    io.context = &memory;
    io.fstat = memory_fstat;
    io.pread = failing_pread;
    must_fail(record_read(out, &offset, &io, 3, &err), COW_IO, err);
    free(out);
}
END_TEST

Suite *record_suite(void)
{
    Suite *suite = suite_create("record");
    TCase *tc = tcase_create("record");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, every_field_there_and_back);
    tcase_add_test(tc, empty_and_full_fields);
    tcase_add_test(tc, the_sum_is_the_usual_one);
    tcase_add_test(tc, every_truncation_is_refused);
    tcase_add_test(tc, every_flipped_bit_is_refused);
    tcase_add_test(tc, torn_sectors_are_refused);
    tcase_add_test(tc, numbers_that_lie_are_refused);
    tcase_add_test(tc, strange_numbers_are_refused);
    tcase_add_test(tc, strange_paths_are_refused);
    tcase_add_test(tc, strange_ranges_are_refused);
    tcase_add_test(tc, noise_is_refused);
    tcase_add_test(tc, the_last_of_two_counts);
    tcase_add_test(tc, a_file_that_cannot_be_read_is_not_called_strange);
    suite_add_tcase(suite, tc);
    return suite;
}
