// SPDX-License-Identifier: GPL-3.0-or-later
// What is expected of a reply. The sections hold what is listed and nothing else, unless `any` says
// that a section does not matter.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dialogue.h"
#include "steerd/base/mem.h"
#include "steerd/rr/rdata.h"
#include "steerd/rr/type.h"

enum { WANTS_MAX = 128, SECTIONS = 3, TEXT_MAX = 70000 };

static const char *const section_names[SECTIONS] = {"answer", "authority", "additional"};
static const knot_section_t sections[SECTIONS] = {KNOT_ANSWER, KNOT_AUTHORITY, KNOT_ADDITIONAL};

// One record; * stands for any owner, TTL or data.
struct want {
    unsigned line, section;
    bool any_owner, any_ttl, any_data, met;
    knot_rrset_t *rr;
    char text[512];
};

struct expectation {
    unsigned line;
    uint16_t rcode;
    bool has_flags, ordered, dropped;
    uint16_t flags;
    bool any[SECTIONS];
    int scope, ede; // -1: not judged
    unsigned long max_bytes;
    const char *nsid;
    unsigned count;
    struct want wants[WANTS_MAX];
};

static void expectation_init(struct expectation *e, unsigned line)
{
    memset(e, 0, sizeof *e);
    e->line = line;
    e->scope = e->ede = -1;
}

static void expectation_fini(struct expectation *e)
{
    for (unsigned i = 0; i < e->count; i++)
        knot_rrset_free(e->wants[i].rr, NULL);
}

// ---- reading -------------------------------------------------------------------------------------

struct record_text {
    const char *owner, *ttl, *type, *data;
};

static void add_want(struct stage *stage, struct expectation *e, unsigned line, unsigned section,
                     const struct record_text *t)
{
    struct steer_name owner = {.len = 1};
    struct steer_buf rdata = {0};
    struct steer_diag diag = {0};
    uint16_t type = 0;
    if (e->count == WANTS_MAX)
        script_broken(stage->script, line, "more than %d records", WANTS_MAX);
    struct want *w = &e->wants[e->count++];
    w->line = line;
    w->section = section;
    w->any_owner = strcmp(t->owner, "*") == 0;
    w->any_ttl = strcmp(t->ttl, "*") == 0;
    w->any_data = strcmp(t->data, "*") == 0;
    snprintf(w->text, sizeof w->text, "%s %s %s %s %s", section_names[section], t->owner, t->ttl,
             t->type, t->data);
    if (!steer_type_parse(t->type, &type))
        script_broken(stage->script, line, "'%s' is not a type", t->type);
    if ((!w->any_owner && steer_name_parse(t->owner, NULL, &owner, &diag) != STEER_OK) ||
        (!w->any_data && steer_rdata_parse(type, t->data, NULL, &rdata, &diag) != STEER_OK))
        script_broken(stage->script, line, "%s", diag.message);
    w->rr = knot_rrset_new(owner.octets, type, KNOT_CLASS_IN, (uint32_t)strtoul(t->ttl, NULL, 10),
                           NULL);
    if (!w->any_data)
        knot_rrset_add_rdata(w->rr, (const uint8_t *)rdata.data, (uint16_t)rdata.len, NULL);
    knot_rrset_rr_to_canonical(w->rr);
    steer_buf_fini(&rdata);
}

static bool find_rcode(const char *text, uint16_t *rcode)
{
    for (const knot_lookup_t *r = knot_rcode_names; r->name; r++) {
        if (strcasecmp(r->name, text) == 0) {
            *rcode = (uint16_t)r->id;
            return true;
        }
    }
    return false;
}

static uint16_t parse_flag(const struct stage *stage, const struct line *line, const char *text)
{
    static const struct {
        const char *name;
        uint16_t bit;
    } flags[] = {{"aa", STEER_FLAG_AA}, {"tc", STEER_FLAG_TC}, {"rd", STEER_FLAG_RD},
                 {"ad", STEER_FLAG_AD}, {"cd", STEER_FLAG_CD}, {"none", 0}};
    for (unsigned i = 0; i < STEER_ARRAY_LEN(flags); i++)
        if (strcmp(flags[i].name, text) == 0)
            return flags[i].bit;
    script_broken(stage->script, line->number, "'%s' is not a flag", text);
}

static bool read_record(struct stage *stage, const struct line *d, struct expectation *e)
{
    for (unsigned i = 0; i < SECTIONS; i++) {
        if (strcmp(d->words[0], section_names[i]) != 0)
            continue;
        if (d->count < 5)
            script_broken(stage->script, d->number, "give: %s NAME TTL TYPE DATA", d->words[0]);
        struct record_text t = {d->words[1], d->words[2], d->words[3], d->tails[4]};
        add_want(stage, e, d->number, i, &t);
        return true;
    }
    return false;
}

static bool read_any(const struct line *d, struct expectation *e)
{
    bool found = false;
    for (unsigned i = 0; i < SECTIONS && strcmp(d->words[0], "any") == 0 && d->count > 1; i++)
        if (strcmp(d->words[1], section_names[i]) == 0)
            found = e->any[i] = true;
    return found;
}

static void read_detail(struct stage *stage, const struct line *d, struct expectation *e)
{
    const struct script *s = stage->script;
    const char *key = d->words[0];
    const char *value = d->count > 1 ? d->words[1] : "";
    if (read_record(stage, d, e) || read_any(d, e))
        return;
    if (strcmp(key, "rcode") == 0) {
        if (!find_rcode(value, &e->rcode))
            script_broken(s, d->number, "'%s' is not a response code", value);
    } else if (strcmp(key, "flags") == 0) {
        e->has_flags = true;
        for (unsigned i = 1; i < d->count; i++)
            e->flags |= parse_flag(stage, d, d->words[i]);
    } else if (strcmp(key, "scope") == 0) {
        e->scope = (int)script_number(s, d, 1, 128);
    } else if (strcmp(key, "ede") == 0) {
        e->ede = (int)script_number(s, d, 1, 65535);
    } else if (strcmp(key, "at-most") == 0) {
        e->max_bytes = script_number(s, d, 1, 65535);
    } else if (strcmp(key, "ordered") == 0) {
        e->ordered = true;
    } else if (strcmp(key, "dropped") == 0) {
        e->dropped = true;
    } else if (strcmp(key, "nsid") == 0) {
        e->nsid = steer_strdup(value);
    } else {
        script_broken(s, d->number, "'%s' is not expected of a reply", key);
    }
}

// ---- the short form ------------------------------------------------------------------------------

// => nodata | nxdomain | RCODE | DATA[, DATA...]  [ttl N] [scope N]
static void read_short(struct stage *stage, const struct line *line, unsigned word,
                       const struct question *q, struct expectation *e)
{
    char name[STEER_NAME_TEXT_MAX];
    char type[STEER_TYPE_TEXT_MAX];
    const char *ttl = "*";
    const char *data[WANTS_MAX];
    unsigned count = 0;
    for (; word < line->count; word++) {
        char *text = line->words[word];
        if (strcmp(text, "ttl") == 0 && word + 1 < line->count) {
            ttl = line->words[++word];
        } else if (strcmp(text, "scope") == 0) {
            e->scope = (int)script_number(stage->script, line, ++word, 128);
        } else if (count < WANTS_MAX) {
            size_t len = strlen(text);
            if (len && text[len - 1] == ',')
                text[len - 1] = '\0';
            data[count++] = text;
        }
    }
    if (!count)
        script_broken(stage->script, line->number, "nothing stands after '=>'");
    bool nodata = strcmp(data[0], "nodata") == 0;
    bool nxdomain = strcmp(data[0], "nxdomain") == 0;
    if (nodata || nxdomain) {
        struct record_text soa = {"*", "*", "SOA", "*"};
        e->rcode = nxdomain ? STEER_RCODE_NXDOMAIN : STEER_RCODE_NOERROR;
        add_want(stage, e, line->number, 1, &soa);
        return;
    }
    if (find_rcode(data[0], &e->rcode))
        return;
    e->any[2] = true;
    steer_name_format(q->name.octets, name);
    steer_type_format(q->type, type);
    for (unsigned i = 0; i < count; i++) {
        struct record_text t = {name, ttl, type, data[i]};
        add_want(stage, e, line->number, 0, &t);
    }
}

// ---- judging -------------------------------------------------------------------------------------

static void record_text(const knot_rrset_t *rr, struct steer_buf *out)
{
    char *text = steer_alloc(TEXT_MAX);
    size_t size = TEXT_MAX;
    if (knot_rrset_txt_dump(rr, &text, &size, &KNOT_DUMP_STYLE_DEFAULT) > 0) {
        for (char *c = text; *c; c++)
            if (*c == '\t')
                *c = ' ';
        text[strcspn(text, "\n")] = '\0';
        steer_buf_puts(out, text);
    }
    free(text);
}

static void reply_text(const struct reply *r, struct steer_buf *out)
{
    if (!r->pkt) {
        steer_buf_puts(out, r->len ? "not a message" : "no reply");
        return;
    }
    const knot_lookup_t *rcode = knot_lookup_by_id(knot_rcode_names, knot_pkt_ext_rcode(r->pkt));
    const uint8_t *w = r->wire;
    steer_buf_printf(out, "%s%s%s, %zu bytes", rcode ? rcode->name : "?",
                     knot_wire_get_aa(w) ? " aa" : "", knot_wire_get_tc(w) ? " tc" : "", r->len);
    if (r->has_ecs)
        steer_buf_printf(out, ", scope %u", r->scope);
    if (r->ede >= 0)
        steer_buf_printf(out, ", ede %d", r->ede);
    for (unsigned s = 0; s < SECTIONS; s++) {
        const knot_pktsection_t *section = knot_pkt_section(r->pkt, sections[s]);
        for (uint16_t i = 0; i < section->count; i++) {
            const knot_rrset_t *rr = knot_pkt_rr(section, i);
            if (rr->type == KNOT_RRTYPE_OPT)
                continue;
            steer_buf_printf(out, "\n          %s ", section_names[s]);
            record_text(rr, out);
        }
    }
}

static bool record_meets(const struct want *w, const knot_rrset_t *rr)
{
    if (rr->type != w->rr->type || (!w->any_ttl && rr->ttl != w->rr->ttl) ||
        (!w->any_owner && !steer_name_equal(rr->owner, w->rr->owner)))
        return false;
    if (w->any_data)
        return true;
    const knot_rdata_t *got = rr->rrs.rdata;
    const knot_rdata_t *want = w->rr->rrs.rdata;
    return got && want && got->len == want->len && memcmp(got->data, want->data, got->len) == 0;
}

// Each wanted record takes one; what is left over was not wanted. ordered: in the order of the file.
static bool section_meets(struct expectation *e, unsigned s, const knot_pkt_t *pkt,
                          const struct want **missing)
{
    const knot_pktsection_t *section = knot_pkt_section(pkt, sections[s]);
    bool *used = steer_calloc(section->count, sizeof *used);
    unsigned records = 0;
    unsigned wanted = 0;
    uint16_t from = 0;
    for (uint16_t i = 0; i < section->count; i++)
        records += knot_pkt_rr(section, i)->type != KNOT_RRTYPE_OPT;
    for (unsigned k = 0; k < e->count; k++) {
        struct want *w = &e->wants[k];
        if (w->section != s)
            continue;
        wanted++;
        for (uint16_t i = from; i < section->count && !w->met; i++) {
            if (used[i] || !record_meets(w, knot_pkt_rr(section, i)))
                continue;
            used[i] = w->met = true;
            if (e->ordered)
                from = (uint16_t)(i + 1);
        }
        if (!w->met && !*missing)
            *missing = w;
    }
    free(used);
    return *missing == NULL && (e->any[s] || records == wanted);
}

static const char *nsid_of(const struct reply *r, char *out, size_t size)
{
    uint8_t *option =
        r->pkt->opt_rr ? knot_edns_get_option(r->pkt->opt_rr, KNOT_EDNS_OPTION_NSID, NULL) : NULL;
    snprintf(out, size, "%.*s", option ? knot_edns_opt_get_length(option) : 0,
             option ? (const char *)knot_edns_opt_get_data(option) : "");
    return out;
}

// What is wrong first, in words; "" when all is as expected.
static void judge(struct expectation *e, const struct reply *r, struct steer_buf *wanted)
{
    char nsid[128];
    const struct want *missing = NULL;
    if (e->dropped || !r->len || !r->pkt) {
        if (e->dropped != (r->len == 0))
            steer_buf_puts(wanted, e->dropped ? "no reply" : "a reply");
        return;
    }
    uint16_t flags = (uint16_t)(knot_wire_read_u16(r->wire + 2) & 0x07b0);
    if (knot_pkt_ext_rcode(r->pkt) != e->rcode)
        steer_buf_printf(wanted, "rcode %s", knot_lookup_by_id(knot_rcode_names, e->rcode)->name);
    else if (e->has_flags ? flags != e->flags : (flags & STEER_FLAG_TC) != 0)
        steer_buf_puts(wanted, e->has_flags ? "exactly the flags listed" : "no tc");
    else if (e->scope >= 0 && (!r->has_ecs || r->scope != e->scope))
        steer_buf_printf(wanted, "scope %d", e->scope);
    else if (e->ede >= 0 && r->ede != e->ede)
        steer_buf_printf(wanted, "ede %d", e->ede);
    else if (e->max_bytes && r->len > e->max_bytes)
        steer_buf_printf(wanted, "at most %lu bytes", e->max_bytes);
    else if (e->nsid && strcmp(nsid_of(r, nsid, sizeof nsid), e->nsid) != 0)
        steer_buf_printf(wanted, "nsid %s", e->nsid);
    for (unsigned s = 0; s < SECTIONS && !wanted->len; s++) {
        if (section_meets(e, s, r->pkt, &missing))
            continue;
        if (missing)
            e->line = missing->line;
        steer_buf_printf(wanted, "%s", missing ? missing->text : "");
        if (!missing)
            steer_buf_printf(wanted, "nothing else in %s", section_names[s]);
    }
}

static void judge_reply(struct stage *stage, const struct line *line, const struct question *q,
                        struct expectation *e)
{
    static struct reply r;
    struct steer_buf wanted = {0};
    struct steer_buf got = {0};
    ask(stage, line, q, &r);
    judge(e, &r, &wanted);
    if (wanted.len)
        reply_text(&r, &got);
    script_judge(stage->script, e->line, !wanted.len, wanted.data, got.data);
    steer_buf_fini(&wanted);
    steer_buf_fini(&got);
    reply_fini(&r);
}

static void expect(struct stage *stage, const struct line *line, const struct question *q,
                   unsigned word)
{
    struct expectation *e = steer_alloc(sizeof *e);
    struct line detail;
    expectation_init(e, line->number);
    if (word < line->count) {
        // A copy: its words are cut at their commas.
        struct line copy = *line;
        read_short(stage, &copy, word + 1, q, e);
    }
    while (script_detail(stage->script, &detail))
        read_detail(stage, &detail, e);
    if ((e->ede >= 0 || e->nsid) && !q->edns && !q->raw)
        script_broken(stage->script, line->number, "options come back only where EDNS was sent");
    judge_reply(stage, line, q, e);
    free((char *)(uintptr_t)e->nsid);
    expectation_fini(e);
    free(e);
}

void expect_query(struct stage *stage, const struct line *line)
{
    static struct question q;
    unsigned end = question_parse(stage, line, 1, &q);
    expect(stage, line, &q, end);
}

void expect_raw(struct stage *stage, const struct line *line)
{
    static struct question q;
    question_parse_raw(stage, line, &q);
    expect(stage, line, &q, line->count);
}
