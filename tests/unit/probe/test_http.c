// SPDX-License-Identifier: GPL-3.0-or-later
// What each kind of probe makes of each way an endpoint can behave.
#include "support/origin.h"

#include "recorder.h"

#define HTTP  STEER_PROBE_HTTP
#define HTTPS STEER_PROBE_HTTPS
#define TCP   STEER_PROBE_TCP

static const struct row {
    const char *name;
    enum steer_probe_kind kind;
    const char *path, *method, *body;
    uint16_t low, high;
    uint32_t timeout_ms; // 0: long
    bool closed_port;
    bool pass;
    const char *reason; // the start of it
} rows[] = {
    {"ok", HTTP, "/200", 0, 0, 0, 0, 0, 0, true, "status 200 in "},
    {"path_without_slash", HTTP, "200", 0, 0, 0, 0, 0, 0, true, "status 200 in "},
    {"error", HTTP, "/503", 0, 0, 0, 0, 0, 0, false, "status 503, wanted 200-399"},
    {"no_path_asks_for_the_root", HTTP, 0, 0, 0, 0, 0, 0, 0, false, "status 404, wanted 200-399"},
    {"error_that_is_wanted", HTTP, "/503", 0, 0, 500, 599, 0, 0, true, "status 503 in "},
    {"exact_status", HTTP, "/200", 0, 0, 204, 204, 0, 0, false, "status 200, wanted 204"},
    {"redirect_is_not_followed", HTTP, "/redirect", 0, 0, 0, 0, 0, 0, true, "status 302 in "},
    {"redirect_not_wanted", HTTP, "/redirect", 0, 0, 200, 299, 0, 0, false, "status 302, wanted"},
    {"body_holds", HTTP, "/200", 0, "is ok", 0, 0, 0, 0, true, "status 200 in "},
    {"body_lacks", HTTP, "/200", 0, "fine", 0, 0, 0, 0, false, "body lacks 'fine'"},
    {"endless_body_is_cut", HTTP, "/endless", 0, 0, 0, 0, 0, 0, true, "status 200 in "},
    {"early_needle_is_found", HTTP, "/endless", 0, "needle", 0, 0, 0, 0, true, "status 200 in "},
    {"late_text_is_not_read", HTTP, "/endless", 0, "haystack", 0, 0, 0, 0, false, "body lacks"},
    {"endless_header_is_refused", HTTP, "/headers", 0, 0, 0, 0, 0, 0, false,
     "answer's header is over 65536 bytes"},
    {"answer_ends_early", HTTP, "/cut", 0, 0, 0, 0, 0, 0, false, "answer ends early"},
    {"garbage", HTTP, "/garbage", 0, 0, 0, 0, 0, 0, false, "answer is not HTTP"},
    {"closes", HTTP, "/close", 0, 0, 0, 0, 0, 0, false, "closed without answering"},
    {"slow", HTTP, "/slow", 0, 0, 0, 0, 150, 0, false,
     "timed out after 150 ms waiting for an answer"},
    {"refused", HTTP, "/200", 0, 0, 0, 0, 0, true, false, "connection refused"},
    {"head", HTTP, "/200", "HEAD", 0, 0, 0, 0, 0, true, "status 200 in "},
    {"post", HTTP, "/200", "POST", 0, 0, 0, 0, 0, true, "status 200 in "},
    {"other_method", HTTP, "/200", "OPTIONS", 0, 0, 0, 0, 0, true, "status 200 in "},
    {"smuggling_method", HTTP, "/200", "GET / HTTP/1.1\r\nX: ", 0, 0, 0, 0, 0, false,
     "the method is not one word"},
    {"smuggling_path", HTTP, "/200\r\nX: y", 0, 0, 0, 0, 0, 0, false, "URL "},
    {"tls_to_a_plain_server", HTTPS, "/200", 0, 0, 0, 0, 0, 0, false, "TLS: "},
    {"tls_refused", HTTPS, "/200", 0, 0, 0, 0, 0, true, false, "connection refused"},
    {"tcp", TCP, 0, 0, 0, 0, 0, 0, 0, true, "connected in "},
    {"tcp_refused", TCP, 0, 0, 0, 0, 0, 0, true, false, "connection refused"},
};

static void every_behaviour_gets_its_result_and_reason(void **unused)
{
    (void)unused;
    struct recorder recorder;
    struct steer_prober *prober = recorder_start(&recorder, 0, NULL);
    struct origin *origin = origin_start(AF_INET);
    uint16_t closed = origin_closed_port();
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        struct steer_probe_target target =
            loopback_target(i, row->kind, row->closed_port ? closed : origin->port, row->path);
        target.method = row->method;
        target.expect_body = row->body;
        target.status_min = row->low;
        target.status_max = row->high;
        target.timeout_ms = row->timeout_ms;
        steer_prober_put(prober, &target);
    }
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct record record = recorder_wait(&recorder, i, 1);
        if (record.passes != rows[i].pass ||
            strncmp(record.reason, rows[i].reason, strlen(rows[i].reason)) != 0)
            fail_msg("%s: %s, '%s'; wanted %s, '%s'", rows[i].name,
                     record.passes ? "passed" : "failed", record.reason,
                     rows[i].pass ? "pass" : "failure", rows[i].reason);
    }
    struct steer_prober_stats stats;
    steer_prober_stats(prober, &stats);
    assert_int_equal(stats.targets, STEER_ARRAY_LEN(rows));
    assert_int_equal(stats.started, STEER_ARRAY_LEN(rows));
    assert_int_equal(stats.passed + stats.failed, STEER_ARRAY_LEN(rows));
    steer_prober_stop(prober);
    origin_stop(origin);
    recorder_fini(&recorder);
}

static void request_of(struct origin *origin, const struct steer_probe_target *target,
                       char *request, size_t size)
{
    struct recorder recorder;
    struct steer_prober *prober = recorder_start(&recorder, 0, NULL);
    steer_prober_put(prober, target);
    assert_int_equal(recorder_wait(&recorder, target->key, 1).passes, 1);
    steer_prober_stop(prober);
    recorder_fini(&recorder);
    pthread_mutex_lock(&origin->mutex);
    snprintf(request, size, "%s", origin->last_request);
    pthread_mutex_unlock(&origin->mutex);
}

static void the_host_is_sent_as_configured(void **unused)
{
    (void)unused;
    struct origin *origin = origin_start(AF_INET);
    char request[2048], wanted[64];
    struct steer_probe_target target = loopback_target(1, HTTP, origin->port, "/200");
    // Proxies of the environment are not for probes.
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1/", 1), 0);
    request_of(origin, &target, request, sizeof request);
    snprintf(wanted, sizeof wanted, "\r\nHost: 127.0.0.1:%u\r\n", origin->port);
    assert_non_null(strstr(request, wanted));
    assert_non_null(strstr(request, "GET /200 HTTP/1.1\r\n"));
    target.host = "api.example.com";
    target.method = "POST";
    request_of(origin, &target, request, sizeof request);
    assert_non_null(strstr(request, "\r\nHost: api.example.com\r\n"));
    assert_non_null(strstr(request, "POST /200 HTTP/1.1\r\n"));
    assert_non_null(strstr(request, "\r\nContent-Length: 0\r\n"));
    assert_int_equal(unsetenv("http_proxy"), 0);
    origin_stop(origin);
}

static void ipv6_endpoints_are_probed(void **unused)
{
    (void)unused;
    struct origin *origin = origin_start(AF_INET6);
    if (!origin)
        skip();
    struct recorder recorder;
    struct steer_prober *prober = recorder_start(&recorder, 0, NULL);
    for (uint64_t key = 1; key <= 3; key++) {
        struct steer_probe_target target =
            loopback_target(key, key == 3 ? TCP : HTTP, origin->port, "/200");
        assert_true(steer_addr_parse("::1", &target.addr));
        target.host = key == 2 ? "2001:db8::1" : NULL;
        steer_prober_put(prober, &target);
    }
    for (uint64_t key = 1; key <= 3; key++) {
        struct record record = recorder_wait(&recorder, key, 1);
        if (!record.passes)
            fail_msg("key %u: %s", (unsigned)key, record.reason);
    }
    steer_prober_stop(prober);
    recorder_fini(&recorder);
    origin_stop(origin);
}

// A full backlog leaves the handshake without an answer, as a filtered port does.
static void a_silent_port_times_out(void **unused)
{
    (void)unused;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fillers[8];
    assert_int_equal(bind(listener, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&in, &len), 0);
    for (size_t i = 0; i < STEER_ARRAY_LEN(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&in, sizeof in);
    }
    struct recorder recorder;
    struct steer_prober *prober = recorder_start(&recorder, 0, NULL);
    for (uint64_t key = 0; key < 2; key++) {
        struct steer_probe_target target =
            loopback_target(key, key ? HTTP : TCP, ntohs(in.sin_port), "/200");
        target.timeout_ms = 200;
        steer_prober_put(prober, &target);
    }
    struct record record = recorder_wait(&recorder, 0, 1);
    assert_string_equal(record.reason, "timed out after 200 ms");
    record = recorder_wait(&recorder, 1, 1);
    assert_string_equal(record.reason, "timed out after 200 ms while connecting");
    steer_prober_stop(prober);
    recorder_fini(&recorder);
    for (size_t i = 0; i < STEER_ARRAY_LEN(fillers); i++)
        close(fillers[i]);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_behaviour_gets_its_result_and_reason),
        cmocka_unit_test(the_host_is_sent_as_configured),
        cmocka_unit_test(ipv6_endpoints_are_probed),
        cmocka_unit_test(a_silent_port_times_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
