// SPDX-License-Identifier: GPL-3.0-or-later
// links: base wire rr geo health policy zone world answer control
// Any bytes as a query, over a world with every kind of node, delegations, wildcards, DNAMEs and loops. What
// comes is checked with libknot. The first byte picks transport, limit, settings, client and the random bits; the
// second what is down, drained or forced up, and where the switch stands.
#include <assert.h>
#include <libknot/libknot.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/answer/answer.h"
#include "steerd/base/hash.h"
#include "steerd/control/linker.h"
#include "steerd/rr/zonefile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
// Of the leak sanitizer, where the program has it.
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

#define CHECK(condition) ((condition) ? (void)0 : abort())

// ---- the world -----------------------------------------------------------------------------------

static const char document_text[] =
    "checks: {web: {type: tcp, port: 80, rise: 1, fall: 1}}\n"
    "sites: {fra: {at: EU-DE}, iad: {at: NA-US}}\n"
    "endpoints:\n"
    "  a: {site: fra, ipv4: 192.0.2.1, ipv6: '2001:db8::1', hostname: a.s., check: web, "
    "https: {alpn: [h2, h3]}, srv: {port: 1}}\n"
    "  b: {site: iad, ipv4: 192.0.2.2, ipv6: '2001:db8::2', hostname: b.s., ttl_cap: 5s, check: "
    "web, https: {port: 2}, svcb: {}, mx: {preference: 3}}\n"
    "  c: {ipv4: 192.0.2.3, hostname: w.z., check: web}\n"
    "  d: {ipv6: '2001:db8::4'}\n"
    "pools:\n"
    "  one: {endpoints: {a: 1, b: 2, c: 3}}\n"
    "  two: {endpoints: {a: 1, b: 2, c: 3, d: 4}, pick: 2}\n"
    "  all: {endpoints: {a: 1, b: 1, c: 1, d: 1}, pick: all}\n"
    "  most: {endpoints: {a: 1, b: 1, c: 1}, min_available: 2}\n"
    "switches: {colour: {positions: [blue, green]}}\n"
    "latencies: {ms: {rows: {EU: {fra: 5, iad: 90}, 5.9.0.0/16: {iad: 1}, '2001:db8::/32': {fra: "
    "1}, "
    "AS64500: {iad: 2}}}}\n"
    "policies:\n"
    "  spread: {weighted: [{weight: 1, to: {pool: one}}, {weight: 2, to: {endpoint: d}}]}\n"
    "  near: {geo: {rules: [{match: EU, to: {endpoint: a}}, {match: NA, to: {endpoint: b}}], "
    "default: {use: spread}}}\n"
    "zones:\n"
    "- zone: s\n"
    "  records:\n"
    "    '@': {steer: {pool: one}, ttl: 30}\n"
    "    g: {allow_negative: true, steer: {geo: {rules: [{match: [EU-DE], to: {endpoint: a}, "
    "fence: true},\n"
    "         {match: [EU, AF], to: {pool: two}}, {match: [NA], to: {use: spread}}]}}}\n"
    "    f: {steer: {failover: [{endpoint: a}, {pool: all}], trickle: 5%}}\n"
    "    p: {steer: {pool: all}}\n"
    "    x: {steer: {answer: {A: [192.0.2.7, 192.0.2.8], AAAA: ['2001:db8::7']}}}\n"
    "    4: {steer: {endpoint: c}, allow_negative: true, TXT: [t], MX: ['1 g']}\n"
    "    n: {kind: cname, steer: {weighted: [{weight: 1, to: {endpoint: a}}, {weight: 1, to: "
    "{endpoint: c}}]}}\n"
    "    '*': {kind: cname, steer: {geo: {rules: [{match: [EU], to: {endpoint: b}}], default: "
    "{endpoint: c}}}}\n"
    "    '*.w': {steer: {use: spread}, TXT: [t]}\n"
    "    l: {CNAME: g}\n"
    "    u: {steer: {use: near}}\n"
    "    m: {allow_negative: true, steer: {failover: [{pool: most}], when_unavailable: "
    "serve_none}}\n"
    "    z: {allow_negative: true, steer: {failover: [{endpoint: a}, {endpoint: b}], "
    "when_unavailable: serve_none}}\n"
    "    o: {steer: {failover: [{endpoint: a}, {weighted: [{weight: 9, to: {endpoint: b}}, "
    "{weight: 1, to: {endpoint: c}}]}], when_unavailable: {answer: {A: [192.0.2.77]}}}}\n"
    "    r: {draw: coherent, ttl: 7, steer: {pool: one}}\n"
    "    q: {draw: sticky, steer: {use: near}}\n"
    "    '*.q': {draw: {sticky: {v4: 20, v6: 8}}, steer: {pool: two}}\n"
    "    i: {kind: mx, draw: sticky, steer: {pool: all}, A: [192.0.2.98]}\n"
    "    j: {kind: srv, steer: {pool: one}}\n"
    "    y: {kind: txt, steer: {geo: {rules: [{match: EU, to: {answer: {TXT: [a, b]}}}], default: "
    "{answer: {TXT: c}}}}}\n"
    "    v: {SRV: ['0 0 1 g'], steer: {use: near}}\n"
    "    k.e: {kind: cname, steer: {failover: [{endpoint: a}, {endpoint: c}]}}\n"
    "    1: {allow_negative: true, steer: {network: {rules: [{match: [10.0.0.0/8, "
    "'2001:db8::/32'], to: "
    "{endpoint: a}}, {match: 10.1.0.0/16, to: {endpoint: b}, fence: true}, {match: AS64500, to: "
    "{pool: "
    "two}}], default: {use: near}}}}\n"
    "    2: {steer: {nearest: [{endpoint: a}, {to: {endpoint: b}, bias: 50}]}}\n"
    "    3: {draw: sticky, steer: {latency: {table: ms, among: [{endpoint: a}, {endpoint: b}]}}}\n"
    "    5: {steer: {switch: {name: colour, positions: {blue: {use: near}, green: {pool: one}}}}}\n"
    "    sub: {NS: [ns.sub, 's.']}\n"
    "    ns.sub: {A: [192.0.2.99]}\n";

static const char zone_text[] =
    "@ 900 IN SOA ns h 1 7200 900 1209600 300\n@ NS ns\n@ MX 5 mx\nns A 192.0.2.53\nns AAAA "
    "2001:db8::53\n"
    "mx A 192.0.2.25\nmx A 192.0.2.26\nw A 192.0.2.80\nw TXT \"t\" \"u\"\na.b.c A 192.0.2.1\n"
    "m MX 10 mx\nm MX 20 mx\nm MX 30 x.d\nv SRV 1 2 3 mx\nh HTTPS 1 . alpn=h2\nh A 192.0.2.90\n"
    "*.h SVCB 1 . alpn=h2\n*.h AAAA 2001:db8::90\nq NAPTR 1 1 \"s\" \"x\" \"\" mx\n"
    "n CNAME w\n1 CNAME 2\n2 CNAME 3\n3 CNAME 1\ne CNAME e\no CNAME n.o.\nk CNAME x.k\n*.k CNAME "
    "y.k\n"
    "y.k CNAME s.\nj CNAME l.s.\ni CNAME q.s.\nu CNAME x.t\n*.y TXT \"wild\"\nsub.*.y A "
    "192.0.2.4\n*.r CNAME q.*.r\n"
    "t NS ns.t\nt NS ns.tt\nt NS ns.s.\nt DS 1 8 2 0000\nns.t A 192.0.2.60\ntt NS ns.tt\nns.tt A "
    "192.0.2.61\n"
    "child NS ns.child\nchild DS 1 8 2 0001\nns.child A 192.0.2.62\n"
    "d DNAME w\nx.d A 192.0.2.63\nx.w A 192.0.2.64\ng DNAME g.g\nz DNAME child\n"
    "aa CNAME q.bb\nbb DNAME cc\nq.cc CNAME p.bb\np.cc A 192.0.2.65\n"
    "l DNAME aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg."
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg."
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg.w\n"
    "raw TYPE65280 \\# 4 01020304\nraw TYPE65281 \\# 0\nsig CNAME w\nsig RRSIG A 8 2 60 "
    "20300101000000 20200101000000 1 z. c2ln\n";

static const char child_text[] = "@ 60 IN SOA ns h 1 7200 900 1209600 300\n@ NS ns\nns A "
                                 "192.0.2.62\n@ A 192.0.2.71\nu CNAME u.z.\n";

// The types that the other zones do not have, at the names of their numbers, and names at the limits.
static const char types_text[] =
    "@ 60 IN SOA ns h 1 7200 900 1209600 300\n@ NS ns\nns A 192.0.2.62\n12 PTR ns\n13 HINFO c o\n"
    "14 MINFO ns ns\n17 RP ns ns\n18 AFSDB 1 ns\n21 RT 1 ns\n29 LOC 1 N 1 E 1m\n"
    "36 KX 1 ns\n37 CERT 1 1 1 AQID\n42 APL 1:192.0.2.0/24\n43 DS 1 8 2 00ff\n44 SSHFP 1 1 00ff\n"
    "45 IPSECKEY 1 1 1 192.0.2.1 AQID\n47 NSEC ns A NS\n48 DNSKEY 256 3 8 AQID\n49 DHCID AQID\n"
    "50 NSEC3 1 0 1 - 0123456789abcdefghijklmnopqrstuv A\n51 NSEC3PARAM 1 0 1 -\n"
    "52 TLSA 3 1 1 00ff\n53 SMIMEA 3 1 1 00ff\n59 CDS 1 8 2 00ff\n60 CDNSKEY 256 3 8 AQID\n"
    "61 OPENPGPKEY AQID\n62 CSYNC 1 3 A NS\n63 ZONEMD 1 1 240 00112233445566778899aabb\n"
    "99 SPF \"v=spf1 -all\"\n104 NID 1 0000:0001:0002:0003\n105 L32 1 192.0.2.1\n106 L64 1 "
    "0000:0001:0002:0003\n"
    "107 LP 1 ns\n108 EUI48 00-11-22-33-44-55\n109 EUI64 00-11-22-33-44-55-66-77\n"
    "256 URI 1 1 \"x:\"\n257 CAA 0 issue \"c\"\n\\000\\255 A 192.0.2.1\n"
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg."
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg."
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg."
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeefffffffff MX 1 ns\n*.* A 192.0.2.1\n";

static struct steer_linker *linker;
static struct steer_vitals *vitals;

static void must(enum steer_err err, const struct steer_diag *diag)
{
    char text[1400];
    if (err == STEER_OK)
        return;
    fprintf(stderr, "fuzz_answer: %s\n", steer_diag_format(diag, text, sizeof text));
    abort();
}

static int add_record(void *ctx, const struct steer_rr *rr)
{
    struct steer_diag diag = {0};
    must(steer_zone_add(ctx, rr->owner, rr->type, rr->ttl, rr->rdata, rr->rdata_len, NULL, &diag),
         &diag);
    return 0;
}

static void put_zone(struct steer_link *link, const char *origin_text, const char *text)
{
    struct steer_name origin;
    struct steer_diag diag = {0};
    must(steer_name_parse(origin_text, NULL, &origin, &diag), &diag);
    struct steer_zone_edit *edit = steer_zone_build(&origin);
    must(steer_zonefile_read(text, strlen(text), origin_text, &origin, 300, NULL, add_record, edit,
                             &diag),
         &diag);
    must(steer_link_replace_zone(link, &origin, edit, &diag), &diag);
}

// RRsets that do not fit into small messages, and delegations whose glue does not.
static void put_large(struct steer_link *link)
{
    struct steer_buf text = {0};
    steer_buf_puts(&text, "@ 60 IN SOA ns h 1 7200 900 1209600 300\n@ NS ns\nns A 192.0.2.62\n");
    for (unsigned i = 0; i < 60; i++)
        steer_buf_printf(
            &text,
            "a A 192.0.2.%u\nm MX %u x%u\nx%u AAAA 2001:db8::%x\nt NS n%u.t\nn%u.t A 192.0.2.%u\n",
            i, i, i, i, i, i, i, i);
    for (unsigned i = 0; i < 1200; i++)
        steer_buf_printf(&text, "n NS h%u.abcdefghijklmnopqrstuvwxyz.e%u\n", i, i);
    put_zone(link, "l.", text.data);
    steer_buf_fini(&text);
}

static void put_document(struct steer_link *link)
{
    struct steer_document *document;
    struct steer_link_summary summary = {0};
    const struct steer_link_documents_options options = {0};
    struct steer_diag diag = {0};
    must(steer_document_parse(document_text, strlen(document_text), "fuzz", "fuzz.yaml", &document,
                              &diag),
         &diag);
    must(steer_link_documents(link, &document, 1, &options, &summary, &diag), &diag);
    steer_link_summary_fini(&summary);
    steer_document_destroy(document);
}

static void build(void)
{
    char path[4096];
    const char *paths[] = {path};
    struct steer_geo *geo;
    struct steer_diag diag = {0};
    const char *slash = strrchr(__FILE__, '/');
    CHECK(slash);
    snprintf(path, sizeof path, "%.*s/../../geodata/country.mmdb", (int)(slash - __FILE__),
             __FILE__);
    must(steer_geo_open(paths, 1, NULL, &geo, &diag), &diag);
    vitals = steer_vitals_create();
    must(steer_linker_create(geo, vitals, &linker, &diag), &diag);
    steer_geo_unref(geo);
    struct steer_link *link = steer_link_begin(linker);
    put_zone(link, "z.", zone_text);
    put_zone(link, "child.z.", child_text);
    put_zone(link, "t.", types_text);
    put_large(link);
    put_document(link);
    must(steer_link_prepare(link, 1, &diag), &diag);
    steer_link_commit(link);
    steer_vitals_follow(vitals, steer_linker_catalog(linker), NULL, NULL, NULL);
}

// ---- health --------------------------------------------------------------------------------------

static void observe(const char *endpoint, bool pass)
{
    struct steer_vital *vital = steer_vitals_find(vitals, endpoint, "web");
    if (steer_verdict_observe(&vital->state, &vital->hysteresis, pass, "", 1))
        steer_linker_refresh(linker, STEER_ENDPOINT, endpoint);
}

static void force(enum steer_kind kind, const char *target, unsigned state)
{
    static const enum steer_forced states[] = {STEER_FORCED_NOT, STEER_FORCED_UP, STEER_FORCED_DOWN,
                                               STEER_FORCED_DRAINED};
    char kind_text[16];
    char name[16];
    char none[] = "";
    snprintf(kind_text, sizeof kind_text, "%s", steer_kind_text(kind));
    snprintf(name, sizeof name, "%s", target);
    const struct steer_override o = {kind_text, name, none, none, states[state], 1, 0};
    if (state)
        steer_vitals_override(vitals, &o);
    else
        (void)steer_vitals_clear_override(vitals, kind_text, name);
    steer_linker_refresh(linker, kind, target);
}

static void turn(bool green)
{
    char name[] = "colour";
    char position[8];
    char none[] = "";
    snprintf(position, sizeof position, "%s", green ? "green" : "blue");
    const struct steer_switch_setting s = {
        .name = name, .position = position, .reason = none, .owner = none};
    steer_vitals_set_switch(vitals, &s);
    steer_linker_refresh(linker, STEER_SWITCH, name);
}

static void set_health(uint8_t wanted)
{
    static uint8_t is;
    static const char *const checked[] = {"a", "b", "c"};
    const uint8_t other = wanted ^ is;
    for (unsigned i = 0; i < STEER_ARRAY_LEN(checked); i++)
        if (other >> i & 1)
            observe(checked[i], !(wanted >> i & 1));
    if (other & 0x18)
        force(STEER_ENDPOINT, "d", wanted >> 3 & 3);
    if (other & 0x60)
        force(STEER_SITE, "fra", wanted >> 5 & 3);
    if (other & 0x80) {
        force(STEER_POOL, "one", wanted >> 7 ? 3 : 0);
        turn(wanted >> 7);
    }
    is = wanted;
}

// ---- what must hold ------------------------------------------------------------------------------

static void check_no_record_twice(const knot_pkt_t *pkt)
{
    for (uint16_t i = 0; i < pkt->rrset_count && i < 80; i++)
        for (uint16_t k = 0; k < i; k++)
            CHECK(!knot_rrset_equal(&pkt->rr[i], &pkt->rr[k], true));
}

// Each CNAME stands before its target, and nothing is answered that was not asked for or led to.
static void check_chain(const knot_pkt_t *pkt)
{
    const knot_pktsection_t *section = knot_pkt_section(pkt, KNOT_ANSWER);
    const knot_dname_t *at = knot_pkt_qname(pkt);
    const uint16_t qtype = knot_pkt_qtype(pkt);
    for (uint16_t i = 0; i < section->count; i++) {
        const knot_rrset_t *rr = knot_pkt_rr(section, i);
        if (rr->type == KNOT_RRTYPE_DNAME && !knot_dname_is_case_equal(rr->owner, at)) {
            CHECK(knot_dname_in_bailiwick(at, rr->owner) > 0);
            continue;
        }
        CHECK(knot_dname_is_case_equal(rr->owner, at));
        CHECK(qtype == KNOT_RRTYPE_ANY || rr->type == qtype || rr->type == KNOT_RRTYPE_CNAME);
        if (rr->type == KNOT_RRTYPE_CNAME && qtype != KNOT_RRTYPE_CNAME)
            at = rr->rrs.rdata->data;
    }
}

// What is not there is said with the SOA, and only then (RFC 2308 2).
static void check_authority(const knot_pkt_t *pkt, const struct steer_facts *facts)
{
    const knot_pktsection_t *section = knot_pkt_section(pkt, KNOT_AUTHORITY);
    const bool negative = facts->kind == STEER_FACT_NXDOMAIN || facts->kind == STEER_FACT_NODATA;
    for (uint16_t i = 0; i < section->count; i++)
        CHECK(knot_pkt_rr(section, i)->type == (negative ? KNOT_RRTYPE_SOA : KNOT_RRTYPE_NS));
    CHECK(!negative || section->count == 1);
    CHECK(facts->kind != STEER_FACT_REFERRAL || section->count > 0);
}

// The options of the response: only ours, each once; ECS as it was sent.
static void check_opt(const knot_pkt_t *pkt, const struct steer_query *q,
                      const struct steer_facts *facts)
{
    CHECK(q->edns.present == (pkt->opt_rr != NULL));
    if (!pkt->opt_rr)
        return;
    CHECK(knot_edns_get_payload(pkt->opt_rr) == STEER_UDP_SIZE &&
          knot_edns_get_version(pkt->opt_rr) == 0);
    CHECK(knot_edns_do(pkt->opt_rr) == q->edns.dnssec_ok);
    CHECK((knot_edns_get_option(pkt->opt_rr, STEER_EDNS_NSID, NULL) == NULL) | q->edns.has_nsid);
    const uint8_t *option = knot_edns_get_option(pkt->opt_rr, STEER_EDNS_ECS, NULL);
    CHECK(q->edns.has_ecs == (option != NULL));
    if (!option)
        return;
    const size_t octets = (q->edns.ecs.source + 7u) / 8;
    const uint8_t *p = knot_edns_opt_get_data((uint8_t *)(uintptr_t)option);
    CHECK(knot_edns_opt_get_length(option) == 4 + octets);
    CHECK(p[0] == 0 && p[1] == q->edns.ecs.wire_family && p[2] == q->edns.ecs.source);
    CHECK(p[3] <= (p[1] == STEER_V6 ? 128 : 32) && (p[3] == 0 || (p[2] && facts->steered)));
    CHECK(memcmp(p + 4, q->edns.ecs.addr.octets, octets) == 0);
}

// The client's cookie as it was sent, and one of ours.
static void check_cookie(const knot_pkt_t *pkt, const struct steer_query *q,
                         const struct steer_facts *facts)
{
    uint8_t *option =
        pkt->opt_rr ? knot_edns_get_option(pkt->opt_rr, STEER_EDNS_COOKIE, NULL) : NULL;
    CHECK((q->edns.cookie_len != 0) == (option != NULL));
    CHECK((q->edns.cookie_len != 0) == (facts->cookie != STEER_COOKIE_NONE));
    if (!option)
        return;
    CHECK(knot_edns_opt_get_length(option) == STEER_COOKIE_BYTES);
    CHECK(memcmp(knot_edns_opt_get_data(option), q->edns.cookie, STEER_COOKIE_CLIENT_BYTES) == 0);
}

static void check_response(const struct steer_query *q, const uint8_t *out, size_t len,
                           const struct steer_facts *facts)
{
    struct steer_query again;
    uint8_t *copy = malloc(len);
    CHECK(copy);
    memcpy(copy, out, len);
    knot_pkt_t *pkt = knot_pkt_new(copy, (uint16_t)len, NULL);
    CHECK(pkt && knot_pkt_parse(pkt, 0) == KNOT_EOK);
    CHECK((out[0] << 8 | out[1]) == q->id && out[2] & 0x80 && (out[2] >> 3 & 15) == q->opcode);
    CHECK((out[2] & 1) == (q->flags >> 8 & 1) && !(out[3] & 0xe0)); // RD; no RA, Z, AD
    CHECK(knot_pkt_ext_rcode(pkt) == facts->rcode);
    CHECK(out[5] == q->has_question);
    CHECK(!q->has_question || memcmp(out + 12, q->question, q->question_len) == 0);
    CHECK((out[2] >> 1 & 1) == facts->truncated);
    CHECK(facts->kind != STEER_FACT_POSITIVE || facts->truncated || out[6] | out[7]);
    CHECK(facts->kind != STEER_FACT_NXDOMAIN || facts->rcode == STEER_RCODE_NXDOMAIN);
    check_opt(pkt, q, facts);
    check_cookie(pkt, q, facts);
    check_no_record_twice(pkt);
    if (q->has_question && !facts->truncated) {
        check_chain(pkt);
        check_authority(pkt, facts);
    }
    CHECK(steer_query_parse(out, len, &again) == STEER_PARSE_DROP); // no reply to a reply
    knot_pkt_free(pkt);
    free(copy);
}

static size_t limit_of(const struct steer_query *q, bool stream, size_t cap)
{
    if (stream)
        return cap;
    size_t limit = 512;
    if (q->edns.present && q->edns.udp_size > limit)
        limit = q->edns.udp_size < STEER_UDP_SIZE ? q->edns.udp_size : STEER_UDP_SIZE;
    return limit < cap ? limit : cap;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t caps[] = {65535, 512, 1232, 16384};
    static const struct steer_answer_settings settings[] = {
        {.udp_size = STEER_UDP_SIZE},
        {.udp_size = STEER_UDP_SIZE,
         .keepalive_100ms = 100,
         .nsid_len = 5,
         .nsid = "fra-1",
         .version = "steerd"},
    };
    static const struct steer_cookie_secrets secrets = {.count = 1, .secret = {"fuzzers know it"}};
    static const struct steer_answer_cookies cookies = {&secrets, 1700000000};
    static uint8_t out[65535], twin[65535];
    if (!linker) {
        // The world lives until the end, and its tagged pointers look like leaks.
        if (__lsan_disable)
            __lsan_disable();
        build();
        if (__lsan_enable)
            __lsan_enable();
    }
    if (size < 2 || size > 65537)
        return 0;
    const uint8_t pick = data[0];
    set_health(data[1]);
    data += 2;
    size -= 2;
    const struct steer_ask ask = {
        .message = data,
        .len = size,
        .now_s = 1700000000,
        .client = pick & 16 ? (struct steer_addr){STEER_V6, {0x20, 1, 0xd, 0xb8, 0, 0xde}}
                            : (struct steer_addr){STEER_V4, {198, 51, 100, 1}},
        .stream = pick & 1,
        .random = steer_mix64(pick >> 5),
        .cookies = &cookies,
    };
    const struct steer_world *world = steer_linker_world(linker);
    const size_t cap = caps[pick >> 1 & 3];
    struct steer_facts facts, twin_facts;
    struct steer_query q;
    const size_t len = steer_answer(world, &settings[pick >> 3 & 1], &ask, out, cap, &facts);
    const enum steer_parse_result parsed = steer_query_parse(data, size, &q);
    CHECK((len == 0) == (parsed == STEER_PARSE_DROP));
    CHECK(len <= (len ? limit_of(&q, ask.stream, cap) : 0));
    CHECK(steer_answer(world, &settings[pick >> 3 & 1], &ask, twin, cap, &twin_facts) == len);
    CHECK(memcmp(out, twin, len) == 0 && memcmp(&facts, &twin_facts, sizeof facts) == 0);
    if (len)
        check_response(&q, out, len, &facts);
    return 0;
}
