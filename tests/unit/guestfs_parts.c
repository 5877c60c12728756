/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The parts under a scan of a guest's filesystem that need no filesystem: arrays that grow, who owns which
 * blocks, inodes and their names.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"
#include "core/guestfs/nodes.h"
#include "core/guestfs/owners.h"
#include "support.h"

/* ---- arrays ---- */

START_TEST(an_array_grows_by_half)
{
    uint32_t *array = NULL;
    size_t room = 0, grown = 0;
    for (size_t n = 0; n < 100000; n++) {
        const size_t before = room;
        uint32_t *larger = grow_array(array, n, &room, sizeof *array);
        must(larger != NULL && room > n, "room for %zu of %zu", room, n);
        must(n < before ? larger == array && room == before : room >= before + before / 2, "grown to %zu",
             room);
        grown += room != before;
        array = larger;
        array[n] = (uint32_t)n;
    }
    for (size_t n = 0; n < 100000; n++) {
        must(array[n] == n, "[%zu] is lost", n);
    }
    must(grown < 25, "grown %zu times", grown);
    free(array);
}
END_TEST

START_TEST(an_array_that_is_too_large_stays_as_it_is)
{
    size_t room = 0;
    uint8_t *array = grow_array(NULL, 0, &room, 16);
    must(array != NULL && room == GROW_FIRST, "room %zu", room);
    array[16 * GROW_FIRST - 1] = 7;
    must(grow_array(array, room, &room, SIZE_MAX / GROW_FIRST) == NULL, "that much memory");
    must(room == GROW_FIRST && array[16 * GROW_FIRST - 1] == 7, "the old array is gone");
    must(grow_array(array, room - 1, &room, SIZE_MAX) == (void *)array, "there was room");
    free(array);
}
END_TEST

/* ---- owners ---- */

static struct owned content(uint64_t block, uint32_t count, uint32_t inode, uint64_t first)
{
    return (struct owned){.block = block,
                          .count = count,
                          .inode = inode,
                          .first = first,
                          .fs_class = COW_FS_FILE,
                          .in_file = true};
}

static void add(struct owners *owners, struct owned owned)
{
    must(owners_add(owners, &owned), "out of memory");
}

START_TEST(neighbours_of_one_owner_are_joined)
{
    static const struct owned other[] = {
        {.block = 13, .first = 3, .inode = 5, .fs_class = COW_FS_FILE, .in_file = true}, /* a gap */
        {.block = 11, .first = 2, .inode = 5, .fs_class = COW_FS_FILE, .in_file = true}, /* an overlap */
        {.block = 12, .first = 4, .inode = 5, .fs_class = COW_FS_FILE, .in_file = true}, /* further on */
        {.block = 12, .first = 1, .inode = 5, .fs_class = COW_FS_FILE, .in_file = true}, /* or back */
        {.block = 12, .first = 3, .inode = 6, .fs_class = COW_FS_FILE, .in_file = true},
        {.block = 12, .first = 3, .inode = 5, .fs_class = COW_FS_DIRECTORY, .in_file = true},
        {.block = 12, .first = 3, .inode = 5, .fs_class = COW_FS_FILE},
    };
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        struct owners apart = {.n = 0};
        struct owned owned = other[i];
        owned.count = 1;
        add(&apart, content(10, 2, 5, 1));
        add(&apart, owned);
        must(apart.n == 2, "row %zu was joined", i);
        owners_free(&apart);
    }
    struct owners owners = {.n = 0};
    add(&owners, content(10, 2, 5, 1));
    add(&owners, content(12, 7, 5, 3));
    must(owners.n == 1 && owners.owned[0].count == 9 && owners.owned[0].first == 1, "not joined");
    struct owned mapping = {.block = 19, .count = 1, .inode = 5, .fs_class = COW_FS_MAPPING, .first = 77};
    add(&owners, mapping);
    mapping.block++;
    mapping.first = 3; /* of no meaning outside of a file */
    add(&owners, mapping);
    must(owners.n == 2 && owners.owned[1].count == 2, "mapping blocks are not joined");
    owners_free(&owners);
    must(owners.n == 0 && owners.owned == NULL && owners.room == 0, "owners_free");
}
END_TEST

START_TEST(a_stretch_has_a_largest_length)
{
    struct owners owners = {.n = 0};
    uint64_t end;
    const uint64_t all = UINT64_C(3) << 40;
    add(&owners, content(1, UINT32_MAX - 1, 5, 0));
    add(&owners, content(UINT32_MAX, 1, 5, UINT32_MAX - 1));
    must(owners.n == 1 && owners.owned[0].count == UINT32_MAX, "not joined up to the limit");
    add(&owners, content(UINT64_C(1) << 32, 1, 5, UINT32_MAX));
    must(owners.n == 2 && owners.owned[1].count == 1, "joined beyond the limit");
    owners_sort(&owners);
    const struct owned *last = owners_find(&owners, UINT32_MAX, all, &end);
    must(last == &owners.owned[0] && end == UINT64_C(1) << 32, "the last block of the first");
    must(owners_find(&owners, UINT64_C(1) << 32, all, &end) == &owners.owned[1] &&
             end == (UINT64_C(1) << 32) + 1,
         "the first block of the second");
    owners_free(&owners);
}
END_TEST

START_TEST(of_one_beginning_one_stays)
{
    struct owners owners = {.n = 0};
    struct owned rest = content(10, 9, 2, 0);
    rest.in_file = false;
    rest.fs_class = COW_FS_MAPPING;
    add(&owners, content(40, 1, 9, 0));
    add(&owners, content(40, 1, 7, 0));
    add(&owners, content(40, 1, 8, 0));
    add(&owners, rest);
    add(&owners, content(10, 3, 30, 5)); /* content first, although another inode is lower */
    rest.block = 20;
    rest.inode = 6;
    add(&owners, rest);
    rest.inode = 4;
    add(&owners, rest);
    owners_sort(&owners);
    must(owners.n == 3, "%zu stay", owners.n);
    must(owners.owned[0].block == 10 && owners.owned[0].inode == 30, "content counts first");
    must(owners.owned[1].block == 20 && owners.owned[1].inode == 4, "the lowest inode counts");
    must(owners.owned[2].block == 40 && owners.owned[2].inode == 7, "the lowest inode counts");
    owners_sort(&owners);
    must(owners.n == 3, "sorting again changes something");
    owners_free(&owners);
    owners_sort(&owners); /* none */
    must(owners.n == 0, "out of nothing");
}
END_TEST

START_TEST(none_owns_what_lies_between)
{
    struct owners owners = {.n = 0};
    uint64_t end = 0;
    must(owners_find(&owners, 0, 100, &end) == NULL && end == 100, "without owners");
    add(&owners, content(30, 10, 6, 0));
    add(&owners, content(10, 10, 5, 0));
    add(&owners, content(20, 2, 7, 0));
    owners_sort(&owners);
    static const struct {
        uint64_t block, limit;
        uint32_t inode; /* 0: none */
        uint64_t end;
    } table[] = {{0, 100, 0, 10},   {9, 100, 0, 10},   {9, 10, 0, 10},
                 {0, 5, 0, 5},      {10, 100, 5, 20},  {19, 100, 5, 20},
                 {10, 12, 5, 12},   {20, 100, 7, 22},  {21, 100, 7, 22},
                 {22, 100, 0, 30},  {29, 100, 0, 30},  {30, 100, 6, 40},
                 {39, 100, 6, 40},  {30, 40, 6, 40},   {35, 36, 6, 36},
                 {40, 100, 0, 100}, {99, 100, 0, 100}, {40, UINT64_MAX, 0, UINT64_MAX}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct owned *found = owners_find(&owners, table[i].block, table[i].limit, &end);
        must((found == NULL ? 0 : found->inode) == table[i].inode && end == table[i].end,
             "row %zu: inode %" PRIu32 " up to %" PRIu64, i, found == NULL ? 0 : found->inode, end);
    }
    owners_free(&owners);
}
END_TEST

enum { BLOCKS = 4096 };

/* Many in any order: without overlap every answer is that of an array of blocks; with it, each answer at
 * least holds the block, and holds as far as it says. */
START_TEST(many_owners)
{
    static uint32_t of[BLOCKS];
    const bool overlap = _i % 2 == 1;
    struct rng rng = {(uint64_t)_i};
    struct owners owners = {.n = 0};
    memset(of, 0, sizeof of);
    for (uint32_t inode = 1; inode < 400; inode++) {
        const uint64_t block = rng_below(&rng, BLOCKS - 20);
        const uint32_t count = 1 + (uint32_t)rng_below(&rng, 20);
        bool taken = false;
        for (uint64_t i = block; i < block + count; i++) {
            taken |= of[i] != 0;
        }
        if (!taken || overlap) {
            add(&owners, content(block, count, inode, rng_below(&rng, 1000)));
            for (uint64_t i = block; i < block + count; i++) {
                of[i] = inode;
            }
        }
    }
    owners_sort(&owners);
    uint64_t end = 0, answers = 0;
    const struct owned *last = NULL;
    for (uint64_t block = 0; block < BLOCKS; block++) {
        uint64_t each_end;
        const struct owned *found = owners_find(&owners, block, BLOCKS, &each_end);
        must(each_end > block && each_end <= BLOCKS, "%" PRIu64 ": up to %" PRIu64, block, each_end);
        must(found == NULL || (block >= found->block && block - found->block < found->count),
             "%" PRIu64 " is not in what was found", block);
        must(overlap || (found == NULL ? 0 : found->inode) == of[block], "%" PRIu64 " is another's", block);
        if (block < end) {
            must(found == last && each_end == end, "%" PRIu64 ": the last answer did not hold", block);
        }
        answers += block >= end;
        last = found;
        end = each_end;
    }
    must(answers > 100, "the test itself");
    owners_free(&owners);
}
END_TEST

/* ---- nodes ---- */

enum { NODES = 20000 };

START_TEST(many_nodes)
{
    struct nodes nodes = {.n = 0};
    struct rng rng = {77};
    must(nodes_find(&nodes, 0) == NULL && nodes_find(&nodes, 12) == NULL, "found in none");
    uint32_t *inode = malloc(NODES * sizeof *inode);
    must(inode != NULL, "out of memory");
    for (uint32_t i = 0; i < NODES; i++) { /* neighbours, far apart, and such that meet in one slot */
        inode[i] = i < NODES / 2 ? i + 1 : i < 3 * NODES / 4 ? UINT32_MAX - i : (i << 14) + NODES;
    }
    for (uint32_t i = NODES; i-- > 1;) {
        const uint32_t j = (uint32_t)rng_below(&rng, i + 1), swap = inode[i];
        inode[i] = inode[j];
        inode[j] = swap;
    }
    for (uint32_t i = 0; i < NODES; i++) {
        must(nodes_find(&nodes, inode[i]) == NULL, "%" PRIu32 " is there already", inode[i]);
        struct node *node = nodes_get(&nodes, inode[i]);
        must(node != NULL && node->inode == inode[i] && nodes.n == i + 1, "%" PRIu32, inode[i]);
        must(!node->looked && node->size == 0 && node->name == NO_NAME, "a new one is not empty");
        node->size = i + 1;
    }
    for (uint32_t i = 0; i < NODES; i++) {
        struct node *node = nodes_find(&nodes, inode[i]);
        must(node != NULL && node->size == i + 1 && nodes_get(&nodes, inode[i]) == node, "%" PRIu32,
             inode[i]);
    }
    must(nodes.n == NODES && nodes_find(&nodes, NODES / 2 + 1) == NULL, "%zu nodes", nodes.n);
    must(2 * nodes.n <= nodes.slots, "%zu slots for %zu nodes", nodes.slots, nodes.n);
    free(inode);
    nodes_free(&nodes);
    must(nodes.n == 0 && nodes.slots == 0 && nodes_find(&nodes, 1) == NULL, "nodes_free");
}
END_TEST

static void name_of(char *out, uint32_t i)
{
    const int bytes = i % 256 == 255 ? 0 : (int)(i % 256); /* none is longer than a name can be */
    memset(out, 'a' + (int)(i % 26), (size_t)bytes);
    out[bytes] = 'X'; /* not of the name */
}

START_TEST(names)
{
    struct nodes nodes = {.n = 0};
    char text[257] = "";
    uint32_t list[7] = {0};
    for (uint32_t i = 0; i < 3000; i++) {
        name_of(text, i);
        must(nodes_add_name(&nodes, &list[i % 7], i + 100, text, i % 256 == 255 ? 0 : i % 256),
             "out of memory");
        must(list[i % 7] != NO_NAME, "a name without a number");
    }
    for (uint32_t k = 0; k < 7; k++) {
        uint32_t i = (2999 - k) / 7 * 7 + k, n = 0; /* the last one that was added comes first */
        for (uint32_t name = list[k]; name != NO_NAME; name = nodes.name[name].next, i -= 7, n++) {
            const char *found = nodes.text + nodes.name[name].text;
            name_of(text, i);
            text[i % 256 == 255 ? 0 : i % 256] = '\0';
            must(nodes.name[name].directory == i + 100 && strcmp(found, text) == 0, "name %" PRIu32, i);
        }
        must(n == (2999 - k) / 7 + 1, "%" PRIu32 " names", n);
    }
    nodes_free(&nodes);
    must(nodes.names == 0 && nodes.text == NULL, "nodes_free");
}
END_TEST

/* One name that is longer than what an arena begins with, as the first of all. */
START_TEST(a_long_name_at_first)
{
    char *text = malloc(5000);
    struct nodes nodes = {.n = 0};
    uint32_t list = NO_NAME;
    must(text != NULL, "out of memory");
    memset(text, 'n', 5000);
    must(nodes_add_name(&nodes, &list, 2, text, 5000), "out of memory");
    must(strlen(nodes.text + nodes.name[list].text) == 5000 && nodes.name[list].next == NO_NAME, "cut");
    free(text);
    nodes_free(&nodes);
}
END_TEST

Suite *guestfs_parts_suite(void)
{
    Suite *suite = suite_create("guestfs-parts");
    TCase *tc = tcase_create("guestfs parts");
    tcase_add_test(tc, an_array_grows_by_half);
    tcase_add_test(tc, an_array_that_is_too_large_stays_as_it_is);
    tcase_add_test(tc, neighbours_of_one_owner_are_joined);
    tcase_add_test(tc, a_stretch_has_a_largest_length);
    tcase_add_test(tc, of_one_beginning_one_stays);
    tcase_add_test(tc, none_owns_what_lies_between);
    tcase_add_loop_test(tc, many_owners, 0, 8);
    tcase_add_test(tc, many_nodes);
    tcase_add_test(tc, names);
    tcase_add_test(tc, a_long_name_at_first);
    suite_add_tcase(suite, tc);
    return suite;
}
