// SPDX-License-Identifier: GPL-3.0-or-later
// octoDNS takes the first rule that matches, we the most specific place or network: rules in an order in which
// both are the same.
#include <stdlib.h>
#include <string.h>

#include "octodns_internal.h"

struct octodns_out *octodns_add_rule(struct octodns_ruleset *set)
{
    set->rules = steer_grow(set->rules, &set->cap, set->count + 1, sizeof *set->rules);
    struct octodns_out *rule = &set->rules[set->count++];
    *rule = (struct octodns_out){.geos = json_array(), .subnets = json_array()};
    return rule;
}

bool octodns_geo_covers(const char *broad, const char *geo)
{
    size_t len = strlen(broad);
    return strncmp(broad, geo, len) == 0 && (geo[len] == '-' || !geo[len]);
}

bool octodns_subnet_covers(const char *broad, const char *subnet)
{
    struct steer_prefix a, b;
    return steer_prefix_parse(broad, &a, NULL) && steer_prefix_parse(subnet, &b, NULL) &&
           a.len <= b.len && steer_prefix_contains(&a, &b.addr);
}

static bool any_covers(const json_t *broad, const json_t *narrow,
                       bool (*covers)(const char *broad, const char *narrow))
{
    size_t a, b;
    const json_t *x, *y;
    json_array_foreach(broad, a, x) json_array_foreach(
        narrow, b, y) if (covers(json_string_value(x), json_string_value(y))) return true;
    return false;
}

// Whether the first match is the most specific one, as octoDNS wants it.
static bool is_ordered(const struct octodns_out *rules, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = i + 1; k < count; k++)
            if (any_covers(rules[i].geos, rules[k].geos, octodns_geo_covers) ||
                any_covers(rules[i].subnets, rules[k].subnets, octodns_subnet_covers))
                return false;
    return true;
}

static bool same_chain(const struct octodns_chain *a, const struct octodns_chain *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = a->steps[i]->kind == b->steps[i]->kind &&
               strcmp(a->steps[i]->name, b->steps[i]->name) == 0;
    return same;
}

// A rule for networks and one for places that lead to the same pools are one rule of octoDNS, which stands
// between those that have only networks and those that have only places.
static void pair_rules(struct octodns_ruleset *set)
{
    struct octodns_out *paired = steer_calloc(set->count, sizeof *paired);
    bool *gone = steer_calloc(set->count, sizeof *gone);
    size_t count = 0;
    for (size_t g = set->networks; g < set->count; g++) {
        for (size_t n = 0; n < set->networks && !gone[g]; n++) {
            if (gone[n] || !same_chain(&set->rules[n].chain, &set->rules[g].chain))
                continue;
            gone[n] = gone[g] = true;
            paired[count] = set->rules[g];
            paired[count++].subnets = set->rules[n].subnets;
        }
    }
    struct octodns_out *all = steer_calloc(set->count, sizeof *all);
    size_t total = 0;
    for (size_t n = 0; n < set->networks; n++)
        if (!gone[n])
            all[total++] = set->rules[n];
    for (size_t i = 0; i < count; i++)
        all[total++] = paired[i];
    for (size_t g = set->networks; g < set->count; g++)
        if (!gone[g])
            all[total++] = set->rules[g];
    bool ordered = is_ordered(all, total);
    for (size_t n = 0; ordered && n < set->networks; n++)
        if (gone[n]) // its empty list of places
            json_decref(set->rules[n].geos);
    for (size_t g = set->networks; ordered && g < set->count; g++)
        if (gone[g])
            json_decref(set->rules[g].subnets);
    if (ordered && total) {
        memcpy(set->rules, all, total * sizeof *all);
        set->count = total;
    }
    free(paired);
    free(gone);
    free(all);
}

// The lower the narrower; what is equal does not cover one another.
static unsigned breadth_of(const char *text, bool geo)
{
    struct steer_prefix prefix;
    if (geo)
        return strlen(text) <= 2 ? 2 : strlen(text) <= 5 ? 1 : 0;
    return steer_prefix_parse(text, &prefix, NULL) ? 128u - prefix.len : 0;
}

static void take_breadth(struct octodns_ruleset *set, const struct octodns_out *from, bool geo,
                         unsigned breadth)
{
    size_t k;
    const json_t *target;
    struct octodns_out *rule = NULL;
    json_array_foreach(geo ? from->geos : from->subnets, k, target)
    {
        if (breadth_of(json_string_value(target), geo) != breadth)
            continue;
        rule = rule ? rule : octodns_add_rule(set);
        rule->chain = from->chain;
        json_array_append_new(geo ? rule->geos : rule->subnets,
                              json_string(json_string_value(target)));
    }
}

static void rules_free(struct octodns_out *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_decref(rules[i].geos);
        json_decref(rules[i].subnets);
    }
    free(rules);
}

// One rule for each breadth and target, the narrowest first, networks before places.
static void split_rules(struct octodns_ruleset *set)
{
    struct octodns_out *old = set->rules;
    size_t count = set->count;
    set->rules = NULL;
    set->count = set->cap = 0;
    for (int geo = 0; geo < 2; geo++)
        for (unsigned breadth = 0; breadth <= 128; breadth++)
            for (size_t i = 0; i < count; i++)
                take_breadth(set, &old[i], geo, breadth);
    rules_free(old, count);
}

void octodns_order_rules(struct octodns_ruleset *set)
{
    pair_rules(set);
    if (!is_ordered(set->rules, set->count))
        split_rules(set);
}

void octodns_ruleset_fini(struct octodns_ruleset *set)
{
    rules_free(set->rules, set->count);
}
