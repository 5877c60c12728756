/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A raw disk that is read as if it were an image without any dirty sector, with the raw disk as its backing
 * file: so that whatever reads the composed disk of an image reads raw disks, too.
 */
#ifndef CORE_IMAGE_RAW_H
#define CORE_IMAGE_RAW_H

#include "core/image/image.h"

/* *out is the caller's, cow_image_close. It has no COW file (its cow.fd is -1) and no header bytes. Errors:
 * COW_IO, COW_INVALID (an empty file, or 8 TiB and more), COW_NO_MEMORY. */
int raw_image_open(struct cow_image **out, const char *path, const struct cow_io *io, struct cow_error *err);

#endif
