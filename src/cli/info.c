/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui info: gathers the facts; info_text.c and info_json.c tell them. All are asked for before the first
 * byte is printed, so that an error leaves no half of an answer behind.
 */
#include "cli/commands.h"
#include "cli/output/info_facts.h"
#include "cli/output/json.h"
#include "cli/output/out.h"
#include "cow/scan.h"

static int gather_info_facts(struct cli_facts *facts, struct cow_image *image, struct cow_error *err)
{
    int status = 0;

    *facts = (struct cli_facts){
        .image = image,
        .header = cow_image_header(image),
        .backing = cow_image_backing(image),
        .pending = cow_image_pending(image),
        .can_grow_to_bytes = cow_image_can_grow_to(image),
    };
    if (!facts->header->unfinished) {
        facts->layout = cow_image_layout(image);
        status = cow_image_usage(image, &facts->usage, err);
        status = status == 0 ? cow_image_count_mixed(image, &facts->mixed_pages, err) : status;
    }
    if (status != 0) {
        return status;
    }
    cow_image_verdict(image, &facts->verdict);
    facts->holder_known = cow_image_in_use(image, &facts->holder, NULL) == 0;
    return 0;
}

int cli_info(const struct cli_options *options, struct cow_error *err)
{
    struct cow_image *image;
    struct cli_facts facts;
    struct cli_out out;
    int status = cli_open_image(&image, options, err);

    if (status != 0) {
        return status;
    }
    status = gather_info_facts(&facts, image, err);
    if (status != 0) {
        goto out;
    }
    if (options->json) {
        status = cli_json_print(cli_info_json(&facts), err);
    } else {
        cli_out_init(&out, stdout, options->color_mode);
        cli_info_text(&out, &facts, options->verbose);
    }
    if (status == 0 && cow_image_half(image) == COW_HALF_MOVING) { /* the rest of it cannot be told now */
        status = cli_need_layout(image, "size, layout and usage are not known", err);
    }
out:
    cow_image_close(image);
    return status;
}
