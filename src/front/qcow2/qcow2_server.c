/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The socket is gone from its directory, and the directory too, as soon as the connection is there: qemu-nbd
 * serves one client, and ends with it. So it ends when we are killed.
 */
#include "front/qcow2/qcow2_server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "front/qcow2/qcow2_chain.h"
#include "front/tools.h"

enum { CONNECT_MS = 10, TOOL_BYTES = 4096 };

int qcow2_need(struct cow_error *err)
{
    char path[TOOL_BYTES];
    int status = nbd_client_need(err);

    if (status == 0) {
        status = front_need_tool(path, sizeof path, "qemu-nbd", err);
    }
    return status != 0 ? status : front_need_tool(path, sizeof path, "qemu-img", err);
}

/* A connected socket, -EAGAIN while there is nobody to connect to, or another -errno. */
static int try_to_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), code;

    if (fd < 0) {
        return -errno;
    }
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) {
        return fd;
    }
    code = errno;
    close(fd);
    return code == ENOENT || code == ECONNREFUSED || code == EINTR ? -EAGAIN : -code;
}

/* The socket appears when the image is open; or qemu-nbd ends, with words. */
static int connect_to(struct qcow2_server *server, const char *socket_path, const char *path,
                      const struct cow_env *env, struct cow_error *err)
{
    int fd;

    while ((fd = try_to_connect(socket_path)) == -EAGAIN) {
        if (!front_process_poll(server->process, CONNECT_MS)) {
            return qcow2_said(COW_INVALID, path, server->said, err);
        }
        if (qcow2_is_to_stop(env, "opening the image")) {
            return cow_error_set(err, COW_CANCELLED, "cancelled, nothing changed");
        }
    }
    return fd < 0 ? cow_error_system(err, -fd, "%s", socket_path) : nbd_client_open(&server->client, fd, err);
}

static void keep_first_line(void *context, const char *line)
{
    struct qcow2_server *server = context;

    if (*server->said == '\0') {
        snprintf(server->said, sizeof server->said, "%s", line);
    }
}

static int start(struct qcow2_server *server, const char *const arguments[], const char *socket_path, int fd,
                 struct cow_error *err)
{
    const char *argv[QCOW2_ARGUMENTS_MAX + 6] = {"qemu-nbd", "--socket", socket_path};
    const struct front_command command = {
        .argv = argv, .fds = &fd, .n_fds = fd >= 0, .on_line = keep_first_line, .context = server};

    for (size_t i = 0; i < QCOW2_ARGUMENTS_MAX && arguments[i] != NULL; i++) {
        argv[3 + i] = arguments[i];
    }
    return front_process_start(&server->process, &command, err);
}

int qcow2_start_server(struct qcow2_server *out, const char *const arguments[], const char *path, int fd,
                       const struct cow_env *env, struct cow_error *err)
{
    struct front_private directory = {.fd = -1};
    char socket_path[FRONT_PRIVATE_BYTES + 16];
    int status = front_private_make(&directory, err);

    *out = (struct qcow2_server){.process = NULL};
    if (status != 0) {
        return status;
    }
    snprintf(socket_path, sizeof socket_path, "%s/socket", directory.path);
    status = start(out, arguments, socket_path, fd, err);
    if (status == 0) {
        status = connect_to(out, socket_path, path, env, err);
    }
    front_private_remove(&directory);
    return status;
}

int qcow2_finish_server(struct qcow2_server *server, const char *path, struct cow_error *err)
{
    int code;

    nbd_client_close(server->client);
    server->client = NULL;
    code = front_process_wait(server->process);
    return code != 0 ? qcow2_said(COW_IO, path, server->said, err) : 0;
}

void qcow2_end_server(struct qcow2_server *server)
{
    nbd_client_close(server->client);
    front_process_free(server->process);
    *server = (struct qcow2_server){.process = NULL};
}
