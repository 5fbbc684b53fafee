// SPDX-License-Identifier: GPL-3.0-or-later
#include "dialogue.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/rr/type.h"

enum { QUERY_ID = 0x5344, OPT_FIXED = 11 };

static const struct steer_answer_settings settings = {
    .udp_size = STEER_UDP_SIZE, .nsid_len = 7, .nsid = "scene-1", .version = "steerd"};

// ---- options -------------------------------------------------------------------------------------

static const char *value_of(const struct stage *stage, const struct line *line, unsigned *word)
{
    if (*word + 1 >= line->count)
        script_broken(stage->script, line->number, "'%s' needs a value", line->words[*word]);
    return line->words[++*word];
}

static void set_draw(const struct stage *stage, const struct line *line, const char *text,
                     struct question *q)
{
    char *end;
    double u = strtod(text, &end);
    if (*end || !(u >= 0 && u < 1))
        script_broken(stage->script, line->number, "u is in [0,1), not '%s'", text);
    q->random = (q->random & UINT64_C(0xffffffff00000000)) | (uint32_t)(u * 4294967296.0);
}

static void defaults(struct question *q)
{
    memset(q, 0, sizeof *q);
    q->class = STEER_CLASS_IN;
    q->client = (struct steer_addr){STEER_V4, {127, 0, 0, 1}};
    q->size = STEER_UDP_SIZE;
}

static bool switch_option(struct question *q, const char *option)
{
    if (strcmp(option, "tcp") == 0)
        return q->stream = true;
    if (strcmp(option, "edns") == 0)
        return q->edns = true;
    if (strcmp(option, "do") == 0)
        return q->edns = q->dnssec_ok = true;
    if (strcmp(option, "nsid") == 0)
        return q->edns = q->nsid = true;
    if (strcmp(option, "rd") == 0)
        return q->flags |= STEER_FLAG_RD, true;
    if (strcmp(option, "cd") == 0)
        return q->flags |= STEER_FLAG_CD, true;
    return false;
}

static unsigned options(const struct stage *stage, const struct line *line, unsigned word,
                        struct question *q)
{
    bool host_bits;
    for (; word < line->count && strcmp(line->words[word], "=>") != 0; word++) {
        const char *option = line->words[word];
        if (switch_option(q, option))
            continue;
        const char *value = value_of(stage, line, &word);
        bool fits = true;
        if (strcmp(option, "client") == 0) {
            fits = steer_addr_parse(value, &q->client);
        } else if (strcmp(option, "ecs") == 0) {
            q->edns = q->has_ecs = true;
            fits = steer_prefix_parse(value, &q->ecs, &host_bits);
        } else if (strcmp(option, "u") == 0) {
            set_draw(stage, line, value, q);
        } else if (strcmp(option, "turn") == 0) {
            q->random = (uint64_t)script_number(stage->script, line, word, 65535) << 32 |
                        (uint32_t)q->random;
        } else if (strcmp(option, "size") == 0) {
            q->edns = true;
            q->size = (uint16_t)script_number(stage->script, line, word, 65535);
        } else if (strcmp(option, "version") == 0) {
            q->edns = true;
            q->version = (uint8_t)script_number(stage->script, line, word, 255);
        } else if (strcmp(option, "class") == 0) {
            fits = steer_class_parse(value, &q->class);
        } else {
            script_broken(stage->script, line->number, "'%s' is not an option of a query", option);
        }
        if (!fits)
            script_broken(stage->script, line->number, "'%s' is not a value for '%s'", value,
                          option);
    }
    return word;
}

// ---- the query's bytes ---------------------------------------------------------------------------

static void write_opt(struct steer_writer *w, const struct question *q)
{
    steer_write_u8(w, 0);
    steer_write_u16(w, STEER_TYPE_OPT);
    steer_write_u16(w, q->size);
    steer_write_u8(w, 0);
    steer_write_u8(w, q->version);
    steer_write_u16(w, q->dnssec_ok ? 0x8000 : 0);
    size_t octets = ((size_t)q->ecs.len + 7) / 8;
    steer_write_u16(w, (uint16_t)((q->has_ecs ? 8 + octets : 0) + (q->nsid ? 4 : 0)));
    if (q->nsid) {
        steer_write_u16(w, STEER_EDNS_NSID);
        steer_write_u16(w, 0);
    }
    if (!q->has_ecs)
        return;
    steer_write_u16(w, STEER_EDNS_ECS);
    steer_write_u16(w, (uint16_t)(4 + octets));
    steer_write_u16(w, q->ecs.addr.family);
    steer_write_u8(w, q->ecs.len);
    steer_write_u8(w, 0);
    steer_write_bytes(w, q->ecs.addr.octets, octets);
}

static void write_query(struct question *q)
{
    struct steer_writer w;
    steer_writer_init(&w, q->query, sizeof q->query);
    steer_write_u16(&w, QUERY_ID);
    steer_write_u16(&w, q->flags);
    steer_write_u16(&w, 1);
    steer_write_u16(&w, 0);
    steer_write_u16(&w, 0);
    steer_write_u16(&w, q->edns);
    steer_write_bytes(&w, q->name.octets, q->name.len);
    steer_write_u16(&w, q->type);
    steer_write_u16(&w, q->class);
    if (q->edns)
        write_opt(&w, q);
    q->query_len = w.len;
}

unsigned question_parse(const struct stage *stage, const struct line *line, unsigned word,
                        struct question *q)
{
    struct steer_diag diag = {0};
    defaults(q);
    if (word + 2 > line->count)
        script_broken(stage->script, line->number, "give: %s NAME TYPE [OPTIONS]", line->words[0]);
    if (steer_name_parse(line->words[word], NULL, &q->name, &diag) != STEER_OK)
        script_broken(stage->script, line->number, "%s", diag.message);
    if (!steer_type_parse(line->words[word + 1], &q->type))
        script_broken(stage->script, line->number, "'%s' is not a type", line->words[word + 1]);
    unsigned end = options(stage, line, word + 2, q);
    write_query(q);
    return end;
}

static void raw_word(const struct stage *stage, const struct line *line, const char *text,
                     struct steer_writer *w)
{
    struct steer_name name;
    struct steer_diag diag = {0};
    if (strncmp(text, "name:", 5) == 0) {
        if (steer_name_parse(text + 5, NULL, &name, &diag) != STEER_OK)
            script_broken(stage->script, line->number, "%s", diag.message);
        steer_write_bytes(w, name.octets, name.len);
        return;
    }
    for (; *text; text += 2) {
        unsigned byte;
        if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
            sscanf(text, "%2x", &byte) != 1)
            script_broken(stage->script, line->number, "'%s' is not hexadecimal", text);
        steer_write_u8(w, (uint8_t)byte);
    }
}

void question_parse_raw(const struct stage *stage, const struct line *line, struct question *q)
{
    struct steer_writer w;
    unsigned word = 1;
    defaults(q);
    q->raw = true;
    if (word < line->count && strcmp(line->words[word], "tcp") == 0) {
        q->stream = true;
        word++;
    }
    steer_writer_init(&w, q->query, sizeof q->query);
    for (; word < line->count; word++)
        raw_word(stage, line, line->words[word], &w);
    q->query_len = w.len;
}

// ---- the reply -----------------------------------------------------------------------------------

static void read_options(struct reply *r)
{
    knot_edns_client_subnet_t subnet;
    r->ede = -1;
    r->has_ecs = false;
    if (!r->pkt || !r->pkt->opt_rr)
        return;
    uint8_t *ecs = knot_edns_get_option(r->pkt->opt_rr, KNOT_EDNS_OPTION_CLIENT_SUBNET, NULL);
    uint8_t *ede = knot_edns_get_option(r->pkt->opt_rr, STEER_EDNS_EDE, NULL);
    if (ecs && knot_edns_client_subnet_parse(&subnet, knot_edns_opt_get_data(ecs),
                                             knot_edns_opt_get_length(ecs)) == KNOT_EOK) {
        r->has_ecs = true;
        r->scope = subnet.scope_len;
    }
    if (ede && knot_edns_opt_get_length(ede) >= 2)
        r->ede = knot_wire_read_u16(knot_edns_opt_get_data(ede));
}

void ask_quietly(const struct stage *stage, const struct question *q, uint64_t random,
                 struct reply *r)
{
    static const struct steer_cookie_secrets secrets = {.count = 1, .secret = {"scenario secret"}};
    const uint32_t now_s = (uint32_t)stage->now_unix_s;
    const struct steer_answer_cookies cookies = {&secrets, now_s};
    struct steer_ask a = {q->query, q->query_len, q->client, q->stream, now_s, random, &cookies};
    r->len = steer_answer(steer_linker_world(stage->linker), &settings, &a, r->wire, sizeof r->wire,
                          &r->facts);
    r->pkt = r->len ? knot_pkt_new(r->wire, (uint16_t)r->len, NULL) : NULL;
    if (r->pkt && knot_pkt_parse(r->pkt, KNOT_PF_KEEPWIRE) != KNOT_EOK) {
        knot_pkt_free(r->pkt);
        r->pkt = NULL;
    }
    read_options(r);
}

void reply_fini(struct reply *r)
{
    knot_pkt_free(r->pkt);
}

// The option as it came, but for its scope.
static bool echoes_subnet(const struct question *q, const struct reply *r)
{
    if (!q->has_ecs)
        return !r->has_ecs;
    uint8_t *option =
        r->pkt->opt_rr ? knot_edns_get_option(r->pkt->opt_rr, KNOT_EDNS_OPTION_CLIENT_SUBNET, NULL)
                       : NULL;
    size_t octets = ((size_t)q->ecs.len + 7) / 8;
    if (!option || knot_edns_opt_get_length(option) != 4 + octets)
        return false;
    const uint8_t *data = knot_edns_opt_get_data(option);
    return knot_wire_read_u16(data) == q->ecs.addr.family && data[2] == q->ecs.len &&
           memcmp(data + 4, q->ecs.addr.octets, octets) == 0;
}

static bool fits(const struct question *q, const struct reply *r)
{
    size_t limit = STEER_UDP_MIN;
    if (q->stream || q->raw)
        return true;
    if (q->edns && q->size > limit)
        limit = q->size < STEER_UDP_SIZE ? q->size : STEER_UDP_SIZE;
    return r->len <= limit;
}

// The first thing that is wrong with a reply, or NULL.
static const char *fault(const struct question *q, const struct reply *r)
{
    if (!r->pkt)
        return "a reply that libknot does not parse";
    const uint8_t *w = r->wire;
    if (memcmp(w, q->query, 2) != 0)
        return "another id";
    if (!(w[2] & 0x80) || (w[2] & 0x78) != (q->query[2] & 0x78))
        return "QR or opcode wrong";
    if (knot_wire_get_ra(w))
        return "RA set";
    size_t question = knot_wire_get_qdcount(w) ? (size_t)r->pkt->qname_size + 4 : 0;
    if (memcmp(w + STEER_HEADER_BYTES, q->query + STEER_HEADER_BYTES, question) != 0)
        return "the question is not echoed as it came";
    if (!q->raw && !question)
        return "no question";
    if (!fits(q, r))
        return "longer than the client takes";
    if (!q->raw && q->edns != (r->pkt->opt_rr != NULL))
        return "an OPT record only where one was sent, and always there";
    if (!q->raw && !echoes_subnet(q, r))
        return "the client subnet is not echoed as it came";
    if (r->facts.rcode != knot_pkt_ext_rcode(r->pkt) ||
        r->facts.truncated != (knot_wire_get_tc(w) != 0))
        return "facts that say something else than the message";
    if (r->has_ecs && q->ecs.len == 0 && !q->raw && r->scope)
        return "a scope for a source of 0";
    if (r->has_ecs && q->ecs.len && r->scope != r->facts.scope)
        return "facts with another scope";
    return NULL;
}

void ask(const struct stage *stage, const struct line *line, const struct question *q,
         struct reply *r)
{
    ask_quietly(stage, q, q->random, r);
    const char *wrong = r->len ? fault(q, r) : NULL;
    if (wrong)
        script_missed(stage->script, line->number, wrong, "a correct reply");
}
