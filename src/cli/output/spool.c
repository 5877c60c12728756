/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The temporary file has no name, so nothing of it stays, however the program ends. tmpfile() would do, but
 * it ignores TMPDIR.
 */
#include "cli/output/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <unistd.h>

/* For file systems without O_TMPFILE: a name that lives for a moment. */
static int open_and_unlink(const char *directory)
{
    char path[PATH_MAX];
    int fd;

    if (snprintf(path, sizeof path, "%s/cowtui.XXXXXX", directory) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) {
        unlink(path);
    }
    return fd;
}

static int open_spool(FILE **out, struct cow_error *err)
{
    const char *directory = getenv("TMPDIR");
    FILE *file;
    int fd;

    if (directory == NULL || *directory == '\0') {
        directory = "/tmp";
    }
    fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        fd = open_and_unlink(directory);
    }
    if (fd < 0) {
        return cow_error_system(err, errno, "temporary file in %s", directory);
    }
    file = fdopen(fd, "w+");
    if (file == NULL) {
        int saved = errno;

        close(fd);
        return cow_error_system(err, saved, "temporary file in %s", directory);
    }
    __fsetlocking(file, FSETLOCKING_BYCALLER); /* there is one thread; JSON is written in small pieces */
    *out = file;
    return 0;
}

static int print_spool(FILE *spool, struct cow_error *err)
{
    char buffer[16384];
    size_t n;

    if (fflush(spool) != 0 || ferror(spool) != 0) {
        return cow_error_system(err, errno != 0 ? errno : EIO, "temporary file");
    }
    rewind(spool);
    while ((n = fread(buffer, 1, sizeof buffer, spool)) > 0) {
        if (fwrite(buffer, 1, n, stdout) != n) {
            return cow_error_system(err, errno != 0 ? errno : EIO, "standard output");
        }
    }
    return ferror(spool) != 0 ? cow_error_system(err, EIO, "temporary file") : 0;
}

int cli_spool(int (*fill)(FILE *spool, const void *context, struct cow_error *err), const void *context,
              struct cow_error *err)
{
    FILE *spool = NULL;
    int status = open_spool(&spool, err);

    if (status != 0) {
        return status;
    }
    status = fill(spool, context, err);
    if (status == 0) {
        status = print_spool(spool, err);
    }
    fclose(spool);
    return status;
}
