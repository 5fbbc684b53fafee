// SPDX-License-Identifier: GPL-3.0-or-later
// Zones: immutable versions of names -> RRsets. Floor 3.
//
// A zone version never changes once finished; an edit makes the next version and shares what it did not
// touch. Names are lower case. Empty non-terminals have nodes of their own. Knows nothing of queries or
// of where records come from.
#ifndef STEERD_ZONE_ZONE_H
#define STEERD_ZONE_ZONE_H

#include "steerd/base/buf.h"
#include "steerd/wire/message.h"
#include "steerd/zone/trie.h"

// One RRset of a node. A static one keeps its RRs in the form in which an answer section has them when the
// owner is the question's name: owner as a pointer to offset 12 (0xC00C), type, class IN, TTL, RDLENGTH,
// RDATA (names uncompressed). A steered one keeps the number of its program in the world.
struct steer_rrset {
    uint16_t type;
    uint16_t count; // RRs; steered: 0
    uint32_t ttl_s;
    uint32_t at;  // static: offset of the RRs from the node's first octet; steered: program
    uint32_t len; // static: octets of all RRs
};

enum {
    STEER_NODE_APEX = 1,
    STEER_NODE_CUT = 2, // NS below the apex: a delegation
    STEER_NODE_DNAME = 4,
    STEER_NODE_WILDCARD = 8, // has the child "*"
    STEER_NODE_STEERED = 16, // has a steered RRset
    STEER_NODE_CNAME = 32,   // has a static or steered CNAME
};

// Steered `address` records are kept under this pseudo-type (reserved by RFC 6895, never on the wire); a
// steered CNAME, MX, SRV or TXT under its type with count 0.
enum { STEER_TYPE_ADDRESS = 0 };

struct steer_zone_node {
    uint64_t hash;
    uint32_t children; // nodes one label below
    uint8_t owner_len;
    uint8_t flags;
    uint16_t rrset_count;
    struct steer_rrset rrsets[]; // in order of type; then the owner's octets, then RRs
};

static inline const uint8_t *steer_zone_node_owner(const struct steer_zone_node *node)
{
    return (const uint8_t *)(node->rrsets + node->rrset_count);
}
static inline const struct steer_rrset *steer_zone_node_rrset(const struct steer_zone_node *node,
                                                              uint16_t type)
{
    for (unsigned i = 0; i < node->rrset_count; i++)
        if (node->rrsets[i].type == type)
            return &node->rrsets[i];
    return NULL;
}
static inline bool steer_rrset_is_steered(const struct steer_rrset *set)
{
    return set->count == 0;
}
static inline const uint8_t *steer_rrset_rrs(const struct steer_zone_node *node,
                                             const struct steer_rrset *set)
{
    return (const uint8_t *)node + set->at;
}

// The SOA as the authority section of a negative answer has it, when the question's name lies in the zone: octets
// to copy, and where compression pointers in them go, counted from where the RR stands in the message (is_own)
// or from where the origin stands in the question. len 0: it is longer than most, and is to be written
// out.
struct steer_negative {
    uint8_t len;
    uint8_t pointer_count;
    struct steer_negative_pointer {
        uint16_t at, delta;
        bool is_own;
    } pointers[3]; // of the owner, MNAME and RNAME
    uint8_t octets[104];
};

struct steer_zone {
    uint64_t hash; // of the origin; first, as the trie wants it
    const struct steer_zone_node *apex;
    struct steer_trie names;
    uint32_t special_count; // nodes with CUT or DNAME: 0 lets a look-up skip the walk from the apex
    uint32_t serial;
    struct steer_name origin; // up to here, most questions find all they need in two cache lines
    uint32_t negative_ttl_s;  // min(SOA TTL, MINIMUM) (RFC 2308 5)
    struct steer_negative negative;
    uint64_t rrset_count, record_count, steered_count;
    size_t node_bytes;
};

// The node of a lower-case name whose hash is known (steer_name_hashes), or NULL.
const struct steer_zone_node *steer_zone_find(const struct steer_zone *zone, uint64_t hash,
                                              const uint8_t *name);

// The same for a name whose leaf steer_trie_descend gave in the zone's names.
const struct steer_zone_node *steer_zone_find_in(uintptr_t leaf, uint64_t hash,
                                                 const uint8_t *name);

// ---- making versions -----------------------------------------------------------------------------

struct steer_zone_edit;
// The first version of a zone: built in place.
struct steer_zone_edit *steer_zone_build(const struct steer_name *origin);
// The next version of a zone; `from` stays as it is.
struct steer_zone_edit *steer_zone_edit(const struct steer_zone *from);

// One RRset to put: rdata[i] of rdata_len[i] octets, names uncompressed. Replaces the RRset of that
// owner and type. Duplicate RDATA is dropped. Errors: STEER_EINVAL (owner
// outside the zone; no records; RRs of over 65,535 octets, or of 16 MiB at one owner; a type that no zone can hold).
enum steer_err steer_zone_put(struct steer_zone_edit *edit, const uint8_t *owner, uint16_t type,
                              uint32_t ttl_s, const uint8_t *const *rdata,
                              const uint16_t *rdata_len, size_t count,
                              struct steer_diag *diag) STEER_MUST_USE;
// The same from the store's packed form: per RR a big-endian u16 length and the RDATA. Errors: STEER_EINVAL also when
// the lengths do not add up.
enum steer_err steer_zone_put_packed(struct steer_zone_edit *edit, const uint8_t *owner,
                                     uint16_t type, uint32_t ttl_s, const uint8_t *packed,
                                     size_t packed_len, struct steer_diag *diag) STEER_MUST_USE;
// Adds one RR to an RRset, making it if need be; a TTL that differs from the RRset's: the lowest wins
// (RFC 2181 5.2). What is remarkable is set in *added (may be NULL). For zone files, whose records come one by one.
struct steer_zone_added {
    bool ttl_differs;
    bool duplicate; // it was there already
};
enum steer_err steer_zone_add(struct steer_zone_edit *edit, const uint8_t *owner, uint16_t type,
                              uint32_t ttl_s, const uint8_t *rdata, size_t rdata_len,
                              struct steer_zone_added *added,
                              struct steer_diag *diag) STEER_MUST_USE;
// type: STEER_TYPE_ADDRESS, or that of the records.
enum steer_err steer_zone_put_steered(struct steer_zone_edit *edit, const uint8_t *owner,
                                      uint16_t type, uint32_t ttl_s, uint32_t program,
                                      struct steer_diag *diag) STEER_MUST_USE;
// False when there was none. Nodes left empty go, with their empty parents.
bool steer_zone_remove(struct steer_zone_edit *edit, const uint8_t *owner, uint16_t type);
// The node as the edit has it now, or NULL; valid until the next change of the edit.
const struct steer_zone_node *steer_zone_edit_find(struct steer_zone_edit *edit,
                                                   const uint8_t *owner);

// What finish checks, without ending the edit. An edit that passed and was not changed since finishes
// without error.
enum steer_err steer_zone_check(struct steer_zone_edit *edit,
                                struct steer_diag *diag) STEER_MUST_USE;
// Whether a node of the edit is at fault by itself (finish would refuse it), and the owner that is named then.
bool steer_zone_faulty(struct steer_zone_edit *edit, struct steer_name *owner);
// The zone as it will be, after a check that passed; valid until the edit's next change.
const struct steer_zone *steer_zone_edit_view(const struct steer_zone_edit *edit);

// Checks what must hold of a whole zone and gives the version: exactly one SOA at the apex, no CNAME with
// other data (also steered: address beside A/AAAA, CNAME beside anything). NS at the apex may be missing. Errors:
// STEER_EINVAL naming the owner; the edit is then aborted by the caller. retired receives what the
// new version replaced (also the old steer_zone struct itself).
enum steer_err steer_zone_finish(struct steer_zone_edit *edit, struct steer_zone **zone,
                                 struct steer_retired *retired,
                                 struct steer_diag *diag) STEER_MUST_USE;
void steer_zone_abort(struct steer_zone_edit *edit); // NULL is accepted
// Everything of a version, to let a zone go for good.
void steer_zone_retire(struct steer_zone *zone, struct steer_retired *retired);
// What a finished version holds that `base`, the one it came from (NULL: none), does not: to undo a
// version that was never published, free these, and drop what its finish gave to retired.
void steer_zone_difference(struct steer_zone *zone, const struct steer_zone *base,
                           struct steer_fresh *blocks);

// RFC 1982 3.2.
static inline bool steer_serial_is_above(uint32_t a, uint32_t b)
{
    return a != b && (uint32_t)(a - b) < UINT32_C(0x80000000);
}
// Whether the static records of both are the same but for the SOA's serial.
bool steer_zone_same(const struct steer_zone *a, const struct steer_zone *b);

// Every node with data, in no particular order.
void steer_zone_each(const struct steer_zone *zone,
                     bool (*visit)(void *ctx, const struct steer_zone_node *node), void *ctx);

// The RRs of a static RRset one by one: start with at = 0; false at the end.
struct steer_rr_view {
    uint32_t ttl_s;
    uint16_t rdata_len;
    const uint8_t *rdata;
};
bool steer_rrset_next(const struct steer_zone_node *node, const struct steer_rrset *set, size_t *at,
                      struct steer_rr_view *rr);

#endif
