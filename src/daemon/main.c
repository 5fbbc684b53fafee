// SPDX-License-Identifier: GPL-3.0-or-later
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cookies.h"
#include "lifecycle.h"
#include "steerd/geo/geo.h"

static void block_signals(sigset_t *waited)
{
    sigemptyset(waited);
    sigaddset(waited, SIGTERM);
    sigaddset(waited, SIGINT);
    sigaddset(waited, SIGHUP);
    // Threads started from here on inherit the mask: only sigwait sees these.
    pthread_sigmask(SIG_BLOCK, waited, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void log_problem(const char *what, const struct steer_diag *diag)
{
    char text[1400];
    steer_log(STEER_LOG_ERROR, "daemon", "%s: %s", what,
              steer_diag_format(diag, text, sizeof text));
}

static void log_addresses(const struct daemon *d)
{
    struct sockaddr_storage sa;
    char text[64];
    for (size_t i = 0; i < d->config->listen_count; i++) {
        steer_server_address(d->server, i, &sa);
        steer_sockaddr_format(&sa, text, sizeof text);
        steer_log(STEER_LOG_INFO, "daemon", "answering DNS on %s (UDP and TCP)", text);
    }
    steer_admin_address(d->admin, &sa);
    steer_sockaddr_format(&sa, text, sizeof text);
    steer_log(STEER_LOG_INFO, "daemon", "admin API on http://%s", text);
}

static int check(const struct config *config)
{
    struct steer_diag diag = {0};
    struct steer_geo *geo = NULL;
    char text[1400];
    enum steer_err err = steer_geo_open((const char *const *)config->geo, config->geo_count,
                                        &config->geo_keys, &geo, &diag);
    if (err != STEER_OK) {
        fprintf(stderr, "steerd: %s\n", steer_diag_format(&diag, text, sizeof text));
        return 1;
    }
    steer_geo_unref(geo);
    struct steer_cookie_secrets secrets;
    if (cookies_load(config, false, &secrets, &diag) != STEER_OK) {
        fprintf(stderr, "steerd: %s\n", steer_diag_format(&diag, text, sizeof text));
        return 1;
    }
    printf("the configuration is good\n");
    return 0;
}

static void wait_for_end(struct daemon *d, const sigset_t *waited)
{
    for (;;) {
        int number;
        struct steer_diag diag = {0};
        if (sigwait(waited, &number) != 0)
            continue;
        if (number != SIGHUP) {
            steer_log(STEER_LOG_INFO, "daemon", "stopping on %s", strsignal(number));
            return;
        }
        if (steer_control_reload_geo(d->control, &diag) != STEER_OK)
            log_problem("geo data was not replaced", &diag);
        diag = (struct steer_diag){0};
        if (daemon_reload_cookies(d, &diag) != STEER_OK)
            log_problem("the secrets of DNS cookies were not replaced", &diag);
    }
}

int main(int argc, char **argv)
{
    struct config config;
    struct daemon daemon;
    struct steer_diag diag = {0};
    sigset_t waited;
    enum config_result result = config_read(argc, argv, &config);
    int status = result == CONFIG_EXIT_USAGE ? 2 : 0;
    if (result == CONFIG_RUN && config.check_only) {
        status = check(&config);
    } else if (result == CONFIG_RUN) {
        steer_log_set_level(config.log_level);
        block_signals(&waited);
        if (daemon_start(&daemon, &config, &diag) == STEER_OK) {
            log_addresses(&daemon);
            wait_for_end(&daemon, &waited);
            daemon_stop(&daemon);
            steer_log(STEER_LOG_INFO, "daemon", "stopped");
        } else {
            log_problem("cannot start", &diag);
            status = 1;
        }
    }
    config_fini(&config);
    return status;
}
