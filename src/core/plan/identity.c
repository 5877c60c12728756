/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See identity.h. A date says that a file was written, and not what is in it; the UUID of its
 * filesystem does. The image is opened a second time, over the other file: what it composes then is
 * what its guest would see, so its own copy of a superblock, if it has one, wins.
 *
 * A note, and no refusal: a disk can be made anew with another filesystem on purpose.
 */
#include "core/plan/identity.h"

#include "cow/fs.h"

struct side {
    struct cow_image *img;
    struct cow_fs *fs; /* NULL: it cannot be read */
    const struct cow_volume *volume;
    size_t n_volumes;
};

static int look_for_identity(struct side *side, struct cow_image *img, struct cow_error *err)
{
    int status = cow_fs_open(&side->fs, img, err);
    side->volume = status == 0 ? cow_fs_volumes(side->fs, &side->n_volumes) : NULL;
    return status == COW_NO_MEMORY ? status : 0;
}

static void note(struct cow_plan *plan, const char *path, const struct cow_volume *guest,
                 const struct cow_volume *other, bool safe)
{
    char text[COW_MESSAGE_BYTES];
    plan_note(plan, "%s holds another filesystem: %s; %s", path,
              cow_volume_other_text(text, sizeof text, guest, "that file", other),
              safe ? "--safe takes in all that differs"
                   : "what the image does not hold will be that one's, so the guest's files are damaged");
}

/* The image's own copy of a superblock against what lies below it; then both files against each other. */
static int compare_identities(struct cow_plan *plan, const char *path, struct side *now, struct side *then,
                              bool safe, struct cow_error *err)
{
    struct cow_volume below;
    size_t index;
    if (then->fs == NULL) {
        return 0;
    }
    int status = cow_fs_find_other(then->fs, &index, &below, err);
    if (status != 0) {
        return status == COW_NO_MEMORY ? status : 0;
    }
    if (index < then->n_volumes) {
        note(plan, path, &then->volume[index], &below, safe);
        return 0;
    }
    for (size_t i = 0; now->fs != NULL && i < now->n_volumes && i < then->n_volumes; i++) {
        if (now->volume[i].first_byte == then->volume[i].first_byte &&
            cow_volume_is_other(&now->volume[i], &then->volume[i])) {
            note(plan, path, &now->volume[i], &then->volume[i], safe);
            return 0;
        }
    }
    return 0;
}

int identity_note(struct cow_plan *plan, const char *backing_path, bool safe, struct cow_error *err)
{
    struct side now = {.fs = NULL}, then = {.fs = NULL};
    struct cow_error ignored;
    const struct cow_open_options open = {.backing_path = backing_path, .io = plan->io};
    int status = cow_image_open(&then.img, plan->img->path, &open, &ignored);
    if (status == 0) {
        status = look_for_identity(&then, then.img, &ignored);
    }
    if (status == 0) {
        status = look_for_identity(&now, plan->img, &ignored);
    }
    if (status == 0) {
        status = compare_identities(plan, backing_path, &now, &then, safe, &ignored);
    }
    cow_fs_close(now.fs);
    cow_fs_close(then.fs);
    cow_image_close(then.img);
    return status == COW_NO_MEMORY ? cow_error_set(err, COW_NO_MEMORY, "out of memory") : 0;
}
