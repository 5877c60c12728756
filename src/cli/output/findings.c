/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Findings as rows and as JSON. The words are the core's; here is just which command makes which fix.
 */
#include "cli/output/findings.h"

#include <stdio.h>
#include <string.h>

#include "cli/output/json.h"
#include "cow/text.h"

enum { COMMAND_BYTES = 3 * CLI_NAME_BYTES };

static enum cli_tone tone_of(enum cow_severity severity)
{
    static const enum cli_tone tones[] = {[COW_SEVERITY_NOTE] = CLI_PLAIN,
                                          [COW_SEVERITY_WARNING] = CLI_WARN,
                                          [COW_SEVERITY_ERROR] = CLI_BAD,
                                          [COW_SEVERITY_CORRUPT] = CLI_BAD};

    return tones[severity];
}

/* The size that the disk and its backing file can both have. */
static void put_common_size(char *text, const struct cow_image *image)
{
    uint64_t disk = image != NULL ? cow_image_header(image)->size_bytes : 0;
    uint64_t backing = image != NULL ? cow_image_backing(image)->size_bytes : 0;

    if (image != NULL) {
        cow_size_argument(text, backing > disk ? backing : disk);
    } else {
        snprintf(text, COW_SIZE_TEXT_BYTES, "SIZE");
    }
}

/* Command and options before the image, or NULL where no command makes the fix. */
static const char *fix_command(enum cow_fix fix, char *buffer, const struct cow_image *image)
{
    char path[CLI_NAME_BYTES];
    bool known = image != NULL && cow_image_backing(image)->state == COW_BACKING_FOUND;

    switch (fix) {
    case COW_FIX_NONE:
        break;
    case COW_FIX_RECOVER:
        return "recover";
    case COW_FIX_PAGES:
        return "pages";
    case COW_FIX_COMPACT:
        return "compact";
    case COW_FIX_RESTAMP:
        return "rebase --restamp";
    case COW_FIX_ABSOLUTE:
        snprintf(buffer, COMMAND_BYTES, "rebase --to %s",
                 known ? cow_shell_quote(path, sizeof path, cow_image_backing(image)->path) : "PATH");
        return buffer;
    case COW_FIX_CONVERT:
        return "convert --to v3 -o FILE";
    case COW_FIX_RESIZE:
        return "resize --policy extend";
    case COW_FIX_REBASE: /* a command for each candidate: put_finding_candidates() */
        break;
    }
    return NULL;
}

/* The command that names a candidate: "cowtui rebase --restamp --to /d/root_fs.img root.cow". */
static const char *candidate_command(char buffer[COMMAND_BYTES], const struct cow_candidate *candidate,
                                     const struct cli_checked *checked)
{
    char path[CLI_NAME_BYTES], name[CLI_NAME_BYTES];

    snprintf(buffer, COMMAND_BYTES, "cowtui rebase %s--to %s %s", candidate->same_date ? "" : "--restamp ",
             cow_shell_quote(path, sizeof path, candidate->path),
             cow_shell_quote(name, sizeof name, checked->image_path));
    return buffer;
}

/* Not where nothing can be mended: the image is in use, or a change was interrupted. */
static void put_finding_candidates(struct cli_out *out, const struct cow_check *check,
                                   const struct cow_finding *finding, const struct cli_checked *checked)
{
    bool is_fix = cow_finding_fix(finding->code) == COW_FIX_REBASE;

    if (!cow_finding_has_candidates(finding->code) || (is_fix && !finding->fixable)) {
        return;
    }
    for (size_t i = 0; i < check->candidates; i++) {
        const struct cow_candidate *candidate = &check->candidate[i];
        char command[COMMAND_BYTES], fits[CLI_NAME_BYTES];
        cli_row(out, is_fix && i == 0 ? "  fix" : "  or", "%s%s (%s): %s", cow_fix_text(COW_FIX_REBASE),
                candidate->same_date ? "" : ", if you know that its content is right",
                cow_candidate_text(fits, sizeof fits, candidate),
                candidate_command(command, candidate, checked));
    }
    if (check->candidates_cut) {
        cli_row(out, "  looked at", "%s", COW_CANDIDATES_CUT);
    }
}

/* "take over the backing file's date: cowtui rebase --restamp root.cow" */
static void put_finding_fix(struct cli_out *out, const struct cow_finding *finding,
                            const struct cow_image *image, const struct cli_checked *checked)
{
    enum cow_fix fix = cow_finding_fix(finding->code);
    char buffer[COMMAND_BYTES], name[CLI_NAME_BYTES], backing[CLI_NAME_BYTES] = "";
    char size[COW_SIZE_TEXT_BYTES] = "";
    const char *command =
        cow_finding_safe(finding->code) ? "check --repair" : fix_command(fix, buffer, image);

    if (!finding->fixable || command == NULL) {
        return;
    }
    cow_shell_quote(name, sizeof name, checked->image_path);
    if (checked->backing_path != NULL) {
        cow_shell_quote(backing, sizeof backing, checked->backing_path);
    }
    if (fix == COW_FIX_RESIZE && !cow_finding_safe(finding->code)) {
        put_common_size(size, image);
    }
    cli_row(out, "  fix", "%s: cowtui %s%s%s %s%s%s", cow_fix_text(fix), command,
            *backing != '\0' ? " -b " : "", backing, name, *size != '\0' ? " " : "", size);
}

void cli_findings_text(struct cli_out *out, const struct cow_check *check, const struct cow_image *image,
                       const struct cli_checked *checked)
{
    char name[CLI_NAME_BYTES];

    cli_name(name, checked->image_path);
    if (check->findings == 0) {
        cli_heading(out, "%s: clean", name);
    } else {
        cli_heading(out, "%s: %zu finding%s", name, check->findings, check->findings == 1 ? "" : "s");
    }
    for (size_t i = 0; i < check->findings; i++) {
        const struct cow_finding *finding = &check->finding[i];
        enum cow_severity severity = cow_finding_severity(finding->code);

        cli_row_tone(out, tone_of(severity), cow_severity_name(severity), "%s: %s",
                     cow_finding_name(finding->code), finding->message);
        cli_row(out, "  means", "%s", cow_finding_meaning(finding->code));
        put_finding_fix(out, finding, image, checked);
        put_finding_candidates(out, check, finding, checked);
    }
    if (!check->scanned) {
        cli_row(out, "not compared", "%s",
                checked->quick ? "the data, with that of the backing file (--quick)"
                               : "the data: there is no backing file to compare it with");
    }
}

/* {"path", "fits": ["name", "size", "date", "uuid"], "mtime", "command"} */
static json_t *candidate_json(const struct cow_candidate *candidate, const struct cli_checked *checked)
{
    char command[COMMAND_BYTES];
    json_t *object = json_object(), *fits = json_array();

    if (candidate->same_name) {
        cli_json_append(&fits, json_string("name"));
    }
    cli_json_append(&fits, json_string("size"));
    if (candidate->same_date) {
        cli_json_append(&fits, json_string("date"));
    }
    if (candidate->same_uuid) {
        cli_json_append(&fits, json_string("uuid"));
    }
    cli_json_put(&object, "path", cli_json_text(candidate->path));
    cli_json_put(&object, "fits", fits);
    cli_json_put(&object, "mtime", json_integer(candidate->mtime));
    cli_json_put(&object, "command", cli_json_text(candidate_command(command, candidate, checked)));
    return object;
}

static json_t *candidates_json(const struct cow_check *check, const struct cow_finding *finding,
                               const struct cli_checked *checked)
{
    json_t *array = json_array();

    for (size_t i = 0; cow_finding_has_candidates(finding->code) && i < check->candidates; i++) {
        cli_json_append(&array, candidate_json(&check->candidate[i], checked));
    }
    return array;
}

static json_t *finding_json(const struct cow_check *check, const struct cow_finding *finding,
                            const struct cli_checked *checked)
{
    enum cow_fix fix = cow_finding_fix(finding->code);
    bool somewhere = finding->sectors > 0;
    json_t *object = json_object();

    cli_json_put(&object, "code", json_string(cow_finding_name(finding->code)));
    cli_json_put(&object, "severity", json_string(cow_severity_name(cow_finding_severity(finding->code))));
    cli_json_put(&object, "message", cli_json_sentence(finding->message));
    cli_json_put(&object, "fixable", json_boolean(finding->fixable));
    cli_json_put(&object, "safe", json_boolean(finding->fixable && cow_finding_safe(finding->code)));
    cli_json_put(&object, "meaning", cli_json_sentence(cow_finding_meaning(finding->code)));
    cli_json_put(&object, "fix", cli_json_sentence_or_null(cow_fix_text(fix)));
    cli_json_put(&object, "candidates", candidates_json(check, finding, checked));
    cli_json_put(&object, "first_sector", somewhere ? cli_json_u64(finding->first_sector) : json_null());
    cli_json_put(&object, "sectors", somewhere ? cli_json_u64(finding->sectors) : json_null());
    return object;
}

json_t *cli_findings_json(const struct cow_check *check, const struct cli_checked *checked, json_t *repair)
{
    json_t *object = json_object(), *findings = json_array();

    for (size_t i = 0; i < check->findings; i++) {
        cli_json_append(&findings, finding_json(check, &check->finding[i], checked));
    }
    cli_json_put(&object, "findings", findings);
    cli_json_put(&object, "scanned", json_boolean(check->scanned));
    cli_json_put(&object, "repair", repair != NULL ? repair : json_null());
    return object;
}
