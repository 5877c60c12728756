/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Arrays that grow.
 */
#ifndef CORE_BASE_GROW_H
#define CORE_BASE_GROW_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { GROW_FIRST = 64 };

/* An array with room for one more than its n members of that many bytes: the same one, or a larger one in its
 * place, half as large again. NULL: out of memory; the old one is still there. */
static inline void *grow_array(void *array, size_t n, size_t *room, size_t member_bytes)
{
    if (n < *room) {
        return array;
    }
    const size_t larger = *room < GROW_FIRST ? GROW_FIRST : *room + *room / 2;
    void *grown = larger > SIZE_MAX / member_bytes ? NULL : realloc(array, larger * member_bytes);
    if (grown != NULL) {
        *room = larger;
    }
    return grown;
}

#endif
