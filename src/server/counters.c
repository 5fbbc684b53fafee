// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "server_internal.h"

static void add(struct steer_server_stats *stats, const struct counters *c)
{
    stats->dropped += count_get(&c->dropped);
    stats->unsent += count_get(&c->unsent);
    stats->truncated += count_get(&c->truncated);
    stats->steered += count_get(&c->steered);
    stats->with_ecs += count_get(&c->with_ecs);
    for (unsigned i = 0; i < STEER_FACT_KINDS; i++)
        stats->kinds[i] += count_get(&c->kinds[i]);
    for (unsigned i = 0; i < RCODES; i++)
        stats->rcodes[i] += count_get(&c->rcodes[i]);
    for (unsigned i = 0; i < STEER_COOKIE_KINDS; i++)
        stats->cookies[i] += count_get(&c->cookies[i]);
    for (unsigned i = 0; i < STEER_LIMITS; i++)
        for (unsigned k = 0; k < STEER_FACT_KINDS; k++)
            stats->limited[i][k] += count_get(&c->limited[i][k]);
}

void steer_server_stats(const struct steer_server *server, struct steer_server_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    stats->workers = (unsigned)server->worker_count;
    for (size_t i = 0; i < server->worker_count; i++) {
        const struct counters *c = udp_worker_counters(server->workers[i]);
        stats->udp_queries += count_get(&c->queries);
        add(stats, c);
    }
    const struct counters *c = tcp_answer_counters(server->tcp);
    stats->tcp_queries = count_get(&c->queries);
    add(stats, c);
    for (unsigned k = 0; k < STEER_FACT_KINDS; k++) {
        stats->rrl_dropped += stats->limited[STEER_LIMIT_DROPPED][k];
        stats->rrl_slipped += stats->limited[STEER_LIMIT_SLIPPED][k];
    }
    const struct tcp_counters *streams = tcp_connection_counters(server->tcp);
    stats->tcp_accepted = count_get(&streams->accepted);
    stats->tcp_refused = count_get(&streams->refused);
    stats->tcp_open = count_get(&streams->open);
}
