// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "decide_internal.h"
#include "steerd/wire/message.h"

enum { OWNER_POINTER = 0xc00c }; // the question's name stands at offset 12 (RFC 1035 4.1.4)

static void render_rr(struct steer_buf *out, uint16_t type, const void *rdata, uint16_t len)
{
    steer_buf_u16(out, OWNER_POINTER);
    steer_buf_u16(out, type);
    steer_buf_u16(out, STEER_CLASS_IN);
    steer_buf_u32(out, 0);
    steer_buf_u16(out, len);
    steer_buf_add(out, rdata, len);
}

static const uint8_t *rdata_of(const struct steer_endpoint *endpoint, uint16_t type, uint16_t *len)
{
    *len = type == STEER_TYPE_A ? 4 : type == STEER_TYPE_AAAA ? 16 : endpoint->hostname.len;
    if (type == STEER_TYPE_A)
        return endpoint->v4.octets;
    return type == STEER_TYPE_AAAA ? endpoint->v6.octets : endpoint->hostname.octets;
}

// An RRset has no duplicates (RFC 2181 5), but two endpoints may have one address.
static bool given_before(const struct steer_outcome *outcome, uint32_t index, uint16_t type)
{
    uint16_t len;
    const uint8_t *rdata = rdata_of(&outcome->endpoints[index]->endpoint, type, &len);
    for (uint32_t i = 0; i < index; i++) {
        uint16_t other_len;
        const uint8_t *other = rdata_of(&outcome->endpoints[i]->endpoint, type, &other_len);
        if (other_len == len && memcmp(other, rdata, len) == 0)
            return true;
    }
    return false;
}

uint16_t steer_outcome_render(const struct steer_outcome *outcome, uint16_t type,
                              struct steer_buf *out)
{
    uint16_t given = 0;
    if (outcome->fixed) {
        for (uint16_t i = 0; i < outcome->fixed->count; i++, given++)
            render_rr(out, type, outcome->fixed->rdata[i], outcome->fixed->len[i]);
        return given;
    }
    for (uint32_t i = 0; i < outcome->endpoint_count; i++) {
        uint16_t len;
        const uint8_t *rdata = rdata_of(&outcome->endpoints[i]->endpoint, type, &len);
        if (given_before(outcome, i, type))
            continue;
        render_rr(out, type, rdata, len);
        given++;
        if (type == STEER_TYPE_CNAME)
            break; // a name has one canonical name (RFC 1034 3.6.2)
    }
    return given;
}
