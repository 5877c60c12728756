/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What finding a family and changing it have in common.
 */
#ifndef CORE_FAMILY_FAMILY_H
#define CORE_FAMILY_FAMILY_H

#include "core/image/image.h"
#include "core/image/siblings.h"
#include "cow/family.h"

/* Opens an image as its header says; or through the family's backing file, if that is not what is found so: a
 * relative path can lead elsewhere from here. As cow_image_open. */
int family_open(struct cow_image **out, const struct cow_io *io, const char *path, const char *backing_path,
                const struct stat *backing, struct cow_error *err);

/* Several names of one file are one member: the first that is no link, or else the first. */
void family_drop_other_names(struct siblings *found);

#endif
