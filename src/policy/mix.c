// SPDX-License-Identifier: GPL-3.0-or-later
// What residuals come to, by name; each is evaluated once for a type and a failure.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "impact_internal.h"
#include "steerd/base/mem.h"

static const struct steer_share NONE = {0, 1};

enum { KEPT_BYTES_MAX = 8 << 20 };

// ---- entities ------------------------------------------------------------------------------------

static uint32_t entity_by_name(struct mixer *m, enum steer_kind kind, const char *name)
{
    char key[96];
    uint32_t at;
    snprintf(key, sizeof key, "%d %s", (int)kind, name);
    if (steer_map_get(&m->entity_index, key, &at))
        return at;
    at = (uint32_t)m->entity_count++;
    m->entities = steer_grow(m->entities, &m->entity_cap, m->entity_count, sizeof *m->entities);
    m->entities[at] = (struct entity){kind, steer_arena_strdup(&m->names, name)};
    steer_map_put(&m->entity_index, key, at);
    return at;
}

// of: what the name belongs to, an object or a site's name in one, that a root holds.
static uint32_t entity_of(struct mixer *m, enum steer_kind kind, const char *name, const void *of)
{
    void **known = steer_ptrmap_at(&m->entity_of, (uintptr_t)of);
    if (!*known)
        *known = (void *)(uintptr_t)(entity_by_name(m, kind, name) + 1);
    return (uint32_t)(uintptr_t)*known - 1;
}

void mixer_init(struct mixer *m, const struct steer_view *base)
{
    *m = (struct mixer){.residuals = steer_residuals_create()};
    steer_hypothesis_init(&m->up, base, true, NULL, 0);
    steer_hypothesis_init(&m->lost, base, true, &m->down, 1);
    steer_ptrmap_init(&m->roots);
    steer_ptrmap_init(&m->mixes);
    steer_ptrmap_init(&m->fates);
    steer_ptrmap_init(&m->entity_of);
    steer_arena_init(&m->arena);
    steer_arena_init(&m->names);
    (void)entity_by_name(m, STEER_KINDS, "no record");
    (void)entity_by_name(m, STEER_KINDS, "a fixed answer");
}

static void release_roots(struct mixer *m)
{
    for (size_t i = 0; i < m->roots.cap; i++)
        if (m->roots.slots[i].value)
            steer_residual_unref(m->residuals, (struct steer_residual *)m->roots.slots[i].key);
}

void mixer_fini(struct mixer *m)
{
    for (unsigned i = 0; i < MIX_TYPES * 4; i++)
        steer_decider_destroy(m->deciders[i / 4][i / 2 % 2][i % 2].decider);
    release_roots(m);
    steer_ptrmap_fini(&m->roots);
    steer_ptrmap_fini(&m->mixes);
    steer_ptrmap_fini(&m->fates);
    steer_residuals_destroy(m->residuals);
    steer_map_fini(&m->entity_index);
    steer_ptrmap_fini(&m->entity_of);
    steer_arena_fini(&m->arena);
    steer_arena_fini(&m->names);
    free(m->entities);
}

void mixer_trim(struct mixer *m)
{
    const size_t slots = m->roots.cap + m->mixes.cap + m->fates.cap;
    if (m->arena.total_bytes + slots * sizeof(struct steer_ptrmap_entry) < KEPT_BYTES_MAX)
        return;
    for (unsigned i = 0; i < MIX_TYPES * 4; i++) {
        struct steer_decider *decider = m->deciders[i / 4][i / 2 % 2][i % 2].decider;
        if (decider) // it remembers residuals that go now
            steer_decider_forget(decider);
    }
    release_roots(m);
    steer_ptrmap_clear(&m->roots);
    steer_ptrmap_clear(&m->mixes);
    steer_ptrmap_clear(&m->fates);
    steer_ptrmap_clear(&m->entity_of);
    steer_arena_reset(&m->arena);
    m->root_count = 0;
}

// ---- roots ---------------------------------------------------------------------------------------

struct gathering {
    struct mixer *mixer;
    struct steer_ptrmap seen; // objects
    uint32_t *losses;
    const struct steer_object **pools;
    size_t loss_count, loss_cap, pool_count, pool_cap;
};

static void add_loss(struct gathering *g, uint32_t entity)
{
    for (size_t i = 0; i < g->loss_count; i++)
        if (g->losses[i] == entity)
            return;
    g->losses = steer_grow(g->losses, &g->loss_cap, g->loss_count + 1, sizeof *g->losses);
    g->losses[g->loss_count++] = entity;
}

static void gather(void *ctx, const struct steer_object *object)
{
    static char seen;
    struct gathering *g = ctx;
    void **mark = steer_ptrmap_at(&g->seen, (uintptr_t)object);
    if (*mark)
        return;
    *mark = &seen;
    if (object->kind == STEER_POOL) {
        g->pools = steer_grow(g->pools, &g->pool_cap, g->pool_count + 1, sizeof *g->pools);
        g->pools[g->pool_count++] = object;
        return;
    }
    if (object->kind != STEER_ENDPOINT)
        return;
    const char *site = object->endpoint.site;
    add_loss(g, entity_of(g->mixer, STEER_ENDPOINT, object->name, object));
    if (site)
        add_loss(g, entity_of(g->mixer, STEER_SITE, site, site));
}

struct root *mixer_root(struct mixer *m, struct steer_residual *residual)
{
    void **slot = steer_ptrmap_at(&m->roots, (uintptr_t)residual);
    if (*slot)
        return *slot;
    struct root *root = *slot = steer_arena_calloc(&m->arena, sizeof *root);
    struct gathering g = {.mixer = m};
    root->number = m->root_count++;
    steer_residual_ref(residual);
    steer_ptrmap_init(&g.seen);
    steer_residual_visit(residual, gather, &g);
    steer_ptrmap_fini(&g.seen);
    root->loss_count = (uint32_t)g.loss_count;
    root->losses = steer_arena_memdup(&m->arena, g.losses, g.loss_count * sizeof *g.losses);
    root->pool_count = (uint32_t)g.pool_count;
    root->pools = steer_arena_memdup(&m->arena, g.pools, g.pool_count * sizeof *g.pools);
    free(g.losses);
    free(g.pools);
    return root;
}

bool root_holds(const struct root *root, uint32_t loss)
{
    for (uint32_t i = 0; i < root->loss_count; i++)
        if (root->losses[i] == loss)
            return true;
    return false;
}

// ---- mixes ---------------------------------------------------------------------------------------

struct making {
    struct mixer *mixer;
    struct mix_part *parts;
    size_t count, cap;
};

static void give(struct making *k, uint32_t entity, struct steer_share given,
                 struct steer_share load)
{
    size_t i = 0;
    while (i < k->count && k->parts[i].entity != entity)
        i++;
    if (i == k->count) {
        k->parts = steer_grow(k->parts, &k->cap, k->count + 1, sizeof *k->parts);
        k->parts[k->count++] = (struct mix_part){entity, NONE, NONE};
    }
    k->parts[i].given = steer_share_add(k->parts[i].given, given);
    k->parts[i].load = steer_share_add(k->parts[i].load, load);
}

static bool at_site_before(const struct steer_outcome *o, uint32_t index)
{
    const char *site = o->endpoints[index]->endpoint.site;
    for (uint32_t i = 0; i < index; i++)
        if (o->endpoints[i]->endpoint.site && strcmp(o->endpoints[i]->endpoint.site, site) == 0)
            return true;
    return false;
}

static void give_outcome(struct making *k, const struct root *root, const struct steer_outcome *o)
{
    struct mixer *m = k->mixer;
    if (o->fixed)
        give(k, ENTITY_FIXED, o->share, o->share);
    const struct steer_share part = steer_share_multiply(
        o->share, steer_share_of(1, o->endpoint_count ? o->endpoint_count : 1));
    for (uint32_t i = 0; i < o->endpoint_count; i++) {
        const char *site = o->endpoints[i]->endpoint.site;
        give(k, entity_of(m, STEER_ENDPOINT, o->endpoints[i]->name, o->endpoints[i]), o->share,
             part);
        if (site && !at_site_before(o, i)) // once for all of its endpoints
            give(k, entity_of(m, STEER_SITE, site, site), o->share, NONE);
    }
    for (uint32_t p = 0; p < root->pool_count; p++)
        for (uint32_t i = 0; i < o->endpoint_count; i++)
            if (steer_target_holds(root->pools[p], o->endpoints[i])) {
                give(k, entity_of(m, STEER_POOL, root->pools[p]->name, root->pools[p]), o->share,
                     NONE);
                break;
            }
}

static int by_entity(const void *a, const void *b)
{
    const struct mix_part *x = a, *y = b;
    return x->entity < y->entity ? -1 : x->entity > y->entity;
}

// A residual is evaluated while its root is known, so that the deciders remember nothing that has gone.
static const struct steer_distribution *
decide(struct mixer *m, const struct steer_residual *residual, const struct mix_question *q)
{
    struct mix_decider *d = &m->deciders[given_type_index(q->type)][q->sticky][q->down != 0];
    if (!d->decider)
        d->decider = steer_decider_create(q->type, q->sticky);
    if (d->down != q->down)
        steer_decider_forget(d->decider);
    d->down = q->down;
    if (q->down)
        m->down = (struct steer_down){m->entities[q->down].kind, m->entities[q->down].name};
    return steer_decider_run(d->decider, residual, q->down ? &m->lost.view : &m->up.view);
}

static uintptr_t key_of(const struct root *root, const struct mix_question *q)
{
    return (uintptr_t)root->number << 32 | (uintptr_t)q->down << 4 |
           given_type_index(q->type) << 1 | (q->sticky ? 1U : 0U);
}

static struct mix *mix_make(struct mixer *m, struct steer_residual *residual,
                            const struct root *root, const struct mix_question *q)
{
    struct making k = {.mixer = m};
    struct mix *mix = steer_arena_calloc(&m->arena, sizeof *mix);
    const struct steer_distribution *d = decide(m, residual, q);
    for (uint32_t i = 0; i < d->count; i++)
        give_outcome(&k, root, &d->outcomes[i]);
    if (!d->count)
        give(&k, ENTITY_NOTHING, (struct steer_share){1, 1}, (struct steer_share){1, 1});
    *mix = (struct mix){
        .served_all = d->reads_up && d->count, .nothing = !d->count, .count = (uint32_t)k.count};
    qsort(k.parts, k.count, sizeof *k.parts, by_entity);
    mix->parts = steer_arena_memdup(&m->arena, k.parts, k.count * sizeof *k.parts);
    free(k.parts);
    return mix;
}

const struct mix *mixer_mix(struct mixer *m, struct steer_residual *residual,
                            const struct mix_question *question)
{
    const struct root *root = mixer_root(m, residual);
    const uintptr_t key = key_of(root, question) + 1;
    void **slot = steer_ptrmap_at(&m->mixes, key);
    if (!*slot) {
        struct mix *mix = mix_make(m, residual, root, question);
        slot = steer_ptrmap_at(&m->mixes, key);
        *slot = mix;
    }
    return *slot;
}

unsigned mixer_fate(struct mixer *m, struct steer_residual *residual,
                    const struct mix_question *question)
{
    const struct mix_question q = {question->type, false, question->down}; // slots do not matter
    void **slot = steer_ptrmap_at(&m->fates, key_of(mixer_root(m, residual), &q) + 1);
    if (!*slot) {
        const struct steer_distribution *d = decide(m, residual, &q);
        const unsigned fate = d->count ? (d->served_all ? FATE_SERVED_ALL : 0) : FATE_NOTHING;
        *slot = (void *)(uintptr_t)(fate | FATE_KNOWN);
    }
    return (unsigned)(uintptr_t)*slot;
}

bool mix_equal(const struct mix *a, const struct mix *b)
{
    if (a == b)
        return true;
    if (!a || !b || a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->parts[i].entity != b->parts[i].entity ||
            steer_share_compare(a->parts[i].given, b->parts[i].given) != 0 ||
            steer_share_compare(a->parts[i].load, b->parts[i].load) != 0)
            return false;
    return true;
}

// ---- flows ---------------------------------------------------------------------------------------

static struct steer_share load_of(const struct mix *mix, uint32_t entity)
{
    for (uint32_t i = 0; i < mix->count; i++)
        if (mix->parts[i].entity == entity)
            return mix->parts[i].load;
    return NONE;
}

void mix_flows(const struct mix *from, const struct mix *to,
               void (*flow)(void *ctx, uint32_t from, uint32_t to, struct steer_share share),
               void *ctx)
{
    struct steer_share all = NONE;
    if (!from || !to || from == to)
        return;
    for (uint32_t i = 0; i < to->count; i++)
        all = steer_share_add(
            all, steer_share_subtract(to->parts[i].load, load_of(from, to->parts[i].entity)));
    for (uint32_t i = 0; i < from->count && all.num; i++) {
        const struct mix_part *loser = &from->parts[i];
        const struct steer_share lost =
            steer_share_subtract(loser->load, load_of(to, loser->entity));
        for (uint32_t k = 0; k < to->count && lost.num; k++) {
            const struct steer_share won =
                steer_share_subtract(to->parts[k].load, load_of(from, to->parts[k].entity));
            if (won.num)
                flow(ctx, loser->entity, to->parts[k].entity,
                     steer_share_multiply(lost, steer_share_divide(won, all)));
        }
    }
}
