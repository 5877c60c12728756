/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See power.h.
 */
#include "power.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"

/* ---- the walk ---- */

static const struct item *item_of(const struct power *power, const struct waiting *w)
{
    return w->item == POWER_CUT_OFF ? &power->cut_off : &power->sim->item[w->item];
}

static void apply_entry(struct tree *tree, const struct item *item)
{
    for (unsigned i = 0; i < 2 && item->name[i].name[0] != '\0'; i++) {
        tree_set_entry(tree, item->inode, item->name[i].name, item->name[i].target);
    }
}

static void apply_facts(struct inode *inode, const struct item *item)
{
    if (item->truncates) {
        inode_cut(inode, item->facts.size_bytes);
        inode->has_past = false;
    }
    inode->facts = item->facts;
}

/* sector: of ITEM_SECTOR, where it goes. */
static void apply_at(struct tree *tree, const struct sim *sim, const struct item *item, uint64_t sector)
{
    struct inode *inode = &tree->inode[item->inode];
    if (item->kind != ITEM_ENTRY && inode->kind == INODE_FREE) { /* it was made since the log began */
        inode->kind = INODE_FILE;
        inode->number = sim->live.inode[item->inode].number;
        inode->device = sim->live.inode[item->inode].device;
    }
    switch (item->kind) {
    case ITEM_ENTRY:
        apply_entry(tree, item);
        break;
    case ITEM_SECTOR:
        inode_put_sector(inode, sector, item->data.page, item->data.block);
        break;
    case ITEM_HOLE:
        inode_drop(inode, item->hole, item->hole + PAGE_BYTES);
        break;
    case ITEM_SHIFT:
        shift_apply(inode, &item->shift);
        break;
    default:
        apply_facts(inode, item);
        break;
    }
}

static void apply(struct tree *tree, const struct power *power, const struct waiting *w)
{
    apply_at(tree, power->sim, item_of(power, w), w->sector);
}

/* A name may be durable before its inode is: then the file is empty. */
static void give_inodes(struct tree *tree, const struct sim *sim)
{
    for (unsigned i = 0; i < tree->n_entries; i++) {
        struct inode *inode = &tree->inode[tree->entry[i].target];
        if (inode->kind == INODE_FREE) {
            *inode = (struct inode){.kind = INODE_FILE,
                                    .number = sim->live.inode[tree->entry[i].target].number,
                                    .device = sim->live.inode[tree->entry[i].target].device,
                                    .facts = {.mode = 0600, .mtime = {.tv_sec = 1}}};
        }
    }
}

void power_begin(struct power *power, const struct sim *sim)
{
    memset(power, 0, sizeof *power);
    power->sim = sim;
    tree_copy(&power->durable, &sim->base);
}

void power_end(struct power *power)
{
    tree_clear(&power->durable);
    memory_free(power->waiting);
}

/* A shift has become durable: what a failed fsync has lost belongs where its block lies now. */
static void follow_blocks(struct power *power, uint8_t inode)
{
    size_t left = 0;
    for (size_t i = 0; i < power->n_waiting; i++) {
        struct waiting w = power->waiting[i];
        const struct item *item = item_of(power, &w);
        if (item->inode == inode && w.lost) {
            const uint64_t at = inode_find_block(&power->durable.inode[inode], item->data.block);
            if (at == UINT64_MAX) {
                continue; /* it never had a block that is durable, or has it no more */
            }
            w.sector = at / SECTOR_BYTES + w.sector % (PAGE_BYTES / SECTOR_BYTES);
        }
        power->waiting[left++] = w;
    }
    power->n_waiting = left;
}

static void sync_inode(struct power *power, uint8_t inode)
{
    size_t left = 0;
    bool moved = false;
    for (size_t i = 0; i < power->n_waiting; i++) {
        struct waiting w = power->waiting[i];
        const struct item *item = item_of(power, &w);
        if (item->inode == inode && !w.lost) {
            apply(&power->durable, power, &w);
            moved |= item->kind == ITEM_SHIFT;
        } else {
            power->waiting[left++] = w;
        }
    }
    power->n_waiting = left;
    if (moved) {
        follow_blocks(power, inode);
    }
}

static bool is_over(const struct item *newer, const struct item *lost, uint64_t sector)
{
    const unsigned in_page = PAGE_BYTES / SECTOR_BYTES;
    switch (newer->kind) {
    case ITEM_SECTOR:
        return newer->data.sector == sector ||
               (newer->data.block == lost->data.block && newer->data.sector % in_page == sector % in_page);
    case ITEM_HOLE:
        return newer->hole == sector / in_page * PAGE_BYTES;
    case ITEM_FACTS:
        return newer->truncates && newer->facts.size_bytes <= sector * SECTOR_BYTES;
    default:
        return false;
    }
}

/* What a failed fsync lost cannot come back over something newer that is durable. */
static bool superseded(const struct power *power, const struct waiting *w)
{
    const struct item *lost = item_of(power, w);
    for (size_t i = w->item + 1; i < power->next_item; i++) {
        const struct item *newer = &power->sim->item[i];
        if (newer->inode == lost->inode && is_over(newer, lost, w->sector)) {
            return true;
        }
    }
    return false;
}

static void drop_superseded(struct power *power, uint8_t inode)
{
    size_t left = 0;
    for (size_t i = 0; i < power->n_waiting; i++) {
        struct waiting w = power->waiting[i];
        if (!w.lost || item_of(power, &w)->inode != inode || !superseded(power, &w)) {
            power->waiting[left++] = w;
        }
    }
    power->n_waiting = left;
}

static void lose_sectors(struct power *power, uint8_t inode)
{
    for (size_t i = 0; i < power->n_waiting; i++) {
        const struct item *item = item_of(power, &power->waiting[i]);
        power->waiting[i].lost |= item->inode == inode && item->kind == ITEM_SECTOR;
    }
}

static void add_waiting(struct power *power, struct waiting w)
{
    if (power->n_waiting == power->room) {
        power->room = power->room * 2 + 64;
        power->waiting = memory_resize(power->waiting, power->room * sizeof *power->waiting);
    }
    power->waiting[power->n_waiting++] = w;
}

static void take_item(struct power *power, const struct item *item)
{
    if (item->kind == ITEM_SYNC) {
        sync_inode(power, item->inode);
        drop_superseded(power, item->inode);
    } else if (item->kind == ITEM_LOSE) {
        lose_sectors(power, item->inode);
    } else {
        add_waiting(power, (struct waiting){.item = (uint32_t)power->next_item,
                                            .sector = item->kind == ITEM_SECTOR ? item->data.sector : 0});
    }
}

/* ---- stops within a call ---- */

static bool is_next(const struct power *power, size_t item)
{
    return item < power->sim->n_items && power->sim->item[item].mutation == power->mutation;
}

bool power_shifts_next(const struct power *power)
{
    for (size_t i = power->next_item; is_next(power, i); i++) {
        if (power->sim->item[i].kind == ITEM_SHIFT) {
            return true;
        }
    }
    return false;
}

/* What comes before the shift, and some of its steps. */
static void stop_within(struct power *power)
{
    struct tree tree;
    struct rng rng = {rng_mix(rng_mix(power->split_seed, power->mutation), power->part)};
    power->part_item = power->next_item;
    power->part_n_waiting = power->n_waiting;
    for (; power->sim->item[power->next_item].kind != ITEM_SHIFT; power->next_item++) {
        take_item(power, &power->sim->item[power->next_item]);
    }
    power->cut_off = power->sim->item[power->next_item];
    tree_copy(&tree, &power->durable);
    for (size_t i = 0; i < power->n_waiting; i++) {
        apply(&tree, power, &power->waiting[i]);
    }
    shift_cut_off(&power->cut_off.shift, &tree.inode[power->cut_off.inode], &rng);
    tree_clear(&tree);
    add_waiting(power, (struct waiting){.item = POWER_CUT_OFF});
}

bool power_step(struct power *power)
{
    const struct sim *sim = power->sim;
    if (power->mutation == sim->n_mutations) {
        return false;
    }
    if (power->part > 0) {
        power->next_item = power->part_item;
        power->n_waiting = power->part_n_waiting;
    }
    if (power->part < power->splits && power_shifts_next(power)) {
        power->part++;
        stop_within(power);
        return true;
    }
    for (; is_next(power, power->next_item); power->next_item++) {
        take_item(power, &sim->item[power->next_item]);
    }
    power->part = 0;
    power->mutation++;
    return true;
}

/* ---- choosing ---- */

static const char *const strategy_texts[POWER_STRATEGIES] = {
#define POWER_STRATEGY_TEXT(id, text) [POWER_##id] = (text),
    POWER_STRATEGY_LIST(POWER_STRATEGY_TEXT)
#undef POWER_STRATEGY_TEXT
};

const char *power_strategy_text(enum strategy strategy)
{
    return strategy_texts[strategy];
}

/* What a strategy needs to know of one sample. */
struct choice {
    enum strategy strategy;
    struct rng *rng;
    size_t cut;      /* of a prefix, or the one */
    uint64_t files;  /* a bit for each inode */
    uint64_t closed; /* inodes whose facts stay as they are from here on */
    uint64_t holey;  /* inodes that lack a hole: no shift follows */
    uint64_t broken; /* inodes that lack a shift, or steps of it: nothing of their journal follows */
    unsigned odds;   /* of 16 */
};

static bool chosen(const struct choice *c, size_t at, const struct item *item)
{
    switch (c->strategy) {
    case POWER_NONE:
        return false;
    case POWER_ALL:
        return true;
    case POWER_PREFIX:
        return at < c->cut;
    case POWER_ORDERED:
        return item->kind == ITEM_SECTOR ? rng_below(c->rng, 16) < c->odds : at < c->cut;
    case POWER_HALF:
        return rng_below(c->rng, 2) == 0;
    case POWER_FEW:
        return rng_below(c->rng, 8) == 0;
    case POWER_MOST:
        return rng_below(c->rng, 8) != 0;
    case POWER_ONE_MISSING:
        return at != c->cut;
    case POWER_ONE_ONLY:
        return at == c->cut;
    case POWER_FILES:
        return (c->files >> item->inode & 1) != 0;
    case POWER_STRATEGIES:
        break;
    }
    return false;
}

enum arrival { ARRIVES_NOT, ARRIVES_PARTLY, ARRIVES };

static enum arrival shift_chosen(const struct choice *c, size_t at, const struct item *item)
{
    uint64_t dice;
    switch (c->strategy) {
    case POWER_PREFIX:
    case POWER_ORDERED:
        return at < c->cut ? ARRIVES : at == c->cut ? ARRIVES_PARTLY : ARRIVES_NOT;
    case POWER_ONE_ONLY:
        return at == c->cut ? ARRIVES_PARTLY : ARRIVES_NOT;
    case POWER_ONE_MISSING:
        return at == c->cut ? ARRIVES_PARTLY : ARRIVES;
    case POWER_HALF:
        return (enum arrival)rng_below(c->rng, 3);
    case POWER_FEW:
        dice = rng_below(c->rng, 8);
        return dice == 0 ? ARRIVES : dice < 3 ? ARRIVES_PARTLY : ARRIVES_NOT;
    case POWER_MOST:
        dice = rng_below(c->rng, 8);
        return dice == 0 ? ARRIVES_NOT : dice < 3 ? ARRIVES_PARTLY : ARRIVES;
    default:
        return chosen(c, at, item) ? ARRIVES : ARRIVES_NOT;
    }
}

/* A shift reaches the disk as far as *shift then says. False: nothing of it does. */
static bool shift_arrives(struct choice *c, size_t at, const struct item *item, const struct inode *before,
                          struct shift *shift)
{
    const uint64_t bit = UINT64_C(1) << item->inode;
    enum arrival arrival = shift_chosen(c, at, item);
    *shift = item->shift;
    if (arrival == ARRIVES_PARTLY && shift_cut_off(shift, before, c->rng)) {
        arrival = ARRIVES;
    }
    if (((c->closed | c->holey) & bit) != 0) {
        arrival = ARRIVES_NOT;
    }
    c->broken |= arrival != ARRIVES ? bit : 0;
    c->closed |= arrival != ARRIVES ? bit : 0;
    return arrival != ARRIVES_NOT;
}

/* Whether an item reaches the disk. *moved: as it does so, where that is not as the machine had it. */
static bool arrives_at(struct choice *c, const struct power *power, size_t at, const struct tree *disk,
                       struct waiting *w, struct item *moved)
{
    const struct item *item = item_of(power, w);
    const uint64_t bit = UINT64_C(1) << item->inode;
    if (item->kind == ITEM_SHIFT) {
        *moved = *item;
        return shift_arrives(c, at, item, &disk->inode[item->inode], &moved->shift);
    }
    bool arrives = chosen(c, at, item);
    if (item->kind == ITEM_FACTS) { /* a later version holds the earlier ones */
        arrives = arrives && (c->closed & bit) == 0;
        c->closed |= arrives ? 0 : bit;
    } else if (item->kind == ITEM_HOLE) {
        arrives = arrives && (c->broken & bit) == 0;
        c->holey |= arrives ? 0 : bit;
    } else if (item->kind == ITEM_SECTOR &&
               (c->broken & bit) != 0) { /* to its block, if that is one already */
        const uint64_t there = inode_find_block(&disk->inode[item->inode], item->data.block);
        w->sector = there / SECTOR_BYTES + w->sector % (PAGE_BYTES / SECTOR_BYTES);
        arrives = arrives && there != UINT64_MAX;
    }
    return arrives;
}

static void say_item(const struct sim *sim, const struct item *item, bool is_chosen)
{
    const struct mutation *m = &sim->mutation[item->mutation];
    static const char *const kinds[] = {"sector", "facts", "names", "hole", "shift", "sync", "lose"};
    printf("    %s call %" PRIu32 " %s %s: %s", is_chosen ? "arrives" : "is lost", item->mutation, m->call,
           m->name, kinds[item->kind]);
    if (item->kind == ITEM_SECTOR) {
        printf(" %" PRIu64, item->data.sector);
    }
    if (item->kind == ITEM_FACTS) {
        printf(" size %" PRIu64 " mtime %jd", item->facts.size_bytes, (intmax_t)item->facts.mtime.tv_sec);
    }
    if (item->kind == ITEM_HOLE) {
        printf(" at %" PRIu64, item->hole);
    }
    if (item->kind == ITEM_SHIFT && is_chosen) {
        printf(" until the gap is at %" PRIu64 ", %s size", item->shift.gap,
               item->shift.sized ? "new" : "old");
    }
    printf("\n");
}

void power_sample(const struct power *power, enum strategy strategy, struct rng *rng, bool say,
                  struct tree *out, uint64_t *fingerprint)
{
    struct choice c = {.strategy = strategy, .rng = rng};
    c.cut = power->n_waiting > 0 ? (size_t)rng_below(rng, power->n_waiting + (strategy == POWER_PREFIX)) : 0;
    c.files = rng_next(rng);
    c.odds = (unsigned)rng_below(rng, 17);
    tree_copy(out, &power->durable);
    *fingerprint = 0;
    for (size_t i = 0; i < power->n_waiting; i++) {
        struct waiting w = power->waiting[i];
        struct item moved;
        const bool arrives = arrives_at(&c, power, i, out, &w, &moved);
        const bool shifts = item_of(power, &w)->kind == ITEM_SHIFT;
        const struct item *item = shifts ? &moved : item_of(power, &w);
        if (arrives) {
            apply_at(out, power->sim, item, w.sector);
            *fingerprint = rng_mix(*fingerprint, i);
            *fingerprint = shifts ? rng_mix(*fingerprint, moved.shift.gap + moved.shift.sized) : *fingerprint;
        }
        if (say) {
            say_item(power->sim, item, arrives);
        }
    }
    give_inodes(out, power->sim);
    tree_settle(out);
}

void power_resume(const struct power *power, struct sim *machine)
{
    struct tree files;
    struct item *waits = memory_get((power->n_waiting + 1) * sizeof *waits);
    tree_copy(&files, &power->durable);
    for (size_t i = 0; i < power->n_waiting; i++) {
        const struct waiting *w = &power->waiting[i];
        waits[i] = *item_of(power, w);
        if (waits[i].kind == ITEM_SECTOR) {
            waits[i].data.sector = w->sector;
        }
        apply(&files, power, w);
    }
    give_inodes(&files, power->sim);
    sim_resume(machine, &files, &power->durable, waits, power->n_waiting);
    memory_free(waits);
}
