// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/base/buf.h"
#include "steerd/geo/freeze.h"

enum { NOW = 1800000000, DAY = 86400, MS = 1000 };

struct fixture {
    struct steer_geo *geo;
    struct steer_estimates *estimates;
    struct steer_latency *uploaded, *frozen;
    uint64_t now;
};

static struct steer_latency_row row_of(const char *client, const char *site, double ms)
{
    struct steer_latency_row row = {.site = site, .rtt_us = (uint32_t)(ms * MS)};
    assert_true(steer_latency_client_parse(client, &row));
    return row;
}

static void setup(struct fixture *f)
{
    // 192.0.2.0/24 is EU-DE there, 198.51.100.0/24 NA-US in two halves.
    const char *files[] = {STEER_SOURCE_DIR "/geodata/city.mmdb",
                           STEER_SOURCE_DIR "/geodata/asn.mmdb"};
    struct steer_diag diag = {0};
    *f = (struct fixture){.now = NOW, .estimates = steer_estimates_create(DAY, 1000)};
    if (steer_geo_open(files, 2, NULL, &f->geo, &diag) != STEER_OK)
        fail_msg("%s", diag.message);
}

static void teardown(struct fixture *f)
{
    steer_geo_unref(f->geo);
    steer_estimates_destroy(f->estimates);
    steer_latency_unref(f->uploaded);
    steer_latency_unref(f->frozen);
}

static void measure(struct fixture *f, const char *client, const char *site, double ms,
                    unsigned times)
{
    const struct steer_latency_row row = row_of(client, site, ms);
    while (times--)
        assert_true(steer_estimates_add(f->estimates, &row, f->now, 1, UINT32_MAX));
}

// Starts afresh: the estimate is what is measured from now on.
static void forget(struct fixture *f)
{
    steer_estimates_destroy(f->estimates);
    f->estimates = steer_estimates_create(DAY, 1000);
}

static void upload(struct fixture *f, const char *client, const char *site, double ms)
{
    const struct steer_latency_row row = row_of(client, site, ms);
    struct steer_latency *one = steer_latency_build(&row, 1);
    struct steer_latency *both = steer_latency_overlay(f->uploaded, one, 0);
    steer_latency_unref(one);
    steer_latency_unref(f->uploaded);
    f->uploaded = both;
}

static size_t freeze_by(struct fixture *f, uint32_t hysteresis_us, double min_weight)
{
    const struct steer_freeze freeze = {f->estimates, f->uploaded,   f->frozen,  f->geo, f->now,
                                        5 * MS,       hysteresis_us, min_weight, NULL,   NULL};
    struct steer_latency *next = steer_latency_freeze(&freeze);
    const size_t changes = steer_latency_differences(f->frozen, next);
    steer_latency_unref(f->frozen);
    f->frozen = next;
    return changes;
}

static size_t freeze(struct fixture *f)
{
    return freeze_by(f, 2500, 10);
}

// "CLIENT SITE MS; ..." of the frozen rows.
static void assert_frozen(const struct fixture *f, const char *wanted)
{
    struct steer_buf got = {0};
    char client[64];
    steer_buf_puts(&got, "");
    for (size_t i = 0; i < steer_latency_count(f->frozen); i++) {
        const struct steer_latency_row *row = steer_latency_at(f->frozen, i);
        steer_buf_printf(&got, "%s%s %s %g", i ? "; " : "",
                         steer_latency_client_format(row, client, sizeof client), row->site,
                         row->rtt_us / 1000.0);
    }
    assert_string_equal(got.data, wanted);
    steer_buf_fini(&got);
}

static void values_stand_on_steps(void **state)
{
    (void)state;
    static const struct {
        double ms;
        unsigned frozen;
    } rows[] = {{1, 0}, {3, 5}, {7, 5}, {8, 10}, {12, 10}, {13, 15}, {42, 40}, {300, 300}};
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct fixture f;
        char wanted[64];
        setup(&f);
        measure(&f, "192.0.2.0/24", "fra", rows[i].ms, 20);
        assert_int_equal(freeze(&f), 1);
        snprintf(wanted, sizeof wanted, "192.0.2.0/24 fra %u", rows[i].frozen);
        assert_frozen(&f, wanted);
        teardown(&f);
    }
}

// What stood at 20 ms, which is what 17.5 to 22.5 round to, moves when the estimate is beyond that by the margin.
static void a_value_moves_when_the_estimate_has_clearly_left_it(void **state)
{
    (void)state;
    static const struct {
        double ms;
        uint32_t hysteresis_us;
        unsigned frozen;
    } rows[] = {
        {22, 2500, 20}, {23, 2500, 20}, {24.3, 2500, 20}, {26, 2500, 25},   {29, 2500, 30},
        {17, 2500, 20}, {16, 2500, 20}, {14, 2500, 15},   {23.5, 0, 25},    {22, 0, 20},
        {16.7, 0, 15},  {26, 5000, 20}, {29, 5000, 30},   {100, 5000, 100},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct fixture f;
        char wanted[64];
        setup(&f);
        measure(&f, "192.0.2.0/24", "fra", 20, 20);
        freeze(&f);
        assert_frozen(&f, "192.0.2.0/24 fra 20");
        forget(&f);
        measure(&f, "192.0.2.0/24", "fra", rows[i].ms, 20);
        const size_t changes = freeze_by(&f, rows[i].hysteresis_us, 10);
        snprintf(wanted, sizeof wanted, "192.0.2.0/24 fra %u", rows[i].frozen);
        assert_frozen(&f, wanted);
        assert_int_equal(changes, rows[i].frozen != 20);
        teardown(&f);
    }
}

static void an_estimate_on_the_edge_of_two_steps_does_not_flap(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    measure(&f, "192.0.2.0/24", "fra", 22, 20);
    freeze(&f);
    for (unsigned i = 0; i < 20; i++) {
        forget(&f);
        measure(&f, "192.0.2.0/24", "fra", i % 2 ? 21.8 : 23.2, 20);
        assert_int_equal(freeze(&f), 0);
    }
    teardown(&f);
}

static void as_many_samples_as_a_row_needs_make_one_at_the_end_of_the_interval(void **state)
{
    (void)state;
    static const unsigned needed[] = {1, 2, 10};
    for (size_t i = 0; i < STEER_ARRAY_LEN(needed); i++) {
        struct fixture f;
        setup(&f);
        measure(&f, "203.0.113.0/24", "fra", 20, needed[i] - 1);
        f.now += 1;
        assert_int_equal(freeze_by(&f, 0, needed[i]), 0);
        measure(&f, "203.0.113.0/24", "fra", 20, 1);
        f.now += 3600;
        assert_int_equal(freeze_by(&f, 0, needed[i]), 1);
        teardown(&f);
    }
}

static void a_row_needs_weight_to_come_and_half_of_it_to_stay(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    measure(&f, "192.0.2.0/24", "fra", 20, 9);
    assert_int_equal(freeze(&f), 0);
    measure(&f, "192.0.2.0/24", "fra", 20, 3);
    assert_int_equal(freeze(&f), 1);
    f.now += DAY; // 6 left
    assert_int_equal(freeze(&f), 0);
    f.now += DAY; // 3 left
    assert_int_equal(freeze(&f), 1);
    assert_frozen(&f, "");
    teardown(&f);
}

static void what_the_broader_row_says_is_not_said_again(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    measure(&f, "EU-DE", "fra", 20, 40);
    measure(&f, "192.0.2.0/24", "fra", 21, 20); // as its country
    measure(&f, "192.0.2.0/24", "iad", 95, 20); // the country has none
    measure(&f, "EU-FR", "fra", 20, 20);        // another country
    freeze(&f);
    assert_frozen(&f, "192.0.2.0/24 iad 95; EU-DE fra 20; EU-FR fra 20");
    // The network goes its own way, and then the country follows it.
    forget(&f);
    measure(&f, "EU-DE", "fra", 20, 40);
    measure(&f, "192.0.2.0/24", "fra", 40, 20);
    freeze(&f);
    assert_frozen(&f, "192.0.2.0/24 fra 40; EU-DE fra 20");
    forget(&f);
    measure(&f, "EU-DE", "fra", 41, 40);
    measure(&f, "192.0.2.0/24", "fra", 39, 20);
    freeze(&f);
    assert_frozen(&f, "EU-DE fra 40");
    teardown(&f);
}

static void a_network_in_two_places_keeps_its_row(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    measure(&f, "NA-US", "iad", 20, 40);
    measure(&f, "198.51.100.0/24", "iad", 20, 20); // half California, half New York
    freeze(&f);
    assert_frozen(&f, "198.51.100.0/24 iad 20; NA-US iad 20");
    teardown(&f);
}

static void uploaded_rows_stand_until_the_estimate_has_left_them(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    upload(&f, "EU-DE", "fra", 9);
    upload(&f, "EU", "iad", 95);
    measure(&f, "EU-DE", "fra", 12, 20);
    measure(&f, "EU-DE", "iad", 97, 20);
    assert_int_equal(freeze(&f), 0);
    forget(&f);
    measure(&f, "EU-DE", "fra", 31, 20);
    measure(&f, "EU-DE", "iad", 120, 20);
    assert_int_equal(freeze(&f), 2);
    assert_frozen(&f, "EU-DE fra 30; EU-DE iad 120");
    struct steer_latency *all = steer_latency_overlay(f.uploaded, f.frozen, 7);
    static const char *const wanted[] = {"EU iad 95 of 0", "EU-DE fra 30 of 7",
                                         "EU-DE iad 120 of 7"};
    assert_int_equal(steer_latency_count(all), 3);
    for (size_t i = 0; i < 3; i++) {
        const struct steer_latency_row *row = steer_latency_at(all, i);
        char client[64], got[96];
        snprintf(got, sizeof got, "%s %s %g of %u",
                 steer_latency_client_format(row, client, sizeof client), row->site,
                 row->rtt_us / 1000.0, row->frozen);
        assert_string_equal(got, wanted[i]);
    }
    steer_latency_unref(all);
    teardown(&f);
}

static void a_scattered_as_number_says_nothing(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    measure(&f, "AS64500", "fra", 20, 20);
    measure(&f, "AS64501", "fra", 20, 20);
    measure(&f, "AS64501", "fra", 180, 20); // on two continents
    freeze(&f);
    assert_frozen(&f, "AS64500 fra 20");
    teardown(&f);
}

static void differences_are_counted(void **state)
{
    (void)state;
    const struct steer_latency_row a[] = {row_of("EU", "fra", 5), row_of("EU", "iad", 90),
                                          row_of("NA", "iad", 5)};
    const struct steer_latency_row b[] = {row_of("EU", "fra", 5), row_of("EU", "iad", 95),
                                          row_of("AS1", "iad", 5), row_of("SA", "iad", 5)};
    struct steer_latency *x = steer_latency_build(a, 3), *y = steer_latency_build(b, 4);
    assert_int_equal(steer_latency_differences(x, x), 0);
    assert_int_equal(steer_latency_differences(x, y), 4);
    assert_int_equal(steer_latency_differences(y, x), 4);
    assert_int_equal(steer_latency_differences(NULL, y), 4);
    assert_int_equal(steer_latency_differences(x, NULL), 3);
    steer_latency_unref(x);
    steer_latency_unref(y);
}

static void clients_read_back_as_they_are_written(void **state)
{
    (void)state;
    static const char *const good[] = {"192.0.2.0/24", "2001:db8::/48", "AS64500", "EU",
                                       "EU-DE",        "NA-US-CA",      "AS",      "AS-JP"};
    static const char *const bad[] = {"192.0.2.1/24", "192.0.2.0/33", "AS0",     "AS4294967296",
                                      "AS12x",        "EU-XX",        "nowhere", ""};
    for (size_t i = 0; i < STEER_ARRAY_LEN(good); i++) {
        struct steer_latency_row row = {0};
        char text[64];
        assert_true(steer_latency_client_parse(good[i], &row));
        assert_string_equal(steer_latency_client_format(&row, text, sizeof text), good[i]);
    }
    for (size_t i = 0; i < STEER_ARRAY_LEN(bad); i++) {
        struct steer_latency_row row = {0};
        if (steer_latency_client_parse(bad[i], &row))
            fail_msg("'%s' was read", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_stand_on_steps),
        cmocka_unit_test(a_value_moves_when_the_estimate_has_clearly_left_it),
        cmocka_unit_test(an_estimate_on_the_edge_of_two_steps_does_not_flap),
        cmocka_unit_test(as_many_samples_as_a_row_needs_make_one_at_the_end_of_the_interval),
        cmocka_unit_test(a_row_needs_weight_to_come_and_half_of_it_to_stay),
        cmocka_unit_test(what_the_broader_row_says_is_not_said_again),
        cmocka_unit_test(a_network_in_two_places_keeps_its_row),
        cmocka_unit_test(uploaded_rows_stand_until_the_estimate_has_left_them),
        cmocka_unit_test(a_scattered_as_number_says_nothing),
        cmocka_unit_test(differences_are_counted),
        cmocka_unit_test(clients_read_back_as_they_are_written),
    };
    return cmocka_run_group_tests_name("geo/freeze", tests, NULL, NULL);
}
