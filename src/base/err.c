// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/base/err.h"

#include <stdarg.h>
#include <stdio.h>

const char *steer_err_text(enum steer_err err)
{
    switch (err) {
    case STEER_OK:
        return "ok";
    case STEER_EINVAL:
        return "invalid";
    case STEER_ENOTFOUND:
        return "not found";
    case STEER_EEXIST:
        return "exists already";
    case STEER_ECONFLICT:
        return "conflict";
    case STEER_ELIMIT:
        return "limit reached";
    case STEER_EIO:
        return "input/output error";
    case STEER_ESTOPPED:
        return "shutting down";
    }
    return "unknown error";
}

STEER_PRINTF(5, 0)
static void fill(struct steer_diag *diag, const char *file, uint32_t line, uint32_t column,
                 const char *fmt, va_list args)
{
    if (!diag)
        return;
    snprintf(diag->file, sizeof diag->file, "%s", file ? file : "");
    diag->line = line;
    diag->column = column;
    vsnprintf(diag->message, sizeof diag->message, fmt, args);
}

enum steer_err steer_diag_at(struct steer_diag *diag, const char *file, uint32_t line,
                             uint32_t column, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fill(diag, file, line, column, fmt, args);
    va_end(args);
    return STEER_EINVAL;
}

enum steer_err steer_diag_set(struct steer_diag *diag, enum steer_err err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fill(diag, NULL, 0, 0, fmt, args);
    va_end(args);
    return err;
}

const char *steer_diag_format(const struct steer_diag *diag, char *out, uint32_t size)
{
    const char *file = diag->file[0] ? diag->file : "line";
    if (diag->line && diag->column)
        snprintf(out, size, "%s:%u:%u: %s", file, diag->line, diag->column, diag->message);
    else if (diag->line)
        snprintf(out, size, "%s:%u: %s", file, diag->line, diag->message);
    else if (diag->file[0])
        snprintf(out, size, "%s: %s", diag->file, diag->message);
    else
        snprintf(out, size, "%s", diag->message);
    return out;
}
