/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The backing path as the header has it.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/check/finders.h"
#include "cow/text.h"

static bool leads_to_backing(const struct cow_image *img, const char *path)
{
    struct stat facts;
    return img->io->stat(img->io->context, path, &facts) == 0 && same_file(&facts, &img->backing.file.facts);
}

/* From the working directory, as a kernel looks, or beside the image, as QEMU does. */
static bool stored_path_leads_there(const struct cow_image *img)
{
    const char *stored = img->header.backing_path;
    char beside[2 * PATH_MAX];
    if (leads_to_backing(img, stored)) {
        return true;
    }
    snprintf(beside, sizeof beside, "%.*s%s", directory_length(img->real_path), img->real_path, stored);
    return *stored != '\0' && *stored != '/' && leads_to_backing(img, beside);
}

void find_backing_elsewhere(struct checkup *c)
{
    char stored[NAME_TEXT_BYTES], named[NAME_TEXT_BYTES];
    const struct cow_image *img = c->img;
    if (!c->has_backing || !img->backing.facts.named || stored_path_leads_there(img)) {
        return;
    }
    name_text(named, img->backing.facts.path);
    if (*img->header.backing_path == '\0') {
        report(c, COW_FINDING_BACKING_ELSEWHERE, "the header names no backing file; %s was named", named);
    } else {
        report(c, COW_FINDING_BACKING_ELSEWHERE, "the header names %s, not %s",
               name_text(stored, img->header.backing_path), named);
    }
}

void find_path_relative(struct checkup *c)
{
    char stored[NAME_TEXT_BYTES];
    const char *path = c->img->header.backing_path;
    if (*path != '\0' && *path != '/') {
        report(c, COW_FINDING_PATH_RELATIVE, "the backing path \"%s\" is relative%s", name_text(stored, path),
               c->img->backing.facts.beside_image ? "; the file was found beside the image only" : "");
    }
}

/* The decoder has seen to it that the whole is shorter than PATH_MAX; each name has a limit, too. */
void find_path_long(struct checkup *c)
{
    const char *name = c->img->header.backing_path;
    while (*name != '\0') {
        const size_t length = strcspn(name, "/");
        if (length > NAME_MAX) {
            report(c, COW_FINDING_PATH_LONG,
                   "the backing path has a name of %zu bytes in it; the limit is %d", length, NAME_MAX);
            return;
        }
        name += length + (name[length] == '/');
    }
}

void find_path_control(struct checkup *c)
{
    char shown[NAME_TEXT_BYTES];
    const char *path = c->img->header.backing_path;
    size_t bad = 0;
    for (const char *at = path; *at != '\0'; at++) {
        const unsigned char byte = (unsigned char)*at;
        bad += byte < 0x20 || byte == 0x7f;
    }
    if (bad > 0) {
        report(c, COW_FINDING_PATH_CONTROL, "the backing path has %zu control character%s in it: \"%s\"", bad,
               plural(bad), name_text(shown, path));
    }
}
