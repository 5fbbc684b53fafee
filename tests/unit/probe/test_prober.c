// SPDX-License-Identifier: GPL-3.0-or-later
// The schedule: when probes start, how many at once, and when they stop.
#include "support/origin.h"

#include <dirent.h>

#include "recorder.h"

static struct steer_prober_stats stats_of(struct steer_prober *prober)
{
    struct steer_prober_stats stats;
    steer_prober_stats(prober, &stats);
    return stats;
}

static void wait_in_flight(struct steer_prober *prober, uint64_t wanted)
{
    uint64_t until_ns = steer_clock_mono_ns() + RECORDER_WAIT_S * STEER_NS_PER_S;
    while (stats_of(prober).in_flight != wanted) {
        if (steer_clock_mono_ns() > until_ns)
            fail_msg("%u in flight", (unsigned)stats_of(prober).in_flight);
        sched_yield();
    }
}

static struct steer_probe_target target_at(uint64_t key, const struct origin *origin,
                                           const char *path, uint32_t interval_ms)
{
    struct steer_probe_target target = loopback_target(key, STEER_PROBE_HTTP, origin->port, path);
    target.interval_ms = target.timeout_ms = interval_ms;
    return target;
}

// Returns once everything put or removed before has been applied and `ms` have passed.
static void let_pass(struct steer_prober *prober, struct recorder *recorder,
                     const struct origin *origin, uint32_t ms)
{
    static uint64_t key = 100;
    struct steer_probe_target marker = target_at(++key, origin, "/200", ms < 50 ? ms : 50);
    steer_prober_put(prober, &marker);
    recorder_wait(recorder, key, 1 + ms / marker.interval_ms);
    steer_prober_remove(prober, key);
}

static void many_targets_spread_over_their_interval(void **unused)
{
    (void)unused;
    enum { TARGETS = 30, INTERVAL_MS = 3000 };
    struct recorder recorder;
    struct steer_prober *prober = recorder_start(&recorder, 0, NULL);
    struct origin *origin = origin_start(AF_INET);
    for (uint64_t key = 1; key <= TARGETS; key++) {
        struct steer_probe_target target = target_at(key, origin, "/200", INTERVAL_MS);
        steer_prober_put(prober, &target);
    }
    unsigned thirds[3] = {0};
    for (uint64_t key = 1; key <= TARGETS; key++) {
        struct record record = recorder_wait(&recorder, key, 2);
        uint64_t ms = (record.last_ns - record.first_ns) / STEER_NS_PER_MS;
        ms -= (record.count - 2) * (uint64_t)INTERVAL_MS; // results after the second one
        thirds[ms * 3 / INTERVAL_MS < 3 ? ms * 3 / INTERVAL_MS : 2]++;
    }
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(thirds[i], 4, 20);
    steer_prober_stop(prober);
    origin_stop(origin);
    recorder_fini(&recorder);
}

static void probes_come_each_interval_without_drift(void **unused)
{
    (void)unused;
    struct recorder recorder;
    struct steer_prober *prober = recorder_start(&recorder, 0, NULL);
    struct origin *origin = origin_start(AF_INET);
    struct steer_probe_target target = target_at(1, origin, "/slow", 100);
    target.timeout_ms = 90; // counted from its end, an interval would be 190 ms
    steer_prober_put(prober, &target);
    // A busy machine makes some of them late, and with drift not one would be in time.
    struct record record = recorder_wait(&recorder, 1, 1);
    uint64_t least_ms = UINT64_MAX;
    for (unsigned i = 2; i <= 11; i++) {
        const struct record before = record;
        record = recorder_wait(&recorder, 1, i);
        const unsigned more = record.count - before.count;
        const uint64_t ms = (record.last_ns - before.last_ns) / STEER_NS_PER_MS;
        if (more && ms / more < least_ms)
            least_ms = ms / more;
    }
    assert_true(least_ms < 150);
    assert_true(record.last_ns - record.first_ns >= 950 * STEER_NS_PER_MS); // ten intervals
    steer_prober_stop(prober);
    origin_stop(origin);
    recorder_fini(&recorder);
}

static void probes_of_one_target_never_overlap(void **unused)
{
    (void)unused;
    struct recorder recorder;
    struct steer_prober *prober = recorder_start(&recorder, 0, NULL);
    struct origin *origin = origin_start(AF_INET);
    struct steer_probe_target target = target_at(1, origin, "/slow", 30);
    steer_prober_put(prober, &target);
    recorder_wait(&recorder, 1, 8);
    assert_int_equal(origin->max_open, 1);
    steer_prober_stop(prober);
    origin_stop(origin);
    recorder_fini(&recorder);
}

static void no_more_than_the_bound_are_in_flight(void **unused)
{
    (void)unused;
    struct recorder recorder;
    struct steer_prober *prober = recorder_start(&recorder, 3, NULL);
    struct origin *origin = origin_start(AF_INET);
    for (uint64_t key = 0; key < 20; key++) {
        struct steer_probe_target target = target_at(key, origin, "/slow", 60000);
        target.timeout_ms = 250;
        steer_prober_put(prober, &target);
    }
    for (uint64_t key = 0; key < 20; key++)
        recorder_wait(&recorder, key, 1);
    struct steer_prober_stats stats = stats_of(prober);
    assert_int_equal(origin->max_open, 3);
    assert_true(stats.late > 0);
    assert_int_equal(stats.started, 20);
    assert_int_equal(stats.failed, 20);
    steer_prober_stop(prober);
    origin_stop(origin);
    recorder_fini(&recorder);
}

static void a_waiting_target_can_be_removed(void **unused)
{
    (void)unused;
    struct recorder recorder;
    struct steer_prober *prober = recorder_start(&recorder, 1, NULL);
    struct origin *origin = origin_start(AF_INET);
    struct steer_probe_target blocker = target_at(1, origin, "/slow", 60000);
    steer_prober_put(prober, &blocker);
    wait_in_flight(prober, 1);
    struct steer_probe_target waiter = target_at(2, origin, "/200", 60000);
    steer_prober_put(prober, &waiter);
    while (stats_of(prober).late == 0)
        sched_yield();
    steer_prober_remove(prober, 2);
    steer_prober_remove(prober, 1);
    let_pass(prober, &recorder, origin, 20);
    assert_int_equal(recorder_get(&recorder, 1).count, 0);
    assert_int_equal(recorder_get(&recorder, 2).count, 0);
    steer_prober_stop(prober);
    origin_stop(origin);
    recorder_fini(&recorder);
}

// A removal takes effect on the probe thread.
static void wait_targets(struct steer_prober *prober, uint64_t count)
{
    while (stats_of(prober).targets != count)
        sched_yield();
}

static void a_removed_target_is_heard_of_no_more(void **unused)
{
    (void)unused;
    struct recorder recorder;
    struct steer_prober *prober = recorder_start(&recorder, 0, NULL);
    struct origin *origin = origin_start(AF_INET);
    struct steer_probe_target quick = target_at(1, origin, "/200", 20);
    struct steer_probe_target slow = target_at(2, origin, "/slow", 60000);
    slow.timeout_ms = 2000;
    steer_prober_put(prober, &quick);
    steer_prober_put(prober, &slow);
    recorder_wait(&recorder, 1, 3);
    steer_prober_remove(prober, 1);
    wait_targets(prober, 1);
    wait_in_flight(prober, 1); // the slow one alone
    steer_prober_remove(prober, 2);
    steer_prober_remove(prober, 3); // never heard of: nothing happens
    wait_targets(prober, 0);
    wait_in_flight(prober, 0);
    unsigned count = recorder_get(&recorder, 1).count;
    let_pass(prober, &recorder, origin, 200);
    assert_int_equal(recorder_get(&recorder, 1).count, count);
    assert_int_equal(recorder_get(&recorder, 2).count, 0);
    steer_prober_stop(prober);
    origin_stop(origin);
    recorder_fini(&recorder);
}

static void only_different_content_restarts_a_target(void **unused)
{
    (void)unused;
    struct recorder recorder;
    struct steer_prober *prober = recorder_start(&recorder, 0, NULL);
    struct origin *origin = origin_start(AF_INET);
    struct steer_probe_target target = target_at(1, origin, "/200", 60000);
    char path[] = "/200";
    steer_prober_put(prober, &target);
    recorder_wait(&recorder, 1, 1);
    target.path = path; // other memory, same text
    target.method = "GET";
    target.status_min = 200;
    target.status_max = 399; // the defaults, spelled out
    for (unsigned i = 0; i < 5; i++)
        steer_prober_put(prober, &target);
    let_pass(prober, &recorder, origin, 1100); // a restarted target is probed within a second
    assert_int_equal(recorder_get(&recorder, 1).count, 1);
    target.path = "/503";
    steer_prober_put(prober, &target);
    struct record record = recorder_wait(&recorder, 1, 2);
    assert_string_equal(record.reason, "status 503, wanted 200-399");
    steer_prober_stop(prober);
    origin_stop(origin);
    recorder_fini(&recorder);
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void stopping_with_probes_in_flight_is_prompt_and_clean(void **unused)
{
    (void)unused;
    struct origin *origin = origin_start(AF_INET);
    unsigned before = open_descriptors();
    struct recorder recorder;
    struct steer_prober *prober = recorder_start(&recorder, 40, NULL);
    for (uint64_t key = 0; key < 60; key++) {
        struct steer_probe_target target = target_at(key, origin, "/slow", 60000);
        steer_prober_put(prober, &target);
    }
    wait_in_flight(prober, 40);
    uint64_t start_ns = steer_clock_mono_ns();
    steer_prober_stop(prober);
    assert_true(steer_clock_mono_ns() - start_ns < 2 * STEER_NS_PER_S);
    for (uint64_t key = 0; key < 60; key++)
        assert_int_equal(recorder_get(&recorder, key).count, 0);
    recorder_fini(&recorder);
    origin_stop(origin); // a listener and two ends of a pipe
    assert_int_equal(open_descriptors(), before - 3);
}

// The report function may change the targets.
static struct steer_prober *chained;
static void report_and_remove(void *ctx, const struct steer_probe_result *result)
{
    if (result->key == 1)
        steer_prober_remove(chained, result->key);
    recorder_report(ctx, result);
}

static void a_report_may_call_back(void **unused)
{
    (void)unused;
    struct recorder recorder;
    recorder_init(&recorder);
    struct steer_prober_options options = {.report = report_and_remove, .ctx = &recorder};
    assert_int_equal(steer_prober_start(&options, &chained, NULL), STEER_OK);
    struct origin *origin = origin_start(AF_INET);
    struct steer_probe_target target = target_at(1, origin, "/200", 20);
    steer_prober_put(chained, &target);
    recorder_wait(&recorder, 1, 1);
    let_pass(chained, &recorder, origin, 20);
    assert_int_equal(recorder_get(&recorder, 1).count, 1);
    steer_prober_stop(chained);
    origin_stop(origin);
    recorder_fini(&recorder);
}

static void a_missing_ca_file_is_told(void **unused)
{
    (void)unused;
    struct steer_prober_options options = {.ca_file = "/nonexistent/ca.pem",
                                           .report = recorder_report};
    struct steer_prober *prober = NULL;
    struct steer_diag diag;
    assert_int_equal(steer_prober_start(&options, &prober, &diag), STEER_EIO);
    assert_string_equal(diag.message,
                        "cannot read the CA file '/nonexistent/ca.pem': No such file or directory");
    assert_null(prober);
    steer_prober_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_targets_spread_over_their_interval),
        cmocka_unit_test(probes_come_each_interval_without_drift),
        cmocka_unit_test(probes_of_one_target_never_overlap),
        cmocka_unit_test(no_more_than_the_bound_are_in_flight),
        cmocka_unit_test(a_waiting_target_can_be_removed),
        cmocka_unit_test(a_removed_target_is_heard_of_no_more),
        cmocka_unit_test(only_different_content_restarts_a_target),
        cmocka_unit_test(stopping_with_probes_in_flight_is_prompt_and_clean),
        cmocka_unit_test(a_report_may_call_back),
        cmocka_unit_test(a_missing_ca_file_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
