// SPDX-License-Identifier: GPL-3.0-or-later
// Sites, checks and endpoints; pools stand in parse_pool.c.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_internal.h"

enum { DAY_MS = 86400 * 1000 };

// ---- sites ---------------------------------------------------------------------------------------

static double coordinate(struct steer_parse *p, const struct steer_item *mapping, const char *key,
                         double limit)
{
    struct steer_item item;
    if (!steer_doc_find(p, mapping, key, &item))
        return 0;
    if (!json_is_number(item.json)) {
        steer_doc_mismatch(p, &item, "a number of degrees");
        return 0;
    }
    // As many digits as the canonical JSON keeps, so that the stored object is the same.
    char digits[64];
    snprintf(digits, sizeof digits, "%.15g", json_number_value(item.json));
    double value = strtod(digits, NULL);
    if (value < -limit || value > limit)
        steer_doc_fail(p, item.at, "'%s' must be from -%g to %g degrees, not %s", key, limit, limit,
                       digits);
    return value;
}

static void parse_site(struct steer_parse *p, const struct steer_item *item,
                       struct steer_site *site)
{
    static const char *const keys[] = {"at", "lat", "lon"};
    static const struct steer_shape shape = {
        .what = "a site", .example = "{at: EU-DE}", .keys = keys, .key_count = 3};
    struct steer_item at, lat, lon;
    struct steer_diag why;
    if (!steer_doc_keys(p, item, &shape))
        return;
    if (steer_doc_find(p, item, "at", &at)) {
        const char *text = steer_value_string(p, &at);
        if (!p->err && steer_place_parse(text, &site->place, &why))
            steer_doc_fail(p, at.at, "%s", why.message);
        site->has_place = true;
    }
    bool has_lat = steer_doc_find(p, item, "lat", &lat);
    bool has_lon = steer_doc_find(p, item, "lon", &lon);
    if (has_lat != has_lon)
        steer_doc_fail(p, has_lat ? lat.key_at : lon.key_at,
                       "'lat' and 'lon' go together; '%s' is missing", has_lat ? "lon" : "lat");
    site->has_point = has_lat;
    site->lat = coordinate(p, item, "lat", 90);
    site->lon = coordinate(p, item, "lon", 180);
    if (!site->has_place && !site->has_point)
        steer_doc_fail(p, item->key_at,
                       "site '%s' needs a place: {at: EU-DE} or {lat: 50.1, lon: 8.7}", item->key);
}

// ---- checks --------------------------------------------------------------------------------------

// Text that goes into a request: a line break in it would be a second header.
static const char *request_text(struct steer_parse *p, const struct steer_item *mapping,
                                const char *key)
{
    struct steer_item item;
    if (!steer_doc_find(p, mapping, key, &item))
        return NULL;
    const char *text = steer_value_string(p, &item);
    if (p->err)
        return NULL;
    if (!*text)
        steer_doc_fail(p, item.at, "'%s' must not be empty; leave it out for the default", key);
    for (const char *c = text; *c; c++)
        if ((uint8_t)*c <= ' ' || (uint8_t)*c >= 0x7f)
            steer_doc_fail(p, item.at, "'%s' must be printable ASCII without blanks", key);
    return text;
}

static void parse_request(struct steer_parse *p, const struct steer_item *item,
                          struct steer_check *check)
{
    struct steer_item at;
    check->path = request_text(p, item, "path");
    if (check->path && *check->path != '/' && steer_doc_find(p, item, "path", &at))
        steer_doc_fail(p, at.at, "'path' must begin with '/': write /%s", check->path);
    check->host = request_text(p, item, "host");
    check->method = request_text(p, item, "method");
    if (check->method && steer_doc_find(p, item, "method", &at) &&
        check->method[strspn(check->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")])
        steer_doc_fail(p, at.at, "'method' must be in capitals, like GET or HEAD, not '%.40s'",
                       check->method);
    check->expect_body = steer_doc_string(p, item, "expect_body", NULL);
    if (check->expect_body && (!*check->expect_body || strlen(check->expect_body) > 5120) &&
        steer_doc_find(p, item, "expect_body", &at))
        steer_doc_fail(p, at.at, "'expect_body' must have 1 to 5120 octets");
}

static void parse_status(struct steer_parse *p, const struct steer_item *item,
                         struct steer_check *check)
{
    struct steer_item at;
    check->status_min = 200;
    check->status_max = 399;
    if (!steer_doc_find(p, item, "expect_status", &at))
        return;
    unsigned low = 0, high = 0;
    int used = 0;
    const char *text = json_string_value(at.json);
    if (json_is_integer(at.json)) {
        low = high = (unsigned)steer_value_uint(p, &at, 100, 599);
    } else if (text && strspn(text, "0123456789-") == strlen(text) && strlen(text) <= 7) {
        if (sscanf(text, "%3u-%3u%n", &low, &high, &used) != 2 || text[used]) {
            high = 0;
            if (sscanf(text, "%3u%n", &low, &used) == 1 && !text[used])
                high = low;
        }
    }
    if (low < 100 || high > 599 || low > high)
        steer_doc_fail(p, at.at,
                       "'expect_status' must be a status like 200 or a range like \"200-399\"");
    check->status_min = (uint16_t)low;
    check->status_max = (uint16_t)high;
}

static void parse_times(struct steer_parse *p, const struct steer_item *item,
                        struct steer_check *check)
{
    struct steer_item at;
    check->interval_ms = (uint32_t)steer_doc_duration(p, item, "interval", 100, DAY_MS, 10000);
    uint32_t usual = check->interval_ms < 3000 ? check->interval_ms : 3000;
    check->timeout_ms = (uint32_t)steer_doc_duration(p, item, "timeout", 1, DAY_MS, usual);
    if (check->timeout_ms > check->interval_ms && steer_doc_find(p, item, "timeout", &at))
        steer_doc_fail(p, at.at,
                       "'timeout' must not be longer than 'interval' (%u ms): probes of one "
                       "check never overlap",
                       check->interval_ms);
    if (check->interval_ms < 1000 && steer_doc_find(p, item, "interval", &at))
        steer_doc_warn(p, at.at,
                       "check '%s' probes every %u ms; under 1s is a load on the endpoint",
                       item->key, check->interval_ms);
    static const char *const states[] = {"up", "down"};
    bool down = steer_doc_choice(p, item, "initially", states, 2, 2, 0) == 1;
    check->hysteresis = (struct steer_hysteresis){
        .rise = (uint8_t)steer_doc_uint(p, item, "rise", 1, 255, 2),
        .fall = (uint8_t)steer_doc_uint(p, item, "fall", 1, 255, 3),
        .initially = down ? STEER_DOWN : STEER_UP,
    };
}

// Keys that say nothing to a check of this kind.
static void refuse_keys(struct steer_parse *p, const struct steer_item *item,
                        const char *const *keys, size_t count, const char *where)
{
    struct steer_item at;
    for (size_t i = 0; i < count; i++)
        if (steer_doc_find(p, item, keys[i], &at))
            steer_doc_fail(p, at.key_at, "'%s' goes only with %s", keys[i], where);
}

static void parse_check(struct steer_parse *p, const struct steer_item *item,
                        struct steer_check *check)
{
    static const char *const keys[] = {
        "type",     "port",    "path", "host", "method",    "expect_status", "expect_body",
        "interval", "timeout", "rise", "fall", "initially", "verify",        "family"};
    static const char *const later[] = {"shadow", "send", "expect", "headers", "sni"};
    static const char *const kinds[] = {"http", "https", "tcp",    "dns",
                                        "exec", "push",  "metric", "calculated"};
    static const char *const http_only[] = {"path", "host", "method", "expect_status",
                                            "expect_body"};
    static const char *const https_only[] = {"verify"};
    static const char *const families[] = {"ipv4", "ipv6"};
    static const struct steer_shape shape = {.what = "a check",
                                             .example = "{type: http, port: 80, path: /healthz}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys),
                                             .later = later,
                                             .later_count = STEER_ARRAY_LEN(later)};
    struct steer_item at;
    if (!steer_doc_keys(p, item, &shape))
        return;
    if (!steer_doc_find(p, item, "type", &at))
        steer_doc_fail(p, item->key_at, "check '%s' needs 'type': http, https or tcp", item->key);
    check->kind = (enum steer_check_kind)steer_doc_choice(p, item, "type", kinds, 8, 3, 0);
    bool tcp = check->kind == STEER_CHECK_TCP;
    bool https = check->kind == STEER_CHECK_HTTPS;
    if (tcp && !steer_doc_find(p, item, "port", &at))
        steer_doc_fail(p, item->key_at, "check '%s' needs 'port': tcp has no usual one", item->key);
    check->port = (uint16_t)steer_doc_uint(p, item, "port", 1, 65535, https ? 443 : 80);
    if (tcp)
        refuse_keys(p, item, http_only, STEER_ARRAY_LEN(http_only), "http and https");
    if (!https)
        refuse_keys(p, item, https_only, STEER_ARRAY_LEN(https_only), "https");
    parse_request(p, item, check);
    parse_status(p, item, check);
    parse_times(p, item, check);
    check->verify = steer_doc_bool(p, item, "verify", true);
    check->prefer_v6 = steer_doc_choice(p, item, "family", families, 2, 2, 0) == 1;
}

// ---- endpoints -----------------------------------------------------------------------------------

static void parse_address(struct steer_parse *p, const struct steer_item *item, uint8_t family,
                          struct steer_addr *addr)
{
    const char *text = steer_value_string(p, item);
    bool v4 = family == STEER_V4;
    bool parsed = !p->err && steer_addr_parse(text, addr);
    if (!p->err && parsed && addr->family != family)
        steer_doc_fail(p, item->at, "'%s' is an IPv%d address; write it at '%s'", text, v4 ? 6 : 4,
                       v4 ? "ipv6" : "ipv4");
    else if (!p->err && !parsed)
        steer_doc_fail(p, item->at, "'%.80s' is not an IPv%d address like %s", text, v4 ? 4 : 6,
                       v4 ? "192.0.2.10" : "2001:db8::10");
}

// One address, or a list of them: the first is the endpoint's, the others are added to `more`.
static bool parse_addresses(struct steer_parse *p, const struct steer_item *mapping,
                            const char *key, struct steer_addr *first, struct steer_addr *more,
                            uint32_t *more_count)
{
    const uint8_t family = strcmp(key, "ipv4") == 0 ? STEER_V4 : STEER_V6;
    struct steer_item item, entry;
    struct steer_entries entries;
    const uint32_t before = *more_count;
    if (!steer_doc_find(p, mapping, key, &item))
        return false;
    if (!json_is_array(item.json)) {
        parse_address(p, &item, family, first);
        return true;
    }
    if (!steer_doc_list(p, &item, family == STEER_V4 ? "[192.0.2.10]" : "[\"2001:db8::10\"]"))
        return false;
    if (json_array_size(item.json) > STEER_ADDRESSES_MAX)
        steer_doc_fail(p, item.at, "an endpoint has at most %d addresses of a family",
                       STEER_ADDRESSES_MAX);
    steer_entries_of(p, &item, &entries);
    for (uint32_t i = 0; !p->err && steer_entries_next(&entries, &entry); i++) {
        struct steer_addr *addr = i ? &more[(*more_count)++] : first;
        parse_address(p, &entry, family, addr);
        bool known = i && steer_addr_equal(addr, first);
        for (uint32_t k = before; k + 1 < *more_count; k++)
            known = known || steer_addr_equal(addr, &more[k]);
        if (known)
            steer_doc_fail(p, entry.at, "address '%s' is listed twice",
                           json_string_value(entry.json));
    }
    return true;
}

static void parse_hostname(struct steer_parse *p, const struct steer_item *mapping,
                           struct steer_endpoint *endpoint)
{
    struct steer_item item;
    struct steer_diag why;
    if (!steer_doc_find(p, mapping, "hostname", &item))
        return;
    endpoint->has_hostname = true;
    const char *text = steer_value_string(p, &item);
    struct steer_addr addr;
    if (!p->err && steer_addr_parse(text, &addr))
        steer_doc_fail(p, item.at, "'%s' is an address; write it at '%s'", text,
                       addr.family == STEER_V4 ? "ipv4" : "ipv6");
    if (!p->err && steer_name_parse(text, NULL, &endpoint->hostname, &why))
        steer_doc_fail(p, item.at, "%s", why.message);
}

static void parse_endpoint_checks(struct steer_parse *p, const struct steer_item *mapping,
                                  struct steer_endpoint *endpoint)
{
    struct steer_item one, list, require, entry;
    bool has_one = steer_doc_find(p, mapping, "check", &one);
    bool has_list = steer_doc_find(p, mapping, "checks", &list);
    if (has_one && has_list)
        steer_doc_fail(p, list.key_at, "give 'check' or 'checks', not both");
    // One name at `checks`, or several at `check`, say what is meant.
    if (has_one != has_list) {
        const struct steer_item given = has_one ? one : list;
        has_list = json_is_array(given.json);
        has_one = !has_list;
        one = list = given;
    }
    size_t count = has_one ? 1 : 0;
    if (has_list && steer_doc_list(p, &list, "[web, api]"))
        count = json_array_size(list.json);
    const char **checks = steer_arena_calloc(p->arena, (count + 1) * sizeof *checks);
    struct steer_map seen = {0};
    struct steer_entries entries;
    steer_entries_of(p, has_list ? &list : mapping, &entries);
    for (uint32_t i = 0; i < count && !p->err; i++) {
        if (has_list)
            (void)steer_entries_next(&entries, &entry);
        else
            entry = one;
        checks[i] = steer_value_name(p, &entry);
        if (!p->err && steer_map_get(&seen, checks[i], NULL))
            steer_doc_fail(p, entry.at, "check '%s' is listed twice", checks[i]);
        steer_map_put(&seen, checks[i], 1);
    }
    steer_map_fini(&seen);
    endpoint->checks = checks;
    endpoint->check_count = (uint32_t)count;
    endpoint->checks_needed = (uint32_t)count;
    if (!steer_doc_find(p, mapping, "require", &require))
        return;
    const char *word = json_string_value(require.json);
    if (count == 0)
        steer_doc_fail(p, require.key_at, "'require' needs 'checks'");
    else if (json_is_integer(require.json))
        endpoint->checks_needed = (uint32_t)steer_value_uint(p, &require, 1, count);
    else if (word && strcmp(word, "any") == 0)
        endpoint->checks_needed = 1;
    else if (!word || strcmp(word, "all") != 0)
        steer_doc_fail(p, require.at, "'require' must be all, any, or how many of the checks");
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct steer_label *)a)->key, ((const struct steer_label *)b)->key);
}

static void parse_labels(struct steer_parse *p, const struct steer_item *mapping,
                         struct steer_endpoint *endpoint)
{
    struct steer_item item, entry;
    if (!steer_doc_find(p, mapping, "labels", &item) || !steer_doc_mapping(p, &item, "{rack: a1}"))
        return;
    struct steer_label *labels =
        steer_arena_calloc(p->arena, json_object_size(item.json) * sizeof *labels);
    struct steer_entries entries;
    steer_entries_of(p, &item, &entries);
    while (!p->err && steer_entries_next(&entries, &entry)) {
        if (!steer_name_text_valid(entry.key))
            steer_doc_fail(p, entry.key_at,
                           "'%.80s' is not a label: 1 to 63 letters, digits, '_', '.' or '-'",
                           entry.key);
        struct steer_label *label = &labels[endpoint->label_count++];
        label->key = steer_arena_strdup(p->arena, entry.key);
        label->value = steer_value_string(p, &entry);
    }
    // The stored JSON is sorted by key; the object that comes back from it is to be the same.
    if (!p->err)
        qsort(labels, endpoint->label_count, sizeof *labels, by_key);
    endpoint->labels = labels;
}

static void parse_endpoint(struct steer_parse *p, const struct steer_item *item,
                           struct steer_endpoint *endpoint)
{
    static const char *const keys[] = {"ipv4",   "ipv6",    "hostname", "site",   "check",
                                       "checks", "require", "ttl_cap",  "labels", "https",
                                       "svcb",   "mx",      "srv"};
    static const struct steer_shape shape = {.what = "an endpoint",
                                             .example = "{ipv4: 192.0.2.10, check: web}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_item site;
    if (!steer_doc_keys(p, item, &shape))
        return;
    struct steer_addr more[2 * STEER_ADDRESSES_MAX];
    uint32_t *count = &endpoint->more_count;
    endpoint->has_v4 = parse_addresses(p, item, "ipv4", &endpoint->v4, more, count);
    endpoint->has_v6 = parse_addresses(p, item, "ipv6", &endpoint->v6, more, count);
    endpoint->more = steer_arena_memdup(p->arena, more, *count * sizeof *more);
    parse_hostname(p, item, endpoint);
    if (!endpoint->has_v4 && !endpoint->has_v6 && !endpoint->has_hostname)
        steer_doc_fail(p, item->key_at, "endpoint '%s' needs 'ipv4', 'ipv6' or 'hostname'",
                       item->key);
    if (steer_doc_find(p, item, "site", &site))
        endpoint->site = steer_value_name(p, &site);
    parse_endpoint_checks(p, item, endpoint);
    endpoint->ttl_cap_s = steer_doc_seconds(p, item, "ttl_cap", 1, 0);
    parse_labels(p, item, endpoint);
    steer_parse_services(p, item, endpoint);
}

// ---- any object ----------------------------------------------------------------------------------

struct steer_object *steer_parse_object(struct steer_parse *p, enum steer_kind kind,
                                        const struct steer_item *item)
{
    if (p->err)
        return NULL;
    if (!steer_name_text_valid(item->key)) {
        steer_doc_fail(p, item->key_at,
                       "'%.80s' is not a name for a %s: 1 to 63 letters, digits, '_', '.' or '-'",
                       item->key, steer_kind_text(kind));
        return NULL;
    }
    struct steer_object *object = steer_object_create(kind);
    p->arena = &object->arena;
    switch (kind) {
    case STEER_SITE:
        parse_site(p, item, &object->site);
        break;
    case STEER_CHECK:
        parse_check(p, item, &object->check);
        break;
    case STEER_ENDPOINT:
        parse_endpoint(p, item, &object->endpoint);
        break;
    case STEER_POOL:
        steer_parse_pool(p, item, &object->pool);
        break;
    case STEER_SWITCH:
        steer_parse_switch(p, item, &object->control_switch);
        break;
    case STEER_LATENCY:
        steer_parse_latency_table(p, item, object);
        break;
    case STEER_POLICY:
        p->origin = NULL; // policies belong to no zone
        steer_parse_node(p, item, &object->tree);
        break;
    case STEER_ASSERTION:
    case STEER_STEERED:
    case STEER_KINDS:
        steer_doc_fail(p, item->key_at, "not an object that stands by itself");
        break;
    }
    if (!p->err)
        steer_object_seal(object, item->key, item->json, p, item->key_at);
    p->arena = NULL;
    if (!p->err)
        return object;
    steer_object_unref(object);
    return NULL;
}
