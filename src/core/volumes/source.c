/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See source.h. A failed read is kept beside the source, for libblkid and libext2fs hide it behind words of
 * their own, and what looks like a broken filesystem then is a broken host.
 */
#include "core/volumes/source.h"

#include <string.h>

#include "core/base/arith.h"

int source_read(const struct source *source, uint64_t offset, void *buffer, size_t n_bytes,
                struct cow_error *err)
{
    struct cow_error local;
    const uint64_t there = arith_min(n_bytes, arith_sub_floor(source->size_bytes, offset));
    err = err != NULL ? err : &local;
    memset((uint8_t *)buffer + there, 0, n_bytes - (size_t)there);
    if (there == 0) {
        return 0;
    }
    const int status =
        source->version == COW_VERSION_BASE
            ? cow_image_read_file(source->img, COW_FILE_BACKING, source->first_byte + offset, buffer,
                                  (size_t)there, err)
            : cow_image_read(source->img, source->first_byte + offset, buffer, (size_t)there, err);
    if (status != 0 && source->failure != NULL && source->failure->status == 0) {
        *source->failure = (struct read_failure){.status = status, .error = *err};
    }
    return status;
}

int source_settle(struct read_failure *failure, int status, struct cow_error *err)
{
    if (failure->status != 0 && status != COW_CANCELLED) {
        status = failure->status;
        *err = failure->error;
    }
    failure->status = 0;
    return status;
}
