// SPDX-License-Identifier: GPL-3.0-or-later
// Messages in a stream: each behind its length in two octets (RFC 1035 4.2.2). Floor 1. Pure; any thread.
//
// How a stream was cut into segments must make no difference (RFC 7766 8): whoever reads it keeps what
// does not make a whole message yet, and begins with that when more has come.
#ifndef STEERD_WIRE_FRAME_H
#define STEERD_WIRE_FRAME_H

#include "steerd/wire/message.h"

enum {
    STEER_FRAME_LENGTH_BYTES = 2,
    STEER_FRAME_MAX = STEER_FRAME_LENGTH_BYTES + STEER_MESSAGE_MAX,
};

enum steer_frame {
    STEER_FRAME_WHOLE,
    STEER_FRAME_PART,    // the rest has not come yet
    STEER_FRAME_NONSENSE // a length shorter than a header: what follows cannot be trusted either
};

// The message at the front of what has come. WHOLE: it is the *size octets at data + STEER_FRAME_LENGTH_BYTES,
// and the next one stands right behind it. Else *size is not set.
static inline enum steer_frame steer_frame_read(const uint8_t *data, size_t len, size_t *size)
{
    if (len < STEER_FRAME_LENGTH_BYTES)
        return STEER_FRAME_PART;
    const size_t length = (size_t)data[0] << 8 | data[1];
    if (length < STEER_HEADER_BYTES)
        return STEER_FRAME_NONSENSE;
    if (len - STEER_FRAME_LENGTH_BYTES < length)
        return STEER_FRAME_PART;
    *size = length;
    return STEER_FRAME_WHOLE;
}

// Sets the length before a message of size octets.
static inline void steer_frame_write(uint8_t *frame, size_t size)
{
    frame[0] = (uint8_t)(size >> 8);
    frame[1] = (uint8_t)size;
}

#endif
