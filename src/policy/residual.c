// SPDX-License-Identifier: GPL-3.0-or-later
// The hash-consing store of residuals: open addressing with backward-shift removal.
#include "steerd/policy/residual.h"

#include <stdlib.h>
#include <string.h>

#include "decide_internal.h"
#include "steerd/base/hash.h"

struct steer_residuals {
    struct steer_residual **slots;
    size_t cap;
    size_t count;
};

enum { FIRST_CAP = 64 };

struct steer_residuals *steer_residuals_create(void)
{
    struct steer_residuals *store = steer_calloc(1, sizeof *store);
    store->cap = FIRST_CAP;
    store->slots = steer_calloc(store->cap, sizeof(struct steer_residual *));
    return store;
}

void steer_residuals_destroy(struct steer_residuals *store)
{
    if (!store)
        return;
    free(store->slots);
    free(store);
}

size_t steer_residuals_count(const struct steer_residuals *store)
{
    return store->count;
}

const char *steer_residual_kind_text(enum steer_residual_kind kind)
{
    static const char *const text[] = {
        [STEER_R_ENDPOINT] = "endpoint",   [STEER_R_POOL] = "pool",
        [STEER_R_ANSWER] = "answer",       [STEER_R_WEIGHTED] = "weighted",
        [STEER_R_FAILOVER] = "failover",   [STEER_R_GEO] = "geo",
        [STEER_R_NETWORK] = "network",     [STEER_R_NEAREST] = "nearest",
        [STEER_R_SWITCH] = "switch",       [STEER_R_LATENCY] = "latency",
        [STEER_R_FENCE] = "fence",         [STEER_R_NONE] = "none",
        [STEER_R_REHEARSAL] = "rehearsal",
    };
    return text[kind];
}

// ---- equality ------------------------------------------------------------------------------------

static uint64_t hash_number(uint64_t hash, uint64_t number)
{
    return steer_mix64(hash ^ number) + UINT64_C(0x9e3779b97f4a7c15);
}

uint64_t steer_fixed_hash(const struct steer_fixed *fixed)
{
    uint64_t hash = hash_number(fixed->count, fixed->type);
    for (uint16_t i = 0; i < fixed->count; i++)
        hash = steer_hash_bytes(fixed->rdata[i], fixed->len[i], hash);
    return hash;
}

static uint64_t hash_answer(uint64_t hash, const struct steer_node *node)
{
    for (uint32_t i = 0; i < node->fixed_count; i++)
        hash = hash_number(hash, steer_fixed_hash(&node->fixed[i]));
    return hash;
}

static uint64_t hash_residual(const struct steer_residual *r)
{
    uint64_t hash = hash_number((uint64_t)r->kind << 8 | r->when, r->trickle_ppm);
    hash = hash_number(hash, (uint64_t)r->min_available.value << 1 | r->min_available.percent);
    for (uint32_t i = 0; i < r->child_count; i++) {
        hash = hash_number(hash, r->children[i]->hash);
        hash = hash_number(hash, r->weights ? r->weights[i] : 0);
    }
    if (r->substitute)
        hash = hash_number(hash, r->substitute->hash);
    if (r->object)
        hash = hash_number(hash, (uintptr_t)r->object);
    for (uint32_t i = 0; i < r->effect_count; i++) {
        const struct steer_effect *e = &r->effects[i];
        hash = hash_number(hash, (uintptr_t)e->object);
        hash = hash_number(hash, (uint64_t)e->check << 8 | (uint64_t)e->on << 1 | e->up);
    }
    return r->node ? hash_answer(hash, r->node) : hash;
}

bool steer_fixed_equal(const struct steer_fixed *a, const struct steer_fixed *b)
{
    if (a->type != b->type || a->count != b->count)
        return false;
    for (uint16_t i = 0; i < a->count; i++)
        if (a->len[i] != b->len[i] || memcmp(a->rdata[i], b->rdata[i], a->len[i]) != 0)
            return false;
    return true;
}

// Answers are equal by what they say, not by where they stand.
static bool answers_equal(const struct steer_node *a, const struct steer_node *b)
{
    if (!a || !b)
        return a == b;
    if (a->fixed_count != b->fixed_count)
        return false;
    for (uint32_t i = 0; i < a->fixed_count; i++)
        if (!steer_fixed_equal(&a->fixed[i], &b->fixed[i]))
            return false;
    return true;
}

static bool effects_equal(const struct steer_residual *a, const struct steer_residual *b)
{
    bool equal = a->effect_count == b->effect_count;
    for (uint32_t i = 0; i < a->effect_count && equal; i++) {
        const struct steer_effect *x = &a->effects[i], *y = &b->effects[i];
        equal = x->object == y->object && x->on == y->on && x->check == y->check && x->up == y->up;
    }
    return equal;
}

static bool residuals_equal(const struct steer_residual *a, const struct steer_residual *b)
{
    if (a->kind != b->kind || a->when != b->when || a->trickle_ppm != b->trickle_ppm ||
        a->min_available.value != b->min_available.value ||
        a->min_available.percent != b->min_available.percent || a->child_count != b->child_count ||
        a->substitute != b->substitute || a->object != b->object || !a->weights != !b->weights)
        return false;
    size_t n = a->child_count;
    if (n && memcmp(a->children, b->children, n * sizeof a->children[0]) != 0)
        return false;
    if (n && a->weights && memcmp(a->weights, b->weights, n * sizeof a->weights[0]) != 0)
        return false;
    return effects_equal(a, b) && answers_equal(a->node, b->node);
}

// ---- the table -----------------------------------------------------------------------------------

static size_t find_slot(const struct steer_residuals *store, const struct steer_residual *want,
                        uint64_t hash)
{
    size_t i = hash & (store->cap - 1);
    while (store->slots[i] &&
           (store->slots[i]->hash != hash || !residuals_equal(store->slots[i], want)))
        i = (i + 1) & (store->cap - 1);
    return i;
}

static void grow(struct steer_residuals *store)
{
    struct steer_residual **old = store->slots;
    size_t count = store->cap;
    store->cap *= 2;
    store->slots = steer_calloc(store->cap, sizeof(struct steer_residual *));
    for (size_t i = 0; i < count; i++) {
        if (!old[i])
            continue;
        size_t at = old[i]->hash & (store->cap - 1);
        while (store->slots[at])
            at = (at + 1) & (store->cap - 1);
        store->slots[at] = old[i];
    }
    free(old);
}

static void remove_from_table(struct steer_residuals *store, const struct steer_residual *residual)
{
    size_t mask = store->cap - 1;
    size_t hole = residual->hash & mask;
    while (store->slots[hole] != residual)
        hole = (hole + 1) & mask;
    for (size_t i = (hole + 1) & mask; store->slots[i]; i = (i + 1) & mask) {
        size_t home = store->slots[i]->hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            store->slots[hole] = store->slots[i];
            hole = i;
        }
    }
    store->slots[hole] = NULL;
    store->count--;
}

// Nothing but its one child, or a list of such as are called alike, which draws nothing: the plain form may have nothing
// but the first of them, and is called as this is.
static bool is_bare(const struct steer_residual *r)
{
    if (r->kind < STEER_R_WEIGHTED || r->kind > STEER_R_LATENCY)
        return false;
    if (r->child_count > 1 && (r->kind == STEER_R_WEIGHTED || r->trickle_ppm))
        return false;
    for (uint32_t i = 1; i < r->child_count; i++)
        if (r->children[i]->name != r->children[0]->name)
            return false;
    return true;
}

// What a sticky draw knows a choice by: it stays when weights in it change.
static uint64_t name_of(const struct steer_residual *r)
{
    if (r->object)
        return steer_hash_bytes(r->object->name, strlen(r->object->name), (uint64_t)r->kind + 1);
    if (r->node)
        return hash_answer(1, r->node);
    if (!r->child_count)
        return 0;
    return is_bare(r) ? r->children[0]->name : steer_mix64(r->children[0]->name);
}

static uint8_t height_of(const struct steer_residual *r)
{
    const uint8_t own = r->child_count && r->when == STEER_WHEN_DEFAULT && is_bare(r) ? 0 : 1;
    uint8_t height = r->substitute ? (uint8_t)(r->substitute->height + 1) : 0;
    for (uint32_t i = 0; i < r->child_count; i++)
        if (r->children[i]->height + own > height)
            height = (uint8_t)(r->children[i]->height + own);
    return height;
}

// One allocation: the head, the children, the weights. The objects of effects are the children's.
static struct steer_residual *copy(const struct steer_residual *want, uint64_t hash)
{
    size_t n = want->child_count;
    size_t pointers = n * sizeof(struct steer_residual *);
    struct steer_residual *r = steer_alloc(sizeof *r + pointers + n * sizeof(uint16_t));
    *r = *want;
    r->hash = hash;
    r->name = name_of(want);
    r->height = height_of(want);
    r->refs = 1;
    r->children = (struct steer_residual **)(void *)(r + 1);
    if (n)
        memcpy(r->children, want->children, pointers);
    if (want->weights) {
        r->weights = (uint16_t *)(void *)(r->children + n);
        if (n)
            memcpy(r->weights, want->weights, n * sizeof(uint16_t));
    }
    if (r->effect_count)
        r->effects = steer_memdup(want->effects, want->effect_count * sizeof *want->effects);
    if (r->object)
        steer_object_ref(r->object);
    if (r->owner)
        steer_object_ref(r->owner);
    return r;
}

struct steer_residual *steer_residual_intern(struct steer_residuals *store,
                                             const struct steer_residual *want)
{
    if ((store->count + 1) * 4 > store->cap * 3)
        grow(store);
    uint64_t hash = hash_residual(want);
    size_t slot = find_slot(store, want, hash);
    if (!store->slots[slot]) {
        store->count++;
        return store->slots[slot] = copy(want, hash);
    }
    struct steer_residual *found = steer_residual_ref(store->slots[slot]);
    for (uint32_t i = 0; i < want->child_count; i++)
        steer_residual_unref(store, want->children[i]);
    steer_residual_unref(store, want->substitute);
    return found;
}

struct steer_residual *steer_residual_ref(struct steer_residual *residual)
{
    residual->refs++;
    return residual;
}

static void drop_object(const struct steer_object *object)
{
    // The reference taken in copy() is given back: only then is the object written to.
    if (object)
        steer_object_unref((struct steer_object *)(uintptr_t)object);
}

void steer_residual_unref(struct steer_residuals *store, struct steer_residual *residual)
{
    if (!residual || --residual->refs)
        return;
    remove_from_table(store, residual);
    for (uint32_t i = 0; i < residual->child_count; i++)
        steer_residual_unref(store, residual->children[i]);
    steer_residual_unref(store, residual->substitute);
    drop_object(residual->object);
    drop_object(residual->owner);
    if (residual->effect_count)
        free((struct steer_effect *)(uintptr_t)residual->effects);
    free(residual);
}

// ---- visiting ------------------------------------------------------------------------------------

struct visitor {
    void (*visit)(void *ctx, const struct steer_object *object);
    void *ctx;
    struct steer_ptrmap seen;
};

static void visit_each(struct visitor *v, const struct steer_residual *r)
{
    static char seen;
    void **mark = steer_ptrmap_at(&v->seen, (uintptr_t)r);
    if (*mark)
        return;
    *mark = &seen;
    if (r->object)
        v->visit(v->ctx, r->object);
    for (uint32_t i = 0; i < r->child_count; i++)
        visit_each(v, r->children[i]);
    if (r->substitute)
        visit_each(v, r->substitute);
}

void steer_residual_visit(const struct steer_residual *root,
                          void (*visit)(void *ctx, const struct steer_object *object), void *ctx)
{
    struct visitor v = {.visit = visit, .ctx = ctx};
    steer_ptrmap_init(&v.seen);
    visit_each(&v, root);
    steer_ptrmap_fini(&v.seen);
}
