// SPDX-License-Identifier: GPL-3.0-or-later
// Collects a prober's results by key and waits for them.
#ifndef STEERD_TEST_RECORDER_H
#define STEERD_TEST_RECORDER_H

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "steerd/base/clock.h"
#include "steerd/base/mem.h"
#include "steerd/probe/probe.h"

#define RECORDER_KEYS 128
#define RECORDER_WAIT_S                                                                            \
    20 // far more than any of it takes; what is waited for comes or the test fails

struct record {
    unsigned count, passes;
    uint64_t first_ns, last_ns;
    char reason[256];
};

struct recorder {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct record records[RECORDER_KEYS];
};

static void recorder_init(struct recorder *recorder)
{
    memset(recorder, 0, sizeof *recorder);
    pthread_mutex_init(&recorder->mutex, NULL);
    pthread_cond_init(&recorder->changed, NULL);
}

static void recorder_fini(struct recorder *recorder)
{
    pthread_cond_destroy(&recorder->changed);
    pthread_mutex_destroy(&recorder->mutex);
}

static void recorder_report(void *ctx, const struct steer_probe_result *result)
{
    struct recorder *recorder = ctx;
    pthread_mutex_lock(&recorder->mutex);
    struct record *record = &recorder->records[result->key];
    record->last_ns = steer_clock_mono_ns();
    if (!record->count++)
        record->first_ns = record->last_ns;
    record->passes += result->pass;
    snprintf(record->reason, sizeof record->reason, "%s", result->reason);
    pthread_cond_broadcast(&recorder->changed);
    pthread_mutex_unlock(&recorder->mutex);
}

static inline struct record recorder_get(struct recorder *recorder, uint64_t key)
{
    pthread_mutex_lock(&recorder->mutex);
    struct record record = recorder->records[key];
    pthread_mutex_unlock(&recorder->mutex);
    return record;
}

// The record once it holds at least `count` results.
static inline struct record recorder_wait(struct recorder *recorder, uint64_t key, unsigned count)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RECORDER_WAIT_S;
    pthread_mutex_lock(&recorder->mutex);
    int error = 0;
    while (recorder->records[key].count < count && !error)
        error = pthread_cond_timedwait(&recorder->changed, &recorder->mutex, &until);
    struct record record = recorder->records[key];
    pthread_mutex_unlock(&recorder->mutex);
    if (error)
        fail_msg("key %u: %u results of %u came", (unsigned)key, record.count, count);
    return record;
}

static struct steer_prober *recorder_start(struct recorder *recorder, uint32_t max_in_flight,
                                           const char *ca_file)
{
    struct steer_prober_options options = {.max_in_flight = max_in_flight,
                                           .ca_file = ca_file,
                                           .seed = 42,
                                           .report = recorder_report,
                                           .ctx = recorder};
    struct steer_prober *prober = NULL;
    struct steer_diag diag;
    recorder_init(recorder);
    if (steer_prober_start(&options, &prober, &diag) != STEER_OK)
        fail_msg("%s", diag.message);
    return prober;
}

static inline struct steer_probe_target loopback_target(uint64_t key, enum steer_probe_kind kind,
                                                        uint16_t port, const char *path)
{
    struct steer_probe_target target = {.key = key,
                                        .kind = kind,
                                        .port = port,
                                        .interval_ms = 60000,
                                        .timeout_ms = 10000,
                                        .path = path,
                                        .verify = true};
    assert_true(steer_addr_parse("127.0.0.1", &target.addr));
    return target;
}

#endif
