// SPDX-License-Identifier: GPL-3.0-or-later
// Tree + client -> residual tree. What depends on the client becomes an ordered list (resolve_client.c),
// `use` disappears, and lists that have nothing of their own to say collapse, so that clients for
// whom the policy means the same are in one class.
#include <stdlib.h>
#include <string.h>

#include "resolve_internal.h"

struct cached {
    struct steer_residual *residual;
    uint32_t run; // of which run; 0: the same for all clients
};

static struct steer_residual *none(struct steer_resolver *v)
{
    return steer_residual_intern(v->store, &(struct steer_residual){.kind = STEER_R_NONE});
}

// when_unavailable and the substitute, which any node may have.
static void set_when(struct steer_resolver *v, const struct steer_node *node,
                     struct steer_stand *stand, struct steer_residual *want)
{
    want->when = node->when;
    if (node->when == STEER_WHEN_SUBSTITUTE && node->substitute)
        want->substitute = steer_resolve_node(v, node->substitute, stand);
}

static struct steer_residual *member(struct steer_resolver *v, const char *name)
{
    const struct steer_object *object = steer_catalog_get(v->catalog, STEER_ENDPOINT, name);
    if (!object)
        return none(v);
    return steer_residual_intern(
        v->store, &(struct steer_residual){.kind = STEER_R_ENDPOINT, .object = object});
}

static struct steer_residual *endpoint(struct steer_resolver *v, const struct steer_node *node,
                                       struct steer_stand *stand)
{
    struct steer_residual want = {.kind = STEER_R_ENDPOINT};
    want.object = steer_catalog_get(v->catalog, STEER_ENDPOINT, node->name);
    if (!want.object)
        return none(v);
    set_when(v, node, stand, &want);
    return steer_residual_intern(v->store, &want);
}

static int by_endpoint(const void *a, const void *b)
{
    return strcmp((*(const struct steer_member *const *)a)->endpoint,
                  (*(const struct steer_member *const *)b)->endpoint);
}

// Members in order of name, which outcomes and systematic sampling keep.
static struct steer_residual *pool(struct steer_resolver *v, const struct steer_node *node,
                                   struct steer_stand *stand)
{
    const struct steer_object *object = steer_catalog_get(v->catalog, STEER_POOL, node->name);
    if (!object)
        return none(v);
    uint32_t n = object->pool.member_count;
    const struct steer_minimum min =
        node->min_available.value ? node->min_available : object->pool.min_available;
    const struct steer_member **sorted = steer_calloc(n, sizeof(struct steer_member *));
    for (uint32_t i = 0; i < n; i++)
        sorted[i] = &object->pool.members[i];
    qsort(sorted, n, sizeof(struct steer_member *), by_endpoint);
    struct steer_residual want = {
        .kind = STEER_R_POOL,
        .object = object,
        .min_available = {steer_minimum_need(min, n), false},
        .child_count = n,
        .children = steer_calloc(n, sizeof(struct steer_residual *)),
        .weights = steer_calloc(n, sizeof(uint16_t)),
    };
    for (uint32_t i = 0; i < n; i++) {
        want.children[i] = member(v, sorted[i]->endpoint);
        want.weights[i] = sorted[i]->weight;
    }
    set_when(v, node, stand, &want);
    struct steer_residual *residual = steer_residual_intern(v->store, &want);
    free(sorted);
    free(want.children);
    free(want.weights);
    return residual;
}

// ---- inner nodes ---------------------------------------------------------------------------------

static void drop_none(struct steer_resolver *v, struct steer_siblings *list)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->items[i]->kind == STEER_R_NONE) {
            steer_residual_unref(v->store, list->items[i]);
            continue;
        }
        list->items[kept] = list->items[i];
        list->weights[kept++] = list->weights[i];
    }
    list->count = kept;
}

// Interns an inner node, or what it amounts to: nothing where no child is left, and the child
// itself where there is one and the node adds no option. (A fence, or a child with a
// when_unavailable of its own, means something else at the root than below it.)
struct steer_residual *steer_resolve_inner(struct steer_resolver *v, enum steer_residual_kind kind,
                                           const struct steer_node *node,
                                           struct steer_siblings *list, struct steer_stand *stand)
{
    uint32_t need = steer_minimum_need(node->min_available, list->count);
    drop_none(v, list);
    bool plain = node->when == STEER_WHEN_DEFAULT && need == 1;
    if (!list->count && (plain || node->when == STEER_WHEN_SERVE_ALL))
        return none(v);
    if (plain && list->count == 1 && list->items[0]->kind != STEER_R_FENCE &&
        list->items[0]->when == STEER_WHEN_DEFAULT)
        return list->items[0];
    struct steer_residual want = {
        .kind = kind,
        .min_available = {need, false},
        .trickle_ppm = kind == STEER_R_FAILOVER && list->count > 1 ? node->trickle_ppm : 0,
        .child_count = list->count,
        .children = list->items,
        .weights = kind == STEER_R_WEIGHTED ? list->weights : NULL,
    };
    set_when(v, node, stand, &want);
    return steer_residual_intern(v->store, &want);
}

void steer_siblings_init(struct steer_siblings *list, uint32_t cap)
{
    list->items = steer_calloc(cap, sizeof(struct steer_residual *));
    list->weights = steer_calloc(cap, sizeof(uint16_t));
    list->count = 0;
}

void steer_siblings_fini(struct steer_siblings *list)
{
    free(list->items);
    free(list->weights);
}

static struct steer_residual *all_children(struct steer_resolver *v, enum steer_residual_kind kind,
                                           const struct steer_node *node, struct steer_stand *stand)
{
    struct steer_siblings list;
    steer_siblings_init(&list, node->child_count);
    for (uint32_t i = 0; i < node->child_count; i++) {
        list.items[i] = steer_resolve_node(v, node->children[i].node, stand);
        list.weights[i] = node->children[i].weight;
        list.count++;
    }
    struct steer_residual *residual = steer_resolve_inner(v, kind, node, &list, stand);
    steer_siblings_fini(&list);
    return residual;
}

// A policy's tree stands in the place of `use`; options on `use` itself hold around it.
static struct steer_residual *use(struct steer_resolver *v, const struct steer_node *node,
                                  struct steer_stand *stand)
{
    const struct steer_object *policy = steer_catalog_get(v->catalog, STEER_POLICY, node->name);
    if (!policy)
        return none(v);
    json_t *entry = NULL;
    if (v->trace) {
        char path[STEER_PATH_MAX];
        entry = json_pack("{s:s,s:s,s:s}", "node", "use", "name", node->name, "at",
                          steer_object_path(stand->owner, path));
        json_array_append_new(v->trace, entry);
    }
    struct steer_stand inside = {.owner = policy};
    struct steer_residual *tree = steer_resolve_node(v, &policy->tree, &inside);
    steer_trace_id(entry, tree);
    stand->depends |= inside.depends;
    if (node->when == STEER_WHEN_DEFAULT)
        return tree;
    struct steer_siblings list = {&tree, &(uint16_t){0}, 1};
    return steer_resolve_inner(v, STEER_R_FAILOVER, node, &list, stand);
}

// ---- switch --------------------------------------------------------------------------------------

static const struct steer_node *at_position(const struct steer_node *node, const char *position)
{
    for (uint32_t i = 0; i < node->child_count; i++)
        if (strcmp(node->children[i].position, position) == 0)
            return node->children[i].node;
    return NULL;
}

// Every position keeps its child: which one is given is not known here.
static struct steer_residual *follow_switch(struct steer_resolver *v, const struct steer_node *node,
                                            struct steer_stand *stand)
{
    const struct steer_object *object = steer_catalog_get(v->catalog, STEER_SWITCH, node->name);
    if (!object)
        return none(v);
    const struct steer_switch *control = &object->control_switch;
    struct steer_siblings list;
    steer_siblings_init(&list, control->position_count);
    for (uint32_t i = 0; i < control->position_count; i++) {
        const struct steer_node *child = at_position(node, control->positions[i]);
        list.items[list.count++] = child ? steer_resolve_node(v, child, stand) : none(v);
    }
    struct steer_residual want = {
        .kind = STEER_R_SWITCH,
        .object = object,
        .min_available = {1, false},
        .child_count = list.count,
        .children = list.items,
    };
    set_when(v, node, stand, &want);
    struct steer_residual *residual = steer_residual_intern(v->store, &want);
    steer_siblings_fini(&list);
    return residual;
}

// ---- dispatch ------------------------------------------------------------------------------------

static struct steer_residual *resolve_kind(struct steer_resolver *v, const struct steer_node *node,
                                           struct steer_stand *stand)
{
    switch (node->kind) {
    case STEER_NODE_ENDPOINT:
        return endpoint(v, node, stand);
    case STEER_NODE_POOL:
        return pool(v, node, stand);
    case STEER_NODE_ANSWER:
        return steer_residual_intern(
            v->store,
            &(struct steer_residual){.kind = STEER_R_ANSWER, .node = node, .owner = stand->owner});
    case STEER_NODE_WEIGHTED:
        return all_children(v, STEER_R_WEIGHTED, node, stand);
    case STEER_NODE_FAILOVER:
        return all_children(v, STEER_R_FAILOVER, node, stand);
    case STEER_NODE_GEO:
        return steer_resolve_geo(v, node, stand);
    case STEER_NODE_NETWORK:
        return steer_resolve_network(v, node, stand);
    case STEER_NODE_NEAREST:
    case STEER_NODE_LATENCY:
        return steer_resolve_ranked(v, node, stand);
    case STEER_NODE_SWITCH:
        return follow_switch(v, node, stand);
    case STEER_NODE_USE:
        return use(v, node, stand);
    }
    return none(v);
}

// Each node is resolved once a run, and once for all clients where nothing in it depends on them.
struct steer_residual *steer_resolve_node(struct steer_resolver *v, const struct steer_node *node,
                                          struct steer_stand *stand)
{
    struct cached *cached = *steer_ptrmap_at(&v->cache, (uintptr_t)node);
    if (cached && (!cached->run || cached->run == v->run)) {
        stand->depends |= cached->run != 0;
        return steer_residual_ref(cached->residual);
    }
    struct steer_stand here = {.owner = stand->owner};
    struct steer_residual *residual = resolve_kind(v, node, &here);
    stand->depends |= here.depends;
    if (!cached)
        cached = *steer_ptrmap_at(&v->cache, (uintptr_t)node) = steer_calloc(1, sizeof *cached);
    steer_residual_unref(v->store, cached->residual);
    cached->residual = steer_residual_ref(residual);
    cached->run = here.depends ? v->run : 0;
    return residual;
}

struct steer_resolver *steer_resolver_create(struct steer_residuals *store,
                                             const struct steer_catalog *catalog,
                                             const struct steer_object *steered)
{
    struct steer_resolver *v = steer_calloc(1, sizeof *v);
    v->store = store;
    v->catalog = catalog;
    v->steered = steered;
    steer_ptrmap_init(&v->cache);
    steer_ptrmap_init(&v->fields);
    steer_ptrmap_init(&v->arounds);
    steer_arena_init(&v->arena);
    return v;
}

struct steer_residual *steer_resolver_run(struct steer_resolver *v,
                                          const struct steer_client *client, json_t *trace)
{
    v->run++;
    v->client = client;
    v->trace = trace;
    struct steer_stand stand = {.owner = v->steered};
    return steer_resolve_rehearsal(v, steer_resolve_node(v, v->steered->steered.tree, &stand));
}

void steer_resolver_cut(struct steer_resolver *v, uint32_t first)
{
    v->cut = first;
}

void steer_resolver_destroy(struct steer_resolver *v)
{
    for (size_t i = 0; i < v->cache.cap; i++) {
        struct cached *cached = v->cache.slots[i].value;
        if (cached)
            steer_residual_unref(v->store, cached->residual);
        free(cached);
    }
    steer_resolve_rehearsal_fini(v);
    steer_ptrmap_fini(&v->cache);
    steer_ptrmap_fini(&v->fields);
    steer_arena_fini(&v->arena);
    free(v);
}

struct steer_residual *steer_residual_resolve(struct steer_residuals *store,
                                              const struct steer_catalog *catalog,
                                              const struct steer_object *steered,
                                              const struct steer_client *client, json_t *trace)
{
    struct steer_resolver *v = steer_resolver_create(store, catalog, steered);
    struct steer_residual *residual = steer_resolver_run(v, client, trace);
    steer_resolver_destroy(v);
    return residual;
}
