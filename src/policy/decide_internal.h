// SPDX-License-Identifier: GPL-3.0-or-later
// What the modules of resolving and deciding share among themselves: a map from pointers, the
// interning of residuals, and the evaluator's working state.
#ifndef STEERD_POLICY_DECIDE_INTERNAL_H
#define STEERD_POLICY_DECIDE_INTERNAL_H

#include "steerd/policy/decide.h"

// ---- a map from non-zero integers or pointers to pointers, small ones without allocation --------

struct steer_ptrmap_entry {
    uintptr_t key;
    void *value;
};
enum { STEER_PTRMAP_FIRST = 64 };
struct steer_ptrmap {
    struct steer_ptrmap_entry *slots;
    size_t cap, used;
    struct steer_ptrmap_entry first[STEER_PTRMAP_FIRST];
};
void steer_ptrmap_init(struct steer_ptrmap *map); // the map must not move afterwards
void steer_ptrmap_fini(struct steer_ptrmap *map);
void steer_ptrmap_clear(struct steer_ptrmap *map);
// The place of the key's value, NULL in it when the key is new; valid until the next call.
void **steer_ptrmap_at(struct steer_ptrmap *map, uintptr_t key);

// ---- objects ------------------------------------------------------------------------------------

enum { STEER_PATH_MAX = 1200 };
// Where an object stands in its document: "records/api", "pools/eu"; returns out.
const char *steer_object_path(const struct steer_object *object, char out[STEER_PATH_MAX]);
// The objects of a kind, 0 to steer_catalog_count, in no order.
struct steer_object *steer_catalog_at(const struct steer_catalog *catalog, enum steer_kind kind,
                                      size_t index);
// The centre of a site: its own point, else that of its country. False where there is neither.
bool steer_site_point(const struct steer_site *site, double *lat, double *lon);
// The client's point, or the centre of its country; false where neither is known.
bool steer_location_point(const struct steer_location *location, double *lat, double *lon);
// The sites of all endpoints that a child may give, each once, in order of name: its own where it names one.
// The catalogue has no loops. The array is the caller's.
const struct steer_object **steer_child_sites(const struct steer_catalog *catalog,
                                              const struct steer_child *child, size_t *count);
// How many of count members must be available: at least 1.
uint32_t steer_minimum_need(struct steer_minimum minimum, uint32_t count);
// Equal RRsets, wherever they stand.
bool steer_fixed_equal(const struct steer_fixed *a, const struct steer_fixed *b);
uint64_t steer_fixed_hash(const struct steer_fixed *fixed);
bool steer_endpoint_gives(const struct steer_endpoint *endpoint, uint16_t type);
// Octets that the endpoint adds at most to an RRset of the type (render.c); 0: it gives none.
size_t steer_endpoint_octets(const struct steer_object *endpoint, uint16_t type);

// ---- residuals ----------------------------------------------------------------------------------

// The one residual that equals `want` (hash, name, height and refs are ignored, the arrays are copied). Takes
// over the references of want's children and substitute; the caller owns one reference to the
// result.
struct steer_residual *steer_residual_intern(struct steer_residuals *store,
                                             const struct steer_residual *want);
const char *steer_residual_kind_text(enum steer_residual_kind kind);
// Those of a root's effects that are on the object; NULL and 0 where there are none.
const struct steer_effect *steer_effects_of(const struct steer_effect *effects, uint32_t count,
                                            const struct steer_object *object, uint32_t *own);

// Resolves one tree for many clients: whatever doesn't depend on the client is resolved once.
struct steer_resolver;
struct steer_resolver *steer_resolver_create(struct steer_residuals *store,
                                             const struct steer_catalog *catalog,
                                             const struct steer_object *steered);
struct steer_residual *steer_resolver_run(struct steer_resolver *resolver,
                                          const struct steer_client *client, json_t *trace);
// From now on only the first so many of each ranking are kept in order; the others follow in order of name.
void steer_resolver_cut(struct steer_resolver *resolver, uint32_t first);
void steer_resolver_destroy(struct steer_resolver *resolver);

// steer_classes_compile over any list of locations, with at most classes_max (<= 65,535) classes.
enum steer_err
steer_classes_over(struct steer_residuals *store, const struct steer_catalog *catalog,
                   const struct steer_object *steered,
                   const struct steer_location *(*location)(const void *ctx, uint32_t index),
                   const void *ctx, uint32_t count, uint32_t classes_max,
                   struct steer_classes *classes, struct steer_diag *diag) STEER_MUST_USE;

// ---- evaluation ---------------------------------------------------------------------------------

struct steer_share steer_share_divide(struct steer_share a, struct steer_share b); // a <= b, b > 0

// What may be given together. Interned: within one evaluation equal choices are one pointer.
struct steer_choice {
    const struct steer_object **endpoints;
    uint32_t endpoint_count;
    uint32_t ttl_cap_s;
    const struct steer_fixed *fixed;
    uint64_t origin;
    uint32_t stamp, at; // the list it was last put into, and its place there
    uint32_t note;      // for steer_outcome
    struct steer_choice *next;
};

struct steer_item {
    struct steer_choice *choice;
    struct steer_share share;
};

// A list of different choices that is being made; only one at a time.
struct steer_list {
    struct steer_item *items;
    uint32_t count, cap;
    uint32_t stamp;
};

// What a node comes to. available with no items: NODATA (for this type).
struct steer_result {
    bool available;
    bool served_all; // a fence in it read checks as up
    bool reads_up;   // a fence or a serve_all in it did
    bool exhausted;  // it is a fence behind which nothing was left even so
    bool shown;      // in the trace already
    uint32_t count;
    const struct steer_item *items;
    const uint16_t *slots; // sticky, with more than one item: the owner of each slot
    json_t *trace;         // or NULL
};

struct steer_eval {
    const struct steer_view *view;
    uint16_t type;
    bool sticky;
    bool apart;                        // steer_decider_keep_apart
    const struct steer_residual *root; // what is forced for some clients only has been taken off
    const struct steer_effect *effects;
    uint32_t effect_count;
    bool tracing;
    uint32_t stamp;
    struct steer_arena *arena;     // of what is worked on: one of the two below
    struct steer_arena *scratch;   // lasts as long as the root's evaluation
    struct steer_arena *lasting;   // lasts as long as the view says the same
    struct steer_ptrmap memo;      // residual (+ 1: checks read as up) -> steer_result
    struct steer_ptrmap leaf_memo; // the same, of what does not depend on the root
    struct steer_ptrmap choices;   // hash -> chain of steer_choice
};

struct steer_choice *steer_eval_choice(struct steer_eval *e,
                                       const struct steer_object *const *endpoints, uint32_t count,
                                       const struct steer_fixed *fixed);
// Sets the root, and what is forced below it as far as the view wants to know.
void steer_eval_begin(struct steer_eval *e, const struct steer_residual *root,
                      const struct steer_view *view);
// What a node comes to; it lasts as long as the evaluation at least.
struct steer_result *steer_eval_node(struct steer_eval *e, const struct steer_residual *n,
                                     bool as_up);
// The parts of it that the root does in its own way: the node without its when_unavailable, then that.
struct steer_result *steer_eval_result(struct steer_eval *e, const struct steer_residual *n,
                                       bool as_up);
void steer_eval_kind(struct steer_eval *e, const struct steer_residual *n, bool as_up,
                     struct steer_result *r);
void steer_eval_substitute(struct steer_eval *e, const struct steer_residual *n, bool as_up,
                           struct steer_result *r);
void steer_eval_serve_all(struct steer_eval *e, const struct steer_residual *n,
                          struct steer_result *r);
void steer_list_init(struct steer_eval *e, struct steer_list *list);
void steer_list_add(struct steer_eval *e, struct steer_list *list, struct steer_choice *choice,
                    struct steer_share share);

// A member that takes part in a draw.
struct steer_drawn {
    const struct steer_residual *child;
    const struct steer_result *result;
    uint32_t place;           // among the children of its parent
    uint32_t weight;          // 1 for all where only members of weight 0 are left
    struct steer_share share; // out: how often it is given
    const char *reason;       // why it is not, or not as often as its weight asks
};

// The picking rules of a pool over its members (in order of name, weight > 0, each with the asked
// type).
void steer_draw_pool(struct steer_eval *e, const struct steer_pool *pool,
                     struct steer_drawn **members, uint32_t count, struct steer_list *list);

// ---- slots of a sticky draw (slots.c) ------------------------------------------------------------

// Who competes for the slots at a node.
struct steer_owner {
    uint64_t name;
    double weight;                     // > 0
    const struct steer_result *result; // of a child: its slots go on to its items
    uint32_t item;                     // without one: the item itself
};
// Says which item of r, whose list was just made, owns each slot, and leaves r those that own one, with the shares of
// their slots. Height: of the node; it makes the choices on the way from the root to a leaf independent of each
// other.
void steer_slots_assign(struct steer_eval *e, unsigned height, const struct steer_owner *owners,
                        uint32_t count, struct steer_result *r);
void steer_slots_weighted(struct steer_eval *e, const struct steer_residual *n,
                          struct steer_drawn *const *members, uint32_t count,
                          struct steer_result *r);
void steer_slots_pool(struct steer_eval *e, const struct steer_residual *n, struct steer_result *r);
void steer_slots_trickle(struct steer_eval *e, const struct steer_residual *n,
                         struct steer_result *const given[2], const uint32_t place[2],
                         const struct steer_share share[2], struct steer_result *r);

// ---- trace: every function does nothing where node is NULL --------------------------------------

json_t *steer_trace_node(const struct steer_residual *residual, bool checks_as_up);
void steer_trace_reason(json_t *node, const char *fmt, ...) STEER_PRINTF(2, 3);
void steer_trace_text(json_t *node, const char *key, const char *text);
// Attaches another node's trace under key; a tree that was shown before is only named.
void steer_trace_attach(json_t *node, const char *key, const struct steer_residual *residual,
                        struct steer_result *result);
// One entry of "candidates". result NULL: not reached. weight < 0: none.
void steer_trace_candidate(json_t *node, const struct steer_residual *child,
                           struct steer_result *result, int32_t weight, struct steer_share share,
                           const char *reason);
void steer_trace_why(json_t *node, const char *state, json_t *why); // steals why
// By which a node that was evaluated is known for what a rule or a policy led to (steer_trace_join).
void steer_trace_id(json_t *entry, const struct steer_residual *residual);

#endif
