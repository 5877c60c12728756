/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whatever is written becomes a v3: it is the only variant with room to grow, and the one that every kernel
 * since 2.6 reads.
 */
#include "core/plan/new_header.h"

#include <string.h>

#include "core/base/arith.h"
#include "core/image/backing_rules.h"

/* The alignment decides where the data begins, and so how far the bitmap can grow. */
static int choose_alignment(struct cow_plan *plan, const struct new_header *wish, struct cow_error *err)
{
    struct cow_header *h = &plan->result.header;
    int status = cow_layout_choose_alignment(&h->alignment, h->size_bytes, wish->reserve_bytes, err);
    if (status != 0 || !wish->keeps_room || wish->reserve_bytes != 0) {
        return status;
    }
    struct cow_layout layout;
    const uint32_t chosen = h->alignment, old = plan->img->header.alignment;
    h->alignment = arith_is_power_of_two(old) && old > chosen ? old : chosen;
    if (cow_layout_of(&layout, h, NULL) != 0 ||
        layout.data_offset > INT32_MAX) { /* kernels hold it in an int */
        h->alignment = chosen;
    }
    return 0;
}

int new_header_fill(struct cow_plan *plan, const struct new_header *wish, struct cow_error *err)
{
    struct cow_header *h = &plan->result.header;
    *h = (struct cow_header){.format = COW_FORMAT_V3,
                             .version = 3,
                             .big_endian = true,
                             .size_bytes = wish->size_bytes,
                             .sector_bytes = 512,
                             .mtime = wish->mtime};
    int status = backing_rule_path_fits(wish->backing_path, err);
    if (status != 0) {
        return status;
    }
    memcpy(h->backing_path, wish->backing_path, strlen(wish->backing_path) + 1);
    if (record_kind_facts(plan->method)->keeps_file) {
        h->alignment = wish->alignment != 0 ? wish->alignment : plan->img->header.alignment;
        h->cow_format = plan->img->header.cow_format;
    } else {
        status = choose_alignment(plan, wish, err);
    }
    return status != 0 ? status : cow_layout_of(&plan->result.layout, h, err);
}
