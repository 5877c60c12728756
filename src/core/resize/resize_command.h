/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A resize as one would type it.
 */
#ifndef CORE_RESIZE_RESIZE_COMMAND_H
#define CORE_RESIZE_RESIZE_COMMAND_H

#include "core/plan/plan.h"

/* The command line that asks for the same; a string of the plan's. */
const char *resize_command(struct cow_plan *plan, const struct cow_resize_options *opt);

#endif
