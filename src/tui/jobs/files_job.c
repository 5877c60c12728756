/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Running the filesystem's scan, and asking it. It opens the image itself, as the check does, so that the
 * application may open its own anew while this one is being read.
 */
#include "tui/jobs/files_job.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cow/text.h"
#include "front/owner_words.h"
#include "tui/screen/clock.h"
#include "tui/screen/utf8.h"

enum { PATH_TEXT_BYTES = 4 * COW_MESSAGE_BYTES };

static bool files_wait(const void *owner)
{
    const struct tui_files *files = owner;

    return (!tui_job_is_current(&files->job) || (files->stale && files->job.state == TUI_JOB_DONE)) &&
           tui_subject_sectors(files->job.subject) > 0;
}

void tui_files_renew(struct tui_files *files)
{
    files->stale = tui_files_known(files);
}

bool tui_files_known(const struct tui_files *files)
{
    return (files->job.state == TUI_JOB_DONE || files->renews) && tui_job_is_current(&files->job);
}

/* Nothing but the choices stays. */
static void release_scan(struct tui_files *files)
{
    cow_fs_scan_free(files->scan);
    cow_fs_close(files->fs);
    cow_image_close(files->image);
    files->scan = NULL;
    files->fs = NULL;
    files->image = NULL;
    files->epoch++;
}

static void files_forget(void *owner)
{
    struct tui_files *files = owner;

    tui_job_halt(&files->job);
    release_scan(files);
    files->job.state = TUI_JOB_OFF;
    files->job.generation = 0;
    files->job.news = true;
    tui_files_light(files, NULL, NULL);
}

void tui_files_again(struct tui_files *files)
{
    files_forget(files);
}

void tui_files_end(struct tui_files *files)
{
    tui_file_name_set(&files->lit, NULL, NULL);
    tui_file_name_set(&files->extract, NULL, NULL);
    tui_job_end(&files->job);
}

/* What a reading gives. */
struct reading {
    struct cow_image **image;
    struct cow_fs **fs;
    struct cow_fs_scan **scan;
};

static int read_files(struct tui_files *files, const struct reading *out, struct cow_error *err)
{
    const struct tui_subject *subject = files->job.subject;
    struct cow_open_options open_options = subject->open;
    const struct cow_env env = {.progress = tui_job_look_in, .context = &files->job};
    const struct cow_fs_scan_options scan_options = {.look_around = true, .env = &env};
    open_options.io = tui_job_io(&files->job);
    int status = cow_image_open(out->image, subject->image_path, &open_options, err);

    if (status == 0) {
        status = cow_fs_open(out->fs, *out->image, err);
    }
    if (status == 0) {
        status = cow_fs_scan(out->scan, *out->fs, &scan_options, err);
    }
    return tui_job_shall_stop(&files->job) ? COW_CANCELLED : status;
}

static void look_at_files(void *owner)
{
    struct tui_files *files = owner;
    const struct reading reading = {&files->image, &files->fs, &files->scan};
    struct cow_error err = {0};

    release_scan(files);
    tui_job_show(&files->job);
    int status = read_files(files, &reading, &err);
    files->epoch++;
    files->job.error = err;
    files->took_seconds = tui_clock() - files->job.progress.started;
    files->job.state = status == 0               ? TUI_JOB_DONE
                       : status == COW_CANCELLED ? TUI_JOB_STOPPED
                                                 : TUI_JOB_FAILED;
}

/* Reads beside what is known, which the views go on showing, and then takes its place. */
static void look_anew(void *owner)
{
    struct tui_files *files = owner;
    struct cow_image *image = NULL;
    struct cow_fs *fs = NULL;
    struct cow_fs_scan *scan = NULL;
    const struct reading reading = {&image, &fs, &scan};
    int status = read_files(files, &reading, NULL);

    if (status == 0) {
        release_scan(files);
        files->image = image;
        files->fs = fs;
        files->scan = scan;
    } else {
        cow_fs_scan_free(scan);
        cow_fs_close(fs);
        cow_image_close(image);
    }
    files->took_seconds = tui_clock() - files->job.progress.started;
    files->renews = false;
    files->job.state = TUI_JOB_DONE;
}

static void files_slice(void *owner)
{
    struct tui_files *files = owner;

    if (files->job.state != TUI_JOB_RUNNING) {
        files->renews = files->stale && tui_files_known(files);
        files->stale = false;
    }
    tui_job_go_on(&files->job, files->renews ? look_anew : look_at_files);
}

static const struct tui_job_class files_class = {
    .waits = files_wait, .slice = files_slice, .forget = files_forget, .is_fiber = true};

void tui_files_init(struct tui_files *files, const struct tui_subject *subject)
{
    memset(files, 0, sizeof *files);
    tui_job_init(&files->job, &files_class, files, subject);
}

size_t tui_files_readable(const struct tui_files *files, int *first)
{
    size_t n_volumes = 0, readable = 0;
    const struct cow_volume *volume = files->fs != NULL ? cow_fs_volumes(files->fs, &n_volumes) : NULL;

    for (size_t i = 0; i < n_volumes; i++) {
        if (volume[i].readable && readable++ == 0 && first != NULL) {
            *first = (int)i;
        }
    }
    return readable;
}

const char *tui_files_prefix(const struct tui_files *files, int volume, char out[TUI_PREFIX_BYTES])
{
    size_t n_volumes = 0;
    const struct cow_volume *all = files->fs != NULL ? cow_fs_volumes(files->fs, &n_volumes) : NULL;

    out[0] = '\0';
    if (volume >= 0 && (size_t)volume < n_volumes && tui_files_readable(files, NULL) > 1) {
        snprintf(out, TUI_PREFIX_BYTES, "%u:", all[volume].partition);
    }
    return out;
}

const struct cow_fs_file *tui_files_find(const struct tui_files *files, const struct tui_file_name *name)
{
    size_t n_files = 0;
    const struct cow_fs_file *file = name->path != NULL && !name->below && tui_files_known(files)
                                         ? cow_fs_files(files->scan, &n_files)
                                         : NULL;

    for (size_t i = 0; i < n_files; i++) {
        if (file[i].volume == name->volume && strcmp(file[i].path, name->path) == 0) {
            return &file[i];
        }
    }
    return NULL;
}

int tui_file_name_set(struct tui_file_name *name, const struct cow_fs_file *file, struct cow_error *err)
{
    char *path = file != NULL ? strdup(file->path) : NULL;

    free(name->path);
    *name =
        (struct tui_file_name){file != NULL ? file->volume : COW_NO_VOLUME, COW_VERSION_GUEST, path, false};
    return file != NULL && path == NULL ? cow_error_set(err, COW_NO_MEMORY, "out of memory") : 0;
}

int tui_file_name_set_below(struct tui_file_name *name, int volume, const char *path, size_t n_bytes,
                            struct cow_error *err)
{
    char *copy = strndup(path, n_bytes);

    free(name->path);
    *name = (struct tui_file_name){volume, COW_VERSION_GUEST, copy, true};
    return copy != NULL ? 0 : cow_error_set(err, COW_NO_MEMORY, "out of memory");
}

bool tui_file_name_holds(const struct tui_file_name *name, const struct cow_fs_owner *owner)
{
    size_t n = strlen(name->path);

    return owner->path != NULL && owner->volume == name->volume && strncmp(owner->path, name->path, n) == 0 &&
           (owner->path[n] == '/' || owner->path[n] == '\0');
}

int tui_files_next_below(const struct tui_files *files, const struct tui_file_name *name, uint64_t offset,
                         uint64_t end, struct cow_fs_owner *out, struct cow_error *err)
{
    int status;

    do {
        status = cow_fs_owner_next(files->scan, offset, out, err);
        offset = out->first_byte + out->length_bytes;
        if (status == 0 && out->first_byte >= end) {
            out->length_bytes = 0;
        }
    } while (status == 0 && out->length_bytes > 0 && !tui_file_name_holds(name, out));
    return status;
}

int tui_files_light_below(struct tui_files *files, int volume, const char *path, size_t n_bytes,
                          struct cow_error *err)
{
    files->lit_number++;
    files->job.news = true;
    return tui_file_name_set_below(&files->lit, volume, path, n_bytes, err);
}

int tui_files_light(struct tui_files *files, const struct cow_fs_file *file, struct cow_error *err)
{
    files->lit_number++;
    files->job.news = true;
    return tui_file_name_set(&files->lit, file, err);
}

void tui_path_text(char *out, size_t out_bytes, const char *path, int cells)
{
    char escaped[PATH_TEXT_BYTES];
    const char *rest = cow_escape(escaped, sizeof escaped, path);
    int left = tui_text_cells(escaped);

    if (left <= cells) {
        snprintf(out, out_bytes, "%s", escaped);
        return;
    }
    while (*rest != '\0' && left > cells - 3) {
        left -= tui_char_cells(tui_utf8_next(&rest));
    }
    snprintf(out, out_bytes, "%s%s", cells < 3 ? "" : "...", rest);
}

void tui_files_owner_text(const struct tui_files *files, uint64_t sector, int cells, char *out,
                          size_t out_bytes, uint64_t *end_sector)
{
    uint64_t sector_bytes = cow_image_header(files->job.subject->image)->sector_bytes;
    char prefix[TUI_PREFIX_BYTES];
    struct cow_fs_owner owner;

    out[0] = '\0';
    if (!tui_files_known(files) || cow_fs_owner_at(files->scan, sector * sector_bytes, &owner, NULL) != 0 ||
        !owner.known || owner.length_bytes == 0) {
        return;
    }
    int taken = snprintf(out, out_bytes, "%s",
                         owner.path != NULL ? tui_files_prefix(files, owner.volume, prefix) : "");
    if (owner.path != NULL) {
        tui_path_text(out + taken, out_bytes - (size_t)taken, owner.path, cells - taken);
    } else if (owner.fs_class == COW_FS_FREE) {
        tui_path_text(out, out_bytes, "free", cells);
    } else {
        tui_path_text(out, out_bytes, cow_fs_class_text(owner.fs_class), cells);
    }
    if (end_sector != NULL) {
        *end_sector = (owner.first_byte + owner.length_bytes + sector_bytes - 1) / sector_bytes;
    }
}

const char *tui_files_byte_text(const struct tui_files *files, uint64_t byte, int cells, char *out,
                                size_t out_bytes)
{
    char prefix[TUI_PREFIX_BYTES], place[64] = "";
    struct cow_fs_owner owner;
    struct cow_error err;

    if (cow_fs_owner_at(files->scan, byte, &owner, &err) != 0) {
        snprintf(out, out_bytes, "%s", err.message);
        return out;
    }
    if (owner.path == NULL) {
        snprintf(out, out_bytes, "%s", front_owner_class_text(&owner));
        return out;
    }
    if (owner.fs_class != COW_FS_FILE) {
        snprintf(place, sizeof place, "  (%s)", cow_fs_class_text(owner.fs_class));
    } else if (owner.has_file_offset) {
        snprintf(place, sizeof place, "  (its byte %" PRIu64 ")", owner.file_offset);
    }
    int taken = snprintf(out, out_bytes, "%s", tui_files_prefix(files, owner.volume, prefix));
    tui_path_text(out + taken, out_bytes - (size_t)taken, owner.path, cells - taken - (int)strlen(place));
    size_t used = strlen(out);
    snprintf(out + used, out_bytes - used, "%s", place);
    return out;
}
