// SPDX-License-Identifier: GPL-3.0-or-later
// Pools and rules of octoDNS -> objects of ours and a tree; A and AAAA of one name become one.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "octodns_internal.h"

enum { NAME_MAX_LEN = 63 };

// ---- names ---------------------------------------------------------------------------------------

// A name of an object like `wanted` that is free in the section.
static const char *claim(struct steer_parse *p, const json_t *section, const char *wanted)
{
    struct steer_buf name = {0};
    char tail[24] = "";
    if (strlen(wanted) > NAME_MAX_LEN)
        snprintf(tail, sizeof tail, "-%08x", (unsigned)steer_hash_string(wanted));
    for (unsigned i = 1;; i++) {
        if (i > 1)
            snprintf(tail, sizeof tail, "-%08x-%u", (unsigned)steer_hash_string(wanted), i);
        size_t room = NAME_MAX_LEN - strlen(tail), len = strlen(wanted);
        steer_buf_clear(&name);
        steer_buf_add(&name, wanted, len < room ? len : room);
        steer_buf_puts(&name, tail);
        for (size_t k = 0; k < name.len; k++)
            if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-",
                        name.data[k]))
                name.data[k] = '-';
        if (!json_object_get(section, name.data))
            break;
    }
    const char *claimed = steer_arena_strdup(p->arena, name.data);
    steer_buf_fini(&name);
    return claimed;
}

// ---- whether A and AAAA are alike ----------------------------------------------------------------

struct difference {
    struct steer_parse *p;
    const struct octodns_dynamic *a, *b;
};

static void STEER_PRINTF(3, 4)
    differ(const struct difference *d, struct steer_where at, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    steer_doc_fail(d->p, at,
                   "A and AAAA of this name are steered as one here, and differ: %s; make them "
                   "alike, or give them two names",
                   text);
}

static const struct octodns_pool *pool_of(const struct octodns_dynamic *d, const char *name)
{
    for (size_t i = 0; i < d->pool_count; i++)
        if (strcmp(d->pools[i].name, name) == 0)
            return &d->pools[i];
    return NULL;
}

static const char *fallback_name(const struct octodns_dynamic *d, const struct octodns_pool *pool)
{
    return pool->fallback < 0 ? "none" : d->pools[pool->fallback].name;
}

static void compare_pool(const struct difference *d, const struct octodns_pool *a)
{
    const struct octodns_pool *b = pool_of(d->b, a->name);
    if (!b) {
        differ(d, d->b->at, "only A has pool '%.60s'", a->name);
        return;
    }
    if (strcmp(fallback_name(d->a, a), fallback_name(d->b, b)) != 0)
        differ(d, b->at, "pool '%.60s' falls back to %.60s for A and %.60s for AAAA", a->name,
               fallback_name(d->a, a), fallback_name(d->b, b));
    if (a->count != b->count) {
        differ(d, b->at, "pool '%.60s' has %zu values for A and %zu for AAAA", a->name, a->count,
               b->count);
        return;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (a->values[i].weight != b->values[i].weight)
            differ(d, b->values[i].at,
                   "value %zu of pool '%.60s' has weight %u for A and %u for AAAA", i + 1, a->name,
                   a->values[i].weight, b->values[i].weight);
        if (a->values[i].status != b->values[i].status)
            differ(d, b->values[i].at, "value %zu of pool '%.60s' has another status for AAAA",
                   i + 1, a->name);
    }
}

static bool same_set(const json_t *a, const json_t *b)
{
    size_t i, k, found = 0;
    const json_t *x, *y;
    json_array_foreach(a, i, x) json_array_foreach(b, k, y) found += json_equal(x, y) != 0;
    return json_array_size(a) == json_array_size(b) && found == json_array_size(a);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void compare(const struct difference *d)
{
    const struct octodns_dynamic *a = d->a, *b = d->b;
    if (a->ttl_s != b->ttl_s)
        differ(d, b->at, "the TTL is %u for A and %u for AAAA", a->ttl_s, b->ttl_s);
    if (strcmp(a->health.protocol, b->health.protocol) != 0 || a->health.port != b->health.port ||
        !same_text(a->health.host, b->health.host) || !same_text(a->health.path, b->health.path))
        differ(d, b->at, "their health checks");
    for (size_t i = 0; i < a->pool_count; i++)
        compare_pool(d, &a->pools[i]);
    for (size_t i = 0; i < b->pool_count; i++)
        if (!pool_of(a, b->pools[i].name))
            differ(d, b->pools[i].at, "only AAAA has pool '%.60s'", b->pools[i].name);
    if (a->rule_count != b->rule_count)
        differ(d, b->at, "A has %zu rules and AAAA %zu", a->rule_count, b->rule_count);
    for (size_t i = 0; i < a->rule_count && i < b->rule_count; i++)
        if (strcmp(a->pools[a->rules[i].pool].name, b->pools[b->rules[i].pool].name) != 0 ||
            !same_set(a->rules[i].geos, b->rules[i].geos) ||
            !same_set(a->rules[i].subnets, b->rules[i].subnets))
            differ(d, b->rules[i].at, "rule %zu", i + 1);
}

// ---- objects -------------------------------------------------------------------------------------

struct merge {
    struct steer_parse *p;
    struct octodns_sections *to;
    const char *base;
    const struct octodns_dynamic *main, *twin;
    json_t *checks;     // the names of those of an endpoint that obeys
    const char **pools; // the names of the made ones; NULL: nothing in it is ever given
};

static void make_check(struct merge *m, bool v6)
{
    const struct octodns_health *h = &m->main->health;
    struct steer_buf wanted = {0};
    steer_buf_printf(&wanted, "%s%s", m->base, v6 && m->twin ? "-v6" : "");
    const char *name = claim(m->p, m->to->checks, wanted.data);
    steer_buf_fini(&wanted);
    bool tcp = strcmp(h->protocol, "TCP") == 0, https = strcmp(h->protocol, "HTTPS") == 0;
    json_t *check = json_pack("{s:s, s:i}", "type",
                              tcp     ? "tcp"
                              : https ? "https"
                                      : "http",
                              "port", (int)h->port);
    if (!tcp) {
        json_object_set_new(check, "path", json_string(h->path));
        if (h->host)
            json_object_set_new(check, "host", json_string(h->host));
        json_object_set_new(check, "expect_status", json_integer(200));
    }
    if (https)
        json_object_set_new(check, "verify", json_false());
    if (v6)
        json_object_set_new(check, "family", json_string("ipv6"));
    json_object_set_new(m->to->checks, name, check);
    json_array_append_new(m->checks, json_string(name));
}

static void make_checks(struct merge *m)
{
    bool v6 = strcmp(m->main->type, "AAAA") == 0;
    m->checks = json_array();
    if (!m->main->obeys)
        return;
    if (strcmp(m->main->type, "CNAME") == 0) {
        steer_doc_warn(m->p, m->main->at,
                       "steerd does not probe hostnames: all values of this record count as up");
        return;
    }
    make_check(m, v6);
    if (m->twin)
        make_check(m, true);
}

static json_t *make_endpoint(const struct merge *m, const struct octodns_value *value,
                             const struct octodns_value *twin)
{
    const char *type = m->main->type;
    json_t *endpoint = json_object();
    json_object_set_new(endpoint,
                        strcmp(type, "A") == 0      ? "ipv4"
                        : strcmp(type, "AAAA") == 0 ? "ipv6"
                                                    : "hostname",
                        json_string(value->text));
    if (twin)
        json_object_set_new(endpoint, "ipv6", json_string(twin->text));
    if (value->status == OCTODNS_OBEY && json_array_size(m->checks) == 1)
        json_object_set(endpoint, "check", json_array_get(m->checks, 0));
    else if (value->status == OCTODNS_OBEY && json_array_size(m->checks))
        json_object_set(endpoint, "checks", m->checks);
    return endpoint;
}

// One that is never given belongs to no pool; labels keep what the way back needs.
static void label_down(json_t *endpoint, const char *pool, unsigned weight)
{
    char digits[16];
    snprintf(digits, sizeof digits, "%u", weight);
    json_object_set_new(
        endpoint, "labels",
        json_pack("{s:s, s:s}", OCTODNS_POOL_LABEL, pool, OCTODNS_WEIGHT_LABEL, digits));
}

static void make_pool(struct merge *m, size_t index)
{
    const struct octodns_pool *pool = &m->main->pools[index];
    const struct octodns_pool *twin = m->twin ? pool_of(m->twin, pool->name) : NULL;
    struct steer_buf wanted = {0};
    steer_buf_printf(&wanted, "%s.%s", m->base, pool->name);
    const char *name = claim(m->p, m->to->pools, wanted.data);
    json_t *members = json_object();
    for (size_t i = 0; i < pool->count; i++) {
        const struct octodns_value *value = &pool->values[i];
        json_t *endpoint = make_endpoint(m, value, twin ? &twin->values[i] : NULL);
        steer_buf_clear(&wanted);
        steer_buf_printf(&wanted, "%s-%zu", name, i + 1);
        const char *own = claim(m->p, m->to->endpoints, wanted.data);
        if (value->status == OCTODNS_DOWN)
            label_down(endpoint, name, value->weight);
        else
            json_object_set_new(members, own, json_integer((json_int_t)value->weight));
        json_object_set_new(m->to->endpoints, own, endpoint);
    }
    steer_buf_fini(&wanted);
    if (pool->usable) {
        json_object_set_new(m->to->pools, name,
                            json_pack("{s:o, s:s}", "endpoints", members, "pick", "one"));
        m->pools[index] = name;
        return;
    }
    steer_doc_warn(m->p, pool->at,
                   "all values of pool '%.60s' are down: it is left out, and what goes to it goes "
                   "to its fallback",
                   pool->name);
    json_decref(members);
}

// ---- the tree ------------------------------------------------------------------------------------

static json_t *make_answer(const struct merge *m)
{
    json_t *data = json_pack("{s:O}", m->main->type, m->main->backup);
    if (m->twin)
        json_object_set(data, m->twin->type, m->twin->backup);
    return json_pack("{s:o}", "answer", data);
}

// A pool, its fallbacks, and in the end the record's own values, which no check takes away.
static json_t *make_target(const struct merge *m, unsigned index)
{
    json_t *chain = json_array();
    for (int at = (int)index; at >= 0; at = m->main->pools[at].fallback)
        if (m->pools[at])
            json_array_append_new(chain, json_pack("{s:s}", "pool", m->pools[at]));
    if (json_array_size(chain) == 0) {
        json_decref(chain);
        return make_answer(m);
    }
    json_array_append_new(chain, make_answer(m));
    return json_pack("{s:o}", "failover", chain);
}

// The rules with such targets, as a node around the default.
static json_t *make_node(const struct merge *m, const char *kind, bool geo, json_t *otherwise)
{
    json_t *rules = json_array();
    for (size_t i = 0; i < m->main->rule_count; i++) {
        const struct octodns_rule *rule = &m->main->rules[i];
        json_t *match = geo ? rule->geos : rule->subnets;
        if (json_array_size(match))
            json_array_append_new(
                rules, json_pack("{s:O, s:o}", "match", match, "to", make_target(m, rule->pool)));
    }
    if (json_array_size(rules))
        return json_pack("{s:{s:o, s:o}}", kind, "rules", rules, "default", otherwise);
    json_decref(rules);
    return otherwise;
}

json_t *octodns_merge(struct steer_parse *p, struct octodns_sections *sections, const char *base,
                      const struct octodns_dynamic *dynamic, const struct octodns_dynamic *twin)
{
    struct merge m = {.p = p, .to = sections, .base = base, .main = dynamic, .twin = twin};
    if (twin)
        compare(&(struct difference){p, dynamic, twin});
    if (p->err)
        return NULL;
    make_checks(&m);
    m.pools = steer_calloc(dynamic->pool_count, sizeof *m.pools);
    for (size_t i = 0; i < dynamic->pool_count; i++)
        make_pool(&m, i);
    const struct octodns_rule *last = &dynamic->rules[dynamic->rule_count - 1];
    bool catchall = json_array_size(last->geos) + json_array_size(last->subnets) == 0;
    json_t *tree = catchall ? make_target(&m, last->pool) : make_answer(&m);
    tree = make_node(&m, "geo", true, tree);
    tree = make_node(&m, "network", false, tree);
    free(m.pools);
    json_decref(m.checks);
    return tree;
}
