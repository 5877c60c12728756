/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See nodes.h. A hash table with open addressing, by inode number.
 */
#include "core/guestfs/nodes.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 256, FIRST_ROOM = 128, FIRST_TEXT = 4096 };

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

/* Room for one more of n members of `bytes`. */
static bool grow(void **array, size_t n, size_t *room, size_t first_room, size_t bytes)
{
    if (n < *room) {
        return true;
    }
    const size_t more = *room == 0 ? first_room : *room + *room / 2;
    void *grown = realloc(*array, more * bytes);
    if (grown == NULL) {
        return false;
    }
    *array = grown;
    *room = more;
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
    void *array = nodes->node;
    if (!grow(&array, nodes->n, &nodes->room, FIRST_ROOM, sizeof *nodes->node)) {
        return NULL;
    }
    nodes->node = array;
    nodes->node[nodes->n] = (struct node){.inode = inode};
    nodes->slot[slot_of(nodes, inode)] = (uint32_t)++nodes->n;
    return &nodes->node[nodes->n - 1];
}

bool nodes_add_name(struct nodes *nodes, uint32_t *list, uint32_t directory, const char *text,
                    size_t text_bytes)
{
    void *names = nodes->name;
    if (nodes->names == 0) {
        nodes->names = 1; /* 0 means none */
    }
    if (!grow(&names, nodes->names, &nodes->name_room, FIRST_ROOM, sizeof *nodes->name)) {
        return false;
    }
    nodes->name = names;
    while (nodes->text_room - nodes->text_bytes <= text_bytes) {
        void *grown = nodes->text;
        if (!grow(&grown, nodes->text_room, &nodes->text_room, FIRST_TEXT, 1)) {
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
