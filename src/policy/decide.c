// SPDX-License-Identifier: GPL-3.0-or-later
// Residual tree + health -> distribution: the root. Start at steer_decide; what nodes come to is eval.c's.
#include "steerd/policy/decide.h"

#include <stdlib.h>
#include <string.h>

#include "decide_internal.h"

static const struct steer_share NO_SHARE = {0, 1};

// ---- the root ------------------------------------------------------------------------------------

// The root alone is evaluated again by default; nothing even then: exhausted.
static void eval_root(struct steer_eval *e, struct steer_result *r, struct steer_distribution *out)
{
    const struct steer_residual *root = e->root;
    steer_eval_kind(e, root, false, r);
    if (!r->available && root->when == STEER_WHEN_SERVE_NONE) {
        steer_trace_text(r->trace, "when_unavailable", "serve_none");
        return;
    }
    if (!r->available && root->when == STEER_WHEN_SUBSTITUTE)
        steer_eval_substitute(e, root, false, r);
    bool again = !r->available;
    if (again)
        steer_eval_serve_all(e, root, r);
    out->served_all = again || r->served_all;
    out->reads_up = out->served_all || r->reads_up;
    out->exhausted = !r->available || r->exhausted;
    out->available = r->available && !out->served_all && !out->exhausted;
    if (out->exhausted)
        steer_trace_reason(r->trace, "exhausted: nothing is available, even with all checks up");
}

static struct steer_outcome outcome_of(struct steer_choice *choice, struct steer_share share)
{
    return (struct steer_outcome){
        .share = share,
        .ttl_cap_s = choice->ttl_cap_s,
        .endpoint_count = choice->endpoint_count,
        .endpoints = choice->endpoints,
        .fixed = choice->fixed,
        .origin = choice->origin,
        .note = &choice->note,
    };
}

static void fill(struct steer_eval *e, const struct steer_result *r, struct steer_distribution *out)
{
    if (!r->available || !r->count)
        return;
    out->slots = r->slots;
    bool all = r->count <= STEER_OUTCOMES_MAX;
    out->count = all ? r->count : STEER_OUTCOMES_MAX;
    out->outcomes = steer_arena_alloc(e->scratch, out->count * sizeof *out->outcomes);
    struct steer_share sum = NO_SHARE;
    for (uint32_t i = 0; i < out->count && !all; i++)
        sum = steer_share_add(sum, r->items[i].share);
    for (uint32_t i = 0; i < out->count; i++)
        out->outcomes[i] =
            outcome_of(r->items[i].choice,
                       all ? r->items[i].share : steer_share_divide(r->items[i].share, sum));
}

static void eval_init(struct steer_eval *e, uint16_t type, bool sticky, struct steer_arena *scratch,
                      struct steer_arena *lasting)
{
    e->type = type;
    e->sticky = sticky;
    e->arena = e->scratch = scratch;
    e->lasting = lasting;
    steer_ptrmap_init(&e->memo);
    steer_ptrmap_init(&e->leaf_memo);
    steer_ptrmap_init(&e->choices);
}

static void eval_fini(struct steer_eval *e)
{
    steer_ptrmap_fini(&e->memo);
    steer_ptrmap_fini(&e->leaf_memo);
    steer_ptrmap_fini(&e->choices);
}

static void release_traces(const struct steer_ptrmap *memo)
{
    for (size_t i = 0; i < memo->cap; i++) {
        struct steer_result *r = memo->slots[i].value;
        if (r)
            json_decref(r->trace);
    }
}

static void decide(const struct steer_residual *root, const struct steer_view *view, uint16_t type,
                   bool sticky, struct steer_distribution *out, json_t *trace)
{
    *out = (struct steer_distribution){0};
    steer_arena_init(&out->arena);
    struct steer_eval e = {.tracing = trace != NULL};
    eval_init(&e, type, sticky, &out->arena, &out->arena);
    steer_eval_begin(&e, root, view);
    struct steer_result *r = steer_eval_result(&e, e.root, false);
    eval_root(&e, r, out);
    fill(&e, r, out);
    if (trace) {
        json_object_set_new(r->trace, "available", json_boolean(out->available));
        json_object_update(trace, r->trace);
        json_decref(r->trace);
        release_traces(&e.memo);
        release_traces(&e.leaf_memo);
    }
    eval_fini(&e);
}

void steer_decide(const struct steer_residual *root, const struct steer_view *view, uint16_t type,
                  struct steer_distribution *out, json_t *trace)
{
    decide(root, view, type, false, out, trace);
}

void steer_decide_sticky(const struct steer_residual *root, const struct steer_view *view,
                         uint16_t type, struct steer_distribution *out, json_t *trace)
{
    decide(root, view, type, true, out, trace);
}

void steer_distribution_fini(struct steer_distribution *distribution)
{
    if (!distribution)
        return;
    steer_arena_fini(&distribution->arena);
    *distribution = (struct steer_distribution){0};
}

// ---- deciders ------------------------------------------------------------------------------------

enum {
    LASTING_BYTES_MAX = 1 << 20, // what is kept beyond a cache is better worked out again ...
    LASTING_SLOTS_MAX = 1 << 25, // ... but for slots
    STAMP_MAX = 1 << 30,         // a stamp that comes round would be taken for another list's
};

struct steer_decider {
    struct steer_eval eval;
    struct steer_arena scratch, lasting;
    struct steer_distribution distribution;
};

struct steer_decider *steer_decider_create(uint16_t type, bool sticky)
{
    struct steer_decider *d = steer_calloc(1, sizeof *d);
    eval_init(&d->eval, type, sticky, &d->scratch, &d->lasting);
    return d;
}

void steer_decider_keep_apart(struct steer_decider *d)
{
    d->eval.apart = true;
}

void steer_decider_destroy(struct steer_decider *d)
{
    if (!d)
        return;
    eval_fini(&d->eval);
    steer_arena_fini(&d->scratch);
    steer_arena_fini(&d->lasting);
    free(d);
}

void steer_decider_forget(struct steer_decider *d)
{
    steer_ptrmap_clear(&d->eval.leaf_memo);
    steer_ptrmap_clear(&d->eval.choices);
    steer_arena_reset(&d->lasting);
    d->eval.stamp = 0; // no choice is left that has one
}

const struct steer_distribution *steer_decider_run(struct steer_decider *d,
                                                   const struct steer_residual *root,
                                                   const struct steer_view *view)
{
    steer_ptrmap_clear(&d->eval.memo);
    steer_arena_reset(&d->scratch);
    const size_t most = d->eval.sticky ? LASTING_SLOTS_MAX : LASTING_BYTES_MAX;
    if (d->lasting.total_bytes > most || d->eval.stamp > STAMP_MAX)
        steer_decider_forget(d);
    steer_eval_begin(&d->eval, root, view);
    d->distribution = (struct steer_distribution){0};
    struct steer_result r = {0};
    eval_root(&d->eval, &r, &d->distribution);
    fill(&d->eval, &r, &d->distribution);
    return &d->distribution;
}
