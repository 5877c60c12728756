/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Images that have something to find, and what was found.
 */
#include "findings.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- images ---- */

struct model *plain_of(const struct model_spec *wanted)
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

struct model *plain(enum cow_format format)
{
    const struct model_spec spec = {.format = format};
    return plain_of(&spec);
}

void put(const struct model *m, uint64_t first, uint64_t n, unsigned what)
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
    if ((what & BIT) != 0) {
        model_set_bits(m->cow_path, &m->geometry, first, n, true);
    }
    free(bytes);
}

void put_field(const struct model *m, unsigned offset, unsigned width, uint64_t value)
{
    uint8_t bytes[8];
    put_number(bytes, width, shapes[m->spec.format].big_endian, value);
    file_write_at(m->cow_path, offset, bytes, width);
}

void make_superblock(uint8_t bytes[1024], const struct times *t, char uuid)
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

void put_backing_superblock(const struct model *m, const struct times *t)
{
    uint8_t bytes[1024];
    make_superblock(bytes, t, 'u');
    file_write_at(m->backing_path, 1024, bytes, sizeof bytes);
    file_set_mtime(m->backing_path, MODEL_MTIME);
}

void put_guest_superblock(const struct model *m, const struct times *t, char uuid)
{
    uint8_t bytes[1024];
    make_superblock(bytes, t, uuid);
    put(m, 0, 8, BIT | NOISE);
    file_write_at(m->cow_path, m->geometry.data_offset + 1024, bytes, sizeof bytes);
}

int sync_file(const char *path)
{
    int fd = file_open_to_write(path);
    int status = fsync(fd);
    close(fd);
    return status;
}

/* ---- looking ---- */

struct cow_check found; /* what the last check found: it is large */

const struct cow_finding *finding_of(enum cow_finding_code code)
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

int look_with(const char *path, const struct cow_check_options *opt, struct cow_error *err)
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

void look_named(const char *path, const char *backing)
{
    struct cow_error err = {.status = 0};
    const struct cow_check_options options = {.backing_path = backing};
    must_succeed(look_with(path, &options, &err), err);
}

void look(const struct model *m)
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

void must_be_only(enum cow_finding_code first, ...)
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

void must_say(enum cow_finding_code code, int fixable, ...)
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

void is_at(enum cow_finding_code code, uint64_t first, uint64_t sectors)
{
    const struct cow_finding *f = finding_of(code);
    must(f->first_sector == first && f->sectors == sectors, "%s: at %" PRIu64 ", %" PRIu64 " sectors",
         f->message, f->first_sector, f->sectors);
}

/* ---- the backing file ---- */

char *put_candidate(const struct model *m, const char *name, uint64_t size_bytes, int64_t mtime)
{
    char *path = test_path(name);
    file_write(path, m->backing, SIZE);
    file_truncate(path, size_bytes);
    file_set_mtime(path, mtime);
    return path;
}

void must_offer(int no_link, ...)
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

struct model *moved(const char *stored_name)
{
    char *stored = test_path(stored_name);
    const struct model_spec spec = {.format = COW_FORMAT_V3, .stored = stored};
    struct model *m = plain_of(&spec);
    unlink(m->backing_path);
    put(m, 8, 8, BIT | NOISE);
    free(stored);
    return m;
}
