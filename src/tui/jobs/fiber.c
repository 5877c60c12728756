/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fibers by ucontext(3). A thread that takes turns with the loop would do the same, but then everything that
 * belongs to a thread (the signals, the stack that a fault is told on, libext2fs' and readline's state) would
 * have to be known to be there twice, or shared.
 *
 * The stack is as large as a program's first one usually is, for the core was written for that; only what is
 * touched of it costs memory. Below it lies what nobody may touch: a fiber that goes too deep is a fault that
 * the screen is rescued from (screen/rescue.c, which has a stack of its own), and does not write over others'
 * memory. A page would not do for that, for a function whose arrays are larger steps over it without touching
 * it; so this is as large as what the kernel leaves below a program's first stack. The address sanitizer is
 * told of each change of stacks, or it would take the one for a mistake in the other.
 */
#include "tui/jobs/fiber.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCHED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WATCHED 1
#endif
#ifdef WATCHED
#include <sanitizer/common_interface_defs.h>
#endif

enum { STACK_BYTES = 8 * 1024 * 1024, GUARD_BYTES = 1024 * 1024 /* whole pages, however large they are */ };

struct tui_fiber {
    ucontext_t inside, outside;
    char *memory; /* what guards the stack, and above it the stack */
    void (*function)(void *argument);
    void *argument;
    bool entered, ended;
    const void *outside_stack; /* the sanitizer's matter, as is its size */
    size_t outside_bytes;
};

/* Around each change of stacks: before it, where it goes to; behind it, where it came from. What keeps is the
 * sanitizer's for the stack that is left, NULL if that is for ever. */
static void change_begins(void **keeps, const void *stack, size_t stack_bytes)
{
#ifdef WATCHED
    __sanitizer_start_switch_fiber(keeps, stack, stack_bytes);
#else
    (void)keeps;
    (void)stack;
    (void)stack_bytes;
#endif
}

static void change_is_done(void *kept, const void **from_stack, size_t *from_bytes)
{
#ifdef WATCHED
    __sanitizer_finish_switch_fiber(kept, from_stack, from_bytes);
#else
    (void)kept;
    (void)from_stack;
    (void)from_bytes;
#endif
}

/* What swapcontext() does. That one makes the address sanitizer warn on standard error that it cannot follow,
 * however well it was told. */
static void change_stacks(ucontext_t *from, const ucontext_t *to)
{
    volatile bool is_back = false;

    getcontext(from); /* comes back twice: now, and when somebody changes to `from` */
    if (!is_back) {
        is_back = true;
        setcontext(to);
    }
}

/* makecontext() hands over nothing but ints: the address comes in halves. */
static void run_fiber(unsigned high, unsigned low)
{
    struct tui_fiber *fiber = (struct tui_fiber *)(uintptr_t)((uint64_t)high << 32 | low);

    change_is_done(NULL, &fiber->outside_stack, &fiber->outside_bytes);
    fiber->function(fiber->argument);
    fiber->ended = true;
    change_begins(NULL, fiber->outside_stack, fiber->outside_bytes);
} /* the context goes on to its uc_link, which is `outside` */

int tui_fiber_new(struct tui_fiber **out, void (*function)(void *argument), void *argument,
                  struct cow_error *err)
{
    struct tui_fiber *fiber = calloc(1, sizeof *fiber);
    char *memory = mmap(NULL, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    bool mapped = memory != MAP_FAILED;

    if (fiber == NULL || !mapped || mprotect(memory, GUARD_BYTES, PROT_NONE) != 0 ||
        getcontext(&fiber->inside) != 0) {
        if (mapped) {
            munmap(memory, GUARD_BYTES + STACK_BYTES);
        }
        free(fiber);
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    fiber->memory = memory;
    fiber->function = function;
    fiber->argument = argument;
    fiber->inside.uc_stack.ss_sp = memory + GUARD_BYTES;
    fiber->inside.uc_stack.ss_size = STACK_BYTES;
    fiber->inside.uc_link = &fiber->outside;
    makecontext(&fiber->inside, (void (*)(void))run_fiber, 2, (unsigned)((uint64_t)(uintptr_t)fiber >> 32),
                (unsigned)(uintptr_t)fiber);
    *out = fiber;
    return 0;
}

bool tui_fiber_enter(struct tui_fiber *fiber)
{
    void *kept = NULL;

    assert(!fiber->ended);
    fiber->entered = true;
    change_begins(&kept, fiber->memory + GUARD_BYTES, STACK_BYTES);
    change_stacks(&fiber->outside, &fiber->inside);
    change_is_done(kept, NULL, NULL);
    return fiber->ended;
}

void tui_fiber_leave(struct tui_fiber *fiber)
{
    void *kept = NULL;

    change_begins(&kept, fiber->outside_stack, fiber->outside_bytes);
    change_stacks(&fiber->inside, &fiber->outside);
    change_is_done(kept, &fiber->outside_stack, &fiber->outside_bytes);
}

void tui_fiber_free(struct tui_fiber *fiber)
{
    if (fiber == NULL) {
        return;
    }
    assert(fiber->ended || !fiber->entered);
    munmap(fiber->memory, GUARD_BYTES + STACK_BYTES);
    free(fiber);
}
