/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See mark.h.
 */
#include "core/history/mark.h"

#include "core/base/arith.h"
#include "core/base/crc.h"
#include "core/image/image.h"

void log_mark_of(struct log_mark *out, const struct cow_image *img)
{
    const struct cow_io *io = img->io;
    *out = (struct log_mark){.inode = img->cow.facts.st_ino};
    if (io->filesystem_id(io->context, img->cow.fd, out->filesystem) >= 0) {
        out->filesystem_bytes = sizeof out->filesystem;
    }
    out->header_sum = crc_ieee(img->raw, (size_t)arith_min(img->raw_bytes, img->layout.bitmap_offset));
}
