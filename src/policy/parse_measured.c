// SPDX-License-Identifier: GPL-3.0-or-later
// `measured` of a latency table: how samples become rows.
#include "policy_internal.h"

enum {
    MINUTE_MS = 60 * 1000,
    HOUR_MS = 60 * MINUTE_MS,
    DAY_MS = 24 * HOUR_MS,
    FREEZE_DEFAULT_MS = HOUR_MS,
    STEP_DEFAULT_MS = 5,
    STEP_MAX_MS = 1000,
    V4_MIN = 8,
    V4_LEN = 24,
    V6_MIN = 16,
    V6_LEN = 48,
    V6_MAX = 56,
    MIN_SAMPLES = 10,
    MAX_SAMPLES = 100,
    MAX_ESTIMATES = 100000,
    ESTIMATES_LIMIT = 1000000,
};

// {v4: 24, v6: 48}: never so long that a network is one household or person.
static void parse_networks(struct steer_parse *p, const struct steer_item *measured,
                           struct steer_measuring *m)
{
    static const char *const keys[] = {"v4", "v6"};
    static const struct steer_shape shape = {.what = "'networks'",
                                             .example = "{v4: 24, v6: 48}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_item networks;
    m->v4_len = V4_LEN;
    m->v6_len = V6_LEN;
    if (!steer_doc_find(p, measured, "networks", &networks) ||
        !steer_doc_keys(p, &networks, &shape))
        return;
    m->v4_len = (uint8_t)steer_doc_uint(p, &networks, "v4", V4_MIN, V4_LEN, V4_LEN);
    m->v6_len = (uint8_t)steer_doc_uint(p, &networks, "v6", V6_MIN, V6_MAX, V6_LEN);
}

const struct steer_measuring *steer_parse_measuring(struct steer_parse *p,
                                                    const struct steer_item *item)
{
    static const char *const keys[] = {"freeze",      "half_life", "step",        "hysteresis",
                                       "min_samples", "networks",  "max_samples", "max_estimates"};
    static const struct steer_shape shape = {.what = "'measured'",
                                             .example = "{freeze: 1h, half_life: 1d, step: 5ms}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_measuring *m = steer_arena_calloc(p->arena, sizeof *m);
    struct steer_item given;
    if (!steer_doc_keys(p, item, &shape))
        return m;
    const uint64_t step_ms = steer_doc_duration(p, item, "step", 1, STEP_MAX_MS, STEP_DEFAULT_MS);
    m->freeze_s = (uint32_t)(steer_doc_duration(p, item, "freeze", MINUTE_MS, 7 * (uint64_t)DAY_MS,
                                                FREEZE_DEFAULT_MS) /
                             1000);
    m->half_life_s = (uint32_t)(steer_doc_duration(p, item, "half_life", MINUTE_MS,
                                                   90 * (uint64_t)DAY_MS, DAY_MS) /
                                1000);
    m->step_us = (uint32_t)step_ms * 1000;
    m->hysteresis_us = m->step_us / 2;
    if (steer_doc_find(p, item, "hysteresis", &given))
        m->hysteresis_us = (uint32_t)steer_value_duration(p, &given, 0, STEP_MAX_MS) * 1000;
    m->min_samples = (uint32_t)steer_doc_uint(p, item, "min_samples", 1, 1000000, MIN_SAMPLES);
    m->max_samples = (uint32_t)steer_doc_uint(p, item, "max_samples", 1, 1000000, MAX_SAMPLES);
    m->max_estimates =
        (uint32_t)steer_doc_uint(p, item, "max_estimates", 100, ESTIMATES_LIMIT, MAX_ESTIMATES);
    parse_networks(p, item, m);
    return m;
}
