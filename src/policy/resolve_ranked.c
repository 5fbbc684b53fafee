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
    const struct steer_latency *table; // latency: or NULL
};

// One client, and what the node has to look at it.
struct look {
    const struct steer_node *node;
    bool known; // where it is
    double lat, lon;
    struct steer_latency_sight sight; // of field.table
};

// What a runner is to one client; the lower the better.
struct standing {
    uint32_t runner;
    double cost; // INFINITY: not known
    const char *name;
    const struct spot *spot; // the one that decided
    double km;
    const struct steer_latency_row *row; // NULL: by distance
};

// A switch's or a table's name is not the child's.
static const char *name_of(const struct steer_node *node, const char *site)
{
    return node->kind == STEER_NODE_ENDPOINT || node->kind == STEER_NODE_POOL ||
                   node->kind == STEER_NODE_USE
               ? node->name
               : site;
}

static const struct field *field_of(struct steer_resolver *v, const struct steer_node *node)
{
    void **known = steer_ptrmap_at(&v->fields, (uintptr_t)node);
    if (*known)
        return *known;
    struct field *field = *known = steer_arena_calloc(&v->arena, sizeof *field);
    const struct steer_object *table =
        node->kind == STEER_NODE_LATENCY && node->name
            ? steer_catalog_get(v->catalog, STEER_LATENCY, node->name)
            : NULL;
    field->table = table ? table->latency : NULL;
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
        r->name = name_of(child->node, r->spot_count ? r->spots[0].site : "");
        free(sites);
    }
    return field;
}

// Bias as Route 53's: 0 < b <= 99 draws clients in, -99 <= b < 0 keeps them off.
static double biased(double km, int bias)
{
    return bias >= 0 ? km * (1 - bias / 100.0) : km / (1 + bias / 100.0);
}

// What a site costs the client: km, or microseconds.
static double cost_of(const struct look *look, const struct field *field,
                      const struct runner *runner, const struct spot *spot, struct standing *out)
{
    out->row = field->table ? steer_latency_read(&look->sight, spot->site) : NULL;
    out->km =
        look->known ? steer_distance_km(look->lat, look->lon, spot->lat, spot->lon) : INFINITY;
    if (out->row)
        return out->row->rtt_us;
    if (!look->known)
        return INFINITY;
    return look->node->kind == STEER_NODE_LATENCY ? steer_latency_estimate_us(out->km)
                                                  : biased(out->km, runner->child->bias);
}

static struct standing stand_of(const struct look *look, const struct field *field, uint32_t index)
{
    const struct runner *runner = &field->runners[index];
    struct standing best = {.runner = index, .cost = INFINITY, .name = runner->name};
    for (size_t i = 0; i < runner->spot_count; i++) {
        struct standing here = best;
        here.cost = cost_of(look, field, runner, &runner->spots[i], &here);
        here.spot = &runner->spots[i];
        if (here.cost < best.cost)
            best = here;
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

static json_t *trace_ranked(struct steer_resolver *v, const struct look *look,
                            const struct steer_stand *stand)
{
    char path[STEER_PATH_MAX], place[16], client[64] = "unknown";
    const struct steer_place *at = &v->client->location->place;
    if (!v->trace)
        return NULL;
    steer_place_format(at, place, sizeof place);
    if (look->known)
        snprintf(client, sizeof client, "%s%s%.2f,%.2f", at->continent[0] ? place : "",
                 at->continent[0] ? " at " : "", look->lat, look->lon);
    else if (at->continent[0])
        snprintf(client, sizeof client, "%s", place);
    json_t *entry =
        json_pack("{s:s,s:s,s:s,s:[]}", "node", steer_node_kind_text(look->node->kind), "at",
                  steer_object_path(stand->owner, path), "client", client, "candidates");
    json_array_append_new(v->trace, entry);
    return entry;
}

// "353 km", "5922 km, with bias 10 5330 km", "9.0 ms, measured from EU-DE", "10.0 ms, measured from EU-DE (table 3)",
// "88.9 ms, estimated for 6557 km".
static void measure_text(const struct look *look, const struct field *field,
                         const struct standing *s, char *out, size_t size)
{
    char row[64];
    const int bias = field->runners[s->runner].child->bias;
    if (!s->spot)
        snprintf(out, size, "distance not known");
    else if (s->row && s->row->frozen)
        snprintf(out, size, "%.1f ms, measured from %s (table %u)", s->cost / 1000,
                 steer_latency_client_format(s->row, row, sizeof row), s->row->frozen);
    else if (s->row)
        snprintf(out, size, "%.1f ms, measured from %s", s->cost / 1000,
                 steer_latency_client_format(s->row, row, sizeof row));
    else if (look->node->kind == STEER_NODE_LATENCY)
        snprintf(out, size, "%.1f ms, estimated for %.0f km", s->cost / 1000, s->km);
    else if (bias)
        snprintf(out, size, "%.0f km, with bias %d %.0f km", s->km, bias, s->cost);
    else
        snprintf(out, size, "%.0f km", s->km);
}

static void trace_standing(json_t *entry, const struct look *look, const struct field *field,
                           const struct standing *s)
{
    char label[STEER_PATH_MAX], measure[128];
    if (!entry)
        return;
    const struct steer_child *child = field->runners[s->runner].child;
    measure_text(look, field, s, measure, sizeof measure);
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
    struct look look = {.node = node};
    look.known = steer_location_point(v->client->location, &look.lat, &look.lon);
    if (field->table)
        look.sight = steer_latency_look(field->table, v->client->location, v->client->network);
    stand->depends = true;
    for (uint32_t i = 0; i < node->child_count; i++)
        order[i] = stand_of(&look, field, i);
    if (node->child_count)
        qsort(order, node->child_count, sizeof *order, by_cost);
    if (v->cut && v->cut < node->child_count)
        qsort(order + v->cut, node->child_count - v->cut, sizeof *order, by_name);
    json_t *entry = trace_ranked(v, &look, stand);
    struct steer_siblings list;
    steer_siblings_init(&list, node->child_count);
    for (uint32_t i = 0; i < node->child_count; i++) {
        trace_standing(entry, &look, field, &order[i]);
        list.items[list.count++] =
            steer_resolve_node(v, field->runners[order[i].runner].child->node, stand);
    }
    struct steer_residual *residual =
        steer_resolve_inner(v, node->kind == STEER_NODE_LATENCY ? STEER_R_LATENCY : STEER_R_NEAREST,
                            node, &list, stand);
    steer_siblings_fini(&list);
    free(order);
    return residual;
}
