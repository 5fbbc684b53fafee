// SPDX-License-Identifier: GPL-3.0-or-later
// links: rr
// Cookies of RFC 9018: its own examples, and libknot's as a second opinion.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <libknot/libknot.h>

#include "steerd/base/hash.h"
#include "steerd/wire/cookie.h"

enum { MADE = 1700000000 };

#define SECRET "e5e973e5a6b2a43f48e7dc849e37bfcf"
#define OTHER  "445536bcd2513298075a5d379663c962"

static struct steer_addr addr_of(const char *text)
{
    struct steer_addr addr;
    assert_true(steer_addr_parse(text, &addr));
    return addr;
}

static struct steer_cookie_secrets secrets_of(const char *first, const char *second)
{
    struct steer_cookie_secrets secrets = {.count = second ? 2 : 1};
    assert_true(steer_cookie_secret_parse(first, secrets.secret[0]));
    if (second)
        assert_true(steer_cookie_secret_parse(second, secrets.secret[1]));
    return secrets;
}

static struct steer_edns edns_of(const char *hex)
{
    struct steer_edns edns = {.present = true, .cookie_len = (uint8_t)(strlen(hex) / 2)};
    for (unsigned i = 0; i < edns.cookie_len; i++) {
        unsigned octet;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &octet), 1);
        edns.cookie[i] = (uint8_t)octet;
    }
    return edns;
}

static const char *hex_of(const uint8_t cookie[STEER_COOKIE_BYTES])
{
    static char text[2 * STEER_COOKIE_BYTES + 1];
    for (unsigned i = 0; i < STEER_COOKIE_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", cookie[i]);
    return text;
}

static void the_examples_of_rfc_9018_come_out(void **state)
{
    (void)state;
    static const struct {
        const char *what, *first, *second, *client, *sent, *got;
        uint32_t now_s;
        enum steer_cookie_kind kind;
    } rows[] = {
        {"A.1: learning a new server cookie", SECRET, NULL, "198.51.100.100", "2464c4abcf10c957",
         "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559731985, STEER_COOKIE_CLIENT},
        {"A.2: a renewed one, 40 minutes later", SECRET, NULL, "198.51.100.100",
         "2464c4abcf10c957010000005cf79f111f8130c3eee29480",
         "2464c4abcf10c957010000005cf7a871d4a564a1442aca77", 1559734385, STEER_COOKIE_GOOD},
        // It calls this one valid though nearly two hours have passed, more than its own 4.3 allows.
        {"A.3: reserved octets, too old", SECRET, NULL, "203.0.113.203",
         "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
         "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e", 1559734700, STEER_COOKIE_WRONG},
        {"A.3: reserved octets are signed too", SECRET, NULL, "203.0.113.203",
         "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
         "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", 1559727985, STEER_COOKIE_GOOD},
        {"A.4: IPv6, and the secret was changed", OTHER, "dd3bdf9344b678b185a6f5cb60fca715",
         "2001:db8:220:1:59de:d0f4:8769:82b8", "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
         "22681ab97d52c298010000005cf7c609a6bb79d16625507a", 1559741961, STEER_COOKIE_GOOD},
        {"A.4 once the old secret is gone", OTHER, NULL, "2001:db8:220:1:59de:d0f4:8769:82b8",
         "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
         "22681ab97d52c298010000005cf7c609a6bb79d16625507a", 1559741961, STEER_COOKIE_WRONG},
    };
    for (unsigned i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        const struct steer_cookie_secrets secrets = secrets_of(rows[i].first, rows[i].second);
        const struct steer_edns edns = edns_of(rows[i].sent);
        const struct steer_addr client = addr_of(rows[i].client);
        uint8_t cookie[STEER_COOKIE_BYTES];
        const enum steer_cookie_kind kind =
            steer_cookie_check(&secrets, &edns, &client, rows[i].now_s, cookie);
        if (kind != rows[i].kind || strcmp(hex_of(cookie), rows[i].got) != 0)
            fail_msg("%s: kind %d, %s", rows[i].what, (int)kind, hex_of(cookie));
    }
}

static void without_a_cookie_there_is_none(void **state)
{
    (void)state;
    const struct steer_cookie_secrets secrets = secrets_of(SECRET, NULL);
    const struct steer_edns edns = {.present = true};
    const struct steer_addr client = addr_of("192.0.2.1");
    uint8_t cookie[STEER_COOKIE_BYTES];
    assert_int_equal(steer_cookie_check(&secrets, &edns, &client, MADE, cookie), STEER_COOKIE_NONE);
}

// A query with a cookie that was made at MADE.
static struct steer_edns made_for(const struct steer_cookie_secrets *secrets,
                                  const struct steer_addr *client)
{
    struct steer_edns edns = edns_of("0102030405060708");
    uint8_t cookie[STEER_COOKIE_BYTES];
    assert_int_equal(steer_cookie_check(secrets, &edns, client, MADE, cookie), STEER_COOKIE_CLIENT);
    memcpy(edns.cookie, cookie, sizeof cookie);
    edns.cookie_len = sizeof cookie;
    return edns;
}

static void a_cookie_ages(void **state)
{
    (void)state;
    static const struct {
        int32_t age_s;
        enum steer_cookie_kind kind;
        bool same;
    } rows[] = {
        {-301, STEER_COOKIE_WRONG, false}, {-300, STEER_COOKIE_GOOD, true},
        {0, STEER_COOKIE_GOOD, true},      {1800, STEER_COOKIE_GOOD, true},
        {1801, STEER_COOKIE_GOOD, false},  {3600, STEER_COOKIE_GOOD, false},
        {3601, STEER_COOKIE_WRONG, false}, {INT32_MAX, STEER_COOKIE_WRONG, false},
    };
    const struct steer_cookie_secrets secrets = secrets_of(SECRET, OTHER);
    const struct steer_addr client = addr_of("192.0.2.1");
    const struct steer_edns edns = made_for(&secrets, &client);
    for (unsigned i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        uint8_t cookie[STEER_COOKIE_BYTES];
        const uint32_t now_s = MADE + (uint32_t)rows[i].age_s;
        assert_int_equal(steer_cookie_check(&secrets, &edns, &client, now_s, cookie), rows[i].kind);
        assert_int_equal(memcmp(cookie, edns.cookie, sizeof cookie) == 0, rows[i].same);
        struct steer_edns renewed = edns; // and the fresh one is good at once
        memcpy(renewed.cookie, cookie, sizeof cookie);
        assert_int_equal(steer_cookie_check(&secrets, &renewed, &client, now_s, cookie),
                         STEER_COOKIE_GOOD);
    }
}

// RFC 9018 4.3: times are serial numbers, which go round in 2106.
static void the_end_of_time_is_no_end(void **state)
{
    (void)state;
    const struct steer_cookie_secrets secrets = secrets_of(SECRET, NULL);
    const struct steer_addr client = addr_of("192.0.2.1");
    struct steer_edns edns = edns_of("0102030405060708");
    uint8_t cookie[STEER_COOKIE_BYTES];
    (void)steer_cookie_check(&secrets, &edns, &client, UINT32_MAX - 10, cookie);
    memcpy(edns.cookie, cookie, sizeof cookie);
    edns.cookie_len = sizeof cookie;
    assert_int_equal(steer_cookie_check(&secrets, &edns, &client, 100, cookie), STEER_COOKIE_GOOD);
    assert_int_equal(steer_cookie_check(&secrets, &edns, &client, 3700, cookie),
                     STEER_COOKIE_WRONG);
}

static void every_bit_of_a_cookie_and_of_the_address_counts(void **state)
{
    (void)state;
    const struct steer_cookie_secrets secrets = secrets_of(SECRET, OTHER);
    uint8_t cookie[STEER_COOKIE_BYTES];
    static const char *const clients[] = {"192.0.2.1", "2001:db8::1"};
    for (unsigned c = 0; c < STEER_ARRAY_LEN(clients); c++) {
        const struct steer_addr client = addr_of(clients[c]);
        const struct steer_edns good = made_for(&secrets, &client);
        for (unsigned bit = 0; bit < 8 * STEER_COOKIE_BYTES; bit++) {
            struct steer_edns edns = good;
            edns.cookie[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(steer_cookie_check(&secrets, &edns, &client, MADE, cookie),
                             STEER_COOKIE_WRONG);
        }
        for (unsigned bit = 0; bit < steer_family_bits(client.family); bit++) {
            struct steer_addr other = client;
            other.octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(steer_cookie_check(&secrets, &good, &other, MADE, cookie),
                             STEER_COOKIE_WRONG);
        }
    }
}

static void server_cookies_of_other_lengths_are_not_ours(void **state)
{
    (void)state;
    const struct steer_cookie_secrets secrets = secrets_of(SECRET, NULL);
    const struct steer_addr client = addr_of("192.0.2.1");
    const struct steer_edns good = made_for(&secrets, &client);
    for (uint8_t len = 16; len <= sizeof good.cookie; len++) {
        struct steer_edns edns = good;
        uint8_t cookie[STEER_COOKIE_BYTES];
        edns.cookie_len = len;
        assert_int_equal(steer_cookie_check(&secrets, &edns, &client, MADE, cookie),
                         len == STEER_COOKIE_BYTES ? STEER_COOKIE_GOOD : STEER_COOKIE_WRONG);
        assert_memory_equal(cookie, good.cookie, sizeof cookie);
    }
}

static void libknot_makes_the_same_cookies(void **state)
{
    (void)state;
    const struct steer_cookie_secrets secrets = secrets_of(SECRET, NULL);
    struct steer_rng rng;
    steer_rng_init(&rng, 9);
    for (unsigned round = 0; round < 500; round++) {
        struct steer_addr client = {.family = round % 2 ? STEER_V4 : STEER_V6};
        struct steer_edns edns = {.present = true, .cookie_len = STEER_COOKIE_CLIENT_BYTES};
        struct sockaddr_storage sa;
        socklen_t sa_len;
        uint8_t cookie[STEER_COOKIE_BYTES];
        knot_edns_cookie_t theirs, clients = {.len = STEER_COOKIE_CLIENT_BYTES};
        const uint64_t random[3] = {steer_rng_next(&rng), steer_rng_next(&rng),
                                    steer_rng_next(&rng)};
        memcpy(client.octets, random, client.family == STEER_V4 ? 4 : 16);
        memcpy(edns.cookie, &random[2], STEER_COOKIE_CLIENT_BYTES);
        memcpy(clients.data, edns.cookie, STEER_COOKIE_CLIENT_BYTES);
        steer_addr_to_sockaddr(&client, 53, &sa, &sa_len);
        knot_edns_cookie_params_t params = {
            .version = 1, .timestamp = MADE + round, .client_addr = &sa};
        memcpy(params.secret, secrets.secret[0], sizeof params.secret);
        assert_int_equal(knot_edns_cookie_server_generate(&theirs, &clients, &params), KNOT_EOK);
        (void)steer_cookie_check(&secrets, &edns, &client, MADE + round, cookie);
        assert_int_equal(theirs.len, STEER_COOKIE_SERVER_BYTES);
        assert_memory_equal(theirs.data, cookie + STEER_COOKIE_CLIENT_BYTES, theirs.len);
    }
}

static void a_secret_is_32_digits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"e5e973e5a6b2a43f48e7dc849e37bfcf", true},  {"E5E973E5A6B2A43F48E7DC849E37BFCF", true},
        {"00000000000000000000000000000000", true},  {"", false},
        {"e5e973e5a6b2a43f48e7dc849e37bfc", false},  {"e5e973e5a6b2a43f48e7dc849e37bfcf0", false},
        {"e5e973e5a6b2a43f48e7dc849e37bfcg", false}, {" e5e973e5a6b2a43f48e7dc849e37bfc", false},
        {"0xe5e973e5a6b2a43f48e7dc849e37bf", false},
    };
    for (unsigned i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        uint8_t secret[STEER_SIPHASH_KEY_BYTES];
        assert_int_equal(steer_cookie_secret_parse(rows[i].text, secret), rows[i].good);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_rfc_9018_come_out),
        cmocka_unit_test(without_a_cookie_there_is_none),
        cmocka_unit_test(a_cookie_ages),
        cmocka_unit_test(the_end_of_time_is_no_end),
        cmocka_unit_test(every_bit_of_a_cookie_and_of_the_address_counts),
        cmocka_unit_test(server_cookies_of_other_lengths_are_not_ours),
        cmocka_unit_test(libknot_makes_the_same_cookies),
        cmocka_unit_test(a_secret_is_32_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
