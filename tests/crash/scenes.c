/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The scenes. Their names are used in fsync-allowed.txt.
 */
#include "scene.h"

#define ODD (201 * 512 - 77)
/* Near 8 TiB, where sizes end: a little less leaves the data of the new image within a kernel's 31 bits. */
#define HUGE_SECTORS ((UINT64_C(1) << 34) - (1 << 20))
#define HUGE_BYTES   ((HUGE_SECTORS - 400000) * 512)
#define DO(change, n)                                                                                        \
    {                                                                                                        \
        .verb = VERB_##change, .sectors = (n)                                                                \
    }
#define AWAY(change, n)                                                                                      \
    {                                                                                                        \
        .verb = VERB_##change, .sectors = (n), .away = true                                                  \
    }
#define FORCE(change, n)                                                                                     \
    {                                                                                                        \
        .verb = VERB_##change, .sectors = (n), .force = true                                                 \
    }
#define ELSEWHERE(change, n)                                                                                 \
    {                                                                                                        \
        .verb = VERB_##change, .sectors = (n), .elsewhere = true                                             \
    }

#define IN_PLACE(change, n, how)                                                                             \
    {                                                                                                        \
        .verb = VERB_##change, .sectors = (n), .method = COW_RESIZE_##how                                    \
    }

#define FAMILY(n, ...)                                                                                       \
    {                                                                                                        \
        .verb = VERB_EXTEND, .sectors = (n), .family = true, __VA_ARGS__                                     \
    }
#define WITH_FS(change, n, ...)                                                                              \
    {                                                                                                        \
        .verb = VERB_##change, .sectors = (n), .with_fs = true, __VA_ARGS__                                  \
    }
#define EXTRACT(name, ...)                                                                                   \
    {                                                                                                        \
        .verb = VERB_EXTRACT, .elsewhere = true, .file = (name), __VA_ARGS__                                 \
    }
#define EXT(...)                                                                                             \
    {                                                                                                        \
        .size_bytes = 96 * 4096, .ext_block_bytes = 4096, .pattern = PATTERN_NONE, __VA_ARGS__               \
    }

/* clang-format off */
const struct scene scenes[] = {
    /* by copy */
    {.name = "extend-v1", .spec = {.form = FORM_V1}, .action = {DO(EXTEND, 320)}},
    {.name = "extend-v1-64", .spec = {.form = FORM_V1_64, .garbage = true}, .action = {DO(EXTEND, 320)}},
    {.name = "extend-v1-be-64", .spec = {.form = FORM_V1_BE_64}, .action = {DO(EXTEND, 256)}},
    {.name = "extend-v2", .spec = {.form = FORM_V2, .garbage = true}, .action = {DO(EXTEND, 320)}},
    {.name = "extend-v2-64", .spec = {.form = FORM_V2_64, .pattern = PATTERN_RANDOM}, .action = {DO(EXTEND, 320)}},
    {.name = "extend-v3", .spec = {.form = FORM_V3, .garbage = true, .seed = 1}, .action = {DO(EXTEND, 320)}},
    {.name = "extend-v3-clone", .spec = {.form = FORM_V3, .pattern = PATTERN_RANDOM}, .action = {DO(EXTEND, 320)}, .can_clone = true},
    {.name = "extend-v3-64", .spec = {.form = FORM_V3_64, .garbage = true}, .action = {DO(EXTEND, 256)}},
    {.name = "extend-v3-4096", .spec = {.form = FORM_V3, .sector_bytes = 4096, .size_bytes = 25 * 4096 + 512}, .action = {DO(EXTEND, 300)}},
    {.name = "extend-odd", .spec = {.form = FORM_V2, .size_bytes = ODD, .garbage = true}, .action = {DO(EXTEND, 256)}},
    {.name = "extend-short-base", .spec = {.form = FORM_V3, .short_backing = true}, .action = {DO(EXTEND, 320)}},
    {.name = "copy-v1", .spec = {.form = FORM_V1, .garbage = true}, .action = {DO(COPY, 256)}},
    {.name = "copy-v1-be", .spec = {.form = FORM_V1_BE, .garbage = true}, .action = {DO(COPY, 320)}},
    {.name = "copy-v2-long", .spec = {.form = FORM_V2_LONG, .garbage = true}, .action = {DO(COPY, 256)}},
    {.name = "copy-v3", .spec = {.form = FORM_V3, .pattern = PATTERN_EDGES}, .action = {DO(COPY, 320)}},
    {.name = "copy-v3-clone", .spec = {.form = FORM_V3, .pattern = PATTERN_EDGES}, .action = {DO(COPY, 320)}, .can_clone = true},
    {.name = "copy-qemu", .spec = {.form = FORM_QEMU, .size_bytes = 200 * 512}, .action = {DO(COPY, 256)}},
    {.name = "copy-qemu-alone", .spec = {.form = FORM_QEMU_I386, .size_bytes = 200 * 512, .no_backing = true}, .action = {DO(COPY, 256)}},
    {.name = "keep-v2", .spec = {.form = FORM_V2, .garbage = true, .short_file = true}, .action = {DO(KEEP, 256)}},
    {.name = "keep-v3", .spec = {.form = FORM_V3, .pattern = PATTERN_NONE}, .action = {DO(KEEP, 320)}},
    {.name = "shrink-v3", .spec = {.form = FORM_V3, .size_bytes = 320 * 512, .dirty_end = 120}, .action = {DO(SHRINK, 161)}},
    {.name = "shrink-v2", .spec = {.form = FORM_V2, .dirty_end = 60, .garbage = true}, .action = {DO(SHRINK, 66)}},
    /* the header only */
    {.name = "header-extend", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true}, .action = {DO(EXTEND, 400)}},
    {.name = "header-extend-512", .spec = {.form = FORM_V3, .alignment = 512, .size_bytes = 80 * 512, .short_file = true}, .action = {DO(EXTEND, 203)}},
    {.name = "header-extend-odd", .spec = {.form = FORM_V3, .alignment = 4096, .size_bytes = ODD, .garbage = true}, .action = {DO(EXTEND, 300)}},
    {.name = "header-copy", .spec = {.form = FORM_V3, .alignment = 4096}, .action = {DO(COPY, 256)}},
    {.name = "header-copy-clone", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true}, .action = {DO(COPY, 256)}, .can_clone = true},
    {.name = "header-keep", .spec = {.form = FORM_V3, .alignment = 4096}, .action = {DO(KEEP, 256)}},
    {.name = "header-keep-odd", .spec = {.form = FORM_V3, .alignment = 512, .size_bytes = ODD}, .action = {DO(KEEP, 256)}},
    {.name = "away-copy", .spec = {.form = FORM_V3}, .action = {AWAY(COPY, 320)}},
    {.name = "away-shrink", .spec = {.form = FORM_V1, .dirty_end = 90}, .action = {AWAY(SHRINK, 112)}},
    {.name = "away-header", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true}, .action = {AWAY(COPY, 300)}},
    {.name = "away-undo", .spec = {.form = FORM_V2, .garbage = true}, .action = {AWAY(COPY, 320), DO(UNDO, 0)}},
    {.name = "away-undo-header", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true}, .action = {AWAY(COPY, 320), DO(UNDO, 0)}},
    /* going back */
    {.name = "undo-extend", .spec = {.form = FORM_V2, .garbage = true}, .action = {DO(EXTEND, 256), DO(UNDO, 0)}},
    {.name = "undo-copy", .spec = {.form = FORM_V3}, .action = {DO(COPY, 320), DO(UNDO, 0)}},
    {.name = "undo-copy-v2-long", .spec = {.form = FORM_V2_LONG, .garbage = true}, .action = {DO(COPY, 256), DO(UNDO, 0)}},
    {.name = "undo-extend-v1-be", .spec = {.form = FORM_V1_BE}, .action = {DO(EXTEND, 256), DO(UNDO, 0)}},
    {.name = "undo-keep", .spec = {.form = FORM_V1, .garbage = true}, .action = {DO(KEEP, 256), DO(UNDO, 0)}},
    {.name = "undo-shrink", .spec = {.form = FORM_V3_64, .dirty_end = 90}, .action = {DO(SHRINK, 112), DO(UNDO, 0)}},
    {.name = "undo-header-extend", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true}, .action = {DO(EXTEND, 256), DO(UNDO, 0)}},
    {.name = "undo-header-copy", .spec = {.form = FORM_V3, .alignment = 4096}, .action = {DO(COPY, 256), DO(UNDO, 0)}},
    {.name = "undo-header-keep", .spec = {.form = FORM_V3, .alignment = 4096, .size_bytes = ODD, .garbage = true}, .action = {DO(KEEP, 256), DO(UNDO, 0)}},
    {.name = "discard-copy", .spec = {.form = FORM_V3}, .action = {DO(EXTEND, 256), DO(DISCARD, 0)}},
    {.name = "discard-header", .spec = {.form = FORM_V3, .alignment = 4096}, .action = {DO(EXTEND, 256), DO(DISCARD, 0)}},
    /* chains: undo data is there already when the last one begins */
    {.name = "chain-copy-header", .spec = {.form = FORM_V2}, .action = {DO(EXTEND, 233), DO(EXTEND, 256), DO(EXTEND, 300)}},
    {.name = "chain-header-copy", .spec = {.form = FORM_V3, .alignment = 4096}, .action = {DO(EXTEND, 233), DO(KEEP, 256), DO(EXTEND, 300)}},
    {.name = "chain-copy-shrink", .spec = {.form = FORM_V3, .dirty_end = 100}, .action = {DO(EXTEND, 256), DO(SHRINK, 150)}},
    {.name = "chain-shrink-copy", .spec = {.form = FORM_V3, .dirty_end = 100}, .action = {DO(SHRINK, 150), DO(SHRINK, 120), DO(COPY, 256)}},
    {.name = "chain-undo-grow", .spec = {.form = FORM_V3, .alignment = 4096}, .action = {DO(EXTEND, 256), DO(UNDO, 0), DO(EXTEND, 300)}},
    {.name = "chain-undo", .spec = {.form = FORM_V3, .garbage = true}, .action = {DO(EXTEND, 256), DO(EXTEND, 300), DO(UNDO, 0)}},
    /* an image with a second name, which keeps the old disk where the image is replaced */
    {.name = "header-extend-twin", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true, .twin = true}, .action = {DO(EXTEND, 256)}},
    {.name = "undo-header-copy-twin", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true, .twin = true}, .action = {DO(COPY, 256), DO(UNDO, 0)}},
    {.name = "extend-twin", .spec = {.form = FORM_V2, .garbage = true, .twin = true}, .action = {FORCE(EXTEND, 256)}},
    {.name = "copy-twin", .spec = {.form = FORM_V3, .twin = true}, .action = {FORCE(COPY, 320)}},
    {.name = "shrink-twin", .spec = {.form = FORM_V3, .dirty_end = 100, .twin = true}, .action = {FORCE(SHRINK, 120)}},
    /* a backing file with another date than the header says */
    {.name = "extend-date", .spec = {.form = FORM_V3, .garbage = true, .other_date = true}, .action = {FORCE(EXTEND, 320)}},
    {.name = "copy-date", .spec = {.form = FORM_V1, .other_date = true}, .action = {FORCE(COPY, 320)}},
    {.name = "header-extend-date", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true, .other_date = true}, .action = {FORCE(EXTEND, 256)}},
    {.name = "header-copy-date", .spec = {.form = FORM_V3, .alignment = 4096, .other_date = true}, .action = {FORCE(COPY, 256)}},
    {.name = "undo-extend-date", .spec = {.form = FORM_V2, .other_date = true}, .action = {FORCE(EXTEND, 320), DO(UNDO, 0)}},
    {.name = "undo-header-extend-date", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true, .other_date = true}, .action = {FORCE(EXTEND, 256), DO(UNDO, 0)}},
    /* another image of the same disk, by copy */
    {.name = "pages-v1", .spec = {.form = FORM_V1, .garbage = true, .pattern = PATTERN_RANDOM}, .action = {DO(PAGES, 0)}},
    {.name = "pages-v2-tail", .spec = {.form = FORM_V2, .size_bytes = ODD, .garbage = true}, .action = {DO(PAGES, 0)}},
    {.name = "pages-v3", .spec = {.form = FORM_V3, .pattern = PATTERN_EDGES, .alignment = 4096}, .action = {DO(PAGES, 0)}},
    {.name = "pages-v3-clone", .spec = {.form = FORM_V3, .garbage = true, .pattern = PATTERN_EDGES}, .action = {DO(PAGES, 0)}, .can_clone = true},
    {.name = "pages-qemu", .spec = {.form = FORM_QEMU, .size_bytes = 200 * 512}, .action = {DO(PAGES, 0)}},
    {.name = "pages-short-base", .spec = {.form = FORM_V3, .short_backing = true, .short_file = true}, .action = {DO(PAGES, 0)}},
    {.name = "pages-twin", .spec = {.form = FORM_V3, .garbage = true, .twin = true}, .action = {FORCE(PAGES, 0)}},
    {.name = "compact-v1-64", .spec = {.form = FORM_V1_64, .garbage = true, .redundant = true}, .action = {DO(COMPACT, 0)}},
    {.name = "compact-v3", .spec = {.form = FORM_V3, .pattern = PATTERN_ALL, .redundant = true}, .action = {DO(COMPACT, 0)}},
    {.name = "compact-v3-64", .spec = {.form = FORM_V3_64, .size_bytes = ODD, .garbage = true, .redundant = true}, .action = {DO(COMPACT, 0)}},
    {.name = "compact-v3-4096", .spec = {.form = FORM_V3, .sector_bytes = 4096, .size_bytes = 25 * 4096 + 512, .redundant = true}, .action = {DO(COMPACT, 0)}},
    {.name = "compact-sectors-v2", .spec = {.form = FORM_V2_64, .garbage = true, .redundant = true, .pattern = PATTERN_RANDOM}, .action = {DO(COMPACT_SECTORS, 0)}},
    {.name = "compact-sectors-v3", .spec = {.form = FORM_V3, .redundant = true, .pattern = PATTERN_EDGES}, .action = {DO(COMPACT_SECTORS, 0)}},
    {.name = "compact-v3-small", .spec = {.form = FORM_V3, .size_bytes = 384 * 1024, .ext_block_bytes = 1024, .pattern = PATTERN_NONE}, .action = {DO(COMPACT, 0)}},
    {.name = "compact-v3-unused", .spec = EXT(.form = FORM_V3), .action = {DO(COMPACT_UNUSED, 0)}},
    {.name = "compact-v2-unused", .spec = EXT(.form = FORM_V2, .garbage = true), .action = {DO(COMPACT_UNUSED, 0)}},
    {.name = "convert-v2", .spec = {.form = FORM_V2, .garbage = true, .size_bytes = ODD}, .action = {DO(CONVERT, 0)}},
    {.name = "equal-v1", .spec = {.form = FORM_V1, .garbage = true, .other = OTHER_EQUAL}, .action = {DO(REBASE, 0)}},
    {.name = "stamp-v2", .spec = {.form = FORM_V2, .other_date = true}, .action = {DO(RESTAMP, 0)}},
    {.name = "safe-v1-be", .spec = {.form = FORM_V1_BE, .garbage = true, .other = OTHER_DIFFERS}, .action = {DO(REBASE_SAFE, 0)}},
    {.name = "safe-v3", .spec = {.form = FORM_V3, .alignment = 4096, .other = OTHER_DIFFERS}, .action = {DO(REBASE_SAFE, 0)}},
    {.name = "safe-v3-4096", .spec = {.form = FORM_V3, .sector_bytes = 4096, .size_bytes = 25 * 4096 + 512, .other = OTHER_DIFFERS}, .action = {DO(REBASE_SAFE, 0)}},
    {.name = "safe-qemu-alone", .spec = {.form = FORM_QEMU_I386, .size_bytes = 200 * 512, .no_backing = true, .other = OTHER_DIFFERS}, .action = {DO(REBASE_SAFE, 0)}},
    /* and by its header only */
    {.name = "header-rebase", .spec = {.form = FORM_V3, .garbage = true, .other = OTHER_EQUAL}, .action = {DO(REBASE, 0)}},
    {.name = "header-rebase-twin", .spec = {.form = FORM_V3, .alignment = 4096, .twin = true, .other = OTHER_EQUAL}, .action = {DO(REBASE, 0)}},
    {.name = "header-restamp", .spec = {.form = FORM_V3, .garbage = true, .other_date = true}, .action = {DO(RESTAMP, 0)}},
    /* and back, and after one another */
    {.name = "undo-pages", .spec = {.form = FORM_V2, .garbage = true}, .action = {DO(PAGES, 0), DO(UNDO, 0)}},
    {.name = "undo-compact", .spec = {.form = FORM_V3, .redundant = true}, .action = {DO(COMPACT, 0), DO(UNDO, 0)}},
    {.name = "undo-compact-unused", .spec = EXT(.form = FORM_V3, .garbage = true), .action = {DO(COMPACT_UNUSED, 0), DO(UNDO, 0)}},
    {.name = "undo-safe", .spec = {.form = FORM_V3, .garbage = true, .other = OTHER_DIFFERS}, .action = {DO(REBASE_SAFE, 0), DO(UNDO, 0)}},
    {.name = "undo-header-rebase", .spec = {.form = FORM_V3, .garbage = true, .other = OTHER_EQUAL}, .action = {DO(REBASE, 0), DO(UNDO, 0)}},
    {.name = "undo-header-restamp", .spec = {.form = FORM_V3, .other_date = true}, .action = {DO(RESTAMP, 0), DO(UNDO, 0)}},
    {.name = "chain-compact-header", .spec = {.form = FORM_V3, .redundant = true, .garbage = true}, .action = {DO(COMPACT, 0), DO(EXTEND, 320)}},
    {.name = "chain-compact-pages", .spec = {.form = FORM_V3, .redundant = true, .garbage = true}, .action = {DO(COMPACT_SECTORS, 0), DO(PAGES, 0)}},
    {.name = "chain-undo-pages", .spec = {.form = FORM_V3, .alignment = 4096}, .action = {DO(EXTEND, 256), DO(PAGES, 0), DO(UNDO, 0)}},
    /* where the data lies: moved, with several pieces where there is little space (64 KiB then) */
    {.name = "moved-extend", .fsyncs = FSYNCS_SOAK, .spec = {.form = FORM_V3, .garbage = true}, .action = {IN_PLACE(EXTEND, 320, MOVED)}},
    {.name = "moved-extend-512", .spec = {.form = FORM_V3, .alignment = 512, .size_bytes = ODD, .garbage = true, .pattern = PATTERN_EDGES}, .action = {IN_PLACE(EXTEND, 1300, MOVED)}},
    {.name = "moved-pieces", .fsyncs = FSYNCS_MORE, .spec = {.form = FORM_V3, .alignment = 4096, .size_bytes = 560 * 512, .pattern = PATTERN_RANDOM}, .action = {IN_PLACE(EXTEND, 1400, MOVED)}, .capacity_bytes = 1000 * 1024, .room_comes_late = true},
    {.name = "moved-pieces-keep", .fsyncs = FSYNCS_SOAK, .spec = {.form = FORM_V3, .alignment = 512, .size_bytes = 500 * 512, .pattern = PATTERN_ALL}, .action = {IN_PLACE(KEEP, 1300, MOVED)}, .capacity_bytes = 900 * 1024},
    {.name = "moved-short-shift", .fsyncs = FSYNCS_SOAK, .spec = {.form = FORM_V3, .alignment = 512, .size_bytes = HUGE_BYTES}, .action = {IN_PLACE(EXTEND, HUGE_SECTORS, MOVED)}},
    {.name = "moved-copy", .fsyncs = FSYNCS_SOAK, .spec = {.form = FORM_V3, .pattern = PATTERN_EDGES}, .action = {IN_PLACE(COPY, 320, MOVED)}, .can_clone = true},
    {.name = "moved-no-punch", .fsyncs = FSYNCS_SOAK, .spec = {.form = FORM_V3, .alignment = 4096, .pattern = PATTERN_RUNS}, .action = {IN_PLACE(EXTEND, 1400, MOVED)}, .no_punch = true},
    {.name = "moved-twin", .fsyncs = FSYNCS_SOAK, .spec = {.form = FORM_V3, .garbage = true, .twin = true}, .action = {IN_PLACE(EXTEND, 320, MOVED)}},
    {.name = "undo-moved-extend", .fsyncs = FSYNCS_SOAK, .spec = {.form = FORM_V3, .garbage = true}, .action = {IN_PLACE(EXTEND, 320, MOVED), DO(UNDO, 0)}},
    {.name = "undo-moved-pieces", .spec = {.form = FORM_V3, .alignment = 4096, .size_bytes = 480 * 512, .pattern = PATTERN_RANDOM}, .action = {IN_PLACE(EXTEND, 1400, MOVED), DO(UNDO, 0)}, .capacity_bytes = 1000 * 1024, .room_comes_late = true},
    {.name = "undo-moved-keep", .fsyncs = FSYNCS_SOAK, .spec = {.form = FORM_V3, .alignment = 512, .size_bytes = 200 * 512}, .action = {IN_PLACE(KEEP, 1300, MOVED), DO(UNDO, 0)}},
    {.name = "chain-moved-header", .spec = {.form = FORM_V3, .garbage = true}, .action = {IN_PLACE(EXTEND, 320, MOVED), DO(EXTEND, 400)}},
    {.name = "chain-copy-moved", .fsyncs = FSYNCS_SOAK, .spec = {.form = FORM_V2, .garbage = true}, .action = {DO(EXTEND, 256), IN_PLACE(EXTEND, 400, MOVED)}},
    /* ... inserted by the filesystem */
    {.name = "inserted-extend", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true}, .action = {IN_PLACE(EXTEND, 1400, INSERTED)}, .can_insert = true},
    {.name = "inserted-size-last", .fsyncs = FSYNCS_SOAK, .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true, .pattern = PATTERN_RANDOM}, .action = {IN_PLACE(EXTEND, 1400, INSERTED)}, .can_insert = true, .size_order = SIZE_LAST},
    {.name = "inserted-copy", .fsyncs = FSYNCS_SOAK, .spec = {.form = FORM_V3, .alignment = 4096, .size_bytes = ODD}, .action = {IN_PLACE(COPY, 1400, INSERTED)}, .can_insert = true},
    {.name = "undo-inserted", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true}, .action = {IN_PLACE(EXTEND, 1400, INSERTED), DO(UNDO, 0)}, .can_insert = true},
    {.name = "undo-inserted-last", .fsyncs = FSYNCS_SOAK, .spec = {.form = FORM_V3, .alignment = 4096, .pattern = PATTERN_RANDOM}, .action = {IN_PLACE(EXTEND, 1400, INSERTED), DO(UNDO, 0)}, .can_insert = true, .size_order = SIZE_LAST},
    /* and the filesystem with it: by header, what it wrote is taken over; by copy, it writes the new file */
    {.name = "content-extend", .fsyncs = FSYNCS_MORE, .spec = EXT(.form = FORM_V3, .alignment = 4096, .garbage = true), .action = {WITH_FS(EXTEND, 960, .force = false)}},
    {.name = "content-copy", .fsyncs = FSYNCS_SOAK, .spec = EXT(.form = FORM_V3, .alignment = 4096), .action = {WITH_FS(COPY, 960, .force = false)}, .can_clone = true},
    {.name = "content-keep", .fsyncs = FSYNCS_SOAK, .spec = EXT(.form = FORM_V3, .alignment = 4096), .action = {WITH_FS(KEEP, 960, .force = false)}, .no_punch = true},
    {.name = "undo-content", .fsyncs = FSYNCS_MORE, .spec = EXT(.form = FORM_V3, .alignment = 4096, .garbage = true), .action = {WITH_FS(EXTEND, 960, .force = false), DO(UNDO, 0)}},
    {.name = "undo-content-copy", .fsyncs = FSYNCS_SOAK, .spec = EXT(.form = FORM_V3, .alignment = 4096), .action = {WITH_FS(COPY, 960, .force = false), DO(UNDO, 0)}},
    {.name = "chain-content-extend", .fsyncs = FSYNCS_SOAK, .spec = EXT(.form = FORM_V3, .alignment = 4096), .action = {WITH_FS(EXTEND, 960, .force = false), DO(EXTEND, 1000)}},
    {.name = "fs-extend-v2", .fsyncs = FSYNCS_SOAK, .spec = EXT(.form = FORM_V2, .garbage = true), .action = {WITH_FS(EXTEND, 960, .force = false)}},
    {.name = "fs-shrink", .fsyncs = FSYNCS_SOAK, .spec = EXT(.form = FORM_V3, .garbage = true), .action = {WITH_FS(SHRINK, 640, .force = false)}},
    {.name = "undo-fs-shrink", .fsyncs = FSYNCS_SOAK, .spec = EXT(.form = FORM_V1), .action = {WITH_FS(SHRINK, 640, .force = false), DO(UNDO, 0)}},
    /* into the backing file; another image is on it */
    {.name = "inplace-v1", .spec = {.form = FORM_V1, .garbage = true, .sibling = true}, .action = {DO(MERGE_IN_PLACE, 0)}},
    {.name = "inplace-v2-tail", .spec = {.form = FORM_V2, .size_bytes = ODD, .garbage = true, .sibling = true}, .action = {DO(MERGE_IN_PLACE, 0)}},
    {.name = "inplace-v3", .spec = {.form = FORM_V3, .pattern = PATTERN_RANDOM, .sibling = true}, .action = {DO(MERGE_IN_PLACE, 0)}},
    {.name = "inplace-v3-4096", .spec = {.form = FORM_V3, .sector_bytes = 4096, .size_bytes = 25 * 4096 + 512, .sibling = true}, .action = {DO(MERGE_IN_PLACE, 0)}},
    {.name = "inplace-qemu", .spec = {.form = FORM_QEMU, .size_bytes = 200 * 512, .sibling = true, .pattern = PATTERN_ALL}, .action = {DO(MERGE_IN_PLACE, 0)}},
    {.name = "inplace-date", .spec = {.form = FORM_V3, .garbage = true, .other_date = true, .sibling = true}, .action = {FORCE(MERGE_IN_PLACE, 0)}},
    {.name = "inplace-slow", .spec = {.form = FORM_V3, .dirty_end = 60, .sibling = true, .device = {.write_ms = 5500}}, .action = {DO(MERGE_IN_PLACE, 0)}},
    {.name = "inplace-twin", .spec = {.form = FORM_V3, .alignment = 4096, .twin = true, .sibling = true}, .action = {FORCE(MERGE_IN_PLACE, 0)}},
    {.name = "inplace-chain-extend", .spec = {.form = FORM_V2, .garbage = true, .sibling = true}, .action = {DO(EXTEND, 256), DO(MERGE_IN_PLACE, 0)}},
    {.name = "inplace-chain-header", .spec = {.form = FORM_V3, .alignment = 4096, .sibling = true}, .action = {DO(EXTEND, 256), DO(MERGE_IN_PLACE, 0)}},
    {.name = "inplace-chain-private", .spec = {.form = FORM_V3, .sibling = true}, .action = {DO(COPY, 256), DO(MERGE_IN_PLACE, 0)}},
    /* nearly 8 TiB, nearly all of it a hole */
    {.name = "header-extend-huge", .spec = {.form = FORM_V3, .alignment = 65536, .size_bytes = HUGE_BYTES}, .action = {DO(EXTEND, HUGE_SECTORS)}},
    {.name = "extend-huge", .spec = {.form = FORM_V3, .size_bytes = HUGE_BYTES}, .action = {DO(EXTEND, HUGE_SECTORS)}},
    {.name = "undo-header-copy-huge", .spec = {.form = FORM_V3, .alignment = 65536, .size_bytes = HUGE_BYTES}, .action = {DO(COPY, HUGE_SECTORS), DO(UNDO, 0)}},
    /* what only makes files */
    {.name = "create", .spec = {.form = FORM_V3}, .action = {ELSEWHERE(CREATE, 0)}},
    {.name = "merge", .spec = {.form = FORM_V3, .garbage = true, .pattern = PATTERN_RANDOM}, .action = {ELSEWHERE(MERGE, 0)}},
    {.name = "keep-elsewhere", .spec = {.form = FORM_V2, .garbage = true}, .action = {ELSEWHERE(KEEP, 256)}},
    {.name = "copy-elsewhere", .spec = {.form = FORM_V3}, .action = {ELSEWHERE(COPY, 256)}},
    {.name = "convert-elsewhere", .spec = {.form = FORM_V1_BE_64, .garbage = true}, .action = {ELSEWHERE(CONVERT, 0)}},
    {.name = "compact-elsewhere", .spec = {.form = FORM_V3, .redundant = true}, .action = {ELSEWHERE(COMPACT, 0)}},
    {.name = "unused-elsewhere", .spec = EXT(.form = FORM_V1_BE_64, .garbage = true), .action = {ELSEWHERE(COMPACT_UNUSED, 0)}},
    {.name = "extract", .spec = EXT(.form = FORM_V3), .action = {EXTRACT("content", .backing = false)}},
    {.name = "extract-holes", .spec = EXT(.form = FORM_V2, .garbage = true), .action = {EXTRACT("link", .backing = false)}},
    {.name = "extract-backing", .spec = EXT(.form = FORM_V3, .garbage = true), .action = {EXTRACT("link", .backing = true)}},
    {.name = "extract-force", .spec = EXT(.form = FORM_V3, .output = true), .action = {EXTRACT("content", .force = true)}},
    {.name = "save", .spec = {.form = FORM_V3}, .action = {ELSEWHERE(SAVE, 0)}},
    {.name = "save-force", .spec = {.form = FORM_V1, .output = true}, .action = {{.verb = VERB_SAVE, .elsewhere = true, .force = true}}},
    {.name = "diff", .spec = {.form = FORM_V3, .other = OTHER_DIFFERS}, .action = {ELSEWHERE(DIFF, 0)}},
    {.name = "diff-sectors", .spec = {.form = FORM_V3, .size_bytes = ODD, .other = OTHER_DIFFERS}, .action = {ELSEWHERE(DIFF, 1)}},
    /* all images on the backing file as one: by copy or header, as each can; and where the data lies */
    {.name = "family-one", .spec = {.form = FORM_V3, .garbage = true}, .action = {FAMILY(320, .in_place = false)}},
    {.name = "family-copy-header", .fsyncs = FSYNCS_MORE, .spec = {.form = FORM_V3, .pattern = PATTERN_EDGES, .relatives = 1}, .action = {FAMILY(320, .in_place = false)}},
    {.name = "family-header-header", .fsyncs = FSYNCS_MORE, .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true, .relatives = 1}, .action = {FAMILY(256, .in_place = false)}},
    {.name = "family-five", .fsyncs = FSYNCS_SOAK, .spec = {.form = FORM_V1, .pattern = PATTERN_EDGES, .relatives = 4}, .action = {FAMILY(320, .in_place = false)}},
    {.name = "family-moved", .fsyncs = FSYNCS_MORE, .spec = {.form = FORM_V3, .pattern = PATTERN_EDGES, .relatives = 1}, .action = {FAMILY(320, .in_place = true)}},
    {.name = "family-moved-three", .fsyncs = FSYNCS_SOAK, .spec = {.form = FORM_V3, .garbage = true, .relatives = 2}, .action = {FAMILY(320, .method = COW_RESIZE_MOVED)}},
    {.name = "family-inserted", .fsyncs = FSYNCS_SOAK, .spec = {.form = FORM_V3, .alignment = 4096, .relatives = 1}, .action = {FAMILY(40000, .in_place = true)}, .can_insert = true},
    {.name = "undo-family", .fsyncs = FSYNCS_SOAK, .spec = {.form = FORM_V3, .garbage = true, .relatives = 2}, .action = {FAMILY(320, .in_place = false), DO(UNDO, 0)}},
    {.name = "undo-family-two", .fsyncs = FSYNCS_MORE, .spec = {.form = FORM_V3, .garbage = true, .relatives = 1}, .action = {FAMILY(256, .in_place = false), DO(UNDO, 0)}},
    {.name = "undo-family-moved", .fsyncs = FSYNCS_SOAK, .spec = {.form = FORM_V3, .pattern = PATTERN_EDGES, .relatives = 1}, .action = {FAMILY(320, .in_place = true), DO(UNDO, 0)}},
    {.name = "chain-family", .fsyncs = FSYNCS_SOAK, .spec = {.form = FORM_V3, .relatives = 1}, .action = {FAMILY(256, .in_place = false), FAMILY(320, .in_place = false)}},
};
/* clang-format on */
const size_t n_scenes = sizeof scenes / sizeof scenes[0];
