// SPDX-License-Identifier: GPL-3.0-or-later
// /api/v1/zones.
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin_internal.h"

#define FRAMES_TYPE "application/vnd.steerd.zones"

void admin_zones_list(struct admin_request *r)
{
    json_t *list = NULL;
    struct steer_diag diag = {0};
    enum steer_err err = steer_control_zones(r->admin->control, &list, &diag);
    admin_reply_result(r, err, &diag, list);
}

void admin_zones_get(struct admin_request *r)
{
    struct steer_buf text = {0};
    struct steer_diag diag = {0};
    enum steer_err err = steer_control_export(r->admin->control, r->params[0], &text, &diag);
    if (err != STEER_OK) {
        steer_buf_fini(&text);
        admin_reply_result(r, err, &diag, NULL);
        return;
    }
    size_t len = text.len;
    admin_reply(r, 200, "text/dns", steer_buf_take(&text), len);
}

void admin_zones_put(struct admin_request *r)
{
    const char *file = admin_arg(r, "file");
    struct steer_control_zone zone = {
        .origin = r->params[0],
        .file = file && file[0] ? file : r->params[0],
        .data = r->body ? r->body : "",
        .len = r->body_len,
    };
    json_t *summary = NULL;
    struct steer_diag diag = {0};
    enum steer_err err =
        steer_control_import(r->admin->control, &zone, admin_by(r), &summary, &diag);
    admin_reply_result(r, err, &diag, summary);
}

void admin_zones_delete(struct admin_request *r)
{
    struct steer_diag diag = {0};
    enum steer_err err =
        steer_control_delete_zone(r->admin->control, r->params[0], admin_by(r), &diag);
    if (err == STEER_OK)
        admin_reply(r, 204, NULL, NULL, 0);
    else
        admin_reply_result(r, err, &diag, NULL);
}

void admin_zones_post(struct admin_request *r)
{
    const char *type = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Content-Type");
    size_t len = strlen(FRAMES_TYPE);
    if (!type || strncasecmp(type, FRAMES_TYPE, len) != 0 ||
        (type[len] && !strchr("; ", type[len]))) {
        admin_problem(r, 415, "many zones come as %s; for one zone use PUT /api/v1/zones/ORIGIN",
                      FRAMES_TYPE);
        return;
    }
    struct steer_control_zone *zones = NULL;
    size_t count = 0;
    struct steer_diag diag = {0};
    if (admin_frames_parse(r->body, r->body_len, &zones, &count, &diag) != STEER_OK) {
        admin_problem_diag(r, 400, &diag);
        return;
    }
    json_t *summary = NULL;
    enum steer_err err =
        steer_control_import_many(r->admin->control, zones, count, admin_by(r), &summary, &diag);
    admin_reply_result(r, err, &diag, summary);
    free(zones);
}
