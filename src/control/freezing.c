// SPDX-License-Identifier: GPL-3.0-or-later
// Freezing measured latency tables: estimates -> rows -> a link like any other, with its assertions.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_internal.h"
#include "steerd/base/clock.h"
#include "steerd/base/log.h"
#include "steerd/base/mem.h"
#include "steerd/control/latency.h"
#include "steerd/policy/latency_rows.h"

struct freezing {
    struct steer_measure *measure;
    struct steer_latency *next;
    uint32_t number, changes;
    uint64_t now_unix_s;
    bool held;
    const struct steer_control_freeze *asked; // NULL: it is due
    const struct steer_link *link;            // under way
};

static const struct steer_object *table_of(const struct steer_control *c, const char *name)
{
    return steer_catalog_get(steer_linker_catalog(c->linker), STEER_LATENCY, name);
}

// ---- the store -----------------------------------------------------------------------------------

// As a table with rows alone, which the parser of documents reads back.
enum steer_err control_parse_frozen(const struct steer_store_frozen *row,
                                    struct steer_latency **frozen, struct steer_diag *diag)
{
    struct steer_object *object;
    enum steer_err err =
        steer_object_from_json(STEER_LATENCY, row->table, "", row->body, NULL, &object, diag);
    if (err != STEER_OK)
        return err;
    *frozen = steer_latency_ref(object->latency);
    steer_object_unref(object);
    return STEER_OK;
}

static enum steer_err put_freezing(struct steer_control *c, const struct steer_measure *m,
                                   struct steer_diag *diag)
{
    const struct steer_store_freezing row = {m->name, m->judged_unix_s, m->held, m->refused_unix_s,
                                             m->refusal};
    return steer_store_put_freezing(c->store, &row, diag);
}

// With the journal of the link.
static enum steer_err store_next(struct steer_control *c, void *ctx, struct steer_diag *diag)
{
    const struct freezing *f = ctx;
    json_t *body = json_pack("{s:o}", "rows", steer_latency_rows_json(f->next));
    char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
    const struct steer_store_frozen row = {f->measure->name, f->number,
                                           f->now_unix_s,    (uint32_t)steer_latency_count(f->next),
                                           f->changes,       text};
    const struct steer_store_freezing freezing = {f->measure->name, f->now_unix_s, f->held, 0, ""};
    enum steer_err err = steer_store_put_frozen(c->store, &row, diag);
    if (err == STEER_OK)
        err = steer_store_put_freezing(c->store, &freezing, diag);
    if (err == STEER_OK && f->asked)
        err = control_audit_waived(c, f->link, f->asked->by, f->asked->reason, diag);
    free(text);
    json_decref(body);
    return err;
}

// What is not a table of its own: that the estimates were judged, and why nothing came of it.
static void store_judgement(struct steer_control *c, const struct steer_measure *m,
                            const char *refusal)
{
    struct steer_diag diag = {0};
    char subject[128];
    snprintf(subject, sizeof subject, "latency table %s", m->name);
    enum steer_err err = steer_store_begin(c->store, &diag);
    if (err == STEER_OK)
        err = put_freezing(c, m, &diag);
    if (err == STEER_OK && refusal)
        err = control_audit(c, NULL, "latency refused", subject, refusal, &diag);
    if (err == STEER_OK)
        err = steer_store_commit(c->store, &diag);
    if (err == STEER_OK)
        return;
    steer_store_rollback(c->store);
    steer_log(STEER_LOG_ERROR, "control", "latency table %s: its freezing is not stored: %s",
              m->name, diag.message);
}

// ---- one table -----------------------------------------------------------------------------------

// The present table stays. The same reason is said once, not each hour.
static void refuse(struct steer_control *c, const struct freezing *f, const struct steer_diag *why)
{
    struct steer_measure *m = f->measure;
    const bool news = strcmp(m->refusal, why->message) != 0;
    steer_measure_set_refusal(m, why->message, f->now_unix_s);
    if (news)
        steer_log(STEER_LOG_WARN, "control",
                  "latency table %s: what was measured is not published: %s", m->name,
                  why->message);
    store_judgement(c, m, news ? why->message : NULL);
}

static enum steer_err prepare(struct steer_control *c, const struct freezing *f,
                              struct steer_link *link, uint64_t begin_ns, struct steer_diag *diag)
{
    enum steer_err err = STEER_OK;
    for (size_t i = 0; f->asked && i < f->asked->override_assert_count && err == STEER_OK; i++)
        err = steer_link_waive(link, f->asked->override_asserts[i], diag);
    if (err != STEER_OK) {
        control_refuse(c, link);
        return err;
    }
    return control_prepare(c, link, begin_ns, diag);
}

static enum steer_err publish(struct steer_control *c, struct freezing *f, struct steer_diag *diag)
{
    const uint64_t begin = steer_clock_mono_ns();
    const struct steer_object *table = table_of(c, f->measure->name);
    char subject[128], detail[96];
    f->number = table->frozen_number + 1;
    snprintf(subject, sizeof subject, "latency table %s", f->measure->name);
    snprintf(detail, sizeof detail, "table %u: %zu rows, %u changes", f->number,
             steer_latency_count(f->next), f->changes);
    struct steer_link *link = steer_link_begin(c->linker);
    struct steer_object *object = steer_object_freeze(table, f->next, f->number);
    steer_link_put(link, object);
    steer_object_unref(object);
    enum steer_err err = prepare(c, f, link, begin, diag);
    if (err != STEER_OK)
        return err;
    f->link = link;
    const struct control_commit commit = {.by = f->asked ? f->asked->by : NULL,
                                          .action = "latency freeze",
                                          .subject = subject,
                                          .extra = store_next,
                                          .ctx = f,
                                          .detail = detail};
    err = control_commit(c, link, &commit, diag);
    if (err != STEER_OK)
        return err;
    f->measure->held = f->held;
    f->measure->frozen_unix_s = f->now_unix_s;
    f->measure->changes = f->changes;
    steer_measure_set_refusal(f->measure, "", f->now_unix_s);
    steer_log(STEER_LOG_INFO, "control", "latency table %s: %s; in %.1f ms", f->measure->name,
              detail, (double)(steer_clock_mono_ns() - begin) / 1e6);
    return STEER_OK;
}

static enum steer_err freeze(struct steer_control *c, struct freezing *f, struct steer_diag *diag)
{
    struct steer_measure *m = f->measure;
    const uint64_t judged_unix_s = m->judged_unix_s;
    enum steer_err err = STEER_OK;
    m->judged_unix_s = f->now_unix_s;
    if (f->changes) {
        err = publish(c, f, diag);
        // Neither a table of before nor an assertion that is not there to be overridden says anything of what is measured.
        if (err != STEER_OK && f->asked && (err == STEER_ENOTFOUND || f->asked->to))
            m->judged_unix_s = judged_unix_s;
        else if (err != STEER_OK)
            refuse(c, f, diag);
    } else {
        m->held = f->held;
        steer_measure_set_refusal(m, "", f->now_unix_s);
        store_judgement(c, m, NULL);
    }
    return err;
}

static void take_results(void *ctx)
{
    control_take_results(ctx, false);
}

// Freezing drops estimates; they must not stay on the disk until the next samples come.
static void store_dropped(struct steer_control *c, struct steer_measure *m)
{
    struct steer_diag diag = {0};
    if (control_store_estimates(c, m, &diag) != STEER_OK)
        steer_log(STEER_LOG_ERROR, "control",
                  "latency table %s: old estimates stay in the store: %s", m->name, diag.message);
}

static enum steer_err freeze_estimates(struct steer_control *c, struct freezing *f,
                                       struct steer_diag *diag)
{
    const struct steer_measure_moment moment = {steer_linker_catalog(c->linker),
                                                steer_linker_geo(c->linker), f->now_unix_s,
                                                take_results, c};
    f->next = steer_measure_freeze(f->measure, table_of(c, f->measure->name), &moment, &f->changes);
    enum steer_err err = freeze(c, f, diag);
    steer_latency_unref(f->next);
    store_dropped(c, f->measure);
    return err;
}

void control_freeze_due(struct steer_control *c, uint64_t now_unix_s)
{
    for (size_t i = 0; i < steer_measures_count(c->measures); i++) {
        struct steer_diag diag = {0};
        struct freezing f = {.measure = steer_measures_at(c->measures, i),
                             .now_unix_s = now_unix_s};
        if (!steer_measure_is_due(f.measure, now_unix_s))
            continue;
        if (steer_measure_is_silent(f.measure))
            f.measure->judged_unix_s = now_unix_s;
        else
            (void)!freeze_estimates(c, &f, &diag);
    }
}

// ---- asked for -----------------------------------------------------------------------------------

struct freeze_job {
    const struct steer_control_freeze *asked;
    json_t *reply;
    struct steer_latency *kept;
    struct steer_diag *diag;
};

static enum steer_err take_kept(void *ctx, const struct steer_store_frozen *row)
{
    struct freeze_job *job = ctx;
    return control_parse_frozen(row, &job->kept, job->diag);
}

static enum steer_err freeze_kept(struct steer_control *c, struct freeze_job *job,
                                  struct freezing *f, struct steer_diag *diag)
{
    job->diag = diag;
    enum steer_err err =
        steer_store_load_frozen(c->store, job->asked->table, job->asked->to, take_kept, job, diag);
    if (err != STEER_OK)
        return err;
    f->next = job->kept;
    f->held = true;
    f->changes =
        (uint32_t)steer_latency_differences(table_of(c, job->asked->table)->frozen, f->next);
    err = freeze(c, f, diag);
    steer_latency_unref(f->next);
    return err;
}

static enum steer_err run_freeze(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    struct freeze_job *job = arg;
    struct freezing f = {.now_unix_s = steer_clock_unix_s(), .asked = job->asked};
    const char *name = job->asked->table;
    enum steer_err err = control_find_measure(c, name, &f.measure, diag);
    if (err == STEER_OK)
        err = job->asked->to ? freeze_kept(c, job, &f, diag) : freeze_estimates(c, &f, diag);
    if (err != STEER_OK)
        return err;
    const struct steer_object *table = table_of(c, name);
    job->reply = json_pack("{s:s,s:b,s:I,s:I,s:I,s:b}", "name", name, "changed", f.changes != 0,
                           "number", (json_int_t)table->frozen_number, "rows",
                           (json_int_t)(table->frozen ? steer_latency_count(table->frozen) : 0),
                           "changes", (json_int_t)f.changes, "held", f.measure->held);
    return STEER_OK;
}

enum steer_err steer_control_latency_freeze(struct steer_control *c,
                                            const struct steer_control_freeze *asked,
                                            json_t **reply, struct steer_diag *diag)
{
    struct freeze_job job = {.asked = asked};
    if (asked->override_assert_count && !(asked->reason && asked->reason[0]))
        return steer_diag_set(
            diag, STEER_EINVAL,
            "overriding an assertion needs a reason, for whoever reads the audit");
    enum steer_err err = control_call(c, run_freeze, &job, diag);
    if (err == STEER_OK)
        *reply = job.reply;
    return err;
}
