// SPDX-License-Identifier: GPL-3.0-or-later
// What is legal in a zone and yet looks like a mistake, or may surprise. Floor 3. Pure; any thread.
#ifndef STEERD_ZONE_REVIEW_H
#define STEERD_ZONE_REVIEW_H

#include "steerd/zone/zone.h"

struct steer_finding {
    const uint8_t *owner; // borrowed, as all of it
    uint16_t type;        // of the record that it is about
    const uint8_t *rdata; // NULL: the whole RRset
    uint16_t rdata_len;
    const char *what; // one sentence without the owner
};

// Calls `find` for each finding, in no particular order: NS, MX and SRV whose target is an alias, does not exist in the
// zone or has no address, looks like an address, or is no host name; owners of addresses and MX that are no host
// names; delegations at wildcards; no NS at the apex; data below a DNAME; a serial of 0 and timers that contradict each other; a negative
// TTL over an hour; a single MX; SPF over ten look-ups (its own and those of records in the zone that it includes) or twice; names with A and no AAAA (once for the
// zone). `before` (may be NULL) is the zone's present version, whose steered records will be in the next.
void steer_zone_review(const struct steer_zone *zone, const struct steer_zone *before,
                       void (*find)(void *ctx, const struct steer_finding *finding), void *ctx);
// The same of one static RRset, and no look at what else the owner has.
void steer_zone_review_rrset(const struct steer_zone *zone, const uint8_t *owner, uint16_t type,
                             void (*find)(void *ctx, const struct steer_finding *finding),
                             void *ctx);

#endif
