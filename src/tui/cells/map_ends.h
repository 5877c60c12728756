/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Marks on the map where filesystems, partitions and the backing file end.
 */
#ifndef COW_TUI_CELLS_MAP_ENDS_H
#define COW_TUI_CELLS_MAP_ENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tui/cells/legend.h"
#include "tui/jobs/ends_job.h"

/* Which kinds of end lie within a stretch of sectors: 1 << kind, 0 if none. */
unsigned map_ends_in(const struct tui_ends *ends, uint64_t first, uint64_t sectors);

/* Which of them show in cells of so many sectors: of each cell the strongest. */
unsigned map_ends_shown(const struct tui_ends *ends, uint64_t first, uint64_t sectors, uint64_t cell_sectors);

/* What ends there, in words: "ends: backing, ext4 (64.0 MiB)"; "" if nothing does. */
void map_end_text(const struct tui_ends *ends, uint64_t sector_bytes, uint64_t first, uint64_t sectors,
                  char *out, size_t out_bytes);

#endif
