/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sim: the simulated disk itself, where it makes room within a file: what is left of it by a power cut, by an
 * error and by a kill in its middle; a disk that is full; a file of 8 TiB. A file is told as a picture, a
 * letter a page: "AB..C" has two pages, a hole of two, and one more; behind a "|" lies what is past its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "promise/watch.h"
#include "run.h"

enum { SAMPLES = 3000, PICTURE_BYTES = 32, PICTURES = 64 };

static const uint64_t page_bytes = PAGE_BYTES;

struct pictures {
    char text[PICTURES][PICTURE_BYTES];
    size_t n;
};

/* ---- files and pictures ---- */

static void check(struct run *run, bool good, const char *what)
{
    if (!good) {
        run_violation(run, "%s", what);
    }
}

static void check_is(struct run *run, int64_t is, int64_t wanted, const char *what)
{
    if (is != wanted) {
        run_violation(run, "%s: %lld instead of %lld", what, (long long)is, (long long)wanted);
    }
}

/* A machine with a file "/f" that looks so, and is open. */
static int boot(struct sim *sim, const char *picture)
{
    struct tree tree;
    tree_init(&tree);
    const uint8_t at = tree_make(&tree, INODE_FILE, 0600);
    struct inode *file = &tree.inode[at];
    tree_set_entry(&tree, TREE_ROOT, "f", at);
    for (size_t i = 0; picture[i] != '\0'; i++) {
        uint8_t bytes[PAGE_BYTES];
        memset(bytes, picture[i], sizeof bytes);
        if (picture[i] != '.') {
            inode_write(file, i * page_bytes, bytes, sizeof bytes);
        }
        file->facts.size_bytes = (i + 1) * page_bytes;
    }
    sim_boot(sim, &tree);
    sim->can_insert = true;
    return sim->io.open(sim, "/f", O_RDWR, 0);
}

static void draw(const struct tree *tree, char out[PICTURE_BYTES])
{
    const struct inode *file = &tree->inode[tree_find(tree, "/f")];
    size_t n = 0;
    bool past = false;
    for (uint64_t at = 0; at < file->facts.size_bytes || inode_pages_from(file, at) > 0; at += page_bytes) {
        memory_require(n + 3 < PICTURE_BYTES, "a picture is too large");
        if (at >= file->facts.size_bytes && !past) {
            out[n++] = '|';
            past = true;
        }
        const struct page *page = inode_page(file, at);
        out[n++] = page == NULL ? '.' : page->bytes[0] == 0 ? '0' : (char)page->bytes[0];
    }
    out[n] = '\0';
}

static bool has(const struct pictures *set, const char *picture)
{
    for (size_t i = 0; i < set->n; i++) {
        if (strcmp(set->text[i], picture) == 0) {
            return true;
        }
    }
    return false;
}

static void add(struct pictures *set, const struct tree *tree)
{
    char picture[PICTURE_BYTES];
    draw(tree, picture);
    if (!has(set, picture)) {
        memory_require(set->n < PICTURES, "too many pictures");
        memcpy(set->text[set->n++], picture, sizeof picture);
    }
}

/* `wanted`: pictures with blanks between them, no more and no less. */
static void expect(struct run *run, const struct pictures *set, const char *wanted, const char *what)
{
    struct pictures all = {.n = 0};
    while (*wanted != '\0') {
        const size_t length = strcspn(wanted, " ");
        memccpy(all.text[all.n], wanted, '\0', length);
        all.text[all.n++][length] = '\0';
        wanted += length + strspn(wanted + length, " ");
    }
    for (size_t i = 0; i < all.n; i++) {
        if (!has(set, all.text[i])) {
            run_violation(run, "%s: never %s", what, all.text[i]);
        }
    }
    for (size_t i = 0; i < set->n; i++) {
        if (!has(&all, set->text[i])) {
            run_violation(run, "%s: %s", what, set->text[i]);
        }
    }
}

static void expect_live(struct run *run, const struct sim *sim, const char *wanted, const char *what)
{
    struct pictures set = {.n = 0};
    add(&set, &sim->live);
    expect(run, &set, wanted, what);
}

/* Everything that a power cut may leave now. */
static void expect_disk(struct run *run, const struct sim *sim, const char *wanted, const char *what)
{
    struct pictures set = {.n = 0};
    struct power power;
    power_begin(&power, sim);
    while (power_step(&power)) {
    }
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct rng rng = {rng_mix(run->seed, i)};
        struct tree tree;
        uint64_t print;
        power_sample(&power, (enum strategy)(i % POWER_STRATEGIES), &rng, false, &tree, &print);
        add(&set, &tree);
        tree_clear(&tree);
    }
    power_end(&power);
    run->states += SAMPLES;
    expect(run, &set, wanted, what);
}

static int room(struct sim *sim, int fd, enum io_room how, uint64_t first, uint64_t pages)
{
    return sim->io.fallocate(sim, fd, how, first * page_bytes, pages * page_bytes);
}

static void put(struct sim *sim, int fd, uint64_t page, char letter)
{
    uint8_t sector[SECTOR_BYTES];
    memset(sector, letter, sizeof sector);
    memory_require(sim->io.pwrite(sim, fd, sector, sizeof sector, page * page_bytes) == SECTOR_BYTES, "put");
}

/* ---- holes ---- */

static void punches(struct run *run)
{
    struct sim sim;
    int fd = boot(&sim, "ABCD");
    check_is(run, room(&sim, fd, IO_ROOM_PUNCH, 1, 2), 0, "punch");
    expect_live(run, &sim, "A..D", "punched");
    expect_disk(run, &sim, "ABCD A.CD AB.D A..D", "on the disk");
    check_is(run, sim.io.seek(&sim, fd, 0, SEEK_HOLE), 4096, "SEEK_HOLE");
    check_is(run, sim.io.seek(&sim, fd, 4096, SEEK_DATA), 12288, "SEEK_DATA");
    sim.io.fsync(&sim, fd);
    expect_disk(run, &sim, "A..D", "after fsync");
    check_is(run, room(&sim, fd, IO_ROOM_PUNCH, 3, 9), 0, "punch past the end");
    expect_live(run, &sim, "A...", "punched past the end");
    sim.no_punch = true;
    check_is(run, room(&sim, fd, IO_ROOM_PUNCH, 0, 1), -EOPNOTSUPP, "where that cannot be");
    sim_free(&sim);
}

static void punched_edges(struct run *run)
{
    struct sim sim;
    uint8_t bytes[3 * PAGE_BYTES];
    int fd = boot(&sim, "ABC");
    sim.io.fallocate(&sim, fd, IO_ROOM_PUNCH, 100, 2 * PAGE_BYTES + 700 - 100);
    sim.io.pread(&sim, fd, bytes, sizeof bytes, 0);
    check(run, bytes[99] == 'A' && bytes[100] == 0 && bytes[4095] == 0, "the first page's end is zeros");
    check(run, inode_page(&sim.live.inode[tree_find(&sim.live, "/f")], PAGE_BYTES) == NULL, "a hole");
    check(run, bytes[2 * PAGE_BYTES + 699] == 0 && bytes[2 * PAGE_BYTES + 700] == 'C',
          "the last one's begin");
    sim.io.fallocate(&sim, fd, IO_ROOM_PUNCH, 10, 5);
    sim.io.pread(&sim, fd, bytes, sizeof bytes, 0);
    check(run, bytes[9] == 'A' && bytes[10] == 0 && bytes[14] == 0 && bytes[15] == 'A', "within a page");
    expect_disk(run, &sim, "ABC A.C AB0 A.0", "on the disk");
    sim_free(&sim);
}

/* ---- shifts ---- */

#define FIRST_SPLITS "ABCD ABCD.. ABC..D AB..CD"
#define LAST_SPLITS  "ABCD ABC.|.D AB..|CD A..B|CD"

static void inserted_in(struct run *run, enum size_order order, const char *wanted, const char *what)
{
    struct sim sim;
    int fd = boot(&sim, "ABCD");
    sim.size_order = order;
    check_is(run, room(&sim, fd, IO_ROOM_INSERT, 1, 2), 0, "insert");
    expect_live(run, &sim, "A..BCD", "inserted");
    expect_disk(run, &sim, wanted, what);
    sim.io.fsync(&sim, fd);
    expect_disk(run, &sim, "A..BCD", "after fsync");
    sim_free(&sim);
}

static void inserts(struct run *run)
{
    inserted_in(run, SIZE_ANY, FIRST_SPLITS " " LAST_SPLITS " A..BCD", "the size first or last");
    inserted_in(run, SIZE_FIRST, FIRST_SPLITS " A..BCD", "the size first");
    inserted_in(run, SIZE_AS_LINUX, FIRST_SPLITS " A..BCD", "as Linux does");
    inserted_in(run, SIZE_LAST, LAST_SPLITS " A..BCD", "the size last");
}

static void collapsed_in(struct run *run, enum size_order order, const char *wanted, const char *what)
{
    struct sim sim;
    int fd = boot(&sim, "ABCDE");
    sim.size_order = order;
    check_is(run, room(&sim, fd, IO_ROOM_COLLAPSE, 1, 2), 0, "collapse");
    expect_live(run, &sim, "ADE", "collapsed");
    expect_disk(run, &sim, wanted, what);
    sim.io.fsync(&sim, fd);
    expect_disk(run, &sim, "ADE", "after fsync");
    sim_free(&sim);
}

static void collapses(struct run *run)
{
    static const char first[] = "ABCDE A.CDE AB.DE A..DE A..|DE AD.|.E ADE";
    static const char last[] = "ABCDE A.CDE AB.DE A..DE AD..E ADE.. ADE";
    static const char any[] = "ABCDE A.CDE AB.DE A..DE A..|DE AD.|.E AD..E ADE.. ADE";
    collapsed_in(run, SIZE_FIRST, first, "the size first");
    collapsed_in(run, SIZE_LAST, last, "the size last");
    collapsed_in(run, SIZE_AS_LINUX, last, "as Linux does");
    collapsed_in(run, SIZE_ANY, any, "the size first or last");
}

static void refuses(struct run *run)
{
    struct sim sim;
    int fd = boot(&sim, "ABCD");
    check_is(run, sim.io.can_insert(&sim, fd, "/f", 4096, 8192), 1, "can_insert");
    check_is(run, sim.io.can_insert(&sim, fd, "/f", 512, 8192), 0, "can_insert, no block");
    check_is(run, room(&sim, fd, IO_ROOM_INSERT, 4, 1), -EINVAL, "at the end");
    check_is(run, room(&sim, fd, IO_ROOM_COLLAPSE, 2, 2), -EINVAL, "up to the end");
    check_is(run, room(&sim, fd, IO_ROOM_INSERT, 1, 0), -EINVAL, "nothing");
    check_is(run, sim.io.fallocate(&sim, fd, IO_ROOM_INSERT, 512, 4096), -EINVAL, "an odd offset");
    check_is(run, sim.io.fallocate(&sim, fd, IO_ROOM_COLLAPSE, 4096, 512), -EINVAL, "an odd length");
    check_is(run, room(&sim, fd, IO_ROOM_INSERT, 1, INT64_MAX / 4096 - 1), -EFBIG, "too large a file");
    sim.can_insert = false;
    check_is(run, room(&sim, fd, IO_ROOM_INSERT, 1, 1), -EOPNOTSUPP, "where that cannot be");
    check_is(run, sim.io.can_insert(&sim, fd, "/f", 4096, 8192), 0, "can_insert, it cannot");
    check_is(run, (int64_t)sim.n_mutations, 0, "changes");
    expect_live(run, &sim, "ABCD", "as it was");
    sim_free(&sim);
}

static void large_blocks(struct run *run)
{
    struct sim sim;
    int fd = boot(&sim, "ABCDEF");
    sim.block_bytes = 8192;
    sim.size_order = SIZE_FIRST;
    check_is(run, room(&sim, fd, IO_ROOM_INSERT, 1, 2), -EINVAL, "half a block");
    check_is(run, room(&sim, fd, IO_ROOM_INSERT, 2, 2), 0, "insert");
    expect_disk(run, &sim, "ABCDEF ABCDEF.. ABCD..EF AB..CDEF", "blocks of two pages");
    sim_free(&sim);
}

/* A machine that boots from a state in which the blocks have moved, and the size has not followed. */
static void past_end(struct run *run)
{
    struct sim sim, next;
    struct power power;
    char picture[PICTURE_BYTES] = "";
    int fd = boot(&sim, "ABCD");
    room(&sim, fd, IO_ROOM_INSERT, 1, 2);
    power_begin(&power, &sim);
    power_step(&power);
    for (unsigned i = 0; strcmp(picture, "AB..|CD") != 0 && i < SAMPLES; i++) {
        struct rng rng = {rng_mix(run->seed, i)};
        struct tree tree;
        uint64_t print;
        power_sample(&power, POWER_PREFIX, &rng, false, &tree, &print);
        draw(&tree, picture);
        sim_boot(&next, &tree);
        if (strcmp(picture, "AB..|CD") != 0) {
            sim_free(&next);
        }
    }
    power_end(&power);
    sim_free(&sim);
    if (strcmp(picture, "AB..|CD") != 0) {
        run_violation(run, "never AB..|CD");
        return;
    }
    fd = next.io.open(&next, "/f", O_RDWR, 0);
    check_is(run, next.io.seek(&next, fd, 8192, SEEK_DATA), -ENXIO, "nothing up to the end");
    next.io.ftruncate(&next, fd, 6 * page_bytes);
    expect_live(run, &next, "AB..CD", "it shows up");
    next.io.fsync(&next, fd);
    expect_disk(run, &next, "AB..CD", "and lasts");
    next.io.ftruncate(&next, fd, 3 * page_bytes);
    next.io.ftruncate(&next, fd, 6 * page_bytes);
    expect_live(run, &next, "AB....", "and can be cut off");
    next.io.ftruncate(&next, fd, 3 * page_bytes);
    next.io.fsync(&next, fd);
    put(&next, fd, 4, 'N');
    expect_disk(run, &next, "AB. AB..N AB...", "nothing new is past the end");
    next.io.ftruncate(&next, fd, 3 * page_bytes);
    sim_settle(&next);
    put(&next, fd, 4, 'N');
    expect_disk(run, &next, "AB. AB..N AB...", "nor after it has settled");
    sim_free(&next);
}

/* ---- what comes before and after a shift ---- */

static void after_shift(struct run *run, enum size_order order, void (*then)(struct sim *sim, int fd),
                        const char *wanted, const char *what)
{
    struct sim sim;
    int fd = boot(&sim, "ABCD");
    sim.size_order = order;
    room(&sim, fd, IO_ROOM_INSERT, 1, 2);
    then(&sim, fd);
    expect_disk(run, &sim, wanted, what);
    sim_free(&sim);
}

static void write_moved(struct sim *sim, int fd)
{
    put(sim, fd, 3, 'X');
}

static void write_gap(struct sim *sim, int fd)
{
    put(sim, fd, 1, 'N');
    put(sim, fd, 1, 'M');
}

static void write_again(struct sim *sim, int fd)
{
    room(sim, fd, IO_ROOM_PUNCH, 3, 1);
    put(sim, fd, 3, 'N');
}

static void lengthen(struct sim *sim, int fd)
{
    sim->io.ftruncate(sim, fd, 8 * page_bytes);
}

static void collapse_again(struct sim *sim, int fd)
{
    room(sim, fd, IO_ROOM_COLLAPSE, 1, 2);
    put(sim, fd, 1, 'X');
}

static void orders(struct run *run)
{
    after_shift(run, SIZE_FIRST, write_moved, FIRST_SPLITS " A..BCD AXCD AXCD.. AXC..D AX..CD A..XCD",
                "a block that was the file's before");
    after_shift(run, SIZE_FIRST, write_gap, FIRST_SPLITS " A..BCD AN.BCD AM.BCD", "a new block");
    after_shift(run, SIZE_LAST, write_gap, LAST_SPLITS " A..BCD AN.BCD AM.BCD", "a new block, the size last");
    after_shift(run, SIZE_FIRST, write_again, FIRST_SPLITS " A..BCD A...CD A..NCD",
                "a new block in the place of an old one");
    after_shift(run, SIZE_FIRST, lengthen, FIRST_SPLITS " A..BCD A..BCD..", "a length");
    after_shift(run, SIZE_FIRST, collapse_again,
                FIRST_SPLITS " A..BCD AXCD AXCD.. AXC..D AX..CD A..XCD "
                             "A..B|CD A..X|CD AB..|CD AX..|CD ABC.|.D AXC.|.D",
                "a collapse");
}

static void what_comes_before(struct run *run)
{
    struct sim sim;
    int fd = boot(&sim, "ABCD");
    sim.size_order = SIZE_FIRST;
    room(&sim, fd, IO_ROOM_PUNCH, 0, 1);
    room(&sim, fd, IO_ROOM_INSERT, 1, 2);
    expect_disk(run, &sim, "ABCD .BCD .BCD.. .BC..D .B..CD ...BCD", "a hole before a shift");
    sim_free(&sim);
    fd = boot(&sim, "ABCD");
    sim.size_order = SIZE_LAST;
    sim.io.ftruncate(&sim, fd, 5 * page_bytes);
    room(&sim, fd, IO_ROOM_INSERT, 1, 2);
    expect_disk(run, &sim, "ABCD ABCD. ABC..|D AB..C|D A..BC|D A..BCD.", "a length before a shift");
    sim_free(&sim);
}

/* What a failed fsync has lost follows its block. */
static void lost_bytes(struct run *run)
{
    struct sim sim, next;
    struct power power;
    const struct fault_plan fails = {.kind = FAULT_ERROR, .error = EIO, .at = 1};
    int fd = boot(&sim, "ABCD");
    put(&sim, fd, 2, 'X');
    sim_set_fault(&sim, &fails);
    check_is(run, sim.io.fsync(&sim, fd), -EIO, "fsync");
    room(&sim, fd, IO_ROOM_INSERT, 1, 2);
    sim.io.fsync(&sim, fd);
    expect_disk(run, &sim, "A..BCD A..BXD", "on the disk");
    power_begin(&power, &sim);
    while (power_step(&power)) {
    }
    power_resume(&power, &next);
    expect_live(run, &next, "A..BXD", "after a kill");
    expect_disk(run, &next, "A..BCD A..BXD", "after a kill, on the disk");
    power_end(&power);
    sim_free(&next);
    sim_free(&sim);
}

/* ---- errors and kills in the middle ---- */

static void errors_in_middle(struct run *run)
{
    struct pictures live = {.n = 0}, holes = {.n = 0};
    for (unsigned i = 0; i < 400; i++) {
        struct sim sim;
        const struct fault_plan fails = {
            .kind = FAULT_SPLIT, .error = EIO, .at = 1, .only_room = true, .split = i};
        int fd = boot(&sim, "ABCD");
        sim_set_fault(&sim, &fails);
        check_is(run, room(&sim, fd, IO_ROOM_INSERT, 1, 2), -EIO, "insert");
        add(&live, &sim.live);
        char picture[PICTURE_BYTES];
        draw(&sim.live, picture);
        if (strcmp(picture, "ABC..D") == 0) {
            expect_disk(run, &sim, "ABCD ABCD.. ABC..D", "on the disk");
            sim.io.fsync(&sim, fd);
            expect_disk(run, &sim, "ABC..D", "after fsync");
        }
        sim_free(&sim);
        fd = boot(&sim, "ABCD");
        sim_set_fault(&sim, &fails);
        check_is(run, room(&sim, fd, IO_ROOM_PUNCH, 1, 2), -EIO, "punch");
        add(&holes, &sim.live);
        sim_free(&sim);
    }
    expect(run, &live, FIRST_SPLITS " " LAST_SPLITS " A..BCD", "an error in the middle");
    expect(run, &holes, "A.CD", "an error in the middle of a punch");
}

/* Kills within the last call. Some of what the killed one did was not on the disk yet. */
static void kills_in_middle(struct run *run)
{
    struct pictures live = {.n = 0};
    struct sim sim, next;
    int fd = boot(&sim, "ABCD");
    sim.size_order = SIZE_FIRST;
    room(&sim, fd, IO_ROOM_INSERT, 1, 2);
    for (unsigned i = 0; i < 400; i++) {
        struct power power;
        char picture[PICTURE_BYTES];
        power_begin(&power, &sim);
        power.splits = 1;
        power.split_seed = i;
        power_step(&power);
        check(run, power.part == 1 && power.mutation == 0, "it stops within the call");
        power_resume(&power, &next);
        add(&live, &next.live);
        draw(&next.live, picture);
        if (strcmp(picture, "ABC..D") == 0) {
            expect_disk(run, &next, "ABCD ABCD.. ABC..D", "a kill, and a power cut");
            next.io.fsync(&next, next.io.open(&next, "/f", O_RDWR, 0));
            expect_disk(run, &next, "ABC..D", "a kill, and fsync");
        }
        sim_free(&next);
        check(run, power_step(&power) && power.part == 0 && power.mutation == 1, "it comes to its end");
        power_resume(&power, &next);
        expect_live(run, &next, "A..BCD", "at the call's end");
        sim_free(&next);
        power_end(&power);
    }
    expect(run, &live, FIRST_SPLITS " A..BCD", "a kill in the middle");
    sim_free(&sim);
}

/* ---- a full disk ---- */

static uint64_t pages_free(struct sim *sim, int fd)
{
    uint64_t bytes = 0;
    sim->io.free_bytes(sim, fd, &bytes);
    return bytes / page_bytes;
}

static void full_disk(struct run *run)
{
    static const uint8_t bytes[4 * PAGE_BYTES] = {'X'};
    struct sim sim;
    int fd = boot(&sim, "ABCD");
    check_is(run, (int64_t)pages_free(&sim, fd), 1 << 28, "without a limit");
    sim.capacity_bytes = 6 * page_bytes;
    check_is(run, (int64_t)pages_free(&sim, fd), 2, "free");
    check_is(run, sim.io.pwrite(&sim, fd, bytes, sizeof bytes, 12388), 3 * 4096 - 100, "as much as fits");
    check_is(run, sim.io.pwrite(&sim, fd, bytes, sizeof bytes, 24576), -ENOSPC, "a page more");
    check_is(run, sim.io.copy_range(&sim, fd, 0, fd, 24576, 4096), -ENOSPC, "a page more, copied");
    check_is(run, sim.io.pwrite(&sim, fd, bytes, sizeof bytes, 0), sizeof bytes, "over what is there");
    check_is(run, room(&sim, fd, IO_ROOM_PUNCH, 1, 2), 0, "punch");
    check_is(run, (int64_t)pages_free(&sim, fd), 2, "free again");
    check_is(run, sim.io.copy_range(&sim, fd, 0, fd, 24576, 12288), 8192, "copies as much as fits");
    sim_free(&sim);
}

static void room_comes_late(struct run *run)
{
    struct sim sim;
    int fd = boot(&sim, "ABCD");
    int directory = sim.io.open(&sim, "/", O_RDONLY, 0);
    sim.capacity_bytes = 6 * page_bytes;
    sim.room_comes_late = true;
    room(&sim, fd, IO_ROOM_PUNCH, 1, 2);
    check_is(run, (int64_t)pages_free(&sim, fd), 2, "after a punch");
    put(&sim, fd, 1, 'N');
    check_is(run, (int64_t)pages_free(&sim, fd), 1, "written anew");
    sim.io.fsync(&sim, fd);
    check_is(run, (int64_t)pages_free(&sim, fd), 3, "after fsync");
    room(&sim, fd, IO_ROOM_INSERT, 1, 2);
    check_is(run, (int64_t)pages_free(&sim, fd), 3, "what moves takes no room");
    sim.io.ftruncate(&sim, fd, page_bytes);
    check_is(run, (int64_t)pages_free(&sim, fd), 3, "after a cut");
    sim.io.fsync(&sim, fd);
    check_is(run, (int64_t)pages_free(&sim, fd), 5, "after fsync again");
    sim.io.unlink(&sim, "/f");
    sim.io.close(&sim, fd);
    check_is(run, (int64_t)pages_free(&sim, directory), 5, "its name is gone");
    sim.io.fsync(&sim, directory);
    check_is(run, (int64_t)pages_free(&sim, directory), 6, "for good");
    sim_free(&sim);
}

/* ---- the rest ---- */

static void huge_file(struct run *run)
{
    const uint64_t size = (UINT64_C(8) << 40) - (UINT64_C(1) << 30), gap = UINT64_C(16) << 20;
    const double began = seconds_now();
    struct sim sim;
    struct tree before;
    int fd = boot(&sim, "AB");
    put(&sim, fd, size / page_bytes - 1, 'Z');
    put(&sim, fd, size / page_bytes / 2, 'M');
    sim.io.ftruncate(&sim, fd, size);
    tree_copy(&before, &sim.live);
    check_is(run, sim.io.seek(&sim, fd, 8192, SEEK_DATA), (int64_t)(size / 2 / page_bytes * page_bytes), "M");
    check_is(run, room(&sim, fd, IO_ROOM_INSERT, 1, gap / page_bytes), 0, "insert");
    check_is(run, sim.io.seek(&sim, fd, 4096, SEEK_DATA), (int64_t)(4096 + gap), "B has moved");
    check_is(run, sim.io.seek(&sim, fd, size / 2 + gap + 8192, SEEK_DATA), (int64_t)(size + gap - 4096), "Z");
    check_is(run, (int64_t)sim.live.inode[tree_find(&sim.live, "/f")].facts.size_bytes, (int64_t)(size + gap),
             "the size");
    check_is(run, room(&sim, fd, IO_ROOM_COLLAPSE, 1, gap / page_bytes), 0, "collapse");
    const uint8_t at = tree_find(&before, "/f");
    check(run, inode_same_bytes(&before.inode[at], &sim.live.inode[at], 0, size), "as it was");
    check(run, seconds_now() - began < 5, "it takes time for pages that are not there");
    tree_clear(&before);
    sim_free(&sim);
}

static void random_bytes(struct run *run)
{
    struct sim sim, twin;
    uint8_t a[16] = {0}, b[16] = {0}, c[16] = {0};
    boot(&sim, "A");
    boot(&twin, "A");
    check_is(run, sim.io.random(&sim, a, sizeof a), 0, "random");
    sim.io.random(&sim, b, sizeof b);
    twin.io.random(&twin, c, sizeof c);
    check(run, memcmp(a, b, sizeof a) != 0, "twice the same bytes");
    check(run, memcmp(a, c, sizeof a) == 0, "not to be repeated");
    sim_free(&sim);
    sim_free(&twin);
}

static void is_watched(struct run *run)
{
    static struct watch watch;
    struct sim sim;
    struct cow_io io;
    boot(&sim, "ABCD");
    io = sim.io;
    watch_begin(&watch, &io, "/none", 0, 0);
    int fd = watch.io.open(watch.io.context, "/f", O_RDWR, 0);
    check_is(run, watch.io.fallocate(watch.io.context, fd, IO_ROOM_INSERT, 4096, 8192), 0, "insert");
    watch.io.close(watch.io.context, fd);
    watch_end(&watch);
    expect_live(run, &sim, "A..BCD", "through the watcher");
    check(run,
          watch.files == 1 && watch.file[0].written && watch.file[0].before.st_size == 16384 &&
              watch.file[0].after.st_size == 24576,
          "it is noted as written");
    sim_free(&sim);
}

static const struct {
    const char *name;
    void (*test)(struct run *run);
} tests[] = {
    {"punch", punches},
    {"punch-edges", punched_edges},
    {"insert", inserts},
    {"collapse", collapses},
    {"refuse", refuses},
    {"large-blocks", large_blocks},
    {"past-end", past_end},
    {"after", orders},
    {"before", what_comes_before},
    {"lost", lost_bytes},
    {"error-in-middle", errors_in_middle},
    {"kill-in-middle", kills_in_middle},
    {"full", full_disk},
    {"room-comes-late", room_comes_late},
    {"huge", huge_file},
    {"random", random_bytes},
    {"watched", is_watched},
};

void mode_sim(struct run *run)
{
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        const struct scene scene = {.name = tests[i].name};
        const struct trial trial = {.scene = &scene};
        run->trial = &trial;
        if (run_wants(run, &scene)) {
            tests[i].test(run);
            run_scene_done(run);
        }
    }
    run_report(run, "power cuts");
}
