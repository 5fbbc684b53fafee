// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/base/buf.h"
#include "steerd/policy/latency_samples.h"

static enum steer_err parse(const char *text, const char *client, struct steer_latency_batch *batch,
                            struct steer_diag *diag)
{
    return steer_latency_batch_parse(text, strlen(text), client, batch, diag);
}

static void rows_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *row, *client; // sent along with the batch, or NULL
        const char *wanted;       // client, site, microseconds
    } rows[] = {
        {"{\"client\":\"192.0.2.7\",\"site\":\"fra\",\"ms\":12.5}", NULL, "192.0.2.7/32 fra 12500"},
        {"{\"client\":\"192.0.2.0/24\",\"site\":\"fra\",\"ms\":9}", NULL, "192.0.2.0/24 fra 9000"},
        {"{\"client\":\"192.0.2.7/24\",\"site\":\"fra\",\"ms\":9}", NULL, "192.0.2.0/24 fra 9000"},
        {"{\"client\":\"2001:db8::1\",\"site\":\"a.b-c_1\",\"ms\":10000}", NULL,
         "2001:db8::1/128 a.b-c_1 10000000"},
        {"{\"client\":\"::ffff:192.0.2.7\",\"site\":\"fra\",\"ms\":0.0001}", NULL,
         "192.0.2.7/32 fra 1"},
        // NAT64, 6to4 and Teredo, too.
        {"{\"client\":\"64:ff9b::192.0.2.7\",\"site\":\"fra\",\"ms\":1}", NULL,
         "192.0.2.7/32 fra 1000"},
        {"{\"client\":\"2002:c000:207::1\",\"site\":\"fra\",\"ms\":1}", NULL,
         "192.0.2.7/32 fra 1000"},
        {"{\"client\":\"2002:c000:200::/40\",\"site\":\"fra\",\"ms\":1}", NULL,
         "192.0.2.0/24 fra 1000"},
        {"{\"client\":\"2001:0:1:2:3:4:3fff:fdf8\",\"site\":\"fra\",\"ms\":1}", NULL,
         "192.0.2.7/32 fra 1000"},
        {"{\"client\":\"10.1.2.3\",\"site\":\"fra\",\"ms\":1}", NULL, "10.1.2.3/32 fra 1000"},
        {"{\"site\":\"fra\",\"ms\":1}", "192.0.2.9", "192.0.2.9/32 fra 1000"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_latency_batch batch;
        struct steer_diag diag = {0};
        struct steer_buf text = {0};
        char client[64], got[128];
        steer_buf_printf(&text, "{\"samples\":[%s]}", rows[i].row);
        if (parse(text.data, rows[i].client, &batch, &diag))
            fail_msg("%s: %s", rows[i].row, diag.message);
        if (batch.refusal_count)
            fail_msg("%s: %s", rows[i].row, batch.refusals[0].reason);
        assert_int_equal(batch.count, 1);
        snprintf(got, sizeof got, "%s %s %u",
                 steer_prefix_format(&batch.samples[0].client, client, sizeof client),
                 batch.samples[0].site, batch.samples[0].rtt_us);
        assert_string_equal(got, rows[i].wanted);
        steer_latency_batch_fini(&batch);
        steer_buf_fini(&text);
    }
}

static void a_faulty_row_is_named_and_the_others_count(void **state)
{
    (void)state;
    static const struct {
        const char *row, *reason;
    } rows[] = {
        {"7", "a sample must be {\"site\", \"ms\"}"},
        {"{}", "'site' must be the name of a site"},
        {"{\"site\":\"f r a\",\"ms\":1}", "'site' must be the name of a site"},
        {"{\"site\":\"fra\"}", "'ms' must be a number of milliseconds"},
        {"{\"site\":\"fra\",\"ms\":\"1\"}", "'ms' must be a number of milliseconds"},
        {"{\"site\":\"fra\",\"ms\":0}", "'ms' must be above 0 and at most 10000, not 0"},
        {"{\"site\":\"fra\",\"ms\":-3}", "'ms' must be above 0 and at most 10000, not -3"},
        {"{\"site\":\"fra\",\"ms\":10000.1}",
         "'ms' must be above 0 and at most 10000, not 10000.1"},
        {"{\"site\":\"fra\",\"ms\":1e300}", "'ms' must be above 0 and at most 10000, not 1e+300"},
        {"{\"site\":\"fra\",\"ms\":1}", "'client' is missing"},
        {"{\"client\":7,\"site\":\"fra\",\"ms\":1}",
         "'client' must be a string, like \"192.0.2.7\""},
        {"{\"client\":\"EU-DE\",\"site\":\"fra\",\"ms\":1}",
         "'EU-DE' is not an address or a network, like 192.0.2.7"},
        {"{\"client\":\"127.0.0.1\",\"site\":\"fra\",\"ms\":1}",
         "'127.0.0.1' is a loopback address and cannot be a client"},
        {"{\"client\":\"::1\",\"site\":\"fra\",\"ms\":1}",
         "'::1' is a loopback address and cannot be a client"},
        {"{\"client\":\"64:ff9b::127.0.0.1\",\"site\":\"fra\",\"ms\":1}",
         "'64:ff9b::127.0.0.1' is a loopback address and cannot be a client"},
        {"{\"client\":\"2001:0:1::/48\",\"site\":\"fra\",\"ms\":1}",
         "'2001:0:1::/48' holds IPv4 inside IPv6: give the IPv4 network, like 192.0.2.0/24"},
        {"{\"client\":\"::\",\"site\":\"fra\",\"ms\":1}",
         "'::' is unspecified and cannot be a client"},
        {"{\"client\":\"0.0.0.0/0\",\"site\":\"fra\",\"ms\":1}",
         "'0.0.0.0/0' is unspecified and cannot be a client"},
        {"{\"client\":\"169.254.1.1\",\"site\":\"fra\",\"ms\":1}",
         "'169.254.1.1' is a link-local address and cannot be a client"},
        {"{\"client\":\"fe80::1\",\"site\":\"fra\",\"ms\":1}",
         "'fe80::1' is a link-local address and cannot be a client"},
        {"{\"client\":\"224.0.0.1\",\"site\":\"fra\",\"ms\":1}",
         "'224.0.0.1' is not a unicast address and cannot be a client"},
        {"{\"client\":\"ff02::1\",\"site\":\"fra\",\"ms\":1}",
         "'ff02::1' is not a unicast address and cannot be a client"},
        {"{\"client\":\"192.0.2.7\",\"sit\":\"fra\",\"ms\":1}", "unknown member 'sit'"},
    };
    struct steer_buf text = {0};
    struct steer_latency_batch batch;
    struct steer_diag diag = {0};
    const char *good = "{\"client\":\"192.0.2.7\",\"site\":\"fra\",\"ms\":1}";
    steer_buf_printf(&text, "{\"samples\":[%s", good);
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++)
        steer_buf_printf(&text, ",%s", rows[i].row);
    steer_buf_printf(&text, ",%s]}", good);
    assert_int_equal(parse(text.data, NULL, &batch, &diag), STEER_OK);
    assert_int_equal(batch.count, 2);
    assert_int_equal(batch.samples[1].index, 1 + STEER_ARRAY_LEN(rows));
    assert_int_equal(batch.refusal_count, STEER_ARRAY_LEN(rows));
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        assert_int_equal(batch.refusals[i].index, i + 1);
        assert_string_equal(batch.refusals[i].reason, rows[i].reason);
    }
    steer_latency_batch_fini(&batch);
    steer_buf_fini(&text);
}

static void a_faulty_batch_is_refused_whole(void **state)
{
    (void)state;
    static const struct {
        const char *text, *client, *message;
        uint32_t line;
    } bad[] = {
        {"", NULL, "the batch is not valid JSON: ", 1},
        {"{\"samples\":\n[", NULL, "the batch is not valid JSON: ", 2},
        {"{\"samples\":[{}],\"samples\":[{}]}", NULL, "the batch is not valid JSON: ", 1},
        {"[]", NULL, "a batch must be {\"samples\": [..]}", 0},
        {"{}", NULL, "'samples' must be a list", 0},
        {"{\"samples\":[]}", NULL, "'samples' must be a list", 0},
        {"{\"sample\":[{}]}", NULL, "unknown member 'sample'; known are client, samples", 0},
        {"{\"client\":1,\"samples\":[{}]}", NULL, "'client' must be a string", 0},
        {"{\"client\":\"nobody\",\"samples\":[{}]}", NULL, "client: 'nobody' is not an address", 0},
        {"{\"client\":\"192.0.2.1\",\"samples\":[{}]}", "192.0.2.1",
         "'client' is not accepted here: whoever sent the batch is it", 0},
        {"{\"samples\":[{}]}", "", "client: '' is not an address", 0},
        {"{\"samples\":[{}]}", "127.0.0.1", "client: '127.0.0.1' is a loopback address", 0},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(bad); i++) {
        struct steer_latency_batch batch;
        struct steer_diag diag = {0};
        assert_int_equal(parse(bad[i].text, bad[i].client, &batch, &diag), STEER_EINVAL);
        if (strncmp(diag.message, bad[i].message, strlen(bad[i].message)) != 0)
            fail_msg("%s: '%s', not '%s'", bad[i].text, diag.message, bad[i].message);
        assert_int_equal(diag.line, bad[i].line);
    }
}

static void who_is_told_by_the_proxy_names_no_other_client(void **state)
{
    (void)state;
    struct steer_latency_batch batch;
    struct steer_diag diag = {0};
    assert_int_equal(parse("{\"samples\":[{\"client\":\"198.51.100.1\",\"site\":\"fra\",\"ms\":1},"
                           "{\"site\":\"fra\",\"ms\":1}]}",
                           "192.0.2.7", &batch, &diag),
                     STEER_OK);
    assert_int_equal(batch.count, 1);
    assert_int_equal(batch.samples[0].index, 1);
    assert_string_equal(batch.refusals[0].reason,
                        "'client' is not accepted here: whoever sent the batch is it");
    steer_latency_batch_fini(&batch);
    // The client of the batch is that of rows without one.
    assert_int_equal(parse("{\"client\":\"192.0.2.7\",\"samples\":[{\"site\":\"fra\",\"ms\":1},"
                           "{\"client\":\"192.0.3.7\",\"site\":\"fra\",\"ms\":1}]}",
                           NULL, &batch, &diag),
                     STEER_OK);
    assert_int_equal(batch.count, 2);
    assert_int_equal(batch.samples[0].client.addr.octets[2], 2);
    assert_int_equal(batch.samples[1].client.addr.octets[2], 3);
    steer_latency_batch_fini(&batch);
}

static void a_batch_has_at_most_a_thousand_rows(void **state)
{
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        struct steer_buf text = {0};
        struct steer_latency_batch batch;
        struct steer_diag diag = {0};
        steer_buf_puts(&text, "{\"client\":\"192.0.2.7\",\"samples\":[");
        for (unsigned i = 0; i < STEER_SAMPLES_MAX + more; i++)
            steer_buf_printf(&text, "%s{\"site\":\"fra\",\"ms\":1}", i ? "," : "");
        steer_buf_puts(&text, "]}");
        assert_int_equal(parse(text.data, NULL, &batch, &diag), more ? STEER_ELIMIT : STEER_OK);
        if (more)
            assert_string_equal(diag.message, "1001 samples in one batch; at most 1000");
        else
            steer_latency_batch_fini(&batch);
        steer_buf_fini(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read),
        cmocka_unit_test(a_faulty_row_is_named_and_the_others_count),
        cmocka_unit_test(a_faulty_batch_is_refused_whole),
        cmocka_unit_test(who_is_told_by_the_proxy_names_no_other_client),
        cmocka_unit_test(a_batch_has_at_most_a_thousand_rows),
    };
    return cmocka_run_group_tests_name("policy/latency_samples", tests, NULL, NULL);
}
