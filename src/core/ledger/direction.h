/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which way an interrupted change is recovered: on to its end, or back to its beginning. The record says what
 * was meant, the files say how far it came.
 */
#ifndef CORE_LEDGER_DIRECTION_H
#define CORE_LEDGER_DIRECTION_H

#include "core/ledger/journal.h"

enum direction { FORWARD, BACK, NOWHERE };

/* What is to be done, and why. */
struct decision {
    bool has_choice; /* the other way is open, too: data that is being moved goes on as well as back */
    bool is_lost;    /* nobody knows how far the data has been moved: there is no way */
    uint64_t moves_forward_bytes, moves_back_bytes; /* of data, where there is a choice */
    enum direction direction; /* NOWHERE: the image is neither the old nor the new one of that change */
    bool base_changed; /* the new image is complete, but what it relies on has changed, or moved; of a merge
                          that is given up: the backing file has another date than before it */
};

/* Which way recovery goes from what the record and the files say. 0 with *out, or -errno; nothing is written.
 */
int direction_choose(struct decision *out, const struct cow_image *img, const struct record *record);

/* The same for an image of a change of several, which all go on once that is committed, and back before.
 * NOWHERE: it is not where that way begins: somebody has written to it, or what the way needs is gone. */
int direction_of_member(struct decision *out, const struct cow_image *img, const struct record *record,
                        bool committed);

#endif
