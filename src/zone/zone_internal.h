// SPDX-License-Identifier: GPL-3.0-or-later
// What the files of the zone room share: the trie's layout with its inlined search, and drafts.
#ifndef STEERD_ZONE_INTERNAL_H
#define STEERD_ZONE_INTERNAL_H

#include <string.h>

#include "steerd/zone/zone.h"

// ---- trie ----------------------------------------------------------------------------------------

// A slot is 0 (empty), an item (no mark), a page or a directory; the marks are in the low bits that
// malloc's alignment leaves free. A slot with one item needs no page.
enum { SLOT_DIR = 1, SLOT_PAGE = 2, SLOT_MARKS = 3 };

enum {
    TRIE_BITS = 6,
    TRIE_FANOUT = 1 << TRIE_BITS,
    TRIE_DEPTH_MAX = 10, // 60 bits are used up; below that pages grow without limit
    TRIE_PAGE_MAX = 12,  // a fuller page becomes a directory
    TRIE_PAGE_JOIN = 4,  // a directory with so few items becomes a page again
    TRIE_TAG_SHIFT = 48,
};

struct trie_dir {
    uintptr_t slots[TRIE_FANOUT];
};

// An entry is an item's address with the low 16 bits of its hash on top, so that a miss seldom touches
// the item. (User-space addresses have 48 bits unless a program asks the kernel for more.)
struct trie_page {
    uint64_t count;
    uint64_t entries[];
};

static inline uint64_t trie_hash_of(const void *item)
{
    return *(const uint64_t *)item;
}

static inline void *trie_entry_item(uint64_t entry)
{
    return (void *)(uintptr_t)(entry & ((UINT64_C(1) << TRIE_TAG_SHIFT) - 1));
}

static inline struct trie_dir *trie_dir_of(uintptr_t slot)
{
    return (struct trie_dir *)(slot - SLOT_DIR);
}

static inline struct trie_page *trie_page_of(uintptr_t slot)
{
    return (struct trie_page *)(slot - SLOT_PAGE);
}

// Where a directory's slot for the top bits of *hash is; takes these bits away.
static inline const uintptr_t *trie_next(uintptr_t dir, uint64_t *hash)
{
    const uintptr_t *slot = &trie_dir_of(dir)->slots[*hash >> (64 - TRIE_BITS)];
    *hash <<= TRIE_BITS;
    return slot;
}

static inline uintptr_t trie_leaf(const struct steer_trie *trie, uint64_t hash)
{
    uintptr_t slot = trie->root;
    while (slot & SLOT_DIR)
        slot = *trie_next(slot, &hash);
    return slot;
}

// Inlined with a match that is known at compile time where it is hot.
static inline __attribute__((always_inline)) const void *
trie_find_in(uintptr_t slot, uint64_t hash, steer_trie_match *match, const void *key)
{
    if (!(slot & SLOT_PAGE)) {
        const void *item = (const void *)slot;
        return item && trie_hash_of(item) == hash && match(item, key) ? item : NULL;
    }
    const struct trie_page *page = trie_page_of(slot);
    const uint64_t tag = hash & 0xffff;
    for (uint64_t i = 0; i < page->count; i++) {
        if (page->entries[i] >> TRIE_TAG_SHIFT != tag)
            continue;
        const void *item = trie_entry_item(page->entries[i]);
        if (trie_hash_of(item) == hash && match(item, key))
            return item;
    }
    return NULL;
}

static inline __attribute__((always_inline)) const void *
trie_find(const struct steer_trie *trie, uint64_t hash, steer_trie_match *match, const void *key)
{
    return trie_find_in(trie_leaf(trie, hash), hash, match, key);
}

// ---- nodes ---------------------------------------------------------------------------------------

static inline bool node_match(const void *item, const void *key)
{
    const struct steer_zone_node *node = item;
    const uint8_t *name = key;
    size_t len = 0;
    while (name[len])
        len += name[len] + 1u;
    return len + 1 == node->owner_len && memcmp(steer_zone_node_owner(node), name, len) == 0;
}

size_t steer_zone_node_bytes(const struct steer_zone_node *node);

// Fills zone->negative from the SOA at its apex; negative_ttl_s is known.
void steer_zone_render_negative(struct steer_zone *zone, const struct steer_rr_view *soa);

// ---- drafts --------------------------------------------------------------------------------------

enum { RR_HEAD_BYTES = 12, RRSET_BYTES_MAX = 65535, DRAFT_BYTES_MAX = 16 << 20 };

// An RRset under construction.
struct draft_set {
    uint16_t type;
    bool ttl_lowered; // RRs that came earlier still carry a higher TTL
    uint32_t count;   // 0: steered
    uint32_t ttl_s;
    uint32_t program;
    uint8_t *rrs;
    size_t len, cap;
    uint32_t *index; // offsets + 1 of RRs by hash of RDATA, once a linear search would not do
    size_t index_cap, indexed;
};

// One owner with its RRsets, open for change: so that RRs which come one by one are not copied each time.
struct draft {
    uint64_t hash; // first, as the trie wants it
    bool open;
    bool changed;
    struct steer_name owner;
    struct steer_name_hashes hashes;
    struct draft_set **sets; // in order of type; those from count to made are spare
    size_t count, made, cap;
    size_t bytes; // of all RRs
};

enum draft_added { DRAFT_ADDED, DRAFT_DUPLICATE, DRAFT_TOO_LONG };

struct draft *steer_draft_create(void);
void steer_draft_destroy(struct draft *draft); // NULL is accepted
// Opens the draft for an owner, with the RRsets of node (may be NULL).
void steer_draft_open(struct draft *draft, const struct steer_name *owner,
                      const struct steer_name_hashes *hashes, const struct steer_zone_node *node);
struct draft_set *steer_draft_find(const struct draft *draft, uint16_t type);
struct draft_set *steer_draft_find_or_add(struct draft *draft, uint16_t type, uint32_t ttl_s);
bool steer_draft_remove(struct draft *draft, uint16_t type);
// Exchanges set with the draft's RRset of its type.
void steer_draft_swap(struct draft *draft, struct draft_set *set);
// A node of exact size. children and flags are added as they are.
struct steer_zone_node *steer_draft_node(const struct draft *draft, uint32_t children,
                                         uint8_t flags);

void steer_draft_set_reset(struct draft_set *set, uint16_t type, uint32_t ttl_s);
void steer_draft_set_fini(struct draft_set *set);
enum draft_added steer_draft_set_append(struct draft_set *set, const uint8_t *rdata,
                                        size_t rdata_len);

#endif
