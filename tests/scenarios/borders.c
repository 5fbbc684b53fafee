// SPDX-License-Identifier: GPL-3.0-or-later
// The scopes of a steered record, judged by a linear evaluator of its own: it resolves the policy for
// each location, walks the ranges of the geo data in order, and compares. scope(a) is the least L such
// that all addresses of a/L are in a's class; 0 only where both families are one class, else at least 1.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dialogue.h"
#include "steerd/base/mem.h"

__extension__ typedef unsigned __int128 number;

// Addresses first..last are in one class; a hole embeds IPv4 and is none of IPv6's business.
struct range {
    number first, last;
    const void *class;
};

struct space {
    unsigned bits;
    struct range *ranges;
    size_t count, cap;
    bool one_class; // in both families
};

static const char hole; // its address is a class of its own

static number last_of(unsigned bits, number first, unsigned len)
{
    unsigned rest = bits - len;
    number mask = rest == 128 ? ~(number)0 : ((number)1 << rest) - 1;
    return first | mask;
}

static number address_of(const struct steer_addr *addr)
{
    struct steer_u128 u = steer_addr_to_u128(addr);
    return (number)u.hi << 64 | u.lo;
}

static struct steer_addr to_addr(unsigned bits, number n)
{
    struct steer_addr addr = {.family = bits == 32 ? STEER_V4 : STEER_V6};
    for (unsigned i = 0; i < bits / 8; i++)
        addr.octets[i] = (uint8_t)(n >> (bits - 8 - 8 * i));
    return addr;
}

// ---- the linear judge ----------------------------------------------------------------------------

static void append(struct space *s, number first, number last, const void *class)
{
    if (first > last)
        return;
    s->ranges = steer_grow(s->ranges, &s->cap, s->count + 1, sizeof *s->ranges);
    s->ranges[s->count++] = (struct range){first, last, class};
}

// Cuts the area out of the ranges and puts `class` there.
static void overlay(struct space *s, const char *prefix, const void *class)
{
    struct space cut = {.bits = s->bits};
    struct steer_prefix p;
    if (!steer_prefix_parse(prefix, &p, NULL))
        abort();
    number first = address_of(&p.addr);
    number last = last_of(128, first, p.len);
    for (size_t i = 0; i < s->count; i++) {
        const struct range *r = &s->ranges[i];
        if (r->last < first || r->first > last) {
            append(&cut, r->first, r->last, r->class);
            continue;
        }
        if (r->first < first)
            append(&cut, r->first, first - 1, r->class);
        if (r->first <= first)
            append(&cut, first, last, class);
        if (r->last > last)
            append(&cut, last + 1, r->last, r->class);
    }
    free(s->ranges);
    *s = cut;
}

static unsigned judge_scope(const struct space *s, number addr)
{
    if (s->one_class)
        return 0;
    for (unsigned len = 1; len < s->bits; len++) {
        number first = last_of(s->bits, addr, len) - last_of(s->bits, 0, len);
        number last = last_of(s->bits, addr, len);
        const void *class = NULL;
        bool equal = true;
        for (size_t i = 0; i < s->count && equal; i++) {
            const struct range *r = &s->ranges[i];
            if (r->last < first || r->first > last)
                continue;
            equal = !class || class == r->class;
            class = r->class;
        }
        if (equal)
            return len;
    }
    return s->bits;
}

static bool is_one_class(const struct space *s, const void *class)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->ranges[i].class != class)
            return false;
    return true;
}

// ---- asking --------------------------------------------------------------------------------------

static void check_address(struct stage *stage, const struct line *line, const struct space *s,
                          number n, unsigned *checked)
{
    static struct question q;
    static struct reply r;
    char address[64];
    char text[256];
    char got[32];
    struct steer_addr addr = to_addr(s->bits, n);
    struct line asked = *line;
    steer_addr_format(&addr, address, sizeof address);
    // As if the line said: query NAME TYPE ecs ADDRESS
    char ecs[] = "ecs";
    asked.words[asked.count++] = ecs;
    asked.words[asked.count++] = address;
    question_parse(stage, &asked, 1, &q);
    ask(stage, line, &q, &r);
    bool given = r.pkt && knot_pkt_section(r.pkt, KNOT_ANSWER)->count;
    unsigned wanted = given ? judge_scope(s, n) : 0; // negatives: 0
    if (r.scope != wanted) {
        snprintf(text, sizeof text, "%s: scope %u", address, wanted);
        snprintf(got, sizeof got, "scope %u", r.scope);
        script_missed(stage->script, line->number, got, "%s", text);
    }
    (*checked)++;
    reply_fini(&r);
}

static void check_space(struct stage *stage, const struct line *line, const struct space *s)
{
    unsigned checked = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct range *r = &s->ranges[i];
        if (r->class == &hole)
            continue;
        unsigned len = judge_scope(s, r->first);
        check_address(stage, line, s, r->first, &checked);
        check_address(stage, line, s, last_of(s->bits, r->first, len), &checked);
        check_address(stage, line, s, r->last, &checked);
    }
    if (checked)
        script_met(stage->script, line->number);
}

static void fill4(struct space *s, const struct steer_partition *p, struct steer_residual **classes)
{
    for (size_t i = 0; i < p->count4; i++)
        append(s, p->start4[i], i + 1 < p->count4 ? p->start4[i + 1] - 1 : UINT32_MAX,
               classes[p->value4[i]]);
}

static number wide(struct steer_u128 u)
{
    return (number)u.hi << 64 | u.lo;
}

static void fill6(struct space *s, const struct steer_partition *p, struct steer_residual **classes)
{
    for (size_t i = 0; i < p->count6; i++)
        append(s, wide(p->start6[i]), i + 1 < p->count6 ? wide(p->start6[i + 1]) - 1 : ~(number)0,
               classes[p->value6[i]]);
}

static const struct steer_object *record_of(const struct stage *stage, const struct line *line)
{
    static const char *const kinds[] = {"address", "cname"};
    char name[STEER_NAME_TEXT_MAX + 16];
    for (unsigned i = 0; i < STEER_ARRAY_LEN(kinds) && line->count == 3; i++) {
        const char *owner = line->words[1];
        bool absolute = owner[0] && owner[strlen(owner) - 1] == '.';
        snprintf(name, sizeof name, "%s%s %s", owner, absolute ? "" : ".", kinds[i]);
        const struct steer_object *object =
            steer_catalog_get(steer_linker_catalog(stage->linker), STEER_STEERED, name);
        if (object)
            return object;
    }
    script_broken(stage->script, line->number, "give: borders NAME TYPE, of a steered record");
}

// borders NAME TYPE: each border of the geo data's ranges, on both sides, in both families.
void expect_borders(struct stage *stage, const struct line *line)
{
    static const char *const embedding[] = {"::ffff:0:0/96", "64:ff9b::/96", "2002::/16",
                                            "2001::/32"};
    const struct steer_object *steered = record_of(stage, line);
    const struct steer_geo *geo = steer_linker_geo(stage->linker);
    const struct steer_partition *p = steer_geo_partition(geo);
    struct steer_residuals *store = steer_linker_residuals(stage->linker);
    uint32_t count = steer_geo_location_count(geo);
    struct steer_residual **classes = steer_calloc(count, sizeof(struct steer_residual *));
    struct space v4 = {.bits = 32};
    struct space v6 = {.bits = 128};
    for (uint32_t i = 0; i < count; i++)
        classes[i] = steer_residual_resolve(store, steer_linker_catalog(stage->linker), steered,
                                            steer_geo_location(geo, i), NULL);
    fill4(&v4, p, classes);
    fill6(&v6, p, classes);
    const void *class4 = v4.ranges[0].class;
    bool single4 = is_one_class(&v4, class4);
    v4.one_class = v6.one_class = single4 && is_one_class(&v6, class4);
    for (unsigned i = 0; i < STEER_ARRAY_LEN(embedding); i++)
        overlay(&v6, embedding[i], single4 ? class4 : &hole);
    v6.one_class = v4.one_class;
    check_space(stage, line, &v4);
    check_space(stage, line, &v6);
    for (uint32_t i = 0; i < count; i++)
        steer_residual_unref(store, classes[i]);
    free(classes);
    free(v4.ranges);
    free(v6.ranges);
}
