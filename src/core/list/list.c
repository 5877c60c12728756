/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The names of a directory, and each of them looked at; see cow/list.h.
 *
 * Names first, then files: so the list is sorted and yet shown as it is found, and how far it is is known. In
 * a directory a file is told by its first bytes before it is opened as an image, so that what is none costs a
 * read. What stands there and is no regular file is not opened at all.
 */
#include "cow/list.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/io.h"
#include "core/beside/side.h"
#include "core/list/entry.h"

struct cow_list {
    struct cow_list_options options;
    char *place;   /* with a slash at its end where it is a directory that has to be named before its files */
    bool is_named; /* the place is the file itself */
    char **name;
    size_t names, room, next;
    char path[2 * PATH_MAX]; /* of the present entry */
};

static int no_memory(struct cow_error *err)
{
    return cow_error_set(err, COW_NO_MEMORY, "out of memory");
}

static int add_name(void *context, const char *name)
{
    struct cow_list *list = context;
    if (side_is_name(name)) {
        return 0;
    }
    if (list->names == list->room) {
        const size_t room = list->room == 0 ? 64 : 2 * list->room;
        char **grown = realloc(list->name, room * sizeof *grown);
        if (grown == NULL) {
            return -ENOMEM;
        }
        list->name = grown;
        list->room = room;
    }
    list->name[list->names] = strdup(name);
    return list->name[list->names++] == NULL ? -ENOMEM : 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_names(struct cow_list *list, const char *place, struct cow_error *err)
{
    const struct cow_io *io = list->options.io;
    int status = io->list(io->context, place, add_name, list);
    if (status < 0) {
        return cow_error_system(err, -status, "%s", place);
    }
    if (list->names > 1) {
        qsort(list->name, list->names, sizeof *list->name, by_name);
    }
    return 0;
}

/* What stands before the names: nothing for the working directory. */
static char *prefix_of(const char *place)
{
    const size_t length = strlen(place);
    const bool is_here = strcmp(place, ".") == 0;
    char *prefix = malloc(length + 2);
    if (prefix != NULL) {
        snprintf(prefix, length + 2, "%s%s", is_here ? "" : place,
                 is_here || length == 0 || place[length - 1] == '/' ? "" : "/");
    }
    return prefix;
}

static int open_place(struct cow_list *list, const char *place, struct cow_error *err)
{
    const struct cow_io *io = list->options.io;
    struct stat facts;
    int status = io->stat(io->context, place, &facts);
    if (status < 0) {
        return cow_error_system(err, -status, "%s", place);
    }
    list->is_named = !S_ISDIR(facts.st_mode);
    list->place = list->is_named ? strdup(place) : prefix_of(place);
    if (list->place == NULL) {
        return no_memory(err);
    }
    if (list->is_named) {
        list->names = 1;
        return 0;
    }
    return read_names(list, place, err);
}

int cow_list_open(struct cow_list **out, const char *place, const struct cow_list_options *opt,
                  struct cow_error *err)
{
    struct cow_list *list = calloc(1, sizeof *list);
    if (list == NULL) {
        return no_memory(err);
    }
    list->options = entry_options(opt);
    int status = open_place(list, place, err);
    if (status != 0) {
        cow_list_close(list);
        return status;
    }
    *out = list;
    return 0;
}

void cow_list_close(struct cow_list *list)
{
    if (list == NULL) {
        return;
    }
    for (size_t i = 0; list->name != NULL && i < list->names; i++) {
        free(list->name[i]);
    }
    free(list->name);
    free(list->place);
    free(list);
}

bool cow_list_next(struct cow_list *list, struct cow_list_entry *entry)
{
    if (list->next == list->names) {
        return false;
    }
    const char *name = list->is_named ? "" : list->name[list->next];
    const bool fits =
        snprintf(list->path, sizeof list->path, "%s%s", list->place, name) < (int)sizeof list->path;
    list->next++;
    if (list->is_named) {
        cow_list_look(entry, list->path, &list->options);
    } else if (fits) {
        entry_find(entry, list->path, &list->options);
    } else {
        entry_clear(entry, list->path);
    }
    return true;
}

bool cow_list_is_of_one_file(const struct cow_list *list)
{
    return list->is_named;
}

size_t cow_list_names(const struct cow_list *list)
{
    return list->names;
}

size_t cow_list_looked_at(const struct cow_list *list)
{
    return list->next;
}
