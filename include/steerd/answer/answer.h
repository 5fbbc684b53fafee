// SPDX-License-Identifier: GPL-3.0-or-later
// The hot path: a question and the world -> the bytes of a response, and facts about it. Floor 5.
//
// No socket, clock, malloc, lock or log. The socket loops, the fuzzers, the scenarios, the benchmarks
// and explain call the same functions. Three steps, so that a batch hides its cache misses: prepare parses and
// hashes; locate finds where the names of a batch are kept, level by level, so that they wait for memory
// side by side, and asks for what they own; render writes.
#ifndef STEERD_ANSWER_ANSWER_H
#define STEERD_ANSWER_ANSWER_H

#include "steerd/wire/cookie.h"
#include "steerd/wire/writer.h"
#include "steerd/world/world.h"

enum { STEER_UDP_SIZE = 1232, STEER_UDP_MIN = 512, STEER_BATCH_MAX = 32 };

// What the server is configured to say.
struct steer_answer_settings {
    uint16_t udp_size; // our own limit and what we advertise: 1232
    uint16_t
        keepalive_100ms; // told over TCP to who asks (RFC 7828): how long it stays open; 0: off
    uint8_t nsid_len;
    char nsid[64];    // id.server, hostname.bind and NSID; "" off
    char version[64]; // version.server, version.bind; "" off
};

// What server cookies are made and checked with, at one moment.
struct steer_answer_cookies {
    const struct steer_cookie_secrets *secrets; // NULL: COOKIE is an option that is not known
    uint32_t now_s;                             // unix time
};

// What the transport knows, and what a pure function is given.
struct steer_ask {
    const uint8_t *message;
    size_t len;
    struct steer_addr client;                   // the packet's source
    bool stream;                                // TCP: no truncation by size
    uint32_t now_s;                             // unix time, for coherent draws
    uint64_t random;                            // 64 random bits of this query: draw and rotation
    const struct steer_answer_cookies *cookies; // NULL: as without secrets
};

enum steer_outcome_kind {
    STEER_FACT_DROPPED,
    STEER_FACT_POSITIVE,
    STEER_FACT_NODATA,
    STEER_FACT_NXDOMAIN,
    STEER_FACT_REFERRAL,
    STEER_FACT_REFUSED,
    STEER_FACT_ERROR, // FORMERR, NOTIMP, BADVERS, SERVFAIL, BADCOOKIE without a question
    STEER_FACT_KINDS
};

// For the accounting that the caller does.
struct steer_facts {
    enum steer_outcome_kind kind;
    uint16_t rcode;
    bool steered;
    bool truncated;
    bool ecs; // a client subnet was used
    uint8_t scope;
    enum steer_cookie_kind cookie; // NONE also without secrets
    uint16_t qtype;
    uint32_t answer_line; // steered: the outcome given (tables), else 0
    uint32_t ttl_s;       // steered: the TTL given
};

// Between the steps; the caller's storage, one per query of a batch. The ask and its message must stay until
// render.
struct steer_prepared {
    enum steer_parse_result parsed;
    bool asks_zone; // a question of class IN that can be answered
    uint8_t zone_labels;
    const struct steer_zone
        *zone; // to answer from, or NULL: refused, or nothing of class IN was asked
    // Of the zone's names, where the question's name is or would be, and the name's hash: both here, since
    // the query is large and a batch of them does not fit the first-level cache.
    struct steer_trie_cursor cursor;
    uint64_t name_hash;
    const struct steer_zone_node *node;  // with exactly the question's name, or NULL
    const struct steer_program *program; // of a steered record there, or NULL
    struct steer_class class;            // with program: the client's there
    struct steer_query query;
};

void steer_answer_prepare(const struct steer_ask *ask, struct steer_prepared *p);
// After prepare of each; count <= STEER_BATCH_MAX.
void steer_answer_locate(const struct steer_world *world, const struct steer_ask *asks,
                         struct steer_prepared *batch, unsigned count);
// Writes the response to out (cap >= 512) and returns its length; 0: no response is due.
size_t steer_answer_render(const struct steer_world *world,
                           const struct steer_answer_settings *settings,
                           const struct steer_ask *ask, const struct steer_prepared *p,
                           uint8_t *out, size_t cap, struct steer_facts *facts);
// All steps for one.
size_t steer_answer(const struct steer_world *world, const struct steer_answer_settings *settings,
                    const struct steer_ask *ask, uint8_t *out, size_t cap,
                    struct steer_facts *facts);

#endif
