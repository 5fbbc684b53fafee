// SPDX-License-Identifier: GPL-3.0-or-later
// /api/v1/audit: who changed what, and when.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin_internal.h"
#include "steerd/base/addr.h"
#include "steerd/base/clock.h"

enum { LIMIT_DEFAULT = 100 };

// A moment, or how long ago it was.
static bool read_since(struct admin_request *r, uint64_t *since_unix_s)
{
    const char *text = admin_arg(r, "since");
    if (!text)
        return true;
    const uint64_t now = steer_clock_unix_s();
    struct tm tm = {0};
    uint64_t ms;
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (!end || *end) {
        tm = (struct tm){0};
        end = strptime(text, "%Y-%m-%d", &tm);
    }
    if (end && !*end) {
        time_t moment = timegm(&tm);
        *since_unix_s = moment > 0 ? (uint64_t)moment : 0;
    } else if (steer_duration_parse(text, &ms)) {
        *since_unix_s = ms / 1000 < now ? now - ms / 1000 : 0;
    } else {
        admin_problem(
            r, 400,
            "since '%s' is neither a moment like 2026-01-31T12:00:00Z or 2026-01-31 nor a "
            "length of time like 2h or 7d",
            text);
        return false;
    }
    return true;
}

void admin_audit_get(struct admin_request *r)
{
    struct steer_control_audit which = {0};
    uint64_t limit = LIMIT_DEFAULT, before = 0;
    if (!admin_read_number(r, "limit", ADMIN_AUDIT_MAX, &limit) ||
        !admin_read_number(r, "before", INT64_MAX, &before) || !read_since(r, &which.since_unix_s))
        return;
    which.limit = (uint32_t)limit;
    which.before = (int64_t)before;
    json_t *list = NULL;
    struct steer_diag diag = {0};
    enum steer_err err = steer_control_audit(r->admin->control, &which, &list, &diag);
    admin_reply_result(r, err, &diag, list);
}
