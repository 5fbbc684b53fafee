// SPDX-License-Identifier: GPL-3.0-or-later
// A sample of the queries that were answered, for trying changes on what was really asked. Floor 6.
//
// One ring for each UDP worker and one for TCP, of fixed size: the newest records stay. The thread writes with relaxed stores
// under a sequence number (a seqlock), readers copy and drop what was overwritten meanwhile; no lock, no system call,
// no allocation. Clients are kept as networks only, IPv4 cut to /24 and IPv6 to /56 (docs/decisions/0101).
#ifndef STEERD_SERVER_REPLAY_H
#define STEERD_SERVER_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steerd/base/addr.h"
#include "steerd/wire/name.h"

enum {
    STEER_REPLAY_RECORDS = 65536, // by default, of all workers together: 20 MiB
    STEER_REPLAY_RECORDS_MAX = 1 << 18,
    STEER_REPLAY_V4_LEN = 24,
    STEER_REPLAY_V6_LEN = 56,
    STEER_REPLAY_DATA = 280, // octets of name and answer
    STEER_REPLAY_ANSWER_MAX = 255,
};

struct steer_replay_record {
    struct steer_name name; // lower case
    uint32_t unix_s;
    uint16_t type;
    uint8_t rcode; // of the low 8 bits
    bool steered;
    struct steer_prefix
        client; // the client subnet that the resolver sent, else the resolver's own network
    // Of the first record of the answer, its data, with names whole; type 0: there was none, it was a SOA, or it is longer
    // than what the name leaves of STEER_REPLAY_DATA.
    uint16_t answer_type;
    uint8_t answer_len;
    uint8_t answer[STEER_REPLAY_ANSWER_MAX];
};

struct steer_replay_ring;
// count records (1 or more), of one query in one_in.
struct steer_replay_ring *steer_replay_create(uint32_t count, uint32_t one_in);
void steer_replay_destroy(struct steer_replay_ring *ring); // NULL is accepted

// Whether the query with these random bits is of the sample. They may be those of the draw: which answer was drawn
// does not decide.
bool steer_replay_is_due(const struct steer_replay_ring *ring, uint64_t random);
// One thread. The client is cut to the lengths above.
void steer_replay_keep(struct steer_replay_ring *ring, const struct steer_replay_record *record);
// Any thread: the records from the oldest to the newest; stops when visit returns false. Returns how many
// queries were kept since the start.
uint64_t steer_replay_read(const struct steer_replay_ring *ring,
                           bool (*visit)(void *ctx, const struct steer_replay_record *record),
                           void *ctx);

#endif
