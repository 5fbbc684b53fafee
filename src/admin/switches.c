// SPDX-License-Identifier: GPL-3.0-or-later
// /api/v1/switches.
#include "admin_internal.h"

void admin_switches_list(struct admin_request *r)
{
    json_t *list = NULL;
    struct steer_diag diag = {0};
    enum steer_err err = steer_control_switches(r->admin->control, &list, &diag);
    admin_reply_result(r, err, &diag, list);
}

void admin_switches_put(struct admin_request *r)
{
    static const char *const known[] = {"position", "reason", "owner"};
    json_t *body = admin_body_object(r, known, STEER_ARRAY_LEN(known));
    if (!body)
        return;
    struct steer_control_switch s = {.name = r->params[0], .by = admin_by(r)};
    if (admin_read_string(r, body, "position", &s.position) &&
        admin_read_string(r, body, "reason", &s.reason) &&
        admin_read_string(r, body, "owner", &s.owner)) {
        struct steer_diag diag = {0};
        enum steer_err err = steer_control_switch_set(r->admin->control, &s, &diag);
        json_t *reply = NULL;
        if (err == STEER_OK)
            reply = json_pack("{s:s, s:s, s:s, s:s}", "name", s.name, "position", s.position,
                              "reason", s.reason, "owner", s.owner);
        admin_reply_result(r, err, &diag, reply);
    }
    json_decref(body);
}
