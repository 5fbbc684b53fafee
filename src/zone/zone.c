// SPDX-License-Identifier: GPL-3.0-or-later
// Reading a zone version, and letting one go.
#include "steerd/zone/zone.h"

#include <stdlib.h>

#include "steerd/base/mem.h"
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

static int by_data(const void *a, const void *b)
{
    const struct steer_rr_view *x = a, *y = b;
    if (x->rdata_len != y->rdata_len)
        return x->rdata_len < y->rdata_len ? -1 : 1;
    return memcmp(x->rdata, y->rdata, x->rdata_len);
}

// The RRs by their data; the array is the caller's.
static struct steer_rr_view *sorted(const struct steer_zone_node *node,
                                    const struct steer_rrset *set)
{
    struct steer_rr_view *rrs = steer_calloc(set->count, sizeof *rrs);
    size_t n = 0;
    for (size_t at = 0; n < set->count && steer_rrset_next(node, set, &at, &rrs[n]);)
        n++;
    qsort(rrs, n, sizeof *rrs, by_data);
    return rrs;
}

// The same RRs in another order, perhaps.
static bool same_data(const struct steer_zone_node *a, const struct steer_rrset *of_a,
                      const struct steer_zone_node *b, const struct steer_rrset *of_b)
{
    struct steer_rr_view *x = sorted(a, of_a), *y = sorted(b, of_b);
    bool same = true;
    for (unsigned i = 0; same && i < of_a->count; i++)
        same = by_data(&x[i], &y[i]) == 0;
    free(x);
    free(y);
    return same;
}

// The SOA but for its serial, the first of the five numbers at its end.
static bool same_soa(const struct steer_rr_view *a, const struct steer_rr_view *b)
{
    return a->rdata_len == b->rdata_len && a->rdata_len >= 22 &&
           memcmp(a->rdata, b->rdata, a->rdata_len - 20u) == 0 &&
           memcmp(a->rdata + a->rdata_len - 16, b->rdata + b->rdata_len - 16, 16) == 0;
}

static bool same_set(const struct steer_zone_node *a, const struct steer_rrset *of_a,
                     const struct steer_zone_node *b)
{
    const struct steer_rrset *of_b = steer_zone_node_rrset(b, of_a->type);
    struct steer_rr_view rr, other;
    size_t at = 0, at_other = 0;
    if (!of_b || of_a->count != of_b->count || of_a->ttl_s != of_b->ttl_s || of_a->len != of_b->len)
        return false;
    if (memcmp(steer_rrset_rrs(a, of_a), steer_rrset_rrs(b, of_b), of_a->len) == 0)
        return true;
    if (of_a->type == STEER_TYPE_SOA)
        return steer_rrset_next(a, of_a, &at, &rr) &&
               steer_rrset_next(b, of_b, &at_other, &other) && same_soa(&rr, &other);
    return same_data(a, of_a, b, of_b);
}

struct comparison {
    const struct steer_zone *with;
    bool same;
};

static bool compare_node(void *ctx, const struct steer_zone_node *node)
{
    struct comparison *c = ctx;
    const struct steer_zone_node *other =
        steer_zone_find(c->with, node->hash, steer_zone_node_owner(node));
    for (unsigned i = 0; i < node->rrset_count && c->same; i++)
        if (!steer_rrset_is_steered(&node->rrsets[i]))
            c->same = other && same_set(node, &node->rrsets[i], other);
    return c->same;
}

bool steer_zone_same(const struct steer_zone *a, const struct steer_zone *b)
{
    // With as many RRsets on both sides, each of one side found on the other is enough.
    struct comparison c = {b, a->record_count == b->record_count &&
                                  a->rrset_count - a->steered_count ==
                                      b->rrset_count - b->steered_count};
    if (c.same)
        steer_zone_each(a, compare_node, &c);
    return c.same;
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
