// SPDX-License-Identifier: GPL-3.0-or-later
// The evaluator: a residual tree and a view of health -> a distribution over outcomes. Floor 3. Pure.
// The one function that cells are filled by, explain traces and tests judge.
#ifndef STEERD_POLICY_DECIDE_H
#define STEERD_POLICY_DECIDE_H

#include "steerd/base/buf.h"
#include "steerd/policy/residual.h"

enum steer_availability { STEER_AVAILABLE, STEER_UNAVAILABLE, STEER_DRAINED };

// How the evaluator asks about the present (or a hypothetical) moment.
struct steer_view {
    void *ctx;
    // An endpoint's own state by steering.md "Availability" 1-2: its overrides and its site's, else its
    // checks. checks_as_up: verdicts of checks read as up; overrides and drains still hold.
    // why: NULL, or a JSON object that receives the reasons: "override": {"reason":...,...}, "checks":
    // [{"check":...,"verdict":"down","reason":...,...},...]. The trace's own texts are made of these.
    enum steer_availability (*endpoint)(void *ctx, const struct steer_object *endpoint,
                                        bool checks_as_up, json_t *why);
    // An override on a pool.
    enum steer_forced (*pool)(void *ctx, const struct steer_object *pool, json_t *why);
    // Where a switch stands: an index into its positions. NULL: all stand where they are at first.
    uint32_t (*position)(void *ctx, const struct steer_object *control_switch, json_t *why);
    // The first two for clients for whom something is forced (policy/rehearsal.h): count effects on that endpoint, the
    // effect on that pool. NULL: what is forced for some clients only is left out.
    enum steer_availability (*endpoint_under)(void *ctx, const struct steer_object *endpoint,
                                              const struct steer_effect *effects, uint32_t count,
                                              bool checks_as_up, json_t *why);
    enum steer_forced (*pool_under)(void *ctx, const struct steer_object *pool,
                                    const struct steer_effect *effect, json_t *why);
};

// An exact share num/den in lowest terms, 0 <= share <= 1, den > 0. Arithmetic that would leave 64 bits is
// rounded to den = 2^62.
struct steer_share {
    uint64_t num, den;
};
// a * b.
struct steer_share steer_share_multiply(struct steer_share a, struct steer_share b);
// a + b, at most 1.
struct steer_share steer_share_add(struct steer_share a, struct steer_share b);
// As steer_share_add for a running sum, which need not be in lowest terms: the same value, sooner.
struct steer_share steer_share_accumulate(struct steer_share sum, struct steer_share share);
// a - b; 0 where b is the larger one.
struct steer_share steer_share_subtract(struct steer_share a, struct steer_share b);
// < 0, 0, > 0, exactly.
int steer_share_compare(struct steer_share a, struct steer_share b);
// num/den, which need not be in lowest terms; num <= den, den > 0.
struct steer_share steer_share_of(uint64_t num, uint64_t den);
// As a fraction, for display and for weights.
double steer_share_value(struct steer_share share);

// One RRset that may be given: the endpoints it names (or a fixed answer), and their least TTL cap.
struct steer_outcome {
    struct steer_share share;
    uint32_t ttl_cap_s; // 0: none
    uint32_t endpoint_count;
    const struct steer_object **endpoints; // in order of name
    const struct steer_fixed *fixed;       // for an answer; endpoint_count is 0
    uint64_t origin; // equal where the same endpoints, or the same answer, give another type
    uint32_t *note;  // the caller's: 0 at first, and one for all equal outcomes of a decider
};

enum { STEER_OUTCOMES_MAX = 65535 };

// Sticky draws: clients hash to slots, and each slot has an owner among the outcomes, found by weighted
// rendezvous at each node that draws. A change of weights or health moves only slots of what
// changed.
enum { STEER_SLOT_BITS = 13, STEER_SLOTS = 1 << STEER_SLOT_BITS };

struct steer_distribution {
    bool available;  // the root was available without serve_all
    bool served_all; // check verdicts were read as up at the root
    bool reads_up;   // they were there, or at a node in it that says serve_all
    bool exhausted;  // nothing even then: NODATA and an alarm
    uint32_t count;  // outcomes of the asked type; 0: NODATA. Shares add up to 1. No two are equal.
    struct steer_outcome *outcomes;
    const uint16_t *slots; // sticky, with more than one outcome: the owner of each slot
    struct steer_arena arena;
};

// Evaluates for one RR type (A, AAAA, HTTPS, SVCB, CNAME, MX, SRV, TXT). trace: NULL, or a JSON object that receives the visited
// nodes as a tree: {"node":"failover","available":true,"candidates":[{"child":...,"chosen":true,
// "reason":...}],...}. The distribution is initialised by the call; fini frees it.
void steer_decide(const struct steer_residual *root, const struct steer_view *view, uint16_t type,
                  struct steer_distribution *out, json_t *trace);
// The trace of resolving (residual.h) and that of deciding for the same client, joined: nodes of the decision get the
// "policy" that they are the tree of, and candidates what they stand "for" ("EU-DE", "192.0.2.0/24", "default"), where that is
// not ambiguous. The "id" by which they are found goes from both.
void steer_trace_join(json_t *resolution, json_t *decision);
// The same for a sticky draw: the shares are those of the slots.
void steer_decide_sticky(const struct steer_residual *root, const struct steer_view *view,
                         uint16_t type, struct steer_distribution *out, json_t *trace);
void steer_distribution_fini(struct steer_distribution *distribution);

// The same evaluator for many roots of one type, one after the other. It keeps its memory, and what endpoints,
// pools and answers came to, so that these are asked for once. One thread.
struct steer_decider;
// type and sticky as in steer_decide; no view yet.
struct steer_decider *steer_decider_create(uint16_t type, bool sticky);
// NULL is accepted.
void steer_decider_destroy(struct steer_decider *decider);
// From now on equal RRsets of different answers are outcomes of their own, since these may differ in
// another type.
void steer_decider_keep_apart(struct steer_decider *decider);
// As steer_decide. The distribution is the decider's: valid until the next call, not for fini. Requires that
// the view says the same as it did since the last forget.
const struct steer_distribution *steer_decider_run(struct steer_decider *decider,
                                                   const struct steer_residual *root,
                                                   const struct steer_view *view);
// Forgets everything, and with it the notes. To be called before the view says anything new, and before a
// residual that was decided goes.
void steer_decider_forget(struct steer_decider *decider);

// The objects that a residual's outcome depends on: visit is called for each endpoint, pool and switch in it (maybe
// more than once). Used for the endpoint -> cell index.
void steer_residual_visit(const struct steer_residual *root,
                          void (*visit)(void *ctx, const struct steer_object *object), void *ctx);

// Whether there is anything of the type in it.
bool steer_residual_gives(const struct steer_residual *root, uint16_t type);
// Whether some state of health leaves it a choice between outcomes of the type. Where none does, a draw plays
// no part, whatever its mode.
bool steer_residual_draws(const struct steer_residual *root, uint16_t type);

// Which of the types there is anything of in it: bit i for types[i]. *alike: each endpoint in it gives all of those or
// none, and there are no answers, so that the distributions of these types are one.
uint32_t steer_residual_types(const struct steer_residual *root, const uint16_t *types,
                              uint32_t count, bool *alike);

// Appends the RRs of an outcome in pre-rendered form: owner as a pointer to offset 12, type, class IN,
// TTL 0 (patched when given), RDLENGTH, RDATA. Returns the number of RRs.
uint16_t steer_outcome_render(const struct steer_outcome *outcome, uint16_t type,
                              struct steer_buf *out);

#endif
