// SPDX-License-Identifier: GPL-3.0-or-later
// What the modules of this room share: the scanner's life, and its errors in words.
#ifndef STEER_RR_INTERNAL_H
#define STEER_RR_INTERNAL_H

#include <libzscanner/error.h>
#include <libzscanner/scanner.h>
#include <stdbool.h>

#include "steerd/base/buf.h"
#include "steerd/base/err.h"
#include "steerd/wire/name.h"

// A scanner on the heap over len bytes (which must outlive it), or NULL when it cannot be set up. origin
// may be NULL: the root.
zs_scanner_t *steer_scanner_create(const struct steer_name *origin, uint32_t default_ttl,
                                   const char *data, size_t len);
void steer_scanner_destroy(zs_scanner_t *scanner);
// The reason of the error the scanner stopped at, and what would be right. The caller set r_type to 0
// before the record, so that it says whether the type had been read. The text where the error lies is
// `near`, at most near_len bytes of it.
void steer_scanner_reason(const zs_scanner_t *scanner, const char *near, size_t near_len,
                          struct steer_buf *out);

// Refuses what libzscanner lets pass but no zone may hold; NULL when the record is fine. `generic`: the
// data may have come in the \# form, which the scanner does not check against the type.
const char *steer_record_reason(const zs_scanner_t *scanner, bool generic);

enum { STEER_INCLUDE_DEPTH_MAX = 8 };
#define STEER_TTL_MAX UINT32_C(2147483647) // RFC 2181 8

// Resolves an $INCLUDE's file name inside the folder: the real path in *path (free()). Errors:
// STEER_EINVAL (outside the folder, or no regular file), STEER_EIO; the diag has the reason, no place.
enum steer_err steer_include_resolve(const char *dir, const char *name, char **path,
                                     struct steer_diag *diag) STEER_MUST_USE;

#endif
