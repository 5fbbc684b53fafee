// SPDX-License-Identifier: GPL-3.0-or-later
// Zones and their records, static and steered.
#include <stdlib.h>
#include <string.h>

#include "policy_internal.h"
#include "steerd/rr/type.h"
#include "steerd/wire/message.h"

enum { RECORD_TTL_S = 300, APEX_TTL_S = 3600 };

// ---- apex ----------------------------------------------------------------------------------------

static void parse_origin(struct steer_parse *p, const struct steer_item *mapping,
                         struct steer_document_zone *zone)
{
    struct steer_item item;
    struct steer_diag why;
    if (!steer_doc_find(p, mapping, "zone", &item)) {
        steer_doc_fail(p, mapping->at, "a zone needs 'zone', its name");
        return;
    }
    const char *text = json_string_value(item.json);
    if (!text)
        steer_doc_mismatch(p, &item, "a domain name");
    else if (steer_name_parse(text, NULL, &zone->origin, &why))
        steer_doc_fail(p, item.at, "%s", why.message);
    else if (zone->origin.octets[0] == 1 && zone->origin.octets[1] == '*')
        steer_doc_fail(p, item.at, "a zone must not begin with '*'");
    steer_name_lower(&zone->origin);
    zone->at = item.at;
}

// An e-mail address in place of the mailbox name is what people have: the part before the '@' becomes
// one label (RFC 1035 8).
static void parse_mailbox(struct steer_parse *p, const struct steer_item *item,
                          struct steer_name *name)
{
    const char *text = json_string_value(item->json);
    const char *sign = text ? strchr(text, '@') : NULL;
    struct steer_diag why;
    struct steer_name domain, local = {.labels = 1};
    if (!sign || sign == text || sign - text > STEER_LABEL_MAX) {
        steer_parse_name(p, item, name);
        return;
    }
    local.octets[0] = (uint8_t)(sign - text);
    memcpy(local.octets + 1, text, (size_t)(sign - text));
    if (steer_name_parse(sign + 1, NULL, &domain, &why))
        steer_doc_fail(p, item->at, "%s", why.message);
    else if (!steer_name_join(local.octets, (size_t)(sign - text) + 1, domain.octets, name))
        steer_doc_fail(p, item->at, "'%.80s' is too long for a domain name", text);
}

static void parse_soa(struct steer_parse *p, const struct steer_item *mapping,
                      struct steer_document_zone *zone)
{
    static const char *const keys[] = {"mname",  "rname",   "refresh", "retry",
                                       "expire", "minimum", "ttl"};
    static const struct steer_shape shape = {.what = "'soa'",
                                             .example = "{mname: ns1.example.net., minimum: 5m}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    struct steer_item soa = {.json = mapping->json}, item;
    struct steer_diag why;
    zone->has_soa = steer_doc_find(p, mapping, "soa", &soa);
    if (zone->has_soa && !steer_doc_keys(p, &soa, &shape))
        return;
    if (!zone->has_soa) // every key then has its default
        soa.json = NULL;
    if (!p->err && (steer_name_parse("ns", &zone->origin, &zone->soa.mname, &why) ||
                    steer_name_parse("hostmaster", &zone->origin, &zone->soa.rname, &why)))
        steer_doc_fail(p, zone->at, "the name of the zone is too long to name its server: %s",
                       why.message);
    if (steer_doc_find(p, &soa, "mname", &item))
        steer_parse_name(p, &item, &zone->soa.mname);
    if (steer_doc_find(p, &soa, "rname", &item))
        parse_mailbox(p, &item, &zone->soa.rname);
    zone->soa.refresh_s = steer_doc_seconds(p, &soa, "refresh", 1, 7200);
    zone->soa.retry_s = steer_doc_seconds(p, &soa, "retry", 1, 900);
    zone->soa.expire_s = steer_doc_seconds(p, &soa, "expire", 1, 1209600);
    zone->soa.minimum_s = steer_doc_seconds(p, &soa, "minimum", 0, 300);
    zone->soa.ttl_s = steer_doc_seconds(p, &soa, "ttl", 0, APEX_TTL_S);
}

static void parse_ns(struct steer_parse *p, const struct steer_item *mapping,
                     struct steer_document_zone *zone)
{
    struct steer_item item, entry;
    struct steer_entries entries;
    if (!steer_doc_find(p, mapping, "ns", &item))
        return;
    if (json_is_string(item.json)) {
        zone->ns = steer_arena_calloc(p->arena, sizeof *zone->ns);
        steer_parse_name(p, &item, &zone->ns[zone->ns_count++]);
        return;
    }
    if (!steer_doc_list(p, &item, "[ns1.example.net., ns2.example.net.]"))
        return;
    zone->ns = steer_arena_calloc(p->arena, json_array_size(item.json) * sizeof *zone->ns);
    steer_entries_of(p, &item, &entries);
    while (!p->err && steer_entries_next(&entries, &entry))
        steer_parse_name(p, &entry, &zone->ns[zone->ns_count++]);
}

// ---- owners --------------------------------------------------------------------------------------

static void parse_owner(struct steer_parse *p, const struct steer_item *record,
                        const struct steer_name *origin, struct steer_name *owner)
{
    struct steer_diag why;
    char zone[STEER_NAME_TEXT_MAX];
    if (strcmp(record->key, "@") == 0) {
        *owner = *origin;
        return;
    }
    if (steer_name_parse(record->key, origin, owner, &why)) {
        steer_doc_fail(p, record->key_at, "%s", why.message);
        return;
    }
    steer_name_lower(owner);
    // "www.example.com" in example.com: without a final dot it is one level too deep, as in a master file.
    struct steer_name whole;
    if (record->key[strlen(record->key) - 1] != '.' &&
        steer_name_parse(record->key, NULL, &whole, &why) == STEER_OK) {
        steer_name_lower(&whole);
        if (steer_name_is_below(whole.octets, origin->octets) ||
            steer_name_equal(whole.octets, origin->octets))
            steer_doc_warn(p, record->key_at,
                           "'%.80s' is %.200s here, below the zone; with a final dot it is itself",
                           record->key, steer_name_format(owner->octets, zone));
    }
    if (!steer_name_is_below(owner->octets, origin->octets) &&
        !steer_name_equal(owner->octets, origin->octets))
        steer_doc_fail(
            p, record->key_at,
            "'%.80s' is outside the zone %.200s; without its final dot it would be below it",
            record->key, steer_name_format(origin->octets, zone));
}

// Names of a zone that were given, each with its place.
struct owners {
    struct steer_map map; // text of the owner -> index into at
    struct steer_where *at;
    uint32_t count;
};

static void note_owner(struct steer_parse *p, struct owners *owners, const struct steer_name *owner,
                       const struct steer_item *record)
{
    char text[STEER_NAME_TEXT_MAX];
    uint32_t first;
    if (p->err)
        return;
    steer_name_format(owner->octets, text);
    if (steer_map_get(&owners->map, text, &first)) {
        steer_doc_fail(p, record->key_at,
                       "%.200s is given twice; it first stands at line %u, column %u; several "
                       "records of one name are a list there",
                       text, owners->at[first].line, owners->at[first].column);
        return;
    }
    steer_map_put(&owners->map, text, owners->count);
    owners->at[owners->count++] = record->key_at;
}

// ---- records -------------------------------------------------------------------------------------

static const char *const record_keys[] = {"ttl",  "steer",  "kind",
                                          "draw", "sticky", "allow_negative"};

static bool is_record_key(const char *key)
{
    for (size_t i = 0; i < STEER_ARRAY_LEN(record_keys); i++)
        if (strcmp(key, record_keys[i]) == 0)
            return true;
    return false;
}

static void unknown_record_key(struct steer_parse *p, const struct steer_item *entry)
{
    static const char *const words[] = {
        "ttl", "steer", "kind", "draw", "allow_negative", "A",    "AAAA", "CNAME", "TXT", "MX",
        "SRV", "CAA",   "NS",   "PTR",  "HTTPS",          "SVCB", "DNAME"};
    if (strcmp(entry->key, "alias") == 0)
        steer_doc_fail(p, entry->key_at, "'%s' is not supported by this version", entry->key);
    if (strcmp(entry->key, "coherent") == 0)
        steer_doc_fail(p, entry->key_at, "'coherent' is a way to draw; write draw: coherent");
    if (steer_node_key(entry->key))
        steer_doc_fail(p, entry->key_at, "'%s' is of a node: write it in 'steer', like %s",
                       entry->key, "steer: {failover: [{pool: eu}, {pool: us}]}");
    const char *near = steer_nearest_word(entry->key, words, STEER_ARRAY_LEN(words));
    if (near)
        steer_doc_fail(p, entry->key_at, "unknown key '%.100s' in a record; did you mean '%s'?",
                       entry->key, near);
    else
        steer_doc_fail(
            p, entry->key_at,
            "unknown key '%.100s' in a record; known are ttl, steer, kind, draw, allow_negative "
            "and record types like A, TXT or TYPE65280",
            entry->key);
}

// The owner under way, and what its entries have given so far.
struct owner {
    struct steer_document_zone *zone;
    struct steer_name name;
    bool apex;
    size_t first, first_steered; // of its RRsets, and of its steered records, in the zone
};

// One entry of it: a TTL, static data, at most one tree.
struct record {
    struct owner *owner;
    const struct steer_item *item;
    struct steer_where at;
    uint32_t ttl_s;
};

static void parse_static(struct steer_parse *p, const struct record *r,
                         const struct steer_item *entry)
{
    uint16_t type = 0;
    const struct owner *owner = r->owner;
    struct steer_document_zone *zone = owner->zone;
    if (!steer_parse_type(p, entry, &type)) {
        unknown_record_key(p, entry);
        return;
    }
    if (json_object_get(entry->json, "steer"))
        steer_doc_fail(p, entry->key_at,
                       "a steered record of another kind is an entry of its own: make a list of "
                       "this name's records, like [{steer: ...}, {kind: mx, steer: ...}]");
    if (type == STEER_TYPE_SOA)
        steer_doc_fail(p, entry->key_at,
                       "the SOA is kept by the server; set its fields with 'soa:' in the zone");
    if (type == STEER_TYPE_NS && owner->apex && zone->ns_count)
        steer_doc_fail(p, entry->key_at, "the zone's NS are given by 'ns:' already");
    for (size_t i = owner->first; i < zone->rrset_count; i++)
        if (zone->rrsets[i].data.type == type)
            steer_doc_fail(p, entry->key_at, "type '%s' is given twice here", entry->key);
    struct steer_document_rrset *rrset = &zone->rrsets[zone->rrset_count++];
    rrset->owner = owner->name;
    rrset->ttl_s = r->ttl_s;
    rrset->at = entry->key_at;
    steer_parse_rrset(p, entry, type, &rrset->data);
}

// What a steered record gives.
static bool gives(enum steer_steered_kind kind, uint16_t type)
{
    if (kind != STEER_STEERED_ADDRESS)
        return type == steer_steered_type(kind);
    return type == STEER_TYPE_A || type == STEER_TYPE_AAAA || type == STEER_TYPE_HTTPS ||
           type == STEER_TYPE_SVCB;
}

// RFC 2181 10.1 for CNAME; a steered address owns A, AAAA, HTTPS and SVCB; nothing may lie at a cut.
static void check_static(struct steer_parse *p, const struct owner *owner,
                         const struct steer_object *steered)
{
    const struct steer_document_zone *zone = owner->zone;
    const enum steer_steered_kind kind = steered->steered.kind;
    char text[STEER_TYPE_TEXT_MAX];
    for (size_t i = owner->first; i < zone->rrset_count && !p->err; i++) {
        uint16_t type = zone->rrsets[i].data.type;
        struct steer_where at = zone->rrsets[i].at;
        steer_type_format(type, text);
        if (kind == STEER_STEERED_CNAME)
            steer_doc_fail(p, at,
                           "%s cannot stand beside a steered cname, which shares its name with "
                           "nothing",
                           text);
        else if (type == STEER_TYPE_CNAME)
            steer_doc_fail(p, at,
                           "a CNAME cannot stand beside a steered %s: it shares its name with "
                           "nothing",
                           steer_steered_kind_text(kind));
        else if (gives(kind, type))
            steer_doc_fail(p, at,
                           "%s cannot stand beside a steered %s, which gives it; use an "
                           "`answer` node for fixed data",
                           text, steer_steered_kind_text(kind));
        else if (type == STEER_TYPE_NS && !owner->apex)
            steer_doc_fail(p, at, "NS makes this name a delegation, which cannot be steered");
    }
}

static void check_steered(struct steer_parse *p, const struct owner *owner, size_t index)
{
    const struct steer_object *object = owner->zone->steered[index];
    const enum steer_steered_kind kind = object->steered.kind;
    for (size_t i = owner->first_steered; i < index; i++) {
        const enum steer_steered_kind other = owner->zone->steered[i]->steered.kind;
        if (kind == other)
            steer_doc_fail(p, object->at,
                           "a steered %s is given twice for this name; 'kind' says which one it is",
                           steer_steered_kind_text(kind));
        else if (kind == STEER_STEERED_CNAME || other == STEER_STEERED_CNAME)
            steer_doc_fail(p, object->at,
                           "a steered %s cannot stand beside a steered %s: a cname shares its "
                           "name with nothing",
                           steer_steered_kind_text(kind), steer_steered_kind_text(other));
    }
    check_static(p, owner, object);
}

// What its entries give must be able to stand beside each other.
static void check_neighbours(struct steer_parse *p, const struct owner *owner)
{
    const struct steer_document_zone *zone = owner->zone;
    size_t count = zone->rrset_count - owner->first;
    for (size_t i = owner->first_steered; i < zone->steered_count && !p->err; i++)
        check_steered(p, owner, i);
    for (size_t i = owner->first; i < zone->rrset_count && !p->err; i++) {
        struct steer_where at = zone->rrsets[i].at;
        if (zone->rrsets[i].data.type != STEER_TYPE_CNAME)
            continue;
        if (owner->apex)
            steer_doc_fail(
                p, at,
                "a CNAME cannot stand at the apex, beside SOA and NS; use A and AAAA, or "
                "a steered address");
        else if (count > 1)
            steer_doc_fail(p, at, "a CNAME cannot stand beside other data of the same name");
    }
}

static bool parse_tree(struct steer_parse *p, const struct record *r)
{
    struct steer_item item, tree;
    struct steer_arena *arena = p->arena;
    struct owner *owner = r->owner;
    bool has_tree = steer_doc_find(p, r->item, "steer", &tree);
    for (size_t i = 2; i < STEER_ARRAY_LEN(record_keys); i++)
        if (!has_tree && steer_doc_find(p, r->item, record_keys[i], &item))
            steer_doc_fail(p, item.key_at, "'%s' goes only with 'steer'", item.key);
    if (!has_tree)
        return false;
    struct steer_steered_head head = {
        .owner = owner->name,
        .kind = (enum steer_steered_kind)steer_doc_choice(
            p, r->item, "kind", steer_steered_words, STEER_STEERED_KINDS, STEER_STEERED_KINDS, 0),
        .ttl_s = r->ttl_s,
        .allow_negative = steer_doc_bool(p, r->item, "allow_negative", false),
        .draw = steer_parse_draw(p, r->item),
        .at = r->at,
    };
    if (head.kind == STEER_STEERED_CNAME && owner->apex)
        steer_doc_fail(p, tree.key_at,
                       "a steered cname cannot stand at the apex, beside SOA and NS; "
                       "use kind: address");
    struct steer_object *object = steer_parse_steered(p, &head, &tree);
    p->arena = arena;
    if (object)
        owner->zone->steered[owner->zone->steered_count++] = object;
    return true;
}

static void parse_record(struct steer_parse *p, const struct steer_item *item,
                         struct steer_where at, struct owner *owner)
{
    struct record r = {.owner = owner, .item = item, .at = at};
    struct steer_entries entries;
    struct steer_item entry;
    size_t before = owner->zone->rrset_count;
    if (!steer_doc_mapping(p, item, "{ttl: 300, A: [192.0.2.80]}"))
        return;
    r.ttl_s = steer_doc_seconds(p, item, "ttl", 0, RECORD_TTL_S);
    steer_entries_of(p, item, &entries);
    while (!p->err && steer_entries_next(&entries, &entry))
        if (!is_record_key(entry.key))
            parse_static(p, &r, &entry);
    if (!parse_tree(p, &r) && owner->zone->rrset_count == before)
        steer_doc_fail(p, at, "%s%.100s%s has no data: give 'steer' or record types like A",
                       item->key ? "'" : "this entry", item->key ? item->key : "",
                       item->key ? "'" : "");
}

// A mapping, or a list of them: one for each TTL and each steered kind.
static void parse_owner_records(struct steer_parse *p, const struct steer_item *item,
                                struct steer_document_zone *zone, struct owners *owners)
{
    struct owner owner = {
        .zone = zone, .first = zone->rrset_count, .first_steered = zone->steered_count};
    struct steer_entries entries;
    struct steer_item entry;
    parse_owner(p, item, &zone->origin, &owner.name);
    note_owner(p, owners, &owner.name, item);
    owner.apex = steer_name_equal(owner.name.octets, zone->origin.octets);
    if (!json_is_array(item->json)) {
        parse_record(p, item, item->key_at, &owner);
    } else if (steer_doc_list(p, item, "[{A: [192.0.2.80]}, {ttl: 60, kind: mx, steer: ...}]")) {
        steer_entries_of(p, item, &entries);
        while (!p->err && steer_entries_next(&entries, &entry))
            parse_record(p, &entry, entry.at, &owner);
    }
    check_neighbours(p, &owner);
}

// Room for all that the owners' entries may give.
static void allocate(struct steer_parse *p, const struct steer_item *records,
                     struct steer_document_zone *zone)
{
    struct steer_entries owners, list;
    struct steer_item owner, entry;
    size_t trees = 0, types = 0;
    steer_entries_of(p, records, &owners);
    while (steer_entries_next(&owners, &owner)) {
        if (!json_is_array(owner.json)) {
            trees++;
            types += json_object_size(owner.json);
            continue;
        }
        steer_entries_of(p, &owner, &list);
        for (; steer_entries_next(&list, &entry); trees++)
            types += json_object_size(entry.json);
    }
    zone->rrsets = steer_arena_calloc(p->arena, types * sizeof *zone->rrsets);
    zone->steered = steer_arena_calloc(p->arena, trees * sizeof *zone->steered);
}

static void parse_records(struct steer_parse *p, const struct steer_item *item,
                          struct steer_document_zone *zone)
{
    struct steer_entries entries;
    struct steer_item entry;
    struct owners owners = {0};
    if (!steer_doc_mapping(p, item, "{www: {A: [192.0.2.80]}}"))
        return;
    allocate(p, item, zone);
    owners.at = steer_calloc(json_object_size(item->json), sizeof *owners.at);
    steer_entries_of(p, item, &entries);
    while (!p->err && steer_entries_next(&entries, &entry))
        parse_owner_records(p, &entry, zone, &owners);
    steer_map_fini(&owners.map);
    free(owners.at);
}

void steer_parse_zone(struct steer_parse *p, const struct steer_item *mapping,
                      struct steer_document_zone *zone)
{
    struct steer_item records;
    parse_origin(p, mapping, zone);
    p->origin = &zone->origin;
    parse_soa(p, mapping, zone);
    parse_ns(p, mapping, zone);
    if (steer_doc_find(p, mapping, "records", &records))
        parse_records(p, &records, zone);
    p->origin = NULL;
}

void steer_zone_release(struct steer_document_zone *zone)
{
    for (uint32_t i = 0; i < zone->steered_count; i++)
        steer_object_unref(zone->steered[i]);
}
