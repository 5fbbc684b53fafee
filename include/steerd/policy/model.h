// SPDX-License-Identifier: GPL-3.0-or-later
// The objects of the steering model (steering.md, "Objects"), and the catalogue of all of them. Floor 3.
//
// Objects are immutable once parsed and reference counted (atomically), so that a candidate catalogue, a
// slow reader and the published world can hold the same ones. They name each other by text; a
// catalogue resolves the names. Knows nothing of SQLite, sockets or clocks.
#ifndef STEERD_POLICY_MODEL_H
#define STEERD_POLICY_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steerd/base/addr.h"
#include "steerd/base/mem.h"
#include "steerd/geo/latency.h"
#include "steerd/geo/place.h"
#include "steerd/health/verdict.h"
#include "steerd/wire/message.h"
#include "steerd/wire/name.h"

enum steer_kind {
    STEER_SITE,
    STEER_CHECK,
    STEER_ENDPOINT,
    STEER_POOL,
    STEER_SWITCH,
    STEER_LATENCY, // a latency table
    STEER_POLICY,
    STEER_ASSERTION, // what must hold; its name is "DOCUMENT/NAME"
    STEER_STEERED,   // a steered record; its name is "OWNER. KIND", e.g. "api.example.com. address"
    STEER_KINDS
};
// "site", "check", ...; in documents the plural is the key.
const char *steer_kind_text(enum steer_kind kind);

enum {
    STEER_DEPTH_MAX = 16,
    STEER_WEIGHT_MAX = 65535,
    STEER_ALL_MAX = 8,
    STEER_POSITIONS_MAX = 32,
    // The header, a question and an OPT stand in a message beside the RRset.
    STEER_RRSET_BYTES_MAX = STEER_MESSAGE_MAX - 512
};

// Where something stands in its document; line 0: it came from the store.
struct steer_where {
    uint32_t line, column;
};

// ---- trees ---------------------------------------------------------------------------------------

enum steer_node_kind {
    STEER_NODE_ENDPOINT,
    STEER_NODE_POOL,
    STEER_NODE_ANSWER,
    STEER_NODE_WEIGHTED,
    STEER_NODE_FAILOVER,
    STEER_NODE_GEO,
    STEER_NODE_NETWORK,
    STEER_NODE_NEAREST,
    STEER_NODE_LATENCY,
    STEER_NODE_SWITCH,
    STEER_NODE_USE,
};
// "endpoint", "pool", ...
const char *steer_node_kind_text(enum steer_node_kind kind);

enum steer_when_unavailable {
    STEER_WHEN_DEFAULT,    // inner node: unavailable to the parent; root: serve_all
    STEER_WHEN_SERVE_ALL,  // check verdicts read as up
    STEER_WHEN_SERVE_NONE, // NODATA
    STEER_WHEN_SUBSTITUTE, // another node
};

// "min_available: 2" or "50%".
struct steer_minimum {
    uint32_t value; // default 1
    bool percent;
};

// One RRset of an `answer` node, or one static RRset of a document.
struct steer_fixed {
    uint16_t type;
    uint16_t count;
    uint16_t *len;         // of each rdata
    const uint8_t **rdata; // wire form, names uncompressed, sorted, no duplicates
};

struct steer_node;
struct steer_child {
    const struct steer_node *node;
    uint16_t weight;      // weighted
    bool fence;           // geo, network
    bool is_default;      // geo, network: no places, no networks
    int8_t bias;          // nearest: -99 to 99
    const char *site;     // nearest, latency: where the child is; NULL: at the sites in it
    const char *position; // switch
    uint16_t place_count; // geo
    const struct steer_place *places; // geo
    struct steer_where at;
};

// The rule of a network node that names an AS number.
struct steer_asn_rule {
    uint32_t asn;
    uint32_t child;
};

struct steer_node {
    enum steer_node_kind kind;
    enum steer_when_unavailable when;
    struct steer_minimum min_available;  // of a pool: 0, or what goes before the pool's own
    const struct steer_node *substitute; // with STEER_WHEN_SUBSTITUTE
    const char *name;                    // endpoint, pool, use, switch; latency: the table, or NULL
    uint32_t trickle_ppm; // failover: share that may leak to the next, parts per million
    uint32_t child_count;
    const struct steer_child *children;
    uint32_t fixed_count; // answer
    const struct steer_fixed *fixed;
    uint32_t network_count; // network: the CIDRs of all rules, sorted; their value is the child
    const struct steer_nested *networks;
    uint32_t asn_count; // network: sorted by number
    const struct steer_asn_rule *asns;
    struct steer_where at;
};

// ---- objects -------------------------------------------------------------------------------------

struct steer_site {
    bool has_place, has_point;
    struct steer_place place;
    double lat, lon;
};

enum steer_check_kind { STEER_CHECK_HTTP, STEER_CHECK_HTTPS, STEER_CHECK_TCP };

struct steer_check {
    enum steer_check_kind kind;
    uint16_t port;                                  // default 80, 443; tcp: must be given
    uint32_t interval_ms, timeout_ms;               // defaults 10 s and 3 s; timeout <= interval
    struct steer_hysteresis hysteresis;             // defaults rise 2, fall 3, initially up
    const char *path, *host, *method, *expect_body; // NULL: default
    uint16_t status_min, status_max;                // default 200-399
    bool verify;                                    // default true
    bool prefer_v6; // `family: ipv6`: probe the IPv6 address; default IPv4 where there is one
};

struct steer_label {
    const char *key, *value;
};

// What an HTTPS or SVCB record says of an endpoint beside its addresses (RFC 9460 7).
struct steer_service {
    uint16_t priority; // 0: there is no such record of it
    uint16_t port;     // 0: not said
    uint16_t alpn_len;
    const uint8_t *alpn; // wire form: each identifier behind its length
};

enum { STEER_ADDRESSES_MAX = 16 }; // of an endpoint in one family

struct steer_endpoint {
    bool has_v4, has_v6, has_hostname;
    struct steer_addr v4, v6; // the first of each family: the one that is probed
    uint32_t more_count;
    const struct steer_addr *more; // the others, of both families
    struct steer_name hostname;    // target of CNAME, MX and SRV answers
    const char *site;              // NULL: none
    uint32_t check_count;
    const char *const *checks;
    uint32_t checks_needed; // how many must be up: all by default, 1 for `any`
    uint32_t ttl_cap_s;     // 0: none
    struct steer_service https, svcb;
    uint16_t mx_preference;                      // default 10
    uint16_t srv_port, srv_priority, srv_weight; // port 0: there is no SRV record of it
    uint32_t label_count;
    const struct steer_label *labels;
};

enum steer_pick { STEER_PICK_ONE, STEER_PICK_N, STEER_PICK_ALL };

struct steer_member {
    const char *endpoint;
    uint16_t weight;
    struct steer_where at;
};

struct steer_pool {
    enum steer_pick pick;
    uint32_t pick_count; // N, or the most of `all` (8)
    struct steer_minimum min_available;
    uint32_t member_count;
    const struct steer_member *members;
};

// A manual control: its position is running state (an override is too) and says which child a node gives.
struct steer_switch {
    uint32_t position_count; // at least 1
    const char *const *positions;
    uint32_t initial; // where it stands until somebody sets it
};
// The index of a position, or position_count.
uint32_t steer_switch_position(const struct steer_switch *object, const char *name);

enum steer_steered_kind {
    STEER_STEERED_ADDRESS,
    STEER_STEERED_CNAME,
    STEER_STEERED_MX,
    STEER_STEERED_SRV,
    STEER_STEERED_TXT,
    STEER_STEERED_KINDS
};
// "address", "cname", ...
const char *steer_steered_kind_text(enum steer_steered_kind kind);
// The RR type that a zone keeps such a record under; 0 for an address, which is several.
uint16_t steer_steered_type(enum steer_steered_kind kind);
// The kind of a steered record that a zone keeps under a type; ADDRESS for all others.
enum steer_steered_kind steer_steered_of_type(uint16_t type);

// What picks the outcome for a client (steering.md, "The draw").
enum steer_draw {
    STEER_DRAW_RANDOM,
    STEER_DRAW_COHERENT, // one for each resolver and span of one TTL
    STEER_DRAW_STICKY,   // one for each network of clients
};

struct steer_drawing {
    enum steer_draw mode;
    uint8_t v4_bits, v6_bits; // sticky: of a network
};

enum { STEER_STEERED_NAME_MAX = STEER_NAME_TEXT_MAX + 16 };
// The name of the steered record of that owner and kind (enum steer_steered_kind); false when this version has no
// such kind.
bool steer_steered_name(const struct steer_name *owner, unsigned kind,
                        char out[STEER_STEERED_NAME_MAX]);

struct steer_steered {
    struct steer_name zone;  // origin, lower case
    struct steer_name owner; // absolute, lower case; may start with the label "*"
    enum steer_steered_kind kind;
    uint32_t ttl_s;
    bool allow_negative;
    struct steer_drawing draw;
    const struct steer_node *tree;
};

// ---- assertions ------------------------------------------------------------------------------------

enum steer_assertion_kind {
    STEER_SURVIVE_SITE,     // any one site may be down
    STEER_SURVIVE_ENDPOINT, // any one endpoint may be down
    STEER_ONLY,             // clients get nothing but the targets
    STEER_NEVER,            // clients get none of the targets
    STEER_SHARE,            // of the one target, within bounds
};

// A pool, endpoint or site; STEER_KINDS: whichever has the name.
struct steer_target {
    enum steer_kind kind;
    const char *name;
    struct steer_where at;
};

struct steer_assertion {
    enum steer_assertion_kind kind;
    uint32_t place_count, prefix_count, asn_count; // `clients`; none of them: all clients
    const struct steer_place *places;
    const struct steer_prefix *prefixes;
    const uint32_t *asns;
    uint32_t target_count;
    const struct steer_target *targets;
    bool each_type; // survive: not only some address, but each type that there is
    bool has_min, has_max;
    uint32_t min_ppm, max_ppm;        // share, in parts per million
    const struct steer_name *zone;    // holds for the document's records of this zone; NULL: of all
    uint32_t record_count;            // `records`; 0: all of the document
    const struct steer_name *records; // owners, absolute, lower case
    const char *text;                 // what it says, on one line, for messages
};
// How a latency table is measured.
struct steer_measuring {
    uint32_t freeze_s, half_life_s;
    uint32_t step_us, hysteresis_us;
    uint32_t min_samples, max_samples, max_estimates;
    uint8_t v4_len, v6_len; // of the networks that clients are cut to
};

struct steer_object;
// The part of an assertion's name that its document gave it.
const char *steer_assertion_short_name(const struct steer_object *assertion);

// The common head. The body's memory lies in the arena and lives as long as the object.
struct steer_object {
    enum steer_kind kind;
    const char *name;
    const char
        *document;    // which document defined it: its file's base name, or the name given to apply
    const char *file; // for messages; "" from the store
    struct steer_where at;
    const char *json; // canonical JSON of the definition: parsing it gives an equal object
    uint64_t hash;    // of kind, name and json: equal hash and json, equal object
    union {
        struct steer_site site;
        struct steer_check check;
        struct steer_endpoint endpoint;
        struct steer_pool pool;
        struct steer_switch control_switch;
        struct {
            struct steer_latency *latency;          // all rows; a reference is held
            const struct steer_measuring *measured; // NULL: it is only uploaded
            struct steer_latency *uploaded;         // measured: the document's rows; a reference
            struct steer_latency *frozen;           // what was measured; a reference, or NULL
            uint32_t frozen_number;
        };
        struct steer_node tree; // policy
        struct steer_assertion assertion;
        struct steer_steered steered;
    };
    struct steer_arena arena;
    _Atomic uint32_t refs;
};

// Another reference to the same object. Any thread.
struct steer_object *steer_object_ref(const struct steer_object *object);
// NULL is accepted. The last one frees it, on whichever thread that is.
void steer_object_unref(struct steer_object *object);

// A measured latency table with other frozen rows (a reference is taken), else equal to the one that it is made of.
struct steer_object *steer_object_freeze(const struct steer_object *table,
                                         struct steer_latency *frozen, uint32_t number);

// Parses the JSON of a stored object (what `json` held). zone is needed for STEER_STEERED only, else
// NULL. Errors: STEER_EINVAL with diag: the store is damaged.
enum steer_err steer_object_from_json(enum steer_kind kind, const char *name, const char *document,
                                      const char *json, const struct steer_name *zone,
                                      struct steer_object **object,
                                      struct steer_diag *diag) STEER_MUST_USE;

// ---- catalogue -----------------------------------------------------------------------------------

// All objects of one moment. Mutable while it is built by one thread; shared and read-only once sealed.
struct steer_catalog;

// Empty, with one reference.
struct steer_catalog *steer_catalog_create(void);
// A mutable copy that shares the objects.
struct steer_catalog *steer_catalog_clone(const struct steer_catalog *catalog);
// Counted atomically: any thread may give its own reference back.
struct steer_catalog *steer_catalog_ref(struct steer_catalog *catalog);
void steer_catalog_unref(struct steer_catalog *catalog);

// Adds or replaces by kind and name; takes a reference of its own.
void steer_catalog_put(struct steer_catalog *catalog, struct steer_object *object);
// False when it is not there. name may be the object's own.
bool steer_catalog_remove(struct steer_catalog *catalog, enum steer_kind kind, const char *name);
// Borrowed; NULL where there is none.
const struct steer_object *steer_catalog_get(const struct steer_catalog *catalog,
                                             enum steer_kind kind, const char *name);
// How many objects of the kind there are.
size_t steer_catalog_count(const struct steer_catalog *catalog, enum steer_kind kind);
// True when both hold the same objects of the kind because one was cloned from the other and neither has
// changed them since. False says nothing.
bool steer_catalog_shares(const struct steer_catalog *a, const struct steer_catalog *b,
                          enum steer_kind kind);
// In order of name. The array is the caller's (free), the objects are borrowed.
const struct steer_object **steer_catalog_list(const struct steer_catalog *catalog,
                                               enum steer_kind kind);

// Checks every reference: unknown names (with the nearest known one), loops of policies (with the
// path), depth, pools without endpoints, endpoints without what they need (an address for a
// check), sites that do not exist; a geo without default or `serve_none` below it without allow_negative
// (the error suggests an `answer`). Errors: STEER_EINVAL with the file, line and column of the reference.
enum steer_err steer_catalog_check(const struct steer_catalog *catalog,
                                   struct steer_diag *diag) STEER_MUST_USE;

// ---- references ----------------------------------------------------------------------------------

// Who names whom in one catalogue, so that an edit looks only at what it reaches. One thread; holds names,
// no objects.
struct steer_references;
// Of all that the catalogue holds now.
struct steer_references *steer_references_create(const struct steer_catalog *catalog);
void steer_references_destroy(struct steer_references *references);
// Follows the catalogue: the object stands in the place of the one of its kind and name, or is gone.
void steer_references_put(struct steer_references *references, const struct steer_object *object);
void steer_references_remove(struct steer_references *references, enum steer_kind kind,
                             const char *name);

struct steer_change {
    enum steer_kind kind;
    const char *name;
};
// What was put or removed, and everything that names it, directly or through others. Calls visit once
// for each name; twice for one that is listed twice and was unknown.
void steer_references_reach(struct steer_references *references, const struct steer_change *changes,
                            size_t count,
                            void (*visit)(void *ctx, enum steer_kind kind, const char *name),
                            void *ctx);

// As steer_catalog_check, for a catalogue that differs by the changes alone from one that passed it and whose
// references are `before`.
enum steer_err steer_catalog_check_changes(const struct steer_catalog *catalog,
                                           struct steer_references *before,
                                           const struct steer_change *changes, size_t count,
                                           struct steer_diag *diag) STEER_MUST_USE;

#endif
