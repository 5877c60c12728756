/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See list_told.h. A line has the short facts in columns, then the name, and behind it all that is a
 * sentence: so one file stays one line, however much is to be said of it. The field names of the JSON are
 * stable; those that info has, too, mean the same.
 */
#include "cli/output/list_told.h"

#include <inttypes.h>

#include "cli/output/json.h"
#include "cow/text.h"

void cli_list_heading(struct cli_out *out)
{
    fprintf(out->file, "%-16s %9s %6s  %-7s %7s  %s\n", "format", "size", "dirty", "kernel", "in use",
            "image");
}

static bool is_image(const struct cow_list_entry *entry)
{
    return entry->what == COW_LISTED_IMAGE;
}

static const char *share_word(char buffer[COW_SHARE_TEXT_BYTES], const struct cow_list_entry *entry)
{
    return entry->dirty_known                ? cow_share_text(buffer, entry->dirty_bytes, entry->size_bytes)
           : entry->what == COW_LISTED_OTHER ? "-"
                                             : "?";
}

static const char *kernel_word(const struct cow_list_entry *entry)
{
    return entry->what == COW_LISTED_OTHER ? "-"
           : !is_image(entry)              ? "?"
                                           : front_verdict_word(&entry->verdict);
}

static const char *holder_word(char *buffer, size_t buffer_bytes, const struct cow_holder *holder)
{
    snprintf(buffer, buffer_bytes, "%" PRId64, holder->pid);
    return !holder->held ? "-" : holder->pid > 0 ? buffer : "yes";
}

/* A sentence behind the name. *before is what stands in front of it. */
static void put_sentence(struct cli_out *out, const char **before, const char *text)
{
    if (*text == '\0') {
        return;
    }
    fprintf(out->file, "%s%s", *before, text);
    *before = "; ";
}

static void put_backing(struct cli_out *out, const struct cow_list_entry *entry)
{
    char name[CLI_NAME_BYTES];

    if (entry->backing_path[0] == '\0') {
        return;
    }
    fprintf(out->file, " on %s%s", cli_name(name, entry->backing_path),
            entry->backing_state == COW_BACKING_MISSING    ? " (not found)"
            : entry->backing_state == COW_BACKING_UNUSABLE ? " (not usable)"
            : entry->backing_state == COW_BACKING_IGNORED  ? " (not opened)"
                                                           : "");
}

void cli_list_line(struct cli_out *out, const struct cow_list_entry *entry, bool with_advice)
{
    char name[CLI_NAME_BYTES], size[COW_SIZE_TEXT_BYTES] = "?", share[COW_SHARE_TEXT_BYTES], pid[24];
    const char *before = ": ";

    if (entry->size_known) {
        cow_size_text(size, entry->size_bytes);
    }
    fprintf(out->file, "%-16s %9s %6s  %-7s %7s  %s", entry->format != NULL ? entry->format : "?", size,
            share_word(share, entry), kernel_word(entry), holder_word(pid, sizeof pid, &entry->holder),
            cli_name(name, entry->path));
    put_backing(out, entry);
    put_sentence(out, &before, entry->error.message);
    if (with_advice) {
        put_sentence(out, &before, entry->error.hint);
    }
    put_sentence(out, &before, entry->pending);
    if (is_image(entry)) {
        put_sentence(out, &before, entry->verdict.reason);
    }
    if (entry->dirty_uncounted) {
        put_sentence(out, &before, "its bitmap is too long to be counted here, info does");
    }
    fputc('\n', out->file);
}

static json_t *backing_json(const struct cow_list_entry *entry)
{
    json_t *object;

    if (entry->backing_path[0] == '\0') {
        return json_null();
    }
    object = json_object();
    cli_json_put(&object, "path", cli_json_text(entry->backing_path));
    cli_json_put(&object, "found", json_boolean(entry->backing_state == COW_BACKING_FOUND));
    return object;
}

json_t *cli_list_json(const struct cow_list_entry *entry)
{
    json_t *object = json_object();

    cli_json_put(&object, "path", cli_json_text(entry->path));
    cli_json_put(&object, "format", entry->format != NULL ? json_string(entry->format) : json_null());
    cli_json_put(&object, "size_bytes", entry->size_known ? cli_json_u64(entry->size_bytes) : json_null());
    cli_json_put(&object, "dirty_bytes", entry->dirty_known ? cli_json_u64(entry->dirty_bytes) : json_null());
    cli_json_put(&object, "backing", backing_json(entry));
    cli_json_put(&object, "in_use", cli_json_holder(&entry->holder));
    cli_json_put(&object, "uml", is_image(entry) ? cli_json_verdict(&entry->verdict) : json_null());
    cli_json_put(&object, "pending", cli_json_sentence_or_null(entry->pending));
    cli_json_put(&object, "error", cli_json_sentence_or_null(entry->error.message));
    cli_json_put(&object, "advice", cli_json_sentence_or_null(entry->error.hint));
    return object;
}
