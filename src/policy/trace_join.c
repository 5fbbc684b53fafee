// SPDX-License-Identifier: GPL-3.0-or-later
// Two traces become one: which rule and which policy led to each node that was evaluated.
#include <string.h>

#include "decide_internal.h"

void steer_trace_id(json_t *entry, const struct steer_residual *residual)
{
    if (entry)
        json_object_set_new(entry, "id", json_integer((json_int_t)(residual->hash >> 1)));
}

static bool same(const json_t *a, const json_t *b, const char *key)
{
    const json_t *x = json_object_get(a, key);
    return x && json_equal(x, json_object_get(b, key));
}

static bool is_use(const json_t *entry)
{
    const char *node = json_string_value(json_object_get(entry, "node"));
    return node && strcmp(node, "use") == 0;
}

// The one entry that led to the node: of `use`, or of a node of its own kind. NULL where there are several that differ.
static const json_t *origin_of(const json_t *resolution, const json_t *node, bool use)
{
    const char *key = use ? "name" : "candidates";
    const json_t *entry, *found = NULL;
    size_t i;
    json_array_foreach(resolution, i, entry)
    {
        if (!same(entry, node, "id") || is_use(entry) != use ||
            (!use && !same(entry, node, "node")))
            continue;
        if (found && !same(found, entry, key))
            return NULL;
        found = entry;
    }
    return found;
}

// A rule that led to what an earlier one had led to has no candidate of its own.
static size_t count_own(const json_t *matched)
{
    size_t i, count = 0;
    const json_t *rule;
    json_array_foreach(matched, i, rule) count += !json_object_get(rule, "reason");
    return count;
}

static void name_rules(const json_t *entry, const json_t *node)
{
    const json_t *matched = json_object_get(entry, "candidates"), *rule;
    const json_t *candidates = json_object_get(node, "candidates");
    size_t i, at = 0;
    if (!candidates || count_own(matched) != json_array_size(candidates))
        return;
    json_array_foreach(matched, i, rule)
    {
        json_t *text = json_object_get(rule, "place");
        text = text ? text : json_object_get(rule, "network");
        if (text && !json_object_get(rule, "reason"))
            json_object_set(json_array_get(candidates, at++), "for", text);
    }
}

static void join_node(const json_t *resolution, json_t *node)
{
    static const char *const below[] = {"substitute", "with_checks_up", "child"};
    const json_t *use, *rules;
    json_t *candidate;
    size_t i;
    if (!node)
        return;
    if ((use = origin_of(resolution, node, true)))
        json_object_set(node, "policy", json_object_get(use, "name"));
    if ((rules = origin_of(resolution, node, false)))
        name_rules(rules, node);
    json_object_del(node, "id");
    json_array_foreach(json_object_get(node, "candidates"), i, candidate)
        join_node(resolution, json_object_get(candidate, "child"));
    for (i = 0; i < STEER_ARRAY_LEN(below); i++)
        join_node(resolution, json_object_get(node, below[i]));
}

void steer_trace_join(json_t *resolution, json_t *decision)
{
    json_t *entry;
    size_t i;
    join_node(resolution, decision);
    json_array_foreach(resolution, i, entry) json_object_del(entry, "id");
}
