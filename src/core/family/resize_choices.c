/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The policies as choices for people: what each leaves, who opens it, and whether it is possible here, for
 * one image or for all on its backing file. Whether it is possible is asked of the builder itself, so the
 * wizard offers nothing that the plan would refuse.
 */
#include <stdio.h>
#include <string.h>

#include "core/family/family.h"
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

static void word_family(struct cow_policy_choice *choice, const char *backing, const char *size,
                        size_t images)
{
    snprintf(choice->consequence, sizeof choice->consequence,
             "Lengthens %.100s to %s by a hole; its date stays. The %zu COW images on it that were found are "
             "resized as one change, or none. Any UML kernel opens them; undo takes all back.",
             backing, size, images);
}

static int plan_choice(struct cow_plan **out, struct cow_image *img, const struct cow_resize_options *options,
                       bool family, struct cow_error *err)
{
    return family ? cow_plan_resize_family(out, img, options, NULL, err)
                  : cow_plan_resize(out, img, options, err);
}

/* Images on the backing file besides this one, as far as they can be found. */
static size_t count_others(const struct cow_image *img)
{
    struct siblings found;
    if (siblings_find(&found, img, NULL) != 0) {
        return 0;
    }
    family_drop_other_names(&found);
    const size_t others = found.n;
    siblings_clear(&found);
    return others;
}

/* By any method: what is not possible by copy may be in place. Returns how many other images on the backing
 * file the change concerns. */
static size_t ask_policy(struct cow_policy_choice *choice, struct cow_image *img, uint64_t size_bytes,
                         enum cow_resize_fs fs)
{
    size_t others;
    struct cow_error err = {.status = 0};
    struct cow_plan *plan = NULL;
    struct cow_resize_options options = {.size_bytes = size_bytes,
                                         .policy = choice->policy,
                                         .fs = fs,
                                         .shrink = size_bytes < cow_image_header(img)->size_bytes};
    choice->possible = plan_choice(&plan, img, &options, choice->family, &err) == 0;
    if (!choice->possible) {
        options.in_place = true;
        choice->possible = plan_choice(&plan, img, &options, choice->family, NULL) == 0;
    }
    snprintf(choice->obstacle, sizeof choice->obstacle, "%.250s", choice->possible ? "" : err.message);
    if (choice->possible) {
        const struct cow_preview *p = cow_plan_preview(plan);
        others = p->images > 0 ? p->images - 1 : p->siblings;
    } else {
        others = count_others(image_flat(img));
    }
    cow_plan_free(plan);
    return others;
}

/* Possible ones first. */
static void order_choices(struct cow_policy_choice *choices, const struct cow_policy_choice *all,
                          size_t n_all)
{
    size_t n = 0;
    for (unsigned possible = 2; possible-- > 0;) {
        for (size_t i = 0; i < n_all; i++) {
            if (all[i].possible == (possible == 1)) {
                choices[n++] = all[i];
            }
        }
    }
    /* keep makes an image that stock kernels refuse: never a recommendation. */
    choices[0].recommended = choices[0].possible && choices[0].policy != COW_POLICY_KEEP;
}

size_t cow_resize_choices(struct cow_policy_choice choices[COW_POLICY_CHOICES], struct cow_image *img,
                          uint64_t size_bytes, enum cow_resize_fs fs)
{
    const struct cow_backing *backing = cow_image_backing(img);
    char size[COW_SIZE_TEXT_BYTES], held[COW_SIZE_TEXT_BYTES], name[COW_HINT_BYTES];
    const char *slash = strrchr(backing->path, '/');
    cow_escape(name, sizeof name,
               *backing->path == '\0' ? "no backing file"
               : slash != NULL        ? slash + 1
                                      : backing->path);
    cow_size_text(size, size_bytes);
    cow_size_text(held, backing->size_bytes);
    struct cow_policy_choice extend = {.policy = COW_POLICY_EXTEND}, copy = {.policy = COW_POLICY_COPY},
                             keep = {.policy = COW_POLICY_KEEP},
                             family = {.policy = COW_POLICY_EXTEND, .family = true};
    const bool shrinks = size_bytes < cow_image_header(img)->size_bytes;
    const size_t siblings = ask_policy(&extend, img, size_bytes, fs);
    ask_policy(&copy, img, size_bytes, fs);
    ask_policy(&keep, img, size_bytes, fs);
    word_extend(&extend, name, size, siblings);
    word_copy(&copy, name, held, shrinks);
    word_keep(&keep);
    if (siblings == 0 || shrinks) {
        order_choices(choices, (const struct cow_policy_choice[]){extend, copy, keep}, 3);
        return 3;
    }
    word_family(&family, name, size, ask_policy(&family, img, size_bytes, fs) + 1);
    /* Better a copy than that others change; and better that than that they fit no more. */
    order_choices(choices, (const struct cow_policy_choice[]){copy, family, extend, keep}, 4);
    return 4;
}

/* What one in the middle of a change of several images leaves. */
static const char all_wait[] =
    "all of them wait for \"cowtui recover\", which makes all the old ones, or all the new ones";

static void word_by_copy(struct cow_method_choice *choice, const struct cow_preview *p)
{
    char size[COW_SIZE_TEXT_BYTES];
    snprintf(choice->how, sizeof choice->how, "a new file takes the old one's place");
    snprintf(choice->writes, sizeof choice->writes, "%s, or blocks are shared",
             cow_size_text(size, p->writes_bytes));
    cow_duration_text(choice->time, p->writes_bytes);
    snprintf(choice->crash, sizeof choice->crash, "%s",
             p->images > 0 ? all_wait : "leaves the old image, or the new one");
}

static void word_in_place(struct cow_method_choice *choice, const struct cow_preview *p)
{
    char size[COW_SIZE_TEXT_BYTES];
    const bool moves = choice->method == COW_METHOD_MOVED;
    snprintf(choice->how, sizeof choice->how,
             moves ? "the data is moved within the file, piece by piece"
                   : "the filesystem inserts room before the data");
    snprintf(choice->writes, sizeof choice->writes, "%s",
             moves ? cow_size_text(size, p->writes_bytes) : "nothing but the bitmap");
    snprintf(choice->time, sizeof choice->time, "milliseconds");
    if (moves) {
        cow_duration_text(choice->time, p->writes_bytes);
    }
    snprintf(choice->crash, sizeof choice->crash, "%s",
             p->images > 0
                 ? all_wait
                 : "leaves it unusable until \"cowtui recover\" has run: nothing else may be done with it");
}

/* How the data moves; of several images: of those that cannot stay as they are. */
static enum cow_method method_of(const struct cow_preview *p)
{
    enum cow_method method = p->method;
    for (size_t i = 0; i < p->images; i++) {
        const enum cow_method each = p->image[i]->method;
        if (each == COW_METHOD_COPY || each == COW_METHOD_MOVED ||
            (each == COW_METHOD_INSERTED && method != COW_METHOD_MOVED)) {
            method = each;
        }
    }
    return method;
}

/* One of the ways, as the builder has it. Where it refuses a copy for lack of room, what it would need is
 * known all the same. */
static void ask_method(struct cow_method_choice *choice, struct cow_image *img,
                       const struct cow_resize_options *options, bool family)
{
    uint64_t free_bytes;
    struct cow_error err = {.status = 0};
    struct cow_plan *plan = NULL;
    struct cow_resize_options named = *options;
    choice->possible = plan_choice(&plan, img, options, family, &err) == 0;
    snprintf(choice->obstacle, sizeof choice->obstacle, "%.250s", err.message);
    if (plan == NULL && !options->in_place) {
        named.method = COW_RESIZE_COPY;
        (void)plan_choice(&plan, img, &named, family, NULL);
    }
    if (plan == NULL) {
        return;
    }
    const struct cow_preview *p = cow_plan_preview(plan);
    choice->method = method_of(p);
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
                                 const struct cow_resize_options *opt, bool family)
{
    struct cow_resize_options options = *opt;
    if (opt->method != COW_RESIZE_ANY || opt->output_path != NULL || opt->shrink) {
        return 0;
    }
    memset(choices, 0, COW_METHOD_CHOICES * sizeof *choices);
    for (unsigned i = 0; i < COW_METHOD_CHOICES; i++) {
        choices[i].in_place = options.in_place = i == 1;
        ask_method(&choices[i], img, &options, family);
    }
    const bool moves = choices[1].method == COW_METHOD_INSERTED || choices[1].method == COW_METHOD_MOVED;
    choices[0].recommended = choices[0].possible;
    return moves && choices[1].possible ? COW_METHOD_CHOICES : 0;
}
