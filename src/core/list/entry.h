/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One file, told.
 */
#ifndef CORE_LIST_ENTRY_H
#define CORE_LIST_ENTRY_H

#include "cow/list.h"

/* The options with the system's calls filled in; of NULL the usual ones. */
struct cow_list_options entry_options(const struct cow_list_options *opt);

/* Nothing is known of it: COW_LISTED_NOTHING. */
void entry_clear(struct cow_list_entry *out, const char *path);

/* Tells of a file that was found in a directory: what is of no interest there is COW_LISTED_NOTHING. */
void entry_find(struct cow_list_entry *out, const char *path, const struct cow_list_options *opt);

#endif
