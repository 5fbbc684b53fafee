// SPDX-License-Identifier: GPL-3.0-or-later
// Pre-rendered answers and slots of sticky lists, one for equal bytes, and the runs of lines that they and the lists
// lie in.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cells_internal.h"
#include "steerd/base/mem.h"

// ---- runs of lines -------------------------------------------------------------------------------

static uint8_t order_of(size_t bytes)
{
    uint8_t order = 0;
    while (((size_t)STEER_LINE_BYTES << order) < bytes)
        order++;
    return order;
}

enum steer_err cells_run_take(struct run_pool *pool, size_t bytes, struct run *run)
{
    uint8_t order = order_of(bytes);
    if (order >= CELLS_ORDERS)
        return STEER_ELIMIT;
    run->order = order;
    if (pool->free[order].count) {
        run->line = pool->free[order].lines[--pool->free[order].count];
        return STEER_OK;
    }
    return steer_slab_take_run(pool->slab, UINT32_C(1) << order, &run->line);
}

void cells_run_give(struct run_pool *pool, struct run run)
{
    pool->free[run.order].lines =
        steer_grow(pool->free[run.order].lines, &pool->free[run.order].cap,
                   pool->free[run.order].count + 1, sizeof(uint32_t));
    pool->free[run.order].lines[pool->free[run.order].count++] = run.line;
}

void cells_runs_add(struct runs *runs, struct run run)
{
    runs->items = steer_grow(runs->items, &runs->cap, runs->count + 1, sizeof *runs->items);
    runs->items[runs->count++] = run;
}

// ---- answers -------------------------------------------------------------------------------------

static void *answer_at(struct steer_cells *c, uint32_t line)
{
    return steer_slab_at(&c->tables.answer_lines, line);
}

static void answer_table_grow(struct steer_cells *c)
{
    size_t cap = c->answer_table_cap ? c->answer_table_cap * 2 : 256;
    uint32_t *table = steer_alloc(cap * sizeof *table);
    memset(table, 0xff, cap * sizeof *table);
    for (size_t b = 0; b < c->answer_table_cap; b++) {
        for (uint32_t i = c->answer_table[b], next; i != CELLS_NONE; i = next) {
            next = c->answers[i].next;
            c->answers[i].next = table[c->answers[i].hash & (cap - 1)];
            table[c->answers[i].hash & (cap - 1)] = i;
        }
    }
    free(c->answer_table);
    c->answer_table = table;
    c->answer_table_cap = cap;
}

// The endpoint's number, with a place in the book of expiries. Errors: STEER_ELIMIT.
static enum steer_err number_of(struct steer_cells *c, const struct steer_object *endpoint,
                                uint32_t *number)
{
    struct steer_slab *book = &c->tables.expiries;
    uint32_t first;
    *number = c->number(c->number_ctx, endpoint);
    return *number < book->next ? STEER_OK
                                : steer_slab_take_run(book, *number - book->next + 1, &first);
}

// Writes the slot's bytes (struct steer_answer_slot, RRs, endpoint numbers) into scratch.
static enum steer_err render_slot(struct steer_cells *c, const struct steer_outcome *outcome,
                                  uint16_t type)
{
    struct steer_buf *rrs = &c->rrs;
    struct steer_answer_slot slot = {0};
    steer_buf_clear(rrs);
    slot.count = steer_outcome_render(outcome, type, rrs);
    assert(rrs->len <= UINT16_MAX); // the catalogue is checked for it (STEER_RRSET_BYTES_MAX)
    slot.len = (uint16_t)rrs->len;
    slot.ttl_cap_s = outcome->ttl_cap_s ? outcome->ttl_cap_s : UINT32_MAX;
    slot.endpoint_count = outcome->endpoint_count;
    size_t each = slot.count ? rrs->len / slot.count : 0;
    bool alike = slot.count && each * slot.count == rrs->len;
    for (size_t at = 0; alike && at < rrs->len; at += each)
        alike =
            ((size_t)((uint8_t)rrs->data[at + 10] << 8 | (uint8_t)rrs->data[at + 11])) + 12 == each;
    slot.stride = alike ? (uint32_t)each : 0;
    steer_buf_clear(&c->scratch);
    steer_buf_add(&c->scratch, &slot, offsetof(struct steer_answer_slot, rrs));
    steer_buf_add(&c->scratch, rrs->data, rrs->len);
    while (c->scratch.len % 4)
        steer_buf_u8(&c->scratch, 0);
    enum steer_err err = STEER_OK;
    for (uint32_t i = 0; !err && i < outcome->endpoint_count; i++) {
        uint32_t number;
        err = number_of(c, outcome->endpoints[i], &number);
        steer_buf_add(&c->scratch, &number, sizeof number);
    }
    return err;
}

static uint32_t new_answer_index(struct steer_cells *c)
{
    if (c->free_answers_count)
        return c->free_answers[--c->free_answers_count];
    c->answers = steer_grow(c->answers, &c->answers_cap, c->answers_count + 1, sizeof *c->answers);
    return (uint32_t)c->answers_count++;
}

static void remember_line(struct steer_cells *c, uint32_t line, uint32_t index)
{
    c->line_answer =
        steer_grow(c->line_answer, &c->line_answer_cap, (size_t)line + 1, sizeof *c->line_answer);
    c->line_answer[line] = index;
}

// The line of these bytes, with one use counted.
static enum steer_err acquire(struct steer_cells *c, const void *data, size_t len, uint32_t *line)
{
    uint64_t hash = steer_hash_bytes(data, len, 1);
    if (c->answer_count >= c->answer_table_cap)
        answer_table_grow(c);
    uint32_t *bucket = &c->answer_table[hash & (c->answer_table_cap - 1)];
    for (uint32_t i = *bucket; i != CELLS_NONE; i = c->answers[i].next) {
        struct answer *a = &c->answers[i];
        if (a->hash == hash && a->run.order == order_of(len) &&
            memcmp(answer_at(c, a->run.line), data, len) == 0) {
            a->uses++;
            *line = a->run.line;
            return STEER_OK;
        }
    }
    struct run run;
    enum steer_err err = cells_run_take(&c->answer_pool, len, &run);
    if (err != STEER_OK)
        return err;
    memcpy(answer_at(c, run.line), data, len);
    uint32_t index = new_answer_index(c);
    c->answers[index] = (struct answer){hash, *bucket, 1, run};
    *bucket = index;
    c->answer_count++;
    remember_line(c, run.line, index);
    *line = run.line;
    return STEER_OK;
}

enum steer_err cells_answer_acquire(struct steer_cells *c, const struct steer_outcome *outcome,
                                    uint16_t type, uint32_t *line)
{
    enum steer_err err = render_slot(c, outcome, type);
    return err ? err : acquire(c, c->scratch.data, c->scratch.len, line);
}

enum steer_err cells_slots_acquire(struct steer_cells *c, const uint16_t *slots, uint32_t *line)
{
    return acquire(c, slots, STEER_SLOTS * sizeof *slots, line);
}

void cells_answer_release(struct steer_cells *c, uint32_t line)
{
    uint32_t index = c->line_answer[line];
    struct answer *a = &c->answers[index];
    if (--a->uses)
        return;
    uint32_t *at = &c->answer_table[a->hash & (c->answer_table_cap - 1)];
    while (*at != index)
        at = &c->answers[*at].next;
    *at = a->next;
    cells_runs_add(&c->old_answers, a->run);
    c->free_answers = steer_grow(c->free_answers, &c->free_answers_cap, c->free_answers_count + 1,
                                 sizeof *c->free_answers);
    c->free_answers[c->free_answers_count++] = index;
    c->answer_count--;
}

void cells_answers_fini(struct steer_cells *c)
{
    for (unsigned i = 0; i < CELLS_ORDERS; i++) {
        free(c->list_pool.free[i].lines);
        free(c->answer_pool.free[i].lines);
    }
    free(c->answers);
    free(c->free_answers);
    free(c->answer_table);
    free(c->line_answer);
    free(c->old_lists.items);
    free(c->old_answers.items);
    steer_buf_fini(&c->scratch);
    steer_buf_fini(&c->rrs);
}
