// SPDX-License-Identifier: GPL-3.0-or-later
// The plain form of a residual: what it does, whichever way the document says it.
#include <stdlib.h>
#include <string.h>

#include "resolve_internal.h"
#include "steerd/base/mem.h"

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

// What is forced on checks of one endpoint: it decides, or some of the others must pass. Which check says what is the same
// to everybody. Returns how many effects are left.
static uint32_t plain_checks(struct steer_effect *effects, uint32_t count)
{
    const struct steer_endpoint *e = &effects[0].object->endpoint;
    uint32_t up = 0;
    for (uint32_t i = 0; i < count; i++)
        up += effects[i].up;
    if (up >= e->checks_needed || count - up > e->check_count - e->checks_needed) {
        effects[0].check = UINT32_MAX; // all of them
        effects[0].up = up >= e->checks_needed;
        return 1;
    }
    for (uint32_t i = 0; i < count; i++)
        effects[i].up = i < up;
    return count;
}

// The effects of a rehearsal; the caller frees them.
static struct steer_effect *plain_effects(const struct steer_residual *r, uint32_t *count)
{
    struct steer_effect *made = steer_memdup(r->effects, r->effect_count * sizeof *made);
    uint32_t kept = 0;
    for (uint32_t i = 0, next; i < r->effect_count; i = next) {
        for (next = i + 1; next < r->effect_count && made[next].object == made[i].object;)
            next++;
        const uint32_t left =
            made[i].on == STEER_CHECK ? plain_checks(&made[i], next - i) : next - i;
        memmove(&made[kept], &made[i], left * sizeof *made);
        kept += left;
    }
    *count = kept;
    return made;
}

static struct steer_residual *plain_inner(struct plainer *p, struct steer_residual *r)
{
    struct steer_siblings list = plain_children(p, r);
    struct steer_residual want = *r, *found = NULL;
    struct steer_effect *effects = r->effect_count ? plain_effects(r, &want.effect_count) : NULL;
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
        want.effects = effects;
        want.weights = r->weights ? list.weights : NULL;
        want.substitute = r->substitute ? plain(p, r->substitute) : NULL;
        found = steer_residual_intern(p->store, &want);
    }
    free(effects);
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
