// SPDX-License-Identifier: GPL-3.0-or-later
// What only the whole catalogue can tell: every reference, loops, depth, and what a record's tree
// can give. Each object is looked at once; what a policy or pool amounts to is remembered. After an edit
// only what it reaches is looked at.
#include <string.h>

#include "check_internal.h"
#include "steerd/base/hash.h"
#include "steerd/rr/type.h"
#include "steerd/wire/message.h"

enum { GIVES_A = 1, GIVES_AAAA = 2, GIVES_CNAME = 4, GIVES_MX = 8, GIVES_SRV = 16, GIVES_TXT = 32 };

// ---- what objects give ---------------------------------------------------------------------------

static uint8_t endpoint_gives(const struct steer_endpoint *e)
{
    return (uint8_t)((e->has_v4 ? GIVES_A : 0) | (e->has_v6 ? GIVES_AAAA : 0) |
                     (e->has_hostname ? GIVES_CNAME | GIVES_MX : 0) |
                     (e->srv_port ? GIVES_SRV : 0));
}

static uint8_t pool_gives(struct checker *c, const struct steer_object *object)
{
    enum { KNOWN = 0x80 };
    const struct steer_pool *pool = &object->pool;
    void **known = steer_ptrmap_at(&c->pool_gives, (uintptr_t)object);
    uint8_t gives = (uint8_t)(uintptr_t)*known;
    for (uint32_t i = 0; !(gives & KNOWN) && i < pool->member_count; i++) {
        const struct steer_object *endpoint =
            steer_catalog_get(c->catalog, STEER_ENDPOINT, pool->members[i].endpoint);
        if (endpoint)
            gives |= endpoint_gives(&endpoint->endpoint);
    }
    *known = (void *)(uintptr_t)(gives | KNOWN);
    return gives & (uint8_t)~KNOWN;
}

// ---- trees ---------------------------------------------------------------------------------------

static void note(struct spot *spot, struct spot found)
{
    if (!spot->node)
        *spot = found;
}

static void merge(struct facts *into, const struct facts *from, uint8_t levels_above)
{
    into->gives |= from->gives;
    into->by_client |= from->by_client;
    if (from->depth + levels_above > into->depth)
        into->depth = (uint8_t)(from->depth + levels_above);
    note(&into->serve_none, from->serve_none);
    note(&into->negative, from->negative);
    note(&into->several, from->several);
}

static enum steer_err walk(struct checker *c, const struct steer_object *object,
                           const struct steer_node *node, unsigned level, struct facts *facts);

static enum steer_err loop(const struct checker *c, const struct steer_object *object,
                           const struct steer_node *node, const struct steer_object *closing)
{
    struct steer_buf path = {0};
    uint32_t i = 0;
    while (c->stack[i] != closing)
        i++;
    for (; i < c->stack_count; i++)
        steer_buf_printf(&path, "%s -> ", c->stack[i]->name);
    steer_buf_puts(&path, closing->name);
    enum steer_err err = check_fail(c, object, node->at, "policy loop: %s", path.data);
    steer_buf_fini(&path);
    return err;
}

static enum steer_err too_deep(const struct checker *c, const struct steer_object *object,
                               const struct steer_node *node)
{
    return check_fail(c, object, node->at, "nodes nest deeper than %d%s%s", STEER_DEPTH_MAX,
                      node->kind == STEER_NODE_USE ? ", through policy " : "",
                      node->kind == STEER_NODE_USE ? node->name : "");
}

static struct policy_facts *facts_of(struct checker *c, const struct steer_object *policy)
{
    void **at = steer_ptrmap_at(&c->policies, (uintptr_t)policy);
    if (!*at)
        *at = steer_arena_calloc(&c->arena, sizeof(struct policy_facts));
    return *at;
}

// The facts of a policy, on its first use or at its turn. from and node are NULL at its turn.
static enum steer_err visit_policy(struct checker *c, const struct steer_object *object,
                                   const struct steer_object *from, const struct steer_node *node)
{
    struct policy_facts *policy = facts_of(c, object);
    if (policy->visit == VISITED)
        return STEER_OK;
    if (policy->visit == UNDER_WAY)
        return loop(c, from, node, object);
    if (c->stack_count == STEER_DEPTH_MAX)
        return too_deep(c, from, node);
    policy->visit = UNDER_WAY;
    c->stack[c->stack_count++] = object;
    enum steer_err err = walk(c, object, &object->tree, 1, &policy->facts);
    c->stack_count--;
    policy->visit = VISITED;
    return err;
}

static enum steer_err walk_use(struct checker *c, const struct steer_object *object,
                               const struct steer_node *node, unsigned level, struct facts *facts)
{
    const struct steer_object *used = steer_catalog_get(c->catalog, STEER_POLICY, node->name);
    if (!used)
        return check_unknown(c, object, node->at, STEER_POLICY, node->name);
    enum steer_err err = visit_policy(c, used, object, node);
    if (err)
        return err;
    const struct facts *policy = &facts_of(c, used)->facts;
    if (level + policy->depth > STEER_DEPTH_MAX)
        return too_deep(c, object, node);
    merge(facts, policy, 1);
    return STEER_OK;
}

static enum steer_err walk_pool(struct checker *c, const struct steer_object *object,
                                const struct steer_node *node, struct facts *facts)
{
    const struct steer_object *pool = steer_catalog_get(c->catalog, STEER_POOL, node->name);
    if (!pool)
        return check_unknown(c, object, node->at, STEER_POOL, node->name);
    facts->gives = pool_gives(c, pool);
    if (check_gives_several(&pool->pool))
        facts->several = (struct spot){node, object};
    return STEER_OK;
}

static enum steer_err walk_leaf(struct checker *c, const struct steer_object *object,
                                const struct steer_node *node, struct facts *facts)
{
    if (node->kind == STEER_NODE_POOL)
        return walk_pool(c, object, node, facts);
    if (node->kind == STEER_NODE_ENDPOINT) {
        const struct steer_object *endpoint =
            steer_catalog_get(c->catalog, STEER_ENDPOINT, node->name);
        if (!endpoint)
            return check_unknown(c, object, node->at, STEER_ENDPOINT, node->name);
        facts->gives = endpoint_gives(&endpoint->endpoint);
    }
    for (uint32_t i = 0; i < node->fixed_count; i++) {
        uint16_t type = node->fixed[i].type;
        facts->gives |= (uint8_t)(type == STEER_TYPE_A       ? GIVES_A
                                  : type == STEER_TYPE_AAAA  ? GIVES_AAAA
                                  : type == STEER_TYPE_CNAME ? GIVES_CNAME
                                  : type == STEER_TYPE_MX    ? GIVES_MX
                                  : type == STEER_TYPE_SRV   ? GIVES_SRV
                                  : type == STEER_TYPE_TXT   ? GIVES_TXT
                                                             : 0);
    }
    return STEER_OK;
}

static bool is_ranked(const struct steer_node *node)
{
    return node->kind == STEER_NODE_NEAREST || node->kind == STEER_NODE_LATENCY;
}

// A negative answer carries scope 0, so that what one class of clients gets is cached for all of
// them (RFC 7871 7.4): below, at and above a geo or network alike.
static void judge_negative(const struct steer_node *node, struct spot here, struct facts *facts)
{
    const bool empty = node->kind == STEER_NODE_ANSWER && !node->fixed_count;
    if (node->when == STEER_WHEN_SERVE_NONE || empty) {
        note(&facts->serve_none, here);
        if (facts->by_client)
            note(&facts->negative, here);
    }
    const bool ruled = node->kind == STEER_NODE_GEO || node->kind == STEER_NODE_NETWORK;
    bool has_default = !ruled;
    if (!ruled && !is_ranked(node))
        return;
    for (uint32_t i = 0; i < node->child_count; i++)
        has_default |= node->children[i].is_default;
    facts->by_client = true;
    if (!has_default)
        note(&facts->negative, here);
    if (facts->serve_none.node)
        note(&facts->negative, facts->serve_none);
}

static enum steer_err walk(struct checker *c, const struct steer_object *object,
                           const struct steer_node *node, unsigned level, struct facts *facts)
{
    if (level > STEER_DEPTH_MAX)
        return too_deep(c, object, node);
    *facts = (struct facts){.depth = 1};
    enum steer_err err = node->kind == STEER_NODE_USE ? walk_use(c, object, node, level, facts)
                                                      : walk_leaf(c, object, node, facts);
    for (uint32_t i = 0; !err && i <= node->child_count; i++) {
        const struct steer_node *child =
            i < node->child_count ? node->children[i].node : node->substitute;
        struct facts below;
        if (!child)
            continue;
        err = walk(c, object, child, level + 1, &below);
        if (err)
            break;
        // Who comes to it depends on the client.
        if (facts->by_client && (node->kind == STEER_NODE_FAILOVER || child == node->substitute))
            note(&facts->negative, below.serve_none);
        merge(facts, &below, 1);
    }
    // The share that the others leave it does, and whether weight 0 has its turn.
    if (!err && node->kind == STEER_NODE_WEIGHTED && facts->by_client)
        note(&facts->negative, facts->serve_none);
    if (!err && is_ranked(node))
        err = check_ranked(c, object, node);
    if (!err && node->kind == STEER_NODE_SWITCH)
        err = check_switch(c, object, node);
    if (!err)
        judge_negative(node, (struct spot){node, object}, facts);
    return err;
}

// ---- steered records -----------------------------------------------------------------------------

static enum steer_err refuse_negative(const struct checker *c, const struct steer_object *record,
                                      struct spot spot)
{
    char owner[STEER_PATH_MAX];
    char path[STEER_PATH_MAX] = "";
    if (spot.in != record)
        snprintf(path, sizeof path, " (used by %.1000s)", steer_object_path(record, owner));
    if (spot.node->kind == STEER_NODE_ANSWER)
        return check_fail(
            c, spot.in, spot.node->at,
            "an empty answer in a tree that depends on the client%.500s: resolvers cache a "
            "negative answer for all their clients; give data, or say "
            "`allow_negative: true` in the record",
            path);
    if (spot.node->when == STEER_WHEN_SERVE_NONE)
        return check_fail(
            c, spot.in, spot.node->at,
            "serve_none in a tree that depends on the client%.500s: resolvers cache a negative "
            "answer for all their clients; give an `answer` as substitute instead, or say "
            "`allow_negative: true` in the record",
            path);
    return check_fail(
        c, spot.in, spot.node->at,
        "%s without default%.500s: clients elsewhere would get a negative answer, which "
        "resolvers cache for all their clients; add `default: {answer: ...}`, or say "
        "`allow_negative: true` in the record",
        steer_node_kind_text(spot.node->kind), path);
}

// A record must be able to give something.
static const struct {
    uint8_t gives;
    const char *missing;
} kinds[STEER_STEERED_KINDS] = {
    [STEER_STEERED_ADDRESS] = {GIVES_A | GIVES_AAAA, "nothing in it has an IPv4 or IPv6 address"},
    [STEER_STEERED_CNAME] = {GIVES_CNAME,
                             "nothing in it has a hostname, which a cname record gives"},
    [STEER_STEERED_MX] = {GIVES_MX, "nothing in it has a hostname, which an mx record gives"},
    [STEER_STEERED_SRV] = {GIVES_SRV,
                           "nothing in it has 'srv' with a port, which an srv record gives"},
    [STEER_STEERED_TXT] = {GIVES_TXT, "nothing in it is an `answer` with TXT, which a txt record "
                                      "gives"},
};

static enum steer_err check_steered(struct checker *c, const struct steer_object *object)
{
    const struct steer_steered *steered = &object->steered;
    struct facts facts;
    enum steer_err err = walk(c, object, steered->tree, 1, &facts);
    if (err)
        return err;
    struct steer_where at = steered->tree->at;
    bool cname = steered->kind == STEER_STEERED_CNAME;
    if (!(facts.gives & kinds[steered->kind].gives))
        return check_fail(c, object, at, "%s", kinds[steered->kind].missing);
    if (cname && facts.several.node)
        return check_fail(
            c, object, at,
            "pool '%s' gives several endpoints at once, but a cname record has one target; "
            "use `pick: one`",
            facts.several.node->name);
    if (facts.negative.node && !steered->allow_negative)
        return refuse_negative(c, object, facts.negative);
    return STEER_OK;
}

// ---- the whole, and what an edit reaches ---------------------------------------------------------

static enum steer_err check_one(struct checker *c, const struct steer_object *object)
{
    switch (object->kind) {
    case STEER_ENDPOINT:
        return check_endpoint(c, object);
    case STEER_POOL:
        return check_pool(c, object);
    case STEER_POLICY:
        return visit_policy(c, object, NULL, NULL);
    case STEER_STEERED:
        return check_steered(c, object);
    case STEER_ASSERTION:
        return check_assertion(c, object);
    case STEER_SITE:
    case STEER_CHECK:
    case STEER_SWITCH:
    case STEER_LATENCY:
    case STEER_KINDS:
        break;
    }
    return STEER_OK;
}

static void checker_init(struct checker *c, const struct steer_catalog *catalog,
                         struct steer_diag *diag)
{
    c->catalog = catalog;
    c->diag = diag;
    c->stack_count = 0;
    steer_ptrmap_init(&c->pool_gives);
    steer_ptrmap_init(&c->policies);
    steer_arena_init(&c->arena);
}

static void checker_fini(struct checker *c)
{
    steer_ptrmap_fini(&c->pool_gives);
    steer_ptrmap_fini(&c->policies);
    steer_arena_fini(&c->arena);
}

enum steer_err steer_catalog_check(const struct steer_catalog *catalog, struct steer_diag *diag)
{
    struct checker c;
    enum steer_err err = STEER_OK;
    checker_init(&c, catalog, diag);
    for (enum steer_kind kind = STEER_ENDPOINT; kind < STEER_KINDS && !err; kind++)
        for (size_t i = 0; i < steer_catalog_count(catalog, kind) && !err; i++)
            err = check_one(&c, steer_catalog_at(catalog, kind, i));
    checker_fini(&c);
    return err;
}

struct reached {
    struct checker checker;
    enum steer_err err;
};

static void check_reached(void *ctx, enum steer_kind kind, const char *name)
{
    struct reached *r = ctx;
    const struct steer_object *object = steer_catalog_get(r->checker.catalog, kind, name);
    if (object && r->err == STEER_OK)
        r->err = check_one(&r->checker, object);
}

// Whether anything is wrong does not depend on the order; which error is the first one does. Where there
// is one, the full check has the word.
enum steer_err steer_catalog_check_changes(const struct steer_catalog *catalog,
                                           struct steer_references *before,
                                           const struct steer_change *changes, size_t count,
                                           struct steer_diag *diag)
{
    struct reached reached = {.err = STEER_OK};
    checker_init(&reached.checker, catalog, NULL);
    steer_references_reach(before, changes, count, check_reached, &reached);
    checker_fini(&reached.checker);
    return reached.err == STEER_OK ? STEER_OK : steer_catalog_check(catalog, diag);
}
