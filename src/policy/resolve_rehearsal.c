// SPDX-License-Identifier: GPL-3.0-or-later
// What is forced for one client alone -> effects on the endpoints and pools of its tree, around that tree. Only what
// can make a difference somewhere in the tree is kept, so that clients for whom it makes none stay in one class.
#include <stdlib.h>
#include <string.h>

#include "resolve_internal.h"

struct gathering {
    const struct steer_rehearsed *held;
    size_t held_count;
    struct steer_ptrmap seen; // residuals
    struct steer_effect *effects;
    size_t count, cap;
};

static bool holds(const struct gathering *g, enum steer_kind kind, const char *target, bool *up)
{
    const struct steer_rehearsed *r = steer_rehearsed_find(g->held, g->held_count, kind, target);
    if (r)
        *up = r->rehearsal->state == STEER_FORCED_UP;
    return r != NULL;
}

static void add(struct gathering *g, struct steer_effect effect)
{
    g->effects = steer_grow(g->effects, &g->cap, g->count + 1, sizeof *g->effects);
    g->effects[g->count++] = effect;
}

// How many checks pass is what counts: where those that are forced decide it, it is as if all were forced.
static void add_checks(struct gathering *g, const struct steer_object *object)
{
    const struct steer_endpoint *e = &object->endpoint;
    uint32_t up = 0, down = 0;
    bool is_up;
    for (uint32_t i = 0; i < e->check_count; i++)
        if (holds(g, STEER_CHECK, e->checks[i], &is_up))
            *(is_up ? &up : &down) += 1;
    if (!up && !down)
        return;
    const bool passes = up >= e->checks_needed;
    const bool decided = passes || e->check_count - down < e->checks_needed;
    for (uint32_t i = 0; i < e->check_count; i++)
        if (decided)
            add(g, (struct steer_effect){object, STEER_CHECK, i, passes});
        else if (holds(g, STEER_CHECK, e->checks[i], &is_up))
            add(g, (struct steer_effect){object, STEER_CHECK, i, is_up});
}

static void add_endpoint(struct gathering *g, const struct steer_object *object)
{
    const struct steer_endpoint *e = &object->endpoint;
    bool up;
    if (holds(g, STEER_ENDPOINT, object->name, &up)) {
        add(g, (struct steer_effect){object, STEER_ENDPOINT, 0, up});
        return;
    }
    if (e->site && holds(g, STEER_SITE, e->site, &up)) {
        add(g, (struct steer_effect){object, STEER_SITE, 0, up});
        return;
    }
    add_checks(g, object);
}

// Nobody looks into a pool that is closed.
static bool closes(struct gathering *g, const struct steer_object *pool)
{
    bool up;
    if (!holds(g, STEER_POOL, pool->name, &up))
        return false;
    add(g, (struct steer_effect){pool, STEER_POOL, 0, up});
    return !up;
}

static void gather(struct gathering *g, const struct steer_residual *r)
{
    static char seen;
    void **mark = steer_ptrmap_at(&g->seen, (uintptr_t)r);
    if (*mark)
        return;
    *mark = &seen;
    if (r->kind == STEER_R_ENDPOINT)
        add_endpoint(g, r->object);
    const bool closed = r->kind == STEER_R_POOL && closes(g, r->object);
    for (uint32_t i = 0; i < r->child_count && !closed; i++)
        gather(g, r->children[i]);
    if (r->substitute)
        gather(g, r->substitute);
}

static int by_place(const void *va, const void *vb)
{
    const struct steer_effect *a = va, *b = vb;
    if (a->object != b->object)
        return (uintptr_t)a->object < (uintptr_t)b->object ? -1 : 1;
    return a->check < b->check ? -1 : a->check > b->check;
}

// An object may stand in a tree more than once.
static uint32_t sort_effects(struct steer_effect *effects, size_t count)
{
    uint32_t kept = 0;
    qsort(effects, count, sizeof *effects, by_place);
    for (size_t i = 0; i < count; i++)
        if (!kept || by_place(&effects[kept - 1], &effects[i]) != 0)
            effects[kept++] = effects[i];
    return kept;
}

// For an explanation: what holds for the client and has an effect.
static void trace(struct steer_resolver *v, const struct gathering *g,
                  const struct steer_residual *around)
{
    char text[64];
    for (size_t i = 0; v->trace && i < g->held_count; i++) {
        const struct steer_rehearsal *r = g->held[i].rehearsal;
        bool felt = false;
        for (uint32_t k = 0; k < around->effect_count && !felt; k++) {
            const struct steer_effect *e = &around->effects[k];
            const char *name = e->on == STEER_SITE    ? e->object->endpoint.site
                               : e->on == STEER_CHECK ? e->object->endpoint.checks[e->check]
                                                      : e->object->name;
            felt = e->on == r->kind && strcmp(name, r->target) == 0 &&
                   e->up == (r->state == STEER_FORCED_UP);
        }
        if (felt)
            json_array_append_new(
                v->trace,
                json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "node", "rehearsal", "clients",
                          steer_prefix_format(&g->held[i].network, text, sizeof text), "on",
                          steer_kind_text(r->kind), "name", r->target, "state",
                          steer_forced_text(r->state), "reason", r->reason, "owner", r->owner));
    }
}

// ---- what was found before -----------------------------------------------------------------------

// One override may be for many networks, and the tree behind them one of thousands of endpoints: it is looked through once
// for all who have the same.
struct around {
    struct around *next; // of the same root
    uint32_t count;
    const struct steer_rehearsal **held;
    struct steer_residual *residual; // a reference, which keeps the root too
};

static bool holds_the_same(const struct around *a, const struct gathering *g)
{
    bool same = a->count == g->held_count;
    for (uint32_t i = 0; i < a->count && same; i++)
        same = a->held[i] == g->held[i].rehearsal;
    return same;
}

static struct steer_residual *recall(struct steer_resolver *v, const struct gathering *g,
                                     const struct steer_residual *root)
{
    const struct around *a = *steer_ptrmap_at(&v->arounds, (uintptr_t)root);
    while (a && !holds_the_same(a, g))
        a = a->next;
    return a ? a->residual : NULL;
}

static void remember(struct steer_resolver *v, const struct gathering *g,
                     const struct steer_residual *root, struct steer_residual *residual)
{
    void **first = steer_ptrmap_at(&v->arounds, (uintptr_t)root);
    struct around *a = steer_arena_alloc(&v->arena, sizeof *a);
    *a = (struct around){.next = *first,
                         .count = (uint32_t)g->held_count,
                         .held = steer_arena_alloc(&v->arena, g->held_count * sizeof(void *)),
                         .residual = steer_residual_ref(residual)};
    for (uint32_t i = 0; i < a->count; i++)
        a->held[i] = g->held[i].rehearsal;
    *first = a;
}

void steer_resolve_rehearsal_fini(struct steer_resolver *v)
{
    for (size_t i = 0; i < v->arounds.cap; i++)
        for (const struct around *a = v->arounds.slots[i].value; a; a = a->next)
            steer_residual_unref(v->store, a->residual);
    steer_ptrmap_fini(&v->arounds);
}

// ---- a client's root -----------------------------------------------------------------------------

// Takes the reference.
static struct steer_residual *put_around(struct steer_resolver *v, struct gathering *g,
                                         struct steer_residual *root)
{
    steer_ptrmap_init(&g->seen);
    gather(g, root);
    steer_ptrmap_fini(&g->seen);
    if (g->count) {
        root = steer_residual_intern(
            v->store, &(struct steer_residual){.kind = STEER_R_REHEARSAL,
                                               .child_count = 1,
                                               .children = &root,
                                               .effect_count = sort_effects(g->effects, g->count),
                                               .effects = g->effects});
        trace(v, g, root);
    }
    free(g->effects);
    return root;
}

struct steer_residual *steer_resolve_rehearsal(struct steer_resolver *v,
                                               struct steer_residual *root)
{
    const struct steer_rehearsals *set = steer_catalog_rehearsals(v->catalog);
    struct steer_rehearsed held[STEER_REHEARSALS_MAX];
    if (!set || !v->client->network)
        return root;
    struct gathering g = {.held = held};
    g.held_count = steer_rehearsals_for(set, v->client->network, held);
    if (!g.held_count)
        return root;
    struct steer_residual *known = v->trace ? NULL : recall(v, &g, root);
    if (known) {
        steer_residual_ref(known);
        steer_residual_unref(v->store, root);
        return known;
    }
    struct steer_residual *found = put_around(v, &g, steer_residual_ref(root));
    if (!v->trace)
        remember(v, &g, root, found);
    steer_residual_unref(v->store, root);
    return found;
}

const struct steer_effect *steer_effects_of(const struct steer_effect *effects, uint32_t count,
                                            const struct steer_object *object, uint32_t *own)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        const uint32_t mid = low + (high - low) / 2;
        if ((uintptr_t)effects[mid].object < (uintptr_t)object)
            low = mid + 1;
        else
            high = mid;
    }
    *own = 0;
    while (low + *own < count && effects[low + *own].object == object)
        (*own)++;
    return *own ? &effects[low] : NULL;
}
