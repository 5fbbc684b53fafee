// SPDX-License-Identifier: GPL-3.0-or-later
// A partition of the client address space: sorted ranges with a value each. Floor 2. Pure.
#ifndef STEERD_GEO_PARTITION_H
#define STEERD_GEO_PARTITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steerd/base/addr.h"

struct steer_u128 {
    uint64_t hi, lo;
};

// Range i covers start[i] .. start[i+1]-1 (the last one to the end of the space). start[0] is 0, so that
// every address is covered; neighbours differ in value.
struct steer_partition {
    uint32_t *start4;
    uint32_t *value4;
    size_t count4;
    struct steer_u128 *start6;
    uint32_t *value6;
    size_t count6;
};

// The whole space of both families with one value.
void steer_partition_init(struct steer_partition *p, uint32_t value);
// Frees it; it is zeroed then.
void steer_partition_fini(struct steer_partition *p);
// The value of the range that holds the address; IPv4 inside IPv6 is the caller's matter.
uint32_t steer_partition_lookup(const struct steer_partition *p, const struct steer_addr *addr);
// Whether all addresses of the prefix have one value.
bool steer_partition_is_one(const struct steer_partition *p, const struct steer_prefix *prefix);

// The common refinement: pair(ctx, value in a, value in b) gives the value of each piece; equal
// neighbours merge. out is initialised by the call.
void steer_partition_overlay(const struct steer_partition *a, const struct steer_partition *b,
                             uint32_t (*pair)(void *ctx, uint32_t a, uint32_t b), void *ctx,
                             struct steer_partition *out);

// A partition from prefixes: each address has the value of the longest prefix that holds it, else
// `otherwise`. Prefixes in any order; of equal ones the last wins.
struct steer_prefix_value {
    struct steer_prefix prefix;
    uint32_t value;
};
void steer_partition_from_prefixes(const struct steer_prefix_value *items, size_t count,
                                   uint32_t otherwise, struct steer_partition *out);

// Building from ranges that come in rising order (both families apart), into a zeroed partition or one
// from init; *cap starts at 0. A start equal to the last one replaces that range; a value equal to its
// neighbour's adds nothing.
void steer_partition_append4(struct steer_partition *p, size_t *cap, uint32_t start,
                             uint32_t value);
void steer_partition_append6(struct steer_partition *p, size_t *cap, struct steer_u128 start,
                             uint32_t value);

struct steer_u128 steer_addr_to_u128(const struct steer_addr *addr); // IPv4 sits in the low 32 bits

#endif
