// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/base/hash.h"

#include <endian.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/base/mem.h"

uint64_t steer_hash_bytes(const void *data, size_t len, uint64_t seed)
{
    const uint8_t *p = data;
    uint64_t h = seed ^ (len * 0x9e3779b97f4a7c15ULL);
    while (len >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = (h ^ steer_mix64(le64toh(word))) * 0x9fb21c651e98df25ULL;
        h ^= h >> 29;
        p += 8;
        len -= 8;
    }
    uint64_t tail = 0;
    if (len)
        memcpy(&tail, p, len);
    return steer_mix64(h ^ le64toh(tail));
}

uint64_t steer_hash_string(const char *text)
{
    return steer_hash_bytes(text, strlen(text), 0);
}

void steer_rng_init(struct steer_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed +=
            0x9e3779b97f4a7c15ULL; // splitmix64 (Steele, Lea, Flood 2014), as xoshiro's authors advise
        rng->s[i] = steer_mix64(seed);
    }
}

struct steer_map_entry {
    char *key; // NULL: never used; DEAD: removed
    uint64_t hash;
    uint32_t value;
};

static char dead_key[1];

static struct steer_map_entry *find(const struct steer_map *map, const char *key, uint64_t hash)
{
    if (!map->cap)
        return NULL;
    for (size_t i = hash & (map->cap - 1);; i = (i + 1) & (map->cap - 1)) {
        struct steer_map_entry *e = &map->slots[i];
        if (!e->key)
            return NULL;
        if (e->key != dead_key && e->hash == hash && strcmp(e->key, key) == 0)
            return e;
    }
}

static void place(struct steer_map *map, struct steer_map_entry entry)
{
    size_t i = entry.hash & (map->cap - 1);
    while (map->slots[i].key && map->slots[i].key != dead_key)
        i = (i + 1) & (map->cap - 1);
    if (map->slots[i].key == dead_key)
        map->dead--;
    map->slots[i] = entry;
    map->used++;
}

static void rehash(struct steer_map *map, size_t cap)
{
    struct steer_map old = *map;
    map->slots = steer_calloc(cap, sizeof *map->slots);
    map->cap = cap;
    map->used = 0;
    map->dead = 0;
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].key && old.slots[i].key != dead_key)
            place(map, old.slots[i]);
    free(old.slots);
}

void steer_map_fini(struct steer_map *map)
{
    for (size_t i = 0; i < map->cap; i++)
        if (map->slots[i].key != dead_key)
            free(map->slots[i].key);
    free(map->slots);
    memset(map, 0, sizeof *map);
}

bool steer_map_get(const struct steer_map *map, const char *key, uint32_t *value)
{
    const struct steer_map_entry *e = find(map, key, steer_hash_string(key));
    if (e && value)
        *value = e->value;
    return e != NULL;
}

void steer_map_put(struct steer_map *map, const char *key, uint32_t value)
{
    uint64_t hash = steer_hash_string(key);
    struct steer_map_entry *e = find(map, key, hash);
    if (e) {
        e->value = value;
        return;
    }
    if ((map->used + map->dead + 1) * 4 > map->cap * 3)
        rehash(map, map->used * 2 + 1 > map->cap / 2 ? (map->cap ? map->cap * 2 : 16) : map->cap);
    place(map, (struct steer_map_entry){steer_strdup(key), hash, value});
}

bool steer_map_remove(struct steer_map *map, const char *key)
{
    struct steer_map_entry *e = find(map, key, steer_hash_string(key));
    if (!e)
        return false;
    free(e->key);
    e->key = dead_key;
    map->used--;
    map->dead++;
    return true;
}

void steer_map_clone(struct steer_map *to, const struct steer_map *from)
{
    memset(to, 0, sizeof *to);
    if (!from->used)
        return;
    size_t cap = 16;
    while (from->used * 2 > cap)
        cap *= 2;
    rehash(to, cap);
    for (size_t i = 0; i < from->cap; i++) {
        const struct steer_map_entry *e = &from->slots[i];
        if (e->key && e->key != dead_key)
            place(to, (struct steer_map_entry){steer_strdup(e->key), e->hash, e->value});
    }
}

bool steer_map_next(const struct steer_map *map, size_t *at, const char **key, uint32_t *value)
{
    for (; *at < map->cap; (*at)++) {
        const struct steer_map_entry *e = &map->slots[*at];
        if (!e->key || e->key == dead_key)
            continue;
        *key = e->key;
        if (value)
            *value = e->value;
        (*at)++;
        return true;
    }
    return false;
}

enum { WORD_MAX = 64 };

// Levenshtein distance; words longer than WORD_MAX are never near.
static unsigned distance(const char *a, const char *b)
{
    size_t la = strlen(a);
    size_t lb = strlen(b);
    if (la > WORD_MAX || lb > WORD_MAX)
        return UINT_MAX;
    unsigned row[WORD_MAX + 1];
    for (unsigned j = 0; j <= lb; j++)
        row[j] = j;
    for (unsigned i = 1; i <= la; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= lb; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[lb];
}

const char *steer_nearest_word(const char *word, const char *const *candidates, size_t count)
{
    const char *best = NULL;
    unsigned limit = (unsigned)strlen(word) / 3 + 1;
    for (size_t i = 0; i < count; i++) {
        unsigned d = distance(word, candidates[i]);
        if (d <= limit) {
            best = candidates[i];
            limit = d ? d - 1 : 0;
            if (d == 0)
                break;
        }
    }
    return best;
}
