/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui files --owners: whose all that is, piece by piece, that lies in the COW. There may be millions of
 * pieces, so none is kept: text goes out as it is found, JSON through a spool, whole or not at all.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/output/files_found.h"
#include "cli/output/json.h"
#include "cli/output/spool.h"
#include "cli/output/text_stream.h"

typedef int put_owner(FILE *file, const struct cli_files *files, const struct cow_fs_owner *owner, bool first,
                      struct cow_error *err);

static int put_owner_text(FILE *file, const struct cli_files *files, const struct cow_fs_owner *owner,
                          bool first, struct cow_error *err)
{
    char *path = owner->path != NULL ? cli_guest_path(owner->path) : NULL;

    (void)files;
    if (owner->path != NULL && path == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    if (first) {
        fprintf(file, "%14s  %10s  %-17s  %9s  path\n", "start", "length", "owner", "inode");
    }
    fprintf(file, "%14" PRIu64 "  %10" PRIu64 "  ", owner->first_byte, owner->length_bytes);
    if (owner->inode != 0) {
        fprintf(file, "%-17s  %9" PRIu64, cow_fs_class_name(owner->fs_class), owner->inode);
    } else {
        fputs(cow_fs_class_name(owner->fs_class), file);
    }
    fprintf(file, "%s%s\n", path != NULL ? "  " : "", path != NULL ? path : "");
    free(path);
    return 0;
}

static int put_owner_json(FILE *file, const struct cli_files *files, const struct cow_fs_owner *owner,
                          bool first, struct cow_error *err)
{
    return cli_json_spool(file, first ? "\n  " : ",\n  ", cli_owner_value(files, owner), err);
}

static int put_owners(FILE *file, const struct cli_files *files, put_owner *put, struct cow_error *err)
{
    struct cow_fs_owner owner;
    bool first = true;
    uint64_t at = 0;
    int status;

    do {
        status = cow_fs_owner_next(files->scan, at, &owner, err);
        if (status != 0 || owner.length_bytes == 0) {
            break;
        }
        at = owner.first_byte + owner.length_bytes;
        if (files->only != COW_NO_VOLUME && owner.volume != files->only) {
            continue;
        }
        status = put(file, files, &owner, first, err);
        first = false;
    } while (status == 0 && ferror(file) == 0);
    return status;
}

int cli_owners_text(const struct cli_files *files, struct cow_error *err)
{
    return put_owners(cli_text_stream(stdout), files, put_owner_text,
                      err); /* cli_run tells why standard output failed */
}

static int fill_owners_json(FILE *spool, const void *context, struct cow_error *err)
{
    int status;

    fputs("[", spool);
    status = put_owners(spool, context, put_owner_json, err);
    fputs("\n]\n", spool);
    return status;
}

int cli_owners_json(const struct cli_files *files, struct cow_error *err)
{
    return cli_spool(fill_owners_json, files, err);
}
