/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which files a qcow2 image is read from, as qemu-img tells: itself, what it lies on, and what that lies on.
 */
#ifndef FRONT_QCOW2_CHAIN_H
#define FRONT_QCOW2_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/env.h"
#include "cow/error.h"

struct qcow2_file {
    char *path;    /* absolute */
    char *format;  /* as what lies on it says; "": that does not say */
    char kind[16]; /* "qcow2", "raw": as qemu-img finds it; "": it is no layer, but holds the data of one */
    uint64_t device, inode, size_bytes;
    unsigned mode;
};

struct qcow2_chain {
    uint64_t size_bytes; /* of the disk */
    struct qcow2_file *file;
    size_t n; /* at least 1: the image */
};

/* Asks for the files of the image at path, absolute. qcow2_clear_chain in any case. env is asked whether to
 * stop; may be NULL. Errors: COW_NOT_COW (it is no qcow2), COW_IO (it, or what it lies on, cannot be opened),
 * COW_INVALID (it is broken; with what QEMU says), COW_REFUSED (it lies on what is no file or disk of this
 * host, or neither qcow2 nor raw), COW_LOCKED (another program writes it), COW_UNSUPPORTED (qemu-img is
 * missing), COW_CANCELLED. */
int qcow2_read_chain(struct qcow2_chain *out, const char *path, const struct cow_env *env,
                     struct cow_error *err);
void qcow2_clear_chain(struct qcow2_chain *chain); /* frees what is in it */

/* The raw file of this host on which the image lies, and which lies on nothing; NULL: it does not. */
const struct qcow2_file *qcow2_raw_backing(const struct qcow2_chain *chain);

/* An error with the first line that QEMU has said: COW_LOCKED where that is about a lock, else the status. */
int qcow2_said(int status, const char *path, const char *said, struct cow_error *err);

/* Whether the caller of env wants to stop; phase: what is being done. */
bool qcow2_is_to_stop(const struct cow_env *env, const char *phase);

#endif
