/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui info --json. The field names are stable: scripts depend on them (see the manual). An unfinished
 * image has null where it has nothing to tell.
 */
#include "cli/output/info_facts.h"
#include "cli/output/json.h"

static json_t *backing_json(const struct cow_backing *backing, const struct cow_header *header)
{
    json_t *object = json_object();
    bool found = backing->state == COW_BACKING_FOUND;

    cli_json_put(&object, "path", cli_json_text_or_null(header->backing_path));
    cli_json_put(&object, "found", json_boolean(found));
    cli_json_put(&object, "opened_path", found ? cli_json_text(backing->path) : json_null());
    cli_json_put(&object, "size_bytes", found ? cli_json_u64(backing->size_bytes) : json_null());
    cli_json_put(&object, "mtime", found ? json_integer(backing->mtime) : json_null());
    cli_json_put(&object, "header_mtime", json_integer(header->mtime));
    cli_json_put(&object, "problem", cli_json_sentence_or_null(backing->problem));
    return object;
}

static json_t *usage_json(const struct cow_usage *usage, uint64_t mixed_pages)
{
    json_t *object = json_object();

    cli_json_put(&object, "dirty_sectors", cli_json_u64(usage->dirty_sectors));
    cli_json_put(&object, "dirty_bytes", cli_json_u64(usage->dirty_bytes));
    cli_json_put(&object, "allocated_bytes", cli_json_u64(usage->allocated_bytes));
    cli_json_put(&object, "file_bytes", cli_json_u64(usage->file_bytes));
    cli_json_put(&object, "mixed_pages", cli_json_u64(mixed_pages));
    return object;
}

static json_t *layers_json(const struct cow_image *image)
{
    json_t *array = json_array();
    struct cow_layer layer;

    for (size_t i = 0; i < cow_image_layers(image); i++) {
        json_t *object = json_object();

        cow_image_layer(image, i, &layer);
        cli_json_put(&object, "path", cli_json_text(layer.path));
        cli_json_put(&object, "format", json_string(layer.format));
        cli_json_put(&object, "size_bytes", cli_json_u64(layer.size_bytes));
        cli_json_append(&array, object);
    }
    return array;
}

json_t *cli_info_json(const struct cli_facts *facts)
{
    const struct cow_header *header = facts->header;
    const struct cow_layout *layout = facts->layout;
    json_t *object = json_object();

    cli_json_put(&object, "format", json_string(cow_format_name(header->format)));
    cli_json_put(&object, "version", json_integer(header->version));
    cli_json_put(&object, "endian", json_string(header->big_endian ? "big" : "little"));
    cli_json_put(&object, "size_bytes", header->unfinished ? json_null() : cli_json_u64(header->size_bytes));
    cli_json_put(&object, "sector_bytes", json_integer(header->sector_bytes));
    cli_json_put(&object, "alignment",
                 header->alignment != 0 ? json_integer(header->alignment) : json_null());
    cli_json_put(&object, "backing", backing_json(facts->backing, header));
    cli_json_put(&object, "layers", layers_json(facts->image));
    cli_json_put(&object, "below", cli_json_sentence_or_null(cow_image_cut_text(facts->image)));
    cli_json_put(&object, "layout", layout != NULL ? cli_json_layout(layout) : json_null());
    cli_json_put(&object, "can_grow_to_bytes",
                 facts->can_grow_to_bytes != 0 ? cli_json_u64(facts->can_grow_to_bytes) : json_null());
    cli_json_put(&object, "usage",
                 layout != NULL ? usage_json(&facts->usage, facts->mixed_pages) : json_null());
    cli_json_put(&object, "uml", cli_json_verdict(&facts->verdict));
    cli_json_put(&object, "in_use", facts->holder_known ? cli_json_holder(&facts->holder) : json_null());
    cli_json_put(&object, "pending", cli_json_sentence_or_null(facts->pending));
    return object;
}
