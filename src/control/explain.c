// SPDX-License-Identifier: GPL-3.0-or-later
// How an answer comes about: the same resolution and evaluation that fill the cells, with their traces.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linker_internal.h"
#include "steerd/answer/answer.h"
#include "steerd/base/mem.h"
#include "steerd/rr/rdata.h"
#include "steerd/rr/type.h"

struct found {
    const struct steer_zone *zone;
    const struct steer_zone_node *node;
    const struct steer_rrset *steered; // of the node, or NULL
    const struct steer_object *object;
    struct steer_name owner;
};

static void set_text(json_t *out, const char *key, const char *text)
{
    json_object_set_new(out, key, json_string(text));
}

static bool find_steered(const struct steer_catalog *catalog, const struct found *f,
                         const struct steer_rrset *set, const struct steer_object **object)
{
    char text[STEER_NAME_TEXT_MAX];
    char name[STEER_NAME_TEXT_MAX + 16];
    snprintf(name, sizeof name, "%s %s", steer_name_format(steer_zone_node_owner(f->node), text),
             steer_steered_kind_text(steer_steered_of_type(set->type)));
    *object = steer_catalog_get(catalog, STEER_STEERED, name);
    return *object != NULL;
}

void linker_find_node(const struct steer_zone *zone, const struct steer_name *name,
                      const struct steer_name_hashes *hashes, unsigned zone_labels,
                      const struct steer_zone_node **node)
{
    static const uint8_t star[] = {1, '*'};
    *node = steer_zone_find(zone, hashes->hash[name->labels], name->octets);
    for (unsigned i = name->labels; !*node && i-- > zone_labels;) {
        const struct steer_zone_node *closest =
            steer_zone_find(zone, hashes->hash[i], name->octets + hashes->at[i]);
        struct steer_name wild;
        if (!closest)
            continue;
        if (steer_name_join(star, sizeof star, steer_zone_node_owner(closest), &wild))
            *node = steer_zone_find(zone, steer_name_hash_label(closest->hash, star), wild.octets);
        return;
    }
}

// ---- what the wire says --------------------------------------------------------------------------

static size_t build_query(const struct steer_explain_question *q, uint8_t *out)
{
    struct steer_writer w;
    steer_writer_init(&w, out, 512);
    steer_write_u16(&w, 0);
    steer_write_u16(&w, 0);
    steer_write_u16(&w, 1);
    steer_write_u16(&w, 0);
    steer_write_u16(&w, 0);
    steer_write_u16(&w, 1);
    steer_write_bytes(&w, q->name.octets, q->name.len);
    steer_write_u16(&w, q->type);
    steer_write_u16(&w, STEER_CLASS_IN);
    size_t octets = ((size_t)q->source + 7) / 8;
    steer_write_u8(&w, 0);
    steer_write_u16(&w, STEER_TYPE_OPT);
    steer_write_u16(&w, 1232);
    steer_write_u32(&w, 0);
    steer_write_u16(&w, (uint16_t)(8 + octets));
    steer_write_u16(&w, STEER_EDNS_ECS);
    steer_write_u16(&w, (uint16_t)(4 + octets));
    steer_write_u16(&w, q->client.family);
    steer_write_u8(&w, q->source);
    steer_write_u8(&w, 0);
    steer_write_bytes(&w, q->client.octets, octets);
    return w.len;
}

static const char *rcode_text(uint16_t rcode)
{
    static const char *const names[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
                                        "NOTIMP",  "REFUSED", "YXDOMAIN"};
    return rcode < STEER_ARRAY_LEN(names) ? names[rcode] : "other";
}

static void put_scope(const struct steer_explain_question *q, uint8_t scope, json_t *out)
{
    char text[64];
    struct steer_prefix prefix = {q->client, scope};
    steer_addr_mask(&prefix.addr, scope);
    json_object_set_new(out, "scope", json_integer(scope));
    set_text(out, "scope_prefix", steer_prefix_format(&prefix, text, sizeof text));
}

// Asks the answer room itself, so that code and scope are what a client would get.
static void ask(struct steer_linker *l, const struct steer_explain_question *q, json_t *out)
{
    static const struct steer_answer_settings settings = {.udp_size = 1232};
    uint8_t query[512];
    uint8_t response[4096];
    struct steer_facts facts;
    struct steer_ask a = {.message = query, .client = q->client, .stream = true};
    a.len = build_query(q, query);
    steer_answer(steer_linker_world(l), &settings, &a, response, sizeof response, &facts);
    set_text(out, "rcode", rcode_text(facts.rcode));
    put_scope(q, facts.scope, out);
}

// In a link that is not published nothing can be asked: the zone with the longest origin answers.
static void find_candidate(const struct steer_explain_question *q,
                           const struct steer_name_hashes *hashes, struct found *f,
                           unsigned *labels)
{
    struct steer_name origin;
    for (unsigned i = q->name.labels + 1; !f->zone && i-- > 0;) {
        const uint8_t *suffix = q->name.octets + hashes->at[i];
        if (steer_name_from_wire(suffix, STEER_NAME_MAX, &origin))
            f->zone = steer_link_zone_after(q->link, &origin);
        *labels = i;
    }
}

// ---- the steered part ----------------------------------------------------------------------------

static json_t *outcome_json(const struct steer_outcome *o, uint16_t type, uint32_t ttl_s)
{
    char exact[64];
    json_t *records = json_array();
    json_t *endpoints = json_array();
    struct steer_buf rrs = {0};
    struct steer_buf text = {0};
    steer_outcome_render(o, type, &rrs);
    for (size_t at = 0; at + 12 <= rrs.len;) {
        const uint8_t *rr = (const uint8_t *)rrs.data + at;
        size_t len = (size_t)(rr[10] << 8 | rr[11]);
        steer_buf_clear(&text);
        steer_rdata_format(type, rr + 12, len, &text);
        json_array_append_new(records, json_string(text.data));
        at += 12 + len;
    }
    for (uint32_t i = 0; i < o->endpoint_count; i++)
        json_array_append_new(endpoints, json_string(o->endpoints[i]->name));
    snprintf(exact, sizeof exact, "%llu/%llu", (unsigned long long)o->share.num,
             (unsigned long long)o->share.den);
    uint32_t ttl = o->ttl_cap_s && o->ttl_cap_s < ttl_s ? o->ttl_cap_s : ttl_s;
    json_t *out =
        json_pack("{s:f,s:s,s:I,s:o,s:o}", "share", steer_share_value(o->share) * 100.0, "exact",
                  exact, "ttl", (json_int_t)ttl, "records", records, "endpoints", endpoints);
    steer_buf_fini(&rrs);
    steer_buf_fini(&text);
    return out;
}

static const struct steer_catalog *catalog_of(const struct steer_linker *l,
                                              const struct steer_explain_question *q)
{
    return q->link ? q->link->catalog : l->catalog;
}

// The record's program in force, or the one that the link has made.
static const struct steer_program *program_of(const struct steer_linker *l,
                                              const struct steer_explain_question *q, uint32_t id)
{
    for (size_t i = 0; q->link && i < q->link->made_count; i++)
        if (q->link->made[i].id == id)
            return q->link->made[i].program;
    return steer_world_program(steer_linker_world(l), id);
}

// The client as its class was compiled (IPv4 inside IPv6 counts as IPv4). network takes its address.
static struct steer_client client_of(const struct steer_geo *geo,
                                     const struct steer_explain_question *q,
                                     struct steer_prefix *network)
{
    unsigned offset;
    *network = (struct steer_prefix){q->client, (uint8_t)steer_family_bits(q->client.family)};
    if (steer_addr_embedded_v4(&q->client, &network->addr, &offset)) {
        if (q->source <= offset)
            return (struct steer_client){.location = steer_geo_location(geo, 0)};
        network->len = 32;
    }
    return (struct steer_client){steer_geo_lookup(geo, &network->addr), network};
}

// How the outcome is picked; for a sticky draw the client's network and its slot, which names one of the answers.
static void explain_draw(const struct steer_explain_question *q, const struct steer_steered *record,
                         const struct steer_distribution *d, json_t *out)
{
    static const char *const words[] = {"random", "coherent", "sticky"};
    char text[64];
    struct steer_prefix network;
    uint8_t scope;
    set_text(out, "draw", words[record->draw.mode]);
    if (record->draw.mode != STEER_DRAW_STICKY)
        return;
    steer_client_network(&q->client, record->draw.v4_bits, record->draw.v6_bits, &network, &scope);
    const uint16_t slot = steer_network_slot(&network.addr);
    set_text(out, "network", steer_prefix_format(&network, text, sizeof text));
    json_object_set_new(out, "slot", json_integer(slot));
    json_object_set_new(out, "slots", json_integer(STEER_SLOTS));
    if (d->count)
        json_object_set_new(out, "given", json_integer(d->slots ? d->slots[slot] : 0));
}

// The scope that answers with this would have: none for a negative one, and at least that of a sticky draw.
static uint8_t candidate_scope(const struct steer_explain_question *q,
                               const struct steer_steered *record,
                               const struct steer_residual *root, uint16_t type,
                               const struct steer_distribution *d, uint8_t class_scope)
{
    struct steer_prefix network;
    uint8_t scope = 0;
    if (record->draw.mode == STEER_DRAW_STICKY && steer_residual_draws(root, type))
        steer_client_network(&q->client, record->draw.v4_bits, record->draw.v6_bits, &network,
                             &scope);
    return !d->count ? 0 : scope > class_scope ? scope : class_scope;
}

static void explain_steered(struct steer_linker *l, const struct steer_explain_question *q,
                            const struct found *f, json_t *out)
{
    char place[16];
    const uint16_t own = steer_steered_type(f->object->steered.kind);
    const uint16_t type = own ? own : q->type;
    struct steer_prefix network;
    const struct steer_client client = client_of(q->link ? q->link->geo : l->geo, q, &network);
    const struct steer_program *program = program_of(l, q, f->steered->at);
    const struct steer_catalog *catalog = catalog_of(l, q);
    struct steer_vitals_view view;
    struct steer_hypothesis what_if;
    steer_vitals_view_init(&view, q->vitals ? q->vitals : l->vitals, catalog);
    struct steer_rehearsed rehearsed[STEER_REHEARSALS_MAX];
    view.rehearsed = rehearsed;
    if (client.network)
        view.rehearsed_count =
            steer_rehearsals_for(steer_catalog_rehearsals(catalog), client.network, rehearsed);
    steer_hypothesis_init(&what_if, &view.view, false, q->down, q->down_count);
    struct steer_class class = steer_classmap_lookup(program->map, &q->client, q->source);
    json_t *resolution = json_array();
    json_t *decision = json_object();
    json_t *answers = json_array();
    struct steer_residual *root =
        steer_residual_resolve(l->residuals, catalog, f->object, &client, resolution);
    struct steer_distribution d;
    if (f->object->steered.draw.mode == STEER_DRAW_STICKY)
        steer_decide_sticky(root, &what_if.view, type, &d, decision);
    else
        steer_decide(root, &what_if.view, type, &d, decision);
    for (uint32_t i = 0; i < d.count; i++)
        json_array_append_new(answers, outcome_json(&d.outcomes[i], type, program->ttl_s));
    if (q->link)
        put_scope(q, candidate_scope(q, &f->object->steered, root, type, &d, class.scope), out);
    set_text(out, "record", f->object->name);
    set_text(out, "document", f->object->document);
    set_text(out, "kind", steer_steered_kind_text(f->object->steered.kind));
    json_object_set_new(out, "ttl", json_integer((json_int_t)program->ttl_s));
    set_text(out, "place", steer_place_format(&client.location->place, place, sizeof place));
    json_object_set_new(out, "class", json_integer(class.class_index));
    json_object_set_new(out, "classes", json_integer(program->class_count));
    steer_trace_join(resolution, decision);
    json_object_set_new(out, "resolution", resolution);
    json_object_set_new(out, "decision", decision);
    json_object_set_new(out, "available", json_boolean(d.available));
    json_object_set_new(out, "served_all", json_boolean(d.served_all));
    json_object_set_new(out, "exhausted", json_boolean(d.exhausted));
    json_object_set_new(out, "answers", answers);
    explain_draw(q, &f->object->steered, &d, out);
    steer_distribution_fini(&d);
    steer_residual_unref(l->residuals, root);
}

static void explain_static(const struct found *f, uint16_t type, json_t *out)
{
    json_t *records = json_array();
    struct steer_buf text = {0};
    for (unsigned i = 0; i < f->node->rrset_count; i++) {
        const struct steer_rrset *set = &f->node->rrsets[i];
        struct steer_rr_view rr;
        size_t at = 0;
        if (steer_rrset_is_steered(set) ||
            (set->type != type && set->type != STEER_TYPE_CNAME && type != STEER_TYPE_ANY))
            continue;
        while (steer_rrset_next(f->node, set, &at, &rr)) {
            char name[32];
            steer_buf_clear(&text);
            steer_buf_printf(&text, "%u %s ", rr.ttl_s, steer_type_format(set->type, name));
            steer_rdata_format(set->type, rr.rdata, rr.rdata_len, &text);
            json_array_append_new(records, json_string(text.data));
        }
    }
    steer_buf_fini(&text);
    json_object_set_new(out, "static", records);
}

static void choose(const struct steer_catalog *catalog, struct found *f, uint16_t type)
{
    const struct steer_rrset *own =
        type == STEER_TYPE_ADDRESS ? NULL : steer_zone_node_rrset(f->node, type);
    if (own && !steer_rrset_is_steered(own))
        return;
    for (unsigned i = 0; i < f->node->rrset_count; i++) {
        const struct steer_rrset *set = &f->node->rrsets[i];
        const bool address = type == STEER_TYPE_A || type == STEER_TYPE_AAAA ||
                             type == STEER_TYPE_HTTPS || type == STEER_TYPE_SVCB;
        const bool asked = set->type == STEER_TYPE_CNAME || type == STEER_TYPE_ANY ||
                           (set->type == STEER_TYPE_ADDRESS ? address : set->type == type);
        if (steer_rrset_is_steered(set) && asked && find_steered(catalog, f, set, &f->object))
            f->steered = set;
    }
}

json_t *steer_linker_explain(struct steer_linker *l, const struct steer_explain_question *question)
{
    // As a resolver would send it: nothing beyond the source prefix (RFC 7871 6).
    struct steer_explain_question masked = *question;
    const struct steer_explain_question *q = &masked;
    steer_addr_mask(&masked.client, masked.source);
    char text[STEER_NAME_TEXT_MAX];
    struct steer_name_hashes hashes;
    struct found f = {0};
    unsigned labels;
    json_t *out = json_object();
    const struct steer_world *world = steer_linker_world(l);
    steer_name_hash_suffixes(&q->name, &hashes);
    set_text(out, "name", steer_name_format(q->name.octets, text));
    set_text(out, "type", steer_type_format(q->type, text));
    struct steer_prefix client = {q->client, q->source};
    set_text(out, "client", steer_prefix_format(&client, text, sizeof text));
    json_object_set_new(out, "source", json_integer(q->source));
    json_object_set_new(out, "version", json_integer((json_int_t)world->version));
    if (q->link) {
        find_candidate(q, &hashes, &f, &labels);
        json_object_set_new(out, "candidate", json_true());
    } else {
        ask(l, q, out);
        f.zone = steer_world_zone_of(world, &q->name, &hashes, q->name.labels, &labels);
    }
    if (f.zone) {
        set_text(out, "zone", steer_name_format(f.zone->origin.octets, text));
        linker_find_node(f.zone, &q->name, &hashes, labels, &f.node);
    }
    if (f.node)
        choose(catalog_of(l, q), &f, q->type);
    if (q->link) {
        set_text(out, "rcode", f.node ? "NOERROR" : f.zone ? "NXDOMAIN" : "REFUSED");
        put_scope(q, 0, out);
    }
    json_object_set_new(out, "steered", json_boolean(f.steered != NULL));
    if (f.steered)
        explain_steered(l, q, &f, out);
    else if (f.node)
        explain_static(&f, q->type, out);
    return out;
}
