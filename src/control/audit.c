// SPDX-License-Identifier: GPL-3.0-or-later
// Who changed what, and when.
#include <stdio.h>

#include "control_internal.h"
#include "steerd/base/clock.h"

enum steer_err control_audit(struct steer_control *c, const char *by, const char *action,
                             const char *subject, const char *detail, struct steer_diag *diag)
{
    return steer_store_audit(c->store, by ? by : "steerd", action, subject, detail, diag);
}

enum steer_err control_audit_waived(struct steer_control *c, const struct steer_link *link,
                                    const char *by, const char *reason, struct steer_diag *diag)
{
    size_t count;
    enum steer_err err = STEER_OK;
    const struct steer_link_breach *breaches = steer_link_breaches(link, &count);
    for (size_t i = 0; i < count && err == STEER_OK; i++) {
        if (!breaches[i].waived || breaches[i].now ||
            (i && breaches[i - 1].assertion == breaches[i].assertion))
            continue;
        char detail[1024];
        snprintf(detail, sizeof detail, "%.400s: %s", reason, breaches[i].breach.message);
        err = control_audit(c, by, "override assertion", breaches[i].assertion->name, detail, diag);
    }
    return err;
}

static enum steer_err add_entry(void *ctx, const struct steer_store_audit_entry *e)
{
    char at[32];
    json_array_append_new(ctx, json_pack("{s:I,s:s,s:o,s:o,s:o,s:o}", "id", (json_int_t)e->id, "at",
                                         steer_time_format(e->at_unix_s, at, sizeof at), "who",
                                         control_text(e->who), "action", control_text(e->action),
                                         "subject", control_text(e->subject), "detail",
                                         control_text(e->detail)));
    return STEER_OK;
}

struct audit_job {
    const struct steer_control_audit *which;
    json_t *list;
};

static enum steer_err run_audit(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    struct audit_job *job = arg;
    const struct steer_control_audit *which = job->which;
    return steer_store_load_audit(c->store, which->before, which->since_unix_s, which->limit,
                                  add_entry, job->list, diag);
}

enum steer_err steer_control_audit(struct steer_control *c, const struct steer_control_audit *which,
                                   json_t **list, struct steer_diag *diag)
{
    struct audit_job job = {which, json_array()};
    enum steer_err err = control_call(c, run_audit, &job, diag);
    if (err == STEER_OK)
        *list = job.list;
    else
        json_decref(job.list);
    return err;
}
