// SPDX-License-Identifier: GPL-3.0-or-later
// Making a zone version.
//
// The owner that is being changed is open in a draft. When the edit turns to another owner, the draft is
// sealed: it becomes a node, and ancestors are made, counted or taken away. A large draft is parked instead
// until it is needed or the edit ends, so that records which hop between owners do not copy it each time.
#include <stdio.h>
#include <stdlib.h>

#include "steerd/base/mem.h"
#include "steerd/rr/type.h"
#include "zone_internal.h"

enum { PARK_BYTES = 4096, TYPE_NSEC = 47, TYPE_RESERVED = 65535 };

struct steer_zone_edit {
    struct steer_zone next; // names and counters as they are so far
    struct steer_zone *from;
    struct steer_trie_change change;
    struct steer_retired retired;
    struct steer_fresh fresh;
    uint64_t faulty; // nodes with a fault
    struct draft *draft;
    struct draft_set scratch;
    struct steer_trie parked; // items are struct draft
};

static const struct steer_trie_change parking = {.build = true, .items_borrowed = true};

static bool draft_match(const void *item, const void *key)
{
    const struct draft *draft = item;
    const struct steer_name *owner = key;
    return draft->owner.len == owner->len &&
           memcmp(draft->owner.octets, owner->octets, owner->len) == 0;
}

static enum steer_err fail(struct steer_diag *diag, const uint8_t *owner, const char *what)
{
    char text[STEER_NAME_TEXT_MAX];
    if (!diag)
        return STEER_EINVAL;
    return steer_diag_set(diag, STEER_EINVAL, "%s %s", steer_name_format(owner, text), what);
}

// ---- nodes in and out ----------------------------------------------------------------------------

// What is wrong with a node by itself, or NULL.
static const char *fault_of(const struct steer_zone_node *node)
{
    const struct steer_rrset *cname = NULL;
    bool plain = false; // data that no CNAME suffers beside it
    bool any_address = false, steered_address = false;
    for (unsigned i = 0; i < node->rrset_count; i++) {
        const struct steer_rrset *set = &node->rrsets[i];
        if (set->type == STEER_TYPE_SOA && !(node->flags & STEER_NODE_APEX))
            return "has a SOA record, which only the apex of a zone may have";
        if (set->type == STEER_TYPE_SOA && set->count > 1)
            return "has more than one SOA record";
        if (set->type == STEER_TYPE_DNAME && set->count > 1)
            return "has more than one DNAME record"; // RFC 6672 2.4
        if (set->type == STEER_TYPE_CNAME && set->count > 1)
            return "has more than one CNAME record"; // RFC 2181 10.1
        if (set->type == STEER_TYPE_CNAME)
            cname = set;
        else if (set->type != STEER_TYPE_RRSIG && set->type != TYPE_NSEC)
            plain = true;
        any_address |= set->type == STEER_TYPE_A || set->type == STEER_TYPE_AAAA;
        steered_address |= set->type == STEER_TYPE_ADDRESS;
    }
    // RFC 1034 3.6.2; signatures and NSEC are excepted (RFC 4034 3, 4), though there are none for a
    // CNAME that changes with the client.
    if (cname && (plain || (steer_rrset_is_steered(cname) && node->rrset_count > 1)))
        return "has a CNAME and other data";
    if (any_address && steered_address)
        return "has a steered address and also A or AAAA records";
    return NULL;
}

// Enters a node into the sums, or takes it out.
static void account(struct steer_zone_edit *edit, const struct steer_zone_node *node, bool enter)
{
    struct steer_zone *zone = &edit->next;
    const uint64_t one = enter ? 1 : UINT64_MAX; // adding it is adding or taking away 1
    for (unsigned i = 0; i < node->rrset_count; i++) {
        zone->rrset_count += one;
        zone->record_count += one * node->rrsets[i].count;
        zone->steered_count += steer_rrset_is_steered(&node->rrsets[i]) ? one : 0;
    }
    if (node->flags & (STEER_NODE_CUT | STEER_NODE_DNAME))
        zone->special_count += (uint32_t)one;
    zone->node_bytes += one * steer_zone_node_bytes(node);
    edit->faulty += fault_of(node) ? one : 0;
}

static const struct steer_zone_node *find(const struct steer_zone_edit *edit,
                                          const struct draft *draft, unsigned labels)
{
    return steer_zone_find(&edit->next, draft->hashes.hash[labels],
                           draft->owner.octets + draft->hashes.at[labels]);
}

static void put_node(struct steer_zone_edit *edit, struct steer_zone_node *node)
{
    steer_trie_put(&edit->next.names, &edit->change, node, node_match, steer_zone_node_owner(node));
}

// The node in a form that the edit may alter.
static struct steer_zone_node *own(struct steer_zone_edit *edit, const struct steer_zone_node *node)
{
    if (edit->change.build || steer_fresh_has(&edit->fresh, node))
        return (struct steer_zone_node *)(uintptr_t)node;
    struct steer_zone_node *copy = steer_memdup(node, steer_zone_node_bytes(node));
    put_node(edit, copy);
    return copy;
}

static struct steer_zone_node *make_empty(uint64_t hash, const uint8_t *owner, size_t owner_len,
                                          uint8_t flags)
{
    struct steer_zone_node *node = steer_alloc(sizeof *node + owner_len);
    *node = (struct steer_zone_node){.hash = hash, .owner_len = (uint8_t)owner_len, .flags = flags};
    memcpy(node->rrsets, owner, owner_len);
    return node;
}

static uint8_t wildcard_flag(const uint8_t *label)
{
    return label[0] == 1 && label[1] == '*' ? STEER_NODE_WILDCARD : 0;
}

// A node has appeared: its parent has one child more, and comes into being with it if need be.
static void link_parents(struct steer_zone_edit *edit, const struct draft *draft)
{
    for (unsigned d = draft->owner.labels; d > edit->next.origin.labels; d--) {
        const uint8_t wildcard = wildcard_flag(draft->owner.octets + draft->hashes.at[d]);
        const struct steer_zone_node *found = find(edit, draft, d - 1);
        const unsigned at = draft->hashes.at[d - 1];
        struct steer_zone_node *parent =
            found ? own(edit, found)
                  : make_empty(draft->hashes.hash[d - 1], draft->owner.octets + at,
                               draft->owner.len - at, 0);
        parent->children++;
        parent->flags |= wildcard;
        if (found)
            return;
        account(edit, parent, true);
        put_node(edit, parent);
    }
}

// A node has gone: its parent has one child less, and goes too when nothing is left of it.
static void unlink_parents(struct steer_zone_edit *edit, const struct draft *draft)
{
    for (unsigned d = draft->owner.labels; d > edit->next.origin.labels; d--) {
        const struct steer_zone_node *found = find(edit, draft, d - 1);
        const bool stays =
            found->children > 1 || found->rrset_count || found->flags & STEER_NODE_APEX;
        if (stays) {
            struct steer_zone_node *parent = own(edit, found);
            parent->children--;
            parent->flags &= (uint8_t)~wildcard_flag(draft->owner.octets + draft->hashes.at[d]);
            return;
        }
        account(edit, found, false);
        steer_trie_remove(&edit->next.names, &edit->change, found->hash, node_match,
                          draft->owner.octets + draft->hashes.at[d - 1]);
    }
}

// Makes the draft's node the one in the zone. Ancestors may have changed since the draft was opened, and
// this node with them: children and the wildcard flag are those of now.
static void seal(struct steer_zone_edit *edit, struct draft *draft)
{
    draft->open = false;
    if (!draft->changed)
        return;
    const struct steer_zone_node *before = find(edit, draft, draft->owner.labels);
    const bool apex = draft->owner.labels == edit->next.origin.labels;
    const bool stays = draft->count || apex || (before && before->children);
    if (!before && !stays)
        return;
    struct steer_zone_node *node = NULL;
    if (stays)
        node = steer_draft_node(draft, before ? before->children : 0,
                                (apex ? STEER_NODE_APEX : 0) |
                                    (before ? before->flags & STEER_NODE_WILDCARD : 0));
    if (before)
        account(edit, before, false);
    if (node) {
        account(edit, node, true);
        put_node(edit, node);
        if (!before)
            link_parents(edit, draft);
    } else {
        steer_trie_remove(&edit->next.names, &edit->change, draft->hash, node_match,
                          draft->owner.octets);
        unlink_parents(edit, draft);
    }
}

// ---- turning to an owner -------------------------------------------------------------------------

static void set_aside(struct steer_zone_edit *edit)
{
    struct draft *draft = edit->draft;
    if (!draft->open)
        return;
    if (!draft->changed || draft->bytes <= PARK_BYTES) {
        seal(edit, draft);
        return;
    }
    steer_trie_put(&edit->parked, &parking, draft, draft_match, &draft->owner);
    edit->draft = steer_draft_create();
}

// Takes a parked draft back; NULL when there is none.
static struct draft *unpark(struct steer_zone_edit *edit, const struct steer_name *owner,
                            uint64_t hash)
{
    const void *found = steer_trie_find(&edit->parked, hash, draft_match, owner);
    if (!found)
        return NULL;
    steer_trie_remove(&edit->parked, &parking, hash, draft_match, owner);
    return (struct draft *)(uintptr_t)found;
}

static bool seal_parked(void *ctx, const void *item)
{
    struct draft *draft = (struct draft *)(uintptr_t)item;
    if (ctx)
        seal(ctx, draft);
    steer_draft_destroy(draft);
    return true;
}

// Seals what is parked into the edit, or throws it away when seal_into is NULL.
static void empty_parking(struct steer_zone_edit *edit, struct steer_zone_edit *seal_into)
{
    struct steer_fresh pages = {0};
    steer_trie_difference(&edit->parked, NULL, true, &pages);
    steer_trie_each(&edit->parked, seal_parked, seal_into);
    steer_fresh_free(&pages);
    edit->parked = (struct steer_trie){0};
}

static void seal_all(struct steer_zone_edit *edit)
{
    if (edit->draft->open)
        seal(edit, edit->draft);
    empty_parking(edit, edit);
}

static bool is_open(const struct steer_zone_edit *edit, const uint8_t *owner)
{
    const struct draft *draft = edit->draft;
    return draft->open && steer_name_length(owner) == draft->owner.len &&
           memcmp(owner, draft->owner.octets, draft->owner.len) == 0;
}

// The owner as a name with the hashes of its suffixes; false when it is not in the zone.
static bool resolve(const struct steer_zone_edit *edit, const uint8_t *owner,
                    struct steer_name *name, struct steer_name_hashes *hashes)
{
    const struct steer_name *origin = &edit->next.origin;
    if (!steer_name_from_wire(owner, STEER_NAME_MAX, name) || name->labels < origin->labels)
        return false;
    steer_name_lower(name);
    steer_name_hash_suffixes(name, hashes);
    const unsigned at = hashes->at[origin->labels];
    return name->len - at == origin->len &&
           memcmp(name->octets + at, origin->octets, origin->len) == 0;
}

// Opens the draft for the owner; false when it is not in the zone.
static bool turn_to(struct steer_zone_edit *edit, const uint8_t *owner)
{
    if (is_open(edit, owner))
        return true;
    struct steer_name name;
    struct steer_name_hashes hashes;
    if (!resolve(edit, owner, &name, &hashes))
        return false;
    const uint64_t hash = hashes.hash[name.labels];
    set_aside(edit);
    struct draft *parked = edit->parked.count ? unpark(edit, &name, hash) : NULL;
    if (parked) {
        steer_draft_destroy(edit->draft);
        edit->draft = parked;
    } else {
        steer_draft_open(edit->draft, &name, &hashes,
                         steer_zone_find(&edit->next, hash, name.octets));
    }
    return true;
}

static enum steer_err turn_to_static(struct steer_zone_edit *edit, const uint8_t *owner,
                                     uint16_t type, struct steer_diag *diag)
{
    if (steer_type_is_meta(type) || type == TYPE_RESERVED) {
        char text[STEER_TYPE_TEXT_MAX], what[STEER_TYPE_TEXT_MAX + 64];
        snprintf(what, sizeof what, "was given records of type %s, which no zone can hold",
                 steer_type_format(type, text));
        return fail(diag, owner, what);
    }
    if (!turn_to(edit, owner)) {
        char origin[STEER_NAME_TEXT_MAX], what[STEER_NAME_TEXT_MAX + 32];
        snprintf(what, sizeof what, "is not in the zone %s",
                 steer_name_format(edit->next.origin.octets, origin));
        return fail(diag, owner, what);
    }
    return STEER_OK;
}

static enum steer_err too_long(struct steer_diag *diag, const uint8_t *owner, uint16_t type)
{
    char text[STEER_TYPE_TEXT_MAX], what[STEER_TYPE_TEXT_MAX + 64];
    snprintf(what, sizeof what, "has %s records of over 65,535 octets in all",
             steer_type_format(type, text));
    return fail(diag, owner, what);
}

// ---- the door: changes ---------------------------------------------------------------------------

static struct steer_zone_edit *create(const struct steer_zone *from)
{
    struct steer_zone_edit *edit = steer_calloc(1, sizeof *edit);
    edit->from = (struct steer_zone *)(uintptr_t)from; // retired when the edit is finished
    if (from)
        edit->next = *from;
    edit->change = (struct steer_trie_change){
        .build = from == NULL, .retired = &edit->retired, .fresh = &edit->fresh};
    edit->draft = steer_draft_create();
    return edit;
}

struct steer_zone_edit *steer_zone_build(const struct steer_name *origin)
{
    struct steer_zone_edit *edit = create(NULL);
    edit->next.origin = *origin;
    steer_name_lower(&edit->next.origin);
    edit->next.hash = steer_name_hash(&edit->next.origin);
    struct steer_zone_node *apex =
        make_empty(edit->next.hash, edit->next.origin.octets, origin->len, STEER_NODE_APEX);
    account(edit, apex, true);
    put_node(edit, apex);
    return edit;
}

struct steer_zone_edit *steer_zone_edit(const struct steer_zone *from)
{
    return create(from);
}

// Gives what scratch holds to the draft.
static enum steer_err put_scratch(struct steer_zone_edit *edit, const uint8_t *owner,
                                  struct steer_diag *diag)
{
    if (!edit->scratch.count)
        return fail(diag, owner, "was given an RRset without records");
    if (edit->draft->bytes + edit->scratch.len > DRAFT_BYTES_MAX)
        return fail(diag, owner, "has over 16 MiB of records");
    steer_draft_swap(edit->draft, &edit->scratch);
    return STEER_OK;
}

enum steer_err steer_zone_put(struct steer_zone_edit *edit, const uint8_t *owner, uint16_t type,
                              uint32_t ttl_s, const uint8_t *const *rdata,
                              const uint16_t *rdata_len, size_t count, struct steer_diag *diag)
{
    const enum steer_err err = turn_to_static(edit, owner, type, diag);
    if (err)
        return err;
    steer_draft_set_reset(&edit->scratch, type, ttl_s);
    for (size_t i = 0; i < count; i++)
        if (steer_draft_set_append(&edit->scratch, rdata[i], rdata_len[i]) == DRAFT_TOO_LONG)
            return too_long(diag, owner, type);
    return put_scratch(edit, owner, diag);
}

enum steer_err steer_zone_put_packed(struct steer_zone_edit *edit, const uint8_t *owner,
                                     uint16_t type, uint32_t ttl_s, const uint8_t *packed,
                                     size_t packed_len, struct steer_diag *diag)
{
    const enum steer_err err = turn_to_static(edit, owner, type, diag);
    if (err)
        return err;
    steer_draft_set_reset(&edit->scratch, type, ttl_s);
    for (size_t at = 0; at < packed_len;) {
        const size_t left = packed_len - at;
        const size_t len = left < 2 ? 0 : (size_t)(packed[at] << 8 | packed[at + 1]);
        if (left < 2 || len > left - 2)
            return fail(diag, owner, "has a packed RRset whose lengths do not add up");
        if (steer_draft_set_append(&edit->scratch, packed + at + 2, len) == DRAFT_TOO_LONG)
            return too_long(diag, owner, type);
        at += 2 + len;
    }
    return put_scratch(edit, owner, diag);
}

enum steer_err steer_zone_add(struct steer_zone_edit *edit, const uint8_t *owner, uint16_t type,
                              uint32_t ttl_s, const uint8_t *rdata, size_t rdata_len,
                              struct steer_zone_added *added, struct steer_diag *diag)
{
    const enum steer_err err = turn_to_static(edit, owner, type, diag);
    if (err)
        return err;
    struct draft *draft = edit->draft;
    struct draft_set *set = steer_draft_find(draft, type);
    if (set && !set->count) {
        char text[STEER_TYPE_TEXT_MAX], what[STEER_TYPE_TEXT_MAX + 32];
        snprintf(what, sizeof what, "has a steered %s already", steer_type_format(type, text));
        return fail(diag, owner, what);
    }
    if (rdata_len > RRSET_BYTES_MAX - RR_HEAD_BYTES)
        return too_long(diag, owner, type);
    if (draft->bytes + RR_HEAD_BYTES + rdata_len > DRAFT_BYTES_MAX)
        return fail(diag, owner, "has over 16 MiB of records");
    if (!set)
        set = steer_draft_find_or_add(draft, type, ttl_s);
    const size_t before = set->len;
    const enum draft_added how = steer_draft_set_append(set, rdata, rdata_len);
    if (how == DRAFT_TOO_LONG)
        return too_long(diag, owner, type);
    draft->bytes += set->len - before;
    draft->changed = true;
    if (added)
        *added = (struct steer_zone_added){ttl_s != set->ttl_s, how == DRAFT_DUPLICATE};
    if (ttl_s < set->ttl_s) {
        set->ttl_s = ttl_s;
        set->ttl_lowered = true;
    }
    return STEER_OK;
}

enum steer_err steer_zone_put_steered(struct steer_zone_edit *edit, const uint8_t *owner,
                                      uint16_t type, uint32_t ttl_s, uint32_t program,
                                      struct steer_diag *diag)
{
    const enum steer_err err =
        turn_to_static(edit, owner, type == STEER_TYPE_ADDRESS ? STEER_TYPE_A : type, diag);
    if (err)
        return err;
    steer_draft_set_reset(&edit->scratch, type, ttl_s);
    edit->scratch.program = program;
    steer_draft_swap(edit->draft, &edit->scratch);
    return STEER_OK;
}

bool steer_zone_remove(struct steer_zone_edit *edit, const uint8_t *owner, uint16_t type)
{
    return turn_to(edit, owner) && steer_draft_remove(edit->draft, type);
}

const struct steer_zone_node *steer_zone_edit_find(struct steer_zone_edit *edit,
                                                   const uint8_t *owner)
{
    struct steer_name name;
    struct steer_name_hashes hashes;
    if (!resolve(edit, owner, &name, &hashes))
        return NULL;
    const uint64_t hash = hashes.hash[name.labels];
    seal_all(edit); // names below the owner count too: they are its children
    return steer_zone_find(&edit->next, hash, name.octets);
}

// ---- the door: ending ----------------------------------------------------------------------------

struct fault {
    const struct steer_zone_node *node;
    const char *what;
};

// Keeps the faulty node that comes first in canonical order, so that the same zone gives the same error.
static bool note_fault(void *ctx, const void *item)
{
    struct fault *first = ctx;
    const struct steer_zone_node *node = item;
    const char *what = fault_of(node);
    if (what && (!first->node || steer_name_compare(steer_zone_node_owner(node),
                                                    steer_zone_node_owner(first->node)) < 0))
        *first = (struct fault){node, what};
    return true;
}

static struct fault first_fault(const struct steer_zone_edit *edit)
{
    struct fault first = {0};
    if (edit->faulty)
        steer_trie_each(&edit->next.names, note_fault, &first);
    return first;
}

static enum steer_err check_nodes(const struct steer_zone_edit *edit, struct steer_diag *diag)
{
    const struct fault first = first_fault(edit);
    return first.node ? fail(diag, steer_zone_node_owner(first.node), first.what) : STEER_OK;
}

bool steer_zone_faulty(struct steer_zone_edit *edit, struct steer_name *owner)
{
    seal_all(edit);
    const struct fault first = first_fault(edit);
    return first.node &&
           steer_name_from_wire(steer_zone_node_owner(first.node), first.node->owner_len, owner);
}

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// Serial and negative TTL are taken from the SOA: MNAME, RNAME, five numbers (RFC 1035 3.3.13).
static enum steer_err check_apex(struct steer_zone *zone, struct steer_diag *diag)
{
    const uint8_t *origin = zone->origin.octets;
    const struct steer_rrset *soa = steer_zone_node_rrset(zone->apex, STEER_TYPE_SOA);
    if (!soa)
        return fail(diag, origin, "has no SOA record");
    struct steer_rr_view rr;
    size_t at = 0;
    if (!steer_rrset_next(zone->apex, soa, &at, &rr) || rr.rdata_len < 22)
        return fail(diag, origin, "has a SOA record that is too short");
    const uint32_t minimum_s = read_u32(rr.rdata + rr.rdata_len - 4);
    zone->serial = read_u32(rr.rdata + rr.rdata_len - 20);
    zone->negative_ttl_s = minimum_s < soa->ttl_s ? minimum_s : soa->ttl_s;
    steer_zone_render_negative(zone, &rr);
    return STEER_OK;
}

static void destroy(struct steer_zone_edit *edit)
{
    empty_parking(edit, NULL);
    steer_draft_destroy(edit->draft);
    steer_draft_set_fini(&edit->scratch);
    steer_fresh_drop(&edit->fresh);
    steer_retired_drop(&edit->retired);
    free(edit);
}

enum steer_err steer_zone_check(struct steer_zone_edit *edit, struct steer_diag *diag)
{
    seal_all(edit);
    edit->next.apex = steer_zone_find(&edit->next, edit->next.hash, edit->next.origin.octets);
    const enum steer_err err = check_nodes(edit, diag);
    return err ? err : check_apex(&edit->next, diag);
}

const struct steer_zone *steer_zone_edit_view(const struct steer_zone_edit *edit)
{
    return &edit->next;
}

enum steer_err steer_zone_finish(struct steer_zone_edit *edit, struct steer_zone **zone,
                                 struct steer_retired *retired, struct steer_diag *diag)
{
    const enum steer_err err = steer_zone_check(edit, diag);
    if (err)
        return err;
    if (edit->from)
        steer_retired_add(&edit->retired, edit->from);
    steer_retired_move(retired, &edit->retired);
    *zone = steer_memdup(&edit->next, sizeof edit->next);
    destroy(edit);
    return STEER_OK;
}

void steer_zone_abort(struct steer_zone_edit *edit)
{
    if (!edit)
        return;
    if (edit->change.build) {
        struct steer_retired all = {0};
        steer_trie_retire(&edit->next.names, &all);
        steer_retired_free(&all);
    }
    steer_fresh_free(&edit->fresh);
    destroy(edit);
}
