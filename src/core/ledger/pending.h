/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether an interrupted change waits for recovery: asked before anything is written.
 */
#ifndef CORE_LEDGER_PENDING_H
#define CORE_LEDGER_PENDING_H

#include "core/image/siblings.h"

/* COW_REFUSED if an interrupted change of the image waits for recovery, or its data is half way. */
int pending_check(const struct cow_image *img, struct cow_error *err);

/* COW_REFUSED, for an image half way without the journal that says what was meant. */
int pending_refuse_without_journal(const struct cow_image *img, struct cow_error *err);

/* First of all, for every change of an image: it has a layout, and nothing waits for recovery. What a crash
 * left looks like other trouble, so this comes before all other questions. COW_INVALID, COW_REFUSED. */
int pending_check_ready(const struct cow_image *img, struct cow_error *err);

/* The refusal in words for another image of which a change waits (siblings_pending). COW_REFUSED. */
int pending_refuse_sibling(const struct sibling *pending, struct cow_error *err);

/* COW_REFUSED if a change of an image on this file was interrupted: its date and length may be half a
 * change's.
 */
int pending_check_on(const struct cow_image *img, const char *path, const struct stat *facts,
                     struct cow_error *err);

#endif
