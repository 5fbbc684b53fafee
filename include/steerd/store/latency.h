// SPDX-License-Identifier: GPL-3.0-or-later
// What the store keeps of measured latency tables: estimates, the tables that were frozen, and how freezing goes.
// Floor 6. The rules and errors of store.h hold. All of it goes with the latency table (cascade); putting any of it for
// a table that is not there is STEER_ENOTFOUND.
#ifndef STEERD_STORE_LATENCY_H
#define STEERD_STORE_LATENCY_H

#include "steerd/store/store.h"

struct steer_store_estimate {
    const char *table;
    const char *client, *site; // "192.0.2.0/24", "AS64500", "EU-DE"
    uint64_t at_unix_s;
    uint64_t window;
    uint32_t used;
    const uint8_t *bins; // packed, see control/measures.h
    size_t bins_len;
};
enum steer_err steer_store_put_estimate(struct steer_store *store,
                                        const struct steer_store_estimate *estimate,
                                        struct steer_diag *diag) STEER_MUST_USE;
// One that is not there is no error.
enum steer_err steer_store_delete_estimate(struct steer_store *store, const char *table,
                                           const char *client, const char *site,
                                           struct steer_diag *diag) STEER_MUST_USE;
enum steer_err
steer_store_load_estimates(struct steer_store *store,
                           enum steer_err (*row)(void *ctx, const struct steer_store_estimate *),
                           void *ctx, struct steer_diag *diag) STEER_MUST_USE;

// The newest STEER_FROZEN_KEPT of each table are kept.
enum { STEER_FROZEN_KEPT = 24 };
struct steer_store_frozen {
    const char *table;
    uint32_t number;
    uint64_t frozen_unix_s;
    uint32_t rows, changes;
    const char *body; // JSON; NULL in lists
};
enum steer_err steer_store_put_frozen(struct steer_store *store,
                                      const struct steer_store_frozen *frozen,
                                      struct steer_diag *diag) STEER_MUST_USE;
// The newest of each table, and one by its number (STEER_ENOTFOUND when it is not kept).
enum steer_err
steer_store_load_newest_frozen(struct steer_store *store,
                               enum steer_err (*row)(void *ctx, const struct steer_store_frozen *),
                               void *ctx, struct steer_diag *diag) STEER_MUST_USE;
enum steer_err
steer_store_load_frozen(struct steer_store *store, const char *table, uint32_t number,
                        enum steer_err (*row)(void *ctx, const struct steer_store_frozen *),
                        void *ctx, struct steer_diag *diag) STEER_MUST_USE;
// Without bodies, the newest first.
enum steer_err steer_store_list_frozen(struct steer_store *store, const char *table,
                                       enum steer_err (*row)(void *ctx,
                                                             const struct steer_store_frozen *),
                                       void *ctx, struct steer_diag *diag) STEER_MUST_USE;

struct steer_store_freezing {
    const char *table;
    uint64_t judged_unix_s; // when the estimates were looked at last
    bool held;              // no table is frozen until somebody asks for one
    uint64_t refused_unix_s;
    const char *refusal; // why the last one was not published; "" when it was
};
enum steer_err steer_store_put_freezing(struct steer_store *store,
                                        const struct steer_store_freezing *freezing,
                                        struct steer_diag *diag) STEER_MUST_USE;
enum steer_err steer_store_load_freezing(struct steer_store *store,
                                         enum steer_err (*row)(void *ctx,
                                                               const struct steer_store_freezing *),
                                         void *ctx, struct steer_diag *diag) STEER_MUST_USE;

// Everything of a table that is measured no more.
enum steer_err steer_store_forget_measured(struct steer_store *store, const char *table,
                                           struct steer_diag *diag) STEER_MUST_USE;

#endif
