// SPDX-License-Identifier: GPL-3.0-or-later
// A plan: what a prepared link would do, worked out from what it leaves behind when it is aborted. Holds references
// only, so that the work may be done on another thread while control goes on.
#include <stdlib.h>
#include <string.h>

#include "linker_internal.h"
#include "steerd/base/mem.h"
#include "steerd/control/replay.h"
#include "steerd/policy/impact.h"
#include "steerd/rr/type.h"

enum { RECORDS_IN_FULL = 100 };

struct steer_plan {
    struct steer_catalog *before, *after;
    struct steer_geo *geo;
    struct steer_vitals *vitals; // overrides and switches: a plan reads checks as up
    struct steer_map records;    // that the change reaches
    json_t *assertions;
};

// ---- taking --------------------------------------------------------------------------------------

static json_t *breach_json(const struct steer_link_breach *b)
{
    char type[STEER_TYPE_TEXT_MAX], client[64];
    json_t *out = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:b}", "record", b->steered->name, "type",
                            steer_type_format(b->breach.type, type), "client",
                            steer_addr_format(&b->breach.client, client, sizeof client), "place",
                            b->breach.place, "gets", b->breach.gets, "message", b->breach.message,
                            "now", b->now);
    if (b->breach.down[0]) {
        json_object_set_new(out, "down_kind", json_string(steer_kind_text(b->breach.down_kind)));
        json_object_set_new(out, "down", json_string(b->breach.down));
    }
    return out;
}

static json_t *assertion_json(const struct steer_link *link, const struct steer_object *assertion,
                              uint32_t records)
{
    json_t *list = json_array();
    bool holds = true, waived = false;
    for (size_t i = 0; i < link->breach_count; i++) {
        const struct steer_link_breach *b = &link->breaches[i];
        if (b->assertion != assertion)
            continue;
        holds &= b->now;
        waived |= b->waived && !b->now;
        json_array_append_new(list, breach_json(b));
    }
    return json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:b,s:b,s:o}", "name",
                     steer_assertion_short_name(assertion), "document", assertion->document, "text",
                     assertion->assertion.text, "line", (json_int_t)assertion->at.line, "column",
                     (json_int_t)assertion->at.column, "records", (json_int_t)records, "holds",
                     holds, "waived", waived, "breaches", list);
}

static json_t *assertions_json(const struct steer_link *link)
{
    json_t *list = json_array();
    for (size_t i = 0; i < link->assertion_count; i++) {
        uint32_t records;
        if (steer_map_get(&link->judged, link->assertions[i]->name, &records))
            json_array_append_new(list, assertion_json(link, link->assertions[i], records));
    }
    return list;
}

json_t *link_broken_assertions(const struct steer_link *link)
{
    json_t *all = assertions_json(link), *broken = json_array(), *assertion;
    size_t i;
    json_array_foreach(all, i, assertion)
    {
        if (!json_is_true(json_object_get(assertion, "holds")))
            json_array_append(broken, assertion);
    }
    json_decref(all);
    return broken;
}

static void add_names(struct steer_map *to, const struct steer_map *from)
{
    size_t at = 0;
    const char *name;
    while (steer_map_next(from, &at, &name, NULL))
        steer_map_put(to, name, 1);
}

static void add_all(struct steer_map *to, const struct steer_catalog *catalog)
{
    const size_t count = steer_catalog_count(catalog, STEER_STEERED);
    const struct steer_object **list = steer_catalog_list(catalog, STEER_STEERED);
    for (size_t i = 0; i < count; i++)
        steer_map_put(to, list[i]->name, 1);
    free(list);
}

// What is forced for some clients only passes: a plan is about what lasts.
static struct steer_catalog *lasting(struct steer_catalog *catalog)
{
    if (!steer_catalog_rehearsals(catalog))
        return steer_catalog_ref(catalog);
    struct steer_catalog *copy = steer_catalog_clone(catalog);
    steer_catalog_set_rehearsals(copy, NULL);
    return copy;
}

struct steer_plan *steer_link_plan(const struct steer_link *link, bool all)
{
    struct steer_plan *plan = steer_calloc(1, sizeof *plan);
    const struct steer_vitals *vitals = link->linker->vitals;
    plan->before = lasting(link->linker->catalog);
    plan->after = lasting(link->catalog);
    plan->geo = steer_geo_ref(link->geo);
    plan->vitals = steer_vitals_create();
    for (size_t i = 0; i < steer_vitals_override_count(vitals); i++)
        steer_vitals_override(plan->vitals, steer_vitals_override_at(vitals, i));
    steer_vitals_copy_switches(plan->vitals, vitals);
    add_names(&plan->records, &link->touched);
    add_names(&plan->records, &link->gone_programs);
    if (all)
        add_all(&plan->records, plan->after);
    plan->assertions = assertions_json(link);
    return plan;
}

void steer_plan_destroy(struct steer_plan *plan)
{
    if (!plan)
        return;
    steer_catalog_unref(plan->before);
    steer_catalog_unref(plan->after);
    steer_geo_unref(plan->geo);
    steer_vitals_destroy(plan->vitals);
    steer_map_fini(&plan->records);
    json_decref(plan->assertions);
    free(plan);
}

json_t *steer_plan_assertions(const struct steer_plan *plan)
{
    return plan->assertions;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *change_of(const struct steer_impact_side *before,
                             const struct steer_impact_side *after)
{
    if (!before->steered)
        return "created";
    if (!after->steered)
        return "removed";
    const bool same = before->steered->hash == after->steered->hash &&
                      strcmp(before->steered->json, after->steered->json) == 0;
    return same ? "reached" : "replaced";
}

// ---- who asked -----------------------------------------------------------------------------------

enum { OWN_QUERIES_MIN = 100 }; // fewer say little of who asks for a name

// Those who asked for a record's names.
struct askers {
    struct steer_asker *items;
    size_t count, cap;
    uint64_t queries;
    struct steer_population population;
    bool counted;
};

struct sample {
    struct steer_map owners; // of steered records, of both catalogues -> index + 1 of own
    struct askers *own;
    size_t own_count;
    struct askers all;
};

static void add_asker(struct askers *askers, const struct steer_replay_question *q)
{
    askers->items =
        steer_grow(askers->items, &askers->cap, askers->count + 1, sizeof *askers->items);
    askers->items[askers->count++] = (struct steer_asker){q->client.addr, q->count};
    askers->queries += q->count;
}

static void add_owners(struct sample *s, const struct steer_catalog *catalog)
{
    const size_t count = steer_catalog_count(catalog, STEER_STEERED);
    const struct steer_object **list = steer_catalog_list(catalog, STEER_STEERED);
    char text[STEER_NAME_TEXT_MAX];
    uint32_t known;
    for (size_t i = 0; i < count; i++) {
        steer_name_format(list[i]->steered.owner.octets, text);
        if (!steer_map_get(&s->owners, text, &known))
            steer_map_put(&s->owners, text, (uint32_t)s->own_count++);
    }
    free(list);
}

// The steered owner that answers for a name: itself, or the nearest wildcard.
static bool owner_of(const struct sample *s, const struct steer_name *name, uint32_t *owner)
{
    char text[STEER_NAME_TEXT_MAX + 2];
    const uint8_t *at = name->octets;
    if (steer_map_get(&s->owners, steer_name_format(at, text), owner))
        return true;
    while (*at) {
        at += *at + 1;
        memcpy(text, "*.", 2);
        steer_name_format(at, text + 2);
        if (steer_map_get(&s->owners, *at ? text : "*.", owner))
            return true;
    }
    return false;
}

static void sample_init(struct sample *s, const struct steer_plan *plan,
                        const struct steer_plan_how *how)
{
    uint32_t owner;
    *s = (struct sample){0};
    if (!how->asked)
        return;
    add_owners(s, plan->before);
    add_owners(s, plan->after);
    s->own = steer_calloc(s->own_count, sizeof *s->own);
    for (size_t i = 0; i < how->asked_count; i++) {
        add_asker(&s->all, &how->asked[i]);
        if (owner_of(s, &how->asked[i].name, &owner))
            add_asker(&s->own[owner], &how->asked[i]);
    }
}

static void askers_fini(struct askers *askers)
{
    steer_population_fini(&askers->population);
    free(askers->items);
    *askers = (struct askers){0};
}

static void sample_fini(struct sample *s)
{
    for (size_t i = 0; i < s->own_count && s->own; i++)
        askers_fini(&s->own[i]);
    askers_fini(&s->all);
    steer_map_fini(&s->owners);
    free(s->own);
}

static struct askers *askers_of(struct sample *s, const struct steer_object *steered)
{
    char text[STEER_NAME_TEXT_MAX];
    uint32_t owner;
    steer_name_format(steered->steered.owner.octets, text);
    struct askers *own = steer_map_get(&s->owners, text, &owner) ? &s->own[owner] : NULL;
    return own && own->queries >= OWN_QUERIES_MIN ? own : &s->all;
}

static const struct steer_population *population_of(struct askers *askers,
                                                    const struct steer_geo *geo)
{
    if (!askers->counted)
        steer_population_of_askers(&askers->population, geo, askers->items, askers->count);
    askers->counted = true;
    return &askers->population;
}

// ---- working it out ------------------------------------------------------------------------------

struct work {
    const struct steer_plan *plan;
    const struct steer_plan_how *how;
    struct steer_impact *impact;
    struct sample sample;
    bool brief;
    struct steer_buf *out;
};

static void put_json(struct steer_buf *out, json_t *json)
{
    enum { DIGITS = 12 };
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS));
    steer_buf_puts(out, text ? text : "null");
    free(text);
    json_decref(json);
}

static void note_askers(const struct work *w, const struct askers *askers, json_t *record)
{
    if (w->how->asked)
        json_object_set_new(record, "asked",
                            json_pack("{s:I,s:s}", "queries", (json_int_t)askers->queries, "names",
                                      askers == &w->sample.all ? "all" : "own"));
}

// Each record is written down at once: what a plan of many needs is its text.
static enum steer_err plan_record(struct work *w, const char *name, bool first,
                                  struct steer_diag *diag)
{
    const struct steer_plan *plan = w->plan;
    const struct steer_impact_side before = {plan->before,
                                             steer_catalog_get(plan->before, STEER_STEERED, name)};
    const struct steer_impact_side after = {plan->after,
                                            steer_catalog_get(plan->after, STEER_STEERED, name)};
    struct steer_impact_how how = {w->how->all, w->brief, NULL};
    struct askers *askers = NULL;
    json_t *record;
    if (w->how->asked) {
        askers = askers_of(&w->sample, after.steered ? after.steered : before.steered);
        how.askers = population_of(askers, plan->geo);
    }
    enum steer_err err = steer_impact_of(w->impact, &before, &after, &how, &record, diag);
    if (err != STEER_OK)
        return err;
    note_askers(w, askers, record);
    json_object_set_new(record, "change", json_string(change_of(&before, &after)));
    steer_buf_puts(w->out, first ? "" : ",");
    put_json(w->out, record);
    return STEER_OK;
}

// In order, without those that are in neither catalogue.
static const char **names_of(const struct steer_plan *plan, size_t *count)
{
    const char **names = steer_calloc(plan->records.used, sizeof(char *));
    size_t at = 0;
    *count = 0;
    for (const char *name; steer_map_next(&plan->records, &at, &name, NULL);)
        if (steer_catalog_get(plan->before, STEER_STEERED, name) ||
            steer_catalog_get(plan->after, STEER_STEERED, name))
            names[(*count)++] = name;
    if (*count)
        qsort(names, *count, sizeof(char *), by_text);
    return names;
}

static void put_head(struct work *w)
{
    json_t *population = json_pack("{s:s}", "of", w->how->asked ? "queries" : "addresses");
    if (w->how->asked)
        json_object_set_new(population, "queries", json_integer((json_int_t)w->sample.all.queries));
    steer_buf_puts(w->out, "\"assertions\":");
    put_json(w->out, json_incref(w->plan->assertions));
    steer_buf_puts(w->out, ",\"population\":");
    put_json(w->out, population);
    steer_buf_printf(w->out, ",\"brief\":%s,\"records\":[", w->brief ? "true" : "false");
}

enum steer_err steer_plan_run(const struct steer_plan *plan, const struct steer_plan_how *how,
                              struct steer_buf *out, struct steer_diag *diag)
{
    struct steer_vitals_view view;
    size_t count;
    const char **names = names_of(plan, &count);
    struct work w = {
        .plan = plan, .how = how, .out = out, .brief = !how->all && count > RECORDS_IN_FULL};
    enum steer_err err = STEER_OK;
    steer_vitals_view_init(&view, plan->vitals, plan->after);
    w.impact = steer_impact_create(plan->geo, &view.view);
    sample_init(&w.sample, plan, how);
    put_head(&w);
    for (size_t i = 0; i < count && err == STEER_OK; i++)
        err = plan_record(&w, names[i], i == 0, diag);
    steer_buf_puts(out, "]");
    steer_impact_destroy(w.impact);
    sample_fini(&w.sample);
    free(names);
    return err;
}
