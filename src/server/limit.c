// SPDX-License-Identifier: GPL-3.0-or-later
// The rate limit on one reply over UDP: which buckets it is of, and what becomes of a limited one.
// Queries over TCP have an address that was verified and never come here.
#include "server_internal.h"
#include "steerd/wire/message.h"

enum {
    OPTION_HEAD = 4,
    // What is larger than DNS without EDNS ever gave is what makes reflecting worth while. All such replies
    // of a network have one bucket together, and each counts as ten.
    LARGE_BYTES = 512,
    LARGE_COST = 10,
    KIND_LARGE = STEER_FACT_KINDS,
    KIND_COOKIE = STEER_FACT_DROPPED, // which no reply has
};
_Static_assert(KIND_LARGE < 8, "steer_rrl_key takes no more kinds");

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

// By what the reply is, and then by its size.
static enum steer_limit judge(const struct steer_server *server, uint64_t key, uint64_t now,
                              const struct steer_addr *client, size_t len)
{
    switch (steer_rrl_charge(server->rrl, key, client, 1, now)) {
    case STEER_RRL_DROP:
        return STEER_LIMIT_DROPPED;
    case STEER_RRL_SLIPS:
        return STEER_LIMIT_SLIPPED;
    case STEER_RRL_PASS:
        break;
    }
    if (STEER_LIKELY(len <= LARGE_BYTES))
        return STEER_LIMIT_NONE;
    key = steer_rrl_key(server->rrl, client, KIND_LARGE, 0);
    return steer_rrl_charge(server->rrl, key, client, LARGE_COST, now) == STEER_RRL_PASS
               ? STEER_LIMIT_NONE
               : STEER_LIMIT_TRUNCATED;
}

// Header, question, and where one was sent a bare OPT (RFC 6891 6.1.1), with a cookie or without (NULL).
static size_t shorten(uint8_t *reply, const struct steer_query *q, uint16_t udp_size,
                      uint16_t rcode, const uint8_t *cookie)
{
    struct steer_writer w;
    steer_writer_init(&w, reply, STEER_UDP_MIN);
    w.len = STEER_HEADER_BYTES + (q->has_question ? q->question_len : 0u);
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
        steer_write_u16(&w, cookie ? OPTION_HEAD + STEER_COOKIE_BYTES : 0);
    }
    if (cookie) {
        steer_write_u16(&w, STEER_EDNS_COOKIE);
        steer_write_u16(&w, STEER_COOKIE_BYTES);
        steer_write_bytes(&w, cookie, STEER_COOKIE_BYTES);
    }
    return w.len;
}

// Never more than the query had.
static size_t truncate_reply(const struct steer_server *server, const struct steer_query *q,
                             struct steer_facts *facts, uint8_t *reply)
{
    reply[2] |= STEER_FLAG_TC >> 8;
    facts->truncated = true;
    return shorten(reply, q, server->answers.udp_size, facts->rcode, NULL);
}

// RFC 7873 5.2.3: the cookie to ask again with. Sixteen octets more than the shortest query that gets it.
static size_t give_cookie(const struct steer_server *server, const struct steer_ask *ask,
                          const struct steer_query *q, struct steer_facts *facts, uint8_t *reply)
{
    uint8_t cookie[STEER_COOKIE_BYTES];
    (void)steer_cookie_check(ask->cookies->secrets, &q->edns, &ask->client, ask->cookies->now_s,
                             cookie);
    facts->rcode = STEER_RCODE_BADCOOKIE;
    facts->steered = facts->truncated = false;
    facts->answer_line = 0;
    reply[2] &= (uint8_t) ~((STEER_FLAG_AA | STEER_FLAG_TC) >> 8);
    reply[3] = (uint8_t)((reply[3] & 0xf0) | (STEER_RCODE_BADCOOKIE & 15));
    return shorten(reply, q, server->answers.udp_size, facts->rcode, cookie);
}

// A forged question may have a cookie in it too. What would be dropped gets BADCOOKIE as often as the rate
// allows in sixteen buckets, and no more: in one by the question's id, which a client of that network that
// asks again changes.
static bool may_have_cookie(const struct steer_server *server, enum steer_limit limit, uint64_t now,
                            const struct steer_ask *ask, const struct steer_prepared *p)
{
    if (limit != STEER_LIMIT_DROPPED)
        return true;
    const uint64_t key = steer_rrl_key(server->rrl, &ask->client, KIND_COOKIE, p->query.id);
    return steer_rrl_charge(server->rrl, key, &ask->client, 1, now) == STEER_RRL_PASS;
}

enum steer_limit limit_reply(const struct steer_server *server, uint64_t key, uint64_t now,
                             const struct steer_ask *ask, const struct steer_prepared *p,
                             struct steer_facts *facts, uint8_t *reply, size_t *len)
{
    // With a cookie of ours the address is known to be the client's own.
    if (STEER_UNLIKELY(facts->cookie == STEER_COOKIE_GOOD))
        return STEER_LIMIT_NONE;
    const enum steer_limit limit = judge(server, key, now, &ask->client, *len);
    if (STEER_LIKELY(limit == STEER_LIMIT_NONE))
        return limit;
    if (facts->cookie != STEER_COOKIE_NONE && may_have_cookie(server, limit, now, ask, p)) {
        *len = give_cookie(server, ask, &p->query, facts, reply);
        return STEER_LIMIT_BADCOOKIE;
    }
    if (limit == STEER_LIMIT_DROPPED)
        *len = 0;
    // An error is small, and "ask again over TCP" would be no answer to it (BIND does the same).
    else if (facts->kind != STEER_FACT_REFUSED && facts->kind != STEER_FACT_ERROR)
        *len = truncate_reply(server, &p->query, facts, reply);
    return limit;
}
