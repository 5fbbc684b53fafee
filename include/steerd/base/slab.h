// SPDX-License-Identifier: GPL-3.0-or-later
// A flat array that grows without moving: address space is reserved once and made readable and
// writable as it is needed. Indices and the base address stay valid for ever, so that readers on
// other threads follow u32 indices while one writer appends. Floor 0.
#ifndef STEERD_BASE_SLAB_H
#define STEERD_BASE_SLAB_H

#include <stddef.h>
#include <stdint.h>

#include "steerd/base/err.h"

struct steer_slab {
    uint8_t *base;
    size_t item_bytes;
    size_t max_items;
    size_t committed_bytes;
    uint32_t next;       // first index never used
    uint32_t *free_list; // indices given back
    size_t free_count;
    size_t free_cap;
};

// Reserves max_items * item_bytes of address space (no memory). Errors: STEER_EIO.
enum steer_err steer_slab_init(struct steer_slab *slab, size_t item_bytes,
                               size_t max_items) STEER_MUST_USE;
void steer_slab_fini(struct steer_slab *slab);
// The index of a free item (its old contents stay), or STEER_ELIMIT. One writer thread.
enum steer_err steer_slab_take(struct steer_slab *slab, uint32_t *index) STEER_MUST_USE;
// n items in a row; never from the free list. Errors: STEER_ELIMIT.
enum steer_err steer_slab_take_run(struct steer_slab *slab, uint32_t n,
                                   uint32_t *first) STEER_MUST_USE;
// The caller knows that no reader can still follow the index.
void steer_slab_give(struct steer_slab *slab, uint32_t index);

static inline void *steer_slab_at(const struct steer_slab *slab, uint32_t index)
{
    return slab->base + (size_t)index * slab->item_bytes;
}

#endif
