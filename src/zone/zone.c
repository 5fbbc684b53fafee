// SPDX-License-Identifier: GPL-3.0-or-later
// Reading a zone version, and letting one go.
#include "steerd/zone/zone.h"

#include "zone_internal.h"

const struct steer_zone_node *steer_zone_find(const struct steer_zone *zone, uint64_t hash,
                                              const uint8_t *name)
{
    return trie_find(&zone->names, hash, node_match, name);
}

const struct steer_zone_node *steer_zone_find_in(uintptr_t leaf, uint64_t hash, const uint8_t *name)
{
    return trie_find_in(leaf, hash, node_match, name);
}

size_t steer_zone_node_bytes(const struct steer_zone_node *node)
{
    size_t bytes = sizeof *node + node->rrset_count * sizeof node->rrsets[0] + node->owner_len;
    for (unsigned i = 0; i < node->rrset_count; i++)
        bytes += node->rrsets[i].len;
    return bytes;
}

struct visitor {
    bool (*visit)(void *ctx, const struct steer_zone_node *node);
    void *ctx;
};

static bool visit_node(void *ctx, const void *item)
{
    const struct visitor *v = ctx;
    const struct steer_zone_node *node = item;
    return !node->rrset_count || v->visit(v->ctx, node);
}

void steer_zone_each(const struct steer_zone *zone,
                     bool (*visit)(void *ctx, const struct steer_zone_node *node), void *ctx)
{
    steer_trie_each(&zone->names, visit_node, &(struct visitor){visit, ctx});
}

void steer_zone_retire(struct steer_zone *zone, struct steer_retired *retired)
{
    steer_trie_retire(&zone->names, retired);
    steer_retired_add(retired, zone);
}

void steer_zone_difference(struct steer_zone *zone, const struct steer_zone *base,
                           struct steer_fresh *blocks)
{
    steer_trie_difference(&zone->names, base ? &base->names : NULL, false, blocks);
    steer_fresh_add(blocks, zone);
}

bool steer_rrset_next(const struct steer_zone_node *node, const struct steer_rrset *set, size_t *at,
                      struct steer_rr_view *rr)
{
    if (*at >= set->len)
        return false;
    const uint8_t *p = steer_rrset_rrs(node, set) + *at;
    rr->ttl_s = (uint32_t)p[6] << 24 | (uint32_t)p[7] << 16 | (uint32_t)p[8] << 8 | p[9];
    rr->rdata_len = (uint16_t)(p[10] << 8 | p[11]);
    rr->rdata = p + RR_HEAD_BYTES;
    *at += RR_HEAD_BYTES + (size_t)rr->rdata_len;
    return true;
}
