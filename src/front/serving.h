/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is to be known of an image before its disk is served, and the words for it. It is looked at here as
 * the server will look at it a moment later, so that what stops it is said with an error of its own, and
 * before any question.
 */
#ifndef FRONT_SERVING_H
#define FRONT_SERVING_H

#include <stdbool.h>
#include <stdint.h>

#include "cow/image.h"

#define FRONT_HELD_NOTE                                                                                      \
    "what it writes is seen when it is on the disk, and a filesystem that changes meanwhile may look "       \
    "damaged"
#define FRONT_NOT_WRITTEN "no: nothing is locked, and nobody is kept out"
#define FRONT_WRITTEN     "where it lies; no guest can use it meanwhile"
#define FRONT_NO_UNDO     "none: what is written cannot be taken back"
#define FRONT_UNDO_VOID   ", and neither can the last change: its undo data become void"

struct front_serving {
    uint64_t size_bytes; /* of the disk */
    bool is_held;        /* a guest, or whoever, has it in use */
    int64_t holder_pid;  /* 0: not known */
    bool has_undo;       /* of the last change, and it is to be written to: the first write makes it void */
};

/* Looks at an image with a layout, which was opened by that path and over that backing file (NULL: the
 * header's). Errors: COW_IO (its backing file is not usable); is_writing: those of cow_writer_open. */
int front_serving_look(struct front_serving *serving, struct cow_image *image, const char *backing_path,
                       bool is_writing, struct cow_error *err);

#endif
