// SPDX-License-Identifier: GPL-3.0-or-later
// The keeper of the cells: which residual expression each cell stands for, and which cells a change of
// health touches. Floor 4. Belongs to control's thread; the tables it writes are read by the workers.
#ifndef STEERD_WORLD_CELLS_H
#define STEERD_WORLD_CELLS_H

#include "steerd/world/tables.h"

struct steer_cells;

// The caller's numbers for endpoints, stable for the life of the process (drain book-keeping).
typedef uint32_t steer_endpoint_number(void *ctx, const struct steer_object *endpoint);

// Errors: STEER_EIO (no address space), with diag.
enum steer_err steer_cells_create(steer_endpoint_number *number, void *ctx,
                                  struct steer_residuals *residuals, struct steer_cells **cells,
                                  struct steer_diag *diag) STEER_MUST_USE;
// NULL is accepted. No reader may be left, and the residuals must still be there.
void steer_cells_destroy(struct steer_cells *cells);
// What worlds refer to; lives as long as the keeper.
const struct steer_tables *steer_cells_tables(const struct steer_cells *cells);

// The cells of (residual, type, how it is drawn) for each of count residuals, evaluated now where they are new;
// counts a use of each, or of none when it fails. One u meets the same endpoints in the coherent cells of
// A, AAAA, HTTPS and SVCB wherever their shares allow. Errors: STEER_ELIMIT.
enum steer_err steer_cells_acquire(struct steer_cells *cells,
                                   struct steer_residual *const *residuals, size_t count,
                                   uint16_t type, enum steer_draw draw,
                                   const struct steer_view *view,
                                   uint32_t *acquired) STEER_MUST_USE;
// Ends a use. The cell of the last use goes at the next reclaim.
void steer_cells_release(struct steer_cells *cells, uint32_t cell);

// What a cell in use stands for (borrowed).
struct steer_residual *steer_cells_residual(const struct steer_cells *cells, uint32_t cell);

// Evaluates again every cell that depends on the object (STEER_ENDPOINT, STEER_POOL or STEER_SWITCH, by name) and stores those
// that changed; returns how many did.
uint32_t steer_cells_refresh(struct steer_cells *cells, enum steer_kind kind, const char *name,
                             const struct steer_view *view);
// The same for several objects of a kind that changed together: each cell once.
uint32_t steer_cells_refresh_each(struct steer_cells *cells, enum steer_kind kind,
                                  const char *const *names, size_t count,
                                  const struct steer_view *view);
// The same for every cell, whatever it depends on.
uint32_t steer_cells_refresh_all(struct steer_cells *cells, const struct steer_view *view);

// Hands what replaced lists, answers and dead cells occupied back for use. Call it only when every reader
// has passed a quiescent state since the last refresh or release (synchronize_rcu).
void steer_cells_reclaim(struct steer_cells *cells);
// Whether reclaim would hand anything back.
bool steer_cells_has_garbage(const struct steer_cells *cells);

// When the last answer with the endpoint ends that this process gave (Unix seconds); 0: it gave none.
uint32_t steer_cells_expiry(const struct steer_cells *cells, const struct steer_object *endpoint);

struct steer_cells_stats {
    uint64_t cells, lists, bytes, evaluations;
    uint64_t answers;               // and tables of slots
    uint64_t served_all, exhausted; // cells in that state now
};
void steer_cells_stats(const struct steer_cells *cells, struct steer_cells_stats *stats);

#endif
