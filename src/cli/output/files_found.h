/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What `files` has found: the command fills it, and the printers, text and JSON, tell it without asking
 * further.
 */
#ifndef CLI_OUTPUT_FILES_FOUND_H
#define CLI_OUTPUT_FILES_FOUND_H

#include <jansson.h>

#include "cli/output/out.h"
#include "cow/fs.h"

struct cli_files {
    const struct cow_image *image;
    const struct cow_fs *fs;
    struct cow_fs_scan *scan;
    const struct cow_volume *volume;
    size_t volumes;
    int only;                          /* the volume that was chosen; COW_NO_VOLUME: all */
    const struct cow_fs_file **sorted; /* those that are told, the largest first */
    size_t n_sorted;
};

/* Each volume with its changed files, then what is in the COW by classes. verbose: inode numbers, and the
 * files that do not differ, too. */
void cli_files_text(struct cli_out *out, const struct cli_files *files, bool verbose);

/* Whole or not at all, file by file through a spool. */
int cli_files_json(const struct cli_files *files, struct cow_error *err);

/* One owner, that of the byte `offset` of the disk: as rows, where the words are the same as on the screen,
 * or as a JSON object. Without memory the text says so in place of the rows. JSON: COW_NO_MEMORY, COW_IO. */
void cli_owner_text(struct cli_out *out, const struct cli_files *files, const struct cow_fs_owner *owner,
                    uint64_t offset);
int cli_owner_json(const struct cli_files *files, const struct cow_fs_owner *owner, struct cow_error *err);

/* All that is in the COW, piece by piece. */
int cli_owners_text(const struct cli_files *files, struct cow_error *err);
int cli_owners_json(const struct cli_files *files, struct cow_error *err);

/* An owner as an object; NULL: out of memory. */
json_t *cli_owner_value(const struct cli_files *files, const struct cow_fs_owner *owner);

/* A file's two versions, compared. */
struct cli_files_diff {
    const char *path;
    bool in_guest, in_backing; /* whether there is such a version */
    uint64_t guest_bytes, backing_bytes;
    bool equal;
    uint64_t first_difference; /* where they are not equal: the first byte, or the shorter one's length */
};

/* Prints it as an object; sizes of a version that is not there, and the place of equal ones, are null.
 * Errors: COW_NO_MEMORY, COW_IO. */
int cli_diff_json(const struct cli_files_diff *diff, struct cow_error *err);

/* A path of the guest, safe to print, whole. The caller's. NULL: out of memory. */
char *cli_guest_path(const char *path);

#endif
