// SPDX-License-Identifier: GPL-3.0-or-later
// A small catalogue, a moment of health given as lists of words, and distributions as text.
#ifndef TESTS_POLICY_DECIDE_SUPPORT_H
#define TESTS_POLICY_DECIDE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/policy/decide.h"
#include "steerd/wire/message.h"

static inline void put(struct steer_catalog *catalog, enum steer_kind kind, const char *name,
                       const char *json)
{
    struct steer_object *object;
    struct steer_diag diag = {0};
    if (steer_object_from_json(kind, name, "test", json, NULL, &object, &diag))
        fail_msg("%s %s: %s", name, json, diag.message);
    steer_catalog_put(catalog, object);
    steer_object_unref(object);
}

static inline const struct steer_object *record_of(struct steer_catalog *catalog, const char *name,
                                                   const char *json)
{
    struct steer_object *object;
    struct steer_diag diag = {0};
    struct steer_name zone;
    assert_int_equal(steer_name_parse("example.com.", NULL, &zone, NULL), STEER_OK);
    if (steer_object_from_json(STEER_STEERED, name, "test", json, &zone, &object, &diag))
        fail_msg("%s %s: %s", name, json, diag.message);
    steer_catalog_put(catalog, object);
    steer_object_unref(object);
    return steer_catalog_get(catalog, STEER_STEERED, name);
}

// "api" with this tree; allow_negative, so that every tree is legal.
static inline const struct steer_object *record(struct steer_catalog *catalog, const char *tree)
{
    struct steer_buf json = {0};
    steer_buf_printf(
        &json, "{\"kind\":\"address\",\"ttl\":30,\"allow_negative\":true,\"steer\":%s}", tree);
    const struct steer_object *object = record_of(catalog, "api.example.com. address", json.data);
    steer_buf_fini(&json);
    return object;
}

// Endpoints a-f in both families, v4 and v6 in one; pools of them. The first three are in Berlin, Ashburn, Singapore.
static inline struct steer_catalog *small_catalog(void)
{
    struct steer_catalog *catalog = steer_catalog_create();
    const char *names = "abcdef";
    put(catalog, STEER_SWITCH, "xyz", "{\"positions\":[\"x\",\"y\",\"z\"]}");
    put(catalog, STEER_LATENCY, "world",
        "{\"rows\":{\"EU\":{\"at-a\":20,\"at-b\":95},\"EU-DE\":{\"at-c\":15.5},"
        "\"NA-US-CA\":{\"at-c\":70,\"at-b\":80},\"AS64500\":{\"at-b\":5},\"192.0.2.0/"
        "24\":{\"at-a\":400},"
        "\"192.0.2.128/25\":{\"at-c\":1},\"2001:db8::/32\":{\"at-c\":300}}}");
    put(catalog, STEER_SITE, "at-a", "{\"lat\":52.5,\"lon\":13.4}");
    put(catalog, STEER_SITE, "at-b", "{\"lat\":38.9,\"lon\":-77.4}");
    put(catalog, STEER_SITE, "at-c", "{\"lat\":1.3,\"lon\":103.8}");
    for (int i = 0; names[i]; i++) {
        char name[2] = {names[i], '\0'};
        char json[160], site[32] = "";
        if (i < 3)
            snprintf(site, sizeof site, ",\"site\":\"at-%s\"", name);
        snprintf(
            json, sizeof json,
            "{\"ipv4\":\"192.0.2.%d\",\"ipv6\":\"2001:db8::%d\",\"hostname\":\"%s.example.net.\""
            "%s}",
            i + 1, i + 1, name, site);
        put(catalog, STEER_ENDPOINT, name, json);
    }
    put(catalog, STEER_ENDPOINT, "v4", "{\"ipv4\":\"192.0.2.40\"}");
    put(catalog, STEER_ENDPOINT, "v6", "{\"ipv6\":\"2001:db8::60\"}");
    put(catalog, STEER_ENDPOINT, "capped", "{\"ipv4\":\"192.0.2.41\",\"ttl_cap\":\"20s\"}");
    put(catalog, STEER_ENDPOINT, "capped5", "{\"ipv4\":\"192.0.2.42\",\"ttl_cap\":\"5s\"}");
    static const char *const pools[][2] = {
        {"a", "{\"endpoints\":{\"a\":1}}"},
        {"b", "{\"endpoints\":{\"b\":1}}"},
        {"c", "{\"endpoints\":{\"c\":1}}"},
        {"ab91", "{\"endpoints\":{\"a\":90,\"b\":10}}"},
        {"spare", "{\"endpoints\":{\"a\":1,\"b\":0,\"c\":0}}"},
        {"mixed", "{\"endpoints\":{\"a\":1,\"v4\":2,\"v6\":1}}"},
        {"spare-v4", "{\"endpoints\":{\"a\":0,\"v4\":5}}"},
        {"all3", "{\"endpoints\":{\"a\":1,\"b\":5,\"c\":5,\"d\":0},\"pick\":\"all\"}"},
        {"all2", "{\"endpoints\":{\"a\":1,\"b\":5,\"c\":5,\"d\":5},\"pick\":\"all\",\"max\":2}"},
        {"two", "{\"endpoints\":{\"a\":1,\"b\":1,\"c\":1,\"d\":1},\"pick\":2}"},
        {"twoskew", "{\"endpoints\":{\"a\":6,\"b\":1,\"c\":1},\"pick\":2}"},
        {"half", "{\"endpoints\":{\"a\":1,\"b\":1,\"c\":1},\"min_available\":\"50%\"}"},
        {"three", "{\"endpoints\":{\"a\":1,\"b\":1,\"c\":1},\"min_available\":3}"},
        {"caps", "{\"endpoints\":{\"a\":1,\"capped\":1,\"capped5\":1},\"pick\":\"all\"}"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(pools); i++)
        put(catalog, STEER_POOL, pools[i][0], pools[i][1]);
    return catalog;
}

// Words separated by blanks. down: by its check; off: by an override.
struct moment {
    const char *down, *off, *drained;
    const char *pool_up, *pool_down;
    unsigned asked;    // calls of the view
    unsigned switched; // the position of all switches
};

static inline bool listed(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list; at && (at = strstr(at, word)); at += len)
        if ((at == list || at[-1] == ' ') && (at[len] == '\0' || at[len] == ' '))
            return true;
    return false;
}

static inline enum steer_availability
moment_endpoint(void *ctx, const struct steer_object *endpoint, bool checks_as_up, json_t *why)
{
    struct moment *m = ctx;
    m->asked++;
    if (listed(m->drained, endpoint->name))
        return STEER_DRAINED;
    bool off = listed(m->off, endpoint->name);
    bool down = listed(m->down, endpoint->name);
    if (why && off)
        json_object_set_new(why, "override", json_pack("{s:s}", "reason", "burning"));
    if (why && down)
        json_object_set_new(why, "checks",
                            json_pack("[{s:s,s:s,s:s}]", "check", "web", "verdict", "down",
                                      "reason", "status 503"));
    return off || (down && !checks_as_up) ? STEER_UNAVAILABLE : STEER_AVAILABLE;
}

static inline enum steer_forced moment_pool(void *ctx, const struct steer_object *pool, json_t *why)
{
    const struct moment *m = ctx;
    (void)why;
    if (listed(m->pool_up, pool->name))
        return STEER_FORCED_UP;
    return listed(m->pool_down, pool->name) ? STEER_FORCED_DOWN : STEER_FORCED_NOT;
}

static inline uint32_t moment_position(void *ctx, const struct steer_object *control_switch,
                                       json_t *why)
{
    const struct moment *m = ctx;
    (void)why;
    return m->switched < control_switch->control_switch.position_count ? m->switched : 0;
}

static inline struct steer_view view_of(struct moment *moment)
{
    return (struct steer_view){.ctx = moment,
                               .endpoint = moment_endpoint,
                               .pool = moment_pool,
                               .position = moment_position};
}

static inline struct steer_location at_place(const char *text)
{
    struct steer_location location = {.lat = 0};
    if (text)
        assert_int_equal(steer_place_parse(text, &location.place, NULL), STEER_OK);
    return location;
}

// "served_all: a 9/10, b+c 1/10", "exhausted", "nodata".
static inline const char *distribution_text(const struct steer_distribution *d, char *out,
                                            size_t size)
{
    struct steer_buf text = {0};
    if (d->served_all && !d->exhausted)
        steer_buf_puts(&text, "served_all: ");
    if (!d->count)
        steer_buf_puts(&text, d->exhausted ? "exhausted" : "nodata");
    for (uint32_t i = 0; i < d->count; i++) {
        const struct steer_outcome *o = &d->outcomes[i];
        steer_buf_puts(&text, i ? ", " : "");
        for (uint32_t k = 0; k < o->endpoint_count; k++)
            steer_buf_printf(&text, "%s%s", k ? "+" : "", o->endpoints[k]->name);
        steer_buf_printf(&text, "%s", o->fixed ? "answer" : "");
        if (o->share.num != 1 || o->share.den != 1)
            steer_buf_printf(&text, " %llu/%llu", (unsigned long long)o->share.num,
                             (unsigned long long)o->share.den);
    }
    snprintf(out, size, "%s", text.data);
    steer_buf_fini(&text);
    return out;
}

#endif
