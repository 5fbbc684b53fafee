// SPDX-License-Identifier: GPL-3.0-or-later
// The inner loops over names that name.c and message.c share. All of them read and write eight octets
// at a time where that stays inside the arrays given, and fewer where it would not.
#ifndef STEER_WIRE_INTERNAL_H
#define STEER_WIRE_INTERNAL_H

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "steerd/wire/name.h"

#define STEER_NAME_ROOT_HASH UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t load_word(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

// Upper-case ASCII letters of eight octets to lower case, each octet for itself: no carry crosses,
// because bit 7 is left out of the sums.
static inline uint64_t lower_word(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low7 = word & (0x7f * ones);
    uint64_t from_a = low7 + (0x80 - 'A') * ones;
    uint64_t past_z = low7 + (0x7f - 'Z') * ones;
    uint64_t upper = (from_a ^ past_z) & ~word & (0x80 * ones);
    return word | (upper >> 2);
}

// Lower-cases n octets from -> to (the same place, or apart). Length octets stay as they are: 0..63 lies
// below 'A'.
static inline void lower_octets(uint8_t *to, const uint8_t *from, size_t n)
{
    if (n < 8) {
        for (size_t i = 0; i < n; i++)
            to[i] = steer_lower(from[i]);
        return;
    }
    for (size_t i = 0; i + 8 <= n; i += 8) {
        uint64_t word = lower_word(load_word(from + i));
        memcpy(to + i, &word, 8);
    }
    // The last word overlaps the one before: lower-casing twice does no harm.
    uint64_t last = lower_word(load_word(from + n - 8));
    memcpy(to + n - 8, &last, 8);
}

// Walks the labels of an uncompressed name: where each begins, and the name's octets with the root's.
// The number of labels, or -1 when it is malformed, too long or goes past size.
static inline int scan_labels(const uint8_t *wire, size_t size, uint8_t at[STEER_LABELS_MAX],
                              size_t *len)
{
    if (size > STEER_NAME_MAX)
        size = STEER_NAME_MAX;
    size_t i = 0;
    int labels = 0;
    while (i < size) {
        uint8_t n = wire[i];
        if (n == 0) {
            *len = i + 1;
            return labels;
        }
        if (n > STEER_LABEL_MAX)
            return -1;
        // At most 127 labels of two octets fit below STEER_NAME_MAX, so `at` cannot overflow.
        at[labels++] = (uint8_t)i;
        i += n + 1U;
    }
    return -1;
}

// Folded multiplication: both halves of the 128-bit product.
static inline uint64_t mix_word(uint64_t h, uint64_t word)
{
    __extension__ typedef unsigned __int128 u128;
    u128 product = (u128)(h ^ word ^ UINT64_C(0xa0761d6478bd642f)) * UINT64_C(0xe7037ed1a0b428db);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// The label at p with its length octet, in lower case (`lowered`: it is so already), zero-padded to words.
// `readable` octets may be touched from p on; those past the label are masked away.
static inline __attribute__((always_inline)) uint64_t hash_label(uint64_t h, const uint8_t *p,
                                                                 size_t readable, bool lowered)
{
    size_t n = p[0] + 1U;
    for (; n > 8; n -= 8, p += 8, readable -= 8) {
        uint64_t whole = load_word(p);
        h = mix_word(h, le64toh(lowered ? whole : lower_word(whole)));
    }
    uint64_t word = 0;
    if (readable >= 8)
        word = le64toh(load_word(p)) & (~UINT64_C(0) >> (64 - 8 * n));
    else
        for (size_t i = 0; i < n; i++)
            word |= (uint64_t)p[i] << (8 * i);
    return mix_word(h, lowered ? word : lower_word(word));
}

static inline __attribute__((always_inline)) void hash_labels(const uint8_t *wire, size_t readable,
                                                              size_t len, const uint8_t *at,
                                                              unsigned labels, bool lowered,
                                                              struct steer_name_hashes *hashes)
{
    uint64_t h = STEER_NAME_ROOT_HASH;
    hashes->hash[0] = h;
    hashes->at[0] = (uint8_t)(len - 1);
    for (unsigned i = 1; i <= labels; i++) {
        uint8_t start = at[labels - i];
        h = hash_label(h, wire + start, readable - start, lowered);
        hashes->hash[i] = h;
        hashes->at[i] = start;
    }
}

// The hashes of the name at wire, of any case, from scan_labels' result; `readable` octets may be
// touched. Letters are lower-cased on the way, so that no copy is needed first.
static inline void hash_scanned(const uint8_t *wire, size_t readable, size_t len, const uint8_t *at,
                                unsigned labels, struct steer_name_hashes *hashes)
{
    hash_labels(wire, readable, len, at, labels, false, hashes);
}

// The same for a name that is in lower case already.
static inline void hash_lowered(const uint8_t *wire, size_t readable, size_t len, const uint8_t *at,
                                unsigned labels, struct steer_name_hashes *hashes)
{
    hash_labels(wire, readable, len, at, labels, true, hashes);
}

#endif
