// SPDX-License-Identifier: GPL-3.0-or-later
#include "unit/policy/decide_support.h"

#include <math.h>

#include "steerd/base/hash.h"

// ---- one row, one sentence of the model ----------------------------------------------------------

struct row {
    const char *says;
    const char *tree;
    const char *client; // NULL: unknown
    struct moment moment;
    uint16_t type; // 0: A
    const char *expected;
};

#define ANSWER  "{\"answer\":{\"A\":[\"198.51.100.1\"]}}"
#define FAIL_AB "{\"failover\":[{\"pool\":\"a\"},{\"pool\":\"b\"}]"
#define FENCED                                                                                     \
    "{\"geo\":{\"rules\":[{\"match\":\"EU-DE\",\"to\":{\"pool\":\"a\"},\"fence\":true},"           \
    "{\"match\":\"EU\",\"to\":{\"pool\":\"b\"}}],\"default\":{\"pool\":\"c\"}}"

static const struct row rows[] = {
    // pools
    {"a pool draws by weight", "{\"pool\":\"ab91\"}", NULL, {0}, 0, "a 9/10, b 1/10"},
    {"a member that is down is left out", "{\"pool\":\"ab91\"}", NULL, {.down = "a"}, 0, "b"},
    {"a drained member is left out", "{\"pool\":\"ab91\"}", NULL, {.drained = "b"}, 0, "a"},
    {"weight 0 waits", "{\"pool\":\"spare\"}", NULL, {0}, 0, "a"},
    {"weight 0 shares equally when nothing positive is available",
     "{\"pool\":\"spare\"}",
     NULL,
     {.down = "a"},
     0,
     "b 1/2, c 1/2"},
    {"a member without the type is left out and the rest renormalised",
     "{\"pool\":\"mixed\"}",
     NULL,
     {0},
     0,
     "a 1/3, v4 2/3"},
    {"the other family renormalises for itself",
     "{\"pool\":\"mixed\"}",
     NULL,
     {0},
     STEER_TYPE_AAAA,
     "a 1/2, v6 1/2"},
    {"a type does not make a pool unavailable: NODATA",
     "{\"failover\":[{\"endpoint\":\"v4\"},{\"pool\":\"a\"}]}",
     NULL,
     {0},
     STEER_TYPE_AAAA,
     "nodata"},
    {"availability, not type, decides whether weight 0 counts",
     "{\"pool\":\"spare-v4\"}",
     NULL,
     {0},
     STEER_TYPE_AAAA,
     "nodata"},
    {"weight 0 counts when the positive one is down",
     "{\"pool\":\"spare-v4\"}",
     NULL,
     {.down = "v4"},
     STEER_TYPE_AAAA,
     "a"},
    {"a cname asks for hostnames", "{\"pool\":\"mixed\"}", NULL, {0}, STEER_TYPE_CNAME, "a"},
    {"all gives the positive ones together", "{\"pool\":\"all3\"}", NULL, {0}, 0, "a+b+c"},
    {"all gives weight 0 only when nothing else is available",
     "{\"pool\":\"all3\"}",
     NULL,
     {.down = "a b c"},
     0,
     "d"},
    {"all gives at most its limit, each by its weight",
     "{\"pool\":\"all2\"}",
     NULL,
     {0},
     0,
     "a+c 1/8, b+c 1/4, b+d 3/8, c+d 1/4"},
    {"all gives all that are available up to its limit",
     "{\"pool\":\"all2\"}",
     NULL,
     {.down = "a b"},
     0,
     "c+d"},
    {"two of four", "{\"pool\":\"two\"}", NULL, {0}, 0, "a+c 1/2, b+d 1/2"},
    {"two of three", "{\"pool\":\"two\"}", NULL, {.down = "d"}, 0, "a+b 1/3, a+c 1/3, b+c 1/3"},
    {"two of two", "{\"pool\":\"two\"}", NULL, {.down = "a d"}, 0, "b+c"},
    {"two of one", "{\"pool\":\"two\"}", NULL, {.down = "a c d"}, 0, "b"},
    {"a weight that cannot be honoured is always given",
     "{\"pool\":\"twoskew\"}",
     NULL,
     {0},
     0,
     "a+b 1/2, a+c 1/2"},
    {"half of three is two", FAIL_AB ",\"min_available\":1}", NULL, {.pool_down = "a"}, 0, "b"},
    {"a pool below its percentage is unavailable",
     "{\"failover\":[{\"pool\":\"half\"},{\"endpoint\":\"d\"}]}",
     NULL,
     {.down = "a b"},
     0,
     "d"},
    {"a pool at its percentage is available",
     "{\"failover\":[{\"pool\":\"half\"},{\"endpoint\":\"d\"}]}",
     NULL,
     {.down = "a"},
     0,
     "b 1/2, c 1/2"},
    {"a pool below its count is unavailable",
     "{\"failover\":[{\"pool\":\"three\"},{\"endpoint\":\"d\"}]}",
     NULL,
     {.down = "a"},
     0,
     "d"},
    {"an override holds a pool up, with checks read as up",
     "{\"failover\":[{\"pool\":\"ab91\"},{\"pool\":\"c\"}]}",
     NULL,
     {.down = "a b", .pool_up = "ab91"},
     0,
     "a 9/10, b 1/10"},
    {"a pool held up still gives nothing that is drained",
     "{\"pool\":\"ab91\"}",
     NULL,
     {.down = "b", .drained = "a", .pool_up = "ab91"},
     0,
     "b"},
    {"a pool held up is available below min_available",
     "{\"failover\":[{\"pool\":\"three\"},{\"endpoint\":\"d\"}]}",
     NULL,
     {.off = "a b", .pool_up = "three"},
     0,
     "c"},
    {"a pool held up with nothing to give leaves it to the next",
     "{\"failover\":[{\"pool\":\"ab91\"},{\"pool\":\"c\"}]}",
     NULL,
     {.off = "a", .drained = "b", .pool_up = "ab91"},
     0,
     "c"},
    {"serve_all does not undo an override on a pool",
     "{\"pool\":\"a\"}",
     NULL,
     {.pool_down = "a"},
     0,
     "exhausted"},
    // the root
    {"the root serves all when nothing is up",
     "{\"pool\":\"ab91\"}",
     NULL,
     {.down = "a b"},
     0,
     "served_all: a 9/10, b 1/10"},
    {"serving all keeps overrides and drains",
     "{\"pool\":\"ab91\"}",
     NULL,
     {.down = "a b", .off = "a"},
     0,
     "served_all: b"},
    {"still nothing is exhausted",
     "{\"pool\":\"ab91\"}",
     NULL,
     {.down = "a", .drained = "a b"},
     0,
     "exhausted"},
    {"serve_none at the root gives NODATA",
     "{\"pool\":\"a\",\"when_unavailable\":\"serve_none\"}",
     NULL,
     {.down = "a"},
     0,
     "nodata"},
    {"a substitute at the root",
     "{\"pool\":\"a\",\"when_unavailable\":" ANSWER "}",
     NULL,
     {.down = "a"},
     0,
     "answer"},
    {"a substitute that is down too: the root serves all",
     "{\"pool\":\"a\",\"when_unavailable\":{\"pool\":\"b\"}}",
     NULL,
     {.down = "a b"},
     0,
     "served_all: a"},
    {"serving all prefers the first again", FAIL_AB "}", NULL, {.down = "a b"}, 0, "served_all: a"},
    // below the root
    {"an inner node is unavailable to its parent",
     "{\"failover\":[{\"pool\":\"a\"}," ANSWER "]}",
     NULL,
     {.down = "a"},
     0,
     "answer"},
    {"an answer without the type is chosen all the same",
     "{\"failover\":[" ANSWER ",{\"pool\":\"a\"}]}",
     NULL,
     {0},
     STEER_TYPE_AAAA,
     "nodata"},
    {"serve_all below the root makes it available",
     "{\"failover\":[{\"pool\":\"ab91\",\"when_unavailable\":\"serve_all\"},{\"pool\":\"c\"}]}",
     NULL,
     {.down = "a b"},
     0,
     "a 9/10, b 1/10"},
    {"serve_all below the root with nothing left is unavailable",
     "{\"failover\":[{\"pool\":\"ab91\",\"when_unavailable\":\"serve_all\"},{\"pool\":\"c\"}]}",
     NULL,
     {.drained = "a b"},
     0,
     "c"},
    {"serve_none below the root is terminal",
     "{\"failover\":[{\"pool\":\"a\",\"when_unavailable\":\"serve_none\"},{\"pool\":\"c\"}]}",
     NULL,
     {.down = "a"},
     0,
     "nodata"},
    {"a substitute below the root",
     "{\"failover\":[{\"pool\":\"a\",\"when_unavailable\":{\"pool\":\"b\"}},{\"pool\":\"c\"}]}",
     NULL,
     {.down = "a"},
     0,
     "b"},
    {"a substitute that is down too is unavailable to the parent",
     "{\"failover\":[{\"pool\":\"a\",\"when_unavailable\":{\"pool\":\"b\"}},{\"pool\":\"c\"}]}",
     NULL,
     {.down = "a b"},
     0,
     "c"},
    // failover
    {"the first available child", FAIL_AB "}", NULL, {0}, 0, "a"},
    {"the next one", FAIL_AB "}", NULL, {.down = "a"}, 0, "b"},
    {"a trickle leaks to the next",
     FAIL_AB ",\"trickle\":\"5%\"}",
     NULL,
     {0},
     0,
     "a 19/20, b 1/20"},
    {"a trickle leaks to the next available",
     "{\"failover\":[{\"pool\":\"a\"},{\"pool\":\"b\"},{\"pool\":\"c\"}],\"trickle\":\"5%\"}",
     NULL,
     {.down = "b"},
     0,
     "a 19/20, c 1/20"},
    {"without a next nothing leaks", FAIL_AB ",\"trickle\":\"5%\"}", NULL, {.down = "a"}, 0, "b"},
    {"a failover below min_available",
     "{\"failover\":[" FAIL_AB ",\"min_available\":2},{\"pool\":\"c\"}]}",
     NULL,
     {.down = "b"},
     0,
     "c"},
    {"a failover at min_available",
     "{\"failover\":[" FAIL_AB ",\"min_available\":2},{\"pool\":\"c\"}]}",
     NULL,
     {0},
     0,
     "a"},
    // weighted
    {"weighted scales and merges",
     "{\"weighted\":[{\"weight\":1,\"to\":{\"pool\":\"ab91\"}},{\"weight\":1,\"to\":{\"pool\":"
     "\"a\"}}]}",
     NULL,
     {0},
     0,
     "a 19/20, b 1/20"},
    {"weighted leaves the unavailable out",
     "{\"weighted\":[{\"weight\":3,\"to\":{\"pool\":\"a\"}},{\"weight\":1,\"to\":{\"pool\":\"b\"}},"
     "{\"weight\":1,\"to\":{\"pool\":\"c\"}}]}",
     NULL,
     {.down = "b"},
     0,
     "a 3/4, c 1/4"},
    {"weighted turns to weight 0 last",
     "{\"weighted\":[{\"weight\":3,\"to\":{\"pool\":\"a\"}},{\"weight\":0,\"to\":{\"pool\":\"b\"}},"
     "{\"weight\":0,\"to\":{\"pool\":\"c\"}}]}",
     NULL,
     {.down = "a"},
     0,
     "b 1/2, c 1/2"},
    {"weighted leaves out what lacks the type",
     "{\"weighted\":[{\"weight\":3,\"to\":{\"endpoint\":\"v4\"}},{\"weight\":1,\"to\":{\"pool\":"
     "\"b\"}}]}",
     NULL,
     {0},
     STEER_TYPE_AAAA,
     "b"},
    {"equal answers merge",
     "{\"weighted\":[{\"weight\":3,\"to\":" ANSWER "},{\"weight\":1,\"to\":" ANSWER "}]}",
     NULL,
     {0},
     0,
     "answer"},
    // geo
    {"the subdivision before the country before the continent",
     "{\"geo\":{\"rules\":[{\"match\":\"NA\",\"to\":{\"pool\":\"c\"}},{\"match\":\"NA-US-CA\","
     "\"to\":"
     "{\"pool\":\"a\"}},{\"match\":\"NA-US\",\"to\":{\"pool\":\"b\"}}]}}",
     "NA-US-CA",
     {0},
     0,
     "a"},
    {"unavailable: the next broader one",
     "{\"geo\":{\"rules\":[{\"match\":\"NA\",\"to\":{\"pool\":\"c\"}},{\"match\":\"NA-US-CA\","
     "\"to\":"
     "{\"pool\":\"a\"}},{\"match\":\"NA-US\",\"to\":{\"pool\":\"b\"}}]}}",
     "NA-US-CA",
     {.down = "a b"},
     0,
     "c"},
    {"an unknown place takes the default", FENCED "}", NULL, {0}, 0, "c"},
    {"no match and no default is exhausted",
     "{\"geo\":{\"rules\":[{\"match\":\"NA\",\"to\":{\"pool\":\"c\"}}]}}",
     "EU",
     {0},
     0,
     "exhausted"},
    {"no match and no default leaves the parent its alternative",
     "{\"failover\":[{\"geo\":{\"rules\":[{\"match\":\"NA\",\"to\":{\"pool\":\"c\"}}]}},{\"pool\":"
     "\"a\"}]}",
     "EU",
     {0},
     0,
     "a"},
    // fence
    {"a fence gives its child", FENCED "}", "EU-DE", {0}, 0, "a"},
    {"nothing broader behind a fence", FENCED "}", "EU-DE", {.down = "a"}, 0, "served_all: a"},
    {"no parent's alternative behind a fence",
     "{\"failover\":[" FENCED "},{\"pool\":\"d\"}]}",
     "EU-DE",
     {.down = "a"},
     0,
     "served_all: a"},
    {"a fence around nothing is exhausted", FENCED "}", "EU-DE", {.drained = "a"}, 0, "exhausted"},
    {"a fence under a root with serve_none",
     FENCED ",\"when_unavailable\":\"serve_none\"}",
     "EU-DE",
     {.down = "a"},
     0,
     "nodata"},
    {"a root's substitute is outside the fence",
     FENCED ",\"when_unavailable\":{\"pool\":\"d\"}}",
     "EU-DE",
     {.down = "a"},
     0,
     "served_all: a"},
    {"others are not behind the fence", FENCED "}", "EU-FR", {.down = "b"}, 0, "c"},
};

static void decide_row(struct steer_residuals *store, struct steer_catalog *catalog,
                       const struct row *row)
{
    const struct steer_object *steered = record(catalog, row->tree);
    struct steer_location client = at_place(row->client);
    struct steer_residual *root = steer_residual_resolve(
        store, catalog, steered, &(struct steer_client){.location = &client}, NULL);
    struct moment moment = row->moment;
    struct steer_view view = view_of(&moment);
    for (int traced = 0; traced < 2; traced++) {
        struct steer_distribution d;
        char text[512];
        json_t *trace = traced ? json_object() : NULL;
        steer_decide(root, &view, row->type ? row->type : STEER_TYPE_A, &d, trace);
        distribution_text(&d, text, sizeof text);
        if (strcmp(text, row->expected) != 0)
            fail_msg("%s: got %s, wanted %s", row->says, text, row->expected);
        if (traced && !json_is_string(json_object_get(trace, "node")))
            fail_msg("%s: no trace", row->says);
        json_decref(trace);
        steer_distribution_fini(&d);
    }
    steer_residual_unref(store, root);
}

static void each_sentence_of_the_model_holds(void **state)
{
    (void)state;
    struct steer_residuals *store = steer_residuals_create();
    struct steer_catalog *catalog = small_catalog();
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++)
        decide_row(store, catalog, &rows[i]);
    steer_catalog_unref(catalog);
    assert_int_equal(steer_residuals_count(store), 0);
    steer_residuals_destroy(store);
}

struct scene {
    struct steer_residuals *store;
    struct steer_catalog *catalog;
    struct steer_residual *root;
    struct moment moment;
    struct steer_distribution d;
    json_t *trace;
};

static void play(struct scene *s, const char *tree, const char *client, uint16_t type)
{
    s->store = steer_residuals_create();
    if (!s->catalog)
        s->catalog = small_catalog();
    const struct steer_object *steered = record(s->catalog, tree);
    struct steer_location location = at_place(client);
    s->root = steer_residual_resolve(s->store, s->catalog, steered,
                                     &(struct steer_client){.location = &location}, NULL);
    struct steer_view view = view_of(&s->moment);
    s->trace = json_object();
    steer_decide(s->root, &view, type, &s->d, s->trace);
}

static void end(struct scene *s)
{
    json_decref(s->trace);
    steer_distribution_fini(&s->d);
    steer_residual_unref(s->store, s->root);
    steer_residuals_destroy(s->store);
    steer_catalog_unref(s->catalog);
}

static void flags_say_how_it_came_about(void **state)
{
    (void)state;
    static const struct {
        const char *tree;
        const char *down, *drained;
        bool available, served_all, exhausted, reads_up;
    } cases[] = {
        {"{\"pool\":\"a\"}", NULL, NULL, true, false, false, false},
        {"{\"pool\":\"a\"}", "a", NULL, false, true, false, true},
        {"{\"pool\":\"a\"}", NULL, "a", false, true, true, true},
        {"{\"pool\":\"a\",\"when_unavailable\":\"serve_none\"}", "a", NULL, false, false, false,
         false},
        {"{\"pool\":\"a\",\"when_unavailable\":{\"pool\":\"b\"}}", "a", NULL, true, false, false,
         false},
        {"{\"failover\":[{\"pool\":\"a\",\"when_unavailable\":\"serve_all\"},{\"pool\":\"b\"}]}",
         "a", NULL, true, false, false, true},
        {"{\"weighted\":[{\"weight\":1,\"to\":{\"pool\":\"b\"}},{\"weight\":1,\"to\":{\"pool\":"
         "\"a\","
         "\"when_unavailable\":\"serve_all\"}}]}",
         "a", NULL, true, false, false, true},
        // Nobody gets what the one with weight 0 holds ready.
        {"{\"weighted\":[{\"weight\":1,\"to\":{\"pool\":\"b\"}},{\"weight\":0,\"to\":{\"pool\":"
         "\"a\","
         "\"when_unavailable\":\"serve_all\"}}]}",
         "a", NULL, true, false, false, false},
        {FENCED "}", "a", NULL, false, true, false, true},
        {FENCED "}", NULL, "a", false, true, true, true},
        // One fenced child of two is exhausted: the other carries all.
        {"{\"weighted\":[{\"weight\":1,\"to\":" FENCED
         "}},{\"weight\":1,\"to\":{\"pool\":\"b\"}}]}",
         NULL, "a", true, false, false, false},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(cases); i++) {
        struct scene s = {.moment = {.down = cases[i].down, .drained = cases[i].drained}};
        play(&s, cases[i].tree, "EU-DE", STEER_TYPE_A);
        if (s.d.available != cases[i].available || s.d.served_all != cases[i].served_all ||
            s.d.exhausted != cases[i].exhausted || s.d.reads_up != cases[i].reads_up)
            fail_msg("row %zu: available %d served_all %d exhausted %d reads_up %d", i,
                     s.d.available, s.d.served_all, s.d.exhausted, s.d.reads_up);
        end(&s);
    }
}

static void the_ttl_cap_is_the_least_of_the_endpoints(void **state)
{
    (void)state;
    struct scene s = {0};
    play(&s, "{\"pool\":\"caps\"}", NULL, STEER_TYPE_A);
    assert_int_equal(s.d.count, 1);
    assert_int_equal(s.d.outcomes[0].ttl_cap_s, 5);
    end(&s);
}

static void a_shared_policy_is_evaluated_once(void **state)
{
    (void)state;
    struct scene s = {.catalog = small_catalog()};
    put(s.catalog, STEER_POLICY, "p0", "{\"pool\":\"ab91\"}");
    for (int i = 1; i < 8; i++) { // each uses the one before it twice: 2^7 paths
        char name[16];
        char json[256];
        snprintf(name, sizeof name, "p%d", i);
        snprintf(json, sizeof json,
                 "{\"weighted\":[{\"weight\":1,\"to\":{\"use\":\"p%d\"}},{\"weight\":2,\"to\":{"
                 "\"use\":\"p%d\"}}]}",
                 i - 1, i - 1);
        put(s.catalog, STEER_POLICY, name, json);
    }
    play(&s, "{\"use\":\"p7\"}", NULL, STEER_TYPE_A);
    char text[64];
    assert_string_equal(distribution_text(&s.d, text, sizeof text), "a 9/10, b 1/10");
    assert_int_equal(s.moment.asked, 2);
    char *dump = json_dumps(s.trace, JSON_COMPACT);
    assert_true(strlen(dump) < 8000); // each tree is shown once
    free(dump);
    end(&s);
}

// ---- the trace -----------------------------------------------------------------------------------

static const json_t *candidate(const json_t *node, size_t index)
{
    return json_array_get(json_object_get(node, "candidates"), index);
}

static void the_trace_says_why(void **state)
{
    (void)state;
    struct scene s = {.moment = {.down = "a"}};
    play(&s,
         "{\"failover\":[{\"pool\":\"a\"},{\"pool\":\"mixed\"},{\"pool\":\"c\"}],\"trickle\":\"5%"
         "\"}",
         NULL, STEER_TYPE_AAAA);
    assert_string_equal(json_string_value(json_object_get(s.trace, "node")), "failover");
    assert_true(json_is_true(json_object_get(s.trace, "available")));
    const json_t *down = candidate(s.trace, 0);
    assert_true(json_is_false(json_object_get(down, "chosen")));
    const json_t *member = candidate(json_object_get(down, "child"), 0);
    assert_string_equal(json_string_value(json_object_get(member, "reason")),
                        "down: check web: status 503");
    assert_non_null(
        json_object_get(json_object_get(json_object_get(member, "child"), "why"), "checks"));
    const json_t *mixed = candidate(s.trace, 1);
    assert_true(json_is_true(json_object_get(mixed, "chosen")));
    assert_string_equal(json_string_value(json_object_get(mixed, "exact")), "19/20");
    assert_true(fabs(json_real_value(json_object_get(mixed, "share")) - 95) < 1e-9);
    const json_t *pool = json_object_get(mixed, "child");
    assert_string_equal(json_string_value(json_object_get(pool, "name")), "mixed");
    assert_string_equal(json_string_value(json_object_get(candidate(pool, 1), "reason")),
                        "lacks an AAAA address");
    assert_string_equal(json_string_value(json_object_get(candidate(s.trace, 2), "reason")),
                        "trickle");
    end(&s);
}

static void the_trace_shows_what_was_not_reached_and_what_was_served(void **state)
{
    (void)state;
    struct scene s = {.moment = {.off = "a"}};
    play(&s, "{\"failover\":[{\"pool\":\"spare\"},{\"pool\":\"c\"}]}", NULL, STEER_TYPE_A);
    assert_string_equal(json_string_value(json_object_get(candidate(s.trace, 1), "reason")),
                        "not reached: an earlier one is available");
    const json_t *spare = json_object_get(candidate(s.trace, 0), "child");
    assert_string_equal(json_string_value(json_object_get(candidate(spare, 0), "reason")),
                        "down: override: burning");
    end(&s);

    s = (struct scene){.moment = {.down = "a b c"}};
    play(&s, "{\"failover\":[{\"pool\":\"three\"},{\"pool\":\"spare\"}]}", NULL, STEER_TYPE_A);
    assert_string_equal(json_string_value(json_object_get(s.trace, "when_unavailable")),
                        "serve_all");
    assert_true(json_is_false(json_object_get(s.trace, "available")));
    assert_string_equal(json_string_value(json_object_get(candidate(s.trace, 0), "reason")),
                        "below min_available 3 of 3: 0 available");
    const json_t *again = json_object_get(s.trace, "with_checks_up");
    assert_true(json_is_true(json_object_get(again, "checks_as_up")));
    assert_true(json_is_true(json_object_get(candidate(again, 0), "chosen")));
    end(&s);

    s = (struct scene){0};
    play(&s, "{\"pool\":\"spare\"}", NULL, STEER_TYPE_A);
    assert_string_equal(json_string_value(json_object_get(candidate(s.trace, 1), "reason")),
                        "weight 0, others are available");
    end(&s);
}

// ---- shares --------------------------------------------------------------------------------------

static void shares_are_exact_while_they_fit(void **state)
{
    (void)state;
    struct steer_share a =
        steer_share_multiply((struct steer_share){9, 10}, (struct steer_share){5, 9});
    assert_int_equal(a.num, 1);
    assert_int_equal(a.den, 2);
    struct steer_share b = steer_share_add((struct steer_share){1, 6}, (struct steer_share){1, 3});
    assert_int_equal(b.num, 1);
    assert_int_equal(b.den, 2);
    struct steer_share none =
        steer_share_multiply((struct steer_share){0, 1}, (struct steer_share){5, 9});
    assert_int_equal(none.num, 0);
    assert_int_equal(none.den, 1);
    // Primes just below 2^32: the product of two denominators fits, that of three is rounded.
    struct steer_share p = {1, 4294967291};
    struct steer_share q = {1, 4294967279};
    struct steer_share pq = steer_share_multiply(p, q);
    assert_true(pq.num == 1 && pq.den == UINT64_C(4294967291) * UINT64_C(4294967279));
    struct steer_share sum = {1, 1};
    for (uint64_t k = 0; k < 3; k++)
        sum = steer_share_multiply(sum,
                                   (struct steer_share){4294967231 - 2 * k, 4294967291 - 12 * k});
    assert_true(sum.den <= UINT64_C(1) << 62 && (sum.den & (sum.den - 1)) == 0);
    assert_true(fabs(steer_share_value(sum) - 1) < 1e-6);
    struct steer_share huge = {UINT64_MAX - 1, UINT64_MAX};
    struct steer_share other = {1, UINT64_MAX - 2};
    assert_true(fabs(steer_share_value(steer_share_add(huge, other)) - 1) < 1e-15);
}

static struct steer_share in_lowest_terms(uint64_t num, uint64_t den)
{
    return steer_share_multiply((struct steer_share){num, den}, (struct steer_share){1, 1});
}

// Sums that are kept in lowest terms are the judge: the value is the same, whatever the terms.
static void a_running_sum_is_as_exact_as_a_reduced_one(void **state)
{
    (void)state;
    struct steer_rng rng;
    steer_rng_init(&rng, 5);
    for (int round = 0; round < 20000; round++) {
        const unsigned bits = (unsigned)(steer_rng_next(&rng) % 40) + 2;
        struct steer_share sum = {0, 1};
        struct steer_share running = {0, 1};
        for (int i = 0; i < 6; i++) {
            const uint64_t den = steer_rng_next(&rng) % (UINT64_C(1) << bits) + 1;
            const struct steer_share share = in_lowest_terms(steer_rng_next(&rng) % (den / 4 + 1),
                                                             i % 2 ? den : UINT64_C(1) << bits);
            sum = steer_share_add(sum, share);
            running = steer_share_accumulate(running, share);
            const struct steer_share lowest = in_lowest_terms(running.num, running.den);
            assert_true(lowest.num == sum.num && lowest.den == sum.den);
        }
    }
}

// ---- N of M --------------------------------------------------------------------------------------

// The exact inclusion share min(1, c*w), by trying how many of the heaviest are certain.
static double inclusion(const unsigned *weights, unsigned count, unsigned want, unsigned of)
{
    bool certain[16] = {false};
    for (;;) {
        double rest = 0;
        unsigned left = want;
        for (unsigned i = 0; i < count; i++) {
            rest += certain[i] ? 0 : weights[i];
            left -= certain[i];
        }
        bool changed = false;
        for (unsigned i = 0; i < count && !changed; i++)
            if (!certain[i] && weights[i] * (double)left > rest)
                changed = certain[i] = true;
        if (!changed)
            return certain[of] ? 1 : weights[of] * (double)left / rest;
    }
}

static void picking_n_of_m_gives_exact_inclusion_shares(void **state)
{
    (void)state;
    struct steer_rng rng;
    steer_rng_init(&rng, 7);
    for (int round = 0; round < 300; round++) {
        struct scene s = {.catalog = small_catalog()};
        unsigned count = 3 + (unsigned)(steer_rng_next(&rng) % 4);
        unsigned want = 2 + (unsigned)(steer_rng_next(&rng) % (count - 2));
        unsigned weights[6];
        struct steer_buf json = {0};
        for (unsigned i = 0; i < count; i++) {
            uint64_t r = steer_rng_next(&rng);
            weights[i] = 1 + (unsigned)(r >> 8) % (r & 1 ? 65535 : 9);
            steer_buf_printf(&json, "%s\"%c\":%u", i ? "," : "{\"endpoints\":{", (char)('a' + i),
                             weights[i]);
        }
        steer_buf_printf(&json, "},\"pick\":%u}", want);
        put(s.catalog, STEER_POOL, "n", json.data);
        play(&s, "{\"pool\":\"n\"}", NULL, STEER_TYPE_A);
        assert_true(s.d.count <= count);
        struct steer_share of[6];
        struct steer_share sum = {0, 1};
        for (unsigned i = 0; i < count; i++)
            of[i] = (struct steer_share){0, 1};
        for (uint32_t k = 0; k < s.d.count; k++) {
            const struct steer_outcome *o = &s.d.outcomes[k];
            assert_int_equal(o->endpoint_count, want);
            sum = steer_share_add(sum, o->share);
            for (uint32_t e = 0; e < want; e++) {
                unsigned which = (unsigned)(o->endpoints[e]->name[0] - 'a');
                of[which] = steer_share_add(of[which], o->share);
            }
        }
        assert_true(sum.num == 1 && sum.den == 1);
        for (unsigned i = 0; i < count; i++) {
            double wanted = inclusion(weights, count, want, i);
            if (fabs(steer_share_value(of[i]) - wanted) > 1e-12)
                fail_msg("%s: %c has %.12f, wanted %.12f", json.data, (char)('a' + i),
                         steer_share_value(of[i]), wanted);
        }
        steer_buf_fini(&json);
        end(&s);
    }
}

// ---- a separate, plain evaluator as the judge ----------------------------------------------------
// Works on the record's own tree with doubles, without residuals, sharing or laziness. An outcome is a set of
// the endpoints a-f, v4 and v6, as bits; answers have places of their own.

enum { SETS = 256, ANSWERS = 4, SPACE = SETS + ANSWERS };

struct judge {
    const struct steer_catalog *catalog;
    struct steer_place client;
    uint32_t asn;
    const struct steer_addr *address; // NULL: unknown
    bool has_point;
    double lat, lon;
    struct moment *moment;
    uint16_t type;
    enum steer_when_unavailable root_when;
    bool fenced; // a fence did its work
};

struct verdict {
    bool available;
    double p[SPACE]; // all 0: NODATA
};

static void judge_node(struct judge *j, const struct steer_node *n, bool up, struct verdict *v);

static unsigned bit_of(const char *name)
{
    if (strcmp(name, "v4") == 0)
        return 64;
    return strcmp(name, "v6") == 0 ? 128 : 1U << (name[0] - 'a');
}

static double mass(const struct verdict *v)
{
    double sum = 0;
    for (int i = 0; i < SPACE; i++)
        sum += v->p[i];
    return sum;
}

static void add(struct verdict *v, const struct verdict *from, double share)
{
    for (int i = 0; i < SPACE; i++)
        v->p[i] += share * from->p[i];
}

static bool is_up(const struct judge *j, const char *name, bool up)
{
    return !listed(j->moment->drained, name) && !listed(j->moment->off, name) &&
           (up || !listed(j->moment->down, name));
}

static bool has_type(const struct judge *j, const char *name)
{
    return strcmp(name, "v4") == 0   ? j->type == STEER_TYPE_A
           : strcmp(name, "v6") == 0 ? j->type == STEER_TYPE_AAAA
                                     : true;
}

static unsigned needed(struct steer_minimum m, unsigned count)
{
    return m.percent ? (unsigned)ceil(m.value * (double)count / 100 - 1e-9) : m.value;
}

static void judge_n(const char *const *names, const unsigned *weights, unsigned count,
                    unsigned want, struct verdict *v)
{
    double end_of[16];
    double cuts[17] = {0};
    double at = 0;
    for (unsigned i = 0; i < count; i++) {
        end_of[i] = at += inclusion(weights, count, want, i);
        cuts[i] = end_of[i] - floor(end_of[i] + 1e-12);
        if (cuts[i] < 1e-12)
            cuts[i] = 0;
    }
    cuts[count] = 1;
    for (unsigned i = 0; i < count; i++)
        for (unsigned k = i + 1; k < count; k++)
            if (cuts[k] < cuts[i]) {
                double swap = cuts[i];
                cuts[i] = cuts[k];
                cuts[k] = swap;
            }
    for (unsigned i = 0; i < count; i++) {
        if (cuts[i + 1] - cuts[i] < 1e-12)
            continue;
        double u = (cuts[i] + cuts[i + 1]) / 2;
        unsigned set = 0;
        unsigned m = 0;
        for (unsigned k = 0; k < want; k++) {
            while (m < count - 1 && end_of[m] <= u + k)
                m++;
            set |= bit_of(names[m]);
        }
        v->p[set] += cuts[i + 1] - cuts[i];
    }
}

static void judge_pool(struct judge *j, const char *name, bool up, struct verdict *v)
{
    const struct steer_pool *pool = &steer_catalog_get(j->catalog, STEER_POOL, name)->pool;
    bool forced_up = listed(j->moment->pool_up, name);
    if (listed(j->moment->pool_down, name))
        return;
    up |= forced_up;
    unsigned available = 0;
    bool positive = false;
    for (uint32_t i = 0; i < pool->member_count; i++)
        if (is_up(j, pool->members[i].endpoint, up)) {
            available++;
            positive |= pool->members[i].weight > 0;
        }
    v->available =
        (forced_up && available) || available >= needed(pool->min_available, pool->member_count);
    const char *names[16];
    unsigned weights[16];
    unsigned count = 0;
    double sum = 0;
    for (uint32_t i = 0; v->available && i < pool->member_count; i++) {
        const struct steer_member *m = &pool->members[i];
        if (!is_up(j, m->endpoint, up) || (positive && !m->weight) || !has_type(j, m->endpoint))
            continue;
        names[count] = m->endpoint;
        weights[count] = positive ? m->weight : 1;
        sum += weights[count++];
    }
    unsigned set = 0;
    if (!count)
        return;
    if (pool->pick != STEER_PICK_ONE && count > pool->pick_count) {
        judge_n(names, weights, count, pool->pick_count, v);
        return;
    }
    if (pool->pick == STEER_PICK_ONE) {
        for (unsigned i = 0; i < count; i++)
            v->p[bit_of(names[i])] += weights[i] / sum;
        return;
    }
    for (unsigned i = 0; i < count; i++)
        set |= bit_of(names[i]);
    v->p[set] = 1;
}

static void judge_weighted(struct judge *j, const struct steer_node *n, bool up, struct verdict *v)
{
    struct verdict *children = calloc(n->child_count, sizeof *children);
    unsigned available = 0;
    bool positive = false;
    double sum = 0;
    for (uint32_t i = 0; i < n->child_count; i++) {
        judge_node(j, n->children[i].node, up, &children[i]);
        available += children[i].available;
        positive |= children[i].available && n->children[i].weight > 0;
    }
    v->available = available >= needed(n->min_available, n->child_count);
    for (int pass = 0; v->available && pass < 2; pass++)
        for (uint32_t i = 0; i < n->child_count; i++) {
            double w = positive ? n->children[i].weight : 1;
            if (!children[i].available || mass(&children[i]) == 0 || w == 0)
                continue;
            if (pass == 0)
                sum += w;
            else
                add(v, &children[i], w / sum);
        }
    free(children);
}

static void judge_failover(struct judge *j, const struct steer_node *n, bool up, struct verdict *v)
{
    struct verdict *children = calloc(n->child_count, sizeof *children);
    unsigned available = 0;
    const struct verdict *first = NULL;
    const struct verdict *next = NULL;
    for (uint32_t i = 0; i < n->child_count; i++) {
        judge_node(j, n->children[i].node, up, &children[i]);
        if (!children[i].available)
            continue;
        available++;
        if (!first)
            first = &children[i];
        else if (!next)
            next = &children[i];
    }
    v->available = available >= needed(n->min_available, n->child_count);
    if (v->available) {
        double leak = next && mass(next) > 0 && mass(first) > 0 ? n->trickle_ppm / 1e6 : 0;
        add(v, first, 1 - leak);
        if (leak > 0)
            add(v, next, leak);
    }
    free(children);
}

static void judge_fence(struct judge *j, const struct steer_node *child, bool up, struct verdict *v)
{
    judge_node(j, child, up, v);
    if (!v->available) {
        j->fenced = true;
        memset(v, 0, sizeof *v);
        if (j->root_when != STEER_WHEN_SERVE_NONE)
            judge_node(j, child, true, v);
    }
    v->available = true;
}

static unsigned parts(const struct steer_place *p)
{
    return p->subdivision[0] ? 3 : p->country[0] ? 2 : 1;
}

static void judge_geo(struct judge *j, const struct steer_node *n, bool up, struct verdict *v)
{
    for (unsigned level = 3;; level--) { // 3 subdivision, 2 country, 1 continent, 0 default
        for (uint32_t i = 0; i < n->child_count; i++) {
            const struct steer_child *rule = &n->children[i];
            bool matches = level == 0 && rule->is_default;
            for (uint16_t k = 0; k < rule->place_count; k++)
                matches |= parts(&rule->places[k]) == level &&
                           steer_place_matches(&rule->places[k], &j->client);
            if (!matches)
                continue;
            memset(v, 0, sizeof *v);
            if (rule->fence)
                judge_fence(j, rule->node, up, v);
            else
                judge_node(j, rule->node, up, v);
            if (v->available)
                return;
        }
        if (level == 0)
            return;
    }
}

// The rules that hold the client by a CIDR of this length; 129: the AS number, 130: the default.
static bool network_holds(const struct judge *j, const struct steer_node *n, uint32_t child,
                          unsigned length)
{
    bool holds = length == 130 && n->children[child].is_default;
    for (uint32_t i = 0; i < n->network_count && j->address; i++) {
        const struct steer_prefix *p = &n->networks[i].prefix;
        holds |= n->networks[i].value == child && p->len == length &&
                 steer_prefix_contains(p, j->address);
    }
    for (uint32_t i = 0; i < n->asn_count; i++)
        holds |= length == 129 && n->asns[i].child == child && n->asns[i].asn == j->asn;
    return holds;
}

static void judge_network(struct judge *j, const struct steer_node *n, bool up, struct verdict *v)
{
    for (unsigned step = 0; step <= 130; step++)
        for (uint32_t i = 0; i < n->child_count; i++) {
            if (!network_holds(j, n, i, step <= 128 ? 128 - step : step))
                continue;
            memset(v, 0, sizeof *v);
            if (n->children[i].fence)
                judge_fence(j, n->children[i].node, up, v);
            else
                judge_node(j, n->children[i].node, up, v);
            if (v->available)
                return;
        }
}

// The row of the table that says most of the client and the site; places are compared by what they name.
static const struct steer_latency_row *judge_row(const struct judge *j,
                                                 const struct steer_latency *table, char site)
{
    const struct steer_latency_row *best = NULL;
    unsigned best_rank = 0;
    for (size_t i = 0; i < steer_latency_count(table); i++) {
        const struct steer_latency_row *row = steer_latency_at(table, i);
        unsigned rank = 0; // 1-3 places, 4 AS number, 5 and more CIDRs
        if (row->of == STEER_LATENCY_PLACE)
            rank = steer_place_matches(&row->place, &j->client) ? parts(&row->place) : 0;
        else if (row->of == STEER_LATENCY_ASN)
            rank = row->asn == j->asn ? 4 : 0;
        else if (j->address && steer_prefix_contains(&row->network, j->address))
            rank = 5u + row->network.len;
        if (rank > best_rank && row->site[3] == site) {
            best = row;
            best_rank = rank;
        }
    }
    return best;
}

// Of the children that were not yet asked the best one; the sites of a, b and c, and those of the pools of one.
static double judge_cost(const struct judge *j, const struct steer_node *n,
                         const struct steer_child *child)
{
    static const double points[][2] = {{52.5, 13.4}, {38.9, -77.4}, {1.3, 103.8}};
    const char *name = child->site ? child->site + 3 : child->node->name; // "at-a"
    const double *site = points[name[0] - 'a'];
    const struct steer_object *table =
        n->name ? steer_catalog_get(j->catalog, STEER_LATENCY, n->name) : NULL;
    const struct steer_latency_row *row = table ? judge_row(j, table->latency, name[0]) : NULL;
    if (row)
        return row->rtt_us / 1000.0;
    if (!j->has_point)
        return 1e9;
    const double r = 3.14159265358979323846 / 180;
    const double x = cos(site[0] * r) * cos(site[1] * r) - cos(j->lat * r) * cos(j->lon * r);
    const double y = cos(site[0] * r) * sin(site[1] * r) - cos(j->lat * r) * sin(j->lon * r);
    const double z = sin(site[0] * r) - sin(j->lat * r);
    const double d = 2 * asin(fmin(1, sqrt(x * x + y * y + z * z) / 2));
    const double route =
        d * 6371.0088 < 1000 ? 1.5 * d * 6371.0088 : 1500 + 1.25 * (d * 6371.0088 - 1000);
    if (n->kind == STEER_NODE_LATENCY)
        return floor(route * 10 + 0.5) / 1000; // to the microsecond
    return child->bias < 0 ? d / (1 + child->bias / 100.0) : d * (1 - child->bias / 100.0);
}

static void judge_nearest(struct judge *j, const struct steer_node *n, bool up, struct verdict *v)
{
    bool asked[16] = {false};
    unsigned available = 0;
    struct verdict *first = NULL;
    for (uint32_t round = 0; round < n->child_count; round++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = 0; i < n->child_count; i++) {
            const struct steer_child *a = &n->children[i];
            if (asked[i])
                continue;
            const struct steer_child *b = best == UINT32_MAX ? NULL : &n->children[best];
            const double less = b ? judge_cost(j, n, a) - judge_cost(j, n, b) : -1;
            if (less < -1e-12 || (less < 1e-12 && b && a->node->name && b->node->name &&
                                  strcmp(a->node->name, b->node->name) < 0))
                best = i;
        }
        asked[best] = true;
        struct verdict *child = calloc(1, sizeof *child);
        judge_node(j, n->children[best].node, up, child);
        available += child->available;
        if (child->available && !first)
            first = child;
        else
            free(child);
    }
    v->available = available >= needed(n->min_available, n->child_count);
    if (v->available)
        add(v, first, 1);
    free(first);
}

static void judge_plain(struct judge *j, const struct steer_node *n, bool up, struct verdict *v)
{
    memset(v, 0, sizeof *v);
    switch (n->kind) {
    case STEER_NODE_ENDPOINT:
        v->available = is_up(j, n->name, up);
        if (v->available && has_type(j, n->name))
            v->p[bit_of(n->name)] = 1;
        break;
    case STEER_NODE_POOL:
        judge_pool(j, n->name, up, v);
        break;
    case STEER_NODE_ANSWER:
        v->available = true;
        for (uint32_t i = 0; i < n->fixed_count; i++)
            if (n->fixed[i].type == j->type) // the last octet says which answer it is
                v->p[SETS + n->fixed[i].rdata[0][n->fixed[i].len[0] - 1] % ANSWERS] = 1;
        break;
    case STEER_NODE_WEIGHTED:
        judge_weighted(j, n, up, v);
        break;
    case STEER_NODE_FAILOVER:
        judge_failover(j, n, up, v);
        break;
    case STEER_NODE_GEO:
        judge_geo(j, n, up, v);
        break;
    case STEER_NODE_NETWORK:
        judge_network(j, n, up, v);
        break;
    case STEER_NODE_NEAREST:
    case STEER_NODE_LATENCY:
        judge_nearest(j, n, up, v);
        break;
    case STEER_NODE_SWITCH:
        judge_node(j, n->children[j->moment->switched].node, up, v); // x, y, z are sorted
        break;
    case STEER_NODE_USE:
        judge_node(j, &steer_catalog_get(j->catalog, STEER_POLICY, n->name)->tree, up, v);
        break;
    }
}

static void judge_node(struct judge *j, const struct steer_node *n, bool up, struct verdict *v)
{
    judge_plain(j, n, up, v);
    if (v->available)
        return;
    memset(v, 0, sizeof *v);
    if (n->when == STEER_WHEN_SERVE_ALL && !up)
        judge_plain(j, n, true, v);
    else if (n->when == STEER_WHEN_SUBSTITUTE)
        judge_node(j, n->substitute, up, v);
    else if (n->when == STEER_WHEN_SERVE_NONE)
        v->available = true;
}

struct judged {
    struct verdict v;
    bool available, served_all, exhausted;
};

static void judge_root(struct judge *j, const struct steer_node *root, struct judged *out)
{
    while (root->kind == STEER_NODE_USE && root->when == STEER_WHEN_DEFAULT)
        root = &steer_catalog_get(j->catalog, STEER_POLICY, root->name)->tree;
    memset(out, 0, sizeof *out);
    j->root_when = root->when;
    judge_plain(j, root, false, &out->v);
    out->available = out->v.available;
    if (out->available || root->when == STEER_WHEN_SERVE_NONE)
        return;
    if (root->when == STEER_WHEN_SUBSTITUTE) {
        judge_node(j, root->substitute, false, &out->v);
        out->available = out->v.available;
    }
    if (out->available)
        return;
    out->served_all = true;
    judge_node(j, root, true, &out->v);
    out->exhausted = !out->v.available;
}

// ---- random trees --------------------------------------------------------------------------------

struct maker {
    struct steer_rng rng;
    struct steer_buf json;
    int policies; // p0.. that may be used
};

static unsigned below(struct maker *m, unsigned n)
{
    return (unsigned)(steer_rng_next(&m->rng) % n);
}

static void make_node(struct maker *m, unsigned depth);

static void make_answer(struct maker *m)
{
    unsigned which = below(m, ANSWERS);
    steer_buf_printf(&m->json, "\"answer\":{\"A\":[\"198.51.100.%u\"]", which);
    if (below(m, 2))
        steer_buf_printf(&m->json, ",\"AAAA\":[\"2001:db8:f::%u\"]", which);
    steer_buf_puts(&m->json, "}");
}

static void make_leaf(struct maker *m)
{
    static const char *const endpoints[] = {"a", "b", "c", "d", "e", "f", "v4", "v6"};
    static const char *const pools[] = {"a",    "ab91", "spare",   "mixed", "spare-v4", "all3",
                                        "all2", "two",  "twoskew", "half",  "three",    "wide"};
    switch (below(m, 8)) {
    case 0:
        make_answer(m);
        break;
    case 1:
    case 2:
        if (m->policies) {
            steer_buf_printf(&m->json, "\"use\":\"p%u\"", below(m, (unsigned)m->policies));
            break;
        }
        // fall through
    case 3:
    case 4:
        steer_buf_printf(&m->json, "\"endpoint\":\"%s\"", endpoints[below(m, 8)]);
        break;
    default:
        steer_buf_printf(&m->json, "\"pool\":\"%s\"", pools[below(m, STEER_ARRAY_LEN(pools))]);
    }
}

static void make_weighted(struct maker *m, unsigned depth)
{
    static const unsigned weights[] = {0, 0, 1, 2, 7, 90, 65535};
    unsigned count = 1 + below(m, 4);
    for (unsigned i = 0; i < count; i++) {
        steer_buf_printf(&m->json, "%s{\"weight\":%u,\"to\":", i ? "," : "\"weighted\":[",
                         weights[below(m, STEER_ARRAY_LEN(weights))]);
        make_node(m, depth - 1);
        steer_buf_puts(&m->json, "}");
    }
    steer_buf_puts(&m->json, "]");
}

static void make_failover(struct maker *m, unsigned depth)
{
    unsigned count = 1 + below(m, 4);
    for (unsigned i = 0; i < count; i++) {
        steer_buf_puts(&m->json, i ? "," : "\"failover\":[");
        make_node(m, depth - 1);
    }
    steer_buf_puts(&m->json, "]");
    if (below(m, 4) == 0)
        steer_buf_puts(&m->json, ",\"trickle\":\"5%\"");
}

static void make_geo(struct maker *m, unsigned depth)
{
    static const char *const places[] = {"EU",    "EU-DE",    "EU-DE-BE", "NA",
                                         "NA-US", "NA-US-CA", "AS"};
    unsigned given = 0;
    steer_buf_puts(&m->json, "\"geo\":{\"rules\":[");
    unsigned first = below(m, 7);
    for (unsigned i = 0; i < 7; i++) {
        if (i && below(m, 2))
            continue;
        steer_buf_printf(&m->json, "%s{\"match\":\"%s\",\"to\":", given++ ? "," : "",
                         places[(first + i * 3) % 7]);
        make_node(m, depth - 1);
        steer_buf_puts(&m->json, below(m, 5) ? "}" : ",\"fence\":true}");
    }
    steer_buf_puts(&m->json, "]");
    if (below(m, 3)) {
        steer_buf_puts(&m->json, ",\"default\":");
        make_node(m, depth - 1);
    }
    steer_buf_puts(&m->json, "}");
}

static void make_network(struct maker *m, unsigned depth)
{
    static const char *const networks[] = {"192.0.0.0/16",   "192.0.2.0/24",  "192.0.2.128/25",
                                           "192.0.2.200/32", "0.0.0.0/0",     "2001:db8::/32",
                                           "AS64500",        "2001:db8::/48", "AS64501"};
    unsigned given = 0;
    const unsigned first = below(m, 9);
    steer_buf_puts(&m->json, "\"network\":{\"rules\":[");
    for (unsigned i = 0; i < 9; i++) {
        if (i && below(m, 2))
            continue;
        steer_buf_printf(&m->json, "%s{\"match\":[\"%s\"", given++ ? "," : "",
                         networks[(first + i * 2) % 9]);
        if (i < 8 && below(m, 3) == 0)
            steer_buf_printf(&m->json, ",\"%s\"", networks[(first + ++i * 2) % 9]);
        steer_buf_puts(&m->json, "],\"to\":");
        make_node(m, depth - 1);
        steer_buf_puts(&m->json, below(m, 5) ? "}" : ",\"fence\":true}");
    }
    steer_buf_puts(&m->json, "]");
    if (below(m, 3)) {
        steer_buf_puts(&m->json, ",\"default\":");
        make_node(m, depth - 1);
    }
    steer_buf_puts(&m->json, "}");
}

// Children with a name each, so that ties are settled by it.
static void make_nearest(struct maker *m)
{
    static const char *const children[] = {
        "{\"endpoint\":\"a\"}", "{\"pool\":\"b\"}", "{\"to\":{\"endpoint\":\"c\"},\"bias\":%d}",
        "{\"to\":{\"pool\":\"spare\"},\"site\":\"at-b\",\"bias\":%d}",
        "{\"to\":{\"pool\":\"three\"},\"site\":\"at-c\"}"};
    const bool among = below(m, 2);
    unsigned given = 0;
    steer_buf_puts(&m->json, among ? "\"nearest\":{\"among\":[" : "\"nearest\":[");
    for (unsigned i = 0; i < STEER_ARRAY_LEN(children); i++) {
        const char *bias = strstr(children[i], "%d");
        if (i && below(m, 3) == 0)
            continue;
        steer_buf_puts(&m->json, given++ ? "," : "");
        if (bias)
            steer_buf_printf(&m->json, "%.*s%d}", (int)(bias - children[i]), children[i],
                             (int)below(m, 199) - 99);
        else
            steer_buf_puts(&m->json, children[i]);
    }
    steer_buf_puts(&m->json, among ? "]}" : "]");
}

static void make_latency(struct maker *m)
{
    static const char *const children[] = {"{\"endpoint\":\"a\"}", "{\"pool\":\"b\"}",
                                           "{\"to\":{\"endpoint\":\"c\"}}",
                                           "{\"to\":{\"pool\":\"spare\"},\"site\":\"at-b\"}"};
    unsigned given = 0;
    steer_buf_puts(&m->json, below(m, 3) ? "\"latency\":{\"table\":\"world\",\"among\":["
                                         : "\"latency\":{\"among\":[");
    for (unsigned i = 0; i < STEER_ARRAY_LEN(children); i++)
        if (!i || below(m, 3))
            steer_buf_printf(&m->json, "%s%s", given++ ? "," : "", children[i]);
    steer_buf_puts(&m->json, "]}");
}

static void make_switch(struct maker *m, unsigned depth)
{
    steer_buf_puts(&m->json, "\"switch\":{\"name\":\"xyz\",\"positions\":{\"z\":");
    make_node(m, depth - 1);
    steer_buf_puts(&m->json, ",\"x\":");
    make_node(m, depth - 1);
    steer_buf_puts(&m->json, ",\"y\":");
    make_node(m, depth - 1);
    steer_buf_puts(&m->json, "}}");
}

static void make_options(struct maker *m, unsigned depth, bool counted, bool answer)
{
    if (counted && below(m, 6) == 0)
        steer_buf_printf(&m->json, ",\"min_available\":%s",
                         (const char *const[]){"2", "3", "\"50%\"", "\"67%\""}[below(m, 4)]);
    unsigned when = answer ? 20 : below(m, 20);
    if (when < 2)
        steer_buf_puts(&m->json, ",\"when_unavailable\":\"serve_all\"");
    else if (when == 2)
        steer_buf_puts(&m->json, ",\"when_unavailable\":\"serve_none\"");
    else if (when < 5) {
        steer_buf_puts(&m->json, ",\"when_unavailable\":");
        make_node(m, depth ? depth - 1 : 0);
    }
}

static void make_node(struct maker *m, unsigned depth)
{
    unsigned kind = depth ? below(m, 8) : 0;
    steer_buf_puts(&m->json, "{");
    size_t start = m->json.len;
    if (kind == 0)
        make_leaf(m);
    else if (kind == 1)
        make_weighted(m, depth);
    else if (kind == 2)
        make_failover(m, depth);
    else if (kind == 3)
        make_geo(m, depth);
    else if (kind == 4)
        make_network(m, depth);
    else if (kind == 5)
        make_nearest(m);
    else if (kind == 6)
        make_switch(m, depth);
    else
        make_latency(m);
    bool answer = strncmp(m->json.data + start, "\"answer\"", 8) == 0;
    make_options(m, depth, kind == 1 || kind == 2 || kind == 5 || kind == 7, answer);
    steer_buf_puts(&m->json, "}");
}

static void make_moment(struct maker *m, struct moment *moment, char lists[5][64])
{
    static const char *const endpoints[] = {"a", "b", "c", "d", "e", "f", "v4", "v6"};
    static const char *const pools[] = {"ab91", "mixed", "three", "two", "wide"};
    unsigned badness = below(m, 5); // from all well to hardly anything up
    for (int i = 0; i < 5; i++)
        lists[i][0] = '\0';
    for (size_t i = 0; i < STEER_ARRAY_LEN(endpoints); i++) {
        unsigned roll = below(m, 12);
        char *list = roll < 2 * badness      ? lists[0]
                     : roll == 10 && badness ? lists[1]
                     : roll == 11 && badness ? lists[2]
                                             : NULL;
        if (list)
            snprintf(list + strlen(list), 64 - strlen(list), "%s ", endpoints[i]);
    }
    for (size_t i = 0; i < STEER_ARRAY_LEN(pools); i++) {
        unsigned roll = below(m, 16);
        if (roll < 2)
            snprintf(lists[3 + roll] + strlen(lists[3 + roll]), 64 - strlen(lists[3 + roll]), "%s ",
                     pools[i]);
    }
    *moment = (struct moment){lists[0], lists[1], lists[2], lists[3], lists[4], 0, below(m, 3)};
}

static unsigned place_of(const struct steer_outcome *o)
{
    unsigned set = 0;
    if (o->fixed)
        return SETS + o->fixed->rdata[0][o->fixed->len[0] - 1] % ANSWERS;
    for (uint32_t i = 0; i < o->endpoint_count; i++)
        set |= bit_of(o->endpoints[i]->name);
    return set;
}

static bool agree(const struct steer_distribution *d, const struct judged *judged, bool fenced)
{
    double p[SPACE] = {0};
    for (uint32_t i = 0; i < d->count; i++) {
        unsigned at = place_of(&d->outcomes[i]);
        if (p[at] > 0 || d->outcomes[i].share.num == 0)
            return false; // equal outcomes merge, and none has share 0
        p[at] = steer_share_value(d->outcomes[i].share);
    }
    for (int i = 0; i < SPACE; i++)
        if (fabs(p[i] - judged->v.p[i]) > 1e-9)
            return false;
    return fenced || (d->available == judged->available && d->served_all == judged->served_all &&
                      d->exhausted == judged->exhausted);
}

struct asker {
    const char *place, *address;
    uint32_t asn;
    float lat, lon;
};

static void compare(struct maker *m, struct steer_residuals *store, struct steer_catalog *catalog,
                    const struct steer_object *steered, const struct asker *asker)
{
    const char *client = asker->place;
    struct steer_prefix network;
    char lists[5][64];
    struct moment moment;
    make_moment(m, &moment, lists);
    struct steer_view view = view_of(&moment);
    struct steer_location location = at_place(client);
    location.asn = asker->asn;
    location.lat = asker->lat;
    location.lon = asker->lon;
    if (asker->address)
        assert_true(steer_prefix_parse(asker->address, &network, NULL));
    struct steer_residual *root = steer_residual_resolve(
        store, catalog, steered,
        &(struct steer_client){&location, asker->address ? &network : NULL}, NULL);
    for (int family = 0; family < 2; family++) {
        struct judge judge = {.catalog = catalog,
                              .client = location.place,
                              .asn = asker->asn,
                              .has_point = !isnan(asker->lat),
                              .lat = (double)asker->lat,
                              .lon = (double)asker->lon,
                              .address = asker->address ? &network.addr : NULL,
                              .moment = &moment,
                              .type = family ? STEER_TYPE_AAAA : STEER_TYPE_A};
        struct judged *judged = calloc(1, sizeof *judged);
        struct steer_distribution d;
        judge_root(&judge, steered->steered.tree, judged);
        steer_decide(root, &view, judge.type, &d, NULL);
        if (!agree(&d, judged, judge.fenced)) {
            char text[512];
            fprintf(stderr, "%s\n", steered->json); // longer than a message of cmocka
            fail_msg("client %s down '%s' off '%s' drained '%s' pools up '%s' down '%s': %s "
                     "(available %d, judge: available %d served_all %d exhausted %d mass %f)",
                     client ? client : "unknown", lists[0], lists[1], lists[2], lists[3], lists[4],
                     distribution_text(&d, text, sizeof text), d.available, judged->available,
                     judged->served_all, judged->exhausted, mass(&judged->v));
        }
        steer_distribution_fini(&d);
        free(judged);
    }
    steer_residual_unref(store, root);
}

static void random_trees_agree_with_a_plain_evaluator(void **state)
{
    (void)state;
    static const struct asker clients[] = {
        {NULL, NULL, 0, NAN, NAN},
        {"EU", "192.0.2.1", 64500, 48.1F, 11.6F},
        {"EU-DE", "192.0.2.200", 0, 53.5F, 10},
        {"EU-DE-BE", "192.0.2.199", 64501, 52.5F, 13.4F},
        {"NA-US-CA", "2001:db8:0:7::1", 64500, 37.4F, -122},
        {"AS-JP", "2001:db8:1::1", 7, 35.7F, 139.7F},
        {"AS-JP", "203.0.113.1", 64501, 0, 0},
    };
    struct maker m = {.policies = 0};
    steer_rng_init(&m.rng, 20260131);
    for (int round = 0; round < 1500; round++) {
        struct steer_residuals *store = steer_residuals_create();
        struct steer_catalog *catalog = small_catalog();
        put(catalog, STEER_POOL, "wide",
            "{\"endpoints\":{\"a\":5,\"b\":4,\"c\":3,\"d\":3,\"e\":1,\"f\":65535,\"v4\":2,\"v6\":0}"
            ",\"pick\":3}");
        for (m.policies = 0; m.policies < 3;) {
            char name[16];
            steer_buf_clear(&m.json);
            make_node(&m, round < 500 ? 1 : 2);
            snprintf(name, sizeof name, "p%d", m.policies);
            put(catalog, STEER_POLICY, name, m.json.data);
            m.policies++;
        }
        steer_buf_clear(&m.json);
        make_node(&m, 1 + (unsigned)round / 500); // the small ones first
        const struct steer_object *steered = record(catalog, m.json.data);
        for (size_t i = 0; i < STEER_ARRAY_LEN(clients); i++)
            compare(&m, store, catalog, steered, &clients[i]);
        steer_catalog_unref(catalog);
        assert_int_equal(steer_residuals_count(store), 0);
        steer_residuals_destroy(store);
    }
    steer_buf_fini(&m.json);
}

static void same_distribution(const struct steer_distribution *a,
                              const struct steer_distribution *b)
{
    assert_int_equal(a->available, b->available);
    assert_int_equal(a->served_all, b->served_all);
    assert_int_equal(a->exhausted, b->exhausted);
    assert_int_equal(a->count, b->count);
    for (uint32_t i = 0; i < a->count; i++) {
        const struct steer_outcome *x = &a->outcomes[i];
        const struct steer_outcome *y = &b->outcomes[i];
        assert_true(x->share.num == y->share.num && x->share.den == y->share.den);
        assert_int_equal(x->ttl_cap_s, y->ttl_cap_s);
        assert_int_equal(x->endpoint_count, y->endpoint_count);
        for (uint32_t k = 0; k < x->endpoint_count; k++)
            assert_ptr_equal(x->endpoints[k], y->endpoints[k]);
        assert_true(!x->fixed == !y->fixed);
        if (x->fixed)
            assert_memory_equal(x->fixed->rdata[0], y->fixed->rdata[0], x->fixed->len[0]);
    }
}

// What a decider remembers of one root must not show in another: fences ask the root what to do, and the
// roots of a round share their policies.
static void a_decider_says_of_each_root_what_steer_decide_says(void **state)
{
    (void)state;
    enum { ROOTS = 24 };
    struct maker m = {.policies = 0};
    steer_rng_init(&m.rng, 7);
    struct steer_decider *decider = steer_decider_create(STEER_TYPE_A, false);
    for (int round = 0; round < 150; round++) {
        struct steer_residuals *store = steer_residuals_create();
        struct steer_catalog *catalog = small_catalog();
        struct steer_residual *roots[ROOTS];
        put(catalog, STEER_POOL, "wide", "{\"endpoints\":{\"a\":5,\"b\":4,\"f\":9},\"pick\":2}");
        for (m.policies = 0; m.policies < 3; m.policies++) {
            char name[16];
            steer_buf_clear(&m.json);
            make_node(&m, 2);
            snprintf(name, sizeof name, "p%d", m.policies);
            put(catalog, STEER_POLICY, name, m.json.data);
        }
        for (size_t i = 0; i < ROOTS; i++) {
            const struct steer_location client = at_place(i % 2 ? "EU-DE" : "AS-JP");
            steer_buf_clear(&m.json);
            make_node(&m, 1 + (unsigned)i % 3);
            const struct steer_object *steered = record(catalog, m.json.data);
            roots[i] = steer_residual_resolve(store, catalog, steered,
                                              &(struct steer_client){.location = &client}, NULL);
        }
        for (int moments = 0; moments < 4; moments++) {
            char lists[5][64];
            struct moment moment;
            make_moment(&m, &moment, lists);
            const struct steer_view view = view_of(&moment);
            for (size_t i = 0; i < ROOTS; i++) {
                struct steer_distribution d;
                steer_decide(roots[i], &view, STEER_TYPE_A, &d, NULL);
                same_distribution(&d, steer_decider_run(decider, roots[i], &view));
                steer_distribution_fini(&d);
            }
            steer_decider_forget(decider);
        }
        for (size_t i = 0; i < ROOTS; i++)
            steer_residual_unref(store, roots[i]);
        steer_catalog_unref(catalog);
        steer_residuals_destroy(store);
    }
    steer_decider_destroy(decider);
    steer_buf_fini(&m.json);
}

static void a_decider_asks_once_for_what_roots_share(void **state)
{
    (void)state;
    struct steer_catalog *catalog = small_catalog();
    struct steer_residuals *store = steer_residuals_create();
    struct steer_decider *decider = steer_decider_create(STEER_TYPE_A, false);
    struct moment moment = {0};
    const struct steer_view view = view_of(&moment);
    const struct steer_location nowhere = at_place(NULL);
    static const char *const trees[] = {"{\"failover\":[{\"pool\":\"ab91\"},{\"pool\":\"c\"}]}",
                                        "{\"weighted\":[{\"weight\":1,\"to\":{\"pool\":\"ab91\"}},"
                                        "{\"weight\":2,\"to\":{\"endpoint\":\"a\"}}]}"};
    struct steer_residual *roots[2];
    uint32_t *note = NULL;
    for (size_t i = 0; i < 2; i++) {
        roots[i] = steer_residual_resolve(store, catalog, record(catalog, trees[i]),
                                          &(struct steer_client){.location = &nowhere}, NULL);
        const struct steer_distribution *d = steer_decider_run(decider, roots[i], &view);
        assert_int_equal(moment.asked, 2); // a and b, once
        assert_string_equal(d->outcomes[0].endpoints[0]->name, "a");
        assert_true(!note || note == d->outcomes[0].note);
        note = d->outcomes[0].note;
    }
    steer_decider_forget(decider);
    steer_decider_run(decider, roots[0], &view);
    assert_int_equal(moment.asked, 4);
    steer_decider_destroy(decider);
    for (size_t i = 0; i < 2; i++)
        steer_residual_unref(store, roots[i]);
    steer_catalog_unref(catalog);
    steer_residuals_destroy(store);
}

// ---- rendering and visiting ----------------------------------------------------------------------

static void outcomes_render_as_records(void **state)
{
    (void)state;
    static const uint8_t two_a[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 1,
                                    0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 2};
    static const uint8_t cname[] = {0xc0, 12,  0,   5,   0,   1,   0,   0,   0,
                                    0,    0,   15,  1,   'a', 7,   'e', 'x', 'a',
                                    'm',  'p', 'l', 'e', 3,   'n', 'e', 't', 0};
    struct scene s = {.catalog = small_catalog()};
    put(s.catalog, STEER_ENDPOINT, "twin", "{\"ipv4\":\"192.0.2.1\"}");
    put(s.catalog, STEER_POOL, "twins", "{\"endpoints\":[\"a\",\"b\",\"twin\"],\"pick\":\"all\"}");
    play(&s, "{\"pool\":\"twins\"}", NULL, STEER_TYPE_A);
    struct steer_buf out = {0};
    assert_int_equal(s.d.outcomes[0].endpoint_count, 3);
    assert_int_equal(steer_outcome_render(&s.d.outcomes[0], STEER_TYPE_A, &out), 2);
    assert_int_equal(out.len, sizeof two_a);
    assert_memory_equal(out.data, two_a, sizeof two_a);
    steer_buf_clear(&out);
    assert_int_equal(steer_outcome_render(&s.d.outcomes[0], STEER_TYPE_CNAME, &out), 1);
    assert_int_equal(out.len, sizeof cname);
    assert_memory_equal(out.data, cname, sizeof cname);
    end(&s);

    s = (struct scene){0};
    play(&s, "{\"answer\":{\"AAAA\":[\"2001:db8::1\",\"2001:db8::2\"]}}", NULL, STEER_TYPE_AAAA);
    steer_buf_clear(&out);
    assert_int_equal(steer_outcome_render(&s.d.outcomes[0], STEER_TYPE_AAAA, &out), 2);
    assert_int_equal(out.len, 2 * 28);
    assert_int_equal((uint8_t)out.data[3], STEER_TYPE_AAAA);
    assert_int_equal((uint8_t)out.data[27], 1);
    assert_int_equal((uint8_t)out.data[55], 2);
    end(&s);
    steer_buf_fini(&out);
}

static void collect(void *ctx, const struct steer_object *object)
{
    steer_map_put(ctx, object->name, (uint32_t)object->kind);
}

static void everything_an_outcome_depends_on_is_visited(void **state)
{
    (void)state;
    struct scene s = {0};
    play(&s,
         "{\"failover\":[{\"pool\":\"ab91\"},{\"endpoint\":\"c\",\"when_unavailable\":{"
         "\"endpoint\":\"d\"}}]}",
         NULL, STEER_TYPE_A);
    struct steer_map seen = {0};
    steer_residual_visit(s.root, collect, &seen);
    static const char *const names[] = {"ab91", "a", "b", "c", "d"};
    for (size_t i = 0; i < STEER_ARRAY_LEN(names); i++)
        assert_true(steer_map_get(&seen, names[i], NULL));
    assert_int_equal(seen.used, STEER_ARRAY_LEN(names));
    steer_map_fini(&seen);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sentence_of_the_model_holds),
        cmocka_unit_test(flags_say_how_it_came_about),
        cmocka_unit_test(the_ttl_cap_is_the_least_of_the_endpoints),
        cmocka_unit_test(a_shared_policy_is_evaluated_once),
        cmocka_unit_test(the_trace_says_why),
        cmocka_unit_test(the_trace_shows_what_was_not_reached_and_what_was_served),
        cmocka_unit_test(shares_are_exact_while_they_fit),
        cmocka_unit_test(a_running_sum_is_as_exact_as_a_reduced_one),
        cmocka_unit_test(picking_n_of_m_gives_exact_inclusion_shares),
        cmocka_unit_test(random_trees_agree_with_a_plain_evaluator),
        cmocka_unit_test(a_decider_says_of_each_root_what_steer_decide_says),
        cmocka_unit_test(a_decider_asks_once_for_what_roots_share),
        cmocka_unit_test(outcomes_render_as_records),
        cmocka_unit_test(everything_an_outcome_depends_on_is_visited),
    };
    return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
