// SPDX-License-Identifier: GPL-3.0-or-later
// Applying documents, and reading them back.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_internal.h"
#include "steerd/base/clock.h"
#include "steerd/base/hash.h"
#include "steerd/base/log.h"
#include "steerd/base/mem.h"

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

// ---- documents -----------------------------------------------------------------------------------

void control_keep_document(struct steer_control *c, const char *name, const char *text, size_t len,
                           uint64_t applied_unix_s)
{
    size_t at = 0; // in order of name, as the store has them
    while (at < c->document_count && strcmp(c->documents[at].name, name) < 0)
        at++;
    struct document_text *d = c->documents ? &c->documents[at] : NULL;
    if (at == c->document_count || strcmp(d->name, name) != 0) {
        c->documents =
            steer_grow(c->documents, &c->document_cap, c->document_count + 1, sizeof *c->documents);
        d = &c->documents[at];
        memmove(d + 1, d, (c->document_count++ - at) * sizeof *d);
        *d = (struct document_text){.name = steer_strdup(name)};
    }
    free(d->text);
    d->text = steer_strndup(text, len);
    d->len = len;
    d->applied_unix_s = applied_unix_s;
}

struct apply_job {
    const struct steer_control_apply *apply;
    struct steer_document **documents;
    const struct steer_link *link; // under way
    struct steer_link_summary summary;
    json_t *warnings;
    uint64_t build_ns, commit_ns, now_unix_s;
    bool changed;
    bool planning, all;
    struct steer_plan *plan;
};

static enum steer_err store_texts(struct steer_control *c, void *ctx, struct steer_diag *diag)
{
    struct apply_job *job = ctx;
    enum steer_err err = STEER_OK;
    for (size_t i = 0; i < job->apply->count && err == STEER_OK; i++) {
        const struct steer_control_text *t = &job->apply->texts[i];
        err = steer_store_put_document(c->store, t->name, t->data, t->len, job->now_unix_s, diag);
    }
    return err;
}

// What a change writes beside its journal.
static enum steer_err store_extra(struct steer_control *c, void *ctx, struct steer_diag *diag)
{
    const struct apply_job *job = ctx;
    enum steer_err err = store_texts(c, ctx, diag);
    if (err == STEER_OK)
        err = control_audit_waived(c, job->link, job->apply->by, job->apply->reason, diag);
    return err;
}

// Nothing but, perhaps, comments changed: the texts are kept, and the world stays as it is.
static enum steer_err commit_texts(struct steer_control *c, struct apply_job *job,
                                   struct steer_diag *diag)
{
    enum steer_err err = steer_store_begin(c->store, diag);
    if (err == STEER_OK)
        err = store_texts(c, job, diag);
    if (err == STEER_OK)
        err = control_audit(c, job->apply->by, "apply", job->apply->texts[0].name, "", diag);
    if (err == STEER_OK)
        err = steer_store_commit(c->store, diag);
    if (err != STEER_OK)
        steer_store_rollback(c->store);
    return err;
}

static void log_apply(const struct apply_job *job)
{
    const struct steer_link_summary *s = &job->summary;
    struct steer_buf names = {0};
    for (size_t i = 0; i < job->apply->count; i++)
        steer_buf_printf(&names, "%s%s", i ? ", " : "", job->apply->texts[i].name);
    steer_log(
        STEER_LOG_INFO, "control",
        "applied %s: %zu created, %zu replaced, %zu removed; built in %.1f ms, stored in %.1f ms",
        names.data, s->created_count, s->replaced_count, s->removed_count, ms(job->build_ns),
        ms(job->commit_ns));
    steer_buf_fini(&names);
}

static json_t *diag_json(const struct steer_diag *d)
{
    return json_pack("{s:o,s:i,s:i,s:o}", "file", control_text(d->file), "line", (int)d->line,
                     "column", (int)d->column, "message", control_text(d->message));
}

static void keep_advice(struct apply_job *job, const struct steer_link *link)
{
    size_t count;
    const struct steer_diag *advice = steer_link_advice(link, &count);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(job->warnings, diag_json(&advice[i]));
}

static enum steer_err run_apply(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    struct apply_job *job = arg;
    const struct steer_link_documents_options options = {job->apply->take_over, job->apply->prune};
    uint64_t begin = steer_clock_mono_ns();
    struct steer_link *link = steer_link_begin(c->linker);
    job->now_unix_s = steer_clock_unix_s();
    enum steer_err err = steer_link_documents(link, job->documents, job->apply->count, &options,
                                              &job->summary, diag);
    if (job->planning)
        steer_link_set_planning(link);
    for (size_t i = 0; i < job->apply->override_assert_count && err == STEER_OK; i++)
        err = steer_link_waive(link, job->apply->override_asserts[i], diag);
    if (err != STEER_OK)
        control_refuse(c, link);
    else
        err = control_prepare(c, link, begin, diag);
    if (err != STEER_OK)
        return err;
    job->link = link;
    steer_link_review(link, job->documents, job->apply->count);
    keep_advice(job, link);
    job->build_ns = c->last_build_ns;
    job->changed =
        job->summary.created_count || job->summary.replaced_count || job->summary.removed_count;
    if (job->planning)
        job->plan = steer_link_plan(link, job->all);
    if (job->planning)
        control_place_assertions(c, steer_plan_assertions(job->plan));
    if (job->apply->dry_run || job->planning) {
        steer_link_abort(link);
        return STEER_OK;
    }
    const struct control_commit commit = {.by = job->apply->by,
                                          .action = "apply",
                                          .subject = job->apply->texts[0].name,
                                          .extra = store_extra,
                                          .ctx = job};
    begin = steer_clock_mono_ns();
    if (job->changed) {
        err = control_commit(c, link, &commit, diag);
    } else {
        steer_link_abort(link);
        err = commit_texts(c, job, diag);
    }
    if (err != STEER_OK)
        return err;
    job->commit_ns = steer_clock_mono_ns() - begin;
    for (size_t i = 0; i < job->apply->count; i++)
        control_keep_document(c, job->apply->texts[i].name, job->apply->texts[i].data,
                              job->apply->texts[i].len, job->now_unix_s);
    log_apply(job);
    return STEER_OK;
}

static json_t *strings(char *const *items, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, control_text(items[i]));
    return list;
}

static json_t *apply_json(const struct apply_job *job)
{
    for (size_t i = 0; i < job->apply->count; i++)
        for (uint32_t w = 0; w < job->documents[i]->warning_count; w++)
            json_array_append_new(job->warnings, diag_json(&job->documents[i]->warnings[w]));
    const struct steer_link_summary *s = &job->summary;
    return json_pack(
        "{s:b,s:o,s:o,s:o,s:I,s:O,s:f,s:f}", "changed", job->changed, "created",
        strings(s->created, s->created_count), "replaced", strings(s->replaced, s->replaced_count),
        "removed", strings(s->removed, s->removed_count), "unchanged", (json_int_t)s->unchanged,
        "warnings", job->warnings, "build_ms", ms(job->build_ns), "commit_ms", ms(job->commit_ns));
}

static void job_fini(struct apply_job *job, size_t parsed)
{
    steer_link_summary_fini(&job->summary);
    for (size_t i = 0; i < parsed; i++)
        steer_document_destroy(job->documents[i]);
    steer_plan_destroy(job->plan);
    free(job->documents);
    json_decref(job->warnings);
}

// Parses on the caller's thread, and has the rest done by control.
static enum steer_err job_run(struct steer_control *c, struct apply_job *job, size_t *parsed,
                              struct steer_diag *diag)
{
    const struct steer_control_apply *apply = job->apply;
    enum steer_err err = STEER_OK;
    if (!apply->count)
        return steer_diag_set(diag, STEER_EINVAL, "no document was given");
    if (apply->override_assert_count && !job->planning && !(apply->reason && apply->reason[0]))
        return steer_diag_set(
            diag, STEER_EINVAL,
            "overriding an assertion needs a reason, for whoever reads the audit");
    job->documents = steer_calloc(apply->count, sizeof *job->documents);
    for (; *parsed < apply->count; (*parsed)++) {
        const struct steer_control_text *t = &apply->texts[*parsed];
        err =
            steer_document_parse(t->data, t->len, t->name, t->name, &job->documents[*parsed], diag);
        if (err != STEER_OK)
            return err;
    }
    return control_call(c, run_apply, job, diag);
}

enum steer_err steer_control_apply(struct steer_control *c, const struct steer_control_apply *apply,
                                   json_t **summary, struct steer_diag *diag)
{
    struct apply_job job = {.apply = apply, .warnings = json_array()};
    size_t parsed = 0;
    enum steer_err err = job_run(c, &job, &parsed, diag);
    if (err == STEER_OK)
        *summary = apply_json(&job);
    job_fini(&job, parsed);
    return err;
}

static bool all_hold(const json_t *assertions)
{
    size_t i;
    const json_t *assertion;
    json_array_foreach(assertions, i, assertion)
    {
        if (!json_is_true(json_object_get(assertion, "holds")) &&
            !json_is_true(json_object_get(assertion, "waived")))
            return false;
    }
    return true;
}

enum steer_err steer_control_plan(struct steer_control *c, const struct steer_control_apply *apply,
                                  const struct steer_plan_how *how, struct steer_buf *plan,
                                  struct steer_diag *diag)
{
    struct apply_job job = {
        .apply = apply, .warnings = json_array(), .planning = true, .all = how->all};
    size_t parsed = 0;
    enum steer_err err = job_run(c, &job, &parsed, diag);
    const uint64_t begin = steer_clock_mono_ns();
    steer_buf_puts(plan, "{");
    if (err == STEER_OK)
        err = steer_plan_run(job.plan, how, plan, diag);
    if (err == STEER_OK) {
        json_t *rest = apply_json(&job);
        json_object_set_new(rest, "holds", json_boolean(all_hold(steer_plan_assertions(job.plan))));
        json_object_set_new(rest, "plan_ms", json_real(ms(steer_clock_mono_ns() - begin)));
        char *text = json_dumps(rest, JSON_COMPACT);
        steer_buf_printf(plan, ",%s", text ? text + 1 : "}"); // the rest of one object
        free(text);
        json_decref(rest);
    }
    job_fini(&job, parsed);
    return err;
}

static enum steer_err run_documents(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    json_t *list = json_array();
    char when[32];
    (void)diag;
    for (size_t i = 0; i < c->document_count; i++) {
        const struct document_text *d = &c->documents[i];
        json_array_append_new(list,
                              json_pack("{s:o,s:s,s:I}", "name", control_text(d->name), "applied",
                                        steer_time_format(d->applied_unix_s, when, sizeof when),
                                        "bytes", (json_int_t)d->len));
    }
    *(json_t **)arg = list;
    return STEER_OK;
}

enum steer_err steer_control_documents(struct steer_control *c, json_t **list,
                                       struct steer_diag *diag)
{
    return control_call(c, run_documents, list, diag);
}

struct document_job {
    const char *name;
    struct steer_buf *text;
};

static enum steer_err run_document(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    struct document_job *job = arg;
    for (size_t i = 0; i < c->document_count; i++) {
        if (strcmp(c->documents[i].name, job->name) == 0) {
            steer_buf_add(job->text, c->documents[i].text, c->documents[i].len);
            return STEER_OK;
        }
    }
    return steer_diag_set(diag, STEER_ENOTFOUND, "no document '%s' was applied", job->name);
}

enum steer_err steer_control_document(struct steer_control *c, const char *name,
                                      struct steer_buf *text, struct steer_diag *diag)
{
    struct document_job job = {name, text};
    return control_call(c, run_document, &job, diag);
}
