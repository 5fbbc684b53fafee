// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <unistd.h>

#include "geo/geo_internal.h"
#include "steerd/base/addr.h"
#include "steerd/base/hash.h"
#include "steerd/geo/classmap.h"

enum { WIDTH = 256, BLOCKS = 4096, KEPT = 64 }; // one in 64 stays

static uint32_t take(struct steer_blocks *b, uint32_t number)
{
    uint32_t entries[WIDTH] = {number, 7};
    uint32_t entry;
    assert_int_equal(steer_blocks_take(b, entries, &entry), STEER_OK);
    assert_true(entry & STEER_CLASSMAP_BLOCK);
    return entry;
}

static uint32_t number_in(const struct steer_blocks *b, uint32_t entry)
{
    const uint32_t *entries = steer_slab_at(&b->slab, entry & ~STEER_CLASSMAP_BLOCK);
    return entries[0];
}

static size_t resident_pages(const struct steer_blocks *b)
{
    static unsigned char pages[BLOCKS * WIDTH * sizeof(uint32_t) / 4096];
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t bytes = (size_t)BLOCKS * b->slab.item_bytes;
    size_t count = 0;
    assert_int_equal(mincore(b->slab.base, bytes, pages), 0);
    for (size_t i = 0; i < bytes / page; i++)
        count += pages[i] & 1;
    return count;
}

static void memory_of_many_free_blocks_is_given_back(void **state)
{
    (void)state;
    static uint32_t entries[BLOCKS];
    struct steer_blocks b;
    assert_int_equal(steer_blocks_init(&b, WIDTH, BLOCKS), STEER_OK);
    for (uint32_t i = 0; i < BLOCKS; i++)
        entries[i] = take(&b, i);
    const size_t before = resident_pages(&b);
    steer_blocks_release(&b, entries, 1);
    steer_blocks_trim(&b); // not worth it
    assert_int_equal(resident_pages(&b), before);
    entries[0] = take(&b, 0);
    for (uint32_t i = 0; i < BLOCKS; i++)
        if (i % KEPT)
            steer_blocks_release(&b, &entries[i], 1);
    steer_blocks_trim(&b);
    assert_true(resident_pages(&b) < before / 8);
    assert_int_equal(b.used, BLOCKS / KEPT);
    for (uint32_t i = 0; i < BLOCKS; i++)
        if (i % KEPT)
            entries[i] = take(&b, i + BLOCKS);
    for (uint32_t i = 0; i < BLOCKS; i++)
        assert_int_equal(number_in(&b, entries[i]), i % KEPT ? i + BLOCKS : i);
    steer_blocks_release(&b, entries, BLOCKS);
    assert_int_equal(b.used, 0);
    steer_blocks_fini(&b);
}

static void blocks_are_found_again_after_any_releases(void **state)
{
    (void)state;
    enum { NUMBERS = 500 };
    struct steer_blocks b;
    struct steer_rng rng;
    uint32_t uses[NUMBERS] = {0}, entry_of[NUMBERS] = {0};
    size_t used = 0;
    steer_rng_init(&rng, 23);
    assert_int_equal(steer_blocks_init(&b, WIDTH, NUMBERS), STEER_OK);
    for (unsigned round = 0; round < 50000; round++) {
        const uint32_t number = (uint32_t)(steer_rng_next(&rng) % NUMBERS);
        if (uses[number] && steer_rng_next(&rng) % 2) {
            used -= --uses[number] == 0;
            steer_blocks_release(&b, &entry_of[number], 1);
        } else {
            const uint32_t entry = take(&b, number);
            assert_true(!uses[number] || entry == entry_of[number]);
            used += uses[number]++ == 0;
            entry_of[number] = entry;
        }
        assert_int_equal(b.used, used);
    }
    for (uint32_t i = 0; i < NUMBERS; i++) {
        assert_true(!uses[i] || number_in(&b, entry_of[i]) == i);
        for (; uses[i]; uses[i]--)
            steer_blocks_release(&b, &entry_of[i], 1);
    }
    assert_int_equal(b.used, 0);
    steer_blocks_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_of_many_free_blocks_is_given_back),
        cmocka_unit_test(blocks_are_found_again_after_any_releases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
