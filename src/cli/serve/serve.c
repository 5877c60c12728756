/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui serve: the composed disk for any client of network block devices, on a socket, until somebody ends
 * it.
 */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/output/progress_line.h"
#include "cli/serve/serving.h"

enum { WAIT_MS = 100 };

static int serve(struct cli_serving *serving, const struct cli_options *options, struct cow_error *err)
{
    const struct front_server_options server_options = {.image_path = options->operand[0],
                                                        .backing_path = options->backing,
                                                        .is_writing = options->write,
                                                        .socket_path = options->socket,
                                                        .ends_with_client = options->once,
                                                        .on_line = cli_serving_log,
                                                        .context = serving};
    struct front_server *server;
    struct cow_error ignored;
    int status = cli_serving_begin(err);

    if (status == 0) {
        status = front_server_start(&server, &server_options, err);
    }
    if (status != 0) {
        return status;
    }
    status = cli_serving_tell(serving, options, front_server_uri(server), NULL, err);
    while (status == 0 && !cli_interrupted() && front_server_poll(server, WAIT_MS)) {
        ;
    }
    if (status != 0) {
        front_server_stop(server, &ignored);
    } else {
        status = front_server_stop(server, err);
    }
    return status;
}

int cli_serve(const struct cli_options *options, struct cow_error *err)
{
    struct cli_serving serving = {.where = "socket",
                                  .place = options->socket != NULL ? options->socket
                                                                   : "one in a private directory",
                                  .partition = ""};
    bool ends = false;
    int status = options->socket != NULL ? front_check_socket(options->socket, err) : 0;

    if (status == 0) {
        status = cli_serving_look(&serving, options, err);
    }
    if (status != 0) {
        return status;
    }
    status = cli_serving_agree(&ends, &serving, options, err);
    if (status == 0 && !ends) {
        status = serve(&serving, options, err);
    }
    cow_image_close(serving.image);
    return status;
}
