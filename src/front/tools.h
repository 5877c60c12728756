/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The programs of others: where they are, and which Debian package has them.
 */
#ifndef FRONT_TOOLS_H
#define FRONT_TOOLS_H

#include <stdbool.h>
#include <stddef.h>

#include "cow/error.h"

/* Where a program is: in PATH, or where administrators' tools are. A name with a slash is its path. False:
 * nowhere; out (out_bytes: PATH_MAX is enough) is "" then. */
bool front_find_tool(char *out, size_t out_bytes, const char *name);

/* The same, or COW_UNSUPPORTED with the package in the hint. */
int front_need_tool(char *out, size_t out_bytes, const char *name, struct cow_error *err);

/* The Debian package that a program is in: "libnbd-bin" of "nbdfuse". NULL: not known here. */
const char *front_package_of(const char *name);

/* Whether files can be mounted here by a program: COW_UNSUPPORTED where FUSE, or what mounts for a user, is
 * not there. */
int front_need_fuse(struct cow_error *err);

#endif
