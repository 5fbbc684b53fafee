// SPDX-License-Identifier: GPL-3.0-or-later
// What a change does to a steered record: who gets what before and after it, what moves, and what each single failure
// would do (steering.md, "explain, plan, assert"). Floor 3. Pure; one thread.
//
// Equal residuals are evaluated once for all records of both sides: their objects tell them apart, and both sides are
// seen with the same overrides and with checks up.
#ifndef STEERD_POLICY_IMPACT_H
#define STEERD_POLICY_IMPACT_H

#include "steerd/policy/judge.h"

struct steer_impact;
// base: overrides hold as it has them. Both must outlive it.
struct steer_impact *steer_impact_create(const struct steer_geo *geo,
                                         const struct steer_view *base);
// NULL is accepted.
void steer_impact_destroy(struct steer_impact *impact);

// One record in one catalogue; NULL where it is not there.
struct steer_impact_side {
    const struct steer_catalog *catalog;
    const struct steer_object *steered;
};

struct steer_impact_how {
    bool all; // also shares that stay
    bool
        brief; // for plans of many records: no shares by place, of failures only those that end in serve_all or NODATA
               // and without their moves
    const struct steer_population
        *askers; // whom shares are of, over the same geo data; NULL: addresses and /48s
};

// {"record","document","changed":bool,
//  "types":[{"type","as"}], those that it gives; what is said of the type that one is "as" holds for it too,
//  "shares":[{"type","clients":"ipv4|ipv6","place":absent, "EU", "EU-DE" or "NA-US-CA","kind":"endpoint|pool|site|none",
//             "name","before":"9/10","after":"1/2","before_percent","after_percent"}],
//  "by_country":[{"type","places":["EU-DE",..],"shares":[{"kind","name","before","after",..}]}], of countries whose clients
//             all get the same; the others stand in "shares". Subdivisions are told where the record tells them apart,
//  "moves":[{"type","clients","from","to","share","percent","place_count","places":[{"place","rest","share","percent"}]}],
//             the places who move most; "rest": true are those of a country in none of its subdivisions that count,
//  "failures":[{"kind":"endpoint|site","name","type","clients","serve_all","nodata" (percent),"serve_all_before",
//               "nodata_before","client" (one of those who come to that),"moves":[{"from","to","share","percent"}]}],
//  "warnings":["..."]}
// Shares are of the clients of a family; those by place, of the clients there. A sticky record has those of its slots.
// Of shares only what differs, unless all. "none" gives no endpoint: "a fixed answer" or "no record".
// Errors: STEER_ELIMIT with diag.
enum steer_err steer_impact_of(struct steer_impact *impact, const struct steer_impact_side *before,
                               const struct steer_impact_side *after,
                               const struct steer_impact_how *how, json_t **out,
                               struct steer_diag *diag) STEER_MUST_USE;

#endif
