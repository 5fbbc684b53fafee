// SPDX-License-Identifier: GPL-3.0-or-later
// What the modules of the cells share: the keeper's state, and its parts. Control's thread only.
//
//   cells.c         which cells there are, and bringing them up to date
//   evaluate.c      one cell: decider -> list -> one store
//   couple.c        what several types give, over one line
//   answers.c       interned answers, and runs of lines
//   dependencies.c  object -> the cells that hold it
#ifndef STEERD_WORLD_CELLS_INTERNAL_H
#define STEERD_WORLD_CELLS_INTERNAL_H

#include "steerd/base/buf.h"
#include "steerd/base/hash.h"
#include "steerd/world/cells.h"

enum { CELLS_ORDERS = 16 }; // runs of 1, 2, 4 ... lines
#define CELLS_NONE UINT32_MAX

// Lines of one slab, given out in runs of a power of two.
struct run_pool {
    struct steer_slab *slab;
    struct {
        uint32_t *lines;
        size_t count, cap;
    } free[CELLS_ORDERS];
};

struct run {
    uint32_t line;
    uint8_t order;
};

struct runs {
    struct run *items;
    size_t count, cap;
};

// One interned answer, or table of slots: equal bytes are one slot, so that equal lists can be seen by comparing indices.
struct answer {
    uint64_t hash;
    uint32_t next; // chain in the hash table, by answer index
    uint32_t uses;
    struct run run;
};

// What cells depend on: an endpoint or a pool, by name. It goes with the last cell that does.
struct dependency {
    enum steer_kind kind;
    char *name;
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
    uint8_t draw; // enum steer_draw; coherent: only where types differ
    uint8_t
        companions; // coherent: bit i for a type that its residual gives, in order of cells_coupled_types
    bool draws; // steer_residual_draws, where it is sticky
    struct run list;
    uint32_t flags; // of the list
    uint64_t round; // the last refresh of several objects that met it
    struct held {
        uint32_t dependency;
        uint32_t slot; // in the dependency's list
    } * held;
    size_t held_count, held_cap;
};

// Cells of one type, evaluated one after the other. Each answer found since the view was last the same is
// noted in its outcome, with one use held, so that it is looked for once.
struct evaluator {
    uint16_t type;
    uint8_t draw; // enum steer_draw
    struct steer_decider *decider;
    bool fresh;     // nothing to forget
    uint32_t *held; // answer lines
    size_t held_count, held_cap;
};

// Types whose coherent draws go together.
enum { COUPLED_TYPES = 4 };

// What one outcome has of a line of 2^32 units.
struct portion {
    uint64_t origin; // of the outcome
    uint64_t units;  // > 0
    uint32_t outcome;
};

struct portions {
    struct portion *items;
    size_t count, cap;
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
    struct steer_map endpoints, pools, switches; // name -> dependency
    struct dependency *dependencies;
    size_t dependency_count, dependency_cap;
    uint32_t *free_dependencies;
    size_t free_dependencies_count, free_dependencies_cap;
    struct runs old_lists, old_answers;
    uint32_t *old_cells;
    size_t old_cells_count, old_cells_cap;
    uint64_t evaluations, served_all, exhausted;
    uint64_t round;
    struct steer_buf scratch, rrs; // an answer that is being rendered
    struct evaluator *evaluators;
    size_t evaluator_count, evaluator_cap;
    struct steer_list_entry *entries; // a list that is being made
    size_t entries_cap;
    struct portions portions[COUPLED_TYPES], coupled;
};

// ---- answers.c -------------------------------------------------------------------------------------

enum steer_err cells_run_take(struct run_pool *pool, size_t bytes, struct run *run);
void cells_run_give(struct run_pool *pool, struct run run);
void cells_runs_add(struct runs *runs, struct run run);
void cells_answers_fini(struct steer_cells *c);
// The line of an outcome's answer, with one use counted. Never 0.
enum steer_err cells_answer_acquire(struct steer_cells *c, const struct steer_outcome *outcome,
                                    uint16_t type, uint32_t *line);
// The same for the slots of a sticky list.
enum steer_err cells_slots_acquire(struct steer_cells *c, const uint16_t *slots, uint32_t *line);
void cells_answer_release(struct steer_cells *c, uint32_t line);

static inline void cells_answer_use(struct steer_cells *c, uint32_t line)
{
    c->answers[c->line_answer[line]].uses++;
}

// ---- evaluate.c ------------------------------------------------------------------------------------

static inline struct steer_list *cells_list_at(const struct steer_cells *c, uint32_t line)
{
    return steer_slab_at(&c->tables.list_lines, line);
}

// Evaluates a cell and, if its list differs from the current one, writes a new list and stores the
// cell. Between two calls of cells_settle the view must say the same.
enum steer_err cells_evaluate(struct steer_cells *c, uint32_t index, const struct steer_view *view,
                              bool *changed);
// Ends a row of evaluations: what was remembered of the view, and the answers' uses for it.
void cells_settle(struct steer_cells *c);
// How a cell of that residual and type is to be drawn, and with which other types: a coherent draw needs care only where
// the types differ, and is a random one's cell elsewhere.
enum steer_draw cells_draw_of(const struct steer_residual *residual, uint16_t type,
                              enum steer_draw draw, uint8_t *companions);
void cells_evaluators_fini(struct steer_cells *c);
void cells_list_drop(struct steer_cells *c, struct run run);
void cells_count_flags(struct steer_cells *c, uint32_t flags, int by);

// ---- couple.c ----------------------------------------------------------------------------------------

// Lays types over one line, the first `place` + 1 in this order, each of which has something to give, and says what
// lies where of the last of them: its portions, maybe in several parts, from the line's beginning.
void cells_couple(const struct portions *const *lines, uint32_t place, struct portions *out);

// ---- dependencies.c --------------------------------------------------------------------------------

// NULL: no cell holds the object.
const struct dependency *cells_dependency_find(const struct steer_cells *c, enum steer_kind kind,
                                               const char *name);
// Enters a new cell into the lists of what its residual holds; removes it from them.
void cells_link(struct steer_cells *c, uint32_t cell);
void cells_unlink(struct steer_cells *c, uint32_t cell);

#endif
