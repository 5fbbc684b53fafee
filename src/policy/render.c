// SPDX-License-Identifier: GPL-3.0-or-later
// Outcomes as RRs.
#include <string.h>

#include "decide_internal.h"
#include "steerd/wire/message.h"

enum {
    OWNER_POINTER = 0xc00c, // the question's name stands at offset 12 (RFC 1035 4.1.4)
    RR_HEAD_BYTES = 12,
    RDATA_MAX = 6 + STEER_NAME_MAX,
};

// RFC 9460 14.3.2
enum { KEY_ALPN = 1, KEY_PORT = 3, KEY_IPV4HINT = 4, KEY_IPV6HINT = 6 };

static void render_rr(struct steer_buf *out, uint16_t type, const void *rdata, uint16_t len)
{
    steer_buf_u16(out, OWNER_POINTER);
    steer_buf_u16(out, type);
    steer_buf_u16(out, STEER_CLASS_IN);
    steer_buf_u32(out, 0);
    steer_buf_u16(out, len);
    steer_buf_add(out, rdata, len);
}

// The index-th address of the family; NULL beyond the last.
static const struct steer_addr *address_at(const struct steer_endpoint *e, bool v4, uint32_t index)
{
    if (!(v4 ? e->has_v4 : e->has_v6))
        return NULL;
    if (index == 0)
        return v4 ? &e->v4 : &e->v6;
    for (uint32_t i = 0; i < e->more_count; i++)
        if (e->more[i].family == (v4 ? STEER_V4 : STEER_V6) && --index == 0)
            return &e->more[i];
    return NULL;
}

// The index-th RDATA of an endpoint: its octets, 0 beyond the last.
static uint16_t rdata_of(const struct steer_endpoint *endpoint, uint16_t type, uint32_t index,
                         uint8_t rdata[RDATA_MAX])
{
    const uint16_t mx[] = {endpoint->mx_preference};
    const uint16_t srv[] = {endpoint->srv_priority, endpoint->srv_weight, endpoint->srv_port};
    const uint16_t *numbers = type == STEER_TYPE_MX ? mx : srv;
    const unsigned count = type == STEER_TYPE_MX ? 1 : type == STEER_TYPE_SRV ? 3 : 0;
    if (type == STEER_TYPE_A || type == STEER_TYPE_AAAA) {
        const uint16_t len = type == STEER_TYPE_A ? 4 : 16;
        const struct steer_addr *addr = address_at(endpoint, type == STEER_TYPE_A, index);
        if (!addr)
            return 0;
        memcpy(rdata, addr->octets, len);
        return len;
    }
    if (index)
        return 0;
    for (unsigned i = 0; i < count; i++) {
        rdata[2 * i] = (uint8_t)(numbers[i] >> 8);
        rdata[2 * i + 1] = (uint8_t)numbers[i];
    }
    memcpy(rdata + (size_t)2 * count, endpoint->hostname.octets, endpoint->hostname.len);
    return (uint16_t)(2 * count + endpoint->hostname.len);
}

// An RRset has no duplicates (RFC 2181 5), but two endpoints may have one address. rrs: those given so far.
static bool given_before(const struct steer_buf *out, size_t rrs, const uint8_t *rdata,
                         uint16_t len)
{
    size_t other;
    for (size_t at = rrs; at < out->len; at += RR_HEAD_BYTES + other) {
        const uint8_t *rr = (const uint8_t *)out->data + at;
        other = (size_t)(rr[10] << 8 | rr[11]);
        if (other == len && memcmp(rr + RR_HEAD_BYTES, rdata, len) == 0)
            return true;
    }
    return false;
}

// ---- HTTPS and SVCB ------------------------------------------------------------------------------

static const struct steer_service *service_of(const struct steer_outcome *outcome, uint32_t index,
                                              uint16_t type)
{
    const struct steer_endpoint *e = &outcome->endpoints[index]->endpoint;
    return type == STEER_TYPE_HTTPS ? &e->https : &e->svcb;
}

static bool alike(const struct steer_service *a, const struct steer_service *b)
{
    return a->priority == b->priority && a->port == b->port && a->alpn_len == b->alpn_len &&
           (!a->alpn_len || memcmp(a->alpn, b->alpn, a->alpn_len) == 0);
}

// The addresses of the endpoints that say the same as the one at `first`: each once.
static void add_hints(struct steer_buf *params, const struct steer_outcome *outcome, uint32_t first,
                      uint16_t type, uint16_t family)
{
    const bool v4 = family == STEER_TYPE_A;
    struct steer_buf hints = {0};
    for (uint32_t i = first; i < outcome->endpoint_count; i++) {
        const struct steer_endpoint *e = &outcome->endpoints[i]->endpoint;
        uint8_t rdata[RDATA_MAX];
        uint16_t len;
        if (!alike(service_of(outcome, i, type), service_of(outcome, first, type)))
            continue;
        for (uint32_t k = 0; (len = rdata_of(e, family, k, rdata)) > 0; k++) {
            bool known = false;
            for (size_t at = 0; at < hints.len && !known; at += len)
                known = memcmp(hints.data + at, rdata, len) == 0;
            if (!known)
                steer_buf_add(&hints, rdata, len);
        }
    }
    if (hints.len) {
        steer_buf_u16(params, v4 ? KEY_IPV4HINT : KEY_IPV6HINT);
        steer_buf_u16(params, (uint16_t)hints.len);
        steer_buf_add(params, hints.data, hints.len);
    }
    steer_buf_fini(&hints);
}

// In service mode, for the owner itself (target "."): one RR for all endpoints that say the same, with
// the addresses of all of them as hints.
static void render_service(struct steer_buf *out, const struct steer_outcome *outcome,
                           uint32_t first, uint16_t type)
{
    const struct steer_service *service = service_of(outcome, first, type);
    struct steer_buf rdata = {0};
    steer_buf_u16(&rdata, service->priority);
    steer_buf_u8(&rdata, 0);
    if (service->alpn_len) {
        steer_buf_u16(&rdata, KEY_ALPN);
        steer_buf_u16(&rdata, service->alpn_len);
        steer_buf_add(&rdata, service->alpn, service->alpn_len);
    }
    if (service->port) {
        steer_buf_u16(&rdata, KEY_PORT);
        steer_buf_u16(&rdata, 2);
        steer_buf_u16(&rdata, service->port);
    }
    add_hints(&rdata, outcome, first, type, STEER_TYPE_A);
    add_hints(&rdata, outcome, first, type, STEER_TYPE_AAAA);
    render_rr(out, type, rdata.data, (uint16_t)rdata.len);
    steer_buf_fini(&rdata);
}

static uint16_t render_services(const struct steer_outcome *outcome, uint16_t type,
                                struct steer_buf *out)
{
    uint16_t given = 0;
    for (uint32_t i = 0; i < outcome->endpoint_count; i++) {
        bool known = false;
        for (uint32_t k = 0; k < i && !known; k++)
            known = alike(service_of(outcome, k, type), service_of(outcome, i, type));
        if (known)
            continue;
        render_service(out, outcome, i, type);
        given++;
    }
    return given;
}

// ---- any outcome ---------------------------------------------------------------------------------

uint16_t steer_outcome_render(const struct steer_outcome *outcome, uint16_t type,
                              struct steer_buf *out)
{
    const size_t rrs = out->len;
    uint16_t given = 0;
    if (outcome->fixed) {
        for (uint16_t i = 0; i < outcome->fixed->count; i++, given++)
            render_rr(out, type, outcome->fixed->rdata[i], outcome->fixed->len[i]);
        return given;
    }
    if (type == STEER_TYPE_HTTPS || type == STEER_TYPE_SVCB)
        return render_services(outcome, type, out);
    for (uint32_t i = 0; i < outcome->endpoint_count; i++) {
        uint8_t rdata[RDATA_MAX];
        uint16_t len;
        for (uint32_t k = 0; (len = rdata_of(&outcome->endpoints[i]->endpoint, type, k, rdata)) > 0;
             k++) {
            if (given_before(out, rrs, rdata, len))
                continue;
            render_rr(out, type, rdata, len);
            given++;
        }
        if (type == STEER_TYPE_CNAME)
            break; // a name has one canonical name (RFC 1034 3.6.2)
    }
    return given;
}

size_t steer_endpoint_octets(const struct steer_object *endpoint, uint16_t type)
{
    struct steer_buf rr = {0};
    const struct steer_outcome alone = {.endpoint_count = 1, .endpoints = &endpoint};
    if (steer_endpoint_gives(&endpoint->endpoint, type))
        (void)steer_outcome_render(&alone, type, &rr);
    const size_t octets = rr.len;
    steer_buf_fini(&rr);
    return octets;
}
