/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names beside an image.
 */
#include "core/image/side.h"

#include <stdio.h>
#include <string.h>

const char *side_path(char out[PATH_MAX], const char *path, const char *what)
{
    const char *slash = strrchr(path, '/');
    int directory = slash == NULL ? 0 : (int)(slash - path) + 1;
    int n = snprintf(out, PATH_MAX, "%.*s.%.230s.cowtui-%s", directory, path, path + directory, what);
    if (n < 0 || n >= PATH_MAX) {
        out[0] = '\0';
    }
    return out;
}
