/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Prints where the bytes of an image's disk come from, a run a line: first sector, sectors, origin.
 *
 *     cc -o runs runs.c $(pkg-config --cflags --libs libcow)
 */
#include <cow/cow.h>
#include <inttypes.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct cow_error err = {.status = 0};
    struct cow_image *img = NULL;
    struct cow_run run;
    uint64_t sector = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: runs IMAGE\n");
        return 2;
    }
    int status = cow_image_open(&img, argv[1], NULL, &err);
    while (status == 0) {
        status = cow_image_next_run(img, sector, &run, &err);
        if (status != 0 || run.sectors == 0) {
            break; /* an error, or the end of the disk */
        }
        printf("%" PRIu64 " %" PRIu64 " %s\n", run.first_sector, run.sectors, cow_origin_name(run.origin));
        sector += run.sectors;
    }
    if (status != 0) {
        fprintf(stderr, "runs: %s\n%s%s", err.message, err.hint, err.hint[0] != '\0' ? "\n" : "");
    }
    cow_image_close(img);
    return cow_status_exit_code(status);
}
