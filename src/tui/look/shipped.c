/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table is made of share/themes as the program is built (see the Makefile): the files are its only
 * source.
 */
#include "tui/look/shipped.h"

#include <string.h>

static const struct {
    const char *name, *text;
} shipped[] = {
#include "themes.inc"
};

enum { SHIPPED = sizeof shipped / sizeof shipped[0] };

const char *tui_shipped_theme(const char *name)
{
    for (size_t i = 0; i < SHIPPED; i++) {
        if (strcmp(shipped[i].name, name) == 0) {
            return shipped[i].text;
        }
    }
    return NULL;
}

const char *tui_shipped_name(size_t index)
{
    return index < SHIPPED ? shipped[index].name : NULL;
}
