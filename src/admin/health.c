// SPDX-License-Identifier: GPL-3.0-or-later
// /healthz: 200 while control answers. It runs in a job thread, so it also shows that those live.
#include <string.h>

#include "admin_internal.h"
#include "steerd/base/mem.h"

void admin_health_get(struct admin_request *r)
{
    json_t *overrides = NULL; // the cheapest question that control's thread answers
    struct steer_diag diag = {0};
    enum steer_err err = steer_control_overrides(r->admin->control, &overrides, &diag);
    json_decref(overrides);
    if (err == STEER_OK)
        admin_reply(r, 200, "text/plain", steer_strdup("ok\n"), 3);
    else
        admin_reply_result(r, err, &diag, NULL);
}
