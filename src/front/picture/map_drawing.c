/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The drawing of a map: a head, the legend, the cells with the places at which their rows begin, and below
 * them the scale and what ends where. Blue tells calm things, from light orange to brown what is in the COW:
 * no two are parted by red against green, and the shades become darker, so that they part in print, too.
 *
 * Cells that are alike are one rectangle a row, and the lines between them lie over it: a picture has as many
 * shapes as the map has changes, not cells.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cow/text.h"
#include "front/picture/curve.h"
#include "front/picture/map.h"

enum {
    WIDTH = 1000,
    MARGIN = 20,
    GUTTER = 64,
    GUTTER_NUMBER_MOST = 9999,
    MAP_WIDTH = WIDTH - 2 * MARGIN - GUTTER,
    PITCH_MOST = 16,
    PITCH_LEAST = 2,
    PITCH_OF_GRID = 4, /* lines between cells that are smaller would cover them */
    TITLE_SIZE = 20,
    SIZE = 13,
    SMALL_SIZE = 11,
    LINE = 22,
    SWATCH = 11,
    ITEM_GAP = 20,
    LABEL_ROOM = 21, /* from one offset at the side to the next, at least */
    NAME_LETTERS = 72,
    ENDS_TOLD = 12,
    TEXT_BYTES = 512,
    PLACE_BYTES = 48,
};

enum {
    PAPER = 0xffffff,
    INK = 0x1b2430,
    DIM_INK = 0x5b6775,
    GRID = 0xffffff,
};

static const uint32_t density_rgb[FRONT_DENSITIES] = {
    [FRONT_DENSITY_OUTSIDE] = PAPER, [FRONT_DENSITY_BACKING] = 0xe3e9f2, [FRONT_DENSITY_BEYOND] = 0xcdc3e6,
    [FRONT_DENSITY_LOW] = 0xfdcf94,  [FRONT_DENSITY_HALF] = 0xfb9a3c,    [FRONT_DENSITY_HIGH] = 0xd95f02,
    [FRONT_DENSITY_FULL] = 0x7f2f04,
};

/* What a scan tells besides. */
static const struct {
    enum cow_origin origin;
    uint32_t rgb;
    const char *words;
} origins[] = {
    {COW_ORIGIN_REDUNDANT, 0x4b9fd5, "mostly redundant"},
    {COW_ORIGIN_ZERO, 0x8d949e, "mostly zeros"},
    {COW_ORIGIN_ORPHAN, 0xb5179e, "orphans"},
};
enum { ORIGINS_SHOWN = sizeof origins / sizeof origins[0] };

static const struct {
    uint32_t rgb;
    const char *words;
} end_kinds[FRONT_END_KINDS] = {
    [FRONT_END_PARTITION] = {0x117a65, ""},
    [FRONT_END_FILESYSTEM] = {0x0b4f9e, ""},
    [FRONT_END_BACKING] = {0x000000, " file"},
};

struct sketch {
    struct drawing *drawing;
    const struct front_map *map;
    struct front_heat heat;
    struct front_curve curve;
    int pitch;     /* from a cell to the next */
    int left, top; /* of the cells */
    int x, y;      /* where the next item of a line goes */
};

static uint64_t sectors_of(const struct front_map *map)
{
    return cow_image_layout(map->image)->sectors;
}

static uint64_t bytes_of(const struct front_map *map, uint64_t sectors)
{
    return sectors * cow_image_header(map->image)->sector_bytes;
}

static size_t cells_of(const struct front_map *map)
{
    return (size_t)map->cols * (size_t)map->rows;
}

/* Exactly, in the largest unit that two decimals do for: "2.5 TiB", "5136 KiB". Where that takes a larger
 * number than there is room for, as sizes are told everywhere. */
static const char *place_within(char out[PLACE_BYTES], uint64_t bytes, uint64_t number_most)
{
    static const char units[] = " KMGT";

    for (int unit = 4; unit > 0; unit--) {
        const uint64_t one = (uint64_t)1 << (10 * unit), whole = bytes / one, rest = bytes % one * 100;
        const unsigned hundredths = (unsigned)(rest / one);
        if (whole == 0 || whole > number_most || rest % one != 0) {
            continue;
        }
        if (hundredths == 0) {
            snprintf(out, PLACE_BYTES, "%" PRIu64 " %ciB", whole, units[unit]);
        } else if (hundredths % 10 == 0) {
            snprintf(out, PLACE_BYTES, "%" PRIu64 ".%u %ciB", whole, hundredths / 10, units[unit]);
        } else {
            snprintf(out, PLACE_BYTES, "%" PRIu64 ".%02u %ciB", whole, hundredths, units[unit]);
        }
        return out;
    }
    return bytes == 0 ? strcpy(out, "0") : cow_size_text(out, bytes);
}

static const char *place_text(char out[PLACE_BYTES], uint64_t bytes)
{
    return place_within(out, bytes, UINT64_MAX);
}

/* A name that somebody gave a file: its last part, visible, and no longer than there is room. */
static void name_text(char *out, size_t out_bytes, const char *path, int letters_most)
{
    const char *slash = strrchr(path, '/');
    int letters = 0;

    cow_escape(out, out_bytes, slash != NULL && slash[1] != '\0' ? slash + 1 : path);
    for (char *at = out; *at != '\0'; at++) {
        letters += ((unsigned char)*at & 0xC0) != 0x80;
        if (letters > letters_most - 3) {
            if (strlen(at) > 3) {
                strcpy(at, "...");
            }
            return;
        }
    }
}

static void put_line(struct sketch *sketch, int size, bool bold, uint32_t rgb, const char *text)
{
    sketch->y += size + 9;
    drawing_text(sketch->drawing, DRAWING_LEFT, MARGIN, sketch->y, size, bold, rgb, text);
}

static int draw_head(struct sketch *sketch, struct cow_error *err)
{
    const struct front_map *map = sketch->map;
    const struct cow_backing *backing = cow_image_backing(map->image);
    const struct cow_header *header = cow_image_header(map->image);
    char name[TEXT_BYTES], size[COW_SIZE_TEXT_BYTES], dirty[COW_SIZE_TEXT_BYTES], share[COW_SHARE_TEXT_BYTES],
        line[2 * TEXT_BYTES];
    struct cow_layer layer;
    struct cow_usage usage;
    int status = cow_image_usage(map->image, &usage, err);

    if (status != 0) {
        return status;
    }
    cow_image_layer(map->image, 0, &layer);
    name_text(name, sizeof name, layer.path, NAME_LETTERS);
    snprintf(line, sizeof line, "Map of %s", name);
    drawing_set_title(sketch->drawing, line);
    sketch->drawing->group = "head";
    put_line(sketch, TITLE_SIZE, true, INK, name);
    snprintf(line, sizeof line, "%s, %s, of which %s (%s) in the COW", cow_format_title(header->format),
             cow_size_text(size, header->size_bytes), cow_size_text(dirty, usage.dirty_bytes),
             cow_share_text(share, usage.dirty_bytes, header->size_bytes));
    put_line(sketch, SIZE, false, INK, line);
    name_text(name, sizeof name, backing->path, NAME_LETTERS);
    snprintf(line, sizeof line, "%s %s",
             backing->state == COW_BACKING_FOUND ? "on" : "backing file not looked at:", name);
    put_line(sketch, SIZE, false, DIM_INK, name[0] != '\0' ? line : "without a backing file");
    return 0;
}

/* A swatch with words; on the next line where this one has no room. */
static void put_item(struct sketch *sketch, int swatch_width, uint32_t rgb, const char *words)
{
    const int width = SWATCH + 6 + drawing_text_width(SIZE, words);

    if (sketch->x > MARGIN && sketch->x + width > WIDTH - MARGIN) {
        sketch->x = MARGIN;
        sketch->y += LINE;
    }
    if (swatch_width > 0) {
        drawing_rect(sketch->drawing, sketch->x + (SWATCH - swatch_width) / 2, sketch->y - SWATCH + 1,
                     swatch_width, SWATCH, rgb);
    }
    drawing_text(sketch->drawing, DRAWING_LEFT, sketch->x + (swatch_width > 0 ? SWATCH + 6 : 0), sketch->y,
                 SIZE, false, INK, words);
    sketch->x += width + ITEM_GAP;
}

static bool any_beyond(const struct front_map *map)
{
    for (size_t i = 0; i < cells_of(map); i++) {
        if (front_density_of(&map->count[i]) == FRONT_DENSITY_BEYOND) {
            return true;
        }
    }
    return false;
}

static void draw_legend(struct sketch *sketch)
{
    char shade[FRONT_HEAT_SHADE_BYTES], words[TEXT_BYTES];

    sketch->drawing->group = "legend";
    sketch->x = MARGIN;
    sketch->y += LINE + 8;
    put_item(sketch, SWATCH, density_rgb[FRONT_DENSITY_BACKING], "all from the backing file");
    if (any_beyond(sketch->map)) {
        put_item(sketch, SWATCH, density_rgb[FRONT_DENSITY_BEYOND], "past its end");
    }
    for (int d = FRONT_DENSITY_LOW; d <= FRONT_DENSITY_FULL; d++) {
        front_heat_shade_text(shade, &sketch->heat, (enum front_density)d);
        snprintf(words, sizeof words, "%s%s%s", shade,
                 d == FRONT_DENSITY_FULL ? " of the cell in the COW" : "",
                 d == FRONT_DENSITY_FULL && sketch->heat.is_log ? " (logarithmic)" : "");
        put_item(sketch, SWATCH, density_rgb[d], words);
    }
    for (size_t i = 0; sketch->map->found != NULL && i < ORIGINS_SHOWN; i++) {
        put_item(sketch, SWATCH, origins[i].rgb, origins[i].words);
    }
}

static uint32_t cell_rgb(const struct sketch *sketch, size_t cell)
{
    const struct front_map *map = sketch->map;

    if (map->found != NULL && map->found[cell] != NULL) {
        const enum cow_origin origin = front_scanned_origin(map->found[cell]);
        for (size_t i = 0; i < ORIGINS_SHOWN; i++) {
            if (origins[i].origin == origin) {
                return origins[i].rgb;
            }
        }
    }
    return density_rgb[front_heat_of(&sketch->heat, &map->count[cell])];
}

/* Which cell lies there. */
static size_t cell_at(const struct sketch *sketch, int x, int y)
{
    const size_t place = (size_t)y * (size_t)sketch->map->cols + (size_t)x;

    return sketch->map->is_curved ? sketch->curve.index[place] : place;
}

static struct front_spot spot_of(const struct sketch *sketch, size_t cell)
{
    const size_t cols = (size_t)sketch->map->cols;

    return sketch->map->is_curved ? sketch->curve.spot[cell]
                                  : (struct front_spot){(int16_t)(cell % cols), (int16_t)(cell / cols)};
}

static void draw_row(struct sketch *sketch, int y)
{
    const struct front_map *map = sketch->map;

    for (int x = 0, n; x < map->cols; x += n) {
        const uint32_t rgb = cell_rgb(sketch, cell_at(sketch, x, y));
        for (n = 1; x + n < map->cols && cell_rgb(sketch, cell_at(sketch, x + n, y)) == rgb; n++) {
        }
        if (rgb != PAPER) {
            drawing_rect(sketch->drawing, sketch->left + x * sketch->pitch, sketch->top + y * sketch->pitch,
                         n * sketch->pitch, sketch->pitch, rgb);
        }
    }
}

static void draw_cells(struct sketch *sketch)
{
    const struct front_map *map = sketch->map;
    const int width = map->cols * sketch->pitch, height = map->rows * sketch->pitch;

    sketch->drawing->group = "map";
    for (int y = 0; y < map->rows; y++) {
        draw_row(sketch, y);
    }
    if (sketch->pitch < PITCH_OF_GRID) {
        return;
    }
    sketch->drawing->group = "grid";
    for (int x = 1; x <= map->cols; x++) {
        drawing_rect(sketch->drawing, sketch->left + x * sketch->pitch - 1, sketch->top, 1, height, GRID);
    }
    for (int y = 1; y <= map->rows; y++) {
        drawing_rect(sketch->drawing, sketch->left, sketch->top + y * sketch->pitch - 1, width, 1, GRID);
    }
}

/* Where rows begin, as far apart as can be read. */
static void draw_places(struct sketch *sketch)
{
    const struct front_map *map = sketch->map;
    char text[PLACE_BYTES], last[PLACE_BYTES] = "";
    int step = 1;

    sketch->drawing->group = "places";
    while (step * sketch->pitch < LABEL_ROOM) {
        step *= 2;
    }
    for (int y = 0; y < map->rows && !map->is_curved; y += step) {
        const uint64_t sector = map->first_sector + (uint64_t)y * (uint64_t)map->cols * map->cell_sectors;
        if (sector >= sectors_of(map)) {
            break;
        }
        place_within(text, bytes_of(map, sector), GUTTER_NUMBER_MOST);
        if (strcmp(text, last) != 0) {
            drawing_text(sketch->drawing, DRAWING_RIGHT, sketch->left - 8,
                         sketch->top + y * sketch->pitch + sketch->pitch / 2 + SMALL_SIZE / 3, SMALL_SIZE,
                         false, DIM_INK, text);
        }
        memcpy(last, text, sizeof last);
    }
}

static void draw_end_marks(struct sketch *sketch)
{
    const struct front_map *map = sketch->map;
    const uint64_t sectors = cells_of(map) * map->cell_sectors;
    const struct front_end *end;

    sketch->drawing->group = "ends";
    for (int kind = 0; kind < FRONT_END_KINDS; kind++) { /* the strongest last */
        for (size_t at = 0; (end = front_ends_within(map->ends, &at, map->first_sector, sectors)) != NULL;) {
            if ((int)end->kind != kind) {
                continue;
            }
            const struct front_spot spot =
                spot_of(sketch, (size_t)((end->sector - map->first_sector) / map->cell_sectors));
            const int x = sketch->left + spot.x * sketch->pitch - 1,
                      y = sketch->top + spot.y * sketch->pitch - 1;
            drawing_rect(sketch->drawing, x - 2, y - 2, 5, sketch->pitch + 4, PAPER);
            drawing_rect(sketch->drawing, x - 1, y - 1, 3, sketch->pitch + 2, end_kinds[kind].rgb);
        }
    }
}

static void draw_scale(struct sketch *sketch)
{
    const struct front_map *map = sketch->map;
    const uint64_t cells = (uint64_t)map->cols, end = map->first_sector + cells_of(map) * map->cell_sectors;
    char cell[PLACE_BYTES], row[PLACE_BYTES], first[PLACE_BYTES], last[PLACE_BYTES], words[TEXT_BYTES];

    sketch->drawing->group = "scale";
    sketch->x = MARGIN;
    snprintf(words, sizeof words, "1 cell = %s (%" PRIu64 " %s)",
             place_text(cell, bytes_of(map, map->cell_sectors)), map->cell_sectors,
             map->cell_sectors == 1 ? "sector" : "sectors");
    put_item(sketch, 0, INK, words);
    if (map->is_curved) {
        put_item(sketch, 0, INK, "along a Hilbert curve, from the upper left");
    } else {
        snprintf(words, sizeof words, "1 row = %s",
                 place_text(row, bytes_of(map, map->cell_sectors * cells)));
        put_item(sketch, 0, INK, words);
    }
    if (map->first_sector > 0 || end < sectors_of(map)) {
        const uint64_t shown = end < sectors_of(map) ? end : sectors_of(map);
        snprintf(words, sizeof words, "shown: %s to %s", place_text(first, bytes_of(map, map->first_sector)),
                 place_text(last, bytes_of(map, shown)));
        put_item(sketch, 0, INK, words);
    }
}

/* What ends where, in words; of many the first ones. */
static void draw_end_words(struct sketch *sketch)
{
    const struct front_map *map = sketch->map;
    const uint64_t sectors = cells_of(map) * map->cell_sectors;
    const struct front_end *end;
    char name[FRONT_END_NAME_BYTES], place[PLACE_BYTES], words[TEXT_BYTES];
    int n = 0;

    for (size_t at = 0; (end = front_ends_within(map->ends, &at, map->first_sector, sectors)) != NULL; n++) {
        if (n == 0) {
            sketch->drawing->group = "ends-told";
            sketch->x = MARGIN;
            sketch->y += LINE;
        }
        if (n >= ENDS_TOLD) {
            continue;
        }
        snprintf(words, sizeof words, "%s%s ends at %s", front_end_name(name, end),
                 end_kinds[end->kind].words, place_text(place, bytes_of(map, end->sector)));
        put_item(sketch, 3, end_kinds[end->kind].rgb, words);
    }
    if (n > ENDS_TOLD) {
        snprintf(words, sizeof words, "and %d more", n - ENDS_TOLD);
        put_item(sketch, 0, INK, words);
    }
}

static int draw_map(struct drawing *drawing, const struct front_map *map, struct cow_error *err)
{
    struct sketch sketch = {.drawing = drawing, .map = map, .left = MARGIN + GUTTER, .y = MARGIN};
    size_t paper;

    if (map->is_curved && front_curve_draw(&sketch.curve, map->cols, map->rows) != 0) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    front_heat_measure(&sketch.heat, map->heat_choice, map->count, cells_of(map));
    sketch.pitch = MAP_WIDTH / map->cols < PITCH_MOST ? MAP_WIDTH / map->cols : PITCH_MOST;
    sketch.pitch = sketch.pitch > PITCH_LEAST ? sketch.pitch : PITCH_LEAST;
    sketch.left = map->is_curved ? MARGIN : sketch.left;
    drawing->width = sketch.left + map->cols * sketch.pitch + MARGIN;
    drawing->width = drawing->width > WIDTH ? drawing->width : WIDTH;
    paper = drawing->n;
    drawing_rect(drawing, 0, 0, drawing->width, 1, PAPER);
    const int status = draw_head(&sketch, err);
    if (status == 0) {
        draw_legend(&sketch);
        sketch.top = sketch.y + 18;
        draw_cells(&sketch);
        draw_places(&sketch);
        draw_end_marks(&sketch);
        sketch.y = sketch.top + map->rows * sketch.pitch + LINE + 2;
        draw_scale(&sketch);
        draw_end_words(&sketch);
        drawing->height = sketch.y + MARGIN;
        if (paper < drawing->n) {
            drawing->shape[paper].height = drawing->height;
        }
    }
    front_curve_free(&sketch.curve);
    return status;
}

int front_map_picture(struct drawing_bytes *out, const struct front_map *map, enum front_picture_kind kind,
                      struct cow_error *err)
{
    struct drawing drawing = {.width = 0};
    int status = draw_map(&drawing, map, err);

    if (status == 0) {
        status =
            kind == FRONT_PICTURE_SVG ? drawing_svg(&drawing, out, err) : drawing_png(&drawing, out, err);
    }
    drawing_free(&drawing);
    return status;
}
