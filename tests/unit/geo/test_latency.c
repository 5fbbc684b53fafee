// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/geo/latency.h"

static struct steer_latency_row at_network(const char *text, const char *site, uint32_t ms)
{
    struct steer_latency_row row = {.of = STEER_LATENCY_CIDR, .site = site, .rtt_us = ms * 1000};
    assert_true(steer_prefix_parse(text, &row.network, NULL));
    return row;
}

static struct steer_latency_row at_place(const char *text, const char *site, uint32_t ms)
{
    struct steer_latency_row row = {.of = STEER_LATENCY_PLACE, .site = site, .rtt_us = ms * 1000};
    assert_int_equal(steer_place_parse(text, &row.place, NULL), STEER_OK);
    return row;
}

static struct steer_latency_row at_asn(uint32_t asn, const char *site, uint32_t ms)
{
    return (struct steer_latency_row){
        .of = STEER_LATENCY_ASN, .asn = asn, .site = site, .rtt_us = ms * 1000};
}

static void the_most_specific_row_that_has_the_site_speaks(void **state)
{
    (void)state;
    const struct steer_latency_row rows[] = {
        at_place("EU", "fra", 60),
        at_place("EU", "iad", 160),
        at_place("EU", "sin", 260),
        at_place("EU-DE", "fra", 50),
        at_place("EU-DE", "iad", 150),
        at_place("EU-DE-BE", "fra", 40),
        at_asn(64500, "fra", 30),
        at_asn(64500, "ams", 31),
        at_network("192.0.2.0/24", "fra", 99), // and again below: the last one holds
        at_network("192.0.2.0/24", "fra", 20),
        at_network("192.0.2.128/25", "iad", 110),
    };
    struct steer_latency *table = steer_latency_build(rows, STEER_ARRAY_LEN(rows));
    assert_int_equal(steer_latency_count(table), STEER_ARRAY_LEN(rows) - 1);
    static const struct {
        const char *place;
        uint32_t asn;
        const char *network, *site;
        uint32_t ms; // 0: none
    } asked[] = {
        {"EU-DE-BE", 64500, "192.0.2.128/25", "iad", 110},
        {"EU-DE-BE", 64500, "192.0.2.128/25", "fra", 20}, // of the /24
        {"EU-DE-BE", 64500, "192.0.2.128/25", "ams", 31}, // of the AS
        {"EU-DE-BE", 64500, "192.0.2.128/25", "sin", 260},
        {"EU-DE-BE", 64500, "192.0.2.1/32", "iad", 150},
        {"EU-DE-BE", 64500, NULL, "fra", 30},
        {"EU-DE-BE", 64501, NULL, "fra", 40},
        {"EU-DE-BY", 0, NULL, "fra", 50},
        {"EU-FR", 0, NULL, "fra", 60},
        {"EU", 0, NULL, "iad", 160},
        {"AS-JP", 0, NULL, "iad", 0},
        {NULL, 0, NULL, "fra", 0},
        {"EU", 0, NULL, "gru", 0},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(asked); i++) {
        struct steer_location location = {.asn = asked[i].asn};
        struct steer_prefix network;
        if (asked[i].place)
            assert_int_equal(steer_place_parse(asked[i].place, &location.place, NULL), STEER_OK);
        if (asked[i].network)
            assert_true(steer_prefix_parse(asked[i].network, &network, NULL));
        struct steer_latency_sight sight =
            steer_latency_look(table, &location, asked[i].network ? &network : NULL);
        const struct steer_latency_row *row = steer_latency_read(&sight, asked[i].site);
        if ((row ? row->rtt_us : 0) != asked[i].ms * 1000)
            fail_msg("row %zu: %u us", i, row ? row->rtt_us : 0);
    }
    steer_latency_unref(steer_latency_ref(table));
    steer_latency_unref(table);
}

static void rows_come_sorted_and_networks_nested(void **state)
{
    (void)state;
    const struct steer_latency_row rows[] = {
        at_place("EU", "b", 1),
        at_asn(7, "b", 1),
        at_network("2001:db8::/32", "z", 1),
        at_place("AF", "a", 1),
        at_network("192.0.2.0/24", "b", 1),
        at_network("192.0.2.0/24", "a", 1),
    };
    static const char *const sites = "abzbab";
    struct steer_latency *table = steer_latency_build(rows, STEER_ARRAY_LEN(rows));
    size_t count;
    const struct steer_nested *networks = steer_latency_networks(table, &count);
    assert_int_equal(count, 2);
    assert_int_equal(networks[0].prefix.addr.family, STEER_V4);
    for (size_t i = 0; i < steer_latency_count(table); i++)
        assert_int_equal(steer_latency_at(table, i)->site[0], sites[i]);
    assert_null(steer_latency_at(table, 6));
    steer_latency_unref(table);
    steer_latency_unref(NULL);
}

static void distances_are_those_of_the_great_circle(void **state)
{
    (void)state;
    static const struct {
        double a[2], b[2], km;
    } rows[] = {
        {{0, 0}, {0, 0}, 0},
        {{0, 0}, {0, 180}, 20015.1},
        {{90, 0}, {-90, 77}, 20015.1},
        {{50.1, 8.7}, {38.9, -77.4}, 6557},    // Frankfurt - Ashburn
        {{-33.9, 151.2}, {51.5, -0.1}, 16991}, // Sydney - London
        {{10, 179}, {10, -179}, 219},          // over the date line
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        double km = steer_distance_km(rows[i].a[0], rows[i].a[1], rows[i].b[0], rows[i].b[1]);
        if (fabs(km - rows[i].km) > 10)
            fail_msg("row %zu: %f km", i, km);
    }
    assert_int_equal(steer_latency_estimate_us(0), 0);
    assert_int_equal(steer_latency_estimate_us(1000), 15000);
    assert_int_equal(steer_latency_estimate_us(2000), 27500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_row_that_has_the_site_speaks),
        cmocka_unit_test(rows_come_sorted_and_networks_nested),
        cmocka_unit_test(distances_are_those_of_the_great_circle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
