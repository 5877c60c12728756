/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See pictures.h. A picture is filled from its top; where it has rows to spare it puts blank ones between its
 * parts.
 */
#include "tui/lesson/pictures.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cow/text.h"
#include "tui/cells/legend.h"
#include "tui/lesson/bars.h"
#include "tui/screen/keys.h"
#include "tui/screen/page.h"

enum { LABEL_COLS = 12, BITS = 8, TEXT_BYTES = 4 * COW_MESSAGE_BYTES };

/* The row below a part that ends at y: a blank one is left between where some are to spare. */
static int below_part(int y, int *spare)
{
    return *spare > 0 ? (*spare)--, y + 2 : y + 1;
}

/* The rows that a picture of so many has to spare. */
static int spare_rows(const struct lesson_picture *picture, int rows)
{
    return picture->area.rows > rows ? picture->area.rows - rows : 0;
}

/* A text that may take several lines, as it is told from inside the practice directory. Returns the row below
 * it. */
static int draw_text(const struct lesson_picture *picture, int y, int x, enum tui_style style,
                     const char *text)
{
    const char *path = picture->practice->directory.path;
    size_t bytes = strlen(path), used = 0;
    char told[TEXT_BYTES];
    struct tui_page page = {0};
    int below = picture->area.y + picture->area.rows;

    while (*text != '\0' && used + 1 < sizeof told) {
        if (strncmp(text, path, bytes) == 0 && text[bytes] == '/') {
            text += bytes + 1;
        } else {
            told[used++] = *text++;
        }
    }
    told[used] = '\0';
    tui_page_begin(&page, picture->area.cols - x);
    tui_page_line(&page);
    tui_page_wrap(&page, 0, 0, style, told);
    int rows = page.lines < below - y ? page.lines : below - y;
    tui_page_draw(&page, picture->canvas,
                  (struct tui_rect){picture->area.x + x, y, picture->area.cols - x, rows}, -1);
    tui_page_free(&page);
    return y + rows;
}

/* What a kernel says, in its own words where it refuses. Returns the row below. */
static int draw_verdict(const struct lesson_picture *picture, int y)
{
    const struct cow_verdict *verdict = &picture->practice->verdict;
    char text[COW_MESSAGE_BYTES + 16];

    tui_text(picture->canvas, picture->area.x, y, LABEL_COLS, TUI_LABEL, "kernel");
    snprintf(text, sizeof text, "%s%s", verdict->opens ? "opens it" : "REFUSES: ", verdict->reason);
    return draw_text(picture, y, LABEL_COLS, verdict->opens ? TUI_GOOD : TUI_BAD, text);
}

static void draw_command(const struct lesson_picture *picture, int y)
{
    const char *command = picture->practice->command;
    int x = picture->area.x;

    if (command[0] == '\0') {
        return;
    }
    tui_put(picture->canvas, x, y, '$', TUI_DIM);
    tui_text(picture->canvas, x + 2, y, picture->area.cols - 2, TUI_STRONG, command);
}

/* ---- the two files ---- */

/* A row of cells that all stand for the disk. */
static void draw_disk_row(const struct lesson_picture *picture, int y, const char *name, bool cow_alone)
{
    struct tui_canvas *canvas = picture->canvas;
    const uint64_t size = cow_image_header(picture->practice->image)->size_bytes;
    int x = picture->area.x + bar_col(), cols = bar_cols(picture);

    tui_text(canvas, picture->area.x, y, LABEL_COLS, TUI_LABEL, name);
    tui_put(canvas, x - 1, y, 0x2502, TUI_DIM);
    tui_put(canvas, x + cols, y, 0x2502, TUI_DIM);
    for (int i = 0; i < cols; i++) {
        uint64_t from = size * (uint64_t)i / (uint64_t)cols, to = size * (uint64_t)(i + 1) / (uint64_t)cols;
        struct tui_cell cell = bar_cell(picture, from, to - from);
        if (cell.style != TUI_MAP_BACKING) {
            tui_put(canvas, x + i, y, cell.ch, (enum tui_style)cell.style);
        } else if (!cow_alone) {
            tui_put(canvas, x + i, y, BAR_RAW, TUI_LABEL);
        }
    }
}

static void draw_fact(const struct lesson_picture *picture, int y, const char *label, const char *text)
{
    tui_text(picture->canvas, picture->area.x, y, LABEL_COLS, TUI_LABEL, label);
    tui_text(picture->canvas, picture->area.x + LABEL_COLS, y, picture->area.cols - LABEL_COLS, TUI_NORMAL,
             text);
}

void picture_files(const struct lesson_picture *picture)
{
    const struct practice *practice = picture->practice;
    const struct cow_backing *backing = cow_image_backing(practice->image);
    char text[128], size[COW_SIZE_TEXT_BYTES], taken[COW_SIZE_TEXT_BYTES], date[COW_TIME_TEXT_BYTES];
    int y = picture->area.y, spare = spare_rows(picture, 7);

    draw_disk_row(picture, y, "guest sees", false);
    y = below_part(y, &spare);
    draw_disk_row(picture, y++, "disk.cow", true);
    bar_draw_raw(picture, y, "disk.img", backing->size_bytes, backing->size_bytes);
    y = below_part(y, &spare);
    snprintf(text, sizeof text, "%s long, but a hole: it takes %s",
             cow_size_text(size, practice->usage.file_bytes),
             cow_size_text(taken, practice->usage.allocated_bytes));
    draw_fact(picture, y++, "disk.cow", text);
    snprintf(text, sizeof text, "%s, of %s", cow_size_text(size, backing->size_bytes),
             cow_time_text(date, backing->mtime));
    draw_fact(picture, y, "disk.img", text);
    y = below_part(y, &spare);
    draw_fact(picture, y++, "both are in", practice->directory.path);
    draw_fact(picture, y, "", "as long as you are here");
}

/* ---- a page's bits, and a read ---- */

static bool is_dirty(const struct lesson_picture *picture, uint64_t sector)
{
    struct cow_density density = {0};

    return cow_image_density(picture->practice->image, sector, 1, &density, NULL) == 0 &&
           density.dirty_sectors > 0;
}

static void draw_bits(const struct lesson_picture *picture, int y)
{
    struct tui_canvas *canvas = picture->canvas;
    const struct practice *practice = picture->practice;
    const struct cow_layout *layout = cow_image_layout(practice->image);
    int x = picture->area.x;
    unsigned byte = 0;

    tui_text(canvas, x, y, LABEL_COLS, TUI_LABEL, "sectors");
    tui_text(canvas, x, y + 1, LABEL_COLS, TUI_LABEL, "their bits");
    for (unsigned i = 0; i < BITS; i++) {
        uint64_t sector = practice->sector + i;
        bool dirty = is_dirty(picture, sector), is_read = i == 0;
        int column = x + LABEL_COLS + 5 * (int)i;
        byte |= (unsigned)dirty << i;
        tui_textf(canvas, column, y, 5, is_read ? TUI_SELECTED : TUI_NORMAL, "%" PRIu64, sector);
        tui_put(canvas, column + 3, y + 1, dirty ? '1' : '0', dirty ? TUI_MAP_FULL : TUI_MAP_BACKING);
    }
    tui_textf(canvas, x + LABEL_COLS, y + 2, picture->area.cols - LABEL_COLS, TUI_DIM,
              "byte %" PRIu64 " of disk.cow is %02x", layout->bitmap_offset + practice->sector / BITS, byte);
}

/* The first bytes as text in quotes; where they are none, dots. */
static void quote_bytes(char *out, size_t cells, const unsigned char *bytes)
{
    size_t n = cells - 2;

    out[0] = out[n + 1] = '"';
    out[n + 2] = '\0';
    for (size_t i = 0; i < n; i++) {
        out[i + 1] = (char)(bytes[i] >= ' ' && bytes[i] < 0x7f ? bytes[i] : '.');
    }
}

/* What one of the files has in the place of that sector, whatever the bit says. */
static void draw_side(const struct lesson_picture *picture, int y, enum cow_file file, bool is_read)
{
    enum { CELLS = 28 };
    struct tui_canvas *canvas = picture->canvas;
    struct cow_image *image = picture->practice->image;
    const uint64_t byte = picture->practice->sector * cow_image_header(image)->sector_bytes;
    uint64_t end, at = file == COW_FILE_COW ? cow_layout_place(cow_image_layout(image), byte) : byte;
    enum tui_style style = is_read ? TUI_STRONG : TUI_DIM;
    unsigned char bytes[CELLS] = {0};
    char text[CELLS + 8];
    bool is_data = false;
    int x = picture->area.x;

    if (cow_image_data_at(image, file, byte, byte + sizeof bytes, &is_data, &end, NULL) != 0 ||
        cow_image_read_file(image, file, byte, bytes, sizeof bytes, NULL) != 0) {
        return;
    }
    if (is_read) {
        tui_put(canvas, x, y, 0x25b8, TUI_STRONG);
    }
    tui_text(canvas, x + 2, y, LABEL_COLS - 2, is_read ? TUI_STRONG : TUI_LABEL,
             file == COW_FILE_COW ? "disk.cow" : "disk.img");
    tui_textf(canvas, x + LABEL_COLS, y, 14, style, "at %" PRIu64, at);
    quote_bytes(text, CELLS, bytes);
    tui_text(canvas, x + LABEL_COLS + 13, y, picture->area.cols - LABEL_COLS - 13, style,
             is_data ? text : "a hole: nothing is there");
}

static void draw_guest(const struct lesson_picture *picture, int y)
{
    enum { CELLS = 28 };
    struct cow_image *image = picture->practice->image;
    const uint64_t byte = picture->practice->sector * cow_image_header(image)->sector_bytes;
    unsigned char bytes[CELLS] = {0};
    char text[CELLS + 8];
    int x = picture->area.x;

    if (cow_image_read(image, byte, bytes, sizeof bytes, NULL) != 0) {
        return;
    }
    quote_bytes(text, CELLS, bytes);
    tui_text(picture->canvas, x, y, LABEL_COLS, TUI_LABEL, "guest reads");
    tui_textf(picture->canvas, x + LABEL_COLS, y, 13, TUI_SELECTED, "%" PRIu64, picture->practice->sector);
    tui_text(picture->canvas, x + LABEL_COLS + 13, y, picture->area.cols - LABEL_COLS - 13, TUI_GOOD, text);
}

void picture_bits(const struct lesson_picture *picture)
{
    const struct practice *practice = picture->practice;
    const struct cow_layout *layout = cow_image_layout(practice->image);
    struct bar bar = bar_of(layout, cow_image_header(practice->image)->size_bytes, layout->end_offset);
    bool from_cow = is_dirty(picture, practice->sector);
    int y = picture->area.y, spare = spare_rows(picture, 8);

    bar_draw(picture, y, "disk.cow", &bar);
    tui_textf(picture->canvas, picture->area.x + LABEL_COLS, y + 1, picture->area.cols - LABEL_COLS, TUI_DIM,
              "H header, B bitmap at %" PRIu64 ", data at %" PRIu64, layout->bitmap_offset,
              layout->data_offset);
    y = below_part(y + 1, &spare);
    draw_bits(picture, y);
    y = below_part(y + 2, &spare);
    draw_guest(picture, y);
    y = below_part(y, &spare);
    draw_side(picture, y++, COW_FILE_COW, from_cow);
    draw_side(picture, y, COW_FILE_BACKING, !from_cow);
}

/* ---- the map ---- */

static void draw_cells(const struct lesson_picture *picture, int rows, uint64_t cell_sectors)
{
    struct cow_image *image = picture->practice->image;
    const uint64_t sectors = cow_image_layout(image)->sectors;

    for (int y = 0; y < rows; y++) {
        for (int x = 0; x < picture->area.cols; x++) {
            uint64_t first = ((uint64_t)y * (uint64_t)picture->area.cols + (uint64_t)x) * cell_sectors;
            struct cow_density density = {0};
            if (first >= sectors || cow_image_density(image, first, cell_sectors, &density, NULL) != 0) {
                return;
            }
            const struct tui_mark mark = tui_density_mark(front_density_of(&density));
            tui_put(picture->canvas, picture->area.x + x, picture->area.y + y, mark.glyph, mark.style);
        }
    }
}

void picture_map(const struct lesson_picture *picture)
{
    const struct practice *practice = picture->practice;
    const uint64_t sectors = cow_image_layout(practice->image)->sectors;
    char share[COW_SHARE_TEXT_BYTES], size[COW_SIZE_TEXT_BYTES];
    int below = picture->area.rows > LESSON_PICTURE_ROWS ? 4 : 3, rows = picture->area.rows - below;
    uint64_t cells = (uint64_t)rows * (uint64_t)picture->area.cols;
    uint64_t cell_sectors = (sectors + cells - 1) / cells;
    int x = picture->area.x, y = picture->area.y + picture->area.rows - 3;
    struct front_heat heat = {0};

    cell_sectors = (cell_sectors + BITS - 1) / BITS * BITS; /* whole pages */
    draw_cells(picture, rows, cell_sectors);
    tui_legend_draw(picture->canvas, x, y, picture->area.cols, &heat, 0, false);
    tui_textf(picture->canvas, x, y + 1, picture->area.cols, TUI_NORMAL,
              "%" PRIu64 " of %" PRIu64 " bits are set, %s: %s in the COW", practice->usage.dirty_sectors,
              sectors, cow_share_text(share, practice->usage.dirty_sectors, sectors),
              cow_size_text(size, practice->usage.dirty_bytes));
    tui_textf(picture->canvas, x, y + 2, picture->area.cols, TUI_DIM,
              "a cell: %" PRIu64 " sectors; disk.cow takes %s on the disk", cell_sectors,
              cow_size_text(size, practice->usage.allocated_bytes));
}

/* ---- dates ---- */

static void draw_pair(const struct lesson_picture *picture, int y, const char *label, const char *stored,
                      const char *found)
{
    enum { COLS = 23, BETWEEN = 4, LABEL = 6 };
    bool same = strcmp(stored, found) == 0;
    int x = picture->area.x;

    tui_text(picture->canvas, x, y, LABEL, TUI_LABEL, label);
    tui_text(picture->canvas, x + LABEL, y, COLS, TUI_NORMAL, stored);
    tui_text(picture->canvas, x + LABEL + COLS, y, BETWEEN, same ? TUI_GOOD : TUI_BAD, same ? " =" : " !=");
    tui_text(picture->canvas, x + LABEL + COLS + BETWEEN, y, COLS, same ? TUI_NORMAL : TUI_BAD, found);
}

void picture_dates(const struct lesson_picture *picture)
{
    const struct practice *practice = picture->practice;
    const struct cow_header *header = cow_image_header(practice->image);
    const struct cow_backing *backing = cow_image_backing(practice->image);
    char stored[COW_TIME_TEXT_BYTES], found[COW_TIME_TEXT_BYTES];
    int x = picture->area.x, y = picture->area.y, spare = spare_rows(picture, 7);

    tui_text(picture->canvas, x + 6, y, 24, TUI_HEADING, "header of disk.cow");
    tui_text(picture->canvas, x + 33, y++, 23, TUI_HEADING, "disk.img");
    snprintf(stored, sizeof stored, "%" PRIu64, header->size_bytes);
    snprintf(found, sizeof found, "%" PRIu64, backing->size_bytes);
    draw_pair(picture, y++, "size", stored, found);
    draw_pair(picture, y, "date", cow_time_text(stored, header->mtime), cow_time_text(found, backing->mtime));
    y = below_part(y, &spare);
    draw_command(picture, y);
    y = below_part(y, &spare);
    y = draw_verdict(picture, y);
    if (practice->verdict.advice[0] != '\0' && spare > 2) {
        draw_text(picture, y + 1, LABEL_COLS, TUI_NORMAL, practice->verdict.advice);
    }
}

/* ---- growth: the seed's three pictures ---- */

/* The second: from its last byte to its first all that is on the disk goes to its new place. */
static struct bar moving_bar(const struct lesson_picture *picture, uint64_t total_bytes)
{
    const struct practice *practice = picture->practice;
    const struct cow_layout *before = &practice->growth.before, *after = &practice->growth.after;
    const uint64_t disk = practice->growth.before_bytes, steps = (uint64_t)picture->last;
    uint64_t stays = picture->frame >= picture->last ? 0 : disk * (steps - (uint64_t)picture->frame) / steps;
    const struct cow_layout *bitmap = stays > 0 ? before : after;

    return (struct bar){.total_bytes = total_bytes,
                        .bitmap_offset = bitmap->bitmap_offset,
                        .bitmap_bytes = bitmap->bitmap_bytes,
                        .piece = {{cow_layout_place(after, stays), stays, disk - stays},
                                  {cow_layout_place(before, 0), 0, stays}}};
}

static void put_numbers(const struct lesson_picture *picture, int y, const struct cow_layout *layout)
{
    char size[COW_SIZE_TEXT_BYTES];

    tui_textf(picture->canvas, picture->area.x + LABEL_COLS, y, picture->area.cols - LABEL_COLS, TUI_DIM,
              "bitmap %s at %" PRIu64 ", data at %" PRIu64, cow_size_text(size, layout->bitmap_bytes),
              layout->bitmap_offset, layout->data_offset);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* How much of what is behind the smaller size's end is dirty. */
static void put_new_sectors(const struct lesson_picture *picture, int y)
{
    const struct practice *practice = picture->practice;
    const struct cow_header *header = cow_image_header(practice->image);
    const uint64_t old =
        (practice->growth.before_bytes < practice->growth.after_bytes ? practice->growth.before_bytes
                                                                      : practice->growth.after_bytes) /
        header->sector_bytes;
    const uint64_t all = cow_image_layout(practice->image)->sectors;
    struct cow_density density = {0};

    if (all <= old || cow_image_density(practice->image, old, all - old, &density, NULL) != 0) {
        return;
    }
    tui_textf(picture->canvas, picture->area.x + LABEL_COLS, y, picture->area.cols - LABEL_COLS, TUI_DIM,
              "%" PRIu64 " of %" PRIu64 " new sectors have their bits set", density.dirty_sectors,
              density.sectors);
}

void picture_growth(const struct lesson_picture *picture)
{
    const struct practice *practice = picture->practice;
    const struct cow_layout *before = &practice->growth.before, *after = &practice->growth.after;
    const uint64_t total = after->end_offset, disk = cow_image_header(practice->image)->size_bytes;
    struct bar bar = bar_of(before, practice->growth.before_bytes, total);
    int y = picture->area.y, spare = spare_rows(picture, 9);

    if (!practice->growth.known) {
        return;
    }
    draw_command(picture, y);
    y = spare > 3 ? below_part(y, &spare) : y + 1; /* the three pictures part first */
    bar_draw(picture, y, "1 as it is", &bar);
    put_numbers(picture, ++y, before);
    y = below_part(y, &spare);
    if (picture->frame > 0) {
        bar = moving_bar(picture, total);
        bar_draw(picture, y, "2 it moves", &bar);
        put_numbers(picture, y + 1, after);
    }
    y = below_part(y + 1, &spare);
    if (disk > practice->growth.before_bytes) {
        bar = bar_of(cow_image_layout(practice->image), disk, total);
        bar_draw(picture, y, "3 marked", &bar);
        put_new_sectors(picture, y + 1);
    }
    draw_verdict(picture, below_part(y + 1, &spare));
}

/* ---- both files, grown ---- */

void picture_fit(const struct lesson_picture *picture)
{
    const struct practice *practice = picture->practice;
    const struct cow_backing *backing = cow_image_backing(practice->image);
    const struct cow_layout *layout = cow_image_layout(practice->image);
    const uint64_t disk = cow_image_header(practice->image)->size_bytes;
    const uint64_t total = larger(practice->growth.before.end_offset, practice->growth.after.end_offset);
    struct bar bar = bar_of(layout, disk, total);
    char size[COW_SIZE_TEXT_BYTES];
    int x = picture->area.x + LABEL_COLS, cols = picture->area.cols - LABEL_COLS;
    int y = picture->area.y, spare = spare_rows(picture, 8);

    draw_command(picture, y);
    y = below_part(y, &spare);
    bar_draw(picture, y, "disk.cow", &bar);
    tui_textf(picture->canvas, x, ++y, cols, TUI_DIM, "a disk of %s", cow_size_text(size, disk));
    y = below_part(y, &spare);
    bar_draw_raw(picture, y, "disk.img", backing->size_bytes, total);
    tui_textf(picture->canvas, x, ++y, cols, TUI_DIM, "%s%s", cow_size_text(size, backing->size_bytes),
              backing->size_bytes == disk ? ", as long as the disk" : ": too short");
    put_new_sectors(picture, ++y);
    draw_verdict(picture, below_part(y, &spare));
}

/* ---- where to go from here ---- */

const struct lesson_way lesson_ways[] = {
    {"cowtui IMAGE", 0, TUI_DO_NOTHING, "look at an image; in it:"},
    {NULL, TUI_IN_MAP, TUI_DO_SCAN, "what the guest really changed, on the Map"},
    {NULL, TUI_IN_MAP, TUI_DO_EXPLAIN, "where the bytes under the cursor come from"},
    {NULL, TUI_IN_MAP, TUI_DO_FILES, "which files of the guest have changed"},
    {NULL, TUI_IN_MAP, TUI_DO_CHECK, "what is wrong, and what mends it"},
    {NULL, TUI_IN_MAP, TUI_DO_RESIZE, "another size; shows first what it does"},
    {NULL, TUI_IN_MAP, TUI_DO_UNDO, "take the last change back"},
    {NULL, TUI_IN_MAP, TUI_DO_HELP, "all keys, and what each sign means"},
    {":tour", 0, TUI_DO_NOTHING, "this tour, from there"},
    {NULL, 0, TUI_DO_NOTHING, NULL},
};

int lesson_key_of(enum tui_action_id id, tui_contexts contexts)
{
    const struct tui_action *row;

    for (size_t i = 0; (row = tui_action_row(i)) != NULL; i++) {
        if (row->id == id && row->key[0] != TUI_KEY_NONE &&
            tui_action_id_of_key(row->key[0], contexts) == id) {
            return row->key[0];
        }
    }
    return TUI_KEY_NONE;
}

void picture_ways(const struct lesson_picture *picture)
{
    enum { KEY_COLS = 14 };
    int x = picture->area.x, y = picture->area.y;

    for (const struct lesson_way *way = lesson_ways; way->words != NULL; way++) {
        char name[TUI_KEY_NAME_BYTES];
        tui_text(picture->canvas, x, y, KEY_COLS, TUI_KEY,
                 way->typed != NULL ? way->typed : tui_key_name(name, lesson_key_of(way->id, way->contexts)));
        tui_text(picture->canvas, x + KEY_COLS, y++, picture->area.cols - KEY_COLS, TUI_NORMAL, way->words);
    }
}
