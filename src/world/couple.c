// SPDX-License-Identifier: GPL-3.0-or-later
// Coherent draws: the outcomes of several types laid over one line, so that one u meets the same endpoints in
// as many types as their shares allow (decision 0084).
//
// Every type's outcomes cover the line [0, 2^32) in whole units, each with the units of its share. The first type lies
// there in its own order. Each further one takes, of what the line offers, while its outcomes have units left:
//   1. the stretches where the first type gives the same;
//   2. those where the second one does, and so on;
//   3. whatever stretches remain, both in order.
// By 1 an outcome has all the units that it can have in common with the first type. Since all types take a stretch of the
// first from its beginning, those that agree with it agree with each other, as far as their shares go.
#include <stdlib.h>

#include "cells_internal.h"
#include "steerd/base/mem.h"

// A part of the line with one owner for each type that lies there.
struct stretch {
    uint64_t units;
    uint32_t owner[COUPLED_TYPES]; // portion of the type; CELLS_NONE: nobody yet
};

struct stretches {
    struct stretch *items;
    size_t count, cap;
};

// One type that is laid over the line.
struct laying {
    const struct portions *const *lines; // by place in the order of laying
    uint32_t place;
    uint64_t *left;  // units, by portion
    uint32_t *index; // origin -> portion, open addressing
    size_t index_mask;
    struct stretches from, to;
};

static void put(struct laying *l, const struct stretch *like, uint64_t units, uint32_t owner)
{
    l->to.items = steer_grow(l->to.items, &l->to.cap, l->to.count + 1, sizeof *l->to.items);
    struct stretch *made = &l->to.items[l->to.count++];
    *made = *like;
    made->units = units;
    made->owner[l->place] = owner;
}

// Gives the portion what it has left of the stretch; the rest of the stretch stays free.
static void give(struct laying *l, const struct stretch *s, uint32_t portion)
{
    uint64_t units = portion == CELLS_NONE ? 0 : l->left[portion];
    units = units < s->units ? units : s->units;
    if (units) {
        put(l, s, units, portion);
        l->left[portion] -= units;
    }
    if (units < s->units)
        put(l, s, s->units - units, CELLS_NONE);
}

static void turn(struct laying *l)
{
    const struct stretches done = l->from;
    l->from = l->to;
    l->to = done;
    l->to.count = 0;
}

// ---- who agrees ----------------------------------------------------------------------------------

static void index_portions(struct laying *l)
{
    const struct portions *own = l->lines[l->place];
    size_t cap = 4;
    while (cap < 2 * own->count)
        cap *= 2;
    l->index_mask = cap - 1;
    l->index = steer_alloc(cap * sizeof *l->index);
    for (size_t i = 0; i < cap; i++)
        l->index[i] = CELLS_NONE;
    for (uint32_t i = 0; i < own->count; i++) {
        size_t at = own->items[i].origin & l->index_mask;
        while (l->index[at] != CELLS_NONE)
            at = (at + 1) & l->index_mask;
        l->index[at] = i;
    }
}

// The portion of the type that is laid which agrees with another type's; CELLS_NONE: none.
static uint32_t portion_of(const struct laying *l, uint64_t origin)
{
    const struct portions *own = l->lines[l->place];
    size_t at = origin & l->index_mask;
    while (l->index[at] != CELLS_NONE && own->items[l->index[at]].origin != origin)
        at = (at + 1) & l->index_mask;
    return l->index[at];
}

// ---- laying --------------------------------------------------------------------------------------

// Takes the free stretches where the type at `place` gives the same.
static void agree(struct laying *l, uint32_t place)
{
    const struct portion *theirs = l->lines[place]->items;
    for (size_t i = 0; i < l->from.count; i++) {
        const struct stretch *s = &l->from.items[i];
        if (s->owner[l->place] != CELLS_NONE)
            put(l, s, s->units, s->owner[l->place]);
        else
            give(l, s, portion_of(l, theirs[s->owner[place]].origin));
    }
    turn(l);
}

static void fill_up(struct laying *l)
{
    uint32_t portion = 0;
    for (size_t i = 0; i < l->from.count; i++) {
        struct stretch *s = &l->from.items[i];
        if (s->owner[l->place] != CELLS_NONE) {
            put(l, s, s->units, s->owner[l->place]);
            continue;
        }
        while (s->units) {
            while (!l->left[portion])
                portion++;
            const uint64_t units = l->left[portion] < s->units ? l->left[portion] : s->units;
            put(l, s, units, portion);
            l->left[portion] -= units;
            s->units -= units;
        }
    }
    turn(l);
}

static void lay_first(struct laying *l)
{
    struct stretch free_stretch;
    for (uint32_t i = 0; i < COUPLED_TYPES; i++)
        free_stretch.owner[i] = CELLS_NONE;
    for (uint32_t i = 0; i < l->lines[0]->count; i++)
        put(l, &free_stretch, l->lines[0]->items[i].units, i);
    turn(l);
}

static void lay_next(struct laying *l)
{
    const struct portions *own = l->lines[l->place];
    l->left = steer_alloc(own->count * sizeof *l->left);
    for (size_t i = 0; i < own->count; i++)
        l->left[i] = own->items[i].units;
    index_portions(l);
    for (uint32_t place = 0; place < l->place; place++)
        agree(l, place);
    fill_up(l);
    free(l->index);
    free(l->left);
}

void cells_couple(const struct portions *const *lines, uint32_t place, struct portions *out)
{
    struct laying l = {.lines = lines};
    lay_first(&l);
    for (l.place = 1; l.place <= place; l.place++)
        lay_next(&l);
    out->count = 0;
    for (size_t i = 0; i < l.from.count; i++) {
        const struct stretch *s = &l.from.items[i];
        const struct portion *own = &lines[place]->items[s->owner[place]];
        if (out->count && out->items[out->count - 1].outcome == own->outcome) {
            out->items[out->count - 1].units += s->units;
            continue;
        }
        out->items = steer_grow(out->items, &out->cap, out->count + 1, sizeof *out->items);
        out->items[out->count] = *own;
        out->items[out->count++].units = s->units;
    }
    free(l.from.items);
    free(l.to.items);
}
