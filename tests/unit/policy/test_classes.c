// SPDX-License-Identifier: GPL-3.0-or-later
// Classes and scopes of policies with networks, over small geo data, judged by an evaluator that goes through rules
// and ranges one by one: what a client gets is a text, and clients with equal texts are one class.
#include "unit/policy/decide_support.h"

#include "policy/decide_internal.h"
#include "steerd/base/hash.h"

__extension__ typedef unsigned __int128 number;

enum { RULES_MAX = 24, TEXT_MAX = 160, STARTS_MAX = 400 };

struct rule {
    char text[64];
    bool is_asn;
    uint32_t asn;
    struct steer_prefix prefix;
    char pool[2];
};

struct bed {
    struct steer_rng rng;
    struct steer_geo *geo;
    struct rule rules[RULES_MAX];
    unsigned rule_count;
    char fallback;      // 'g': a geo by default; 'p': a pool
    const char *fenced; // the pool whose rule has a fence, or NULL
};

static unsigned below(struct bed *b, unsigned n)
{
    return (unsigned)(steer_rng_next(&b->rng) % n);
}

// ---- random policies -----------------------------------------------------------------------------

static bool known(const struct bed *b, const char *text)
{
    for (unsigned i = 0; i < b->rule_count; i++)
        if (strcmp(b->rules[i].text, text) == 0)
            return true;
    return false;
}

static void random_rule(struct bed *b)
{
    static const char *const near[] = {"192.0.2.0",       "198.51.100.127",
                                       "198.51.100.128",  "203.0.113.255",
                                       "100.65.1.0",      "100.65.16.1",
                                       "0.0.0.0",         "255.255.255.255",
                                       "2001:db8:65:1::", "2001:db8:de::1",
                                       "2001:db8:65:4::", "2001::1:2:3",
                                       "2003::",          "::",
                                       "::fffe:1:2"};
    struct rule *r = &b->rules[b->rule_count];
    struct steer_addr v4;
    unsigned offset;
    *r = (struct rule){.pool = {(char)('a' + below(b, 6)), '\0'}};
    if (below(b, 8) == 0) {
        r->is_asn = true;
        r->asn = 64500 + below(b, 4);
        snprintf(r->text, sizeof r->text, "AS%u", r->asn);
    } else {
        assert_true(steer_addr_parse(near[below(b, STEER_ARRAY_LEN(near))], &r->prefix.addr));
        unsigned bits = steer_family_bits(r->prefix.addr.family);
        r->prefix.len =
            (uint8_t)(below(b, 3) ? bits - below(b, bits == 32 ? 17 : 90) : below(b, bits + 1));
        steer_addr_mask(&r->prefix.addr, r->prefix.len);
        if (steer_addr_embedded_v4(&r->prefix.addr, &v4, &offset) && r->prefix.len >= 16)
            return;
        steer_prefix_format(&r->prefix, r->text, sizeof r->text);
    }
    if (!known(b, r->text))
        b->rule_count++;
}

static void random_policy(struct bed *b, struct steer_buf *json)
{
    const unsigned wanted = 1 + below(b, RULES_MAX - 1);
    b->rule_count = 0;
    for (unsigned i = 0; i < wanted; i++)
        random_rule(b);
    if (!b->rule_count)
        random_rule(b);
    b->fallback = below(b, 2) ? 'g' : 'p';
    b->fenced = below(b, 3) ? NULL : "c";
    // One rule for each pool, wherever its networks stood.
    steer_buf_puts(json, "{\"network\":{\"rules\":[");
    unsigned given = 0;
    for (char pool = 'a'; pool <= 'f'; pool++) {
        unsigned of_pool = 0;
        for (unsigned i = 0; i < b->rule_count; i++)
            if (b->rules[i].pool[0] == pool)
                steer_buf_printf(json, "%s\"%s\"",
                                 of_pool++ ? ","
                                 : given++ ? ",{\"match\":["
                                           : "{\"match\":[",
                                 b->rules[i].text);
        if (of_pool)
            steer_buf_printf(json, "],\"fence\":%s,\"to\":{\"endpoint\":\"%c\"}}",
                             b->fenced && b->fenced[0] == pool ? "true" : "false", pool);
    }
    steer_buf_printf(json, "],\"default\":%s}}",
                     b->fallback == 'p'
                         ? "{\"endpoint\":\"v4\"}"
                         : "{\"geo\":{\"rules\":[{\"match\":\"NA-US-CA\",\"to\":{\"endpoint\":"
                           "\"v6\"}}],\"default\":{\"endpoint\":\"v4\"}}}");
}

// ---- the judge -----------------------------------------------------------------------------------

static void say(char *text, const char *word)
{
    const size_t len = strlen(text);
    char with_blanks[16];
    snprintf(with_blanks, sizeof with_blanks, " %s ", word);
    if (!strstr(text, with_blanks))
        snprintf(text + len, TEXT_MAX - len, "%s", with_blanks);
}

static void judge(const struct bed *b, const struct steer_addr *addr, char text[TEXT_MAX])
{
    const struct steer_location *location = steer_geo_lookup(b->geo, addr);
    text[0] = '\0';
    for (int step = 128; step >= -1; step--)
        for (unsigned i = 0; i < b->rule_count; i++) {
            const struct rule *r = &b->rules[i];
            const bool holds =
                r->is_asn ? step == -1 && r->asn == location->asn
                          : r->prefix.len == step && steer_prefix_contains(&r->prefix, addr);
            if (!holds)
                continue;
            say(text, r->pool);
            if (b->fenced && strcmp(b->fenced, r->pool) == 0)
                return;
        }
    const bool california = strcmp(location->place.subdivision, "CA") == 0 &&
                            strcmp(location->place.country, "US") == 0;
    say(text, b->fallback == 'g' && california ? "v6,v4" : "v4");
}

struct family {
    unsigned bits;
    number starts[STARTS_MAX];
    size_t count;
    char text[STARTS_MAX][TEXT_MAX];
    bool hole[STARTS_MAX]; // IPv4 inside IPv6: has scopes of its own (check_embedded)
};

static number last_of(unsigned bits, number first, unsigned len)
{
    const unsigned rest = bits - len;
    return first | (rest == 128 ? ~(number)0 : ((number)1 << rest) - 1);
}

static number first_of(unsigned bits, number n, unsigned len)
{
    return last_of(bits, n, len) - (len ? last_of(bits, 0, len) : last_of(bits, 0, 0));
}

static struct steer_addr to_addr(unsigned bits, number n)
{
    struct steer_addr addr = {.family = bits == 32 ? STEER_V4 : STEER_V6};
    for (unsigned i = 0; i < bits / 8; i++)
        addr.octets[i] = (uint8_t)(n >> (bits - 8 - 8 * i));
    return addr;
}

static void start(struct family *f, number n)
{
    assert_true(f->count < STARTS_MAX);
    f->starts[f->count++] = n;
}

static void start_prefix(struct family *f, const struct steer_prefix *p)
{
    const struct steer_u128 u = steer_addr_to_u128(&p->addr);
    const number first = (number)u.hi << 64 | u.lo;
    if (steer_family_bits(p->addr.family) != f->bits)
        return;
    const number last = last_of(f->bits, first, p->len);
    start(f, first);
    if (last != last_of(f->bits, 0, 0))
        start(f, last + 1);
}

static int by_number(const void *a, const void *b)
{
    const number x = *(const number *)a, y = *(const number *)b;
    return x < y ? -1 : x > y;
}

static void survey(const struct bed *b, struct family *f)
{
    static const char *const holes[] = {"::ffff:0:0/96", "64:ff9b::/96", "2002::/16", "2001::/32"};
    const struct steer_partition *p = steer_geo_partition(b->geo);
    struct steer_prefix hole;
    struct steer_addr v4;
    unsigned offset;
    f->count = 0;
    for (size_t i = 0; f->bits == 32 && i < p->count4; i++)
        start(f, p->start4[i]);
    for (size_t i = 0; f->bits == 128 && i < p->count6; i++)
        start(f, (number)p->start6[i].hi << 64 | p->start6[i].lo);
    for (unsigned i = 0; i < b->rule_count; i++)
        if (!b->rules[i].is_asn)
            start_prefix(f, &b->rules[i].prefix);
    for (size_t i = 0; i < STEER_ARRAY_LEN(holes); i++) {
        assert_true(steer_prefix_parse(holes[i], &hole, NULL));
        start_prefix(f, &hole);
    }
    qsort(f->starts, f->count, sizeof f->starts[0], by_number);
    for (size_t i = 0; i < f->count; i++) {
        const struct steer_addr addr = to_addr(f->bits, f->starts[i]);
        f->hole[i] = steer_addr_embedded_v4(&addr, &v4, &offset);
        if (f->hole[i])
            snprintf(f->text[i], TEXT_MAX, "hole");
        else
            judge(b, &addr, f->text[i]);
    }
}

static size_t range_of(const struct family *f, number n)
{
    size_t i = f->count - 1;
    while (f->starts[i] > n)
        i--;
    return i;
}

static bool one_class(const struct family *f, number first, number last)
{
    const size_t from = range_of(f, first);
    for (size_t i = from; i < f->count && f->starts[i] <= last; i++)
        if (strcmp(f->text[i], f->text[from]) != 0)
            return false;
    return true;
}

static unsigned judge_scope(const struct family *f, number n, bool uniform)
{
    unsigned len = uniform ? 0 : 1;
    while (!one_class(f, first_of(f->bits, n, len), last_of(f->bits, n, len)))
        len++;
    return len;
}

enum { KEPT = 5 };

// ---- comparing -----------------------------------------------------------------------------------

struct compiled {
    struct steer_residuals *store;
    struct steer_catalog *catalog;
    const struct steer_object *steered;
    struct steer_classes classes;
    struct steer_classmap *map;
};

static void check_client(const struct bed *b, const struct compiled *c, const struct family *f,
                         number n, bool uniform)
{
    if (f->hole[range_of(f, n)])
        return;
    const struct steer_addr addr = to_addr(f->bits, n);
    const struct steer_class got = steer_classmap_lookup(c->map, &addr, (uint8_t)f->bits);
    const struct steer_prefix self = {addr, (uint8_t)f->bits};
    const struct steer_client client = {steer_geo_lookup(b->geo, &addr), &self};
    struct steer_residual *root =
        steer_residual_resolve(c->store, c->catalog, c->steered, &client, NULL);
    char text[64];
    if (c->classes.roots[got.class_index] != root)
        fail_msg("%s: class %u is not its own\n%s", steer_addr_format(&addr, text, sizeof text),
                 got.class_index, c->steered->json);
    const unsigned wanted = judge_scope(f, n, uniform);
    if (got.scope != wanted)
        fail_msg("%s: scope %u, wanted %u\n%s", steer_addr_format(&addr, text, sizeof text),
                 got.scope, wanted, c->steered->json);
    steer_residual_unref(c->store, root);
}

static void check_family(const struct bed *b, const struct compiled *c, const struct family *f,
                         bool uniform)
{
    const number end = last_of(f->bits, 0, 0);
    for (size_t i = 0; i < f->count; i++) {
        if (f->hole[i] || (i + 1 < f->count && f->starts[i + 1] == f->starts[i]))
            continue;
        const number first = f->starts[i];
        const number last = i + 1 < f->count ? f->starts[i + 1] - 1 : end;
        const unsigned len = judge_scope(f, first, uniform);
        check_client(b, c, f, first, uniform);
        check_client(b, c, f, last, uniform);
        check_client(b, c, f, first_of(f->bits, first, len), uniform);
        check_client(b, c, f, last_of(f->bits, first, len), uniform);
    }
}

// IPv4 inside IPv6 has the class of the IPv4 address, and its scope behind the offset.
static void check_embedded(const struct compiled *c, const struct family *v4, bool uniform)
{
    for (size_t i = 0; i < v4->count; i++) {
        const struct steer_addr plain = to_addr(32, v4->starts[i]);
        const struct steer_class want = steer_classmap_lookup(c->map, &plain, 32);
        struct steer_addr addr = {STEER_V6, {[10] = 0xff, 0xff}};
        memcpy(addr.octets + 12, plain.octets, 4);
        const struct steer_class mapped = steer_classmap_lookup(c->map, &addr, 128);
        addr = (struct steer_addr){STEER_V6, {0x20, 0x02}};
        memcpy(addr.octets + 2, plain.octets, 4);
        const struct steer_class sixto4 = steer_classmap_lookup(c->map, &addr, 56);
        const struct steer_class cut = steer_classmap_lookup(c->map, &addr, 16);
        assert_int_equal(mapped.class_index, want.class_index);
        assert_int_equal(sixto4.class_index, want.class_index);
        if (want.scope) {
            assert_int_equal(mapped.scope, 96 + want.scope);
            assert_int_equal(sixto4.scope, 16 + want.scope);
            assert_int_equal(cut.class_index, c->classes.class_of[0]);
        } else {
            assert_true(uniform || mapped.scope == 0);
        }
    }
}

static void random_networks_have_the_least_scopes(void **state)
{
    (void)state;
    static const char *const files[] = {STEER_SOURCE_DIR "/geodata/city.mmdb",
                                        STEER_SOURCE_DIR "/geodata/asn.mmdb"};
    struct bed *b = calloc(1, sizeof *b);
    struct family *v4 = calloc(2, sizeof *v4), *v6 = v4 + 1;
    struct steer_buf json = {0};
    steer_rng_init(&b->rng, 70);
    v4->bits = 32;
    v6->bits = 128;
    assert_int_equal(steer_geo_open(files, 2, NULL, &b->geo, NULL), STEER_OK);
    struct steer_classmap_store *store;
    assert_int_equal(
        steer_classmap_store_create(STEER_CLASSMAP_BLOCKS4, STEER_CLASSMAP_BLOCKS6, &store),
        STEER_OK);
    struct steer_classmap *kept[KEPT] = {NULL};
    for (int round = 0; round < 600; round++) {
        struct compiled c = {.store = steer_residuals_create(), .catalog = small_catalog()};
        steer_buf_clear(&json);
        random_policy(b, &json);
        c.steered = record(c.catalog, json.data);
        assert_int_equal(
            steer_classes_compile(c.store, c.catalog, c.steered, b->geo, &c.classes, NULL),
            STEER_OK);
        c.map = steer_classes_map(&c.classes, b->geo, store, NULL);
        assert_non_null(c.map);
        survey(b, v4);
        survey(b, v6);
        const bool single4 = one_class(v4, 0, UINT32_MAX);
        for (size_t i = 0; single4 && i < v6->count; i++)
            if (v6->hole[i])
                memcpy(v6->text[i], v4->text[0], TEXT_MAX);
        const bool uniform =
            single4 && one_class(v6, 0, ~(number)0) && strcmp(v6->text[0], v4->text[0]) == 0;
        check_family(b, &c, v4, uniform);
        check_family(b, &c, v6, uniform);
        check_embedded(&c, v4, uniform);
        // Some tables stay for a while, so that later ones share blocks with them.
        steer_classmap_destroy(kept[round % KEPT]);
        kept[round % KEPT] = c.map;
        steer_classes_fini(c.store, &c.classes);
        assert_int_equal(steer_residuals_count(c.store), 0);
        steer_residuals_destroy(c.store);
        steer_catalog_unref(c.catalog);
    }
    for (int i = 0; i < KEPT; i++)
        steer_classmap_destroy(kept[i]);
    assert_int_equal(steer_classmap_store_stats(store).bytes, 0);
    steer_classmap_store_destroy(store);
    steer_geo_unref(b->geo);
    steer_buf_fini(&json);
    free(v4);
    free(b);
}

// ---- sharing -------------------------------------------------------------------------------------

#define NETWORKS(a, b)                                                                             \
    "{\"network\":{\"rules\":[{\"match\":[" a "],\"to\":{\"pool\":\"a\"}},{\"match\":[" b          \
    "],\"to\":{\"pool\":\"b\"}}],\"default\":{\"pool\":\"c\"}}}"

static void tables_are_shared_by_equal_maps_only(void **state)
{
    (void)state;
    static const struct {
        const char *tree;
        bool equal; // to the first
    } rows[] = {
        {NETWORKS("\"192.0.2.0/24\"", "\"198.51.100.0/24\",\"AS7\""), true},
        {NETWORKS("\"192.0.2.0/24\"", "\"AS7\",\"198.51.100.0/24\""), true},
        {NETWORKS("\"192.0.2.0/24\"", "\"198.51.100.0/25\",\"AS7\""), false},
        {NETWORKS("\"192.0.2.0/24\"", "\"AS7\""), false},
        {NETWORKS("\"192.0.3.0/24\"", "\"198.51.100.0/24\",\"AS7\""), false},
        {"{\"pool\":\"a\"}", false},
    };
    const char *file = STEER_SOURCE_DIR "/geodata/city.mmdb";
    struct steer_geo *geo;
    struct steer_classes first = {0};
    assert_int_equal(steer_geo_open(&file, 1, NULL, &geo, NULL), STEER_OK);
    struct steer_residuals *store = steer_residuals_create();
    struct steer_catalog *catalog = small_catalog();
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_classes classes;
        const struct steer_object *steered = record(catalog, rows[i].tree);
        assert_int_equal(steer_classes_compile(store, catalog, steered, geo, &classes, NULL),
                         STEER_OK);
        if (i == 0) {
            first = steer_classes_take_map(&classes);
            assert_true(steer_classes_equal(&first, &first));
        } else {
            assert_int_equal(steer_classes_equal(&first, &classes), rows[i].equal);
        }
        steer_classes_fini(store, &classes);
    }
    steer_classes_fini(store, &first);
    steer_residuals_destroy(store);
    steer_catalog_unref(catalog);
    steer_geo_unref(geo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_networks_have_the_least_scopes),
        cmocka_unit_test(tables_are_shared_by_equal_maps_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
