// SPDX-License-Identifier: GPL-3.0-or-later
// Domain names in wire form (RFC 1035 3.1). Floor 1. No allocation, no state; any thread.
#ifndef STEERD_WIRE_NAME_H
#define STEERD_WIRE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steerd/base/err.h"

enum {
    STEER_NAME_MAX = 255, // octets in wire form, with the root's zero
    STEER_LABEL_MAX = 63,
    STEER_LABELS_MAX = 128,     // with the root
    STEER_NAME_TEXT_MAX = 1024, // every octet as \DDD, with dots and the NUL
};

// An uncompressed name: length octets then the label, ending with the root's zero octet.
// len counts the root octet, so the root itself is {1, 0, {0}}; labels does not count the root.
struct steer_name {
    uint8_t len;
    uint8_t labels;
    uint8_t octets[STEER_NAME_MAX];
};

// Presentation form (RFC 1035 5.1, \. and \DDD escapes). A name without a final dot is relative to
// origin (NULL: the root). Errors: STEER_EINVAL with the reason in diag's message (no place).
enum steer_err steer_name_parse(const char *text, const struct steer_name *origin,
                                struct steer_name *name, struct steer_diag *diag) STEER_MUST_USE;
// With a final dot; octets outside 0x21..0x7e as \DDD, and all punctuation but - _ * / with a backslash,
// because libzscanner reads no other as it stands. out has at least STEER_NAME_TEXT_MAX bytes; returns
// out.
const char *steer_name_format(const uint8_t *wire, char *out);
// Checks an uncompressed name at wire (at most size octets); true and the copy in *name when valid.
bool steer_name_from_wire(const uint8_t *wire, size_t size, struct steer_name *name);
// Octets of the uncompressed valid name at wire, root included.
size_t steer_name_length(const uint8_t *wire);
unsigned steer_name_labels(const uint8_t *wire);

// ASCII letters to lower case (RFC 4343), in place or from -> to.
void steer_name_lower(struct steer_name *name);
static inline uint8_t steer_lower(uint8_t c)
{
    return (uint8_t)(c - 'A') < 26 ? c | 0x20 : c;
}

// Equal without case.
bool steer_name_equal(const uint8_t *a, const uint8_t *b);
// Canonical order of RFC 4034 6.1: <0, 0, >0.
int steer_name_compare(const uint8_t *a, const uint8_t *b);
// True when name is parent or lies below it.
bool steer_name_is_below(const uint8_t *name, const uint8_t *parent);
// prefix's labels (prefix_len octets, its root left out) followed by suffix; false when over 255 octets.
bool steer_name_join(const uint8_t *prefix, size_t prefix_len, const uint8_t *suffix,
                     struct steer_name *out);

// The hash of each suffix of a name, which case does not change, computed right to left in one pass, so that the hash of
// a suffix is the same whatever stands before it. `at` holds where in octets suffix i begins.
// Index 0 is the root, index labels the whole name.
struct steer_name_hashes {
    uint64_t hash[STEER_LABELS_MAX];
    uint8_t at[STEER_LABELS_MAX];
};
void steer_name_hash_suffixes(const struct steer_name *name, struct steer_name_hashes *hashes);
// hash[labels] of the above, for builders; name->labels must be right.
uint64_t steer_name_hash(const struct steer_name *name);
// The hash of child label + parent name from the parent's hash.
uint64_t steer_name_hash_label(uint64_t parent, const uint8_t *label);
extern const uint64_t steer_name_root_hash;

#endif
