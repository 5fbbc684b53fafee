// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/health/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static char letter(enum steer_verdict verdict)
{
    return verdict == STEER_UP ? 'U' : verdict == STEER_DOWN ? 'D' : '-';
}

// Results in ("+" pass, "-" failure), the verdict after each of them out ("-": unknown).
static const struct row {
    const char *name;
    uint8_t rise, fall;
    enum steer_verdict initially, restored;
    const char *results, *verdicts, *effective;
} rows[] = {
    {"a_blip_does_not_take_it_down", 2, 3, STEER_UP, 0, "++-+--+", "-UUUUUU", "UUUUUUU"},
    {"fall_failures_take_it_down", 2, 3, STEER_UP, 0, "++---", "-UUUD", "UUUUD"},
    {"rise_passes_bring_it_back", 2, 3, STEER_UP, 0, "---+-++", "--DDDDU", "UUDDDDU"},
    {"one_result_is_enough_with_rise_and_fall_of_one", 1, 1, STEER_UP, 0, "+-+", "UDU", "UDU"},
    {"unknown_until_enough_results_in_a_row", 3, 3, STEER_UP, 0, "++-++-", "------", "UUUUUU"},
    {"initially_down_stays_down_until_rise", 2, 2, STEER_DOWN, 0, "+-++", "---U", "DDDU"},
    {"initially_down_confirmed_by_fall", 2, 2, STEER_DOWN, 0, "--", "-D", "DD"},
    {"restored_up_holds_until_fall", 2, 3, STEER_DOWN, STEER_UP, "--+---", "UUUUUD", "UUUUUD"},
    {"restored_down_holds_until_rise", 2, 3, STEER_UP, STEER_DOWN, "+-++", "DDDU", "DDDU"},
};

static void verdicts_follow_the_table(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < LEN(rows); i++) {
        const struct row *row = &rows[i];
        struct steer_hysteresis h = {row->rise, row->fall, row->initially};
        struct steer_verdict_state state = {0};
        if (row->restored)
            steer_verdict_restore(&state, row->restored, 7, "stored");
        char verdicts[32] = "", effective[32] = "";
        for (size_t n = 0; row->results[n]; n++) {
            enum steer_verdict before = steer_verdict_effective(&state, &h);
            bool changed = steer_verdict_observe(&state, &h, row->results[n] == '+', "r", 100 + n);
            verdicts[n] = letter(state.verdict);
            effective[n] = letter(steer_verdict_effective(&state, &h));
            if (changed != (before != steer_verdict_effective(&state, &h)))
                fail_msg("%s: result %zu: wrong return value", row->name, n);
        }
        if (strcmp(verdicts, row->verdicts) || strcmp(effective, row->effective))
            fail_msg("%s: got %s and %s, wanted %s and %s", row->name, verdicts, effective,
                     row->verdicts, row->effective);
    }
}

static void a_change_is_told_once_and_dated(void **unused)
{
    (void)unused;
    struct steer_hysteresis h = {2, 2, STEER_UP};
    struct steer_verdict_state state = {0};
    assert_false(steer_verdict_observe(&state, &h, true, "ok", 10));
    assert_false(steer_verdict_observe(&state, &h, true, "ok", 20)); // unknown, read as up, is up
    assert_int_equal(state.since_unix_s, 20);
    assert_false(steer_verdict_observe(&state, &h, false, "refused", 30));
    assert_true(steer_verdict_observe(&state, &h, false, "refused", 40));
    assert_false(steer_verdict_observe(&state, &h, false, "still refused", 50));
    assert_int_equal(state.since_unix_s, 40);
    assert_int_equal(state.last_unix_s, 50);
    assert_int_equal(state.streak, 3);
    assert_string_equal(state.reason, "still refused");
}

static void a_restored_verdict_keeps_its_date_and_reason_until_moved(void **unused)
{
    (void)unused;
    struct steer_hysteresis h = {1, 2, STEER_UP};
    struct steer_verdict_state state = {.streak = 9, .last_pass = true, .last_unix_s = 5};
    steer_verdict_restore(&state, STEER_DOWN, 77, "timed out after 3000 ms");
    assert_true(state.restored);
    assert_int_equal(state.since_unix_s, 77);
    assert_int_equal(state.last_unix_s, 0);
    assert_int_equal(state.streak, 0);
    assert_string_equal(state.reason, "timed out after 3000 ms");
    assert_int_equal(steer_verdict_effective(&state, &h), STEER_DOWN);
    assert_false(steer_verdict_observe(&state, &h, false, "refused", 80));
    assert_true(state.restored);
    assert_int_equal(state.since_unix_s, 77);
    assert_true(steer_verdict_observe(&state, &h, true, "status 200", 90));
    assert_false(state.restored);
    assert_int_equal(state.since_unix_s, 90);
    steer_verdict_restore(&state, STEER_UNKNOWN, 0, NULL);
    assert_false(state.restored);
    assert_string_equal(state.reason, "");
}

static void a_long_streak_saturates(void **unused)
{
    (void)unused;
    struct steer_hysteresis h = {255, 255, STEER_DOWN};
    struct steer_verdict_state state = {0};
    for (unsigned n = 1; n <= 1000; n++) {
        bool changed = steer_verdict_observe(&state, &h, true, "ok", n);
        assert_int_equal(changed, n == 255);
    }
    assert_int_equal(state.streak, 255);
    assert_int_equal(state.since_unix_s, 255);
    steer_verdict_observe(&state, &h, false, "no", 1001);
    assert_int_equal(state.streak, 1);
    assert_int_equal(state.verdict, STEER_UP);
}

static void reasons_are_stored_clean(void **unused)
{
    (void)unused;
    static const struct {
        const char *given, *stored;
    } cases[] = {
        {"status 503, wanted 200-399", "status 503, wanted 200-399"},
        {NULL, ""},
        {"a\nb\tc\x1b[31m\x7f", "a?b?c?[31m?"},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"c1 \xc2\x9b done", "c1 ?? done"},
        {"stray \xff\x80 x", "stray ?? x"},
        {"overlong \xc0\xaf\xe0\x80\xaf", "overlong ?????"},
        {"surrogate \xed\xa0\x80", "surrogate ???"},
        {"beyond \xf4\x90\x80\x80", "beyond ????"},
        {"cut short \xe2\x82", "cut short ??"},
        {"cut lead \xf0", "cut lead ?"},
    };
    struct steer_hysteresis h = {1, 1, STEER_UP};
    for (size_t i = 0; i < LEN(cases); i++) {
        struct steer_verdict_state state = {0};
        steer_verdict_observe(&state, &h, true, cases[i].given, 1);
        assert_string_equal(state.reason, cases[i].stored);
    }
}

static void a_long_reason_is_cut_between_characters(void **unused)
{
    (void)unused;
    struct steer_hysteresis h = {1, 1, STEER_UP};
    struct steer_verdict_state state = {0};
    char text[201];
    memset(text, 'x', 200);
    text[200] = '\0';
    steer_verdict_observe(&state, &h, true, text, 1);
    assert_int_equal(strlen(state.reason), 95);
    memcpy(text + 93, "\xe2\x82\xac", 3); // would end at byte 96
    steer_verdict_observe(&state, &h, true, text, 1);
    assert_int_equal(strlen(state.reason), 93);
}

static void verdicts_have_names(void **unused)
{
    (void)unused;
    assert_string_equal(steer_verdict_text(STEER_UNKNOWN), "unknown");
    assert_string_equal(steer_verdict_text(STEER_UP), "up");
    assert_string_equal(steer_verdict_text(STEER_DOWN), "down");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_follow_the_table),
        cmocka_unit_test(a_change_is_told_once_and_dated),
        cmocka_unit_test(a_restored_verdict_keeps_its_date_and_reason_until_moved),
        cmocka_unit_test(a_long_streak_saturates),
        cmocka_unit_test(reasons_are_stored_clean),
        cmocka_unit_test(a_long_reason_is_cut_between_characters),
        cmocka_unit_test(verdicts_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
