/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * libcow: copy-on-write disk images. This is the umbrella header; front ends see the core through these files
 * only.
 *
 * Conventions that hold everywhere:
 * - Units are in the names: size_bytes, first_sector. A range is (first, count); sizes are uint64_t.
 * - A function that can fail returns 0 or a negative status (enum cow_status), takes its outputs first and
 *   `struct cow_error *err` last. Outputs are untouched on failure. err may be NULL.
 * - What a function returns through a `**out` is the caller's, freed by the call named beside it; what it
 * returns through a `const ... *` belongs to the object asked and lives as long as that.
 * - The core never prints, prompts, exits or draws (cow/env.h), takes no lock for looking, and has no global
 * state but constant tables. Objects are not shared between threads.
 */
#ifndef COW_COW_H
#define COW_COW_H

#include "cow/check.h"
#include "cow/disk.h"
#include "cow/env.h"
#include "cow/error.h"
#include "cow/family.h"
#include "cow/follow.h"
#include "cow/foreign.h"
#include "cow/fs.h"
#include "cow/header.h"
#include "cow/history.h"
#include "cow/image.h"
#include "cow/layout.h"
#include "cow/list.h"
#include "cow/ops.h"
#include "cow/plan.h"
#include "cow/scan.h"
#include "cow/text.h"
#include "cow/writer.h"

#endif
