// SPDX-License-Identifier: GPL-3.0-or-later
// The account of one record: clients by what they get before and after. Start at steer_impact_of.
#include <stdlib.h>
#include <string.h>

#include "impact_account.h"
#include "steerd/base/mem.h"

struct steer_impact *steer_impact_create(const struct steer_geo *geo, const struct steer_view *base)
{
    struct steer_impact *p = steer_calloc(1, sizeof *p);
    p->geo = geo;
    mixer_init(&p->mixer, base);
    impact_places_init(p);
    return p;
}

void steer_impact_destroy(struct steer_impact *p)
{
    if (!p)
        return;
    mixer_fini(&p->mixer);
    impact_places_fini(p);
    free(p);
}

// ---- cells ---------------------------------------------------------------------------------------

// Adds to the cell that is like `one`, or makes it.
static void add_cell(struct cells *cells, const struct cell *one)
{
    const uint64_t key =
        (uint64_t)one->class_index[0] << 48 | (uint64_t)one->class_index[1] << 32 | one->group;
    void **at = steer_ptrmap_at(&cells->index, (uintptr_t)key + 1);
    if (*at) {
        struct cell *cell = &cells->items[(uintptr_t)*at - 1];
        cell->people[0] += one->people[0];
        cell->people[1] += one->people[1];
        if (!cell->face->v4 && !cell->face->v6) // rather somebody who counts
            cell->face = one->face;
        return;
    }
    cells->items = steer_grow(cells->items, &cells->cap, cells->count + 1, sizeof *cells->items);
    cells->items[cells->count++] = *one;
    *at = (void *)(uintptr_t)cells->count;
}

static void set_class(const struct account *a, struct cell *cell, unsigned side,
                      const struct steer_people *people)
{
    const struct steer_classes *c = &a->classes[side];
    cell->class_index[side] = CLASS_NONE;
    if (!a->there[side])
        return;
    cell->class_index[side] = steer_classes_find(c, people->location, &people->sample);
    cell->root[side] = c->roots[cell->class_index[side]];
}

static int by_group(const void *x, const void *y)
{
    const struct cell *p = x, *q = y;
    if (p->group != q->group)
        return p->group < q->group ? -1 : 1;
    if (p->class_index[0] != q->class_index[0])
        return p->class_index[0] < q->class_index[0] ? -1 : 1;
    return (p->class_index[1] > q->class_index[1]) - (p->class_index[1] < q->class_index[1]);
}

static void sort_cells(struct cells *cells)
{
    if (cells->count)
        qsort(cells->items, cells->count, sizeof *cells->items, by_group);
}

static void fill_cells(struct account *a)
{
    const struct steer_impact *p = a->impact;
    for (size_t i = 0; i < a->people->count; i++) {
        const struct steer_people *people = &a->people->items[i];
        struct cell cell = {.group = a->leaf[p->group_of[people->location]],
                            .people = {people->v4, people->v6},
                            .face = people};
        set_class(a, &cell, 0, people);
        set_class(a, &cell, 1, people);
        add_cell(&a->leaves, &cell);
    }
    for (size_t i = 0; i < a->leaves.count; i++) {
        struct cell cell = a->leaves.items[i];
        for (;; cell.group = p->groups[cell.group].parent) {
            add_cell(&a->cells, &cell);
            if (cell.group == EVERYWHERE)
                break;
        }
    }
    sort_cells(&a->leaves);
    sort_cells(&a->cells);
    while (a->world_count < a->cells.count && a->cells.items[a->world_count].group == EVERYWHERE)
        a->world_count++;
}

size_t impact_group_end(const struct cells *cells, size_t first)
{
    size_t end = first;
    while (end < cells->count && cells->items[end].group == cells->items[first].group)
        end++;
    return end;
}

// ---- the record ----------------------------------------------------------------------------------

// Where a side tells networks apart, clients are counted by them. Who asked is not cut: each of them is in one already.
static void find_people(struct account *a)
{
    struct steer_impact *p = a->impact;
    const size_t before = a->classes[0].network_count, after = a->classes[1].network_count;
    a->people = &p->everybody;
    a->all = p->people;
    if (a->how->askers) {
        a->people = before || after ? a->how->askers : impact_merge_askers(p, a->how->askers);
        a->all = a->own_all = impact_count_groups(p, a->people);
    }
    if (a->how->askers || (!before && !after))
        return;
    struct steer_nested *networks = steer_calloc(before + after, sizeof *networks);
    for (size_t i = 0; i < before + after; i++)
        networks[i] = i < before ? a->classes[0].networks[i] : a->classes[1].networks[i - before];
    const size_t count = steer_nested_sort(networks, before + after);
    a->people = cut_population(&p->cut, &p->everybody, p->geo, NULL, networks, count);
    free(networks);
}

static int by_number(const void *x, const void *y)
{
    const uint32_t p = *(const uint32_t *)x, q = *(const uint32_t *)y;
    return p < q ? -1 : p > q;
}

// The endpoints and sites of the record as it will be, each once.
static void find_losses(struct account *a)
{
    size_t count = 0, cap = 0;
    for (uint32_t c = 0; a->there[1] && c < a->classes[1].class_count; c++) {
        const struct root *root = mixer_root(&a->impact->mixer, a->classes[1].roots[c]);
        a->losses = steer_grow(a->losses, &cap, count + root->loss_count, sizeof *a->losses);
        if (root->loss_count)
            memcpy(a->losses + count, root->losses, root->loss_count * sizeof *a->losses);
        count += root->loss_count;
    }
    if (count)
        qsort(a->losses, count, sizeof *a->losses, by_number);
    for (size_t i = 0; i < count; i++)
        if (!i || a->losses[i] != a->losses[i - 1])
            a->losses[a->loss_count++] = a->losses[i];
}

static void find_types(struct account *a, const struct steer_steered *steered)
{
    struct given given;
    given_init(&given);
    for (unsigned s = 0; s < 2; s++)
        for (uint32_t c = 0; c < a->classes[s].class_count; c++)
            given_add(&given, a->classes[s].roots[c]);
    given_types(&given, steered, &a->types);
    given_fini(&given);
}

static enum steer_err account_init(struct account *a, struct steer_impact *p,
                                   const struct steer_impact_side *const sides[2],
                                   struct steer_diag *diag)
{
    const struct steer_steered *steered = NULL;
    a->impact = p;
    a->places = true;
    a->leaf = impact_leaves(p, sides);
    steer_ptrmap_init(&a->sum_index);
    steer_ptrmap_init(&a->move_index);
    steer_ptrmap_init(&a->leaves.index);
    steer_ptrmap_init(&a->cells.index);
    mixer_trim(&p->mixer);
    for (unsigned s = 0; s < 2; s++) {
        if (!sides[s]->steered)
            continue;
        enum steer_err err = steer_classes_compile(p->mixer.residuals, sides[s]->catalog,
                                                   sides[s]->steered, p->geo, &a->classes[s], diag);
        if (err != STEER_OK)
            return err;
        a->there[s] = true;
        steered = &sides[s]->steered->steered;
        a->sticky[s] = steered->draw.mode == STEER_DRAW_STICKY;
    }
    find_types(a, steered);
    find_people(a);
    fill_cells(a);
    find_losses(a);
    return STEER_OK;
}

void impact_forget_moves(struct account *a)
{
    for (size_t i = 0; i < a->move_count; i++)
        free(a->moves[i].places);
    a->move_count = 0;
    steer_ptrmap_clear(&a->move_index);
}

static void cells_fini(struct cells *cells)
{
    steer_ptrmap_fini(&cells->index);
    free(cells->items);
}

static void account_fini(struct account *a)
{
    impact_forget_moves(a);
    for (unsigned s = 0; s < 2; s++)
        if (a->there[s])
            steer_classes_fini(a->impact->mixer.residuals, &a->classes[s]);
    steer_ptrmap_fini(&a->sum_index);
    steer_ptrmap_fini(&a->move_index);
    cells_fini(&a->leaves);
    cells_fini(&a->cells);
    if (a->leaf != a->impact->plain)
        free(a->leaf);
    free(a->own_all);
    free(a->losses);
    free(a->sums);
    free(a->moves);
}

const struct mix *impact_mix_of(const struct account *a, const struct cell *cell, unsigned side,
                                unsigned type, uint32_t down)
{
    const struct mix_question question = {a->types.types[type], a->sticky[side], down};
    return cell->root[side] ? mixer_mix(&a->impact->mixer, cell->root[side], &question) : NULL;
}

unsigned impact_fate_of(const struct account *a, const struct cell *cell, unsigned side,
                        unsigned type, uint32_t down)
{
    const struct mix_question question = {a->types.types[type], false, down};
    return cell->root[side] ? mixer_fate(&a->impact->mixer, cell->root[side], &question) : 0;
}

// ---- shares --------------------------------------------------------------------------------------

static void add_sum(struct account *a, uint32_t group, uint32_t slot, unsigned side,
                    const struct mix *mix, uint64_t people)
{
    for (uint32_t i = 0; i < mix->count; i++) {
        const uint32_t entity = mix->parts[i].entity;
        const uint64_t key = (uint64_t)group << 40 | (uint64_t)slot << 32 | (entity + 1);
        void **at = steer_ptrmap_at(&a->sum_index, (uintptr_t)key);
        if (!*at) {
            a->sums = steer_grow(a->sums, &a->sum_cap, a->sum_count + 1, sizeof *a->sums);
            a->sums[a->sum_count++] = (struct sum){group, slot, entity, {{0, 0}, {0, 0}}};
            *at = (void *)(uintptr_t)a->sum_count;
        }
        tally_add(&a->sums[(uintptr_t)*at - 1].part[side], people, mix->parts[i].given);
    }
}

static void flow(void *ctx, uint32_t from, uint32_t to, struct steer_share share)
{
    struct account *a = ctx;
    const uint64_t key = (uint64_t)a->slot << 56 | (uint64_t)(from + 1) << 28 | (to + 1);
    void **at = steer_ptrmap_at(&a->move_index, (uintptr_t)key);
    if (!*at) {
        a->moves = steer_grow(a->moves, &a->move_cap, a->move_count + 1, sizeof *a->moves);
        a->moves[a->move_count++] = (struct move){a->slot, from, to, {0, 0}, NULL, 0, 0};
        *at = (void *)(uintptr_t)a->move_count;
    }
    struct move *move = &a->moves[(uintptr_t)*at - 1];
    tally_add(&move->part, a->people_moving, share);
    if (!a->places || a->group == EVERYWHERE)
        return;
    // Cells come by group.
    struct place_sum *last = move->place_count ? &move->places[move->place_count - 1] : NULL;
    if (!last || last->group != a->group) {
        move->places =
            steer_grow(move->places, &move->place_cap, move->place_count + 1, sizeof *move->places);
        last = &move->places[move->place_count++];
        *last = (struct place_sum){a->group, {0, 0}};
    }
    tally_add(&last->part, a->people_moving, share);
}

void impact_add_flows(struct account *a, const struct cell *cell, uint32_t slot,
                      const struct mix *from, const struct mix *to)
{
    a->slot = slot;
    a->group = cell->group;
    a->people_moving = cell->people[slot % FAMILIES];
    if (a->people_moving)
        mix_flows(from, to, flow, a);
}

static void count_cell(struct account *a, const struct cell *cell, unsigned type)
{
    for (unsigned side = 0; side < 2; side++) {
        const struct mix *mix = impact_mix_of(a, cell, side, type, 0);
        for (uint32_t family = 0; mix && family < FAMILIES; family++)
            if (cell->people[family])
                add_sum(a, cell->group, type * FAMILIES + family, side, mix, cell->people[family]);
    }
}

static bool cell_differs(const struct account *a, const struct cell *cell, unsigned type)
{
    return !mix_equal(impact_mix_of(a, cell, 0, type, 0), impact_mix_of(a, cell, 1, type, 0));
}

// A country, or less, of one cell has the shares of that cell's clients: see impact_alike_json.
static bool counts(const struct account *a, size_t first, size_t end, unsigned type)
{
    const struct group *group = &a->impact->groups[a->cells.items[first].group];
    if (group->level == WORLD || a->how->brief)
        return group->level == WORLD;
    if (group->level == CONTINENT)
        return true;
    bool differs = a->how->all;
    for (size_t i = first; i < end; i++)
        differs |= cell_differs(a, &a->cells.items[i], type);
    return differs && end > first + 1 && !group->rest;
}

static void count_type(struct account *a, unsigned type)
{
    for (size_t first = 0, end; first < a->cells.count; first = end) {
        end = impact_group_end(&a->cells, first);
        for (size_t i = counts(a, first, end, type) ? first : end; i < end; i++)
            count_cell(a, &a->cells.items[i], type);
    }
    for (size_t i = 0; i < a->leaves.count; i++) {
        const struct cell *cell = &a->leaves.items[i];
        for (uint32_t family = 0; cell_differs(a, cell, type) && family < FAMILIES; family++)
            impact_add_flows(a, cell, type * FAMILIES + family, impact_mix_of(a, cell, 0, type, 0),
                             impact_mix_of(a, cell, 1, type, 0));
    }
}

// ---- all of it -----------------------------------------------------------------------------------

static bool differs(const struct account *a)
{
    for (size_t i = 0; i < a->sum_count; i++)
        if (tally_compare(&a->sums[i].part[0], &a->sums[i].part[1]) != 0)
            return true;
    return a->move_count > 0;
}

enum steer_err steer_impact_of(struct steer_impact *p, const struct steer_impact_side *before,
                               const struct steer_impact_side *after,
                               const struct steer_impact_how *how, json_t **out,
                               struct steer_diag *diag)
{
    struct account a = {.how = how};
    const struct steer_impact_side *const sides[2] = {before, after};
    enum steer_err err = account_init(&a, p, sides, diag);
    if (err == STEER_OK) {
        for (unsigned type = 0; type < a.types.count; type++)
            if (a.types.like[type] == type)
                count_type(&a, type);
        const struct steer_object *o = after->steered ? after->steered : before->steered;
        const bool changed = differs(&a);
        json_t *warnings = impact_warnings_json(&a, after);
        json_t *shares = impact_shares_json(&a), *moves = impact_moves_json(&a, UINT32_MAX);
        *out = json_pack("{s:s,s:s,s:b,s:o,s:o,s:o,s:o,s:o,s:o}", "record", o->name, "document",
                         o->document, "changed", changed, "types", impact_types_json(&a), "shares",
                         shares, "by_country", impact_alike_json(&a), "moves", moves, "failures",
                         impact_failures_json(&a), "warnings", warnings);
    }
    account_fini(&a);
    return err;
}
