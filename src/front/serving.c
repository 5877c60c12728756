/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See serving.h.
 */
#include "front/serving.h"

#include "cow/ops.h"
#include "cow/plan.h"
#include "cow/writer.h"

static bool has_undo(struct cow_image *image)
{
    struct cow_plan *plan = NULL;
    const bool has = cow_plan_undo(&plan, image, NULL) == 0;

    cow_plan_free(plan);
    return has;
}

/* All that stops a writer stops it here. */
static int try_writer(const char *path, const char *backing_path, struct cow_error *err)
{
    const struct cow_writer_options open = {.backing_path = backing_path, .held_fd = -1};
    struct cow_writer *writer;
    int status = cow_writer_open(&writer, path, &open, err);

    if (status == 0) {
        cow_writer_close(writer);
    }
    return status;
}

int front_serving_look(struct front_serving *serving, struct cow_image *image, const char *backing_path,
                       bool is_writing, struct cow_error *err)
{
    const struct cow_backing *backing = cow_image_backing(image);
    struct cow_holder holder = {0};
    int status = 0;

    if (backing->state != COW_BACKING_FOUND && backing->state != COW_BACKING_NONE) {
        status =
            cow_error_set(err, COW_IO, "%s: its backing file: %s", cow_image_path(image), backing->problem);
    }
    if (status == 0 && is_writing) {
        status = try_writer(cow_image_path(image), backing_path, err);
    }
    if (status != 0) {
        return status;
    }
    serving->size_bytes = cow_image_header(image)->size_bytes;
    serving->is_held = cow_image_in_use(image, &holder, NULL) == 0 && holder.held;
    serving->holder_pid = holder.pid;
    serving->has_undo = is_writing && has_undo(image);
    return 0;
}
