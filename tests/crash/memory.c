/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See memory.h. Linked with --wrap for malloc, calloc, realloc, strdup, vasprintf, free, so the calls of
 * the C library to itself are not touched.
 */
#include "memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t n_bytes);
void *__real_calloc(size_t n, size_t n_bytes);
void *__real_realloc(void *block, size_t n_bytes);
char *__real_strdup(const char *text);
int __real_vasprintf(char **out, const char *format, va_list arguments);
void __real_free(void *block);

void *__wrap_malloc(size_t n_bytes);
void *__wrap_calloc(size_t n, size_t n_bytes);
void *__wrap_realloc(void *block, size_t n_bytes);
char *__wrap_strdup(const char *text);
int __wrap_vasprintf(char **out, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));
int __wrap___vasprintf_chk(char **out, int flag, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
void __wrap_free(void *block);

enum { BLOCKS_MAX = 512 };

static struct {
    bool on;
    bool for_ever;
    unsigned long n;
    unsigned long fail_at;
    void *block[BLOCKS_MAX]; /* of the library, not given back yet */
    size_t n_blocks;
} watch;

static bool fails(void)
{
    if (!watch.on) {
        return false;
    }
    watch.n++;
    return watch.fail_at != 0 && (watch.for_ever ? watch.n >= watch.fail_at : watch.n == watch.fail_at);
}

static void *remember(void *block)
{
    if (watch.on && block != NULL) {
        memory_require(watch.n_blocks < BLOCKS_MAX, "more allocations alive than are watched");
        watch.block[watch.n_blocks++] = block;
    }
    return block;
}

static void forget(const void *block)
{
    for (size_t i = watch.n_blocks; i > 0; i--) {
        if (watch.block[i - 1] == block) {
            watch.block[i - 1] = watch.block[--watch.n_blocks];
            return;
        }
    }
}

void *__wrap_malloc(size_t n_bytes)
{
    return fails() ? NULL : remember(__real_malloc(n_bytes));
}

void *__wrap_calloc(size_t n, size_t n_bytes)
{
    return fails() ? NULL : remember(__real_calloc(n, n_bytes));
}

void *__wrap_realloc(void *block, size_t n_bytes)
{
    if (fails()) {
        return NULL;
    }
    forget(block);
    return remember(__real_realloc(block, n_bytes));
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : remember(__real_strdup(text));
}

int __wrap_vasprintf(char **out, const char *format, va_list arguments)
{
    if (fails()) {
        return -1;
    }
    int n = __real_vasprintf(out, format, arguments);
    if (n >= 0) {
        remember(*out);
    }
    return n;
}

int __wrap___vasprintf_chk(char **out, int flag, const char *format, va_list arguments)
{
    (void)flag;
    return __wrap_vasprintf(out, format, arguments);
}

void __wrap_free(void *block)
{
    if (watch.on) {
        forget(block);
    }
    __real_free(block);
}

void memory_watch(unsigned long fail_at, bool for_ever)
{
    watch.on = true;
    watch.for_ever = for_ever;
    watch.fail_at = fail_at;
    watch.n = 0;
    watch.n_blocks = 0;
}

unsigned long memory_unwatch(size_t *lost)
{
    watch.on = false;
    *lost = watch.n_blocks;
    return watch.n;
}

void memory_require(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "crash: %s\n", what);
        abort();
    }
}

void *memory_get(size_t n_bytes)
{
    void *block = __real_malloc(n_bytes);
    memory_require(block != NULL, "out of memory");
    return block;
}

void *memory_get_zeroed(size_t n_bytes)
{
    void *block = memory_get(n_bytes);
    memset(block, 0, n_bytes);
    return block;
}

void *memory_resize(void *block, size_t n_bytes)
{
    void *larger = __real_realloc(block, n_bytes);
    memory_require(larger != NULL, "out of memory");
    return larger;
}

void memory_free(void *block)
{
    __real_free(block);
}
