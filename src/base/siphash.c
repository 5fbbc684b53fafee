// SPDX-License-Identifier: GPL-3.0-or-later
// Own and small: libsodium's and libknot's would each be a dependency of a low room for 50 lines with
// published test vectors.
#include "steerd/base/siphash.h"

struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t load(const uint8_t *p, size_t n)
{
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++)
        word |= (uint64_t)p[i] << (8 * i);
    return word;
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void mix(struct state *s, unsigned rounds)
{
    while (rounds--) {
        s->v0 += s->v1;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v2 = rotate(s->v2, 32);
    }
}

static void take(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    mix(s, 2);
    s->v0 ^= word;
}

uint64_t steer_siphash(const uint8_t key[STEER_SIPHASH_KEY_BYTES], const void *data, size_t len)
{
    const uint64_t k0 = load(key, 8), k1 = load(key + 8, 8);
    const uint8_t *p = data;
    // "somepseudorandomlygeneratedbytes"
    struct state s = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
                      k1 ^ 0x7465646279746573};
    size_t left = len;
    for (; left >= 8; left -= 8, p += 8)
        take(&s, load(p, 8));
    take(&s, (uint64_t)len << 56 | load(p, left));
    s.v2 ^= 0xff;
    mix(&s, 4);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
