// SPDX-License-Identifier: GPL-3.0-or-later
// The account of one record, between its counting (impact.c) and its report (impact_report.c).
#ifndef STEERD_POLICY_IMPACT_ACCOUNT_H
#define STEERD_POLICY_IMPACT_ACCOUNT_H

#include "impact_internal.h"

enum { FAMILIES = 2, EVERYWHERE = 0, PLACES_SHOWN = 10, PLACES_BRIEF = 4 };
static const struct steer_share NONE = {0, 1};

// Where clients are: everywhere, a continent, or a country.
struct group {
    char name[8];
    uint64_t people[FAMILIES];
};

// Clients, and where they are.
struct crowd {
    struct steer_population people;
    uint32_t *country, *continent; // of each of people; EVERYWHERE: not known
    uint32_t *order;               // people by country
};

struct steer_impact {
    const struct steer_geo *geo;
    struct mixer mixer;
    struct group *groups; // the first is everywhere
    size_t group_count, group_cap;
    struct steer_map group_index;
    struct crowd everybody;
};

// Clients of one country who get the same before, and the same after.
struct cell {
    uint32_t country, continent;
    struct steer_residual *root[2]; // before, after; NULL: the record is not there
    uint64_t people[FAMILIES];
    const struct steer_people *face;
};

struct cells {
    struct cell *items;
    size_t count, cap;
};

struct sum {
    uint32_t group, slot, entity;
    struct steer_share share[2];
};

struct place_sum {
    uint32_t group;
    struct steer_share share;
};

struct move {
    uint32_t slot, from, to;
    struct steer_share share;
    struct place_sum *places;
    size_t place_count, place_cap;
};

struct account {
    struct steer_impact *impact;
    struct steer_classes classes[2];
    struct crowd cut; // by the networks of both sides
    bool there[2];
    struct cells countries;  // in order of country
    struct cells continents; // the same by continent: countries are EVERYWHERE
    struct cells world;      // and all together
    uint16_t types[STEER_TYPES_MAX];
    unsigned type_count;
    struct sum *sums;
    size_t sum_count, sum_cap;
    struct steer_ptrmap sum_index;
    struct move *moves;
    size_t move_count, move_cap;
    struct steer_ptrmap move_index;
    bool places; // moves are kept by place
    bool brief;
    // Of the flow under way.
    uint32_t slot, country;
    struct steer_share part;
};

const struct mix *impact_mix_of(const struct account *a, const struct cell *cell, unsigned side,
                                unsigned type, uint32_t down);
void impact_add_flows(struct account *a, const struct cell *cell, uint32_t slot,
                      const struct mix *from, const struct mix *to);
void impact_forget_moves(struct account *a);

// The parts of the report; each is the caller's.
json_t *impact_shares_json(struct account *a, bool all);
json_t *impact_moves_json(struct account *a, uint32_t slot); // UINT32_MAX: of all slots
json_t *impact_alike_json(const struct account *a, bool all);
json_t *impact_failures_json(struct account *a); // forgets the moves
json_t *impact_warnings_json(const struct account *a, const struct steer_impact_side *after);

#endif
