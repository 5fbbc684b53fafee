// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/base/slab.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "steerd/base/mem.h"

enum { COMMIT_STEP = 1 << 20 };

enum steer_err steer_slab_init(struct steer_slab *slab, size_t item_bytes, size_t max_items)
{
    size_t bytes;
    if (__builtin_mul_overflow(item_bytes, max_items, &bytes) || max_items >= UINT32_MAX)
        return STEER_ELIMIT;
    // PROT_NONE costs address space only, also where the kernel does not overcommit.
    void *base = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return STEER_EIO;
    memset(slab, 0, sizeof *slab);
    slab->base = base;
    slab->item_bytes = item_bytes;
    slab->max_items = max_items;
    return STEER_OK;
}

void steer_slab_fini(struct steer_slab *slab)
{
    if (slab->base)
        munmap(slab->base, slab->item_bytes * slab->max_items);
    free(slab->free_list);
    memset(slab, 0, sizeof *slab);
}

static enum steer_err commit(struct steer_slab *slab, size_t need_bytes)
{
    if (need_bytes <= slab->committed_bytes)
        return STEER_OK;
    size_t limit = slab->item_bytes * slab->max_items;
    size_t to = (need_bytes + COMMIT_STEP - 1) / COMMIT_STEP * COMMIT_STEP;
    if (to > limit)
        to = limit;
    if (mprotect(slab->base, to, PROT_READ | PROT_WRITE) != 0)
        return STEER_ELIMIT;
    slab->committed_bytes = to;
    return STEER_OK;
}

enum steer_err steer_slab_take_run(struct steer_slab *slab, uint32_t n, uint32_t *first)
{
    if (n > slab->max_items - slab->next)
        return STEER_ELIMIT;
    enum steer_err err = commit(slab, ((size_t)slab->next + n) * slab->item_bytes);
    if (err != STEER_OK)
        return err;
    *first = slab->next;
    slab->next += n;
    return STEER_OK;
}

enum steer_err steer_slab_take(struct steer_slab *slab, uint32_t *index)
{
    if (slab->free_count == 0)
        return steer_slab_take_run(slab, 1, index);
    *index = slab->free_list[--slab->free_count];
    return STEER_OK;
}

void steer_slab_give(struct steer_slab *slab, uint32_t index)
{
    slab->free_list =
        steer_grow(slab->free_list, &slab->free_cap, slab->free_count + 1, sizeof *slab->free_list);
    slab->free_list[slab->free_count++] = index;
}
