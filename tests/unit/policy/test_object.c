// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/base/buf.h"
#include "steerd/base/hash.h"
#include "steerd/policy/document.h"

static struct steer_name name_of(const char *text)
{
    struct steer_name name;
    struct steer_diag diag;
    assert_int_equal(steer_name_parse(text, NULL, &name, &diag), STEER_OK);
    return name;
}

static struct steer_object *load(const struct steer_object *object)
{
    struct steer_object *copy = NULL;
    struct steer_diag diag = {0};
    const struct steer_name *zone = object->kind == STEER_STEERED ? &object->steered.zone : NULL;
    if (steer_object_from_json(object->kind, object->name, object->document, object->json, zone,
                               &copy, &diag))
        fail_msg("%s\n%s", diag.message, object->json);
    return copy;
}

// ---- equality of what was parsed -----------------------------------------------------------------

static void assert_same_text(const char *a, const char *b)
{
    assert_int_equal(!a, !b);
    if (a)
        assert_string_equal(a, b);
}

static void assert_same_node(const struct steer_node *a, const struct steer_node *b);

static void assert_same_child(const struct steer_child *a, const struct steer_child *b)
{
    assert_int_equal(a->weight, b->weight);
    assert_int_equal(a->fence, b->fence);
    assert_int_equal(a->is_default, b->is_default);
    assert_int_equal(a->place_count, b->place_count);
    for (unsigned i = 0; i < a->place_count; i++)
        assert_memory_equal(&a->places[i], &b->places[i], sizeof a->places[i]);
    assert_int_equal(b->at.line, 0);
    assert_same_node(a->node, b->node);
}

static void assert_same_fixed(const struct steer_fixed *a, const struct steer_fixed *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->count, b->count);
    for (unsigned i = 0; i < a->count; i++) {
        assert_int_equal(a->len[i], b->len[i]);
        assert_memory_equal(a->rdata[i], b->rdata[i], a->len[i]);
    }
}

static void assert_same_node(const struct steer_node *a, const struct steer_node *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->when, b->when);
    assert_int_equal(a->min_available.value, b->min_available.value);
    assert_int_equal(a->min_available.percent, b->min_available.percent);
    assert_int_equal(a->trickle_ppm, b->trickle_ppm);
    assert_same_text(a->name, b->name);
    assert_int_equal(b->at.line, 0);
    assert_int_equal(a->child_count, b->child_count);
    for (uint32_t i = 0; i < a->child_count; i++)
        assert_same_child(&a->children[i], &b->children[i]);
    assert_int_equal(a->fixed_count, b->fixed_count);
    // The stored JSON has its keys sorted, so that the RRsets of an answer may come in another order.
    for (uint32_t i = 0; i < a->fixed_count; i++)
        for (uint32_t k = 0; k < b->fixed_count; k++)
            if (a->fixed[i].type == b->fixed[k].type)
                assert_same_fixed(&a->fixed[i], &b->fixed[k]);
    assert_int_equal(!a->substitute, !b->substitute);
    if (a->substitute)
        assert_same_node(a->substitute, b->substitute);
}

static void assert_same_service(const struct steer_service *a, const struct steer_service *b)
{
    assert_int_equal(a->priority, b->priority);
    assert_int_equal(a->port, b->port);
    assert_int_equal(a->alpn_len, b->alpn_len);
    assert_memory_equal(a->alpn_len ? (const void *)a->alpn : "",
                        b->alpn_len ? (const void *)b->alpn : "", a->alpn_len);
}

static void assert_same_endpoint(const struct steer_endpoint *a, const struct steer_endpoint *b)
{
    assert_memory_equal(&a->v4, &b->v4, sizeof a->v4);
    assert_memory_equal(&a->v6, &b->v6, sizeof a->v6);
    assert_int_equal(a->has_v4, b->has_v4);
    assert_int_equal(a->has_v6, b->has_v6);
    assert_int_equal(a->has_hostname, b->has_hostname);
    assert_memory_equal(a->hostname.octets, b->hostname.octets, a->hostname.len);
    assert_same_text(a->site, b->site);
    assert_int_equal(a->check_count, b->check_count);
    for (uint32_t i = 0; i < a->check_count; i++)
        assert_string_equal(a->checks[i], b->checks[i]);
    assert_int_equal(a->checks_needed, b->checks_needed);
    assert_int_equal(a->ttl_cap_s, b->ttl_cap_s);
    assert_same_service(&a->https, &b->https);
    assert_same_service(&a->svcb, &b->svcb);
    assert_int_equal(a->mx_preference, b->mx_preference);
    assert_int_equal(a->srv_port, b->srv_port);
    assert_int_equal(a->srv_priority, b->srv_priority);
    assert_int_equal(a->srv_weight, b->srv_weight);
    assert_int_equal(a->label_count, b->label_count);
    for (uint32_t i = 0; i < a->label_count; i++) {
        assert_string_equal(a->labels[i].key, b->labels[i].key);
        assert_string_equal(a->labels[i].value, b->labels[i].value);
    }
}

static void assert_same_check(const struct steer_check *a, const struct steer_check *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->port, b->port);
    assert_int_equal(a->interval_ms, b->interval_ms);
    assert_int_equal(a->timeout_ms, b->timeout_ms);
    assert_memory_equal(&a->hysteresis, &b->hysteresis, sizeof a->hysteresis);
    assert_same_text(a->path, b->path);
    assert_same_text(a->host, b->host);
    assert_same_text(a->method, b->method);
    assert_same_text(a->expect_body, b->expect_body);
    assert_int_equal(a->status_min, b->status_min);
    assert_int_equal(a->status_max, b->status_max);
    assert_int_equal(a->verify, b->verify);
    assert_int_equal(a->prefer_v6, b->prefer_v6);
}

static void assert_same_pool(const struct steer_pool *a, const struct steer_pool *b)
{
    assert_int_equal(a->pick, b->pick);
    assert_int_equal(a->pick_count, b->pick_count);
    assert_int_equal(a->min_available.value, b->min_available.value);
    assert_int_equal(a->min_available.percent, b->min_available.percent);
    assert_int_equal(a->member_count, b->member_count);
    for (uint32_t i = 0; i < a->member_count; i++) {
        assert_string_equal(a->members[i].endpoint, b->members[i].endpoint);
        assert_int_equal(a->members[i].weight, b->members[i].weight);
    }
}

static void assert_same_assertion(const struct steer_assertion *a, const struct steer_assertion *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_string_equal(a->text, b->text);
    assert_int_equal(a->place_count, b->place_count);
    assert_int_equal(a->prefix_count, b->prefix_count);
    assert_int_equal(a->target_count, b->target_count);
    for (uint32_t i = 0; i < a->target_count; i++) {
        assert_int_equal(a->targets[i].kind, b->targets[i].kind);
        assert_string_equal(a->targets[i].name, b->targets[i].name);
    }
    assert_int_equal(a->has_min, b->has_min);
    assert_int_equal(a->has_max, b->has_max);
    assert_int_equal(a->min_ppm, b->min_ppm);
    assert_int_equal(a->max_ppm, b->max_ppm);
    assert_int_equal(a->zone != NULL, b->zone != NULL);
    assert_true(!a->zone || steer_name_equal(a->zone->octets, b->zone->octets));
    assert_int_equal(a->record_count, b->record_count);
    for (uint32_t i = 0; i < a->record_count; i++)
        assert_true(steer_name_equal(a->records[i].octets, b->records[i].octets));
}

static void assert_same_body(const struct steer_object *a, const struct steer_object *b)
{
    switch (a->kind) {
    case STEER_SITE:
        assert_int_equal(a->site.has_place, b->site.has_place);
        assert_int_equal(a->site.has_point, b->site.has_point);
        assert_memory_equal(&a->site.place, &b->site.place, sizeof a->site.place);
        assert_true(a->site.lat >= b->site.lat && a->site.lat <= b->site.lat);
        assert_true(a->site.lon >= b->site.lon && a->site.lon <= b->site.lon);
        break;
    case STEER_CHECK:
        assert_same_check(&a->check, &b->check);
        break;
    case STEER_ENDPOINT:
        assert_same_endpoint(&a->endpoint, &b->endpoint);
        break;
    case STEER_POOL:
        assert_same_pool(&a->pool, &b->pool);
        break;
    case STEER_SWITCH:
        assert_int_equal(a->control_switch.initial, b->control_switch.initial);
        assert_int_equal(a->control_switch.position_count, b->control_switch.position_count);
        for (uint32_t i = 0; i < a->control_switch.position_count; i++)
            assert_string_equal(a->control_switch.positions[i], b->control_switch.positions[i]);
        break;
    case STEER_LATENCY:
        assert_int_equal(steer_latency_count(a->latency), steer_latency_count(b->latency));
        for (size_t i = 0; i < steer_latency_count(a->latency); i++) {
            assert_int_equal(steer_latency_at(a->latency, i)->rtt_us,
                             steer_latency_at(b->latency, i)->rtt_us);
            assert_string_equal(steer_latency_at(a->latency, i)->site,
                                steer_latency_at(b->latency, i)->site);
        }
        break;
    case STEER_POLICY:
        assert_same_node(&a->tree, &b->tree);
        break;
    case STEER_STEERED:
        assert_true(steer_name_equal(a->steered.zone.octets, b->steered.zone.octets));
        assert_true(steer_name_equal(a->steered.owner.octets, b->steered.owner.octets));
        assert_int_equal(a->steered.kind, b->steered.kind);
        assert_int_equal(a->steered.ttl_s, b->steered.ttl_s);
        assert_int_equal(a->steered.allow_negative, b->steered.allow_negative);
        assert_int_equal(a->steered.draw.mode, b->steered.draw.mode);
        assert_int_equal(a->steered.draw.v4_bits, b->steered.draw.v4_bits);
        assert_int_equal(a->steered.draw.v6_bits, b->steered.draw.v6_bits);
        assert_same_node(a->steered.tree, b->steered.tree);
        break;
    case STEER_ASSERTION:
        assert_same_assertion(&a->assertion, &b->assertion);
        break;
    case STEER_KINDS:
        fail();
    }
}

static void assert_comes_back(const struct steer_object *object)
{
    struct steer_object *copy = load(object);
    assert_string_equal(copy->name, object->name);
    assert_string_equal(copy->document, object->document);
    assert_string_equal(copy->json, object->json);
    assert_true(copy->hash == object->hash);
    assert_string_equal(copy->file, "");
    assert_int_equal(copy->at.line, 0);
    assert_same_body(object, copy);
    steer_object_unref(copy);
}

static void document_comes_back(const char *text)
{
    struct steer_document *document = NULL;
    struct steer_diag diag = {0};
    if (steer_document_parse(text, strlen(text), "doc", "doc.yaml", &document, &diag))
        fail_msg("%u:%u: %s\n%s", diag.line, diag.column, diag.message, text);
    for (uint32_t i = 0; i < document->object_count; i++)
        assert_comes_back(document->objects[i]);
    for (uint32_t z = 0; z < document->zone_count; z++)
        for (uint32_t i = 0; i < document->zones[z].steered_count; i++)
            assert_comes_back(document->zones[z].steered[i]);
    steer_document_destroy(document);
}

// ---- tests ---------------------------------------------------------------------------------------

static void every_form_comes_back_from_its_json(void **state)
{
    (void)state;
    document_comes_back(
        "sites: {a: {at: EU}, b: {lat: 38.9, lon: -77.4}, c: {at: NA-US-CA, lat: 0.1, lon: "
        "179.999999}}\n"
        "checks:\n"
        "  a: {type: http, expect_status: 204, expect_body: \"\xc3\xa4 \\\" \\\\ \", interval: "
        "1m30s}\n"
        "  b: {type: https, verify: false, host: h, timeout: 1, family: ipv6, method: POST}\n"
        "  c: {type: tcp, port: 25, initially: down}\n"
        "endpoints:\n"
        "  a: {ipv4: 192.0.2.1, ipv6: \"::1\", labels: {z: a, a: z}, ttl_cap: 1h}\n"
        "  b: {hostname: h.example, checks: [c, a, b], require: 2}\n"
        "  c: {ipv6: \"::2\", https: {alpn: [h3, h2], port: 8443}, svcb: {priority: 7}}\n"
        "  d: {hostname: h.example, mx: {preference: 0}, srv: {port: 53, priority: 2, weight: 3}}\n"
        "pools:\n"
        "  a: {endpoints: [b, a], pick: all}\n"
        "  b: {endpoints: {z: 3, y: 0, x: 65535}, pick: 2, min_available: 100%}\n"
        "policies:\n"
        "  p: {failover: [{use: q}, {endpoint: a}], trickle: 0.0001%, when_unavailable: "
        "serve_all}\n"
        "  q: {answer: {TXT: [b, a], A: 192.0.2.1, MX: [10 a., 5 b.], TYPE65280: '\\# 1 00'}}\n"
        "zone: example.com\n"
        "records:\n"
        "  \"*\": {steer: {geo: {rules: [{match: EU, to: {answer: {CNAME: www}}, fence: true}]}},\n"
        "        kind: cname, allow_negative: true, ttl: 1m}\n"
        "  r: {steer: {pool: a}, draw: random}\n"
        "  s: {steer: {pool: a}, draw: sticky}\n"
        "  t: {steer: {pool: a}, draw: {sticky: {v6: 48}}}\n"
        "  u: {steer: {pool: a}, draw: coherent}\n"
        "  v: {steer: {pool: a}, kind: mx}\n"
        "  w: {steer: {pool: a}, kind: srv}\n"
        "  x: {steer: {answer: {TXT: a}}, kind: txt}\n"
        "  \"a\\\\032b\": {steer: {weighted: [{weight: 1, to: {pool: a}}], min_available: 2}, ttl: "
        "0}\n");
    document_comes_back(
        "zones:\n"
        "  - zone: a.example\n"
        "    assert: [{name: x, clients: [EU, 192.0.2.0/24], only: [a, {site: b}], records: [W, "
        "b]}]\n"
        "  - zone: b.example\n"
        "assert:\n"
        "  - {survive: any-one-site}\n"
        "  - {name: y, survive: any-one-endpoint, clients: \"2001:db8::/32\"}\n"
        "  - {clients: AS, never: a}\n"
        "  - {share: {of: {endpoint: e}, min: 0.5%, max: 100%}, records: w.a.example.}\n");
}

static uint64_t below(struct steer_rng *rng, uint64_t n)
{
    return steer_rng_next(rng) % n;
}

static void random_node(struct steer_rng *rng, struct steer_buf *text, unsigned depth)
{
    static const char *const places[] = {"EU", "AF", "NA-US-CA", "AS-JP", "SA-BR", "OC"};
    uint64_t kind = below(rng, depth < 5 ? 7 : 4);
    uint64_t count = 1 + below(rng, 3);
    steer_buf_puts(text, "{");
    if (kind == 0)
        steer_buf_printf(text, "endpoint: e%u", (unsigned)below(rng, 9));
    else if (kind == 1)
        steer_buf_printf(text, "pool: p%u", (unsigned)below(rng, 9));
    else if (kind == 2)
        steer_buf_printf(text, "use: u%u", (unsigned)below(rng, 9));
    else if (kind == 3)
        steer_buf_printf(text, "answer: {A: [192.0.2.%u, 192.0.2.%u], TXT: t%u}",
                         (unsigned)below(rng, 256), (unsigned)below(rng, 256),
                         (unsigned)below(rng, 9));
    else
        steer_buf_puts(text, kind == 4   ? "weighted: ["
                             : kind == 5 ? "failover: ["
                                         : "geo: {rules: [");
    for (uint64_t i = 0; kind >= 4 && i < count; i++) {
        if (kind == 4)
            steer_buf_printf(text, "{weight: %u, to: ", (unsigned)below(rng, 65536));
        else if (kind == 6)
            steer_buf_printf(text, "{match: [%s, %s], fence: %s, to: ", places[2 * i],
                             places[2 * i + 1], below(rng, 2) ? "true" : "false");
        random_node(rng, text, depth + 1);
        steer_buf_puts(text, kind == 5 ? ", " : "}, ");
    }
    if (kind >= 4)
        steer_buf_puts(text, "]");
    if (kind == 6) {
        steer_buf_puts(text, ", default: ");
        random_node(rng, text, depth + 1);
        steer_buf_puts(text, "}");
    }
    if (kind >= 4 && below(rng, 2))
        steer_buf_printf(text, ", min_available: %u%s", 1 + (unsigned)below(rng, 100),
                         below(rng, 2) ? "%" : "");
    if (kind == 5 && below(rng, 2))
        steer_buf_printf(text, ", trickle: %u.%u%%", (unsigned)below(rng, 100),
                         (unsigned)below(rng, 1000));
    if (kind != 3 && depth < 5 && below(rng, 4) == 0) {
        steer_buf_puts(text, ", when_unavailable: ");
        random_node(rng, text, depth + 1);
    }
    steer_buf_puts(text, "}");
}

static void random_trees_come_back_from_their_json(void **state)
{
    (void)state;
    struct steer_rng rng;
    steer_rng_init(&rng, 20260131);
    for (int i = 0; i < 400; i++) {
        struct steer_buf text = {0};
        steer_buf_puts(&text, "zone: example.com\npolicies:\n  p: ");
        random_node(&rng, &text, 0);
        steer_buf_puts(&text, "\nrecords:\n  a:\n    steer: ");
        random_node(&rng, &text, 0);
        steer_buf_printf(&text, "\n    ttl: %u\n", (unsigned)below(&rng, 100000));
        document_comes_back(text.data);
        steer_buf_fini(&text);
    }
}

static void the_hash_is_of_kind_name_and_definition(void **state)
{
    (void)state;
    static const struct {
        enum steer_kind kind;
        const char *name, *json;
        bool same;
    } rows[] = {
        {STEER_SITE, "a", "{\"at\":\"EU\"}", true},
        {STEER_SITE, "a", " { \"at\" : \"EU\" } ", true},
        {STEER_SITE, "b", "{\"at\":\"EU\"}", false},
        {STEER_SITE, "a", "{\"at\":\"AF\"}", false},
    };
    struct steer_object *first = NULL;
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_object *object = NULL;
        struct steer_diag diag;
        assert_int_equal(steer_object_from_json(rows[i].kind, rows[i].name, "d", rows[i].json, NULL,
                                                &object, &diag),
                         STEER_OK);
        first = first ? first : steer_object_ref(object);
        assert_int_equal(object->hash == first->hash, rows[i].same);
        steer_object_unref(object);
    }
    steer_object_unref(first);
}

static void damaged_json_is_refused(void **state)
{
    static const struct {
        enum steer_kind kind;
        const char *name, *json, *message;
    } rows[] = {
        {STEER_SITE, "a", "{", "stored site 'a' is damaged: "},
        {STEER_SITE, "a", "{\"at\":\"EU\",\"at\":\"AF\"}", "stored site 'a' is damaged: duplicate"},
        {STEER_SITE, "a", "[]", "stored site 'a' is damaged: a site must be a mapping"},
        {STEER_SITE, "a b", "{\"at\":\"EU\"}", "stored site 'a b' is damaged: 'a b' is not a name"},
        {STEER_POOL, "a", "{}", "stored pool 'a' is damaged: pool 'a' needs 'endpoints'"},
        {STEER_STEERED, "x.example.com. cname", "{\"kind\":\"address\",\"steer\":{\"pool\":\"a\"}}",
         "stored steered record 'x.example.com. cname' is damaged: the name does not end with the "
         "kind"},
        {STEER_STEERED, "nospace", "{\"kind\":\"address\",\"steer\":{\"pool\":\"a\"}}",
         "stored steered record 'nospace' is damaged: the name does not end"},
        {STEER_STEERED, "x. address", "{\"kind\":\"address\"}",
         "stored steered record 'x. address' is damaged: it has no tree"},
        {STEER_STEERED, "a..b address", "{\"steer\":{\"pool\":\"a\"}}",
         "stored steered record 'a..b address' is damaged: "},
        {STEER_KINDS, "a", "{}", "stored unknown 'a' is damaged: not an object"},
    };
    (void)state;
    struct steer_name zone = name_of("example.com.");
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_object *object = NULL;
        struct steer_diag diag = {0};
        assert_int_equal(steer_object_from_json(rows[i].kind, rows[i].name, "d", rows[i].json,
                                                &zone, &object, &diag),
                         STEER_EINVAL);
        assert_null(object);
        if (strncmp(diag.message, rows[i].message, strlen(rows[i].message)) != 0)
            fail_msg("%s\nwanted %s", diag.message, rows[i].message);
    }
}

static void an_object_lives_until_its_last_reference_is_gone(void **state)
{
    (void)state;
    struct steer_document *document = NULL;
    struct steer_diag diag;
    const char *text = "sites: {fra: {at: EU-DE}}";
    assert_int_equal(steer_document_parse(text, strlen(text), "doc", "f", &document, &diag),
                     STEER_OK);
    struct steer_object *site = steer_object_ref(document->objects[0]);
    steer_document_destroy(document);
    assert_string_equal(site->name, "fra");
    assert_string_equal(site->document, "doc");
    assert_string_equal(site->json, "{\"at\":\"EU-DE\"}");
    assert_string_equal(site->site.place.country, "DE");
    steer_object_unref(site);
    steer_object_unref(NULL);
}

// ---- measured latency tables ---------------------------------------------------------------------

static struct steer_object *table_of(const char *json)
{
    struct steer_object *table = NULL;
    struct steer_diag diag = {0};
    if (steer_object_from_json(STEER_LATENCY, "world", "d", json, NULL, &table, &diag))
        fail_msg("%s", diag.message);
    return table;
}

static void an_empty_measured_has_defaults(void **state)
{
    (void)state;
    struct steer_object *table = table_of("{\"measured\":{}}");
    const struct steer_measuring *m = table->measured;
    assert_int_equal(m->freeze_s, 3600);
    assert_int_equal(m->half_life_s, 86400);
    assert_int_equal(m->step_us, 5000);
    assert_int_equal(m->hysteresis_us, 2500);
    assert_int_equal(m->min_samples, 10);
    assert_int_equal(m->max_samples, 100);
    assert_int_equal(m->max_estimates, 100000);
    assert_int_equal(m->v4_len, 24);
    assert_int_equal(m->v6_len, 48);
    assert_int_equal(steer_latency_count(table->latency), 0);
    steer_object_unref(table);
    table =
        table_of("{\"measured\":{\"step\":\"20ms\",\"networks\":{\"v4\":16},\"freeze\":\"10m\"}}");
    assert_int_equal(table->measured->hysteresis_us, 10000);
    assert_int_equal(table->measured->freeze_s, 600);
    assert_int_equal(table->measured->v4_len, 16);
    assert_int_equal(table->measured->v6_len, 48);
    steer_object_unref(table);
    table = table_of("{\"rows\":{\"EU\":{\"fra\":9}}}");
    assert_null(table->measured);
    steer_object_unref(table);
}

static void frozen_rows_lie_over_those_of_the_document(void **state)
{
    (void)state;
    struct steer_object *table =
        table_of("{\"measured\":{},\"rows\":{\"EU\":{\"fra\":9,\"iad\":90}}}");
    struct steer_object *rows = table_of("{\"rows\":{\"EU\":{\"fra\":15},\"NA\":{\"iad\":5}}}");
    struct steer_object *frozen = steer_object_freeze(table, rows->latency, 3);
    assert_true(frozen->hash == table->hash);
    assert_string_equal(frozen->json, table->json);
    assert_string_equal(frozen->document, "d");
    assert_int_equal(frozen->frozen_number, 3);
    assert_int_equal(frozen->measured->freeze_s, 3600);
    steer_object_unref(rows);
    steer_object_unref(table); // it stands by itself
    static const uint32_t wanted[][2] = {{15000, 3}, {90000, 0}, {5000, 3}};
    assert_int_equal(steer_latency_count(frozen->latency), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(steer_latency_at(frozen->latency, i)->rtt_us, wanted[i][0]);
        assert_int_equal(steer_latency_at(frozen->latency, i)->frozen, wanted[i][1]);
    }
    assert_int_equal(steer_latency_count(frozen->uploaded), 2);
    steer_object_unref(frozen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_measured_has_defaults),
        cmocka_unit_test(frozen_rows_lie_over_those_of_the_document),
        cmocka_unit_test(every_form_comes_back_from_its_json),
        cmocka_unit_test(random_trees_come_back_from_their_json),
        cmocka_unit_test(the_hash_is_of_kind_name_and_definition),
        cmocka_unit_test(damaged_json_is_refused),
        cmocka_unit_test(an_object_lives_until_its_last_reference_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
