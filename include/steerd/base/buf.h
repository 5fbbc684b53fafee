// SPDX-License-Identifier: GPL-3.0-or-later
// A growing byte buffer for text and blobs off the hot path. Floor 0.
#ifndef STEERD_BASE_BUF_H
#define STEERD_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "steerd/base/err.h"

// data is NUL-terminated after each call (the NUL is not counted in len); zero-initialise to start.
struct steer_buf {
    char *data;
    size_t len;
    size_t cap;
};

// Frees the data; the buffer may be used again.
void steer_buf_fini(struct steer_buf *buf);
// Empties it and keeps the memory.
void steer_buf_clear(struct steer_buf *buf);
// Appends octets as they are; data may be NULL where len is 0, and must not lie in the buffer itself.
void steer_buf_add(struct steer_buf *buf, const void *data, size_t len);
// Appends text without its NUL. With "" a buffer that was never written to has data too.
void steer_buf_puts(struct steer_buf *buf, const char *text);
// Appends what printf would write. No argument may lie in the buffer itself.
void steer_buf_printf(struct steer_buf *buf, const char *fmt, ...) STEER_PRINTF(2, 3);
// Big-endian integers, for record data and blobs.
void steer_buf_u8(struct steer_buf *buf, uint8_t value);
void steer_buf_u16(struct steer_buf *buf, uint16_t value);
void steer_buf_u32(struct steer_buf *buf, uint32_t value);
// Hands the data over to the caller (free()); the buffer is empty afterwards. Never NULL.
char *steer_buf_take(struct steer_buf *buf);

// The whole of a file; at most max_bytes, else STEER_ELIMIT. Errors: STEER_EIO, STEER_ELIMIT, with diag.
enum steer_err steer_buf_read_file(struct steer_buf *buf, const char *path, size_t max_bytes,
                                   struct steer_diag *diag) STEER_MUST_USE;

#endif
