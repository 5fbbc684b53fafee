// SPDX-License-Identifier: GPL-3.0-or-later
// Rules and one client -> the children whose rules hold it, the most specific first.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resolve_internal.h"

// ---- traces --------------------------------------------------------------------------------------

const char *steer_child_label(const struct steer_child *rule, char *out, size_t size)
{
    if (rule->node->kind == STEER_NODE_ANSWER || !rule->node->name)
        snprintf(out, size, "%s", steer_node_kind_text(rule->node->kind));
    else
        snprintf(out, size, "%s %s", steer_node_kind_text(rule->node->kind), rule->node->name);
    return out;
}

// "EU-DE" for geo, "192.0.2.1 AS64500" for network.
static void client_text(const struct steer_client *client, enum steer_node_kind kind,
                        struct steer_buf *out)
{
    char text[64];
    if (kind == STEER_NODE_GEO) {
        steer_buf_puts(out, steer_place_format(&client->location->place, text, sizeof text));
        return;
    }
    const struct steer_prefix *network = client->network;
    if (network && network->len == steer_family_bits(network->addr.family))
        steer_buf_puts(out, steer_addr_format(&network->addr, text, sizeof text));
    else if (network)
        steer_buf_puts(out, steer_prefix_format(network, text, sizeof text));
    if (client->location->asn)
        steer_buf_printf(out, "%sAS%u", network ? " " : "", client->location->asn);
    else if (!network)
        steer_buf_puts(out, "unknown");
}

static json_t *trace_rules(struct steer_resolver *v, const struct steer_node *node,
                           const struct steer_stand *stand)
{
    if (!v->trace)
        return NULL;
    char path[STEER_PATH_MAX];
    struct steer_buf client = {0};
    client_text(v->client, node->kind, &client);
    json_t *entry = json_pack("{s:s,s:s,s:s,s:[],s:[]}", "node", steer_node_kind_text(node->kind),
                              "at", steer_object_path(stand->owner, path), "client", client.data,
                              "matched", "candidates");
    steer_buf_fini(&client);
    json_array_append_new(v->trace, entry);
    return entry;
}

static void trace_match(json_t *entry, const struct steer_node *node,
                        const struct steer_child *rule, const char *matched, bool repeated)
{
    char label[STEER_PATH_MAX];
    if (!entry)
        return;
    json_t *candidate =
        json_pack("{s:s,s:s,s:b}", node->kind == STEER_NODE_GEO ? "place" : "network", matched,
                  "to", steer_child_label(rule, label, sizeof label), "fence", rule->fence);
    if (repeated)
        json_object_set_new(candidate, "reason", json_string("a candidate already"));
    json_array_append_new(json_object_get(entry, "matched"), json_string(matched));
    json_array_append_new(json_object_get(entry, "candidates"), candidate);
}

// ---- candidates ----------------------------------------------------------------------------------

// A node with rules, on its way to a list.
struct ruled {
    struct steer_resolver *resolver;
    const struct steer_node *node;
    struct steer_stand *stand;
    json_t *trace;
    struct steer_siblings list;
};

static struct ruled begin(struct steer_resolver *v, const struct steer_node *node,
                          struct steer_stand *stand, uint32_t most)
{
    struct ruled r = {.resolver = v, .node = node, .stand = stand};
    stand->depends = true;
    r.trace = trace_rules(v, node, stand);
    steer_siblings_init(&r.list, most);
    return r;
}

// Adds a matching rule's child. Returns false when the list ends here: behind a fence is nothing.
static bool add_candidate(struct ruled *r, const struct steer_child *rule, const char *matched)
{
    struct steer_residual *child = steer_resolve_node(r->resolver, rule->node, r->stand);
    if (rule->fence)
        child = steer_residual_intern(
            r->resolver->store,
            &(struct steer_residual){.kind = STEER_R_FENCE, .child_count = 1, .children = &child});
    bool repeated = false;
    for (uint32_t i = 0; i < r->list.count; i++)
        repeated |= r->list.items[i] == child;
    trace_match(r->trace, r->node, rule, matched, repeated);
    // Where children are counted, each counts.
    const struct steer_minimum *minimum = &r->node->min_available;
    if (repeated && !minimum->percent && minimum->value <= 1)
        steer_residual_unref(r->resolver->store, child);
    else
        r->list.items[r->list.count++] = child;
    return !rule->fence;
}

static void add_default(struct ruled *r)
{
    const struct steer_node *node = r->node;
    if (node->child_count && node->children[node->child_count - 1].is_default)
        add_candidate(r, &node->children[node->child_count - 1], "default");
}

static struct steer_residual *finish(struct ruled *r, enum steer_residual_kind kind)
{
    struct steer_residual *residual =
        steer_resolve_inner(r->resolver, kind, r->node, &r->list, r->stand);
    steer_trace_id(r->trace, residual);
    steer_siblings_fini(&r->list);
    return residual;
}

// ---- geo -----------------------------------------------------------------------------------------

enum { LEVELS = 3 }; // subdivision, country, continent

// Which level a place of a rule is on.
static unsigned level_of(const struct steer_place *place)
{
    return place->subdivision[0] ? 0 : place->country[0] ? 1 : 2;
}

// The place by which a rule holds the client on a level; NULL where it doesn't.
static const struct steer_place *match(const struct steer_child *rule, unsigned level,
                                       const struct steer_place *client)
{
    for (uint16_t i = 0; i < rule->place_count; i++)
        if (level_of(&rule->places[i]) == level && steer_place_matches(&rule->places[i], client))
            return &rule->places[i];
    return NULL;
}

struct steer_residual *steer_resolve_geo(struct steer_resolver *v, const struct steer_node *node,
                                         struct steer_stand *stand)
{
    const struct steer_place *client = &v->client->location->place;
    struct ruled r = begin(v, node, stand, node->child_count * LEVELS + 1);
    bool open = true;
    char text[16];
    for (unsigned level = 0; level < LEVELS && open; level++) {
        for (uint32_t i = 0; i < node->child_count && open; i++) {
            const struct steer_place *matched = match(&node->children[i], level, client);
            if (matched)
                open = add_candidate(&r, &node->children[i],
                                     steer_place_format(matched, text, sizeof text));
        }
    }
    if (open)
        add_default(&r);
    return finish(&r, STEER_R_GEO);
}

// ---- network -------------------------------------------------------------------------------------

static const struct steer_asn_rule *asn_rule(const struct steer_node *node, uint32_t asn)
{
    uint32_t low = 0;
    uint32_t high = node->asn_count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (node->asns[mid].asn == asn)
            return &node->asns[mid];
        if (node->asns[mid].asn < asn)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

// A client is in one CIDR of each length at most.
struct steer_residual *steer_resolve_network(struct steer_resolver *v,
                                             const struct steer_node *node,
                                             struct steer_stand *stand)
{
    enum { LENGTHS = 129 };
    struct ruled r = begin(v, node, stand, LENGTHS + 2);
    char text[64];
    bool open = true;
    uint32_t at = v->client->network
                      ? steer_nested_find(node->networks, node->network_count, v->client->network)
                      : STEER_NESTED_NONE;
    for (; at != STEER_NESTED_NONE && open; at = node->networks[at].parent)
        open = add_candidate(&r, &node->children[node->networks[at].value],
                             steer_prefix_format(&node->networks[at].prefix, text, sizeof text));
    const struct steer_asn_rule *asn = open ? asn_rule(node, v->client->location->asn) : NULL;
    if (asn) {
        snprintf(text, sizeof text, "AS%u", asn->asn);
        open = add_candidate(&r, &node->children[asn->child], text);
    }
    if (open)
        add_default(&r);
    return finish(&r, STEER_R_NETWORK);
}
