/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What goes on around the image: changes that were interrupted, locks, what is kept for undo.
 */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "core/beside/side.h"
#include "core/check/finders.h"
#include "core/plan/plan.h"
#include "cow/ops.h"
#include "cow/text.h"

enum { UNDO_WORTH_TELLING_BYTES = 1024 * 1024 };

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

void find_unfinished(struct checkup *c)
{
    const char *path = c->img->real_path;
    if (c->journal) {
        return;
    }
    report(c, COW_FINDING_UNFINISHED, "the size field is 2^64-1, the mark of an unfinished change%s",
           ends_with(path, ".cowtui-" SIDE_UNDO)
               ? ": this is an old image, kept for \"cowtui undo\" of the new one"
           : ends_with(path, ".cowtui-" SIDE_NEW) || ends_with(path, ".cowtui-" SIDE_OLD)
               ? ": this is a file of a change of the image beside it"
               : ", and there is no journal that tells its size");
}

/* Whether it can be taken up again only its builder knows, which reads and writes nothing. */
void find_interrupted(struct checkup *c)
{
    struct cow_plan *plan = NULL;
    struct cow_error err = {.status = 0};
    if (!c->journal || c->holder.held) { /* held: it is under way */
        return;
    }
    bool recovers = cow_plan_recover(&plan, c->img, &err) == 0;
    if (recovers && plan->refusal.status != 0) { /* somebody else's journal, or no place of ours */
        recovers = false;
        err = plan->refusal;
    }
    cow_plan_free(plan);
    struct cow_finding *finding =
        recovers
            ? report(c, COW_FINDING_INTERRUPTED,
                     "a change of this image was interrupted; \"cowtui recover\" finishes it or takes it "
                     "back")
            : report(c, COW_FINDING_INTERRUPTED,
                     "a change of this image was interrupted, and cannot be taken up: %s", err.message);
    finding->fixable = finding->fixable && recovers;
}

void find_locked(struct checkup *c)
{
    if (!c->holder.held) {
        return;
    }
    if (c->journal) {
        report(c, COW_FINDING_LOCKED, "a change of this image is under way");
    } else if (c->holder.pid != 0) {
        report(c, COW_FINDING_LOCKED, "in use by pid %" PRId64, c->holder.pid);
    } else {
        report(c, COW_FINDING_LOCKED, "in use by another program");
    }
}

void find_undo(struct checkup *c)
{
    char path[PATH_MAX], name[NAME_TEXT_BYTES], size[COW_SIZE_TEXT_BYTES];
    struct stat facts;
    side_path(path, c->img->real_path, SIDE_UNDO);
    if (c->img->io->lstat(c->img->io->context, path, &facts) != 0) {
        return;
    }
    const uint64_t bytes = (uint64_t)facts.st_blocks * 512;
    if (bytes > UNDO_WORTH_TELLING_BYTES) {
        report(c, COW_FINDING_UNDO,
               "what undoes the last change takes %s (%s); \"cowtui undo --discard\" frees it",
               cow_size_text(size, bytes), name_text(name, strrchr(path, '/') + 1));
    }
}

void find_several_names(struct checkup *c)
{
    const uint64_t names = c->img->cow.facts.st_nlink;
    if (names > 1 && !c->journal) { /* an interrupted change keeps a second one */
        report(c, COW_FINDING_SEVERAL_NAMES, "the file has %" PRIu64 " names (hard links)", names);
    }
}
