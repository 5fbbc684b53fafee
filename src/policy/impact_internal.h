// SPDX-License-Identifier: GPL-3.0-or-later
// What the modules of impact share: names, and what a residual comes to in terms of them.
#ifndef STEERD_POLICY_IMPACT_INTERNAL_H
#define STEERD_POLICY_IMPACT_INTERNAL_H

#include "decide_internal.h"
#include "given.h"
#include "steerd/base/hash.h"
#include "steerd/policy/impact.h"

// Endpoints, pools and sites by name, so that both sides speak of the same.
enum { ENTITY_NOTHING, ENTITY_FIXED, ENTITY_FIRST };
struct entity {
    enum steer_kind kind; // STEER_KINDS: none of them
    const char *name;
};

struct mix_part {
    uint32_t entity;
    struct steer_share given; // share of the answers that name it
    struct steer_share
        load; // the same, where an answer's endpoints share it; 0 for pools and sites
};

// What one residual gives for one type, in order of entity.
struct mix {
    bool served_all, nothing;
    uint32_t count;
    struct mix_part *parts;
};

// What is asked about a residual.
struct mix_question {
    uint16_t type;
    bool sticky;   // shares are those of the slots
    uint32_t down; // entity that is down; ENTITY_NOTHING: none
};

// The endpoints of a residual, and its pools with the endpoints that are in them.
struct root {
    uint32_t number;
    uint32_t *losses; // endpoints and sites
    uint32_t loss_count;
    const struct steer_object **pools;
    uint32_t pool_count;
};

enum { MIX_TYPES = 8 };
struct mix_decider {
    struct steer_decider *decider;
    uint32_t down;
};

struct mixer {
    struct steer_residuals *residuals;
    struct steer_down down;
    struct steer_hypothesis up, lost;
    struct steer_map entity_index; // "kind name"
    struct entity *entities;
    size_t entity_count, entity_cap;
    struct steer_arena names;
    // Until it is trimmed:
    struct steer_ptrmap roots;     // residual, of which a reference is held -> root
    struct steer_ptrmap mixes;     // root, type, down -> mix
    struct steer_ptrmap fates;     // the same -> FATE_..., as a number
    struct steer_ptrmap entity_of; // object or name of a site in one, of a root -> entity + 1
    uint32_t root_count;
    struct steer_arena arena;
    struct mix_decider deciders[MIX_TYPES][2][2]; // by type, sticky, whether something is down
};
// base must outlive it.
void mixer_init(struct mixer *m, const struct steer_view *base);
void mixer_fini(struct mixer *m);
// Forgets what was found out about residuals where that has become much: no mix and no root that it gave is valid
// afterwards.
void mixer_trim(struct mixer *m);
struct root *mixer_root(struct mixer *m, struct steer_residual *residual);
bool root_holds(const struct root *root, uint32_t loss);
// Valid until the next trim.
const struct mix *mixer_mix(struct mixer *m, struct steer_residual *residual,
                            const struct mix_question *question);
// Only whether it ends in serve_all or in nothing.
enum { FATE_KNOWN = 1, FATE_SERVED_ALL = 2, FATE_NOTHING = 4 };
unsigned mixer_fate(struct mixer *m, struct steer_residual *residual,
                    const struct mix_question *question);
bool mix_equal(const struct mix *a, const struct mix *b);

// What goes from where to where between two mixes: load that one entity loses is spread over those that win, in
// proportion. NULL is nothing at all, and nothing moves.
void mix_flows(const struct mix *from, const struct mix *to,
               void (*flow)(void *ctx, uint32_t from, uint32_t to, struct steer_share share),
               void *ctx);

#endif
