// SPDX-License-Identifier: GPL-3.0-or-later
// Writing messages: bounded, with a sticky error and name compression. Floor 1.
#ifndef STEERD_WIRE_WRITER_H
#define STEERD_WIRE_WRITER_H

#include <string.h>

#include "steerd/wire/message.h"

enum { STEER_COMPRESS_MAX = 64 };

// `full` is set by the first write past cap; every later write is a no-op. The caller may save `len`
// (steer_writer_mark) and go back to it (steer_writer_rewind), which clears full.
struct steer_writer {
    uint8_t *data;
    size_t len;
    size_t cap;
    bool full;
    uint8_t known; // names that compression may point at
    struct {
        uint16_t at;   // offset of a label sequence in the message
        uint32_t hash; // of the suffix's octets in lower case
    } names[STEER_COMPRESS_MAX];
};

static inline void steer_writer_init(struct steer_writer *w, uint8_t *data, size_t cap)
{
    w->data = data;
    w->len = 0;
    w->cap = cap;
    w->full = false;
    w->known = 0;
}

// Room for n octets, or NULL with full set.
static inline uint8_t *steer_write_room(struct steer_writer *w, size_t n)
{
    if (STEER_UNLIKELY(w->full || w->cap - w->len < n)) {
        w->full = true;
        return NULL;
    }
    uint8_t *p = w->data + w->len;
    w->len += n;
    return p;
}

static inline void steer_write_u8(struct steer_writer *w, uint8_t value)
{
    uint8_t *p = steer_write_room(w, 1);
    if (p)
        *p = value;
}

static inline void steer_write_u16(struct steer_writer *w, uint16_t value)
{
    uint8_t *p = steer_write_room(w, 2);
    if (p) {
        p[0] = (uint8_t)(value >> 8);
        p[1] = (uint8_t)value;
    }
}

static inline void steer_write_u32(struct steer_writer *w, uint32_t value)
{
    uint8_t *p = steer_write_room(w, 4);
    if (p) {
        p[0] = (uint8_t)(value >> 24);
        p[1] = (uint8_t)(value >> 16);
        p[2] = (uint8_t)(value >> 8);
        p[3] = (uint8_t)value;
    }
}

static inline void steer_write_bytes(struct steer_writer *w, const void *data, size_t len)
{
    uint8_t *p = steer_write_room(w, len);
    if (p && len)
        memcpy(p, data, len);
}

// Overwrites two octets that are written already; used for counts, RDLENGTH and TC.
void steer_write_u16_at(struct steer_writer *w, size_t at, uint16_t value);
// A name, compressed against the names written before it where `compress`; its suffixes below offset
// 0x4000 are remembered either way. A name that does not fit is not written in part.
void steer_write_name(struct steer_writer *w, const uint8_t *name, bool compress);
// Makes the suffixes of an uncompressed name that already stands at offset `at` known (the question's).
void steer_writer_know(struct steer_writer *w, size_t at);

struct steer_mark {
    size_t len;
    uint8_t known;
};
struct steer_mark steer_writer_mark(const struct steer_writer *w);
void steer_writer_rewind(struct steer_writer *w, struct steer_mark mark);

#endif
