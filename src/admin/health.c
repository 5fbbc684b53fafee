// SPDX-License-Identifier: GPL-3.0-or-later
// /healthz: 200 while control answers. It runs in a job thread, so it also shows that those live.
#include <string.h>

#include "admin_internal.h"
#include "steerd/base/mem.h"

void admin_health_get(struct admin_request *r)
{
    struct steer_control_stats stats;
    steer_control_stats(r->admin->control, &stats);
    admin_reply(r, 200, "text/plain", steer_strdup("ok\n"), 3);
}
