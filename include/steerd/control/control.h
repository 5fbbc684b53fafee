// SPDX-License-Identifier: GPL-3.0-or-later
// Control: the one that links and publishes. validate -> build -> commit -> publish -> acknowledge.
// Floor 7.
//
// One thread owns the store, the catalogue, the cells and the current world. The functions below may be
// called from any thread but a worker; they prepare what they can on the caller's thread (parsing a zone of
// a million records must not hold up a verdict), hand the rest to control's thread and wait. When one
// returns STEER_OK the change is durable and is answered. When it returns an error nothing has changed,
// and diag says what, where, and what would be right.
#ifndef STEERD_CONTROL_CONTROL_H
#define STEERD_CONTROL_CONTROL_H

#include <jansson.h>

#include "steerd/base/buf.h"
#include "steerd/probe/probe.h"
#include "steerd/world/world.h"

struct steer_control;

struct steer_control_options {
    const char *data_folder;
    const char *const *geo_files;
    size_t geo_count;
    struct steer_geo_keys geo_keys; // see geo.h; zeroed: the known ones. Strings outlive control
    const char *ca_file;            // for https probes; NULL: the system's bundle
    bool probing;                   // false: no probes are made (tests, --check-config)
};

// Opens the store, loads everything, publishes the first world and starts control's thread and the
// prober. Answers are as before the last stop at once: stored verdicts hold. Errors with diag: a broken
// store or geo file.
enum steer_err steer_control_start(const struct steer_control_options *options,
                                   struct steer_control **control,
                                   struct steer_diag *diag) STEER_MUST_USE;
// Finishes the changes under way (later calls get STEER_ESTOPPED, until this returns), stops probing, closes the
// store. The workers must be gone.
void steer_control_stop(struct steer_control *control);
// What the workers read.
struct steer_publisher *steer_control_publisher(struct steer_control *control);

// Functions that change something take `by`: who asked for it, for the audit; NULL: steerd itself.

// Reads the geo files again and compiles every steered record against them. A broken file is refused with
// diag, and the old data stays in use.
enum steer_err steer_control_reload_geo(struct steer_control *control,
                                        struct steer_diag *diag) STEER_MUST_USE;

// ---- documents -----------------------------------------------------------------------------------
struct steer_control_text {
    const char *name; // of the document (its file's base name) or file
    const char *data;
    size_t len;
};
struct steer_control_apply {
    const struct steer_control_text *texts;
    size_t count;
    bool take_over; // define objects that another document defined
    bool
        prune; // remove what these documents defined, and what static records their zones have, but for
               // SOA and NS, that is not in them now
    bool dry_run; // validate and report; change nothing
    // Assertions that need not hold for this change, and why: both go into the audit.
    const char *const *override_asserts;
    size_t override_assert_count;
    const char *reason; // required with them
    const char *by;
};
// All documents or none. What is as before stays untouched: applied twice, a document raises no serial. *summary:
// {"changed":bool,"created":[..],"replaced":[..],"removed":[..],"unchanged":n,
// "warnings":[{"file","line","column","message"}],"build_ms":x,"commit_ms":y}; names as "pool eu", "zone example.com.",
// "records www.example.com. A", "record api.example.com. address".
enum steer_err steer_control_apply(struct steer_control *control,
                                   const struct steer_control_apply *apply, json_t **summary,
                                   struct steer_diag *diag) STEER_MUST_USE;
struct steer_plan_how; // linker.h
// What applying would do, worked out on the caller's thread; dry_run and by of `apply` say nothing here, and assertions
// that do not hold are no error. Members as of the apply, and
//  "assertions":[{"name","document","text","line","column","records":n,"holds","waived","breaches":[{"record","type",
//    "client","place","down_kind","down","gets","message","now":bool}]}], "holds":bool (of all that are not waived),
//  "population", "brief", "records":[..] (linker.h, steer_plan_run), "plan_ms". plan: the whole of it as text.
enum steer_err steer_control_plan(struct steer_control *control,
                                  const struct steer_control_apply *apply,
                                  const struct steer_plan_how *how, struct steer_buf *plan,
                                  struct steer_diag *diag) STEER_MUST_USE;
// [{"name","applied","bytes"}], and one document as it was applied last (STEER_ENOTFOUND).
enum steer_err steer_control_documents(struct steer_control *control, json_t **list,
                                       struct steer_diag *diag) STEER_MUST_USE;
enum steer_err steer_control_document(struct steer_control *control, const char *name,
                                      struct steer_buf *text,
                                      struct steer_diag *diag) STEER_MUST_USE;

// ---- zones ---------------------------------------------------------------------------------------
struct steer_control_zone {
    const char *origin; // text
    const char *file;   // for messages
    const char *data;
    size_t len;
};
// Replaces (or creates) one zone's static records whole; its steered records stay. Where all is as it was, and the serial
// not above the present one, nothing changes. *summary: {"origin","changed":bool,"serial","records","rrsets","warnings":[...]}.
enum steer_err steer_control_import(struct steer_control *control,
                                    const struct steer_control_zone *zone, const char *by,
                                    json_t **summary, struct steer_diag *diag) STEER_MUST_USE;
// Many at once: one transaction; rejected ones are listed and the others load. *summary: {"loaded":n,
// "unchanged":how many of them,"rejected":[{"origin","error":"file:line:column: message"}],"records":n,"warnings":[...],"ms":x}. STEER_OK also when some
// were rejected, or all.
enum steer_err steer_control_import_many(struct steer_control *control,
                                         const struct steer_control_zone *zones, size_t count,
                                         const char *by, json_t **summary,
                                         struct steer_diag *diag) STEER_MUST_USE;
// As a master file that imports again to the same zone (steered records stand in comments).
enum steer_err steer_control_export(struct steer_control *control, const char *origin,
                                    struct steer_buf *out, struct steer_diag *diag) STEER_MUST_USE;
enum steer_err steer_control_delete_zone(struct steer_control *control, const char *origin,
                                         const char *by, struct steer_diag *diag) STEER_MUST_USE;
// [{"origin","serial","names","records","steered"}]
enum steer_err steer_control_zones(struct steer_control *control, json_t **list,
                                   struct steer_diag *diag) STEER_MUST_USE;

// ---- overrides -----------------------------------------------------------------------------------
struct steer_control_override {
    const char *kind;      // endpoint, pool, site, check
    const char *target;    // must be defined
    const char *state;     // up, down, drained
    const char *reason;    // required
    const char *owner;     // who; may be ""
    uint64_t expires_in_s; // 0: never; at most ten years
    const char *clients;   // "203.0.113.0/24,2001:db8::/48": of these networks only; NULL: all
    const char *by;
};
// Replaces the one of the same object for the same clients; others stay beside it (docs/decisions/0130).
enum steer_err steer_control_override_set(struct steer_control *control,
                                          const struct steer_control_override *o,
                                          struct steer_diag *diag) STEER_MUST_USE;
enum steer_err steer_control_override_clear(struct steer_control *control, const char *kind,
                                            const char *target, const char *clients, const char *by,
                                            struct steer_diag *diag) STEER_MUST_USE;
// [{"kind","target","clients":null or ["203.0.113.0/24"],"state","reason","owner","set","expires"}]
enum steer_err steer_control_overrides(struct steer_control *control, json_t **list,
                                       struct steer_diag *diag) STEER_MUST_USE;

// ---- switches ------------------------------------------------------------------------------------
struct steer_control_switch {
    const char *name;     // must be defined
    const char *position; // one of its positions
    const char *reason;   // may be ""
    const char *owner;    // who; may be ""
    const char *by;
};
// The position is kept over restarts and edits. Errors: STEER_ENOTFOUND, STEER_EINVAL with what there is.
enum steer_err steer_control_switch_set(struct steer_control *control,
                                        const struct steer_control_switch *s,
                                        struct steer_diag *diag) STEER_MUST_USE;
// [{"name","position","initial","positions":[..],"reason","owner","set":null or when}]
enum steer_err steer_control_switches(struct steer_control *control, json_t **list,
                                      struct steer_diag *diag) STEER_MUST_USE;

// ---- the audit -----------------------------------------------------------------------------------
struct steer_control_audit {
    int64_t before;        // only entries with a lower id; 0: all
    uint64_t since_unix_s; // only entries that are not older
    uint32_t limit;
};
// [{"id","at","who","action","subject","detail"}], newest first. who: "" when it is not known.
enum steer_err steer_control_audit(struct steer_control *control,
                                   const struct steer_control_audit *which, json_t **list,
                                   struct steer_diag *diag) STEER_MUST_USE;

// ---- looking -------------------------------------------------------------------------------------
// {"steerd":of the program,"version":of the world,"started","uptime_s","zones","names","records","steered","classmaps",
//  "classes","cells","cells_served_all","cells_exhausted","table_bytes","edits","overrides","rehearsals",
//  "geo":[{"file","type","built","networks"}],"endpoints":[{"name","site","state":"up|down|drained|unknown","ipv4","ipv6",
//  "hostname","override":null or {"on","name","state","reason","owner","expires"},
//  "last_given_expires":null or when no answer that names it is in use any more: safe to stop, once drained,
//  "checks":[{"check","verdict","since","last","reason","streak","restored"}]}],
//  "alarms":[{"record","nodata":n of the classes,"served_all":n,"classes"}],"alarms_more":n,
//  "prober":null or {"targets","in_flight","started","passed","failed","late"},"store":{"commit_ms","build_ms"}}
enum steer_err steer_control_status(struct steer_control *control, json_t **status,
                                    struct steer_diag *diag) STEER_MUST_USE;

struct steer_control_explain {
    const char *name; // absolute or not, taken as absolute
    const char *type; // "A", "AAAA", ...
    struct steer_addr client;
    uint8_t source; // prefix length; the family's full length for a packet's source
    // What if.
    const char *const *down; // "endpoint:fra-1", "site:fra" or "pool:eu": these are down
    size_t down_count;
    const json_t *
        health; // NULL, or what steer_control_status gave once: verdicts and overrides are as in its endpoints
    const struct steer_control_apply
        *with; // NULL, or documents that would be applied, as for a plan
};
// With documents "candidate" is true, and what a link is not asked for is worked out: no CNAME is followed.
// {"name","type","client","source","version","rcode","scope","scope_prefix","zone","steered":bool}, and for a
// steered name {"record","document","kind","ttl","place","class","classes","resolution":[...],"decision":{...},
//  "available","served_all","exhausted",
//  "answers":[{"share":90,"exact":"9/10","ttl","records":["192.0.2.1"],"endpoints":["fra-1"]}]}, for others
// {"static":["300 A 192.0.2.1"]} where the name is there.
enum steer_err steer_control_explain(struct steer_control *control,
                                     const struct steer_control_explain *question, json_t **answer,
                                     struct steer_diag *diag) STEER_MUST_USE;

// Figures for the metrics page.
struct steer_control_stats {
    uint64_t world_version, zones, steered, endpoints, endpoints_up, endpoints_down,
        endpoints_drained;
    uint64_t cells, cells_served_all, cells_exhausted, table_bytes, classmaps, classes;
    uint64_t edits, edits_refused, verdict_changes, last_commit_ns, last_build_ns;
    uint64_t names, records, overrides, rehearsals;
    struct steer_prober_stats prober;
};
void steer_control_stats(struct steer_control *control, struct steer_control_stats *stats);
// Per endpoint: calls visit with its name and whether it is available now.
void steer_control_each_endpoint(struct steer_control *control,
                                 void (*visit)(void *ctx, const char *name, const char *state),
                                 void *ctx);

#endif
