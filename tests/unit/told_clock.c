/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A clock that goes when it is told to.
 */
#include "told_clock.h"

const int64_t second_ns = 1000000000;

int64_t clock_now, clock_step;

int64_t told_clock(void *context)
{
    (void)context;
    clock_now += clock_step;
    return clock_now;
}
