/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Hostile filesystems: seeds are damaged where it hurts, and the core looks at each. An execution gets a
 * second of processor time and 64 MiB of heap. Executions run in batches in a process of their own; one that
 * ends badly is named by its number, and the batch goes on behind it.
 *
 * Usage: fuzz_files SEEDS SCRATCH_DIRECTORY FIRST COUNT     number FIRST ... FIRST + COUNT - 1
 * With -DLIBFUZZER it is a target for clang's libFuzzer; then FUZZ_SEEDS and FUZZ_SCRATCH name the two.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ADDRESS_SANITIZER 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define WITH_ADDRESS_SANITIZER 1
#endif

#ifdef WITH_ADDRESS_SANITIZER
/* Of sanitizer/allocator_interface.h and lsan_interface.h, which come with clang, and not with each gcc. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));
size_t __sanitizer_get_allocated_size(const volatile void *memory);
int __lsan_do_recoverable_leak_check(void);
#endif

enum {
    BATCH = 1000,
    LIMIT_SECONDS = 1,
    FAILURES_SHOWN = 20,
    EXIT_SLOW = 90,
    EXIT_FAT = 91,
    EXIT_LEAK = 92,
    EXIT_LOUD = 93
};

static const size_t heap_max = 64 * 1024 * 1024;

static struct fuzz_seed seeds[FUZZ_SEEDS_MAX];
static size_t n_seeds;
static char backing_path[FUZZ_SEEDS_MAX][FUZZ_PATH_BYTES], cow_path[FUZZ_SEEDS_MAX][FUZZ_PATH_BYTES];

static void prepare(const char *seed_directory, const char *scratch)
{
    n_seeds = fuzz_seeds_read(seeds, seed_directory);
    for (size_t n = 0; n < n_seeds; n++) {
        snprintf(backing_path[n], sizeof backing_path[n], "%s/%ld-%s.img", scratch, (long)getpid(),
                 seeds[n].name);
        snprintf(cow_path[n], sizeof cow_path[n], "%s/%ld-%s.cow", scratch, (long)getpid(), seeds[n].name);
    }
}

/* ---- limits ---- */

static size_t heap_before, heap_now;

static void quit(const char *why, int code)
{
    if (write(STDERR_FILENO, why, strlen(why)) < 0) {
        _exit(code);
    }
    _exit(code);
}

static void too_slow(int number)
{
    (void)number;
    quit("fuzz: more than a second of processor time\n", EXIT_SLOW);
}

#ifdef WITH_ADDRESS_SANITIZER
static void on_malloc(const volatile void *memory, size_t n_bytes)
{
    if (memory != NULL) {
        heap_now += n_bytes;
        if (heap_now > heap_before + heap_max && heap_before != 0) {
            heap_before = 0;
            abort(); /* the sanitizer shows where */
        }
    }
}

static void on_free(const volatile void *memory)
{
    heap_now -= memory == NULL ? 0 : __sanitizer_get_allocated_size(memory);
}

static void limit_memory(void)
{
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}

static bool leaks(void)
{
    return __lsan_do_recoverable_leak_check() != 0;
}
#else
static void limit_memory(void)
{
    const struct rlimit limit = {.rlim_cur = 2 * heap_max, .rlim_max = 2 * heap_max};
    setrlimit(RLIMIT_DATA, &limit);
}

static bool leaks(void)
{
    return false;
}
#endif

static void limit_time(int seconds)
{
    const struct itimerval timer = {.it_value = {.tv_sec = seconds}};
    setitimer(ITIMER_PROF, &timer, NULL);
}

static void limited_look(size_t n, uint64_t choice)
{
    heap_before = heap_now == 0 ? 1 : heap_now;
    limit_time(LIMIT_SECONDS);
    fuzz_look(cow_path[n], backing_path[n], choice);
    limit_time(0);
    heap_before = 0;
}

static void begin_limits(void)
{
    signal(SIGPROF, too_slow);
    limit_memory();
}

#ifdef LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

/* The first byte chooses a seed; then come patches: three bytes say where, one how long, and the bytes. The
 * highest bit of the length is "of the backing file". */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct fuzz_disk disk;
    if (n_seeds == 0) {
        prepare(getenv("FUZZ_SEEDS"), getenv("FUZZ_SCRATCH"));
    }
    if (n_bytes == 0) {
        return 0;
    }
    const size_t n = data[0] % n_seeds;
    fuzz_disk_begin(&disk, &seeds[n]);
    for (size_t at = 1; at + 4 < n_bytes;) {
        const uint32_t offset =
            ((uint32_t)data[at] | (uint32_t)data[at + 1] << 8 | (uint32_t)data[at + 2] << 16) %
            disk.seed->n_bytes;
        uint8_t *side = data[at + 3] & 0x80 ? disk.base : disk.guest;
        size_t length = data[at + 3] & 0x7f;
        at += 4;
        length = length < n_bytes - at ? length : n_bytes - at;
        length = length < disk.seed->n_bytes - offset ? length : disk.seed->n_bytes - offset;
        memcpy(side + offset, data + at, length);
        at += length;
    }
    fuzz_disk_write(&disk, backing_path[n], cow_path[n]);
    fuzz_look(cow_path[n], backing_path[n], 4 * n_bytes);
    return 0;
}

#else

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
    const size_t n = number % n_seeds;
    fuzz_disk_begin(&disk, &seeds[n]);
    fuzz_mutate(&disk, &random);
    fuzz_disk_write(&disk, backing_path[n], cow_path[n]);
    if (alone) {
        show(&disk);
    }
    limited_look(n, fuzz_random_next(&random));
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

/* In a child: from *current on to `end`. */
static void run_batch(volatile uint64_t *current, uint64_t end)
{
    begin_limits();
    dup2(said, STDERR_FILENO);
    for (; *current < end; ++*current) {
        execute(*current);
        if (was_loud()) {
            _exit(EXIT_LOUD);
        }
    }
    if (leaks()) {
        _exit(EXIT_LEAK);
    }
    _exit(0);
}

static void tell(uint64_t number, uint64_t first, uint64_t end, int status)
{
    char why[64];
    if (WIFSIGNALED(status)) {
        snprintf(why, sizeof why, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else {
        const int code = WEXITSTATUS(status);
        snprintf(why, sizeof why, "%s (exit %d)",
                 code == EXIT_SLOW   ? "too slow"
                 : code == EXIT_LEAK ? "a leak"
                 : code == EXIT_LOUD ? "it is not mute"
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

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: fuzz_files SEEDS SCRATCH_DIRECTORY FIRST COUNT\n");
        return 2;
    }
    volatile uint64_t *current =
        mmap(NULL, sizeof *current, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if ((void *)current == MAP_FAILED) {
        perror("fuzz: mmap");
        return 2;
    }
    prepare(argv[1], argv[2]);
    const uint64_t first = strtoull(argv[3], NULL, 10), count = strtoull(argv[4], NULL, 10);
    alone = count == 1;
    begin_listening();
    const uint64_t failed = run_all(current, first, count);
    printf("%" PRIu64 " %" PRIu64 "\n", *current - first, failed);
    return failed != 0;
}

#endif
