// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/zone/trie.h"

enum { KEYS = 600, KEPT = 10 };

struct item {
    uint64_t hash;
    uint32_t key;
    uint32_t value;
};

static bool match(const void *item, const void *key)
{
    return ((const struct item *)item)->key == *(const uint32_t *)key;
}

// Hashes of every kind: spread, all equal, equal but for the last bits, equal in the first bits.
static uint64_t hash_of(uint32_t key)
{
    switch (key % 6) {
    case 0:
        return 0x1234567890abcdefULL;
    case 1:
        return 0xfedcba9876543210ULL | (key / 6 % 4);
    case 2:
        return 0xaaaaULL << 48 | key;
    case 3:
        return steer_mix64(key / 12);
    default:
        return steer_mix64(key);
    }
}

static struct item *make(uint32_t key, uint32_t value)
{
    struct item *item = steer_alloc(sizeof *item);
    *item = (struct item){hash_of(key), key, value};
    return item;
}

struct model {
    uint32_t values[KEYS]; // 0: absent
    size_t count;
};

static void put(struct steer_trie *trie, const struct steer_trie_change *change,
                struct model *model, uint32_t key, uint32_t value)
{
    model->count += !model->values[key];
    model->values[key] = value;
    steer_trie_put(trie, change, make(key, value), match, &key);
}

static void take(struct steer_trie *trie, const struct steer_trie_change *change,
                 struct model *model, uint32_t key)
{
    const bool there = model->values[key] != 0;
    model->count -= there;
    model->values[key] = 0;
    assert_int_equal(steer_trie_remove(trie, change, hash_of(key), match, &key), there);
}

struct order {
    uint64_t last;
    size_t count;
};

static bool in_order(void *ctx, const void *item)
{
    struct order *order = ctx;
    const uint64_t hash = ((const struct item *)item)->hash;
    assert_true(hash >= order->last);
    order->last = hash;
    order->count++;
    return true;
}

static void check(const struct steer_trie *trie, const struct model *model)
{
    assert_int_equal(trie->count, model->count);
    for (uint32_t key = 0; key < KEYS; key++) {
        struct steer_trie_cursor cursor;
        steer_trie_begin(trie, hash_of(key), &cursor);
        while (steer_trie_descend(&cursor))
            continue;
        steer_trie_prefetch(cursor.leaf, hash_of(key));
        const struct item *item = steer_trie_find(trie, hash_of(key), match, &key);
        assert_int_equal(item ? item->value : 0, model->values[key]);
    }
    struct order order = {0};
    steer_trie_each(trie, in_order, &order);
    assert_int_equal(order.count, model->count);
}

static void let_go(struct steer_trie *trie)
{
    struct steer_retired all = {0};
    steer_trie_retire(trie, &all);
    steer_retired_free(&all);
    *trie = (struct steer_trie){0};
}

static void an_empty_trie_has_nothing(void **state)
{
    (void)state;
    struct steer_trie trie = {0};
    struct model model = {0};
    check(&trie, &model);
    assert_int_equal(steer_trie_bytes(&trie), 0);
    struct steer_retired retired = {0};
    steer_trie_retire(&trie, &retired);
    assert_int_equal(retired.count, 0);
}

static void building_in_place_agrees_with_a_map(void **state)
{
    (void)state;
    const struct steer_trie_change change = {.build = true};
    struct steer_trie trie = {0};
    struct model model = {0};
    struct steer_rng rng;
    steer_rng_init(&rng, 1);
    for (unsigned step = 0; step < 8000; step++) {
        const uint64_t r = steer_rng_next(&rng);
        const uint32_t key = (uint32_t)(r >> 32) % KEYS;
        // It fills up, empties, and fills again.
        if (r % 8 < (step / 2000 % 2 ? 2 : 6))
            put(&trie, &change, &model, key, step + 1);
        else
            take(&trie, &change, &model, key);
        if (step % 500 == 0)
            check(&trie, &model);
    }
    check(&trie, &model);
    for (uint32_t key = 0; key < KEYS; key++)
        take(&trie, &change, &model, key);
    assert_int_equal(trie.root, 0);
}

struct kept {
    struct steer_trie trie;
    struct model model;
    struct steer_retired remains; // what the next version replaced
};

// All that the change made, and nothing else, is what sets the new version apart from the old one.
static void check_difference(const struct steer_trie *trie, const struct steer_trie *base,
                             const struct steer_fresh *fresh)
{
    struct steer_fresh found = {0};
    steer_trie_difference(trie, base, false, &found);
    assert_int_equal(found.count, fresh->count);
    for (size_t i = 0; i < found.cap; i++)
        if (found.blocks[i])
            assert_true(steer_fresh_has(fresh, found.blocks[i]));
    steer_fresh_drop(&found);
}

static void random_change(struct steer_rng *rng, struct kept *version,
                          const struct steer_trie_change *change)
{
    for (uint64_t n = 1 + steer_rng_next(rng) % 12; n; n--) {
        const uint64_t r = steer_rng_next(rng);
        const uint32_t key = (uint32_t)(r >> 32) % KEYS;
        if (r % 16 < 9)
            put(&version->trie, change, &version->model, key, (uint32_t)(r >> 8) | 1);
        else
            take(&version->trie, change, &version->model, key);
    }
}

static void old_versions_stay_whole(void **state)
{
    (void)state;
    struct kept kept[KEPT] = {0};
    struct steer_rng rng;
    steer_rng_init(&rng, 2);
    for (unsigned step = 1; step < 1500; step++) {
        struct kept *now = &kept[(step - 1) % KEPT];
        struct kept *next = &kept[step % KEPT];
        struct steer_retired retired = {0};
        struct steer_fresh fresh = {0};
        const struct steer_trie_change change = {.retired = &retired, .fresh = &fresh};
        struct kept draft = {.trie = now->trie, .model = now->model};
        random_change(&rng, &draft, &change);
        check_difference(&draft.trie, &now->trie, &fresh);
        if (step % 3 == 0) { // an abort leaves the version as it was
            steer_fresh_free(&fresh);
            steer_retired_drop(&retired);
            draft = (struct kept){.trie = now->trie, .model = now->model};
        }
        steer_retired_free(&next->remains); // the oldest one goes
        *next = draft;
        now->remains = retired;
        steer_fresh_drop(&fresh);
        if (step % 16 == 0)
            for (unsigned i = 0; i < KEPT; i++)
                check(&kept[i].trie, &kept[i].model);
    }
    for (unsigned i = 0; i < KEPT; i++)
        steer_retired_free(&kept[i].remains);
    let_go(&kept[1499 % KEPT].trie);
}

static void borrowed_items_are_left_alone(void **state)
{
    (void)state;
    struct steer_retired retired = {0};
    struct steer_fresh fresh = {0};
    const struct steer_trie_change change = {
        .items_borrowed = true, .retired = &retired, .fresh = &fresh};
    struct steer_trie trie = {0};
    struct item a = {7, 1, 1}, b = {7, 1, 2}, c = {7, 2, 3};
    steer_trie_put(&trie, &change, &a, match, &a.key);
    steer_trie_put(&trie, &change, &c, match, &c.key);
    steer_trie_put(&trie, &change, &b, match, &b.key);
    assert_ptr_equal(steer_trie_find(&trie, 7, match, &a.key), &b);
    assert_int_equal(trie.count, 2);
    assert_true(steer_trie_remove(&trie, &change, 7, match, &a.key));
    assert_true(steer_trie_remove(&trie, &change, 7, match, &c.key));
    assert_int_equal(retired.count, 0);
    assert_int_equal(fresh.count, 0);
    steer_fresh_drop(&fresh);
}

static void a_change_copies_a_path_and_not_the_map(void **state)
{
    (void)state;
    const struct steer_trie_change build = {.build = true};
    struct steer_trie trie = {0};
    for (uint32_t key = 4; key < 60000; key += 6)
        steer_trie_put(&trie, &build, make(key, 1), match, &key);
    struct steer_trie next = trie;
    struct steer_retired retired = {0};
    struct steer_fresh fresh = {0};
    const struct steer_trie_change change = {.retired = &retired, .fresh = &fresh};
    const uint32_t key = 10;
    steer_trie_put(&next, &change, make(key, 2), match, &key);
    assert_in_range(fresh.count, 2, 6);
    assert_int_equal(retired.count, fresh.count);
    assert_int_equal(
        ((const struct item *)steer_trie_find(&trie, hash_of(key), match, &key))->value, 1);
    assert_int_equal(
        ((const struct item *)steer_trie_find(&next, hash_of(key), match, &key))->value, 2);
    steer_retired_free(&retired);
    steer_fresh_drop(&fresh);
    let_go(&next);
}

static void the_set_of_fresh_blocks_forgets_what_it_is_told(void **state)
{
    (void)state;
    static char blocks[3000];
    bool model[3000] = {0};
    struct steer_fresh fresh = {0};
    struct steer_rng rng;
    steer_rng_init(&rng, 3);
    size_t count = 0;
    for (unsigned step = 0; step < 20000; step++) {
        const uint64_t r = steer_rng_next(&rng);
        const size_t i = (size_t)(r >> 16) % 3000;
        if (r % 2) {
            steer_fresh_add(&fresh, &blocks[i]);
            count += !model[i];
            model[i] = true;
        } else {
            assert_int_equal(steer_fresh_remove(&fresh, &blocks[i]), model[i]);
            count -= model[i];
            model[i] = false;
        }
    }
    assert_int_equal(fresh.count, count);
    for (size_t i = 0; i < 3000; i++)
        assert_int_equal(steer_fresh_has(&fresh, &blocks[i]), model[i]);
    steer_fresh_drop(&fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_trie_has_nothing),
        cmocka_unit_test(building_in_place_agrees_with_a_map),
        cmocka_unit_test(old_versions_stay_whole),
        cmocka_unit_test(borrowed_items_are_left_alone),
        cmocka_unit_test(a_change_copies_a_path_and_not_the_map),
        cmocka_unit_test(the_set_of_fresh_blocks_forgets_what_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
