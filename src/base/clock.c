// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/base/clock.h"

#include <time.h>

static uint64_t read_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * STEER_NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t steer_clock_mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t steer_clock_coarse_ns(void)
{
    return read_ns(CLOCK_MONOTONIC_COARSE);
}

uint64_t steer_clock_unix_s(void)
{
    return read_ns(CLOCK_REALTIME) / STEER_NS_PER_S;
}

uint64_t steer_clock_unix_ms(void)
{
    return read_ns(CLOCK_REALTIME) / STEER_NS_PER_MS;
}

const char *steer_time_format(uint64_t unix_s, char *out, uint32_t size)
{
    time_t t = (time_t)unix_s;
    struct tm tm;
    gmtime_r(&t, &tm);
    if (strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0 && size)
        out[0] = '\0';
    return out;
}
