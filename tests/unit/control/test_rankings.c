// SPDX-License-Identifier: GPL-3.0-or-later
// More orders of preference than there can be classes: cut, answered, and said.
#include "control_support.h"

enum { SITES = 9, CLIENTS = 66000 };

// The n-th order of the sites as milliseconds, by its digits to the bases 1, 2, 3 ...
static void put_row(struct steer_buf *json, unsigned n)
{
    unsigned left[SITES], place[SITES];
    for (unsigned i = 0; i < SITES; i++)
        left[i] = i;
    for (unsigned i = SITES, rest = n; i > 0; i--) {
        const unsigned pick = rest % i;
        rest /= i;
        place[left[pick]] = i;
        left[pick] = left[i - 1];
    }
    steer_buf_printf(json, "%s\"10.%u.%u.%u\":{", n ? "," : "", n >> 16, n >> 8 & 255, n & 255);
    for (unsigned i = 0; i < SITES; i++)
        steer_buf_printf(json, "%s\"s%u\":%u", i ? "," : "", i, place[i]);
    steer_buf_puts(json, "}");
}

static void put_each(struct steer_buf *json, const char *format)
{
    for (unsigned i = 0; i < SITES; i++) {
        char number[4], entry[128];
        snprintf(number, sizeof number, "%u", i);
        size_t len = 0;
        for (const char *c = format; *c; c++)
            entry[len++] = *c == '#' ? number[0] : *c;
        entry[len] = '\0';
        steer_buf_printf(json, "%s%s", i ? "," : "", entry);
    }
}

static void status_names_the_record_whose_rankings_were_cut(void **state)
{
    (void)state;
    struct fixture *f = fixture_create(false);
    struct steer_buf json = {0};
    json_t *status;
    steer_buf_puts(&json,
                   "{\"zone\":\"example.com\",\"checks\":{\"c\":{\"type\":\"tcp\",\"port\":1}},"
                   "\"sites\":{");
    put_each(&json, "\"s#\":{\"lat\":0,\"lon\":#}");
    steer_buf_puts(&json, "},\"endpoints\":{");
    put_each(&json, "\"e#\":{\"site\":\"s#\",\"ipv4\":\"192.0.2.#\",\"check\":\"c\"}");
    steer_buf_puts(&json, "},\"latencies\":{\"t\":{\"rows\":{");
    for (unsigned n = 0; n < CLIENTS; n++)
        put_row(&json, n);
    steer_buf_puts(&json, "}}},\"records\":{\"few\":{\"steer\":{\"endpoint\":\"e0\"}},\"many\":{"
                          "\"steer\":{\"latency\":{\"table\":\"t\",\"among\":[");
    put_each(&json, "{\"endpoint\":\"e#\"}");
    steer_buf_puts(&json, "]}}}}}");
    must_apply(f, json.data);
    assert_int_equal(steer_control_status(f->control, &status, NULL), STEER_OK);
    const json_t *cut = json_object_get(status, "cut_rankings");
    assert_int_equal(json_array_size(cut), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(cut, 0), "record")),
                        "many.example.com. address");
    const json_int_t in_order =
        json_integer_value(json_object_get(json_array_get(cut, 0), "in_order"));
    assert_in_range(in_order, 3, SITES - 2);
    // The first of each order stays; of the first order that is s1.
    expect(f, "many.example.com", STEER_TYPE_A, "10.0.0.0", "192.0.2.1");
    json_decref(status);
    steer_buf_fini(&json);
    fixture_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_names_the_record_whose_rankings_were_cut),
    };
    return cmocka_run_group_tests_name("rankings", tests, NULL, NULL);
}
