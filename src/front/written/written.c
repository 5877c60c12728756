/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See written.h. Pieces are gathered, sorted by owner and added up: there are as many as the new sectors have
 * owners, one after the other, and each owner's path is kept once.
 */
#include "front/written/written.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEP = 256 };

int front_written_open(struct front_written *out, struct cow_history *history, const struct cow_env *env,
                       struct cow_error *err)
{
    const struct cow_history_facts *facts = cow_history_facts(history);
    const struct cow_open_options options = {.backing_path =
                                                 facts->backing_named ? facts->backing_path : NULL};
    const struct cow_fs_scan_options scan = {.owners_only = true, .env = env};
    struct front_written written = {.image = NULL};
    size_t volumes;
    int status = cow_image_open(&written.image, facts->image_path, &options, err);

    memset(out, 0, sizeof *out);
    if (status == 0) {
        status = cow_history_check_image(history, written.image, err);
    }
    if (status == 0) {
        status = cow_fs_open(&written.fs, written.image, err);
    }
    if (status == 0) {
        status = cow_fs_scan(&written.scan, written.fs, &scan, err);
    }
    if (status != 0) {
        front_written_close(&written);
        return status;
    }
    written.volume = cow_fs_volumes(written.fs, &volumes);
    *out = written;
    return 0;
}

void front_written_close(struct front_written *written)
{
    cow_fs_scan_free(written->scan);
    cow_fs_close(written->fs);
    cow_image_close(written->image);
    memset(written, 0, sizeof *written);
}

/* Of a piece what lies in [from, end). */
static void cut_piece(struct cow_fs_owner *piece, uint64_t from, uint64_t end)
{
    uint64_t piece_end = piece->first_byte + piece->length_bytes;

    if (piece->first_byte < from) {
        piece->file_offset += piece->has_file_offset ? from - piece->first_byte : 0;
        piece->first_byte = from;
    }
    piece->length_bytes = (piece_end < end ? piece_end : end) - piece->first_byte;
}

int front_written_each(const struct front_written *written, const struct cow_sectors *set,
                       int (*each)(void *context, const struct cow_fs_owner *owner, struct cow_error *err),
                       void *context, struct cow_error *err)
{
    const struct cow_header *header = cow_image_header(written->image);
    struct cow_dirty_run run;
    int status = 0;

    for (cow_sectors_next(set, 0, &run); status == 0 && run.sectors > 0;
         cow_sectors_next(set, run.first_sector + run.sectors, &run)) {
        uint64_t at = run.first_sector * header->sector_bytes, end = at + run.sectors * header->sector_bytes;
        struct cow_fs_owner piece;
        if (end > header->size_bytes) {
            end = header->size_bytes;
        }
        while (status == 0 && at < end) {
            status = cow_fs_owner_next(written->scan, at, &piece, err);
            if (status != 0 || piece.length_bytes == 0 || piece.first_byte >= end) {
                break;
            }
            cut_piece(&piece, at, end);
            at = piece.first_byte + piece.length_bytes;
            status = each(context, &piece, err);
        }
    }
    return status;
}

/* ---- shares ---- */

static int by_owner(const struct front_share *a, const struct front_share *b)
{
    if (a->volume != b->volume) {
        return a->volume < b->volume ? -1 : 1;
    }
    if (a->inode != b->inode) {
        return a->inode < b->inode ? -1 : 1;
    }
    return a->inode != 0 || a->fs_class == b->fs_class ? 0 : a->fs_class < b->fs_class ? -1 : 1;
}

static int compare_owners(const void *a, const void *b)
{
    return by_owner(a, b);
}

static int by_bytes(const void *a, const void *b)
{
    const struct front_share *left = a, *right = b;

    if (left->n_bytes != right->n_bytes) {
        return left->n_bytes < right->n_bytes ? 1 : -1;
    }
    if (left->path != NULL && right->path != NULL && strcmp(left->path, right->path) != 0) {
        return strcmp(left->path, right->path);
    }
    return by_owner(left, right);
}

/* Neighbours of one owner are one; what each of them has of its path, the first one keeps. */
static void merge_shares(struct front_shares *shares)
{
    size_t n = 0;

    if (shares->n > 0) {
        qsort(shares->share, shares->n, sizeof *shares->share, compare_owners);
    }
    for (size_t i = 0; i < shares->n; i++) {
        struct front_share *last = n > 0 ? &shares->share[n - 1] : NULL, *share = &shares->share[i];
        if (last != NULL && by_owner(last, share) == 0) {
            last->n_bytes += share->n_bytes;
            if (share->fs_class < last->fs_class) { /* content before what maps it */
                last->fs_class = share->fs_class;
            }
            if (last->path == NULL) {
                last->path = share->path;
            } else {
                free(share->path);
            }
        } else {
            shares->share[n++] = *share;
        }
    }
    shares->n = n;
}

struct gathering {
    const struct front_written *written;
    struct front_shares *shares;
};

static int gather(void *context, const struct cow_fs_owner *owner, struct cow_error *err)
{
    const struct gathering *gathering = context;
    struct front_shares *shares = gathering->shares;
    bool of_file = cow_fs_class_of_file(owner->fs_class) && owner->inode != 0;
    struct front_share share = {.volume = owner->volume,
                                .fs_class = owner->fs_class,
                                .inode = of_file ? owner->inode : 0,
                                .n_bytes = owner->length_bytes};

    if (owner->volume != COW_NO_VOLUME) {
        share.partition = gathering->written->volume[owner->volume].partition;
    }
    if (shares->n > 0 && by_owner(&shares->share[shares->n - 1], &share) == 0) {
        shares->share[shares->n - 1].n_bytes += share.n_bytes;
        return 0;
    }
    if (shares->n == shares->room) {
        merge_shares(shares);
        if (shares->n * 2 >= shares->room) {
            size_t room = shares->room * 2 + STEP;
            struct front_share *larger = realloc(shares->share, room * sizeof *larger);
            if (larger == NULL) {
                return cow_error_set(err, COW_NO_MEMORY, "out of memory");
            }
            shares->share = larger;
            shares->room = room;
        }
    }
    if (of_file && owner->path != NULL && (share.path = strdup(owner->path)) == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    shares->share[shares->n++] = share;
    return 0;
}

int front_written_shares(struct front_shares *out, const struct front_written *written,
                         const struct cow_sectors *set, struct cow_error *err)
{
    struct gathering gathering = {written, out};

    memset(out, 0, sizeof *out);
    int status = front_written_each(written, set, gather, &gathering, err);
    merge_shares(out);
    if (out->n > 0) {
        qsort(out->share, out->n, sizeof *out->share, by_bytes);
    }
    if (status != 0) {
        front_shares_free(out);
    }
    return status;
}

void front_shares_free(struct front_shares *shares)
{
    for (size_t i = 0; i < shares->n; i++) {
        free(shares->share[i].path);
    }
    free(shares->share);
    memset(shares, 0, sizeof *shares);
}

const char *front_log_left_text(char *out, size_t out_bytes, const struct cow_history *history)
{
    const struct cow_history_facts *facts = cow_history_facts(history);

    out[0] = '\0';
    if (facts->left_bytes > 0) {
        snprintf(out, out_bytes,
                 "%" PRIu64 " byte%s behind its last whole record cannot be read: the recording was cut off, "
                 "or the file is damaged there",
                 facts->left_bytes, facts->left_bytes == 1 ? "" : "s");
    }
    return out;
}
