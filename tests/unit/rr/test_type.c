// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "steerd/base/buf.h"
#include "steerd/rr/rdata.h"
#include "steerd/rr/type.h"

static void types_and_classes_have_names(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *back;
        uint16_t type;
    } rows[] = {
        {"A", "A", 1},
        {"aaaa", "AAAA", 28},
        {"TYPE1", "A", 1},
        {"HTTPS", "HTTPS", 65},
        {"TYPE65280", "TYPE65280", 65280},
        {"type0", "TYPE0", 0},
        {"ANY", "ANY", 255},
        {"CAA", "CAA", 257},
        {"TYPE65535", "TYPE65535", 65535},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        uint16_t type = 9999;
        char text[STEER_TYPE_TEXT_MAX];
        assert_true(steer_type_parse(rows[i].text, &type));
        assert_int_equal(type, rows[i].type);
        assert_string_equal(steer_type_format(type, text), rows[i].back);
    }
    static const char *const bad[] = {"",       "B",      "TYPE", "TYPE65536",
                                      "TYPE-1", "TYPE1x", "A ",   "\\#"};
    for (size_t i = 0; i < STEER_ARRAY_LEN(bad); i++) {
        uint16_t type;
        if (steer_type_parse(bad[i], &type))
            fail_msg("'%s' was taken as type %u", bad[i], type);
    }
    uint16_t class;
    char text[STEER_CLASS_TEXT_MAX];
    assert_true(steer_class_parse("ch", &class));
    assert_int_equal(class, 3);
    assert_string_equal(steer_class_format(1, text), "IN");
    assert_string_equal(steer_class_format(4242, text), "CLASS4242");
    assert_false(steer_class_parse("XX", &class));
}

static void meta_types_and_singletons_are_known(void **state)
{
    (void)state;
    static const uint16_t meta[] = {0, 41, 128, 249, 250, 251, 252, 253, 254, 255};
    static const uint16_t plain[] = {1, 10, 40, 42, 127, 256, 65280, 65535};
    for (size_t i = 0; i < STEER_ARRAY_LEN(meta); i++)
        assert_true(steer_type_is_meta(meta[i]));
    for (size_t i = 0; i < STEER_ARRAY_LEN(plain); i++)
        assert_false(steer_type_is_meta(plain[i]));
    for (unsigned type = 0; type < 65536; type++)
        assert_int_equal(steer_type_is_singleton((uint16_t)type),
                         type == 5 || type == 6 || type == 39);
}

static void names_in_record_data_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *text;
        unsigned count;
        unsigned at[2];
        unsigned len[2];
        bool compressible;
        bool target;
    } rows[] = {
        {"A", "192.0.2.1", 0, {0}, {0}, false, false},
        {"NS", "a.b.", 1, {0}, {5}, true, true},
        {"CNAME", "a.", 1, {0}, {3}, true, false},
        {"PTR", ".", 1, {0}, {1}, true, false},
        {"DNAME", "a.", 1, {0}, {3}, false, false},
        {"SOA", "a. b.c. 1 2 3 4 5", 2, {0, 3}, {3, 5}, true, false},
        {"MX", "10 a.", 1, {2}, {3}, true, true},
        {"SRV", "1 2 3 a.", 1, {6}, {3}, false, true},
        {"NAPTR", "1 2 \"S\" \"SIP+D2U\" \"\" a.b.", 1, {15}, {5}, false, true},
        {"SVCB", "1 a. port=53", 1, {2}, {3}, false, true},
        {"HTTPS", "0 a.b.", 1, {2}, {5}, false, true},
        {"RP", "a. b.", 2, {0, 3}, {3, 3}, false, false},
        {"AFSDB", "1 a.", 1, {2}, {3}, false, false},
        {"MINFO", "a. b.", 2, {0, 3}, {3, 3}, true, false},
        {"TYPE3", "\\# 3 016100", 1, {0}, {3}, true, false},
        {"TYPE9", "\\# 3 016100", 1, {0}, {3}, true, false},
        {"RRSIG", "A 8 1 300 1 2 3 a. AAAA", 1, {18}, {3}, false, false},
        {"NSEC", "a. A", 1, {0}, {3}, false, false},
        {"TXT", "a.", 0, {0}, {0}, false, false},
        {"CAA", "0 issue \"a.\"", 0, {0}, {0}, false, false},
        {"TYPE65280", "\\# 3 016100", 0, {0}, {0}, false, false},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        uint16_t type;
        struct steer_buf rdata = {0};
        struct steer_diag diag = {0};
        assert_true(steer_type_parse(rows[i].type, &type));
        if (steer_rdata_parse(type, rows[i].text, NULL, &rdata, &diag) != STEER_OK)
            fail_msg("%s %s: %s", rows[i].type, rows[i].text, diag.message);
        struct steer_rdata_name names[STEER_RDATA_NAMES_MAX];
        unsigned count = 9;
        assert_true(steer_rdata_names(type, (uint8_t *)rdata.data, rdata.len, names, &count));
        assert_int_equal(count, rows[i].count);
        for (unsigned j = 0; j < count; j++) {
            assert_int_equal(names[j].at, rows[i].at[j]);
            assert_int_equal(names[j].len, rows[i].len[j]);
            assert_int_equal(names[j].compressible, rows[i].compressible);
            assert_int_equal(names[j].target, rows[i].target);
        }
        if (count)
            assert_int_equal(steer_type_has_target(type), rows[i].target);
        steer_buf_fini(&rdata);
    }
}

// RFC 3597 4: names are compressed in the types of RFC 1035 and in no other.
static void only_old_types_are_compressible(void **state)
{
    (void)state;
    static const uint8_t rdata[64] = {0};
    static const uint16_t old[] = {2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15};
    for (unsigned type = 0; type < 300; type++) {
        bool compressible = false;
        for (size_t len = 1; len < sizeof rdata; len++) {
            struct steer_rdata_name names[STEER_RDATA_NAMES_MAX];
            unsigned count;
            if (steer_rdata_names((uint16_t)type, rdata, len, names, &count) && count)
                compressible = names[0].compressible;
        }
        bool expected = false;
        for (size_t i = 0; i < STEER_ARRAY_LEN(old); i++)
            expected |= old[i] == type;
        if (compressible != expected)
            fail_msg("type %u", type);
    }
}

static void malformed_data_has_no_names(void **state)
{
    (void)state;
    static const struct {
        uint16_t type;
        const char *octets;
        size_t len;
    } rows[] = {
        {1, "\1\2\3", 3},        {1, "\1\2\3\4\5", 5},   {2, "", 0},
        {2, "\1a", 2},           {2, "\xc0\x0c", 2},     {2, "\1a\0x", 4},
        {15, "\0", 1},           {15, "\0\1", 2},        {6, "\0\0\0\0", 4},
        {33, "\0\0\0\0\0\0", 6}, {35, "\0\0\0\0\5a", 6}, {35, "\0\0\0\0\0\0\0", 7},
        {64, "\0\1\100", 3},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_rdata_name names[STEER_RDATA_NAMES_MAX];
        unsigned count;
        const uint8_t *octets = (const uint8_t *)rows[i].octets;
        if (steer_rdata_names(rows[i].type, octets, rows[i].len, names, &count))
            fail_msg("row %zu", i);
        assert_false(steer_rdata_is_valid(rows[i].type, octets, rows[i].len));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_and_classes_have_names),
        cmocka_unit_test(meta_types_and_singletons_are_known),
        cmocka_unit_test(names_in_record_data_are_found),
        cmocka_unit_test(only_old_types_are_compressible),
        cmocka_unit_test(malformed_data_has_no_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
