// SPDX-License-Identifier: GPL-3.0-or-later
// What is known of endpoints' health: verdicts of their checks, and overrides. Floor 7. Pure: time is
// passed in; no thread, no socket. Belongs to one thread.
#ifndef STEERD_CONTROL_VITALS_H
#define STEERD_CONTROL_VITALS_H

#include "steerd/policy/decide.h"

struct steer_vitals;
// Empty: no pair, no override, no switch that was set.
struct steer_vitals *steer_vitals_create(void);
void steer_vitals_destroy(struct steer_vitals *vitals);

// One check of one endpoint.
struct steer_vital {
    uint64_t key; // never used again for another pair in this process
    char *endpoint, *check;
    struct steer_verdict_state state;
    struct steer_hysteresis hysteresis;
    bool unstored; // for the owner: the verdict is in force and not stored yet
};

// Follows a catalogue: pairs that came are handed to put (also those whose check or endpoint changed),
// pairs that went to gone. Verdicts of pairs that stay are kept.
void steer_vitals_follow(struct steer_vitals *vitals, const struct steer_catalog *catalog,
                         void (*put)(void *ctx, const struct steer_vital *vital,
                                     const struct steer_object *endpoint,
                                     const struct steer_object *check),
                         void (*gone)(void *ctx, uint64_t key), void *ctx);
// NULL when there is none (its target went while a probe was under way).
struct steer_vital *steer_vitals_by_key(struct steer_vitals *vitals, uint64_t key);
// The pair of an endpoint and a check by their names; NULL when there is none. Valid until the next follow.
struct steer_vital *steer_vitals_find(struct steer_vitals *vitals, const char *endpoint,
                                      const char *check);

struct steer_override {
    char *kind, *target, *reason, *owner; // kind: endpoint, pool, site, check
    enum steer_forced state;
    uint64_t set_unix_s, expires_unix_s; // 0: never
};
// Sets or replaces; strings are copied.
void steer_vitals_override(struct steer_vitals *vitals, const struct steer_override *override);
// False when there was none.
bool steer_vitals_clear_override(struct steer_vitals *vitals, const char *kind, const char *target);
// NULL when there is none. Borrowed: valid until overrides change.
const struct steer_override *steer_vitals_get_override(const struct steer_vitals *vitals,
                                                       const char *kind, const char *target);
size_t steer_vitals_override_count(const struct steer_vitals *vitals);
// In no order, which changes as overrides go; i is below the count.
const struct steer_override *steer_vitals_override_at(const struct steer_vitals *vitals, size_t i);

// Where a switch was set to. Kept for as long as the switch is defined.
struct steer_switch_setting {
    char *name, *position, *reason, *owner;
    uint64_t set_unix_s;
};
// Sets or replaces; strings are copied.
void steer_vitals_set_switch(struct steer_vitals *vitals,
                             const struct steer_switch_setting *setting);
// It is at its initial position again; no effect where nobody had set it.
void steer_vitals_forget_switch(struct steer_vitals *vitals, const char *name);
// All settings of the one into the other.
void steer_vitals_copy_switches(struct steer_vitals *to, const struct steer_vitals *from);
// NULL: nobody has set it.
const struct steer_switch_setting *steer_vitals_get_switch(const struct steer_vitals *vitals,
                                                           const char *name);
size_t steer_vitals_switch_count(const struct steer_vitals *vitals);
// In no order; i is below the count.
const struct steer_switch_setting *steer_vitals_switch_at(const struct steer_vitals *vitals,
                                                          size_t i);
// The index of the position where a switch stands: where it was set to, else its initial one.
uint32_t steer_vitals_position(const struct steer_vitals *vitals,
                               const struct steer_object *control_switch);

// The evaluator's view of these vitals with that catalogue (which resolves sites and checks). Both must
// outlive the view.
struct steer_vitals_view {
    const struct steer_vitals *vitals;
    const struct steer_catalog *catalog;
    // For traces: what is forced for the client in question (borrowed), so that they can say by whom.
    const struct steer_rehearsed *rehearsed;
    size_t rehearsed_count;
    struct steer_view view;
};
// view->view points to view, which must not move.
void steer_vitals_view_init(struct steer_vitals_view *view, const struct steer_vitals *vitals,
                            const struct steer_catalog *catalog);
// "up", "down", "drained", or "unknown" when no check of it has a verdict yet.
const char *steer_vitals_state(const struct steer_vitals_view *view,
                               const struct steer_object *endpoint);

#endif
