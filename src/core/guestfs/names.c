/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Directories. One of which neither inode nor content is in the COW has the same names on both sides, so only
 * the others are read twice and held against each other, one after the other. For paths all directories of
 * the guest are read once; the names of inodes that matter are remembered.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"
#include "core/guestfs/fs_scan.h"

enum { COMPONENTS_MAX = 1024, PATH_FIRST_ROOM = 256 };

/* An entry of a directory that may have changed, short: enough to see whether the other side has it. */
struct entry {
    uint64_t hash; /* of the name */
    uint32_t inode;
    bool matched; /* the other side has it, too */
};

struct entries {
    struct entry *entry;
    size_t n, room;
};

/* What is read of one side. */
struct reading {
    struct volume_scan *v;
    ext2_filsys fs;
    uint32_t directory;
    bool collect;           /* the entries, to be compared */
    struct entries entries; /* the memory is used again and again */
    size_t first_node;      /* names of the nodes from this one ... */
    size_t end_node;        /* ... to before this one are remembered ... */
    bool before;            /* ... as those of the backing file's side */
    uint32_t wanted;        /* look for this inode only; 0: for nodes */
    char *found;
    bool no_memory, exhausted;
};

static uint64_t hash_of(const char *name, size_t bytes)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
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
    if (reading->collect) {
        const struct entry entry = {.hash = hash_of(name, bytes), .inode = inode};
        if (!add_entry(&reading->entries, &entry)) {
            return false;
        }
    }
    struct node *node = nodes_find(nodes, inode);
    return node == NULL || node < nodes->node + reading->first_node ||
           node >= nodes->node + reading->end_node ||
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

/* ---- which names differ ---- */

/* A name that only one side has. */
static int mark(struct volume_scan *v, uint32_t directory, const struct entry *entry, struct cow_error *err)
{
    struct node *node = nodes_get(&v->nodes, entry->inode);
    if (node == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    node->renamed = true;
    int status = inodes_look(v, node, err);
    struct node *above = nodes_find(&v->nodes, directory);
    if (above != NULL) {
        above->entries = true;
    }
    return status;
}

/* A hash table of one side's entries, by index + 1. */
struct table {
    uint32_t *slot;
    size_t slots, room;
};

/* Empties it, with room for more entries than there are. */
static bool table_begin(struct table *table, size_t entries)
{
    size_t slots = 256;
    while (slots < 2 * entries) {
        slots *= 2;
    }
    if (slots > table->room) {
        free(table->slot);
        table->slot = calloc(slots, sizeof *table->slot);
        table->room = table->slot != NULL ? slots : 0;
    } else {
        memset(table->slot, 0, slots * sizeof *table->slot);
    }
    table->slots = slots;
    return table->slot != NULL;
}

/* Where in the table this entry is, or would be put. */
static uint32_t *place_in(const struct table *table, const struct entries *in, const struct entry *entry)
{
    size_t at = (size_t)entry->hash & (table->slots - 1);
    while (table->slot[at] != 0 && (in->entry[table->slot[at] - 1].hash != entry->hash ||
                                    in->entry[table->slot[at] - 1].inode != entry->inode)) {
        at = (at + 1) & (table->slots - 1);
    }
    return &table->slot[at];
}

static int mark_differences(struct volume_scan *v, uint32_t directory, const struct entries *after,
                            struct entries *before, struct table *table, struct cow_error *err)
{
    int status = 0;
    if (!table_begin(table, before->n)) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < before->n; i++) {
        *place_in(table, before, &before->entry[i]) = (uint32_t)i + 1;
    }
    for (size_t i = 0; i < after->n && status == 0; i++) {
        const uint32_t found = *place_in(table, before, &after->entry[i]);
        if (found != 0) {
            before->entry[found - 1].matched = true;
        } else {
            status = mark(v, directory, &after->entry[i], err);
        }
    }
    for (size_t i = 0; i < before->n && status == 0; i++) {
        status = before->entry[i].matched ? 0 : mark(v, directory, &before->entry[i], err);
    }
    return status;
}

/* Both sides, directory by directory. */
struct both {
    struct reading guest, base;
    struct table table;
    bool compare; /* their names */
};

/* The guest's side of a directory; the other one, too, if it may differ. */
static int read_one(struct both *both, const struct node *node, struct cow_error *err)
{
    struct volume_scan *v = both->guest.v;
    const uint32_t inode = node->inode;
    const bool twice = v->base != NULL && may_differ(node), collect = twice && both->compare;
    const bool in_guest = node->after && node->type == COW_FS_DIRECTORY_FILE;
    const bool in_base = twice && node->before && node->type_before == COW_FS_DIRECTORY_FILE;
    int status = 0;
    both->guest.collect = both->base.collect = collect;
    both->guest.entries.n = both->base.entries.n = 0;
    if (in_guest && !both->guest.exhausted) {
        status = read_directory(&both->guest, inode, err);
    }
    if (status == 0 && in_base && !both->base.exhausted) {
        status = read_directory(&both->base, inode, err);
    }
    const bool whole = !both->guest.exhausted && !both->base.exhausted;
    return status == 0 && collect && whole && (in_guest || in_base)
               ? mark_differences(v, inode, &both->guest.entries, &both->base.entries, &both->table, err)
               : status;
}

/* Reads the directories for names of the nodes from first_node on. */
static int read_both_directories(struct volume_scan *v, size_t first_node, bool compare,
                                 struct cow_error *err)
{
    const struct reading reading = {.v = v, .fs = v->fs, .first_node = first_node, .end_node = v->nodes.n};
    struct both both = {.guest = reading, .base = reading, .compare = compare};
    int status = 0;
    both.base.fs = v->base;
    both.base.before = true;
    for (size_t i = 0; i < reading.end_node && status == 0; i++) {
        const struct node node = v->nodes.node[i]; /* nodes move */
        status = read_one(&both, &node, err);
        if (status == 0 && i % 1024 == 0) {
            status = scan_tell(v->scan, "reading directories", 0, err);
        }
    }
    free(both.guest.entries.entry);
    free(both.base.entries.entry);
    free(both.table.slot);
    return status;
}

int names_read(struct volume_scan *v, struct cow_error *err)
{
    const struct node *root = nodes_find(&v->nodes, EXT2_ROOT_INO);
    const size_t known = v->nodes.n;
    int status = root != NULL && root->after && root->type == COW_FS_DIRECTORY_FILE
                     ? 0
                     : scan_damage(v, EXT2_ET_NO_DIRECTORY, EXT2_ROOT_INO, err);
    if (status != 0) {
        return status;
    }
    status = read_both_directories(v, 0, v->base != NULL, err);
    /* names of which nobody knew that they would matter: a link whose inode does not tell of it */
    return status == 0 && v->nodes.n > known ? read_both_directories(v, known, false, err) : status;
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
