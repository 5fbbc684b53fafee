// SPDX-License-Identifier: GPL-3.0-or-later
// How a link ends: prepared and published whole, or undone without a trace.
#include <stdlib.h>

#include "linker_internal.h"
#include "steerd/base/mem.h"

// ---- prepare -------------------------------------------------------------------------------------

// What the journal says was put or removed in the catalogue. The array is the caller's, the names the
// journal's.
static struct steer_change *changes_of(const struct steer_link *link, size_t *count)
{
    struct steer_change *changes = steer_calloc(link->journal_count, sizeof *changes);
    *count = 0;
    for (size_t i = 0; i < link->journal_count; i++) {
        const struct steer_journal_entry *e = &link->journal[i];
        if (e->kind == STEER_J_OBJECT || e->kind == STEER_J_STEERED)
            changes[(*count)++] = (struct steer_change){e->object->kind, e->object->name};
        else if (e->kind == STEER_J_OBJECT_GONE)
            changes[(*count)++] = (struct steer_change){e->kind_of, e->name};
        else if (e->kind == STEER_J_STEERED_GONE)
            changes[(*count)++] = (struct steer_change){STEER_STEERED, e->name};
    }
    return changes;
}

static void touch_reached(void *ctx, enum steer_kind kind, const char *name)
{
    struct steer_link *link = ctx;
    if (kind == STEER_STEERED && steer_catalog_get(link->catalog, kind, name))
        steer_map_put(&link->touched, name, 1);
    if (kind == STEER_ASSERTION && steer_catalog_get(link->catalog, kind, name))
        steer_map_put(&link->reached, name, 1);
}

// Touches the records that the changes reach, and checks what they reach; all of it when loading.
static enum steer_err check_catalog(struct steer_link *link, struct steer_diag *diag)
{
    struct steer_references *references = link->linker->references;
    size_t count;
    if (link->loading)
        return steer_catalog_check(link->catalog, diag);
    struct steer_change *changes = changes_of(link, &count);
    steer_references_reach(references, changes, count, touch_reached, link);
    enum steer_err err =
        steer_catalog_check_changes(link->catalog, references, changes, count, diag);
    free(changes);
    return err;
}

// A position that traffic is at must not vanish with an edit: somebody has to say where it goes.
static enum steer_err check_positions(const struct steer_link *link, struct steer_diag *diag)
{
    const struct steer_linker *l = link->linker;
    for (size_t i = 0; i < link->journal_count && !link->loading; i++) {
        const struct steer_journal_entry *e = &link->journal[i];
        if (e->kind != STEER_J_OBJECT || e->kind_of != STEER_SWITCH)
            continue;
        const struct steer_object *before =
            steer_catalog_get(l->catalog, STEER_SWITCH, e->object->name);
        if (!before)
            continue;
        const struct steer_switch *after = &e->object->control_switch;
        const char *at = before->control_switch.positions[steer_vitals_position(l->vitals, before)];
        if (steer_switch_position(after, at) == after->position_count)
            return steer_diag_at(diag, e->object->file, e->object->at.line, e->object->at.column,
                                 "switch '%s' stands at '%s', which is not among its positions any "
                                 "more; set it to another one first",
                                 e->object->name, at);
    }
    return STEER_OK;
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// The serial that a changed zone is to have. A document leaves the choice to us, with 0. A file keeps
// its own way of counting: a new zone its serial, a replaced one that or the next.
static uint32_t next_serial(const struct open_zone *z, uint32_t given, uint32_t now)
{
    const uint32_t old = z->before ? z->before->serial : 0;
    if (z->before ? given && steer_serial_is_above(given, old) : given || z->imported)
        return given;
    return !z->imported && steer_serial_is_above(now, old) ? now : old + 1;
}

static enum steer_err raise_serial(struct steer_link *link, struct open_zone *z, uint32_t now,
                                   struct steer_diag *diag)
{
    const struct steer_zone_node *apex = steer_zone_edit_find(z->edit, z->origin.octets);
    const struct steer_rrset *soa = apex ? steer_zone_node_rrset(apex, STEER_TYPE_SOA) : NULL;
    struct steer_rr_view rr;
    size_t at = 0;
    if (!soa || !steer_rrset_next(apex, soa, &at, &rr) || rr.rdata_len < 22)
        return STEER_OK; // the check of the zone says so
    const uint32_t given = get_u32(rr.rdata + rr.rdata_len - 20);
    const uint32_t next = next_serial(z, given, now);
    const uint32_t ttl_s = soa->ttl_s;
    if (next == given)
        return STEER_OK;
    struct steer_buf packed = {0};
    steer_buf_u16(&packed, rr.rdata_len);
    steer_buf_add(&packed, rr.rdata, rr.rdata_len - 20u);
    steer_buf_u32(&packed, next);
    steer_buf_add(&packed, rr.rdata + rr.rdata_len - 16, 16);
    // Of a zone that is journalled whole, its SOA needs no entry of its own.
    enum steer_err err =
        z->imported ? steer_zone_put_packed(z->edit, z->origin.octets, STEER_TYPE_SOA, ttl_s,
                                            (uint8_t *)packed.data, packed.len, diag)
                    : steer_link_put_rrset(link, &z->origin, &z->origin, STEER_TYPE_SOA, ttl_s,
                                           (uint8_t *)packed.data, packed.len, diag);
    steer_buf_fini(&packed);
    return err;
}

static enum steer_err check_zone(struct steer_link *link, struct open_zone *z, uint32_t now,
                                 struct steer_diag *diag)
{
    enum steer_err err = link->loading ? STEER_OK : raise_serial(link, z, now, diag);
    return err == STEER_OK ? steer_zone_check(z->edit, diag) : err;
}

static enum steer_err check_zones(struct steer_link *link, uint64_t now_unix_s,
                                  struct steer_diag *diag)
{
    for (size_t i = 0; i < link->zone_count; i++) {
        struct open_zone *z = link->zones[i];
        linker_pause(link->linker);
        if (z->edit && !z->changed) { // it was only looked at
            steer_zone_abort(z->edit);
            z->edit = NULL;
        }
        enum steer_err err = z->edit ? check_zone(link, z, (uint32_t)now_unix_s, diag) : STEER_OK;
        if (err != STEER_OK)
            return err;
    }
    for (size_t i = 0; i < link->journal_count; i++) {
        struct steer_journal_entry *e = &link->journal[i];
        if (e->kind == STEER_J_ZONE_CONTENT)
            e->zone = steer_link_zone_after(link, &e->origin);
    }
    return STEER_OK;
}

enum steer_err steer_link_prepare(struct steer_link *link, uint64_t now_unix_s,
                                  struct steer_diag *diag)
{
    enum steer_err err = check_catalog(link, diag);
    if (err == STEER_OK)
        err = check_positions(link, diag);
    if (err == STEER_OK)
        err = link_compile(link, diag);
    if (err == STEER_OK)
        err = link_judge(link, diag);
    if (err == STEER_OK)
        err = check_zones(link, now_unix_s, diag);
    return err;
}

// ---- commit and abort ----------------------------------------------------------------------------

static void put_zones(struct steer_link *link, struct steer_world_edit *edit)
{
    for (size_t i = 0; i < link->zone_count; i++) {
        struct open_zone *z = link->zones[i];
        struct steer_zone *after;
        if (z->removed && z->before)
            steer_world_remove_zone(edit, z->before->hash, z->origin.octets);
        if (!z->edit)
            continue;
        // It was checked, and nothing was put since: finishing cannot fail.
        enum steer_err err =
            steer_zone_finish(z->edit, &after, steer_world_edit_retired(edit), NULL);
        if (err != STEER_OK)
            abort();
        z->edit = NULL;
        if (z->afresh)
            steer_world_replace_zone(edit, after);
        else
            steer_world_put_zone(edit, after);
    }
}

// Programs that the new world no longer names; their cells are released once no reader is left.
struct old_programs {
    struct steer_program **items;
    size_t count, cap;
};

static void keep_old(struct old_programs *old, const struct steer_world *world, uint32_t id)
{
    if (id / STEER_PROGRAM_CHUNK >= world->program_chunks || !steer_world_program(world, id))
        return;
    const struct steer_program *p = steer_world_program(world, id);
    size_t bytes = sizeof *p + (size_t)p->type_count * p->class_count * sizeof p->cells[0];
    old->items = steer_grow(old->items, &old->cap, old->count + 1, sizeof(struct steer_program *));
    old->items[old->count++] = steer_memdup(p, bytes);
}

static void put_programs(struct steer_link *link, struct steer_world_edit *edit,
                         struct old_programs *old)
{
    struct steer_linker *l = link->linker;
    const struct steer_world *world = steer_linker_world(l);
    size_t at = 0;
    const char *name;
    uint32_t id;
    for (size_t i = 0; i < link->made_count; i++) {
        keep_old(old, world, link->made[i].id);
        steer_world_put_program(edit, link->made[i].id, link->made[i].program);
        if (link->made[i].ranked_first)
            steer_map_put(&l->cut_rankings, link->made[i].name, link->made[i].ranked_first);
        else
            steer_map_remove(&l->cut_rankings, link->made[i].name);
    }
    while (steer_map_next(&link->new_programs, &at, &name, &id)) {
        if (steer_catalog_get(link->catalog, STEER_STEERED, name))
            steer_map_put(&l->programs, name, id);
        else // it went again in the same change
            linker_give_program_id(l, id);
    }
    at = 0;
    while (steer_map_next(&link->gone_programs, &at, &name, &id)) {
        keep_old(old, world, id);
        steer_world_put_program(edit, id, NULL);
        steer_map_remove(&l->programs, name);
        steer_map_remove(&l->cut_rankings, name);
        linker_give_program_id(l, id);
    }
}

static void journal_fini(struct steer_link *link)
{
    for (size_t i = 0; i < link->journal_count; i++) {
        struct steer_journal_entry *e = &link->journal[i];
        steer_object_unref(e->object);
        free(e->name);
        free(e->packed);
    }
    free(link->journal);
}

static void link_free(struct steer_link *link)
{
    link_judge_fini(link);
    journal_fini(link);
    for (size_t i = 0; i < link->zone_count; i++)
        free(link->zones[i]);
    for (size_t i = 0; i < link->refreshed_count; i++)
        free(link->refreshed[i].name);
    free(link->zones);
    free(link->refreshed);
    free(link->made);
    free(link->advice);
    steer_map_fini(&link->zone_index);
    steer_map_fini(&link->touched);
    steer_map_fini(&link->new_programs);
    steer_map_fini(&link->gone_programs);
    steer_catalog_unref(link->catalog);
    steer_geo_unref(link->geo);
    free(link);
}

// False when all is as before: a document that was applied again.
static bool has_changes(const struct steer_link *link)
{
    return link->loading || link->journal_count || link->made_count;
}

static void publish(struct steer_link *link, struct old_programs *old)
{
    struct steer_linker *l = link->linker;
    struct steer_retired retired = {0};
    struct steer_world_edit *edit = steer_world_edit(steer_publisher_current(l->publisher));
    put_programs(link, edit, old);
    put_zones(link, edit);
    struct steer_world *next = steer_world_finish(edit, &retired);
    steer_publish(l->publisher, next, &retired);
    free(retired.blocks);
}

static void follow_references(struct steer_link *link)
{
    struct steer_linker *l = link->linker;
    if (link->loading) {
        steer_references_destroy(l->references);
        l->references = steer_references_create(link->catalog);
        return;
    }
    size_t count;
    struct steer_change *changes = changes_of(link, &count);
    for (size_t i = 0; i < count; i++) {
        const struct steer_object *object =
            steer_catalog_get(link->catalog, changes[i].kind, changes[i].name);
        if (object)
            steer_references_put(l->references, object);
        else
            steer_references_remove(l->references, changes[i].kind, changes[i].name);
    }
    free(changes);
}

static void adopt(struct steer_link *link)
{
    struct steer_linker *l = link->linker;
    follow_references(link);
    steer_catalog_unref(l->catalog);
    l->catalog = steer_catalog_ref(link->catalog);
    steer_geo_unref(l->geo);
    l->geo = steer_geo_ref(link->geo);
    steer_vitals_view_init(&l->view, l->vitals, l->catalog);
    for (size_t i = 0; i < link->journal_count; i++)
        if (link->journal[i].kind == STEER_J_OBJECT_GONE &&
            link->journal[i].kind_of == STEER_SWITCH)
            steer_vitals_forget_switch(l->vitals, link->journal[i].name);
    l->open = NULL;
}

// Cells are shared by equal residuals: those that were there already still speak of the checks as
// they were, and of health as the old catalogue saw it.
static void refresh(const struct steer_link *link)
{
    for (size_t i = 0; i < link->journal_count; i++) {
        const struct steer_journal_entry *e = &link->journal[i];
        if (e->kind == STEER_J_OBJECT && e->kind_of == STEER_CHECK)
            steer_linker_refresh(link->linker, STEER_CHECK, e->object->name);
    }
    const char **endpoints = steer_calloc(link->refreshed_count, sizeof(char *));
    size_t count = 0;
    for (size_t i = 0; i < link->refreshed_count; i++) {
        const struct refreshed *r = &link->refreshed[i];
        if (r->kind == STEER_ENDPOINT && r->name)
            endpoints[count++] = r->name;
        else
            steer_linker_refresh(link->linker, r->kind, r->name);
    }
    if (count)
        steer_linker_refresh_endpoints(link->linker, endpoints, count);
    free(endpoints);
}

static void release_old(struct steer_linker *l, struct old_programs *old)
{
    if (old->count)
        steer_publisher_synchronize(l->publisher);
    for (size_t i = 0; i < old->count; i++) {
        link_release_program(l, old->items[i]);
        free(old->items[i]);
    }
    free(old->items);
    linker_reclaim(l);
}

void steer_link_commit(struct steer_link *link)
{
    struct old_programs old = {0};
    if (has_changes(link))
        publish(link, &old);
    adopt(link);
    refresh(link);
    release_old(link->linker, &old);
    link_free(link);
}

void steer_link_abort(struct steer_link *link)
{
    if (!link)
        return;
    struct steer_linker *l = link->linker;
    for (size_t i = 0; i < link->zone_count; i++)
        steer_zone_abort(link->zones[i]->edit);
    for (size_t i = 0; i < link->made_count; i++) {
        link_release_program(l, link->made[i].program);
        free(link->made[i].program);
    }
    size_t at = 0;
    const char *name;
    uint32_t id;
    while (steer_map_next(&link->new_programs, &at, &name, &id))
        linker_give_program_id(l, id);
    l->open = NULL;
    linker_reclaim(l);
    link_free(link);
}
