// SPDX-License-Identifier: GPL-3.0-or-later
#include "unit/policy/decide_support.h"

#include "policy/decide_internal.h"
#include "steerd/base/hash.h"

// "geo(pool a, fence(pool b))"
static void describe(const struct steer_residual *r, struct steer_buf *out)
{
    steer_buf_puts(out, steer_residual_kind_text(r->kind));
    if (r->object)
        steer_buf_printf(out, " %s", r->object->name);
    if (r->when)
        steer_buf_puts(out, "!");
    if (r->kind == STEER_R_POOL || !r->child_count)
        return;
    for (uint32_t i = 0; i < r->child_count; i++) {
        steer_buf_puts(out, i ? ", " : "(");
        describe(r->children[i], out);
    }
    steer_buf_puts(out, ")");
}

struct row {
    const char *says;
    const char *tree;
    const char *client;
    const char *expected;
};

#define RULES(list)      "{\"geo\":{\"rules\":[" list "],\"default\":{\"pool\":\"spare\"}}}"
#define RULE(place, to)  "{\"match\":\"" place "\",\"to\":" to "}"
#define FENCE(place, to) "{\"match\":\"" place "\",\"fence\":true,\"to\":" to "}"
#define POOL(name)       "{\"pool\":\"" name "\"}"
#define WORLD                                                                                      \
    RULES(RULE("EU", POOL("c")) "," RULE("EU-DE-BE", POOL("a")) "," RULE("EU-DE", POOL("b")))

static const struct row rows[] = {
    {"the most specific first, whatever the order of the rules", WORLD, "EU-DE-BE",
     "geo(pool a, pool b, pool c, pool spare)"},
    {"a country's client has no subdivision", WORLD, "EU-DE", "geo(pool b, pool c, pool spare)"},
    {"another subdivision of the country", WORLD, "EU-DE-BY", "geo(pool b, pool c, pool spare)"},
    {"another country of the continent", WORLD, "EU-FR", "geo(pool c, pool spare)"},
    {"only the default: the list is its child", WORLD, "AS-JP", "pool spare"},
    {"an unknown place has the default", WORLD, NULL, "pool spare"},
    {"no match is none", "{\"geo\":{\"rules\":[" RULE("EU", POOL("a")) "]}}", "AS", "none"},
    {"a rule with several places", RULES("{\"match\":[\"EU\",\"AF\"],\"to\":" POOL("a") "}"), "AF",
     "geo(pool a, pool spare)"},
    {"the same child twice is one candidate",
     RULES(RULE("EU", POOL("spare")) "," RULE("EU-DE", POOL("a"))), "EU-DE",
     "geo(pool a, pool spare)"},
    {"repeats leave one: the list is its child", RULES(RULE("EU", POOL("spare"))), "EU",
     "pool spare"},
    {"a fence ends the list", RULES(RULE("EU", POOL("c")) "," FENCE("EU-DE", POOL("b"))), "EU-DE",
     "geo(fence(pool b))"},
    {"a fence after a more specific rule",
     RULES(FENCE("EU", POOL("c")) "," RULE("EU-DE", POOL("b"))), "EU-DE",
     "geo(pool b, fence(pool c))"},
    {"a failover of one is its child", "{\"failover\":[" POOL("a") "]}", NULL, "pool a"},
    {"a failover of one inside a geo collapses too",
     RULES(RULE("EU", "{\"failover\":[" POOL("a") "]}")), "EU", "geo(pool a, pool spare)"},
    {"a weighted of one is its child", "{\"weighted\":[{\"weight\":3,\"to\":" POOL("a") "}]}", NULL,
     "pool a"},
    {"options keep a list of one",
     "{\"failover\":[" POOL("a") "],\"when_unavailable\":\"serve_none\"}", NULL,
     "failover!(pool a)"},
    {"a child with a when_unavailable of its own keeps its list",
     "{\"failover\":[{\"pool\":\"a\",\"when_unavailable\":\"serve_none\"}]}", NULL,
     "failover(pool a!)"},
    {"what does not match is left out of a failover",
     "{\"failover\":[{\"geo\":{\"rules\":[" RULE("EU", POOL("a")) "]}}," POOL("b") "]}", "AS",
     "pool b"},
    {"nothing left is none", "{\"failover\":[{\"geo\":{\"rules\":[" RULE("EU", POOL("a")) "]}}]}",
     "AS", "none"},
    {"serve_none remains where nothing is left",
     "{\"geo\":{\"rules\":[" RULE("EU", POOL("a")) "]},\"when_unavailable\":\"serve_none\"}", "AS",
     "geo!"},
    {"use is the policy's tree", "{\"use\":\"world\"}", "EU-FR", "geo(pool c, pool spare)"},
    {"options of use stand around it", "{\"use\":\"world\",\"when_unavailable\":\"serve_all\"}",
     "EU-FR", "failover!(geo(pool c, pool spare))"},
};

static struct steer_catalog *catalog_with_world(void)
{
    struct steer_catalog *catalog = small_catalog();
    put(catalog, STEER_POLICY, "world", WORLD);
    return catalog;
}

static struct steer_residual *resolve_at(struct steer_residuals *store,
                                         struct steer_catalog *catalog, const char *tree,
                                         const char *client, json_t *trace)
{
    struct steer_location location = at_place(client);
    return steer_residual_resolve(store, catalog, record(catalog, tree),
                                  &(struct steer_client){.location = &location}, trace);
}

static void clients_get_their_candidates_in_order(void **state)
{
    (void)state;
    struct steer_residuals *store = steer_residuals_create();
    struct steer_catalog *catalog = catalog_with_world();
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_buf text = {0};
        struct steer_residual *r = resolve_at(store, catalog, rows[i].tree, rows[i].client, NULL);
        describe(r, &text);
        if (strcmp(text.data, rows[i].expected) != 0)
            fail_msg("%s: got %s, wanted %s", rows[i].says, text.data, rows[i].expected);
        steer_buf_fini(&text);
        steer_residual_unref(store, r);
    }
    assert_int_equal(steer_residuals_count(store), 0);
    steer_residuals_destroy(store);
    steer_catalog_unref(catalog);
}

#define FIRST(list) "{\"failover\":[" list "]}"

static const struct row plain_rows[] = {
    {"every list is a failover", WORLD, "EU-DE", "failover(pool b, pool c, pool spare)"},
    {"a repetition is left out", FIRST(POOL("a") "," POOL("b") "," POOL("a")), NULL,
     "failover(pool a, pool b)"},
    {"where there is a trickle it is not",
     "{\"failover\":[" POOL("a") "," POOL("a") "," POOL("b") "],\"trickle\":\"5%\"}", NULL,
     "failover(pool a, pool a, pool b)"},
    {"nor where children are counted",
     "{\"failover\":[" POOL("a") "," POOL("a") "],\"min_available\":2}", NULL,
     "failover(pool a, pool a)"},
    {"what is left alone has no list", FIRST(POOL("a") "," POOL("a")), NULL, "pool a"},
    {"nor has it with a when_unavailable of its own",
     FIRST("{\"pool\":\"a\",\"when_unavailable\":\"serve_none\"}"), NULL, "pool a!"},
    {"options keep the list of one",
     "{\"failover\":[" POOL("a") "],\"when_unavailable\":\"serve_none\"}", NULL,
     "failover!(pool a)"},
    {"further down as well", FIRST("{\"use\":\"world\"}," FIRST(POOL("b") "," POOL("b"))), "EU-FR",
     "failover(failover(pool c, pool spare), pool b)"},
    {"a list in another way is a repetition, too",
     FIRST(FIRST(POOL("b") "," POOL("spare")) "," RULES(RULE("EU", POOL("b")))), "EU",
     "failover(pool b, pool spare)"},
    {"so it is further down",
     "{\"weighted\":[{\"weight\":1,\"to\":" FIRST(FIRST(POOL("b") "," POOL("spare")) "," RULES(
         RULE("EU", POOL("b")))) "},{\"weight\":1,\"to\":" POOL("c") "}]}",
     "EU", "weighted(failover(pool b, pool spare), pool c)"},
    {"a fence stays", RULES(RULE("EU", POOL("c")) "," FENCE("EU-DE", POOL("b"))), "EU-DE",
     "fence(pool b)"},
    {"a leaf is itself", POOL("a"), NULL, "pool a"},
};

static void the_plain_form_is_what_a_tree_does(void **state)
{
    (void)state;
    struct steer_residuals *store = steer_residuals_create();
    struct steer_catalog *catalog = catalog_with_world();
    for (size_t i = 0; i < STEER_ARRAY_LEN(plain_rows); i++) {
        const struct row *row = &plain_rows[i];
        struct steer_buf text = {0};
        struct steer_residual *r = resolve_at(store, catalog, row->tree, row->client, NULL);
        struct steer_residual *plain = steer_residual_plain(store, r);
        struct steer_residual *again = steer_residual_plain(store, plain);
        describe(plain, &text);
        if (strcmp(text.data, row->expected) != 0)
            fail_msg("%s: got %s, wanted %s", row->says, text.data, row->expected);
        assert_ptr_equal(again, plain);
        assert_int_equal(plain->name, r->name); // sticky draws go by these two
        assert_int_equal(plain->height, r->height);
        steer_buf_fini(&text);
        steer_residual_unref(store, again);
        steer_residual_unref(store, plain);
        steer_residual_unref(store, r);
    }
    assert_int_equal(steer_residuals_count(store), 0);
    steer_residuals_destroy(store);
    steer_catalog_unref(catalog);
}

static void equal_trees_are_one_node(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool equal;
    } pairs[] = {
        {WORLD,
         RULES(RULE("EU-DE", POOL("b")) "," RULE("EU", POOL("c")) "," RULE("EU-DE-BE", POOL("a"))),
         true},
        {WORLD, "{\"use\":\"world\"}", true},
        {"{\"answer\":{\"A\":[\"192.0.2.1\",\"192.0.2.2\"]}}",
         "{\"answer\":{\"A\":[\"192.0.2.2\",\"192.0.2.1\"]}}", true},
        {"{\"answer\":{\"A\":[\"192.0.2.1\"]}}", "{\"answer\":{\"A\":[\"192.0.2.2\"]}}", false},
        {"{\"failover\":[" POOL("a") "," POOL("b") "],\"min_available\":\"50%\"}",
         "{\"failover\":[" POOL("a") "," POOL("b") "]}", true},
        {"{\"failover\":[" POOL("a") "," POOL("b") "],\"min_available\":2}",
         "{\"failover\":[" POOL("a") "," POOL("b") "]}", false},
        {"{\"failover\":[" POOL("a") "," POOL("b") "],\"trickle\":\"5%\"}",
         "{\"failover\":[" POOL("a") "," POOL("b") "]}", false},
        {"{\"failover\":[" POOL("a") "," POOL("b") "]}",
         "{\"failover\":[" POOL("b") "," POOL("a") "]}", false},
        {"{\"weighted\":[{\"weight\":1,\"to\":" POOL("a") "},{\"weight\":2,\"to\":" POOL("b") "}]}",
         "{\"weighted\":[{\"weight\":1,\"to\":" POOL("a") "},{\"weight\":3,\"to\":" POOL("b") "}]}",
         false},
        {"{\"pool\":\"a\",\"when_unavailable\":" POOL("b") "}",
         "{\"pool\":\"a\",\"when_unavailable\":" POOL("c") "}", false},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(pairs); i++) {
        struct steer_residuals *store = steer_residuals_create();
        struct steer_catalog *catalog = catalog_with_world();
        struct steer_residual *a = resolve_at(store, catalog, pairs[i].a, "EU-DE-BE", NULL);
        struct steer_residual *b = resolve_at(store, catalog, pairs[i].b, "EU-DE-BE", NULL);
        if ((a == b) != pairs[i].equal)
            fail_msg("row %zu", i);
        steer_residual_unref(store, a);
        assert_int_not_equal(steer_residuals_count(store), 0);
        steer_residual_unref(store, b);
        assert_int_equal(steer_residuals_count(store), 0);
        steer_residuals_destroy(store);
        steer_catalog_unref(catalog);
    }
}

static void a_residual_outlives_its_catalogue(void **state)
{
    (void)state;
    struct steer_residuals *store = steer_residuals_create();
    struct steer_catalog *catalog = small_catalog();
    struct steer_residual *r = resolve_at(
        store, catalog, "{\"failover\":[" POOL("a") ",{\"answer\":{\"A\":[\"198.51.100.7\"]}}]}",
        NULL, NULL);
    steer_catalog_unref(catalog);
    struct moment moment = {.down = "a"};
    struct steer_view view = view_of(&moment);
    struct steer_distribution d;
    steer_decide(r, &view, STEER_TYPE_A, &d, NULL);
    assert_int_equal(d.outcomes[0].fixed->rdata[0][3], 7);
    steer_distribution_fini(&d);
    steer_residual_unref(store, r);
    assert_int_equal(steer_residuals_count(store), 0);
    steer_residuals_destroy(store);
}

static void removing_keeps_the_others_findable(void **state)
{
    (void)state;
    struct steer_residuals *store = steer_residuals_create();
    struct steer_catalog *catalog = small_catalog();
    const struct steer_object *objects[6];
    struct steer_residual *held[3000];
    struct steer_rng rng;
    steer_rng_init(&rng, 3);
    for (int i = 0; i < 6; i++)
        objects[i] = steer_catalog_get(catalog, STEER_ENDPOINT, (char[2]){(char)('a' + i), '\0'});
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 3000; i++) {
            struct steer_residual want = {
                .kind = STEER_R_ENDPOINT, .object = objects[i % 6], .trickle_ppm = i};
            held[i] = steer_residual_intern(store, &want);
            assert_ptr_equal(held[i], steer_residual_intern(store, &want));
        }
        assert_int_equal(steer_residuals_count(store), 3000);
        for (uint32_t i = 3000; i > 0; i--) { // in random order
            uint32_t pick = (uint32_t)(steer_rng_next(&rng) % i);
            steer_residual_unref(store, held[pick]);
            steer_residual_unref(store, held[pick]);
            held[pick] = held[i - 1];
            assert_int_equal(steer_residuals_count(store), i - 1);
        }
    }
    steer_residuals_destroy(store);
    steer_catalog_unref(catalog);
}

static void the_trace_names_what_the_client_met(void **state)
{
    (void)state;
    struct steer_residuals *store = steer_residuals_create();
    struct steer_catalog *catalog = catalog_with_world();
    json_t *trace = json_array();
    struct steer_residual *r = resolve_at(store, catalog, "{\"use\":\"world\"}", "EU-DE", trace);
    json_t *wanted = json_pack(
        "[{s:s,s:s,s:s},{s:s,s:s,s:s,s:[s,s,s],s:[{s:s,s:s,s:b},{s:s,s:s,s:b},{s:s,s:s,s:b}]}]",
        "node", "use", "name", "world", "at", "records/api", "node", "geo", "at", "policies/world",
        "client", "EU-DE", "matched", "EU-DE", "EU", "default", "candidates", "place", "EU-DE",
        "to", "pool b", "fence", 0, "place", "EU", "to", "pool c", "fence", 0, "place", "default",
        "to", "pool spare", "fence", 0);
    json_t *decision = json_pack("{s:I}", "id", (json_int_t)(r->hash >> 1));
    steer_trace_join(trace, decision);
    assert_true(json_equal(trace, wanted));
    assert_string_equal(json_string_value(json_object_get(decision, "policy")), "world");
    json_decref(decision);
    json_decref(trace);
    json_decref(wanted);
    steer_residual_unref(store, r);
    steer_residuals_destroy(store);
    steer_catalog_unref(catalog);
}

// ---- classes -------------------------------------------------------------------------------------

static const struct steer_location *location_at(const void *ctx, uint32_t index)
{
    return (const struct steer_location *)ctx + index;
}

static void classes_are_numbered_as_they_appear(void **state)
{
    (void)state;
    static const char *const places[] = {NULL,    "EU-FR", "EU-DE",    "EU-DE-BE", "EU-ES",
                                         "AS-JP", "EU",    "EU-DE-BY", "EU-DE-BE", "NA-US-CA"};
    static const uint16_t wanted[] = {0, 1, 2, 3, 1, 0, 1, 2, 3, 0};
    enum { N = STEER_ARRAY_LEN(places) };
    struct steer_location locations[N];
    for (size_t i = 0; i < N; i++) {
        locations[i] = at_place(places[i]);
        locations[i].asn = (uint32_t)i; // says nothing to a policy without networks
    }
    struct steer_residuals *store = steer_residuals_create();
    struct steer_catalog *catalog = catalog_with_world();
    const struct steer_object *steered = record(catalog, WORLD);
    struct steer_classes classes, again;
    struct steer_diag diag;
    assert_int_equal(steer_classes_over(store, catalog, steered, location_at, locations, N, 65535,
                                        &classes, &diag),
                     STEER_OK);
    assert_int_equal(classes.class_count, 4);
    assert_int_equal(classes.location_count, N);
    assert_memory_equal(classes.class_of, wanted, sizeof wanted);
    for (size_t i = 0; i < N; i++) {
        struct steer_residual *one = steer_residual_resolve(
            store, catalog, steered, &(struct steer_client){.location = &locations[i]}, NULL);
        assert_ptr_equal(one, classes.roots[classes.class_of[i]]);
        steer_residual_unref(store, one);
    }
    // Another policy with the same borders has the same map.
    const struct steer_object *other = record(
        catalog,
        RULES(RULE("EU-DE", POOL("a")) "," RULE("EU", POOL("b")) "," RULE("EU-DE-BE", POOL("c"))));
    assert_int_equal(
        steer_classes_over(store, catalog, other, location_at, locations, N, 65535, &again, &diag),
        STEER_OK);
    assert_true(again.map_hash == classes.map_hash);
    steer_classes_fini(store, &again);
    assert_int_equal(
        steer_classes_over(store, catalog, other, location_at, locations, N, 3, &again, &diag),
        STEER_ELIMIT);
    assert_string_equal(diag.message, "records/api: more than 3 classes of clients");
    steer_classes_fini(store, &classes);
    assert_int_equal(steer_residuals_count(store), 0);
    steer_residuals_destroy(store);
    steer_catalog_unref(catalog);
}

// A geo of `rules` random rules, some of which are geos again or use a policy.
static void random_geo(struct steer_rng *rng, unsigned rules, unsigned depth, struct steer_buf *out)
{
    static const char *const pools[] = {"a", "b", "c", "spare", "two"};
    static const char *const subdivisions[] = {"", "", "-BE", "-BY"};
    const unsigned first = (unsigned)(steer_rng_next(rng) % 100); // no place stands twice in a geo
    steer_buf_puts(out, "{\"geo\":{\"rules\":[");
    for (unsigned i = 0; i < rules; i++) {
        const char *country = steer_country_at(first + i);
        steer_buf_printf(out, "%s{\"match\":\"%s", i ? "," : "", steer_country_continent(country));
        if (i || steer_rng_next(rng) % 2)
            steer_buf_printf(out, "-%s%s", country, subdivisions[steer_rng_next(rng) % 4]);
        steer_buf_printf(out,
                         "\",\"fence\":%s,\"to\":", steer_rng_next(rng) % 5 ? "false" : "true");
        const unsigned kind = (unsigned)(steer_rng_next(rng) % 6);
        if (kind == 0 && depth)
            random_geo(rng, 2, depth - 1, out);
        else if (kind == 1 && depth)
            steer_buf_printf(out, "{\"use\":\"g%u\"}", (unsigned)(steer_rng_next(rng) % 2));
        else
            steer_buf_printf(out, "{\"pool\":\"%s\"}", pools[steer_rng_next(rng) % 5]);
        steer_buf_puts(out, "}");
    }
    steer_buf_puts(out, "]");
    if (depth && steer_rng_next(rng) % 2) {
        steer_buf_puts(out, ",\"default\":");
        random_geo(rng, 1, 0, out);
    }
    steer_buf_puts(out, "}}");
}

// One of those whom the same rules hold is resolved for all of them; with more than 63 places in the rules each place
// is resolved by itself.
static void each_client_is_in_the_class_of_its_own_residual(void **state)
{
    (void)state;
    enum { ROUNDS = 150, CLIENTS = 200 };
    struct steer_location locations[CLIENTS];
    struct steer_rng rng;
    struct steer_buf json = {0};
    steer_rng_init(&rng, 11);
    for (unsigned i = 0; i < CLIENTS; i++) {
        static const char *const subdivisions[] = {"", "-BE", "-BY", "-XX"};
        const char *country = steer_country_at(i % 40 * 5);
        char place[32];
        snprintf(place, sizeof place, "%s-%s%s", steer_country_continent(country), country,
                 subdivisions[steer_rng_next(&rng) % 4]);
        locations[i] = at_place(i % 50 ? place : NULL);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct steer_residuals *store = steer_residuals_create();
        struct steer_catalog *catalog = small_catalog();
        struct steer_classes classes;
        for (unsigned i = 0; i < 3; i++) {
            char name[] = {'g', (char)('0' + i), '\0'};
            steer_buf_clear(&json);
            random_geo(&rng, i < 2 ? 3 : round % 5 ? 1 + round % 8 : 90, i < 2 ? 0 : 2, &json);
            put(catalog, STEER_POLICY, name, json.data);
        }
        const struct steer_object *steered =
            record(catalog, "{\"pool\":\"three\",\"when_unavailable\":{\"use\":\"g2\"}}");
        assert_int_equal(steer_classes_over(store, catalog, steered, location_at, locations,
                                            CLIENTS, 65535, &classes, NULL),
                         STEER_OK);
        for (size_t i = 0; i < CLIENTS; i++) {
            struct steer_residual *one = steer_residual_resolve(
                store, catalog, steered, &(struct steer_client){.location = &locations[i]}, NULL);
            assert_ptr_equal(one, classes.roots[classes.class_of[i]]);
            steer_residual_unref(store, one);
        }
        steer_classes_fini(store, &classes);
        steer_catalog_unref(catalog);
        steer_residuals_destroy(store);
    }
    steer_buf_fini(&json);
}

// With too many classes the first of each ranking stay, as many as fit, and the others follow by name.
static void too_many_rankings_are_cut(void **state)
{
    (void)state;
    enum { CLIENTS = 2000, SITES = 6 };
    static struct steer_location locations[CLIENTS];
    struct steer_residuals *store = steer_residuals_create();
    struct steer_catalog *catalog = small_catalog();
    struct steer_buf json = {0};
    struct steer_classes whole, cut;
    struct steer_rng rng;
    steer_rng_init(&rng, 71);
    for (unsigned i = 0; i < CLIENTS; i++) {
        locations[i] = at_place(NULL);
        locations[i].lat = (float)(steer_rng_next(&rng) % 1600) / 10 - 80;
        locations[i].lon = (float)(steer_rng_next(&rng) % 3600) / 10 - 180;
    }
    for (unsigned i = 0; i < SITES; i++) {
        char name[] = {'n', (char)('0' + i), '\0'};
        steer_buf_clear(&json);
        steer_buf_printf(&json, "{\"lat\":%d,\"lon\":%d}", (int)(i * 23) % 120 - 60,
                         (int)(i * 67) % 360 - 180);
        put(catalog, STEER_SITE, name, json.data);
    }
    steer_buf_clear(&json);
    for (unsigned i = 0; i < SITES; i++)
        steer_buf_printf(&json, "%s{\"to\":{\"endpoint\":\"%c\"},\"site\":\"n%u\"}",
                         i ? "," : "{\"nearest\":[", 'f' - i, i);
    steer_buf_puts(&json, "]}");
    const struct steer_object *steered = record(catalog, json.data);
    assert_int_equal(steer_classes_over(store, catalog, steered, location_at, locations, CLIENTS,
                                        65535, &whole, NULL),
                     STEER_OK);
    assert_int_equal(whole.ranked_first, 0);
    assert_true(whole.class_count > 60);
    assert_int_equal(steer_classes_over(store, catalog, steered, location_at, locations, CLIENTS,
                                        whole.class_count - 1, &cut, NULL),
                     STEER_OK);
    assert_in_range(cut.ranked_first, 1, SITES - 2);
    assert_true(cut.class_count < whole.class_count);
    for (unsigned i = 0; i < CLIENTS; i++) {
        const struct steer_residual *a = whole.roots[whole.class_of[i]];
        const struct steer_residual *b = cut.roots[cut.class_of[i]];
        for (uint32_t k = 0; k < SITES; k++) {
            if (k < cut.ranked_first)
                assert_ptr_equal(a->children[k], b->children[k]);
            else if (k > cut.ranked_first)
                assert_true(strcmp(b->children[k - 1]->object->name, b->children[k]->object->name) <
                            0);
        }
    }
    steer_classes_fini(store, &cut);
    // One more in each ranking would not have fitted; one is the least.
    assert_int_equal(steer_classes_over(store, catalog, steered, location_at, locations, CLIENTS,
                                        SITES, &cut, NULL),
                     STEER_OK);
    assert_int_equal(cut.ranked_first, 1);
    steer_classes_fini(store, &cut);
    assert_int_equal(steer_classes_over(store, catalog, steered, location_at, locations, CLIENTS,
                                        SITES - 1, &cut, NULL),
                     STEER_ELIMIT);
    steer_classes_fini(store, &whole);
    assert_int_equal(steer_residuals_count(store), 0);
    steer_residuals_destroy(store);
    steer_catalog_unref(catalog);
    steer_buf_fini(&json);
}

static void a_policy_without_geography_has_one_class(void **state)
{
    (void)state;
    struct steer_residuals *store = steer_residuals_create();
    struct steer_catalog *catalog = small_catalog();
    struct steer_geo *geo;
    struct steer_classes classes;
    struct steer_diag diag;
    assert_int_equal(steer_geo_open(NULL, 0, NULL, &geo, &diag), STEER_OK);
    assert_int_equal(
        steer_classes_compile(store, catalog, record(catalog, POOL("a")), geo, &classes, &diag),
        STEER_OK);
    assert_int_equal(classes.class_count, 1);
    assert_int_equal(classes.location_count, steer_geo_location_count(geo));
    steer_classes_fini(store, &classes);
    steer_geo_unref(geo);
    steer_residuals_destroy(store);
    steer_catalog_unref(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_get_their_candidates_in_order),
        cmocka_unit_test(the_plain_form_is_what_a_tree_does),
        cmocka_unit_test(equal_trees_are_one_node),
        cmocka_unit_test(a_residual_outlives_its_catalogue),
        cmocka_unit_test(removing_keeps_the_others_findable),
        cmocka_unit_test(the_trace_names_what_the_client_met),
        cmocka_unit_test(classes_are_numbered_as_they_appear),
        cmocka_unit_test(each_client_is_in_the_class_of_its_own_residual),
        cmocka_unit_test(too_many_rankings_are_cut),
        cmocka_unit_test(a_policy_without_geography_has_one_class),
    };
    return cmocka_run_group_tests_name("residual", tests, NULL, NULL);
}
