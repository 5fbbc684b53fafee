// SPDX-License-Identifier: GPL-3.0-or-later
// Error values, and diagnostics for people. Floor 0.
#ifndef STEERD_BASE_ERR_H
#define STEERD_BASE_ERR_H

#include <stdint.h>

// A result that the caller must look at.
#define STEER_MUST_USE     __attribute__((warn_unused_result))
#define STEER_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define STEER_LIKELY(x)    __builtin_expect(!!(x), 1)
#define STEER_UNLIKELY(x)  __builtin_expect(!!(x), 0)
#define STEER_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

// Out-parameters are written only when a function returns STEER_OK.
enum steer_err {
    STEER_OK = 0,
    STEER_EINVAL,    // bad input; the diag says what, where, and what would be right
    STEER_ENOTFOUND, // the named thing is not there
    STEER_EEXIST,    // the named thing is there already
    STEER_ECONFLICT, // the change contradicts the present state
    STEER_ELIMIT,    // a documented bound was reached
    STEER_EIO,       // a file, socket or database failed
    STEER_ESTOPPED,  // the part asked is shutting down
};

// The name of an error for logs, e.g. "not found".
const char *steer_err_text(enum steer_err err);

// One problem, for a person. line and column count from 1; 0 means "not known". file may be empty.
struct steer_diag {
    char file[256];
    uint32_t line;
    uint32_t column;
    char message[1024];
};

// Fills diag (which may be NULL) and returns STEER_EINVAL, so that a parser can write
// `return steer_diag_at(diag, file, line, column, "unknown key '%s'", key);`. file may be NULL.
enum steer_err steer_diag_at(struct steer_diag *diag, const char *file, uint32_t line,
                             uint32_t column, const char *fmt, ...) STEER_PRINTF(5, 6);

// The same without a place, and with the error to return.
enum steer_err steer_diag_set(struct steer_diag *diag, enum steer_err err, const char *fmt, ...)
    STEER_PRINTF(3, 4);

// Formats "file:line:column: message" (leaving out what is not known) into out; returns out.
const char *steer_diag_format(const struct steer_diag *diag, char *out, uint32_t size);

#endif
