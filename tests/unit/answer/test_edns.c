// SPDX-License-Identifier: GPL-3.0-or-later
// Headers, EDNS and its options, the CHAOS class, what is refused, and what fits into which size.
#include "answer_support.h"

#include "steerd/base/hash.h"

enum { A = STEER_TYPE_A, TXT = STEER_TYPE_TXT };

static const struct steer_answer_settings named = {
    .udp_size = STEER_UDP_SIZE, .nsid_len = 5, .nsid = "fra-1", .version = "steerd 1"};

static const char records[] =
    "ns A 192.0.2.53\n"
    "www A 192.0.2.80\n"
    "wide TXT "
    "\"01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"
    "23456789\"\n"
    "cut NS ns.cut\ncut NS ns.sib\nns.cut A 192.0.2.60\nsib NS ns.sib\nns.sib A 192.0.2.61\n"
    "*.wild CNAME www\n";

static int build_world(void **state)
{
    struct steer_buf text = {0};
    struct steer_world_edit *edit = steer_world_edit(steer_world_create(NULL));
    steer_buf_puts(&text, records);
    for (unsigned i = 0; i < 90; i++) // 90 addresses of 16 octets, and names for each of them
        steer_buf_printf(&text, "many A 198.51.100.%u\nmx MX %u m%u\nm%u A 203.0.113.%u\n", i, i, i,
                         i, i);
    steer_buf_puts(&text, "_two._tcp SRV 1 2 3 many\n_two._tcp SRV 2 2 3 www\n");
    for (unsigned i = 0; i < 30; i++)
        steer_buf_printf(
            &text,
            "dele NS n%u.dele\nn%u.dele A 203.0.113.%u\ndele NS q%u.sib\nq%u.sib A 192.0.2.%u\n", i,
            i, i, i, i, i);
    finish_zone(edit, zone_of("example.com.", text.data));
    *state = finish_world(edit);
    steer_buf_fini(&text);
    return 0;
}

static int drop_world(void **state)
{
    steer_world_destroy(*state);
    return 0;
}

static void check(const struct steer_world *world, const char *what, const struct question *q,
                  const struct steer_answer_settings *settings, const char *want)
{
    static struct reply reply;
    struct steer_buf got = {0};
    ask_for(world, settings, q, false, 0, &reply);
    response_text(reply.wire, reply.len, &got);
    if (strcmp(got.data, want) != 0)
        fail_msg("%s\n--- expected\n%s--- came\n%s", what, want, got.data);
    steer_buf_fini(&got);
}

#define WWW "an www.example.com. 3600 A 192.0.2.80\n"

static void edns_and_its_options_are_answered(void **state)
{
    static const struct {
        const char *what;
        struct question q;
        const char *response;
    } rows[] = {
        {"without EDNS there is none", Q("www.example.com.", A), "NOERROR aa\n" WWW},
        {"our own size is told", Q("www.example.com.", A, .udp_size = 4096),
         "NOERROR aa\n" WWW "opt 1232\n"},
        {"DO is echoed", Q("www.example.com.", A, .udp_size = 1232, .edns = DO),
         "NOERROR aa\n" WWW "opt 1232 do\n"},
        {"other EDNS flags are not", Q("www.example.com.", A, .udp_size = 1232, .edns = 0x4001),
         "NOERROR aa\n" WWW "opt 1232\n"},
        {"a size below 512 is taken for 512", Q("www.example.com.", A, .udp_size = 1),
         "NOERROR aa\n" WWW "opt 1232\n"},
        {"unknown options are ignored",
         Q("www.example.com.", A, .options = "fde9 0003 010203 000b 0000"),
         "NOERROR aa\n" WWW "opt 1232\n"},
        {"a client cookie alone is no reason to do otherwise",
         Q("www.example.com.", A, .options = "000a 0008 0102030405060708"),
         "NOERROR aa\n" WWW "opt 1232\n"},
        {"NSID, where it was asked for", Q("www.example.com.", A, .options = "0003 0000"),
         "NOERROR aa\n" WWW "opt 1232 3:6672612d31\n"},
        {"BADVERS says nothing else", Q("www.example.com.", A, .udp_size = 1232, .version = 1),
         "BADVERS\nopt 1232\n"},
        {"BADVERS keeps DO", Q("www.example.com.", A, .udp_size = 1232, .version = 255, .edns = DO),
         "BADVERS\nopt 1232 do\n"},
        // RFC 7871: the scope of what is not steered is 0
        {"ECS is echoed", Q("www.example.com.", A, .options = "0008 0007 0001 18 00 c00002"),
         "NOERROR aa\n" WWW "opt 1232 8:00011800c00002\n"},
        {"ECS of length 0", Q("www.example.com.", A, .options = "0008 0004 0001 00 00"),
         "NOERROR aa\n" WWW "opt 1232 8:00010000\n"},
        {"ECS of no family", Q("www.example.com.", A, .options = "0008 0004 0000 00 00"),
         "NOERROR aa\n" WWW "opt 1232 8:00000000\n"},
        {"ECS with a length between octets",
         Q("www.example.com.", A, .options = "0008 0007 0001 13 00 c00020"),
         "NOERROR aa\n" WWW "opt 1232 8:00011300c00020\n"},
        {"ECS of IPv6", Q("www.example.com.", A, .options = "0008 000b 0002 38 00 20010db8000000"),
         "NOERROR aa\n" WWW "opt 1232 8:0002380020010db8000000\n"},
        {"ECS in negative answers",
         Q("no.example.com.", A, .options = "0008 0007 0001 18 00 c00002"),
         "NXDOMAIN aa\nns example.com. 300 SOA ns.example.com. hostmaster.example.com. 1 7200 900 "
         "1209600 300\n"
         "opt 1232 8:00011800c00002\n"},
        {"ECS in referrals", Q("x.sib.example.com.", A, .options = "0008 0007 0001 18 00 c00002"),
         "NOERROR\nns sib.example.com. 3600 NS ns.sib.example.com.\nar ns.sib.example.com. 3600 A "
         "192.0.2.61\n"
         "opt 1232 8:00011800c00002\n"},
        {"ECS of a wrong family",
         Q("www.example.com.", A, .options = "0008 0007 0003 18 00 c00002"), "FORMERR\nopt 1232\n"},
        {"ECS that is too short", Q("www.example.com.", A, .options = "0008 0006 0001 18 00 c000"),
         "FORMERR\nopt 1232\n"},
        {"ECS with bits beyond its length",
         Q("www.example.com.", A, .options = "0008 0007 0001 13 00 c00021"), "FORMERR\nopt 1232\n"},
        {"ECS with a scope", Q("www.example.com.", A, .options = "0008 0007 0001 18 18 c00002"),
         "FORMERR\nopt 1232\n"},
        // RFC 8914
        {"outside all zones", Q("www.example.net.", A, .udp_size = 1232),
         "REFUSED\nopt 1232 15:0014\n"},
        {"outside all zones, with a subnet",
         Q("www.example.net.", A, .options = "0008 0007 0001 18 00 c00002"),
         "REFUSED\nopt 1232 8:00011800c00002 15:0014\n"},
        {"prohibited", Q("example.com.", STEER_TYPE_AXFR, .udp_size = 1232),
         "REFUSED\nopt 1232 15:0012\n"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++)
        check(*state, rows[i].what, &rows[i].q, &named, rows[i].response);
}

static void headers_of_all_sorts_are_answered(void **state)
{
    static const struct {
        const char *what;
        struct question q;
        const char *response;
    } rows[] = {
        {"RD is copied, RA is not given", Q("www.example.com.", A, .flags = 0x0100),
         "NOERROR aa rd\n" WWW},
        {"CD is cleared", Q("www.example.com.", A, .flags = 0x0010), "NOERROR aa\n" WWW},
        {"AA, TC, RA, Z, AD and an rcode in a query mean nothing",
         Q("www.example.com.", A, .flags = 0x06ef), "NOERROR aa\n" WWW},
        {"NOTIFY", Q("example.com.", STEER_TYPE_SOA, .flags = 4 << 11), "NOTIMPL opcode4\n"},
        {"UPDATE", Q("example.com.", STEER_TYPE_SOA, .flags = 5 << 11, .udp_size = 1232),
         "NOTIMPL opcode5\nopt 1232\n"},
        {"an opcode that there is not", Q("example.com.", A, .flags = 15 << 11 | 0x100),
         "NOTIMPL opcode15 rd\n"},
        {"case does not matter, and is kept", Q("wWw.ExAmPlE.cOm.", A),
         "NOERROR aa\nan www.example.com. 3600 A 192.0.2.80\n"},
        {"also of a name below a cut", Q("wWw.SiB.ExAmPlE.cOm.", A),
         "NOERROR\nns sib.example.com. 3600 NS ns.sib.example.com.\nar ns.sib.example.com. 3600 A "
         "192.0.2.61\n"},
        {"class ANY", Q("www.example.com.", A, .class = 255), "REFUSED\n"},
        {"class HS", Q("www.example.com.", A, .class = 4, .udp_size = 1232),
         "REFUSED\nopt 1232 15:0014\n"},
        {"class NONE", Q("www.example.com.", A, .class = 254), "REFUSED\n"},
        {"IXFR", Q("example.com.", STEER_TYPE_IXFR), "REFUSED\n"},
        {"AXFR of a name within", Q("www.example.com.", STEER_TYPE_AXFR), "NOTAUTH\n"},
        {"IXFR of a name within", Q("www.example.com.", STEER_TYPE_IXFR), "NOTAUTH\n"},
        {"AXFR of a zone that is not here",
         Q("www.example.org.", STEER_TYPE_AXFR, .udp_size = 1232), "NOTAUTH\nopt 1232 15:0014\n"},
        {"AXFR of another class", Q("www.example.com.", STEER_TYPE_AXFR, .class = 4), "REFUSED\n"},
        {"MAILB", Q("www.example.com.", 253), "REFUSED\n"},
        {"TSIG", Q("www.example.com.", STEER_TYPE_TSIG), "REFUSED\n"},
        {"OPT", Q("www.example.com.", STEER_TYPE_OPT), "REFUSED\n"},
        {"the first meta type", Q("www.example.com.", 128), "REFUSED\n"},
        {"the type before it is data", Q("www.example.com.", 127),
         "NOERROR aa\nns example.com. 300 SOA ns.example.com. hostmaster.example.com. 1 7200 900 "
         "1209600 300\n"},
        {"the type after ANY too", Q("www.example.com.", 256),
         "NOERROR aa\nns example.com. 300 SOA ns.example.com. hostmaster.example.com. 1 7200 900 "
         "1209600 300\n"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++)
        check(*state, rows[i].what, &rows[i].q, &named, rows[i].response);
}

static void the_chaos_class_says_who_is_there(void **state)
{
    static const struct {
        struct question q;
        const char *response, *response_off;
    } rows[] = {
        {Q("id.server.", TXT, .class = STEER_CLASS_CH),
         "NOERROR aa\nan id.server. 0 CLASS3 TXT \"fra-1\"\n", "REFUSED\n"},
        {Q("HOSTNAME.bind.", TXT, .class = STEER_CLASS_CH),
         "NOERROR aa\nan hostname.bind. 0 CLASS3 TXT \"fra-1\"\n", "REFUSED\n"},
        {Q("version.server.", TXT, .class = STEER_CLASS_CH),
         "NOERROR aa\nan version.server. 0 CLASS3 TXT \"steerd 1\"\n", "REFUSED\n"},
        {Q("version.bind.", ANY, .class = STEER_CLASS_CH),
         "NOERROR aa\nan version.bind. 0 CLASS3 TXT \"steerd 1\"\n", "REFUSED\n"},
        {Q("version.bind.", A, .class = STEER_CLASS_CH), "REFUSED\n", "REFUSED\n"},
        {Q("www.example.com.", A, .class = STEER_CLASS_CH), "REFUSED\n", "REFUSED\n"},
        {Q("id.server.", TXT), "REFUSED\n", "REFUSED\n"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        check(*state, rows[i].q.name, &rows[i].q, &named, rows[i].response);
        check(*state, rows[i].q.name, &rows[i].q, &plain_settings, rows[i].response_off);
    }
}

static void names_of_the_server_may_fill_their_fields(void **state)
{
    struct steer_answer_settings settings = {.udp_size = STEER_UDP_SIZE,
                                             .nsid_len = sizeof settings.nsid};
    memset(settings.nsid, 'n', sizeof settings.nsid);
    memset(settings.version, 'v', sizeof settings.version);
    char want[256];
    const struct question id = Q("id.server.", TXT, .class = STEER_CLASS_CH);
    snprintf(want, sizeof want, "NOERROR aa\nan id.server. 0 CLASS3 TXT \"%.64s\"\n",
             settings.nsid);
    check(*state, "id", &id, &settings, want);
    const struct question version = Q("version.bind.", TXT, .class = STEER_CLASS_CH);
    snprintf(want, sizeof want, "NOERROR aa\nan version.bind. 0 CLASS3 TXT \"%.64s\"\n",
             settings.version);
    check(*state, "version", &version, &settings, want);
}

// Whole messages, as hexadecimal digits: what steer_query_parse refuses, echoed as it should be.
static void what_is_no_question_is_refused_or_dropped(void **state)
{
    static const struct {
        const char *what, *message, *response;
    } rows[] = {
        {"nothing", "", ""},
        {"half a header", "abcd 0000 0001", ""},
        {"a reply", "abcd 8000 0001 0000 0000 0000 03777777 076578616d706c65 03636f6d 00 0001 0001",
         ""},
        {"a reply of a strange opcode", "abcd f800 0000 0000 0000 0000", ""},
        {"no question", "abcd 0100 0000 0000 0000 0000", "FORMERR rd\n"},
        {"no question, but a cookie, where none are known",
         "abcd 0000 0000 0000 0000 0001 00 0029 04d0 00000000 000c 000a 0008 0102030405060708",
         "FORMERR\nopt 1232\n"},
        {"two questions", "abcd 0000 0002 0000 0000 0000 00 0001 0001 00 0001 0001", "FORMERR\n"},
        {"a question that is cut", "abcd 0000 0001 0000 0000 0000 03777777", "FORMERR\n"},
        {"a pointer in the question", "abcd 0000 0001 0000 0000 0000 c00c 0001 0001", "FORMERR\n"},
        {"something behind the message", "abcd 0000 0001 0000 0000 0000 00 0002 0001 ff",
         "FORMERR\n"},
        {"two OPT",
         "abcd 0000 0001 0000 0000 0002 00 0002 0001 00 0029 0200 00000000 0000 00 0029 0200 "
         "00000000 0000",
         "FORMERR\n"},
        {"records in an answer section are passed over",
         "abcd 0000 0001 0001 0000 0000 00 0002 0001 00 0001 0001 00000000 0004 c0000201",
         "REFUSED\n"},
    };
    static struct reply reply;
    uint8_t message[512];
    struct steer_buf got = {0};
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        const struct steer_ask ask = {.message = message,
                                      .len = from_hex(rows[i].message, message),
                                      .client = {STEER_V4, {192, 0, 2, 53}}};
        put_question(*state, &named, &ask, &reply);
        response_text(reply.wire, reply.len, &got);
        if (strcmp(got.data, rows[i].response) != 0)
            fail_msg("%s\n--- expected\n%s--- came\n%s", rows[i].what, rows[i].response, got.data);
        assert_int_equal(reply.facts.kind == STEER_FACT_DROPPED, reply.len == 0);
    }
    steer_buf_fini(&got);
}

// ---- cookies and keepalive -----------------------------------------------------------------------

#define HEAD                                                                                       \
    "abcd 0000 0001 0000 0000 0001 03777777 076578616d706c65 03636f6d 00 0001 0001 00 0029 04d0 "  \
    "00000000 "
#define ALONE   "abcd 0000 0000 0000 0000 0001 00 0029 04d0 00000000 "
#define NOW     "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"
#define EARLIER "2464c4abcf10c957010000005cf79f111f8130c3eee29480"

// Secret, client and cookies of RFC 9018 A.1 and A.2; it is the time of A.2.
static void cookies_are_answered(void **state)
{
    static const struct {
        const char *what, *message, *response;
        enum steer_cookie_kind kind;
    } rows[] = {
        {"of the client alone", HEAD "000c 000a 0008 2464c4abcf10c957",
         "NOERROR aa\n" WWW "opt 1232 10:" NOW "\n", STEER_COOKIE_CLIENT},
        {"a good one comes back", HEAD "001c 000a 0018 " NOW,
         "NOERROR aa\n" WWW "opt 1232 10:" NOW "\n", STEER_COOKIE_GOOD},
        {"one of 40 minutes is renewed", HEAD "001c 000a 0018 " EARLIER,
         "NOERROR aa\n" WWW "opt 1232 10:" NOW "\n", STEER_COOKIE_GOOD},
        {"a wrong one gets an answer too, and a good one",
         HEAD "001c 000a 0018 2464c4abcf10c957010000005cf7a871d4a564a1442aca78",
         "NOERROR aa\n" WWW "opt 1232 10:" NOW "\n", STEER_COOKIE_WRONG},
        {"beside others, the first one counts",
         HEAD "002c 0003 0000 000a 0008 2464c4abcf10c957 0008 0007 0001 18 00 c00002 fde9 0001 ff "
              "000a 0008 "
              "0102030405060708",
         "NOERROR aa\n" WWW "opt 1232 8:00011800c00002 3:6672612d31 10:" NOW "\n",
         STEER_COOKIE_CLIENT},
        {"too short", HEAD "000b 000a 0007 2464c4abcf10c9", "FORMERR\nopt 1232\n",
         STEER_COOKIE_NONE},
        {"with a server's of seven octets", HEAD "0013 000a 000f 2464c4abcf10c957 01000000000000",
         "FORMERR\nopt 1232\n", STEER_COOKIE_NONE},
        {"too long", HEAD "002d 000a 0029 2464c4abcf10c957 " NOW " 1122334455667788 99",
         "FORMERR\nopt 1232\n", STEER_COOKIE_NONE},
        // RFC 7873 5.4
        {"no question, to learn a cookie", ALONE "000c 000a 0008 2464c4abcf10c957",
         "NOERROR\nopt 1232 10:" NOW "\n", STEER_COOKIE_CLIENT},
        {"no question, to confirm one", ALONE "001c 000a 0018 " NOW,
         "NOERROR\nopt 1232 10:" NOW "\n", STEER_COOKIE_GOOD},
        {"no question and a wrong one", ALONE "0014 000a 0010 2464c4abcf10c957 0100000000000000",
         "BADCOOKIE\nopt 1232 10:" NOW "\n", STEER_COOKIE_WRONG},
    };
    struct steer_cookie_secrets secrets = {.count = 1};
    assert_true(steer_cookie_secret_parse("e5e973e5a6b2a43f48e7dc849e37bfcf", secrets.secret[0]));
    const struct steer_answer_cookies cookies = {&secrets, 1559734385};
    static struct reply reply;
    uint8_t message[512];
    struct steer_buf got = {0};
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        const struct steer_ask ask = {.message = message,
                                      .len = from_hex(rows[i].message, message),
                                      .client = {STEER_V4, {198, 51, 100, 100}},
                                      .cookies = &cookies};
        put_question(*state, &named, &ask, &reply);
        response_text(reply.wire, reply.len, &got);
        if (strcmp(got.data, rows[i].response) != 0)
            fail_msg("%s\n--- expected\n%s--- came\n%s", rows[i].what, rows[i].response, got.data);
        assert_int_equal(reply.facts.cookie, rows[i].kind);
    }
    steer_buf_fini(&got);
}

// RFC 7828 3.2.1: not over UDP; 3.3.2: only to who asks.
static void keepalive_is_told_over_tcp(void **state)
{
    static const struct {
        const char *options;
        uint16_t keepalive_100ms;
        bool stream;
        const char *opt;
    } rows[] = {
        {"000b 0000", 100, true, "opt 1232 11:0064\n"},
        {"000b 0002 ffff", 100, true, "opt 1232 11:0064\n"},
        {"000b 0000", 65535, true, "opt 1232 11:ffff\n"},
        {"000b 0000", 100, false, "opt 1232\n"},
        {"000b 0000", 0, true, "opt 1232\n"},
        {"", 100, true, "opt 1232\n"},
        {"000b 0000 0003 0000", 100, true, "opt 1232 3:6672612d31 11:0064\n"},
    };
    static struct reply reply;
    struct steer_buf got = {0};
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_answer_settings settings = named;
        const struct question q = Q("www.example.com.", A, .options = rows[i].options);
        settings.keepalive_100ms = rows[i].keepalive_100ms;
        ask_for(*state, &settings, &q, rows[i].stream, 0, &reply);
        response_text(reply.wire, reply.len, &got);
        assert_string_equal(strstr(got.data, "opt"), rows[i].opt);
    }
    steer_buf_fini(&got);
}

// ---- sizes ---------------------------------------------------------------------------------------

static size_t count_of(const struct reply *reply, unsigned section)
{
    return (size_t)reply->wire[6 + 2 * section] << 8 | reply->wire[7 + 2 * section];
}

// Any size at all: never too long, readable, and TC exactly when the answer did not fit.
static void every_size_is_kept(void **state)
{
    static const struct {
        struct question q;
        bool may_truncate; // the answer, or glue that it needs
    } rows[] = {
        {Q("many.example.com.", A), true},    {Q("mx.example.com.", STEER_TYPE_MX), true},
        {Q("wide.example.com.", TXT), false}, {Q("x.wild.example.com.", A), false},
        {Q("x.dele.example.com.", A), true},  {Q("no.example.com.", A), false},
    };
    static struct reply reply, full;
    struct steer_buf text = {0};
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct question q = rows[i].q;
        q.options = "0003 0000 0008 000b 0002 38 00 20010db8000000";
        ask_for(*state, &named, &q, true, 0, &full);
        assert_false(full.facts.truncated);
        bool whole_before = false;
        for (unsigned size = 0; size <= STEER_UDP_SIZE; size++) {
            q.udp_size = (uint16_t)size;
            ask_for(*state, &named, &q, false, 0, &reply);
            response_text(reply.wire, reply.len, &text);
            assert_true(reply.len <= (size < 512 ? 512 : size));
            assert_non_null(strstr(text.data, "opt 1232 8:0002380020010db8000000 3:6672612d31"));
            const bool tc = reply.wire[2] & 2;
            assert_int_equal(tc, reply.facts.truncated);
            if (tc) {
                assert_true(rows[i].may_truncate);
                assert_false(whole_before); // what fitted fits into more
                // What is there are whole RRsets; additional data goes first.
                assert_true(count_of(&reply, 0) <= count_of(&full, 0));
                assert_true(count_of(&reply, 1) <= count_of(&full, 1));
                assert_true(count_of(&reply, 2) <= count_of(&full, 2));
            } else {
                assert_int_equal(count_of(&reply, 0), count_of(&full, 0));
                assert_int_equal(count_of(&reply, 1), count_of(&full, 1));
                assert_true(count_of(&reply, 2) <= count_of(&full, 2));
                whole_before = true;
            }
        }
        assert_int_equal(reply.len <= STEER_UDP_SIZE && full.len > STEER_UDP_SIZE,
                         reply.len != full.len);
    }
    steer_buf_fini(&text);
}

static void without_edns_512_octets_are_the_limit(void **state)
{
    static struct reply reply;
    struct question q = Q("many.example.com.", A);
    ask_for(*state, &named, &q, false, 0, &reply);
    assert_true(reply.facts.truncated);
    assert_true(reply.len <= 512);
    ask_for(*state, &named, &q, true, 0, &reply);
    assert_false(reply.facts.truncated);
    assert_int_equal(count_of(&reply, 0), 90);
}

static void our_own_limit_holds_whatever_is_offered(void **state)
{
    static struct reply reply;
    struct question q = Q("many.example.com.", A, .udp_size = 65535);
    struct steer_answer_settings settings = plain_settings;
    const size_t need = 12 + name_of(q.name).len + 4 + 90 * 16 + 11;
    for (uint16_t size = 512; size < 4096; size = (uint16_t)(size + 7)) {
        settings.udp_size = size;
        ask_for(*state, &settings, &q, false, 0, &reply);
        assert_true(reply.len <= size);
        assert_int_equal(reply.facts.truncated, reply.len != need);
        assert_int_equal(reply.facts.truncated, size < need); // nothing is kept free in vain
    }
}

// RFC 9471 3.2, 3.3: what lies in the child's own domain must be there, that of siblings may be left out.
static void glue_of_siblings_gives_way_to_the_childs_own(void **state)
{
    static struct reply reply;
    struct steer_buf text = {0};
    const struct question q = Q("x.dele.example.com.", A, .udp_size = 65535);
    struct steer_answer_settings settings = plain_settings;
    ask_for(*state, &settings, &q, true, 0, &reply);
    response_text(reply.wire, reply.len, &text);
    const char *first_sibling = strstr(text.data, "ar q");
    assert_non_null(first_sibling);
    assert_null(strstr(first_sibling, "ar n"));
    bool partly = false;
    for (uint16_t size = 512; size < reply.len; size++) {
        static struct reply small;
        settings.udp_size = size;
        ask_for(*state, &settings, &q, false, 0, &small);
        assert_true(small.facts.truncated || count_of(&small, 2) >= 31); // and the OPT
        partly |= !small.facts.truncated && count_of(&small, 2) < count_of(&reply, 2);
    }
    assert_true(partly);
    steer_buf_fini(&text);
}

// An additional RRset that does not fit costs the ones behind it nothing: not even compression.
static void what_is_left_out_leaves_no_trace(void **state)
{
    static struct reply reply;
    struct steer_buf text = {0};
    const struct question q = Q("_two._tcp.example.com.", STEER_TYPE_SRV);
    ask_for(*state, &plain_settings, &q, false, 0, &reply);
    response_text(reply.wire, reply.len, &text);
    assert_int_equal(count_of(&reply, 0), 2);
    assert_int_equal(count_of(&reply, 2), 1);
    assert_non_null(strstr(text.data, "ar www.example.com. 3600 A 192.0.2.80\n"));
    // Header, question; two SRV with whole names (RFC 2782); "www" and a pointer with its address.
    const size_t many = name_of("many.example.com.").len, www = name_of("www.example.com.").len;
    assert_int_equal(reply.len, 12u + name_of(q.name).len + 4u + 2 * 18u + many + www + 4 + 2 + 14);
    steer_buf_fini(&text);
}

// ---- order ---------------------------------------------------------------------------------------

static void rrsets_are_rotated(void **state)
{
    static struct reply reply;
    const struct question q = Q("many.example.com.", A);
    unsigned first[90] = {0};
    struct steer_rng rng;
    steer_rng_init(&rng, 1);
    const size_t answers = 12u + name_of(q.name).len + 4u;
    for (unsigned i = 0; i < 90 * 100; i++) {
        ask_for(*state, &plain_settings, &q, true, steer_rng_next(&rng), &reply);
        assert_int_equal(count_of(&reply, 0), 90);
        const unsigned start = reply.wire[answers + 15];
        first[start]++;
        for (unsigned k = 0; k < 90; k += 11) // it goes on from there, and round
            assert_int_equal(reply.wire[answers + 16 * k + 15], (start + k) % 90);
    }
    for (unsigned i = 0; i < 90; i++) // 100 expected each; 60 is four deviations off
        assert_in_range(first[i], 60, 140);
}

static void the_same_random_bits_give_the_same_octets(void **state)
{
    static struct reply a, b;
    const struct question q = Q("mx.example.com.", STEER_TYPE_MX, .udp_size = 1232);
    struct steer_rng rng;
    steer_rng_init(&rng, 2);
    for (unsigned i = 0; i < 100; i++) {
        const uint64_t random = steer_rng_next(&rng);
        ask_for(*state, &named, &q, true, random, &a);
        ask_for(*state, &named, &q, true, random, &b);
        assert_int_equal(a.len, b.len);
        assert_memory_equal(a.wire, b.wire, a.len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edns_and_its_options_are_answered),
        cmocka_unit_test(headers_of_all_sorts_are_answered),
        cmocka_unit_test(the_chaos_class_says_who_is_there),
        cmocka_unit_test(names_of_the_server_may_fill_their_fields),
        cmocka_unit_test(what_is_no_question_is_refused_or_dropped),
        cmocka_unit_test(cookies_are_answered),
        cmocka_unit_test(keepalive_is_told_over_tcp),
        cmocka_unit_test(every_size_is_kept),
        cmocka_unit_test(without_edns_512_octets_are_the_limit),
        cmocka_unit_test(our_own_limit_holds_whatever_is_offered),
        cmocka_unit_test(glue_of_siblings_gives_way_to_the_childs_own),
        cmocka_unit_test(what_is_left_out_leaves_no_trace),
        cmocka_unit_test(rrsets_are_rotated),
        cmocka_unit_test(the_same_random_bits_give_the_same_octets),
    };
    return cmocka_run_group_tests(tests, build_world, drop_world);
}
