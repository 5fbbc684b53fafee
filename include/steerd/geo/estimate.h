// SPDX-License-Identifier: GPL-3.0-or-later
// Estimates of round-trip times from samples: for each pair of clients and site a decayed histogram, and a bounded
// set of them. Floor 2. Pure: the time is passed in. Belongs to one thread. docs/decisions/0120.
#ifndef STEERD_GEO_ESTIMATE_H
#define STEERD_GEO_ESTIMATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steerd/geo/latency.h"

// ---- one estimate --------------------------------------------------------------------------------

// Bins are a sixteenth of an octave wide, so that a quantile is at most 2.2% off, whatever the time.
enum { STEER_ESTIMATE_BINS = 32, STEER_ESTIMATE_MAX_US = 10 * 1000 * 1000 };

struct steer_estimate {
    uint64_t at_unix_s;                 // the weights are as of then
    uint64_t window;                    // the interval that `used` counts, and
    uint32_t used;                      // how many samples of it counted
    uint8_t count;                      // of bins, in rising order
    uint8_t bins[STEER_ESTIMATE_BINS];  // which
    float weights[STEER_ESTIMATE_BINS]; // a sample weighs 1, and half of it after each half-life
};

// Where all bins are taken, the lightest one gives its weight to a neighbour. A time before at_unix_s counts as it.
void steer_estimate_add(struct steer_estimate *e, uint32_t rtt_us, uint64_t now_unix_s,
                        uint32_t half_life_s);
double steer_estimate_weight(const struct steer_estimate *e, uint64_t now_unix_s,
                             uint32_t half_life_s);
// share: 0 to 1; 0.5 is the median. 0 without a sample.
uint32_t steer_estimate_quantile_us(const struct steer_estimate *e, double share);

// ---- a bounded set -------------------------------------------------------------------------------

struct steer_estimates;
// The least valuable one, which has the lowest weight, makes room for a new one.
struct steer_estimates *steer_estimates_create(uint32_t half_life_s, uint32_t max);
void steer_estimates_destroy(struct steer_estimates *set); // NULL is accepted
void steer_estimates_limit(struct steer_estimates *set, uint32_t half_life_s, uint32_t max);

// One sample; who->rtt_us is the time. False: in this window max_in_window samples of these clients and site have
// counted already.
bool steer_estimates_add(struct steer_estimates *set, const struct steer_latency_row *who,
                         uint64_t now_unix_s, uint64_t window, uint32_t max_in_window);
// As it was stored; nothing is marked as changed.
void steer_estimates_restore(struct steer_estimates *set, const struct steer_latency_row *who,
                             const struct steer_estimate *estimate);
// Drops those that weigh less; those that are not wanted. The first takes a time to come for a clock that was set back:
// what is as of it is then as of now.
void steer_estimates_prune(struct steer_estimates *set, uint64_t now_unix_s, double min_weight);
void steer_estimates_drop(struct steer_estimates *set,
                          bool (*unwanted)(const void *ctx, const struct steer_latency_row *who),
                          const void *ctx);

size_t steer_estimates_count(const struct steer_estimates *set);
uint32_t steer_estimates_half_life_s(const struct steer_estimates *set);
// In no particular order; who->rtt_us says nothing.
const struct steer_estimate *steer_estimates_at(const struct steer_estimates *set, size_t index,
                                                const struct steer_latency_row **who);

// For whoever keeps them: what changed since the last steer_estimates_saved. Those that went come first; a result
// other than STEER_OK stops and is returned.
struct steer_estimates_writer {
    enum steer_err (*gone)(void *ctx, const char *client, const char *site);
    enum steer_err (*put)(void *ctx, const char *client, const char *site,
                          const struct steer_estimate *estimate);
    void *ctx;
};
enum steer_err steer_estimates_changes(const struct steer_estimates *set,
                                       const struct steer_estimates_writer *writer) STEER_MUST_USE;
void steer_estimates_saved(struct steer_estimates *set);

#endif
