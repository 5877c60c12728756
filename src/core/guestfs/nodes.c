/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See nodes.h. A hash table with open addressing, by inode number.
 */
#include "core/guestfs/nodes.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"

enum { FIRST_SLOTS = 256 };

static size_t slot_of(const struct nodes *nodes, uint32_t inode)
{
    size_t at = (size_t)(inode * UINT32_C(2654435761)) & (nodes->slots - 1);
    while (nodes->slot[at] != 0 && nodes->node[nodes->slot[at] - 1].inode != inode) {
        at = (at + 1) & (nodes->slots - 1);
    }
    return at;
}

struct node *nodes_find(const struct nodes *nodes, uint32_t inode)
{
    if (nodes->slots == 0) {
        return NULL;
    }
    const size_t at = slot_of(nodes, inode);
    return nodes->slot[at] == 0 ? NULL : &nodes->node[nodes->slot[at] - 1];
}

static bool grow_slots(struct nodes *nodes)
{
    const size_t slots = nodes->slots == 0 ? FIRST_SLOTS : 2 * nodes->slots;
    uint32_t *slot = calloc(slots, sizeof *slot);
    if (slot == NULL) {
        return false;
    }
    free(nodes->slot);
    nodes->slot = slot;
    nodes->slots = slots;
    for (size_t i = 0; i < nodes->n; i++) {
        nodes->slot[slot_of(nodes, nodes->node[i].inode)] = (uint32_t)i + 1;
    }
    return true;
}

struct node *nodes_get(struct nodes *nodes, uint32_t inode)
{
    struct node *found = nodes_find(nodes, inode);
    if (found != NULL) {
        return found;
    }
    if (nodes->n >= nodes->slots / 2 && !grow_slots(nodes)) {
        return NULL;
    }
    struct node *grown = grow_array(nodes->node, nodes->n, &nodes->room, sizeof *grown);
    if (grown == NULL) {
        return NULL;
    }
    nodes->node = grown;
    nodes->node[nodes->n] = (struct node){.inode = inode};
    nodes->slot[slot_of(nodes, inode)] = (uint32_t)++nodes->n;
    return &nodes->node[nodes->n - 1];
}

bool nodes_add_name(struct nodes *nodes, uint32_t *list, uint32_t directory, const char *text,
                    size_t text_bytes)
{
    nodes->names = nodes->names == 0 ? 1 : nodes->names; /* 0 means none */
    struct node_name *names = grow_array(nodes->name, nodes->names, &nodes->name_room, sizeof *names);
    if (names == NULL) {
        return false;
    }
    nodes->name = names;
    while (nodes->text_room - nodes->text_bytes <= text_bytes) {
        char *grown = grow_array(nodes->text, nodes->text_room, &nodes->text_room, 1);
        if (grown == NULL) {
            return false;
        }
        nodes->text = grown;
    }
    memcpy(nodes->text + nodes->text_bytes, text, text_bytes);
    nodes->text[nodes->text_bytes + text_bytes] = '\0';
    nodes->name[nodes->names] =
        (struct node_name){.next = *list, .directory = directory, .text = nodes->text_bytes};
    *list = (uint32_t)nodes->names++;
    nodes->text_bytes += text_bytes + 1;
    return true;
}

void nodes_free(struct nodes *nodes)
{
    free(nodes->node);
    free(nodes->slot);
    free(nodes->name);
    free(nodes->text);
    *nodes = (struct nodes){.n = 0};
}
