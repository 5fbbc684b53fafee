// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "steerd/wire/writer.h"

static const uint8_t *wire(const char *text)
{
    static struct steer_name name;
    struct steer_diag diag;
    if (steer_name_parse(text, NULL, &name, &diag) != STEER_OK)
        fail_msg("%s", diag.message);
    return name.octets;
}

static void integers_are_written_and_read_back(void **state)
{
    (void)state;
    uint8_t data[16];
    struct steer_writer w;
    steer_writer_init(&w, data, sizeof data);
    steer_write_u8(&w, 0x01);
    steer_write_u16(&w, 0x0203);
    steer_write_u32(&w, 0xf4050607);
    steer_write_bytes(&w, "abc", 3);
    steer_write_bytes(&w, "", 0);
    steer_write_u16_at(&w, 1, 0xfffe);
    assert_false(w.full);
    assert_int_equal(w.len, 10);
    assert_memory_equal(data,
                        "\x01\xff\xfe\xf4\x05\x06\x07"
                        "abc",
                        10);
    struct steer_reader r;
    steer_reader_init(&r, data, w.len);
    assert_int_equal(steer_read_u8(&r), 1);
    assert_int_equal(steer_read_u16(&r), 0xfffe);
    assert_int_equal(steer_read_u32(&r), 0xf4050607);
    assert_memory_equal(steer_read_bytes(&r, 3), "abc", 3);
    assert_false(r.bad);
}

static void the_reader_stays_bad_after_the_first_step_past_the_end(void **state)
{
    (void)state;
    struct steer_reader r;
    steer_reader_init(&r, (const uint8_t *)"abc", 3);
    assert_int_equal(steer_read_u32(&r), 0);
    assert_true(r.bad);
    assert_int_equal(steer_read_u8(&r), 0);
    assert_int_equal(steer_read_u16(&r), 0);
    assert_null(steer_read_bytes(&r, 0));
    assert_int_equal(r.at, 0);
    struct steer_reader huge = {(const uint8_t *)"abc", 3, 2, false};
    assert_null(steer_read_bytes(&huge, SIZE_MAX));
}

static void the_writer_stays_full_until_it_is_rewound(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < 12; cap++) {
        uint8_t *data = test_malloc(cap + 1);
        struct steer_writer w;
        steer_writer_init(&w, data, cap);
        steer_write_u32(&w, 1);
        struct steer_mark mark = steer_writer_mark(&w);
        steer_write_u32(&w, 2);
        steer_write_u16(&w, 3);
        steer_write_u8(&w, 4);
        assert_int_equal(w.full, cap < 11);
        assert_int_equal(w.len, cap < 4 ? 0 : cap < 8 ? 4 : cap < 10 ? 8 : cap < 11 ? 10 : 11);
        if (!w.full || cap >= 4) {
            steer_writer_rewind(&w, mark);
            assert_int_equal(w.len, 4);
            assert_false(w.full);
        }
        test_free(data);
    }
}

static void names_are_compressed_against_those_before_them(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool compress;
        const char *octets;
        size_t len;
    } rows[] = {
        {"www.example.com.", true, "\3www\7example\3com", 17}, // at 12
        {"WWW.example.COM.", true, "\xc0\x0c", 2},             // without case
        {"mail.EXAMPLE.com.", true, "\4mail\xc0\x10", 7},      // at 31
        {"a.mail.example.com.", true, "\1a\xc0\x1f", 4},       // through a pointer
        {"com.", true, "\xc0\x18", 2},
        {".", true, "\0", 1},
        {"example.com.", false, "\7example\3com", 13},
        {"x.a.mail.example.com.", true, "\1x\xc0\x26", 4},
        {"wwx.example.com.", true, "\3wwx\xc0\x10", 6},
        {"org.", true, "\3org", 5},
        {"b.org.", false, "\1b\3org", 7},
        {"c.b.org.", true, "\1c\xc0\x49", 4},
    };
    uint8_t data[512] = {0};
    struct steer_writer w;
    steer_writer_init(&w, data, sizeof data);
    w.len = 12;
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        size_t start = w.len;
        steer_write_name(&w, wire(rows[i].name), rows[i].compress);
        if (w.len - start != rows[i].len || memcmp(data + start, rows[i].octets, rows[i].len) != 0)
            fail_msg("%s at %zu took %zu octets", rows[i].name, start, w.len - start);
        struct steer_reader r = {data, w.len, start, false};
        struct steer_name back;
        steer_read_name(&r, &back);
        assert_false(r.bad);
        assert_int_equal(r.at, w.len);
        assert_true(steer_name_equal(back.octets, wire(rows[i].name)));
    }
}

static void a_name_that_does_not_fit_is_not_written_in_part(void **state)
{
    (void)state;
    for (size_t cap = 12; cap < 60; cap++) {
        uint8_t *data = test_malloc(cap);
        memset(data, 0, cap);
        struct steer_writer w;
        steer_writer_init(&w, data, cap);
        w.len = 12;
        steer_write_name(&w, wire("www.example.com."), true);
        assert_int_equal(w.full, cap < 29);
        steer_write_name(&w, wire("mail.example.com."), true);
        assert_int_equal(w.full, cap < 36);
        assert_int_equal(w.len, cap < 29 ? 12 : cap < 36 ? 29 : 36);
        assert_int_equal(w.known, cap < 29 ? 0 : cap < 36 ? 3 : 4);
        test_free(data);
    }
}

static void a_rewound_name_is_forgotten(void **state)
{
    (void)state;
    uint8_t data[128] = {0};
    struct steer_writer w;
    steer_writer_init(&w, data, sizeof data);
    w.len = 12;
    steer_write_name(&w, wire("a.test."), true);
    struct steer_mark mark = steer_writer_mark(&w);
    steer_write_name(&w, wire("other."), true);
    steer_writer_rewind(&w, mark);
    size_t start = w.len;
    steer_write_name(&w, wire("x.other."), true);
    assert_int_equal(w.len - start, 9);
    start = w.len;
    steer_write_name(&w, wire("b.test."), true);
    assert_int_equal(w.len - start, 4);
}

static void the_question_is_made_known(void **state)
{
    (void)state;
    uint8_t data[128] = {0};
    struct steer_writer w;
    steer_writer_init(&w, data, sizeof data);
    w.len = 12;
    steer_write_bytes(&w, "\3wWw\4TesT\0\0\1\0\1", 14);
    steer_writer_know(&w, 12);
    steer_write_name(&w, wire("ns.test."), true);
    assert_memory_equal(data + 26, "\2ns\xc0\x10", 5);
}

static void no_pointer_goes_past_what_fourteen_bits_reach(void **state)
{
    (void)state;
    static uint8_t data[40000];
    struct steer_writer w;
    steer_writer_init(&w, data, sizeof data);
    w.len = 0x4000 - 3;
    steer_write_name(&w, wire("aa.bb."), true); // "bb" begins at 0x4000
    assert_int_equal(w.known, 1);
    size_t start = w.len;
    steer_write_name(&w, wire("bb."), true);
    assert_int_equal(w.len - start, 4);
    start = w.len;
    steer_write_name(&w, wire("aa.bb."), true);
    assert_memory_equal(data + start, "\xff\xfd", 2);
}

static void more_names_than_are_remembered_do_no_harm(void **state)
{
    (void)state;
    static uint8_t data[65535];
    struct steer_writer w;
    steer_writer_init(&w, data, sizeof data);
    w.len = 12;
    for (unsigned i = 0; i < 300; i++) {
        char text[64];
        snprintf(text, sizeof text, "h%u.z%u.test.", i, i % 7);
        size_t start = w.len;
        steer_write_name(&w, wire(text), true);
        struct steer_reader r = {data, w.len, start, false};
        struct steer_name back;
        steer_read_name(&r, &back);
        assert_false(r.bad);
        assert_true(steer_name_equal(back.octets, wire(text)));
    }
    assert_int_equal(w.known, STEER_COMPRESS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_written_and_read_back),
        cmocka_unit_test(the_reader_stays_bad_after_the_first_step_past_the_end),
        cmocka_unit_test(the_writer_stays_full_until_it_is_rewound),
        cmocka_unit_test(names_are_compressed_against_those_before_them),
        cmocka_unit_test(a_name_that_does_not_fit_is_not_written_in_part),
        cmocka_unit_test(a_rewound_name_is_forgotten),
        cmocka_unit_test(the_question_is_made_known),
        cmocka_unit_test(no_pointer_goes_past_what_fourteen_bits_reach),
        cmocka_unit_test(more_names_than_are_remembered_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
