/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A file of any bytes, opened and asked everything that can be asked of an image. The first bytes of the
 * input say how long the file is made (a hole behind the bytes) and how long its backing file is; the rest is
 * the file.
 */
#include <string.h>
#include <unistd.h>

#include "../lib/fuzzer.h"

enum { STEPS_MAX = 2000, READ_BYTES = 8192 };

static void look_at_header(const struct cow_image *img)
{
    struct cow_field fields[COW_FIELDS_MAX];
    uint8_t bytes[COW_V3_HEADER_BYTES];
    struct cow_error err = {.status = 0};
    size_t n_raw;
    const struct cow_header *h = cow_image_header(img);
    MUST(h->format < COW_FORMATS && cow_format_name(h->format) != NULL &&
         cow_format_title(h->format) != NULL);
    MUST(cow_format_fields(fields, h->format) <= COW_FIELDS_MAX);
    MUST(cow_image_header_raw(img, &n_raw) != NULL && n_raw <= COW_HEADER_BYTES_MAX);
    MUST(strlen(h->backing_path) <= COW_PATH_BYTES);
    MUST(h->unfinished || (h->sector_bytes >= 512 && h->sector_bytes <= 65536));
    const int status = cow_header_encode(bytes, h, &err);
    error_is_whole(status, &err);
    if (status == 0 && h->format == COW_FORMAT_V3) { /* what was read is written the same */
        struct cow_header again;
        MUST(cow_header_decode(&again, bytes, sizeof bytes, UINT64_C(1) << 50, UINT64_MAX, &err) == 0);
        MUST(again.size_bytes == h->size_bytes && again.sector_bytes == h->sector_bytes);
        MUST(again.mtime == h->mtime && again.alignment == h->alignment);
        MUST(strcmp(again.backing_path, h->backing_path) == 0);
    }
}

static void look_at_facts(struct cow_image *img)
{
    struct cow_error err = {.status = 0};
    struct cow_verdict verdict = {.opens = false};
    struct cow_holder holder;
    char text[COW_MESSAGE_BYTES];
    cow_image_verdict(img, &verdict);
    MUST(verdict.warnings <= COW_VERDICT_WARNINGS_MAX && is_terminal_safe(verdict.reason));
    MUST(is_terminal_safe(verdict.advice) && (verdict.opens || verdict.unknown || verdict.reason[0] != '\0'));
    for (size_t i = 0; i < verdict.warnings; i++) {
        MUST(is_terminal_safe(verdict.warning[i]));
    }
    error_is_whole(cow_image_in_use(img, &holder, &err), &err);
    MUST(is_terminal_safe(cow_image_pending(img)) && is_terminal_safe(cow_image_backing(img)->problem));
    MUST(is_terminal_safe(cow_image_outside_text(text, sizeof text, img)));
    error_is_whole(cow_image_refresh(img, &err), &err);
}

/* Forward and back over the runs: no gap, no overlap, and bits as the densities have them. */
static void look_at_runs(struct cow_image *img, uint64_t sectors)
{
    struct cow_error err = {.status = 0};
    struct cow_run run = {.sectors = 0}, back;
    struct cow_density density;
    uint64_t at = 0, dirty = 0;
    for (unsigned n = 0; n < STEPS_MAX && at < sectors; n++, at += run.sectors) {
        if (cow_image_next_run(img, at, &run, &err) != 0) {
            return;
        }
        MUST(run.first_sector == at && run.sectors > 0 && run.sectors <= sectors - at &&
             run.origin < COW_ORIGINS);
        MUST(cow_image_prev_run(img, at + run.sectors, &back, &err) == 0);
        MUST(back.first_sector + back.sectors == at + run.sectors && back.origin == run.origin);
        dirty += cow_origin_dirty(run.origin) ? run.sectors : 0;
    }
    MUST(cow_image_density(img, 0, at, &density, &err) != 0 || density.dirty_sectors == dirty);
    MUST(cow_image_next_run(img, UINT64_MAX, &run, &err) != 0 || run.sectors == 0);
}

static void look_at_bits(struct cow_image *img)
{
    struct cow_error err = {.status = 0};
    struct cow_dirty_run run = {0, 0}, back, page = {0, 0};
    struct cow_scan_counts counts = {.mixed_pages = 0};
    uint64_t mixed = 0;
    unsigned n = 0;
    for (; n < STEPS_MAX && cow_image_next_dirty(img, run.first_sector + run.sectors, &run, &err) == 0; n++) {
        if (run.sectors == 0) {
            break;
        }
        MUST(cow_image_prev_dirty(img, run.first_sector + 1, &back, &err) == 0);
        MUST(back.first_sector == run.first_sector && back.sectors == run.sectors);
    }
    for (n = 0; n < STEPS_MAX; n++, mixed++) {
        if (cow_image_next_mixed(img, page.first_sector + page.sectors, &page, &err) != 0 ||
            page.sectors == 0) {
            break;
        }
    }
    if (cow_image_layout(img)->sectors < UINT64_C(1) << 24) {
        const int status = cow_image_scan(img, NULL, &counts, &err);
        error_is_whole(status, &err);
        MUST(status != 0 || n == STEPS_MAX || counts.mixed_pages == mixed);
    }
}

static void look_at_content(struct cow_image *img, uint64_t size_bytes)
{
    static uint8_t bytes[READ_BYTES], side[READ_BYTES];
    struct cow_error err = {.status = 0};
    const uint64_t places[] = {0, 511, size_bytes / 2, size_bytes - (size_bytes < 9 ? size_bytes : 9),
                               size_bytes};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        error_is_whole(cow_image_read(img, places[i], bytes, sizeof bytes, &err), &err);
        error_is_whole(cow_image_read_file(img, COW_FILE_COW, places[i], side, 512, &err), &err);
        error_is_whole(cow_image_read_file(img, COW_FILE_BACKING, places[i], side, 512, &err), &err);
    }
    MUST(cow_image_read(img, UINT64_MAX, bytes, 1, &err) != 0);
}

/* A list says of it what opening it does. */
static void look_in_a_list(const struct cow_open_options *open)
{
    const struct cow_list_options options = {.no_backing = open->no_backing, .io = open->io};
    struct cow_list_entry entry;
    struct cow_image *img = NULL;
    struct cow_error err = {.status = 0};
    const int status = cow_image_open(&img, PICTURE_COW, open, &err);
    cow_list_look(&entry, PICTURE_COW, &options);
    MUST(entry.what != COW_LISTED_NOTHING && is_terminal_safe(entry.error.message));
    MUST(is_terminal_safe(entry.error.hint) && is_terminal_safe(entry.pending));
    MUST((entry.what == COW_LISTED_OTHER) == (status == COW_NOT_COW));
    MUST((entry.what == COW_LISTED_BROKEN) == (status == COW_INVALID || status == COW_UNSUPPORTED));
    MUST(status != 0 || strcmp(entry.format, cow_format_name(cow_image_header(img)->format)) == 0);
    MUST(!entry.dirty_known || entry.dirty_bytes <= entry.size_bytes + 65536);
    cow_image_close(img);
}

static void look(const struct cow_open_options *options)
{
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_usage usage;
    const int status = cow_image_open(&img, PICTURE_COW, options, &err);
    error_is_whole(status, &err);
    if (status != 0) {
        return;
    }
    look_at_header(img);
    look_at_facts(img);
    error_is_whole(cow_image_usage(img, &usage, &err), &err);
    look_at_runs(img, cow_image_layout(img)->sectors);
    look_at_bits(img);
    look_at_content(img, cow_image_header(img)->size_bytes);
    cow_image_close(img);
}

static void decode(const uint8_t *data, size_t n_bytes)
{
    struct cow_header header;
    struct cow_layout layout;
    struct cow_error err = {.status = 0};
    const size_t n = n_bytes < COW_HEADER_BYTES_MAX ? n_bytes : COW_HEADER_BYTES_MAX;
    const int status = cow_header_decode(&header, data, n, n_bytes, UINT64_MAX, &err);
    error_is_whole(status, &err);
    if (status == 0) {
        uint32_t alignment;
        error_is_whole(cow_layout_of(&layout, &header, &err), &err);
        error_is_whole(cow_layout_choose_alignment(&alignment, header.size_bytes, 0, &err), &err);
    }
}

void fuzz_one(const uint8_t *data, size_t n_bytes)
{
    static const uint64_t lengths[] = {0, 512, 4096, 65536, 1 << 20, UINT64_C(1) << 31, UINT64_C(1) << 40};
    struct input in = {data, n_bytes};
    scratch_begin();
    const uint64_t more = lengths[input_below(&in, 7)], below = lengths[input_below(&in, 7)];
    file_make(PICTURE_COW, in.at, in.left);
    MUST(truncate(PICTURE_COW, (off_t)(in.left + more)) == 0);
    file_make(PICTURE_BASE, "base", 4);
    MUST(truncate(PICTURE_BASE, (off_t)below) == 0);
    file_date(PICTURE_BASE, PICTURE_DATE);
    decode(in.at, in.left);
    look(NULL);
    look(&(struct cow_open_options){.no_backing = true});
    look(&(struct cow_open_options){.backing_path = PICTURE_BASE});
    look_in_a_list(&(struct cow_open_options){.no_backing = true});
    scratch_check();
}
