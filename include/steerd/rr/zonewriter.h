// SPDX-License-Identifier: GPL-3.0-or-later
// Writing master files (RFC 1035 5). Floor 2. Allocates; any thread.
#ifndef STEERD_RR_ZONEWRITER_H
#define STEERD_RR_ZONEWRITER_H

#include "steerd/base/buf.h"

// Appends "owner ttl class type data\n" with absolute names. steer_zonefile_read makes the same record of
// it (class IN; the owner in lower case). owner is a valid name in wire form.
void steer_rr_format(const uint8_t *owner, uint32_t ttl, uint16_t class, uint16_t type,
                     const uint8_t *rdata, size_t len, struct steer_buf *out);

#endif
