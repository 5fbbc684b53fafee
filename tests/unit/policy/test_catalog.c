// SPDX-License-Identifier: GPL-3.0-or-later
#include "unit/policy/decide_support.h"

#include "steerd/base/clock.h"
#include "steerd/policy/document.h"

// ---- the container -------------------------------------------------------------------------------

static void objects_are_found_replaced_and_removed(void **state)
{
    (void)state;
    struct steer_catalog *catalog = steer_catalog_create();
    put(catalog, STEER_POOL, "eu", "{\"endpoints\":{\"a\":1}}");
    put(catalog, STEER_POOL, "us", "{\"endpoints\":{\"a\":1}}");
    put(catalog, STEER_POOL, "asia", "{\"endpoints\":{\"a\":1}}");
    put(catalog, STEER_SITE, "eu", "{\"at\":\"EU-DE\"}"); // kinds have names of their own
    put(catalog, STEER_POOL, "us", "{\"endpoints\":{\"a\":7}}");
    assert_int_equal(steer_catalog_count(catalog, STEER_POOL), 3);
    assert_int_equal(steer_catalog_get(catalog, STEER_POOL, "us")->pool.members[0].weight, 7);
    assert_null(steer_catalog_get(catalog, STEER_ENDPOINT, "us"));

    struct steer_catalog *copy = steer_catalog_clone(catalog);
    assert_true(steer_catalog_remove(catalog, STEER_POOL, "eu"));
    assert_false(steer_catalog_remove(catalog, STEER_POOL, "eu"));
    assert_null(steer_catalog_get(catalog, STEER_POOL, "eu"));
    assert_int_equal(steer_catalog_get(catalog, STEER_POOL, "asia")->kind, STEER_POOL);
    assert_int_equal(steer_catalog_count(catalog, STEER_POOL), 2);
    assert_string_equal(steer_catalog_get(copy, STEER_POOL, "eu")->name, "eu");
    assert_ptr_equal(steer_catalog_get(copy, STEER_POOL, "asia"),
                     steer_catalog_get(catalog, STEER_POOL, "asia"));
    put(copy, STEER_POOL, "new", "{\"endpoints\":{\"a\":1}}");
    assert_null(steer_catalog_get(catalog, STEER_POOL, "new"));

    const struct steer_object **list = steer_catalog_list(copy, STEER_POOL);
    static const char *const names[] = {"asia", "eu", "new", "us"};
    for (size_t i = 0; i < STEER_ARRAY_LEN(names); i++)
        assert_string_equal(list[i]->name, names[i]);
    free(list);
    steer_catalog_unref(steer_catalog_ref(copy));
    steer_catalog_unref(copy);
    steer_catalog_unref(catalog);
}

// ---- what the whole must fulfil ------------------------------------------------------------------

static struct steer_catalog *catalog_of(const char *text)
{
    struct steer_document *document;
    struct steer_diag diag = {0};
    if (steer_document_parse(text, strlen(text), "test", "test.yaml", &document, &diag)) {
        fail_msg("%u:%u: %s in\n%s", diag.line, diag.column, diag.message, text);
        return NULL;
    }
    struct steer_catalog *catalog = steer_catalog_create();
    for (uint32_t i = 0; i < document->object_count; i++)
        steer_catalog_put(catalog, document->objects[i]);
    for (uint32_t z = 0; z < document->zone_count; z++)
        for (uint32_t i = 0; i < document->zones[z].steered_count; i++)
            steer_catalog_put(catalog, document->zones[z].steered[i]);
    steer_document_destroy(document);
    return catalog;
}

#define HEAD "zone: example.com\n"
#define EU                                                                                         \
    "endpoints:\n  fra: {ipv4: 192.0.2.1}\n  web: {ipv4: 192.0.2.2, hostname: web.example.net}\n"  \
    "pools:\n  eu: {endpoints: [fra]}\n  many: {endpoints: [fra, web], pick: all}\n"
#define RECORD "records:\n  api:\n    steer:\n"

struct row {
    const char *text;
    uint32_t line, column; // 0: it is right
    const char *message;
};

#define NEGATIVE                                                                                   \
    "resolvers cache a negative answer for all their clients; give an `answer` as substitute "     \
    "instead, or say `allow_negative: true` in the record"
#define NO_DEFAULT                                                                                 \
    "clients elsewhere would get a negative answer, which resolvers cache for all their clients; " \
    "add `default: {answer: ...}`, or say `allow_negative: true` in the record"

static const struct row rows[] = {
    {HEAD EU RECORD "      pool: eu\n", 0, 0, NULL},
    {HEAD EU RECORD "      pool: eux\n", 11, 13,
     "records/api: pool 'eux' is not defined; did you mean 'eu'?"},
    {HEAD EU RECORD "      failover:\n        - pool: eu\n        - endpoint: frx\n", 13, 21,
     "records/api: endpoint 'frx' is not defined; did you mean 'fra'?"},
    {HEAD EU RECORD "      endpoint: eu\n", 11, 17,
     "records/api: endpoint 'eu' is not defined; 'eu' is the name of a pool"},
    {HEAD EU RECORD "      use: nowhere\n", 11, 12, "records/api: policy 'nowhere' is not defined"},
    {HEAD EU RECORD "      pool: eu\n      when_unavailable: {pool: nowhere}\n", 12, 32,
     "records/api: pool 'nowhere' is not defined"},
    {HEAD EU "records:\n  \"@\":\n    steer:\n      pool: eux\n", 11, 13,
     "records/@: pool 'eux' is not defined; did you mean 'eu'?"},
    {"pools:\n  eu:\n    endpoints:\n      fra: 1\n      ams: 2\nendpoints:\n  fra: {ipv4: "
     "192.0.2.1}\n",
     5, 7, "pools/eu: endpoint 'ams' is not defined"},
    {"sites:\n  fra: {at: EU-DE}\nendpoints:\n  fra-1: {ipv4: 192.0.2.1, site: fre}\n", 4, 3,
     "endpoints/fra-1: site 'fre' is not defined; did you mean 'fra'?"},
    {"endpoints:\n  fra-1: {ipv4: 192.0.2.1, check: web}\n", 2, 3,
     "endpoints/fra-1: check 'web' is not defined"},
    {"checks:\n  web: {type: http}\nendpoints:\n  cdn: {hostname: cdn.example.net, check: web}\n",
     4, 3, "endpoints/cdn: check 'web' needs an address to probe; add ipv4 or ipv6"},
    // loops and depth
    {"policies:\n  a: {use: b}\n  b: {failover: [{use: c}]}\n  c: {use: a}\n", 4, 12,
     "policies/c: policy loop: a -> b -> c -> a"},
    {"policies:\n  a: {use: a}\n", 2, 12, "policies/a: policy loop: a -> a"},
    {EU "policies:\n"
        "  p: {failover: [{failover: [{failover: [{failover: [{failover: [{failover: [{failover: "
        "[{pool: eu}]}]}]}]}]}]}]}\n"
        "  q: {failover: [{failover: [{failover: [{failover: [{failover: [{failover: [{failover: "
        "[{use: p}]}]}]}]}]}]}]}\n",
     0, 0, NULL},
    {EU "policies:\n"
        "  p: {failover: [{failover: [{failover: [{failover: [{failover: [{failover: [{failover: "
        "[{pool: eu}]}]}]}]}]}]}]}\n"
        "  q: {failover: [{failover: [{failover: [{failover: [{failover: [{failover: [{failover: "
        "[{failover: [{use: p}]}]}]}]}]}]}]}]}\n",
     9, 108, "policies/q: nodes nest deeper than 16, through policy p"},
    // negative answers
    {HEAD EU RECORD "      geo:\n        rules:\n          - {match: EU, to: {pool: eu}}\n", 11, 7,
     "records/api: geo without default: " NO_DEFAULT},
    {HEAD EU "records:\n  api:\n    allow_negative: true\n    steer:\n      geo:\n        rules:\n "
             "         - {match: EU, to: {pool: eu}}\n",
     0, 0, NULL},
    {HEAD EU "policies:\n  far: {geo: {rules: [{match: EU, to: {pool: eu}}]}}\n" RECORD
             "      use: far\n",
     9, 8, "policies/far: geo without default (used by records/api): " NO_DEFAULT},
    {EU "policies:\n  far: {geo: {rules: [{match: EU, to: {pool: eu}}]}}\n", 0, 0, NULL},
    {HEAD EU RECORD "      geo:\n        rules:\n          - {match: EU, to: {pool: eu, "
                    "when_unavailable: serve_none}}\n"
                    "        default: {pool: eu}\n",
     13, 36, "records/api: serve_none in a tree that depends on the client: " NEGATIVE},
    {HEAD EU RECORD "      when_unavailable: serve_none\n      failover:\n        - geo: {rules: "
                    "[{match: EU, to: {pool: eu}}], default: {pool: eu}}\n",
     11, 7, "records/api: serve_none in a tree that depends on the client: " NEGATIVE},
    {HEAD EU "policies:\n  hard: {pool: eu, when_unavailable: serve_none}\n" RECORD
             "      geo: {rules: [{match: EU, to: {use: hard}}], default: {pool: eu}}\n",
     9, 16,
     "policies/hard: serve_none in a tree that depends on the client (used by "
     "records/api): " NEGATIVE},
    {HEAD EU RECORD "      pool: eu\n      when_unavailable: serve_none\n", 0, 0, NULL},
    // types
    {HEAD EU "records:\n  api:\n    kind: cname\n    steer: {pool: eu}\n", 11, 19,
     "records/api: nothing in it has a hostname, which a cname record gives"},
    {HEAD EU
     "records:\n  api:\n    kind: cname\n    steer: {failover: [{pool: eu}, {endpoint: web}]}\n",
     0, 0, NULL},
    {HEAD EU "records:\n  api:\n    kind: cname\n    steer: {pool: many}\n", 11, 19,
     "records/api: pool 'many' gives several endpoints at once, but a cname record has one target; "
     "use `pick: one`"},
    {HEAD "endpoints: {cdn: {hostname: cdn.example.net}}\nrecords:\n  api:\n    steer: {endpoint: "
          "cdn}\n",
     5, 23, "records/api: nothing in it has an IPv4 or IPv6 address"},
    {HEAD "records:\n  api:\n    steer: {answer: {TXT: [\"hello\"]}}\n", 4, 12,
     "records/api: nothing in it has an IPv4 or IPv6 address"},
};

static void what_is_wrong_is_said_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_catalog *catalog = catalog_of(rows[i].text);
        struct steer_diag diag = {0};
        enum steer_err err = steer_catalog_check(catalog, &diag);
        if (err != (rows[i].message ? STEER_EINVAL : STEER_OK))
            fail_msg("%s\ngave %s", rows[i].text, err ? diag.message : "no error");
        if (rows[i].message &&
            (strcmp(diag.message, rows[i].message) != 0 || strcmp(diag.file, "test.yaml") != 0 ||
             diag.line != rows[i].line || diag.column != rows[i].column))
            fail_msg("%s\ngave %s:%u:%u: %s\nwanted %u:%u: %s", rows[i].text, diag.file, diag.line,
                     diag.column, diag.message, rows[i].line, rows[i].column, rows[i].message);
        steer_catalog_unref(catalog);
    }
}

// ---- references ----------------------------------------------------------------------------------

static void note_record(void *ctx, enum steer_kind kind, const char *name)
{
    bool *found = ctx;
    if (kind == STEER_STEERED && name[0] == 'r')
        found[name[1] - '0'] = true;
}

static void expect_records(struct steer_references *references, enum steer_kind kind,
                           const char *name, const char *records)
{
    bool found[10] = {false};
    struct steer_buf out = {0};
    const struct steer_change change = {kind, name};
    steer_references_reach(references, &change, 1, note_record, found);
    steer_buf_puts(&out, "");
    for (int i = 0; i < 10; i++)
        if (found[i])
            steer_buf_printf(&out, "r%d ", i);
    if (strcmp(out.data, records) != 0)
        fail_msg("%s: got '%s', wanted '%s'", name, out.data, records);
    steer_buf_fini(&out);
}

static void edits_know_which_records_they_touch(void **state)
{
    (void)state;
    struct steer_catalog *catalog = catalog_of(
        "zone: example.com\n"
        "checks: {web: {type: http}, idle: {type: http}}\n"
        "sites: {fra: {at: EU-DE}}\n"
        "endpoints:\n"
        "  a: {ipv4: 192.0.2.1, site: fra, check: web}\n"
        "  b: {ipv4: 192.0.2.2, check: web}\n"
        "  c: {ipv4: 192.0.2.3}\n"
        "pools: {pa: {endpoints: [a, c]}, pc: {endpoints: [c]}}\n"
        "policies:\n"
        "  top: {use: low}\n"
        "  low: {pool: pa}\n"
        "records:\n"
        "  r1: {steer: {use: top}}\n"
        "  r2: {steer: {pool: pc, when_unavailable: {endpoint: b}}}\n"
        "  r3: {steer: {geo: {rules: [{match: EU, to: {pool: pa}}], default: {endpoint: c}}}}\n");
    static const struct {
        enum steer_kind kind;
        const char *name, *records;
    } cases[] = {
        {STEER_SITE, "fra", "r1 r3 "},
        {STEER_CHECK, "web", "r1 r2 r3 "},
        {STEER_CHECK, "idle", ""},
        {STEER_ENDPOINT, "b", "r2 "},
        {STEER_ENDPOINT, "c", "r1 r2 r3 "},
        {STEER_POOL, "pa", "r1 r3 "},
        {STEER_POOL, "pc", "r2 "},
        {STEER_POLICY, "low", "r1 "},
        {STEER_POLICY, "top", "r1 "},
        {STEER_ENDPOINT, "unknown", ""},
        {STEER_STEERED, "r2.example.com. address", "r2 "},
    };
    struct steer_references *references = steer_references_create(catalog);
    for (size_t i = 0; i < STEER_ARRAY_LEN(cases); i++)
        expect_records(references, cases[i].kind, cases[i].name, cases[i].records);
    // A removed object's users are those that still name it.
    steer_references_remove(references, STEER_POOL, "pc");
    expect_records(references, STEER_POOL, "pc", "r2 ");
    // A record that comes to name something else is reached from there.
    put(catalog, STEER_POLICY, "low", "{\"pool\":\"pc\"}");
    steer_references_put(references, steer_catalog_get(catalog, STEER_POLICY, "low"));
    expect_records(references, STEER_POOL, "pa", "r3 ");
    expect_records(references, STEER_POOL, "pc", "r1 r2 ");
    steer_references_destroy(references);
    steer_catalog_unref(catalog);
}

// ---- size ----------------------------------------------------------------------------------------

static void count_record(void *ctx, enum steer_kind kind, const char *name)
{
    (void)name;
    *(size_t *)ctx += kind == STEER_STEERED;
}

static void ten_thousand_objects_are_checked_at_once(void **state)
{
    (void)state;
    enum { EACH = 2500 };
    struct steer_buf text = {0};
    steer_buf_puts(&text, "zone: example.com\nendpoints:\n");
    for (int i = 0; i < EACH; i++)
        steer_buf_printf(&text, "  e%d: {ipv4: 192.0.%d.%d}\n", i, i / 256, i % 256);
    steer_buf_puts(&text, "pools:\n");
    for (int i = 0; i < EACH; i++)
        steer_buf_printf(&text, "  p%d: {endpoints: [e%d, e%d, e%d]}\n", i, i, (i + 1) % EACH,
                         (i + 2) % EACH);
    steer_buf_puts(&text, "policies:\n");
    for (int i = 0; i < EACH; i++) // chains of 12, each link twice: 2^12 paths that are walked once
        if (i % 12)
            steer_buf_printf(&text, "  q%d: {failover: [{use: q%d}, {use: q%d}]}\n", i, i - 1,
                             i - 1);
        else
            steer_buf_printf(&text, "  q%d: {pool: p%d}\n", i, i);
    steer_buf_puts(&text, "records:\n");
    for (int i = 0; i < EACH; i++)
        steer_buf_printf(&text, "  r%d: {steer: {use: q%d}}\n", i, i);
    // Depth: a link is a failover and a use. Chains of 12 are too deep; of 6 they are not.
    struct steer_catalog *catalog = catalog_of(text.data);
    struct steer_diag diag = {0};
    assert_int_equal(steer_catalog_check(catalog, &diag), STEER_EINVAL);
    assert_non_null(strstr(diag.message, "nodes nest deeper than 16, through policy"));
    for (int i = 0; i < EACH; i++) {
        char name[16];
        char json[64];
        snprintf(name, sizeof name, "q%d", i);
        snprintf(json, sizeof json, "{\"pool\":\"p%d\"}", i);
        if (i % 6 == 0)
            put(catalog, STEER_POLICY, name, json);
    }
    uint64_t start = steer_clock_mono_ns();
    assert_int_equal(steer_catalog_check(catalog, &diag), STEER_OK);
    uint64_t checked = steer_clock_mono_ns();
    size_t touched = 0;
    struct steer_references *references = steer_references_create(catalog);
    const struct steer_change change = {STEER_ENDPOINT, "e6"};
    steer_references_reach(references, &change, 1, count_record, &touched);
    uint64_t found = steer_clock_mono_ns();
    assert_int_equal(touched, 6); // p4 - p6 hold e6, and q6 - q11 lead to p6
    print_message("check %.1f ms, references %.1f ms\n", (double)(checked - start) / 1e6,
                  (double)(found - checked) / 1e6);
    assert_true(found - start <
                2000 * STEER_NS_PER_MS); // far above what it takes, far below 2^12 paths
    steer_references_destroy(references);
    steer_catalog_unref(catalog);
    steer_buf_fini(&text);
}

// ---- what an RRset has room for -------------------------------------------------------------------

// A pool that gives so many of 30 endpoints at once, each with so many octets of alpn.
static struct steer_catalog *long_pool(unsigned pick, unsigned protocols)
{
    struct steer_catalog *catalog = steer_catalog_create();
    struct steer_buf pool = {0};
    char filler[251];
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    for (unsigned i = 0; i < 30; i++) {
        struct steer_buf json = {0};
        char name[16];
        snprintf(name, sizeof name, "e%02u", i);
        steer_buf_printf(&json, "{\"ipv4\":\"192.0.2.%u\",\"https\":{\"alpn\":[", i + 1);
        for (unsigned k = 0; k < protocols; k++)
            steer_buf_printf(&json, "%s\"%c%02u%s\"", k ? "," : "", 'a' + (char)(i % 26), k,
                             filler);
        steer_buf_puts(&json, "]}}");
        put(catalog, STEER_ENDPOINT, name, json.data);
        steer_buf_printf(&pool, "%s\"%s\"", i ? "," : "{\"endpoints\":[", name);
        steer_buf_fini(&json);
    }
    steer_buf_printf(&pool, "],\"pick\":%u}", pick);
    put(catalog, STEER_POOL, "p", pool.data);
    steer_buf_fini(&pool);
    return catalog;
}

static void endpoints_that_are_given_together_fit_into_a_message(void **state)
{
    static const struct {
        unsigned pick, protocols;
        bool fits;
    } cases[] = {{1, 16, true}, {15, 16, true}, {16, 16, false}, {30, 1, true}, {30, 16, false}};
    (void)state;
    for (size_t i = 0; i < STEER_ARRAY_LEN(cases); i++) {
        struct steer_catalog *catalog = long_pool(cases[i].pick, cases[i].protocols);
        struct steer_diag diag = {0};
        const enum steer_err err = steer_catalog_check(catalog, &diag);
        assert_int_equal(err, cases[i].fits ? STEER_OK : STEER_EINVAL);
        if (!cases[i].fits)
            assert_non_null(strstr(diag.message, "octets of HTTPS records"));
        steer_catalog_unref(catalog);
    }
}

// So many endpoints of 16 IPv6 addresses, all at once.
static void many_addresses_fit_into_a_message(void **state)
{
    static const struct {
        unsigned endpoints;
        bool fits;
    } cases[] = {{145, true}, {146, false}, {255, false}};
    (void)state;
    for (size_t c = 0; c < STEER_ARRAY_LEN(cases); c++) {
        struct steer_catalog *catalog = steer_catalog_create();
        struct steer_buf pool = {0};
        steer_buf_puts(&pool, "{\"pick\":\"all\",\"max\":255,\"endpoints\":[");
        for (unsigned i = 0; i < cases[c].endpoints; i++) {
            struct steer_buf json = {0};
            char name[16];
            snprintf(name, sizeof name, "e%u", i);
            for (unsigned k = 0; k < 16; k++)
                steer_buf_printf(&json, "%s\"2001:db8:%x::%x\"", k ? "," : "{\"ipv6\":[", i, k);
            steer_buf_puts(&json, "]}");
            put(catalog, STEER_ENDPOINT, name, json.data);
            steer_buf_printf(&pool, "%s\"%s\"", i ? "," : "", name);
            steer_buf_fini(&json);
        }
        steer_buf_puts(&pool, "]}");
        put(catalog, STEER_POOL, "p", pool.data);
        struct steer_diag diag = {0};
        assert_int_equal(steer_catalog_check(catalog, &diag),
                         cases[c].fits ? STEER_OK : STEER_EINVAL);
        if (!cases[c].fits)
            assert_non_null(strstr(diag.message, "octets of AAAA records"));
        steer_buf_fini(&pool);
        steer_catalog_unref(catalog);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_addresses_fit_into_a_message),
        cmocka_unit_test(objects_are_found_replaced_and_removed),
        cmocka_unit_test(what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(edits_know_which_records_they_touch),
        cmocka_unit_test(ten_thousand_objects_are_checked_at_once),
        cmocka_unit_test(endpoints_that_are_given_together_fit_into_a_message),
    };
    return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
