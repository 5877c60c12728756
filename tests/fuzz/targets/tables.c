/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Partition tables, MBR and GPT, at both ends of a disk: what is known of the volumes, what shrinking and
 * growing it would do to them. The first bytes of the input say how large the disk is, how much of the rest
 * lies at its beginning, and whether the sums of a GPT are made good. What remains lies at its end.
 */
#include <string.h>
#include <unistd.h>

#include "../fuzz.h"
#include "../lib/fuzzer.h"

enum { SECTOR = 512, HEAD_MAX = 128 * SECTOR, TAIL_MAX = 64 * SECTOR, ENTRIES_MAX = 64 * 1024 };

static uint32_t crc(const uint8_t *bytes, size_t n_bytes)
{
    uint32_t sum = ~UINT32_C(0);
    for (size_t n = 0; n < n_bytes; n++) {
        sum ^= bytes[n];
        for (unsigned bit = 0; bit < 8; bit++) {
            sum = sum >> 1 ^ ((sum & 1) != 0 ? UINT32_C(0xedb88320) : 0);
        }
    }
    return ~sum;
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put32(uint8_t *at, uint32_t value)
{
    for (unsigned n = 0; n < 4; n++) {
        at[n] = (uint8_t)(value >> 8 * n);
    }
}

/* The sums of a header of a GPT (UEFI specification, 5.3.2) and of its entries, where they lie on the disk.
 */
static void make_good(uint8_t *disk, uint64_t disk_bytes, uint64_t at)
{
    uint8_t *header = disk + at;
    if (memcmp(header, "EFI PART", 8) != 0) {
        return;
    }
    const uint64_t entries = (get32(header + 72) | (uint64_t)get32(header + 76) << 32) & 0xffffff;
    const uint64_t n_bytes = (uint64_t)get32(header + 80) * get32(header + 84);
    if (n_bytes <= ENTRIES_MAX && entries * SECTOR + n_bytes <= disk_bytes) {
        put32(header + 88, crc(disk + entries * SECTOR, (size_t)n_bytes));
    }
    const uint32_t header_bytes = get32(header + 12);
    if (header_bytes >= 92 && header_bytes <= SECTOR) {
        put32(header + 16, 0);
        put32(header + 16, crc(header, header_bytes));
    }
}

static bool write_image(const uint8_t *disk, uint64_t n_bytes)
{
    static uint8_t bits[65536];
    uint8_t header_bytes[COW_V3_HEADER_BYTES];
    struct cow_header header = {
        .format = COW_FORMAT_V3, .version = 3, .sector_bytes = SECTOR, .alignment = 4096};
    struct cow_layout layout;
    header.size_bytes = n_bytes;
    header.mtime = PICTURE_DATE;
    strcpy(header.backing_path, scratch_path(PICTURE_BASE));
    MUST(cow_header_encode(header_bytes, &header, NULL) == 0 && cow_layout_of(&layout, &header, NULL) == 0);
    file_make(PICTURE_BASE, "", 0);
    MUST(truncate(PICTURE_BASE, (off_t)n_bytes) == 0);
    file_date(PICTURE_BASE, PICTURE_DATE);
    file_make(PICTURE_COW, header_bytes, sizeof header_bytes);
    memset(bits, 0, sizeof bits);
    for (uint64_t at = 0; at < n_bytes; at += SECTOR) {
        const size_t piece = (size_t)(n_bytes - at < SECTOR ? n_bytes - at : SECTOR);
        for (size_t n = 0; n < piece; n++) {
            if (disk[at + n] != 0) {
                bits[at / SECTOR / 8] |= (uint8_t)(1U << at / SECTOR % 8);
                file_put(PICTURE_COW, layout.data_offset + at, disk + at, piece);
                break;
            }
        }
    }
    file_put(PICTURE_COW, layout.bitmap_offset, bits, (size_t)layout.bitmap_bytes);
    MUST(truncate(PICTURE_COW, (off_t)layout.end_offset) == 0);
    return true;
}

/* Would it be cut, and where? Planned only. */
static void look_at_sizes(struct input *in, uint64_t size_bytes)
{
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_policy_choice choices[COW_POLICY_CHOICES];
    struct cow_method_choice methods[COW_METHOD_CHOICES];
    MUST(cow_image_open(&img, PICTURE_COW, NULL, &err) == 0);
    for (unsigned n = 0; n < 3; n++) {
        struct cow_plan *plan;
        const struct cow_resize_options options = {
            .size_bytes = SECTOR * (1 + input_below(in, 2 * size_bytes / SECTOR)),
            .policy = n == 1 ? COW_POLICY_KEEP : COW_POLICY_COPY,
            .shrink = true,
            .cut_foreign = n == 2};
        cow_resize_choices(choices, img, options.size_bytes, COW_FS_STAYS);
        (void)cow_resize_method_choices(
            methods, img,
            &(struct cow_resize_options){.size_bytes = options.size_bytes, .policy = options.policy}, false);
        const int status = cow_plan_resize(&plan, img, &options, &err);
        error_is_whole(status, &err);
        if (status == 0) {
            MUST(is_terminal_safe(cow_plan_preview(plan)->next_step));
            cow_plan_free(plan);
        }
    }
    cow_image_close(img);
}

void fuzz_one(const uint8_t *data, size_t n_bytes)
{
    static uint8_t disk[1024 * 1024 + HEAD_MAX + TAIL_MAX];
    static struct cow_check found;
    struct input in = {data, n_bytes};
    struct cow_error err = {.status = 0};
    const uint64_t choice = input_number(&in, 2), size = SECTOR * (8 + input_below(&in, 2048));
    uint64_t head = input_below(&in, HEAD_MAX) + 1;
    head = head < in.left ? head : in.left;
    head = head < size ? head : size;
    memset(disk, 0, sizeof disk);
    input_bytes(&in, disk, (size_t)head);
    const uint64_t tail = in.left < TAIL_MAX ? in.left : TAIL_MAX;
    if (tail > 0 && tail <= size - head) {
        memcpy(disk + size - tail, in.at, (size_t)tail);
    }
    if (choice % 8 != 7) {
        make_good(disk, size, SECTOR);
        make_good(disk, size, size - SECTOR);
    }
    scratch_begin();
    MUST(write_image(disk, size));
    fuzz_look(PICTURE_COW, PICTURE_BASE, choice);
    error_is_whole(cow_check(&found, PICTURE_COW, NULL, &err), &err);
    for (size_t i = 0; i < found.findings; i++) {
        MUST(is_terminal_safe(found.finding[i].message));
    }
    look_at_sizes(&in, size);
    scratch_check();
}
