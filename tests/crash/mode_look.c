/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * look: a guest's filesystem is looked into, and each allocation of the core fails, once or with all that
 * follow. It says so, gives everything back, or answers the same as ever.
 */
#include <stdio.h>
#include <string.h>

#include "cow/fs.h"
#include "filesystem.h"
#include "memory.h"
#include "run.h"

enum { BLOCK_BYTES = 1024, BLOCKS = 1024 };

/* *kept_at: where a file lies that is not in the COW. */
static void make_tree(struct tree *tree, uint64_t *kept_at)
{
    const struct spec spec = {
        .form = FORM_V3, .size_bytes = BLOCKS * BLOCK_BYTES, .ext_block_bytes = BLOCK_BYTES, .seed = 1};
    struct filesystem filesystem;
    struct disk disk = model_build(tree, &spec);
    disk_free(&disk);
    filesystem_make(&filesystem, BLOCK_BYTES, BLOCKS * BLOCK_BYTES);
    *kept_at = filesystem.kept_at;
    filesystem_free(&filesystem);
}

/* ---- looking ---- */

/* All answers, stirred into a number. */
struct sum {
    uint64_t value;
    size_t n_files;
};

static void stir(struct sum *sum, const void *bytes, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) {
        sum->value = (sum->value ^ ((const uint8_t *)bytes)[i]) * UINT64_C(1099511628211);
    }
}

static void stir_text(struct sum *sum, const char *text)
{
    stir(sum, text != NULL ? text : "-", text != NULL ? strlen(text) + 1 : 1);
}

static int look_at_files(struct cow_fs_scan *scan, struct sum *sum, struct cow_error *err)
{
    uint64_t bytes[COW_FS_CLASSES];
    int status = 0;
    const struct cow_fs_file *files = cow_fs_files(scan, &sum->n_files);
    for (size_t i = 0; i < sum->n_files && status == 0; i++) {
        struct cow_fs_owner piece;
        stir_text(sum, files[i].path);
        stir_text(sum, files[i].from);
        stir_text(sum, cow_fs_kind_name(files[i].kind));
        stir(sum, &files[i].changed_bytes, sizeof files[i].changed_bytes);
        status = cow_fs_file_next(scan, &files[i], 0, &piece, err);
    }
    cow_fs_classes(scan, COW_NO_VOLUME, bytes);
    stir(sum, bytes, sizeof bytes);
    stir_text(sum, cow_fs_scan_damage(scan));
    return status;
}

static int look_at_owner(struct cow_fs_scan *scan, uint64_t at, struct sum *sum, struct cow_error *err)
{
    struct cow_fs_owner owner;
    const int status = cow_fs_owner_at(scan, at, &owner, err);
    if (status == 0) {
        stir_text(sum, owner.path);
        stir_text(sum, cow_fs_class_name(owner.fs_class));
    }
    return status;
}

static int look_at_owners(struct cow_fs_scan *scan, uint64_t kept_at, struct sum *sum, struct cow_error *err)
{
    int status = look_at_owner(scan, kept_at, sum, err);
    for (uint64_t at = 0; at < BLOCKS * BLOCK_BYTES && status == 0; at += 7 * BLOCK_BYTES) {
        status = look_at_owner(scan, at, sum, err);
    }
    return status;
}

static int look_at_content(struct cow_fs *fs, struct sum *sum, struct cow_error *err)
{
    struct cow_fs_reader *guest = NULL, *base = NULL;
    uint8_t bytes[3 * BLOCK_BYTES];
    uint64_t first = 0;
    size_t n = 0;
    bool equal = true;
    int status = cow_fs_reader_open(&guest, fs, 0, COW_VERSION_GUEST, "/link", err);
    if (status == 0) {
        status = cow_fs_reader_open(&base, fs, 0, COW_VERSION_BASE, "/link", err);
    }
    if (status == 0) {
        status = cow_fs_reader_read(guest, 100, bytes, sizeof bytes, &n, err);
    }
    if (status == 0) {
        status = cow_fs_compare(guest, base, &equal, &first, err);
    }
    if (status == 0) {
        stir(sum, bytes, n);
        stir(sum, &first, sizeof first);
    }
    cow_fs_reader_close(guest);
    cow_fs_reader_close(base);
    return status;
}

static int look(struct sim *machine, bool look_around, uint64_t kept_at, struct sum *sum,
                struct cow_error *err)
{
    const struct cow_open_options options = {.io = &machine->io};
    const struct cow_fs_scan_options opt = {.look_around = look_around, .keep = true, .keep_offset = kept_at};
    struct cow_image *img = NULL;
    struct cow_fs *fs = NULL;
    struct cow_fs_scan *scan = NULL;
    char text[COW_MESSAGE_BYTES];
    size_t n_volumes;
    *sum = (struct sum){.value = UINT64_C(14695981039346656037)};
    int status = cow_image_open(&img, IMAGE_PATH, &options, err);
    if (status == 0) {
        status = cow_fs_open(&fs, img, err);
    }
    if (status == 0) {
        stir_text(sum, cow_volume_text(text, sizeof text, cow_fs_volumes(fs, &n_volumes)));
        status = cow_fs_scan(&scan, fs, &opt, err);
    }
    if (status == 0) {
        status = look_at_files(scan, sum, err);
    }
    if (status == 0) {
        status = look_at_owners(scan, kept_at, sum, err);
    }
    if (status == 0) {
        status = look_at_content(fs, sum, err);
    }
    cow_fs_scan_free(scan);
    cow_fs_close(fs);
    cow_image_close(img);
    return status;
}

/* What all runs have in common. */
struct looking {
    struct tree tree;
    uint64_t kept_at;
    bool around;
    struct sum wanted;
};

/* One run in which allocation `at` fails (0: none). Answers how many there were. */
static unsigned long look_once(struct run *run, struct looking *looking, unsigned long at, bool for_ever)
{
    struct tree copy;
    struct sim machine;
    struct sum sum;
    struct cow_error err = {.status = 0};
    size_t lost;
    tree_copy(&copy, &looking->tree);
    sim_boot(&machine, &copy);
    memory_watch(at, for_ever);
    const int status = look(&machine, looking->around, looking->kept_at, &sum, &err);
    const unsigned long n = memory_unwatch(&lost);
    if (at == 0) {
        looking->wanted = sum;
        memory_require(status == 0 && lost == 0 && sum.n_files > 5, "looking into an image");
    } else if (n >= at) {
        run->states++;
        if (status == 0 && (sum.value != looking->wanted.value || sum.n_files != looking->wanted.n_files)) {
            run_violation(run, "another answer, and no error");
        }
        if (status != 0 && (status != COW_NO_MEMORY || err.status != status || err.message[0] == '\0')) {
            run_violation(run, "status %d, \"%s\"", status, err.message);
        }
        if (lost > 0 || sim_open_files(&machine) > 0) {
            run_violation(run, "%zu allocations are lost, %u files are open", lost, sim_open_files(&machine));
        }
    }
    sim_free(&machine);
    return n;
}

void mode_look(struct run *run)
{
    static const struct scene scenes_here[] = {{.name = "look"}, {.name = "look-around"}};
    struct looking looking;
    make_tree(&looking.tree, &looking.kept_at);
    for (unsigned i = 0; i < 2; i++) {
        struct trial trial = {.scene = &scenes_here[i]};
        looking.around = i == 1;
        if (!run_wants(run, trial.scene)) {
            continue;
        }
        run->trial = &trial;
        const unsigned long n = look_once(run, &looking, 0, false);
        for (unsigned long at = 1; at <= n && !run_time_is_up(run); at++) {
            for (int for_ever = 0; for_ever < 2; for_ever++) {
                snprintf(run->what, sizeof run->what, "allocation %lu of %lu fails%s: ", at, n,
                         for_ever != 0 ? " for ever" : "");
                look_once(run, &looking, at, for_ever != 0);
            }
        }
        run->what[0] = '\0';
        run_scene_done(run);
    }
    tree_clear(&looking.tree);
    run_report(run, "failed allocations");
}
