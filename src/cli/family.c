/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui family: the images on a backing file. A place that cannot be looked at does not hide what the others
 * hold: the list is printed, and then what is missing from it is the error.
 */
#include "cow/family.h"
#include "cli/commands.h"
#include "cli/output/family_told.h"
#include "cli/output/json.h"

/* The first trouble is the error, in full; those after it are notes. */
static int tell_troubles(const struct cow_family *family, struct cow_error *err)
{
    for (size_t i = 1; i < family->troubles; i++) {
        cli_note(family->trouble[i].message);
    }
    if (family->troubles == 0) {
        return 0;
    }
    *err = family->trouble[0];
    return err->status;
}

int cli_family(const struct cli_options *options, struct cow_error *err)
{
    const struct cow_family_options where = {.place = options->in.word, .n_places = options->in.n};
    struct cow_family *family;
    struct cli_out out;
    int status = cow_family_find(&family, options->operand[0], &where, err);

    if (status != 0) {
        return status;
    }
    if (options->json) {
        status = cli_json_print(cli_family_json(family), err);
    } else {
        cli_out_init(&out, stdout, options->color_mode);
        cli_family_text(&out, family);
    }
    if (status == 0) {
        status = tell_troubles(family, err);
    }
    cow_family_free(family);
    return status;
}
