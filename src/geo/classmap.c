// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/geo/classmap.h"

#include <stdlib.h>
#include <string.h>

#include "geo_internal.h"
#include "steerd/base/mem.h"

// The class of an embedded-IPv4 area while the IPv6 table is cut: like no class of a client.
enum { HOLE = 1 << 16, STEP4_BITS = 8, STEP6_BITS = 4, STEP_ENTRIES_MAX = 1 << 8 };
enum {
    TOP_BITS = 16,
    TOP_ENTRIES = 1 << TOP_BITS,
    TOP_BYTES = (TOP_ENTRIES + 1) * sizeof(uint32_t)
};

struct steer_classmap_store {
    struct steer_blocks v4, v6;
    size_t tables, tops;
};

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
    uint8_t scope_min; // 0 only when all clients have one class
    uint32_t hole_class;
    struct steer_blocks *blocks;
    uint32_t *base;      // NULL, or the top of a table that is the same outside of what differs
    const bool *differs; // the halves of halves that hold something of that (node_of); NULL: none
    bool full;           // the table is not usable
};

// The number of first/len, len <= TOP_BITS, among the 2 * TOP_ENTRIES of a tree of halves.
static uint32_t node_of(steer_uint128 first, unsigned len)
{
    return UINT32_C(1) << len | (len ? (uint32_t)(first >> (128 - len)) : 0);
}

// Whether all of the family is as in the base.
static bool is_same(const struct build *build)
{
    return build->base && !build->differs;
}

static uint32_t leaf(const struct build *build, unsigned len, uint32_t class_index)
{
    uint32_t scope = len > build->scope_min ? len : build->scope_min;
    return scope << 16 | (class_index == HOLE ? build->hole_class : class_index);
}

static void fill(struct build *build, size_t low, size_t high, steer_uint128 first, unsigned len,
                 uint32_t *out, unsigned width_bits);

static uint32_t make_block(struct build *build, size_t low, size_t high, steer_uint128 first,
                           unsigned len)
{
    uint32_t entries[STEP_ENTRIES_MAX];
    uint32_t entry = 0;
    const uint32_t width = build->blocks->width;
    fill(build, low, high, first, len, entries, (unsigned)__builtin_ctz(width));
    if (steer_blocks_take(build->blocks, entries, &entry) == STEER_OK)
        return entry;
    steer_blocks_release(build->blocks, entries, width);
    build->full = true;
    return entry;
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
    if (build->base && len <= TOP_BITS && !build->differs[node_of(first, len)]) {
        // The base was cut here in the same way, since it has more than one class here, too.
        const size_t count = (size_t)1 << width_bits;
        memcpy(out, build->base + (uint32_t)(first >> (128 - TOP_BITS)), count * sizeof *out);
        steer_blocks_ref(build->blocks, out, count);
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

// Tops are counted, too: in the entry after the last.
static uint32_t *build_family(struct build *build)
{
    uint32_t *top = build->base;
    if (is_same(build)) {
        top[TOP_ENTRIES]++;
        return top;
    }
    top = steer_alloc(TOP_BYTES);
    top[TOP_ENTRIES] = 1;
    fill(build, 0, build->runs.count - 1, 0, 0, top, TOP_BITS);
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

// ---- tables --------------------------------------------------------------------------------------

// What a table is made from; base: NULL, or a table that is the same outside of the prefixes.
struct source {
    struct steer_classmap_store *store;
    const struct steer_partition *partition;
    struct classes classes;
    const struct steer_classmap *base;
    const struct steer_prefix *differ;
    size_t differ_count;
};

// The nodes that hold something of the prefixes, or lie in one. NULL: none of this family.
static bool *nodes_of(const struct source *source, uint8_t family)
{
    bool *nodes = NULL;
    for (size_t i = 0; i < source->differ_count; i++) {
        const struct steer_prefix *p = &source->differ[i];
        if (p->addr.family != family)
            continue;
        if (!nodes)
            nodes = steer_calloc(2 * TOP_ENTRIES, sizeof *nodes);
        const unsigned len = p->len < TOP_BITS ? p->len : TOP_BITS;
        const struct steer_u128 value = steer_addr_to_u128(&p->addr);
        const steer_uint128 first = u128(value) << (128 - steer_family_bits(family));
        for (uint32_t node = node_of(first, len); node; node /= 2)
            nodes[node] = true;
        for (unsigned deeper = len + 1; deeper <= TOP_BITS; deeper++)
            memset(nodes + ((size_t)node_of(first, len) << (deeper - len)), true,
                   (size_t)1 << (deeper - len));
    }
    return nodes;
}

static void build_init(struct build *build, const struct source *source,
                       struct steer_blocks *blocks, uint32_t *base, uint8_t family)
{
    *build =
        (struct build){.blocks = blocks, .hole_class = source->classes.unknown, .scope_min = 1};
    if (!base)
        return;
    build->base = base;
    build->differs = nodes_of(source, family);
}

static void build_fini(struct build *build)
{
    free(build->runs.start);
    free(build->runs.class_of);
    free((void *)(uintptr_t)build->differs);
}

static struct steer_classmap *map_create(const struct source *source)
{
    const struct classes *classes = &source->classes;
    struct steer_classmap *map = steer_calloc(1, sizeof *map);
    map->store = source->store;
    map->store->tables++;
    map->unknown_class = classes->unknown;
    map->class_count = (uint32_t)classes->unknown + 1;
    for (size_t i = 0; i < classes->count; i++)
        if (classes->class_of[i] >= map->class_count)
            map->class_count = (uint32_t)classes->class_of[i] + 1;
    map->block4 = steer_slab_at(&map->store->v4.slab, 0);
    map->block6 = steer_slab_at(&map->store->v6.slab, 0);
    return map;
}

// The runs of both families. Where IPv4 has one class the areas in IPv6 are no holes, and a base is of no use.
static void find_runs(const struct source *source, struct build *v4, struct build *v6)
{
    uint32_t hole_class = HOLE;
    if (!is_same(v4))
        v4->runs = runs4(source->partition, &source->classes);
    const bool one4 = !is_same(v4) && v4->runs.count == 1;
    if (one4) {
        hole_class = v4->runs.class_of[0];
        v6->base = NULL;
    }
    if (!is_same(v6))
        v6->runs = runs6(source->partition, &source->classes, hole_class);
    if (one4 && v6->runs.count == 1 && v4->runs.class_of[0] == v6->runs.class_of[0])
        v4->scope_min = v6->scope_min = 0;
}

static struct steer_classmap *build_map(struct source *source)
{
    struct build v4, v6;
    struct steer_classmap_store *store = source->store;
    const struct steer_classmap *base = source->base;
    if (base && (!base->has_holes || base->unknown_class != source->classes.unknown))
        base = NULL;
    build_init(&v4, source, &store->v4, base ? base->top4 : NULL, STEER_V4);
    build_init(&v6, source, &store->v6, base ? base->top6 : NULL, STEER_V6);
    find_runs(source, &v4, &v6);
    struct steer_classmap *map = map_create(source);
    map->has_holes = is_same(&v4) || v4.runs.count > 1;
    map->top4 = build_family(&v4);
    map->top6 = build_family(&v6);
    store->tops += (is_same(&v4) ? 0u : 1u) + (is_same(&v6) ? 0u : 1u);
    build_fini(&v4);
    build_fini(&v6);
    if (!v4.full && !v6.full)
        return map;
    steer_classmap_destroy(map);
    return NULL;
}

struct steer_classmap *steer_classmap_build_in(struct steer_classmap_store *store,
                                               const struct steer_partition *p,
                                               const uint16_t *class_of, size_t count,
                                               uint16_t unknown_class)
{
    return build_map(&(struct source){
        .store = store, .partition = p, .classes = {class_of, count, unknown_class}});
}

struct steer_classmap *
steer_classmap_build_like(const struct steer_classmap *base, const struct steer_prefix *differ,
                          size_t differ_count, const struct steer_partition *p,
                          const uint16_t *class_of, size_t count, uint16_t unknown_class)
{
    return build_map(&(struct source){.store = base->store,
                                      .partition = p,
                                      .classes = {class_of, count, unknown_class},
                                      .base = base,
                                      .differ = differ,
                                      .differ_count = differ_count});
}

struct steer_classmap *steer_classmap_build(const struct steer_partition *p,
                                            const uint16_t *class_of, size_t count,
                                            uint16_t unknown_class)
{
    struct steer_classmap_store *store;
    if (steer_classmap_store_create(STEER_CLASSMAP_BLOCKS4, STEER_CLASSMAP_BLOCKS6, &store) !=
        STEER_OK)
        return NULL;
    struct steer_classmap *map = steer_classmap_build_in(store, p, class_of, count, unknown_class);
    if (map)
        map->owns_store = true;
    else
        steer_classmap_store_destroy(store);
    return map;
}

static void release_top(struct steer_classmap_store *store, struct steer_blocks *blocks,
                        uint32_t *top)
{
    if (--top[TOP_ENTRIES])
        return;
    steer_blocks_release(blocks, top, TOP_ENTRIES);
    store->tops--;
    free(top);
}

void steer_classmap_destroy(struct steer_classmap *map)
{
    if (!map)
        return;
    struct steer_classmap_store *store = map->store;
    release_top(store, &store->v4, map->top4);
    release_top(store, &store->v6, map->top6);
    store->tables--;
    if (map->owns_store) {
        steer_classmap_store_destroy(store);
    } else {
        steer_blocks_trim(&store->v4);
        steer_blocks_trim(&store->v6);
    }
    free(map);
}

enum steer_err steer_classmap_store_create(uint32_t blocks4_max, uint32_t blocks6_max,
                                           struct steer_classmap_store **store)
{
    struct steer_classmap_store *s = steer_calloc(1, sizeof *s);
    enum steer_err err = steer_blocks_init(&s->v4, 1 << STEP4_BITS, blocks4_max);
    if (err == STEER_OK)
        err = steer_blocks_init(&s->v6, 1 << STEP6_BITS, blocks6_max);
    if (err == STEER_OK)
        *store = s;
    else
        steer_classmap_store_destroy(s);
    return err;
}

void steer_classmap_store_destroy(struct steer_classmap_store *store)
{
    if (!store)
        return;
    if (store->tables)
        abort(); // they would read what is unmapped
    steer_blocks_fini(&store->v4);
    steer_blocks_fini(&store->v6);
    free(store);
}

struct steer_classmap_store_stats
steer_classmap_store_stats(const struct steer_classmap_store *store)
{
    const size_t tables = store->tables * sizeof(struct steer_classmap) + store->tops * TOP_BYTES;
    return (struct steer_classmap_store_stats){.blocks4 = store->v4.used,
                                               .blocks6 = store->v6.used,
                                               .bytes = tables + steer_blocks_bytes(&store->v4) +
                                                        steer_blocks_bytes(&store->v6)};
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
