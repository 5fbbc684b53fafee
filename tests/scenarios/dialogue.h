// SPDX-License-Identifier: GPL-3.0-or-later
// One question and its reply. The query's bytes are made here; the reply is read by libknot, so that
// our own codec is not its own judge.
#ifndef STEERD_SCENARIO_DIALOGUE_H
#define STEERD_SCENARIO_DIALOGUE_H

#include <libknot/libknot.h>

#include "stage.h"
#include "steerd/answer/answer.h"

struct question {
    struct steer_name name; // in the case it came in
    uint16_t type, class, flags;
    struct steer_addr client; // the packet's source
    bool edns, has_ecs, dnssec_ok, nsid, stream;
    struct steer_prefix ecs;
    uint16_t size;
    uint8_t version;
    uint64_t random;
    uint8_t query[STEER_MESSAGE_MAX];
    size_t query_len;
    bool raw; // query was given as bytes
};

struct reply {
    uint8_t wire[STEER_MESSAGE_MAX];
    size_t len;      // 0: none is due
    knot_pkt_t *pkt; // NULL: none, or not a message
    struct steer_facts facts;
    bool has_ecs;
    uint8_t scope;
    int ede; // -1: none
};

// NAME TYPE [OPTIONS] from `word` on; returns the word where the options end (a "=>" or the end).
unsigned question_parse(const struct stage *stage, const struct line *line, unsigned word,
                        struct question *q);
// Bytes in hexadecimal, with name:NAME for names in wire form, then options.
void question_parse_raw(const struct stage *stage, const struct line *line, struct question *q);

// Asks, and judges what holds of every reply: it parses, echoes id, opcode, question and client
// subnet, keeps within the size, and agrees with the facts.
void ask(const struct stage *stage, const struct line *line, const struct question *q,
         struct reply *r);
// The same without judging; random in place of the question's.
void ask_quietly(const struct stage *stage, const struct question *q, uint64_t random,
                 struct reply *r);
void reply_fini(struct reply *r);

// expect.c
void expect_query(struct stage *stage, const struct line *line);
void expect_raw(struct stage *stage, const struct line *line);
// shares.c: shares, and explain
void expect_shares(struct stage *stage, const struct line *line);
void expect_explain(struct stage *stage, const struct line *line);
// borders.c
void expect_borders(struct stage *stage, const struct line *line);

#endif
