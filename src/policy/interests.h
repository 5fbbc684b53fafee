// SPDX-License-Identifier: GPL-3.0-or-later
// What a tree asks of a client: clients of whom it is all the same have one trait and are resolved once.
#ifndef STEERD_POLICY_INTERESTS_H
#define STEERD_POLICY_INTERESTS_H

#include "decide_internal.h"

enum { STEER_INTERESTS_PLACES = 63 };

struct steer_trait {
    uint64_t match;  // which of the places hold the client
    char place[12];  // itself, where there are too many places
    uint32_t asn;    // 0: none that the tree names
    double lat, lon; // where distance matters and it is known, else 0
    bool has_point;
};

struct steer_interests {
    const struct steer_catalog *catalog;
    const struct steer_rehearsals *rehearsals; // whose networks count where the tree has the object
    bool felt[STEER_REHEARSALS_MAX];
    struct steer_ptrmap seen; // policies
    const struct steer_place *places[STEER_INTERESTS_PLACES];
    unsigned place_count;
    bool many_places;
    struct steer_ptrmap asns;
    bool whole_place;              // all of it matters
    bool points;                   // where the client is
    uint32_t ranked;               // the most children that one node ranks
    struct steer_nested *networks; // the CIDRs and those, sorted; value: their index
    size_t network_count, network_cap;
    struct steer_trait *traits;
    size_t count, cap;
    uint32_t *slots; // trait + 1 by hash
    size_t slot_cap;
};

// Must not move afterwards. The catalogue and the tree outlive it.
void steer_interests_init(struct steer_interests *interests, const struct steer_catalog *catalog,
                          const struct steer_node *tree);
void steer_interests_fini(struct steer_interests *interests);
// The number of a location's trait, from 0 on.
uint32_t steer_interests_trait(struct steer_interests *interests,
                               const struct steer_location *location);

#endif
