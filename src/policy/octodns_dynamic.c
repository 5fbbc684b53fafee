// SPDX-License-Identifier: GPL-3.0-or-later
// octoDNS's `dynamic`: pools and rules, held to what octoDNS itself holds them to.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "octodns_internal.h"
#include "steerd/wire/message.h"

static const char *text_of(const struct steer_item *item)
{
    return json_string_value(item->json);
}

// ---- health checks -------------------------------------------------------------------------------

static void read_port(struct steer_parse *p, const struct steer_item *check,
                      struct octodns_health *health)
{
    struct steer_item item;
    if (steer_doc_find(p, check, "port", &item))
        health->port = (unsigned)steer_value_uint(p, &item, 1, 65535);
}

void octodns_health_read(struct steer_parse *p, const struct steer_item *record, const char *fqdn,
                         struct octodns_health *health)
{
    static const char *const protocols[] = {"HTTPS", "HTTP", "TCP", "UDP", "ICMP"};
    static const char *const keys[] = {"host", "path", "port", "protocol"};
    struct steer_item octodns, check, item;
    struct steer_entries entries;
    *health = (struct octodns_health){
        .protocol = "HTTPS", .host = fqdn, .path = OCTODNS_PATH, .port = OCTODNS_PORT};
    if (!steer_doc_find(p, record, "octodns", &octodns) ||
        !steer_doc_find(p, &octodns, "healthcheck", &check))
        return;
    steer_entries_of(p, &check, &entries);
    while (!p->err && steer_entries_next(&entries, &item)) {
        bool known = false;
        for (size_t i = 0; i < STEER_ARRAY_LEN(keys); i++)
            known = known || strcmp(item.key, keys[i]) == 0;
        if (!known)
            steer_doc_warn(p, item.key_at, "'%.60s' of the health check is left out", item.key);
    }
    health->protocol =
        protocols[steer_doc_choice(p, &check, "protocol", protocols, STEER_ARRAY_LEN(protocols),
                                   STEER_ARRAY_LEN(protocols), 0)];
    if (strcmp(health->protocol, "UDP") == 0 || strcmp(health->protocol, "ICMP") == 0)
        steer_doc_fail(p, check.at, "steerd has no %s checks; use HTTPS, HTTP or TCP",
                       health->protocol);
    read_port(p, &check, health);
    health->path = steer_doc_string(p, &check, "path", OCTODNS_PATH);
    if (steer_doc_find(p, &check, "host", &item))
        health->host = json_is_null(item.json) ? NULL : steer_value_string(p, &item);
}

// ---- pools ---------------------------------------------------------------------------------------

static void read_value(struct steer_parse *p, const struct steer_item *item, const char *type,
                       struct octodns_pool *pool)
{
    static const char *const keys[] = {"value", "weight", "status"};
    static const char *const states[] = {"obey", "up", "down"};
    static const struct steer_shape shape = {.what = "a pool's value",
                                             .example = "{value: 192.0.2.1, weight: 2}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_item value;
    if (!steer_doc_keys(p, item, &shape))
        return;
    if (!steer_doc_find(p, item, "value", &value)) {
        steer_doc_fail(p, item->at, "a pool's value needs 'value'");
        return;
    }
    struct octodns_value *made = &pool->values[pool->count++];
    json_t *text = octodns_value_read(p, &value, type);
    made->text = text ? steer_arena_strdup(p->arena, json_string_value(text)) : "";
    json_decref(text);
    made->weight = (unsigned)steer_doc_uint(p, item, "weight", 1, OCTODNS_WEIGHT_MAX, 1);
    made->status = (enum octodns_status)steer_doc_choice(p, item, "status", states, 3, 3, 0);
    made->at = value.at;
    pool->usable += made->status != OCTODNS_DOWN;
    for (size_t i = 0; i + 1 < pool->count && !p->err; i++)
        if (strcmp(pool->values[i].text, made->text) == 0)
            steer_doc_fail(p, value.at, "'%.200s' is in pool '%.60s' twice; give it one weight",
                           made->text, pool->name);
}

static void read_pool(struct steer_parse *p, const struct steer_item *item, const char *type,
                      struct octodns_pool *pool)
{
    static const char *const keys[] = {"fallback", "values"};
    static const struct steer_shape shape = {.what = "a pool",
                                             .example = "{values: [{value: 192.0.2.1}]}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_item values, entry;
    struct steer_entries entries;
    pool->name = steer_arena_strdup(p->arena, item->key);
    pool->fallback = -1;
    pool->at = item->key_at;
    if (!steer_doc_keys(p, item, &shape))
        return;
    if (!steer_doc_find(p, item, "values", &values)) {
        steer_doc_fail(p, item->key_at, "pool '%.60s' needs 'values'", item->key);
        return;
    }
    if (!steer_doc_list(p, &values, "[{value: 192.0.2.1}]"))
        return;
    pool->values =
        steer_arena_calloc(p->arena, json_array_size(values.json) * sizeof *pool->values);
    steer_entries_of(p, &values, &entries);
    while (!p->err && steer_entries_next(&entries, &entry))
        read_value(p, &entry, type, pool);
    // As octoDNS: the weight of a value that stands alone says nothing.
    if (!p->err && pool->count == 1 && pool->values[0].weight != 1) {
        steer_doc_warn(p, pool->values[0].at, "pool '%.60s' has one value; its weight is 1",
                       pool->name);
        pool->values[0].weight = 1;
    }
}

static int pool_find(const struct octodns_dynamic *d, const char *name)
{
    for (size_t i = 0; i < d->pool_count; i++)
        if (strcmp(d->pools[i].name, name) == 0)
            return (int)i;
    return -1;
}

// The pool that item names; -1 after an error.
static int pool_named(struct steer_parse *p, const struct octodns_dynamic *d,
                      const struct steer_item *item)
{
    const char *name = text_of(item);
    if (!name) {
        steer_doc_mismatch(p, item, "the name of a pool");
        return -1;
    }
    int index = pool_find(d, name);
    if (index >= 0 || p->err)
        return index;
    const char **names = steer_calloc(d->pool_count, sizeof *names);
    for (size_t i = 0; i < d->pool_count; i++)
        names[i] = d->pools[i].name;
    const char *near = steer_nearest_word(name, names, d->pool_count);
    steer_doc_fail(p, item->at, "pool '%.60s' is not defined%s%.60s%s", name,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    free(names);
    return -1;
}

static void refuse_loop(struct steer_parse *p, const struct octodns_dynamic *d, size_t from,
                        struct steer_where at)
{
    struct steer_buf path = {0};
    size_t steps = 0;
    int next = (int)from;
    steer_buf_puts(&path, d->pools[from].name);
    do {
        next = d->pools[next].fallback;
        if (next >= 0)
            steer_buf_printf(&path, " -> %s", d->pools[next].name);
    } while (next >= 0 && next != (int)from && ++steps <= d->pool_count);
    if (next >= 0)
        steer_doc_fail(p, at, "the fallbacks of the pools form a loop: %.600s", path.data);
    steer_buf_fini(&path);
}

static void read_fallbacks(struct steer_parse *p, const struct steer_item *pools,
                           struct octodns_dynamic *d)
{
    struct steer_entries entries;
    struct steer_item entry, item;
    steer_entries_of(p, pools, &entries);
    for (size_t i = 0; !p->err && steer_entries_next(&entries, &entry); i++) {
        if (!steer_doc_find(p, &entry, "fallback", &item) || json_is_null(item.json))
            continue;
        const char *name = text_of(&item);
        // octoDNS reads "default" as none.
        if (!name || strcmp(name, "default") != 0 || pool_find(d, name) >= 0)
            d->pools[i].fallback = pool_named(p, d, &item);
        d->pools[i].at = item.at;
    }
    for (size_t i = 0; i < d->pool_count && !p->err; i++)
        refuse_loop(p, d, i, d->pools[i].at);
}

static void read_pools(struct steer_parse *p, const struct steer_item *dynamic,
                       struct octodns_dynamic *d)
{
    struct steer_item pools, entry;
    struct steer_entries entries;
    if (!steer_doc_find(p, dynamic, "pools", &pools)) {
        steer_doc_fail(p, dynamic->key_at, "'dynamic' needs 'pools'");
        return;
    }
    if (!steer_doc_mapping(p, &pools, "{eu: {values: [{value: 192.0.2.1}]}}"))
        return;
    d->pools = steer_arena_calloc(p->arena, json_object_size(pools.json) * sizeof *d->pools);
    steer_entries_of(p, &pools, &entries);
    while (!p->err && steer_entries_next(&entries, &entry)) {
        struct octodns_pool *pool = &d->pools[d->pool_count++];
        read_pool(p, &entry, d->type, pool);
        for (size_t i = 0; i < pool->count; i++)
            d->obeys = d->obeys || pool->values[i].status == OCTODNS_OBEY;
    }
    read_fallbacks(p, &pools, d);
}

// ---- rules ---------------------------------------------------------------------------------------

// The country decides which continent it is on; octoDNS's table differs from ours for a few.
static json_t *read_geo(struct steer_parse *p, const struct steer_item *item)
{
    struct steer_place place;
    struct steer_diag why;
    char code[16];
    const char *text = text_of(item);
    if (!text) {
        steer_doc_mismatch(p, item, "a place like EU or NA-US-CA");
        return NULL;
    }
    if (steer_place_parse(text, &place, &why) == STEER_OK)
        return json_string(steer_place_format(&place, code, sizeof code));
    char country[3] = {0};
    size_t len = strlen(text);
    const char *continent = NULL;
    if (len >= 5 && len <= 9 && text[2] == '-') {
        memcpy(country, text + 3, 2);
        continent = steer_country_continent(country);
    }
    snprintf(code, sizeof code, "%s%s", continent ? continent : "", len > 2 ? text + 2 : "");
    if (!continent || steer_place_parse(code, &place, &why) != STEER_OK) {
        steer_doc_fail(p, item->at, "%s", why.message);
        return NULL;
    }
    steer_doc_warn(p, item->at, "'%s' is written %s here; the country decides", text, code);
    return json_string(code);
}

static json_t *read_subnet(struct steer_parse *p, const struct steer_item *item)
{
    struct steer_prefix prefix;
    char out[64];
    bool host_bits = false;
    const char *text = text_of(item);
    if (!text)
        steer_doc_mismatch(p, item, "a network like 192.0.2.0/24");
    else if (!steer_prefix_parse(text, &prefix, &host_bits) && host_bits)
        steer_doc_fail(p, item->at, "'%s' has bits behind its length; the network is %s", text,
                       steer_prefix_format(&prefix, out, sizeof out));
    else if (!p->err && !steer_prefix_parse(text, &prefix, NULL))
        steer_doc_fail(p, item->at, "'%.80s' is not a network like 192.0.2.0/24 or 2001:db8::/32",
                       text);
    return p->err ? NULL : json_string(steer_prefix_format(&prefix, out, sizeof out));
}

// The first match decides in octoDNS, the most specific one here. They agree where nothing stands behind
// something that covers it, which octoDNS refuses.
static void refuse_covered(struct steer_parse *p, const struct octodns_dynamic *d, bool geo,
                           const char *text, struct steer_where at)
{
    size_t k;
    const json_t *seen;
    for (size_t i = 0; i + 1 < d->rule_count && !p->err; i++)
        json_array_foreach(geo ? d->rules[i].geos : d->rules[i].subnets, k, seen)
        {
            const char *broad = json_string_value(seen);
            if (geo ? octodns_geo_covers(broad, text) : octodns_subnet_covers(broad, text))
                steer_doc_fail(p, at,
                               "'%s' is in '%s' of rule %zu, which comes first; octoDNS wants the "
                               "narrower one before the wider one",
                               text, broad, i + 1);
        }
}

static json_t *read_targets(struct steer_parse *p, const struct steer_item *rule, bool geo,
                            const struct octodns_dynamic *d)
{
    struct steer_item list, entry;
    struct steer_entries entries;
    json_t *targets = json_array();
    if (!steer_doc_find(p, rule, geo ? "geos" : "subnets", &list))
        return targets;
    if (!json_is_array(list.json))
        steer_doc_mismatch(p, &list, "a list");
    steer_entries_of(p, &list, &entries);
    while (!p->err && steer_entries_next(&entries, &entry)) {
        json_t *target = geo ? read_geo(p, &entry) : read_subnet(p, &entry);
        if (target)
            refuse_covered(p, d, geo, json_string_value(target), entry.at);
        if (target)
            json_array_append_new(targets, target);
    }
    return targets;
}

static void read_rule(struct steer_parse *p, const struct steer_item *item,
                      struct octodns_dynamic *d)
{
    static const char *const keys[] = {"geos", "subnets", "pool"};
    static const struct steer_shape shape = {.what = "a rule",
                                             .example = "{geos: [EU], pool: eu}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_item pool;
    if (!steer_doc_keys(p, item, &shape))
        return;
    if (!steer_doc_find(p, item, "pool", &pool)) {
        steer_doc_fail(p, item->at, "rule %zu needs 'pool'", d->rule_count + 1);
        return;
    }
    struct octodns_rule *rule = &d->rules[d->rule_count++];
    int index = pool_named(p, d, &pool);
    rule->pool = index >= 0 ? (unsigned)index : 0;
    rule->at = item->at;
    rule->geos = read_targets(p, item, true, d);
    rule->subnets = read_targets(p, item, false, d);
}

static bool is_catchall(const struct octodns_rule *rule)
{
    return json_array_size(rule->geos) + json_array_size(rule->subnets) == 0;
}

static void read_rules(struct steer_parse *p, const struct steer_item *dynamic,
                       struct octodns_dynamic *d)
{
    struct steer_item rules, entry;
    struct steer_entries entries;
    if (!steer_doc_find(p, dynamic, "rules", &rules)) {
        steer_doc_fail(p, dynamic->key_at, "'dynamic' needs 'rules'");
        return;
    }
    if (!steer_doc_list(p, &rules, "[{geos: [EU], pool: eu}, {pool: us}]"))
        return;
    d->rules = steer_arena_calloc(p->arena, json_array_size(rules.json) * sizeof *d->rules);
    steer_entries_of(p, &rules, &entries);
    while (!p->err && steer_entries_next(&entries, &entry)) {
        if (d->rule_count && is_catchall(&d->rules[d->rule_count - 1]))
            steer_doc_fail(p, entry.at,
                           "this rule is never reached: the one before it matches all clients");
        read_rule(p, &entry, d);
    }
    if (!p->err && !is_catchall(&d->rules[d->rule_count - 1]))
        steer_doc_warn(p, rules.at,
                       "no rule matches all clients: those elsewhere get the record's values");
}

// ---- the record ----------------------------------------------------------------------------------

json_t *octodns_values_read(struct steer_parse *p, const struct steer_item *record,
                            const char *type)
{
    struct steer_item item, entry;
    struct steer_entries entries;
    json_t *values = json_array(), *value;
    bool many = steer_doc_find(p, record, "values", &item);
    if (!many && !steer_doc_find(p, record, "value", &item)) {
        steer_doc_fail(p, record->at, "a record of type %.40s needs 'value' or 'values'", type);
        return values;
    }
    if (!json_is_array(item.json)) {
        value = octodns_value_read(p, &item, type);
        if (value)
            json_array_append_new(values, value);
        return values;
    }
    if (!steer_doc_list(p, &item, "[one, two]"))
        return values;
    steer_entries_of(p, &item, &entries);
    while (!p->err && steer_entries_next(&entries, &entry)) {
        value = octodns_value_read(p, &entry, type);
        if (value)
            json_array_append_new(values, value);
    }
    return values;
}

void octodns_dynamic_read(struct steer_parse *p, const struct steer_item *record,
                          struct octodns_dynamic *d)
{
    static const char *const keys[] = {"pools", "rules"};
    static const struct steer_shape shape = {.what = "'dynamic'",
                                             .example = "{pools: {...}, rules: [...]}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_item dynamic;
    if (!steer_doc_find(p, record, "dynamic", &dynamic) || !steer_doc_keys(p, &dynamic, &shape))
        return;
    d->at = record->at;
    d->backup = octodns_values_read(p, record, d->type);
    read_pools(p, &dynamic, d);
    if (!p->err)
        read_rules(p, &dynamic, d);
}

void octodns_dynamic_fini(struct octodns_dynamic *d)
{
    json_decref(d->backup);
    for (size_t i = 0; i < d->rule_count; i++) {
        json_decref(d->rules[i].geos);
        json_decref(d->rules[i].subnets);
    }
}
