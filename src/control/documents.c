// SPDX-License-Identifier: GPL-3.0-or-later
// Whole documents into a link: objects, zones, records; what is unchanged stays untouched.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linker_internal.h"
#include "steerd/base/mem.h"
#include "steerd/rr/type.h"

struct applying {
    struct steer_link *link;
    const struct steer_link_documents_options *options;
    struct steer_link_summary *summary;
    struct steer_map defined; // "kind name" of this apply -> 1
    struct steer_diag *diag;
};

// ---- the summary ---------------------------------------------------------------------------------

static void note(char ***list, size_t *count, size_t *cap, const char *what, const char *name)
{
    struct steer_buf text = {0};
    steer_buf_printf(&text, "%s %s", what, name);
    *list = steer_grow(*list, cap, *count + 1, sizeof **list);
    (*list)[(*count)++] = steer_buf_take(&text);
}

static void note_put(struct applying *a, bool existed, const char *what, const char *name)
{
    struct steer_link_summary *s = a->summary;
    if (existed)
        note(&s->replaced, &s->replaced_count, &s->replaced_cap, what, name);
    else
        note(&s->created, &s->created_count, &s->created_cap, what, name);
}

static void note_removed(struct applying *a, const char *what, const char *name)
{
    struct steer_link_summary *s = a->summary;
    note(&s->removed, &s->removed_count, &s->removed_cap, what, name);
}

void steer_link_summary_fini(struct steer_link_summary *s)
{
    for (size_t i = 0; i < s->created_count; i++)
        free(s->created[i]);
    for (size_t i = 0; i < s->replaced_count; i++)
        free(s->replaced[i]);
    for (size_t i = 0; i < s->removed_count; i++)
        free(s->removed[i]);
    free(s->created);
    free(s->replaced);
    free(s->removed);
    memset(s, 0, sizeof *s);
}

static const char *rrset_label(char *out, size_t size, const struct steer_name *owner, uint16_t type)
{
    char name[STEER_NAME_TEXT_MAX];
    char text[32];
    snprintf(out, size, "%s %s", steer_name_format(owner->octets, name),
             steer_type_format(type, text));
    return out;
}

// ---- objects -------------------------------------------------------------------------------------

// True in *skip when the same definition is there already. Refuses what belongs to another document, and a
// second definition in the same apply.
static enum steer_err admit(struct applying *a, const struct steer_object *object, bool *skip)
{
    char key[1200];
    snprintf(key, sizeof key, "%s %s", steer_kind_text(object->kind), object->name);
    if (steer_map_get(&a->defined, key, NULL))
        return steer_diag_at(a->diag, object->file, object->at.line, object->at.column,
                             "%s is defined twice in this apply", key);
    steer_map_put(&a->defined, key, 1);
    const struct steer_object *there =
        steer_catalog_get(steer_link_catalog(a->link), object->kind, object->name);
    if (there && strcmp(there->document, object->document) != 0 && !a->options->take_over)
        return steer_diag_at(a->diag, object->file, object->at.line, object->at.column,
                             "%s is defined by document '%s'; change it there, or apply with "
                             "--take-over",
                             key, there->document);
    *skip = there && there->hash == object->hash && strcmp(there->json, object->json) == 0 &&
            strcmp(there->document, object->document) == 0;
    if (*skip)
        a->summary->unchanged++;
    else
        note_put(a, there != NULL, object->kind == STEER_STEERED ? "record" : steer_kind_text(object->kind),
                 object->name);
    return STEER_OK;
}

static enum steer_err put_objects(struct applying *a, const struct steer_document *d)
{
    for (uint32_t i = 0; i < d->object_count; i++) {
        bool skip;
        enum steer_err err = admit(a, d->objects[i], &skip);
        if (err != STEER_OK)
            return err;
        if (!skip)
            steer_link_put(a->link, d->objects[i]);
    }
    return STEER_OK;
}

// ---- records -------------------------------------------------------------------------------------

static void pack(struct steer_buf *out, const struct steer_fixed *data)
{
    for (unsigned i = 0; i < data->count; i++) {
        steer_buf_u16(out, data->len[i]);
        steer_buf_add(out, data->rdata[i], data->len[i]);
    }
}

static bool has_rdata(const struct steer_fixed *data, const struct steer_rr_view *rr)
{
    for (unsigned i = 0; i < data->count; i++)
        if (data->len[i] == rr->rdata_len && memcmp(data->rdata[i], rr->rdata, rr->rdata_len) == 0)
            return true;
    return false;
}

static bool same_rrset(const struct steer_zone_node *node, const struct steer_rrset *set,
                       const struct steer_document_rrset *want)
{
    struct steer_rr_view rr;
    size_t at = 0;
    if (set->ttl_s != want->ttl_s || set->count != want->data.count)
        return false;
    while (steer_rrset_next(node, set, &at, &rr))
        if (!has_rdata(&want->data, &rr))
            return false;
    return true;
}

static const struct steer_rrset *current_rrset(struct applying *a, const struct steer_name *origin,
                                               const struct steer_name *owner, uint16_t type,
                                               const struct steer_zone_node **node)
{
    struct steer_zone_edit *edit = steer_link_zone(a->link, origin, NULL);
    *node = steer_zone_edit_find(edit, owner->octets);
    return *node ? steer_zone_node_rrset(*node, type) : NULL;
}

static void remove_static(struct applying *a, const struct steer_name *origin,
                          const struct steer_name *owner, uint16_t type)
{
    char label[STEER_NAME_TEXT_MAX + 40];
    if (steer_link_remove_rrset(a->link, origin, owner, type))
        note_removed(a, "records", rrset_label(label, sizeof label, owner, type));
}

static void remove_steered(struct applying *a, const struct steer_name *owner, const char *kind)
{
    char text[STEER_NAME_TEXT_MAX];
    char name[STEER_NAME_TEXT_MAX + 16];
    snprintf(name, sizeof name, "%s %s", steer_name_format(owner->octets, text), kind);
    if (!steer_catalog_get(steer_link_catalog(a->link), STEER_STEERED, name))
        return;
    steer_link_remove_steered(a->link, name);
    note_removed(a, "record", name);
}

// What cannot stand beside the new record gives way: the document says what its owner is now.
static enum steer_err put_rrset(struct applying *a, const struct steer_document_zone *z,
                                const struct steer_document_rrset *rrset)
{
    char label[STEER_NAME_TEXT_MAX + 40];
    const struct steer_zone_node *node;
    uint16_t type = rrset->data.type;
    if (type == STEER_TYPE_CNAME || type == STEER_TYPE_A || type == STEER_TYPE_AAAA)
        remove_steered(a, &rrset->owner, "address");
    remove_steered(a, &rrset->owner, "cname");
    const struct steer_rrset *there = current_rrset(a, &z->origin, &rrset->owner, type, &node);
    if (there && !steer_rrset_is_steered(there) && same_rrset(node, there, rrset)) {
        a->summary->unchanged++;
        return STEER_OK;
    }
    note_put(a, there != NULL, "records", rrset_label(label, sizeof label, &rrset->owner, type));
    struct steer_buf packed = {0};
    pack(&packed, &rrset->data);
    enum steer_err err =
        steer_link_put_rrset(a->link, &z->origin, &rrset->owner, type, rrset->ttl_s,
                             (const uint8_t *)packed.data, packed.len, a->diag);
    steer_buf_fini(&packed);
    return err;
}

static enum steer_err put_steered(struct applying *a, struct steer_object *object)
{
    const struct steer_steered *s = &object->steered;
    bool skip;
    enum steer_err err = admit(a, object, &skip);
    if (err != STEER_OK || skip)
        return err;
    if (s->kind == STEER_STEERED_ADDRESS) {
        remove_steered(a, &s->owner, "cname");
        remove_static(a, &s->zone, &s->owner, STEER_TYPE_A);
        remove_static(a, &s->zone, &s->owner, STEER_TYPE_AAAA);
    } else {
        remove_steered(a, &s->owner, "address");
        const struct steer_zone_node *node;
        if (current_rrset(a, &s->zone, &s->owner, STEER_TYPE_CNAME, &node))
            remove_static(a, &s->zone, &s->owner, STEER_TYPE_CNAME);
    }
    return steer_link_put_steered(a->link, object, a->diag);
}

// ---- the apex ------------------------------------------------------------------------------------

static enum steer_err put_soa(struct applying *a, const struct steer_document_zone *z)
{
    struct steer_buf packed = {0};
    size_t len = (size_t)z->soa.mname.len + z->soa.rname.len + 20;
    steer_buf_u16(&packed, (uint16_t)len);
    steer_buf_add(&packed, z->soa.mname.octets, z->soa.mname.len);
    steer_buf_add(&packed, z->soa.rname.octets, z->soa.rname.len);
    steer_buf_u32(&packed, 0); // the serial is chosen when the link is prepared
    steer_buf_u32(&packed, z->soa.refresh_s);
    steer_buf_u32(&packed, z->soa.retry_s);
    steer_buf_u32(&packed, z->soa.expire_s);
    steer_buf_u32(&packed, z->soa.minimum_s);
    enum steer_err err =
        steer_link_put_rrset(a->link, &z->origin, &z->origin, STEER_TYPE_SOA, z->soa.ttl_s,
                             (const uint8_t *)packed.data, packed.len, a->diag);
    steer_buf_fini(&packed);
    return err;
}

// The SOA that is there differs from the wanted one in more than its serial.
static bool soa_differs(struct applying *a, const struct steer_document_zone *z)
{
    const struct steer_zone_node *node;
    const struct steer_rrset *set =
        current_rrset(a, &z->origin, &z->origin, STEER_TYPE_SOA, &node);
    struct steer_rr_view rr;
    size_t at = 0;
    if (!set || set->ttl_s != z->soa.ttl_s || !steer_rrset_next(node, set, &at, &rr))
        return true;
    size_t names = (size_t)z->soa.mname.len + z->soa.rname.len;
    const uint32_t want[] = {z->soa.refresh_s, z->soa.retry_s, z->soa.expire_s, z->soa.minimum_s};
    if (rr.rdata_len != names + 20 ||
        memcmp(rr.rdata, z->soa.mname.octets, z->soa.mname.len) != 0 ||
        memcmp(rr.rdata + z->soa.mname.len, z->soa.rname.octets, z->soa.rname.len) != 0)
        return true;
    for (unsigned i = 0; i < STEER_ARRAY_LEN(want); i++) {
        const uint8_t *p = rr.rdata + names + 4 + (size_t)i * 4;
        if (((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]) != want[i])
            return true;
    }
    return false;
}

static enum steer_err put_ns(struct applying *a, const struct steer_document_zone *z,
                             const struct steer_name *names, uint32_t count)
{
    struct steer_document_rrset rrset = {.owner = z->origin, .ttl_s = 3600};
    rrset.data.type = STEER_TYPE_NS;
    rrset.data.count = (uint16_t)count;
    rrset.data.len = steer_calloc(count, sizeof *rrset.data.len);
    rrset.data.rdata = steer_calloc(count, sizeof *rrset.data.rdata);
    for (uint32_t i = 0; i < count; i++) {
        rrset.data.len[i] = names[i].len;
        rrset.data.rdata[i] = names[i].octets;
    }
    enum steer_err err = put_rrset(a, z, &rrset);
    free(rrset.data.len);
    free(rrset.data.rdata);
    return err;
}

static enum steer_err put_apex(struct applying *a, const struct steer_document *d,
                               const struct steer_document_zone *z)
{
    char name[STEER_NAME_TEXT_MAX];
    bool there = steer_link_has_zone(a->link, &z->origin);
    enum steer_err err = STEER_OK;
    steer_link_zone(a->link, &z->origin, d->name);
    if (!there)
        note_put(a, false, "zone", steer_name_format(z->origin.octets, name));
    if (!there || (z->has_soa && soa_differs(a, z)))
        err = put_soa(a, z);
    if (err == STEER_OK && z->ns_count)
        err = put_ns(a, z, z->ns, z->ns_count);
    else if (err == STEER_OK && !there)
        err = put_ns(a, z, &z->soa.mname, 1);
    return err;
}

// ---- prune ---------------------------------------------------------------------------------------

struct pruning {
    struct applying *applying;
    const struct steer_document_zone *zone;
    struct steer_map wanted; // "owner TYPE" that the document has
    struct steer_name *owners;
    uint16_t *types;
    size_t count, owners_cap, types_cap;
};

static bool collect_unwanted(void *ctx, const struct steer_zone_node *node)
{
    struct pruning *p = ctx;
    char label[STEER_NAME_TEXT_MAX + 40];
    struct steer_name owner;
    if (!steer_name_from_wire(steer_zone_node_owner(node), STEER_NAME_MAX, &owner))
        return true;
    for (unsigned i = 0; i < node->rrset_count; i++) {
        const struct steer_rrset *set = &node->rrsets[i];
        bool apex = node->flags & STEER_NODE_APEX;
        if (steer_rrset_is_steered(set) ||
            (apex && (set->type == STEER_TYPE_SOA || set->type == STEER_TYPE_NS)) ||
            steer_map_get(&p->wanted, rrset_label(label, sizeof label, &owner, set->type), NULL))
            continue;
        p->owners = steer_grow(p->owners, &p->owners_cap, p->count + 1, sizeof *p->owners);
        p->types = steer_grow(p->types, &p->types_cap, p->count + 1, sizeof *p->types);
        p->owners[p->count] = owner;
        p->types[p->count++] = set->type;
    }
    return true;
}

static void prune_zone(struct applying *a, const struct steer_document_zone *z)
{
    struct pruning p = {.applying = a, .zone = z};
    char label[STEER_NAME_TEXT_MAX + 40];
    const struct steer_world *world = steer_linker_world(a->link->linker);
    const struct steer_zone *zone =
        steer_world_zone(world, steer_name_hash(&z->origin), z->origin.octets);
    for (uint32_t i = 0; i < z->rrset_count; i++)
        steer_map_put(&p.wanted,
                      rrset_label(label, sizeof label, &z->rrsets[i].owner, z->rrsets[i].data.type), 1);
    if (zone)
        steer_zone_each(zone, collect_unwanted, &p);
    for (size_t i = 0; i < p.count; i++)
        remove_static(a, &z->origin, &p.owners[i], p.types[i]);
    steer_map_fini(&p.wanted);
    free(p.owners);
    free(p.types);
    size_t count = steer_catalog_count(steer_link_catalog(a->link), STEER_STEERED);
    const struct steer_object **list = steer_catalog_list(steer_link_catalog(a->link), STEER_STEERED);
    for (size_t i = 0; i < count; i++) {
        snprintf(label, sizeof label, "%s %s", steer_kind_text(STEER_STEERED), list[i]->name);
        if (!steer_name_equal(list[i]->steered.zone.octets, z->origin.octets) ||
            steer_map_get(&a->defined, label, NULL))
            continue;
        note_removed(a, "record", list[i]->name);
        steer_link_remove_steered(a->link, list[i]->name);
    }
    free(list);
}

// Objects that the document defined before and does not now.
static void prune_objects(struct applying *a, const struct steer_document *d)
{
    char key[1200];
    for (int kind = STEER_STEERED - 1; kind >= 0; kind--) {
        size_t count = steer_catalog_count(steer_link_catalog(a->link), (enum steer_kind)kind);
        const struct steer_object **list =
            steer_catalog_list(steer_link_catalog(a->link), (enum steer_kind)kind);
        for (size_t i = 0; i < count; i++) {
            const char *what = steer_kind_text((enum steer_kind)kind);
            snprintf(key, sizeof key, "%s %s", what, list[i]->name);
            if (strcmp(list[i]->document, d->name) != 0 || steer_map_get(&a->defined, key, NULL))
                continue;
            note_removed(a, what, list[i]->name);
            steer_link_remove(a->link, (enum steer_kind)kind, list[i]->name);
        }
        free(list);
    }
}

// ---- all of it -----------------------------------------------------------------------------------

static enum steer_err put_zone(struct applying *a, const struct steer_document *d,
                               const struct steer_document_zone *z)
{
    enum steer_err err = put_apex(a, d, z);
    for (uint32_t i = 0; i < z->rrset_count && err == STEER_OK; i++)
        err = put_rrset(a, z, &z->rrsets[i]);
    for (uint32_t i = 0; i < z->steered_count && err == STEER_OK; i++)
        err = put_steered(a, z->steered[i]);
    return err;
}

enum steer_err steer_link_documents(struct steer_link *link, struct steer_document *const *documents,
                                    size_t count,
                                    const struct steer_link_documents_options *options,
                                    struct steer_link_summary *summary, struct steer_diag *diag)
{
    struct applying a = {link, options, summary, {0}, diag};
    enum steer_err err = STEER_OK;
    for (size_t i = 0; i < count && err == STEER_OK; i++)
        err = put_objects(&a, documents[i]);
    for (size_t i = 0; i < count && err == STEER_OK; i++)
        for (uint32_t z = 0; z < documents[i]->zone_count && err == STEER_OK; z++)
            err = put_zone(&a, documents[i], &documents[i]->zones[z]);
    for (size_t i = 0; i < count && err == STEER_OK && options->prune; i++) {
        for (uint32_t z = 0; z < documents[i]->zone_count; z++)
            prune_zone(&a, &documents[i]->zones[z]);
        prune_objects(&a, documents[i]);
    }
    steer_map_fini(&a.defined);
    return err;
}
