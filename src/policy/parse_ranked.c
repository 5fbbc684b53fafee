// SPDX-License-Identifier: GPL-3.0-or-later
// Nodes that rank their children: nearest.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_internal.h"

enum { BIAS_MAX = 99 };

// `bias` beside a node's own keys is an easy slip.
static void refuse_beside(struct steer_parse *p, const struct steer_item *entry, const char *key)
{
    struct steer_item at;
    if (steer_doc_find(p, entry, key, &at))
        steer_doc_fail(p, at.key_at, "'%s' stands beside 'to': write {to: {pool: eu}, %s: %s}", key,
                       key, strcmp(key, "bias") == 0 ? "10" : "fra");
}

static int8_t parse_bias(struct steer_parse *p, const struct steer_item *entry)
{
    struct steer_item item;
    if (!steer_doc_find(p, entry, "bias", &item))
        return 0;
    const json_int_t value = json_integer_value(item.json);
    if (!json_is_integer(item.json))
        steer_doc_mismatch(p, &item, "a whole number from -99 to 99");
    else if (value < -BIAS_MAX || value > BIAS_MAX)
        steer_doc_fail(p, item.at, "'bias' must be a whole number from -99 to 99, not %lld",
                       (long long)value);
    return p->err ? 0 : (int8_t)value;
}

// {pool: eu}, or {to: {pool: eu}, bias: 10, site: fra}.
static void parse_entry(struct steer_parse *p, const struct steer_item *entry,
                        struct steer_child *child)
{
    static const char *const keys[] = {"to", "bias", "site"};
    static const struct steer_shape shape = {.what = "a child of 'nearest'",
                                             .example = "{to: {pool: eu}, bias: 10}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_item to, site;
    child->at = entry->at;
    if (!steer_doc_find(p, entry, "to", &to)) {
        refuse_beside(p, entry, "bias");
        refuse_beside(p, entry, "site");
        child->node = steer_parse_child(p, entry);
        return;
    }
    if (!steer_doc_keys(p, entry, &shape))
        return;
    child->bias = parse_bias(p, entry);
    if (steer_doc_find(p, entry, "site", &site))
        child->site = steer_value_name(p, &site);
    child->node = steer_parse_child(p, &to);
}

static void parse_among(struct steer_parse *p, const struct steer_item *list,
                        struct steer_node *node)
{
    struct steer_entries entries;
    struct steer_item entry;
    if (!steer_doc_list(p, list, "[{pool: eu}, {pool: us}]"))
        return;
    struct steer_child *children =
        steer_arena_calloc(p->arena, json_array_size(list->json) * sizeof *children);
    steer_entries_of(p, list, &entries);
    while (!p->err && steer_entries_next(&entries, &entry))
        parse_entry(p, &entry, &children[node->child_count++]);
    node->children = children;
}

void steer_parse_nearest(struct steer_parse *p, const struct steer_item *item,
                         struct steer_node *node)
{
    static const char *const keys[] = {"among"};
    static const struct steer_shape shape = {.what = "'nearest'",
                                             .example = "{among: [{pool: eu}, {pool: us}]}",
                                             .keys = keys,
                                             .key_count = 1};
    struct steer_item among;
    if (!json_is_object(item->json)) {
        parse_among(p, item, node);
        return;
    }
    if (!steer_doc_keys(p, item, &shape))
        return;
    if (steer_doc_find(p, item, "among", &among))
        parse_among(p, &among, node);
    else
        steer_doc_fail(p, item->key_at, "'nearest' needs 'among', like [{pool: eu}, {pool: us}]");
}
