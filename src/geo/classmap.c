// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/geo/classmap.h"

#include <stdlib.h>
#include <string.h>

#include "geo_internal.h"
#include "steerd/base/hash.h"
#include "steerd/base/mem.h"

// The class of an embedded-IPv4 area while the IPv6 table is cut: like no class of a client.
enum { HOLE = 1 << 16, TOP_BITS = 16, STEP4_BITS = 8, STEP6_BITS = 4, STEP_ENTRIES_MAX = 1 << 8 };

static const struct steer_prefix_value holes[] = {
    {{{STEER_V6, {[10] = 0xff, 0xff}}, 96}, 1},      // mapped, RFC 4291 2.5.5.2
    {{{STEER_V6, {0x00, 0x64, 0xff, 0x9b}}, 96}, 1}, // NAT64, RFC 6052 2.1
    {{{STEER_V6, {0x20, 0x02}}, 16}, 1},             // 6to4, RFC 3056 2
    {{{STEER_V6, {0x20, 0x01, 0x00, 0x00}}, 32}, 1}, // Teredo, RFC 4380 4
};

// The space of one family as runs of one class, left-aligned in 128 bits.
struct runs {
    steer_uint128 *start;
    uint32_t *class_of;
    size_t count;
};

struct build {
    struct runs runs;
    unsigned step_bits;
    uint8_t scope_min; // 0 only when all clients have one class
    uint32_t hole_class;
    uint32_t *blocks;
    size_t count, cap; // in entries
    struct steer_nummap by_hash;
};

static uint32_t leaf(const struct build *build, unsigned len, uint32_t class_index)
{
    uint32_t scope = len > build->scope_min ? len : build->scope_min;
    return scope << 16 | (class_index == HOLE ? build->hole_class : class_index);
}

// Gives the index of a block with these entries; equal ones are shared.
static uint32_t intern_block(struct build *build, const uint32_t *entries)
{
    size_t width = (size_t)1 << build->step_bits;
    size_t bytes = width * sizeof *entries;
    uint64_t hash = steer_hash_bytes(entries, bytes, 0) >> 1;
    uint32_t index;
    for (; steer_nummap_get(&build->by_hash, hash, &index); hash++)
        if (memcmp(build->blocks + index * width, entries, bytes) == 0)
            return index;
    index = (uint32_t)(build->count / width);
    build->blocks =
        steer_grow(build->blocks, &build->cap, build->count + width, sizeof *build->blocks);
    memcpy(build->blocks + build->count, entries, bytes);
    build->count += width;
    steer_nummap_add(&build->by_hash, hash, index);
    return index;
}

static void fill(struct build *build, size_t low, size_t high, steer_uint128 first, unsigned len,
                 uint32_t *out, unsigned width_bits);

static uint32_t make_block(struct build *build, size_t low, size_t high, steer_uint128 first,
                           unsigned len)
{
    uint32_t entries[STEP_ENTRIES_MAX];
    fill(build, low, high, first, len, entries, build->step_bits);
    return STEER_CLASSMAP_BLOCK | intern_block(build, entries);
}

// Writes the 2^width_bits entries of first/len, which is covered by the runs low..high. One run: a leaf,
// and len is the least length at which that is so, hence the scope. Else each half has its own slice.
static void fill(struct build *build, size_t low, size_t high, steer_uint128 first, unsigned len,
                 uint32_t *out, unsigned width_bits)
{
    if (low == high) {
        uint32_t entry = leaf(build, len, build->runs.class_of[low]);
        for (size_t i = 0; i < (size_t)1 << width_bits; i++)
            out[i] = entry;
        return;
    }
    if (width_bits == 0) {
        *out = make_block(build, low, high, first, len);
        return;
    }
    steer_uint128 middle = first | (steer_uint128)1 << (127 - len);
    size_t a = low; // start[a] < middle <= start[b], where b may be one past the slice
    size_t b = high + 1;
    while (b - a > 1) {
        size_t m = a + (b - a) / 2;
        if (build->runs.start[m] < middle)
            a = m;
        else
            b = m;
    }
    size_t right = b <= high && build->runs.start[b] == middle ? b : a;
    fill(build, low, a, first, len + 1, out, width_bits - 1);
    fill(build, right, high, middle, len + 1, out + ((size_t)1 << (width_bits - 1)),
         width_bits - 1);
}

static uint32_t *build_family(struct build *build, uint32_t **blocks, uint32_t *block_count)
{
    uint32_t *top = steer_alloc(sizeof *top << TOP_BITS);
    fill(build, 0, build->runs.count - 1, 0, 0, top, TOP_BITS);
    *blocks = steer_realloc(build->blocks, build->count, sizeof *build->blocks);
    *block_count = (uint32_t)(build->count >> build->step_bits);
    steer_nummap_fini(&build->by_hash);
    free(build->runs.start);
    free(build->runs.class_of);
    return top;
}

struct classes {
    const uint16_t *class_of;
    size_t count;
    uint16_t unknown;
};

static uint32_t class_at(const struct classes *classes, uint32_t value)
{
    return value < classes->count ? classes->class_of[value] : classes->unknown;
}

static void add_run(struct runs *runs, steer_uint128 start, uint32_t class_index)
{
    if (runs->count && runs->class_of[runs->count - 1] == class_index)
        return;
    runs->start[runs->count] = start;
    runs->class_of[runs->count++] = class_index;
}

static struct runs runs_alloc(size_t count)
{
    struct runs runs = {.start = steer_calloc(count, sizeof *runs.start),
                        .class_of = steer_calloc(count, sizeof *runs.class_of)};
    return runs;
}

static struct runs runs4(const struct steer_partition *p, const struct classes *classes)
{
    struct runs runs = runs_alloc(p->count4);
    for (size_t i = 0; i < p->count4; i++)
        add_run(&runs, (steer_uint128)p->start4[i] << 96, class_at(classes, p->value4[i]));
    return runs;
}

// The IPv6 space with hole_class in the embedded-IPv4 areas.
static struct runs runs6(const struct steer_partition *p, const struct classes *classes,
                         uint32_t hole_class)
{
    struct steer_partition cut;
    steer_partition_from_prefixes(holes, STEER_ARRAY_LEN(holes), 0, &cut);
    struct runs runs = runs_alloc(p->count6 + cut.count6);
    size_t i = 0;
    size_t j = 0;
    steer_uint128 start = 0;
    for (;;) {
        add_run(&runs, start, cut.value6[j] ? hole_class : class_at(classes, p->value6[i]));
        steer_uint128 next_i = i + 1 < p->count6 ? u128(p->start6[i + 1]) : 0; // 0: the end
        steer_uint128 next_j = j + 1 < cut.count6 ? u128(cut.start6[j + 1]) : 0;
        if (!next_i && !next_j)
            break;
        start = next_i && (!next_j || next_i < next_j) ? next_i : next_j;
        i += next_i == start;
        j += next_j == start;
    }
    steer_partition_fini(&cut);
    return runs;
}

struct steer_classmap *steer_classmap_build(const struct steer_partition *p,
                                            const uint16_t *class_of, size_t count,
                                            uint16_t unknown_class)
{
    struct classes classes = {class_of, count, unknown_class};
    struct build v4 = {.runs = runs4(p, &classes), .step_bits = STEP4_BITS};
    uint32_t hole_class = v4.runs.count == 1 ? v4.runs.class_of[0] : HOLE;
    struct build v6 = {.runs = runs6(p, &classes, hole_class),
                       .step_bits = STEP6_BITS,
                       .hole_class = unknown_class};
    bool uniform =
        v4.runs.count == 1 && v6.runs.count == 1 && v4.runs.class_of[0] == v6.runs.class_of[0];
    v4.scope_min = v6.scope_min = uniform ? 0 : 1;

    struct steer_classmap *map = steer_calloc(1, sizeof *map);
    map->unknown_class = unknown_class;
    map->class_count = (uint32_t)unknown_class + 1;
    for (size_t i = 0; i < count; i++)
        if (class_of[i] >= map->class_count)
            map->class_count = (uint32_t)class_of[i] + 1;
    map->top4 = build_family(&v4, &map->block4, &map->block4_count);
    map->top6 = build_family(&v6, &map->block6, &map->block6_count);
    map->bytes = sizeof *map + (sizeof *map->top4 + sizeof *map->top6) * (1 << TOP_BITS) +
                 (v4.count + v6.count) * sizeof *map->block4;
    return map;
}

void steer_classmap_destroy(struct steer_classmap *map)
{
    if (!map)
        return;
    free(map->top4);
    free(map->block4);
    free(map->top6);
    free(map->block6);
    free(map);
}

bool steer_addr_embedded_v4(const struct steer_addr *addr, struct steer_addr *v4, unsigned *offset)
{
    if (addr->family != STEER_V6)
        return false;
    for (size_t i = 0; i < STEER_ARRAY_LEN(holes); i++) {
        const struct steer_prefix *hole = &holes[i].prefix;
        if (memcmp(addr->octets, hole->addr.octets, hole->len / 8) != 0)
            continue;
        // Teredo hides the client's address inverted in the last 32 bits (RFC 4380 4).
        bool teredo = hole->len == 32;
        unsigned at = teredo ? 96 : hole->len;
        struct steer_addr result = {.family = STEER_V4};
        for (unsigned k = 0; k < 4; k++)
            result.octets[k] = addr->octets[at / 8 + k] ^ (teredo ? 0xff : 0);
        *v4 = result;
        *offset = at;
        return true;
    }
    return false;
}

bool steer_classmap_lookup_embedded(const struct steer_classmap *map, const struct steer_addr *addr,
                                    uint8_t source, struct steer_class *result)
{
    struct steer_addr v4;
    unsigned offset;
    if (!steer_addr_embedded_v4(addr, &v4, &offset))
        return false;
    *result = steer_classmap_lookup(map, &v4, 32);
    if (result->scope == 0) // one class for everybody
        return true;
    if (source <= offset)
        result->class_index = (uint16_t)map->unknown_class;
    result->scope = (uint8_t)(result->scope + offset);
    return true;
}

// Whether the network of len bits around addr reaches into the area.
static bool reaches(const struct steer_addr *addr, uint8_t len, const struct steer_prefix *area)
{
    struct steer_prefix network = {*addr, len};
    steer_addr_mask(&network.addr, len);
    return len < area->len && steer_prefix_contains(&network, &area->addr);
}

void steer_client_network(const struct steer_addr *addr, uint8_t v4_bits, uint8_t v6_bits,
                          struct steer_prefix *network, uint8_t *scope)
{
    unsigned offset = 0;
    *network = (struct steer_prefix){*addr, addr->family == STEER_V4 ? v4_bits : v6_bits};
    if (steer_addr_embedded_v4(addr, &network->addr, &offset))
        network->len = v4_bits;
    for (size_t i = 0; network->addr.family == STEER_V6 && i < STEER_ARRAY_LEN(holes); i++)
        while (reaches(addr, network->len, &holes[i].prefix))
            network->len++;
    steer_addr_mask(&network->addr, network->len);
    *scope = (uint8_t)(offset + network->len);
}
