// SPDX-License-Identifier: GPL-3.0-or-later
// One change under way: what is put and removed, in the candidate catalogue, in zone edits and in the
// journal.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "linker_internal.h"
#include "steerd/base/mem.h"
#include "steerd/rr/type.h"

// ---- the journal ---------------------------------------------------------------------------------

struct steer_journal_entry *link_journal(struct steer_link *link, enum steer_journal_kind kind)
{
    link->journal = steer_grow(link->journal, &link->journal_cap, link->journal_count + 1,
                               sizeof *link->journal);
    struct steer_journal_entry *e = &link->journal[link->journal_count++];
    *e = (struct steer_journal_entry){.kind = kind};
    return e;
}

const struct steer_journal_entry *steer_link_journal(const struct steer_link *link, size_t *count)
{
    *count = link->journal_count;
    return link->journal;
}

// ---- objects -------------------------------------------------------------------------------------

struct steer_link *steer_link_begin(struct steer_linker *l)
{
    struct steer_link *link = steer_calloc(1, sizeof *link);
    assert(!l->open);
    link->linker = l;
    link->catalog = steer_catalog_clone(l->catalog);
    link->geo = steer_geo_ref(l->geo);
    steer_vitals_view_init(&link->view, l->vitals, link->catalog);
    l->open = link;
    return link;
}

const struct steer_catalog *steer_link_catalog(const struct steer_link *link)
{
    return link->catalog;
}

void steer_link_set_loading(struct steer_link *link)
{
    link->loading = true;
}

// The record is to be compiled.
static void touch(struct steer_link *link, const struct steer_object *steered)
{
    steer_map_put(&link->touched, steered->name, 1);
}

void steer_link_set_geo(struct steer_link *link, struct steer_geo *geo)
{
    size_t count = steer_catalog_count(link->catalog, STEER_STEERED);
    const struct steer_object **list = steer_catalog_list(link->catalog, STEER_STEERED);
    steer_geo_unref(link->geo);
    link->geo = steer_geo_ref(geo);
    for (size_t i = 0; i < count; i++)
        touch(link, list[i]);
    free(list);
}

static void touch_reached(void *ctx, enum steer_kind kind, const char *name)
{
    struct steer_link *link = ctx;
    const struct steer_object *steered =
        kind == STEER_STEERED ? steer_catalog_get(link->catalog, kind, name) : NULL;
    if (steered)
        touch(link, steered);
}

static void touch_users(void *ctx, enum steer_kind kind, const char *target)
{
    struct steer_link *link = ctx;
    steer_references_reach(link->linker->references, &(struct steer_change){kind, target}, 1,
                           touch_reached, link);
}

void steer_link_set_rehearsals(struct steer_link *link, const struct steer_rehearsals *set)
{
    if (!link->loading) { // then all is compiled anyway
        link->rehearsing = true;
        steer_rehearsals_differ(steer_catalog_rehearsals(link->catalog), set, touch_users, link);
    }
    steer_catalog_set_rehearsals(link->catalog, set);
}

// What was measured stays in force whatever else a document says of its table now. A reference.
static struct steer_object *with_frozen(const struct steer_link *link, struct steer_object *object)
{
    const struct steer_object *before =
        object->kind == STEER_LATENCY && object->measured && !object->frozen
            ? steer_catalog_get(link->catalog, STEER_LATENCY, object->name)
            : NULL;
    return before && before->frozen
               ? steer_object_freeze(object, before->frozen, before->frozen_number)
               : steer_object_ref(object);
}

void steer_link_put(struct steer_link *link, struct steer_object *given)
{
    struct steer_object *object = with_frozen(link, given);
    steer_catalog_put(link->catalog, object);
    if (!link->loading) {
        struct steer_journal_entry *e = link_journal(link, STEER_J_OBJECT);
        e->object = steer_object_ref(object);
        e->kind_of = object->kind;
    }
    steer_object_unref(object);
}

// What depends on it must not be there any more, or be put anew: the check of references sees to that.
bool steer_link_remove(struct steer_link *link, enum steer_kind kind, const char *name)
{
    if (!steer_catalog_get(link->catalog, kind, name))
        return false;
    struct steer_journal_entry *e = link_journal(link, STEER_J_OBJECT_GONE);
    e->kind_of = kind;
    e->name = steer_strdup(name);
    return steer_catalog_remove(link->catalog, kind, name);
}

// ---- zones ---------------------------------------------------------------------------------------

static struct open_zone *find_open(const struct steer_link *link, const struct steer_name *origin)
{
    char text[STEER_NAME_TEXT_MAX];
    uint32_t index;
    steer_name_format(origin->octets, text);
    return steer_map_get(&link->zone_index, text, &index) ? link->zones[index] : NULL;
}

static struct open_zone *add_open(struct steer_link *link, const struct steer_name *origin)
{
    char text[STEER_NAME_TEXT_MAX];
    struct open_zone *z = steer_calloc(1, sizeof *z);
    z->origin = *origin;
    z->before = linker_zone(link->linker, origin);
    link->zones =
        steer_grow(link->zones, &link->zone_cap, link->zone_count + 1, sizeof *link->zones);
    steer_map_put(&link->zone_index, steer_name_format(origin->octets, text),
                  (uint32_t)link->zone_count);
    link->zones[link->zone_count++] = z;
    return z;
}

struct open_zone *link_open_zone(struct steer_link *link, const struct steer_name *origin,
                                 bool make, const char *document)
{
    struct open_zone *z = find_open(link, origin);
    if (z && z->edit)
        return z;
    bool there = z ? z->before && !z->removed : linker_zone(link->linker, origin) != NULL;
    if (!there && !make)
        return NULL;
    if (!z)
        z = add_open(link, origin);
    z->edit = there ? steer_zone_edit(z->before) : steer_zone_build(origin);
    z->afresh = z->changed = !there;
    z->removed = false;
    if (!there && !link->loading) {
        struct steer_journal_entry *e = link_journal(link, STEER_J_ZONE);
        e->origin = *origin;
        e->name = steer_strdup(document ? document : "");
    }
    return z;
}

struct steer_zone_edit *steer_link_zone(struct steer_link *link, const struct steer_name *origin,
                                        const char *document)
{
    struct open_zone *z = link_open_zone(link, origin, true, document);
    z->changed = true;
    return z->edit;
}

bool steer_link_has_zone(const struct steer_link *link, const struct steer_name *origin)
{
    const struct open_zone *z = find_open(link, origin);
    if (!z)
        return linker_zone(link->linker, origin) != NULL;
    return z->edit || (z->before && !z->removed);
}

// A static RRset and a steered one of its type have one place in a zone, and two in the store: who comes
// removes the other one first.
static void remove_steered_rrset(struct steer_link *link, const struct steer_name *origin,
                                 const struct steer_name *owner, uint16_t type)
{
    char text[STEER_NAME_TEXT_MAX];
    char name[STEER_NAME_TEXT_MAX + 8];
    const enum steer_steered_kind kind = steer_steered_of_type(type);
    if (kind == STEER_STEERED_ADDRESS)
        return;
    snprintf(name, sizeof name, "%s %s", steer_name_format(owner->octets, text),
             steer_steered_kind_text(kind));
    const struct steer_object *there = steer_catalog_get(link->catalog, STEER_STEERED, name);
    if (there && steer_name_equal(there->steered.zone.octets, origin->octets))
        steer_link_remove_steered(link, name);
}

enum steer_err steer_link_put_rrset(struct steer_link *link, const struct steer_name *origin,
                                    const struct steer_name *owner, uint16_t type, uint32_t ttl_s,
                                    const uint8_t *packed, size_t packed_len,
                                    struct steer_diag *diag)
{
    struct open_zone *z = link_open_zone(link, origin, true, "");
    remove_steered_rrset(link, origin, owner, type);
    enum steer_err err =
        steer_zone_put_packed(z->edit, owner->octets, type, ttl_s, packed, packed_len, diag);
    if (err != STEER_OK)
        return err;
    z->changed = true;
    if (link->loading)
        return STEER_OK;
    struct steer_journal_entry *e = link_journal(link, STEER_J_RRSET);
    e->origin = *origin;
    e->owner = *owner;
    e->type = type;
    e->ttl_s = ttl_s;
    e->packed = steer_memdup(packed, packed_len);
    e->packed_len = packed_len;
    return STEER_OK;
}

bool steer_link_remove_rrset(struct steer_link *link, const struct steer_name *origin,
                             const struct steer_name *owner, uint16_t type)
{
    struct open_zone *z = link_open_zone(link, origin, false, NULL);
    const struct steer_zone_node *node = z ? steer_zone_edit_find(z->edit, owner->octets) : NULL;
    const struct steer_rrset *set = node ? steer_zone_node_rrset(node, type) : NULL;
    if (!set || steer_rrset_is_steered(set))
        return false;
    steer_zone_remove(z->edit, owner->octets, type);
    z->changed = true;
    struct steer_journal_entry *e = link_journal(link, STEER_J_RRSET_GONE);
    e->origin = *origin;
    e->owner = *owner;
    e->type = type;
    return true;
}

// ---- steered records -----------------------------------------------------------------------------

static enum steer_err program_id(struct steer_link *link, const char *name, uint32_t *id,
                                 struct steer_diag *diag)
{
    struct steer_linker *l = link->linker;
    if (steer_map_get(&link->new_programs, name, id) || steer_map_get(&l->programs, name, id))
        return STEER_OK;
    if (l->free_program_count)
        *id = l->free_programs[--l->free_program_count];
    else if (l->next_program < STEER_PROGRAMS_MAX)
        *id = l->next_program++;
    else
        return steer_diag_set(diag, STEER_ELIMIT, "more than %d steered records",
                              STEER_PROGRAMS_MAX);
    steer_map_put(&link->new_programs, name, *id);
    return STEER_OK;
}

// Gives a steered record its place in a zone.
static enum steer_err place_steered(struct steer_link *link, struct steer_zone_edit *edit,
                                    const struct steer_object *steered, struct steer_diag *diag)
{
    const struct steer_steered *s = &steered->steered;
    uint32_t id;
    enum steer_err err = program_id(link, steered->name, &id, diag);
    if (err == STEER_OK)
        err = steer_zone_put_steered(edit, s->owner.octets, steer_steered_type(s->kind), s->ttl_s,
                                     id, diag);
    return err;
}

enum steer_err steer_link_put_steered(struct steer_link *link, struct steer_object *steered,
                                      struct steer_diag *diag)
{
    const struct steer_name *zone = &steered->steered.zone;
    const struct steer_object *there =
        steer_catalog_get(link->catalog, STEER_STEERED, steered->name);
    // A name is steered in one zone only, also where one zone lies inside another.
    if (there && !steer_name_equal(there->steered.zone.octets, zone->octets))
        steer_link_remove_steered(link, steered->name);
    struct open_zone *z = link_open_zone(link, zone, true, steered->document);
    if (steered->steered.kind != STEER_STEERED_ADDRESS && !link->loading)
        steer_link_remove_rrset(link, zone, &steered->steered.owner,
                                steer_steered_type(steered->steered.kind));
    enum steer_err err = place_steered(link, z->edit, steered, diag);
    if (err != STEER_OK)
        return err;
    z->changed = true;
    steer_catalog_put(link->catalog, steered);
    touch(link, steered);
    steer_map_remove(&link->gone_programs, steered->name);
    if (!link->loading) {
        struct steer_journal_entry *e = link_journal(link, STEER_J_STEERED);
        e->origin = *zone;
        e->object = steer_object_ref(steered);
    }
    return STEER_OK;
}

// Forgets the record itself; its place in the zone is the caller's matter.
static void drop_steered(struct steer_link *link, const struct steer_object *steered)
{
    uint32_t id;
    if (steer_map_get(&link->linker->programs, steered->name, &id))
        steer_map_put(&link->gone_programs, steered->name, id);
    struct steer_journal_entry *e = link_journal(link, STEER_J_STEERED_GONE);
    e->origin = steered->steered.zone;
    e->name = steer_strdup(steered->name);
    steer_map_remove(&link->touched, steered->name);
    steer_catalog_remove(link->catalog, STEER_STEERED, e->name);
}

void steer_link_remove_steered(struct steer_link *link, const char *name)
{
    const struct steer_object *steered = steer_catalog_get(link->catalog, STEER_STEERED, name);
    if (!steered)
        return;
    struct open_zone *z = link_open_zone(link, &steered->steered.zone, false, NULL);
    if (z) {
        steer_zone_remove(z->edit, steered->steered.owner.octets,
                          steer_steered_type(steered->steered.kind));
        z->changed = true;
    }
    drop_steered(link, steered);
}

// The steered records of a zone, in the candidate catalogue. The array is the caller's.
static const struct steer_object **steered_of(const struct steer_link *link,
                                              const struct steer_name *origin, size_t *count)
{
    size_t all = steer_catalog_count(link->catalog, STEER_STEERED);
    const struct steer_object **list = steer_catalog_list(link->catalog, STEER_STEERED);
    *count = 0;
    for (size_t i = 0; i < all; i++)
        if (steer_name_equal(list[i]->steered.zone.octets, origin->octets))
            list[(*count)++] = list[i];
    return list;
}

// ---- whole zones ---------------------------------------------------------------------------------

static enum steer_err carry_steered(struct steer_link *link, const struct steer_name *origin,
                                    struct steer_zone_edit *build, struct steer_diag *diag)
{
    const struct steer_zone *before = linker_zone(link->linker, origin);
    size_t count;
    // Imports of many zones do not look for each among all records.
    if (!link->touched.used && !(before && before->steered_count))
        return STEER_OK;
    const struct steer_object **list = steered_of(link, origin, &count);
    enum steer_err err = STEER_OK;
    for (size_t i = 0; i < count && err == STEER_OK; i++) {
        const struct steer_steered *s = &list[i]->steered;
        const struct steer_zone_node *node = steer_zone_edit_find(build, s->owner.octets);
        const uint16_t type = steer_steered_type(s->kind);
        char text[STEER_TYPE_TEXT_MAX];
        if (type && node && steer_zone_node_rrset(node, type))
            err = steer_diag_set(diag, STEER_EINVAL, "%s is steered, and stands as %s in the file",
                                 list[i]->name, steer_type_format(type, text));
        else
            err = place_steered(link, build, list[i], diag);
    }
    free(list);
    return err;
}

enum steer_err steer_link_replace_zone(struct steer_link *link, const struct steer_name *origin,
                                       struct steer_zone_edit *build, struct steer_diag *diag)
{
    enum steer_err err = carry_steered(link, origin, build, diag);
    if (err == STEER_OK)
        err = steer_zone_check(build, diag);
    if (err != STEER_OK) {
        steer_zone_abort(build);
        return err;
    }
    struct steer_journal_entry *e;
    if (!steer_link_has_zone(link, origin)) {
        e = link_journal(link, STEER_J_ZONE);
        e->origin = *origin;
        e->name = steer_strdup("");
    }
    struct open_zone *z = find_open(link, origin);
    if (!z)
        z = add_open(link, origin);
    steer_zone_abort(z->edit);
    z->edit = build;
    z->afresh = z->imported = z->changed = true;
    z->removed = false;
    e = link_journal(link, STEER_J_ZONE_CONTENT); // its zone is filled in by prepare
    e->origin = *origin;
    return STEER_OK;
}

void steer_link_leave_zone(struct steer_link *link, const struct steer_name *origin)
{
    struct open_zone *z = find_open(link, origin);
    steer_zone_abort(z->edit);
    z->edit = NULL;
    z->imported = z->changed = false;
}

bool steer_link_remove_zone(struct steer_link *link, const struct steer_name *origin)
{
    if (!steer_link_has_zone(link, origin))
        return false;
    size_t count;
    const struct steer_object **list = steered_of(link, origin, &count);
    for (size_t i = 0; i < count; i++)
        drop_steered(link, list[i]);
    free(list);
    struct open_zone *z = find_open(link, origin);
    if (!z)
        z = add_open(link, origin);
    steer_zone_abort(z->edit);
    z->edit = NULL;
    z->removed = true;
    z->imported = false;
    struct steer_journal_entry *e = link_journal(link, STEER_J_ZONE_GONE);
    e->origin = *origin;
    return true;
}

const struct steer_zone *steer_link_zone_after(const struct steer_link *link,
                                               const struct steer_name *origin)
{
    const struct open_zone *z = find_open(link, origin);
    if (z && z->edit)
        return steer_zone_edit_view(z->edit);
    if (z && z->removed)
        return NULL;
    return linker_zone(link->linker, origin);
}
