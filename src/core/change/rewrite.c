/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cow/ops.h"

int cow_plan_rewrite(struct cow_plan **out, struct cow_image *img, const struct cow_rewrite_options *opt,
                     struct cow_error *err)
{
    (void)out, (void)img, (void)opt;
    return cow_error_set(err, COW_UNSUPPORTED, "in the making");
}

int cow_plan_diff(struct cow_plan **out, const struct cow_diff_options *opt, struct cow_error *err)
{
    (void)out, (void)opt;
    return cow_error_set(err, COW_UNSUPPORTED, "in the making");
}
