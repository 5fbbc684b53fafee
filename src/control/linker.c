// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/control/linker.h"

#include <stdlib.h>
#include <string.h>

#include "linker_internal.h"
#include "steerd/base/mem.h"

// ---- the linker ----------------------------------------------------------------------------------

static uint32_t endpoint_number(void *ctx, const struct steer_object *endpoint)
{
    struct steer_linker *l = ctx;
    uint32_t number;
    if (!steer_map_get(&l->endpoint_numbers, endpoint->name, &number)) {
        number = l->next_endpoint++;
        steer_map_put(&l->endpoint_numbers, endpoint->name, number);
    }
    return number;
}

enum steer_err steer_linker_create(struct steer_geo *geo, struct steer_vitals *vitals,
                                   struct steer_linker **linker, struct steer_diag *diag)
{
    struct steer_linker *l = steer_calloc(1, sizeof *l);
    l->residuals = steer_residuals_create();
    enum steer_err err = steer_cells_create(endpoint_number, l, l->residuals, &l->cells, diag);
    if (err != STEER_OK) {
        steer_residuals_destroy(l->residuals);
        free(l);
        return err;
    }
    l->geo = steer_geo_ref(geo);
    l->vitals = vitals;
    l->catalog = steer_catalog_create();
    steer_vitals_view_init(&l->view, vitals, l->catalog);
    l->publisher = steer_publisher_create(steer_world_create(steer_cells_tables(l->cells)));
    *linker = l;
    return STEER_OK;
}

void steer_linker_destroy(struct steer_linker *l)
{
    if (!l)
        return;
    const struct steer_world *world = steer_publisher_current(l->publisher);
    size_t at = 0;
    const char *name;
    uint32_t id;
    while (steer_map_next(&l->programs, &at, &name, &id))
        link_release_program(l, steer_world_program(world, id));
    steer_publisher_destroy(l->publisher);
    steer_cells_destroy(l->cells);
    steer_residuals_destroy(l->residuals);
    steer_catalog_unref(l->catalog);
    steer_geo_unref(l->geo);
    steer_map_fini(&l->programs);
    steer_map_fini(&l->endpoint_numbers);
    free(l->free_programs);
    free(l->maps);
    free(l);
}

struct steer_publisher *steer_linker_publisher(const struct steer_linker *l)
{
    return l->publisher;
}

const struct steer_world *steer_linker_world(const struct steer_linker *l)
{
    return steer_publisher_current(l->publisher);
}

const struct steer_catalog *steer_linker_catalog(const struct steer_linker *l)
{
    return l->catalog;
}

const struct steer_geo *steer_linker_geo(const struct steer_linker *l)
{
    return l->geo;
}

struct steer_cells *steer_linker_cells(const struct steer_linker *l)
{
    return l->cells;
}

struct steer_residuals *steer_linker_residuals(const struct steer_linker *l)
{
    return l->residuals;
}

size_t steer_linker_classmaps(const struct steer_linker *l, size_t *bytes)
{
    *bytes = 0;
    for (size_t i = 0; i < l->map_count; i++)
        *bytes += l->maps[i].map->bytes;
    return l->map_count;
}

const struct steer_vitals_view *steer_linker_view(const struct steer_linker *l)
{
    return &l->view;
}

// Endpoints of a site or with a check, one by one.
static uint32_t refresh_endpoints(struct steer_linker *l, enum steer_kind kind, const char *name)
{
    const struct steer_object **list = steer_catalog_list(l->catalog, STEER_ENDPOINT);
    size_t count = steer_catalog_count(l->catalog, STEER_ENDPOINT);
    uint32_t changed = 0;
    for (size_t i = 0; i < count; i++) {
        const struct steer_endpoint *e = &list[i]->endpoint;
        bool holds = kind == STEER_SITE && e->site && strcmp(e->site, name) == 0;
        for (uint32_t c = 0; kind == STEER_CHECK && c < e->check_count; c++)
            holds |= strcmp(e->checks[c], name) == 0;
        if (holds)
            changed += steer_cells_refresh(l->cells, STEER_ENDPOINT, list[i]->name, &l->view.view);
    }
    free(list);
    return changed;
}

static void reclaim(struct steer_linker *l)
{
    if (!steer_cells_has_garbage(l->cells))
        return;
    steer_publisher_synchronize(l->publisher);
    steer_cells_reclaim(l->cells);
}

uint32_t steer_linker_refresh(struct steer_linker *l, enum steer_kind kind, const char *name)
{
    uint32_t changed;
    if (!name)
        changed = steer_cells_refresh_all(l->cells, &l->view.view);
    else if (kind == STEER_SITE || kind == STEER_CHECK)
        changed = refresh_endpoints(l, kind, name);
    else
        changed = steer_cells_refresh(l->cells, kind, name, &l->view.view);
    reclaim(l);
    return changed;
}

// ---- the journal ---------------------------------------------------------------------------------

struct steer_journal_entry *link_journal(struct steer_link *link, enum steer_journal_kind kind)
{
    link->journal = steer_grow(link->journal, &link->journal_cap, link->journal_count + 1,
                               sizeof *link->journal);
    struct steer_journal_entry *e = &link->journal[link->journal_count++];
    memset(e, 0, sizeof *e);
    e->kind = kind;
    return e;
}

const struct steer_journal_entry *steer_link_journal(const struct steer_link *link, size_t *count)
{
    *count = link->journal_count;
    return link->journal;
}

static void journal_entry_fini(struct steer_journal_entry *e)
{
    steer_object_unref(e->object);
    free(e->name);
    free(e->packed);
}

// ---- a link --------------------------------------------------------------------------------------

struct steer_link *steer_link_begin(struct steer_linker *l)
{
    struct steer_link *link = steer_calloc(1, sizeof *link);
    link->linker = l;
    link->catalog = steer_catalog_clone(l->catalog);
    link->geo = steer_geo_ref(l->geo);
    steer_vitals_view_init(&link->view, l->vitals, link->catalog);
    l->linking = true;
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

void steer_link_set_geo(struct steer_link *link, struct steer_geo *geo)
{
    size_t count = steer_catalog_count(link->catalog, STEER_STEERED);
    const struct steer_object **list = steer_catalog_list(link->catalog, STEER_STEERED);
    steer_geo_unref(link->geo);
    link->geo = steer_geo_ref(geo);
    for (size_t i = 0; i < count; i++)
        steer_map_put(&link->touched, list[i]->name, 1);
    free(list);
}

static void touch(void *ctx, const struct steer_object *steered)
{
    struct steer_link *link = ctx;
    steer_map_put(&link->touched, steered->name, 1);
}

void steer_link_put(struct steer_link *link, struct steer_object *object)
{
    steer_catalog_put(link->catalog, object);
    if (!link->loading) {
        struct steer_journal_entry *e = link_journal(link, STEER_J_OBJECT);
        e->object = steer_object_ref(object);
        e->kind_of = object->kind;
    }
}

bool steer_link_remove(struct steer_link *link, enum steer_kind kind, const char *name)
{
    // What depends on it is found before it goes; the check of references comes with prepare.
    steer_catalog_dependents(link->catalog, kind, name, touch, link);
    struct steer_journal_entry *e;
    if (!steer_catalog_get(link->catalog, kind, name))
        return false;
    e = link_journal(link, STEER_J_OBJECT_GONE);
    e->kind_of = kind;
    e->name = steer_strdup(name);
    return steer_catalog_remove(link->catalog, kind, name);
}

// ---- zones ---------------------------------------------------------------------------------------

static const struct steer_zone *published_zone(const struct steer_linker *l,
                                               const struct steer_name *origin)
{
    return steer_world_zone(steer_linker_world(l), steer_name_hash(origin), origin->octets);
}

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
    z->before = published_zone(link->linker, origin);
    link->zones = steer_grow(link->zones, &link->zone_cap, link->zone_count + 1, sizeof *link->zones);
    steer_map_put(&link->zone_index, steer_name_format(origin->octets, text),
                  (uint32_t)link->zone_count);
    link->zones[link->zone_count++] = z;
    return z;
}

struct open_zone *link_open_zone(struct steer_link *link, const struct steer_name *origin, bool make,
                                 const char *document)
{
    struct open_zone *z = find_open(link, origin);
    if (!z) {
        if (!make && !published_zone(link->linker, origin))
            return NULL;
        z = add_open(link, origin);
    }
    if (z->edit || (z->removed && !make))
        return z->edit ? z : NULL;
    bool afresh = !z->before || z->removed;
    z->edit = afresh ? steer_zone_build(origin) : steer_zone_edit(z->before);
    z->replaced = afresh && z->before;
    z->removed = false;
    if (afresh && !link->loading) {
        struct steer_journal_entry *e = link_journal(link, STEER_J_ZONE);
        e->origin = *origin;
        e->name = steer_strdup(document ? document : "");
    }
    return z;
}

struct steer_zone_edit *steer_link_zone(struct steer_link *link, const struct steer_name *origin,
                                        const char *document)
{
    return link_open_zone(link, origin, true, document)->edit;
}

bool steer_link_has_zone(const struct steer_link *link, const struct steer_name *origin)
{
    const struct open_zone *z = find_open(link, origin);
    return z ? !z->removed : published_zone(link->linker, origin) != NULL;
}

enum steer_err steer_link_put_rrset(struct steer_link *link, const struct steer_name *origin,
                                    const struct steer_name *owner, uint16_t type, uint32_t ttl_s,
                                    const uint8_t *packed, size_t packed_len,
                                    struct steer_diag *diag)
{
    struct open_zone *z = link_open_zone(link, origin, true, "");
    enum steer_err err =
        steer_zone_put_packed(z->edit, owner->octets, type, ttl_s, packed, packed_len, diag);
    if (err != STEER_OK || link->loading)
        return err;
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
    if (!z || !steer_zone_remove(z->edit, owner->octets, type))
        return false;
    struct steer_journal_entry *e = link_journal(link, STEER_J_RRSET_GONE);
    e->origin = *origin;
    e->owner = *owner;
    e->type = type;
    return true;
}

static uint16_t zone_type(const struct steer_steered *s)
{
    return s->kind == STEER_STEERED_ADDRESS ? STEER_TYPE_ADDRESS : STEER_TYPE_CNAME;
}

static enum steer_err program_id(struct steer_link *link, const char *name, uint32_t *id)
{
    struct steer_linker *l = link->linker;
    if (steer_map_get(&link->new_programs, name, id) || steer_map_get(&l->programs, name, id))
        return STEER_OK;
    if (l->free_program_count)
        *id = l->free_programs[--l->free_program_count];
    else if (l->next_program < STEER_PROGRAMS_MAX)
        *id = l->next_program++;
    else
        return STEER_ELIMIT;
    steer_map_put(&link->new_programs, name, *id);
    return STEER_OK;
}

enum steer_err steer_link_put_steered(struct steer_link *link, struct steer_object *steered,
                                      struct steer_diag *diag)
{
    const struct steer_steered *s = &steered->steered;
    struct open_zone *z = link_open_zone(link, &s->zone, true, steered->document);
    uint32_t id;
    if (program_id(link, steered->name, &id) != STEER_OK)
        return steer_diag_set(diag, STEER_ELIMIT, "more than %d steered records", STEER_PROGRAMS_MAX);
    enum steer_err err =
        steer_zone_put_steered(z->edit, s->owner.octets, zone_type(s), s->ttl_s, id, diag);
    if (err != STEER_OK)
        return err;
    steer_catalog_put(link->catalog, steered);
    steer_map_put(&link->touched, steered->name, 1);
    steer_map_remove(&link->gone_programs, steered->name);
    if (!link->loading) {
        struct steer_journal_entry *e = link_journal(link, STEER_J_STEERED);
        e->origin = s->zone;
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
    if (z)
        steer_zone_remove(z->edit, steered->steered.owner.octets, zone_type(&steered->steered));
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

static enum steer_err carry_steered(struct steer_link *link, const struct open_zone *z,
                                    struct steer_diag *diag)
{
    size_t count;
    const struct steer_object **list = steered_of(link, &z->origin, &count);
    enum steer_err err = STEER_OK;
    for (size_t i = 0; i < count && err == STEER_OK; i++) {
        const struct steer_steered *s = &list[i]->steered;
        uint32_t id;
        err = program_id(link, list[i]->name, &id);
        if (err == STEER_OK)
            err = steer_zone_put_steered(z->edit, s->owner.octets, zone_type(s), s->ttl_s, id, diag);
    }
    free(list);
    return err;
}

// Back to before an import that was refused: the link stays usable for the others.
static void undo_replace(struct steer_link *link, struct open_zone *z, size_t journal_count)
{
    steer_zone_abort(z->edit);
    z->edit = NULL;
    z->replaced = false;
    while (link->journal_count > journal_count)
        journal_entry_fini(&link->journal[--link->journal_count]);
}

enum steer_err steer_link_replace_zone(struct steer_link *link, const struct steer_name *origin,
                                       struct steer_zone_edit *build, struct steer_diag *diag)
{
    struct open_zone *z = find_open(link, origin);
    size_t journal_count = link->journal_count;
    if (!z)
        z = add_open(link, origin);
    steer_zone_abort(z->edit);
    z->edit = build;
    z->replaced = true;
    z->removed = false;
    struct steer_journal_entry *e;
    if (!z->before) {
        e = link_journal(link, STEER_J_ZONE);
        e->origin = *origin;
        e->name = steer_strdup("");
    }
    e = link_journal(link, STEER_J_ZONE_CONTENT); // its zone is filled in by prepare
    e->origin = *origin;
    enum steer_err err = STEER_OK;
    if (z->before && z->before->steered_count)
        err = carry_steered(link, z, diag);
    if (err == STEER_OK)
        err = steer_zone_check(build, diag);
    if (err != STEER_OK)
        undo_replace(link, z, journal_count);
    return err;
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
    struct steer_journal_entry *e = link_journal(link, STEER_J_ZONE_GONE);
    e->origin = *origin;
    return true;
}

const struct steer_zone *steer_link_zone_after(const struct steer_link *link,
                                               const struct steer_name *origin)
{
    const struct open_zone *z = find_open(link, origin);
    if (z)
        return z->edit ? steer_zone_edit_view(z->edit) : NULL;
    return published_zone(link->linker, origin);
}

// ---- prepare -------------------------------------------------------------------------------------

static void touch_dependents(struct steer_link *link)
{
    for (size_t i = 0; i < link->journal_count; i++) {
        const struct steer_journal_entry *e = &link->journal[i];
        if (e->kind == STEER_J_OBJECT)
            steer_catalog_dependents(link->catalog, e->kind_of, e->object->name, touch, link);
    }
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// RFC 1982 3.2.
static bool serial_above(uint32_t a, uint32_t b)
{
    return a != b && (uint32_t)(a - b) < UINT32_C(0x80000000);
}

// A touched zone's serial rises above the published one's.
static enum steer_err raise_serial(struct steer_link *link, struct open_zone *z, uint32_t now,
                                   struct steer_diag *diag)
{
    const struct steer_zone_node *apex = steer_zone_edit_find(z->edit, z->origin.octets);
    const struct steer_rrset *soa = apex ? steer_zone_node_rrset(apex, STEER_TYPE_SOA) : NULL;
    struct steer_rr_view rr;
    size_t at = 0;
    if (!soa || !steer_rrset_next(apex, soa, &at, &rr) || rr.rdata_len < 22)
        return STEER_OK;
    uint32_t given = get_u32(rr.rdata + rr.rdata_len - 20);
    uint32_t old = z->before ? z->before->serial : 0;
    // A document leaves the choice to us, with 0; a new zone from a file keeps what the file says.
    if (z->before ? serial_above(given, old) : given != 0 || z->replaced)
        return STEER_OK;
    uint32_t next = !z->replaced && serial_above(now, old) ? now : old + 1;
    struct steer_buf packed = {0};
    steer_buf_u16(&packed, rr.rdata_len);
    steer_buf_add(&packed, rr.rdata, rr.rdata_len - 20u);
    steer_buf_u32(&packed, next);
    steer_buf_add(&packed, rr.rdata + rr.rdata_len - 16, 16);
    uint32_t ttl_s = soa->ttl_s;
    enum steer_err err =
        z->replaced ? steer_zone_put_packed(z->edit, z->origin.octets, STEER_TYPE_SOA, ttl_s,
                                            (uint8_t *)packed.data, packed.len, diag)
                    : steer_link_put_rrset(link, &z->origin, &z->origin, STEER_TYPE_SOA, ttl_s,
                                           (uint8_t *)packed.data, packed.len, diag);
    steer_buf_fini(&packed);
    return err;
}

static enum steer_err check_zones(struct steer_link *link, uint64_t now_unix_s,
                                  struct steer_diag *diag)
{
    for (size_t i = 0; i < link->zone_count; i++) {
        struct open_zone *z = link->zones[i];
        if (!z->edit)
            continue;
        enum steer_err err = STEER_OK;
        if (!link->loading)
            err = raise_serial(link, z, (uint32_t)now_unix_s, diag);
        if (err == STEER_OK)
            err = steer_zone_check(z->edit, diag);
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
    touch_dependents(link);
    enum steer_err err = steer_catalog_check(link->catalog, diag);
    if (err == STEER_OK)
        err = link_compile(link, diag);
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
        if (z->replaced && z->before)
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
    }
    while (steer_map_next(&link->new_programs, &at, &name, &id))
        steer_map_put(&l->programs, name, id);
    at = 0;
    while (steer_map_next(&link->gone_programs, &at, &name, &id)) {
        keep_old(old, world, id);
        steer_world_put_program(edit, id, NULL);
        steer_map_remove(&l->programs, name);
        l->free_programs = steer_grow(l->free_programs, &l->free_program_cap,
                                      l->free_program_count + 1, sizeof *l->free_programs);
        l->free_programs[l->free_program_count++] = id;
    }
}

static void link_free(struct steer_link *link)
{
    for (size_t i = 0; i < link->journal_count; i++)
        journal_entry_fini(&link->journal[i]);
    for (size_t i = 0; i < link->zone_count; i++) {
        free(link->zones[i]);
    }
    free(link->zones);
    free(link->journal);
    free(link->made);
    steer_map_fini(&link->zone_index);
    steer_map_fini(&link->touched);
    steer_map_fini(&link->new_programs);
    steer_map_fini(&link->gone_programs);
    steer_catalog_unref(link->catalog);
    steer_geo_unref(link->geo);
    link->linker->linking = false;
    free(link);
}

void steer_link_commit(struct steer_link *link)
{
    struct steer_linker *l = link->linker;
    struct steer_retired retired = {0};
    struct old_programs old = {0};
    struct steer_world_edit *edit = steer_world_edit(steer_publisher_current(l->publisher));
    put_programs(link, edit, &old);
    put_zones(link, edit);
    struct steer_world *next = steer_world_finish(edit, &retired);
    steer_publish(l->publisher, next, &retired);
    free(retired.blocks);
    steer_catalog_unref(l->catalog);
    l->catalog = steer_catalog_ref(link->catalog);
    steer_geo_unref(l->geo);
    l->geo = steer_geo_ref(link->geo);
    steer_vitals_view_init(&l->view, l->vitals, l->catalog);
    if (old.count || steer_cells_has_garbage(l->cells)) {
        steer_publisher_synchronize(l->publisher);
        for (size_t i = 0; i < old.count; i++) {
            link_release_program(l, old.items[i]);
            free(old.items[i]);
        }
        steer_cells_reclaim(l->cells);
    }
    free(old.items);
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
    while (steer_map_next(&link->new_programs, &at, &name, &id)) {
        l->free_programs = steer_grow(l->free_programs, &l->free_program_cap,
                                      l->free_program_count + 1, sizeof *l->free_programs);
        l->free_programs[l->free_program_count++] = id;
    }
    reclaim(l);
    link_free(link);
}
