// SPDX-License-Identifier: GPL-3.0-or-later
// What the modules of geo share: 128-bit numbers, a map of numbers, and the reading of one .mmdb file.
#ifndef STEERD_GEO_INTERNAL_H
#define STEERD_GEO_INTERNAL_H

#include <maxminddb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steerd/base/err.h"
#include "steerd/base/slab.h"
#include "steerd/geo/geo.h"
#include "steerd/geo/partition.h"

__extension__ typedef unsigned __int128 steer_uint128;

static inline steer_uint128 u128(struct steer_u128 v)
{
    return (steer_uint128)v.hi << 64 | v.lo;
}

static inline struct steer_u128 u128_split(steer_uint128 v)
{
    return (struct steer_u128){(uint64_t)(v >> 64), (uint64_t)v};
}

// The lowest `bits` (0..128) bits set.
static inline steer_uint128 u128_ones(unsigned bits)
{
    return bits ? ~(steer_uint128)0 >> (128 - bits) : 0;
}

// u64 -> u32, open addressing; zero-initialise to start.
struct steer_nummap {
    uint64_t *keys; // plus one, so that 0 is a free slot; the key 2^64-1 is not used
    uint32_t *values;
    size_t cap, used;
};
void steer_nummap_fini(struct steer_nummap *map);
bool steer_nummap_get(const struct steer_nummap *map, uint64_t key, uint32_t *value);
// The key must not be there yet.
void steer_nummap_add(struct steer_nummap *map, uint64_t key, uint32_t value);

// Distinct locations; index 0 is the unknown one.
struct steer_locations {
    struct steer_location *items;
    size_t count, cap;
    struct steer_nummap by_hash;
};
void steer_locations_init(struct steer_locations *set);
void steer_locations_fini(struct steer_locations *set);
uint32_t steer_locations_intern(struct steer_locations *set, const struct steer_location *location);

// A record's fields as the file's keys name them.
struct steer_record_keys;
enum steer_err steer_record_keys_create(const struct steer_geo_keys *keys,
                                        struct steer_record_keys **out, struct steer_diag *diag);
void steer_record_keys_destroy(struct steer_record_keys *keys);
// NULL, or what is wrong with the data at that offset of the data section.
const char *steer_record_read(const struct steer_record_keys *keys, const MMDB_s *mmdb,
                              uint32_t offset, struct steer_location *out);

// ---- blocks.c -------------------------------------------------------------------------------------

// Blocks of `width` entries (classmap.h). They never move, so that readers follow indices into slab.base while one thread
// takes and releases. An entry that leads to a block is a reference of it, in a table as in a block.
struct steer_block_note;
struct steer_blocks {
    struct steer_slab slab;
    uint32_t width;
    struct steer_block_note *notes; // of each block
    size_t note_cap;
    uint64_t *slots; // blocks by hash
    size_t slot_count, used;
    size_t freed; // since memory was last given back
};
// At most max blocks. Errors: STEER_EIO.
enum steer_err steer_blocks_init(struct steer_blocks *blocks, uint32_t width,
                                 uint32_t max) STEER_MUST_USE;
void steer_blocks_fini(struct steer_blocks *blocks);
// An entry that leads to the block with these entries, for the references that they hold. STEER_ELIMIT: these stay.
enum steer_err steer_blocks_take(struct steer_blocks *blocks, const uint32_t *entries,
                                 uint32_t *entry) STEER_MUST_USE;
// One more reference for each of the entries that leads to a block, or one less: what nobody leads to any more is free to
// be taken again, and the caller knows that no reader is left.
void steer_blocks_ref(struct steer_blocks *blocks, const uint32_t *entries, size_t count);
void steer_blocks_release(struct steer_blocks *blocks, const uint32_t *entries, size_t count);
// Gives memory of free blocks back to the system where much was freed.
void steer_blocks_trim(struct steer_blocks *blocks);
// Memory of the blocks in use, with what finds them.
size_t steer_blocks_bytes(const struct steer_blocks *blocks);

// ---- geofeed.c ------------------------------------------------------------------------------------

// A table of networks as text. On success *part is a new partition of indices into locations. STEER_EINVAL with
// path, line, column and what would be right.
enum steer_err steer_geofeed_read(const char *text, size_t len, const char *path,
                                  struct steer_locations *locations, struct steer_partition *part,
                                  uint64_t *networks, struct steer_diag *diag);

#endif
