// SPDX-License-Identifier: GPL-3.0-or-later
// Which cells hold an object: each cell knows its place in the lists of its objects, and the lists know
// theirs in the cell, so that either end goes without a search.
#include <stdlib.h>

#include "cells_internal.h"
#include "steerd/base/mem.h"

struct linking {
    struct steer_cells *cells;
    uint32_t cell;
};

static struct steer_map *names_of(struct steer_cells *c, enum steer_kind kind)
{
    return kind == STEER_POOL ? &c->pools : kind == STEER_SWITCH ? &c->switches : &c->endpoints;
}

static uint32_t dependency_of(struct steer_cells *c, const struct steer_object *object)
{
    struct steer_map *names = names_of(c, object->kind);
    uint32_t index;
    if (steer_map_get(names, object->name, &index))
        return index;
    if (c->free_dependencies_count) {
        index = c->free_dependencies[--c->free_dependencies_count];
    } else {
        c->dependencies = steer_grow(c->dependencies, &c->dependency_cap, c->dependency_count + 1,
                                     sizeof *c->dependencies);
        index = (uint32_t)c->dependency_count++;
    }
    c->dependencies[index] =
        (struct dependency){.kind = object->kind, .name = steer_strdup(object->name)};
    steer_map_put(names, object->name, index);
    return index;
}

static void dependency_free(struct steer_cells *c, uint32_t index)
{
    struct dependency *d = &c->dependencies[index];
    steer_map_remove(names_of(c, d->kind), d->name);
    free(d->name);
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

const struct dependency *cells_dependency_find(const struct steer_cells *c, enum steer_kind kind,
                                               const char *name)
{
    uint32_t index;
    const struct steer_map *names = kind == STEER_POOL     ? &c->pools
                                    : kind == STEER_SWITCH ? &c->switches
                                                           : &c->endpoints;
    return steer_map_get(names, name, &index) ? &c->dependencies[index] : NULL;
}

void cells_link(struct steer_cells *c, uint32_t cell)
{
    steer_residual_visit(c->cells[cell].residual, link_object, &(struct linking){c, cell});
}

void cells_unlink(struct steer_cells *c, uint32_t index)
{
    struct cell *cell = &c->cells[index];
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
