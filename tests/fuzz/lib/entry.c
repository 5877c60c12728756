/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where libFuzzer comes in: each execution has its second of processor time and its 64 MiB of heap
 * (limits.c).
 */
#include <signal.h>
#include <unistd.h>

#include "../fuzz.h"
#include "fuzzer.h"

static void too_slow(int number)
{
    static const char text[] = "fuzz: an execution takes more than a second of processor time\n";
    (void)number;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    abort(); /* libFuzzer keeps the input, and shows where it was */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    static bool ready;
    if (!ready) {
        fuzz_limits_prepare();
        signal(SIGPROF, too_slow);
        if (fuzz_prepare != NULL) {
            fuzz_prepare();
        }
        ready = true;
    }
    fuzz_limits_begin();
    fuzz_one(data, n_bytes);
    fuzz_limits_end();
    return 0;
}
