/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Helpers that know nothing of COW images: generator, scratch directories, files and their witnesses. The
 * model is in model.c.
 */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- assertions ---- */

/* A second opinion on what cow_escape lets through: well-formed UTF-8 by RFC 3629, no C0, DEL or C1, nothing
 * that turns the direction of text. */
bool is_terminal_safe(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    while (*s != 0) {
        uint32_t code;
        unsigned more;
        if (*s < 0x80) {
            code = *s;
            more = 0;
        } else if (*s >= 0xc2 && *s <= 0xdf) {
            code = *s & 0x1fu;
            more = 1;
        } else if ((*s & 0xf0) == 0xe0) {
            code = *s & 0x0fu;
            more = 2;
        } else if (*s >= 0xf0 && *s <= 0xf4) {
            code = *s & 0x07u;
            more = 3;
        } else {
            return false;
        }
        const unsigned length = more + 1;
        for (s++; more > 0; more--, s++) {
            if (*s < 0x80 || *s > 0xbf) {
                return false;
            }
            code = code << 6 | (*s & 0x3fu);
        }
        if ((length == 3 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff))) ||
            (length == 4 && (code < 0x10000 || code > 0x10ffff)) || code < 0x20 ||
            (code >= 0x7f && code < 0xa0) || (code >= 0x202a && code <= 0x202e) ||
            (code >= 0x2066 && code <= 0x2069)) {
            return false;
        }
    }
    return true;
}

void check_failure(int status, int wanted, const struct cow_error *err, const char *where)
{
    must(status == wanted, "%s: %d instead of %d (%s)", where, status, wanted, err->message);
    must(err->status == wanted, "%s: err->status is %d", where, err->status);
    must(err->message[0] != '\0', "%s: no message", where);
    must(is_terminal_safe(err->message), "%s: message is not safe: %s", where, err->message);
    must(is_terminal_safe(err->hint), "%s: hint is not safe: %s", where, err->hint);
}

/* ---- generator ---- */

uint64_t rng_next(struct rng *rng) /* splitmix64 */
{
    rng->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = rng->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *rng, uint64_t limit)
{
    return rng_next(rng) % limit;
}

void rng_fill(struct rng *rng, uint8_t *bytes, size_t n_bytes)
{
    while (n_bytes > 0) {
        uint64_t value = rng_next(rng);
        size_t n = n_bytes < sizeof value ? n_bytes : sizeof value;
        memcpy(bytes, &value, n);
        bytes += n;
        n_bytes -= n;
    }
}

/* ---- scratch directories ---- */

static char scratch[PATH_MAX];
static char directory[PATH_MAX + 32];

void scratch_create(void)
{
    const char *base = getenv("TMPDIR");
    char named[PATH_MAX];
    snprintf(named, sizeof named, "%s/cowtui-unit-XXXXXX", base != NULL && *base != '\0' ? base : "/tmp");
    if (mkdtemp(named) == NULL || realpath(named, scratch) == NULL) {
        perror(named);
        exit(EXIT_FAILURE);
    }
}

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *walk)
{
    (void)facts;
    (void)walk;
    return kind == FTW_DP || kind == FTW_D ? rmdir(path) : unlink(path);
}

void remove_tree(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void scratch_remove(void)
{
    remove_tree(scratch);
}

void test_directory_setup(void)
{
    snprintf(directory, sizeof directory, "%s/test-XXXXXX", scratch);
    must(mkdtemp(directory) != NULL, "%s: %s", directory, strerror(errno));
}

const char *test_directory(void)
{
    return directory;
}

void test_directory_clear(void)
{
    remove_tree(test_directory());
    must(mkdir(test_directory(), 0700) == 0, "mkdir");
}

char *test_path(const char *name)
{
    char *path;
    must(asprintf(&path, "%s/%s", directory, name) > 0, "out of memory");
    return path;
}

static int not_dots(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

char *directory_list(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, not_dots, alphasort);
    must(n >= 0, "%s: %s", path, strerror(errno));
    char *text = NULL;
    size_t text_bytes;
    FILE *out = open_memstream(&text, &text_bytes);
    must(out != NULL, "out of memory");
    for (int i = 0; i < n; i++) {
        fprintf(out, i == 0 ? "%s" : " %s", entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    fclose(out);
    return text;
}

/* ---- processes ---- */

unsigned open_files(void)
{
    unsigned n = 0;
    DIR *descriptors = opendir("/proc/self/fd");
    must(descriptors != NULL, "/proc/self/fd");
    while (readdir(descriptors) != NULL) {
        n++;
    }
    closedir(descriptors);
    return n;
}

/* The child says when it has the lock, and waits to be told to go. */
pid_t hold_lock(const char *path, short type, int *go)
{
    int ready[2], leave[2];
    must(pipe(ready) == 0 && pipe(leave) == 0, "pipe");
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        char byte;
        struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
        int fd = open(path, O_RDWR);
        close(leave[1]);
        if (fd < 0 || fcntl(fd, F_SETLK, &lock) < 0 || write(ready[1], "x", 1) != 1) {
            _exit(1);
        }
        _exit(read(leave[0], &byte, 1) < 0);
    }
    char byte;
    close(ready[1]);
    close(leave[0]);
    must(read(ready[0], &byte, 1) == 1, "the child has no lock");
    close(ready[0]);
    *go = leave[1];
    return pid;
}

/* ---- files ---- */

static int open_file(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0644);
    must(fd >= 0, "%s: %s", path, strerror(errno));
    return fd;
}

static void write_all(int fd, const char *path, uint64_t offset, const void *bytes, size_t n_bytes)
{
    for (size_t done = 0; done < n_bytes;) {
        ssize_t n = pwrite(fd, (const char *)bytes + done, n_bytes - done, (off_t)(offset + done));
        must(n > 0, "%s: %s", path, strerror(errno));
        done += (size_t)n;
    }
}

void file_write(const char *path, const void *bytes, size_t n_bytes)
{
    unlink(path); /* and not O_TRUNC, which ext4 takes for a reason to write everything back at once */
    int fd = open_file(path, O_WRONLY | O_CREAT | O_EXCL);
    write_all(fd, path, 0, bytes, n_bytes);
    close(fd);
}

void file_write_at(const char *path, uint64_t offset, const void *bytes, size_t n_bytes)
{
    int fd = open_file(path, O_WRONLY | O_CREAT);
    write_all(fd, path, offset, bytes, n_bytes);
    close(fd);
}

int file_open_to_write(const char *path)
{
    return open_file(path, O_WRONLY | O_CREAT);
}

void file_write_to(int fd, uint64_t offset, const void *bytes, size_t n_bytes)
{
    write_all(fd, "writing", offset, bytes, n_bytes);
}

void file_truncate(const char *path, uint64_t size_bytes)
{
    int fd = open_file(path, O_WRONLY | O_CREAT);
    must(ftruncate(fd, (off_t)size_bytes) == 0, "%s: %s", path, strerror(errno));
    close(fd);
}

void file_set_mtime(const char *path, int64_t seconds)
{
    const struct timespec times[2] = {{.tv_sec = (time_t)seconds}, {.tv_sec = (time_t)seconds}};
    must(utimensat(AT_FDCWD, path, times, 0) == 0, "%s: %s", path, strerror(errno));
}

static struct stat facts_of(const char *path)
{
    struct stat facts;
    must(stat(path, &facts) == 0, "%s: %s", path, strerror(errno));
    return facts;
}

uint64_t file_size(const char *path)
{
    return (uint64_t)facts_of(path).st_size;
}

int64_t file_mtime(const char *path)
{
    return facts_of(path).st_mtim.tv_sec;
}

ino_t file_inode(const char *path)
{
    return facts_of(path).st_ino;
}

bool file_exists(const char *path)
{
    struct stat facts;
    return lstat(path, &facts) == 0;
}

static size_t read_some(int fd, uint64_t offset, void *bytes, size_t n_bytes)
{
    size_t done = 0;
    ssize_t n = 1;
    while (done < n_bytes && n > 0) {
        n = pread(fd, (char *)bytes + done, n_bytes - done, (off_t)(offset + done));
        must(n >= 0, "reading: %s", strerror(errno));
        done += (size_t)n;
    }
    return done;
}

void file_read(const char *path, uint64_t offset, void *bytes, size_t n_bytes)
{
    int fd = open_file(path, O_RDONLY);
    size_t done = read_some(fd, offset, bytes, n_bytes);
    memset((char *)bytes + done, 0, n_bytes - done);
    close(fd);
}

/* ---- witnesses ---- */

/* A sum of all that is not zero, with its place, so that holes cost nothing and do not count. */
static uint64_t sum_of(const char *path)
{
    uint64_t sum = 0;
    uint8_t block[65536];
    int fd = open_file(path, O_RDONLY);
    for (off_t at = lseek(fd, 0, SEEK_DATA); at >= 0; at = lseek(fd, at, SEEK_DATA)) {
        at -= at % (off_t)sizeof block;
        size_t n = read_some(fd, (uint64_t)at, block, sizeof block);
        memset(block + n, 0, sizeof block - n);
        for (size_t i = 0; i < sizeof block; i += 8) {
            uint64_t word;
            memcpy(&word, block + i, 8);
            if (word != 0) {
                struct rng rng = {word ^ ((uint64_t)at + i) * UINT64_C(0x9e3779b97f4a7c15)};
                sum += rng_next(&rng);
            }
        }
        at += (off_t)sizeof block;
    }
    close(fd);
    return sum;
}

struct witness witness_of(const char *path)
{
    struct witness witness = {.facts = facts_of(path), .sum = sum_of(path)};
    must(strlen(path) < sizeof witness.path, "%s: too long", path);
    snprintf(witness.path, sizeof witness.path, "%s", path);
    return witness;
}

bool witness_same_content(const struct witness *witness)
{
    struct stat facts;
    return stat(witness->path, &facts) == 0 && facts.st_size == witness->facts.st_size &&
           sum_of(witness->path) == witness->sum;
}

void witness_check(const struct witness *witness, const char *where)
{
    struct stat now = facts_of(witness->path);
    const struct stat *then = &witness->facts;
    must(now.st_ino == then->st_ino && now.st_dev == then->st_dev, "%s: %s is another file now", where,
         witness->path);
    must(now.st_size == then->st_size, "%s: the size of %s changed", where, witness->path);
    must(now.st_mtim.tv_sec == then->st_mtim.tv_sec && now.st_mtim.tv_nsec == then->st_mtim.tv_nsec,
         "%s: the mtime of %s changed", where, witness->path);
    must(now.st_mode == then->st_mode && now.st_uid == then->st_uid, "%s: mode or owner of %s changed", where,
         witness->path);
    must(sum_of(witness->path) == witness->sum, "%s: the content of %s changed", where, witness->path);
}

/* ---- opening ---- */

struct cow_image *image_opened(const char *path, const struct cow_open_options *opt)
{
    struct cow_image *img;
    struct cow_error err = {.status = 0};
    must_succeed(cow_image_open(&img, path, opt, &err), err);
    return img;
}

struct cow_image *model_opened(const struct model *m)
{
    struct cow_image *img;
    struct cow_error err = {.status = 0};
    int status = cow_image_open(&img, m->cow_path, NULL, &err);
    must(status == 0, "%s: %s", model_describe(m), err.message);
    must(cow_image_header(img)->format == m->spec.format, "%s: taken for %s", model_describe(m),
         cow_format_name(cow_image_header(img)->format));
    return img;
}
