// SPDX-License-Identifier: GPL-3.0-or-later
// The plain form of a residual: what it does, whichever way the document says it.
#include <stdlib.h>

#include "resolve_internal.h"

struct plainer {
    struct steer_residuals *store;
    struct steer_ptrmap known; // residual -> its plain form, with a reference
};

static struct steer_residual *plain(struct plainer *p, struct steer_residual *r);

static bool is_ordered(const struct steer_residual *r)
{
    return r->kind >= STEER_R_FAILOVER && r->kind <= STEER_R_LATENCY;
}

// Of a list that gives its first available child a repetition says nothing, unless children are counted or the
// next one is given too.
static struct steer_siblings plain_children(struct plainer *p, struct steer_residual *r)
{
    static char met;
    const bool choice = is_ordered(r) || r->kind == STEER_R_WEIGHTED;
    const bool once = is_ordered(r) && r->min_available.value <= 1 && !r->trickle_ppm;
    struct steer_siblings list;
    struct steer_ptrmap seen;
    steer_siblings_init(&list, r->child_count);
    steer_ptrmap_init(&seen);
    for (uint32_t i = 0; i < r->child_count; i++) {
        struct steer_residual *child = plain(p, r->children[i]);
        void **mark = once ? steer_ptrmap_at(&seen, (uintptr_t)child) : NULL;
        if ((choice && child->kind == STEER_R_NONE) || (mark && *mark)) {
            steer_residual_unref(p->store, child);
            continue;
        }
        if (mark)
            *mark = &met;
        list.weights[list.count] = r->weights ? r->weights[i] : 0;
        list.items[list.count++] = child;
    }
    steer_ptrmap_fini(&seen);
    return list;
}

static struct steer_residual *plain_inner(struct plainer *p, struct steer_residual *r)
{
    struct steer_siblings list = plain_children(p, r);
    struct steer_residual want = *r, *found = NULL;
    const bool choice = is_ordered(r) || r->kind == STEER_R_WEIGHTED;
    const bool bare =
        choice && r->min_available.value <= 1 && r->when == STEER_WHEN_DEFAULT && list.count < 2;
    if (bare && list.count) {
        found = list.items[0];
    } else if (bare) {
        found = steer_residual_intern(p->store, &(struct steer_residual){.kind = STEER_R_NONE});
    } else {
        want.kind = is_ordered(r) ? STEER_R_FAILOVER : r->kind;
        want.trickle_ppm = list.count > 1 ? r->trickle_ppm : 0;
        want.child_count = list.count;
        want.children = list.items;
        want.weights = r->weights ? list.weights : NULL;
        want.substitute = r->substitute ? plain(p, r->substitute) : NULL;
        found = steer_residual_intern(p->store, &want);
    }
    steer_siblings_fini(&list);
    return found;
}

static struct steer_residual *plain(struct plainer *p, struct steer_residual *r)
{
    const bool inner = is_ordered(r) || r->kind == STEER_R_WEIGHTED || r->kind == STEER_R_SWITCH ||
                       r->kind == STEER_R_FENCE || r->kind == STEER_R_REHEARSAL;
    if (!inner && !r->substitute)
        return steer_residual_ref(r);
    struct steer_residual *known = *steer_ptrmap_at(&p->known, (uintptr_t)r);
    if (!known) {
        known = plain_inner(p, r);
        *steer_ptrmap_at(&p->known, (uintptr_t)r) = known;
    }
    return steer_residual_ref(known);
}

struct steer_residual *steer_residual_plain(struct steer_residuals *store,
                                            struct steer_residual *residual)
{
    struct plainer p = {.store = store};
    steer_ptrmap_init(&p.known);
    struct steer_residual *found = plain(&p, residual);
    for (size_t i = 0; i < p.known.cap; i++)
        steer_residual_unref(store, p.known.slots[i].value);
    steer_ptrmap_fini(&p.known);
    return found;
}
