// SPDX-License-Identifier: GPL-3.0-or-later
// Reading master files (RFC 1035 5). Floor 2. Streams: memory does not grow with the zone. Allocates; any
// thread, not the query path.
#ifndef STEERD_RR_ZONEFILE_H
#define STEERD_RR_ZONEFILE_H

#include "steerd/base/err.h"
#include "steerd/wire/name.h"

// One record. All of it is borrowed for the time of the callback.
struct steer_rr {
    const uint8_t *owner; // wire form, lower case
    uint8_t owner_len;
    uint16_t type;
    uint16_t class; // IN
    uint32_t ttl;
    const uint8_t *rdata; // uncompressed, names in the case of the file
    uint16_t rdata_len;
    const char *file; // the file it stands in
    uint32_t line;    // the line it begins on
    uint32_t column;  // and where in it, from 1
};

struct steer_zonefile_options {
    const char
        *include_dir; // files that $INCLUDE may read lie in this folder; NULL: $INCLUDE is refused
};

// Reads len bytes of a master file; no byte after them is needed or touched. file_name is what errors
// show. A name without a final dot is below origin; a record without a TTL before any $TTL gets
// default_ttl. opts may be NULL. Line ends may be LF or CR LF; a UTF-8 byte order mark at the
// start of a file is passed over.
// `record` is called for each record in order; when it returns non-zero, reading stops there.
// Errors: STEER_EINVAL with file, line, column and reason in diag: bad syntax, $GENERATE, a class other
// than IN, a meta type, a TTL over 2^31-1, an $INCLUDE that is refused; STEER_ELIMIT: includes nested over
// eight deep, or over a thousand in all, or one over 1 GiB; STEER_EIO: an included file cannot be read;
// STEER_ESTOPPED: stopped by `record`, which has said why to its ctx.
// Records before the error have been handed over by then: the caller discards them.
enum steer_err steer_zonefile_read(const char *data, size_t len, const char *file_name,
                                   const struct steer_name *origin, uint32_t default_ttl,
                                   const struct steer_zonefile_options *opts,
                                   int (*record)(void *ctx, const struct steer_rr *rr), void *ctx,
                                   struct steer_diag *diag) STEER_MUST_USE;

#endif
