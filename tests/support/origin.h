// SPDX-License-Identifier: GPL-3.0-or-later
// An HTTP origin on a loopback port that behaves as the request's path asks: it answers properly, badly,
// or not at all. One thread, any number of connections. Include it in one test program each.
//
//   /200 /404 /503 ...  that status, body "all is ok"
//   /redirect           302 to /200          /garbage  bytes that are not HTTP
//   /slow               never answers        /close    closes without answering
//   /endless            200, body without an end, "needle" at its start, "haystack" after 5,120 bytes
//   /headers            200, header without an end
//   /cut                200, ends before the promised length
//   anything else       404
// A TLS handshake is answered as a plain HTTP server does.
#ifndef STEERD_TEST_ORIGIN_H
#define STEERD_TEST_ORIGIN_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ORIGIN_CONNECTIONS_MAX 256

struct origin_connection {
    int fd;
    size_t len;
    enum { ORIGIN_READS, ORIGIN_HANGS, ORIGIN_POURS } state;
    const char *pour; // repeated for ever
    char request[2048];
};

struct origin {
    pthread_t thread;
    int listener, wake[2];
    uint16_t port;
    _Atomic unsigned accepted, open, max_open;
    pthread_mutex_t mutex;
    char last_request[2048]; // under the mutex
    struct origin_connection connections[ORIGIN_CONNECTIONS_MAX];
};

static void origin_drop(struct origin *origin, struct origin_connection *c)
{
    close(c->fd);
    c->fd = -1;
    origin->open--;
}

static void origin_say(struct origin *origin, struct origin_connection *c, const char *text)
{
    (void)!send(c->fd, text, strlen(text), MSG_NOSIGNAL);
    origin_drop(origin, c);
}

static void origin_begin_pour(struct origin_connection *c, const char *start, const char *more)
{
    (void)!send(c->fd, start, strlen(start), MSG_NOSIGNAL);
    c->pour = more;
    c->state = ORIGIN_POURS;
}

static void origin_answer(struct origin *origin, struct origin_connection *c)
{
    char path[64] = "", text[256];
    pthread_mutex_lock(&origin->mutex);
    memcpy(origin->last_request, c->request, sizeof origin->last_request);
    pthread_mutex_unlock(&origin->mutex);
    if (sscanf(c->request, "%*s %63s", path) != 1 || strcmp(path, "/close") == 0) {
        origin_drop(origin, c);
    } else if (strcmp(path, "/garbage") == 0) {
        origin_say(origin, c, "\x01\x02 what is this?\r\n\r\n");
    } else if (strcmp(path, "/redirect") == 0) {
        origin_say(origin, c, "HTTP/1.1 302 Found\r\nLocation: /200\r\nContent-Length: 0\r\n\r\n");
    } else if (strcmp(path, "/cut") == 0) {
        origin_say(origin, c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nall is");
    } else if (strcmp(path, "/slow") == 0) {
        c->state = ORIGIN_HANGS;
    } else if (strcmp(path, "/endless") == 0) {
        static char filler[6001];
        memset(filler, 'x', 6000);
        memcpy(filler + 5950, "haystack", 8);
        origin_begin_pour(c, "HTTP/1.1 200 OK\r\n\r\nneedle", filler);
    } else if (strcmp(path, "/headers") == 0) {
        origin_begin_pour(c, "HTTP/1.1 200 OK\r\n", "X-More: and more and more and more\r\n");
    } else {
        long status = strtol(path + 1, NULL, 10);
        bool head = strncmp(c->request, "HEAD", 4) == 0;
        snprintf(text, sizeof text, "HTTP/1.1 %ld Scripted\r\nContent-Length: 9\r\n\r\n%s",
                 status >= 200 && status <= 599 ? status : 404, head ? "" : "all is ok");
        origin_say(origin, c, text);
    }
}

static void origin_read(struct origin *origin, struct origin_connection *c)
{
    if (c->len == sizeof c->request - 1)
        c->len = 0; // what a hanging connection still sends is thrown away
    ssize_t got = recv(c->fd, c->request + c->len, sizeof c->request - 1 - c->len, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
        origin_drop(origin, c);
        return;
    }
    if (got < 0 || c->state != ORIGIN_READS)
        return;
    c->len += (size_t)got;
    c->request[c->len] = '\0';
    if (c->request[0] == 0x16)
        origin_say(origin, c, "HTTP/1.1 400 Bad Request\r\n\r\n");
    else if (strstr(c->request, "\r\n\r\n"))
        origin_answer(origin, c);
}

static void origin_pour(struct origin *origin, struct origin_connection *c)
{
    if (send(c->fd, c->pour, strlen(c->pour), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
        origin_drop(origin, c);
}

// Those that ended before the newcomer came are not counted as open beside it.
static void origin_accept(struct origin *origin)
{
    int fd = accept4(origin->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct origin_connection *place = NULL;
    if (fd < 0)
        return;
    for (size_t i = 0; i < ORIGIN_CONNECTIONS_MAX; i++) {
        struct origin_connection *c = &origin->connections[i];
        char byte;
        if (c->fd >= 0 && recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
            origin_drop(origin, c);
        if (c->fd < 0)
            place = c;
    }
    if (!place) {
        close(fd);
        return;
    }
    memset(place, 0, sizeof *place);
    place->fd = fd;
    origin->accepted++;
    if (++origin->open > origin->max_open)
        origin->max_open = origin->open;
}

static void *origin_run(void *ctx)
{
    struct origin *origin = ctx;
    for (;;) {
        struct pollfd fds[ORIGIN_CONNECTIONS_MAX + 2];
        for (size_t i = 0; i < ORIGIN_CONNECTIONS_MAX; i++) {
            struct origin_connection *c = &origin->connections[i];
            fds[i] =
                (struct pollfd){c->fd, c->state == ORIGIN_POURS ? POLLIN | POLLOUT : POLLIN, 0};
        }
        fds[ORIGIN_CONNECTIONS_MAX] = (struct pollfd){origin->listener, POLLIN, 0};
        fds[ORIGIN_CONNECTIONS_MAX + 1] = (struct pollfd){origin->wake[0], POLLIN, 0};
        poll(fds, ORIGIN_CONNECTIONS_MAX + 2, -1);
        if (fds[ORIGIN_CONNECTIONS_MAX + 1].revents)
            return NULL;
        for (size_t i = 0; i < ORIGIN_CONNECTIONS_MAX; i++) {
            struct origin_connection *c = &origin->connections[i];
            if (c->fd >= 0 && fds[i].revents & (POLLIN | POLLERR | POLLHUP))
                origin_read(origin, c);
            if (c->fd >= 0 && c->state == ORIGIN_POURS && fds[i].revents & POLLOUT)
                origin_pour(origin, c);
        }
        if (fds[ORIGIN_CONNECTIONS_MAX].revents)
            origin_accept(origin);
    }
}

// A listening socket on an ephemeral port of 127.0.0.1 or ::1; -1 where the family is missing.
static int origin_listen(int family, uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr *sa = family == AF_INET ? (struct sockaddr *)&in : (struct sockaddr *)&in6;
    socklen_t len = family == AF_INET ? sizeof in : sizeof in6;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, sa, len) != 0 || listen(fd, 512) != 0 ||
        getsockname(fd, sa, &len) != 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *port = ntohs(family == AF_INET ? in.sin_port : in6.sin6_port);
    return fd;
}

// NULL where the family is missing on this machine.
static inline struct origin *origin_start(int family)
{
    struct origin *origin = calloc(1, sizeof *origin);
    if (!origin)
        abort();
    origin->listener = origin_listen(family, &origin->port);
    if (origin->listener < 0) {
        free(origin);
        return NULL;
    }
    for (size_t i = 0; i < ORIGIN_CONNECTIONS_MAX; i++)
        origin->connections[i].fd = -1;
    pthread_mutex_init(&origin->mutex, NULL);
    if (pipe2(origin->wake, O_CLOEXEC) != 0 ||
        pthread_create(&origin->thread, NULL, origin_run, origin) != 0)
        abort();
    return origin;
}

static inline void origin_stop(struct origin *origin)
{
    if (!origin)
        return;
    (void)!write(origin->wake[1], "", 1);
    pthread_join(origin->thread, NULL);
    for (size_t i = 0; i < ORIGIN_CONNECTIONS_MAX; i++)
        if (origin->connections[i].fd >= 0)
            close(origin->connections[i].fd);
    close(origin->wake[0]);
    close(origin->wake[1]);
    close(origin->listener);
    pthread_mutex_destroy(&origin->mutex);
    free(origin);
}

// A loopback port that nothing listens on.
static inline uint16_t origin_closed_port(void)
{
    uint16_t port = 0;
    int fd = origin_listen(AF_INET, &port);
    if (fd >= 0)
        close(fd);
    return port;
}

#endif
