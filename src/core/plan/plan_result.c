/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the preview says of the image that there will be: its layout, what a kernel will make of it, and
 * the notes that follow from whose files it is made of. The verdict is that of image/verdict.c on the
 * very bytes that will be written, so a preview cannot promise what info would deny later.
 */
#include "core/plan/plan_result.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "core/plan/plan_output.h"
#include "cow/text.h"

void plan_note_outside(struct cow_plan *plan)
{
    char text[COW_MESSAGE_BYTES + 256];
    if (*cow_image_outside_text(text, sizeof text, plan->img) != '\0') {
        plan_note(plan, "%s", text);
        plan->preview.outside_note = plan->notes[plan->preview.notes - 1];
    }
}

void plan_note_device(struct cow_plan *plan, const struct stat *backing)
{
    if (S_ISBLK(backing->st_mode)) {
        plan_note(
            plan,
            "the backing file is a block device: kernels go by the date of its node in /dev, which most "
            "systems make anew at each start; then \"cowtui rebase --restamp\"");
    }
}

void plan_note_read_only(struct cow_plan *plan)
{
    const mode_t mode = plan_output_mode(plan);
    if ((mode & S_IWUSR) == 0) {
        plan_note(plan,
                  "like the files that it is made from it cannot be written (mode %03o): chmod u+w before a "
                  "guest boots from it",
                  (unsigned)mode);
    }
}

void plan_note_in_use(struct cow_plan *plan)
{
    struct cow_holder holder = {.held = false};
    if (cow_image_in_use(plan->img, &holder, NULL) == 0 && holder.held) {
        plan_note(plan, "the image is in use (pid %" PRId64 "): it will be refused until that one stops",
                  holder.pid);
    }
}

int plan_predict_verdict(struct cow_plan *plan, uint64_t backing_bytes, int64_t backing_mtime,
                         struct cow_error *err)
{
    uint8_t bytes[COW_V3_HEADER_BYTES];
    int status = cow_header_encode(bytes, &plan->result.header, err);
    if (status != 0) {
        return status;
    }
    const struct cow_backing *backing = plan->img != NULL ? &plan->img->backing.facts : NULL;
    bool path_kept =
        backing != NULL && strcmp(plan->result.header.backing_path, plan->img->header.backing_path) == 0;
    struct verdict_facts facts = {.bytes = bytes,
                                  .n_bytes = sizeof bytes,
                                  .header = &plan->result.header,
                                  .image_path = plan->img != NULL ? plan->img->path : plan->target.path,
                                  .boot_path = plan->target.named_path != NULL ? plan->target.named_path
                                                                               : plan->img->path,
                                  .backing_path = plan->result.header.backing_path,
                                  .backing_unknown = path_kept && backing->state == COW_BACKING_IGNORED,
                                  .backing_errno = plan->backing.missing_errno,
                                  .backing_bytes = backing_bytes,
                                  .backing_mtime = backing_mtime,
                                  .backing_is_cow = plan->backing.is_cow,
                                  .beside_image = path_kept && backing->beside_image};
    if (path_kept && backing->named) {
        struct stat stored;
        int missing = plan->io->stat(plan->io->context, plan->result.header.backing_path, &stored);
        facts.switches = missing < 0 || !same_file(&stored, &plan->backing.facts);
    }
    verdict_of(&plan->preview.after_verdict, &facts);
    return 0;
}

void plan_show_new_image(struct cow_plan *plan)
{
    struct cow_preview *p = &plan->preview;
    p->has_after = true;
    p->after_format = plan->result.header.format;
    p->after_size_bytes = plan->result.header.size_bytes;
    p->after_alignment = plan->result.header.alignment;
    p->after = plan->result.layout;
    p->after_backing_path = plan->result.header.backing_path;
    if (plan->result.header.alignment != 0) { /* undo can lead back to an older format */
        p->can_grow_to_bytes =
            cow_layout_capacity(plan->result.header.alignment, plan->result.layout.data_offset);
    }
}
