// SPDX-License-Identifier: GPL-3.0-or-later
// Assertions: `assert` of a document or of one of its zones.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_internal.h"
#include "steerd/base/buf.h"

enum { PPM = 1000000 };

static struct steer_assertion *body(struct steer_object *object)
{
    return &object->assertion;
}

// A value, or each value of a list.
struct values {
    struct steer_entries entries;
    struct steer_item one;
    bool list, done;
    size_t count;
};

static bool values_of(struct steer_parse *p, const struct steer_item *item, const char *example,
                      struct values *values)
{
    *values = (struct values){.one = *item, .list = json_is_array(item->json), .count = 1};
    if (values->list) {
        if (!steer_doc_list(p, item, example))
            return false;
        steer_entries_of(p, item, &values->entries);
        values->count = json_array_size(item->json);
    }
    return !p->err;
}

static bool values_next(struct values *values, struct steer_item *item)
{
    if (values->list)
        return steer_entries_next(&values->entries, item);
    *item = values->one;
    item->key = NULL;
    const bool first = !values->done;
    values->done = true;
    return first;
}

// ---- clients -------------------------------------------------------------------------------------

static bool is_asn(const char *text)
{
    const bool prefixed = (text[0] == 'A' || text[0] == 'a') && (text[1] == 'S' || text[1] == 's');
    const size_t digits = prefixed ? strspn(text + 2, "0123456789") : 0;
    return digits && !text[2 + digits];
}

static void parse_client(struct steer_parse *p, const struct steer_item *item,
                         struct steer_assertion *a, struct steer_place *places,
                         struct steer_prefix *prefixes, uint32_t *asns)
{
    struct steer_network_text network;
    struct steer_diag why;
    struct steer_prefix prefix;
    bool host_bits = false;
    char right[64];
    const char *text = steer_value_string(p, item);
    if (p->err)
        return;
    if (is_asn(text)) {
        if (steer_parse_network_text(p, item, text, &network))
            asns[a->asn_count++] = network.asn;
        return;
    }
    if (steer_prefix_parse(text, &prefix, &host_bits)) {
        prefixes[a->prefix_count++] = prefix;
        return;
    }
    if (host_bits)
        steer_doc_fail(p, item->at, "'%.60s' has bits set beyond its length; %s would be right",
                       text, steer_prefix_format(&prefix, right, sizeof right));
    else if (strpbrk(text, ".:/"))
        steer_doc_fail(p, item->at,
                       "'%.80s' is not a network like 192.0.2.0/24, 2001:db8::/32 or AS64500",
                       text);
    else if (steer_place_parse(text, &places[a->place_count++], &why))
        steer_doc_fail(p, item->at, "%s", why.message);
}

static void parse_clients(struct steer_parse *p, const struct steer_item *mapping,
                          struct steer_assertion *a)
{
    struct steer_item item, entry;
    struct values values;
    if (!steer_doc_find(p, mapping, "clients", &item) ||
        !values_of(p, &item, "[EU, 192.0.2.0/24, AS64500]", &values))
        return;
    struct steer_place *places = steer_arena_calloc(p->arena, values.count * sizeof *places);
    struct steer_prefix *prefixes = steer_arena_calloc(p->arena, values.count * sizeof *prefixes);
    uint32_t *asns = steer_arena_calloc(p->arena, values.count * sizeof *asns);
    while (!p->err && values_next(&values, &entry))
        parse_client(p, &entry, a, places, prefixes, asns);
    a->places = places;
    a->prefixes = prefixes;
    a->asns = asns;
}

// ---- targets -------------------------------------------------------------------------------------

static void parse_target(struct steer_parse *p, const struct steer_item *item,
                         struct steer_target *target)
{
    static const char *const keys[] = {"pool", "endpoint", "site"};
    static const enum steer_kind kinds[] = {STEER_POOL, STEER_ENDPOINT, STEER_SITE};
    static const struct steer_shape shape = {
        .what = "a target", .example = "{pool: eu}", .keys = keys, .key_count = 3};
    struct steer_item name;
    *target = (struct steer_target){.kind = STEER_KINDS, .name = "", .at = item->at};
    if (!json_is_object(item->json)) {
        target->name = steer_value_name(p, item);
        return;
    }
    if (!steer_doc_keys(p, item, &shape))
        return;
    if (json_object_size(item->json) != 1)
        steer_doc_fail(p, item->at, "give one of pool, endpoint and site, like {pool: eu}");
    for (unsigned i = 0; i < STEER_ARRAY_LEN(keys); i++) {
        if (!steer_doc_find(p, item, keys[i], &name))
            continue;
        target->kind = kinds[i];
        target->name = steer_value_name(p, &name);
        target->at = name.at;
    }
}

static void parse_targets(struct steer_parse *p, const struct steer_item *item,
                          struct steer_assertion *a)
{
    struct values values;
    struct steer_item entry;
    if (!values_of(p, item, "[eu, us]", &values))
        return;
    struct steer_target *targets = steer_arena_calloc(p->arena, values.count * sizeof *targets);
    while (!p->err && values_next(&values, &entry))
        parse_target(p, &entry, &targets[a->target_count++]);
    a->targets = targets;
}

// ---- shares --------------------------------------------------------------------------------------

static uint32_t parse_bound(struct steer_parse *p, const struct steer_item *mapping,
                            const char *key, bool *has)
{
    struct steer_item item;
    *has = steer_doc_find(p, mapping, key, &item);
    if (!*has)
        return 0;
    const char *text = json_string_value(item.json);
    return text && strcmp(text, "100%") == 0 ? PPM : steer_value_percent(p, &item);
}

static void parse_share(struct steer_parse *p, const struct steer_item *item,
                        struct steer_assertion *a)
{
    static const char *const keys[] = {"of", "max", "min"};
    static const struct steer_shape shape = {.what = "'share'",
                                             .example = "{of: canary, max: 5%}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_item of;
    if (!steer_doc_keys(p, item, &shape))
        return;
    if (!steer_doc_find(p, item, "of", &of)) {
        steer_doc_fail(p, item->at, "'share' needs 'of', a pool, endpoint or site");
        return;
    }
    struct steer_target *target = steer_arena_calloc(p->arena, sizeof *target);
    parse_target(p, &of, target);
    a->targets = target;
    a->target_count = 1;
    a->max_ppm = parse_bound(p, item, "max", &a->has_max);
    a->min_ppm = parse_bound(p, item, "min", &a->has_min);
    if (!a->has_max && !a->has_min)
        steer_doc_fail(p, item->at, "'share' needs 'max' or 'min', like max: 5%%");
    if (a->has_max && a->has_min && a->min_ppm > a->max_ppm)
        steer_doc_fail(p, item->at, "'min' is above 'max'");
}

// ---- records -------------------------------------------------------------------------------------

static void parse_record_names(struct steer_parse *p, const struct steer_item *mapping,
                               struct steer_assertion *a)
{
    struct steer_item item, entry;
    struct values values;
    if (!steer_doc_find(p, mapping, "records", &item) ||
        !values_of(p, &item, "[api, www]", &values))
        return;
    struct steer_name *records = steer_arena_calloc(p->arena, values.count * sizeof *records);
    while (!p->err && values_next(&values, &entry)) {
        struct steer_name *name = &records[a->record_count++];
        const char *text = json_string_value(entry.json);
        if (!p->origin && text && *text && text[strlen(text) - 1] != '.')
            steer_doc_fail(p, entry.at,
                           "'%.80s' must be absolute, because the document has several zones: "
                           "end it with a dot",
                           text);
        steer_parse_name(p, &entry, name);
        steer_name_lower(name);
    }
    a->records = records;
}

// ---- one of them ---------------------------------------------------------------------------------

static void put_percent(struct steer_buf *out, const char *word, uint32_t ppm)
{
    steer_buf_printf(out, "%s %g%%", word, (double)ppm / 10000);
}

// "clients EU: only eu, us"
static const char *describe(struct steer_parse *p, const struct steer_assertion *a)
{
    static const char *const words[] = {"survive any-one-site", "survive any-one-endpoint", "only",
                                        "never", "share of"};
    struct steer_buf text = {0};
    char name[64];
    for (uint32_t i = 0; i < a->place_count; i++)
        steer_buf_printf(&text, "%s%s", text.len ? ", " : "clients ",
                         steer_place_format(&a->places[i], name, sizeof name));
    for (uint32_t i = 0; i < a->prefix_count; i++)
        steer_buf_printf(&text, "%s%s", text.len ? ", " : "clients ",
                         steer_prefix_format(&a->prefixes[i], name, sizeof name));
    for (uint32_t i = 0; i < a->asn_count; i++)
        steer_buf_printf(&text, "%sAS%u", text.len ? ", " : "clients ", a->asns[i]);
    steer_buf_printf(&text, "%s%s", text.len ? ": " : "", words[a->kind]);
    for (uint32_t i = 0; i < a->target_count; i++)
        steer_buf_printf(&text, "%s%s", i ? ", " : " ", a->targets[i].name);
    if (a->each_type)
        steer_buf_puts(&text, " with each type");
    if (a->has_max)
        put_percent(&text, " at most", a->max_ppm);
    if (a->has_min)
        put_percent(&text, a->has_max ? ", at least" : " at least", a->min_ppm);
    const char *kept = steer_arena_strdup(p->arena, text.data);
    steer_buf_fini(&text);
    return kept;
}

static void parse_what(struct steer_parse *p, const struct steer_item *item,
                       struct steer_assertion *a)
{
    static const char *const kinds[] = {"survive", "only", "never", "share"};
    static const char *const losses[] = {"any-one-site", "any-one-endpoint"};
    struct steer_item what = {0}, found;
    unsigned kind = STEER_ARRAY_LEN(kinds);
    for (unsigned i = 0; i < STEER_ARRAY_LEN(kinds); i++) {
        if (!steer_doc_find(p, item, kinds[i], &found))
            continue;
        if (what.json)
            steer_doc_fail(p, found.key_at, "'%s' and '%s' are two assertions; give each an entry",
                           what.key, found.key);
        what = found;
        kind = i;
    }
    if (!what.json) {
        steer_doc_fail(p, item->at, "an assertion needs one of survive, only, never and share");
        return;
    }
    if (kind == 0)
        a->kind = (enum steer_assertion_kind)steer_doc_choice(p, item, "survive", losses, 2, 2, 0);
    else
        a->kind = kind == 1 ? STEER_ONLY : kind == 2 ? STEER_NEVER : STEER_SHARE;
    a->each_type = steer_doc_bool(p, item, "each_type", false);
    if (kind && steer_doc_find(p, item, "each_type", &found))
        steer_doc_fail(p, found.key_at, "'each_type' goes with 'survive'");
    if (kind == 3)
        parse_share(p, &what, a);
    else if (kind)
        parse_targets(p, &what, a);
}

// As it stands, with `records` absolute and with the zone that it stands in.
static json_t *canonical(const struct steer_assertion *a, const json_t *json)
{
    json_t *definition = json_deep_copy(json);
    char text[STEER_NAME_TEXT_MAX];
    json_object_del(definition, "name");
    if (a->zone)
        json_object_set_new(definition, "zone",
                            json_string(steer_name_format(a->zone->octets, text)));
    json_t *records = json_array();
    for (uint32_t i = 0; i < a->record_count; i++)
        json_array_append_new(records, json_string(steer_name_format(a->records[i].octets, text)));
    if (a->record_count)
        json_object_set(definition, "records", records);
    json_decref(records);
    return definition;
}

// Stored assertions say in which zone's entry they stood.
static const struct steer_name *zone_of(struct steer_parse *p, const struct steer_item *item,
                                        const struct steer_name *zone)
{
    struct steer_item found;
    if (!zone && !(p->tree == NULL && steer_doc_find(p, item, "zone", &found)))
        return NULL;
    struct steer_name *own = steer_arena_calloc(p->arena, sizeof *own);
    if (zone)
        *own = *zone;
    else
        steer_parse_name(p, &found, own);
    steer_name_lower(own);
    return own;
}

struct steer_object *steer_parse_assertion(struct steer_parse *p, const char *name,
                                           const struct steer_item *item,
                                           const struct steer_name *zone)
{
    static const char *const keys[] = {"name",  "clients", "survive",   "only", "never",
                                       "share", "records", "each_type", "zone"};
    const struct steer_shape shape = {.what = "an assertion",
                                      .example = "{clients: [EU], only: [eu, us]}",
                                      .keys = keys,
                                      .key_count = STEER_ARRAY_LEN(keys) - (p->tree ? 1 : 0)};
    if (!steer_doc_keys(p, item, &shape))
        return NULL;
    struct steer_object *object = steer_object_create(STEER_ASSERTION);
    struct steer_assertion *a = body(object);
    struct steer_arena *arena = p->arena;
    p->arena = &object->arena;
    parse_what(p, item, a);
    parse_clients(p, item, a);
    parse_record_names(p, item, a);
    a->zone = zone_of(p, item, zone);
    if (!p->err) {
        json_t *definition = canonical(a, item->json);
        a->text = describe(p, a);
        steer_object_seal(object, name, definition, p, item->at);
        json_decref(definition);
    }
    p->arena = arena;
    if (!p->err)
        return object;
    steer_object_unref(object);
    return NULL;
}

// ---- all of a document -----------------------------------------------------------------------------

// "DOCUMENT/NAME"; without a name the assertion's position in the document.
static void full_name(struct steer_parse *p, const struct steer_item *item, uint32_t position,
                      struct steer_buf *out)
{
    struct steer_item name;
    steer_buf_clear(out);
    if (json_is_object(item->json) && steer_doc_find(p, item, "name", &name))
        steer_buf_printf(out, "%s/%s", p->document,
                         json_is_string(name.json) ? json_string_value(name.json) : "");
    else
        steer_buf_printf(out, "%s/%u", p->document, position);
    if (json_is_object(item->json) && steer_doc_find(p, item, "name", &name) &&
        (!json_is_string(name.json) || !steer_name_text_valid(json_string_value(name.json))))
        steer_doc_fail(p, name.at,
                       "the name of an assertion is 1 to 63 letters, digits, '_', '.' or '-'");
}

static void note_once(struct steer_parse *p, const char *name, struct steer_where at)
{
    uint32_t line;
    if (steer_map_get(&p->assertions, name, &line))
        steer_doc_fail(p, at, "assertion '%s' is given twice; the other one stands at line %u",
                       strrchr(name, '/') + 1, line);
    steer_map_put(&p->assertions, name, at.line);
}

static void add_object(struct steer_parse *p, struct steer_document *document,
                       struct steer_object *object)
{
    if (document->object_count == p->object_cap) {
        p->object_cap = p->object_cap ? 2 * p->object_cap : 16;
        struct steer_object **objects =
            steer_arena_calloc(&document->arena, p->object_cap * sizeof(struct steer_object *));
        if (document->object_count)
            memcpy(objects, document->objects,
                   document->object_count * sizeof(struct steer_object *));
        document->objects = objects;
    }
    document->objects[document->object_count++] = object;
}

void steer_parse_assertions(struct steer_parse *p, const struct steer_item *mapping,
                            const struct steer_name *zone, struct steer_document *document)
{
    struct steer_item list, item;
    struct steer_entries entries;
    struct steer_buf name = {0};
    if (!steer_doc_find(p, mapping, "assert", &list) ||
        (json_is_array(list.json) && json_array_size(list.json) == 0) || // none any more
        !steer_doc_list(p, &list, "[{survive: any-one-site}]"))
        return;
    steer_entries_of(p, &list, &entries);
    while (!p->err && steer_entries_next(&entries, &item)) {
        struct steer_arena *arena = p->arena;
        p->arena = &document->arena;
        full_name(p, &item, ++document->assertion_count, &name);
        p->arena = arena;
        if (!p->err)
            note_once(p, name.data, item.at);
        struct steer_object *object =
            p->err ? NULL : steer_parse_assertion(p, name.data, &item, zone);
        if (object)
            add_object(p, document, object);
    }
    steer_buf_fini(&name);
}
