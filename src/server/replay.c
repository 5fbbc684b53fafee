// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/server/replay.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "server_internal.h"
#include "steerd/base/mem.h"

// A record as it lies in the ring: whole words, so that each is stored and loaded at once.
struct packed {
    uint32_t unix_s;
    uint16_t type, answer_type;
    uint8_t rcode, steered, client_family, client_len, name_len, answer_len;
    uint16_t spare;
    uint8_t client[16];
    uint8_t data[STEER_REPLAY_DATA]; // the name, then the answer
};
enum { HEAD_WORDS = offsetof(struct packed, data) / 8, WORDS = sizeof(struct packed) / 8 };
_Static_assert(offsetof(struct packed, data) % 8 == 0 && sizeof(struct packed) % 8 == 0,
               "a record is whole words");

struct slot {
    _Alignas(
        CACHE_LINE) _Atomic uint64_t sequence; // odd while it is written; 2 * (n + 1): the n-th
    _Atomic uint64_t words[WORDS];
};

struct steer_replay_ring {
    uint64_t threshold; // of 2^32
    uint32_t count;
    _Atomic uint64_t kept;
    struct slot *slots;
};

struct steer_replay_ring *steer_replay_create(uint32_t count, uint32_t one_in)
{
    struct steer_replay_ring *ring = steer_calloc(1, sizeof *ring);
    ring->count = count ? count : 1;
    ring->threshold = (1ULL << 32) / (one_in ? one_in : 1);
    ring->slots = aligned_zeroed(ring->count * sizeof *ring->slots);
    return ring;
}

void steer_replay_destroy(struct steer_replay_ring *ring)
{
    if (!ring)
        return;
    free(ring->slots);
    free(ring);
}

bool steer_replay_is_due(const struct steer_replay_ring *ring, uint64_t random)
{
    return (steer_mix64(random) & UINT32_MAX) < ring->threshold;
}

// ---- writing -------------------------------------------------------------------------------------

static void pack(const struct steer_replay_record *r, struct packed *p)
{
    struct steer_addr client = r->client.addr;
    uint8_t most = client.family == STEER_V4 ? STEER_REPLAY_V4_LEN : STEER_REPLAY_V6_LEN;
    uint8_t len = r->client.len < most ? r->client.len : most;
    steer_addr_mask(&client, len);
    p->unix_s = r->unix_s;
    p->type = r->type;
    p->rcode = r->rcode;
    p->steered = r->steered;
    p->client_family = client.family;
    p->client_len = len;
    p->name_len = r->name.len;
    const bool fits = r->answer_type && (size_t)r->name.len + r->answer_len <= sizeof p->data;
    p->answer_type = fits ? r->answer_type : 0;
    p->answer_len = fits ? r->answer_len : 0;
    p->spare = 0;
    memcpy(p->client, client.octets, sizeof p->client);
    memcpy(p->data, r->name.octets, r->name.len);
    memcpy(p->data + r->name.len, r->answer, p->answer_len);
    size_t used = (size_t)p->name_len + p->answer_len;
    while (used % 8)
        p->data[used++] = 0; // the rest of the last word
}

void steer_replay_keep(struct steer_replay_ring *ring, const struct steer_replay_record *record)
{
    struct packed p;
    pack(record, &p);
    uint64_t n = atomic_load_explicit(&ring->kept, memory_order_relaxed);
    struct slot *slot = &ring->slots[n % ring->count];
    atomic_store_explicit(&slot->sequence, 2 * n + 1, memory_order_relaxed);
    // Released word by word, not by one fence, which the thread sanitizer does not know: who has read a word of this
    // record then sees the odd number.
    size_t words = HEAD_WORDS + ((size_t)p.name_len + p.answer_len + 7) / 8;
    for (size_t i = 0; i < words; i++) {
        uint64_t word;
        memcpy(&word, (const uint8_t *)&p + 8 * i, sizeof word);
        atomic_store_explicit(&slot->words[i], word, memory_order_release);
    }
    atomic_store_explicit(&slot->sequence, 2 * n + 2, memory_order_release);
    atomic_store_explicit(&ring->kept, n + 1, memory_order_release);
}

// ---- reading -------------------------------------------------------------------------------------

// False when the n-th record is not there whole any more.
static bool load(const struct slot *slot, uint64_t n, struct packed *p)
{
    if (atomic_load_explicit(&slot->sequence, memory_order_acquire) != 2 * n + 2)
        return false;
    for (size_t i = 0; i < WORDS; i++) {
        uint64_t word = atomic_load_explicit(&slot->words[i], memory_order_acquire);
        memcpy((uint8_t *)p + 8 * i, &word, sizeof word);
    }
    return atomic_load_explicit(&slot->sequence, memory_order_relaxed) == 2 * n + 2;
}

static bool unpack(const struct packed *p, struct steer_replay_record *r)
{
    memset(r, 0, sizeof *r);
    r->unix_s = p->unix_s;
    r->type = p->type;
    r->rcode = p->rcode;
    r->steered = p->steered != 0;
    r->client.addr.family = p->client_family;
    r->client.len = p->client_len;
    r->answer_type = p->answer_type;
    r->answer_len = p->answer_len;
    memcpy(r->client.addr.octets, p->client, sizeof p->client);
    memcpy(r->answer, p->data + p->name_len, p->answer_len);
    return steer_name_from_wire(p->data, p->name_len, &r->name);
}

uint64_t steer_replay_read(const struct steer_replay_ring *ring,
                           bool (*visit)(void *ctx, const struct steer_replay_record *record),
                           void *ctx)
{
    uint64_t kept = atomic_load_explicit(&ring->kept, memory_order_acquire);
    struct steer_replay_record record;
    struct packed packed;
    for (uint64_t n = kept > ring->count ? kept - ring->count : 0; n < kept; n++) {
        if (!load(&ring->slots[n % ring->count], n, &packed) || !unpack(&packed, &record))
            continue;
        if (!visit(ctx, &record))
            break;
    }
    return kept;
}
