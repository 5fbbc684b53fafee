// SPDX-License-Identifier: GPL-3.0-or-later
// A plan's shares, against adding up every range of the geo data for each endpoint.
#include "unit/policy/decide_support.h"

#include <math.h>

#include "steerd/base/hash.h"
#include "steerd/policy/impact.h"

#define GEO STEER_SOURCE_DIR "/geodata/city.mmdb"

enum { ENDPOINTS = 6, STEPS = 60 };
static const char names[] = "abcdef";

static enum steer_availability up(void *ctx, const struct steer_object *endpoint, bool as_up,
                                  json_t *why)
{
    (void)ctx;
    (void)why;
    // "f" is drained; checks are down, which a plan does not look at.
    if (endpoint->name[0] == 'f')
        return STEER_DRAINED;
    return as_up ? STEER_AVAILABLE : STEER_UNAVAILABLE;
}

static enum steer_forced free_pool(void *ctx, const struct steer_object *pool, json_t *why)
{
    (void)ctx;
    (void)pool;
    (void)why;
    return STEER_FORCED_NOT;
}

static const struct steer_view view = {NULL, up, free_pool, NULL};

static enum steer_availability all_up(void *ctx, const struct steer_object *endpoint, bool as_up,
                                      json_t *why)
{
    (void)as_up;
    return up(ctx, endpoint, true, why);
}

static unsigned below(struct steer_rng *rng, unsigned n)
{
    return (unsigned)(steer_rng_next(rng) % n);
}

static void random_weighted(struct steer_rng *rng, struct steer_buf *out)
{
    const unsigned first = below(rng, ENDPOINTS);
    steer_buf_printf(out,
                     "{\"weighted\":[{\"weight\":%u,\"to\":{\"endpoint\":\"%c\"}},"
                     "{\"weight\":%u,\"to\":{\"endpoint\":\"%c\"}}]}",
                     1 + below(rng, 9), names[first], 1 + below(rng, 9),
                     names[(first + 1) % ENDPOINTS]);
}

static void random_tree(struct steer_rng *rng, struct steer_buf *out)
{
    static const char *const places[] = {"EU", "EU-DE", "NA-US-CA", "NA", "SA-BR", "AS"};
    const unsigned first = below(rng, 6);
    steer_buf_clear(out);
    steer_buf_puts(out, "{\"kind\":\"address\",\"ttl\":30,\"allow_negative\":true,\"steer\":"
                        "{\"geo\":{\"rules\":[");
    for (unsigned i = 0; i < 2; i++) {
        steer_buf_printf(out, "%s{\"match\":\"%s\",\"to\":", i ? "," : "", places[(first + i) % 6]);
        random_weighted(rng, out);
        steer_buf_puts(out, "}");
    }
    steer_buf_puts(out, "],\"default\":");
    random_weighted(rng, out);
    steer_buf_puts(out, "}}}");
}

struct plain {
    double shares[2][ENDPOINTS]; // by family
    double totals[2];
};

static double size_of_range(const struct steer_partition *p, size_t i, bool v6)
{
    if (!v6)
        return (double)((i + 1 < p->count4 ? p->start4[i + 1] : UINT64_C(1) << 32) - p->start4[i]);
    // /48s that begin in it
    const struct steer_u128 end = i + 1 < p->count6 ? p->start6[i + 1] : (struct steer_u128){0, 0};
    const struct steer_u128 start = p->start6[i];
    const uint64_t last =
        i + 1 < p->count6 ? (end.hi >> 16) + ((end.hi & 0xffff) || end.lo) : UINT64_C(1) << 48;
    return (double)(last - ((start.hi >> 16) + ((start.hi & 0xffff) || start.lo)));
}

static void count_plainly(struct steer_catalog *catalog, const struct steer_object *record,
                          const struct steer_geo *geo, uint16_t type, struct plain *out)
{
    const struct steer_view checks_up = {NULL, all_up, free_pool, NULL};
    const struct steer_partition *p = steer_geo_partition(geo);
    struct steer_residuals *store = steer_residuals_create();
    *out = (struct plain){0};
    for (int v6 = 0; v6 < 2; v6++) {
        for (size_t i = 0; i < (v6 ? p->count6 : p->count4); i++) {
            const struct steer_location *location =
                steer_geo_location(geo, v6 ? p->value6[i] : p->value4[i]);
            const double size = size_of_range(p, i, v6);
            struct steer_distribution d;
            if (!location->place.continent[0])
                continue;
            out->totals[v6] += size;
            const struct steer_client client = {.location = location};
            struct steer_residual *root =
                steer_residual_resolve(store, catalog, record, &client, NULL);
            steer_decide(root, &checks_up, type, &d, NULL);
            for (uint32_t k = 0; k < d.count; k++)
                out->shares[v6][d.outcomes[k].endpoints[0]->name[0] - 'a'] +=
                    size * steer_share_value(d.outcomes[k].share);
            steer_distribution_fini(&d);
            steer_residual_unref(store, root);
        }
    }
    steer_residuals_destroy(store);
}

// What the plan says, 0 where it says nothing.
static double told(const json_t *plan, const char *type, bool v6, const char *name, const char *key)
{
    const json_t *share;
    size_t i;
    json_array_foreach(json_object_get(plan, "shares"), i, share)
    {
        if (!json_object_get(share, "place") &&
            strcmp(json_string_value(json_object_get(share, "kind")), "endpoint") == 0 &&
            strcmp(json_string_value(json_object_get(share, "name")), name) == 0 &&
            strcmp(json_string_value(json_object_get(share, "type")), type) == 0 &&
            strcmp(json_string_value(json_object_get(share, "clients")), v6 ? "ipv6" : "ipv4") == 0)
            return json_number_value(json_object_get(share, key));
    }
    return 0;
}

static void compare(const json_t *plan, const struct plain *plain, const char *type,
                    const char *key)
{
    for (int v6 = 0; v6 < 2; v6++) {
        for (unsigned e = 0; e < ENDPOINTS; e++) {
            const char name[2] = {names[e], '\0'};
            const double wanted = 100 * plain->shares[v6][e] / plain->totals[v6];
            const double got = told(plan, type, v6, name, key);
            if (fabs(wanted - got) > 1e-9)
                fail_msg("%s %s %s of %s: %.12g, wanted %.12g", key, type, v6 ? "ipv6" : "ipv4",
                         name, got, wanted);
        }
    }
}

// What moves is what is lost and won: by slot and endpoint, after - before.
static void compare_moves(const json_t *plan, const struct plain *before, const struct plain *after,
                          const char *type)
{
    const json_t *move;
    double net[2][ENDPOINTS] = {{0}};
    size_t i;
    json_array_foreach(json_object_get(plan, "moves"), i, move)
    {
        const char *from = json_string_value(json_object_get(move, "from"));
        const char *to = json_string_value(json_object_get(move, "to"));
        const bool v6 = strcmp(json_string_value(json_object_get(move, "clients")), "ipv6") == 0;
        const double percent = json_number_value(json_object_get(move, "percent"));
        if (strcmp(json_string_value(json_object_get(move, "type")), type) != 0)
            continue;
        assert_true(percent > 0);
        if (!from[1])
            net[v6][from[0] - 'a'] -= percent;
        if (!to[1])
            net[v6][to[0] - 'a'] += percent;
    }
    for (int v6 = 0; v6 < 2; v6++)
        for (unsigned e = 0; e < ENDPOINTS; e++) {
            const double wanted =
                100 * (after->shares[v6][e] - before->shares[v6][e]) / before->totals[v6];
            assert_true(fabs(wanted - net[v6][e]) < 1e-9);
        }
}

static void shares_and_moves_are_those_of_every_address(void **state)
{
    (void)state;
    const char *files[] = {GEO};
    struct steer_geo *geo;
    struct steer_rng rng;
    struct steer_buf json = {0};
    assert_int_equal(steer_geo_open(files, 1, NULL, &geo, NULL), STEER_OK);
    steer_rng_init(&rng, 90);
    struct steer_impact *impact = steer_impact_create(geo, &view);
    for (unsigned step = 0; step < STEPS; step++) {
        struct steer_catalog *catalogs[2] = {small_catalog(), NULL};
        struct steer_impact_side sides[2];
        struct plain plain[2];
        json_t *plan = NULL;
        catalogs[1] = steer_catalog_clone(catalogs[0]);
        for (unsigned s = 0; s < 2; s++) {
            random_tree(&rng, &json);
            sides[s] = (struct steer_impact_side){
                catalogs[s], record_of(catalogs[s], "api.example.com. address", json.data)};
        }
        assert_int_equal(steer_impact_of(impact, &sides[0], &sides[1], true, false, &plan, NULL),
                         STEER_OK);
        for (unsigned t = 0; t < 2; t++) {
            const uint16_t type = t ? STEER_TYPE_AAAA : STEER_TYPE_A;
            const char *text = t ? "AAAA" : "A";
            for (unsigned s = 0; s < 2; s++)
                count_plainly(catalogs[s], sides[s].steered, geo, type, &plain[s]);
            compare(plan, &plain[0], text, "before_percent");
            compare(plan, &plain[1], text, "after_percent");
            compare_moves(plan, &plain[0], &plain[1], text);
        }
        json_decref(plan);
        steer_catalog_unref(catalogs[0]);
        steer_catalog_unref(catalogs[1]);
    }
    steer_impact_destroy(impact);
    steer_buf_fini(&json);
    steer_geo_unref(geo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_and_moves_are_those_of_every_address),
    };
    return cmocka_run_group_tests_name("impact", tests, NULL, NULL);
}
