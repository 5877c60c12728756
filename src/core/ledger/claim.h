/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether a record that lies beside an image is about that image, and which of the files that it names may be
 * written because of it.
 */
#ifndef CORE_LEDGER_CLAIM_H
#define CORE_LEDGER_CLAIM_H

#include "core/ledger/journal.h"

/* COW_REFUSED where the image is a copy of the one that the record is about (its original is named), or where
 * the record would write a backing file that neither lies beside the image nor is named by its header or by
 * the user. Sets copy_is_foreign where that is true of the private backing file, which is kept then. An image
 * that the record does not know at all passes: journal_view tells. path: of the record, for the words. */
int claim_check(struct record *record, const struct cow_image *img, const char *path, struct cow_error *err);

#endif
