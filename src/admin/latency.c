// SPDX-License-Identifier: GPL-3.0-or-later
// /api/v1/latency: samples in, tables out.
#include "steerd/control/latency.h"
#include <stdlib.h>

#include "admin_internal.h"

enum { ESTIMATES_DEFAULT = 1000, ESTIMATES_MAX = 1000000 };

void admin_latency_list(struct admin_request *r)
{
    json_t *list = NULL;
    struct steer_diag diag = {0};
    enum steer_err err = steer_control_latency_list(r->admin->control, &list, &diag);
    admin_reply_result(r, err, &diag, list);
}

void admin_latency_get(struct admin_request *r)
{
    json_t *shown = NULL;
    struct steer_diag diag = {0};
    uint64_t number = 0;
    if (!admin_read_number(r, "at", UINT32_MAX, &number))
        return;
    enum steer_err err = steer_control_latency_show(r->admin->control, r->params[0],
                                                    (uint32_t)number, &shown, &diag);
    admin_reply_result(r, err, &diag, shown);
}

void admin_latency_estimates(struct admin_request *r)
{
    json_t *list = NULL;
    struct steer_diag diag = {0};
    uint64_t limit = ESTIMATES_DEFAULT;
    if (!admin_read_number(r, "limit", ESTIMATES_MAX, &limit))
        return;
    enum steer_err err =
        steer_control_latency_estimates(r->admin->control, r->params[0], limit, &list, &diag);
    admin_reply_result(r, err, &diag, list);
}

// The members of a freeze; false: a problem is the reply.
static bool read_freeze(struct admin_request *r, json_t *body, struct steer_control_freeze *freeze,
                        const char ***names)
{
    const json_t *to = json_object_get(body, "to");
    const json_int_t number = json_integer_value(to);
    if (to && !(json_is_integer(to) && number >= 1 && number <= UINT32_MAX)) {
        admin_problem(r, 422, "'to' must be the number of a table, from 1");
        return false;
    }
    freeze->to = (uint32_t)number;
    return admin_read_names(r, body, "override_asserts", names, &freeze->override_assert_count) &&
           admin_read_string(r, body, "reason", &freeze->reason);
}

// {}, {"to": 3}, and what apply has for assertions that need not hold.
void admin_latency_freeze(struct admin_request *r)
{
    static const char *const known[] = {"to", "override_asserts", "reason"};
    const char **names = NULL;
    struct steer_control_freeze freeze = {.table = r->params[0], .by = admin_by(r)};
    json_t *body = admin_body_object(r, known, STEER_ARRAY_LEN(known));
    if (!body)
        return;
    if (read_freeze(r, body, &freeze, &names)) {
        json_t *reply = NULL;
        struct steer_diag diag = {0};
        freeze.override_asserts = names;
        enum steer_err err =
            steer_control_latency_freeze(r->admin->control, &freeze, &reply, &diag);
        admin_reply_result(r, err, &diag, reply);
    }
    free(names);
    json_decref(body);
}

// client: of whoever the batch came from, told by the web server that hands it on.
void admin_latency_samples(struct admin_request *r)
{
    struct steer_latency_batch batch;
    struct steer_diag diag = {0};
    json_t *reply = NULL;
    enum steer_err err = steer_latency_batch_parse(r->body ? r->body : "", r->body_len,
                                                   admin_arg(r, "client"), &batch, &diag);
    if (err != STEER_OK) {
        admin_problem_diag(r, diag.line ? 400 : admin_status_of(err), &diag);
        return;
    }
    err = steer_control_latency_samples(r->admin->control, r->params[0], &batch, &reply, &diag);
    admin_reply_result(r, err, &diag, reply);
    steer_latency_batch_fini(&batch);
}
