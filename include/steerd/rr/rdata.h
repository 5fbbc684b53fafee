// SPDX-License-Identifier: GPL-3.0-or-later
// Record data: presentation text <-> wire form. Floor 2. Allocates; any thread, not the query path.
#ifndef STEERD_RR_RDATA_H
#define STEERD_RR_RDATA_H

#include "steerd/base/buf.h"
#include "steerd/wire/name.h"

// Reads one record's data as a master file has it ("10 mail", "\# 4 c0000201"), relative names below origin
// (NULL: the root), and appends the wire form to *rdata, uncompressed, names in the case they came in.
// The generic \# form of a known type is held to that type's form. Errors: STEER_EINVAL; the diag says what
// is wrong and what would be right, with the column in text where it is known.
enum steer_err steer_rdata_parse(uint16_t type, const char *text, const struct steer_name *origin,
                                 struct steer_buf *rdata, struct steer_diag *diag) STEER_MUST_USE;

// Appends the presentation form, with absolute names, on one line. What steer_rdata_parse makes of it is
// the same octets; the generic form of RFC 3597 is used where the type's own would not be.
void steer_rdata_format(uint16_t type, const uint8_t *rdata, size_t len, struct steer_buf *out);

// Whether the octets have the form of the type; true for every type that is not known.
bool steer_rdata_is_valid(uint16_t type, const uint8_t *rdata, size_t len);

#endif
