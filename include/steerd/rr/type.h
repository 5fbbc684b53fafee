// SPDX-License-Identifier: GPL-3.0-or-later
// Record types and classes: their names, and where domain names sit in record data. Floor 2.
// No state, no allocation; any thread.
#ifndef STEERD_RR_TYPE_H
#define STEERD_RR_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STEER_TYPE_TEXT_MAX = 24, STEER_CLASS_TEXT_MAX = 16 };

// "A", "aaaa", "TYPE65280" (RFC 3597 5). false when text names no type.
bool steer_type_parse(const char *text, uint16_t *type);
// The mnemonic, or TYPEn; out has STEER_TYPE_TEXT_MAX bytes; returns out.
const char *steer_type_format(uint16_t type, char *out);
// "IN", "CH", "CLASS3".
bool steer_class_parse(const char *text, uint16_t *class);
const char *steer_class_format(uint16_t class, char *out);

// OPT, and the meta and query types of RFC 6895 3.1 (0, 128..255: TSIG, AXFR, ANY...): none of them can
// stand in a zone.
bool steer_type_is_meta(uint16_t type);
// One record at most at an owner: SOA, CNAME, DNAME.
bool steer_type_is_singleton(uint16_t type);
// Whether the type has an additional-section target (see `target` below).
bool steer_type_has_target(uint16_t type);

enum { STEER_RDATA_NAMES_MAX = 2 };

// A domain name inside record data.
struct steer_rdata_name {
    uint16_t at;       // offset in the data
    uint16_t len;      // octets, root included
    bool compressible; // may be written compressed (RFC 3597 4: the types of RFC 1035 only)
    bool target; // its addresses belong in the additional section: NS, MX, SRV, SVCB, HTTPS, NAPTR
};

// The names in one record's data, in order. *count is set for well-formed data; false when the data ends
// too early, a name in it is malformed or compressed, or octets are left over in a type of fixed form.
// A type that is not known has no names. SVCB and HTTPS targets of "." stand for the owner (RFC 9460
// 2.5), a NAPTR replacement of "." for none (RFC 3403 4.1): the caller decides.
bool steer_rdata_names(uint16_t type, const uint8_t *rdata, size_t len,
                       struct steer_rdata_name names[STEER_RDATA_NAMES_MAX], unsigned *count);

#endif
