// SPDX-License-Identifier: GPL-3.0-or-later
// Record data on its way into responses: every type as it is in the zone, names compressed only where RFC
// 3597 4 allows it, and messages so long that pointers do not reach.
#include "answer_support.h"

#include "steerd/base/hash.h"
#include "steerd/rr/rdata.h"
#include "steerd/rr/type.h"

static const struct {
    const char *type, *data;
} types[] = {
    {"A", "192.0.2.1"},
    {"TYPE3", "\\# 11 04686f7374047465737400"},
    {"TYPE4", "\\# 11 04686f7374047465737400"},
    {"TYPE7", "\\# 11 04686f7374047465737400"},
    {"TYPE8", "\\# 11 04686f7374047465737400"},
    {"TYPE9", "\\# 11 04686f7374047465737400"},
    {"TYPE10", "\\# 3 010203"},
    {"PTR", "www.types.test."},
    {"HINFO", "\"cpu\" \"os\""},
    {"MINFO", "a.types.test. b.types.test."},
    {"MX", "10 mail.types.test."},
    {"TXT", "\"one\" \"\" \"three\\\"\\000\""},
    {"RP", "a.types.test. b.types.test."},
    {"AFSDB", "1 a.types.test."},
    {"RT", "2 a.types.test."},
    {"KEY", "256 3 8 AQID"},
    {"AAAA", "2001:db8::1"},
    {"LOC", "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m"},
    {"SRV", "1 2 3 a.types.test."},
    {"NAPTR", "100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:info@types.test!\" ."},
    {"KX", "1 a.types.test."},
    {"CERT", "1 2 3 AQID"},
    {"APL", "1:192.0.2.0/24 !2:2001:db8::/32"},
    {"DS", "1 8 2 0000000000000000000000000000000000000000000000000000000000000000"},
    {"SSHFP", "1 1 0123456789abcdef0123456789abcdef01234567"},
    {"IPSECKEY", "10 3 2 a.types.test. AQID"},
    {"RRSIG", "A 8 2 300 20300101000000 20200101000000 1 types.test. AQID"},
    {"DNSKEY", "257 3 8 AQID"},
    {"DHCID", "AQID"},
    {"TLSA", "3 1 1 0000000000000000000000000000000000000000000000000000000000000000"},
    {"SMIMEA", "3 1 1 0000000000000000000000000000000000000000000000000000000000000000"},
    {"CDS", "1 8 2 0000000000000000000000000000000000000000000000000000000000000000"},
    {"CDNSKEY", "257 3 8 AQID"},
    {"OPENPGPKEY", "AQID"},
    {"CSYNC", "1 3 A NS AAAA"},
    {"ZONEMD", "1 1 1 "
               "00000000000000000000000000000000000000000000000000000000000000000000000000000000000"
               "0000000000000"},
    {"SVCB", "1 a.types.test. alpn=h2 port=443"},
    {"HTTPS", "0 a.types.test."},
    {"SPF", "\"v=spf1 -all\""},
    {"NID", "10 0014:4fff:ff20:ee64"},
    {"L32", "10 10.1.2.0"},
    {"LP", "10 a.types.test."},
    {"EUI48", "00-00-5e-00-53-2a"},
    {"URI", "10 1 \"https://types.test/\""},
    {"CAA", "0 issue \"ca.test\""},
    {"TYPE65280", "\\# 5 c00c000001"},
    {"TYPE65281", "\\# 0"},
};

static struct steer_world *types_world(void)
{
    struct steer_buf text = {0};
    for (size_t i = 0; i < STEER_ARRAY_LEN(types); i++)
        steer_buf_printf(&text, "t%zu %s %s\nc%zu CNAME t%zu\n*.w%zu %s %s\n", i, types[i].type,
                         types[i].data, i, i, i, types[i].type, types[i].data);
    struct steer_world_edit *edit = steer_world_edit(steer_world_create(NULL));
    finish_zone(edit, zone_of("types.test.", text.data));
    steer_buf_fini(&text);
    return finish_world(edit);
}

// The last RR of the answer section as libknot reads it: uncompressed data.
static void check_last(const struct reply *reply, const char *owner, uint16_t type,
                       const struct steer_buf *want)
{
    uint8_t *copy = steer_memdup(reply->wire, reply->len);
    knot_pkt_t *pkt = knot_pkt_new(copy, (uint16_t)reply->len, NULL);
    assert_int_equal(knot_pkt_parse(pkt, 0), KNOT_EOK);
    const knot_pktsection_t *answer = knot_pkt_section(pkt, KNOT_ANSWER);
    assert_true(answer->count > 0);
    const knot_rrset_t *rr = knot_pkt_rr(answer, (uint16_t)(answer->count - 1));
    const struct steer_name name = name_of(owner);
    assert_true(steer_name_equal(rr->owner, name.octets));
    assert_int_equal(rr->type, type);
    assert_int_equal(rr->rrs.rdata->len, want->len);
    assert_memory_equal(rr->rrs.rdata->data, want->data, want->len);
    knot_pkt_free(pkt);
    free(copy);
}

static void every_type_is_given_as_it_is(void **state)
{
    (void)state;
    static struct reply reply;
    static const char *const prefixes[] = {"t", "c",
                                           "x.w"}; // itself, through a CNAME, from a wildcard
    struct steer_world *world = types_world();
    for (size_t i = 0; i < STEER_ARRAY_LEN(types); i++) {
        uint16_t type;
        struct steer_buf rdata = {0};
        assert_true(steer_type_parse(types[i].type, &type));
        assert_int_equal(steer_rdata_parse(type, types[i].data, NULL, &rdata, NULL), STEER_OK);
        const bool compressible =
            (type >= 2 && type <= 9) || type == 12 || type == 14 || type == 15;
        for (unsigned p = 0; p < STEER_ARRAY_LEN(prefixes); p++) {
            char name[64], owner[64];
            snprintf(name, sizeof name, "%s%zu.types.test.", prefixes[p], i);
            snprintf(owner, sizeof owner, "t%zu.types.test.", i);
            const struct question q = Q(name, type);
            ask_for(world, &plain_settings, &q, true, 0, &reply);
            check_last(&reply, p == 1 ? owner : name, type, &rdata);
            const uint8_t *rr = reply.wire + 12 + name_of(name).len + 4;
            if (p == 1)
                rr += 12 + (rr[10] << 8 | rr[11]);
            if (!compressible) { // the very octets, behind an owner that is a pointer
                assert_int_equal(rr[10] << 8 | rr[11], rdata.len);
                assert_memory_equal(rr + 12, rdata.data, rdata.len);
            }
        }
        steer_buf_fini(&rdata);
    }
    steer_world_destroy(world);
}

// ---- long messages -------------------------------------------------------------------------------

// Names of 255 octets that differ in their first label and in their last but two.
static void long_name(char *out, size_t size, unsigned i)
{
    static const char label[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij";
    snprintf(out, size, "%04u%.59s.%s.%s.%02u%.52s.big.test.", i, label, label, label, i % 40,
             label);
}

static struct steer_world *long_world(void)
{
    struct steer_buf text = {0};
    char name[300];
    for (unsigned i = 0; i < 240; i++) {
        long_name(name, sizeof name, i);
        assert_int_equal(name_of(name).len, 255);
        steer_buf_printf(&text, "p PTR %s\nm MX %u %s\nd NS %s\n", name, i, name, name);
        steer_buf_printf(&text, "%s A 192.0.2.%u\n", name, i);
    }
    steer_buf_puts(&text, "c CNAME p\n");
    for (unsigned i = 0; i < 1000; i++)
        steer_buf_printf(&text, "s PTR h%u.abcdefghijklmnopqrstuvwxyz.e%u\n", i, i);
    struct steer_world_edit *edit = steer_world_edit(steer_world_create(NULL));
    finish_zone(edit, zone_of("big.test.", text.data));
    steer_buf_fini(&text);
    return finish_world(edit);
}

static unsigned occurrences(const char *text, const char *word)
{
    unsigned n = 0;
    for (; (text = strstr(text, word)); text++)
        n++;
    return n;
}

static void names_of_255_octets_fill_messages_beyond_the_reach_of_pointers(void **state)
{
    (void)state;
    static struct reply reply;
    struct steer_world *world = long_world();
    struct steer_buf text = {0};
    static const struct {
        struct question q;
        const char *line; // of each record, before its name; NULL: not looked at
        unsigned records;
    } rows[] = {
        {Q("p.big.test.", STEER_TYPE_PTR), "\nan p.big.test. 3600 PTR ", 240},
        {Q("m.big.test.", STEER_TYPE_MX), NULL, 240},
        {Q("c.big.test.", STEER_TYPE_PTR), "\nan p.big.test. 3600 PTR ", 241},
        {Q("x.d.big.test.", STEER_TYPE_A), "\nns d.big.test. 3600 NS ", 240},
        {Q("s.big.test.", STEER_TYPE_PTR), NULL, 1000},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        for (uint64_t turn = 0; turn < 240; turn += 79) {
            ask_for(world, &plain_settings, &rows[i].q, true, turn << 32, &reply);
            assert_true(reply.len > 0x4000);
            assert_false(reply.facts.truncated);
            response_text(reply.wire, reply.len, &text);
            assert_int_equal(occurrences(text.data, "\nan ") + occurrences(text.data, "\nns "),
                             rows[i].records);
            for (unsigned k = 0; rows[i].line && k < 240; k++) {
                char name[300], line[400];
                long_name(name, sizeof name, k);
                snprintf(line, sizeof line, "%s%s\n", rows[i].line, name);
                assert_int_equal(occurrences(text.data, line), 1);
            }
        }
    }
    // Addresses of up to 32 targets follow, whose owners stand far behind.
    ask_for(world, &plain_settings, &rows[1].q, true, 0, &reply);
    response_text(reply.wire, reply.len, &text);
    assert_int_equal(occurrences(text.data, "\nar "), 32);
    steer_buf_fini(&text);
    steer_world_destroy(world);
}

static void questions_of_255_octets_are_answered(void **state)
{
    (void)state;
    static struct reply reply;
    struct steer_world *world = long_world();
    struct steer_buf text = {0};
    char name[300], want[700];
    long_name(name, sizeof name, 7);
    const struct question there = Q(name, STEER_TYPE_A, .udp_size = 512);
    ask_for(world, &plain_settings, &there, false, 0, &reply);
    response_text(reply.wire, reply.len, &text);
    snprintf(want, sizeof want, "NOERROR aa\nan %s 3600 A 192.0.2.7\nopt 1232\n", name);
    assert_string_equal(text.data, want);
    name[0] = 'x';
    const struct question gone = Q(name, STEER_TYPE_A, .udp_size = 512);
    ask_for(world, &plain_settings, &gone, false, 0, &reply);
    response_text(reply.wire, reply.len, &text);
    assert_string_equal(
        text.data,
        "NXDOMAIN aa\nns big.test. 300 SOA ns.big.test. hostmaster.big.test. 1 7200 900 1209600 "
        "300\nopt 1232\n");
    steer_buf_fini(&text);
    steer_world_destroy(world);
}

// Its names end in the origin, are it, share a suffix with it or with each other, or nothing; and may be long.
static void the_soa_of_negative_answers_has_its_names_in_every_form(void **state)
{
    (void)state;
    static const char label[] = "a123456789b123456789c123456789d123456789";
    static struct reply reply;
    char far[200];
    snprintf(far, sizeof far, "%s.%s.%s.net.", label, label, label);
    const struct {
        const char *origin, *mname, *rname;
        size_t octets; // of the SOA's RDATA in the message
    } rows[] = {
        {"example.com.", "ns.example.com.", "hostmaster.example.com.", 5 + 13 + 20},
        {"example.com.", "example.com.", "example.com.", 2 + 2 + 20},
        {"example.com.", "ns.com.", "host.example.com.", 5 + 7 + 20},
        {"example.com.", "ns.example.net.", "dns.ns.example.net.", 16 + 6 + 20},
        {"example.com.", "ns.example.net.", "ns.example.net.", 16 + 2 + 20},
        {"example.com.", "dns.example.net.", "host.example.org.", 17 + 18 + 20},
        {"example.com.", ".", ".", 1 + 1 + 20},
        {"example.com.", far, "host.example.com.", 128 + 7 + 20},
        {"com.", "ns.example.com.", "x.ns.example.com.", 13 + 4 + 20},
        {".", "a.root.", "x.root.", 8 + 4 + 20},
    };
    for (unsigned i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        char soa[600], name[64], want[700];
        const struct steer_name origin = name_of(rows[i].origin);
        const char *under = rows[i].origin[0] == '.' ? "" : rows[i].origin;
        struct steer_zone_edit *zone = zone_of(rows[i].origin, "");
        struct steer_world_edit *edit = steer_world_edit(steer_world_create(NULL));
        struct steer_diag diag = {0};
        assert_true(steer_zone_remove(zone, origin.octets, STEER_TYPE_SOA));
        snprintf(soa, sizeof soa, "@ 60 SOA %s %s 1 2 3 4 300\n", rows[i].mname, rows[i].rname);
        assert_int_equal(steer_zonefile_read(soa, strlen(soa), "soa", &origin, 60, NULL, add_record,
                                             zone, &diag),
                         STEER_OK);
        finish_zone(edit, zone);
        struct steer_world *world = finish_world(edit);
        snprintf(name, sizeof name, "No.Such.Name.%s", under);
        const struct question q = Q(name, STEER_TYPE_A);
        ask_for(world, &plain_settings, &q, false, 0, &reply);
        struct steer_buf text = {0};
        response_text(reply.wire, reply.len, &text);
        snprintf(want, sizeof want, "NXDOMAIN aa\nns %s 60 SOA %s %s 1 2 3 4 300\n", rows[i].origin,
                 rows[i].mname, rows[i].rname);
        assert_string_equal(text.data, want);
        const size_t question = name_of(name).len + 4u;
        const size_t owner = *under ? 2 : 1;
        assert_int_equal(reply.len, STEER_HEADER_BYTES + question + owner + 10 + rows[i].octets);
        steer_buf_fini(&text);
        steer_world_destroy(world);
    }
}

// Around 65,535 octets: given whole, or with TC, and never a message that is too long for its own length.
static void messages_end_at_65535_octets(void **state)
{
    (void)state;
    static struct reply reply;
    bool whole = false, cut = false;
    struct steer_buf text = {0};
    for (unsigned last = 1; last <= 255; last += 2) {
        uint8_t rdata[256];
        struct steer_zone_edit *zone = zone_of("huge.test.", "");
        const struct steer_name owner = name_of("t.huge.test.");
        memset(rdata, 'x', sizeof rdata);
        for (unsigned i = 0; i < 243; i++) { // 242 of 268 octets, and one that varies
            const unsigned len = i < 242 ? 255 : last;
            rdata[0] = (uint8_t)len;
            rdata[1] = (uint8_t)i;
            assert_int_equal(
                steer_zone_add(zone, owner.octets, STEER_TYPE_TXT, 60, rdata, len + 1, NULL, NULL),
                STEER_OK);
        }
        for (uint8_t len = 100; len; len = len == 100 ? 254 : 0) {
            rdata[0] = len;
            assert_int_equal(
                steer_zone_add(zone, owner.octets, STEER_TYPE_TXT, 60, rdata, len + 1u, NULL, NULL),
                STEER_OK);
        }
        struct steer_world_edit *edit = steer_world_edit(steer_world_create(NULL));
        finish_zone(edit, zone);
        struct steer_world *world = finish_world(edit);
        const struct question q = Q("t.huge.test.", STEER_TYPE_TXT, .udp_size = 1232);
        ask_for(world, &plain_settings, &q, true, 0, &reply);
        response_text(reply.wire, reply.len, &text);
        whole |= !reply.facts.truncated;
        cut |= reply.facts.truncated;
        if (reply.facts.truncated)
            assert_string_equal(text.data, "NOERROR aa tc\nopt 1232\n");
        else
            assert_int_equal(occurrences(text.data, "\nan "), 245);
        steer_world_destroy(world);
    }
    assert_true(whole && cut);
    steer_buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_given_as_it_is),
        cmocka_unit_test(names_of_255_octets_fill_messages_beyond_the_reach_of_pointers),
        cmocka_unit_test(questions_of_255_octets_are_answered),
        cmocka_unit_test(the_soa_of_negative_answers_has_its_names_in_every_form),
        cmocka_unit_test(messages_end_at_65535_octets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
