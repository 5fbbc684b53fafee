// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "steerd/base/addr.h"
#include "steerd/base/hash.h"

static void addresses_are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *written; // NULL: no address
    } rows[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"2001:DB8::1", "2001:db8::1"},
        {"2001:db8:0:0:0:0:0:1", "2001:db8::1"},
        {"::", "::"},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"", NULL},
        {"192.0.2", NULL},
        {"192.0.2.256", NULL},
        {"192.0.2.01", NULL},
        {"192.0.2.1 ", NULL},
        {" 192.0.2.1", NULL},
        {"192.0.2.1/32", NULL},
        {"2001:db8::1::", NULL},
        {"12345::", NULL},
        {"fe80::1%eth0", NULL},
        {"[::1]", NULL},
        {"host", NULL},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_addr addr = {.family = 77};
        char text[46];
        assert_int_equal(steer_addr_parse(rows[i].text, &addr), rows[i].written != NULL);
        if (!rows[i].written) {
            assert_int_equal(addr.family, 77); // written only on success
            continue;
        }
        assert_string_equal(steer_addr_format(&addr, text, sizeof text), rows[i].written);
        assert_int_equal(addr.family, strchr(rows[i].text, ':') ? STEER_V6 : STEER_V4);
    }
}

static void an_ipv4_address_has_zeros_behind_it(void **state)
{
    (void)state;
    static const uint8_t zeros[12];
    struct steer_addr addr;
    memset(&addr, 0xff, sizeof addr);
    assert_true(steer_addr_parse("192.0.2.1", &addr));
    assert_memory_equal(addr.octets + 4, zeros, sizeof zeros);
}

static void prefixes_are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text, *written;
        bool ok, host_bits;
    } rows[] = {
        {"192.0.2.0/24", "192.0.2.0/24", true, false},
        {"0.0.0.0/0", "0.0.0.0/0", true, false},
        {"192.0.2.1", "192.0.2.1/32", true, false},
        {"192.0.2.1/32", "192.0.2.1/32", true, false},
        {"192.0.2.128/25", "192.0.2.128/25", true, false},
        {"::/0", "::/0", true, false},
        {"2001:db8::/33", "2001:db8::/33", true, false},
        {"2001:db8::1", "2001:db8::1/128", true, false},
        {"192.0.2.1/24", "192.0.2.0/24", false, true},
        {"192.0.2.129/25", "192.0.2.128/25", false, true},
        {"128.0.0.0/0", "0.0.0.0/0", false, true},
        {"2001:db8::1/64", "2001:db8::/64", false, true},
        {"2001:db8:8000::/32", "2001:db8::/32", false, true},
        {"192.0.2.0/33", NULL, false, false},
        {"2001:db8::/129", NULL, false, false},
        {"192.0.2.0/", NULL, false, false},
        {"192.0.2.0/-1", NULL, false, false},
        {"192.0.2.0/+24", NULL, false, false},
        {"192.0.2.0/24x", NULL, false, false},
        {"192.0.2.0/0024", NULL, false, false},
        {"192.0.2.0/24/8", NULL, false, false},
        {"192.0.2.0/ 24", NULL, false, false},
        {"192.0.2.0/99999999999999999999", NULL, false, false},
        {"/24", NULL, false, false},
        {"", NULL, false, false},
        {"1111111111111111111111111111111111111111111111111111111111111111111111/8", NULL, false,
         false},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_prefix prefix;
        bool host_bits = true;
        char text[50];
        assert_int_equal(steer_prefix_parse(rows[i].text, &prefix, &host_bits), rows[i].ok);
        assert_int_equal(host_bits, rows[i].host_bits);
        if (rows[i].written)
            assert_string_equal(steer_prefix_format(&prefix, text, sizeof text), rows[i].written);
        assert_int_equal(steer_prefix_parse(rows[i].text, &prefix, NULL), rows[i].ok);
    }
    char longest[50];
    struct steer_prefix prefix;
    assert_true(steer_prefix_parse("abcd:abcd:abcd:abcd:abcd:abcd:abcd:abcd/128", &prefix, NULL));
    assert_string_equal(steer_prefix_format(&prefix, longest, sizeof longest),
                        "abcd:abcd:abcd:abcd:abcd:abcd:abcd:abcd/128");
}

// Each bit for itself, as the judge.
static void masks_clear_what_is_beyond_and_nothing_else(void **state)
{
    (void)state;
    struct steer_rng rng;
    steer_rng_init(&rng, 1);
    for (unsigned round = 0; round < 20; round++) {
        struct steer_addr addr = {.family = STEER_V6};
        for (unsigned i = 0; i < 16; i++)
            addr.octets[i] = (uint8_t)steer_rng_next(&rng);
        for (unsigned len = 0; len <= 128; len++) {
            struct steer_addr masked = addr;
            steer_addr_mask(&masked, len);
            for (unsigned bit = 0; bit < 128; bit++) {
                const unsigned was = addr.octets[bit / 8] >> (7 - bit % 8) & 1;
                assert_int_equal(masked.octets[bit / 8] >> (7 - bit % 8) & 1, bit < len ? was : 0);
            }
            const struct steer_prefix prefix = {masked, (uint8_t)len};
            assert_true(steer_prefix_contains(&prefix, &addr));
            struct steer_addr other = addr;
            if (len) {
                other.octets[(len - 1) / 8] ^= (uint8_t)(0x80 >> (len - 1) % 8);
                assert_false(steer_prefix_contains(&prefix, &other));
            }
        }
    }
}

static void families_do_not_contain_each_other(void **state)
{
    (void)state;
    struct steer_prefix all;
    struct steer_addr v4, zero;
    assert_true(steer_prefix_parse("::/0", &all, NULL));
    assert_true(steer_addr_parse("0.0.0.0", &v4) && steer_addr_parse("::", &zero));
    assert_false(steer_prefix_contains(&all, &v4));
    assert_true(steer_prefix_contains(&all, &zero));
    assert_false(steer_addr_equal(&v4, &zero));
}

static void socket_addresses_are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text, *written; // NULL: none
    } rows[] = {
        {"127.0.0.1:5300", "127.0.0.1:5300"},
        {"127.0.0.1:0", "127.0.0.1:0"},
        {"127.0.0.1:65535", "127.0.0.1:65535"},
        {"[::1]:53", "[::1]:53"},
        {"[2001:db8::1]:65535", "[2001:db8::1]:65535"},
        {"[::]:0", "[::]:0"},
        {"[::ffff:192.0.2.1]:53", "192.0.2.1:53"}, // plain IPv4 from now on
        {"127.0.0.1", NULL},
        {"127.0.0.1:", NULL},
        {"127.0.0.1:65536", NULL},
        {"127.0.0.1:-1", NULL},
        {"127.0.0.1: 1", NULL},
        {"127.0.0.1:1x", NULL},
        {":53", NULL},
        {"", NULL},
        {"::1:53", NULL}, // an IPv6 address wants its brackets
        {"::1", NULL},
        {"[::1]", NULL},
        {"[::1:53", NULL},
        {"[127.0.0.1]:53", NULL},
        {"[]:53", NULL},
        {"[:53", NULL},
        {"]:53", NULL},
        {"localhost:53", NULL},
        {"11111111111111111111111111111111111111111111111111111111111111111111:53", NULL},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct sockaddr_storage sa;
        socklen_t len = 0;
        char text[64];
        assert_int_equal(steer_sockaddr_parse(rows[i].text, &sa, &len), rows[i].written != NULL);
        if (!rows[i].written)
            continue;
        assert_int_equal(len, rows[i].text[0] == '[' ? sizeof(struct sockaddr_in6)
                                                     : sizeof(struct sockaddr_in));
        steer_sockaddr_format(&sa, text, sizeof text);
        assert_string_equal(text, rows[i].written);
    }
}

static void addresses_go_through_sockets_and_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"192.0.2.1", "2001:db8::1", "::", "0.0.0.0"};
    for (size_t i = 0; i < STEER_ARRAY_LEN(texts); i++) {
        struct steer_addr addr, again;
        struct sockaddr_storage sa;
        socklen_t len;
        uint16_t port = 0;
        assert_true(steer_addr_parse(texts[i], &addr));
        steer_addr_to_sockaddr(&addr, 5353, &sa, &len);
        assert_int_equal(sa.ss_family, addr.family == STEER_V4 ? AF_INET : AF_INET6);
        steer_addr_from_sockaddr(&sa, &again, &port);
        assert_true(steer_addr_equal(&addr, &again));
        assert_int_equal(port, 5353);
        steer_addr_from_sockaddr(&sa, &again, NULL);
        assert_true(steer_addr_equal(&addr, &again));
    }
}

static void durations_are_read(void **state)
{
    (void)state;
    static const uint64_t bad = UINT64_MAX, day = 86400000;
    const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {
        {"10s", 10000},
        {"5m", 300000},
        {"2h", 7200000},
        {"1d", day},
        {"500ms", 500},
        {"1m30s", 90000},
        {"1h1m1s1ms", 3661001},
        {"90", 90000},
        {"0", 0},
        {"0s", 0},
        {"3650d", 3650 * day},
        {"87600h", 3650 * day},
        {"007s", 7000},
        {"3650d1ms", bad},
        {"3651d", bad},
        {"315360001", bad},
        {"", bad},
        {"s", bad},
        {"10 s", bad},
        {" 10s", bad},
        {"10s ", bad},
        {"1.5s", bad},
        {"-1s", bad},
        {"+1s", bad},
        {"10sec", bad},
        {"10S", bad},
        {"1m30", bad},
        {"1w", bad},
        {"1mm", bad},
        {"99999999999999999999s", bad},
        {"18446744073709551616", bad},
        {"10s\n", bad},
        {"3649d3649d", bad},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        uint64_t ms = 4711;
        if (steer_duration_parse(rows[i].text, &ms) != (rows[i].ms != bad))
            fail_msg("'%s'", rows[i].text);
        assert_int_equal(ms, rows[i].ms == bad ? 4711 : rows[i].ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_written),
        cmocka_unit_test(an_ipv4_address_has_zeros_behind_it),
        cmocka_unit_test(prefixes_are_read_and_written),
        cmocka_unit_test(masks_clear_what_is_beyond_and_nothing_else),
        cmocka_unit_test(families_do_not_contain_each_other),
        cmocka_unit_test(socket_addresses_are_read_and_written),
        cmocka_unit_test(addresses_go_through_sockets_and_back),
        cmocka_unit_test(durations_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
