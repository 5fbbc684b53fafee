// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

static _Atomic int threshold = STEER_LOG_INFO;
static const char *const names[] = {"error", "warn", "info", "debug"};

void steer_log_set_level(enum steer_log_level level)
{
    atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

bool steer_log_level_parse(const char *text, enum steer_log_level *level)
{
    for (unsigned i = 0; i < STEER_ARRAY_LEN(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *level = (enum steer_log_level)i;
            return true;
        }
    }
    return false;
}

// Copies the message with control characters as \xNN; what does not fit is cut off. Returns the octets written.
static size_t escape(const char *message, char *out, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;
    for (; *message; message++) {
        const unsigned char c = (unsigned char)*message;
        const bool plain = c >= 0x20 && c != 0x7f;
        if (size - used < (plain ? 1 : 4))
            break;
        if (plain) {
            out[used++] = (char)c;
            continue;
        }
        const char text[4] = {'\\', 'x', digits[c >> 4], digits[c & 15]};
        memcpy(out + used, text, sizeof text);
        used += sizeof text;
    }
    return used;
}

void steer_log(enum steer_log_level level, const char *room, const char *fmt, ...)
{
    if ((int)level > atomic_load_explicit(&threshold, memory_order_relaxed))
        return;
    char message[LINE_MAX_BYTES];
    char line[LINE_MAX_BYTES];
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t used = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &tm);
    int n = snprintf(line + used, sizeof line - used, ".%03ldZ %s %s: ", now.tv_nsec / 1000000,
                     names[level], room);
    size_t end = used + (size_t)(n > 0 ? n : 0);
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(message, sizeof message, fmt, args) < 0)
        message[0] = '\0';
    va_end(args);
    end += escape(message, line + end, sizeof line - end - 1);
    line[end++] = '\n';
    // One write, so that lines of different threads do not mix.
    ssize_t ignored = write(STDERR_FILENO, line, end);
    (void)ignored;
}
