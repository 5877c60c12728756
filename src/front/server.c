/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A server of the composed disk. The plugin tells how it goes on a socket (nbd/control.h), whose end here is
 * closed to stop it; nbdkit's own log is only shown. nbdkit lets nobody but the owner
 * write to its socket: so nobody else can connect.
 */
#include "front/server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "front/private.h"
#include "front/process.h"
#include "front/tools.h"

#define PLUGIN "nbdkit-cow-plugin.so"

enum {
    ARGUMENTS_MAX = 24,
    SOCKET_PATH_BYTES = sizeof((struct sockaddr_un *)NULL)->sun_path, /* with the NUL */
    URI_BYTES = 3 * SOCKET_PATH_BYTES + 32,
};

struct front_server {
    struct front_process *process;
    struct front_private directory;
    int control;
    char socket_path[SOCKET_PATH_BYTES];
    char uri[URI_BYTES];
    char line[2 * COW_MESSAGE_BYTES]; /* what there is of the next word of the plugin */
    size_t n_line;
    bool is_ready, has_finished;
    uint64_t size_bytes;
    struct cow_error error; /* what it told last; status 0: nothing */
    char hint[COW_HINT_BYTES];
};

/* ---- the plugin ---- */

/* "plugindir=/usr/lib/.../nbdkit/plugins" is a line of what nbdkit says of itself. */
static void take_plugin_directory(void *context, const char *line)
{
    char *path = context;

    if (strncmp(line, "plugindir=", 10) == 0) {
        snprintf(path, PATH_MAX, "%s/" PLUGIN, line + 10);
    }
}

/* Beside the program, as it is built; where it is installed below one prefix with it; where nbdkit looks for
 * it. */
static bool find_plugin(char path[PATH_MAX])
{
    static const char *const places[] = {"/" PLUGIN, "/../lib/nbdkit/plugins/" PLUGIN};
    const char *const argv[] = {"nbdkit", "--dump-config", NULL};
    const struct front_command command = {.argv = argv, .on_line = take_plugin_directory, .context = path};
    char own[PATH_MAX / 2];
    ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);
    int code;

    own[n > 0 ? n : 0] = '\0';
    if (strrchr(own, '/') != NULL) {
        *strrchr(own, '/') = '\0';
    }
    for (size_t i = 0; *own != '\0' && i < sizeof places / sizeof *places; i++) {
        snprintf(path, PATH_MAX, "%s%s", own, places[i]);
        if (access(path, R_OK) == 0) {
            return true;
        }
    }
    *path = '\0';
    return front_run(&code, NULL, &command, NULL, NULL) == 0 && *path != '\0' && access(path, R_OK) == 0;
}

static int need_plugin(char path[PATH_MAX], struct cow_error *err)
{
    int status = front_need_tool(path, PATH_MAX, "nbdkit", err);

    if (status != 0 || find_plugin(path)) {
        return status;
    }
    cow_error_set(err, COW_UNSUPPORTED, "the plugin for nbdkit (" PLUGIN ") is not there");
    return cow_error_hint(err,
                          "it is built with cowtui where the Debian package nbdkit-plugin-dev is installed");
}

int front_need_server(struct cow_error *err)
{
    char path[PATH_MAX];

    return need_plugin(path, err);
}

/* ---- the socket ---- */

/* Does somebody answer there? */
static bool is_answered(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answered;

    memcpy(address.sun_path, path, strlen(path) + 1);
    answered = fd >= 0 && connect(fd, (const struct sockaddr *)(const void *)&address, sizeof address) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return answered;
}

int front_check_socket(const char *path, struct cow_error *err)
{
    struct stat facts;
    const char *name = strrchr(path, '/');
    char directory[SOCKET_PATH_BYTES];

    if (strlen(path) >= SOCKET_PATH_BYTES) {
        return cow_error_set(err, COW_USAGE,
                             "the path of a socket has at most %d bytes, and this one %zu: %s",
                             SOCKET_PATH_BYTES - 1, strlen(path), path);
    }
    if (lstat(path, &facts) == 0) {
        cow_error_set(err, COW_USAGE, "%s is there already", path);
        if (S_ISSOCK(facts.st_mode) && !is_answered(path)) {
            cow_error_hint(err, "no server answers there: it was left by a crash, and can be removed");
        }
        return COW_USAGE;
    }
    if (errno != ENOENT) {
        return cow_error_system(err, errno, "%s", path);
    }
    snprintf(directory, sizeof directory, "%.*s", name != NULL ? (int)(name - path) : 1,
             name != NULL ? path : ".");
    if (*path == '/' && name == path) {
        snprintf(directory, sizeof directory, "/");
    }
    if (access(directory, W_OK | X_OK) != 0) {
        return cow_error_system(err, errno, "%s", directory);
    }
    return *path != '\0' && (name == NULL || name[1] != '\0')
               ? 0
               : cow_error_set(err, COW_USAGE, "'%s' is no name for a socket", path);
}

/* The socket's absolute path, for a client may be somewhere else. */
static int place_socket(struct front_server *server, const char *wanted, struct cow_error *err)
{
    char here[PATH_MAX], path[PATH_MAX + SOCKET_PATH_BYTES];
    int status =
        wanted != NULL ? front_check_socket(wanted, err) : front_private_make(&server->directory, err);

    if (status != 0) {
        return status;
    }
    if (wanted == NULL) {
        snprintf(server->socket_path, sizeof server->socket_path, "%s/socket", server->directory.path);
        return 0;
    }
    if (*wanted == '/') {
        snprintf(path, sizeof path, "%s", wanted);
    } else if (getcwd(here, sizeof here) != NULL) {
        snprintf(path, sizeof path, "%s/%s", here, wanted);
    } else {
        return cow_error_system(err, errno, "the working directory");
    }
    status = front_check_socket(path, err);
    if (status == 0) {
        memcpy(server->socket_path, path, strlen(path) + 1);
    }
    return status;
}

static void write_uri(struct front_server *server)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    char *at = server->uri + sprintf(server->uri, "nbd+unix:///?socket=");

    for (const char *c = server->socket_path; *c != '\0'; c++) {
        at += sprintf(at, strchr(plain, *c) != NULL ? "%c" : "%%%02X", (unsigned char)*c);
    }
}

/* ---- what the plugin tells ---- */

static void take_word(struct front_server *server, const char *line)
{
    long status;
    char *rest;

    if (strncmp(line, "ready ", 6) == 0) {
        server->is_ready = true;
        server->size_bytes = strtoull(line + 6, NULL, 10);
    } else if (strcmp(line, "finished") == 0) {
        server->has_finished = true;
    } else if (strncmp(line, "hint ", 5) == 0) {
        snprintf(server->hint, sizeof server->hint, "%s", line + 5);
    } else if (strncmp(line, "failed ", 7) == 0) {
        status = strtol(line + 7, &rest, 10);
        cow_error_set(&server->error, status < 0 ? (int)status : COW_IO, "%s",
                      *rest != '\0' ? rest + 1 : rest);
        if (server->hint[0] != '\0') {
            cow_error_hint(&server->error, "%s", server->hint);
        }
        server->hint[0] = '\0';
    }
}

/* Hands on what it told, waiting for that up to ms. False: there is nothing more to come. */
static bool hear(struct front_server *server, int ms)
{
    struct pollfd control = {.fd = server->control, .events = POLLIN};

    while (poll(&control, 1, ms) > 0) {
        char byte;
        ssize_t n = read(server->control, &byte, 1);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        ms = 0;
        if (byte != '\n' && server->n_line < sizeof server->line - 1) {
            server->line[server->n_line++] = byte;
            continue;
        }
        server->line[server->n_line] = '\0';
        server->n_line = 0;
        take_word(server, server->line);
    }
    return true;
}

/* ---- from start to end ---- */

enum { NUMBER_BYTES = 32, PARAMETER_BYTES = PATH_MAX + 32 };

/* The arguments of nbdkit, and what they are made in. */
struct arguments {
    const char *argv[ARGUMENTS_MAX];
    size_t n;
    char text[6][PARAMETER_BYTES];
    size_t n_text;
    char number[4][NUMBER_BYTES];
};

static void add(struct arguments *to, const char *word)
{
    to->argv[to->n++] = word;
    to->argv[to->n] = NULL;
}

static void add_parameter(struct arguments *to, const char *key, const char *value)
{
    char *text = to->text[to->n_text++];

    snprintf(text, PARAMETER_BYTES, "%s=%s", key, value);
    add(to, text);
}

static void add_number(struct arguments *to, char number[NUMBER_BYTES], const char *key, uint64_t value)
{
    snprintf(number, NUMBER_BYTES, "%s=%" PRIu64, key, value);
    add(to, number);
}

static void write_arguments(struct arguments *to, const struct front_server *server,
                            const struct front_server_options *options, const char *plugin, int control)
{
    char held[FRONT_PRIVATE_BYTES + 8];

    add(to, "nbdkit");
    add(to, "--foreground");
    if (options->ends_with_client) {
        add(to, "--filter=exitlast");
    }
    if (options->part_bytes != 0) {
        add(to, "--filter=offset");
    }
    add(to, "-U");
    add(to, server->socket_path);
    add(to, plugin);
    add_parameter(to, "image", options->image_path);
    if (options->backing_path != NULL) {
        add_parameter(to, "backing", options->backing_path);
    }
    add(to, options->is_writing ? "write=1" : "write=0");
    if (options->is_held) {
        add_number(to, to->number[0], "held-fd", (uint64_t)options->held_fd);
        if (options->held_size_bytes != 0) {
            add_number(to, to->number[1], "held-size", options->held_size_bytes);
        }
    }
    if (options->part_bytes != 0) {
        add_number(to, to->number[2], "offset", options->part_first_byte);
        add_number(to, to->number[3], "range", options->part_bytes);
    }
    snprintf(to->text[5], PARAMETER_BYTES, "control-fd=%d", control);
    add(to, to->text[5]);
    add_parameter(to, "tidy", server->socket_path);
    if (server->directory.path[0] != '\0') {
        snprintf(held, sizeof held, "%s/held", server->directory.path);
        add_parameter(to, "tidy", held);
        add_parameter(to, "tidy", server->directory.path);
    }
}

static int start_nbdkit(struct front_server *server, const struct front_server_options *options,
                        const char *plugin, struct cow_error *err)
{
    struct arguments *arguments = calloc(1, sizeof *arguments);
    int ends[2] = {-1, -1}, status;

    if (arguments == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        free(arguments);
        return cow_error_system(err, arguments != NULL ? errno : ENOMEM, "starting nbdkit");
    }
    server->control = ends[0];
    write_arguments(arguments, server, options, plugin, ends[1]);
    const int fds[] = {ends[1], options->held_fd};
    const struct front_command command = {.argv = arguments->argv,
                                          .fds = fds,
                                          .n_fds = options->is_held ? 2 : 1,
                                          .on_line = options->on_line,
                                          .context = options->context};
    status = front_process_start(&server->process, &command, err);
    close(ends[1]);
    free(arguments);
    return status;
}

/* Why it is not there any more. */
static int tell_end(struct front_server *server, int code, struct cow_error *err)
{
    const char *said = front_process_said(server->process);

    if (server->error.status != 0) {
        if (err != NULL) {
            *err = server->error;
        }
        return server->error.status;
    }
    return cow_error_set(err, COW_IO, "the server of the disk ended with %s %d%s%s",
                         code > 128 ? "signal" : "code", code > 128 ? code - 128 : code,
                         *said != '\0' ? ": " : "", said);
}

static int wait_until_ready(struct front_server *server, struct cow_error *err)
{
    while (!server->is_ready && hear(server, -1)) {
        ;
    }
    return server->is_ready ? 0 : tell_end(server, front_process_wait(server->process), err);
}

static void free_server(struct front_server *server)
{
    front_process_free(server->process);
    if (server->control >= 0) {
        close(server->control);
    }
    if (server->is_ready) {
        unlink(server->socket_path);
    }
    front_private_remove(&server->directory);
    free(server);
}

int front_server_start(struct front_server **out, const struct front_server_options *options,
                       struct cow_error *err)
{
    char plugin[PATH_MAX];
    struct front_server *server = calloc(1, sizeof *server);
    int status =
        server != NULL ? need_plugin(plugin, err) : cow_error_set(err, COW_NO_MEMORY, "out of memory");

    if (status != 0) {
        free(server);
        return status;
    }
    server->control = -1;
    status = place_socket(server, options->socket_path, err);
    if (status == 0) {
        status = start_nbdkit(server, options, plugin, err);
    }
    if (status == 0) {
        status = wait_until_ready(server, err);
    }
    if (status != 0) {
        free_server(server);
        return status;
    }
    write_uri(server);
    *out = server;
    return 0;
}

const char *front_server_socket(const struct front_server *server)
{
    return server->socket_path;
}

const char *front_server_uri(const struct front_server *server)
{
    return server->uri;
}

uint64_t front_server_size_bytes(const struct front_server *server)
{
    return server->size_bytes;
}

bool front_server_poll(struct front_server *server, int ms)
{
    hear(server, 0);
    return front_process_poll(server->process, ms);
}

int front_server_stop(struct front_server *server, struct cow_error *err)
{
    int code, status = 0;

    if (server == NULL) {
        return 0;
    }
    shutdown(server->control, SHUT_WR);
    while (hear(server, 100)) { /* nbdkit may write to its log meanwhile, and wait until that is read */
        front_process_poll(server->process, 0);
    }
    code = front_process_wait(server->process);
    if (!server->has_finished) {
        status = tell_end(server, code, err);
    }
    free_server(server);
    return status;
}
