/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A directory that only we can look into, for a socket or a mount. It is held by a lock as long as we live:
 * one that nobody holds was left by a crash, and is tidied away when the next one is made.
 */
#ifndef FRONT_PRIVATE_H
#define FRONT_PRIVATE_H

#include "cow/error.h"

/* Short enough for a socket in it: a path of those holds 107 bytes. */
enum { FRONT_PRIVATE_BYTES = 92 };

struct front_private {
    char path[FRONT_PRIVATE_BYTES]; /* "/tmp/cowtui-nbd-a1B2c3"; "": there is none */
    int fd;                         /* of its file "held", locked */
};

/* Makes one in XDG_RUNTIME_DIR, TMPDIR or /tmp. Errors: COW_IO. */
int front_private_make(struct front_private *out, struct cow_error *err);

/* Removes it with all that we put there: "held", "socket" and "disk". It may be gone, or there may be none.
 */
void front_private_remove(struct front_private *directory);

#endif
