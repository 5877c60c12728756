/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The disk in a qcow2 image, to be read (cow/foreign.h).
 */
#ifndef FRONT_QCOW2_SOURCE_H
#define FRONT_QCOW2_SOURCE_H

#include "cow/env.h"
#include "cow/foreign.h"

struct qcow2_source;

/* Opens the image. backing_path: the backing file of the image that shall be made of it, or NULL: the raw
 * file on which the qcow2 lies. *out: qcow2_close_source. env is asked whether to stop; may be NULL. Errors:
 * COW_USAGE (no backing_path, and the qcow2 does not lie on one raw file of its size), COW_IO, COW_NOT_COW,
 * COW_INVALID, COW_LOCKED, COW_UNSUPPORTED (libnbd or a tool is missing), COW_CANCELLED, COW_NO_MEMORY. */
int qcow2_open_source(struct qcow2_source **out, const char *path, const char *backing_path,
                      const struct cow_env *env, struct cow_error *err);
void qcow2_close_source(struct qcow2_source *source); /* NULL is allowed */

/* Both belong to the source. */
const struct cow_foreign_source *qcow2_source_disk(const struct qcow2_source *source);
const char *qcow2_source_backing(const struct qcow2_source *source); /* as named, or found */

#endif
