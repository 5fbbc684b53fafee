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

static const struct steer_view view = {.endpoint = up, .pool = free_pool};

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
    const struct steer_view checks_up = {.endpoint = all_up, .pool = free_pool};
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

// What is said of it holds for the type, too.
static const char *as_type(const json_t *plan, const char *type)
{
    const json_t *item;
    size_t i;
    json_array_foreach(json_object_get(plan, "types"), i, item)
    {
        const char *as = json_string_value(json_object_get(item, "as"));
        if (as && strcmp(json_string_value(json_object_get(item, "type")), type) == 0)
            return as;
    }
    return type;
}

// What the plan says, 0 where it says nothing.
static double told(const json_t *plan, const char *type, bool v6, const char *name, const char *key)
{
    const json_t *share;
    size_t i;
    type = as_type(plan, type);
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
        if (strcmp(json_string_value(json_object_get(move, "type")), as_type(plan, type)) != 0)
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
        assert_int_equal(steer_impact_of(impact, &sides[0], &sides[1],
                                         &(struct steer_impact_how){.all = true}, &plan, NULL),
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

// ---- every address by itself -----------------------------------------------------------------------

// Shares are counted in parts of an address so small that each share of the trees below is a whole number of them:
// the square of the least common multiple of 1 to 18, and the slots of a sticky draw.
__extension__ typedef unsigned __int128 wide;
static const uint64_t PARTS = UINT64_C(12252240) * 12252240 * (STEER_SLOTS >> 8);

enum { ROUNDS = 24, PLACES = 9, DRAWN = 9, TYPES = 3, FAMILIES = 2, DOWNS = DRAWN + 3 };
static const char *const drawn[DRAWN] = {"a", "b", "c", "d", "e", "f", "v4", "v6", "h"};
static const char *const sites[] = {"at-a", "at-b", "at-c"};
static const char *const told_places[PLACES] = {"",      "EU",       "NA",       "AS",   "EU-DE",
                                                "NA-US", "NA-US-CA", "EU-DE-BE", "AS-SG"};
static const uint16_t types[TYPES] = {STEER_TYPE_A, STEER_TYPE_AAAA, STEER_TYPE_HTTPS};
static const char *const type_names[TYPES] = {"A", "AAAA", "HTTPS"};

struct count {
    wide parts[PLACES][DRAWN];
    uint64_t clients[PLACES];
    uint64_t served_all[DOWNS], nothing[DOWNS];
};

// One record, address by address.
struct census {
    const struct steer_geo *geo;
    struct steer_catalog *catalog;
    const struct steer_object *record;
    struct steer_residuals *store;
    struct count count[TYPES][FAMILIES];
    // Of each class that was met: what its clients get, and whether they come to serve_all or NODATA.
    struct steer_residual *roots[64];
    wide shares[64][TYPES][DRAWN];
    bool served_all[64][TYPES][DOWNS], nothing[64][TYPES][DOWNS];
    size_t root_count;
};

static unsigned down_now; // DOWNS: nothing

static enum steer_availability one_down(void *ctx, const struct steer_object *endpoint, bool as_up,
                                        json_t *why)
{
    const char *site = endpoint->endpoint.site;
    const bool down = down_now < DRAWN
                          ? strcmp(endpoint->name, drawn[down_now]) == 0
                          : down_now < DOWNS && site && strcmp(site, sites[down_now - DRAWN]) == 0;
    const enum steer_availability is = up(ctx, endpoint, true, why);
    return down && !as_up && is == STEER_AVAILABLE ? STEER_UNAVAILABLE : is;
}

static void decide_class(struct census *c, size_t at, unsigned type)
{
    const struct steer_view one = {.endpoint = one_down, .pool = free_pool};
    struct steer_distribution d;
    bool gives = false;
    for (unsigned turn = 0; turn <= DOWNS; turn++) {
        down_now = turn ? turn - 1 : DOWNS;
        if (c->record->steered.draw.mode == STEER_DRAW_STICKY)
            steer_decide_sticky(c->roots[at], &one, types[type], &d, NULL);
        else
            steer_decide(c->roots[at], &one, types[type], &d, NULL);
        for (uint32_t i = 0; !turn && i < d.count; i++)
            for (uint32_t e = 0; e < d.outcomes[i].endpoint_count; e++)
                for (unsigned k = 0; k < DRAWN; k++)
                    if (strcmp(d.outcomes[i].endpoints[e]->name, drawn[k]) == 0) {
                        assert_true(PARTS % d.outcomes[i].share.den == 0);
                        c->shares[at][type][k] +=
                            (wide)d.outcomes[i].share.num * (PARTS / d.outcomes[i].share.den);
                    }
        if (!turn)
            gives = d.count;
        else {
            c->served_all[at][type][turn - 1] = d.count && d.reads_up;
            c->nothing[at][type][turn - 1] = gives && !d.count;
        }
        steer_distribution_fini(&d);
    }
}

static size_t class_of(struct census *c, const struct steer_location *location,
                       const struct steer_addr *addr)
{
    const struct steer_prefix network = {*addr, (uint8_t)steer_family_bits(addr->family)};
    const struct steer_client client = {location, &network};
    struct steer_residual *root =
        steer_residual_resolve(c->store, c->catalog, c->record, &client, NULL);
    for (size_t i = 0; i < c->root_count; i++)
        if (c->roots[i] == root) {
            steer_residual_unref(c->store, root);
            return i;
        }
    assert_true(c->root_count < 64);
    c->roots[c->root_count] = root;
    for (unsigned type = 0; type < TYPES; type++)
        decide_class(c, c->root_count, type);
    return c->root_count++;
}

static void count_client(struct census *c, const struct steer_location *location,
                         const struct steer_addr *addr)
{
    const size_t class = class_of(c, location, addr);
    for (unsigned type = 0; type < TYPES; type++) {
        struct count *count = &c->count[type][addr->family == STEER_V6];
        for (unsigned p = 0; p < PLACES; p++) {
            struct steer_place place;
            if (*told_places[p] && (steer_place_parse(told_places[p], &place, NULL) != STEER_OK ||
                                    !steer_place_matches(&place, &location->place)))
                continue;
            count->clients[p]++;
            for (unsigned k = 0; k < DRAWN; k++)
                count->parts[p][k] += c->shares[class][type][k];
        }
        for (unsigned k = 0; k < DOWNS; k++) {
            count->served_all[k] += c->served_all[class][type][k];
            count->nothing[k] += c->nothing[class][type][k];
        }
    }
}

static void count_all(struct census *c)
{
    const struct steer_partition *p = steer_geo_partition(c->geo);
    c->store = steer_residuals_create();
    for (size_t i = 0; i < p->count4; i++) {
        const struct steer_location *location = steer_geo_location(c->geo, p->value4[i]);
        for (uint32_t a = p->start4[i]; location->place.continent[0] && a < p->start4[i + 1]; a++) {
            const struct steer_addr addr = {
                .family = STEER_V4,
                .octets = {(uint8_t)(a >> 24), (uint8_t)(a >> 16), (uint8_t)(a >> 8), (uint8_t)a}};
            count_client(c, location, &addr);
        }
    }
    for (size_t i = 0; i + 1 < p->count6; i++) {
        const struct steer_location *location = steer_geo_location(c->geo, p->value6[i]);
        const struct steer_u128 start = p->start6[i], end = p->start6[i + 1];
        uint64_t at = (start.hi >> 16) + ((start.hi & 0xffff) || start.lo);
        const uint64_t last = (end.hi >> 16) + ((end.hi & 0xffff) || end.lo);
        for (; location->place.continent[0] && at < last; at++) {
            struct steer_addr addr = {.family = STEER_V6};
            for (unsigned k = 0; k < 6; k++)
                addr.octets[k] = (uint8_t)(at >> (40 - 8 * k));
            count_client(c, location, &addr);
        }
    }
}

static void census_fini(struct census *c)
{
    for (size_t i = 0; i < c->root_count; i++)
        steer_residual_unref(c->store, c->roots[i]);
    steer_residuals_destroy(c->store);
}

static void random_leaf(struct steer_rng *rng, struct steer_buf *out, unsigned depth)
{
    static const char *const pools[] = {"mixed", "ab91", "two", "half"};
    const unsigned kind = below(rng, depth ? 6 : 3);
    const char *x = drawn[below(rng, DRAWN)], *y = drawn[below(rng, DRAWN)];
    if (kind == 0)
        steer_buf_printf(out, "{\"endpoint\":\"%s\"}", x);
    else if (kind == 1)
        steer_buf_printf(out, "{\"pool\":\"%s\"}", pools[below(rng, 4)]);
    else if (kind == 2)
        steer_buf_printf(out,
                         "{\"weighted\":[{\"weight\":%u,\"to\":{\"endpoint\":\"%s\"}},"
                         "{\"weight\":%u,\"to\":{\"endpoint\":\"%s\"}}]}",
                         1 + below(rng, 9), x, 1 + below(rng, 9), y);
    else if (kind == 3) {
        steer_buf_puts(out, "{\"network\":{\"rules\":[{\"match\":[\"192.0.2.64/26\","
                            "\"100.65.4.0/23\",\"2001:db8:de::/48\"],\"to\":");
        random_leaf(rng, out, 0);
        steer_buf_puts(out, "}],\"default\":");
        random_leaf(rng, out, 0);
        steer_buf_puts(out, "}}");
    } else {
        steer_buf_puts(out, "{\"failover\":[");
        random_leaf(rng, out, 0);
        steer_buf_puts(out, ",");
        random_leaf(rng, out, 0);
        steer_buf_puts(out, "]}");
    }
}

static void random_record(struct steer_rng *rng, struct steer_buf *out)
{
    static const char *const rules[] = {"EU", "EU-DE", "NA-US-CA", "NA", "AS", "EU-DE-BE"};
    const unsigned first = below(rng, 6);
    steer_buf_clear(out);
    steer_buf_printf(out, "{\"kind\":\"address\",\"ttl\":30,\"allow_negative\":true%s,\"steer\":",
                     below(rng, 3) ? "" : ",\"draw\":\"sticky\"");
    steer_buf_puts(out, "{\"geo\":{\"rules\":[");
    for (unsigned i = 0; i < 3; i++) {
        steer_buf_printf(out, "%s{\"match\":\"%s\",\"to\":", i ? "," : "", rules[(first + i) % 6]);
        random_leaf(rng, out, 1);
        steer_buf_puts(out, "}");
    }
    steer_buf_puts(out, "],\"default\":");
    random_leaf(rng, out, 1);
    steer_buf_puts(out, "}}}");
}

static bool says(const json_t *object, const char *key, const char *text)
{
    const char *value = json_string_value(json_object_get(object, key));
    return strcmp(value ? value : "", text) == 0;
}

static bool in_list(const json_t *list, const char *text)
{
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item)
    {
        if (strcmp(json_string_value(item), text) == 0)
            return true;
    }
    return false;
}

// What the plan says of an endpoint's share at a place; a subdivision that it does not tell apart has its country's.
static const char *told_share(const json_t *plan, unsigned type, bool v6, const char *place,
                              const char *name, const char *key)
{
    const char *as = as_type(plan, type_names[type]);
    const json_t *item, *share;
    size_t i, k;
    bool listed_place = false;
    json_array_foreach(json_object_get(plan, "shares"), i, item)
    {
        listed_place |= says(item, "place", place) && says(item, "type", as);
        if (says(item, "place", place) && says(item, "type", as) && says(item, "name", name) &&
            says(item, "kind", "endpoint") && says(item, "clients", v6 ? "ipv6" : "ipv4"))
            return json_string_value(json_object_get(item, key));
    }
    json_array_foreach(json_object_get(plan, "by_country"), i, item)
    {
        if (!says(item, "type", as) || !in_list(json_object_get(item, "places"), place))
            continue;
        listed_place = true;
        json_array_foreach(json_object_get(item, "shares"), k, share)
        {
            if (says(share, "name", name) && says(share, "kind", "endpoint"))
                return json_string_value(json_object_get(share, key));
        }
    }
    if (!listed_place && strlen(place) > 6) { // all of its country get the same
        const char country[6] = {place[0], place[1], place[2], place[3], place[4], '\0'};
        return told_share(plan, type, v6, country, name, key);
    }
    return "0/1";
}

static void format(wide num, wide den, char out[96])
{
    wide a = den, b = num;
    while (b) {
        const wide rest = a % b;
        a = b;
        b = rest;
    }
    char digits[2][48];
    for (unsigned i = 0; i < 2; i++) {
        wide value = (i ? den : num) / a;
        char *at = digits[i] + 47;
        *at = '\0';
        do
            *--at = (char)('0' + (int)(value % 10));
        while (value /= 10);
        memmove(digits[i], at, strlen(at) + 1);
    }
    snprintf(out, 96, "%s/%s", digits[0], digits[1]);
}

static double told_failure(const json_t *plan, unsigned type, bool v6, const char *name,
                           const char *key)
{
    const json_t *item;
    size_t i;
    json_array_foreach(json_object_get(plan, "failures"), i, item)
    {
        if (says(item, "type", as_type(plan, type_names[type])) && says(item, "name", name) &&
            says(item, "clients", v6 ? "ipv6" : "ipv4"))
            return json_number_value(json_object_get(item, key));
    }
    return 0;
}

// Subdivisions are told where one side's rules name them.
static bool is_told(const struct census *census, const char *place)
{
    return strlen(place) < 7 || strstr(census[0].record->json, place) ||
           strstr(census[1].record->json, place);
}

static void compare_census(const json_t *plan, const struct census *census, bool after)
{
    const struct census *c = &census[after];
    const char *key = after ? "after" : "before";
    char wanted[96];
    for (unsigned t = 0; t < TYPES; t++) {
        for (int v6 = 0; v6 < FAMILIES; v6++) {
            const struct count *count = &c->count[t][v6];
            for (unsigned p = 0; p < PLACES; p++)
                for (unsigned k = 0;
                     count->clients[p] && is_told(census, told_places[p]) && k < DRAWN; k++) {
                    format(count->parts[p][k], (wide)count->clients[p] * PARTS, wanted);
                    const char *got = told_share(plan, t, v6, told_places[p], drawn[k], key);
                    if (strcmp(got, wanted) != 0)
                        fail_msg("%s, %s, ipv%d in '%s' of %s: %s, wanted %s", key, type_names[t],
                                 v6 ? 6 : 4, told_places[p], drawn[k], got, wanted);
                }
            for (unsigned k = 0; k < DOWNS; k++) {
                const char *name = k < DRAWN ? drawn[k] : sites[k - DRAWN];
                const double all = (double)count->clients[0] / 100;
                const double served_all = (double)count->served_all[k] / all;
                const double nothing = (double)count->nothing[k] / all;
                if (after) {
                    assert_true(fabs(told_failure(plan, t, v6, name, "serve_all") - served_all) <
                                1e-9);
                    assert_true(fabs(told_failure(plan, t, v6, name, "nodata") - nothing) < 1e-9);
                }
            }
        }
    }
}

static void each_share_and_failure_is_that_of_asking_for_every_address(void **state)
{
    (void)state;
    const char *files[] = {GEO};
    struct steer_geo *geo;
    struct steer_rng rng;
    struct steer_buf json = {0};
    assert_int_equal(steer_geo_open(files, 1, NULL, &geo, NULL), STEER_OK);
    steer_rng_init(&rng, 92);
    struct steer_impact *impact = steer_impact_create(geo, &view);
    for (unsigned round = 0; round < ROUNDS; round++) {
        static struct census census[2];
        struct steer_impact_side sides[2];
        json_t *plan = NULL;
        for (unsigned s = 0; s < 2; s++) {
            struct steer_catalog *catalog = small_catalog();
            put(catalog, STEER_ENDPOINT, "h",
                "{\"ipv4\":\"192.0.2.50\",\"ipv6\":\"2001:db8::50\",\"https\":{}}");
            random_record(&rng, &json);
            sides[s] = (struct steer_impact_side){
                catalog, record_of(catalog, "api.example.com. address", json.data)};
            census[s] = (struct census){.geo = geo, .catalog = catalog, .record = sides[s].steered};
            count_all(&census[s]);
        }
        assert_int_equal(steer_impact_of(impact, &sides[0], &sides[1],
                                         &(struct steer_impact_how){.all = true}, &plan, NULL),
                         STEER_OK);
        for (unsigned s = 0; s < 2; s++)
            compare_census(plan, census, s);
        for (unsigned s = 0; s < 2; s++) {
            census_fini(&census[s]);
            steer_catalog_unref(census[s].catalog);
        }
        json_decref(plan);
    }
    steer_impact_destroy(impact);
    steer_buf_fini(&json);
    steer_geo_unref(geo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_and_moves_are_those_of_every_address),
        cmocka_unit_test(each_share_and_failure_is_that_of_asking_for_every_address),
    };
    return cmocka_run_group_tests_name("impact", tests, NULL, NULL);
}
