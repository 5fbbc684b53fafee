// SPDX-License-Identifier: GPL-3.0-or-later
// The map of numbers and the set of distinct locations, both only used while loading.
#include <stdlib.h>
#include <string.h>

#include "geo_internal.h"
#include "steerd/base/hash.h"
#include "steerd/base/mem.h"

void steer_nummap_fini(struct steer_nummap *map)
{
    free(map->keys);
    free(map->values);
    memset(map, 0, sizeof *map);
}

static size_t slot_of(const struct steer_nummap *map, uint64_t key)
{
    size_t i = steer_mix64(key) & (map->cap - 1);
    while (map->keys[i] && map->keys[i] != key + 1)
        i = (i + 1) & (map->cap - 1);
    return i;
}

bool steer_nummap_get(const struct steer_nummap *map, uint64_t key, uint32_t *value)
{
    if (!map->cap)
        return false;
    size_t i = slot_of(map, key);
    if (!map->keys[i])
        return false;
    *value = map->values[i];
    return true;
}

void steer_nummap_add(struct steer_nummap *map, uint64_t key, uint32_t value)
{
    if (map->used * 2 >= map->cap) {
        struct steer_nummap bigger = {.cap = map->cap ? map->cap * 2 : 256};
        bigger.keys = steer_calloc(bigger.cap, sizeof *bigger.keys);
        bigger.values = steer_calloc(bigger.cap, sizeof *bigger.values);
        for (size_t i = 0; i < map->cap; i++)
            if (map->keys[i])
                steer_nummap_add(&bigger, map->keys[i] - 1, map->values[i]);
        steer_nummap_fini(map);
        *map = bigger;
    }
    size_t i = slot_of(map, key);
    map->keys[i] = key + 1;
    map->values[i] = value;
    map->used++;
}

void steer_locations_init(struct steer_locations *set)
{
    memset(set, 0, sizeof *set);
    struct steer_location unknown;
    memset(&unknown, 0, sizeof unknown);
    unknown.lat = unknown.lon = __builtin_nanf("");
    steer_locations_intern(set, &unknown);
}

void steer_locations_fini(struct steer_locations *set)
{
    free(set->items);
    steer_nummap_fini(&set->by_hash);
    memset(set, 0, sizeof *set);
}

// Bytes, so that NaN equals NaN: locations are zeroed before they are filled, and there is one NaN.
uint32_t steer_locations_intern(struct steer_locations *set, const struct steer_location *location)
{
    uint64_t hash = steer_hash_bytes(location, sizeof *location, 0) >> 1;
    uint32_t index;
    for (; steer_nummap_get(&set->by_hash, hash, &index); hash++)
        if (memcmp(&set->items[index], location, sizeof *location) == 0)
            return index;
    index = (uint32_t)set->count;
    set->items = steer_grow(set->items, &set->cap, set->count + 1, sizeof *set->items);
    memcpy(&set->items[set->count++], location, sizeof *location);
    steer_nummap_add(&set->by_hash, hash, index);
    return index;
}
