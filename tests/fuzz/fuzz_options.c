// SPDX-License-Identifier: GPL-3.0-or-later
// links: wire
// OPT records made of lists of options, well formed or with one thing wrong: what the parser makes of them is
// what a slow and simple reader makes of them.
#include <stdlib.h>
#include <string.h>

#include "steerd/wire/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())

enum { QUESTION_BYTES = 2 + 1 + 4, OPT_FIXED = 11, MESSAGE_CAP = 4096 };

// The input as choices; zeros once it is used up.
struct choices {
    const uint8_t *data;
    size_t len;
};

static uint8_t choose(struct choices *c)
{
    if (!c->len)
        return 0;
    c->len--;
    return *c->data++;
}

// One ECS option's data: a prefix as it should be, then maybe an octet changed or one more or less.
static size_t make_ecs(struct choices *c, uint8_t *out)
{
    const uint8_t family = choose(c) % 4;
    const unsigned bits = family == 2 ? 129 : family == 1 ? 33 : 2;
    const uint8_t source = (uint8_t)(choose(c) % bits);
    const size_t octets = (source + 7u) / 8;
    out[0] = 0;
    out[1] = family;
    out[2] = source;
    out[3] = 0;
    for (size_t i = 0; i < octets; i++)
        out[4 + i] = choose(c);
    if (source % 8)
        out[4 + octets - 1] &= (uint8_t)(0xff00 >> (source % 8));
    const uint8_t fault = choose(c);
    if (fault >= 0xf0)
        out[fault % 5] ^= (uint8_t)(choose(c) | 1);
    return 4 + octets + (fault == 0xe0) - (fault == 0xe1);
}

static size_t make_data(struct choices *c, uint16_t code, uint8_t *out)
{
    if (code == STEER_EDNS_ECS)
        return make_ecs(c, out);
    static const uint8_t cookies[] = {8, 16, 24, 40, 0, 7, 9, 15, 41};
    const uint8_t len =
        code == STEER_EDNS_COOKIE ? cookies[choose(c) % sizeof cookies] : choose(c) % 64;
    for (uint8_t i = 0; i < len; i++)
        out[i] = choose(c);
    return len;
}

// The options one after the other; a length field is sometimes another than the data's.
static size_t make_options(struct choices *c, uint8_t *out, size_t cap)
{
    static const uint16_t codes[] = {STEER_EDNS_ECS,
                                     STEER_EDNS_COOKIE,
                                     STEER_EDNS_NSID,
                                     STEER_EDNS_KEEPALIVE,
                                     12,
                                     STEER_EDNS_EDE,
                                     0,
                                     65001};
    size_t at = 0;
    while (c->len && cap - at >= 4 + 256) {
        const uint8_t pick = choose(c);
        const uint16_t code = codes[pick % STEER_ARRAY_LEN(codes)];
        const size_t len = make_data(c, code, out + at + 4);
        const size_t said = len + (pick >= 0xfc ? choose(c) : 0);
        out[at] = (uint8_t)(code >> 8);
        out[at + 1] = (uint8_t)code;
        out[at + 2] = (uint8_t)(said >> 8);
        out[at + 3] = (uint8_t)said;
        at += 4 + len;
    }
    return at;
}

// ---- the simple reader ---------------------------------------------------------------------------

struct expected {
    bool malformed, nsid, keepalive;
    const uint8_t *ecs, *cookie; // the data of the first
    size_t cookie_len;
};

// RFC 7871 6, bit by bit.
static bool ecs_is_good(const uint8_t *p, size_t len)
{
    if (len < 4 || p[0] || p[1] > 2 || p[3])
        return false;
    const unsigned most = p[1] == 0 ? 0 : p[1] == 1 ? 32 : 128;
    if (p[2] > most || len != 4 + (p[2] + 7u) / 8)
        return false;
    for (unsigned bit = p[2]; bit < (len - 4) * 8; bit++)
        if (p[4 + bit / 8] >> (7 - bit % 8) & 1)
            return false;
    return true;
}

static bool cookie_is_good(size_t len)
{
    return len == 8 || (len >= 16 && len <= 40);
}

static struct expected expect(const uint8_t *p, size_t len)
{
    struct expected e = {0};
    while (len && !e.malformed) {
        const size_t size = len < 4 ? 65536 : (size_t)p[2] << 8 | p[3];
        if (len < 4 || len - 4 < size) {
            e.malformed = true;
            break;
        }
        const unsigned code = (unsigned)p[0] << 8 | p[1];
        e.nsid |= code == STEER_EDNS_NSID;
        e.keepalive |= code == STEER_EDNS_KEEPALIVE;
        e.malformed |= code == STEER_EDNS_ECS && !ecs_is_good(p + 4, size);
        e.malformed |= code == STEER_EDNS_COOKIE && !cookie_is_good(size);
        if (code == STEER_EDNS_ECS && !e.ecs)
            e.ecs = p + 4;
        if (code == STEER_EDNS_COOKIE && !e.cookie) {
            e.cookie = p + 4;
            e.cookie_len = size;
        }
        p += 4 + size;
        len -= 4 + size;
    }
    return e;
}

// ---- the comparison ------------------------------------------------------------------------------

static void compare(const struct steer_edns *edns, const struct expected *e)
{
    CHECK(edns->has_nsid == e->nsid && edns->has_keepalive == e->keepalive);
    CHECK(edns->has_ecs == (e->ecs != NULL) && edns->cookie_len == e->cookie_len);
    if (e->cookie)
        CHECK(memcmp(edns->cookie, e->cookie, e->cookie_len) == 0);
    if (!e->ecs)
        return;
    const size_t octets = (e->ecs[2] + 7u) / 8;
    CHECK(edns->ecs.wire_family == e->ecs[1] && edns->ecs.source == e->ecs[2]);
    CHECK(memcmp(edns->ecs.addr.octets, e->ecs + 4, octets) == 0);
    for (size_t i = octets; i < sizeof edns->ecs.addr.octets; i++)
        CHECK(edns->ecs.addr.octets[i] == 0);
}

// The OPT alone, which has a path of its own in the parser, or with a record before it, which has not.
static size_t make_message(uint8_t *m, const uint8_t *options, size_t len, uint8_t pick)
{
    static const uint8_t question[QUESTION_BYTES] = {1, 'a', 0, 0, 1, 0, 1};
    static const uint8_t other[] = {0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0};
    const bool accompanied = pick & 1;
    memset(m, 0, STEER_HEADER_BYTES);
    m[5] = 1;
    m[11] = accompanied ? 2 : 1;
    size_t at = STEER_HEADER_BYTES;
    memcpy(m + at, question, sizeof question);
    at += sizeof question;
    if (accompanied) {
        memcpy(m + at, other, sizeof other);
        at += sizeof other;
    }
    const uint8_t opt[OPT_FIXED] = {0,           0, STEER_TYPE_OPT,      4, 0xd0,
                                    0,           0, pick & 2 ? 0x80 : 0, 0, (uint8_t)(len >> 8),
                                    (uint8_t)len};
    memcpy(m + at, opt, sizeof opt);
    at += sizeof opt;
    memcpy(m + at, options, len);
    return at + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t options[MESSAGE_CAP];
    struct choices c = {data, size};
    struct steer_query q;
    const uint8_t pick = choose(&c);
    const size_t len = make_options(&c, options, MESSAGE_CAP - 64);
    const struct expected e = expect(options, len);
    uint8_t *message = malloc(MESSAGE_CAP + 64);
    CHECK(message);
    const size_t whole = make_message(message, options, len, pick);
    // Exactly as long as it is, so that the address sanitizer sees a read past the end.
    message = realloc(message, whole);
    CHECK(message);
    const enum steer_parse_result result = steer_query_parse(message, whole, &q);
    CHECK(result == (e.malformed ? STEER_PARSE_REPLY : STEER_PARSE_OK));
    CHECK(q.rcode == (e.malformed ? STEER_RCODE_FORMERR : STEER_RCODE_NOERROR));
    CHECK(q.has_question && q.edns.present && q.edns.udp_size == 0x4d0);
    CHECK(q.edns.dnssec_ok == ((pick & 2) != 0));
    if (!e.malformed)
        compare(&q.edns, &e);
    free(message);
    return 0;
}
