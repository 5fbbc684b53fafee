// SPDX-License-Identifier: GPL-3.0-or-later
// A zone of documents -> a zone file of octoDNS: names and their static records.
#include <stdlib.h>
#include <string.h>

#include "octodns_internal.h"
#include "steerd/rr/type.h"
#include "steerd/rr/zonefile.h"
#include "steerd/wire/message.h"

struct exporter {
    struct steer_name origin;
    json_t *names; // key of octoDNS -> list of records
    struct steer_catalog *catalog;
    struct octodns_loss loss;
};

// "" for the zone's own name, else what stands before it.
static char *key_of(const struct exporter *ex, const uint8_t *owner)
{
    char text[STEER_NAME_TEXT_MAX], zone[STEER_NAME_TEXT_MAX];
    steer_name_format(owner, text);
    steer_name_format(ex->origin.octets, zone);
    size_t len = strlen(text), tail = strlen(zone);
    if (zone[0] == '.') // the root
        tail = 0;
    return steer_strndup(text, len > tail ? len - tail - 1 : 0);
}

static json_t *records_of(struct exporter *ex, const uint8_t *owner)
{
    char *key = key_of(ex, owner);
    json_t *records = json_object_get(ex->names, key);
    if (!records) {
        records = json_array();
        json_object_set_new(ex->names, key, records);
    }
    free(key);
    return records;
}

// ---- static records ------------------------------------------------------------------------------

static json_t *record_of(json_t *records, const char *type, uint32_t ttl_s)
{
    size_t i;
    json_t *record;
    json_array_foreach(records, i,
                       record) if (strcmp(json_string_value(json_object_get(record, "type")),
                                          type) == 0) return record;
    record = json_pack("{s:s, s:I, s:[]}", "type", type, "ttl", (json_int_t)ttl_s, "values");
    json_array_append_new(records, record);
    return record;
}

static void put_static(struct exporter *ex, const uint8_t *owner, uint16_t type, uint32_t ttl_s,
                       const uint8_t *rdata, size_t len, struct steer_where at)
{
    char text[STEER_TYPE_TEXT_MAX], name[STEER_NAME_TEXT_MAX];
    const char *why;
    if (type == STEER_TYPE_SOA) // octoDNS leaves it to the servers
        return;
    json_t *value = octodns_value_make(type, rdata, len, &why);
    steer_type_format(type, text);
    if (!value) {
        octodns_lost(&ex->loss, at, "%s %s: %s", steer_name_format(owner, name), text, why);
        return;
    }
    json_t *record = record_of(records_of(ex, owner), text, ttl_s);
    json_array_append_new(json_object_get(record, "values"), value);
}

static int put_rr(void *ctx, const struct steer_rr *rr)
{
    put_static(ctx, rr->owner, rr->type, rr->ttl, rr->rdata, rr->rdata_len,
               (struct steer_where){rr->line, rr->column});
    return 0;
}

static void put_document(struct exporter *ex, const struct steer_document_zone *zone)
{
    for (uint32_t i = 0; i < zone->ns_count; i++)
        put_static(ex, zone->origin.octets, STEER_TYPE_NS, OCTODNS_TTL_S, zone->ns[i].octets,
                   zone->ns[i].len, zone->at);
    for (uint32_t i = 0; i < zone->rrset_count; i++) {
        const struct steer_document_rrset *set = &zone->rrsets[i];
        for (uint16_t k = 0; k < set->data.count; k++)
            put_static(ex, set->owner.octets, set->data.type, set->ttl_s, set->data.rdata[k],
                       set->data.len[k], set->at);
    }
}

// ---- the whole -----------------------------------------------------------------------------------

static int by_type(const void *a, const void *b)
{
    return strcmp(json_string_value(json_object_get(*(json_t *const *)a, "type")),
                  json_string_value(json_object_get(*(json_t *const *)b, "type")));
}

// One record stands by itself, several in a list by type; one value is `value`.
static json_t *tidy(json_t *records)
{
    size_t count = json_array_size(records);
    json_t **sorted = steer_calloc(count, sizeof(json_t *)), *list = json_array();
    for (size_t i = 0; i < count; i++) {
        sorted[i] = json_array_get(records, i);
        json_t *values = json_object_get(sorted[i], "values");
        if (json_array_size(values) == 1) {
            json_object_set(sorted[i], "value", json_array_get(values, 0));
            json_object_del(sorted[i], "values");
        }
    }
    qsort(sorted, count, sizeof(json_t *), by_type);
    for (size_t i = 0; i < count; i++)
        json_array_append(list, sorted[i]);
    free(sorted);
    if (count != 1)
        return list;
    json_t *only = json_incref(json_array_get(list, 0));
    json_decref(list);
    return only;
}

static void write_zone(const struct exporter *ex, struct steer_buf *yaml)
{
    const char *key;
    json_t *records, *root = json_object();
    json_object_foreach(ex->names, key, records) json_object_set_new(root, key, tidy(records));
    steer_buf_puts(yaml, "---\n");
    if (json_object_size(root))
        steer_yaml_write(root, true, yaml);
    else
        steer_buf_puts(yaml, "{}\n");
    json_decref(root);
}

static enum steer_err collect(struct exporter *ex, struct steer_document *const *documents,
                              size_t count, const char *master, struct steer_diag *diag)
{
    bool found = false;
    for (size_t d = 0; d < count; d++)
        for (uint32_t i = 0; i < documents[d]->object_count; i++)
            // Assertions may be about records of other zones, which are not here.
            if (documents[d]->objects[i]->kind != STEER_ASSERTION)
                steer_catalog_put(ex->catalog, documents[d]->objects[i]);
    for (size_t d = 0; d < count; d++) {
        for (uint32_t z = 0; z < documents[d]->zone_count; z++) {
            const struct steer_document_zone *zone = &documents[d]->zones[z];
            if (!steer_name_equal(zone->origin.octets, ex->origin.octets))
                continue;
            found = true;
            for (uint32_t i = 0; i < zone->steered_count; i++)
                steer_catalog_put(ex->catalog, zone->steered[i]);
            if (!master)
                put_document(ex, zone);
        }
    }
    if (!found && !master)
        return steer_diag_set(diag, STEER_ENOTFOUND, "no document has this zone");
    enum steer_err err = steer_catalog_check(ex->catalog, diag);
    if (!err && master)
        err = steer_zonefile_read(master, strlen(master), "zone", &ex->origin, OCTODNS_TTL_S, NULL,
                                  put_rr, ex, diag);
    return err;
}

static void put_steered(struct exporter *ex)
{
    size_t count = steer_catalog_count(ex->catalog, STEER_STEERED);
    const struct steer_object **all = steer_catalog_list(ex->catalog, STEER_STEERED);
    for (size_t i = 0; i < count; i++) {
        ex->loss.file = all[i]->file;
        octodns_unsteer(ex->catalog, all[i], &ex->loss,
                        records_of(ex, all[i]->steered.owner.octets));
    }
    free(all);
}

enum steer_err steer_octodns_export(struct steer_document *const *documents, size_t count,
                                    const char *zone, const char *master, struct steer_buf *yaml,
                                    struct steer_octodns_notes *notes, struct steer_diag *diag)
{
    struct exporter ex = {.loss = {.notes = notes, .file = ""}};
    *notes = (struct steer_octodns_notes){0};
    enum steer_err err = steer_name_parse(zone, NULL, &ex.origin, diag);
    if (err)
        return err;
    steer_name_lower(&ex.origin);
    ex.names = json_object();
    ex.catalog = steer_catalog_create();
    err = collect(&ex, documents, count, master, diag);
    if (!err)
        put_steered(&ex);
    if (!err && notes->count)
        err = steer_diag_set(diag, STEER_ECONFLICT, "octoDNS cannot say all of this zone");
    if (!err)
        write_zone(&ex, yaml);
    json_decref(ex.names);
    steer_catalog_unref(ex.catalog);
    return err;
}
