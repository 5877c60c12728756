/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whose a byte of the disk is, in words, the same on the command line and on the screen: rows of a label and
 * what stands behind it.
 */
#ifndef FRONT_OWNER_WORDS_H
#define FRONT_OWNER_WORDS_H

#include "cow/fs.h"

enum { FRONT_OWNER_ROWS = 8, FRONT_OWNER_HEADING_BYTES = 64 };

struct front_owner_words {
    char heading[FRONT_OWNER_HEADING_BYTES]; /* "byte 8913920, sector 17410" */
    size_t n;
    struct {
        const char *label; /* "path" stands before a name, which is not to be wrapped */
        char *text;        /* escaped */
    } row[FRONT_OWNER_ROWS];
};

/* Fills them for what cow_fs_owner_at has said of that byte. *out is the caller's (front_owner_words_free).
 * Errors: COW_NO_MEMORY; it is empty then. */
int front_owner_words(struct front_owner_words *out, const struct cow_image *image, const struct cow_fs *fs,
                      const struct cow_fs_owner *owner, uint64_t offset_bytes, struct cow_error *err);
void front_owner_words_free(struct front_owner_words *words);

/* What a byte is to the guest in a few words: "content of files", "free", "not known". */
const char *front_owner_class_text(const struct cow_fs_owner *owner);

#endif
