// SPDX-License-Identifier: GPL-3.0-or-later
// The account of one record, between its counting (impact.c), where clients are (impact_places.c), and its report
// (impact_report.c).
#ifndef STEERD_POLICY_IMPACT_ACCOUNT_H
#define STEERD_POLICY_IMPACT_ACCOUNT_H

#include "cut.h"
#include "impact_internal.h"
#include "tally.h"

enum { FAMILIES = 2, EVERYWHERE = 0, PLACES_SHOWN = 10, PLACES_BRIEF = 4 };
static const struct steer_share NONE = {0, 1};

// Where clients are. Each group lies in its parent, and all in the first one.
enum level { WORLD, CONTINENT, COUNTRY, SUBDIVISION };
struct group {
    char name[12]; // "EU", "EU-DE", "NA-US-CA"
    enum level level;
    bool rest;       // of a country: who is in none of the subdivisions that a record tells apart
    uint32_t parent; // EVERYWHERE has itself
    uint32_t rest_group; // of a country with subdivisions, else 0
};

struct group_people {
    uint64_t of[FAMILIES];
};

struct steer_impact {
    const struct steer_geo *geo;
    struct mixer mixer;
    struct group *groups;
    size_t group_count, group_cap;
    struct steer_map group_index;
    uint32_t *group_of; // of each location the smallest one
    uint32_t *plain;    // of each group the one to count in, where subdivisions do not matter
    struct steer_population everybody;
    struct group_people *people; // of everybody
    struct cut cut;              // of everybody
    // Those who asked last, by location, for records that tell no networks apart; NULL: none yet.
    const struct steer_population *merged_of;
    struct steer_population merged;
};

// impact_places.c
void impact_places_init(struct steer_impact *p);
void impact_places_fini(struct steer_impact *p);
// Those of a population, for each group. The caller's.
struct group_people *impact_count_groups(const struct steer_impact *p,
                                         const struct steer_population *population);
// Those who asked, as many items as they have locations.
const struct steer_population *impact_merge_askers(struct steer_impact *p,
                                                   const struct steer_population *askers);
// For each group the one to count in, where a record tells some subdivisions apart; the caller's, or p->plain.
uint32_t *impact_leaves(struct steer_impact *p, const struct steer_impact_side *const sides[2]);

// Clients of one group who get the same before, and the same after.
enum {
    CLASS_NONE = UINT16_MAX
}; // the record is not there; see STEER_ELIMIT for how many there may be
struct cell {
    uint32_t group;
    uint16_t class_index[2];        // before, after
    struct steer_residual *root[2]; // NULL: the record is not there
    uint64_t people[FAMILIES];
    const struct steer_people *face;
};

struct cells {
    struct cell *items; // in order of group
    size_t count, cap;
    struct steer_ptrmap index;
};

struct sum {
    uint32_t group, slot, entity;
    struct tally part[2];
};

struct place_sum {
    uint32_t group;
    struct tally part;
};

struct move {
    uint32_t slot, from, to;
    struct tally part;
    struct place_sum *places;
    size_t place_count, place_cap;
};

struct account {
    struct steer_impact *impact;
    const struct steer_impact_how *how;
    struct steer_classes classes[2];
    bool there[2], sticky[2];
    const struct steer_population *people;
    const struct group_people *all; // of people, by group
    struct group_people *own_all;   // the same where they are not everybody's
    uint32_t *leaf;
    struct cells leaves; // by the group that they are counted in
    struct cells cells;  // the same in each group that holds it
    size_t world_count;  // of cells, at first: those of EVERYWHERE
    struct given_types types;
    uint32_t *losses; // endpoints and sites of the record as it will be, in order
    size_t loss_count;
    struct sum *sums;
    size_t sum_count, sum_cap;
    struct steer_ptrmap sum_index;
    struct move *moves;
    size_t move_count, move_cap;
    struct steer_ptrmap move_index;
    bool places; // moves are kept by place
    // Of the flow under way.
    uint32_t slot, group;
    uint64_t people_moving;
};

const struct mix *impact_mix_of(const struct account *a, const struct cell *cell, unsigned side,
                                unsigned type, uint32_t down);
unsigned impact_fate_of(const struct account *a, const struct cell *cell, unsigned side,
                        unsigned type, uint32_t down);
void impact_add_flows(struct account *a, const struct cell *cell, uint32_t slot,
                      const struct mix *from, const struct mix *to);
void impact_forget_moves(struct account *a);
// One past the last cell of the group that cells->items[first] is in.
size_t impact_group_end(const struct cells *cells, size_t first);

// The parts of the report; each is the caller's.
json_t *impact_types_json(const struct account *a);
json_t *impact_shares_json(struct account *a);
json_t *impact_moves_json(struct account *a, uint32_t slot); // UINT32_MAX: of all slots
json_t *impact_alike_json(const struct account *a);
json_t *impact_failures_json(struct account *a); // forgets the moves
json_t *impact_warnings_json(const struct account *a, const struct steer_impact_side *after);

#endif
