/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A disk that is served. What is only looked at may be in use by a guest: its header, bits and sizes are read
 * anew whenever its file has other dates than before. The dates of a file are as coarse as the clock's tick,
 * so one that was written within the last moment counts as changed until that moment is over.
 */
#include "nbd/served.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cow/image.h"

enum { TICK_NS = 20 * 1000 * 1000, NS_IN_S = 1000 * 1000 * 1000 };

/* A file as it was last seen, by its name. path NULL: it is not watched, as what is handed over is not. */
struct watched {
    char *path;
    const char *what; /* "the image" */
    struct stat facts;
    bool is_fresh; /* its dates are so young that it may have changed since without another date */
};

struct served {
    struct cow_image *image;   /* exactly one of these two */
    struct cow_writer *writer; /* is not NULL */
    uint64_t size_bytes;
    bool is_unfinished; /* something was written since the last end of a session */
    struct watched cow;
    struct watched *below; /* the files of all layers below the image */
    size_t n_below;
};

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_young(const struct stat *facts)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    const int64_t seconds = (int64_t)(now.tv_sec - facts->st_mtim.tv_sec);
    return seconds <= 1 && seconds * NS_IN_S + (now.tv_nsec - facts->st_mtim.tv_nsec) < TICK_NS;
}

/* Remembers how the file is now. */
static int watch_begin(struct watched *file, const char *what, const char *path, struct cow_error *err)
{
    file->what = what;
    file->path = strdup(path);
    if (file->path == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    if (stat(path, &file->facts) != 0) {
        return cow_error_system(err, errno, "%s", path);
    }
    file->is_fresh = is_young(&file->facts);
    return 0;
}

/* Whether it is still that file, and has not become shorter. *changed: it has, or may have, other content.
 * The writer itself changes what it writes to: only whether it is the same file counts there. */
static int watch_look(struct watched *file, bool *changed, struct cow_error *err)
{
    struct stat now;

    if (file->path == NULL) {
        return 0;
    }
    if (stat(file->path, &now) != 0) {
        return cow_error_system(err, errno == ENOENT ? EIO : errno, "%s is gone: %s", file->what, file->path);
    }
    if (now.st_dev != file->facts.st_dev || now.st_ino != file->facts.st_ino) {
        return cow_error_set(err, COW_IO, "%s was replaced by another file: %s", file->what, file->path);
    }
    if (now.st_size < file->facts.st_size) {
        return cow_error_set(err, COW_IO, "%s was cut while it is served: %s", file->what, file->path);
    }
    *changed |= file->is_fresh || now.st_size != file->facts.st_size ||
                !is_same_time(&now.st_mtim, &file->facts.st_mtim) ||
                !is_same_time(&now.st_ctim, &file->facts.st_ctim);
    file->facts = now;
    file->is_fresh = is_young(&now);
    return 0;
}

/* Whether an image that is only looked at can be served as it stands. */
static int is_servable(struct cow_image *image, struct cow_error *err)
{
    const struct cow_backing *backing = cow_image_backing(image);

    if (cow_image_header(image)->unfinished) {
        return cow_error_set(err, cow_image_half(image) == COW_HALF_MOVING ? COW_LOCKED : COW_INVALID,
                             "%s: %s", cow_image_path(image), cow_image_pending(image));
    }
    if (backing->state != COW_BACKING_FOUND && backing->state != COW_BACKING_NONE) {
        return cow_error_set(err, COW_IO, "%s: its backing file: %s", cow_image_path(image),
                             backing->problem);
    }
    if (*cow_image_cut_text(image) != '\0') {
        return cow_error_set(err, COW_IO, "%s: %s", cow_image_path(image), cow_image_cut_text(image));
    }
    return 0;
}

static int watch_below(struct served *disk, const struct cow_image *image, struct cow_error *err)
{
    const size_t layers = cow_image_layers(image);
    int status = 0;

    disk->below = layers > 1 ? calloc(layers - 1, sizeof *disk->below) : NULL;
    if (layers > 1 && disk->below == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    for (size_t i = 1; status == 0 && i < layers; i++) {
        struct cow_layer layer;
        cow_image_layer(image, i, &layer);
        status = watch_begin(&disk->below[disk->n_below++],
                             i == 1 ? "the backing file" : "a file below the backing file", layer.path, err);
    }
    return status;
}

/* The files are those that were opened. *changed as watch_look has it. */
static int look_at_all(struct served *disk, bool *changed, struct cow_error *err)
{
    int status = watch_look(&disk->cow, changed, err);

    for (size_t i = 0; status == 0 && i < disk->n_below; i++) {
        status = watch_look(&disk->below[i], changed, err);
    }
    return status;
}

static int open_image(struct served *disk, const struct served_options *options, struct cow_error *err)
{
    const struct cow_open_options open = {.backing_path = options->backing_path};
    int status = cow_image_open(&disk->image, options->image_path, &open, err);

    if (status == 0) {
        status = is_servable(disk->image, err);
    }
    if (status != 0) {
        return status;
    }
    disk->size_bytes = cow_image_header(disk->image)->size_bytes;
    status = watch_begin(&disk->cow, "the image", options->image_path, err);
    if (status == 0) {
        status = watch_below(disk, disk->image, err);
    }
    if (status == 0 && !cow_image_is_same_file(disk->image)) {
        status = cow_error_set(err, COW_IO, "%s: another file has got its name at this moment",
                               options->image_path);
    }
    return status;
}

/* A writer does not tell which files lie below: the image is opened for that, and closed again. */
static int watch_files(struct served *disk, const struct served_options *options, struct cow_error *err)
{
    const struct cow_open_options open = {.backing_path = options->backing_path};
    struct cow_image *image;
    int status = watch_begin(&disk->cow, "the image", options->image_path, err);

    if (status == 0) {
        status = cow_image_open(&image, options->image_path, &open, err);
    }
    if (status != 0) {
        return status;
    }
    status = watch_below(disk, image, err);
    cow_image_close(image);
    return status;
}

static int open_writer(struct served *disk, const struct served_options *options, struct cow_error *err)
{
    const struct cow_writer_options open = {.backing_path = options->backing_path,
                                            .held_fd = options->held_fd,
                                            .held_size_bytes = options->held_size_bytes};
    int status = options->held_fd >= 0 ? 0 : watch_files(disk, options, err);

    if (status == 0) {
        status = cow_writer_open(&disk->writer, options->image_path, &open, err);
    }
    if (status == 0) {
        disk->size_bytes = cow_writer_size_bytes(disk->writer);
    }
    return status;
}

int served_open(struct served **out, const struct served_options *options, struct cow_error *err)
{
    struct served *disk = calloc(1, sizeof *disk);
    int status;

    if (disk == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    status = options->is_writing ? open_writer(disk, options, err) : open_image(disk, options, err);
    if (status != 0) {
        served_close(disk);
        return status;
    }
    *out = disk;
    return 0;
}

void served_close(struct served *disk)
{
    if (disk == NULL) {
        return;
    }
    cow_image_close(disk->image);
    cow_writer_close(disk->writer);
    free(disk->cow.path);
    for (size_t i = 0; i < disk->n_below; i++) {
        free(disk->below[i].path);
    }
    free(disk->below);
    free(disk);
}

uint64_t served_size_bytes(const struct served *disk)
{
    return disk->size_bytes;
}

bool served_is_writing(const struct served *disk)
{
    return disk->writer != NULL;
}

static bool is_same_file(const struct watched *a, const struct watched *b)
{
    return a->facts.st_dev == b->facts.st_dev && a->facts.st_ino == b->facts.st_ino;
}

bool served_is_same(const struct served *a, const struct served *b)
{
    bool is_same =
        a->size_bytes == b->size_bytes && a->n_below == b->n_below && is_same_file(&a->cow, &b->cow);

    for (size_t i = 0; is_same && i < a->n_below; i++) {
        is_same = is_same_file(&a->below[i], &b->below[i]);
    }
    return is_same;
}

/* Before each request: the files are those that were opened, and what is known of them is what they hold. */
static int look_again(struct served *disk, struct cow_error *err)
{
    bool changed = false;
    int status = look_at_all(disk, &changed, err);

    if (status != 0 || disk->writer != NULL || !changed) {
        return status;
    }
    status = cow_image_refresh(disk->image, err);
    if (status == 0) { /* it opens them by name */
        status = look_at_all(disk, &changed, err);
    }
    if (status == 0) {
        status = is_servable(disk->image, err);
    }
    if (status == 0 && cow_image_header(disk->image)->size_bytes != disk->size_bytes) {
        status = cow_error_set(err, COW_IO, "%s: its disk has another size than when it was opened",
                               cow_image_path(disk->image));
    }
    if (status != 0) { /* what is wrong now may be mended: it is looked at again */
        disk->cow.is_fresh = true;
    }
    return status;
}

int served_read(struct served *disk, uint64_t offset, void *buffer, size_t n_bytes, struct cow_error *err)
{
    int status = look_again(disk, err);

    if (status != 0) {
        return status;
    }
    return disk->writer != NULL ? cow_writer_read(disk->writer, offset, buffer, n_bytes, err)
                                : cow_image_read(disk->image, offset, buffer, n_bytes, err);
}

int served_look(struct served *disk, struct cow_error *err)
{
    return look_again(disk, err);
}

int served_extent(struct served *disk, uint64_t offset, struct cow_extent *out, struct cow_error *err)
{
    return disk->writer != NULL ? cow_writer_extent(disk->writer, offset, out, err)
                                : cow_image_extent(disk->image, offset, out, err);
}

int served_write(struct served *disk, uint64_t offset, const void *data, size_t n_bytes,
                 struct cow_error *err)
{
    int status = look_again(disk, err);

    disk->is_unfinished = true;
    return status != 0 ? status : cow_writer_write(disk->writer, offset, data, n_bytes, err);
}

int served_zero(struct served *disk, uint64_t offset, uint64_t n_bytes, struct cow_error *err)
{
    int status = look_again(disk, err);

    disk->is_unfinished = true;
    return status != 0 ? status : cow_writer_zero(disk->writer, offset, n_bytes, err);
}

int served_trim(struct served *disk, uint64_t offset, uint64_t n_bytes, struct cow_error *err)
{
    int status = look_again(disk, err);

    disk->is_unfinished = true;
    return status != 0 ? status : cow_writer_trim(disk->writer, offset, n_bytes, err);
}

/* The backing file is not asked for: what was written is not in it. A session without a write needs no end:
 * an image that nobody wrote to stays as it is, undo data and all. */
int served_flush(struct served *disk, bool ends, struct cow_error *err)
{
    bool changed = false;
    int status = watch_look(&disk->cow, &changed, err);

    if (status != 0 || !disk->is_unfinished) {
        return status;
    }
    status = ends ? cow_writer_finish(disk->writer, NULL, err) : cow_writer_flush(disk->writer, err);
    disk->is_unfinished = !ends || status != 0;
    return status;
}
