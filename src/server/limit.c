// SPDX-License-Identifier: GPL-3.0-or-later
// The rate limit on one reply over UDP: which bucket it is of, and what becomes of a limited one.
// Queries over TCP have an address that was verified and never come here.
#include "server_internal.h"
#include "steerd/wire/message.h"

// What answers of a kind are alike by. An error says nothing of the zone; names that do not exist are
// without number, so that their zone counts.
static uint64_t subject_of(const struct steer_prepared *p, const struct steer_facts *facts)
{
    switch (facts->kind) {
    case STEER_FACT_POSITIVE:
    case STEER_FACT_NODATA:
    case STEER_FACT_REFERRAL:
        return p->query.has_question ? p->query.hashes.hash[p->query.qname.labels] : 0;
    case STEER_FACT_NXDOMAIN:
        return p->zone->hash;
    case STEER_FACT_DROPPED:
    case STEER_FACT_REFUSED:
    case STEER_FACT_ERROR:
    case STEER_FACT_KINDS:
        break;
    }
    return 0;
}

uint64_t limit_key(const struct steer_rrl *rrl, const struct steer_ask *ask,
                   const struct steer_prepared *p, const struct steer_facts *facts)
{
    return steer_rrl_key(rrl, &ask->client, facts->kind, subject_of(p, facts));
}

// Header, question, and a bare OPT where one was sent (RFC 6891 6.1.1): never more than the query had.
static size_t truncate_reply(uint8_t *reply, const struct steer_query *q, uint16_t udp_size,
                             uint16_t rcode)
{
    struct steer_writer w;
    steer_writer_init(&w, reply, STEER_UDP_MIN);
    w.len = STEER_HEADER_BYTES + (q->has_question ? q->question_len : 0u);
    reply[2] |= STEER_FLAG_TC >> 8;
    steer_write_u16_at(&w, 6, 0);
    steer_write_u16_at(&w, 8, 0);
    steer_write_u16_at(&w, 10, q->edns.present);
    if (q->edns.present) {
        steer_write_u8(&w, 0);
        steer_write_u16(&w, STEER_TYPE_OPT);
        steer_write_u16(&w, udp_size);
        steer_write_u8(&w, (uint8_t)(rcode >> 4));
        steer_write_u8(&w, 0); // version
        steer_write_u16(&w, q->edns.dnssec_ok ? 0x8000 : 0);
        steer_write_u16(&w, 0);
    }
    return w.len;
}

enum steer_rrl_verdict limit_reply(const struct steer_server *server, uint64_t key, uint64_t now,
                                   const struct steer_ask *ask, const struct steer_prepared *p,
                                   struct steer_facts *facts, uint8_t *reply, size_t *len)
{
    enum steer_rrl_verdict verdict = steer_rrl_charge(server->rrl, key, &ask->client, now);
    if (STEER_LIKELY(verdict == STEER_RRL_PASS))
        return verdict;
    if (verdict == STEER_RRL_DROP) {
        *len = 0;
    } else if (facts->kind != STEER_FACT_REFUSED && facts->kind != STEER_FACT_ERROR) {
        // An error is small, and "ask again over TCP" would be no answer to it (BIND does the same).
        *len = truncate_reply(reply, &p->query, server->answers.udp_size, facts->rcode);
        facts->truncated = true;
    }
    return verdict;
}
