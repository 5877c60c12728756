/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Was a backing file with another date only touched, or modified? Its superblock is the witness: last written
 * before the header's date, it was touched; after it, modified. A file dated before its filesystem was made
 * was dated by hand, and its date tells nothing; then, and always, the guest's own copy of the superblock
 * counts: it began as a copy of the backing file's and only gets younger. If the copy is older (written
 * earlier, or mounted less often), the backing file was written since, even if its date was put back.
 *
 * Offsets: struct ext4_super_block in the kernel's fs/ext4/ext4.h, the same since ext2.
 */
#include "core/volumes/superblock.h"

#include <string.h>

#include "core/base/bytes.h"

static uint64_t superblock_number(const uint8_t *bytes, unsigned offset, unsigned width_bytes)
{
    return bytes_get(bytes + offset, width_bytes, false);
}

bool superblock_read(struct superblock *out, const uint8_t bytes[SUPERBLOCK_BYTES])
{
    const bool plausible = superblock_number(bytes, 0x38, 2) == 0xef53 &&
                           superblock_number(bytes, 0x18, 4) <= 6 && superblock_number(bytes, 0x04, 4) != 0 &&
                           superblock_number(bytes, 0x4c, 4) <= 1;
    if (!plausible) {
        return false;
    }
    *out = (struct superblock){.made = (int64_t)superblock_number(bytes, 0x108, 4),
                               .written = (int64_t)superblock_number(bytes, 0x30, 4),
                               .mounted = (int64_t)superblock_number(bytes, 0x2c, 4),
                               .checked = (int64_t)superblock_number(bytes, 0x40, 4),
                               .mounts = (uint32_t)superblock_number(bytes, 0x34, 2),
                               .free_blocks = superblock_number(bytes, 0x0c, 4)};
    memcpy(out->uuid, bytes + 0x68, sizeof out->uuid);
    return true;
}

/* A guest's superblock begins as a copy of the backing file's, and only gets younger. */
static bool older(const struct superblock *guest, const struct superblock *backing)
{
    return guest->written < backing->written ||
           (guest->checked == backing->checked && guest->mounts < backing->mounts);
}

enum superblock_view superblock_compare(const struct superblock *backing, const struct superblock *guest,
                                        int64_t header_mtime)
{
    const bool related = guest != NULL && memcmp(guest->uuid, backing->uuid, sizeof guest->uuid) == 0;
    if (related && older(guest, backing)) {
        return SUPERBLOCK_GUEST_OLDER;
    }
    if (backing->written == 0) {
        return SUPERBLOCK_UNKNOWN;
    }
    if (backing->written <= header_mtime) {
        return SUPERBLOCK_UNTOUCHED;
    }
    /* A file dated before its filesystem was made was dated by hand: its date is no witness. */
    if (backing->made <= header_mtime) {
        return SUPERBLOCK_WRITTEN;
    }
    return related ? SUPERBLOCK_GUEST_YOUNGER : SUPERBLOCK_UNKNOWN;
}
