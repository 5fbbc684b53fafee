// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef STEERD_SERVER_INTERNAL_H
#define STEERD_SERVER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "steerd/base/hash.h"
#include "steerd/server/server.h"

enum {
    CACHE_LINE = 64,
    RCODES = 24,
    UDP_ANSWER_MAX = 4096, // the most that settings.udp_size may ask for
    UDP_BUFFER_BYTES = 8 << 20,
};

// One writer, so a load and a store do; other threads only read.
typedef _Atomic uint64_t counter;
static inline void count_add(counter *c, uint64_t n)
{
    uint64_t old = atomic_load_explicit(c, memory_order_relaxed);
    atomic_store_explicit(c, old + n, memory_order_relaxed);
}
static inline uint64_t count_get(const counter *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

// What one thread counts; begins on a cache line of its own.
struct counters {
    _Alignas(CACHE_LINE) counter queries;
    counter dropped, unsent, truncated, steered, with_ecs;
    counter kinds[STEER_FACT_KINDS];
    counter rcodes[RCODES];
    counter cookies[STEER_COOKIE_KINDS];
    counter limited[STEER_LIMITS][STEER_FACT_KINDS];
};

struct listener {
    struct sockaddr_storage sa; // as bound
    socklen_t len;
    bool wildcard; // the address asked must be learnt from each datagram
    int tcp_fd;
};

struct udp_worker;
struct tcp;

struct steer_server {
    struct steer_answer_settings answers;
    struct steer_publisher *publisher;
    struct steer_rrl *rrl; // NULL: no limit
    _Atomic(struct steer_cookie_secrets *) cookie_secrets;
    _Atomic bool stopping;
    uint32_t drain_ms; // written before stopping is set
    struct listener *listeners;
    size_t listener_count;
    struct udp_worker **workers;
    size_t worker_count, workers_started;
    struct tcp *tcp;
    bool tcp_started;
};

static inline bool is_stopping(const struct steer_server *s)
{
    return atomic_load_explicit(&s->stopping, memory_order_acquire);
}

// NULL: no cookies. Valid until the next quiescent state of the thread.
static inline const struct steer_cookie_secrets *server_cookie_secrets(const struct steer_server *s)
{
    return atomic_load_explicit(&s->cookie_secrets, memory_order_acquire);
}

// For the book of what was given: never earlier than it is.
uint32_t unix_s_rounded_up(void);

// limit.c: the rate limit on one reply over UDP, in two steps so that a batch hides the table's cache
// misses. rrl is not NULL.
uint64_t limit_key(const struct steer_rrl *rrl, const struct steer_ask *ask,
                   const struct steer_prepared *p, const struct steer_facts *facts);
// Shortens a limited reply and *len, to 0 when it is dropped; never makes it larger. now: steer_rrl_time.
enum steer_limit limit_reply(const struct steer_server *server, uint64_t key, uint64_t now,
                             const struct steer_ask *ask, const struct steer_prepared *p,
                             struct steer_facts *facts, uint8_t *reply, size_t *len);

// Cache-line aligned and zeroed; never NULL. Free with free().
void *aligned_zeroed(size_t size);

// udp.c: a worker over a bound socket, which it owns.
struct udp_worker *udp_worker_create(struct steer_server *server, const struct listener *listener,
                                     int fd, uint64_t seed);
void udp_worker_destroy(struct udp_worker *w);
// core < 0: not pinned. Errors: STEER_EIO.
enum steer_err udp_worker_start(struct udp_worker *w, unsigned index, int core,
                                struct steer_diag *diag) STEER_MUST_USE;
void udp_worker_wake(struct udp_worker *w);
void udp_worker_join(struct udp_worker *w);
const struct counters *udp_worker_counters(const struct udp_worker *w);
// Takes the ring over; before the start.
void udp_worker_set_replay(struct udp_worker *w, struct steer_replay_ring *ring);
const struct steer_replay_ring *
udp_worker_replay(const struct udp_worker *w); // NULL: nothing is kept

// tcp.c
// Keeps the query if it is of the sample; reply: as it is sent, len 0 if none is. The ring's one thread.
void sample_query(struct steer_replay_ring *ring, const struct steer_ask *ask,
                  const struct steer_prepared *p, const struct steer_facts *facts,
                  const uint8_t *reply, size_t len, uint32_t unix_s);

struct tcp_counters {
    counter accepted, refused, open;
};
struct tcp_limits {
    unsigned connections, per_client;
    uint64_t idle_ns;
};
// The listeners' sockets are the caller's. Errors: STEER_EIO.
enum steer_err tcp_create(struct steer_server *server, const struct tcp_limits *limits,
                          uint64_t seed, struct tcp **tcp, struct steer_diag *diag) STEER_MUST_USE;
void tcp_destroy(struct tcp *t);
enum steer_err tcp_start(struct tcp *t, struct steer_diag *diag) STEER_MUST_USE;
void tcp_wake(struct tcp *t);
void tcp_join(struct tcp *t);
void tcp_set_replay(struct tcp *t, struct steer_replay_ring *ring); // before start; taken over
const struct steer_replay_ring *tcp_replay(const struct tcp *t);    // NULL: nothing is kept
const struct counters *tcp_answer_counters(const struct tcp *t);
const struct tcp_counters *tcp_connection_counters(const struct tcp *t);

#endif
