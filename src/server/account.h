// SPDX-License-Identifier: GPL-3.0-or-later
// What is done once per query beside answering it, for UDP and TCP alike: counters, and whatever else is
// to follow from the facts (rate limiting by client and kind of answer, the book of what was handed out with
// which TTL). On the hot path: no lock, no system call.
#ifndef STEERD_SERVER_ACCOUNT_H
#define STEERD_SERVER_ACCOUNT_H

#include "server_internal.h"

static inline void account(struct counters *c, const struct steer_ask *ask,
                           const struct steer_facts *facts)
{
    (void)ask;
    count_add(&c->queries, 1);
    count_add(&c->kinds[facts->kind], 1);
    if (STEER_UNLIKELY(facts->kind == STEER_FACT_DROPPED)) {
        count_add(&c->dropped, 1);
        return;
    }
    if (STEER_LIKELY(facts->rcode < RCODES))
        count_add(&c->rcodes[facts->rcode], 1);
    if (facts->steered)
        count_add(&c->steered, 1);
    if (facts->ecs)
        count_add(&c->with_ecs, 1);
    if (STEER_UNLIKELY(facts->truncated))
        count_add(&c->truncated, 1);
}

#endif
