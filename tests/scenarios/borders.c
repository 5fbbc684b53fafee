// SPDX-License-Identifier: GPL-3.0-or-later
// The scopes of a steered record, judged by a linear evaluator of its own: it resolves the policy for
// an address of each range of the geo data, the policy's networks and the rehearsals', walks them in order, and compares. scope(a) is the least L such
// that all addresses of a/L are in a's class; 0 only where both families are one class, else at least 1.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dialogue.h"
#include "steerd/base/mem.h"
#include "steerd/geo/classmap.h"
#include "steerd/rr/type.h"

__extension__ typedef unsigned __int128 number;

// Addresses first..last are in one class; a hole embeds IPv4 and is none of IPv6's business.
struct range {
    number first, last;
    void *class;
};

struct space {
    unsigned bits;
    struct range *ranges;
    size_t count, cap;
    bool one_class; // in both families
    struct steer_drawing draw;
};

static char hole; // its address is a class of its own

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

static void append(struct space *s, number first, number last, void *class)
{
    if (first > last)
        return;
    s->ranges = steer_grow(s->ranges, &s->cap, s->count + 1, sizeof *s->ranges);
    s->ranges[s->count++] = (struct range){first, last, class};
}

// Cuts the area out of the ranges and puts `class` there.
static void overlay(struct space *s, const char *prefix, void *class)
{
    struct space cut = {.bits = s->bits, .draw = s->draw};
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

// A sticky draw tells networks apart where there is a choice between answers.
static unsigned sticky_scope(const struct space *s, number n, uint16_t type)
{
    const struct steer_addr addr = to_addr(s->bits, n);
    struct steer_prefix network;
    uint8_t scope;
    for (size_t i = 0; s->draw.mode == STEER_DRAW_STICKY && i < s->count; i++) {
        if (n < s->ranges[i].first || n > s->ranges[i].last ||
            !steer_residual_draws(s->ranges[i].class, type))
            continue;
        steer_client_network(&addr, s->draw.v4_bits, s->draw.v6_bits, &network, &scope);
        return scope;
    }
    return 0;
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
    struct steer_addr addr = to_addr(s->bits, n), v4;
    unsigned offset;
    struct line asked = *line;
    if (steer_addr_embedded_v4(&addr, &v4, &offset))
        return; // its scope is that of the IPv4 address, behind the offset
    steer_addr_format(&addr, address, sizeof address);
    // As if the line said: query NAME TYPE ecs ADDRESS
    char ecs[] = "ecs";
    asked.words[asked.count++] = ecs;
    asked.words[asked.count++] = address;
    question_parse(stage, &asked, 1, &q);
    ask(stage, line, &q, &r);
    bool given = r.pkt && knot_pkt_section(r.pkt, KNOT_ANSWER)->count;
    unsigned wanted = given ? judge_scope(s, n) : 0; // negatives: 0
    const unsigned sticky = given ? sticky_scope(s, n, q.type) : 0;
    wanted = sticky > wanted ? sticky : wanted;
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

static number wide(struct steer_u128 u)
{
    return (number)u.hi << 64 | u.lo;
}

// ---- where a class may change --------------------------------------------------------------------

// The first addresses of ranges within which nothing that the policy looks at changes.
struct starts {
    unsigned bits;
    number *items;
    size_t count, cap;
};

static void add_start(struct starts *s, number n)
{
    s->items = steer_grow(s->items, &s->cap, s->count + 1, sizeof *s->items);
    s->items[s->count++] = n;
}

static void add_text(struct starts *s, const char *text)
{
    struct steer_prefix p;
    if (!text || !steer_prefix_parse(text, &p, NULL) || steer_family_bits(p.addr.family) != s->bits)
        return;
    number first = address_of(&p.addr);
    number last = last_of(s->bits, first, p.len);
    add_start(s, first);
    if (last != last_of(s->bits, 0, 0))
        add_start(s, last + 1);
}

static void add_rehearsals(struct starts *s, const struct steer_rehearsals *set)
{
    char text[64];
    for (size_t i = 0; i < steer_rehearsals_count(set); i++) {
        const struct steer_clients *clients = steer_rehearsals_at(set, i)->clients;
        for (uint32_t k = 0; k < clients->count; k++)
            add_text(s, steer_prefix_format(&clients->prefixes[k], text, sizeof text));
    }
}

// Whatever in a definition looks like a network, and the policies and tables that it uses.
static void add_networks(struct starts *s, const struct steer_catalog *catalog, json_t *json)
{
    const char *key;
    json_t *value;
    size_t i;
    add_text(s, json_string_value(json));
    json_array_foreach(json, i, value) add_networks(s, catalog, value);
    json_object_foreach(json, key, value)
    {
        const char *name = json_string_value(value);
        const struct steer_object *policy =
            name && strcmp(key, "use") == 0 ? steer_catalog_get(catalog, STEER_POLICY, name) : NULL;
        const struct steer_object *table = name && strcmp(key, "table") == 0
                                               ? steer_catalog_get(catalog, STEER_LATENCY, name)
                                               : NULL;
        json_t *used = policy  ? json_loads(policy->json, 0, NULL)
                       : table ? json_loads(table->json, 0, NULL)
                               : NULL;
        add_text(s, key);
        if (used)
            add_networks(s, catalog, used);
        json_decref(used);
        add_networks(s, catalog, value);
    }
}

static int by_number(const void *a, const void *b)
{
    number x = *(const number *)a, y = *(const number *)b;
    return x < y ? -1 : x > y;
}

static void find_starts(struct starts *s, const struct steer_partition *geo,
                        const struct steer_catalog *catalog, const struct steer_object *steered)
{
    json_t *definition = json_loads(steered->json, 0, NULL);
    for (size_t i = 0; s->bits == 32 && i < geo->count4; i++)
        add_start(s, geo->start4[i]);
    for (size_t i = 0; s->bits == 128 && i < geo->count6; i++)
        add_start(s, wide(geo->start6[i]));
    add_networks(s, catalog, definition);
    add_rehearsals(s, steer_catalog_rehearsals(catalog));
    json_decref(definition);
    qsort(s->items, s->count, sizeof *s->items, by_number);
}

// The policy, resolved for the first address of each range.
static void fill(struct stage *stage, const struct steer_object *steered, struct space *s)
{
    struct starts starts = {.bits = s->bits};
    const struct steer_geo *geo = steer_linker_geo(stage->linker);
    const struct steer_catalog *catalog = steer_linker_catalog(stage->linker);
    struct steer_residuals *store = steer_linker_residuals(stage->linker);
    find_starts(&starts, steer_geo_partition(geo), catalog, steered);
    for (size_t i = 0; i < starts.count; i++) {
        if (i + 1 < starts.count && starts.items[i + 1] == starts.items[i])
            continue;
        struct steer_prefix self = {to_addr(s->bits, starts.items[i]), (uint8_t)s->bits};
        struct steer_client client = {steer_geo_lookup(geo, &self.addr), &self};
        struct steer_residual *residual =
            steer_residual_resolve(store, catalog, steered, &client, NULL);
        append(s, starts.items[i],
               i + 1 < starts.count ? starts.items[i + 1] - 1 : last_of(s->bits, 0, 0),
               steer_residual_plain(store, residual));
        steer_residual_unref(store, residual);
    }
    free(starts.items);
}

static void release(struct stage *stage, struct space *s)
{
    for (size_t i = 0; i < s->count; i++)
        steer_residual_unref(steer_linker_residuals(stage->linker), s->ranges[i].class);
    free(s->ranges);
}

static const struct steer_object *record_of(const struct stage *stage, const struct line *line)
{
    uint16_t type;
    char name[STEER_NAME_TEXT_MAX + 16];
    if (line->count != 3 || !steer_type_parse(line->words[2], &type))
        script_broken(stage->script, line->number, "give: borders NAME TYPE");
    // A cname answers every type, the other kinds their own.
    const enum steer_steered_kind kinds[] = {steer_steered_of_type(type), STEER_STEERED_CNAME};
    for (unsigned i = 0; i < STEER_ARRAY_LEN(kinds); i++) {
        const char *owner = line->words[1];
        bool absolute = owner[0] && owner[strlen(owner) - 1] == '.';
        snprintf(name, sizeof name, "%s%s %s", owner, absolute ? "" : ".",
                 steer_steered_kind_text(kinds[i]));
        const struct steer_object *object =
            steer_catalog_get(steer_linker_catalog(stage->linker), STEER_STEERED, name);
        if (object)
            return object;
    }
    script_broken(stage->script, line->number, "give: borders NAME TYPE, of a steered record");
}

// borders NAME TYPE: each border of the geo data's ranges and the policy's networks, on both sides, in both
// families.
void expect_borders(struct stage *stage, const struct line *line)
{
    static const char *const embedding[] = {"::ffff:0:0/96", "64:ff9b::/96", "2002::/16",
                                            "2001::/32"};
    const struct steer_object *steered = record_of(stage, line);
    struct space v4 = {.bits = 32, .draw = steered->steered.draw};
    struct space v6 = {.bits = 128, .draw = steered->steered.draw};
    fill(stage, steered, &v4);
    fill(stage, steered, &v6);
    struct space cut = {.bits = 128, .draw = v6.draw};
    for (size_t i = 0; i < v6.count; i++)
        append(&cut, v6.ranges[i].first, v6.ranges[i].last, v6.ranges[i].class);
    void *class4 = v4.ranges[0].class;
    bool single4 = is_one_class(&v4, class4);
    for (unsigned i = 0; i < STEER_ARRAY_LEN(embedding); i++)
        overlay(&cut, embedding[i], single4 ? class4 : &hole);
    v4.one_class = cut.one_class = single4 && is_one_class(&cut, class4);
    check_space(stage, line, &v4);
    check_space(stage, line, &cut);
    free(cut.ranges);
    release(stage, &v4);
    release(stage, &v6);
}
