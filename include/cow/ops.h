/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The builders of plans. Each reads, decides, refuses with words, or answers with a plan; none writes.
 *
 * The plan borrows the image: keep it open until the plan is freed. *out is the caller's (cow_plan_free) and
 * unchanged on failure.
 */
#ifndef COW_OPS_H
#define COW_OPS_H

#include "cow/foreign.h"
#include "cow/fs.h"
#include "cow/plan.h"
#include "cow/text.h"

enum cow_policy { COW_POLICY_UNSET, COW_POLICY_EXTEND, COW_POLICY_COPY, COW_POLICY_KEEP };

const char *cow_policy_name(enum cow_policy policy); /* "extend", "copy", "keep", "" */

/* How the image is written; the default: by its header where the data may stay, else by copy. */
enum cow_resize_method {
    COW_RESIZE_ANY,
    COW_RESIZE_COPY,
    COW_RESIZE_HEADER,
    COW_RESIZE_INSERTED, /* these two imply in_place */
    COW_RESIZE_MOVED
};

/* What becomes of the filesystem on the disk: ext2, ext3 or ext4, on the whole disk or in its last partition,
 * and unmounted cleanly. e2fsck and resize2fs write it before the new disk is in place (cow_env.resize_fs).
 */
enum cow_resize_fs {
    COW_FS_STAYS,
    COW_FS_GROWS, /* with the disk, which does not become smaller */
    COW_FS_FITS,  /* it becomes what the disk is, or its last partition can be: larger or smaller */
};

struct cow_resize_options {
    uint64_t size_bytes; /* the new size of the disk; a multiple of 512 */
    enum cow_policy policy;
    const char
        *copy_path; /* policy copy: where the private backing goes; NULL: the first free IMAGE.backing[.N] */
    const char *output_path; /* leave the image alone and write the result here; NULL: replace the image */
    uint64_t reserve_bytes;  /* be able to grow to this size without moving anything; 0: the default */
    bool shrink;             /* allow a smaller size, where nothing that matters is lost; with policy copy */
    bool in_place;           /* never by copy: where the data has to move, it does so where it lies */
    enum cow_resize_method method;
    enum cow_resize_fs fs;
    bool fs_is_copied; /* its programs need a copy of the disk, for which there must be room (front ends know)
                        */
    bool force; /* an existing output is replaced; a backing whose mtime differs, or an image with several
                   names, is accepted */
    bool cut_foreign; /* shrink: cut what this program does not understand, too, and data that nothing claims
                       */
    const struct cow_env *env; /* who hears what was decided (cow_env.trace); NULL is allowed */
};

/* Changes the size of the disk. Without a policy: extend, if the backing file can be written and no other
 * image on it is found; copy for a smaller disk. Errors: COW_USAGE (size, combination of options),
 * COW_REFUSED (no policy and others on the backing file; its date is not the header's, or does not fit one;
 * smaller without shrink or with loss (the hint names the command that accepts it, where there is one);
 * several hard links; output exists; an interrupted change waits for recovery),
 * COW_UNSUPPORTED (in place, a QEMU image without a backing unless it is copied), COW_INVALID (a size that no
 * disk can have; the result would not fit a kernel's offsets). */
int cow_plan_resize(struct cow_plan **out, struct cow_image *img, const struct cow_resize_options *opt,
                    struct cow_error *err);

/* The same for all images on its backing file at once (policy extend): that file is lengthened once, and all
 * grow, or none. They are looked for as cow_family_find does: beside the backing file, beside this image, and
 * in each place. Errors besides those: COW_LOCKED (one is in use), COW_REFUSED (one is broken, or a change of
 * it was interrupted; one that does not fit the backing file), each with the name of that one. */
struct cow_family_options;
int cow_plan_resize_family(struct cow_plan **out, struct cow_image *img, const struct cow_resize_options *opt,
                           const struct cow_family_options *where, struct cow_error *err);

/* Finishes an interrupted change or takes it back, whatever is possible; one of all images on a backing
 * file, from whichever of them: all. Errors: COW_REFUSED (there is none, or the image is neither its old nor
 * its new one), COW_INVALID (a strange journal). */
int cow_plan_recover(struct cow_plan **out, struct cow_image *img, struct cow_error *err);

enum cow_recover_way {
    COW_RECOVER_AS_IT_IS, /* the way that is open; where both are, the shorter */
    COW_RECOVER_FORWARD,
    COW_RECOVER_BACK
};

/* As cow_plan_recover, one of the two ways. Both are open where the data of an image was being moved; of any
 * other change one is closed. Errors: those of cow_plan_recover; COW_REFUSED, too, with the reason, where
 * that way is closed. */
int cow_plan_recover_way(struct cow_plan **out, struct cow_image *img, enum cow_recover_way way,
                         struct cow_error *err);

/* Takes back the last committed change of an image, byte for byte; one of all images on a backing file: for
 * all of them. Errors: COW_REFUSED (nothing to undo, image or backing file changed since: which, is told),
 * COW_INVALID (strange undo data). */
int cow_plan_undo(struct cow_plan **out, struct cow_image *img, struct cow_error *err);

/* Removes the undo data; of a change of all images on a backing file, that of all of them. */
int cow_plan_discard_undo(struct cow_plan **out, struct cow_image *img, struct cow_error *err);

/* A policy as a choice for people. */
struct cow_policy_choice {
    enum cow_policy policy;
    bool family; /* of all images on the backing file at once (cow_plan_resize_family) */
    bool possible;
    bool recommended;
    char consequence[384]; /* one or two sentences: what it leaves, who opens it */
    char obstacle[256];    /* why it is not possible, else "" */
};

enum { COW_POLICY_CHOICES = 4 };

/* Fills choices for growing img to size_bytes, the recommended one first, impossible ones last, and answers
 * how many there are: one for each policy; where extend would leave other images behind, one more for all of
 * them at once. They are possible or not with what becomes of the filesystem. */
size_t cow_resize_choices(struct cow_policy_choice choices[COW_POLICY_CHOICES], struct cow_image *img,
                          uint64_t size_bytes, enum cow_resize_fs fs);

/* The ways to write the image where its data has to move, as a choice for people: by copy, or in place. What
 * each costs is a phrase, "" where it is not known. */
struct cow_method_choice {
    bool in_place;
    enum cow_method method; /* COPY, or INSERTED or MOVED */
    bool possible;
    bool recommended;
    char how[96];
    char writes[96];
    char time[COW_DURATION_TEXT_BYTES];
    char needs[COW_NEEDS_TEXT_BYTES]; /* of free space */
    char free[COW_SIZE_TEXT_BYTES];   /* that there is */
    char crash[128];                  /* what one in the middle does */
    char undo[64];
    char obstacle[256]; /* why it is not possible, else "" */
};

enum { COW_METHOD_CHOICES = 2 };

/* Fills choices, the copy first, and answers how many there are: none where the data may stay where it is, or
 * where there is one way only. opt: as for cow_plan_resize, or with family for cow_plan_resize_family, and
 * then the data of at least one image has to move; where it names a method, there is no choice. */
size_t cow_resize_method_choices(struct cow_method_choice choices[COW_METHOD_CHOICES], struct cow_image *img,
                                 const struct cow_resize_options *opt, bool family);

struct cow_create_options {
    const char *path;         /* the new image */
    const char *backing_path; /* is stored as an absolute path */
    uint64_t reserve_bytes;   /* as for resize */
    bool force;               /* an existing file is replaced */
    const struct cow_io *io;  /* NULL: the operating system's */
};

/* A new, empty v3 image on a backing file. Errors: COW_USAGE, COW_IO (no backing), COW_REFUSED (path exists,
 * or is the backing itself; a backing file of 32 KiB or less, or too large; its date or path does not fit a
 * header), COW_INVALID (a reserve that no layout has). */
int cow_plan_create(struct cow_plan **out, const struct cow_create_options *opt, struct cow_error *err);

struct cow_merge_options {
    const char *output_path; /* a block device is written over, with force; then there is no way back */
    const int *stream_fd;    /* or: to this open file, from its first byte to its last (a pipe), else NULL */
    bool in_place;           /* into the backing file; output_path is NULL then */
    bool force; /* an existing output is replaced; a guest that holds the image does not matter */
};

/* The composed disk as a raw file, or written into the backing file, after which the image is empty and fits
 * it; the other images on that backing file no longer do, and that cannot be undone. Errors: COW_REFUSED
 * (output exists, or is the image or its backing under any name; in place: sizes differ), COW_LOCKED (a guest
 * holds the image; in place: or a sibling), COW_IO (no backing). */
int cow_plan_merge(struct cow_plan **out, struct cow_image *img, const struct cow_merge_options *opt,
                   struct cow_error *err);

struct cow_extract_options {
    int volume;               /* as cow_fs_volumes counts them */
    enum cow_version version; /* which one of the file's */
    const char *path;         /* in the guest */
    const char *output_path;
    bool force; /* an existing output is replaced; a guest that holds the image does not matter */
};

/* A file of the guest as a file of the host (cow/fs.h). Errors: those of cow_fs_reader_open; COW_REFUSED
 * (output exists, or is the image or its backing file). */
int cow_plan_extract(struct cow_plan **out, struct cow_image *img, const struct cow_extract_options *opt,
                     struct cow_error *err);

/* What a new image on the same disk differs in. The composed disk stays as it is, byte for byte. Any
 * combination is one plan: by one write of the first sector where only path or date of the backing file
 * change, else by copy. */
struct cow_rewrite_options {
    bool larger;         /* compact even if the file becomes larger by it: mixed pages are completed */
    bool complete_pages; /* pages: each mixed 4 KiB page becomes dirty as a whole */
    bool compact;        /* pages equal to the backing are dropped, zeros punched; no mixed page is left */
    bool unused;  /* with compact: what the guest's filesystem has free is dropped, too. What lies there
                     changes then; no file does. Only where each ext filesystem is clean */
    bool sectors; /* with compact or safe: by sectors, not pages; leaves mixed pages: a warning */
    const char *backing_path; /* rebase: name this backing file; NULL: as it is */
    bool safe; /* its content may differ: pages that do become dirty; else both must be known to be equal: the
                  same size, and the same date or restamp or force */
    bool restamp;   /* take over the backing file's date */
    bool set_mtime; /* the header edited by hand: this date */
    uint32_t mtime;
    bool convert;              /* a v3, written anew even if it is one: that mends padding, length, layout */
    const char *output_path;   /* leave the image alone and write the result here; NULL: replace the image */
    uint64_t reserve_bytes;    /* as for resize; 0: the default */
    bool force;                /* an existing output is replaced; a doubtful backing file is accepted */
    const struct cow_env *env; /* progress while the bytes are compared; NULL is allowed */
};

/* Where nothing is to be done the plan says so: method "none", no steps. Errors: COW_USAGE (combination of
 * options), COW_REFUSED (several hard links; output exists; the new backing file has another size, or another
 * date without restamp, safe or force; its date or path does not fit a header; an interrupted change waits),
 * COW_IO (no backing file), COW_UNSUPPORTED (a QEMU image without a backing file), COW_INVALID (an image that
 * cannot be changed; a reserve that no layout has), COW_CANCELLED. */
int cow_plan_rewrite(struct cow_plan **out, struct cow_image *img, const struct cow_rewrite_options *opt,
                     struct cow_error *err);

struct cow_export_options {
    const char *output_path;
    const struct cow_foreign_sink *sink; /* who writes the format; the plan's files are made by the core */
    bool with_backing; /* on the same backing file, holding only what is dirty; else the whole disk */
    bool force;        /* an existing output is replaced; a guest that holds the image does not matter */
};

/* The composed disk as a file in another format (cow/foreign.h). sink is asked for nothing before the commit;
 * if that fails, or is stopped, the caller ends what sink began. Errors: those of cow_plan_merge to a file;
 * COW_REFUSED, too, with_backing, where the backing file is a COW image. */
int cow_plan_export(struct cow_plan **out, struct cow_image *img, const struct cow_export_options *opt,
                    struct cow_error *err);

struct cow_save_options {
    const char *what; /* the bytes are, for people: "a picture of the map, 1000x620" */
    const void *bytes;
    size_t n_bytes;
    const char *command; /* that does the same, and ends before the image's name; NULL: there is none */
    const char *output_path;
    bool force; /* an existing output is replaced */
};

/* What was made of an image, as a file: by the rules of every other output, and whole or not at all. No lock
 * is taken, for the bytes are there already; they stay the caller's, and have to as long as the plan does.
 * Errors: COW_USAGE, COW_IO (no such directory), COW_REFUSED (output exists, or is the image, its backing
 * file, or another image's). */
int cow_plan_save(struct cow_plan **out, struct cow_image *img, const struct cow_save_options *opt,
                  struct cow_error *err);

struct cow_diff_options {
    const char *output_path;  /* the new image */
    const char *backing_path; /* is stored as an absolute path */
    const char *raw_path;     /* the disk that it shall show */
    const struct cow_foreign_source
        *source;  /* who reads that disk, where the file is no raw disk; else NULL */
    bool sectors; /* as above */
    uint64_t reserve_bytes;
    bool force; /* an existing output is replaced */
    const struct cow_env *env;
    const struct cow_io *io; /* NULL: the operating system's */
};

/* A new v3 image that turns the backing file into the raw disk. Errors: COW_USAGE, COW_IO, COW_REFUSED (sizes
 * differ; output exists or is one of the inputs; the backing file does not fit a header), COW_INVALID (the
 * raw disk is empty, or has 8 TiB or more), COW_CANCELLED. */
int cow_plan_diff(struct cow_plan **out, const struct cow_diff_options *opt, struct cow_error *err);

#endif
