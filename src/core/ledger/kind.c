/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What each kind of a change is.
 */
#include "core/ledger/kind.h"

static const struct record_kind_facts kinds[RECORD_KINDS] = {
    [RECORD_COPY] = {.exists = true, .since_version = 2, .makes_file = true, .undone_by = RECORD_UNDO_COPY},
    [RECORD_HEADER] = {.exists = true,
                       .since_version = 2,
                       .keeps_file = true,
                       .record_is_undo = true,
                       .undone_by = RECORD_UNDO_HEADER},
    [RECORD_UNDO_COPY] = {.exists = true, .since_version = 2, .goes_back = true},
    [RECORD_UNDO_HEADER] = {.exists = true, .since_version = 2, .keeps_file = true, .goes_back = true},
    [RECORD_MOVE] = {.exists = true,
                     .since_version = 4,
                     .marks = true,
                     .shifts = true,
                     .keeps_file = true,
                     .record_is_undo = true,
                     .undone_by = RECORD_UNDO_MOVE},
    [RECORD_INSERT] = {.exists = true,
                       .since_version = 4,
                       .marks = true,
                       .shifts = true,
                       .inserts = true,
                       .keeps_file = true,
                       .record_is_undo = true,
                       .undone_by = RECORD_UNDO_INSERT},
    [RECORD_UNDO_MOVE] = {.exists = true,
                          .since_version = 4,
                          .marks = true,
                          .shifts = true,
                          .keeps_file = true,
                          .goes_back = true},
    [RECORD_UNDO_INSERT] = {.exists = true,
                            .since_version = 4,
                            .marks = true,
                            .shifts = true,
                            .inserts = true,
                            .keeps_file = true,
                            .goes_back = true},
    [RECORD_CONTENT] = {.exists = true,
                        .since_version = 5,
                        .marks = true,
                        .keeps_file = true,
                        .record_is_undo = true,
                        .undone_by = RECORD_UNDO_CONTENT},
    [RECORD_UNDO_CONTENT] =
        {.exists = true, .since_version = 5, .marks = true, .keeps_file = true, .goes_back = true},
    [RECORD_MERGE] = {.exists = true, .since_version = 2, .makes_file = true, .writes_into_backing = true},
};

const struct record_kind_facts *record_kind_facts(unsigned kind)
{
    return &kinds[kind < RECORD_KINDS ? kind : RECORD_NONE];
}
