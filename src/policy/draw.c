// SPDX-License-Identifier: GPL-3.0-or-later
// How a pool picks: one by weight, or N of M by systematic sampling, `all` being as many as its limit.
#include <stdlib.h>
#include <string.h>

#include "decide_internal.h"

static void draw_one(struct steer_eval *e, struct steer_drawn **members, uint32_t count,
                     struct steer_list *list)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += members[i]->weight;
    for (uint32_t i = 0; i < count; i++) {
        members[i]->share = steer_share_of(members[i]->weight, sum);
        steer_list_add(e, list, members[i]->result->items[0].choice, members[i]->share);
    }
}

static void give_together(struct steer_eval *e, struct steer_drawn **members, uint32_t count,
                          struct steer_list *list)
{
    const struct steer_object **endpoints = steer_arena_alloc(e->arena, count * sizeof *endpoints);
    for (uint32_t i = 0; i < count; i++) {
        endpoints[i] = members[i]->child->object;
        members[i]->share = steer_share_of(1, 1);
    }
    steer_list_add(e, list, steer_eval_choice(e, endpoints, count, NULL), steer_share_of(1, 1));
}

static int by_weight(const void *a, const void *b)
{
    const struct steer_drawn *x = *(struct steer_drawn *const *)a;
    const struct steer_drawn *y = *(struct steer_drawn *const *)b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return strcmp(x->child->object->name, y->child->object->name);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

// Each member's part of a line of length want, in units of 1/unit: min(1, c * weight) with the one
// c that makes the parts add up to want. Members whose part is 1 are found from the heaviest on.
// Returns unit; ends[i] is where member i's part ends.
static uint64_t lay_out(struct steer_drawn **members, uint32_t count, uint32_t want, uint64_t *ends)
{
    uint64_t rest = 0;
    uint32_t left = want;
    struct steer_drawn **heavy = steer_memdup(members, count * sizeof(struct steer_drawn *));
    qsort(heavy, count, sizeof(struct steer_drawn *), by_weight);
    for (uint32_t i = 0; i < count; i++)
        rest += members[i]->weight;
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t part = (uint64_t)heavy[i]->weight * left;
        heavy[i]->share = (struct steer_share){0, 1};
        if (i == want - left && part >= rest) {
            heavy[i]->share.num = 1; // always given
            if (part > rest)
                heavy[i]->reason = "in every answer; its weight asks for more than that";
            rest -= heavy[i]->weight;
            left--;
        }
    }
    free(heavy);
    uint64_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t part = members[i]->share.num ? rest : (uint64_t)members[i]->weight * left;
        members[i]->share = steer_share_of(part, rest);
        ends[i] = at += part;
    }
    return rest;
}

// The member whose part of the line holds the point.
static uint32_t member_at(const uint64_t *ends, uint32_t count, uint64_t point)
{
    uint32_t low = 0;
    uint32_t high = count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (point < ends[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

// Systematic sampling: the parts lie side by side in order of name, and the points u, u+1, u+2, ...
// with one u in [0,1) pick. The picks change only where u passes the fractional part of some part's
// end, so there are at most `count` outcomes, each with an exact share.
static void draw_n(struct steer_eval *e, struct steer_drawn **members, uint32_t count,
                   uint32_t want, struct steer_list *list)
{
    if (count <= want) {
        give_together(e, members, count, list);
        return;
    }
    uint64_t *ends = steer_calloc(count, sizeof *ends);
    uint64_t *cuts = steer_calloc((size_t)count + 1, sizeof *cuts);
    const struct steer_object **picked = steer_calloc(want, sizeof *picked);
    uint64_t unit = lay_out(members, count, want, ends);
    for (uint32_t i = 0; i < count; i++)
        cuts[i] = ends[i] % unit; // the last end is a whole number: the cut at 0
    qsort(cuts, count, sizeof *cuts, by_value);
    cuts[count] = unit;
    for (uint32_t i = 0; i < count; i++) {
        if (cuts[i] == cuts[i + 1])
            continue;
        for (uint32_t k = 0; k < want; k++)
            picked[k] = members[member_at(ends, count, cuts[i] + k * unit)]->child->object;
        steer_list_add(e, list, steer_eval_choice(e, picked, want, NULL),
                       steer_share_of(cuts[i + 1] - cuts[i], unit));
    }
    free(ends);
    free(cuts);
    free(picked);
}

void steer_draw_pool(struct steer_eval *e, const struct steer_pool *pool,
                     struct steer_drawn **members, uint32_t count, struct steer_list *list)
{
    if (!count)
        return;
    uint32_t most = pool->pick_count ? pool->pick_count : 1;
    switch (pool->pick) {
    case STEER_PICK_ONE:
        draw_one(e, members, count, list);
        break;
    case STEER_PICK_N:
    case STEER_PICK_ALL:
        draw_n(e, members, count, most, list);
        break;
    }
}
