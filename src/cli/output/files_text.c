/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui files for people: the volumes, the changed files by size, and what else is in the COW, so that all
 * of it is accounted for.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output/files_found.h"
#include "cow/text.h"
#include "front/owner_words.h"

char *cli_guest_path(const char *path)
{
    size_t bytes = 4 * strlen(path) + 16;
    char *out = malloc(bytes);

    if (out != NULL) {
        cow_escape(out, bytes, path);
    }
    return out;
}

static const char *color_of(enum cow_fs_kind kind)
{
    switch (kind) {
    case COW_FS_KIND_NEW:
        return "\033[32m";
    case COW_FS_KIND_REMOVED:
        return "\033[31m";
    case COW_FS_KIND_CONTENT:
    case COW_FS_KIND_REPLACED:
        return "\033[33m";
    case COW_FS_KIND_RENAMED:
        return "\033[36m";
    default:
        return "";
    }
}

static void print_path(const struct cli_out *out, const char *path)
{
    char *escaped = cli_guest_path(path);

    fputs(escaped != NULL ? escaped : "(out of memory)", out->file);
    free(escaped);
}

static void print_changed_file(struct cli_out *out, const struct cow_fs_file *file, bool verbose)
{
    char changed[COW_SIZE_TEXT_BYTES], size[COW_SIZE_TEXT_BYTES];
    const char *color = out->color ? color_of(file->kind) : "";
    bool directory = file->type == COW_FS_DIRECTORY_FILE && strcmp(file->path, "/") != 0;

    fprintf(out->file, "%10s %10s  %s%-8s%s  ", cow_size_text(changed, file->changed_bytes),
            cow_size_text(size, file->size_bytes), color, cow_fs_kind_name(file->kind),
            *color != '\0' ? "\033[0m" : "");
    if (verbose) {
        fprintf(out->file, "%9" PRIu64 "  ", file->inode);
    }
    print_path(out, file->path);
    fputs(directory ? "/" : "", out->file);
    if (file->from != NULL) {
        fputs("  (was ", out->file);
        print_path(out, file->from);
        fputs(file->content_differs ? "; the content differs, too)" : ")", out->file);
    }
    fputc('\n', out->file);
}

/* The files of one volume; those that do not differ in one line, unless verbose. */
static void print_changed_files(struct cli_out *out, const struct cli_files *files, int volume, bool verbose)
{
    char size[COW_SIZE_TEXT_BYTES];
    uint64_t same_bytes = 0;
    size_t same = 0, told = 0;

    for (size_t i = 0; i < files->n_sorted; i++) {
        const struct cow_fs_file *file = files->sorted[i];
        if (file->volume != volume) {
            continue;
        }
        if (file->kind == COW_FS_KIND_SAME && !verbose) {
            same++;
            same_bytes += file->changed_bytes;
            continue;
        }
        if (told++ == 0) {
            fprintf(out->file, "%10s %10s  %-8s  %spath\n", "in the COW", "size", "kind",
                    verbose ? "    inode  " : "");
        }
        print_changed_file(out, file, verbose);
    }
    if (told == 0) {
        fprintf(out->file, "  no file has changed\n");
    }
    if (same > 0) {
        fprintf(
            out->file, "%10s %10s  %-8s  %zu file%s partly in the COW that do%s not differ (-v lists them)\n",
            cow_size_text(size, same_bytes), "", "same", same, same == 1 ? "" : "s", same == 1 ? "es" : "");
    }
}

static void put_classes(struct cli_out *out, const struct cli_files *files)
{
    uint64_t bytes[COW_FS_CLASSES], total = 0;
    char size[COW_SIZE_TEXT_BYTES];

    cow_fs_classes(files->scan, files->only, bytes);
    fprintf(out->file, "\nin the COW\n");
    for (int done = 0; done < COW_FS_CLASSES; done++) {
        int largest = 0;
        for (int c = 1; c < COW_FS_CLASSES; c++) {
            if (bytes[c] > bytes[largest]) {
                largest = c;
            }
        }
        if (bytes[largest] == 0) {
            break;
        }
        fprintf(out->file, "%10s  %s\n", cow_size_text(size, bytes[largest]),
                cow_fs_class_text((enum cow_fs_class)largest));
        total += bytes[largest];
        bytes[largest] = 0;
    }
    fprintf(out->file, "%10s  in all, %" PRIu64 " sectors\n", cow_size_text(size, total),
            total / cow_image_header(files->image)->sector_bytes);
}

void cli_files_text(struct cli_out *out, const struct cli_files *files, bool verbose)
{
    char name[CLI_NAME_BYTES], text[COW_MESSAGE_BYTES + COW_VOLUME_TEXT_BYTES];
    bool told = false;

    cli_name(name, cow_image_path(files->image));
    if (files->volumes == 0) {
        cli_heading(out, "%s: " COW_FS_EMPTY_TABLE, name);
    }
    for (size_t i = 0; i < files->volumes; i++) {
        const struct cow_volume *volume = &files->volume[i];
        if (files->only != COW_NO_VOLUME && files->only != (int)i) {
            continue;
        }
        bool foreign = !volume->readable && volume->partition == 0 && *volume->problem == '\0';
        fputs(told ? "\n" : "", out->file);
        told = true;
        cli_heading(out, "%s: %s%s", name, foreign ? COW_FS_UNREADABLE : "",
                    cow_volume_text(text, sizeof text, volume));
        if (*cow_volume_new_text(volume) != '\0') {
            fprintf(out->file, "  %s\n", cow_volume_new_text(volume));
        }
        if (volume->readable) {
            print_changed_files(out, files, (int)i, verbose);
        }
    }
    put_classes(out, files);
}

void cli_owner_text(struct cli_out *out, const struct cli_files *files, const struct cow_fs_owner *owner,
                    uint64_t offset)
{
    struct front_owner_words words;
    struct cow_error err;

    if (front_owner_words(&words, files->image, files->fs, owner, offset, &err) != 0) {
        cli_heading(out, "%s", err.message);
        return;
    }
    cli_heading(out, "%s", words.heading);
    for (size_t i = 0; i < words.n; i++) {
        if (strcmp(words.row[i].label, "path") == 0) {
            fprintf(out->file, "  %-14s%s\n", words.row[i].label, words.row[i].text);
        } else {
            cli_row(out, words.row[i].label, "%s", words.row[i].text);
        }
    }
    front_owner_words_free(&words);
}
