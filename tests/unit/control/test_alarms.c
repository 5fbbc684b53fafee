// SPDX-License-Identifier: GPL-3.0-or-later
// Records of which clients get what is down, or nothing: status names them.
#include "control_support.h"

static const char document[] =
    "zone: example.com\n"
    "checks: {web: {type: tcp, port: 1, rise: 1, fall: 1, interval: 1h}}\n"
    "endpoints:\n"
    "  de: {ipv4: 192.0.2.1, ipv6: \"2001:db8::1\", check: web}\n"
    "  us: {ipv4: 192.0.2.2, check: web}\n"
    "records:\n"
    "  placed: {steer: {geo: {rules: [{match: EU-DE, to: {endpoint: de}, fence: true}], default: "
    "{endpoint: us}}}}\n"
    "  single: {steer: {endpoint: de}}\n"
    "  both: {steer: {failover: [{endpoint: de}, {endpoint: us}]}}\n";

// "record nodata/served_all/classes; ..."
static void expect_alarms(struct fixture *f, const char *wanted)
{
    struct steer_buf got = {0};
    json_t *status;
    const json_t *record;
    size_t i;
    assert_int_equal(steer_control_status(f->control, &status, NULL), STEER_OK);
    steer_buf_puts(&got, "");
    json_array_foreach(json_object_get(status, "alarms"), i, record)
    {
        const char *name = json_string_value(json_object_get(record, "record"));
        steer_buf_printf(&got, "%s%.*s %d/%d/%d", i ? "; " : "", (int)strcspn(name, "."), name,
                         (int)json_integer_value(json_object_get(record, "nodata")),
                         (int)json_integer_value(json_object_get(record, "served_all")),
                         (int)json_integer_value(json_object_get(record, "classes")));
    }
    assert_int_equal(json_integer_value(json_object_get(status, "alarms_more")), 0);
    assert_string_equal(got.data, wanted);
    steer_buf_fini(&got);
    json_decref(status);
}

static enum steer_err force(struct fixture *f, const char *endpoint)
{
    const struct steer_control_override o = {
        .kind = "endpoint", .target = endpoint, .state = "drained", .reason = "test"};
    return steer_control_override_set(f->control, &o, &f->diag);
}

static void status_names_the_records_that_need_a_person(void **state)
{
    (void)state;
    struct fixture *f = fixture_create(false);
    must_apply(f, document);
    expect_alarms(f, "");
    feed(f, "de", "web", false, 1);
    expect_alarms(f, "placed 0/1/2; single 0/1/1");
    // A drain holds when checks are read as up: nothing is left.
    assert_int_equal(force(f, "de"), STEER_OK);
    expect_alarms(f, "placed 1/0/2; single 1/0/1");
    feed(f, "us", "web", false, 1);
    expect_alarms(f, "both 0/1/1; placed 1/1/2; single 1/0/1");
    feed(f, "us", "web", true, 1);
    expect_alarms(f, "placed 1/0/2; single 1/0/1");
    fixture_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_names_the_records_that_need_a_person),
    };
    return cmocka_run_group_tests_name("alarms", tests, NULL, NULL);
}
