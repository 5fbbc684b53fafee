// SPDX-License-Identifier: GPL-3.0-or-later
// One owner with its RRsets, open for change.
#include <stdlib.h>

#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "zone_internal.h"

enum { LINEAR_MAX = 8 }; // so many RRs are searched one by one for a duplicate

// ---- one RRset -----------------------------------------------------------------------------------

static void write_u16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void write_u32(uint8_t *p, uint32_t value)
{
    write_u16(p, value >> 16);
    write_u16(p + 2, value & 0xffff);
}

static size_t rdata_len_at(const struct draft_set *set, size_t at)
{
    return (size_t)(set->rrs[at + 10] << 8 | set->rrs[at + 11]);
}

static bool rdata_is(const struct draft_set *set, size_t at, const uint8_t *rdata, size_t len)
{
    return rdata_len_at(set, at) == len &&
           (!len || memcmp(set->rrs + at + RR_HEAD_BYTES, rdata, len) == 0);
}

void steer_draft_set_reset(struct draft_set *set, uint16_t type, uint32_t ttl_s)
{
    set->type = type;
    set->ttl_lowered = false;
    set->count = 0;
    set->ttl_s = ttl_s;
    set->program = 0;
    set->len = 0;
    set->indexed = 0;
}

void steer_draft_set_fini(struct draft_set *set)
{
    free(set->rrs);
    free(set->index);
}

// The index slot of the RR with that RDATA, or the empty one where it goes.
static uint32_t *index_slot(const struct draft_set *set, const uint8_t *rdata, size_t len)
{
    size_t i = (size_t)steer_hash_bytes(rdata, len, 0) & (set->index_cap - 1);
    while (set->index[i] && !rdata_is(set, set->index[i] - 1, rdata, len))
        i = (i + 1) & (set->index_cap - 1);
    return &set->index[i];
}

static void index_all(struct draft_set *set)
{
    size_t cap = 64;
    while (cap < (size_t)set->count * 4)
        cap *= 2;
    if (cap > set->index_cap) {
        free(set->index);
        set->index = steer_alloc(cap * sizeof *set->index);
        set->index_cap = cap;
    }
    memset(set->index, 0, set->index_cap * sizeof *set->index);
    for (size_t at = 0; at < set->len; at += RR_HEAD_BYTES + rdata_len_at(set, at))
        *index_slot(set, set->rrs + at + RR_HEAD_BYTES, rdata_len_at(set, at)) = (uint32_t)at + 1;
    set->indexed = set->count;
}

static bool is_duplicate(struct draft_set *set, const uint8_t *rdata, size_t len)
{
    if (set->count > LINEAR_MAX) {
        if (set->indexed != set->count || ((size_t)set->count + 1) * 2 > set->index_cap)
            index_all(set);
        return *index_slot(set, rdata, len) != 0;
    }
    for (size_t at = 0; at < set->len; at += RR_HEAD_BYTES + rdata_len_at(set, at))
        if (rdata_is(set, at, rdata, len))
            return true;
    return false;
}

enum draft_added steer_draft_set_append(struct draft_set *set, const uint8_t *rdata,
                                        size_t rdata_len)
{
    if (rdata_len > RRSET_BYTES_MAX - RR_HEAD_BYTES)
        return DRAFT_TOO_LONG;
    if (is_duplicate(set, rdata, rdata_len))
        return DRAFT_DUPLICATE;
    const size_t len = set->len + RR_HEAD_BYTES + rdata_len;
    if (len > RRSET_BYTES_MAX)
        return DRAFT_TOO_LONG;
    set->rrs = steer_grow(set->rrs, &set->cap, len, 1);
    uint8_t *p = set->rrs + set->len;
    write_u16(p, 0xc00c); // the owner: a pointer to the question's name (RFC 1035 4.1.4)
    write_u16(p + 2, set->type);
    write_u16(p + 4, STEER_CLASS_IN);
    write_u32(p + 6, set->ttl_s);
    write_u16(p + 10, (uint32_t)rdata_len);
    if (rdata_len)
        memcpy(p + RR_HEAD_BYTES, rdata, rdata_len);
    if (set->indexed && set->indexed == set->count) {
        *index_slot(set, rdata, rdata_len) = (uint32_t)set->len + 1;
        set->indexed++;
    }
    set->len = len;
    set->count++;
    return DRAFT_ADDED;
}

// ---- the owner -----------------------------------------------------------------------------------

struct draft *steer_draft_create(void)
{
    return steer_calloc(1, sizeof(struct draft));
}

void steer_draft_destroy(struct draft *draft)
{
    if (!draft)
        return;
    for (size_t i = 0; i < draft->made; i++) {
        steer_draft_set_fini(draft->sets[i]);
        free(draft->sets[i]);
    }
    free(draft->sets);
    free(draft);
}

// Where the RRset of that type is or would be.
static size_t position(const struct draft *draft, uint16_t type)
{
    size_t low = 0;
    size_t high = draft->count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (draft->sets[middle]->type < type)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct draft *draft, size_t i, uint16_t type)
{
    return i < draft->count && draft->sets[i]->type == type;
}

struct draft_set *steer_draft_find(const struct draft *draft, uint16_t type)
{
    const size_t i = position(draft, type);
    return is_at(draft, i, type) ? draft->sets[i] : NULL;
}

struct draft_set *steer_draft_find_or_add(struct draft *draft, uint16_t type, uint32_t ttl_s)
{
    const size_t i = position(draft, type);
    if (is_at(draft, i, type))
        return draft->sets[i];
    if (draft->count == draft->made) {
        draft->sets = steer_grow(draft->sets, &draft->cap, draft->made + 1, sizeof *draft->sets);
        draft->sets[draft->made++] = steer_calloc(1, sizeof **draft->sets);
    }
    struct draft_set *spare = draft->sets[draft->count];
    memmove(draft->sets + i + 1, draft->sets + i, (draft->count - i) * sizeof *draft->sets);
    draft->sets[i] = spare;
    draft->count++;
    steer_draft_set_reset(spare, type, ttl_s);
    return spare;
}

bool steer_draft_remove(struct draft *draft, uint16_t type)
{
    const size_t i = position(draft, type);
    if (!is_at(draft, i, type))
        return false;
    struct draft_set *set = draft->sets[i];
    draft->count--;
    memmove(draft->sets + i, draft->sets + i + 1, (draft->count - i) * sizeof *draft->sets);
    draft->sets[draft->count] = set;
    draft->bytes -= set->len;
    draft->changed = true;
    return true;
}

void steer_draft_swap(struct draft *draft, struct draft_set *set)
{
    struct draft_set *at = steer_draft_find_or_add(draft, set->type, set->ttl_s);
    const struct draft_set old = *at;
    draft->bytes = draft->bytes - old.len + set->len;
    *at = *set;
    *set = old;
    draft->changed = true;
}

void steer_draft_open(struct draft *draft, const struct steer_name *owner,
                      const struct steer_name_hashes *hashes, const struct steer_zone_node *node)
{
    draft->hash = hashes->hash[owner->labels];
    draft->open = true;
    draft->changed = false;
    draft->owner.len = owner->len;
    draft->owner.labels = owner->labels;
    memcpy(draft->owner.octets, owner->octets, owner->len);
    memcpy(draft->hashes.hash, hashes->hash, (owner->labels + 1u) * sizeof hashes->hash[0]);
    memcpy(draft->hashes.at, hashes->at, owner->labels + 1u);
    draft->count = 0;
    draft->bytes = 0;
    for (unsigned i = 0; node && i < node->rrset_count; i++) {
        const struct steer_rrset *from = &node->rrsets[i];
        struct draft_set *set = steer_draft_find_or_add(draft, from->type, from->ttl_s);
        set->count = from->count;
        if (steer_rrset_is_steered(from)) {
            set->program = from->at;
            continue;
        }
        set->rrs = steer_grow(set->rrs, &set->cap, from->len, 1);
        memcpy(set->rrs, steer_rrset_rrs(node, from), from->len);
        set->len = from->len;
        draft->bytes += from->len;
    }
}

static uint8_t flags_of(const struct draft_set *set, bool apex)
{
    const uint8_t steered = set->count ? 0 : STEER_NODE_STEERED;
    switch (set->type) {
    case STEER_TYPE_NS:
        return apex ? 0 : STEER_NODE_CUT;
    case STEER_TYPE_DNAME:
        return STEER_NODE_DNAME;
    case STEER_TYPE_CNAME:
        return STEER_NODE_CNAME | steered;
    default:
        return steered;
    }
}

static void set_ttls(uint8_t *rrs, size_t len, uint32_t ttl_s)
{
    for (size_t at = 0; at < len; at += RR_HEAD_BYTES + (size_t)(rrs[at + 10] << 8 | rrs[at + 11]))
        write_u32(rrs + at + 6, ttl_s);
}

struct steer_zone_node *steer_draft_node(const struct draft *draft, uint32_t children,
                                         uint8_t flags)
{
    const size_t head = sizeof(struct steer_zone_node) + draft->count * sizeof(struct steer_rrset) +
                        draft->owner.len;
    struct steer_zone_node *node = steer_alloc(head + draft->bytes);
    *node = (struct steer_zone_node){
        .hash = draft->hash,
        .children = children,
        .owner_len = draft->owner.len,
        .flags = flags,
        .rrset_count = (uint16_t)draft->count,
    };
    memcpy(node->rrsets + draft->count, draft->owner.octets, draft->owner.len);
    size_t at = head;
    for (size_t i = 0; i < draft->count; i++) {
        const struct draft_set *set = draft->sets[i];
        node->flags |= flags_of(set, flags & STEER_NODE_APEX);
        node->rrsets[i] = (struct steer_rrset){
            .type = set->type,
            .count = (uint16_t)set->count,
            .ttl_s = set->ttl_s,
            .at = set->count ? (uint32_t)at : set->program,
            .len = (uint32_t)set->len,
        };
        if (!set->len)
            continue;
        uint8_t *rrs = (uint8_t *)node + at;
        memcpy(rrs, set->rrs, set->len);
        if (set->ttl_lowered)
            set_ttls(rrs, set->len, set->ttl_s);
        at += set->len;
    }
    return node;
}
