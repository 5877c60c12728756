/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the unit suites share: scratch directories, a seeded generator, witnesses that a file was not touched,
 * and an independent model. The model writes images byte by byte and knows their composed disk, bitmap and
 * geometry from its own reading of the format's tables; it uses nothing of the core but the names of the
 * variants, so that a mistake there cannot hide behind the same mistake here.
 */
#ifndef TESTS_UNIT_SUPPORT_H
#define TESTS_UNIT_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include <check.h>

#include "cow/cow.h"

/* As ck_assert_msg, but free of cost when it holds (Check's writes to a file each time), so it can stand in
 * loops. */
#define must(condition, ...)                                                                                 \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            ck_abort_msg(__VA_ARGS__);                                                                       \
        }                                                                                                    \
    } while (0)

/* Whether ONLY_CASE asks for the test of that name. Suites are built with Check's own words; those that
 * nobody asks for are not added. */
bool test_is_wanted(const char *name);
#undef tcase_add_test
#define tcase_add_test(tc, test) tcase_add_loop_test((tc), (test), 0, 1)
#undef tcase_add_loop_test
#define tcase_add_loop_test(tc, test, begin, end)                                                            \
    do {                                                                                                     \
        if (test_is_wanted((test)->name)) {                                                                  \
            _tcase_add_test((tc), (test), 0, 0, (begin), (end));                                             \
        }                                                                                                    \
    } while (0)

/* status == 0, else the message of err. */
#define must_succeed(status, err)                                                                            \
    do {                                                                                                     \
        int status_ = (status);                                                                              \
        must(status_ == 0, "%s: %d: %s", #status, status_, (err).message);                                   \
    } while (0)

/* The given failure, with its status in err, a message of one line and nothing that a terminal obeys. */
void check_failure(int status, int wanted, const struct cow_error *err, const char *where);
#define must_fail(status, wanted, err) check_failure((status), (wanted), &(err), #status)

/* Well-formed UTF-8 without control bytes: what may reach a terminal. */
bool is_terminal_safe(const char *text);

/* ---- generator ---- */

struct rng {
    uint64_t state;
};
uint64_t rng_next(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t limit); /* limit > 0 */
void rng_fill(struct rng *rng, uint8_t *bytes, size_t n_bytes);

/* ---- files ---- */

/* The scratch directory of the whole run, under TMPDIR; main() makes and removes it. */
void scratch_create(void);
void scratch_remove(void);
/* A checked fixture: each test gets a directory of its own in there. */
void test_directory_setup(void);
/* A child that opens path for writing, takes a POSIX lock on it, as a guest does (F_UNLCK: takes none), and
 * holds it until *go is closed. */
pid_t hold_lock(const char *path, short type, int *go);
/* How many descriptors this process has open. */
unsigned open_files(void);
/* Of this test; real path, no links in it. */
const char *test_directory(void);
/* Empties it. */
void test_directory_clear(void);
/* "DIRECTORY/name" of this test; freed with free(). */
char *test_path(const char *name);
/* Removes a directory with all that is in it. */
void remove_tree(const char *path);
/* Names in a directory but "." and ".."; joined by spaces, sorted, freed with free(). */
char *directory_list(const char *path);

void file_write(const char *path, const void *bytes, size_t n_bytes); /* a new file */
void file_write_at(const char *path, uint64_t offset, const void *bytes, size_t n_bytes);
int file_open_to_write(const char *path); /* for many writes to one file */
void file_write_to(int fd, uint64_t offset, const void *bytes, size_t n_bytes);
void file_truncate(const char *path, uint64_t size_bytes);
/* Whether this machine can give a file that date: a time_t of 32 bits ends in 2038. */
#define date_fits(seconds) ((int64_t)(time_t)(seconds) == (int64_t)(seconds))

void file_set_mtime(const char *path, int64_t seconds);
uint64_t file_size(const char *path);
int64_t file_mtime(const char *path);
ino_t file_inode(const char *path);
bool file_exists(const char *path);
/* n_bytes at offset; zeros past the end. */
void file_read(const char *path, uint64_t offset, void *bytes, size_t n_bytes);

/* What a file is, to find out later whether it still is the same: content, size, times, mode, inode. */
struct witness {
    char path[512];
    struct stat facts;
    uint64_t sum;
};
struct witness witness_of(const char *path);
void witness_check(const struct witness *witness, const char *where);
/* Content and size only; for a file whose times may move. */
bool witness_same_content(const struct witness *witness);

/* ---- the model ---- */

/* Where a variant has its fields: offset and width as in the table of share/doc/format.md. */
struct shape {
    const char *name;
    char magic[17];
    unsigned magic_bytes;
    bool big_endian;
    unsigned path, path_bytes;
    unsigned mtime, mtime_bytes;
    unsigned size;
    unsigned sector;
    unsigned alignment;  /* 0: none */
    unsigned cow_format; /* 0: none */
    unsigned header_bytes;
    char kind; /* 't'runcated bitmap, 'a'ligned, 'q'emu */
};
extern const struct shape shapes[COW_FORMATS];

struct geometry {
    uint64_t sectors, mapped, bitmap_offset, bitmap_bytes, data_offset, end_offset;
};
/* By the geometry table, in 128-bit arithmetic. */
struct geometry model_geometry(enum cow_format format, uint64_t size_bytes, uint32_t sector_bytes,
                               uint32_t alignment);

void put_number(uint8_t *bytes, unsigned width, bool big_endian, uint64_t value);

/* A header with garbage where real files have it, in bytes[COW_HEADER_BYTES_MAX]; answers its length. */
size_t model_header(uint8_t *bytes, enum cow_format format, const char *path, uint64_t size_bytes,
                    uint32_t sector_bytes, uint32_t alignment, uint32_t mtime, bool garbage);

enum pattern {
    PATTERN_NONE,
    PATTERN_ALL,
    PATTERN_ALTERNATE,
    PATTERN_RUNS,
    PATTERN_RANDOM,
    PATTERN_EDGES, /* the first, the last, and around multiples of 64 */
    PATTERN_FAR,   /* short runs, too far apart to be moved as one */
    PATTERN_LONG,  /* runs of 1.25 MiB with sectors of 512: worth a call of their own */
    PATTERNS
};

#define NO_BACKING UINT64_MAX
enum { MODEL_MTIME = 1049522828 };

struct model_spec {
    enum cow_format format;
    uint64_t size_bytes;
    uint32_t sector_bytes;
    uint32_t alignment;
    uint64_t backing_bytes; /* NO_BACKING: the header names none */
    enum pattern pattern;
    bool garbage;        /* padding of bitmap, header and path is not zero; orphans in clean sectors */
    bool short_file;     /* the file ends with the last dirty sector, or inside the bitmap */
    const char *name;    /* of the file; the backing is NAME.img. NULL: "m" */
    const char *stored;  /* path in the header; NULL: the absolute path of the backing */
    bool backing_absent; /* named, but not there */
    uint64_t tail_bytes; /* of garbage behind the end of the data; not with short_file */
    uint64_t dull_from;  /* from that byte on the COW has zeros or what the backing has; 0: none */
    uint64_t seed;
};

/* An image on disk, and what is true of it. */
struct model {
    struct model_spec spec;
    struct geometry geometry;
    char *cow_path;
    char *backing_path; /* NULL: none */
    uint8_t *dirty;     /* [sectors], 0 or 1; sectors without a bit are 0 */
    uint8_t *backing;   /* [backing_bytes] */
    uint8_t *cow;       /* [sectors * sector_bytes]: what the COW has, dirty or not */
    uint8_t *disk;      /* [size_bytes]: what the guest sees; of clean sectors the backing */
    bool tail_bits;     /* bits were written past the bitmap of a v1 or v2 */
};

/* Sectors of 512 bytes, an alignment of 4096 where there is one, a backing file as long as the disk; what
 * else it is to have is set in it. */
struct model_spec model_spec_of(enum cow_format format, uint64_t size_bytes, enum pattern pattern,
                                uint64_t seed);
struct model *model_create(const struct model_spec *spec);
void model_free(struct model *model);
/* Of the variant that it was made as. */
struct cow_image *model_opened(const struct model *m);
const char *model_describe(const struct model *model); /* for messages; a static buffer */

/* Reads the COW file anew with the model's own eyes, as the given variant, and composes its disk over the
 * file at backing_path (NULL: the stored path; a file that is not there gives zeros). NULL if its header is
 * not one (foreign magic, or the mark of an unfinished change). Freed with free(). */
uint8_t *model_compose(const char *cow_path, enum cow_format format, const char *backing_path,
                       uint64_t *size_bytes);

/* A header as the model reads it: only what decode by the table gives for a variant that is known. */
struct model_view {
    uint64_t size_bytes;
    uint32_t sector_bytes, alignment, mtime;
    char path[4097];
    struct geometry geometry;
};
bool model_read_header(struct model_view *out, const char *path, enum cow_format format);

/* An image in which nothing is dirty: a new file, all of it a hole but the header. No backing file is made.
 * Answers its geometry. */
struct geometry model_put_empty(const char *path, enum cow_format format, const char *stored,
                                uint64_t size_bytes, uint32_t sector_bytes, uint32_t alignment);
/* "m", such a v3 with sectors of 512 bytes, and "m.img", its backing file, a hole but for one byte. Answers
 * the path of the image, freed with free(). */
char *model_put_holes(struct geometry *geometry, uint64_t size_bytes);

/* Sets or clears these bits of the file's bitmap, as a guest would: by one write, and no data. */
void model_set_bits(const char *path, const struct geometry *geometry, uint64_t first, uint64_t count,
                    bool set);
/* Is this bit of the file's bitmap set? Reads the file. */
bool model_file_bit(const char *path, const struct geometry *geometry, uint64_t sector);

/* ---- opening ---- */

/* opt: NULL for none. It has to succeed. */
struct cow_image *image_opened(const char *path, const struct cow_open_options *opt);

/* ---- suites ---- */

Suite *arith_suite(void);
Suite *text_suite(void);
Suite *error_suite(void);
Suite *header_suite(void);
Suite *kernel_suite(void);
Suite *layout_suite(void);
Suite *bitmap_suite(void);
Suite *overlay_suite(void);
Suite *chain_suite(void);
Suite *image_suite(void);
Suite *verdict_suite(void);
Suite *plan_refusals_suite(void);
Suite *plan_resize_suite(void);
Suite *plan_create_suite(void);
Suite *commit_suite(void);
Suite *fault_suite(void);
Suite *record_suite(void);
Suite *family_record_suite(void);
Suite *resize_fs_suite(void);
Suite *writer_suite(void);
Suite *list_suite(void);
Suite *follow_suite(void);
Suite *history_suite(void);
Suite *history_logs_suite(void);
Suite *follow_job_suite(void);
Suite *journal_suite(void);
Suite *in_place_suite(void);
Suite *undo_suite(void);
Suite *shrink_suite(void);
Suite *recover_suite(void);
Suite *recover_others_suite(void);
Suite *lock_suite(void);
Suite *worlds_suite(void);
Suite *check_header_suite(void);
Suite *check_beside_suite(void);
Suite *check_backing_suite(void);
Suite *check_candidates_suite(void);
Suite *check_bits_suite(void);
Suite *check_repair_suite(void);
Suite *scan_suite(void);
Suite *rewrite_suite(void);
Suite *rewrite_refusals_suite(void);
Suite *rewrite_selection_suite(void);
Suite *siblings_suite(void);
Suite *merge_in_place_suite(void);
Suite *merge_in_place_faults_suite(void);
Suite *diff_suite(void);
Suite *foreign_suite(void);
Suite *promise_suite(void);
Suite *guestfs_parts_suite(void);
Suite *kinds_suite(void);
Suite *guestfs_content_suite(void);
Suite *guestfs_changes_suite(void);
Suite *guestfs_owners_suite(void);
Suite *guestfs_faults_suite(void);
Suite *paint_suite(void);
Suite *looking_suite(void);
Suite *cells_suite(void);
Suite *lesson_suite(void);
Suite *look_suite(void);
Suite *words_suite(void);
Suite *canvas_suite(void);
Suite *input_suite(void);
Suite *rescue_suite(void);
Suite *jobs_suite(void);
Suite *find_suite(void);
Suite *front_suite(void);
Suite *front_served_suite(void);
Suite *look_suite(void);
Suite *words_suite(void);
Suite *canvas_suite(void);

#endif
