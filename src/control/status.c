// SPDX-License-Identifier: GPL-3.0-or-later
// Looking: status, figures.
#include <stdlib.h>
#include <string.h>

#include "control_internal.h"
#include "steerd/base/clock.h"
#include "steerd/base/mem.h"
#include "steerd/rr/type.h"

json_t *control_text(const char *text)
{
    json_t *string = json_string(text);
    if (string)
        return string;
    char *ascii = steer_strdup(text);
    for (char *c = ascii; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    string = json_string(ascii);
    free(ascii);
    return string;
}

static json_t *when(uint64_t unix_s)
{
    char text[32];
    return unix_s ? json_string(steer_time_format(unix_s, text, sizeof text)) : json_null();
}

static json_t *check_json(const struct steer_vital *v)
{
    return json_pack("{s:s,s:s,s:o,s:o,s:s,s:i,s:b}", "check", v->check, "verdict",
                     steer_verdict_text(v->state.verdict), "since", when(v->state.since_unix_s),
                     "last", when(v->state.last_unix_s), "reason", v->state.reason, "streak",
                     (int)v->state.streak, "restored", v->state.restored);
}

static json_t *override_json(const struct steer_control *c, const struct steer_object *o)
{
    const struct steer_override *found = steer_vitals_get_override(c->vitals, "endpoint", o->name);
    if (!found && o->endpoint.site)
        found = steer_vitals_get_override(c->vitals, "site", o->endpoint.site);
    if (!found)
        return json_null();
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:o}", "on", found->kind, "name", found->target, "state",
                     steer_forced_text(found->state), "reason", found->reason, "owner",
                     found->owner, "expires", when(found->expires_unix_s));
}

uint64_t control_earlier_answers_end(const struct steer_control *c)
{
    const struct steer_catalog *catalog = steer_linker_catalog(c->linker);
    const struct steer_object **list = steer_catalog_list(catalog, STEER_STEERED);
    size_t count = steer_catalog_count(catalog, STEER_STEERED);
    uint64_t longest_s = 0;
    for (size_t i = 0; i < count; i++)
        if (list[i]->steered.ttl_s > longest_s)
            longest_s = list[i]->steered.ttl_s;
    free(list);
    return count ? c->started_unix_s + 1 + longest_s : 0; // the start was rounded down
}

// From then on no client uses the endpoint by an answer of this server. What was given before the start
// is not known, so that the longest TTL counts.
static json_t *last_given_expires(const struct steer_control *c, const struct steer_object *o)
{
    uint64_t given = steer_cells_expiry(steer_linker_cells(c->linker), o);
    return when(given > c->earlier_end_unix_s ? given : c->earlier_end_unix_s);
}

static json_t *endpoint_json(const struct steer_control *c, const struct steer_object *o)
{
    const struct steer_endpoint *e = &o->endpoint;
    char text[STEER_NAME_TEXT_MAX];
    json_t *checks = json_array();
    for (uint32_t i = 0; i < e->check_count; i++) {
        const struct steer_vital *v = steer_vitals_find(c->vitals, o->name, e->checks[i]);
        if (v)
            json_array_append_new(checks, check_json(v));
    }
    json_t *out =
        json_pack("{s:s,s:s,s:o,s:o,s:o}", "name", o->name, "state",
                  steer_vitals_state(steer_linker_view(c->linker), o), "checks", checks, "override",
                  override_json(c, o), "last_given_expires", last_given_expires(c, o));
    json_object_set_new(out, "site", e->site ? json_string(e->site) : json_null());
    if (e->has_v4)
        json_object_set_new(out, "ipv4", json_string(steer_addr_format(&e->v4, text, sizeof text)));
    if (e->has_v6)
        json_object_set_new(out, "ipv6", json_string(steer_addr_format(&e->v6, text, sizeof text)));
    if (e->more_count) {
        json_t *more = json_array();
        for (uint32_t i = 0; i < e->more_count; i++)
            json_array_append_new(more,
                                  json_string(steer_addr_format(&e->more[i], text, sizeof text)));
        json_object_set_new(out, "more_addresses", more);
    }
    if (e->has_hostname)
        json_object_set_new(out, "hostname",
                            json_string(steer_name_format(e->hostname.octets, text)));
    return out;
}

static json_t *endpoints_json(const struct steer_control *c)
{
    const struct steer_catalog *catalog = steer_linker_catalog(c->linker);
    const struct steer_object **list = steer_catalog_list(catalog, STEER_ENDPOINT);
    size_t count = steer_catalog_count(catalog, STEER_ENDPOINT);
    json_t *out = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(out, endpoint_json(c, list[i]));
    free(list);
    return out;
}

static json_t *geo_json(const struct steer_control *c)
{
    const struct steer_geo *geo = steer_linker_geo(c->linker);
    json_t *out = json_array();
    for (size_t i = 0; i < steer_geo_file_count(geo); i++) {
        const struct steer_geo_file *f = steer_geo_file_at(geo, i);
        json_array_append_new(out, json_pack("{s:s,s:s,s:o,s:I}", "file", f->path, "type", f->type,
                                             "built", when(f->built_unix_s), "networks",
                                             (json_int_t)f->networks));
    }
    return out;
}

static json_t *cut_rankings_json(const struct steer_control *c)
{
    json_t *out = json_array();
    size_t at = 0;
    const char *name;
    uint32_t first;
    while (steer_map_next(steer_linker_cut_rankings(c->linker), &at, &name, &first))
        json_array_append_new(
            out, json_pack("{s:s,s:I}", "record", name, "in_order", (json_int_t)first));
    return out;
}

static json_t *prober_json(struct steer_control *c)
{
    struct steer_prober_stats s = {0};
    if (!c->prober)
        return json_null();
    steer_prober_stats(c->prober, &s);
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "targets", (json_int_t)s.targets, "in_flight",
                     (json_int_t)s.in_flight, "started", (json_int_t)s.started, "passed",
                     (json_int_t)s.passed, "failed", (json_int_t)s.failed, "late",
                     (json_int_t)s.late);
}

struct sums {
    uint64_t names, records;
};

static bool add_zone(void *ctx, const void *item)
{
    struct sums *sums = ctx;
    const struct steer_zone *zone = item;
    sums->names += zone->names.count;
    sums->records += zone->record_count;
    return true;
}

static void fill_stats(struct steer_control *c, struct steer_control_stats *s)
{
    const struct steer_world *world = steer_linker_world(c->linker);
    const struct steer_catalog *catalog = steer_linker_catalog(c->linker);
    struct steer_cells_stats cells;
    struct sums sums = {0};
    const struct steer_linker_maps maps = steer_linker_maps(c->linker);
    memset(s, 0, sizeof *s);
    steer_cells_stats(steer_linker_cells(c->linker), &cells);
    steer_trie_each(&world->zones, add_zone, &sums);
    s->classmaps = maps.tables;
    s->classes = maps.classes;
    s->world_version = world->version;
    s->zones = world->zones.count;
    s->names = sums.names;
    s->records = sums.records;
    s->steered = steer_catalog_count(catalog, STEER_STEERED);
    s->endpoints = steer_catalog_count(catalog, STEER_ENDPOINT);
    s->cells = cells.cells;
    s->cells_served_all = cells.served_all;
    s->cells_exhausted = cells.exhausted;
    s->table_bytes = cells.bytes + maps.bytes;
    s->edits = c->edits;
    s->edits_refused = c->edits_refused;
    s->verdict_changes = c->verdict_changes;
    s->last_commit_ns = steer_store_commit_ns(c->store);
    s->last_build_ns = c->last_build_ns;
    s->overrides = steer_vitals_override_count(c->vitals);
    s->rehearsals = steer_rehearsals_count(steer_catalog_rehearsals(catalog));
    if (c->prober)
        steer_prober_stats(c->prober, &s->prober);
    const struct steer_object **list = steer_catalog_list(catalog, STEER_ENDPOINT);
    for (size_t i = 0; i < s->endpoints; i++) {
        const char *state = steer_vitals_state(steer_linker_view(c->linker), list[i]);
        s->endpoints_up += strcmp(state, "up") == 0;
        s->endpoints_down += strcmp(state, "down") == 0;
        s->endpoints_drained += strcmp(state, "drained") == 0;
    }
    free(list);
}

static enum steer_err run_status(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    struct steer_control_stats s;
    uint64_t now = steer_clock_unix_s();
    (void)diag;
    fill_stats(c, &s);
    *(json_t **)arg = json_pack(
        "{s:s,s:I,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:o,s:{s:f,s:f}}",
        "steerd", STEER_VERSION, "version", (json_int_t)s.world_version, "started",
        when(c->started_unix_s), "uptime_s", (json_int_t)(now - c->started_unix_s), "zones",
        (json_int_t)s.zones, "names", (json_int_t)s.names, "records", (json_int_t)s.records,
        "steered", (json_int_t)s.steered, "classmaps", (json_int_t)s.classmaps, "classes",
        (json_int_t)s.classes, "cells", (json_int_t)s.cells, "cells_served_all",
        (json_int_t)s.cells_served_all, "cells_exhausted", (json_int_t)s.cells_exhausted,
        "table_bytes", (json_int_t)s.table_bytes, "edits", (json_int_t)s.edits, "overrides",
        (json_int_t)s.overrides, "geo", geo_json(c), "endpoints", endpoints_json(c), "prober",
        prober_json(c), "store", "commit_ms", (double)s.last_commit_ns / 1e6, "build_ms",
        (double)s.last_build_ns / 1e6);
    json_object_set_new(*(json_t **)arg, "rehearsals", json_integer((json_int_t)s.rehearsals));
    json_object_set_new(*(json_t **)arg, "cut_rankings", cut_rankings_json(c));
    size_t more;
    json_object_set_new(*(json_t **)arg, "alarms", control_alarms_json(c, &more));
    json_object_set_new(*(json_t **)arg, "alarms_more", json_integer((json_int_t)more));
    json_object_set_new(*(json_t **)arg, "latency", control_measures_json(c));
    return STEER_OK;
}

enum steer_err steer_control_status(struct steer_control *c, json_t **status,
                                    struct steer_diag *diag)
{
    return control_call(c, run_status, status, diag);
}

// ---- figures -------------------------------------------------------------------------------------

static enum steer_err run_stats(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    (void)diag;
    fill_stats(c, arg);
    return STEER_OK;
}

void steer_control_stats(struct steer_control *c, struct steer_control_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    (void)!control_call(c, run_stats, stats, NULL);
}

struct each_job {
    void (*visit)(void *ctx, const char *name, const char *state);
    void *ctx;
};

static enum steer_err run_each(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    struct each_job *job = arg;
    const struct steer_catalog *catalog = steer_linker_catalog(c->linker);
    const struct steer_object **list = steer_catalog_list(catalog, STEER_ENDPOINT);
    size_t count = steer_catalog_count(catalog, STEER_ENDPOINT);
    (void)diag;
    for (size_t i = 0; i < count; i++)
        job->visit(job->ctx, list[i]->name,
                   steer_vitals_state(steer_linker_view(c->linker), list[i]));
    free(list);
    return STEER_OK;
}

void steer_control_each_endpoint(struct steer_control *c,
                                 void (*visit)(void *ctx, const char *name, const char *state),
                                 void *ctx)
{
    struct each_job job = {visit, ctx};
    (void)!control_call(c, run_each, &job, NULL);
}
