/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See told.h: text. Numbers of places are bytes of the disk, as in `map`.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/history/seconds.h"
#include "cli/history/told.h"
#include "cli/output/files_found.h"
#include "cli/output/follow_told.h"
#include "cli/output/out.h"
#include "cli/output/text_stream.h"
#include "cow/text.h"

static const int64_t millisecond_ns = 1000000;

static int no_memory(struct cow_error *err)
{
    return cow_error_set(err, COW_NO_MEMORY, "out of memory");
}

/* What the log is of. */
static void put_about(FILE *file, const struct cow_history_facts *facts)
{
    char image[CLI_NAME_BYTES], backing[CLI_NAME_BYTES], format[COW_MESSAGE_BYTES], size[COW_SIZE_TEXT_BYTES],
        begun[CLI_TIME_BYTES], seconds[CLI_SECONDS_BYTES];

    fprintf(file, "# %s, %s, %s%s%s\n", cli_name(image, facts->image_path),
            cow_size_text(size, facts->size_bytes), cow_escape(format, sizeof format, facts->format),
            facts->backing_path[0] != '\0' ? ", on " : "", cli_name(backing, facts->backing_path));
    fprintf(file, "# %s  begun; %zu change%s in %s s; %s%s%s\n",
            cli_time_ms(begun, facts->begun_ms * millisecond_ns), facts->moments,
            facts->moments == 1 ? "" : "s", cli_seconds(seconds, facts->end_ms),
            cow_history_end_text(facts->end), facts->end_words[0] != '\0' ? ": " : "", facts->end_words);
}

int replayed_moments_text(const struct replayed *replayed, struct cow_error *err)
{
    const struct cow_history_facts *facts = cow_history_facts(replayed->history);
    FILE *file = cli_text_stream(stdout);

    (void)err;
    put_about(file, facts);
    fprintf(file, "#%11s %11s %15s %11s %11s\n", "seconds", "sectors", "bytes", "now clean", "all dirty");
    for (size_t i = 0; i <= facts->moments && ferror(file) == 0; i++) {
        struct cow_history_moment moment;
        char seconds[CLI_SECONDS_BYTES];
        cow_history_moment(replayed->history, i, &moment);
        fprintf(file, "%12s %11" PRIu64 " %15" PRIu64 " %11" PRIu64 " %11" PRIu64 "\n",
                cli_seconds(seconds, moment.at_ms), moment.newly_dirty,
                moment.newly_dirty * facts->sector_bytes, moment.newly_clean, moment.dirty_sectors);
    }
    return 0;
}

/* The last sector of a disk may be a partial one. */
static void put_runs(FILE *file, const struct replayed *replayed)
{
    const struct cow_history_facts *facts = cow_history_facts(replayed->history);
    struct cow_dirty_run run;

    fprintf(file, "#%14s %14s\n", "start", "length");
    for (cow_sectors_next(replayed->set, 0, &run); run.sectors > 0 && ferror(file) == 0;
         cow_sectors_next(replayed->set, run.first_sector + run.sectors, &run)) {
        const uint64_t start = run.first_sector * facts->sector_bytes;
        uint64_t length = run.sectors * facts->sector_bytes;
        if (length > facts->size_bytes - start) {
            length = facts->size_bytes - start;
        }
        fprintf(file, "%15" PRIu64 " %14" PRIu64 "\n", start, length);
    }
}

int replayed_bits_text(const struct replayed *replayed, struct cow_error *err)
{
    FILE *file = cli_text_stream(stdout);
    char seconds[CLI_SECONDS_BYTES];

    (void)err;
    fprintf(file, "# at %s s %" PRIu64 " sectors were dirty, in %zu run%s\n",
            cli_seconds(seconds, replayed->to_ms), cow_sectors_count(replayed->set),
            cow_sectors_runs(replayed->set), cow_sectors_runs(replayed->set) == 1 ? "" : "s");
    put_runs(file, replayed);
    return 0;
}

static int put_owner(void *context, const struct cow_fs_owner *owner, struct cow_error *err)
{
    FILE *file = context;
    char *path = owner->path != NULL ? cli_guest_path(owner->path) : NULL;

    if (owner->path != NULL && path == NULL) {
        return no_memory(err);
    }
    fprintf(file, "%14" PRIu64 "  %10" PRIu64 "  ", owner->first_byte, owner->length_bytes);
    if (owner->inode != 0) {
        fprintf(file, "%-17s  %9" PRIu64, cow_fs_class_name(owner->fs_class), owner->inode);
    } else {
        fputs(cow_fs_class_name(owner->fs_class), file);
    }
    fprintf(file, "%s%s\n", path != NULL ? "  " : "", path != NULL ? path : "");
    free(path);
    return 0;
}

static int put_shares(FILE *file, const struct front_shares *shares, struct cow_error *err)
{
    fprintf(file, "#%14s  %s\n", "bytes", "whose");
    for (size_t i = 0; i < shares->n && ferror(file) == 0; i++) {
        const struct front_share *share = &shares->share[i];
        char *path = share->path != NULL ? cli_guest_path(share->path) : NULL;
        if (share->path != NULL && path == NULL) {
            return no_memory(err);
        }
        fprintf(file, "%15" PRIu64 "  ", share->n_bytes);
        if (share->partition != 0) {
            fprintf(file, "partition %u: ", share->partition);
        }
        if (path != NULL) {
            fprintf(file, "%s\n", path);
        } else if (share->inode != 0) {
            fprintf(file, "<%" PRIu64 ">\n", share->inode);
        } else {
            fprintf(file, "(%s)\n", cow_fs_class_text(share->fs_class));
        }
        free(path);
    }
    return 0;
}

int replayed_written_text(const struct replayed *replayed, struct cow_error *err)
{
    FILE *file = cli_text_stream(stdout);
    char from[CLI_SECONDS_BYTES], to[CLI_SECONDS_BYTES];
    int status = 0;

    fprintf(file, "# from %s to %s s %" PRIu64 " sectors became dirty, in %zu run%s",
            cli_seconds(from, replayed->from_ms), cli_seconds(to, replayed->to_ms),
            cow_sectors_count(replayed->set), cow_sectors_runs(replayed->set),
            cow_sectors_runs(replayed->set) == 1 ? "" : "s");
    if (replayed->newly_clean > 0) {
        fprintf(file, "; %" PRIu64 " became clean", replayed->newly_clean);
    }
    fputc('\n', file);
    if (replayed->written.scan == NULL || !(replayed->files || replayed->owners)) {
        put_runs(file, replayed);
    }
    if (replayed->written.scan != NULL && replayed->files) {
        status = put_shares(file, &replayed->shares, err);
    }
    if (status == 0 && replayed->written.scan != NULL && replayed->owners) {
        fprintf(file, "#%13s  %10s  %-17s  %9s  path\n", "start", "length", "owner", "inode");
        status = front_written_each(&replayed->written, replayed->set, put_owner, file, err);
    }
    return status;
}
