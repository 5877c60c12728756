/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui mount: the composed disk as a file in a directory, or a filesystem on it at that directory, until it
 * is unmounted or somebody ends it.
 */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/output/progress_line.h"
#include "cli/serve/serving.h"
#include "front/pile.h"

enum { WAIT_MS = 100 };

/* All that can be told to be impossible before anything is begun. */
static int look(struct front_target *target, struct cli_serving *serving, const struct cli_options *options,
                struct cow_error *err)
{
    int partition = 0, status;

    if (options->partition != NULL && options->fs) {
        return cow_error_set(err, COW_USAGE, "--partition names a filesystem, and --fs the only one");
    }
    status = front_target_directory(target, options->operand[1], err);
    if (status == 0) {
        status = cli_serving_look(serving, options, err);
    }
    if (status == 0 && options->partition != NULL) {
        status = cli_read_partition(&partition, options, err);
    }
    if (status == 0 && (options->partition != NULL || options->fs)) {
        status =
            front_target_filesystem(target, serving->image, options->operand[0], (unsigned)partition, err);
    }
    serving->partition = target->words;
    return status;
}

static int mount_it(struct cli_serving *serving, const struct front_target *target,
                    const struct cli_options *options, struct cow_error *err)
{
    const struct front_server_options server = {.image_path = options->operand[0],
                                                .backing_path = options->backing,
                                                .is_writing = options->write,
                                                .on_line = cli_serving_log,
                                                .context = serving};
    struct front_pile pile = {.server = NULL};
    struct cow_error ignored;
    int status = cli_serving_begin(err);

    if (status == 0) {
        status = front_pile_build(&pile, &server, target, err);
    }
    if (status == 0) {
        status = cli_serving_tell(serving, options, NULL, front_pile_path(&pile), err);
    }
    while (status == 0 && !cli_interrupted() && front_pile_poll(&pile, WAIT_MS)) {
        ;
    }
    if (status != 0) {
        front_pile_take_down(&pile, &ignored);
    } else {
        status = front_pile_take_down(&pile, err);
    }
    return status;
}

int cli_mount(const struct cli_options *options, struct cow_error *err)
{
    struct cli_serving serving = {.where = "directory", .place = options->operand[1], .partition = ""};
    struct front_target target = {.is_filesystem = false};
    bool ends = false;
    int status = look(&target, &serving, options, err);

    if (status == 0) {
        status = cli_serving_agree(&ends, &serving, options, err);
    }
    if (status == 0 && !ends) {
        status = mount_it(&serving, &target, options, err);
    }
    cow_image_close(serving.image);
    return status;
}
