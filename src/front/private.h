/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A directory that only we can look into, for a socket, a mount, or a practice disk. It is held by a lock as
 * long as we live: one that nobody holds was left by a crash, and is tidied away when the next one of its
 * kind is made.
 */
#ifndef FRONT_PRIVATE_H
#define FRONT_PRIVATE_H

#include <stdbool.h>

#include "cow/error.h"

/* Short enough for a socket in it: a path of those holds 107 bytes. */
enum { FRONT_PRIVATE_BYTES = 92 };

/* What a directory is for. */
struct front_private_kind {
    const char *prefix;           /* of its name, before six characters that differ */
    bool is_runtime;              /* it may be in XDG_RUNTIME_DIR */
    const char *const *own_names; /* of the files that we put there, besides "held"; one that ends with a '*'
                                     means all that begin so. NULL ends them */
};

struct front_private {
    const struct front_private_kind *kind;
    char path[FRONT_PRIVATE_BYTES]; /* "/tmp/cowtui-nbd-a1B2c3"; "": there is none */
    int fd;                         /* of its file "held", locked */
};

/* Makes one in XDG_RUNTIME_DIR, TMPDIR or /tmp, for a socket or a mount. Errors: COW_IO. */
int front_private_make(struct front_private *out, struct cow_error *err);

/* The same for another use. kind is static. */
int front_private_make_kind(struct front_private *out, const struct front_private_kind *kind,
                            struct cow_error *err);

/* Removes the files that we put there; "held" stays, and so does what somebody else put there. */
void front_private_clear(const struct front_private *directory);

/* Removes it with all that we put there, a mount at "disk", too. It may be gone, or there may be none. */
void front_private_remove(struct front_private *directory);

#endif
