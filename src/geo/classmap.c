// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/geo/classmap.h"

#include <stdlib.h>
#include <string.h>

#include "geo_internal.h"
#include "steerd/base/mem.h"

// The class of an embedded-IPv4 area while the IPv6 table is cut: like no class of a client.
enum { HOLE = 1 << 16, STEP4_BITS = 8, STEP6_BITS = 4, STEP_ENTRIES_MAX = 1 << 8 };
enum { TOP_BITS = 16, TOP_ENTRIES = 1 << TOP_BITS, TOP_BYTES = TOP_ENTRIES * sizeof(uint32_t) };

struct steer_classmap_store {
    struct steer_blocks v4, v6;
    size_t tables;
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
    bool full; // the table is not usable
};

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

static uint32_t *build_family(struct build *build)
{
    uint32_t *top = steer_alloc(TOP_BYTES);
    fill(build, 0, build->runs.count - 1, 0, 0, top, TOP_BITS);
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

struct steer_classmap *steer_classmap_build_in(struct steer_classmap_store *store,
                                               const struct steer_partition *p,
                                               const uint16_t *class_of, size_t count,
                                               uint16_t unknown_class)
{
    struct classes classes = {class_of, count, unknown_class};
    struct build v4 = {.runs = runs4(p, &classes), .blocks = &store->v4};
    uint32_t hole_class = v4.runs.count == 1 ? v4.runs.class_of[0] : HOLE;
    struct build v6 = {
        .runs = runs6(p, &classes, hole_class), .blocks = &store->v6, .hole_class = unknown_class};
    bool uniform =
        v4.runs.count == 1 && v6.runs.count == 1 && v4.runs.class_of[0] == v6.runs.class_of[0];
    v4.scope_min = v6.scope_min = uniform ? 0 : 1;

    struct steer_classmap *map = steer_calloc(1, sizeof *map);
    map->store = store;
    store->tables++;
    map->unknown_class = unknown_class;
    map->class_count = (uint32_t)unknown_class + 1;
    for (size_t i = 0; i < count; i++)
        if (class_of[i] >= map->class_count)
            map->class_count = (uint32_t)class_of[i] + 1;
    map->top4 = build_family(&v4);
    map->top6 = build_family(&v6);
    map->block4 = steer_slab_at(&store->v4.slab, 0);
    map->block6 = steer_slab_at(&store->v6.slab, 0);
    if (!v4.full && !v6.full)
        return map;
    steer_classmap_destroy(map);
    return NULL;
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

void steer_classmap_destroy(struct steer_classmap *map)
{
    if (!map)
        return;
    struct steer_classmap_store *store = map->store;
    steer_blocks_release(&store->v4, map->top4, TOP_ENTRIES);
    steer_blocks_release(&store->v6, map->top6, TOP_ENTRIES);
    store->tables--;
    if (map->owns_store)
        steer_classmap_store_destroy(store);
    free(map->top4);
    free(map->top6);
    free(map);
}

size_t steer_classmap_bytes(const struct steer_classmap *map)
{
    return sizeof *map + 2 * (size_t)TOP_BYTES;
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
    return (struct steer_classmap_store_stats){.blocks4 = store->v4.used,
                                               .blocks6 = store->v6.used,
                                               .bytes = steer_blocks_bytes(&store->v4) +
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
