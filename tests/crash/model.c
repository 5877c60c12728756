/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See model.h.
 */
#include "model.h"

#include <string.h>

#include "filesystem.h"
#include "memory.h"
#include "power.h"
#include "sim.h"

enum { STRETCH_SECTORS = 12, STRETCH = STRETCH_SECTORS * SECTOR_BYTES, EDGE_SECTORS = 60 };

const char *model_backing_path = "/base/back.img";

const struct relative relatives[RELATIVES] = {
    {SIBLING_PATH, FORM_V3, 4096},
    {"/base/kin.cow", FORM_V3, 32},
    {"/img/old.cow", FORM_V2, 32},
    {"/base/big.cow", FORM_V3, 4096},
};

struct build {
    struct tree *tree;
    struct spec spec;
    struct shape shape;
    struct rng rng;
    struct disk disk;
    struct filesystem ext; /* NULLs: there is none */
    const char *backing_path;
    int64_t backing_seconds; /* its date */
};

static void fill(struct rng *rng, uint8_t *bytes, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) {
        bytes[i] = (uint8_t)rng_next(rng);
    }
}

static struct inode *make_file(struct tree *tree, const char *path, int64_t seconds)
{
    const char *name;
    uint8_t directory = tree_find_directory(tree, path, &name);
    uint8_t at = tree_make(tree, INODE_FILE, 0640);
    tree_set_entry(tree, directory, name, at);
    struct inode *inode = &tree->inode[at];
    const struct timespec date = {.tv_sec = (time_t)seconds, .tv_nsec = BACKING_NANOSECONDS};
    inode->device = tree->inode[directory].device;
    inode->facts.mtime = sim_kept_date(tree, inode, date);
    inode->facts.uid = 1000;
    inode->facts.gid = 1000;
    return inode;
}

static void append(struct inode *inode, uint64_t offset, const void *bytes, size_t n_bytes)
{
    inode_write(inode, offset, bytes, n_bytes);
    if (inode->facts.size_bytes < offset + n_bytes) {
        inode->facts.size_bytes = offset + n_bytes;
    }
}

/* The first sector, from this one on, that may have something in it: of a huge disk only those at its ends
 * and in its middle. Its sectors have 512 bytes. */
static uint64_t filled_from(const struct build *b, uint64_t sector)
{
    const uint64_t sectors = b->shape.sectors, middle = sectors / 2, last = sectors - EDGE_SECTORS;
    const bool edge = sector < EDGE_SECTORS || (sector >= middle && sector < middle + EDGE_SECTORS);
    if (b->spec.size_bytes <= UINT64_C(1) << 30 || edge || sector >= last) {
        return sector;
    }
    return sector < middle ? middle : last;
}

/* Pages of zeros are holes. */
static void write_pages(struct inode *inode, const uint8_t *bytes, uint64_t size)
{
    static const uint8_t zeros[PAGE_BYTES];
    for (uint64_t at = 0; at < size; at += PAGE_BYTES) {
        const size_t n = size - at < PAGE_BYTES ? (size_t)(size - at) : PAGE_BYTES;
        if (memcmp(bytes + at, zeros, n) != 0) {
            inode_write(inode, at, bytes + at, n);
        }
    }
}

/* Noise with holes in it, or a filesystem; what the disk has there is noted. */
static void write_backing(struct build *b)
{
    uint8_t noise[STRETCH];
    uint64_t size = b->spec.short_backing ? b->spec.size_bytes - 5000 : b->spec.size_bytes;
    struct inode *inode = make_file(b->tree, BACKING_PATH, BACKING_SECONDS);
    inode->facts.size_bytes = size;
    if (b->ext.before != NULL) {
        write_pages(inode, b->ext.before, size);
        write_pages(&b->disk.file, b->ext.before, size);
        return;
    }
    for (uint64_t s = 0; s * SECTOR_BYTES < size; s = filled_from(b, s + STRETCH_SECTORS)) {
        const uint64_t at = s * SECTOR_BYTES;
        size_t n = size - at < STRETCH ? (size_t)(size - at) : STRETCH;
        if (rng_below(&b->rng, 4) != 0) {
            fill(&b->rng, noise, n);
            inode_write(inode, at, noise, n);
            inode_write(&b->disk.file, at, noise, n);
        }
    }
}

/* As the backing file, or with sectors of its own: pages are equal, differ, and do so in part. */
static void write_other(struct build *b)
{
    const uint64_t size = b->spec.size_bytes;
    const bool differs = b->spec.other == OTHER_DIFFERS;
    const uint8_t backing = tree_find(b->tree, BACKING_PATH);
    uint8_t noise[SECTOR_BYTES];
    struct inode *inode = make_file(b->tree, OTHER_PATH, BACKING_SECONDS + (differs ? 86400 : 0));
    inode->facts.size_bytes = size;
    if (backing != NO_INODE) {
        inode_share(inode, &b->tree->inode[backing]);
    }
    for (uint64_t s = 5; differs && (s + 1) * SECTOR_BYTES <= size; s += s % 5 == 0 ? 1 : 18) {
        fill(&b->rng, noise, sizeof noise);
        inode_write(inode, s * SECTOR_BYTES, noise, sizeof noise);
    }
}

static bool is_dirty(struct build *b, uint64_t sector)
{
    if (b->spec.dirty_end != 0 && sector >= b->spec.dirty_end) {
        return false;
    }
    if (b->ext.before != NULL) {
        const uint64_t at = sector * SECTOR_BYTES;
        return memcmp(b->ext.before + at, b->ext.after + at, SECTOR_BYTES) != 0;
    }
    switch (b->spec.pattern) {
    case PATTERN_RUNS:
        return (sector / 11 + b->spec.seed) % 3 == 0 || sector + 2 >= b->shape.mapped;
    case PATTERN_EDGES:
        return sector == 0 || sector + 1 == b->shape.mapped || sector % 64 == 63 || sector % 64 == 0;
    case PATTERN_ALL:
        return true;
    case PATTERN_RANDOM:
        return rng_below(&b->rng, 3) == 0;
    case PATTERN_NONE:
        break;
    }
    return false;
}

static void write_header(struct build *b, struct inode *inode)
{
    const struct form *f = &forms[b->spec.form];
    uint8_t bytes[4136];
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, f->magic, f->magic_bytes);
    if (b->spec.garbage && f->rule != 'q') {
        fill(&b->rng, bytes + f->path, f->path_bytes);
    }
    const char *path = b->spec.no_backing ? "" : b->backing_path;
    memcpy(bytes + f->path, path, strlen(path) + 1);
    put_number(bytes + f->mtime, 4, f->big_endian,
               b->spec.no_backing ? 0 : (uint64_t)(b->backing_seconds - (b->spec.other_date ? 3600 : 0)));
    put_number(bytes + f->size, 8, f->big_endian, b->spec.size_bytes);
    put_number(bytes + f->sector, 4, f->big_endian, b->spec.sector_bytes);
    if (f->alignment != 0) {
        put_number(bytes + f->alignment, 4, f->big_endian, b->spec.alignment);
    }
    append(inode, 0, bytes, f->header_bytes);
}

static bool bit_is_set(const struct inode *inode, const struct shape *s, uint64_t sector)
{
    uint8_t byte;
    inode_read(inode, s->bitmap_offset + sector / 8, &byte, 1);
    return sector < s->mapped && (byte >> sector % 8 & 1) != 0;
}

static void set_bit(struct inode *inode, const struct shape *s, uint64_t sector)
{
    uint8_t byte;
    inode_read(inode, s->bitmap_offset + sector / 8, &byte, 1);
    byte = (uint8_t)(byte | 1u << sector % 8);
    inode_write(inode, s->bitmap_offset + sector / 8, &byte, 1);
}

static void write_padding(struct build *b, struct inode *inode)
{
    const struct shape *s = &b->shape;
    const uint64_t room = s->data_offset - s->bitmap_offset - s->bitmap_bytes;
    uint8_t noise[700];
    for (uint64_t i = s->mapped; i < s->bitmap_bytes * 8; i++) {
        set_bit(inode, s, i);
    }
    fill(&b->rng, noise, sizeof noise);
    append(inode, s->bitmap_offset + s->bitmap_bytes, noise,
           room < sizeof noise ? (size_t)room : sizeof noise);
    inode->facts.size_bytes = s->data_offset;
}

static void write_bits(struct build *b, struct inode *inode)
{
    const struct shape *s = &b->shape;
    inode->facts.size_bytes = s->bitmap_offset + s->bitmap_bytes;
    for (uint64_t i = 0; i < s->bitmap_bytes; i = filled_from(b, (i + 1) * 8) / 8) {
        inode_write(inode, s->bitmap_offset + i, "", 1); /* allocated, even if it stays zero */
    }
    for (uint64_t i = 0; i < s->mapped; i = filled_from(b, i + 1)) {
        if (is_dirty(b, i)) {
            set_bit(inode, s, i);
        }
    }
    if (b->spec.garbage) {
        write_padding(b, inode);
    }
}

static bool is_redundant(const struct build *b, uint64_t offset)
{
    return b->spec.redundant && offset / PAGE_BYTES % 3 == 0;
}

static void write_sectors(struct build *b, struct inode *inode)
{
    static const uint8_t zeros[65536];
    const uint32_t ss = b->spec.sector_bytes;
    uint8_t *sector = memory_get(ss);
    for (uint64_t i = 0; i < b->shape.sectors; i = filled_from(b, i + 1)) {
        const bool dirty = bit_is_set(inode, &b->shape, i);
        uint64_t left = b->spec.size_bytes - i * ss;
        size_t n = left < ss ? (size_t)left : ss;
        bool zero = dirty && rng_below(&b->rng, 5) == 0; /* a hole, or zeros that are there */
        fill(&b->rng, sector, ss);
        if (dirty && b->ext.after != NULL) {
            zero = false;
            memcpy(sector, b->ext.after + i * ss, ss);
        }
        if (is_redundant(b, i * ss)) {
            zero = false;
            inode_read(&b->disk.file, i * ss, sector, ss);
        }
        if (zero) {
            inode_write(&b->disk.file, i * ss, zeros, n);
        } else if (dirty) {
            append(inode, b->shape.data_offset + i * ss, sector, b->spec.garbage ? ss : n);
            inode_write(&b->disk.file, i * ss, sector, n);
        } else if (b->spec.garbage && i % 16 < 2) { /* an orphan: data without a bit */
            append(inode, b->shape.data_offset + i * ss, sector, ss);
        }
    }
    memory_free(sector);
    if (!b->spec.short_file) {
        inode->facts.size_bytes = b->shape.end_offset;
    }
}

static void write_image(struct build *b)
{
    struct inode *inode = make_file(b->tree, IMAGE_PATH, BACKING_SECONDS + 5000);
    memcpy(inode->facts.xattr_name, "user.note", 10);
    memcpy(inode->facts.xattr_value, "kept", 4);
    inode->facts.xattr_bytes = 4;
    write_header(b, inode);
    write_bits(b, inode);
    write_sectors(b, inode);
    if (b->spec.twin) {
        const char *name;
        uint8_t directory = tree_find_directory(b->tree, TWIN_PATH, &name);
        tree_set_entry(b->tree, directory, name, tree_find(b->tree, IMAGE_PATH));
    }
}

/* A small image of its own: a few dirty sectors. */
static void write_sibling(struct build *b, const struct relative *who, unsigned number)
{
    struct build other = {.tree = b->tree,
                          .rng = {b->spec.seed + 11 + number},
                          .disk = disk_copy(&b->disk),
                          .backing_path = BACKING_PATH,
                          .backing_seconds = BACKING_SECONDS};
    other.spec = (struct spec){.form = who->form,
                               .size_bytes = b->spec.size_bytes,
                               .sector_bytes = 512,
                               .alignment = who->alignment,
                               .pattern = PATTERN_EDGES};
    other.shape = form_shape(who->form, other.spec.size_bytes, 512, who->alignment);
    struct inode *inode = make_file(b->tree, who->path, BACKING_SECONDS + 6000);
    write_header(&other, inode);
    write_bits(&other, inode);
    write_sectors(&other, inode);
    disk_free(&other.disk);
}

bool model_add_image(struct tree *tree, const char *path, const char *backing_path, unsigned seed)
{
    const char *name;
    const uint8_t at = tree_find(tree, backing_path);
    if (at == NO_INODE || tree_find_directory(tree, path, &name) == NO_INODE ||
        tree->inode[at].facts.size_bytes == 0) {
        return false;
    }
    const struct facts facts = tree->inode[at].facts;
    struct build b = {
        .tree = tree, .rng = {seed}, .backing_path = backing_path, .backing_seconds = facts.mtime.tv_sec};
    b.spec = (struct spec){.form = FORM_V3,
                           .size_bytes = facts.size_bytes,
                           .sector_bytes = 512,
                           .alignment = 32,
                           .pattern = PATTERN_EDGES};
    b.shape = form_shape(FORM_V3, facts.size_bytes, 512, 32);
    b.disk.file.facts.size_bytes = facts.size_bytes;
    struct inode *inode = make_file(tree, path, BACKING_SECONDS + 7000);
    write_header(&b, inode);
    write_bits(&b, inode);
    write_sectors(&b, inode);
    disk_free(&b.disk);
    return true;
}

static void write_bystanders(struct build *b)
{
    static const char *const paths[] = {"/img/notes.txt", "/base/other.cow"};
    uint8_t noise[3000];
    for (unsigned i = 0; i < 2; i++) {
        struct inode *inode = make_file(b->tree, paths[i], BACKING_SECONDS + 7);
        fill(&b->rng, noise, sizeof noise);
        append(inode, 0, noise, sizeof noise);
    }
}

/* The older file. */
static void write_output(struct build *b)
{
    uint8_t noise[5000];
    fill(&b->rng, noise, sizeof noise);
    append(make_file(b->tree, OUTPUT_PATH, BACKING_SECONDS + 9), 0, noise, sizeof noise);
}

struct disk model_build(struct tree *tree, const struct spec *spec)
{
    struct build b = {.tree = tree, .spec = *spec, .rng = {spec->seed * 77 + 5}};
    b.spec.size_bytes = spec->size_bytes != 0 ? spec->size_bytes : 201 * 512;
    b.spec.sector_bytes = spec->sector_bytes != 0 ? spec->sector_bytes : 512;
    b.spec.alignment = spec->alignment != 0 ? spec->alignment : 32;
    b.shape = form_shape(b.spec.form, b.spec.size_bytes, b.spec.sector_bytes, b.spec.alignment);
    b.disk.file.facts.size_bytes = b.spec.size_bytes;
    if (spec->ext_block_bytes != 0) {
        memory_require(b.spec.sector_bytes == SECTOR_BYTES && b.spec.size_bytes % SECTOR_BYTES == 0,
                       "a filesystem is compared by sectors of 512 bytes");
        filesystem_make(&b.ext, spec->ext_block_bytes, b.spec.size_bytes);
    }
    b.backing_seconds = BACKING_SECONDS;
    b.backing_path = model_backing_path = spec->beside ? "/img/back.img" : "/base/back.img";
    tree_init(tree);
    tree->device[0] = tree->device[1] = spec->device;
    tree->device[1].other_id = 7;
    static const char *const directories[] = {"img", "base", "out"};
    for (unsigned i = 0; i < 3; i++) {
        tree_set_entry(tree, TREE_ROOT, directories[i], tree_make(tree, INODE_DIRECTORY, 0755));
    }
    tree->inode[tree_find(tree, "/base")].device = spec->two_devices ? 1 : 0;
    if (!spec->no_backing) {
        write_backing(&b);
    }
    write_image(&b);
    write_bystanders(&b);
    if (spec->sibling) {
        write_sibling(&b, &(const struct relative){SIBLING_PATH, FORM_V3, 32}, 0);
    }
    for (unsigned i = 0; i < spec->relatives; i++) {
        write_sibling(&b, &relatives[i], i);
    }
    if (spec->other != OTHER_NONE) {
        write_other(&b);
    }
    if (spec->output) {
        write_output(&b);
    }
    filesystem_free(&b.ext);
    return b.disk;
}

struct disk disk_resized(const struct disk *disk, uint64_t size_bytes)
{
    struct disk out = disk_copy(disk);
    inode_cut(&out.file, size_bytes);
    out.file.facts.size_bytes = size_bytes;
    return out;
}

struct disk disk_without_unused(const struct disk *disk, const struct inode *backing)
{
    struct disk out = disk_copy(disk);
    uint8_t bytes[PAGE_BYTES];
    for (uint64_t at = 0; at + PAGE_BYTES <= disk->file.facts.size_bytes; at += PAGE_BYTES) {
        if (filesystem_is_free(&disk->file, at)) {
            inode_read(backing, at, bytes, sizeof bytes);
            inode_write(&out.file, at, bytes, sizeof bytes);
        }
    }
    return out;
}

struct disk disk_copy(const struct disk *disk)
{
    struct disk out = {.file = {.facts = disk->file.facts}};
    inode_share(&out.file, &disk->file);
    return out;
}

void disk_free(struct disk *disk)
{
    inode_forget(&disk->file);
}
