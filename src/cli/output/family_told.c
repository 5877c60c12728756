/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See family_told.h. The table has a line an image, and below it what is wrong with that one. The field names
 * of the JSON are stable; those that info has, too, mean the same.
 */
#include "cli/output/family_told.h"

#include <inttypes.h>

#include "cli/output/json.h"
#include "cow/text.h"

static void put_family_title(struct cli_out *out, const struct cow_family *family)
{
    char name[CLI_NAME_BYTES], size[COW_SIZE_TEXT_BYTES], date[CLI_AMOUNT_BYTES];

    cli_heading(out, "%s: %s, modified %s: %zu image%s on it", cli_name(name, family->backing_path),
                cow_size_text(size, family->size_bytes), cli_time(date, family->mtime), family->members,
                family->members == 1 ? "" : "s");
}

static const char *kernel_word(const struct cow_family_member *member)
{
    return *member->problem != '\0' ? "?" : front_verdict_word(&member->verdict);
}

static void put_member(struct cli_out *out, const struct cow_family_member *member)
{
    char name[CLI_NAME_BYTES], size[COW_SIZE_TEXT_BYTES] = "?", dirty[COW_SIZE_TEXT_BYTES] = "?";

    if (member->size_known) {
        cow_size_text(size, member->size_bytes);
        cow_size_text(dirty, member->dirty_bytes);
    }
    fprintf(out->file, "%9s %9s  %-8s %s\n", size, dirty, kernel_word(member), cli_name(name, member->path));
    if (*member->problem != '\0') {
        cli_row_tone(out, CLI_BAD, "", "%s", member->problem);
    } else if (!member->verdict.opens) {
        cli_row_tone(out, CLI_WARN, "", "a UML kernel says: %s", member->verdict.reason);
    }
    if (member->holder.held && member->holder.pid > 0) {
        cli_row_tone(out, CLI_WARN, "", "in use by pid %" PRId64, member->holder.pid);
    } else if (member->holder.held) {
        cli_row_tone(out, CLI_WARN, "", "in use by a process that the system does not name");
    }
    if (*member->pending != '\0') {
        cli_row_tone(out, CLI_WARN, "", "%s", member->pending);
    }
}

void cli_family_text(struct cli_out *out, const struct cow_family *family)
{
    put_family_title(out, family);
    if (family->members > 0) {
        fprintf(out->file, "%9s %9s  %-8s %s\n", "size", "dirty", "kernel", "image");
    }
    for (size_t i = 0; i < family->members; i++) {
        put_member(out, &family->member[i]);
    }
}

static json_t *member_json(const struct cow_family_member *member)
{
    json_t *object = json_object();
    bool known = member->size_known;

    cli_json_put(&object, "path", cli_json_text(member->path));
    cli_json_put(&object, "size_bytes", known ? cli_json_u64(member->size_bytes) : json_null());
    cli_json_put(&object, "dirty_bytes", known ? cli_json_u64(member->dirty_bytes) : json_null());
    cli_json_put(&object, "in_use", cli_json_holder(&member->holder));
    cli_json_put(&object, "uml", *member->problem != '\0' ? json_null() : cli_json_verdict(&member->verdict));
    cli_json_put(&object, "pending", cli_json_sentence_or_null(member->pending));
    cli_json_put(&object, "error", cli_json_sentence_or_null(member->problem));
    return object;
}

json_t *cli_family_json(const struct cow_family *family)
{
    json_t *object = json_object(), *backing = json_object(), *images = json_array();

    cli_json_put(&backing, "path", cli_json_text(family->backing_path));
    cli_json_put(&backing, "size_bytes", cli_json_u64(family->size_bytes));
    cli_json_put(&backing, "mtime", json_integer(family->mtime));
    for (size_t i = 0; i < family->members; i++) {
        cli_json_append(&images, member_json(&family->member[i]));
    }
    cli_json_put(&object, "backing", backing);
    cli_json_put(&object, "images", images);
    return object;
}
