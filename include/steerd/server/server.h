// SPDX-License-Identifier: GPL-3.0-or-later
// The socket loops: UDP workers and TCP threads around the answer room. Floor 6.
#ifndef STEERD_SERVER_SERVER_H
#define STEERD_SERVER_SERVER_H

#include <sys/socket.h>

#include "steerd/answer/answer.h"
#include "steerd/base/err.h"
#include "steerd/server/replay.h"
#include "steerd/server/rrl.h"

struct steer_server;

enum { // defaults
    STEER_TCP_LIMIT = 1000,
    STEER_TCP_PER_CLIENT = 100,
    STEER_TCP_IDLE_MS = 10000,
};

struct steer_server_options {
    const struct sockaddr_storage
        *listen; // UDP and TCP on each; port 0 picks a free one, the same for both
    const socklen_t *listen_len;
    size_t listen_count;
    unsigned workers; // UDP workers per listen address; 0: one per core
    bool pin;         // workers to cores
    // Connections in all, and of one IPv4 address or IPv6 /64; 0: 1,000 and 100. Beyond, the one that has been
    // idle longest makes room; when none is idle, the new one is refused.
    unsigned tcp_limit, tcp_limit_per_client;
    uint32_t tcp_idle_ms;                       // since the last complete message; 0: 10,000
    struct steer_answer_settings answers;       // keepalive_100ms is set from tcp_idle_ms
    struct steer_rrl_settings rrl;              // of answers over UDP; zeroed: no limit
    const struct steer_cookie_secrets *cookies; // copied; NULL: none are made or known
    uint32_t replay_one_in;  // of so many queries one is kept (replay.h); 0: none
    uint32_t replay_records; // kept at most; 0: 65,536
    struct steer_publisher *publisher;
    uint64_t seed; // of the workers' generators
};

// Binds everything, then starts the threads; errors (address in use, ...) name the address, and nothing
// stays open.
enum steer_err steer_server_start(const struct steer_server_options *options,
                                  struct steer_server **server,
                                  struct steer_diag *diag) STEER_MUST_USE;
// Answers what has arrived, closes TCP connections that are idle, gives others up to drain_ms; joins.
// NULL is accepted.
void steer_server_stop(struct steer_server *server, uint32_t drain_ms);
// From now on these sign and verify; copied. NULL: no more cookies. Waits until no thread uses the old ones
// (microseconds). One thread at a time.
void steer_server_set_cookies(struct steer_server *server,
                              const struct steer_cookie_secrets *secrets);
// The address really bound (its port, where 0 was asked).
void steer_server_address(const struct steer_server *server, size_t index,
                          struct sockaddr_storage *sa);

// What the rate limit made of a reply over UDP.
enum steer_limit {
    STEER_LIMIT_NONE,
    STEER_LIMIT_DROPPED,
    STEER_LIMIT_SLIPPED,   // truncated; refusals and errors as they are
    STEER_LIMIT_BADCOOKIE, // the client sent a cookie and is given one to ask again with
    STEER_LIMIT_TRUNCATED, // a large one, of which the network had many
    STEER_LIMITS
};

// Sums over all threads; monotonic counters but for tcp_open. Any thread while the server runs.
struct steer_server_stats {
    uint64_t udp_queries, tcp_queries, truncated, steered, with_ecs;
    uint64_t dropped;                  // no reply was due
    uint64_t unsent;                   // replies that the kernel did not take
    uint64_t rrl_dropped, rrl_slipped; // of limited: sums over the kinds
    uint64_t limited[STEER_LIMITS][STEER_FACT_KINDS];
    uint64_t cookies[STEER_COOKIE_KINDS]; // queries with one; [STEER_COOKIE_NONE] is not counted
    uint64_t kinds[STEER_FACT_KINDS];
    uint64_t rcodes[24];
    uint64_t tcp_accepted, tcp_refused;
    uint64_t tcp_open; // now
    unsigned workers;
};
void steer_server_stats(const struct steer_server *server, struct steer_server_stats *stats);

// The kept queries, worker by worker, each from the oldest to the newest; stops when visit returns false. False
// when none are kept. Any thread while the server runs.
bool steer_server_replay(const struct steer_server *server,
                         bool (*visit)(void *ctx, const struct steer_replay_record *record),
                         void *ctx);

#endif
