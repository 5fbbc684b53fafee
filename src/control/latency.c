// SPDX-License-Identifier: GPL-3.0-or-later
// Samples into the store, and looking at latency tables.
#include "steerd/control/latency.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_internal.h"
#include "steerd/base/clock.h"
#include "steerd/base/hash.h"
#include "steerd/base/log.h"
#include "steerd/base/mem.h"

static json_t *when(uint64_t unix_s)
{
    char text[32];
    return unix_s ? json_string(steer_time_format(unix_s, text, sizeof text)) : json_null();
}

static enum steer_err no_table(const struct steer_catalog *catalog, const char *name,
                               struct steer_diag *diag)
{
    const size_t count = steer_catalog_count(catalog, STEER_LATENCY);
    const struct steer_object **list = count ? steer_catalog_list(catalog, STEER_LATENCY) : NULL;
    const char **names = steer_calloc(count, sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = list[i]->name;
    const char *near = steer_nearest_word(name, names, count);
    steer_diag_set(diag, STEER_ENOTFOUND,
                   near ? "latency table '%s' is not defined; did you mean '%s'?"
                        : "latency table '%s' is not defined",
                   name, near);
    free(names);
    free(list);
    return STEER_ENOTFOUND;
}

enum steer_err control_find_measure(const struct steer_control *c, const char *table,
                                    struct steer_measure **measure, struct steer_diag *diag)
{
    const struct steer_catalog *catalog = steer_linker_catalog(c->linker);
    if (!steer_catalog_get(catalog, STEER_LATENCY, table))
        return no_table(catalog, table, diag);
    *measure = steer_measures_find(c->measures, table);
    return *measure ? STEER_OK
                    : steer_diag_set(diag, STEER_ECONFLICT,
                                     "latency table '%s' is not measured; give it 'measured: {}'",
                                     table);
}

// ---- loading and following -----------------------------------------------------------------------

// Also of a table that goes as a whole, whose rows have gone with it.
static void forget(void *ctx, const char *name)
{
    struct steer_control *c = ctx;
    struct steer_diag diag = {0};
    enum steer_err err = steer_store_begin(c->store, &diag);
    if (err == STEER_OK)
        err = steer_store_forget_measured(c->store, name, &diag);
    if (err == STEER_OK)
        err = steer_store_commit(c->store, &diag);
    if (err == STEER_OK)
        return;
    steer_store_rollback(c->store);
    steer_log(STEER_LOG_ERROR, "control",
              "latency table %s: what was measured stays in the store: %s", name, diag.message);
}

struct measures_load {
    struct steer_control *control;
    struct steer_map orphans; // tables that are not measured
};

// NULL: it stayed in the store when its table was not measured any more, because of a crash or an error of the disk.
static struct steer_measure *measure_to_load(struct measures_load *l, const char *table)
{
    struct steer_measure *m = steer_measures_find(l->control->measures, table);
    if (!m)
        steer_map_put(&l->orphans, table, 1);
    return m;
}

static enum steer_err load_estimate(void *ctx, const struct steer_store_estimate *row)
{
    struct steer_measure *m = measure_to_load(ctx, row->table);
    struct steer_latency_row who = {.site = row->site};
    struct steer_estimate e = {
        .at_unix_s = row->at_unix_s, .window = row->window, .used = row->used};
    if (m && steer_latency_client_parse(row->client, &who) &&
        steer_estimate_unpack(row->bins, row->bins_len, &e))
        steer_measure_restore(m, &who, &e);
    else if (m)
        steer_log(STEER_LOG_WARN, "control", "latency table %s: the estimate for %s is damaged",
                  row->table, row->client);
    return STEER_OK;
}

static enum steer_err load_freezing(void *ctx, const struct steer_store_freezing *row)
{
    struct steer_measure *m = measure_to_load(ctx, row->table);
    if (!m)
        return STEER_OK;
    m->judged_unix_s = row->judged_unix_s;
    m->held = row->held;
    steer_measure_set_refusal(m, row->refusal, row->refused_unix_s);
    return STEER_OK;
}

static enum steer_err load_moment(void *ctx, const struct steer_store_frozen *row)
{
    struct steer_measure *m = measure_to_load(ctx, row->table);
    if (!m)
        return STEER_OK;
    m->frozen_unix_s = row->frozen_unix_s;
    m->changes = row->changes;
    return STEER_OK;
}

enum steer_err control_load_measures(struct steer_control *c, const struct steer_catalog *catalog,
                                     struct steer_diag *diag)
{
    struct measures_load l = {.control = c};
    size_t at = 0;
    steer_measures_follow(c->measures, catalog, steer_clock_unix_s(), NULL, NULL);
    enum steer_err err = steer_store_load_estimates(c->store, load_estimate, &l, diag);
    if (err == STEER_OK)
        err = steer_store_load_freezing(c->store, load_freezing, &l, diag);
    if (err == STEER_OK)
        err = steer_store_load_newest_frozen(c->store, load_moment, &l, diag);
    for (const char *name; err == STEER_OK && steer_map_next(&l.orphans, &at, &name, NULL);)
        forget(c, name);
    steer_map_fini(&l.orphans);
    return err;
}

void control_follow_measures(struct steer_control *c)
{
    steer_measures_follow(c->measures, steer_linker_catalog(c->linker), steer_clock_unix_s(),
                          forget, c);
}

// ---- samples -------------------------------------------------------------------------------------

struct samples_job {
    const char *table;
    struct steer_latency_batch *batch;
    size_t accepted, limited;
};

struct estimate_writer {
    struct steer_control *control;
    const char *table;
    struct steer_buf bins;
    size_t rows;
    struct steer_diag *diag;
};

enum { ROWS_BETWEEN_RESULTS = 256 };

static enum steer_err write_gone(void *ctx, const char *client, const char *site)
{
    const struct estimate_writer *w = ctx;
    return steer_store_delete_estimate(w->control->store, w->table, client, site, w->diag);
}

static enum steer_err write_estimate(void *ctx, const char *client, const char *site,
                                     const struct steer_estimate *e)
{
    struct estimate_writer *w = ctx;
    steer_buf_clear(&w->bins);
    steer_estimate_pack(e, &w->bins);
    if (++w->rows % ROWS_BETWEEN_RESULTS == 0)
        control_take_results(w->control, false); // verdicts overtake samples
    const struct steer_store_estimate row = {
        w->table,   client, site, e->at_unix_s, e->window, e->used, (const uint8_t *)w->bins.data,
        w->bins.len};
    return steer_store_put_estimate(w->control->store, &row, w->diag);
}

enum steer_err control_store_estimates(struct steer_control *c, struct steer_measure *m,
                                       struct steer_diag *diag)
{
    struct estimate_writer w = {.control = c, .table = m->name, .diag = diag};
    const struct steer_estimates_writer writer = {write_gone, write_estimate, &w};
    enum steer_err err = steer_store_begin(c->store, diag);
    if (err == STEER_OK)
        err = steer_estimates_changes(m->estimates, &writer);
    if (err == STEER_OK)
        err = steer_store_commit(c->store, diag);
    if (err == STEER_OK)
        steer_estimates_saved(m->estimates);
    else
        steer_store_rollback(c->store);
    steer_buf_fini(&w.bins);
    return err;
}

static enum steer_err run_samples(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    struct samples_job *job = arg;
    struct steer_measure *m;
    enum steer_err err = control_find_measure(c, job->table, &m, diag);
    if (err != STEER_OK)
        return err;
    job->accepted =
        steer_measure_take(m, steer_linker_catalog(c->linker), steer_linker_geo(c->linker),
                           job->batch, steer_clock_unix_s(), &job->limited);
    return job->accepted ? control_store_estimates(c, m, diag) : STEER_OK;
}

enum steer_err steer_control_latency_samples(struct steer_control *c, const char *table,
                                             struct steer_latency_batch *batch, json_t **reply,
                                             struct steer_diag *diag)
{
    struct samples_job job = {.table = table, .batch = batch};
    enum steer_err err = control_call(c, run_samples, &job, diag);
    if (err != STEER_OK)
        return err;
    json_t *refused = json_array();
    for (size_t i = 0; i < batch->refusal_count; i++)
        json_array_append_new(refused,
                              json_pack("{s:I,s:o}", "index", (json_int_t)batch->refusals[i].index,
                                        "reason", control_text(batch->refusals[i].reason)));
    *reply = json_pack("{s:I,s:I,s:o}", "accepted", (json_int_t)job.accepted, "limited",
                       (json_int_t)job.limited, "refused", refused);
    return STEER_OK;
}

// ---- the list ------------------------------------------------------------------------------------

static json_t *measure_json(const struct steer_measure *m, const struct steer_object *table)
{
    json_t *out = json_pack(
        "{s:s,s:b,s:o,s:o,s:I,s:I,s:o,s:o,s:b,s:I,s:I,s:I,s:I}", "name", m->name, "measured", true,
        "number", table->frozen ? json_integer(table->frozen_number) : json_null(), "frozen",
        when(m->frozen_unix_s), "frozen_rows",
        (json_int_t)(table->frozen ? steer_latency_count(table->frozen) : 0), "changes",
        (json_int_t)m->changes, "judged", when(m->judged_unix_s), "next",
        m->held ? json_null() : when(steer_measure_due_unix_s(m)), "held", m->held, "estimates",
        (json_int_t)steer_estimates_count(m->estimates), "accepted", (json_int_t)m->accepted,
        "limited", (json_int_t)m->limited, "refused", (json_int_t)m->refused);
    json_object_set_new(out, "refusal",
                        *m->refusal ? json_pack("{s:o,s:o}", "at", when(m->refused_unix_s), "why",
                                                control_text(m->refusal))
                                    : json_null());
    return out;
}

json_t *control_measures_json(const struct steer_control *c)
{
    const struct steer_catalog *catalog = steer_linker_catalog(c->linker);
    json_t *out = json_array();
    for (size_t i = 0; i < steer_measures_count(c->measures); i++) {
        const struct steer_measure *m = steer_measures_at(c->measures, i);
        const struct steer_object *table = steer_catalog_get(catalog, STEER_LATENCY, m->name);
        if (table)
            json_array_append_new(out, measure_json(m, table));
    }
    return out;
}

static enum steer_err run_list(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    const struct steer_catalog *catalog = steer_linker_catalog(c->linker);
    const size_t count = steer_catalog_count(catalog, STEER_LATENCY);
    const struct steer_object **list = count ? steer_catalog_list(catalog, STEER_LATENCY) : NULL;
    json_t *out = json_array();
    (void)diag;
    for (size_t i = 0; i < count; i++) {
        const struct steer_measure *m = steer_measures_find(c->measures, list[i]->name);
        json_t *entry = m ? measure_json(m, list[i])
                          : json_pack("{s:s,s:b}", "name", list[i]->name, "measured", false);
        json_object_set_new(entry, "document", control_text(list[i]->document));
        json_object_set_new(entry, "rows",
                            json_integer((json_int_t)steer_latency_count(list[i]->latency)));
        json_array_append_new(out, entry);
    }
    free(list);
    *(json_t **)arg = out;
    return STEER_OK;
}

enum steer_err steer_control_latency_list(struct steer_control *c, json_t **list,
                                          struct steer_diag *diag)
{
    return control_call(c, run_list, list, diag);
}

// ---- one table -----------------------------------------------------------------------------------

struct show_job {
    const char *name;
    uint32_t number;
    struct steer_latency *rows; // a reference: the text is made on the caller's thread
    json_t *tables;
    struct steer_diag *diag;
};

static enum steer_err take_rows(void *ctx, const struct steer_store_frozen *row)
{
    struct show_job *job = ctx;
    struct steer_latency *frozen;
    enum steer_err err = control_parse_frozen(row, &frozen, job->diag);
    if (err != STEER_OK)
        return err;
    job->rows = steer_latency_overlay(NULL, frozen, row->number);
    steer_latency_unref(frozen);
    return STEER_OK;
}

static enum steer_err list_frozen(void *ctx, const struct steer_store_frozen *row)
{
    struct show_job *job = ctx;
    json_array_append_new(job->tables,
                          json_pack("{s:I,s:o,s:I,s:I}", "number", (json_int_t)row->number,
                                    "frozen", when(row->frozen_unix_s), "rows",
                                    (json_int_t)row->rows, "changes", (json_int_t)row->changes));
    return STEER_OK;
}

static enum steer_err run_show(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    struct show_job *job = arg;
    const struct steer_catalog *catalog = steer_linker_catalog(c->linker);
    const struct steer_object *table = steer_catalog_get(catalog, STEER_LATENCY, job->name);
    job->diag = diag;
    if (!table)
        return no_table(catalog, job->name, diag);
    enum steer_err err = STEER_OK;
    if (job->number && !(table->frozen && job->number == table->frozen_number))
        err = steer_store_load_frozen(c->store, job->name, job->number, take_rows, job, diag);
    else if (job->number)
        job->rows = steer_latency_overlay(NULL, table->frozen, table->frozen_number);
    else
        job->rows = steer_latency_ref(table->latency);
    if (err == STEER_OK && !job->number)
        job->number = table->frozen_number;
    if (err == STEER_OK)
        err = steer_store_list_frozen(c->store, job->name, list_frozen, job, diag);
    return err;
}

static json_t *rows_json(const struct steer_latency *table)
{
    json_t *rows = json_array();
    char client[64];
    for (size_t i = 0; i < steer_latency_count(table); i++) {
        const struct steer_latency_row *row = steer_latency_at(table, i);
        json_array_append_new(rows,
                              json_pack("{s:s,s:s,s:f,s:I}", "client",
                                        steer_latency_client_format(row, client, sizeof client),
                                        "site", row->site, "ms", row->rtt_us / 1000.0, "table",
                                        (json_int_t)row->frozen));
    }
    return rows;
}

enum steer_err steer_control_latency_show(struct steer_control *c, const char *table,
                                          uint32_t number, json_t **shown, struct steer_diag *diag)
{
    struct show_job job = {.name = table, .number = number, .tables = json_array()};
    enum steer_err err = control_call(c, run_show, &job, diag);
    if (err == STEER_OK)
        *shown = json_pack("{s:s,s:I,s:o,s:O}", "name", table, "number", (json_int_t)job.number,
                           "rows", rows_json(job.rows), "tables", job.tables);
    steer_latency_unref(job.rows);
    json_decref(job.tables);
    return err;
}

// ---- estimates -----------------------------------------------------------------------------------

struct shown_estimate {
    char client[64];
    char site[STEER_SAMPLE_SITE_MAX + 1];
    uint32_t us, low_us, high_us;
    double weight;
};

struct estimates_job {
    const char *name;
    struct shown_estimate *items;
    size_t count;
};

static enum steer_err run_estimates(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    struct estimates_job *job = arg;
    struct steer_measure *m;
    const uint64_t now = steer_clock_unix_s();
    enum steer_err err = control_find_measure(c, job->name, &m, diag);
    if (err != STEER_OK)
        return err;
    job->count = steer_estimates_count(m->estimates);
    job->items = steer_calloc(job->count, sizeof *job->items);
    for (size_t i = 0; i < job->count; i++) {
        const struct steer_latency_row *who;
        const struct steer_estimate *e = steer_estimates_at(m->estimates, i, &who);
        struct shown_estimate *to = &job->items[i];
        steer_latency_client_format(who, to->client, sizeof to->client);
        snprintf(to->site, sizeof to->site, "%s", who->site);
        to->us = steer_estimate_quantile_us(e, 0.5);
        to->low_us = steer_estimate_quantile_us(e, 0.25);
        to->high_us = steer_estimate_quantile_us(e, 0.75);
        to->weight = steer_estimate_weight(e, now, m->rules.half_life_s);
    }
    return STEER_OK;
}

static int heavier_first(const void *a, const void *b)
{
    const struct shown_estimate *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    const int order = strcmp(x->client, y->client);
    return order ? order : strcmp(x->site, y->site);
}

// To the grain of a microsecond and a thousandth of a sample.
static json_t *thousandths(double value)
{
    return json_real((double)(uint64_t)(value * 1000 + 0.5) / 1000);
}

enum steer_err steer_control_latency_estimates(struct steer_control *c, const char *table,
                                               size_t limit, json_t **list, struct steer_diag *diag)
{
    struct estimates_job job = {.name = table};
    enum steer_err err = control_call(c, run_estimates, &job, diag);
    if (err != STEER_OK)
        return err;
    json_t *out = json_array();
    if (job.count)
        qsort(job.items, job.count, sizeof *job.items, heavier_first);
    for (size_t i = 0; i < job.count && i < limit; i++) {
        const struct shown_estimate *e = &job.items[i];
        json_array_append_new(out, json_pack("{s:s,s:s,s:o,s:o,s:o,s:o}", "client", e->client,
                                             "site", e->site, "ms", thousandths(e->us / 1000.0),
                                             "low", thousandths(e->low_us / 1000.0), "high",
                                             thousandths(e->high_us / 1000.0), "weight",
                                             thousandths(e->weight)));
    }
    free(job.items);
    *list = out;
    return STEER_OK;
}

// ---- figures -------------------------------------------------------------------------------------

struct each_job {
    void (*visit)(void *ctx, const struct steer_measure_stats *stats);
    void *ctx;
};

static enum steer_err run_each(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    const struct each_job *job = arg;
    const struct steer_catalog *catalog = steer_linker_catalog(c->linker);
    (void)diag;
    for (size_t i = 0; i < steer_measures_count(c->measures); i++) {
        const struct steer_measure *m = steer_measures_at(c->measures, i);
        const struct steer_object *table = steer_catalog_get(catalog, STEER_LATENCY, m->name);
        if (!table)
            continue;
        const struct steer_measure_stats stats = {
            .table = m->name,
            .accepted = m->accepted,
            .limited = m->limited,
            .refused = m->refused,
            .estimates = steer_estimates_count(m->estimates),
            .number = table->frozen_number,
            .rows = table->frozen ? steer_latency_count(table->frozen) : 0,
            .frozen_unix_s = m->frozen_unix_s,
            .refusing = *m->refusal,
        };
        job->visit(job->ctx, &stats);
    }
    return STEER_OK;
}

void steer_control_each_measure(struct steer_control *c,
                                void (*visit)(void *ctx, const struct steer_measure_stats *stats),
                                void *ctx)
{
    struct each_job job = {visit, ctx};
    (void)!control_call(c, run_each, &job, NULL);
}
