/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Findings: each is provoked by an image made byte by byte, with its numbers in the message, and nothing else
 * is found; a clean image has none; whatever the bytes are, looking ends, writes nothing, and says only what
 * a terminal may show.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "changes.h"

enum { SIZE = 1024 * 1024, SECTORS = SIZE / 512, HEADER_MTIME = MODEL_MTIME };

/* ---- images ---- */

/* Nothing dirty, a backing file of noise: sector n of it begins with n + 1. */
static struct model *plain_of(const struct model_spec *wanted)
{
    struct model_spec spec = *wanted;
    struct rng rng = {7};
    spec.sector_bytes = spec.sector_bytes == 0 ? 512 : spec.sector_bytes;
    spec.size_bytes = spec.size_bytes == 0 ? SIZE : spec.size_bytes;
    spec.alignment = shapes[spec.format].kind == 'a' && spec.alignment == 0 ? 4096 : spec.alignment;
    spec.backing_bytes = spec.backing_bytes == 0 ? spec.size_bytes : spec.backing_bytes;
    struct model *m = model_create(&spec);
    if (m->backing_path != NULL && !spec.backing_absent) {
        rng_fill(&rng, m->backing, spec.backing_bytes);
        for (uint64_t at = 0; at + 8 <= spec.backing_bytes; at += 512) {
            put_number(m->backing + at, 8, true, at / 512 + 1);
        }
        file_write(m->backing_path, m->backing, spec.backing_bytes);
        file_set_mtime(m->backing_path, MODEL_MTIME);
    }
    return m;
}

static struct model *plain(enum cow_format format)
{
    const struct model_spec spec = {.format = format};
    return plain_of(&spec);
}

enum what {
    BIT = 1,       /* the bit is set; what lies there stays */
    NOISE = 2,     /* other data than the backing file's */
    ZEROS = 4,     /* written zeros */
    REDUNDANT = 8, /* what the backing file has */
};

/* Sectors [first, first + n) of the COW. */
static void put(const struct model *m, uint64_t first, uint64_t n, unsigned what)
{
    const uint32_t ss = m->spec.sector_bytes;
    struct rng rng = {first + 99};
    uint8_t *bytes = calloc(n, ss);
    must(bytes != NULL, "out of memory");
    if ((what & NOISE) != 0) {
        rng_fill(&rng, bytes, n * ss);
    } else if ((what & REDUNDANT) != 0) {
        memcpy(bytes, m->backing + first * ss, n * ss);
    }
    if ((what & (NOISE | ZEROS | REDUNDANT)) != 0) {
        file_write_at(m->cow_path, m->geometry.data_offset + first * ss, bytes, n * ss);
    }
    for (uint64_t i = first; (what & BIT) != 0 && i < first + n; i++) {
        uint8_t byte;
        file_read(m->cow_path, m->geometry.bitmap_offset + i / 8, &byte, 1);
        byte = (uint8_t)(byte | 1u << (i % 8));
        file_write_at(m->cow_path, m->geometry.bitmap_offset + i / 8, &byte, 1);
    }
    free(bytes);
}

static void put_field(const struct model *m, unsigned offset, unsigned width, uint64_t value)
{
    uint8_t bytes[8];
    put_number(bytes, width, shapes[m->spec.format].big_endian, value);
    file_write_at(m->cow_path, offset, bytes, width);
}

/* An ext superblock, or what these tests need of one. */
struct times {
    uint32_t made, written, checked;
    uint16_t mounts;
};

static void make_superblock(uint8_t bytes[1024], const struct times *t, char uuid)
{
    memset(bytes, 0, 1024);
    put_number(bytes + 0x04, 4, false, 1024);
    put_number(bytes + 0x0c, 4, false, 777);
    put_number(bytes + 0x30, 4, false, t->written);
    put_number(bytes + 0x34, 2, false, t->mounts);
    put_number(bytes + 0x38, 2, false, 0xef53);
    put_number(bytes + 0x40, 4, false, t->checked);
    put_number(bytes + 0x108, 4, false, t->made);
    put_number(bytes + 0x4c, 4, false, 1);
    memset(bytes + 0x68, uuid, 16);
}

/* Into the backing file, whose date stays. */
static void put_backing_superblock(const struct model *m, const struct times *t)
{
    uint8_t bytes[1024];
    make_superblock(bytes, t, 'u');
    file_write_at(m->backing_path, 1024, bytes, sizeof bytes);
    file_set_mtime(m->backing_path, MODEL_MTIME);
}

/* Into the COW, as a whole page. */
static void put_guest_superblock(const struct model *m, const struct times *t, char uuid)
{
    uint8_t bytes[1024];
    make_superblock(bytes, t, uuid);
    put(m, 0, 8, BIT | NOISE);
    file_write_at(m->cow_path, m->geometry.data_offset + 1024, bytes, sizeof bytes);
}

/* So that what a file takes on its disk is known. */
static int sync_file(const char *path)
{
    int fd = file_open_to_write(path);
    int status = fsync(fd);
    close(fd);
    return status;
}

/* ---- looking ---- */

static struct cow_check found; /* what the last check found: it is large */

static const struct cow_finding *finding_of(enum cow_finding_code code)
{
    for (size_t i = 0; i < found.findings; i++) {
        if (found.finding[i].code == code) {
            return &found.finding[i];
        }
    }
    return NULL;
}

static void check_form(void)
{
    for (size_t i = 0; i < found.findings; i++) {
        const struct cow_finding *f = &found.finding[i];
        must(i == 0 || found.finding[i - 1].code < f->code, "the order of the table");
        must(f->message[0] != '\0' && is_terminal_safe(f->message), "message of %s",
             cow_finding_name(f->code));
        must(!f->fixable || cow_finding_fix(f->code) != COW_FIX_NONE, "%s: fixable by nothing",
             cow_finding_name(f->code));
    }
}

static int look_with(const char *path, const struct cow_check_options *opt, struct cow_error *err)
{
    struct witness image = witness_of(path);
    char *names = directory_list(test_directory());
    unsigned files = open_files();
    int status = cow_check(&found, path, opt, err);
    char *names_after = directory_list(test_directory());
    witness_check(&image, "checking");
    ck_assert_str_eq(names, names_after);
    ck_assert_uint_eq(files, open_files());
    free(names);
    free(names_after);
    if (status == 0) {
        check_form();
    }
    return status;
}

static void look_named(const char *path, const char *backing)
{
    struct cow_error err = {.status = 0};
    const struct cow_check_options options = {.backing_path = backing};
    must_succeed(look_with(path, &options, &err), err);
}

static void look(const struct model *m)
{
    struct witness backing = {.sum = 0};
    bool there = m->backing_path != NULL && file_exists(m->backing_path);
    if (there) {
        backing = witness_of(m->backing_path);
    }
    look_named(m->cow_path, NULL);
    if (there) {
        witness_check(&backing, "checking");
    }
}

/* Found: these codes and no others; the list ends with COW_FINDINGS. */
static void must_be_only(enum cow_finding_code first, ...)
{
    va_list codes;
    size_t n = 0;
    va_start(codes, first);
    for (int code = (int)first; code != COW_FINDINGS; code = va_arg(codes, int)) {
        must(finding_of((enum cow_finding_code)code) != NULL, "no \"%s\" among %zu, the first \"%s\"",
             cow_finding_name((enum cow_finding_code)code), found.findings,
             found.findings > 0 ? found.finding[0].message : "");
        n++;
    }
    va_end(codes);
    for (size_t i = 0; i < found.findings && found.findings != n; i++) {
        fprintf(stderr, "%s: %s\n", cow_finding_name(found.finding[i].code), found.finding[i].message);
    }
    must(found.findings == n, "%zu findings, not %zu", found.findings, n);
}

#define only(...)  must_be_only(__VA_ARGS__, COW_FINDINGS)
#define is_clean() must_be_only(COW_FINDINGS)

/* This finding has each of these words in its message. The list ends with NULL. */
static void must_say(enum cow_finding_code code, int fixable, ...)
{
    const struct cow_finding *f = finding_of(code);
    va_list words;
    must(f != NULL, "no \"%s\"", cow_finding_name(code));
    va_start(words, fixable);
    for (const char *word = va_arg(words, const char *); word != NULL; word = va_arg(words, const char *)) {
        must(strstr(f->message, word) != NULL, "\"%s\" does not say \"%s\"", f->message, word);
    }
    va_end(words);
    must(f->fixable == fixable, "%s: fixable is %d", f->message, f->fixable);
}

#define says(...) must_say(__VA_ARGS__, NULL)

static void is_at(enum cow_finding_code code, uint64_t first, uint64_t sectors)
{
    const struct cow_finding *f = finding_of(code);
    must(f->first_sector == first && f->sectors == sectors, "%s: at %" PRIu64 ", %" PRIu64 " sectors",
         f->message, f->first_sector, f->sectors);
}

static bool kernel_reads(int format)
{
    return format == COW_FORMAT_V1 || format == COW_FORMAT_V2 || format == COW_FORMAT_V3 ||
           format == COW_FORMAT_V3_64;
}

/* ---- the table ---- */

START_TEST(the_table_is_complete)
{
    for (int i = 0; i < COW_FINDINGS; i++) {
        const enum cow_finding_code code = (enum cow_finding_code)i;
        const char *name = cow_finding_name(code);
        must(strspn(name, "abcdefghijklmnopqrstuvwxyz-") == strlen(name) && *name != '\0', "%s", name);
        must(strlen(cow_finding_meaning(code)) > 10 && is_terminal_safe(cow_finding_meaning(code)), "%s",
             name);
        must(!cow_finding_safe(code) || cow_finding_fix(code) != COW_FIX_NONE, "%s: safe without a fix",
             name);
        must(i == 0 || cow_finding_severity((enum cow_finding_code)(i - 1)) >= cow_finding_severity(code),
             "%s: the worst come first", name);
        for (int k = 0; k < i; k++) {
            must(strcmp(name, cow_finding_name((enum cow_finding_code)k)) != 0, "%s twice", name);
        }
    }
    for (int fix = COW_FIX_NONE; fix <= COW_FIX_REBASE; fix++) {
        must((*cow_fix_text((enum cow_fix)fix) == '\0') == (fix == COW_FIX_NONE), "fix %d", fix);
    }
    ck_assert_str_eq(cow_severity_name(COW_SEVERITY_NOTE), "note");
    ck_assert_str_eq(cow_severity_name(COW_SEVERITY_WARNING), "warning");
    ck_assert_str_eq(cow_severity_name(COW_SEVERITY_ERROR), "error");
    ck_assert_str_eq(cow_severity_name(COW_SEVERITY_CORRUPT), "corrupt");
    must(!cow_finding_safe(COW_FINDING_BACKING_DATE) && !cow_finding_safe(COW_FINDING_BACKING_SIZE), "safe");
}
END_TEST

/* ---- clean ones, and formats ---- */

START_TEST(a_clean_image_has_no_finding)
{
    struct model *m = plain((enum cow_format)_i);
    for (int dirty = 0; dirty < 2; dirty++) {
        look(m);
        must(found.scanned, "not scanned");
        if (kernel_reads(_i)) {
            is_clean();
        } else if (_i == COW_FORMAT_V1_BE || _i == COW_FORMAT_V1_BE_64) {
            only(COW_FINDING_BIG_ENDIAN);
            says(COW_FINDING_BIG_ENDIAN, true, cow_format_title((enum cow_format)_i));
        } else {
            only(COW_FINDING_FORMAT);
            says(COW_FINDING_FORMAT, true, cow_format_title((enum cow_format)_i));
        }
        put(m, 8, 16, BIT | NOISE);
        put(m, SECTORS - 8, 8, BIT | NOISE);
    }
    model_free(m);
}
END_TEST

START_TEST(a_file_as_short_as_kernels_leave_it_is_clean)
{
    struct model *m = plain(COW_FORMAT_V3);
    file_truncate(m->cow_path, m->geometry.bitmap_offset + m->geometry.bitmap_bytes);
    look(m);
    is_clean();
    put(m, 16, 8, BIT | NOISE);
    look(m);
    is_clean();
    model_free(m);
}
END_TEST

START_TEST(a_disk_of_an_odd_size_is_clean)
{
    const struct model_spec spec = {.format = COW_FORMAT_V3, .size_bytes = 2047 * 512 - 100};
    struct model *m = plain_of(&spec);
    put(m, 2040, 7, BIT | NOISE); /* the end of the disk cuts this page */
    file_truncate(m->cow_path, m->geometry.data_offset + spec.size_bytes);
    look(m);
    is_clean();
    model_free(m);
}
END_TEST

START_TEST(a_qemu_image_without_a_backing_file)
{
    const struct model_spec spec = {.format = COW_FORMAT_QEMU, .backing_bytes = NO_BACKING};
    struct model *m = plain_of(&spec);
    put(m, 8, 8, BIT | NOISE);
    look(m);
    only(COW_FINDING_FORMAT);
    says(COW_FINDING_FORMAT, false, "QEMU COW", "no backing file");
    must(found.scanned, "not scanned");
    model_free(m);
}
END_TEST

/* ---- no valid image ---- */

START_TEST(fields_out_of_range)
{
    static const struct {
        unsigned offset, width;
        uint64_t value;
        const char *words;
    } cases[] = {
        {20, 4, 3, "sector size is 3,"}, {20, 4, 131072, "sector size is 131072,"},
        {24, 4, 0, "alignment is 0,"},   {24, 4, UINT32_MAX, "alignment is 4294967295,"},
        {12, 8, 0, "size is 0 bytes"},   {12, 8, UINT64_C(1) << 43, "size is 8796093022208 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model *m = plain(COW_FORMAT_V3);
        put_field(m, cases[i].offset, cases[i].width, cases[i].value);
        look(m);
        only(COW_FINDING_NOT_VALID);
        says(COW_FINDING_NOT_VALID, false, cases[i].words);
        must(strncmp(finding_of(COW_FINDING_NOT_VALID)->message, "header: ", 8) == 0, "%s",
             finding_of(COW_FINDING_NOT_VALID)->message);
        must(!found.scanned, "scanned");
        model_free(m);
    }
    struct model *m = plain(COW_FORMAT_V3);
    file_truncate(m->cow_path, 4000);
    look(m);
    only(COW_FINDING_NOT_VALID);
    says(COW_FINDING_NOT_VALID, false, "cut off after 4000 bytes");
    model_free(m);
}
END_TEST

START_TEST(what_cannot_be_checked_is_an_error)
{
    struct cow_error err = {.status = 0};
    struct model *m = plain(COW_FORMAT_V3);
    char *nothing = test_path("nothing");
    memset(&found, 0x5a, sizeof found);
    must_fail(cow_check(&found, nothing, NULL, &err), COW_IO, err);
    must_fail(cow_check(&found, m->backing_path, NULL, &err), COW_NOT_COW, err);
    put_field(m, 4, 4, 9);
    must_fail(cow_check(&found, m->cow_path, NULL, &err), COW_UNSUPPORTED, err);
    put_field(m, 4, 4, 3);
    const struct cow_check_options missing = {.backing_path = nothing},
                                   itself = {.backing_path = m->cow_path};
    must_fail(cow_check(&found, m->cow_path, &missing, &err), COW_IO, err);
    must_fail(cow_check(&found, m->cow_path, &itself, &err), COW_REFUSED, err);
    must(cow_check(&found, nothing, NULL, NULL) == COW_IO, "without err");
    for (size_t i = 0; i < sizeof found; i++) {
        must(((const uint8_t *)&found)[i] == 0x5a, "written on failure");
    }
    free(nothing);
    model_free(m);
}
END_TEST

START_TEST(an_unfinished_image)
{
    struct model *m = plain((enum cow_format)_i);
    char *kept = test_path(".x.cow.cowtui-undo");
    put_field(m, shapes[_i].size, 8, UINT64_MAX);
    look(m);
    only(COW_FINDING_UNFINISHED);
    says(COW_FINDING_UNFINISHED, false, "2^64-1", "no journal");
    must(rename(m->cow_path, kept) == 0, "rename");
    look_named(kept, NULL);
    only(COW_FINDING_UNFINISHED);
    says(COW_FINDING_UNFINISHED, false, "kept for \"cowtui undo\"");
    free(kept);
    model_free(m);
}
END_TEST

/* ---- interrupted changes, locks, and what lies beside ---- */

START_TEST(a_strange_journal)
{
    struct model *m = plain(COW_FORMAT_V3);
    char *journal = test_path(".m.cowtui-journal");
    put(m, 8, 1, BIT | NOISE);
    file_write(journal, "no journal", 10);
    look(m);
    only(COW_FINDING_INTERRUPTED, COW_FINDING_MIXED_PAGES);
    says(COW_FINDING_INTERRUPTED, false, "cannot be taken up");
    says(COW_FINDING_MIXED_PAGES, false, "1 page"); /* first the journal */
    put_field(m, 12, 8, UINT64_MAX);
    look(m);
    only(COW_FINDING_INTERRUPTED);
    free(journal);
    model_free(m);
}
END_TEST

static struct subject *cut_off(uint64_t at)
{
    const struct change change = {.operation = OPERATION_EXTEND,
                                  .spec = {.format = COW_FORMAT_V3,
                                           .size_bytes = 301 * 512,
                                           .sector_bytes = 512,
                                           .alignment = 4096,
                                           .backing_bytes = 301 * 512,
                                           .pattern = PATTERN_RUNS,
                                           .seed = 13},
                                  .new_bytes = 444 * 512,
                                  .reserve_bytes = UINT64_C(1) << 30};
    struct subject *s = subject_create(&change);
    struct faulty faulty;
    struct cow_error err;
    bool planned;
    faulty_init(&faulty, FAULT_CRASH, EIO, at);
    (void)subject_run(s, &faulty.io, NULL, &planned, &err);
    return s;
}

/* A change that stops at every call in turn: wherever there is a journal, that is found, and recovery is the
 * plan; afterwards nothing is left of it. */
START_TEST(an_interrupted_change)
{
    unsigned seen = 0;
    for (uint64_t at = 1; at < 60; at++) {
        struct subject *s = cut_off(at);
        if (subject_is_pending(s)) {
            struct cow_image *img;
            struct cow_plan *plan;
            struct cow_error err;
            look_named(s->target, NULL);
            says(COW_FINDING_INTERRUPTED, true, "cowtui recover");
            must_succeed(cow_image_open(&img, s->target, NULL, &err), err);
            must_succeed(cow_plan_repair(&plan, img, &found, NULL, &err), err);
            ck_assert_str_eq(cow_operation_name(cow_plan_preview(plan)->operation), "recover");
            must_succeed(cow_plan_commit(plan, NULL, &err), err);
            cow_plan_free(plan);
            cow_image_close(img);
            look_named(s->target, NULL);
            must(finding_of(COW_FINDING_INTERRUPTED) == NULL, "still interrupted, %" PRIu64, at);
            seen++;
        }
        subject_free(s);
    }
    must(seen > 5, "%u times", seen);
}
END_TEST

START_TEST(a_locked_image)
{
    struct model *m = plain(COW_FORMAT_V3);
    char pid_text[32];
    int go;
    put(m, 8, 1, BIT | NOISE);
    pid_t pid = hold_lock(m->cow_path, F_WRLCK, &go);
    snprintf(pid_text, sizeof pid_text, "in use by pid %d", (int)pid);
    look(m);
    only(COW_FINDING_MIXED_PAGES, COW_FINDING_LOCKED);
    says(COW_FINDING_LOCKED, false, pid_text);
    says(COW_FINDING_MIXED_PAGES, false, "1 page");
    char *journal = test_path(".m.cowtui-journal");
    file_write(journal, "in the making", 13);
    look(m);
    only(COW_FINDING_MIXED_PAGES, COW_FINDING_LOCKED);
    says(COW_FINDING_LOCKED, false, "under way");
    close(go);
    waitpid(pid, NULL, 0);
    free(journal);
    model_free(m);
}
END_TEST

START_TEST(undo_data_and_further_names)
{
    struct model *m = plain(COW_FORMAT_V3);
    char *undo = test_path(".m.cowtui-undo"), *other = test_path("other");
    uint8_t *bytes = malloc(2 << 20);
    must(bytes != NULL, "out of memory");
    memset(bytes, 1, 2 << 20);
    file_write(undo, bytes, 4096); /* a change in place: next to nothing */
    look(m);
    is_clean();
    file_write(undo, bytes, 2 << 20);
    look(m);
    only(COW_FINDING_UNDO);
    says(COW_FINDING_UNDO, false, "2.0", "MiB", ".m.cowtui-undo", "cowtui undo --discard");
    unlink(undo);
    put(m, 8, 1, BIT | NOISE);
    must(link(m->cow_path, other) == 0, "link");
    look(m);
    only(COW_FINDING_MIXED_PAGES, COW_FINDING_SEVERAL_NAMES);
    says(COW_FINDING_SEVERAL_NAMES, false, "2 names");
    says(COW_FINDING_MIXED_PAGES, false, "1 page");
    free(bytes);
    free(other);
    free(undo);
    model_free(m);
}
END_TEST

/* ---- the backing file ---- */

START_TEST(no_backing_file)
{
    struct model *m = plain(COW_FORMAT_V3);
    put(m, 8, 1, BIT | NOISE);
    unlink(m->backing_path);
    look(m);
    only(COW_FINDING_BACKING_MISSING, COW_FINDING_MIXED_PAGES);
    says(COW_FINDING_BACKING_MISSING, false, m->backing_path);
    says(COW_FINDING_MIXED_PAGES, false, "1 page");
    must(!found.scanned, "scanned");
    must(mkdir(m->backing_path, 0700) == 0, "mkdir");
    look_named(m->cow_path, NULL);
    only(COW_FINDING_BACKING_UNUSABLE, COW_FINDING_MIXED_PAGES);
    says(COW_FINDING_BACKING_UNUSABLE, false, "directory");
    rmdir(m->backing_path);
    must(link(m->cow_path, m->backing_path) == 0, "link");
    look(m);
    only(COW_FINDING_BACKING_UNUSABLE, COW_FINDING_MIXED_PAGES, COW_FINDING_SEVERAL_NAMES);
    says(COW_FINDING_BACKING_UNUSABLE, false, "COW image itself");
    model_free(m);
}
END_TEST

/* A file that may be the backing file: its content, so long, so dated. */
static char *put_candidate(const struct model *m, const char *name, uint64_t size_bytes, int64_t mtime)
{
    char *path = test_path(name);
    file_write(path, m->backing, SIZE);
    file_truncate(path, size_bytes);
    file_set_mtime(path, mtime);
    return path;
}

/* The candidates: names in the test's directory, and what fits of each: 'n'ame, 'd'ate, 'u'uid. The list ends
 * with NULL. */
static void must_offer(int no_link, ...)
{
    va_list wanted;
    size_t n = 0;
    (void)no_link;
    va_start(wanted, no_link);
    for (const char *name = va_arg(wanted, const char *); name != NULL; name = va_arg(wanted, const char *)) {
        const char *fits = va_arg(wanted, const char *);
        char *path = test_path(name);
        must(n < found.candidates, "%s is not offered", name);
        const struct cow_candidate *candidate = &found.candidate[n++];
        ck_assert_str_eq(candidate->path, path);
        must(candidate->same_name == (strchr(fits, 'n') != NULL), "%s: name", name);
        must(candidate->same_date == (strchr(fits, 'd') != NULL), "%s: date", name);
        must(candidate->same_uuid == (strchr(fits, 'u') != NULL), "%s: UUID", name);
        free(path);
    }
    va_end(wanted);
    must(found.candidates == n, "%zu candidates, the last %s", found.candidates,
         found.candidates > 0 ? found.candidate[found.candidates - 1].path : "");
}

#define offers(...)   must_offer(0, __VA_ARGS__, NULL)
#define offers_none() must_offer(0, NULL)

/* The image names a file in a directory that is there, and the file is gone. */
static struct model *moved(const char *stored_name)
{
    char *stored = test_path(stored_name);
    const struct model_spec spec = {.format = COW_FORMAT_V3, .stored = stored};
    struct model *m = plain_of(&spec);
    unlink(m->backing_path);
    put(m, 8, 8, BIT | NOISE);
    free(stored);
    return m;
}

START_TEST(a_backing_file_that_has_moved)
{
    struct model *m = moved("there/root.img");
    char *there = test_path("there"), *path;
    look(m);
    only(COW_FINDING_BACKING_MISSING);
    says(COW_FINDING_BACKING_MISSING, false, "not there");
    offers_none();
    free(put_candidate(m, "only-size", SIZE, MODEL_MTIME + 1));
    free(put_candidate(m, "long", SIZE + 512, MODEL_MTIME));
    free(put_candidate(m, "short", SIZE - 512, MODEL_MTIME));
    free(put_candidate(m, ".x.cow.cowtui-long", SIZE + 512, MODEL_MTIME));
    look(m);
    offers_none();
    free(put_candidate(m, "dated", SIZE, MODEL_MTIME));
    look(m);
    says(COW_FINDING_BACKING_MISSING, true, "not there");
    offers("dated", "d");
    free(put_candidate(m, "root.img", SIZE, MODEL_MTIME - 1));
    look(m);
    offers("dated", "d", "root.img", "n");
    must(mkdir(there, 0700) == 0, "mkdir");
    free(put_candidate(m, "there/old", SIZE, MODEL_MTIME));
    path = put_candidate(m, "root.img", SIZE, MODEL_MTIME);
    look(m);
    offers("root.img", "nd", "dated", "d", "there/old", "d");
    unlink(path);
    free(path);
    path = put_candidate(m, "there/deep", SIZE, MODEL_MTIME); /* and no directory below */
    unlink(path);
    must(mkdir(path, 0700) == 0, "mkdir");
    free(put_candidate(m, "there/deep/root.img", SIZE, MODEL_MTIME));
    look(m);
    offers("dated", "d", "there/old", "d");
    free(path);
    free(there);
    model_free(m);
}
END_TEST

/* A path that is relative is meant from where the image is; links, FIFOs, devices and COW images are none. */
START_TEST(what_is_no_candidate)
{
    const struct model_spec spec = {.format = COW_FORMAT_V3, .stored = "there/root.img"};
    struct model *m = plain_of(&spec);
    char *there = test_path("there"), *elsewhere = test_path("there/elsewhere");
    char *link_path = test_path("root.img"), *fifo = test_path("there/fifo"), *cow = test_path("there/cow");
    struct timeval times[2] = {{MODEL_MTIME, 0}, {MODEL_MTIME, 0}};
    unlink(m->backing_path);
    must(mkdir(there, 0700) == 0 && mkfifo(fifo, 0600) == 0, "mkdir");
    must(mkdir(elsewhere, 0700) == 0, "mkdir");
    free(put_candidate(m, "there/elsewhere/root.img", SIZE, MODEL_MTIME));
    must(symlink("there/elsewhere/root.img", link_path) == 0, "symlink");
    must(symlink("root.img", "there/loop") == 0 || errno == ENOENT, "symlink");
    file_write(cow, m->backing, SIZE);
    {
        uint8_t header[COW_HEADER_BYTES_MAX];
        size_t n = model_header(header, COW_FORMAT_V2, "/somewhere", 1000000, 512, 0, 1, false);
        file_write_at(cow, 0, header, n);
    }
    must(utimes(cow, times) == 0 && utimes(fifo, times) == 0, "utimes");
    look(m);
    says(COW_FINDING_BACKING_MISSING, false, "not there");
    offers_none();
    free(put_candidate(m, "there/root.img", SIZE, MODEL_MTIME));
    unlink(link_path);
    rmdir(elsewhere);
    m->spec.stored = NULL;
    look(m); /* it is found where QEMU looks for it */
    must(finding_of(COW_FINDING_BACKING_MISSING) == NULL, "missing");
    const struct cow_check_options alone = {.no_backing = true};
    struct cow_error err;
    must_succeed(look_with(m->cow_path, &alone, &err), err);
    offers_none();
    free(there);
    free(elsewhere);
    free(link_path);
    free(fifo);
    free(cow);
    model_free(m);
}
END_TEST

/* A directory without end, in which the file that is looked for comes last. */
static int list_many(void *context, const char *directory, int (*each)(void *each_context, const char *name),
                     void *each_context)
{
    char name[32];
    int status = 0;
    (void)context;
    (void)directory;
    for (int i = 0; i < 1000 * 1000 && status == 0; i++) {
        snprintf(name, sizeof name, "c%d", i);
        status = each(each_context, name);
    }
    must(status != 0, "all names were asked for");
    return status;
}

/* However many names there are, the same one is found, and that not all were looked at is told. */
START_TEST(a_directory_of_many_names)
{
    struct model *m = moved("gone/root.img");
    struct cow_io io = io_system;
    const struct cow_check_options options = {.io = &io};
    struct cow_error err;
    char name[32];
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "c%d", i);
        free(put_candidate(m, name, SIZE, MODEL_MTIME));
    }
    look(m);
    must(found.candidates == COW_CANDIDATES_MAX && !found.candidates_cut, "%zu candidates", found.candidates);
    io.list = list_many;
    must_succeed(look_with(m->cow_path, &options, &err), err);
    must(found.candidates == COW_CANDIDATES_MAX && found.candidates_cut, "%zu candidates", found.candidates);
    free(put_candidate(m, "root.img", SIZE, MODEL_MTIME));
    must_succeed(look_with(m->cow_path, &options, &err), err);
    must(found.candidate[0].same_name && found.candidate[0].same_date, "%s", found.candidate[0].path);
    model_free(m);
}
END_TEST

/* The guest's own copy of the superblock tells which filesystem it was made on. */
START_TEST(a_candidate_with_another_filesystem)
{
    const struct times t = {.made = 1, .written = 2, .checked = 3};
    struct model *m = moved("gone.img");
    uint8_t bytes[1024];
    put_guest_superblock(m, &t, 'g');
    make_superblock(bytes, &t, 'x');
    memcpy(m->backing + 1024, bytes, sizeof bytes);
    free(put_candidate(m, "wrong.img", SIZE, MODEL_MTIME));
    look(m);
    offers_none();
    make_superblock(bytes, &t, 'g');
    memcpy(m->backing + 1024, bytes, sizeof bytes);
    free(put_candidate(m, "later.img", SIZE, MODEL_MTIME + 5));
    free(put_candidate(m, "right.img", SIZE, MODEL_MTIME));
    look(m);
    offers("right.img", "du", "later.img", "u");
    model_free(m);
}
END_TEST

/* There is a backing file, but not the right one. */
START_TEST(a_better_backing_file)
{
    const struct times t = {.made = 1, .written = 2, .checked = 3};
    struct model *m = plain(COW_FORMAT_V3);
    uint8_t bytes[1024];
    free(put_candidate(m, "old.img", SIZE, MODEL_MTIME));
    free(put_candidate(m, "older.img", SIZE, MODEL_MTIME - 1));
    look(m);
    is_clean();
    offers_none();
    file_set_mtime(m->backing_path, MODEL_MTIME + 1);
    look(m);
    only(COW_FINDING_BACKING_DATE);
    offers("old.img", "d");
    file_truncate(m->backing_path, SIZE / 2);
    look(m);
    offers("old.img", "d");
    model_free(m);
    m = plain(COW_FORMAT_V3);
    put_backing_superblock(m, &t); /* 'u' */
    put_guest_superblock(m, &t, 'g');
    look(m);
    says(COW_FINDING_OTHER_FILESYSTEM, false, "UUID");
    make_superblock(bytes, &t, 'g');
    memcpy(m->backing + 1024, bytes, sizeof bytes);
    free(put_candidate(m, "right.img", SIZE, MODEL_MTIME + 9));
    look(m);
    says(COW_FINDING_OTHER_FILESYSTEM, true, "UUID");
    offers("right.img", "u");
    model_free(m);
}
END_TEST

START_TEST(a_backing_file_of_another_size)
{
    struct model *m = plain(COW_FORMAT_V3);
    file_truncate(m->backing_path, SIZE + 512);
    file_set_mtime(m->backing_path, MODEL_MTIME);
    look(m);
    only(COW_FINDING_BACKING_SIZE);
    says(COW_FINDING_BACKING_SIZE, true, "1048576 bytes (1.00 MiB)", "1049088");
    file_truncate(m->backing_path, SIZE - 512);
    file_set_mtime(m->backing_path, MODEL_MTIME);
    look(m);
    only(COW_FINDING_BACKING_SIZE);
    says(COW_FINDING_BACKING_SIZE, true, "1048064");
    file_truncate(m->backing_path, SIZE + 1); /* no disk has that size */
    file_set_mtime(m->backing_path, MODEL_MTIME);
    look(m);
    says(COW_FINDING_BACKING_SIZE, false, "1048577");
    file_truncate(m->backing_path, SIZE + 512);
    file_set_mtime(m->backing_path, MODEL_MTIME + 5);
    look(m);
    only(COW_FINDING_BACKING_SIZE, COW_FINDING_BACKING_DATE);
    says(COW_FINDING_BACKING_SIZE, false, "another date");
    says(COW_FINDING_BACKING_DATE, false, "1049522833");
    model_free(m);
}
END_TEST

START_TEST(another_date)
{
    struct model *m = plain(COW_FORMAT_V3);
    put(m, 8, 1, BIT | NOISE);
    file_set_mtime(m->backing_path, MODEL_MTIME + 1);
    look(m);
    only(COW_FINDING_BACKING_DATE, COW_FINDING_MIXED_PAGES);
    says(COW_FINDING_BACKING_DATE, true, "2003-04-05 06:07:09 UTC (1049522829)",
         "2003-04-05 06:07:08 UTC (1049522828)", "nothing tells", "no ext filesystem");
    says(COW_FINDING_MIXED_PAGES, false, "1 page"); /* its bytes may be others now */
    file_set_mtime(m->backing_path, -5);
    look(m);
    says(COW_FINDING_BACKING_DATE, false, "1969-12-31 23:59:55 UTC (-5)", "before 1970");
    if (date_fits(INT64_C(1) << 33)) {
        file_set_mtime(m->backing_path, INT64_C(1) << 33);
        look(m);
        says(COW_FINDING_BACKING_DATE, false, "8589934592", "after 2106");
    }
    model_free(m);
}
END_TEST

enum { T = HEADER_MTIME };

START_TEST(touched_or_modified)
{
    static const struct {
        struct times backing;
        bool same_date;
        char guest; /* 0: it has written none; else its UUID */
        struct times guest_times;
        int code; /* -1: none */
        const char *words;
    } cases[] = {
        /* not written after the header's date */
        {{T - 100, T, T - 100, 3}, false, 0, {0, 0, 0, 0}, COW_FINDING_BACKING_DATE, "touched only"},
        {{T - 100, T - 50, T - 100, 3},
         false,
         'u',
         {T - 100, T + 9, T - 100, 4},
         COW_FINDING_BACKING_DATE,
         "touched only"},
        /* written after it */
        {{T - 100, T + 1, T - 100, 3},
         false,
         0,
         {0, 0, 0, 0},
         COW_FINDING_BACKING_MODIFIED,
         "after the header's date"},
        {{0, T + 1, T - 100, 3}, false, 0, {0, 0, 0, 0}, COW_FINDING_BACKING_MODIFIED, "777 free blocks"},
        {{T - 100, T + 5, T - 100, 3},
         false,
         'u',
         {T - 100, T + 9, T - 100, 4},
         COW_FINDING_BACKING_MODIFIED,
         "in the guest"},
        /* a date set by hand: the filesystem is younger than it */
        {{T + 10, T + 20, T + 10, 3}, false, 0, {0, 0, 0, 0}, COW_FINDING_BACKING_DATE, "nothing tells"},
        {{T + 10, T + 20, T + 10, 3},
         false,
         'u',
         {T + 10, T + 30, T + 10, 4},
         COW_FINDING_BACKING_DATE,
         "touched only"},
        {{T + 10, T + 20, T + 10, 3},
         false,
         'u',
         {T + 10, T + 19, T + 10, 4},
         COW_FINDING_BACKING_MODIFIED,
         "took its copy"},
        {{T + 10, T + 20, T + 10, 3},
         false,
         'w',
         {T + 10, T + 19, T + 10, 4},
         COW_FINDING_BACKING_DATE,
         "nothing tells"},
        /* mounted more often than the guest's */
        {{T - 100, T, T - 100, 3},
         false,
         'u',
         {T - 100, T + 9, T - 100, 2},
         COW_FINDING_BACKING_MODIFIED,
         "mounted 3 times"},
        {{T - 100, T, T - 100, 3},
         false,
         'u',
         {T - 100, T + 9, T + 9, 1},
         COW_FINDING_BACKING_DATE,
         "touched only"},
        /* the date was put back */
        {{T - 100, T + 1, T - 100, 3}, true, 0, {0, 0, 0, 0}, -1, NULL},
        {{T - 100, T + 5, T - 100, 3}, true, 'u', {T - 100, T + 9, T - 100, 4}, -1, NULL},
        {{T - 100, T + 5, T - 100, 3},
         true,
         'u',
         {T - 100, T + 4, T - 100, 4},
         COW_FINDING_BACKING_MODIFIED,
         "has the header's date"},
        {{T - 100, T, T - 100, 5},
         true,
         'u',
         {T - 100, T + 4, T - 100, 4},
         COW_FINDING_BACKING_MODIFIED,
         "mounted 5 times"},
        {{T - 100, T, T - 100, 5}, true, 'w', {T - 100, T - 4, T - 100, 4}, -1, NULL},
        /* no clock at all */
        {{0, 0, 0, 0}, false, 0, {0, 0, 0, 0}, COW_FINDING_BACKING_DATE, "nothing tells"},
    };
    struct model *m = plain(COW_FORMAT_V3);
    put_backing_superblock(m, &cases[_i].backing);
    if (cases[_i].guest != 0) {
        put_guest_superblock(m, &cases[_i].guest_times, cases[_i].guest);
    }
    file_set_mtime(m->backing_path, cases[_i].same_date ? HEADER_MTIME : HEADER_MTIME + 86400);
    look(m);
    const bool other = cases[_i].guest == 'w';
    if (other) {
        says(COW_FINDING_OTHER_FILESYSTEM, false, "75757575-7575-7575-7575-757575757575",
             "77777777-7777-7777-7777-777777777777");
    }
    if (cases[_i].code < 0 && other) {
        only(COW_FINDING_OTHER_FILESYSTEM);
    } else if (cases[_i].code < 0) {
        is_clean();
    } else {
        if (other) {
            only((enum cow_finding_code)cases[_i].code, COW_FINDING_OTHER_FILESYSTEM);
        } else {
            only((enum cow_finding_code)cases[_i].code);
        }
        says((enum cow_finding_code)cases[_i].code, !cases[_i].same_date, cases[_i].words);
    }
    model_free(m);
}
END_TEST
enum { TOUCHED_CASES = 17 };

START_TEST(a_backing_file_that_is_a_cow)
{
    uint8_t header[COW_HEADER_BYTES_MAX];
    struct model *m = plain(COW_FORMAT_V3);
    size_t n = model_header(header, COW_FORMAT_V2, "/somewhere", 1000000, 512, 0, 1, false);
    file_write_at(m->backing_path, 0, header, n);
    file_set_mtime(m->backing_path, MODEL_MTIME);
    look(m);
    only(COW_FINDING_BACKING_IS_COW);
    says(COW_FINDING_BACKING_IS_COW, false, "UML COW v2");
    model_free(m);
}
END_TEST

START_TEST(another_backing_file_than_the_stored_one)
{
    struct model *m = plain(COW_FORMAT_V3);
    char *other = test_path("other");
    file_write(other, m->backing, SIZE);
    file_set_mtime(other, MODEL_MTIME);
    look_named(m->cow_path, m->backing_path); /* the same file */
    is_clean();
    look_named(m->cow_path, other);
    only(COW_FINDING_BACKING_ELSEWHERE);
    says(COW_FINDING_BACKING_ELSEWHERE, true, "m.img", "other");
    file_set_mtime(other, MODEL_MTIME - 1);
    look_named(m->cow_path, other);
    only(COW_FINDING_BACKING_DATE, COW_FINDING_BACKING_ELSEWHERE);
    says(COW_FINDING_BACKING_ELSEWHERE, false, "not ");
    file_set_mtime(other, MODEL_MTIME);
    model_free(m);
    const struct model_spec spec = {.format = COW_FORMAT_QEMU, .backing_bytes = NO_BACKING};
    m = plain_of(&spec);
    look_named(m->cow_path, other);
    says(COW_FINDING_BACKING_ELSEWHERE, false, "names no backing file"); /* it has no date either */
    says(COW_FINDING_FORMAT, true, "QEMU COW");
    free(other);
    model_free(m);
}
END_TEST

START_TEST(a_relative_path)
{
    const struct model_spec spec = {.format = COW_FORMAT_V3, .stored = "m.img"};
    struct model *m = plain_of(&spec);
    must(chdir("/") == 0, "chdir");
    look(m);
    only(COW_FINDING_PATH_RELATIVE);
    says(COW_FINDING_PATH_RELATIVE, true, "\"m.img\"", "beside the image only");
    look_named(m->cow_path, m->backing_path);
    only(COW_FINDING_PATH_RELATIVE);
    must(chdir(test_directory()) == 0, "chdir");
    look(m);
    only(COW_FINDING_PATH_RELATIVE);
    must(strstr(finding_of(COW_FINDING_PATH_RELATIVE)->message, "beside") == NULL, "beside");
    unlink("m.img");
    look(m);
    only(COW_FINDING_BACKING_MISSING, COW_FINDING_PATH_RELATIVE);
    says(COW_FINDING_PATH_RELATIVE, false, "m.img");
    must(chdir("/") == 0, "chdir");
    model_free(m);
}
END_TEST

START_TEST(hostile_paths)
{
    char path[1200];
    memset(path, 'x', sizeof path);
    memcpy(path, "/tmp/", 5);
    path[5 + 256] = '/';
    path[5 + 256 + 3] = '\0';
    struct model_spec spec = {.format = COW_FORMAT_V3, .stored = path, .backing_absent = true};
    struct model *m = plain_of(&spec);
    look(m);
    only(COW_FINDING_BACKING_UNUSABLE, COW_FINDING_PATH_LONG);
    says(COW_FINDING_PATH_LONG, false, "256 bytes", "255");
    model_free(m);
    spec.stored = "/nonexistent/\x1b[31m\x7f\xe2\x80\xae\n";
    m = plain_of(&spec);
    look(m);
    only(COW_FINDING_BACKING_MISSING, COW_FINDING_PATH_CONTROL);
    says(COW_FINDING_PATH_CONTROL, false, "3 control characters", "\\x1b[31m\\x7f\\xe2\\x80\\xae\\x0a");
    model_free(m);
}
END_TEST

/* ---- the header ---- */

START_TEST(sector_sizes)
{
    for (uint32_t ss = 1024; ss <= 65536; ss *= 2) {
        const struct model_spec spec = {.format = COW_FORMAT_V3, .sector_bytes = ss};
        struct model *m = plain_of(&spec);
        char words[32];
        snprintf(words, sizeof words, "is %" PRIu32 " bytes", ss);
        put(m, 4, 4, BIT | NOISE);
        look(m);
        only(COW_FINDING_SECTOR_SIZE);
        says(COW_FINDING_SECTOR_SIZE, true, words, "512");
        model_free(m);
    }
}
END_TEST

START_TEST(offsets_that_kernels_cannot_take)
{
    struct model_spec spec = {.format = COW_FORMAT_V3, .alignment = UINT32_C(1) << 30};
    struct model *m = plain_of(&spec);
    look(m);
    only(COW_FINDING_DATA_OFFSET);
    says(COW_FINDING_DATA_OFFSET, true, "2147483648", "2147483647");
    model_free(m);
    spec.alignment = UINT32_C(1) << 29;
    m = plain_of(&spec);
    look(m);
    is_clean();
    model_free(m);
}
END_TEST

/* The largest disk that there is, all of it a hole: no v3 holds it for a kernel, and it costs nothing to see.
 */
START_TEST(nearly_8_tib)
{
    struct model_spec spec = {.format = COW_FORMAT_V3};
    struct model *m = plain_of(&spec);
    struct timeval begin, end;
    put_field(m, 12, 8, (UINT64_C(8) << 40) - 512);
    file_truncate(m->backing_path, (UINT64_C(8) << 40) - 512);
    file_set_mtime(m->backing_path, MODEL_MTIME);
    file_truncate(m->cow_path, 8192 + (UINT64_C(1) << 31));
    gettimeofday(&begin, NULL);
    struct cow_error err = {.status = 0};
    must_succeed(cow_check(&found, m->cow_path, NULL, &err), err);
    gettimeofday(&end, NULL);
    only(COW_FINDING_DATA_OFFSET);
    says(COW_FINDING_DATA_OFFSET, false, "2147491840");
    must(found.scanned, "not scanned");
    must((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_usec - begin.tv_usec) / 1000 < 5000, "slow");
    model_free(m);
}
END_TEST

START_TEST(small_disks)
{
    struct model_spec spec = {.format = COW_FORMAT_V3, .size_bytes = 32768};
    struct model *m = plain_of(&spec);
    look(m);
    only(COW_FINDING_SMALL_DISK);
    says(COW_FINDING_SMALL_DISK, false, "32768 bytes (32.0 KiB)");
    model_free(m);
    spec.size_bytes += 512;
    m = plain_of(&spec);
    look(m);
    is_clean();
    model_free(m);
}
END_TEST

START_TEST(the_tail_of_v1_and_v2)
{
    const struct model_spec spec = {.format = COW_FORMAT_V2, .size_bytes = SIZE + 3 * 512};
    struct model *m = plain_of(&spec);
    look(m);
    says(COW_FINDING_TAIL, true, "last 3 of 2051 sectors");
    must(strstr(finding_of(COW_FINDING_TAIL)->message, "written") == NULL, "written");
    is_at(COW_FINDING_TAIL, 2048, 3);
    const uint8_t bits = 4;
    file_write_at(m->cow_path, m->geometry.bitmap_offset + m->geometry.bitmap_bytes, &bits, 1);
    look(m);
    says(COW_FINDING_TAIL, true, "has written there");
    model_free(m);
}
END_TEST

/* By the facts: the bitmap's length is a multiple of 8 and it ends 0 or 8 bytes before the data. */
START_TEST(a_bitmap_that_reaches_into_the_data)
{
    static const struct {
        enum cow_format format;
        uint32_t sectors, alignment;
        const char *words; /* NULL: none */
    } cases[] = {
        {COW_FORMAT_V1, 1859, 0, "16 bytes into sector 0"}, /* 280 + 232 = 512 */
        {COW_FORMAT_V1, 1856, 0, NULL},
        {COW_FORMAT_V1, 1795, 0, "8 bytes into sector 0"}, /* 280 + 224 = 504 */
        {COW_FORMAT_V1, 1731, 0, NULL},
        {COW_FORMAT_V2, 3907, 0, "16 bytes into sector 0"}, /* 4120 + 488 = 4608 */
        {COW_FORMAT_V2, 3899, 0, NULL},                     /* 487 bytes: no multiple of 8 */
        {COW_FORMAT_V3, 2051, 1, "7 bytes into sector 0"},  /* 257 bytes, written as 264 */
        {COW_FORMAT_V3, 2048, 1, NULL},
        {COW_FORMAT_V3, 2051, 4, "4 bytes into sector 0"},
        {COW_FORMAT_V3, 2051, 8, NULL},
        {COW_FORMAT_V3, 2051, 4096, NULL},
        {COW_FORMAT_V1_64, 1795, 0, NULL}, /* no kernel of today writes it */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct model_spec spec = {
            .format = cases[i].format, .size_bytes = cases[i].sectors * 512, .alignment = cases[i].alignment};
        struct model *m = plain_of(&spec);
        look(m);
        must((finding_of(COW_FINDING_OVERLAP) != NULL) == (cases[i].words != NULL), "%s, %" PRIu32 " sectors",
             shapes[cases[i].format].name, cases[i].sectors);
        if (cases[i].words != NULL) {
            says(COW_FINDING_OVERLAP, true, cases[i].words);
            is_at(COW_FINDING_OVERLAP, 0, 1);
        }
        model_free(m);
    }
}
END_TEST

START_TEST(a_foreign_cow_format)
{
    struct model *m = plain(COW_FORMAT_V3);
    put_field(m, 28, 4, 7);
    look(m);
    only(COW_FINDING_COW_FORMAT);
    says(COW_FINDING_COW_FORMAT, true, "is 7");
    model_free(m);
}
END_TEST

/* ---- the file ---- */

START_TEST(files_that_are_cut)
{
    struct model *m = plain(COW_FORMAT_V3);
    put(m, 8, 8, BIT | NOISE);
    put(m, 1000, 8, BIT | NOISE);
    file_truncate(m->cow_path, m->geometry.data_offset + 1003 * 512);
    look(m);
    only(COW_FINDING_DATA_CUT);
    says(COW_FINDING_DATA_CUT, true, "5 dirty sectors, from sector 1003 on");
    is_at(COW_FINDING_DATA_CUT, 1003, SECTORS - 1003);
    file_truncate(m->cow_path, m->geometry.data_offset + 1003 * 512 + 1);
    look(m);
    says(COW_FINDING_DATA_CUT, true, "5 dirty sectors, from sector 1003 on");
    file_truncate(m->cow_path, m->geometry.bitmap_offset + 100);
    look(m);
    only(COW_FINDING_BITMAP_CUT, COW_FINDING_DATA_CUT);
    says(COW_FINDING_BITMAP_CUT, true, "8292", "8448", "156 bytes");
    says(COW_FINDING_DATA_CUT, true, "8 dirty sectors, from sector 0 on"); /* the other bits are gone, too */
    file_truncate(m->cow_path, 4128);
    look(m);
    only(COW_FINDING_BITMAP_CUT);
    says(COW_FINDING_BITMAP_CUT, true, "256 bytes");
    model_free(m);
}
END_TEST

START_TEST(a_file_that_is_too_long)
{
    struct model *m = plain(COW_FORMAT_V3);
    file_truncate(m->cow_path, m->geometry.end_offset + 1000);
    look(m);
    only(COW_FINDING_FILE_LONG);
    says(COW_FINDING_FILE_LONG, true, "1000 (1000 B) more");
    model_free(m);
}
END_TEST

START_TEST(bits_behind_the_last)
{
    const struct model_spec spec = {.format = COW_FORMAT_V3, .size_bytes = SIZE - 3 * 512};
    struct model *m = plain_of(&spec);
    uint8_t bits[2] = {0xff, 0x81};
    file_write_at(m->cow_path, m->geometry.bitmap_offset + 255, bits, 2);
    put(m, SECTORS - 8, 5, NOISE);
    look(m);
    only(COW_FINDING_PADDING);
    says(COW_FINDING_PADDING, true, "5 bits", "2044");
    bits[0] = 0x1f;
    bits[1] = 0;
    file_write_at(m->cow_path, m->geometry.bitmap_offset + 255, bits, 2);
    look(m);
    is_clean();
    bits[0] = 1;
    file_write_at(m->cow_path, m->geometry.bitmap_offset + 256 + 23, bits, 1);
    look(m);
    says(COW_FINDING_PADDING, true, "1 bit behind");
    model_free(m);
}
END_TEST

START_TEST(an_inflated_file)
{
    const struct model_spec spec = {.format = COW_FORMAT_V3, .size_bytes = 4 * SIZE};
    struct model *m = plain_of(&spec);
    put(m, 0, 8, BIT | NOISE);
    look(m);
    is_clean();
    put(m, 8, 4 * SECTORS - 8, ZEROS);
    must(sync_file(m->cow_path) == 0, "fsync");
    look(m);
    only(COW_FINDING_INFLATED);
    says(COW_FINDING_INFLATED, true, "takes 4.0", "MiB", "KiB");
    put(m, 8, 4 * SECTORS - 8, BIT); /* the same, dirty: written zeros */
    look(m);
    only(COW_FINDING_ZEROS);
    model_free(m);
}
END_TEST

/* ---- bits and bytes ---- */

START_TEST(mixed_pages)
{
    struct model *m = plain(COW_FORMAT_V3);
    put(m, 8, 8, BIT | NOISE);
    put(m, 100, 20, BIT | NOISE); /* 96-103 and nothing else: 104-119 are whole */
    put(m, 1001, 1, BIT | NOISE);
    look(m);
    only(COW_FINDING_MIXED_PAGES);
    says(COW_FINDING_MIXED_PAGES, true, "2 pages of 4 KiB mix sectors", "48.0 KiB (sector 96)");
    is_at(COW_FINDING_MIXED_PAGES, 96, 8);
    model_free(m);
}
END_TEST

START_TEST(orphans)
{
    struct model *m = plain(COW_FORMAT_V3);
    put(m, 8, 3, NOISE);
    put(m, 40, 2, REDUNDANT); /* what would read the same is none */
    put(m, 48, 2, ZEROS);
    put(m, 100, 1, NOISE);
    look(m);
    only(COW_FINDING_ORPHANS);
    says(COW_FINDING_ORPHANS, true, "4 clean sectors have other data in the COW (2.00 KiB)",
         "from sector 8 on");
    is_at(COW_FINDING_ORPHANS, 8, 3);
    struct cow_error err;
    must_succeed(look_with(m->cow_path, &(struct cow_check_options){.quick = true}, &err), err);
    is_clean();
    must(!found.scanned, "scanned");
    model_free(m);
}
END_TEST

START_TEST(redundant_pages)
{
    struct model *m = plain(COW_FORMAT_V3);
    put(m, 8, 8, BIT | REDUNDANT);
    put(m, 16, 7, BIT | REDUNDANT); /* one sector of the page differs: all of it stays */
    put(m, 23, 1, BIT | NOISE);
    put(m, 40, 24, BIT | REDUNDANT);
    look(m);
    only(COW_FINDING_REDUNDANT);
    says(COW_FINDING_REDUNDANT, true, "39 of 40 dirty sectors", "drops 32 of them",
         "16.0 KiB, of which 16.0 KiB take space");
    is_at(COW_FINDING_REDUNDANT, 8, 8);
    put(m, 100, 1, BIT | REDUNDANT); /* a mixed page, droppable as well */
    look(m);
    only(COW_FINDING_MIXED_PAGES, COW_FINDING_REDUNDANT);
    says(COW_FINDING_REDUNDANT, true, "40 of 41 dirty sectors", "drops 33 of them", "16.5 KiB");
    model_free(m);
    m = plain(COW_FORMAT_V3); /* nothing to gain */
    put(m, 16, 7, BIT | REDUNDANT);
    put(m, 23, 1, BIT | NOISE);
    look(m);
    is_clean();
    model_free(m);
}
END_TEST

START_TEST(zero_pages)
{
    struct model *m = plain(COW_FORMAT_V3);
    put(m, 8, 8, BIT | ZEROS);
    put(m, 16, 4, BIT | ZEROS); /* with data in the same page */
    put(m, 20, 4, BIT | NOISE);
    put(m, 1024, 256, BIT); /* holes are zeros that cost nothing */
    look(m);
    only(COW_FINDING_ZEROS);
    says(COW_FINDING_ZEROS, true, "12 of 272 dirty sectors are written zeros",
         "holes of 8 of them, whole pages: 4.00 KiB");
    is_at(COW_FINDING_ZEROS, 8, 8);
    model_free(m);
}
END_TEST

/* What a page at a time says, said again a sector at a time from the model's bytes. */
START_TEST(pages_counted_anew)
{
    const uint32_t ss = _i % 2 == 0 ? 512 : 1024;
    const struct model_spec spec = {
        .format = COW_FORMAT_V3, .sector_bytes = ss, .size_bytes = SIZE / 8 - (uint64_t)_i * 512};
    struct model *m = plain_of(&spec);
    struct rng rng = {(uint64_t)_i + 1};
    const uint64_t n = m->geometry.sectors, page = 4096 / ss;
    char *kind = calloc(n + 1, 1);
    must(kind != NULL, "out of memory");
    for (uint64_t at = 0; at < n;) {
        const uint64_t run = 1 + rng_below(&rng, rng_below(&rng, 3) == 0 ? 40 : 4);
        const char what = "cnzro"[rng_below(&rng, 5)];
        for (uint64_t end = at + run; at < end && at < n; at++) {
            kind[at] = what;
        }
    }
    uint64_t redundant = 0, zero = 0, droppable = 0, punchable = 0, orphan = 0, mixed = 0;
    for (uint64_t first = 0; first < n; first += page) {
        uint64_t r = 0, z = 0, clean = 0, others = 0;
        for (uint64_t i = first; i < first + page && i < n; i++) {
            /* the last, partial sector: its redundant bytes are not all there to copy */
            kind[i] = kind[i] == 'r' && (i + 1) * ss > spec.size_bytes ? 'n' : kind[i];
            put(m, i, 1,
                kind[i] == 'n'   ? BIT | NOISE
                : kind[i] == 'z' ? BIT | ZEROS
                : kind[i] == 'r' ? BIT | REDUNDANT
                : kind[i] == 'o' ? NOISE
                                 : 0);
            r += kind[i] == 'r';
            z += kind[i] == 'z';
            clean += kind[i] == 'c' || kind[i] == 'o';
            orphan += kind[i] == 'o';
            others += kind[i] == 'n';
        }
        redundant += r;
        zero += z;
        droppable += z + others == 0 ? r : 0;
        punchable += r + others + clean == 0 ? z : 0;
        mixed += clean > 0 && r + z + others > 0;
    }
    look(m);
    char words[64];
    snprintf(words, sizeof words, "%" PRIu64 " page", mixed);
    must_say(COW_FINDING_MIXED_PAGES, true, words, NULL);
    must((finding_of(COW_FINDING_REDUNDANT) != NULL) == (droppable > 0), "redundant");
    if (droppable > 0) {
        snprintf(words, sizeof words, "drops %" PRIu64 " of", droppable);
        char all[64];
        snprintf(all, sizeof all, "%" PRIu64 " of ", redundant);
        must_say(COW_FINDING_REDUNDANT, true, words, all, NULL);
    }
    must((finding_of(COW_FINDING_ZEROS) != NULL) == (punchable > 0), "zeros");
    if (punchable > 0) {
        snprintf(words, sizeof words, "holes of %" PRIu64 " of", punchable);
        char all[64];
        snprintf(all, sizeof all, "%" PRIu64 " of ", zero);
        must_say(COW_FINDING_ZEROS, true, words, all, NULL);
    }
    must((finding_of(COW_FINDING_ORPHANS) != NULL) == (orphan > 0), "orphans");
    free(kind);
    model_free(m);
}
END_TEST

/* A bit of the model's bitmap, from a copy of it. */
static bool bit_of(const uint8_t *bits, uint64_t sector)
{
    return bits[sector / 8] >> (sector % 8) & 1;
}

/* Noise in the bitmap, over two files that are holes for the most part: what is found by steps over holes is
 * what a page at a time would tell. The backing file begins with data, and some pages of the COW have some.
 */
START_TEST(noise_over_holes)
{
    enum { DATA = 64 };
    const struct model_spec spec = {.format = COW_FORMAT_V3, .size_bytes = SIZE - (uint64_t)_i * 512};
    struct model *m = plain_of(&spec);
    struct rng rng = {(uint64_t)_i + 5};
    const uint64_t n = m->geometry.sectors;
    uint8_t bits[SECTORS / 8];
    rng_fill(&rng, bits, sizeof bits);
    for (uint64_t at = 0; at < sizeof bits;
         at++) { /* also where all of a page is the same, and nothing at all */
        bits[at] = at % 5 == 0 || at < sizeof bits / 4 ? bits[at]
                   : at % 5 == 1                       ? 0xff
                   : at % 3 == 0                       ? 0
                                                       : bits[at];
    }
    file_truncate(m->backing_path, DATA * 512);
    file_truncate(m->backing_path, spec.size_bytes);
    file_set_mtime(m->backing_path, MODEL_MTIME);
    file_write_at(m->cow_path, m->geometry.bitmap_offset, bits, (size_t)((n + 7) / 8));
    uint64_t noisy = 0; /* pages, a bit each */
    for (unsigned page = 20; page < 60; page += 13) {
        put(m, (uint64_t)page * 8, 8, NOISE);
        noisy |= UINT64_C(1) << page;
    }
    uint64_t redundant = 0, droppable = 0, orphan = 0, mixed = 0;
    for (uint64_t first = 0; first < n; first += 8) {
        const bool data = first < DATA, noise = first / 8 < 64 && (noisy >> first / 8 & 1);
        uint64_t dirty = 0, sectors = 0;
        for (uint64_t i = first; i < first + 8 && i < n; i++, sectors++) {
            dirty += bit_of(bits, i);
        }
        redundant += data || noise ? 0 : dirty;
        droppable += data || noise ? 0 : dirty;
        orphan += noise ? sectors - dirty : 0;
        mixed += dirty > 0 && dirty < sectors;
    }
    look(m);
    char words[64], all[64];
    snprintf(words, sizeof words, "%" PRIu64 " page", mixed);
    must_say(COW_FINDING_MIXED_PAGES, true, words, NULL);
    snprintf(words, sizeof words, "drops %" PRIu64 " of", droppable);
    snprintf(all, sizeof all, "%" PRIu64 " of ", redundant);
    must_say(COW_FINDING_REDUNDANT, true, words, all, "of which 0 B take", NULL);
    snprintf(words, sizeof words, "%" PRIu64 " clean sector", orphan);
    must_say(COW_FINDING_ORPHANS, true, words, NULL);
    model_free(m);
}
END_TEST

/* Processor time. */
static double seconds_since(clock_t begin)
{
    return (double)(clock() - begin) / CLOCKS_PER_SEC;
}

/* What it costs to look at each bit, in the simplest way. */
static double count_edges(const uint8_t *bits, uint64_t n)
{
    const clock_t begin = clock();
    volatile uint64_t edges = 0;
    for (uint64_t i = 1; i < n; i++) {
        edges = edges + (bit_of(bits, i) != bit_of(bits, i - 1));
    }
    return seconds_since(begin);
}

/* A bitmap of noise has a run for every other bit. It costs what its bits do, and not what as many runs of a
 * disk would: by a factor of the time that a loop over the bits takes here and now, with what each run costs
 * it was 30. */
START_TEST(a_bitmap_of_noise_costs_its_size)
{
    enum { BITMAP_BYTES = 1024 * 1024, TIMES_MAX = 10 };
    const uint64_t size = UINT64_C(512) * 8 * BITMAP_BYTES;
    const struct model_spec spec = {.format = COW_FORMAT_V3, .size_bytes = SIZE};
    struct model *m = plain_of(&spec);
    struct rng rng = {3};
    uint8_t *bits = malloc(BITMAP_BYTES);
    must(bits != NULL, "out of memory");
    rng_fill(&rng, bits, BITMAP_BYTES);
    file_truncate(m->cow_path, 0);
    file_truncate(m->backing_path, 0);
    file_truncate(m->backing_path, size);
    file_set_mtime(m->backing_path, MODEL_MTIME);
    uint8_t header[COW_HEADER_BYTES_MAX];
    const size_t n =
        model_header(header, COW_FORMAT_V3, m->backing_path, size, 512, 4096, MODEL_MTIME, false);
    file_write_at(m->cow_path, 0, header, n);
    file_write_at(m->cow_path, 8192, bits, BITMAP_BYTES);
    file_truncate(m->cow_path, 8192 + BITMAP_BYTES + size);
    double loop = 0, looks = 1e9;
    for (int i = 0; i < 3; i++) {
        const double edges = count_edges(bits, size / 512);
        loop = edges > loop ? edges : loop;
        struct cow_error err = {.status = 0};
        const clock_t begin = clock();
        must_succeed(cow_check(&found, m->cow_path, NULL, &err), err);
        looks = seconds_since(begin) < looks ? seconds_since(begin) : looks;
    }
    must_say(COW_FINDING_MIXED_PAGES, true, "pages of 4 KiB mix", NULL);
    must_say(COW_FINDING_REDUNDANT, true, "whole pages", NULL);
    must(looks < TIMES_MAX * loop, "checking takes %.3f s, a loop over the bits %.3f s", looks, loop);
    const clock_t begin = clock(); /* what compacting would come to goes over the same holes */
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    must_succeed(cow_image_open(&img, m->cow_path, NULL, &err), err);
    must_succeed(cow_plan_rewrite(&plan, img, &(struct cow_rewrite_options){.compact = true}, &err), err);
    looks = seconds_since(begin);
    must(looks < TIMES_MAX * loop, "planning takes %.3f s, a loop over the bits %.3f s", looks, loop);
    cow_plan_free(plan);
    cow_image_close(img);
    free(bits);
    model_free(m);
}
END_TEST

/* ---- progress, faults, garbage ---- */

struct stop {
    unsigned calls, after;
};

static bool stop_at(void *context, const struct cow_progress *progress)
{
    struct stop *stop = context;
    must(progress->done_bytes <= progress->total_bytes && progress->can_cancel, "progress");
    return ++stop->calls > stop->after;
}

START_TEST(a_scan_can_be_stopped)
{
    const struct model_spec spec = {.format = COW_FORMAT_V3, .size_bytes = 8 * SIZE};
    struct model *m = plain_of(&spec);
    struct cow_error err;
    struct stop stop = {0, UINT_MAX};
    const struct cow_env env = {.progress = stop_at, .context = &stop};
    const struct cow_check_options options = {.env = &env};
    put(m, 0, 8 * SECTORS, BIT | NOISE);
    must_succeed(look_with(m->cow_path, &options, &err), err);
    is_clean();
    must(stop.calls >= 8, "%u calls", stop.calls);
    stop = (struct stop){0, 2};
    memset(&found, 0x5a, sizeof found);
    must_fail(look_with(m->cow_path, &options, &err), COW_CANCELLED, err);
    must(found.findings == (size_t)0x5a5a5a5a5a5a5a5a, "written on failure");
    model_free(m);
}
END_TEST

/* Reads that fail, the n-th and all that follow. */
struct failing {
    struct cow_io io;
    unsigned reads, at;
};

static ssize_t failing_pread(void *context, int fd, void *buffer, size_t n_bytes, uint64_t offset)
{
    struct failing *f = context;
    return ++f->reads >= f->at ? -EIO : io_system.pread(io_system.context, fd, buffer, n_bytes, offset);
}

START_TEST(a_read_error_is_told)
{
    struct model *m = plain(COW_FORMAT_V3);
    struct failing f = {.io = io_system};
    const struct cow_check_options options = {.io = &f.io};
    struct cow_error err = {.status = 0};
    int status = COW_IO;
    f.io.pread = failing_pread;
    f.io.context = &f;
    put(m, 8, 300, BIT | NOISE);
    for (f.at = 1; status != 0 && f.at < 1000; f.at++) {
        f.reads = 0;
        status = look_with(m->cow_path, &options, &err);
        if (status != 0) {
            must_fail(status, COW_IO, err);
        }
    }
    must(status == 0 && f.at > 5, "%u reads", f.at);
    only(COW_FINDING_MIXED_PAGES);
    model_free(m);
}
END_TEST

START_TEST(garbage_never_harms)
{
    struct rng rng = {(uint64_t)_i * 7919 + 1};
    for (unsigned round = 0; round < 60; round++) {
        const enum cow_format format = (enum cow_format)rng_below(&rng, COW_FORMATS);
        const struct model_spec spec = {.format = format,
                                        .size_bytes = 512 * (1 + rng_below(&rng, 300)),
                                        .alignment = (uint32_t)(1 + rng_below(&rng, 9000))};
        struct model *m = plain_of(&spec);
        struct cow_error err = {.status = 0};
        for (uint64_t n = 1 + rng_below(&rng, 6); n > 0; n--) {
            const uint8_t byte = (uint8_t)rng_next(&rng);
            const uint64_t near = rng_below(&rng, 2) == 0 ? 48 : m->geometry.data_offset + 16;
            file_write_at(m->cow_path,
                          rng_below(&rng, 3) == 0 ? shapes[format].size + rng_below(&rng, 16)
                                                  : rng_below(&rng, near),
                          &byte, 1);
        }
        if (rng_below(&rng, 4) == 0) {
            file_truncate(m->cow_path, rng_below(&rng, m->geometry.end_offset + 4096));
        }
        const struct cow_check_options options = {.backing_path =
                                                      rng_below(&rng, 3) == 0 ? m->backing_path : NULL,
                                                  .quick = rng_below(&rng, 4) == 0};
        int status = look_with(m->cow_path, &options, &err);
        if (status != 0) {
            must(status == COW_NOT_COW || status == COW_UNSUPPORTED || status == COW_IO, "%d: %s", status,
                 err.message);
            must_fail(status, status, err);
        }
        unlink(m->cow_path);
        unlink(m->backing_path);
        model_free(m);
    }
}
END_TEST

/* ---- mending ---- */

static int plan_for(struct cow_plan **plan, struct cow_image **img, const char *path, const bool *chosen,
                    struct cow_error *err)
{
    must_succeed(cow_image_open(img, path, NULL, err), *err);
    return cow_plan_repair(plan, *img, &found, chosen, err);
}

START_TEST(nothing_to_mend_is_refused)
{
    struct model *m = plain(COW_FORMAT_V3);
    struct cow_image *img;
    struct cow_plan *plan = NULL;
    struct cow_error err;
    look(m);
    must_fail(plan_for(&plan, &img, m->cow_path, NULL, &err), COW_REFUSED, err);
    cow_image_close(img);
    file_set_mtime(m->backing_path, MODEL_MTIME + 1);
    look(m); /* one that is not safe */
    must_fail(plan_for(&plan, &img, m->cow_path, NULL, &err), COW_REFUSED, err);
    must(strstr(err.message, "without a decision") != NULL && err.hint[0] != '\0', "%s", err.message);
    cow_image_close(img);
    const bool none[COW_FINDINGS] = {false};
    must_fail(plan_for(&plan, &img, m->cow_path, none, &err), COW_REFUSED, err);
    must(plan == NULL, "a plan");
    cow_image_close(img);
    model_free(m);
}
END_TEST

START_TEST(a_resize_comes_alone)
{
    struct model *m = plain(COW_FORMAT_V3);
    struct cow_image *img;
    struct cow_plan *plan;
    struct cow_error err;
    put(m, 8, 1, BIT | NOISE);
    for (int longer = 0; longer < 2; longer++) {
        file_truncate(m->backing_path, longer ? SIZE + 8192 : SIZE - 8192);
        file_set_mtime(m->backing_path, MODEL_MTIME);
        look(m);
        only(COW_FINDING_BACKING_SIZE, COW_FINDING_MIXED_PAGES);
        const bool chosen[COW_FINDINGS] = {true, true};
        must_succeed(plan_for(&plan, &img, m->cow_path, chosen, &err), err);
        ck_assert_str_eq(cow_operation_name(cow_plan_preview(plan)->operation), "resize");
        ck_assert_str_eq(cow_plan_preview(plan)->policy, "extend");
        must_succeed(cow_plan_commit(plan, NULL, &err), err);
        cow_plan_free(plan);
        cow_image_close(img);
        look(m);
        only(COW_FINDING_MIXED_PAGES);
        ck_assert_uint_eq(file_size(m->backing_path), longer ? SIZE + 8192 : SIZE);
    }
    model_free(m);
}
END_TEST

/* Mends what is safe, or what is chosen: the disk stays as it is byte for byte, what was mended is gone, and
 * the backing file was only read. */
static void mend(const struct model *m, const bool *chosen, const char *operation)
{
    struct cow_image *img;
    struct cow_plan *plan;
    struct cow_error err;
    uint64_t before_bytes, after_bytes;
    bool mended[COW_FINDINGS] = {false};
    const struct witness backing = witness_of(m->backing_path);
    uint8_t *before = model_compose(m->cow_path, m->spec.format, m->backing_path, &before_bytes);
    for (size_t i = 0; i < found.findings; i++) {
        const enum cow_finding_code code = found.finding[i].code;
        mended[code] = found.finding[i].fixable && (chosen != NULL ? chosen[i] : cow_finding_safe(code));
    }
    must_succeed(plan_for(&plan, &img, m->cow_path, chosen, &err), err);
    ck_assert_str_eq(cow_operation_name(cow_plan_preview(plan)->operation), operation);
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    cow_plan_free(plan);
    cow_image_close(img);
    witness_check(&backing, "mending");
    uint8_t *after = model_compose(m->cow_path, COW_FORMAT_V3, m->backing_path, &after_bytes);
    must(after != NULL && before_bytes == after_bytes && memcmp(before, after, before_bytes) == 0,
         "another disk");
    look_named(m->cow_path, NULL);
    for (size_t i = 0; i < found.findings; i++) {
        must(!mended[found.finding[i].code], "still: %s", found.finding[i].message);
    }
    free(before);
    free(after);
}

START_TEST(each_safe_fix_mends)
{
    static const struct {
        enum cow_format format;
        uint32_t sector_bytes, alignment, size_bytes;
        const char *what; /* 'm'ixed, 'r'edundant, 'z'ero, 'p'adding, 'i'nflated, 'n'othing more */
        enum cow_finding_code code;
        const char *operation;
    } cases[] = {
        {COW_FORMAT_V3, 512, 4096, SIZE, "m", COW_FINDING_MIXED_PAGES, "pages"},
        {COW_FORMAT_V3, 1024, 4096, SIZE, "m", COW_FINDING_SECTOR_SIZE, "repair"},
        {COW_FORMAT_V3, 512, 4096, SIZE, "r", COW_FINDING_REDUNDANT, "repair"},
        {COW_FORMAT_V3, 512, 4096, SIZE, "z", COW_FINDING_ZEROS, "repair"},
        {COW_FORMAT_V3, 512, 4096, SIZE - 3 * 512, "p", COW_FINDING_PADDING, "convert"},
        {COW_FORMAT_V3, 512, 4096, 4 * SIZE, "i", COW_FINDING_INFLATED, "convert"},
        {COW_FORMAT_V3, 512, 1 << 30, SIZE, "n", COW_FINDING_DATA_OFFSET, "convert"},
        {COW_FORMAT_V3, 512, 1, SIZE + 3 * 512, "n", COW_FINDING_OVERLAP, "convert"},
        {COW_FORMAT_V1, 512, 0, 1859 * 512, "n", COW_FINDING_OVERLAP, "convert"},
        {COW_FORMAT_V2, 512, 0, SIZE + 3 * 512, "m", COW_FINDING_TAIL, "repair"},
        {COW_FORMAT_V3, 4096, 4096, SIZE, "n", COW_FINDING_SECTOR_SIZE, "convert"},
        {COW_FORMAT_V1_64, 512, 0, SIZE, "rzm", COW_FINDING_FORMAT, "repair"},
        {COW_FORMAT_V2_64, 512, 0, SIZE, "n", COW_FINDING_FORMAT, "convert"},
        {COW_FORMAT_V2_LONG, 512, 0, SIZE, "n", COW_FINDING_FORMAT, "convert"},
        {COW_FORMAT_QEMU, 512, 0, SIZE, "mp", COW_FINDING_FORMAT, "repair"},
        {COW_FORMAT_QEMU_I386, 512, 0, SIZE, "r", COW_FINDING_FORMAT, "repair"},
        {COW_FORMAT_V3, 512, 4096, SIZE - 512, "mrzp", COW_FINDING_MIXED_PAGES, "repair"},
    };
    const struct model_spec spec = {.format = cases[_i].format,
                                    .sector_bytes = cases[_i].sector_bytes,
                                    .alignment = cases[_i].alignment,
                                    .size_bytes = cases[_i].size_bytes};
    struct model *m = plain_of(&spec);
    const uint8_t bits = 0xff;
    put(m, 128, 8, BIT | NOISE);
    for (const char *what = cases[_i].what; *what != '\0'; what++) {
        switch (*what) {
        case 'm':
            put(m, 200, 1, BIT | NOISE);
            break;
        case 'r':
            put(m, 256, 24, BIT | REDUNDANT);
            break;
        case 'z':
            put(m, 512, 24, BIT | ZEROS);
            break;
        case 'p':
            file_write_at(m->cow_path, m->geometry.bitmap_offset + m->geometry.bitmap_bytes, &bits, 1);
            break;
        case 'i':
            put(m, 136, 4 * SECTORS - 136, ZEROS);
            must(sync_file(m->cow_path) == 0, "fsync");
            break;
        default:
            break;
        }
    }
    look(m);
    must(finding_of(cases[_i].code) != NULL, "%s is not found", cow_finding_name(cases[_i].code));
    mend(m, NULL, cases[_i].operation);
    for (size_t i = 0; i < found.findings; i++) { /* what undoes the mending of an inflated one is one, too */
        must(found.finding[i].code == COW_FINDING_UNDO, "then: %s", found.finding[i].message);
    }
    model_free(m);
}
END_TEST
enum { SAFE_CASES = 17 };

/* What is not there is never named without being told to; with another date that is taken over. */
START_TEST(a_backing_file_is_named_anew)
{
    const int64_t dates[] = {MODEL_MTIME, MODEL_MTIME + 77};
    const bool first[COW_FINDINGS] = {true};
    for (size_t i = 0; i < 2; i++) {
        struct model *m = moved("gone/root.img");
        struct model_view view;
        struct cow_image *img;
        struct cow_plan *plan;
        struct cow_error err;
        char *path = put_candidate(m, "root.img", SIZE, dates[i]);
        free(m->backing_path);
        m->backing_path = path;
        look(m);
        only(COW_FINDING_BACKING_MISSING);
        offers("root.img", i == 0 ? "nd" : "n");
        must_fail(plan_for(&plan, &img, m->cow_path, NULL, &err), COW_REFUSED, err);
        cow_image_close(img);
        mend(m, first, "rebase");
        is_clean();
        must(model_read_header(&view, m->cow_path, COW_FORMAT_V3), "header");
        ck_assert_str_eq(view.path, m->backing_path);
        must((int64_t)view.mtime == dates[i], "the header's date");
        unlink(path);
        model_free(m);
    }
}
END_TEST

START_TEST(a_relative_path_becomes_absolute)
{
    const struct model_spec spec = {.format = COW_FORMAT_V3, .stored = "m.img"};
    struct model *m = plain_of(&spec);
    struct model_view view;
    must(chdir("/") == 0, "chdir");
    look(m);
    mend(m, NULL, "rebase");
    is_clean();
    must(model_read_header(&view, m->cow_path, COW_FORMAT_V3), "header");
    ck_assert_str_eq(view.path, m->backing_path);
    model_free(m);
}
END_TEST

START_TEST(what_needs_a_decision_is_made_when_chosen)
{
    struct model *m = plain(COW_FORMAT_V3);
    const bool first[COW_FINDINGS] = {true}, both[COW_FINDINGS] = {true, true};
    put(m, 8, 8, BIT | NOISE);
    file_set_mtime(m->backing_path, MODEL_MTIME + 100);
    look(m);
    only(COW_FINDING_BACKING_DATE);
    mend(m, first, "rebase");
    is_clean();
    file_set_mtime(m->backing_path, MODEL_MTIME + 200);
    file_truncate(m->cow_path, file_size(m->cow_path) + 100);
    look(m);
    only(COW_FINDING_BACKING_DATE, COW_FINDING_FILE_LONG);
    mend(m, both, "repair");
    is_clean();
    model_free(m);
    m = plain(COW_FORMAT_V1_BE);
    put(m, 8, 8, BIT | NOISE);
    look(m);
    only(COW_FINDING_BIG_ENDIAN);
    mend(m, first, "convert");
    is_clean();
    model_free(m);
    m = plain(COW_FORMAT_V3);
    put(m, 8, 8, NOISE);
    look(m);
    only(COW_FINDING_ORPHANS);
    mend(m, first, "convert");
    is_clean();
    model_free(m);
}
END_TEST

/* Another backing file than the stored one, named by the caller: its path is stored. */
START_TEST(a_named_backing_file_is_stored)
{
    struct model *m = plain(COW_FORMAT_V3);
    char *other = test_path("other");
    struct cow_image *img;
    struct cow_plan *plan;
    struct cow_error err;
    must(rename(m->backing_path, other) == 0, "rename");
    look_named(m->cow_path, other);
    only(COW_FINDING_BACKING_ELSEWHERE);
    must_succeed(cow_image_open(&img, m->cow_path, &(struct cow_open_options){.backing_path = other}, &err),
                 err);
    must_succeed(cow_plan_repair(&plan, img, &found, NULL, &err), err);
    must_succeed(cow_plan_commit(plan, NULL, &err), err);
    cow_plan_free(plan);
    cow_image_close(img);
    look_named(m->cow_path, NULL);
    is_clean();
    free(other);
    model_free(m);
}
END_TEST

Suite *check_suite(void)
{
    Suite *suite = suite_create("check");
    TCase *tc = tcase_create("check");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_test(tc, the_table_is_complete);
    tcase_add_loop_test(tc, a_clean_image_has_no_finding, 0, COW_FORMATS);
    tcase_add_test(tc, a_file_as_short_as_kernels_leave_it_is_clean);
    tcase_add_test(tc, a_disk_of_an_odd_size_is_clean);
    tcase_add_test(tc, a_qemu_image_without_a_backing_file);
    tcase_add_test(tc, fields_out_of_range);
    tcase_add_test(tc, what_cannot_be_checked_is_an_error);
    tcase_add_loop_test(tc, an_unfinished_image, 0, COW_FORMATS);
    tcase_add_test(tc, a_strange_journal);
    tcase_add_test(tc, an_interrupted_change);
    tcase_add_test(tc, a_locked_image);
    tcase_add_test(tc, undo_data_and_further_names);
    tcase_add_test(tc, no_backing_file);
    tcase_add_test(tc, a_backing_file_that_has_moved);
    tcase_add_test(tc, what_is_no_candidate);
    tcase_add_test(tc, a_directory_of_many_names);
    tcase_add_test(tc, a_candidate_with_another_filesystem);
    tcase_add_test(tc, a_better_backing_file);
    tcase_add_test(tc, a_backing_file_is_named_anew);
    tcase_add_test(tc, a_backing_file_of_another_size);
    tcase_add_test(tc, another_date);
    tcase_add_loop_test(tc, touched_or_modified, 0, TOUCHED_CASES);
    tcase_add_test(tc, a_backing_file_that_is_a_cow);
    tcase_add_test(tc, another_backing_file_than_the_stored_one);
    tcase_add_test(tc, a_relative_path);
    tcase_add_test(tc, hostile_paths);
    tcase_add_test(tc, sector_sizes);
    tcase_add_test(tc, offsets_that_kernels_cannot_take);
    tcase_add_test(tc, nearly_8_tib);
    tcase_add_test(tc, small_disks);
    tcase_add_test(tc, the_tail_of_v1_and_v2);
    tcase_add_test(tc, a_bitmap_that_reaches_into_the_data);
    tcase_add_test(tc, a_foreign_cow_format);
    tcase_add_test(tc, files_that_are_cut);
    tcase_add_test(tc, a_file_that_is_too_long);
    tcase_add_test(tc, bits_behind_the_last);
    tcase_add_test(tc, an_inflated_file);
    tcase_add_test(tc, mixed_pages);
    tcase_add_test(tc, orphans);
    tcase_add_test(tc, redundant_pages);
    tcase_add_test(tc, zero_pages);
    tcase_add_loop_test(tc, pages_counted_anew, 0, 16);
    tcase_add_loop_test(tc, noise_over_holes, 0, 12);
    tcase_add_test(tc, a_bitmap_of_noise_costs_its_size);
    tcase_add_test(tc, a_scan_can_be_stopped);
    tcase_add_test(tc, a_read_error_is_told);
    tcase_add_loop_test(tc, garbage_never_harms, 0, 20);
    tcase_add_test(tc, nothing_to_mend_is_refused);
    tcase_add_test(tc, a_resize_comes_alone);
    tcase_add_loop_test(tc, each_safe_fix_mends, 0, SAFE_CASES);
    tcase_add_test(tc, a_relative_path_becomes_absolute);
    tcase_add_test(tc, what_needs_a_decision_is_made_when_chosen);
    tcase_add_test(tc, a_named_backing_file_is_stored);
    suite_add_tcase(suite, tc);
    return suite;
}
