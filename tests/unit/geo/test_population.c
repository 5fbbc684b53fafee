// SPDX-License-Identifier: GPL-3.0-or-later
// Who counts: each address and each /48 once, at its place.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/base/hash.h"
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
    steer_population_init(&all, geo, NULL);
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
    steer_population_init(&all, geo, NULL);
    steer_population_init(&some, geo, &(struct steer_whom){.places = &germany, .place_count = 1});
    assert_true(some.v4 == at_place(geo, &all, "DE", false));
    assert_true(some.v6 == at_place(geo, &all, "DE", true));
    assert_true(some.v4 && some.v4 < all.v4);
    steer_population_fini(&some);
    // 10/8 has no known place; 192.0.2.0/24 lies in Germany; mapped IPv4 is IPv4.
    assert_true(steer_prefix_parse("10.0.0.0/24", &prefixes[0], &host_bits));
    assert_true(steer_prefix_parse("192.0.2.0/25", &prefixes[1], &host_bits));
    assert_true(steer_prefix_parse("::ffff:10.0.0.0/121", &prefixes[2], &host_bits));
    steer_population_init(&some, geo,
                          &(struct steer_whom){.prefixes = prefixes, .prefix_count = 3});
    assert_true(some.v4 == 256 + 128 && some.v6 == 0);
    steer_population_fini(&some);
    const struct steer_whom both = {
        .places = &germany, .place_count = 1, .prefixes = prefixes, .prefix_count = 3};
    steer_population_init(&some, geo, &both);
    assert_true(some.v4 == at_place(geo, &all, "DE", false) + 256);
    steer_population_fini(&some);
    assert_true(steer_prefix_parse("2001:db8::/44", &prefixes[0], &host_bits));
    steer_population_init(&some, geo,
                          &(struct steer_whom){.prefixes = prefixes, .prefix_count = 1});
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
    steer_population_init(&all, geo, NULL);
    assert_true(all.count == 1 && all.v4 == UINT64_C(1) << 32 && all.v6 == UINT64_C(1) << 48);
    steer_population_fini(&all);
    steer_geo_unref(geo);
}

static void autonomous_systems_are_counted_where_the_data_name_them(void **state)
{
    (void)state;
    const char *paths[] = {FILE_NAME, STEER_SOURCE_DIR "/geodata/asn.mmdb"};
    const uint32_t asn = 64500;
    struct steer_geo *geo = open_geo(1);
    struct steer_population some;
    uint64_t v4 = 0;
    assert_false(steer_geo_knows_asns(geo));
    steer_geo_unref(geo);
    assert_int_equal(steer_geo_open(paths, 2, NULL, &geo, NULL), STEER_OK);
    assert_true(steer_geo_knows_asns(geo));
    const struct steer_partition *p = steer_geo_partition(geo);
    for (size_t i = 0; i < p->count4; i++)
        if (steer_geo_location(geo, p->value4[i])->asn == asn)
            v4 += (i + 1 < p->count4 ? p->start4[i + 1] : UINT64_C(1) << 32) - p->start4[i];
    steer_population_init(&some, geo, &(struct steer_whom){.asns = &asn, .asn_count = 1});
    assert_true(v4 && some.v4 == v4);
    for (size_t i = 0; i < some.count; i++)
        assert_int_equal(steer_geo_lookup(geo, &some.items[i].sample)->asn, asn);
    steer_population_fini(&some);
    steer_geo_unref(geo);
}

// ---- cut by networks -----------------------------------------------------------------------------

enum { NETWORKS = 12, CUTS = 150 };

static struct steer_prefix random_network(struct steer_rng *rng)
{
    // Where the geo data have their borders, and anywhere.
    static const char *const near[] = {"192.0.2.0/24", "100.64.0.0/16", "2001:db8::/32",
                                       "0.0.0.0/0", "::/0"};
    struct steer_prefix p;
    bool host_bits;
    assert_true(steer_prefix_parse(near[steer_rng_next(rng) % 5], &p, &host_bits));
    const unsigned bits = steer_family_bits(p.addr.family);
    const unsigned more = (unsigned)(steer_rng_next(rng) % (p.len < 20 ? 20 : 12));
    for (unsigned i = p.len; i < p.len + more && i < bits; i++)
        if (steer_rng_next(rng) & 1)
            p.addr.octets[i / 8] |= (uint8_t)(0x80 >> i % 8);
    p.len = (uint8_t)(p.len + more < bits ? p.len + more : bits);
    return p;
}

struct pieces {
    const struct steer_geo *geo;
    const struct steer_whom *whom;
    const struct steer_nested *networks;
    size_t count;
};

// What the plain way counts: the geo data, the networks and the prefixes laid over each other, range by range.
static uint32_t number(void *ctx, uint32_t a, uint32_t b)
{
    return a * *(const uint32_t *)ctx + b;
}

static void lay_over(const struct pieces *c, struct steer_partition *out)
{
    struct steer_prefix_value values[NETWORKS];
    struct steer_partition networks, inside, both;
    uint32_t times = 64;
    for (size_t i = 0; i < c->count; i++)
        values[i] = (struct steer_prefix_value){c->networks[i].prefix, (uint32_t)i + 1};
    steer_partition_from_prefixes(values, c->count, 0, &networks);
    for (size_t i = 0; i < c->whom->prefix_count; i++)
        values[i] = (struct steer_prefix_value){c->whom->prefixes[i], 1};
    steer_partition_from_prefixes(values, c->whom->prefix_count, 0, &inside);
    steer_partition_overlay(&networks, &inside, number, &times, &both);
    times = 4096;
    steer_partition_overlay(steer_geo_partition(c->geo), &both, number, &times, out);
    steer_partition_fini(&networks);
    steer_partition_fini(&inside);
    steer_partition_fini(&both);
}

static void judge_item(const struct pieces *c, const struct steer_people *people)
{
    const struct steer_prefix client = {people->sample,
                                        (uint8_t)steer_family_bits(people->sample.family)};
    const uint32_t network = steer_nested_find(c->networks, c->count, &client);
    assert_ptr_equal(steer_geo_lookup(c->geo, &people->sample),
                     steer_geo_location(c->geo, people->location));
    struct steer_partition p;
    uint64_t v4 = 0, v6 = 0;
    lay_over(c, &p);
    for (size_t i = 0; i < p.count4 + p.count6; i++) {
        const size_t k = i - p.count4;
        const uint32_t value = i < p.count4 ? p.value4[i] : p.value6[k];
        const uint32_t location = value / 4096, at = value % 4096 / 64;
        const struct steer_place *place = &steer_geo_location(c->geo, location)->place;
        const bool all = !c->whom->prefix_count && !c->whom->place_count;
        const bool named = value % 64;
        bool meant = all || named;
        for (size_t n = 0; n < c->whom->place_count; n++)
            meant |= steer_place_matches(&c->whom->places[n], place);
        if (location != people->location || at != network + 1 || !meant ||
            (!named && !place->continent[0]))
            continue;
        if (i < p.count4) {
            v4 += (i + 1 < p.count4 ? p.start4[i + 1] : UINT64_C(1) << 32) - p.start4[i];
            continue;
        }
        const bool last = k + 1 == p.count6;
        const struct steer_u128 from = p.start6[k];
        const struct steer_u128 to = last ? from : p.start6[k + 1];
        const uint64_t first = (from.hi >> 16) + ((from.hi & 0xffff) || from.lo);
        v6 += (last ? UINT64_C(1) << 48 : (to.hi >> 16) + ((to.hi & 0xffff) || to.lo)) - first;
    }
    steer_partition_fini(&p);
    assert_true(people->v4 == v4 && people->v6 == v6);
}

static void what_networks_cut_out_is_counted_as_if_range_by_range(void **state)
{
    (void)state;
    struct steer_geo *geo = open_geo(1);
    struct steer_rng rng;
    struct steer_place places[1];
    assert_int_equal(steer_place_parse("EU-DE", &places[0], NULL), STEER_OK);
    steer_rng_init(&rng, 7);
    for (unsigned round = 0; round < CUTS; round++) {
        struct steer_nested networks[NETWORKS];
        struct steer_prefix prefixes[2];
        struct steer_population whole, cut;
        size_t count = 1 + steer_rng_next(&rng) % (NETWORKS - 1);
        for (size_t i = 0; i < count; i++)
            networks[i] = (struct steer_nested){.prefix = random_network(&rng)};
        count = steer_nested_sort(networks, count);
        prefixes[0] = random_network(&rng);
        prefixes[1] = random_network(&rng);
        const struct steer_whom whom = {.places = places,
                                        .place_count = round % 4 == 1,
                                        .prefixes = prefixes,
                                        .prefix_count = round % 4 > 1 ? 2 : 0};
        const struct pieces pieces = {geo, &whom, networks, count};
        steer_population_init(&whole, geo, &whom);
        steer_population_cut(&cut, &whole, geo, &whom, networks, count);
        assert_true(cut.v4 == whole.v4 && cut.v6 == whole.v6 && cut.count >= whole.count / 2);
        for (size_t i = 0; i < cut.count; i++)
            if (!whole.everybody)
                judge_item(&pieces, &cut.items[i]);
        steer_population_fini(&whole);
        steer_population_fini(&cut);
    }
    steer_geo_unref(geo);
}

static void who_asked_counts_as_often(void **state)
{
    (void)state;
    struct steer_geo *geo = open_geo(1);
    const char *const texts[] = {"192.0.2.0", "10.0.0.0", "2001:db8::", "::ffff:192.0.2.0"};
    struct steer_asker askers[4];
    struct steer_population p;
    for (unsigned i = 0; i < 4; i++) {
        assert_true(steer_addr_parse(texts[i], &askers[i].addr));
        askers[i].count = i + 1;
    }
    steer_population_of_askers(&p, geo, askers, 4);
    assert_true(p.count == 4 && p.v4 == 1 + 2 + 4 && p.v6 == 3);
    assert_string_equal(steer_geo_location(geo, p.items[3].location)->place.country, "DE");
    steer_population_fini(&p);
    steer_geo_unref(geo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_with_a_place_counts_once),
        cmocka_unit_test(places_and_networks_are_a_union),
        cmocka_unit_test(without_places_everybody_counts),
        cmocka_unit_test(autonomous_systems_are_counted_where_the_data_name_them),
        cmocka_unit_test(what_networks_cut_out_is_counted_as_if_range_by_range),
        cmocka_unit_test(who_asked_counts_as_often),
    };
    return cmocka_run_group_tests_name("population", tests, NULL, NULL);
}
