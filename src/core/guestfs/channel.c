/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See channel.h. An io_manager's open() gets nothing but a name, so the name is where the source lies in
 * memory. That keeps the table constant, and any number of filesystems can be open at once.
 *
 * Hazards: libext2fs (1.47) keeps the last inodes it has read, and one with a wrong checksum is put over
 * another without its number; what is told of that other one is wrong from then on (found by fuzzing: a
 * second scan told other owners). The hook that it calls before each reading of an inode empties that cache.
 * And set_com_err_hook is state of the process: libext2fs would write to the terminal otherwise, and there is
 * no other way to silence it.
 */
#include "core/guestfs/channel.h"

#include <errno.h>
#include <et/com_err.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"

enum { NAME_BYTES = 32, DEFAULT_BLOCK_BYTES = 1024 };

/* ---- single blocks that libext2fs has read: it asks for the block of an inode once for each inode ---- */

enum { CACHED_BLOCKS = 64 };

struct block_cache {
    uint32_t block_bytes;
    uint64_t number[CACHED_BLOCKS]; /* of a block, plus 1; 0: none */
    uint8_t bytes[];
};

bool source_cache_begin(struct source *source, uint32_t block_bytes)
{
    source_cache_end(source);
    source->cache = malloc(sizeof *source->cache + (size_t)CACHED_BLOCKS * block_bytes);
    if (source->cache == NULL) {
        return false;
    }
    source->cache->block_bytes = block_bytes;
    memset(source->cache->number, 0, sizeof source->cache->number);
    return true;
}

void source_cache_end(struct source *source)
{
    free(source->cache);
    source->cache = NULL;
}

static int read_block(const struct source *source, uint64_t block, void *buffer, struct cow_error *err)
{
    struct block_cache *cache = source->cache;
    const size_t slot = (size_t)(block % CACHED_BLOCKS);
    uint8_t *bytes = cache->bytes + slot * cache->block_bytes;
    if (cache->number[slot] != block + 1) {
        cache->number[slot] = 0;
        int status = source_read(source, block * cache->block_bytes, bytes, cache->block_bytes, err);
        if (status != 0) {
            return status;
        }
        cache->number[slot] = block + 1;
    }
    memcpy(buffer, bytes, cache->block_bytes);
    return 0;
}

/* ---- the table that libext2fs calls ---- */

static errcode_t channel_open(const char *name, int flags, io_channel *out);

static errcode_t channel_close(io_channel channel)
{
    if (--channel->refcount > 0) {
        return 0;
    }
    free(channel->name);
    free(channel);
    return 0;
}

static errcode_t channel_set_block_size(io_channel channel, int block_bytes)
{
    channel->block_size = block_bytes;
    return 0;
}

/* count < 0 is a number of bytes. */
static errcode_t channel_read(io_channel channel, unsigned long long block, int count, void *buffer)
{
    const struct source *source = channel->private_data;
    const uint64_t block_bytes = (uint64_t)channel->block_size;
    const uint64_t n_bytes = count < 0 ? (uint64_t) - (int64_t)count : (uint64_t)count * block_bytes;
    uint64_t offset, end;
    if (!arith_mul(&offset, block, block_bytes) || !arith_add(&end, offset, n_bytes) || end > INT64_MAX ||
        n_bytes > SIZE_MAX) {
        return EXT2_ET_SHORT_READ;
    }
    struct cow_error err;
    const bool cached = source->cache != NULL && count == 1 && block_bytes == source->cache->block_bytes;
    const int status = cached ? read_block(source, block, buffer, &err)
                              : source_read(source, offset, buffer, (size_t)n_bytes, &err);
    return status == 0               ? 0
           : status == COW_NO_MEMORY ? EXT2_ET_NO_MEMORY
           : err.sys_errno != 0      ? err.sys_errno
                                     : EIO;
}

static errcode_t channel_read_old(io_channel channel, unsigned long block, int count, void *buffer)
{
    return channel_read(channel, block, count, buffer);
}

static errcode_t channel_write(io_channel channel, unsigned long long block, int count, const void *buffer)
{
    (void)channel;
    (void)block;
    (void)count;
    (void)buffer;
    return EXT2_ET_RO_FILSYS;
}

static errcode_t channel_write_old(io_channel channel, unsigned long block, int count, const void *buffer)
{
    return channel_write(channel, block, count, buffer);
}

static errcode_t channel_flush(io_channel channel)
{
    (void)channel;
    return 0;
}

static const struct struct_io_manager channel_table = {
    .magic = EXT2_ET_MAGIC_IO_MANAGER,
    .name = "COW image",
    .open = channel_open,
    .close = channel_close,
    .set_blksize = channel_set_block_size,
    .read_blk = channel_read_old,
    .write_blk = channel_write_old,
    .flush = channel_flush,
    .read_blk64 = channel_read,
    .write_blk64 = channel_write,
};

/* libext2fs wants a table that could be written, and does not write it. */
static io_manager channel_manager(void)
{
    union {
        const struct struct_io_manager *constant;
        io_manager plain;
    } table = {.constant = &channel_table};
    return table.plain;
}

static errcode_t channel_open(const char *name, int flags, io_channel *out)
{
    uintptr_t address;
    (void)flags;
    if (sscanf(name, "%" SCNxPTR, &address) != 1) {
        return EXT2_ET_BAD_DEVICE_NAME;
    }
    io_channel channel = calloc(1, sizeof *channel);
    char *copy = strdup(name);
    if (channel == NULL || copy == NULL) {
        free(channel);
        free(copy);
        return EXT2_ET_NO_MEMORY;
    }
    channel->magic = EXT2_ET_MAGIC_IO_CHANNEL;
    channel->manager = channel_manager();
    channel->name = copy;
    channel->block_size = DEFAULT_BLOCK_BYTES;
    channel->refcount = 1;
    channel->private_data = (void *)address;
    *out = channel;
    return 0;
}

/* libext2fs has words for the terminal where a bitmap is asked for a block that cannot be. */
static void keep_silent(const char *who, errcode_t code, const char *format, va_list arguments)
{
    (void)who;
    (void)code;
    (void)format;
    (void)arguments;
}

/* libext2fs (1.47) keeps the last inodes, and an inode with a wrong checksum is put over one of them without
 * its number: from then on the number of that one finds the other's content. So nothing is kept. */
static errcode_t forget_inodes(ext2_filsys fs, ext2_ino_t inode, struct ext2_inode *content)
{
    (void)inode;
    (void)content;
    errcode_t code = ext2fs_flush_icache(fs);
    return code != 0 ? code : EXT2_ET_CALLBACK_NOTHANDLED;
}

errcode_t source_open(ext2_filsys *out, const struct source *source)
{
    char name[NAME_BYTES];
    set_com_err_hook(keep_silent);
    snprintf(name, sizeof name, "%" PRIxPTR, (uintptr_t)source);
    errcode_t code =
        ext2fs_open2(name, NULL, EXT2_FLAG_64BITS | EXT2_FLAG_IGNORE_CSUM_ERRORS | EXT2_FLAG_SKIP_MMP, 0, 0,
                     channel_manager(), out);
    if (code == 0) {
        (*out)->read_inode = forget_inodes; /* asked before each reading of its own */
    }
    return code;
}

errcode_t source_read_inode(ext2_filsys fs, ext2_ino_t inode, void *out, int n_bytes)
{
    errcode_t code = ext2fs_flush_icache(fs);
    return code != 0 ? code : ext2fs_read_inode_full(fs, inode, out, n_bytes);
}

const char *source_error_text(errcode_t code)
{
    switch (code) {
    case EXT2_ET_BAD_MAGIC:
        return "its superblock has no magic";
    case EXT2_ET_CORRUPT_SUPERBLOCK:
        return "its superblock is corrupt";
    case EXT2_ET_UNSUPP_FEATURE:
    case EXT2_ET_RO_UNSUPP_FEATURE:
        return "it has features that are not known here";
    case EXT2_ET_NO_MEMORY:
        return "out of memory";
    case EXT2_ET_GDESC_READ:
        return "its group descriptors cannot be read";
    case EXT2_ET_EXTENT_HEADER_BAD:
    case EXT2_ET_EXTENT_INVALID_LENGTH:
        return "an extent tree is broken";
    case EXT2_ET_DIR_CORRUPTED:
        return "a directory is broken";
    case EXT2_ET_FILE_NOT_FOUND:
        return "no such file";
    case EXT2_ET_NO_DIRECTORY:
        return "not a directory";
    case EXT2_ET_SYMLINK_LOOP:
        return "too many symbolic links";
    default:
        return code > 0 && code < 4096 ? strerror((int)code) : "it is broken";
    }
}
