/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The words of each kind of a change.
 */
#include "core/plan/method_words.h"

struct words {
    enum cow_method shown;
    const char *forward;
    const char *forward_without_undo; /* NULL: the same */
    const char *back;
    const char *back_for_base; /* the backing file has changed, or moved, meanwhile; NULL: the same */
    const char *undo;          /* how a change of this kind is undone; NULL: it cannot be */
};

#define SHIFT_WORDS(method)                                                                                  \
    {                                                                                                        \
        .shown = (method),                                                                                   \
        .forward = "the data is moved on to its new place, then the header is the new one",                  \
        .back = "the data is moved back to where it was, and the image is the old one again",                \
        .undo = "mark the image, move its data back, write the old bits and the old header",                 \
    }
#define UNDO_SHIFT_WORDS(method)                                                                             \
    {                                                                                                        \
        .shown = (method), .forward = "an undo was interrupted: the data is moved back to where it was",     \
        .back = "an undo was interrupted: it is given up, and the data moved to where it lay before that",   \
    }

static const struct words words[RECORD_KINDS] = {
    [RECORD_COPY] =
        {
            .shown = COW_METHOD_COPY,
            .forward = "the new image is complete: it is put in place, and the old one kept for undo",
            .forward_without_undo =
                "the new image is complete: it is put in place; the old one keeps its other names",
            .back = "the new image is not complete: it is removed, and the old one stays as it is",
            .back_for_base =
                "the new image is complete, but its backing file has changed or moved since: it is "
                "removed, and the old one stays as it is",
            .undo = "let the old image, which was kept, take its place again",
        },
    [RECORD_HEADER] =
        {
            .shown = COW_METHOD_HEADER,
            .forward = "the header is the new one already: what undoes it is kept",
            .back = "the header is still the old one: what was prepared is taken back",
            .undo = "write back the old header and what the change wrote over",
        },
    [RECORD_MOVE] = SHIFT_WORDS(COW_METHOD_MOVED),
    [RECORD_INSERT] = SHIFT_WORDS(COW_METHOD_INSERTED),
    [RECORD_UNDO_MOVE] = UNDO_SHIFT_WORDS(COW_METHOD_MOVED),
    [RECORD_UNDO_INSERT] = UNDO_SHIFT_WORDS(COW_METHOD_INSERTED),
    [RECORD_CONTENT] =
        {
            .shown = COW_METHOD_HEADER,
            .forward = "the header is the new one already: what undoes it is kept",
            .back = "the header is not the new one yet: what was written over is put back",
            .undo = "write back the old header and what the change wrote over",
        },
    [RECORD_UNDO_CONTENT] =
        {
            .shown = COW_METHOD_HEADER,
            .forward = "an undo was interrupted: it is finished",
            .back = "an undo was interrupted and the image used since: the undo is given up",
        },
    [RECORD_MERGE] =
        {
            .shown = COW_METHOD_IN_PLACE,
            .forward = "the backing file is being written: the merge is finished, and the image empty then",
            .back = "nothing has been written into the backing file: the image stays as it is",
            .back_for_base =
                "the merge is given up: the image stays as it is, and has all that was to be merged; "
                "the backing file has another date now, \"cowtui check\" says what helps",
        },
    [RECORD_UNDO_COPY] =
        {
            .shown = COW_METHOD_COPY,
            .forward = "an undo was interrupted: it is finished",
            .back = "an undo was interrupted and the image used since: the undo is given up",
        },
    [RECORD_UNDO_HEADER] =
        {
            .shown = COW_METHOD_HEADER,
            .forward = "an undo was interrupted: it is finished",
            .back = "an undo was interrupted and the image used since: the undo is given up",
        },
};

enum cow_method method_shown(enum record_kind kind)
{
    return words[kind].shown;
}

const char *method_recovery_text(const struct record *record, const struct decision *decision)
{
    const struct words *w = &words[record->kind];
    if (decision->direction == FORWARD) {
        return record->keeps_undo != 0 || w->forward_without_undo == NULL ? w->forward
                                                                          : w->forward_without_undo;
    }
    return decision->base_changed && w->back_for_base != NULL ? w->back_for_base : w->back;
}

const char *method_undo_text(enum record_kind kind)
{
    return words[kind].undo;
}
