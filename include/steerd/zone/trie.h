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
void steer_retired_add(struct steer_retired *retired, void *block);
void steer_retired_free(struct steer_retired *retired); // free() on each, and empties the list

struct steer_trie {
    const void *root; // tagged pointer: leaf page or directory; NULL: empty
    size_t count;
};

// How a change treats what it replaces. build: nothing was published yet, so pages change in place and
// replaced blocks are freed at once. Otherwise replaced blocks go to `retired` and new ones to `fresh`:
// commit frees retired after a grace period, abort frees fresh at once.
struct steer_trie_change {
    bool build;
    struct steer_retired *retired;
    struct steer_retired *fresh;
};

typedef bool steer_trie_match(const void *item, const void *key);

// The item with that hash for which match says yes, or NULL.
const void *steer_trie_find(const struct steer_trie *trie, uint64_t hash, steer_trie_match *match,
                            const void *key);
// Asks the cache for the leaf page of a hash; no effect on results.
void steer_trie_prefetch(const struct steer_trie *trie, uint64_t hash);
// Adds item, or puts it in the place of the one that matches (which is retired, unless build frees it).
void steer_trie_put(struct steer_trie *trie, const struct steer_trie_change *change, void *item,
                    steer_trie_match *match, const void *key);
// Removes the matching item (retired); false when there is none.
bool steer_trie_remove(struct steer_trie *trie, const struct steer_trie_change *change, uint64_t hash,
                       steer_trie_match *match, const void *key);
// All items, in order of hash. Stops when visit returns false.
void steer_trie_each(const struct steer_trie *trie, bool (*visit)(void *ctx, const void *item),
                     void *ctx);
// Adds every page and item to retired (to let a whole version go).
void steer_trie_retire(const struct steer_trie *trie, struct steer_retired *retired);
size_t steer_trie_bytes(const struct steer_trie *trie); // of pages, without items

#endif
