// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>
#include <string.h>

#include "decide_internal.h"
#include "steerd/base/hash.h"

void steer_ptrmap_init(struct steer_ptrmap *map)
{
    memset(map, 0, sizeof *map);
    map->slots = map->first;
    map->cap = STEER_PTRMAP_FIRST;
}

void steer_ptrmap_fini(struct steer_ptrmap *map)
{
    if (map->slots != map->first)
        free(map->slots);
    map->slots = NULL;
}

void steer_ptrmap_clear(struct steer_ptrmap *map)
{
    if (!map->used)
        return;
    steer_ptrmap_fini(map);
    steer_ptrmap_init(map);
}

static struct steer_ptrmap_entry *probe(struct steer_ptrmap *map, uintptr_t key)
{
    size_t i = steer_mix64(key) & (map->cap - 1);
    while (map->slots[i].key && map->slots[i].key != key)
        i = (i + 1) & (map->cap - 1);
    return &map->slots[i];
}

static void grow(struct steer_ptrmap *map)
{
    struct steer_ptrmap_entry *old = map->slots;
    size_t count = map->cap;
    map->cap *= 4;
    map->slots = steer_calloc(map->cap, sizeof *map->slots);
    for (size_t i = 0; i < count; i++)
        if (old[i].key)
            *probe(map, old[i].key) = old[i];
    if (old != map->first)
        free(old);
}

void **steer_ptrmap_at(struct steer_ptrmap *map, uintptr_t key)
{
    if (map->used * 4 >= map->cap * 3)
        grow(map);
    struct steer_ptrmap_entry *e = probe(map, key);
    if (!e->key) {
        e->key = key;
        map->used++;
    }
    return &e->value;
}
