/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The end of a session: pages that were mixed before it began, and what a guest reads in one piece with dirty
 * ones. Only now the filesystem can be asked, for while it is written nobody knows where its files lie. What
 * is done costs as much as there is dirty, and a look at the filesystem where its blocks are smaller than a
 * page.
 *
 * A writer that was handed an open file may write an overlay on an image, whose sectors are taken over into
 * that one afterwards. Then the same is done for what the image has: what completes its pages goes to the
 * overlay.
 *
 * Order: whatever comes of it, the session's own data are flushed. A crash before that leaves a disk that
 * reads the same but for what was not flushed, and `check` tells what is missing.
 */
#include "core/base/arith.h"
#include "core/writer/writer.h"
#include "cow/fs.h"

static int complete_mixed_pages(struct cow_writer *w, struct cow_error *err)
{
    struct cow_dirty_run page = {.sectors = 0};
    int status = 0;
    do {
        status = cow_image_next_mixed(w->img, page.first_sector + page.sectors, &page, err);
        if (status == 0 && page.sectors > 0) {
            status = writer_complete_page(w, page.first_sector * WRITER_SECTOR_BYTES, err);
        }
    } while (status == 0 && page.sectors > 0);
    return status;
}

/* The bits of the image that an overlay lies on; NULL: there is none. */
static struct bitmap *bits_below(const struct cow_writer *w)
{
    const struct chain *chain = w->img->chain;
    return w->is_held && chain->n > 1 && chain->layer[1].format == COW_FORMAT_V3 ? chain->layer[1].bits
                                                                                 : NULL;
}

/* Completes the page that begins there, unless the image that an overlay lies on has all of it. */
static int complete_page(struct cow_writer *w, uint64_t offset, struct cow_error *err)
{
    struct bitmap *bits = bits_below(w);
    uint64_t set = 0;
    int status =
        bits != NULL ? bitmap_count(bits, offset / WRITER_SECTOR_BYTES, WRITER_PAGE_SECTORS, &set, err) : 0;
    return status == 0 && set < WRITER_PAGE_SECTORS ? writer_complete_page(w, offset, err) : status;
}

/* The first and the last page of a run of sectors, if the run begins or ends within it. */
static int complete_ends(struct cow_writer *w, uint64_t first, uint64_t end, struct cow_error *err)
{
    const uint64_t begin_bytes = first * WRITER_SECTOR_BYTES, end_bytes = end * WRITER_SECTOR_BYTES;
    int status = 0;
    if (begin_bytes % COW_PAGE_BYTES != 0) {
        status = complete_page(w, begin_bytes / COW_PAGE_BYTES * COW_PAGE_BYTES, err);
    }
    if (status == 0 && end_bytes % COW_PAGE_BYTES != 0 && end_bytes < writer_sectors_end(w)) {
        status = complete_page(w, end_bytes / COW_PAGE_BYTES * COW_PAGE_BYTES, err);
    }
    return status;
}

static int complete_mixed_pages_below(struct cow_writer *w, struct cow_error *err)
{
    struct bitmap *bits = bits_below(w);
    uint64_t first = 0, end = 0;
    int status = 0;
    while (status == 0 && bits != NULL) {
        status = bitmap_next_run(bits, end, &first, &end, err);
        if (status != 0 || first == end) {
            break;
        }
        status = complete_ends(w, first, end, err);
    }
    return status;
}

/* The pages around each run of dirty ones that a guest reads in one piece with it. No page is mixed any more.
 */
static int complete_joints(struct cow_writer *w, struct bitmap *bits, const struct cow_fs_scan *scan,
                           struct cow_error *err)
{
    const uint64_t sectors_end = writer_sectors_end(w);
    uint64_t at = 0, first = 0, stop = 0;
    int status = 0;
    while (status == 0 && at < sectors_end) {
        status = bitmap_next_run(bits, at / WRITER_SECTOR_BYTES, &first, &stop, err);
        if (status != 0 || first == stop) {
            break;
        }
        uint64_t begin = first * WRITER_SECTOR_BYTES / COW_PAGE_BYTES * COW_PAGE_BYTES;
        uint64_t end =
            arith_min(arith_div_up(stop * WRITER_SECTOR_BYTES, COW_PAGE_BYTES) * COW_PAGE_BYTES, sectors_end);
        while (status == 0 && begin > at && cow_fs_read_at_once(scan, begin)) {
            begin -= COW_PAGE_BYTES;
            status = complete_page(w, begin, err);
        }
        while (status == 0 && end < sectors_end && cow_fs_read_at_once(scan, end)) {
            status = complete_page(w, end, err);
            end = arith_min(end + COW_PAGE_BYTES, sectors_end);
        }
        at = end;
    }
    return status;
}

static int complete_filesystems(struct cow_writer *w, const struct cow_env *env, struct cow_error *err)
{
    const struct cow_fs_scan_options options = {.owners_only = true, .look_around = true, .env = env};
    struct cow_fs *fs;
    struct cow_fs_scan *scan;
    int status = cow_fs_open(&fs, w->img, err);
    if (status != 0) {
        return status;
    }
    if (cow_fs_reads_across(fs)) {
        status = cow_fs_scan(&scan, fs, &options, err);
        if (status == 0) {
            status = complete_joints(w, w->img->bitmap, scan, err);
            if (status == 0 && bits_below(w) != NULL) {
                status = complete_joints(w, bits_below(w), scan, err);
            }
            cow_fs_scan_free(scan);
        }
    }
    cow_fs_close(fs);
    return status;
}

int cow_writer_finish(struct cow_writer *w, const struct cow_env *env, struct cow_error *err)
{
    int status = complete_mixed_pages(w, err);
    status = status == 0 ? complete_mixed_pages_below(w, err) : status;
    status = status == 0 ? complete_filesystems(w, env, err) : status;
    const int flushed = cow_writer_flush(w, status == 0 ? err : NULL);
    return status == 0 ? flushed : status;
}
