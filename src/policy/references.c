// SPDX-License-Identifier: GPL-3.0-or-later
// Who names whom. Each object knows its places in the lists of what it names, and those lists know
// theirs in the object, so that either end goes without a search. A name that is named but not (or no longer)
// there has its list too.
#include <stdlib.h>
#include <string.h>

#include "decide_internal.h"
#include "steerd/base/hash.h"

struct edge {
    uint32_t node; // the other end
    uint32_t slot; // in the other end's list
};

struct edges {
    struct edge *items;
    size_t count, cap;
};

struct node {
    enum steer_kind kind;
    char *name;
    bool there;         // an object has the name
    struct edges users; // who names it
    struct edges named; // whom it names
    uint32_t round;     // the last gathering that met it
};

struct steer_references {
    struct steer_map index[STEER_KINDS]; // name -> node
    struct node *nodes;
    size_t count, cap;
    uint32_t *free;
    size_t free_count, free_cap;
    uint32_t round;
};

// ---- what an object names ------------------------------------------------------------------------

struct naming {
    void (*visit)(void *ctx, enum steer_kind kind, const char *name);
    void *ctx;
};

static void visit_tree(const struct naming *n, const struct steer_node *node)
{
    if (node->kind == STEER_NODE_ENDPOINT)
        n->visit(n->ctx, STEER_ENDPOINT, node->name);
    else if (node->kind == STEER_NODE_POOL)
        n->visit(n->ctx, STEER_POOL, node->name);
    else if (node->kind == STEER_NODE_USE)
        n->visit(n->ctx, STEER_POLICY, node->name);
    else if (node->kind == STEER_NODE_LATENCY && node->name)
        n->visit(n->ctx, STEER_LATENCY, node->name);
    else if (node->kind == STEER_NODE_SWITCH)
        n->visit(n->ctx, STEER_SWITCH, node->name);
    for (uint32_t i = 0; i < node->child_count; i++) {
        if (node->children[i].site)
            n->visit(n->ctx, STEER_SITE, node->children[i].site);
        visit_tree(n, node->children[i].node);
    }
    if (node->substitute)
        visit_tree(n, node->substitute);
}

// A target without a kind names whatever has its name; a record, whatever is steered there.
static void visit_assertion(const struct naming *n, const struct steer_assertion *a)
{
    static const enum steer_kind kinds[] = {STEER_POOL, STEER_ENDPOINT, STEER_SITE};
    for (uint32_t i = 0; i < a->target_count; i++)
        for (unsigned k = 0; k < STEER_ARRAY_LEN(kinds); k++)
            if (a->targets[i].kind == STEER_KINDS || a->targets[i].kind == kinds[k])
                n->visit(n->ctx, kinds[k], a->targets[i].name);
    for (uint32_t i = 0; i < a->record_count; i++) {
        char name[STEER_STEERED_NAME_MAX];
        for (unsigned k = 0; steer_steered_name(&a->records[i], k, name); k++)
            n->visit(n->ctx, STEER_STEERED, name);
    }
}

static void visit_named(const struct naming *n, const struct steer_object *object)
{
    switch (object->kind) {
    case STEER_ENDPOINT:
        if (object->endpoint.site)
            n->visit(n->ctx, STEER_SITE, object->endpoint.site);
        for (uint32_t i = 0; i < object->endpoint.check_count; i++)
            n->visit(n->ctx, STEER_CHECK, object->endpoint.checks[i]);
        break;
    case STEER_POOL:
        for (uint32_t i = 0; i < object->pool.member_count; i++)
            n->visit(n->ctx, STEER_ENDPOINT, object->pool.members[i].endpoint);
        break;
    case STEER_POLICY:
        visit_tree(n, &object->tree);
        break;
    case STEER_STEERED:
        visit_tree(n, object->steered.tree);
        break;
    case STEER_ASSERTION:
        visit_assertion(n, &object->assertion);
        break;
    case STEER_SITE:
    case STEER_CHECK:
    case STEER_SWITCH:
    case STEER_LATENCY:
    case STEER_KINDS:
        break;
    }
}

// ---- nodes and edges -----------------------------------------------------------------------------

static uint32_t node_of(struct steer_references *r, enum steer_kind kind, const char *name)
{
    uint32_t at;
    if (steer_map_get(&r->index[kind], name, &at))
        return at;
    if (r->free_count) {
        at = r->free[--r->free_count];
    } else {
        r->nodes = steer_grow(r->nodes, &r->cap, r->count + 1, sizeof *r->nodes);
        at = (uint32_t)r->count++;
    }
    r->nodes[at] = (struct node){.kind = kind, .name = steer_strdup(name)};
    steer_map_put(&r->index[kind], name, at);
    return at;
}

// Lets a node go that is neither there nor named.
static void node_release(struct steer_references *r, uint32_t at)
{
    struct node *node = &r->nodes[at];
    if (node->there || node->users.count)
        return;
    steer_map_remove(&r->index[node->kind], node->name);
    free(node->name);
    free(node->users.items);
    free(node->named.items);
    *node = (struct node){0};
    r->free = steer_grow(r->free, &r->free_cap, r->free_count + 1, sizeof *r->free);
    r->free[r->free_count++] = at;
}

static void edges_add(struct edges *edges, struct edge edge)
{
    edges->items = steer_grow(edges->items, &edges->cap, edges->count + 1, sizeof *edges->items);
    edges->items[edges->count++] = edge;
}

struct entering {
    struct steer_references *references;
    uint32_t from;
};

static void enter(void *ctx, enum steer_kind kind, const char *name)
{
    const struct entering *e = ctx;
    struct steer_references *r = e->references;
    const uint32_t to = node_of(r, kind, name);
    struct edges *users = &r->nodes[to].users;
    struct edges *named = &r->nodes[e->from].named;
    // What the object named before came last.
    if (users->count && users->items[users->count - 1].node == e->from)
        return;
    edges_add(users, (struct edge){e->from, (uint32_t)named->count});
    edges_add(named, (struct edge){to, (uint32_t)users->count - 1});
}

static void forget_named(struct steer_references *r, uint32_t at)
{
    struct node *node = &r->nodes[at];
    for (size_t i = 0; i < node->named.count; i++) {
        const struct edge edge = node->named.items[i];
        struct edges *users = &r->nodes[edge.node].users;
        users->items[edge.slot] = users->items[--users->count];
        if (edge.slot < users->count) {
            const struct edge moved = users->items[edge.slot];
            r->nodes[moved.node].named.items[moved.slot].slot = edge.slot;
        }
        if (edge.node != at)
            node_release(r, edge.node);
    }
    node->named.count = 0;
}

void steer_references_put(struct steer_references *r, const struct steer_object *object)
{
    const uint32_t at = node_of(r, object->kind, object->name);
    forget_named(r, at);
    r->nodes[at].there = true;
    const struct naming naming = {enter, &(struct entering){r, at}};
    visit_named(&naming, object);
}

void steer_references_remove(struct steer_references *r, enum steer_kind kind, const char *name)
{
    uint32_t at;
    if (!steer_map_get(&r->index[kind], name, &at))
        return;
    forget_named(r, at);
    r->nodes[at].there = false;
    node_release(r, at);
}

struct steer_references *steer_references_create(const struct steer_catalog *catalog)
{
    struct steer_references *r = steer_calloc(1, sizeof *r);
    for (enum steer_kind kind = STEER_SITE; kind < STEER_KINDS; kind++)
        for (size_t i = 0; i < steer_catalog_count(catalog, kind); i++)
            steer_references_put(r, steer_catalog_at(catalog, kind, i));
    return r;
}

void steer_references_destroy(struct steer_references *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++) {
        free(r->nodes[i].name);
        free(r->nodes[i].users.items);
        free(r->nodes[i].named.items);
    }
    for (int kind = 0; kind < STEER_KINDS; kind++)
        steer_map_fini(&r->index[kind]);
    free(r->nodes);
    free(r->free);
    free(r);
}

// ---- what a change reaches -----------------------------------------------------------------------

struct reach {
    uint32_t *todo;
    size_t count, cap;
};

static void meet(struct steer_references *r, struct reach *reach, uint32_t at)
{
    if (r->nodes[at].round == r->round)
        return;
    r->nodes[at].round = r->round;
    reach->todo = steer_grow(reach->todo, &reach->cap, reach->count + 1, sizeof *reach->todo);
    reach->todo[reach->count++] = at;
}

void steer_references_reach(struct steer_references *r, const struct steer_change *changes,
                            size_t count,
                            void (*visit)(void *ctx, enum steer_kind kind, const char *name),
                            void *ctx)
{
    struct reach reach = {0};
    uint32_t at;
    r->round++;
    for (size_t i = 0; i < count; i++) {
        if (steer_map_get(&r->index[changes[i].kind], changes[i].name, &at))
            meet(r, &reach, at);
        else // nobody named it
            visit(ctx, changes[i].kind, changes[i].name);
    }
    while (reach.count) {
        at = reach.todo[--reach.count];
        visit(ctx, r->nodes[at].kind, r->nodes[at].name);
        for (size_t i = 0; i < r->nodes[at].users.count; i++)
            meet(r, &reach, r->nodes[at].users.items[i].node);
    }
    free(reach.todo);
}
