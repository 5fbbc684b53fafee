// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/control/measures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/geo/freeze.h"

// What weighs less than a twentieth of a sample is as good as gone.
static const double least_weight = 0.05;

struct steer_measures {
    struct steer_measure **items; // in order of name
    size_t count, cap;
};

// ---- which tables --------------------------------------------------------------------------------

struct steer_measures *steer_measures_create(void)
{
    return steer_calloc(1, sizeof(struct steer_measures));
}

static void measure_free(struct steer_measure *m)
{
    steer_estimates_destroy(m->estimates);
    free(m->refusal);
    free(m->name);
    free(m);
}

void steer_measures_destroy(struct steer_measures *measures)
{
    if (!measures)
        return;
    for (size_t i = 0; i < measures->count; i++)
        measure_free(measures->items[i]);
    free(measures->items);
    free(measures);
}

size_t steer_measures_count(const struct steer_measures *measures)
{
    return measures->count;
}

struct steer_measure *steer_measures_at(const struct steer_measures *measures, size_t index)
{
    return measures->items[index];
}

struct steer_measure *steer_measures_find(const struct steer_measures *measures, const char *name)
{
    for (size_t i = 0; i < measures->count; i++)
        if (strcmp(measures->items[i]->name, name) == 0)
            return measures->items[i];
    return NULL;
}

static struct steer_measure *add(struct steer_measures *measures, const char *name,
                                 const struct steer_measuring *rules, uint64_t now_unix_s)
{
    size_t at = 0;
    struct steer_measure *m = steer_calloc(1, sizeof *m);
    m->name = steer_strdup(name);
    m->refusal = steer_strdup("");
    m->rules = *rules;
    m->judged_unix_s = now_unix_s;
    m->estimates = steer_estimates_create(rules->half_life_s, rules->max_estimates);
    measures->items = steer_grow(measures->items, &measures->cap, measures->count + 1,
                                 sizeof(struct steer_measure *));
    while (at < measures->count && strcmp(measures->items[at]->name, name) < 0)
        at++;
    memmove(&measures->items[at + 1], &measures->items[at],
            (measures->count - at) * sizeof(struct steer_measure *));
    measures->items[at] = m;
    measures->count++;
    return m;
}

static bool is_of_other_length(const void *ctx, const struct steer_latency_row *who)
{
    const struct steer_measuring *rules = ctx;
    const bool v4 = who->network.addr.family == STEER_V4;
    return who->of == STEER_LATENCY_CIDR &&
           who->network.len != (v4 ? rules->v4_len : rules->v6_len);
}

static void follow_rules(struct steer_measure *m, const struct steer_measuring *rules)
{
    const bool same_length = m->rules.v4_len == rules->v4_len && m->rules.v6_len == rules->v6_len;
    m->rules = *rules;
    steer_estimates_limit(m->estimates, rules->half_life_s, rules->max_estimates);
    if (!same_length)
        steer_estimates_drop(m->estimates, is_of_other_length, &m->rules);
}

void steer_measures_follow(struct steer_measures *measures, const struct steer_catalog *catalog,
                           uint64_t now_unix_s, void (*gone)(void *ctx, const char *name),
                           void *ctx)
{
    const size_t count = steer_catalog_count(catalog, STEER_LATENCY);
    const struct steer_object **list = count ? steer_catalog_list(catalog, STEER_LATENCY) : NULL;
    for (size_t i = 0; i < count; i++) {
        struct steer_measure *m = steer_measures_find(measures, list[i]->name);
        if (list[i]->measured && m)
            follow_rules(m, list[i]->measured);
        else if (list[i]->measured)
            add(measures, list[i]->name, list[i]->measured, now_unix_s);
    }
    for (size_t i = measures->count; i-- > 0;) {
        struct steer_measure *m = measures->items[i];
        const struct steer_object *table = steer_catalog_get(catalog, STEER_LATENCY, m->name);
        if (table && table->measured)
            continue;
        measures->count--;
        memmove(&measures->items[i], &measures->items[i + 1],
                (measures->count - i) * sizeof(struct steer_measure *));
        if (gone)
            gone(ctx, m->name);
        measure_free(m);
    }
    free(list);
}

void steer_measure_restore(struct steer_measure *m, const struct steer_latency_row *who,
                           const struct steer_estimate *estimate)
{
    steer_estimates_restore(m->estimates, who, estimate);
    if (estimate->at_unix_s > m->newest_unix_s)
        m->newest_unix_s = estimate->at_unix_s;
}

void steer_measure_set_refusal(struct steer_measure *m, const char *why, uint64_t now_unix_s)
{
    char *copy = steer_strdup(why);
    free(m->refusal);
    m->refusal = copy;
    m->refused_unix_s = *why ? now_unix_s : 0;
}

// ---- samples -------------------------------------------------------------------------------------

// What was meant by a site that is not defined is searched for so many rows of a batch: it takes long, and a page that
// was built before a site went sends nothing else.
enum { GUESSES_MAX = 10 };

static const char *nearest_site(const struct steer_catalog *catalog, const char *site)
{
    const size_t count = steer_catalog_count(catalog, STEER_SITE);
    const struct steer_object **list = count ? steer_catalog_list(catalog, STEER_SITE) : NULL;
    const char **names = steer_calloc(count, sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = list[i]->name;
    const char *near = steer_nearest_word(site, names, count);
    free(names);
    free(list);
    return near;
}

static void refuse_site(const struct steer_catalog *catalog, struct steer_latency_batch *batch,
                        const struct steer_latency_sample *sample, unsigned guesses)
{
    const char *near = guesses < GUESSES_MAX ? nearest_site(catalog, sample->site) : NULL;
    steer_latency_batch_refuse(batch, sample->index,
                               near ? "site '%s' is not defined; did you mean '%s'?"
                                    : "site '%s' is not defined",
                               sample->site, near);
}

// The network that a client is cut to; false: it is too wide to be in one.
static bool cut(const struct steer_measuring *rules, struct steer_prefix *client)
{
    const uint8_t len = client->addr.family == STEER_V4 ? rules->v4_len : rules->v6_len;
    if (client->len < len)
        return false;
    client->len = len;
    steer_addr_mask(&client->addr, len);
    return true;
}

// Geo data may have codes of countries and subdivisions that no row can be written with, and so none is read back with.
static bool has_a_name(const struct steer_latency_row *row)
{
    char client[64];
    struct steer_latency_row read;
    return steer_latency_client_parse(steer_latency_client_format(row, client, sizeof client),
                                      &read);
}

// What holds for the network says something of where it is, too.
static void add_broader(struct steer_measure *m, const struct steer_location *where,
                        struct steer_latency_row row, uint64_t now_unix_s)
{
    const uint64_t window = now_unix_s / m->rules.freeze_s;
    row.of = STEER_LATENCY_ASN;
    row.asn = where->asn;
    if (where->asn)
        steer_estimates_add(m->estimates, &row, now_unix_s, window, UINT32_MAX);
    row.of = STEER_LATENCY_PLACE;
    row.place = where->place;
    if (row.place.subdivision[0] && has_a_name(&row))
        steer_estimates_add(m->estimates, &row, now_unix_s, window, UINT32_MAX);
    memset(row.place.subdivision, 0, sizeof row.place.subdivision);
    if (row.place.country[0] && has_a_name(&row))
        steer_estimates_add(m->estimates, &row, now_unix_s, window, UINT32_MAX);
}

static int by_index(const void *a, const void *b)
{
    const struct steer_sample_refusal *x = a, *y = b;
    return x->index < y->index ? -1 : x->index > y->index;
}

size_t steer_measure_take(struct steer_measure *m, const struct steer_catalog *catalog,
                          const struct steer_geo *geo, struct steer_latency_batch *batch,
                          uint64_t now_unix_s, size_t *limited)
{
    size_t accepted = 0;
    unsigned guesses = 0;
    *limited = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct steer_latency_sample *s = &batch->samples[i];
        struct steer_latency_row row = {
            .of = STEER_LATENCY_CIDR, .network = s->client, .site = s->site, .rtt_us = s->rtt_us};
        if (!steer_catalog_get(catalog, STEER_SITE, s->site)) {
            refuse_site(catalog, batch, s, guesses++);
        } else if (!cut(&m->rules, &row.network)) {
            steer_latency_batch_refuse(
                batch, s->index, "the network is wider than the /%u that this table is measured by",
                s->client.addr.family == STEER_V4 ? m->rules.v4_len : m->rules.v6_len);
        } else if (!steer_estimates_add(m->estimates, &row, now_unix_s,
                                        now_unix_s / m->rules.freeze_s, m->rules.max_samples)) {
            ++*limited;
        } else {
            add_broader(m, steer_geo_lookup(geo, &row.network.addr), row, now_unix_s);
            accepted++;
        }
    }
    if (batch->refusal_count)
        qsort(batch->refusals, batch->refusal_count, sizeof *batch->refusals, by_index);
    if (accepted)
        m->newest_unix_s = now_unix_s;
    m->accepted += accepted;
    m->limited += *limited;
    m->refused += batch->refusal_count;
    return accepted;
}

// ---- freezing ------------------------------------------------------------------------------------

uint64_t steer_measure_due_unix_s(const struct steer_measure *m)
{
    return m->judged_unix_s + m->rules.freeze_s;
}

// A table that was refused is tried again, whatever comes in.
bool steer_measure_is_silent(const struct steer_measure *m)
{
    return m->newest_unix_s < m->judged_unix_s && !*m->refusal;
}

bool steer_measure_is_due(const struct steer_measure *m, uint64_t now_unix_s)
{
    // A clock that was set back must not put it off for as long.
    return !m->held && (now_unix_s >= steer_measure_due_unix_s(m) || now_unix_s < m->judged_unix_s);
}

static bool is_of_no_site(const void *ctx, const struct steer_latency_row *who)
{
    return !steer_catalog_get(ctx, STEER_SITE, who->site);
}

struct steer_latency *steer_measure_freeze(struct steer_measure *m,
                                           const struct steer_object *table,
                                           const struct steer_measure_moment *moment,
                                           uint32_t *changes)
{
    if (m->newest_unix_s > moment->now_unix_s) // the clock was set back
        m->newest_unix_s = moment->now_unix_s;
    steer_estimates_prune(m->estimates, moment->now_unix_s, least_weight);
    steer_estimates_drop(m->estimates, is_of_no_site, moment->catalog);
    const struct steer_freeze freeze = {
        .estimates = m->estimates,
        .uploaded = table->uploaded,
        .frozen = table->frozen,
        .geo = moment->geo,
        .now_unix_s = moment->now_unix_s,
        .pause = moment->pause,
        .ctx = moment->ctx,
        .step_us = m->rules.step_us,
        .hysteresis_us = m->rules.hysteresis_us,
        .min_weight = m->rules.min_samples,
    };
    struct steer_latency *next = steer_latency_freeze(&freeze);
    *changes = (uint32_t)steer_latency_differences(table->frozen, next);
    return next;
}

// ---- octets --------------------------------------------------------------------------------------

void steer_estimate_pack(const struct steer_estimate *e, struct steer_buf *out)
{
    for (unsigned i = 0; i < e->count; i++) {
        uint32_t bits;
        memcpy(&bits, &e->weights[i], sizeof bits);
        steer_buf_u8(out, e->bins[i]);
        steer_buf_u32(out, bits);
    }
}

bool steer_estimate_unpack(const uint8_t *data, size_t len, struct steer_estimate *e)
{
    enum { OCTETS = 5 };
    if (len % OCTETS || len / OCTETS > STEER_ESTIMATE_BINS)
        return false;
    e->count = (uint8_t)(len / OCTETS);
    for (unsigned i = 0; i < e->count; i++, data += OCTETS) {
        const uint32_t bits =
            (uint32_t)data[1] << 24 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 8 | data[4];
        e->bins[i] = data[0];
        memcpy(&e->weights[i], &bits, sizeof bits);
        if (!isfinite(e->weights[i]) || e->weights[i] <= 0 || (i && e->bins[i] <= e->bins[i - 1]))
            return false;
    }
    return true;
}
