/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Hostile filesystems: seeds are damaged where it hurts, and the core looks at each. Executions run in
 * batches in a process of their own; one that ends badly is named by its number, and the batch goes on behind
 * it.
 *
 * Usage: fuzz_files SEEDS SCRATCH_DIRECTORY FIRST COUNT     number FIRST ... FIRST + COUNT - 1
 *        fuzz_files self-test [no-leaks]                    does it notice what it has to?
 * The last line is how many were done, and how many of them failed.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

enum { BATCH = 1000, FAILURES_SHOWN = 20 };

static struct fuzz_seed seeds[FUZZ_SEEDS_MAX];
static size_t n_seeds;

/* Which bytes of a structure are others than the seed's: the first of each stretch. */
static void show_place(const struct fuzz_place *place, const char *side, const uint8_t *was,
                       const uint8_t *is)
{
    for (uint32_t at = place->offset, end; at < place->offset + place->n_bytes; at = end + 1) {
        for (end = at; end < place->offset + place->n_bytes && was[end] != is[end]; end++) {
        }
        if (end > at) {
            printf("%s, %s at %u, bytes %u to %u: %02x... instead of %02x...\n", side,
                   fuzz_kind_name(place->kind), place->offset, at - place->offset, end - 1 - place->offset,
                   is[at], was[at]);
        }
    }
}

static void show(const struct fuzz_disk *disk)
{
    const struct fuzz_seed *seed = disk->seed;
    printf("seed %s\n", seed->name);
    for (size_t n = 0; n < seed->n_places; n++) {
        show_place(&seed->place[n], "guest", seed->guest, disk->guest);
        show_place(&seed->place[n], "backing", seed->base, disk->base);
    }
    fflush(stdout);
}

static bool alone; /* one execution: what is done is shown */

static void execute(uint64_t number)
{
    struct fuzz_random random = {.state = number * UINT64_C(0x9e3779b9)};
    struct fuzz_disk disk;
    struct fuzz_seed *seed = &seeds[number % n_seeds];
    fuzz_disk_begin(&disk, seed);
    fuzz_mutate(&disk, &random);
    fuzz_disk_write(&disk);
    if (alone) {
        show(&disk);
    }
    fuzz_limits_begin();
    fuzz_look(seed->cow_path, seed->backing_path, fuzz_random_next(&random));
    fuzz_limits_end();
}

/* What a child says goes to a file in memory: the core has to be mute, and the sanitizers are not. */
static int said;

static void begin_listening(void)
{
    said = memfd_create("fuzz", MFD_CLOEXEC);
    if (said < 0 || fcntl(said, F_SETFL, O_APPEND) != 0) {
        perror("fuzz: memfd");
        exit(2);
    }
}

static bool was_loud(void)
{
    struct stat info;
    return fstat(said, &info) != 0 || info.st_size != 0;
}

static void show_said(void)
{
    char buffer[8192];
    const ssize_t n_bytes = pread(said, buffer, sizeof buffer, 0);
    if (n_bytes > 0 && write(STDERR_FILENO, buffer, (size_t)n_bytes) != n_bytes) {
        perror("fuzz: stderr");
    }
    if (ftruncate(said, 0) != 0) {
        perror("fuzz: memfd");
    }
}

/* The end of a child that has come so far. */
static void end_batch(void)
{
    if (was_loud()) {
        _exit(FUZZ_EXIT_LOUD);
    }
    _exit(fuzz_leaks() ? FUZZ_EXIT_LEAK : 0);
}

/* In a child: from *current on to `end`. */
static void run_batch(volatile uint64_t *current, uint64_t end)
{
    fuzz_limits_prepare();
    dup2(said, STDERR_FILENO);
    for (; *current < end && !was_loud(); ++*current) {
        execute(*current);
    }
    *current -= was_loud(); /* the last one */
    end_batch();
}

static void tell(uint64_t number, uint64_t first, uint64_t end, int status)
{
    char why[64];
    if (WIFSIGNALED(status)) {
        snprintf(why, sizeof why, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else {
        const int code = WEXITSTATUS(status);
        snprintf(why, sizeof why, "%s (exit %d)",
                 code == FUZZ_EXIT_SLOW   ? "too slow"
                 : code == FUZZ_EXIT_LEAK ? "a leak"
                 : code == FUZZ_EXIT_LOUD ? "it is not mute"
                                          : "the sanitizers' or its own words stand above",
                 code);
    }
    if (number >= end) {
        printf("FAIL one of %" PRIu64 " ... %" PRIu64 ": %s\n", first, end - 1, why);
    } else {
        printf("FAIL %" PRIu64 " (seed %s): %s\n", number, seeds[number % n_seeds].name, why);
    }
    fflush(stdout);
}

/* Answers how many failed. */
static uint64_t run_all(volatile uint64_t *current, uint64_t first, uint64_t count)
{
    uint64_t failed = 0;
    const uint64_t end = first + count;
    for (*current = first; *current < end;) {
        const uint64_t begin = *current, stop = end - begin < BATCH ? end : begin + BATCH;
        int status = 0;
        const pid_t child = fork();
        if (child == 0) {
            run_batch(current, stop);
        }
        if (child < 0 || waitpid(child, &status, 0) != child) {
            perror("fuzz: fork");
            exit(2);
        }
        if (status != 0) {
            failed++;
            show_said();
            tell(*current, begin, stop, status);
            *current += *current < stop;
        }
        if (failed >= FAILURES_SHOWN) {
            printf("and more, perhaps: it ends after %d failures\n", FAILURES_SHOWN);
            break;
        }
    }
    return failed;
}

/* ---- self-test: each of these has to be noticed ---- */

static void *volatile kept; /* so that nothing is optimised away */

/* Several: a register or a dead place of the stack may still point to one, which is no leak then. */
static void fault_leak(void)
{
    for (int n = 0; n < 100; n++) {
        kept = malloc(10);
    }
    kept = NULL;
}

static void fault_fat(void)
{
    for (int n = 0; n < 100; n++) {
        kept = malloc(1024 * 1024);
    }
}

static void fault_slow(void)
{
    for (;;) {
        kept = NULL;
    }
}

static void fault_loud(void)
{
    fprintf(stderr, "not mute\n");
}

static void fault_overflow(void)
{
    kept = malloc(10);
    ((volatile char *)kept)[10] = 1;
}

/* The leak comes first, and is left out where nobody can look for it. */
static uint64_t self_test(bool leaks)
{
    static void (*const faults[])(void) = {fault_leak, fault_fat, fault_slow, fault_loud, fault_overflow};
    const size_t first = leaks ? 0 : 1;
    uint64_t failed = 0;
    for (size_t n = first; n < sizeof faults / sizeof *faults; n++) {
        int status = 0;
        const pid_t child = fork();
        if (child == 0) {
            fuzz_limits_prepare();
            dup2(said, STDERR_FILENO);
            fuzz_limits_begin();
            faults[n]();
            fuzz_limits_end();
            end_batch();
        }
        waitpid(child, &status, 0);
        if (status == 0) {
            printf("FAIL fault %zu of the self-test is not noticed\n", n);
            failed++;
        }
        (void)!ftruncate(said, 0);
    }
    printf("%zu %" PRIu64 "\n", sizeof faults / sizeof *faults - first, failed);
    return failed;
}

int main(int argc, char **argv)
{
    if ((argc == 2 || argc == 3) && strcmp(argv[1], "self-test") == 0) {
        begin_listening();
        return self_test(argc == 2) != 0;
    }
    if (argc != 5) {
        fprintf(stderr, "usage: fuzz_files SEEDS SCRATCH_DIRECTORY FIRST COUNT | self-test [no-leaks]\n");
        return 2;
    }
    volatile uint64_t *current =
        mmap(NULL, sizeof *current, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if ((void *)current == MAP_FAILED) {
        perror("fuzz: mmap");
        return 2;
    }
    n_seeds = fuzz_seeds_read(seeds, argv[1], argv[2]);
    const uint64_t first = strtoull(argv[3], NULL, 10), count = strtoull(argv[4], NULL, 10);
    alone = count == 1;
    begin_listening();
    const uint64_t failed = run_all(current, first, count);
    printf("%" PRIu64 " %" PRIu64 "\n", *current - first, failed);
    return failed != 0;
}
