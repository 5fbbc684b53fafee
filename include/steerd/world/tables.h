// SPDX-License-Identifier: GPL-3.0-or-later
// The steering tables: cells, outcome lists, pre-rendered answers. Floor 4.
//
// Flat arrays, u32 indices, no pointers. A cell is one aligned u32: the index of the list that is current. A
// health change writes a new list into free lines and then stores the cell; readers load it once per
// answer. Lists and answers that a cell no longer names are given back after a grace period. One writer
// (control); readers on any thread that announces quiescent states.
#ifndef STEERD_WORLD_TABLES_H
#define STEERD_WORLD_TABLES_H

#include <endian.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "steerd/base/hash.h"
#include "steerd/base/slab.h"
#include "steerd/policy/decide.h"

enum { STEER_LINE_BYTES = 64, STEER_LIST_INLINE = 7 };

// One outcome of a list: given when the draw u <= upto and u > the one before.
struct steer_list_entry {
    uint32_t upto;   // cumulative share in 2^-32, inclusive; the last one is UINT32_MAX
    uint32_t answer; // line of the answer
};

// Seven outcomes and the head fill a cache line; longer lists run on into the following lines. A sticky
// one with several outcomes names its slots after them: the line, among the answers, of STEER_SLOTS u16, each the
// number of an entry. Equal slots are there once.
struct steer_list {
    uint32_t count; // 0: NODATA
    uint32_t flags; // STEER_LIST_*
    struct steer_list_entry entries[];
};
enum {
    STEER_LIST_SERVED_ALL = 1,
    STEER_LIST_EXHAUSTED = 2,
    STEER_LIST_STICKY = 4, // the client's network plays a part, now or in other health
    STEER_LIST_SLOTS = 8,
};

// A pre-rendered RRset: RRs with the owner as a pointer to offset 12 and TTL 0 (patched when given).
struct steer_answer_slot {
    uint16_t len;       // octets of rrs
    uint16_t count;     // RRs
    uint32_t ttl_cap_s; // UINT32_MAX: none
    uint32_t stride;    // octets of each RR when all are alike, else 0
    uint32_t
        endpoint_count; // stable ids follow the RRs, 4-byte aligned, for the drain book-keeping
    uint8_t rrs[];
};

// Where the endpoints' numbers begin, from the slot's first octet.
static inline size_t steer_answer_slot_endpoints(size_t len)
{
    return (offsetof(struct steer_answer_slot, rrs) + len + 3) & ~(size_t)3;
}

struct steer_tables {
    struct steer_slab cells;
    struct steer_slab list_lines;
    struct steer_slab answer_lines;
    struct steer_slab
        expiries; // by endpoint number: _Atomic u32, when the last answer given ends (Unix
                  // seconds; 0: none was given)
};

// The list that is current: one load of the cell. Readers are done with it before their next quiescent state.
static inline const struct steer_list *steer_tables_list(const struct steer_tables *t,
                                                         uint32_t cell)
{
    const _Atomic uint32_t *at = (const _Atomic uint32_t *)steer_slab_at(&t->cells, cell);
    return (const struct steer_list *)steer_slab_at(&t->list_lines,
                                                    atomic_load_explicit(at, memory_order_acquire));
}

// The answer at a line of a list that the reader has.
static inline const struct steer_answer_slot *steer_tables_answer(const struct steer_tables *t,
                                                                  uint32_t line)
{
    return (const struct steer_answer_slot *)steer_slab_at(&t->answer_lines, line);
}

static inline _Atomic uint32_t *steer_tables_expiry(const struct steer_tables *t, uint32_t endpoint)
{
    return (_Atomic uint32_t *)steer_slab_at(&t->expiries, endpoint);
}

// Notes that an answer was given and may be used until then, for each endpoint in it. Any thread; the
// latest moment stays. Seldom more than a load: a moment is news once a second.
static inline void steer_tables_note_given(const struct steer_tables *t, uint32_t line,
                                           uint32_t until_unix_s)
{
    const struct steer_answer_slot *slot = steer_tables_answer(t, line);
    const uint32_t *endpoints =
        (const uint32_t *)((const uint8_t *)slot + steer_answer_slot_endpoints(slot->len));
    for (uint32_t i = 0; i < slot->endpoint_count; i++) {
        _Atomic uint32_t *at = steer_tables_expiry(t, endpoints[i]);
        uint32_t last = atomic_load_explicit(at, memory_order_relaxed);
        while (last < until_unix_s &&
               !atomic_compare_exchange_weak_explicit(at, &last, until_unix_s, memory_order_relaxed,
                                                      memory_order_relaxed))
            continue;
    }
}

// The line of the slots of a list that has them (STEER_LIST_SLOTS).
static inline uint32_t steer_list_slots(const struct steer_list *list)
{
    return *(const uint32_t *)(list->entries + list->count);
}

static inline uint64_t steer_addr_hash(const struct steer_addr *addr)
{
    uint64_t words[2];
    memcpy(words, addr->octets, sizeof words);
    return steer_mix64(steer_mix64(be64toh(words[0]) + addr->family) ^ be64toh(words[1]));
}

// The slot of a network of clients, the same for all records.
static inline uint16_t steer_network_slot(const struct steer_addr *network)
{
    return (uint16_t)(steer_addr_hash(network) >> (64 - STEER_SLOT_BITS));
}

// The outcome of a sticky list, which has one at least.
static inline uint32_t steer_list_owner(const struct steer_tables *t, const struct steer_list *list,
                                        uint16_t slot)
{
    if (!(list->flags & STEER_LIST_SLOTS))
        return list->entries[0].answer;
    const uint16_t *slots =
        (const uint16_t *)steer_slab_at(&t->answer_lines, steer_list_slots(list));
    return list->entries[slots[slot]].answer;
}

// The outcome of a list for a draw u; the list has one at least.
static inline uint32_t steer_list_draw(const struct steer_list *list, uint32_t u)
{
    const struct steer_list_entry *e = list->entries;
    uint32_t n = list->count;
    if (n <= STEER_LIST_INLINE) {
        while (u > e->upto)
            e++;
        return e->answer;
    }
    while (n > 1) {
        uint32_t half = n / 2;
        if (u > e[half - 1].upto)
            e += half, n -= half;
        else
            n = half;
    }
    return e->answer;
}

#endif
