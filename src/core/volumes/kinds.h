/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What lies on a disk or in a partition besides ext: how large it says that it is, and what its owner has to
 * do when the room around it changes. libblkid names it; this table knows the rest, by that name.
 */
#ifndef CORE_VOLUMES_KINDS_H
#define CORE_VOLUMES_KINDS_H

#include "core/volumes/source.h"

struct kind {
    const char *type; /* as libblkid names it */
    /* How many bytes of the volume it takes by its own account. False: it does not say, or what it says is
     * no size; then all of the volume counts as its. NULL: it never says. */
    bool (*measure)(const struct source *source, uint64_t *bytes);
    const char *grow; /* in the guest, when there is more room: a command, DEV for the device; NULL: it cannot
                         grow, `why` says so */
    const char *why;  /* half a sentence: "swap stays as large as it is"; or what has to follow the command */
    const char *shrink; /* what makes it smaller before the disk becomes that; NULL: nothing does */
};

/* NULL: nothing is known of that kind but its name. */
const struct kind *kind_of(const char *type);

/* Whether a part of it lies at the end of the volume, and is looked for there: it is not found any more once
 * the end is elsewhere. */
bool kind_ends_the_volume(const char *type, const struct source *source);

#endif
