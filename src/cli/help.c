/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Help, from the tables of options and commands, so that it cannot offer what there is not. What is not
 * supported yet is not in it.
 */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/options.h"

enum { OPTION_COLUMN = 24 };

static void print_option(const struct cli_option *option)
{
    char left[64];

    const char *before = option->kind == CLI_FORCE ? "[=" : option->argument != NULL ? " " : "";

    snprintf(left, sizeof left, "%c%c%s --%s%s%s%s", option->letter != 0 ? '-' : ' ',
             option->letter != 0 ? option->letter : ' ', option->letter != 0 ? "," : " ", option->name,
             before, option->argument != NULL ? option->argument : "", option->kind == CLI_FORCE ? "]" : "");
    printf("  %-*s %s\n", OPTION_COLUMN, left, option->help);
}

static void print_options(unsigned commands)
{
    printf("options:\n");
    for (const struct cli_option *option = cli_option_table; option->name != NULL; option++) {
        if (option->help != NULL && (option->takes & commands) != 0) {
            print_option(option);
        }
    }
}

static void print_command_help(const struct cli_command *command)
{
    printf("usage: cowtui %s [OPTIONS] %s\n\n%s\n", command->name, command->operands, command->detail);
    print_options(command->bit);
}

void cli_print_help(const struct cli_command *command)
{
    if (command != NULL && command->run != NULL) {
        print_command_help(command);
        return;
    }
    printf("usage: cowtui [OPTIONS] IMAGE              look at IMAGE on the screen\n"
           "       cowtui [OPTIONS] [DIR]              choose an image here, or in DIR\n"
           "       cowtui --tour                       what such images are, in ten screens\n"
           "       cowtui COMMAND [OPTIONS] IMAGE ...\n"
           "       cowtui help COMMAND                 what a command does, and its options\n\n"
           "Inspects and changes copy-on-write disk images: User-Mode Linux's, in all their\n"
           "versions, and QEMU's old \"cow\" format.\n\n"
           "commands:\n");
    for (const struct cli_command *each = cli_command_table; each->name != NULL; each++) {
        if (each->run != NULL) {
            printf("  %-7s %-21s %s\n", each->name, each->operands, each->summary);
        }
    }
    printf("\n");
    print_options(CLI_ALL);
    printf("\n"
           "Options may stand before or after the image. An image whose name is that of a\n"
           "command is opened as ./NAME. See cowtui(1).\n\n"
           "exit codes: 0 done, 1 findings or a difference, 2 wrong use or input/output\n"
           "error, 3 refused for safety, 4 locked by a guest, 5 a COW image but invalid,\n"
           "63 no COW image or not supported, 130 cancelled\n");
}

int cli_help(const struct cli_options *options, struct cow_error *err)
{
    const struct cli_command *command = NULL;

    if (options->operands > 0 && (command = cli_find_command(options->operand[0])) == NULL) {
        cow_error_set(err, COW_USAGE, "there is no command '%s'", options->operand[0]);
        return cli_hint_command(err, options->operand[0]);
    }
    cli_print_help(command);
    return 0;
}
