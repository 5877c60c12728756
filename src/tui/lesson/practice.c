/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The numbers of the exercise stand here and nowhere else; what the screens show is read from the image. Its
 * bitmap fills the room before the data to the last byte, so any growth has to move the data. The stored path
 * is absolute: a relative one would be tried in the user's working directory first.
 */
#include "tui/lesson/practice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DISK_BYTES = 8 << 20,
    GROWN_BYTES = 12 << 20,
    SECTOR_BYTES = 512,
    ALIGNMENT = 512,
    PAGE_BYTES = 4096,
    BITS = 8,        /* of a byte */
    LEAST_PAGES = 4, /* of the guest's many writes */
    MOST_PAGES = 32,
    FIRST_PAGE = 820,
    DATE = 1051358400, /* 2003-04-26 12:00:00 UTC */
    DAY_S = 24 * 60 * 60,
};

static const char *const own_names[] = {"disk.cow", "disk.img", ".disk.cow.cowtui-*", ".disk.img.cowtui-*",
                                        NULL};
static const struct front_private_kind for_practice = {"cowtui-tour-", false, own_names};

static const char before_text[] = "What was always here. ", after_text[] = "The guest wrote this! ";

int practice_make(struct practice *out, struct cow_error *err)
{
    memset(out, 0, sizeof *out);
    int status = front_private_make_kind(&out->directory, &for_practice, err);
    if (status != 0) {
        return status;
    }
    snprintf(out->cow, sizeof out->cow, "%s/disk.cow", out->directory.path);
    snprintf(out->backing, sizeof out->backing, "%s/disk.img", out->directory.path);
    out->sector = FIRST_PAGE * (PAGE_BYTES / SECTOR_BYTES);
    return 0;
}

static void close_image(struct practice *practice)
{
    cow_image_close(practice->image);
    practice->image = NULL;
}

void practice_end(struct practice *practice)
{
    close_image(practice);
    front_private_remove(&practice->directory);
}

/* Opens what the files are now. */
static int look(struct practice *practice, struct cow_error *err)
{
    close_image(practice);
    practice->is_stale = false;
    int status = cow_image_open(&practice->image, practice->cow, NULL, err);
    if (status == 0) {
        status = cow_image_usage(practice->image, &practice->usage, err);
    }
    if (status != 0) {
        close_image(practice);
    } else {
        cow_image_verdict(practice->image, &practice->verdict);
    }
    return status;
}

int practice_catch_up(struct practice *practice, struct cow_error *err)
{
    return practice->is_stale ? look(practice, err) : 0;
}

/* ---- the two files ---- */

static int write_at(int fd, const char *path, const void *data, size_t n_bytes, uint64_t offset,
                    struct cow_error *err)
{
    const char *from = data;

    while (n_bytes > 0) {
        ssize_t n = pwrite(fd, from, n_bytes, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return cow_error_system(err, n < 0 ? errno : EIO, "writing %s", path);
        }
        from += n;
        n_bytes -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static int set_date(int fd, const char *path, time_t seconds, struct cow_error *err)
{
    const struct timespec date[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};

    return futimens(fd, date) != 0 ? cow_error_system(err, errno, "setting the date of %s", path) : 0;
}

static void fill(char *page, const char *text)
{
    size_t bytes = strlen(text);

    for (size_t i = 0; i < PAGE_BYTES; i++) {
        page[i] = text[i % SECTOR_BYTES % bytes];
    }
}

/* Closes it, and what was wrong before is told. */
static int close_file(int fd, const char *path, int status, struct cow_error *err)
{
    if (close(fd) != 0 && status == 0) {
        return cow_error_system(err, errno, "writing %s", path);
    }
    return status;
}

static int make_backing(const struct practice *practice, struct cow_error *err)
{
    const char *path = practice->backing;
    char page[PAGE_BYTES];
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        return cow_error_system(err, errno, "making %s", path);
    }
    fill(page, before_text);
    int status = ftruncate(fd, DISK_BYTES) != 0 ? cow_error_system(err, errno, "making %s", path) : 0;
    if (status == 0) {
        status = write_at(fd, path, page, sizeof page, practice->sector * SECTOR_BYTES, err);
    }
    if (status == 0) {
        status = set_date(fd, path, DATE, err);
    }
    return close_file(fd, path, status, err);
}

static int make_cow(const struct practice *practice, struct cow_error *err)
{
    struct cow_header header = {.format = COW_FORMAT_V3,
                                .version = 3,
                                .big_endian = true,
                                .size_bytes = DISK_BYTES,
                                .sector_bytes = SECTOR_BYTES,
                                .alignment = ALIGNMENT,
                                .mtime = DATE};
    const char *path = practice->cow;
    uint8_t bytes[COW_V3_HEADER_BYTES];
    struct cow_layout layout;

    snprintf(header.backing_path, sizeof header.backing_path, "%s", practice->backing);
    int status = cow_header_encode(bytes, &header, err);
    if (status == 0) {
        status = cow_layout_of(&layout, &header, err);
    }
    if (status != 0) {
        return status;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return cow_error_system(err, errno, "making %s", path);
    }
    status = write_at(fd, path, bytes, sizeof bytes, 0, err);
    if (status == 0 && ftruncate(fd, (off_t)layout.end_offset) != 0) {
        status = cow_error_system(err, errno, "making %s", path);
    }
    return close_file(fd, path, status, err);
}

int practice_begin(struct practice *practice, struct cow_error *err)
{
    close_image(practice);
    front_private_clear(&practice->directory);
    practice->command[0] = '\0';
    practice->growth.known = false;
    int status = make_backing(practice, err);
    if (status == 0) {
        status = make_cow(practice, err);
    }
    return status != 0 ? status : look(practice, err);
}

/* ---- the guest ---- */

/* Some pages of the disk, MOST_PAGES at most. */
struct pages {
    uint64_t first, n;
};

static int write_pages(int fd, const struct practice *practice, struct pages pages, struct cow_error *err)
{
    char page[PAGE_BYTES];
    int status = 0;

    fill(page, after_text);
    for (uint64_t i = pages.first; i < pages.first + pages.n && status == 0; i++) {
        status = write_at(fd, practice->cow, page, sizeof page,
                          cow_layout_place(cow_image_layout(practice->image), i * PAGE_BYTES), err);
    }
    return status;
}

static int set_bits(int fd, const struct practice *practice, struct pages pages, struct cow_error *err)
{
    const uint64_t bytes = PAGE_BYTES / SECTOR_BYTES / BITS; /* of a page's bits */
    uint8_t bits[MOST_PAGES * PAGE_BYTES / SECTOR_BYTES / BITS];

    memset(bits, 0xff, sizeof bits);
    return write_at(fd, practice->cow, bits, pages.n * bytes,
                    cow_image_layout(practice->image)->bitmap_offset + pages.first * bytes, err);
}

static int as_guest(struct practice *practice, struct pages pages, bool writes_bytes, bool sets_bits,
                    struct cow_error *err)
{
    int status = 0, fd = open(practice->cow, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0) {
        return cow_error_system(err, errno, "opening %s", practice->cow);
    }
    if (writes_bytes) {
        status = write_pages(fd, practice, pages, err);
    }
    if (status == 0 && writes_bytes && !practice->is_hasty && fdatasync(fd) != 0) {
        status = cow_error_system(err, errno, "writing %s", practice->cow);
    }
    if (status == 0 && sets_bits) {
        status = set_bits(fd, practice, pages, err);
    }
    status = close_file(fd, practice->cow, status, err);
    practice->is_stale = true;
    return status != 0 || practice->is_hasty ? status : look(practice, err);
}

static struct pages page_of_sector(const struct practice *practice)
{
    return (struct pages){practice->sector * SECTOR_BYTES / PAGE_BYTES, 1};
}

int practice_write_bytes(struct practice *practice, struct cow_error *err)
{
    return as_guest(practice, page_of_sector(practice), true, false, err);
}

int practice_write_bits(struct practice *practice, struct cow_error *err)
{
    return as_guest(practice, page_of_sector(practice), false, true, err);
}

/* Here and there, and of different lengths, as files are; the same each time. */
int practice_write_part(struct practice *practice, int part, struct cow_error *err)
{
    const uint64_t all = DISK_BYTES / PAGE_BYTES, k = (uint64_t)part;
    struct pages pages = {k * 789 % all, LEAST_PAGES + k * 13 % (MOST_PAGES - LEAST_PAGES + 1)};

    if (pages.first + pages.n > all) {
        pages.n = all - pages.first;
    }
    return as_guest(practice, pages, true, true, err);
}

int practice_touch(struct practice *practice, struct cow_error *err)
{
    int fd = open(practice->backing, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0) {
        return cow_error_system(err, errno, "opening %s", practice->backing);
    }
    int status = close_file(fd, practice->backing, set_date(fd, practice->backing, DATE + DAY_S, err), err);
    snprintf(practice->command, sizeof practice->command, "touch -d @%d disk.img", (int)(DATE + DAY_S));
    return status != 0 ? status : look(practice, err);
}

/* ---- the core's changes ---- */

static int plan_change(struct cow_plan **out, struct cow_image *image, enum practice_change change,
                       struct cow_error *err)
{
    const struct cow_rewrite_options restamp = {.restamp = true};
    const struct cow_resize_options grow = {.size_bytes = GROWN_BYTES,
                                            .policy = change == PRACTICE_GROW_KEEP ? COW_POLICY_KEEP
                                                                                   : COW_POLICY_EXTEND};

    switch (change) {
    case PRACTICE_RESTAMP:
        return cow_plan_rewrite(out, image, &restamp, err);
    case PRACTICE_GROW_KEEP:
    case PRACTICE_GROW_EXTEND:
        return cow_plan_resize(out, image, &grow, err);
    case PRACTICE_UNDO:
        break;
    }
    return cow_plan_undo(out, image, err);
}

/* The command as it is typed in the directory: without its path. */
static void keep_command(struct practice *practice, const char *command)
{
    const char *path = practice->directory.path;
    size_t used = 0, bytes = strlen(path);

    while (*command != '\0' && used + 1 < sizeof practice->command) {
        if (strncmp(command, path, bytes) == 0 && command[bytes] == '/') {
            command += bytes + 1;
        } else {
            practice->command[used++] = *command++;
        }
    }
    practice->command[used] = '\0';
}

static void keep_preview(struct practice *practice, const struct cow_preview *preview)
{
    keep_command(practice, preview->command);
    practice->growth.known = preview->has_before && preview->has_after;
    practice->growth.before_bytes = preview->before_size_bytes;
    practice->growth.after_bytes = preview->after_size_bytes;
    practice->growth.before = preview->before;
    practice->growth.after = preview->after;
}

int practice_do(struct practice *practice, enum practice_change change, bool is_meant, struct cow_error *err)
{
    struct cow_plan *plan = NULL;
    int status = practice_catch_up(practice, err);

    if (status == 0) {
        status = plan_change(&plan, practice->image, change, err);
    }
    if (status == 0 && is_meant) {
        status = cow_plan_probe(plan, err);
    }
    if (status == 0) {
        keep_preview(practice, cow_plan_preview(plan));
    }
    if (status == 0 && is_meant) {
        status = cow_plan_commit(plan, NULL, err);
    }
    cow_plan_free(plan);
    return status != 0 || !is_meant ? status : look(practice, err);
}
