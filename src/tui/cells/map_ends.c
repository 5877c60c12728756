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
    const struct tui_end *end;
    unsigned kinds = 0;

    for (size_t at = 0; (end = tui_ends_within(ends, &at, first, sectors)) != NULL;)
        kinds |= 1U << end->kind;
    return kinds;
}

unsigned map_ends_shown(const struct tui_ends *ends, uint64_t first, uint64_t sectors, uint64_t cell_sectors)
{
    const struct tui_end *end;
    unsigned shown = 0;

    for (size_t at = 0; (end = tui_ends_within(ends, &at, first, sectors)) != NULL;) {
        unsigned stronger =
            map_ends_in(ends, end->sector / cell_sectors * cell_sectors, cell_sectors) >> end->kind >> 1;
        shown |= stronger ? 0 : 1U << end->kind;
    }
    return shown;
}

static void name_of(char *out, size_t out_bytes, const struct tui_end *end)
{
    if (end->kind == TUI_END_BACKING)
        snprintf(out, out_bytes, "backing");
    else if (end->kind == TUI_END_PARTITION)
        snprintf(out, out_bytes, "partition %u", end->partition);
    else if (end->partition > 0)
        snprintf(out, out_bytes, "its %s", end->type[0] ? end->type : "content");
    else
        snprintf(out, out_bytes, "%s", end->type[0] ? end->type : "the filesystem");
}

void map_end_text(const struct tui_ends *ends, uint64_t sector_bytes, uint64_t first, uint64_t sectors,
                  char *out, size_t out_bytes)
{
    const struct tui_end *end;
    char name[COW_VOLUME_TEXT_BYTES + 32], place[COW_SIZE_TEXT_BYTES] = "";
    size_t used = 0, n = 0;

    out[0] = '\0';
    for (size_t at = 0; (end = tui_ends_within(ends, &at, first, sectors)) != NULL; n++) {
        name_of(name, sizeof name, end);
        cow_size_text(place, end->sector * sector_bytes);
        if (used < out_bytes)
            used += (size_t)snprintf(out + used, out_bytes - used, "%s%s", n > 0 ? ", " : "ends: ", name);
    }
    if (n > 0 && used < out_bytes)
        snprintf(out + used, out_bytes - used, " (%s)", place);
}
