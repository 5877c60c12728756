/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A clock that goes when it is told to.
 */
#ifndef TESTS_UNIT_TOLD_CLOCK_H
#define TESTS_UNIT_TOLD_CLOCK_H

#include <stdint.h>

extern const int64_t second_ns;

extern int64_t clock_now;  /* nanoseconds since 1970 */
extern int64_t clock_step; /* by which it goes whenever somebody looks at it */

/* For cow_env's now_ns. */
int64_t told_clock(void *context);

#endif
