// SPDX-License-Identifier: GPL-3.0-or-later
// Draws that depend on who asks, from a document to the wire: coherent and sticky.
#include "ask.h"

#include <math.h>
#include <stdlib.h>

#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/control/linker.h"

#define GEO STEER_SOURCE_DIR "/geodata/country.mmdb"

enum { NOW = 1800000000, SEED = 20263, ASKED = 2000, TTL_S = 60 };

struct fixture {
    struct steer_vitals *vitals;
    struct steer_linker *linker;
};

static const char document[] =
    "zone: example.com\n"
    "endpoints:\n"
    "  a: {ipv4: 192.0.2.1, ipv6: \"2001:db8::1\", https: {alpn: h2}}\n"
    "  b: {ipv4: 192.0.2.2, ipv6: \"2001:db8::2\", https: {alpn: h2}}\n"
    "  c: {ipv4: 192.0.2.3, ipv6: \"2001:db8::3\", https: {alpn: h2}}\n"
    "  d: {ipv4: 192.0.2.4, ipv6: \"2001:db8::4\", https: {alpn: h2}}\n"
    "pools:\n"
    "  p: {endpoints: {a: 1, b: 2, c: 3, d: 2}}\n"
    "records:\n"
    "  coherent: {ttl: 60, draw: coherent, steer: {pool: p}}\n"
    "  mixed:\n"
    "    ttl: 60\n"
    "    draw: coherent\n"
    "    steer:\n"
    "      weighted:\n"
    "        - {weight: 1, to: {answer: {A: [192.0.2.9], AAAA: [\"2001:db8::9\"]}}}\n"
    "        - {weight: 2, to: {pool: p}}\n"
    "        - {weight: 1, to: {answer: {A: [192.0.2.9], AAAA: [\"2001:db8::8\"]}}}\n"
    "  \"*.w\": {ttl: 60, draw: coherent, steer: {pool: p}}\n"
    "  sticky: {ttl: 60, draw: sticky, steer: {pool: p}}\n"
    "  wide: {ttl: 60, draw: {sticky: {v4: 16, v6: 32}}, steer: {pool: p}}\n"
    "  placed:\n"
    "    ttl: 60\n"
    "    draw: sticky\n"
    "    steer:\n"
    "      geo:\n"
    "        rules: [{match: EU, to: {endpoint: a}}, {match: NA, to: {pool: p}}]\n"
    "        default: {failover: [{endpoint: b}, {endpoint: c}]}\n";

static void apply(struct fixture *f, const char *text)
{
    struct steer_document *d;
    struct steer_diag diag = {0};
    struct steer_link_summary summary = {0};
    const struct steer_link_documents_options options = {0};
    if (steer_document_parse(text, strlen(text), "test", "test", &d, &diag) != STEER_OK)
        fail_msg("%s", diag.message);
    struct steer_link *link = steer_link_begin(f->linker);
    if (steer_link_documents(link, &d, 1, &options, &summary, &diag) != STEER_OK ||
        steer_link_prepare(link, NOW, &diag) != STEER_OK)
        fail_msg("%s", diag.message);
    steer_link_commit(link);
    steer_link_summary_fini(&summary);
    steer_document_destroy(d);
    steer_vitals_follow(f->vitals, steer_linker_catalog(f->linker), NULL, NULL, NULL);
}

static int setup(void **state)
{
    struct fixture *f = steer_calloc(1, sizeof *f);
    const char *files[] = {GEO};
    struct steer_geo *geo;
    assert_int_equal(steer_geo_open(files, 1, NULL, &geo, NULL), STEER_OK);
    f->vitals = steer_vitals_create();
    assert_int_equal(steer_linker_create(geo, f->vitals, &f->linker, NULL), STEER_OK);
    steer_geo_unref(geo);
    apply(f, document);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    steer_linker_destroy(f->linker);
    steer_vitals_destroy(f->vitals);
    free(f);
    return 0;
}

// The last octet of the one address given; the scope in *scope. from: the packet's source; subnet: NULL, or
// the whole of it is the client subnet.
static unsigned given(const struct fixture *f, const char *name, uint16_t type,
                      const struct steer_addr *from, const struct steer_addr *subnet,
                      uint32_t now_s, uint64_t random, uint8_t *scope)
{
    static const struct steer_answer_settings settings = {.udp_size = 1232};
    uint8_t query[512];
    struct reply r;
    struct steer_ask a = {
        .message = query, .client = *from, .stream = true, .now_s = now_s, .random = random};
    a.len = build_query(query, name, type, subnet ? subnet : from);
    r.len =
        steer_answer(steer_linker_world(f->linker), &settings, &a, r.wire, sizeof r.wire, &r.facts);
    assert_int_equal(r.facts.kind, STEER_FACT_POSITIVE);
    char text[512];
    *scope = r.facts.scope;
    if (type == STEER_TYPE_HTTPS) {
        const uint8_t *hint = memmem(r.wire, r.len, "\0\4\xc0\0\2", 5);
        assert_non_null(hint);
        return hint[5];
    }
    reply_text(&r, text, sizeof text);
    const char *end = strrchr(text, type == STEER_TYPE_A ? '.' : ':');
    return (unsigned)strtoul(end + 1, NULL, 10);
}

static struct steer_addr random_addr(struct steer_rng *rng)
{
    const uint64_t bits = steer_rng_next(rng);
    struct steer_addr addr = {.family = bits & 1 ? STEER_V4 : STEER_V6};
    memcpy(addr.octets, &bits, 8);
    if (addr.family == STEER_V4)
        memset(addr.octets + 4, 0, 12);
    addr.octets[0] = addr.family == STEER_V4 ? 0x0a : 0x24; // of no known place
    return addr;
}

static void one_resolver_gets_one_endpoint_for_one_ttl(void **state)
{
    const struct fixture *f = *state;
    struct steer_rng rng;
    uint8_t scope;
    unsigned count[10] = {0};
    steer_rng_init(&rng, SEED);
    for (unsigned i = 0; i < ASKED; i++) {
        const struct steer_addr from = random_addr(&rng);
        const struct steer_addr subnet = random_addr(&rng);
        unsigned last = 0;
        unsigned changes = 0;
        for (uint32_t s = 0; s < TTL_S; s += 5) {
            const unsigned a = given(f, "coherent.example.com.", STEER_TYPE_A, &from, NULL, NOW + s,
                                     steer_rng_next(&rng), &scope);
            assert_int_equal(scope, 0);
            assert_int_equal(given(f, "coherent.example.com.", STEER_TYPE_AAAA, &from, &subnet,
                                   NOW + s, steer_rng_next(&rng), &scope),
                             a);
            assert_int_equal(scope, 0);
            assert_int_equal(given(f, "coherent.example.com.", STEER_TYPE_HTTPS, &from, NULL,
                                   NOW + s, steer_rng_next(&rng), &scope),
                             a);
            changes += s && a != last;
            last = a;
        }
        assert_true(changes <= 1); // where its span ends, at another moment for each
        count[last]++;
    }
    static const unsigned weights[] = {0, 1, 2, 3, 2};
    for (unsigned i = 1; i <= 4; i++) {
        const double mean = ASKED * weights[i] / 8.0;
        assert_true(fabs(count[i] - mean) < 5 * sqrt(mean));
    }
}

static void spans_of_different_resolvers_end_at_different_moments(void **state)
{
    const struct fixture *f = *state;
    struct steer_rng rng;
    uint8_t scope;
    unsigned changes[TTL_S] = {0};
    unsigned all = 0;
    steer_rng_init(&rng, SEED + 1);
    for (unsigned i = 0; i < ASKED; i++) {
        const struct steer_addr from = random_addr(&rng);
        unsigned last = 0;
        for (uint32_t s = 0; s <= TTL_S; s++) {
            const unsigned a =
                given(f, "coherent.example.com.", STEER_TYPE_A, &from, NULL, NOW + s, 0, &scope);
            if (s && a != last) {
                changes[s - 1]++;
                all++;
            }
            last = a;
        }
    }
    for (unsigned s = 0; s < TTL_S; s++)
        assert_true(changes[s] < all / 15); // a 60th of them each
}

static void equal_data_of_one_family_does_not_part_the_families(void **state)
{
    const struct fixture *f = *state;
    struct steer_rng rng;
    uint8_t scope;
    steer_rng_init(&rng, SEED + 2);
    for (unsigned i = 0; i < ASKED; i++) {
        const struct steer_addr from = random_addr(&rng);
        unsigned a = given(f, "mixed.example.com.", STEER_TYPE_A, &from, NULL, NOW, 0, &scope);
        unsigned aaaa =
            given(f, "mixed.example.com.", STEER_TYPE_AAAA, &from, NULL, NOW, 0, &scope);
        assert_true(a == aaaa || (a == 9 && aaaa == 8));
    }
}

static void names_are_drawn_for_themselves(void **state)
{
    const struct fixture *f = *state;
    struct steer_rng rng;
    uint8_t scope;
    unsigned differ = 0;
    steer_rng_init(&rng, SEED + 3);
    for (unsigned i = 0; i < ASKED; i++) {
        const struct steer_addr from = random_addr(&rng);
        const unsigned one =
            given(f, "one.w.example.com.", STEER_TYPE_A, &from, NULL, NOW, 0, &scope);
        assert_int_equal(
            given(f, "ONE.W.example.com.", STEER_TYPE_AAAA, &from, NULL, NOW, 0, &scope), one);
        differ += one != given(f, "two.w.example.com.", STEER_TYPE_A, &from, NULL, NOW, 0, &scope);
    }
    assert_true(differ > ASKED / 2);
}

// Whatever the lower bits, the time, the family asked for and the generator.
static void a_network_stays_with_its_endpoint(void **state)
{
    const struct fixture *f = *state;
    static const struct {
        const char *name;
        uint8_t v4, v6;
    } rows[] = {{"sticky.example.com.", 24, 56}, {"wide.example.com.", 16, 32}};
    struct steer_rng rng;
    steer_rng_init(&rng, SEED + 4);
    for (unsigned i = 0; i < ASKED; i++) {
        const uint8_t v4 = rows[i % 2].v4;
        const uint8_t v6 = rows[i % 2].v6;
        const struct steer_addr from = random_addr(&rng);
        struct steer_addr client = random_addr(&rng);
        const uint8_t bits = client.family == STEER_V4 ? v4 : v6;
        static const uint16_t types[] = {STEER_TYPE_HTTPS, STEER_TYPE_A, STEER_TYPE_AAAA};
        uint8_t scope;
        const unsigned first =
            given(f, rows[i % 2].name, STEER_TYPE_A, &from, &client, NOW, 0, &scope);
        assert_int_equal(scope, bits);
        for (unsigned k = 0; k < 4; k++) {
            const unsigned at = bits + (unsigned)(steer_rng_next(&rng) >> 33) %
                                           (steer_family_bits(client.family) - bits);
            client.octets[at / 8] ^= (uint8_t)(0x80 >> at % 8);
            // With the subnet, and as the source of the packet.
            assert_int_equal(given(f, rows[i % 2].name, types[k % 3], k < 2 ? &from : &client,
                                   k < 2 ? &client : NULL, NOW + 977 * k, steer_rng_next(&rng),
                                   &scope),
                             first);
            assert_int_equal(scope, bits);
        }
    }
}

static void ipv4_inside_ipv6_is_the_same_network(void **state)
{
    const struct fixture *f = *state;
    static const char *const forms[] = {"::ffff:10.1.2.3", "64:ff9b::10.1.2.3",
                                        "2002:a01:203::", "2001:0:c000:201::f5fe:fdfc"};
    static const uint8_t scopes[] = {120, 120, 40, 120};
    struct steer_addr v4;
    uint8_t scope;
    assert_true(steer_addr_parse("10.1.2.9", &v4));
    const unsigned first = given(f, "sticky.example.com.", STEER_TYPE_A, &v4, NULL, NOW, 0, &scope);
    for (unsigned i = 0; i < STEER_ARRAY_LEN(forms); i++) {
        struct steer_addr client;
        assert_true(steer_addr_parse(forms[i], &client));
        assert_int_equal(
            given(f, "sticky.example.com.", STEER_TYPE_A, &v4, &client, NOW, 0, &scope), first);
        assert_int_equal(scope, scopes[i]);
    }
}

// Only where a choice can arise: not for EU (one endpoint), nor where failover alone decides.
static void the_scope_is_raised_where_there_is_a_choice(void **state)
{
    const struct fixture *f = *state;
    static const struct {
        const char *client;
        uint8_t scope;
    } rows[] = {{"198.51.100.9", 24}, {"192.0.2.9", 24}, {"10.1.2.3", 2}, {"2001:db8:a::1", 56}};
    for (unsigned i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_addr client;
        uint8_t scope;
        assert_true(steer_addr_parse(rows[i].client, &client));
        (void)given(f, "placed.example.com.", STEER_TYPE_A, &client, NULL, NOW, 0, &scope);
        assert_int_equal(scope, rows[i].scope);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_resolver_gets_one_endpoint_for_one_ttl),
        cmocka_unit_test(spans_of_different_resolvers_end_at_different_moments),
        cmocka_unit_test(equal_data_of_one_family_does_not_part_the_families),
        cmocka_unit_test(names_are_drawn_for_themselves),
        cmocka_unit_test(a_network_stays_with_its_endpoint),
        cmocka_unit_test(ipv4_inside_ipv6_is_the_same_network),
        cmocka_unit_test(the_scope_is_raised_where_there_is_a_choice),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
