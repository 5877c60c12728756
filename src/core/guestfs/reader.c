/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See reader.h. Paths are walked within the filesystem.
 */
#include "core/guestfs/reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/base/grow.h"
#include "cow/text.h"

enum { COMPARE_BYTES = 64 * 1024, TELL_BYTES = 4 * 1024 * 1024, PATH_BYTES = 8192, LINKS_MAX = 40 };

static const uint64_t HOLE = UINT64_MAX, IN_INODE = UINT64_MAX - 1; /* instead of a place */
static const uint64_t pieces_max = 64 * 1024 * 1024; /* visits; more than any file of 8 TiB in one piece */

static errcode_t take_extent_piece(void *context, const struct extent_piece *piece)
{
    struct cow_fs_reader *reader = context;
    if (piece->mapping || piece->unwritten || piece->first * reader->block_bytes >= reader->size_bytes) {
        return 0;
    }
    if (reader->n > 0 &&
        piece->first < reader->piece[reader->n - 1].first + reader->piece[reader->n - 1].count) {
        return EXT2_ET_EXTENT_INVALID_LENGTH;
    }
    struct extent_piece *grown = grow_array(reader->piece, reader->n, &reader->room, sizeof *grown);
    if (grown == NULL) {
        return EXT2_ET_NO_MEMORY;
    }
    reader->piece = grown;
    reader->piece[reader->n++] = *piece;
    return 0;
}

static errcode_t take_inline(struct cow_fs_reader *reader, ext2_filsys fs, ext2_ino_t inode,
                             struct ext2_inode_large *content)
{
    struct ext2_inode *plain = (struct ext2_inode *)(void *)content;
    if (ext2fs_is_fast_symlink(plain) != 0 || ext2fs_inode_has_valid_blocks2(fs, plain) == 0) {
        const bool is_inline = (content->i_flags & EXT4_INLINE_DATA_FL) != 0;
        reader->inline_data = calloc(1, fs->blocksize + sizeof content->i_block);
        if (reader->inline_data == NULL) {
            return EXT2_ET_NO_MEMORY;
        }
        if (!is_inline) { /* a symbolic link's target, or a device's numbers */
            memcpy(reader->inline_data, content->i_block, sizeof content->i_block);
            reader->inline_bytes = sizeof content->i_block;
            return 0;
        }
        size_t bytes = 0;
        errcode_t code = ext2fs_inline_data_size(fs, inode, &bytes);
        if (code == 0 && bytes > fs->blocksize) {
            code = EXT2_ET_BAD_EA_BLOCK_NUM;
        }
        reader->inline_bytes = code == 0 ? bytes : 0;
        return code != 0 ? code : ext2fs_inline_data_get(fs, inode, plain, reader->inline_data, &bytes);
    }
    return 0;
}

errcode_t reader_open_inode(struct cow_fs_reader **out, const struct source *source, ext2_filsys fs,
                            ext2_ino_t inode, struct ext2_inode_large *content)
{
    struct cow_fs_reader *reader = calloc(1, sizeof *reader);
    uint64_t budget = pieces_max;
    if (reader == NULL) {
        return EXT2_ET_NO_MEMORY;
    }
    reader->source = source;
    reader->block_bytes = fs->blocksize;
    reader->size_bytes = EXT2_I_SIZE(content);
    errcode_t code = take_inline(reader, fs, inode, content);
    if (code == 0 && reader->inline_data == NULL) {
        budget = arith_min(budget, 4 * ext2fs_blocks_count(fs->super) + 1024);
        code = extents_walk(fs, inode, content, &budget, take_extent_piece, reader);
    }
    if (code != 0) {
        cow_fs_reader_close(reader);
        return code;
    }
    *out = reader;
    return 0;
}

void cow_fs_reader_close(struct cow_fs_reader *reader)
{
    if (reader != NULL) {
        free(reader->piece);
        free(reader->inline_data);
        free(reader);
    }
}

uint64_t cow_fs_reader_size(const struct cow_fs_reader *reader)
{
    return reader->size_bytes;
}

/* The first piece that ends behind `offset`; n if there is none. */
static size_t piece_behind(const struct cow_fs_reader *reader, uint64_t offset)
{
    size_t low = 0, high = reader->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const struct extent_piece *piece = &reader->piece[middle];
        if ((piece->first + piece->count) * reader->block_bytes > offset) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

void reader_next_data(const struct cow_fs_reader *reader, uint64_t offset, uint64_t *begin, uint64_t *end)
{
    *begin = *end = reader->size_bytes;
    if (reader->inline_data != NULL) {
        const uint64_t held = arith_min(reader->inline_bytes, reader->size_bytes);
        *begin = offset < held ? offset : reader->size_bytes;
        *end = offset < held ? held : reader->size_bytes;
        return;
    }
    const size_t at = piece_behind(reader, offset);
    if (at < reader->n) {
        const struct extent_piece *piece = &reader->piece[at];
        *begin = arith_min(arith_max(piece->first * reader->block_bytes, offset), reader->size_bytes);
        *end = arith_min((piece->first + piece->count) * reader->block_bytes, reader->size_bytes);
    }
}

/* Where on the volume the byte lies, or HOLE, or IN_INODE; *end is as far as that goes on. */
static uint64_t place_in_file(const struct cow_fs_reader *reader, uint64_t offset, uint64_t *end)
{
    uint64_t begin;
    reader_next_data(reader, offset, &begin, end);
    if (begin > offset || offset >= reader->size_bytes) {
        *end = begin;
        return HOLE;
    }
    if (reader->inline_data != NULL) {
        return IN_INODE;
    }
    const struct extent_piece *piece = &reader->piece[piece_behind(reader, offset)];
    return piece->block * reader->block_bytes + (offset - piece->first * reader->block_bytes);
}

int cow_fs_reader_read(struct cow_fs_reader *reader, uint64_t offset, void *buffer, size_t n_bytes,
                       size_t *n_read, struct cow_error *err)
{
    uint8_t *out = buffer;
    const size_t there = (size_t)arith_min(n_bytes, arith_sub_floor(reader->size_bytes, offset));
    int status = 0;
    for (size_t done = 0, piece; done < there && status == 0; done += piece) {
        uint64_t end;
        const uint64_t place = place_in_file(reader, offset + done, &end);
        piece = (size_t)arith_min(there - done, end - (offset + done));
        if (place == HOLE) {
            memset(out + done, 0, piece);
        } else if (place == IN_INODE) {
            memcpy(out + done, reader->inline_data + offset + done, piece);
        } else {
            status = source_read(reader->source, place, out + done, piece, err);
        }
    }
    if (status == 0) {
        *n_read = there;
    }
    return status;
}

/* Both at once; *skip if there is nothing to read: holes on both sides, or the same place of the disk that is
 * not in the COW. */
static int look_ahead(const struct cow_fs_reader *a, const struct cow_fs_reader *b, uint64_t offset,
                      uint64_t *end, bool *skip, struct cow_error *err)
{
    uint64_t a_end, b_end;
    *skip = false;
    const uint64_t a_place = place_in_file(a, offset, &a_end), b_place = place_in_file(b, offset, &b_end);
    *end = arith_min(a_end, b_end);
    if (a_place != b_place || a_place == IN_INODE) {
        return 0;
    }
    *skip = a_place == HOLE;
    if (*skip || a->source->version == b->source->version) {
        *skip = true;
        return 0;
    }
    const struct cow_image *img = a->source->img;
    const uint64_t sector_bytes = cow_image_header(img)->sector_bytes,
                   first = a->source->first_byte + a_place;
    struct cow_dirty_run run;
    int status = cow_image_next_dirty(a->source->img, first / sector_bytes, &run, err);
    const uint64_t clean_end = run.sectors == 0 ? UINT64_MAX : run.first_sector * sector_bytes;
    if (status == 0 && clean_end > first) {
        *skip = true;
        *end = arith_min(*end, offset + (clean_end - first));
    } else if (status == 0) {
        *end = arith_min(*end, offset + (run.first_sector + run.sectors) * sector_bytes - first);
    }
    return status;
}

/* The first byte in [offset, end) that differs, or end. */
static int compare_stretch(struct cow_fs_reader *a, struct cow_fs_reader *b, uint8_t *buffer, uint64_t offset,
                           uint64_t end, uint64_t *first, struct cow_error *err)
{
    int status = 0;
    *first = end;
    for (size_t piece; offset < end && status == 0; offset += piece) {
        size_t n;
        piece = (size_t)arith_min(end - offset, COMPARE_BYTES);
        status = cow_fs_reader_read(a, offset, buffer, piece, &n, err);
        if (status == 0) {
            status = cow_fs_reader_read(b, offset, buffer + COMPARE_BYTES, piece, &n, err);
        }
        if (status == 0 && memcmp(buffer, buffer + COMPARE_BYTES, piece) != 0) {
            size_t at = 0;
            while (buffer[at] == buffer[COMPARE_BYTES + at]) {
                at++;
            }
            *first = offset + at;
            return 0;
        }
    }
    return status;
}

/* The first byte from `offset` on that differs, or where the shorter one ends. */
static int find_difference(struct cow_fs_reader *a, struct cow_fs_reader *b, uint64_t offset, uint64_t *at,
                           int (*tell)(void *context, struct cow_error *err), void *context,
                           struct cow_error *err)
{
    const uint64_t both = arith_min(a->size_bytes, b->size_bytes);
    uint8_t *buffer = malloc(2 * COMPARE_BYTES);
    uint64_t first = both, end;
    int status = buffer == NULL ? cow_error_set(err, COW_NO_MEMORY, "out of memory") : 0;
    while (status == 0 && offset < both && first == both) {
        bool skip;
        status = look_ahead(a, b, offset, &end, &skip, err);
        end = arith_min(end, both);
        if (status == 0 && !skip) {
            end = arith_min(end, offset + TELL_BYTES);
            status = compare_stretch(a, b, buffer, offset, end, &first, err);
            first = status == 0 && first == end ? both : first;
        }
        if (status == 0 && !skip && tell != NULL && end - offset == TELL_BYTES) {
            status = tell(context, err);
        }
        offset = end;
    }
    free(buffer);
    if (status == 0) {
        *at = first;
    }
    return status;
}

int reader_compare(struct cow_fs_reader *a, struct cow_fs_reader *b, bool *equal, uint64_t *first_difference,
                   int (*tell)(void *context, struct cow_error *err), void *context, struct cow_error *err)
{
    const int status = find_difference(a, b, 0, first_difference, tell, context, err);
    if (status == 0) {
        *equal =
            *first_difference == arith_min(a->size_bytes, b->size_bytes) && a->size_bytes == b->size_bytes;
    }
    return status;
}

struct compare_told {
    const struct cow_env *env;
    struct cow_progress progress;
};

static int tell_progress(void *context, struct cow_error *err)
{
    struct compare_told *told = context;
    told->progress.done_bytes = arith_min(told->progress.done_bytes + TELL_BYTES, told->progress.total_bytes);
    return told->env->progress(told->env->context, &told->progress)
               ? cow_error_set(err, COW_CANCELLED, "stopped: nothing was compared")
               : 0;
}

int cow_fs_next_difference(struct cow_fs_reader *a, struct cow_fs_reader *b, uint64_t offset,
                           const struct cow_env *env, uint64_t *at, struct cow_error *err)
{
    const uint64_t both = arith_min(a->size_bytes, b->size_bytes);
    struct compare_told told = {env, {"comparing", offset, both > 0 ? both : 1, true}};
    return find_difference(a, b, offset, at, env != NULL && env->progress != NULL ? tell_progress : NULL,
                           &told, err);
}

int cow_fs_compare(struct cow_fs_reader *a, struct cow_fs_reader *b, bool *equal, uint64_t *first_difference,
                   struct cow_error *err)
{
    return reader_compare(a, b, equal, first_difference, NULL, NULL, err);
}

/* ---- by path ---- */

/* A walk along a path. libext2fs has one, which trusts the length that a symbolic link says it has. */
struct path_walk {
    const struct source *source;
    ext2_filsys fs;
    ext2_ino_t at;
    char rest[2 * PATH_BYTES]; /* what is still to be walked */
    int links;
};

static errcode_t read_inode(ext2_filsys fs, ext2_ino_t inode, struct ext2_inode_large *out)
{
    memset(out, 0, sizeof *out);
    return source_read_inode(fs, inode, out, sizeof *out);
}

/* Puts the target in front of what is still to be walked. */
static errcode_t follow(struct path_walk *walk, ext2_ino_t link, struct ext2_inode_large *content)
{
    struct cow_fs_reader *reader;
    char target[PATH_BYTES];
    size_t n = 0;
    if (++walk->links > LINKS_MAX) {
        return EXT2_ET_SYMLINK_LOOP;
    }
    errcode_t code = reader_open_inode(&reader, walk->source, walk->fs, link, content);
    if (code != 0) {
        return code;
    }
    const uint64_t size = cow_fs_reader_size(reader);
    if (size == 0 || size >= sizeof target ||
        cow_fs_reader_read(reader, 0, target, (size_t)size, &n, NULL) != 0 ||
        memchr(target, '\0', n) != NULL) {
        code = EXT2_ET_FILE_NOT_FOUND;
    }
    cow_fs_reader_close(reader);
    if (code != 0 || n + 2 + strlen(walk->rest) > sizeof walk->rest) {
        return code != 0 ? code : EXT2_ET_SYMLINK_LOOP;
    }
    memmove(walk->rest + n + 1, walk->rest, strlen(walk->rest) + 1);
    memcpy(walk->rest, target, n);
    walk->rest[n] = '/';
    walk->at = target[0] == '/' ? EXT2_ROOT_INO : walk->at;
    return 0;
}

static errcode_t step(struct path_walk *walk)
{
    struct ext2_inode_large content;
    ext2_ino_t next;
    const size_t slashes = strspn(walk->rest, "/"), bytes = strcspn(walk->rest + slashes, "/");
    char name[EXT2_NAME_LEN + 1];
    if (bytes > EXT2_NAME_LEN) {
        return EXT2_ET_FILE_NOT_FOUND;
    }
    memcpy(name, walk->rest + slashes, bytes);
    memmove(walk->rest, walk->rest + slashes + bytes, strlen(walk->rest + slashes + bytes) + 1);
    if (bytes == 0) {
        return 0;
    }
    errcode_t code = ext2fs_lookup(walk->fs, walk->at, name, (int)bytes, NULL, &next);
    if (code == 0 && (next == 0 || next > walk->fs->super->s_inodes_count)) {
        code = EXT2_ET_DIR_CORRUPTED;
    }
    if (code == 0) {
        code = read_inode(walk->fs, next, &content);
    }
    if (code == 0 && LINUX_S_ISLNK(content.i_mode)) {
        return follow(walk, next, &content);
    }
    walk->at = code == 0 ? next : walk->at;
    return code;
}

static int find_inode(const struct cow_fs *fs, const struct source *source, ext2_filsys filsys,
                      const char *path, ext2_ino_t *inode, struct ext2_inode_large *content,
                      struct cow_error *err)
{
    struct path_walk walk = {.source = source, .fs = filsys, .at = EXT2_ROOT_INO};
    char escaped[COW_MESSAGE_BYTES / 2];
    errcode_t code = strlen(path) < PATH_BYTES ? 0 : EXT2_ET_FILE_NOT_FOUND;
    cow_escape(escaped, sizeof escaped, path);
    if (code == 0) {
        memcpy(walk.rest, path, strlen(path) + 1);
    }
    while (code == 0 && walk.rest[0] != '\0') {
        code = step(&walk);
    }
    if (code == EXT2_ET_FILE_NOT_FOUND || code == EXT2_ET_NO_DIRECTORY || code == EXT2_ET_SYMLINK_LOOP) {
        return cow_error_set(err, COW_USAGE, "%s: %s: %s", cow_image_path(fs->img), escaped,
                             source_error_text(code));
    }
    if (code == 0) {
        code = read_inode(filsys, walk.at, content);
    }
    if (code != 0) {
        return guestfs_failed(err, code, fs, escaped);
    }
    if (!LINUX_S_ISREG(content->i_mode)) {
        return cow_error_set(err, COW_USAGE, "%s: %s: is %s", cow_image_path(fs->img), escaped,
                             LINUX_S_ISDIR(content->i_mode) ? "a directory" : "no regular file");
    }
    *inode = walk.at;
    return 0;
}

int cow_fs_reader_open(struct cow_fs_reader **out, struct cow_fs *fs, int volume, enum cow_version version,
                       const char *path, struct cow_error *err)
{
    struct cow_error local;
    err = err != NULL ? err : &local;
    ext2_ino_t inode = 0;
    struct ext2_inode_large content = {.i_mode = 0};
    if (volume < 0 || (size_t)volume >= fs->n_volumes) {
        return cow_error_set(err, COW_USAGE, "%s: no such volume", cow_image_path(fs->img));
    }
    struct guest_volume *inner = &fs->inner[volume];
    ext2_filsys filsys = version == COW_VERSION_BASE ? inner->base_fs : inner->fs;
    if (filsys == NULL) {
        return cow_error_set(err, COW_USAGE, "%s: %s", cow_image_path(fs->img),
                             version == COW_VERSION_BASE && inner->fs != NULL
                                 ? "the backing file does not have this filesystem"
                                 : "no ext filesystem can be read there");
    }
    const struct source *source =
        version == COW_VERSION_BASE ? &fs->source[volume].base : &fs->source[volume].guest;
    fs->failure.status = 0;
    int status =
        source_settle(&fs->failure, find_inode(fs, source, filsys, path, &inode, &content, err), err);
    if (status != 0) {
        return status;
    }
    struct cow_fs_reader *reader = NULL;
    errcode_t code = reader_open_inode(&reader, source, filsys, inode, &content);
    if (code != 0) {
        char escaped[COW_MESSAGE_BYTES / 2];
        status = guestfs_failed(err, code, fs, cow_escape(escaped, sizeof escaped, path));
    }
    status = source_settle(&fs->failure, status, err);
    if (status != 0) {
        cow_fs_reader_close(reader);
        return status;
    }
    *out = reader;
    return 0;
}
