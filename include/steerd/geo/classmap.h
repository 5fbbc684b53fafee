// SPDX-License-Identifier: GPL-3.0-or-later
// The class table: client address -> (class, scope) in two flat steps for IPv4, few for IPv6. Floor 2.
//
// scope(a) is the least L such that all addresses of a/L are in a's class (steering.md, "Client and
// scope"): the table is made by cutting the space in halves until a half has one class, and each leaf
// keeps the length at which that was first so. It is 0 only when there is one class in both families, else
// at least 1. The four areas of IPv6 that embed IPv4 addresses are holes: while IPv4 has more than one class,
// no scope from outside covers a part of one.
//
// Layout: u32 indices, no pointers between parts, so that the same memory can be read by a program that cannot
// follow pointers. Immutable once built; readers on any thread. Equal blocks are one, within a table and between
// all tables of a store, which one thread builds and destroys.
#ifndef STEERD_GEO_CLASSMAP_H
#define STEERD_GEO_CLASSMAP_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "steerd/base/addr.h"
#include "steerd/base/err.h"
#include "steerd/geo/partition.h"

// An entry is a leaf (scope << 16 | class) or, with the top bit set, the index of a block.
//   IPv4: top[16 bits] -> block of 256 (next 8 bits) -> block of 256 (last 8 bits).
//   IPv6: top[16 bits] -> blocks of 16 entries (one cache line), 4 bits each.
#define STEER_CLASSMAP_BLOCK UINT32_C(0x80000000)

struct steer_classmap {
    uint32_t class_count;
    uint32_t *top4;         // 65536 entries
    uint32_t *block4;       // 256 entries each
    uint32_t *top6;         // 65536 entries
    uint32_t *block6;       // 16 entries each
    uint32_t unknown_class; // of an IPv4-in-IPv6 source that stops before the embedded bits
    struct steer_classmap_store *store;
    bool owns_store, has_holes;
};

// The blocks of many tables. What is in it does not move, as workers read it; its blocks are freed with the last table that
// uses them, and taken again for the next ones.
struct steer_classmap_store;
// 8 GiB for each family. Address space is reserved for as many blocks, memory is taken as they are needed.
enum { STEER_CLASSMAP_BLOCKS4 = 1 << 23, STEER_CLASSMAP_BLOCKS6 = 1 << 27 };
// Errors: STEER_EIO (no address space).
enum steer_err steer_classmap_store_create(uint32_t blocks4_max, uint32_t blocks6_max,
                                           struct steer_classmap_store **store) STEER_MUST_USE;
// NULL is accepted. Requires that its tables were destroyed.
void steer_classmap_store_destroy(struct steer_classmap_store *store);
// In use now, each once; bytes of the tables, their blocks, and what finds these.
struct steer_classmap_store_stats {
    size_t blocks4, blocks6, bytes;
};
struct steer_classmap_store_stats
steer_classmap_store_stats(const struct steer_classmap_store *store);

// class_of[value] (count entries, each < class_count <= 65535) gives the class of each partition value.
// unknown_class: see above (the class of location 0 without any network rule). With a store of its own.
// NULL: too many blocks.
struct steer_classmap *steer_classmap_build(const struct steer_partition *p,
                                            const uint16_t *class_of, size_t count,
                                            uint16_t unknown_class);
// The same, among the other tables of the store. NULL: the store is full, and as before.
struct steer_classmap *steer_classmap_build_in(struct steer_classmap_store *store,
                                               const struct steer_partition *p,
                                               const uint16_t *class_of, size_t count,
                                               uint16_t unknown_class);
// The same table as build_in makes in the base's store, in less time: outside of the prefixes that differ all clients have
// the classes that they have in the base.
struct steer_classmap *
steer_classmap_build_like(const struct steer_classmap *base, const struct steer_prefix *differ,
                          size_t differ_count, const struct steer_partition *p,
                          const uint16_t *class_of, size_t count, uint16_t unknown_class);
// NULL is accepted. No reader may be left: what only this table used is free for others at once.
void steer_classmap_destroy(struct steer_classmap *map);

struct steer_class {
    uint16_t class_index;
    uint8_t scope; // in bits of the family asked
};

// The rare part of steer_classmap_lookup; false when addr embeds no IPv4 address.
bool steer_classmap_lookup_embedded(const struct steer_classmap *map, const struct steer_addr *addr,
                                    uint8_t source, struct steer_class *result);

// The class and scope of a client; source is the ECS source length, or the family's full length for a
// packet's source address. IPv4 inside IPv6 (mapped ::ffff/96, NAT64 64:ff9b::/96, 6to4 2002::/16,
// Teredo 2001:0::/32 with its inverted last 32 bits) is looked up as IPv4, and the scope is the offset
// plus the IPv4 scope. A source that stops at or before the offset gets unknown_class. No lock, no
// allocation. Takes 1-3 loads for IPv4.
static inline struct steer_class steer_classmap_lookup(const struct steer_classmap *map,
                                                       const struct steer_addr *addr,
                                                       uint8_t source)
{
    uint32_t entry;
    if (addr->family == STEER_V4) {
        const uint8_t *o = addr->octets;
        entry = map->top4[(unsigned)o[0] << 8 | o[1]];
        for (unsigned i = 2; entry & STEER_CLASSMAP_BLOCK; i++)
            entry = map->block4[(size_t)(entry & ~STEER_CLASSMAP_BLOCK) << 8 | o[i]];
    } else {
        uint64_t word;
        memcpy(&word, addr->octets, sizeof word);
        word = be64toh(word);
        bool embedded = word >> 48 == 0x2002 || word >> 32 == 0x20010000 ||
                        word == UINT64_C(0x0064ff9b00000000) || word == 0;
        struct steer_class result;
        if (STEER_UNLIKELY(embedded) && steer_classmap_lookup_embedded(map, addr, source, &result))
            return result;
        entry = map->top6[word >> 48];
        word <<= 16;
        for (unsigned used = 16; entry & STEER_CLASSMAP_BLOCK; used += 4) {
            if (used == 64) {
                memcpy(&word, addr->octets + 8, sizeof word);
                word = be64toh(word);
            }
            entry = map->block6[(size_t)(entry & ~STEER_CLASSMAP_BLOCK) << 4 | word >> 60];
            word <<= 4;
        }
    }
    return (struct steer_class){(uint16_t)entry, (uint8_t)(entry >> 16)};
}

// A look-up ahead of time, for a batch whose clients wait for memory side by side: ask the cache for the
// first entry; once it is there, for the one that it leads to. No effect on results. (What IPv4 inside IPv6
// needs is not asked for.) Always inlined, since GCC takes a call of a function that does nothing but fetch
// for one without effect, and drops it.
static inline const uint32_t *steer_classmap_first(const struct steer_classmap *map,
                                                   const struct steer_addr *addr)
{
    const uint32_t *top = addr->family == STEER_V4 ? map->top4 : map->top6;
    return top + ((unsigned)addr->octets[0] << 8 | addr->octets[1]);
}
static inline __attribute__((always_inline)) void
steer_classmap_prefetch(const struct steer_classmap *map, const struct steer_addr *addr)
{
    __builtin_prefetch(steer_classmap_first(map, addr));
}
static inline __attribute__((always_inline)) void
steer_classmap_prefetch_block(const struct steer_classmap *map, const struct steer_addr *addr)
{
    const uint32_t entry = *steer_classmap_first(map, addr);
    const size_t block = entry & ~STEER_CLASSMAP_BLOCK;
    if (!(entry & STEER_CLASSMAP_BLOCK))
        return;
    if (addr->family == STEER_V4)
        __builtin_prefetch(map->block4 + (block << 8 | addr->octets[2]));
    else
        __builtin_prefetch(map->block6 + (block << 4));
}

// The IPv4 address embedded in an IPv6 one; offset in bits. false when there is none. Teredo's is at
// offset 96.
bool steer_addr_embedded_v4(const struct steer_addr *addr, struct steer_addr *v4, unsigned *offset);

// The network that a client counts as, of v4_bits or v6_bits: all addresses of addr/scope are in it. An IPv4
// address inside IPv6 counts as IPv4, with scope the offset plus v4_bits; a network of IPv6 is
// narrower where it would hold one of the areas that embed IPv4.
void steer_client_network(const struct steer_addr *addr, uint8_t v4_bits, uint8_t v6_bits,
                          struct steer_prefix *network, uint8_t *scope);

#endif
