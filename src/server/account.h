// SPDX-License-Identifier: GPL-3.0-or-later
// What is done once per query beside answering it, for UDP and TCP alike: counters, and the book of what was
// handed out until when. On the hot path: no lock, no system call. (The rate limit is UDP's: limit.c.)
#ifndef STEERD_SERVER_ACCOUNT_H
#define STEERD_SERVER_ACCOUNT_H

#include "server_internal.h"

static inline void account_for_reply(struct counters *c, const struct steer_world *world,
                                     const struct steer_facts *facts, uint32_t unix_s)
{
    if (STEER_LIKELY(facts->rcode < RCODES))
        count_add(&c->rcodes[facts->rcode], 1);
    if (facts->steered)
        count_add(&c->steered, 1);
    if (facts->ecs)
        count_add(&c->with_ecs, 1);
    if (STEER_UNLIKELY(facts->truncated))
        count_add(&c->truncated, 1);
    else if (facts->answer_line)
        steer_tables_note_given(world->tables, facts->answer_line, unix_s + facts->ttl_s);
}

static inline void account(struct counters *c, const struct steer_world *world,
                           const struct steer_facts *facts, enum steer_limit limit, uint32_t unix_s)
{
    count_add(&c->queries, 1);
    count_add(&c->kinds[facts->kind], 1);
    if (STEER_UNLIKELY(facts->kind == STEER_FACT_DROPPED)) {
        count_add(&c->dropped, 1);
        return;
    }
    if (STEER_UNLIKELY(facts->cookie != STEER_COOKIE_NONE))
        count_add(&c->cookies[facts->cookie], 1);
    if (STEER_UNLIKELY(limit != STEER_LIMIT_NONE))
        count_add(&c->limited[limit][facts->kind], 1);
    if (STEER_LIKELY(limit != STEER_LIMIT_DROPPED))
        account_for_reply(c, world, facts, unix_s);
}

#endif
