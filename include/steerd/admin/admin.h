// SPDX-License-Identifier: GPL-3.0-or-later
// The admin HTTP API under /api/v1, /metrics and /healthz. Floor 8.
//
// libmicrohttpd's thread parses; a request with work to do is suspended and handed to job threads, so that
// nothing slow runs where requests are read.
#ifndef STEERD_ADMIN_ADMIN_H
#define STEERD_ADMIN_ADMIN_H

#include "steerd/control/control.h"
#include "steerd/server/server.h"

struct steer_admin;

struct steer_admin_options {
    struct sockaddr_storage listen; // loopback by default; port 0 picks a free one
    socklen_t listen_len;
    const char *
        data_folder; // admin.token and beacon.token are made there (mode 0600) when they are missing
    struct steer_control *control;
    const struct steer_server *server; // for /metrics; may be NULL
};

enum steer_err steer_admin_start(const struct steer_admin_options *options,
                                 struct steer_admin **admin,
                                 struct steer_diag *diag) STEER_MUST_USE;
// Answers the requests under way and stops.
void steer_admin_stop(struct steer_admin *admin);
void steer_admin_address(const struct steer_admin *admin, struct sockaddr_storage *sa);

#endif
