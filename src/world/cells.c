// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/world/cells.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/base/hash.h"
#include "steerd/base/log.h"
#include "steerd/base/mem.h"

enum {
    ORDERS = 16, // runs of 1, 2, 4 ... lines
    MAX_CELLS = 1 << 26,
    MAX_LINES = 1 << 24,
    MAX_ENDPOINTS = 1 << 22,
};
#define NO_CELL UINT32_MAX

// Lines of one slab, given out in runs of a power of two.
struct run_pool {
    struct steer_slab *slab;
    struct {
        uint32_t *lines;
        size_t count, cap;
    } free[ORDERS];
};

struct run {
    uint32_t line;
    uint8_t order;
};

struct runs {
    struct run *items;
    size_t count, cap;
};

// One interned answer: equal bytes are one slot, so that equal lists can be seen by comparing indices.
struct answer {
    uint64_t hash;
    uint32_t next; // chain in the hash table, by answer index
    uint32_t uses;
    struct run run;
};

// What cells depend on: an endpoint or a pool, by name. It goes with the last cell that does.
struct dependency {
    char *key;
    struct use {
        uint32_t cell;
        uint32_t slot; // in the cell's own list
    } * uses;
    size_t count, cap;
};

struct cell {
    struct steer_residual *residual;
    uint32_t uses;
    uint32_t next; // chain in the hash table
    uint16_t type;
    struct run list;
    uint32_t flags; // of the list
    struct held {
        uint32_t dependency;
        uint32_t slot; // in the dependency's list
    } * held;
    size_t held_count, held_cap;
};

struct steer_cells {
    struct steer_tables tables;
    struct steer_residuals *residuals;
    steer_endpoint_number *number;
    void *number_ctx;
    struct run_pool list_pool, answer_pool;
    struct cell *cells; // by cell index
    size_t cells_cap;
    uint32_t *cell_table;
    size_t cell_table_cap;
    uint64_t cell_count;
    struct answer *answers;
    size_t answers_count, answers_cap;
    uint32_t *free_answers;
    size_t free_answers_count, free_answers_cap;
    uint32_t *answer_table;
    size_t answer_table_cap;
    uint64_t answer_count;
    uint32_t *line_answer; // answer line -> answer index
    size_t line_answer_cap;
    struct steer_map names; // "e NAME" or "p NAME" -> dependency
    struct dependency *dependencies;
    size_t dependency_count, dependency_cap;
    uint32_t *free_dependencies;
    size_t free_dependencies_count, free_dependencies_cap;
    struct runs old_lists, old_answers;
    uint32_t *old_cells;
    size_t old_cells_count, old_cells_cap;
    uint64_t evaluations, served_all, exhausted;
    struct steer_buf scratch;
};

// ---- runs of lines -------------------------------------------------------------------------------

static uint8_t order_of(size_t bytes)
{
    uint8_t order = 0;
    while (((size_t)STEER_LINE_BYTES << order) < bytes)
        order++;
    return order;
}

static enum steer_err run_take(struct run_pool *pool, size_t bytes, struct run *run)
{
    uint8_t order = order_of(bytes);
    if (order >= ORDERS)
        return STEER_ELIMIT;
    run->order = order;
    if (pool->free[order].count) {
        run->line = pool->free[order].lines[--pool->free[order].count];
        return STEER_OK;
    }
    return steer_slab_take_run(pool->slab, UINT32_C(1) << order, &run->line);
}

static void run_give(struct run_pool *pool, struct run run)
{
    pool->free[run.order].lines =
        steer_grow(pool->free[run.order].lines, &pool->free[run.order].cap,
                   pool->free[run.order].count + 1, sizeof(uint32_t));
    pool->free[run.order].lines[pool->free[run.order].count++] = run.line;
}

static void runs_add(struct runs *runs, struct run run)
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
        for (uint32_t i = c->answer_table[b], next; i != NO_CELL; i = next) {
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
    struct steer_buf rrs = {0};
    struct steer_answer_slot slot = {0};
    slot.count = steer_outcome_render(outcome, type, &rrs);
    assert(rrs.len <= UINT16_MAX); // what a document may hold is bounded far below
    slot.len = (uint16_t)rrs.len;
    slot.ttl_cap_s = outcome->ttl_cap_s ? outcome->ttl_cap_s : UINT32_MAX;
    slot.endpoint_count = outcome->endpoint_count;
    size_t each = slot.count ? rrs.len / slot.count : 0;
    bool alike = slot.count && each * slot.count == rrs.len;
    for (size_t at = 0; alike && at < rrs.len; at += each)
        alike =
            ((size_t)((uint8_t)rrs.data[at + 10] << 8 | (uint8_t)rrs.data[at + 11])) + 12 == each;
    slot.stride = alike ? (uint32_t)each : 0;
    steer_buf_clear(&c->scratch);
    steer_buf_add(&c->scratch, &slot, offsetof(struct steer_answer_slot, rrs));
    steer_buf_add(&c->scratch, rrs.data, rrs.len);
    while (c->scratch.len % 4)
        steer_buf_u8(&c->scratch, 0);
    steer_buf_fini(&rrs);
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

// The line of an outcome's answer, with one use counted.
static enum steer_err answer_acquire(struct steer_cells *c, const struct steer_outcome *outcome,
                                     uint16_t type, uint32_t *line)
{
    enum steer_err err = render_slot(c, outcome, type);
    if (err != STEER_OK)
        return err;
    uint64_t hash = steer_hash_bytes(c->scratch.data, c->scratch.len, 1);
    if (c->answer_count >= c->answer_table_cap)
        answer_table_grow(c);
    uint32_t *bucket = &c->answer_table[hash & (c->answer_table_cap - 1)];
    for (uint32_t i = *bucket; i != NO_CELL; i = c->answers[i].next) {
        struct answer *a = &c->answers[i];
        if (a->hash == hash && a->run.order == order_of(c->scratch.len) &&
            memcmp(answer_at(c, a->run.line), c->scratch.data, c->scratch.len) == 0) {
            a->uses++;
            *line = a->run.line;
            return STEER_OK;
        }
    }
    struct run run;
    err = run_take(&c->answer_pool, c->scratch.len, &run);
    if (err != STEER_OK)
        return err;
    memcpy(answer_at(c, run.line), c->scratch.data, c->scratch.len);
    uint32_t index = new_answer_index(c);
    c->answers[index] = (struct answer){hash, *bucket, 1, run};
    *bucket = index;
    c->answer_count++;
    remember_line(c, run.line, index);
    *line = run.line;
    return STEER_OK;
}

static void answer_release(struct steer_cells *c, uint32_t line)
{
    uint32_t index = c->line_answer[line];
    struct answer *a = &c->answers[index];
    if (--a->uses)
        return;
    uint32_t *at = &c->answer_table[a->hash & (c->answer_table_cap - 1)];
    while (*at != index)
        at = &c->answers[*at].next;
    *at = a->next;
    runs_add(&c->old_answers, a->run);
    c->free_answers = steer_grow(c->free_answers, &c->free_answers_cap, c->free_answers_count + 1,
                                 sizeof *c->free_answers);
    c->free_answers[c->free_answers_count++] = index;
    c->answer_count--;
}

// ---- lists ---------------------------------------------------------------------------------------

static struct steer_list *list_at(struct steer_cells *c, uint32_t line)
{
    return steer_slab_at(&c->tables.list_lines, line);
}

static void list_drop(struct steer_cells *c, struct run run)
{
    if (run.line == 0) // the shared empty list
        return;
    struct steer_list *list = list_at(c, run.line);
    for (uint32_t i = 0; i < list->count; i++)
        answer_release(c, list->entries[i].answer);
    runs_add(&c->old_lists, run);
}

// The boundary of a cumulative share in 2^-32, rounded to nearest.
static uint64_t boundary(struct steer_share sum)
{
    __extension__ typedef unsigned __int128 wide;
    wide scaled = ((wide)sum.num << 32) + sum.den / 2;
    return (uint64_t)(scaled / sum.den);
}

// Fills entries (room for distribution->count) and counts one use of each answer in them.
static enum steer_err list_entries(struct steer_cells *c, const struct steer_distribution *d,
                                   uint16_t type, struct steer_list_entry *entries, uint32_t *count)
{
    struct steer_share sum = {0, 1};
    uint64_t before = 0;
    *count = 0;
    for (uint32_t i = 0; i < d->count; i++) {
        sum = steer_share_add(sum, d->outcomes[i].share);
        uint64_t upto = i + 1 == d->count ? UINT64_C(1) << 32 : boundary(sum);
        if (upto <= before) // a share below 2^-32
            continue;
        uint32_t line;
        enum steer_err err = answer_acquire(c, &d->outcomes[i], type, &line);
        if (err != STEER_OK)
            return err;
        entries[(*count)++] = (struct steer_list_entry){(uint32_t)(upto - 1), line};
        before = upto;
    }
    return STEER_OK;
}

static void count_flags(struct steer_cells *c, uint32_t flags, int by)
{
    if (flags & STEER_LIST_SERVED_ALL)
        c->served_all = (uint64_t)((int64_t)c->served_all + by);
    if (flags & STEER_LIST_EXHAUSTED)
        c->exhausted = (uint64_t)((int64_t)c->exhausted + by);
}

static bool same_list(const struct steer_list *list, const struct steer_list_entry *entries,
                      uint32_t count, uint32_t flags)
{
    return list->count == count && list->flags == flags &&
           (count == 0 || memcmp(list->entries, entries, count * sizeof *entries) == 0);
}

// Evaluates a cell and, if its list differs from the current one, writes a new list and stores the cell.
static enum steer_err evaluate(struct steer_cells *c, uint32_t index, const struct steer_view *view,
                               bool *changed)
{
    struct cell *cell = &c->cells[index];
    struct steer_distribution d;
    steer_decide(cell->residual, view, cell->type, &d, NULL);
    c->evaluations++;
    uint32_t flags =
        (d.served_all ? STEER_LIST_SERVED_ALL : 0u) | (d.exhausted ? STEER_LIST_EXHAUSTED : 0u);
    struct steer_list_entry *entries = steer_calloc(d.count, sizeof *entries);
    uint32_t count;
    enum steer_err err = list_entries(c, &d, cell->type, entries, &count);
    struct run run = {0, 0};
    bool same = err == STEER_OK && same_list(list_at(c, cell->list.line), entries, count, flags);
    if (err == STEER_OK && !same && (count || flags))
        err = run_take(&c->list_pool, sizeof(struct steer_list) + count * sizeof *entries, &run);
    if (err != STEER_OK || same) {
        for (uint32_t i = 0; i < count; i++)
            answer_release(c, entries[i].answer);
    } else {
        if (run.line) {
            struct steer_list *list = list_at(c, run.line);
            list->count = count;
            list->flags = flags;
            memcpy(list->entries, entries, count * sizeof *entries);
        }
        _Atomic uint32_t *at = (_Atomic uint32_t *)steer_slab_at(&c->tables.cells, index);
        atomic_store_explicit(at, run.line, memory_order_release);
        list_drop(c, cell->list);
        count_flags(c, cell->flags, -1);
        count_flags(c, flags, 1);
        cell->list = run;
        cell->flags = flags;
        *changed = true;
    }
    free(entries);
    steer_distribution_fini(&d);
    return err;
}

// ---- dependencies --------------------------------------------------------------------------------

static void dependency_key(char *key, size_t size, enum steer_kind kind, const char *name)
{
    snprintf(key, size, "%c %s", kind == STEER_POOL ? 'p' : 'e', name);
}

struct linking {
    struct steer_cells *cells;
    uint32_t cell;
};

static uint32_t dependency_of(struct steer_cells *c, const struct steer_object *object)
{
    char key[512];
    uint32_t index;
    dependency_key(key, sizeof key, object->kind, object->name);
    if (steer_map_get(&c->names, key, &index))
        return index;
    if (c->free_dependencies_count) {
        index = c->free_dependencies[--c->free_dependencies_count];
    } else {
        c->dependencies = steer_grow(c->dependencies, &c->dependency_cap, c->dependency_count + 1,
                                     sizeof *c->dependencies);
        index = (uint32_t)c->dependency_count++;
    }
    c->dependencies[index] = (struct dependency){.key = steer_strdup(key)};
    steer_map_put(&c->names, key, index);
    return index;
}

static void dependency_free(struct steer_cells *c, uint32_t index)
{
    struct dependency *d = &c->dependencies[index];
    steer_map_remove(&c->names, d->key);
    free(d->key);
    free(d->uses);
    *d = (struct dependency){0};
    c->free_dependencies = steer_grow(c->free_dependencies, &c->free_dependencies_cap,
                                      c->free_dependencies_count + 1, sizeof *c->free_dependencies);
    c->free_dependencies[c->free_dependencies_count++] = index;
}

static void link_object(void *ctx, const struct steer_object *object)
{
    struct linking *l = ctx;
    struct steer_cells *c = l->cells;
    const uint32_t index = dependency_of(c, object);
    struct dependency *d = &c->dependencies[index];
    struct cell *cell = &c->cells[l->cell];
    // The cell is new, so that if it is here already, it came last.
    if (d->count && d->uses[d->count - 1].cell == l->cell)
        return;
    d->uses = steer_grow(d->uses, &d->cap, d->count + 1, sizeof *d->uses);
    cell->held = steer_grow(cell->held, &cell->held_cap, cell->held_count + 1, sizeof *cell->held);
    d->uses[d->count] = (struct use){l->cell, (uint32_t)cell->held_count};
    cell->held[cell->held_count++] = (struct held){index, (uint32_t)d->count++};
}

static void unlink_cell(struct steer_cells *c, struct cell *cell)
{
    for (size_t i = 0; i < cell->held_count; i++) {
        struct dependency *d = &c->dependencies[cell->held[i].dependency];
        uint32_t slot = cell->held[i].slot;
        d->uses[slot] = d->uses[--d->count];
        if (slot < d->count)
            c->cells[d->uses[slot].cell].held[d->uses[slot].slot].slot = slot;
        if (!d->count)
            dependency_free(c, cell->held[i].dependency);
    }
    free(cell->held);
}

// ---- cells ---------------------------------------------------------------------------------------

static uint64_t cell_hash(const struct steer_residual *residual, uint16_t type)
{
    return steer_mix64((uint64_t)(uintptr_t)residual ^ ((uint64_t)type << 48));
}

static void cell_table_grow(struct steer_cells *c)
{
    size_t cap = c->cell_table_cap ? c->cell_table_cap * 2 : 256;
    uint32_t *table = steer_alloc(cap * sizeof *table);
    memset(table, 0xff, cap * sizeof *table);
    for (size_t b = 0; b < c->cell_table_cap; b++) {
        for (uint32_t i = c->cell_table[b], next; i != NO_CELL; i = next) {
            next = c->cells[i].next;
            uint64_t hash = cell_hash(c->cells[i].residual, c->cells[i].type);
            c->cells[i].next = table[hash & (cap - 1)];
            table[hash & (cap - 1)] = i;
        }
    }
    free(c->cell_table);
    c->cell_table = table;
    c->cell_table_cap = cap;
}

enum steer_err steer_cells_acquire(struct steer_cells *c, struct steer_residual *residual,
                                   uint16_t type, const struct steer_view *view, uint32_t *cell)
{
    if (c->cell_count >= c->cell_table_cap)
        cell_table_grow(c);
    uint32_t *bucket = &c->cell_table[cell_hash(residual, type) & (c->cell_table_cap - 1)];
    for (uint32_t i = *bucket; i != NO_CELL; i = c->cells[i].next) {
        if (c->cells[i].residual == residual && c->cells[i].type == type) {
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
        .residual = steer_residual_ref(residual), .uses = 1, .next = *bucket, .type = type};
    *bucket = index;
    c->cell_count++;
    // Nobody reads the cell yet: its first value needs no order.
    *(uint32_t *)steer_slab_at(&c->tables.cells, index) = 0;
    steer_residual_visit(residual, link_object, &(struct linking){c, index});
    bool changed = false;
    err = evaluate(c, index, view, &changed);
    if (err != STEER_OK) {
        steer_cells_release(c, index);
        return err;
    }
    *cell = index;
    return STEER_OK;
}

void steer_cells_release(struct steer_cells *c, uint32_t index)
{
    struct cell *cell = &c->cells[index];
    if (--cell->uses)
        return;
    uint32_t *at = &c->cell_table[cell_hash(cell->residual, cell->type) & (c->cell_table_cap - 1)];
    while (*at != index)
        at = &c->cells[*at].next;
    *at = cell->next;
    unlink_cell(c, cell);
    list_drop(c, cell->list);
    count_flags(c, cell->flags, -1);
    steer_residual_unref(c->residuals, cell->residual);
    *cell = (struct cell){0};
    c->cell_count--;
    c->old_cells =
        steer_grow(c->old_cells, &c->old_cells_cap, c->old_cells_count + 1, sizeof *c->old_cells);
    c->old_cells[c->old_cells_count++] = index;
}

static uint32_t refresh_cell(struct steer_cells *c, uint32_t index, const struct steer_view *view)
{
    bool changed = false;
    enum steer_err err = evaluate(c, index, view, &changed);
    if (err != STEER_OK)
        steer_log(STEER_LOG_ERROR, "world", "a cell keeps its last answers: %s",
                  steer_err_text(err));
    return changed;
}

uint32_t steer_cells_refresh(struct steer_cells *c, enum steer_kind kind, const char *name,
                             const struct steer_view *view)
{
    char key[512];
    uint32_t index;
    uint32_t changed = 0;
    dependency_key(key, sizeof key, kind, name);
    if (!steer_map_get(&c->names, key, &index))
        return 0;
    for (size_t i = 0; i < c->dependencies[index].count; i++)
        changed += refresh_cell(c, c->dependencies[index].uses[i].cell, view);
    return changed;
}

uint32_t steer_cells_refresh_all(struct steer_cells *c, const struct steer_view *view)
{
    uint32_t changed = 0;
    for (uint32_t i = 0; i < c->tables.cells.next; i++)
        if (c->cells[i].residual)
            changed += refresh_cell(c, i, view);
    return changed;
}

bool steer_cells_has_garbage(const struct steer_cells *c)
{
    return c->old_lists.count || c->old_answers.count || c->old_cells_count;
}

void steer_cells_reclaim(struct steer_cells *c)
{
    for (size_t i = 0; i < c->old_lists.count; i++)
        run_give(&c->list_pool, c->old_lists.items[i]);
    for (size_t i = 0; i < c->old_answers.count; i++)
        run_give(&c->answer_pool, c->old_answers.items[i]);
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
    memset(list_at(c, 0), 0, STEER_LINE_BYTES);
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
    for (unsigned i = 0; i < ORDERS; i++) {
        free(c->list_pool.free[i].lines);
        free(c->answer_pool.free[i].lines);
    }
    steer_slab_fini(&c->tables.cells);
    steer_slab_fini(&c->tables.list_lines);
    steer_slab_fini(&c->tables.answer_lines);
    steer_slab_fini(&c->tables.expiries);
    steer_map_fini(&c->names);
    steer_buf_fini(&c->scratch);
    free(c->dependencies);
    free(c->free_dependencies);
    free(c->cells);
    free(c->cell_table);
    free(c->answers);
    free(c->free_answers);
    free(c->answer_table);
    free(c->line_answer);
    free(c->old_lists.items);
    free(c->old_answers.items);
    free(c->old_cells);
    free(c);
}
