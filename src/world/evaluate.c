// SPDX-License-Identifier: GPL-3.0-or-later
// One cell: what the evaluator says of its residual, as a list of cumulative shares and answers, and the
// one store that makes it current.
#include <stdlib.h>
#include <string.h>

#include "cells_internal.h"
#include "steerd/base/mem.h"

// ---- evaluators ----------------------------------------------------------------------------------

static struct evaluator *evaluator_of(struct steer_cells *c, uint16_t type, bool sticky)
{
    for (size_t i = 0; i < c->evaluator_count; i++)
        if (c->evaluators[i].type == type && c->evaluators[i].sticky == sticky)
            return &c->evaluators[i];
    c->evaluators =
        steer_grow(c->evaluators, &c->evaluator_cap, c->evaluator_count + 1, sizeof *c->evaluators);
    struct evaluator *made = &c->evaluators[c->evaluator_count++];
    *made = (struct evaluator){
        .type = type, .sticky = sticky, .decider = steer_decider_create(type, sticky)};
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

// The entries of a distribution, in c->entries; their answers are held by the evaluator.
static enum steer_err list_entries(struct steer_cells *c, struct evaluator *e,
                                   const struct steer_distribution *d, uint32_t *count)
{
    struct steer_share sum = {0, 1};
    uint64_t before = 0;
    *count = 0;
    c->entries = steer_grow(c->entries, &c->entries_cap, d->count, sizeof *c->entries);
    for (uint32_t i = 0; i < d->count; i++) {
        sum = steer_share_accumulate(sum, d->outcomes[i].share);
        uint64_t upto = i + 1 == d->count ? UINT64_C(1) << 32 : boundary(sum);
        if (upto <= before) // a share below 2^-32
            continue;
        uint32_t line;
        enum steer_err err = answer_of(c, e, &d->outcomes[i], &line);
        if (err != STEER_OK)
            return err;
        c->entries[(*count)++] = (struct steer_list_entry){(uint32_t)(upto - 1), line};
        before = upto;
    }
    return STEER_OK;
}

void cells_count_flags(struct steer_cells *c, uint32_t flags, int by)
{
    if (flags & STEER_LIST_SERVED_ALL)
        c->served_all = (uint64_t)((int64_t)c->served_all + by);
    if (flags & STEER_LIST_EXHAUSTED)
        c->exhausted = (uint64_t)((int64_t)c->exhausted + by);
}

static bool same_list(const struct steer_list *list, const struct steer_list_entry *entries,
                      uint32_t count, uint32_t flags, const uint16_t *slots)
{
    return list->count == count && list->flags == flags &&
           (count == 0 || memcmp(list->entries, entries, count * sizeof *entries) == 0) &&
           (!slots || memcmp(steer_list_slots(list), slots, STEER_SLOTS * sizeof *slots) == 0);
}

// Writes c->entries as a new list and makes it the cell's.
static enum steer_err list_replace(struct steer_cells *c, uint32_t index, uint32_t count,
                                   uint32_t flags, const uint16_t *slots)
{
    const size_t slots_bytes = slots ? STEER_SLOTS * sizeof *slots : 0;
    struct cell *cell = &c->cells[index];
    struct run run = {0, 0};
    if (count || flags) {
        enum steer_err err = cells_run_take(
            &c->list_pool, sizeof(struct steer_list) + count * sizeof *c->entries + slots_bytes,
            &run);
        if (err != STEER_OK)
            return err;
        struct steer_list *list = cells_list_at(c, run.line);
        list->count = count;
        list->flags = flags;
        if (count)
            memcpy(list->entries, c->entries, count * sizeof *c->entries);
        if (slots)
            memcpy(list->entries + count, slots, slots_bytes);
    }
    for (uint32_t i = 0; i < count; i++)
        cells_answer_use(c, c->entries[i].answer);
    _Atomic uint32_t *at = (_Atomic uint32_t *)steer_slab_at(&c->tables.cells, index);
    atomic_store_explicit(at, run.line, memory_order_release);
    cells_list_drop(c, cell->list);
    cells_count_flags(c, cell->flags, -1);
    cells_count_flags(c, flags, 1);
    cell->list = run;
    cell->flags = flags;
    return STEER_OK;
}

enum steer_err cells_evaluate(struct steer_cells *c, uint32_t index, const struct steer_view *view,
                              bool *changed)
{
    const struct cell *cell = &c->cells[index];
    struct evaluator *e = evaluator_of(c, cell->type, cell->sticky);
    e->fresh = false;
    const struct steer_distribution *d = steer_decider_run(e->decider, cell->residual, view);
    c->evaluations++;
    const uint32_t flags =
        (d->served_all ? STEER_LIST_SERVED_ALL : 0u) | (d->exhausted ? STEER_LIST_EXHAUSTED : 0u) |
        (cell->draws ? STEER_LIST_STICKY : 0u) | (d->slots ? STEER_LIST_SLOTS : 0u);
    uint32_t count;
    enum steer_err err = list_entries(c, e, d, &count);
    if (err != STEER_OK ||
        same_list(cells_list_at(c, cell->list.line), c->entries, count, flags, d->slots))
        return err;
    err = list_replace(c, index, count, flags, d->slots);
    *changed = err == STEER_OK;
    return err;
}
