// SPDX-License-Identifier: GPL-3.0-or-later
#include "interests.h"

#include <stdlib.h>
#include <string.h>

#include "steerd/base/hash.h"

// ---- what the tree names -------------------------------------------------------------------------

static void add_place(struct steer_interests *in, const struct steer_place *place)
{
    for (unsigned i = 0; i < in->place_count; i++)
        if (memcmp(in->places[i], place, sizeof *place) == 0)
            return;
    in->many_places = in->place_count == STEER_INTERESTS_PLACES;
    if (!in->many_places)
        in->places[in->place_count++] = place;
}

static void add_networks(struct steer_interests *in, const struct steer_nested *items, size_t count)
{
    in->networks =
        steer_grow(in->networks, &in->network_cap, in->network_count + count, sizeof *in->networks);
    if (count)
        memcpy(in->networks + in->network_count, items, count * sizeof *items);
    in->network_count += count;
}

static void add_table(struct steer_interests *in, const char *name)
{
    static char seen;
    const struct steer_object *object = steer_catalog_get(in->catalog, STEER_LATENCY, name);
    size_t count;
    void **mark = object ? steer_ptrmap_at(&in->seen, (uintptr_t)object) : NULL;
    if (!mark || *mark)
        return;
    *mark = &seen;
    const struct steer_nested *networks = steer_latency_networks(object->latency, &count);
    add_networks(in, networks, count);
    in->whole_place = true;
    for (size_t i = 0; i < steer_latency_count(object->latency); i++) {
        const struct steer_latency_row *row = steer_latency_at(object->latency, i);
        if (row->of == STEER_LATENCY_ASN)
            *steer_ptrmap_at(&in->asns, row->asn) = &seen;
    }
}

// ---- rehearsals that the tree can feel ------------------------------------------------------------

static void add_rehearsal(struct steer_interests *in, enum steer_kind kind, const char *name)
{
    for (size_t i = 0; i < steer_rehearsals_count(in->rehearsals); i++) {
        const struct steer_rehearsal *r = steer_rehearsals_at(in->rehearsals, i);
        if (in->felt[i] || r->kind != kind || strcmp(r->target, name) != 0)
            continue;
        in->felt[i] = true;
        for (uint32_t k = 0; k < r->clients->count; k++)
            add_networks(in, &(struct steer_nested){.prefix = r->clients->prefixes[k]}, 1);
    }
}

static void add_endpoint(struct steer_interests *in, const char *name)
{
    const struct steer_object *object = steer_catalog_get(in->catalog, STEER_ENDPOINT, name);
    if (!object)
        return;
    add_rehearsal(in, STEER_ENDPOINT, name);
    if (object->endpoint.site)
        add_rehearsal(in, STEER_SITE, object->endpoint.site);
    for (uint32_t i = 0; i < object->endpoint.check_count; i++)
        add_rehearsal(in, STEER_CHECK, object->endpoint.checks[i]);
}

static void add_leaf(struct steer_interests *in, const struct steer_node *node)
{
    if (node->kind == STEER_NODE_ENDPOINT)
        add_endpoint(in, node->name);
    if (node->kind != STEER_NODE_POOL)
        return;
    const struct steer_object *pool = steer_catalog_get(in->catalog, STEER_POOL, node->name);
    add_rehearsal(in, STEER_POOL, node->name);
    for (uint32_t i = 0; pool && i < pool->pool.member_count; i++)
        add_endpoint(in, pool->pool.members[i].endpoint);
}

// ---- all of it -----------------------------------------------------------------------------------

static void add_tree(struct steer_interests *in, const struct steer_node *node)
{
    static char seen;
    const struct steer_object *policy =
        node->kind == STEER_NODE_USE ? steer_catalog_get(in->catalog, STEER_POLICY, node->name)
                                     : NULL;
    void **mark = policy ? steer_ptrmap_at(&in->seen, (uintptr_t)policy) : NULL;
    if (mark && !*mark) {
        *mark = &seen;
        add_tree(in, &policy->tree);
    }
    if (node->kind == STEER_NODE_LATENCY && node->name)
        add_table(in, node->name);
    if (in->rehearsals)
        add_leaf(in, node);
    if (node->kind == STEER_NODE_NEAREST || node->kind == STEER_NODE_LATENCY) {
        in->points = true;
        in->ranked = node->child_count > in->ranked ? node->child_count : in->ranked;
    }
    add_networks(in, node->networks, node->network_count);
    for (uint32_t i = 0; i < node->asn_count; i++)
        *steer_ptrmap_at(&in->asns, node->asns[i].asn) = &seen;
    for (uint32_t i = 0; i < node->child_count; i++) {
        const struct steer_child *child = &node->children[i];
        for (uint16_t k = 0; k < child->place_count && !in->many_places; k++)
            add_place(in, &child->places[k]);
        add_tree(in, child->node);
    }
    if (node->substitute)
        add_tree(in, node->substitute);
}

void steer_interests_init(struct steer_interests *in, const struct steer_catalog *catalog,
                          const struct steer_node *tree)
{
    *in = (struct steer_interests){.catalog = catalog,
                                   .rehearsals = steer_catalog_rehearsals(catalog)};
    steer_ptrmap_init(&in->seen);
    steer_ptrmap_init(&in->asns);
    add_tree(in, tree);
    in->network_count = steer_nested_sort(in->networks, in->network_count);
    for (size_t i = 0; i < in->network_count; i++)
        in->networks[i].value = (uint32_t)i;
}

void steer_interests_fini(struct steer_interests *in)
{
    steer_ptrmap_fini(&in->seen);
    steer_ptrmap_fini(&in->asns);
    free(in->networks);
    free(in->traits);
    free(in->slots);
}

// ---- what a client is ----------------------------------------------------------------------------

static void copy_code(char out[4], const char *code, size_t size)
{
    memcpy(out, code, strnlen(code, size));
}

static struct steer_trait trait_of(struct steer_interests *in,
                                   const struct steer_location *location)
{
    const struct steer_place *place = &location->place;
    struct steer_trait trait;
    memset(&trait, 0, sizeof trait); // compared as bytes
    for (unsigned i = 0; i < in->place_count && !in->many_places; i++)
        trait.match = trait.match << 1 | steer_place_matches(in->places[i], place);
    if (in->many_places || in->whole_place) {
        copy_code(trait.place, place->continent, sizeof place->continent);
        copy_code(trait.place + 4, place->country, sizeof place->country);
        copy_code(trait.place + 8, place->subdivision, sizeof place->subdivision);
    }
    if (in->asns.used && location->asn && *steer_ptrmap_at(&in->asns, location->asn))
        trait.asn = location->asn;
    if (in->points)
        trait.has_point = steer_location_point(location, &trait.lat, &trait.lon);
    return trait;
}

static uint32_t *slot_of(const struct steer_interests *in, const struct steer_trait *trait)
{
    size_t i = steer_hash_bytes(trait, sizeof *trait, 0) & (in->slot_cap - 1);
    while (in->slots[i] && memcmp(&in->traits[in->slots[i] - 1], trait, sizeof *trait) != 0)
        i = (i + 1) & (in->slot_cap - 1);
    return &in->slots[i];
}

static void grow(struct steer_interests *in)
{
    free(in->slots);
    in->slot_cap = in->slot_cap ? in->slot_cap * 2 : 256;
    in->slots = steer_calloc(in->slot_cap, sizeof *in->slots);
    for (size_t i = 0; i < in->count; i++)
        *slot_of(in, &in->traits[i]) = (uint32_t)i + 1;
}

uint32_t steer_interests_trait(struct steer_interests *in, const struct steer_location *location)
{
    const struct steer_trait trait = trait_of(in, location);
    if (in->count * 2 >= in->slot_cap)
        grow(in);
    uint32_t *slot = slot_of(in, &trait);
    if (!*slot) {
        in->traits = steer_grow(in->traits, &in->cap, in->count + 1, sizeof *in->traits);
        memcpy(&in->traits[in->count++], &trait, sizeof trait);
        *slot = (uint32_t)in->count;
    }
    return *slot - 1;
}
