/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What one execution may take: a second of processor time, and 64 MiB of heap, which the sanitizer's own
 * allocator counts; without it the data segment is limited.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
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

static const double limit_seconds = 1;

static const size_t heap_max_bytes = 64 * 1024 * 1024;

static void too_slow(int number)
{
    (void)number;
    _exit(FUZZ_EXIT_SLOW);
}

#ifdef WITH_ADDRESS_SANITIZER
static int64_t heap_bytes, heap_limit_bytes; /* the former below 0 where something older is freed */
static bool limited;

static void on_malloc(const volatile void *memory, size_t n_bytes)
{
    heap_bytes += memory == NULL ? 0 : (int64_t)n_bytes;
    if (limited && heap_bytes > heap_limit_bytes) {
        limited = false;
        abort(); /* the sanitizer shows where */
    }
}

static void on_free(const volatile void *memory)
{
    heap_bytes -= memory == NULL ? 0 : (int64_t)__sanitizer_get_allocated_size(memory);
}

static void limit_heap(void)
{
    heap_limit_bytes = heap_bytes + (int64_t)heap_max_bytes;
    limited = true;
}

static void unlimit_heap(void)
{
    limited = false;
}

static void prepare_heap(void)
{
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}

bool fuzz_leaks(void)
{
    return __lsan_do_recoverable_leak_check() != 0;
}
#else
static void limit_heap(void)
{
}

static void unlimit_heap(void)
{
}

static void prepare_heap(void)
{
    const struct rlimit limit = {.rlim_cur = 2 * heap_max_bytes, .rlim_max = 2 * heap_max_bytes};
    setrlimit(RLIMIT_DATA, &limit);
}

bool fuzz_leaks(void)
{
    return false;
}
#endif

void fuzz_limits_prepare(void)
{
    signal(SIGPROF, too_slow);
    prepare_heap();
}

void fuzz_limits_begin(void)
{
    const char *scale = getenv("TIME_SCALE"); /* for a slow machine */
    const double times = scale != NULL ? atof(scale) : 1;
    const long limit_us = (long)(1e6 * limit_seconds * (times > 0 ? times : 1));
    const struct itimerval timer = {
        .it_value = {.tv_sec = limit_us / 1000000, .tv_usec = limit_us % 1000000}};
    limit_heap();
    setitimer(ITIMER_PROF, &timer, NULL);
}

void fuzz_limits_end(void)
{
    const struct itimerval timer = {.it_value = {.tv_sec = 0}};
    setitimer(ITIMER_PROF, &timer, NULL);
    unlimit_heap();
}
