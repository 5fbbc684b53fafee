// SPDX-License-Identifier: GPL-3.0-or-later
// Residual trees: what remains of a policy once everything that depends on the client is resolved
// (steering.md, "From client to class to distribution"). Floor 3.
//
// Hash-consed: equal expressions are one node. A store of them belongs to one thread (control, or a test).
#ifndef STEERD_POLICY_RESIDUAL_H
#define STEERD_POLICY_RESIDUAL_H

#include "steerd/geo/classmap.h"
#include "steerd/geo/geo.h"
#include "steerd/policy/model.h"
#include "steerd/policy/rehearsal.h"

enum steer_residual_kind {
    STEER_R_ENDPOINT, // object: the endpoint
    STEER_R_POOL,     // object: the pool; children: its endpoints with weights
    STEER_R_ANSWER,   // node: the fixed data
    STEER_R_WEIGHTED,
    STEER_R_FAILOVER, // ordered children: the first available one
    STEER_R_GEO,      // the same, from most to least specific place
    STEER_R_NETWORK,  // the same, from the longest to the shortest network
    STEER_R_NEAREST,  // the same, from the nearest to the farthest
    STEER_R_LATENCY,  // the same, from the least to the most milliseconds
    STEER_R_SWITCH,   // object: the switch; children: one for each of its positions, in their order
    STEER_R_FENCE,    // one child: terminal for the whole tree
    STEER_R_NONE,     // nothing matches the client
    // Only as a root, with one child: what is forced for these clients alone, as far as the child can tell.
    STEER_R_REHEARSAL,
};

struct steer_residual {
    enum steer_residual_kind kind;
    enum steer_when_unavailable when;
    struct steer_minimum min_available;
    uint32_t trickle_ppm;
    uint32_t child_count;
    struct steer_residual **children;
    uint16_t *weights;                 // pool, weighted
    struct steer_residual *substitute; // or NULL
    uint32_t effect_count;
    const struct steer_effect *effects; // rehearsal: sorted by steer_effects_sort
    const struct steer_object *object;  // endpoint, pool, switch (a reference is held)
    const struct steer_node *node;      // answer; lives in `owner`
    const struct steer_object *owner;   // the object that `node` lives in (a reference is held)
    uint64_t hash;
    uint64_t name;  // of what it is called, or of what its first child is; weights play no part
    uint8_t height; // of a leaf 0; what holds nothing but one child has its
    uint32_t refs;
};

struct steer_residuals; // the hash-consing store
struct steer_residuals *steer_residuals_create(void);
void steer_residuals_destroy(
    struct steer_residuals *store); // all residuals must have been released
// Distinct residuals that are in it.
size_t steer_residuals_count(const struct steer_residuals *store);
// Another reference; counts are not atomic, as the store belongs to one thread.
struct steer_residual *steer_residual_ref(struct steer_residual *residual);
// NULL is accepted. The last one frees it and lets its parts go.
void steer_residual_unref(struct steer_residuals *store, struct steer_residual *residual);

// Who asks, as far as a policy can tell.
struct steer_client {
    const struct steer_location *location;
    // NULL: none of the tree's CIDRs holds the client. Else a prefix that does not go beyond any of those that hold
    // the client, nor into one that does not: the longest of them, or the client's address itself.
    const struct steer_prefix *network;
};

// Resolves a steered record's tree for one client. The catalogue was checked. trace: NULL, or a JSON
// array that receives one object per visited client-dependent node and `use`:
// {"node":"geo","at":"records/api","client":"EU-DE","matched":["EU"],"candidates":[...]}.
// The caller owns one reference.
struct steer_residual *steer_residual_resolve(struct steer_residuals *store,
                                              const struct steer_catalog *catalog,
                                              const struct steer_object *steered,
                                              const struct steer_client *client, json_t *trace);

// What it does, whichever way the document says it: `failover` for every ordered list, without what repeats an earlier
// child or holds nobody, and a lone child without the list around it. Clients are in one class when the plain forms of their
// residuals are the same pointer. The caller owns one reference.
struct steer_residual *steer_residual_plain(struct steer_residuals *store,
                                            struct steer_residual *residual);

// The clients of a location who are in a network of the tree and in no longer one.
struct steer_class_pair {
    uint32_t location;
    uint32_t network; // index into networks
    uint16_t class_index;
};

// All classes of a steered record over a geo database.
struct steer_classes {
    uint32_t class_count;
    struct steer_residual **roots; // one per class, a reference each
    uint32_t location_count;
    uint16_t *class_of;     // location index -> class, of clients in none of the networks
    uint32_t network_count; // the CIDRs of the tree, sorted; value: their index
    struct steer_nested *networks;
    uint32_t pair_count; // where clients are, in order of network and location
    struct steer_class_pair *pairs;
    // So many of a ranking are in order, and the others follow by name, since there would be too many classes;
    // 0: all.
    uint32_t ranked_first;
    uint64_t locations_hash; // of class_of
    uint64_t map_hash;       // of what the class table is made of: records with equal ones share it
};
// Errors: STEER_ELIMIT (more than 65,535 classes), with diag.
enum steer_err steer_classes_compile(struct steer_residuals *store,
                                     const struct steer_catalog *catalog,
                                     const struct steer_object *steered,
                                     const struct steer_geo *geo, struct steer_classes *classes,
                                     struct steer_diag *diag) STEER_MUST_USE;
// The same result, from the classes of the same record with the same catalogue and geo data, but for what is forced for
// some clients only: nobody is resolved who is in none of the networks. before: of a compilation, with its roots.
enum steer_err
steer_classes_compile_again(struct steer_residuals *store, const struct steer_catalog *catalog,
                            const struct steer_object *steered, const struct steer_geo *geo,
                            const struct steer_classes *before, struct steer_classes *classes,
                            struct steer_diag *diag) STEER_MUST_USE;
// A table in the same store and over the same geo data, of classes that are alike.
struct steer_classes_like {
    const struct steer_classmap *map;
    const struct steer_classes *classes;
};
// The class table, over the same geo data. The caller destroys it. like: NULL, or what saves most of the time. NULL: the
// store is full.
struct steer_classmap *steer_classes_map(const struct steer_classes *classes,
                                         const struct steer_geo *geo,
                                         struct steer_classmap_store *store,
                                         const struct steer_classes_like *like);
// Whether the tables would be equal but for clients in networks.
bool steer_classes_alike(const struct steer_classes *a, const struct steer_classes *b);
// Takes everything but the roots, for the one who keeps the table; fini frees it.
struct steer_classes steer_classes_take_map(struct steer_classes *classes);
// The class of a client whose address and location these are.
uint16_t steer_classes_find(const struct steer_classes *classes, uint32_t location,
                            const struct steer_addr *addr);
// Whether the tables would be equal.
bool steer_classes_equal(const struct steer_classes *a, const struct steer_classes *b);
// Releases the roots and frees the rest; of classes whose map was taken, the roots.
void steer_classes_fini(struct steer_residuals *store, struct steer_classes *classes);

#endif
