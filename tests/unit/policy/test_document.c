// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "steerd/base/buf.h"
#include "steerd/policy/document.h"
#include "steerd/wire/message.h"
#include "unit/policy/bad_documents.h"

// ---- helpers -------------------------------------------------------------------------------------

static struct steer_document *parse(const char *text)
{
    struct steer_document *document = NULL;
    struct steer_diag diag = {0};
    char message[1400];
    if (steer_document_parse(text, strlen(text), "test", "test.yaml", &document, &diag))
        fail_msg("%s\n%s", steer_diag_format(&diag, message, sizeof message), text);
    return document;
}

static void refused(const char *text, size_t len, const char *expected)
{
    struct steer_document *document = NULL;
    struct steer_diag diag = {0};
    char message[1400], wanted[1400];
    enum steer_err err = steer_document_parse(text, len, "test", "f", &document, &diag);
    if (err != STEER_EINVAL || document)
        fail_msg("accepted:\n%s", text);
    steer_diag_format(&diag, message, sizeof message);
    snprintf(wanted, sizeof wanted, "f:%s", expected);
    if (strncmp(message, wanted, strlen(wanted)) != 0)
        fail_msg("%s\nwanted %s\nfor\n%s", message, wanted, text);
}

static void all_refused(const struct bad *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        refused(rows[i].text, strlen(rows[i].text), rows[i].message);
}

static const struct steer_object *object_of(const struct steer_document *document,
                                            enum steer_kind kind, const char *name)
{
    for (uint32_t i = 0; i < document->object_count; i++)
        if (document->objects[i]->kind == kind && strcmp(document->objects[i]->name, name) == 0)
            return document->objects[i];
    fail_msg("no %s '%s'", steer_kind_text(kind), name);
    return NULL;
}

static const struct steer_object *steered_of(const struct steer_document_zone *zone,
                                             const char *name)
{
    for (uint32_t i = 0; i < zone->steered_count; i++)
        if (strcmp(zone->steered[i]->name, name) == 0)
            return zone->steered[i];
    fail_msg("no steered record '%s'", name);
    return NULL;
}

static const struct steer_document_rrset *rrset_of(const struct steer_document_zone *zone,
                                                   const char *owner, uint16_t type)
{
    char text[STEER_NAME_TEXT_MAX];
    for (uint32_t i = 0; i < zone->rrset_count; i++)
        if (zone->rrsets[i].data.type == type &&
            strcmp(steer_name_format(zone->rrsets[i].owner.octets, text), owner) == 0)
            return &zone->rrsets[i];
    fail_msg("no RRset of type %u at '%s'", type, owner);
    return NULL;
}

static void assert_name(const struct steer_name *name, const char *expected)
{
    char text[STEER_NAME_TEXT_MAX];
    assert_string_equal(steer_name_format(name->octets, text), expected);
}

static double seconds_for(const char *text, size_t len, enum steer_err expected)
{
    struct timespec from, to;
    struct steer_document *document = NULL;
    struct steer_diag diag;
    clock_gettime(CLOCK_MONOTONIC, &from);
    assert_int_equal(steer_document_parse(text, len, "t", "f", &document, &diag), expected);
    clock_gettime(CLOCK_MONOTONIC, &to);
    steer_document_destroy(document);
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) * 1e-9;
}

// ---- refused -------------------------------------------------------------------------------------

#define REFUSED(NAME, ROWS)                                                                        \
    static void NAME(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        all_refused(ROWS, STEER_ARRAY_LEN(ROWS));                                                  \
    }
REFUSED(bad_text_is_refused_with_its_place, bad_text)
REFUSED(bad_zones_are_refused_with_their_place, bad_zones)
REFUSED(bad_sites_are_refused_with_their_place, bad_sites)
REFUSED(bad_checks_are_refused_with_their_place, bad_checks)
REFUSED(bad_endpoints_are_refused_with_their_place, bad_endpoints)
REFUSED(bad_pools_are_refused_with_their_place, bad_pools)
REFUSED(bad_trees_are_refused_with_their_place, bad_trees)
REFUSED(bad_records_are_refused_with_their_place, bad_records)

static void only_utf8_without_nul_is_text(void **state)
{
    (void)state;
    refused("zone: a\xff\n", 9, "1:8: not valid UTF-8 (octet 0xff)");
    refused("zone: \xc0\x80\n", 9, "1:7: not valid UTF-8 (octet 0xc0)");
    refused("a: b\nzone: \xed\xa0\x80\n", 15, "2:7: not valid UTF-8 (octet 0xed)");
    refused("zone: a\0b\n", 10, "1:8: a NUL; documents are text");
    refused("\xff\xfez\0", 4, "1:1: not valid UTF-8");
    struct steer_document *document = parse("\xef\xbb\xbfzone: example.com\n"); // a byte order mark
    assert_int_equal(document->zone_count, 1);
    steer_document_destroy(document);
}

static void columns_count_characters(void **state)
{
    (void)state;
    const char *yaml =
        "endpoints: {a: {ipv4: 192.0.2.1, labels: {k: \"\xc3\xa4\xe2\x82\xac\"}, foo: 1}}";
    const char *json = "{\"sites\": {\"\xc3\xa4\xe2\x82\xac\": {}, \"b\": 1}, \"x\": 2}";
    refused(yaml, strlen(yaml), "1:53: unknown key 'foo'");
    refused(json, strlen(json), "1:31: unknown key 'x'");
}

static void a_document_has_a_greatest_size(void **state)
{
    (void)state;
    struct steer_document *document = NULL;
    struct steer_diag diag;
    size_t len = (size_t)STEER_DOCUMENT_MAX_BYTES + 1;
    char *text = calloc(1, len);
    assert_non_null(text);
    assert_int_equal(steer_document_parse(text, len, "t", "f", &document, &diag), STEER_ELIMIT);
    free(text);
}

static void messages_hold_no_control_characters(void **state)
{
    (void)state;
    const char *text = "\"a\\e[31m\\nb\": 1\n";
    refused(text, strlen(text), "1:1: unknown key 'a?[31m?b' in a document");
}

// ---- bounds --------------------------------------------------------------------------------------

static void twenty_thousand_keys_are_read_quickly(void **state)
{
    (void)state;
    struct steer_buf text = {0};
    steer_buf_puts(&text, "zone: example.com\nrecords:\n");
    for (int i = 0; i < 20000; i++)
        steer_buf_printf(&text, "  h%d: {A: 192.0.2.1}\n", i);
    assert_true(seconds_for(text.data, text.len, STEER_OK) <
                10); // the sanitizers' pace; else 0.3 s
    steer_buf_puts(&text, "  h77: {A: 192.0.2.1}\n");
    refused(text.data, text.len,
            "20003:3: key 'h77' is given twice; it first stands at line 80, column 3");
    steer_buf_fini(&text);
}

static void fill(struct steer_buf *text, const char *piece, size_t bytes)
{
    steer_buf_clear(text);
    while (text->len < bytes)
        steer_buf_puts(text, piece);
}

static void nonsense_gives_one_error_quickly(void **state)
{
    static const char *const pieces[] = {"[",      "{a: ",  "- ",      "word ",
                                         "word\n", "\"a\n", "? ",      "!a ",
                                         "&a ",    "[,",    "---\n",   "%TAG !a! tag:x\n",
                                         "\t",     "'",     "{\"a\":", "- [\n",
                                         "a: |\n", "*a ",   "1,\n"};
    (void)state;
    struct steer_buf text = {0};
    for (size_t i = 0; i < STEER_ARRAY_LEN(pieces); i++) {
        fill(&text, pieces[i], 2 << 20);
        assert_true(seconds_for(text.data, text.len, STEER_EINVAL) < 10);
    }
    steer_buf_fini(&text);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    struct steer_buf text = {0};
    fill(&text, "[", 200);
    refused(text.data, text.len, "1:101: nested deeper than 100 levels");
    steer_buf_clear(&text);
    for (int i = 0; i < 200; i++)
        steer_buf_printf(&text, "%*sa:\n", i, "");
    refused(text.data, text.len, "101:101: nested deeper than 100 levels");
    steer_buf_fini(&text);
}

static void nodes_nest_to_sixteen(void **state)
{
    (void)state;
    for (int depth = 16; depth <= 17; depth++) {
        struct steer_buf text = {0};
        steer_buf_puts(&text, "policies: {p: ");
        for (int i = 1; i < depth; i++)
            steer_buf_puts(&text, "{failover: [");
        steer_buf_puts(&text, "{pool: a}");
        for (int i = 1; i < depth; i++)
            steer_buf_puts(&text, "]}");
        steer_buf_puts(&text, "}\n");
        if (depth == 16)
            steer_document_destroy(parse(text.data));
        else
            refused(text.data, text.len, "1:207: nodes nest deeper than 16");
        steer_buf_fini(&text);
    }
}

static void alias_bombs_are_refused(void **state)
{
    (void)state;
    const char *names = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
                        "b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
                        "c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n"
                        "d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n"
                        "e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n";
    refused(names, strlen(names), "5:36: the aliases of this document stand for more than 100000");
    // A long text counts for more than one value.
    struct steer_buf text = {0};
    steer_buf_puts(&text, "a: &a ");
    for (int i = 0; i < 100000; i++)
        steer_buf_puts(&text, "x");
    steer_buf_puts(&text, "\nb: [");
    for (int i = 0; i < 100; i++)
        steer_buf_puts(&text, "*a, ");
    steer_buf_puts(&text, "1]\n");
    refused(text.data, text.len, "2:257: the aliases of this document stand for");
    steer_buf_fini(&text);
}

static void lines_of_yaml_are_bounded_and_those_of_json_are_not(void **state)
{
    (void)state;
    struct steer_buf text = {0};
    steer_buf_puts(&text, "{\"zone\":\"example.com\",\"records\":{\"www\":{\"TXT\":[\"0\"");
    for (int i = 1; i < 3000; i++)
        steer_buf_printf(&text, ",%100s\"%d\"", "", i);
    steer_buf_puts(&text, "]}}}");
    assert_true(text.len > 300000);
    steer_document_destroy(parse(text.data));
    steer_buf_clear(&text);
    steer_buf_puts(&text, "zone: a\n#");
    for (int i = 0; i < 300000; i++)
        steer_buf_puts(&text, "x");
    refused(text.data, text.len, "2:1: a line of more than 262144 octets; break it up");
    steer_buf_fini(&text);
}

// ---- accepted ------------------------------------------------------------------------------------

static const char sample[] =
    "zone: example.com\n"
    "checks:\n"
    "  web: {type: https, port: 443, path: /healthz, host: api.example.com, interval: 10s, "
    "timeout: "
    "3s, rise: 2, fall: 3}\n"
    "sites:\n"
    "  fra: {at: EU-DE}\n"
    "  iad: {lat: 38.9, lon: -77.4}\n"
    "endpoints:\n"
    "  fra-1: {site: fra, ipv4: 192.0.2.10, ipv6: \"2001:db8:1::10\", check: web}\n"
    "  iad-1: {site: iad, ipv4: 198.51.100.10, check: web}\n"
    "pools:\n"
    "  eu: {endpoints: {fra-1: 10}, pick: one}\n"
    "  us: {endpoints: {iad-1: 10}, pick: one}\n"
    "records:\n"
    "  api:\n"
    "    ttl: 30\n"
    "    steer:\n"
    "      geo:\n"
    "        rules:\n"
    "          - {match: [EU, AF], to: {failover: [{pool: eu}, {pool: us}]}}\n"
    "          - {match: [NA, SA], to: {failover: [{pool: us}, {pool: eu}]}}\n"
    "        default: {failover: [{pool: eu}, {pool: us}]}\n"
    "  www: {ttl: 300, A: [192.0.2.80], TXT: [\"v=spf1 -all\"]}\n";

static void the_sample_of_the_model_is_read(void **state)
{
    (void)state;
    struct steer_document *document = parse(sample);
    assert_string_equal(document->name, "test");
    assert_int_equal(document->object_count, 7);
    assert_int_equal(document->zone_count, 1);
    const struct steer_document_zone *zone = document->zones;
    assert_name(&zone->origin, "example.com.");
    assert_false(zone->has_soa);
    assert_name(&zone->soa.mname, "ns.example.com.");
    assert_name(&zone->soa.rname, "hostmaster.example.com.");
    assert_int_equal(zone->soa.refresh_s, 7200);
    assert_int_equal(zone->soa.minimum_s, 300);
    assert_int_equal(zone->soa.ttl_s, 3600);
    const struct steer_steered *api = &steered_of(zone, "api.example.com. address")->steered;
    assert_int_equal(api->ttl_s, 30);
    assert_int_equal(api->kind, STEER_STEERED_ADDRESS);
    assert_name(&api->owner, "api.example.com.");
    assert_name(&api->zone, "example.com.");
    assert_int_equal(api->tree->kind, STEER_NODE_GEO);
    assert_int_equal(api->tree->child_count, 3);
    assert_int_equal(api->tree->children[0].place_count, 2);
    assert_string_equal(api->tree->children[0].places[1].continent, "AF");
    assert_int_equal(api->tree->children[1].at.line, 20);
    assert_int_equal(api->tree->children[1].at.column, 13);
    assert_true(api->tree->children[2].is_default);
    const struct steer_node *first = api->tree->children[1].node;
    assert_int_equal(first->kind, STEER_NODE_FAILOVER);
    assert_string_equal(first->children[0].node->name, "us");
    assert_int_equal(first->min_available.value, 1);
    assert_int_equal(rrset_of(zone, "www.example.com.", STEER_TYPE_A)->ttl_s, 300);
    const struct steer_fixed *txt = &rrset_of(zone, "www.example.com.", STEER_TYPE_TXT)->data;
    assert_int_equal(txt->count, 1);
    assert_int_equal(txt->len[0], 12);
    assert_memory_equal(txt->rdata[0], "\x0bv=spf1 -all", 12);
    assert_int_equal(document->warning_count, 0);
    steer_document_destroy(document);
}

static void endpoints_and_checks_have_their_fields(void **state)
{
    (void)state;
    struct steer_document *document = parse(
        "checks:\n"
        "  web: {type: https}\n"
        "  raw: {type: tcp, port: 25, interval: 2s, initially: down, family: ipv6, rise: 1, fall: "
        "9}\n"
        "  deep: {type: http, port: 8080, path: /x, method: HEAD, expect_status: 200-204,\n"
        "         expect_body: all is well, timeout: 250ms, interval: 500ms}\n"
        "endpoints:\n"
        "  a: {ipv4: 192.0.2.1, checks: [web, raw, deep], require: 2, ttl_cap: 1m, site: fra,\n"
        "      labels: {z: \"1\", b: \"2\"}}\n"
        "  b: {hostname: CDN.example.net, check: web}\n"
        "  c: {ipv6: \"2001:db8::1\", checks: [web, raw], require: any}\n"
        "pools:\n"
        "  p: {endpoints: {b: 0, a: 7}, pick: all, max: 3, min_available: 50%}\n"
        "  q: {endpoints: [c, a], pick: 2}\n"
        "  r: {endpoints: [a], pick: all}\n");
    const struct steer_check *web = &object_of(document, STEER_CHECK, "web")->check;
    assert_int_equal(web->kind, STEER_CHECK_HTTPS);
    assert_int_equal(web->port, 443);
    assert_int_equal(web->interval_ms, 10000);
    assert_int_equal(web->timeout_ms, 3000);
    assert_int_equal(web->status_min, 200);
    assert_int_equal(web->status_max, 399);
    assert_true(web->verify);
    assert_null(web->path);
    assert_int_equal(web->hysteresis.rise, 2);
    assert_int_equal(web->hysteresis.initially, STEER_UP);
    const struct steer_check *raw = &object_of(document, STEER_CHECK, "raw")->check;
    assert_int_equal(raw->timeout_ms, 2000); // the default gives way to a shorter interval
    assert_int_equal(raw->hysteresis.initially, STEER_DOWN);
    assert_true(raw->prefer_v6);
    const struct steer_check *deep = &object_of(document, STEER_CHECK, "deep")->check;
    assert_int_equal(deep->status_max, 204);
    assert_string_equal(deep->method, "HEAD");
    assert_string_equal(deep->expect_body, "all is well");
    const struct steer_endpoint *a = &object_of(document, STEER_ENDPOINT, "a")->endpoint;
    assert_int_equal(a->check_count, 3);
    assert_int_equal(a->checks_needed, 2);
    assert_int_equal(a->ttl_cap_s, 60);
    assert_string_equal(a->site, "fra");
    assert_string_equal(a->labels[0].key, "b");
    const struct steer_endpoint *b = &object_of(document, STEER_ENDPOINT, "b")->endpoint;
    assert_true(b->has_hostname && !b->has_v4 && !b->has_v6);
    assert_name(&b->hostname, "CDN.example.net.");
    assert_int_equal(object_of(document, STEER_ENDPOINT, "c")->endpoint.checks_needed, 1);
    const struct steer_pool *p = &object_of(document, STEER_POOL, "p")->pool;
    assert_int_equal(p->pick, STEER_PICK_ALL);
    assert_int_equal(p->pick_count, 3);
    assert_true(p->min_available.percent);
    assert_int_equal(p->min_available.value, 50);
    assert_string_equal(p->members[0].endpoint, "a");
    assert_int_equal(p->members[0].weight, 7);
    assert_int_equal(p->members[0].at.line, 12);
    assert_int_equal(p->members[0].at.column, 25);
    const struct steer_pool *q = &object_of(document, STEER_POOL, "q")->pool;
    assert_int_equal(q->pick, STEER_PICK_N);
    assert_int_equal(q->pick_count, 2);
    assert_int_equal(q->members[1].weight, 1);
    assert_int_equal(object_of(document, STEER_POOL, "r")->pool.pick_count, STEER_ALL_MAX);
    assert_int_equal(document->warning_count, 1); // deep, every 500 ms
    steer_document_destroy(document);
}

static void nodes_have_their_options(void **state)
{
    (void)state;
    struct steer_document *document =
        parse("policies:\n"
              "  p:\n"
              "    failover: [{endpoint: a}, {use: q, when_unavailable: serve_none}]\n"
              "    trickle: 0.25%\n"
              "    failback: auto\n"
              "    min_available: 2\n"
              "    when_unavailable: {answer: {A: [192.0.2.9, 192.0.2.8, 192.0.2.9], CNAME: "
              "s.example.}}\n"
              "  q:\n"
              "    weighted: [{weight: 65535, to: {pool: x}}, {weight: 0, to: {pool: y}}]\n"
              "    min_available: 50%\n"
              "    when_unavailable: serve_all\n"
              "  g: {geo: {rules: [{match: NA-US-CA, to: {pool: x}, fence: true}]}}\n");
    const struct steer_node *p = &object_of(document, STEER_POLICY, "p")->tree;
    assert_int_equal(p->kind, STEER_NODE_FAILOVER);
    assert_int_equal(p->trickle_ppm, 2500);
    assert_int_equal(p->min_available.value, 2);
    assert_int_equal(p->when, STEER_WHEN_SUBSTITUTE);
    assert_int_equal(p->children[1].node->kind, STEER_NODE_USE);
    assert_int_equal(p->children[1].node->when, STEER_WHEN_SERVE_NONE);
    assert_int_equal(p->substitute->kind, STEER_NODE_ANSWER);
    assert_int_equal(p->substitute->fixed_count, 2);
    const struct steer_fixed *fixed = &p->substitute->fixed[0];
    assert_int_equal(fixed->type, STEER_TYPE_A);
    assert_int_equal(fixed->count, 2); // sorted, without duplicates
    assert_memory_equal(fixed->rdata[0], "\xc0\x00\x02\x08", 4);
    assert_memory_equal(fixed->rdata[1], "\xc0\x00\x02\x09", 4);
    assert_memory_equal(p->substitute->fixed[1].rdata[0],
                        "\x01s\x07"
                        "example",
                        11);
    const struct steer_node *q = &object_of(document, STEER_POLICY, "q")->tree;
    assert_int_equal(q->children[0].weight, 65535);
    assert_true(q->min_available.percent);
    assert_int_equal(q->when, STEER_WHEN_SERVE_ALL);
    const struct steer_node *g = &object_of(document, STEER_POLICY, "g")->tree;
    assert_int_equal(g->child_count, 1);
    assert_true(g->children[0].fence);
    assert_string_equal(g->children[0].places[0].subdivision, "CA");
    steer_document_destroy(document);
}

static void zones_and_owners_are_names(void **state)
{
    (void)state;
    struct steer_document *document = parse(
        "zones:\n"
        "  - zone: Example.COM\n"
        "    soa: {mname: ns1.example.net., rname: dns.admin@example.org, minimum: 5m, ttl: 60}\n"
        "    ns: [ns1, ns2.example.net., \"@\"]\n"
        "    records:\n"
        "      \"@\": {steer: {pool: a}, MX: 10 mail}\n"
        "      \"*\": {steer: {pool: a}, kind: cname, allow_negative: true}\n"
        "      \"*.Sub\": {A: 192.0.2.1}\n"
        "      www.example.com.: {CNAME: \"@\", ttl: 1h}\n"
        "      10: {TYPE65280: '\\# 2 abcd'}\n"
        "      sub2: {NS: [a, b.example.net.]}\n"
        "  - zone: 2.0.192.in-addr.arpa.\n"
        "    records: {1: {PTR: a.example.com.}}\n");
    assert_int_equal(document->zone_count, 2);
    const struct steer_document_zone *zone = &document->zones[0];
    assert_name(&zone->origin, "example.com.");
    assert_true(zone->has_soa);
    assert_name(&zone->soa.mname, "ns1.example.net.");
    assert_name(&zone->soa.rname, "dns\\.admin.example.org.");
    assert_int_equal(zone->soa.minimum_s, 300);
    assert_int_equal(zone->soa.expire_s, 1209600);
    assert_int_equal(zone->ns_count, 3);
    assert_name(&zone->ns[0], "ns1.example.com.");
    assert_name(&zone->ns[1], "ns2.example.net.");
    assert_name(&zone->ns[2], "example.com.");
    assert_int_equal(zone->steered_count, 2);
    const struct steer_object *wild = steered_of(zone, "*.example.com. cname");
    assert_int_equal(wild->steered.kind, STEER_STEERED_CNAME);
    assert_true(wild->steered.allow_negative);
    assert_int_equal(wild->steered.ttl_s, 300);
    assert_int_equal(wild->at.line, 7);
    assert_int_equal(wild->at.column, 7);
    const struct steer_fixed *mx = &rrset_of(zone, "example.com.", STEER_TYPE_MX)->data;
    assert_memory_equal(mx->rdata[0],
                        "\x00\x0a\x04mail\x07"
                        "example\x03"
                        "com",
                        20);
    assert_int_equal(rrset_of(zone, "*.sub.example.com.", STEER_TYPE_A)->ttl_s, 300);
    assert_int_equal(rrset_of(zone, "www.example.com.", STEER_TYPE_CNAME)->ttl_s, 3600);
    assert_memory_equal(rrset_of(zone, "10.example.com.", 65280)->data.rdata[0], "\xab\xcd", 2);
    assert_int_equal(rrset_of(zone, "sub2.example.com.", STEER_TYPE_NS)->data.count, 2);
    (void)rrset_of(&document->zones[1], "1.2.0.192.in-addr.arpa.", STEER_TYPE_PTR);
    steer_document_destroy(document);
}

static void a_name_may_have_a_list_of_records(void **state)
{
    (void)state;
    struct steer_document *document = parse("zone: example.com\n"
                                            "records:\n"
                                            "  \"@\":\n"
                                            "    - {ttl: 30, steer: {pool: a}, draw: coherent}\n"
                                            "    - {kind: mx, steer: {pool: b}}\n"
                                            "    - ttl: 1h\n"
                                            "      kind: txt\n"
                                            "      steer: {answer: {TXT: x}}\n"
                                            "      CAA: 0 issue \"ca.example\"\n"
                                            "    - {ttl: 2h, SRV: 0 0 5060 sip}\n"
                                            "  www: [{A: 192.0.2.1}, {ttl: 7, TXT: x}]\n"
                                            "  one: [{ttl: 7, kind: cname, steer: {pool: a}}]\n");
    const struct steer_document_zone *zone = &document->zones[0];
    assert_int_equal(zone->steered_count, 4);
    assert_int_equal(zone->rrset_count, 4);
    const struct steer_object *address = steered_of(zone, "example.com. address");
    assert_int_equal(address->steered.ttl_s, 30);
    assert_int_equal(address->steered.draw.mode, STEER_DRAW_COHERENT);
    assert_int_equal(address->at.line, 4);
    assert_int_equal(address->at.column, 7);
    const struct steer_object *mx = steered_of(zone, "example.com. mx");
    assert_int_equal(mx->steered.ttl_s, 300);
    assert_int_equal(mx->steered.draw.mode, STEER_DRAW_RANDOM);
    assert_int_equal(mx->at.line, 5);
    assert_int_equal(steered_of(zone, "example.com. txt")->steered.ttl_s, 3600);
    assert_int_equal(steered_of(zone, "one.example.com. cname")->steered.ttl_s, 7);
    assert_int_equal(rrset_of(zone, "example.com.", 257)->ttl_s, 3600);
    assert_int_equal(rrset_of(zone, "example.com.", STEER_TYPE_SRV)->ttl_s, 7200);
    assert_int_equal(rrset_of(zone, "www.example.com.", STEER_TYPE_A)->ttl_s, 300);
    assert_int_equal(rrset_of(zone, "www.example.com.", STEER_TYPE_TXT)->ttl_s, 7);
    steer_document_destroy(document);
}

static void text_records_are_split_and_quoting_is_ours(void **state)
{
    (void)state;
    struct steer_buf text = {0};
    steer_buf_puts(&text,
                   "zone: example.com\nrecords:\n  t: {TXT: ['\"two\" \"parts\"', 'a \"b\" ; c', ");
    for (int i = 0; i < 300; i++)
        steer_buf_puts(&text, "x");
    steer_buf_puts(&text, "]}\n  e: {TXT: ''}\n");
    struct steer_document *document = parse(text.data);
    const struct steer_fixed *txt =
        &rrset_of(document->zones, "t.example.com.", STEER_TYPE_TXT)->data;
    assert_int_equal(txt->count, 3);
    assert_int_equal(txt->len[0], 10);
    assert_memory_equal(txt->rdata[0], "\x03two\x05parts", 10);
    assert_int_equal(txt->len[1], 10);
    assert_memory_equal(txt->rdata[1],
                        "\x09"
                        "a \"b\" ; c",
                        10);
    assert_int_equal(txt->len[2], 302);
    assert_int_equal(txt->rdata[2][0], 255);
    assert_int_equal(txt->rdata[2][256], 45);
    const struct steer_fixed *empty =
        &rrset_of(document->zones, "e.example.com.", STEER_TYPE_TXT)->data;
    assert_int_equal(empty->len[0], 1);
    assert_int_equal(empty->rdata[0][0], 0);
    steer_document_destroy(document);
    steer_buf_fini(&text);
}

static void anchors_and_aliases_work(void **state)
{
    (void)state;
    struct steer_document *document = parse("zone: example.com\n"
                                            "records:\n"
                                            "  a: &site {ttl: &short 60, steer: {pool: x}}\n"
                                            "  b: *site\n"
                                            "  c: {ttl: *short, A: &v4 [192.0.2.1, 192.0.2.2]}\n"
                                            "  d: {A: *v4}\n");
    const struct steer_document_zone *zone = document->zones;
    assert_int_equal(steered_of(zone, "b.example.com. address")->steered.ttl_s, 60);
    assert_int_equal(rrset_of(zone, "c.example.com.", STEER_TYPE_A)->ttl_s, 60);
    assert_int_equal(rrset_of(zone, "d.example.com.", STEER_TYPE_A)->data.count, 2);
    steer_document_destroy(document);
}

static void words_of_yaml_1_1_are_strings(void **state)
{
    (void)state;
    struct steer_document *document = parse(
        "endpoints:\n  NO: {hostname: yes.example, site: on, labels: {a: NO, b: off, c: 1:30}}\n");
    const struct steer_endpoint *no = &object_of(document, STEER_ENDPOINT, "NO")->endpoint;
    assert_string_equal(no->labels[0].value, "NO");
    assert_string_equal(no->labels[1].value, "off");
    assert_string_equal(no->labels[2].value, "1:30");
    assert_string_equal(no->site, "on");
    steer_document_destroy(document);
}

static void json_gives_the_same_as_yaml(void **state)
{
    (void)state;
    struct steer_document *yaml = parse("sites: {fra: {lat: 38.9, lon: -7.74e1}}\n"
                                        "checks: {web: {type: tcp, port: 0x50, interval: 5}}\n");
    struct steer_document *json = parse(
        " \n{\"sites\": {\"fra\": {\"lat\": 38.9, \"lon\": -77.4}},\n"
        " \"checks\": {\"web\": {\"type\": \"t\\u0063p\", \"port\": 80, \"interval\": 5}}}\n");
    assert_int_equal(json->objects[1]->at.line, 3);
    assert_int_equal(json->objects[1]->at.column, 13);
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(yaml->objects[i]->json, json->objects[i]->json);
        assert_true(yaml->objects[i]->hash == json->objects[i]->hash);
    }
    assert_string_equal(yaml->objects[0]->json, "{\"lat\":38.9,\"lon\":-77.4}");
    steer_document_destroy(yaml);
    steer_document_destroy(json);
}

static void doubtful_things_are_warned_of(void **state)
{
    static const struct {
        const char *text, *warning;
    } rows[] = {
        {"pools: {p: {endpoints: {a: 0, b: 0}}}", "1:24: all weights are 0"},
        {"pools: {p: {endpoints: {a: 1, b: 9, c: 1}, pick: 2}}",
         "1:31: pool 'p': the weight of 'b' asks for more than one of 2 places"},
        {"pools: {p: {endpoints: {a: 3, b: 1, c: 1}, pick: all, max: 2}}",
         "1:25: pool 'p': the weight of 'a'"},
        {"policies: {p: {weighted: [{weight: 0, to: {pool: a}}]}}", "1:26: all weights are 0"},
        {"pools: {p: {endpoints: [a, b], min_available: 3}}",
         "1:47: pool 'p' has 2 members, so that it is never available"},
        {"policies: {p: {failover: [{pool: a}, {pool: b}], min_available: 3}}",
         "1:65: this node has 2 members, so that it is never available"},
        {"policies: {p: {geo: {rules: [{match: EU, to: {pool: a}}], default: {pool: b}}, "
         "min_available: 2}}",
         "1:95: for clients whom fewer rules match this node is never available; a percentage"},
        {"checks: {c: {type: http, interval: 200ms}}", "1:36: check 'c' probes every 200 ms"},
        {"zone: a\nrecords: {b: {allow_negative: true, steer: {geo: {rules: [{match: EU, to: "
         "{pool: "
         "p}}]}}}}",
         "2:44: this geo has no default"},
        {"zone: a.b\nrecords: {b: {CNAME: x.a.b}}", "2:22: 'x.a.b' is below the zone"},
        {"zone: a.b\nrecords: {x.A.b: {A: 192.0.2.1}}",
         "2:11: 'x.A.b' is x.a.b.a.b. here, below the zone; with a final dot it is itself"},
        {"zone: a.b\nrecords: {a.b: {A: 192.0.2.1}}", "2:11: 'a.b' is a.b.a.b. here"},
    };
    (void)state;
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_document *document = parse(rows[i].text);
        char message[1400];
        assert_int_equal(document->warning_count, 1);
        steer_diag_format(&document->warnings[0], message, sizeof message);
        assert_non_null(strstr(message, rows[i].warning));
        steer_document_destroy(document);
    }
}

static void the_example_documents_are_read(void **state)
{
    static const struct {
        const char *file, *origin, *steered;
        unsigned objects, steered_count;
    } rows[] = {
        {"front-door", "example.com.", "api.example.com. address", 11, 1},
        {"canary", "canary.example.", "app.canary.example. address", 6, 2},
        {"disaster-recovery", "dr.example.", "dr.example. address", 7, 2},
    };
    (void)state;
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        char path[1024];
        struct steer_buf text = {0};
        struct steer_diag diag;
        snprintf(path, sizeof path, "%s/policies/%s.yaml", STEER_SOURCE_DIR, rows[i].file);
        assert_int_equal(steer_buf_read_file(&text, path, 1 << 20, &diag), STEER_OK);
        struct steer_document *document = parse(text.data);
        assert_int_equal(document->object_count, rows[i].objects);
        assert_int_equal(document->warning_count, 0);
        assert_name(&document->zones[0].origin, rows[i].origin);
        assert_int_equal(document->zones[0].steered_count, rows[i].steered_count);
        (void)steered_of(&document->zones[0], rows[i].steered);
        steer_document_destroy(document);
        steer_buf_fini(&text);
    }
}

// Of many zones, each with an assertion; a name that a zone has given already is refused in another.
static void assertions_of_many_zones_take_little_memory(void **state)
{
    enum { ZONES = 4000, EACH_BYTES_MAX = 2048 };
    (void)state;
    struct steer_buf text = {0};
    struct steer_document *document;
    struct steer_diag diag = {0};
    steer_buf_puts(&text, "zones:\n");
    for (int i = 0; i < ZONES; i++)
        steer_buf_printf(
            &text, "  - {zone: z%d.test, assert: [{name: a%d, survive: any-one-site}]}\n", i, i);
    assert_int_equal(steer_document_parse(text.data, text.len, "test", "", &document, &diag),
                     STEER_OK);
    assert_int_equal(document->object_count, ZONES);
    assert_string_equal(document->objects[ZONES - 1]->name, "test/a3999");
    assert_true(document->arena.total_bytes < (size_t)ZONES * EACH_BYTES_MAX);
    steer_document_destroy(document);
    steer_buf_puts(&text, "  - {zone: z.test, assert: [{name: a7, survive: any-one-site}]}\n");
    assert_int_equal(steer_document_parse(text.data, text.len, "test", "", &document, &diag),
                     STEER_EINVAL);
    assert_int_equal(diag.line, ZONES + 2);
    assert_non_null(
        strstr(diag.message, "assertion 'a7' is given twice; the other one stands at line 9"));
    steer_buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_text_is_refused_with_its_place),
        cmocka_unit_test(bad_zones_are_refused_with_their_place),
        cmocka_unit_test(bad_sites_are_refused_with_their_place),
        cmocka_unit_test(bad_checks_are_refused_with_their_place),
        cmocka_unit_test(bad_endpoints_are_refused_with_their_place),
        cmocka_unit_test(bad_pools_are_refused_with_their_place),
        cmocka_unit_test(bad_trees_are_refused_with_their_place),
        cmocka_unit_test(bad_records_are_refused_with_their_place),
        cmocka_unit_test(only_utf8_without_nul_is_text),
        cmocka_unit_test(columns_count_characters),
        cmocka_unit_test(a_document_has_a_greatest_size),
        cmocka_unit_test(messages_hold_no_control_characters),
        cmocka_unit_test(twenty_thousand_keys_are_read_quickly),
        cmocka_unit_test(nonsense_gives_one_error_quickly),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(nodes_nest_to_sixteen),
        cmocka_unit_test(alias_bombs_are_refused),
        cmocka_unit_test(lines_of_yaml_are_bounded_and_those_of_json_are_not),
        cmocka_unit_test(the_sample_of_the_model_is_read),
        cmocka_unit_test(endpoints_and_checks_have_their_fields),
        cmocka_unit_test(nodes_have_their_options),
        cmocka_unit_test(zones_and_owners_are_names),
        cmocka_unit_test(a_name_may_have_a_list_of_records),
        cmocka_unit_test(text_records_are_split_and_quoting_is_ours),
        cmocka_unit_test(anchors_and_aliases_work),
        cmocka_unit_test(words_of_yaml_1_1_are_strings),
        cmocka_unit_test(json_gives_the_same_as_yaml),
        cmocka_unit_test(doubtful_things_are_warned_of),
        cmocka_unit_test(assertions_of_many_zones_take_little_memory),
        cmocka_unit_test(the_example_documents_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
