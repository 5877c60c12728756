/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The header as a stock UML kernel reads it: other variants than ours, no range checks, its own words where
 * it gives up. Our own decoder would be no honest witness here: what it recognises as QEMU's, the kernel
 * reads as a v2.
 */
#ifndef CORE_FORMAT_KERNEL_H
#define CORE_FORMAT_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/header.h"

struct kernel_header {
    const char *refusal; /* its words where it reads no header at all, else NULL */
    bool raw;            /* ... and without a backing on its command line it serves the file as a raw disk */
    unsigned version;
    uint64_t size_bytes;
    int64_t mtime;
    uint64_t bitmap_offset;
    uint64_t data_offset;
    uint32_t alignment; /* v3 only, else 0 */
    uint32_t sector_bytes;
    char backing_path[COW_PATH_BYTES + 1];
};

/* Reads n_bytes (all that the file has, at most COW_HEADER_BYTES_MAX) as read_cow_header() and cow_sizes() of
 * the kernel's cow_user.c (6.1) do on a little-endian 64-bit host. */
void kernel_header_read(struct kernel_header *out, const uint8_t *bytes, size_t n_bytes);

/* Whether ubd0=PATH on its command line names that file: as it is, in double quotes that reach the kernel, or
 * not at all, for it is cut into several words or files. (What stands in a header is never cut.) */
enum kernel_naming { KERNEL_NAMES_IT, KERNEL_NAMES_IT_QUOTED, KERNEL_CANNOT_NAME_IT };
enum kernel_naming kernel_naming_of(const char *path);

/* "boot with ubd0=root.cow", quoted for a shell and the kernel; or what helps where that cannot be. Returns
 * out. */
const char *kernel_boot_text(char *out, size_t out_bytes, const char *path);

#endif
