// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/geo/partition.h"

#include <stdlib.h>
#include <string.h>

#include "geo_internal.h"
#include "steerd/base/mem.h"

struct steer_u128 steer_addr_to_u128(const struct steer_addr *addr)
{
    struct steer_u128 result = {0, 0};
    if (addr->family == STEER_V4) {
        for (int i = 0; i < 4; i++)
            result.lo = result.lo << 8 | addr->octets[i];
        return result;
    }
    for (int i = 0; i < 8; i++) {
        result.hi = result.hi << 8 | addr->octets[i];
        result.lo = result.lo << 8 | addr->octets[8 + i];
    }
    return result;
}

void steer_partition_init(struct steer_partition *p, uint32_t value)
{
    size_t cap4 = 0;
    size_t cap6 = 0;
    memset(p, 0, sizeof *p);
    steer_partition_append4(p, &cap4, 0, value);
    steer_partition_append6(p, &cap6, (struct steer_u128){0, 0}, value);
}

void steer_partition_fini(struct steer_partition *p)
{
    free(p->start4);
    free(p->value4);
    free(p->start6);
    free(p->value6);
    memset(p, 0, sizeof *p);
}

// The range that holds the address.
static size_t find(const struct steer_partition *p, const struct steer_addr *addr)
{
    struct steer_u128 wanted = steer_addr_to_u128(addr);
    bool v4 = addr->family == STEER_V4;
    size_t low = 0; // start[low] <= wanted < start[high]
    size_t high = v4 ? p->count4 : p->count6;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        bool after = v4 ? p->start4[mid] > wanted.lo : u128(p->start6[mid]) > u128(wanted);
        if (after)
            high = mid;
        else
            low = mid;
    }
    return low;
}

uint32_t steer_partition_lookup(const struct steer_partition *p, const struct steer_addr *addr)
{
    const size_t at = find(p, addr);
    return addr->family == STEER_V4 ? p->value4[at] : p->value6[at];
}

bool steer_partition_is_one(const struct steer_partition *p, const struct steer_prefix *prefix)
{
    struct steer_addr last = prefix->addr;
    for (unsigned bit = prefix->len; bit < steer_family_bits(last.family); bit++)
        last.octets[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    return find(p, &prefix->addr) == find(p, &last);
}

void steer_partition_append4(struct steer_partition *p, size_t *cap, uint32_t start, uint32_t value)
{
    if (p->count4 && p->start4[p->count4 - 1] == start)
        p->count4--;
    if (p->count4 && p->value4[p->count4 - 1] == value)
        return;
    if (p->count4 == *cap || !*cap) {
        size_t value_cap = *cap;
        p->value4 = steer_grow(p->value4, &value_cap, p->count4 + 1, sizeof *p->value4);
        p->start4 = steer_grow(p->start4, cap, p->count4 + 1, sizeof *p->start4);
    }
    p->start4[p->count4] = start;
    p->value4[p->count4++] = value;
}

void steer_partition_append6(struct steer_partition *p, size_t *cap, struct steer_u128 start,
                             uint32_t value)
{
    if (p->count6 && u128(p->start6[p->count6 - 1]) == u128(start))
        p->count6--;
    if (p->count6 && p->value6[p->count6 - 1] == value)
        return;
    if (p->count6 == *cap || !*cap) {
        size_t value_cap = *cap;
        p->value6 = steer_grow(p->value6, &value_cap, p->count6 + 1, sizeof *p->value6);
        p->start6 = steer_grow(p->start6, cap, p->count6 + 1, sizeof *p->start6);
    }
    p->start6[p->count6] = start;
    p->value6[p->count6++] = value;
}

typedef uint32_t pair_fn(void *ctx, uint32_t a, uint32_t b);

static void overlay4(const struct steer_partition *a, const struct steer_partition *b,
                     pair_fn *pair, void *ctx, struct steer_partition *out)
{
    size_t i = 0;
    size_t j = 0;
    size_t cap = 0;
    uint32_t start = 0;
    for (;;) {
        steer_partition_append4(out, &cap, start, pair(ctx, a->value4[i], b->value4[j]));
        bool more_a = i + 1 < a->count4;
        bool more_b = j + 1 < b->count4;
        if (!more_a && !more_b)
            return;
        bool step_a = more_a && (!more_b || a->start4[i + 1] <= b->start4[j + 1]);
        bool step_b = more_b && (!more_a || b->start4[j + 1] <= a->start4[i + 1]);
        i += step_a;
        j += step_b;
        start = step_a ? a->start4[i] : b->start4[j];
    }
}

static void overlay6(const struct steer_partition *a, const struct steer_partition *b,
                     pair_fn *pair, void *ctx, struct steer_partition *out)
{
    size_t i = 0;
    size_t j = 0;
    size_t cap = 0;
    struct steer_u128 start = {0, 0};
    for (;;) {
        steer_partition_append6(out, &cap, start, pair(ctx, a->value6[i], b->value6[j]));
        bool more_a = i + 1 < a->count6;
        bool more_b = j + 1 < b->count6;
        if (!more_a && !more_b)
            return;
        bool step_a = more_a && (!more_b || u128(a->start6[i + 1]) <= u128(b->start6[j + 1]));
        bool step_b = more_b && (!more_a || u128(b->start6[j + 1]) <= u128(a->start6[i + 1]));
        i += step_a;
        j += step_b;
        start = step_a ? a->start6[i] : b->start6[j];
    }
}

void steer_partition_overlay(const struct steer_partition *a, const struct steer_partition *b,
                             uint32_t (*pair)(void *ctx, uint32_t a, uint32_t b), void *ctx,
                             struct steer_partition *out)
{
    memset(out, 0, sizeof *out);
    overlay4(a, b, pair, ctx, out);
    overlay6(a, b, pair, ctx, out);
}

struct span {
    steer_uint128 first, last;
    uint32_t value;
    size_t order;
};

static int compare_spans(const void *va, const void *vb)
{
    const struct span *a = va;
    const struct span *b = vb;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    if (a->last != b->last)
        return a->last > b->last ? -1 : 1; // the wider one first
    return a->order < b->order ? -1 : a->order > b->order;
}

struct sweep {
    struct steer_partition *out;
    size_t cap;
    bool v4;
    steer_uint128 max;
};

static void emit(struct sweep *sweep, steer_uint128 start, uint32_t value)
{
    if (sweep->v4)
        steer_partition_append4(sweep->out, &sweep->cap, (uint32_t)start, value);
    else
        steer_partition_append6(sweep->out, &sweep->cap, u128_split(start), value);
}

// Prefixes are nested or apart, so the open ones are a stack: a range begins where one opens, and where
// one closes its parent goes on. Later starts at the same place replace earlier ones.
static void sweep_spans(struct sweep *sweep, const struct span *spans, size_t count,
                        uint32_t otherwise)
{
    const struct span *open[130]; // one for each length
    size_t depth = 0;
    emit(sweep, 0, otherwise);
    for (size_t i = 0; i <= count; i++) {
        while (depth && (i == count || open[depth - 1]->last < spans[i].first)) {
            steer_uint128 last = open[--depth]->last;
            if (last != sweep->max)
                emit(sweep, last + 1, depth ? open[depth - 1]->value : otherwise);
        }
        if (i == count)
            return;
        if (depth && open[depth - 1]->first == spans[i].first &&
            open[depth - 1]->last == spans[i].last)
            depth--;
        open[depth++] = &spans[i];
        emit(sweep, spans[i].first, spans[i].value);
    }
}

static void family_from_prefixes(const struct steer_prefix_value *items, size_t count,
                                 uint32_t otherwise, uint8_t family, struct steer_partition *out)
{
    struct span *spans = steer_calloc(count, sizeof *spans);
    size_t used = 0;
    unsigned bits = steer_family_bits(family);
    for (size_t i = 0; i < count; i++) {
        const struct steer_prefix *prefix = &items[i].prefix;
        if (prefix->addr.family != family)
            continue;
        steer_uint128 first = u128(steer_addr_to_u128(&prefix->addr));
        spans[used++] =
            (struct span){first, first + u128_ones(bits - prefix->len), items[i].value, i};
    }
    qsort(spans, used, sizeof *spans, compare_spans);
    struct sweep sweep = {out, 0, family == STEER_V4, u128_ones(bits)};
    sweep_spans(&sweep, spans, used, otherwise);
    free(spans);
}

void steer_partition_from_prefixes(const struct steer_prefix_value *items, size_t count,
                                   uint32_t otherwise, struct steer_partition *out)
{
    memset(out, 0, sizeof *out);
    family_from_prefixes(items, count, otherwise, STEER_V4, out);
    family_from_prefixes(items, count, otherwise, STEER_V6, out);
}
