/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The order: a table that grows first, then the filesystem; one that becomes smaller the other way round. The
 * table is changed on the whole disk, the filesystem on the part that it lies in, each served for that.
 */
#include "front/resize_fs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/disk_file.h"
#include "front/tools.h"

enum {
    SECTOR_BYTES = 512,
    FSCK_CORRECTED = 1, /* e2fsck: what it found it has mended */
    BY_SIGNAL = 128,    /* as front_run tells it */
    SCRIPT_BYTES = 64,
};

/* What `sfdisk --dump` says of one partition: "/dir/nbd2 : start= 2048, size= 8192, type=83". */
struct dump {
    unsigned partition;         /* 0: nobody asks */
    uint64_t first_byte, bytes; /* 0: it is not listed */
};

/* One job under way. */
struct work {
    const struct cow_fs_job *job;
    const struct front_fs_watch *watch;
    const char *program;
    const char *path;                 /* of the disk, as it is told */
    char line[COW_MESSAGE_BYTES / 2]; /* that it said last */
    char word[COW_MESSAGE_BYTES / 2]; /* the last line that says what is wrong */
    struct dump dump;
    uint64_t part_bytes; /* of the partition, as the table has it now; 0: the whole disk */
    struct cow_error *err;
};

static void take_dump(struct dump *dump, const char *line)
{
    const char *colon = strstr(line, " : start="), *size = strstr(line, "size=");
    const char *digits = colon;
    uint64_t start, sectors;

    while (digits != NULL && digits > line && digits[-1] >= '0' && digits[-1] <= '9') {
        digits--;
    }
    if (colon == NULL || size == NULL || strtoul(digits, NULL, 10) != dump->partition ||
        sscanf(colon, " : start= %" SCNu64, &start) != 1 || sscanf(size, "size= %" SCNu64, &sectors) != 1) {
        return;
    }
    dump->first_byte = start * SECTOR_BYTES;
    dump->bytes = sectors * SECTOR_BYTES;
}

/* e2fsck ends with two lines that say the same of every damage; of what fails it and resize2fs say "ERROR
 * while DOING", but what they said before may come after that, from their buffers. Where the disk is for this
 * moment does not matter to anybody. */
static void take_word(struct work *w, const char *line)
{
    const size_t n = strlen(w->path);

    if (strncmp(line, w->path, n) == 0 && strncmp(line + n, ": ", 2) == 0) {
        line += n + 2;
    }
    if (strstr(w->word, " while ") == NULL && strstr(line, "UNEXPECTED INCONSISTENCY") == NULL &&
        strstr(line, "without -a or -p options") == NULL) {
        snprintf(w->word, sizeof w->word, "%s", line);
    }
}

static void on_line(void *context, const char *line)
{
    struct work *w = context;

    snprintf(w->line, sizeof w->line, "%s", line);
    take_word(w, line);
    if (w->dump.partition != 0) {
        take_dump(&w->dump, line);
    }
}

static bool wants_stop(void *context)
{
    struct work *w = context;

    return w->watch != NULL && w->watch->wants_stop != NULL &&
           w->watch->wants_stop(w->watch->context, w->program, w->line);
}

/* Why a program failed: by what it says, its disk, or what is on that. */
static int tell_failure(const struct work *w, int code)
{
    const bool is_io = code > BY_SIGNAL || strstr(w->word, strerror(ENOSPC)) != NULL ||
                       strstr(w->word, strerror(EIO)) != NULL;
    char by[32] = "it failed without a word";

    if (code > BY_SIGNAL) {
        snprintf(by, sizeof by, "ended by signal %d", code - BY_SIGNAL);
    }
    cow_error_set(w->err, is_io ? COW_IO : COW_REFUSED, "%s: %s: %s", w->job->image_path, w->program,
                  code > BY_SIGNAL || *w->word == '\0' ? by : w->word);
    return cow_error_hint(w->err, "nothing has changed%s",
                          is_io ? ""
                                : "; boot the guest and let it check its disk, or resize the disk alone");
}

/* Runs a program on the disk, with something to read; it may answer up to good with its exit code. */
static int run(struct work *w, const struct disk_file *file, const char *const *argv, const char *input,
               int good)
{
    int code, status;
    const struct front_command command = {.argv = argv,
                                          .fds = file->fds,
                                          .n_fds = file->n_fds,
                                          .input = input,
                                          .on_line = on_line,
                                          .context = w};

    w->program = argv[0];
    w->path = file->path;
    w->line[0] = w->word[0] = '\0';
    status = front_run(&code, NULL, &command, wants_stop, w->err);
    if (status != 0) {
        return status;
    }
    if (wants_stop(w)) { /* it was faster than the question is asked */
        return cow_error_set(w->err, COW_CANCELLED, "cancelled behind %s", w->program);
    }
    return code <= good ? 0 : tell_failure(w, code);
}

/* ---- the table ---- */

static int read_part(struct work *w, const struct disk_file *file)
{
    const char *const argv[] = {"sfdisk", "--dump", file->path, NULL};
    int status;

    w->dump = (struct dump){.partition = w->job->partition};
    status = run(w, file, argv, NULL, 0);
    if (status == 0 && (w->dump.bytes == 0 || w->dump.first_byte != w->job->first_byte)) {
        status = cow_error_set(w->err, COW_IO, "%s: sfdisk does not tell where partition %u lies",
                               w->job->image_path, w->job->partition);
    }
    w->part_bytes = w->dump.bytes;
    w->dump.partition = 0;
    return status;
}

/* Gives a partition its new length: all that follows it, or so many bytes. */
static int set_part(struct work *w, const struct disk_file *file, unsigned partition, uint64_t n_bytes)
{
    char number[16], script[SCRIPT_BYTES] = ", +\n";
    const char *const argv[] = {"sfdisk", "--quiet", "--no-reread", "--no-tell-kernel",
                                "-N",     number,    file->path,    NULL};

    snprintf(number, sizeof number, "%u", partition);
    if (n_bytes != 0) {
        snprintf(script, sizeof script, ", %" PRIu64 "\n", n_bytes / SECTOR_BYTES);
    }
    return run(w, file, argv, script, 0);
}

/* Before the filesystem: a table that grows; else only where the partition lies. */
static int prepare_table(struct work *w)
{
    const struct cow_fs_job *job = w->job;
    struct disk_file file;
    int status = disk_file_open(&file, job, 0, 0, w->err);

    if (status != 0) {
        return status;
    }
    if (job->new_disk_bytes >= job->disk_bytes) {
        if (job->is_gpt) {
            const char *const argv[] = {"sfdisk",     "--quiet",     "--no-reread", "--no-tell-kernel",
                                        "--relocate", "gpt-bak-std", file.path,     NULL};
            status = run(w, &file, argv, NULL, 0);
        }
        if (status == 0 && job->container != 0) {
            status = set_part(w, &file, job->container, 0);
        }
        if (status == 0) {
            status = set_part(w, &file, job->partition, 0);
        }
    }
    if (status == 0) {
        status = read_part(w, &file);
    }
    return disk_file_close(&file, status, w->err);
}

/* After it: one that becomes smaller. */
static int shorten_table(struct work *w)
{
    const struct cow_fs_job *job = w->job;
    struct disk_file file;
    int status;

    if (job->first_byte + w->part_bytes <= job->new_disk_bytes) {
        return 0;
    }
    status = disk_file_open(&file, job, 0, 0, w->err);
    if (status != 0) {
        return status;
    }
    status = set_part(w, &file, job->partition, job->new_disk_bytes - job->first_byte);
    return disk_file_close(&file, status, w->err);
}

/* ---- the filesystem ---- */

static int resize_content(struct work *w)
{
    const struct cow_fs_job *job = w->job;
    struct disk_file file;
    char size[32];
    int status = disk_file_open(&file, job, w->part_bytes != 0 ? job->first_byte : 0, w->part_bytes, w->err);

    if (status != 0) {
        return status;
    }
    const char *const check[] = {"e2fsck", "-f", "-p", file.path, NULL};
    const char *const resize[] = {"resize2fs", "-p", file.path, job->fs_bytes != 0 ? size : NULL, NULL};

    snprintf(size, sizeof size, "%" PRIu64 "s", job->fs_bytes / SECTOR_BYTES);
    status = run(w, &file, check, NULL, FSCK_CORRECTED);
    if (status == 0) {
        status = run(w, &file, resize, NULL, 0);
    }
    return disk_file_close(&file, status, w->err);
}

int front_need_resize_fs(bool *copies, struct cow_error *err)
{
    char path[4096];
    int status = front_need_tool(path, sizeof path, "e2fsck", err);

    if (status == 0) {
        status = front_need_tool(path, sizeof path, "resize2fs", err);
    }
    *copies = !disk_file_is_served();
    return status;
}

int front_resize_fs(const struct cow_fs_job *job, const struct front_fs_watch *watch, struct cow_error *err)
{
    struct work w = {.job = job, .watch = watch, .err = err};
    int status = job->partition != 0 ? prepare_table(&w) : 0;

    if (status == 0) {
        status = resize_content(&w);
    }
    if (status == 0 && job->partition != 0) {
        status = shorten_table(&w);
    }
    return status;
}
