// SPDX-License-Identifier: GPL-3.0-or-later
// Importing and exporting zones. A file is read and built on the caller's thread; only the link and the
// commit run on control's.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "incoming.h"
#include "steerd/base/clock.h"
#include "steerd/base/hash.h"
#include "steerd/base/log.h"
#include "steerd/base/mem.h"
#include "steerd/rr/zonewriter.h"

enum { WARNINGS_MAX = 100 }; // of all zones of a list: beyond it nobody reads on

// Reads one zone; afterwards either build or diag is set.
static void read_zone(struct steer_control *c, struct incoming *in)
{
    if (steer_name_parse(in->source->origin, NULL, &in->origin, &in->diag) != STEER_OK) {
        incoming_refuse(in);
        return;
    }
    steer_name_lower(&in->origin);
    struct steer_world *world = steer_publisher_hold(steer_control_publisher(c));
    incoming_read(in, steer_world_zone(world, steer_name_hash(&in->origin), in->origin.octets));
    in->same_version = world->version;
    steer_publisher_release(steer_control_publisher(c), world);
}

// The warnings of zones, and how many are not listed.
static json_t *warnings_json(struct incoming *zones, size_t count)
{
    json_t *list = json_array();
    size_t more = 0;
    for (size_t i = 0; i < count; i++)
        if (zones[i].linked ||
            zones[i].unchanged) // of a zone that is refused, its error is what counts
            more += incoming_warnings(&zones[i], WARNINGS_MAX - json_array_size(list), list);
    if (more)
        json_array_append_new(list,
                              json_pack("{s:s,s:i,s:i,s:o}", "file", "", "line", 0, "column", 0,
                                        "message", json_sprintf("%zu more warnings", more)));
    return list;
}

struct import_job {
    struct incoming *zones;
    size_t count, loaded, unchanged;
    uint64_t records;
    const char *by;
    char subject[STEER_NAME_TEXT_MAX]; // for the audit
    size_t at;                         // left_out comes in the order of zones
};

// Compared when it was read, on the caller's thread, and here only when something has changed since.
static bool is_unchanged(struct steer_control *c, const struct incoming *in)
{
    const struct steer_world *world = steer_linker_world(c->linker);
    if (world->version == in->same_version)
        return in->same;
    return incoming_is_same(
        in, steer_world_zone(world, steer_name_hash(&in->origin), in->origin.octets));
}

static void note_unchanged(struct steer_control *c, struct import_job *job, struct incoming *in)
{
    const struct steer_zone *zone = steer_world_zone(
        steer_linker_world(c->linker), steer_name_hash(&in->origin), in->origin.octets);
    steer_zone_abort(in->build);
    in->build = NULL;
    in->unchanged = true;
    in->serial = zone->serial;
    in->records = zone->record_count;
    in->rrsets = zone->rrset_count - zone->steered_count;
    job->unchanged++;
    job->records += in->records;
}

// Puts each zone; one that its own faults refuse is left out.
static void link_zones(struct steer_control *c, struct import_job *job, struct steer_link *link)
{
    for (size_t i = 0; i < job->count; i++) {
        struct incoming *in = &job->zones[i];
        struct steer_zone_edit *build = in->build;
        control_take_results(c, false);
        if (!build)
            continue;
        if (is_unchanged(c, in)) {
            note_unchanged(c, job, in);
            continue;
        }
        in->build = NULL;
        in->linked = steer_link_replace_zone(link, &in->origin, build, &in->diag) == STEER_OK;
        if (in->linked)
            job->loaded++;
        else
            incoming_refuse(in);
    }
}

// The zone goes on counting from the serial that is in use (RFC 1982), whatever the file says.
static void warn_of_serial(struct incoming *in)
{
    char what[160];
    if (in->serial == in->file_serial)
        return;
    snprintf(what, sizeof what,
             "the file's serial %u is not above the one in use; the zone has %u now",
             in->file_serial, in->serial);
    in->remark_max = in->remark_count + 1; // this one must not go under
    incoming_warn(in, in->soa_line, in->soa_column, in->origin.octets, what);
}

static void note_figures(struct import_job *job, const struct steer_link *link)
{
    for (size_t i = 0; i < job->count; i++) {
        struct incoming *in = &job->zones[i];
        if (!in->linked)
            continue;
        const struct steer_zone *after = steer_link_zone_after(link, &in->origin);
        in->serial = after->serial;
        in->records = after->record_count;
        in->rrsets = after->rrset_count - after->steered_count;
        job->records += in->records;
        warn_of_serial(in);
    }
}

static void name_subject(struct import_job *job)
{
    if (job->count == 1)
        steer_name_format(job->zones[0].origin.octets, job->subject);
    else
        snprintf(job->subject, sizeof job->subject, "%zu zones", job->loaded);
}

// The store refused one zone of several.
static void left_out(void *ctx, const struct steer_name *origin, const struct steer_diag *why)
{
    struct import_job *job = ctx;
    struct incoming *in = &job->zones[job->at];
    while (!in->linked || !steer_name_equal(in->origin.octets, origin->octets))
        in = &job->zones[++job->at];
    in->linked = false;
    in->diag = *why;
    incoming_refuse(in);
    job->loaded--;
    job->records -= in->records;
    name_subject(job);
}

// With every zone left out there is nothing to commit.
static enum steer_err is_something_left(struct steer_control *c, void *ctx, struct steer_diag *diag)
{
    const struct import_job *job = ctx;
    (void)c;
    return job->loaded ? STEER_OK : steer_diag_set(diag, STEER_ECONFLICT, "no zone is left");
}

static enum steer_err run_import(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    struct import_job *job = arg;
    uint64_t begin = steer_clock_mono_ns();
    struct steer_link *link = steer_link_begin(c->linker);
    link_zones(c, job, link);
    if (!job->loaded) { // each has its own diag, or is as it was
        if (job->unchanged)
            steer_link_abort(link);
        else
            control_refuse(c, link);
        return STEER_OK;
    }
    enum steer_err err = control_prepare(c, link, begin, diag);
    if (err != STEER_OK)
        return err;
    note_figures(job, link);
    name_subject(job);
    const struct control_commit commit = {.by = job->by,
                                          .action = "zone import",
                                          .subject = job->subject,
                                          .extra = is_something_left,
                                          .ctx = job,
                                          .left_out = job->count > 1 ? left_out : NULL};
    err = control_commit(c, link, &commit, diag);
    if (!job->loaded)
        return STEER_OK;
    if (err == STEER_OK)
        steer_log(STEER_LOG_INFO, "control", "imported %s with %llu records in %.3f s",
                  job->subject, (unsigned long long)job->records,
                  (double)(steer_clock_mono_ns() - begin) / 1e9);
    return err;
}

enum steer_err steer_control_import(struct steer_control *c, const struct steer_control_zone *zone,
                                    const char *by, json_t **summary, struct steer_diag *diag)
{
    struct incoming in = {.source = zone, .remark_max = WARNINGS_MAX};
    struct import_job job = {.zones = &in, .count = 1, .by = by};
    char name[STEER_NAME_TEXT_MAX];
    enum steer_err err = STEER_EINVAL;
    read_zone(c, &in);
    if (in.build)
        err = control_call(c, run_import, &job, &in.diag);
    if (err == STEER_OK && !in.linked && !in.unchanged)
        err = STEER_EINVAL;
    if (err == STEER_OK)
        *summary = json_pack("{s:s,s:b,s:I,s:I,s:I,s:o}", "origin",
                             steer_name_format(in.origin.octets, name), "changed", in.linked,
                             "serial", (json_int_t)in.serial, "records", (json_int_t)in.records,
                             "rrsets", (json_int_t)in.rrsets, "warnings", warnings_json(&in, 1));
    else if (diag)
        *diag = in.diag;
    incoming_fini(&in);
    return err;
}

static json_t *many_json(const struct import_job *job, uint64_t ns)
{
    json_t *rejected = json_array();
    for (size_t i = 0; i < job->count; i++) {
        const struct incoming *in = &job->zones[i];
        char text[1400];
        if (in->linked || in->unchanged)
            continue;
        steer_diag_format(&in->diag, text, sizeof text);
        json_array_append_new(rejected,
                              json_pack("{s:o,s:o}", "origin", control_text(in->source->origin),
                                        "error", control_text(text)));
    }
    return json_pack("{s:I,s:I,s:o,s:I,s:o,s:f}", "loaded",
                     (json_int_t)(job->loaded + job->unchanged), "unchanged",
                     (json_int_t)job->unchanged, "rejected", rejected, "records",
                     (json_int_t)job->records, "warnings", warnings_json(job->zones, job->count),
                     "ms", (double)ns / 1e6);
}

// The second of two zones of one name is refused: which one should it be?
static void refuse_twice(struct import_job *job)
{
    struct steer_map seen = {0};
    for (size_t i = 0; i < job->count; i++) {
        struct incoming *in = &job->zones[i];
        char name[STEER_NAME_TEXT_MAX];
        if (!in->build)
            continue;
        steer_name_format(in->origin.octets, name);
        if (steer_map_get(&seen, name, NULL)) {
            steer_diag_set(&in->diag, STEER_EINVAL, "the zone is in the list twice");
            incoming_refuse(in);
        } else {
            steer_map_put(&seen, name, 1);
        }
    }
    steer_map_fini(&seen);
}

enum steer_err steer_control_import_many(struct steer_control *c,
                                         const struct steer_control_zone *zones, size_t count,
                                         const char *by, json_t **summary, struct steer_diag *diag)
{
    struct import_job job = {
        .zones = steer_calloc(count, sizeof *job.zones), .count = count, .by = by};
    uint64_t begin = steer_clock_mono_ns();
    size_t remarks = 0; // of zones that will be heard; the others' are counted
    for (size_t i = 0; i < count; i++) {
        struct incoming *in = &job.zones[i];
        in->source = &zones[i];
        in->remark_max = WARNINGS_MAX - remarks;
        read_zone(c, in);
        if (in->build)
            remarks += in->remark_count;
    }
    refuse_twice(&job);
    enum steer_err err = count ? control_call(c, run_import, &job, diag) : STEER_OK;
    if (err == STEER_OK)
        *summary = many_json(&job, steer_clock_mono_ns() - begin);
    for (size_t i = 0; i < count; i++)
        incoming_fini(&job.zones[i]);
    free(job.zones);
    return err;
}

// ---- export --------------------------------------------------------------------------------------

struct nodes {
    const struct steer_zone_node **items;
    size_t count, cap;
};

static bool collect(void *ctx, const struct steer_zone_node *node)
{
    struct nodes *n = ctx;
    n->items = steer_grow(n->items, &n->cap, n->count + 1, sizeof(struct steer_zone_node *));
    n->items[n->count++] = node;
    return true;
}

const struct steer_zone_node **control_sorted_nodes(const struct steer_zone *zone,
                                                    int (*order)(const void *, const void *),
                                                    size_t *count)
{
    struct nodes nodes = {0};
    steer_zone_each(zone, collect, &nodes);
    if (nodes.count)
        qsort(nodes.items, nodes.count, sizeof(struct steer_zone_node *), order);
    *count = nodes.count;
    return nodes.items;
}

static int canonical(const void *a, const void *b)
{
    const struct steer_zone_node *x = *(const struct steer_zone_node *const *)a;
    const struct steer_zone_node *y = *(const struct steer_zone_node *const *)b;
    return steer_name_compare(steer_zone_node_owner(x), steer_zone_node_owner(y));
}

static void write_rrset(struct steer_buf *out, const struct steer_zone_node *node,
                        const struct steer_rrset *set)
{
    const uint8_t *owner = steer_zone_node_owner(node);
    struct steer_rr_view rr;
    size_t at = 0;
    if (steer_rrset_is_steered(set)) {
        char name[STEER_NAME_TEXT_MAX];
        steer_buf_printf(out, "; %s %u is steered (%s); see `steerctl explain`\n",
                         steer_name_format(owner, name), set->ttl_s,
                         steer_steered_kind_text(steer_steered_of_type(set->type)));
        return;
    }
    while (steer_rrset_next(node, set, &at, &rr))
        steer_rr_format(owner, rr.ttl_s, STEER_CLASS_IN, set->type, rr.rdata, rr.rdata_len, out);
}

static void write_zone(struct steer_buf *out, const struct steer_zone *zone)
{
    size_t count;
    const struct steer_zone_node **nodes = control_sorted_nodes(zone, canonical, &count);
    const struct steer_rrset *soa = steer_zone_node_rrset(zone->apex, STEER_TYPE_SOA);
    if (soa)
        write_rrset(out, zone->apex, soa);
    for (size_t i = 0; i < count; i++)
        for (unsigned k = 0; k < nodes[i]->rrset_count; k++)
            if (&nodes[i]->rrsets[k] != soa)
                write_rrset(out, nodes[i], &nodes[i]->rrsets[k]);
    free(nodes);
}

enum steer_err steer_control_export(struct steer_control *c, const char *origin,
                                    struct steer_buf *out, struct steer_diag *diag)
{
    struct steer_name name;
    enum steer_err err = steer_name_parse(origin, NULL, &name, diag);
    if (err != STEER_OK)
        return err;
    steer_name_lower(&name);
    struct steer_world *world = steer_publisher_hold(steer_control_publisher(c));
    const struct steer_zone *zone = steer_world_zone(world, steer_name_hash(&name), name.octets);
    if (zone)
        write_zone(out, zone);
    else
        err = steer_diag_set(diag, STEER_ENOTFOUND, "there is no zone '%s'", origin);
    steer_publisher_release(steer_control_publisher(c), world);
    return err;
}

// ---- deleting and listing ------------------------------------------------------------------------

struct delete_job {
    struct steer_name origin;
    const char *by;
};

static enum steer_err run_delete(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    const struct delete_job *job = arg;
    const struct steer_name *origin = &job->origin;
    char name[STEER_NAME_TEXT_MAX];
    uint64_t begin = steer_clock_mono_ns();
    struct steer_link *link = steer_link_begin(c->linker);
    enum steer_err err = STEER_OK;
    steer_name_format(origin->octets, name);
    if (!steer_link_remove_zone(link, origin))
        err = steer_diag_set(diag, STEER_ENOTFOUND, "there is no zone '%s'", name);
    if (err != STEER_OK)
        control_refuse(c, link);
    else
        err = control_prepare(c, link, begin, diag);
    if (err != STEER_OK)
        return err;
    const struct control_commit commit = {.by = job->by, .action = "zone delete", .subject = name};
    return control_commit(c, link, &commit, diag);
}

enum steer_err steer_control_delete_zone(struct steer_control *c, const char *origin,
                                         const char *by, struct steer_diag *diag)
{
    struct delete_job job = {.by = by};
    enum steer_err err = steer_name_parse(origin, NULL, &job.origin, diag);
    if (err != STEER_OK)
        return err;
    steer_name_lower(&job.origin);
    return control_call(c, run_delete, &job, diag);
}

static bool list_zone(void *ctx, const void *item)
{
    const struct steer_zone *zone = item;
    char name[STEER_NAME_TEXT_MAX];
    json_array_append_new(
        ctx, json_pack("{s:s,s:I,s:I,s:I,s:I}", "origin",
                       steer_name_format(zone->origin.octets, name), "serial",
                       (json_int_t)zone->serial, "names", (json_int_t)zone->names.count, "records",
                       (json_int_t)zone->record_count, "steered", (json_int_t)zone->steered_count));
    return true;
}

enum steer_err steer_control_zones(struct steer_control *c, json_t **list, struct steer_diag *diag)
{
    (void)diag;
    struct steer_world *world = steer_publisher_hold(steer_control_publisher(c));
    *list = json_array();
    steer_trie_each(&world->zones, list_zone, *list);
    steer_publisher_release(steer_control_publisher(c), world);
    return STEER_OK;
}
