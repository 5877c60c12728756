/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The file is the core's, which holds a lock on all of it, so that nobody takes it for a left-over; QEMU's
 * own locks would be in its way, and are not needed. qemu-img, which cannot be told so, makes the empty image
 * in memory, and its few bytes are copied. Both get the file as a descriptor: no name can lead elsewhere, or
 * be misread.
 *
 * Nor does QEMU lock the backing file: the core holds that, too.
 */
#include "front/qcow2/qcow2_sink.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front/process.h"
#include "front/qcow2/qcow2_chain.h"

enum { COPY_BYTES = 64 * 1024, SECTOR_BYTES = 512 };

static const char package_tool[] = "qemu-img";

static bool wants_stop(void *context)
{
    const struct qcow2_sink *sink = context;

    return qcow2_is_to_stop(sink->env, "making an empty disk");
}

/* qemu-img create, into an open file. */
static int create_in(struct qcow2_sink *sink, int fd, uint64_t size_bytes, const char *backing_path,
                     struct cow_error *err)
{
    char file[32], size[24], said[FRONT_SAID_BYTES];
    const char *argv[] = {package_tool, "create", "-q", "-f", "qcow2", "-u", file,
                          size,         NULL,     NULL, NULL, NULL,    NULL};
    const struct front_command command = {.argv = argv, .fds = &fd, .n_fds = 1, .context = sink};
    int code, status;

    snprintf(file, sizeof file, "/dev/fd/%d", fd);
    snprintf(size, sizeof size, "%" PRIu64, (size_bytes + SECTOR_BYTES - 1) / SECTOR_BYTES * SECTOR_BYTES);
    if (backing_path != NULL) {
        argv[8] = "-b";
        argv[9] = backing_path;
        argv[10] = "-F";
        argv[11] = "raw";
    }
    status = front_run(&code, said, &command, wants_stop, err);
    return status == 0 && code != 0 ? qcow2_said(COW_IO, package_tool, said, err) : status;
}

static int copy_bytes(int from, int to, struct cow_error *err)
{
    char buffer[COPY_BYTES];
    ssize_t n, written;

    for (off_t at = 0; (n = pread(from, buffer, sizeof buffer, at)) > 0; at += n) {
        written = pwrite(to, buffer, (size_t)n, at);
        if (written != n) {
            return cow_error_system(err, written < 0 ? errno : ENOSPC, "making an empty disk");
        }
    }
    return n < 0 ? cow_error_system(err, errno, "making an empty disk") : 0;
}

static int make_empty(struct qcow2_sink *sink, int fd, uint64_t size_bytes, const char *backing_path,
                      struct cow_error *err)
{
    int memory = memfd_create("qcow2", MFD_CLOEXEC), status;

    if (memory < 0) {
        return cow_error_system(err, errno, "making an empty disk");
    }
    status = create_in(sink, memory, size_bytes, backing_path, err);
    if (status == 0) {
        status = copy_bytes(memory, fd, err);
    }
    close(memory);
    return status;
}

/* The options of qemu-nbd as one word, a comma in a name twice. The caller frees it; NULL: no memory. */
static char *options_of(int fd, const char *backing_path)
{
    const size_t room = 256 + (backing_path != NULL ? 2 * strlen(backing_path) : 0);
    struct stat facts;
    char *text = malloc(room);
    int n;

    if (text == NULL) {
        return NULL;
    }
    n = snprintf(text, room, "driver=qcow2,file.driver=file,file.locking=off,file.filename=/dev/fd/%d", fd);
    if (backing_path == NULL) {
        return text;
    }
    const bool is_device = stat(backing_path, &facts) == 0 && S_ISBLK(facts.st_mode);
    n +=
        snprintf(text + n, room - (size_t)n,
                 ",backing.driver=raw,backing.file.driver=%s,backing.file.locking=off,backing.file.filename=",
                 is_device ? "host_device" : "file");
    for (const char *at = backing_path; *at != '\0'; at++) {
        if (*at == ',') {
            text[n++] = ',';
        }
        text[n++] = *at;
    }
    text[n] = '\0';
    return text;
}

static int begin(void *context, const char *path, int fd, uint64_t size_bytes, const char *backing_path,
                 struct cow_error *err)
{
    struct qcow2_sink *sink = context;
    int status = make_empty(sink, fd, size_bytes, backing_path, err);
    char *options = status != 0 ? NULL : options_of(fd, backing_path);
    const char *const arguments[] = {"--image-opts", options, NULL};

    if (status == 0 && options == NULL) {
        status = cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    if (status == 0) {
        status = qcow2_start_server(&sink->server, arguments, path, fd, sink->env, err);
    }
    free(options);
    return status;
}

static int write_disk(void *context, const void *bytes, size_t n_bytes, uint64_t offset)
{
    struct qcow2_sink *sink = context;

    return nbd_client_write(sink->server.client, bytes, n_bytes, offset);
}

static int write_zeros(void *context, uint64_t n_bytes, uint64_t offset)
{
    struct qcow2_sink *sink = context;

    return nbd_client_zero(sink->server.client, n_bytes, offset);
}

static int finish(void *context, struct cow_error *err)
{
    struct qcow2_sink *sink = context;
    int status = nbd_client_flush(sink->server.client);

    return status != 0 ? cow_error_system(err, -status, "qemu-nbd: flushing")
                       : qcow2_finish_server(&sink->server, "qemu-nbd", err);
}

int qcow2_open_sink(struct qcow2_sink *out, struct cow_error *err)
{
    *out = (struct qcow2_sink){.disk = {.title = "qcow2 image",
                                        .begin = begin,
                                        .write = write_disk,
                                        .zero = write_zeros,
                                        .finish = finish,
                                        .context = out}};
    return qcow2_need(err);
}

void qcow2_close_sink(struct qcow2_sink *sink, struct cow_error *failure)
{
    if (failure != NULL && failure->status == COW_IO && failure->hint[0] == '\0' &&
        sink->server.process != NULL) {
        (void)front_process_poll(sink->server.process, 0); /* what it has said by now */
        if (*sink->server.said != '\0') {
            cow_error_hint(failure, "%s", sink->server.said);
        }
    }
    qcow2_end_server(&sink->server);
}
