// SPDX-License-Identifier: GPL-3.0-or-later
// Worlds from master files, questions, and responses as libknot reads them, in one line a record.
#ifndef TESTS_ANSWER_SUPPORT_H
#define TESTS_ANSWER_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libknot/libknot.h>

#include "steerd/answer/answer.h"
#include "steerd/rr/zonefile.h"

enum { ANY = STEER_TYPE_ANY, DO = 0x8000, OUT_BYTES = 65535 };

static const struct steer_answer_settings plain_settings = {.udp_size = STEER_UDP_SIZE};

// ---- worlds --------------------------------------------------------------------------------------

static inline struct steer_name name_of(const char *text)
{
    struct steer_name name;
    struct steer_diag diag = {0};
    if (steer_name_parse(text, NULL, &name, &diag))
        fail_msg("%s", diag.message);
    return name;
}

static inline int add_record(void *ctx, const struct steer_rr *rr)
{
    struct steer_diag diag = {0};
    if (steer_zone_add(ctx, rr->owner, rr->type, rr->ttl, rr->rdata, rr->rdata_len, NULL, &diag))
        fail_msg("%s", diag.message);
    return 0;
}

// The zone of a master file, under construction. "@ SOA" and "@ NS" come by themselves: SOA TTL 900,
// MINIMUM 300.
static inline struct steer_zone_edit *zone_of(const char *origin_text, const char *records)
{
    static const char apex[] = "@ 900 IN SOA ns hostmaster 1 7200 900 1209600 300\n@ NS ns\n";
    const struct steer_name origin = name_of(origin_text);
    struct steer_zone_edit *edit = steer_zone_build(&origin);
    struct steer_diag diag = {0};
    const char *const texts[] = {apex, records};
    for (unsigned i = 0; i < STEER_ARRAY_LEN(texts); i++)
        if (steer_zonefile_read(texts[i], strlen(texts[i]), origin_text, &origin, 3600, NULL,
                                add_record, edit, &diag))
            fail_msg("%s line %u: %s", origin_text, diag.line, diag.message);
    return edit;
}

static inline void finish_zone(struct steer_world_edit *world, struct steer_zone_edit *edit)
{
    struct steer_zone *zone;
    struct steer_retired none = {0};
    struct steer_diag diag = {0};
    if (steer_zone_finish(edit, &zone, &none, &diag))
        fail_msg("%s", diag.message);
    steer_world_put_zone(world, zone);
}

static inline struct steer_world *finish_world(struct steer_world_edit *edit)
{
    struct steer_retired retired = {0};
    struct steer_world *world = steer_world_finish(edit, &retired);
    steer_retired_free(&retired);
    return world;
}

// ---- questions -----------------------------------------------------------------------------------

struct question {
    const char *name;
    uint16_t type;
    uint16_t class;      // 0: IN
    uint16_t flags;      // the header's second word
    uint16_t udp_size;   // with 0 and no options: no OPT
    uint16_t edns;       // DO and other flags
    const char *options; // as hexadecimal digits; blanks are passed over
    uint8_t version;
};

// Q("www.example.com.", STEER_TYPE_A, .udp_size = 1232)
#define Q(NAME, ...)                                                                               \
    {                                                                                              \
        .name = NAME, .type = __VA_ARGS__                                                          \
    }

static inline size_t from_hex(const char *text, uint8_t *out)
{
    size_t n = 0;
    while (*text) {
        unsigned octet;
        if (*text == ' ') {
            text++;
            continue;
        }
        assert_int_equal(sscanf(text, "%2x", &octet), 1);
        out[n++] = (uint8_t)octet;
        text += 2;
    }
    return n;
}

static inline size_t make_message(const struct question *q, uint8_t *out, size_t cap)
{
    const struct steer_name name = name_of(q->name);
    const bool edns = q->udp_size || q->options || q->edns || q->version;
    struct steer_writer w;
    steer_writer_init(&w, out, cap);
    const uint16_t header[] = {0xabcd, q->flags, 1, 0, 0, edns};
    for (unsigned i = 0; i < STEER_ARRAY_LEN(header); i++)
        steer_write_u16(&w, header[i]);
    steer_write_name(&w, name.octets, false);
    steer_write_u16(&w, q->type);
    steer_write_u16(&w, q->class ? q->class : STEER_CLASS_IN);
    if (edns) {
        uint8_t options[512];
        const size_t len = q->options ? from_hex(q->options, options) : 0;
        steer_write_u8(&w, 0);
        steer_write_u16(&w, STEER_TYPE_OPT);
        steer_write_u16(&w, q->udp_size);
        steer_write_u16(&w, q->version);
        steer_write_u16(&w, q->edns);
        steer_write_u16(&w, (uint16_t)len);
        steer_write_bytes(&w, options, len);
    }
    assert_false(w.full);
    return w.len;
}

// ---- responses -----------------------------------------------------------------------------------

static inline void put_rr(struct steer_buf *text, const char *section, const knot_rrset_t *rr)
{
    static const knot_dump_style_t style = {.show_ttl = true, .original_ttl = true};
    static char data[1 << 18];
    char owner[STEER_NAME_TEXT_MAX + 1], type[32];
    assert_non_null(knot_dname_to_str(owner, rr->owner, sizeof owner));
    assert_true(knot_rrtype_to_string(rr->type, type, sizeof type) > 0);
    assert_int_equal(rr->rrs.count, 1);
    assert_true(knot_rrset_txt_dump_data(rr, 0, data, sizeof data, &style) >= 0);
    steer_buf_printf(text, "%s %s %u ", section, owner, rr->ttl);
    if (rr->rclass != KNOT_CLASS_IN)
        steer_buf_printf(text, "CLASS%u ", rr->rclass);
    steer_buf_printf(text, "%s %s\n", type, data);
}

// "opt 1232 do 8:00011800c00002\n": size, flags, options.
static inline void put_opt(struct steer_buf *text, const knot_rrset_t *opt)
{
    const knot_rdata_t *rdata = opt->rrs.rdata;
    assert_int_equal(knot_edns_get_version(opt), 0);
    steer_buf_printf(text, "opt %u%s", knot_edns_get_payload(opt), knot_edns_do(opt) ? " do" : "");
    for (size_t at = 0; at + 4 <= rdata->len;) {
        const size_t len = (size_t)rdata->data[at + 2] << 8 | rdata->data[at + 3];
        steer_buf_printf(text, " %u:", rdata->data[at] << 8 | rdata->data[at + 1]);
        for (size_t i = 0; i < len; i++)
            steer_buf_printf(text, "%02x", rdata->data[at + 4 + i]);
        at += 4 + len;
    }
    steer_buf_puts(text, "\n");
}

static inline void put_head(struct steer_buf *text, const knot_pkt_t *pkt)
{
    static const struct {
        uint16_t bit;
        const char *word;
    } flags[] = {{STEER_FLAG_AA, "aa"}, {STEER_FLAG_TC, "tc"}, {STEER_FLAG_RD, "rd"},
                 {STEER_FLAG_RA, "ra"}, {0x40, "z"},           {STEER_FLAG_AD, "ad"},
                 {STEER_FLAG_CD, "cd"}};
    const uint16_t rcode = knot_pkt_ext_rcode(pkt);
    const knot_lookup_t *name = knot_lookup_by_id(knot_rcode_names, rcode);
    const unsigned word = (unsigned)pkt->wire[2] << 8 | pkt->wire[3];
    steer_buf_printf(text, "%s", name ? name->name : "?");
    if (word >> 11 & 15)
        steer_buf_printf(text, " opcode%u", word >> 11 & 15);
    for (unsigned i = 0; i < STEER_ARRAY_LEN(flags); i++)
        if (word & flags[i].bit)
            steer_buf_printf(text, " %s", flags[i].word);
    steer_buf_puts(text, "\n");
}

// A response as text: rcode and flags, then its records ("an OWNER TTL TYPE DATA", in lower case as libknot
// has it), then the OPT. libknot must be able to read it, to the last octet; empty when there is none.
static inline void response_text(const uint8_t *wire, size_t len, struct steer_buf *text)
{
    static const char *const sections[] = {"an", "ns", "ar"};
    steer_buf_clear(text);
    steer_buf_puts(text, "");
    if (!len)
        return;
    uint8_t *copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, wire, len);
    knot_pkt_t *pkt = knot_pkt_new(copy, (uint16_t)len, NULL);
    assert_non_null(pkt);
    const int err = knot_pkt_parse(pkt, 0);
    if (err != KNOT_EOK)
        fail_msg("libknot cannot read the response of %zu octets: %s", len, knot_strerror(err));
    put_head(text, pkt);
    for (unsigned s = KNOT_ANSWER; s <= KNOT_ADDITIONAL; s++) {
        const knot_pktsection_t *section = knot_pkt_section(pkt, (knot_section_t)s);
        for (uint16_t i = 0; i < section->count; i++)
            if (knot_pkt_rr(section, i)->type != KNOT_RRTYPE_OPT)
                put_rr(text, sections[s - KNOT_ANSWER], knot_pkt_rr(section, i));
    }
    if (pkt->opt_rr)
        put_opt(text, pkt->opt_rr);
    knot_pkt_free(pkt);
    free(copy);
}

struct reply {
    size_t len;
    struct steer_facts facts;
    uint8_t wire[OUT_BYTES];
};

// Asks, and checks what holds of every response: the length, QR, the id, and the question as it came.
static inline void put_question(const struct steer_world *world,
                                const struct steer_answer_settings *settings,
                                const struct steer_ask *ask, struct reply *reply)
{
    uint8_t *message = malloc(ask->len ? ask->len : 1); // an exact copy, for the address sanitizer
    assert_non_null(message);
    memcpy(message, ask->message, ask->len);
    struct steer_ask exact = *ask;
    exact.message = message;
    memset(reply->wire, 0xee, sizeof reply->wire);
    reply->len =
        steer_answer(world, settings, &exact, reply->wire, sizeof reply->wire, &reply->facts);
    const size_t limit = ask->stream ? OUT_BYTES : settings->udp_size;
    assert_true(reply->len <= limit);
    if (reply->len) {
        assert_true(reply->len >= 12);
        assert_memory_equal(reply->wire, message, 2);
        assert_true(reply->wire[2] & 0x80);
        for (size_t i = limit; i < sizeof reply->wire; i++)
            assert_int_equal(reply->wire[i], 0xee); // nothing beyond the limit was touched
    }
    free(message);
}

static inline void ask_for(const struct steer_world *world,
                           const struct steer_answer_settings *settings, const struct question *q,
                           bool stream, uint64_t random, struct reply *reply)
{
    uint8_t message[1024];
    const size_t len = make_message(q, message, sizeof message);
    const struct steer_ask ask = {
        .message = message,
        .len = len,
        .client = {STEER_V4, {192, 0, 2, 53}},
        .stream = stream,
        .random = random,
    };
    put_question(world, settings, &ask, reply);
    const size_t question_len = name_of(q->name).len + 4u;
    if (reply->len) {
        assert_int_equal(reply->wire[5], 1);
        assert_memory_equal(reply->wire + 12, message + 12, question_len);
    }
}

// Replaces each '%' by the origin.
static inline void with_origin(const char *text, const char *origin, struct steer_buf *out)
{
    steer_buf_clear(out);
    for (; *text; text++)
        if (*text == '%')
            steer_buf_puts(out, origin);
        else
            steer_buf_add(out, text, 1);
    steer_buf_puts(out, "");
}

#endif
