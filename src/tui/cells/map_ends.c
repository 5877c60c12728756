/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What ends in a cell. There are few ends, so each question walks through all of them.
 */
#include "tui/cells/map_ends.h"

#include <stdio.h>
#include <string.h>

#include "cow/text.h"

unsigned map_ends_in(const struct tui_ends *ends, uint64_t first, uint64_t sectors)
{
    const struct front_end *end;
    unsigned kinds = 0;

    for (size_t at = 0; (end = front_ends_within(&ends->known, &at, first, sectors)) != NULL;) {
        kinds |= 1U << end->kind;
    }
    return kinds;
}

unsigned map_ends_shown(const struct tui_ends *ends, uint64_t first, uint64_t sectors, uint64_t cell_sectors)
{
    const struct front_end *end;
    unsigned shown = 0;

    for (size_t at = 0; (end = front_ends_within(&ends->known, &at, first, sectors)) != NULL;) {
        unsigned stronger =
            map_ends_in(ends, end->sector / cell_sectors * cell_sectors, cell_sectors) >> end->kind >> 1;
        shown |= stronger != 0 ? 0 : 1U << end->kind;
    }
    return shown;
}

void map_end_text(const struct tui_ends *ends, uint64_t sector_bytes, uint64_t first, uint64_t sectors,
                  char *out, size_t out_bytes)
{
    const struct front_end *end;
    char name[FRONT_END_NAME_BYTES], place[COW_SIZE_TEXT_BYTES] = "";
    size_t used = 0, n = 0;

    out[0] = '\0';
    for (size_t at = 0; (end = front_ends_within(&ends->known, &at, first, sectors)) != NULL; n++) {
        front_end_name(name, end);
        cow_size_text(place, end->sector * sector_bytes);
        if (used < out_bytes) {
            used += (size_t)snprintf(out + used, out_bytes - used, "%s%s", n > 0 ? ", " : "ends: ", name);
        }
    }
    if (n > 0 && used < out_bytes) {
        snprintf(out + used, out_bytes - used, " (%s)", place);
    }
}
