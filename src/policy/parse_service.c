// SPDX-License-Identifier: GPL-3.0-or-later
// What an endpoint says of itself in records other than its addresses: https, svcb, mx and srv.
#include <stdio.h>
#include <string.h>

#include "policy_internal.h"

enum { ALPN_MAX = 16, PORT_MAX = 65535, MX_PREFERENCE = 10 };

static void add_alpn(struct steer_parse *p, const struct steer_item *item, uint8_t *wire,
                     struct steer_service *service)
{
    const char *text = steer_value_string(p, item);
    const size_t len = strlen(text);
    if (!p->err && (len == 0 || len > 255))
        steer_doc_fail(p, item->at, "a protocol is 1 to 255 characters, like h2 or h3");
    if (p->err)
        return;
    wire[service->alpn_len] = (uint8_t)len;
    memcpy(wire + service->alpn_len + 1, text, len);
    service->alpn_len = (uint16_t)(service->alpn_len + 1 + len);
}

// One protocol, or a list of them in order of preference.
static void parse_alpn(struct steer_parse *p, const struct steer_item *item,
                       struct steer_service *service)
{
    struct steer_entries entries;
    struct steer_item entry;
    uint8_t *wire = steer_arena_calloc(p->arena, (size_t)ALPN_MAX * 256);
    service->alpn = wire;
    if (json_is_string(item->json)) {
        add_alpn(p, item, wire, service);
        return;
    }
    if (!steer_doc_list(p, item, "[h2, h3]"))
        return;
    if (json_array_size(item->json) > ALPN_MAX) {
        steer_doc_fail(p, item->at, "at most %d protocols", ALPN_MAX);
        return;
    }
    steer_entries_of(p, item, &entries);
    while (!p->err && steer_entries_next(&entries, &entry))
        add_alpn(p, &entry, wire, service);
}

static void parse_service(struct steer_parse *p, const struct steer_item *endpoint, const char *key,
                          const struct steer_endpoint *of, struct steer_service *service)
{
    static const char *const keys[] = {"alpn", "port", "priority"};
    char what[16];
    snprintf(what, sizeof what, "'%s'", key);
    const struct steer_shape shape = {.what = what,
                                      .example = "{alpn: [h2, h3], port: 8443}",
                                      .keys = keys,
                                      .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_item item, alpn;
    if (!steer_doc_find(p, endpoint, key, &item) || !steer_doc_keys(p, &item, &shape))
        return;
    if (!of->has_v4 && !of->has_v6)
        steer_doc_fail(p, item.key_at, "'%s' goes only with 'ipv4' or 'ipv6', which it repeats",
                       key);
    service->priority = (uint16_t)steer_doc_uint(p, &item, "priority", 1, UINT16_MAX, 1);
    service->port = (uint16_t)steer_doc_uint(p, &item, "port", 1, PORT_MAX, 0);
    if (steer_doc_find(p, &item, "alpn", &alpn))
        parse_alpn(p, &alpn, service);
}

static bool find_named(struct steer_parse *p, const struct steer_item *endpoint,
                       const struct steer_endpoint *of, const struct steer_shape *shape,
                       const char *key, struct steer_item *item)
{
    if (!steer_doc_find(p, endpoint, key, item) || !steer_doc_keys(p, item, shape))
        return false;
    if (!of->has_hostname)
        steer_doc_fail(p, item->key_at, "'%s' goes only with 'hostname', which it points at", key);
    return !p->err;
}

static void parse_mx(struct steer_parse *p, const struct steer_item *endpoint,
                     struct steer_endpoint *out)
{
    static const char *const keys[] = {"preference"};
    static const struct steer_shape shape = {
        .what = "'mx'", .example = "{preference: 10}", .keys = keys, .key_count = 1};
    struct steer_item item;
    out->mx_preference = MX_PREFERENCE;
    if (find_named(p, endpoint, out, &shape, "mx", &item))
        out->mx_preference =
            (uint16_t)steer_doc_uint(p, &item, "preference", 0, UINT16_MAX, MX_PREFERENCE);
}

static void parse_srv(struct steer_parse *p, const struct steer_item *endpoint,
                      struct steer_endpoint *out)
{
    static const char *const keys[] = {"port", "priority", "weight"};
    static const struct steer_shape shape = {.what = "'srv'",
                                             .example = "{port: 5060, priority: 10, weight: 5}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_item item;
    if (!find_named(p, endpoint, out, &shape, "srv", &item))
        return;
    out->srv_port = (uint16_t)steer_doc_uint(p, &item, "port", 1, PORT_MAX, 0);
    out->srv_priority = (uint16_t)steer_doc_uint(p, &item, "priority", 0, UINT16_MAX, 0);
    out->srv_weight = (uint16_t)steer_doc_uint(p, &item, "weight", 0, UINT16_MAX, 0);
    if (!p->err && !out->srv_port)
        steer_doc_fail(p, item.at, "'srv' needs 'port', like {port: 5060}");
}

void steer_parse_services(struct steer_parse *p, const struct steer_item *endpoint,
                          struct steer_endpoint *out)
{
    parse_service(p, endpoint, "https", out, &out->https);
    parse_service(p, endpoint, "svcb", out, &out->svcb);
    parse_mx(p, endpoint, out);
    parse_srv(p, endpoint, out);
}
