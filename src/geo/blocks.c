// SPDX-License-Identifier: GPL-3.0-or-later
// Blocks of class tables' entries: equal ones are one, counted by the entries that lead to it.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "geo_internal.h"
#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/geo/classmap.h"

struct steer_block_note {
    uint32_t refs, hash;
};

enum { FIRST_SLOTS = 1 << 8, TRIM_BYTES = 1 << 20, TRIM_RUN_BYTES = 1 << 14 };

enum steer_err steer_blocks_init(struct steer_blocks *b, uint32_t width, uint32_t max)
{
    *b = (struct steer_blocks){.width = width};
    return steer_slab_init(&b->slab, width * sizeof(uint32_t), max);
}

void steer_blocks_fini(struct steer_blocks *b)
{
    steer_slab_fini(&b->slab);
    free(b->notes);
    free(b->slots);
    *b = (struct steer_blocks){0};
}

size_t steer_blocks_bytes(const struct steer_blocks *b)
{
    // Of slots there are about two for each block.
    return b->used * (b->slab.item_bytes + sizeof *b->notes + 2 * sizeof *b->slots);
}

// ---- block by hash: (hash << 32 | index + 1) in slots, 0 where free; linear probing -----------------

static uint64_t slot_of(uint32_t hash, uint32_t index)
{
    return (uint64_t)hash << 32 | (index + 1);
}

static void put_slot(struct steer_blocks *b, uint64_t slot)
{
    size_t at = (slot >> 32) & (b->slot_count - 1);
    while (b->slots[at])
        at = (at + 1) & (b->slot_count - 1);
    b->slots[at] = slot;
}

static void make_room(struct steer_blocks *b)
{
    if ((b->used + 1) * 4 <= b->slot_count * 3)
        return;
    uint64_t *old = b->slots;
    const size_t count = b->slot_count;
    b->slot_count = count ? count * 2 : FIRST_SLOTS;
    b->slots = steer_calloc(b->slot_count, sizeof *b->slots);
    for (size_t i = 0; i < count; i++)
        if (old[i])
            put_slot(b, old[i]);
    free(old);
}

// Frees the block's slot, and moves up those that were pushed behind it.
static void clear_slot(struct steer_blocks *b, uint32_t index)
{
    const size_t mask = b->slot_count - 1;
    const uint64_t slot = slot_of(b->notes[index].hash, index);
    size_t hole = (slot >> 32) & mask;
    while (b->slots[hole] != slot)
        hole = (hole + 1) & mask;
    for (size_t at = (hole + 1) & mask; b->slots[at]; at = (at + 1) & mask) {
        const size_t home = (b->slots[at] >> 32) & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        b->slots[hole] = b->slots[at];
        hole = at;
    }
    b->slots[hole] = 0;
}

static bool find(const struct steer_blocks *b, const uint32_t *entries, uint32_t hash,
                 uint32_t *index)
{
    if (!b->slot_count)
        return false;
    for (size_t at = hash & (b->slot_count - 1); b->slots[at];
         at = (at + 1) & (b->slot_count - 1)) {
        *index = (uint32_t)b->slots[at] - 1;
        if (b->slots[at] >> 32 == hash &&
            memcmp(steer_slab_at(&b->slab, *index), entries, b->slab.item_bytes) == 0)
            return true;
    }
    return false;
}

// ---- references ----------------------------------------------------------------------------------

// A count that was ever at its greatest is not known any more: the block stays.
static void take_again(struct steer_blocks *b, uint32_t index)
{
    if (b->notes[index].refs < UINT32_MAX)
        b->notes[index].refs++;
}

// A new block takes over what its entries hold of others.
static enum steer_err add(struct steer_blocks *b, const uint32_t *entries, uint32_t hash,
                          uint32_t *index)
{
    enum steer_err err = steer_slab_take(&b->slab, index);
    if (err != STEER_OK)
        return err;
    memcpy(steer_slab_at(&b->slab, *index), entries, b->slab.item_bytes);
    b->notes = steer_grow(b->notes, &b->note_cap, (size_t)*index + 1, sizeof *b->notes);
    b->notes[*index] = (struct steer_block_note){.refs = 1, .hash = hash};
    make_room(b);
    put_slot(b, slot_of(hash, *index));
    b->used++;
    return STEER_OK;
}

enum steer_err steer_blocks_take(struct steer_blocks *b, const uint32_t *entries, uint32_t *entry)
{
    const uint32_t hash = (uint32_t)steer_hash_bytes(entries, b->slab.item_bytes, 0);
    uint32_t index;
    enum steer_err err = STEER_OK;
    if (find(b, entries, hash, &index)) {
        take_again(b, index);
        steer_blocks_release(b, entries, b->width);
    } else {
        err = add(b, entries, hash, &index);
    }
    if (err == STEER_OK)
        *entry = STEER_CLASSMAP_BLOCK | index;
    return err;
}

void steer_blocks_ref(struct steer_blocks *b, const uint32_t *entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (entries[i] & STEER_CLASSMAP_BLOCK)
            take_again(b, entries[i] & ~STEER_CLASSMAP_BLOCK);
}

void steer_blocks_release(struct steer_blocks *b, const uint32_t *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint32_t index = entries[i] & ~STEER_CLASSMAP_BLOCK;
        if (!(entries[i] & STEER_CLASSMAP_BLOCK) || b->notes[index].refs == UINT32_MAX ||
            --b->notes[index].refs)
            continue;
        clear_slot(b, index);
        b->used--;
        b->freed++;
        steer_blocks_release(b, steer_slab_at(&b->slab, index), b->width);
        steer_slab_give(&b->slab, index);
    }
}

// The whole pages between two blocks, where that is worth a call.
static void give_back(const struct steer_blocks *b, uint32_t from, uint32_t to)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uint8_t *base = b->slab.base;
    const size_t begin = ((size_t)from * b->slab.item_bytes + page - 1) / page * page;
    const size_t end = (size_t)to * b->slab.item_bytes / page * page;
    if (end >= begin + TRIM_RUN_BYTES)
        (void)madvise(base + begin, end - begin, MADV_DONTNEED); // when it fails it stays taken
}

void steer_blocks_trim(struct steer_blocks *b)
{
    if (b->freed * b->slab.item_bytes < TRIM_BYTES || b->freed < b->used / 2)
        return;
    b->freed = 0;
    for (uint32_t i = 0; i < b->slab.next; i++) {
        const uint32_t from = i;
        while (i < b->slab.next && !b->notes[i].refs)
            i++;
        if (i > from)
            give_back(b, from, i);
    }
}
