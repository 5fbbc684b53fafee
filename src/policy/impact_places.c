// SPDX-License-Identifier: GPL-3.0-or-later
// Where clients are, for an impact: continents, countries, and the subdivisions that a record tells apart.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "impact_account.h"
#include "steerd/base/mem.h"

static uint32_t group_of(struct steer_impact *p, const char *name, bool rest, enum level level,
                         uint32_t parent)
{
    char key[16];
    uint32_t at;
    snprintf(key, sizeof key, "%s%s", name, rest ? "*" : "");
    if (steer_map_get(&p->group_index, key, &at))
        return at;
    at = (uint32_t)p->group_count++;
    p->groups = steer_grow(p->groups, &p->group_cap, p->group_count, sizeof *p->groups);
    p->groups[at] = (struct group){.level = level, .rest = rest, .parent = parent};
    snprintf(p->groups[at].name, sizeof p->groups[at].name, "%s", name);
    steer_map_put(&p->group_index, key, at);
    return at;
}

static uint32_t group_of_place(struct steer_impact *p, struct steer_place place)
{
    const char subdivision = place.subdivision[0];
    char name[16];
    uint32_t at = EVERYWHERE;
    if (place.continent[0])
        at = group_of(p, place.continent, false, CONTINENT, at);
    if (!place.country[0])
        return at;
    const struct steer_place whole = place;
    place.subdivision[0] = '\0';
    at = group_of(p, steer_place_format(&place, name, sizeof name), false, COUNTRY, at);
    if (!subdivision)
        return at;
    const uint32_t rest = group_of(p, name, true, SUBDIVISION, at);
    p->groups[at].rest_group = rest;
    return group_of(p, steer_place_format(&whole, name, sizeof name), false, SUBDIVISION, at);
}

struct group_people *impact_count_groups(const struct steer_impact *p,
                                         const struct steer_population *population)
{
    struct group_people *people = steer_calloc(p->group_count, sizeof *people);
    for (size_t i = 0; i < population->count; i++) {
        const struct steer_people *item = &population->items[i];
        for (uint32_t g = p->group_of[item->location];; g = p->groups[g].parent) {
            people[g].of[0] += item->v4;
            people[g].of[1] += item->v6;
            if (g == EVERYWHERE)
                break;
        }
    }
    return people;
}

void impact_places_init(struct steer_impact *p)
{
    const uint32_t count = steer_geo_location_count(p->geo);
    p->group_of = steer_calloc(count, sizeof *p->group_of);
    (void)group_of(p, "", false, WORLD, EVERYWHERE);
    for (uint32_t i = 0; i < count; i++)
        p->group_of[i] = group_of_place(p, steer_geo_location(p->geo, i)->place);
    p->plain = steer_calloc(p->group_count, sizeof *p->plain);
    for (uint32_t i = 0; i < p->group_count; i++)
        p->plain[i] = p->groups[i].level == SUBDIVISION ? p->groups[i].parent : i;
    steer_population_init(&p->everybody, p->geo, NULL);
    p->people = impact_count_groups(p, &p->everybody);
}

void impact_places_fini(struct steer_impact *p)
{
    cut_fini(&p->cut);
    steer_population_fini(&p->merged);
    steer_population_fini(&p->everybody);
    steer_map_fini(&p->group_index);
    free(p->group_of);
    free(p->plain);
    free(p->people);
    free(p->groups);
}

const struct steer_population *impact_merge_askers(struct steer_impact *p,
                                                   const struct steer_population *askers)
{
    if (p->merged_of == askers)
        return &p->merged;
    uint32_t *at = steer_calloc(steer_geo_location_count(p->geo), sizeof *at);
    steer_population_fini(&p->merged);
    p->merged = *askers;
    p->merged.items = steer_calloc(askers->count, sizeof *askers->items);
    p->merged.count = 0;
    for (size_t i = 0; i < askers->count; i++) {
        const struct steer_people *from = &askers->items[i];
        if (!at[from->location]) {
            p->merged.items[p->merged.count++] = *from;
            at[from->location] = (uint32_t)p->merged.count;
            continue;
        }
        struct steer_people *to = &p->merged.items[at[from->location] - 1];
        to->v4 += from->v4;
        to->v6 += from->v6;
    }
    free(at);
    p->merged_of = askers;
    return &p->merged;
}

// ---- subdivisions that a record tells apart --------------------------------------------------------

struct reading {
    struct steer_impact *impact;
    const struct steer_catalog *catalog;
    struct steer_ptrmap seen; // policies
    uint32_t *leaf;           // NULL until there is a subdivision
};

static void tell_apart(struct reading *r, struct steer_place place)
{
    struct steer_impact *p = r->impact;
    char name[16];
    uint32_t at, country;
    if (!place.subdivision[0] ||
        !steer_map_get(&p->group_index, steer_place_format(&place, name, sizeof name), &at))
        return;
    if (!r->leaf)
        r->leaf = steer_memdup(p->plain, p->group_count * sizeof *p->plain);
    country = p->groups[at].parent;
    for (uint32_t i = 0; i < p->group_count; i++)
        if (r->leaf[i] == country)
            r->leaf[i] = p->groups[country].rest_group;
    r->leaf[at] = at;
}

static void read_table(struct reading *r, const char *name)
{
    const struct steer_object *table = steer_catalog_get(r->catalog, STEER_LATENCY, name);
    for (size_t i = 0; table && i < steer_latency_count(table->latency); i++)
        if (steer_latency_at(table->latency, i)->of == STEER_LATENCY_PLACE)
            tell_apart(r, steer_latency_at(table->latency, i)->place);
}

static void read_tree(struct reading *r, const struct steer_node *node)
{
    static char seen;
    const struct steer_object *policy =
        node->kind == STEER_NODE_USE ? steer_catalog_get(r->catalog, STEER_POLICY, node->name)
                                     : NULL;
    void **mark = policy ? steer_ptrmap_at(&r->seen, (uintptr_t)policy) : NULL;
    if (mark && !*mark) {
        *mark = &seen;
        read_tree(r, &policy->tree);
    }
    if (node->kind == STEER_NODE_LATENCY && node->name)
        read_table(r, node->name);
    for (uint32_t i = 0; i < node->child_count; i++) {
        const struct steer_child *child = &node->children[i];
        for (uint16_t k = 0; k < child->place_count; k++)
            tell_apart(r, child->places[k]);
        read_tree(r, child->node);
    }
    if (node->substitute)
        read_tree(r, node->substitute);
}

uint32_t *impact_leaves(struct steer_impact *p, const struct steer_impact_side *const sides[2])
{
    struct reading r = {.impact = p};
    for (unsigned s = 0; s < 2; s++) {
        if (!sides[s]->steered)
            continue;
        r.catalog = sides[s]->catalog;
        steer_ptrmap_init(&r.seen);
        read_tree(&r, sides[s]->steered->steered.tree);
        steer_ptrmap_fini(&r.seen);
    }
    return r.leaf ? r.leaf : p->plain;
}
