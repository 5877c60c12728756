/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Places where something is mounted, or may be.
 */
#ifndef FRONT_MOUNTED_H
#define FRONT_MOUNTED_H

#include <stdbool.h>

#include "cow/error.h"

/* Whether something is mounted on that directory; also what nobody answers for any more. */
bool front_is_mounted(const char *path);

/* Whether it is an empty directory where nothing is mounted. Errors: COW_USAGE (not there, not a directory,
 * not empty), COW_IO: what was mounted there is left of a crash, or it cannot be looked into. */
int front_check_mountpoint(const char *path, struct cow_error *err);

/* Takes a mount away, as root by itself, else by fusermount3. Errors: COW_IO, with sys_errno EBUSY where it
 * is in use. */
int front_unmount(const char *path, struct cow_error *err);

/* Takes it out of sight, in use or not: it ends with its last user. What goes wrong is not told. */
void front_detach(const char *path);

#endif
