// SPDX-License-Identifier: GPL-3.0-or-later
// "What if": a view of health that differs from another one as plan, assertions and explain ask. Floor 3. Pure.
#ifndef STEERD_POLICY_HYPOTHESIS_H
#define STEERD_POLICY_HYPOTHESIS_H

#include "steerd/policy/decide.h"

// An endpoint, all endpoints of a site, or a pool.
struct steer_down {
    enum steer_kind kind;
    const char *name;
};

struct steer_hypothesis {
    const struct steer_view *base; // overrides and drains hold as it has them
    bool checks_up;                // verdicts of checks read as up
    // Down whatever checks and overrides say, as by failing checks: serve_all reads endpoints as up again. A pool is
    // down as by an override.
    const struct steer_down *down;
    size_t down_count;
    struct steer_view view;
};
// down is the caller's, may change between evaluations, and must outlive the view.
void steer_hypothesis_init(struct steer_hypothesis *h, const struct steer_view *base,
                           bool checks_up, const struct steer_down *down, size_t down_count);

#endif
