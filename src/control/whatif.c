// SPDX-License-Identifier: GPL-3.0-or-later
// The door of explain: the question, and what it supposes.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control_internal.h"
#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/rr/type.h"

struct explain_job {
    const struct steer_control_explain *asked;
    struct steer_explain_question question;
    struct steer_document **documents;
    struct steer_down *down;
    json_t *answer;
};

// ---- what is down --------------------------------------------------------------------------------

static enum steer_err read_down(const struct steer_catalog *catalog, const char *text,
                                struct steer_down *down, struct steer_diag *diag)
{
    static const enum steer_kind kinds[] = {STEER_ENDPOINT, STEER_SITE, STEER_POOL};
    const char *colon = strchr(text, ':');
    for (unsigned i = 0; colon && i < STEER_ARRAY_LEN(kinds); i++) {
        const char *word = steer_kind_text(kinds[i]);
        if (strlen(word) != (size_t)(colon - text) || strncmp(word, text, strlen(word)) != 0)
            continue;
        *down = (struct steer_down){kinds[i], colon + 1};
        return steer_catalog_get(catalog, kinds[i], colon + 1)
                   ? STEER_OK
                   : control_not_defined(catalog, kinds[i], colon + 1, diag);
    }
    return steer_diag_set(diag, STEER_EINVAL,
                          "'%.80s' cannot be down; give endpoint:NAME, site:NAME or pool:NAME",
                          text);
}

// ---- health as it was ----------------------------------------------------------------------------

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

// As steer_time_format writes it; 0 for anything else.
static uint64_t moment_of(const char *text)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return end && !*end ? (uint64_t)timegm(&tm) : 0;
}

static enum steer_err take_check(struct steer_vitals *vitals, const char *endpoint,
                                 const json_t *check, struct steer_diag *diag)
{
    struct steer_vital *vital = steer_vitals_find(vitals, endpoint, text_of(check, "check"));
    const char *verdict = text_of(check, "verdict");
    const bool up = strcmp(verdict, "up") == 0;
    if (!up && strcmp(verdict, "down") != 0 && strcmp(verdict, "unknown") != 0)
        return steer_diag_set(diag, STEER_EINVAL,
                              "health: endpoint '%s': the verdict of a check is up, down or "
                              "unknown, not '%.40s'",
                              endpoint, verdict);
    if (vital && strcmp(verdict, "unknown") != 0) // else the pair is not there any more
        steer_verdict_restore(&vital->state, up ? STEER_UP : STEER_DOWN,
                              moment_of(text_of(check, "since")), text_of(check, "reason"));
    return STEER_OK;
}

static enum steer_err take_override(struct steer_vitals *vitals, const json_t *override,
                                    struct steer_diag *diag)
{
    struct steer_override o = {.expires_unix_s = 0};
    if (!json_is_object(override))
        return STEER_OK;
    if (!steer_forced_parse(text_of(override, "state"), &o.state))
        return steer_diag_set(diag, STEER_EINVAL,
                              "health: the state of an override is up, down or drained");
    char *texts[] = {steer_strdup(text_of(override, "on")), steer_strdup(text_of(override, "name")),
                     steer_strdup(text_of(override, "reason")),
                     steer_strdup(text_of(override, "owner"))};
    o.kind = texts[0];
    o.target = texts[1];
    o.reason = texts[2];
    o.owner = texts[3];
    steer_vitals_override(vitals, &o);
    for (unsigned i = 0; i < STEER_ARRAY_LEN(texts); i++)
        free(texts[i]);
    return STEER_OK;
}

// What status says of endpoints: their checks, and the override that holds for each.
static enum steer_err read_health(struct steer_vitals *vitals, const json_t *health,
                                  struct steer_diag *diag)
{
    const json_t *endpoints = json_object_get(health, "endpoints"), *endpoint, *check;
    size_t i, k;
    enum steer_err err = STEER_OK;
    if (!json_is_array(endpoints))
        return steer_diag_set(
            diag, STEER_EINVAL,
            "health must have a list of endpoints, as in `steerctl status --json`");
    json_array_foreach(endpoints, i, endpoint)
    {
        json_array_foreach(json_object_get(endpoint, "checks"), k, check)
        {
            if (err == STEER_OK)
                err = take_check(vitals, text_of(endpoint, "name"), check, diag);
        }
        if (err == STEER_OK)
            err = take_override(vitals, json_object_get(endpoint, "override"), diag);
    }
    return err;
}

// ---- on control's thread -------------------------------------------------------------------------

static enum steer_err suppose(struct steer_control *c, struct explain_job *job,
                              const struct steer_catalog *catalog, struct steer_diag *diag)
{
    const struct steer_control_explain *asked = job->asked;
    struct steer_vitals *vitals = asked->health ? steer_vitals_create() : NULL;
    enum steer_err err = STEER_OK;
    for (size_t i = 0; i < asked->down_count && err == STEER_OK; i++)
        err = read_down(catalog, asked->down[i], &job->down[i], diag);
    if (vitals && err == STEER_OK) {
        steer_vitals_follow(vitals, catalog, NULL, NULL, NULL);
        steer_vitals_copy_switches(vitals,
                                   c->vitals); // what was saved does not say where they stood
        err = read_health(vitals, asked->health, diag);
    }
    job->question.down = job->down;
    job->question.down_count = asked->down_count;
    job->question.vitals = vitals;
    if (err == STEER_OK)
        job->answer = steer_linker_explain(c->linker, &job->question);
    steer_vitals_destroy(vitals);
    return err;
}

static enum steer_err run_explain(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    struct explain_job *job = arg;
    const struct steer_control_apply *with = job->asked->with;
    if (!with)
        return suppose(c, job, steer_linker_catalog(c->linker), diag);
    const struct steer_link_documents_options options = {with->take_over, with->prune};
    struct steer_link_summary summary = {0};
    struct steer_link *link = steer_link_begin(c->linker);
    steer_link_set_planning(link);
    enum steer_err err =
        steer_link_documents(link, job->documents, with->count, &options, &summary, diag);
    if (err == STEER_OK)
        err = steer_link_prepare(link, 0, diag);
    job->question.link = link;
    if (err == STEER_OK)
        err = suppose(c, job, steer_link_catalog(link), diag);
    steer_link_abort(link);
    steer_link_summary_fini(&summary);
    return err;
}

// ---- the door ------------------------------------------------------------------------------------

static enum steer_err read_question(const struct steer_control_explain *asked,
                                    struct steer_explain_question *question,
                                    struct steer_diag *diag)
{
    question->client = asked->client;
    question->source = asked->source;
    enum steer_err err = steer_name_parse(asked->name, NULL, &question->name, diag);
    if (err != STEER_OK)
        return err;
    steer_name_lower(&question->name);
    if (!steer_type_parse(asked->type, &question->type))
        return steer_diag_set(diag, STEER_EINVAL,
                              "'%s' is not a record type; give A, AAAA, CNAME, ...", asked->type);
    return STEER_OK;
}

enum steer_err steer_control_explain(struct steer_control *c,
                                     const struct steer_control_explain *question, json_t **answer,
                                     struct steer_diag *diag)
{
    const size_t count = question->with ? question->with->count : 0;
    struct explain_job job = {.asked = question};
    size_t parsed = 0;
    job.documents = steer_calloc(count, sizeof *job.documents);
    job.down = steer_calloc(question->down_count, sizeof *job.down);
    enum steer_err err = read_question(question, &job.question, diag);
    for (; parsed < count && err == STEER_OK; parsed += err == STEER_OK) {
        const struct steer_control_text *t = &question->with->texts[parsed];
        err = steer_document_parse(t->data, t->len, t->name, t->name, &job.documents[parsed], diag);
    }
    if (err == STEER_OK)
        err = control_call(c, run_explain, &job, diag);
    if (err == STEER_OK)
        *answer = job.answer;
    for (size_t i = 0; i < parsed; i++)
        steer_document_destroy(job.documents[i]);
    free(job.documents);
    free(job.down);
    return err;
}
