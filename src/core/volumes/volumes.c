/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Partitions and what lies in them, by libblkid. That one reads file descriptors only, so it gets a sparse
 * file in memory, as long as the disk or the partition, with the pieces in which signatures lie: the first
 * and the last few hundred KiB, and the sectors of a chain of logical partitions, one more each time around.
 */
#include <blkid/blkid.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/volumes/gpt.h"
#include "core/volumes/kinds.h"
#include "core/volumes/volumes.h"
#include "cow/text.h"

enum {
    SECTOR_BYTES = 512,
    PIECE_BYTES = 64 * 1024,
    HEAD_BYTES = 1024 * 1024,
    TAIL_BYTES = 512 * 1024,
    FOUND_SEVERAL = -2, /* blkid_do_safeprobe */
    GPT_SECTORS = 34,   /* header and 128 entries, behind the protective MBR */
};

/* A sample of a stretch of the disk, as a file. */
struct sample {
    const struct source *source;
    int fd;
};

static int add_piece(const struct sample *sample, uint64_t offset, uint64_t n_bytes, struct cow_error *err)
{
    uint8_t *buffer = malloc(PIECE_BYTES);
    int status = buffer == NULL ? cow_error_set(err, COW_NO_MEMORY, "out of memory") : 0;
    const uint64_t end = arith_min(offset + n_bytes, sample->source->size_bytes);
    for (size_t piece; status == 0 && offset < end; offset += piece) {
        piece = (size_t)arith_min(end - offset, PIECE_BYTES);
        status = source_read(sample->source, offset, buffer, piece, err);
        if (status == 0 && !bytes_all_zero(buffer, piece) &&
            pwrite(sample->fd, buffer, piece, (off_t)offset) != (ssize_t)piece) {
            status = cow_error_set(err, COW_NO_MEMORY, "out of memory for a sample of the disk");
        }
    }
    free(buffer);
    return status;
}

static int take_sample(struct sample *out, const struct source *source, struct cow_error *err)
{
    *out = (struct sample){.source = source, .fd = memfd_create("cowtui", MFD_CLOEXEC)};
    if (out->fd < 0 || ftruncate(out->fd, (off_t)source->size_bytes) != 0) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory for a sample of the disk");
    }
    int status = add_piece(out, 0, HEAD_BYTES, err);
    return status == 0 && source->size_bytes > HEAD_BYTES
               ? add_piece(out, arith_max(arith_sub_floor(source->size_bytes, TAIL_BYTES), HEAD_BYTES),
                           TAIL_BYTES, err)
               : status;
}

static void close_sample(struct sample *sample)
{
    if (sample->fd >= 0) {
        close(sample->fd);
    }
}

/* A probe of the sample as it is now. NULL: out of memory. */
static blkid_probe probe_sample(const struct sample *sample)
{
    blkid_probe probe = blkid_new_probe();
    if (probe != NULL &&
        blkid_probe_set_device(probe, sample->fd, 0, (blkid_loff_t)sample->source->size_bytes) != 0) {
        blkid_free_probe(probe);
        probe = NULL;
    }
    return probe;
}

static void copy_value(char *out, blkid_probe probe, const char *name)
{
    const char *value;
    if (blkid_probe_lookup_value(probe, name, &value, NULL) == 0) {
        cow_escape(out, COW_VOLUME_TEXT_BYTES, value);
    }
}

static int name_content(struct cow_volume *volume, const struct sample *sample, struct cow_error *err)
{
    blkid_probe probe = probe_sample(sample);
    if (probe == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    blkid_probe_enable_superblocks(probe, 1);
    blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL | BLKID_SUBLKS_UUID);
    const int found = blkid_do_safeprobe(probe);
    volume->several = found == FOUND_SEVERAL;
    if (found == 0) {
        copy_value(volume->type, probe, "TYPE");
        copy_value(volume->label, probe, "LABEL");
        copy_value(volume->uuid, probe, "UUID");
    }
    blkid_free_probe(probe);
    const struct kind *kind = kind_of(volume->type);
    uint64_t bytes;
    if (kind != NULL && kind->measure != NULL && kind->measure(sample->source, &bytes)) {
        volume->fs_bytes = bytes;
    }
    volume->at_end = kind_ends_the_volume(volume->type, sample->source);
    return 0;
}

static int name_partition(struct cow_volume *volume, const struct source *source, struct cow_error *err)
{
    struct sample sample;
    int status = take_sample(&sample, source, err);
    if (status == 0) {
        status = name_content(volume, &sample, err);
    }
    close_sample(&sample);
    return status;
}

/* One that lies in another, or begins in one, is left out. */
static bool overlaps(const struct cow_fs *fs, const struct cow_volume *volume)
{
    for (size_t i = 0; i < fs->n_volumes; i++) {
        const struct cow_volume *other = &fs->volume[i];
        if (volume->first_byte < other->first_byte + other->size_bytes &&
            other->first_byte < volume->first_byte + volume->size_bytes) {
            return true;
        }
    }
    return false;
}

static void add_volume(struct cow_fs *fs, unsigned partition, uint64_t first_byte, uint64_t size_bytes)
{
    const uint64_t disk_bytes = cow_image_header(fs->img)->size_bytes;
    struct cow_volume volume = {.partition = partition,
                                .first_byte = first_byte,
                                .listed_bytes = size_bytes,
                                .size_bytes = arith_min(size_bytes, arith_sub_floor(disk_bytes, first_byte))};
    uint64_t end;
    if (partition > 0) {
        fs->table_end = arith_max(fs->table_end, arith_add(&end, first_byte, size_bytes) ? end : UINT64_MAX);
    }
    if (volume.size_bytes > 0 && fs->n_volumes < COW_VOLUMES_MAX && !overlaps(fs, &volume)) {
        fs->volume[fs->n_volumes++] = volume;
    }
}

static bool is_container_type(int type)
{
    return type == 0x05 || type == 0x0f || type == 0x85;
}

/* The sectors of a chain of logical partitions: each names the next one, counted from the first. */
static int add_chain(const struct sample *sample, uint64_t first, struct cow_error *err)
{
    uint64_t at = first;
    int status = 0;
    for (int links = 0; links < COW_VOLUMES_MAX && status == 0 && at < sample->source->size_bytes; links++) {
        uint8_t sector[SECTOR_BYTES];
        uint64_t next = 0;
        status = source_read(sample->source, at, sector, sizeof sector, err);
        if (status != 0 || sector[510] != 0x55 || sector[511] != 0xaa) {
            return status;
        }
        status = add_piece(sample, at, SECTOR_BYTES, err);
        for (int entry = 0; entry < 4; entry++) {
            const uint8_t *bytes = sector + 446 + 16 * entry;
            if (is_container_type(bytes[4])) {
                next = bytes_get(bytes + 8, 4, false);
            }
        }
        if (next == 0) {
            return status;
        }
        at = first + next * SECTOR_BYTES;
    }
    return status;
}

/* What the table lists; or, of the containers of logical partitions, what is needed to list those. */
static int walk_partitions(struct cow_fs *fs, const struct sample *sample, blkid_partlist list, bool chains,
                           struct cow_error *err)
{
    int status = 0, n = blkid_partlist_numof_partitions(list);
    for (int i = 0; i < n && status == 0; i++) {
        blkid_partition partition = blkid_partlist_get_partition(list, i);
        const uint64_t first = (uint64_t)blkid_partition_get_start(partition) * SECTOR_BYTES;
        const uint64_t n_bytes = (uint64_t)blkid_partition_get_size(partition) * SECTOR_BYTES;
        const unsigned number = (unsigned)blkid_partition_get_partno(partition);
        const bool container = is_container_type(blkid_partition_get_type(partition));
        if (container && chains) {
            status = add_chain(sample, first, err);
        } else if (container) {
            fs->container = number;
            fs->table_end = arith_max(fs->table_end, first + n_bytes);
        } else if (!chains) {
            add_volume(fs, number, first, n_bytes);
        }
    }
    return status;
}

static int find_partitions(struct cow_fs *fs, const struct sample *sample, bool chains, struct cow_error *err)
{
    blkid_probe probe = probe_sample(sample);
    if (probe == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    blkid_probe_enable_superblocks(probe, 0);
    blkid_probe_enable_partitions(probe, 1);
    blkid_probe_set_partitions_flags(probe, BLKID_PARTS_ENTRY_DETAILS);
    blkid_partlist list = blkid_probe_get_partitions(probe);
    blkid_parttable table = list == NULL ? NULL : blkid_partlist_get_table(list);
    const char *type = table == NULL ? NULL : blkid_parttable_get_type(table);
    int status = 0;
    if (type != NULL) {
        cow_escape(fs->table, sizeof fs->table, type);
        status = walk_partitions(fs, sample, list, chains, err);
    }
    blkid_free_probe(probe);
    return status;
}

static int by_place(const void *a, const void *b)
{
    const struct cow_volume *left = a, *right = b;
    return (left->first_byte > right->first_byte) - (left->first_byte < right->first_byte);
}

/* Does an ext filesystem begin where the disk begins? */
static bool is_one_filesystem(const struct source *disk)
{
    uint8_t magic[2];
    return source_read(disk, 1024 + 56, magic, sizeof magic, NULL) == 0 && magic[0] == 0x53 &&
           magic[1] == 0xef;
}

static void place_sources(struct cow_fs *fs)
{
    for (size_t i = 0; i < fs->n_volumes; i++) {
        const struct cow_volume *volume = &fs->volume[i];
        fs->source[i].guest = (struct source){
            fs->img, COW_VERSION_GUEST, volume->first_byte, volume->size_bytes, &fs->failure, NULL};
        fs->source[i].base = (struct source){
            fs->img, COW_VERSION_BASE, volume->first_byte, volume->size_bytes, &fs->failure, NULL};
    }
}

static void take_entry(void *context, unsigned partition, uint64_t first_byte, uint64_t size_bytes)
{
    add_volume(context, partition, first_byte, size_bytes);
}

/* What the table lists, each with what lies there. *known: how many hold something that has a name. */
static int take_table(struct cow_fs *fs, const struct sample *sample, size_t *known, struct cow_error *err)
{
    int status = fs->gpt_rejected ? gpt_list(sample->source, take_entry, fs, err)
                                  : find_partitions(fs, sample, false, err);
    qsort(fs->volume, fs->n_volumes, sizeof *fs->volume, by_place);
    place_sources(fs);
    *known = 0;
    for (size_t i = 0; i < fs->n_volumes && status == 0; i++) {
        status = name_partition(&fs->volume[i], &fs->source[i].guest, err);
        *known += status == 0 && fs->volume[i].type[0] != '\0';
    }
    return status;
}

/* A disk may have both, an MBR and a filesystem from its first byte on: it was partitioned without
 * wiping what was there before, or a boot sector looks like a table. Partitions in which something is found
 * count; but nobody can be sure. */
static int choose_whole_disk(struct cow_fs *fs, const struct source *disk, const struct sample *sample,
                             struct cow_error *err)
{
    fs->table[0] = '\0';
    fs->n_volumes = 0;
    fs->table_end = 0;
    fs->container = 0;
    add_volume(fs, 0, 0, disk->size_bytes);
    place_sources(fs);
    return name_content(&fs->volume[0], sample, err);
}

/* What lies on the disk besides its table. */
static int name_whole(struct cow_fs *fs, const struct sample *sample, struct cow_error *err)
{
    fs->whole = (struct cow_volume){.size_bytes = sample->source->size_bytes,
                                    .listed_bytes = sample->source->size_bytes};
    return name_content(&fs->whole, sample, err);
}

int cow_fs_below(struct cow_fs *fs, size_t volume, struct cow_volume *out, struct cow_error *err)
{
    struct cow_error local;
    struct cow_volume below = {.partition = fs->volume[volume].partition,
                               .first_byte = fs->volume[volume].first_byte,
                               .size_bytes = fs->volume[volume].size_bytes};
    err = err != NULL ? err : &local;
    int status = source_settle(&fs->failure, name_partition(&below, &fs->source[volume].base, err), err);
    if (status == 0) {
        *out = below;
    }
    return status;
}

int cow_fs_find_other(struct cow_fs *fs, size_t *volume, struct cow_volume *below, struct cow_error *err)
{
    int status = 0;
    for (*volume = 0; *volume < fs->n_volumes; ++*volume) {
        status = cow_fs_below(fs, *volume, below, err);
        if (status != 0 || cow_volume_is_other(&fs->volume[*volume], below)) {
            break;
        }
    }
    return status;
}

int volumes_find(struct cow_fs *fs, struct cow_error *err)
{
    const struct source disk = {
        fs->img, COW_VERSION_GUEST, 0, cow_image_header(fs->img)->size_bytes, &fs->failure, NULL};
    struct sample sample;
    size_t known = 0;
    bool whole = false;
    int status = take_sample(&sample, &disk, err);
    if (status == 0) {
        status = find_partitions(fs, &sample, true, err);
    }
    if (status == 0) {
        status = gpt_read(&fs->gpt, &disk, err);
        fs->gpt_rejected = status == 0 && fs->table[0] == '\0' && fs->gpt.primary;
        if (fs->gpt_rejected) {
            memcpy(fs->table, "gpt", sizeof "gpt");
        }
    }
    if (status == 0 && fs->table[0] != '\0') {
        fs->ambiguous = strcmp(fs->table, "dos") == 0 && is_one_filesystem(&disk);
        fs->table_bytes = strcmp(fs->table, "gpt") == 0 ? GPT_SECTORS * SECTOR_BYTES : SECTOR_BYTES;
        status = take_table(fs, &sample, &known, err);
        status = status == 0 ? name_whole(fs, &sample, err) : status;
    }
    if (status == 0 && strcmp(fs->table, "dos") == 0 && known == 0 && fs->whole.type[0] != '\0') {
        fs->ambiguous = fs->ambiguous || fs->n_volumes > 0; /* an empty table is a boot sector's: exFAT */
        whole = true;
    }
    if (status == 0 && (fs->table[0] == '\0' || whole || (fs->ambiguous && known == 0))) {
        fs->table_bytes = 0;
        status = choose_whole_disk(fs, &disk, &sample, err);
    }
    close_sample(&sample);
    return status;
}

const struct cow_volume *cow_fs_volumes(const struct cow_fs *fs, size_t *n_volumes)
{
    *n_volumes = fs->n_volumes;
    return fs->volume;
}

const char *cow_fs_table(const struct cow_fs *fs)
{
    return fs->table;
}

const struct cow_volume *cow_fs_whole(const struct cow_fs *fs)
{
    return fs->table[0] == '\0' ? &fs->volume[0] : &fs->whole;
}

unsigned cow_fs_container(const struct cow_fs *fs)
{
    return fs->container;
}

uint64_t cow_fs_table_end(const struct cow_fs *fs)
{
    return fs->table_end;
}

const struct cow_gpt *cow_fs_gpt(const struct cow_fs *fs)
{
    return &fs->gpt;
}

bool cow_fs_ambiguous(const struct cow_fs *fs)
{
    return fs->ambiguous;
}
