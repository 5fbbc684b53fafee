// SPDX-License-Identifier: GPL-3.0-or-later
// YAML 1.2 or JSON text as a tree of values that knows where each one stood. Floor 3. Pure; any thread.
#ifndef STEERD_POLICY_TREE_H
#define STEERD_POLICY_TREE_H

#include "steerd/policy/model.h"

enum {
    STEER_TREE_DEPTH_MAX = 100,
    STEER_TREE_NODES_MAX = 8 << 20,
    // What all aliases of a document may stand for together: values, and one more for each 64 octets.
    STEER_TREE_ALIASED_MAX = 100000,
};

struct steer_position {
    struct steer_where key_at, at;
};

// Positions are kept per container, because jansson's true, false and null are singletons. Containers
// that aliases share are one container with one set of positions: those of the anchored text.
struct steer_span {
    const json_t *container;
    size_t first; // index into positions; then in the order of the container
};

struct steer_tree {
    json_t *root;
    struct steer_where at;
    struct steer_span *spans; // open addressing by container
    size_t span_cap, span_used;
    struct steer_position *positions;
    size_t position_cap, position_count;
};

// YAML, or JSON when the first non-blank octet is '{' or '['. Errors: STEER_EINVAL, with a place.
enum steer_err steer_tree_parse(const char *text, size_t len, const char *file,
                                struct steer_tree *tree, struct steer_diag *diag) STEER_MUST_USE;
void steer_tree_fini(struct steer_tree *tree);
// Positions of the container's entries, in its own order.
const struct steer_position *steer_tree_positions(const struct steer_tree *tree,
                                                  const json_t *container);

#endif
