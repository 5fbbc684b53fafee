// SPDX-License-Identifier: GPL-3.0-or-later
// Who owns the slots of a sticky draw: weighted rendezvous (highest random weight) at each node that
// draws. Of owners with weights w and numbers h in (0,1), made of slot and name alone, the one with the least
// -ln(h)/w has the slot: with a probability of its share, and a weight that grows or falls
// takes or leaves slots without moving any between the others.
//
// An owner's numbers over all slots are not left to chance: they are the middles of as many equal parts of (0,1), in an
// order of its own, which takes a third or more off the error of the shares (decision 0085).
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "decide_internal.h"
#include "steerd/base/hash.h"

#define LEVEL UINT64_C(0x9e3779b97f4a7c15)

enum { SLOT_MASK = STEER_SLOTS - 1, SLOT_SHIFT = (STEER_SLOT_BITS + 1) / 2 };

// What makes one owner's order of the slots.
struct order {
    uint32_t add[3], times[2];
    float slowness; // 1/weight
};

static struct order order_of(uint64_t name, double weight)
{
    const uint64_t a = steer_mix64(name);
    const uint64_t b = steer_mix64(a);
    const uint64_t c = steer_mix64(b);
    return (struct order){
        .add = {(uint32_t)a, (uint32_t)b, (uint32_t)c},
        .times = {(uint32_t)(a >> 32) | 1, (uint32_t)(b >> 32) | 1},
        .slowness = (float)(1 / weight),
    };
}

// A permutation of the slots: adding, multiplying by odd numbers and folding can all be undone.
static uint32_t place_of(const struct order *o, uint32_t slot)
{
    uint32_t x = (slot + o->add[0]) * o->times[0] & SLOT_MASK;
    x ^= x >> SLOT_SHIFT;
    x = (x + o->add[1]) * o->times[1] & SLOT_MASK;
    x ^= x >> SLOT_SHIFT;
    x = (x + o->add[2]) * o->times[0] & SLOT_MASK;
    return x ^ x >> SLOT_SHIFT;
}

static float waits[STEER_SLOTS]; // -ln(h) of each place

static void fill_waits(void)
{
    for (unsigned i = 0; i < STEER_SLOTS; i++)
        waits[i] = (float)-log((i + 0.5) / STEER_SLOTS);
}

static uint32_t owner_of(const struct order *orders, uint32_t count, uint32_t slot)
{
    float least = HUGE_VALF;
    uint32_t best = 0;
    for (uint32_t i = 0; i < count; i++) {
        const float wait = waits[place_of(&orders[i], slot)] * orders[i].slowness;
        best = wait < least ? i : best;
        least = wait < least ? wait : least;
    }
    return best;
}

static uint32_t item_of(const struct steer_owner *owner, unsigned slot)
{
    const struct steer_result *result = owner->result;
    if (!result)
        return owner->item;
    return result->items[result->slots ? result->slots[slot] : 0].choice->at;
}

// The items of r that own slots, and the slots by their numbers.
static void keep_owners(struct steer_eval *e, const uint32_t *item_at, const uint32_t *owned,
                        struct steer_result *r)
{
    uint16_t *slots = steer_arena_alloc(e->arena, STEER_SLOTS * sizeof *slots);
    uint16_t *number = steer_alloc(r->count * sizeof *number);
    struct steer_item *items = steer_arena_alloc(e->arena, r->count * sizeof *items);
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        if (!owned[i])
            continue;
        items[count] =
            (struct steer_item){r->items[i].choice, steer_share_of(owned[i], STEER_SLOTS)};
        number[i] = (uint16_t)count++;
    }
    for (unsigned slot = 0; slot < STEER_SLOTS; slot++)
        slots[slot] = number[item_at[slot]];
    r->items = items;
    r->count = count;
    r->slots = count > 1 ? slots : NULL;
    free(number);
}

void steer_slots_assign(struct steer_eval *e, unsigned height, const struct steer_owner *owners,
                        uint32_t count, struct steer_result *r)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (r->count < 2 || !count)
        return;
    if (count == 1 && owners[0].result) { // r has its items, in the same order
        r->slots = owners[0].result->slots;
        return;
    }
    pthread_once(&once, fill_waits);
    struct order *orders = steer_calloc(count, sizeof *orders);
    uint32_t *item_at = steer_alloc(STEER_SLOTS * sizeof *item_at);
    uint32_t *owned = steer_calloc(r->count, sizeof *owned);
    for (uint32_t i = 0; i < count; i++)
        orders[i] = order_of(owners[i].name + height * LEVEL, owners[i].weight);
    for (unsigned slot = 0; slot < STEER_SLOTS; slot++)
        owned[item_at[slot] = item_of(&owners[owner_of(orders, count, slot)], slot)]++;
    keep_owners(e, item_at, owned, r);
    free(orders);
    free(item_at);
    free(owned);
}

// Children that are called alike are told apart by their order, and so are the places of one that stands in several.
static uint64_t name_among(const struct steer_residual *n, uint32_t place)
{
    const uint64_t called = n->children[place]->name;
    uint64_t name = called;
    for (uint32_t i = 0; i < place; i++)
        if (n->children[i]->name == called)
            name = steer_mix64(name);
    return name;
}

void steer_slots_weighted(struct steer_eval *e, const struct steer_residual *n,
                          struct steer_drawn *const *members, uint32_t count,
                          struct steer_result *r)
{
    if (r->count < 2)
        return;
    struct steer_owner *owners = steer_calloc(count, sizeof *owners);
    for (uint32_t i = 0; i < count; i++)
        owners[i] = (struct steer_owner){
            .name = name_among(n, members[i]->place),
            .weight = members[i]->weight,
            .result = members[i]->result,
        };
    steer_slots_assign(e, n->height, owners, count, r);
    free(owners);
}

// A pool's outcomes: its endpoints, or what N of them are given together.
void steer_slots_pool(struct steer_eval *e, const struct steer_residual *n, struct steer_result *r)
{
    if (r->count < 2)
        return;
    struct steer_owner *owners = steer_calloc(r->count, sizeof *owners);
    for (uint32_t i = 0; i < r->count; i++) {
        const struct steer_choice *choice = r->items[i].choice;
        owners[i].weight = steer_share_value(r->items[i].share);
        owners[i].item = i;
        for (uint32_t k = 0; k < choice->endpoint_count; k++)
            owners[i].name =
                steer_mix64(owners[i].name ^ steer_hash_string(choice->endpoints[k]->name));
    }
    steer_slots_assign(e, n->height, owners, r->count, r);
    free(owners);
}

void steer_slots_trickle(struct steer_eval *e, const struct steer_residual *n,
                         struct steer_result *const given[2], const uint32_t place[2],
                         const struct steer_share share[2], struct steer_result *r)
{
    struct steer_owner owners[2];
    for (unsigned i = 0; i < 2; i++)
        owners[i] = (struct steer_owner){
            .name = name_among(n, place[i]),
            .weight = steer_share_value(share[i]),
            .result = given[i],
        };
    steer_slots_assign(e, n->height, owners, 2, r);
}

// ---- whether there is anything to draw -----------------------------------------------------------

// Shared parts of a tree are looked at once.
struct search {
    uint16_t type;
    struct steer_ptrmap gives, draws; // residual -> yes or no
};

static char yes, no;

static bool gives(struct search *s, const struct steer_residual *n);
static bool draws(struct search *s, const struct steer_residual *n);

static bool find_gives(struct search *s, const struct steer_residual *n)
{
    if (n->kind == STEER_R_ENDPOINT)
        return steer_endpoint_gives(&n->object->endpoint, s->type);
    for (uint32_t i = 0; n->kind == STEER_R_ANSWER && i < n->node->fixed_count; i++)
        if (n->node->fixed[i].type == s->type)
            return true;
    for (uint32_t i = 0; i < n->child_count; i++)
        if (gives(s, n->children[i]))
            return true;
    return n->substitute && gives(s, n->substitute);
}

// More than `together` children that give the type may meet in one draw: all with a positive weight, or, once none
// of those is available, the others.
static bool draws_itself(struct search *s, const struct steer_residual *n, uint32_t together)
{
    uint32_t positive = 0;
    uint32_t others = 0;
    for (uint32_t i = 0; i < n->child_count; i++) {
        if (!gives(s, n->children[i]))
            continue;
        if (!n->weights || n->weights[i])
            positive++;
        else
            others++;
    }
    return positive > together || others > together;
}

static bool find_draws(struct search *s, const struct steer_residual *n)
{
    if (n->kind == STEER_R_POOL)
        return draws_itself(s, n, n->object->pool.pick_count ? n->object->pool.pick_count : 1);
    if ((n->kind == STEER_R_WEIGHTED || n->trickle_ppm) && draws_itself(s, n, 1))
        return true;
    for (uint32_t i = 0; i < n->child_count; i++)
        if (draws(s, n->children[i]))
            return true;
    return n->substitute && draws(s, n->substitute);
}

static bool recall(struct search *s, struct steer_ptrmap *known, const struct steer_residual *n,
                   bool (*find)(struct search *s, const struct steer_residual *n))
{
    const void *there = *steer_ptrmap_at(known, (uintptr_t)n);
    if (there)
        return there == &yes;
    const bool found = find(s, n);
    *steer_ptrmap_at(known, (uintptr_t)n) = found ? &yes : &no;
    return found;
}

static bool gives(struct search *s, const struct steer_residual *n)
{
    return recall(s, &s->gives, n, find_gives);
}

static bool draws(struct search *s, const struct steer_residual *n)
{
    return recall(s, &s->draws, n, find_draws);
}

static bool search(const struct steer_residual *root, uint16_t type,
                   bool (*question)(struct search *s, const struct steer_residual *n))
{
    struct search s = {.type = type};
    steer_ptrmap_init(&s.gives);
    steer_ptrmap_init(&s.draws);
    const bool answer = question(&s, root);
    steer_ptrmap_fini(&s.gives);
    steer_ptrmap_fini(&s.draws);
    return answer;
}

bool steer_residual_gives(const struct steer_residual *root, uint16_t type)
{
    return search(root, type, gives);
}

bool steer_residual_draws(const struct steer_residual *root, uint16_t type)
{
    return search(root, type, draws);
}

// ---- which types there are -----------------------------------------------------------------------

struct survey {
    const uint16_t *types;
    uint32_t count;
    uint32_t some, all; // what one leaf at least gives, and what each that gives anything gives
    bool answers;
    struct steer_ptrmap seen;
};

static uint32_t types_of(const struct survey *s, const struct steer_residual *leaf)
{
    uint32_t given = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        if (leaf->kind == STEER_R_ENDPOINT &&
            steer_endpoint_gives(&leaf->object->endpoint, s->types[i]))
            given |= UINT32_C(1) << i;
        for (uint32_t k = 0; leaf->kind == STEER_R_ANSWER && k < leaf->node->fixed_count; k++)
            if (leaf->node->fixed[k].type == s->types[i])
                given |= UINT32_C(1) << i;
    }
    return given;
}

static void look_through(struct survey *s, const struct steer_residual *n)
{
    void **mark = steer_ptrmap_at(&s->seen, (uintptr_t)n);
    if (*mark)
        return;
    *mark = &yes;
    const uint32_t given = types_of(s, n);
    if (given) {
        s->some |= given;
        s->all &= given;
        s->answers |= n->kind == STEER_R_ANSWER;
    }
    for (uint32_t i = 0; i < n->child_count; i++)
        look_through(s, n->children[i]);
    if (n->substitute)
        look_through(s, n->substitute);
}

uint32_t steer_residual_types(const struct steer_residual *root, const uint16_t *types,
                              uint32_t count, bool *alike)
{
    struct survey s = {.types = types, .count = count, .all = UINT32_MAX};
    steer_ptrmap_init(&s.seen);
    look_through(&s, root);
    steer_ptrmap_fini(&s.seen);
    *alike = !s.answers && (s.some & ~s.all) == 0;
    return s.some;
}
