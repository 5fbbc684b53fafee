// SPDX-License-Identifier: GPL-3.0-or-later
// What is known of endpoints: verdicts follow the catalogue, overrides rule over them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/control/vitals.h"

struct fixture {
    struct steer_vitals *vitals;
    struct steer_catalog *catalog;
    struct steer_vitals_view view;
    unsigned puts, gone;
    uint64_t last_gone;
};

static int setup(void **state)
{
    struct fixture *f = steer_calloc(1, sizeof *f);
    f->vitals = steer_vitals_create();
    f->catalog = steer_catalog_create();
    steer_vitals_view_init(&f->view, f->vitals, f->catalog);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    steer_vitals_destroy(f->vitals);
    steer_catalog_unref(f->catalog);
    free(f);
    return 0;
}

static const struct steer_object *put(struct fixture *f, enum steer_kind kind, const char *name,
                                      const char *json)
{
    struct steer_object *object;
    struct steer_diag diag;
    if (steer_object_from_json(kind, name, "test", json, NULL, &object, &diag) != STEER_OK)
        fail_msg("%s", diag.message);
    steer_catalog_put(f->catalog, object);
    steer_object_unref(object);
    return steer_catalog_get(f->catalog, kind, name);
}

static void on_put(void *ctx, const struct steer_vital *vital, const struct steer_object *endpoint,
                   const struct steer_object *check)
{
    struct fixture *f = ctx;
    assert_string_equal(vital->endpoint, endpoint->name);
    assert_string_equal(vital->check, check->name);
    f->puts++;
}

static void on_gone(void *ctx, uint64_t key)
{
    struct fixture *f = ctx;
    f->last_gone = key;
    f->gone++;
}

// Returns how many pairs were put, and how many went in tens.
static unsigned follow(struct fixture *f)
{
    f->puts = f->gone = 0;
    steer_vitals_follow(f->vitals, f->catalog, on_put, on_gone, f);
    return f->puts + 10 * f->gone;
}

static void observe(struct fixture *f, const char *endpoint, const char *check, bool pass,
                    int times)
{
    struct steer_vital *v = steer_vitals_find(f->vitals, endpoint, check);
    assert_non_null(v);
    while (times--)
        steer_verdict_observe(&v->state, &v->hysteresis, pass, pass ? "status 200" : "refused",
                              1000);
}

static void override(struct fixture *f, const char *kind, const char *target,
                     enum steer_forced state)
{
    char texts[4][32];
    snprintf(texts[0], 32, "%s", kind);
    snprintf(texts[1], 32, "%s", target);
    snprintf(texts[2], 32, "maintenance");
    snprintf(texts[3], 32, "ops");
    const struct steer_override o = {texts[0], texts[1], texts[2], texts[3], state, 5, 0};
    steer_vitals_override(f->vitals, &o);
}

#define TCP "{\"type\":\"tcp\",\"port\":80,\"rise\":1,\"fall\":1}"

// a is checked by c and d, b by c alone.
static void put_pairs(struct fixture *f)
{
    put(f, STEER_CHECK, "c", TCP);
    put(f, STEER_CHECK, "d", TCP);
    put(f, STEER_SITE, "fra", "{\"at\":\"EU-DE\"}");
    put(f, STEER_ENDPOINT, "a",
        "{\"ipv4\":\"192.0.2.1\",\"checks\":[\"c\",\"d\"],\"site\":\"fra\"}");
    put(f, STEER_ENDPOINT, "b", "{\"ipv4\":\"192.0.2.2\",\"check\":\"c\"}");
}

static void pairs_come_and_go_with_the_catalogue(void **state)
{
    struct fixture *f = *state;
    put_pairs(f);
    assert_int_equal(follow(f), 3);
    assert_int_equal(follow(f), 0);
    put(f, STEER_CHECK, "c", "{\"type\":\"tcp\",\"port\":81}"); // two pairs have it
    assert_int_equal(follow(f), 2);
    put(f, STEER_ENDPOINT, "b", "{\"ipv4\":\"192.0.2.3\",\"check\":\"c\"}");
    assert_int_equal(follow(f), 1);
    uint64_t key = steer_vitals_find(f->vitals, "a", "d")->key;
    put(f, STEER_ENDPOINT, "a", "{\"ipv4\":\"192.0.2.1\",\"check\":\"c\"}");
    assert_int_equal(follow(f), 11);
    assert_int_equal(f->last_gone, key);
    assert_null(steer_vitals_by_key(f->vitals, key));
    assert_null(steer_vitals_find(f->vitals, "a", "d"));
    steer_catalog_remove(f->catalog, STEER_ENDPOINT, "a");
    steer_catalog_remove(f->catalog, STEER_ENDPOINT, "b");
    assert_int_equal(follow(f), 20);
}

static void a_pair_that_comes_back_is_a_new_one(void **state)
{
    struct fixture *f = *state;
    put_pairs(f);
    follow(f);
    observe(f, "b", "c", false, 1);
    uint64_t key = steer_vitals_find(f->vitals, "b", "c")->key;
    steer_catalog_remove(f->catalog, STEER_ENDPOINT, "b");
    follow(f);
    put_pairs(f);
    follow(f);
    struct steer_vital *v = steer_vitals_find(f->vitals, "b", "c");
    assert_int_not_equal(v->key, key);
    assert_int_equal(v->state.verdict, STEER_UNKNOWN);
    assert_ptr_equal(steer_vitals_by_key(f->vitals, v->key), v);
}

static void a_verdict_stays_when_the_check_or_the_address_changes(void **state)
{
    struct fixture *f = *state;
    put_pairs(f);
    follow(f);
    observe(f, "b", "c", false, 1);
    put(f, STEER_CHECK, "c", "{\"type\":\"tcp\",\"port\":81,\"rise\":3}");
    put(f, STEER_ENDPOINT, "b", "{\"ipv4\":\"192.0.2.9\",\"check\":\"c\"}");
    follow(f);
    assert_string_equal(
        steer_vitals_state(&f->view, steer_catalog_get(f->catalog, STEER_ENDPOINT, "b")), "down");
    observe(f, "b", "c", true, 2);
    assert_int_equal(steer_vitals_find(f->vitals, "b", "c")->state.verdict, STEER_DOWN);
    observe(f, "b", "c", true, 1);
    assert_int_equal(steer_vitals_find(f->vitals, "b", "c")->state.verdict, STEER_UP);
}

static void pairs_that_were_followed_unheard_are_put_later(void **state)
{
    struct fixture *f = *state; // as at the start, before there is a prober
    put_pairs(f);
    steer_vitals_follow(f->vitals, f->catalog, NULL, NULL, NULL);
    assert_int_equal(follow(f), 3);
    // Back to what was heard last, by way of something unheard.
    struct steer_catalog *heard = steer_catalog_clone(f->catalog);
    steer_catalog_remove(f->catalog, STEER_ENDPOINT, "b");
    steer_vitals_follow(f->vitals, f->catalog, NULL, NULL, NULL);
    assert_null(steer_vitals_find(f->vitals, "b", "c"));
    steer_catalog_unref(f->catalog);
    f->catalog = heard;
    assert_int_equal(follow(f), 1);
    put(f, STEER_SITE, "ams", "{\"at\":\"EU-NL\"}"); // nothing of theirs
    assert_int_equal(follow(f), 0);
    assert_non_null(steer_vitals_find(f->vitals, "b", "c"));
}

static void many_pairs_keep_their_own_verdicts(void **state)
{
    struct fixture *f = *state;
    char name[16];
    put(f, STEER_CHECK, "c", TCP);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 300; i++) {
            snprintf(name, sizeof name, "e%d", i);
            if ((i + round) % 3)
                put(f, STEER_ENDPOINT, name, "{\"ipv4\":\"192.0.2.1\",\"check\":\"c\"}");
            else
                steer_catalog_remove(f->catalog, STEER_ENDPOINT, name);
        }
        follow(f);
        for (int i = 0; i < 300; i++) {
            snprintf(name, sizeof name, "e%d", i);
            struct steer_vital *v = steer_vitals_find(f->vitals, name, "c");
            assert_int_equal(v != NULL, (i + round) % 3 != 0);
            if (v && v->state.verdict == STEER_UNKNOWN)
                observe(f, name, "c", i % 2, 1);
            if (v)
                assert_int_equal(v->state.verdict, i % 2 ? STEER_UP : STEER_DOWN);
        }
    }
}

// ---- the view ------------------------------------------------------------------------------------

static enum steer_availability ask(struct fixture *f, const char *name, bool as_up)
{
    return f->view.view.endpoint(f->view.view.ctx,
                                 steer_catalog_get(f->catalog, STEER_ENDPOINT, name), as_up, NULL);
}

static void all_checks_are_needed_unless_any_will_do(void **state)
{
    struct fixture *f = *state;
    put_pairs(f);
    follow(f);
    assert_int_equal(ask(f, "a", false), STEER_AVAILABLE); // initially up
    observe(f, "a", "c", true, 1);
    observe(f, "a", "d", false, 1);
    assert_int_equal(ask(f, "a", false), STEER_UNAVAILABLE);
    assert_int_equal(ask(f, "a", true), STEER_AVAILABLE);
    put(f, STEER_ENDPOINT, "a",
        "{\"ipv4\":\"192.0.2.1\",\"checks\":[\"c\",\"d\"],\"require\":\"any\"}");
    assert_int_equal(ask(f, "a", false), STEER_AVAILABLE);
    observe(f, "a", "c", false, 1);
    assert_int_equal(ask(f, "a", false), STEER_UNAVAILABLE);
}

// Before the first verdict the check says what holds, as the catalogue of the view has it.
static void before_the_first_verdict_the_check_says(void **state)
{
    struct fixture *f = *state;
    put_pairs(f);
    const struct steer_object *b = steer_catalog_get(f->catalog, STEER_ENDPOINT, "b");
    assert_int_equal(ask(f, "b", false), STEER_AVAILABLE); // not followed yet
    follow(f);
    assert_string_equal(steer_vitals_state(&f->view, b), "unknown");
    put(f, STEER_CHECK, "c", "{\"type\":\"tcp\",\"port\":80,\"initially\":\"down\"}");
    assert_int_equal(ask(f, "b", false), STEER_UNAVAILABLE); // before vitals hear of it
    follow(f);
    assert_int_equal(ask(f, "b", false), STEER_UNAVAILABLE);
    observe(f, "b", "c", true, 2);
    assert_int_equal(ask(f, "b", false), STEER_AVAILABLE);
}

static void overrides_rule_by_rank(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum steer_forced check, site, endpoint;
        enum steer_availability plain, as_up;
    } rows[] = {
        {STEER_FORCED_NOT, STEER_FORCED_NOT, STEER_FORCED_NOT, STEER_UNAVAILABLE, STEER_AVAILABLE},
        {STEER_FORCED_UP, STEER_FORCED_NOT, STEER_FORCED_NOT, STEER_AVAILABLE, STEER_AVAILABLE},
        {STEER_FORCED_DOWN, STEER_FORCED_NOT, STEER_FORCED_NOT, STEER_UNAVAILABLE,
         STEER_UNAVAILABLE},
        {STEER_FORCED_UP, STEER_FORCED_DOWN, STEER_FORCED_NOT, STEER_UNAVAILABLE,
         STEER_UNAVAILABLE},
        {STEER_FORCED_DOWN, STEER_FORCED_UP, STEER_FORCED_NOT, STEER_AVAILABLE, STEER_AVAILABLE},
        {STEER_FORCED_NOT, STEER_FORCED_DRAINED, STEER_FORCED_NOT, STEER_DRAINED, STEER_DRAINED},
        {STEER_FORCED_NOT, STEER_FORCED_DRAINED, STEER_FORCED_UP, STEER_AVAILABLE, STEER_AVAILABLE},
        {STEER_FORCED_NOT, STEER_FORCED_UP, STEER_FORCED_DOWN, STEER_UNAVAILABLE,
         STEER_UNAVAILABLE},
        {STEER_FORCED_NOT, STEER_FORCED_NOT, STEER_FORCED_DRAINED, STEER_DRAINED, STEER_DRAINED},
    };
    static const char *const kinds[] = {"check", "site", "endpoint"};
    static const char *const targets[] = {"d", "fra", "a"};
    put_pairs(f);
    follow(f);
    observe(f, "a", "c", true, 1);
    observe(f, "a", "d", false, 1);
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        const enum steer_forced states[] = {rows[i].check, rows[i].site, rows[i].endpoint};
        for (int k = 0; k < 3; k++) {
            steer_vitals_clear_override(f->vitals, kinds[k], targets[k]);
            if (states[k] != STEER_FORCED_NOT)
                override(f, kinds[k], targets[k], states[k]);
        }
        assert_int_equal(ask(f, "a", false), rows[i].plain);
        assert_int_equal(ask(f, "a", true), rows[i].as_up);
    }
}

static void reasons_are_given_on_request(void **state)
{
    struct fixture *f = *state;
    put_pairs(f);
    follow(f);
    observe(f, "a", "d", false, 1);
    override(f, "site", "fra", STEER_FORCED_DRAINED);
    json_t *why = json_object();
    f->view.view.endpoint(f->view.view.ctx, steer_catalog_get(f->catalog, STEER_ENDPOINT, "a"),
                          false, why);
    json_t *checks = json_object_get(why, "checks");
    assert_int_equal(json_array_size(checks), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(checks, 0), "reason")),
                        "no verdict yet");
    assert_string_equal(json_string_value(json_object_get(json_array_get(checks, 1), "verdict")),
                        "down");
    assert_string_equal(json_string_value(json_object_get(json_array_get(checks, 1), "reason")),
                        "refused");
    json_t *o = json_object_get(why, "override");
    assert_string_equal(json_string_value(json_object_get(o, "state")), "drained");
    assert_string_equal(json_string_value(json_object_get(o, "reason")), "maintenance");
    json_decref(why);
    const struct steer_object *a = steer_catalog_get(f->catalog, STEER_ENDPOINT, "a");
    assert_string_equal(steer_vitals_state(&f->view, a), "drained");
}

static void a_pools_override_is_its_own(void **state)
{
    struct fixture *f = *state;
    put_pairs(f);
    const struct steer_object *pool = put(f, STEER_POOL, "a", "{\"endpoints\":{\"a\":1}}");
    override(f, "endpoint", "a", STEER_FORCED_DOWN);
    assert_int_equal(f->view.view.pool(f->view.view.ctx, pool, NULL), STEER_FORCED_NOT);
    override(f, "pool", "a", STEER_FORCED_UP);
    assert_int_equal(f->view.view.pool(f->view.view.ctx, pool, NULL), STEER_FORCED_UP);
    assert_int_equal(ask(f, "a", false), STEER_UNAVAILABLE);
}

static void overrides_are_set_replaced_and_cleared_in_any_order(void **state)
{
    struct fixture *f = *state;
    char name[16];
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "e%d", i);
        override(f, "endpoint", name, STEER_FORCED_DOWN);
        override(f, "endpoint", name, i % 2 ? STEER_FORCED_UP : STEER_FORCED_DRAINED);
    }
    assert_int_equal(steer_vitals_override_count(f->vitals), 50);
    for (int i = 0; i < 50; i += 3) {
        snprintf(name, sizeof name, "e%d", i);
        assert_true(steer_vitals_clear_override(f->vitals, "endpoint", name));
        assert_false(steer_vitals_clear_override(f->vitals, "endpoint", name));
        assert_false(steer_vitals_clear_override(f->vitals, "pool", name));
    }
    assert_int_equal(steer_vitals_override_count(f->vitals), 33);
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "e%d", i);
        const struct steer_override *o = steer_vitals_get_override(f->vitals, "endpoint", name);
        assert_int_equal(o != NULL, i % 3 != 0);
        if (!o)
            continue;
        assert_string_equal(o->target, name);
        assert_int_equal(o->state, i % 2 ? STEER_FORCED_UP : STEER_FORCED_DRAINED);
    }
}

static void states_are_read_as_they_are_written(void **state)
{
    (void)state;
    static const char *const texts[] = {"up", "down", "drained"};
    enum steer_forced forced;
    for (size_t i = 0; i < STEER_ARRAY_LEN(texts); i++) {
        assert_true(steer_forced_parse(texts[i], &forced));
        assert_string_equal(steer_forced_text(forced), texts[i]);
    }
    assert_false(steer_forced_parse("none", &forced));
    assert_false(steer_forced_parse("", &forced));
    assert_false(steer_forced_parse("UP", &forced));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(pairs_come_and_go_with_the_catalogue),
        TEST(a_pair_that_comes_back_is_a_new_one),
        TEST(a_verdict_stays_when_the_check_or_the_address_changes),
        TEST(pairs_that_were_followed_unheard_are_put_later),
        TEST(many_pairs_keep_their_own_verdicts),
        TEST(all_checks_are_needed_unless_any_will_do),
        TEST(before_the_first_verdict_the_check_says),
        TEST(overrides_rule_by_rank),
        TEST(reasons_are_given_on_request),
        TEST(a_pools_override_is_its_own),
        TEST(overrides_are_set_replaced_and_cleared_in_any_order),
        TEST(states_are_read_as_they_are_written),
    };
    return cmocka_run_group_tests_name("control/vitals", tests, NULL, NULL);
}
