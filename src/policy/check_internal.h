// SPDX-License-Identifier: GPL-3.0-or-later
// Checking a catalogue whole.
//
//   check_catalog.c     trees, records, and which objects an edit reaches
//   check_references.c  what an object refers to is there, and fits
#ifndef STEERD_POLICY_CHECK_INTERNAL_H
#define STEERD_POLICY_CHECK_INTERNAL_H

#include "decide_internal.h"

// A node, and the object that it stands in.
struct spot {
    const struct steer_node *node;
    const struct steer_object *in;
};

// What a tree amounts to.
struct facts {
    uint8_t gives;
    uint8_t depth;
    bool by_client;         // something in it depends on the client
    struct spot serve_none; // the first node with serve_none, or answer without data
    struct spot negative; // the first by which some clients get nothing: rules without default, or
                          // serve_none in a tree that depends on the client
    struct spot several;  // the first pool that gives several endpoints at once
};

enum visit { NOT_VISITED, UNDER_WAY, VISITED };

struct policy_facts {
    enum visit visit;
    struct facts facts;
};

struct checker {
    const struct steer_catalog *catalog;
    struct steer_diag *diag;
    struct steer_ptrmap pool_gives;                        // pool -> what it gives, and KNOWN
    struct steer_ptrmap policies;                          // policy -> policy_facts
    struct steer_arena arena;                              // of policy_facts
    const struct steer_object *stack[STEER_DEPTH_MAX + 1]; // policies under way
    uint32_t stack_count;
};

// The diagnostic "FILE:LINE:COLUMN: PATH: ...", at the object where `at` is nowhere. Returns STEER_EINVAL.
enum steer_err check_fail(const struct checker *c, const struct steer_object *object,
                          struct steer_where at, const char *fmt, ...) STEER_PRINTF(4, 5);
// "pool 'eux' is not defined; did you mean 'eu'?"
enum steer_err check_unknown(const struct checker *c, const struct steer_object *object,
                             struct steer_where at, enum steer_kind kind, const char *name);
// Whether it gives several endpoints at once.
bool check_gives_several(const struct steer_pool *pool);

enum steer_err check_endpoint(const struct checker *c, const struct steer_object *object);
enum steer_err check_pool(const struct checker *c, const struct steer_object *object);
enum steer_err check_assertion(const struct checker *c, const struct steer_object *object);
// node: a nearest or latency; a switch.
enum steer_err check_ranked(const struct checker *c, const struct steer_object *object,
                            const struct steer_node *node);
enum steer_err check_switch(const struct checker *c, const struct steer_object *object,
                            const struct steer_node *node);

#endif
