// SPDX-License-Identifier: GPL-3.0-or-later
// Whole documents into a link: objects, zones, records; what is unchanged stays untouched.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linker_internal.h"
#include "steerd/base/mem.h"
#include "steerd/rr/type.h"

enum { KEY_MAX = STEER_NAME_TEXT_MAX + 64 };

struct applying {
    struct steer_link *link;
    const struct steer_link_documents_options *options;
    struct steer_link_summary *summary;
    struct steer_map defined; // what this apply gives, in the words of the summary
    struct steer_diag *diag;
};

// ---- the summary ---------------------------------------------------------------------------------

static void note(char ***list, size_t *count, size_t *cap, const char *what)
{
    *list = steer_grow(*list, cap, *count + 1, sizeof **list);
    (*list)[(*count)++] = steer_strdup(what);
}

static void note_put(struct applying *a, bool existed, const char *what)
{
    struct steer_link_summary *s = a->summary;
    if (existed)
        note(&s->replaced, &s->replaced_count, &s->replaced_cap, what);
    else
        note(&s->created, &s->created_count, &s->created_cap, what);
}

static void note_removed(struct applying *a, const char *what)
{
    struct steer_link_summary *s = a->summary;
    note(&s->removed, &s->removed_count, &s->removed_cap, what);
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

static const char *rrset_label(char out[KEY_MAX], const struct steer_name *owner, uint16_t type)
{
    char name[STEER_NAME_TEXT_MAX];
    char text[STEER_TYPE_TEXT_MAX];
    snprintf(out, KEY_MAX, "records %s %s", steer_name_format(owner->octets, name),
             steer_type_format(type, text));
    return out;
}

static const char *steered_label(char out[KEY_MAX], const struct steer_name *owner, uint16_t type)
{
    char name[STEER_NAME_TEXT_MAX];
    snprintf(out, KEY_MAX, "record %s %s", steer_name_format(owner->octets, name),
             steer_steered_kind_text(steer_steered_of_type(type)));
    return out;
}

// ---- objects -------------------------------------------------------------------------------------

static bool same_zone(const struct steer_object *a, const struct steer_object *b)
{
    return a->kind != STEER_STEERED ||
           steer_name_equal(a->steered.zone.octets, b->steered.zone.octets);
}

static void kind_key(char *out, size_t size, enum steer_kind kind, const char *name)
{
    snprintf(out, size, "%s %s", kind == STEER_STEERED ? "record" : steer_kind_text(kind), name);
}

// Refuses a second definition in the same apply.
static enum steer_err define(struct applying *a, const char *key, const char *file,
                             struct steer_where at)
{
    if (steer_map_get(&a->defined, key, NULL))
        return steer_diag_at(a->diag, file, at.line, at.column, "%s is defined twice in this apply",
                             key);
    steer_map_put(&a->defined, key, 1);
    return STEER_OK;
}

// True in *skip when the same definition is there already. Refuses what belongs to another document.
static enum steer_err admit(struct applying *a, const struct steer_object *object, bool *skip)
{
    char key[KEY_MAX];
    kind_key(key, sizeof key, object->kind, object->name);
    enum steer_err err = define(a, key, object->file, object->at);
    if (err != STEER_OK)
        return err;
    const struct steer_object *there =
        steer_catalog_get(steer_link_catalog(a->link), object->kind, object->name);
    if (there && strcmp(there->document, object->document) != 0 && !a->options->take_over)
        return steer_diag_at(a->diag, object->file, object->at.line, object->at.column,
                             "%s is defined by document '%s'; change it there, or apply with "
                             "--take-over",
                             key, there->document);
    *skip = there && there->hash == object->hash && strcmp(there->json, object->json) == 0 &&
            strcmp(there->document, object->document) == 0 && same_zone(there, object);
    if (*skip)
        a->summary->unchanged++;
    else
        note_put(a, there != NULL, key);
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
        else if (d->objects[i]->kind == STEER_ASSERTION) // the same, but it may stand elsewhere now
            steer_catalog_put(a->link->catalog, d->objects[i]);
    }
    return STEER_OK;
}

// ---- looking at what is there --------------------------------------------------------------------

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

// The zone as this apply has it so far; put_apex made it. What is returned holds until the next change.
static const struct steer_zone_node *
current_node(struct applying *a, const struct steer_name *origin, const struct steer_name *owner)
{
    return steer_zone_edit_find(link_open_zone(a->link, origin, true, "")->edit, owner->octets);
}

static const struct steer_rrset *static_rrset(const struct steer_zone_node *node, uint16_t type)
{
    const struct steer_rrset *set = node ? steer_zone_node_rrset(node, type) : NULL;
    return set && !steer_rrset_is_steered(set) ? set : NULL;
}

// ---- giving way ----------------------------------------------------------------------------------

// A record on its way to an owner.
struct newcomer {
    const struct steer_name *origin, *owner;
    uint16_t type; // STEER_TYPE_ADDRESS: a steered address
    bool steered;
    const char *key, *document, *file;
    struct steer_where at;
};

static bool clashes(const struct steer_rrset *set, const struct newcomer *n)
{
    const bool address = set->type == STEER_TYPE_A || set->type == STEER_TYPE_AAAA;
    if (set->type == n->type) // RRsets of one kind take each other's place
        return steer_rrset_is_steered(set) != n->steered;
    return set->type == STEER_TYPE_CNAME || n->type == STEER_TYPE_CNAME ||
           (address && n->type == STEER_TYPE_ADDRESS) ||
           (set->type == STEER_TYPE_ADDRESS &&
            (n->type == STEER_TYPE_A || n->type == STEER_TYPE_AAAA));
}

static enum steer_err give_way_steered(struct applying *a, const struct newcomer *n,
                                       const char *key)
{
    const char *name = key + strlen("record ");
    const struct steer_object *there =
        steer_catalog_get(steer_link_catalog(a->link), STEER_STEERED, name);
    if (there && strcmp(there->document, n->document) != 0 && !a->options->take_over)
        return steer_diag_at(a->diag, n->file, n->at.line, n->at.column,
                             "%s is defined by document '%s' and cannot stand beside %s; change it "
                             "there, or apply with --take-over",
                             key, there->document, n->key);
    note_removed(a, key);
    steer_link_remove_steered(a->link, name);
    return STEER_OK;
}

static enum steer_err give_way(struct applying *a, const struct newcomer *n, uint16_t type,
                               bool steered)
{
    char key[KEY_MAX];
    if (steered)
        steered_label(key, n->owner, type);
    else
        rrset_label(key, n->owner, type);
    if (steer_map_get(&a->defined, key, NULL))
        return steer_diag_at(a->diag, n->file, n->at.line, n->at.column,
                             "%s cannot stand beside %s, which this apply also gives", n->key, key);
    if (steered)
        return give_way_steered(a, n, key);
    note_removed(a, key);
    steer_link_remove_rrset(a->link, n->origin, n->owner, type);
    return STEER_OK;
}

// What cannot stand beside the new record gives way: the document says what its owner is now.
static enum steer_err make_room(struct applying *a, const struct newcomer *n)
{
    const struct steer_zone_node *node = current_node(a, n->origin, n->owner);
    struct {
        uint16_t type;
        bool steered;
    } *old = steer_calloc(node ? node->rrset_count : 0, sizeof *old);
    size_t count = 0;
    enum steer_err err = STEER_OK;
    for (unsigned i = 0; node && i < node->rrset_count; i++) {
        if (!clashes(&node->rrsets[i], n))
            continue;
        old[count].type = node->rrsets[i].type;
        old[count++].steered = steer_rrset_is_steered(&node->rrsets[i]);
    }
    for (size_t i = 0; i < count && err == STEER_OK; i++)
        err = give_way(a, n, old[i].type, old[i].steered);
    free(old);
    return err;
}

// ---- records -------------------------------------------------------------------------------------

static enum steer_err put_rrset(struct applying *a, const struct steer_document *d,
                                const struct steer_document_zone *z,
                                const struct steer_document_rrset *rrset)
{
    char key[KEY_MAX];
    uint16_t type = rrset->data.type;
    rrset_label(key, &rrset->owner, type);
    const struct newcomer n = {.origin = &z->origin,
                               .owner = &rrset->owner,
                               .type = type,
                               .key = key,
                               .document = d->name,
                               .file = d->name,
                               .at = rrset->at};
    enum steer_err err = define(a, key, d->name, rrset->at);
    if (err == STEER_OK)
        err = make_room(a, &n);
    if (err != STEER_OK)
        return err;
    const struct steer_zone_node *node = current_node(a, &z->origin, &rrset->owner);
    const struct steer_rrset *there = static_rrset(node, type);
    if (there && same_rrset(node, there, rrset)) {
        a->summary->unchanged++;
        return STEER_OK;
    }
    note_put(a, there != NULL, key);
    struct steer_buf packed = {0};
    pack(&packed, &rrset->data);
    err = steer_link_put_rrset(a->link, &z->origin, &rrset->owner, type, rrset->ttl_s,
                               (const uint8_t *)packed.data, packed.len, a->diag);
    steer_buf_fini(&packed);
    return err;
}

static enum steer_err put_steered(struct applying *a, struct steer_object *object)
{
    const struct steer_steered *s = &object->steered;
    char key[KEY_MAX];
    bool skip;
    enum steer_err err = admit(a, object, &skip);
    if (err != STEER_OK || skip)
        return err;
    kind_key(key, sizeof key, STEER_STEERED, object->name);
    const struct newcomer n = {
        .origin = &s->zone,
        .owner = &s->owner,
        .type = steer_steered_type(s->kind),
        .steered = true,
        .key = key,
        .document = object->document,
        .file = object->file,
        .at = object->at,
    };
    err = make_room(a, &n);
    if (err == STEER_OK)
        err = steer_link_put_steered(a->link, object, a->diag);
    return err;
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
    const struct steer_zone_node *node = current_node(a, &z->origin, &z->origin);
    const struct steer_rrset *set = static_rrset(node, STEER_TYPE_SOA);
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

static bool named_before(const struct steer_name *names, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++)
        if (steer_name_equal(names[k].octets, names[i].octets))
            return true;
    return false;
}

static enum steer_err put_ns(struct applying *a, const struct steer_document *d,
                             const struct steer_document_zone *z, const struct steer_name *names,
                             uint32_t count)
{
    struct steer_document_rrset rrset = {.owner = z->origin, .ttl_s = 3600, .at = z->at};
    struct steer_fixed *data = &rrset.data;
    data->type = STEER_TYPE_NS;
    data->len = steer_calloc(count, sizeof *data->len);
    data->rdata = steer_calloc(count, sizeof *data->rdata);
    for (uint32_t i = 0; i < count; i++) {
        if (named_before(names, i))
            continue;
        data->len[data->count] = names[i].len;
        data->rdata[data->count++] = names[i].octets;
    }
    enum steer_err err = put_rrset(a, d, z, &rrset);
    free(data->len);
    free(data->rdata);
    return err;
}

static bool gives_ns(const struct steer_document_zone *z)
{
    for (uint32_t i = 0; i < z->rrset_count; i++)
        if (z->rrsets[i].data.type == STEER_TYPE_NS &&
            steer_name_equal(z->rrsets[i].owner.octets, z->origin.octets))
            return true;
    return false;
}

static enum steer_err put_apex(struct applying *a, const struct steer_document *d,
                               const struct steer_document_zone *z)
{
    char name[STEER_NAME_TEXT_MAX];
    char key[KEY_MAX];
    bool there = steer_link_has_zone(a->link, &z->origin);
    enum steer_err err = STEER_OK;
    link_open_zone(a->link, &z->origin, true, d->name);
    if (!there) {
        snprintf(key, sizeof key, "zone %s", steer_name_format(z->origin.octets, name));
        note_put(a, false, key);
        err = put_soa(a, z);
    } else if (z->has_soa && soa_differs(a, z)) {
        note_put(a, true, rrset_label(key, &z->origin, STEER_TYPE_SOA));
        err = put_soa(a, z);
    }
    if (err == STEER_OK && z->ns_count)
        err = put_ns(a, d, z, z->ns, z->ns_count);
    else if (err == STEER_OK && !there && !gives_ns(z))
        err = put_ns(a, d, z, &z->soa.mname, 1);
    return err;
}

// ---- prune ---------------------------------------------------------------------------------------

struct unwanted {
    const struct applying *applying;
    struct steer_name *owners;
    uint16_t *types;
    size_t count, owners_cap, types_cap;
};

static bool collect_unwanted(void *ctx, const struct steer_zone_node *node)
{
    struct unwanted *u = ctx;
    char key[KEY_MAX];
    struct steer_name owner;
    if (!steer_name_from_wire(steer_zone_node_owner(node), STEER_NAME_MAX, &owner))
        return true;
    for (unsigned i = 0; i < node->rrset_count; i++) {
        const struct steer_rrset *set = &node->rrsets[i];
        bool apex = node->flags & STEER_NODE_APEX;
        if (steer_rrset_is_steered(set) ||
            (apex && (set->type == STEER_TYPE_SOA || set->type == STEER_TYPE_NS)) ||
            steer_map_get(&u->applying->defined, rrset_label(key, &owner, set->type), NULL))
            continue;
        u->owners = steer_grow(u->owners, &u->owners_cap, u->count + 1, sizeof *u->owners);
        u->types = steer_grow(u->types, &u->types_cap, u->count + 1, sizeof *u->types);
        u->owners[u->count] = owner;
        u->types[u->count++] = set->type;
    }
    return true;
}

// Static records have no document of their own: those of a document's zone are the document's.
static void prune_zone(struct applying *a, const struct steer_document_zone *z)
{
    struct unwanted u = {.applying = a};
    char key[KEY_MAX];
    const struct steer_zone *zone = linker_zone(a->link->linker, &z->origin);
    if (zone)
        steer_zone_each(zone, collect_unwanted, &u);
    for (size_t i = 0; i < u.count; i++)
        if (steer_link_remove_rrset(a->link, &z->origin, &u.owners[i], u.types[i]))
            note_removed(a, rrset_label(key, &u.owners[i], u.types[i]));
    free(u.owners);
    free(u.types);
}

// Assertions are replaced with their document, with and without prune.
static void drop_old_assertions(struct applying *a, const struct steer_document *d)
{
    char key[KEY_MAX];
    const size_t count = steer_catalog_count(steer_link_catalog(a->link), STEER_ASSERTION);
    if (!count)
        return;
    const struct steer_object **list =
        steer_catalog_list(steer_link_catalog(a->link), STEER_ASSERTION);
    for (size_t i = 0; i < count; i++) {
        kind_key(key, sizeof key, STEER_ASSERTION, list[i]->name);
        if (strcmp(list[i]->document, d->name) != 0 || steer_map_get(&a->defined, key, NULL))
            continue;
        note_removed(a, key);
        steer_link_remove(a->link, STEER_ASSERTION, list[i]->name);
    }
    free(list);
}

// What the document defined before and does not now; records first, then what they are made of.
static void prune_objects(struct applying *a, const struct steer_document *d)
{
    char key[KEY_MAX];
    for (int i = STEER_STEERED; i >= 0; i--) {
        enum steer_kind kind = (enum steer_kind)i;
        size_t count = steer_catalog_count(steer_link_catalog(a->link), kind);
        const struct steer_object **list = steer_catalog_list(steer_link_catalog(a->link), kind);
        for (size_t k = 0; k < count; k++) {
            kind_key(key, sizeof key, kind, list[k]->name);
            if (strcmp(list[k]->document, d->name) != 0 || steer_map_get(&a->defined, key, NULL))
                continue;
            note_removed(a, key);
            if (kind == STEER_STEERED)
                steer_link_remove_steered(a->link, list[k]->name);
            else
                steer_link_remove(a->link, kind, list[k]->name);
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
        err = put_rrset(a, d, z, &z->rrsets[i]);
    for (uint32_t i = 0; i < z->steered_count && err == STEER_OK; i++)
        err = put_steered(a, z->steered[i]);
    return err;
}

enum steer_err steer_link_documents(struct steer_link *link,
                                    struct steer_document *const *documents, size_t count,
                                    const struct steer_link_documents_options *options,
                                    struct steer_link_summary *summary, struct steer_diag *diag)
{
    struct applying a = {link, options, summary, {0}, diag};
    enum steer_err err = STEER_OK;
    for (size_t i = 0; i < count && err == STEER_OK; i++) {
        err = put_objects(&a, documents[i]);
        if (err == STEER_OK)
            drop_old_assertions(&a, documents[i]);
    }
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
