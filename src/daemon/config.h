// SPDX-License-Identifier: GPL-3.0-or-later
// What steerd was asked to be: the command line over the configuration file over the defaults.
#ifndef STEERD_DAEMON_CONFIG_H
#define STEERD_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "steerd/base/err.h"
#include "steerd/base/log.h"
#include "steerd/geo/geo.h"
#include "steerd/server/server.h"

enum { CONFIG_LISTEN_MAX = 64, CONFIG_GEO_MAX = 16, CONFIG_ALLOW_MAX = 64 };

struct config {
    struct sockaddr_storage listen[CONFIG_LISTEN_MAX];
    socklen_t listen_len[CONFIG_LISTEN_MAX];
    size_t listen_count;
    struct sockaddr_storage admin;
    socklen_t admin_len;
    char *data;
    char *geo[CONFIG_GEO_MAX];
    size_t geo_count;
    struct steer_geo_keys geo_keys; // each NULL: the known ones
    unsigned workers;               // 0: one per core
    bool pin;
    bool check_only;
    enum steer_log_level log_level;
    struct steer_rrl_settings rrl; // allow points to rrl_allow
    struct steer_prefix rrl_allow[CONFIG_ALLOW_MAX];
    bool rrl_allow_given; // else loopback
    unsigned tcp_connections, tcp_connections_per_client;
    uint32_t tcp_idle_ms;
    uint32_t replay_one_in, replay_records; // 0: nothing is kept
    char *cookie_secrets;                   // a file, or "none"; NULL: DATA/cookie.secrets
    char *ca_file;                          // NULL: the system's bundle
    char *nsid;                             // NULL: off
    char *version;                          // answer to version.bind; NULL: off
};

enum config_result { CONFIG_RUN, CONFIG_EXIT_OK, CONFIG_EXIT_USAGE };

// Reads the arguments and the file that --config names. Problems are printed to stderr with their place.
enum config_result config_read(int argc, char **argv, struct config *config);
void config_fini(struct config *config);

#endif
