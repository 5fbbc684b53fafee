// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef STEERD_CONTROL_INTERNAL_H
#define STEERD_CONTROL_INTERNAL_H

#include <pthread.h>

#include "steerd/control/control.h"
#include "steerd/control/linker.h"
#include "steerd/control/measures.h"
#include "steerd/store/latency.h"

// Work for control's thread; lives on the stack of the caller, who waits.
struct op {
    enum steer_err (*run)(struct steer_control *control, void *arg, struct steer_diag *diag);
    void *arg;
    struct steer_diag *diag;
    enum steer_err result;
    bool done;
    struct op *next;
};

// One probe result on its way from the probe thread.
struct result {
    uint64_t key;
    bool pass;
    uint64_t at_unix_s;
    char reason[96];
};

struct results {
    struct result *items;
    size_t count, cap;
};

struct document_text {
    char *name;
    char *text;
    size_t len;
    uint64_t applied_unix_s;
};

struct steer_control {
    // Set at the start and then only read.
    struct steer_linker *linker;
    uint64_t started_unix_s;
    uint64_t
        earlier_end_unix_s; // when answers of an earlier run are out of use; 0: there were none
    char **geo_files;
    size_t geo_count;
    struct steer_geo_keys geo_keys; // strings are the caller's and outlive control
    pthread_t thread;
    // Control's thread only.
    struct steer_store *store;
    struct steer_vitals *vitals;
    struct steer_measures *measures;
    struct steer_prober *prober; // NULL without probing
    struct document_text *documents;
    size_t document_count, document_cap;
    uint64_t *unstored; // keys of verdicts that are in force and not in the store yet
    size_t unstored_count, unstored_cap;
    bool store_failing; // the last batch of verdicts could not be stored
    uint64_t edits, edits_refused, verdict_changes, last_build_ns;
    struct {
        uint64_t exhausted, served_all;
    } told; // cells in trouble, as the log last said
    // Guarded by the mutex.
    pthread_mutex_t mutex;
    pthread_cond_t wake, done;
    struct op *first, *last;
    struct results results;
    unsigned callers; // inside control_call
    bool stopping;
};

// Runs fn on control's thread and waits; STEER_ESTOPPED when control is stopping.
enum steer_err control_call(struct steer_control *c,
                            enum steer_err (*run)(struct steer_control *, void *,
                                                  struct steer_diag *),
                            void *arg, struct steer_diag *diag) STEER_MUST_USE;

// ---- on control's thread -------------------------------------------------------------------------

// Handles probe results that have arrived: answers first, then the store. Called between ops and inside
// long ones.
void control_take_results(struct steer_control *c, bool store);
// Brings vitals and prober in step with the catalogue.
void control_follow(struct steer_control *c);
// Prepares a link; one that is refused is aborted. begin_ns: when its building began.
enum steer_err control_prepare(struct steer_control *c, struct steer_link *link, uint64_t begin_ns,
                               struct steer_diag *diag) STEER_MUST_USE;
// Fills in the places of assertions that the linker did not know: see places.c.
void control_place_refusal(const struct steer_control *c, const struct steer_link *link,
                           struct steer_diag *diag);
void control_place_assertions(const struct steer_control *c, json_t *assertions);
void control_refuse(struct steer_control *c, struct steer_link *link);
// Writes a prepared link and an audit line in one transaction, then publishes it: commits or aborts the
// link in any case. extra (may be NULL) writes more in the same transaction, after the journal. Where left_out is
// given, each zone that is replaced whole has a savepoint of its own: one that the store refuses stays as it was,
// left_out is told, and the others go on.
struct control_commit {
    const char *by; // who asked for it; NULL: steerd itself
    const char *action, *subject;
    enum steer_err (*extra)(struct steer_control *c, void *ctx, struct steer_diag *diag);
    void *ctx;
    void (*left_out)(void *ctx, const struct steer_name *origin, const struct steer_diag *why);
    const char *detail; // of the audit line; NULL: none
};
enum steer_err control_commit(struct steer_control *c, struct steer_link *link,
                              const struct control_commit *commit,
                              struct steer_diag *diag) STEER_MUST_USE;
// Everything in the store into a first world.
enum steer_err control_load(struct steer_control *c, struct steer_diag *diag) STEER_MUST_USE;
// Steered records in trouble, at most 100 in order of name: [{"record","nodata","served_all","classes"}], the middle ones
// how many of the classes. *more: so many
// records were not looked at.
json_t *control_alarms_json(const struct steer_control *c, size_t *more);
// Says in the log when cells got into trouble, and when all are out of it.
void control_sound_alarms(struct steer_control *c);
// When all steered answers are out of use that were given before the start, as the catalogue loaded then has it.
uint64_t control_earlier_answers_end(const struct steer_control *c);
// An audit line in the open transaction; by NULL: steerd itself.
enum steer_err control_audit(struct steer_control *c, const char *by, const char *action,
                             const char *subject, const char *detail,
                             struct steer_diag *diag) STEER_MUST_USE;
// Estimates and the freezing of measured tables, once the objects are loaded into `catalog`.
enum steer_err control_load_measures(struct steer_control *c, const struct steer_catalog *catalog,
                                     struct steer_diag *diag) STEER_MUST_USE;
// Brings the measures in step with the catalogue; what is measured no more goes from the store, too.
void control_follow_measures(struct steer_control *c);
// Errors: STEER_ENOTFOUND, STEER_ECONFLICT (it is not measured).
enum steer_err control_find_measure(const struct steer_control *c, const char *table,
                                    struct steer_measure **measure,
                                    struct steer_diag *diag) STEER_MUST_USE;
// What changed of the estimates, in a transaction of its own; after an error it waits for the next time.
enum steer_err control_store_estimates(struct steer_control *c, struct steer_measure *measure,
                                       struct steer_diag *diag) STEER_MUST_USE;
// Freezes the tables that are due.
void control_freeze_due(struct steer_control *c, uint64_t now_unix_s);
// The rows that were frozen, as the store keeps them.
enum steer_err control_parse_frozen(const struct steer_store_frozen *row,
                                    struct steer_latency **frozen,
                                    struct steer_diag *diag) STEER_MUST_USE;
// Measured tables, for status.
json_t *control_measures_json(const struct steer_control *c);
// One for each assertion that was waived and does not hold.
enum steer_err control_audit_waived(struct steer_control *c, const struct steer_link *link,
                                    const char *by, const char *reason,
                                    struct steer_diag *diag) STEER_MUST_USE;
// Takes an override that is over out of the store. clients: "" for all.
void control_write_expired(struct steer_control *c, const char *kind, const char *target,
                           const char *clients);
// Ends overrides whose time has come.
void control_expire_overrides(struct steer_control *c, uint64_t now_unix_s);
void control_keep_document(struct steer_control *c, const char *name, const char *text, size_t len,
                           uint64_t applied_unix_s);

// ---- anywhere ------------------------------------------------------------------------------------

// A zone's nodes, to be freed by the caller; order is for qsort, of pointers to nodes.
const struct steer_zone_node **control_sorted_nodes(const struct steer_zone *zone,
                                                    int (*order)(const void *, const void *),
                                                    size_t *count);
// STEER_ENOTFOUND, and the nearest name of the kind that there is.
enum steer_err control_not_defined(const struct steer_catalog *catalog, enum steer_kind kind,
                                   const char *name, struct steer_diag *diag);
// A JSON string also of text that is not UTF-8 (what a zone file or a file's name may hold).
json_t *control_text(const char *text);

#endif
