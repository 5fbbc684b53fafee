// SPDX-License-Identifier: GPL-3.0-or-later
// How many clients there are, and where: IPv4 addresses and IPv6 /48s with a known place, each family for itself.
// Floor 2. Pure.
#ifndef STEERD_GEO_POPULATION_H
#define STEERD_GEO_POPULATION_H

#include "steerd/geo/geo.h"
#include "steerd/geo/nested.h"

// The clients at one location of the geo data.
struct steer_people {
    uint32_t location;
    uint64_t v4, v6;           // addresses, /48s; 0 where they do not count
    uint64_t room_v4, room_v6; // whether they count or not
    struct steer_addr sample;  // one of them
};

struct steer_population {
    struct steer_people *items; // each location that has an address (and was not cut), in order
    size_t count;
    uint64_t v4, v6; // all that count
    bool everybody;  // also those without a known place count, since nobody has one
};

// Whom to count: who is in one of the places, prefixes or autonomous systems; everybody where there are none of all three.
struct steer_whom {
    const struct steer_place *places;
    size_t place_count;
    const struct steer_prefix *prefixes;
    size_t prefix_count;
    const uint32_t *asns;
    size_t asn_count;
};

// whom: NULL is everybody. Who is in a prefix or an autonomous system counts also where the place is not known; and
// everybody does where none of them has a known place.
void steer_population_init(struct steer_population *population, const struct steer_geo *geo,
                           const struct steer_whom *whom);
// The same cut by networks that may lie in one another (sorted by steer_nested_sort): who is in one of them, and in no
// longer one, has an item of its own for each location. whole: what init gave for the same geo data and whom. Takes as
// long as the networks are large, not the geo data.
void steer_population_cut(struct steer_population *population, const struct steer_population *whole,
                          const struct steer_geo *geo, const struct steer_whom *whom,
                          const struct steer_nested *networks, size_t network_count);
// Who asked, each with how often; everybody counts. Addresses of IPv4 inside IPv6 are IPv4.
struct steer_asker {
    struct steer_addr addr;
    uint64_t count;
};
void steer_population_of_askers(struct steer_population *population, const struct steer_geo *geo,
                                const struct steer_asker *askers, size_t count);
void steer_population_fini(struct steer_population *population);

#endif
