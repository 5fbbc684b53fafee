// SPDX-License-Identifier: GPL-3.0-or-later
// The server over real loopback sockets with a small world made by hand, and a client of it.
#ifndef TESTS_SERVER_SUPPORT_H
#define TESTS_SERVER_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "steerd/base/clock.h"
#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/server/server.h"

enum { WAIT_MS = 10000, BIG_RRS = 200, BIG_OCTETS = 250, MIDDLE_RRS = 3, MESSAGE_BYTES = 65535 };

// ---- a world and a server ------------------------------------------------------------------------

struct fixture {
    struct steer_publisher *publisher;
    struct steer_server *server;
    struct sockaddr_storage sa;
    socklen_t sa_len;
};

static inline void add_record(struct steer_zone_edit *edit, const char *owner, uint16_t type,
                              const void *rdata, size_t len)
{
    struct steer_name name;
    assert_int_equal(steer_name_parse(owner, NULL, &name, NULL), STEER_OK);
    assert_int_equal(steer_zone_add(edit, name.octets, type, 300, rdata, len, NULL, NULL),
                     STEER_OK);
}

static inline struct steer_zone *build_zone(void)
{
    static const uint8_t soa[] = "\2ns\7example\4test\0\2ns\7example\4test\0"
                                 "\0\0\0\1\0\0\16\20\0\0\3\204\0\22\165\0\0\0\1\54";
    struct steer_name origin;
    struct steer_zone *zone = NULL;
    struct steer_retired retired = {0};
    struct steer_diag diag = {0};
    assert_int_equal(steer_name_parse("example.test.", NULL, &origin, NULL), STEER_OK);
    struct steer_zone_edit *edit = steer_zone_build(&origin);
    add_record(edit, "example.test.", STEER_TYPE_SOA, soa, sizeof soa - 1);
    add_record(edit, "example.test.", STEER_TYPE_NS, "\2ns\7example\4test", 17);
    add_record(edit, "ns.example.test.", STEER_TYPE_A, "\300\0\2\1", 4);
    add_record(edit, "www.example.test.", STEER_TYPE_A, "\300\0\2\120", 4);
    for (unsigned i = 0; i < BIG_RRS; i++) {
        uint8_t text[BIG_OCTETS + 1];
        memset(text, 'x', sizeof text);
        text[0] = BIG_OCTETS;
        text[1] = (uint8_t)i;
        add_record(edit, "big.example.test.", STEER_TYPE_TXT, text, sizeof text);
        if (i < MIDDLE_RRS)
            add_record(edit, "middle.example.test.", STEER_TYPE_TXT, text, sizeof text);
    }
    assert_int_equal(steer_zone_finish(edit, &zone, &retired, &diag), STEER_OK);
    steer_retired_free(&retired);
    return zone;
}

static inline struct steer_publisher *build_world(void)
{
    struct steer_retired retired = {0};
    struct steer_world *empty = steer_world_create(NULL);
    struct steer_world_edit *edit = steer_world_edit(empty);
    steer_world_put_zone(edit, build_zone());
    struct steer_world *world = steer_world_finish(edit, &retired);
    steer_retired_free(&retired);
    return steer_publisher_create(world);
}

static inline void loopback(struct fixture *f, int family, uint16_t port)
{
    char text[32];
    snprintf(text, sizeof text, family == AF_INET6 ? "[::1]:%u" : "127.0.0.1:%u", port);
    assert_true(steer_sockaddr_parse(text, &f->sa, &f->sa_len));
}

static inline struct steer_server_options options_of(struct fixture *f)
{
    return (struct steer_server_options){.listen = &f->sa,
                                         .listen_len = &f->sa_len,
                                         .listen_count = 1,
                                         .workers = 2,
                                         .publisher = f->publisher,
                                         .seed = 1};
}

static inline void start(struct fixture *f, const struct steer_server_options *options)
{
    struct steer_diag diag = {0};
    if (steer_server_start(options, &f->server, &diag) != STEER_OK)
        fail_msg("%s", diag.message);
    steer_server_address(f->server, 0, &f->sa);
}

static inline void stop(struct fixture *f, uint32_t drain_ms)
{
    steer_server_stop(f->server, drain_ms);
    f->server = NULL;
}

static inline int set_up(void **state)
{
    struct fixture *f = steer_calloc(1, sizeof *f);
    f->publisher = build_world();
    loopback(f, AF_INET, 0);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    steer_server_stop(f->server, 0);
    steer_publisher_destroy(f->publisher);
    free(f);
    return 0;
}

static inline uint64_t now_ms(void)
{
    return steer_clock_mono_ns() / STEER_NS_PER_MS;
}

// ---- a client ------------------------------------------------------------------------------------

static inline size_t question(uint8_t *out, uint16_t id, const char *name, uint16_t type)
{
    struct steer_name wire;
    assert_int_equal(steer_name_parse(name, NULL, &wire, NULL), STEER_OK);
    const uint8_t head[12] = {(uint8_t)(id >> 8), (uint8_t)id, 1, 0, 0, 1};
    const uint8_t tail[4] = {(uint8_t)(type >> 8), (uint8_t)type, 0, 1};
    memcpy(out, head, 12);
    memcpy(out + 12, wire.octets, wire.len);
    memcpy(out + 12 + wire.len, tail, 4);
    return 16u + wire.len;
}

static inline size_t framed(uint8_t *out, uint16_t id, const char *name, uint16_t type)
{
    size_t len = question(out + 2, id, name, type);
    out[0] = (uint8_t)(len >> 8);
    out[1] = (uint8_t)len;
    return len + 2;
}

static inline int dial_to(const struct sockaddr_storage *sa, socklen_t len, int type)
{
    int fd = socket(sa->ss_family, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)sa, len), 0);
    return fd;
}

static inline int dial(const struct fixture *f, int type)
{
    return dial_to(&f->sa, f->sa_len, type);
}

static inline bool readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

// A datagram, or 0 when none came in time.
static inline size_t receive(int fd, uint8_t *out, int timeout_ms)
{
    if (!readable(fd, timeout_ms))
        return 0;
    ssize_t n = recv(fd, out, MESSAGE_BYTES, 0);
    return n > 0 ? (size_t)n : 0;
}

static inline void write_all(int fd, const void *data, size_t len)
{
    assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

// One framed message; 0 at the end of the stream (also by a reset), or when nothing came in time.
static inline size_t read_message(int fd, uint8_t *out)
{
    size_t have = 0, need = 2;
    uint8_t head[2];
    while (have < need) {
        if (!readable(fd, WAIT_MS))
            return 0;
        uint8_t *to = have < 2 ? head + have : out + have - 2;
        ssize_t n = recv(fd, to, (have < 2 ? 2 : need) - have, 0);
        if (n <= 0)
            return 0;
        have += (size_t)n;
        if (have == 2)
            need = 2u + ((size_t)head[0] << 8 | head[1]);
    }
    return need - 2;
}

// True when the server closes the connection within the time.
static inline bool is_closed(int fd, int timeout_ms)
{
    uint8_t octet;
    return readable(fd, timeout_ms) && recv(fd, &octet, 1, 0) <= 0;
}

static inline uint16_t u16_at(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void assert_answer(const uint8_t *message, size_t len, uint16_t id)
{
    assert_true(len > 12);
    assert_int_equal(u16_at(message), id);
    assert_int_equal(message[2] & 0x80, 0x80);
    assert_int_equal(message[3] & 15, 0);
    assert_int_equal(u16_at(message + 6), 1);
}

static inline void ask_over_udp(int fd, uint16_t id)
{
    uint8_t message[MESSAGE_BYTES];
    write_all(fd, message, question(message, id, "www.example.test.", STEER_TYPE_A));
    size_t len = receive(fd, message, WAIT_MS);
    assert_answer(message, len, id);
}

static inline void ask_over_tcp(int fd, uint16_t id)
{
    uint8_t message[MESSAGE_BYTES];
    write_all(fd, message, framed(message, id, "www.example.test.", STEER_TYPE_A));
    size_t len = read_message(fd, message);
    assert_answer(message, len, id);
}

static inline struct steer_server_stats stats_of(const struct fixture *f)
{
    struct steer_server_stats stats;
    steer_server_stats(f->server, &stats);
    return stats;
}

#endif
