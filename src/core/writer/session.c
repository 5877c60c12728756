/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A session's beginning and end, but for what completes its pages (finish.c).
 *
 * Order: who has the image open for writing is asked through a descriptor for reading, before there is one
 * for writing; then the lock, and under it everything that says whether the image may be written. What a
 * guest wrote before may be in the page cache only, for its own flush does nothing in UML: the first flush is
 * for that, too.
 *
 * A descriptor that is handed over was looked at by who holds its lock: then nothing is locked, asked or
 * dated here.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/image/backing_rules.h"
#include "core/ledger/pending.h"
#include "core/writer/writer.h"
#include "cow/text.h"

/* Opens the image for writing, and locks it. */
static int take_image(struct cow_writer *w, const char *path, const struct cow_open_options *opt,
                      struct cow_error *err)
{
    struct cow_image *seen;
    struct host_file file;
    int status = cow_image_open(&seen, path, opt, err);
    if (status != 0) {
        return status;
    }
    status = image_refuse_silent_writer(seen, err);
    status = status == 0 ? host_file_open(w->io, &file, path, O_RDWR, err) : status;
    if (status == 0) {
        w->fd = file.fd;
        status = host_file_lock(w->io, file.fd, IO_LOCK_WRITE, path, "image", err);
    }
    if (status == 0 && (!same_file(&file.facts, &seen->cow.facts) || !cow_image_is_same_file(seen))) {
        cow_error_set(err, COW_REFUSED, "%s: the image has changed since it was looked at", path);
        status = cow_error_hint(err, "try again: another file has got its name at this moment");
    }
    cow_image_close(seen);
    return status;
}

static int check_variant(const struct cow_image *img, struct cow_error *err)
{
    char image[COW_HINT_BYTES / 2];
    if (img->header.format == COW_FORMAT_V3 && img->header.sector_bytes == WRITER_SECTOR_BYTES) {
        return 0;
    }
    cow_error_set(err, COW_UNSUPPORTED, "%s: only a %s with sectors of %d bytes is written", img->path,
                  cow_format_name(COW_FORMAT_V3), WRITER_SECTOR_BYTES);
    return cow_error_hint(err, "\"cowtui convert %s\" makes one of it",
                          cow_shell_quote(image, sizeof image, img->path));
}

/* A shorter backing file is what the policy `keep` leaves: zeros follow. On a longer one another image was
 * resized. */
static int check_backing(const struct cow_image *img, struct cow_error *err)
{
    char image[COW_HINT_BYTES / 2];
    const struct cow_backing *backing = &img->backing.facts;
    int status = backing_rule_found(img, NULL, err);
    if (status == 0 && img->chain->cut) {
        status = cow_error_set(err, COW_IO, "%s: below it: %s", img->path, img->chain->problem);
    }
    if (status == 0) {
        status = backing_rule_date_is_headers(img,
                                              "if it is still the right one: cowtui repair restamps the "
                                              "header; if not, name the right one with -b FILE",
                                              err);
    }
    if (status != 0 || backing->size_bytes <= img->header.size_bytes) {
        return status;
    }
    cow_error_set(err, COW_REFUSED,
                  "%s: its backing file %s is longer (%" PRIu64 " bytes) than the disk (%" PRIu64
                  "): no kernel opens the two",
                  img->path, backing->path, backing->size_bytes, img->header.size_bytes);
    return cow_error_hint(err,
                          "another image on it has been resized: \"cowtui resize %s %" PRIu64 "\" follows",
                          cow_shell_quote(image, sizeof image, img->path), backing->size_bytes);
}

/* Nobody may write what the disk is read from: all files below the image, whichever kernel would read them.
 */
static int lock_below(struct cow_writer *w, struct cow_error *err)
{
    const struct chain *chain = w->img->chain;
    int status = 0;
    for (size_t i = 1; i < chain->n && status == 0; i++) {
        const struct layer *layer = &chain->layer[i];
        struct stat now;
        status = host_file_lock(w->io, layer->file->fd, IO_LOCK_READ, layer->path, "backing file", err);
        if (status != 0) {
            break;
        }
        status = w->io->fstat(w->io->context, layer->file->fd, &now);
        if (status < 0) {
            status = cow_error_system(err, -status, "%s", layer->path);
        } else if (now.st_size != layer->file->facts.st_size ||
                   now.st_mtim.tv_sec != layer->file->facts.st_mtim.tv_sec ||
                   now.st_mtim.tv_nsec != layer->file->facts.st_mtim.tv_nsec) {
            status = cow_error_set(err, COW_REFUSED,
                                   "%s: the backing file has changed since it was looked at", layer->path);
        }
    }
    return status;
}

/* All that refuses, under the locks. */
static int check_image(struct cow_writer *w, struct cow_error *err)
{
    const struct cow_image *img = w->img;
    int status = pending_check_ready(img, err);
    status = status == 0 ? check_variant(img, err) : status;
    status = status == 0 ? check_backing(img, err) : status;
    status = status == 0 ? lock_below(w, err) : status;
    return status == 0 ? pending_check_on(img, img->backing.facts.path, &img->backing.file.facts, err)
                       : status;
}

/* What is handed over by who has asked all that: it can be written at all. */
static int check_held(const struct cow_image *img, struct cow_error *err)
{
    int status = image_require_layout(img, err);
    status = status == 0 ? check_variant(img, err) : status;
    status = status == 0 ? backing_rule_found(img, NULL, err) : status;
    return status == 0 && img->is_half ? pending_check_ready(img, err) : status;
}

static int open_writer(struct cow_writer *w, const char *path, const struct cow_writer_options *opt,
                       struct cow_error *err)
{
    const struct cow_open_options options = {.backing_path = opt->backing_path, .io = w->io};
    int status = 0;
    w->window = malloc(WRITER_WINDOW_BYTES);
    if (w->window == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    if (w->is_held) {
        w->fd = opt->held_fd;
    } else {
        status = take_image(w, path, &options, err);
    }
    status = status == 0
                 ? image_open_lent(&w->img, w->fd, path, w->is_held ? opt->held_size_bytes : 0, &options, err)
                 : status;
    if (status == 0) {
        w->file_bytes = (uint64_t)w->img->cow.facts.st_size;
        status = w->is_held ? check_held(w->img, err) : check_image(w, err);
    }
    return status;
}

int cow_writer_open(struct cow_writer **out, const char *path, const struct cow_writer_options *opt,
                    struct cow_error *err)
{
    static const struct cow_writer_options usual = {.held_fd = -1};
    struct cow_writer *w = calloc(1, sizeof *w);
    opt = opt != NULL ? opt : &usual;
    if (w == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    w->io = opt->io != NULL ? opt->io : &io_system;
    w->fd = -1;
    w->is_held = opt->held_fd >= 0;
    w->pieces_max = WRITER_PIECES_MAX;
    w->data_waits = true; /* perhaps: a guest's */
    int status = open_writer(w, path, opt, err);
    if (status != 0) {
        cow_writer_close(w);
        return status;
    }
    *out = w;
    return 0;
}

void cow_writer_close(struct cow_writer *w)
{
    if (w != NULL) {
        cow_image_close(w->img);
        if (!w->is_held && w->fd >= 0) {
            w->io->close(w->io->context, w->fd);
        }
        free(w->window);
        free(w);
    }
}

uint64_t cow_writer_size_bytes(const struct cow_writer *w)
{
    return w->img->header.size_bytes;
}
