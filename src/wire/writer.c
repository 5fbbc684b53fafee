// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/wire/writer.h"

#include <assert.h>

#include "wire_internal.h"

enum { POINTER = 0xc000, POINTER_END = 0x4000 };

void steer_write_u16_at(struct steer_writer *w, size_t at, uint16_t value)
{
    assert(at + 2 <= w->len);
    w->data[at] = (uint8_t)(value >> 8);
    w->data[at + 1] = (uint8_t)value;
}

// Whether the name in the message at offset `at`, with pointers followed, is `name` without case. What
// stands in the message was written here or validated as it came in, so pointers go backwards.
static bool stands_at(const struct steer_writer *w, size_t at, const uint8_t *name)
{
    while (at < w->len) {
        uint8_t n = w->data[at];
        if (n >= 0xc0) {
            size_t target = (size_t)(n & 0x3f) << 8 | w->data[at + 1];
            if (target >= at)
                return false;
            at = target;
            continue;
        }
        if (n != *name)
            return false;
        if (n == 0)
            return true;
        for (unsigned i = 1; i <= n; i++)
            if (steer_lower(w->data[at + i]) != steer_lower(name[i]))
                return false;
        at += n + 1U;
        name += n + 1;
    }
    return false;
}

// The offset of a known occurrence of the suffix, or 0.
static uint16_t find_suffix(const struct steer_writer *w, const uint8_t *suffix, uint32_t hash)
{
    for (unsigned i = 0; i < w->known; i++)
        if (w->names[i].hash == hash && stands_at(w, w->names[i].at, suffix))
            return w->names[i].at;
    return 0;
}

static void remember(struct steer_writer *w, size_t at, uint32_t hash)
{
    if (at >= POINTER_END || w->known == STEER_COMPRESS_MAX)
        return;
    w->names[w->known].at = (uint16_t)at;
    w->names[w->known].hash = hash;
    w->known++;
}

static unsigned hash_name(const uint8_t *name, struct steer_name_hashes *hashes)
{
    uint8_t at[STEER_LABELS_MAX];
    size_t len;
    int labels = scan_labels(name, STEER_NAME_MAX, at, &len);
    assert(labels >= 0);
    hash_scanned(name, len, len, at, (unsigned)labels, hashes);
    return (unsigned)labels;
}

void steer_write_name(struct steer_writer *w, const uint8_t *name, bool compress)
{
    struct steer_name_hashes hashes;
    unsigned labels = hash_name(name, &hashes);
    size_t plain = hashes.at[0] + 1U; // octets before the pointer
    uint16_t target = 0;
    unsigned i = labels;
    for (; compress && i > 0 && !target; i--) {
        target = find_suffix(w, name + hashes.at[i], (uint32_t)hashes.hash[i]);
        if (target)
            plain = hashes.at[i];
    }
    size_t start = w->len;
    uint8_t *p = steer_write_room(w, plain + (target ? 2 : 0));
    if (!p)
        return;
    memcpy(p, name, plain);
    if (target)
        steer_write_u16_at(w, start + plain, (uint16_t)(POINTER | target));
    for (i = labels; i > 0 && hashes.at[i] < plain; i--)
        remember(w, start + hashes.at[i], (uint32_t)hashes.hash[i]);
}

void steer_writer_know(struct steer_writer *w, size_t at)
{
    struct steer_name_hashes hashes;
    for (unsigned i = hash_name(w->data + at, &hashes); i > 0; i--)
        remember(w, at + hashes.at[i], (uint32_t)hashes.hash[i]);
}

struct steer_mark steer_writer_mark(const struct steer_writer *w)
{
    return (struct steer_mark){w->len, w->known};
}

void steer_writer_rewind(struct steer_writer *w, struct steer_mark mark)
{
    w->len = mark.len;
    w->known = mark.known;
    w->full = false;
}
