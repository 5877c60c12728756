/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A strange value in any field of a record. The record is the program's own (core/ledger/record.h): what it
 * cannot even encode it cannot be made to read.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors.h"
#include "core/ledger/record.h"
#include "core/ledger/record_codec.h"
#include "memory.h"

enum kind { KIND_NUMBER, KIND_PATH, KIND_BYTES };

struct field {
    const char *name;
    size_t at, n_bytes;
    enum kind kind;
};

#define FIELD_OF(kind, field)                                                                                \
    {                                                                                                        \
#field, offsetof(struct record, field), sizeof((struct record *)0)->field, kind                      \
    }

static const struct field fields[] = {
    FIELD_OF(KIND_NUMBER, kind),
    FIELD_OF(KIND_NUMBER, old_inode),
    FIELD_OF(KIND_NUMBER, new_inode),
    FIELD_OF(KIND_NUMBER, old_file_bytes),
    FIELD_OF(KIND_NUMBER, new_file_bytes),
    FIELD_OF(KIND_NUMBER, old_end_offset),
    FIELD_OF(KIND_NUMBER, old_header_bytes),
    FIELD_OF(KIND_NUMBER, old_header_crc),
    FIELD_OF(KIND_NUMBER, new_header_crc),
    FIELD_OF(KIND_NUMBER, size_field_offset),
    FIELD_OF(KIND_NUMBER, old_size_field),
    FIELD_OF(KIND_BYTES, old_sector),
    FIELD_OF(KIND_BYTES, new_sector),
    FIELD_OF(KIND_NUMBER, old_mtime.tv_sec),
    FIELD_OF(KIND_NUMBER, old_mtime.tv_nsec),
    FIELD_OF(KIND_NUMBER, new_mtime.tv_sec),
    FIELD_OF(KIND_NUMBER, new_mtime.tv_nsec),
    FIELD_OF(KIND_NUMBER, keeps_undo),
    FIELD_OF(KIND_NUMBER, extends),
    FIELD_OF(KIND_NUMBER, backing_old_bytes),
    FIELD_OF(KIND_NUMBER, backing_new_bytes),
    FIELD_OF(KIND_NUMBER, backing_mtime.tv_sec),
    FIELD_OF(KIND_NUMBER, backing_mtime.tv_nsec),
    FIELD_OF(KIND_NUMBER, backing_old_mtime.tv_sec),
    FIELD_OF(KIND_NUMBER, backing_old_mtime.tv_nsec),
    FIELD_OF(KIND_NUMBER, backing_inode),
    FIELD_OF(KIND_PATH, backing_path),
    FIELD_OF(KIND_NUMBER, copy_inode),
    FIELD_OF(KIND_PATH, copy_path),
    FIELD_OF(KIND_NUMBER, shared_offset),
    FIELD_OF(KIND_NUMBER, shared_bits),
    FIELD_OF(KIND_NUMBER, shared_byte),
    FIELD_OF(KIND_NUMBER, old_mode),
    FIELD_OF(KIND_PATH, image_path),
    FIELD_OF(KIND_BYTES, filesystem),
    FIELD_OF(KIND_NUMBER, saved[0].offset),
    FIELD_OF(KIND_NUMBER, saved[0].n_bytes),
    FIELD_OF(KIND_NUMBER, saved[1].offset),
    FIELD_OF(KIND_NUMBER, saved[1].n_bytes),
};
enum { FIELDS = sizeof fields / sizeof fields[0] };

static uint64_t get(const struct record *r, const struct field *field)
{
    uint64_t wide = 0;
    uint32_t narrow = 0;
    memcpy(field->n_bytes == 4 ? (void *)&narrow : (void *)&wide, (const char *)r + field->at,
           field->n_bytes);
    return field->n_bytes == 4 ? narrow : wide;
}

static void put(struct record *r, const struct field *field, uint64_t value)
{
    const uint32_t narrow = (uint32_t)value;
    memcpy((char *)r + field->at, field->n_bytes == 4 ? (const void *)&narrow : (const void *)&value,
           field->n_bytes);
}

/* Values that a careless sum or comparison would be caught by. */
static uint64_t strange_number(struct world *w, uint64_t was)
{
    const uint64_t values[] = {0,
                               1,
                               UINT64_MAX,
                               UINT64_MAX - 7,
                               UINT64_MAX - 511,
                               UINT64_C(1) << 63,
                               (UINT64_C(1) << 63) - 1,
                               (UINT64_C(1) << 32) - 8,
                               UINT64_C(1) << 31,
                               was + 1,
                               was - 1,
                               was + 512,
                               was - 512,
                               was * 2,
                               11 + rng_below(&w->rng, 12)}; /* an inode's number, perhaps */
    return values[rng_below(&w->rng, sizeof values / sizeof values[0])];
}

static const char *strange_path(struct world *w)
{
    static const char *const paths[] = {"",
                                        "/",
                                        "back.img",
                                        "/base/other.cow",
                                        "/img/notes.txt",
                                        "/base",
                                        "/nowhere/x",
                                        "/img/x.cow",
                                        "/img/sib.cow",
                                        "/img/../base/other.cow",
                                        "notes.txt",
                                        "../base/other.cow",
                                        "/img/.x.cow.cowtui-undo"};
    return paths[rng_below(&w->rng, sizeof paths / sizeof paths[0])];
}

static void spoil(struct world *w, struct record *r)
{
    const struct field *field = &fields[rng_below(&w->rng, FIELDS)];
    if (field->kind == KIND_PATH) {
        char *text = (char *)r + field->at;
        snprintf(text, PATH_MAX, "%s", strange_path(w));
        world_tell(w, " %s=%s", field->name, text);
        return;
    }
    if (field->kind == KIND_BYTES) {
        uint8_t *bytes = (uint8_t *)r + field->at;
        const size_t at = (size_t)rng_below(&w->rng, field->n_bytes);
        bytes[at] = (uint8_t)(bytes[at] + 1 + rng_below(&w->rng, 255));
        world_tell(w, " %s[%zu]", field->name, at);
        return;
    }
    const uint64_t value = strange_number(w, get(r, field));
    put(r, field, value);
    world_tell(w, " %s=%llu", field->name, (unsigned long long)value);
}

/* A record of which some saved bytes are missing, or too many. */
static void spoil_saved(struct world *w, struct record *r)
{
    struct record_saved *saved = &r->saved[rng_below(&w->rng, RECORD_SAVED_MAX)];
    const uint64_t held = rng_below(&w->rng, 2) == 0 ? saved->held_bytes / 2 : saved->held_bytes + 512;
    uint8_t *bytes = calloc(1, (size_t)held + 1);
    memory_require(bytes != NULL, "out of memory");
    memcpy(bytes, saved->bytes != NULL ? saved->bytes : bytes,
           (size_t)(held < saved->held_bytes ? held : saved->held_bytes));
    free(saved->bytes);
    saved->bytes = bytes;
    saved->held_bytes = held;
    world_tell(w, " held=%llu", (unsigned long long)held);
}

bool record_spoil(struct world *w, const char *path)
{
    struct sim machine;
    struct record *r = memory_get_zeroed(sizeof *r);
    uint64_t offset = 0;
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    world_boot(w, &machine);
    machine.caller = 0;
    int fd = machine.io.open(machine.io.context, path, O_RDONLY | O_NOFOLLOW, 0);
    bool good = fd >= 0 && record_read(r, &offset, &machine.io, fd, NULL) == 0;
    sim_free(&machine);
    if (good) {
        if (rng_below(&w->rng, FIELDS) == 0) {
            spoil_saved(w, r);
        } else {
            spoil(w, r);
        }
        good = record_encode(&bytes, &n_bytes, r, NULL) == 0;
        record_clear(r);
    }
    if (good) {
        struct inode *file = &w->tree.inode[tree_find(&w->tree, path)];
        inode_cut(file, offset);
        inode_write(file, offset, bytes, n_bytes);
        file->facts.size_bytes = offset + n_bytes;
        free(bytes);
    }
    memory_free(r);
    return good;
}
