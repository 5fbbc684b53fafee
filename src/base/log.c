// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

void steer_log(enum steer_log_level level, const char *room, const char *fmt, ...)
{
    if ((int)level > atomic_load_explicit(&threshold, memory_order_relaxed))
        return;
    char line[2048];
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t used = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &tm);
    int n = snprintf(line + used, sizeof line - used, ".%03ldZ %s %s: ", now.tv_nsec / 1000000,
                     names[level], room);
    size_t start = used + (size_t)(n > 0 ? n : 0);
    va_list args;
    va_start(args, fmt);
    n = vsnprintf(line + start, sizeof line - start - 1, fmt, args);
    va_end(args);
    size_t end = start + (size_t)(n > 0 ? n : 0);
    if (end > sizeof line - 2)
        end = sizeof line - 2;
    for (size_t i = start; i < end; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = ' ';
    line[end++] = '\n';
    // One write, so that lines of different threads do not mix.
    ssize_t ignored = write(STDERR_FILENO, line, end);
    (void)ignored;
}
