// SPDX-License-Identifier: GPL-3.0-or-later
// The account of one record: clients by what they get before and after. Start at steer_impact_of.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "impact_internal.h"
#include "steerd/base/mem.h"
#include "steerd/rr/type.h"
#include "steerd/wire/message.h"

enum { FAMILIES = 2, EVERYWHERE = 0, PLACES_SHOWN = 10, PLACES_BRIEF = 4 };
static const struct steer_share NONE = {0, 1};

// Where clients are: everywhere, a continent, or a country.
struct group {
    char name[8];
    uint64_t people[FAMILIES];
};

// Clients, and where they are.
struct crowd {
    struct steer_population people;
    uint32_t *country, *continent; // of each of people; EVERYWHERE: not known
    uint32_t *order;               // people by country
};

struct steer_impact {
    const struct steer_geo *geo;
    struct mixer mixer;
    struct group *groups; // the first is everywhere
    size_t group_count, group_cap;
    struct steer_map group_index;
    struct crowd everybody;
};

// ---- places --------------------------------------------------------------------------------------

static uint32_t group_of(struct steer_impact *p, const char *name)
{
    uint32_t at;
    if (steer_map_get(&p->group_index, name, &at))
        return at;
    at = (uint32_t)p->group_count++;
    p->groups = steer_grow(p->groups, &p->group_cap, p->group_count, sizeof *p->groups);
    p->groups[at] = (struct group){.name = ""};
    snprintf(p->groups[at].name, sizeof p->groups[at].name, "%s", name);
    steer_map_put(&p->group_index, name, at);
    return at;
}

static void add_people(struct group *group, const struct steer_people *people)
{
    group->people[0] += people->v4;
    group->people[1] += people->v6;
}

static int by_country(const void *a, const void *b, void *ctx)
{
    const uint32_t *country = ctx;
    const uint32_t x = country[*(const uint32_t *)a];
    const uint32_t y = country[*(const uint32_t *)b];
    return x < y ? -1 : x > y;
}

// add: they are the ones that groups are counted from.
static void crowd_place(struct crowd *c, struct steer_impact *p, bool add)
{
    const size_t count = c->people.count;
    c->country = steer_calloc(count, sizeof *c->country);
    c->continent = steer_calloc(count, sizeof *c->continent);
    c->order = steer_calloc(count, sizeof *c->order);
    (void)group_of(p, "");
    for (size_t i = 0; i < count; i++) {
        const struct steer_people *people = &c->people.items[i];
        struct steer_place place = steer_geo_location(p->geo, people->location)->place;
        char name[16];
        c->order[i] = (uint32_t)i;
        if (place.continent[0])
            c->continent[i] = group_of(p, place.continent);
        place.subdivision[0] = '\0';
        if (place.country[0])
            c->country[i] = group_of(p, steer_place_format(&place, name, sizeof name));
        if (!add)
            continue;
        add_people(&p->groups[EVERYWHERE], people);
        if (c->continent[i])
            add_people(&p->groups[c->continent[i]], people);
        if (c->country[i])
            add_people(&p->groups[c->country[i]], people);
    }
    qsort_r(c->order, count, sizeof *c->order, by_country, c->country);
}

static void crowd_fini(struct crowd *c)
{
    steer_population_fini(&c->people);
    free(c->country);
    free(c->continent);
    free(c->order);
}

struct steer_impact *steer_impact_create(const struct steer_geo *geo, const struct steer_view *base)
{
    struct steer_impact *p = steer_calloc(1, sizeof *p);
    p->geo = geo;
    mixer_init(&p->mixer, base);
    steer_population_init(&p->everybody.people, geo, NULL, 0, NULL, 0);
    crowd_place(&p->everybody, p, true);
    return p;
}

void steer_impact_destroy(struct steer_impact *p)
{
    if (!p)
        return;
    mixer_fini(&p->mixer);
    crowd_fini(&p->everybody);
    steer_map_fini(&p->group_index);
    free(p->groups);
    free(p);
}

// ---- the record ----------------------------------------------------------------------------------

// Clients of one country who get the same before, and the same after.
struct cell {
    uint32_t country, continent;
    struct steer_residual *root[2]; // before, after; NULL: the record is not there
    uint64_t people[FAMILIES];
    const struct steer_people *face;
};

struct cells {
    struct cell *items;
    size_t count, cap;
};

struct sum {
    uint32_t group, slot, entity;
    struct steer_share share[2];
};

struct place_sum {
    uint32_t group;
    struct steer_share share;
};

struct move {
    uint32_t slot, from, to;
    struct steer_share share;
    struct place_sum *places;
    size_t place_count, place_cap;
};

struct account {
    struct steer_impact *impact;
    struct steer_classes classes[2];
    struct crowd cut; // by the networks of both sides
    bool there[2];
    struct cells countries;  // in order of country
    struct cells continents; // the same by continent: countries are EVERYWHERE
    struct cells world;      // and all together
    uint16_t types[STEER_TYPES_MAX];
    unsigned type_count;
    struct sum *sums;
    size_t sum_count, sum_cap;
    struct steer_ptrmap sum_index;
    struct move *moves;
    size_t move_count, move_cap;
    struct steer_ptrmap move_index;
    bool places; // moves are kept by place
    bool brief;
    // Of the flow under way.
    uint32_t slot, country;
    struct steer_share part;
};

static struct steer_residual *root_of(const struct account *a, unsigned side,
                                      const struct steer_people *people)
{
    const struct steer_classes *c = &a->classes[side];
    return a->there[side] ? c->roots[steer_classes_find(c, people->location, &people->sample)]
                          : NULL;
}

// Adds to the cell that is like `one`, from `first` on, or makes one.
static void add_cell(struct cells *cells, size_t first, const struct cell *one)
{
    size_t i = first;
    while (i < cells->count &&
           (cells->items[i].root[0] != one->root[0] || cells->items[i].root[1] != one->root[1] ||
            cells->items[i].continent != one->continent))
        i++;
    if (i < cells->count) {
        cells->items[i].people[0] += one->people[0];
        cells->items[i].people[1] += one->people[1];
        return;
    }
    cells->items = steer_grow(cells->items, &cells->cap, i + 1, sizeof *cells->items);
    cells->items[cells->count++] = *one;
}

static void fill_cells(struct account *a)
{
    const struct crowd *crowd = a->cut.order ? &a->cut : &a->impact->everybody;
    size_t first = 0;
    for (size_t i = 0; i < crowd->people.count; i++) {
        const uint32_t at = crowd->order[i];
        const struct steer_people *people = &crowd->people.items[at];
        struct cell cell = {crowd->country[at],
                            crowd->continent[at],
                            {root_of(a, 0, people), root_of(a, 1, people)},
                            {people->v4, people->v6},
                            people};
        if (first < a->countries.count && a->countries.items[first].country != cell.country)
            first = a->countries.count;
        add_cell(&a->countries, first, &cell);
    }
    for (size_t i = 0; i < a->countries.count; i++) {
        struct cell cell = a->countries.items[i];
        cell.country = EVERYWHERE;
        add_cell(&a->continents, 0, &cell);
        cell.continent = EVERYWHERE;
        add_cell(&a->world, 0, &cell);
    }
}

// Where a side tells networks apart, clients are counted by them.
static void cut_crowd(struct account *a)
{
    const size_t before = a->classes[0].network_count, after = a->classes[1].network_count;
    if (!before && !after)
        return;
    struct steer_nested *networks = steer_calloc(before + after, sizeof *networks);
    for (size_t i = 0; i < before + after; i++)
        networks[i] = i < before ? a->classes[0].networks[i] : a->classes[1].networks[i - before];
    const size_t count = steer_nested_sort(networks, before + after);
    steer_population_init_cut(&a->cut.people, a->impact->geo, NULL, 0, NULL, 0, networks, count);
    crowd_place(&a->cut, a->impact, false);
    free(networks);
}

static enum steer_err account_init(struct account *a, struct steer_impact *p,
                                   const struct steer_impact_side *const sides[2],
                                   struct steer_diag *diag)
{
    *a = (struct account){.impact = p, .places = true};
    steer_ptrmap_init(&a->sum_index);
    steer_ptrmap_init(&a->move_index);
    for (unsigned s = 0; s < 2; s++) {
        if (!sides[s]->steered)
            continue;
        enum steer_err err = steer_classes_compile(p->mixer.residuals, sides[s]->catalog,
                                                   sides[s]->steered, p->geo, &a->classes[s], diag);
        if (err != STEER_OK)
            return err;
        a->there[s] = true;
        a->type_count = steer_steered_types(&sides[s]->steered->steered, a->types);
    }
    cut_crowd(a);
    fill_cells(a);
    return STEER_OK;
}

static void forget_moves(struct account *a)
{
    for (size_t i = 0; i < a->move_count; i++)
        free(a->moves[i].places);
    a->move_count = 0;
    steer_ptrmap_clear(&a->move_index);
}

static void account_fini(struct account *a)
{
    forget_moves(a);
    for (unsigned s = 0; s < 2; s++)
        if (a->there[s])
            steer_classes_fini(a->impact->mixer.residuals, &a->classes[s]);
    steer_ptrmap_fini(&a->sum_index);
    steer_ptrmap_fini(&a->move_index);
    crowd_fini(&a->cut);
    free(a->countries.items);
    free(a->continents.items);
    free(a->world.items);
    free(a->sums);
    free(a->moves);
}

static const struct mix *mix_of(const struct account *a, const struct cell *cell, unsigned side,
                                unsigned type, uint32_t down)
{
    return cell->root[side] ? mixer_mix(&a->impact->mixer, cell->root[side], a->types[type], down)
                            : NULL;
}

// ---- shares --------------------------------------------------------------------------------------

static void add_sum(struct account *a, uint32_t group, uint32_t slot, unsigned side,
                    const struct mix *mix, uint64_t people)
{
    const uint64_t all = a->impact->groups[group].people[slot % FAMILIES];
    const struct steer_share part = steer_share_of(people, all);
    for (uint32_t i = 0; i < mix->count; i++) {
        const uint32_t entity = mix->parts[i].entity;
        const uint64_t key = (uint64_t)group << 40 | (uint64_t)slot << 32 | (entity + 1);
        void **at = steer_ptrmap_at(&a->sum_index, (uintptr_t)key);
        if (!*at) {
            a->sums = steer_grow(a->sums, &a->sum_cap, a->sum_count + 1, sizeof *a->sums);
            a->sums[a->sum_count++] = (struct sum){group, slot, entity, {NONE, NONE}};
            *at = (void *)(uintptr_t)a->sum_count;
        }
        struct sum *sum = &a->sums[(uintptr_t)*at - 1];
        sum->share[side] =
            steer_share_add(sum->share[side], steer_share_multiply(part, mix->parts[i].given));
    }
}

static void flow(void *ctx, uint32_t from, uint32_t to, struct steer_share share)
{
    struct account *a = ctx;
    const uint64_t key = (uint64_t)a->slot << 56 | (uint64_t)(from + 1) << 28 | (to + 1);
    void **at = steer_ptrmap_at(&a->move_index, (uintptr_t)key);
    if (!*at) {
        a->moves = steer_grow(a->moves, &a->move_cap, a->move_count + 1, sizeof *a->moves);
        a->moves[a->move_count++] = (struct move){a->slot, from, to, NONE, NULL, 0, 0};
        *at = (void *)(uintptr_t)a->move_count;
    }
    struct move *move = &a->moves[(uintptr_t)*at - 1];
    share = steer_share_multiply(share, a->part);
    move->share = steer_share_add(move->share, share);
    if (!a->places || a->country == EVERYWHERE)
        return;
    // Cells come by country.
    struct place_sum *last = move->place_count ? &move->places[move->place_count - 1] : NULL;
    if (!last || last->group != a->country) {
        move->places =
            steer_grow(move->places, &move->place_cap, move->place_count + 1, sizeof *move->places);
        last = &move->places[move->place_count++];
        *last = (struct place_sum){a->country, NONE};
    }
    last->share = steer_share_add(last->share, share);
}

static void add_flows(struct account *a, const struct cell *cell, uint32_t slot,
                      const struct mix *from, const struct mix *to)
{
    const unsigned family = slot % FAMILIES;
    if (!cell->people[family])
        return;
    a->slot = slot;
    a->country = cell->country;
    a->part = steer_share_of(cell->people[family], a->impact->groups[EVERYWHERE].people[family]);
    mix_flows(from, to, flow, a);
}

static void count_cell(struct account *a, const struct cell *cell, uint32_t group, unsigned type)
{
    for (unsigned side = 0; side < 2; side++) {
        const struct mix *mix = mix_of(a, cell, side, type, 0);
        for (uint32_t family = 0; mix && family < FAMILIES; family++)
            if (cell->people[family])
                add_sum(a, group, type * FAMILIES + family, side, mix, cell->people[family]);
    }
}

static bool cell_differs(const struct account *a, const struct cell *cell, unsigned type)
{
    return !mix_equal(mix_of(a, cell, 0, type, 0), mix_of(a, cell, 1, type, 0));
}

// Cells of one country are neighbours. A country of one cell has the shares of that cell's clients: see alike_json.
static void count_countries(struct account *a, unsigned type, bool all)
{
    const struct cells *cells = &a->countries;
    for (size_t first = 0, end; first < cells->count; first = end) {
        bool differs = all;
        for (end = first;
             end < cells->count && cells->items[end].country == cells->items[first].country; end++)
            differs |= cell_differs(a, &cells->items[end], type);
        for (size_t i = first; i < end && differs && end > first + 1 && cells->items[i].country;
             i++)
            count_cell(a, &cells->items[i], cells->items[i].country, type);
    }
    for (size_t i = 0; i < cells->count; i++)
        for (uint32_t family = 0; family < FAMILIES; family++)
            if (cell_differs(a, &cells->items[i], type))
                add_flows(a, &cells->items[i], type * FAMILIES + family,
                          mix_of(a, &cells->items[i], 0, type, 0),
                          mix_of(a, &cells->items[i], 1, type, 0));
}

static void count_type(struct account *a, unsigned type, bool all)
{
    for (size_t i = 0; i < a->world.count; i++)
        count_cell(a, &a->world.items[i], EVERYWHERE, type);
    for (size_t i = 0; i < a->continents.count; i++)
        if (a->continents.items[i].continent)
            count_cell(a, &a->continents.items[i], a->continents.items[i].continent, type);
    count_countries(a, type, all);
}

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

static json_t *shares_json(struct account *a, bool all)
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
static json_t *moves_json(struct account *a, uint32_t slot)
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

static json_t *alike_json(const struct account *a, bool all)
{
    json_t *list = json_array();
    char text[STEER_TYPE_TEXT_MAX];
    for (size_t i = 0; i < a->world.count && !a->brief; i++) {
        const struct cell *cell = &a->world.items[i];
        json_t *places = countries_json(a, cell);
        for (unsigned type = 0; type < a->type_count && json_array_size(places); type++) {
            const struct mix *before = mix_of(a, cell, 0, type, 0);
            const struct mix *after = mix_of(a, cell, 1, type, 0);
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
        const struct mix *up = mix_of(a, cell, side, type, 0);
        const struct mix *lost = mix_of(a, cell, side, type, down);
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
        json_object_set_new(out, "moves", moves_json(a, slot));
    return out;
}

static void fail_one(struct account *a, uint32_t down, json_t *list)
{
    for (unsigned type = 0; type < a->type_count; type++) {
        for (unsigned family = 0; family < FAMILIES; family++) {
            const uint32_t slot = type * FAMILIES + family;
            struct worst worst = {{NONE, NONE}, {NONE, NONE}, NULL};
            forget_moves(a);
            for (size_t i = 0; i < a->world.count; i++) {
                const struct cell *cell = &a->world.items[i];
                if (!cell->people[family] ||
                    !root_holds(mixer_root(&a->impact->mixer, cell->root[1]), down))
                    continue;
                if (!a->brief)
                    add_flows(a, cell, slot, mix_of(a, cell, 1, type, 0),
                              mix_of(a, cell, 1, type, down));
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
static json_t *failures_json(struct account *a)
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

// ---- all of it -----------------------------------------------------------------------------------

static bool differs(const struct account *a)
{
    for (size_t i = 0; i < a->sum_count; i++)
        if (steer_share_compare(a->sums[i].share[0], a->sums[i].share[1]) != 0)
            return true;
    return a->move_count > 0;
}

enum steer_err steer_impact_of(struct steer_impact *p, const struct steer_impact_side *before,
                               const struct steer_impact_side *after, bool all, bool brief,
                               json_t **out, struct steer_diag *diag)
{
    struct account a;
    const struct steer_impact_side *const sides[2] = {before, after};
    enum steer_err err = account_init(&a, p, sides, diag);
    a.brief = brief;
    if (err == STEER_OK) {
        for (unsigned type = 0; type < a.type_count; type++)
            count_type(&a, type, all);
        const struct steer_object *o = after->steered ? after->steered : before->steered;
        json_t *warnings = json_array();
        const bool changed = differs(&a);
        warn_families(&a, warnings);
        warn_unchecked(&a, after, warnings);
        json_t *shares = shares_json(&a, all), *moves = moves_json(&a, UINT32_MAX);
        *out = json_pack("{s:s,s:s,s:b,s:o,s:o,s:o,s:o,s:o}", "record", o->name, "document",
                         o->document, "changed", changed, "shares", shares, "by_country",
                         alike_json(&a, all), "moves", moves, "failures", failures_json(&a),
                         "warnings", warnings);
    }
    account_fini(&a);
    return err;
}
