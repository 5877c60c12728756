/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Seeds, and a v3 image of one. The image is written by what format.md says, not by the core.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

enum { HEADER_BYTES = 4128, BITMAP_OFFSET = 8192, PATH_OFFSET = 32, SECTOR = 512, PLACES_MAX = 8192 };

static const char *const kind_names[FUZZ_KINDS] = {[FUZZ_SUPER] = "super",
                                                   [FUZZ_DESCRIPTOR] = "descriptor",
                                                   [FUZZ_BITMAP] = "bitmap",
                                                   [FUZZ_INODE] = "inode",
                                                   [FUZZ_DIRECTORY] = "directory",
                                                   [FUZZ_EXTENTS] = "extents",
                                                   [FUZZ_POINTERS] = "pointers",
                                                   [FUZZ_XATTR] = "xattr",
                                                   [FUZZ_JOURNAL] = "journal",
                                                   [FUZZ_TABLE] = "table",
                                                   [FUZZ_DATA] = "data"};

const char *fuzz_kind_name(enum fuzz_kind kind)
{
    return kind_names[kind];
}

static void die(const char *what, const char *path)
{
    fprintf(stderr, "fuzz: %s: ", path);
    perror(what);
    exit(2);
}

static void *need(void *memory)
{
    if (memory == NULL) {
        die("memory", "seeds");
    }
    return memory;
}

static uint8_t *read_whole(const char *path, uint32_t *n_bytes)
{
    struct stat info;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0 || info.st_size > 64 * 1024 * 1024) {
        die("open", path);
    }
    *n_bytes = (uint32_t)info.st_size;
    uint8_t *bytes = need(malloc((size_t)info.st_size));
    if (read(fd, bytes, (size_t)info.st_size) != info.st_size) {
        die("read", path);
    }
    close(fd);
    return bytes;
}

static void read_map(struct fuzz_seed *seed, const char *path)
{
    char name[32];
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%u %u %u", &seed->block_bytes, &seed->blocks, &seed->fs_start) != 3) {
        die("map", path);
    }
    seed->place = need(calloc(PLACES_MAX, sizeof *seed->place));
    struct fuzz_place *place = seed->place;
    while (seed->n_places < PLACES_MAX &&
           fscanf(file, "%31s %u %u", name, &place->offset, &place->n_bytes) == 3) {
        for (place->kind = FUZZ_SUPER; strcmp(kind_names[place->kind], name) != 0; place->kind++) {
            if (place->kind + 1 == FUZZ_KINDS) {
                die("kind", name);
            }
        }
        place++;
        seed->n_places++;
    }
    fclose(file);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_map(const struct dirent *entry)
{
    const char *end = strrchr(entry->d_name, '.');
    return end != NULL && strcmp(end, ".map") == 0;
}

size_t fuzz_seeds_read(struct fuzz_seed *seeds, const char *directory, const char *scratch)
{
    struct dirent **names;
    char path[FUZZ_PATH_BYTES];
    const int n_names = scandir(directory, &names, is_map, by_name);
    if (n_names <= 0 || n_names > FUZZ_SEEDS_MAX) {
        die("no seeds", directory);
    }
    for (int n = 0; n < n_names; n++) {
        struct fuzz_seed *seed = &seeds[n];
        uint32_t n_bytes;
        snprintf(seed->name, sizeof seed->name, "%.*s", (int)strlen(names[n]->d_name) - 4, names[n]->d_name);
        snprintf(path, sizeof path, "%s/%s.base", directory, seed->name);
        seed->base = read_whole(path, &seed->n_bytes);
        snprintf(path, sizeof path, "%s/%s.new", directory, seed->name);
        seed->guest = read_whole(path, &n_bytes);
        if (n_bytes != seed->n_bytes || n_bytes % FUZZ_PAGE != 0) {
            die("size", path);
        }
        snprintf(path, sizeof path, "%s/%s.map", directory, seed->name);
        read_map(seed, path);
        snprintf(path, sizeof path, "%s/%ld-%s", scratch, (long)getpid(), seed->name);
        snprintf(seed->backing_path, sizeof seed->backing_path, "%.480s.img", path);
        snprintf(seed->cow_path, sizeof seed->cow_path, "%.480s.cow", path);
        free(names[n]);
    }
    free(names);
    return (size_t)n_names;
}

/* ---- the image ---- */

void fuzz_disk_begin(struct fuzz_disk *disk, struct fuzz_seed *seed)
{
    if (seed->copy.seed == NULL) {
        seed->copy.seed = seed;
        seed->copy.base = need(malloc(seed->n_bytes));
        seed->copy.guest = need(malloc(seed->n_bytes));
        seed->copy.bits = need(malloc(seed->n_bytes / FUZZ_PAGE + 1));
    }
    *disk = seed->copy;
    memcpy(disk->base, seed->base, seed->n_bytes);
    memcpy(disk->guest, seed->guest, seed->n_bytes);
    memset(disk->bits, 0, seed->n_bytes / FUZZ_PAGE + 1);
}

static void put(uint8_t *at, uint64_t value, unsigned n_bytes)
{
    for (unsigned n = 0; n < n_bytes; n++) {
        at[n] = (uint8_t)(value >> 8 * (n_bytes - 1 - n));
    }
}

static void write_at(int fd, const void *bytes, size_t n_bytes, uint64_t offset)
{
    if (pwrite(fd, bytes, n_bytes, (off_t)offset) != (ssize_t)n_bytes) {
        die("write", "image");
    }
}

static int open_sized(const char *path, uint64_t n_bytes)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)n_bytes) != 0) {
        die("open", path);
    }
    return fd;
}

static void write_backing(const struct fuzz_disk *disk)
{
    struct fuzz_seed *seed = disk->seed;
    const int fd = open_sized(seed->backing_path, seed->n_bytes);
    const bool first = seed->written == NULL;
    if (first) {
        seed->written = need(malloc(seed->n_bytes));
    }
    for (uint32_t at = 0; at < seed->n_bytes; at += FUZZ_PAGE) {
        if (first || memcmp(seed->written + at, disk->base + at, FUZZ_PAGE) != 0) {
            write_at(fd, disk->base + at, FUZZ_PAGE, at);
            memcpy(seed->written + at, disk->base + at, FUZZ_PAGE);
        }
    }
    close(fd);
}

void fuzz_disk_write(const struct fuzz_disk *disk)
{
    const char *backing_path = disk->seed->backing_path, *cow_path = disk->seed->cow_path;
    const uint32_t n_bytes = disk->seed->n_bytes;
    const uint32_t bitmap_bytes = (n_bytes / SECTOR + 7) / 8;
    const uint64_t data = (BITMAP_OFFSET + bitmap_bytes + FUZZ_PAGE - 1) / FUZZ_PAGE * FUZZ_PAGE;
    uint8_t header[HEADER_BYTES] = "OOOM";
    struct stat info;
    write_backing(disk);
    if (stat(backing_path, &info) != 0) {
        die("stat", backing_path);
    }
    put(header + 4, 3, 4);
    put(header + 8, (uint64_t)info.st_mtime, 4);
    put(header + 12, n_bytes, 8);
    put(header + 20, SECTOR, 4);
    put(header + 24, FUZZ_PAGE, 4);
    memcpy(header + PATH_OFFSET, backing_path, strlen(backing_path));
    const int fd = open_sized(cow_path, data + n_bytes);
    write_at(fd, header, sizeof header, 0);
    for (uint32_t at = 0; at < n_bytes; at += FUZZ_PAGE) {
        if (memcmp(disk->base + at, disk->guest + at, FUZZ_PAGE) != 0) {
            disk->bits[at / FUZZ_PAGE] = 0xff; /* 8 sectors a page, a byte */
        }
        if (disk->bits[at / FUZZ_PAGE] != 0) {
            write_at(fd, disk->guest + at, FUZZ_PAGE, data + at);
        }
    }
    write_at(fd, disk->bits, bitmap_bytes, BITMAP_OFFSET);
    close(fd);
}
