/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Is a record to be obeyed? What is asked of it once it has been read (journal.h).
 */
#include <string.h>

#include "core/ledger/claim.h"
#include "core/ledger/journal.h"
#include "core/ledger/record_check.h"
#include "core/ledger/state.h"

int journal_check(struct record *record, const struct cow_image *img, const char *what, struct cow_error *err)
{
    uint8_t new_header[COW_V3_HEADER_BYTES] = {0}; /* of a long path the end is missing: it does not count */
    char path[PATH_MAX];
    const bool is_undo = strcmp(what, SIDE_UNDO) == 0;
    bool fits = true;
    side_path(path, img->real_path, what);
    if (is_undo && record_kind_facts(record->kind)->undone_by == RECORD_NONE) {
        cow_error_set(err, COW_INVALID, "%s: is about no change that could be undone", path);
        return cow_error_hint(err, "it was not written as undo data; \"cowtui undo --discard\" removes it");
    }
    int status = claim_check(record, img, path, err);
    if (status != 0) {
        return status;
    }
    memcpy(new_header, record->new_sector, sizeof record->new_sector);
    if (record_kind_facts(record->kind)->keeps_file) {
        int cuts = is_undo ? state_cuts_data(img->io, record, img->cow.fd) : 0;
        if (cuts < 0) {
            return cow_error_system(err, -cuts, "%s", img->path);
        }
        fits = cuts == 0 && record_fits_by_header(record, img->raw, img->raw_bytes);
    } else {
        fits = record_fits_new_header(record, new_header, sizeof new_header) &&
               (journal_view(record, img) == JOURNAL_SEES_NEW
                    ? record_fits_new_header(record, img->raw, img->raw_bytes)
                    : record_fits_old_header(record, img->raw, img->raw_bytes));
    }
    if (fits && is_undo && !record_kind_facts(record->kind)->keeps_file) { /* it is the old image itself */
        int there = state_has_undo(img->io, record, path);
        if (there < 0) {
            return cow_error_system(err, -there, "%s", path);
        }
        fits = there == 1;
    }
    if (fits || journal_view(record, img) == JOURNAL_SEES_STRANGE) {
        return 0;
    }
    cow_error_set(err, COW_INVALID, "%s: says other things of the image than its header does", path);
    return cow_error_hint(
        err, "it was not written by this program, or for another image; nothing is done with it");
}
