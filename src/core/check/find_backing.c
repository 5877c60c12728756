/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The backing file: is it there, and is it the one that the image was made on?
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/check/finders.h"
#include "core/image/siblings.h"
#include "core/volumes/superblock.h"
#include "cow/text.h"

void find_no_backing(struct checkup *c)
{
    char name[NAME_TEXT_BYTES];
    const struct cow_backing *backing = &c->img->backing.facts;
    if (backing->state == COW_BACKING_MISSING) {
        report(c, COW_FINDING_BACKING_MISSING, "the backing file %s is not there",
               name_text(name, backing->path));
    } else if (backing->state == COW_BACKING_UNUSABLE) {
        report(c, COW_FINDING_BACKING_UNUSABLE, "the backing file cannot be used: %s", backing->problem);
    }
}

int find_place(struct checkup *c, struct cow_error *err)
{
    const enum cow_backing_state state = c->img->backing.facts.state;
    if (state == COW_BACKING_MISSING || state == COW_BACKING_UNUSABLE) {
        return find_candidates(c, CANDIDATE_LIKE, err);
    }
    const bool doubtful = c->has_backing && (!c->same_size || !c->same_date);
    return doubtful && c->pending_sibling[0] == '\0' ? find_candidates(c, CANDIDATE_DATE, err) : 0;
}

/* While a change of another image on it is half done, its date and length say nothing, and nobody is told to
 * go by them. */
static void wait_for_sibling(struct checkup *c, struct cow_finding *finding)
{
    if (c->pending_sibling[0] != '\0') {
        finding->fixable = false;
    }
}

void find_pending_sibling(struct checkup *c)
{
    struct siblings siblings;
    char name[NAME_TEXT_BYTES];
    c->pending_sibling[0] = '\0';
    if ((c->same_size && c->same_date) || siblings_find(&siblings, c->img, NULL) != 0) {
        return;
    }
    const struct sibling *pending = siblings_pending(&siblings);
    if (pending != NULL) {
        snprintf(c->pending_sibling, sizeof c->pending_sibling,
                 "; a change of %s, which is on it, too, was interrupted: recover that first",
                 name_text(name, pending->path));
    }
    siblings_clear(&siblings);
}

void find_backing_size(struct checkup *c)
{
    char disk_text[COW_SIZE_TEXT_BYTES], backing_text[COW_SIZE_TEXT_BYTES];
    const uint64_t disk = c->img->header.size_bytes, backing = c->img->backing.facts.size_bytes;
    if (!c->same_size) {
        wait_for_sibling(
            c, report(c, COW_FINDING_BACKING_SIZE,
                      "the disk has %" PRIu64 " bytes (%s), the backing file %" PRIu64 " (%s)%s%s", disk,
                      cow_size_text(disk_text, disk), backing, cow_size_text(backing_text, backing),
                      c->same_date ? "" : ", and another date", c->pending_sibling));
    }
}

/* What both sides have where an ext filesystem has its superblock. */
struct witnesses {
    bool has_backing, has_guest;
    struct superblock backing, guest;
};

static int ask_witnesses(struct witnesses *out, struct cow_image *img, struct cow_error *err)
{
    uint8_t backing[SUPERBLOCK_BYTES], guest[SUPERBLOCK_BYTES];
    *out = (struct witnesses){.has_backing = false};
    if (img->header.size_bytes < SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES) {
        return 0;
    }
    int status = cow_image_read_file(img, COW_FILE_BACKING, SUPERBLOCK_OFFSET, backing, sizeof backing, err);
    if (status == 0) {
        status = cow_image_read(img, SUPERBLOCK_OFFSET, guest, sizeof guest, err);
    }
    if (status == 0) {
        out->has_backing = superblock_read(&out->backing, backing);
        out->has_guest = memcmp(backing, guest, sizeof guest) != 0 && superblock_read(&out->guest, guest);
    }
    return status;
}

/* "written 2003-04-26 12:00:00 UTC, mounted 3 times, 55376 free blocks" */
static void describe_superblock(char *out, size_t out_bytes, const struct superblock *s)
{
    char written[DATE_TEXT_BYTES];
    snprintf(out, out_bytes, "written %s, mounted %" PRIu32 " time%s, %" PRIu64 " free blocks",
             clock_text(written, s->written), s->mounts, plural(s->mounts), s->free_blocks);
}

/* What the two superblocks say, as the end of a sentence. */
static void testimony(char *out, size_t out_bytes, const struct witnesses *w, enum superblock_view view)
{
    char backing[160], guest[160] = "";
    if (!w->has_backing) {
        snprintf(
            out, out_bytes,
            "nothing tells whether its content has changed: there is no ext filesystem at its beginning");
        return;
    }
    describe_superblock(backing, sizeof backing, &w->backing);
    if (w->has_guest) {
        describe_superblock(guest, sizeof guest, &w->guest);
    }
    static const char *const words[] = {
        [SUPERBLOCK_UNKNOWN] = "nothing tells whether its content has changed: its ext filesystem is younger "
                               "than the header's date",
        [SUPERBLOCK_UNTOUCHED] = "it looks touched only: its ext filesystem was not written after the "
                                 "header's date",
        [SUPERBLOCK_GUEST_YOUNGER] = "it looks touched only: the guest's filesystem was written later than "
                                     "the one in it",
        [SUPERBLOCK_WRITTEN] = "it looks modified: its ext filesystem was written after the header's date",
        [SUPERBLOCK_GUEST_OLDER] = "it looks modified: its ext filesystem was written after the guest took "
                                   "its copy of it",
    };
    snprintf(out, out_bytes, "%s (%s%s%s)", words[view], backing, w->has_guest ? "; in the guest: " : "",
             guest);
}

int find_backing_date(struct checkup *c, struct cow_error *err)
{
    struct witnesses witnesses;
    char header[DATE_TEXT_BYTES], backing[DATE_TEXT_BYTES], words[COW_MESSAGE_BYTES / 2];
    const int64_t header_mtime = c->img->header.mtime;
    if (!c->has_backing) {
        return 0;
    }
    int status = ask_witnesses(&witnesses, c->img, err);
    if (status != 0) {
        return status;
    }
    enum superblock_view view =
        witnesses.has_backing
            ? superblock_compare(&witnesses.backing, witnesses.has_guest ? &witnesses.guest : NULL,
                                 header_mtime)
            : SUPERBLOCK_UNKNOWN;
    testimony(words, sizeof words, &witnesses, view);
    date_text(header, header_mtime);
    date_text(backing, c->img->backing.facts.mtime);
    if (c->same_date) {
        /* Dates can be put back. Only what no clock can have made is believed against them. */
        if (view == SUPERBLOCK_GUEST_OLDER) {
            report(c, COW_FINDING_BACKING_MODIFIED, "the backing file has the header's date, %s, but %s",
                   header, words)
                ->fixable = false;
        }
        return 0;
    }
    const bool modified = view == SUPERBLOCK_WRITTEN || view == SUPERBLOCK_GUEST_OLDER;
    wait_for_sibling(c, report(c, modified ? COW_FINDING_BACKING_MODIFIED : COW_FINDING_BACKING_DATE,
                               "the date of the backing file is %s, that in the header %s; %s%s", backing,
                               header, c->pending_sibling[0] != '\0' ? c->pending_sibling + 2 : words,
                               c->date_fits ? "" : "; no header can hold a date before 1970 or after 2106"));
    return 0;
}

int find_backing_is_cow(struct checkup *c, struct cow_error *err)
{
    uint8_t bytes[COW_HEADER_BYTES_MAX];
    struct cow_header header;
    const struct cow_image *img = c->img;
    if (!c->has_backing) {
        return 0;
    }
    ssize_t n = image_read_backing_file(c->img, bytes, sizeof bytes);
    if (n < 0) {
        return cow_error_system(err, (int)-n, "%s", img->backing.facts.path);
    }
    if (cow_header_decode(&header, bytes, (size_t)n, img->backing.facts.size_bytes, UINT64_MAX, NULL) == 0) {
        report(c, COW_FINDING_BACKING_IS_COW, "the backing file is a COW image itself: %s",
               cow_format_title(header.format));
    }
    return 0;
}
