// SPDX-License-Identifier: GPL-3.0-or-later
// A persistent hash trie: the copy-on-write map under zones and the world. Floor 3.
//
// 64 children a directory, 6 hash bits a level from the top; leaves are small pages of entries. A
// change copies the path from the root (a directory of 512 octets a level) and leaves every older version
// readable, so readers need no lock. An item is any heap block that begins with its 64-bit hash.
// One writer; any number of readers of versions that the writer still keeps.
#ifndef STEERD_ZONE_TRIE_H
#define STEERD_ZONE_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Heap blocks whose last reader may still be under way; the owner frees them after a grace period.
struct steer_retired {
    void **blocks;
    size_t count, cap;
};
// The list owns the block from now on.
void steer_retired_add(struct steer_retired *retired, void *block);
void steer_retired_free(struct steer_retired *retired); // free() on each, and empties the list
void steer_retired_drop(struct steer_retired *retired); // empties the list; the blocks live on
void steer_retired_move(struct steer_retired *to, struct steer_retired *from); // empties `from`

// The blocks that a change has made and nobody else has seen: it may alter them in place, and an abort frees
// them. A set, since a change asks of each block it meets whether it is its own. Zero-initialise to start.
struct steer_fresh {
    void **blocks; // open addressing
    size_t count, cap;
};
void steer_fresh_add(struct steer_fresh *fresh, void *block); // no effect when it is there already
// Whether the change has made the block.
bool steer_fresh_has(const struct steer_fresh *fresh, const void *block);
bool steer_fresh_remove(struct steer_fresh *fresh, const void *block); // false: it was not there
void steer_fresh_drop(struct steer_fresh *fresh); // empties the set; the blocks live on
void steer_fresh_free(struct steer_fresh *fresh); // free() on each, and empties the set

struct steer_trie {
    uintptr_t root; // an item, a page or a directory, told apart by its low bits; 0: empty
    size_t count;
};

// How a change treats what it replaces. build: nothing was published yet, so pages change in place and
// replaced blocks are freed at once. Otherwise new blocks go to `fresh`; of those replaced, fresh ones are
// freed at once and the others go to `retired`: commit drops fresh and frees retired after a grace period,
// abort frees fresh and drops retired.
struct steer_trie_change {
    bool build;
    bool items_borrowed; // only pages are treated so; what becomes of items is the caller's affair
    struct steer_retired *retired;
    struct steer_fresh *fresh;
};

typedef bool steer_trie_match(const void *item, const void *key);

// The item with that hash for which match says yes, or NULL.
const void *steer_trie_find(const struct steer_trie *trie, uint64_t hash, steer_trie_match *match,
                            const void *key);
// A look-up in steps, so that those of a batch wait for memory side by side: each step asks the cache for
// what the next one reads. begin, then descend until it says that the leaf is there, then prefetch asks for
// the items of the leaf that may match. A cursor and a leaf are of use only as long as the trie is.
struct steer_trie_cursor {
    uint64_t hash;       // the bits that are left, from the top
    const uintptr_t *at; // the slot to be read next
    uintptr_t leaf;      // once descend has returned false
};
void steer_trie_begin(const struct steer_trie *trie, uint64_t hash,
                      struct steer_trie_cursor *cursor);
bool steer_trie_descend(struct steer_trie_cursor *cursor);
void steer_trie_prefetch(uintptr_t leaf, uint64_t hash);
// Adds item, or puts it in the place of the one that matches (which is retired, unless build frees it).
void steer_trie_put(struct steer_trie *trie, const struct steer_trie_change *change, void *item,
                    steer_trie_match *match, const void *key);
// Removes the matching item (retired); false when there is none.
bool steer_trie_remove(struct steer_trie *trie, const struct steer_trie_change *change,
                       uint64_t hash, steer_trie_match *match, const void *key);
// All items, in order of hash. Stops when visit returns false.
void steer_trie_each(const struct steer_trie *trie, bool (*visit)(void *ctx, const void *item),
                     void *ctx);
// Adds every page and item to retired (to let a whole version go).
void steer_trie_retire(const struct steer_trie *trie, struct steer_retired *retired);
// Adds every page and item of trie that base does not hold to blocks: all that a change made which
// was not committed. Costs what the change touched.
void steer_trie_difference(const struct steer_trie *trie, const struct steer_trie *base,
                           bool items_borrowed, struct steer_fresh *blocks);
size_t steer_trie_bytes(const struct steer_trie *trie); // of pages, without items

#endif
