/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * qemu-img is asked for one file after the other, and not for all of them at once: who made the image chose
 * what it lies on, and that is looked at before QEMU opens it. Of its formats only those two are read that
 * name no further files but those that it tells. Its words and its JSON come through the same pipe, so the
 * JSON begins at the line that can begin one, and what follows it is let be.
 */
#include "front/qcow2/qcow2_chain.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front/process.h"

enum { ANSWER_BYTES = 4 * 1024 * 1024, FILES_MAX = 200 };

static const char phase[] = "asking qemu-img";

/* What qemu-img has answered so far. */
struct answer {
    const struct cow_env *env;
    char *text;
    size_t n_bytes;
    char said[COW_MESSAGE_BYTES]; /* the first line that is no JSON */
};

bool qcow2_is_to_stop(const struct cow_env *env, const char *what)
{
    const struct cow_progress progress = {.phase = what, .total_bytes = 1, .can_cancel = true};

    return env != NULL && env->progress != NULL && env->progress(env->context, &progress);
}

int qcow2_said(int status, const char *path, const char *said, struct cow_error *err)
{
    const bool is_locked = strstr(said, " lock") != NULL && strstr(said, "Failed to get") != NULL;

    cow_error_set(err, is_locked ? COW_LOCKED : status, "%s: %s", path,
                  *said != '\0' ? said : "QEMU's tools failed without a word");
    return is_locked ? cow_error_hint(err, "another program writes it: end that first") : err->status;
}

static bool wants_stop(void *context)
{
    const struct answer *answer = context;

    return qcow2_is_to_stop(answer->env, phase);
}

static void take_line(void *context, const char *line)
{
    struct answer *answer = context;
    const size_t n = strlen(line);

    if (answer->n_bytes == 0 && *line != '[' && *line != '{') {
        if (*answer->said == '\0') {
            snprintf(answer->said, sizeof answer->said, "%s", line);
        }
        return;
    }
    if (answer->n_bytes + n >= ANSWER_BYTES) {
        return;
    }
    memcpy(answer->text + answer->n_bytes, line, n + 1);
    answer->n_bytes += n;
}

/* Runs qemu-img info for one file, without what it lies on. format: NULL where its user names none, and QEMU
 * looks. *out is the caller's. */
static int ask(json_t **out, const char *path, const char *format, const struct cow_env *env,
               struct cow_error *err)
{
    const char *argv[] = {"qemu-img", "info", "--output=json", path, format != NULL ? "-f" : NULL,
                          format,     NULL};
    struct answer answer = {.env = env, .text = calloc(1, ANSWER_BYTES)};
    const struct front_command command = {.argv = argv, .on_line = take_line, .context = &answer};
    int code, status;

    if (answer.text == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    status = front_run(&code, NULL, &command, wants_stop, err);
    if (status == 0 && code != 0) {
        status = qcow2_said(COW_INVALID, path, answer.said, err);
    }
    if (status == 0) {
        *out = json_loads(answer.text, JSON_DISABLE_EOF_CHECK, NULL);
        status =
            *out != NULL ? 0 : cow_error_set(err, COW_IO, "%s: qemu-img's answer is not understood", path);
    }
    free(answer.text);
    return status;
}

/* ---- files ---- */

/* What an image names is opened only if it is a file of this host, by its absolute path: QEMU would take
 * "nbd://..." and "json:..." for what they are, and wait at a FIFO. */
static int look_at(struct qcow2_file *file, struct cow_error *err)
{
    struct stat facts;
    int fd = -1;

    if (*file->path != '/') {
        return cow_error_set(err, COW_REFUSED, "it lies on %s, which is no file of this host", file->path);
    }
    if (stat(file->path, &facts) == 0 && !S_ISREG(facts.st_mode) && !S_ISBLK(facts.st_mode)) {
        return cow_error_set(err, COW_REFUSED, "it lies on %s, which is neither a file nor a disk",
                             file->path);
    }
    fd = open(file->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &facts) != 0) {
        int code = errno;
        if (fd >= 0) {
            close(fd);
        }
        return cow_error_system(err, code, "it lies on %s", file->path);
    }
    const off_t end = lseek(fd, 0, SEEK_END); /* of a device, too */
    file->device = facts.st_dev;
    file->inode = facts.st_ino;
    file->mode = facts.st_mode & 0777;
    file->size_bytes = end > 0 ? (uint64_t)end : 0;
    close(fd);
    return 0;
}

/* format: "" of what is no layer, but a file that a layer has its data in; NULL: QEMU will look. */
static int add_file(struct qcow2_chain *chain, const char *path, const char *format, struct cow_error *err)
{
    struct qcow2_file *file, *grown;

    if (chain->n == FILES_MAX) {
        return cow_error_set(err, COW_INVALID, "more than %d files lie on each other", FILES_MAX);
    }
    grown = realloc(chain->file, (chain->n + 1) * sizeof *grown);
    if (grown == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    chain->file = grown;
    file = &chain->file[chain->n++];
    *file = (struct qcow2_file){.path = strdup(path), .format = strdup(format != NULL ? format : "")};
    return file->path != NULL && file->format != NULL ? look_at(file, err)
                                                      : cow_error_set(err, COW_NO_MEMORY, "out of memory");
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* Its name is told as it stands in the layer: from that one's directory, unless it is none of a file. */
static int add_data_file(struct qcow2_chain *chain, size_t index, const char *name, struct cow_error *err)
{
    const char *layer = chain->file[index].path;
    const bool relative = *name != '/' && name[strcspn(name, ":/")] != ':';
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%.*s%s", relative ? (int)(strrchr(layer, '/') - layer) + 1 : 0, layer, name);
    return add_file(chain, path, "", err);
}

/* Takes what qemu-img tells of the layer at index. *below: the index of what it lies
 * on; 0: it lies on nothing. */
static int take_layer(struct qcow2_chain *chain, size_t index, const json_t *told, size_t *below,
                      struct cow_error *err)
{
    const char *format = text_of(told, "format"), *path = text_of(told, "full-backing-filename");
    const char *data =
        text_of(json_object_get(json_object_get(told, "format-specific"), "data"), "data-file");
    const json_t *size = json_object_get(told, "virtual-size");
    int status = 0;

    *below = 0;
    if (!json_is_integer(size) || json_integer_value(size) < 0 || format == NULL) {
        return cow_error_set(err, COW_IO, "qemu-img's answer is not understood");
    }
    if (strcmp(format, "qcow2") != 0 && strcmp(format, "raw") != 0) {
        cow_error_set(err, COW_REFUSED, "it lies on %s, which is of the format %s", chain->file[index].path,
                      format);
        return cow_error_hint(err,
                              "only qcow2 images and raw files are read; qemu-img convert makes one of both");
    }
    if (index == 0) {
        chain->size_bytes = (uint64_t)json_integer_value(size);
    }
    snprintf(chain->file[index].kind, sizeof chain->file[index].kind, "%s", format);
    if (data != NULL) {
        status = add_data_file(chain, index, data, err);
    }
    if (status == 0 && path != NULL) {
        *below = chain->n;
        status = add_file(chain, path, text_of(told, "backing-filename-format"), err);
    }
    return status;
}

/* One file after the other, and none before it was looked at. */
static int walk(struct qcow2_chain *chain, const struct cow_env *env, struct cow_error *err)
{
    size_t at = 0, below;
    int status;

    do {
        const struct qcow2_file *file = &chain->file[at];
        json_t *told = NULL;
        status = ask(&told, file->path, *file->format != '\0' ? file->format : NULL, env, err);
        if (status == 0) {
            status = take_layer(chain, at, told, &below, err);
        }
        json_decref(told);
        at = below;
    } while (status == 0 && at > 0);
    return status;
}

/* QEMU's own words would be about a format that nobody has named. */
static int check_magic(const char *path, struct cow_error *err)
{
    static const char magic[4] = {'Q', 'F', 'I', '\xfb'};
    char there[sizeof magic];
    struct stat facts;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ssize_t n;

    if (fd < 0) {
        return cow_error_system(err, errno, "%s", path);
    }
    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        close(fd);
        return cow_error_set(err, COW_IO, "%s: not a regular file", path);
    }
    n = pread(fd, there, sizeof there, 0);
    close(fd);
    if (n == sizeof there && memcmp(there, magic, sizeof magic) == 0) {
        return 0;
    }
    cow_error_set(err, COW_NOT_COW, "%s: not a qcow2 image", path);
    return cow_error_hint(err, "a raw disk goes with diff: cowtui diff -o IMAGE BACKING RAW");
}

int qcow2_read_chain(struct qcow2_chain *out, const char *path, const struct cow_env *env,
                     struct cow_error *err)
{
    int status = check_magic(path, err);

    *out = (struct qcow2_chain){.n = 0};
    if (status != 0) {
        return status;
    }
    status = add_file(out, path, "qcow2", err);
    if (status == 0) {
        status = walk(out, env, err);
    }
    return status != 0 && strncmp(err->message, "it lies on", 10) == 0 ? cow_error_prefix(err, "%s", path)
                                                                       : status;
}

void qcow2_clear_chain(struct qcow2_chain *chain)
{
    for (size_t i = 0; i < chain->n; i++) {
        free(chain->file[i].path);
        free(chain->file[i].format);
    }
    free(chain->file);
    *chain = (struct qcow2_chain){.n = 0};
}

const struct qcow2_file *qcow2_raw_backing(const struct qcow2_chain *chain)
{
    return chain->n == 2 && strcmp(chain->file[1].kind, "raw") == 0 ? &chain->file[1] : NULL;
}
