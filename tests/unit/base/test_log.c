// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "steerd/base/clock.h"
#include "steerd/base/log.h"

// ---- what goes to stderr -------------------------------------------------------------------------

static FILE *capture;
static int saved;

static void capture_begin(void)
{
    fflush(stderr);
    capture = tmpfile();
    assert_non_null(capture);
    saved = dup(STDERR_FILENO);
    assert_true(saved >= 0 && dup2(fileno(capture), STDERR_FILENO) >= 0);
}

static const char *capture_end(void)
{
    static char text[8192];
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(capture);
    text[fread(text, 1, sizeof text - 1, capture)] = '\0';
    fclose(capture);
    return text;
}

// "2026-01-31T12:00:00.123Z " goes before the rest.
static const char *after_time(const char *line)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ ";
    for (size_t i = 0; form[i]; i++)
        if (form[i] == 'd')
            assert_in_range(line[i], '0', '9');
        else
            assert_int_equal(line[i], form[i]);
    return line + sizeof form - 1;
}

static void a_fact_is_a_line(void **state)
{
    (void)state;
    capture_begin();
    steer_log(STEER_LOG_INFO, "world", "%d cells of %s", 3, "example.com.");
    assert_string_equal(after_time(capture_end()), "info world: 3 cells of example.com.\n");
}

static void no_input_can_forge_a_line(void **state)
{
    (void)state;
    static const struct {
        const char *input, *output;
    } rows[] = {
        {"plain", "plain"},
        {"a\nb", "a\\x0ab"},
        {"a\r\nb", "a\\x0d\\x0ab"},
        {"\x1b[31mred", "\\x1b[31mred"},
        {"tab\there", "tab\\x09here"},
        {"\x7f\x01", "\\x7f\\x01"},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"", ""},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        char want[64];
        capture_begin();
        steer_log(STEER_LOG_WARN, "store", "%s", rows[i].input);
        snprintf(want, sizeof want, "warn store: %s\n", rows[i].output);
        assert_string_equal(after_time(capture_end()), want);
    }
}

static void long_messages_are_cut_to_one_line(void **state)
{
    (void)state;
    static char message[5000];
    for (int fill = '\n'; fill; fill = fill == '\n' ? 'x' : 0) {
        memset(message, fill, sizeof message - 1);
        for (size_t len = 1900; len < sizeof message; len = len < 2100 ? len + 1 : len * 2) {
            message[len] = '\0';
            capture_begin();
            steer_log(STEER_LOG_ERROR, "base", "%s", message);
            const char *line = capture_end();
            message[len] = (char)fill;
            const size_t got = strlen(line);
            assert_true(got <= 2048);
            assert_ptr_equal(strchr(line, '\n'), line + got - 1);
        }
    }
}

static void levels_below_the_threshold_are_silent(void **state)
{
    (void)state;
    static const char *const names[] = {"error", "warn", "info", "debug"};
    for (unsigned threshold = 0; threshold < 4; threshold++) {
        enum steer_log_level level;
        assert_true(steer_log_level_parse(names[threshold], &level));
        assert_int_equal(level, threshold);
        steer_log_set_level(level);
        for (unsigned i = 0; i < 4; i++) {
            capture_begin();
            steer_log((enum steer_log_level)i, "base", "word");
            const char *line = capture_end();
            if (i <= threshold) {
                char want[64];
                snprintf(want, sizeof want, "%s base: word\n", names[i]);
                assert_string_equal(after_time(line), want);
            } else {
                assert_string_equal(line, "");
            }
        }
    }
    steer_log_set_level(STEER_LOG_INFO);
    enum steer_log_level level = STEER_LOG_DEBUG;
    assert_false(steer_log_level_parse("Info", &level) || steer_log_level_parse("", &level));
    assert_int_equal(level, STEER_LOG_DEBUG);
}

// ---- diagnostics ---------------------------------------------------------------------------------

static void diagnostics_say_what_is_known_of_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        uint32_t line, column;
        const char *text;
    } rows[] = {
        {"a.yaml", 3, 7, "a.yaml:3:7: unknown key 'pol'"},
        {"a.yaml", 3, 0, "a.yaml:3: unknown key 'pol'"},
        {"a.yaml", 0, 0, "a.yaml: unknown key 'pol'"},
        {NULL, 3, 7, "line:3:7: unknown key 'pol'"},
        {"", 3, 0, "line:3: unknown key 'pol'"},
        {NULL, 0, 0, "unknown key 'pol'"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_diag diag;
        char text[1400];
        assert_int_equal(steer_diag_at(&diag, rows[i].file, rows[i].line, rows[i].column,
                                       "unknown key '%s'", "pol"),
                         STEER_EINVAL);
        assert_string_equal(steer_diag_format(&diag, text, sizeof text), rows[i].text);
        char small[8];
        assert_string_equal(steer_diag_format(&diag, small, sizeof small),
                            (snprintf(text, sizeof small, "%s", rows[i].text), text));
    }
}

static void diagnostics_are_cut_and_may_be_absent(void **state)
{
    (void)state;
    struct steer_diag diag;
    char longer[3000];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(steer_diag_set(&diag, STEER_ELIMIT, "%s", longer), STEER_ELIMIT);
    assert_int_equal(strlen(diag.message), sizeof diag.message - 1);
    assert_int_equal(diag.line + diag.column + (uint32_t)strlen(diag.file), 0);
    assert_int_equal(steer_diag_at(&diag, longer, 1, 1, "m"), STEER_EINVAL);
    assert_int_equal(strlen(diag.file), sizeof diag.file - 1);
    assert_int_equal(steer_diag_at(NULL, "f", 1, 1, "m"), STEER_EINVAL);
    assert_int_equal(steer_diag_set(NULL, STEER_EIO, "m"), STEER_EIO);
}

static void every_error_has_a_name(void **state)
{
    (void)state;
    for (int err = STEER_OK; err <= STEER_ESTOPPED; err++)
        for (int other = STEER_OK; other < err; other++)
            assert_string_not_equal(steer_err_text((enum steer_err)err),
                                    steer_err_text((enum steer_err)other));
    assert_string_equal(steer_err_text((enum steer_err)99), "unknown error");
}

// ---- time ----------------------------------------------------------------------------------------

static void times_are_written_in_utc(void **state)
{
    (void)state;
    char text[32];
    assert_string_equal(steer_time_format(0, text, sizeof text), "1970-01-01T00:00:00Z");
    assert_string_equal(steer_time_format(1769860800, text, sizeof text), "2026-01-31T12:00:00Z");
    assert_string_equal(steer_time_format(UINT32_MAX, text, sizeof text), "2106-02-07T06:28:15Z");
    assert_string_equal(steer_time_format(0, text, 5), "");
}

static void clocks_do_not_go_back(void **state)
{
    (void)state;
    const uint64_t coarse = steer_clock_coarse_ns(), mono = steer_clock_mono_ns();
    assert_true(mono >= coarse);
    assert_true(steer_clock_mono_ns() >= mono && steer_clock_coarse_ns() >= coarse);
    const uint64_t s = steer_clock_unix_s(), ms = steer_clock_unix_ms();
    assert_true(ms / 1000 == s || ms / 1000 == s + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fact_is_a_line),
        cmocka_unit_test(no_input_can_forge_a_line),
        cmocka_unit_test(long_messages_are_cut_to_one_line),
        cmocka_unit_test(levels_below_the_threshold_are_silent),
        cmocka_unit_test(diagnostics_say_what_is_known_of_the_place),
        cmocka_unit_test(diagnostics_are_cut_and_may_be_absent),
        cmocka_unit_test(every_error_has_a_name),
        cmocka_unit_test(times_are_written_in_utc),
        cmocka_unit_test(clocks_do_not_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
