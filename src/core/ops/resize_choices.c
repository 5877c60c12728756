/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The policies as choices for people: what each leaves, who opens it, and whether it is possible here.
 * Whether it is possible is asked of the builder itself, so the wizard offers nothing that the plan would
 * refuse.
 */
#include <stdio.h>
#include <string.h>

#include "cow/ops.h"
#include "cow/text.h"

static void word_extend(struct cow_policy_choice *choice, const char *backing, const char *size,
                        size_t siblings)
{
    char others[96];
    snprintf(others, sizeof others,
             siblings > 0 ? "%zu other COW image%s on it will be refused until resized, too"
                          : "No other COW image on it was found",
             siblings, siblings == 1 ? "" : "s");
    snprintf(choice->consequence, sizeof choice->consequence,
             "Lengthens %.100s to %s by a hole; its date stays. Any UML kernel opens the result. %s.",
             backing, size, others);
}

static void word_copy(struct cow_policy_choice *choice, const char *backing, const char *allocated,
                      bool shrinks)
{
    snprintf(choice->consequence, sizeof choice->consequence,
             "Makes a private, %s copy of %.100s (%s; shared blocks where the filesystem can) and leaves "
             "the original "
             "alone. Any UML kernel opens the result; other COW images are not affected.",
             shrinks ? "shorter" : "longer", backing, allocated);
}

static void word_keep(struct cow_policy_choice *choice)
{
    snprintf(
        choice->consequence, sizeof choice->consequence,
        "Leaves the backing file alone and marks the new sectors dirty, as a kernel with the 2003 resize "
        "patch did. A stock UML "
        "kernel refuses the result: its size is not the backing file's.");
}

void cow_resize_choices(struct cow_policy_choice *choices, struct cow_image *img, uint64_t size_bytes)
{
    static const enum cow_policy order[] = {COW_POLICY_EXTEND, COW_POLICY_COPY, COW_POLICY_KEEP};
    const struct cow_backing *backing = cow_image_backing(img);
    char size[COW_SIZE_TEXT_BYTES], held[COW_SIZE_TEXT_BYTES], name[COW_HINT_BYTES];
    const char *slash = strrchr(backing->path, '/');
    cow_escape(name, sizeof name,
               *backing->path == '\0' ? "no backing file"
               : slash != NULL        ? slash + 1
                                      : backing->path);
    cow_size_text(size, size_bytes);
    cow_size_text(held, backing->size_bytes);
    const bool shrinks = size_bytes < cow_image_header(img)->size_bytes;
    struct cow_policy_choice all[3];
    size_t siblings = 0;
    for (unsigned i = 0; i < 3; i++) {
        struct cow_error err = {.status = 0};
        struct cow_plan *plan = NULL;
        const struct cow_resize_options options = {
            .size_bytes = size_bytes, .policy = order[i], .shrink = shrinks};
        all[i] = (struct cow_policy_choice){.policy = order[i]};
        all[i].possible = cow_plan_resize(&plan, img, &options, &err) == 0;
        snprintf(all[i].obstacle, sizeof all[i].obstacle, "%.250s", err.message);
        siblings += plan != NULL ? cow_plan_preview(plan)->siblings : 0; /* extend's plan lists them */
        cow_plan_free(plan);
    }
    word_extend(&all[0], name, size, siblings);
    word_copy(&all[1], name, held, shrinks);
    word_keep(&all[2]);
    if (siblings > 0 && all[1].possible) { /* better a copy than harm to others */
        struct cow_policy_choice extend = all[0];
        all[0] = all[1];
        all[1] = extend;
    }
    unsigned n = 0;
    for (unsigned i = 0; i < 3; i++) {
        if (all[i].possible) {
            choices[n++] = all[i];
        }
    }
    for (unsigned i = 0; i < 3; i++) {
        if (!all[i].possible) {
            choices[n++] = all[i];
        }
    }
    /* keep makes an image that stock kernels refuse: never a recommendation. */
    choices[0].recommended = choices[0].possible && choices[0].policy != COW_POLICY_KEEP;
}
