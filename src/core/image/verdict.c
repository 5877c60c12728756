/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Would a stock UML kernel open it? The checks of open_ubd_file() and backing_file_mismatch() in the kernel's
 * ubd_kern.c, in their order and with their words; measured with UML 6.1 (tests/guest compares them with a
 * real one).
 *
 * Our own decoder is not asked: it would be no honest witness, for what it knows to be QEMU's, the kernel
 * takes for a v2. format/kernel.c reads the header as the kernel does, without range checks. The same
 * function judges images that are not written yet (a plan encodes the header that it is going to write, and
 * asks), so a preview cannot promise what `info` would deny later. Where the backing file is a COW itself,
 * the kernel sees the size and the date of that file, and so does this.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/base/arith.h"
#include "core/format/kernel.h"
#include "core/format/variants.h"
#include "core/image/image.h"
#include "core/image/siblings.h"
#include "cow/text.h"

#define WORDS(out, ...)  snprintf((out)->reason, sizeof(out)->reason, __VA_ARGS__)
#define ADVISE(out, ...) snprintf((out)->advice, sizeof(out)->advice, __VA_ARGS__)

__attribute__((format(printf, 2, 3))) static void warn(struct cow_verdict *out, const char *format, ...)
{
    if (out->warnings < COW_VERDICT_WARNINGS_MAX) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(out->warning[out->warnings++], sizeof out->warning[0], format, arguments);
        va_end(arguments);
    }
}

static void advise_size(struct cow_verdict *out, const struct verdict_facts *facts, uint64_t kernel_bytes)
{
    char header_text[COW_SIZE_TEXT_BYTES], backing_text[COW_SIZE_TEXT_BYTES], size[COW_SIZE_TEXT_BYTES];
    char image[COW_HINT_BYTES / 2];
    const uint64_t header_bytes = facts->header->size_bytes;
    if (facts->header->unfinished) {
        return;
    }
    if (kernel_bytes != header_bytes) {
        ADVISE(out,
               "a stock kernel misreads the header of a %s; whatever cowtui rewrites becomes a v3, which it "
               "reads",
               cow_format_title(facts->header->format));
        return;
    }
    uint64_t larger = arith_max(header_bytes, facts->backing_bytes);
    if (larger % 512 == 0 && larger < SIZE_LIMIT_BYTES) {
        ADVISE(out, "the header says %s, the backing file has %s: \"cowtui resize --policy extend %s %s\" %s",
               cow_size_text(header_text, header_bytes), cow_size_text(backing_text, facts->backing_bytes),
               cow_shell_quote(image, sizeof image, facts->image_path), cow_size_argument(size, larger),
               larger == header_bytes ? "lengthens the backing file" : "adapts the image");
    }
}

/* Not to name it on the kernel's command line: a v1 or v2 is destroyed by that. */
static void advise_missing(struct cow_verdict *out, const struct verdict_facts *facts)
{
    char image[COW_HINT_BYTES / 2];
    ADVISE(out,
           "if it is elsewhere now, \"cowtui rebase --to FILE %s\" stores that in the header; -b FILE only "
           "looks through it",
           cow_shell_quote(image, sizeof image, facts->image_path));
}

/* The header and the backing file, in the kernel's order. False: it refuses, reason and advice are set. */
static bool passes_checks(struct cow_verdict *out, const struct verdict_facts *facts,
                          const struct kernel_header *header)
{
    char path[COW_MESSAGE_BYTES / 2];
    cow_escape(path, sizeof path, facts->backing_path);
    if (header->refusal != NULL) {
        WORDS(out, "%s", header->refusal);
        out->brief = "its header";
        ADVISE(out,
               "with no backing file on its command line the kernel would serve this file as a raw disk");
        return false;
    }
    if (facts->backing_unknown) {
        return true;
    }
    if (facts->backing_errno != 0) {
        WORDS(out, "Couldn't stat \"%s\" : err = %d", path, facts->backing_errno);
        out->brief = facts->backing_errno == ENOENT ? "no backing file" : "its backing file";
        advise_missing(out, facts);
        return false;
    }
    if (facts->backing_bytes != header->size_bytes) {
        WORDS(out, "Size mismatch (%" PRIu64 " vs %" PRIu64 ") of COW header vs backing file",
              header->size_bytes, facts->backing_bytes);
        out->brief = "size of the backing file";
        advise_size(out, facts, header->size_bytes);
        return false;
    }
    if (facts->backing_mtime != header->mtime) {
        WORDS(out, "mtime mismatch (%" PRId64 " vs %" PRId64 ") of COW header vs backing file", header->mtime,
              facts->backing_mtime);
        out->brief = "date of the backing file";
        if (header->mtime >= 0) {
            char backing[COW_HINT_BYTES / 2];
            cow_shell_quote(backing, sizeof backing, facts->backing_path);
            ADVISE(out,
                   "if its content has not changed since, give the backing file its date back: touch -d "
                   "@%" PRId64 " %s",
                   header->mtime, backing);
        }
        return false;
    }
    return true;
}

/* How the files are named on its command line. */
static void warn_of_names(struct cow_verdict *out, const struct verdict_facts *facts)
{
    const enum kernel_naming naming = kernel_naming_of(facts->boot_path);
    if (naming == KERNEL_CANNOT_NAME_IT) {
        warn(out, "on its command line (ubd0=) the kernel cannot be given this path, for there is a colon, a "
                  "comma or a "
                  "double quote in it: rename it, or boot by a symbolic link without them");
    } else if (naming == KERNEL_NAMES_IT_QUOTED) {
        warn(out, "on its command line the blank in the path needs quotes that reach the kernel: "
                  "'ubd0=\"PATH\"'; or rename it, or boot by a symbolic link without");
    }
    if (facts->switches && kernel_naming_of(facts->backing_path) == KERNEL_CANNOT_NAME_IT) {
        warn(out, "nor can it be given the path of that backing file, which has a colon, a comma or a double "
                  "quote in "
                  "it: rebase --to it");
    }
}

static void add_warnings(struct cow_verdict *out, const struct verdict_facts *facts,
                         const struct kernel_header *header)
{
    if (facts->switches) {
        if (header->version < 3) {
            warn(out,
                 "named on its command line, another backing file than the stored one makes the kernel "
                 "rewrite this "
                 "v%u header as a v3, which destroys the image",
                 header->version);
        } else {
            warn(out, "the stored path is not this backing file: name it on the kernel's command line "
                      "(ubd0=IMAGE,BACKING)");
        }
    }
    warn_of_names(out, facts);
    if (facts->beside_image) {
        warn(out, "the backing path is relative: the kernel finds it only if it is started in the image's "
                  "directory");
    }
    if (facts->backing_is_cow) {
        warn(out,
             "the backing file is a COW image itself: the kernel shows the guest its header and bitmap as "
             "if they were the disk");
    }
    if (header->sector_bytes != 512) {
        warn(out, "the kernel misreads sectors of %" PRIu32 " bytes: it takes 512 whatever the header says",
             header->sector_bytes);
    }
    if (header->size_bytes <= 32768) {
        warn(out, "a disk of 32 KiB or less hangs the guest at its first write");
    }
    if (header->version < 3 && arith_div_up(header->size_bytes, 512) % 8 != 0) {
        warn(out, "v%u: the last %u sectors have no bit; what the guest writes there is lost when it stops",
             header->version, (unsigned)(arith_div_up(header->size_bytes, 512) % 8));
    }
}

void verdict_of(struct cow_verdict *out, const struct verdict_facts *facts)
{
    struct kernel_header header;
    *out = (struct cow_verdict){.opens = false, .brief = ""};
    kernel_header_read(&header, facts->bytes, facts->n_bytes);
    if (!passes_checks(out, facts, &header)) {
        return;
    }
    if (header.data_offset > INT32_MAX) {
        WORDS(out,
              "the data offset %" PRIu64 " does not fit the signed 32-bit number that the kernel holds it in",
              header.data_offset);
        out->brief = "its data offset";
        return;
    }
    out->unknown = facts->backing_unknown;
    out->opens = !out->unknown;
    add_warnings(out, facts, &header);
}

/* Half a change of another image explains the backing file's length and date: nothing is to be done by them.
 */
static void advise_sibling(struct cow_verdict *out, struct cow_image *img)
{
    struct siblings siblings;
    char other[COW_HINT_BYTES / 2];
    if (siblings_find(&siblings, img, NULL) != 0) {
        return;
    }
    const struct sibling *pending = siblings_pending(&siblings);
    if (pending != NULL) {
        ADVISE(out,
               "first of all: \"cowtui recover %s\": a change of that image, on the same backing file, was "
               "interrupted",
               cow_shell_quote(other, sizeof other, pending->path));
    }
    siblings_clear(&siblings);
}

/* What is known of this very image goes before what another one explains. */
static void advise_pending(struct cow_verdict *out, struct cow_image *img)
{
    if (!out->opens && img->is_moving) {
        ADVISE(out, "wait until its data has been moved");
    } else if (!out->opens && *cow_image_pending(img) != '\0') {
        char image[COW_HINT_BYTES / 2];
        ADVISE(out, "first of all: \"cowtui recover %s\" finishes the interrupted change or takes it back",
               cow_shell_quote(image, sizeof image, img->path));
    }
}

void cow_image_verdict_alone(struct cow_image *img, struct cow_verdict *out)
{
    const struct cow_backing *backing = &img->backing.facts;
    struct verdict_facts facts = {.bytes = img->raw,
                                  .n_bytes = img->raw_bytes,
                                  .header = &img->header,
                                  .image_path = img->path,
                                  .boot_path = img->path,
                                  .backing_path = backing->named ? backing->path : img->header.backing_path,
                                  .backing_is_cow = image_flat(img) != img,
                                  .beside_image = backing->beside_image};
    struct stat found = img->backing.file.facts;
    if (backing->state == COW_BACKING_IGNORED) {
        facts.backing_unknown = true;
    } else if (backing->state != COW_BACKING_FOUND) {
        int status = io_stat_disk(img->io, facts.backing_path, &found);
        facts.backing_errno = status < 0 ? -status : 0;
    } else if (backing->named) {
        struct stat stored;
        facts.switches = img->io->stat(img->io->context, img->header.backing_path, &stored) < 0 ||
                         !same_file(&stored, &found);
    }
    facts.backing_bytes = (uint64_t)found.st_size;
    facts.backing_mtime = found.st_mtim.tv_sec;
    verdict_of(out, &facts);
    if (out->opens && !img->header.unfinished &&
        (uint64_t)img->cow.facts.st_size < img->layout.bitmap_offset + img->layout.bitmap_bytes) {
        warn(out, "the file ends before its bitmap does: the kernel takes random sectors for dirty then");
    }
    advise_pending(out, img);
}

void cow_image_verdict(struct cow_image *img, struct cow_verdict *out)
{
    const struct stat *below = &img->backing.file.facts;
    cow_image_verdict_alone(img, out);
    if (!out->opens && img->backing.facts.state == COW_BACKING_FOUND && !img->is_moving &&
        *cow_image_pending(img) == '\0' &&
        ((uint64_t)below->st_size != img->header.size_bytes ||
         below->st_mtim.tv_sec != (int64_t)img->header.mtime)) {
        advise_sibling(out, img);
    }
}
