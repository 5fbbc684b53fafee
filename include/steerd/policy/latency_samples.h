// SPDX-License-Identifier: GPL-3.0-or-later
// A batch of measurements as clients and collectors send them. Floor 3. Pure: text in, values out; any thread.
#ifndef STEERD_POLICY_LATENCY_SAMPLES_H
#define STEERD_POLICY_LATENCY_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#include "steerd/base/addr.h"

enum { STEER_SAMPLES_MAX = 1000, STEER_SAMPLE_SITE_MAX = 63, STEER_SAMPLE_REASON_MAX = 200 };

struct steer_latency_sample {
    uint32_t index;             // in the batch, from 0
    struct steer_prefix client; // an address, or a network; IPv4 in IPv6 is IPv4
    uint32_t rtt_us;            // 1 us to 10 s
    char site[STEER_SAMPLE_SITE_MAX + 1];
};
struct steer_sample_refusal {
    uint32_t index;
    char reason[STEER_SAMPLE_REASON_MAX];
};
// Together as many as the batch has rows.
struct steer_latency_batch {
    struct steer_latency_sample *samples;
    size_t count;
    struct steer_sample_refusal *refusals; // in order of index
    size_t refusal_count, refusal_cap;
};

// {"client": "192.0.2.7", "samples": [{"client": "192.0.2.7", "site": "fra", "ms": 12.5}, ...]}. The outer client is of
// the rows without one. client: whoever sent the batch, if that is known from elsewhere; the text may name none then.
// A faulty row is a refusal; a faulty batch is an error, and there is nothing to fini: STEER_EINVAL (with line and
// column when it is not JSON), STEER_ELIMIT (too many rows).
enum steer_err steer_latency_batch_parse(const char *text, size_t len, const char *client,
                                         struct steer_latency_batch *batch,
                                         struct steer_diag *diag) STEER_MUST_USE;
void steer_latency_batch_fini(struct steer_latency_batch *batch);
// For what turns up later, such as an unknown site.
void steer_latency_batch_refuse(struct steer_latency_batch *batch, uint32_t index, const char *fmt,
                                ...) STEER_PRINTF(3, 4);

#endif
