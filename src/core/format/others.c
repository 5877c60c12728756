/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See others.h. libblkid names what lies on the disk in an image (core/volumes), some eighty kinds, and wants
 * a file of its own to read; here it is asked of each file of a directory, and before there is an image, what
 * of it is read anyway. So there is a table of what people do name by mistake.
 *
 * Order: what has its signature at the very beginning is sure; then the filesystems, of which a disk may have
 * one and the remains of a partition table; a bare boot signature says least.
 */
#include "core/format/others.h"

#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"
#include "cow/text.h"

enum { HEAD_BYTES = 4096, TAIL_BYTES = 512, MAGIC_BYTES_MAX = 21, SECTOR_BYTES = 512 };

/* What is asked of a file: its beginning, and a few bytes anywhere else. */
struct ends {
    const struct format_file *file;
    uint64_t file_bytes;
    uint8_t head[HEAD_BYTES]; /* zeros behind the end of the file */
};

struct row {
    enum format_other_kind kind;
    const char *name;
    const char *title;
    uint32_t offset; /* of the signature */
    uint8_t magic_bytes;
    const char *magic;
    struct {
        uint16_t offset;
        uint8_t width_bytes; /* 0: it is not told in the beginning */
        bool big_endian;
        uint16_t unit_bytes;
    } size;                               /* of the disk */
    bool (*agrees)(const uint8_t head[]); /* more than the signature; NULL: that is enough */
};

static bool is_ext(const uint8_t head[])
{
    return bytes_get(head + 1024, 4, false) != 0 && bytes_get(head + 1024 + 24, 4, false) <= 6;
}

/* A table in which at least one partition is listed, and nothing that is none. */
static bool is_mbr(const uint8_t head[])
{
    bool any = false;
    for (const uint8_t *entry = head + 446; entry < head + 510; entry += 16) {
        if ((entry[0] & 0x7f) != 0) {
            return false;
        }
        any = any || (entry[4] != 0 && bytes_get(entry + 12, 4, false) != 0);
    }
    return any;
}

#define IMAGE  FORMAT_OTHER_IMAGE
#define PACKED FORMAT_OTHER_PACKED
#define RAW    FORMAT_OTHER_RAW
#define LOG    FORMAT_OTHER_LOG

/* clang-format off */
static const struct row rows[] = {
    {IMAGE, "qcow", "a qcow image, the one before qcow2", 0, 8, "QFI\xfb\0\0\0\1", {24, 8, true, 1}, NULL},
    {IMAGE, "qcow2", "a qcow2 image", 0, 4, "QFI\xfb", {24, 8, true, 1}, NULL},
    {IMAGE, "qed", "a QED image", 0, 4, "QED\0", {48, 8, false, 1}, NULL},
    {IMAGE, "vmdk", "a VMDK image (VMware)", 0, 4, "KDMV", {12, 8, false, SECTOR_BYTES}, NULL},
    {IMAGE, "vmdk", "a VMDK image (VMware ESX)", 0, 4, "COWD", {0}, NULL},
    {IMAGE, "vmdk", "the description of a VMDK image (VMware)", 0, 21, "# Disk DescriptorFile", {0}, NULL},
    {IMAGE, "vdi", "a VDI image (VirtualBox)", 64, 4, "\x7f\x10\xda\xbe", {368, 8, false, 1}, NULL},
    {IMAGE, "vhdx", "a VHDX image (Hyper-V)", 0, 8, "vhdxfile", {0}, NULL},
    {IMAGE, "vhd", "a VHD image (Virtual PC)", 0, 8, "conectix", {48, 8, true, 1}, NULL},
    {LOG, "log", "a log of \"cowtui record\"", 0, 8, "cow-log\n", {0}, NULL},
    {PACKED, "gzip", "compressed by gzip", 0, 3, "\x1f\x8b\x08", {0}, NULL},
    {PACKED, "xz", "compressed by xz", 0, 6, "\xfd" "7zXZ\0", {0}, NULL},
    {PACKED, "zstd", "compressed by zstd", 0, 4, "\x28\xb5\x2f\xfd", {0}, NULL},
    {PACKED, "bzip2", "compressed by bzip2", 4, 6, "1AY&SY", {0}, NULL},
    {PACKED, "zip", "a zip archive", 0, 4, "PK\3\4", {0}, NULL},
    {RAW, "raw", "a raw disk with LUKS, which is encrypted", 0, 6, "LUKS\xba\xbe", {0}, NULL},
    {RAW, "raw", "a raw disk with an XFS filesystem", 0, 4, "XFSB", {0}, NULL},
    {RAW, "raw", "a raw disk with a squashfs filesystem", 0, 4, "hsqs", {0}, NULL},
    {RAW, "raw", "a raw disk with an ISO 9660 filesystem, as on a CD or DVD", 32769, 5, "CD001", {0}, NULL},
    {RAW, "raw", "a raw disk with a GPT partition table", SECTOR_BYTES, 8, "EFI PART", {0}, NULL},
    {RAW, "raw", "a raw disk with an ext%c filesystem", 1024 + 56, 2, "\x53\xef", {0}, is_ext},
    {RAW, "raw", "a raw disk with a btrfs filesystem", 65536 + 64, 8, "_BHRfS_M", {0}, NULL},
    {RAW, "raw", "a raw disk with an f2fs filesystem", 1024, 4, "\x10\x20\xf5\xf2", {0}, NULL},
    {RAW, "raw", "a raw disk with a swap area", 4086, 10, "SWAPSPACE2", {0}, NULL},
    {RAW, "raw", "a raw disk with an LVM physical volume", SECTOR_BYTES, 8, "LABELONE", {0}, NULL},
    {RAW, "raw", "a raw disk with an NTFS filesystem", 3, 8, "NTFS    ", {0}, NULL},
    {RAW, "raw", "a raw disk with an exFAT filesystem", 3, 8, "EXFAT   ", {0}, NULL},
    {RAW, "raw", "a raw disk with a FAT filesystem", 82, 5, "FAT32", {0}, NULL},
    {RAW, "raw", "a raw disk with a FAT filesystem", 54, 4, "FAT1", {0}, NULL},
    {RAW, "raw", "a raw disk with an MBR partition table", 510, 2, "\x55\xaa", {0}, is_mbr},
};
/* clang-format on */

/* A fixed VHD is a raw disk with this behind it. */
static const struct row vhd_at_end = {IMAGE, "vhd",      "a VHD image (Virtual PC)", 0,
                                      8,     "conectix", {48, 8, true, 1},           NULL};

/* Bytes of the file; what it does not have, or does not let us read, is zeros. */
static void bytes_at(const struct ends *ends, uint64_t offset, uint8_t *out, size_t n_bytes)
{
    if (offset + n_bytes <= HEAD_BYTES) {
        memcpy(out, ends->head + offset, n_bytes);
    } else if (offset + n_bytes > ends->file_bytes ||
               io_read_padded(ends->file->io, ends->file->fd, out, n_bytes, offset) < 0) {
        memset(out, 0, n_bytes);
    }
}

static bool row_fits(const struct row *row, const struct ends *ends)
{
    uint8_t magic[MAGIC_BYTES_MAX];
    bytes_at(ends, row->offset, magic, row->magic_bytes);
    return memcmp(magic, row->magic, row->magic_bytes) == 0 &&
           (row->agrees == NULL || row->agrees(ends->head));
}

/* Which of the three: what only ext4 has; a journal is ext3's. */
static char ext_digit(const uint8_t head[])
{
    enum { HAS_JOURNAL = 0x4, EXTENTS_64BIT_FLEX_BG = 0x2c0, HUGE_FILES_AND_ON = 0x78 };
    const uint64_t compatible = bytes_get(head + 1024 + 92, 4, false);
    const bool is_4 = (bytes_get(head + 1024 + 96, 4, false) & EXTENTS_64BIT_FLEX_BG) != 0 ||
                      (bytes_get(head + 1024 + 100, 4, false) & HUGE_FILES_AND_ON) != 0;
    return is_4 ? '4' : (compatible & HAS_JOURNAL) != 0 ? '3' : '2';
}

static void put_title(struct format_other *out, const struct row *row, const struct ends *ends)
{
    const char *digit = strstr(row->title, "%c");
    if (digit != NULL) {
        snprintf(out->title, sizeof out->title, "%.*s%c%s", (int)(digit - row->title), row->title,
                 ext_digit(ends->head), digit + 2);
    } else if (strcmp(row->name, "qcow2") == 0) {
        snprintf(out->title, sizeof out->title, "%s, version %u", row->title,
                 (unsigned)bytes_get(ends->head + 4, 4, true));
    } else {
        snprintf(out->title, sizeof out->title, "%s", row->title);
    }
}

static void take_row(struct format_other *out, const struct row *row, const struct ends *ends,
                     const uint8_t *numbers)
{
    *out = (struct format_other){.kind = row->kind, .name = row->name};
    put_title(out, row, ends);
    const uint64_t size = row->size.width_bytes == 0 ? 0
                                                     : bytes_get(numbers + row->size.offset,
                                                                 row->size.width_bytes, row->size.big_endian);
    if (row->kind == RAW) {
        out->size_bytes = ends->file_bytes;
    } else if (row->size.unit_bytes != 0 && size <= (uint64_t)INT64_MAX / row->size.unit_bytes) {
        out->size_bytes = size * row->size.unit_bytes;
    }
}

int format_other_look(struct format_other *out, const struct format_file *file, uint64_t file_bytes)
{
    struct ends ends = {.file = file, .file_bytes = file_bytes};
    uint8_t tail[TAIL_BYTES];
    int status = io_read_padded(file->io, file->fd, ends.head, HEAD_BYTES, 0);
    if (status < 0) {
        return status;
    }
    *out = (struct format_other){.kind = FORMAT_OTHER_UNKNOWN};
    if (file_bytes > TAIL_BYTES) {
        bytes_at(&ends, file_bytes - TAIL_BYTES, tail, TAIL_BYTES);
        if (memcmp(tail, vhd_at_end.magic, vhd_at_end.magic_bytes) == 0) {
            take_row(out, &vhd_at_end, &ends, tail);
            return 0;
        }
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (row_fits(&rows[i], &ends)) {
            take_row(out, &rows[i], &ends, ends.head);
            return 0;
        }
    }
    return 0;
}

/* What unpacks to standard output, and the ending that goes with it. */
static const struct {
    const char *name, *command, *ending;
} unpackers[] = {{"gzip", "gzip -dc", ".gz"},
                 {"xz", "xz -dc", ".xz"},
                 {"zstd", "zstd -dc", ".zst"},
                 {"bzip2", "bzip2 -dc", ".bz2"},
                 {"zip", "unzip -p", ".zip"}};

/* Holes come by cp, whatever unpacks; the date is the old one, for an image knows its backing file by it. */
static void advise_unpacking(char *out, size_t out_bytes, const char *name, const char *path)
{
    char bare[COW_HINT_BYTES], packed[COW_HINT_BYTES / 3], unpacked[COW_HINT_BYTES / 3];
    size_t i = 0;
    while (strcmp(unpackers[i].name, name) != 0) {
        i++;
    }
    const size_t length = strlen(path), ending = strlen(unpackers[i].ending);
    const bool ends_so = length > ending && strcmp(path + length - ending, unpackers[i].ending) == 0;
    snprintf(bare, sizeof bare, "%.*s", ends_so ? (int)(length - ending) : 3, ends_so ? path : "NEW");
    cow_shell_quote(packed, sizeof packed, path);
    cow_shell_quote(unpacked, sizeof unpacked, bare);
    const int n = snprintf(out, out_bytes,
                           "unpack it first, with its holes and its date: %s %s | cp --sparse=always "
                           "/dev/stdin %s && touch -r %s %s",
                           unpackers[i].command, packed, unpacked, packed, unpacked);
    if (n < 0 || (size_t)n >= out_bytes) { /* half a command is none */
        snprintf(out, out_bytes, "unpack it first: %s and cp --sparse=always; touch -r gives it the old date",
                 unpackers[i].command);
    }
}

/* What to do with it, with the path as a shell takes it; "" if nothing is known. Returns out. */
static const char *advice_of(char *out, size_t out_bytes, const struct format_other *other, const char *path)
{
    char name[COW_HINT_BYTES / 3];
    cow_shell_quote(name, sizeof name, path);
    out[0] = '\0';
    if (other->kind == FORMAT_OTHER_RAW) {
        snprintf(out, out_bytes,
                 "it may be a backing file: cowtui family %s lists the images on it, and cowtui create "
                 "NEW.cow %s makes one",
                 name, name);
    } else if (other->kind == FORMAT_OTHER_LOG) {
        snprintf(out, out_bytes, "cowtui replay %s goes through it", name);
    } else if (other->kind == FORMAT_OTHER_PACKED) {
        advise_unpacking(out, out_bytes, other->name, path);
    } else if (other->kind == FORMAT_OTHER_IMAGE && strcmp(other->name, "qcow2") == 0) {
        snprintf(out, out_bytes,
                 "cowtui create --from %s NEW.cow BACKING makes a COW image of it (BACKING: a raw disk of "
                 "its size), qemu-img convert -O raw %s NEW.img a raw disk",
                 name, name);
    } else if (other->kind == FORMAT_OTHER_IMAGE) {
        snprintf(out, out_bytes,
                 "qemu-img convert -O raw %s NEW.img makes a raw disk of it, and on that cowtui create "
                 "NEW.cow NEW.img an image",
                 name);
    }
    return out;
}

int format_other_refuse(const struct format_file *file, uint64_t file_bytes, const char *path,
                        struct cow_error *err)
{
    struct format_other other;
    char advice[COW_HINT_BYTES];
    if (format_other_look(&other, file, file_bytes) < 0 || other.kind == FORMAT_OTHER_UNKNOWN) {
        return 0;
    }
    cow_error_set(err, COW_NOT_COW, "not a COW image: %s", other.title);
    cow_error_hint(err, "%s", advice_of(advice, sizeof advice, &other, path));
    return COW_NOT_COW;
}
