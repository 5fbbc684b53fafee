// SPDX-License-Identifier: GPL-3.0-or-later
// All classes of a steered record: of the clients whom its tree cannot tell apart one is resolved; residuals with
// one plain form are one class.
#include <stdlib.h>
#include <string.h>

#include "interests.h"
#include "steerd/base/hash.h"

enum { CLASSES_MAX = 65535 };

struct compiler {
    struct steer_residuals *store;
    struct steer_resolver *resolver;
    struct steer_interests interests;
    struct steer_ptrmap class_of_root; // residual of roots or plains -> class + 1
    struct steer_residual **roots, **plains;
    size_t count, cap, plain_cap, max;
    const struct steer_location *(*location)(const void *ctx, uint32_t index);
    const void *ctx;
    uint32_t *trait_of;           // location -> trait + 1; 0: not asked for yet
    struct steer_ptrmap class_of; // trait and network -> class + 1
};

static void release_roots(struct steer_residuals *store, struct steer_residual **roots,
                          size_t count)
{
    for (size_t i = 0; i < count; i++)
        steer_residual_unref(store, roots[i]);
    free(roots);
}

// A class for a residual that is not known by itself. Takes the reference.
static size_t class_by_plain(struct compiler *c, struct steer_residual *root)
{
    struct steer_residual *plain = steer_residual_plain(c->store, root);
    const void *known = *steer_ptrmap_at(&c->class_of_root, (uintptr_t)plain);
    if (known || c->count == c->max) {
        steer_residual_unref(c->store, plain);
        steer_residual_unref(c->store, root);
        return known ? (uintptr_t)known - 1 : c->max;
    }
    c->roots = steer_grow(c->roots, &c->cap, c->count + 1, sizeof(struct steer_residual *));
    c->plains = steer_grow(c->plains, &c->plain_cap, c->count + 1, sizeof(struct steer_residual *));
    c->plains[c->count] = plain;
    c->roots[c->count++] = root;
    *steer_ptrmap_at(&c->class_of_root, (uintptr_t)root) = (void *)(uintptr_t)c->count;
    *steer_ptrmap_at(&c->class_of_root, (uintptr_t)plain) = (void *)(uintptr_t)c->count;
    return c->count - 1;
}

// The class with this root, whose reference it takes; c->max when there are too many.
static size_t class_with(struct compiler *c, struct steer_residual *root)
{
    const void *known = *steer_ptrmap_at(&c->class_of_root, (uintptr_t)root);
    if (known) {
        steer_residual_unref(c->store, root);
        return (uintptr_t)known - 1;
    }
    return class_by_plain(c, root);
}

// network: index among those of the interests, or STEER_NESTED_NONE.
static size_t class_of(struct compiler *c, uint32_t location, uint32_t network)
{
    const struct steer_location *where = c->location(c->ctx, location);
    if (!c->trait_of[location])
        c->trait_of[location] = steer_interests_trait(&c->interests, where) + 1;
    const uint64_t key = (uint64_t)(network + 1) << 32 | c->trait_of[location];
    void **known = steer_ptrmap_at(&c->class_of, key);
    if (*known)
        return (uintptr_t)*known - 1;
    const struct steer_client client = {
        where,
        network == STEER_NESTED_NONE ? NULL : &c->interests.networks[network].prefix,
    };
    const size_t found = class_with(c, steer_resolver_run(c->resolver, &client, NULL));
    *steer_ptrmap_at(&c->class_of, key) = (void *)(uintptr_t)(found + 1);
    return found;
}

static void compiler_init(struct compiler *c, const struct steer_catalog *catalog,
                          const struct steer_object *steered, uint32_t locations)
{
    c->resolver = steer_resolver_create(c->store, catalog, steered);
    c->trait_of = steer_calloc(locations, sizeof *c->trait_of);
    steer_ptrmap_init(&c->class_of_root);
    steer_ptrmap_init(&c->class_of);
    steer_interests_init(&c->interests, catalog, steered->steered.tree);
}

static void compiler_fini(struct compiler *c)
{
    steer_ptrmap_fini(&c->class_of_root);
    steer_ptrmap_fini(&c->class_of);
    steer_interests_fini(&c->interests);
    steer_resolver_destroy(c->resolver);
    free(c->trait_of);
}

// ---- clients in networks -------------------------------------------------------------------------

// A range of addresses of one family, and the ranges of the geo data.
struct scan {
    struct compiler *compiler;
    const struct steer_partition *geo;
    struct steer_ptrmap met; // network and location
    struct steer_class_pair *pairs;
    size_t count, cap;
    bool fits;
};

static bool not_above(struct steer_u128 a, struct steer_u128 b)
{
    return a.hi < b.hi || (a.hi == b.hi && a.lo <= b.lo);
}

// The geo range that holds an address.
static size_t range4(const struct steer_partition *p, uint32_t start)
{
    size_t low = 0, high = p->count4;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (p->start4[mid] <= start)
            low = mid;
        else
            high = mid;
    }
    return low;
}

static size_t range6(const struct steer_partition *p, struct steer_u128 start)
{
    size_t low = 0, high = p->count6;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (not_above(p->start6[mid], start))
            low = mid;
        else
            high = mid;
    }
    return low;
}

static void meet(struct scan *s, uint32_t location, uint32_t network)
{
    static char met;
    void **mark = steer_ptrmap_at(&s->met, (uint64_t)(network + 1) << 32 | location);
    if (*mark || !s->fits)
        return;
    *mark = &met;
    const size_t found = class_of(s->compiler, location, network);
    s->fits = found < s->compiler->max;
    s->pairs = steer_grow(s->pairs, &s->cap, s->count + 1, sizeof *s->pairs);
    s->pairs[s->count++] = (struct steer_class_pair){location, network, (uint16_t)found};
}

// Each range of the networks with each range of the geo data that it meets.
static void scan_ranges(struct scan *s, const struct steer_partition *networks)
{
    const struct steer_partition *geo = s->geo;
    for (size_t i = 0; i < networks->count4 && s->fits; i++) {
        const uint32_t last = i + 1 < networks->count4 ? networks->start4[i + 1] - 1 : UINT32_MAX;
        if (networks->value4[i] == STEER_NESTED_NONE)
            continue;
        for (size_t k = range4(geo, networks->start4[i]); k < geo->count4 && geo->start4[k] <= last;
             k++)
            meet(s, geo->value4[k], networks->value4[i]);
    }
    for (size_t i = 0; i < networks->count6 && s->fits; i++) {
        const bool ends = i + 1 < networks->count6;
        if (networks->value6[i] == STEER_NESTED_NONE)
            continue;
        for (size_t k = range6(geo, networks->start6[i]);
             k < geo->count6 && (!ends || !not_above(networks->start6[i + 1], geo->start6[k])); k++)
            meet(s, geo->value6[k], networks->value6[i]);
    }
}

static void networks_partition(const struct steer_nested *networks, size_t count,
                               struct steer_partition *out)
{
    struct steer_prefix_value *items = steer_calloc(count, sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = (struct steer_prefix_value){networks[i].prefix, (uint32_t)i};
    steer_partition_from_prefixes(items, count, STEER_NESTED_NONE, out);
    free(items);
}

static int by_network(const void *va, const void *vb)
{
    const struct steer_class_pair *a = va, *b = vb;
    if (a->network != b->network)
        return a->network < b->network ? -1 : 1;
    return a->location < b->location ? -1 : a->location > b->location;
}

// False where there are too many classes.
static bool find_pairs(struct compiler *c, const struct steer_partition *geo,
                       struct steer_classes *out)
{
    const struct steer_interests *interests = &c->interests;
    struct scan s = {.compiler = c, .geo = geo, .fits = true};
    struct steer_partition networks;
    steer_ptrmap_init(&s.met);
    networks_partition(interests->networks, interests->network_count, &networks);
    scan_ranges(&s, &networks);
    steer_partition_fini(&networks);
    steer_ptrmap_fini(&s.met);
    if (s.count)
        qsort(s.pairs, s.count, sizeof *s.pairs, by_network);
    out->pairs = s.pairs;
    out->pair_count = (uint32_t)s.count;
    out->network_count = (uint32_t)interests->network_count;
    out->networks =
        steer_memdup(interests->networks, interests->network_count * sizeof *interests->networks);
    return s.fits;
}

// ---- all clients ---------------------------------------------------------------------------------

static uint64_t hash_of(const struct steer_classes *classes)
{
    uint64_t hash = classes->locations_hash;
    for (uint32_t i = 0; i < classes->network_count; i++) {
        const struct steer_prefix *p = &classes->networks[i].prefix;
        hash = steer_hash_bytes(p->addr.octets, sizeof p->addr.octets,
                                hash ^ ((uint64_t)p->addr.family << 8 | p->len));
    }
    for (uint32_t i = 0; i < classes->pair_count; i++) {
        const struct steer_class_pair *p = &classes->pairs[i];
        hash = steer_mix64(hash ^ ((uint64_t)p->network << 32 | p->location)) + p->class_index;
    }
    return hash;
}

static void begin_attempt(struct compiler *c, uint32_t count, uint32_t ranked_first,
                          struct steer_classes *out)
{
    *out = (struct steer_classes){.location_count = count,
                                  .class_of = steer_calloc(count, sizeof *out->class_of),
                                  .ranked_first = ranked_first};
    steer_resolver_cut(c->resolver, ranked_first);
    steer_ptrmap_clear(&c->class_of_root);
    steer_ptrmap_clear(&c->class_of);
}

// With the clients in networks; fits: the others' classes do.
static bool end_attempt(struct compiler *c, const struct steer_partition *geo, bool fits,
                        struct steer_classes *out)
{
    if (fits && geo && c->interests.network_count)
        fits = find_pairs(c, geo, out);
    release_roots(c->store, c->plains, c->count);
    out->roots = c->roots;
    out->class_count = (uint32_t)c->count;
    c->roots = c->plains = NULL;
    c->count = c->cap = c->plain_cap = 0;
    if (!fits)
        steer_classes_fini(c->store, out);
    return fits;
}

// All classes with rankings cut after so many (0: not at all); false where there are too many.
static bool attempt(struct compiler *c, const struct steer_partition *geo, uint32_t count,
                    uint32_t ranked_first, struct steer_classes *out)
{
    bool fits = true;
    begin_attempt(c, count, ranked_first, out);
    for (uint32_t i = 0; i < count && fits; i++) {
        const size_t found = class_of(c, i, STEER_NESTED_NONE);
        fits = found < c->max;
        out->class_of[i] = (uint16_t)found;
    }
    return end_attempt(c, geo, fits, out);
}

// Whole rankings, and the classes of those who are in no network as they were: they came first then, too.
static bool attempt_again(struct compiler *c, const struct steer_partition *geo, uint32_t count,
                          const struct steer_classes *before, struct steer_classes *out)
{
    begin_attempt(c, count, 0, out);
    for (uint32_t i = 0; i < count; i++) {
        out->class_of[i] = before->class_of[i];
        for (size_t k = c->count; k <= before->class_of[i]; k++)
            class_with(c, steer_residual_ref(before->roots[k]));
    }
    return end_attempt(c, geo, true, out);
}

// The longest rankings that fit.
static bool attempt_shorter(struct compiler *c, const struct steer_partition *geo, uint32_t count,
                            struct steer_classes *out)
{
    uint32_t low = 1;
    uint32_t high = c->interests.ranked; // does not fit
    if (high < 2 || !attempt(c, geo, count, 1, out))
        return false;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        struct steer_classes longer;
        if (attempt(c, geo, count, middle, &longer)) {
            steer_classes_fini(c->store, out);
            *out = longer;
            low = middle;
        } else {
            high = middle;
        }
    }
    return true;
}

// before: NULL, or the classes of the same record but for what is forced for some clients.
static enum steer_err compile(struct compiler *c, const struct steer_catalog *catalog,
                              const struct steer_object *steered, const struct steer_partition *geo,
                              uint32_t count, const struct steer_classes *before,
                              struct steer_classes *classes, struct steer_diag *diag)
{
    struct steer_classes out;
    compiler_init(c, catalog, steered, count);
    const bool known = before && !before->ranked_first;
    const bool fits =
        (known ? attempt_again(c, geo, count, before, &out) : attempt(c, geo, count, 0, &out)) ||
        attempt_shorter(c, geo, count, &out);
    compiler_fini(c);
    if (!fits) {
        char path[STEER_PATH_MAX];
        return steer_diag_set(diag, STEER_ELIMIT, "%s: more than %u classes of clients",
                              steer_object_path(steered, path), (unsigned)c->max);
    }
    out.locations_hash = steer_hash_bytes(out.class_of, count * sizeof *out.class_of, 0);
    out.map_hash = hash_of(&out);
    *classes = out;
    return STEER_OK;
}

enum steer_err
steer_classes_over(struct steer_residuals *store, const struct steer_catalog *catalog,
                   const struct steer_object *steered,
                   const struct steer_location *(*location)(const void *ctx, uint32_t index),
                   const void *ctx, uint32_t count, uint32_t classes_max,
                   struct steer_classes *classes, struct steer_diag *diag)
{
    struct compiler c = {.store = store, .max = classes_max, .location = location, .ctx = ctx};
    return compile(&c, catalog, steered, NULL, count, NULL, classes, diag);
}

static const struct steer_location *geo_location(const void *ctx, uint32_t index)
{
    return steer_geo_location(ctx, index);
}

enum steer_err steer_classes_compile(struct steer_residuals *store,
                                     const struct steer_catalog *catalog,
                                     const struct steer_object *steered,
                                     const struct steer_geo *geo, struct steer_classes *classes,
                                     struct steer_diag *diag)
{
    struct compiler c = {.store = store, .max = CLASSES_MAX, .location = geo_location, .ctx = geo};
    return compile(&c, catalog, steered, steer_geo_partition(geo), steer_geo_location_count(geo),
                   NULL, classes, diag);
}

enum steer_err steer_classes_compile_again(struct steer_residuals *store,
                                           const struct steer_catalog *catalog,
                                           const struct steer_object *steered,
                                           const struct steer_geo *geo,
                                           const struct steer_classes *before,
                                           struct steer_classes *classes, struct steer_diag *diag)
{
    struct compiler c = {.store = store, .max = CLASSES_MAX, .location = geo_location, .ctx = geo};
    return compile(&c, catalog, steered, steer_geo_partition(geo), steer_geo_location_count(geo),
                   before, classes, diag);
}

void steer_classes_fini(struct steer_residuals *store, struct steer_classes *classes)
{
    release_roots(store, classes->roots, classes->class_count);
    free(classes->class_of);
    free(classes->networks);
    free(classes->pairs);
    *classes = (struct steer_classes){0};
}

// ---- class tables --------------------------------------------------------------------------------

struct steer_classes steer_classes_take_map(struct steer_classes *classes)
{
    struct steer_classes taken = *classes;
    taken.roots = NULL;
    taken.class_count = 0;
    *classes = (struct steer_classes){.class_count = classes->class_count,
                                      .ranked_first = classes->ranked_first,
                                      .roots = classes->roots};
    return taken;
}

bool steer_classes_alike(const struct steer_classes *a, const struct steer_classes *b)
{
    return a->locations_hash == b->locations_hash && a->location_count == b->location_count &&
           memcmp(a->class_of, b->class_of, a->location_count * sizeof *a->class_of) == 0;
}

bool steer_classes_equal(const struct steer_classes *a, const struct steer_classes *b)
{
    if (a->map_hash != b->map_hash || a->network_count != b->network_count ||
        a->pair_count != b->pair_count || !steer_classes_alike(a, b))
        return false;
    for (uint32_t i = 0; i < a->network_count; i++)
        if (a->networks[i].prefix.len != b->networks[i].prefix.len ||
            !steer_addr_equal(&a->networks[i].prefix.addr, &b->networks[i].prefix.addr))
            return false;
    for (uint32_t i = 0; i < a->pair_count; i++)
        if (by_network(&a->pairs[i], &b->pairs[i]) != 0 ||
            a->pairs[i].class_index != b->pairs[i].class_index)
            return false;
    return true;
}

static uint32_t pair_class(void *ctx, uint32_t location, uint32_t network)
{
    const struct steer_classes *classes = ctx;
    if (network == STEER_NESTED_NONE)
        return classes->class_of[location];
    const struct steer_class_pair key = {.location = location, .network = network};
    const struct steer_class_pair *pair =
        bsearch(&key, classes->pairs, classes->pair_count, sizeof key, by_network);
    return pair->class_index;
}

uint16_t steer_classes_find(const struct steer_classes *classes, uint32_t location,
                            const struct steer_addr *addr)
{
    const struct steer_prefix client = {*addr, (uint8_t)steer_family_bits(addr->family)};
    const uint32_t network =
        classes->network_count
            ? steer_nested_find(classes->networks, classes->network_count, &client)
            : STEER_NESTED_NONE;
    const struct steer_class_pair key = {.location = location, .network = network};
    const struct steer_class_pair *pair =
        network == STEER_NESTED_NONE
            ? NULL
            : bsearch(&key, classes->pairs, classes->pair_count, sizeof key, by_network);
    return pair ? pair->class_index : classes->class_of[location];
}

// The networks of both.
static struct steer_prefix *networks_of(const struct steer_classes *a,
                                        const struct steer_classes *b, size_t *count)
{
    struct steer_prefix *prefixes =
        steer_calloc((size_t)a->network_count + b->network_count, sizeof *prefixes);
    *count = 0;
    for (uint32_t i = 0; i < a->network_count; i++)
        prefixes[(*count)++] = a->networks[i].prefix;
    for (uint32_t i = 0; i < b->network_count; i++)
        prefixes[(*count)++] = b->networks[i].prefix;
    return prefixes;
}

static struct steer_classmap *build_like(const struct steer_classes *classes,
                                         const struct steer_classes_like *like,
                                         const struct steer_partition *partition,
                                         const uint16_t *class_of, size_t count)
{
    size_t differ_count;
    struct steer_prefix *differ = networks_of(classes, like->classes, &differ_count);
    struct steer_classmap *map = steer_classmap_build_like(
        like->map, differ, differ_count, partition, class_of, count, classes->class_of[0]);
    free(differ);
    return map;
}

static struct steer_classmap *build_map(const struct steer_classes *classes,
                                        struct steer_classmap_store *store,
                                        const struct steer_classes_like *like,
                                        const struct steer_partition *partition,
                                        const uint16_t *class_of, size_t count)
{
    if (like)
        return build_like(classes, like, partition, class_of, count);
    return steer_classmap_build_in(store, partition, class_of, count, classes->class_of[0]);
}

struct steer_classmap *steer_classes_map(const struct steer_classes *classes,
                                         const struct steer_geo *geo,
                                         struct steer_classmap_store *store,
                                         const struct steer_classes_like *like)
{
    if (!classes->network_count)
        return build_map(classes, store, like, steer_geo_partition(geo), classes->class_of,
                         classes->location_count);
    struct steer_partition networks, both;
    union {
        const struct steer_classes *in;
        void *out;
    } ctx = {.in = classes};
    networks_partition(classes->networks, classes->network_count, &networks);
    steer_partition_overlay(steer_geo_partition(geo), &networks, pair_class, ctx.out, &both);
    uint16_t *same = steer_calloc(classes->class_count, sizeof *same);
    for (uint32_t i = 0; i < classes->class_count; i++)
        same[i] = (uint16_t)i;
    struct steer_classmap *map = build_map(classes, store, like, &both, same, classes->class_count);
    free(same);
    steer_partition_fini(&networks);
    steer_partition_fini(&both);
    return map;
}
