// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "random_space.h"

static void check_form(const struct steer_partition *p)
{
    assert_true(p->count4 >= 1 && p->count6 >= 1);
    assert_int_equal(p->start4[0], 0);
    assert_true(p->start6[0].hi == 0 && p->start6[0].lo == 0);
    for (size_t i = 1; i < p->count4; i++) {
        assert_true(p->start4[i - 1] < p->start4[i]);
        assert_int_not_equal(p->value4[i - 1], p->value4[i]);
    }
    for (size_t i = 1; i < p->count6; i++) {
        struct steer_u128 a = p->start6[i - 1];
        struct steer_u128 b = p->start6[i];
        assert_true(a.hi < b.hi || (a.hi == b.hi && a.lo < b.lo));
        assert_int_not_equal(p->value6[i - 1], p->value6[i]);
    }
}

static void a_new_partition_has_one_value_everywhere(void **state)
{
    (void)state;
    struct steer_partition p;
    struct steer_addr addr;
    steer_partition_init(&p, 7);
    check_form(&p);
    assert_true(p.count4 == 1 && p.count6 == 1);
    assert_true(steer_addr_parse("255.255.255.255", &addr));
    assert_int_equal(steer_partition_lookup(&p, &addr), 7);
    assert_true(steer_addr_parse("2001:db8::1", &addr));
    assert_int_equal(steer_partition_lookup(&p, &addr), 7);
    steer_partition_fini(&p);
}

static void each_address_has_the_value_of_its_longest_prefix(void **state)
{
    (void)state;
    struct steer_rng rng;
    steer_rng_init(&rng, 1);
    for (unsigned round = 0; round < 300; round++) {
        struct steer_prefix_value items[40];
        struct steer_partition p;
        size_t count = below(&rng, 41);
        size_t asked;
        random_prefixes(&rng, items, count, 1 + below(&rng, 6));
        steer_partition_from_prefixes(items, count, 99, &p);
        check_form(&p);
        struct steer_addr *list = interesting(&rng, items, count, &asked);
        for (size_t i = 0; i < asked; i++)
            assert_int_equal(steer_partition_lookup(&p, &list[i]),
                             naive_value(items, count, 99, &list[i]));
        free(list);
        steer_partition_fini(&p);
    }
}

static void of_equal_prefixes_the_last_wins(void **state)
{
    (void)state;
    struct steer_prefix_value items[3] = {{.value = 1}, {.value = 2}, {.value = 3}};
    struct steer_partition p;
    assert_true(steer_prefix_parse("10.0.0.0/8", &items[0].prefix, NULL));
    assert_true(steer_prefix_parse("10.0.0.0/8", &items[1].prefix, NULL));
    assert_true(steer_prefix_parse("::/0", &items[2].prefix, NULL));
    steer_partition_from_prefixes(items, 3, 0, &p);
    assert_int_equal(p.count4, 3);
    assert_int_equal(p.value4[1], 2);
    assert_int_equal(p.count6, 1);
    assert_int_equal(p.value6[0], 3);
    steer_partition_fini(&p);
}

static uint32_t pair_up(void *ctx, uint32_t a, uint32_t b)
{
    ++*(unsigned *)ctx;
    return (a * 10 + b) / 3; // merges some neighbours
}

static void an_overlay_has_the_pair_of_both_values(void **state)
{
    (void)state;
    struct steer_rng rng;
    steer_rng_init(&rng, 2);
    for (unsigned round = 0; round < 300; round++) {
        struct steer_prefix_value items[40];
        struct steer_partition a, b, both;
        unsigned calls = 0;
        size_t half = below(&rng, 21);
        size_t asked;
        random_prefixes(&rng, items, 40, 5);
        steer_partition_from_prefixes(items, half, 0, &a);
        steer_partition_from_prefixes(items + half, 40 - half, 1, &b);
        steer_partition_overlay(&a, &b, pair_up, &calls, &both);
        check_form(&both);
        assert_true(calls <= a.count4 + a.count6 + b.count4 + b.count6);
        struct steer_addr *list = interesting(&rng, items, 40, &asked);
        for (size_t i = 0; i < asked; i++) {
            unsigned unused = 0;
            uint32_t want = pair_up(&unused, naive_value(items, half, 0, &list[i]),
                                    naive_value(items + half, 40 - half, 1, &list[i]));
            assert_int_equal(steer_partition_lookup(&both, &list[i]), want);
        }
        free(list);
        steer_partition_fini(&a);
        steer_partition_fini(&b);
        steer_partition_fini(&both);
    }
}

static void an_append_at_the_same_start_replaces(void **state)
{
    (void)state;
    struct steer_partition p;
    size_t cap = 0;
    steer_partition_init(&p, 0);
    steer_partition_append4(&p, &cap, 0, 5);
    steer_partition_append4(&p, &cap, 100, 6);
    steer_partition_append4(&p, &cap, 200, 6);
    steer_partition_append4(&p, &cap, 300, 7);
    steer_partition_append4(&p, &cap, 300, 6);
    check_form(&p);
    assert_int_equal(p.count4, 2);
    assert_int_equal(p.start4[1], 100);
    steer_partition_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_partition_has_one_value_everywhere),
        cmocka_unit_test(each_address_has_the_value_of_its_longest_prefix),
        cmocka_unit_test(of_equal_prefixes_the_last_wins),
        cmocka_unit_test(an_overlay_has_the_pair_of_both_values),
        cmocka_unit_test(an_append_at_the_same_start_replaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
