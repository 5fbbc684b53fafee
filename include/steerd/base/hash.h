// SPDX-License-Identifier: GPL-3.0-or-later
// Hashes, a generator, and a map from strings. Floor 0.
#ifndef STEERD_BASE_HASH_H
#define STEERD_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Finaliser of MurmurHash3 (Appleby): every input bit moves every output bit.
static inline uint64_t steer_mix64(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    x ^= x >> 33;
    return x;
}

// A 64-bit hash of bytes, stable across runs and machines. Not for use against an adversary.
uint64_t steer_hash_bytes(const void *data, size_t len, uint64_t seed);
uint64_t steer_hash_string(const char *text);

// xoshiro256** (Blackman and Vigna, public domain algorithm). One per thread; logic never owns one, it
// is passed the numbers.
struct steer_rng {
    uint64_t s[4];
};
void steer_rng_init(struct steer_rng *rng, uint64_t seed);

static inline uint64_t steer_rng_next(struct steer_rng *rng)
{
    uint64_t *s = rng->s;
    const uint64_t m = s[1] * 5;
    const uint64_t result = ((m << 7) | (m >> 57)) * 9;
    const uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return result;
}

// A map from strings to u32, e.g. names to indices. Keys are copied. Zero-initialise to start.
struct steer_map {
    struct steer_map_entry *slots;
    size_t cap;
    size_t used;
    size_t dead;
};
void steer_map_fini(struct steer_map *map);
// True and *value when the key is there.
bool steer_map_get(const struct steer_map *map, const char *key, uint32_t *value);
// Sets or replaces.
void steer_map_put(struct steer_map *map, const char *key, uint32_t value);
bool steer_map_remove(struct steer_map *map, const char *key);
void steer_map_clone(struct steer_map *to, const struct steer_map *from);
// Iteration in no particular order: start with *at = 0; false at the end.
bool steer_map_next(const struct steer_map *map, size_t *at, const char **key, uint32_t *value);

// The candidate nearest to `word` by edit distance, for "did you mean"; NULL where none is near.
const char *steer_nearest_word(const char *word, const char *const *candidates, size_t count);

#endif
