/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Directories. One of which neither inode nor content is in the COW has the same names on both sides, so only
 * the others are read twice and held against each other. For paths all directories of the guest are read
 * once; the names of inodes that matter are remembered.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"
#include "core/guestfs/scan.h"

enum { COMPONENTS_MAX = 1024, PATH_FIRST_ROOM = 256 };

/* An entry of a directory that may have changed, short: enough to see whether the other side has it. */
struct entry {
    uint64_t hash; /* of directory and name */
    uint32_t directory, inode;
    bool matched; /* the other side has it, too */
};

struct entries {
    struct entry *entry;
    size_t n, room;
};

struct reading {
    struct volume_scan *v;
    ext2_filsys fs;
    uint32_t directory;
    struct entries *entries; /* of directories that may differ, to be compared; NULL: not wanted */
    bool collect;            /* ... this directory may */
    size_t first_node;       /* names of the nodes from this one on are remembered ... */
    bool before;             /* ... as those of the backing file's side */
    uint32_t wanted;         /* look for this inode only; 0: for nodes */
    char *found;
    bool no_memory, exhausted;
};

static uint64_t hash_of(uint32_t directory, const char *name, size_t bytes)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ directory; /* FNV-1a */
    hash *= UINT64_C(1099511628211);
    for (size_t i = 0; i < bytes; i++) {
        hash = (hash ^ (uint8_t)name[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

static bool add_entry(struct entries *entries, const struct entry *entry)
{
    struct entry *grown = grow_array(entries->entry, entries->n, &entries->room, sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    entries->entry = grown;
    entries->entry[entries->n++] = *entry;
    return true;
}

static bool take_name(struct reading *reading, uint32_t inode, const char *name, size_t bytes)
{
    struct nodes *nodes = &reading->v->nodes;
    if (reading->wanted != 0) {
        if (inode == reading->wanted && reading->found == NULL) {
            reading->found = strndup(name, bytes);
            return reading->found != NULL;
        }
        return true;
    }
    if (reading->entries != NULL && reading->collect) {
        const struct entry entry = {.hash = hash_of(reading->directory, name, bytes),
                                    .directory = reading->directory,
                                    .inode = inode};
        if (!add_entry(reading->entries, &entry)) {
            return false;
        }
    }
    struct node *node = nodes_find(nodes, inode);
    return node == NULL || node < nodes->node + reading->first_node ||
           nodes_add_name(nodes, reading->before ? &node->name_before : &node->name, reading->directory, name,
                          bytes);
}

static int take_dirent(ext2_ino_t directory, int kind, struct ext2_dir_entry *dirent, int offset,
                       int block_bytes, char *buffer, void *context)
{
    struct reading *reading = context;
    const size_t bytes = (size_t)ext2fs_dirent_name_len(dirent);
    (void)directory;
    (void)offset;
    (void)block_bytes;
    (void)buffer;
    if (reading->v->budget == 0) {
        reading->exhausted = true;
        return DIRENT_ABORT;
    }
    reading->v->budget--;
    if (kind == DIRENT_DOT_FILE || kind == DIRENT_DOT_DOT_FILE || dirent->inode == 0 ||
        dirent->inode > reading->fs->super->s_inodes_count || bytes == 0 ||
        (dirent->name[0] == '.' && (bytes == 1 || (bytes == 2 && dirent->name[1] == '.')))) {
        return 0;
    }
    if (!take_name(reading, dirent->inode, dirent->name, strnlen(dirent->name, bytes))) {
        reading->no_memory = true;
        return DIRENT_ABORT;
    }
    return reading->found != NULL ? DIRENT_ABORT : 0;
}

static int read_directory(struct reading *reading, uint32_t directory, struct cow_error *err)
{
    reading->directory = directory;
    errcode_t code =
        ext2fs_dir_iterate2(reading->fs, directory, DIRENT_FLAG_INCLUDE_EMPTY, NULL, take_dirent, reading);
    if (reading->no_memory) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    return scan_damage(reading->v, reading->exhausted ? EXT2_ET_CANCEL_REQUESTED : code, directory, err);
}

/* A directory whose names may differ. */
static bool may_differ(const struct node *node)
{
    return !node->same || node->other_inode || node->changed_bytes > 0;
}

/* All directories of the guest's side; of the other one those that may differ. */
static int read_directories(struct reading *reading, struct cow_error *err)
{
    const struct nodes *nodes = &reading->v->nodes;
    const bool base = reading->fs == reading->v->base;
    int status = 0;
    for (size_t i = 0; i < nodes->n && status == 0 && !reading->exhausted; i++) {
        const struct node *node = &nodes->node[i];
        const bool is_directory = base ? node->before && node->type_before == COW_FS_DIRECTORY_FILE
                                       : node->after && node->type == COW_FS_DIRECTORY_FILE;
        reading->collect = may_differ(node);
        if (is_directory && (!base || reading->collect)) {
            status = read_directory(reading, node->inode, err);
        }
        if (status == 0 && i % 1024 == 0) {
            status = scan_tell(reading->v->scan, "reading directories", 0, err);
        }
    }
    return status;
}

/* ---- which names differ ---- */

/* A name that only one side has. */
static int mark(struct volume_scan *v, const struct entry *entry, struct cow_error *err)
{
    struct node *node = nodes_get(&v->nodes, entry->inode);
    if (node == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    node->renamed = true;
    int status = inodes_look(v, node, err);
    struct node *directory = nodes_find(&v->nodes, entry->directory);
    if (directory != NULL) {
        directory->entries = true;
    }
    return status;
}

/* Finds in a table of entries, which has room for more of them than there are, where this one is, or would
 * be put. */
static size_t place_in(const uint32_t *slot, size_t slots, const struct entries *in,
                       const struct entry *entry)
{
    size_t at = (size_t)entry->hash & (slots - 1);
    while (slot[at] != 0 &&
           (in->entry[slot[at] - 1].hash != entry->hash || in->entry[slot[at] - 1].inode != entry->inode)) {
        at = (at + 1) & (slots - 1);
    }
    return at;
}

static int mark_differences(struct volume_scan *v, const struct entries *after, struct entries *before,
                            struct cow_error *err)
{
    size_t slots = 256;
    int status = 0;
    while (slots < 2 * before->n) {
        slots *= 2;
    }
    uint32_t *slot = calloc(slots, sizeof *slot);
    if (slot == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < before->n; i++) {
        slot[place_in(slot, slots, before, &before->entry[i])] = (uint32_t)i + 1;
    }
    for (size_t i = 0; i < after->n && status == 0; i++) {
        const size_t at = place_in(slot, slots, before, &after->entry[i]);
        if (slot[at] != 0) {
            before->entry[slot[at] - 1].matched = true;
        } else {
            status = mark(v, &after->entry[i], err);
        }
    }
    for (size_t i = 0; i < before->n && status == 0; i++) {
        status = before->entry[i].matched ? 0 : mark(v, &before->entry[i], err);
    }
    free(slot);
    return status;
}

/* Both sides' directories: all of the guest's, and of the backing file's those that may differ. */
static int read_both(struct volume_scan *v, size_t first_node, struct entries *after, struct entries *before,
                     struct cow_error *err)
{
    struct reading guest = {.v = v, .fs = v->fs, .first_node = first_node, .entries = after};
    struct reading base = {
        .v = v, .fs = v->base, .first_node = first_node, .entries = before, .before = true};
    int status = read_directories(&guest, err);
    return status == 0 && v->base != NULL ? read_directories(&base, err) : status;
}

int names_read(struct volume_scan *v, struct cow_error *err)
{
    struct entries after = {.n = 0}, before = {.n = 0};
    const bool compare = v->base != NULL;
    const struct node *root = nodes_find(&v->nodes, EXT2_ROOT_INO);
    int status = root != NULL && root->after && root->type == COW_FS_DIRECTORY_FILE
                     ? 0
                     : scan_damage(v, EXT2_ET_NO_DIRECTORY, EXT2_ROOT_INO, err);
    if (status != 0) {
        return status;
    }
    status = read_both(v, 0, compare ? &after : NULL, compare ? &before : NULL, err);
    const size_t known = v->nodes.n;
    if (status == 0 && compare) {
        status = mark_differences(v, &after, &before, err);
    }
    free(after.entry);
    free(before.entry);
    /* names of which nobody knew that they would matter: a link whose inode does not tell of it */
    return status == 0 && v->nodes.n > known ? read_both(v, known, NULL, NULL, err) : status;
}

/* ---- paths ---- */

/* The name of a directory on one side. Where that name lies in a directory that is the same on both sides, it
 * was remembered once. */
static const struct node_name *name_of_directory(const struct volume_scan *v, uint32_t directory, bool before)
{
    const struct node *node = nodes_find(&v->nodes, directory);
    if (node == NULL || (before ? !node->before : !node->after)) {
        return NULL;
    }
    uint32_t name = before && node->name_before != NO_NAME ? node->name_before : node->name;
    if (before && node->name_before == NO_NAME && !node->same) {
        name = NO_NAME;
    }
    return name == NO_NAME ? NULL : &v->nodes.name[name];
}

char *names_path(const struct volume_scan *v, uint32_t directory, const char *name, bool before)
{
    const char *component[COMPONENTS_MAX];
    size_t n = 0, bytes = 1;
    char lost[32] = "";
    component[n++] = name;
    while (directory != EXT2_ROOT_INO) {
        const struct node_name *above = n < COMPONENTS_MAX ? name_of_directory(v, directory, before) : NULL;
        if (above == NULL) { /* a loop, or in a directory that has no name */
            snprintf(lost, sizeof lost, "<%lu>", (unsigned long)directory);
            break;
        }
        component[n++] = v->nodes.text + above->text;
        directory = above->directory;
    }
    bytes += strlen(lost);
    for (size_t i = 0; i < n; i++) {
        bytes += 1 + strlen(component[i]);
    }
    char *path = malloc(bytes);
    if (path == NULL) {
        return NULL;
    }
    char *at = stpcpy(path, lost);
    while (n > 0) {
        *at++ = '/';
        at = stpcpy(at, component[--n]);
    }
    return path;
}

int names_search(struct volume_scan *v, uint32_t inode, char **out, struct cow_error *err)
{
    struct reading reading = {.v = v, .fs = v->fs, .wanted = inode};
    const struct nodes *nodes = &v->nodes;
    int status = 0;
    *out = NULL;
    v->budget = 4 * (uint64_t)v->fs->super->s_inodes_count + 65536;
    for (size_t i = 0; i < nodes->n && status == 0 && reading.found == NULL && !reading.exhausted; i++) {
        if (nodes->node[i].after && nodes->node[i].type == COW_FS_DIRECTORY_FILE) {
            status = read_directory(&reading, nodes->node[i].inode, err);
        }
    }
    if (status == 0 && reading.found != NULL) {
        *out = names_path(v, reading.directory, reading.found, false);
        status = *out == NULL ? cow_error_set(err, COW_NO_MEMORY, "out of memory") : 0;
    }
    free(reading.found);
    return status;
}
