/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See power.h.
 */
#include "power.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"

/* ---- generator (splitmix64) ---- */

uint64_t rng_next(struct rng *rng)
{
    rng->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = rng->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *rng, uint64_t limit)
{
    return rng_next(rng) % limit;
}

uint64_t rng_mix(uint64_t seed, uint64_t value)
{
    struct rng rng = {seed ^ (value + 1) * UINT64_C(0xd6e8feb86659fd93)};
    return rng_next(&rng);
}

/* ---- the walk ---- */

static void apply(struct tree *tree, const struct sim *sim, const struct item *item)
{
    struct inode *inode = &tree->inode[item->inode];
    if (item->kind == ITEM_ENTRY) {
        for (unsigned i = 0; i < 2 && item->name[i].name[0] != '\0'; i++) {
            tree_set_entry(tree, item->inode, item->name[i].name, item->name[i].target);
        }
        return;
    }
    if (inode->kind == INODE_FREE) { /* it was made since the log began */
        inode->kind = INODE_FILE;
        inode->number = sim->live.inode[item->inode].number;
        inode->device = sim->live.inode[item->inode].device;
    }
    if (item->kind == ITEM_SECTOR) {
        inode_put_sector(inode, item->data.sector, item->data.page);
        return;
    }
    if (item->truncates) {
        inode_cut(inode, item->facts.size_bytes);
    }
    inode->facts = item->facts;
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

static void sync_inode(struct power *power, uint8_t inode)
{
    size_t left = 0;
    for (size_t i = 0; i < power->n_waiting; i++) {
        struct waiting w = power->waiting[i];
        const struct item *item = &power->sim->item[w.item];
        if (item->inode == inode && !w.lost) {
            apply(&power->durable, power->sim, item);
        } else {
            power->waiting[left++] = w;
        }
    }
    power->n_waiting = left;
}

/* What a failed fsync lost cannot come back over something newer that is durable. */
static bool superseded(const struct sim *sim, const struct item *lost, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        const struct item *newer = &sim->item[i];
        if (newer->inode == lost->inode &&
            ((newer->kind == ITEM_SECTOR && newer->data.sector == lost->data.sector) ||
             (newer->kind == ITEM_FACTS && newer->truncates &&
              newer->facts.size_bytes <= lost->data.sector * SECTOR_BYTES))) {
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
        const struct item *item = &power->sim->item[w.item];
        if (!w.lost || item->inode != inode || !superseded(power->sim, item, w.item + 1, power->next_item)) {
            power->waiting[left++] = w;
        }
    }
    power->n_waiting = left;
}

static void lose_sectors(struct power *power, uint8_t inode)
{
    for (size_t i = 0; i < power->n_waiting; i++) {
        const struct item *item = &power->sim->item[power->waiting[i].item];
        power->waiting[i].lost |= item->inode == inode && item->kind == ITEM_SECTOR;
    }
}

bool power_step(struct power *power)
{
    const struct sim *sim = power->sim;
    if (power->mutation == sim->n_mutations) {
        return false;
    }
    for (; power->next_item < sim->n_items && sim->item[power->next_item].mutation == power->mutation;
         power->next_item++) {
        const struct item *item = &sim->item[power->next_item];
        if (item->kind == ITEM_SYNC) {
            sync_inode(power, item->inode);
            drop_superseded(power, item->inode);
        } else if (item->kind == ITEM_LOSE) {
            lose_sectors(power, item->inode);
        } else {
            if (power->n_waiting == power->room) {
                power->room = power->room * 2 + 64;
                power->waiting = memory_resize(power->waiting, power->room * sizeof *power->waiting);
            }
            power->waiting[power->n_waiting++] = (struct waiting){(uint32_t)power->next_item, false};
        }
    }
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

static void say_item(const struct sim *sim, const struct item *item, bool is_chosen)
{
    const struct mutation *m = &sim->mutation[item->mutation];
    static const char *const kinds[] = {"sector", "facts", "names", "sync", "lose"};
    printf("    %s call %" PRIu32 " %s %s: %s", is_chosen ? "arrives" : "is lost", item->mutation, m->call,
           m->name, kinds[item->kind]);
    if (item->kind == ITEM_SECTOR) {
        printf(" %" PRIu64, item->data.sector);
    }
    if (item->kind == ITEM_FACTS) {
        printf(" size %" PRIu64 " mtime %jd", item->facts.size_bytes, (intmax_t)item->facts.mtime.tv_sec);
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
        const struct item *item = &power->sim->item[power->waiting[i].item];
        bool arrives = chosen(&c, i, item);
        if (item->kind == ITEM_FACTS) { /* a later version holds the earlier ones */
            arrives = arrives && (c.closed >> item->inode & 1) == 0;
            c.closed |= arrives ? 0 : UINT64_C(1) << item->inode;
        }
        if (arrives) {
            apply(out, power->sim, item);
            *fingerprint = rng_mix(*fingerprint, i);
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
    tree_copy(&files, &power->durable);
    for (size_t i = 0; i < power->n_waiting; i++) {
        apply(&files, power->sim, &power->sim->item[power->waiting[i].item]);
    }
    give_inodes(&files, power->sim);
    sim_resume(machine, &files, &power->durable, power->sim, power->waiting, power->n_waiting);
}
