/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From inodes and names to the list of changed files. A file is an inode that is the same one on both sides
 * (type, generation, date of creation); so a file that was moved is "renamed", and one that was written anew
 * under its old name is "replaced". A name counts as kept if it lies in the same directory, wherever that one
 * has gone: the files in a directory that was renamed are not listed.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"
#include "core/guestfs/fs_scan.h"
#include "core/guestfs/reader.h"

/* ---- what differs ---- */

static errcode_t open_side(struct cow_fs_reader **out, struct volume_scan *v, uint32_t inode,
                           enum cow_version version)
{
    const struct volume_sources *source = &v->scan->fs->source[v->index];
    ext2_filsys fs = version == COW_VERSION_BASE ? v->base : v->fs;
    struct ext2_inode_large content = {.i_mode = 0};
    errcode_t code = source_read_inode(fs, inode, &content, sizeof content);
    return code != 0 ? code
                     : reader_open_inode(out, version == COW_VERSION_BASE ? &source->base : &source->guest,
                                         fs, inode, &content);
}

static int ask(void *context, struct cow_error *err)
{
    return scan_tell(context, "comparing files", 0, err);
}

static int compare_content(struct volume_scan *v, struct node *node, struct cow_error *err)
{
    struct cow_fs_reader *guest = NULL, *base = NULL;
    uint64_t first;
    bool equal = false;
    int status = 0;
    errcode_t code = open_side(&guest, v, node->inode, COW_VERSION_GUEST);
    if (code == 0) {
        code = open_side(&base, v, node->inode, COW_VERSION_BASE);
    }
    if (code == 0) {
        status = reader_compare(guest, base, &equal, &first, ask, v->scan, err);
    } else {
        status = scan_damage(v, code, node->inode, err);
    }
    node->other_content = !equal;
    cow_fs_reader_close(guest);
    cow_fs_reader_close(base);
    return status;
}

/* Offsets in a block of attributes: struct ext4_xattr_header in the kernel's fs/ext4/xattr.h. */
enum { XATTR_REFCOUNT = 4, XATTR_CHECKSUM = 16 };

/* Attributes that lie in a block of their own. How many files share it is no difference. */
static int compare_attributes(struct volume_scan *v, struct node *node, struct cow_error *err)
{
    const struct volume_sources *source = &v->scan->fs->source[v->index];
    const uint64_t block_bytes = v->fs->blocksize;
    struct ext2_inode_large content = {.i_mode = 0};
    struct ext2_inode *plain = (struct ext2_inode *)(void *)&content;
    errcode_t code = source_read_inode(v->fs, node->inode, &content, sizeof content);
    const uint64_t block = code == 0 ? ext2fs_file_acl_block(v->fs, plain) : 0;
    if (block == 0 || block >= ext2fs_blocks_count(v->fs->super)) {
        return 0;
    }
    uint8_t *bytes = malloc(2 * (size_t)block_bytes);
    int status = bytes == NULL
                     ? cow_error_set(err, COW_NO_MEMORY, "out of memory")
                     : source_read(&source->guest, block * block_bytes, bytes, (size_t)block_bytes, err);
    if (status == 0) {
        status =
            source_read(&source->base, block * block_bytes, bytes + block_bytes, (size_t)block_bytes, err);
    }
    for (uint64_t side = 0; status == 0 && side <= block_bytes; side += block_bytes) {
        memset(bytes + side + XATTR_REFCOUNT, 0, 4);
        memset(bytes + side + XATTR_CHECKSUM, 0, 4);
    }
    node->other_metadata |= status == 0 && memcmp(bytes, bytes + block_bytes, (size_t)block_bytes) != 0;
    free(bytes);
    return status;
}

/* Content in the same place, of which nothing is in the COW, is the same; unless its blocks may have another
 * owner, who is the one that is told of. */
static bool content_untouched(const struct volume_scan *v, const struct node *node)
{
    return node->changed_bytes == 0 && !node->other_map && v->scan->damage[0] == '\0' &&
           ext2fs_has_feature_shared_blocks(v->fs->super) == 0;
}

/* Settles what the inodes alone do not tell. */
static int look_closer(struct volume_scan *v, struct node *node, struct cow_error *err)
{
    int status = 0;
    if (!node->same) {
        return 0;
    }
    if (node->type == COW_FS_DIRECTORY_FILE) {
        node->other_content = node->entries;
    } else if (!node->other_content && node->type != COW_FS_SPECIAL &&
               (node->other_inode || node->changed_bytes > 0) && !content_untouched(v, node)) {
        status = compare_content(v, node, err);
    }
    if (status == 0 && !node->other_metadata && node->attributes && node->changed_bytes > 0) {
        status = compare_attributes(v, node, err);
    }
    return status;
}

/* ---- the list ---- */

static bool keep_string(struct cow_fs_scan *scan, char *text)
{
    char **kept = grow_array(scan->kept, scan->n_kept, &scan->kept_room, sizeof *kept);
    if (kept == NULL) {
        free(text);
        return false;
    }
    scan->kept = kept;
    scan->kept[scan->n_kept++] = text;
    return true;
}

/* Takes path and from over; a NULL path, or no `from` of a renamed one, is "out of memory". */
static int add_file(struct volume_scan *v, const struct cow_fs_file *file, char *path, char *from,
                    struct cow_error *err)
{
    struct cow_fs_scan *scan = v->scan;
    const bool has_path = path != NULL && keep_string(scan, path);
    const bool has_from = from != NULL ? keep_string(scan, from) : file->kind != COW_FS_KIND_RENAMED;
    struct cow_fs_file *files = grow_array(scan->file, scan->n_files, &scan->file_room, sizeof *files);
    scan->file = files != NULL ? files : scan->file;
    if (!has_path || !has_from || files == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    struct cow_fs_file *added = &scan->file[scan->n_files++];
    *added = *file;
    added->path = path;
    added->from = from;
    added->volume = v->index;
    return 0;
}

/* The names of one inode, sorted out. */
struct listing {
    struct volume_scan *v;
    struct node *node;
    bool told; /* its bytes stand with one of its names already */
    struct cow_error *err;
};

static char *path_of(const struct volume_scan *v, uint32_t name, bool before)
{
    const struct node_name *found = &v->nodes.name[name];
    return names_path(v, found->directory, v->nodes.text + found->text, before);
}

static int list_path(struct listing *l, enum cow_fs_kind kind, char *path, char *from)
{
    const struct node *node = l->node;
    const bool gone = kind == COW_FS_KIND_REMOVED;
    struct cow_fs_file file = {.kind = kind,
                               .content_differs = node->same && node->other_content && !gone,
                               .type = (enum cow_fs_type)(gone ? node->type_before : node->type),
                               .inode = node->inode,
                               .size_bytes = gone ? node->size_before : node->size,
                               .changed_bytes = gone || l->told ? 0 : node->changed_bytes};
    l->told |= !gone;
    return add_file(l->v, &file, path, from, l->err);
}

/* Lies the name in a directory that has the same names on both sides? */
static bool is_implied(const struct volume_scan *v, const struct node *node, uint32_t name)
{
    const struct node *directory = nodes_find(&v->nodes, v->nodes.name[name].directory);
    return node->before && directory != NULL && directory->same && !directory->other_inode &&
           directory->changed_bytes == 0;
}

static bool same_name(const struct volume_scan *v, uint32_t a, uint32_t b)
{
    const struct node_name *left = &v->nodes.name[a], *right = &v->nodes.name[b];
    const struct node *directory = nodes_find(&v->nodes, left->directory);
    return left->directory == right->directory && directory != NULL && directory->same &&
           strcmp(v->nodes.text + left->text, v->nodes.text + right->text) == 0;
}

static bool has_name(const struct volume_scan *v, uint32_t list, uint32_t name)
{
    for (uint32_t each = list; each != NO_NAME; each = v->nodes.name[each].next) {
        if (same_name(v, each, name)) {
            return true;
        }
    }
    return false;
}

static bool was_there(const struct volume_scan *v, const struct node *node, uint32_t name)
{
    return is_implied(v, node, name) || has_name(v, node->name_before, name);
}

/* The next name from `name` on that only one side has. */
static uint32_t next_added(const struct listing *l, uint32_t name)
{
    while (name != NO_NAME && l->node->same && was_there(l->v, l->node, name)) {
        name = l->v->nodes.name[name].next;
    }
    return name;
}

static uint32_t next_gone(const struct listing *l, uint32_t name)
{
    while (name != NO_NAME && l->node->same && has_name(l->v, l->node->name, name)) {
        name = l->v->nodes.name[name].next;
    }
    return name;
}

static int list_kept(struct listing *l, uint32_t name)
{
    const struct node *node = l->node;
    const enum cow_fs_kind kind = node->other_content    ? COW_FS_KIND_CONTENT
                                  : node->other_metadata ? COW_FS_KIND_METADATA
                                                         : COW_FS_KIND_SAME;
    if (kind == COW_FS_KIND_SAME && node->changed_bytes == 0) {
        return 0;
    }
    return list_path(l, kind, path_of(l->v, name, false), NULL);
}

static int list_same(struct listing *l)
{
    const struct node_name *names = l->v->nodes.name;
    const struct node *node = l->node;
    int status = 0;
    for (uint32_t name = node->name; name != NO_NAME; name = names[name].next) {
        if (was_there(l->v, node, name)) {
            status = list_kept(l, name);
            break;
        }
    }
    uint32_t added = next_added(l, node->name), gone = next_gone(l, node->name_before);
    while (status == 0 && (added != NO_NAME || gone != NO_NAME)) {
        if (added != NO_NAME && gone != NO_NAME) {
            status =
                list_path(l, COW_FS_KIND_RENAMED, path_of(l->v, added, false), path_of(l->v, gone, true));
        } else if (added != NO_NAME) {
            status = list_path(l, COW_FS_KIND_NEW, path_of(l->v, added, false), NULL);
        } else {
            status = list_path(l, COW_FS_KIND_REMOVED, path_of(l->v, gone, true), NULL);
        }
        added = added != NO_NAME ? next_added(l, names[added].next) : NO_NAME;
        gone = gone != NO_NAME ? next_gone(l, names[gone].next) : NO_NAME;
    }
    return status;
}

/* Two files, one after the other, with one number. */
static int list_both(struct listing *l)
{
    const struct node_name *names = l->v->nodes.name;
    int status = 0;
    for (uint32_t name = l->node->name; name != NO_NAME && status == 0; name = names[name].next) {
        status = list_path(l, is_implied(l->v, l->node, name) ? COW_FS_KIND_REPLACED : COW_FS_KIND_NEW,
                           path_of(l->v, name, false), NULL);
    }
    for (uint32_t name = l->node->name_before; name != NO_NAME && status == 0; name = names[name].next) {
        status = list_path(l, COW_FS_KIND_REMOVED, path_of(l->v, name, true), NULL);
    }
    return status;
}

static int list_nameless(struct listing *l)
{
    const struct node *node = l->node;
    char text[32];
    const bool root = node->inode == EXT2_ROOT_INO;
    const enum cow_fs_kind kind = !node->same            ? COW_FS_KIND_NEW
                                  : node->other_content  ? COW_FS_KIND_CONTENT
                                  : node->other_metadata ? COW_FS_KIND_METADATA
                                                         : COW_FS_KIND_SAME;
    if (kind == COW_FS_KIND_SAME && node->changed_bytes == 0) {
        return 0;
    }
    snprintf(text, sizeof text, root ? "/" : "<%lu>", (unsigned long)node->inode);
    return list_path(l, kind, strdup(text), NULL);
}

/* The number of a removed file may have been given to a new one that looks the same: where neither has a
 * generation, no name was kept, and date and content differ, they are two. */
static void doubt(const struct listing *l)
{
    struct node *node = l->node;
    bool kept = false;
    for (uint32_t name = node->name; name != NO_NAME; name = l->v->nodes.name[name].next) {
        kept |= was_there(l->v, node, name);
    }
    if (node->same && node->unsure && node->other_mtime && node->other_content && !kept &&
        node->name_before != NO_NAME && node->type != COW_FS_DIRECTORY_FILE) {
        node->same = false;
    }
}

static int list_node(struct volume_scan *v, struct node *node, struct cow_error *err)
{
    struct listing l = {.v = v, .node = node, .err = err};
    if (node->same && !node->other_inode && !node->entries && !node->renamed && node->changed_bytes == 0) {
        return 0;
    }
    int status = look_closer(v, node, err);
    if (status != 0) {
        return status;
    }
    doubt(&l);
    if (node->after && node->name == NO_NAME) {
        status = list_nameless(&l);
        return status != 0 || node->inode == EXT2_ROOT_INO ? status : list_both(&l);
    }
    return node->same ? list_same(&l) : list_both(&l);
}

/* ---- in the end ---- */

static int changes_by_path(const void *a, const void *b)
{
    const struct cow_fs_file *left = a, *right = b;
    const int order = strcmp(left->path, right->path);
    return left->volume != right->volume ? left->volume - right->volume
           : order != 0                  ? order
           : left->kind != right->kind   ? (int)left->kind - (int)right->kind
                                         : (left->inode > right->inode) - (left->inode < right->inode);
}

/* A removed file whose name another one has now: that one is told, as "replaced". */
static void join_replaced(struct cow_fs_scan *scan)
{
    size_t kept = 0;
    for (size_t i = 0; i < scan->n_files; i++) {
        struct cow_fs_file *file = &scan->file[i];
        struct cow_fs_file *last = kept > 0 ? &scan->file[kept - 1] : NULL;
        const bool same = last != NULL && last->volume == file->volume && strcmp(last->path, file->path) == 0;
        if (same && (file->kind == COW_FS_KIND_REMOVED || last->kind == COW_FS_KIND_REMOVED)) {
            const struct cow_fs_file there = last->kind == COW_FS_KIND_REMOVED ? *file : *last;
            *last = there;
            if (there.kind == COW_FS_KIND_NEW || there.kind == COW_FS_KIND_RENAMED) {
                last->kind = COW_FS_KIND_REPLACED;
            }
        } else {
            scan->file[kept++] = *file;
        }
    }
    scan->n_files = kept;
}

/* A file that was moved, and is found under its old name again: it is in a directory that was made anew. */
static void settle_renamed(struct cow_fs_scan *scan)
{
    for (size_t i = 0; i < scan->n_files; i++) {
        struct cow_fs_file *file = &scan->file[i];
        if (file->kind == COW_FS_KIND_RENAMED && strcmp(file->path, file->from) == 0) {
            file->kind = file->content_differs ? COW_FS_KIND_CONTENT : COW_FS_KIND_METADATA;
            file->from = NULL;
        }
    }
}

int changes_list(struct volume_scan *v, struct cow_error *err)
{
    int status = 0;
    for (size_t i = 0; i < v->nodes.n && status == 0; i++) {
        status = list_node(v, &v->nodes.node[i], err);
        if (status == 0 && i % 1024 == 0) {
            status = scan_tell(v->scan, "comparing files", 0, err);
        }
    }
    if (status == 0 && v->scan->n_files > 0) {
        qsort(v->scan->file, v->scan->n_files, sizeof *v->scan->file, changes_by_path);
        join_replaced(v->scan);
        settle_renamed(v->scan);
    }
    return status;
}
