// SPDX-License-Identifier: GPL-3.0-or-later
// Assertions judged: does what a document demands hold for a steered record (steering.md, "explain, plan, assert")?
// Floor 3. Pure. One thread, that of the residuals.
#ifndef STEERD_POLICY_JUDGE_H
#define STEERD_POLICY_JUDGE_H

#include "steerd/geo/population.h"
#include "steerd/policy/hypothesis.h"

enum { STEER_TYPES_MAX = 8 }; // RR types that steered records give

// Whether the assertion is about the steered record.
bool steer_assertion_covers(const struct steer_object *assertion,
                            const struct steer_object *steered);
// What a target names; NULL where the catalogue was not checked.
const struct steer_object *steer_target_find(const struct steer_catalog *catalog,
                                             const struct steer_target *target);
// Whether an endpoint is the target, in it (a pool), or at it (a site).
bool steer_target_holds(const struct steer_object *target, const struct steer_object *endpoint);

// Who proves that an assertion does not hold.
struct steer_breach {
    uint16_t type;
    struct steer_addr client; // one that gets what must not be
    char place[16];           // of that client
    enum steer_kind down_kind;
    char down[64];     // "": nothing is down
    char gets[256];    // what the client would get
    char message[640]; // all of it: "api.example.com. address: with site fra down, ..."
};

struct steer_judge;
// Judges with checks up and overrides as `base` has them; now: with checks as they are. Everything given must outlive
// the judge.
struct steer_judge *steer_judge_create(const struct steer_catalog *catalog,
                                       const struct steer_geo *geo,
                                       struct steer_residuals *residuals,
                                       const struct steer_view *base, bool now);
// NULL is accepted. Before the residuals that it was made with.
void steer_judge_destroy(struct steer_judge *judge);
// Does the assertion, which covers it, hold for the record? classes are the record's. If not, *breach says who proves it.
bool steer_judge_holds(struct steer_judge *judge, const struct steer_object *assertion,
                       const struct steer_object *steered, const struct steer_classes *classes,
                       struct steer_breach *breach);

// Whether the geo data have anybody whom the assertion is about.
bool steer_judge_meets(struct steer_judge *judge, const struct steer_object *assertion);

// "fra-1 90%, iad-1 10%", "no A record", "..., all checks read as up (serve_all)".
void steer_distribution_describe(const struct steer_distribution *d, uint16_t type, char *out,
                                 size_t size);

#endif
