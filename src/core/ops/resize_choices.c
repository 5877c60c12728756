/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The policies as choices for people: what each leaves, who opens it, and whether it is possible here.
 * Whether it is possible is asked of the builder itself, so the wizard offers nothing that the plan would
 * refuse.
 */
#include <stdio.h>
#include <string.h>

#include "core/plan/plan.h"
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

/* By any method: what is not possible by copy may be in place. */
static bool can_resize(struct cow_plan **out, struct cow_image *img, const struct cow_resize_options *options,
                       struct cow_error *err)
{
    struct cow_resize_options in_place = *options;
    in_place.in_place = true;
    return cow_plan_resize(out, img, options, err) == 0 || cow_plan_resize(out, img, &in_place, NULL) == 0;
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
        all[i].possible = can_resize(&plan, img, &options, &err);
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

static void word_by_copy(struct cow_method_choice *choice, const struct cow_preview *p)
{
    char size[COW_SIZE_TEXT_BYTES];
    snprintf(choice->how, sizeof choice->how, "a new file takes the old one's place");
    snprintf(choice->writes, sizeof choice->writes, "%s, or blocks are shared",
             cow_size_text(size, p->writes_bytes));
    cow_duration_text(choice->time, p->writes_bytes);
    snprintf(choice->crash, sizeof choice->crash, "leaves the old image, or the new one");
}

static void word_in_place(struct cow_method_choice *choice, const struct cow_preview *p)
{
    char size[COW_SIZE_TEXT_BYTES];
    const bool moves = p->method == COW_METHOD_MOVED;
    snprintf(choice->how, sizeof choice->how,
             moves ? "the data is moved within the file, piece by piece"
                   : "the filesystem inserts room before the data");
    snprintf(choice->writes, sizeof choice->writes, "%s",
             moves ? cow_size_text(size, p->writes_bytes) : "nothing but the bitmap");
    snprintf(choice->time, sizeof choice->time, "milliseconds");
    if (moves) {
        cow_duration_text(choice->time, p->writes_bytes);
    }
    snprintf(choice->crash, sizeof choice->crash,
             "leaves it unusable until \"cowtui recover\" has run: nothing else may be done with it");
}

/* One of the ways, as the builder has it. Where it refuses a copy for lack of room, what it would need is
 * known all the same. */
static void ask_method(struct cow_method_choice *choice, struct cow_image *img,
                       const struct cow_resize_options *options)
{
    uint64_t free_bytes;
    struct cow_error err = {.status = 0};
    struct cow_plan *plan = NULL;
    struct cow_resize_options named = *options;
    choice->possible = cow_plan_resize(&plan, img, options, &err) == 0;
    snprintf(choice->obstacle, sizeof choice->obstacle, "%.250s", err.message);
    if (plan == NULL && !options->in_place) {
        named.method = COW_RESIZE_COPY;
        (void)cow_plan_resize(&plan, img, &named, NULL);
    }
    if (plan == NULL) {
        return;
    }
    const struct cow_preview *p = cow_plan_preview(plan);
    choice->method = p->method;
    (options->in_place ? word_in_place : word_by_copy)(choice, p);
    cow_needs_text(choice->needs, p);
    snprintf(choice->undo, sizeof choice->undo, "%s",
             !options->in_place ? "the old image is kept for it" : "moves the data back");
    if (img->io->free_bytes(img->io->context, img->cow.fd, &free_bytes) == 0) {
        cow_size_text(choice->free, free_bytes);
        if (choice->possible && free_bytes < plan->result.counted.needs_bytes) {
            choice->possible = false; /* nor is another way: the commit would say so */
            snprintf(choice->obstacle, sizeof choice->obstacle, "not enough space for a copy");
        }
    }
    cow_plan_free(plan);
}

size_t cow_resize_method_choices(struct cow_method_choice choices[COW_METHOD_CHOICES], struct cow_image *img,
                                 const struct cow_resize_options *opt)
{
    struct cow_resize_options options = *opt;
    if (opt->method != COW_RESIZE_ANY || opt->output_path != NULL || opt->shrink) {
        return 0;
    }
    memset(choices, 0, COW_METHOD_CHOICES * sizeof *choices);
    for (unsigned i = 0; i < COW_METHOD_CHOICES; i++) {
        choices[i].in_place = options.in_place = i == 1;
        ask_method(&choices[i], img, &options);
    }
    const bool moves = choices[1].method == COW_METHOD_INSERTED || choices[1].method == COW_METHOD_MOVED;
    choices[0].recommended = choices[0].possible;
    return moves && choices[1].possible ? COW_METHOD_CHOICES : 0;
}
