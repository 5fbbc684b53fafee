// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "answer_internal.h"

enum { RR_FIXED = 12 }; // owner pointer, type, class, TTL, RDLENGTH as stored

// Where names stand in the RDATA of the types whose names may be compressed (RFC 3597 4): octets before the
// first name, how many names, in that order. Other types are copied as they are.
static bool compressible(uint16_t type, unsigned *before, unsigned *names)
{
    *before = 0;
    *names = 1;
    switch (type) {
    case STEER_TYPE_NS:
    case STEER_TYPE_CNAME:
    case STEER_TYPE_PTR:
    case 3: // MD
    case 4: // MF
    case 7: // MB
    case 8: // MG
    case 9: // MR
        return true;
    case STEER_TYPE_SOA:
    case 14: // MINFO
        *names = 2;
        return true;
    case STEER_TYPE_MX:
        *before = 2;
        return true;
    default:
        return false;
    }
}

bool has_targets(uint16_t type)
{
    switch (type) {
    case STEER_TYPE_NS:
    case STEER_TYPE_MX:
    case STEER_TYPE_SRV:
    case STEER_TYPE_NAPTR:
    case STEER_TYPE_SVCB:
    case STEER_TYPE_HTTPS:
        return true;
    default:
        return false;
    }
}

// Octets of NAPTR's order, preference and three character strings (RFC 3403 4.1).
static size_t naptr_header(const uint8_t *rdata, size_t len)
{
    size_t at = 4;
    for (unsigned i = 0; i < 3 && at < len; i++)
        at += rdata[at] + 1u;
    return at;
}

const uint8_t *additional_target(uint16_t type, const uint8_t *rdata, size_t len, bool *is_owner)
{
    const bool svcb = type == STEER_TYPE_SVCB || type == STEER_TYPE_HTTPS;
    size_t at = 0;
    if (type == STEER_TYPE_MX || svcb)
        at = 2;
    else if (type == STEER_TYPE_SRV)
        at = 6;
    else if (type == STEER_TYPE_NAPTR)
        at = naptr_header(rdata, len);
    if (at >= len)
        return NULL;
    *is_owner = svcb && rdata[at] == 0 && (rdata[0] | rdata[1]);
    return rdata[at] || *is_owner ? rdata + at : NULL;
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static size_t rr_len(const uint8_t *rr)
{
    return RR_FIXED + (size_t)(rr[10] << 8 | rr[11]);
}

static void know_question(struct response *r)
{
    if (!r->knows_question && r->query->has_question)
        steer_writer_know(&r->w, STEER_HEADER_BYTES);
    r->knows_question = true;
}

static void write_owner(struct response *r, struct owner owner)
{
    if (owner.is_question) {
        steer_write_u16(&r->w, 0xc000 | OWNER_QNAME);
        return;
    }
    know_question(r);
    steer_write_name(&r->w, owner.name, true);
}

// One stored RR with another owner or with compressed names.
static void write_rr(struct response *r, struct owner owner, const uint8_t *rr, uint16_t type,
                     uint32_t ttl_s)
{
    struct steer_writer *w = &r->w;
    size_t rdlen = rr_len(rr) - RR_FIXED;
    const uint8_t *rdata = rr + RR_FIXED;
    unsigned before;
    unsigned names;
    write_owner(r, owner);
    steer_write_bytes(w, rr + 2, 4);
    steer_write_u32(w, ttl_s == UINT32_MAX ? get_u32(rr + 6) : ttl_s);
    if (!compressible(type, &before, &names)) {
        steer_write_bytes(w, rr + 10, 2 + rdlen);
        return;
    }
    know_question(r);
    size_t length_at = w->len;
    steer_write_u16(w, 0);
    steer_write_bytes(w, rdata, before);
    size_t at = before;
    for (; names; names--) {
        steer_write_name(w, rdata + at, true);
        at += steer_name_length(rdata + at);
    }
    steer_write_bytes(w, rdata + at, rdlen - at);
    if (!w->full)
        steer_write_u16_at(w, length_at, (uint16_t)(w->len - length_at - 2));
}

static void count(struct response *r, enum section section, uint16_t n)
{
    if (section == SECTION_ANSWER)
        r->answers = (uint16_t)(r->answers + n);
    else if (section == SECTION_AUTHORITY)
        r->authority = (uint16_t)(r->authority + n);
    else
        r->additional = (uint16_t)(r->additional + n);
}

// The octet offset of RR number n in a run of stored RRs.
static size_t offset_of(const uint8_t *rrs, size_t stride, unsigned n)
{
    if (stride)
        return stride * n;
    size_t at = 0;
    while (n--)
        at += rr_len(rrs + at);
    return at;
}

static void patch_ttls(uint8_t *rrs, size_t len, size_t stride, uint32_t ttl_s)
{
    for (size_t at = 0; at < len; at += stride ? stride : rr_len(rrs + at))
        put_u32(rrs + at + 6, ttl_s);
}

// Stored RRs as they are (the owner is the question's name), beginning with the one at `turn`.
static void copy_rrs(struct response *r, const uint8_t *rrs, size_t len, size_t stride,
                     unsigned first, uint32_t ttl_s)
{
    struct steer_writer *w = &r->w;
    size_t turn = first ? offset_of(rrs, stride, first) : 0;
    size_t start = w->len;
    steer_write_bytes(w, rrs + turn, len - turn);
    if (turn)
        steer_write_bytes(w, rrs, turn);
    if (ttl_s != UINT32_MAX && !w->full)
        patch_ttls(w->data + start, len, stride, ttl_s);
}

// RRs one by one, beginning with number `first`.
static void write_rrs(struct response *r, struct owner owner, const uint8_t *rrs, size_t len,
                      uint16_t type, unsigned first, uint32_t ttl_s)
{
    size_t turn = offset_of(rrs, 0, first);
    for (size_t at = turn; at < len; at += rr_len(rrs + at))
        write_rr(r, owner, rrs + at, type, ttl_s);
    for (size_t at = 0; at < turn; at += rr_len(rrs + at))
        write_rr(r, owner, rrs + at, type, ttl_s);
}

static unsigned rotation(const struct response *r, unsigned n)
{
    return n > 1 ? (unsigned)((r->ask->random >> 32) % n) : 0;
}

// Takes back what did not fit.
static bool settle(struct response *r, struct steer_mark mark, enum section section, uint16_t n)
{
    if (r->w.full) {
        steer_writer_rewind(&r->w, mark);
        r->knows_question = r->knows_question && mark.known;
        return false;
    }
    count(r, section, n);
    return true;
}

bool emit_static(struct response *r, enum section section, struct owner owner,
                 const struct steer_zone_node *node, const struct steer_rrset *set, uint32_t ttl_s)
{
    struct steer_mark mark = steer_writer_mark(&r->w);
    const uint8_t *rrs = steer_rrset_rrs(node, set);
    unsigned before;
    unsigned names;
    unsigned first = rotation(r, set->count);
    if (owner.is_question && !compressible(set->type, &before, &names))
        copy_rrs(r, rrs, set->len, 0, first, ttl_s);
    else
        write_rrs(r, owner, rrs, set->len, set->type, first, ttl_s);
    return settle(r, mark, section, set->count);
}

bool emit_slot(struct response *r, struct owner owner, const struct steer_answer_slot *slot,
               uint32_t ttl_s)
{
    struct steer_mark mark = steer_writer_mark(&r->w);
    unsigned first = rotation(r, slot->count);
    if (owner.is_question)
        copy_rrs(r, slot->rrs, slot->len, slot->stride, first, ttl_s);
    else
        write_rrs(r, owner, slot->rrs, slot->len, 0, first, ttl_s);
    return settle(r, mark, SECTION_ANSWER, slot->count);
}

bool emit_negative(struct response *r, const struct steer_negative *negative, size_t origin_at)
{
    const size_t start = r->w.len;
    uint8_t *rr = steer_write_room(&r->w, negative->len);
    if (!rr) {
        r->w.full = false; // nothing of it was written
        return false;
    }
    memcpy(rr, negative->octets, negative->len);
    for (unsigned i = 0; i < negative->pointer_count; i++) {
        const struct steer_negative_pointer *p = &negative->pointers[i];
        const size_t target = (p->is_own ? start : STEER_HEADER_BYTES + origin_at) + p->delta;
        rr[p->at] = (uint8_t)(0xc0 | target >> 8);
        rr[p->at + 1] = (uint8_t)target;
    }
    r->authority++;
    return true;
}

bool emit_name_rr(struct response *r, struct owner owner, uint16_t type, uint32_t ttl_s,
                  const uint8_t *target)
{
    struct steer_mark mark = steer_writer_mark(&r->w);
    struct steer_writer *w = &r->w;
    write_owner(r, owner);
    steer_write_u16(w, type);
    steer_write_u16(w, STEER_CLASS_IN);
    steer_write_u32(w, ttl_s);
    size_t length_at = w->len;
    steer_write_u16(w, 0);
    know_question(r);
    steer_write_name(w, target, true);
    if (!w->full)
        steer_write_u16_at(w, length_at, (uint16_t)(w->len - length_at - 2));
    return settle(r, mark, SECTION_ANSWER, 1);
}
