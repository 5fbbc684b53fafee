// SPDX-License-Identifier: GPL-3.0-or-later
// The rate limit's table with a virtual clock.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "steerd/base/clock.h"
#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/server/rrl.h"

enum { KIND = 1, TICK_MS = 4 };

static const uint64_t secret[3] = {0x1234567890abcdef, 0xfedcba0987654321, 0x0f1e2d3c4b5a6978};

struct limiter {
    struct steer_rrl *rrl;
    uint64_t now_ns;
};

static struct limiter limiter_of(const struct steer_rrl_settings *settings, size_t sets)
{
    return (struct limiter){steer_rrl_create(settings, secret, sets), 3600 * STEER_NS_PER_S};
}

static struct limiter with_rate(uint32_t rate, uint32_t slip)
{
    return limiter_of(&(struct steer_rrl_settings){.rate = rate, .slip = slip}, 0);
}

static struct steer_addr address(const char *text)
{
    struct steer_addr addr;
    assert_true(steer_addr_parse(text, &addr));
    return addr;
}

static enum steer_rrl_verdict ask_at_cost(struct limiter *l, const char *client, unsigned kind,
                                          uint64_t name, unsigned cost)
{
    const struct steer_addr addr = address(client);
    return steer_rrl_charge(l->rrl, steer_rrl_key(l->rrl, &addr, kind, name), &addr, cost,
                            steer_rrl_time(l->rrl, l->now_ns));
}

static enum steer_rrl_verdict ask(struct limiter *l, const char *client, unsigned kind,
                                  uint64_t name)
{
    return ask_at_cost(l, client, kind, name, 1);
}

// How many of n at once pass.
static unsigned passing(struct limiter *l, const char *client, unsigned kind, uint64_t name,
                        unsigned n)
{
    unsigned passed = 0;
    while (n--)
        passed += ask(l, client, kind, name) == STEER_RRL_PASS;
    return passed;
}

static void wait_ms(struct limiter *l, uint64_t ms)
{
    l->now_ns += ms * STEER_NS_PER_MS;
}

// ---- rate ----------------------------------------------------------------------------------------

static void the_rate_holds_exactly_in_the_mean(void **state)
{
    (void)state;
    static const struct {
        uint32_t rate, seconds;
    } rows[] = {{1, 3600}, {7, 600}, {200, 60}, {1000, 20}, {333333, 1}, {STEER_RRL_RATE_MAX, 1}};
    for (unsigned i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct limiter l = with_rate(rows[i].rate, 2);
        const unsigned flood = rows[i].rate * TICK_MS / 1000 * 2 + 3;
        uint64_t passed = passing(&l, "192.0.2.1", KIND, 5, rows[i].rate);
        for (uint32_t ms = 0; ms < rows[i].seconds * 1000; ms += TICK_MS) {
            wait_ms(&l, TICK_MS);
            passed += passing(&l, "192.0.2.1", KIND, 5, flood);
        }
        assert_int_equal(passed, (uint64_t)rows[i].rate * (1 + rows[i].seconds)); // 1: the burst
        steer_rrl_destroy(l.rrl);
    }
}

static void who_stays_below_the_rate_never_sees_it(void **state)
{
    (void)state;
    struct limiter l = with_rate(200, 2);
    for (unsigned ms = 0; ms < 60000; ms += 5, wait_ms(&l, 5))
        assert_int_equal(ask(&l, "192.0.2.1", KIND, 5), STEER_RRL_PASS);
    steer_rrl_destroy(l.rrl);
}

static void a_burst_of_one_second_passes_however_long_it_was_quiet(void **state)
{
    (void)state;
    struct limiter l = with_rate(200, 2);
    assert_int_equal(passing(&l, "192.0.2.1", KIND, 5, 1000), 200);
    wait_ms(&l, 500);
    assert_int_equal(passing(&l, "192.0.2.1", KIND, 5, 1000), 100);
    static const uint64_t pauses_s[] = {1, 10, 86400, 343597383, 343597384, 3000000000};
    for (unsigned i = 0; i < STEER_ARRAY_LEN(pauses_s); i++) {
        wait_ms(&l, pauses_s[i] * 1000);
        unsigned passed = passing(&l, "192.0.2.1", KIND, 5, 1000);
        // The table's time wraps after 343,597,383.7 s: in that very second an old debt may look new.
        if (pauses_s[i] != 343597383 && pauses_s[i] != 343597384)
            assert_int_equal(passed, 200);
        wait_ms(&l, 2000);
        assert_int_equal(passing(&l, "192.0.2.1", KIND, 5, 1000), 200);
    }
    steer_rrl_destroy(l.rrl);
}

static void a_worker_whose_clock_lags_does_not_forgive(void **state)
{
    (void)state;
    struct limiter l = with_rate(200, 2);
    assert_int_equal(passing(&l, "192.0.2.1", KIND, 5, 1000), 200);
    l.now_ns -= 900 * STEER_NS_PER_MS;
    assert_int_equal(passing(&l, "192.0.2.1", KIND, 5, 1000), 0);
    steer_rrl_destroy(l.rrl);
}

static void every_nth_limited_answer_slips(void **state)
{
    (void)state;
    static const uint32_t slips[] = {0, 1, 2, 3, 10};
    for (unsigned i = 0; i < STEER_ARRAY_LEN(slips); i++) {
        struct limiter l = with_rate(10, slips[i]);
        unsigned limited = 0, let_through = 0;
        for (unsigned n = 0; n < 1000;
             n++, wait_ms(&l, 10)) { // ten times the rate: some pass in between
            enum steer_rrl_verdict verdict = ask(&l, "192.0.2.1", KIND, 5);
            if (verdict == STEER_RRL_PASS)
                continue;
            limited++;
            let_through += verdict == STEER_RRL_SLIPS;
            assert_int_equal(verdict == STEER_RRL_SLIPS, slips[i] && limited % slips[i] == 0);
        }
        assert_in_range(limited, 850, 900);
        assert_int_equal(let_through, slips[i] ? limited / slips[i] : 0);
        steer_rrl_destroy(l.rrl);
    }
}

// ---- what shares a bucket ------------------------------------------------------------------------

static void networks_have_buckets_of_their_own(void **state)
{
    (void)state;
    static const struct {
        uint8_t v4_len, v6_len;
        const char *a, *b;
        bool one;
    } rows[] = {
        {0, 0, "192.0.2.1", "192.0.2.255", true},
        {0, 0, "192.0.2.1", "192.0.3.1", false},
        {32, 0, "192.0.2.1", "192.0.2.2", false},
        {20, 0, "192.0.16.1", "192.0.31.1", true},
        {20, 0, "192.0.16.1", "192.0.32.1", false},
        {0, 0, "2001:db8:0:1200::1", "2001:db8:0:12ff:ffff::", true},
        {0, 0, "2001:db8:0:1200::1", "2001:db8:0:1300::1", false},
        {0, 64, "2001:db8:0:1200::1", "2001:db8:0:1200:ffff::", true},
        {0, 64, "2001:db8:0:1200::1", "2001:db8:0:1201::", false},
        {0, 48, "2001:db8:0:1200::1", "2001:db8:0:ffff::", true},
        {0, 0, "32.1.13.184", "2001:db8::", false}, // the same first octets
    };
    for (unsigned i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        const struct steer_rrl_settings settings = {
            .rate = 10, .v4_len = rows[i].v4_len, .v6_len = rows[i].v6_len};
        struct limiter l = limiter_of(&settings, 0);
        assert_int_equal(passing(&l, rows[i].a, KIND, 5, 20), 10);
        assert_int_equal(passing(&l, rows[i].b, KIND, 5, 20), rows[i].one ? 0 : 10);
        steer_rrl_destroy(l.rrl);
    }
}

static void kinds_have_buckets_of_their_own(void **state)
{
    (void)state;
    struct limiter l = with_rate(10, 0);
    for (unsigned kind = 0; kind < 8; kind++)
        assert_int_equal(passing(&l, "192.0.2.1", kind, 5, 20), 10);
    for (unsigned kind = 0; kind < 8; kind++)
        assert_int_equal(passing(&l, "192.0.2.1", kind, 5, 20), 0);
    steer_rrl_destroy(l.rrl);
}

static void all_names_together_get_sixteen_times_the_rate(void **state)
{
    (void)state;
    struct limiter l = with_rate(10, 0);
    unsigned passed = 0;
    for (uint64_t name = 0; name < 100000; name++)
        passed += passing(&l, "192.0.2.1", KIND, steer_mix64(name), 1);
    assert_int_equal(passed, 160);
    assert_int_equal(passing(&l, "198.51.100.1", KIND, steer_mix64(1), 20), 10);
    steer_rrl_destroy(l.rrl);
}

static void another_secret_puts_buckets_elsewhere(void **state)
{
    (void)state;
    const struct steer_rrl_settings settings = {.rate = 10};
    const struct steer_addr client = address("192.0.2.1");
    for (unsigned i = 0; i < 3; i++) {
        uint64_t other[3] = {secret[0], secret[1], secret[2]};
        other[i] ^= 0x10;
        struct steer_rrl *a = steer_rrl_create(&settings, secret, 0);
        struct steer_rrl *b = steer_rrl_create(&settings, other, 0);
        uint64_t difference =
            steer_rrl_key(a, &client, KIND, 5) ^ steer_rrl_key(b, &client, KIND, 5);
        assert_int_not_equal(difference & 0x7fff, 0);
        assert_int_not_equal(difference >> 40, 0);
        steer_rrl_destroy(a);
        steer_rrl_destroy(b);
    }
}

// ---- a full table --------------------------------------------------------------------------------

// Four buckets in all: whoever floods stays limited, and nobody else pays for it.
static void whom_a_collision_meets_is_not_limited(void **state)
{
    (void)state;
    static const char *const attackers[] = {"198.51.100.1", "203.0.113.1", "192.0.2.1"};
    struct limiter l = limiter_of(&(struct steer_rrl_settings){.rate = 100}, 1);
    unsigned passed[3] = {0};
    for (unsigned ms = 0; ms < 30000; ms += TICK_MS, wait_ms(&l, TICK_MS)) {
        for (unsigned a = 0; a < 3; a++)
            passed[a] += passing(&l, attackers[a], KIND, 5, 20);
        char innocent[32];
        snprintf(innocent, sizeof innocent, "10.0.%u.1", ms / TICK_MS % 250);
        assert_int_equal(ask(&l, innocent, KIND, 5), STEER_RRL_PASS);
    }
    for (unsigned a = 0; a < 3; a++)
        assert_in_range(passed[a], 1, 3300); // 30 s and the bursts of the first moments
    steer_rrl_destroy(l.rrl);
}

// The one that stays below the rate keeps passing, whatever the others do.
static void a_flood_from_everywhere_limits_nobody_who_is_slow(void **state)
{
    (void)state;
    struct limiter l = limiter_of(&(struct steer_rrl_settings){.rate = 100}, 16);
    struct steer_rng rng;
    steer_rng_init(&rng, 7);
    for (unsigned ms = 0; ms < 10000; ms += TICK_MS, wait_ms(&l, TICK_MS)) {
        for (unsigned n = 0; n < 200; n++) {
            char other[32];
            snprintf(other, sizeof other, "10.%u.0.1", (unsigned)(steer_rng_next(&rng) % 250));
            (void)!passing(&l, other, KIND, 5, 1);
        }
        if (ms % 20 == 0)
            assert_int_equal(ask(&l, "192.0.2.1", KIND, 5), STEER_RRL_PASS);
    }
    steer_rrl_destroy(l.rrl);
}

// ---- the allow-list ------------------------------------------------------------------------------

static void whoever_is_allowed_always_passes(void **state)
{
    (void)state;
    static const struct {
        const char *allow, *client;
        bool allowed;
    } rows[] = {
        {"127.0.0.0/8", "127.9.9.9", true},
        {"127.0.0.0/8", "128.0.0.1", false},
        {"192.0.2.128/25", "192.0.2.129", true},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"::1/128", "::1", true},
        {"::1/128", "::2", false},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"0.0.0.0/0", "192.0.2.1", true},
        {"0.0.0.0/0", "2001:db8::1", false},
    };
    for (unsigned i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_prefix allow[2];
        assert_true(steer_prefix_parse("203.0.113.0/24", &allow[0], NULL));
        assert_true(steer_prefix_parse(rows[i].allow, &allow[1], NULL));
        const struct steer_rrl_settings settings = {.rate = 10, .allow = allow, .allow_count = 2};
        struct limiter l = limiter_of(&settings, 0);
        assert_int_equal(passing(&l, rows[i].client, KIND, 5, 100), rows[i].allowed ? 100 : 10);
        steer_rrl_destroy(l.rrl);
    }
}

static void the_allowed_are_counted_like_everyone(void **state)
{
    (void)state;
    struct steer_prefix allow;
    assert_true(steer_prefix_parse("192.0.2.1/32", &allow, NULL));
    const struct steer_rrl_settings settings = {.rate = 10, .allow = &allow, .allow_count = 1};
    struct limiter l = limiter_of(&settings, 0);
    assert_int_equal(passing(&l, "192.0.2.1", KIND, 5, 100), 100);
    assert_int_equal(passing(&l, "192.0.2.2", KIND, 5, 100), 0); // of the same network
    steer_rrl_destroy(l.rrl);
}

static void an_answer_may_count_as_many(void **state)
{
    (void)state;
    static const struct {
        uint32_t rate;
        unsigned cost, at_once, in_ten_seconds;
    } rows[] = {{100, 10, 10, 110}, {100, 33, 4, 34}, {100, 100, 1, 11},
                {100, 5000, 1, 11}, {1, 10, 1, 11},   {1000, 1, 1000, 11000}};
    for (unsigned i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct limiter l = with_rate(rows[i].rate, 0);
        unsigned passed = 0;
        for (unsigned k = 0; k < 20000; k++) {
            passed += ask_at_cost(&l, "192.0.2.1", KIND, 1, rows[i].cost) == STEER_RRL_PASS;
            if (k == 9999)
                assert_int_equal(passed, rows[i].at_once);
            if (k >= 9999)
                l.now_ns += STEER_NS_PER_MS;
        }
        assert_in_range(passed, rows[i].in_ten_seconds - 1, rows[i].in_ten_seconds + 1);
        steer_rrl_destroy(l.rrl);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_holds_exactly_in_the_mean),
        cmocka_unit_test(who_stays_below_the_rate_never_sees_it),
        cmocka_unit_test(a_burst_of_one_second_passes_however_long_it_was_quiet),
        cmocka_unit_test(a_worker_whose_clock_lags_does_not_forgive),
        cmocka_unit_test(every_nth_limited_answer_slips),
        cmocka_unit_test(networks_have_buckets_of_their_own),
        cmocka_unit_test(kinds_have_buckets_of_their_own),
        cmocka_unit_test(all_names_together_get_sixteen_times_the_rate),
        cmocka_unit_test(another_secret_puts_buckets_elsewhere),
        cmocka_unit_test(whom_a_collision_meets_is_not_limited),
        cmocka_unit_test(a_flood_from_everywhere_limits_nobody_who_is_slow),
        cmocka_unit_test(whoever_is_allowed_always_passes),
        cmocka_unit_test(the_allowed_are_counted_like_everyone),
        cmocka_unit_test(an_answer_may_count_as_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
