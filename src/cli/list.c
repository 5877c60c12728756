/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui list: what there is to look at, a line a file as it is found; JSON through a spool, whole or not at
 * all. A broken image, or a place that cannot be read, does not hide what else there is: that is told, and
 * then what was wrong is the error, a place first.
 */
#include <errno.h>

#include "cli/commands.h"
#include "cli/output/json.h"
#include "cli/output/list_told.h"
#include "cli/output/spool.h"

struct listing {
    const struct cli_options *options;
    struct cli_out out;
    FILE *spool;   /* of the JSON; NULL: text */
    size_t told;   /* entries */
    size_t bad;    /* ... that are broken, or were named and are no COW image */
    size_t closed; /* files that may not be read */
    char closed_name[CLI_NAME_BYTES];
    struct cow_error trouble; /* the first that could not be read */
};

/* The first trouble is the error, in full; those after it are notes. */
static void take_trouble(struct listing *listing, const struct cow_error *trouble)
{
    if (listing->trouble.status != 0) {
        cli_note(trouble->message);
    } else {
        listing->trouble = *trouble;
    }
}

static int tell_entry(struct listing *listing, const struct cow_list_entry *entry, bool is_named,
                      struct cow_error *err)
{
    bool first = listing->told++ == 0;

    if (listing->spool != NULL) {
        return cli_json_spool(listing->spool, first ? "[\n  " : ",\n  ", cli_list_json(entry), err);
    }
    if (first) {
        cli_list_heading(&listing->out);
    }
    cli_list_line(&listing->out, entry, is_named);
    fflush(stdout); /* as it is found */
    return 0;
}

/* What may not be read in a directory is somebody else's; anything else that cannot be is trouble. */
static void take_unreadable(struct listing *listing, const struct cow_list_entry *entry, bool is_named)
{
    bool is_closed = entry->error.sys_errno == EACCES || entry->error.sys_errno == EPERM;
    struct cow_error trouble = entry->error;

    if (is_closed && !is_named) {
        if (listing->closed++ == 0) {
            cli_name(listing->closed_name, entry->path);
        }
        return;
    }
    cow_error_prefix(&trouble, "%s", entry->path);
    take_trouble(listing, &trouble);
}

static int take_entry(struct listing *listing, const struct cow_list_entry *entry, bool is_named,
                      struct cow_error *err)
{
    if (entry->what == COW_LISTED_NOTHING) {
        return 0;
    }
    if (entry->what == COW_LISTED_UNREADABLE) {
        take_unreadable(listing, entry, is_named);
        if (!is_named) {
            return 0;
        }
    }
    listing->bad += entry->what == COW_LISTED_BROKEN || (is_named && entry->what == COW_LISTED_OTHER);
    return tell_entry(listing, entry, is_named, err);
}

static int list_place(struct listing *listing, const char *place, struct cow_error *err)
{
    const struct cow_list_options options = {.no_backing = listing->options->no_backing};
    struct cow_list_entry entry;
    struct cow_error trouble = {0};
    struct cow_list *list;
    int status = cow_list_open(&list, place, &options, &trouble);

    if (status != 0) {
        take_trouble(listing, &trouble);
        return 0;
    }
    while (status == 0 && ferror(stdout) == 0 && cow_list_next(list, &entry)) {
        status = take_entry(listing, &entry, cow_list_is_of_one_file(list), err);
    }
    cow_list_close(list);
    return status;
}

static int list_places(struct listing *listing, struct cow_error *err)
{
    const struct cli_options *options = listing->options;
    int status = options->places != 0 ? 0 : list_place(listing, ".", err);

    for (size_t i = 0; i < options->places && status == 0; i++) {
        status = list_place(listing, options->place[i], err);
    }
    return status;
}

static int fill_list_json(FILE *spool, const void *context, struct cow_error *err)
{
    struct listing *const *listing = context;
    int status;

    (*listing)->spool = spool;
    status = list_places(*listing, err);
    fputs((*listing)->told != 0 ? "\n]\n" : "[]\n", spool);
    return status;
}

static void put_notes(const struct listing *listing)
{
    char text[CLI_NAME_BYTES + 80];

    if (listing->closed > 0 && !listing->options->quiet) {
        snprintf(text, sizeof text, "%zu file%s may not be read and %s left out: %s%s", listing->closed,
                 listing->closed == 1 ? "" : "s", listing->closed == 1 ? "is" : "are", listing->closed_name,
                 listing->closed == 1 ? "" : "...");
        cli_note(text);
    }
    if (listing->told == 0 && listing->trouble.status == 0 && !listing->options->quiet) {
        cli_note("no COW image is there, nor any other disk image that is known");
    }
}

int cli_list(const struct cli_options *options, struct cow_error *err)
{
    struct listing listing = {.options = options};
    struct listing *context = &listing;
    int status;

    cli_out_init(&listing.out, stdout, options->color_mode);
    status = options->json ? cli_spool(fill_list_json, &context, err) : list_places(&listing, err);
    if (status != 0) {
        return status;
    }
    put_notes(&listing);
    if (listing.trouble.status != 0) {
        *err = listing.trouble;
        return err->status;
    }
    if (listing.bad == 0) {
        return 0;
    }
    return cow_error_set(err, COW_FINDING, "%zu of %zu listed %s no COW image that opens", listing.bad,
                         listing.told, listing.bad == 1 ? "is" : "are");
}
