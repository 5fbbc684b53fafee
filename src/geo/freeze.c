// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/geo/freeze.h"

#include <stdlib.h>
#include <string.h>

#include "steerd/base/mem.h"

// From the broad to the narrow: what a row adds is judged by the broader ones that are there already.
enum level { COUNTRIES, SUBDIVISIONS, ASNS, NETWORKS, LEVELS };

struct candidate {
    struct steer_latency_row row; // its time is the estimate
    enum level level;
};

struct freezing {
    const struct steer_freeze *in;
    struct steer_latency *before; // what is in force: uploaded and frozen
    struct candidate *candidates;
    size_t candidate_count, candidate_cap;
    struct steer_latency_row *rows; // of the next table
    size_t row_count, row_cap;
};

enum { STEPS_BETWEEN_PAUSES = 1024 };

static void pause_after(const struct freezing *f, size_t step)
{
    if (f->in->pause && step % STEPS_BETWEEN_PAUSES == 0)
        f->in->pause(f->in->ctx);
}

static enum level level_of(const struct steer_latency_row *row)
{
    switch (row->of) {
    case STEER_LATENCY_CIDR:
        return NETWORKS;
    case STEER_LATENCY_ASN:
        return ASNS;
    case STEER_LATENCY_PLACE:
        break;
    }
    return row->place.subdivision[0] ? SUBDIVISIONS : COUNTRIES;
}

// What a table says to the clients of a row. *whole: one answer for all of them.
static const struct steer_latency_row *read(const struct freezing *f,
                                            const struct steer_latency *table,
                                            const struct steer_latency_row *row, bool *whole)
{
    struct steer_location where = {.asn = row->of == STEER_LATENCY_ASN ? row->asn : 0};
    const struct steer_prefix *network = NULL;
    *whole = true;
    if (row->of == STEER_LATENCY_PLACE)
        where.place = row->place;
    if (row->of == STEER_LATENCY_CIDR) {
        network = &row->network;
        where = *steer_geo_lookup(f->in->geo, &network->addr);
        *whole = steer_partition_is_one(steer_geo_partition(f->in->geo), network);
    }
    const struct steer_latency_sight sight = steer_latency_look(table, &where, network);
    return steer_latency_read(&sight, row->site);
}

static bool is_same_client(const struct steer_latency_row *a, const struct steer_latency_row *b)
{
    char x[56], y[56];
    return a->of == b->of && strcmp(steer_latency_client_format(a, x, sizeof x),
                                    steer_latency_client_format(b, y, sizeof y)) == 0;
}

// An AS number goes before places, and may be in many of them. One whose clients are not near each other says nothing of
// any of them.
static bool is_scattered(const struct steer_freeze *in, const struct steer_estimate *e)
{
    const uint32_t middle = steer_estimate_quantile_us(e, 0.5);
    const uint32_t spread =
        steer_estimate_quantile_us(e, 0.75) - steer_estimate_quantile_us(e, 0.25);
    return spread > 2 * in->step_us && spread > middle / 2;
}

static void collect(struct freezing *f)
{
    const struct steer_freeze *in = f->in;
    const uint32_t half_life_s = steer_estimates_half_life_s(in->estimates);
    for (size_t i = 0; i < steer_estimates_count(in->estimates); i++) {
        const struct steer_latency_row *who;
        const struct steer_estimate *e = steer_estimates_at(in->estimates, i, &who);
        const double weight = steer_estimate_weight(e, in->now_unix_s, half_life_s);
        bool whole;
        pause_after(f, i);
        if (weight < in->min_weight / 2)
            continue;
        const struct steer_latency_row *here = read(f, f->before, who, &whole);
        const bool stands = here && here->frozen && is_same_client(here, who);
        const enum level level = level_of(who);
        // Samples lose weight at once: so many of them weigh a little less.
        if ((weight < in->min_weight - 0.5 && !stands) || (level == ASNS && is_scattered(in, e)))
            continue;
        f->candidates = steer_grow(f->candidates, &f->candidate_cap, f->candidate_count + 1,
                                   sizeof *f->candidates);
        struct candidate *c = &f->candidates[f->candidate_count++];
        *c = (struct candidate){*who, level};
        c->row.rtt_us = steer_estimate_quantile_us(e, 0.5);
    }
}

// The value that stands holds until the estimate has clearly left it.
static uint32_t settle(const struct steer_freeze *in, const struct steer_latency_row *before,
                       uint32_t rtt_us)
{
    const uint32_t margin = in->step_us / 2 + in->hysteresis_us;
    if (before &&
        (rtt_us > before->rtt_us ? rtt_us - before->rtt_us : before->rtt_us - rtt_us) <= margin)
        return before->rtt_us;
    return (rtt_us + in->step_us / 2) / in->step_us * in->step_us;
}

static void add_level(struct freezing *f, enum level level)
{
    struct steer_latency *measured = steer_latency_build(f->rows, f->row_count);
    struct steer_latency *broader = steer_latency_overlay(f->in->uploaded, measured, 1);
    for (size_t i = 0; i < f->candidate_count; i++) {
        bool whole, unused;
        struct steer_latency_row row = f->candidates[i].row;
        pause_after(f, i);
        if (f->candidates[i].level != level)
            continue;
        row.rtt_us = settle(f->in, read(f, f->before, &row, &unused), row.rtt_us);
        const struct steer_latency_row *said = read(f, broader, &row, &whole);
        if (said && whole && said->rtt_us == row.rtt_us)
            continue;
        f->rows = steer_grow(f->rows, &f->row_cap, f->row_count + 1, sizeof *f->rows);
        f->rows[f->row_count++] = row;
    }
    steer_latency_unref(measured);
    steer_latency_unref(broader);
}

struct steer_latency *steer_latency_freeze(const struct steer_freeze *freeze)
{
    struct freezing f = {.in = freeze};
    f.before = steer_latency_overlay(freeze->uploaded, freeze->frozen, 1);
    collect(&f);
    for (enum level level = COUNTRIES; level < LEVELS; level++)
        add_level(&f, level);
    struct steer_latency *next = steer_latency_build(f.rows, f.row_count);
    steer_latency_unref(f.before);
    free(f.candidates);
    free(f.rows);
    return next;
}
