// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/geo/population.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/geo/classmap.h"

struct count {
    uint32_t location;
    uint64_t v4, v6;
    uint64_t known_v4, known_v6;
    struct steer_addr sample;
};

struct counting {
    const struct steer_geo *geo;
    const struct steer_place *places;
    size_t place_count;
    bool all; // neither places nor prefixes
    struct count *counts;
    size_t count, cap;
    struct steer_map pairs; // location and network -> count
};

// ---- networks ------------------------------------------------------------------------------------

// IPv4 inside IPv6 is looked up as IPv4.
static struct steer_prefix as_looked_up(const struct steer_prefix *prefix)
{
    struct steer_addr v4;
    unsigned offset;
    if (!steer_addr_embedded_v4(&prefix->addr, &v4, &offset) || prefix->len <= offset)
        return *prefix;
    const unsigned len = prefix->len - offset > 32 ? 32 : prefix->len - offset;
    struct steer_prefix own = {v4, (uint8_t)len};
    steer_addr_mask(&own.addr, len);
    return own;
}

static const uint32_t INSIDE = UINT32_C(1) << 31;

static uint32_t mark_inside(void *ctx, uint32_t location, uint32_t inside)
{
    (void)ctx;
    return inside ? location | INSIDE : location;
}

// The geo data's partition, with a mark on what the prefixes hold.
static void cut_by_prefixes(const struct steer_geo *geo, const struct steer_prefix *prefixes,
                            size_t count, struct steer_partition *out)
{
    struct steer_prefix_value *values = steer_calloc(count, sizeof *values);
    struct steer_partition inside;
    for (size_t i = 0; i < count; i++)
        values[i] = (struct steer_prefix_value){as_looked_up(&prefixes[i]), 1};
    steer_partition_from_prefixes(values, count, 0, &inside);
    steer_partition_overlay(steer_geo_partition(geo), &inside, mark_inside, NULL, out);
    steer_partition_fini(&inside);
    free(values);
}

// ---- counting ------------------------------------------------------------------------------------

static bool in_places(const struct counting *c, const struct steer_place *place)
{
    for (size_t i = 0; i < c->place_count; i++)
        if (steer_place_matches(&c->places[i], place))
            return true;
    return false;
}

// The entry to add to, or NULL; *known: they count.
static struct count *entry_of(const struct counting *c, uint32_t value, bool *known)
{
    struct count *count = &c->counts[value & ~INSIDE];
    const struct steer_place *place = &steer_geo_location(c->geo, count->location)->place;
    const bool inside = value & INSIDE;
    if (!c->all && !inside && !in_places(c, place))
        return NULL;
    *known = inside || place->continent[0];
    return count;
}

static struct steer_addr from_v4(uint32_t address)
{
    return (struct steer_addr){.family = STEER_V4,
                               .octets = {(uint8_t)(address >> 24), (uint8_t)(address >> 16),
                                          (uint8_t)(address >> 8), (uint8_t)address}};
}

static struct steer_addr from_v6(struct steer_u128 address)
{
    struct steer_addr addr = {.family = STEER_V6};
    for (unsigned i = 0; i < 8; i++) {
        addr.octets[i] = (uint8_t)(address.hi >> (56 - 8 * i));
        addr.octets[8 + i] = (uint8_t)(address.lo >> (56 - 8 * i));
    }
    return addr;
}

static void count_v4(struct counting *c, const struct steer_partition *p)
{
    for (size_t i = 0; i < p->count4; i++) {
        const uint64_t end = i + 1 < p->count4 ? p->start4[i + 1] : UINT64_C(1) << 32;
        const uint64_t size = end - p->start4[i];
        bool known;
        struct count *count = entry_of(c, p->value4[i], &known);
        if (!count)
            continue;
        if (count->sample.family != STEER_V4) // the first address of a network is seldom a client's
            count->sample = from_v4(p->start4[i] + (size > 2));
        count->v4 += size;
        count->known_v4 += known ? size : 0;
    }
}

// A range has the /48s that begin in it.
static uint64_t first_48(struct steer_u128 start)
{
    const bool begins = !(start.hi & 0xffff) && !start.lo;
    return (start.hi >> 16) + !begins;
}

static void count_v6(struct counting *c, const struct steer_partition *p)
{
    for (size_t i = 0; i < p->count6; i++) {
        const uint64_t end = i + 1 < p->count6 ? first_48(p->start6[i + 1]) : UINT64_C(1) << 48;
        bool known;
        struct count *count = entry_of(c, p->value6[i], &known);
        if (!count)
            continue;
        struct steer_addr v4, sample = from_v6(p->start6[i]);
        unsigned offset;
        if (!count->sample.family && !steer_addr_embedded_v4(&sample, &v4, &offset))
            count->sample = sample;
        const uint64_t size = end - first_48(p->start6[i]);
        count->v6 += size;
        count->known_v6 += known ? size : 0;
    }
}

static void collect(const struct counting *c, struct steer_population *out)
{
    out->items = steer_calloc(c->count, sizeof *out->items);
    for (size_t i = 0; i < c->count; i++) {
        out->v4 += c->counts[i].known_v4;
        out->v6 += c->counts[i].known_v6;
    }
    const bool everybody = !out->v4 && !out->v6;
    for (size_t i = 0; i < c->count; i++) {
        const struct count *count = &c->counts[i];
        if (!count->sample.family)
            continue;
        struct steer_people *people = &out->items[out->count++];
        *people = (struct steer_people){count->location, everybody ? count->v4 : count->known_v4,
                                        everybody ? count->v6 : count->known_v6, count->sample};
        out->v4 += everybody ? people->v4 : 0;
        out->v6 += everybody ? people->v6 : 0;
    }
}

static uint32_t pair_of(void *ctx, uint32_t value, uint32_t network)
{
    struct counting *c = ctx;
    const uint32_t inside = value & INSIDE, location = value & ~INSIDE;
    char key[32];
    uint32_t at;
    if (network == STEER_NESTED_NONE)
        return value;
    snprintf(key, sizeof key, "%x %x", location, network);
    if (!steer_map_get(&c->pairs, key, &at)) {
        at = (uint32_t)c->count++;
        c->counts = steer_grow(c->counts, &c->cap, c->count, sizeof *c->counts);
        c->counts[at] = (struct count){.location = location};
        steer_map_put(&c->pairs, key, at);
    }
    return at | inside;
}

// Cuts the partition by the networks, too.
static void cut_by_networks(struct counting *c, const struct steer_partition *p,
                            const struct steer_nested *networks, size_t count,
                            struct steer_partition *out)
{
    struct steer_prefix_value *values = steer_calloc(count, sizeof *values);
    struct steer_partition parts;
    for (size_t i = 0; i < count; i++)
        values[i] = (struct steer_prefix_value){networks[i].prefix, (uint32_t)i};
    steer_partition_from_prefixes(values, count, STEER_NESTED_NONE, &parts);
    steer_partition_overlay(p, &parts, pair_of, c, out);
    steer_partition_fini(&parts);
    free(values);
}

void steer_population_init_cut(struct steer_population *population, const struct steer_geo *geo,
                               const struct steer_place *places, size_t place_count,
                               const struct steer_prefix *prefixes, size_t prefix_count,
                               const struct steer_nested *networks, size_t network_count)
{
    struct counting c = {.geo = geo,
                         .places = places,
                         .place_count = place_count,
                         .all = !place_count && !prefix_count};
    struct steer_partition cut, parts;
    const struct steer_partition *p = steer_geo_partition(geo);
    c.count = c.cap = steer_geo_location_count(geo);
    c.counts = steer_calloc(c.count, sizeof *c.counts);
    for (uint32_t i = 0; i < c.count; i++)
        c.counts[i].location = i;
    if (prefix_count) {
        cut_by_prefixes(geo, prefixes, prefix_count, &cut);
        p = &cut;
    }
    if (network_count) {
        cut_by_networks(&c, p, networks, network_count, &parts);
        p = &parts;
    }
    *population = (struct steer_population){0};
    count_v4(&c, p);
    count_v6(&c, p);
    collect(&c, population);
    if (prefix_count)
        steer_partition_fini(&cut);
    if (network_count)
        steer_partition_fini(&parts);
    steer_map_fini(&c.pairs);
    free(c.counts);
}

void steer_population_init(struct steer_population *population, const struct steer_geo *geo,
                           const struct steer_place *places, size_t place_count,
                           const struct steer_prefix *prefixes, size_t prefix_count)
{
    steer_population_init_cut(population, geo, places, place_count, prefixes, prefix_count, NULL,
                              0);
}

void steer_population_fini(struct steer_population *population)
{
    free(population->items);
    *population = (struct steer_population){0};
}
