// SPDX-License-Identifier: GPL-3.0-or-later
// Nodes that rank their children: nearest and latency.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_internal.h"

enum { BIAS_MAX = 99 };

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

// {pool: eu}, or {pool: eu, bias: 10, site: fra}, or these with the node at `to`; latency has no bias.
static void parse_entry(struct steer_parse *p, const struct steer_item *entry, bool nearest,
                        struct steer_child *child)
{
    static const char *const keys[] = {"to", "site", "bias"};
    const struct steer_shape shape = {
        .what = nearest ? "a child of 'nearest'" : "a child of 'latency'",
        .example = nearest ? "{to: {pool: eu}, bias: 10}" : "{to: {pool: eu}, site: fra}",
        .keys = keys,
        .key_count = nearest ? 3 : 2};
    struct steer_item site;
    child->at = entry->at;
    child->node = json_is_string(entry->json) ? steer_parse_child(p, entry)
                                              : steer_parse_entry(p, entry, &shape);
    child->bias = nearest ? parse_bias(p, entry) : 0;
    if (steer_doc_find(p, entry, "site", &site))
        child->site = steer_value_name(p, &site);
}

static void parse_among(struct steer_parse *p, const struct steer_item *list, bool nearest,
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
        parse_entry(p, &entry, nearest, &children[node->child_count++]);
    node->children = children;
}

static void parse_ranked(struct steer_parse *p, const struct steer_item *item, bool nearest,
                         struct steer_node *node)
{
    static const char *const keys[] = {"among", STEER_OPTION_KEYS, "table"};
    const char *kind = nearest ? "nearest" : "latency";
    const struct steer_shape shape = {
        .what = nearest ? "'nearest'" : "'latency'",
        .example = nearest ? "{among: [{pool: eu}, {pool: us}]}"
                           : "{table: world, among: [{pool: eu}, {pool: us}]}",
        .keys = keys,
        .key_count = STEER_ARRAY_LEN(keys) - nearest};
    struct steer_item among, table;
    if (!json_is_object(item->json)) {
        parse_among(p, item, nearest, node);
        return;
    }
    if (!steer_doc_keys(p, item, &shape))
        return;
    if (steer_doc_find(p, item, "table", &table)) {
        node->name = steer_value_name(p, &table);
        node->at = table.at;
    }
    if (steer_doc_find(p, item, "among", &among))
        parse_among(p, &among, nearest, node);
    else
        steer_doc_fail(p, item->key_at, "'%s' needs 'among', like [{pool: eu}, {pool: us}]", kind);
}

void steer_parse_nearest(struct steer_parse *p, const struct steer_item *item,
                         struct steer_node *node)
{
    parse_ranked(p, item, true, node);
}

void steer_parse_latency(struct steer_parse *p, const struct steer_item *item,
                         struct steer_node *node)
{
    parse_ranked(p, item, false, node);
}

// ---- latency tables ------------------------------------------------------------------------------

struct rows {
    struct steer_latency_row *items;
    size_t count, cap;
    struct steer_map seen; // clients as they are written properly
};

// The clients of a row: a place, a CIDR or an AS number.
static void parse_clients(struct steer_parse *p, const struct steer_item *entry,
                          struct steer_latency_row *row, struct rows *rows)
{
    struct steer_network_text network;
    struct steer_diag why;
    const struct steer_item key = {.json = entry->json, .at = entry->key_at};
    const char *text = entry->key;
    char proper[64];
    const bool asn = strncmp(text, "AS", 2) == 0 && text[2] >= '0' && text[2] <= '9';
    if (steer_place_parse(text, &row->place, &why) == STEER_OK) {
        row->of = STEER_LATENCY_PLACE;
        steer_place_format(&row->place, proper, sizeof proper);
    } else if (!asn && !strpbrk(text, ".:/")) {
        steer_doc_fail(p, key.at, "%s; a row is of a place, a network or an AS number",
                       why.message);
        return;
    } else if (!steer_parse_network_text(p, &key, text, &network)) {
        return;
    } else if (network.is_asn) {
        row->of = STEER_LATENCY_ASN;
        row->asn = network.asn;
        snprintf(proper, sizeof proper, "AS%u", row->asn);
    } else {
        row->of = STEER_LATENCY_CIDR;
        row->network = network.prefix;
        steer_prefix_format(&row->network, proper, sizeof proper);
    }
    if (steer_map_get(&rows->seen, proper, NULL))
        steer_doc_fail(p, key.at, "'%.60s' has two rows", proper);
    steer_map_put(&rows->seen, proper, 1);
}

static void parse_times(struct steer_parse *p, const struct steer_item *entry,
                        struct steer_latency_row row, struct rows *rows)
{
    struct steer_entries sites;
    struct steer_item site;
    if (!steer_doc_mapping(p, entry, "{fra: 9, iad: 95.5}"))
        return;
    steer_entries_of(p, entry, &sites);
    while (!p->err && steer_entries_next(&sites, &site)) {
        const double ms = json_number_value(site.json);
        if (!steer_name_text_valid(site.key))
            steer_doc_fail(p, site.key_at, "'%.80s' is not the name of a site", site.key);
        else if (!json_is_number(site.json))
            steer_doc_mismatch(p, &site, "a number of milliseconds");
        else if (!(ms >= 0 && ms <= STEER_LATENCY_MAX_US / 1000))
            steer_doc_fail(p, site.at, "'%s' must be from 0 to %d milliseconds", site.key,
                           STEER_LATENCY_MAX_US / 1000);
        else
            row.rtt_us = (uint32_t)(ms * 1000 + 0.5);
        row.site = site.key;
        rows->items = steer_grow(rows->items, &rows->cap, rows->count + 1, sizeof *rows->items);
        rows->items[rows->count++] = row;
    }
}

static struct steer_latency *parse_rows(struct steer_parse *p, const struct steer_item *list)
{
    struct steer_item entry;
    struct steer_entries entries;
    struct rows rows = {0};
    if (!json_is_object(list->json))
        steer_doc_mismatch(p, list, "a mapping like {EU-DE: {fra: 9, iad: 95}}");
    steer_entries_of(p, list, &entries);
    while (!p->err && steer_entries_next(&entries, &entry)) {
        struct steer_latency_row row = {.asn = 0};
        parse_clients(p, &entry, &row, &rows);
        parse_times(p, &entry, row, &rows);
    }
    struct steer_latency *table = p->err ? NULL : steer_latency_build(rows.items, rows.count);
    steer_map_fini(&rows.seen);
    free(rows.items);
    return table;
}

void steer_parse_latency_table(struct steer_parse *p, const struct steer_item *item,
                               struct steer_object *table)
{
    static const char *const keys[] = {"rows", "measured"};
    static const struct steer_shape shape = {.what = "a latency table",
                                             .example = "{rows: {EU-DE: {fra: 9, iad: 95}}}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_item list, measured;
    if (!steer_doc_keys(p, item, &shape))
        return;
    const bool has_rows = steer_doc_find(p, item, "rows", &list);
    if (steer_doc_find(p, item, "measured", &measured))
        table->measured = steer_parse_measuring(p, &measured);
    else if (!has_rows)
        steer_doc_fail(p, item->key_at,
                       "latency table '%s' needs 'rows', like {EU-DE: {fra: 9, iad: 95}}, or "
                       "'measured', like {}",
                       item->key);
    if (p->err)
        return;
    table->latency = has_rows ? parse_rows(p, &list) : steer_latency_build(NULL, 0);
    if (table->measured && table->latency)
        table->uploaded = steer_latency_ref(table->latency);
}
