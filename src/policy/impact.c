// SPDX-License-Identifier: GPL-3.0-or-later
// The account of one record: clients by what they get before and after. Start at steer_impact_of.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "impact_account.h"
#include "steerd/base/mem.h"

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

void impact_forget_moves(struct account *a)
{
    for (size_t i = 0; i < a->move_count; i++)
        free(a->moves[i].places);
    a->move_count = 0;
    steer_ptrmap_clear(&a->move_index);
}

static void account_fini(struct account *a)
{
    impact_forget_moves(a);
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

const struct mix *impact_mix_of(const struct account *a, const struct cell *cell, unsigned side,
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

void impact_add_flows(struct account *a, const struct cell *cell, uint32_t slot,
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
        const struct mix *mix = impact_mix_of(a, cell, side, type, 0);
        for (uint32_t family = 0; mix && family < FAMILIES; family++)
            if (cell->people[family])
                add_sum(a, group, type * FAMILIES + family, side, mix, cell->people[family]);
    }
}

static bool cell_differs(const struct account *a, const struct cell *cell, unsigned type)
{
    return !mix_equal(impact_mix_of(a, cell, 0, type, 0), impact_mix_of(a, cell, 1, type, 0));
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
                impact_add_flows(a, &cells->items[i], type * FAMILIES + family,
                                 impact_mix_of(a, &cells->items[i], 0, type, 0),
                                 impact_mix_of(a, &cells->items[i], 1, type, 0));
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
        const bool changed = differs(&a);
        json_t *warnings = impact_warnings_json(&a, after);
        json_t *shares = impact_shares_json(&a, all), *moves = impact_moves_json(&a, UINT32_MAX);
        *out = json_pack("{s:s,s:s,s:b,s:o,s:o,s:o,s:o,s:o}", "record", o->name, "document",
                         o->document, "changed", changed, "shares", shares, "by_country",
                         impact_alike_json(&a, all), "moves", moves, "failures",
                         impact_failures_json(&a), "warnings", warnings);
    }
    account_fini(&a);
    return err;
}
