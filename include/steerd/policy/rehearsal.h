// SPDX-License-Identifier: GPL-3.0-or-later
// Rehearsals: overrides for the clients of some networks only. Floor 3. Pure: time is passed in.
//
// Such an override has a say in who is in which class, so that a set of them is a part of the catalogue. A set is
// immutable and counted (atomically); NULL is the empty one.
#ifndef STEERD_POLICY_REHEARSAL_H
#define STEERD_POLICY_REHEARSAL_H

#include "steerd/base/addr.h"
#include "steerd/base/buf.h"
#include "steerd/policy/model.h"

// What an override (or nothing) says of an object.
enum steer_forced { STEER_FORCED_NOT, STEER_FORCED_UP, STEER_FORCED_DOWN, STEER_FORCED_DRAINED };
bool steer_forced_parse(const char *text, enum steer_forced *state);
const char *steer_forced_text(enum steer_forced state);

enum { STEER_REHEARSALS_MAX = 64, STEER_REHEARSAL_CLIENTS_MAX = 64 };

// Whose clients an override is for.
struct steer_clients {
    uint32_t count;
    struct steer_prefix prefixes[STEER_REHEARSAL_CLIENTS_MAX]; // sorted, each once
};
// From "203.0.113.0/24,2001:db8::/48". Errors: STEER_EINVAL (no network, bits beyond the length, IPv4 inside IPv6:
// docs/decisions/0070), STEER_ELIMIT, with diag.
enum steer_err steer_clients_parse(const char *text, struct steer_clients *clients,
                                   struct steer_diag *diag) STEER_MUST_USE;
// The same text again, in order.
void steer_clients_format(const struct steer_clients *clients, struct steer_buf *out);
bool steer_clients_equal(const struct steer_clients *a, const struct steer_clients *b);

struct steer_rehearsal {
    enum steer_kind kind; // STEER_ENDPOINT, STEER_POOL, STEER_SITE or STEER_CHECK
    enum steer_forced state;
    const char *target, *reason, *owner;
    uint64_t set_unix_s, expires_unix_s; // 0: never
    const struct steer_clients *clients;
};

struct steer_rehearsals;
struct steer_rehearsals *steer_rehearsals_ref(const struct steer_rehearsals *set);
void steer_rehearsals_unref(struct steer_rehearsals *set);
size_t steer_rehearsals_count(const struct steer_rehearsals *set);
const struct steer_rehearsal *steer_rehearsals_at(const struct steer_rehearsals *set, size_t i);
// The one of an object for exactly these clients, or NULL.
const struct steer_rehearsal *steer_rehearsals_find(const struct steer_rehearsals *set,
                                                    enum steer_kind kind, const char *target,
                                                    const struct steer_clients *clients);
// Sets that differ from this one, with a reference for the caller. What is added is copied, and stands in the place of
// the one of its object for the same clients. Errors: STEER_ECONFLICT (another one of the object is for one of the
// networks), STEER_ELIMIT, with diag.
enum steer_err steer_rehearsals_with(const struct steer_rehearsals *set,
                                     const struct steer_rehearsal *add,
                                     struct steer_rehearsals **with,
                                     struct steer_diag *diag) STEER_MUST_USE;
struct steer_rehearsals *steer_rehearsals_without(const struct steer_rehearsals *set,
                                                  const struct steer_rehearsal *gone);
// Without those that are over; the same set where none is.
struct steer_rehearsals *steer_rehearsals_at_time(const struct steer_rehearsals *set,
                                                  uint64_t now_unix_s);
// Calls visit for each object of which the two do not say the same (maybe more than once).
void steer_rehearsals_differ(const struct steer_rehearsals *a, const struct steer_rehearsals *b,
                             void (*visit)(void *ctx, enum steer_kind kind, const char *target),
                             void *ctx);

// What holds for a client: of the overrides of one object the one with the longest network that holds all of the
// client's. Returns how many.
struct steer_rehearsed {
    const struct steer_rehearsal *rehearsal;
    struct steer_prefix network; // of its clients
};
size_t steer_rehearsals_for(const struct steer_rehearsals *set, const struct steer_prefix *client,
                            struct steer_rehearsed out[STEER_REHEARSALS_MAX]);
const struct steer_rehearsed *steer_rehearsed_find(const struct steer_rehearsed *list, size_t count,
                                                   enum steer_kind kind, const char *target);

// What they come to at an endpoint or a pool of a residual tree. An override on an endpoint leaves nothing to say for
// one on its site, and that nothing for those on its checks; down and drained give the same. Where those on checks decide
// how the endpoint is, they stand as if all its checks were forced so.
struct steer_effect {
    const struct steer_object *object; // the endpoint or pool
    enum steer_kind on;                // what is overridden: it, its site, or a check of it
    uint32_t check;                    // which one
    bool up;
};

// The set in force with a catalogue (borrowed).
const struct steer_rehearsals *steer_catalog_rehearsals(const struct steer_catalog *catalog);
// Takes a reference. Only for a catalogue that is not sealed yet.
void steer_catalog_set_rehearsals(struct steer_catalog *catalog,
                                  const struct steer_rehearsals *set);

#endif
