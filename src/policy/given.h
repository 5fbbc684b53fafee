// SPDX-License-Identifier: GPL-3.0-or-later
// Which RR types residuals give, and which of them are alike: given by the same leaves, so that whatever holds for the
// one holds for the other.
#ifndef STEERD_POLICY_GIVEN_H
#define STEERD_POLICY_GIVEN_H

#include "decide_internal.h"
#include "steerd/policy/judge.h"

// The place of a type in the list of all that records give.
unsigned given_type_index(uint16_t type);

struct given {
    struct steer_ptrmap seen; // residuals; those that were looked at stay as they are meanwhile
    unsigned types;           // bits, by place in the list of types
    unsigned unlike[STEER_TYPES_MAX];
};
void given_init(struct given *g); // must not move afterwards
void given_fini(struct given *g);
void given_add(struct given *g, const struct steer_residual *root);

// The types of a record: those that are given, or its first one where nothing is. like: an earlier one that it is
// alike with, or itself.
struct given_types {
    unsigned count;
    uint16_t types[STEER_TYPES_MAX];
    unsigned like[STEER_TYPES_MAX];
};
void given_types(const struct given *g, const struct steer_steered *steered,
                 struct given_types *out);

#endif
