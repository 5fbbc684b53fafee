// SPDX-License-Identifier: GPL-3.0-or-later
// Who counts: each address and each /48 once, at its place.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/geo/population.h"

#define FILE_NAME STEER_SOURCE_DIR "/geodata/country.mmdb"

static struct steer_geo *open_geo(size_t files)
{
    const char *paths[] = {FILE_NAME};
    struct steer_geo *geo = NULL;
    assert_int_equal(steer_geo_open(paths, files, NULL, &geo, NULL), STEER_OK);
    return geo;
}

static uint64_t at_place(const struct steer_geo *geo, const struct steer_population *p,
                         const char *country, bool v6)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(steer_geo_location(geo, p->items[i].location)->place.country, country) == 0)
            sum += v6 ? p->items[i].v6 : p->items[i].v4;
    return sum;
}

// The plain way: each range of the partition, address by address where that is few.
static void everybody_with_a_place_counts_once(void **state)
{
    (void)state;
    struct steer_geo *geo = open_geo(1);
    const struct steer_partition *p = steer_geo_partition(geo);
    struct steer_population all;
    uint64_t v4 = 0;
    steer_population_init(&all, geo, NULL, 0, NULL, 0);
    for (size_t i = 0; i < p->count4; i++)
        if (steer_geo_location(geo, p->value4[i])->place.continent[0])
            v4 += (i + 1 < p->count4 ? p->start4[i + 1] : UINT64_C(1) << 32) - p->start4[i];
    assert_true(v4 > 0 && v4 == all.v4);
    assert_true(all.v6 > 0);
    uint64_t sum4 = 0, sum6 = 0;
    for (size_t i = 0; i < all.count; i++) {
        const struct steer_people *people = &all.items[i];
        sum4 += people->v4;
        sum6 += people->v6;
        assert_ptr_equal(steer_geo_lookup(geo, &people->sample),
                         steer_geo_location(geo, people->location));
        assert_true(!i || people[-1].location < people->location);
    }
    assert_true(sum4 == all.v4 && sum6 == all.v6);
    steer_population_fini(&all);
    steer_geo_unref(geo);
}

static void places_and_networks_are_a_union(void **state)
{
    (void)state;
    struct steer_geo *geo = open_geo(1);
    struct steer_place germany;
    struct steer_prefix prefixes[3];
    struct steer_population all, some;
    bool host_bits;
    assert_int_equal(steer_place_parse("EU-DE", &germany, NULL), STEER_OK);
    steer_population_init(&all, geo, NULL, 0, NULL, 0);
    steer_population_init(&some, geo, &germany, 1, NULL, 0);
    assert_true(some.v4 == at_place(geo, &all, "DE", false));
    assert_true(some.v6 == at_place(geo, &all, "DE", true));
    assert_true(some.v4 && some.v4 < all.v4);
    steer_population_fini(&some);
    // 10/8 has no known place; 192.0.2.0/24 lies in Germany; mapped IPv4 is IPv4.
    assert_true(steer_prefix_parse("10.0.0.0/24", &prefixes[0], &host_bits));
    assert_true(steer_prefix_parse("192.0.2.0/25", &prefixes[1], &host_bits));
    assert_true(steer_prefix_parse("::ffff:10.0.0.0/121", &prefixes[2], &host_bits));
    steer_population_init(&some, geo, NULL, 0, prefixes, 3);
    assert_true(some.v4 == 256 + 128 && some.v6 == 0);
    steer_population_fini(&some);
    steer_population_init(&some, geo, &germany, 1, prefixes, 3);
    assert_true(some.v4 == at_place(geo, &all, "DE", false) + 256);
    steer_population_fini(&some);
    assert_true(steer_prefix_parse("2001:db8::/44", &prefixes[0], &host_bits));
    steer_population_init(&some, geo, NULL, 0, prefixes, 1);
    assert_true(some.v4 == 0 && some.v6 == 16);
    steer_population_fini(&some);
    steer_population_fini(&all);
    steer_geo_unref(geo);
}

static void without_places_everybody_counts(void **state)
{
    (void)state;
    struct steer_geo *geo = open_geo(0);
    struct steer_population all;
    steer_population_init(&all, geo, NULL, 0, NULL, 0);
    assert_true(all.count == 1 && all.v4 == UINT64_C(1) << 32 && all.v6 == UINT64_C(1) << 48);
    steer_population_fini(&all);
    steer_geo_unref(geo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_with_a_place_counts_once),
        cmocka_unit_test(places_and_networks_are_a_union),
        cmocka_unit_test(without_places_everybody_counts),
    };
    return cmocka_run_group_tests_name("population", tests, NULL, NULL);
}
