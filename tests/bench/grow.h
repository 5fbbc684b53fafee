// SPDX-License-Identifier: GPL-3.0-or-later
// The documents that grow: N steered records over 20 maps, each with weights of its own or sharing their distributions,
// as `scripts/bench --curves` has them.
#ifndef STEERD_BENCH_GROW_H
#define STEERD_BENCH_GROW_H

#include <stdbool.h>

#include "steerd/base/buf.h"

struct grow {
    unsigned records;
    bool shared;
    unsigned turn;     // not 0: what is first given is drawn, and another turn gives other shares
    unsigned networks; // each record also tells so many networks apart
    const char *draw;  // NULL: none
    bool mixed;        // half of the endpoints have IPv6, too
};

enum { PLACES = 20 };

static const char *const places[PLACES] = {
    "EU-DE", "EU-FR", "EU-GB", "EU-IT", "EU-ES", "EU-PL", "EU-NL", "EU-SE", "NA-US", "NA-CA",
    "NA-MX", "SA-BR", "SA-AR", "AS-JP", "AS-IN", "AS-CN", "AS-KR", "OC-AU", "AF-ZA", "AF-EG"};
static const char *const continents[] = {"EU", "AF", "NA", "SA", "AS", "OC"};

static void add_order(struct steer_buf *text, const struct grow *s, unsigned number, unsigned first)
{
    const char *pools = "abcabc";
    const char *p = pools + first % 3;
    if (s->turn) {
        steer_buf_printf(text,
                         "{failover: [{weighted: [{weight: %u, to: {pool: grow-%c}}, {weight: "
                         "%u, to: {pool: grow-%c}}]}, {pool: grow-%c}]}",
                         s->shared ? 100 : number + 100, p[0], 100 * s->turn, p[1], p[2]);
        return;
    }
    steer_buf_printf(text, "{failover: [{pool: grow-%c}, ", p[0]);
    if (s->shared)
        steer_buf_printf(text, "{pool: grow-%c}]}", p[1]);
    else
        steer_buf_printf(text,
                         "{weighted: [{weight: %u, to: {pool: grow-%c}}, {weight: 10000, to: "
                         "{pool: grow-%c}}]}]}",
                         number + 1, p[1], p[2]);
}

static void add_networks(struct steer_buf *text, const struct grow *s, unsigned number)
{
    steer_buf_puts(text, "          - {match: [EU-CH], to: {network: {rules: [{match: [");
    for (unsigned i = 0; i < s->networks; i++)
        steer_buf_printf(text, "%s%u.%u.%u.0/24", i ? ", " : "", 1 + (number * 7 + i * 13) % 220,
                         number / 256 % 256, (number + i) % 256);
    steer_buf_puts(text, "], to: {pool: grow-a}}], default: {pool: grow-b}}}}\n");
}

static void add_record(struct steer_buf *text, const struct grow *s, unsigned number)
{
    const unsigned turn = number % PLACES;
    steer_buf_printf(text, "  r%u:\n    ttl: 60\n", number);
    if (s->draw)
        steer_buf_printf(text, "    draw: %s\n", s->draw);
    steer_buf_puts(text, "    steer:\n      geo:\n        rules:\n");
    if (s->networks)
        add_networks(text, s, number);
    steer_buf_printf(text, "          - {match: [%s], to: ", places[turn]);
    add_order(text, s, number, turn);
    steer_buf_printf(text, "}\n          - {match: [%s, %s], to: ", continents[turn % 6],
                     continents[(turn / 6 + turn + 1) % 6]);
    add_order(text, s, number, turn + 1);
    steer_buf_puts(text, "}\n        default: ");
    add_order(text, s, number, turn + 2);
    steer_buf_puts(text, "\n");
}

static void grow_document(struct steer_buf *text, const struct grow *s)
{
    steer_buf_puts(text, "zone: geo.test\nchecks:\n  grow-check: {type: tcp, port: 9, interval: "
                         "1h, fall: 10, initially: up}\nendpoints:\n");
    for (unsigned i = 1; i <= 6; i++)
        steer_buf_printf(text, "  grow-%u: {ipv4: 192.0.2.%u, %scheck: grow-check}\n", i, i,
                         s->mixed && i % 2 ? "ipv6: \"2001:db8::1\", " : "");
    steer_buf_puts(text, "pools:\n");
    for (unsigned i = 0; i < 3; i++)
        steer_buf_printf(text, "  grow-%c: {endpoints: {grow-%u: 10, grow-%u: 20}}\n", "abc"[i],
                         2 * i + 1, 2 * i + 2);
    steer_buf_puts(text, "records:\n");
    for (unsigned i = 0; i < s->records; i++)
        add_record(text, s, i);
}

#endif
