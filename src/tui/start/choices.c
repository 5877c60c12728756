/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See choices.h. An entry of the core's list has room for the longest texts there can be; a row keeps what is
 * really there.
 */
#include "tui/start/choices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cow/text.h"
#include "tui/screen/clock.h"

enum { FILES_PER_SLICE = 4, SAYS_BYTES = 2 * COW_MESSAGE_BYTES };

static const double slice_seconds = 0.01;

static void forget_choice(struct tui_choice *choice)
{
    free(choice->path);
    free(choice->name);
    free(choice->backing);
    free(choice->title);
    free(choice->says);
    free(choice->advice);
}

void tui_choices_again(struct tui_choices *choices)
{
    cow_list_close(choices->list);
    for (size_t i = 0; i < choices->n; i++) {
        forget_choice(&choices->choice[i]);
    }
    choices->list = NULL;
    choices->begun = choices->failed = false;
    choices->n = choices->images = choices->closed = 0;
}

void tui_choices_free(struct tui_choices *choices)
{
    tui_choices_again(choices);
    free(choices->choice);
    choices->choice = NULL;
    choices->room = 0;
}

bool tui_choices_wait(const struct tui_choices *choices)
{
    return !choices->failed && (!choices->begun || choices->list != NULL);
}

int tui_choices_percent(const struct tui_choices *choices)
{
    size_t names = choices->list != NULL ? cow_list_names(choices->list) : 0;

    return names > 0 ? (int)(100 * cow_list_looked_at(choices->list) / names) : choices->begun ? 100 : 0;
}

static void add_sentence(char out[SAYS_BYTES], const char *text)
{
    size_t used = strlen(out);

    if (text[0] != '\0') {
        snprintf(out + used, SAYS_BYTES - used, "%s%s", used > 0 ? "; " : "", text);
    }
}

/* In the order in which it matters. The core has escaped it. */
static char *says_of(const struct cow_list_entry *entry)
{
    char says[SAYS_BYTES] = "", refusal[COW_MESSAGE_BYTES + 32];

    add_sentence(says, entry->error.message);
    add_sentence(says, entry->pending);
    if (entry->what == COW_LISTED_IMAGE && entry->verdict.reason[0] != '\0') {
        snprintf(refusal, sizeof refusal, "a UML kernel refuses it: %s", entry->verdict.reason);
        add_sentence(says, refusal);
    }
    if (entry->dirty_uncounted) {
        add_sentence(says, "its bitmap is too long to be counted in a list");
    }
    return strdup(says);
}

static char *escaped(const char *text)
{
    char safe[4 * COW_PATH_BYTES + 16];

    return strdup(cow_escape(safe, sizeof safe, text));
}

/* False: out of memory, and there is no row. */
static bool fill_choice(struct tui_choice *out, const struct cow_list_entry *entry)
{
    const char *slash = strrchr(entry->path, '/');
    bool is_image = entry->what == COW_LISTED_IMAGE;

    *out = (struct tui_choice){.path = strdup(entry->path),
                               .name = escaped(slash != NULL ? slash + 1 : entry->path),
                               .backing = escaped(entry->backing_path),
                               .title = strdup(entry->title),
                               .says = says_of(entry),
                               .advice = strdup(entry->error.hint),
                               .what = entry->what,
                               .format = entry->format,
                               .size_known = entry->size_known,
                               .dirty_known = entry->dirty_known,
                               .size_bytes = entry->size_bytes,
                               .dirty_bytes = entry->dirty_bytes,
                               .backing_state = entry->backing_state,
                               .opens = is_image && entry->verdict.opens,
                               .kernel_known = is_image && !entry->verdict.unknown,
                               .holder = entry->holder};
    if (out->path != NULL && out->name != NULL && out->backing != NULL && out->title != NULL &&
        out->says != NULL && out->advice != NULL) {
        return true;
    }
    forget_choice(out);
    return false;
}

static bool add_choice(struct tui_choices *choices, const struct cow_list_entry *entry)
{
    if (choices->n == choices->room) {
        size_t room = choices->room != 0 ? 2 * choices->room : 64;
        struct tui_choice *grown = realloc(choices->choice, room * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        choices->choice = grown;
        choices->room = room;
    }
    if (!fill_choice(&choices->choice[choices->n], entry)) {
        return false;
    }
    choices->n++;
    choices->images += entry->what == COW_LISTED_IMAGE;
    return true;
}

static void end_list(struct tui_choices *choices)
{
    cow_list_close(choices->list);
    choices->list = NULL;
}

static void look_at_next(struct tui_choices *choices)
{
    struct cow_list_entry entry;

    if (!cow_list_next(choices->list, &entry)) {
        end_list(choices);
    } else if (entry.what == COW_LISTED_UNREADABLE) {
        choices->closed++;
    } else if (entry.what != COW_LISTED_NOTHING && !add_choice(choices, &entry)) {
        end_list(choices);
        choices->failed = true;
        cow_error_set(&choices->error, COW_NO_MEMORY, "out of memory: there is more than is listed");
    }
}

void tui_choices_slice(struct tui_choices *choices, bool interactive)
{
    double begin = tui_clock();

    if (!choices->begun) {
        choices->begun = true;
        choices->failed =
            cow_list_open(&choices->list, choices->directory, &choices->options, &choices->error) != 0;
        return;
    }
    for (int i = 0;
         choices->list != NULL && (interactive ? tui_clock() - begin < slice_seconds : i < FILES_PER_SLICE);
         i++) {
        look_at_next(choices);
    }
}

void tui_choices_look_again(struct tui_choices *choices, size_t index)
{
    struct tui_choice *old = &choices->choice[index], fresh;
    struct cow_list_entry entry;

    cow_list_look(&entry, old->path, &choices->options);
    if (!fill_choice(&fresh, &entry)) {
        return;
    }
    choices->images -= old->what == COW_LISTED_IMAGE;
    choices->images += fresh.what == COW_LISTED_IMAGE;
    forget_choice(old);
    *old = fresh;
}
