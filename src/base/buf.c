// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "steerd/base/mem.h"

static void reserve(struct steer_buf *buf, size_t more)
{
    buf->data = steer_grow(buf->data, &buf->cap, buf->len + more + 1, 1);
}

void steer_buf_fini(struct steer_buf *buf)
{
    free(buf->data);
    memset(buf, 0, sizeof *buf);
}

void steer_buf_clear(struct steer_buf *buf)
{
    buf->len = 0;
    if (buf->data)
        buf->data[0] = '\0';
}

void steer_buf_add(struct steer_buf *buf, const void *data, size_t len)
{
    reserve(buf, len);
    if (len)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void steer_buf_puts(struct steer_buf *buf, const char *text)
{
    steer_buf_add(buf, text, strlen(text));
}

void steer_buf_printf(struct steer_buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len >= 0) {
        reserve(buf, (size_t)len);
        vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

void steer_buf_u8(struct steer_buf *buf, uint8_t value)
{
    steer_buf_add(buf, &value, 1);
}

void steer_buf_u16(struct steer_buf *buf, uint16_t value)
{
    uint8_t b[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    steer_buf_add(buf, b, sizeof b);
}

void steer_buf_u32(struct steer_buf *buf, uint32_t value)
{
    uint8_t b[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                    (uint8_t)value};
    steer_buf_add(buf, b, sizeof b);
}

char *steer_buf_take(struct steer_buf *buf)
{
    reserve(buf, 0);
    buf->data[buf->len] = '\0';
    char *data = buf->data;
    memset(buf, 0, sizeof *buf);
    return data;
}

enum steer_err steer_buf_read_file(struct steer_buf *buf, const char *path, size_t max_bytes,
                                   struct steer_diag *diag)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return steer_diag_set(diag, STEER_EIO, "cannot open %s: %s", path, strerror(errno));
    enum steer_err err = STEER_OK;
    size_t start = buf->len;
    for (;;) {
        reserve(buf, 65536);
        ssize_t n = read(fd, buf->data + buf->len, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = steer_diag_set(diag, STEER_EIO, "cannot read %s: %s", path, strerror(errno));
        if (n <= 0)
            break;
        buf->len += (size_t)n;
        if (buf->len - start > max_bytes) {
            err =
                steer_diag_set(diag, STEER_ELIMIT, "%s is larger than %zu bytes", path, max_bytes);
            break;
        }
    }
    close(fd);
    if (err != STEER_OK)
        buf->len = start;
    buf->data[buf->len] = '\0';
    return err;
}
