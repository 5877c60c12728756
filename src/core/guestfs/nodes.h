/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The inodes that a scan has something to say of, and the names under which they are found.
 */
#ifndef CORE_GUESTFS_NODES_H
#define CORE_GUESTFS_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/fs.h"

enum { NO_NAME = 0 };

struct node {
    uint32_t inode;      /* 0: none */
    bool after, before;  /* in use on the guest's side, on the backing file's */
    bool looked;         /* both sides' inodes were compared */
    bool same;           /* both are the same file */
    bool other_inode;    /* they differ in more than the date of the last access */
    bool other_metadata; /* owner, mode, dates, attributes */
    bool other_content;
    bool other_map;            /* content may lie elsewhere, or in the inode itself */
    bool attributes;           /* some lie in a block of their own */
    bool entries;              /* a directory in which names have changed */
    bool renamed;              /* some of its names have changed */
    bool other_mtime, unsure;  /* the inode number may have been given to another file */
    uint8_t type, type_before; /* enum cow_fs_type */
    uint64_t size, size_before;
    uint64_t changed_bytes;
    uint32_t name, name_before; /* the first of a list */
};

struct node_name {
    uint32_t next;
    uint32_t directory; /* inode */
    size_t text;        /* in the arena: NUL-terminated */
};

/* Zero-initialised is empty. Nodes move when one is added. */
struct nodes {
    struct node *node;
    size_t n, room;
    uint32_t *slot; /* hash: index + 1 */
    size_t slots;
    struct node_name *name; /* [0] is none */
    size_t names, name_room;
    char *text;
    size_t text_bytes, text_room;
};

/* NULL: there is none of that number. */
struct node *nodes_find(const struct nodes *nodes, uint32_t inode);
/* Finds or adds. NULL: out of memory. */
struct node *nodes_get(struct nodes *nodes, uint32_t inode);
/* Puts a name in front of a list. False: out of memory. */
bool nodes_add_name(struct nodes *nodes, uint32_t *list, uint32_t directory, const char *text,
                    size_t text_bytes);
void nodes_free(struct nodes *nodes); /* what is in it */

#endif
