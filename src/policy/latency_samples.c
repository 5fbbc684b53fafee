// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/policy/latency_samples.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_internal.h"
#include "steerd/base/mem.h"
#include "steerd/geo/classmap.h"
#include "steerd/geo/estimate.h"

void steer_latency_batch_refuse(struct steer_latency_batch *batch, uint32_t index, const char *fmt,
                                ...)
{
    va_list args;
    batch->refusals = steer_grow(batch->refusals, &batch->refusal_cap, batch->refusal_count + 1,
                                 sizeof *batch->refusals);
    struct steer_sample_refusal *r = &batch->refusals[batch->refusal_count++];
    r->index = index;
    va_start(args, fmt);
    vsnprintf(r->reason, sizeof r->reason, fmt, args);
    va_end(args);
    steer_message_clean(r->reason);
}

// ---- a client ------------------------------------------------------------------------------------

// IPv4 inside IPv6 is looked up as IPv4, and a row of the IPv6 network that holds it would be no row. Proxies log the IPv4
// clients of an IPv6 socket so, too.
static void unwrap(struct steer_prefix *p)
{
    struct steer_prefix v4;
    unsigned offset;
    if (!steer_addr_embedded_v4(&p->addr, &v4.addr, &offset) || p->len < offset)
        return;
    v4.len = (uint8_t)(p->len - offset < 32 ? p->len - offset : 32);
    steer_addr_mask(&v4.addr, v4.len);
    *p = v4;
}

// Addresses that no client on another machine has (RFC 6890), or NULL. Private networks may be steered.
static const char *never_a_client(const struct steer_prefix *p)
{
    static const uint8_t zero[16];
    const uint8_t *o = p->addr.octets;
    const bool v4 = p->addr.family == STEER_V4;
    if (v4 ? o[0] == 0 : memcmp(o, zero, 16) == 0)
        return "unspecified";
    if (v4 ? o[0] == 127 : memcmp(o, zero, 15) == 0 && o[15] == 1)
        return "a loopback address";
    if (v4 ? o[0] == 169 && o[1] == 254 : o[0] == 0xfe && (o[1] & 0xc0) == 0x80)
        return "a link-local address";
    if (v4 ? o[0] >= 224 : o[0] == 0xff)
        return "not a unicast address";
    return NULL;
}

// Why it cannot be a client, into reason; false: it can.
static bool is_faulty_client(const char *text, struct steer_prefix *client, char *reason,
                             size_t size)
{
    bool host_bits = false;
    char instead[64];
    if (!steer_prefix_parse(text, client, &host_bits) && !host_bits) {
        snprintf(reason, size, "'%.50s' is not an address or a network, like 192.0.2.7", text);
        return true;
    }
    unwrap(client);
    if (steer_prefix_in_embedding(client, instead)) {
        snprintf(reason, size, "'%.50s' holds IPv4 inside IPv6: give %.63s", text, instead);
        return true;
    }
    const char *what = never_a_client(client);
    if (what)
        snprintf(reason, size, "'%.50s' is %s and cannot be a client", text, what);
    return what != NULL;
}

// ---- a row ---------------------------------------------------------------------------------------

struct reading {
    struct steer_latency_batch *batch;
    struct steer_prefix client; // of rows without one
    bool has_client, is_told;   // told by who handed the batch on
};

// A member that nobody knows, or NULL.
static const char *unknown_member(json_t *object, const char *const *known, size_t count)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        size_t i = 0;
        while (i < count && strcmp(known[i], key) != 0)
            i++;
        if (i == count)
            return key;
    }
    return NULL;
}

// What is wrong with the client of a row.
static bool is_faulty_row_client(const struct reading *r, const json_t *row,
                                 struct steer_prefix *client, char *reason, size_t size)
{
    const json_t *given = json_object_get(row, "client");
    *client = r->client;
    if (given && r->is_told)
        snprintf(reason, size, "'client' is not accepted here: whoever sent the batch is it");
    else if (given && json_is_string(given))
        return is_faulty_client(json_string_value(given), client, reason, size);
    else if (given)
        snprintf(reason, size, "'client' must be a string, like \"192.0.2.7\"");
    else if (!r->has_client)
        snprintf(reason, size, "'client' is missing");
    else
        return false;
    return true;
}

static void read_row(struct reading *r, uint32_t index, json_t *row)
{
    static const char *const known[] = {"client", "site", "ms"};
    struct steer_latency_sample sample = {.index = index};
    struct steer_latency_batch *batch = r->batch;
    char reason[STEER_SAMPLE_REASON_MAX];
    if (!json_is_object(row)) {
        steer_latency_batch_refuse(batch, index, "a sample must be {\"site\", \"ms\"}");
        return;
    }
    const char *unknown = unknown_member(row, known, STEER_ARRAY_LEN(known));
    const char *site = json_string_value(json_object_get(row, "site"));
    const json_t *time = json_object_get(row, "ms");
    const double ms = json_number_value(time);
    if (unknown)
        steer_latency_batch_refuse(batch, index, "unknown member '%.60s'", unknown);
    else if (!site || !steer_name_text_valid(site))
        steer_latency_batch_refuse(batch, index, "'site' must be the name of a site");
    else if (!json_is_number(time))
        steer_latency_batch_refuse(batch, index, "'ms' must be a number of milliseconds");
    else if (!(ms > 0 && ms <= STEER_ESTIMATE_MAX_US / 1000.0))
        steer_latency_batch_refuse(batch, index, "'ms' must be above 0 and at most %d, not %.6g",
                                   STEER_ESTIMATE_MAX_US / 1000, ms);
    else if (is_faulty_row_client(r, row, &sample.client, reason, sizeof reason))
        steer_latency_batch_refuse(batch, index, "%s", reason);
    else {
        sample.rtt_us = (uint32_t)fmax(1, round(ms * 1000));
        snprintf(sample.site, sizeof sample.site, "%s", site);
        batch->samples[batch->count++] = sample;
    }
}

// ---- the batch -----------------------------------------------------------------------------------

static enum steer_err read_head(struct reading *r, json_t *root, const char *client,
                                struct steer_diag *diag)
{
    static const char *const known[] = {"client", "samples"};
    char reason[STEER_SAMPLE_REASON_MAX];
    if (!json_is_object(root))
        return steer_diag_set(diag, STEER_EINVAL, "a batch must be {\"samples\": [..]}");
    const char *unknown = unknown_member(root, known, STEER_ARRAY_LEN(known));
    const json_t *given = json_object_get(root, "client");
    const json_t *samples = json_object_get(root, "samples");
    if (unknown)
        return steer_diag_set(diag, STEER_EINVAL,
                              "unknown member '%.60s'; known are client, samples", unknown);
    if (!json_is_array(samples) || !json_array_size(samples))
        return steer_diag_set(diag, STEER_EINVAL,
                              "'samples' must be a list of {\"client\", \"site\", \"ms\"}");
    if (json_array_size(samples) > STEER_SAMPLES_MAX)
        return steer_diag_set(diag, STEER_ELIMIT, "%zu samples in one batch; at most %d",
                              json_array_size(samples), STEER_SAMPLES_MAX);
    if (given && client)
        return steer_diag_set(diag, STEER_EINVAL,
                              "'client' is not accepted here: whoever sent the batch is it");
    if (given && !json_is_string(given))
        return steer_diag_set(diag, STEER_EINVAL, "'client' must be a string, like \"192.0.2.7\"");
    r->is_told = client != NULL;
    r->has_client = client || given;
    if (r->has_client && is_faulty_client(client ? client : json_string_value(given), &r->client,
                                          reason, sizeof reason))
        return steer_diag_set(diag, STEER_EINVAL, "client: %s", reason);
    return STEER_OK;
}

enum steer_err steer_latency_batch_parse(const char *text, size_t len, const char *client,
                                         struct steer_latency_batch *batch, struct steer_diag *diag)
{
    struct steer_latency_batch read = {0};
    struct reading r = {.batch = &read};
    json_error_t error;
    size_t i;
    json_t *row;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return steer_diag_at(diag, "", error.line > 0 ? (uint32_t)error.line : 1,
                             error.column > 0 ? (uint32_t)error.column : 1,
                             "the batch is not valid JSON: %s", error.text);
    enum steer_err err = read_head(&r, root, client, diag);
    if (err == STEER_OK) {
        const json_t *samples = json_object_get(root, "samples");
        read.samples = steer_calloc(json_array_size(samples), sizeof *read.samples);
        json_array_foreach(samples, i, row) read_row(&r, (uint32_t)i, row);
        *batch = read;
    }
    json_decref(root);
    if (err && diag)
        steer_message_clean(diag->message);
    return err;
}

void steer_latency_batch_fini(struct steer_latency_batch *batch)
{
    free(batch->samples);
    free(batch->refusals);
    *batch = (struct steer_latency_batch){0};
}
