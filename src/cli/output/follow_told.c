/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See follow_told.h. Times are UTC to the millisecond. The field names of the JSON are stable.
 */
#include "cli/output/follow_told.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "cli/output/json.h"
#include "cow/text.h"

enum { TEXT_RANGES = 4 };

static const int64_t second_ns = 1000000000, millisecond_ns = 1000000;

static const char unseen[] = "what is written into sectors that are dirty already does not show";

const char *cli_time_ms(char out[CLI_TIME_BYTES], int64_t at_ns)
{
    const time_t seconds = (time_t)(at_ns / second_ns);
    struct tm parts = {0};
    char date[CLI_TIME_BYTES / 2] = "";

    gmtime_r(&seconds, &parts);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out, CLI_TIME_BYTES, "%s.%03dZ", date, (int)(at_ns % second_ns / millisecond_ns));
    return out;
}

static void take_range(struct cli_followed *followed, uint64_t start, uint64_t length, bool dirty)
{
    struct cli_followed_range *last = followed->ranges > 0 ? &followed->range[followed->ranges - 1] : NULL;

    if (last != NULL && followed->more_ranges == 0 && last->dirty == dirty &&
        last->start + last->length == start) {
        last->length += length;
    } else if (followed->ranges < CLI_FOLLOW_RANGES) {
        followed->range[followed->ranges++] = (struct cli_followed_range){start, length, dirty};
    } else {
        followed->more_ranges++;
    }
}

void cli_followed_take(void *context, const struct cow_follow_change *change)
{
    struct cli_followed *followed = context;
    const struct cow_header *header = cow_image_header(followed->image);
    uint64_t start = change->first_sector * header->sector_bytes;
    uint64_t length = change->sectors * header->sector_bytes;
    uint64_t changed = change->changed_sectors * header->sector_bytes;

    if (length > header->size_bytes - start) {
        length = header->size_bytes - start;
    }
    if (followed->dirty_sectors == 0 && followed->clean_sectors == 0) {
        followed->at_ns = change->at_ns;
    }
    if (change->dirty) {
        followed->dirty_sectors += change->changed_sectors;
        followed->dirty_bytes += changed < length ? changed : length;
    } else {
        followed->clean_sectors += change->changed_sectors;
    }
    take_range(followed, start, length, change->dirty);
}

/* It is there for whoever reads, at once. */
static int flush_line(const struct cli_followed *followed, struct cow_error *err)
{
    errno = 0;
    if (fflush(followed->file) == 0 && ferror(followed->file) == 0) {
        return 0;
    }
    return cow_error_system(err, errno != 0 ? errno : EIO, "standard output");
}

static json_t *event_json(const char *event, int64_t at_ns)
{
    json_t *object = json_object();
    char text[CLI_TIME_BYTES];

    cli_json_put(&object, "event", json_string(event));
    cli_json_put(&object, "time", json_string(cli_time_ms(text, at_ns)));
    return object;
}

static int put_json(const struct cli_followed *followed, json_t *object, struct cow_error *err)
{
    int status = cli_json_spool(followed->file, "", object, err);

    if (status != 0) {
        return status;
    }
    fputc('\n', followed->file);
    return flush_line(followed, err);
}

int cli_followed_begin(struct cli_followed *followed, const struct cow_follow_facts *facts, int64_t now_ns,
                       struct cow_error *err)
{
    const struct cow_header *header = cow_image_header(followed->image);
    char text[CLI_TIME_BYTES];

    followed->sum.begun_ns = now_ns;
    if (followed->json) {
        json_t *object = event_json("start", now_ns);
        cli_json_put(&object, "image", cli_json_text(cow_image_path(followed->image)));
        cli_json_put(&object, "size_bytes", cli_json_u64(header->size_bytes));
        cli_json_put(&object, "sector_bytes", cli_json_u64(header->sector_bytes));
        cli_json_put(&object, "dirty_sectors", cli_json_u64(facts->dirty_sectors));
        return put_json(followed, object, err);
    }
    fprintf(followed->file, "# %s  %" PRIu64 " sectors are dirty; %s\n", cli_time_ms(text, now_ns),
            facts->dirty_sectors, unseen);
    fprintf(followed->file, "#%-23s %11s %15s %11s  %s\n", "time", "sectors", "bytes", "all dirty",
            "ranges (start+length in bytes)");
    return flush_line(followed, err);
}

static json_t *change_json(const struct cli_followed *followed, const struct cow_follow_facts *facts)
{
    json_t *object = event_json("change", followed->at_ns), *ranges = json_array();

    cli_json_put(&object, "newly_dirty_sectors", cli_json_u64(followed->dirty_sectors));
    cli_json_put(&object, "newly_dirty_bytes", cli_json_u64(followed->dirty_bytes));
    cli_json_put(&object, "newly_clean_sectors", cli_json_u64(followed->clean_sectors));
    cli_json_put(&object, "dirty_sectors", cli_json_u64(facts->dirty_sectors));
    for (size_t i = 0; i < followed->ranges; i++) {
        json_t *range = json_object();
        cli_json_put(&range, "start", cli_json_u64(followed->range[i].start));
        cli_json_put(&range, "length", cli_json_u64(followed->range[i].length));
        cli_json_put(&range, "dirty", json_boolean(followed->range[i].dirty));
        cli_json_append(&ranges, range);
    }
    cli_json_put(&object, "ranges", ranges);
    cli_json_put(&object, "more_ranges", json_integer((json_int_t)followed->more_ranges));
    return object;
}

static void change_text(const struct cli_followed *followed, const struct cow_follow_facts *facts)
{
    size_t shown = followed->ranges < TEXT_RANGES ? followed->ranges : TEXT_RANGES;
    size_t more = followed->ranges - shown + followed->more_ranges;
    char text[CLI_TIME_BYTES];

    fprintf(followed->file, "%s %11" PRIu64 " %15" PRIu64 " %11" PRIu64 " ",
            cli_time_ms(text, followed->at_ns), followed->dirty_sectors, followed->dirty_bytes,
            facts->dirty_sectors);
    for (size_t i = 0; i < shown; i++) {
        fprintf(followed->file, " %s%" PRIu64 "+%" PRIu64,
                followed->range[i].dirty ? "" : "clean:", followed->range[i].start,
                followed->range[i].length);
    }
    if (more > 0) {
        fprintf(followed->file, " and %zu more", more);
    }
    if (followed->clean_sectors > 0) {
        fprintf(followed->file, "; %" PRIu64 " sectors are clean now", followed->clean_sectors);
    }
    fputc('\n', followed->file);
}

int cli_followed_tell(struct cli_followed *followed, const struct cow_follow_facts *facts,
                      struct cow_error *err)
{
    int status = 0;

    if (followed->dirty_sectors == 0 && followed->clean_sectors == 0) {
        return 0;
    }
    followed->sum.changes++;
    followed->sum.dirty_bytes += followed->dirty_bytes;
    if (followed->json) {
        status = put_json(followed, change_json(followed, facts), err);
    } else {
        change_text(followed, facts);
    }
    followed->dirty_sectors = followed->dirty_bytes = followed->clean_sectors = 0;
    followed->ranges = followed->more_ranges = 0;
    return status != 0 || followed->json ? status : flush_line(followed, err);
}

int cli_followed_end(struct cli_followed *followed, const struct cow_follow_facts *facts, int64_t now_ns,
                     struct cow_error *err)
{
    const double seconds = (double)(now_ns - followed->sum.begun_ns) / (double)second_ns;
    char text[CLI_TIME_BYTES], size[COW_SIZE_TEXT_BYTES];

    if (followed->json) {
        json_t *object = event_json("end", now_ns);
        cli_json_put(&object, "seconds", json_real(seconds));
        cli_json_put(&object, "changes", cli_json_u64(followed->sum.changes));
        cli_json_put(&object, "newly_dirty_sectors", cli_json_u64(facts->newly_dirty));
        cli_json_put(&object, "newly_dirty_bytes", cli_json_u64(followed->sum.dirty_bytes));
        cli_json_put(&object, "newly_clean_sectors", cli_json_u64(facts->newly_clean));
        cli_json_put(&object, "dirty_sectors", cli_json_u64(facts->dirty_sectors));
        return put_json(followed, object, err);
    }
    fprintf(followed->file,
            "# %s  in %.1f s %" PRIu64 " sectors (%s) have become dirty; %" PRIu64 " sectors are dirty\n",
            cli_time_ms(text, now_ns), seconds, facts->newly_dirty,
            cow_size_text(size, followed->sum.dirty_bytes), facts->dirty_sectors);
    return flush_line(followed, err);
}
