/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the wizard knows of the disk's content: which filesystems are on it, how small it can become without
 * cutting one of them, and how small they could be made themselves.
 */
#include <stdio.h>
#include <string.h>

#include "tui/change/wizard.h"

enum { UNIT_BYTES = 512 };

bool wizard_shrinks(const struct tui_app *app, const struct wizard *w)
{
    return w->size_bytes < cow_image_header(app->subject.image)->size_bytes;
}

/* "On it: ext4, 64.0 MiB, 12.3 MiB used, clean; 10.1 MiB at least" */
static void tell_volumes(struct wizard *w, const struct cow_volume *volume, size_t n_volumes)
{
    char text[WIZARD_LINE], size[COW_SIZE_TEXT_BYTES];
    size_t used = (size_t)snprintf(w->facts, sizeof w->facts, "On it: ");

    for (size_t i = 0; i < n_volumes && used < sizeof w->facts; i++) {
        const char *text_of = cow_volume_text(text, sizeof text, &volume[i]);
        used +=
            (size_t)snprintf(w->facts + used, sizeof w->facts - used, "%s%s", i > 0 ? " | " : "", text_of);
        if (used < sizeof w->facts && volume[i].readable && volume[i].minimum_bytes > 0) {
            used += (size_t)snprintf(w->facts + used, sizeof w->facts - used, "; %s at least",
                                     cow_size_text(size, volume[i].minimum_bytes));
        }
    }
}

/* Where a volume's last byte is that matters: of a partition all of it, for the table says so. */
static uint64_t end_of(const struct cow_volume *volume)
{
    bool alone = volume->partition == 0 && volume->fs_bytes > 0;
    uint64_t bytes = alone ? volume->fs_bytes : volume->size_bytes;
    uint64_t end = volume->first_byte + (bytes > volume->fs_bytes ? bytes : volume->fs_bytes);

    return (end + UNIT_BYTES - 1) / UNIT_BYTES * UNIT_BYTES;
}

/* The one that ends last; NULL without any. */
static const struct cow_volume *last_of(const struct cow_volume *volume, size_t n_volumes)
{
    const struct cow_volume *last = NULL;

    for (size_t i = 0; i < n_volumes; i++) {
        if (last == NULL || end_of(&volume[i]) > end_of(last)) {
            last = &volume[i];
        }
    }
    return last;
}

static void tell_smallest(struct wizard *w, const struct cow_volume *last, bool fills)
{
    bool whole = last->partition == 0;
    char size[COW_SIZE_TEXT_BYTES];

    cow_size_text(size, last->minimum_bytes);
    if (!last->readable || last->minimum_bytes == 0 || last->minimum_bytes >= last->fs_bytes) {
        size[0] = '\0';
    }
    if (fills && size[0] != '\0') {
        snprintf(w->smallest, sizeof w->smallest,
                 "%s fills the disk; resize2fs -M in the guest could make %s %s",
                 whole ? "the filesystem" : "the last partition", whole ? "it" : "its filesystem", size);
    } else if (fills) {
        snprintf(w->smallest, sizeof w->smallest, "%s fills the disk",
                 !whole                                    ? "the last partition"
                 : last->readable || last->type[0] == '\0' ? "the filesystem"
                                                           : last->type);
    } else if (size[0] != '\0') {
        snprintf(w->smallest, sizeof w->smallest,
                 "(resize2fs -M in the guest could make the %sfilesystem %s first)", whole ? "" : "last ",
                 size);
    }
}

uint64_t wizard_look(struct tui_app *app, struct wizard *w)
{
    uint64_t now = cow_image_header(app->subject.image)->size_bytes;
    struct cow_fs *fs = NULL;
    size_t n_volumes;
    bool known = false;

    w->facts[0] = w->smallest[0] = '\0';
    w->at_smallest = false;
    if (cow_fs_open(&fs, app->subject.image, NULL) != 0) {
        return 0; /* then the wizard does without */
    }
    const struct cow_volume *volume = cow_fs_volumes(fs, &n_volumes), *last = last_of(volume, n_volumes);
    for (size_t i = 0; i < n_volumes; i++) {
        known |= volume[i].type[0] != '\0' || volume[i].readable;
    }
    uint64_t smallest = 0;
    if (last != NULL && known) {
        tell_volumes(w, volume, n_volumes);
        w->at_smallest = end_of(last) >= now;
        tell_smallest(w, last, w->at_smallest);
        smallest = w->at_smallest ? 0 : end_of(last);
    }
    if (smallest > 0 && strcmp(cow_fs_table(fs), "gpt") == 0) { /* its second copy ends the disk */
        w->at_smallest = true;
        snprintf(w->smallest, sizeof w->smallest, "the partition table (GPT) has its copy at the disk's end");
        smallest = 0;
    }
    cow_fs_close(fs);
    return smallest;
}
