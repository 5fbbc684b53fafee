// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "steerd/base/hash.h"
#include "steerd/rr/rdata.h"
#include "steerd/rr/type.h"
#include "steerd/rr/zonefile.h"
#include "steerd/rr/zonewriter.h"

static const struct steer_name origin = {9, 1, "\7example"};

static int compare(void *ctx, const struct steer_rr *rr)
{
    struct steer_buf *rdata = ctx;
    assert_int_equal(rr->rdata_len, rdata->len);
    assert_memory_equal(rr->rdata, rdata->data, rdata->len);
    assert_memory_equal(rr->owner, "\3www\7example", 13);
    return 0;
}

// Through text, and through a line of a master file, and back.
static void assert_round_trip(uint16_t type, struct steer_buf *rdata, struct steer_buf *text)
{
    const uint8_t *octets = (const uint8_t *)rdata->data;
    steer_buf_clear(text);
    steer_rdata_format(type, octets, rdata->len, text);
    struct steer_buf again = {0};
    struct steer_diag diag = {0};
    if (steer_rdata_parse(type, text->data, NULL, &again, &diag) != STEER_OK)
        fail_msg("type %u: %s: %s", type, text->data, diag.message);
    if (again.len != rdata->len || (again.len && memcmp(again.data, rdata->data, again.len) != 0))
        fail_msg("type %u: %s does not come back", type, text->data);
    steer_buf_clear(&again);
    steer_rr_format((const uint8_t *)"\3WWW\7example", 60, 1, type, octets, rdata->len, &again);
    if (steer_zonefile_read(again.data, again.len, "x", NULL, 0, NULL, compare, rdata, &diag) !=
        STEER_OK)
        fail_msg("%s: %s", again.data, diag.message);
    steer_buf_fini(&again);
}

static void every_type_survives_the_way_to_text_and_back(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *text;
        const char *back; // NULL: like text
    } rows[] = {
        {"A", "192.0.2.1", NULL},
        {"AAAA", "2001:DB8:0::1", "2001:db8::1"},
        {"NS", "ns1", "ns1.example."},
        {"CNAME", "@", "example."},
        {"DNAME", "Other.TEST.", NULL},
        {"PTR", "a\\.b.test.", NULL},
        {"SOA", "ns.test. host\\.master.test. 4294967295 1h 15m 2w 5m",
         "ns.test. host\\.master.test. 4294967295 3600 900 1209600 300"},
        {"MX", "10 mail", "10 mail.example."},
        {"TXT", "one \"two three\" \"\" \"q\\\"uo\\\\te;()\\000\\255\"",
         "\"one\" \"two three\" \"\" \"q\\\"uo\\\\te;()\\000\\255\""},
        {"SPF", "\"v=spf1 -all\"", NULL},
        {"SRV", "10 60 5060 sip.test.", NULL},
        {"SRV", "0 0 0 .", NULL},
        {"SVCB", "0 pool.test.", NULL},
        {"SVCB",
         "1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1 key65333=ab",
         NULL},
        {"SVCB",
         "16 foo.test. mandatory=alpn,ipv4hint alpn=\"f\\\\\\\\oo\\\\,bar,h2\" ipv4hint=192.0.2.1",
         NULL},
        {"HTTPS", "1 . alpn=h2 no-default-alpn ech=AAAA", NULL},
        {"NAPTR", "100 10 \"S\" \"SIP+D2U\" \"\" _sip._udp.test.", NULL},
        {"NAPTR", "100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:info@test!\" .", NULL},
        {"CAA", "0 issue \"letsencrypt.org; validationmethods=dns-01\"", NULL},
        {"CAA", "128 iodef \"mailto:a@test\"", NULL},
        {"TLSA", "3 1 1 0C72AC70B745AC19998811B131D662C9AC69DBDBE7CB23E5B514B56664C5D3D6", NULL},
        {"SSHFP", "4 2 123456789ABCDEF67890123456789ABCDEF67890123456789ABCDEF123456789AB", NULL},
        {"URI", "10 1 \"https://test/a?b=c\"", NULL},
        {"LOC", "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m", NULL},
        {"LOC", "42 21 54 N 71 06 18 W -24m 30m", NULL},
        {"HINFO", "\"PC\" \"Linux x\"", NULL},
        {"SMIMEA", "3 0 0 00FF", NULL},
        {"OPENPGPKEY", "AQIDBA==", NULL},
        {"DS", "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118", NULL},
        {"CDS", "0 0 0 00", NULL},
        {"DNSKEY", "257 3 8 AQPSKmynfz==", NULL},
        {"CDNSKEY", "0 3 0 AA==", NULL},
        {"CSYNC", "66 3 A NS AAAA", NULL},
        {"ZONEMD",
         "2018031900 1 1 "
         "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F2021222324252627"
         "28292A2B2C2D2E2F",
         NULL},
        {"RRSIG", "A 8 2 3600 20300101000000 20200101000000 60485 test. AQIDBA==", NULL},
        {"NSEC", "host.test. A MX RRSIG NSEC TYPE1234", NULL},
        {"NSEC3", "1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR NS SOA MX", NULL},
        {"NSEC3PARAM", "1 0 12 -", NULL},
        {"AFSDB", "1 afs.test.", NULL},
        {"RP", "mbox.test. txt.test.", NULL},
        {"MINFO", "a.test. b.test.", NULL},
        {"KX", "10 kx.test.", NULL},
        {"RT", "10 rt.test.", NULL},
        {"CERT", "PGP 0 0 AQIDBA==", NULL},
        {"APL", "1:192.0.2.0/24 !2:2001:db8::/32", NULL},
        {"IPSECKEY", "10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==", NULL},
        {"IPSECKEY", "10 3 2 gw.test. AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==", NULL},
        {"DHCID", "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=", NULL},
        {"NID", "10 0014:4fff:ff20:ee64", NULL},
        {"L32", "10 10.1.2.0", NULL},
        {"L64", "10 2001:0db8:1140:1000", NULL},
        {"LP", "10 l64.test.", NULL},
        {"EUI48", "00-00-5e-00-53-2a", NULL},
        {"EUI64", "00-00-5e-ef-10-00-00-2a", NULL},
        {"TYPE65280", "\\# 0", NULL},
        {"TYPE65280", "\\# 4 0a 0B0c 0d", "\\# 4 0A0B0C0D"},
        {"TYPE66", "\\# 3 004203", NULL},
        {"A", "\\# 4 c0000201", "192.0.2.1"},
        {"MX", "\\# 5 000a016100", "10 a."},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        uint16_t type;
        struct steer_buf rdata = {0};
        struct steer_buf text = {0};
        struct steer_diag diag = {0};
        assert_true(steer_type_parse(rows[i].type, &type));
        enum steer_err err = steer_rdata_parse(type, rows[i].text, &origin, &rdata, &diag);
        if (err != STEER_OK)
            fail_msg("%s %s: %s", rows[i].type, rows[i].text, diag.message);
        assert_true(steer_rdata_is_valid(type, (uint8_t *)rdata.data, rdata.len));
        assert_round_trip(type, &rdata, &text);
        if (rows[i].back && strcmp(text.data, rows[i].back) != 0)
            fail_msg("%s became %s", rows[i].text, text.data);
        steer_buf_fini(&rdata);
        steer_buf_fini(&text);
    }
}

static void data_that_is_not_of_its_type_is_still_written(void **state)
{
    (void)state;
    static const struct {
        uint16_t type;
        const char *octets;
        size_t len;
        const char *text;
    } rows[] = {
        {1, "\1\2\3", 3, "\\# 3 010203"},      {1, "", 0, "\\# 0"},
        {2, "\1a", 2, "\\# 2 0161"},           {15, "\0", 1, "\\# 1 00"},
        {43, "\0\1\2\3", 4, "\\# 4 00010203"}, // an empty digest, which text cannot say
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_buf text = {0};
        steer_rdata_format(rows[i].type, (const uint8_t *)rows[i].octets, rows[i].len, &text);
        assert_string_equal(text.data, rows[i].text);
        steer_buf_fini(&text);
    }
}

static void every_octet_survives_in_a_name_and_in_text(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        struct steer_buf rdata = {0};
        struct steer_buf text = {0};
        const uint8_t name[] = {3, 'a', (uint8_t)c, 'b', 0};
        steer_buf_add(&rdata, name, sizeof name);
        assert_round_trip(2, &rdata, &text);
        assert_round_trip(16, &rdata, &text);
        steer_buf_fini(&rdata);
        steer_buf_fini(&text);
    }
}

// Whatever octets lie in a record of any type, their text is one line that gives them back.
static void random_data_of_any_type_survives_if_it_is_valid(void **state)
{
    (void)state;
    struct steer_rng rng;
    steer_rng_init(&rng, 1);
    unsigned valid = 0;
    for (unsigned i = 0; i < 6000; i++) {
        uint16_t type = (uint16_t)(1 + i % 65);
        uint8_t octets[40];
        size_t len = 1 + steer_rng_next(&rng) % sizeof octets;
        for (size_t j = 0; j < len; j++)
            octets[j] = (uint8_t)(steer_rng_next(&rng) % (i % 2 ? 256 : 8));
        struct steer_buf text = {0};
        steer_rdata_format(type, octets, len, &text);
        assert_null(strchr(text.data, '\n'));
        if (!steer_type_is_meta(type) && steer_rdata_is_valid(type, octets, len)) {
            struct steer_buf rdata = {0};
            steer_buf_add(&rdata, octets, len);
            assert_round_trip(type, &rdata, &text);
            steer_buf_fini(&rdata);
            valid++;
        }
        steer_buf_fini(&text);
    }
    assert_true(valid > 500);
}

static void bad_text_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *text;
        uint32_t column;
        const char *word;
    } rows[] = {
        {"A", "", 0, "192.0.2.1"},
        {"A", "192.0.2", 0, "invalid IPv4 address"},
        {"A", "192.0.2.1 192.0.2.2", 11, "unexpected data"},
        {"A", "192.0.2.1\nb A 192.0.2.2", 0, "follows"},
        {"A", "192.0.2.1\n$INCLUDE /etc/passwd", 0, "follows"},
        {"A", "( 192.0.2.1", 0, "follows"},
        {"A", "2001:db8::1", 5, "right would be: A 192.0.2.1"},
        {"AAAA", "192.0.2.1", 0, "right would be: AAAA 2001:db8::1"},
        {"MX", "mail.example.", 1, "right would be: MX 10 mail.example.com."},
        {"MX", "70000 mail.example.", 0, "16 bits"},
        {"CNAME", "a..b", 3, "domain name character"},
        {"TXT", "\"open", 0, "TXT record"},
        {"TXT", "x\\", 0, "TXT record"},
        {"A", "\\# 5 0102030405", 0, "does not have the form"},
        {"NS", "\\# 2 c00c", 0, "does not have the form"},
        {"TYPE65280", "abc", 0, "\\# length hex"},
        {"TYPE65280", "\\# 3 0102", 0, "length"},
        {"OPT", "\\# 0", 0, "cannot stand in a zone"},
        {"ANY", "\\# 0", 0, "cannot stand in a zone"},
        {"SVCB", "1 . mandatory=port", 0, "mandatory"},
        {"IPSECKEY", "10 1 2 192.0.2.38", 0, "does not have the form"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        uint16_t type;
        struct steer_buf rdata = {0};
        struct steer_diag diag = {0};
        assert_true(steer_type_parse(rows[i].type, &type));
        steer_buf_puts(&rdata, "kept");
        assert_int_equal(steer_rdata_parse(type, rows[i].text, &origin, &rdata, &diag),
                         STEER_EINVAL);
        if (!strstr(diag.message, rows[i].word) ||
            (rows[i].column && rows[i].column != diag.column))
            fail_msg("%s '%s': %u: %s", rows[i].type, rows[i].text, diag.column, diag.message);
        assert_string_equal(rdata.data, "kept");
        steer_buf_fini(&rdata);
    }
}

static void what_an_error_says_would_be_right_is_right(void **state)
{
    (void)state;
    unsigned examples = 0;
    for (unsigned type = 1; type < 300; type++) {
        struct steer_buf rdata = {0};
        struct steer_diag diag = {0};
        if (steer_type_is_meta((uint16_t)type))
            continue;
        assert_int_equal(steer_rdata_parse((uint16_t)type, "", NULL, &rdata, &diag),
                         type == 42 ? STEER_OK
                                    : STEER_EINVAL); // an empty address prefix list is legal
        char *example = strstr(diag.message, "right would be: ");
        if (example) {
            example = strchr(example + strlen("right would be: "), ' ') + 1;
            example[strlen(example) - 1] = '\0';
            assert_int_equal(steer_rdata_parse((uint16_t)type, example, NULL, &rdata, NULL),
                             STEER_OK);
            examples++;
        }
        steer_buf_fini(&rdata);
    }
    assert_true(examples >= 19);
}

static void a_list_item_of_more_than_255_octets_is_refused(void **state)
{
    (void)state;
    char text[400];
    struct steer_buf rdata = {0};
    struct steer_diag diag = {0};
    snprintf(text, sizeof text, "1 . alpn=%0256d,h2", 1);
    assert_int_equal(steer_rdata_parse(64, text, NULL, &rdata, &diag), STEER_EINVAL);
    snprintf(text, sizeof text, "1 . alpn=%0255d,h2", 1);
    assert_int_equal(steer_rdata_parse(64, text, NULL, &rdata, &diag), STEER_OK);
    steer_buf_fini(&rdata);
}

static void a_record_may_span_lines_in_parentheses(void **state)
{
    (void)state;
    struct steer_buf rdata = {0};
    struct steer_diag diag = {0};
    assert_int_equal(steer_rdata_parse(16, "( \"a\"\n ; note\n \"b\" )", NULL, &rdata, &diag),
                     STEER_OK);
    assert_int_equal(rdata.len, 4);
    assert_memory_equal(rdata.data, "\1a\1b", 4);
    steer_buf_fini(&rdata);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_survives_the_way_to_text_and_back),
        cmocka_unit_test(data_that_is_not_of_its_type_is_still_written),
        cmocka_unit_test(every_octet_survives_in_a_name_and_in_text),
        cmocka_unit_test(random_data_of_any_type_survives_if_it_is_valid),
        cmocka_unit_test(bad_text_is_refused_with_a_reason),
        cmocka_unit_test(what_an_error_says_would_be_right_is_right),
        cmocka_unit_test(a_list_item_of_more_than_255_octets_is_refused),
        cmocka_unit_test(a_record_may_span_lines_in_parentheses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
