/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * writer: the disk is written while it is served, by random calls, and the power is cut at any of them; a
 * call fails, memory runs out, an fsync is left out. What each sector may hold is known without the writer:
 * what it held at the last flush that was answered, or what any call since has given to it. A reader of its
 * own (formats.h) tells what it holds; nothing else of any file may have changed, and undo data of before
 * must not be obeyed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/writer/writer.h"
#include "filesystem.h"
#include "memory.h"
#include "run.h"

enum { CALLS = 12, SCRIPTS = 12, STATES = CALLS + 2 };

enum kind { CALL_WRITE, CALL_ZERO, CALL_TRIM, CALL_FLUSH, CALL_FINISH };

struct call {
    enum kind kind;
    uint64_t offset, n_bytes;
    uint64_t seed;
    size_t begin, end; /* which calls of the machine it took */
};

/* A kind of image, and of machine. */
struct plot {
    struct scene scene;
    bool has_undo;    /* the image was grown before, and can be undone */
    bool guest_first; /* wrote a sector, and flushed nothing */
    size_t pieces_max;
};

#define IMAGE_SIZE (1003 * 512)

static const struct plot plots[] = {
    {.scene = {.name = "plain", .spec = {.form = FORM_V3, .alignment = 4096, .pattern = PATTERN_RANDOM}}},
    {.scene = {.name = "orphans",
               .spec = {.form = FORM_V3, .alignment = 512, .pattern = PATTERN_RUNS, .garbage = true}}},
    {.scene = {.name = "odd-end",
               .spec = {.form = FORM_V3, .size_bytes = 203 * 512 - 77, .alignment = 4096, .garbage = true}}},
    {.scene =
         {.name = "short-file",
          .spec = {.form = FORM_V3, .pattern = PATTERN_EDGES, .short_file = true, .short_backing = true}}},
    {.scene = {.name = "no-punch",
               .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true},
               .no_punch = true}},
    {.scene = {.name = "little-memory", .spec = {.form = FORM_V3, .alignment = 4096, .garbage = true}},
     .pieces_max = 1},
    {.scene = {.name = "undo", .spec = {.form = FORM_V3, .alignment = 4096}}, .has_undo = true},
    {.scene = {.name = "undo-coarse", .spec = {.form = FORM_V3, .alignment = 32, .device = {.granule_s = 2}}},
     .has_undo = true},
    {.scene = {.name = "guest-first", .spec = {.form = FORM_V3, .alignment = 4096, .pattern = PATTERN_ALL}},
     .guest_first = true},
    {.scene =
         {.name = "filesystem",
          .spec = {.form = FORM_V3, .size_bytes = 1024 * 1024, .alignment = 4096, .ext_block_bytes = 1024}}},
};
enum { PLOTS = sizeof plots / sizeof plots[0] };

/* What happened, and what the disk was meant to show. */
struct story {
    struct run *run;
    const struct plot *plot;
    struct sim sim;
    struct tree before; /* when the session began: all of it durable, but for a guest's write */
    struct call call[CALLS];
    unsigned n;                /* calls that were begun */
    struct disk shown[STATES]; /* [i]: before call i; all of one size */
    unsigned n_shown;
    unsigned first; /* the state that is durable at the beginning */
    struct view view;
    bool only_writes; /* no zeros, and no flush without something to flush: each fsync counts */
    uint64_t kept_at; /* of a filesystem: a file that is written into, and nothing else; 0: none */
    bool torn;        /* a write may end within a sector */
    unsigned rare;    /* one call of the machine in so many is followed by crashes */
    int status;       /* of the last call */
    struct cow_error err;
};

static unsigned long
    told_by_check; /* how often something was to be completed in a filesystem, and check said so */

/* ---- the disk, as it is meant ---- */

static struct disk *add_state(struct story *s)
{
    memory_require(s->n_shown < STATES, "too many states");
    s->shown[s->n_shown] = disk_copy(&s->shown[s->n_shown - 1]);
    return &s->shown[s->n_shown++];
}

static void put_bytes(struct disk *disk, const struct call *call, uint64_t begin, uint64_t end, bool zeros)
{
    uint8_t bytes[SECTOR_BYTES];
    for (uint64_t at = begin; at < end; at += sizeof bytes) {
        const size_t n = end - at < sizeof bytes ? (size_t)(end - at) : sizeof bytes;
        for (size_t i = 0; i < n; i++) {
            bytes[i] = zeros ? 0 : (uint8_t)rng_mix(call->seed, at + i);
        }
        inode_write(&disk->file, at, bytes, n);
    }
}

static void expect(struct story *s, const struct call *call)
{
    struct disk *disk = add_state(s);
    const uint64_t end = call->offset + call->n_bytes;
    if (call->kind == CALL_WRITE || call->kind == CALL_ZERO) {
        put_bytes(disk, call, call->offset, end, call->kind == CALL_ZERO);
    } else if (call->kind == CALL_TRIM) {
        const uint64_t first = (call->offset + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
        put_bytes(disk, call, first, end == disk->file.facts.size_bytes ? end : end / PAGE_BYTES * PAGE_BYTES,
                  true);
    }
}

/* ---- telling ---- */

__attribute__((format(printf, 2, 3))) static void violation(struct story *s, const char *format, ...)
{
    char words[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    run_violation(s->run, "%s", words);
    for (unsigned i = 0; i < s->n && s->run->verbose && !s->run->quiet; i++) {
        static const char *const names[] = {"write", "zero", "trim", "flush", "finish"};
        printf("  %u: %s %llu+%llu: calls %zu to %zu\n", i, names[s->call[i].kind],
               (unsigned long long)s->call[i].offset, (unsigned long long)s->call[i].n_bytes,
               s->call[i].begin, s->call[i].end);
    }
}

/* ---- judging ---- */

/* Is the sector at `at` what one of the states has there? */
static bool is_one_of(const struct story *s, const uint8_t *sector, uint64_t at, size_t n_bytes,
                      unsigned first, unsigned last)
{
    uint8_t bytes[SECTOR_BYTES];
    for (unsigned i = last + 1; i-- > first;) {
        inode_read(&s->shown[i].file, at, bytes, n_bytes);
        if (memcmp(bytes, sector, n_bytes) == 0) {
            return true;
        }
    }
    return false;
}

/* ... or, where a write may have ended within it, each of its bytes. */
static bool is_mix(const struct story *s, const uint8_t *sector, uint64_t at, size_t n_bytes, unsigned first,
                   unsigned last)
{
    for (size_t i = 0; i < n_bytes; i++) {
        if (!is_one_of(s, sector + i, at + i, 1, first, last)) {
            return false;
        }
    }
    return s->torn;
}

/* Is a page dirty in part? It has a byte of the bitmap. */
static bool is_mixed(const struct view *view, const struct inode *image)
{
    for (uint64_t page = 0; page * 8 < view->shape.sectors; page++) {
        const uint64_t left = view->shape.sectors - page * 8;
        const uint8_t all = (uint8_t)(left < 8 ? (1u << left) - 1 : 0xff);
        uint8_t bits;
        inode_read(image, view->shape.bitmap_offset + page, &bits, 1);
        if ((bits & all) != 0 && (bits & all) != all) {
            return true;
        }
    }
    return false;
}

static bool judge_disk(struct story *s, const struct inode *disk, unsigned first, unsigned last,
                       const char *when)
{
    const uint64_t size_bytes = disk->facts.size_bytes;
    uint8_t bytes[SECTOR_BYTES];
    for (uint64_t at = 0; at < size_bytes; at += sizeof bytes) {
        const size_t n = size_bytes - at < sizeof bytes ? (size_t)(size_bytes - at) : sizeof bytes;
        inode_read(disk, at, bytes, n);
        if (!is_one_of(s, bytes, at, n, first, last) && !is_mix(s, bytes, at, n, first, last)) {
            violation(s, "%s: sector %llu is none of the states %u to %u", when,
                      (unsigned long long)(at / SECTOR_BYTES), first, last);
            return false;
        }
    }
    return true;
}

static const struct inode *file_of(const struct tree *tree, const char *path)
{
    return &tree->inode[tree_find(tree, path)];
}

/* All files but the image are as they were; of the image the header is. */
static bool judge_rest(struct story *s, const struct tree *tree, const char *when)
{
    const struct inode *image = file_of(tree, IMAGE_PATH), *old = file_of(&s->before, IMAGE_PATH);
    bool good = tree->n_entries == s->before.n_entries &&
                inode_same_bytes(image, old, 0, s->view.shape.bitmap_offset);
    for (unsigned i = 0; good && i < tree->n_entries; i++) {
        const struct entry *entry = &tree->entry[i];
        const struct inode *is = &tree->inode[entry->target];
        const uint8_t was = tree_lookup(&s->before, entry->directory, entry->name);
        good = was != NO_INODE && (is->kind != INODE_FILE || is == image ||
                                   (facts_same(&is->facts, &s->before.inode[was].facts) &&
                                    inode_same_bytes(is, &s->before.inode[was], 0, is->facts.size_bytes)));
    }
    if (!good) {
        violation(s, "%s: something else was written", when);
    }
    return good;
}

static bool judge_tree(struct story *s, const struct tree *tree, unsigned first, unsigned last, bool finished,
                       const char *when)
{
    struct view view;
    const struct inode *image = file_of(tree, IMAGE_PATH);
    if (!judge_rest(s, tree, when)) {
        return false;
    }
    if (!view_as(&view, image, FORM_V3) || view.marked) {
        violation(s, "%s: no image", when);
        return false;
    }
    if (finished && is_mixed(&view, image)) {
        violation(s, "%s: a page is dirty in part, and the session has ended", when);
        return false;
    }
    struct inode disk = view_compose(&view, image, file_of(tree, view.path));
    const bool good = judge_disk(s, &disk, first, last, when);
    inode_forget(&disk);
    return good;
}

/* ---- the session ---- */

static void make_call(struct story *s, struct call *call, unsigned i, struct rng *rng)
{
    const uint64_t size_bytes = s->shown[0].file.facts.size_bytes;
    *call = (struct call){.kind = (enum kind)rng_below(rng, 4), .seed = rng_next(rng)};
    call->kind = i == CALLS - 1 ? CALL_FINISH : call->kind;
    if (s->only_writes && call->kind != CALL_FINISH) {
        const bool waits = i > 0 && s->call[i - 1].kind == CALL_WRITE;
        call->kind = call->kind == CALL_FLUSH && waits ? CALL_FLUSH : CALL_WRITE;
    }
    call->offset = rng_below(rng, size_bytes);
    call->n_bytes = rng_below(rng, rng_below(rng, 3) == 0 ? 40000 : 6000);
    if (rng_below(rng, 3) == 0) {
        call->offset = call->offset / PAGE_BYTES * PAGE_BYTES;
        call->n_bytes = (call->n_bytes / PAGE_BYTES + 1) * PAGE_BYTES;
    }
    if (rng_below(rng, 8) == 0) {
        call->n_bytes = size_bytes;
    }
    if (s->kept_at != 0) { /* whole pages of the disk, which are not those of the file */
        call->offset = (s->kept_at / PAGE_BYTES - 2 + rng_below(rng, 8)) * PAGE_BYTES;
        call->n_bytes = 1 + rng_below(rng, 2 * PAGE_BYTES);
    }
    call->n_bytes = call->n_bytes < size_bytes - call->offset ? call->n_bytes : size_bytes - call->offset;
}

static int write_bytes(struct cow_writer *w, const struct call *call, struct cow_error *err)
{
    uint8_t *bytes = memory_get((size_t)call->n_bytes + 1);
    for (uint64_t i = 0; i < call->n_bytes; i++) {
        bytes[i] = (uint8_t)rng_mix(call->seed, call->offset + i);
    }
    int status = cow_writer_write(w, call->offset, bytes, (size_t)call->n_bytes, err);
    memory_free(bytes);
    return status;
}

static int do_call(struct cow_writer *w, const struct call *call, struct cow_error *err)
{
    switch (call->kind) {
    case CALL_WRITE:
        return write_bytes(w, call, err);
    case CALL_ZERO:
        return cow_writer_zero(w, call->offset, call->n_bytes, err);
    case CALL_TRIM:
        return cow_writer_trim(w, call->offset, call->n_bytes, err);
    case CALL_FLUSH:
        return cow_writer_flush(w, err);
    default:
        return cow_writer_finish(w, NULL, err);
    }
}

/* After a flush that failed nothing is answered with success any more. */
static void must_stick(struct story *s, struct cow_writer *w)
{
    const uint8_t byte = 1;
    struct cow_error err;
    if (w->failed.status != 0 &&
        (cow_writer_write(w, 0, &byte, 1, &err) == 0 || cow_writer_flush(w, &err) == 0 ||
         cow_writer_zero(w, 0, 1 << 16, &err) == 0 || cow_writer_finish(w, NULL, &err) == 0)) {
        violation(s, "a flush has failed, and what comes after it succeeds");
    }
}

static void must_read(struct story *s, struct cow_writer *w)
{
    struct disk *meant = &s->shown[s->n_shown - 1];
    const size_t size_bytes = (size_t)meant->file.facts.size_bytes;
    uint8_t *is = memory_get(size_bytes), *wanted = memory_get(size_bytes);
    struct cow_error err;
    inode_read(&meant->file, 0, wanted, size_bytes);
    if (cow_writer_read(w, 0, is, size_bytes, &err) != 0) {
        violation(s, "it cannot be read: %s", err.message);
    } else if (memcmp(is, wanted, size_bytes) != 0) {
        violation(s, "it reads another disk than was written");
    }
    memory_free(is);
    memory_free(wanted);
}

static void play(struct story *s, struct cow_writer *w, bool looks)
{
    struct rng rng = {s->run->place.sample[0] + UINT64_C(977) * s->run->seed};
    while (s->n < CALLS && s->status == 0) {
        struct call *call = &s->call[s->n];
        make_call(s, call, s->n, &rng);
        expect(s, call);
        s->n++;
        call->begin = s->sim.n_mutations;
        s->status = do_call(w, call, &s->err);
        call->end = s->sim.n_mutations;
    }
    if (s->status == 0 && looks) {
        must_read(s, w);
    }
    must_stick(s, w);
}

/* A sector of the image, as a guest writes it: no flush. */
static void guest_writes(struct story *s)
{
    const struct call call = {
        .kind = CALL_WRITE, .offset = 16 * SECTOR_BYTES, .n_bytes = SECTOR_BYTES, .seed = 3};
    uint8_t bytes[SECTOR_BYTES];
    expect(s, &call);
    inode_read(&s->shown[1].file, call.offset, bytes, sizeof bytes);
    const struct cow_io *io = &s->sim.io;
    const int fd = io->open(io->context, IMAGE_PATH, O_RDWR, 0);
    memory_require(io->pwrite(io->context, fd, bytes, sizeof bytes,
                              s->view.shape.data_offset + call.offset) == SECTOR_BYTES,
                   "the guest's write");
    io->close(io->context, fd);
}

/* An image that has nothing of its own: then all that is missing later is the session's. */
static struct disk empty_image(struct tree *tree)
{
    struct view view;
    struct inode *image = &tree->inode[tree_find(tree, IMAGE_PATH)];
    memory_require(view_as(&view, image, FORM_V3), "the image of a filesystem");
    for (uint64_t i = 0; i < view.shape.bitmap_bytes; i++) {
        inode_write(image, view.shape.bitmap_offset + i, "", 1);
    }
    return (struct disk){.file = view_compose(&view, image, file_of(tree, view.path))};
}

/* The machine, and the disk, before the session. */
static void begin_story(struct story *s, struct run *run, const struct plot *plot)
{
    static const struct action grow = {.verb = VERB_EXTEND, .sectors = 231};
    struct tree tree;
    memset(s, 0, sizeof *s);
    s->run = run;
    s->plot = plot;
    struct disk disk = model_build(&tree, &plot->scene.spec);
    if (plot->scene.spec.ext_block_bytes != 0) {
        disk_free(&disk);
        disk = empty_image(&tree);
    }
    sim_boot(&s->sim, &tree);
    scene_equip(&plot->scene, &s->sim);
    s->shown[0] = plot->has_undo ? disk_resized(&disk, grow.sectors * SECTOR_BYTES) : disk_copy(&disk);
    disk_free(&disk);
    s->n_shown = 1;
    if (plot->has_undo) {
        memory_require(action_run(&s->sim, &grow, NULL, &s->err) == 0, "the image cannot be grown");
        sim_settle(&s->sim);
    }
    memory_require(view_as(&s->view, file_of(&s->sim.live, IMAGE_PATH), FORM_V3), "the image of a plot");
    s->torn =
        s->view.shape.data_offset % SECTOR_BYTES != 0; /* a sector of the disk lies in two of the file's */
    if (plot->scene.spec.ext_block_bytes != 0) {
        struct filesystem filesystem;
        filesystem_make(&filesystem, plot->scene.spec.ext_block_bytes, plot->scene.spec.size_bytes);
        s->kept_at = filesystem.kept_at;
        s->only_writes = true;
        filesystem_free(&filesystem);
    }
    tree_copy(&s->before, &s->sim.live);
    if (plot->guest_first) {
        guest_writes(s);
    }
}

static void end_story(struct story *s)
{
    for (unsigned i = 0; i < s->n_shown; i++) {
        disk_free(&s->shown[i]);
    }
    tree_clear(&s->before);
    sim_free(&s->sim);
}

static void session(struct story *s, bool looks)
{
    const struct cow_writer_options options = {.io = &s->sim.io, .held_fd = -1};
    struct cow_writer *w = NULL;
    s->status = cow_writer_open(&w, IMAGE_PATH, &options, &s->err);
    if (s->status == 0) {
        w->pieces_max = s->plot->pieces_max != 0 ? s->plot->pieces_max : w->pieces_max;
        play(s, w, looks);
    }
    cow_writer_close(w);
    if (sim_open_files(&s->sim) > 0) {
        violation(s, "%u files are still open", sim_open_files(&s->sim));
    }
}

/* ---- power cuts ---- */

/* Which states are possible behind so many calls of the machine: the last flush that was answered, and all
 * that was begun since. failed: the last call has; it was no flush that counts. */
static void possible(const struct story *s, size_t mutation, unsigned *first, unsigned *last, bool *flushed)
{
    const unsigned shift = s->plot->guest_first;
    *first = 0;
    *last = s->n == 0 || mutation > 0 ? shift : 0;
    *flushed = false;
    bool wrote = false;
    for (unsigned i = 0; i < s->n; i++) {
        const struct call *call = &s->call[i];
        const bool answered = call->end <= mutation && (i + 1 < s->n || s->status == 0);
        if (call->kind >= CALL_FLUSH && answered) {
            *first = i + shift + 1;
            *flushed = wrote;
        }
        wrote |= call->kind == CALL_WRITE && call->n_bytes > 0;
        if (call->begin < mutation || answered) {
            *last = i + shift + 1;
        }
    }
    *last = *last < *first ? *first : *last;
}

/* What was served and flushed must not be lost by going back. */
static void must_not_undo(struct story *s, struct sim *machine)
{
    static const struct action undo = {.verb = VERB_UNDO};
    struct cow_error err;
    int status = action_run(machine, &undo, NULL, &err);
    if (status != COW_REFUSED) {
        violation(s, "undo answers %d (%s), and what was flushed is lost", status, err.message);
    }
}

/* What check says of pages that are dirty in part, or read in one piece with others. */
static bool check_tells(struct story *s, struct sim *machine)
{
    const struct cow_check_options options = {.io = &machine->io};
    struct cow_check check;
    struct cow_error err;
    bool told = false;
    if (cow_check(&check, IMAGE_PATH, &options, &err) != 0) {
        violation(s, "check: %s", err.message);
        return false;
    }
    for (size_t i = 0; i < check.findings; i++) {
        told |= check.finding[i].code == COW_FINDING_MIXED_PAGES;
    }
    return told;
}

/* Whether `pages` has something to complete. */
static bool pages_has_work(struct story *s, struct sim *machine)
{
    static const struct action pages = {.verb = VERB_PAGES};
    struct cow_plan *plan = NULL;
    struct cow_image *img = NULL;
    struct cow_error err;
    int status = action_plan(&plan, &img, machine, &pages, NULL, &err);
    if (status != 0) {
        violation(s, "pages: %s", err.message);
    }
    const bool has = status == 0 && cow_plan_preview(plan)->method != COW_METHOD_NONE;
    cow_plan_free(plan);
    cow_image_close(img);
    return has;
}

/* Something is missing, say both, or neither does. */
static bool is_incomplete(struct story *s, struct sim *machine)
{
    const bool told = check_tells(s, machine), has_work = pages_has_work(s, machine);
    if (told != has_work) {
        violation(s, "check finds %s mixed pages, and pages has %s to complete", told ? "some" : "no",
                  has_work ? "some" : "none");
    }
    told_by_check += told;
    return told;
}

/* A session on what the crash left: it reads what is there, and leaves whole pages that read the same. */
static void must_go_on(struct story *s, struct sim *machine, const struct tree *crashed)
{
    const struct cow_writer_options options = {.io = &machine->io, .held_fd = -1};
    struct cow_writer *w = NULL;
    struct cow_error err;
    struct cow_image *img = NULL;
    const struct cow_open_options looking = {.io = &machine->io};
    struct view view;
    uint64_t mixed = 0;
    if (s->kept_at != 0) {
        (void)is_incomplete(s, machine);
    }
    if (cow_writer_open(&w, IMAGE_PATH, &options, &err) != 0 || cow_writer_finish(w, NULL, &err) != 0) {
        violation(s, "the next session: %s", err.message);
    }
    cow_writer_close(w);
    memory_require(view_as(&view, file_of(crashed, IMAGE_PATH), FORM_V3), "an image that was judged");
    struct inode was = view_compose(&view, file_of(crashed, IMAGE_PATH), file_of(crashed, view.path));
    if (!view_shows(&view, file_of(&machine->live, IMAGE_PATH), file_of(&machine->live, view.path), &was)) {
        violation(s, "the end of the next session has changed what the disk shows");
    }
    inode_forget(&was);
    if (cow_image_open(&img, IMAGE_PATH, &looking, &err) != 0 ||
        image_count_mixed(img, &mixed, NULL, &err) != 0 || mixed != 0) {
        violation(s, "%llu mixed pages are left", (unsigned long long)mixed);
    }
    cow_image_close(img);
    if (s->kept_at != 0 && is_incomplete(s, machine)) {
        violation(s, "the session has ended, and check finds mixed pages");
    }
}

static void survive(struct story *s, const struct power *power, struct tree *tree, uint64_t seed)
{
    unsigned first, last;
    bool flushed;
    s->run->states++;
    possible(s, power->mutation, &first, &last, &flushed);
    const bool finished = s->status == 0 && s->n == CALLS && power->mutation >= s->call[CALLS - 1].end;
    if (judge_tree(s, tree, first, last, finished, "after a power cut") &&
        ((flushed && s->plot->has_undo) || (s->kept_at != 0 || rng_mix(seed, 1) % 8 == 0))) {
        struct sim machine;
        struct tree copy;
        tree_copy(&copy, tree);
        sim_boot(&machine, &copy);
        scene_equip(&s->plot->scene, &machine);
        if (flushed && s->plot->has_undo) {
            must_not_undo(s, &machine);
        } else {
            must_go_on(s, &machine, tree);
        }
        sim_free(&machine);
    }
    tree_clear(tree);
}

/* Crashes behind each call of the machine. */
static void cut_power(struct story *s, unsigned samples, uint64_t seed)
{
    struct power power;
    power_begin(&power, &s->sim);
    do {
        s->run->place.call[1] = power.mutation;
        const bool at_end = power.mutation == s->sim.n_mutations;
        const bool skipped = !at_end && s->rare > 1 && rng_mix(seed, power.mutation) % s->rare != 0;
        for (unsigned i = 0; i < samples && !skipped; i++) {
            struct tree tree;
            uint64_t print;
            struct rng rng = {rng_mix(rng_mix(seed, power.mutation), i)};
            const enum strategy strategy = (enum strategy)((power.mutation + i) % POWER_STRATEGIES);
            power_sample(&power, strategy, &rng, false, &tree, &print);
            survive(s, &power, &tree, rng_mix(seed, i));
        }
    } while ((s->run->violations == 0 || !s->run->quiet) && power_step(&power));
    power_end(&power);
}

/* A story with this fault, and all that a crash could leave of it. Answers whether the fault struck. */
static bool tell_story(struct run *run, const struct plot *plot, const struct fault_plan *fault,
                       unsigned samples, uint64_t seed)
{
    struct story s;
    begin_story(&s, run, plot);
    const struct fault_plan none = {.kind = FAULT_NONE};
    s.rare = fault != NULL && fault->kind != FAULT_NONE ? 12 : plot->scene.spec.ext_block_bytes != 0 ? 8 : 1;
    s.torn |= fault != NULL && fault->kind == FAULT_SHORT;
    s.only_writes |= fault != NULL && fault->skip_sync != 0;
    sim_set_fault(&s.sim, fault != NULL ? fault : &none);
    session(&s, fault == NULL);
    const bool struck = s.sim.struck != NULL || s.sim.skipped[0] != '\0';
    if (fault == NULL && s.status != 0) {
        violation(&s, "it fails without a reason: %s", s.err.message);
    }
    if (s.status != 0 && (s.err.status != s.status || s.err.message[0] == '\0')) {
        violation(&s, "it fails without words");
    }
    cut_power(&s, samples, seed);
    end_story(&s);
    return struck;
}

/* ---- the kinds of mishaps ---- */

static void begin_case(struct run *run, struct trial *trial, struct scene *scene, const struct plot *plot,
                       const char *kind, char name[64])
{
    snprintf(name, 64, "%s-%s", kind, plot->scene.name);
    *scene = plot->scene;
    scene->name = name;
    memset(trial, 0, sizeof *trial);
    trial->scene = scene;
    run->trial = trial;
}

static void power_case(struct run *run, const struct plot *plot, unsigned long quota)
{
    const unsigned long begun = run->states;
    for (unsigned script = 0; script < SCRIPTS || run->states - begun < quota; script++) {
        run->place.depth = 2;
        run->place.sample[0] = script;
        tell_story(run, plot, NULL, 4, rng_mix(run->seed, script));
    }
    if (plot->scene.spec.ext_block_bytes != 0 && told_by_check == 0) {
        run_violation(run, "check has never told of what the end of a session completes");
    }
}

static void fault_case(struct run *run, const struct plot *plot, unsigned long quota)
{
    static const struct fault_plan plans[] = {
        {.kind = FAULT_ERROR, .error = EIO},
        {.kind = FAULT_ERROR, .error = EIO, .for_ever = true},
        {.kind = FAULT_ERROR, .error = ENOSPC, .only_mutations = true},
        {.kind = FAULT_ERROR, .error = ENOSPC, .for_ever = true, .only_mutations = true},
        {.kind = FAULT_LATE, .error = EIO, .only_mutations = true},
        {.kind = FAULT_ERROR, .error = EINTR, .only_transfers = true},
        {.kind = FAULT_SHORT, .only_transfers = true, .for_ever = true},
    };
    const unsigned long begun = run->states;
    for (unsigned script = 0; script == 0 || run->states - begun < quota; script++) {
        for (size_t p = 0; p < sizeof plans / sizeof plans[0]; p++) {
            struct fault_plan plan = plans[p];
            run->place.depth = 2;
            run->place.sample[0] = script;
            for (plan.at = 1 + rng_mix(run->seed, script) % 4; plan.at < 4000; plan.at += 4 + plan.at / 8) {
                snprintf(run->what, sizeof run->what, "call %lu, fault %zu: ", plan.at, p);
                if (!tell_story(run, plot, &plan, 1, rng_mix(run->seed, plan.at))) {
                    break;
                }
            }
        }
    }
    run->what[0] = '\0';
}

static void memory_case(struct run *run, const struct plot *plot)
{
    const unsigned script = (unsigned)(rng_mix(run->seed, 5) % SCRIPTS);
    for (unsigned long at = 0, n = 0; at <= n; at += 1 + at / 16) { /* 0: none fails, for their number */
        struct story s;
        size_t lost;
        run->place.depth = 2;
        run->place.sample[0] = script;
        begin_story(&s, run, plot);
        s.rare = 12;
        memory_watch(at, at % 2 == 1);
        session(&s, false);
        const unsigned long made = memory_unwatch(&lost);
        n = at == 0 ? made : n;
        if (lost > 0) {
            violation(&s, "%zu allocations are lost", lost);
        }
        cut_power(&s, 1, at);
        end_story(&s);
    }
}

/* Each flush of a script left out: a crash must show it. Always of the same scripts: another one may flush
 * where nothing is at stake. */
static void fsync_case(struct run *run, const struct plot *plot)
{
    const uint64_t seed = run->seed;
    unsigned long of_session = 0;
    run->seed = 1;
    for (unsigned script = 0; script < 3; script++) {
        /* The first one is for the date, which undo goes by. */
        for (unsigned long at = plot->has_undo ? 1 : 2; at < 100; at++) {
            const struct fault_plan plan = {.skip_sync = at};
            const unsigned long before = run->violations;
            bool struck = true;
            run->place.depth = 2;
            run->place.sample[0] = script;
            run->quiet = true;
            run->violations = 0;
            for (unsigned round = 0; round < 40 && struck && run->violations == 0; round++) {
                struck = tell_story(run, plot, &plan, 10, rng_mix(run->seed, at * 64 + round));
            }
            const bool missed = run->violations > 0;
            run->quiet = false;
            run->violations = before;
            if (!struck) {
                break;
            }
            run->missed += missed;
            of_session++;
            if (!missed) {
                run_violation(run, "flush %lu can be left out, and nothing shows it", at);
            }
        }
    }
    run->seed = seed;
    memory_require(of_session > 5, "scripts that flush");
}

void mode_writer(struct run *run)
{
    static const char *const kinds[] = {"power", "fault", "memory", "fsyncs"};
    const unsigned long quota = run->wanted / (2 * PLOTS) + 1;
    for (size_t i = 0; i < 4 * PLOTS && !run_time_is_up(run); i++) {
        const struct plot *plot = &plots[i / 4];
        struct trial trial;
        struct scene scene;
        char name[64];
        begin_case(run, &trial, &scene, plot, kinds[i % 4], name);
        /* What fsyncs do has nothing to do with what is on the disk. */
        if (!run_wants(run, &scene) || (i % 4 == 3 && scene.spec.ext_block_bytes != 0)) {
            continue;
        }
        switch (i % 4) {
        case 0:
            power_case(run, plot, quota);
            break;
        case 1:
            fault_case(run, plot, quota);
            break;
        case 2:
            memory_case(run, plot);
            break;
        default:
            fsync_case(run, plot);
        }
        run_scene_done(run);
    }
    run_report(run, "states of a writer's disk");
}
