// SPDX-License-Identifier: GPL-3.0-or-later
// tcp: a connection that is established within the time is a pass; nothing is sent.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe_internal.h"
#include "steerd/base/mem.h"

struct tcp_run {
    int fd;
};

static void cancel(struct steer_prober *prober, struct probe_target *target)
{
    struct tcp_run *run = target->run;
    probe_unwatch(prober, run->fd);
    close(run->fd);
    free(run);
    target->run = NULL;
}

// Without a listener, the kernel may pick the port asked for as our own and connect us to ourselves.
static bool met_itself(int fd)
{
    struct sockaddr_storage here = {0}, there = {0};
    socklen_t here_len = sizeof here, there_len = sizeof there;
    return getsockname(fd, (struct sockaddr *)&here, &here_len) == 0 &&
           getpeername(fd, (struct sockaddr *)&there, &there_len) == 0 && here_len == there_len &&
           memcmp(&here, &there, here_len) == 0;
}

static void conclude(struct steer_prober *prober, struct probe_target *target, int error)
{
    const struct tcp_run *run = target->run;
    char reason[PROBE_REASON_MAX];
    if (!error && met_itself(run->fd))
        error = ECONNREFUSED;
    if (error)
        probe_errno_text(error, reason, sizeof reason);
    else
        snprintf(reason, sizeof reason, "connected in %u ms", probe_took_ms(target));
    cancel(prober, target);
    probe_finish(prober, target, !error, reason);
}

static void connected(struct steer_prober *prober, int fd, uint32_t events, void *ctx)
{
    int error = 0;
    socklen_t len = sizeof error;
    (void)events;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    conclude(prober, ctx, error);
}

static void start(struct steer_prober *prober, struct probe_target *target)
{
    struct sockaddr_storage to;
    socklen_t len;
    steer_addr_to_sockaddr(&target->spec.addr, target->spec.port, &to, &len);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        char why[128], reason[PROBE_REASON_MAX];
        probe_errno_text(errno, why, sizeof why);
        snprintf(reason, sizeof reason, "cannot open a socket: %s", why);
        probe_finish(prober, target, false, reason);
        return;
    }
    struct tcp_run *run = steer_alloc(sizeof *run);
    run->fd = fd;
    target->run = run;
    if (connect(fd, (struct sockaddr *)&to, len) == 0)
        conclude(prober, target, 0);
    else if (errno != EINPROGRESS || !probe_watch(prober, fd, EPOLLOUT, connected, target))
        conclude(prober, target, errno);
}

const struct probe_driver probe_tcp_driver = {
    .id = PROBE_DRIVER_TCP,
    .start = start,
    .cancel = cancel,
};
