/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The same target for clang's libFuzzer, which finds its own mutations (and has its own limits): compile all
 * of this folder and the core with -DLIBFUZZER and -fsanitize=fuzzer. FUZZ_SEEDS names the folder that
 * seeds.py has made, FUZZ_SCRATCH one for images.
 */
#ifdef LIBFUZZER
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static struct fuzz_seed seeds[FUZZ_SEEDS_MAX];
static size_t n_seeds;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

/* The first byte chooses a seed; then come patches: three bytes say where, one how long, and the bytes. The
 * highest bit of the length is "of the backing file". */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct fuzz_disk disk;
    if (n_seeds == 0) {
        n_seeds = fuzz_seeds_read(seeds, getenv("FUZZ_SEEDS"), getenv("FUZZ_SCRATCH"));
    }
    if (n_bytes == 0) {
        return 0;
    }
    const size_t n = data[0] % n_seeds;
    fuzz_disk_begin(&disk, &seeds[n]);
    for (size_t at = 1; at + 4 < n_bytes;) {
        const uint32_t offset =
            ((uint32_t)data[at] | (uint32_t)data[at + 1] << 8 | (uint32_t)data[at + 2] << 16) %
            disk.seed->n_bytes;
        uint8_t *side = data[at + 3] & 0x80 ? disk.base : disk.guest;
        size_t length = data[at + 3] & 0x7f;
        at += 4;
        length = length < n_bytes - at ? length : n_bytes - at;
        length = length < disk.seed->n_bytes - offset ? length : disk.seed->n_bytes - offset;
        memcpy(side + offset, data + at, length);
        at += length;
    }
    fuzz_disk_write(&disk);
    fuzz_look(seeds[n].cow_path, seeds[n].backing_path, 4 * n_bytes);
    return 0;
}
#endif
