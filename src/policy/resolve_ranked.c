// SPDX-License-Identifier: GPL-3.0-or-later
// Ranked nodes: one client -> the children in the order in which they suit it.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resolve_internal.h"
#include "steerd/geo/latency.h"

struct spot {
    const char *site;
    double lat, lon;
};

// What stays the same for all clients.
struct runner {
    const struct steer_child *child;
    const char *name; // for ties
    struct spot *spots;
    size_t spot_count;
};

struct field {
    struct runner *runners;
};

// What a runner is to one client; the lower the better.
struct standing {
    uint32_t runner;
    double cost; // INFINITY: not known
    const char *name;
    const struct spot *spot; // the one that decided
    double km;
};

static const struct field *field_of(struct steer_resolver *v, const struct steer_node *node)
{
    void **known = steer_ptrmap_at(&v->fields, (uintptr_t)node);
    if (*known)
        return *known;
    struct field *field = *known = steer_arena_calloc(&v->arena, sizeof *field);
    field->runners = steer_arena_calloc(&v->arena, node->child_count * sizeof *field->runners);
    for (uint32_t i = 0; i < node->child_count; i++) {
        const struct steer_child *child = &node->children[i];
        struct runner *r = &field->runners[i];
        size_t count;
        const struct steer_object **sites = steer_child_sites(v->catalog, child, &count);
        *r = (struct runner){.child = child};
        r->spots = steer_arena_calloc(&v->arena, count * sizeof *r->spots);
        for (size_t s = 0; s < count; s++) {
            struct spot spot = {.site = sites[s]->name};
            if (steer_site_point(&sites[s]->site, &spot.lat, &spot.lon))
                r->spots[r->spot_count++] = spot;
        }
        r->name = child->node->name ? child->node->name : r->spot_count ? r->spots[0].site : "";
        free(sites);
    }
    return field;
}

// Bias as Route 53's: 0 < b <= 99 draws clients in, -99 <= b < 0 keeps them off.
static double biased(double km, int bias)
{
    return bias >= 0 ? km * (1 - bias / 100.0) : km / (1 + bias / 100.0);
}

static struct standing stand_of(const struct runner *runner, bool known, double lat, double lon)
{
    struct standing best = {.cost = INFINITY, .name = runner->name};
    for (size_t i = 0; known && i < runner->spot_count; i++) {
        const struct spot *spot = &runner->spots[i];
        const double km = steer_distance_km(lat, lon, spot->lat, spot->lon);
        const double cost = biased(km, runner->child->bias);
        if (cost < best.cost) {
            best.cost = cost;
            best.spot = spot;
            best.km = km;
        }
    }
    return best;
}

static int by_name(const void *va, const void *vb)
{
    const struct standing *a = va, *b = vb;
    const int order = strcmp(a->name, b->name);
    return order ? order : a->runner < b->runner ? -1 : a->runner > b->runner;
}

static int by_cost(const void *va, const void *vb)
{
    const struct standing *a = va, *b = vb;
    if (a->cost != b->cost)
        return a->cost < b->cost ? -1 : 1;
    return by_name(va, vb);
}

// ---- trace ---------------------------------------------------------------------------------------

static json_t *trace_ranked(struct steer_resolver *v, const struct steer_node *node,
                            const struct steer_stand *stand, bool known, double lat, double lon)
{
    char path[STEER_PATH_MAX], place[16], client[64] = "unknown";
    if (!v->trace)
        return NULL;
    steer_place_format(&v->client->location->place, place, sizeof place);
    if (known)
        snprintf(client, sizeof client, "%s%s%.2f,%.2f",
                 v->client->location->place.continent[0] ? place : "",
                 v->client->location->place.continent[0] ? " at " : "", lat, lon);
    json_t *entry =
        json_pack("{s:s,s:s,s:s,s:[]}", "node", steer_node_kind_text(node->kind), "at",
                  steer_object_path(stand->owner, path), "client", client, "candidates");
    json_array_append_new(v->trace, entry);
    return entry;
}

static void trace_standing(json_t *entry, const struct field *field, const struct standing *s)
{
    char label[STEER_PATH_MAX], measure[80] = "distance not known";
    if (!entry)
        return;
    const struct steer_child *child = field->runners[s->runner].child;
    if (s->spot && child->bias)
        snprintf(measure, sizeof measure, "%.0f km, with bias %d %.0f km", s->km, child->bias,
                 s->cost);
    else if (s->spot)
        snprintf(measure, sizeof measure, "%.0f km", s->km);
    json_array_append_new(json_object_get(entry, "candidates"),
                          json_pack("{s:s,s:s,s:s}", "site", s->spot ? s->spot->site : s->name,
                                    "to", steer_child_label(child, label, sizeof label), "measure",
                                    measure));
}

// ---- the node ------------------------------------------------------------------------------------

struct steer_residual *steer_resolve_ranked(struct steer_resolver *v, const struct steer_node *node,
                                            struct steer_stand *stand)
{
    const struct field *field = field_of(v, node);
    struct standing *order = steer_calloc(node->child_count, sizeof *order);
    double lat, lon;
    const bool known = steer_location_point(v->client->location, &lat, &lon);
    stand->depends = true;
    for (uint32_t i = 0; i < node->child_count; i++) {
        order[i] = stand_of(&field->runners[i], known, known ? lat : 0, known ? lon : 0);
        order[i].runner = i;
    }
    if (node->child_count)
        qsort(order, node->child_count, sizeof *order, by_cost);
    if (v->cut && v->cut < node->child_count)
        qsort(order + v->cut, node->child_count - v->cut, sizeof *order, by_name);
    json_t *entry = trace_ranked(v, node, stand, known, known ? lat : 0, known ? lon : 0);
    struct steer_siblings list;
    steer_siblings_init(&list, node->child_count);
    for (uint32_t i = 0; i < node->child_count; i++) {
        trace_standing(entry, field, &order[i]);
        list.items[list.count++] =
            steer_resolve_node(v, field->runners[order[i].runner].child->node, stand);
    }
    struct steer_residual *residual = steer_resolve_inner(v, STEER_R_NEAREST, node, &list, stand);
    steer_siblings_fini(&list);
    free(order);
    return residual;
}
