// SPDX-License-Identifier: GPL-3.0-or-later
// What the modules of impact share: names, and what a residual comes to in terms of them.
#ifndef STEERD_POLICY_IMPACT_INTERNAL_H
#define STEERD_POLICY_IMPACT_INTERNAL_H

#include "decide_internal.h"
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
    uint16_t type;
    uint32_t down; // entity that is down; ENTITY_NOTHING: none
    bool served_all, nothing;
    uint32_t count;
    struct mix_part *parts;
    struct mix *next;
};

struct root {
    struct mix *mixes;
    uint32_t *losses; // endpoints and sites in it
    uint32_t loss_count;
    const struct steer_object **pools;
    uint32_t pool_count;
};

struct mixer {
    struct steer_residuals *residuals;
    struct steer_down down;
    struct steer_hypothesis up, lost;
    struct steer_map entity_index; // "kind name"
    struct entity *entities;
    size_t entity_count, entity_cap;
    struct steer_ptrmap roots; // residual, of which a reference is held -> root
    struct steer_arena arena;
};
void mixer_init(struct mixer *m, const struct steer_view *base);
void mixer_fini(struct mixer *m);
struct root *mixer_root(struct mixer *m, struct steer_residual *residual);
bool root_holds(const struct root *root, uint32_t loss);
const struct mix *mixer_mix(struct mixer *m, struct steer_residual *residual, uint16_t type,
                            uint32_t down);
bool mix_equal(const struct mix *a, const struct mix *b);

// What goes from where to where between two mixes: load that one entity loses is spread over those that win, in
// proportion. NULL is nothing at all, and nothing moves.
void mix_flows(const struct mix *from, const struct mix *to,
               void (*flow)(void *ctx, uint32_t from, uint32_t to, struct steer_share share),
               void *ctx);

#endif
