/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui info, for people: what it is, what a kernel would say to it, where everything lies. Rows may change;
 * scripts have info_json.c.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/output/info_facts.h"
#include "cow/text.h"

static void put_title(struct cli_out *out, const struct cli_facts *facts)
{
    char name[CLI_NAME_BYTES], size[COW_SIZE_TEXT_BYTES];
    const struct cow_header *header = facts->header;

    cli_name(name, cow_image_path(facts->image));
    if (header->unfinished) {
        cli_heading(out, "%s: %s, unfinished", name, cow_format_title(header->format));
    } else {
        cli_heading(out, "%s: %s, %s", name, cow_format_title(header->format),
                    cow_size_text(size, header->size_bytes));
    }
}

static void put_header(struct cli_out *out, const struct cli_facts *facts)
{
    const struct cow_header *header = facts->header;
    char size[CLI_AMOUNT_BYTES];

    cli_row(out, "format", "%s, version %u, %s endian", cow_format_name(header->format), header->version,
            header->big_endian ? "big" : "little");
    if (header->unfinished) {
        cli_row_tone(out, CLI_WARN, "size", "unknown: %s",
                     cow_image_half(facts->image) == COW_HALF_MOVING
                         ? "its data is being moved at this moment"
                         : "a change of this image was interrupted");
    } else {
        cli_row(out, "size", "%s, %" PRIu64 " sectors of %" PRIu32, cli_amount(size, header->size_bytes),
                facts->layout->sectors, header->sector_bytes);
    }
    if (header->alignment != 0) {
        cli_row(out, "alignment", "%s", cli_amount(size, header->alignment));
    }
}

static void put_backing_match(struct cli_out *out, const struct cli_facts *facts)
{
    const struct cow_backing *backing = facts->backing;
    const struct cow_header *header = facts->header;
    char text[CLI_AMOUNT_BYTES], other[CLI_AMOUNT_BYTES];
    bool same_size = !header->unfinished && backing->size_bytes == header->size_bytes;
    bool same_time = backing->mtime == (int64_t)header->mtime;

    if (header->unfinished) {
        cli_row(out, "  size", "%s", cli_amount(text, backing->size_bytes));
    } else if (same_size) {
        cli_row(out, "  size", "%s, as the header says", cli_amount(text, backing->size_bytes));
    } else {
        cli_row_tone(out, CLI_WARN, "  size", "%s; the header says %s", cli_amount(text, backing->size_bytes),
                     cli_amount(other, header->size_bytes));
    }
    if (same_time) {
        cli_row(out, "  modified", "%s (%" PRId64 "), as the header says", cli_time(text, backing->mtime),
                backing->mtime);
    } else {
        cli_row_tone(out, CLI_WARN, "  modified", "%s (%" PRId64 "); the header says %s (%" PRIu32 ")",
                     cli_time(text, backing->mtime), backing->mtime, cli_time(other, header->mtime),
                     header->mtime);
    }
}

static void put_info_backing(struct cli_out *out, const struct cli_facts *facts)
{
    const struct cow_backing *backing = facts->backing;
    char stored[CLI_NAME_BYTES], path[CLI_NAME_BYTES];

    cli_name(stored, facts->header->backing_path);
    cli_name(path, backing->path);
    cli_row(out, "backing", "%s", *stored != '\0' ? stored : "none: what the image does not hold is zeros");
    switch (backing->state) {
    case COW_BACKING_NONE:
        break;
    case COW_BACKING_FOUND:
        if (backing->named) {
            cli_row(out, "  found", "%s, as named on the command line", path);
        } else if (strcmp(stored, path) != 0) {
            cli_row(out, "  found", "%s%s", path, backing->beside_image ? ", beside the image" : "");
        }
        put_backing_match(out, facts);
        break;
    case COW_BACKING_IGNORED:
        cli_row(out, "  not opened", "as asked for with --no-backing");
        break;
    case COW_BACKING_MISSING:
    case COW_BACKING_UNUSABLE:
        cli_row_tone(out, CLI_BAD, backing->state == COW_BACKING_MISSING ? "  missing" : "  unusable", "%s",
                     backing->problem);
        break;
    }
}

/* What a backing file that is a COW itself lies on. */
static void put_info_layers(struct cli_out *out, const struct cow_image *image)
{
    const size_t layers = cow_image_layers(image);
    const char *cut = cow_image_cut_text(image);
    char path[CLI_NAME_BYTES], size[COW_SIZE_TEXT_BYTES], label[32];
    struct cow_layer layer;

    for (size_t i = 1; i < layers && (layers > 2 || *cut != '\0'); i++) {
        cow_image_layer(image, i, &layer);
        snprintf(label, sizeof label, "  layer %zu", i);
        cli_row(out, label, "%s: %s, %s", cli_name(path, layer.path), layer.title,
                cow_size_text(size, layer.size_bytes));
    }
    if (*cut != '\0') {
        cli_row_tone(out, CLI_BAD, "  below", "%s", cut);
    }
}

static void put_info_usage(struct cli_out *out, const struct cli_facts *facts)
{
    const struct cow_usage *usage = &facts->usage;
    char dirty[CLI_AMOUNT_BYTES], length[COW_SIZE_TEXT_BYTES], allocated[COW_SIZE_TEXT_BYTES];
    double percent = 100.0 * (double)usage->dirty_sectors / (double)facts->layout->sectors;

    cli_row(out, "dirty", "%" PRIu64 " of %" PRIu64 " sectors (%.3g%%), %s", usage->dirty_sectors,
            facts->layout->sectors, percent, cli_amount(dirty, usage->dirty_bytes));
    cli_row(out, "file", "%s long, %s allocated", cow_size_text(length, usage->file_bytes),
            cow_size_text(allocated, usage->allocated_bytes));
    if (facts->mixed_pages > 0) {
        cli_row_tone(out, CLI_WARN, "mixed",
                     "%" PRIu64 " page%s of 4 KiB %s in the COW in part: a guest misreads %s; "
                     "\"cowtui check\" tells more",
                     facts->mixed_pages, facts->mixed_pages == 1 ? "" : "s",
                     facts->mixed_pages == 1 ? "is" : "are", facts->mixed_pages == 1 ? "it" : "them");
    }
}

static void put_info_state(struct cli_out *out, const struct cli_facts *facts)
{
    if (!facts->holder_known) {
        cli_row(out, "in use", "unknown: this file system does not tell");
    } else if (!facts->holder.held) {
        cli_row(out, "in use", "no");
    } else if (facts->holder.pid > 0) {
        cli_row_tone(out, CLI_WARN, "in use", "by pid %" PRId64, facts->holder.pid);
    } else {
        cli_row_tone(out, CLI_WARN, "in use", "yes, by a process that the system does not name");
    }
    if (*facts->pending != '\0') {
        cli_row_tone(out, CLI_WARN, "pending", "%s", facts->pending);
    }
}

/* -v: the fields as they lie in the file. Long ones (paths) are told by their first bytes. */
static void put_info_fields(struct cli_out *out, const struct cli_facts *facts)
{
    enum { SHOWN = 16 };
    struct cow_field fields[COW_FIELDS_MAX];
    size_t n_fields = cow_format_fields(fields, facts->header->format), n_raw;
    const uint8_t *raw = cow_image_header_raw(facts->image, &n_raw);

    cli_heading(out, "header fields");
    for (size_t i = 0; i < n_fields; i++) {
        char hex[3 * SHOWN + 1] = "";
        size_t shown = fields[i].width_bytes < SHOWN ? fields[i].width_bytes : SHOWN;

        for (size_t j = 0; j < shown && fields[i].offset_bytes + j < n_raw; j++) {
            snprintf(hex + 3 * j, 4, "%02x ", raw[fields[i].offset_bytes + j]);
        }
        cli_row(out, fields[i].name, "%5" PRIu32 " + %-5" PRIu32 " %s%s", fields[i].offset_bytes,
                fields[i].width_bytes, hex, fields[i].width_bytes > SHOWN ? "..." : "");
    }
}

void cli_info_text(struct cli_out *out, const struct cli_facts *facts, bool verbose)
{
    const struct front_rows rows = cli_rows(out);

    put_title(out, facts);
    put_header(out, facts);
    put_info_backing(out, facts);
    put_info_layers(out, facts->image);
    if (facts->layout != NULL) {
        front_tell_layout(&rows, facts->layout, facts->can_grow_to_bytes);
        put_info_usage(out, facts);
    }
    front_tell_verdict(&rows, &facts->verdict, "it");
    put_info_state(out, facts);
    if (verbose) {
        put_info_fields(out, facts);
    }
}
