/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Glyphs and styles of the states. Each has a glyph of its own, in ASCII too (canvas.c), so that none depends
 * on colour. One table a kind of state: a map and the legend below it cannot part.
 */
#include "tui/cells/legend.h"

#include <stdio.h>

#include "tui/jobs/files_job.h"
#include "tui/screen/utf8.h"

static const struct {
    struct tui_mark mark;
    const char *text;
} densities[FRONT_DENSITIES] = {
    [FRONT_DENSITY_OUTSIDE] = {{' ', TUI_NORMAL}, "behind the end of the disk"},
    [FRONT_DENSITY_BACKING] = {{0x00b7, TUI_MAP_BACKING}, "nothing in the COW: all from the backing file"},
    [FRONT_DENSITY_BEYOND] = {{'~', TUI_MAP_BEYOND},
                              "nothing in the COW, past the end of the backing file: zeros"},
    [FRONT_DENSITY_LOW] = {{0x2591, TUI_MAP_LOW},
                           "up to 24% of the cell's sectors are in the COW; on a logarithmic scale "
                           "(%) the shades part where the legend says"},
    [FRONT_DENSITY_HALF] = {{0x2592, TUI_MAP_HALF}, "25 to 49%"},
    [FRONT_DENSITY_HIGH] = {{0x2593, TUI_MAP_HIGH}, "50 to 99%"},
    [FRONT_DENSITY_FULL] = {{0x2588, TUI_MAP_FULL}, "all of the cell is in the COW"},
};

static const struct tui_mark origins[COW_ORIGINS] = {
    [COW_ORIGIN_BACKING] = {0x00b7, TUI_MAP_BACKING},
    [COW_ORIGIN_BACKING_HOLE] = {'-', TUI_MAP_BACKING},
    [COW_ORIGIN_BEYOND_BACKING] = {'~', TUI_MAP_BEYOND},
    [COW_ORIGIN_HOLE] = {0x25cb, TUI_MAP_HOLE},
    [COW_ORIGIN_COW] = {0x2588, TUI_MAP_FULL},
    [COW_ORIGIN_REDUNDANT] = {'=', TUI_MAP_REDUNDANT},
    [COW_ORIGIN_ZERO] = {'z', TUI_MAP_ZERO},
    [COW_ORIGIN_CHANGED] = {0x25c6, TUI_MAP_CHANGED},
    [COW_ORIGIN_ORPHAN] = {'!', TUI_MAP_ORPHAN},
};

static const struct tui_mark mixed = {'m', TUI_MAP_MIXED};
static const struct tui_mark lit = {'@', TUI_MAP_LIT};

static const struct tui_mark news[] = {{0x25ce, TUI_NEW_COOL}, {0x25c9, TUI_NEW_WARM}, {0x25cf, TUI_NEW_HOT}};

static const struct {
    struct tui_mark mark;
    const char *name;
    const char *text;
} ends_of[FRONT_END_KINDS] = {
    [FRONT_END_PARTITION] = {{'|', TUI_STRONG}, "part end", "behind the end of a partition"},
    [FRONT_END_FILESYSTEM] = {{')', TUI_STRONG}, "fs end", "behind the end of a filesystem"},
    [FRONT_END_BACKING] =
        {{'}', TUI_STRONG},
         "backing end",
         "behind the end of the backing file; where several end, the last of these signs stands"},
};

static const struct {
    struct tui_mark mark;
    const char *name;
    const char *text;
} owners[TUI_OWNERS] = {
    [TUI_OWNER_FILE] = {{'F', TUI_OWN_FILE}, "file", "content of files"},
    [TUI_OWNER_DIRECTORY] = {{'D', TUI_OWN_DIRECTORY}, "dir", "directories"},
    [TUI_OWNER_EXTRA] = {{'x', TUI_OWN_EXTRA}, "extra", "symbolic links, extent trees, extended attributes"},
    [TUI_OWNER_INODES] = {{'I', TUI_OWN_INODES}, "inode", "inode tables"},
    [TUI_OWNER_SUPER] = {{'G', TUI_OWN_SUPER}, "super", "superblocks and group descriptors"},
    [TUI_OWNER_BITMAPS] = {{'B', TUI_OWN_BITMAPS}, "bitmap", "block and inode bitmaps"},
    [TUI_OWNER_JOURNAL] = {{'J', TUI_OWN_JOURNAL}, "journal", "the journal"},
    [TUI_OWNER_FREE] = {{'f', TUI_OWN_FREE}, "free", "free: the guest has deleted what was there"},
    [TUI_OWNER_OTHER] = {{'?', TUI_OWN_OTHER}, "other", "all else: what is in no filesystem, or of no file"},
};

static const enum tui_owner groups[COW_FS_CLASSES] = {
    [COW_FS_FILE] = TUI_OWNER_FILE,
    [COW_FS_DIRECTORY] = TUI_OWNER_DIRECTORY,
    [COW_FS_SYMLINK] = TUI_OWNER_EXTRA,
    [COW_FS_MAPPING] = TUI_OWNER_EXTRA,
    [COW_FS_XATTR] = TUI_OWNER_EXTRA,
    [COW_FS_SUPERBLOCK] = TUI_OWNER_SUPER,
    [COW_FS_DESCRIPTORS] = TUI_OWNER_SUPER,
    [COW_FS_BLOCK_BITMAP] = TUI_OWNER_BITMAPS,
    [COW_FS_INODE_BITMAP] = TUI_OWNER_BITMAPS,
    [COW_FS_INODE_TABLE] = TUI_OWNER_INODES,
    [COW_FS_JOURNAL] = TUI_OWNER_JOURNAL,
    [COW_FS_RESIZE_INODE] = TUI_OWNER_SUPER,
    [COW_FS_RESERVED] = TUI_OWNER_OTHER,
    [COW_FS_FREE] = TUI_OWNER_FREE,
    [COW_FS_UNOWNED] = TUI_OWNER_OTHER,
    [COW_FS_BOOT] = TUI_OWNER_OTHER,
    [COW_FS_TABLE] = TUI_OWNER_OTHER,
    [COW_FS_OUTSIDE] = TUI_OWNER_OTHER,
    [COW_FS_OTHER] = TUI_OWNER_OTHER,
};

static const struct tui_mark kinds[COW_FS_KINDS] = {
    [COW_FS_KIND_NEW] = {'+', TUI_FILE_NEW},           [COW_FS_KIND_CONTENT] = {'*', TUI_FILE_CONTENT},
    [COW_FS_KIND_METADATA] = {'m', TUI_FILE_METADATA}, [COW_FS_KIND_REMOVED] = {'-', TUI_FILE_REMOVED},
    [COW_FS_KIND_RENAMED] = {'>', TUI_FILE_RENAMED},   [COW_FS_KIND_REPLACED] = {'!', TUI_FILE_REPLACED},
    [COW_FS_KIND_SAME] = {'=', TUI_FILE_SAME},
};

struct tui_mark tui_density_mark(enum front_density density)
{
    return densities[density].mark;
}

struct tui_mark tui_origin_mark(enum cow_origin origin)
{
    return origin < COW_ORIGINS ? origins[origin] : (struct tui_mark){'?', TUI_WARN};
}

struct tui_mark tui_scanned_mark(enum front_density density, const uint64_t sectors[COW_ORIGINS])
{
    const enum cow_origin origin = front_scanned_origin(sectors);

    return origin == COW_ORIGIN_CHANGED ? densities[density].mark : origins[origin];
}

struct tui_mark tui_mixed_mark(void)
{
    return mixed;
}

struct tui_mark tui_lit_mark(void)
{
    return lit;
}

struct tui_mark tui_new_mark(int glow)
{
    return news[glow < 1 ? 0 : glow > 3 ? 2 : glow - 1];
}

enum tui_owner tui_owner_of(enum cow_fs_class fs_class)
{
    return fs_class < COW_FS_CLASSES ? groups[fs_class] : TUI_OWNER_OTHER;
}

struct tui_mark tui_owner_mark(enum tui_owner owner)
{
    return owners[owner].mark;
}

struct tui_mark tui_end_mark(unsigned ends)
{
    int strongest = FRONT_END_KINDS - 1;

    while (strongest > 0 && (ends & 1U << strongest) == 0) {
        strongest--;
    }
    return ends_of[strongest].mark;
}

struct tui_mark tui_kind_mark(enum cow_fs_kind kind)
{
    return kind < COW_FS_KINDS ? kinds[kind] : (struct tui_mark){'?', TUI_WARN};
}

/* Draws nothing of what does not fit as a whole. */
static int legend_item(struct tui_canvas *canvas, int x, int y, int end, const struct tui_mark *mark,
                       size_t marks, const char *text)
{
    if (x + (int)marks + 1 + tui_text_cells(text) > end) {
        return x;
    }
    for (size_t i = 0; i < marks; i++) {
        x += tui_put(canvas, x, y, mark[i].glyph, mark[i].style);
    }
    return x + 1 + tui_text(canvas, x + 1, y, end - x - 1, TUI_DIM, text) + 2;
}

enum { RAMP_COLS = 5, WIDE_COLS = 100 };

static int legend_origin(struct tui_canvas *canvas, int x, int y, int end, enum cow_origin origin)
{
    return legend_item(canvas, x, y, end, &origins[origin], 1, cow_origin_name(origin));
}

int tui_legend_draw(struct tui_canvas *canvas, int x, int y, int max_cols, const struct front_heat *heat,
                    unsigned ends, bool scanned)
{
    const struct tui_mark ramp[] = {densities[FRONT_DENSITY_LOW].mark, densities[FRONT_DENSITY_HALF].mark,
                                    densities[FRONT_DENSITY_HIGH].mark, densities[FRONT_DENSITY_FULL].mark};
    char shades[FRONT_HEAT_TEXT_BYTES];
    int end = x + max_cols, from = x;

    x = legend_item(canvas, x, y, end, &densities[FRONT_DENSITY_BACKING].mark, 1, "backing");
    bool brief = max_cols < WIDE_COLS && (ends != 0 || scanned);
    if (brief || x + RAMP_COLS + tui_text_cells(front_heat_text(shades, heat, false)) > end) {
        front_heat_text(shades, heat, true);
    }
    x = legend_item(canvas, x, y, end, ramp, 4, shades);
    for (int kind = 0; kind < FRONT_END_KINDS; kind++) {
        if ((ends & 1U << kind) != 0) {
            x = legend_item(canvas, x, y, end, &ends_of[kind].mark, 1, ends_of[kind].name);
        }
    }
    if (scanned) {
        x = legend_origin(canvas, x, y, end, COW_ORIGIN_REDUNDANT);
        x = legend_origin(canvas, x, y, end, COW_ORIGIN_ZERO);
        x = legend_origin(canvas, x, y, end, COW_ORIGIN_ORPHAN);
    }
    x = legend_item(canvas, x, y, end, &densities[FRONT_DENSITY_BEYOND].mark, 1, "beyond the backing");
    return x - from;
}

int tui_legend_owners(struct tui_canvas *canvas, int x, int y, int max_cols)
{
    int end = x + max_cols, from = x;

    for (int o = 0; o < TUI_OWNERS; o++) {
        x = legend_item(canvas, x, y, end, &owners[o].mark, 1, owners[o].name);
    }
    return legend_item(canvas, x, y, end, &densities[FRONT_DENSITY_BACKING].mark, 1, "backing") - from;
}

int tui_legend_lit(struct tui_canvas *canvas, int x, int y, int max_cols, const char *path, bool below)
{
    static const char before[] = "holds some of ", after[] = "; Esc clears that";
    char text[COW_MESSAGE_BYTES], name[COW_MESSAGE_BYTES];

    tui_path_text(name, sizeof name, path, max_cols - (int)sizeof before - (int)sizeof after - 1);
    snprintf(text, sizeof text, "%s%.900s%s%s", before, name, below ? "/" : "", after);
    return legend_item(canvas, x, y, x + max_cols, &lit, 1, text) - x;
}

static void legend_line(struct tui_page *page, struct tui_mark mark, const char *name, const char *text)
{
    tui_page_line(page);
    for (int i = 0; i < 3; i++) {
        tui_page_put_char(page, 3 + i, mark.style, mark.glyph);
    }
    int col = 8;
    if (name[0] != '\0') {
        tui_page_put(page, col, TUI_STRONG, name);
    }
    tui_page_wrap(page, name[0] != '\0' ? 24 : col, name[0] != '\0' ? 24 : col, TUI_NORMAL, text);
}

/* What the guest's filesystem adds. */
static void help_files(struct tui_page *page)
{
    legend_line(page, lit, "", "the cell holds some of the file that was lit in Files (m)");
    tui_page_line(page);
    tui_page_line(page);
    tui_page_put(page, 1, TUI_HEADING,
                 "A cell of the map by owners (c): what most of it that is in the COW is");
    for (int o = 0; o < TUI_OWNERS; o++) {
        legend_line(page, owners[o].mark, "", owners[o].text);
    }
    tui_page_line(page);
    tui_page_line(page);
    tui_page_put(page, 1, TUI_HEADING, "What has happened to a file");
    for (int k = 0; k < COW_FS_KINDS; k++) {
        legend_line(page, kinds[k], cow_fs_kind_name((enum cow_fs_kind)k),
                    cow_fs_kind_text((enum cow_fs_kind)k));
    }
}

void tui_legend_help(struct tui_page *page)
{
    tui_page_line(page);
    tui_page_put(page, 1, TUI_HEADING, "A cell of the map");
    for (int d = FRONT_DENSITY_BACKING; d < FRONT_DENSITIES; d++) {
        legend_line(page, densities[d].mark, "", densities[d].text);
    }
    tui_page_line(page);
    tui_page_wrap(page, 3, 3, TUI_DIM,
                  "After a scan (s) a cell shows what most of its sectors in the COW are: the shades above "
                  "where they are changed, else the signs below; orphans always.");
    for (int kind = 0; kind < FRONT_END_KINDS; kind++) {
        legend_line(page, ends_of[kind].mark, "", ends_of[kind].text);
    }
    legend_line(page, news[2], "", "followed (F): something in it has become dirty just now");
    legend_line(page, news[1], "", "... more than 1.5 seconds ago");
    legend_line(page, news[0], "", "... more than 4 seconds ago; after 8 it looks as any other");
    help_files(page);
    tui_page_line(page);
    tui_page_line(page);
    tui_page_put(page, 1, TUI_HEADING, "Where a run's bytes come from");
    for (int o = 0; o < COW_ORIGINS; o++) {
        legend_line(page, origins[o], cow_origin_name((enum cow_origin)o),
                    cow_origin_text((enum cow_origin)o));
    }
    legend_line(page, mixed, "mixed pages",
                "after a scan: a 4 KiB page of which some sectors are in the COW, not all; a kernel that "
                "reads it may get the others wrong");
}
