// SPDX-License-Identifier: GPL-3.0-or-later
// Starting and stopping, by a table that unwinds itself.
#ifndef STEERD_DAEMON_LIFECYCLE_H
#define STEERD_DAEMON_LIFECYCLE_H

#include "config.h"
#include "steerd/admin/admin.h"

struct daemon {
    const struct config *config;
    struct steer_control *control;
    struct steer_server *server;
    struct steer_admin *admin;
    size_t started; // stages that are up
};

// Starts every stage in order; when one fails, those before it are stopped again, and the error says why.
enum steer_err daemon_start(struct daemon *daemon, const struct config *config,
                            struct steer_diag *diag);
// Reads the secrets of DNS cookies again; on an error the old ones stay in use.
enum steer_err daemon_reload_cookies(struct daemon *daemon, struct steer_diag *diag);
// Stops what is up, last first.
void daemon_stop(struct daemon *daemon);

#endif
