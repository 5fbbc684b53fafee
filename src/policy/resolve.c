// SPDX-License-Identifier: GPL-3.0-or-later
// Tree + client -> residual tree. Geo becomes an ordered list from most to least specific place,
// `use` disappears, and lists that have nothing of their own to say collapse, so that clients for
// whom the policy means the same are in one class.
#include <stdlib.h>
#include <string.h>

#include "decide_internal.h"

struct cached {
    struct steer_residual *residual;
    uint32_t run; // of which run; 0: the same for all clients
};

struct steer_resolver {
    struct steer_residuals *store;
    const struct steer_catalog *catalog;
    const struct steer_object *steered;
    struct steer_ptrmap cache; // inner node or pool object -> struct cached
    uint32_t run;
    const struct steer_location *client;
    json_t *trace;
};

// Where a node stands, and whether anything in it depended on the client.
struct place {
    const struct steer_object *owner;
    bool depends;
};

static struct steer_residual *resolve(struct steer_resolver *v, const struct steer_node *node,
                                      struct place *place);

static struct steer_residual *none(struct steer_resolver *v)
{
    return steer_residual_intern(v->store, &(struct steer_residual){.kind = STEER_R_NONE});
}

// when_unavailable and the substitute, which any node may have.
static void set_when(struct steer_resolver *v, const struct steer_node *node, struct place *place,
                     struct steer_residual *want)
{
    want->when = node->when;
    if (node->when == STEER_WHEN_SUBSTITUTE && node->substitute)
        want->substitute = resolve(v, node->substitute, place);
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
                                       struct place *place)
{
    struct steer_residual want = {.kind = STEER_R_ENDPOINT};
    want.object = steer_catalog_get(v->catalog, STEER_ENDPOINT, node->name);
    if (!want.object)
        return none(v);
    set_when(v, node, place, &want);
    return steer_residual_intern(v->store, &want);
}

static int by_endpoint(const void *a, const void *b)
{
    return strcmp((*(const struct steer_member *const *)a)->endpoint,
                  (*(const struct steer_member *const *)b)->endpoint);
}

// Members in order of name, which outcomes and systematic sampling keep.
static struct steer_residual *pool(struct steer_resolver *v, const struct steer_node *node,
                                   struct place *place)
{
    const struct steer_object *object = steer_catalog_get(v->catalog, STEER_POOL, node->name);
    if (!object)
        return none(v);
    uint32_t n = object->pool.member_count;
    const struct steer_member **sorted = steer_calloc(n, sizeof(struct steer_member *));
    for (uint32_t i = 0; i < n; i++)
        sorted[i] = &object->pool.members[i];
    qsort(sorted, n, sizeof(struct steer_member *), by_endpoint);
    struct steer_residual want = {
        .kind = STEER_R_POOL,
        .object = object,
        .min_available = {steer_minimum_need(object->pool.min_available, n), false},
        .child_count = n,
        .children = steer_calloc(n, sizeof(struct steer_residual *)),
        .weights = steer_calloc(n, sizeof(uint16_t)),
    };
    for (uint32_t i = 0; i < n; i++) {
        want.children[i] = member(v, sorted[i]->endpoint);
        want.weights[i] = sorted[i]->weight;
    }
    set_when(v, node, place, &want);
    struct steer_residual *residual = steer_residual_intern(v->store, &want);
    free(sorted);
    free(want.children);
    free(want.weights);
    return residual;
}

// ---- inner nodes ---------------------------------------------------------------------------------

struct children {
    struct steer_residual **items;
    uint16_t *weights;
    uint32_t count;
};

static void drop_none(struct steer_resolver *v, struct children *list)
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
static struct steer_residual *inner(struct steer_resolver *v, enum steer_residual_kind kind,
                                    const struct steer_node *node, struct children *list,
                                    struct place *place)
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
    set_when(v, node, place, &want);
    return steer_residual_intern(v->store, &want);
}

static void children_init(struct children *list, uint32_t cap)
{
    list->items = steer_calloc(cap, sizeof(struct steer_residual *));
    list->weights = steer_calloc(cap, sizeof(uint16_t));
    list->count = 0;
}

static void children_fini(struct children *list)
{
    free(list->items);
    free(list->weights);
}

static struct steer_residual *all_children(struct steer_resolver *v, enum steer_residual_kind kind,
                                           const struct steer_node *node, struct place *place)
{
    struct children list;
    children_init(&list, node->child_count);
    for (uint32_t i = 0; i < node->child_count; i++) {
        list.items[i] = resolve(v, node->children[i].node, place);
        list.weights[i] = node->children[i].weight;
        list.count++;
    }
    struct steer_residual *residual = inner(v, kind, node, &list, place);
    children_fini(&list);
    return residual;
}

// A policy's tree stands in the place of `use`; options on `use` itself hold around it.
static struct steer_residual *use(struct steer_resolver *v, const struct steer_node *node,
                                  struct place *place)
{
    const struct steer_object *policy = steer_catalog_get(v->catalog, STEER_POLICY, node->name);
    if (!policy)
        return none(v);
    if (v->trace) {
        char path[STEER_PATH_MAX];
        json_array_append_new(v->trace,
                              json_pack("{s:s,s:s,s:s}", "node", "use", "name", node->name, "at",
                                        steer_object_path(place->owner, path)));
    }
    struct place inside = {.owner = policy};
    struct steer_residual *tree = resolve(v, &policy->tree, &inside);
    place->depends |= inside.depends;
    if (node->when == STEER_WHEN_DEFAULT)
        return tree;
    struct children list = {&tree, &(uint16_t){0}, 1};
    return inner(v, STEER_R_FAILOVER, node, &list, place);
}

// ---- geo -----------------------------------------------------------------------------------------

enum { LEVELS = 4 }; // subdivision, country, continent, default

// Which level a place of a rule is on.
static unsigned level_of(const struct steer_place *place)
{
    return place->subdivision[0] ? 0 : place->country[0] ? 1 : 2;
}

// The place by which a rule holds the client on a level; NULL where it doesn't.
static const struct steer_place *match(const struct steer_child *rule, unsigned level,
                                       const struct steer_place *client)
{
    for (uint16_t i = 0; i < rule->place_count; i++)
        if (level_of(&rule->places[i]) == level && steer_place_matches(&rule->places[i], client))
            return &rule->places[i];
    return NULL;
}

static const char *label_of(const struct steer_child *rule, char *out, size_t size)
{
    if (rule->node->kind == STEER_NODE_ANSWER || !rule->node->name)
        snprintf(out, size, "%s", steer_node_kind_text(rule->node->kind));
    else
        snprintf(out, size, "%s %s", steer_node_kind_text(rule->node->kind), rule->node->name);
    return out;
}

static json_t *trace_geo(struct steer_resolver *v, const struct place *place)
{
    if (!v->trace)
        return NULL;
    char path[STEER_PATH_MAX];
    char client[16];
    json_t *entry = json_pack("{s:s,s:s,s:s,s:[],s:[]}", "node", "geo", "at",
                              steer_object_path(place->owner, path), "client",
                              steer_place_format(&v->client->place, client, sizeof client),
                              "matched", "candidates");
    json_array_append_new(v->trace, entry);
    return entry;
}

static void trace_match(json_t *entry, const struct steer_child *rule,
                        const struct steer_place *matched, bool repeated)
{
    if (!entry)
        return;
    char text[16] = "default";
    char label[STEER_PATH_MAX];
    if (matched)
        steer_place_format(matched, text, sizeof text);
    json_t *candidate = json_pack("{s:s,s:s,s:b}", "place", text, "to",
                                  label_of(rule, label, sizeof label), "fence", rule->fence);
    if (repeated)
        json_object_set_new(candidate, "reason", json_string("a candidate already"));
    json_array_append_new(json_object_get(entry, "matched"), json_string(text));
    json_array_append_new(json_object_get(entry, "candidates"), candidate);
}

// Adds a matching rule's child. Returns false when the list ends here: behind a fence is nothing.
static bool add_candidate(struct steer_resolver *v, const struct steer_child *rule,
                          const struct steer_place *matched, struct children *list,
                          struct place *place, json_t *entry)
{
    struct steer_residual *child = resolve(v, rule->node, place);
    if (rule->fence)
        child = steer_residual_intern(
            v->store,
            &(struct steer_residual){.kind = STEER_R_FENCE, .child_count = 1, .children = &child});
    bool repeated = false;
    for (uint32_t i = 0; i < list->count; i++)
        repeated |= list->items[i] == child;
    trace_match(entry, rule, matched, repeated);
    if (repeated)
        steer_residual_unref(v->store, child);
    else
        list->items[list->count++] = child;
    return !rule->fence;
}

static struct steer_residual *geo(struct steer_resolver *v, const struct steer_node *node,
                                  struct place *place)
{
    place->depends = true;
    json_t *entry = trace_geo(v, place);
    struct children list;
    children_init(&list, node->child_count * LEVELS);
    bool open = true;
    for (unsigned level = 0; level < LEVELS && open; level++) {
        for (uint32_t i = 0; i < node->child_count && open; i++) {
            const struct steer_child *rule = &node->children[i];
            const struct steer_place *matched = match(rule, level, &v->client->place);
            if (matched || (level == LEVELS - 1 && rule->is_default))
                open = add_candidate(v, rule, matched, &list, place, entry);
        }
    }
    struct steer_residual *residual = inner(v, STEER_R_GEO, node, &list, place);
    children_fini(&list);
    return residual;
}

// ---- dispatch ------------------------------------------------------------------------------------

static struct steer_residual *resolve_kind(struct steer_resolver *v, const struct steer_node *node,
                                           struct place *place)
{
    switch (node->kind) {
    case STEER_NODE_ENDPOINT:
        return endpoint(v, node, place);
    case STEER_NODE_POOL:
        return pool(v, node, place);
    case STEER_NODE_ANSWER:
        return steer_residual_intern(
            v->store,
            &(struct steer_residual){.kind = STEER_R_ANSWER, .node = node, .owner = place->owner});
    case STEER_NODE_WEIGHTED:
        return all_children(v, STEER_R_WEIGHTED, node, place);
    case STEER_NODE_FAILOVER:
        return all_children(v, STEER_R_FAILOVER, node, place);
    case STEER_NODE_GEO:
        return geo(v, node, place);
    case STEER_NODE_USE:
        return use(v, node, place);
    }
    return none(v);
}

// Each node is resolved once a run, and once for all clients where nothing in it depends on them.
static struct steer_residual *resolve(struct steer_resolver *v, const struct steer_node *node,
                                      struct place *place)
{
    struct cached *cached = *steer_ptrmap_at(&v->cache, (uintptr_t)node);
    if (cached && (!cached->run || cached->run == v->run)) {
        place->depends |= cached->run != 0;
        return steer_residual_ref(cached->residual);
    }
    struct place here = {.owner = place->owner};
    struct steer_residual *residual = resolve_kind(v, node, &here);
    place->depends |= here.depends;
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
    return v;
}

struct steer_residual *steer_resolver_run(struct steer_resolver *v,
                                          const struct steer_location *client, json_t *trace)
{
    v->run++;
    v->client = client;
    v->trace = trace;
    struct place place = {.owner = v->steered};
    return resolve(v, v->steered->steered.tree, &place);
}

void steer_resolver_destroy(struct steer_resolver *v)
{
    for (size_t i = 0; i < v->cache.cap; i++) {
        struct cached *cached = v->cache.slots[i].value;
        if (cached)
            steer_residual_unref(v->store, cached->residual);
        free(cached);
    }
    steer_ptrmap_fini(&v->cache);
    free(v);
}

struct steer_residual *steer_residual_resolve(struct steer_residuals *store,
                                              const struct steer_catalog *catalog,
                                              const struct steer_object *steered,
                                              const struct steer_location *client, json_t *trace)
{
    struct steer_resolver *v = steer_resolver_create(store, catalog, steered);
    struct steer_residual *residual = steer_resolver_run(v, client, trace);
    steer_resolver_destroy(v);
    return residual;
}
