// SPDX-License-Identifier: GPL-3.0-or-later
// Pools.
#include <stdlib.h>
#include <string.h>

#include "policy_internal.h"

enum { PICK_MAX = 255 };

static int by_endpoint(const void *a, const void *b)
{
    const struct steer_member *x = a, *y = b;
    int order = strcmp(x->endpoint, y->endpoint);
    if (order)
        return order;
    if (x->at.line != y->at.line)
        return x->at.line < y->at.line ? -1 : 1;
    return x->at.column < y->at.column ? -1 : 1;
}

// {endpoint: fra-1, weight: 10}
static void parse_member(struct steer_parse *p, const struct steer_item *entry,
                         struct steer_member *member)
{
    static const char *const keys[] = {"endpoint", "weight"};
    static const struct steer_shape shape = {.what = "a member of a pool",
                                             .example = "{endpoint: fra-1, weight: 10}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_item name;
    member->at = entry->at;
    member->endpoint = "";
    if (!steer_doc_keys(p, entry, &shape))
        return;
    if (!steer_doc_find(p, entry, "endpoint", &name)) {
        steer_doc_fail(p, entry->at, "a member of a pool needs 'endpoint', like %s", shape.example);
        return;
    }
    member->at = name.at;
    member->endpoint = steer_value_name(p, &name);
    member->weight = (uint16_t)steer_doc_uint(p, entry, "weight", 0, STEER_WEIGHT_MAX, 1);
}

static void parse_members(struct steer_parse *p, const struct steer_item *item,
                          struct steer_pool *pool)
{
    bool weighted = !json_is_array(item->json);
    if (!(weighted ? steer_doc_mapping(p, item, "{fra-1: 10, fra-2: 10}")
                   : steer_doc_list(p, item, "[fra-1, fra-2]")))
        return;
    size_t size = weighted ? json_object_size(item->json) : json_array_size(item->json);
    struct steer_member *members = steer_arena_calloc(p->arena, size * sizeof *members);
    struct steer_entries entries;
    struct steer_item entry;
    uint64_t total = 0;
    steer_entries_of(p, item, &entries);
    while (!p->err && steer_entries_next(&entries, &entry)) {
        struct steer_member *member = &members[pool->member_count++];
        if (json_is_object(entry.json) && !weighted) {
            parse_member(p, &entry, member);
        } else {
            member->at = weighted ? entry.key_at : entry.at;
            member->weight =
                weighted ? (uint16_t)steer_value_uint(p, &entry, 0, STEER_WEIGHT_MAX) : 1;
            json_t *key = weighted ? json_string(entry.key) : NULL;
            struct steer_item name = {.json = weighted ? key : entry.json, .at = member->at};
            member->endpoint = steer_value_name(p, &name);
            json_decref(key);
        }
        total += member->weight;
    }
    if (p->err)
        return;
    qsort(members, pool->member_count, sizeof *members, by_endpoint);
    for (uint32_t i = 1; i < pool->member_count; i++)
        if (strcmp(members[i - 1].endpoint, members[i].endpoint) == 0)
            steer_doc_fail(p, members[i].at, "endpoint '%s' is listed twice; give a weight instead",
                           members[i].endpoint);
    if (total == 0)
        steer_doc_warn(p, item->at, "all weights are 0: each endpoint is as likely as the others");
    pool->members = members;
}

static void parse_pick(struct steer_parse *p, const struct steer_item *mapping,
                       struct steer_pool *pool)
{
    struct steer_item pick, max;
    pool->pick = STEER_PICK_ONE;
    pool->pick_count = 1;
    if (steer_doc_find(p, mapping, "pick", &pick)) {
        const char *word = json_string_value(pick.json);
        if (json_is_integer(pick.json)) {
            pool->pick_count = (uint32_t)steer_value_uint(p, &pick, 1, PICK_MAX);
            pool->pick = pool->pick_count > 1 ? STEER_PICK_N : STEER_PICK_ONE;
        } else if (word && strcmp(word, "all") == 0) {
            pool->pick = STEER_PICK_ALL;
        } else if (!word || strcmp(word, "one") != 0) {
            steer_doc_fail(p, pick.at, "'pick' must be one, all, or how many to give");
        }
    }
    if (pool->pick == STEER_PICK_ALL)
        pool->pick_count = (uint32_t)steer_doc_uint(p, mapping, "max", 1, PICK_MAX, STEER_ALL_MAX);
    else if (steer_doc_find(p, mapping, "max", &max))
        steer_doc_fail(p, max.key_at, "'max' goes only with 'pick: all'");
}

// Of N places nobody can have more than one. With everything up: the members whose weight asks for
// more, from the heaviest on; what they leave is shared by the others.
static void warn_weights(struct steer_parse *p, const struct steer_item *item,
                         const struct steer_pool *pool)
{
    uint64_t rest = 0;
    uint32_t positive = 0;
    uint32_t left = pool->pick_count;
    for (uint32_t i = 0; i < pool->member_count; i++) {
        rest += pool->members[i].weight;
        positive += pool->members[i].weight > 0;
    }
    if (pool->pick == STEER_PICK_ONE || positive <= left)
        return;
    const struct steer_member *last = NULL;
    for (const struct steer_member *heavy; left; left--, last = heavy) {
        heavy = NULL;
        for (uint32_t i = 0; i < pool->member_count; i++) {
            const struct steer_member *m = &pool->members[i];
            bool done =
                last && (m->weight > last->weight || (m->weight == last->weight && m <= last));
            if (!done && (!heavy || m->weight > heavy->weight))
                heavy = m;
        }
        if ((uint64_t)heavy->weight * left <= rest)
            return;
        steer_doc_warn(
            p, heavy->at,
            "pool '%s': the weight of '%s' asks for more than one of %u places; it is in "
            "every answer, and the others share the rest",
            item->key, heavy->endpoint, pool->pick_count);
        rest -= heavy->weight;
    }
}

// Keys that are not a pool's, and where they stand instead.
static void refuse_slips(struct steer_parse *p, const struct steer_item *item)
{
    struct steer_item slip;
    if (steer_doc_find(p, item, "when_unavailable", &slip))
        steer_doc_fail(p, slip.key_at,
                       "'when_unavailable' stands in a tree: {pool: %.63s, when_unavailable: ...}",
                       item->key);
    if (steer_doc_find(p, item, "draw", &slip) || steer_doc_find(p, item, "sticky", &slip))
        steer_doc_fail(p, slip.key_at,
                       "'%s' is of the record: write draw: {sticky: {v4: 24, v6: 56}} beside "
                       "'steer'",
                       slip.key);
}

void steer_parse_pool(struct steer_parse *p, const struct steer_item *item, struct steer_pool *pool)
{
    static const char *const keys[] = {"endpoints", "pick", "max", "min_available"};
    static const struct steer_shape shape = {.what = "a pool",
                                             .example = "{endpoints: {fra-1: 10}, pick: one}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_item members = *item, minimum;
    const bool short_form = json_is_array(item->json); // [fra-1, fra-2]
    if (!short_form)
        refuse_slips(p, item);
    if (!short_form && !steer_doc_keys(p, item, &shape))
        return;
    if (!short_form && !steer_doc_find(p, item, "endpoints", &members)) {
        steer_doc_fail(p, item->key_at, "pool '%s' needs 'endpoints', like {fra-1: 10, fra-2: 10}",
                       item->key);
        return;
    }
    parse_members(p, &members, pool);
    parse_pick(p, item, pool);
    pool->min_available = (struct steer_minimum){.value = 1};
    if (steer_doc_find(p, item, "min_available", &minimum)) {
        pool->min_available = steer_value_minimum(p, &minimum);
        if (!pool->min_available.percent && pool->min_available.value > pool->member_count)
            steer_doc_warn(p, minimum.at, "pool '%s' has %u members, so that it is never available",
                           item->key, pool->member_count);
    }
    if (!p->err)
        warn_weights(p, item, pool);
}
