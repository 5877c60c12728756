/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A change as a list of steps. Building one (cow/ops.h) only reads; the wizard's preview, --dry-run, --json
 * and the commit walk the same list; only cow_plan_commit writes. (cow_plan_probe makes an empty file and
 * removes it.)
 */
#ifndef COW_PLAN_H
#define COW_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/env.h"
#include "cow/error.h"
#include "cow/header.h"
#include "cow/image.h"
#include "cow/layout.h"

struct cow_plan;

/* id, JSON name */
#define COW_STEP_LIST(X)                                                                                     \
    X(LOCK, "lock")                                                                                          \
    X(CHECK_SPACE, "check-space")                                                                            \
    X(COPY_BACKING, "copy-backing")                                                                          \
    X(BEGIN_IMAGE, "begin-image")                                                                            \
    X(WRITE_BITMAP, "write-bitmap")                                                                          \
    X(COPY_DATA, "copy-data")                                                                                \
    X(RESIZE_FS, "resize-filesystem")                                                                        \
    X(CUT_IMAGE, "cut-image")                                                                                \
    X(BEGIN_RAW, "begin-raw")                                                                                \
    X(COMPOSE, "compose")                                                                                    \
    X(KEEP_ATTRIBUTES, "keep-attributes")                                                                    \
    X(FINISH_IMAGE, "finish-image")                                                                          \
    X(FINISH_RAW, "finish-raw")                                                                              \
    X(EXTEND_BACKING, "extend-backing")                                                                      \
    X(RENAME, "rename")                                                                                      \
    X(KEEP_UNDO, "keep-undo")                                                                                \
    X(JOURNAL, "journal")                                                                                    \
    X(PREPARE, "prepare-in-place")                                                                           \
    X(TAKE_OVER, "take-over")                                                                                \
    X(WRITE_HEADER, "write-header")                                                                          \
    X(END_JOURNAL, "end-journal")                                                                            \
    X(RECOVER, "recover")                                                                                    \
    X(UNDO, "undo")                                                                                          \
    X(DISCARD_UNDO, "discard-undo")                                                                          \
    X(WRITE_SELECTION, "write-data")                                                                         \
    X(MERGE_BACKING, "merge-into-backing")                                                                   \
    X(WRITE_FILE, "write-file")                                                                              \
    X(WRITE_STREAM, "write-stream")                                                                          \
    X(WRITE_DEVICE, "write-device")                                                                          \
    X(MARK, "mark")                                                                                          \
    X(SHIFT, "shift-data")                                                                                   \
    X(FILL, "write-bits")                                                                                    \
    X(CLEAR_UP, "clear-up")                                                                                  \
    X(FAMILY_LOCK, "lock-backing")                                                                           \
    X(FAMILY_SPACE, "check-all-space")                                                                       \
    X(FAMILY_JOURNAL, "family-journal")                                                                      \
    X(FAMILY_BACKING, "restore-backing")                                                                     \
    X(FAMILY_COMMIT, "commit-all")                                                                           \
    X(FAMILY_END, "end-family-journal")                                                                      \
    X(FAMILY_FORGET, "discard-family-undo")                                                                  \
    X(BEGIN_FOREIGN, "begin-foreign")                                                                        \
    X(WRITE_FOREIGN, "write-foreign")                                                                        \
    X(FINISH_FOREIGN, "finish-foreign")

enum cow_step_kind {
#define COW_STEP_ENUM(id, name) COW_STEP_##id,
    COW_STEP_LIST(COW_STEP_ENUM)
#undef COW_STEP_ENUM
        COW_STEPS
};

/* The JSON name of a step, "copy-data"; static. For each kind but COW_STEPS. */
const char *cow_step_name(enum cow_step_kind kind);

struct cow_step {
    enum cow_step_kind kind;
    uint64_t bytes;   /* of content that this step writes; 0 for what is small, or not known before */
    const char *text; /* one line for people; the plan's */
    size_t image;     /* of a plan for several images: which of them, from 1; 0: all, or the only one */
};

/* What becomes of a file. id, JSON name */
#define COW_TOUCH_LIST(X)                                                                                    \
    X(MAKES, "makes")                                                                                        \
    X(REPLACES, "replaces")   /* by another file, in one step */                                             \
    X(CHANGES, "changes")     /* some of its bytes */                                                        \
    X(LENGTHENS, "lengthens") /* by a hole; its date is put back */                                          \
    X(CUTS, "cuts")           /* shorter; its date is put back */                                            \
    X(REMOVES, "removes")

enum cow_touch {
#define COW_TOUCH_ENUM(id, name) COW_TOUCH_##id,
    COW_TOUCH_LIST(COW_TOUCH_ENUM)
#undef COW_TOUCH_ENUM
        COW_TOUCHES
};

/* The JSON name of it, which people are shown as well: "replaces"; static. For each but COW_TOUCHES. */
const char *cow_touch_name(enum cow_touch touch);

/* A file that is there before the commit or after it, and not the same on both sides. What is made and gone
 * again in between (.NAME.cowtui-new, .NAME.cowtui-journal) is none. */
struct cow_touched {
    enum cow_touch touch;
    const char *path;
    bool has_size;       /* it is known before */
    uint64_t size_bytes; /* afterwards; 0 for what is removed */
};

/* What is done. id, name for people and JSON */
#define COW_OPERATION_LIST(X)                                                                                \
    X(RESIZE, "resize")                                                                                      \
    X(CREATE, "create")                                                                                      \
    X(MERGE, "merge")                                                                                        \
    X(RECOVER, "recover")                                                                                    \
    X(UNDO, "undo")                                                                                          \
    X(DISCARD_UNDO, "discard undo")                                                                          \
    X(PAGES, "pages")                                                                                        \
    X(COMPACT, "compact")                                                                                    \
    X(REBASE, "rebase")                                                                                      \
    X(CONVERT, "convert")                                                                                    \
    X(REPAIR, "repair") /* several of the four before it */                                                  \
    X(DIFF, "diff")                                                                                          \
    X(EXTRACT, "extract")                                                                                    \
    X(SAVE, "save")

enum cow_operation {
#define COW_OPERATION_ENUM(id, name) COW_OPERATION_##id,
    COW_OPERATION_LIST(COW_OPERATION_ENUM)
#undef COW_OPERATION_ENUM
        COW_OPERATIONS
};

/* The name in the table, "discard undo"; static. For each operation but COW_OPERATIONS. */
const char *cow_operation_name(enum cow_operation operation);

/* How it is done. id, name for people and JSON */
#define COW_METHOD_LIST(X)                                                                                   \
    X(COPY, "copy")                 /* a new file, whole, takes its place by one rename */                   \
    X(HEADER, "header")             /* one write of the first sector; the data stays where it is */          \
    X(INSERTED, "inserted")         /* the filesystem inserts room before the data, where it lies */         \
    X(MOVED, "moved")               /* the data is moved where it lies, from its end to its beginning */     \
    X(BACKING_ONLY, "backing-only") /* the backing file is lengthened, the image is not written */           \
    X(IN_PLACE, "in place")         /* merge: into the backing file */                                       \
    X(FORWARD, "forward")           /* recover: to its end */                                                \
    X(BACK, "back")                 /* recover: to its beginning */                                          \
    X(DISCARD, "discard")                                                                                    \
    X(NONE, "none") /* nothing is to be done: there are no steps */

enum cow_method {
#define COW_METHOD_ENUM(id, name) COW_METHOD_##id,
    COW_METHOD_LIST(COW_METHOD_ENUM)
#undef COW_METHOD_ENUM
        COW_METHODS
};

/* The name in the table, "in place"; static. For each method but COW_METHODS. */
const char *cow_method_name(enum cow_method method);

/* All that a front end shows of a plan. Strings belong to the plan. */
struct cow_preview {
    enum cow_operation operation;
    enum cow_method method;
    const char *policy;      /* resize: "extend", "copy", "keep"; else "" */
    const char *target_path; /* the file that is made or replaced; "-": a stream */
    bool replaces;           /* target_path exists and is replaced by rename */
    bool changes_existing;   /* an existing image or backing is changed: wants the typed yes */
    bool has_before;         /* false for create */
    enum cow_format before_format;
    uint64_t before_size_bytes;
    struct cow_layout before;
    bool makes_raw;            /* merge: the result is a raw disk */
    const char *makes_foreign; /* convert: the result is a disk in another format, "qcow2 image"; "" */
    bool has_after;            /* there is a new layout to show */
    enum cow_format after_format;
    uint64_t after_size_bytes;
    uint32_t after_alignment;
    struct cow_layout after;
    uint64_t dirty_sectors;       /* that are carried over, in old sectors */
    uint64_t after_dirty_sectors; /* of the new image, in its sectors; only where they were counted */
    bool has_after_dirty;
    uint64_t dropped_sectors; /* of 512 bytes: were dirty, and will be clean (pages, compact, rebase) */
    uint64_t added_sectors;   /* were clean, and will be dirty */
    uint64_t mixed_pages;     /* of the old image; only where has_mixed */
    bool has_mixed;
    const char *content_text; /* what becomes of the data, a sentence: what compact will gain; "" */
    size_t siblings;          /* other images on the backing file that is written, as far as found */
    const char *const *sibling;
    uint64_t moves_bytes;  /* of the disk, that the new file holds: dirty sectors that are carried */
    uint64_t writes_bytes; /* of data, that are written: not the holes; with small gaps in between */
    uint64_t before_allocated_bytes; /* that the image takes on the disk now */
    uint64_t after_allocated_bytes;  /* that the new one will, within a block a run; only where has_ */
    bool has_after_allocated;        /* it was counted */
    uint64_t needs_free_bytes;       /* on the target's filesystem: no more is used */
    bool needs_at_most;              /* perhaps less is used: zeros that turn up become holes */
    bool space_is_about; /* this filesystem is not known to count by blocks: more or less than that */
    size_t files;        /* each that is made, changed or removed */
    const struct cow_touched *file;
    uint64_t can_grow_to_bytes;       /* later, without moving anything; 0 if it does not apply */
    uint64_t fs_before_bytes;         /* of the filesystem, where it is given another size with the disk */
    uint64_t fs_after_bytes;          /* 0: it is not */
    const char *backing_text;         /* what becomes of the backing file, a sentence; "" if nothing to say */
    const char *after_backing_path;   /* as the new header stores it; "" for merge */
    struct cow_verdict after_verdict; /* what a stock kernel will say of the result */
    bool patched_opens;               /* whether the seed's patched kernel will open it */
    const char *undo_text;            /* how to go back, a sentence */
    size_t notes;                     /* further consequences, a sentence each */
    const char *const *note;
    const char *outside_note; /* of them: the image has content copied from outside of its directory. To be
                                 told even to who wants no notes; "" */
    size_t images;            /* of a plan for several images; 0: for one */
    const struct cow_preview *const
        *image;          /* what becomes of each: target_path, method, before, after; the
                            numbers above are of all, the layouts of the one it was asked for */
    const char *command; /* the same on the command line: "cowtui resize --policy extend root.cow 128M" */
    const char
        *next_step; /* what to do when it is done: "boot the guest, then: resize2fs /dev/ubda"; "" if none */
};

/* What the plan will do. It is the plan's, and lives as long as that does; cow_plan_probe may correct it.
 * Reads nothing, and never fails. */
const struct cow_preview *cow_plan_preview(const struct cow_plan *plan);

/* What it needs, for people: "832 KiB", "up to 1.27 MiB", "about 2.00 MiB". Returns out. */
enum { COW_NEEDS_TEXT_BYTES = 40 };
const char *cow_needs_text(char out[COW_NEEDS_TEXT_BYTES], const struct cow_preview *preview);

/* The steps in the order in which the commit walks them. */
const struct cow_step *cow_plan_steps(const struct cow_plan *plan, size_t *n_steps);

/* Tries what the filesystem can keep that the plan promises, and corrects the preview: undo needs hard links,
 * dates may be coarse, names too long. It makes an empty file beside the image and removes it, so it is for a
 * front end that is about to ask for a yes (or has it already), and not for one that only looks. The preview
 * may say less afterwards: show it after this, not before. COW_REFUSED, and nothing is changed;
 * COW_NO_MEMORY. */
int cow_plan_probe(struct cow_plan *plan, struct cow_error *err);

/* Walks the steps. env may be NULL. On success the new files are complete and durable (fsynced, directories
 * too). Errors: COW_LOCKED (pid in the message), COW_REFUSED (image or backing changed since the plan was
 * made), COW_IO (not enough space, too), COW_NO_MEMORY, COW_CANCELLED, COW_BROKEN_PIPE. After any of them the
 * old files are there, byte for byte, and a temporary file is removed; or, where that could not be done, a
 * journal is left beside the image, the hint says so, and cow_plan_recover finishes or takes back. A plan can
 * be committed once. The image it was built from still shows the old file afterwards: open it anew. */
int cow_plan_commit(struct cow_plan *plan, const struct cow_env *env, struct cow_error *err);

void cow_plan_free(struct cow_plan *plan); /* NULL is allowed */

#endif
