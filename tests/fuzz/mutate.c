/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a hostile filesystem may hold: numbers at the edges in every field, and what leads in circles.
 * Checksums are wrong afterwards, and the core does not mind them.
 */
#include <string.h>

#include "fuzz.h"

enum { INODE_FIELDS = 128, ROOT = 2, MUTATIONS_MAX = 12 };

uint64_t fuzz_random_next(struct fuzz_random *random)
{
    /* splitmix64 (Steele, Lea, Flood 2014) */
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t fuzz_below(struct fuzz_random *random, uint32_t n)
{
    return n == 0 ? 0 : (uint32_t)(fuzz_random_next(random) % n);
}

/* One mutation on its way. */
struct change {
    struct fuzz_disk *disk;
    struct fuzz_random *random;
    uint8_t *side; /* the guest's disk, or the backing file's */
};

static uint32_t below(const struct change *c, uint32_t n)
{
    return fuzz_below(c->random, n);
}

static void put(const struct change *c, uint64_t offset, uint64_t value, uint32_t n_bytes)
{
    for (uint32_t n = 0; n < n_bytes && offset + n < c->disk->seed->n_bytes; n++) {
        c->side[offset + n] = (uint8_t)(value >> 8 * n);
    }
}

static const struct fuzz_place *place_of(const struct change *c, enum fuzz_kind kind)
{
    const struct fuzz_seed *seed = c->disk->seed;
    const uint32_t n_places = (uint32_t)seed->n_places, first = below(c, n_places);
    for (uint32_t n = 0; n < n_places; n++) {
        const struct fuzz_place *place = &seed->place[(first + n) % n_places];
        if (place->kind == kind) {
            return place;
        }
    }
    return NULL;
}

/* The number of a block of the filesystem. */
static uint32_t block_of(const struct change *c, const struct fuzz_place *place)
{
    const struct fuzz_seed *seed = c->disk->seed;
    return place->offset < seed->fs_start ? 0 : (place->offset - seed->fs_start) / seed->block_bytes;
}

static uint64_t interesting(const struct change *c, const struct fuzz_place *here)
{
    const struct fuzz_seed *seed = c->disk->seed;
    const struct fuzz_place *other = &seed->place[below(c, (uint32_t)seed->n_places)];
    switch (below(c, 14)) {
    case 0:
        return 0;
    case 1:
        return 1 + below(c, 12);
    case 2:
        return UINT64_MAX;
    case 3:
        return INT64_MAX;
    case 4:
        return UINT32_MAX - below(c, 3);
    case 5:
        return INT32_MAX;
    case 6:
        return seed->blocks - 1 + below(c, 3);
    case 7:
        return block_of(c, here); /* itself */
    case 8:
    case 9:
        return block_of(c, other);
    case 10:
        return UINT64_C(1) << below(c, 64);
    case 11:
        return seed->block_bytes - 4 + below(c, 9);
    case 12:
        return below(c, seed->blocks);
    default:
        return fuzz_random_next(c->random);
    }
}

/* ---- one structure each ---- */

static void any_field(const struct change *c, const struct fuzz_place *place)
{
    const uint32_t n_bytes = 1U << below(c, 4);
    const uint32_t at = place->offset + below(c, place->n_bytes) / n_bytes * n_bytes;
    put(c, at, interesting(c, place), n_bytes);
}

static void any_bit(const struct change *c, const struct fuzz_place *place)
{
    c->side[place->offset + below(c, place->n_bytes)] ^= (uint8_t)(1U << below(c, 8));
}

static void fill(const struct change *c, const struct fuzz_place *place)
{
    const uint32_t at = below(c, place->n_bytes), n_bytes = 1 + below(c, place->n_bytes - at);
    const uint32_t kind = below(c, 3);
    for (uint32_t n = 0; n < n_bytes; n++) {
        c->side[place->offset + at + n] = kind == 0 ? 0 : kind == 1 ? 0xff : (uint8_t)below(c, 256);
    }
}

static void copy_other(const struct change *c, const struct fuzz_place *place)
{
    const struct fuzz_place *other = place_of(c, place->kind);
    const uint32_t n_bytes = other->n_bytes < place->n_bytes ? other->n_bytes : place->n_bytes;
    memmove(c->side + place->offset, c->side + other->offset, n_bytes);
}

static void one_of(const struct change *c, const struct fuzz_place *place, const uint16_t (*fields)[2],
                   uint32_t n_fields)
{
    const uint16_t *field = fields[below(c, n_fields)];
    put(c, place->offset + field[0], interesting(c, place), field[1]);
}

/* Offset and width, of all that decides how large or where something is; struct ext4_super_block. */
static void super_field(const struct change *c, const struct fuzz_place *place)
{
    static const uint16_t fields[][2] = {
        {0, 4},     {4, 4},     {12, 4},    {20, 4},    {24, 4},    {28, 4},    {32, 4},    {36, 4},
        {40, 4},    {58, 2},    {76, 4},    {84, 4},    {88, 2},    {90, 2},    {92, 4},    {96, 4},
        {100, 4},   {206, 2},   {208, 8},   {224, 4},   {228, 4},   {232, 4},   {254, 2},   {260, 4},
        {0x150, 4}, {0x15c, 4}, {0x174, 1}, {0x240, 4}, {0x244, 4}, {0x24c, 4}, {0x26c, 4}, {0x280, 4}};
    if (below(c, 4) == 0) { /* a feature more, or less */
        c->side[place->offset + 92 + below(c, 12)] ^= (uint8_t)(1U << below(c, 8));
        return;
    }
    one_of(c, place, fields, sizeof fields / sizeof *fields);
}

static void descriptor_field(const struct change *c, const struct fuzz_place *place)
{
    static const uint16_t fields[][2] = {{0, 4},  {4, 4},  {8, 4},  {12, 2}, {14, 2},
                                         {18, 2}, {28, 2}, {32, 4}, {40, 4}};
    one_of(c, place, fields, sizeof fields / sizeof *fields);
}

/* Struct ext4_inode. The last of them are its first pointers, or the head of its extent tree. */
static void inode_field(const struct change *c, const struct fuzz_place *place)
{
    static const uint16_t fields[][2] = {{0, 2},   {4, 4},   {20, 4},  {26, 2}, {28, 4}, {32, 4}, {104, 4},
                                         {108, 4}, {116, 4}, {128, 2}, {40, 4}, {42, 2}, {44, 2}, {46, 2},
                                         {52, 4},  {56, 2},  {58, 2},  {60, 4}, {88, 4}, {92, 4}, {96, 4}};
    static const uint32_t flags[] = {0x80000, 0x10000000, 0x1000,   0x200000,
                                     0x800,   0x40000000, 0x100000, 0x4000};
    const uint32_t choice = below(c, 8);
    if (choice == 0) {
        const uint32_t flag = flags[below(c, sizeof flags / sizeof *flags)];
        for (uint32_t n = 0; n < 4; n++) {
            c->side[place->offset + 32 + n] ^= (uint8_t)(flag >> 8 * n);
        }
    } else if (choice == 1) { /* a huge file */
        put(c, place->offset + 4, fuzz_random_next(c->random), 4);
        put(c, place->offset + 108, fuzz_random_next(c->random) >> below(c, 32), 4);
    } else if (choice == 2) { /* another type */
        put(c, place->offset, below(c, 16) << 12 | 0644, 2);
    } else {
        one_of(c, place, fields, sizeof fields / sizeof *fields);
    }
}

/* The beginning of some entry of a directory block. */
static uint32_t some_entry(const struct change *c, const struct fuzz_place *place)
{
    uint32_t at = 0, wanted = below(c, 8);
    while (wanted-- > 0) {
        const uint8_t *entry = c->side + place->offset + at;
        const uint32_t length = (uint32_t)entry[4] | (uint32_t)entry[5] << 8;
        if (length < 8 || at + length + 8 > place->n_bytes) {
            break;
        }
        at += length;
    }
    return place->offset + at;
}

static void directory_entry(const struct change *c, const struct fuzz_place *place)
{
    static const uint16_t lengths[] = {0, 1, 4, 7, 8, 11, 12, 13, 0xfffc, 0xffff, 0x8000};
    const uint32_t entry = some_entry(c, place);
    const uint8_t *own = c->side + place->offset; /* "." */
    const uint32_t own_inode = (uint32_t)own[0] | (uint32_t)own[1] << 8;
    switch (below(c, 8)) {
    case 0:
        put(c, entry + 4, lengths[below(c, sizeof lengths / sizeof *lengths)], 2);
        break;
    case 1:
        put(c, entry, below(c, 2) == 0 ? own_inode : ROOT, 4); /* a directory in itself */
        break;
    case 2:
        put(c, entry, below(c, 30), 4);
        break;
    case 3:
        put(c, entry + 6, below(c, 256), 1);
        break;
    case 4:
        put(c, entry + 8, (uint8_t) "/.\0\n\x1b"[below(c, 5)], 1);
        break;
    case 5:
        put(c, place->offset + 12, interesting(c, place), 4); /* ".." */
        break;
    case 6:
        put(c, entry + 7, below(c, 256), 1);
        break;
    default:
        put(c, entry, interesting(c, place), 4);
    }
}

/* Header (magic, entries, most, depth), then 12 bytes an entry. */
static void extents_field(const struct change *c, const struct fuzz_place *place)
{
    const uint32_t entry = place->offset + 12 + 12 * below(c, 5);
    switch (below(c, 6)) {
    case 0:
        put(c, place->offset + 2, below(c, 2) == 0 ? 0xffff : below(c, 400), 2);
        break;
    case 1:
        put(c, place->offset + 6, below(c, 8), 2);
        break;
    case 2: /* a node that is its own child */
        put(c, place->offset + 6, 1 + below(c, 5), 2);
        put(c, entry + 4, block_of(c, place), 4);
        put(c, entry + 8, 0, 2);
        break;
    case 3:
        put(c, entry + 4, interesting(c, place), 2);
        break;
    case 4:
        put(c, entry, interesting(c, place), 4);
        break;
    default:
        put(c, entry + 4, interesting(c, place), 8);
    }
}

/* A block of pointers: to itself, all of them or some. */
static void pointers_field(const struct change *c, const struct fuzz_place *place)
{
    const uint32_t own = block_of(c, place);
    if (below(c, 3) != 0) {
        put(c, place->offset + below(c, place->n_bytes / 4) * 4, interesting(c, place), 4);
        return;
    }
    for (uint32_t at = 0; at + 4 <= place->n_bytes; at += 4) {
        put(c, place->offset + at, own, 4);
    }
    const struct fuzz_place *inode = place_of(c, FUZZ_INODE);
    if (inode != NULL) { /* and some inode begins there, at a depth of one to three, and is long */
        put(c, inode->offset + 88 + 4 * below(c, 3), own, 4);
        put(c, inode->offset + 4, UINT32_MAX, 4);
        put(c, inode->offset + 108, below(c, 1024), 4);
    }
}

static void structure(const struct change *c, const struct fuzz_place *place)
{
    switch (place->kind) {
    case FUZZ_SUPER:
        super_field(c, place);
        break;
    case FUZZ_DESCRIPTOR:
        descriptor_field(c, place);
        break;
    case FUZZ_INODE:
        inode_field(c, place);
        break;
    case FUZZ_DIRECTORY:
        directory_entry(c, place);
        break;
    case FUZZ_EXTENTS:
        extents_field(c, place);
        break;
    case FUZZ_POINTERS:
        pointers_field(c, place);
        break;
    default:
        any_field(c, place);
    }
}

static void mutate_once(const struct change *c)
{
    /* Superblock and descriptors rarely: most changes of theirs end everything at once. */
    static const enum fuzz_kind often[] = {FUZZ_INODE,     FUZZ_INODE,   FUZZ_INODE,   FUZZ_DIRECTORY,
                                           FUZZ_DIRECTORY, FUZZ_EXTENTS, FUZZ_EXTENTS, FUZZ_POINTERS,
                                           FUZZ_POINTERS,  FUZZ_XATTR,   FUZZ_BITMAP,  FUZZ_JOURNAL,
                                           FUZZ_SUPER,     FUZZ_SUPER,   FUZZ_TABLE,   FUZZ_DESCRIPTOR};
    const struct fuzz_place *place = place_of(c, often[below(c, sizeof often / sizeof *often)]);
    if (place == NULL) {
        place = place_of(c, FUZZ_INODE);
    }
    const uint32_t choice = below(c, 16);
    if (choice == 0) {
        fill(c, place);
    } else if (choice == 1) {
        copy_other(c, place);
    } else if (choice == 2) {
        any_bit(c, place);
    } else if (choice < 5) {
        any_field(c, place);
    } else {
        structure(c, place);
    }
}

void fuzz_mutate(struct fuzz_disk *disk, struct fuzz_random *random)
{
    struct change change = {.disk = disk, .random = random};
    uint32_t mutations = 1;
    while (mutations < MUTATIONS_MAX && fuzz_below(random, 3) != 0) {
        mutations++;
    }
    for (; mutations > 0; mutations--) {
        change.side = fuzz_below(random, 6) == 0 ? disk->base : disk->guest;
        mutate_once(&change);
    }
    for (uint32_t n = fuzz_below(random, 20); n > 0; n--) { /* some sectors are in the COW for nothing */
        disk->bits[fuzz_below(random, disk->seed->n_bytes / FUZZ_PAGE)] |=
            (uint8_t)(1U << fuzz_below(random, 8));
    }
}
