// SPDX-License-Identifier: GPL-3.0-or-later
// Pools that pick N of M against a plain reference in whole numbers: random weights, N, health and
// families.
#include "unit/policy/decide_support.h"

#include "steerd/base/hash.h"

enum { MEMBERS_MAX = 12, ROUNDS = 2000, SEED = 20261 };

// A pool, and what is the case.
struct hand {
    unsigned count, want;
    unsigned weights[MEMBERS_MAX];
    bool down[MEMBERS_MAX], has_v4[MEMBERS_MAX], has_v6[MEMBERS_MAX];
    bool all;
};

static unsigned below(struct steer_rng *rng, unsigned limit)
{
    return (unsigned)(steer_rng_next(rng) >> 33) % limit;
}

static void deal(struct steer_rng *rng, struct hand *h)
{
    *h = (struct hand){.count = 2 + below(rng, MEMBERS_MAX - 1), .all = below(rng, 3) == 0};
    h->want = 2 + below(rng, h->count);
    const unsigned highest = below(rng, 2) ? 65535 : 8;
    for (unsigned i = 0; i < h->count; i++) {
        h->weights[i] = below(rng, 6) ? 1 + below(rng, highest) : 0;
        h->down[i] = below(rng, 4) == 0;
        h->has_v4[i] = below(rng, 5) > 0;
        h->has_v6[i] = !h->has_v4[i] || below(rng, 2);
    }
}

static struct steer_catalog *catalog_of(const struct hand *h, struct steer_buf *down)
{
    struct steer_catalog *catalog = steer_catalog_create();
    struct steer_buf pool = {0};
    steer_buf_puts(&pool, "{\"endpoints\":{");
    for (unsigned i = 0; i < h->count; i++) {
        char name[2] = {(char)('a' + i), '\0'};
        char json[96];
        snprintf(json, sizeof json, "{%s%s%s}", h->has_v4[i] ? "\"ipv4\":\"192.0.2.1\"" : "",
                 h->has_v4[i] && h->has_v6[i] ? "," : "",
                 h->has_v6[i] ? "\"ipv6\":\"2001:db8::1\"" : "");
        put(catalog, STEER_ENDPOINT, name, json);
        steer_buf_printf(&pool, "%s\"%s\":%u", i ? "," : "", name, h->weights[i]);
        if (h->down[i])
            steer_buf_printf(down, "%s ", name);
    }
    steer_buf_puts(&pool, h->all ? "},\"pick\":\"all\",\"max\":" : "},\"pick\":");
    steer_buf_printf(&pool, "%u}", h->want);
    put(catalog, STEER_POOL, "p", pool.data);
    steer_buf_fini(&pool);
    return catalog;
}

// Each member's share by the words of the model, as num/den; den 0: it is not given.
static unsigned refer(const struct hand *h, bool v6, uint64_t num[], uint64_t *den)
{
    uint64_t weights[MEMBERS_MAX] = {0};
    bool certain[MEMBERS_MAX] = {false};
    bool positive = false;
    bool served_all = true;
    unsigned given = 0;
    for (unsigned i = 0; i < h->count; i++)
        served_all &= h->down[i];
    for (unsigned i = 0; i < h->count; i++)
        positive |= (served_all || !h->down[i]) && h->weights[i];
    for (unsigned i = 0; i < h->count; i++) {
        bool takes_part = (served_all || !h->down[i]) && (!positive || h->weights[i]) &&
                          (v6 ? h->has_v6[i] : h->has_v4[i]);
        weights[i] = !takes_part ? 0 : positive ? h->weights[i] : 1;
        given += takes_part;
    }
    uint64_t left = given < h->want ? given : h->want;
    const unsigned together = (unsigned)left;
    for (bool changed = true; changed;) {
        changed = false;
        *den = 0;
        for (unsigned i = 0; i < h->count; i++)
            *den += certain[i] ? 0 : weights[i];
        for (unsigned i = 0; i < h->count && !changed; i++)
            if (!certain[i] && weights[i] && weights[i] * left >= *den) {
                changed = certain[i] = true;
                left--;
            }
    }
    *den = *den ? *den : 1;
    for (unsigned i = 0; i < h->count; i++)
        num[i] = certain[i] ? *den : weights[i] * left;
    return together;
}

static void judge(const struct hand *h, const struct steer_distribution *d, bool v6)
{
    uint64_t num[MEMBERS_MAX];
    uint64_t den;
    const unsigned together = refer(h, v6, num, &den);
    struct steer_share of[MEMBERS_MAX];
    for (unsigned i = 0; i < h->count; i++)
        of[i] = (struct steer_share){0, 1};
    assert_true(d->count <= h->count);
    assert_int_equal(d->count > 0, together > 0);
    for (uint32_t k = 0; k < d->count; k++) {
        assert_int_equal(d->outcomes[k].endpoint_count, together);
        for (uint32_t e = 0; e < together; e++) {
            unsigned which = (unsigned)(d->outcomes[k].endpoints[e]->name[0] - 'a');
            of[which] = steer_share_add(of[which], d->outcomes[k].share);
            assert_true(e == 0 || strcmp(d->outcomes[k].endpoints[e - 1]->name,
                                         d->outcomes[k].endpoints[e]->name) < 0);
        }
    }
    for (unsigned i = 0; i < h->count; i++)
        if (of[i].num * den != num[i] * of[i].den)
            fail_msg("%c has %llu/%llu, wanted %llu/%llu", (char)('a' + i),
                     (unsigned long long)of[i].num, (unsigned long long)of[i].den,
                     (unsigned long long)num[i], (unsigned long long)den);
}

static void decide(const struct hand *h, bool v6)
{
    struct steer_buf down = {0};
    struct steer_residuals *store = steer_residuals_create();
    struct steer_catalog *catalog = catalog_of(h, &down);
    struct moment moment = {.down = down.data};
    struct steer_view view = view_of(&moment);
    struct steer_location nowhere = at_place(NULL);
    struct steer_residual *root =
        steer_residual_resolve(store, catalog, record(catalog, "{\"pool\":\"p\"}"),
                               &(struct steer_client){.location = &nowhere}, NULL);
    struct steer_distribution d;
    steer_decide(root, &view, v6 ? STEER_TYPE_AAAA : STEER_TYPE_A, &d, NULL);
    judge(h, &d, v6);
    steer_distribution_fini(&d);
    steer_residual_unref(store, root);
    steer_residuals_destroy(store);
    steer_catalog_unref(catalog);
    steer_buf_fini(&down);
}

static void each_endpoint_has_its_exact_share_whatever_is_available(void **state)
{
    (void)state;
    struct steer_rng rng;
    steer_rng_init(&rng, SEED);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct hand h;
        deal(&rng, &h);
        decide(&h, false);
        decide(&h, true);
    }
}

static void explain_names_the_weights_that_cannot_be_honoured(void **state)
{
    (void)state;
    struct steer_residuals *store = steer_residuals_create();
    struct steer_catalog *catalog = small_catalog();
    struct moment moment = {0};
    struct steer_view view = view_of(&moment);
    struct steer_location nowhere = at_place(NULL);
    struct steer_residual *root =
        steer_residual_resolve(store, catalog, record(catalog, "{\"pool\":\"twoskew\"}"),
                               &(struct steer_client){.location = &nowhere}, NULL);
    struct steer_distribution d;
    json_t *trace = json_object();
    steer_decide(root, &view, STEER_TYPE_A, &d, trace);
    const json_t *candidates = json_object_get(trace, "candidates");
    assert_string_equal(json_string_value(json_object_get(json_array_get(candidates, 0), "reason")),
                        "in every answer; its weight asks for more than that");
    assert_string_equal(json_string_value(json_object_get(json_array_get(candidates, 0), "exact")),
                        "1/1");
    assert_null(json_object_get(json_array_get(candidates, 1), "reason"));
    json_decref(trace);
    steer_distribution_fini(&d);
    steer_residual_unref(store, root);
    steer_residuals_destroy(store);
    steer_catalog_unref(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_endpoint_has_its_exact_share_whatever_is_available),
        cmocka_unit_test(explain_names_the_weights_that_cannot_be_honoured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
