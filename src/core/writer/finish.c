/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The end of a session: pages that were mixed before it began, and what a guest reads in one piece with dirty
 * ones. Only now the filesystem can be asked, for while it is written nobody knows where its files lie. What
 * is done costs as much as there is dirty, and a look at the filesystem where its blocks are smaller than a
 * page.
 *
 * Order: the session's own data first and to the disk. A crash behind that leaves a disk that reads the same,
 * and `check` tells what is missing.
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

/* The pages around each run of dirty ones that a guest reads in one piece with it. No page is mixed any more.
 */
static int complete_joints(struct cow_writer *w, const struct cow_fs_scan *scan, struct cow_error *err)
{
    struct cow_dirty_run run = {.sectors = 0};
    const uint64_t sectors_end = writer_sectors_end(w);
    uint64_t at = 0;
    int status = cow_image_next_dirty(w->img, 0, &run, err);
    while (status == 0 && run.sectors > 0) {
        uint64_t begin = run.first_sector * WRITER_SECTOR_BYTES;
        uint64_t end = arith_min(begin + run.sectors * WRITER_SECTOR_BYTES, sectors_end);
        while (status == 0 && begin > at && cow_fs_read_at_once(scan, begin)) {
            begin -= COW_PAGE_BYTES;
            status = writer_complete_page(w, begin, err);
        }
        while (status == 0 && end < sectors_end && cow_fs_read_at_once(scan, end)) {
            status = writer_complete_page(w, end, err);
            end = arith_min(end + COW_PAGE_BYTES, sectors_end);
        }
        at = end;
        status = status == 0 ? cow_image_next_dirty(w->img, at / WRITER_SECTOR_BYTES, &run, err) : status;
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
            status = complete_joints(w, scan, err);
            cow_fs_scan_free(scan);
        }
    }
    cow_fs_close(fs);
    return status;
}

int cow_writer_finish(struct cow_writer *w, const struct cow_env *env, struct cow_error *err)
{
    int status = cow_writer_flush(w, err);
    status = status == 0 ? complete_mixed_pages(w, err) : status;
    status = status == 0 ? complete_filesystems(w, env, err) : status;
    return status == 0 ? cow_writer_flush(w, err) : status;
}
