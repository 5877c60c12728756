/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The scratch directory, and the guard around it: the linker leads every call of the program that could write
 * to a file by its name through here (Makefile, FUZZER_WRAPS). What lies elsewhere is refused, and
 * remembered.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzzer.h"

enum { OUTSIDE_FILES = 2, SECONDS_OUTSIDE = 1234567890 };

static char top[PATH_MAX], directory[PATH_MAX];
static const char *const outside_names[OUTSIDE_FILES] = {"notes.txt", "other.cow"};
static struct stat outside_facts[OUTSIDE_FILES];
static char refused[PATH_MAX];

/* ---- the guard ---- */

int __real_open(const char *path, int flags, ...);
FILE *__real_fopen(const char *path, const char *mode);
int __real_rename(const char *from, const char *to);
int __real_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int __real_link(const char *from, const char *to);
int __real_unlink(const char *path);
int __wrap_open(const char *path, int flags, ...);
FILE *__wrap_fopen(const char *path, const char *mode);
int __wrap_rename(const char *from, const char *to);
int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int __wrap_link(const char *from, const char *to);
int __wrap_unlink(const char *path);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_symlink(const char *target, const char *path);
int __wrap_posix_spawnp(pid_t *pid, const char *file, const void *actions, const void *attributes,
                        char *const *argv, char *const *envp);

static bool climbs(const char *path)
{
    for (const char *at = strstr(path, ".."); at != NULL; at = strstr(at + 1, "..")) {
        if ((at == path || at[-1] == '/') && (at[2] == '\0' || at[2] == '/')) {
            return true;
        }
    }
    return false;
}

static bool lies_below(const char *path, const char *where)
{
    const size_t length = strlen(where);
    return length > 0 && strncmp(path, where, length) == 0 && (path[length] == '/' || path[length] == '\0') &&
           !climbs(path);
}

/* May a file of that name be written? libFuzzer keeps what it finds below FUZZ_KEEP. */
static bool allowed(const char *path)
{
    const char *keep = getenv("FUZZ_KEEP");
    if (directory[0] == '\0' || lies_below(path, directory) || (path[0] != '/' && !climbs(path)) ||
        strcmp(path, "/dev/null") == 0 || (keep != NULL && lies_below(path, keep))) {
        return true;
    }
    snprintf(refused, sizeof refused, "%s", path);
    errno = EACCES;
    return false;
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    const mode_t mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(list, mode_t) : 0;
    va_end(list);
    const bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0;
    return writes && !allowed(path) ? -1 : __real_open(path, flags, mode);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    return (mode[0] != 'r' || strchr(mode, '+') != NULL) && !allowed(path) ? NULL : __real_fopen(path, mode);
}

int __wrap_rename(const char *from, const char *to)
{
    return allowed(from) && allowed(to) ? __real_rename(from, to) : -1;
}

int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    return allowed(from) && allowed(to) ? __real_renameat2(from_fd, from, to_fd, to, flags) : -1;
}

int __wrap_link(const char *from, const char *to)
{
    return allowed(from) && allowed(to) ? __real_link(from, to) : -1;
}

int __wrap_unlink(const char *path)
{
    return allowed(path) ? __real_unlink(path) : -1;
}

/* Directories, links and other programs have no part in any target. */
int __wrap_mkdir(const char *path, mode_t mode)
{
    (void)path;
    (void)mode;
    errno = EACCES;
    return -1;
}

int __wrap_symlink(const char *target, const char *path)
{
    (void)target;
    return __wrap_mkdir(path, 0);
}

int __wrap_posix_spawnp(pid_t *pid, const char *file, const void *actions, const void *attributes,
                        char *const *argv, char *const *envp)
{
    (void)pid;
    (void)file;
    (void)actions;
    (void)attributes;
    (void)argv;
    (void)envp;
    return ENOENT;
}

/* ---- the directory ---- */

static void remove_all(const char *path)
{
    char name[PATH_MAX + 300];
    DIR *stream = opendir(path);
    for (struct dirent *entry; stream != NULL && (entry = readdir(stream)) != NULL;) {
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && __real_unlink(name) != 0) {
            remove_all(name);
            rmdir(name);
        }
    }
    if (stream != NULL) {
        closedir(stream);
    }
}

static void leave(void)
{
    if (chdir("/") == 0) {
        remove_all(top);
        rmdir(top);
    }
}

static void make_directories(void)
{
    const char *where = getenv("FUZZ_SCRATCH");
    char path[PATH_MAX + 16];
    snprintf(top, sizeof top, "%s/fuzz.XXXXXX", where != NULL ? where : "/tmp");
    if (mkdtemp(top) == NULL) {
        perror(top);
        exit(2);
    }
    atexit(leave);
    for (size_t i = 0; i < OUTSIDE_FILES; i++) {
        FILE *file = __real_fopen(outside_path(outside_names[i]), "w");
        MUST(file != NULL && fputs("not to be touched\n", file) > 0 && fclose(file) == 0);
        MUST(stat(outside_path(outside_names[i]), &outside_facts[i]) == 0);
    }
    snprintf(path, sizeof path, "%s/in", top);
    /* A directory of the harness, not of the guarded program. */
    MUST(mkdirat(AT_FDCWD, path, 0700) == 0 && chdir(path) == 0 && realpath(path, directory) != NULL);
    setenv("TMPDIR", directory, 1);
    setenv("HOME", directory, 1);
    unsetenv("XDG_STATE_HOME");
    unsetenv("XDG_CONFIG_HOME");
}

void scratch_begin(void)
{
    if (top[0] == '\0') {
        make_directories();
    }
    remove_all(directory);
    refused[0] = '\0';
}

static const char *path_in(const char *where, const char *name)
{
    static char paths[8][PATH_MAX + 300];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", where, name);
    return path;
}

const char *scratch_path(const char *name)
{
    return path_in(directory, name);
}

const char *outside_path(const char *name)
{
    return path_in(top, name);
}

void scratch_check_outside(void)
{
    for (size_t i = 0; i < OUTSIDE_FILES; i++) {
        struct stat now;
        MUST(stat(outside_path(outside_names[i]), &now) == 0);
        MUST(now.st_ino == outside_facts[i].st_ino && now.st_size == outside_facts[i].st_size &&
             now.st_ctim.tv_sec == outside_facts[i].st_ctim.tv_sec &&
             now.st_ctim.tv_nsec == outside_facts[i].st_ctim.tv_nsec);
    }
}

void scratch_check(void)
{
    if (refused[0] != '\0') {
        fprintf(stderr, "fuzz: outside of the scratch directory: %s\n", refused);
    }
    MUST(refused[0] == '\0');
    scratch_check_outside();
}

/* ---- files ---- */

static void write_bytes(const char *name, int flags, uint64_t offset, const void *bytes, size_t n_bytes)
{
    const int fd = __real_open(name, O_WRONLY | O_CLOEXEC | flags, 0600);
    MUST(fd >= 0 && pwrite(fd, bytes, n_bytes, (off_t)offset) == (ssize_t)n_bytes && close(fd) == 0);
}

void file_make(const char *name, const void *bytes, size_t n_bytes)
{
    write_bytes(name, O_CREAT | O_TRUNC, 0, bytes, n_bytes);
}

void file_put(const char *name, uint64_t offset, const void *bytes, size_t n_bytes)
{
    write_bytes(name, 0, offset, bytes, n_bytes);
}

int64_t file_length(const char *name)
{
    struct stat facts;
    return stat(name, &facts) == 0 ? (int64_t)facts.st_size : -1;
}

void file_date(const char *name, int64_t seconds)
{
    const struct timespec times[2] = {{.tv_sec = (time_t)seconds}, {.tv_sec = (time_t)seconds}};
    MUST(utimensat(AT_FDCWD, name, times, 0) == 0);
}

/* ---- snapshots ---- */

static uint8_t *read_file(const char *name, struct stat *facts)
{
    const int fd = __real_open(name, O_RDONLY | O_CLOEXEC);
    MUST(fd >= 0 && fstat(fd, facts) == 0);
    uint8_t *bytes = malloc((size_t)facts->st_size + 1);
    MUST(bytes != NULL && read(fd, bytes, (size_t)facts->st_size) == facts->st_size && close(fd) == 0);
    return bytes;
}

void snapshot_take(struct snapshot *out)
{
    DIR *stream = opendir(".");
    out->n_files = 0;
    MUST(stream != NULL);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        struct snapshot_file *file = &out->file[out->n_files];
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            MUST(out->n_files < SNAPSHOT_FILES && strlen(entry->d_name) < sizeof file->name);
            strcpy(file->name, entry->d_name);
            file->bytes = read_file(file->name, &file->facts);
            out->n_files++;
        }
    }
    closedir(stream);
}

void snapshot_free(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->n_files; i++) {
        free(snapshot->file[i].bytes);
    }
    snapshot->n_files = 0;
}

void snapshot_restore(const struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->n_files; i++) {
        const struct snapshot_file *file = &snapshot->file[i];
        const struct timespec times[2] = {file->facts.st_mtim, file->facts.st_mtim};
        file_make(file->name, file->bytes, (size_t)file->facts.st_size);
        MUST(chmod(file->name, file->facts.st_mode & 07777) == 0 &&
             utimensat(AT_FDCWD, file->name, times, 0) == 0);
    }
}

bool snapshot_same(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot->n_files; i++) {
        const struct snapshot_file *file = &snapshot->file[i];
        if (strcmp(file->name, name) == 0) {
            struct stat facts;
            if (stat(name, &facts) != 0 || facts.st_size != file->facts.st_size ||
                facts.st_mtim.tv_sec != file->facts.st_mtim.tv_sec ||
                facts.st_mtim.tv_nsec != file->facts.st_mtim.tv_nsec) {
                return false;
            }
            uint8_t *bytes = read_file(name, &facts);
            const bool same = memcmp(bytes, file->bytes, (size_t)facts.st_size) == 0;
            free(bytes);
            return same;
        }
    }
    return file_length(name) < 0;
}

bool snapshot_all_same(const struct snapshot *snapshot)
{
    struct snapshot now;
    snapshot_take(&now);
    bool same = now.n_files == snapshot->n_files;
    snapshot_free(&now);
    for (size_t i = 0; same && i < snapshot->n_files; i++) {
        same = snapshot_same(snapshot, snapshot->file[i].name);
    }
    return same;
}
