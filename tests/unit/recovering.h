/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the suites of recovery share: a change that is done, to be laid out anew in any state, and what
 * recovery makes of it.
 */
#ifndef TESTS_UNIT_RECOVERING_H
#define TESTS_UNIT_RECOVERING_H

#include "changes.h"
#include "core/ledger/record_codec.h"

enum { OLD_SECTORS = 301, NEW_SECTORS = 444 };

/* A change that is done, and all that it knows, to lay it out anew in any state. */
struct laid_out {
    struct subject *s;
    struct record *record;
    uint8_t *new_file; /* the new image's bytes */
    uint64_t new_bytes;
    char *image, *undo, *old, *fresh, *journal;
};

/* From OLD_SECTORS to NEW_SECTORS; done. */
struct laid_out change_laid_out(enum operation operation, bool in_place);
void layout_end(struct laid_out *scene);

/* ---- building blocks ---- */

void set_date(const char *path, struct timespec mtime);
void move_file(const char *from, const char *to);
/* Another file by that name. The old one goes last, for a filesystem may give its inode number away at once.
 */
void put_another(const char *path);
/* The record as the journal, of that kind. */
void put_journal(const struct laid_out *scene, uint32_t kind);
/* The file of the old image (by whatever name) as it was before the change. */
void revive(const struct laid_out *scene, const char *path);
/* The image is the old one again, the new one is beside it. */
void before_the_rename(const struct laid_out *scene);
/* dated: with the date that it had. */
void backing_length(const struct laid_out *scene, uint64_t size_bytes, bool dated);
/* A guest sets the bit of the last old sector, in the byte that old and new bits share, and writes there. */
void guest_writes(const struct laid_out *scene);
/* It succeeds, no journal is left, and there is nothing more to recover. */
void recover_it(const struct laid_out *scene, const char *where);

#endif
