// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/answer/answer.h"

#include <string.h>

#include "answer_internal.h"

enum { OPT_FIXED = 11, OPTION_HEAD = 4, KEEPALIVE_BYTES = 2 };

static const char nothing_text[] = "no endpoint to give";

// ---- EDNS ----------------------------------------------------------------------------------------

static size_t ecs_octets(const struct steer_ecs *ecs)
{
    return ((size_t)ecs->source + 7) / 8;
}

// The options that few queries ask for, and their room.
static void choose_options(struct response *r, const struct steer_answer_settings *settings)
{
    const struct steer_edns *edns = &r->query->edns;
    const struct steer_answer_cookies *cookies = r->ask->cookies;
    if (edns->has_nsid && settings->nsid_len) {
        r->options |= GIVE_NSID;
        r->opt_room += OPTION_HEAD + (size_t)settings->nsid_len;
    }
    if (edns->cookie_len && cookies && cookies->secrets) {
        r->facts->cookie =
            steer_cookie_check(cookies->secrets, edns, &r->ask->client, cookies->now_s, r->cookie);
        r->options |= GIVE_COOKIE;
        r->opt_room += OPTION_HEAD + STEER_COOKIE_BYTES;
    }
    // RFC 7828 3.2.1: never over UDP.
    if (edns->has_keepalive && r->ask->stream && settings->keepalive_100ms) {
        r->options |= GIVE_KEEPALIVE;
        r->opt_room += OPTION_HEAD + KEEPALIVE_BYTES;
    }
}

// What the OPT record needs, kept free while the sections are written. An extended error goes with answers
// that leave room for it.
static void plan_opt(struct response *r, const struct steer_answer_settings *settings)
{
    const struct steer_edns *edns = &r->query->edns;
    r->options = 0;
    r->opt_room = 0;
    if (!edns->present)
        return;
    r->opt_room = OPT_FIXED;
    if (edns->has_ecs)
        r->opt_room += OPTION_HEAD + 4 + ecs_octets(&edns->ecs);
    if (STEER_UNLIKELY(edns->has_nsid | edns->has_keepalive | (edns->cookie_len != 0)))
        choose_options(r, settings);
}

static void put_u16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

// RFC 7871 7.2.1: family, source and address as they came. A source of 0 asked for nothing by place.
static uint8_t *put_ecs(uint8_t *p, const struct steer_ecs *ecs, uint8_t scope)
{
    const size_t octets = ecs_octets(ecs);
    put_u16(p, STEER_EDNS_ECS);
    put_u16(p + 2, (unsigned)(4 + octets));
    put_u16(p + 4, ecs->wire_family);
    p[6] = ecs->source;
    p[7] = ecs->source ? scope : 0;
    memcpy(p + 8, ecs->addr.octets, octets);
    return p + 8 + octets;
}

static uint8_t *put_option(uint8_t *p, uint16_t code, const void *data, size_t len)
{
    put_u16(p, code);
    put_u16(p + 2, (unsigned)len);
    memcpy(p + OPTION_HEAD, data, len);
    return p + OPTION_HEAD + len;
}

static void put_options(const struct response *r, const struct steer_answer_settings *settings,
                        uint8_t *p)
{
    if (r->options & GIVE_NSID)
        p = put_option(p, STEER_EDNS_NSID, settings->nsid, settings->nsid_len);
    if (r->options & GIVE_COOKIE)
        p = put_option(p, STEER_EDNS_COOKIE, r->cookie, sizeof r->cookie);
    if (r->options & GIVE_KEEPALIVE) {
        uint8_t timeout[KEEPALIVE_BYTES];
        put_u16(timeout, settings->keepalive_100ms);
        put_option(p, STEER_EDNS_KEEPALIVE, timeout, sizeof timeout);
    }
}

static void write_ede(struct steer_writer *w, int code)
{
    const size_t len = code == EDE_OTHER ? sizeof nothing_text - 1 : 0;
    uint8_t *p =
        w->cap - w->len < OPTION_HEAD + 2 + len ? NULL : steer_write_room(w, OPTION_HEAD + 2 + len);
    if (!p)
        return;
    put_u16(p, STEER_EDNS_EDE);
    put_u16(p + 2, (unsigned)(2 + len));
    put_u16(p + 4, (unsigned)code);
    memcpy(p + 6, nothing_text, len);
}

static void write_opt(struct response *r, const struct steer_answer_settings *settings)
{
    const struct steer_edns *edns = &r->query->edns;
    struct steer_writer *w = &r->w;
    uint8_t *opt = steer_write_room(w, r->opt_room);
    if (!opt) // so many octets were kept free
        return;
    opt[0] = 0; // the root
    put_u16(opt + 1, STEER_TYPE_OPT);
    put_u16(opt + 3, settings->udp_size);
    opt[5] = (uint8_t)(r->rcode >> 4);
    opt[6] = 0; // version
    put_u16(opt + 7, edns->dnssec_ok ? 0x8000 : 0);
    uint8_t *p = opt + OPT_FIXED;
    if (edns->has_ecs)
        p = put_ecs(p, &edns->ecs, r->scope);
    if (STEER_UNLIKELY(r->options))
        put_options(r, settings, p);
    if (STEER_UNLIKELY(r->ede != EDE_NONE))
        write_ede(w, r->ede);
    put_u16(opt + 9, (unsigned)(w->data + w->len - opt - OPT_FIXED));
    r->additional++;
}

// ---- header --------------------------------------------------------------------------------------

static size_t size_limit(const struct steer_ask *ask, const struct steer_edns *edns,
                         const struct steer_answer_settings *settings, size_t cap)
{
    if (ask->stream)
        return cap < STEER_MESSAGE_MAX ? cap : STEER_MESSAGE_MAX;
    size_t limit = STEER_UDP_MIN;
    if (edns->present) {
        limit = edns->udp_size < settings->udp_size ? edns->udp_size : settings->udp_size;
        if (limit < STEER_UDP_MIN) // RFC 6891 6.2.3
            limit = STEER_UDP_MIN;
    }
    return limit < cap ? limit : cap;
}

// Room for the header, which finish fills in, and the question as it came.
static void begin(struct response *r)
{
    const struct steer_query *q = r->query;
    const size_t question = q->has_question ? q->question_len : 0;
    uint8_t *p = steer_write_room(&r->w, STEER_HEADER_BYTES + question);
    if (p && question)
        memcpy(p + STEER_HEADER_BYTES, q->question, question);
}

// Counts, flags, OPT. With TC the whole RRsets that did fit stay: the chain to the one that did not (RFC 2181 9).
static size_t finish(struct response *r, const struct steer_answer_settings *settings, size_t limit)
{
    const struct steer_query *q = r->query;
    struct steer_writer *w = &r->w;
    if (r->truncated) {
        r->flags |= STEER_FLAG_TC;
        r->facts->truncated = true;
    }
    w->cap = limit;
    if (q->edns.present)
        write_opt(r, settings);
    uint16_t copied = q->flags & STEER_FLAG_RD; // and CD is cleared (RFC 4035 3.1.6)
    uint16_t flags =
        (uint16_t)(STEER_FLAG_QR | (q->opcode << 11) | r->flags | copied | (r->rcode & 15));
    uint8_t *header = w->data;
    put_u16(header, q->id);
    put_u16(header + 2, flags);
    put_u16(header + 4, q->has_question);
    put_u16(header + 6, r->answers);
    put_u16(header + 8, r->authority);
    put_u16(header + 10, r->additional);
    r->facts->rcode = r->rcode;
    r->facts->scope = r->scope;
    return w->len;
}

// ---- the CHAOS class -----------------------------------------------------------------------------

struct chaos_name {
    uint8_t wire[16];
    bool is_version;
};

static bool give_chaos(struct response *r, const struct steer_answer_settings *settings)
{
    static const struct chaos_name names[] = {
        {"\2id\6server", false},
        {"\10hostname\4bind", false},
        {"\7version\6server", true},
        {"\7version\4bind", true},
    };
    const struct steer_query *q = r->query;
    if (q->qtype != STEER_TYPE_TXT && q->qtype != STEER_TYPE_ANY)
        return false;
    for (unsigned i = 0; i < STEER_ARRAY_LEN(names); i++) {
        if (!steer_name_equal(q->qname.octets, names[i].wire))
            continue;
        const char *text = names[i].is_version ? settings->version : settings->nsid;
        size_t len = strnlen(text, sizeof settings->nsid);
        if (!len)
            return false;
        steer_write_u16(&r->w, 0xc000 | OWNER_QNAME);
        steer_write_u16(&r->w, STEER_TYPE_TXT);
        steer_write_u16(&r->w, STEER_CLASS_CH);
        steer_write_u32(&r->w, 0);
        steer_write_u16(&r->w, (uint16_t)(len + 1));
        steer_write_u8(&r->w, (uint8_t)len);
        steer_write_bytes(&r->w, text, len);
        r->answers = 1;
        r->flags |= STEER_FLAG_AA;
        r->facts->kind = STEER_FACT_POSITIVE;
        return true;
    }
    return false;
}

// ---- the steps -----------------------------------------------------------------------------------

// OPT and the meta and query types of RFC 6895 3.1 but ANY: no data has them. Transfers are not offered.
static bool is_refused_type(uint16_t qtype)
{
    return qtype == STEER_TYPE_OPT || (qtype >= 128 && qtype < STEER_TYPE_ANY);
}

// Transfers are of zones: here is none of that name (RFC 5936 2.2.1).
static bool is_stray_transfer(const struct steer_prepared *p)
{
    const struct steer_query *q = &p->query;
    return (q->qtype == STEER_TYPE_IXFR || q->qtype == STEER_TYPE_AXFR) &&
           q->qclass == STEER_CLASS_IN && !(p->zone && p->zone_labels == q->qname.labels);
}

static void answer_question(struct response *r, const struct steer_answer_settings *settings,
                            const struct steer_prepared *p)
{
    const struct steer_query *q = &p->query;
    r->facts->kind = STEER_FACT_REFUSED;
    r->rcode = STEER_RCODE_REFUSED;
    r->ede = EDE_NOT_AUTHORITATIVE;
    const bool chaos = q->qclass == STEER_CLASS_CH && give_chaos(r, settings);
    if (is_stray_transfer(p))
        r->rcode = STEER_RCODE_NOTAUTH;
    else if (p->zone && is_refused_type(q->qtype))
        r->ede = EDE_PROHIBITED;
    else if (p->zone || chaos) {
        r->rcode = STEER_RCODE_NOERROR;
        r->ede = EDE_NONE;
    }
    if (p->zone && r->ede == EDE_NONE)
        resolve(r, p);
}

// A query for a cookie and nothing else (RFC 7873 5.4). Who makes none takes it for what it is without one.
static void answer_cookie_alone(struct response *r)
{
    if (r->facts->cookie == STEER_COOKIE_NONE)
        r->rcode = STEER_RCODE_FORMERR;
    else if (r->facts->cookie == STEER_COOKIE_WRONG)
        r->rcode = STEER_RCODE_BADCOOKIE;
    if (r->rcode)
        r->facts->kind = STEER_FACT_ERROR;
}

size_t steer_answer_render(const struct steer_world *world,
                           const struct steer_answer_settings *settings,
                           const struct steer_ask *ask, const struct steer_prepared *p,
                           uint8_t *out, size_t cap, struct steer_facts *facts)
{
    const struct steer_query *q = &p->query;
    memset(facts, 0, sizeof *facts);
    if (p->parsed == STEER_PARSE_DROP)
        return 0;
    struct response r;
    r.world = world;
    r.ask = ask;
    r.query = q;
    r.facts = facts;
    r.flags = 0;
    r.rcode = p->parsed == STEER_PARSE_REPLY ? q->rcode : STEER_RCODE_NOERROR;
    r.answers = r.authority = r.additional = 0;
    r.knows_question = r.truncated = false;
    r.scope = 0;
    r.ede = EDE_NONE;
    facts->qtype = q->qtype;
    facts->ecs = q->edns.has_ecs;
    facts->kind = r.rcode ? STEER_FACT_ERROR : STEER_FACT_NODATA;
    size_t limit = size_limit(ask, &q->edns, settings, cap);
    plan_opt(&r, settings);
    steer_writer_init(&r.w, out, limit - r.opt_room);
    begin(&r);
    if (p->parsed == STEER_PARSE_OK && q->has_question)
        answer_question(&r, settings, p);
    else if (p->parsed == STEER_PARSE_OK)
        answer_cookie_alone(&r);
    return finish(&r, settings, limit);
}

size_t steer_answer(const struct steer_world *world, const struct steer_answer_settings *settings,
                    const struct steer_ask *ask, uint8_t *out, size_t cap,
                    struct steer_facts *facts)
{
    struct steer_prepared p;
    steer_answer_prepare(ask, &p);
    steer_answer_locate(world, ask, &p, 1);
    return steer_answer_render(world, settings, ask, &p, out, cap, facts);
}
