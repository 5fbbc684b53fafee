// SPDX-License-Identifier: GPL-3.0-or-later
// The doors of overrides. One for all clients is health: it changes cells. One for some clients changes who is in which
// class: it is a link, as an edit is.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_internal.h"
#include "steerd/base/clock.h"
#include "steerd/base/hash.h"
#include "steerd/base/log.h"
#include "steerd/base/mem.h"

enum { EXPIRES_MAX_S = 10 * 366 * 86400 };

// ---- what is overridden --------------------------------------------------------------------------

static bool target_kind(const char *text, enum steer_kind *kind)
{
    static const enum steer_kind kinds[] = {STEER_ENDPOINT, STEER_POOL, STEER_SITE, STEER_CHECK};
    for (unsigned i = 0; i < STEER_ARRAY_LEN(kinds); i++) {
        if (strcmp(text, steer_kind_text(kinds[i])) == 0) {
            *kind = kinds[i];
            return true;
        }
    }
    return false;
}

static enum steer_err check_target(const struct steer_control *c, const char *kind_text,
                                   const char *target, enum steer_kind *kind,
                                   struct steer_diag *diag)
{
    if (!target_kind(kind_text, kind))
        return steer_diag_set(diag, STEER_EINVAL,
                              "'%s' cannot be overridden; give endpoint, pool, site or check",
                              kind_text);
    const struct steer_catalog *catalog = steer_linker_catalog(c->linker);
    if (steer_catalog_get(catalog, *kind, target))
        return STEER_OK;
    return control_not_defined(catalog, *kind, target, diag);
}

// "site fra", "site fra for 203.0.113.0/24"
static void subject_of(struct steer_buf *out, const char *kind, const char *target,
                       const char *clients)
{
    steer_buf_printf(out, "%s %s%s%s", kind, target, *clients ? " for " : "", clients);
}

// ---- the store -----------------------------------------------------------------------------------

// put NULL: the row goes. clients: "" for all.
static enum steer_err write_override(struct steer_control *c, const char *by, const char *action,
                                     const struct steer_store_override *put, const char *kind,
                                     const char *target, const char *clients,
                                     struct steer_diag *diag)
{
    struct steer_buf subject = {0};
    subject_of(&subject, kind, target, clients);
    enum steer_err err = steer_store_begin(c->store, diag);
    if (err == STEER_OK)
        err = put ? steer_store_put_override(c->store, put, diag)
                  : steer_store_delete_override(c->store, kind, target, clients, diag);
    if (err == STEER_OK)
        err = control_audit(c, by, action, subject.data, put ? put->reason : "", diag);
    if (err == STEER_OK)
        err = steer_store_commit(c->store, diag);
    if (err != STEER_OK)
        steer_store_rollback(c->store);
    steer_buf_fini(&subject);
    return err;
}

// It ends now whatever the disk says; a row that stays behind is left out at the next start.
void control_write_expired(struct steer_control *c, const char *kind, const char *target,
                           const char *clients)
{
    struct steer_diag diag = {0};
    if (write_override(c, NULL, "override expired", NULL, kind, target, clients, &diag) != STEER_OK)
        steer_log(STEER_LOG_ERROR, "control", "an expired override stays in the store: %s",
                  diag.message);
}

// ---- for all clients -----------------------------------------------------------------------------

static void in_force(struct steer_control *c, const char *kind_text, const char *target,
                     const char *what)
{
    enum steer_kind kind;
    if (!target_kind(kind_text, &kind))
        return;
    uint32_t changed = steer_linker_refresh(c->linker, kind, target);
    steer_log(STEER_LOG_INFO, "control", "override on %s %s: %s; %u cells changed", kind_text,
              target, what, changed);
}

static enum steer_err set_for_all(struct steer_control *c, const struct steer_control_override *o,
                                  const struct steer_store_override *row, enum steer_forced state,
                                  struct steer_diag *diag)
{
    enum steer_err err =
        write_override(c, o->by, "override set", row, o->kind, o->target, "", diag);
    if (err != STEER_OK)
        return err;
    char *texts[] = {steer_strdup(o->kind), steer_strdup(o->target), steer_strdup(o->reason),
                     steer_strdup(row->owner)};
    const struct steer_override keep = {texts[0], texts[1],        texts[2],           texts[3],
                                        state,    row->set_unix_s, row->expires_unix_s};
    steer_vitals_override(c->vitals, &keep);
    for (unsigned i = 0; i < STEER_ARRAY_LEN(texts); i++)
        free(texts[i]);
    in_force(c, o->kind, o->target, o->state);
    return STEER_OK;
}

// ---- for some clients ----------------------------------------------------------------------------

static const struct steer_rehearsals *rehearsals(const struct steer_control *c)
{
    return steer_catalog_rehearsals(steer_linker_catalog(c->linker));
}

// Compiles what can feel the difference.
static enum steer_err link_rehearsals(struct steer_control *c, const struct steer_rehearsals *next,
                                      struct steer_link **link, struct steer_diag *diag)
{
    const uint64_t begin = steer_clock_mono_ns();
    struct steer_link *made = steer_link_begin(c->linker);
    steer_link_set_rehearsals(made, next);
    enum steer_err err = control_prepare(c, made, begin, diag);
    *link = err == STEER_OK ? made : NULL;
    return err;
}

static void publish(struct steer_control *c, struct steer_link *link, const char *kind,
                    const char *target, const char *clients, const char *what)
{
    const size_t compiled = steer_link_compiled(link);
    steer_link_commit(link);
    control_follow(c);
    steer_log(STEER_LOG_INFO, "control",
              "override on %s %s for %s: %s; %zu records compiled in %.1f ms", kind, target,
              clients, what, compiled, (double)c->last_build_ns / 1e6);
}

static enum steer_err set_for_some(struct steer_control *c, const struct steer_control_override *o,
                                   struct steer_store_override *row,
                                   const struct steer_rehearsal *add, struct steer_diag *diag)
{
    struct steer_rehearsals *next;
    struct steer_buf clients = {0};
    enum steer_err err = steer_rehearsals_with(rehearsals(c), add, &next, diag);
    if (err != STEER_OK)
        return err;
    steer_clients_format(add->clients, &clients);
    row->clients = clients.data;
    struct steer_link *link;
    err = link_rehearsals(c, next, &link, diag);
    if (err == STEER_OK)
        err = write_override(c, o->by, "override set", row, o->kind, o->target, clients.data, diag);
    if (err == STEER_OK)
        publish(c, link, o->kind, o->target, clients.data, o->state);
    else if (link)
        control_refuse(c, link);
    steer_rehearsals_unref(next);
    steer_buf_fini(&clients);
    return err;
}

static enum steer_err clear_for_some(struct steer_control *c, const struct steer_rehearsal *gone,
                                     const char *by, struct steer_diag *diag)
{
    struct steer_buf clients = {0};
    const char *kind = steer_kind_text(gone->kind);
    char *target = steer_strdup(gone->target);
    struct steer_rehearsals *next = steer_rehearsals_without(rehearsals(c), gone);
    steer_clients_format(gone->clients, &clients);
    struct steer_link *link;
    enum steer_err err = link_rehearsals(c, next, &link, diag);
    if (err == STEER_OK)
        err = write_override(c, by, "override clear", NULL, kind, target, clients.data, diag);
    if (err == STEER_OK)
        publish(c, link, kind, target, clients.data, "cleared");
    else if (link)
        control_refuse(c, link);
    steer_rehearsals_unref(next);
    steer_buf_fini(&clients);
    free(target);
    return err;
}

static void tell_expired(struct steer_control *c, const struct steer_rehearsal *r)
{
    struct steer_buf clients = {0};
    steer_clients_format(r->clients, &clients);
    control_write_expired(c, steer_kind_text(r->kind), r->target, clients.data);
    steer_log(STEER_LOG_INFO, "control", "override on %s %s for %s: expired",
              steer_kind_text(r->kind), r->target, clients.data);
    steer_buf_fini(&clients);
}

// All that end now end with one version.
static void expire_rehearsals(struct steer_control *c, uint64_t now_unix_s)
{
    struct steer_rehearsals *before = steer_rehearsals_ref(rehearsals(c));
    struct steer_rehearsals *next = steer_rehearsals_at_time(before, now_unix_s);
    struct steer_diag diag = {0};
    struct steer_link *link;
    const bool some = next != before;
    if (some && link_rehearsals(c, next, &link, &diag) == STEER_OK) {
        steer_link_commit(link);
        for (size_t i = 0; i < steer_rehearsals_count(before); i++) {
            const struct steer_rehearsal *r = steer_rehearsals_at(before, i);
            if (!steer_rehearsals_find(next, r->kind, r->target, r->clients))
                tell_expired(c, r);
        }
    } else if (some) {
        steer_log(STEER_LOG_ERROR, "control", "an override for some clients does not end: %s",
                  diag.message);
    }
    steer_rehearsals_unref(next);
    steer_rehearsals_unref(before);
}

// ---- setting -------------------------------------------------------------------------------------

static enum steer_err run_override_set(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    const struct steer_control_override *o = arg;
    struct steer_clients clients;
    struct steer_rehearsal r = {.clients = &clients};
    enum steer_err err = check_target(c, o->kind, o->target, &r.kind, diag);
    if (err != STEER_OK)
        return err;
    if (!steer_forced_parse(o->state, &r.state))
        return steer_diag_set(diag, STEER_EINVAL, "'%s' is not a state; give up, down or drained",
                              o->state);
    if (!o->reason || !o->reason[0])
        return steer_diag_set(diag, STEER_EINVAL,
                              "an override needs a reason, for whoever finds it later");
    if (o->expires_in_s > EXPIRES_MAX_S)
        return steer_diag_set(diag, STEER_EINVAL, "an override ends within ten years, or never");
    r.target = o->target;
    r.reason = o->reason;
    r.owner = o->owner ? o->owner : "";
    r.set_unix_s = steer_clock_unix_s();
    r.expires_unix_s = o->expires_in_s ? r.set_unix_s + o->expires_in_s : 0;
    struct steer_store_override row = {.kind = o->kind,
                                       .target = o->target,
                                       .clients = "",
                                       .state = o->state,
                                       .reason = r.reason,
                                       .owner = r.owner,
                                       .set_unix_s = r.set_unix_s,
                                       .expires_unix_s = r.expires_unix_s};
    if (!o->clients)
        return set_for_all(c, o, &row, r.state, diag);
    err = steer_clients_parse(o->clients, &clients, diag);
    return err == STEER_OK ? set_for_some(c, o, &row, &r, diag) : err;
}

enum steer_err steer_control_override_set(struct steer_control *c,
                                          const struct steer_control_override *o,
                                          struct steer_diag *diag)
{
    struct steer_control_override copy = *o;
    return control_call(c, run_override_set, &copy, diag);
}

// ---- clearing ------------------------------------------------------------------------------------

struct clear_job {
    const char *kind, *target, *clients, *by;
};

// "there is no override on site 'fra' for all clients; there is one for 203.0.113.0/24"
static enum steer_err not_there(const struct steer_control *c, const struct clear_job *job,
                                struct steer_diag *diag)
{
    struct steer_buf others = {0};
    const bool for_all = steer_vitals_get_override(c->vitals, job->kind, job->target);
    const struct steer_rehearsals *set = rehearsals(c);
    for (size_t i = 0; i < steer_rehearsals_count(set); i++) {
        const struct steer_rehearsal *r = steer_rehearsals_at(set, i);
        if (strcmp(steer_kind_text(r->kind), job->kind) != 0 || strcmp(r->target, job->target) != 0)
            continue;
        steer_buf_puts(&others, others.len ? ", and one for " : "; there is one for ");
        steer_clients_format(r->clients, &others);
    }
    if (for_all)
        steer_buf_puts(&others,
                       others.len ? ", and one for all clients" : "; there is one for all clients");
    enum steer_err err =
        steer_diag_set(diag, STEER_ENOTFOUND, "there is no override on %s '%s'%s%.200s%.600s",
                       job->kind, job->target,
                       job->clients ? " for "
                       : others.len ? " for all clients"
                                    : "",
                       job->clients ? job->clients : "", others.len ? others.data : "");
    steer_buf_fini(&others);
    return err;
}

static enum steer_err run_override_clear(struct steer_control *c, void *arg,
                                         struct steer_diag *diag)
{
    const struct clear_job *job = arg;
    struct steer_clients clients;
    enum steer_kind kind;
    enum steer_err err;
    if (job->clients) {
        err = steer_clients_parse(job->clients, &clients, diag);
        if (err != STEER_OK)
            return err;
        const struct steer_rehearsal *gone =
            target_kind(job->kind, &kind)
                ? steer_rehearsals_find(rehearsals(c), kind, job->target, &clients)
                : NULL;
        return gone ? clear_for_some(c, gone, job->by, diag) : not_there(c, job, diag);
    }
    if (!steer_vitals_get_override(c->vitals, job->kind, job->target))
        return not_there(c, job, diag);
    err = write_override(c, job->by, "override clear", NULL, job->kind, job->target, "", diag);
    if (err != STEER_OK)
        return err;
    steer_vitals_clear_override(c->vitals, job->kind, job->target);
    in_force(c, job->kind, job->target, "cleared");
    return STEER_OK;
}

enum steer_err steer_control_override_clear(struct steer_control *c, const char *kind,
                                            const char *target, const char *clients, const char *by,
                                            struct steer_diag *diag)
{
    struct clear_job job = {kind, target, clients, by};
    return control_call(c, run_override_clear, &job, diag);
}

void control_expire_overrides(struct steer_control *c, uint64_t now_unix_s)
{
    for (size_t i = 0; i < steer_vitals_override_count(c->vitals);) {
        const struct steer_override *o = steer_vitals_override_at(c->vitals, i);
        if (!o->expires_unix_s || o->expires_unix_s > now_unix_s) {
            i++;
            continue;
        }
        char *kind = steer_strdup(o->kind);
        char *target = steer_strdup(o->target);
        control_write_expired(c, kind, target, "");
        steer_vitals_clear_override(c->vitals, kind, target);
        in_force(c, kind, target, "expired");
        free(kind);
        free(target);
    }
    if (rehearsals(c))
        expire_rehearsals(c, now_unix_s);
}

// ---- listing -------------------------------------------------------------------------------------

// clients: stolen.
static json_t *override_json(const struct steer_rehearsal *o, json_t *clients)
{
    char set[32];
    char expires[32] = "";
    if (o->expires_unix_s)
        steer_time_format(o->expires_unix_s, expires, sizeof expires);
    return json_pack("{s:s,s:s,s:o,s:s,s:s,s:s,s:s,s:o}", "kind", steer_kind_text(o->kind),
                     "target", o->target, "clients", clients, "state", steer_forced_text(o->state),
                     "reason", o->reason, "owner", o->owner, "set",
                     steer_time_format(o->set_unix_s, set, sizeof set), "expires",
                     o->expires_unix_s ? json_string(expires) : json_null());
}

static json_t *clients_json(const struct steer_clients *clients)
{
    json_t *list = json_array();
    char text[64];
    for (uint32_t i = 0; i < clients->count; i++)
        json_array_append_new(
            list, json_string(steer_prefix_format(&clients->prefixes[i], text, sizeof text)));
    return list;
}

static enum steer_err run_overrides(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    json_t *list = json_array();
    (void)diag;
    for (size_t i = 0; i < steer_vitals_override_count(c->vitals); i++) {
        const struct steer_override *o = steer_vitals_override_at(c->vitals, i);
        struct steer_rehearsal one = {.state = o->state,
                                      .target = o->target,
                                      .reason = o->reason,
                                      .owner = o->owner,
                                      .set_unix_s = o->set_unix_s,
                                      .expires_unix_s = o->expires_unix_s};
        if (target_kind(o->kind, &one.kind))
            json_array_append_new(list, override_json(&one, json_null()));
    }
    for (size_t i = 0; i < steer_rehearsals_count(rehearsals(c)); i++) {
        const struct steer_rehearsal *r = steer_rehearsals_at(rehearsals(c), i);
        json_array_append_new(list, override_json(r, clients_json(r->clients)));
    }
    *(json_t **)arg = list;
    return STEER_OK;
}

enum steer_err steer_control_overrides(struct steer_control *c, json_t **list,
                                       struct steer_diag *diag)
{
    return control_call(c, run_overrides, list, diag);
}
