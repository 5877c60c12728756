/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Images for the crash tests, written byte by byte into a tree, and the disk that a guest sees in them.
 */
#ifndef CRASH_MODEL_H
#define CRASH_MODEL_H

#include "formats.h"

#define IMAGE_PATH   "/img/x.cow"
#define TWIN_PATH    "/img/twin.cow"
#define SIBLING_PATH "/img/sib.cow"
#define BACKING_PATH model_backing_path /* "/base/back.img", or beside the image */
#define OTHER_PATH   "/base/new.img"
#define OUTPUT_PATH  "/out/o.cow"
#define AWAY_PATH    "/out/far.backing"

enum { BACKING_SECONDS = 1049522828, BACKING_NANOSECONDS = 250000000 };

enum pattern {
    PATTERN_RUNS,
    PATTERN_NONE,
    PATTERN_EDGES, /* first, last, around multiples of 64 */
    PATTERN_ALL,
    PATTERN_RANDOM,
};

/* A second file of the backing file's size, OTHER_PATH. */
enum other {
    OTHER_NONE,
    OTHER_EQUAL,  /* the same bytes and date */
    OTHER_DIFFERS /* here and there, and another date */
};

struct spec {
    enum form_name form;
    uint64_t size_bytes;   /* 0: 201 sectors of 512. More than 1 GiB: nearly all of it is a hole */
    uint32_t sector_bytes; /* 0: 512 */
    uint32_t alignment;    /* 0: 32, which leaves no room to grow */
    enum pattern pattern;
    uint64_t dirty_end; /* no dirty sector from here on; 0: anywhere */
    bool no_backing;    /* QEMU only */
    bool short_backing; /* it ends before the disk does */
    bool short_file;    /* of the image: what would be zeros at its end is missing */
    bool garbage;       /* in padding, behind the path, in clean sectors */
    bool other_date;    /* of the backing file than the header says */
    bool twin;          /* the image has a second name, TWIN_PATH */
    bool redundant;     /* of three pages one holds what the backing file does, where it is dirty */
    bool sibling;       /* another image on the backing file, SIBLING_PATH */
    unsigned relatives; /* the first so many of `relatives`; they and the image are a family */
    enum other other;
    uint32_t ext_block_bytes; /* the disk holds a filesystem with blocks of that size (filesystem.h), and
                                 dirty is what the guest has changed; 0: noise */
    bool output;              /* OUTPUT_PATH is there, an older file */
    unsigned seed;
    bool beside;          /* the backing file lies in the image's directory */
    bool two_devices;     /* the backing file lies on a device of its own */
    struct device device; /* of all files: what it cannot do */
};

/* Other images on the backing file, that are changed with the image as one. */
enum { RELATIVES = 4 };

struct relative {
    const char *path;
    enum form_name form;
    uint32_t alignment; /* 4096: there is room to grow by the header */
};

extern const struct relative relatives[RELATIVES];

extern const char *model_backing_path; /* of the spec that was built last */

/* What a guest sees: a file without a name, as long as the disk, and as sparse. */
struct disk {
    struct inode file;
};

/* Makes directories, image, backing file and two bystanders. Answers the composed disk (the caller's). */
struct disk model_build(struct tree *tree, const struct spec *spec);

/* One more image, of the size of the file it is made for, with a few dirty sectors. False: no such file. */
bool model_add_image(struct tree *tree, const char *path, const char *backing_path, unsigned seed);

/* The same disk with another size: what is new is zeros. */
struct disk disk_resized(const struct disk *disk, uint64_t size_bytes);
/* The same disk as the backing file has it in each page that its filesystem has free. The filesystem's blocks
 * are pages. */
struct disk disk_without_unused(const struct disk *disk, const struct inode *backing);
struct disk disk_copy(const struct disk *disk);
void disk_free(struct disk *disk);

#endif
