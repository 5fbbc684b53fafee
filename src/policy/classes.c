// SPDX-License-Identifier: GPL-3.0-or-later
// All classes of a steered record: of the places that the same rules hold one is resolved, equal
// residuals are one class.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "decide_internal.h"
#include "steerd/base/hash.h"

static_assert(sizeof(uintptr_t) == 8, "which rules hold a client is a set of 63 bits");

enum { CLASSES_MAX = 65535 };

// Place -> class. A city database has 100,000s of locations and a few thousand places.
struct place_key {
    char text[16];
    uint16_t class_index;
    bool used;
};

struct places {
    struct place_key *slots;
    size_t cap, used;
};

static size_t probe(const struct places *map, const char text[16])
{
    size_t i = steer_hash_bytes(text, 16, 0) & (map->cap - 1);
    while (map->slots[i].used && memcmp(map->slots[i].text, text, 16) != 0)
        i = (i + 1) & (map->cap - 1);
    return i;
}

static void grow(struct places *map)
{
    struct places old = *map;
    map->cap = old.cap ? old.cap * 2 : 512;
    map->slots = steer_calloc(map->cap, sizeof *map->slots);
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].used)
            map->slots[probe(map, old.slots[i].text)] = old.slots[i];
    free(old.slots);
}

static struct place_key *place_at(struct places *map, const struct steer_place *place)
{
    if (map->used * 4 >= map->cap * 3)
        grow(map);
    char text[16] = {0};
    memcpy(text, place->continent, strnlen(place->continent, sizeof place->continent));
    memcpy(text + 4, place->country, strnlen(place->country, sizeof place->country));
    memcpy(text + 8, place->subdivision, strnlen(place->subdivision, sizeof place->subdivision));
    struct place_key *key = &map->slots[probe(map, text)];
    memcpy(key->text, text, sizeof text);
    return key;
}

// The places that the rules of a tree name. Clients whom the same of them hold are resolved alike.
enum { RULES_MAX = 63 };
struct rules {
    const struct steer_catalog *catalog;
    struct steer_ptrmap seen; // policies
    const struct steer_place *places[RULES_MAX];
    unsigned count;
    bool too_many;
};

struct compiler {
    struct steer_residuals *store;
    struct steer_resolver *resolver;
    struct rules rules;
    struct steer_ptrmap class_of_match; // which rules hold the client -> class + 1
    struct steer_ptrmap class_of_root;  // residual -> class + 1
    struct steer_residual **roots;
    size_t count, cap, max;
};

static void add_place(struct rules *rules, const struct steer_place *place)
{
    for (unsigned i = 0; i < rules->count; i++)
        if (memcmp(rules->places[i], place, sizeof *place) == 0)
            return;
    rules->too_many = rules->count == RULES_MAX;
    if (!rules->too_many)
        rules->places[rules->count++] = place;
}

static void add_rules(struct rules *rules, const struct steer_node *node)
{
    static char seen;
    const struct steer_object *policy =
        node->kind == STEER_NODE_USE ? steer_catalog_get(rules->catalog, STEER_POLICY, node->name)
                                     : NULL;
    void **mark = policy ? steer_ptrmap_at(&rules->seen, (uintptr_t)policy) : NULL;
    if (mark && !*mark) {
        *mark = &seen;
        add_rules(rules, &policy->tree);
    }
    for (uint32_t i = 0; i < node->child_count && !rules->too_many; i++) {
        const struct steer_child *child = &node->children[i];
        for (uint16_t k = 0; k < child->place_count && !rules->too_many; k++)
            add_place(rules, &child->places[k]);
        add_rules(rules, child->node);
    }
    if (node->substitute)
        add_rules(rules, node->substitute);
}

static uintptr_t match_of(const struct rules *rules, const struct steer_place *client)
{
    uintptr_t match = 1; // so that it is never 0
    for (unsigned i = 0; i < rules->count; i++)
        match = match << 1 | steer_place_matches(rules->places[i], client);
    return match;
}

// The class of a client; c->max when there are too many.
static size_t class_by_root(struct compiler *c, const struct steer_location *client)
{
    struct steer_residual *root = steer_resolver_run(c->resolver, client, NULL);
    void **known = steer_ptrmap_at(&c->class_of_root, (uintptr_t)root);
    if (*known) {
        steer_residual_unref(c->store, root);
        return (uintptr_t)*known - 1;
    }
    if (c->count == c->max) {
        steer_residual_unref(c->store, root);
        return c->max;
    }
    c->roots = steer_grow(c->roots, &c->cap, c->count + 1, sizeof(struct steer_residual *));
    c->roots[c->count++] = root;
    *known = (void *)(uintptr_t)c->count;
    return c->count - 1;
}

static size_t class_of(struct compiler *c, const struct steer_location *client)
{
    if (c->rules.too_many)
        return class_by_root(c, client);
    const uintptr_t match = match_of(&c->rules, &client->place);
    void **known = steer_ptrmap_at(&c->class_of_match, match);
    if (*known)
        return (uintptr_t)*known - 1;
    const size_t found = class_by_root(c, client);
    *known = (void *)(found + 1);
    return found;
}

static void compiler_init(struct compiler *c, const struct steer_object *steered)
{
    steer_ptrmap_init(&c->class_of_root);
    steer_ptrmap_init(&c->class_of_match);
    steer_ptrmap_init(&c->rules.seen);
    add_rules(&c->rules, steered->steered.tree);
}

static void compiler_fini(struct compiler *c)
{
    steer_ptrmap_fini(&c->class_of_root);
    steer_ptrmap_fini(&c->class_of_match);
    steer_ptrmap_fini(&c->rules.seen);
    steer_resolver_destroy(c->resolver);
}

static void release_roots(struct steer_residuals *store, struct steer_residual **roots,
                          size_t count)
{
    for (size_t i = 0; i < count; i++)
        steer_residual_unref(store, roots[i]);
    free(roots);
}

enum steer_err
steer_classes_over(struct steer_residuals *store, const struct steer_catalog *catalog,
                   const struct steer_object *steered,
                   const struct steer_location *(*location)(const void *ctx, uint32_t index),
                   const void *ctx, uint32_t count, uint32_t classes_max,
                   struct steer_classes *classes, struct steer_diag *diag)
{
    struct compiler c = {.store = store,
                         .max = classes_max,
                         .rules = {.catalog = catalog},
                         .resolver = steer_resolver_create(store, catalog, steered)};
    compiler_init(&c, steered);
    struct places places = {0};
    uint16_t *map = steer_calloc(count, sizeof *map);
    bool fits = true;
    for (uint32_t i = 0; i < count && fits; i++) {
        const struct steer_location *client = location(ctx, i);
        struct place_key *key = place_at(&places, &client->place);
        if (!key->used) {
            size_t found = class_of(&c, client);
            fits = found < c.max;
            key->class_index = (uint16_t)found;
            key->used = true;
            places.used++;
        }
        map[i] = key->class_index;
    }
    free(places.slots);
    compiler_fini(&c);
    if (!fits) {
        release_roots(store, c.roots, c.count);
        free(map);
        char path[STEER_PATH_MAX];
        return steer_diag_set(diag, STEER_ELIMIT, "%s: more than %u classes of clients",
                              steer_object_path(steered, path), classes_max);
    }
    *classes = (struct steer_classes){
        .class_count = (uint32_t)c.count,
        .roots = c.roots,
        .location_count = count,
        .class_of = map,
        .map_hash = steer_hash_bytes(map, count * sizeof *map, c.count),
    };
    return STEER_OK;
}

static const struct steer_location *geo_location(const void *ctx, uint32_t index)
{
    return steer_geo_location(ctx, index);
}

enum steer_err steer_classes_compile(struct steer_residuals *store,
                                     const struct steer_catalog *catalog,
                                     const struct steer_object *steered,
                                     const struct steer_geo *geo, struct steer_classes *classes,
                                     struct steer_diag *diag)
{
    return steer_classes_over(store, catalog, steered, geo_location, geo,
                              steer_geo_location_count(geo), CLASSES_MAX, classes, diag);
}

void steer_classes_fini(struct steer_residuals *store, struct steer_classes *classes)
{
    release_roots(store, classes->roots, classes->class_count);
    free(classes->class_of);
    *classes = (struct steer_classes){0};
}
