// SPDX-License-Identifier: GPL-3.0-or-later
// Sums of clients by exact shares.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>

#include "policy/tally.h"
#include "steerd/base/hash.h"

static void expect(const struct tally *t, uint64_t all, const char *wanted)
{
    char got[TALLY_TEXT_MAX];
    assert_string_equal(tally_format(t, all, got), wanted);
}

static void shares_of_many_denominators_add_up_exactly(void **state)
{
    (void)state;
    struct tally t = {0, 0};
    expect(&t, 10, "0/1");
    assert_false(tally_any(&t));
    tally_add(&t, 4, (struct steer_share){1, 2});
    tally_add(&t, 3, (struct steer_share){1, 3});
    tally_add(&t, 3, (struct steer_share){0, 1});
    expect(&t, 10, "3/10");
    // More than 64 bits: nearly all /48s by 1/3, one by a large prime (the sum was worked out elsewhere).
    struct tally large = {0, 0};
    const uint64_t all = UINT64_C(1) << 48;
    tally_add(&large, all - 1, (struct steer_share){1, 3});
    tally_add(&large, 1, (struct steer_share){1, 4294967291});
    expect(&large, all, "50371909091968749841067/151115727275906786394112");
}

static void what_has_no_common_denominator_is_rounded_and_still_adds_up(void **state)
{
    (void)state;
    static const uint64_t primes[] = {4294967291, 4294967279, 4294967231, 4294967197, 4294967189};
    struct tally t = {0, 0};
    for (unsigned i = 0; i < 5; i++) {
        tally_add(&t, 1000, (struct steer_share){1, primes[i]});
        tally_add(&t, 1000, (struct steer_share){primes[i] - 1, primes[i]});
    }
    assert_true(fabs(tally_part(&t, 5000) - 1) < 1e-15);
    assert_true(fabs(tally_part(&t, 10000) - 0.5) < 1e-15);
}

static void any_two_are_in_order(void **state)
{
    (void)state;
    struct steer_rng rng;
    steer_rng_init(&rng, 3);
    for (unsigned i = 0; i < 2000; i++) {
        const uint64_t a = steer_rng_next(&rng) % 1000, b = 1 + steer_rng_next(&rng) % 1000;
        const uint64_t c = steer_rng_next(&rng) % 1000, d = 1 + steer_rng_next(&rng) % 1000;
        const struct tally x = {a, b}, y = {c, d};
        const int wanted = a * d < c * b ? -1 : a * d > c * b;
        assert_int_equal(tally_compare(&x, &y), wanted);
        assert_int_equal(tally_compare(&y, &x), -wanted);
    }
    const tally_wide most = ~(tally_wide)0;
    const struct tally x = {most, UINT64_MAX}, y = {most - 1, UINT64_MAX};
    assert_true(tally_compare(&x, &y) > 0 && tally_compare(&x, &x) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_of_many_denominators_add_up_exactly),
        cmocka_unit_test(what_has_no_common_denominator_is_rounded_and_still_adds_up),
        cmocka_unit_test(any_two_are_in_order),
    };
    return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
