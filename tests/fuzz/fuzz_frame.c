// SPDX-License-Identifier: GPL-3.0-or-later
// links: wire
// A stream of any octets, in segments of any sizes: the messages that come out are those of the stream in one
// piece, and nothing is read past what has come. The first octet seeds the sizes.
#include <stdlib.h>
#include <string.h>

#include "steerd/base/hash.h"
#include "steerd/wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())

// What a reader of messages has seen: how many, where the last began, whether nonsense ended it.
struct seen {
    uint64_t hash;
    unsigned count;
    bool ended;
};

static void see(struct seen *seen, const uint8_t *message, size_t size)
{
    seen->hash = steer_hash_bytes(message, size, seen->hash);
    seen->count++;
}

// The whole messages at the front; returns the octets that are dealt with.
static size_t read_some(struct seen *seen, const uint8_t *data, size_t len)
{
    size_t at = 0;
    size_t size;
    enum steer_frame frame = STEER_FRAME_PART;
    while (!seen->ended &&
           (frame = steer_frame_read(data + at, len - at, &size)) == STEER_FRAME_WHOLE) {
        CHECK(size >= STEER_HEADER_BYTES && size <= len - at - STEER_FRAME_LENGTH_BYTES);
        see(seen, data + at + STEER_FRAME_LENGTH_BYTES, size);
        at += STEER_FRAME_LENGTH_BYTES + size;
    }
    seen->ended |= frame == STEER_FRAME_NONSENSE;
    return at;
}

// As the server does: what is incomplete is kept in memory of its own, exactly as long as it is.
static struct seen read_in_segments(const uint8_t *data, size_t len, uint64_t seed)
{
    struct seen seen = {0};
    struct steer_rng rng;
    uint8_t *kept = NULL;
    size_t kept_len = 0;
    steer_rng_init(&rng, seed);
    for (size_t come = 0; come < len && !seen.ended;) {
        const uint64_t draw = steer_rng_next(&rng);
        size_t more = 1 + (size_t)(draw >> 8) % (draw & 1 ? 3 : 700);
        if (more > len - come)
            more = len - come;
        uint8_t *all = malloc(kept_len + more);
        CHECK(all);
        if (kept_len)
            memcpy(all, kept, kept_len);
        memcpy(all + kept_len, data + come, more);
        come += more;
        const size_t done = read_some(&seen, all, kept_len + more);
        free(kept);
        kept_len += more - done;
        CHECK(kept_len < STEER_FRAME_MAX || seen.ended);
        kept = malloc(kept_len + 1);
        CHECK(kept);
        memcpy(kept, all + done, kept_len);
        free(all);
    }
    free(kept);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct seen whole = {0};
    (void)read_some(&whole, data + 1, size - 1);
    const struct seen cut = read_in_segments(data + 1, size - 1, data[0]);
    CHECK(cut.hash == whole.hash && cut.count == whole.count && cut.ended == whole.ended);
    return 0;
}
