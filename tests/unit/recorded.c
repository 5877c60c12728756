/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An image that is written to by a known hand, and recorded.
 */
#include "recorded.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- sets ---- */

void same_set(const struct cow_sectors *set, const uint8_t *bit, uint64_t sectors)
{
    uint64_t count = 0, at = 0;
    struct cow_dirty_run run;
    size_t runs = 0;
    for (uint64_t i = 0; i < sectors; i++) {
        count += bit[i];
    }
    must(cow_sectors_count(set) == count, "%" PRIu64 " sectors, not %" PRIu64, cow_sectors_count(set), count);
    for (cow_sectors_next(set, 0, &run); run.sectors > 0;
         cow_sectors_next(set, run.first_sector + run.sectors, &run)) {
        must(run.first_sector >= at && run.first_sector + run.sectors <= sectors, "runs out of order");
        for (; at < run.first_sector; at++) {
            must(bit[at] == 0, "sector %" PRIu64 " is missing", at);
        }
        for (; at < run.first_sector + run.sectors; at++) {
            must(bit[at] == 1, "sector %" PRIu64 " is too much", at);
        }
        runs++;
    }
    for (; at < sectors; at++) {
        must(bit[at] == 0, "sector %" PRIu64 " is missing behind the last run", at);
    }
    must(runs == cow_sectors_runs(set), "%zu runs, told are %zu", runs, cow_sectors_runs(set));
}

/* ---- an image that is written to, and recorded ---- */

const struct cow_env told_env = {.now_ns = told_clock};

struct recorded recorded;

static void note_moment(struct recorded *r)
{
    for (uint64_t i = 0; i < r->model->geometry.sectors; i++) {
        r->bit[r->moments][i] =
            i < r->model->geometry.mapped && model_file_bit(r->model->cow_path, &r->model->geometry, i);
    }
    r->at_ms[r->moments] = (uint64_t)(clock_now / 1000000) - r->begun_ms;
    r->moments++;
}

int step_all(struct cow_recording *recording, struct cow_error *err)
{
    bool more = true;
    int status = 0;
    while (status == 0 && more) {
        status = cow_recording_step(recording, &more, err);
    }
    return status;
}

void begin_recording(struct recorded *r, enum cow_format format, const struct cow_io *io, bool force)
{
    const uint64_t size_bytes = 3000 * SECTOR + (shapes[format].kind == 'q' ? 0 : 17);
    const struct model_spec spec = {.format = format,
                                    .size_bytes = size_bytes,
                                    .sector_bytes = SECTOR,
                                    .alignment = 4096,
                                    .backing_bytes = size_bytes,
                                    .pattern = PATTERN_RUNS,
                                    .seed = 7};
    const struct cow_open_options open_options = {.io = io};
    struct cow_error err = {.status = 0};
    memset(r, 0, sizeof *r);
    clock_now = (int64_t)time(NULL) * second_ns;
    r->model = model_create(&spec);
    r->log_path = test_path("log");
    r->begun_ms = (uint64_t)(clock_now / 1000000);
    const struct cow_recording_options options = {.log_path = r->log_path, .force = force, .env = &told_env};
    must_succeed(cow_image_open(&r->image, r->model->cow_path, &open_options, &err), err);
    must_succeed(cow_recording_open(&r->recording, r->image, &options, &err), err);
    must_succeed(step_all(r->recording, &err), err);
    note_moment(r);
}

void write_bits(struct recorded *r, uint64_t first, uint64_t count, bool set)
{
    model_set_bits(r->model->cow_path, &r->model->geometry, first, count, set);
}

void go_on(struct recorded *r, struct rng *rng, int rounds)
{
    struct cow_error err = {.status = 0};
    for (int i = 0; i < rounds; i++) {
        const uint64_t changes = cow_recording_facts(r->recording)->changes;
        const uint64_t first = rng_below(rng, r->model->geometry.mapped);
        const uint64_t most = r->model->geometry.mapped - first;
        clock_now += second_ns + (int64_t)rng_below(rng, 1000) * 1000000;
        write_bits(r, first, 1 + rng_below(rng, most < 100 ? most : 100), i % 5 != 4);
        write_bits(r, rng_below(rng, r->model->geometry.mapped), 1, i % 7 != 6);
        cow_recording_hurry(r->recording);
        must_succeed(step_all(r->recording, &err), err);
        if (cow_recording_facts(r->recording)->changes > changes) {
            note_moment(r);
        }
    }
}

void free_recorded(struct recorded *r)
{
    cow_recording_close(r->recording);
    cow_image_close(r->image);
    model_free(r->model);
    free(r->log_path);
    memset(r, 0, sizeof *r);
}

void end_recording(struct recorded *r)
{
    struct cow_error err = {.status = 0};
    must_succeed(cow_recording_end(r->recording, &err), err);
}

void same_moment(struct cow_history *history, const struct recorded *r, size_t moment)
{
    struct cow_error err = {.status = 0};
    const struct cow_sectors *bits;
    must_succeed(cow_history_go(history, moment, &bits, &err), err);
    same_set(bits, r->bit[moment], r->model->geometry.sectors);
}
