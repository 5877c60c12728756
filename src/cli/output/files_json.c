/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui files as JSON. The files may be many, so each is rendered alone, into a spool.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "cli/output/files_found.h"
#include "cli/output/json.h"
#include "cli/output/spool.h"

static json_t *path_json(const char *path)
{
    char *escaped = path != NULL ? cli_guest_path(path) : NULL;
    json_t *value = path != NULL ? (escaped != NULL ? json_string(escaped) : NULL) : json_null();

    free(escaped);
    return value;
}

static json_t *partition_json(const struct cli_files *files, int volume)
{
    unsigned number = volume == COW_NO_VOLUME ? 0 : files->volume[volume].partition;

    return number != 0 ? json_integer(number) : json_null();
}

static void put_u64(FILE *file, const char *key, uint64_t value)
{
    if (value > INT64_MAX) {
        fprintf(file, ", \"%s\": null", key);
    } else {
        fprintf(file, ", \"%s\": %" PRIu64, key, value);
    }
}

/* -1: out of memory. */
static int put_json_path(FILE *file, const char *key, const char *path)
{
    char *escaped = path != NULL ? cli_guest_path(path) : NULL;

    if (path != NULL && escaped == NULL) {
        return -1;
    }
    fprintf(file, "\"%s\": ", key);
    if (escaped != NULL) {
        cli_json_write_string(file, escaped);
    } else {
        fputs("null", file);
    }
    free(escaped);
    return 0;
}

/* There may be very many of them, so they are written and not built. */
static int spool_file(FILE *out, const struct cli_files *files, const struct cow_fs_file *file,
                      struct cow_error *err)
{
    unsigned partition = file->volume == COW_NO_VOLUME ? 0 : files->volume[file->volume].partition;

    fputc('{', out);
    if (put_json_path(out, "path", file->path) != 0) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory for the JSON");
    }
    fprintf(out, ", \"kind\": \"%s\"", cow_fs_kind_name(file->kind));
    put_u64(out, "changed_bytes", file->changed_bytes);
    put_u64(out, "size_bytes", file->size_bytes);
    fprintf(out, ", \"type\": \"%s\"", cow_fs_type_name(file->type));
    put_u64(out, "inode", file->inode);
    if (partition != 0) {
        put_u64(out, "partition", partition);
    } else {
        fputs(", \"partition\": null", out);
    }
    fputs(", ", out);
    if (put_json_path(out, "from", file->from) != 0) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory for the JSON");
    }
    fprintf(out, ", \"content_differs\": %s}", file->content_differs ? "true" : "false");
    return ferror(out) != 0 ? cow_error_system(err, errno != 0 ? errno : EIO, "temporary file") : 0;
}

static json_t *classes_json(const struct cli_files *files, uint64_t *total)
{
    uint64_t bytes[COW_FS_CLASSES];
    json_t *array = json_array();

    cow_fs_classes(files->scan, files->only, bytes);
    *total = 0;
    for (int c = 0; c < COW_FS_CLASSES; c++) {
        json_t *object = json_object();

        *total += bytes[c];
        cli_json_put(&object, "class", json_string(cow_fs_class_name((enum cow_fs_class)c)));
        cli_json_put(&object, "changed_bytes", cli_json_u64(bytes[c]));
        if (bytes[c] > 0) {
            cli_json_append(&array, object);
        } else {
            json_decref(object);
        }
    }
    return array;
}

static json_t *volume_json(const struct cow_volume *volume)
{
    json_t *object = json_object();

    cli_json_put(&object, "partition",
                 volume->partition != 0 ? json_integer(volume->partition) : json_null());
    cli_json_put(&object, "start", cli_json_u64(volume->first_byte));
    cli_json_put(&object, "length", cli_json_u64(volume->size_bytes));
    cli_json_put(&object, "type", cli_json_sentence_or_null(volume->type));
    cli_json_put(&object, "label", cli_json_sentence_or_null(volume->label));
    cli_json_put(&object, "readable", json_boolean(volume->readable));
    cli_json_put(&object, "problem", cli_json_sentence_or_null(volume->problem));
    cli_json_put(&object, "block_bytes", json_integer(volume->block_bytes));
    cli_json_put(&object, "size_bytes", cli_json_u64(volume->fs_bytes));
    cli_json_put(&object, "used_bytes", cli_json_u64(volume->used_bytes));
    cli_json_put(&object, "minimum_bytes", cli_json_u64(volume->minimum_bytes));
    cli_json_put(&object, "inodes", cli_json_u64(volume->inodes));
    cli_json_put(&object, "used_inodes", cli_json_u64(volume->used_inodes));
    cli_json_put(&object, "clean", json_boolean(volume->clean));
    cli_json_put(&object, "needs_recovery", json_boolean(volume->needs_recovery));
    cli_json_put(&object, "has_errors", json_boolean(volume->has_errors));
    cli_json_put(&object, "compared", json_boolean(volume->compared));
    return object;
}

static int spool_files(FILE *spool, const void *context, struct cow_error *err)
{
    const struct cli_files *files = context;
    json_t *volumes = json_array();
    const char *table = cow_fs_table(files->fs);
    uint64_t total;
    int status = 0;

    fputs("{\n\"files\": [", spool);
    for (size_t i = 0; i < files->n_sorted && status == 0; i++) {
        fputs(i == 0 ? "\n  " : ",\n  ", spool);
        status = spool_file(spool, files, files->sorted[i], err);
    }
    fputs("\n],\n", spool);
    for (size_t i = 0; i < files->volumes; i++) {
        cli_json_append(&volumes, volume_json(&files->volume[i]));
    }
    json_t *classes = classes_json(files, &total);
    if (status == 0) {
        status = cli_json_spool(spool, "\"classes\": ", classes, err);
    } else {
        json_decref(classes);
    }
    if (status == 0) {
        status = cli_json_spool(spool, ",\n\"volumes\": ", volumes, err);
    } else {
        json_decref(volumes);
    }
    if (status == 0) {
        status =
            cli_json_spool(spool, ",\n\"table\": ", *table != '\0' ? json_string(table) : json_null(), err);
    }
    if (status == 0) {
        status = cli_json_spool(spool, ",\n\"dirty_bytes\": ", cli_json_u64(total), err);
    }
    if (status == 0) {
        status = cli_json_spool(
            spool, ",\n\"damage\": ", cli_json_sentence_or_null(cow_fs_scan_damage(files->scan)), err);
    }
    fputs("\n}\n", spool);
    return status;
}

int cli_files_json(const struct cli_files *files, struct cow_error *err)
{
    return cli_spool(spool_files, files, err);
}

json_t *cli_owner_value(const struct cli_files *files, const struct cow_fs_owner *owner)
{
    json_t *object = json_object();

    cli_json_put(&object, "class",
                 owner->known ? json_string(cow_fs_class_name(owner->fs_class)) : json_null());
    cli_json_put(&object, "path", path_json(owner->path));
    cli_json_put(&object, "inode", owner->inode != 0 ? cli_json_u64(owner->inode) : json_null());
    cli_json_put(&object, "file_offset",
                 owner->has_file_offset ? cli_json_u64(owner->file_offset) : json_null());
    cli_json_put(&object, "start", cli_json_u64(owner->first_byte));
    cli_json_put(&object, "length", cli_json_u64(owner->length_bytes));
    cli_json_put(&object, "dirty", json_boolean(owner->dirty));
    cli_json_put(&object, "partition", partition_json(files, owner->volume));
    return object;
}

int cli_owner_json(const struct cli_files *files, const struct cow_fs_owner *owner, struct cow_error *err)
{
    return cli_json_print(cli_owner_value(files, owner), err);
}

int cli_diff_json(const struct cli_files_diff *diff, struct cow_error *err)
{
    json_t *object = json_object();

    cli_json_put(&object, "path", path_json(diff->path));
    cli_json_put(&object, "equal", json_boolean(diff->equal));
    cli_json_put(&object, "first_difference",
                 diff->equal ? json_null() : cli_json_u64(diff->first_difference));
    cli_json_put(&object, "guest_bytes", diff->in_guest ? cli_json_u64(diff->guest_bytes) : json_null());
    cli_json_put(&object, "backing_bytes",
                 diff->in_backing ? cli_json_u64(diff->backing_bytes) : json_null());
    return cli_json_print(object, err);
}
