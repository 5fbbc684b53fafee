// SPDX-License-Identifier: GPL-3.0-or-later
// Overrides for some clients: what a client gets is what all would get if the overrides that hold for it were for all.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/control/vitals.h"
#include "steerd/policy/hypothesis.h"
#include "steerd/wire/message.h"

enum { SITES = 3, CHECKS = 2, ENDPOINTS = 6, POOLS = 3, REHEARSALS = 6 };

static const char *const networks[] = {"0.0.0.0/0",       "10.0.0.0/8",      "10.1.0.0/16",
                                       "10.1.1.0/24",     "10.1.1.64/26",    "10.1.1.65/32",
                                       "10.1.2.0/24",     "198.51.100.0/24", "2001:db8::/32",
                                       "2001:db8:1::/48", "2001:db8:2::/47"};
static const char *const clients[] = {
    "9.0.0.1",  "10.0.0.1",       "10.1.0.1",    "10.1.1.1",      "10.1.1.64",     "10.1.1.65",
    "10.1.2.9", "198.51.100.200", "2001:db8::1", "2001:db8:1::1", "2001:db8:3::1", "2001:db9::1"};

// ---- a random world ------------------------------------------------------------------------------

static uint32_t below(struct steer_rng *rng, uint32_t n)
{
    return (uint32_t)(steer_rng_next(rng) % n);
}

static void put(struct steer_catalog *catalog, enum steer_kind kind, const char *name,
                const char *json)
{
    struct steer_object *object;
    struct steer_diag diag = {0};
    struct steer_name zone;
    assert_int_equal(steer_name_parse("example.com.", NULL, &zone, NULL), STEER_OK);
    if (steer_object_from_json(kind, name, "test", json, kind == STEER_STEERED ? &zone : NULL,
                               &object, &diag) != STEER_OK)
        fail_msg("%s %s: %s", name, json, diag.message);
    steer_catalog_put(catalog, object);
    steer_object_unref(object);
}

static void put_endpoints(struct steer_catalog *catalog, struct steer_rng *rng)
{
    static const char *const checks[] = {"", ",\"checks\":[\"c0\"]", ",\"checks\":[\"c1\"]",
                                         ",\"checks\":[\"c0\",\"c1\"]"};
    char name[16], json[256], site[32];
    for (int i = 0; i < SITES; i++) {
        snprintf(name, sizeof name, "s%d", i);
        put(catalog, STEER_SITE, name, "{\"at\":\"EU-DE\"}");
    }
    put(catalog, STEER_CHECK, "c0", "{\"type\":\"tcp\",\"port\":80,\"rise\":1,\"fall\":1}");
    put(catalog, STEER_CHECK, "c1", "{\"type\":\"tcp\",\"port\":81,\"rise\":1,\"fall\":1}");
    for (int i = 0; i < ENDPOINTS; i++) {
        snprintf(name, sizeof name, "e%d", i);
        snprintf(site, sizeof site, ",\"site\":\"s%u\"", below(rng, SITES));
        snprintf(json, sizeof json, "{\"ipv4\":\"192.0.2.%d\"%s%s}", i + 1,
                 below(rng, 4) ? site : "", checks[below(rng, 4)]);
        put(catalog, STEER_ENDPOINT, name, json);
    }
    for (int i = 0; i < POOLS; i++) {
        static const char *const picks[] = {"", ",\"pick\":\"all\"", ",\"min_available\":2"};
        snprintf(name, sizeof name, "p%d", i);
        snprintf(json, sizeof json, "{\"endpoints\":{\"e%d\":%u,\"e%d\":%u,\"e%d\":3}%s}", i,
                 below(rng, 3), i + 1, 1 + below(rng, 9), i + 2, picks[below(rng, 3)]);
        put(catalog, STEER_POOL, name, json);
    }
}

static void random_tree(struct steer_rng *rng, unsigned depth, struct steer_buf *out)
{
    const uint32_t kind = depth ? below(rng, 5) : below(rng, 2);
    if (kind == 0) {
        steer_buf_printf(out, "{\"endpoint\":\"e%u\"}", below(rng, ENDPOINTS));
    } else if (kind == 1) {
        steer_buf_printf(out, "{\"pool\":\"p%u\"}", below(rng, POOLS));
    } else if (kind < 4) {
        steer_buf_puts(out, "{\"failover\":[");
        random_tree(rng, depth - 1, out);
        steer_buf_puts(out, ",");
        random_tree(rng, depth - 1, out);
        steer_buf_puts(out, "]");
        if (kind == 3) {
            steer_buf_puts(out, ",\"when_unavailable\":");
            random_tree(rng, depth - 1, out);
        }
        steer_buf_puts(out, "}");
    } else {
        steer_buf_puts(out, "{\"weighted\":[{\"weight\":1,\"to\":");
        random_tree(rng, depth - 1, out);
        steer_buf_printf(out, "},{\"weight\":%u,\"to\":", below(rng, 4));
        random_tree(rng, depth - 1, out);
        steer_buf_puts(out, "}]}");
    }
}

static const struct steer_object *put_record(struct steer_catalog *catalog, struct steer_rng *rng)
{
    struct steer_buf json = {0};
    steer_buf_puts(&json, "{\"kind\":\"address\",\"ttl\":30,\"allow_negative\":true,\"steer\":");
    random_tree(rng, 3, &json);
    steer_buf_puts(&json, "}");
    put(catalog, STEER_STEERED, "api.example.com. address", json.data);
    steer_buf_fini(&json);
    return steer_catalog_get(catalog, STEER_STEERED, "api.example.com. address");
}

static enum steer_kind random_target(struct steer_rng *rng, char name[16])
{
    static const struct {
        enum steer_kind kind;
        char letter;
        uint32_t count;
    } targets[] = {{STEER_SITE, 's', SITES},
                   {STEER_CHECK, 'c', CHECKS},
                   {STEER_ENDPOINT, 'e', ENDPOINTS},
                   {STEER_POOL, 'p', POOLS}};
    const uint32_t t = below(rng, STEER_ARRAY_LEN(targets));
    snprintf(name, 16, "%c%u", targets[t].letter, below(rng, targets[t].count));
    return targets[t].kind;
}

static enum steer_forced random_state(struct steer_rng *rng)
{
    return (enum steer_forced)(STEER_FORCED_UP + below(rng, 3));
}

// Those that clash are left out.
static struct steer_rehearsals *random_rehearsals(struct steer_rng *rng)
{
    struct steer_rehearsals *set = NULL, *with;
    for (int i = 0; i < REHEARSALS; i++) {
        struct steer_buf text = {0};
        struct steer_clients whose;
        char name[16];
        const uint32_t count = 1 + below(rng, 3);
        for (uint32_t k = 0; k < count; k++)
            steer_buf_printf(&text, "%s%s", k ? "," : "",
                             networks[below(rng, STEER_ARRAY_LEN(networks))]);
        assert_int_equal(steer_clients_parse(text.data, &whose, NULL), STEER_OK);
        steer_buf_fini(&text);
        struct steer_rehearsal r = {.target = name, .reason = "r", .owner = "", .clients = &whose};
        r.kind = random_target(rng, name);
        r.state = random_state(rng);
        if (steer_rehearsals_with(set, &r, &with, NULL) != STEER_OK)
            continue;
        steer_rehearsals_unref(set);
        set = with;
    }
    return set;
}

// ---- a random moment -----------------------------------------------------------------------------

static void force(struct steer_vitals *vitals, enum steer_kind kind, const char *name,
                  enum steer_forced state)
{
    char kind_text[16], target[16], reason[] = "r", owner[] = "";
    snprintf(kind_text, sizeof kind_text, "%s", steer_kind_text(kind));
    snprintf(target, sizeof target, "%s", name);
    steer_vitals_override(vitals,
                          &(struct steer_override){kind_text, target, reason, owner, state, 0, 0});
}

static struct steer_vitals *random_vitals(struct steer_rng *rng,
                                          const struct steer_catalog *catalog)
{
    struct steer_vitals *vitals = steer_vitals_create();
    char name[16];
    steer_vitals_follow(vitals, catalog, NULL, NULL, NULL);
    for (int e = 0; e < ENDPOINTS; e++) {
        for (int c = 0; c < CHECKS; c++) {
            char endpoint[16], check[16];
            snprintf(endpoint, sizeof endpoint, "e%d", e);
            snprintf(check, sizeof check, "c%d", c);
            struct steer_vital *vital = steer_vitals_find(vitals, endpoint, check);
            if (vital && below(rng, 2))
                steer_verdict_restore(&vital->state, below(rng, 3) ? STEER_UP : STEER_DOWN, 1, "");
        }
    }
    for (uint32_t i = below(rng, 4); i > 0; i--) {
        const enum steer_kind kind = random_target(rng, name);
        force(vitals, kind, name, random_state(rng));
    }
    return vitals;
}

// The overrides that hold for the client, found without any index, in the place of those for all.
static void force_for(struct steer_vitals *vitals, const struct steer_rehearsals *set,
                      const struct steer_addr *client)
{
    for (size_t i = 0; i < steer_rehearsals_count(set); i++) {
        const struct steer_rehearsal *r = steer_rehearsals_at(set, i), *longest = NULL;
        int length = -1;
        for (size_t k = 0; k < steer_rehearsals_count(set); k++) {
            const struct steer_rehearsal *other = steer_rehearsals_at(set, k);
            if (other->kind != r->kind || strcmp(other->target, r->target) != 0)
                continue;
            for (uint32_t n = 0; n < other->clients->count; n++) {
                const struct steer_prefix *p = &other->clients->prefixes[n];
                if (p->len <= length || !steer_prefix_contains(p, client))
                    continue;
                longest = other;
                length = p->len;
            }
        }
        if (longest)
            force(vitals, longest->kind, longest->target, longest->state);
    }
}

// ---- comparing -----------------------------------------------------------------------------------

static void describe(const struct steer_distribution *d, struct steer_buf *out)
{
    steer_buf_clear(out);
    steer_buf_printf(out, "%d%d%d", d->available, d->served_all, d->exhausted);
    for (uint32_t i = 0; i < d->count; i++) {
        const struct steer_outcome *o = &d->outcomes[i];
        steer_buf_printf(out, " %llu/%llu", (unsigned long long)o->share.num,
                         (unsigned long long)o->share.den);
        for (uint32_t e = 0; e < o->endpoint_count; e++)
            steer_buf_printf(out, ":%s", o->endpoints[e]->name);
    }
    for (unsigned i = 0; d->slots && i < STEER_SLOTS; i++)
        steer_buf_printf(out, "%x", d->slots[i]);
}

struct bed {
    struct steer_catalog *with, *without;
    const struct steer_object *record;
    struct steer_residuals *store;
    struct steer_vitals *now;
    struct steer_vitals_view view;
    struct steer_decider *decider;
    struct steer_buf got, wanted;
    unsigned felt;
};

static void check_text(const struct bed *b, const char *client, const char *what)
{
    if (strcmp(b->got.data, b->wanted.data) != 0)
        fail_msg("%s, %s: got %s, wanted %s\n%s", client, what, b->got.data, b->wanted.data,
                 b->record->json);
}

// then: the moment in which what holds for the client holds for all.
static void check_client(struct bed *b, const char *client, const struct steer_residual *root,
                         const struct steer_residual *plain, const struct steer_vitals *then,
                         const char *down)
{
    struct steer_vitals_view all;
    struct steer_distribution got, wanted;
    struct steer_hypothesis here, there;
    const struct steer_down lost = {STEER_SITE, down};
    steer_vitals_view_init(&all, then, b->without);
    for (int sticky = 0; sticky < 2; sticky++) {
        (sticky ? steer_decide_sticky : steer_decide)(root, &b->view.view, STEER_TYPE_A, &got,
                                                      NULL);
        (sticky ? steer_decide_sticky : steer_decide)(plain, &all.view, STEER_TYPE_A, &wanted,
                                                      NULL);
        describe(&got, &b->got);
        describe(&wanted, &b->wanted);
        check_text(b, client, sticky ? "sticky" : "random");
        steer_distribution_fini(&got);
        steer_distribution_fini(&wanted);
    }
    steer_hypothesis_init(&here, &b->view.view, false, &lost, 1);
    steer_hypothesis_init(&there, &all.view, false, &lost, 1);
    steer_decide(root, &here.view, STEER_TYPE_A, &got, NULL);
    steer_decide(plain, &there.view, STEER_TYPE_A, &wanted, NULL);
    describe(&got, &b->got);
    describe(&wanted, &b->wanted);
    check_text(b, client, "with a site down");
    steer_distribution_fini(&got);
    steer_distribution_fini(&wanted);
    // What one decider remembers of one client is not taken for another's.
    steer_decide(plain, &all.view, STEER_TYPE_A, &wanted, NULL);
    describe(&wanted, &b->wanted);
    describe(steer_decider_run(b->decider, root, &b->view.view), &b->got);
    check_text(b, client, "of a decider");
    steer_distribution_fini(&wanted);
}

static struct steer_residual *resolve(const struct bed *b, const struct steer_catalog *catalog,
                                      const struct steer_addr *addr)
{
    static const struct steer_location nowhere;
    const struct steer_prefix network = {*addr, (uint8_t)steer_family_bits(addr->family)};
    const struct steer_client client = {&nowhere, &network};
    return steer_residual_resolve(b->store, catalog, b->record, &client, NULL);
}

static void check_moment(struct bed *b, struct steer_rng *rng)
{
    const uint64_t seed = steer_rng_next(rng);
    struct steer_rng moment;
    char down[16];
    steer_rng_init(&moment, seed);
    b->now = random_vitals(&moment, b->with);
    steer_vitals_view_init(&b->view, b->now, b->with);
    snprintf(down, sizeof down, "s%u", below(rng, SITES));
    for (size_t i = 0; i < STEER_ARRAY_LEN(clients); i++) {
        struct steer_addr addr;
        assert_true(steer_addr_parse(clients[i], &addr));
        steer_rng_init(&moment, seed);
        struct steer_vitals *then = random_vitals(&moment, b->without);
        force_for(then, steer_catalog_rehearsals(b->with), &addr);
        struct steer_residual *root = resolve(b, b->with, &addr);
        struct steer_residual *plain = resolve(b, b->without, &addr);
        b->felt += root->kind == STEER_R_REHEARSAL;
        check_client(b, clients[i], root, plain, then, down);
        steer_decider_forget(b->decider); // before the residuals go
        steer_residual_unref(b->store, root);
        steer_residual_unref(b->store, plain);
        steer_vitals_destroy(then);
    }
    steer_vitals_destroy(b->now);
}

static void each_client_gets_what_all_would_get_by_its_overrides(void **state)
{
    (void)state;
    struct steer_rng rng;
    struct bed b = {.store = steer_residuals_create(),
                    .decider = steer_decider_create(STEER_TYPE_A, false)};
    steer_rng_init(&rng, 130);
    for (int round = 0; round < 150; round++) {
        b.without = steer_catalog_create();
        put_endpoints(b.without, &rng);
        b.record = put_record(b.without, &rng);
        struct steer_rehearsals *set = random_rehearsals(&rng);
        b.with = steer_catalog_clone(b.without);
        steer_catalog_set_rehearsals(b.with, set);
        steer_rehearsals_unref(set);
        for (int moment = 0; moment < 3; moment++)
            check_moment(&b, &rng);
        steer_catalog_unref(b.with);
        steer_catalog_unref(b.without);
    }
    assert_true(b.felt > 1000);
    assert_int_equal(steer_residuals_count(b.store), 0);
    steer_decider_destroy(b.decider);
    steer_residuals_destroy(b.store);
    steer_buf_fini(&b.got);
    steer_buf_fini(&b.wanted);
}

// ---- one decider for many ------------------------------------------------------------------------

static void what_a_decider_remembers_of_one_client_is_not_anothers(void **state)
{
    (void)state;
    struct steer_clients whose;
    struct steer_rehearsals *set;
    struct bed b = {.store = steer_residuals_create(),
                    .decider = steer_decider_create(STEER_TYPE_A, false),
                    .with = steer_catalog_create()};
    put(b.with, STEER_ENDPOINT, "e0", "{\"ipv4\":\"192.0.2.1\"}");
    put(b.with, STEER_ENDPOINT, "e1", "{\"ipv4\":\"192.0.2.2\"}");
    put(b.with, STEER_POOL, "p0", "{\"endpoints\":[\"e0\"]}");
    put(b.with, STEER_STEERED, "api.example.com. address",
        "{\"kind\":\"address\",\"ttl\":30,\"steer\":{\"failover\":[{\"pool\":\"p0\"},{\"endpoint\":"
        "\"e1\"}]}}");
    b.record = steer_catalog_get(b.with, STEER_STEERED, "api.example.com. address");
    assert_int_equal(steer_clients_parse("10.0.0.0/8", &whose, NULL), STEER_OK);
    assert_int_equal(steer_rehearsals_with(NULL,
                                           &(struct steer_rehearsal){.kind = STEER_ENDPOINT,
                                                                     .state = STEER_FORCED_DOWN,
                                                                     .target = "e0",
                                                                     .reason = "",
                                                                     .owner = "",
                                                                     .clients = &whose},
                                           &set, NULL),
                     STEER_OK);
    steer_catalog_set_rehearsals(b.with, set);
    steer_rehearsals_unref(set);
    b.now = steer_vitals_create();
    steer_vitals_view_init(&b.view, b.now, b.with);
    static const char *const rows[][2] = {{"9.0.0.1", "100 1/1:e0"},
                                          {"10.0.0.1", "100 1/1:e1"},
                                          {"11.0.0.1", "100 1/1:e0"},
                                          {"10.9.9.9", "100 1/1:e1"}};
    struct steer_residual *roots[STEER_ARRAY_LEN(rows)];
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_addr addr;
        assert_true(steer_addr_parse(rows[i][0], &addr));
        roots[i] = resolve(&b, b.with, &addr);
        describe(steer_decider_run(b.decider, roots[i], &b.view.view), &b.got);
        assert_string_equal(b.got.data, rows[i][1]);
    }
    assert_ptr_equal(roots[0], roots[2]);
    assert_ptr_equal(roots[1], roots[3]);
    assert_ptr_equal(roots[1]->children[0], roots[0]);
    steer_decider_destroy(b.decider);
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++)
        steer_residual_unref(b.store, roots[i]);
    steer_vitals_destroy(b.now);
    steer_catalog_unref(b.with);
    steer_residuals_destroy(b.store);
    steer_buf_fini(&b.got);
}

// ---- compiling again -----------------------------------------------------------------------------

static void check_again(struct bed *b, const struct steer_geo *geo,
                        const struct steer_rehearsals *from, const struct steer_rehearsals *to)
{
    struct steer_classes before, again, afresh;
    steer_catalog_set_rehearsals(b->with, from);
    assert_int_equal(steer_classes_compile(b->store, b->with, b->record, geo, &before, NULL),
                     STEER_OK);
    steer_catalog_set_rehearsals(b->with, to);
    assert_int_equal(
        steer_classes_compile_again(b->store, b->with, b->record, geo, &before, &again, NULL),
        STEER_OK);
    assert_int_equal(steer_classes_compile(b->store, b->with, b->record, geo, &afresh, NULL),
                     STEER_OK);
    assert_true(steer_classes_equal(&again, &afresh));
    assert_int_equal(again.class_count, afresh.class_count);
    assert_memory_equal(again.roots, afresh.roots,
                        afresh.class_count * sizeof(struct steer_residual *));
    steer_classes_fini(b->store, &before);
    steer_classes_fini(b->store, &again);
    steer_classes_fini(b->store, &afresh);
}

static void compiling_again_for_other_rehearsals_is_compiling(void **state)
{
    (void)state;
    static const char *const files[] = {STEER_SOURCE_DIR "/geodata/city.mmdb"};
    struct steer_rng rng;
    struct steer_geo *geo;
    struct bed b = {.store = steer_residuals_create()};
    steer_rng_init(&rng, 131);
    assert_int_equal(steer_geo_open(files, 1, NULL, &geo, NULL), STEER_OK);
    for (int round = 0; round < 100; round++) {
        struct steer_buf json = {0};
        b.with = steer_catalog_create();
        put_endpoints(b.with, &rng);
        steer_buf_puts(&json, "{\"kind\":\"address\",\"ttl\":30,\"allow_negative\":true,\"steer\":"
                              "{\"geo\":{\"rules\":[{\"match\":[\"EU\"],\"to\":");
        random_tree(&rng, 1, &json);
        steer_buf_puts(&json, "},{\"match\":[\"NA\"],\"to\":{\"network\":{\"rules\":[{\"match\":["
                              "\"10.1.0.0/17\",\"2001:db8:1::/48\"],\"to\":");
        random_tree(&rng, 1, &json);
        steer_buf_puts(&json, "}],\"default\":");
        random_tree(&rng, 1, &json);
        steer_buf_puts(&json, "}}}],\"default\":");
        random_tree(&rng, 1, &json);
        steer_buf_puts(&json, "}}}");
        put(b.with, STEER_STEERED, "api.example.com. address", json.data);
        b.record = steer_catalog_get(b.with, STEER_STEERED, "api.example.com. address");
        struct steer_rehearsals *one = random_rehearsals(&rng), *other = random_rehearsals(&rng);
        check_again(&b, geo, NULL, one);
        check_again(&b, geo, one, other);
        check_again(&b, geo, other, NULL);
        steer_rehearsals_unref(one);
        steer_rehearsals_unref(other);
        steer_catalog_unref(b.with);
        steer_buf_fini(&json);
    }
    assert_int_equal(steer_residuals_count(b.store), 0);
    steer_geo_unref(geo);
    steer_residuals_destroy(b.store);
}

// ---- sets ----------------------------------------------------------------------------------------

static void sets_are_bounded_and_known_by_object_and_networks(void **state)
{
    (void)state;
    struct steer_clients whose, other;
    struct steer_rehearsals *set = NULL, *with;
    struct steer_diag diag = {0};
    char target[16];
    struct steer_rehearsal r = {.kind = STEER_ENDPOINT,
                                .state = STEER_FORCED_DOWN,
                                .target = target,
                                .reason = "r",
                                .owner = "o",
                                .clients = &whose};
    assert_int_equal(
        steer_clients_parse("2001:db8::/48,10.0.0.0/8,10.0.0.0/8,9.9.9.9", &whose, &diag),
        STEER_OK);
    struct steer_buf text = {0};
    steer_clients_format(&whose, &text);
    assert_string_equal(text.data, "9.9.9.9/32,10.0.0.0/8,2001:db8::/48");
    assert_int_equal(steer_clients_parse(text.data, &other, &diag), STEER_OK);
    assert_true(steer_clients_equal(&whose, &other));
    steer_buf_fini(&text);
    for (int i = 0; i <= STEER_REHEARSALS_MAX; i++) {
        snprintf(target, sizeof target, "e%d", i);
        r.expires_unix_s = (uint64_t)(i % 2 ? 100 + i : 0);
        const enum steer_err err = steer_rehearsals_with(set, &r, &with, &diag);
        assert_int_equal(err, i < STEER_REHEARSALS_MAX ? STEER_OK : STEER_ELIMIT);
        if (err != STEER_OK)
            break;
        steer_rehearsals_unref(set);
        set = with;
    }
    // Replacing is always possible.
    snprintf(target, sizeof target, "e7");
    r.state = STEER_FORCED_UP;
    assert_int_equal(steer_rehearsals_with(set, &r, &with, &diag), STEER_OK);
    assert_int_equal(steer_rehearsals_count(with), STEER_REHEARSALS_MAX);
    assert_int_equal(steer_rehearsals_find(with, STEER_ENDPOINT, "e7", &other)->state,
                     STEER_FORCED_UP);
    assert_null(steer_rehearsals_find(with, STEER_SITE, "e7", &other));
    steer_rehearsals_unref(with);
    // Time. Control asks after each call: where none is over there is nothing to make anew.
    with = steer_rehearsals_at_time(set, 100);
    assert_ptr_equal(with, set);
    steer_rehearsals_unref(with);
    with = steer_rehearsals_at_time(set, 105);
    assert_int_equal(steer_rehearsals_count(with), STEER_REHEARSALS_MAX - 3);
    assert_null(steer_rehearsals_find(with, STEER_ENDPOINT, "e5", &other));
    assert_non_null(steer_rehearsals_find(with, STEER_ENDPOINT, "e7", &other));
    steer_rehearsals_unref(with);
    steer_rehearsals_unref(set);
    set = NULL;
    assert_null(steer_rehearsals_at_time(set, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_client_gets_what_all_would_get_by_its_overrides),
        cmocka_unit_test(what_a_decider_remembers_of_one_client_is_not_anothers),
        cmocka_unit_test(compiling_again_for_other_rehearsals_is_compiling),
        cmocka_unit_test(sets_are_bounded_and_known_by_object_and_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
