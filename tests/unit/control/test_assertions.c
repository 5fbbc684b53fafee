// SPDX-License-Identifier: GPL-3.0-or-later
// Assertions in random sequences of edits: what an edit breaks it is told, though it judges only what it reaches, and
// the client that it is told of gets that when it is asked for.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/control/linker.h"

#define GEO STEER_SOURCE_DIR "/geodata/country.mmdb"

enum {
    NOW = 1800000000,
    STEPS = 1500,
    ENDPOINTS = 6,
    SITES = 3,
    POOLS = 4,
    RECORDS = 6,
    ASSERTIONS = 9
};

struct author {
    struct steer_rng rng;
    struct steer_buf json;
    struct steer_vitals *vitals;
    struct steer_linker *linker;
};

static unsigned below(struct author *a, unsigned n)
{
    return (unsigned)(steer_rng_next(&a->rng) % n);
}

// ---- random objects ------------------------------------------------------------------------------

static void write_leaf(struct author *a)
{
    if (below(a, 3))
        steer_buf_printf(&a->json, "{\"pool\":\"p%u\"}", below(a, POOLS));
    else
        steer_buf_printf(&a->json, "{\"endpoint\":\"e%u\"}", below(a, ENDPOINTS));
}

static void write_failover(struct author *a)
{
    steer_buf_puts(&a->json, "{\"failover\":[");
    write_leaf(a);
    steer_buf_puts(&a->json, ",");
    write_leaf(a);
    steer_buf_puts(&a->json, "]}");
}

static void write_record(struct author *a)
{
    static const char *const rules[] = {"\"192.0.2.64/26\",\"2001:db8:de::/48\"", "\"AS64500\""};
    steer_buf_printf(&a->json,
                     "{\"kind\":\"address\",\"ttl\":30,\"allow_negative\":true%s,\"steer\":",
                     below(a, 3) ? "" : ",\"draw\":\"sticky\"");
    const unsigned kind = below(a, 4);
    if (kind < 2) {
        write_failover(a);
    } else if (kind == 2) {
        steer_buf_printf(&a->json,
                         "{\"network\":{\"rules\":[{\"match\":[%s],\"to\":", rules[below(a, 2)]);
        write_leaf(a);
        steer_buf_puts(&a->json, "}],\"default\":");
        write_failover(a);
        steer_buf_puts(&a->json, "}}");
    } else {
        steer_buf_puts(&a->json, "{\"geo\":{\"rules\":[{\"match\":\"EU\",\"to\":");
        write_failover(a);
        steer_buf_puts(&a->json, "}],\"default\":");
        write_failover(a);
        steer_buf_puts(&a->json, "}}");
    }
    steer_buf_puts(&a->json, "}");
}

static void write_assertion(struct author *a)
{
    static const char *const clients[] = {"", "\"clients\":\"EU\",",
                                          "\"clients\":[\"NA\",\"192.0.2.0/24\"],",
                                          "\"clients\":[\"AS64500\",\"2001:db8:5::/48\"],"};
    steer_buf_printf(&a->json, "{%s", clients[below(a, 4)]);
    const unsigned kind = below(a, 5);
    if (kind < 2)
        steer_buf_printf(&a->json, "\"survive\":\"any-one-%s\"", kind ? "site" : "endpoint");
    else if (kind < 4)
        steer_buf_printf(&a->json, "\"%s\":[\"p%u\",\"s%u\",\"e%u\"]", kind == 2 ? "only" : "never",
                         below(a, POOLS), below(a, SITES), below(a, ENDPOINTS));
    else
        steer_buf_printf(&a->json, "\"share\":{\"of\":\"p%u\",\"max\":\"%u%%\"}", below(a, POOLS),
                         below(a, 100));
    if (below(a, 3) == 0)
        steer_buf_printf(&a->json, ",\"records\":\"r%u.example.com.\"", below(a, RECORDS));
    steer_buf_puts(&a->json, "}");
}

static void write_pool(struct author *a)
{
    const unsigned first = below(a, ENDPOINTS);
    const unsigned count = 1 + below(a, 3);
    steer_buf_puts(&a->json, "{\"endpoints\":{");
    for (unsigned i = 0; i < count; i++)
        steer_buf_printf(&a->json, "%s\"e%u\":%u", i ? "," : "", (first + i) % ENDPOINTS,
                         1 + below(a, 9));
    steer_buf_puts(&a->json, "}}");
}

// The name and the document follow from kind and number.
static struct steer_object *write_object(struct author *a, enum steer_kind kind, unsigned number)
{
    char name[48], document[8] = "base";
    struct steer_object *object;
    struct steer_diag diag = {0};
    struct steer_name zone;
    assert_int_equal(steer_name_parse("example.com.", NULL, &zone, NULL), STEER_OK);
    steer_buf_clear(&a->json);
    if (kind == STEER_SITE) {
        snprintf(name, sizeof name, "s%u", number);
        steer_buf_puts(&a->json, "{\"at\":\"EU-DE\"}");
    } else if (kind == STEER_ENDPOINT) {
        snprintf(name, sizeof name, "e%u", number);
        steer_buf_printf(
            &a->json, "{\"site\":\"s%u\",\"ipv4\":\"192.0.2.%u\"%s%s}", below(a, SITES), number + 1,
            below(a, 2) ? ",\"ipv6\":\"2001:db8::1\"" : "", below(a, 3) ? "" : ",\"https\":{}");
    } else if (kind == STEER_POOL) {
        snprintf(name, sizeof name, "p%u", number);
        write_pool(a);
    } else if (kind == STEER_ASSERTION) {
        snprintf(document, sizeof document, "d%u", number % 3);
        snprintf(name, sizeof name, "%s/%u", document, number);
        write_assertion(a);
    } else {
        snprintf(document, sizeof document, "d%u", number % 3);
        snprintf(name, sizeof name, "r%u.example.com. address", number);
        write_record(a);
    }
    if (steer_object_from_json(kind, name, document, a->json.data,
                               kind == STEER_STEERED ? &zone : NULL, &object, &diag))
        fail_msg("%s %s: %s", name, a->json.data, diag.message);
    return object;
}

static void put(struct author *a, struct steer_link *link, enum steer_kind kind, unsigned number)
{
    struct steer_object *object = write_object(a, kind, number);
    struct steer_diag diag = {0};
    if (kind != STEER_STEERED)
        steer_link_put(link, object);
    else if (steer_link_put_steered(link, object, &diag) != STEER_OK)
        fail_msg("%s", diag.message);
    steer_object_unref(object);
}

// ---- the plain judge: everything -----------------------------------------------------------------

static void pair_name(char out[600], const struct steer_object *assertion,
                      const struct steer_object *steered)
{
    snprintf(out, 600, "%s|%s", assertion->name, steered->name);
}

static void judge_all(struct author *a, struct steer_map *broken)
{
    const struct steer_catalog *catalog = steer_linker_catalog(a->linker);
    struct steer_residuals *residuals = steer_linker_residuals(a->linker);
    const struct steer_geo *geo = steer_linker_geo(a->linker);
    const struct steer_object **records = steer_catalog_list(catalog, STEER_STEERED);
    const struct steer_object **assertions = steer_catalog_list(catalog, STEER_ASSERTION);
    struct steer_judge *judge =
        steer_judge_create(catalog, geo, residuals, &steer_linker_view(a->linker)->view, false);
    for (size_t r = 0; r < steer_catalog_count(catalog, STEER_STEERED); r++) {
        struct steer_classes classes;
        assert_int_equal(steer_classes_compile(residuals, catalog, records[r], geo, &classes, NULL),
                         STEER_OK);
        for (size_t i = 0; i < steer_catalog_count(catalog, STEER_ASSERTION); i++) {
            struct steer_breach breach;
            char pair[600];
            pair_name(pair, assertions[i], records[r]);
            if (steer_assertion_covers(assertions[i], records[r]) &&
                !steer_judge_holds(judge, assertions[i], records[r], &classes, &breach))
                steer_map_put(broken, pair, 1);
        }
        steer_classes_fini(residuals, &classes);
    }
    steer_judge_destroy(judge);
    free(records);
    free(assertions);
}

static void note_breaches(const struct steer_link *link, struct steer_map *told)
{
    size_t count;
    const struct steer_link_breach *breaches = steer_link_breaches(link, &count);
    for (size_t i = 0; i < count; i++) {
        char pair[600];
        pair_name(pair, breaches[i].assertion, breaches[i].steered);
        if (!breaches[i].now)
            steer_map_put(told, pair, 1);
    }
}

// ---- whether the client proves it ----------------------------------------------------------------

static void must_say(const struct steer_breach *b, const char *what, bool said)
{
    if ((strstr(b->gets, what) != NULL) != said)
        fail_msg("'%s' is %sin: %s", what, said ? "not " : "", b->message);
}

// Asked over explain, it gets what the breach says.
static void ask_client(struct author *a, struct steer_link *link,
                       const struct steer_link_breach *breach)
{
    const struct steer_breach *b = &breach->breach;
    const struct steer_down down = {b->down_kind, b->down};
    const struct steer_explain_question question = {
        .name = breach->steered->steered.owner,
        .type = b->type,
        .client = b->client,
        .source = (uint8_t)steer_family_bits(b->client.family),
        .down = &down,
        .down_count = b->down[0] ? 1 : 0,
        .link = link,
    };
    json_t *told = steer_linker_explain(a->linker, &question);
    const json_t *answers = json_object_get(told, "answers");
    assert_true(json_is_array(answers));
    must_say(b, "serve_all",
             json_is_true(json_object_get(told, "served_all")) && json_array_size(answers));
    must_say(b, "no ", json_array_size(answers) == 0);
    for (size_t i = 0; i < json_array_size(answers) && i < 4; i++) {
        char share[32];
        const json_t *answer = json_array_get(answers, i);
        must_say(b, json_string_value(json_array_get(json_object_get(answer, "endpoints"), 0)),
                 true);
        snprintf(share, sizeof share, "%.4g%%",
                 json_number_value(json_object_get(answer, "share")));
        must_say(b, share, json_array_size(answers) > 1);
    }
    json_decref(told);
}

static unsigned ask_clients(struct author *a, struct steer_link *link)
{
    size_t count;
    const struct steer_link_breach *breaches = steer_link_breaches(link, &count);
    for (size_t i = 0; i < count; i++)
        ask_client(a, link, &breaches[i]);
    return (unsigned)count;
}

// ---- the test ------------------------------------------------------------------------------------

static void begin(struct author *a)
{
    static const char zone[] = "zone: example.com\n";
    const char *files[] = {GEO, STEER_SOURCE_DIR "/geodata/asn.mmdb"};
    struct steer_geo *geo;
    struct steer_document *document;
    struct steer_link_summary summary = {0};
    const struct steer_link_documents_options options = {false, false};
    steer_rng_init(&a->rng, 20261121);
    a->vitals = steer_vitals_create();
    assert_int_equal(steer_geo_open(files, 2, NULL, &geo, NULL), STEER_OK);
    assert_int_equal(steer_linker_create(geo, a->vitals, &a->linker, NULL), STEER_OK);
    steer_geo_unref(geo);
    assert_int_equal(steer_document_parse(zone, strlen(zone), "base", "base", &document, NULL),
                     STEER_OK);
    struct steer_link *link = steer_link_begin(a->linker);
    assert_int_equal(steer_link_documents(link, &document, 1, &options, &summary, NULL), STEER_OK);
    for (unsigned i = 0; i < SITES; i++)
        put(a, link, STEER_SITE, i);
    for (unsigned i = 0; i < ENDPOINTS; i++)
        put(a, link, STEER_ENDPOINT, i);
    for (unsigned i = 0; i < POOLS; i++)
        put(a, link, STEER_POOL, i);
    for (unsigned i = 0; i < RECORDS; i++)
        put(a, link, STEER_STEERED, i);
    assert_int_equal(steer_link_prepare(link, NOW, NULL), STEER_OK);
    steer_link_commit(link);
    steer_link_summary_fini(&summary);
    steer_document_destroy(document);
}

static void edit(struct author *a, struct steer_link *link)
{
    static const enum steer_kind kinds[] = {STEER_ENDPOINT, STEER_POOL, STEER_STEERED,
                                            STEER_ASSERTION};
    static const unsigned numbers[] = {ENDPOINTS, POOLS, RECORDS, ASSERTIONS};
    const unsigned kind = below(a, 4);
    put(a, link, kinds[kind], below(a, numbers[kind]));
}

static void an_edit_is_told_what_it_breaks(void **state)
{
    (void)state;
    struct author a = {.json = {0}};
    struct steer_map before = {0};
    unsigned newly = 0, at = 0, asked = 0;
    begin(&a);
    for (unsigned step = 0; step < STEPS; step++) {
        struct steer_map told = {0}, after = {0};
        struct steer_link *link = steer_link_begin(a.linker);
        const char *pair;
        size_t i = 0;
        steer_link_set_planning(link);
        edit(&a, link);
        assert_int_equal(steer_link_prepare(link, NOW, NULL), STEER_OK);
        note_breaches(link, &told);
        asked += ask_clients(&a, link);
        steer_link_commit(link);
        judge_all(&a, &after);
        while (steer_map_next(&told, &i, &pair, NULL))
            if (!steer_map_get(&after, pair, NULL))
                fail_msg("step %u: %s holds", step, pair);
        for (i = 0; steer_map_next(&after, &i, &pair, NULL); at++) {
            if (steer_map_get(&before, pair, NULL))
                continue;
            newly++;
            if (!steer_map_get(&told, pair, NULL))
                fail_msg("step %u: %s does not hold, and nobody said so", step, pair);
        }
        steer_map_fini(&told);
        steer_map_fini(&before);
        before = after;
    }
    print_message("%u pairs broke in %u edits, %u clients were asked\n", newly, STEPS, asked);
    assert_true(asked >= newly && newly > STEPS / 10 && at > newly);
    steer_map_fini(&before);
    steer_linker_destroy(a.linker);
    steer_vitals_destroy(a.vitals);
    steer_buf_fini(&a.json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edit_is_told_what_it_breaks),
    };
    return cmocka_run_group_tests_name("assertions", tests, NULL, NULL);
}
