// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef STEERD_ANSWER_INTERNAL_H
#define STEERD_ANSWER_INTERNAL_H

#include "steerd/answer/answer.h"

enum {
    CHAIN_MAX = 16,
    TARGETS_MAX = 32, // names of one RRset that get additional data
    OWNER_QNAME = STEER_HEADER_BYTES,
    EDE_NONE = -1, // RFC 8914
    EDE_OTHER = 0,
    EDE_PROHIBITED = 18,
    EDE_NOT_AUTHORITATIVE = 20,
    GIVE_NSID = 1,
    GIVE_COOKIE = 2,
    GIVE_KEEPALIVE = 4,
};

// One response under construction.
struct response {
    const struct steer_world *world;
    const struct steer_ask *ask;
    const struct steer_query *query;
    struct steer_facts *facts;
    struct steer_writer w;
    uint16_t flags;
    uint16_t rcode;
    uint16_t answers, authority, additional;
    bool knows_question; // the writer may compress against the question's name
    bool truncated;
    uint8_t scope;
    uint8_t options; // of the OPT, beside ECS and extended errors: GIVE_ bits
    int ede;
    size_t opt_room; // octets kept free for the OPT
    uint8_t cookie[STEER_COOKIE_BYTES];
};

// Where an RR's owner stands: at offset 12 (the question's name), or a name to be written.
struct owner {
    bool is_question;
    const uint8_t *name;
};

enum section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL };

// A static RRset into a section, rotated; false when it did not fit (nothing of it is written then).
// ttl_s: UINT32_MAX keeps the RRset's own.
bool emit_static(struct response *r, enum section section, struct owner owner,
                 const struct steer_zone_node *node, const struct steer_rrset *set, uint32_t ttl_s);
// A pre-rendered outcome with its TTL.
bool emit_slot(struct response *r, struct owner owner, const struct steer_answer_slot *slot,
               uint32_t ttl_s);
// A zone's rendered SOA; origin_at: where the zone's origin stands in the question's name.
bool emit_negative(struct response *r, const struct steer_negative *negative, size_t origin_at);
// One RR whose RDATA is a name: a CNAME made from a DNAME.
bool emit_name_rr(struct response *r, struct owner owner, uint16_t type, uint32_t ttl_s,
                  const uint8_t *target);
// Whether RRs of the type point at names whose addresses belong in the additional section.
bool has_targets(uint16_t type);
// The name that an RR points at, or NULL. The root's name stands for the owner in SVCB and HTTPS in
// service mode (RFC 9460 2.5); elsewhere it means that there is none.
const uint8_t *additional_target(uint16_t type, const uint8_t *rdata, size_t len, bool *is_owner);

// Whom steered records are steered for (RFC 7871 7.1): the client subnet, unless its source is 0, or the
// packet's source.
static inline const struct steer_addr *client_of(const struct steer_ask *ask,
                                                 const struct steer_edns *edns)
{
    return edns->has_ecs && edns->ecs.source > 0 ? &edns->ecs.addr : &ask->client;
}

static inline struct steer_class class_of(const struct steer_classmap *map,
                                          const struct steer_ask *ask,
                                          const struct steer_edns *edns)
{
    const struct steer_addr *client = client_of(ask, edns);
    return steer_classmap_lookup(map, client,
                                 client == &ask->client ? (uint8_t)steer_family_bits(client->family)
                                                        : edns->ecs.source);
}

// Which of the program's types a question is for; -1: none.
static inline int type_index(const struct steer_program *program, uint16_t qtype)
{
    for (int i = 0; i < program->type_count; i++)
        if (program->types[i] == qtype)
            return i;
    return -1;
}

static inline uint32_t cell_of(const struct steer_program *program, int type,
                               struct steer_class class)
{
    return program->cells[(unsigned)type * program->class_count + class.class_index];
}

// The answer of a list, which has one at least, for a record that is not drawn at random (draw.c).
uint32_t draw_settled(const struct steer_tables *tables, const struct steer_program *program,
                      const struct steer_list *list, const struct steer_ask *ask,
                      const struct steer_edns *edns, uint64_t name_hash);
// How far the scope reaches where the client's network plays a part.
uint8_t sticky_scope(const struct steer_program *program, const struct steer_ask *ask,
                     const struct steer_edns *edns);

// What is given of a list, which has one answer at least; name_hash: of the owner.
static inline uint32_t draw_of(const struct steer_tables *tables,
                               const struct steer_program *program, const struct steer_list *list,
                               const struct steer_ask *ask, const struct steer_edns *edns,
                               uint64_t name_hash)
{
    if (STEER_LIKELY(program->draw.mode == STEER_DRAW_RANDOM))
        return steer_list_draw(list, (uint32_t)ask->random);
    return draw_settled(tables, program, list, ask, edns, name_hash);
}

// The zone to answer from for a name and type, or NULL; labels: of its origin (resolve.c).
const struct steer_zone *zone_for(const struct steer_world *world, const struct steer_name *name,
                                  const struct steer_name_hashes *hashes, uint16_t qtype,
                                  unsigned *labels);
// Fills the sections for a question of class IN (resolve.c).
void resolve(struct response *r, const struct steer_prepared *p);

#endif
