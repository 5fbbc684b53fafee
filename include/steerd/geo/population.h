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
    uint64_t v4, v6;          // addresses, /48s; 0 where they do not count
    struct steer_addr sample; // one of them
};

struct steer_population {
    struct steer_people *items; // each location that has an address (and was not cut), in order
    size_t count;
    uint64_t v4, v6; // all that count
};

// Those in the places and prefixes; all clients when there are neither. Who is in a prefix counts also where the place
// is not known; and everybody does where none of them has a known place.
void steer_population_init(struct steer_population *population, const struct steer_geo *geo,
                           const struct steer_place *places, size_t place_count,
                           const struct steer_prefix *prefixes, size_t prefix_count);
// The same, cut by networks that may lie in one another (sorted by steer_nested_sort): who is in one of them, and in no
// longer one, has an item of its own for each location.
void steer_population_init_cut(struct steer_population *population, const struct steer_geo *geo,
                               const struct steer_place *places, size_t place_count,
                               const struct steer_prefix *prefixes, size_t prefix_count,
                               const struct steer_nested *networks, size_t network_count);
void steer_population_fini(struct steer_population *population);

#endif
