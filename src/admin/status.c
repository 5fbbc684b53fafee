// SPDX-License-Identifier: GPL-3.0-or-later
// /api/v1/status: what control knows, and what the sockets counted.
#include "admin_internal.h"

static json_t *server_status(const struct steer_server *server)
{
    struct steer_server_stats stats;
    steer_server_stats(server, &stats);
    return json_pack("{s:i, s:I, s:I, s:I, s:I}", "workers", (int)stats.workers, "udp_queries",
                     (json_int_t)stats.udp_queries, "tcp_queries", (json_int_t)stats.tcp_queries,
                     "tcp_open", (json_int_t)stats.tcp_open, "dropped", (json_int_t)stats.dropped);
}

void admin_status_get(struct admin_request *r)
{
    json_t *status = NULL;
    struct steer_diag diag = {0};
    enum steer_err err = steer_control_status(r->admin->control, &status, &diag);
    if (err == STEER_OK && r->admin->server)
        json_object_set_new(status, "server", server_status(r->admin->server));
    admin_reply_result(r, err, &diag, status);
}
