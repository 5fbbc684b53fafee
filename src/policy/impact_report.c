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

static void put_share(json_t *out, const char *key, const char *percent_key,
                      struct steer_share share)
{
    char exact[64];
    snprintf(exact, sizeof exact, "%llu/%llu", (unsigned long long)share.num,
             (unsigned long long)share.den);
    json_object_set_new(out, key, json_string(exact));
    json_object_set_new(out, percent_key, json_real(100 * steer_share_value(share)));
}

static json_t *slot_json(const struct account *a, uint32_t slot)
{
    char type[STEER_TYPE_TEXT_MAX];
    return json_pack("{s:s,s:s}", "type", steer_type_format(a->types[slot / FAMILIES], type),
                     "clients", slot % FAMILIES ? "ipv6" : "ipv4");
}

static const char *kind_text(const struct entity *entity)
{
    return entity->kind == STEER_KINDS ? "none" : steer_kind_text(entity->kind);
}

static int by_slot(const void *x, const void *y, void *ctx)
{
    const struct account *a = ctx;
    const struct sum *p = x, *q = y;
    const struct entity *e = &a->impact->mixer.entities[p->entity];
    const struct entity *f = &a->impact->mixer.entities[q->entity];
    int order = strcmp(a->impact->groups[p->group].name, a->impact->groups[q->group].name);
    if (!order)
        order = p->slot < q->slot ? -1 : p->slot > q->slot;
    if (!order)
        order = e->kind < f->kind ? -1 : e->kind > f->kind;
    return order ? order : strcmp(e->name, f->name);
}

json_t *impact_shares_json(struct account *a, bool all)
{
    json_t *list = json_array();
    const struct steer_impact *p = a->impact;
    if (a->sum_count)
        qsort_r(a->sums, a->sum_count, sizeof *a->sums, by_slot, a);
    for (size_t i = 0; i < a->sum_count; i++) {
        const struct sum *sum = &a->sums[i];
        const struct entity *entity = &p->mixer.entities[sum->entity];
        if (a->brief && sum->group != EVERYWHERE)
            continue;
        if (!all && a->there[0] && a->there[1] &&
            steer_share_compare(sum->share[0], sum->share[1]) == 0)
            continue;
        json_t *out = slot_json(a, sum->slot);
        if (sum->group != EVERYWHERE)
            json_object_set_new(out, "place", json_string(p->groups[sum->group].name));
        json_object_set_new(out, "kind", json_string(kind_text(entity)));
        json_object_set_new(out, "name", json_string(entity->name));
        if (a->there[0])
            put_share(out, "before", "before_percent", sum->share[0]);
        if (a->there[1])
            put_share(out, "after", "after_percent", sum->share[1]);
        json_array_append_new(list, out);
    }
    return list;
}

static int by_size(const void *x, const void *y)
{
    const struct move *p = x, *q = y;
    if (p->slot != q->slot)
        return p->slot < q->slot ? -1 : 1;
    const int order = steer_share_compare(q->share, p->share);
    return order                ? order
           : p->from != q->from ? (p->from < q->from ? -1 : 1)
           : p->to < q->to      ? -1
                                : 1;
}

static int by_place_size(const void *x, const void *y)
{
    const struct place_sum *p = x, *q = y;
    const int order = steer_share_compare(q->share, p->share);
    return order ? order : p->group < q->group ? -1 : p->group > q->group;
}

static json_t *places_json(const struct account *a, struct move *move)
{
    json_t *list = json_array();
    if (move->place_count)
        qsort(move->places, move->place_count, sizeof *move->places, by_place_size);
    for (size_t i = 0; i < move->place_count && i < (a->brief ? PLACES_BRIEF : PLACES_SHOWN); i++) {
        json_t *place = json_pack("{s:s}", "place", a->impact->groups[move->places[i].group].name);
        put_share(place, "share", "percent", move->places[i].share);
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
        put_share(out, "share", "percent", move->share);
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

static json_t *countries_json(const struct account *a, const struct cell *like)
{
    json_t *list = json_array();
    const struct cells *cells = &a->countries;
    for (size_t i = 0; i < cells->count; i++) {
        const struct cell *cell = &cells->items[i];
        const bool alone = (i == 0 || cell[-1].country != cell->country) &&
                           (i + 1 == cells->count || cell[1].country != cell->country);
        if (alone && cell->country && cell->root[0] == like->root[0] &&
            cell->root[1] == like->root[1])
            json_array_append_new(list, json_string(a->impact->groups[cell->country].name));
    }
    return list;
}

static struct steer_share given_of(const struct mix *mix, uint32_t entity)
{
    for (uint32_t i = 0; mix && i < mix->count; i++)
        if (mix->parts[i].entity == entity)
            return mix->parts[i].given;
    return NONE;
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

json_t *impact_alike_json(const struct account *a, bool all)
{
    json_t *list = json_array();
    char text[STEER_TYPE_TEXT_MAX];
    for (size_t i = 0; i < a->world.count && !a->brief; i++) {
        const struct cell *cell = &a->world.items[i];
        json_t *places = countries_json(a, cell);
        for (unsigned type = 0; type < a->type_count && json_array_size(places); type++) {
            const struct mix *before = impact_mix_of(a, cell, 0, type, 0);
            const struct mix *after = impact_mix_of(a, cell, 1, type, 0);
            if (all || !mix_equal(before, after))
                json_array_append_new(list,
                                      json_pack("{s:s,s:O,s:o}", "type",
                                                steer_type_format(a->types[type], text), "places",
                                                places, "shares", alike_shares(a, before, after)));
        }
        json_decref(places);
    }
    return list;
}

// ---- single failures -----------------------------------------------------------------------------

struct worst {
    struct steer_share served_all[2], nothing[2];
    const struct steer_people *face; // of those who come to that after the change
};

static void count_worst(struct account *a, const struct cell *cell, unsigned type, unsigned family,
                        uint32_t down, struct worst *worst)
{
    const struct steer_share part =
        steer_share_of(cell->people[family], a->impact->groups[EVERYWHERE].people[family]);
    for (unsigned side = 0; side < 2; side++) {
        const struct mix *up = impact_mix_of(a, cell, side, type, 0);
        const struct mix *lost = impact_mix_of(a, cell, side, type, down);
        if (!lost || (!lost->served_all && !lost->nothing) || (lost->nothing && up->nothing))
            continue;
        struct steer_share *sum =
            lost->served_all ? &worst->served_all[side] : &worst->nothing[side];
        *sum = steer_share_add(*sum, part);
        if (side == 1 && !worst->face)
            worst->face = cell->face;
    }
}

static json_t *failure_json(struct account *a, uint32_t down, uint32_t slot,
                            const struct worst *worst)
{
    char client[64];
    const struct entity *entity = &a->impact->mixer.entities[down];
    json_t *out = slot_json(a, slot);
    json_object_set_new(out, "kind", json_string(kind_text(entity)));
    json_object_set_new(out, "name", json_string(entity->name));
    json_object_set_new(out, "serve_all", json_real(100 * steer_share_value(worst->served_all[1])));
    json_object_set_new(out, "nodata", json_real(100 * steer_share_value(worst->nothing[1])));
    if (a->there[0]) {
        json_object_set_new(out, "serve_all_before",
                            json_real(100 * steer_share_value(worst->served_all[0])));
        json_object_set_new(out, "nodata_before",
                            json_real(100 * steer_share_value(worst->nothing[0])));
    }
    if (worst->face)
        json_object_set_new(
            out, "client",
            json_string(steer_addr_format(&worst->face->sample, client, sizeof client)));
    if (!a->brief)
        json_object_set_new(out, "moves", impact_moves_json(a, slot));
    return out;
}

static void fail_one(struct account *a, uint32_t down, json_t *list)
{
    for (unsigned type = 0; type < a->type_count; type++) {
        for (unsigned family = 0; family < FAMILIES; family++) {
            const uint32_t slot = type * FAMILIES + family;
            struct worst worst = {{NONE, NONE}, {NONE, NONE}, NULL};
            impact_forget_moves(a);
            for (size_t i = 0; i < a->world.count; i++) {
                const struct cell *cell = &a->world.items[i];
                if (!cell->people[family] ||
                    !root_holds(mixer_root(&a->impact->mixer, cell->root[1]), down))
                    continue;
                if (!a->brief)
                    impact_add_flows(a, cell, slot, impact_mix_of(a, cell, 1, type, 0),
                                     impact_mix_of(a, cell, 1, type, down));
                count_worst(a, cell, type, family, down, &worst);
            }
            if ((a->move_count && !a->brief) || worst.face)
                json_array_append_new(list, failure_json(a, down, slot, &worst));
        }
    }
}

static int by_number(const void *x, const void *y)
{
    const uint32_t p = *(const uint32_t *)x, q = *(const uint32_t *)y;
    return p < q ? -1 : p > q;
}

// The endpoints and sites of the record as it will be, each once.
json_t *impact_failures_json(struct account *a)
{
    json_t *list = json_array();
    uint32_t *losses = NULL;
    size_t count = 0, cap = 0;
    for (uint32_t c = 0; a->there[1] && c < a->classes[1].class_count; c++) {
        const struct root *root = mixer_root(&a->impact->mixer, a->classes[1].roots[c]);
        for (uint32_t i = 0; i < root->loss_count; i++) {
            losses = steer_grow(losses, &cap, count + 1, sizeof *losses);
            losses[count++] = root->losses[i];
        }
    }
    if (count)
        qsort(losses, count, sizeof *losses, by_number);
    a->places = false;
    for (size_t i = 0; i < count; i++)
        if (!i || losses[i] != losses[i - 1])
            fail_one(a, losses[i], list);
    free(losses);
    return list;
}

// ---- warnings ------------------------------------------------------------------------------------

static struct steer_share share_after(const struct account *a, uint32_t slot, uint32_t entity)
{
    for (size_t i = 0; i < a->sum_count; i++)
        if (a->sums[i].group == EVERYWHERE && a->sums[i].slot == slot &&
            a->sums[i].entity == entity)
            return a->sums[i].share[1];
    return NONE;
}

// Clients of both families ask for both: an endpoint without one of the addresses gives its share of that to others.
static void warn_families(const struct account *a, json_t *list)
{
    const struct steer_share whole = {1, 1};
    if (!a->there[1] || a->type_count < 2 || a->types[0] != STEER_TYPE_A)
        return;
    if (steer_share_compare(share_after(a, 0, ENTITY_NOTHING), whole) == 0 ||
        steer_share_compare(share_after(a, FAMILIES, ENTITY_NOTHING), whole) == 0)
        return; // it is a record of one family
    for (size_t i = 0; i < a->sum_count; i++) {
        const struct sum *sum = &a->sums[i];
        const struct entity *entity = &a->impact->mixer.entities[sum->entity];
        if (sum->group != EVERYWHERE || sum->slot % FAMILIES || entity->kind != STEER_ENDPOINT)
            continue;
        const struct steer_share v4 = share_after(a, 0, sum->entity);
        const struct steer_share v6 = share_after(a, FAMILIES, sum->entity);
        if (steer_share_compare(v4, v6) == 0 || (sum->slot && v4.num)) // told already
            continue;
        char text[200];
        snprintf(text, sizeof text, "endpoint %.64s has %.4g%% of the A answers and %.4g%% of AAAA",
                 entity->name, 100 * steer_share_value(v4), 100 * steer_share_value(v6));
        json_array_append_new(list, json_string(text));
    }
}

static void warn_unchecked(const struct account *a, const struct steer_impact_side *after,
                           json_t *list)
{
    for (size_t i = 0; a->there[1] && i < a->sum_count; i++) {
        const struct sum *sum = &a->sums[i];
        const struct entity *entity = &a->impact->mixer.entities[sum->entity];
        if (sum->group != EVERYWHERE || sum->slot || entity->kind != STEER_ENDPOINT)
            continue;
        const struct steer_object *endpoint =
            steer_catalog_get(after->catalog, STEER_ENDPOINT, entity->name);
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
    warn_families(a, list);
    warn_unchecked(a, after, list);
    return list;
}
