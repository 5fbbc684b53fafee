// SPDX-License-Identifier: GPL-3.0-or-later
// The heap blocks that a change keeps: those it replaced and those it made.
#include <stdlib.h>
#include <string.h>

#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/zone/trie.h"

void steer_retired_add(struct steer_retired *retired, void *block)
{
    retired->blocks =
        steer_grow(retired->blocks, &retired->cap, retired->count + 1, sizeof *retired->blocks);
    retired->blocks[retired->count++] = block;
}

void steer_retired_move(struct steer_retired *to, struct steer_retired *from)
{
    if (!to->count) {
        free(to->blocks);
        *to = *from;
        memset(from, 0, sizeof *from);
        return;
    }
    to->blocks = steer_grow(to->blocks, &to->cap, to->count + from->count, sizeof *to->blocks);
    if (from->count)
        memcpy(to->blocks + to->count, from->blocks, from->count * sizeof *to->blocks);
    to->count += from->count;
    steer_retired_drop(from);
}

void steer_retired_drop(struct steer_retired *retired)
{
    free(retired->blocks);
    memset(retired, 0, sizeof *retired);
}

void steer_retired_free(struct steer_retired *retired)
{
    for (size_t i = 0; i < retired->count; i++)
        free(retired->blocks[i]);
    steer_retired_drop(retired);
}

static size_t home(const struct steer_fresh *fresh, const void *block)
{
    return (size_t)steer_mix64((uintptr_t)block) & (fresh->cap - 1);
}

// The slot that holds block, or the empty one where it would go.
static size_t place(const struct steer_fresh *fresh, const void *block)
{
    size_t at = home(fresh, block);
    while (fresh->blocks[at] && fresh->blocks[at] != block)
        at = (at + 1) & (fresh->cap - 1);
    return at;
}

bool steer_fresh_has(const struct steer_fresh *fresh, const void *block)
{
    return fresh->count && fresh->blocks[place(fresh, block)];
}

static void grow(struct steer_fresh *fresh)
{
    struct steer_fresh old = *fresh;
    fresh->cap = old.cap ? old.cap * 2 : 32;
    fresh->blocks = steer_calloc(fresh->cap, sizeof *fresh->blocks);
    for (size_t i = 0; i < old.cap; i++)
        if (old.blocks[i])
            fresh->blocks[place(fresh, old.blocks[i])] = old.blocks[i];
    free(old.blocks);
}

void steer_fresh_add(struct steer_fresh *fresh, void *block)
{
    if ((fresh->count + 1) * 2 > fresh->cap)
        grow(fresh);
    size_t at = place(fresh, block);
    fresh->count += !fresh->blocks[at];
    fresh->blocks[at] = block;
}

bool steer_fresh_remove(struct steer_fresh *fresh, const void *block)
{
    if (!steer_fresh_has(fresh, block))
        return false;
    const size_t mask = fresh->cap - 1;
    size_t hole = place(fresh, block);
    // Entries behind the hole that a search would no longer reach move into it.
    for (size_t at = (hole + 1) & mask; fresh->blocks[at]; at = (at + 1) & mask) {
        if (((at - home(fresh, fresh->blocks[at])) & mask) < ((at - hole) & mask))
            continue;
        fresh->blocks[hole] = fresh->blocks[at];
        hole = at;
    }
    fresh->blocks[hole] = NULL;
    fresh->count--;
    return true;
}

void steer_fresh_drop(struct steer_fresh *fresh)
{
    free(fresh->blocks);
    memset(fresh, 0, sizeof *fresh);
}

void steer_fresh_free(struct steer_fresh *fresh)
{
    for (size_t i = 0; i < fresh->cap; i++)
        free(fresh->blocks[i]);
    steer_fresh_drop(fresh);
}
