/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a simulated disk holds at one moment: inodes with sparse contents, and names. A tree is copied in
 * microseconds, because contents and pages are shared until one of the copies writes. That is what makes a
 * hundred thousand crash states cheap.
 */
#ifndef CRASH_TREE_H
#define CRASH_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum {
    PAGE_BYTES = 4096,  /* what is allocated, and so the grain of holes */
    SECTOR_BYTES = 512, /* what the disk writes as a whole */
    TREE_INODES = 96,   /* an index is an identity: it is not used again before the next boot */
    TREE_ENTRIES = 96,
    TREE_DEVICES = 3,
    TREE_NAME_BYTES = 48,
    TREE_ROOT = 0,
    NO_INODE = 0xff,
};

struct page {
    unsigned refs;
    uint8_t bytes[PAGE_BYTES];
};

struct content;

/* What fsync of the file makes durable besides its bytes. */
struct facts {
    uint64_t size_bytes;
    struct timespec mtime;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    char xattr_name[16]; /* one extended attribute; "" = none */
    char xattr_value[16];
    uint32_t xattr_bytes;
};

enum inode_kind { INODE_FREE, INODE_FILE, INODE_DIRECTORY, INODE_LINK /* its content is an absolute path */ };

struct inode {
    enum inode_kind kind;
    uint64_t number; /* st_ino: the lowest free one, so numbers come back after a boot */
    uint8_t device;  /* that it lies on; files lie on their directory's */
    bool gone;       /* without a name, and closed: its number is free */
    bool has_past;   /* blocks behind its end that a longer one will show: a shift was cut off (shift.h) */
    struct facts facts;
    struct content *content; /* NULL: nothing allocated */
};

struct entry {
    uint8_t directory;
    uint8_t target;
    char name[TREE_NAME_BYTES];
};

/* A filesystem, and what it cannot do. Zeros: one that can do everything. */
struct device {
    uint8_t other_id;       /* what it says of itself is not what the first device says */
    unsigned granule_s;     /* of dates; 0: they are kept to the nanosecond */
    unsigned write_ms;      /* that a write takes; 0: none */
    bool no_links;          /* hard ones */
    bool no_directory_sync; /* fsync of a directory answers EINVAL */
};

struct tree {
    struct device device[TREE_DEVICES];
    struct inode inode[TREE_INODES];
    struct entry entry[TREE_ENTRIES];
    unsigned n_entries;
};

void tree_init(struct tree *tree);                        /* with an empty root directory */
void tree_copy(struct tree *to, const struct tree *from); /* to is not initialised before */
void tree_clear(struct tree *tree);
/* Forgets inodes without a name (but directories), and bytes past the end of files (but has_past). */
void tree_settle(struct tree *tree);

/* The same files under the same names. */
bool tree_same(const struct tree *a, const struct tree *b);
bool facts_same(const struct facts *a, const struct facts *b);

/* The index of a new inode with the lowest free number. */
uint8_t tree_make(struct tree *tree, enum inode_kind kind, mode_t mode);
/* A name that points to target (NO_INODE: is removed). */
void tree_set_entry(struct tree *tree, uint8_t directory, const char *name, uint8_t target);
uint8_t tree_lookup(const struct tree *tree, uint8_t directory, const char *name);
/* By absolute path; NO_INODE if it is not there. */
uint8_t tree_find(const struct tree *tree, const char *path);
/* The directory of path and the name in it; NO_INODE if there is no such directory. */
uint8_t tree_find_directory(const struct tree *tree, const char *path, const char **name);
unsigned tree_links(const struct tree *tree, uint8_t inode);
/* Where an entry's name stands: "/img/x.cow". Directories lie in the root. */
void tree_path_of(const struct tree *tree, const struct entry *entry, char out[2 * TREE_NAME_BYTES]);

/* Contents. Reading past the size gives zeros; size_bytes is the caller's business when writing. */
void inode_read(const struct inode *inode, uint64_t offset, void *buffer, size_t n_bytes);
void inode_write(struct inode *inode, uint64_t offset, const void *buffer, size_t n_bytes);
void inode_cut(struct inode *inode, uint64_t size_bytes); /* drops what lies behind; sets no size */
void inode_share(struct inode *to, const struct inode *from);
/* The page that holds offset, or NULL in a hole. */
struct page *inode_page(const struct inode *inode, uint64_t offset);
/* Takes a sector over from a page as it was once, into block `block` where none is allocated yet. */
void inode_put_sector(struct inode *inode, uint64_t sector, const struct page *page, uint64_t block);
/* The first byte at or after offset that is (data) or is not allocated; UINT64_MAX: none. */
uint64_t inode_next(const struct inode *inode, uint64_t offset, bool data);
uint64_t inode_allocated_bytes(const struct inode *inode);

/* Blocks. What is allocated lies in a block of the disk, whose number no other allocation has had; it keeps
 * it while pages move within the file, and in copies of the tree. */
uint64_t inode_block(const struct inode *inode, uint64_t offset); /* 0: a hole */
/* Where in the file a block lies now; UINT64_MAX: it is not the file's. */
uint64_t inode_find_block(const struct inode *inode, uint64_t block);
/* How many blocks of a that are not b's; b may be NULL. */
unsigned inode_other_blocks(const struct inode *a, const struct inode *b);
/* How many pages lie at or behind offset, and where the n-th of them (from 0) does. */
unsigned inode_pages_from(const struct inode *inode, uint64_t offset);
uint64_t inode_nth_page(const struct inode *inode, uint64_t offset, unsigned n);
/* Whole pages, bytes [begin, end), become a hole. */
void inode_drop(struct inode *inode, uint64_t begin, uint64_t end);
/* The pages in [begin, end) (UINT64_MAX: all from begin on) lie n_bytes further on, or back, where nothing is
 * in their way. n_bytes of whole pages. */
void inode_move(struct inode *inode, uint64_t begin, uint64_t end, uint64_t n_bytes, bool back);
bool inode_same_bytes(const struct inode *a, const struct inode *b, uint64_t from, uint64_t to);
/* The same at two places. Takes time for what is allocated only. */
bool inode_same_range(const struct inode *a, uint64_t a_at, const struct inode *b, uint64_t b_at,
                      uint64_t n_bytes);
bool inode_zero(const struct inode *inode, uint64_t from, uint64_t to);
void inode_forget(struct inode *inode); /* its contents, before an inode that is in no tree goes away */

struct page *page_ref(struct page *page);
void page_unref(struct page *page);

#endif
