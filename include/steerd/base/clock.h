// SPDX-License-Identifier: GPL-3.0-or-later
// Times. Floor 0. Only the outer rooms (server, probe, control, daemon) read a clock; all logic gets
// the time passed in.
#ifndef STEERD_BASE_CLOCK_H
#define STEERD_BASE_CLOCK_H

#include <stdint.h>

#define STEER_NS_PER_S  UINT64_C(1000000000)
#define STEER_NS_PER_MS UINT64_C(1000000)

// Monotonic nanoseconds.
uint64_t steer_clock_mono_ns(void);
// Monotonic nanoseconds of the coarse clock (a few ms of grain, no system call).
uint64_t steer_clock_coarse_ns(void);
// Seconds since 1970 and milliseconds since 1970.
uint64_t steer_clock_unix_s(void);
uint64_t steer_clock_unix_ms(void);

// Formats Unix seconds as "2026-01-31T12:00:00Z" into out (at least 32 bytes); returns out.
const char *steer_time_format(uint64_t unix_s, char *out, uint32_t size);

#endif
