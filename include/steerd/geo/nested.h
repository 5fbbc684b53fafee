// SPDX-License-Identifier: GPL-3.0-or-later
// A set of prefixes that may lie in one another, searched for the longest that holds a network. Floor 2. Pure.
#ifndef STEERD_GEO_NESTED_H
#define STEERD_GEO_NESTED_H

#include <stddef.h>
#include <stdint.h>

#include "steerd/base/addr.h"

#define STEER_NESTED_NONE UINT32_MAX

struct steer_nested {
    struct steer_prefix prefix;
    uint32_t value;  // the caller's
    uint32_t parent; // index of the next shorter prefix that holds this one, or STEER_NESTED_NONE
};

// Sorts the items by address, shorter ones first, drops all but the first (by value) of equal prefixes, and
// fills in the parents. Returns how many are left.
size_t steer_nested_sort(struct steer_nested *items, size_t count);

// Of sorted items the index of the longest prefix that holds all of the network, or STEER_NESTED_NONE. The
// shorter ones that hold it are its parents.
uint32_t steer_nested_find(const struct steer_nested *items, size_t count,
                           const struct steer_prefix *network);

#endif
