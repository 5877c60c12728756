/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of methods, and the end of a journal.
 */
#include "core/commit/methods.h"
#include "core/ledger/journal.h"

#include <errno.h>

#include "core/beside/side.h"

static const struct method *const methods[RECORD_KINDS] = {
    [RECORD_COPY] = &method_copy,
    [RECORD_HEADER] = &method_header,
    [RECORD_UNDO_COPY] = &method_undo_copy,
    [RECORD_UNDO_HEADER] = &method_undo_header,
    [RECORD_MERGE] = &method_merge,
    [RECORD_MOVE] = &method_shift,
    [RECORD_INSERT] = &method_shift,
    [RECORD_UNDO_MOVE] = &method_undo_shift,
    [RECORD_UNDO_INSERT] = &method_undo_shift,
    [RECORD_CONTENT] = &method_content,
    [RECORD_UNDO_CONTENT] = &method_undo_content,
};

const struct method *method_of(const struct commit *c)
{
    return methods[c->record.kind]; /* that of a record that was read is sane (ledger/record_check.c) */
}

int method_end_journal(struct commit *c, bool done)
{
    char journal[PATH_MAX], undo[PATH_MAX];
    const char *image = c->plan->target.path;
    const enum journal_end end = done ? method_of(c)->end : JOURNAL_GOES;
    side_path(journal, image, record_kind_journal(c->record.kind));
    side_path(undo, image, SIDE_UNDO);
    int status = end == JOURNAL_BECOMES_UNDO ? c->io->rename(c->io->context, journal, undo, true)
                                             : c->io->unlink(c->io->context, journal);
    if (status == 0 && end == JOURNAL_AND_UNDO_GO) {
        status = c->io->unlink(c->io->context, undo);
        status = status == -ENOENT ? 0 : status;
    }
    return status == 0 ? io_sync_directory(c->io, image) : status;
}
