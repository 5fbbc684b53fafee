// SPDX-License-Identifier: GPL-3.0-or-later
// Asking a world as a client would, and answers as text that tests can compare.
#ifndef TESTS_CONTROL_ASK_H
#define TESTS_CONTROL_ASK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "steerd/answer/answer.h"
#include "steerd/rr/type.h"

static inline void write_query(struct steer_writer *w, const char *name, uint16_t type)
{
    struct steer_name wire;
    assert_int_equal(steer_name_parse(name, NULL, &wire, NULL), STEER_OK);
    steer_write_u16(w, 0x1234);
    steer_write_u16(w, 0);
    steer_write_u16(w, 1);
    steer_write_u16(w, 0);
    steer_write_u16(w, 0);
    steer_write_u16(w, 1);
    steer_write_bytes(w, wire.octets, wire.len);
    steer_write_u16(w, type);
    steer_write_u16(w, STEER_CLASS_IN);
}

// With EDNS and the client's whole address as client subnet.
static inline size_t build_query(uint8_t out[512], const char *name, uint16_t type,
                                 const struct steer_addr *client)
{
    struct steer_writer w;
    size_t octets = steer_family_bits(client->family) / 8;
    steer_writer_init(&w, out, 512);
    write_query(&w, name, type);
    steer_write_u8(&w, 0);
    steer_write_u16(&w, STEER_TYPE_OPT);
    steer_write_u16(&w, 1232);
    steer_write_u32(&w, 0);
    steer_write_u16(&w, (uint16_t)(8 + octets));
    steer_write_u16(&w, STEER_EDNS_ECS);
    steer_write_u16(&w, (uint16_t)(4 + octets));
    steer_write_u16(&w, client->family);
    steer_write_u8(&w, (uint8_t)(octets * 8));
    steer_write_u8(&w, 0);
    steer_write_bytes(&w, client->octets, octets);
    return w.len;
}

struct reply {
    uint8_t wire[2048];
    size_t len;
    struct steer_facts facts;
};

static inline void ask_world(const struct steer_world *world, const char *name, uint16_t type,
                             const char *client, uint64_t random, struct reply *r)
{
    static const struct steer_answer_settings settings = {.udp_size = 1232};
    uint8_t query[512];
    struct steer_ask a = {.message = query, .stream = true, .random = random};
    assert_true(steer_addr_parse(client, &a.client));
    a.len = build_query(query, name, type, &a.client);
    r->len = steer_answer(world, &settings, &a, r->wire, sizeof r->wire, &r->facts);
}

// The data of an answer with pointers for owners, as "192.0.2.1 192.0.2.2", or "NXDOMAIN", "NODATA",
// "REFUSED".
static inline const char *reply_text(const struct reply *r, char *out, size_t size)
{
    static const char *const kinds[STEER_FACT_KINDS] = {
        [STEER_FACT_DROPPED] = "DROPPED",   [STEER_FACT_NODATA] = "NODATA",
        [STEER_FACT_NXDOMAIN] = "NXDOMAIN", [STEER_FACT_REFERRAL] = "REFERRAL",
        [STEER_FACT_REFUSED] = "REFUSED",   [STEER_FACT_ERROR] = "ERROR"};
    if (r->facts.kind != STEER_FACT_POSITIVE) {
        snprintf(out, size, "%s", kinds[r->facts.kind]);
        return out;
    }
    size_t at = 12;
    while (r->wire[at])
        at += r->wire[at] + 1u;
    at += 5;
    *out = '\0';
    for (unsigned i = 0; i < (unsigned)(r->wire[6] << 8 | r->wire[7]); i++) {
        unsigned type = (unsigned)(r->wire[at + 2] << 8 | r->wire[at + 3]);
        size_t len = (size_t)(r->wire[at + 10] << 8 | r->wire[at + 11]);
        struct steer_addr addr = {.family = type == STEER_TYPE_A ? STEER_V4 : STEER_V6};
        char text[STEER_NAME_TEXT_MAX];
        if (type == STEER_TYPE_A || type == STEER_TYPE_AAAA) {
            memcpy(addr.octets, r->wire + at + 12, len);
            steer_addr_format(&addr, text, sizeof text);
        } else if (type == STEER_TYPE_CNAME) {
            steer_name_format(r->wire + at + 12, text);
        } else {
            snprintf(text, sizeof text, "%.*s", (int)len - 1, (const char *)r->wire + at + 13);
        }
        snprintf(out + strlen(out), size - strlen(out), "%s%.400s", *out ? " " : "", text);
        at += 12 + len;
    }
    return out;
}

static inline const char *answer_of(const struct steer_world *world, const char *name,
                                    uint16_t type, const char *client, char out[512])
{
    struct reply r;
    ask_world(world, name, type, client, 0, &r);
    return reply_text(&r, out, 512);
}

// Equal to the client: all octets, but for the SOA's serial in negative answers.
static inline bool replies_equal(const struct reply *a, const struct reply *b)
{
    if (a->facts.kind != b->facts.kind || a->facts.rcode != b->facts.rcode || a->len != b->len ||
        a->facts.scope != b->facts.scope)
        return false;
    return a->facts.kind != STEER_FACT_POSITIVE || memcmp(a->wire, b->wire, a->len) == 0;
}

#endif
