// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin_internal.h"
#include "steerd/base/addr.h"
#include "steerd/base/log.h"
#include "steerd/base/mem.h"

static void __attribute__((format(printf, 2, 0)))
log_from_mhd(void *ctx, const char *fmt, va_list args)
{
    (void)ctx;
    char line[512];
    vsnprintf(line, sizeof line, fmt, args);
    line[strcspn(line, "\r\n")] = '\0';
    steer_log(STEER_LOG_DEBUG, "admin", "%s", line);
}

// Paths and arguments are decoded by us: '/' may be part of a name (RFC 2317 zones), and a malformed %
// is an error.
static size_t keep_encoded(void *ctx, struct MHD_Connection *connection, char *text)
{
    (void)ctx, (void)connection;
    return strlen(text);
}

static enum steer_err listen_on(const struct steer_admin_options *options, int *listen_fd,
                                struct sockaddr_storage *bound, struct steer_diag *diag)
{
    char text[64];
    steer_sockaddr_format(&options->listen, text, sizeof text);
    int family = options->listen.ss_family, on = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return steer_diag_set(diag, STEER_EIO, "admin API on %s: %s", text, strerror(errno));
    socklen_t len = sizeof *bound;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on)) ||
        bind(fd, (const struct sockaddr *)&options->listen, options->listen_len) ||
        listen(fd, ADMIN_CONNECTIONS) || getsockname(fd, (struct sockaddr *)bound, &len)) {
        int error = errno;
        close(fd);
        return steer_diag_set(diag, STEER_EIO, "cannot listen for the admin API on %s: %s", text,
                              strerror(error));
    }
    *listen_fd = fd;
    return STEER_OK;
}

static struct MHD_Daemon *start_daemon(struct steer_admin *admin, int listen_fd)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        admin_http_on_request, admin, MHD_OPTION_EXTERNAL_LOGGER, log_from_mhd, NULL,
        MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_NOTIFY_COMPLETED, admin_http_on_completed,
        admin, MHD_OPTION_NOTIFY_CONNECTION, admin_conns_notify, admin->conns,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)ADMIN_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)ADMIN_CONNECTIONS_PER_IP, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)ADMIN_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)65536,
        MHD_OPTION_END);
}

enum steer_err steer_admin_start(const struct steer_admin_options *options,
                                 struct steer_admin **out, struct steer_diag *diag)
{
    struct steer_admin *admin = steer_calloc(1, sizeof *admin);
    admin->control = options->control;
    admin->server = options->server;
    int listen_fd = -1;
    enum steer_err err = admin_token_load(options->data_folder, "admin.token", admin->token, diag);
    if (err == STEER_OK)
        err = admin_token_load(options->data_folder, "beacon.token", admin->beacon_token, diag);
    if (err == STEER_OK)
        err = listen_on(options, &listen_fd, &admin->address, diag);
    if (err != STEER_OK) {
        free(admin);
        return err;
    }
    // Signals are for the daemon's main thread; all threads made here inherit the mask.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    admin->conns = admin_conns_create();
    admin->jobs = admin_jobs_start(admin);
    if (admin->jobs)
        admin->daemon = start_daemon(admin, listen_fd);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!admin->daemon) {
        err = steer_diag_set(diag, STEER_EIO, "cannot start the threads of the admin API");
        close(listen_fd);
        steer_admin_stop(admin);
        return err;
    }
    *out = admin;
    return STEER_OK;
}

void steer_admin_stop(struct steer_admin *admin)
{
    if (!admin)
        return;
    atomic_store(&admin->stopping, true);
    if (admin->daemon) {
        int fd = MHD_quiesce_daemon(admin->daemon);
        if (fd >= 0)
            close(fd);
    }
    if (admin->jobs)
        admin_jobs_finish(admin->jobs, ADMIN_DRAIN_MS);
    if (admin->daemon)
        MHD_stop_daemon(admin->daemon); // completes all requests and closes all connections
    admin_jobs_destroy(admin->jobs);
    admin_conns_destroy(admin->conns);
    free(admin);
}

void steer_admin_address(const struct steer_admin *admin, struct sockaddr_storage *sa)
{
    *sa = admin->address;
}
