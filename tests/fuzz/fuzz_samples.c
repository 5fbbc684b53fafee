// SPDX-License-Identifier: GPL-3.0-or-later
// links: policy
// Any octets are a batch of measurements, or one error. The first octet says whether the client is told from outside.
#include <stdlib.h>
#include <string.h>

#include "steerd/geo/estimate.h"
#include "steerd/policy/latency_samples.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct steer_latency_batch batch;
    struct steer_diag diag = {0};
    if (size == 0)
        return 0;
    const char *client = data[0] == '@' ? "192.0.2.7" : NULL;
    if (steer_latency_batch_parse((const char *)data + 1, size - 1, client, &batch, &diag)) {
        check(diag.message[0]);
        return 0;
    }
    check(batch.count + batch.refusal_count >= 1);
    check(batch.count + batch.refusal_count <= STEER_SAMPLES_MAX);
    for (size_t i = 0; i < batch.count; i++) {
        const struct steer_latency_sample *s = &batch.samples[i];
        struct steer_addr masked = s->client.addr;
        check(s->rtt_us >= 1 && s->rtt_us <= STEER_ESTIMATE_MAX_US);
        check(s->site[0] && strlen(s->site) <= STEER_SAMPLE_SITE_MAX);
        check(s->client.len <= steer_family_bits(s->client.addr.family));
        steer_addr_mask(&masked, s->client.len);
        check(steer_addr_equal(&masked, &s->client.addr));
        check(i == 0 || s->index > batch.samples[i - 1].index);
    }
    for (size_t i = 0; i < batch.refusal_count; i++)
        check(batch.refusals[i].reason[0]);
    steer_latency_batch_fini(&batch);
    return 0;
}
