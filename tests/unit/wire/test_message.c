// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "steerd/wire/message.h"

#define BYTES(text) text, sizeof(text) - 1
// Headers with the counts of question and additional, and the pieces that follow.
#define HEAD(qd, ar) "\x12\x34\x01\x00\0" qd "\0\0\0\0\0" ar
#define QUESTION     "\3wWw\7Example\3com\0\0\1\0\1"
#define OPT(rdlen)   "\0\0\x29\x04\xd0\0\0\0\0\0" rdlen
#define COOKIE8                                                                                    \
    "\0\x0a\0\x08"                                                                                 \
    "12345678"

// Parses an exact copy on the heap, so that the address sanitizer sees a read past the end.
static enum steer_parse_result parse(const void *data, size_t len, struct steer_query *q)
{
    uint8_t *copy = test_malloc(len + 1);
    memcpy(copy + 1, data, len);
    enum steer_parse_result result = steer_query_parse(copy + 1, len, q);
    if (result != STEER_PARSE_DROP && q->has_question) {
        assert_ptr_equal(q->question, copy + 13);
        assert_memory_equal(q->question, (const uint8_t *)data + 12, q->question_len);
    }
    q->question = (const uint8_t *)data + 12; // the copy goes away
    test_free(copy);
    return result;
}

static void a_plain_query_is_parsed(void **state)
{
    (void)state;
    struct steer_query q;
    assert_int_equal(parse(BYTES(HEAD("\1", "\0") QUESTION), &q), STEER_PARSE_OK);
    assert_int_equal(q.id, 0x1234);
    assert_int_equal(q.flags, STEER_FLAG_RD);
    assert_int_equal(q.opcode, 0);
    assert_true(q.has_question);
    assert_int_equal(q.qtype, 1);
    assert_int_equal(q.qclass, 1);
    assert_int_equal(q.question_len, 21);
    assert_int_equal(q.qname.len, 17);
    assert_int_equal(q.qname.labels, 3);
    assert_memory_equal(q.qname.octets, "\3www\7example\3com", 17);
    assert_int_equal(q.hashes.hash[3], steer_name_hash(&q.qname));
    assert_int_equal(q.hashes.at[3], 0);
    assert_int_equal(q.hashes.at[1], 12);
    assert_false(q.edns.present);
    assert_int_equal(q.edns.cookie_len, 0);
}

static void edns_and_its_options_are_parsed(void **state)
{
    (void)state;
    struct steer_query q;
    assert_int_equal(
        parse(BYTES(HEAD("\1", "\1") QUESTION "\0\0\x29\x10\0\0\0\x80\0\0\x29"
                                              "\0\x08\0\7\0\1\x18\0\xc0\0\2" COOKIE8 "\0\3\0\0"
                                              "\0\x0b\0\2\0\1"
                                              "\xff\xfe\0\4zzzz"),
              &q),
        STEER_PARSE_OK);
    assert_true(q.edns.present);
    assert_true(q.edns.dnssec_ok);
    assert_int_equal(q.edns.udp_size, 4096);
    assert_true(q.edns.has_ecs);
    assert_int_equal(q.edns.ecs.wire_family, 1);
    assert_int_equal(q.edns.ecs.addr.family, STEER_V4);
    assert_int_equal(q.edns.ecs.source, 24);
    assert_memory_equal(q.edns.ecs.addr.octets, "\xc0\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_int_equal(q.edns.cookie_len, 8);
    assert_memory_equal(q.edns.cookie, "12345678", 8);
    assert_true(q.edns.has_nsid);
    assert_true(q.edns.has_keepalive);
}

static void client_subnets_are_held_to_their_form(void **state)
{
    (void)state;
    static const struct {
        const char *option; // FAMILY, SOURCE, SCOPE, ADDRESS
        size_t len;
        bool good;
    } rows[] = {
        {BYTES("\0\1\0\0"), true},
        {BYTES("\0\2\0\0"), true},
        {BYTES("\0\0\0\0"), true}, // the empty form
        {BYTES("\0\1\x20\0\xc0\0\2\1"), true},
        {BYTES("\0\1\x19\0\xc0\0\2\x80"), true},
        {BYTES("\0\1\1\0\x80"), true},
        {BYTES("\0\2\x38\0\x20\1\x0d\xb8\0\0\1"), true},
        {BYTES("\0\2\x80\0\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), true},
        {BYTES("\0\0\0\0\1"), false},
        {BYTES("\0\0\1\0\x80"), false},
        {BYTES("\0\3\0\0"), false}, // wrong family
        {BYTES("\1\1\0\0"), false},
        {BYTES("\0\1\x21\0\xc0\0\2\1\0"), false}, // source over the family's length
        {BYTES("\0\2\x81\0\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0"), false},
        {BYTES("\0\1\x18\1\xc0\0\2"), false},     // non-zero scope
        {BYTES("\0\1\x18\0\xc0\0"), false},       // too short
        {BYTES("\0\1\x18\0\xc0\0\2\0"), false},   // too long
        {BYTES("\0\1\x19\0\xc0\0\2\x81"), false}, // bits after the prefix
        {BYTES("\0\1\7\0\1"), false},
        {BYTES("\0\1\0"), false},
        {BYTES(""), false},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        uint8_t message[128];
        size_t len = sizeof(HEAD("\1", "\1") QUESTION OPT("")) - 1;
        memcpy(message, HEAD("\1", "\1") QUESTION OPT(""), len);
        message[len++] = (uint8_t)(rows[i].len + 4);
        memcpy(message + len, "\0\x08\0", 3);
        message[len + 3] = (uint8_t)rows[i].len;
        memcpy(message + len + 4, rows[i].option, rows[i].len);
        struct steer_query q;
        enum steer_parse_result result = parse(message, len + 4 + rows[i].len, &q);
        if ((result == STEER_PARSE_OK) != rows[i].good)
            fail_msg("row %zu", i);
        assert_int_equal(q.rcode, rows[i].good ? STEER_RCODE_NOERROR : STEER_RCODE_FORMERR);
        assert_true(q.edns.present && q.has_question); // both can be echoed
        assert_int_equal(q.edns.has_ecs, rows[i].good);
    }
}

static void cookies_are_held_to_their_lengths(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 48; n++) {
        uint8_t message[128] = {0};
        size_t len = sizeof(HEAD("\1", "\1") QUESTION OPT("")) - 1;
        memcpy(message, HEAD("\1", "\1") QUESTION OPT(""), len);
        message[len] = (uint8_t)(n + 4);
        message[len + 2] = STEER_EDNS_COOKIE;
        message[len + 4] = (uint8_t)n;
        struct steer_query q;
        enum steer_parse_result result = parse(message, len + 5 + n, &q);
        bool good = n == 8 || (n >= 16 && n <= 40);
        assert_int_equal(result, good ? STEER_PARSE_OK : STEER_PARSE_REPLY);
        assert_int_equal(q.edns.cookie_len, good ? n : 0);
    }
}

static void odd_messages_get_the_reply_they_are_due(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char *data;
        size_t len;
        enum steer_parse_result result;
        uint16_t rcode;
        bool has_question;
        bool edns;
    } rows[] = {
        {"empty", BYTES(""), STEER_PARSE_DROP, 0, false, false},
        {"half a header", BYTES("\0\0\1\0\0\1\0\0\0\0\0"), STEER_PARSE_DROP, 0, false, false},
        {"a reply", BYTES("\0\0\x81\0\0\1\0\0\0\0\0\0" QUESTION), STEER_PARSE_DROP, 0, false,
         false},
        {"header only", BYTES("\0\0\1\0\0\1\0\0\0\0\0\0"), STEER_PARSE_REPLY, 1, false, false},
        {"flags TC RA Z AD CD AA", BYTES("\0\0\x07\xf0\0\1\0\0\0\0\0\0" QUESTION), STEER_PARSE_OK,
         0, true, false},
        {"rcode set", BYTES("\0\0\x01\x0f\0\1\0\0\0\0\0\0" QUESTION), STEER_PARSE_OK, 0, true,
         false},
        {"root", BYTES(HEAD("\1", "\0") "\0\0\2\0\1"), STEER_PARSE_OK, 0, true, false},
        {"no question", BYTES(HEAD("\0", "\0")), STEER_PARSE_REPLY, 1, false, false},
        {"no question, OPT", BYTES(HEAD("\0", "\1") OPT("\0")), STEER_PARSE_REPLY, 1, false, true},
        {"no question, cookie", BYTES(HEAD("\0", "\1") OPT("\x0c") COOKIE8), STEER_PARSE_OK, 0,
         false, true},
        {"two questions", BYTES(HEAD("\2", "\0") QUESTION QUESTION), STEER_PARSE_REPLY, 1, false,
         false},
        {"256 questions", BYTES("\0\0\1\0\1\0\0\0\0\0\0\0" QUESTION), STEER_PARSE_REPLY, 1, false,
         false},
        {"trailing octet", BYTES(HEAD("\1", "\0") QUESTION "x"), STEER_PARSE_REPLY, 1, true, false},
        {"trailing after OPT", BYTES(HEAD("\1", "\1") QUESTION OPT("\0") "x"), STEER_PARSE_REPLY, 1,
         true, true},
        {"uncounted OPT", BYTES(HEAD("\1", "\0") QUESTION OPT("\0")), STEER_PARSE_REPLY, 1, true,
         false},
        {"missing OPT", BYTES(HEAD("\1", "\1") QUESTION), STEER_PARSE_REPLY, 1, true, false},
        {"two OPT", BYTES(HEAD("\1", "\2") QUESTION OPT("\0") OPT("\0")), STEER_PARSE_REPLY, 1,
         true, false},
        {"OPT with an owner", BYTES(HEAD("\1", "\1") QUESTION "\1a" OPT("\0")), STEER_PARSE_REPLY,
         1, true, false},
        {"OPT owned through a pointer",
         BYTES(HEAD("\1", "\1") QUESTION "\xc0\x1c\0\x29\4\xd0\0\0\0\0\0\0"), STEER_PARSE_REPLY, 1,
         true, false},
        {"OPT as answer", BYTES("\0\0\1\0\0\1\0\1\0\0\0\0" QUESTION OPT("\0")), STEER_PARSE_REPLY,
         1, true, false},
        {"OPT as authority", BYTES("\0\0\1\0\0\1\0\0\0\1\0\0" QUESTION OPT("\0")),
         STEER_PARSE_REPLY, 1, true, false},
        {"OPT cut", BYTES(HEAD("\1", "\1") QUESTION OPT("\4") "\0\3\0"), STEER_PARSE_REPLY, 1, true,
         false},
        {"option cut", BYTES(HEAD("\1", "\1") QUESTION OPT("\3") "\0\3\0"), STEER_PARSE_REPLY, 1,
         true, true},
        {"option past its end", BYTES(HEAD("\1", "\1") QUESTION OPT("\4") "\0\3\0\1"),
         STEER_PARSE_REPLY, 1, true, true},
        {"EDNS version 1", BYTES(HEAD("\1", "\1") QUESTION "\0\0\x29\4\xd0\0\1\0\0\0\0"),
         STEER_PARSE_REPLY, 16, true, true},
        {"version 1, other options",
         BYTES(HEAD("\1", "\1") QUESTION "\0\0\x29\4\xd0\0\1\0\0\0\3abc"), STEER_PARSE_REPLY, 16,
         true, true},
        {"extended rcode set", BYTES(HEAD("\1", "\1") QUESTION "\0\0\x29\4\xd0\7\0\0\0\0\0"),
         STEER_PARSE_OK, 0, true, true},
        {"IQUERY", BYTES("\0\0\x09\0\0\1\0\0\0\0\0\0" QUESTION), STEER_PARSE_REPLY, 4, true, false},
        {"NOTIFY with OPT", BYTES("\0\0\x20\0\0\1\0\0\0\0\0\1" QUESTION OPT("\0")),
         STEER_PARSE_REPLY, 4, true, true},
        {"UPDATE, nothing right", BYTES("\0\0\x28\0\0\2\0\7\0\0\0\0xxxx"), STEER_PARSE_REPLY, 4,
         false, false},
        {"opcode 15", BYTES("\0\0\x78\0\0\0\0\0\0\0\0\0"), STEER_PARSE_REPLY, 4, false, false},
        {"records walked",
         BYTES("\0\0\1\0\0\1\0\1\0\1\0\2" QUESTION "\xc0\x0c\0\1\0\1\0\0\0\0\0\4abcd"
               "\1a\xc0\x10\0\2\0\1\0\0\0\0\0\0"
               "\0\0\1\0\1\0\0\0\0\0\0" OPT("\0")),
         STEER_PARSE_OK, 0, true, true},
        {"TSIG last", BYTES(HEAD("\1", "\2") QUESTION OPT("\0") "\1k\0\0\xfa\0\xff\0\0\0\0\0\2ab"),
         STEER_PARSE_OK, 0, true, true},
        {"record data cut", BYTES(HEAD("\1", "\1") QUESTION "\0\0\1\0\1\0\0\0\0\0\4abc"),
         STEER_PARSE_REPLY, 1, true, false},
        {"question name loops", BYTES(HEAD("\1", "\0") "\xc0\x0c\0\1\0\1"), STEER_PARSE_REPLY, 1,
         false, false},
        {"question points forward", BYTES(HEAD("\1", "\0") "\xc0\x12\0\1\0\1\1a"),
         STEER_PARSE_REPLY, 1, false, false},
        {"question points to the header", BYTES(HEAD("\1", "\0") "\1a\xc0\0\0\1\0\1"),
         STEER_PARSE_REPLY, 1, false, false},
        {"label type 01",
         BYTES(HEAD("\1", "\0") "\x41"
                                "a\0\0\1\0\1"),
         STEER_PARSE_REPLY, 1, false, false},
        {"owner loops", BYTES(HEAD("\1", "\1") QUESTION "\xc0\x21\0\1\0\1\0\0\0\0\0\0"),
         STEER_PARSE_REPLY, 1, true, false},
        {"owner points forward", BYTES(HEAD("\1", "\1") QUESTION "\xc0\x22\0\1\0\1\0\0\0\0\0\0"),
         STEER_PARSE_REPLY, 1, true, false},
        {"owner points to the header",
         BYTES(HEAD("\1", "\1") QUESTION "\xc0\x0b\0\1\0\1\0\0\0\0\0\0"), STEER_PARSE_REPLY, 1,
         true, false},
        {"two cookies",
         BYTES(HEAD("\1", "\1") QUESTION OPT("\x18") COOKIE8 "\0\x0a\0\x08"
                                                             "abcdefgh"),
         STEER_PARSE_OK, 0, true, true},
        {"malformed second ECS",
         BYTES(HEAD("\1", "\1") QUESTION OPT("\x0f") "\0\x08\0\4\0\1\0\0"
                                                     "\0\x08\0\3\0\1\0"),
         STEER_PARSE_REPLY, 1, true, true},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_query q;
        enum steer_parse_result result = parse(rows[i].data, rows[i].len, &q);
        if (result != rows[i].result)
            fail_msg("%s: %d", rows[i].what, (int)result);
        if (result == STEER_PARSE_DROP)
            continue;
        if (q.rcode != rows[i].rcode || q.has_question != rows[i].has_question ||
            q.edns.present != rows[i].edns)
            fail_msg("%s: rcode %u, question %d, EDNS %d", rows[i].what, q.rcode, q.has_question,
                     q.edns.present);
        if (q.edns.cookie_len)
            assert_memory_equal(q.edns.cookie, "12345678", 8);
    }
}

static void a_query_cut_anywhere_is_dropped_or_a_format_error(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t len;
    } rows[] = {
        {BYTES(HEAD("\1", "\0") QUESTION)},
        {BYTES(HEAD("\1", "\1") QUESTION OPT("\x17") "\0\x08\0\7\0\1\x18\0\xc0\0\2" COOKIE8)},
        {BYTES("\0\0\1\0\0\1\0\1\0\0\0\2" QUESTION
               "\xc0\x0c\0\1\0\1\0\0\0\0\0\4abcd" OPT("\0") "\1k\0\0\xfa\0\xff\0\0\0\0\0\2ab")},
        {BYTES(HEAD("\0", "\1") OPT("\x0c") COOKIE8)},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_query q;
        assert_int_equal(parse(rows[i].data, rows[i].len, &q), STEER_PARSE_OK);
        for (size_t len = 0; len < rows[i].len; len++) {
            enum steer_parse_result result = parse(rows[i].data, len, &q);
            assert_int_equal(result, len < 12 ? STEER_PARSE_DROP : STEER_PARSE_REPLY);
            if (result == STEER_PARSE_REPLY)
                assert_int_equal(q.rcode, STEER_RCODE_FORMERR);
        }
    }
}

static void questions_at_the_limits_are_parsed(void **state)
{
    (void)state;
    for (unsigned size = 1; size <= 63; size++) {
        uint8_t message[400] = HEAD("\1", "\0");
        size_t n = 12;
        // As many labels of this size as fit, and one that fills the name up to 255 octets.
        while (n - 12 + size + 1 < 255) {
            message[n] = (uint8_t)size;
            memset(message + n + 1, 'A' + (int)(n % 26), size);
            n += size + 1;
        }
        size_t rest = 254 - (n - 12);
        if (rest > 1) {
            message[n] = (uint8_t)(rest - 1);
            memset(message + n + 1, 'Z', rest - 1);
            n += rest;
        }
        memcpy(message + n, "\0\0\1\0\1", 5);
        struct steer_query q;
        assert_int_equal(parse(message, n + 5, &q), STEER_PARSE_OK);
        assert_int_equal(q.qname.len, n - 11);
        struct steer_name name;
        assert_true(steer_name_from_wire(message + 12, n - 11, &name));
        assert_int_equal(name.labels, q.qname.labels);
        steer_name_lower(&name);
        assert_memory_equal(name.octets, q.qname.octets, name.len);
        assert_int_equal(q.hashes.hash[q.qname.labels], steer_name_hash(&name));
    }
    uint8_t message[400] = HEAD("\1", "\0");
    for (unsigned i = 0; i < 128; i++)
        memcpy(message + 12 + 2 * i, "\1a", 2);
    memcpy(message + 12 + 256, "\0\0\1\0\1", 5);
    struct steer_query q;
    assert_int_equal(parse(message, 12 + 256 + 5, &q), STEER_PARSE_REPLY);
}

static void names_are_decompressed_and_loops_are_cut(void **state)
{
    (void)state;
    // Offsets 12: www.example.com. 29: mail -> 16. 36: -> 29. 38: loop. 40: forward. 42: to the header.
    static const uint8_t message[] =
        "............\3www\7example\3com\0\4mail\xc0\x10\xc0\x1d\xc0\x26\xc0\x2c"
        "\xc0\x02\1a\xc0\x2c\1b\xc0";
    static const struct {
        size_t at;
        const char *text; // NULL: malformed
        size_t next;
    } rows[] = {
        {12, "www.example.com.", 29},
        {28, ".", 29},
        {29, "mail.example.com.", 36},
        {36, "mail.example.com.", 38},
        {38, NULL, 0},
        {40, NULL, 0},
        {42, NULL, 0},
        {44, NULL, 0},
        {48, NULL, 0},
        {50, NULL, 0},
        {51, NULL, 0},
        {99, NULL, 0},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_reader r = {message, sizeof message - 1, rows[i].at, false};
        struct steer_name name;
        char text[STEER_NAME_TEXT_MAX];
        steer_read_name(&r, &name);
        if (r.bad != !rows[i].text)
            fail_msg("at %zu", rows[i].at);
        if (r.bad)
            continue;
        assert_string_equal(steer_name_format(name.octets, text), rows[i].text);
        assert_int_equal(r.at, rows[i].next);
    }
}

// Each pointer goes back by two, to the one before: legal one by one, but a waste of the server's time.
static void endless_chains_of_pointers_are_refused(void **state)
{
    (void)state;
    static uint8_t message[16384];
    memset(message, 0, sizeof message);
    for (size_t at = 14; at + 2 <= sizeof message; at += 2) {
        message[at] = (uint8_t)(0xc0 | (at - 2) >> 8);
        message[at + 1] = (uint8_t)(at - 2);
    }
    struct steer_name name;
    struct steer_reader few = {message, sizeof message, 12 + 2 * 100, false};
    steer_read_name(&few, &name);
    assert_false(few.bad);
    assert_int_equal(name.len, 1);
    struct steer_reader many = {message, sizeof message, sizeof message - 2, false};
    steer_read_name(&many, &name);
    assert_true(many.bad);
}

static void a_name_grown_by_pointers_past_255_octets_is_refused(void **state)
{
    (void)state;
    uint8_t message[400] = {0};
    size_t n = 12;
    for (unsigned i = 0; i < 4; i++) {
        message[n] = 60;
        n += 61;
    }
    size_t end = n + 1; // 245 octets with the root
    memcpy(message + end,
           "\x09"
           "123456789\xc0\x0c\x0a"
           "123456789a\xc0\x0c",
           25);
    struct steer_name name;
    struct steer_reader r = {message, end + 25, end, false};
    steer_read_name(&r, &name);
    assert_false(r.bad);
    assert_int_equal(name.len, 255);
    assert_int_equal(name.labels, 5);
    steer_read_name(&r, &name);
    assert_true(r.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_query_is_parsed),
        cmocka_unit_test(edns_and_its_options_are_parsed),
        cmocka_unit_test(client_subnets_are_held_to_their_form),
        cmocka_unit_test(cookies_are_held_to_their_lengths),
        cmocka_unit_test(odd_messages_get_the_reply_they_are_due),
        cmocka_unit_test(a_query_cut_anywhere_is_dropped_or_a_format_error),
        cmocka_unit_test(questions_at_the_limits_are_parsed),
        cmocka_unit_test(names_are_decompressed_and_loops_are_cut),
        cmocka_unit_test(endless_chains_of_pointers_are_refused),
        cmocka_unit_test(a_name_grown_by_pointers_past_255_octets_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
