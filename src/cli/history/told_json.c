/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See told.h: JSON. Field names are stable, and those of `map` and `files` where they mean the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/history/told.h"
#include "cli/output/files_found.h"
#include "cli/output/follow_told.h"
#include "cli/output/json.h"
#include "cli/output/spool.h"

static const int64_t millisecond_ns = 1000000;

/* Behind what stands before it, and with a comma or without. */
static void put_key(FILE *spool, const char *key, bool first)
{
    fprintf(spool, "%s\"%s\": ", first ? "{\n" : ",\n", key);
}

static int put_value(FILE *spool, const char *key, json_t *value, struct cow_error *err)
{
    put_key(spool, key, false);
    return cli_json_spool(spool, "", value, err);
}

static json_t *time_json(const struct replayed *replayed, uint64_t ms)
{
    char text[CLI_TIME_BYTES];

    return json_string(
        cli_time_ms(text, (cow_history_facts(replayed->history)->begun_ms + (int64_t)ms) * millisecond_ns));
}

/* ---- moments ---- */

static int put_about(FILE *spool, const struct replayed *replayed, struct cow_error *err)
{
    const struct cow_history_facts *facts = cow_history_facts(replayed->history);
    const struct {
        const char *key;
        json_t *value;
    } fields[] = {
        {"backing", cli_json_text_or_null(facts->backing_path)},
        {"format", cli_json_text(facts->format)},
        {"size_bytes", cli_json_u64(facts->size_bytes)},
        {"sector_bytes", cli_json_u64(facts->sector_bytes)},
        {"time", time_json(replayed, 0)},
        {"interval_ms", cli_json_u64(facts->interval_ms)},
        {"length_ms", cli_json_u64(facts->end_ms)},
        {"end", json_string(cow_history_end_name(facts->end))},
        {"end_reason", cli_json_sentence_or_null(facts->end_words)},
        {"left_bytes", cli_json_u64(facts->left_bytes)},
    };
    int status;

    put_key(spool, "image", true);
    status = cli_json_spool(spool, "", cli_json_text(facts->image_path), err);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (status != 0) {
            json_decref(fields[i].value);
        } else {
            status = put_value(spool, fields[i].key, fields[i].value, err);
        }
    }
    return status;
}

static int fill_moments(FILE *spool, const void *context, struct cow_error *err)
{
    const struct replayed *replayed = context;
    const struct cow_history_facts *facts = cow_history_facts(replayed->history);
    int status = put_about(spool, replayed, err);

    fputs(",\n\"moments\": [", spool);
    for (size_t i = 0; i <= facts->moments && status == 0; i++) {
        struct cow_history_moment moment;
        json_t *object = json_object();
        cow_history_moment(replayed->history, i, &moment);
        cli_json_put(&object, "at_ms", cli_json_u64(moment.at_ms));
        cli_json_put(&object, "newly_dirty_sectors", cli_json_u64(moment.newly_dirty));
        cli_json_put(&object, "newly_clean_sectors", cli_json_u64(moment.newly_clean));
        cli_json_put(&object, "dirty_sectors", cli_json_u64(moment.dirty_sectors));
        status = cli_json_spool(spool, i == 0 ? "\n  " : ",\n  ", object, err);
    }
    fputs("\n]\n}\n", spool);
    return status;
}

int replayed_moments_json(const struct replayed *replayed, struct cow_error *err)
{
    return cli_spool(fill_moments, replayed, err);
}

/* ---- runs, and whose they are ---- */

static int put_ranges(FILE *spool, const struct replayed *replayed, struct cow_error *err)
{
    const struct cow_history_facts *facts = cow_history_facts(replayed->history);
    struct cow_dirty_run run;
    bool first = true;
    int status = 0;

    fputs(",\n\"ranges\": [", spool);
    for (cow_sectors_next(replayed->set, 0, &run); run.sectors > 0 && status == 0;
         cow_sectors_next(replayed->set, run.first_sector + run.sectors, &run)) {
        json_t *object = json_object();
        const uint64_t start = run.first_sector * facts->sector_bytes;
        uint64_t length = run.sectors * facts->sector_bytes;
        if (length > facts->size_bytes - start) {
            length = facts->size_bytes - start;
        }
        cli_json_put(&object, "start", cli_json_u64(start));
        cli_json_put(&object, "length", cli_json_u64(length));
        status = cli_json_spool(spool, first ? "\n  " : ",\n  ", object, err);
        first = false;
    }
    fputs("\n]", spool);
    return status;
}

static int fill_bits(FILE *spool, const void *context, struct cow_error *err)
{
    const struct replayed *replayed = context;
    int status;

    put_key(spool, "at_ms", true);
    status = cli_json_spool(spool, "", cli_json_u64(replayed->to_ms), err);
    if (status == 0) {
        status = put_value(spool, "time", time_json(replayed, replayed->to_ms), err);
    }
    if (status == 0) {
        status = put_value(spool, "dirty_sectors", cli_json_u64(cow_sectors_count(replayed->set)), err);
    }
    if (status == 0) {
        status = put_ranges(spool, replayed, err);
    }
    fputs("\n}\n", spool);
    return status;
}

int replayed_bits_json(const struct replayed *replayed, struct cow_error *err)
{
    return cli_spool(fill_bits, replayed, err);
}

static json_t *path_json(const char *path)
{
    char *escaped = path != NULL ? cli_guest_path(path) : NULL;
    json_t *value = path != NULL ? (escaped != NULL ? json_string(escaped) : NULL) : json_null();

    free(escaped);
    return value;
}

static int put_files(FILE *spool, const struct front_shares *shares, struct cow_error *err)
{
    int status = 0;

    fputs(",\n\"files\": [", spool);
    for (size_t i = 0; i < shares->n && status == 0; i++) {
        const struct front_share *share = &shares->share[i];
        json_t *object = json_object();
        cli_json_put(&object, "path", path_json(share->path));
        cli_json_put(&object, "class", json_string(cow_fs_class_name(share->fs_class)));
        cli_json_put(&object, "new_bytes", cli_json_u64(share->n_bytes));
        cli_json_put(&object, "inode", share->inode != 0 ? cli_json_u64(share->inode) : json_null());
        cli_json_put(&object, "partition",
                     share->partition != 0 ? json_integer(share->partition) : json_null());
        status = cli_json_spool(spool, i == 0 ? "\n  " : ",\n  ", object, err);
    }
    fputs("\n]", spool);
    return status;
}

/* What an owner's piece is written with. */
struct owner_spool {
    FILE *file;
    struct cli_files files;
    bool first;
};

static int put_owner(void *context, const struct cow_fs_owner *owner, struct cow_error *err)
{
    struct owner_spool *spool = context;
    const char *before = spool->first ? "\n  " : ",\n  ";

    spool->first = false;
    return cli_json_spool(spool->file, before, cli_owner_value(&spool->files, owner), err);
}

static int put_owners(FILE *file, const struct replayed *replayed, struct cow_error *err)
{
    struct owner_spool spool = {.file = file, .files = {.volume = replayed->written.volume}, .first = true};

    fputs(",\n\"owners\": [", file);
    int status = front_written_each(&replayed->written, replayed->set, put_owner, &spool, err);
    fputs("\n]", file);
    return status;
}

static int fill_written(FILE *spool, const void *context, struct cow_error *err)
{
    const struct replayed *replayed = context;
    int status;

    put_key(spool, "from_ms", true);
    status = cli_json_spool(spool, "", cli_json_u64(replayed->from_ms), err);
    if (status == 0) {
        status = put_value(spool, "to_ms", cli_json_u64(replayed->to_ms), err);
    }
    if (status == 0) {
        status = put_value(spool, "newly_dirty_sectors", cli_json_u64(cow_sectors_count(replayed->set)), err);
    }
    if (status == 0) {
        status = put_value(spool, "newly_clean_sectors", cli_json_u64(replayed->newly_clean), err);
    }
    if (status == 0) {
        status = put_ranges(spool, replayed, err);
    }
    if (status == 0 && (replayed->files || replayed->owners)) {
        status = put_value(spool, "problem", cli_json_sentence_or_null(replayed->problem), err);
    }
    if (status == 0 && replayed->written.scan != NULL && replayed->files) {
        status = put_files(spool, &replayed->shares, err);
    }
    if (status == 0 && replayed->written.scan != NULL && replayed->owners) {
        status = put_owners(spool, replayed, err);
    }
    fputs("\n}\n", spool);
    return status;
}

int replayed_written_json(const struct replayed *replayed, struct cow_error *err)
{
    return cli_spool(fill_written, replayed, err);
}
