/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The steps that all builders of new images have in common, in the order in which they must stand: what
 * a step here relies on is done by the one before it.
 *
 * - The journal comes after the new file is begun, for it names that file's inode: so the record can
 *   tell the file that was meant from any other of that name. A temporary file without a journal is
 *   harmless.
 * - Attributes come before the file is called complete, so that an image is never in place with an
 *   owner or mode that its guest cannot use.
 * - The old image is kept for undo after the rename only, and before the journal goes: else a crash
 *   could leave it under a name that nobody looks for.
 */
#include "core/plan/plan_steps.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/beside/side.h"
#include "core/plan/footprint.h"
#include "cow/text.h"

void plan_steps_begin(struct cow_plan *plan, uint64_t image_bytes)
{
    char size[COW_SIZE_TEXT_BYTES];
    if (plan->own_image != NULL) {
        plan_step(plan, COW_STEP_LOCK, 0, "lock both files for reading");
    } else {
        plan_step(plan, COW_STEP_LOCK, 0, "lock the image%s, flush what was written to it",
                  plan->holds.backing != HOLD_NOT ? " and its backing file" : "");
    }
    plan_step(plan, COW_STEP_CHECK_SPACE, 0, "check for %s of free space", cow_size_text(size, image_bytes));
}

void plan_steps_new_image(struct cow_plan *plan)
{
    plan_step(plan, COW_STEP_BEGIN_IMAGE, 0, "begin a new image beside it, marked unfinished");
    if (plan_is_journaled(plan)) {
        plan_step(plan, COW_STEP_JOURNAL, 0,
                  "write down what is about to happen, so that it can be finished or taken back");
    }
}

void plan_steps_finish_image(struct cow_plan *plan)
{
    if (!plan->result.is_callers) {
        plan_step(plan, COW_STEP_KEEP_ATTRIBUTES, 0,
                  "give it the owner, mode and extended attributes of the old one");
    }
    plan_step(plan, COW_STEP_FINISH_IMAGE, 0, "flush, write the true size, flush");
}

void plan_steps_place(struct cow_plan *plan, const char *output_path)
{
    plan_step(plan, COW_STEP_RENAME, 0, "%s %s, flush the directory",
              output_path == NULL ? "let it take the place of" : "give it its name:",
              output_path == NULL ? plan->img->path : output_path);
    if (plan->keep_undo) {
        plan_step(plan, COW_STEP_KEEP_UNDO, 0,
                  "keep the old image for undo, marked so that nobody goes on with it");
    }
    if (plan_is_journaled(plan)) {
        plan_step(plan, COW_STEP_END_JOURNAL, 0, "drop the journal");
    }
}

const char *cow_needs_text(char out[COW_NEEDS_TEXT_BYTES], const struct cow_preview *preview)
{
    char size[COW_SIZE_TEXT_BYTES];
    snprintf(out, COW_NEEDS_TEXT_BYTES, "%s%s",
             preview->space_is_about  ? "about "
             : preview->needs_at_most ? "up to "
                                      : "",
             cow_size_text(size, preview->needs_free_bytes));
    return out;
}

void plan_show_image(struct cow_plan *plan)
{
    struct cow_preview *p = &plan->preview;
    p->moves_bytes = plan->result.counted.dirty_sectors * 512;
    p->writes_bytes = plan->result.counted.data_bytes;
    footprint_needs(plan, plan->result.counted.needs_bytes, false);
    p->after_allocated_bytes = plan->result.counted.allocated_bytes;
    p->has_after_allocated = true;
}

const char *plan_file_undo(struct cow_plan *plan, const char *output_path)
{
    return plan_words(plan, plan->target.replaces ? "none: what %s had is lost" : "remove %s", output_path);
}

const char *plan_undo_text(struct cow_plan *plan, const char *output_path, uint64_t allocated_bytes)
{
    char size[COW_SIZE_TEXT_BYTES], undo[PATH_MAX];
    const char *name = strrchr(side_path(undo, plan->target.path, SIDE_UNDO), '/');
    name = name != NULL ? name + 1 : undo;
    return output_path != NULL
               ? plan_words(plan,
                            plan->target.replaces ? "the image stays as it is; what %s had is lost"
                                                  : "the image stays as it is; remove %s",
                            output_path)
           : record_kind_facts(plan->method)->shifts
               ? plan_words(plan, "\"cowtui undo\", with %s; it moves the data back", name)
           : record_kind_facts(plan->method)->record_is_undo
               ? plan_words(plan, "\"cowtui undo\", with %s; it costs nothing", name)
           : plan->keep_undo ? plan_words(plan, "\"cowtui undo\"; for it the old image (%s) is kept as %s",
                                          cow_size_text(size, allocated_bytes), name)
                             : "none: the image has other names";
}

void plan_note_format(struct cow_plan *plan)
{
    const struct cow_header *header = &plan->img->header;
    if (header->format != COW_FORMAT_V3) {
        plan_note(plan, "the %s becomes a UML COW v3", cow_format_title(header->format));
    }
    if (header->sector_bytes != 512) {
        plan_note(plan, "its sectors of %" PRIu32 " bytes become sectors of 512", header->sector_bytes);
    }
}

void plan_note_undo_given_up(struct cow_plan *plan)
{
    struct stat facts;
    char undo[PATH_MAX];
    if (plan_is_journaled(plan) &&
        plan->io->lstat(plan->io->context, side_path(undo, plan->img->real_path, SIDE_UNDO), &facts) == 0) {
        plan_note(plan, "the undo data of the change before is given up");
    }
}

void plan_note_links(struct cow_plan *plan, const char *output_path)
{
    const struct cow_image *img = plan->img;
    struct stat facts;
    if (output_path != NULL) {
        return;
    }
    if (img->cow.facts.st_nlink > 1 && !record_kind_facts(plan->method)->keeps_file) {
        plan_note(plan, "the image's other names (hard links) keep the old disk");
    }
    if (img->cow.facts.st_nlink == 1 && strcmp(img->path, img->real_path) != 0 &&
        img->io->lstat(img->io->context, img->path, &facts) == 0 && S_ISLNK(facts.st_mode)) {
        plan_note(plan, "%s is a link; the file it leads to is replaced: %s", img->path, img->real_path);
    }
}
