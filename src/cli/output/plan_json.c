/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A plan as JSON: before, after, method, steps, moves_bytes, needs_free_bytes, siblings and uml are the
 * stable part; the rest is what the text shows, too.
 */
#include "cli/output/json.h"
#include "cli/output/plan_told.h"

/* allocated_bytes: what the file takes on the disk; 0: that is not known before. */
static json_t *side_json(bool there, const struct cow_layout *layout, enum cow_format format,
                         uint64_t size_bytes, uint64_t allocated_bytes)
{
    json_t *object;

    if (!there) {
        return json_null();
    }
    object = cli_json_layout(layout);
    cli_json_put(&object, "format", json_string(cow_format_name(format)));
    cli_json_put(&object, "size_bytes", cli_json_u64(size_bytes));
    cli_json_put(&object, "allocated_bytes",
                 allocated_bytes != 0 ? cli_json_u64(allocated_bytes) : json_null());
    return object;
}

static json_t *steps_json(const struct cow_plan *plan)
{
    size_t n_steps;
    const struct cow_step *steps = cow_plan_steps(plan, &n_steps);
    json_t *array = json_array();

    for (size_t i = 0; i < n_steps; i++) {
        json_t *step = json_object();

        cli_json_put(&step, "kind", json_string(cow_step_name(steps[i].kind)));
        cli_json_put(&step, "text", cli_json_sentence(steps[i].text));
        cli_json_put(&step, "bytes", cli_json_u64(steps[i].bytes));
        cli_json_append(&array, step);
    }
    return array;
}

/* Other images on the backing file that is written, as far as found. */
static json_t *siblings_json(const struct cow_preview *preview)
{
    json_t *array = json_array();

    for (size_t i = 0; i < preview->siblings; i++) {
        cli_json_append(&array, cli_json_text(preview->sibling[i]));
    }
    return array;
}

static json_t *notes_json(const struct cow_preview *preview)
{
    json_t *array = json_array();

    for (size_t i = 0; i < preview->notes; i++) {
        cli_json_append(&array, cli_json_sentence(preview->note[i]));
    }
    return array;
}

/* Each file that is made, changed or removed. */
static json_t *files_json(const struct cow_preview *preview)
{
    json_t *array = json_array();

    for (size_t i = 0; i < preview->files; i++) {
        const struct cow_touched *file = &preview->file[i];
        json_t *object = json_object();

        cli_json_put(&object, "touch", json_string(cow_touch_name(file->touch)));
        cli_json_put(&object, "path", cli_json_text(file->path));
        cli_json_put(&object, "size_bytes", file->has_size ? cli_json_u64(file->size_bytes) : json_null());
        cli_json_append(&array, object);
    }
    return array;
}

/* What is beyond the stable part. */
static void put_more(json_t **object, const struct cow_preview *preview)
{
    uint64_t grow = preview->can_grow_to_bytes;
    bool after = preview->has_after;

    cli_json_put(object, "target", cli_json_text(preview->target_path));
    cli_json_put(object, "replaces", json_boolean(preview->replaces));
    cli_json_put(object, "changes_existing", json_boolean(preview->changes_existing));
    cli_json_put(object, "alignment", after ? json_integer(preview->after_alignment) : json_null());
    cli_json_put(object, "dirty_sectors", cli_json_u64(preview->dirty_sectors));
    cli_json_put(object, "after_dirty_sectors",
                 preview->has_after_dirty ? cli_json_u64(preview->after_dirty_sectors) : json_null());
    cli_json_put(object, "dropped_sectors", cli_json_u64(preview->dropped_sectors));
    cli_json_put(object, "added_sectors", cli_json_u64(preview->added_sectors));
    cli_json_put(object, "mixed_pages",
                 preview->has_mixed ? cli_json_u64(preview->mixed_pages) : json_null());
    cli_json_put(object, "writes_bytes", cli_json_u64(preview->writes_bytes));
    cli_json_put(object, "needs_at_most", json_boolean(preview->needs_at_most));
    cli_json_put(object, "space_is_about", json_boolean(preview->space_is_about));
    cli_json_put(object, "files", files_json(preview));
    cli_json_put(object, "content", cli_json_sentence_or_null(preview->content_text));
    cli_json_put(object, "can_grow_to_bytes", grow != 0 ? cli_json_u64(grow) : json_null());
    if (preview->fs_after_bytes != 0) {
        json_t *fs = json_object();

        cli_json_put(&fs, "before_bytes", cli_json_u64(preview->fs_before_bytes));
        cli_json_put(&fs, "after_bytes", cli_json_u64(preview->fs_after_bytes));
        cli_json_put(object, "filesystem", fs);
    }
    cli_json_put(object, "patched_opens", json_boolean(after && preview->patched_opens));
    cli_json_put(object, "backing", cli_json_sentence_or_null(preview->backing_text));
    cli_json_put(object, "backing_path", cli_json_text_or_null(preview->after_backing_path));
    cli_json_put(object, "undo", cli_json_sentence_or_null(preview->undo_text));
    cli_json_put(object, "notes", notes_json(preview));
    cli_json_put(object, "command", cli_json_sentence_or_null(preview->command));
    cli_json_put(object, "next", cli_json_sentence_or_null(preview->next_step));
}

static void put_sides(json_t **object, const struct cow_preview *preview)
{
    cli_json_put(object, "before",
                 side_json(preview->has_before, &preview->before, preview->before_format,
                           preview->before_size_bytes, preview->before_allocated_bytes));
    cli_json_put(object, "after",
                 side_json(preview->has_after, &preview->after, preview->after_format,
                           preview->after_size_bytes,
                           preview->has_after_allocated ? preview->after_allocated_bytes : 0));
}

/* Of a plan for several images. */
static json_t *images_json(const struct cow_preview *preview)
{
    json_t *array = json_array();

    for (size_t i = 0; i < preview->images; i++) {
        const struct cow_preview *image = preview->image[i];
        json_t *object = json_object();

        cli_json_put(&object, "path", cli_json_text(image->target_path));
        cli_json_put(&object, "method", json_string(cow_method_name(image->method)));
        put_sides(&object, image);
        cli_json_append(&array, object);
    }
    return array;
}

json_t *cli_plan_json(const struct cow_plan *plan)
{
    const struct cow_preview *preview = cow_plan_preview(plan);
    bool after = preview->has_after;
    json_t *object = json_object();

    cli_json_put(&object, "operation", json_string(cow_operation_name(preview->operation)));
    cli_json_put(&object, "method", json_string(cow_method_name(preview->method)));
    cli_json_put(&object, "policy", cli_json_sentence_or_null(preview->policy));
    if (preview->images != 0) {
        cli_json_put(&object, "images", images_json(preview));
    } else {
        put_sides(&object, preview);
    }
    cli_json_put(&object, "steps", steps_json(plan));
    cli_json_put(&object, "moves_bytes", cli_json_u64(preview->moves_bytes));
    cli_json_put(&object, "needs_free_bytes", cli_json_u64(preview->needs_free_bytes));
    cli_json_put(&object, "siblings", siblings_json(preview));
    cli_json_put(&object, "uml", after ? cli_json_verdict(&preview->after_verdict) : json_null());
    put_more(&object, preview);
    return object;
}
