/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui record: the image is followed, and what changes goes to a log, until a signal or --for ends it. At
 * the end the bits are read once more, so that the log ends with those of the file.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/history/seconds.h"
#include "cli/output/follow_told.h"
#include "cli/output/json.h"
#include "cli/output/out.h"
#include "cli/output/progress_line.h"
#include "cli/output/text_stream.h"
#include "cow/history.h"
#include "cow/text.h"

static const int64_t second_ns = 1000000000, millisecond_ns = 1000000;

enum { WAIT_MOST_MS = 200 };

struct record {
    const struct cli_options *options;
    struct cow_image *image;
    struct cow_recording *recording;
    int64_t until_ns; /* 0: a signal ends it */
};

static bool is_over(const struct record *record)
{
    return cli_interrupted() || (record->until_ns > 0 && cli_clock_ns(NULL) >= record->until_ns);
}

/* In short pieces, for a signal may come just before. */
static void wait_until(const struct record *record, int64_t until_ns)
{
    for (int64_t left_ns; !is_over(record) && (left_ns = until_ns - cli_clock_ns(NULL)) > 0;) {
        const int64_t left_ms = left_ns / millisecond_ns + 1;
        poll(NULL, 0, left_ms < WAIT_MOST_MS ? (int)left_ms : WAIT_MOST_MS);
    }
}

/* All that is to be done now. */
static int record_round(const struct record *record, struct cow_error *err)
{
    bool more = true;
    int status = 0;

    while (status == 0 && more) {
        status = cow_recording_step(record->recording, &more, err);
    }
    return status;
}

static json_t *event_json(const char *event, int64_t at_ns)
{
    json_t *object = json_object();
    char text[CLI_TIME_BYTES];

    cli_json_put(&object, "event", json_string(event));
    cli_json_put(&object, "time", json_string(cli_time_ms(text, at_ns)));
    return object;
}

/* An object a line, there at once. */
static int put_json(json_t *object, struct cow_error *err)
{
    int status = cli_json_spool(stdout, "", object, err);

    if (status != 0) {
        return status;
    }
    fputc('\n', stdout);
    errno = 0;
    return fflush(stdout) == 0 ? 0 : cow_error_system(err, errno != 0 ? errno : EIO, "standard output");
}

static int tell_beginning(const struct record *record, struct cow_error *err)
{
    const struct cow_recording_facts *facts = cow_recording_facts(record->recording);
    const struct cow_header *header = cow_image_header(record->image);
    char log[CLI_NAME_BYTES], image[CLI_NAME_BYTES];

    if (record->options->json) {
        json_t *object = event_json("start", facts->begun_ns);
        cli_json_put(&object, "image", cli_json_text(cow_image_path(record->image)));
        cli_json_put(&object, "log", cli_json_text(record->options->words.output));
        cli_json_put(&object, "size_bytes", cli_json_u64(header->size_bytes));
        cli_json_put(&object, "sector_bytes", cli_json_u64(header->sector_bytes));
        cli_json_put(&object, "dirty_sectors", cli_json_u64(facts->follow->dirty_sectors));
        return put_json(object, err);
    }
    if (!record->options->quiet) {
        fprintf(cli_text_stream(stdout), "%s is recorded to %s: %" PRIu64 " sectors are dirty; %s ends it\n",
                cli_name(image, cow_image_path(record->image)), cli_name(log, record->options->words.output),
                facts->follow->dirty_sectors, record->until_ns > 0 ? "--for, or Ctrl-C," : "Ctrl-C");
    }
    fflush(stdout);
    return 0;
}

static int tell_end(const struct record *record, struct cow_error *err)
{
    const struct cow_recording_facts *facts = cow_recording_facts(record->recording);
    const int64_t now_ns = cli_clock_ns(NULL);
    const double seconds = (double)(now_ns - facts->begun_ns) / (double)second_ns;
    char size[COW_SIZE_TEXT_BYTES];

    if (record->options->json) {
        json_t *object = event_json("end", now_ns);
        cli_json_put(&object, "seconds", json_real(seconds));
        cli_json_put(&object, "changes", cli_json_u64(facts->changes));
        cli_json_put(&object, "newly_dirty_sectors", cli_json_u64(facts->follow->newly_dirty));
        cli_json_put(&object, "newly_clean_sectors", cli_json_u64(facts->follow->newly_clean));
        cli_json_put(&object, "dirty_sectors", cli_json_u64(facts->follow->dirty_sectors));
        cli_json_put(&object, "log_bytes", cli_json_u64(facts->log_bytes));
        return put_json(object, err);
    }
    if (!record->options->quiet) {
        printf("in %.1f s %" PRIu64 " sectors have become dirty, in %" PRIu64 " change%s; %" PRIu64
               " sectors are dirty; the log has %s\n",
               seconds, facts->follow->newly_dirty, facts->changes, facts->changes == 1 ? "" : "s",
               facts->follow->dirty_sectors, cow_size_text(size, facts->log_bytes));
    }
    return 0;
}

/* A reader of what is told that is gone is no reason to stop; that is told at the end. */
static int record_on(const struct record *record, struct cow_error *err)
{
    const struct cow_recording_facts *facts = cow_recording_facts(record->recording);
    int status = record_round(record, err);

    if (status == 0) {
        (void)tell_beginning(record, NULL);
    }
    while (status == 0 && !is_over(record)) {
        wait_until(record, facts->follow->next_look_ns);
        if (is_over(record)) {
            cow_recording_hurry(record->recording);
        }
        status = record_round(record, err);
    }
    if (status == 0) {
        status = cow_recording_end(record->recording, err);
    }
    return status != 0 ? status : tell_end(record, err);
}

static int record_image(struct record *record, struct cow_error *err)
{
    const struct cli_options *options = record->options;
    const struct cow_env env = {.now_ns = cli_clock_ns};
    struct cow_recording_options recording = {
        .log_path = options->words.output, .force = options->words.force, .env = &env};
    uint64_t for_ms = 0;
    int status = cli_read_interval(&recording.interval_ns, options->interval, err);

    if (status == 0 && options->for_seconds != NULL) {
        status = cli_read_time(&for_ms, "--for", options->for_seconds, err);
    }
    if (status == 0 && options->for_seconds != NULL) {
        record->until_ns = cli_clock_ns(NULL) + (int64_t)for_ms * millisecond_ns;
    }
    cli_catch_signals();
    if (status == 0) {
        status = cow_recording_open(&record->recording, record->image, &recording, err);
    }
    if (status == 0) {
        status = record_on(record, err);
    }
    cow_recording_close(record->recording);
    return status;
}

int cli_record(const struct cli_options *options, struct cow_error *err)
{
    struct record record = {.options = options};

    if (options->words.output == NULL || *options->words.output == '\0') {
        cow_error_set(err, COW_USAGE, "record needs to know the log to make");
        return cow_error_hint(err, "usage: cowtui record -o LOG IMAGE");
    }
    int status = cli_open_image(&record.image, options, err);
    if (status != 0) {
        return status;
    }
    status = cli_need_layout(record.image, "cannot be recorded", err);
    if (status == 0) {
        status = record_image(&record, err);
    }
    cow_image_close(record.image);
    return status;
}
