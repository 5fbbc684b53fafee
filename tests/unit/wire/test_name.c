// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/wire/name.h"

static const struct steer_name origin = {9, 1, "\7example"};

static struct steer_name parse(const char *text)
{
    struct steer_name name = {0, 0, {0}};
    struct steer_diag diag = {0};
    if (steer_name_parse(text, &origin, &name, &diag) != STEER_OK)
        fail_msg("%s", diag.message);
    return name;
}

static void text_becomes_wire_form_and_text_again(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *wire;
        size_t len;
        unsigned labels;
        const char *back;
    } rows[] = {
        {".", "\0", 1, 0, "."},
        {"@", "\7example\0", 9, 1, "example."},
        {"com.", "\3com\0", 5, 1, "com."},
        {"www", "\3www\7example\0", 13, 2, "www.example."},
        {"WwW.Com.", "\3WwW\3Com\0", 9, 2, "WwW.Com."},
        {"*.a.", "\1*\1a\0", 5, 2, "*.a."},
        {"_sip._tcp.", "\4_sip\4_tcp\0", 11, 2, "_sip._tcp."},
        {"a\\.b.", "\3a.b\0", 5, 1, "a\\.b."},
        {"a\\032b.", "\3a b\0", 5, 1, "a\\032b."},
        {"\\000\\255.", "\2\0\377\0", 4, 1, "\\000\\255."},
        {"\\065\\\\.", "\2A\\\0", 4, 1, "A\\\\."},
        {"a/b-c.", "\5a/b-c\0", 7, 1, "a/b-c."},
        {"a+b\\\"\\;.", "\5a+b\";\0", 7, 1, "a\\+b\\\"\\;."},
        {"\\@.", "\1@\0", 3, 1, "\\@."},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_name name = parse(rows[i].text);
        char text[STEER_NAME_TEXT_MAX];
        assert_int_equal(name.len, rows[i].len);
        assert_int_equal(name.labels, rows[i].labels);
        assert_memory_equal(name.octets, rows[i].wire, rows[i].len);
        assert_string_equal(steer_name_format(name.octets, text), rows[i].back);
        assert_int_equal(steer_name_length(name.octets), rows[i].len);
        assert_int_equal(steer_name_labels(name.octets), rows[i].labels);
    }
}

static void bad_names_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *word;
    } rows[] = {
        {"", "empty"},
        {"a..b", "empty"},
        {".a", "empty"},
        {"..", "empty"},
        {"a b", "\\DDD"},
        {"a\tb", "\\DDD"},
        {"b\303\274cher", "xn--"},
        {"a\\", "backslash"},
        {"a\\1", "three digits"},
        {"a\\12x", "three digits"},
        {"a\\256", "\\255"},
        {"a\"b", "escaped"},
        {"a;b", "escaped"},
        {"(a)", "escaped"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_name name = {7, 0, {0}};
        struct steer_diag diag = {0};
        assert_int_equal(steer_name_parse(rows[i].text, &origin, &name, &diag), STEER_EINVAL);
        if (!strstr(diag.message, rows[i].word))
            fail_msg("%s: %s", rows[i].text, diag.message);
        assert_int_equal(name.len, 7); // not touched
        assert_int_equal(steer_name_parse(rows[i].text, NULL, &name, NULL), STEER_EINVAL);
    }
}

// n labels of `size` letters, without a final dot.
static char *repeat(unsigned n, unsigned size, char *out)
{
    char *p = out;
    for (unsigned i = 0; i < n; i++) {
        memset(p, 'a', size);
        p += size;
        *p++ = i + 1 < n ? '.' : '\0';
    }
    return out;
}

static void the_limits_are_63_255_and_127_labels(void **state)
{
    (void)state;
    static const struct {
        unsigned labels;
        unsigned size;
        const char *tail;
        bool fits;
    } rows[] = {
        {1, 63, ".", true},   {1, 64, ".", false},    {127, 1, ".", true},  {128, 1, ".", false},
        {4, 61, ".", true},   {4, 62, ".aa.", false}, {4, 62, ".a.", true}, {4, 62, ".aaa.", false},
        {3, 63, ".aa", true}, {123, 1, "", true},     {124, 1, "", false},  {3, 63, "", true},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        char text[STEER_NAME_TEXT_MAX];
        struct steer_name name;
        strcat(repeat(rows[i].labels, rows[i].size, text), rows[i].tail);
        bool fits = steer_name_parse(text, &origin, &name, NULL) == STEER_OK;
        if (fits != rows[i].fits)
            fail_msg("row %zu", i);
        struct steer_name again;
        if (fits) {
            assert_true(steer_name_from_wire(name.octets, name.len, &again));
            assert_int_equal(again.labels, name.labels);
        }
    }
}

static void the_longest_text_fits_its_buffer(void **state)
{
    (void)state;
    char in[STEER_NAME_TEXT_MAX] = "";
    for (unsigned i = 0; i < 253; i++)
        strcat(in, i % 64 == 63 ? "." : "\\001");
    strcat(in, ".");
    struct steer_name name = parse(in);
    assert_int_equal(name.len, 255);
    char *out = test_malloc(STEER_NAME_TEXT_MAX);
    assert_string_equal(steer_name_format(name.octets, out), in);
    test_free(out);
}

static void wire_names_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *wire;
        size_t size;
        bool valid;
    } rows[] = {
        {"\0", 1, true},     {"\1a\0", 3, true},  {"\1a\0xyz", 6, true}, {"", 0, false},
        {"\1", 1, false},    {"\1a", 2, false},   {"\2a\0", 3, false},   {"\xc0\x0c", 2, false},
        {"\100a", 2, false}, {"\200a", 2, false},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_name name;
        uint8_t *exact = test_malloc(rows[i].size + 1);
        memcpy(exact + 1, rows[i].wire, rows[i].size);
        if (steer_name_from_wire(exact + 1, rows[i].size, &name) != rows[i].valid)
            fail_msg("row %zu", i);
        test_free(exact);
    }
}

// RFC 4034 6.1's own example, and shorter ones.
static void names_sort_in_canonical_order(void **state)
{
    (void)state;
    static const char *const sorted[] = {
        ".",
        "example.",
        "a.example.",
        "yljkjljk.a.example.",
        "Z.a.example.",
        "zABC.a.EXAMPLE.",
        "z.example.",
        "\\001.z.example.",
        "*.z.example.",
        "\\200.z.example.",
        "zz.example.",
        "f.",
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(sorted); i++)
        for (size_t j = 0; j < STEER_ARRAY_LEN(sorted); j++) {
            struct steer_name a = parse(sorted[i]);
            struct steer_name b = parse(sorted[j]);
            int order = steer_name_compare(a.octets, b.octets);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
            assert_int_equal(steer_name_equal(a.octets, b.octets), i == j);
        }
}

static void names_are_compared_without_case(void **state)
{
    (void)state;
    struct steer_name a = parse("wWw.Example.COM.");
    struct steer_name b = parse("WwW.eXAMPLE.com.");
    struct steer_name c = parse("w[w.example.com.");
    struct steer_name d = parse("w{w.example.com.");
    assert_true(steer_name_equal(a.octets, b.octets));
    assert_int_equal(steer_name_compare(a.octets, b.octets), 0);
    assert_false(
        steer_name_equal(c.octets, d.octets)); // [ and { differ by 0x20, but are no letters
    steer_name_lower(&a);
    assert_memory_equal(a.octets, "\3www\7example\3com", 17);
    for (unsigned c1 = 0; c1 < 256; c1++)
        assert_int_equal(steer_lower((uint8_t)c1), c1 >= 'A' && c1 <= 'Z' ? c1 + 32 : c1);
}

// At every length and alignment, for every octet: the loop by words does what the one by octets does.
static void lower_casing_by_words_equals_that_by_octets(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++)
        for (unsigned n = 1; n <= 63; n += 3) {
            struct steer_name name = {(uint8_t)(n + 2), 1, {0}};
            name.octets[0] = (uint8_t)n;
            memset(name.octets + 1, (int)c, n);
            name.octets[n + 1] = 0;
            name.octets[n + 2] = 'Z'; // not part of it
            steer_name_lower(&name);
            assert_int_equal(name.octets[0], n);
            for (unsigned i = 1; i <= n; i++)
                assert_int_equal(name.octets[i], steer_lower((uint8_t)c));
            assert_int_equal(name.octets[n + 2], 'Z');
        }
}

static void a_name_is_below_itself_and_its_parents_only(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *parent;
        bool below;
    } rows[] = {
        {"a.b.", "b.", true},   {"a.b.", "A.B.", true}, {"a.b.", ".", true},
        {".", ".", true},       {"b.", "a.b.", false},  {"xb.", "b.", false},
        {"a.xb.", "b.", false}, {".", "b.", false},     {"a\\.b.", "b.", false},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_name name = parse(rows[i].name);
        struct steer_name parent = parse(rows[i].parent);
        assert_int_equal(steer_name_is_below(name.octets, parent.octets), rows[i].below);
    }
}

static void names_join_up_to_255_octets(void **state)
{
    (void)state;
    char text[STEER_NAME_TEXT_MAX];
    struct steer_name out;
    struct steer_name a = parse("x.y.old.");
    struct steer_name suffix = parse("new.test.");
    assert_true(steer_name_join(a.octets, 4, suffix.octets, &out));
    assert_string_equal(steer_name_format(out.octets, text), "x.y.new.test.");
    assert_int_equal(out.labels, 4);
    struct steer_name longest = parse(strcat(repeat(127, 1, text), "."));
    assert_true(steer_name_join(longest.octets, 254, (const uint8_t *)"", &out));
    assert_int_equal(out.len, 255);
    assert_false(steer_name_join(longest.octets, 254, (const uint8_t *)"\1a", &out));
}

static void a_suffix_hashes_the_same_whatever_stands_before_it(void **state)
{
    (void)state;
    char longest[STEER_NAME_TEXT_MAX];
    repeat(3, 63, longest);
    strcat(longest, ".bbbbbb.bbbbbbb.bbbbbbbb.bbbbbbbbb.b.bbbbbbb.bbbbb.");
    const char *const texts[] = {".",
                                 "com.",
                                 "www.example.com.",
                                 "averylonglabelindeed.example.com.",
                                 "12345678.1234567.123456.com.",
                                 longest};
    for (size_t i = 0; i < STEER_ARRAY_LEN(texts); i++) {
        struct steer_name name = parse(texts[i]);
        struct steer_name_hashes hashes;
        steer_name_hash_suffixes(&name, &hashes);
        assert_int_equal(hashes.hash[0], steer_name_root_hash);
        assert_int_equal(hashes.at[0], name.len - 1);
        for (unsigned k = 1; k <= name.labels; k++) {
            struct steer_name suffix;
            const uint8_t *at = name.octets + hashes.at[k];
            assert_true(steer_name_from_wire(at, (size_t)(name.len - hashes.at[k]), &suffix));
            assert_int_equal(suffix.labels, k);
            assert_int_equal(steer_name_hash(&suffix), hashes.hash[k]);
            for (unsigned c = 1; c < suffix.len; c++)
                if (suffix.octets[c] >= 'a' && suffix.octets[c] <= 'z' && c % 3)
                    suffix.octets[c] ^= 0x20;
            assert_int_equal(steer_name_hash(&suffix), hashes.hash[k]);
            // A label alone in memory, so that the address sanitizer sees a read past it.
            uint8_t *label = test_malloc(at[0] + 1U);
            memcpy(label, at, at[0] + 1U);
            assert_int_equal(steer_name_hash_label(hashes.hash[k - 1], label), hashes.hash[k]);
            test_free(label);
        }
        assert_int_equal(steer_name_hash(&name), hashes.hash[name.labels]);
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void names_that_are_alike_hash_apart(void **state)
{
    (void)state;
    enum { N = 40000 };
    static uint64_t hashes[N];
    static uint32_t low[1 << 16];
    for (unsigned i = 0; i < N; i++) {
        char text[64];
        snprintf(text, sizeof text, i % 2 ? "host%u.example.com." : "h.%u.example.com.", i / 2);
        struct steer_name name = parse(text);
        hashes[i] = steer_name_hash(&name);
        low[hashes[i] & 0xffff]++;
    }
    qsort(hashes, N, sizeof hashes[0], by_value);
    for (unsigned i = 1; i < N; i++)
        assert_true(hashes[i] != hashes[i - 1]);
    for (unsigned i = 0; i < 1 << 16; i++)
        assert_true(low[i] < 12); // 0.6 are expected in each
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_wire_form_and_text_again),
        cmocka_unit_test(bad_names_are_refused_with_a_reason),
        cmocka_unit_test(the_limits_are_63_255_and_127_labels),
        cmocka_unit_test(the_longest_text_fits_its_buffer),
        cmocka_unit_test(wire_names_are_checked),
        cmocka_unit_test(names_sort_in_canonical_order),
        cmocka_unit_test(names_are_compared_without_case),
        cmocka_unit_test(lower_casing_by_words_equals_that_by_octets),
        cmocka_unit_test(a_name_is_below_itself_and_its_parents_only),
        cmocka_unit_test(names_join_up_to_255_octets),
        cmocka_unit_test(a_suffix_hashes_the_same_whatever_stands_before_it),
        cmocka_unit_test(names_that_are_alike_hash_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
