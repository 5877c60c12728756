/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of drivers, in the order in which they are asked. The raw one takes everything, so it is the
 * last.
 */
#include "core/format/driver.h"

static const struct format_driver *const drivers[] = {&format_uml, &format_raw};

const struct format_driver *format_driver_of(const struct format_source *source)
{
    size_t i = 0;
    while (!drivers[i]->probe(source)) {
        i++;
    }
    return drivers[i];
}
