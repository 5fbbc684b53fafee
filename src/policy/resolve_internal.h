// SPDX-License-Identifier: GPL-3.0-or-later
// What the modules of resolving share: one run over a tree for one client.
#ifndef STEERD_POLICY_RESOLVE_INTERNAL_H
#define STEERD_POLICY_RESOLVE_INTERNAL_H

#include "decide_internal.h"

struct steer_resolver {
    struct steer_residuals *store;
    const struct steer_catalog *catalog;
    const struct steer_object *steered;
    struct steer_ptrmap cache;   // inner node or pool object -> struct cached
    struct steer_ptrmap fields;  // ranked node -> struct field (resolve_ranked.c)
    struct steer_ptrmap arounds; // root -> struct around (resolve_rehearsal.c)
    struct steer_arena arena;    // of fields and arounds
    uint32_t cut;                // so many of a ranking are kept in order; 0: all
    uint32_t run;
    const struct steer_client *client;
    json_t *trace;
};

// Where a node stands, and whether anything in it depended on the client.
struct steer_stand {
    const struct steer_object *owner;
    bool depends;
};

struct steer_siblings {
    struct steer_residual **items;
    uint16_t *weights;
    uint32_t count;
};
void steer_siblings_init(struct steer_siblings *list, uint32_t cap);
void steer_siblings_fini(struct steer_siblings *list); // not the references of the items

// The caller owns one reference to what these return.
struct steer_residual *steer_resolve_node(struct steer_resolver *v, const struct steer_node *node,
                                          struct steer_stand *stand);
// Interns an inner node, or what it amounts to: nothing where no child is left, and the child
// itself where there is one and the node adds no option. Takes the references of the list.
struct steer_residual *steer_resolve_inner(struct steer_resolver *v, enum steer_residual_kind kind,
                                           const struct steer_node *node,
                                           struct steer_siblings *list, struct steer_stand *stand);

// resolve_client.c
struct steer_residual *steer_resolve_geo(struct steer_resolver *v, const struct steer_node *node,
                                         struct steer_stand *stand);
struct steer_residual *steer_resolve_network(struct steer_resolver *v,
                                             const struct steer_node *node,
                                             struct steer_stand *stand);
// How a child is called in traces: "pool eu", "failover".
const char *steer_child_label(const struct steer_child *child, char *out, size_t size);

// resolve_rehearsal.c: the root with what is forced for the client alone around it, or as it is. Takes the reference.
struct steer_residual *steer_resolve_rehearsal(struct steer_resolver *v,
                                               struct steer_residual *root);
void steer_resolve_rehearsal_fini(struct steer_resolver *v);

// resolve_ranked.c
struct steer_residual *steer_resolve_ranked(struct steer_resolver *v, const struct steer_node *node,
                                            struct steer_stand *stand);

#endif
