/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The guest's filesystem as a job: its volumes, and a scan of who owns what and which files have changed. It
 * runs when Files is shown or the Map's owners are asked for, not before. It keeps the scan itself: the views
 * ask that for rows and owners as they need them.
 */
#ifndef COW_TUI_JOBS_FILES_JOB_H
#define COW_TUI_JOBS_FILES_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/fs.h"
#include "tui/jobs/job.h"

/* A file that outlives the scan it was found by. */
struct tui_file_name {
    int volume;
    enum cow_version side;
    char *path; /* raw bytes; NULL: none */
    bool below; /* all that is in that directory, and it itself; "" is the root */
};

struct tui_files {
    struct tui_job job;  /* stopped: nothing is known but the volumes */
    unsigned epoch;      /* counts up whenever files and owners may be other ones than before */
    bool colours;        /* the Map shows owners */
    bool stale;          /* the guest has written since: where it is wanted, it is read anew */
    bool renews;         /* that is done just now: what is known stays known until then */
    double took_seconds; /* the last reading */
    struct cow_image *image;
    struct cow_fs *fs;
    struct cow_fs_scan *scan;
    struct tui_file_name lit;     /* on the Map */
    unsigned lit_number;          /* counts up whenever that is another one */
    struct tui_file_name extract; /* what TUI_CHANGE_EXTRACT is about */
};

/* Off, nothing known. */
void tui_files_init(struct tui_files *files, const struct tui_subject *subject);

/* Gives back the choices that outlive a scan; at the end, when the job has forgotten everything else. */
void tui_files_end(struct tui_files *files);

/* Whether there is a scan of the image as it is now. */
bool tui_files_known(const struct tui_files *files);

/* Forgets what is known, so that it is looked for again where it is needed. */
void tui_files_again(struct tui_files *files);

/* Has it read anew where it is wanted. What is known stays so, also where that cannot be done. */
void tui_files_renew(struct tui_files *files);

/* How many volumes can be read; *first (may be NULL) is the first of them. */
size_t tui_files_readable(const struct tui_files *files, int *first);

/* What tells a volume's paths from another's: "1:", or "" where only one can be read. Returns out. */
enum { TUI_PREFIX_BYTES = 16 };
const char *tui_files_prefix(const struct tui_files *files, int volume, char out[TUI_PREFIX_BYTES]);

/* The changed file of that name; NULL if there is none (any more). */
const struct cow_fs_file *tui_files_find(const struct tui_files *files, const struct tui_file_name *name);

/* Keeps a file's name; NULL forgets it. Returns 0 or COW_NO_MEMORY (it is forgotten then). */
int tui_file_name_set(struct tui_file_name *name, const struct cow_fs_file *file, struct cow_error *err);

/* Keeps the name of a directory (so many bytes of path), for all that is in it. Errors as above. */
int tui_file_name_set_below(struct tui_file_name *name, int volume, const char *path, size_t n_bytes,
                            struct cow_error *err);

/* Whether what has that owner is meant by a name of a directory. */
bool tui_file_name_holds(const struct tui_file_name *name, const struct cow_fs_owner *owner);

/* The next piece in the COW at or after that place of the disk that a name, of a directory, holds; its
 * length_bytes is 0 if there is none before the end. Errors: COW_NO_MEMORY, COW_IO. */
int tui_files_next_below(const struct tui_files *files, const struct tui_file_name *name, uint64_t offset,
                         uint64_t end, struct cow_fs_owner *out, struct cow_error *err);

/* Lights all that is in a directory on the Map. Errors as above. */
int tui_files_light_below(struct tui_files *files, int volume, const char *path, size_t n_bytes,
                          struct cow_error *err);

/* Lights a file's cells on the Map; NULL: none any more. Returns 0 or COW_NO_MEMORY (none is lit then). */
int tui_files_light(struct tui_files *files, const struct cow_fs_file *file, struct cow_error *err);

/* Whose that sector is, in so many cells: a path, cut at its left end, or what else it is. "" where nothing
 * is known. *end_sector (may be NULL) is the first one behind it that is another's. */
void tui_files_owner_text(const struct tui_files *files, uint64_t sector, int cells, char *out,
                          size_t out_bytes, uint64_t *end_sector);

/* The same of one byte, with the place that it has in its file, as the end of "owner ...". Files have to be
 * known. Returns out. */
const char *tui_files_byte_text(const struct tui_files *files, uint64_t byte, int cells, char *out,
                                size_t out_bytes);

/* A path (raw bytes) as text, cut at its left end to so many cells. */
void tui_path_text(char *out, size_t out_bytes, const char *path, int cells);

#endif
