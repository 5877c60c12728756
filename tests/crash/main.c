/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Crash tests of the core on a simulated disk: crash MODE [OPTIONS]. Needs no file, no privilege and no
 * front end.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "promise/promise.h"
#include "run.h"

static int usage(void)
{
    fputs(
        "usage: crash MODE [--count N] [--seconds S] [--seed N] [--scene PREFIX] [--verbose]\n"
        "       crash [--seed N] --replay MODE:SCENE:CALL.SAMPLE[:CALL.SAMPLE...]\n"
        "MODE: power kill fault cancel fsyncs rollbacks oom look second actors sim writer scenes\n"
        "  power   N states after a power cut at each call: writes lost, torn, reordered\n"
        "  kill    N kills, before and after each call\n"
        "  fault   N errors and short transfers, at each call, once and for ever\n"
        "  cancel  a wish to stop at each call of progress\n"
        "  fsyncs  each fsync left out (--allowed FILE: those that nothing misses; N states each;\n"
        "          --slow: the scenes that take long instead; --thorough: all, and what is listed, too)\n"
        "  rollbacks  the same while a change is taken back because a call has failed\n"
        "  second  N runs in which a second process wants something while the first is at a call\n"
        "  actors  N worlds in which others act between the interruption and what the program is told next\n"
        "  oom     each allocation fails, once and with all that follow\n"
        "  look    the same while a guest's filesystem is looked into\n"
        "  writer  N states of a disk that is written while it is served: power cuts, errors, fsyncs left "
        "out\n"
        "  sim     the simulated disk itself, where it makes room within a file\n",
        stderr);
    return 2;
}

/* "power:extend-v1:12.3:4.0" */
static bool parse_replay(char *text, struct run *run, struct place *place)
{
    char *rest;
    run->mode = strtok_r(text, ":", &rest);
    run->only = strtok_r(NULL, ":", &rest);
    for (char *part; (part = strtok_r(NULL, ":", &rest)) != NULL; place->depth++) {
        if (place->depth == REPLAY_DEPTH ||
            sscanf(part, "%zu.%u", &place->call[place->depth], &place->sample[place->depth]) != 2) {
            return false;
        }
    }
    run->replay = place;
    run->verbose = true;
    return run->only != NULL;
}

static int list_scenes(void)
{
    for (size_t i = 0; i < n_scenes; i++) {
        puts(scenes[i].name);
    }
    return 0;
}

static bool run_mode(struct run *run, const char *allowed)
{
    static const struct {
        const char *name;
        void (*run)(struct run *run);
        unsigned long count;
    } modes[] = {
        {"power", mode_power, 100000},  {"kill", mode_kill, 5000},      {"fault", mode_fault, 20000},
        {"cancel", mode_cancel, 0},     {"oom", mode_oom, 1000000},     {"second", mode_second, 20000},
        {"look", mode_look, 0},         {"actors", mode_actors, 20000}, {"sim", mode_sim, 0},
        {"writer", mode_writer, 20000},
    };
    const bool rollbacks = strcmp(run->mode, "rollbacks") == 0;
    if (rollbacks || strcmp(run->mode, "fsyncs") == 0) {
        run->wanted = run->wanted != 0 ? run->wanted : 4000;
        (rollbacks ? mode_rollbacks : mode_fsyncs)(run, allowed);
        return true;
    }
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(run->mode, modes[i].name) == 0) {
            run->wanted = run->wanted != 0 ? run->wanted : modes[i].count;
            modes[i].run(run);
            return true;
        }
    }
    return false;
}

/* What the command line says. Answers false where it says what there is not. */
static bool read_options(int argc, char **argv, struct run *run, struct place *place, const char **allowed)
{
    static const struct option options[] = {
        {"count", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 't'},
        {"seed", required_argument, NULL, 's'},
        {"scene", required_argument, NULL, 'o'},
        {"replay", required_argument, NULL, 'r'},
        {"verbose", no_argument, NULL, 'v'},
        {"allowed", required_argument, NULL, 'a'},
        {"thorough", no_argument, NULL, 'T'},
        {"slow", no_argument, NULL, 'S'},
        {"actor", required_argument, NULL, 'A'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            run->wanted = strtoul(optarg, NULL, 10);
            break;
        case 't':
            run->seconds = strtod(optarg, NULL);
            break;
        case 's':
            run->seed = strtoull(optarg, NULL, 10);
            break;
        case 'o':
            run->only = optarg;
            break;
        case 'v':
            run->verbose = true;
            break;
        case 'A':
            run->actor = optarg;
            break;
        case 'T':
            run->thorough = true;
            break;
        case 'S':
            run->slow = true;
            break;
        case 'a':
            *allowed = optarg;
            break;
        case 'r':
            if (!parse_replay(optarg, run, place)) {
                return false;
            }
            break;
        default:
            return false;
        }
    }
    if (run->mode == NULL && optind < argc) {
        run->mode = argv[optind];
    }
    return true;
}

int main(int argc, char **argv)
{
    promise_on = promise_aborts = false; /* but where a run is to be compared (action_run_promised) */
    struct run run = {.seed = 1, .pattern = getenv("ONLY_CASE"), .began = seconds_now()};
    struct place place = {.depth = 0};
    const char *allowed = NULL;
    if (!read_options(argc, argv, &run, &place, &allowed)) {
        return usage();
    }
    if (run.mode != NULL && strcmp(run.mode, "scenes") == 0) {
        return list_scenes();
    }
    if (run.mode == NULL || !run_mode(&run, allowed)) {
        return usage();
    }
    return run.violations > 0 || run.failed > 0 ? 1 : 0;
}
