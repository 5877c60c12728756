/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cow/check.h"

int cow_check(struct cow_check *out, const char *path, const struct cow_check_options *opt,
              struct cow_error *err)
{
    (void)out, (void)path, (void)opt;
    return cow_error_set(err, COW_UNSUPPORTED, "in the making");
}

int cow_plan_repair(struct cow_plan **out, struct cow_image *img, const struct cow_check *check,
                    const bool *chosen, struct cow_error *err)
{
    (void)out, (void)img, (void)check, (void)chosen;
    return cow_error_set(err, COW_UNSUPPORTED, "in the making");
}
