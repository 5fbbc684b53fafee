// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/geo/nested.h"

#include <stdlib.h>
#include <string.h>

static int compare(const struct steer_prefix *a, const struct steer_prefix *b)
{
    if (a->addr.family != b->addr.family)
        return a->addr.family < b->addr.family ? -1 : 1;
    int order = memcmp(a->addr.octets, b->addr.octets, sizeof a->addr.octets);
    if (order)
        return order;
    return a->len < b->len ? -1 : a->len > b->len;
}

static int by_prefix(const void *va, const void *vb)
{
    const struct steer_nested *a = va, *b = vb;
    int order = compare(&a->prefix, &b->prefix);
    return order ? order : a->value < b->value ? -1 : a->value > b->value;
}

static bool holds(const struct steer_prefix *outer, const struct steer_prefix *inner)
{
    return outer->len <= inner->len && steer_prefix_contains(outer, &inner->addr);
}

size_t steer_nested_sort(struct steer_nested *items, size_t count)
{
    size_t kept = 0;
    if (count)
        qsort(items, count, sizeof *items, by_prefix);
    for (size_t i = 0; i < count; i++) {
        if (kept && compare(&items[kept - 1].prefix, &items[i].prefix) == 0)
            continue;
        // What holds it is the one before it, or holds that one too.
        uint32_t parent = kept ? (uint32_t)kept - 1 : STEER_NESTED_NONE;
        while (parent != STEER_NESTED_NONE && !holds(&items[parent].prefix, &items[i].prefix))
            parent = items[parent].parent;
        items[kept] = items[i];
        items[kept++].parent = parent;
    }
    return kept;
}

uint32_t steer_nested_find(const struct steer_nested *items, size_t count,
                           const struct steer_prefix *network)
{
    size_t low = 0; // items before low are not above the network in order
    size_t high = count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (compare(&items[mid].prefix, network) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    uint32_t at = low ? (uint32_t)low - 1 : STEER_NESTED_NONE;
    while (at != STEER_NESTED_NONE && !holds(&items[at].prefix, network))
        at = items[at].parent;
    return at;
}
