// SPDX-License-Identifier: GPL-3.0-or-later
// A steered record -> octoDNS's pools and rules, where these can say the same.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "octodns_internal.h"
#include "steerd/rr/rdata.h"
#include "steerd/rr/type.h"
#include "steerd/wire/message.h"

// One of octoDNS's pools: what it gives, and where it falls back to.
struct pool {
    const struct steer_node *step;
    int fallback;
    bool targeted; // by a rule
    char name[80];
};

struct unsteer {
    const struct steer_catalog *catalog;
    const struct steer_object *steered;
    struct octodns_loss *loss;
    struct octodns_ruleset set;
    struct octodns_chain otherwise;
    const struct steer_node *backup;
    const struct steer_check *check; // of what obeys; NULL: none so far
    struct pool *pools;
    size_t pool_count, pool_cap;
    char base[STEER_NAME_TEXT_MAX + 16];
};

void octodns_lost(struct octodns_loss *loss, struct steer_where at, const char *fmt, ...)
{
    struct steer_octodns_notes *notes = loss->notes;
    char text[sizeof notes->items->message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (size_t i = 0; i < notes->count; i++)
        if (strcmp(notes->items[i].message, text) == 0)
            return;
    if (notes->count == STEER_WARNINGS_MAX)
        return;
    notes->items = steer_grow(notes->items, &loss->cap, notes->count + 1, sizeof *notes->items);
    (void)steer_diag_at(&notes->items[notes->count++], loss->file, at.line, at.column, "%s", text);
}

// ---- reading the tree ----------------------------------------------------------------------------

// The tree behind `use`, and what options say that octoDNS cannot.
static const struct steer_node *plain(struct unsteer *u, const struct steer_node *node)
{
    for (;;) {
        if (node->when != STEER_WHEN_DEFAULT)
            octodns_lost(u->loss, node->at, "%s: when_unavailable", u->steered->name);
        if (node->min_available.value > 1 || node->min_available.percent)
            octodns_lost(u->loss, node->at, "%s: min_available", u->steered->name);
        if (node->trickle_ppm)
            octodns_lost(u->loss, node->at, "%s: trickle", u->steered->name);
        if (node->kind != STEER_NODE_USE)
            return node;
        const struct steer_object *policy = steer_catalog_get(u->catalog, STEER_POLICY, node->name);
        node = &policy->tree; // the catalogue was checked
    }
}

static bool same_fixed(const struct steer_node *a, const struct steer_node *b)
{
    if (a->fixed_count != b->fixed_count)
        return false;
    for (uint32_t i = 0; i < a->fixed_count; i++) {
        const struct steer_fixed *x = &a->fixed[i], *y = &b->fixed[i];
        if (x->type != y->type || x->count != y->count)
            return false;
        for (uint16_t k = 0; k < x->count; k++)
            if (x->len[k] != y->len[k] || memcmp(x->rdata[k], y->rdata[k], x->len[k]) != 0)
                return false;
    }
    return true;
}

static void read_end(struct unsteer *u, const struct steer_node *node)
{
    if (node->kind != STEER_NODE_ANSWER)
        octodns_lost(u->loss, node->at,
                     "%s: what is given when nothing else is available must be an `answer`, the "
                     "same for all; it becomes the record's values",
                     u->steered->name);
    else if (!u->backup)
        u->backup = node;
    else if (!same_fixed(u->backup, node))
        octodns_lost(u->loss, node->at,
                     "%s: two different answers as the last resort; octoDNS has one, the record's "
                     "values",
                     u->steered->name);
}

static void read_step(struct unsteer *u, const struct steer_node *node, struct octodns_chain *chain)
{
    node = plain(u, node);
    if (node->kind != STEER_NODE_POOL && node->kind != STEER_NODE_ENDPOINT)
        octodns_lost(u->loss, node->at, "%s: %s inside a failover", u->steered->name,
                     steer_node_kind_text(node->kind));
    else if (chain->count == OCTODNS_CHAIN_MAX)
        octodns_lost(u->loss, node->at, "%s: a failover over more than %d pools", u->steered->name,
                     OCTODNS_CHAIN_MAX);
    else
        chain->steps[chain->count++] = node;
}

static void read_target(struct unsteer *u, const struct steer_node *node,
                        struct octodns_chain *chain)
{
    node = plain(u, node);
    chain->count = 0;
    if (node->kind != STEER_NODE_FAILOVER) {
        octodns_lost(u->loss, node->at,
                     "%s: %s where octoDNS has a pool with fallbacks: a failover of pools that "
                     "ends with an `answer`",
                     u->steered->name, steer_node_kind_text(node->kind));
        return;
    }
    for (uint32_t i = 0; i + 1 < node->child_count; i++)
        read_step(u, node->children[i].node, chain);
    read_end(u, plain(u, node->children[node->child_count - 1].node));
    if (chain->count == 0)
        octodns_lost(u->loss, node->at, "%s: a failover without a pool", u->steered->name);
}

static void read_geo(struct unsteer *u, const struct steer_node *node)
{
    bool has_default = false;
    for (uint32_t i = 0; i < node->child_count; i++) {
        const struct steer_child *child = &node->children[i];
        char place[16];
        if (child->is_default) {
            has_default = true;
            read_target(u, child->node, &u->otherwise);
            continue;
        }
        struct octodns_out *rule = octodns_add_rule(&u->set);
        for (uint16_t k = 0; k < child->place_count; k++) {
            const char *text = steer_place_format(&child->places[k], place, sizeof place);
            json_array_append_new(rule->geos, json_string(text));
        }
        // A fence says nothing here: each target ends with what is always available.
        read_target(u, child->node, &rule->chain);
    }
    if (!has_default)
        octodns_lost(u->loss, node->at, "%s: a geo without default", u->steered->name);
}

// Places behind networks, and the rest.
static void read_places(struct unsteer *u, const struct steer_node *node)
{
    node = plain(u, node);
    if (node->kind == STEER_NODE_GEO)
        read_geo(u, node);
    else
        read_target(u, node, &u->otherwise);
}

static void read_network(struct unsteer *u, const struct steer_node *node)
{
    bool has_default = false;
    if (node->asn_count)
        octodns_lost(u->loss, node->at, "%s: networks by AS number", u->steered->name);
    for (uint32_t i = 0; i < node->child_count; i++) {
        const struct steer_child *child = &node->children[i];
        char text[64];
        if (child->is_default) {
            has_default = true;
            u->set.networks = u->set.count;
            read_places(u, child->node);
            continue;
        }
        struct octodns_out *rule = octodns_add_rule(&u->set);
        for (uint32_t k = 0; k < node->network_count; k++)
            if (node->networks[k].value == i)
                json_array_append_new(
                    rule->subnets,
                    json_string(steer_prefix_format(&node->networks[k].prefix, text, sizeof text)));
        read_target(u, child->node, &rule->chain);
    }
    if (!has_default)
        octodns_lost(u->loss, node->at, "%s: a network without default", u->steered->name);
}

static void read_root(struct unsteer *u, const struct steer_node *node)
{
    node = plain(u, node);
    if (node->kind == STEER_NODE_NETWORK)
        read_network(u, node);
    else
        read_places(u, node);
}

// ---- pools ---------------------------------------------------------------------------------------

static bool name_taken(const struct unsteer *u, const char *name)
{
    for (size_t i = 0; i < u->pool_count; i++)
        if (strcmp(u->pools[i].name, name) == 0)
            return true;
    return false;
}

// The pool's own name, without the record's before it, and a number where it stands for two.
static void name_pool(struct unsteer *u, struct pool *pool, const char *own)
{
    size_t len = strlen(u->base);
    if (strncmp(own, u->base, len) == 0 && own[len] == '.' && own[len + 1])
        own += len + 1;
    char name[sizeof pool->name];
    snprintf(name, sizeof name, "%.63s", own);
    for (unsigned i = 2; name_taken(u, name); i++)
        snprintf(name, sizeof name, "%.63s-%u", own, i);
    memcpy(pool->name, name, sizeof name);
}

// octoDNS hangs fallbacks on pools, and lets one rule with targets lead to each: a pool that stands in
// several orders, or behind several rules, becomes several.
static int pool_for(struct unsteer *u, const struct steer_node *step, int fallback, bool fresh)
{
    for (size_t i = 0; i < u->pool_count && !fresh; i++)
        if (strcmp(u->pools[i].step->name, step->name) == 0 &&
            u->pools[i].step->kind == step->kind && u->pools[i].fallback == fallback)
            return (int)i;
    u->pools = steer_grow(u->pools, &u->pool_cap, u->pool_count + 1, sizeof *u->pools);
    struct pool *pool = &u->pools[u->pool_count];
    *pool = (struct pool){.step = step, .fallback = fallback};
    name_pool(u, pool, step->name);
    return (int)u->pool_count++;
}

static const char *pools_for(struct unsteer *u, const struct octodns_chain *chain, bool catchall)
{
    int at = -1;
    for (size_t i = chain->count; i-- > 1;)
        at = pool_for(u, chain->steps[i], at, false);
    int first = pool_for(u, chain->steps[0], at, false);
    if (u->pools[first].targeted && !catchall)
        first = pool_for(u, chain->steps[0], at, true);
    u->pools[first].targeted = true;
    return u->pools[first].name;
}

// ---- values --------------------------------------------------------------------------------------

static bool same_check(const struct steer_check *a, const struct steer_check *b)
{
    const char *x[] = {a->path, a->host}, *y[] = {b->path, b->host};
    for (size_t i = 0; i < 2; i++)
        if ((x[i] == NULL) != (y[i] == NULL) || (x[i] && strcmp(x[i], y[i]) != 0))
            return false;
    return a->kind == b->kind && a->port == b->port;
}

static void judge_check(struct unsteer *u, const struct steer_object *object)
{
    const struct steer_check *c = &object->check;
    static const struct steer_hysteresis usual = {.rise = 2, .fall = 3, .initially = STEER_UP};
    const char *lost = NULL;
    bool web = c->kind != STEER_CHECK_TCP;
    if (web && c->method && strcmp(c->method, "GET") != 0)
        lost = "method";
    else if (c->expect_body)
        lost = "expect_body";
    else if (web && (c->status_min != 200 || c->status_max != 200))
        lost = "a status other than 200";
    else if (c->kind == STEER_CHECK_HTTPS && c->verify)
        lost = "the verification of certificates";
    else if (c->interval_ms != 10000 || c->timeout_ms != 3000)
        lost = "its times";
    else if (c->hysteresis.rise != usual.rise || c->hysteresis.fall != usual.fall ||
             c->hysteresis.initially != usual.initially)
        lost = "rise, fall or initially";
    if (lost)
        octodns_lost(u->loss, object->at, "check %s: %s", object->name, lost);
    if (u->check && !same_check(u->check, c))
        octodns_lost(u->loss, object->at,
                     "%s: its endpoints have different checks; octoDNS has one for all of a record",
                     u->steered->name);
    u->check = c;
}

static void judge_endpoint(struct unsteer *u, const struct steer_object *object)
{
    const struct steer_endpoint *e = &object->endpoint;
    bool v4 = false, v6 = false;
    if (e->site)
        octodns_lost(u->loss, object->at, "endpoint %s: its site", object->name);
    if (e->ttl_cap_s)
        octodns_lost(u->loss, object->at, "endpoint %s: ttl_cap", object->name);
    if (e->more_count)
        octodns_lost(u->loss, object->at, "endpoint %s: all addresses but the first of a family",
                     object->name);
    if (e->check_count && e->checks_needed != e->check_count)
        octodns_lost(u->loss, object->at, "endpoint %s: require", object->name);
    for (uint32_t i = 0; i < e->check_count; i++) {
        const struct steer_object *check = steer_catalog_get(u->catalog, STEER_CHECK, e->checks[i]);
        bool probes_v6 = e->has_v6 && (check->check.prefer_v6 || !e->has_v4);
        v6 = v6 || probes_v6;
        v4 = v4 || !probes_v6;
        judge_check(u, check);
    }
    if (e->check_count && (e->check_count > 2 || v4 != e->has_v4 || v6 != e->has_v6))
        octodns_lost(u->loss, object->at, "endpoint %s: octoDNS checks each of its addresses, once",
                     object->name);
}

// The endpoint's data of the type; NULL where it has none.
static json_t *address_of(const struct steer_endpoint *e, uint16_t type)
{
    char text[STEER_NAME_TEXT_MAX];
    if (type == STEER_TYPE_A && e->has_v4)
        return json_string(steer_addr_format(&e->v4, text, sizeof text));
    if (type == STEER_TYPE_AAAA && e->has_v6)
        return json_string(steer_addr_format(&e->v6, text, sizeof text));
    if (type == STEER_TYPE_CNAME && e->has_hostname)
        return json_string(steer_name_format(e->hostname.octets, text));
    return NULL;
}

static void put_value(struct unsteer *u, const struct steer_object *object, unsigned weight,
                      const char *status, uint16_t type, json_t *values)
{
    char text[STEER_TYPE_TEXT_MAX];
    json_t *address = address_of(&object->endpoint, type);
    if (!address) {
        octodns_lost(u->loss, object->at, "endpoint %s has no data for %s, and others have",
                     object->name, steer_type_format(type, text));
        return;
    }
    json_t *value = json_pack("{s:o}", "value", address);
    if (weight < 1 || weight > OCTODNS_WEIGHT_MAX)
        octodns_lost(u->loss, object->at, "endpoint %s: weight %u; octoDNS has 1 to %d",
                     object->name, weight, OCTODNS_WEIGHT_MAX);
    if (weight != 1)
        json_object_set_new(value, "weight", json_integer((json_int_t)weight));
    if (status)
        json_object_set_new(value, "status", json_string(status));
    json_array_append_new(values, value);
}

static const char *label_of(const struct steer_endpoint *e, const char *key)
{
    for (uint32_t i = 0; i < e->label_count; i++)
        if (strcmp(e->labels[i].key, key) == 0)
            return e->labels[i].value;
    return NULL;
}

// One value of a pool.
struct member {
    const struct steer_object *endpoint;
    unsigned weight;
    bool down;
};

static int by_number(const void *a, const void *b)
{
    return steer_natural_compare(((const struct member *)a)->endpoint->name,
                                 ((const struct member *)b)->endpoint->name);
}

// Endpoints that the import took out of the pool because they are never to be given.
static size_t list_down(const struct unsteer *u, const char *pool, struct member *members)
{
    size_t all = steer_catalog_count(u->catalog, STEER_ENDPOINT), count = 0;
    const struct steer_object **list = steer_catalog_list(u->catalog, STEER_ENDPOINT);
    for (size_t i = 0; i < all; i++) {
        const char *of = label_of(&list[i]->endpoint, OCTODNS_POOL_LABEL);
        const char *weight = label_of(&list[i]->endpoint, OCTODNS_WEIGHT_LABEL);
        if (of && strcmp(of, pool) == 0)
            members[count++] =
                (struct member){list[i], weight ? (unsigned)strtoul(weight, NULL, 10) : 1, true};
    }
    free(list);
    return count;
}

static size_t list_pool(struct unsteer *u, const struct steer_object *object,
                        struct member *members)
{
    const struct steer_pool *p = &object->pool;
    if (p->pick != STEER_PICK_ONE)
        octodns_lost(u->loss, object->at, "pool %s: it gives more than one", object->name);
    if (p->min_available.value != 1 || p->min_available.percent)
        octodns_lost(u->loss, object->at, "pool %s: min_available", object->name);
    size_t count = list_down(u, object->name, members);
    for (uint32_t i = 0; i < p->member_count; i++)
        members[count++] =
            (struct member){steer_catalog_get(u->catalog, STEER_ENDPOINT, p->members[i].endpoint),
                            p->members[i].weight, false};
    qsort(members, count, sizeof *members, by_number);
    return count;
}

static json_t *values_of(struct unsteer *u, const struct pool *pool, uint16_t type)
{
    const char *name = pool->step->name;
    bool single = pool->step->kind == STEER_NODE_ENDPOINT;
    json_t *values = json_array();
    struct member *members =
        steer_calloc(2 * steer_catalog_count(u->catalog, STEER_ENDPOINT), sizeof *members);
    size_t count = 1;
    members[0] = (struct member){steer_catalog_get(u->catalog, STEER_ENDPOINT, name), 1, false};
    if (!single)
        count = list_pool(u, steer_catalog_get(u->catalog, STEER_POOL, name), members);
    for (size_t i = 0; i < count; i++) {
        const struct member *m = &members[i];
        if (!m->down)
            judge_endpoint(u, m->endpoint);
        // Hostnames are not probed here; in octoDNS they obey unless they say otherwise.
        bool obeys = m->endpoint->endpoint.check_count || type == STEER_TYPE_CNAME;
        put_value(u, m->endpoint, count > 1 ? m->weight : 1,
                  m->down ? "down"
                  : obeys ? NULL
                          : "up",
                  type, values);
    }
    free(members);
    return values;
}

// ---- the record ----------------------------------------------------------------------------------

static json_t *healthcheck_of(const struct unsteer *u)
{
    const struct steer_check *c = u->check;
    char owner[STEER_NAME_TEXT_MAX];
    json_t *health = json_object();
    if (!c)
        return health;
    bool tcp = c->kind == STEER_CHECK_TCP;
    steer_name_format(u->steered->steered.owner.octets, owner);
    owner[strlen(owner) - 1] = '\0';
    if (c->kind != STEER_CHECK_HTTPS)
        json_object_set_new(health, "protocol", json_string(tcp ? "TCP" : "HTTP"));
    if (c->port != OCTODNS_PORT)
        json_object_set_new(health, "port", json_integer(c->port));
    if (!tcp && strcmp(c->path ? c->path : "/", OCTODNS_PATH) != 0)
        json_object_set_new(health, "path", json_string(c->path ? c->path : "/"));
    if (!tcp && !c->host)
        json_object_set_new(health, "host", json_null());
    else if (!tcp && strcmp(c->host, owner) != 0)
        json_object_set_new(health, "host", json_string(c->host));
    return health;
}

static void put_backup(struct unsteer *u, uint16_t type, json_t *record)
{
    char text[STEER_TYPE_TEXT_MAX];
    const struct steer_fixed *fixed = NULL;
    for (uint32_t i = 0; u->backup && i < u->backup->fixed_count; i++)
        if (u->backup->fixed[i].type == type)
            fixed = &u->backup->fixed[i];
    if (!fixed) {
        if (u->backup)
            octodns_lost(u->loss, u->backup->at, "%s: the answer at its end has no %s",
                         u->steered->name, steer_type_format(type, text));
        return;
    }
    json_t *values = json_array();
    for (uint16_t i = 0; i < fixed->count; i++) {
        const char *why;
        json_t *value = octodns_value_make(type, fixed->rdata[i], fixed->len[i], &why);
        if (value)
            json_array_append_new(values, value);
    }
    if (json_array_size(values) == 1)
        json_object_set(record, "value", json_array_get(values, 0));
    else
        json_object_set(record, "values", values);
    json_decref(values);
}

static json_t *rules_of(struct unsteer *u)
{
    json_t *rules = json_array();
    for (size_t i = 0; i < u->set.count; i++) {
        json_t *rule = json_pack("{s:s}", "pool", pools_for(u, &u->set.rules[i].chain, false));
        if (json_array_size(u->set.rules[i].geos))
            json_object_set(rule, "geos", u->set.rules[i].geos);
        if (json_array_size(u->set.rules[i].subnets))
            json_object_set(rule, "subnets", u->set.rules[i].subnets);
        json_array_append_new(rules, rule);
    }
    json_array_append_new(rules, json_pack("{s:s}", "pool", pools_for(u, &u->otherwise, true)));
    return rules;
}

static void put_record(struct unsteer *u, uint16_t type, json_t *rules, json_t *records)
{
    char text[STEER_TYPE_TEXT_MAX];
    json_t *pools = json_object();
    for (size_t i = 0; i < u->pool_count; i++) {
        json_t *pool = json_pack("{s:o}", "values", values_of(u, &u->pools[i], type));
        if (u->pools[i].fallback >= 0)
            json_object_set_new(pool, "fallback", json_string(u->pools[u->pools[i].fallback].name));
        json_object_set_new(pools, u->pools[i].name, pool);
    }
    json_t *record =
        json_pack("{s:s, s:I, s:{s:o, s:O}}", "type", steer_type_format(type, text), "ttl",
                  (json_int_t)u->steered->steered.ttl_s, "dynamic", "pools", pools, "rules", rules);
    put_backup(u, type, record);
    json_t *health = healthcheck_of(u);
    if (json_object_size(health))
        json_object_set_new(record, "octodns", json_pack("{s:O}", "healthcheck", health));
    json_decref(health);
    json_array_append_new(records, record);
}

// Which types the pools' endpoints have data for.
static bool gives(const struct unsteer *u, uint16_t type)
{
    for (size_t i = 0; i < u->pool_count; i++) {
        const struct steer_node *step = u->pools[i].step;
        const struct steer_object *pool =
            step->kind == STEER_NODE_POOL ? steer_catalog_get(u->catalog, STEER_POOL, step->name)
                                          : NULL;
        uint32_t count = pool ? pool->pool.member_count : 1;
        for (uint32_t k = 0; k < count; k++) {
            const char *name = pool ? pool->pool.members[k].endpoint : step->name;
            json_t *data =
                address_of(&steer_catalog_get(u->catalog, STEER_ENDPOINT, name)->endpoint, type);
            json_decref(data);
            if (data)
                return true;
        }
    }
    return false;
}

static void put_records(struct unsteer *u, json_t *records)
{
    json_t *rules = rules_of(u);
    if (u->steered->steered.kind == STEER_STEERED_CNAME) {
        put_record(u, STEER_TYPE_CNAME, rules, records);
    } else {
        if (gives(u, STEER_TYPE_A))
            put_record(u, STEER_TYPE_A, rules, records);
        if (gives(u, STEER_TYPE_AAAA))
            put_record(u, STEER_TYPE_AAAA, rules, records);
    }
    json_decref(rules);
}

void octodns_unsteer(const struct steer_catalog *catalog, const struct steer_object *steered,
                     struct octodns_loss *loss, json_t *records)
{
    struct unsteer u = {.catalog = catalog, .steered = steered, .loss = loss};
    char owner[STEER_NAME_TEXT_MAX];
    size_t before = loss->notes->count;
    steer_name_format(steered->steered.owner.octets, owner);
    owner[strlen(owner) - 1] = '\0';
    snprintf(u.base, sizeof u.base, "%s%s", *owner == '*' ? "_wildcard" : "",
             *owner == '*' ? owner + 1 : owner);
    const struct steer_steered *record = &steered->steered;
    if (record->draw.mode != STEER_DRAW_RANDOM)
        octodns_lost(loss, steered->at, "%s: its draw, which is not random", steered->name);
    if (record->kind != STEER_STEERED_ADDRESS && record->kind != STEER_STEERED_CNAME)
        octodns_lost(loss, steered->at, "%s: octoDNS steers A, AAAA and CNAME", steered->name);
    read_root(&u, record->tree);
    if (loss->notes->count == before)
        octodns_order_rules(&u.set);
    if (loss->notes->count == before)
        put_records(&u, records);
    octodns_ruleset_fini(&u.set);
    free(u.pools);
}
