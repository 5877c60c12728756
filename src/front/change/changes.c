/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of changes, and from words to a builder of the core.
 */
#include "front/change/changes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cow/ops.h"
#include "cow/text.h"
#include "front/qcow2/qcow2_sink.h"

int front_read_reserve(uint64_t *out, const char *text, struct cow_error *err)
{
    *out = 0;
    if (text == NULL) {
        return 0;
    }
    if (text[0] == '+' || text[0] == '-') {
        return cow_error_set(err, COW_USAGE, "--reserve is an absolute size, not '%s'", text);
    }
    return cow_size_parse(out, text, 0, err) != 0 ? cow_error_prefix(err, "--reserve") : 0;
}

/* What all rewritings take is filled in here. */
static int rewrite(struct front_planned *out, struct cow_image *image, const struct front_words *words,
                   struct cow_rewrite_options options, const struct cow_env *env, struct cow_error *err)
{
    if (words->output != NULL && words->output[0] == '\0') {
        return cow_error_set(err, COW_USAGE, "--output names no file");
    }
    if (front_read_reserve(&options.reserve_bytes, words->reserve, err) != 0) {
        return err->status;
    }
    options.output_path = words->output;
    options.force = words->force;
    options.env = env;
    return cow_plan_rewrite(&out->plan, image, &options, err);
}

static int plan_pages(struct front_planned *out, struct cow_image *image, const struct front_words *words,
                      const struct cow_env *env, struct cow_error *err)
{
    return rewrite(out, image, words, (struct cow_rewrite_options){.complete_pages = true}, env, err);
}

static int plan_compact(struct front_planned *out, struct cow_image *image, const struct front_words *words,
                        const struct cow_env *env, struct cow_error *err)
{
    const struct cow_rewrite_options options = {
        .compact = true, .sectors = words->sectors, .unused = words->unused, .larger = words->larger};

    return rewrite(out, image, words, options, env, err);
}

/* A date of a header: those of all versions are of 32 bits. */
static int read_mtime(struct cow_rewrite_options *out, const char *text, struct cow_error *err)
{
    char *end;

    if (text == NULL) {
        return 0;
    }
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value > UINT32_MAX) {
        cow_error_set(err, COW_USAGE, "--mtime is a number of seconds since 1970, not '%s'", text);
        return cow_error_hint(err, "date -d '2026-01-31 12:00' +%%s tells it");
    }
    out->set_mtime = true;
    out->mtime = (uint32_t)value;
    return 0;
}

static int plan_rebase(struct front_planned *out, struct cow_image *image, const struct front_words *words,
                       const struct cow_env *env, struct cow_error *err)
{
    struct cow_rewrite_options options = {
        .backing_path = words->to, .restamp = words->restamp, .safe = words->safe, .sectors = words->sectors};

    if (words->to != NULL && words->to[0] == '\0') {
        return cow_error_set(err, COW_USAGE, "--to names no file");
    }
    if (words->to == NULL && !words->restamp && words->mtime == NULL) {
        cow_error_set(err, COW_USAGE,
                      "rebase needs to know the other backing file, or to take over the date");
        return cow_error_hint(err, "--to PATH names the one, --restamp does the other");
    }
    if (words->safe && words->to == NULL) {
        return cow_error_set(err, COW_USAGE, "--safe goes with --to");
    }
    if (words->sectors && !words->safe) {
        return cow_error_set(err, COW_USAGE, "--sectors goes with --safe");
    }
    if (words->mtime != NULL && (words->restamp || words->safe)) {
        return cow_error_set(err, COW_USAGE,
                             "--mtime goes without --restamp and --safe: they store a date, too");
    }
    if (read_mtime(&options, words->mtime, err) != 0) {
        return err->status;
    }
    return rewrite(out, image, words, options, env, err);
}

static int plan_restamp(struct front_planned *out, struct cow_image *image, const struct front_words *words,
                        const struct cow_env *env, struct cow_error *err)
{
    struct front_words restamp = *words;

    restamp.restamp = true;
    return plan_rebase(out, image, &restamp, env, err);
}

static int plan_qcow2(struct front_planned *out, struct cow_image *image, const struct front_words *words,
                      const struct cow_env *env, struct cow_error *err)
{
    if (words->reserve != NULL) {
        return cow_error_set(err, COW_USAGE, "--reserve goes with --to v3: a qcow2 grows without one");
    }
    out->sink = calloc(1, sizeof *out->sink);
    if (out->sink == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    if (qcow2_open_sink(out->sink, err) != 0) {
        free(out->sink);
        out->sink = NULL;
        return err->status;
    }
    out->sink->env = env;
    const struct cow_export_options options = {.output_path = words->output,
                                               .sink = &out->sink->disk,
                                               .with_backing = words->with_backing,
                                               .force = words->force};
    return cow_plan_export(&out->plan, image, &options, err);
}

static int plan_convert(struct front_planned *out, struct cow_image *image, const struct front_words *words,
                        const struct cow_env *env, struct cow_error *err)
{
    const bool is_qcow2 = words->to != NULL && strcmp(words->to, "qcow2") == 0;

    if (words->to != NULL && !is_qcow2 && strcmp(words->to, "v3") != 0) {
        return cow_error_set(err, COW_USAGE, "convert takes --to v3 or --to qcow2, and nothing else");
    }
    if (words->output == NULL) {
        cow_error_set(err, COW_USAGE, "convert needs to know the image to make");
        return cow_error_hint(err, "-o FILE names it");
    }
    if (words->output[0] == '\0') {
        return cow_error_set(err, COW_USAGE, "--output names no file");
    }
    if (is_qcow2) {
        return plan_qcow2(out, image, words, env, err);
    }
    if (words->with_backing) {
        return cow_error_set(err, COW_USAGE, "--with-backing goes with --to qcow2: a v3 always has one");
    }
    return rewrite(out, image, words, (struct cow_rewrite_options){.convert = true}, env, err);
}

static int plan_merge(struct front_planned *out, struct cow_image *image, const struct front_words *words,
                      const struct cow_env *env, struct cow_error *err)
{
    const struct cow_merge_options options = {.output_path = words->output,
                                              .stream_fd = words->stream_fd,
                                              .in_place = words->in_place,
                                              .force = words->force};

    (void)env;
    if (words->in_place && words->output != NULL) {
        return cow_error_set(err, COW_USAGE, "merge writes to a new file (-o) or --in-place, not both");
    }
    if (!words->in_place && words->stream_fd == NULL && (words->output == NULL || words->output[0] == '\0')) {
        cow_error_set(err, COW_USAGE, "merge needs to know the file to make");
        return cow_error_hint(err, "-o RAW names it; --in-place makes none");
    }
    return cow_plan_merge(&out->plan, image, &options, err);
}

static int plan_merge_in_place(struct front_planned *out, struct cow_image *image,
                               const struct front_words *words, const struct cow_env *env,
                               struct cow_error *err)
{
    struct front_words in_place = *words;

    in_place.in_place = true;
    return plan_merge(out, image, &in_place, env, err);
}

static int plan_undo(struct front_planned *out, struct cow_image *image, const struct front_words *words,
                     const struct cow_env *env, struct cow_error *err)
{
    (void)env;
    return words->discard ? cow_plan_discard_undo(&out->plan, image, err)
                          : cow_plan_undo(&out->plan, image, err);
}

static int plan_recover(struct front_planned *out, struct cow_image *image, const struct front_words *words,
                        const struct cow_env *env, struct cow_error *err)
{
    (void)env;
    if (words->forward && words->back) {
        return cow_error_set(err, COW_USAGE, "recover goes --forward or --back, not both");
    }
    if (words->forward || words->back) {
        return cow_plan_recover_way(&out->plan, image,
                                    words->forward ? COW_RECOVER_FORWARD : COW_RECOVER_BACK, err);
    }
    return cow_plan_recover(&out->plan, image, err);
}

const struct front_change front_changes[] = {
    {.name = "pages",
     .bit = FRONT_PAGES,
     .plan = plan_pages,
     .title = "Complete pages",
     .help = "complete mixed 4 KiB pages from the backing file",
     .done = "has no mixed pages any more."},
    {.name = "compact",
     .bit = FRONT_COMPACT,
     .plan = plan_compact,
     .title = "Compact",
     .help = "drop what is equal to the backing file, and give zeros back; --unused: also what the guest has "
             "free; --force=larger: complete all mixed pages, whatever it costs",
     .done = "is compact now."},
    {.name = "rebase",
     .bit = FRONT_REBASE,
     .operand = "to",
     .plan = plan_rebase,
     .title = "Rebase",
     .help = "name another backing file; --restamp takes over its date, --safe keeps what it shows",
     .done = "names another backing file now."},
    {.name = "restamp",
     .plan = plan_restamp,
     .title = "Restamp",
     .help = "take over the backing file's date",
     .done = "has the date of its backing file now."},
    {.name = "convert",
     .bit = FRONT_CONVERT,
     .operand = "output",
     .plan = plan_convert,
     .title = "Convert",
     .help = "a new image as v3; --to qcow2: the disk for QEMU, --with-backing on the same backing file"},
    {.name = "merge",
     .bit = FRONT_MERGE,
     .operand = "output",
     .plan = plan_merge,
     .title = "Merge",
     .help = "what the guest sees, as a raw file"},
    {.name = "merge-in-place",
     .plan = plan_merge_in_place,
     .title = "Merge into the backing file",
     .help = "write what the guest sees into the backing file: cannot be undone",
     .done = "is empty now: its backing file holds what the guest sees."},
    {.name = "undo", .bit = FRONT_UNDO, .plan = plan_undo},
    {.name = "recover", .bit = FRONT_RECOVER, .plan = plan_recover},
    {.name = NULL},
};

const struct front_change *front_find_change(const char *name)
{
    const struct front_change *change = front_changes;

    while (change->name != NULL && strcmp(change->name, name) != 0) {
        change++;
    }
    return change->name == NULL ? NULL : change;
}

int front_plan_change(struct front_planned *out, const struct front_change *change, struct cow_image *image,
                      const struct front_words *words, const struct cow_env *env, struct cow_error *err)
{
    *out = (struct front_planned){.plan = NULL};
    return change->plan(out, image, words, env, err);
}

void front_hear_change(struct front_planned *planned, const struct cow_env *env)
{
    if (planned->sink != NULL) {
        planned->sink->env = env;
    }
}

void front_end_change(struct front_planned *planned, struct cow_error *failure)
{
    cow_plan_free(planned->plan);
    planned->plan = NULL;
    if (planned->sink != NULL) {
        qcow2_close_sink(planned->sink, failure);
        free(planned->sink);
        planned->sink = NULL;
    }
}
