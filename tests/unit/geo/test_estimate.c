// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/base/hash.h"
#include "steerd/geo/estimate.h"

enum { HOUR = 3600, NOW = 1800000000 };

// ---- one estimate, against all its samples -------------------------------------------------------

struct sample {
    uint64_t at;
    double us, weight;
};

static int by_time(const void *a, const void *b)
{
    const struct sample *x = a, *y = b;
    return x->us < y->us ? -1 : x->us > y->us;
}

// The weighted quantile of the samples themselves, each half as heavy after each half-life.
static double plain_quantile(struct sample *samples, size_t count, double share, uint64_t now,
                             uint32_t half_life_s, double *weight)
{
    *weight = 0;
    for (size_t i = 0; i < count; i++) {
        samples[i].weight = pow(0.5, (double)(now - samples[i].at) / half_life_s);
        *weight += samples[i].weight;
    }
    qsort(samples, count, sizeof *samples, by_time);
    double left = share * *weight;
    for (size_t i = 0; i < count; i++)
        if ((left -= samples[i].weight) <= 0)
            return samples[i].us;
    return samples[count - 1].us;
}

static void quantiles_are_those_of_the_decayed_samples(void **state)
{
    (void)state;
    struct steer_rng rng;
    steer_rng_init(&rng, 7);
    for (unsigned round = 0; round < 60; round++) {
        enum { SAMPLES = 400 };
        struct sample samples[SAMPLES];
        struct steer_estimate e = {0};
        const uint32_t half_life = HOUR * (1 + round % 24);
        const double middle = 1000 * exp2((double)(round % 8));
        uint64_t now = NOW;
        for (size_t i = 0; i < SAMPLES; i++) {
            now += steer_rng_next(&rng) % 600;
            // Within an octave, so that no bin must be merged.
            const double us = floor(middle * exp2((double)(steer_rng_next(&rng) % 1000) / 1000));
            samples[i] = (struct sample){now, us, 0};
            steer_estimate_add(&e, (uint32_t)us, now, half_life);
        }
        now += 1234;
        double weight;
        static const double shares[] = {0.25, 0.5, 0.75};
        for (size_t q = 0; q < 3; q++) {
            const double wanted =
                plain_quantile(samples, SAMPLES, shares[q], now, half_life, &weight);
            const double got = steer_estimate_quantile_us(&e, shares[q]);
            if (fabs(got / wanted - 1) > 0.05)
                fail_msg("round %u: the %.2f quantile is %.0f, not %.0f", round, shares[q], got,
                         wanted);
        }
        assert_true(fabs(steer_estimate_weight(&e, now, half_life) / weight - 1) < 0.01);
    }
}

static void a_sample_weighs_half_after_each_half_life(void **state)
{
    (void)state;
    struct steer_estimate e = {0};
    steer_estimate_add(&e, 20000, NOW, HOUR);
    assert_true(fabs(steer_estimate_weight(&e, NOW, HOUR) - 1) < 1e-6);
    assert_true(fabs(steer_estimate_weight(&e, NOW + HOUR, HOUR) - 0.5) < 1e-6);
    assert_true(fabs(steer_estimate_weight(&e, NOW + 3 * HOUR, HOUR) - 0.125) < 1e-6);
    // A clock that goes back makes nothing heavier.
    assert_true(fabs(steer_estimate_weight(&e, NOW - HOUR, HOUR) - 1) < 1e-6);
    steer_estimate_add(&e, 20000, NOW - HOUR, HOUR);
    assert_true(fabs(steer_estimate_weight(&e, NOW, HOUR) - 2) < 1e-6);
    assert_int_equal(e.at_unix_s, NOW);
    // After twelve half-lives the old ones are forgotten.
    steer_estimate_add(&e, 90000, NOW + 12 * HOUR, HOUR);
    assert_int_equal(e.count, 1);
}

static void a_few_outliers_do_not_move_the_median(void **state)
{
    (void)state;
    struct steer_estimate e = {0};
    for (unsigned i = 0; i < 60; i++)
        steer_estimate_add(&e, 20000 + 10 * i, NOW + i, HOUR);
    const uint32_t before = steer_estimate_quantile_us(&e, 0.5);
    for (unsigned i = 0; i < 15; i++)
        steer_estimate_add(&e, STEER_ESTIMATE_MAX_US, NOW + 60, HOUR);
    const uint32_t after = steer_estimate_quantile_us(&e, 0.5);
    assert_true(after >= before && after - before < 1000);
}

static void bins_stay_in_order_and_within_their_bound(void **state)
{
    (void)state;
    struct steer_estimate e = {0};
    struct steer_rng rng;
    steer_rng_init(&rng, 3);
    for (unsigned i = 0; i < 5000; i++) {
        steer_estimate_add(&e, (uint32_t)(1 + steer_rng_next(&rng) % STEER_ESTIMATE_MAX_US), NOW,
                           HOUR);
        assert_in_range(e.count, 1, STEER_ESTIMATE_BINS);
        for (unsigned k = 1; k < e.count; k++)
            assert_true(e.bins[k - 1] < e.bins[k]);
    }
    assert_true(fabs(steer_estimate_weight(&e, NOW, HOUR) - 5000) < 1); // merging loses nothing
    assert_in_range(steer_estimate_quantile_us(&e, 0.5), 4000000, 6000000);
}

static void the_ends_of_the_range_have_bins(void **state)
{
    (void)state;
    static const uint32_t times[] = {1, 250, 251, 999, 1000, 20000, 9999999, STEER_ESTIMATE_MAX_US};
    for (size_t i = 0; i < STEER_ARRAY_LEN(times); i++) {
        struct steer_estimate e = {0};
        steer_estimate_add(&e, times[i], NOW, HOUR);
        const double got = steer_estimate_quantile_us(&e, 0.5);
        assert_true(times[i] <= 250 ? got < 270 : fabs(got / times[i] - 1) < 0.023);
    }
    assert_int_equal(steer_estimate_quantile_us(&(struct steer_estimate){0}, 0.5), 0);
}

// ---- the set -------------------------------------------------------------------------------------

static struct steer_latency_row of(unsigned network, const char *site, uint32_t us)
{
    struct steer_latency_row row = {.of = STEER_LATENCY_CIDR, .site = site, .rtt_us = us};
    row.network.addr.family = STEER_V4;
    row.network.addr.octets[0] = 10;
    row.network.addr.octets[1] = (uint8_t)(network >> 8);
    row.network.addr.octets[2] = (uint8_t)network;
    row.network.len = 24;
    return row;
}

static bool add(struct steer_estimates *set, unsigned network, uint64_t now)
{
    const struct steer_latency_row row = of(network, "fra", 20000);
    return steer_estimates_add(set, &row, now, now / HOUR, 1000);
}

static bool has(const struct steer_estimates *set, unsigned network)
{
    const struct steer_latency_row wanted = of(network, "fra", 0);
    for (size_t i = 0; i < steer_estimates_count(set); i++) {
        const struct steer_latency_row *who;
        steer_estimates_at(set, i, &who);
        if (steer_addr_equal(&who->network.addr, &wanted.network.addr))
            return true;
    }
    return false;
}

static void the_lightest_one_makes_room(void **state)
{
    (void)state;
    struct steer_estimates *set = steer_estimates_create(HOUR, 3);
    for (unsigned network = 1; network <= 3; network++)
        for (unsigned i = 0; i < 4 * network; i++)
            add(set, network, NOW);
    add(set, 9, NOW);
    assert_int_equal(steer_estimates_count(set), 3);
    assert_false(has(set, 1));
    assert_true(has(set, 2) && has(set, 3) && has(set, 9));
    // 3 had 12, which are 1.5 after three hours; 2 has 8 and one more: 2. 9 has its one of now and is the lightest.
    add(set, 2, NOW + 3 * HOUR);
    add(set, 9, NOW + 3 * HOUR);
    add(set, 5, NOW + 3 * HOUR);
    assert_true(has(set, 2) && has(set, 3) && has(set, 5));
    steer_estimates_destroy(set);
}

// The set against a plain list of weights that is searched each time.
static void eviction_is_that_of_a_plain_search(void **state)
{
    (void)state;
    enum { NETWORKS = 60, ROOM = 20 };
    double weights[NETWORKS] = {0}; // as of `now`; 0: not there
    struct steer_rng rng;
    uint64_t now = NOW;
    struct steer_estimates *set = steer_estimates_create(HOUR, ROOM);
    steer_rng_init(&rng, 11);
    for (unsigned step = 0; step < 6000; step++) {
        const uint64_t later = now + steer_rng_next(&rng) % 40;
        for (unsigned i = 0; i < NETWORKS; i++)
            weights[i] *= pow(0.5, (double)(later - now) / HOUR);
        now = later;
        const unsigned network = (unsigned)(steer_rng_next(&rng) % NETWORKS);
        unsigned there = 0, least = NETWORKS;
        for (unsigned i = 0; i < NETWORKS; i++) {
            there += weights[i] > 0;
            if (weights[i] > 0 && (least == NETWORKS || weights[i] < weights[least]))
                least = i;
        }
        if (!(weights[network] > 0) && there == ROOM)
            weights[least] = 0;
        weights[network] += 1;
        add(set, network, now);
        assert_true(has(set, network));
    }
    for (unsigned i = 0; i < NETWORKS; i++)
        assert_int_equal(has(set, i), weights[i] > 0);
    steer_estimates_destroy(set);
}

static void a_network_counts_so_often_in_a_window(void **state)
{
    (void)state;
    struct steer_estimates *set = steer_estimates_create(HOUR, 10);
    const struct steer_latency_row fra = of(1, "fra", 20000), iad = of(1, "iad", 90000);
    for (unsigned i = 0; i < 3; i++)
        assert_true(steer_estimates_add(set, &fra, NOW, 7, 3));
    assert_false(steer_estimates_add(set, &fra, NOW, 7, 3));
    assert_true(steer_estimates_add(set, &iad, NOW, 7, 3)); // each site by itself
    assert_true(steer_estimates_add(set, &fra, NOW + 1, 8, 3));
    steer_estimates_destroy(set);
}

struct told {
    unsigned puts, gones;
    char last[80];
};

static enum steer_err told_put(void *ctx, const char *client, const char *site,
                               const struct steer_estimate *estimate)
{
    struct told *t = ctx;
    assert_true(estimate->count > 0);
    t->puts++;
    snprintf(t->last, sizeof t->last, "%s %s", client, site);
    return STEER_OK;
}

static enum steer_err told_gone(void *ctx, const char *client, const char *site)
{
    struct told *t = ctx;
    t->gones++;
    snprintf(t->last, sizeof t->last, "%s %s", client, site);
    return STEER_OK;
}

static struct told changes(struct steer_estimates *set)
{
    struct told t = {0};
    const struct steer_estimates_writer writer = {told_gone, told_put, &t};
    assert_int_equal(steer_estimates_changes(set, &writer), STEER_OK);
    return t;
}

static bool is_odd(const void *ctx, const struct steer_latency_row *who)
{
    (void)ctx;
    return who->network.addr.octets[2] % 2;
}

static void a_clock_that_was_set_back_keeps_nothing_for_ever(void **state)
{
    (void)state;
    enum { YEAR = 365 * 24 * HOUR };
    struct steer_estimates *set = steer_estimates_create(HOUR, 2);
    struct steer_latency_row who = {
        .of = STEER_LATENCY_ASN, .asn = 1, .site = "fra", .rtt_us = 9000};
    const struct steer_latency_row *found;
    for (unsigned i = 0; i < 4; i++)
        steer_estimates_add(set, &who, NOW + YEAR, 1, UINT32_MAX);
    steer_estimates_saved(set);
    steer_estimates_prune(set, NOW, 0.05);
    const struct steer_estimate *e = steer_estimates_at(set, 0, &found);
    assert_float_equal(steer_estimate_weight(e, NOW, HOUR), 4, 0.001);
    assert_float_equal(steer_estimate_weight(e, NOW + HOUR, HOUR), 2, 0.001);
    // It makes room like another, too.
    for (who.asn = 2; who.asn <= 3; who.asn++)
        for (unsigned i = 0; i < 4; i++)
            steer_estimates_add(set, &who, NOW + HOUR, 1, UINT32_MAX);
    for (size_t i = 0; i < steer_estimates_count(set); i++) {
        (void)steer_estimates_at(set, i, &found);
        assert_int_not_equal(found->asn, 1);
    }
    steer_estimates_destroy(set);
}

static void what_changed_is_told_once_it_is_not_saved(void **state)
{
    (void)state;
    struct steer_estimates *set = steer_estimates_create(HOUR, 10);
    for (unsigned i = 0; i < 10; i++)
        add(set, i, NOW);
    assert_int_equal(changes(set).puts, 10);
    assert_int_equal(changes(set).puts, 10);
    steer_estimates_saved(set);
    assert_int_equal(changes(set).puts, 0);
    add(set, 4, NOW);
    const struct told one = changes(set);
    assert_int_equal(one.puts, 1);
    assert_string_equal(one.last, "10.0.4.0/24 fra");
    add(set, 7, NOW);
    steer_estimates_drop(set, is_odd, NULL); // 7 among them, which had changed
    assert_int_equal(steer_estimates_count(set), 5);
    struct told after = changes(set);
    assert_int_equal(after.gones, 5);
    assert_int_equal(after.puts, 1);
    assert_string_equal(after.last, "10.0.4.0/24 fra");
    steer_estimates_saved(set);
    add(set, 8, NOW + 9 * HOUR);
    steer_estimates_prune(set, NOW + 9 * HOUR, 0.05);
    assert_int_equal(steer_estimates_count(set), 1);
    after = changes(set);
    assert_int_equal(after.gones, 4);
    assert_string_equal(after.last, "10.0.8.0/24 fra");
    steer_estimates_destroy(set);
}

// What a store has that was told of all changes.
struct shadow {
    bool there[64];
    struct steer_estimate as[64];
};

static unsigned number_of(const char *client)
{
    unsigned number;
    assert_int_equal(sscanf(client, "10.0.%u.0/24", &number), 1);
    return number;
}

static enum steer_err shadow_gone(void *ctx, const char *client, const char *site)
{
    struct shadow *s = ctx;
    (void)site;
    s->there[number_of(client)] = false;
    return STEER_OK;
}

static enum steer_err shadow_put(void *ctx, const char *client, const char *site,
                                 const struct steer_estimate *estimate)
{
    struct shadow *s = ctx;
    (void)site;
    s->there[number_of(client)] = true;
    s->as[number_of(client)] = *estimate;
    return STEER_OK;
}

static void a_store_that_was_told_all_changes_has_the_set(void **state)
{
    (void)state;
    struct shadow s = {0};
    struct steer_rng rng;
    uint64_t now = NOW;
    const struct steer_estimates_writer writer = {shadow_gone, shadow_put, &s};
    struct steer_estimates *set = steer_estimates_create(HOUR, 24);
    steer_rng_init(&rng, 5);
    for (unsigned step = 0; step < 8000; step++) {
        now += steer_rng_next(&rng) % 60;
        add(set, (unsigned)(steer_rng_next(&rng) % 64), now);
        if (steer_rng_next(&rng) % 50 == 0)
            steer_estimates_prune(set, now, 0.5);
        if (steer_rng_next(&rng) % 200 == 0)
            steer_estimates_drop(set, is_odd, NULL);
        if (steer_rng_next(&rng) % 9 != 0)
            continue;
        assert_int_equal(steer_estimates_changes(set, &writer), STEER_OK);
        steer_estimates_saved(set);
        size_t there = 0;
        for (unsigned i = 0; i < 64; i++)
            there += s.there[i];
        assert_int_equal(there, steer_estimates_count(set));
        for (size_t i = 0; i < there; i++) {
            const struct steer_latency_row *who;
            const struct steer_estimate *e = steer_estimates_at(set, i, &who);
            const uint8_t number = who->network.addr.octets[2];
            assert_true(s.there[number]);
            assert_memory_equal(&s.as[number], e, sizeof *e);
        }
    }
    steer_estimates_destroy(set);
}

static void new_limits_hold_for_what_is_there(void **state)
{
    (void)state;
    struct steer_estimates *set = steer_estimates_create(HOUR, 50);
    for (unsigned i = 0; i < 50; i++) // the later ones are lighter, and newer
        for (unsigned k = 0; k < 50 - i; k++)
            add(set, i, NOW + i * (uint64_t)HOUR);
    // By half-lives of an hour the newest are worth most; by those of a year the heaviest are.
    steer_estimates_limit(set, 8760 * HOUR, 20);
    assert_int_equal(steer_estimates_count(set), 20);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(has(set, i), i < 20);
    steer_estimates_destroy(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_those_of_the_decayed_samples),
        cmocka_unit_test(a_sample_weighs_half_after_each_half_life),
        cmocka_unit_test(a_few_outliers_do_not_move_the_median),
        cmocka_unit_test(bins_stay_in_order_and_within_their_bound),
        cmocka_unit_test(the_ends_of_the_range_have_bins),
        cmocka_unit_test(the_lightest_one_makes_room),
        cmocka_unit_test(eviction_is_that_of_a_plain_search),
        cmocka_unit_test(a_network_counts_so_often_in_a_window),
        cmocka_unit_test(a_clock_that_was_set_back_keeps_nothing_for_ever),
        cmocka_unit_test(what_changed_is_told_once_it_is_not_saved),
        cmocka_unit_test(a_store_that_was_told_all_changes_has_the_set),
        cmocka_unit_test(new_limits_hold_for_what_is_there),
    };
    return cmocka_run_group_tests_name("geo/estimate", tests, NULL, NULL);
}
