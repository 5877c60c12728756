/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What reaches the file, and when. Data goes to its place at once: where the bit is set it is the disk's, and
 * a sector is old or new; where it is clear nobody looks, and what lies there after a crash is an orphan. The
 * bits stay in memory, where they count for whoever asks the image, until a flush: data, fsync, bits, fsync.
 * When too many wait, they are written without being asked for, behind the same fsync of data.
 *
 * Order: a bit reaches the file only when all data that was written before is on the disk. So a bit that is
 * set never shows what an orphan left, and a piece of bits may be torn anywhere.
 *
 * The beginning of a session: the image gets another date, on the disk before its first write is, because
 * undo tells by length and date whether it would lose something. A write dates a file by itself, but not
 * where it comes in the same moment as the change that can be undone, and not on the disk: a flush of data
 * alone leaves the date.
 *
 * Hazard: after an error of fsync the page cache says that all is written, and it is not. So that error is
 * final.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/arith.h"
#include "core/writer/writer.h"

static int failed(const struct cow_writer *w, int status, const char *doing, struct cow_error *err)
{
    return cow_error_system(err, -status, "%s: %s", w->img->path, doing);
}

/* ---- the beginning ---- */

static bool same_moment(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* "Now", until that is another date than before: a filesystem may tell moments apart by two seconds. Who may
 * write a file may set no other date. */
static int date_image(struct cow_writer *w, struct cow_error *err)
{
    enum { TRIES = 150, MILLISECONDS = 20 };
    static const struct timespec now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    struct stat before, after;
    int status = w->io->fstat(w->io->context, w->fd, &before);
    for (unsigned i = 0; status == 0; i++) {
        status = w->io->futimens(w->io->context, w->fd, now);
        status = status < 0 ? status : w->io->fstat(w->io->context, w->fd, &after);
        if (status < 0 || !same_moment(&before, &after)) {
            break;
        }
        if (i == TRIES) {
            return cow_error_set(err, COW_IO,
                                 "%s: its date cannot be changed: undo data could not be told void",
                                 w->img->path);
        }
        w->io->pause(w->io->context, MILLISECONDS);
    }
    status = status < 0 ? status : w->io->fsync(w->io->context, w->fd);
    return status < 0 ? failed(w, status, "dating it", err) : 0;
}

int writer_begin(struct cow_writer *w, struct cow_error *err)
{
    if (w->failed.status != 0) {
        if (err != NULL) {
            *err = w->failed;
        }
        return w->failed.status;
    }
    int status = w->has_begun || w->is_held ? 0 : date_image(w, err);
    w->has_begun |= status == 0;
    return status;
}

/* ---- data ---- */

/* What is remembered of the file's holes is not true any more. */
static void forget_extent(struct cow_writer *w)
{
    w->img->cow.extent = (struct io_extent){0, 0, false};
    w->data_waits = true;
}

int writer_store(struct cow_writer *w, uint64_t offset, const void *bytes, size_t n_bytes,
                 struct cow_error *err)
{
    const uint64_t place = image_place(w->img, COW_FILE_COW, offset).offset;
    forget_extent(w);
    int status = io_write(w->io, w->fd, bytes, n_bytes, place);
    if (status < 0) {
        return failed(w, status, "writing", err);
    }
    w->file_bytes = arith_max(w->file_bytes, place + n_bytes);
    return 0;
}

/* A file that ends before its sectors do reads as zeros there, but people and programs take it for one that
 * was cut. */
static int lengthen(struct cow_writer *w, uint64_t end, struct cow_error *err)
{
    if (end <= w->file_bytes) {
        return 0;
    }
    int status = w->io->ftruncate(w->io->context, w->fd, end);
    if (status < 0) {
        return failed(w, status, "lengthening it", err);
    }
    w->file_bytes = end;
    return 0;
}

int writer_punch(struct cow_writer *w, uint64_t offset, uint64_t n_bytes, struct cow_error *err)
{
    const uint64_t place = image_place(w->img, COW_FILE_COW, offset).offset;
    forget_extent(w);
    int status = lengthen(w, place + n_bytes, err);
    if (status != 0) {
        return status;
    }
    status = io_punch(w->io, w->fd, place, n_bytes);
    return status < 0 ? failed(w, status, "making a hole", err) : 0;
}

/* ---- bits ---- */

static int sync_file(struct cow_writer *w, struct cow_error *err)
{
    int status = io_datasync(w->io, w->fd);
    if (status < 0) {
        return failed(w, status, "flushing", err);
    }
    w->data_waits = false;
    w->bits_wait = false;
    return 0;
}

/* The bits that wait in memory, into the file, behind their data. */
static int write_bits(struct cow_writer *w, struct cow_error *err)
{
    uint8_t bytes[CHANGED_PIECE_BYTES];
    const size_t n = bitmap_changed(w->img->bitmap);
    int status = n > 0 && !w->bits_ready ? sync_file(w, err) : 0;
    for (size_t i = 0; status == 0 && i < n; i++) {
        uint64_t offset;
        size_t n_bytes;
        status = bitmap_changed_bytes(w->img->bitmap, i, bytes, &offset, &n_bytes, err);
        if (status == 0) {
            w->bits_wait = true;
            status = io_write(w->io, w->fd, bytes, n_bytes, w->img->layout.bitmap_offset + offset);
            status = status < 0 ? failed(w, status, "writing the bitmap", err) : 0;
        }
    }
    if (status == 0) {
        bitmap_forget_changed(w->img->bitmap);
    }
    return status;
}

/* Writes what waits; an error is the last word. to_disk: bits, too. */
static int write_out(struct cow_writer *w, bool to_disk, struct cow_error *err)
{
    struct cow_error own = {.status = 0};
    if (w->failed.status == 0) {
        int status = write_bits(w, &own);
        if (status == 0 && to_disk && (w->data_waits || w->bits_wait)) {
            status = sync_file(w, &own);
        }
        w->failed = own;
        w->failed.status = status;
    }
    if (w->failed.status != 0 && err != NULL) {
        *err = w->failed;
    }
    return w->failed.status;
}

int writer_set_bits(struct cow_writer *w, uint64_t offset, uint64_t n_bytes, struct cow_error *err)
{
    const uint64_t first = offset / WRITER_SECTOR_BYTES, count = arith_div_up(n_bytes, WRITER_SECTOR_BYTES);
    const size_t waiting = bitmap_changed(w->img->bitmap);
    const uint64_t needed = count / CHANGED_PIECE_BITS + 2;
    int status = waiting > 0 && waiting + needed > w->pieces_max ? write_out(w, false, err) : 0;
    if (status != 0) {
        return status;
    }
    w->bits_ready = !w->data_waits && (w->bits_ready || bitmap_changed(w->img->bitmap) == 0);
    status = bitmap_set(w->img->bitmap, first, count, err);
    return status == 0 ? 0 : cow_error_prefix(err, "%s", w->img->path);
}

int cow_writer_flush(struct cow_writer *w, struct cow_error *err)
{
    return write_out(w, true, err);
}
