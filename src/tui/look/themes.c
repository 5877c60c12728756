/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See themes.h. A file is opened so that nothing that stands in its place can hold us: a FIFO without a
 * writer, a terminal, a directory, or one without an end.
 */
#include "tui/look/themes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cow/text.h"
#include "tui/look/shipped.h"
#include "tui/look/theme_text.h"

static const char suffix[] = ".theme";

enum { PLACES = 2, SUFFIX = sizeof suffix - 1 };

/* Returns false if there is no such place. */
static bool find_users_place(char *out)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int n = -1;

    if (config != NULL && config[0] == '/') { /* a relative one is to be ignored, says the specification */
        n = snprintf(out, PATH_MAX, "%s/cowtui/themes", config);
    } else if (home != NULL && home[0] == '/') {
        n = snprintf(out, PATH_MAX, "%s/.config/cowtui/themes", home);
    }
    return n > 0 && n < PATH_MAX;
}

static bool find_shared_place(char *out)
{
    char own[PATH_MAX];
    ssize_t bytes = readlink("/proc/self/exe", own, sizeof own - 1);

    own[bytes > 0 ? bytes : 0] = '\0';
    if (strrchr(own, '/') == NULL) {
        return false;
    }
    *strrchr(own, '/') = '\0';
    int n = snprintf(out, PATH_MAX, "%s/../share/cowtui/themes", own);
    return n > 0 && n < PATH_MAX;
}

static bool (*const places[PLACES])(char *out) = {find_users_place, find_shared_place};

/* ---- one file ---- */

static int read_open_file(char *text, int fd, const char *told, struct cow_error *err)
{
    struct stat facts;
    size_t n = 0;
    ssize_t one = 1;

    if (fstat(fd, &facts) != 0) {
        return cow_error_system(err, errno, "%s", told);
    }
    if (!S_ISREG(facts.st_mode)) {
        return cow_error_set(err, COW_USAGE, "%s: not a regular file", told);
    }
    while (n <= TUI_THEME_BYTES && (one = read(fd, text + n, TUI_THEME_BYTES + 1 - n)) > 0) {
        n += (size_t)one;
    }
    if (one < 0) {
        return cow_error_system(err, errno, "%s", told);
    }
    if (n > TUI_THEME_BYTES || memchr(text, '\0', n) != NULL) {
        return cow_error_set(err, COW_USAGE, "%s: this is no theme: %s", told,
                             n > TUI_THEME_BYTES ? "it is too long" : "it is not text");
    }
    text[n] = '\0';
    return 0;
}

static int read_file(struct tui_theme *theme, const char *path, int fd, struct cow_error *err)
{
    char told[COW_MESSAGE_BYTES / 2];
    char *text = malloc(TUI_THEME_BYTES + 1);
    int status = text != NULL ? 0 : cow_error_set(err, COW_NO_MEMORY, "out of memory");

    cow_escape(told, sizeof told, path);
    if (status == 0) {
        status = read_open_file(text, fd, told, err);
    }
    if (status == 0) {
        status = tui_theme_read(theme, told, text, err);
    }
    free(text);
    return status;
}

/* Sets *found if there is such a file. */
static int look_in(struct tui_theme *theme, const char *place, const char *name, bool *found,
                   struct cow_error *err)
{
    char path[PATH_MAX + TUI_THEME_NAME_BYTES + SUFFIX], told[COW_MESSAGE_BYTES / 2];
    int status, fd;

    snprintf(path, sizeof path, "%s/%s%s", place, name, suffix);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    *found = fd >= 0 || (errno != ENOENT && errno != ENOTDIR);
    if (!*found) {
        return 0;
    }
    if (fd < 0) {
        return cow_error_system(err, errno, "%s", cow_escape(told, sizeof told, path));
    }
    status = read_file(theme, path, fd, err);
    close(fd);
    return status;
}

static int refuse_name(const char *name, struct cow_error *err)
{
    char told[TUI_THEME_NAME_BYTES * 2], names[COW_HINT_BYTES - 32];

    cow_error_set(err, COW_USAGE, "there is no theme \"%s\"", cow_escape(told, sizeof told, name));
    return cow_error_hint(err, "themes: %s", tui_theme_names(names, sizeof names));
}

int tui_theme_load(struct tui_theme *theme, const char *name, struct cow_error *err)
{
    const char *wanted = name != NULL ? name : "default", *text = tui_shipped_theme(wanted);
    bool found = false;
    char place[PATH_MAX];
    int status = 0;

    if (!tui_theme_name_fits(wanted)) {
        return refuse_name(wanted, err);
    }
    for (size_t i = 0; name != NULL && i < PLACES && !found; i++) {
        if (places[i](place)) {
            status = look_in(theme, place, wanted, &found, err);
        }
    }
    if (!found && text == NULL) {
        return refuse_name(wanted, err);
    }
    if (!found) {
        status = tui_theme_read(theme, wanted, text, err);
    }
    if (status == 0) {
        snprintf(theme->name, sizeof theme->name, "%s", wanted);
    }
    return status;
}

/* ---- all of them ---- */

/* Puts a name where it belongs in the order, unless it is there or there is no room. */
static void add_name(struct tui_theme_list *list, const char *name)
{
    size_t at = 0;

    while (at < list->n && strcmp(list->name[at], name) < 0) {
        at++;
    }
    if (list->n == TUI_THEMES_MAX || !tui_theme_name_fits(name) ||
        (at < list->n && strcmp(list->name[at], name) == 0)) {
        return;
    }
    memmove(list->name[at + 1], list->name[at], (list->n - at) * sizeof list->name[0]);
    snprintf(list->name[at], sizeof list->name[at], "%s", name);
    list->n++;
}

static void add_directory(struct tui_theme_list *list, const char *place)
{
    int fd = open(place, O_RDONLY | O_CLOEXEC | O_DIRECTORY | O_NONBLOCK);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    if (fd >= 0 && directory == NULL) {
        close(fd);
    }
    while (directory != NULL && list->n < TUI_THEMES_MAX && (entry = readdir(directory)) != NULL) {
        size_t bytes = strlen(entry->d_name);
        if (bytes <= SUFFIX || strcmp(entry->d_name + bytes - SUFFIX, suffix) != 0) {
            continue;
        }
        entry->d_name[bytes - SUFFIX] = '\0';
        add_name(list, entry->d_name);
    }
    if (directory != NULL) {
        closedir(directory);
    }
}

void tui_theme_list(struct tui_theme_list *list)
{
    const char *name;
    char place[PATH_MAX];

    list->n = 0;
    for (size_t i = 0; (name = tui_shipped_name(i)) != NULL; i++) {
        add_name(list, name);
    }
    for (size_t i = 0; i < PLACES; i++) {
        if (places[i](place)) {
            add_directory(list, place);
        }
    }
}

const char *tui_theme_names(char *out, size_t out_bytes)
{
    struct tui_theme_list list;
    size_t used = 0;

    tui_theme_list(&list);
    out[0] = '\0';
    for (size_t i = 0; i < list.n; i++) {
        if (used + strlen(list.name[i]) + 3 > out_bytes) {
            break;
        }
        used += (size_t)snprintf(out + used, out_bytes - used, "%s%s", i > 0 ? ", " : "", list.name[i]);
    }
    return out;
}
