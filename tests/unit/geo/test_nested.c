// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/base/hash.h"
#include "steerd/geo/nested.h"

static struct steer_prefix prefix(const char *text)
{
    struct steer_prefix p;
    if (!steer_prefix_parse(text, &p, NULL))
        fail_msg("%s is no prefix", text);
    return p;
}

static void the_longest_that_holds_a_network_is_found(void **state)
{
    (void)state;
    static const char *const texts[] = {"192.0.2.0/24",   "192.0.0.0/16", "192.0.2.128/25",
                                        "2001:db8::/32",  "192.0.2.0/24", "2001:db8:1::/48",
                                        "198.51.100.7/32"};
    struct steer_nested items[7];
    for (uint32_t i = 0; i < 7; i++)
        items[i] = (struct steer_nested){prefix(texts[i]), i, 0};
    assert_int_equal(steer_nested_sort(items, 7), 6);
    static const struct {
        const char *network;
        int value; // -1: none
    } rows[] = {
        {"192.0.2.1/32", 0},     {"192.0.2.200/32", 2}, {"192.0.2.128/25", 2},
        {"192.0.2.0/24", 0},     {"192.0.3.0/24", 1},   {"192.0.255.255/32", 1},
        {"192.1.0.0/32", -1},    {"0.0.0.0/0", -1},     {"2001:db8:1:2::/64", 5},
        {"2001:db8:2::/48", 3},  {"2001:db9::/32", -1}, {"198.51.100.7/32", 6},
        {"198.51.100.6/32", -1}, {"::/0", -1},          {"192.0.0.0/15", -1},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_prefix p = prefix(rows[i].network);
        uint32_t at = steer_nested_find(items, 6, &p);
        int got = at == STEER_NESTED_NONE ? -1 : (int)items[at].value;
        if (got != rows[i].value)
            fail_msg("%s: %d, wanted %d", rows[i].network, got, rows[i].value);
    }
    assert_int_equal(steer_nested_find(items, 0, &(struct steer_prefix){0}), STEER_NESTED_NONE);
}

static bool holds(const struct steer_prefix *outer, const struct steer_prefix *inner)
{
    return outer->len <= inner->len && steer_prefix_contains(outer, &inner->addr);
}

static void random_sets_agree_with_looking_at_each(void **state)
{
    (void)state;
    struct steer_rng rng;
    steer_rng_init(&rng, 20);
    for (int round = 0; round < 2000; round++) {
        struct steer_nested items[24], before[24];
        size_t count = steer_rng_next(&rng) % 24;
        for (size_t i = 0; i < count; i++) {
            uint64_t r = steer_rng_next(&rng);
            struct steer_prefix *p = &items[i].prefix;
            *p = (struct steer_prefix){{.family = r & 1 ? STEER_V4 : STEER_V6},
                                       (uint8_t)((r >> 1) % 20)};
            p->addr.octets[0] = (uint8_t)(r >> 16 & 0x81);
            p->addr.octets[1] = (uint8_t)(r >> 24);
            steer_addr_mask(&p->addr, p->len);
            items[i].value = (uint32_t)i;
        }
        memcpy(before, items, sizeof items);
        size_t kept = steer_nested_sort(items, count);
        for (size_t k = 0; k < 50; k++) {
            uint64_t r = steer_rng_next(&rng);
            struct steer_prefix wanted = {{.family = r & 1 ? STEER_V4 : STEER_V6},
                                          (uint8_t)((r >> 1) % 25)};
            wanted.addr.octets[0] = (uint8_t)(r >> 16 & 0x81);
            wanted.addr.octets[1] = (uint8_t)(r >> 24);
            steer_addr_mask(&wanted.addr, wanted.len);
            const struct steer_nested *best = NULL;
            for (size_t i = 0; i < count; i++)
                if (holds(&before[i].prefix, &wanted) &&
                    (!best || before[i].prefix.len > best->prefix.len))
                    best = &before[i];
            uint32_t at = steer_nested_find(items, kept, &wanted);
            assert_int_equal(at == STEER_NESTED_NONE, best == NULL);
            if (best)
                assert_int_equal(items[at].value, best->value);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_that_holds_a_network_is_found),
        cmocka_unit_test(random_sets_agree_with_looking_at_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
