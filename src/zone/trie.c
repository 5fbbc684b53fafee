// SPDX-License-Identifier: GPL-3.0-or-later
// The persistent hash trie.
//
//   root -> directory [64] -> directory [64] -> ... -> page [1..12 entries] -> item
//            hash bits 63..58  57..52                   16-bit tags
//
// A million items make three levels of directories, of which the first two stay in the cache; then
// a look-up misses on a directory's line, a page and the item.
#include "steerd/zone/trie.h"

#include <assert.h>
#include <stdlib.h>

#include "steerd/base/mem.h"
#include "zone_internal.h"

enum { CACHE_LINE = 64 };

// ---- whose block it is ---------------------------------------------------------------------------

static bool owned(const struct steer_trie_change *change, const void *block)
{
    return change->build || steer_fresh_has(change->fresh, block);
}

static void *made(const struct steer_trie_change *change, void *block)
{
    if (!change->build)
        steer_fresh_add(change->fresh, block);
    return block;
}

static void let_go(const struct steer_trie_change *change, void *block)
{
    if (change->build || steer_fresh_remove(change->fresh, block))
        free(block);
    else
        steer_retired_add(change->retired, block);
}

static void let_go_of_item(const struct steer_trie_change *change, void *item)
{
    if (!change->items_borrowed)
        let_go(change, item);
}

// ---- slots ---------------------------------------------------------------------------------------

static uint64_t entry_of(void *item)
{
    assert((uintptr_t)item >> TRIE_TAG_SHIFT == 0);
    return (uintptr_t)item | trie_hash_of(item) << TRIE_TAG_SHIFT;
}

static unsigned index_at(uint64_t hash, unsigned depth)
{
    return (unsigned)(hash << (depth * TRIE_BITS) >> (64 - TRIE_BITS));
}

static size_t page_bytes(uint64_t count)
{
    return sizeof(struct trie_page) + count * sizeof(uint64_t);
}

static bool entry_matches(uint64_t entry, uint64_t hash, steer_trie_match *match, const void *key)
{
    if (entry >> TRIE_TAG_SHIFT != (hash & 0xffff))
        return false;
    const void *item = trie_entry_item(entry);
    return trie_hash_of(item) == hash && match(item, key);
}

// The place of the matching entry, or count.
static uint64_t page_search(const struct trie_page *page, uint64_t hash, steer_trie_match *match,
                            const void *key)
{
    uint64_t i = 0;
    while (i < page->count && !entry_matches(page->entries[i], hash, match, key))
        i++;
    return i;
}

// The directory of a slot, made the change's own.
static struct trie_dir *own_dir(const struct steer_trie_change *change, uintptr_t *slot)
{
    struct trie_dir *dir = trie_dir_of(*slot);
    if (owned(change, dir))
        return dir;
    struct trie_dir *copy = made(change, steer_memdup(dir, sizeof *dir));
    let_go(change, dir);
    *slot = (uintptr_t)copy | SLOT_DIR;
    return copy;
}

// The page of a slot, made the change's own, with room for count entries; those that were there stay.
static struct trie_page *own_page(const struct steer_trie_change *change, uintptr_t *slot,
                                  uint64_t count)
{
    struct trie_page *page = trie_page_of(*slot);
    const uint64_t kept = page->count < count ? page->count : count;
    if (!owned(change, page)) {
        struct trie_page *copy = made(change, steer_alloc(page_bytes(count)));
        memcpy(copy, page, page_bytes(kept));
        let_go(change, page);
        page = copy;
    } else if (count != page->count) {
        if (!change->build)
            steer_fresh_remove(change->fresh, page);
        page = made(change, steer_realloc(page, 1, page_bytes(count)));
    }
    page->count = count;
    *slot = (uintptr_t)page | SLOT_PAGE;
    return page;
}

// Adds an item to a leaf in which it is not.
static void append(const struct steer_trie_change *change, uintptr_t *slot, void *item)
{
    if (!*slot) {
        *slot = (uintptr_t)item;
    } else if (*slot & SLOT_PAGE) {
        const uint64_t count = trie_page_of(*slot)->count;
        own_page(change, slot, count + 1)->entries[count] = entry_of(item);
    } else {
        struct trie_page *page = made(change, steer_alloc(page_bytes(2)));
        page->count = 2;
        page->entries[0] = entry_of((void *)*slot);
        page->entries[1] = entry_of(item);
        *slot = (uintptr_t)page | SLOT_PAGE;
    }
}

// Turns a page at that depth into a directory.
static void split(const struct steer_trie_change *change, uintptr_t *slot, unsigned depth)
{
    struct trie_page *page = trie_page_of(*slot);
    struct trie_dir *dir = made(change, steer_calloc(1, sizeof *dir));
    for (uint64_t i = 0; i < page->count; i++) {
        void *item = trie_entry_item(page->entries[i]);
        append(change, &dir->slots[index_at(trie_hash_of(item), depth)], item);
    }
    let_go(change, page);
    *slot = (uintptr_t)dir | SLOT_DIR;
}

// ---- the door ------------------------------------------------------------------------------------

const void *steer_trie_find(const struct steer_trie *trie, uint64_t hash, steer_trie_match *match,
                            const void *key)
{
    return trie_find(trie, hash, match, key);
}

void steer_trie_begin(const struct steer_trie *trie, uint64_t hash,
                      struct steer_trie_cursor *cursor)
{
    cursor->hash = hash;
    cursor->at = &trie->root;
}

bool steer_trie_descend(struct steer_trie_cursor *cursor)
{
    const uintptr_t slot = *cursor->at;
    if (slot & SLOT_DIR) {
        cursor->at = trie_next(slot, &cursor->hash);
        __builtin_prefetch(cursor->at);
        return true;
    }
    const uintptr_t block =
        slot & ~(uintptr_t)SLOT_MARKS; // 0 where nothing is: no pointer to add to
    __builtin_prefetch((const void *)block);
    __builtin_prefetch((const void *)(block + CACHE_LINE)); // a full page and most items take two
    cursor->leaf = slot;
    return false;
}

void steer_trie_prefetch(uintptr_t leaf, uint64_t hash)
{
    if (!(leaf & SLOT_PAGE))
        return;
    const struct trie_page *page = trie_page_of(leaf);
    for (uint64_t i = 0; i < page->count; i++) {
        if (page->entries[i] >> TRIE_TAG_SHIFT != (hash & 0xffff))
            continue;
        const uint8_t *item = trie_entry_item(page->entries[i]);
        __builtin_prefetch(item);
        __builtin_prefetch(item + CACHE_LINE);
    }
}

// Puts item in the place of the one that matches, if there is one.
static bool replace(const struct steer_trie_change *change, uintptr_t *slot, void *item,
                    steer_trie_match *match, const void *key)
{
    const uint64_t hash = trie_hash_of(item);
    void *old;
    if (*slot & SLOT_PAGE) {
        struct trie_page *page = trie_page_of(*slot);
        const uint64_t i = page_search(page, hash, match, key);
        if (i == page->count)
            return false;
        old = trie_entry_item(page->entries[i]);
        own_page(change, slot, page->count)->entries[i] = entry_of(item);
    } else {
        old = (void *)*slot;
        if (!old || trie_hash_of(old) != hash || !match(old, key))
            return false;
        *slot = (uintptr_t)item;
    }
    if (old != item)
        let_go_of_item(change, old);
    return true;
}

void steer_trie_put(struct steer_trie *trie, const struct steer_trie_change *change, void *item,
                    steer_trie_match *match, const void *key)
{
    const uint64_t hash = trie_hash_of(item);
    uintptr_t *slot = &trie->root;
    if (!change->items_borrowed)
        made(change, item);
    for (unsigned depth = 0;; depth++) {
        if (!(*slot & SLOT_DIR)) {
            if (replace(change, slot, item, match, key))
                break;
            if (!(*slot & SLOT_PAGE) || trie_page_of(*slot)->count < TRIE_PAGE_MAX ||
                depth == TRIE_DEPTH_MAX) {
                append(change, slot, item);
                trie->count++;
                break;
            }
            split(change, slot, depth);
        }
        slot = &own_dir(change, slot)->slots[index_at(hash, depth)];
    }
}

// Takes the item out of a leaf that holds it.
static void *take_out(const struct steer_trie_change *change, uintptr_t *slot, uint64_t hash,
                      steer_trie_match *match, const void *key)
{
    if (!(*slot & SLOT_PAGE)) {
        void *item = (void *)*slot;
        *slot = 0;
        return item;
    }
    struct trie_page *page = trie_page_of(*slot);
    const uint64_t i = page_search(page, hash, match, key);
    const uint64_t last = page->count - 1;
    const uint64_t last_entry = page->entries[last];
    void *item = trie_entry_item(page->entries[i]);
    if (last == 1) {
        *slot = (uintptr_t)trie_entry_item(page->entries[1 - i]);
        let_go(change, page);
    } else {
        page = own_page(change, slot, last);
        if (i < last)
            page->entries[i] = last_entry;
    }
    return item;
}

// A directory that holds few items and nothing else becomes a leaf again.
static bool join(const struct steer_trie_change *change, uintptr_t *slot)
{
    struct trie_dir *dir = trie_dir_of(*slot);
    void *items[TRIE_PAGE_JOIN];
    unsigned count = 0;
    for (unsigned i = 0; i < TRIE_FANOUT; i++) {
        if (!dir->slots[i])
            continue;
        if (dir->slots[i] & SLOT_MARKS || count == TRIE_PAGE_JOIN)
            return false;
        items[count++] = (void *)dir->slots[i];
    }
    *slot = 0;
    for (unsigned i = 0; i < count; i++)
        append(change, slot, items[i]);
    let_go(change, dir);
    return true;
}

bool steer_trie_remove(struct steer_trie *trie, const struct steer_trie_change *change,
                       uint64_t hash, steer_trie_match *match, const void *key)
{
    if (!trie_find(trie, hash, match, key))
        return false;
    uintptr_t *path[TRIE_DEPTH_MAX + 1] = {&trie->root};
    unsigned depth = 0;
    while (*path[depth] & SLOT_DIR) {
        struct trie_dir *dir = own_dir(change, path[depth]);
        path[depth + 1] = &dir->slots[index_at(hash, depth)];
        depth++;
    }
    let_go_of_item(change, take_out(change, path[depth], hash, match, key));
    // Above a directory that keeps a page or another directory nothing can be joined. One that was
    // joined into a page ends the climb too, as its parent then holds a page.
    while (depth-- && join(change, path[depth]))
        continue;
    trie->count--;
    return true;
}

// ---- walks (no deeper than TRIE_DEPTH_MAX calls) -------------------------------------------------

static int by_hash(const void *a, const void *b)
{
    const uint64_t ha = trie_hash_of(trie_entry_item(*(const uint64_t *)a));
    const uint64_t hb = trie_hash_of(trie_entry_item(*(const uint64_t *)b));
    return (ha > hb) - (ha < hb);
}

static bool each_of_page(const struct trie_page *page, bool (*visit)(void *, const void *),
                         void *ctx)
{
    uint64_t small[TRIE_PAGE_MAX];
    uint64_t *sorted = small;
    if (page->count > TRIE_PAGE_MAX)
        sorted = steer_alloc(page->count * sizeof *sorted);
    memcpy(sorted, page->entries, page->count * sizeof *sorted);
    qsort(sorted, page->count, sizeof *sorted, by_hash);
    bool more = true;
    for (uint64_t i = 0; more && i < page->count; i++)
        more = visit(ctx, trie_entry_item(sorted[i]));
    if (sorted != small)
        free(sorted);
    return more;
}

static bool each_of_slot(uintptr_t slot, bool (*visit)(void *, const void *), void *ctx)
{
    if (!slot)
        return true;
    if (slot & SLOT_PAGE)
        return each_of_page(trie_page_of(slot), visit, ctx);
    if (!(slot & SLOT_DIR))
        return visit(ctx, (const void *)slot);
    const struct trie_dir *dir = trie_dir_of(slot);
    for (unsigned i = 0; i < TRIE_FANOUT; i++)
        if (!each_of_slot(dir->slots[i], visit, ctx))
            return false;
    return true;
}

void steer_trie_each(const struct steer_trie *trie, bool (*visit)(void *ctx, const void *item),
                     void *ctx)
{
    each_of_slot(trie->root, visit, ctx);
}

static void retire_slot(uintptr_t slot, struct steer_retired *retired)
{
    if (!slot)
        return;
    steer_retired_add(retired, (void *)(slot & ~(uintptr_t)SLOT_MARKS));
    if (slot & SLOT_PAGE) {
        const struct trie_page *page = trie_page_of(slot);
        for (uint64_t i = 0; i < page->count; i++)
            steer_retired_add(retired, trie_entry_item(page->entries[i]));
    } else if (slot & SLOT_DIR) {
        for (unsigned i = 0; i < TRIE_FANOUT; i++)
            retire_slot(trie_dir_of(slot)->slots[i], retired);
    }
}

void steer_trie_retire(const struct steer_trie *trie, struct steer_retired *retired)
{
    retire_slot(trie->root, retired);
}

// Whether the subtree at that depth has this very item.
static bool holds(uintptr_t slot, unsigned depth, const void *item)
{
    const uint64_t hash = trie_hash_of(item);
    while (slot & SLOT_DIR)
        slot = trie_dir_of(slot)->slots[index_at(hash, depth++)];
    if (!(slot & SLOT_PAGE))
        return (const void *)slot == item;
    const struct trie_page *page = trie_page_of(slot);
    for (uint64_t i = 0; i < page->count; i++)
        if (trie_entry_item(page->entries[i]) == item)
            return true;
    return false;
}

struct difference {
    bool items_borrowed;
    struct steer_fresh *blocks;
};

static void differ_item(const struct difference *d, void *item, uintptr_t base, unsigned depth)
{
    if (!d->items_borrowed && !holds(base, depth, item))
        steer_fresh_add(d->blocks, item);
}

static void differ(const struct difference *d, uintptr_t slot, uintptr_t base, unsigned depth)
{
    if (slot == base || !slot)
        return;
    if (slot & SLOT_DIR) {
        const struct trie_dir *dir = trie_dir_of(slot);
        const struct trie_dir *base_dir = base & SLOT_DIR ? trie_dir_of(base) : NULL;
        for (unsigned i = 0; i < TRIE_FANOUT; i++)
            differ(d, dir->slots[i], base_dir ? base_dir->slots[i] : base, depth + 1);
        steer_fresh_add(d->blocks, trie_dir_of(slot));
    } else if (slot & SLOT_PAGE) {
        const struct trie_page *page = trie_page_of(slot);
        for (uint64_t i = 0; i < page->count; i++)
            differ_item(d, trie_entry_item(page->entries[i]), base, depth);
        steer_fresh_add(d->blocks, trie_page_of(slot));
    } else {
        differ_item(d, (void *)slot, base, depth);
    }
}

void steer_trie_difference(const struct steer_trie *trie, const struct steer_trie *base,
                           bool items_borrowed, struct steer_fresh *blocks)
{
    differ(&(struct difference){items_borrowed, blocks}, trie->root, base ? base->root : 0, 0);
}

static size_t bytes_of_slot(uintptr_t slot)
{
    if (slot & SLOT_PAGE)
        return page_bytes(trie_page_of(slot)->count);
    if (!(slot & SLOT_DIR))
        return 0;
    size_t bytes = sizeof(struct trie_dir);
    for (unsigned i = 0; i < TRIE_FANOUT; i++)
        bytes += bytes_of_slot(trie_dir_of(slot)->slots[i]);
    return bytes;
}

size_t steer_trie_bytes(const struct steer_trie *trie)
{
    return bytes_of_slot(trie->root);
}
