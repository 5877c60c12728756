/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A line is one write to a file that is open for appending: lines of two programs do not mix, and the last
 * one before a crash is there.
 */
#include "front/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cow/text.h"

enum { LINE_BYTES = 1280 };

static const char beginning[] = "# cowtui trace\n";
static const struct {
    enum cow_trace what;
    const char *name;
} words[] = {{COW_TRACE_STEPS, "steps"}, {COW_TRACE_CALLS, "calls"}, {COW_TRACE_DECIDE, "decide"}};
enum { WORDS = sizeof words / sizeof words[0] };

static struct {
    unsigned traces; /* enum cow_trace, added; 0: nothing */
    int fd;
} trace;

static int read_words(const char *text, struct cow_error *err)
{
    while (*text != '\0') {
        size_t bytes = strcspn(text, ","), i = 0;

        while (i < WORDS && (strlen(words[i].name) != bytes || strncmp(words[i].name, text, bytes) != 0)) {
            i++;
        }
        if (i == WORDS && bytes > 0) {
            cow_error_set(err, COW_USAGE, "COWTUI_TRACE: \"%.*s\" is not known", (int)bytes, text);
            return cow_error_hint(err,
                                  "it is one or several of steps, calls and decide, with commas between");
        }
        trace.traces |= i < WORDS ? (unsigned)words[i].what : 0U;
        text += bytes + (text[bytes] == ',');
    }
    return 0;
}

/* Nobody's image gets lines at its end because its name has slipped into the variable. */
static int check_file(int fd, const char *path, struct cow_error *err)
{
    char held[sizeof beginning - 1];
    struct stat facts;

    if (fstat(fd, &facts) < 0) {
        return cow_error_system(err, errno, "%s", path);
    }
    if (!S_ISREG(facts.st_mode)) {
        return cow_error_set(err, COW_REFUSED, "%s: no regular file: a trace is not written there", path);
    }
    if (facts.st_size == 0) {
        return write(fd, beginning, sizeof held) == (ssize_t)sizeof held
                   ? 0
                   : cow_error_system(err, errno != 0 ? errno : EIO, "%s", path);
    }
    if (pread(fd, held, sizeof held, 0) == (ssize_t)sizeof held &&
        memcmp(held, beginning, sizeof held) == 0) {
        return 0;
    }
    cow_error_set(err, COW_REFUSED, "%s: holds something else than a trace: nothing is written to it", path);
    return cow_error_hint(err, "name a new file in COWTUI_TRACE_FILE");
}

static int open_file(const char *path, struct cow_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);

    if (fd < 0) {
        return cow_error_system(err, errno, "%s", path);
    }
    int status = check_file(fd, path, err);
    if (status != 0) {
        close(fd);
    } else {
        trace.fd = fd;
    }
    return status;
}

int front_trace_open(bool has_screen, struct cow_error *err)
{
    const char *asked = getenv("COWTUI_TRACE"), *path = getenv("COWTUI_TRACE_FILE");
    int status = asked != NULL ? read_words(asked, err) : 0;

    trace.fd = STDERR_FILENO;
    if (status != 0 || trace.traces == 0) {
        return status;
    }
    if (path != NULL && *path != '\0') {
        return open_file(path, err);
    }
    if (!has_screen) {
        return 0;
    }
    cow_error_set(err, COW_USAGE, "COWTUI_TRACE: the screen runs where the trace would go");
    return cow_error_hint(err, "name a file in COWTUI_TRACE_FILE");
}

static void write_line(void *context, enum cow_trace what, const char *text)
{
    char line[LINE_BYTES];
    const char *name = "";
    struct timespec now;
    struct tm parts;

    (void)context;
    for (size_t i = 0; i < WORDS; i++) {
        name = words[i].what == what ? words[i].name : name;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t used = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &parts);
    int n = snprintf(line + used, sizeof line - used - 1, ".%03ldZ %ld %s: %s", now.tv_nsec / 1000000,
                     (long)getpid(), name, text);
    used += n < 0 ? 0 : (size_t)n < sizeof line - used - 1 ? (size_t)n : sizeof line - used - 2;
    line[used++] = '\n';
    if (write(trace.fd, line, used) < 0) {
        trace.traces = 0; /* a full disk, a reader that is gone: the change goes on without */
    }
}

void front_trace(struct cow_env *env)
{
    env->traces = trace.traces;
    env->trace = trace.traces != 0 ? write_line : NULL;
}
