/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Finding places of the disk, slice by slice, against a search byte by byte through what the model knows:
 * bytes on either side, and the places where the sides differ; what was typed, as bytes; and how it is
 * stopped.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"
#include "tui/jobs/find_job.h"

#define MIB (UINT64_C(1) << 20)

/* An image that is open, and both sides as the model has them. */
struct scene {
    struct model *m;
    struct cow_image *image;
    struct tui_subject subject;
    struct tui_files files;
    struct tui_find find;
    uint8_t *base;    /* [size_bytes] */
    uint8_t *differs; /* [size_bytes] */
    uint8_t *begins;  /* [size_bytes]: a difference begins there */
    uint64_t size;
};

static bool is_hole(int fd, uint64_t begin, uint64_t end)
{
    off_t data = lseek(fd, (off_t)begin, SEEK_DATA);
    return data < 0 || (uint64_t)data >= end;
}

static void mark_differences(struct scene *scene)
{
    const struct model *m = scene->m;
    const uint32_t ss = m->spec.sector_bytes;
    int fd = open(m->cow_path, O_RDONLY | O_CLOEXEC);
    for (uint64_t sector = 0; sector < m->geometry.sectors; sector++) {
        const uint64_t at = m->geometry.data_offset + sector * ss;
        const bool nothing = m->dirty[sector] == 0 && is_hole(fd, at, at + ss);
        for (uint64_t i = sector * ss; i < (sector + 1) * ss && i < scene->size && !nothing; i++) {
            scene->differs[i] = m->cow[i] != scene->base[i];
        }
    }
    close(fd);
}

/* One that lies close behind another belongs to it. */
static void mark_begins(struct scene *scene)
{
    uint64_t quiet = TUI_FIND_APART_BYTES; /* so long nothing differs */
    for (uint64_t i = 0; i < scene->size; i++) {
        scene->begins[i] = scene->differs[i] != 0 && quiet >= TUI_FIND_APART_BYTES;
        quiet = scene->differs[i] != 0 ? 0 : quiet + 1;
    }
}

static void scene_open(struct scene *scene, const struct model_spec *spec)
{
    struct cow_error err = {.status = 0};
    memset(scene, 0, sizeof *scene);
    scene->m = model_create(spec);
    scene->size = spec->size_bytes;
    scene->base = calloc(scene->size, 1);
    scene->differs = calloc(scene->size, 1);
    scene->begins = calloc(scene->size, 1);
    must(scene->base != NULL && scene->differs != NULL && scene->begins != NULL, "out of memory");
    memcpy(scene->base, scene->m->backing,
           spec->backing_bytes < scene->size ? spec->backing_bytes : scene->size);
    mark_differences(scene);
    mark_begins(scene);
    must_succeed(cow_image_open(&scene->image, scene->m->cow_path, NULL, &err), err);
    scene->subject = (struct tui_subject){.image = scene->image, .generation = 1};
    tui_find_init(&scene->find, &scene->subject, &scene->files);
}

static void scene_close(struct scene *scene)
{
    scene->find.job.job_class->forget(&scene->find);
    cow_image_close(scene->image);
    model_free(scene->m);
    free(scene->base);
    free(scene->differs);
    free(scene->begins);
}

/* To its end. */
static void run_find(struct scene *scene)
{
    unsigned slices = 0;
    while (scene->find.job.state == TUI_JOB_RUNNING) {
        scene->find.job.job_class->slice(&scene->find);
        must(slices++ < 10000, "it does not end");
    }
    must(scene->find.job.state == TUI_JOB_DONE, "state %d: %s", scene->find.job.state,
         scene->find.job.error.message);
    must(scene->find.buffer == NULL, "a buffer is kept");
}

static void must_find(const struct scene *scene, const char *what, uint64_t from, bool found, uint64_t at)
{
    must(scene->find.found == found && (!found || scene->find.found_at == at),
         "%s: %s from %" PRIu64 "%s: found %d at %" PRIu64 ", not %d at %" PRIu64, model_describe(scene->m),
         what, from, scene->find.back ? " back" : "", scene->find.found, scene->find.found_at, found, at);
}

/* ---- bytes ---- */

/* The first byte is asked for before memcmp, which sanitizers watch. */
static bool has_needle(const struct scene *scene, const struct tui_needle *needle, uint64_t at)
{
    const uint8_t first = needle->byte[0], *cow = scene->m->cow + at, *base = scene->base + at;
    return at + needle->n <= scene->size && ((*cow == first && memcmp(cow, needle->byte, needle->n) == 0) ||
                                             (*base == first && memcmp(base, needle->byte, needle->n) == 0));
}

static void check_needle(struct scene *scene, const struct tui_needle *needle, uint64_t from)
{
    uint64_t at = from;
    while (at < scene->size && !has_needle(scene, needle, at)) {
        at++;
    }
    tui_find_bytes(&scene->find, needle, from, false);
    run_find(scene);
    must_find(scene, "bytes", from, at < scene->size, at);
    for (at = from; at > 0 && !has_needle(scene, needle, at - 1);) {
        at--;
    }
    tui_find_bytes(&scene->find, needle, from, true);
    run_find(scene);
    must_find(scene, "bytes", from, at > 0, at - 1);
}

/* Where something begins to be in the COW, or ends, at or behind that byte; or some page. */
static uint64_t border_near(const struct scene *scene, uint64_t at, bool begins)
{
    const uint32_t ss = scene->m->spec.sector_bytes;
    for (uint64_t sector = at / ss + 1; (sector + 1) * ss < scene->size; sector++) {
        if (scene->m->dirty[sector] == begins && scene->m->dirty[sector - 1] != begins) {
            return sector * ss;
        }
    }
    return at < 4096 ? TUI_NEEDLE_BYTES : at / 4096 * 4096;
}

/* What is somewhere on a side, of any length: also across the borders of pieces that are read, and of holes.
 */
static void check_needles(struct scene *scene, struct rng *rng)
{
    static const uint64_t piece = 128 * 1024;
    for (unsigned i = 0; i < 60; i++) {
        struct tui_needle needle = {.n = 1 + rng_below(rng, i < 20 ? 4 : TUI_NEEDLE_BYTES)};
        uint64_t place = rng_below(rng, scene->size - needle.n), middle;
        if (i % 2 == 0) {
            place = border_near(scene, place, i % 4 == 0) - needle.n / 2;
        }
        memcpy(needle.byte, (i % 3 == 0 ? scene->base : scene->m->cow) + place, needle.n);
        bool zeros = true;
        for (size_t k = 0; k < needle.n; k++) {
            zeros &= needle.byte[k] == 0;
        }
        needle.byte[needle.n - 1] |= zeros; /* zeros alone lie in holes */
        middle = place + needle.n / 2;
        check_needle(scene, &needle, rng_below(rng, scene->size));
        check_needle(scene, &needle, i % 5 == 0 ? scene->size : place);
        check_needle(scene, &needle, middle > piece ? middle - piece : 0);
        check_needle(scene, &needle, middle + piece < scene->size ? middle + piece : scene->size);
    }
}

/* ---- differences ---- */

static void check_difference(struct scene *scene, uint64_t from)
{
    uint64_t at = from + 1;
    while (at < scene->size && scene->begins[at] == 0) {
        at++;
    }
    tui_find_difference(&scene->find, from, false);
    run_find(scene);
    must_find(scene, "difference", from, at < scene->size, at);
    for (at = from; at > 0 && scene->begins[at - 1] == 0;) {
        at--;
    }
    tui_find_difference(&scene->find, from, true);
    run_find(scene);
    must_find(scene, "difference", from, at > 0, at - 1);
}

static void check_differences(struct scene *scene, struct rng *rng)
{
    for (unsigned i = 0; i < 40; i++) {
        check_difference(scene, rng_below(rng, scene->size));
        check_difference(scene, i);
    }
    check_difference(scene, scene->size - 1);
}

static const struct model_spec specs[] = {
    {.size_bytes = 64 * 1024, .backing_bytes = 64 * 1024, .pattern = PATTERN_RANDOM, .garbage = true},
    {.size_bytes = 300 * 1024, .backing_bytes = 200 * 1024, .pattern = PATTERN_EDGES},
    {.size_bytes = MIB + 5 * 512, .backing_bytes = MIB + 5 * 512, .pattern = PATTERN_FAR},
    {.size_bytes = MIB + 5 * 512,
     .backing_bytes = 1 * MIB,
     .pattern = PATTERN_RUNS,
     .garbage = true,
     .short_file = true},
    {.size_bytes = MIB + 5 * 512, .backing_bytes = 512, .sector_bytes = 4096, .pattern = PATTERN_FAR},
    {.size_bytes = 700, .backing_bytes = 512, .pattern = PATTERN_ALL},
    {.size_bytes = MIB, .backing_bytes = MIB, .pattern = PATTERN_NONE},
};

START_TEST(what_is_found_is_what_is_there)
{
    struct scene scene;
    struct model_spec spec = specs[_i];
    struct rng rng = {(uint64_t)_i + 7};
    spec.format = COW_FORMAT_V3;
    spec.sector_bytes = spec.sector_bytes != 0 ? spec.sector_bytes : 512;
    spec.alignment = 4096;
    spec.seed = (uint64_t)_i + 1;
    scene_open(&scene, &spec);
    check_needles(&scene, &rng);
    check_differences(&scene, &rng);
    scene_close(&scene);
}
END_TEST

START_TEST(what_is_typed_is_text_or_numbers)
{
    static const struct {
        const char *text, *bytes;
        size_t n;
    } typed[] = {
        {"OO", "OO", 2},     {"0x4f4f", "OO", 2}, {"0X4F4f", "OO", 2},
        {"4f 4F", "OO", 2},  {"4f4f", "4f4f", 4}, {"\"4f 4f\"", "4f 4f", 5},
        {"4f 4", "4f 4", 4}, {"0x", "0x", 2},     {"\xc3\xa4", "\xc3\xa4", 2},
        {"0x00", "\0", 1},   {"\"", "\"", 1},     {"a b", "a b", 3},
    };
    struct tui_needle needle;
    char text[TUI_NEEDLE_BYTES + 2];
    for (size_t i = 0; i < sizeof typed / sizeof *typed; i++) {
        must(tui_needle_read(&needle, typed[i].text), "%s is refused", typed[i].text);
        must(needle.n == typed[i].n && memcmp(needle.byte, typed[i].bytes, needle.n) == 0, "%s: %zu bytes",
             typed[i].text, needle.n);
    }
    memset(text, 'a', sizeof text);
    text[TUI_NEEDLE_BYTES + 1] = '\0';
    ck_assert(!tui_needle_read(&needle, text));
    text[TUI_NEEDLE_BYTES] = '\0';
    ck_assert(tui_needle_read(&needle, text));
    ck_assert(!tui_needle_read(&needle, ""));
    ck_assert(!tui_needle_read(&needle, "0x4f4"));
    ck_assert(!tui_needle_read(&needle, "0x4g"));
}
END_TEST

START_TEST(finding_is_stopped_between_slices)
{
    struct scene scene;
    const struct model_spec spec = {.format = COW_FORMAT_V3,
                                    .sector_bytes = 512,
                                    .alignment = 4096,
                                    .size_bytes = 5 * MIB,
                                    .backing_bytes = 5 * MIB,
                                    .pattern = PATTERN_ALL,
                                    .seed = 1};
    const struct tui_needle needle = {.byte = "no such bytes are in here", .n = 25};
    scene_open(&scene, &spec);
    tui_find_bytes(&scene.find, &needle, 0, false);
    scene.find.job.job_class->slice(&scene.find);
    must(scene.find.job.state == TUI_JOB_RUNNING, "it ends with its first slice");
    const int percent = tui_job_percent(&scene.find.job);
    must(percent > 0 && percent < 100, "%d%%", percent);
    tui_job_stop(&scene.find.job);
    scene.find.job.job_class->slice(&scene.find);
    must(scene.find.job.state == TUI_JOB_STOPPED && !scene.find.found && scene.find.buffer == NULL,
         "no stop");
    scene.subject.interactive = true;
    tui_find_bytes(&scene.find, &needle, 0, false);
    scene.subject.generation++; /* another image */
    scene.find.job.job_class->slice(&scene.find);
    must(scene.find.job.state == TUI_JOB_STOPPED, "it goes on in another image");
    scene_close(&scene);
}
END_TEST

START_TEST(a_directory_holds_what_is_in_it)
{
    static const struct {
        const char *directory, *path;
        int volume;
        bool holds;
    } cases[] = {
        {"/home", "/home", 0, true},       {"/home", "/home/a/b", 0, true}, {"/home", "/homework", 0, false},
        {"/home", "/hom", 0, false},       {"/home", "/home/a", 1, false},  {"/home", NULL, 0, false},
        {"", "/anything/at/all", 0, true},
    };
    struct tui_file_name name = {.path = NULL};
    struct cow_error err = {.status = 0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct cow_fs_owner owner = {.volume = cases[i].volume, .path = cases[i].path};
        must_succeed(tui_file_name_set_below(&name, 0, cases[i].directory, strlen(cases[i].directory), &err),
                     err);
        must(tui_file_name_holds(&name, &owner) == cases[i].holds, "%s, %s", cases[i].directory,
             cases[i].path);
    }
    tui_file_name_set(&name, NULL, NULL);
}
END_TEST

Suite *find_suite(void)
{
    Suite *suite = suite_create("find");
    TCase *tests = tcase_create("find");

    tcase_add_checked_fixture(tests, test_directory_setup, NULL);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, what_is_found_is_what_is_there, 0, (int)(sizeof specs / sizeof *specs));
    tcase_add_test(tests, what_is_typed_is_text_or_numbers);
    tcase_add_test(tests, finding_is_stopped_between_slices);
    tcase_add_test(tests, a_directory_holds_what_is_in_it);
    suite_add_tcase(suite, tests);
    return suite;
}
