// SPDX-License-Identifier: GPL-3.0-or-later
// Response rate limiting: how many answers of one kind a network gets over UDP, whose source addresses
// anyone can forge. Floor 6. Pure: time, addresses and secret are passed in.
//
// One table for all workers, since SO_REUSEPORT spreads one victim over them; relaxed loads and stores, no
// lock. Two workers at one bucket in the same nanosecond may count one answer instead of two.
//
// A bucket is of a client prefix, the kind of answer, and for answers and referrals one of 16 classes of
// question names, for NXDOMAIN one of 16 classes of zones (an attacker has any number of names that do not
// exist), for errors and refusals nothing more. BIND, Knot and NSD keep a bucket for each name; then all
// names of a large zone or below a wildcard together have no limit. Here no prefix ever gets more than
// 16 x rate of a kind, nor takes more than 16 buckets of it.
//
// The default rate is above NSD's 200 (Knot 20-200, BIND's manual 5-15): a resolver that sends client
// subnets asks for one steered name once per subnet and TTL, which for 30,000 subnets behind one place and
// 30 s is 1,000 a second. Those who send less never see it.
#ifndef STEERD_SERVER_RRL_H
#define STEERD_SERVER_RRL_H

#include <stddef.h>
#include <stdint.h>

#include "steerd/base/addr.h"

enum {
    STEER_RRL_RATE = 1000, // defaults
    STEER_RRL_SLIP = 2,
    STEER_RRL_V4_LEN = 24,
    STEER_RRL_V6_LEN = 56,
    STEER_RRL_RATE_MAX = 1000000,
    STEER_RRL_SLIP_MAX = 10,
    STEER_RRL_V6_LEN_MAX = 64,
};

struct steer_rrl_settings {
    uint32_t rate; // answers a second and bucket, and the most at once; 0: no limit
    uint32_t slip; // of the limited ones every n-th is not dropped but slips through; 0: none
    uint8_t v4_len, v6_len;           // of the prefixes; 0: 24 and 56
    const struct steer_prefix *allow; // never limited
    size_t allow_count;
};

enum steer_rrl_verdict { STEER_RRL_PASS, STEER_RRL_DROP, STEER_RRL_SLIPS };

struct steer_rrl;
// Values beyond the maxima are lowered to them; rate is not 0. The secret keeps others from finding
// questions that share a bucket with a victim's. sets: of 4 buckets, a power of 2; 0: 32,768 (1 MiB).
struct steer_rrl *steer_rrl_create(const struct steer_rrl_settings *settings,
                                   const uint64_t secret[3], size_t sets);
void steer_rrl_destroy(struct steer_rrl *rrl); // NULL is accepted

// The time that charge takes, from monotonic nanoseconds (a coarse clock will do). For once per batch.
uint64_t steer_rrl_time(const struct steer_rrl *rrl, uint64_t mono_ns);
// The bucket of an answer, asked into the cache. kind < 8; name: hash of what the kind goes by, or 0.
uint64_t steer_rrl_key(const struct steer_rrl *rrl, const struct steer_addr *client, unsigned kind,
                       uint64_t name);
// Counts one answer, as `cost` of them (1 or more; at most the rate counts). now may differ a little between
// the callers.
enum steer_rrl_verdict steer_rrl_charge(struct steer_rrl *rrl, uint64_t key,
                                        const struct steer_addr *client, unsigned cost,
                                        uint64_t now);

#endif
