// SPDX-License-Identifier: GPL-3.0-or-later
// Trees of nodes, and the steered record around one.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_internal.h"
#include "steerd/wire/message.h"

#define NODE_KINDS                                                                                 \
    "endpoint, pool, use, answer, weighted, failover, geo, network, nearest, latency or switch"

const struct steer_node *steer_parse_child(struct steer_parse *p, const struct steer_item *item)
{
    struct steer_node *node = steer_arena_calloc(p->arena, sizeof *node);
    steer_parse_node(p, item, node);
    return node;
}

bool steer_parse_among(struct steer_parse *p, const struct steer_item *item, const char *example,
                       struct steer_item *list)
{
    static const char *const keys[] = {"among", STEER_OPTION_KEYS};
    char what[32];
    const struct steer_shape shape = {
        .what = what, .example = example, .keys = keys, .key_count = STEER_ARRAY_LEN(keys)};
    *list = *item;
    if (!json_object_get(item->json, "among"))
        return steer_doc_list(p, item, example);
    snprintf(what, sizeof what, "'%.20s'", item->key);
    return steer_doc_keys(p, item, &shape) && steer_doc_find(p, item, "among", list) &&
           steer_doc_list(p, list, example);
}

// ---- kinds ---------------------------------------------------------------------------------------

static void parse_reference(struct steer_parse *p, const struct steer_item *item,
                            struct steer_node *node)
{
    node->name = steer_value_name(p, item);
}

static void parse_answer(struct steer_parse *p, const struct steer_item *item,
                         struct steer_node *node)
{
    struct steer_entries entries;
    struct steer_item entry;
    if (json_is_object(item->json) && json_object_size(item->json) == 0)
        return; // NODATA for whoever comes here, and so for `allow_negative` to permit
    if (!steer_doc_mapping(p, item, "{A: [192.0.2.80], AAAA: [\"2001:db8::80\"]}"))
        return;
    struct steer_fixed *fixed =
        steer_arena_calloc(p->arena, json_object_size(item->json) * sizeof *fixed);
    steer_entries_of(p, item, &entries);
    while (!p->err && steer_entries_next(&entries, &entry)) {
        uint16_t type = 0;
        if (!steer_parse_type(p, &entry, &type))
            steer_doc_fail(p, entry.key_at, "'%.60s' is not a record type like A, AAAA or TXT",
                           entry.key);
        if (type == STEER_TYPE_SOA || type == STEER_TYPE_NS)
            steer_doc_fail(p, entry.key_at, "%s cannot be steered", entry.key);
        for (uint32_t i = 0; i < node->fixed_count; i++)
            if (fixed[i].type == type)
                steer_doc_fail(p, entry.key_at, "type '%s' is given twice in one answer",
                               entry.key);
        steer_parse_rrset(p, &entry, type, &fixed[node->fixed_count++]);
    }
    node->fixed = fixed;
}

static void parse_weighted(struct steer_parse *p, const struct steer_item *item,
                           struct steer_node *node)
{
    static const char *const keys[] = {"weight", "to"};
    static const struct steer_shape shape = {.what = "an entry of 'weighted'",
                                             .example = "{weight: 90, to: {pool: eu}}",
                                             .keys = keys,
                                             .key_count = 2};
    struct steer_entries entries;
    struct steer_item list, entry, weight;
    uint64_t total = 0;
    if (!steer_parse_among(p, item, "[{weight: 90, to: {pool: eu}}, {weight: 10, to: {pool: us}}]",
                           &list))
        return;
    struct steer_child *children =
        steer_arena_calloc(p->arena, json_array_size(list.json) * sizeof *children);
    steer_entries_of(p, &list, &entries);
    while (!p->err && steer_entries_next(&entries, &entry)) {
        struct steer_child *child = &children[node->child_count++];
        child->at = entry.at;
        child->node = steer_parse_entry(p, &entry, &shape);
        if (!steer_doc_find(p, &entry, "weight", &weight))
            steer_doc_fail(p, entry.at, "an entry of 'weighted' needs 'weight', from 0 to %d",
                           STEER_WEIGHT_MAX);
        else
            child->weight = (uint16_t)steer_value_uint(p, &weight, 0, STEER_WEIGHT_MAX);
        total += child->weight;
    }
    if (total == 0)
        steer_doc_warn(p, item->at, "all weights are 0: each child is as likely as the others");
    node->children = children;
}

static void parse_failover(struct steer_parse *p, const struct steer_item *item,
                           struct steer_node *node)
{
    struct steer_entries entries;
    struct steer_item list, entry;
    if (!steer_parse_among(p, item, "[{pool: eu}, {pool: us}]", &list))
        return;
    struct steer_child *children =
        steer_arena_calloc(p->arena, json_array_size(list.json) * sizeof *children);
    steer_entries_of(p, &list, &entries);
    while (!p->err && steer_entries_next(&entries, &entry)) {
        struct steer_child *child = &children[node->child_count++];
        child->at = entry.at;
        child->node = steer_parse_child(p, &entry);
    }
    node->children = children;
}

// ---- options -------------------------------------------------------------------------------------

static void parse_when(struct steer_parse *p, const struct steer_item *item,
                       struct steer_node *node)
{
    const char *word = json_string_value(item->json);
    if (json_is_object(item->json)) {
        node->when = STEER_WHEN_SUBSTITUTE;
        node->substitute = steer_parse_child(p, item);
    } else if (word && strcmp(word, "serve_all") == 0) {
        node->when = STEER_WHEN_SERVE_ALL;
    } else if (word && strcmp(word, "serve_none") == 0) {
        node->when = STEER_WHEN_SERVE_NONE;
    } else {
        steer_doc_fail(
            p, item->at,
            "'when_unavailable' must be serve_all, serve_none or a node like {pool: eu}");
    }
}

// A count that some clients, or all, cannot reach.
static void warn_minimum(struct steer_parse *p, const struct steer_item *option,
                         const struct steer_node *node)
{
    const struct steer_minimum *min = &node->min_available;
    const bool ruled = node->kind == STEER_NODE_GEO || node->kind == STEER_NODE_NETWORK;
    if (min->percent)
        return;
    if (min->value > node->child_count)
        steer_doc_warn(p, option->at, "this node has %u members, so that it is never available",
                       node->child_count);
    else if (ruled && min->value > 1)
        steer_doc_warn(p, option->at,
                       "for clients whom fewer rules match this node is never available; a "
                       "percentage counts the rules that match");
}

static bool find_option(struct steer_parse *p, const struct steer_item *item,
                        const struct steer_item *value, const char *key, struct steer_item *option)
{
    struct steer_item inner;
    const bool beside = steer_doc_find(p, item, key, option);
    if (!json_is_object(value->json) || !steer_doc_find(p, value, key, &inner))
        return beside;
    if (beside)
        steer_doc_fail(p, inner.key_at, "'%s' is given twice, here and beside '%s'", key,
                       value->key);
    *option = inner;
    return !p->err;
}

// item: the node; value: at its kind.
static void parse_options(struct steer_parse *p, const struct steer_item *item,
                          const struct steer_item *value, struct steer_node *node)
{
    struct steer_item option;
    const bool pool = node->kind == STEER_NODE_POOL;
    node->min_available = (struct steer_minimum){.value = pool ? 0 : 1};
    if (find_option(p, item, value, "min_available", &option)) {
        if (node->kind == STEER_NODE_SWITCH)
            steer_doc_fail(p, option.key_at,
                           "'min_available' says nothing here: a switch gives one child");
        else if (node->child_count == 0 && !pool)
            steer_doc_fail(p, option.key_at,
                           "'min_available' goes only with pools and nodes that have children");
        node->min_available = steer_value_minimum(p, &option);
        if (!pool)
            warn_minimum(p, &option, node);
    }
    if (find_option(p, item, value, "when_unavailable", &option)) {
        if (node->kind == STEER_NODE_ANSWER)
            steer_doc_fail(p, option.key_at,
                           "'when_unavailable' says nothing here: an answer is "
                           "always available");
        parse_when(p, &option, node);
    }
    if (find_option(p, item, value, "trickle", &option)) {
        if (node->kind != STEER_NODE_FAILOVER)
            steer_doc_fail(p, option.key_at, "'trickle' goes only with failover");
        node->trickle_ppm = steer_value_percent(p, &option);
    }
    if (find_option(p, item, value, "failback", &option)) {
        const char *word = json_string_value(option.json);
        if (node->kind != STEER_NODE_FAILOVER)
            steer_doc_fail(p, option.key_at, "'failback' goes only with failover");
        if ((word && strcmp(word, "manual") == 0) || json_is_object(option.json))
            steer_doc_fail(p, option.at,
                           "failback other than 'auto' is not supported by this version");
        if (!word || strcmp(word, "auto") != 0)
            steer_doc_fail(p, option.at, "'failback' must be auto");
    }
}

// ---- nodes ---------------------------------------------------------------------------------------

static const struct {
    const char *key;
    enum steer_node_kind kind;
    void (*parse)(struct steer_parse *p, const struct steer_item *item, struct steer_node *node);
} node_kinds[] = {
    {"endpoint", STEER_NODE_ENDPOINT, parse_reference},
    {"pool", STEER_NODE_POOL, parse_reference},
    {"use", STEER_NODE_USE, parse_reference},
    {"answer", STEER_NODE_ANSWER, parse_answer},
    {"weighted", STEER_NODE_WEIGHTED, parse_weighted},
    {"failover", STEER_NODE_FAILOVER, parse_failover},
    {"geo", STEER_NODE_GEO, steer_parse_geo},
    {"network", STEER_NODE_NETWORK, steer_parse_network},
    {"nearest", STEER_NODE_NEAREST, steer_parse_nearest},
    {"latency", STEER_NODE_LATENCY, steer_parse_latency},
    {"switch", STEER_NODE_SWITCH, steer_parse_switch_node},
};

// Gives the value of the node's kind.
static struct steer_item parse_kind(struct steer_parse *p, const struct steer_item *item,
                                    struct steer_node *node)
{
    struct steer_item first = {0}, value;
    size_t found = 0;
    for (size_t i = 0; i < STEER_ARRAY_LEN(node_kinds); i++) {
        if (!steer_doc_find(p, item, node_kinds[i].key, &value))
            continue;
        if (first.key)
            steer_doc_fail(p, value.key_at,
                           "a node has one kind, and this one has '%s' and '%s'; nest them in "
                           "weighted, failover or geo",
                           first.key, value.key);
        first = value;
        found = i;
    }
    if (!first.key)
        steer_doc_fail(p, item->at, "a node needs a kind: one of " NODE_KINDS);
    if (p->err)
        return first;
    node->kind = node_kinds[found].kind;
    // A leaf's place is its name, so that "not defined" points at the word that is wrong.
    if (json_is_string(first.json))
        node->at = first.at;
    node_kinds[found].parse(p, &first, node);
    return first;
}

bool steer_node_key(const char *key)
{
    static const char *const options[] = {STEER_OPTION_KEYS};
    for (size_t i = 0; i < STEER_ARRAY_LEN(node_kinds); i++)
        if (strcmp(key, node_kinds[i].key) == 0)
            return true;
    for (size_t i = 0; i < STEER_ARRAY_LEN(options); i++)
        if (strcmp(key, options[i]) == 0)
            return true;
    return false;
}

static bool has_kind(const struct steer_item *item)
{
    for (size_t i = 0; i < STEER_ARRAY_LEN(node_kinds); i++)
        if (json_object_get(item->json, node_kinds[i].key))
            return true;
    return false;
}

// Keys that people put into a node, and where they stand instead.
static void refuse_slips(struct steer_parse *p, const struct steer_item *item)
{
    static const char *const slips[][2] = {
        {"draw", "'draw' is of the record: write it beside 'steer'"},
        {"sticky",
         "'sticky' is a way to draw, of the record: write draw: {sticky: {v4: 24, v6: 56}} "
         "beside 'steer'"},
        {"coherent",
         "'coherent' is a way to draw, of the record: write draw: coherent beside 'steer'"},
        {"ttl", "'ttl' is of the record, beside 'steer'; that of an endpoint is its 'ttl_cap'"},
        {"policy", "a named policy is written {use: NAME}"},
        {"steer", "'steer' is of a record; a policy is the node itself, like {failover: [...]}"},
        {"substitute", "the substitute is the node itself: when_unavailable: {pool: us}"},
    };
    struct steer_item slip;
    for (size_t i = 0; i < STEER_ARRAY_LEN(slips); i++)
        if (steer_doc_find(p, item, slips[i][0], &slip))
            steer_doc_fail(p, slip.key_at, "%s", slips[i][1]);
}

// beside: keys of the entry that the node is, or NULL.
static void parse_node(struct steer_parse *p, const struct steer_item *item,
                       const struct steer_shape *beside, struct steer_node *node)
{
    static const char *const own[] = {"endpoint", "pool",     "use",    "answer",
                                      "weighted", "failover", "geo",    "network",
                                      "nearest",  "latency",  "switch", STEER_OPTION_KEYS};
    static const char *const later[] = {"ramp"};
    enum { BESIDE_MAX = 4 };
    const char *keys[STEER_ARRAY_LEN(own) + BESIDE_MAX];
    struct steer_shape shape = {.what = beside ? beside->what : "a node",
                                .example = beside ? beside->example : "{pool: eu}",
                                .keys = keys,
                                .key_count = STEER_ARRAY_LEN(own),
                                .later = later,
                                .later_count = STEER_ARRAY_LEN(later)};
    memcpy(keys, own, sizeof own);
    for (size_t i = 0; beside && i < beside->key_count; i++)
        keys[shape.key_count++] = beside->keys[i];
    node->at = item->at;
    if (p->err)
        return;
    if (json_is_string(item->json)) {
        const char *name = json_string_value(item->json);
        steer_doc_fail(p, item->at,
                       "a node must be a mapping: write {pool: %.63s} or {endpoint: %.63s}", name,
                       name);
    }
    if (p->depth == STEER_DEPTH_MAX)
        steer_doc_fail(p, item->at, "nodes nest deeper than %d", STEER_DEPTH_MAX);
    refuse_slips(p, item);
    if (!steer_doc_keys(p, item, &shape))
        return;
    p->depth++;
    const struct steer_item value = parse_kind(p, item, node);
    parse_options(p, item, &value, node);
    p->depth--;
}

void steer_parse_node(struct steer_parse *p, const struct steer_item *item, struct steer_node *node)
{
    parse_node(p, item, NULL, node);
}

const struct steer_node *steer_parse_entry(struct steer_parse *p, const struct steer_item *entry,
                                           const struct steer_shape *shape)
{
    struct steer_node *node = steer_arena_calloc(p->arena, sizeof *node);
    struct steer_item to;
    if (has_kind(entry) && !json_object_get(entry->json, "to"))
        parse_node(p, entry, shape, node);
    else if (!steer_doc_keys(p, entry, shape))
        return node;
    else if (steer_doc_find(p, entry, "to", &to))
        parse_node(p, &to, NULL, node);
    else
        steer_doc_fail(p, entry->at, "%s needs 'to', like {pool: eu}", shape->what);
    return node;
}

// ---- steered records -----------------------------------------------------------------------------

// A geo or network without default may give a negative answer; where that was allowed it is worth a word.
static void warn_negative(struct steer_parse *p, const struct steer_node *node)
{
    bool covered = node->kind != STEER_NODE_GEO && node->kind != STEER_NODE_NETWORK;
    for (uint32_t i = 0; i < node->child_count; i++) {
        covered = covered || node->children[i].is_default;
        warn_negative(p, node->children[i].node);
    }
    if (node->substitute)
        warn_negative(p, node->substitute);
    if (!covered)
        steer_doc_warn(p, node->at,
                       "this %s has no default: clients elsewhere get an empty answer, "
                       "which resolvers keep for all their clients",
                       steer_node_kind_text(node->kind));
}

bool steer_steered_name(const struct steer_name *owner, unsigned kind,
                        char out[STEER_STEERED_NAME_MAX])
{
    char text[STEER_NAME_TEXT_MAX];
    if (kind >= STEER_STEERED_KINDS)
        return false;
    snprintf(out, STEER_STEERED_NAME_MAX, "%s %s", steer_name_format(owner->octets, text),
             steer_steered_words[kind]);
    return true;
}

struct steer_object *steer_parse_steered(struct steer_parse *p,
                                         const struct steer_steered_head *head,
                                         const struct steer_item *tree)
{
    if (p->err)
        return NULL;
    struct steer_object *object = steer_object_create(STEER_STEERED);
    struct steer_node *root = steer_arena_calloc(&object->arena, sizeof *root);
    p->arena = &object->arena;
    steer_parse_node(p, tree, root);
    p->arena = NULL;
    if (p->err) {
        steer_object_unref(object);
        return NULL;
    }
    if (head->allow_negative)
        warn_negative(p, root);
    object->steered = (struct steer_steered){
        .zone = *p->origin,
        .owner = head->owner,
        .kind = head->kind,
        .ttl_s = head->ttl_s,
        .allow_negative = head->allow_negative,
        .draw = head->draw,
        .tree = root,
    };
    char name[STEER_STEERED_NAME_MAX];
    (void)steer_steered_name(&head->owner, head->kind, name);
    json_t *steer = json_deep_copy(tree->json);
    json_t *definition =
        json_pack("{s:b, s:s, s:I, s:o}", "allow_negative", head->allow_negative, "kind",
                  steer_steered_words[head->kind], "ttl", (json_int_t)head->ttl_s, "steer", steer);
    json_t *draw = steer_draw_json(&head->draw);
    if (draw)
        json_object_set_new(definition, "draw", draw);
    steer_object_seal(object, name, definition, p, head->at);
    json_decref(definition);
    return object;
}
