// SPDX-License-Identifier: GPL-3.0-or-later
// Counting clients. A population is counted over all ranges of the geo data once; what networks cut out of it is found
// from the networks' side, and the rest is what is left.
#include "steerd/geo/population.h"

#include <stdlib.h>
#include <string.h>

#include "geo_internal.h"
#include "steerd/base/mem.h"
#include "steerd/geo/classmap.h"

// A count in the making: a location's, or, while networks are cut out, that of a location in one network.
struct counting {
    const struct steer_geo *geo;
    const struct steer_whom *whom;
    bool all;       // everybody is counted
    bool everybody; // also without a known place: what has room counts
    struct steer_people *items;
    size_t count, cap;
    struct steer_nummap pairs; // network and location -> item
};

// ---- whom ----------------------------------------------------------------------------------------

static bool is_all(const struct steer_whom *whom)
{
    return !whom || (!whom->place_count && !whom->prefix_count && !whom->asn_count);
}

static bool in_asns(const struct steer_whom *whom, uint32_t asn)
{
    for (size_t i = 0; asn && i < whom->asn_count; i++)
        if (whom->asns[i] == asn)
            return true;
    return false;
}

static bool in_places(const struct steer_whom *whom, const struct steer_place *place)
{
    for (size_t i = 0; i < whom->place_count; i++)
        if (steer_place_matches(&whom->places[i], place))
            return true;
    return false;
}

// Whether somebody at the location is meant, and whether they count.
static bool is_meant(const struct counting *c, uint32_t location, bool inside, bool *counts)
{
    const struct steer_location *where = steer_geo_location(c->geo, location);
    const bool named = inside || (!c->all && in_asns(c->whom, where->asn));
    *counts = named || c->everybody || where->place.continent[0];
    return c->all || named || in_places(c->whom, &where->place);
}

// ---- prefixes ------------------------------------------------------------------------------------

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

// What holds for the addresses of a range, when prefixes and networks are laid over the geo data.
static const uint32_t INSIDE = UINT32_C(1) << 31;

static uint32_t mark_inside(void *ctx, uint32_t value, uint32_t inside)
{
    (void)ctx;
    return inside ? value | INSIDE : value;
}

// The partition, with a mark on what the prefixes hold.
static void mark_prefixes(const struct steer_partition *p, const struct steer_whom *whom,
                          struct steer_partition *out)
{
    struct steer_prefix_value *values = steer_calloc(whom->prefix_count, sizeof *values);
    struct steer_partition inside;
    for (size_t i = 0; i < whom->prefix_count; i++)
        values[i] = (struct steer_prefix_value){as_looked_up(&whom->prefixes[i]), 1};
    steer_partition_from_prefixes(values, whom->prefix_count, 0, &inside);
    steer_partition_overlay(p, &inside, mark_inside, NULL, out);
    steer_partition_fini(&inside);
    free(values);
}

// ---- counting ------------------------------------------------------------------------------------

static struct steer_addr from_v4(uint64_t address)
{
    return (struct steer_addr){.family = STEER_V4,
                               .octets = {(uint8_t)(address >> 24), (uint8_t)(address >> 16),
                                          (uint8_t)(address >> 8), (uint8_t)address}};
}

static struct steer_addr from_v6(steer_uint128 address)
{
    struct steer_addr addr = {.family = STEER_V6};
    for (unsigned i = 0; i < 16; i++)
        addr.octets[i] = (uint8_t)(address >> (120 - 8 * i));
    return addr;
}

// A range's last address.
static uint64_t last4(const struct steer_partition *p, size_t i)
{
    return i + 1 < p->count4 ? p->start4[i + 1] - UINT64_C(1) : UINT32_MAX;
}

static steer_uint128 last6(const struct steer_partition *p, size_t i)
{
    return i + 1 < p->count6 ? u128(p->start6[i + 1]) - 1 : u128_ones(128);
}

// The first address of a network is seldom a client's.
static void see_v4(struct steer_people *people, uint64_t first, uint64_t last)
{
    if (people->sample.family != STEER_V4)
        people->sample = from_v4(first + (last - first > 1));
}

static void see_v6(struct steer_people *people, steer_uint128 first)
{
    const struct steer_addr sample = from_v6(first);
    struct steer_addr v4;
    unsigned offset;
    if (!people->sample.family && !steer_addr_embedded_v4(&sample, &v4, &offset))
        people->sample = sample;
}

static void add_v4(struct steer_people *people, uint64_t first, uint64_t last, bool counts)
{
    see_v4(people, first, last);
    people->room_v4 += last - first + 1;
    people->v4 += counts ? last - first + 1 : 0;
}

// A range has the /48s that begin in it.
static void add_v6(struct steer_people *people, steer_uint128 first, steer_uint128 last,
                   bool counts)
{
    const uint64_t begins = (uint64_t)(first >> 80) + ((first & u128_ones(80)) != 0);
    const uint64_t size = (uint64_t)(last >> 80) + 1 - begins;
    see_v6(people, first);
    people->room_v6 += size;
    people->v6 += counts ? size : 0;
}

static void count_all(struct counting *c, const struct steer_partition *p)
{
    bool counts;
    for (size_t i = 0; i < p->count4; i++) {
        const uint32_t at = p->value4[i] & ~INSIDE;
        if (is_meant(c, at, p->value4[i] & INSIDE, &counts))
            add_v4(&c->items[at], p->start4[i], last4(p, i), counts);
    }
    for (size_t i = 0; i < p->count6; i++) {
        const uint32_t at = p->value6[i] & ~INSIDE;
        if (is_meant(c, at, p->value6[i] & INSIDE, &counts))
            add_v6(&c->items[at], u128(p->start6[i]), last6(p, i), counts);
    }
}

// Keeps the items that have an address.
static void finish(struct steer_population *p)
{
    size_t count = 0;
    p->v4 = p->v6 = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (!p->items[i].sample.family)
            continue;
        p->v4 += p->items[i].v4;
        p->v6 += p->items[i].v6;
        p->items[count++] = p->items[i];
    }
    p->count = count;
}

void steer_population_init(struct steer_population *population, const struct steer_geo *geo,
                           const struct steer_whom *whom)
{
    struct counting c = {.geo = geo, .whom = whom, .all = is_all(whom)};
    struct steer_partition marked;
    const bool prefixes = whom && whom->prefix_count;
    const uint32_t count = steer_geo_location_count(geo);
    c.items = steer_calloc(count, sizeof *c.items);
    for (uint32_t i = 0; i < count; i++)
        c.items[i].location = i;
    if (prefixes)
        mark_prefixes(steer_geo_partition(geo), whom, &marked);
    count_all(&c, prefixes ? &marked : steer_geo_partition(geo));
    if (prefixes)
        steer_partition_fini(&marked);
    *population = (struct steer_population){.items = c.items, .count = count};
    finish(population);
    population->everybody = !population->v4 && !population->v6;
    for (size_t i = 0; i < population->count && population->everybody; i++) {
        struct steer_people *people = &population->items[i];
        people->v4 = people->room_v4;
        people->v6 = people->room_v6;
    }
    finish(population);
}

// ---- cutting out ---------------------------------------------------------------------------------

// The ranges of the networks, each with its network's number plus one (0: none of them), and a mark on the prefixes.
static void networks_partition(const struct steer_whom *whom, const struct steer_nested *networks,
                               size_t count, struct steer_partition *out)
{
    struct steer_prefix_value *values = steer_calloc(count, sizeof *values);
    struct steer_partition plain;
    for (size_t i = 0; i < count; i++)
        values[i] = (struct steer_prefix_value){networks[i].prefix, (uint32_t)i + 1};
    steer_partition_from_prefixes(values, count, 0, whom && whom->prefix_count ? &plain : out);
    if (whom && whom->prefix_count) {
        mark_prefixes(&plain, whom, out);
        steer_partition_fini(&plain);
    }
    free(values);
}

static size_t range4(const struct steer_partition *p, uint64_t address)
{
    size_t low = 0, high = p->count4;
    while (high - low > 1) {
        const size_t mid = low + (high - low) / 2;
        if (p->start4[mid] <= address)
            low = mid;
        else
            high = mid;
    }
    return low;
}

static size_t range6(const struct steer_partition *p, steer_uint128 address)
{
    size_t low = 0, high = p->count6;
    while (high - low > 1) {
        const size_t mid = low + (high - low) / 2;
        if (u128(p->start6[mid]) <= address)
            low = mid;
        else
            high = mid;
    }
    return low;
}

static struct steer_people *pair_of(struct counting *c, uint32_t location, uint32_t network)
{
    const uint64_t key = (uint64_t)network << 32 | location;
    uint32_t at;
    if (!steer_nummap_get(&c->pairs, key, &at)) {
        at = (uint32_t)c->count++;
        c->items = steer_grow(c->items, &c->cap, c->count, sizeof *c->items);
        c->items[at] = (struct steer_people){.location = location};
        steer_nummap_add(&c->pairs, key, at);
    }
    return &c->items[at];
}

// Each range of the networks with each range of the geo data that it meets.
static void count_pieces(struct counting *c, const struct steer_partition *parts)
{
    const struct steer_partition *geo = steer_geo_partition(c->geo);
    bool counts;
    for (size_t i = 0; i < parts->count4; i++) {
        const uint32_t network = parts->value4[i] & ~INSIDE;
        const uint64_t first = parts->start4[i], last = last4(parts, i);
        for (size_t k = network ? range4(geo, first) : geo->count4;
             k < geo->count4 && geo->start4[k] <= last; k++)
            if (is_meant(c, geo->value4[k], parts->value4[i] & INSIDE, &counts))
                add_v4(pair_of(c, geo->value4[k], network),
                       geo->start4[k] > first ? geo->start4[k] : first,
                       last4(geo, k) < last ? last4(geo, k) : last, counts);
    }
    for (size_t i = 0; i < parts->count6; i++) {
        const uint32_t network = parts->value6[i] & ~INSIDE;
        const steer_uint128 first = u128(parts->start6[i]), last = last6(parts, i);
        for (size_t k = network ? range6(geo, first) : geo->count6;
             k < geo->count6 && u128(geo->start6[k]) <= last; k++)
            if (is_meant(c, geo->value6[k], parts->value6[i] & INSIDE, &counts))
                add_v6(pair_of(c, geo->value6[k], network),
                       u128(geo->start6[k]) > first ? u128(geo->start6[k]) : first,
                       last6(geo, k) < last ? last6(geo, k) : last, counts);
    }
}

// ---- what is left --------------------------------------------------------------------------------

// Locations whose sample was cut away: another one is looked for among what is left.
struct search {
    const struct counting *c;
    const struct steer_partition *parts;
    struct steer_people **wanted; // by location
    size_t left;
};

static void search_v4(struct search *s, struct steer_people *people, uint64_t first, uint64_t last)
{
    const struct steer_partition *parts = s->parts;
    bool counts;
    for (size_t i = range4(parts, first);
         i < parts->count4 && parts->start4[i] <= last && !people->sample.family; i++)
        if (!(parts->value4[i] & ~INSIDE) &&
            is_meant(s->c, people->location, parts->value4[i] & INSIDE, &counts))
            see_v4(people, parts->start4[i] > first ? parts->start4[i] : first,
                   last4(parts, i) < last ? last4(parts, i) : last);
    s->left -= people->sample.family != 0;
}

static void search_v6(struct search *s, struct steer_people *people, steer_uint128 first,
                      steer_uint128 last)
{
    const struct steer_partition *parts = s->parts;
    bool counts;
    for (size_t i = range6(parts, first);
         i < parts->count6 && u128(parts->start6[i]) <= last && !people->sample.family; i++)
        if (!(parts->value6[i] & ~INSIDE) &&
            is_meant(s->c, people->location, parts->value6[i] & INSIDE, &counts))
            see_v6(people, u128(parts->start6[i]) > first ? u128(parts->start6[i]) : first);
    s->left -= people->sample.family != 0;
}

static void find_samples(struct search *s)
{
    const struct steer_partition *geo = steer_geo_partition(s->c->geo);
    for (size_t i = 0; i < geo->count4 && s->left; i++) {
        struct steer_people *people = s->wanted[geo->value4[i]];
        if (people && !people->sample.family && people->room_v4)
            search_v4(s, people, geo->start4[i], last4(geo, i));
    }
    for (size_t i = 0; i < geo->count6 && s->left; i++) {
        struct steer_people *people = s->wanted[geo->value6[i]];
        if (people && !people->sample.family)
            search_v6(s, people, u128(geo->start6[i]), last6(geo, i));
    }
}

static void subtract(struct steer_people *from, const struct steer_people *piece)
{
    from->v4 -= piece->v4;
    from->v6 -= piece->v6;
    from->room_v4 -= piece->room_v4;
    from->room_v6 -= piece->room_v6;
}

// items: the whole ones first, then the pieces.
static void take_away(const struct counting *c, const struct steer_population *out, size_t whole,
                      const struct steer_partition *parts)
{
    struct search s = {.c = c, .parts = parts};
    s.wanted = steer_calloc(steer_geo_location_count(c->geo), sizeof(struct steer_people *));
    for (size_t i = 0; i < whole; i++)
        s.wanted[out->items[i].location] = &out->items[i];
    for (size_t i = whole; i < out->count; i++)
        subtract(s.wanted[out->items[i].location], &out->items[i]);
    for (size_t i = 0; i < whole; i++) {
        struct steer_people *people = &out->items[i];
        const bool cut = steer_partition_lookup(parts, &people->sample) & ~INSIDE;
        if (cut)
            people->sample = (struct steer_addr){0};
        if (cut && (people->room_v4 || people->room_v6))
            s.left++;
        else
            s.wanted[people->location] = NULL;
    }
    find_samples(&s);
    free(s.wanted);
}

void steer_population_cut(struct steer_population *population, const struct steer_population *whole,
                          const struct steer_geo *geo, const struct steer_whom *whom,
                          const struct steer_nested *networks, size_t network_count)
{
    struct counting c = {
        .geo = geo, .whom = whom, .all = is_all(whom), .everybody = whole->everybody};
    struct steer_partition parts;
    networks_partition(whom, networks, network_count, &parts);
    count_pieces(&c, &parts);
    *population =
        (struct steer_population){.count = whole->count + c.count, .everybody = whole->everybody};
    population->items = steer_calloc(population->count, sizeof *population->items);
    memcpy(population->items, whole->items, whole->count * sizeof *whole->items);
    if (c.count)
        memcpy(population->items + whole->count, c.items, c.count * sizeof *c.items);
    take_away(&c, population, whole->count, &parts);
    finish(population);
    steer_partition_fini(&parts);
    steer_nummap_fini(&c.pairs);
    free(c.items);
}

// ---- who asked -----------------------------------------------------------------------------------

void steer_population_of_askers(struct steer_population *population, const struct steer_geo *geo,
                                const struct steer_asker *askers, size_t count)
{
    *population = (struct steer_population){
        .items = steer_calloc(count, sizeof *population->items), .count = count, .everybody = true};
    for (size_t i = 0; i < count; i++) {
        struct steer_people *people = &population->items[i];
        struct steer_addr v4;
        unsigned offset;
        const bool inside = steer_addr_embedded_v4(&askers[i].addr, &v4, &offset);
        people->sample = inside ? v4 : askers[i].addr;
        people->location = steer_partition_lookup(steer_geo_partition(geo), &people->sample);
        if (people->sample.family == STEER_V4)
            people->v4 = people->room_v4 = askers[i].count;
        else
            people->v6 = people->room_v6 = askers[i].count;
    }
    finish(population);
}

void steer_population_fini(struct steer_population *population)
{
    free(population->items);
    *population = (struct steer_population){0};
}
