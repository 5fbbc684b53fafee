// SPDX-License-Identifier: GPL-3.0-or-later
// RFC 1034 4.3.2 with RFC 2308, 4592, 6604 and 6672, as a ladder: each rung either ends the response or
// hands the next name (of a CNAME or DNAME) to the top.
#include <string.h>

#include "answer_internal.h"

enum lookup { LOOKUP_NODE, LOOKUP_CUT, LOOKUP_DNAME, LOOKUP_NXDOMAIN };

// The name under resolution: the question's, then each target of a chain.
struct subject {
    const struct steer_name *name;
    const struct steer_name_hashes *hashes;
    bool is_question;
    const struct steer_zone *zone;
    unsigned zone_labels;
    const struct steer_prepared *ahead; // what was found for the question
};

struct chain {
    struct steer_name names[2]; // the target in use and the one being made
    struct steer_name_hashes hashes;
    uint64_t seen[CHAIN_MAX];
    unsigned length;
    const struct steer_zone_node *dnames[CHAIN_MAX + 1]; // whose DNAME was given
    unsigned dname_count;
};

static struct owner owner_of(const struct subject *s)
{
    return (struct owner){s->is_question, s->name->octets};
}

static const struct steer_zone_node *node_at(const struct subject *s, unsigned labels)
{
    return steer_zone_find(s->zone, s->hashes->hash[labels],
                           s->name->octets + s->hashes->at[labels]);
}

const struct steer_zone *zone_for(const struct steer_world *world, const struct steer_name *name,
                                  const struct steer_name_hashes *hashes, uint16_t qtype,
                                  unsigned *labels)
{
    const struct steer_zone *zone = steer_world_zone_of(world, name, hashes, name->labels, labels);
    if (!zone || qtype != STEER_TYPE_DS || *labels != name->labels || *labels == 0)
        return zone;
    // DS at an apex belongs to the parent, where that is served too (RFC 4035 3.1.4.1).
    const struct steer_zone *parent =
        steer_world_zone_of(world, name, hashes, name->labels - 1u, labels);
    return parent ? parent : zone;
}

// The wildcard below the closest encloser (RFC 4592 3.3.1).
static const struct steer_zone_node *wildcard_of(const struct steer_zone *zone,
                                                 const struct steer_zone_node *closest)
{
    static const uint8_t star[] = {1, '*'};
    struct steer_name name;
    if (!(closest->flags & STEER_NODE_WILDCARD))
        return NULL;
    if (!steer_name_join(star, sizeof star, steer_zone_node_owner(closest), &name))
        return NULL;
    return steer_zone_find(zone, steer_name_hash_label(closest->hash, star), name.octets);
}

// From the apex down, so that a delegation or DNAME above the name is seen first.
static enum lookup walk_down(const struct subject *s, uint16_t qtype,
                             const struct steer_zone_node **node)
{
    unsigned labels = s->name->labels;
    *node = s->zone->apex;
    for (unsigned i = s->zone_labels;; i++) {
        if (i > s->zone_labels) {
            const struct steer_zone_node *next = node_at(s, i);
            if (!next)
                return LOOKUP_NXDOMAIN;
            *node = next;
        }
        // The parent's side of a cut answers for DS (RFC 4035 3.1.4.1).
        if ((*node)->flags & STEER_NODE_CUT && !(i == labels && qtype == STEER_TYPE_DS))
            return LOOKUP_CUT;
        if (i == labels)
            return LOOKUP_NODE;
        if ((*node)->flags & STEER_NODE_DNAME)
            return LOOKUP_DNAME;
    }
}

// With neither delegations nor DNAMEs in the zone: the name itself first, then its ancestors.
static enum lookup walk_up(const struct subject *s, const struct steer_zone_node **node)
{
    unsigned labels = s->name->labels;
    *node = s->is_question ? s->ahead->node : node_at(s, labels);
    if (*node)
        return LOOKUP_NODE;
    do
        labels--;
    while (labels > s->zone_labels && !(*node = node_at(s, labels)));
    if (labels == s->zone_labels)
        *node = s->zone->apex;
    return LOOKUP_NXDOMAIN;
}

// LOOKUP_NODE also for a wildcard that covers the name.
static enum lookup look_up(const struct subject *s, uint16_t qtype,
                           const struct steer_zone_node **node)
{
    enum lookup found = s->zone->special_count ? walk_down(s, qtype, node) : walk_up(s, node);
    if (found != LOOKUP_NXDOMAIN)
        return found;
    const struct steer_zone_node *wildcard = wildcard_of(s->zone, *node);
    if (!wildcard)
        return LOOKUP_NXDOMAIN;
    *node = wildcard;
    return LOOKUP_NODE;
}

static void truncate(struct response *r)
{
    r->truncated = true;
}

// The SOA for negative answers, with the TTL of RFC 2308 3.
static void add_soa(struct response *r, const struct subject *s)
{
    const struct steer_zone *zone = s->zone;
    if (s->is_question && zone->negative.len) {
        if (!emit_negative(r, &zone->negative, s->hashes->at[s->zone_labels]))
            truncate(r);
        return;
    }
    const struct steer_rrset *soa = steer_zone_node_rrset(zone->apex, STEER_TYPE_SOA);
    struct owner owner = {false, zone->origin.octets};
    if (soa && !emit_static(r, SECTION_AUTHORITY, owner, zone->apex, soa, zone->negative_ttl_s))
        truncate(r);
}

static void end_negative(struct response *r, const struct subject *s, uint16_t rcode)
{
    r->rcode = rcode;
    r->facts->kind = rcode == STEER_RCODE_NXDOMAIN ? STEER_FACT_NXDOMAIN : STEER_FACT_NODATA;
    add_soa(r, s);
}

// ---- additional data -----------------------------------------------------------------------------

// A and AAAA of a node: static ones only (RFC 7871 7.3.1), since steered addresses have a type of their
// own. False when something did not fit.
static bool add_addresses(struct response *r, struct owner owner,
                          const struct steer_zone_node *node)
{
    static const uint16_t types[] = {STEER_TYPE_A, STEER_TYPE_AAAA};
    bool fits = true;
    for (unsigned i = 0; i < STEER_ARRAY_LEN(types); i++) {
        const struct steer_rrset *set = steer_zone_node_rrset(node, types[i]);
        if (set)
            fits &= emit_static(r, SECTION_ADDITIONAL, owner, node, set, UINT32_MAX);
    }
    return fits;
}

// The node whose addresses a name in the zone has: its own, glue too, or that of a wildcard above no cut; none
// for what a DNAME hides (RFC 6672 2.4).
static const struct steer_zone_node *visible_node(const struct steer_zone *zone,
                                                  const struct steer_name *name,
                                                  const struct steer_name_hashes *hashes)
{
    const struct steer_zone_node *node = zone->apex;
    bool cut = false;
    const struct steer_zone_node *own =
        zone->special_count ? NULL
                            : steer_zone_find(zone, hashes->hash[name->labels], name->octets);
    if (own)
        return own;
    for (unsigned i = zone->origin.labels; i < name->labels; i++) {
        cut |= (node->flags & STEER_NODE_CUT) != 0;
        if (node->flags & STEER_NODE_DNAME)
            return NULL;
        const struct steer_zone_node *next =
            steer_zone_find(zone, hashes->hash[i + 1], name->octets + hashes->at[i + 1]);
        if (!next)
            return cut ? NULL : wildcard_of(zone, node);
        node = next;
    }
    return node;
}

// The names of one RRset that additional data was looked up for: several MX or SRV may name one host.
struct targets {
    uint64_t seen[TARGETS_MAX];
    unsigned count;
};

static bool is_new(struct targets *targets, uint64_t hash)
{
    for (unsigned i = 0; i < targets->count; i++)
        if (targets->seen[i] == hash)
            return false;
    if (targets->count == TARGETS_MAX)
        return false;
    targets->seen[targets->count++] = hash;
    return true;
}

// Addresses of one target in the zone; those of the owner stand at `owner_node`, maybe a wildcard.
static bool add_target(struct response *r, const struct subject *s, struct targets *targets,
                       const struct steer_zone_node *owner_node, const uint8_t *target,
                       bool is_owner)
{
    struct steer_name name;
    struct steer_name_hashes hashes;
    if (is_owner)
        return !is_new(targets, s->hashes->hash[s->name->labels]) ||
               add_addresses(r, owner_of(s), owner_node);
    if (!steer_name_is_below(target, s->zone->origin.octets) ||
        !steer_name_from_wire(target, STEER_NAME_MAX, &name))
        return true;
    steer_name_lower(&name);
    steer_name_hash_suffixes(&name, &hashes);
    if (!is_new(targets, hashes.hash[name.labels]))
        return true;
    const struct steer_zone_node *node = visible_node(s->zone, &name, &hashes);
    return !node || add_addresses(r, (struct owner){false, target}, node);
}

static void add_targets(struct response *r, const struct subject *s,
                        const struct steer_zone_node *node, const struct steer_rrset *set)
{
    struct targets targets;
    struct steer_rr_view rr;
    size_t at = 0;
    targets.count = 0;
    while (targets.count < TARGETS_MAX && steer_rrset_next(node, set, &at, &rr)) {
        bool is_owner;
        const uint8_t *target = additional_target(set->type, rr.rdata, rr.rdata_len, &is_owner);
        if (target)
            (void)!add_target(r, s, &targets, node, target, is_owner);
    }
}

// Glue at or below the cut, without which the delegation is of no use; else that of siblings, which may
// be left out (RFC 9471 3). False when something did not fit.
static bool add_glue(struct response *r, const struct subject *s, const struct steer_zone_node *cut,
                     const struct steer_rrset *ns, bool in_domain)
{
    struct targets targets;
    struct steer_rr_view rr;
    size_t at = 0;
    bool fits = true;
    targets.count = 0;
    while (targets.count < TARGETS_MAX && steer_rrset_next(cut, ns, &at, &rr))
        if (steer_name_is_below(rr.rdata, steer_zone_node_owner(cut)) == in_domain)
            fits &= add_target(r, s, &targets, cut, rr.rdata, false);
    return fits;
}

// ---- rungs ---------------------------------------------------------------------------------------

// A delegation: the child's NS and its glue; authoritative only for a chain that led here.
static void end_referral(struct response *r, const struct subject *s,
                         const struct steer_zone_node *cut)
{
    const struct steer_rrset *ns = steer_zone_node_rrset(cut, STEER_TYPE_NS);
    struct owner owner = {s->is_question && cut->owner_len == s->name->len,
                          steer_zone_node_owner(cut)};
    if (s->is_question)
        r->flags &= (uint16_t)~STEER_FLAG_AA;
    r->facts->kind = r->answers ? STEER_FACT_POSITIVE : STEER_FACT_REFERRAL;
    if (!ns || !emit_static(r, SECTION_AUTHORITY, owner, cut, ns, UINT32_MAX) ||
        !add_glue(r, s, cut, ns, true))
        truncate(r);
    else
        (void)!add_glue(r, s, cut, ns, false);
}

// Class, cell, draw, copy. False when there is nothing to give for the type.
static bool give_steered(struct response *r, const struct subject *s, uint32_t program_id,
                         uint16_t type)
{
    const struct steer_program *program = steer_world_program(r->world, program_id);
    int index = program ? type_index(program, type) : -1;
    if (index < 0)
        return false;
    const struct steer_tables *tables = r->world->tables;
    const struct steer_class class = s->is_question && s->ahead->program == program
                                         ? s->ahead->class
                                         : class_of(program->map, r->ask, &r->query->edns);
    const struct steer_list *list = steer_tables_list(tables, cell_of(program, index, class));
    r->facts->steered = true;
    if (list->count == 0) {
        r->ede = EDE_OTHER;
        return false;
    }
    uint32_t line =
        draw_of(tables, program, list, r->ask, &r->query->edns, s->hashes->hash[s->name->labels]);
    const struct steer_answer_slot *slot = steer_tables_answer(tables, line);
    uint32_t ttl_s = slot->ttl_cap_s < program->ttl_s ? slot->ttl_cap_s : program->ttl_s;
    r->scope = class.scope;
    if (STEER_UNLIKELY(list->flags & STEER_LIST_STICKY)) {
        const uint8_t scope = sticky_scope(program, r->ask, &r->query->edns);
        r->scope = scope > r->scope ? scope : r->scope;
    }
    r->ede = EDE_NONE;
    r->facts->kind = STEER_FACT_POSITIVE;
    r->facts->answer_line = line;
    r->facts->ttl_s = ttl_s;
    if (!emit_slot(r, owner_of(s), slot, ttl_s))
        truncate(r);
    return true;
}

static bool give_static(struct response *r, const struct subject *s,
                        const struct steer_zone_node *node, const struct steer_rrset *set)
{
    r->facts->kind = STEER_FACT_POSITIVE;
    if (!emit_static(r, SECTION_ANSWER, owner_of(s), node, set, UINT32_MAX)) {
        truncate(r);
        return true;
    }
    if (has_targets(set->type))
        add_targets(r, s, node, set);
    return true;
}

// ANY gets one RRset (RFC 8482 4.1): a static one where there is one, since it needs no client. Of a
// steered address that is A, or AAAA where there is no A to give.
static bool give_any(struct response *r, const struct subject *s,
                     const struct steer_zone_node *node)
{
    for (unsigned i = 0; i < node->rrset_count; i++)
        if (!steer_rrset_is_steered(&node->rrsets[i]))
            return give_static(r, s, node, &node->rrsets[i]);
    for (unsigned i = 0; i < node->rrset_count; i++) {
        const struct steer_rrset *set = &node->rrsets[i];
        const bool address = set->type == STEER_TYPE_ADDRESS;
        if (give_steered(r, s, set->at, address ? STEER_TYPE_A : set->type) ||
            (address && give_steered(r, s, set->at, STEER_TYPE_AAAA)))
            return true;
    }
    return false;
}

static bool give_type(struct response *r, const struct subject *s,
                      const struct steer_zone_node *node, uint16_t qtype)
{
    if (qtype == STEER_TYPE_ANY)
        return give_any(r, s, node);
    const struct steer_rrset *set =
        qtype == STEER_TYPE_ADDRESS ? NULL : steer_zone_node_rrset(node, qtype);
    if (set && !steer_rrset_is_steered(set))
        return give_static(r, s, node, set);
    if (set)
        return give_steered(r, s, set->at, qtype);
    if (node->flags & STEER_NODE_STEERED) {
        set = steer_zone_node_rrset(node, STEER_TYPE_ADDRESS);
        if (set)
            return give_steered(r, s, set->at, qtype);
    }
    return false;
}

// The target of a name that was just written; false when the chain has been there or is too long.
static bool follow(struct response *r, struct chain *chain, struct subject *s,
                   const struct steer_name *target)
{
    struct steer_name *next = &chain->names[chain->length % 2];
    *next = *target;
    steer_name_lower(next);
    steer_name_hash_suffixes(next, &chain->hashes);
    uint64_t hash = chain->hashes.hash[next->labels];
    for (unsigned i = 0; i < chain->length; i++)
        if (chain->seen[i] == hash)
            return false;
    if (chain->length == CHAIN_MAX || hash == r->query->hashes.hash[r->query->qname.labels])
        return false;
    chain->seen[chain->length++] = hash;
    s->name = next;
    s->hashes = &chain->hashes;
    s->is_question = false;
    s->zone = zone_for(r->world, next, &chain->hashes, r->query->qtype, &s->zone_labels);
    return s->zone != NULL; // a target outside all zones ends the chain (the resolver goes on)
}

static bool give_cname(struct response *r, const struct subject *s,
                       const struct steer_zone_node *node, const struct steer_rrset *set,
                       struct steer_name *target)
{
    struct steer_rr_view rr;
    size_t at = 0;
    if (!give_static(r, s, node, set) || r->truncated)
        return false;
    return steer_rrset_next(node, set, &at, &rr) &&
           steer_name_from_wire(rr.rdata, rr.rdata_len, target);
}

static bool was_given(const struct chain *chain, const struct steer_zone_node *node)
{
    for (unsigned i = 0; i < chain->dname_count; i++)
        if (chain->dnames[i] == node)
            return true;
    return false;
}

// A chain may come through one DNAME several times; it is given once.
static bool emit_dname(struct response *r, struct chain *chain, const struct steer_zone_node *node,
                       const struct steer_rrset *set)
{
    if (was_given(chain, node))
        return true;
    chain->dnames[chain->dname_count++] = node;
    struct owner owner = {false, steer_zone_node_owner(node)};
    return emit_static(r, SECTION_ANSWER, owner, node, set, UINT32_MAX);
}

// RFC 6672 3.2: the DNAME, and the CNAME made from it.
static bool give_dname(struct response *r, struct chain *chain, const struct subject *s,
                       const struct steer_zone_node *node, struct steer_name *target)
{
    const struct steer_rrset *set = steer_zone_node_rrset(node, STEER_TYPE_DNAME);
    struct steer_rr_view rr;
    size_t at = 0;
    r->facts->kind = STEER_FACT_POSITIVE;
    if (!emit_dname(r, chain, node, set)) {
        truncate(r);
        return false;
    }
    if (!steer_rrset_next(node, set, &at, &rr))
        return false;
    if (!steer_name_join(s->name->octets, (size_t)(s->name->len - node->owner_len), rr.rdata,
                         target)) {
        r->rcode = STEER_RCODE_YXDOMAIN;
        return false;
    }
    if (!emit_name_rr(r, owner_of(s), STEER_TYPE_CNAME, set->ttl_s, target->octets)) {
        truncate(r);
        return false;
    }
    return r->query->qtype != STEER_TYPE_CNAME; // the answer to who asks for one
}

// The CNAME of a node that is to be followed for the type, or NULL. RRSIG and NSEC may stand beside one.
static const struct steer_rrset *cname_for(const struct steer_zone_node *node, uint16_t qtype)
{
    if (!(node->flags & STEER_NODE_CNAME) || qtype == STEER_TYPE_ANY ||
        steer_zone_node_rrset(node, qtype))
        return NULL;
    return steer_zone_node_rrset(node, STEER_TYPE_CNAME);
}

// One name; true when *target is the next one.
static bool step(struct response *r, struct chain *chain, const struct subject *s,
                 struct steer_name *target)
{
    const struct steer_zone_node *node;
    uint16_t qtype = r->query->qtype;
    switch (look_up(s, qtype, &node)) {
    case LOOKUP_CUT:
        end_referral(r, s, node);
        return false;
    case LOOKUP_DNAME:
        return give_dname(r, chain, s, node, target);
    case LOOKUP_NXDOMAIN:
        end_negative(r, s, STEER_RCODE_NXDOMAIN);
        return false;
    case LOOKUP_NODE:
        break;
    }
    // A chain that ends at a DNAME it came through, when that is what was asked for.
    if (qtype == STEER_TYPE_DNAME && was_given(chain, node) &&
        steer_name_equal(steer_zone_node_owner(node), s->name->octets))
        return false;
    const struct steer_rrset *cname = cname_for(node, qtype);
    if (cname && !steer_rrset_is_steered(cname))
        return give_cname(r, s, node, cname, target);
    const bool given = cname ? give_steered(r, s, cname->at, STEER_TYPE_CNAME) // and never chased
                             : give_type(r, s, node, qtype);
    if (!given)
        end_negative(r, s, STEER_RCODE_NOERROR);
    return false;
}

void resolve(struct response *r, const struct steer_prepared *p)
{
    struct subject s = {&r->query->qname, &r->query->hashes, true, p->zone, p->zone_labels, p};
    struct steer_name target;
    r->flags |= STEER_FLAG_AA;
    struct chain chain;
    chain.length = 0;
    chain.dname_count = 0;
    r->facts->kind = STEER_FACT_POSITIVE;
    while (step(r, &chain, &s, &target) && follow(r, &chain, &s, &target))
        ;
}
