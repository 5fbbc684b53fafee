// SPDX-License-Identifier: GPL-3.0-or-later
// From estimates to the rows of the next frozen table: rounded, with hysteresis, and only those that say something.
// Floor 2. Pure. docs/decisions/0121.
#ifndef STEERD_GEO_FREEZE_H
#define STEERD_GEO_FREEZE_H

#include "steerd/geo/estimate.h"

struct steer_freeze {
    const struct steer_estimates *estimates;
    const struct steer_latency *uploaded; // what stands below the frozen rows; may be NULL
    const struct steer_latency *frozen;   // as frozen last; NULL: never
    const struct steer_geo *geo;
    uint64_t now_unix_s;
    uint32_t step_us;
    uint32_t hysteresis_us; // a value moves when the estimate is so far beyond half a step from it
    double min_weight;      // of a new row; one that stands stays down to half of it
    void (*pause)(void *ctx); // called between the steps, for what cannot wait; may be NULL
    void *ctx;
};

// The caller owns the result.
struct steer_latency *steer_latency_freeze(const struct steer_freeze *freeze);

#endif
