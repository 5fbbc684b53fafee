// SPDX-License-Identifier: GPL-3.0-or-later
// A plan: what a prepared link would do, worked out from what it leaves behind when it is aborted. Holds references
// only, so that the work may be done on another thread while control goes on.
#include <stdlib.h>
#include <string.h>

#include "linker_internal.h"
#include "steerd/base/mem.h"
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

struct steer_plan *steer_link_plan(const struct steer_link *link, bool all)
{
    struct steer_plan *plan = steer_calloc(1, sizeof *plan);
    const struct steer_vitals *vitals = link->linker->vitals;
    plan->before = steer_catalog_ref(link->linker->catalog);
    plan->after = steer_catalog_ref(link->catalog);
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

// ---- working it out ------------------------------------------------------------------------------

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

static enum steer_err plan_record(const struct steer_plan *plan, struct steer_impact *impact,
                                  const char *name, const struct steer_impact_how *how,
                                  json_t *list, struct steer_diag *diag)
{
    const struct steer_impact_side before = {plan->before,
                                             steer_catalog_get(plan->before, STEER_STEERED, name)};
    const struct steer_impact_side after = {plan->after,
                                            steer_catalog_get(plan->after, STEER_STEERED, name)};
    json_t *record;
    if (!before.steered && !after.steered)
        return STEER_OK;
    enum steer_err err = steer_impact_of(impact, &before, &after, how, &record, diag);
    if (err != STEER_OK)
        return err;
    json_object_set_new(record, "change", json_string(change_of(&before, &after)));
    json_array_append_new(list, record);
    return STEER_OK;
}

enum steer_err steer_plan_run(const struct steer_plan *plan, bool all, json_t **out,
                              struct steer_diag *diag)
{
    struct steer_vitals_view view;
    steer_vitals_view_init(&view, plan->vitals, plan->after);
    struct steer_impact *impact = steer_impact_create(plan->geo, &view.view);
    const char **names = steer_calloc(plan->records.used, sizeof(char *));
    json_t *list = json_array();
    size_t count = 0, at = 0;
    enum steer_err err = STEER_OK;
    for (const char *name; steer_map_next(&plan->records, &at, &name, NULL);)
        names[count++] = name;
    if (count)
        qsort(names, count, sizeof(char *), by_text);
    const bool brief = !all && count > RECORDS_IN_FULL;
    const struct steer_impact_how how = {all, brief, NULL};
    for (size_t i = 0; i < count && err == STEER_OK; i++)
        err = plan_record(plan, impact, names[i], &how, list, diag);
    free(names);
    steer_impact_destroy(impact);
    if (err != STEER_OK) {
        json_decref(list);
        return err;
    }
    *out =
        json_pack("{s:O,s:b,s:o}", "assertions", plan->assertions, "brief", brief, "records", list);
    return STEER_OK;
}
