// SPDX-License-Identifier: GPL-3.0-or-later
#include "given.h"

#include "steerd/wire/message.h"

static const uint16_t known[] = {STEER_TYPE_A,    STEER_TYPE_AAAA,  STEER_TYPE_HTTPS,
                                 STEER_TYPE_SVCB, STEER_TYPE_CNAME, STEER_TYPE_MX,
                                 STEER_TYPE_SRV,  STEER_TYPE_TXT};
enum { ADDRESS_TYPES = 4 }; // of those, at first

unsigned given_type_index(uint16_t type)
{
    unsigned i = 0;
    while (i + 1 < STEER_ARRAY_LEN(known) && known[i] != type)
        i++;
    return i;
}

void given_init(struct given *g)
{
    g->types = 0;
    for (unsigned i = 0; i < STEER_TYPES_MAX; i++)
        g->unlike[i] = 0;
    steer_ptrmap_init(&g->seen);
}

void given_fini(struct given *g)
{
    steer_ptrmap_fini(&g->seen);
}

static bool leaf_gives(const struct steer_residual *leaf, uint16_t type)
{
    if (leaf->kind == STEER_R_ENDPOINT)
        return steer_endpoint_gives(&leaf->object->endpoint, type);
    for (uint32_t i = 0; i < leaf->node->fixed_count; i++)
        if (leaf->node->fixed[i].type == type)
            return true;
    return false;
}

static void add_leaf(struct given *g, const struct steer_residual *leaf)
{
    unsigned gives = 0;
    for (unsigned i = 0; i < STEER_ARRAY_LEN(known); i++)
        gives |= (unsigned)leaf_gives(leaf, known[i]) << i;
    for (unsigned i = 0; i < STEER_ARRAY_LEN(known); i++)
        g->unlike[i] |= gives >> i & 1 ? ~gives : gives;
    g->types |= gives;
}

void given_add(struct given *g, const struct steer_residual *n)
{
    static char seen;
    void **mark = steer_ptrmap_at(&g->seen, (uintptr_t)n);
    if (*mark)
        return;
    *mark = &seen;
    if (n->kind == STEER_R_ENDPOINT || n->kind == STEER_R_ANSWER)
        add_leaf(g, n);
    for (uint32_t i = 0; i < n->child_count; i++)
        given_add(g, n->children[i]);
    if (n->substitute)
        given_add(g, n->substitute);
}

void given_types(const struct given *g, const struct steer_steered *steered,
                 struct given_types *out)
{
    unsigned at[STEER_TYPES_MAX]; // places in the list
    *out = (struct given_types){0};
    if (steered->kind != STEER_STEERED_ADDRESS) {
        out->types[out->count++] = steer_steered_type(steered->kind);
        return;
    }
    for (unsigned i = 0; i < ADDRESS_TYPES; i++) {
        if (!(g->types >> i & 1) && (i || g->types & ((1U << ADDRESS_TYPES) - 1)))
            continue;
        unsigned like = 0;
        while (like < out->count && g->unlike[i] >> at[like] & 1)
            like++;
        at[out->count] = i;
        out->like[out->count] = like;
        out->types[out->count++] = known[i];
    }
}
