/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What must be true whatever the input is; else the process ends where the fuzzer sees it.
 */
#ifndef MUST_H
#define MUST_H

#include <stdio.h>
#include <stdlib.h>

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "fuzz: %s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                  \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

#endif
