// SPDX-License-Identifier: GPL-3.0-or-later
// One estimate. Bins on a logarithmic scale give every quantile with the same relative error (as in Masson, Rim and
// Lee, DDSketch, 2019); the weights of samples decay by their age (Cormode et al., Forward Decay, 2009).
#include "steerd/geo/estimate.h"

#include <math.h>
#include <string.h>

enum { BINS_PER_OCTAVE = 16, FLOOR_US = 250 };

// What is left of a sample after ten half-lives is forgotten.
static const float least_weight = 1.0F / 1024;

static uint8_t bin_of(uint32_t rtt_us)
{
    if (rtt_us <= FLOOR_US)
        return 0;
    const double at = floor(BINS_PER_OCTAVE * log2((double)rtt_us / FLOOR_US));
    return at > UINT8_MAX ? UINT8_MAX : (uint8_t)at;
}

static double bin_begin_us(double bin)
{
    return FLOOR_US * exp2(bin / BINS_PER_OCTAVE);
}

static double decay(uint64_t from_unix_s, uint64_t to_unix_s, uint32_t half_life_s)
{
    return to_unix_s > from_unix_s ? exp2(-(double)(to_unix_s - from_unix_s) / half_life_s) : 1;
}

static void remove_bin(struct steer_estimate *e, unsigned i)
{
    e->count--;
    memmove(&e->bins[i], &e->bins[i + 1], (e->count - i) * sizeof e->bins[0]);
    memmove(&e->weights[i], &e->weights[i + 1], (e->count - i) * sizeof e->weights[0]);
}

static void age(struct steer_estimate *e, uint64_t now_unix_s, uint32_t half_life_s)
{
    const float factor = (float)decay(e->at_unix_s, now_unix_s, half_life_s);
    if (now_unix_s > e->at_unix_s)
        e->at_unix_s = now_unix_s;
    for (unsigned i = e->count; i-- > 0;) {
        e->weights[i] *= factor;
        if (e->weights[i] < least_weight)
            remove_bin(e, i);
    }
}

static void merge_lightest(struct steer_estimate *e)
{
    unsigned lightest = 0;
    for (unsigned i = 1; i < e->count; i++)
        if (e->weights[i] < e->weights[lightest])
            lightest = i;
    const bool below = lightest > 0 &&
                       (lightest + 1U == e->count || e->bins[lightest] - e->bins[lightest - 1] <=
                                                         e->bins[lightest + 1] - e->bins[lightest]);
    e->weights[below ? lightest - 1 : lightest + 1] += e->weights[lightest];
    remove_bin(e, lightest);
}

void steer_estimate_add(struct steer_estimate *e, uint32_t rtt_us, uint64_t now_unix_s,
                        uint32_t half_life_s)
{
    const uint8_t bin = bin_of(rtt_us);
    unsigned at = 0;
    age(e, now_unix_s, half_life_s);
    while (at < e->count && e->bins[at] < bin)
        at++;
    if (at < e->count && e->bins[at] == bin) {
        e->weights[at] += 1;
        return;
    }
    if (e->count == STEER_ESTIMATE_BINS) {
        merge_lightest(e);
        for (at = 0; at < e->count && e->bins[at] < bin;)
            at++;
    }
    memmove(&e->bins[at + 1], &e->bins[at], (e->count - at) * sizeof e->bins[0]);
    memmove(&e->weights[at + 1], &e->weights[at], (e->count - at) * sizeof e->weights[0]);
    e->bins[at] = bin;
    e->weights[at] = 1;
    e->count++;
}

static double sum_of(const struct steer_estimate *e)
{
    double sum = 0;
    for (unsigned i = 0; i < e->count; i++)
        sum += (double)e->weights[i];
    return sum;
}

double steer_estimate_weight(const struct steer_estimate *e, uint64_t now_unix_s,
                             uint32_t half_life_s)
{
    return sum_of(e) * decay(e->at_unix_s, now_unix_s, half_life_s);
}

// Inside a bin the samples are taken as spread evenly, so that the quantile does not jump from bin to bin.
uint32_t steer_estimate_quantile_us(const struct steer_estimate *e, double share)
{
    double left = share * sum_of(e);
    for (unsigned i = 0; i < e->count; i++) {
        const double weight = (double)e->weights[i];
        if (left <= weight || i + 1U == e->count) {
            const double part = left < weight ? left / weight : 1;
            return (uint32_t)(bin_begin_us(e->bins[i] + part) + 0.5);
        }
        left -= weight;
    }
    return 0;
}
