// SPDX-License-Identifier: GPL-3.0-or-later
// Random prefixes that nest and touch, and addresses at their borders, for the property tests of geo.
#ifndef STEERD_TESTS_GEO_RANDOM_SPACE_H
#define STEERD_TESTS_GEO_RANDOM_SPACE_H

#include <stdlib.h>
#include <string.h>

#include "steerd/base/hash.h"
#include "steerd/geo/partition.h"

static inline unsigned below(struct steer_rng *rng, unsigned n)
{
    return (unsigned)(steer_rng_next(rng) % n);
}

static inline struct steer_addr random_addr(struct steer_rng *rng, uint8_t family)
{
    struct steer_addr addr = {.family = family};
    for (unsigned i = 0; i < steer_family_bits(family) / 8; i++)
        addr.octets[i] = (uint8_t)steer_rng_next(rng);
    return addr;
}

// A new prefix, or one near an earlier one of its family: inside it, around it, or beside it. IPv6 ones
// are often in or around the areas that embed IPv4.
static inline struct steer_prefix random_prefix(struct steer_rng *rng, uint8_t family,
                                                const struct steer_prefix_value *items,
                                                size_t count)
{
    static const uint8_t areas[][16] = {
        {[10] = 0xff, 0xff}, {0, 0x64, 0xff, 0x9b}, {0x20, 2}, {0x20, 1}};
    unsigned bits = steer_family_bits(family);
    struct steer_prefix prefix = {random_addr(rng, family), (uint8_t)below(rng, bits + 1)};
    const struct steer_prefix *base = count ? &items[below(rng, (unsigned)count)].prefix : NULL;
    if (base && base->addr.family == family && below(rng, 3)) {
        unsigned keep = base->len ? below(rng, base->len + 1u) : 0;
        if (below(rng, 2))
            keep = base->len;
        for (unsigned i = 0; i < keep; i++) {
            uint8_t mask = (uint8_t)(0x80 >> i % 8);
            prefix.addr.octets[i / 8] =
                (uint8_t)((prefix.addr.octets[i / 8] & ~mask) | (base->addr.octets[i / 8] & mask));
        }
    } else if (family == STEER_V6 && below(rng, 2)) {
        memcpy(prefix.addr.octets, areas[below(rng, 4)], 2 + below(rng, 11));
    }
    steer_addr_mask(&prefix.addr, prefix.len);
    return prefix;
}

static inline void random_prefixes(struct steer_rng *rng, struct steer_prefix_value *items,
                                   size_t count, unsigned values)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t family = below(rng, 2) ? STEER_V4 : STEER_V6;
        items[i].prefix = random_prefix(rng, family, items, i);
        items[i].value = below(rng, values);
    }
}

// The address moved by one, upwards or downwards; wraps.
static inline struct steer_addr moved(struct steer_addr addr, int by)
{
    for (int i = (int)steer_family_bits(addr.family) / 8 - 1; i >= 0; i--) {
        addr.octets[i] = (uint8_t)(addr.octets[i] + by);
        if (addr.octets[i] != (by > 0 ? 0 : 0xff))
            break;
    }
    return addr;
}

static inline struct steer_addr last_of(const struct steer_prefix *prefix)
{
    struct steer_addr addr = prefix->addr;
    for (unsigned i = prefix->len; i < steer_family_bits(addr.family); i++)
        addr.octets[i / 8] |= (uint8_t)(0x80 >> i % 8);
    return addr;
}

// What from_prefixes promises, done the slow way.
static inline uint32_t naive_value(const struct steer_prefix_value *items, size_t count,
                                   uint32_t otherwise, const struct steer_addr *addr)
{
    uint32_t value = otherwise;
    int longest = -1;
    for (size_t i = 0; i < count; i++)
        if (items[i].prefix.len >= longest && steer_prefix_contains(&items[i].prefix, addr)) {
            longest = items[i].prefix.len;
            value = items[i].value;
        }
    return value;
}

// Addresses worth asking: borders of each prefix and one beyond, and some anywhere. Free the result.
static inline struct steer_addr *interesting(struct steer_rng *rng,
                                             const struct steer_prefix_value *items, size_t count,
                                             size_t *out_count)
{
    struct steer_addr *list = calloc(count * 4 + 40, sizeof *list);
    size_t n = 0;
    if (!list)
        abort();
    for (size_t i = 0; i < count; i++) {
        struct steer_addr first = items[i].prefix.addr;
        struct steer_addr last = last_of(&items[i].prefix);
        list[n++] = first;
        list[n++] = last;
        list[n++] = moved(first, -1);
        list[n++] = moved(last, 1);
    }
    for (unsigned i = 0; i < 40; i++)
        list[n++] = random_addr(rng, i % 2 ? STEER_V4 : STEER_V6);
    *out_count = n;
    return list;
}

#endif
