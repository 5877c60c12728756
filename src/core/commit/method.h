/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A method is how an image is changed, seen from whoever has to finish that or take it back: recovery after a
 * crash, undo, a commit that failed, the end of the journal. All of them go through this table; none knows a
 * method by its name. What the steps of a method do stands in its file, beside its ways: method_copy.c,
 * method_header.c, method_merge.c. A further method is a file here, a row in methods.c, and its rows in
 * ledger/kind.c, ledger/direction.c and plan/method_words.c.
 *
 * Every way can be interrupted and taken again: it asks what is there before it does a thing. It answers 0 or
 * -errno, stops at the first call that fails, and leaves the journal alone, so that recovery can go on.
 */
#ifndef CORE_COMMIT_METHOD_H
#define CORE_COMMIT_METHOD_H

#include "core/write/work.h"

enum journal_end {
    JOURNAL_GOES,         /* the old image carries the record, or there is nothing to go back to */
    JOURNAL_BECOMES_UNDO, /* it is the undo file itself */
    JOURNAL_AND_UNDO_GO,  /* with what the change before would be undone with: that is of no use any more */
};

struct method {
    int (*forward)(struct commit *c); /* to the end, after a crash; of an undo also the first time */
    int (*back)(struct commit *c);    /* to the beginning; a guest may have used the image in between */
    /* The same for a commit that failed: nobody else can have written since. NULL: but for the journal
     * nothing has been made yet. */
    int (*take_back)(struct commit *c);
    /* Has a rename that reported a failure done its work all the same? NULL: there is none. */
    bool (*is_placed)(struct commit *c);
    enum journal_end end; /* of the journal, once the change is done. One that was taken back: JOURNAL_GOES */
};

extern const struct method method_copy, method_undo_copy;       /* method_copy.c */
extern const struct method method_header, method_undo_header;   /* method_header.c */
extern const struct method method_shift, method_undo_shift;     /* method_shift.c */
extern const struct method method_content, method_undo_content; /* method_content.c */
extern const struct method method_merge;                        /* method_merge.c */

#endif
