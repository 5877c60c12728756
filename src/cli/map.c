/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui map: the runs of the disk, looked into with --scan, streamed: memory does not grow with the image.
 * Text goes out as it is found; JSON through a spool, whole or not at all. Lengths are in bytes and end with
 * the disk, also where its last sector is a partial one. With --follow what becomes dirty is told instead, as
 * it does, until a signal ends it; with --svg or --png the whole is drawn.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/carry_out.h"
#include "cli/commands.h"
#include "cli/output/follow_told.h"
#include "cli/output/json.h"
#include "cli/output/out.h"
#include "cli/output/progress_line.h"
#include "cli/output/spool.h"
#include "cow/ops.h"
#include "cow/scan.h"
#include "front/picture/map.h"

/* A run in bytes. */
struct extent {
    uint64_t start, length;
    const char *origin;
    int64_t offset;
    unsigned layer;
};

/* Prints one; first tells that nothing was printed before. 0, or a status. */
typedef int print_extent(FILE *file, const struct extent *extent, bool first, int width,
                         struct cow_error *err);

/* Where a backing file is a COW itself, offsets are those of several files. */
static int print_text_layers(FILE *file, const struct extent *extent, bool first, int width,
                             struct cow_error *err)
{
    char offset[24] = "-";

    (void)err;
    if (first) {
        fprintf(file, "#%*s %*s  %-14s %*s  layer\n", width - 1, "start", width, "length", "origin", width,
                "offset");
    }
    if (extent->offset != COW_NO_OFFSET) {
        snprintf(offset, sizeof offset, "%" PRId64, extent->offset);
    }
    fprintf(file, "%*" PRIu64 " %*" PRIu64 "  %-14s %*s  %5u\n", width, extent->start, width, extent->length,
            extent->origin, width, offset, extent->layer);
    return 0;
}

static int print_text(FILE *file, const struct extent *extent, bool first, int width, struct cow_error *err)
{
    (void)err;
    if (first) {
        fprintf(file, "#%*s %*s  %-14s %*s\n", width - 1, "start", width, "length", "origin", width,
                "offset");
    }
    fprintf(file, "%*" PRIu64 " %*" PRIu64 "  %-14s ", width, extent->start, width, extent->length,
            extent->origin);
    if (extent->offset == COW_NO_OFFSET) {
        fprintf(file, "%*s\n", width, "-");
    } else {
        fprintf(file, "%*" PRId64 "\n", width, extent->offset);
    }
    return 0;
}

static int print_json(FILE *file, const struct extent *extent, bool first, int width, struct cow_error *err)
{
    json_t *value = json_object();

    (void)width;
    cli_json_put(&value, "start", cli_json_u64(extent->start));
    cli_json_put(&value, "length", cli_json_u64(extent->length));
    cli_json_put(&value, "origin", json_string(extent->origin));
    cli_json_put(&value, "offset",
                 extent->offset == COW_NO_OFFSET ? json_null() : json_integer(extent->offset));
    cli_json_put(&value, "layer", json_integer((json_int_t)extent->layer));
    return cli_json_spool(file, first ? "[\n  " : ",\n  ", value, err);
}

/* As many columns as the largest number of the map has digits, and room for the headings. */
static int width_of(const struct cow_image *image)
{
    const struct cow_backing *backing = cow_image_backing(image);
    uint64_t largest = cow_image_layout(image)->end_offset;
    int width = 1;

    if (backing->size_bytes > largest) {
        largest = backing->size_bytes;
    }
    for (; largest >= 10; largest /= 10) {
        width++;
    }
    return width < 8 ? 8 : width;
}

/* The runs of an image, one after the other; with a scan the bytes are compared, and neighbours of the same
 * origin, which a scan may cut anywhere, are joined again. */
struct walk {
    struct cow_image *image;
    struct cow_scan *scan; /* NULL: as the bitmap tells */
    struct cow_env env;    /* the scan's progress */
    struct cow_run ahead;  /* read already, not handed out yet */
    bool has_ahead;
};

static bool goes_on(const struct cow_run *run, const struct cow_run *next, uint32_t sector_bytes)
{
    int64_t expected = run->host_offset;

    if (expected != COW_NO_OFFSET) {
        expected += (int64_t)(run->sectors * sector_bytes);
    }
    return next->sectors > 0 && next->origin == run->origin && next->layer == run->layer &&
           next->host_offset == expected;
}

static int one_run(struct walk *walk, uint64_t sector, struct cow_run *run, struct cow_error *err)
{
    const struct cow_header *header = cow_image_header(walk->image);
    struct cow_progress progress = {
        .phase = "comparing", .total_bytes = header->size_bytes, .can_cancel = true};

    if (walk->scan == NULL) {
        return cow_image_next_run(walk->image, sector, run, err);
    }
    progress.done_bytes = sector * header->sector_bytes;
    if (walk->env.progress(walk->env.context, &progress)) {
        return cow_error_set(err, COW_CANCELLED, "cancelled");
    }
    return cow_scan_run(walk->scan, sector, run, err);
}

static int next_map_run(struct walk *walk, uint64_t sector, struct cow_run *run, struct cow_error *err)
{
    const uint32_t sector_bytes = cow_image_header(walk->image)->sector_bytes;
    int status = 0;

    if (walk->has_ahead) {
        *run = walk->ahead;
    } else {
        status = one_run(walk, sector, run, err);
    }
    walk->has_ahead = false;
    while (status == 0 && walk->scan != NULL && run->sectors > 0) {
        status = one_run(walk, run->first_sector + run->sectors, &walk->ahead, err);
        walk->has_ahead = status == 0 && !goes_on(run, &walk->ahead, sector_bytes);
        if (status != 0 || walk->has_ahead) {
            break;
        }
        run->sectors += walk->ahead.sectors;
    }
    return status;
}

static int print_extents(struct walk *walk, FILE *file, print_extent *print, struct cow_error *err)
{
    const struct cow_header *header = cow_image_header(walk->image);
    const int width = width_of(walk->image);
    uint64_t sector = 0;
    int status = 0;

    while (status == 0) {
        struct cow_run run;
        struct extent extent;

        status = next_map_run(walk, sector, &run, err);
        if (status != 0 || run.sectors == 0) {
            break;
        }
        extent.start = run.first_sector * header->sector_bytes;
        extent.length = run.sectors * header->sector_bytes;
        if (extent.length > header->size_bytes - extent.start) {
            extent.length = header->size_bytes - extent.start;
        }
        extent.origin = cow_origin_name(run.origin);
        extent.offset = run.host_offset;
        extent.layer = run.layer;
        status = print(file, &extent, sector == 0, width, err);
        if (status == 0 && ferror(file) != 0) {
            status = cow_error_system(err, errno != 0 ? errno : EIO, "%s",
                                      file == stdout ? "standard output" : "temporary file");
        }
        sector = run.first_sector + run.sectors;
    }
    return status;
}

static int fill_map_json(FILE *spool, const void *context, struct cow_error *err)
{
    struct walk *const *walk = context;
    int status = print_extents(*walk, spool, print_json, err);

    fputs("\n]\n", spool);
    return status;
}

static int map_json(struct walk *walk, struct cow_error *err)
{
    return cli_spool(fill_map_json, &walk, err);
}

static int map_text(struct walk *walk, struct cow_error *err)
{
    return print_extents(walk, stdout, cow_image_layers(walk->image) > 2 ? print_text_layers : print_text,
                         err);
}

/* Progress only where it does not run into the map itself. */
static int map_scanned(struct walk *walk, const struct cli_options *options,
                       int (*print)(struct walk *walk, struct cow_error *err), struct cow_error *err)
{
    struct cli_progress progress;
    int status = cow_scan_open(&walk->scan, walk->image, err);

    if (status != 0) {
        return status;
    }
    cli_catch_signals();
    cli_progress_begin(&progress, &walk->env,
                       options->quiet || (!options->json && isatty(STDOUT_FILENO) != 0));
    status = print(walk, err);
    cli_progress_end(&progress);
    cow_scan_close(walk->scan);
    return status;
}

/* ---- following ---- */

static const int64_t second_ns = 1000000000;

enum { INTERVAL_MOST_S = 3600, WAIT_MOST_MS = 200 };

int64_t cli_clock_ns(void *context)
{
    struct timespec now;

    (void)context;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * second_ns + now.tv_nsec;
}

/* "2", "0.25": seconds, whatever the locale's decimal point is. */
int cli_read_interval(int64_t *out, const char *text, struct cow_error *err)
{
    const char *rest = text != NULL ? text + strspn(text, "0123456789") : NULL;
    uint64_t seconds = 0;
    int64_t fraction = 0, unit = second_ns;

    *out = second_ns;
    if (text == NULL) {
        return 0;
    }
    for (const char *digit = text; digit < rest && seconds <= INTERVAL_MOST_S; digit++) {
        seconds = seconds * 10 + (uint64_t)(*digit - '0');
    }
    if (*rest == '.') {
        for (rest++; *rest >= '0' && *rest <= '9'; rest++) {
            unit /= 10;
            fraction += (*rest - '0') * unit;
        }
    }
    *out = (int64_t)seconds * second_ns + fraction;
    if (*rest != '\0' || *out < second_ns / 100 || *out > INTERVAL_MOST_S * second_ns) {
        return cow_error_set(err, COW_USAGE, "--interval: %s is no number of seconds from 0.01 to %d", text,
                             (int)INTERVAL_MOST_S);
    }
    return 0;
}

/* Until it is time for the next look. A signal ends it, and so does the end of whoever reads: in short
 * pieces, for a signal may come just before. */
static int wait_until(int64_t until_ns, struct cow_error *err)
{
    struct pollfd output = {.fd = STDOUT_FILENO};

    for (int64_t left_ns; !cli_interrupted() && (left_ns = until_ns - cli_clock_ns(NULL)) > 0;) {
        const int64_t left_ms = left_ns / (second_ns / 1000) + 1;
        if (poll(&output, 1, left_ms < WAIT_MOST_MS ? (int)left_ms : WAIT_MOST_MS) > 0 &&
            (output.revents & POLLERR) != 0) {
            return cow_error_system(err, EPIPE, "standard output");
        }
    }
    return 0;
}

/* All that is to be done now. */
static int follow_round(struct cow_follow *follow, struct cow_error *err)
{
    bool more = true;
    int status = 0;

    while (status == 0 && more) {
        status = cow_follow_step(follow, &more, err);
    }
    return status;
}

/* At the end the bits are read once more, so that the sum is that of the bitmap. */
static int follow_on(struct cow_follow *follow, struct cli_followed *followed, struct cow_error *err)
{
    const struct cow_follow_facts *facts = cow_follow_facts(follow);
    int status = follow_round(follow, err);

    if (status == 0) {
        status = cli_followed_begin(followed, facts, cli_clock_ns(NULL), err);
    }
    while (status == 0 && !cli_interrupted()) {
        status = wait_until(facts->next_look_ns, err);
        if (status == 0 && cli_interrupted()) {
            cow_follow_hurry(follow);
        }
        if (status == 0) {
            status = follow_round(follow, err);
        }
        if (status == 0) {
            status = cli_followed_tell(followed, facts, err);
        }
    }
    return status != 0 ? status : cli_followed_end(followed, facts, cli_clock_ns(NULL), err);
}

static int map_follow(struct cow_image *image, const struct cli_options *options, struct cow_error *err)
{
    struct cli_followed followed = {.file = stdout, .json = options->json, .image = image};
    const struct cow_env env = {.now_ns = cli_clock_ns};
    struct cow_follow_options follow_options = {
        .changed = cli_followed_take, .context = &followed, .env = &env};
    struct cow_follow *follow = NULL;
    int status = cli_read_interval(&follow_options.interval_ns, options->interval, err);

    if (status == 0) {
        status = cow_follow_open(&follow, image, &follow_options, err);
    }
    cli_catch_signals();
    if (status == 0) {
        status = follow_on(follow, &followed, err);
    }
    cow_follow_close(follow);
    return status;
}

/* ---- pictures ---- */

static int check_picture(const struct cli_options *options, struct cow_error *err)
{
    const char *path = options->svg != NULL ? options->svg : options->png;

    if (path == NULL) {
        return options->hilbert ? cow_error_set(err, COW_USAGE, "--hilbert is for --svg and --png") : 0;
    }
    if (options->svg != NULL && options->png != NULL) {
        return cow_error_set(err, COW_USAGE, "map makes one picture at a time: --svg or --png");
    }
    if (options->follow) {
        return cow_error_set(err, COW_USAGE, "--follow tells of changes, and no picture is made of them");
    }
    if (*path == '\0') {
        return cow_error_set(err, COW_USAGE, "%s needs to know the file to make",
                             options->svg != NULL ? "--svg" : "--png");
    }
    if (strcmp(path, "-") == 0 && (options->dry_run || options->json)) {
        return cow_error_set(err, COW_USAGE, "what goes to standard output has no plan to print");
    }
    if (path == options->png && strcmp(path, "-") == 0 && isatty(STDOUT_FILENO) == 1) {
        cow_error_set(err, COW_USAGE, "a PNG picture is not written to a terminal");
        return cow_error_hint(err, "name a file, or send standard output to one");
    }
    return options->png != NULL ? drawing_need_png(err) : 0;
}

static int print_picture(const struct drawing_bytes *picture, struct cow_error *err)
{
    if (fwrite(picture->data, 1, picture->n, stdout) == picture->n && fflush(stdout) == 0) {
        return 0;
    }
    cow_error_system(err, errno != 0 ? errno : EIO, "standard output");
    return cow_error_hint(err, "what was written to standard output is incomplete");
}

static int save_picture(struct cow_image *image, const struct drawing_bytes *picture,
                        const struct cli_options *options, struct cow_error *err)
{
    char command[PATH_MAX + 64], output[PATH_MAX];
    const char *path = options->svg != NULL ? options->svg : options->png;
    struct cow_save_options save = {
        .what = front_picture_title(options->svg != NULL ? FRONT_PICTURE_SVG : FRONT_PICTURE_PNG),
        .bytes = picture->data,
        .n_bytes = picture->n,
        .command = command,
        .output_path = path,
        .force = options->words.force};
    struct cow_plan *plan = NULL;

    snprintf(command, sizeof command, "cowtui map %s %s%s%s", options->svg != NULL ? "--svg" : "--png",
             cow_shell_quote(output, sizeof output, path), options->scan ? " --scan" : "",
             options->hilbert ? " --hilbert" : "");
    int status = cow_plan_save(&plan, image, &save, err);
    if (status == 0) {
        status = cli_change(plan, options, err);
    }
    cow_plan_free(plan);
    return status;
}

/* Progress is told of a scan alone: counting takes a moment. */
static int map_cells(struct front_map *map, struct cow_image *image, const struct cli_options *options,
                     struct cow_error *err)
{
    struct cli_progress progress;
    struct cow_env env;

    if (!options->scan) {
        return front_map_whole(map, image, false, NULL, err);
    }
    cli_catch_signals();
    cli_progress_begin(&progress, &env, options->quiet);
    const int status = front_map_whole(map, image, true, &env, err);
    cli_progress_end(&progress);
    return status;
}

static int map_picture(struct cow_image *image, const struct cli_options *options, struct cow_error *err)
{
    struct front_map map;
    struct drawing_bytes picture = {.data = NULL};
    const char *path = options->svg != NULL ? options->svg : options->png;
    int status = map_cells(&map, image, options, err);

    if (status == 0) {
        map.is_curved = options->hilbert;
        status = front_map_picture(&picture, &map,
                                   options->svg != NULL ? FRONT_PICTURE_SVG : FRONT_PICTURE_PNG, err);
    }
    if (status == 0) {
        status = strcmp(path, "-") == 0 ? print_picture(&picture, err)
                                        : save_picture(image, &picture, options, err);
    }
    free(picture.data);
    front_map_free(&map);
    return status;
}

static int check_follow(const struct cli_options *options, struct cow_error *err)
{
    if (options->follow && options->scan) {
        return cow_error_set(err, COW_USAGE,
                             "--follow looks at the bitmap alone: it does not go with --scan");
    }
    if (options->interval != NULL && !options->follow) {
        return cow_error_set(err, COW_USAGE, "--interval is for --follow");
    }
    return 0;
}

static int print_map(struct walk *walk, const struct cli_options *options, struct cow_error *err)
{
    int (*print)(struct walk * walk, struct cow_error * err) = options->json ? map_json : map_text;

    if (options->svg != NULL || options->png != NULL) {
        return map_picture(walk->image, options, err);
    }
    if (options->follow) {
        return map_follow(walk->image, options, err);
    }
    return options->scan ? map_scanned(walk, options, print, err) : print(walk, err);
}

int cli_map(const struct cli_options *options, struct cow_error *err)
{
    struct walk walk = {.image = NULL};
    int status = check_follow(options, err);

    if (status == 0) {
        status = check_picture(options, err);
    }
    if (status == 0) {
        status = cli_open_image(&walk.image, options, err);
    }
    if (status != 0) {
        return status;
    }
    status = cli_need_layout(walk.image, "has no map", err);
    if (status == 0) {
        status = print_map(&walk, options, err);
    }
    cow_image_close(walk.image);
    return status;
}
