// SPDX-License-Identifier: GPL-3.0-or-later
// A zone file of octoDNS -> a document: names and their records.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "octodns_internal.h"
#include "steerd/rr/type.h"

enum { RECORDS_MAX = 64 }; // types at one name

// One record of a name.
struct source {
    struct steer_item item;
    const char *type;
    uint32_t ttl_s;
    bool dynamic;
};

struct importer {
    struct steer_parse p;
    struct octodns_sections to;
    json_t *records;
    char zone[STEER_NAME_TEXT_MAX]; // without its final dot
};

// The name under way.
struct owner {
    const char *key;  // as in documents: "@", "www"
    const char *fqdn; // without its final dot
    struct source sources[RECORDS_MAX];
    size_t count;
    json_t *entries; // one for each TTL
};

// ---- one record ----------------------------------------------------------------------------------

static const char *const record_keys[] = {"type",    "ttl",     "value", "values",
                                          "dynamic", "octodns", "geo"};

// What octodns says for other servers; true: the record is to be passed over.
static bool read_options(struct importer *im, const struct steer_item *record)
{
    static const char *const known[] = {"healthcheck", "lenient"};
    struct steer_parse *p = &im->p;
    struct steer_item octodns, entry;
    struct steer_entries entries;
    bool ignored = false;
    if (!steer_doc_find(p, record, "octodns", &octodns))
        return false;
    steer_entries_of(p, &octodns, &entries);
    while (!p->err && steer_entries_next(&entries, &entry)) {
        bool passed = false;
        for (size_t i = 0; i < STEER_ARRAY_LEN(known); i++)
            passed = passed || strcmp(entry.key, known[i]) == 0;
        if (strcmp(entry.key, "ignored") == 0 && json_is_true(entry.json)) {
            steer_doc_warn(p, entry.key_at, "the record is ignored, as octoDNS does");
            ignored = true;
        } else if (!passed && strcmp(entry.key, "ignored") != 0) {
            steer_doc_warn(p, entry.key_at, "'%.60s' of 'octodns' is left out", entry.key);
        }
    }
    return ignored;
}

static void read_source(struct importer *im, const struct steer_item *record, struct owner *owner)
{
    static const struct steer_shape shape = {.what = "a record",
                                             .example = "{type: A, ttl: 60, value: 192.0.2.1}",
                                             .keys = record_keys,
                                             .key_count = STEER_ARRAY_LEN(record_keys)};
    struct steer_parse *p = &im->p;
    struct steer_item item;
    if (!steer_doc_keys(p, record, &shape))
        return;
    if (!steer_doc_find(p, record, "type", &item)) {
        steer_doc_fail(p, record->at, "a record needs 'type'");
        return;
    }
    const char *type = steer_value_string(p, &item);
    if (read_options(im, record) || p->err)
        return;
    for (size_t i = 0; i < owner->count; i++)
        if (strcmp(owner->sources[i].type, type) == 0)
            steer_doc_fail(p, item.at, "type %.40s is given twice here", type);
    if (steer_doc_find(p, record, "geo", &item))
        steer_doc_fail(p, item.key_at,
                       "'geo' records, which octoDNS gave up, are not converted; write 'dynamic'");
    bool steerable =
        strcmp(type, "A") == 0 || strcmp(type, "AAAA") == 0 || strcmp(type, "CNAME") == 0;
    bool dynamic = steer_doc_find(p, record, "dynamic", &item);
    if (dynamic && !steerable)
        steer_doc_fail(p, item.key_at, "'dynamic' goes only with A, AAAA and CNAME");
    if (owner->count == RECORDS_MAX)
        steer_doc_fail(p, record->at, "more than %d types at one name", RECORDS_MAX);
    if (p->err)
        return;
    owner->sources[owner->count++] = (struct source){
        *record, type, steer_doc_seconds(p, record, "ttl", 0, OCTODNS_TTL_S), dynamic};
}

// ---- one name ------------------------------------------------------------------------------------

// The entry of the document's record that has the TTL.
static json_t *entry_of(struct owner *owner, uint32_t ttl_s)
{
    size_t i;
    json_t *entry;
    json_array_foreach(owner->entries, i, entry)
    {
        if (json_integer_value(json_object_get(entry, "ttl")) == (json_int_t)ttl_s)
            return entry;
    }
    entry = json_pack("{s:I}", "ttl", (json_int_t)ttl_s);
    json_array_append_new(owner->entries, entry);
    return entry;
}

static void read_dynamic(struct importer *im, const struct owner *owner,
                         const struct source *source, struct octodns_dynamic *d)
{
    d->type = source->type;
    d->ttl_s = source->ttl_s;
    octodns_health_read(&im->p, &source->item, owner->fqdn, &d->health);
    octodns_dynamic_read(&im->p, &source->item, d);
}

static void steer(struct importer *im, struct owner *owner, const struct source *first,
                  const struct source *second)
{
    struct octodns_dynamic main = {0}, twin = {0};
    read_dynamic(im, owner, first, &main);
    if (second && !im->p.err)
        read_dynamic(im, owner, second, &twin);
    // The object's names begin with the owner's; a wildcard has none that they could.
    struct steer_buf base = {0};
    bool wild = *owner->fqdn == '*';
    steer_buf_printf(&base, "%s%s", wild ? "_wildcard" : "", owner->fqdn + wild);
    json_t *tree =
        im->p.err ? NULL : octodns_merge(&im->p, &im->to, base.data, &main, second ? &twin : NULL);
    if (tree) {
        json_t *entry = entry_of(owner, first->ttl_s);
        if (strcmp(first->type, "CNAME") == 0)
            json_object_set_new(entry, "kind", json_string("cname"));
        json_object_set_new(entry, "steer", tree);
    }
    steer_buf_fini(&base);
    octodns_dynamic_fini(&main);
    octodns_dynamic_fini(&twin);
}

static void put_steered(struct importer *im, struct owner *owner)
{
    const struct source *found[2] = {NULL, NULL};
    size_t count = 0;
    for (size_t i = 0; i < owner->count; i++)
        if (owner->sources[i].dynamic && count < 2)
            found[count++] = &owner->sources[i];
    if (!count)
        return;
    bool in_order = count < 2 || strcmp(found[0]->type, "A") == 0;
    for (size_t i = 0; i < owner->count; i++) {
        const struct source *s = &owner->sources[i];
        static const char *const given[] = {"A", "AAAA", "HTTPS", "SVCB"};
        bool owned = strcmp(found[0]->type, "CNAME") == 0;
        for (size_t k = 0; k < STEER_ARRAY_LEN(given); k++)
            owned = owned || strcmp(s->type, given[k]) == 0;
        if (!s->dynamic && owned)
            steer_doc_fail(&im->p, s->item.at,
                           "%.40s stands beside a dynamic %s, which steers all of this name's "
                           "addresses here; make it dynamic too, or give it another name",
                           s->type, found[0]->type);
    }
    if (!im->p.err)
        steer(im, owner, found[in_order ? 0 : 1], count == 2 ? found[in_order ? 1 : 0] : NULL);
}

static void put_static(struct importer *im, struct owner *owner)
{
    for (size_t i = 0; i < owner->count && !im->p.err; i++) {
        const struct source *s = &owner->sources[i];
        if (s->dynamic)
            continue;
        json_t *values = octodns_values_read(&im->p, &s->item, s->type);
        json_object_set_new(entry_of(owner, s->ttl_s), s->type, values);
    }
}

static void read_owner(struct importer *im, const struct steer_item *name)
{
    struct steer_parse *p = &im->p;
    struct owner owner = {.key = *name->key ? name->key : "@"};
    struct steer_entries entries;
    struct steer_item entry;
    if (strcmp(name->key, "@") == 0)
        steer_doc_fail(p, name->key_at, "octoDNS writes the zone's own name '', not '@'");
    struct steer_buf fqdn = {0};
    steer_buf_printf(&fqdn, "%s%s%s", name->key, *name->key ? "." : "", im->zone);
    owner.fqdn = steer_arena_strdup(p->arena, fqdn.data);
    steer_buf_fini(&fqdn);
    if (json_is_array(name->json)) {
        steer_entries_of(p, name, &entries);
        while (!p->err && steer_entries_next(&entries, &entry))
            read_source(im, &entry, &owner);
    } else {
        read_source(im, name, &owner);
    }
    if (p->err || !owner.count)
        return;
    owner.entries = json_array();
    put_steered(im, &owner);
    put_static(im, &owner);
    bool single = json_array_size(owner.entries) == 1;
    json_object_set(im->records, owner.key,
                    single ? json_array_get(owner.entries, 0) : owner.entries);
    json_decref(owner.entries);
}

// ---- the whole -----------------------------------------------------------------------------------

static void read_zone(struct importer *im)
{
    struct steer_parse *p = &im->p;
    const struct steer_item root = {.json = p->tree->root, .at = p->tree->at};
    struct steer_entries entries;
    struct steer_item name;
    if (!json_is_object(root.json))
        steer_doc_fail(p, root.at, "a zone file of octoDNS is a mapping of names, not %s",
                       steer_json_kind(root.json));
    steer_entries_of(p, &root, &entries);
    while (!p->err && steer_entries_next(&entries, &name))
        read_owner(im, &name);
}

static void write_document(const struct importer *im, struct steer_buf *yaml)
{
    const struct {
        const char *key;
        json_t *section;
    } sections[] = {{"checks", im->to.checks},
                    {"endpoints", im->to.endpoints},
                    {"pools", im->to.pools},
                    {"records", im->records}};
    json_t *root = json_pack("{s:s}", "zone", im->zone);
    for (size_t i = 0; i < STEER_ARRAY_LEN(sections); i++)
        if (json_object_size(sections[i].section))
            json_object_set(root, sections[i].key, sections[i].section);
    steer_buf_printf(yaml, "# Converted from octoDNS's %.200s\n", im->p.file);
    steer_yaml_write(root, false, yaml);
    json_decref(root);
}

// What was made is held to what apply holds it to, so that nothing wrong is handed out.
static enum steer_err check_document(const struct steer_buf *yaml, const char *file,
                                     struct steer_diag *diag)
{
    struct steer_document *document = NULL;
    struct steer_diag why = {0};
    enum steer_err err = steer_document_parse(yaml->data, yaml->len, file, file, &document, &why);
    if (!err) {
        struct steer_catalog *catalog = steer_catalog_create();
        for (uint32_t i = 0; i < document->object_count; i++)
            steer_catalog_put(catalog, document->objects[i]);
        for (uint32_t z = 0; z < document->zone_count; z++)
            for (uint32_t i = 0; i < document->zones[z].steered_count; i++)
                steer_catalog_put(catalog, document->zones[z].steered[i]);
        err = steer_catalog_check(catalog, &why);
        steer_catalog_unref(catalog);
    }
    steer_document_destroy(document);
    if (!err)
        return STEER_OK;
    (void)steer_diag_at(diag, file, 0, 0, "no document can be made of it: %.900s", why.message);
    return err;
}

static void importer_fini(struct importer *im)
{
    json_decref(im->to.checks);
    json_decref(im->to.endpoints);
    json_decref(im->to.pools);
    json_decref(im->records);
}

enum steer_err steer_octodns_import(const char *text, size_t len, const char *file,
                                    const char *zone, struct steer_buf *yaml,
                                    struct steer_octodns_notes *notes, struct steer_diag *diag)
{
    struct steer_tree tree;
    struct steer_diag own;
    struct steer_name origin;
    struct steer_arena arena;
    struct steer_warnings warnings = {0};
    diag = diag ? diag : &own;
    if (len > STEER_DOCUMENT_MAX_BYTES)
        return steer_diag_set(diag, STEER_ELIMIT, "a zone file of more than %d MB",
                              STEER_DOCUMENT_MAX_BYTES >> 20);
    enum steer_err err = steer_name_parse(zone, NULL, &origin, diag);
    if (!err)
        err = steer_tree_parse(text, len, file, &tree, diag);
    if (err)
        return err;
    steer_arena_init(&arena);
    steer_name_lower(&origin);
    struct importer im = {.p = {.tree = &tree,
                                .file = file,
                                .document = file,
                                .diag = diag,
                                .arena = &arena,
                                .origin = &origin,
                                .warnings = &warnings},
                          .to = {json_object(), json_object(), json_object()},
                          .records = json_object()};
    steer_name_format(origin.octets, im.zone);
    if (im.zone[1])
        im.zone[strlen(im.zone) - 1] = '\0';
    read_zone(&im);
    struct steer_buf made = {0};
    err = im.p.err;
    if (!err)
        write_document(&im, &made);
    if (!err)
        err = check_document(&made, file, diag);
    if (!err)
        steer_buf_add(yaml, made.data, made.len);
    *notes = (struct steer_octodns_notes){warnings.items, warnings.count};
    steer_buf_fini(&made);
    importer_fini(&im);
    steer_arena_fini(&arena);
    steer_tree_fini(&tree);
    return err;
}
