// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/wire/message.h"

#include <string.h>

#include "wire_internal.h"

enum {
    OPCODE_QUERY = 0,
    // More pointers than labels serve nobody, and following thousands of them for each name costs time.
    JUMPS_MAX = STEER_LABELS_MAX,
    EDNS_DO = 0x8000,
    OPT_BYTES = 11, // root, type, class, TTL, RDLENGTH
};

void steer_read_name(struct steer_reader *r, struct steer_name *name)
{
    size_t at = r->at;
    size_t run = r->at; // where this run of labels began: a pointer must go before it
    size_t end = 0;     // where reading goes on: after the first pointer
    size_t len = 0;
    unsigned labels = 0;
    unsigned jumps = 0;
    while (!r->bad && at < r->len) {
        uint8_t n = r->data[at];
        if (n >= 0xc0) {
            size_t target = at + 1 < r->len ? (size_t)(n & 0x3f) << 8 | r->data[at + 1] : run;
            if (target >= run || target < STEER_HEADER_BYTES || ++jumps > JUMPS_MAX)
                break;
            end = end ? end : at + 2;
            at = run = target;
            continue;
        }
        if (n > STEER_LABEL_MAX || len + n + 1 > STEER_NAME_MAX || r->len - at < n + 1U)
            break;
        memcpy(name->octets + len, r->data + at, n + 1U);
        len += n + 1U;
        at += n + 1U;
        if (n == 0) {
            name->len = (uint8_t)len;
            name->labels = (uint8_t)labels;
            r->at = end ? end : at;
            return;
        }
        labels++;
    }
    r->bad = true;
}

// Passes over a record's owner name. Only its own octets are checked: nothing of it is used.
static void skip_name(struct steer_reader *r)
{
    size_t start = r->at;
    for (;;) {
        uint8_t n = steer_read_u8(r);
        if (n >= 0xc0) {
            size_t target = (size_t)(n & 0x3f) << 8 | steer_read_u8(r);
            r->bad |= target >= start || target < STEER_HEADER_BYTES;
            return;
        }
        r->bad |= n > STEER_LABEL_MAX || r->at + n - start > STEER_NAME_MAX;
        steer_read_bytes(r, n);
        if (n == 0 || r->bad)
            return;
    }
}

// RFC 7871 6: exactly the octets that SOURCE PREFIX-LENGTH needs, the bits past it zero, SCOPE zero in
// a query. FAMILY 0 is the form without an address.
static bool read_ecs(const uint8_t *p, size_t len, struct steer_ecs *ecs)
{
    if (len < 4 || p[0] != 0 || p[1] > STEER_V6)
        return false;
    uint8_t family = p[1];
    uint8_t source = p[2];
    size_t octets = (source + 7U) / 8;
    unsigned bits_max = family == 0 ? 0 : steer_family_bits(family);
    if (source > bits_max || p[3] != 0 || len - 4 != octets)
        return false;
    if (source % 8 && (p[4 + octets - 1] & (0xff >> (source % 8))))
        return false;
    memset(ecs, 0, sizeof *ecs);
    ecs->source = source;
    ecs->wire_family = family;
    ecs->addr.family = family;
    memcpy(ecs->addr.octets, p + 4, octets);
    return true;
}

static bool read_option(uint16_t code, const uint8_t *p, size_t len, struct steer_edns *edns)
{
    struct steer_ecs ecs;
    switch (code) {
    case STEER_EDNS_ECS:
        if (!read_ecs(p, len, &ecs))
            return false;
        if (!edns->has_ecs)
            edns->ecs = ecs;
        edns->has_ecs = true;
        return true;
    case STEER_EDNS_COOKIE: // RFC 7873 4: eight octets, or these and a server cookie of 8..32
        if (len != 8 && (len < 16 || len > sizeof edns->cookie))
            return false;
        if (edns->cookie_len == 0) {
            memcpy(edns->cookie, p, len);
            edns->cookie_len = (uint8_t)len;
        }
        return true;
    case STEER_EDNS_NSID:
        edns->has_nsid = true;
        return true;
    case STEER_EDNS_KEEPALIVE:
        edns->has_keepalive = true;
        return true;
    default:
        return true; // RFC 6891 6.1.2: unknown options are ignored
    }
}

static bool read_options(struct steer_reader *r, struct steer_edns *edns)
{
    while (r->at < r->len) {
        uint16_t code = steer_read_u16(r);
        uint16_t len = steer_read_u16(r);
        const uint8_t *p = steer_read_bytes(r, len);
        if (!p || !read_option(code, p, len, edns))
            return false;
    }
    return true;
}

// One record; an OPT among the additional ones is taken in. Sets bad for a malformed one.
static void read_record(struct steer_reader *r, bool additional, struct steer_edns *edns)
{
    bool root = r->at < r->len && r->data[r->at] == 0;
    skip_name(r);
    uint16_t type = steer_read_u16(r);
    uint16_t class = steer_read_u16(r);
    uint32_t ttl = steer_read_u32(r);
    uint16_t rdlength = steer_read_u16(r);
    const uint8_t *rdata = steer_read_bytes(r, rdlength);
    if (type != STEER_TYPE_OPT || !rdata)
        return;
    // RFC 6891 6.1.1: one OPT, in the additional section, owned by the root.
    if (!additional || !root || edns->present) {
        r->bad = true;
        edns->present = false; // which of two would the reply's answer?
        return;
    }
    edns->present = true;
    edns->udp_size = class;
    edns->version = (uint8_t)(ttl >> 16);
    edns->dnssec_ok = ttl & EDNS_DO;
    if (edns->version != 0)
        return; // what its options would look like is not known
    struct steer_reader options;
    steer_reader_init(&options, rdata, rdlength);
    r->bad |= !read_options(&options, edns);
}

// The question at offset 12, lower-cased and hashed on the way. The offset after it, or 0: malformed.
static size_t read_question(const uint8_t *data, size_t len, struct steer_query *q)
{
    const uint8_t *question = data + STEER_HEADER_BYTES;
    size_t size = len - STEER_HEADER_BYTES;
    uint8_t at[STEER_LABELS_MAX];
    size_t n;
    // There is nothing before the first name that a pointer could go to: scan_labels refuses them.
    int labels = scan_labels(question, size, at, &n);
    if (labels < 0 || size - n < 4)
        return 0;
    lower_octets(q->qname.octets, question, n);
    q->qname.len = (uint8_t)n;
    q->qname.labels = (uint8_t)labels;
    hash_lowered(q->qname.octets, sizeof q->qname.octets, n, at, (unsigned)labels, &q->hashes);
    q->qtype = (uint16_t)(question[n] << 8 | question[n + 1]);
    q->qclass = (uint16_t)(question[n + 2] << 8 | question[n + 3]);
    q->question = question;
    q->question_len = (uint16_t)(n + 4);
    q->has_question = true;
    return STEER_HEADER_BYTES + n + 4;
}

static void no_question(struct steer_query *q)
{
    q->has_question = false;
    q->qtype = 0;
    q->qclass = 0;
    q->question = NULL;
    q->question_len = 0;
    q->qname.len = 1;
    q->qname.labels = 0;
    q->qname.octets[0] = 0;
    q->hashes.hash[0] = STEER_NAME_ROOT_HASH;
    q->hashes.at[0] = 0;
}

// What nearly every query of today ends with: one additional record, an OPT that fills the rest. False: it is
// something else, and nothing was read.
static bool is_lone_opt(const uint8_t *data, size_t len, size_t at)
{
    static const uint8_t counts[] = {0, 0, 0, 0, 0, 1};
    if (len - at < OPT_BYTES || memcmp(data + 6, counts, sizeof counts) != 0)
        return false;
    const uint8_t *p = data + at;
    return p[0] == 0 && p[1] == 0 && p[2] == STEER_TYPE_OPT &&
           len - at - OPT_BYTES == ((size_t)p[9] << 8 | p[10]);
}

static bool read_lone_opt(const uint8_t *p, size_t len, struct steer_edns *edns)
{
    edns->present = true;
    edns->udp_size = (uint16_t)(p[3] << 8 | p[4]);
    edns->version = p[6];
    edns->dnssec_ok = p[7] & (EDNS_DO >> 8);
    if (edns->version != 0 || len == OPT_BYTES)
        return true;
    struct steer_reader options;
    steer_reader_init(&options, p + OPT_BYTES, len - OPT_BYTES);
    return read_options(&options, edns);
}

static bool read_sections(const uint8_t *data, size_t len, size_t at, struct steer_edns *edns)
{
    if (STEER_LIKELY(is_lone_opt(data, len, at)))
        return read_lone_opt(data + at, len - at, edns);
    struct steer_reader r = {data, len, 6, false};
    uint32_t before = steer_read_u16(&r);
    before += steer_read_u16(&r);
    uint16_t additional = steer_read_u16(&r);
    r.at = at;
    for (uint32_t i = 0; i < before && !r.bad; i++)
        read_record(&r, false, edns);
    for (uint32_t i = 0; i < additional && !r.bad; i++)
        read_record(&r, true, edns);
    return !r.bad && r.at == len;
}

enum steer_parse_result steer_query_parse(const uint8_t *data, size_t len, struct steer_query *q)
{
    if (len < STEER_HEADER_BYTES || (data[2] & (STEER_FLAG_QR >> 8)))
        return STEER_PARSE_DROP;
    q->id = (uint16_t)(data[0] << 8 | data[1]);
    q->flags = (uint16_t)(data[2] << 8 | data[3]);
    q->opcode = data[2] >> 3; // QR is zero
    q->rcode = STEER_RCODE_FORMERR;
    memset(&q->edns, 0, sizeof q->edns);
    unsigned questions = (unsigned)data[4] << 8 | data[5];
    size_t at = questions == 1 ? read_question(data, len, q) : 0;
    if (at == 0)
        no_question(q);
    if (questions == 0)
        at = STEER_HEADER_BYTES;
    bool whole = at != 0 && read_sections(data, len, at, &q->edns);
    if (q->opcode != OPCODE_QUERY)
        q->rcode = STEER_RCODE_NOTIMP; // whatever else: the rest may mean something else there
    else if (whole && q->edns.version != 0)
        q->rcode = STEER_RCODE_BADVERS;
    else if (whole && (questions == 1 || q->edns.cookie_len))
        q->rcode = STEER_RCODE_NOERROR;
    return q->rcode == STEER_RCODE_NOERROR ? STEER_PARSE_OK : STEER_PARSE_REPLY;
}
