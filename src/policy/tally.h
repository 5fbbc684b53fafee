// SPDX-License-Identifier: GPL-3.0-or-later
// A count of clients of whom only a share does something: sums of count times share, exact as long as the common
// denominator of the shares stays within 64 bits, and rounded to 2^-62 of a client beyond.
#ifndef STEERD_POLICY_TALLY_H
#define STEERD_POLICY_TALLY_H

#include "steerd/policy/decide.h"

__extension__ typedef unsigned __int128 tally_wide;

struct tally {
    tally_wide num; // of clients
    uint64_t den;   // 0: nothing was added yet
};

void tally_add(struct tally *t, uint64_t clients, struct steer_share share);
static inline bool tally_any(const struct tally *t)
{
    return t->num != 0;
}
// What of `all` clients (> 0) that is.
double tally_part(const struct tally *t, uint64_t all);
// < 0, 0, > 0.
int tally_compare(const struct tally *a, const struct tally *b);
// "9/10" of all, in lowest terms.
enum { TALLY_TEXT_MAX = 96 };
const char *tally_format(const struct tally *t, uint64_t all, char out[TALLY_TEXT_MAX]);

#endif
