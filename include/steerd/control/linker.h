// SPDX-License-Identifier: GPL-3.0-or-later
// The linker: objects, zones and geo data -> the next world, whole or not at all. Floor 7. No thread, no
// store, no clock: control drives it, and scenario tests do the same without a database.
//
// A link is one change under way: begin, put and remove things, prepare (validates and compiles; the
// only step that can fail), then commit (publishes) or abort (nothing has changed). The journal of
// what was put is what the caller makes durable between prepare and commit.
#ifndef STEERD_CONTROL_LINKER_H
#define STEERD_CONTROL_LINKER_H

#include "steerd/base/buf.h"
#include "steerd/base/hash.h"
#include "steerd/control/vitals.h"
#include "steerd/policy/document.h"
#include "steerd/policy/judge.h"
#include "steerd/policy/rehearsal.h"
#include "steerd/world/cells.h"
#include "steerd/world/world.h"

struct steer_linker;
struct steer_link;

// Takes a reference of geo; vitals must outlive the linker. Errors: STEER_EIO with diag.
enum steer_err steer_linker_create(struct steer_geo *geo, struct steer_vitals *vitals,
                                   struct steer_linker **linker,
                                   struct steer_diag *diag) STEER_MUST_USE;
// No worker may be left.
void steer_linker_destroy(struct steer_linker *linker);

// What the linker keeps; borrowed. World, catalogue and geo data are those in force: valid until the next commit.
struct steer_publisher *steer_linker_publisher(const struct steer_linker *linker);
const struct steer_world *steer_linker_world(const struct steer_linker *linker);
const struct steer_catalog *steer_linker_catalog(const struct steer_linker *linker);
const struct steer_geo *steer_linker_geo(const struct steer_linker *linker);
struct steer_cells *steer_linker_cells(const struct steer_linker *linker);
struct steer_residuals *steer_linker_residuals(const struct steer_linker *linker);
// The distinct class tables, the classes of all of them, and the memory that they take.
struct steer_linker_maps {
    size_t tables, classes, bytes;
};
struct steer_linker_maps steer_linker_maps(const struct steer_linker *linker);
// Steered records whose rankings were cut since they had too many classes -> how many of a ranking are in order.
const struct steer_map *steer_linker_cut_rankings(const struct steer_linker *linker);
// The vitals with the current catalogue.
const struct steer_vitals_view *steer_linker_view(const struct steer_linker *linker);

// Brings the cells of an endpoint, pool, site or check up to date after its health or override changed;
// returns how many changed. name NULL: all cells.
uint32_t steer_linker_refresh(struct steer_linker *linker, enum steer_kind kind, const char *name);
// The same for endpoints whose health changed together: each cell once.
uint32_t steer_linker_refresh_endpoints(struct steer_linker *linker, const char *const *names,
                                        size_t count);

// pause is called between the steps of a long prepare: the owner sees to what cannot wait, such as verdicts. It may
// call steer_linker_refresh and steer_linker_refresh_endpoints, and nothing else of the linker.
void steer_linker_set_pause(struct steer_linker *linker, void (*pause)(void *ctx), void *ctx);

// ---- one change ----------------------------------------------------------------------------------

enum steer_journal_kind {
    STEER_J_OBJECT,       // object
    STEER_J_OBJECT_GONE,  // kind_of, name
    STEER_J_ZONE,         // origin, document
    STEER_J_ZONE_GONE,    // origin
    STEER_J_ZONE_CONTENT, // origin, zone (NULL: it went again): all static RRsets replaced
    STEER_J_RRSET,        // origin, owner, type, ttl_s, packed
    STEER_J_RRSET_GONE,   // origin, owner, type
    STEER_J_STEERED,      // origin, object
    STEER_J_STEERED_GONE, // origin, name
};

struct steer_journal_entry {
    enum steer_journal_kind kind;
    enum steer_kind kind_of;
    uint16_t type;
    uint32_t ttl_s;
    struct steer_object *object; // a reference is held
    const struct steer_zone *zone;
    struct steer_name origin, owner;
    char *name;
    uint8_t *packed;
    size_t packed_len;
};

// One link at a time.
struct steer_link *steer_link_begin(struct steer_linker *linker);
// The catalogue as it will be.
const struct steer_catalog *steer_link_catalog(const struct steer_link *link);
// Adds or replaces an object that is not a steered record. A measured latency table without frozen rows takes those of
// the one that it replaces.
void steer_link_put(struct steer_link *link, struct steer_object *object);
// An object that is not a steered record; false when it is not there. What names it must go, too, or prepare refuses.
bool steer_link_remove(struct steer_link *link, enum steer_kind kind, const char *name);

// The zone as it will be is opened for editing (and made, if it is not there: journalled with document); the
// edit belongs to the link.
struct steer_zone_edit *steer_link_zone(struct steer_link *link, const struct steer_name *origin,
                                        const char *document);
// Whether the zone will be there as the link stands now.
bool steer_link_has_zone(const struct steer_link *link, const struct steer_name *origin);
// Replaces the RRset of that owner and type; a CNAME also a steered one. Errors as steer_zone_put_packed.
enum steer_err steer_link_put_rrset(struct steer_link *link, const struct steer_name *origin,
                                    const struct steer_name *owner, uint16_t type, uint32_t ttl_s,
                                    const uint8_t *packed, size_t packed_len,
                                    struct steer_diag *diag) STEER_MUST_USE;
// A static RRset; false when there is none.
bool steer_link_remove_rrset(struct steer_link *link, const struct steer_name *origin,
                             const struct steer_name *owner, uint16_t type);
// A steered record with its place in its zone; it leaves the zone that it was in before, if that was another. A
// steered CNAME replaces a static one.
enum steer_err steer_link_put_steered(struct steer_link *link, struct steer_object *steered,
                                      struct steer_diag *diag) STEER_MUST_USE;
// With its place in its zone; no effect when it is not there.
void steer_link_remove_steered(struct steer_link *link, const char *name);
// A zone built elsewhere takes the place of the present one's static records; its steered records
// are carried over, and its serial is raised above the present one's. The link owns the build from now
// on, also when it is refused: STEER_EINVAL with diag (the zone's own faults); the link is then as before.
enum steer_err steer_link_replace_zone(struct steer_link *link, const struct steer_name *origin,
                                       struct steer_zone_edit *build,
                                       struct steer_diag *diag) STEER_MUST_USE;
// Takes a steer_link_replace_zone back: the zone will be as it was before the link. Also after prepare; not for zones
// that the link changed in other ways.
void steer_link_leave_zone(struct steer_link *link, const struct steer_name *origin);
// Its steered records go with it. False when it is not there.
bool steer_link_remove_zone(struct steer_link *link, const struct steer_name *origin);
// Loading from the store: nothing is journalled, serials stay.
void steer_link_set_loading(struct steer_link *link);

// Every steered record is compiled again, against other geo data (a reference is taken).
void steer_link_set_geo(struct steer_link *link, struct steer_geo *geo);

// From now on this set of overrides for some clients is in force (a reference is taken), and every record is compiled
// again that may feel what differs. Assertions have no say in it (docs/decisions/0131).
void steer_link_set_rehearsals(struct steer_link *link, const struct steer_rehearsals *set);

// Validates references, compiles what is touched, finishes zones. now_unix_s is the new serial of changed
// zones where it is above the old one (RFC 1982), else old + 1; a zone from a file keeps its own serial if that is
// above the old one, else has old + 1. Errors: STEER_EINVAL, STEER_ELIMIT with diag; then abort.
enum steer_err steer_link_prepare(struct steer_link *link, uint64_t now_unix_s,
                                  struct steer_diag *diag) STEER_MUST_USE;
// In the order in which it is to be stored; the link's, until it ends. Complete after prepare.
const struct steer_journal_entry *steer_link_journal(const struct steer_link *link, size_t *count);
// The zone as it will be; NULL when it goes. Valid until the link's next change.
const struct steer_zone *steer_link_zone_after(const struct steer_link *link,
                                               const struct steer_name *origin);
// Warnings about records that prepare compiled, with their places; the link's until it ends.
const struct steer_diag *steer_link_advice(const struct steer_link *link, size_t *count);
// How many steered records prepare compiled.
size_t steer_link_compiled(const struct steer_link *link);
// Publishes, unless nothing has changed; the link is gone afterwards.
void steer_link_commit(struct steer_link *link);
void steer_link_abort(struct steer_link *link); // NULL is accepted

// ---- assertions ------------------------------------------------------------------------------------

// prepare judges what the link reaches: all assertions about records that are compiled, and all records of assertions
// that changed, or whose targets did. One that does not hold is STEER_EINVAL with the assertion's place, unless it is
// waived. Errors: STEER_ENOTFOUND (no such assertion), with diag.
// name: as the document gave it, or DOCUMENT/NAME; documents must be in the link already.
enum steer_err steer_link_waive(struct steer_link *link, const char *name,
                                struct steer_diag *diag) STEER_MUST_USE;
// For plan: prepare refuses nothing for its assertions.
void steer_link_set_planning(struct steer_link *link);

struct steer_link_breach {
    const struct steer_object *assertion, *steered; // the candidate catalogue's
    bool waived;
    bool now; // it holds with all checks up, and does not with health as it is: only a warning
    struct steer_breach breach;
};
// After prepare, also after one that failed; in order of assertion and record.
const struct steer_link_breach *steer_link_breaches(const struct steer_link *link, size_t *count);
// The one for which prepare failed; NULL when it did not, or for something else.
const struct steer_link_breach *steer_link_refusal(const struct steer_link *link);

// ---- plans -----------------------------------------------------------------------------------------

// What a link would do to those who ask. Taken from a link that was prepared (which may then be aborted), it holds
// what it needs: the rest may happen on any thread.
struct steer_plan;
// all: every steered record, not only those that the change reaches.
struct steer_plan *steer_link_plan(const struct steer_link *link, bool all);
// NULL is accepted. Any thread.
void steer_plan_destroy(struct steer_plan *plan);
// The verdicts on assertions (borrowed): see control.h.
json_t *steer_plan_assertions(const struct steer_plan *plan);
struct steer_replay_question; // replay.h
struct steer_plan_how {
    bool all; // also shares that stay
    // Shares are of these queries: of those for a record's own names where there are 100 or more, else of all. NULL: of
    // addresses.
    const struct steer_replay_question *asked;
    size_t asked_count;
};
// Appends the members of a JSON object, without its braces: "assertions":[..],"population":{"of":"addresses|queries",
// "queries":n},"brief":bool (more than 100 records, and not all),"records":[..]. Records stand in order of name; their
// members are listed in policy/impact.h, and "change": created, removed, replaced, or reached (what it uses changed), and,
// of queries, "asked":{"queries":n,"names":"own|all"}. Errors: STEER_ELIMIT; *out then holds a part.
enum steer_err steer_plan_run(const struct steer_plan *plan, const struct steer_plan_how *how,
                              struct steer_buf *out, struct steer_diag *diag) STEER_MUST_USE;

// ---- whole documents -----------------------------------------------------------------------------

struct steer_link_documents_options {
    bool take_over, prune;
};
// What applying changed, as names like "pool eu" and "record api.example.com. address".
struct steer_link_summary {
    char **created, **replaced, **removed;
    size_t created_count, created_cap, replaced_count, replaced_cap, removed_count, removed_cap;
    size_t unchanged;
};
// Also after an error.
void steer_link_summary_fini(struct steer_link_summary *summary);
// Puts documents' objects and records into the link. What cannot stand beside a record that they give (RFC 1034
// 3.6.2, a steered address beside A and AAAA) gives way. prune removes the objects and steered records that these
// documents defined, and the static records of their zones but for SOA and NS, that they do not have now.
// Errors: STEER_EINVAL (a thing twice, one of another document without take_over) with its place.
enum steer_err steer_link_documents(struct steer_link *link,
                                    struct steer_document *const *documents, size_t count,
                                    const struct steer_link_documents_options *options,
                                    struct steer_link_summary *summary,
                                    struct steer_diag *diag) STEER_MUST_USE;

// After prepare: adds to the advice what a review finds in the documents' static records, where their zones change.
void steer_link_review(struct steer_link *link, struct steer_document *const *documents,
                       size_t count);

// ---- explain -------------------------------------------------------------------------------------

struct steer_explain_question {
    struct steer_name name; // lower case
    uint16_t type;
    struct steer_addr client;
    uint8_t source;
    // What if: these are down, health is as in other vitals (NULL: as it is), and a prepared link were in force (or
    // NULL).
    const struct steer_down *down;
    size_t down_count;
    const struct steer_vitals *vitals;
    struct steer_link *link;
};
// How the answer comes about, by the functions that give it (the members are listed in control.h). The
// caller owns the result.
json_t *steer_linker_explain(struct steer_linker *linker,
                             const struct steer_explain_question *question);

#endif
