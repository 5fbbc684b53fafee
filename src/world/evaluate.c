// SPDX-License-Identifier: GPL-3.0-or-later
// One cell: what the evaluator says of its residual, as a list of cumulative shares and answers, and the
// one store that makes it current.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cells_internal.h"
#include "steerd/base/mem.h"
#include "steerd/wire/message.h"

// ---- evaluators ----------------------------------------------------------------------------------

static struct evaluator *evaluator_of(struct steer_cells *c, uint16_t type, enum steer_draw draw)
{
    for (size_t i = 0; i < c->evaluator_count; i++)
        if (c->evaluators[i].type == type && c->evaluators[i].draw == draw)
            return &c->evaluators[i];
    c->evaluators =
        steer_grow(c->evaluators, &c->evaluator_cap, c->evaluator_count + 1, sizeof *c->evaluators);
    struct evaluator *made = &c->evaluators[c->evaluator_count++];
    *made = (struct evaluator){.type = type,
                               .draw = (uint8_t)draw,
                               .decider = steer_decider_create(type, draw == STEER_DRAW_STICKY)};
    if (draw == STEER_DRAW_COHERENT)
        steer_decider_keep_apart(made->decider);
    return made;
}

void cells_settle(struct steer_cells *c)
{
    for (size_t i = 0; i < c->evaluator_count; i++) {
        struct evaluator *e = &c->evaluators[i];
        if (e->fresh)
            continue;
        steer_decider_forget(e->decider);
        while (e->held_count)
            cells_answer_release(c, e->held[--e->held_count]);
        e->fresh = true;
    }
}

void cells_evaluators_fini(struct steer_cells *c)
{
    for (size_t i = 0; i < c->evaluator_count; i++) {
        steer_decider_destroy(c->evaluators[i].decider);
        free(c->evaluators[i].held);
    }
    for (size_t i = 0; i < COUPLED_TYPES; i++)
        free(c->portions[i].items);
    free(c->coupled.items);
    free(c->evaluators);
    free(c->entries);
}

static enum steer_err answer_of(struct steer_cells *c, struct evaluator *e,
                                const struct steer_outcome *outcome, uint32_t *line)
{
    enum steer_err err = STEER_OK;
    if (!*outcome->note) {
        err = cells_answer_acquire(c, outcome, e->type, line);
        if (err != STEER_OK)
            return err;
        e->held = steer_grow(e->held, &e->held_cap, e->held_count + 1, sizeof *e->held);
        e->held[e->held_count++] = *line;
        *outcome->note = *line;
    }
    *line = *outcome->note;
    return STEER_OK;
}

// ---- lists ---------------------------------------------------------------------------------------

void cells_list_drop(struct steer_cells *c, struct run run)
{
    if (run.line == 0) // the shared empty list
        return;
    struct steer_list *list = cells_list_at(c, run.line);
    for (uint32_t i = 0; i < list->count; i++)
        cells_answer_release(c, list->entries[i].answer);
    if (list->flags & STEER_LIST_SLOTS)
        cells_answer_release(c, steer_list_slots(list));
    cells_runs_add(&c->old_lists, run);
}

// The boundary of a cumulative share in 2^-32, rounded to nearest.
static uint64_t boundary(struct steer_share sum)
{
    if (sum.num < UINT64_C(1) << 31)
        return ((sum.num << 32) + sum.den / 2) / sum.den;
    __extension__ typedef unsigned __int128 wide;
    wide scaled = ((wide)sum.num << 32) + sum.den / 2;
    return (uint64_t)(scaled / sum.den);
}

// The outcomes of a distribution that have a part of the line [0, 2^32), one after the other.
struct walk {
    const struct steer_distribution *d;
    uint32_t next;
    struct steer_share sum;
    uint64_t upto;
};

static struct walk walk_along(const struct steer_distribution *d)
{
    return (struct walk){.d = d, .sum = {0, 1}};
}

static bool walk_on(struct walk *w, uint32_t *outcome, uint64_t *units)
{
    while (w->next < w->d->count) {
        const uint32_t i = w->next++;
        w->sum = steer_share_accumulate(w->sum, w->d->outcomes[i].share);
        const uint64_t upto = w->next == w->d->count ? UINT64_C(1) << 32 : boundary(w->sum);
        if (upto <= w->upto) // a share below 2^-32
            continue;
        *outcome = i;
        *units = upto - w->upto;
        w->upto = upto;
        return true;
    }
    return false;
}

static enum steer_err add_entry(struct steer_cells *c, struct evaluator *e,
                                const struct steer_outcome *outcome, uint64_t upto, uint32_t *count)
{
    uint32_t line;
    enum steer_err err = answer_of(c, e, outcome, &line);
    if (err == STEER_OK)
        c->entries[(*count)++] = (struct steer_list_entry){(uint32_t)(upto - 1), line};
    return err;
}

// The entries of a distribution, in c->entries; their answers are held by the evaluator.
static enum steer_err list_entries(struct steer_cells *c, struct evaluator *e,
                                   const struct steer_distribution *d, uint32_t *count)
{
    struct walk walk = walk_along(d);
    uint32_t outcome;
    uint64_t units;
    enum steer_err err = STEER_OK;
    *count = 0;
    c->entries = steer_grow(c->entries, &c->entries_cap, d->count, sizeof *c->entries);
    while (err == STEER_OK && walk_on(&walk, &outcome, &units))
        err = add_entry(c, e, &d->outcomes[outcome], walk.upto, count);
    return err;
}

// ---- coherent ones -------------------------------------------------------------------------------

enum { ENTRIES_MAX = 1 << 17 }; // a list that its lines can hold

static const uint16_t COUPLED[COUPLED_TYPES] = {STEER_TYPE_A, STEER_TYPE_AAAA, STEER_TYPE_HTTPS,
                                                STEER_TYPE_SVCB};

enum steer_draw cells_draw_of(const struct steer_residual *residual, uint16_t type,
                              enum steer_draw draw, uint8_t *companions)
{
    bool alike = true;
    bool coupled = false;
    *companions = 0;
    if (draw != STEER_DRAW_COHERENT)
        return draw;
    for (unsigned i = 0; i < COUPLED_TYPES; i++)
        coupled |= COUPLED[i] == type;
    if (coupled)
        *companions = (uint8_t)steer_residual_types(residual, COUPLED, COUPLED_TYPES, &alike);
    return alike ? STEER_DRAW_RANDOM : STEER_DRAW_COHERENT;
}

static void portions_of(const struct steer_distribution *d, struct portions *out)
{
    struct walk walk = walk_along(d);
    struct portion next;
    out->count = 0;
    out->items = steer_grow(out->items, &out->cap, d->count, sizeof *out->items);
    while (walk_on(&walk, &next.outcome, &next.units)) {
        next.origin = d->outcomes[next.outcome].origin;
        out->items[out->count++] = next;
    }
}

// What each companion gives now, the one with the most outcomes first: where the endpoints of one type are among those
// of another, the other comes first. Returns the cell's own place among them.
static uint32_t order_lines(struct steer_cells *c, const struct cell *cell,
                            const struct steer_view *view, const struct portions **lines,
                            const struct steer_distribution **own)
{
    uint32_t count = 0;
    uint32_t place = 0;
    for (unsigned i = 0; i < COUPLED_TYPES; i++) {
        if (!(cell->companions & 1U << i) && COUPLED[i] != cell->type)
            continue;
        struct evaluator *e = evaluator_of(c, COUPLED[i], STEER_DRAW_COHERENT);
        e->fresh = false;
        const struct steer_distribution *d = steer_decider_run(e->decider, cell->residual, view);
        if (COUPLED[i] == cell->type)
            *own = d;
        portions_of(d, &c->portions[i]);
        if (!d->count)
            continue;
        uint32_t at = count++;
        for (; at > 0 && lines[at - 1]->count < c->portions[i].count; at--)
            lines[at] = lines[at - 1];
        lines[at] = &c->portions[i];
    }
    for (uint32_t i = 0; i < count; i++)
        if (COUPLED[lines[i] - c->portions] == cell->type)
            place = i;
    return place;
}

// The entries in the order of the line that the types share.
static enum steer_err coupled_entries(struct steer_cells *c, const struct cell *cell,
                                      const struct steer_view *view,
                                      const struct steer_distribution **own, uint32_t *count)
{
    const struct portions *lines[COUPLED_TYPES];
    *own = NULL;
    const uint32_t place = order_lines(c, cell, view, lines, own);
    assert(*own); // coherent cells are of those types
    struct evaluator *e = evaluator_of(c, cell->type, STEER_DRAW_COHERENT);
    uint64_t upto = 0;
    enum steer_err err = STEER_OK;
    *count = 0;
    if (!(*own)->count)
        return STEER_OK;
    cells_couple(lines, place, &c->coupled);
    if (c->coupled.count > ENTRIES_MAX)
        return list_entries(c, e, *own, count);
    c->entries = steer_grow(c->entries, &c->entries_cap, c->coupled.count, sizeof *c->entries);
    for (size_t i = 0; i < c->coupled.count && err == STEER_OK; i++) {
        upto += c->coupled.items[i].units;
        err = add_entry(c, e, &(*own)->outcomes[c->coupled.items[i].outcome], upto, count);
    }
    return err;
}

// ---- writing them down ---------------------------------------------------------------------------

void cells_count_flags(struct steer_cells *c, uint32_t flags, int by)
{
    if (flags & STEER_LIST_SERVED_ALL)
        c->served_all = (uint64_t)((int64_t)c->served_all + by);
    if (flags & STEER_LIST_EXHAUSTED)
        c->exhausted = (uint64_t)((int64_t)c->exhausted + by);
}

// A list that is to be written: c->entries, flags, and the line of its slots if these say so.
struct draft {
    uint32_t count, flags, slots;
};

static bool same_list(const struct steer_cells *c, const struct steer_list *list,
                      const struct draft *d)
{
    return list->count == d->count && list->flags == d->flags &&
           (d->count == 0 ||
            memcmp(list->entries, c->entries, d->count * sizeof *c->entries) == 0) &&
           (!(d->flags & STEER_LIST_SLOTS) || steer_list_slots(list) == d->slots);
}

static enum steer_err list_write(struct steer_cells *c, const struct draft *d, struct run *run)
{
    const size_t entries_bytes = d->count * sizeof *c->entries;
    const size_t slots_bytes = d->flags & STEER_LIST_SLOTS ? sizeof d->slots : 0;
    *run = (struct run){0, 0};
    if (!d->count && !d->flags)
        return STEER_OK;
    enum steer_err err =
        cells_run_take(&c->list_pool, sizeof(struct steer_list) + entries_bytes + slots_bytes, run);
    if (err != STEER_OK)
        return err;
    struct steer_list *list = cells_list_at(c, run->line);
    list->count = d->count;
    list->flags = d->flags;
    if (d->count)
        memcpy(list->entries, c->entries, entries_bytes);
    if (slots_bytes)
        memcpy(list->entries + d->count, &d->slots, slots_bytes);
    return STEER_OK;
}

// Writes the draft, whose use of the slots goes to the list, and makes it the cell's.
static enum steer_err list_replace(struct steer_cells *c, uint32_t index, const struct draft *d)
{
    struct cell *cell = &c->cells[index];
    struct run run;
    enum steer_err err = list_write(c, d, &run);
    if (err != STEER_OK)
        return err;
    for (uint32_t i = 0; i < d->count; i++)
        cells_answer_use(c, c->entries[i].answer);
    _Atomic uint32_t *at = (_Atomic uint32_t *)steer_slab_at(&c->tables.cells, index);
    atomic_store_explicit(at, run.line, memory_order_release);
    cells_list_drop(c, cell->list);
    cells_count_flags(c, cell->flags, -1);
    cells_count_flags(c, d->flags, 1);
    cell->list = run;
    cell->flags = d->flags;
    return STEER_OK;
}

static enum steer_err own_entries(struct steer_cells *c, const struct cell *cell,
                                  const struct steer_view *view,
                                  const struct steer_distribution **own, uint32_t *count)
{
    struct evaluator *e = evaluator_of(c, cell->type, cell->draw);
    e->fresh = false;
    *own = steer_decider_run(e->decider, cell->residual, view);
    return list_entries(c, e, *own, count);
}

// The line of the slots, with one use counted. As a rule they are those that the cell has.
static enum steer_err slots_of(struct steer_cells *c, const struct cell *cell,
                               const uint16_t *slots, uint32_t *line)
{
    const struct steer_list *list = cells_list_at(c, cell->list.line);
    if (list->flags & STEER_LIST_SLOTS) {
        *line = steer_list_slots(list);
        const void *now = steer_slab_at(&c->tables.answer_lines, *line);
        if (memcmp(now, slots, STEER_SLOTS * sizeof *slots) == 0) {
            cells_answer_use(c, *line);
            return STEER_OK;
        }
    }
    return cells_slots_acquire(c, slots, line);
}

enum steer_err cells_evaluate(struct steer_cells *c, uint32_t index, const struct steer_view *view,
                              bool *changed)
{
    const struct cell *cell = &c->cells[index];
    const struct steer_distribution *d;
    struct draft draft = {0};
    enum steer_err err = cell->draw == STEER_DRAW_COHERENT
                             ? coupled_entries(c, cell, view, &d, &draft.count)
                             : own_entries(c, cell, view, &d, &draft.count);
    c->evaluations++;
    draft.flags = (d->served_all ? STEER_LIST_SERVED_ALL : 0u) |
                  (d->exhausted ? STEER_LIST_EXHAUSTED : 0u) |
                  (cell->draws ? STEER_LIST_STICKY : 0u) | (d->slots ? STEER_LIST_SLOTS : 0u);
    if (err == STEER_OK && d->slots)
        err = slots_of(c, cell, d->slots, &draft.slots);
    if (err != STEER_OK)
        return err;
    const bool same = same_list(c, cells_list_at(c, cell->list.line), &draft);
    if (!same)
        err = list_replace(c, index, &draft);
    if (d->slots && (same || err != STEER_OK))
        cells_answer_release(c, draft.slots);
    *changed = !same && err == STEER_OK;
    return err;
}
