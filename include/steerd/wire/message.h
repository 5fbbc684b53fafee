// SPDX-License-Identifier: GPL-3.0-or-later
// DNS messages: constants, the bounded sticky-error reader, and the parsed query. Floor 1.
// Reads and writes memory it is given; no allocation, no clock; any thread.
#ifndef STEERD_WIRE_MESSAGE_H
#define STEERD_WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steerd/base/addr.h"
#include "steerd/wire/name.h"

enum steer_rcode {
    STEER_RCODE_NOERROR = 0,
    STEER_RCODE_FORMERR = 1,
    STEER_RCODE_SERVFAIL = 2,
    STEER_RCODE_NXDOMAIN = 3,
    STEER_RCODE_NOTIMP = 4,
    STEER_RCODE_REFUSED = 5,
    STEER_RCODE_YXDOMAIN = 6,
    STEER_RCODE_NOTAUTH = 9,
    STEER_RCODE_BADVERS = 16,
    STEER_RCODE_BADCOOKIE = 23,
};

enum {
    STEER_CLASS_IN = 1,
    STEER_CLASS_CH = 3,
    STEER_CLASS_ANY = 255,

    STEER_TYPE_A = 1,
    STEER_TYPE_NS = 2,
    STEER_TYPE_CNAME = 5,
    STEER_TYPE_SOA = 6,
    STEER_TYPE_PTR = 12,
    STEER_TYPE_MX = 15,
    STEER_TYPE_TXT = 16,
    STEER_TYPE_AAAA = 28,
    STEER_TYPE_SRV = 33,
    STEER_TYPE_NAPTR = 35,
    STEER_TYPE_DNAME = 39,
    STEER_TYPE_OPT = 41,
    STEER_TYPE_DS = 43,
    STEER_TYPE_RRSIG = 46,
    STEER_TYPE_SVCB = 64,
    STEER_TYPE_HTTPS = 65,
    STEER_TYPE_TSIG = 250,
    STEER_TYPE_IXFR = 251,
    STEER_TYPE_AXFR = 252,
    STEER_TYPE_ANY = 255,

    STEER_EDNS_NSID = 3,
    STEER_EDNS_ECS = 8,
    STEER_EDNS_COOKIE = 10,
    STEER_EDNS_KEEPALIVE = 11,
    STEER_EDNS_EDE = 15,

    STEER_FLAG_QR = 0x8000,
    STEER_FLAG_AA = 0x0400,
    STEER_FLAG_TC = 0x0200,
    STEER_FLAG_RD = 0x0100,
    STEER_FLAG_RA = 0x0080,
    STEER_FLAG_AD = 0x0020,
    STEER_FLAG_CD = 0x0010,

    STEER_HEADER_BYTES = 12,
    STEER_MESSAGE_MAX = 65535,
};

// A reader over bytes: after the first step past the end, `bad` stays set and every further step
// returns zero, so that a parser checks once at its end.
struct steer_reader {
    const uint8_t *data;
    size_t len;
    size_t at;
    bool bad;
};
static inline void steer_reader_init(struct steer_reader *r, const uint8_t *data, size_t len)
{
    *r = (struct steer_reader){data, len, 0, false};
}

// A pointer to n octets, or NULL with bad set.
static inline const uint8_t *steer_read_bytes(struct steer_reader *r, size_t n)
{
    if (STEER_UNLIKELY(r->bad || r->len - r->at < n)) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *p = r->data + r->at;
    r->at += n;
    return p;
}

static inline uint8_t steer_read_u8(struct steer_reader *r)
{
    const uint8_t *p = steer_read_bytes(r, 1);
    return p ? *p : 0;
}

static inline uint16_t steer_read_u16(struct steer_reader *r)
{
    const uint8_t *p = steer_read_bytes(r, 2);
    return (uint16_t)(p ? p[0] << 8 | p[1] : 0);
}

static inline uint32_t steer_read_u32(struct steer_reader *r)
{
    const uint8_t *p = steer_read_bytes(r, 4);
    return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

// A name, following compression pointers that go strictly backwards and not into the header (RFC 1035
// 4.1.4). data is the whole message. Case is kept. Sets bad when malformed, and leaves *name undefined.
void steer_read_name(struct steer_reader *r, struct steer_name *name);

// EDNS Client Subnet as it came (RFC 7871 6). addr is zero-padded to full length.
struct steer_ecs {
    uint8_t source;
    uint8_t scope;
    struct steer_addr addr; // family 0 for the empty FAMILY 0 form with source 0
    uint8_t wire_family;    // the FAMILY field as it came (0, 1, 2)
};

struct steer_edns {
    bool present;
    bool dnssec_ok;
    bool has_ecs;
    bool has_nsid;
    bool has_keepalive;
    uint8_t version;
    uint8_t cookie_len; // 0: none; 8 or 16..40: octets in cookie
    uint16_t udp_size;
    struct steer_ecs ecs;
    uint8_t cookie[40];
};

enum steer_parse_result {
    STEER_PARSE_OK,
    STEER_PARSE_DROP, // no reply at all: a reply (QR=1), or shorter than a header
    STEER_PARSE_REPLY // a reply with `rcode` and nothing else is due
};

struct steer_query {
    uint16_t id;
    uint16_t flags; // the header's second word
    uint8_t opcode;
    bool has_question; // QDCOUNT was 1 and the question parsed: it is echoed
    uint16_t rcode;    // with STEER_PARSE_REPLY: FORMERR, NOTIMP, BADVERS
    uint16_t qtype;
    uint16_t qclass;
    uint16_t question_len;           // octets of the question section as it came (name + 4)
    const uint8_t *question;         // points into the message: echoed as it came (0x20)
    struct steer_name qname;         // lower case
    struct steer_name_hashes hashes; // of qname
    struct steer_edns edns;
};

// Parses one query: header, question, OPT and its options; walks every record and refuses trailing
// bytes. Of several COOKIE or ECS options the first counts (RFC 7873 5.2). The reply due for bad input follows dns.md: QDCOUNT > 1, several OPT, malformed ECS: FORMERR;
// an opcode other than QUERY: NOTIMP; EDNS version > 0: BADVERS (6891 6.1.3). QDCOUNT 0 with a COOKIE is
// OK with has_question false, qname the root and qtype 0 (7873 5.4). With STEER_PARSE_REPLY, what was read
// of the question and of EDNS before the fault stands, so that both can be echoed. With
// STEER_PARSE_DROP nothing in *q is set.
enum steer_parse_result steer_query_parse(const uint8_t *data, size_t len, struct steer_query *q);

#endif
