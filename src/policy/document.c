// SPDX-License-Identifier: GPL-3.0-or-later
// The top level of a document.
#include <stdlib.h>
#include <string.h>

#include "policy_internal.h"

// Keys of the top level that hold objects by name, in the order in which objects are given out.
static const struct {
    const char *key;
    enum steer_kind kind;
    const char *example;
} object_keys[] = {
    {"sites", STEER_SITE, "{fra: {at: EU-DE}}"},
    {"checks", STEER_CHECK, "{web: {type: http, port: 80, path: /healthz}}"},
    {"endpoints", STEER_ENDPOINT, "{fra-1: {ipv4: 192.0.2.10, check: web}}"},
    {"pools", STEER_POOL, "{eu: {endpoints: {fra-1: 10}}}"},
    {"switches", STEER_SWITCH, "{colour: {positions: [blue, green]}}"},
    {"latencies", STEER_LATENCY, "{world: {rows: {EU-DE: {fra: 9, iad: 95}}}}"},
    {"policies", STEER_POLICY, "{main: {failover: [{pool: eu}, {pool: us}]}}"},
};

static void parse_objects(struct steer_parse *p, const struct steer_item *root,
                          struct steer_document *document)
{
    struct steer_item group, entry;
    struct steer_entries entries;
    size_t total = 0;
    for (size_t i = 0; i < STEER_ARRAY_LEN(object_keys); i++)
        if (steer_doc_find(p, root, object_keys[i].key, &group) &&
            steer_doc_mapping(p, &group, object_keys[i].example))
            total += json_object_size(group.json);
    document->objects = steer_arena_calloc(&document->arena, total * sizeof *document->objects);
    p->object_cap = total;
    for (size_t i = 0; i < STEER_ARRAY_LEN(object_keys); i++) {
        if (!steer_doc_find(p, root, object_keys[i].key, &group))
            continue;
        steer_entries_of(p, &group, &entries);
        while (!p->err && steer_entries_next(&entries, &entry)) {
            struct steer_object *object = steer_parse_object(p, object_keys[i].kind, &entry);
            if (object)
                document->objects[document->object_count++] = object;
        }
    }
}

static void parse_one_zone(struct steer_parse *p, const struct steer_item *mapping,
                           struct steer_document *document)
{
    struct steer_document_zone *zone = &document->zones[document->zone_count++];
    p->arena = &document->arena;
    steer_parse_zone(p, mapping, zone);
    p->arena = NULL;
}

static void parse_zone_list(struct steer_parse *p, const struct steer_item *list,
                            struct steer_document *document)
{
    static const char *const keys[] = {"zone", "soa", "ns", "records", "assert"};
    static const struct steer_shape shape = {.what = "an entry of 'zones'",
                                             .example = "{zone: example.com, records: {...}}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_entries entries;
    struct steer_item entry;
    if (!steer_doc_list(p, list, "[{zone: example.com, records: {...}}]"))
        return;
    document->zones =
        steer_arena_calloc(&document->arena, json_array_size(list->json) * sizeof *document->zones);
    struct steer_map seen = {0};
    steer_entries_of(p, list, &entries);
    while (!p->err && steer_entries_next(&entries, &entry) && steer_doc_keys(p, &entry, &shape)) {
        parse_one_zone(p, &entry, document);
        struct steer_document_zone *zone = &document->zones[document->zone_count - 1];
        char text[STEER_NAME_TEXT_MAX];
        uint32_t first;
        if (p->err)
            break;
        p->origin = &zone->origin;
        steer_parse_assertions(p, &entry, &zone->origin, document);
        p->origin = NULL;
        steer_name_format(zone->origin.octets, text);
        if (steer_map_get(&seen, text, &first))
            steer_doc_fail(p, zone->at,
                           "zone %.200s is given twice; it first stands at line %u, column %u",
                           text, document->zones[first].at.line, document->zones[first].at.column);
        steer_map_put(&seen, text, document->zone_count - 1);
    }
    steer_map_fini(&seen);
}

static void parse_zones(struct steer_parse *p, const struct steer_item *root,
                        struct steer_document *document)
{
    static const char *const of_zone[] = {"soa", "ns", "records"};
    struct steer_item item, list;
    bool single = steer_doc_find(p, root, "zone", &item);
    bool several = steer_doc_find(p, root, "zones", &list);
    if (single && several)
        steer_doc_fail(p, list.key_at, "give 'zone' or 'zones', not both");
    for (size_t i = 0; !single && i < STEER_ARRAY_LEN(of_zone); i++)
        if (steer_doc_find(p, root, of_zone[i], &item))
            steer_doc_fail(p, item.key_at, "'%s' needs 'zone', the name of the zone, beside it",
                           item.key);
    if (single) {
        document->zones = steer_arena_calloc(&document->arena, sizeof *document->zones);
        parse_one_zone(p, root, document);
    } else if (several) {
        parse_zone_list(p, &list, document);
    }
}

static void parse_root(struct steer_parse *p, struct steer_document *document)
{
    static const char *const keys[] = {"zone",     "zones",     "soa",   "ns",       "checks",
                                       "sites",    "endpoints", "pools", "switches", "latencies",
                                       "policies", "records",   "assert"};
    static const char *const later[] = {"rollouts", "overrides", "tables", "locations", "settings"};
    static const struct steer_shape shape = {.what = "a document",
                                             .example = "{zone: example.com, records: {...}}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys),
                                             .later = later,
                                             .later_count = STEER_ARRAY_LEN(later)};
    const struct steer_item root = {.json = p->tree->root, .at = p->tree->at};
    if (!steer_doc_keys(p, &root, &shape))
        return;
    if (json_object_size(root.json) == 0)
        steer_doc_fail(p, root.at, "the document is empty");
    parse_objects(p, &root, document);
    parse_zones(p, &root, document);
    // Where the document has one zone, names in `records` may be relative to it.
    p->origin = document->zone_count == 1 ? &document->zones[0].origin : NULL;
    steer_parse_assertions(p, &root, NULL, document);
    p->origin = NULL;
}

enum steer_err steer_document_parse(const char *text, size_t len, const char *name,
                                    const char *file, struct steer_document **document,
                                    struct steer_diag *diag)
{
    struct steer_tree tree;
    struct steer_diag own; // so that parsers may rely on one
    struct steer_warnings warnings = {0};
    file = file ? file : "";
    if (len > STEER_DOCUMENT_MAX_BYTES) {
        (void)steer_diag_at(diag, file, 0, 0, "a document of more than %d MB",
                            STEER_DOCUMENT_MAX_BYTES >> 20);
        return STEER_ELIMIT;
    }
    diag = diag ? diag : &own;
    enum steer_err err = steer_tree_parse(text, len, file, &tree, diag);
    if (err)
        return err;
    struct steer_document *made = steer_calloc(1, sizeof *made);
    steer_arena_init(&made->arena);
    made->name = steer_arena_strdup(&made->arena, name);
    struct steer_parse p = {
        .tree = &tree, .file = file, .document = made->name, .diag = diag, .warnings = &warnings};
    parse_root(&p, made);
    steer_map_fini(&p.assertions);
    steer_tree_fini(&tree);
    made->warning_count = (uint32_t)warnings.count;
    made->warnings =
        steer_arena_memdup(&made->arena, warnings.items, warnings.count * sizeof *warnings.items);
    free(warnings.items);
    if (p.err)
        steer_document_destroy(made);
    else
        *document = made;
    return p.err;
}

void steer_document_destroy(struct steer_document *document)
{
    if (!document)
        return;
    for (uint32_t i = 0; i < document->object_count; i++)
        steer_object_unref(document->objects[i]);
    for (uint32_t i = 0; i < document->zone_count; i++)
        steer_zone_release(&document->zones[i]);
    steer_arena_fini(&document->arena);
    free(document);
}
