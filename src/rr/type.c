// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/rr/type.h"

#include <libknot/descriptor.h>
#include <stdio.h>
#include <string.h>

#include "steerd/wire/message.h"

bool steer_type_parse(const char *text, uint16_t *type)
{
    return knot_rrtype_from_string(text, type) == 0;
}

const char *steer_type_format(uint16_t type, char *out)
{
    if (knot_rrtype_to_string(type, out, STEER_TYPE_TEXT_MAX) < 0)
        snprintf(out, STEER_TYPE_TEXT_MAX, "TYPE%u", type);
    return out;
}

bool steer_class_parse(const char *text, uint16_t *class)
{
    return knot_rrclass_from_string(text, class) == 0;
}

const char *steer_class_format(uint16_t class, char *out)
{
    if (knot_rrclass_to_string(class, out, STEER_CLASS_TEXT_MAX) < 0)
        snprintf(out, STEER_CLASS_TEXT_MAX, "CLASS%u", class);
    return out;
}

bool steer_type_is_meta(uint16_t type)
{
    return type == 0 || type == STEER_TYPE_OPT || (type >= 128 && type <= 255);
}

bool steer_type_is_singleton(uint16_t type)
{
    return type == STEER_TYPE_SOA || type == STEER_TYPE_CNAME || type == STEER_TYPE_DNAME;
}

bool steer_type_has_target(uint16_t type)
{
    return type == STEER_TYPE_NS || type == STEER_TYPE_MX || type == STEER_TYPE_SRV ||
           type == STEER_TYPE_SVCB || type == STEER_TYPE_HTTPS || type == STEER_TYPE_NAPTR;
}

// RFC 3597 4: the well-known types of RFC 1035, and no newer one.
static bool is_compressible(uint16_t type)
{
    return (type >= 2 && type <= 9) || type == 12 || type == 14 || type == 15;
}

// libknot's description of a type: one entry per piece, a positive one being a count of octets.
static const int *describe(uint16_t type)
{
    static const int svcb[] = {2, KNOT_RDATA_WF_FIXED_DNAME, KNOT_RDATA_WF_REMAINDER, 0};
    if (type == STEER_TYPE_SVCB || type == STEER_TYPE_HTTPS)
        return svcb; // which libknot takes as one piece
    const knot_rdata_descriptor_t *known = knot_get_rdata_descriptor(type);
    if (!known->type_name)
        known = knot_get_obsolete_rdata_descriptor(type);
    return known->block_types;
}

// Octets of NAPTR's order, preference and three character strings (RFC 3403 4.1); 0: malformed.
static size_t naptr_header(const uint8_t *rdata, size_t len)
{
    size_t at = 4;
    for (int i = 0; i < 3; i++) {
        if (at >= len)
            return 0;
        at += rdata[at] + 1U;
    }
    return at <= len ? at : 0;
}

bool steer_rdata_names(uint16_t type, const uint8_t *rdata, size_t len,
                       struct steer_rdata_name names[STEER_RDATA_NAMES_MAX], unsigned *count)
{
    unsigned found = 0;
    size_t at = 0;
    for (const int *block = describe(type); *block != KNOT_RDATA_WF_END; block++) {
        if (*block == KNOT_RDATA_WF_REMAINDER) {
            at = len;
        } else if (*block == KNOT_RDATA_WF_NAPTR_HEADER) {
            size_t header = naptr_header(rdata, len);
            if (header == 0)
                return false;
            at = header;
        } else if (*block > 0) {
            if (len - at < (size_t)*block)
                return false;
            at += (size_t)*block;
        } else {
            struct steer_name name;
            if (found == STEER_RDATA_NAMES_MAX ||
                !steer_name_from_wire(rdata + at, len - at, &name))
                return false;
            names[found++] = (struct steer_rdata_name){
                .at = (uint16_t)at,
                .len = name.len,
                .compressible = is_compressible(type),
                .target = steer_type_has_target(type),
            };
            at += name.len;
        }
    }
    if (at != len)
        return false;
    *count = found;
    return true;
}
