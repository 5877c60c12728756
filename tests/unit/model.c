/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The independent model: images written byte by byte from the format's tables, and the disk that a guest
 * would see in them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

/* clang-format off */
const struct shape shapes[COW_FORMATS] = {
    [COW_FORMAT_V1]       = {"uml-cow-v1",       "MOOO\1\0\0\0",                 8, false,  8,  256,  264, 4,  268,  276,  0,  0,  280, 't'},
    [COW_FORMAT_V1_64]    = {"uml-cow-v1-64",    "MOOO\1\0\0\0",                 8, false,  8,  256,  264, 8,  272,  280,  0,  0,  288, 't'},
    [COW_FORMAT_V1_BE]    = {"uml-cow-v1-be",    "OOOM\0\0\0\1",                 8, true,   8,  256,  264, 4,  268,  276,  0,  0,  280, 't'},
    [COW_FORMAT_V1_BE_64] = {"uml-cow-v1-be-64", "OOOM\0\0\0\1",                 8, true,   8,  256,  264, 8,  272,  280,  0,  0,  288, 't'},
    [COW_FORMAT_V2]       = {"uml-cow-v2",       "OOOM\0\0\0\2",                 8, true,   8, 4096, 4104, 4, 4108, 4116,  0,  0, 4120, 't'},
    [COW_FORMAT_V2_64]    = {"uml-cow-v2-64",    "OOOM\0\0\0\2",                 8, true,   8, 4096, 4104, 4, 4112, 4120,  0,  0, 4128, 't'},
    [COW_FORMAT_V2_LONG]  = {"uml-cow-v2-long",  "OOOM\0\0\0\0\0\0\0\2\0\0\0\0", 16, true, 16, 4096, 4112, 4, 4120, 4128,  0,  0, 4136, 't'},
    [COW_FORMAT_V3]       = {"uml-cow-v3",       "OOOM\0\0\0\3",                 8, true,  32, 4096,    8, 4,   12,   20, 24, 28, 4128, 'a'},
    [COW_FORMAT_V3_64]    = {"uml-cow-v3-64",    "OOOM\0\0\0\3",                 8, true,  36, 4096,    8, 4,   16,   24, 28, 32, 4136, 'a'},
    [COW_FORMAT_QEMU]     = {"qemu-cow",         "OOOM\0\0\0\2",                 8, true,   8, 1024, 1032, 4, 1040, 1048,  0,  0, 1056, 'q'},
    [COW_FORMAT_QEMU_I386]= {"qemu-cow-i386",    "OOOM\0\0\0\2",                 8, true,   8, 1024, 1032, 4, 1036, 1044,  0,  0, 1048, 'q'},
};
/* clang-format on */

void put_number(uint8_t *bytes, unsigned width, bool big_endian, uint64_t value)
{
    for (unsigned i = 0; i < width; i++) {
        unsigned shift = 8 * (big_endian ? width - 1 - i : i);
        bytes[i] = (uint8_t)(value >> shift & 0xff);
    }
}

static uint64_t get_number(const uint8_t *bytes, unsigned width, bool big_endian)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        value += (uint64_t)bytes[i] << (8 * (big_endian ? width - 1 - i : i));
    }
    return value;
}

static uint64_t up(uint64_t n, uint64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

struct geometry model_geometry(enum cow_format format, uint64_t size_bytes, uint32_t sector_bytes,
                               uint32_t alignment)
{
    const struct shape *s = &shapes[format];
    must(size_bytes <= INT64_MAX, "the model's sums would overflow");
    uint64_t n = (size_bytes + sector_bytes - 1) / sector_bytes;
    uint64_t bitmap = s->header_bytes, bitmap_bytes = (n + 7) / 8, mapped = n, data = 0;
    if (s->kind == 't') {
        bitmap_bytes = n / 8;
        mapped = bitmap_bytes * 8;
        data = up(bitmap + bitmap_bytes, sector_bytes);
    } else if (s->kind == 'a') {
        bitmap = up(bitmap, alignment);
        data = up(bitmap + bitmap_bytes, alignment);
    } else {
        n = size_bytes / 512;
        mapped = n;
        bitmap_bytes = (n + 7) / 8;
        data = up(bitmap + bitmap_bytes, 512);
    }
    return (struct geometry){.sectors = n,
                             .mapped = mapped,
                             .bitmap_offset = bitmap,
                             .bitmap_bytes = bitmap_bytes,
                             .data_offset = data,
                             .end_offset = data + n * sector_bytes};
}

size_t model_header(uint8_t *bytes, enum cow_format format, const char *path, uint64_t size_bytes,
                    uint32_t sector_bytes, uint32_t alignment, uint32_t mtime, bool garbage)
{
    const struct shape *s = &shapes[format];
    memset(bytes, 0, COW_HEADER_BYTES_MAX);
    memcpy(bytes, s->magic, s->magic_bytes);
    if (garbage && s->kind != 'q') { /* behind the path's NUL lies whatever the stack held */
        struct rng rng = {size_bytes + 1};
        rng_fill(&rng, bytes + s->path, s->path_bytes);
        if (format == COW_FORMAT_V3_64) {
            rng_fill(&rng, bytes + 12, 4);
        }
    }
    must(strlen(path) < s->path_bytes, "the model's path is too long");
    memcpy(bytes + s->path, path, strlen(path) + 1);
    put_number(bytes + s->mtime, s->mtime_bytes, s->big_endian, mtime);
    put_number(bytes + s->size, 8, s->big_endian, size_bytes);
    put_number(bytes + s->sector, 4, s->big_endian, sector_bytes);
    if (s->alignment != 0) {
        put_number(bytes + s->alignment, 4, s->big_endian, alignment);
        put_number(bytes + s->cow_format, 4, s->big_endian, 0);
    }
    return s->header_bytes;
}

/* ---- making an image ---- */

static bool pattern_bit(const struct model_spec *spec, struct rng *rng, uint64_t sector, uint64_t mapped)
{
    switch (spec->pattern) {
    case PATTERN_ALL:
        return true;
    case PATTERN_ALTERNATE:
        return sector % 2 == 0;
    case PATTERN_RUNS:
        return (sector / 11 + spec->seed) % 3 == 0;
    case PATTERN_RANDOM:
        return rng_next(rng) % 3 == 0;
    case PATTERN_EDGES:
        return sector == 0 || sector + 1 == mapped || sector % 64 == 63 || sector % 64 == 0;
    case PATTERN_FAR:
        return sector % 140 < 5;
    case PATTERN_LONG:
        return (sector + spec->seed) / 2563 % 2 == 0;
    case PATTERN_NONE:
    case PATTERNS:
        break;
    }
    return false;
}

/* A file's content: stretches of 8 KiB of noise, of zeros that are written, and of holes. kind[] tells for
 * each stretch 'h' where nothing is to be written. */
enum { STRETCH = 8192 };

static void make_content(struct rng *rng, uint8_t *bytes, size_t n_bytes, char *kind)
{
    for (size_t at = 0; at < n_bytes; at += STRETCH) {
        size_t n = n_bytes - at < STRETCH ? n_bytes - at : STRETCH;
        kind[at / STRETCH] = "nnnhzn"[rng_below(rng, 6)];
        if (kind[at / STRETCH] == 'n') {
            rng_fill(rng, bytes + at, n);
        }
    }
}

static void write_backing(struct model *m, struct rng *rng)
{
    size_t n_bytes = (size_t)m->spec.backing_bytes;
    char *kind = calloc(n_bytes / STRETCH + 1, 1);
    m->backing = calloc(n_bytes + 1, 1);
    make_content(rng, m->backing, n_bytes, kind);
    if (!m->spec.backing_absent) {
        int fd = file_open_to_write(m->backing_path);
        must(ftruncate(fd, (off_t)n_bytes) == 0, "ftruncate");
        for (size_t at = 0; at < n_bytes; at += STRETCH) {
            if (kind[at / STRETCH] != 'h') {
                file_write_to(fd, at, m->backing + at, n_bytes - at < STRETCH ? n_bytes - at : STRETCH);
            }
        }
        close(fd);
        file_set_mtime(m->backing_path, MODEL_MTIME);
    }
    free(kind);
}

/* Whole sectors past dull_from: zeros and what the backing has, in turn; the rest of one before: zeros. */
static void make_dull(struct model *m, char *kind)
{
    const uint32_t ss = m->spec.sector_bytes;
    const uint64_t from = m->spec.dull_from, end = m->geometry.sectors * ss;
    if (from == 0) {
        return;
    }
    memset(m->cow + from, 0, end - from);
    for (uint64_t i = (from + ss - 1) / ss; i < m->geometry.sectors; i++) {
        const uint64_t at = i * ss;
        if (i % 2 == 0 && m->backing != NULL && at < m->spec.backing_bytes) {
            uint64_t n = m->spec.backing_bytes - at;
            memcpy(m->cow + at, m->backing + at, n < ss ? n : ss);
        }
        memset(kind + at / STRETCH, 'n', (ss + STRETCH - 1) / STRETCH);
    }
}

/* Header, bitmap, padding; then what is to lie in the data region, dirty sectors last, for in a v1 or v2 the
 * bits past the bitmap may overlap sector 0. */
static void write_cow(struct model *m, struct rng *rng)
{
    const struct model_spec *spec = &m->spec;
    const struct geometry *g = &m->geometry;
    const uint32_t ss = spec->sector_bytes;
    size_t data_bytes = (size_t)g->sectors * ss;
    char *kind = calloc(data_bytes / STRETCH + 1, 1);
    make_content(rng, m->cow, data_bytes, kind);
    make_dull(m, kind);

    uint8_t header[COW_HEADER_BYTES_MAX];
    const char *stored = spec->stored != NULL ? spec->stored : m->backing_path != NULL ? m->backing_path : "";
    size_t header_bytes = model_header(header, spec->format, stored, spec->size_bytes, ss, spec->alignment,
                                       m->backing_path != NULL ? MODEL_MTIME : 0, spec->garbage);
    size_t gap = (size_t)(g->data_offset - g->bitmap_offset);
    uint8_t *bitmap = calloc(gap + 1, 1);
    for (uint64_t i = 0; i < g->mapped; i++) {
        if (m->dirty[i] != 0) {
            bitmap[i / 8] = (uint8_t)(bitmap[i / 8] | 1u << (i % 8));
        }
    }
    if (spec->garbage) {
        for (uint64_t i = g->mapped; i < g->bitmap_bytes * 8; i++) {
            bitmap[i / 8] = (uint8_t)(bitmap[i / 8] | 1u << (i % 8));
        }
        for (size_t i = (size_t)g->bitmap_bytes; i < gap && i < g->bitmap_bytes + 4096; i++) {
            bitmap[i] = 0xff;
        }
        m->tail_bits = shapes[spec->format].kind == 't' && g->sectors % 8 != 0 && gap > g->bitmap_bytes;
    }
    file_write(m->cow_path, header, header_bytes);
    size_t bitmap_written = spec->garbage && gap < 1 << 20 ? gap : (size_t)g->bitmap_bytes;
    file_write_at(m->cow_path, g->bitmap_offset, bitmap, bitmap_written);
    if (!spec->short_file) {
        file_truncate(m->cow_path, g->end_offset);
    }
    int fd = file_open_to_write(m->cow_path);
    uint64_t pending = 0; /* sectors before i that are yet to be written, in one piece */
    for (uint64_t i = 0; i <= g->sectors; i++) {
        bool orphan = spec->garbage && !spec->short_file && i % 16 < 2;
        if (i < g->sectors && kind[i * ss / STRETCH] != 'h' && (m->dirty[i] != 0 || orphan)) {
            pending++;
            continue;
        }
        if (pending > 0) {
            file_write_to(fd, g->data_offset + (i - pending) * ss, m->cow + (i - pending) * ss, pending * ss);
            pending = 0;
        }
        memset(m->cow + i * ss, 0, ss); /* there is one sector more than the disk has */
    }
    if (spec->tail_bytes > 0 && !spec->short_file) {
        uint8_t *tail = malloc(spec->tail_bytes);
        must(tail != NULL, "out of memory");
        rng_fill(rng, tail, spec->tail_bytes);
        file_write_to(fd, g->end_offset, tail, spec->tail_bytes);
        free(tail);
    }
    close(fd);
    free(bitmap);
    free(kind);
}

static void compose(struct model *m)
{
    const uint32_t ss = m->spec.sector_bytes;
    m->disk = calloc((size_t)m->spec.size_bytes + 1, 1);
    if (m->backing != NULL) {
        uint64_t n = m->spec.backing_bytes < m->spec.size_bytes ? m->spec.backing_bytes : m->spec.size_bytes;
        memcpy(m->disk, m->backing, n);
    }
    for (uint64_t i = 0; i < m->geometry.sectors; i++) {
        uint64_t left = m->spec.size_bytes - i * ss;
        if (m->dirty[i] != 0) {
            memcpy(m->disk + i * ss, m->cow + i * ss, left < ss ? left : ss);
        }
    }
}

struct model_spec model_spec_of(enum cow_format format, uint64_t size_bytes, enum pattern pattern,
                                uint64_t seed)
{
    return (struct model_spec){.format = format,
                               .size_bytes = size_bytes,
                               .sector_bytes = 512,
                               .alignment = shapes[format].kind == 'a' ? 4096 : 0,
                               .backing_bytes = size_bytes,
                               .pattern = pattern,
                               .seed = seed};
}

struct model *model_create(const struct model_spec *spec)
{
    struct model *m = calloc(1, sizeof *m);
    must(m != NULL, "out of memory");
    struct rng rng = {spec->seed * 1000003 + spec->size_bytes};
    char name[128];
    m->spec = *spec;
    m->geometry = model_geometry(spec->format, spec->size_bytes, spec->sector_bytes, spec->alignment);
    m->cow_path = test_path(spec->name != NULL ? spec->name : "m");
    snprintf(name, sizeof name, "%s.img", spec->name != NULL ? spec->name : "m");
    m->dirty = calloc((size_t)m->geometry.sectors + 1, 1);
    m->cow = calloc((size_t)m->geometry.sectors + 1, spec->sector_bytes);
    for (uint64_t i = 0; i < m->geometry.mapped; i++) {
        m->dirty[i] = pattern_bit(spec, &rng, i, m->geometry.mapped);
    }
    if (spec->backing_bytes != NO_BACKING) {
        m->backing_path = test_path(name);
        write_backing(m, &rng);
    }
    write_cow(m, &rng);
    compose(m);
    return m;
}

void model_free(struct model *m)
{
    free(m->cow_path);
    free(m->backing_path);
    free(m->dirty);
    free(m->backing);
    free(m->cow);
    free(m->disk);
    free(m);
}

const char *model_describe(const struct model *m)
{
    static char text[256];
    snprintf(text, sizeof text,
             "%s size %llu sector %u alignment %u pattern %d garbage %d short %d backing %lld seed %llu",
             shapes[m->spec.format].name, (unsigned long long)m->spec.size_bytes, m->spec.sector_bytes,
             m->spec.alignment, (int)m->spec.pattern, m->spec.garbage, m->spec.short_file,
             (long long)m->spec.backing_bytes, (unsigned long long)m->spec.seed);
    return text;
}

/* ---- images without a model ---- */

struct geometry model_put_empty(const char *path, enum cow_format format, const char *stored,
                                uint64_t size_bytes, uint32_t sector_bytes, uint32_t alignment)
{
    uint8_t header[COW_HEADER_BYTES_MAX];
    const struct geometry geometry = model_geometry(format, size_bytes, sector_bytes, alignment);
    const size_t n =
        model_header(header, format, stored, size_bytes, sector_bytes, alignment, MODEL_MTIME, false);
    file_write(path, header, n);
    file_truncate(path, geometry.end_offset);
    return geometry;
}

char *model_put_holes(struct geometry *geometry, uint64_t size_bytes)
{
    char *path = test_path("m"), *backing = test_path("m.img");
    file_write(backing, "x", 1);
    file_truncate(backing, size_bytes);
    file_set_mtime(backing, MODEL_MTIME);
    *geometry = model_put_empty(path, COW_FORMAT_V3, backing, size_bytes, 512, 4096);
    free(backing);
    return path;
}

void model_set_bits(const char *path, const struct geometry *geometry, uint64_t first, uint64_t count,
                    bool set)
{
    const uint64_t begin = first / 8, end = (first + count + 7) / 8;
    uint8_t *bytes = malloc(end - begin);
    must(bytes != NULL, "out of memory");
    file_read(path, geometry->bitmap_offset + begin, bytes, end - begin);
    for (uint64_t i = first; i < first + count; i++) {
        uint8_t *byte = &bytes[i / 8 - begin];
        *byte = (uint8_t)(set ? *byte | 1u << i % 8 : *byte & ~(1u << i % 8));
    }
    file_write_at(path, geometry->bitmap_offset + begin, bytes, end - begin);
    free(bytes);
}

/* ---- reading an image with the model's eyes ---- */

bool model_read_header(struct model_view *out, const char *path, enum cow_format format)
{
    const struct shape *s = &shapes[format];
    uint8_t bytes[COW_HEADER_BYTES_MAX];
    file_read(path, 0, bytes, sizeof bytes);
    if (file_size(path) < s->header_bytes || memcmp(bytes, s->magic, s->magic_bytes) != 0) {
        return false;
    }
    *out = (struct model_view){.size_bytes = get_number(bytes + s->size, 8, s->big_endian)};
    out->sector_bytes = (uint32_t)get_number(bytes + s->sector, 4, s->big_endian);
    out->mtime = (uint32_t)get_number(bytes + s->mtime, s->mtime_bytes, s->big_endian);
    if (s->alignment != 0) {
        out->alignment = (uint32_t)get_number(bytes + s->alignment, 4, s->big_endian);
    }
    memcpy(out->path, bytes + s->path, s->path_bytes);
    if (out->size_bytes == UINT64_MAX || out->sector_bytes == 0 || (s->kind == 'a' && out->alignment == 0)) {
        return false;
    }
    out->geometry = model_geometry(format, out->size_bytes, out->sector_bytes, out->alignment);
    return true;
}

bool model_file_bit(const char *path, const struct geometry *geometry, uint64_t sector)
{
    uint8_t byte = 0;
    file_read(path, geometry->bitmap_offset + sector / 8, &byte, 1);
    return sector < geometry->mapped && (byte >> (sector % 8) & 1) != 0;
}

uint8_t *model_compose(const char *cow_path, enum cow_format format, const char *backing_path,
                       uint64_t *size_bytes)
{
    struct model_view view;
    if (!model_read_header(&view, cow_path, format)) {
        return NULL;
    }
    const struct geometry *g = &view.geometry;
    uint8_t *disk = calloc(g->sectors + 1, view.sector_bytes);
    uint8_t *bitmap = calloc(g->bitmap_bytes + 1, 1);
    uint8_t *data = malloc((g->sectors + 1) * view.sector_bytes);
    must(disk != NULL && bitmap != NULL && data != NULL, "out of memory");
    file_read(cow_path, g->bitmap_offset, bitmap, g->bitmap_bytes);
    file_read(cow_path, g->data_offset, data, g->sectors * view.sector_bytes);
    const char *backing = backing_path != NULL ? backing_path : view.path;
    if (*backing != '\0' && file_exists(backing)) {
        file_read(backing, 0, disk, view.size_bytes);
    }
    for (uint64_t i = 0; i < g->mapped; i++) {
        if ((bitmap[i / 8] >> (i % 8) & 1) != 0) {
            memcpy(disk + i * view.sector_bytes, data + i * view.sector_bytes, view.sector_bytes);
        }
    }
    *size_bytes = view.size_bytes;
    free(bitmap);
    free(data);
    return disk;
}
