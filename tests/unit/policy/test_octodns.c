// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/policy/octodns.h"

// ---- helpers -------------------------------------------------------------------------------------

static char *import(const char *text, struct steer_octodns_notes *notes)
{
    struct steer_buf yaml = {0};
    struct steer_diag diag = {0};
    char message[1400];
    if (steer_octodns_import(text, strlen(text), "z.yaml", "example.com", &yaml, notes, &diag))
        fail_msg("%s\n%s", steer_diag_format(&diag, message, sizeof message), text);
    return steer_buf_take(&yaml);
}

static enum steer_err export(const char *document, char **yaml, struct steer_octodns_notes *notes) {
    struct steer_document *parsed = NULL; struct steer_diag diag = {0}; struct steer_buf out = {0};
    char message[1400];
    if (steer_document_parse(document, strlen(document), "d", "d.yaml", &parsed, &diag))
        fail_msg("%s\n%s", steer_diag_format(&diag, message, sizeof message), document);
    enum steer_err err = steer_octodns_export(&parsed, 1, "example.com", NULL, &out, notes, &diag);
    if (err && err != STEER_ECONFLICT)
        fail_msg("%s\n%s", steer_diag_format(&diag, message, sizeof message), document);
    steer_document_destroy(parsed);
    *yaml = steer_buf_take(&out);
    return err;
}

static bool noted(const struct steer_octodns_notes *notes, const char *words)
{
    char message[1400];
    for (size_t i = 0; i < notes->count; i++)
        if (strstr(steer_diag_format(&notes->items[i], message, sizeof message), words))
            return true;
    return false;
}

static void goes_round(const char *text)
{
    struct steer_octodns_notes in = {0}, out = {0};
    char *document = import(text, &in), *back;
    if (export(document, &back, &out))
        fail_msg("lost: %s\n%s", out.items[0].message, document);
    assert_string_equal(back, text);
    free(document);
    free(back);
    free(in.items);
    free(out.items);
}

// ---- round trips ---------------------------------------------------------------------------------

static void a_dynamic_record_comes_back_as_it_went(void **state)
{
    (void)state;
    goes_round(
        "---\n"
        "api:\n"
        "  dynamic:\n"
        "    pools:\n"
        "      apac:\n"
        "        fallback: na\n"
        "        values: [{value: 192.0.2.1}, {status: down, value: 192.0.2.2, weight: 7}]\n"
        "      eu:\n"
        "        fallback: na\n"
        "        values: [{value: 192.0.2.3, weight: 2}, {status: up, value: 192.0.2.4, weight: "
        "3}]\n"
        "      na: {values: [{value: 192.0.2.5}]}\n"
        "    rules: [{geos: [AF-ZA, AS, OC], pool: apac}, {geos: [AF, EU], pool: eu}, {pool: na}]\n"
        "  octodns: {healthcheck: {host: null, path: /up, port: 8080, protocol: HTTP}}\n"
        "  ttl: 60\n"
        "  type: A\n"
        "  values: [192.0.2.3, 192.0.2.5]\n");
}

static void a_and_aaaa_are_one_record_and_come_back_as_two(void **state)
{
    (void)state;
    goes_round("---\n"
               "\"*.api\":\n"
               "  - dynamic:\n"
               "      pools: {one: {values: [{value: 192.0.2.1, weight: 2}, {value: 192.0.2.2}]}}\n"
               "      rules: [{pool: one}]\n"
               "    ttl: 30\n"
               "    type: A\n"
               "    value: 192.0.2.9\n"
               "  - dynamic:\n"
               "      pools: {one: {values: [{value: \"2001:db8::1\", weight: 2}, {value: "
               "\"2001:db8::2\"}]}}\n"
               "      rules: [{pool: one}]\n"
               "    ttl: 30\n"
               "    type: AAAA\n"
               "    value: \"2001:db8::9\"\n");
}

static void networks_come_back_before_places_and_with_them(void **state)
{
    (void)state;
    goes_round("---\n"
               "www:\n"
               "  dynamic:\n"
               "    pools:\n"
               "      a: {values: [{value: 192.0.2.1}]}\n"
               "      b: {fallback: a, values: [{value: 192.0.2.2}]}\n"
               "      c: {fallback: a, values: [{value: 192.0.2.3}]}\n"
               "    rules:\n"
               "      - {pool: c, subnets: [198.51.100.0/25, \"2001:db8:1::/48\"]}\n"
               "      - {geos: [EU], pool: b, subnets: [198.51.100.0/24]}\n"
               "      - {pool: a}\n"
               "  ttl: 60\n"
               "  type: A\n"
               "  value: 192.0.2.9\n");
}

static void static_records_come_back_as_they_went(void **state)
{
    (void)state;
    goes_round("---\n"
               "\"\":\n"
               "  - {ttl: 3600, type: CAA, value: {flags: 0, tag: issue, value: \"ca.example; "
               "x=\\\"y\\\"\"}}\n"
               "  - {ttl: 3600, type: MX, value: {exchange: mail.example.com., preference: 10}}\n"
               "  - {ttl: 3600, type: NS, values: [ns1.example.net., ns2.example.net.]}\n"
               "  - {ttl: 600, type: TXT, values: [\"v=spf1 -all\", \"v=DKIM1\\\\; k=rsa\"]}\n"
               "_sip._tcp:\n"
               "  ttl: 600\n"
               "  type: SRV\n"
               "  value: {port: 5060, priority: 1, target: sip.example.com., weight: 2}\n"
               "host2:\n"
               "  ttl: 60\n"
               "  type: A\n"
               "  values: [192.0.2.1, 192.0.2.2]\n"
               "host10:\n"
               "  ttl: 60\n"
               "  type: CNAME\n"
               "  value: host2.example.com.\n"
               "naptr:\n"
               "  ttl: 60\n"
               "  type: NAPTR\n"
               "  value:\n"
               "    flags: S\n"
               "    order: 10\n"
               "    preference: 100\n"
               "    regexp: \"!^.*$!sip:a@b.example!\"\n"
               "    replacement: \".\"\n"
               "    service: \"SIP+D2U\"\n"
               "tlsa:\n"
               "  ttl: 60\n"
               "  type: TLSA\n"
               "  value: {certificate_association_data: ABCD, certificate_usage: 3, matching_type: "
               "1, selector: 1}\n");
}

// ---- what is refused, with its place -------------------------------------------------------------

#define RECORD(pools, rules)                                                                       \
    "a:\n  type: A\n  value: 192.0.2.9\n  dynamic:\n    pools:\n" pools "    rules:\n" rules
#define ONE "      one: {values: [{value: 192.0.2.1}]}\n"

static const struct {
    const char *text, *message;
} bad[] = {
    {RECORD("      x: {fallback: y, values: [{value: 192.0.2.1}]}\n"
            "      y: {fallback: x, values: [{value: 192.0.2.2}]}\n",
            "    - {pool: x}\n"),
     "z.yaml:6:21: the fallbacks of the pools form a loop: x -> y -> x"},
    {RECORD(ONE, "    - {pool: on}\n"),
     "z.yaml:8:14: pool 'on' is not defined; did you mean 'one'?"},
    {RECORD(ONE, "    - {geos: [EU], pool: one}\n    - {geos: [EU-DE], pool: one}\n"),
     "z.yaml:9:15: 'EU-DE' is in 'EU' of rule 1"},
    {RECORD(ONE, "    - {geos: [EU-UK], pool: one}\n"), "z.yaml:8:15: 'EU-UK'"},
    {RECORD(ONE, "    - {pool: one}\n    - {geos: [EU], pool: one}\n"),
     "z.yaml:9:7: this rule is never reached"},
    {RECORD("      one: {values: [{value: 192.0.2.1, weight: 101}]}\n", "    - {pool: one}\n"),
     "z.yaml:6:49: 'weight' must be a whole number from 1 to 100"},
    {RECORD("      one: {values: [{value: 192.0.2}]}\n", "    - {pool: one}\n"),
     "z.yaml:6:30: '192.0.2' is not an IPv4 address"},
    {RECORD(ONE, "    - {pool: one, subnets: [192.0.2.1/24]}\n"),
     "z.yaml:8:29: '192.0.2.1/24' has bits behind its length; the network is 192.0.2.0/24"},
    {"a: {type: A, vaule: 192.0.2.1}\n",
     "z.yaml:1:14: unknown key 'vaule' in a record; did you mean 'value'?"},
    {"a: {type: A, value: 192.0.2.1, geo: {EU: [192.0.2.2]}}\n",
     "z.yaml:1:32: 'geo' records, which octoDNS gave up, are not converted"},
    {"a: {type: MX, value: {preference: 1, exchange: mail}}\n",
     "z.yaml:1:48: 'mail' must end with a dot"},
    {"a: {type: URLFWD, value: x}\n", "z.yaml:1:26: records of type URLFWD are not converted"},
    {"a:\n- {type: A, value: 192.0.2.1}\n- {type: A, value: 192.0.2.2}\n",
     "z.yaml:3:10: type A is given twice here"},
    {"- a\n", "z.yaml:1:1: a zone file of octoDNS is a mapping"},
    {"a:\n- type: AAAA\n  value: \"2001:db8::1\"\n- type: A\n  value: 192.0.2.1\n"
     "  dynamic: {pools: {p: {values: [{value: 192.0.2.1}]}}, rules: [{pool: p}]}\n",
     "z.yaml:2:3: AAAA stands beside a dynamic A"},
    {"a:\n- type: A\n  value: 192.0.2.1\n"
     "  dynamic: {pools: {p: {values: [{value: 192.0.2.1}]}}, rules: [{pool: p}]}\n"
     "- type: AAAA\n  value: \"2001:db8::1\"\n"
     "  dynamic: {pools: {p: {values: [{value: \"2001:db8::1\"}, {value: \"2001:db8::2\"}]}}, "
     "rules: [{pool: p}]}\n",
     "z.yaml:7:21: A and AAAA of this name are steered as one here, and differ: pool 'p' has 1 "
     "values for A and 2 for AAAA"},
    {RECORD(ONE, "    - {pool: one}\n") "  octodns: {healthcheck: {protocol: ICMP}}\n",
     "z.yaml:9:26: steerd has no ICMP checks"},
};

static void what_octodns_refuses_is_refused_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < STEER_ARRAY_LEN(bad); i++) {
        struct steer_buf yaml = {0};
        struct steer_diag diag = {0};
        struct steer_octodns_notes notes = {0};
        char message[1400];
        enum steer_err err = steer_octodns_import(bad[i].text, strlen(bad[i].text), "z.yaml",
                                                  "example.com", &yaml, &notes, &diag);
        steer_diag_format(&diag, message, sizeof message);
        if (err != STEER_EINVAL || strncmp(message, bad[i].message, strlen(bad[i].message)) != 0)
            fail_msg("%s\nwanted %s\nfor\n%s", message, bad[i].message, bad[i].text);
        assert_int_equal(yaml.len, 0);
        free(notes.items);
    }
}

// ---- what is noted -------------------------------------------------------------------------------

static void what_is_meant_otherwise_is_said(void **state)
{
    (void)state;
    struct steer_octodns_notes notes = {0};
    char *document =
        import("a:\n- type: A\n  value: 192.0.2.1\n  ttl: 30\n"
               "- {type: TXT, ttl: 300, value: x}\n"
               "b: {type: A, value: 192.0.2.1, octodns: {ignored: true}}\n"
               "c:\n  type: CNAME\n  value: d.example.net.\n  octodns: {route53: {x: 1}}\n"
               "  dynamic:\n    pools: {p: {values: [{value: e.example.net.}]},\n"
               "            q: {fallback: p, values: [{value: f.example.net., status: down}]}}\n"
               "    rules: [{geos: [AS-CY], pool: q}]\n",
               &notes);
    // Each TTL has an entry of its own.
    assert_non_null(strstr(document, "  a: [{ttl: 30, A: [192.0.2.1]}, {ttl: 300, TXT: [x]}]\n"));
    assert_true(noted(&notes, "z.yaml:6:42: the record is ignored"));
    assert_true(noted(&notes, "'route53' of 'octodns' is left out"));
    assert_true(noted(&notes, "'AS-CY' is written EU-CY here"));
    assert_true(noted(&notes, "no rule matches all clients"));
    assert_true(noted(&notes, "does not probe hostnames"));
    assert_true(noted(&notes, "all values of pool 'q' are down"));
    assert_null(strstr(document, "\n  b:"));
    assert_non_null(strstr(document, "match: [EU-CY]"));
    free(document);
    free(notes.items);
}

static void long_and_odd_names_become_names_of_objects(void **state)
{
    (void)state;
    struct steer_octodns_notes notes = {0};
    char *document = import(
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b:\n"
        "  type: A\n  value: 192.0.2.1\n"
        "  dynamic: {pools: {\"x y\": {values: [{value: 192.0.2.1}]}, \"x-y\": {values: [{value: "
        "192.0.2.2}]}}, rules: [{geos: [EU], pool: \"x y\"}, {pool: x-y}]}\n",
        &notes);
    assert_int_equal(notes.count, 0);
    free(document);
    free(notes.items);
}

// ---- what octoDNS cannot say ---------------------------------------------------------------------

#define HEAD                                                                                       \
    "zone: example.com\n"                                                                          \
    "endpoints:\n  a: {ipv4: 192.0.2.1}\n  b: {ipv4: 192.0.2.2}\n"                                 \
    "pools:\n  p: {endpoints: {a: 1, b: 2}}\n  q: {endpoints: [b]}\n"                              \
    "records:\n  www:\n    ttl: 60\n    steer: "
#define END "{answer: {A: [192.0.2.9]}}"

static const struct {
    const char *tree, *lost;
} losses[] = {
    {"{pool: p}", "d.yaml:11:19: www.example.com. address: pool where octoDNS has a pool"},
    {"{failover: [{pool: p}, {pool: q}]}", "must be an `answer`"},
    {"{weighted: [{weight: 1, to: {pool: p}}]}", "weighted where octoDNS"},
    {"{failover: [{pool: p}, " END "], trickle: 5%}", "trickle"},
    {"{failover: [{pool: p}, " END "], when_unavailable: serve_all}", "when_unavailable"},
    {"{geo: {rules: [{match: EU, to: {failover: [{pool: p}, " END
     "]}}], default: {failover: [{pool: q}, {answer: {A: [192.0.2.8]}}]}}}",
     "two different answers"},
};

static void what_octodns_cannot_say_is_listed_and_nothing_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < STEER_ARRAY_LEN(losses); i++) {
        struct steer_octodns_notes notes = {0};
        struct steer_buf text = {0};
        char *yaml;
        steer_buf_printf(&text, "%s%s\n", HEAD, losses[i].tree);
        assert_int_equal(export(text.data, &yaml, &notes), STEER_ECONFLICT);
        if (!noted(&notes, losses[i].lost))
            fail_msg("%s\nnot noted, but %s", losses[i].lost, notes.items[0].message);
        assert_string_equal(yaml, "");
        free(yaml);
        free(notes.items);
        steer_buf_fini(&text);
    }
}

static void
orders_that_differ_and_rules_in_any_order_become_pools_and_rules_of_octodns(void **state)
{
    (void)state;
    struct steer_octodns_notes notes = {0};
    char *yaml;
    assert_int_equal(
        export(HEAD "{geo: {rules: [{match: [NA, EU-DE], to: {failover: [{pool: p}, {pool: q}, " END
                    "]}},\n      {match: [EU, NA-US], to: {failover: [{pool: q}, {pool: p}, " END
                    "]}}],\n      default: {failover: [{endpoint: a}, " END "]}}}\n",
               &yaml, &notes),
        STEER_OK);
    assert_string_equal(
        yaml,
        "---\n"
        "www:\n"
        "  dynamic:\n"
        "    pools:\n"
        "      a: {values: [{status: up, value: 192.0.2.1}]}\n"
        "      p:\n"
        "        fallback: q\n"
        "        values: [{status: up, value: 192.0.2.1}, {status: up, value: 192.0.2.2, weight: "
        "2}]\n"
        "      p-2:\n"
        "        values: [{status: up, value: 192.0.2.1}, {status: up, value: 192.0.2.2, weight: "
        "2}]\n"
        "      p-3:\n"
        "        fallback: q\n"
        "        values: [{status: up, value: 192.0.2.1}, {status: up, value: 192.0.2.2, weight: "
        "2}]\n"
        "      q: {values: [{status: up, value: 192.0.2.2}]}\n"
        "      q-2: {fallback: p-2, values: [{status: up, value: 192.0.2.2}]}\n"
        "      q-3: {fallback: p-2, values: [{status: up, value: 192.0.2.2}]}\n"
        "    rules:\n"
        "      - {geos: [EU-DE], pool: p}\n"
        "      - {geos: [NA-US], pool: q-2}\n"
        "      - {geos: [NA], pool: p-3}\n"
        "      - {geos: [EU], pool: q-3}\n"
        "      - {pool: a}\n"
        "  ttl: 60\n"
        "  type: A\n"
        "  value: 192.0.2.9\n");
    free(yaml);
    free(notes.items);
}

static void assertions_about_other_zones_play_no_part(void **state)
{
    (void)state;
    struct steer_octodns_notes notes = {0};
    char *yaml;
    assert_int_equal(export("endpoints: {a: {ipv4: 192.0.2.1}}\n"
                            "zones:\n"
                            "  - {zone: example.com, records: {www: {A: [192.0.2.80]}}}\n"
                            "  - {zone: other.test, records: {api: {steer: {endpoint: a}}}}\n"
                            "assert: [{only: a, records: [api.other.test.]}]\n",
                            &yaml, &notes),
                     STEER_OK);
    assert_non_null(strstr(yaml, "www:"));
    assert_null(strstr(yaml, "api"));
    free(yaml);
}

static void a_zone_that_no_document_has_is_not_found(void **state)
{
    (void)state;
    struct steer_octodns_notes notes = {0};
    struct steer_buf out = {0};
    struct steer_diag diag = {0};
    assert_int_equal(steer_octodns_export(NULL, 0, "example.com", NULL, &out, &notes, &diag),
                     STEER_ENOTFOUND);
    // A master file alone is enough.
    assert_int_equal(steer_octodns_export(NULL, 0, "example.com",
                                          "example.com. 60 IN SOA a. b. 1 2 3 4 5\n"
                                          "www.example.com. 60 IN A 192.0.2.1\n",
                                          &out, &notes, &diag),
                     STEER_OK);
    assert_string_equal(out.data, "---\nwww:\n  ttl: 60\n  type: A\n  value: 192.0.2.1\n");
    steer_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dynamic_record_comes_back_as_it_went),
        cmocka_unit_test(a_and_aaaa_are_one_record_and_come_back_as_two),
        cmocka_unit_test(networks_come_back_before_places_and_with_them),
        cmocka_unit_test(static_records_come_back_as_they_went),
        cmocka_unit_test(what_octodns_refuses_is_refused_with_its_place),
        cmocka_unit_test(what_is_meant_otherwise_is_said),
        cmocka_unit_test(long_and_odd_names_become_names_of_objects),
        cmocka_unit_test(what_octodns_cannot_say_is_listed_and_nothing_written),
        cmocka_unit_test(
            orders_that_differ_and_rules_in_any_order_become_pools_and_rules_of_octodns),
        cmocka_unit_test(assertions_about_other_zones_play_no_part),
        cmocka_unit_test(a_zone_that_no_document_has_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
