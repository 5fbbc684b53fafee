// SPDX-License-Identifier: GPL-3.0-or-later
// The source of truth: one SQLite database per data folder. Floor 6.
//
// STRICT tables, foreign keys, WAL, synchronous=FULL, numbered migrations. Speaks plain values: names,
// canonical JSON, wire-form names and packed RRsets; knows nothing of catalogues or worlds. One store
// belongs to one thread at a time (control); every change stands between begin and commit. commit returns only
// when the change is durable.
//
// Memory: what a callback is shown lives until it returns; a callback calls no function of the store.
// Errors of every function: STEER_EIO with SQLite's reason (disk full, failed write, damage; a writing
// function also without an open transaction), STEER_EINVAL (the schema refuses the value: malformed JSON,
// an unknown kind or state), STEER_ENOTFOUND (deleting what is not there; a record of no zone; a verdict on
// no endpoint or check).
#ifndef STEERD_STORE_STORE_H
#define STEERD_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steerd/base/err.h"
#include "steerd/wire/name.h"

struct steer_store;

// Opens or creates FOLDER/steerd.db and brings its schema up to date, one transaction per migration. A
// database from a newer version, a damaged one, or one locked by another process is refused with diag.
// Errors: STEER_EIO, STEER_EINVAL, STEER_ECONFLICT (another process has it).
enum steer_err steer_store_open(const char *folder, struct steer_store **store,
                                struct steer_diag *diag) STEER_MUST_USE;
// NULL is accepted; a transaction that is open is rolled back.
void steer_store_close(struct steer_store *store);

// ---- transactions --------------------------------------------------------------------------------
// Every function that writes needs an open transaction; a failing one leaves the transaction to be rolled back.
enum steer_err steer_store_begin(struct steer_store *store, struct steer_diag *diag) STEER_MUST_USE;
// STEER_ECONFLICT when an object refers to one that is not there (any more); diag names both. The
// transaction is still open then.
enum steer_err steer_store_commit(struct steer_store *store,
                                  struct steer_diag *diag) STEER_MUST_USE;
// Undoes all since begin; no effect where no transaction is open.
void steer_store_rollback(struct steer_store *store);
// Nested: for imports of many zones, where one bad zone is undone and the others stay.
enum steer_err steer_store_savepoint(struct steer_store *store,
                                     struct steer_diag *diag) STEER_MUST_USE;
// Ends the innermost savepoint and keeps what was done since.
enum steer_err steer_store_release(struct steer_store *store,
                                   struct steer_diag *diag) STEER_MUST_USE;
// Undoes what was done since the savepoint, and ends it; where that fails, the whole transaction is undone.
void steer_store_rollback_savepoint(struct steer_store *store);
// Nanoseconds that the last commit took (its fsync, in the main).
uint64_t steer_store_commit_ns(const struct steer_store *store);

// ---- objects -------------------------------------------------------------------------------------
// The relations that the database guards (foreign keys, deferred to the commit) beside the JSON body.
struct steer_store_relation {
    const char *name; // of the endpoint (pool members) or check (endpoint's checks)
    uint32_t weight;  // pool members
};
struct steer_store_object {
    const char *kind; // "site", "check", "endpoint", "pool", "policy"
    const char *name;
    const char *document;
    const char *json;
    const char *site;      // endpoint: its site, or NULL
    size_t relation_count; // endpoint: checks; pool: members
    const struct steer_store_relation *relations;
};
// Adds or replaces by kind and name, relations and all.
enum steer_err steer_store_put_object(struct steer_store *store,
                                      const struct steer_store_object *object,
                                      struct steer_diag *diag) STEER_MUST_USE;
// With its relations; what refers to it must go before the commit.
enum steer_err steer_store_delete_object(struct steer_store *store, const char *kind,
                                         const char *name, struct steer_diag *diag) STEER_MUST_USE;
// Sites, checks, endpoints, pools, policies in that order. A callback result other than STEER_OK stops and
// is returned. Of relations, load gives none (they are in the JSON).
enum steer_err steer_store_load_objects(struct steer_store *store,
                                        enum steer_err (*row)(void *ctx,
                                                              const struct steer_store_object *),
                                        void *ctx, struct steer_diag *diag) STEER_MUST_USE;

// ---- zones ---------------------------------------------------------------------------------------
// An RRset packed: for each RR a big-endian u16 length and the RDATA (names uncompressed).
struct steer_store_rrset {
    const uint8_t *owner; // wire form, lower case
    uint16_t type;
    uint32_t ttl_s;
    const uint8_t *packed;
    size_t packed_len;
};
// Creates the zone if it is not there; one that is there keeps its document. document: which one created it, or "" for imports.
enum steer_err steer_store_put_zone(struct steer_store *store, const struct steer_name *origin,
                                    const char *document, int64_t *zone_id,
                                    struct steer_diag *diag) STEER_MUST_USE;
// With all its records and steered records. STEER_ENOTFOUND when it is not there.
enum steer_err steer_store_delete_zone(struct steer_store *store, const struct steer_name *origin,
                                       struct steer_diag *diag) STEER_MUST_USE;
// Removes every RRset of the zone (steered records stay), for replacement by an import.
enum steer_err steer_store_clear_zone(struct steer_store *store, int64_t zone_id,
                                      struct steer_diag *diag) STEER_MUST_USE;
// Adds or replaces by owner and type.
enum steer_err steer_store_put_rrset(struct steer_store *store, int64_t zone_id,
                                     const struct steer_store_rrset *rrset,
                                     struct steer_diag *diag) STEER_MUST_USE;
// STEER_ENOTFOUND when it is not there.
enum steer_err steer_store_delete_rrset(struct steer_store *store, int64_t zone_id,
                                        const uint8_t *owner, uint16_t type,
                                        struct steer_diag *diag) STEER_MUST_USE;
struct steer_store_steered {
    const uint8_t *owner;
    const char *name; // "api.example.com. address"
    const char *kind; // "address", "cname"
    const char *document;
    const char *json;
};
// Adds or replaces by name; it leaves another zone that it was in.
enum steer_err steer_store_put_steered(struct steer_store *store, int64_t zone_id,
                                       const struct steer_store_steered *steered,
                                       struct steer_diag *diag) STEER_MUST_USE;
// By its name, whichever zone it is in.
enum steer_err steer_store_delete_steered(struct steer_store *store, const char *name,
                                          struct steer_diag *diag) STEER_MUST_USE;
// Zone by zone: zone() first, then its RRsets in the order of (owner, type), then its steered records.
struct steer_store_zone_reader {
    void *ctx;
    enum steer_err (*zone)(void *ctx, int64_t zone_id, const struct steer_name *origin,
                           const char *document);
    enum steer_err (*rrset)(void *ctx, const struct steer_store_rrset *rrset);
    enum steer_err (*steered)(void *ctx, const struct steer_store_steered *steered);
};
// A callback's result other than STEER_OK stops and is returned, here and below.
enum steer_err steer_store_load_zones(struct steer_store *store,
                                      const struct steer_store_zone_reader *reader,
                                      struct steer_diag *diag) STEER_MUST_USE;

// ---- overrides, verdicts, settings, audit ---------------------------------------------------------
struct steer_store_override {
    const char *kind; // "endpoint", "pool", "site", "check"
    const char *target;
    const char *clients; // "203.0.113.0/24,2001:db8::/48"; "": all. A part of what it is known by
    const char *state;   // "up", "down", "drained"
    const char *reason, *owner;
    uint64_t set_unix_s, expires_unix_s; // 0: never
};
// Adds or replaces by kind and target.
enum steer_err steer_store_put_override(struct steer_store *store,
                                        const struct steer_store_override *o,
                                        struct steer_diag *diag) STEER_MUST_USE;
// STEER_ENOTFOUND when there is none.
enum steer_err steer_store_delete_override(struct steer_store *store, const char *kind,
                                           const char *target, const char *clients,
                                           struct steer_diag *diag) STEER_MUST_USE;
// All of them, those that have expired too.
enum steer_err
steer_store_load_overrides(struct steer_store *store,
                           enum steer_err (*row)(void *ctx, const struct steer_store_override *),
                           void *ctx, struct steer_diag *diag) STEER_MUST_USE;

struct steer_store_position {
    const char *name; // of the switch, which is there; the position goes with it
    const char *position, *reason, *owner;
    uint64_t set_unix_s;
};
// Adds or replaces by name.
enum steer_err steer_store_put_position(struct steer_store *store,
                                        const struct steer_store_position *p,
                                        struct steer_diag *diag) STEER_MUST_USE;
enum steer_err
steer_store_load_positions(struct steer_store *store,
                           enum steer_err (*row)(void *ctx, const struct steer_store_position *),
                           void *ctx, struct steer_diag *diag) STEER_MUST_USE;

struct steer_store_verdict {
    const char *endpoint, *check;
    const char *verdict; // "up", "down"
    uint64_t since_unix_s;
    const char *reason;
};
// Adds or replaces by endpoint and check.
enum steer_err steer_store_put_verdict(struct steer_store *store,
                                       const struct steer_store_verdict *v,
                                       struct steer_diag *diag) STEER_MUST_USE;
// Verdicts go with their endpoint or check by foreign key (cascade).
enum steer_err steer_store_load_verdicts(struct steer_store *store,
                                         enum steer_err (*row)(void *ctx,
                                                               const struct steer_store_verdict *),
                                         void *ctx, struct steer_diag *diag) STEER_MUST_USE;

// Adds or replaces by key.
enum steer_err steer_store_put_setting(struct steer_store *store, const char *key,
                                       const char *value, struct steer_diag *diag) STEER_MUST_USE;
// The caller frees *value; STEER_ENOTFOUND when it was never put.
enum steer_err steer_store_get_setting(struct steer_store *store, const char *key, char **value,
                                       struct steer_diag *diag) STEER_MUST_USE;
// A document as it was applied last.
enum steer_err steer_store_put_document(struct steer_store *store, const char *name,
                                        const char *text, size_t len, uint64_t applied_unix_s,
                                        struct steer_diag *diag) STEER_MUST_USE;
// In order of name.
enum steer_err steer_store_load_documents(struct steer_store *store,
                                          enum steer_err (*row)(void *ctx, const char *name,
                                                                const char *text, size_t len,
                                                                uint64_t applied_unix_s),
                                          void *ctx, struct steer_diag *diag) STEER_MUST_USE;

// One line of history with the change it belongs to. The newest STEER_AUDIT_MAX are kept.
enum { STEER_AUDIT_MAX = 10000 };
enum steer_err steer_store_audit(struct steer_store *store, const char *who, const char *action,
                                 const char *subject, const char *detail,
                                 struct steer_diag *diag) STEER_MUST_USE;
struct steer_store_audit_entry {
    int64_t id; // grows with time
    uint64_t at_unix_s;
    const char *who; // may be ""
    const char *action, *subject, *detail;
};
// The newest `limit` entries before before_id (0: from the newest) that are not older than since_unix_s,
// newest first.
enum steer_err steer_store_load_audit(struct steer_store *store, int64_t before_id,
                                      uint64_t since_unix_s, uint32_t limit,
                                      enum steer_err (*row)(void *ctx,
                                                            const struct steer_store_audit_entry *),
                                      void *ctx, struct steer_diag *diag) STEER_MUST_USE;

#endif
