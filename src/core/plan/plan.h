/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A plan from the inside: what its builders fill in and what the commit's steps read. Nothing here is changed
 * once the plan has been handed out.
 */
#ifndef CORE_PLAN_PLAN_H
#define CORE_PLAN_PLAN_H

#include <sys/stat.h>

#include "core/base/io.h"
#include "core/image/image.h"
#include "core/ledger/family_record.h"
#include "core/ledger/kind.h"
#include "core/plan/selection.h"
#include "cow/ops.h"
#include "cow/plan.h"

enum {
    PLAN_NOTES_MAX = 32, /* 13 of what is cut off (resize/shrink.c), and whatever else there can be to say */
    PLAN_INPUTS_MAX = 2,
    PLAN_SIBLINGS_MAX = 32,
};

/* How the commit holds the files that exist already. */
enum hold { HOLD_NOT, HOLD_READ, HOLD_WRITE };

/* A file that is read besides the image and its backing file. */
struct plan_input {
    const char *what; /* "new backing file", "raw disk" */
    const char *path;
    struct host_file file; /* owned */
};

/* Where the result goes. */
struct plan_target {
    const char *path;       /* the file that appears by rename; of a change by header, the image */
    const char *named_path; /* the same as the caller named it; NULL: the image */
    const char *temp_path;  /* where a new file is made, beside it */
    bool takes_device;      /* it may be a block device, which is written over */
    bool is_device;         /* it is a block device */
    int stream_fd;          /* the caller's, instead of a target; -1: none */
    bool replaces;          /* there may be a file already, which the new one takes the place of */
};

/* Which files are locked while the commit lasts. Further inputs always are, for reading. */
struct plan_holds {
    enum hold image;
    enum hold backing;
    bool are_optional; /* a reader that goes on beside a guest: what it reads may change under it */
};

/* The backing file, and what becomes of it. */
struct plan_backing {
    const char *path; /* as it can be opened; NULL: none */
    struct stat facts;
    int missing_errno;       /* the file that the new header names is not there: for the verdict */
    bool is_cow;             /* the file that the new header names is one itself */
    uint64_t size_bytes;     /* now */
    uint64_t new_size_bytes; /* afterwards; of a private copy, its */
    bool is_trusted; /* a header that says which backing file is right, and which date: not while another
                        image's change waits that concerns the file */
    /* policy copy */
    const char *copy_path;      /* the private backing file, or NULL */
    const char *copy_temp_path; /* beside it */
    struct timespec copy_mtime;
    /* what is merged into it */
    struct timespec merged_mtime; /* its date afterwards */
    bool merged_elsewhere;        /* what is written over takes new room, too */
    uint64_t
        merge_needs_bytes; /* that its filesystem must have room for: its holes that get filled, or all */
};

/* What a new image will be, counted before it is made (footprint.h). Bytes. */
struct plan_image {
    uint64_t block_bytes;     /* of the filesystem it will lie on */
    uint64_t dirty_sectors;   /* of 512 bytes */
    uint64_t carried_sectors; /* of them that were dirty, in old sectors (no selection) */
    uint64_t added_sectors;   /* of them that were clean (where a selection takes an image\'s own bits) */
    uint64_t bitmap_bytes;    /* that are written of the bitmap */
    uint64_t data_bytes;      /* that are written of the data */
    uint64_t data_allocated_bytes; /* that the data takes, in so many runs of blocks */
    uint64_t data_runs;
    uint64_t allocated_bytes; /* that the file takes, but for the filesystem's notes where they are */
    uint64_t needs_bytes;     /* the same with those notes, and with the journal: no more than that is used */
};

/* The image that there will be. */
struct plan_result {
    struct cow_header header;
    struct cow_layout layout;
    struct selection *selection; /* which of its sectors are dirty, owned; NULL: those of the old image */
    bool punch_zeros;            /* blocks of zeros become holes */
    bool is_callers;             /* a new file with the caller's owner, not the image's */
    bool shrinks;                /* the disk becomes smaller */
    bool is_cut;                 /* ... at the end, once its filesystem has become smaller: until then the
                                    file has the layout `made`, of the old size */
    struct cow_layout made;
    uint64_t saved_bytes;            /* by header: of what is written over, that the journal keeps, at most */
    struct cow_dirty_run born_dirty; /* policy keep: new sectors, in sectors of the new image */
    bool odd_end_is_born;            /* of born_dirty the first is the old disk's odd end */
    struct plan_image counted;
    uint32_t shift_alignment; /* in place, where the data moves: of the new layout */
    uint64_t chunk_bytes;     /* ... that are moved at once */
};

/* The filesystem that is given another size with the disk (resize/filesystem.h). */
struct plan_filesystem {
    bool resizes;
    unsigned partition, container; /* as in struct cow_fs_job */
    bool is_gpt;
    uint64_t first_byte;
    uint64_t old_bytes;   /* what it has now */
    uint64_t fs_bytes;    /* what it shall have; 0: all that there is */
    uint64_t joint_bytes; /* that its files' pages may want to be written in addition, at most */
    uint64_t copy_bytes;  /* of the disk that its programs are given a copy of, at most; 0: it is served */
    uint64_t mixed_pages; /* completed by who writes the disk */
};

/* Whose word is followed. */
enum plan_purpose {
    PLAN_CHANGES,  /* the steps are what is done */
    PLAN_UNDOES,   /* the undo file's record says what is touched */
    PLAN_RECOVERS, /* the journal's record does */
    PLAN_DISCARDS, /* the undo file goes, and nothing else is touched */
};

/* How much of an image a change by its header writes (RECORD_HEADER). */
enum plan_reach {
    REACH_SIZE,    /* the disk grows: bits are cleared, the file is lengthened, the first sector written */
    REACH_NAMES,   /* path or date of the backing file change: the first sector alone */
    REACH_BACKING, /* only the backing file is lengthened: nothing of the image */
};

/* A change of several images on one backing file: a plan of each, and what they are held together by. The
 * plan that has this has no method of its own: its steps are those of its members, and a few for the backing
 * file. */
struct plan_family {
    struct family_record record; /* what is written down, or was read */
    const char *backing_path;    /* absolute, links resolved */
    struct cow_plan **member;    /* owned, and so are the images; NULL in their list: the caller's */
    struct cow_image **image;
    const struct cow_preview **preview; /* of each */
    size_t members, room;
    bool extends; /* the backing file is written */
};

struct cow_plan {
    const struct cow_io *io;
    struct cow_image *img; /* the caller's; NULL for create */
    struct cow_preview preview;
    struct cow_step *steps; /* owned, as the next two lists are */
    size_t n_steps, room_for_steps;
    const char *notes[PLAN_NOTES_MAX];
    const char *siblings[PLAN_SIBLINGS_MAX];
    struct cow_touched *files;
    size_t room_for_files;
    char **strings; /* owned, too */
    size_t n_strings, room_for_strings;
    bool out_of_memory;
    struct cow_error refusal; /* its status is not 0: a plan to be looked at, which the commit refuses */
    bool committed;
    bool probed; /* cow_plan_probe */
    bool force;
    bool is_member; /* of a change of several images: the backing file is none of its business */

    enum plan_purpose purpose;
    uint32_t record_sum; /* undo, recover: of the record that the plan was made from (record.h) */
    enum record_kind
        method; /* how an existing image is changed; RECORD_NONE: no image is, only files are made */
    enum plan_reach reach; /* of RECORD_HEADER */
    bool keep_undo;        /* of RECORD_COPY: the old file becomes the undo file */
    struct plan_target target;
    struct plan_holds holds;
    struct plan_backing backing;
    struct plan_result result;
    struct plan_filesystem filesystem;
    struct cow_resize_options *then; /* owned: a second change that follows (resize/in_two.h); NULL: none */
    size_t first_steps;              /* of the first change; those behind them are shown only */
    struct plan_input input[PLAN_INPUTS_MAX]; /* further files that are read */
    size_t n_inputs;

    /* Owned, each NULL where the plan does not need it. */
    struct cow_fs *fs;           /* what works by pages, and extract */
    struct cow_fs_scan *fs_scan; /* tells what is free, and what a guest reads in one piece */
    struct plan_family *kin;     /* not owned: the change of several images that this one is a part of */
    bool has_joints;             /* pages are kept together that a guest reads in one piece */
    struct cow_fs_reader *file;  /* the file of the guest that is written */
    const void *saved;           /* the caller's bytes that are written; NULL: none */
    struct plan_family *family;
    struct cow_image *own_image;         /* diff: the raw disk as an image, in img as well */
    const struct cow_foreign_sink *sink; /* who writes the target in another format; not owned */
    const char *sink_backing; /* the target names this backing file; NULL: it holds the whole disk */
};

/* Whether a journal is kept while the commit lasts: an image is changed, or an undo goes back. (Recovery has
 * the journal that it found.) */
bool plan_is_journaled(const struct cow_plan *plan);

/* The layout of a new file while it is made, and the size of its disk then. */
const struct cow_layout *plan_made_layout(const struct cow_plan *plan);
uint64_t plan_made_bytes(const struct cow_plan *plan);

/* A new, empty plan; img: NULL where there is none yet. NULL with err (COW_NO_MEMORY). */
struct cow_plan *plan_new(const struct cow_io *io, struct cow_image *img, enum cow_operation operation,
                          struct cow_error *err);

/* A string that the plan owns, as it is: for paths. Answers "" and remembers it if there is no memory
 * (plan_finish tells). */
const char *plan_text(struct cow_plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for people: names in it are escaped. */
const char *plan_words(struct cow_plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds a consequence, and a step at the end. format makes a sentence, or a line, for people: names in it are
 * escaped. There is room for PLAN_NOTES_MAX notes; without memory plan_finish tells. */
void plan_note(struct cow_plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));
void plan_step(struct cow_plan *plan, enum cow_step_kind kind, uint64_t bytes, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Adds a step that is there already, its text too: that has to live as long as the plan. */
void plan_add_step(struct cow_plan *plan, const struct cow_step *step);

/* Opens a further file to be read; the plan closes it. Errors as opening has them, "the WHAT" before them. */
int plan_add_input(struct cow_plan *plan, const char *what, const char *path, struct cow_error *err);

/* The files that the steps make, change or remove, into the preview: anew, from the steps as they are now
 * (plan_files.c). A plan that recovers or undoes has named its own by plan_touch. */
void plan_name_files(struct cow_plan *plan);

/* Names a file in the preview, without a size or with one. path is copied. */
void plan_touch(struct cow_plan *plan, enum cow_touch touch, const char *path);
void plan_touch_sized(struct cow_plan *plan, enum cow_touch touch, const char *path, uint64_t size_bytes);
/* Names a file only if it is there now; and a file beside the target (SIDE_UNDO...), if it is there. */
void plan_touch_if_there(struct cow_plan *plan, enum cow_touch touch, const char *path);
void plan_touch_side(struct cow_plan *plan, enum cow_touch touch, const char *side);

/* Adds a file that another plan names; its path is copied, too. */
void plan_add_file(struct cow_plan *plan, const struct cow_touched *file);

/* The end of every builder. With status 0 it names the files, and hands the plan out, unless something is in
 * the way (COW_REFUSED) or a string was lost (COW_NO_MEMORY). On any failure, also with a status that is not
 * 0 (whose words are in err), it frees the plan. */
int plan_finish(struct cow_plan **out, struct cow_plan *plan, int status, struct cow_error *err);

/* Of a plan for several images (plan_family.h). NULL is allowed. */
void plan_family_free(struct plan_family *family);

#endif
