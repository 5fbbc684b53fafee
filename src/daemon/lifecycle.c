// SPDX-License-Identifier: GPL-3.0-or-later
#include "lifecycle.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "cookies.h"
#include "steerd/base/clock.h"

enum {
    DRAIN_MS = 2000,
    OTHER_DESCRIPTORS = 1024, // sockets, probes, the database, the API's clients
};

static enum steer_err start_control(struct daemon *d, struct steer_diag *diag)
{
    const struct config *c = d->config;
    const struct steer_control_options options = {
        .data_folder = c->data,
        .geo_files = (const char *const *)c->geo,
        .geo_count = c->geo_count,
        .geo_keys = c->geo_keys,
        .ca_file = c->ca_file,
        .probing = true,
    };
    return steer_control_start(&options, &d->control, diag);
}

static void stop_control(struct daemon *d)
{
    steer_control_stop(d->control);
}

static void set_text(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text ? text : "");
}

// Each connection is a descriptor, and the usual soft limit of 1,024 is below what is asked by default.
static void raise_descriptor_limit(unsigned connections)
{
    struct rlimit limit;
    const rlim_t wanted = (rlim_t)connections + OTHER_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
        steer_log(STEER_LOG_WARN, "daemon",
                  "only %llu descriptors are granted where %u TCP connections may need %llu: raise "
                  "LimitNOFILE, or lower tcp_connections",
                  (unsigned long long)limit.rlim_cur, connections, (unsigned long long)wanted);
}

static enum steer_err start_server(struct daemon *d, struct steer_diag *diag)
{
    const struct config *c = d->config;
    struct steer_cookie_secrets secrets;
    enum steer_err err = cookies_load(c, true, &secrets, diag);
    if (err)
        return err;
    raise_descriptor_limit(c->tcp_connections);
    struct steer_server_options options = {
        .listen = c->listen,
        .listen_len = c->listen_len,
        .listen_count = c->listen_count,
        .workers = c->workers,
        .pin = c->pin,
        .publisher = steer_control_publisher(d->control),
        .seed = steer_clock_mono_ns() ^ steer_clock_unix_ms() << 20,
        .answers = {.udp_size = STEER_UDP_SIZE},
        .rrl = c->rrl,
        .cookies = secrets.count ? &secrets : NULL,
        .replay_one_in = c->replay_one_in,
        .replay_records = c->replay_records,
        .tcp_limit = c->tcp_connections,
        .tcp_limit_per_client = c->tcp_connections_per_client,
        .tcp_idle_ms = c->tcp_idle_ms,
    };
    set_text(options.answers.nsid, sizeof options.answers.nsid, c->nsid);
    set_text(options.answers.version, sizeof options.answers.version, c->version);
    options.answers.nsid_len = (uint8_t)strlen(options.answers.nsid);
    return steer_server_start(&options, &d->server, diag);
}

static void stop_server(struct daemon *d)
{
    steer_server_stop(d->server, DRAIN_MS);
}

static enum steer_err start_admin(struct daemon *d, struct steer_diag *diag)
{
    const struct steer_admin_options options = {
        .listen = d->config->admin,
        .listen_len = d->config->admin_len,
        .data_folder = d->config->data,
        .control = d->control,
        .server = d->server,
    };
    return steer_admin_start(&options, &d->admin, diag);
}

static void stop_admin(struct daemon *d)
{
    steer_admin_stop(d->admin);
}

static const struct stage {
    const char *name;
    enum steer_err (*start)(struct daemon *d, struct steer_diag *diag);
    void (*stop)(struct daemon *d);
} stages[] = {
    {"control", start_control, stop_control},
    {"server", start_server, stop_server},
    {"admin", start_admin, stop_admin},
};

enum steer_err daemon_start(struct daemon *d, const struct config *config, struct steer_diag *diag)
{
    memset(d, 0, sizeof *d);
    d->config = config;
    for (; d->started < STEER_ARRAY_LEN(stages); d->started++) {
        enum steer_err err = stages[d->started].start(d, diag);
        if (err == STEER_OK)
            continue;
        daemon_stop(d);
        return err;
    }
    return STEER_OK;
}

enum steer_err daemon_reload_cookies(struct daemon *d, struct steer_diag *diag)
{
    struct steer_cookie_secrets secrets;
    enum steer_err err = cookies_load(d->config, true, &secrets, diag);
    if (err)
        return err;
    steer_server_set_cookies(d->server, secrets.count ? &secrets : NULL);
    return STEER_OK;
}

void daemon_stop(struct daemon *d)
{
    while (d->started)
        stages[--d->started].stop(d);
}
