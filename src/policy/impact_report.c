// SPDX-License-Identifier: GPL-3.0-or-later
// The report of a record's account: shares, moves, single failures, warnings.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "impact_account.h"
#include "steerd/base/mem.h"
#include "steerd/rr/type.h"
#include "steerd/wire/message.h"

// ---- as JSON -------------------------------------------------------------------------------------

static void put_part(json_t *out, const char *key, const char *percent_key, const struct tally *t,
                     uint64_t all)
{
    char exact[TALLY_TEXT_MAX];
    json_object_set_new(out, key, json_string(tally_format(t, all, exact)));
    json_object_set_new(out, percent_key, json_real(100 * tally_part(t, all)));
}

static void put_share(json_t *out, const char *key, const char *percent_key,
                      struct steer_share share)
{
    const struct tally one = {share.num, share.den};
    put_part(out, key, percent_key, &one, 1);
}

static const char *type_text(const struct account *a, unsigned type, char text[STEER_TYPE_TEXT_MAX])
{
    return steer_type_format(a->types.types[type], text);
}

static json_t *slot_json(const struct account *a, uint32_t slot)
{
    char type[STEER_TYPE_TEXT_MAX];
    return json_pack("{s:s,s:s}", "type", type_text(a, slot / FAMILIES, type), "clients",
                     slot % FAMILIES ? "ipv6" : "ipv4");
}

json_t *impact_types_json(const struct account *a)
{
    json_t *list = json_array();
    char text[STEER_TYPE_TEXT_MAX];
    for (unsigned i = 0; i < a->types.count; i++) {
        json_t *type = json_pack("{s:s}", "type", type_text(a, i, text));
        if (a->types.like[i] != i)
            json_object_set_new(type, "as", json_string(type_text(a, a->types.like[i], text)));
        json_array_append_new(list, type);
    }
    return list;
}

static const char *kind_text(const struct entity *entity)
{
    return entity->kind == STEER_KINDS ? "none" : steer_kind_text(entity->kind);
}

static void put_place(json_t *out, const struct group *group)
{
    json_object_set_new(out, "place", json_string(group->name));
    if (group->rest)
        json_object_set_new(out, "rest", json_true());
}

// The whole first, then continents, countries and subdivisions.
static int by_slot(const void *x, const void *y, void *ctx)
{
    const struct account *a = ctx;
    const struct sum *p = x, *q = y;
    const struct entity *e = &a->impact->mixer.entities[p->entity];
    const struct entity *f = &a->impact->mixer.entities[q->entity];
    const struct group *g = &a->impact->groups[p->group], *h = &a->impact->groups[q->group];
    int order = g->level < h->level ? -1 : g->level > h->level;
    if (!order)
        order = strcmp(g->name, h->name);
    if (!order)
        order = p->slot < q->slot ? -1 : p->slot > q->slot;
    if (!order)
        order = e->kind < f->kind ? -1 : e->kind > f->kind;
    return order ? order : strcmp(e->name, f->name);
}

static json_t *share_json(const struct account *a, const struct sum *sum)
{
    const struct entity *entity = &a->impact->mixer.entities[sum->entity];
    const uint64_t all = a->all[sum->group].of[sum->slot % FAMILIES];
    json_t *out = slot_json(a, sum->slot);
    if (sum->group != EVERYWHERE)
        put_place(out, &a->impact->groups[sum->group]);
    json_object_set_new(out, "kind", json_string(kind_text(entity)));
    json_object_set_new(out, "name", json_string(entity->name));
    if (a->there[0])
        put_part(out, "before", "before_percent", &sum->part[0], all);
    if (a->there[1])
        put_part(out, "after", "after_percent", &sum->part[1], all);
    return out;
}

json_t *impact_shares_json(struct account *a)
{
    json_t *list = json_array();
    if (a->sum_count)
        qsort_r(a->sums, a->sum_count, sizeof *a->sums, by_slot, a);
    for (size_t i = 0; i < a->sum_count; i++) {
        const struct sum *sum = &a->sums[i];
        if (a->how->all || !a->there[0] || !a->there[1] ||
            tally_compare(&sum->part[0], &sum->part[1]) != 0)
            json_array_append_new(list, share_json(a, sum));
    }
    return list;
}

// Within a slot all parts are of the same clients.
static int by_size(const void *x, const void *y)
{
    const struct move *p = x, *q = y;
    if (p->slot != q->slot)
        return p->slot < q->slot ? -1 : 1;
    const int order = tally_compare(&q->part, &p->part);
    return order                ? order
           : p->from != q->from ? (p->from < q->from ? -1 : 1)
           : p->to < q->to      ? -1
                                : 1;
}

static int by_place_size(const void *x, const void *y)
{
    const struct place_sum *p = x, *q = y;
    const int order = tally_compare(&q->part, &p->part);
    return order ? order : p->group < q->group ? -1 : p->group > q->group;
}

static json_t *places_json(const struct account *a, struct move *move)
{
    json_t *list = json_array();
    if (move->place_count)
        qsort(move->places, move->place_count, sizeof *move->places, by_place_size);
    for (size_t i = 0; i < move->place_count && i < (a->how->brief ? PLACES_BRIEF : PLACES_SHOWN);
         i++) {
        json_t *place = json_object();
        const struct group *group = &a->impact->groups[move->places[i].group];
        put_place(place, group);
        if (group->level == CONTINENT) // who is in no country that is known
            json_object_set_new(place, "rest", json_true());
        put_part(place, "share", "percent", &move->places[i].part,
                 a->all[EVERYWHERE].of[move->slot % FAMILIES]);
        json_array_append_new(list, place);
    }
    return list;
}

// slot: UINT32_MAX for all of them, which then say which they are.
json_t *impact_moves_json(struct account *a, uint32_t slot)
{
    json_t *list = json_array();
    const struct entity *entities = a->impact->mixer.entities;
    if (a->move_count)
        qsort(a->moves, a->move_count, sizeof *a->moves, by_size);
    for (size_t i = 0; i < a->move_count; i++) {
        struct move *move = &a->moves[i];
        if (slot != UINT32_MAX && move->slot != slot)
            continue;
        json_t *out = slot == UINT32_MAX ? slot_json(a, move->slot) : json_object();
        json_object_set_new(out, "from", json_string(entities[move->from].name));
        json_object_set_new(out, "to", json_string(entities[move->to].name));
        put_part(out, "share", "percent", &move->part,
                 a->all[EVERYWHERE].of[move->slot % FAMILIES]);
        if (a->places)
            json_object_set_new(out, "places", places_json(a, move));
        if (a->places)
            json_object_set_new(out, "place_count", json_integer((json_int_t)move->place_count));
        json_array_append_new(list, out);
    }
    steer_ptrmap_clear(&a->move_index); // the indices in it are those of before
    return list;
}

// ---- countries whose clients all get the same ----------------------------------------------------

static int by_classes(const void *x, const void *y)
{
    const struct cell *p = x, *q = y;
    if (p->class_index[0] != q->class_index[0])
        return p->class_index[0] < q->class_index[0] ? -1 : 1;
    if (p->class_index[1] != q->class_index[1])
        return p->class_index[1] < q->class_index[1] ? -1 : 1;
    return p->group < q->group ? -1 : p->group > q->group;
}

// Of a country that is in the list its subdivisions are not.
static struct cell *alone_cells(const struct account *a, size_t *count)
{
    const struct group *groups = a->impact->groups;
    struct cell *alone = steer_calloc(a->cells.count, sizeof *alone);
    bool *listed = steer_calloc(a->impact->group_count, sizeof *listed);
    *count = 0;
    for (int level = COUNTRY; level <= SUBDIVISION; level++) {
        for (size_t first = 0, end; first < a->cells.count; first = end) {
            const uint32_t group = a->cells.items[first].group;
            end = impact_group_end(&a->cells, first);
            if (end > first + 1 || (int)groups[group].level != level || groups[group].rest ||
                listed[groups[group].parent])
                continue;
            listed[group] = level == COUNTRY;
            alone[(*count)++] = a->cells.items[first];
        }
    }
    free(listed);
    if (*count)
        qsort(alone, *count, sizeof *alone, by_classes);
    return alone;
}

static struct steer_share given_of(const struct mix *mix, uint32_t entity)
{
    for (uint32_t i = 0; mix && i < mix->count; i++)
        if (mix->parts[i].entity == entity)
            return mix->parts[i].given;
    return NONE;
}

static bool same_classes(const struct cell *a, const struct cell *b)
{
    return a->class_index[0] == b->class_index[0] && a->class_index[1] == b->class_index[1];
}

static json_t *alike_shares(const struct account *a, const struct mix *before,
                            const struct mix *after)
{
    json_t *list = json_array();
    const struct mix *const mixes[] = {after, before};
    for (unsigned m = 0; m < 2; m++) {
        for (uint32_t i = 0; mixes[m] && i < mixes[m]->count; i++) {
            const uint32_t at = mixes[m]->parts[i].entity;
            const struct entity *entity = &a->impact->mixer.entities[at];
            if (m && given_of(after, at).num)
                continue;
            json_t *share = json_pack("{s:s,s:s}", "kind", kind_text(entity), "name", entity->name);
            if (before)
                put_share(share, "before", "before_percent", given_of(before, at));
            if (after)
                put_share(share, "after", "after_percent", given_of(after, at));
            json_array_append_new(list, share);
        }
    }
    return list;
}

static void put_alike(const struct account *a, const struct cell *cell, json_t *places,
                      json_t *list)
{
    char text[STEER_TYPE_TEXT_MAX];
    for (unsigned type = 0; type < a->types.count; type++) {
        if (a->types.like[type] != type)
            continue;
        const struct mix *before = impact_mix_of(a, cell, 0, type, 0);
        const struct mix *after = impact_mix_of(a, cell, 1, type, 0);
        if (a->how->all || !mix_equal(before, after))
            json_array_append_new(list, json_pack("{s:s,s:O,s:o}", "type", type_text(a, type, text),
                                                  "places", places, "shares",
                                                  alike_shares(a, before, after)));
    }
}

json_t *impact_alike_json(const struct account *a)
{
    json_t *list = json_array();
    size_t count;
    if (a->how->brief)
        return list;
    struct cell *alone = alone_cells(a, &count);
    for (size_t first = 0, end; first < count; first = end) {
        json_t *places = json_array();
        for (end = first; end < count && same_classes(&alone[first], &alone[end]); end++)
            json_array_append_new(places, json_string(a->impact->groups[alone[end].group].name));
        put_alike(a, &alone[first], places, list);
        json_decref(places);
    }
    free(alone);
    return list;
}

// ---- single failures -----------------------------------------------------------------------------

struct worst {
    struct tally served_all[2], nothing[2];
    const struct steer_people *face; // of those who come to that after the change
};

static void count_worst(struct account *a, const struct cell *cell, unsigned type, uint32_t down,
                        struct worst worst[FAMILIES])
{
    const struct steer_share whole = {1, 1};
    for (unsigned side = 0; side < 2; side++) {
        const unsigned up = impact_fate_of(a, cell, side, type, 0);
        const unsigned lost = impact_fate_of(a, cell, side, type, down);
        const bool served_all = lost & FATE_SERVED_ALL;
        if (!served_all && (!(lost & FATE_NOTHING) || up & FATE_NOTHING))
            continue;
        for (unsigned family = 0; family < FAMILIES; family++) {
            struct worst *w = &worst[family];
            tally_add(served_all ? &w->served_all[side] : &w->nothing[side], cell->people[family],
                      whole);
            if (side == 1 && !w->face && cell->people[family])
                w->face = cell->face;
        }
    }
}

static void put_worst(json_t *out, const char *key, const struct tally *t, uint64_t all)
{
    json_object_set_new(out, key, json_real(100 * tally_part(t, all)));
}

static json_t *failure_json(struct account *a, uint32_t down, uint32_t slot,
                            const struct worst *worst)
{
    char client[64];
    const struct entity *entity = &a->impact->mixer.entities[down];
    const uint64_t all = a->all[EVERYWHERE].of[slot % FAMILIES];
    json_t *out = slot_json(a, slot);
    json_object_set_new(out, "kind", json_string(kind_text(entity)));
    json_object_set_new(out, "name", json_string(entity->name));
    put_worst(out, "serve_all", &worst->served_all[1], all);
    put_worst(out, "nodata", &worst->nothing[1], all);
    if (a->there[0]) {
        put_worst(out, "serve_all_before", &worst->served_all[0], all);
        put_worst(out, "nodata_before", &worst->nothing[0], all);
    }
    if (worst->face)
        json_object_set_new(
            out, "client",
            json_string(steer_addr_format(&worst->face->sample, client, sizeof client)));
    if (!a->how->brief)
        json_object_set_new(out, "moves", impact_moves_json(a, slot));
    return out;
}

static bool any_moves(const struct account *a, uint32_t slot)
{
    for (size_t i = 0; i < a->move_count; i++)
        if (a->moves[i].slot == slot)
            return true;
    return false;
}

static void fail_type(struct account *a, uint32_t down, unsigned type, json_t *list)
{
    struct worst worst[FAMILIES] = {0};
    struct mixer *m = &a->impact->mixer;
    impact_forget_moves(a);
    for (size_t i = 0; i < a->world_count; i++) {
        const struct cell *cell = &a->cells.items[i];
        mixer_trim(m);
        if (!root_holds(mixer_root(m, cell->root[1]), down))
            continue;
        for (uint32_t family = 0; !a->how->brief && family < FAMILIES; family++)
            impact_add_flows(a, cell, type * FAMILIES + family, impact_mix_of(a, cell, 1, type, 0),
                             impact_mix_of(a, cell, 1, type, down));
        count_worst(a, cell, type, down, worst);
    }
    for (uint32_t family = 0; family < FAMILIES; family++)
        if (worst[family].face || any_moves(a, type * FAMILIES + family))
            json_array_append_new(list,
                                  failure_json(a, down, type * FAMILIES + family, &worst[family]));
}

json_t *impact_failures_json(struct account *a)
{
    json_t *list = json_array();
    a->places = false;
    for (size_t i = 0; i < a->loss_count; i++)
        for (unsigned type = 0; type < a->types.count; type++)
            if (a->types.like[type] == type)
                fail_type(a, a->losses[i], type, list);
    return list;
}

// ---- warnings ------------------------------------------------------------------------------------

// Of all answers of the type to clients of the family.
static const struct tally *part_after(const struct account *a, uint32_t slot, uint32_t entity)
{
    static const struct tally nothing = {0, 0};
    for (size_t i = 0; i < a->sum_count; i++)
        if (a->sums[i].group == EVERYWHERE && a->sums[i].slot == slot &&
            a->sums[i].entity == entity)
            return &a->sums[i].part[1];
    return &nothing;
}

// The first cell whose clients get another share of the endpoint's with the one type than with the other.
static const struct cell *odd_cell(const struct account *a, uint32_t entity, unsigned type,
                                   unsigned family)
{
    for (size_t i = 0; i < a->world_count; i++) {
        const struct cell *cell = &a->cells.items[i];
        const struct mix *x = impact_mix_of(a, cell, 1, 0, 0);
        const struct mix *y = impact_mix_of(a, cell, 1, type, 0);
        if (cell->people[family] &&
            steer_share_compare(given_of(x, entity), given_of(y, entity)) != 0)
            return cell;
    }
    return NULL;
}

static void warn_type(const struct account *a, uint32_t entity, unsigned type, json_t *list)
{
    const unsigned family = a->all[EVERYWHERE].of[0] ? 0 : 1;
    const uint64_t all = a->all[EVERYWHERE].of[family];
    const struct cell *odd = odd_cell(a, entity, type, family);
    const struct tally *x = part_after(a, family, entity);
    const struct tally *y = part_after(a, type * FAMILIES + family, entity);
    char first[STEER_TYPE_TEXT_MAX], other[STEER_TYPE_TEXT_MAX], client[64], where[120] = "";
    double p = 100 * tally_part(x, all), q = 100 * tally_part(y, all);
    if (!odd)
        return;
    if (tally_compare(x, y) == 0) {
        p = 100 * steer_share_value(given_of(impact_mix_of(a, odd, 1, 0, 0), entity));
        q = 100 * steer_share_value(given_of(impact_mix_of(a, odd, 1, type, 0), entity));
        snprintf(where, sizeof where, ", where clients like %s ask",
                 steer_addr_format(&odd->face->sample, client, sizeof client));
    }
    char text[400];
    snprintf(text, sizeof text, "endpoint %.64s has %.4g%% of the %s answers and %.4g%% of %s%s",
             a->impact->mixer.entities[entity].name, p, type_text(a, 0, first), q,
             type_text(a, type, other), where);
    json_array_append_new(list, json_string(text));
}

// A client asks for several types, and each is drawn by itself among those that have it: an endpoint without one of
// them gives its share of that to others.
static void warn_types(const struct account *a, json_t *list)
{
    if (!a->there[1] || a->types.types[0] != STEER_TYPE_A)
        return;
    for (size_t i = 0; i < a->loss_count; i++)
        for (unsigned type = 1; type < a->types.count; type++)
            if (a->types.like[type] == type &&
                a->impact->mixer.entities[a->losses[i]].kind == STEER_ENDPOINT)
                warn_type(a, a->losses[i], type, list);
}

static void warn_unchecked(const struct account *a, const struct steer_impact_side *after,
                           json_t *list)
{
    for (size_t i = 0; i < a->loss_count; i++) {
        const struct entity *entity = &a->impact->mixer.entities[a->losses[i]];
        const struct steer_object *endpoint =
            entity->kind == STEER_ENDPOINT
                ? steer_catalog_get(after->catalog, STEER_ENDPOINT, entity->name)
                : NULL;
        char text[160];
        snprintf(text, sizeof text, "endpoint %.64s has no check: nobody notices when it fails",
                 entity->name);
        if (endpoint && !endpoint->endpoint.check_count)
            json_array_append_new(list, json_string(text));
    }
}

json_t *impact_warnings_json(const struct account *a, const struct steer_impact_side *after)
{
    json_t *list = json_array();
    warn_types(a, list);
    warn_unchecked(a, after, list);
    return list;
}
