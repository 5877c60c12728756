/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two front ends meet here and nowhere else: the command line reads the arguments, and where they name an
 * image alone it calls back for the screen.
 */
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <unistd.h>

#include "cli/cli.h"
#include "tui/start/tui.h"

/* A closed standard descriptor would be handed out by the next open, and an image would get our messages.
 * It is filled with one that fails where it is used: writing to a closed output stays an error. */
static void fill_standard_descriptors(void)
{
    static const int how[] = {
        [STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDWR};

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", how[fd]) != fd) {
            _exit(2);
        }
    }
}

static int open_screen(const struct cli_screen *screen, struct cow_error *err)
{
    const struct tui_options options = {
        .image_path = screen->image_path,
        .is_directory = screen->is_directory,
        .is_tour = screen->is_tour,
        .is_replay = screen->is_replay,
        .backing_path = screen->backing_path,
        .no_backing = screen->no_backing,
        .script_path = screen->script_path,
        .theme = screen->theme,
        .ascii = screen->ascii,
        .mouse = screen->mouse,
        .color = screen->color == CLI_COLOR_NEVER    ? 1
                 : screen->color == CLI_COLOR_ALWAYS ? 2
                                                     : 0,
    };

    return tui_run(&options, err);
}

int main(int argc, char **argv)
{
    fill_standard_descriptors();
    setlocale(LC_CTYPE, ""); /* not the numbers: a decimal comma has no place in our output */
    /* A reader that is gone and a limit of size are errors of write(), told with words. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    return cli_run(argc, argv, open_screen);
}
