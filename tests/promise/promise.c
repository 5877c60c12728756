/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See promise.h. What happened is read from the files themselves: bits are counted here, byte by byte; no
 * number comes from where the preview has it. Only offsets are taken from the header by the product's own
 * decoder, which the suites hold against others elsewhere.
 *
 * COWTUI_PROMISES=off: not compared (where somebody else acts at the same time); any other value: the name of
 * a file that gets a line for each commit that was compared.
 */
#include "promise/promise.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/plan/plan.h"
#include "promise/watch.h"

enum { BLOCK_BYTES = 4096, EXT4_MAGIC = 0xef53, XFS_MAGIC = 0x58465342, TMPFS_MAGIC = 0x01021994 };

int __real_cow_plan_commit(struct cow_plan *plan, const struct cow_env *env, struct cow_error *err);
int __wrap_cow_plan_commit(struct cow_plan *plan, const struct cow_env *env, struct cow_error *err);

/* The bits of an image, as a file has them. */
struct bits {
    bool known; /* sectors of 512 bytes, and a layout */
    uint64_t sectors, offset, n_bytes, sector_bytes, size_bytes;
    struct cow_header header;
    struct cow_layout layout;
};

bool promise_on = true;
bool promise_aborts = true;
unsigned long promise_commits, promises_broken;

static struct watch watch;
static struct cow_preview said; /* a copy, perhaps falsified */
enum { FILES_MAX = 256, STEPS_MAX = 512 };
static struct cow_touched said_file[FILES_MAX];
static struct cow_step said_step[STEPS_MAX];
static size_t said_steps;
static struct bits old_bits, new_bits;
static uint64_t old_dirty_sectors, old_mixed, old_allocated;
static bool recovers, has_selection, probed;
static unsigned long broken;

static size_t falsify_field = SIZE_MAX;
static bool falsified, caught, quiet;

static void differs(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void differs(const char *format, ...)
{
    va_list arguments;
    broken++;
    if (quiet) {
        return;
    }
    va_start(arguments, format);
    fprintf(stderr, "a promise of \"%s\" (%s) is broken: ", cow_operation_name(said.operation),
            cow_method_name(said.method));
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

static void same(const char *what, uint64_t promised, uint64_t happened)
{
    if (promised != happened) {
        differs("%s: %" PRIu64 " were promised, it is %" PRIu64, what, promised, happened);
    }
}

/* ---- bits ---- */

static void find_bits(struct bits *out, const struct cow_io *io, const char *path)
{
    static uint8_t bytes[COW_HEADER_BYTES_MAX];
    struct stat facts;
    *out = (struct bits){.known = false};
    const int fd = io->open(io->context, path, O_RDONLY, 0);
    if (fd < 0) {
        return;
    }
    const ssize_t n = io_read(io, fd, bytes, sizeof bytes, 0);
    if (n > 0 && io->fstat(io->context, fd, &facts) == 0 &&
        cow_header_decode(&out->header, bytes, (size_t)n, (uint64_t)facts.st_size, UINT64_MAX, NULL) == 0 &&
        cow_layout_of(&out->layout, &out->header, NULL) == 0) {
        out->known = true;
        out->sectors = out->layout.mapped_sectors;
        out->offset = out->layout.bitmap_offset;
        out->n_bytes = (out->sectors + 7) / 8;
    }
    io->close(io->context, fd);
}

static uint8_t bit_mask(const struct bits *bits, uint64_t at)
{
    const uint64_t left = bits->sectors > at * 8 ? bits->sectors - at * 8 : 0;
    return (uint8_t)(left >= 8 ? 0xffu : (1u << left) - 1);
}

/* How many sectors are dirty, and how many pages of 4 KiB mix both kinds. */
static uint64_t count_bits(const struct bits *bits, const struct cow_io *io, const char *path,
                           uint64_t *mixed)
{
    static uint8_t piece[65536];
    uint64_t dirty = 0;
    *mixed = 0;
    const int fd = io->open(io->context, path, O_RDONLY, 0);
    for (uint64_t at = 0; fd >= 0 && at < bits->n_bytes;) {
        struct io_extent extent = {.begin = 0};
        uint64_t n = bits->n_bytes - at < sizeof piece ? bits->n_bytes - at : sizeof piece;
        if (io_extent_at(io, fd, bits->offset + at, bits->offset + bits->n_bytes, &extent) == 0 &&
            !extent.data) {
            at = extent.end - bits->offset;
            continue;
        }
        if (io_read_padded(io, fd, piece, (size_t)n, bits->offset + at) != 0) {
            break;
        }
        for (uint64_t i = 0; i < n; i++) {
            const uint8_t mask = bit_mask(bits, at + i), byte = piece[i] & mask;
            dirty += (unsigned)__builtin_popcount(byte);
            *mixed += byte != 0 && byte != mask;
        }
        at += n;
    }
    if (fd >= 0) {
        io->close(io->context, fd);
    }
    return dirty;
}

/* Sectors that were dirty and are clean, and the other way round; both by sectors of 512 bytes. */
static void compare_bits(const struct cow_io *io, const char *old_path, const char *new_path,
                         uint64_t *dropped, uint64_t *added)
{
    static uint8_t old[65536], new[65536];
    const int from = io->open(io->context, old_path, O_RDONLY, 0);
    const int to = io->open(io->context, new_path, O_RDONLY, 0);
    *dropped = *added = 0;
    for (uint64_t at = 0; from >= 0 && to >= 0 && at < new_bits.n_bytes; at += sizeof new) {
        const uint64_t n = new_bits.n_bytes - at < sizeof new ? new_bits.n_bytes - at : sizeof new;
        memset(old, 0, sizeof old);
        if (at < old_bits.n_bytes) {
            const uint64_t m = old_bits.n_bytes - at < n ? old_bits.n_bytes - at : n;
            (void)io_read_padded(io, from, old, (size_t)m, old_bits.offset + at);
        }
        (void)io_read_padded(io, to, new, (size_t)n, new_bits.offset + at);
        for (uint64_t i = 0; i < n; i++) {
            old[i] &= bit_mask(&old_bits, at + i);
            new[i] &= bit_mask(&new_bits, at + i);
            *dropped += (unsigned)__builtin_popcount(old[i] & ~(unsigned)new[i]);
            *added += (unsigned)__builtin_popcount(new[i] & ~(unsigned)old[i]);
        }
    }
    if (from >= 0) {
        io->close(io->context, from);
    }
    if (to >= 0) {
        io->close(io->context, to);
    }
}

/* ---- files ---- */

static bool same_inode(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool same_instant(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* A date that is set to what it was is no change: so it is found out whether dates may be set. */
static bool changed(const struct watched *w)
{
    return w->was_there != w->is_there ||
           (w->was_there &&
            (w->written || !same_inode(&w->before, &w->after) || w->before.st_size != w->after.st_size ||
             w->before.st_mode != w->after.st_mode || w->before.st_uid != w->after.st_uid ||
             w->before.st_gid != w->after.st_gid || !same_instant(w->before.st_mtim, w->after.st_mtim)));
}

static const struct cow_touched *named(const struct watched *w)
{
    for (size_t i = 0; i < said.files; i++) {
        struct stat facts;
        if (said_file[i].path == NULL) { /* of a falsified number of files */
            continue;
        }
        if (strcmp(said_file[i].path, w->path) == 0) {
            return &said_file[i];
        }
        if (w->is_there && watch.inner->stat(watch.inner->context, said_file[i].path, &facts) == 0 &&
            same_inode(&facts, &w->after)) {
            return &said_file[i];
        }
    }
    return NULL;
}

static bool fits(const struct cow_touched *file, const struct watched *w)
{
    switch (file->touch) {
    case COW_TOUCH_MAKES:
        return !w->was_there && w->is_there;
    case COW_TOUCH_REPLACES:
    case COW_TOUCH_CHANGES:
        return w->was_there && w->is_there;
    case COW_TOUCH_LENGTHENS:
        return w->was_there && w->is_there && w->after.st_size > w->before.st_size &&
               same_instant(w->before.st_mtim, w->after.st_mtim);
    case COW_TOUCH_CUTS:
        return w->was_there && w->is_there && w->after.st_size < w->before.st_size;
    case COW_TOUCH_REMOVES:
        return w->was_there && !w->is_there;
    case COW_TOUCHES:
        break;
    }
    return false;
}

static void compare_touched(void)
{
    bool met[FILES_MAX] = {false};
    if (watch.full) {
        differs("more files were touched than can be watched");
    }
    for (size_t i = 0; i < watch.files; i++) {
        const struct watched *w = &watch.file[i];
        const struct cow_touched *file = named(w);
        if (!changed(w)) {
            if (!w->was_there && strstr(w->path, ".cowtui-") == NULL) {
                differs("%s was made and removed", w->path);
            }
            continue;
        }
        if (file == NULL) {
            differs("%s is touched, and was not named", w->path);
            continue;
        }
        met[file - said_file] = true;
        if (!recovers && !fits(file, w)) {
            differs("%s is not what \"%s\" says", w->path, cow_touch_name(file->touch));
        }
        if (!recovers && file->has_size && w->is_there && (uint64_t)w->after.st_size != file->size_bytes) {
            differs("%s has %jd bytes, not %" PRIu64, w->path, (intmax_t)w->after.st_size, file->size_bytes);
        }
    }
    for (size_t i = 0; i < said.files && !recovers; i++) {
        /* that there are no hard links, only the probe finds out */
        const char *path = said_file[i].path != NULL ? said_file[i].path : "nothing";
        const bool by_link = !probed && strstr(path, ".cowtui-undo") != NULL;
        if (!met[i] && !by_link) {
            differs("%s was named, and is as it was", path);
        }
    }
}

/* ---- space ---- */

/* Runs of data in a file. */
static uint64_t runs_of(const struct cow_io *io, const char *path)
{
    struct stat facts;
    uint64_t runs = 0, at = 0;
    const int fd = io->open(io->context, path, O_RDONLY, 0);
    if (fd >= 0 && io->fstat(io->context, fd, &facts) == 0) {
        while (at < (uint64_t)facts.st_size) {
            struct io_extent extent;
            if (io_extent_at(io, fd, at, (uint64_t)facts.st_size, &extent) != 0) {
                break;
            }
            runs += extent.data;
            at = extent.end;
        }
    }
    if (fd >= 0) {
        io->close(io->context, fd);
    }
    return runs;
}

static bool counts_by_blocks(const char *path)
{
    struct statfs facts;
    return statfs(path, &facts) == 0 &&
           ((unsigned)facts.f_type == EXT4_MAGIC || (unsigned)facts.f_type == XFS_MAGIC ||
            (unsigned)facts.f_type == TMPFS_MAGIC);
}

static bool space_is_exact_here(const char *path)
{
    if (watch.inner != &io_system) {
        return watch.inner->context != NULL && access(path, F_OK) != 0; /* a simulated disk; else a wrapper */
    }
    return counts_by_blocks(path);
}

static bool is_undo(const char *path)
{
    const size_t length = strlen(path), suffix = strlen(".cowtui-undo");
    return length > suffix && strcmp(path + length - suffix, ".cowtui-undo") == 0;
}

/* Of a plan for several images, one of them; the image is one, too. */
static bool is_an_image(const char *path)
{
    bool is = strcmp(path, said.target_path) == 0;
    for (size_t i = 0; i < said.images; i++) {
        is |= strcmp(path, said.image[i]->target_path) == 0;
    }
    return is;
}

/* Room that the change has taken: of files that are new, all; of others, what they have grown by. The old
 * image under the undo file's name is not new. */
static uint64_t used_bytes(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < watch.files; i++) {
        const struct watched *w = &watch.file[i];
        bool is_old =
            w->cloned; /* it takes nothing, but what a filesystem holds ready for writing elsewhere */
        for (size_t j = 0; w->is_there && j < watch.files; j++) {
            const struct watched *other = &watch.file[j];
            /* the old image, or what was made of it; a number that another file had may come back */
            const bool is_image = is_an_image(other->path) || is_undo(other->path);
            if (other->was_there && (i == j || is_image) && same_inode(&other->before, &w->after)) {
                is_old = true;
                sum += w->after.st_blocks > other->before.st_blocks && i == j
                           ? (uint64_t)(w->after.st_blocks - other->before.st_blocks) * 512
                           : 0;
            }
        }
        sum += w->is_there && !is_old ? (uint64_t)w->after.st_blocks * 512 : 0;
    }
    return sum;
}

static void compare_space(void)
{
    const struct cow_io *io = watch.inner;
    struct stat facts;
    /* what the programs of a filesystem write is estimated, generously; nobody counts it before */
    const bool estimates = said.fs_after_bytes != 0;
    /* also of a wrapper that passes the question on */
    if (watch.inner->counts_blocks == io_system.counts_blocks && said.needs_free_bytes > 0 &&
        said.space_is_about != (estimates || !counts_by_blocks(said.target_path))) {
        differs("it says %s of the room, and should not", said.space_is_about ? "about" : "exactly");
    }
    if (!space_is_exact_here(said.target_path) || io->stat(io->context, said.target_path, &facts) < 0) {
        return;
    }
    const uint64_t used = used_bytes(),
                   room = (runs_of(io, said.target_path) + 4) * (said.images + 1) * BLOCK_BYTES;
    const uint64_t allocated = (uint64_t)facts.st_blocks * 512;
    if (used > said.needs_free_bytes) {
        differs("%" PRIu64 " bytes of space are used, %" PRIu64 " were said to be needed", used,
                said.needs_free_bytes);
    } else if (!estimates && !said.needs_at_most && said.needs_free_bytes - used > room &&
               watch.inner == &io_system) {
        /* (a simulated disk may give a new file the number of an old one, which then looks like that) */
        differs("%" PRIu64 " bytes of space are used, and %" PRIu64 " were said to be needed", used,
                said.needs_free_bytes);
    }
    if (said.has_after_allocated &&
        (allocated > said.after_allocated_bytes + room || said.after_allocated_bytes > allocated + room)) {
        differs("the file takes %" PRIu64 " bytes, %" PRIu64 " were promised", allocated,
                said.after_allocated_bytes);
    }
}

/* ---- the new image ---- */

static uint64_t step_bytes(enum cow_step_kind kind)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < said_steps; i++) {
        sum += said_step[i].kind == kind ? said_step[i].bytes : 0;
    }
    return sum;
}

static bool has_step(enum cow_step_kind kind)
{
    for (size_t i = 0; i < said_steps; i++) {
        if (said_step[i].kind == kind) {
            return true;
        }
    }
    return false;
}

static void compare_layout(void)
{
    const struct cow_layout *to = &new_bits.layout, *after = &said.after;
    same("the size", said.after_size_bytes, new_bits.header.size_bytes);
    same("the format", said.after_format, new_bits.header.format);
    same("the alignment", said.after_alignment, new_bits.header.alignment);
    same("the sectors", after->sectors, to->sectors);
    same("the mapped sectors", after->mapped_sectors, to->mapped_sectors);
    same("the header's end", after->header_bytes, to->header_bytes);
    same("the bitmap's offset", after->bitmap_offset, to->bitmap_offset);
    same("the bitmap's length", after->bitmap_bytes, to->bitmap_bytes);
    same("the data's offset", after->data_offset, to->data_offset);
    same("the data's end", after->end_offset, to->end_offset);
    if (said.can_grow_to_bytes != 0) { /* as far as the bitmap has room before the data, in whole sectors */
        const uint64_t room = (to->data_offset - to->bitmap_offset) / new_bits.header.alignment *
                              new_bits.header.alignment * 8 * 512;
        const uint64_t largest = (UINT64_C(1) << 43) - 512; /* below 8 TiB */
        same("the reserve", said.can_grow_to_bytes, room < largest ? room : largest);
    }
    if (strcmp(said.after_backing_path, new_bits.header.backing_path) != 0) {
        differs("the stored path is %s, not %s", new_bits.header.backing_path, said.after_backing_path);
    }
}

/* Where the bits that were are after the change: under the undo file's name, or where they were. */
static const char *old_image_now(void)
{
    static char undo[PATH_MAX];
    const char *slash = strrchr(said.target_path, '/');
    struct stat facts;
    if (!said.replaces || !said.changes_existing) {
        return NULL;
    }
    snprintf(undo, sizeof undo, "%.*s.%s.cowtui-undo",
             slash != NULL ? (int)(slash - said.target_path) + 1 : 0, said.target_path,
             slash != NULL ? slash + 1 : said.target_path);
    return watch.inner->lstat(watch.inner->context, undo, &facts) == 0 ? undo : NULL;
}

static void compare_bits_of_both(void)
{
    uint64_t mixed, dropped, added;
    const struct cow_io *io = watch.inner;
    const uint64_t dirty = count_bits(&new_bits, io, said.target_path, &mixed);
    if (said.has_after_dirty) {
        same("the dirty sectors", said.after_dirty_sectors, dirty);
    }
    const char *old = old_image_now();
    if (old == NULL || !old_bits.known || old_bits.header.sector_bytes != 512 || !has_selection) {
        return;
    }
    compare_bits(io, old, said.target_path, &dropped, &added);
    same("the dropped sectors", said.dropped_sectors, dropped);
    same("the added sectors", said.added_sectors, added);
    if (said.has_mixed) {
        same("the mixed pages", said.mixed_pages, old_mixed);
    }
}

/* Whole numbers of sectors and pages in the sentence about the content are those that were compared. */
static void compare_words(void)
{
    const uint64_t known[] = {said.dirty_sectors, said.after_dirty_sectors, said.dropped_sectors,
                              said.added_sectors, said.mixed_pages,         said.after.sectors};
    const uint64_t ratio = old_bits.known ? old_bits.header.sector_bytes / 512 : 1;
    for (const char *at = said.content_text; !has_step(COW_STEP_WRITE_FILE) && *at != '\0';) {
        if (*at < '0' || *at > '9') {
            at++;
            continue;
        }
        char *end;
        const uint64_t number = strtoull(at, &end, 10);
        const bool is_size = *end == '.' || strstr(end, " KiB") == end || strstr(end, " B") == end ||
                             strstr(end, " MiB") == end || strstr(end, " GiB") == end ||
                             strstr(end, " TiB") == end || (at > said.content_text && at[-1] == '.');
        /* in sectors of 512; the last one may be cut by the disk's end */
        bool found =
            is_size || (number <= said.dirty_sectors * ratio && number + ratio > said.dirty_sectors * ratio);
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            found = found || known[i] == number;
        }
        if (!found) {
            differs("%" PRIu64 " in \"%s\" is no number that was compared", number, said.content_text);
        }
        at = end;
    }
}

static void compare_written(void)
{
    const bool copies = has_step(COW_STEP_COPY_DATA) || has_step(COW_STEP_WRITE_SELECTION);
    if (has_step(COW_STEP_COMPOSE) && watch.data_bytes > said.writes_bytes) {
        differs("%" PRIu64 " bytes are written, at most %" PRIu64 " were promised", watch.data_bytes,
                said.writes_bytes);
    }
    if (has_step(COW_STEP_MERGE_BACKING)) {
        same("the bytes written into the backing file", said.writes_bytes, watch.data_bytes);
        same("the bytes of that step", step_bytes(COW_STEP_MERGE_BACKING), watch.data_bytes);
    }
    if (!copies || said.images > 0) { /* one file is counted */
        return;
    }
    same("the bytes written", said.writes_bytes, watch.data_bytes);
    same("the bytes of the step", step_bytes(COW_STEP_COPY_DATA) + step_bytes(COW_STEP_WRITE_SELECTION),
         watch.data_bytes);
    if (!has_step(COW_STEP_CUT_IMAGE)) { /* which clears some of it again */
        same("the bytes of the bitmap", step_bytes(COW_STEP_WRITE_BITMAP), watch.bitmap_bytes);
    }
}

/* Filesystems note where blocks are when they are flushed, which may be in between. */
static void compare_room_before(void)
{
    const uint64_t said_now = said.before_allocated_bytes, is_now = old_allocated;
    const uint64_t differ = said_now > is_now ? said_now - is_now : is_now - said_now;
    if (differ > 2 * BLOCK_BYTES + is_now / 128) {
        differs("the image takes %" PRIu64 " bytes, %" PRIu64 " were told", is_now, said_now);
    }
}

static void compare(void)
{
    const struct cow_io *io = watch.inner;
    struct stat facts;
    compare_touched();
    if (has_step(COW_STEP_WRITE_STREAM) || has_step(COW_STEP_WRITE_DEVICE) || recovers || said_steps == 0) {
        return;
    }
    compare_space();
    compare_written();
    compare_words();
    if (said.has_before && old_bits.known) {
        same("the size before", said.before_size_bytes, old_bits.header.size_bytes);
        if (said.dirty_sectors != 0) { /* undo says nothing of them */
            same("the dirty sectors before", said.dirty_sectors, old_dirty_sectors);
        }
        compare_room_before();
    }
    if (said.makes_raw && io->stat(io->context, said.target_path, &facts) == 0) {
        same("the raw disk's length", said.before_size_bytes, (uint64_t)facts.st_size);
    }
    find_bits(&new_bits, io, said.target_path);
    if (said.has_after && new_bits.known) {
        compare_layout();
        compare_bits_of_both();
    }
}

/* ---- falsified ---- */

/* clang-format off */
#define FIELDS(X)                                                                                            \
    X(after_size_bytes) X(after_alignment) X(after.sectors) X(after.mapped_sectors) X(after.header_bytes)    \
    X(after.bitmap_offset) X(after.bitmap_bytes) X(after.data_offset) X(after.end_offset)                    \
    X(before_size_bytes) X(dirty_sectors) X(after_dirty_sectors) X(dropped_sectors) X(added_sectors)         \
    X(mixed_pages) X(writes_bytes) X(can_grow_to_bytes) X(files)
/* clang-format on */

static const char *const field_names[] = {
#define FIELD_NAME(name) #name,
    FIELDS(FIELD_NAME)
#undef FIELD_NAME
        "needs_free_bytes (a byte less than was used)",
    "after_allocated_bytes (a block a run more)",
    "a file's path",
    "a file's size",
    "what becomes of a file",
    "a step's bytes",
    "a number in the sentence",
};

size_t promise_fields(void)
{
    return sizeof field_names / sizeof *field_names;
}

const char *promise_field_name(size_t field)
{
    return field_names[field];
}

bool promise_is_of_room(size_t field)
{
    return strstr(field_names[field], "_free_bytes") != NULL ||
           strstr(field_names[field], "_allocated_bytes") != NULL;
}

void promise_falsify(size_t field)
{
    falsify_field = field;
    falsified = caught = false;
}

bool promise_was_caught(void)
{
    return caught;
}

bool promise_was_falsified(void)
{
    return falsified;
}

static void falsify_words(void)
{
    static char text[1024];
    snprintf(text, sizeof text, "%s", said.content_text);
    for (char *at = text; *at != '\0'; at++) {
        if (*at >= '0' && *at <= '8') {
            ++*at;
            said.content_text = text;
            falsified = true;
            return;
        }
    }
}

/* Beyond what the list names. */
static void falsify_other(size_t n)
{
    falsified = true;
    if (n == 0) {
        const uint64_t used = used_bytes();
        falsified = used > 0 && space_is_exact_here(said.target_path);
        said.needs_free_bytes = used - falsified;
    } else if (n == 1) {
        falsified = said.has_after_allocated && space_is_exact_here(said.target_path);
        said.after_allocated_bytes += (runs_of(watch.inner, said.target_path) + 6) * BLOCK_BYTES;
    } else if (n == 2 && said.files > 0) {
        said_file[said.files - 1].path = "/elsewhere";
    } else if (n == 3 && said.files > 0 && said_file[0].has_size) {
        said_file[0].size_bytes++;
    } else if (n == 4 && said.files > 0) {
        said_file[0].touch = said_file[0].touch == COW_TOUCH_REMOVES ? COW_TOUCH_MAKES : COW_TOUCH_REMOVES;
    } else if (n == 5) {
        falsified = false;
        for (size_t i = 0; i < said_steps && !falsified; i++) {
            if (said_step[i].kind == COW_STEP_WRITE_BITMAP || said_step[i].kind == COW_STEP_COPY_DATA ||
                said_step[i].kind == COW_STEP_WRITE_SELECTION ||
                said_step[i].kind == COW_STEP_MERGE_BACKING) {
                said_step[i].bytes++;
                falsified = true;
            }
        }
    } else if (n == 6) {
        falsified = false;
        falsify_words();
    } else {
        falsified = false;
    }
}

static void falsify(void)
{
    size_t n = falsify_field;
    const size_t listed = promise_fields() - 7;
    if (n >= promise_fields()) {
        return;
    }
#define FALSIFY(name)                                                                                        \
    if (n == 0) {                                                                                            \
        falsified = said.name != 0;                                                                          \
        said.name += said.name != 0 ? (n == 0) : 0;                                                          \
    }                                                                                                        \
    n--;
    FIELDS(FALSIFY)
#undef FALSIFY
    /* an upper bound: that it is none is falsified by less */
    if (falsified && said.makes_raw && strcmp(field_names[falsify_field], "writes_bytes") == 0) {
        falsified = watch.data_bytes > 0;
        said.writes_bytes = watch.data_bytes - falsified;
    }
    if (falsify_field >= listed) {
        falsify_other(falsify_field - listed);
    }
    said.files = said.files > FILES_MAX ? FILES_MAX : said.files;
}

/* ---- around the commit ---- */

static void remember(const struct cow_plan *plan)
{
    size_t n_steps;
    const struct cow_step *steps = cow_plan_steps(plan, &n_steps);
    said = *cow_plan_preview(plan);
    memset(said_file, 0, sizeof said_file);
    if (said.files > 0) {
        memcpy(said_file, said.file, said.files * sizeof *said_file);
    }
    if (n_steps > 0) {
        memcpy(said_step, steps, n_steps * sizeof *steps);
    }
    said_steps = n_steps;
    recovers = plan->purpose == PLAN_RECOVERS;
    probed = plan->probed;
    has_selection = plan->result.selection != NULL;
    old_bits = (struct bits){.known = false};
    old_dirty_sectors = old_mixed = old_allocated = 0;
    if (plan->img != NULL && said.has_before && plan->own_image == NULL && plan->img->bitmap != NULL) {
        struct stat facts;
        old_bits.known = true;
        old_bits.header = plan->img->header;
        old_bits.layout = plan->img->layout;
        old_bits.sectors = old_bits.layout.mapped_sectors;
        old_bits.offset = old_bits.layout.bitmap_offset;
        old_bits.n_bytes = (old_bits.sectors + 7) / 8;
        if (plan->result.shrinks && !plan->result.is_cut) { /* what is carried over */
            const uint64_t kept =
                (said.after_size_bytes + old_bits.header.sector_bytes - 1) / old_bits.header.sector_bytes;
            old_bits.sectors = kept < old_bits.sectors ? kept : old_bits.sectors;
        }
        old_dirty_sectors = count_bits(&old_bits, plan->io, plan->img->real_path, &old_mixed);
        old_bits.sectors = old_bits.layout.mapped_sectors;
        if (plan->io->stat(plan->io->context, plan->img->real_path, &facts) == 0) {
            old_allocated = (uint64_t)facts.st_blocks * 512;
        }
    }
}

static void note_it(const char *where)
{
    char line[128];
    const int n = snprintf(line, sizeof line, "%s %s %lu\n", cow_operation_name(said.operation),
                           cow_method_name(said.method), broken);
    const int fd = open(where, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd >= 0) {
        (void)!write(fd, line, (size_t)n);
        close(fd);
    }
}

int __wrap_cow_plan_commit(struct cow_plan *plan, const struct cow_env *env, struct cow_error *err)
{
    const char *where = getenv("COWTUI_PROMISES");
    const struct cow_io *io = plan->io;
    if (!promise_on || (where != NULL && strcmp(where, "off") == 0) || plan->committed ||
        plan->refusal.status != 0) {
        return __real_cow_plan_commit(plan, env, err);
    }
    remember(plan);
    if (plan->method == RECORD_MERGE) {
        watch_begin(&watch, io, plan->backing.path, 0, 0);
    } else {
        watch_begin(&watch, io, plan->target.temp_path != NULL ? plan->target.temp_path : "",
                    plan->result.layout.bitmap_offset, plan->result.layout.data_offset);
    }
    plan->io = &watch.io;
    const int status = __real_cow_plan_commit(plan, env, err);
    plan->io = io;
    if (status != 0) {
        return status;
    }
    watch_end(&watch);
    promise_commits++;
    broken = 0;
    compare();
    promises_broken += broken;
    if (broken > 0 && promise_aborts) {
        abort();
    }
    if (falsify_field < promise_fields()) {
        falsify();
        quiet = true;
        compare();
        quiet = false;
        caught = broken > 0;
        falsify_field = SIZE_MAX;
    }
    if (where != NULL) {
        note_it(where);
    }
    return status;
}
