// SPDX-License-Identifier: GPL-3.0-or-later
// A bucket is one word, so that one load and one store are all it takes:
//
//   tag: 24 bits of the key | slips: 4 bits | when: 36 bits
//
// Time runs in units of one answer, rate of them a second. `when` is the moment at which all answers
// given so far are paid for (the "theoretical arrival time" of GCRA); how far it lies ahead of now is the bucket's debt.
// An answer adds its cost, most often one unit, and passes while the debt is below one second's worth. So in the mean the rate
// holds exactly, without a rounded refill. `when` wraps after 19 hours at the highest rate and two years
// at the default; a value that could not be of now is taken for none.
//
// Four buckets make a set. A new key takes the place of the least debt, so that whoever floods stays known,
// and starts without any, so that nobody is held for what another did.
#include "steerd/server/rrl.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "server_internal.h"
#include "steerd/base/clock.h"
#include "steerd/base/mem.h"

enum { WAYS = 4, SETS = 1 << 15, CLASSES = 16, WHEN_BITS = 36, TAG_SHIFT = 40 };

#define WHEN_MASK ((UINT64_C(1) << WHEN_BITS) - 1)

__extension__ typedef unsigned __int128 wide;

// A prefix as two words in memory order.
struct allowed {
    uint8_t family;
    uint64_t bits[2], mask[2];
};

struct steer_rrl {
    uint64_t *buckets; // read and written as atomics
    uint64_t set_mask;
    uint64_t rate, slip;
    uint64_t v4_mask, v6_mask; // of an address's first eight octets, in memory order
    uint64_t secret[3];
    struct allowed *allow;
    size_t allow_count;
};

static void mask_of(unsigned len, uint64_t mask[2])
{
    uint8_t octets[16] = {0};
    for (unsigned i = 0; i < len; i++)
        octets[i / 8] |= (uint8_t)(0x80 >> i % 8);
    memcpy(mask, octets, sizeof octets);
}

static uint64_t first_mask(unsigned len, unsigned fallback, unsigned max)
{
    uint64_t mask[2];
    len = len ? len : fallback;
    mask_of(len < max ? len : max, mask);
    return mask[0];
}

struct steer_rrl *steer_rrl_create(const struct steer_rrl_settings *settings,
                                   const uint64_t secret[3], size_t sets)
{
    struct steer_rrl *r = aligned_zeroed(sizeof *r);
    sets = sets ? sets : SETS;
    assert(settings->rate && (sets & (sets - 1)) == 0);
    r->buckets = aligned_zeroed(sets * WAYS * sizeof *r->buckets);
    r->set_mask = sets - 1;
    r->rate = settings->rate < STEER_RRL_RATE_MAX ? settings->rate : STEER_RRL_RATE_MAX;
    r->slip = settings->slip < STEER_RRL_SLIP_MAX ? settings->slip : STEER_RRL_SLIP_MAX;
    r->v4_mask = first_mask(settings->v4_len, STEER_RRL_V4_LEN, 32);
    r->v6_mask = first_mask(settings->v6_len, STEER_RRL_V6_LEN, STEER_RRL_V6_LEN_MAX);
    memcpy(r->secret, secret, sizeof r->secret);
    r->allow_count = settings->allow_count;
    r->allow = steer_calloc(r->allow_count, sizeof *r->allow);
    for (size_t i = 0; i < r->allow_count; i++) {
        const struct steer_prefix *p = &settings->allow[i];
        r->allow[i].family = p->addr.family;
        memcpy(r->allow[i].bits, p->addr.octets, sizeof r->allow[i].bits);
        mask_of(p->len, r->allow[i].mask);
    }
    return r;
}

void steer_rrl_destroy(struct steer_rrl *r)
{
    if (!r)
        return;
    free(r->buckets);
    free(r->allow);
    free(r);
}

uint64_t steer_rrl_time(const struct steer_rrl *r, uint64_t mono_ns)
{
    return (uint64_t)((wide)mono_ns * r->rate / STEER_NS_PER_S);
}

static uint64_t fold(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t *set_of(const struct steer_rrl *r, uint64_t key)
{
    return r->buckets + (key & r->set_mask) * WAYS;
}

uint64_t steer_rrl_key(const struct steer_rrl *r, const struct steer_addr *client, unsigned kind,
                       uint64_t name)
{
    uint64_t network;
    memcpy(&network, client->octets, sizeof network);
    network &= client->family == STEER_V4 ? r->v4_mask : r->v6_mask;
    uint64_t what = (uint64_t)client->family << 8 | kind << 4 | name % CLASSES;
    uint64_t key = fold(fold(network ^ r->secret[0], what ^ r->secret[1]), r->secret[2] | 1);
    __builtin_prefetch(set_of(r, key), 1);
    return key;
}

static uint64_t debt_of(const struct steer_rrl *r, uint64_t word, uint64_t now)
{
    uint64_t ahead = (word - now) & WHEN_MASK;
    // More than a second's worth, since another caller's now may be a little later; beyond that `when`
    // lies in the past.
    return ahead <= 2 * r->rate ? ahead : 0;
}

static bool is_allowed(const struct steer_rrl *r, const struct steer_addr *client)
{
    uint64_t bits[2];
    memcpy(bits, client->octets, sizeof bits);
    for (size_t i = 0; i < r->allow_count; i++) {
        const struct allowed *a = &r->allow[i];
        if (a->family == client->family &&
            !(((bits[0] ^ a->bits[0]) & a->mask[0]) | ((bits[1] ^ a->bits[1]) & a->mask[1])))
            return true;
    }
    return false;
}

// The bucket that has the key's tag, or else the one with the least debt; *word is what it holds.
static _Atomic uint64_t *find(const struct steer_rrl *r, uint64_t key, uint64_t now, uint64_t *word)
{
    _Atomic uint64_t *set = (_Atomic uint64_t *)set_of(r, key), *least = NULL;
    uint64_t least_debt = UINT64_MAX;
    for (unsigned i = 0; i < WAYS; i++) {
        *word = atomic_load_explicit(&set[i], memory_order_relaxed);
        if ((*word ^ key) >> TAG_SHIFT == 0)
            return &set[i];
        uint64_t debt = debt_of(r, *word, now);
        if (debt < least_debt) {
            least_debt = debt;
            least = &set[i];
        }
    }
    *word = now & WHEN_MASK;
    return least;
}

// Which of the limited answers slip through is counted in the bucket.
static enum steer_rrl_verdict limit(const struct steer_rrl *r, _Atomic uint64_t *bucket,
                                    uint64_t word)
{
    if (r->slip < 2)
        return r->slip ? STEER_RRL_SLIPS : STEER_RRL_DROP;
    const uint64_t slips = (word >> WHEN_BITS & 15) + 1;
    const bool through = slips >= r->slip;
    word &= ~(UINT64_C(15) << WHEN_BITS);
    word |= through ? 0 : slips << WHEN_BITS;
    atomic_store_explicit(bucket, word, memory_order_relaxed);
    return through ? STEER_RRL_SLIPS : STEER_RRL_DROP;
}

enum steer_rrl_verdict steer_rrl_charge(struct steer_rrl *r, uint64_t key,
                                        const struct steer_addr *client, unsigned cost,
                                        uint64_t now)
{
    uint64_t word;
    _Atomic uint64_t *bucket = find(r, key, now, &word);
    uint64_t debt = debt_of(r, word, now);
    if (STEER_LIKELY(debt < r->rate)) {
        word = key >> TAG_SHIFT << TAG_SHIFT | (word & UINT64_C(15) << WHEN_BITS) |
               ((now + debt + (cost < r->rate ? cost : r->rate)) & WHEN_MASK);
        atomic_store_explicit(bucket, word, memory_order_relaxed);
        return STEER_RRL_PASS;
    }
    // Only now, so that whoever is allowed pays what everyone pays.
    if (is_allowed(r, client))
        return STEER_RRL_PASS;
    return limit(r, bucket, word);
}
