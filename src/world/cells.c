// SPDX-License-Identifier: GPL-3.0-or-later
// Which cells there are, who uses them, and bringing them up to date.
#include "steerd/world/cells.h"

#include <stdlib.h>
#include <string.h>

#include "cells_internal.h"
#include "steerd/base/hash.h"
#include "steerd/base/log.h"
#include "steerd/base/mem.h"

enum { MAX_CELLS = 1 << 26, MAX_LINES = 1 << 24, MAX_ENDPOINTS = 1 << 22 };

// ---- cells ---------------------------------------------------------------------------------------

static uint64_t cell_hash(const struct steer_residual *residual, uint16_t type, unsigned draw)
{
    return steer_mix64((uint64_t)(uintptr_t)residual ^ ((uint64_t)type << 48) ^ draw);
}

static uint64_t hash_of(const struct cell *cell)
{
    return cell_hash(cell->residual, cell->type, cell->draw);
}

static void cell_table_grow(struct steer_cells *c)
{
    size_t cap = c->cell_table_cap ? c->cell_table_cap * 2 : 256;
    uint32_t *table = steer_alloc(cap * sizeof *table);
    memset(table, 0xff, cap * sizeof *table);
    for (size_t b = 0; b < c->cell_table_cap; b++) {
        for (uint32_t i = c->cell_table[b], next; i != CELLS_NONE; i = next) {
            next = c->cells[i].next;
            uint64_t hash = hash_of(&c->cells[i]);
            c->cells[i].next = table[hash & (cap - 1)];
            table[hash & (cap - 1)] = i;
        }
    }
    free(c->cell_table);
    c->cell_table = table;
    c->cell_table_cap = cap;
}

static enum steer_err acquire(struct steer_cells *c, struct steer_residual *residual, uint16_t type,
                              enum steer_draw wanted, const struct steer_view *view, uint32_t *cell)
{
    uint8_t companions;
    const enum steer_draw draw = cells_draw_of(residual, type, wanted, &companions);
    if (c->cell_count >= c->cell_table_cap)
        cell_table_grow(c);
    uint32_t *bucket = &c->cell_table[cell_hash(residual, type, draw) & (c->cell_table_cap - 1)];
    for (uint32_t i = *bucket; i != CELLS_NONE; i = c->cells[i].next) {
        if (c->cells[i].residual == residual && c->cells[i].type == type &&
            c->cells[i].draw == draw) {
            c->cells[i].uses++;
            *cell = i;
            return STEER_OK;
        }
    }
    uint32_t index;
    enum steer_err err = steer_slab_take(&c->tables.cells, &index);
    if (err != STEER_OK)
        return err;
    c->cells = steer_grow(c->cells, &c->cells_cap, (size_t)index + 1, sizeof *c->cells);
    c->cells[index] = (struct cell){
        .residual = steer_residual_ref(residual),
        .uses = 1,
        .next = *bucket,
        .type = type,
        .draw = (uint8_t)draw,
        .companions = companions,
        .draws = draw == STEER_DRAW_STICKY && steer_residual_draws(residual, type),
    };
    *bucket = index;
    c->cell_count++;
    // Nobody reads the cell yet: its first value needs no order.
    *(uint32_t *)steer_slab_at(&c->tables.cells, index) = 0;
    cells_link(c, index);
    bool changed = false;
    err = cells_evaluate(c, index, view, &changed);
    if (err != STEER_OK) {
        steer_cells_release(c, index);
        return err;
    }
    *cell = index;
    return STEER_OK;
}

enum steer_err steer_cells_acquire(struct steer_cells *c, struct steer_residual *const *residuals,
                                   size_t count, uint16_t type, enum steer_draw draw,
                                   const struct steer_view *view, uint32_t *cells)
{
    enum steer_err err = STEER_OK;
    size_t taken = 0;
    while (taken < count && err == STEER_OK) {
        err = acquire(c, residuals[taken], type, draw, view, &cells[taken]);
        taken += err == STEER_OK;
    }
    cells_settle(c);
    while (err != STEER_OK && taken)
        steer_cells_release(c, cells[--taken]);
    return err;
}

void steer_cells_release(struct steer_cells *c, uint32_t index)
{
    struct cell *cell = &c->cells[index];
    if (--cell->uses)
        return;
    uint32_t *at = &c->cell_table[hash_of(cell) & (c->cell_table_cap - 1)];
    while (*at != index)
        at = &c->cells[*at].next;
    *at = cell->next;
    cells_unlink(c, index);
    cells_list_drop(c, cell->list);
    cells_count_flags(c, cell->flags, -1);
    steer_residual_unref(c->residuals, cell->residual);
    *cell = (struct cell){0};
    c->cell_count--;
    c->old_cells =
        steer_grow(c->old_cells, &c->old_cells_cap, c->old_cells_count + 1, sizeof *c->old_cells);
    c->old_cells[c->old_cells_count++] = index;
}

struct steer_residual *steer_cells_residual(const struct steer_cells *c, uint32_t cell)
{
    return c->cells[cell].residual;
}

// ---- bringing up to date -------------------------------------------------------------------------

static uint32_t refresh_cell(struct steer_cells *c, uint32_t index, const struct steer_view *view)
{
    bool changed = false;
    enum steer_err err = cells_evaluate(c, index, view, &changed);
    if (err != STEER_OK)
        steer_log(STEER_LOG_ERROR, "world", "a cell keeps its last answers: %s",
                  steer_err_text(err));
    return changed;
}

// Thousands of cells lie anywhere in memory: each is fetched in steps while those before it are worked on.
static void fetch_ahead(const struct steer_cells *c, const struct dependency *d, size_t at)
{
    enum { CELL = 12, ROOT = 8, CHILDREN = 4 };
    if (at + CELL < d->count)
        __builtin_prefetch(&c->cells[d->uses[at + CELL].cell]);
    if (at + ROOT < d->count) {
        const struct cell *cell = &c->cells[d->uses[at + ROOT].cell];
        __builtin_prefetch(cell->residual);
        __builtin_prefetch(&cell->residual->hash);
        __builtin_prefetch(cells_list_at(c, cell->list.line));
    }
    if (at + CHILDREN < d->count) {
        const struct steer_residual *root = c->cells[d->uses[at + CHILDREN].cell].residual;
        for (uint32_t i = 0; i < root->child_count && i < 2; i++) {
            __builtin_prefetch(root->children[i]);
            __builtin_prefetch(&root->children[i]->hash);
        }
    }
}

uint32_t steer_cells_refresh(struct steer_cells *c, enum steer_kind kind, const char *name,
                             const struct steer_view *view)
{
    return steer_cells_refresh_each(c, kind, &name, 1, view);
}

uint32_t steer_cells_refresh_each(struct steer_cells *c, enum steer_kind kind,
                                  const char *const *names, size_t count,
                                  const struct steer_view *view)
{
    uint32_t changed = 0;
    c->round++;
    for (size_t n = 0; n < count; n++) {
        const struct dependency *d = cells_dependency_find(c, kind, names[n]);
        for (size_t i = 0; d && i < d->count; i++) {
            struct cell *cell = &c->cells[d->uses[i].cell];
            fetch_ahead(c, d, i);
            if (cell->round == c->round)
                continue;
            cell->round = c->round;
            changed += refresh_cell(c, d->uses[i].cell, view);
        }
    }
    cells_settle(c);
    return changed;
}

uint32_t steer_cells_refresh_all(struct steer_cells *c, const struct steer_view *view)
{
    uint32_t changed = 0;
    for (uint32_t i = 0; i < c->tables.cells.next; i++)
        if (c->cells[i].residual)
            changed += refresh_cell(c, i, view);
    cells_settle(c);
    return changed;
}

// ---- the rest ------------------------------------------------------------------------------------

bool steer_cells_has_garbage(const struct steer_cells *c)
{
    return c->old_lists.count || c->old_answers.count || c->old_cells_count;
}

void steer_cells_reclaim(struct steer_cells *c)
{
    for (size_t i = 0; i < c->old_lists.count; i++)
        cells_run_give(&c->list_pool, c->old_lists.items[i]);
    for (size_t i = 0; i < c->old_answers.count; i++)
        cells_run_give(&c->answer_pool, c->old_answers.items[i]);
    for (size_t i = 0; i < c->old_cells_count; i++)
        steer_slab_give(&c->tables.cells, c->old_cells[i]);
    c->old_lists.count = 0;
    c->old_answers.count = 0;
    c->old_cells_count = 0;
}

void steer_cells_stats(const struct steer_cells *c, struct steer_cells_stats *stats)
{
    *stats = (struct steer_cells_stats){
        .cells = c->cell_count,
        .lists = c->tables.list_lines.next,
        .answers = c->answer_count,
        .bytes = c->tables.cells.committed_bytes + c->tables.list_lines.committed_bytes +
                 c->tables.answer_lines.committed_bytes + c->tables.expiries.committed_bytes,
        .evaluations = c->evaluations,
        .served_all = c->served_all,
        .exhausted = c->exhausted,
    };
}

uint32_t steer_cells_expiry(const struct steer_cells *c, const struct steer_object *endpoint)
{
    uint32_t number = c->number(c->number_ctx, endpoint);
    if (number >= c->tables.expiries.next)
        return 0;
    return atomic_load_explicit(steer_tables_expiry(&c->tables, number), memory_order_relaxed);
}

const struct steer_tables *steer_cells_tables(const struct steer_cells *c)
{
    return &c->tables;
}

enum steer_err steer_cells_create(steer_endpoint_number *number, void *ctx,
                                  struct steer_residuals *residuals, struct steer_cells **cells,
                                  struct steer_diag *diag)
{
    struct steer_cells *c = steer_calloc(1, sizeof *c);
    uint32_t zero;
    c->number = number;
    c->number_ctx = ctx;
    c->residuals = residuals;
    c->list_pool.slab = &c->tables.list_lines;
    c->answer_pool.slab = &c->tables.answer_lines;
    // Line 0 of each means "none": the empty list, and no answer.
    if (steer_slab_init(&c->tables.cells, sizeof(uint32_t), MAX_CELLS) != STEER_OK ||
        steer_slab_init(&c->tables.list_lines, STEER_LINE_BYTES, MAX_LINES) != STEER_OK ||
        steer_slab_init(&c->tables.answer_lines, STEER_LINE_BYTES, MAX_LINES) != STEER_OK ||
        steer_slab_init(&c->tables.expiries, sizeof(uint32_t), MAX_ENDPOINTS) != STEER_OK ||
        steer_slab_take(&c->tables.list_lines, &zero) != STEER_OK ||
        steer_slab_take(&c->tables.answer_lines, &zero) != STEER_OK) {
        steer_cells_destroy(c);
        return steer_diag_set(
            diag, STEER_EIO,
            "cannot reserve 2.3 GB of address space for the steering tables; is a "
            "limit on address space (ulimit -v) set?");
    }
    memset(cells_list_at(c, 0), 0, STEER_LINE_BYTES);
    *cells = c;
    return STEER_OK;
}

void steer_cells_destroy(struct steer_cells *c)
{
    if (!c)
        return;
    for (uint32_t i = 0; i < c->tables.cells.next; i++) {
        if (c->cells[i].residual) {
            c->cells[i].uses = 1;
            steer_cells_release(c, i);
        }
    }
    cells_evaluators_fini(c);
    cells_answers_fini(c);
    steer_slab_fini(&c->tables.cells);
    steer_slab_fini(&c->tables.list_lines);
    steer_slab_fini(&c->tables.answer_lines);
    steer_slab_fini(&c->tables.expiries);
    steer_map_fini(&c->endpoints);
    steer_map_fini(&c->pools);
    steer_map_fini(&c->switches);
    free(c->dependencies);
    free(c->free_dependencies);
    free(c->cells);
    free(c->cell_table);
    free(c->old_cells);
    free(c);
}
