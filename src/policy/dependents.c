// SPDX-License-Identifier: GPL-3.0-or-later
// Which steered records hold an object: the names that are touched are gathered kind by kind, from
// sites and checks to endpoints, pools, policies and records. Works for names that are not (or no
// longer) there.
#include <string.h>

#include "decide_internal.h"
#include "steerd/base/hash.h"

struct gather {
    const struct steer_catalog *catalog;
    struct steer_map hit[STEER_KINDS]; // names that are, or hold, the object
};

static bool is_hit(const struct gather *g, enum steer_kind kind, const char *name)
{
    return g->hit[kind].used && steer_map_get(&g->hit[kind], name, NULL);
}

static bool endpoint_hit(const struct gather *g, const struct steer_endpoint *endpoint)
{
    if (endpoint->site && is_hit(g, STEER_SITE, endpoint->site))
        return true;
    for (uint32_t i = 0; i < endpoint->check_count; i++)
        if (is_hit(g, STEER_CHECK, endpoint->checks[i]))
            return true;
    return false;
}

static bool pool_hit(const struct gather *g, const struct steer_pool *pool)
{
    for (uint32_t i = 0; i < pool->member_count; i++)
        if (is_hit(g, STEER_ENDPOINT, pool->members[i].endpoint))
            return true;
    return false;
}

static bool tree_hit(const struct gather *g, const struct steer_node *node)
{
    if ((node->kind == STEER_NODE_ENDPOINT && is_hit(g, STEER_ENDPOINT, node->name)) ||
        (node->kind == STEER_NODE_POOL && is_hit(g, STEER_POOL, node->name)) ||
        (node->kind == STEER_NODE_USE && is_hit(g, STEER_POLICY, node->name)))
        return true;
    for (uint32_t i = 0; i < node->child_count; i++)
        if (tree_hit(g, node->children[i].node))
            return true;
    return node->substitute && tree_hit(g, node->substitute);
}

static bool object_hit(const struct gather *g, const struct steer_object *object)
{
    switch (object->kind) {
    case STEER_ENDPOINT:
        return endpoint_hit(g, &object->endpoint);
    case STEER_POOL:
        return pool_hit(g, &object->pool);
    case STEER_POLICY:
        return tree_hit(g, &object->tree);
    case STEER_STEERED:
        return tree_hit(g, object->steered.tree);
    case STEER_SITE:
    case STEER_CHECK:
    case STEER_KINDS:
        break;
    }
    return false;
}

// Adds the objects of a kind that hold something touched; true when there was a new one.
static bool gather_kind(struct gather *g, enum steer_kind kind)
{
    size_t count;
    struct steer_object *const *items = steer_catalog_items(g->catalog, kind, &count);
    size_t before = g->hit[kind].used;
    for (size_t i = 0; i < count; i++)
        if (!is_hit(g, kind, items[i]->name) && object_hit(g, items[i]))
            steer_map_put(&g->hit[kind], items[i]->name, 0);
    return g->hit[kind].used > before;
}

void steer_catalog_dependents(const struct steer_catalog *catalog, enum steer_kind kind,
                              const char *name,
                              void (*visit)(void *ctx, const struct steer_object *steered),
                              void *ctx)
{
    struct gather g = {.catalog = catalog};
    steer_map_put(&g.hit[kind], name, 0);
    if (kind < STEER_ENDPOINT)
        gather_kind(&g, STEER_ENDPOINT);
    if (kind < STEER_POOL)
        gather_kind(&g, STEER_POOL);
    // Policies use policies, at most STEER_DEPTH_MAX deep; this also ends for an unchecked
    // catalogue.
    while (kind < STEER_STEERED && gather_kind(&g, STEER_POLICY))
        continue;
    size_t count;
    struct steer_object *const *items = steer_catalog_items(catalog, STEER_STEERED, &count);
    for (size_t i = 0; i < count; i++)
        if (is_hit(&g, STEER_STEERED, items[i]->name) || object_hit(&g, items[i]))
            visit(ctx, items[i]);
    for (int i = 0; i < STEER_KINDS; i++)
        steer_map_fini(&g.hit[i]);
}
