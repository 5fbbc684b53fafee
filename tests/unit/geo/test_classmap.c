// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "random_space.h"
#include "steerd/geo/classmap.h"

// The judge: the prefixes themselves, and the classes they have. It knows no tables, ranges or descent.
enum { ITEMS_MAX = 40, VALUES = 6, OTHERWISE = 0, FOREIGN = 1000000 };

struct judge {
    struct steer_prefix_value items[ITEMS_MAX];
    size_t count;
    uint16_t class_of[VALUES];
    uint16_t unknown;
};

static const char *const area_text[] = {"::ffff:0:0/96", "64:ff9b::/96", "2002::/16", "2001::/32"};

static const char *area_at(const struct steer_addr *addr, struct steer_prefix *area)
{
    for (size_t i = 0; i < STEER_ARRAY_LEN(area_text); i++) {
        assert_true(steer_prefix_parse(area_text[i], area, NULL));
        if (addr->family == STEER_V6 && steer_prefix_contains(area, addr))
            return area_text[i];
    }
    return NULL;
}

static uint32_t own_class(const struct judge *judge, const struct steer_addr *addr)
{
    return judge->class_of[naive_value(judge->items, judge->count, OTHERWISE, addr)];
}

// The first and last address of a prefix and, of each prefix or area inside it, the borders on both
// sides: if all of these are of one class, all its addresses are. `foreign` stands for areas of IPv4.
static bool one_class(const struct judge *judge, const struct steer_prefix *within,
                      uint32_t foreign, uint32_t *class_index)
{
    struct steer_addr points[(ITEMS_MAX + 4) * 2 + 2];
    size_t n = 0;
    points[n++] = within->addr;
    points[n++] = last_of(within);
    for (size_t i = 0; i < judge->count + STEER_ARRAY_LEN(area_text); i++) {
        struct steer_prefix p;
        if (i < judge->count)
            p = judge->items[i].prefix;
        else
            assert_true(steer_prefix_parse(area_text[i - judge->count], &p, NULL));
        struct steer_addr before = p.addr;
        struct steer_addr after = moved(last_of(&p), 1);
        if (steer_prefix_contains(within, &before))
            points[n++] = before;
        if (steer_prefix_contains(within, &after))
            points[n++] = after;
    }
    for (size_t i = 0; i < n; i++) {
        struct steer_prefix area;
        bool inside = foreign && area_at(&points[i], &area);
        uint32_t c = inside ? foreign - 1 : own_class(judge, &points[i]);
        if (i && c != *class_index)
            return false;
        *class_index = c;
    }
    return true;
}

static struct steer_prefix cut(const struct steer_addr *addr, unsigned len)
{
    struct steer_prefix prefix = {*addr, (uint8_t)len};
    steer_addr_mask(&prefix.addr, len);
    return prefix;
}

struct verdict {
    uint32_t class_index;
    unsigned scope;
};

static struct verdict judged(const struct judge *judge, const struct steer_addr *addr,
                             unsigned source)
{
    struct steer_addr zero4 = {.family = STEER_V4};
    struct steer_addr zero6 = {.family = STEER_V6};
    struct steer_prefix all4 = {zero4, 0};
    struct steer_prefix all6 = {zero6, 0};
    struct verdict v = {0, 0};
    uint32_t class4, class6;
    bool one4 = one_class(judge, &all4, 0, &class4);
    uint32_t foreign = one4 ? class4 + 1 : FOREIGN;
    if (one4 && one_class(judge, &all6, foreign, &class6) && class4 == class6) {
        v.class_index = class4;
        return v;
    }
    struct steer_prefix area;
    const char *name = area_at(addr, &area);
    if (name) {
        bool teredo = area.len == 32;
        unsigned at = teredo ? 96 : area.len;
        struct steer_addr v4 = zero4;
        for (unsigned i = 0; i < 4; i++)
            v4.octets[i] = teredo ? (uint8_t)~addr->octets[12 + i] : addr->octets[at / 8 + i];
        v = judged(judge, &v4, 32);
        v.scope += at;
        if (source <= at)
            v.class_index = judge->unknown;
        return v;
    }
    v.class_index = own_class(judge, addr);
    for (v.scope = 1; v.scope < steer_family_bits(addr->family); v.scope++) {
        struct steer_prefix prefix = cut(addr, v.scope);
        uint32_t c;
        if (one_class(judge, &prefix, addr->family == STEER_V6 ? foreign : 0, &c))
            break;
    }
    return v;
}

static struct steer_class check(const struct judge *judge, const struct steer_classmap *map,
                                const struct steer_addr *addr, unsigned source)
{
    struct steer_class got = steer_classmap_lookup(map, addr, (uint8_t)source);
    struct verdict want = judged(judge, addr, source);
    if (got.class_index != want.class_index || got.scope != want.scope) {
        char text[64];
        fail_msg("%s source %u: class %u scope %u, should be %u, %u",
                 steer_addr_format(addr, text, sizeof text), source, got.class_index, got.scope,
                 want.class_index, want.scope);
    }
    return got;
}

// In the store, or in one of its own.
static struct steer_classmap *build_in(struct steer_classmap_store *store,
                                       const struct judge *judge)
{
    struct steer_partition p;
    steer_partition_from_prefixes(judge->items, judge->count, OTHERWISE, &p);
    struct steer_classmap *map =
        store ? steer_classmap_build_in(store, &p, judge->class_of, VALUES, judge->unknown)
              : steer_classmap_build(&p, judge->class_of, VALUES, judge->unknown);
    steer_partition_fini(&p);
    return map;
}

static struct steer_classmap *build(const struct judge *judge)
{
    return build_in(NULL, judge);
}

static struct steer_addr embed(const char *area_text_i, const struct steer_addr *v4)
{
    struct steer_prefix area;
    assert_true(steer_prefix_parse(area_text_i, &area, NULL));
    bool teredo = area.len == 32;
    unsigned at = teredo ? 12 : area.len / 8;
    for (unsigned i = 0; i < 4; i++)
        area.addr.octets[at + i] = v4->octets[i] ^ (teredo ? 0xff : 0);
    return area.addr;
}

static void check_space(struct steer_rng *rng, const struct judge *judge)
{
    struct steer_classmap *map = build(judge);
    size_t asked;
    struct steer_addr *list = interesting(rng, judge->items, judge->count, &asked);
    for (size_t i = 0; i < asked; i++) {
        unsigned bits = steer_family_bits(list[i].family);
        struct steer_class got = check(judge, map, &list[i], bits);
        struct steer_prefix scope = cut(&list[i], got.scope);
        struct steer_addr last = last_of(&scope);
        struct steer_class first_class = check(judge, map, &scope.addr, bits);
        struct steer_class last_class = check(judge, map, &last, bits);
        // Unique: everyone in a returned prefix gets the same one.
        assert_true(first_class.class_index == got.class_index && first_class.scope == got.scope);
        assert_true(last_class.class_index == got.class_index && last_class.scope == got.scope);
        struct steer_addr around = cut(&list[i], below(rng, bits + 1)).addr;
        check(judge, map, &around, below(rng, bits + 1));
        if (list[i].family == STEER_V4)
            for (size_t k = 0; k < STEER_ARRAY_LEN(area_text); k++) {
                struct steer_addr inside = embed(area_text[k], &list[i]);
                check(judge, map, &inside, 128);
                check(judge, map, &inside, below(rng, 129));
            }
    }
    free(list);
    steer_classmap_destroy(map);
}

static void class_and_scope_are_what_a_linear_judge_says(void **state)
{
    (void)state;
    struct steer_rng rng;
    steer_rng_init(&rng, 3);
    for (unsigned round = 0; round < 60; round++) {
        struct judge judge = {.count = below(&rng, round % 4 ? 12 : ITEMS_MAX + 1)};
        unsigned classes = 1 + below(&rng, 4);
        random_prefixes(&rng, judge.items, judge.count, VALUES);
        for (unsigned i = 0; i < VALUES; i++)
            judge.class_of[i] = (uint16_t)below(&rng, classes);
        judge.unknown = judge.class_of[OTHERWISE];
        check_space(&rng, &judge);
    }
}

static void prefix(struct judge *judge, const char *text, uint32_t value)
{
    assert_true(steer_prefix_parse(text, &judge->items[judge->count].prefix, NULL));
    judge->items[judge->count++].value = value;
}

static void check_row(const struct steer_classmap *map, const char *text, unsigned source,
                      unsigned class_index, unsigned scope)
{
    struct steer_addr addr;
    assert_true(steer_addr_parse(text, &addr));
    struct steer_class got = steer_classmap_lookup(map, &addr, (uint8_t)source);
    if (got.class_index != class_index || got.scope != scope)
        fail_msg("%s/%u: class %u scope %u, should be %u, %u", text, source, got.class_index,
                 got.scope, class_index, scope);
}

static void known_answers(void **state)
{
    (void)state;
    struct judge judge = {.class_of = {0, 1, 2, 3, 4, 65535}, .unknown = 0};
    static const struct {
        const char *addr;
        unsigned source, class_index, scope;
    } rows[] = {
        {"10.1.2.3", 24, 1, 10},
        {"10.64.0.9", 24, 2, 24},
        {"10.64.1.0", 24, 1, 24},
        {"11.0.0.0", 24, 0, 8},
        {"8.0.0.0", 24, 0, 7},
        {"128.0.0.1", 32, 0, 2},
        {"203.0.113.7", 32, 65535, 32},
        {"203.0.113.6", 32, 0, 32},
        {"2001:db8::1", 56, 3, 48},
        {"2001:db8:8000::1", 56, 3, 33},
        {"2001:db8:1::1", 56, 4, 48},
        {"2001:db9::", 56, 0, 32},
        {"2001:1::", 56, 0, 32}, // beside Teredo's area
        {"4000::", 56, 0, 2},
        {"8000::", 56, 0, 1},
        {"::ffff:10.1.2.3", 128, 1, 106},
        {"64:ff9b::10.64.0.1", 128, 2, 120},
        {"64:ff9b:1::", 56, 0, 48},    // beside NAT64's area
        {"2002:a01:203::", 56, 1, 26}, // 6to4 of 10.1.2.3
        {"2002:a40::", 48, 2, 40},     // of 10.64.0.0
        {"2002::", 16, 0, 21},         // stops before the embedded bits: unknown
        {"2002:a00::", 24, 1, 26},
        {"2001:0:c000:201::f5fe:fdfc", 128, 1, 106}, // Teredo of 10.1.2.3
        {"2001:0:c000:201::", 64, 0, 99},            // of 255.255.255.255, not asked that far
    };
    prefix(&judge, "10.0.0.0/8", 1);
    prefix(&judge, "10.64.0.0/24", 2);
    prefix(&judge, "203.0.113.7/32", 5);
    prefix(&judge, "2001:db8::/32", 3);
    prefix(&judge, "2001:db8:1::/48", 4);
    prefix(&judge, "2002::/16", 4); // hidden by what IPv4 says
    struct steer_classmap *map = build(&judge);
    assert_int_equal(map->class_count, 65536);
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_addr addr;
        check_row(map, rows[i].addr, rows[i].source, rows[i].class_index, rows[i].scope);
        assert_true(steer_addr_parse(rows[i].addr, &addr));
        check(&judge, map, &addr, rows[i].source); // the judge, too
    }
    steer_classmap_destroy(map);
}

static void a_client_counts_as_its_network(void **state)
{
    (void)state;
    static const struct {
        const char *addr;
        uint8_t v4, v6;
        const char *network;
        uint8_t scope;
    } rows[] = {
        {"10.1.2.3", 24, 56, "10.1.2.0/24", 24},
        {"10.1.2.3", 32, 56, "10.1.2.3/32", 32},
        {"10.1.2.3", 1, 56, "0.0.0.0/1", 1},
        {"2001:db8:1:2345::9", 24, 56, "2001:db8:1:2300::/56", 56},
        {"2001:db8:1:2345::9", 24, 128, "2001:db8:1:2345::9/128", 128},
        {"::ffff:10.1.2.3", 24, 56, "10.1.2.0/24", 120},
        {"64:ff9b::10.1.2.3", 24, 56, "10.1.2.0/24", 120},
        {"2002:a01:203::", 24, 56, "10.1.2.0/24", 40},
        {"2001:0:c000:201::f5fe:fdfc", 20, 56, "10.1.0.0/20", 116},
        // Networks that would hold an area of embedded IPv4 stop before it.
        {"::1", 24, 56, "::/81", 81},
        {"2003::1", 24, 8, "2003::/16", 16},
        {"2400::1", 24, 8, "2400::/8", 8},
        {"2001:8000::1", 24, 16, "2001:8000::/17", 17},
        {"64:ff9b::1:0:0:1", 24, 56, "64:ff9b:0:0:1::/80", 80},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_addr addr;
        struct steer_prefix network;
        uint8_t scope;
        char text[64];
        assert_true(steer_addr_parse(rows[i].addr, &addr));
        steer_client_network(&addr, rows[i].v4, rows[i].v6, &network, &scope);
        assert_string_equal(steer_prefix_format(&network, text, sizeof text), rows[i].network);
        assert_int_equal(scope, rows[i].scope);
    }
}

static void one_class_for_all_has_scope_zero_everywhere(void **state)
{
    (void)state;
    struct judge judge = {.class_of = {3, 3, 3, 3, 3, 3}, .unknown = 3};
    prefix(&judge, "10.0.0.0/8", 1);
    prefix(&judge, "2002:a00::/32", 2);
    struct steer_classmap *map = build(&judge);
    static const char *const rows[] = {"10.0.0.1", "192.0.2.1", "2001:db8::1", "::ffff:10.0.0.1",
                                       "2002::"};
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++)
        check_row(map, rows[i], 32, 3, 0);
    steer_classmap_destroy(map);
}

static void one_class_in_each_family_has_scopes_of_one(void **state)
{
    (void)state;
    struct judge judge = {.class_of = {0, 1}, .unknown = 0};
    prefix(&judge, "::/0", 1);
    struct steer_classmap *map = build(&judge);
    check_row(map, "10.0.0.1", 32, 0, 1);
    check_row(map, "8000::", 128, 1, 1);
    check_row(map, "::ffff:10.0.0.1", 128, 0, 97);
    check_row(map, "2002:1::", 48, 0, 17);
    check_row(map, "2003::", 48, 1, 16);
    steer_classmap_destroy(map);
}

static void equal_blocks_are_stored_once(void **state)
{
    (void)state;
    struct judge judge = {.class_of = {0, 1}, .unknown = 0};
    char text[32];
    for (unsigned i = 0; i < 30; i++) {
        snprintf(text, sizeof text, "10.%u.128.0/17", i);
        prefix(&judge, text, 1);
    }
    struct steer_classmap *map = build(&judge);
    assert_int_equal(steer_classmap_store_stats(map->store).blocks4, 1);
    assert_in_range(steer_classmap_store_stats(map->store).bytes, 2 << 18, 600000);
    steer_classmap_destroy(map);
}

// ---- several tables in one store -------------------------------------------------------------------

enum { TABLES = 8 };

// A table in a store, and what it should say.
struct tenant {
    struct judge judge;
    struct steer_classmap *map;
};

static struct steer_classmap_store *store_of(uint32_t blocks4_max, uint32_t blocks6_max)
{
    struct steer_classmap_store *store;
    assert_int_equal(steer_classmap_store_create(blocks4_max, blocks6_max, &store), STEER_OK);
    return store;
}

// The same prefixes in all, but for a few of one's own.
static void random_judge(struct steer_rng *rng, const struct judge *common, struct judge *judge)
{
    struct judge own = {.count = below(rng, 4)};
    random_prefixes(rng, own.items, own.count, VALUES);
    *judge = *common;
    for (size_t i = 0; i < own.count; i++)
        judge->items[judge->count++] = own.items[i];
    if (below(rng, 3) == 0)
        for (unsigned i = 0; i < VALUES; i++)
            judge->class_of[i] = (uint16_t)below(rng, 4);
    judge->unknown = judge->class_of[OTHERWISE];
}

static bool same_entries(const uint32_t *a, const uint32_t *blocks_a, const uint32_t *b,
                         const uint32_t *blocks_b, unsigned count, unsigned width)
{
    for (unsigned i = 0; i < count; i++) {
        const size_t at_a = (size_t)(a[i] & ~STEER_CLASSMAP_BLOCK) * width;
        const size_t at_b = (size_t)(b[i] & ~STEER_CLASSMAP_BLOCK) * width;
        if ((a[i] ^ b[i]) & STEER_CLASSMAP_BLOCK)
            return false;
        if (a[i] & STEER_CLASSMAP_BLOCK
                ? !same_entries(blocks_a + at_a, blocks_a, blocks_b + at_b, blocks_b, width, width)
                : a[i] != b[i])
            return false;
    }
    return true;
}

// Entry by entry what the same table says that has a store of its own.
static void check_tenant(const struct tenant *tenant)
{
    const struct steer_classmap *map = tenant->map;
    struct steer_classmap *alone = build(&tenant->judge);
    assert_int_equal(map->unknown_class, alone->unknown_class);
    assert_int_equal(map->class_count, alone->class_count);
    assert_true(same_entries(map->top4, map->block4, alone->top4, alone->block4, 65536, 256));
    assert_true(same_entries(map->top6, map->block6, alone->top6, alone->block6, 65536, 16));
    steer_classmap_destroy(alone);
}

static void tables_of_one_store_are_as_if_each_were_alone(void **state)
{
    (void)state;
    struct steer_rng rng;
    steer_rng_init(&rng, 17);
    struct steer_classmap_store *store = store_of(1 << 16, 1 << 16);
    struct tenant tenants[TABLES] = {{.map = NULL}};
    struct judge common = {.count = 20, .class_of = {0, 1, 2, 1, 3, 2}};
    random_prefixes(&rng, common.items, common.count, VALUES);
    for (unsigned round = 0; round < 150; round++) {
        struct tenant *t = &tenants[below(&rng, TABLES)];
        steer_classmap_destroy(t->map);
        t->map = NULL;
        if (below(&rng, 4)) {
            random_judge(&rng, &common, &t->judge);
            t->map = build_in(store, &t->judge);
        }
        for (unsigned i = 0; i < TABLES; i++)
            if (tenants[i].map && (i == round % TABLES || &tenants[i] == t))
                check_tenant(&tenants[i]);
    }
    for (unsigned i = 0; i < TABLES; i++)
        steer_classmap_destroy(tenants[i].map);
    assert_int_equal(steer_classmap_store_stats(store).blocks4, 0);
    assert_int_equal(steer_classmap_store_stats(store).blocks6, 0);
    steer_classmap_store_destroy(store);
}

// Of one judge, the base; of another, its own prefixes in addition: those of either that the other has not.
static size_t differences(const struct judge *a, const struct judge *b, size_t common,
                          struct steer_prefix *differ)
{
    size_t count = 0;
    for (size_t i = common; i < a->count; i++)
        differ[count++] = a->items[i].prefix;
    for (size_t i = common; i < b->count; i++)
        differ[count++] = b->items[i].prefix;
    return count;
}

static void a_table_made_like_another_is_as_if_made_from_nothing(void **state)
{
    (void)state;
    struct steer_rng rng;
    unsigned same_tops = 0;
    steer_rng_init(&rng, 19);
    for (unsigned round = 0; round < 150; round++) {
        struct steer_classmap_store *store = store_of(1 << 16, 1 << 16);
        struct judge common = {.count = below(&rng, 25), .class_of = {0, 1, 2, 1, 3, 2}};
        struct tenant base, like;
        struct steer_prefix differ[2 * ITEMS_MAX];
        struct steer_partition p;
        random_prefixes(&rng, common.items, common.count, VALUES);
        random_judge(&rng, &common, &base.judge);
        memcpy(common.class_of, base.judge.class_of, sizeof common.class_of);
        random_judge(&rng, &common, &like.judge);
        memcpy(like.judge.class_of, base.judge.class_of, sizeof common.class_of);
        like.judge.unknown = base.judge.unknown;
        base.map = build_in(store, &base.judge);
        const size_t count = differences(&base.judge, &like.judge, common.count, differ);
        steer_partition_from_prefixes(like.judge.items, like.judge.count, OTHERWISE, &p);
        like.map = steer_classmap_build_like(base.map, differ, count, &p, like.judge.class_of,
                                             VALUES, like.judge.unknown);
        steer_partition_fini(&p);
        check_tenant(&like);
        check_tenant(&base);
        same_tops += base.map->top6 == like.map->top6;
        steer_classmap_destroy(base.map);
        check_tenant(&like);
        steer_classmap_destroy(like.map);
        assert_int_equal(steer_classmap_store_stats(store).bytes, 0);
        steer_classmap_store_destroy(store);
    }
    assert_in_range(same_tops, 10, 140);
}

static void an_equal_table_takes_no_block_and_frees_none(void **state)
{
    (void)state;
    struct steer_rng rng;
    steer_rng_init(&rng, 18);
    struct judge judge = {.count = 30, .class_of = {0, 1, 2, 3, 4, 5}};
    random_prefixes(&rng, judge.items, judge.count, VALUES);
    struct steer_classmap_store *store = store_of(1 << 16, 1 << 16);
    struct tenant first = {judge, build_in(store, &judge)};
    const struct steer_classmap_store_stats one = steer_classmap_store_stats(store);
    struct tenant second = {judge, build_in(store, &judge)};
    const struct steer_classmap_store_stats two = steer_classmap_store_stats(store);
    assert_true(one.blocks4 > 1 && one.blocks6 > 1);
    assert_int_equal(one.blocks4, two.blocks4);
    assert_int_equal(one.blocks6, two.blocks6);
    assert_memory_equal(first.map->top4, second.map->top4, 65536 * sizeof(uint32_t));
    steer_classmap_destroy(first.map);
    check_tenant(&second);
    steer_classmap_destroy(second.map);
    assert_int_equal(steer_classmap_store_stats(store).bytes, 0);
    steer_classmap_store_destroy(store);
}

static void a_table_that_does_not_fit_leaves_the_others_as_they_are(void **state)
{
    (void)state;
    struct judge small = {.class_of = {0, 1}, .unknown = 0};
    prefix(&small, "192.0.2.0/24", 1);
    prefix(&small, "2001:db8::/32", 1);
    struct judge large4 = small;
    prefix(&large4, "198.51.100.7/32", 1);
    struct judge large6 = small;
    prefix(&large6, "2001:db9::1/128", 1);
    struct steer_classmap *alone = build(&small);
    const struct steer_classmap_store_stats need = steer_classmap_store_stats(alone->store);
    steer_classmap_destroy(alone);
    struct steer_classmap_store *store =
        store_of((uint32_t)need.blocks4, (uint32_t)need.blocks6); // and none is left
    struct tenant tenant = {small, build_in(store, &small)};
    assert_non_null(tenant.map);
    const struct steer_classmap_store_stats before = steer_classmap_store_stats(store);
    for (int i = 0; i < 3; i++) { // each time all of what was begun is given back
        assert_null(build_in(store, &large4));
        assert_null(build_in(store, &large6));
    }
    const struct steer_classmap_store_stats after = steer_classmap_store_stats(store);
    assert_memory_equal(&before, &after, sizeof before);
    check_tenant(&tenant);
    steer_classmap_destroy(tenant.map);
    // What was freed is taken again: another table of the same size fits.
    struct judge other = {.class_of = {0, 1}, .unknown = 0};
    prefix(&other, "203.0.113.0/24", 1);
    tenant = (struct tenant){other, build_in(store, &other)};
    assert_non_null(tenant.map);
    check_tenant(&tenant);
    steer_classmap_destroy(tenant.map);
    steer_classmap_store_destroy(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(class_and_scope_are_what_a_linear_judge_says),
        cmocka_unit_test(known_answers),
        cmocka_unit_test(a_client_counts_as_its_network),
        cmocka_unit_test(one_class_for_all_has_scope_zero_everywhere),
        cmocka_unit_test(one_class_in_each_family_has_scopes_of_one),
        cmocka_unit_test(equal_blocks_are_stored_once),
        cmocka_unit_test(tables_of_one_store_are_as_if_each_were_alone),
        cmocka_unit_test(a_table_made_like_another_is_as_if_made_from_nothing),
        cmocka_unit_test(an_equal_table_takes_no_block_and_frees_none),
        cmocka_unit_test(a_table_that_does_not_fit_leaves_the_others_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
