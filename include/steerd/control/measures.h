// SPDX-License-Identifier: GPL-3.0-or-later
// What is known of latency tables that are measured: estimates, and when their next table is due. Floor 7. Pure: time
// is passed in; no thread, no store. Belongs to one thread. What was frozen stands in the catalogue's objects.
#ifndef STEERD_CONTROL_MEASURES_H
#define STEERD_CONTROL_MEASURES_H

#include "steerd/base/buf.h"
#include "steerd/geo/estimate.h"
#include "steerd/policy/latency_samples.h"
#include "steerd/policy/model.h"

struct steer_measures;

// One table.
struct steer_measure {
    char *name;
    struct steer_measuring rules;
    struct steer_estimates *estimates;
    uint64_t judged_unix_s; // when the estimates were looked at last, or the table came
    uint64_t newest_unix_s; // of the samples
    bool held;              // nothing is frozen until somebody asks for it
    uint64_t refused_unix_s;
    char *refusal; // why the last table was not published; "" when it was
    // For the owner: of the frozen table that is in force.
    uint64_t frozen_unix_s;
    uint32_t changes;
    // Samples since the start.
    uint64_t accepted, limited, refused;
};

struct steer_measures *steer_measures_create(void);
void steer_measures_destroy(struct steer_measures *measures);

// Follows a catalogue: a table that is measured has a measure; gone (may be NULL) is told of one that is measured no
// more. Estimates of networks of another length than the table's rules say are dropped.
void steer_measures_follow(struct steer_measures *measures, const struct steer_catalog *catalog,
                           uint64_t now_unix_s, void (*gone)(void *ctx, const char *name),
                           void *ctx);
struct steer_measure *steer_measures_find(const struct steer_measures *measures, const char *name);
// In order of name.
size_t steer_measures_count(const struct steer_measures *measures);
struct steer_measure *steer_measures_at(const struct steer_measures *measures, size_t index);

// The samples of a batch, each for its network, its AS number, its subdivision and its country; the client's address is
// not kept. Rows that cannot be used become refusals of the batch. *limited: how many did not count, since their
// network has sent enough. Returns how many counted.
size_t steer_measure_take(struct steer_measure *measure, const struct steer_catalog *catalog,
                          const struct steer_geo *geo, struct steer_latency_batch *batch,
                          uint64_t now_unix_s, size_t *limited);

uint64_t steer_measure_due_unix_s(const struct steer_measure *measure);
// Whether the interval is over. is_silent: nothing was measured in it, so that what is in force stays.
bool steer_measure_is_silent(const struct steer_measure *measure);
bool steer_measure_is_due(const struct steer_measure *measure, uint64_t now_unix_s);
struct steer_measure_moment {
    const struct steer_catalog *catalog;
    const struct steer_geo *geo;
    uint64_t now_unix_s;
    void (*pause)(void *ctx); // as of struct steer_freeze
    void *ctx;
};
// The next table, and in how many rows it differs from the one in force; the caller owns it. Old estimates
// go, and those for sites that are not defined any more.
struct steer_latency *steer_measure_freeze(struct steer_measure *measure,
                                           const struct steer_object *table,
                                           const struct steer_measure_moment *moment,
                                           uint32_t *changes);
// An estimate as it was stored.
void steer_measure_restore(struct steer_measure *measure, const struct steer_latency_row *who,
                           const struct steer_estimate *estimate);
void steer_measure_set_refusal(struct steer_measure *measure, const char *why, uint64_t now_unix_s);

// The histogram of an estimate as octets: for each bin its number and its weight (IEEE 754, big-endian).
void steer_estimate_pack(const struct steer_estimate *estimate, struct steer_buf *out);
bool steer_estimate_unpack(const uint8_t *data, size_t len, struct steer_estimate *estimate);

#endif
