// SPDX-License-Identifier: GPL-3.0-or-later
// Nodes with rules: geo and network.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_internal.h"
#include "steerd/geo/classmap.h"

// What the rules of one node have named so far.
struct matching {
    struct steer_node *node;
    struct steer_child *child; // the rule under way
    struct steer_map seen;     // written form -> index into at
    struct steer_where *at;
    size_t at_count, at_cap;
    struct steer_nested *networks;
    size_t network_count, network_cap;
    struct steer_asn_rule *asns;
    size_t asn_count, asn_cap;
};

struct form {
    const char *of;      // "geo"
    const char *example; // of a match
    const char *one_of;  // one thing of it
    const char *to;      // of a rule's child
    const char *thing;   // that a match lists
    void (*one)(struct steer_parse *p, const struct steer_item *item, const char *text,
                struct matching *m);
};

// Whether the rules name this for the first time.
static void note_once(struct steer_parse *p, const struct steer_item *item, const struct form *form,
                      const char *key, struct matching *m)
{
    uint32_t first;
    if (steer_map_get(&m->seen, key, &first)) {
        const struct steer_where at = m->at[first];
        steer_doc_fail(p, item->at,
                       "%s '%.60s' is in two rules of this %s; the first is at line %u, column %u",
                       form->thing, key, form->of, at.line, at.column);
        return;
    }
    steer_map_put(&m->seen, key, (uint32_t)m->at_count);
    m->at = steer_grow(m->at, &m->at_cap, m->at_count + 1, sizeof *m->at);
    m->at[m->at_count++] = item->at;
}

// ---- places --------------------------------------------------------------------------------------

static const struct form geo_form;

static void match_place(struct steer_parse *p, const struct steer_item *item, const char *text,
                        struct matching *m)
{
    struct steer_diag why;
    struct steer_place place;
    struct steer_prefix prefix;
    char key[16];
    if (steer_prefix_parse(text, &prefix, NULL))
        steer_doc_fail(p, item->at, "'%.60s' is a network; rules of networks stand in a 'network'",
                       text);
    else if (steer_place_parse(text, &place, &why))
        steer_doc_fail(p, item->at, "%s", why.message);
    if (p->err)
        return;
    note_once(p, item, &geo_form, steer_place_format(&place, key, sizeof key), m);
    // The arena's array is as large as the list (match_list).
    struct steer_place *places = (struct steer_place *)(uintptr_t)m->child->places;
    places[m->child->place_count++] = place;
}

static const struct form geo_form = {
    .of = "geo",
    .example = "[EU, NA-US-CA]",
    .one_of = "EU",
    .to = "{pool: eu}",
    .thing = "place",
    .one = match_place,
};

// ---- networks ------------------------------------------------------------------------------------

static bool parse_asn(struct steer_parse *p, const struct steer_item *item, const char *text,
                      struct steer_network_text *network)
{
    const bool prefixed = (text[0] == 'A' || text[0] == 'a') && (text[1] == 'S' || text[1] == 's');
    const char *digits = prefixed ? text + 2 : text;
    const size_t len = strspn(digits, "0123456789");
    if (len == 0 || digits[len])
        return false;
    const unsigned long long asn = len <= 10 ? strtoull(digits, NULL, 10) : UINT64_MAX;
    if (asn == 0 || asn > UINT32_MAX)
        steer_doc_fail(p, item->at, "'%.60s' is not an AS number from AS1 to AS4294967295", text);
    else if (memcmp(text, "AS", 2) != 0 || digits[0] == '0')
        steer_doc_fail(p, item->at, "an AS number is written AS%llu, not '%.60s'", asn, text);
    network->is_asn = true;
    network->asn = (uint32_t)asn;
    return true;
}

bool steer_prefix_in_embedding(const struct steer_prefix *prefix, char instead[64])
{
    struct steer_prefix v4 = {.len = 0};
    unsigned offset;
    if (!steer_addr_embedded_v4(&prefix->addr, &v4.addr, &offset))
        return false;
    const bool teredo = offset == 96 && prefix->addr.octets[0] == 0x20;
    if (prefix->len < (teredo ? 32 : offset))
        return false;
    snprintf(instead, 64, "the IPv4 network, like 192.0.2.0/24");
    if (!teredo) {
        v4.len = (uint8_t)(prefix->len - offset);
        steer_addr_mask(&v4.addr, v4.len);
        steer_prefix_format(&v4, instead, 64);
    }
    return true;
}

// Such a rule would never hold a client.
static void refuse_embedded(struct steer_parse *p, const struct steer_item *item, const char *text,
                            const struct steer_prefix *prefix)
{
    char instead[64];
    if (steer_prefix_in_embedding(prefix, instead))
        steer_doc_fail(p, item->at,
                       "'%.60s' holds IPv4 inside IPv6, which is looked up as IPv4: write %s", text,
                       instead);
}

bool steer_parse_network_text(struct steer_parse *p, const struct steer_item *item,
                              const char *text, struct steer_network_text *network)
{
    bool host_bits = false;
    char right[64];
    *network = (struct steer_network_text){.is_asn = false};
    if (p->err || parse_asn(p, item, text, network))
        return !p->err;
    if (steer_prefix_parse(text, &network->prefix, &host_bits)) {
        refuse_embedded(p, item, text, &network->prefix);
        return !p->err;
    }
    struct steer_diag why;
    struct steer_place place;
    if (host_bits)
        steer_doc_fail(p, item->at, "'%.60s' has bits set beyond its length; the network is %s",
                       text, steer_prefix_format(&network->prefix, right, sizeof right));
    else if (steer_place_parse(text, &place, &why) == STEER_OK)
        steer_doc_fail(p, item->at, "'%.60s' is a place; rules of places stand in a 'geo'", text);
    else
        steer_doc_fail(p, item->at,
                       "'%.60s' is not a network like 192.0.2.0/24, 2001:db8::/32 or AS64500",
                       text);
    return false;
}

static const struct form network_form;

static void match_network(struct steer_parse *p, const struct steer_item *item, const char *text,
                          struct matching *m)
{
    struct steer_network_text network;
    char key[64];
    const uint32_t child = m->node->child_count - 1;
    if (!steer_parse_network_text(p, item, text, &network))
        return;
    if (network.is_asn)
        snprintf(key, sizeof key, "AS%u", network.asn);
    else
        steer_prefix_format(&network.prefix, key, sizeof key);
    note_once(p, item, &network_form, key, m);
    if (network.is_asn) {
        m->asns = steer_grow(m->asns, &m->asn_cap, m->asn_count + 1, sizeof *m->asns);
        m->asns[m->asn_count++] = (struct steer_asn_rule){network.asn, child};
    } else {
        m->networks =
            steer_grow(m->networks, &m->network_cap, m->network_count + 1, sizeof *m->networks);
        m->networks[m->network_count++] = (struct steer_nested){network.prefix, child, 0};
    }
}

static const struct form network_form = {
    .of = "network",
    .example = "[192.0.2.0/24, \"2001:db8::/32\", AS64500]",
    .one_of = "192.0.2.0/24",
    .to = "{pool: office}",
    .thing = "network",
    .one = match_network,
};

// ---- rules ---------------------------------------------------------------------------------------

static void parse_match(struct steer_parse *p, const struct steer_item *item,
                        const struct form *form, struct matching *m)
{
    struct steer_entries entries;
    struct steer_item entry;
    const bool one = json_is_string(item->json);
    if (!one && !steer_doc_list(p, item, form->example))
        return;
    const size_t count = one ? 1 : json_array_size(item->json);
    if (count > UINT16_MAX)
        steer_doc_fail(p, item->at, "more than %d %ss in one rule", UINT16_MAX, form->thing);
    if (form == &geo_form)
        m->child->places = steer_arena_calloc(p->arena, count * sizeof *m->child->places);
    if (one) {
        form->one(p, item, json_string_value(item->json), m);
        return;
    }
    steer_entries_of(p, item, &entries);
    while (!p->err && steer_entries_next(&entries, &entry)) {
        if (json_is_string(entry.json))
            form->one(p, &entry, json_string_value(entry.json), m);
        else
            steer_doc_mismatch(p, &entry, "a string");
    }
}

static void parse_rule(struct steer_parse *p, const struct steer_item *entry,
                       const struct form *form, const struct steer_shape *shape, struct matching *m)
{
    struct steer_item match;
    m->child->at = entry->at;
    m->child->node = steer_parse_entry(p, entry, shape);
    if (!steer_doc_find(p, entry, "match", &match)) {
        steer_doc_fail(p, entry->at, "a rule of '%s' needs 'match', like %s", form->of,
                       form->example);
        return;
    }
    parse_match(p, &match, form, m);
    m->child->fence = steer_doc_bool(p, entry, "fence", false);
}

static void parse_rules(struct steer_parse *p, const struct steer_item *item,
                        const struct steer_item *rules, const struct form *form, struct matching *m)
{
    static const char *const keys[] = {"match", "to", "fence"};
    char what[32], example[160];
    const struct steer_shape shape = {
        .what = what, .example = example, .keys = keys, .key_count = 3};
    struct steer_entries entries;
    struct steer_item entry, otherwise;
    struct steer_node *node = m->node;
    snprintf(what, sizeof what, "a rule of '%s'", form->of);
    snprintf(example, sizeof example, "{match: %s, to: %s}", form->example, form->to);
    struct steer_child *children =
        steer_arena_calloc(p->arena, (json_array_size(rules->json) + 1) * sizeof *children);
    steer_entries_of(p, rules, &entries);
    while (!p->err && steer_entries_next(&entries, &entry)) {
        m->child = &children[node->child_count++];
        parse_rule(p, &entry, form, &shape, m);
    }
    if (steer_doc_find(p, item, "default", &otherwise)) {
        struct steer_child *child = &children[node->child_count++];
        child->is_default = true;
        child->at = otherwise.at;
        child->node = steer_parse_child(p, &otherwise);
    }
    node->children = children;
}

static int by_asn(const void *a, const void *b)
{
    const uint32_t x = ((const struct steer_asn_rule *)a)->asn;
    const uint32_t y = ((const struct steer_asn_rule *)b)->asn;
    return x < y ? -1 : x > y;
}

static void parse_ruled(struct steer_parse *p, const struct steer_item *item,
                        struct steer_node *node, const struct form *form)
{
    static const char *const keys[] = {"rules", "default", STEER_OPTION_KEYS};
    char what[32], example[200];
    const struct steer_shape shape = {
        .what = what, .example = example, .keys = keys, .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_item rules;
    struct matching m = {.node = node};
    snprintf(what, sizeof what, "'%s'", form->of);
    snprintf(example, sizeof example, "{rules: [{match: %s, to: %s}], default: {pool: us}}",
             form->one_of, form->to);
    if (!steer_doc_keys(p, item, &shape))
        return;
    snprintf(example, sizeof example, "[{match: %s, to: %s}]", form->one_of, form->to);
    if (!steer_doc_find(p, item, "rules", &rules)) {
        steer_doc_fail(p, item->key_at, "'%s' needs 'rules', like %s", form->of, example);
        return;
    }
    // No rules beside a default is what a generator writes that has no place or network yet.
    const bool none = json_is_array(rules.json) && !json_array_size(rules.json);
    if (!(none && json_object_get(item->json, "default")) && !steer_doc_list(p, &rules, example))
        return;
    parse_rules(p, item, &rules, form, &m);
    if (m.asn_count)
        qsort(m.asns, m.asn_count, sizeof *m.asns, by_asn);
    node->network_count = (uint32_t)steer_nested_sort(m.networks, m.network_count);
    node->networks = steer_arena_memdup(p->arena, m.networks, m.network_count * sizeof *m.networks);
    node->asn_count = (uint32_t)m.asn_count;
    node->asns = steer_arena_memdup(p->arena, m.asns, m.asn_count * sizeof *m.asns);
    steer_map_fini(&m.seen);
    free(m.at);
    free(m.networks);
    free(m.asns);
}

void steer_parse_geo(struct steer_parse *p, const struct steer_item *item, struct steer_node *node)
{
    parse_ruled(p, item, node, &geo_form);
}

void steer_parse_network(struct steer_parse *p, const struct steer_item *item,
                         struct steer_node *node)
{
    parse_ruled(p, item, node, &network_form);
}
