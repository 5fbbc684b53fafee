// SPDX-License-Identifier: GPL-3.0-or-later
// Draws that are settled by who asks: coherent for a resolver and a span of time, sticky for a network
// of clients (steering.md, "The draw").
#include "answer_internal.h"

// One u for a resolver and an owner during one TTL, whatever the type: coherent cells lay the types over one line, so
// that the same u meets the same endpoint. Spans begin at another moment for each resolver, or
// all of them would move at once.
static uint32_t coherent_u(const struct steer_program *program, const struct steer_ask *ask,
                           uint64_t name_hash)
{
    const uint64_t resolver = steer_addr_hash(&ask->client);
    const uint32_t span_s = program->ttl_s ? program->ttl_s : 1;
    const uint64_t span = (ask->now_s + resolver % span_s) / span_s;
    return (uint32_t)(steer_mix64(steer_mix64(resolver ^ name_hash) + span) >> 32);
}

static uint8_t network_of(const struct steer_program *program, const struct steer_ask *ask,
                          const struct steer_edns *edns, struct steer_prefix *network)
{
    uint8_t scope;
    steer_client_network(client_of(ask, edns), program->draw.v4_bits, program->draw.v6_bits,
                         network, &scope);
    return scope;
}

uint32_t draw_settled(const struct steer_tables *tables, const struct steer_program *program,
                      const struct steer_list *list, const struct steer_ask *ask,
                      const struct steer_edns *edns, uint64_t name_hash)
{
    struct steer_prefix network;
    if (program->draw.mode == STEER_DRAW_COHERENT)
        return steer_list_draw(list, coherent_u(program, ask, name_hash));
    (void)network_of(program, ask, edns, &network);
    return steer_list_owner(tables, list, steer_network_slot(&network.addr));
}

uint8_t sticky_scope(const struct steer_program *program, const struct steer_ask *ask,
                     const struct steer_edns *edns)
{
    struct steer_prefix network;
    return network_of(program, ask, edns, &network);
}
