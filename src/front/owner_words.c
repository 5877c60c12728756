/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whose a byte of the disk is, in words.
 */
#include "front/owner_words.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cow/text.h"

const char *front_owner_class_text(const struct cow_fs_owner *owner)
{
    if (!owner->known) {
        return "not known";
    }
    return owner->fs_class == COW_FS_FREE && !owner->dirty ? "free" : cow_fs_class_text(owner->fs_class);
}

__attribute__((format(printf, 3, 4))) static void add_row(struct front_owner_words *words, const char *label,
                                                          const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    words->row[words->n].label = label;
    if (vasprintf(&words->row[words->n].text, format, arguments) < 0) {
        words->row[words->n].text = NULL;
    }
    words->n++;
    va_end(arguments);
}

static void add_path(struct front_owner_words *words, const char *path)
{
    size_t bytes = 4 * strlen(path) + 16;

    words->row[words->n].label = "path";
    words->row[words->n].text = malloc(bytes);
    if (words->row[words->n].text != NULL) {
        cow_escape(words->row[words->n].text, bytes, path);
    }
    words->n++;
}

static void add_length(struct front_owner_words *words, const struct cow_fs_owner *owner)
{
    char size[COW_SIZE_TEXT_BYTES], exact[48] = "";

    if (owner->length_bytes < 1024) {
        snprintf(size, sizeof size, "%" PRIu64 " bytes", owner->length_bytes);
    } else {
        snprintf(exact, sizeof exact, " (%" PRIu64 " bytes)", owner->length_bytes);
    }
    add_row(words, "as far as", "%s%s more, to byte %" PRIu64 " of the disk",
            *exact != '\0' ? cow_size_text(size, owner->length_bytes) : size, exact,
            owner->first_byte + owner->length_bytes);
}

int front_owner_words(struct front_owner_words *out, const struct cow_image *image, const struct cow_fs *fs,
                      const struct cow_fs_owner *owner, uint64_t offset_bytes, struct cow_error *err)
{
    struct front_owner_words words = {.n = 0};
    size_t n_volumes;
    const struct cow_volume *volume = cow_fs_volumes(fs, &n_volumes);

    snprintf(words.heading, sizeof words.heading, "byte %" PRIu64 ", sector %" PRIu64, offset_bytes,
             offset_bytes / cow_image_header(image)->sector_bytes);
    add_row(&words, "owner", "%s", front_owner_class_text(owner));
    if (owner->volume != COW_NO_VOLUME && volume[owner->volume].partition != 0) {
        add_row(&words, "partition", "%u", volume[owner->volume].partition);
    }
    if (owner->path != NULL) {
        add_path(&words, owner->path);
    }
    if (owner->inode != 0) {
        add_row(&words, "inode", "%" PRIu64, owner->inode);
    }
    if (owner->has_file_offset) {
        add_row(&words, "file byte", "%" PRIu64, owner->file_offset);
    }
    add_length(&words, owner);
    add_row(&words, "in the COW", "%s", owner->dirty ? "yes" : "no");
    for (size_t i = 0; i < words.n; i++) {
        if (words.row[i].text == NULL) {
            front_owner_words_free(&words);
            *out = words;
            return cow_error_set(err, COW_NO_MEMORY, "out of memory");
        }
    }
    *out = words;
    return 0;
}

void front_owner_words_free(struct front_owner_words *words)
{
    for (size_t i = 0; i < words->n; i++) {
        free(words->row[i].text);
    }
    words->n = 0;
}
