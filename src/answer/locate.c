// SPDX-License-Identifier: GPL-3.0-or-later
// Where a batch's questions lead: zone, node, class table. Each pass asks the cache for what the next one
// reads, for all questions of the batch; one question after the other would wait for memory at each
// step. Nothing here decides anything but p->zone and p->node.
#include "answer_internal.h"

enum {
    // The tries of fewer zones, and the zones, stay in the cache by themselves.
    FEW_ZONES = 64,
    FEW_CHUNKS = 1, // of programs
    // Origins of so many different lengths are tried ahead: a name's own zone, and the one around it.
    ORIGINS_AHEAD = 2,
};

void steer_answer_prepare(const struct steer_ask *ask, struct steer_prepared *p)
{
    p->zone = NULL;
    p->node = NULL;
    p->program = NULL;
    p->cursor.at = NULL;
    p->zone_labels = 0;
    p->parsed = steer_query_parse(ask->message, ask->len, &p->query);
    p->asks_zone =
        p->parsed == STEER_PARSE_OK && p->query.has_question && p->query.qclass == STEER_CLASS_IN;
    if (p->asks_zone)
        p->name_hash = p->query.hashes.hash[p->query.qname.labels];
}

// Down to the leaves, side by side, from where the cursors stand.
static void descend(struct steer_prepared *batch, unsigned count)
{
    bool descending = true;
    while (descending) {
        descending = false;
        for (unsigned i = 0; i < count; i++) {
            struct steer_trie_cursor *cursor = &batch[i].cursor;
            if (!cursor->at)
                continue;
            if (steer_trie_descend(cursor))
                descending = true;
            else
                cursor->at = NULL;
        }
    }
}

// The zones that the questions may be in, by origins from the longest.
static void fetch_zones(const struct steer_world *world, struct steer_prepared *batch,
                        unsigned count)
{
    int labels[STEER_BATCH_MAX];
    for (unsigned i = 0; i < count; i++)
        labels[i] = batch[i].asks_zone ? batch[i].query.qname.labels : -1;
    for (unsigned round = 0; round < ORIGINS_AHEAD; round++) {
        for (unsigned i = 0; i < count; i++) {
            labels[i] = steer_world_origin_labels(world, labels[i]);
            if (labels[i] >= 0)
                steer_trie_begin(&world->zones, batch[i].query.hashes.hash[labels[i]],
                                 &batch[i].cursor);
        }
        descend(batch, count);
        for (unsigned i = 0; i < count; i++)
            if (labels[i] >= 0)
                steer_trie_prefetch(batch[i].cursor.leaf, batch[i].query.hashes.hash[labels[i]--]);
    }
}

static void find_zone(const struct steer_world *world, struct steer_prepared *p)
{
    const struct steer_query *q = &p->query;
    unsigned labels;
    p->zone = zone_for(world, &q->qname, &q->hashes, q->qtype, &labels);
    if (!p->zone)
        return;
    p->zone_labels = (uint8_t)labels;
    steer_trie_begin(&p->zone->names, p->name_hash, &p->cursor);
}

// Of several steered RRsets the one that is asked for, if any.
static const struct steer_rrset *steered_for(const struct steer_zone_node *node,
                                             const struct steer_rrset *first, uint16_t qtype)
{
    for (const struct steer_rrset *set = first; set < node->rrsets + node->rrset_count; set++)
        if (set->type == qtype && steer_rrset_is_steered(set))
            return set;
    return first;
}

// The node, and the program where a record there is steered.
static void find_node(const struct steer_world *world, struct steer_prepared *p)
{
    p->node = steer_zone_find_in(p->cursor.leaf, p->name_hash, p->query.qname.octets);
    if (!p->node || !(p->node->flags & STEER_NODE_STEERED))
        return;
    const struct steer_rrset *set = p->node->rrsets;
    while (!steer_rrset_is_steered(set))
        set++;
    if (STEER_UNLIKELY(p->node->rrset_count > 1))
        set = steered_for(p->node, set, p->query.qtype);
    p->program = steer_world_program(world, set->at);
    if (p->program)
        __builtin_prefetch(p->program);
}

static const struct steer_list *list_of(const struct steer_world *world,
                                        const struct steer_prepared *p)
{
    const int type = type_index(p->program, p->query.qtype);
    return type < 0 ? NULL : steer_tables_list(world->tables, cell_of(p->program, type, p->class));
}

// Where there are many programs, what they lead to is not in the cache either.
static void fetch_outcomes(const struct steer_world *world, const struct steer_ask *asks,
                           const struct steer_prepared *batch, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (batch[i].program)
            __builtin_prefetch(&batch[i].program->cells[batch[i].class.class_index]);
    for (unsigned i = 0; i < count; i++)
        if (batch[i].program)
            __builtin_prefetch(list_of(world, &batch[i]));
    for (unsigned i = 0; i < count; i++) {
        const struct steer_list *list = batch[i].program ? list_of(world, &batch[i]) : NULL;
        if (list && list->count)
            __builtin_prefetch(steer_tables_answer(
                world->tables, draw_of(world->tables, batch[i].program, list, &asks[i],
                                       &batch[i].query.edns, batch[i].name_hash)));
    }
}

// The client's class in the program's table, for all of the batch.
static void classify(const struct steer_ask *asks, struct steer_prepared *batch, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (batch[i].program)
            steer_classmap_prefetch(batch[i].program->map,
                                    client_of(&asks[i], &batch[i].query.edns));
    for (unsigned i = 0; i < count; i++)
        if (batch[i].program)
            steer_classmap_prefetch_block(batch[i].program->map,
                                          client_of(&asks[i], &batch[i].query.edns));
    for (unsigned i = 0; i < count; i++)
        if (batch[i].program)
            batch[i].class = class_of(batch[i].program->map, &asks[i], &batch[i].query.edns);
}

void steer_answer_locate(const struct steer_world *world, const struct steer_ask *asks,
                         struct steer_prepared *batch, unsigned count)
{
    const struct steer_program *steered = NULL;
    if (world->zones.count > FEW_ZONES)
        fetch_zones(world, batch, count);
    for (unsigned i = 0; i < count; i++)
        if (batch[i].asks_zone)
            find_zone(world, &batch[i]);
    descend(batch, count);
    for (unsigned i = 0; i < count; i++)
        if (batch[i].zone)
            steer_trie_prefetch(batch[i].cursor.leaf, batch[i].name_hash);
    for (unsigned i = 0; i < count; i++) {
        if (batch[i].zone)
            find_node(world, &batch[i]);
        if (batch[i].program)
            steered = batch[i].program;
    }
    if (!steered)
        return;
    classify(asks, batch, count);
    if (world->program_chunks > FEW_CHUNKS)
        fetch_outcomes(world, asks, batch, count);
}
