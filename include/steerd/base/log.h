// SPDX-License-Identifier: GPL-3.0-or-later
// One line a fact, to stderr. Floor 0. Any thread but the workers' hot path.
#ifndef STEERD_BASE_LOG_H
#define STEERD_BASE_LOG_H

#include <stdbool.h>

#include "steerd/base/err.h"

enum steer_log_level { STEER_LOG_ERROR, STEER_LOG_WARN, STEER_LOG_INFO, STEER_LOG_DEBUG };

void steer_log_set_level(enum steer_log_level level);
// "error", "warn", "info", "debug"; false when text is none of them.
bool steer_log_level_parse(const char *text, enum steer_log_level *level);
// Writes "<time> <level> <room>: <message>" as one line; control characters are escaped, so that no
// input can forge a line.
void steer_log(enum steer_log_level level, const char *room, const char *fmt, ...)
    STEER_PRINTF(3, 4);

#endif
