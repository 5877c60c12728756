/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A guest's filesystem: patches to a seed that seeds.py has made (FUZZ_SEEDS names its folder, FUZZ_SCRATCH
 * one for images), and the same look as the numbered executions take. The mutator knows where structures are
 * (mutate.c).
 */
#include <string.h>

#include "../fuzz.h"
#include "../lib/fuzzer.h"

enum { PATCH_HEAD = 4, PATCH_MAX = 0x7f };

static struct fuzz_seed seeds[FUZZ_SEEDS_MAX];
static size_t n_seeds;

void fuzz_prepare(void)
{
    if (n_seeds == 0) {
        const char *directory = getenv("FUZZ_SEEDS"), *scratch = getenv("FUZZ_SCRATCH");
        n_seeds =
            fuzz_seeds_read(seeds, directory != NULL ? directory : ".", scratch != NULL ? scratch : "/tmp");
    }
}

/* The first byte chooses a seed; then come patches: three bytes say where, one how long, and the bytes. The
 * highest bit of the length is "of the backing file". */
static void apply(struct fuzz_disk *disk, const uint8_t *data, size_t n_bytes)
{
    fuzz_disk_begin(disk, &seeds[data[0] % n_seeds]);
    for (size_t at = 1; at + PATCH_HEAD < n_bytes;) {
        const uint32_t offset =
            ((uint32_t)data[at] | (uint32_t)data[at + 1] << 8 | (uint32_t)data[at + 2] << 16) %
            disk->seed->n_bytes;
        uint8_t *side = (data[at + 3] & 0x80) != 0 ? disk->base : disk->guest;
        size_t length = data[at + 3] & PATCH_MAX;
        at += PATCH_HEAD;
        length = length < n_bytes - at ? length : n_bytes - at;
        length = length < disk->seed->n_bytes - offset ? length : disk->seed->n_bytes - offset;
        memcpy(side + offset, data + at, length);
        at += length;
    }
}

/* What differs from the seed, as patches. Answers where they end; what does not fit is left out. */
static size_t add_patches(uint8_t *data, size_t end, size_t most, const uint8_t *was, const uint8_t *is,
                          uint32_t n_bytes, uint8_t side)
{
    for (uint32_t at = 0; at < n_bytes; at++) {
        if (at % FUZZ_PAGE == 0 && memcmp(was + at, is + at, FUZZ_PAGE) == 0) {
            at += FUZZ_PAGE - 1;
            continue;
        }
        if (was[at] == is[at]) {
            continue;
        }
        size_t length = 1;
        while (length < PATCH_MAX && at + length < n_bytes && was[at + length] != is[at + length]) {
            length++;
        }
        if (end + PATCH_HEAD + length > most) {
            break;
        }
        data[end++] = (uint8_t)at;
        data[end++] = (uint8_t)(at >> 8);
        data[end++] = (uint8_t)(at >> 16);
        data[end++] = (uint8_t)(length | side);
        memcpy(data + end, is + at, length);
        end += length;
        at += (uint32_t)length - 1;
    }
    return end;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n_bytes, size_t most_bytes, unsigned seed)
{
    struct fuzz_random random = {.state = seed};
    struct fuzz_disk disk;
    fuzz_prepare();
    if (n_bytes == 0 || fuzz_below(&random, 4) == 0) {
        return LLVMFuzzerMutate(data, n_bytes, most_bytes);
    }
    apply(&disk, data, n_bytes);
    fuzz_mutate(&disk, &random);
    const struct fuzz_seed *s = disk.seed;
    size_t end = add_patches(data, 1, most_bytes, s->guest, disk.guest, s->n_bytes, 0);
    return add_patches(data, end, most_bytes, s->base, disk.base, s->n_bytes, 0x80);
}

void fuzz_one(const uint8_t *data, size_t n_bytes)
{
    struct fuzz_disk disk;
    if (n_bytes > 0) {
        apply(&disk, data, n_bytes);
        fuzz_disk_write(&disk);
        fuzz_look(disk.seed->cow_path, disk.seed->backing_path, n_bytes);
    }
}
