// SPDX-License-Identifier: GPL-3.0-or-later
// Deadlines of connections. libmicrohttpd's timeout counts silence only, so a client that sends an octet
// now and then would keep its place for ever; here the whole head of a request has 30 s. Nor does it notice an end
// that comes together with the last octets (its epoll is edge-triggered), and would keep a client's place who is gone.
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "admin_internal.h"
#include "steerd/base/clock.h"
#include "steerd/base/mem.h"

struct admin_conn {
    int fd;
    uint64_t due_ns;   // 0: none
    uint64_t ended_ns; // since when the client is known to send nothing more; 0: it may
    struct admin_conn *next, **prev;
};

struct admin_conns {
    pthread_mutex_t lock;
    struct admin_conn *first;
};

struct admin_conns *admin_conns_create(void)
{
    struct admin_conns *conns = steer_calloc(1, sizeof *conns);
    pthread_mutex_init(&conns->lock, NULL);
    return conns;
}

void admin_conns_destroy(struct admin_conns *conns)
{
    if (!conns)
        return;
    pthread_mutex_destroy(&conns->lock);
    free(conns);
}

static void opened(struct admin_conns *conns, struct MHD_Connection *connection, void **context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct admin_conn *conn = steer_calloc(1, sizeof *conn);
    conn->fd = info ? info->connect_fd : -1;
    conn->due_ns = steer_clock_mono_ns() + ADMIN_TIMEOUT_S * STEER_NS_PER_S;
    pthread_mutex_lock(&conns->lock);
    conn->next = conns->first;
    conn->prev = &conns->first;
    if (conn->next)
        conn->next->prev = &conn->next;
    conns->first = conn;
    pthread_mutex_unlock(&conns->lock);
    *context = conn;
}

void admin_conns_notify(void *ctx, struct MHD_Connection *connection, void **socket_context,
                        enum MHD_ConnectionNotificationCode code)
{
    struct admin_conns *conns = ctx;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        opened(conns, connection, socket_context);
        return;
    }
    // Called before the descriptor is closed, so reap never meets another's.
    struct admin_conn *conn = *socket_context;
    pthread_mutex_lock(&conns->lock);
    *conn->prev = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    pthread_mutex_unlock(&conns->lock);
    free(conn);
    *socket_context = NULL;
}

void admin_conns_allow(struct admin_conns *conns, struct MHD_Connection *connection,
                       uint64_t seconds)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct admin_conn *conn = info ? info->socket_context : NULL;
    if (!conn)
        return;
    pthread_mutex_lock(&conns->lock);
    conn->due_ns = seconds ? steer_clock_mono_ns() + seconds * STEER_NS_PER_S : 0;
    conn->ended_ns = 0;
    pthread_mutex_unlock(&conns->lock);
}

// Everything was read, and then the end. The connection is given up a second later: the last octets may just have been
// read, and a reply to them be due.
static bool is_gone(struct admin_conn *conn, uint64_t now_ns)
{
    char octet;
    if (recv(conn->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
        conn->ended_ns = 0;
    else if (!conn->ended_ns)
        conn->ended_ns = now_ns;
    return conn->ended_ns && now_ns - conn->ended_ns >= STEER_NS_PER_S;
}

void admin_conns_reap(struct admin_conns *conns)
{
    uint64_t now = steer_clock_mono_ns();
    pthread_mutex_lock(&conns->lock);
    for (struct admin_conn *conn = conns->first; conn; conn = conn->next) {
        if (conn->due_ns && (is_gone(conn, now) || conn->due_ns <= now)) {
            shutdown(conn->fd, SHUT_RDWR); // libmicrohttpd's thread sees the end and closes
            conn->due_ns = 0;
        }
    }
    pthread_mutex_unlock(&conns->lock);
}
