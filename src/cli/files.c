/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui files: which files of the guest have changed, who owns a byte of the disk, and a file of the guest
 * as a file of the host. That its two versions are compared is in files_diff.c.
 */
#include "cli/output/files_found.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/carry_out.h"
#include "cli/commands.h"
#include "cli/output/progress_line.h"
#include "cli/output/text_stream.h"
#include "cow/ops.h"
#include "cow/text.h"

enum { NO_PARTITION = -1, COPY_BYTES = 64 * 1024 };

int cli_read_partition(int *out, const struct cli_options *options, struct cow_error *err)
{
    const char *text = options->partition;
    char *end;

    *out = NO_PARTITION;
    if (text == NULL) {
        return 0;
    }
    long number = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || strspn(text, "0123456789") != strlen(text) || number < 1 ||
        number > 9999) {
        return cow_error_set(err, COW_USAGE, "--partition is the number of a partition, not '%s'", text);
    }
    *out = (int)number;
    return 0;
}

static int choose_partition(struct cli_files *files, int partition, struct cow_error *err)
{
    files->volume = cow_fs_volumes(files->fs, &files->volumes);
    files->only = COW_NO_VOLUME;
    if (partition == NO_PARTITION) {
        return 0;
    }
    for (size_t i = 0; i < files->volumes; i++) {
        if (files->volume[i].partition == (unsigned)partition) {
            files->only = (int)i;
        }
    }
    if (files->only != COW_NO_VOLUME) {
        return 0;
    }
    cow_error_set(err, COW_USAGE, "%s: has no partition %d", cow_image_path(files->image), partition);
    return cow_error_hint(err, "\"cowtui files\" without --partition tells which there are");
}

static int by_size(const void *a, const void *b)
{
    const struct cow_fs_file *left = *(const struct cow_fs_file *const *)a;
    const struct cow_fs_file *right = *(const struct cow_fs_file *const *)b;

    if (left->changed_bytes != right->changed_bytes) {
        return left->changed_bytes < right->changed_bytes ? 1 : -1;
    }
    const int order = strcmp(left->path, right->path);
    return order != 0 ? order : left->volume - right->volume;
}

static int sort_files(struct cli_files *files, struct cow_error *err)
{
    size_t n;
    const struct cow_fs_file *file = cow_fs_files(files->scan, &n);

    files->sorted = malloc((n + 1) * sizeof(const struct cow_fs_file *));
    if (files->sorted == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        if (files->only == COW_NO_VOLUME || file[i].volume == files->only) {
            files->sorted[files->n_sorted++] = &file[i];
        }
    }
    qsort(files->sorted, files->n_sorted, sizeof(const struct cow_fs_file *), by_size);
    return 0;
}

/* What makes the answer less than whole. */
static void tell_trouble(const struct cli_files *files, const struct cli_options *options)
{
    char name[CLI_NAME_BYTES], place[32];

    if (options->quiet) {
        return;
    }
    cli_name(name, options->operand[0]);
    for (size_t i = 0; i < files->volumes; i++) {
        const struct cow_volume *volume = &files->volume[i];
        if (!volume->needs_recovery || (files->only != COW_NO_VOLUME && files->only != (int)i)) {
            continue;
        }
        snprintf(place, sizeof place, "partition %u: ", volume->partition);
        fprintf(cli_text_stream(stderr),
                "cowtui: %s: %sthe journal has to be replayed; the filesystem is read as it stands\n", name,
                volume->partition != 0 ? place : "");
    }
    if (*cow_fs_scan_damage(files->scan) != '\0') {
        fprintf(cli_text_stream(stderr), "cowtui: %s: " COW_FS_DAMAGED "%s\n", name,
                cow_fs_scan_damage(files->scan));
    }
}

static int tell_owners(const struct cli_files *files, const struct cli_options *options,
                       struct cow_error *err)
{
    tell_trouble(files, options);
    return options->json ? cli_owners_json(files, err) : cli_owners_text(files, err);
}

static int tell_files(struct cli_files *files, const struct cli_options *options, struct cow_error *err)
{
    struct cli_out out;
    int status = sort_files(files, err);

    if (status != 0) {
        return status;
    }
    tell_trouble(files, options);
    if (options->json) {
        return cli_files_json(files, err);
    }
    cli_out_init(&out, stdout, options->color_mode);
    cli_files_text(&out, files, options->verbose);
    return 0;
}

/* A byte of the disk ("16M"), or a sector ("s32768"). */
static int read_offset(uint64_t *out, const struct cli_options *options, const struct cow_image *image,
                       struct cow_error *err)
{
    const struct cow_header *header = cow_image_header(image);
    const char *text = options->owner;
    const bool sector = text[0] == 's';

    if (text[sector] == '+' || text[sector] == '-') {
        return cow_error_set(err, COW_USAGE, "--owner takes a byte (16M) or a sector (s32768) of the disk");
    }
    if (cow_size_parse(out, text + sector, 0, err) != 0) {
        return cow_error_prefix(err, "--owner");
    }
    if (*out >= header->size_bytes / (sector ? header->sector_bytes : 1) &&
        (!sector || *out >= (header->size_bytes + header->sector_bytes - 1) / header->sector_bytes)) {
        return cow_error_set(err, COW_USAGE, "%s: --owner: the disk ends before '%s'", cow_image_path(image),
                             text);
    }
    *out *= sector ? header->sector_bytes : 1;
    return 0;
}

static int tell_owner(const struct cli_files *files, uint64_t offset, const struct cli_options *options,
                      struct cow_error *err)
{
    struct cow_fs_owner owner;
    struct cli_out out;
    int status = cow_fs_owner_at(files->scan, offset, &owner, err);

    if (status != 0) {
        return status;
    }
    tell_trouble(files, options);
    if (options->json) {
        return cli_owner_json(files, &owner, err);
    }
    cli_out_init(&out, stdout, options->color_mode);
    cli_owner_text(&out, files, &owner, offset);
    return 0;
}

/* Scans with progress, then tells. */
static int scan_and_tell(struct cli_files *files, struct cow_fs *fs, const struct cli_options *options,
                         struct cow_error *err)
{
    struct cow_fs_scan_options scan_options = {.keep = options->owner != NULL,
                                               .owners_only = options->owner != NULL || options->owners};
    struct cli_progress progress;
    struct cow_env env;
    uint64_t offset = 0;
    int status = options->owner != NULL ? read_offset(&offset, options, files->image, err) : 0;

    if (status != 0) {
        return status;
    }
    scan_options.keep_offset = offset;
    scan_options.env = &env;
    cli_catch_signals();
    cli_progress_begin(&progress, &env, options->quiet);
    status = cow_fs_scan(&files->scan, fs, &scan_options, err);
    cli_progress_end(&progress);
    if (status == 0 && options->owner != NULL) {
        status = tell_owner(files, offset, options, err);
    } else if (status == 0 && options->owners) {
        status = tell_owners(files, options, err);
    } else if (status == 0) {
        status = tell_files(files, options, err);
    }
    free(files->sorted);
    cow_fs_scan_free(files->scan);
    return status;
}

/* -o -: to standard output. */
static int print_file(const struct cow_image *image, struct cow_fs *fs, int volume, enum cow_version side,
                      const struct cli_options *options, struct cow_error *err)
{
    struct cow_fs_reader *reader;
    char *buffer, outside[COW_MESSAGE_BYTES];
    size_t n = 1;
    int status = cow_fs_reader_open(&reader, fs, volume, side, options->extract, err);

    if (status != 0) {
        return status;
    }
    cli_note(cow_image_outside_text(outside, sizeof outside, image));
    buffer = malloc(COPY_BYTES);
    if (buffer == NULL) {
        status = cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    for (uint64_t at = 0; status == 0 && n > 0; at += n) {
        status = cow_fs_reader_read(reader, at, buffer, COPY_BYTES, &n, err);
        if (status == 0 && fwrite(buffer, 1, n, stdout) != n) {
            status = cow_error_system(err, errno != 0 ? errno : EIO, "standard output");
        }
    }
    if (status == 0 && fflush(stdout) != 0) {
        status = cow_error_system(err, errno != 0 ? errno : EIO, "standard output");
    }
    if (status != 0) {
        cow_error_hint(err, "what was written to standard output is incomplete");
    }
    free(buffer);
    cow_fs_reader_close(reader);
    return status;
}

static int extract_guest_file(struct cow_image *image, struct cow_fs *fs, int partition,
                              const struct cli_options *options, struct cow_error *err)
{
    struct cow_extract_options extract = {
        .path = options->extract, .output_path = options->words.output, .force = options->words.force};
    struct cow_plan *plan = NULL;
    int status = cow_fs_choose_volume(fs, partition, &extract.volume, err);

    extract.version =
        options->from != NULL && strcmp(options->from, "backing") == 0 ? COW_VERSION_BASE : COW_VERSION_GUEST;
    if (status == 0 && strcmp(options->words.output, "-") == 0) {
        return print_file(image, fs, extract.volume, extract.version, options, err);
    }
    if (status == 0) {
        status = cow_plan_extract(&plan, image, &extract, err);
    }
    if (status == 0) {
        status = cli_change(plan, options, err);
    }
    cow_plan_free(plan);
    return status;
}

static int check_words(const struct cli_options *options, struct cow_error *err)
{
    const int asked =
        (options->owner != NULL) + options->owners + (options->extract != NULL) + (options->diff != NULL);

    if (asked > 1) {
        return cow_error_set(err, COW_USAGE, "files takes one of --owner, --owners, --extract and --diff");
    }
    if (options->extract != NULL && (options->words.output == NULL || *options->words.output == '\0')) {
        cow_error_set(err, COW_USAGE, "--extract needs to know the file to make");
        return cow_error_hint(err, "usage: cowtui files --extract PATH -o FILE IMAGE");
    }
    if (options->extract == NULL && (options->words.output != NULL || options->from != NULL ||
                                     options->dry_run || options->words.force)) {
        return cow_error_set(err, COW_USAGE, "--output, --from, --dry-run and --force go with --extract");
    }
    if (options->from != NULL && strcmp(options->from, "backing") != 0 &&
        strcmp(options->from, "guest") != 0) {
        return cow_error_set(err, COW_USAGE, "--from is guest or backing, not '%s'", options->from);
    }
    if (options->extract != NULL && strcmp(options->words.output, "-") == 0 &&
        (options->dry_run || options->json)) {
        return cow_error_set(err, COW_USAGE, "what goes to standard output has no plan to print");
    }
    return 0;
}

int cli_files(const struct cli_options *options, struct cow_error *err)
{
    struct cli_files files = {.volumes = 0};
    struct cow_image *image;
    struct cow_fs *fs = NULL;
    int partition, status = check_words(options, err);

    if (status == 0) {
        status = cli_read_partition(&partition, options, err);
    }
    if (status == 0) {
        status = cli_open_image(&image, options, err);
    }
    if (status != 0) {
        return status;
    }
    files.image = image;
    status = cli_need_layout(image, "has no files", err);
    if (status == 0) {
        status = cow_fs_open(&fs, image, err);
    }
    files.fs = fs;
    if (status == 0) {
        status = choose_partition(&files, partition, err);
    }
    if (status == 0 && options->extract != NULL) {
        status = extract_guest_file(image, fs, partition, options, err);
    } else if (status == 0 && options->diff != NULL) {
        status = cli_files_diff(image, fs, partition, options, err);
    } else if (status == 0) {
        status = scan_and_tell(&files, fs, options, err);
    }
    cow_fs_close(fs);
    cow_image_close(image);
    return status;
}
