// SPDX-License-Identifier: GPL-3.0-or-later
// Zones, RRsets and steered records.
#include "store_internal.h"

static struct store_value owner_value(const uint8_t *owner)
{
    return store_blob(owner, steer_name_length(owner));
}

// An origin is kept in lower case, so that a zone is found however its name is written.
static struct steer_name lowered(const struct steer_name *origin)
{
    struct steer_name lower = *origin;
    steer_name_lower(&lower);
    return lower;
}

static enum steer_err read_zone_id(void *ctx, sqlite3_stmt *statement)
{
    int64_t *id = ctx;
    *id = sqlite3_column_int64(statement, 0);
    return STEER_OK;
}

enum steer_err steer_store_put_zone(struct steer_store *store, const struct steer_name *origin,
                                    const char *document, int64_t *zone_id, struct steer_diag *diag)
{
    const struct steer_name lower = lowered(origin);
    const struct store_value values[] = {store_blob(lower.octets, lower.len), store_text(document)};
    char text[STEER_NAME_TEXT_MAX];
    steer_name_format(lower.octets, text);
    enum steer_err err = steer_store_run(store, SQL_PUT_ZONE, values, 2, text, diag);
    if (!err)
        err = steer_store_scan(store, SQL_FIND_ZONE, values, 1, read_zone_id, zone_id, diag);
    return err;
}

enum steer_err steer_store_delete_zone(struct steer_store *store, const struct steer_name *origin,
                                       struct steer_diag *diag)
{
    const struct steer_name lower = lowered(origin);
    char text[STEER_NAME_TEXT_MAX];
    steer_name_format(lower.octets, text);
    return steer_store_run_found(store, SQL_DELETE_ZONE,
                                 STORE_VALUES(store_blob(lower.octets, lower.len)), text, diag);
}

enum steer_err steer_store_clear_zone(struct steer_store *store, int64_t zone_id,
                                      struct steer_diag *diag)
{
    return steer_store_run(store, SQL_CLEAR_ZONE, STORE_VALUES(store_integer(zone_id)), NULL, diag);
}

enum steer_err steer_store_put_rrset(struct steer_store *store, int64_t zone_id,
                                     const struct steer_store_rrset *rrset, struct steer_diag *diag)
{
    return steer_store_run(store, SQL_PUT_RRSET,
                           STORE_VALUES(store_integer(zone_id), owner_value(rrset->owner),
                                        store_integer(rrset->type), store_integer(rrset->ttl_s),
                                        store_blob(rrset->packed, rrset->packed_len)),
                           NULL, diag);
}

enum steer_err steer_store_delete_rrset(struct steer_store *store, int64_t zone_id,
                                        const uint8_t *owner, uint16_t type,
                                        struct steer_diag *diag)
{
    char text[STEER_NAME_TEXT_MAX];
    steer_name_format(owner, text);
    return steer_store_run_found(
        store, SQL_DELETE_RRSET,
        STORE_VALUES(store_integer(zone_id), owner_value(owner), store_integer(type)), text, diag);
}

enum steer_err steer_store_put_steered(struct steer_store *store, int64_t zone_id,
                                       const struct steer_store_steered *steered,
                                       struct steer_diag *diag)
{
    return steer_store_run(store, SQL_PUT_STEERED,
                           STORE_VALUES(store_text(steered->name), store_integer(zone_id),
                                        owner_value(steered->owner), store_text(steered->kind),
                                        store_text(steered->document), store_text(steered->json)),
                           steered->name, diag);
}

enum steer_err steer_store_delete_steered(struct steer_store *store, const char *name,
                                          struct steer_diag *diag)
{
    return steer_store_run_found(store, SQL_DELETE_STEERED, STORE_VALUES(store_text(name)), name,
                                 diag);
}

// ---- reading everything ----------------------------------------------------------------------------
// Three scans, each in the order of zone numbers, walked side by side: no query for each zone. The zones'
// scan ends last, and until then all three see one state of the database.

struct cursor {
    struct steer_store *store;
    enum store_statement which;
    sqlite3_stmt *statement;
    bool at_end;
    int64_t zone_id; // of the row it stands on
};

static enum steer_err cursor_next(struct cursor *cursor, struct steer_diag *diag)
{
    int rc = sqlite3_step(cursor->statement);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return steer_store_fail(cursor->store->db, rc, steer_store_doing(cursor->which), NULL,
                                diag);
    cursor->at_end = rc == SQLITE_DONE;
    cursor->zone_id = cursor->at_end ? 0 : sqlite3_column_int64(cursor->statement, 0);
    return STEER_OK;
}

static enum steer_err cursor_open(struct cursor *cursor, struct steer_store *store,
                                  enum store_statement which, struct steer_diag *diag)
{
    enum steer_err err;
    *cursor = (struct cursor){.store = store, .which = which};
    cursor->statement = steer_store_bind(store, which, NULL, 0, &err, diag);
    return cursor->statement ? cursor_next(cursor, diag) : err;
}

static enum steer_err damaged(const char *what, int64_t zone_id, struct steer_diag *diag)
{
    return steer_diag_set(
        diag, STEER_EIO,
        "the database is damaged: %s, zone number %lld (restore the data folder from "
        "a copy)",
        what, (long long)zone_id);
}

// A name column; false when it isn't one name from end to end. Readers follow its length octets, so it is
// looked at before it is passed on.
static bool read_name(sqlite3_stmt *statement, int column, struct steer_name *name)
{
    const uint8_t *wire = sqlite3_column_blob(statement, column);
    size_t size = (size_t)sqlite3_column_bytes(statement, column);
    return wire && steer_name_from_wire(wire, size, name) && name->len == size;
}

// Lengths and RDATA fill it exactly.
static bool packed_is_whole(const uint8_t *packed, size_t len)
{
    size_t at = 0;
    while (len - at >= 2) {
        size_t rdlength = (size_t)packed[at] << 8 | packed[at + 1];
        if (rdlength > len - at - 2)
            return false;
        at += 2 + rdlength;
    }
    return at == len && len > 0;
}

static enum steer_err read_rrsets(struct cursor *cursor, int64_t zone_id,
                                  const struct steer_store_zone_reader *reader,
                                  struct steer_diag *diag)
{
    enum steer_err err = STEER_OK;
    while (!err && !cursor->at_end && cursor->zone_id == zone_id) {
        sqlite3_stmt *row = cursor->statement;
        struct steer_name owner;
        if (!read_name(row, 1, &owner))
            return damaged("an RRset with a malformed owner", zone_id, diag);
        const struct steer_store_rrset rrset = {
            .owner = owner.octets,
            .type = (uint16_t)sqlite3_column_int(row, 2),
            .ttl_s = (uint32_t)sqlite3_column_int64(row, 3),
            .packed = sqlite3_column_blob(row, 4),
            .packed_len = (size_t)sqlite3_column_bytes(row, 4),
        };
        if (!packed_is_whole(rrset.packed, rrset.packed_len))
            return damaged("a malformed RRset", zone_id, diag);
        err = reader->rrset(reader->ctx, &rrset);
        if (!err)
            err = cursor_next(cursor, diag);
    }
    return err;
}

static enum steer_err read_steered(struct cursor *cursor, int64_t zone_id,
                                   const struct steer_store_zone_reader *reader,
                                   struct steer_diag *diag)
{
    enum steer_err err = STEER_OK;
    while (!err && !cursor->at_end && cursor->zone_id == zone_id) {
        sqlite3_stmt *row = cursor->statement;
        struct steer_name owner;
        if (!read_name(row, 1, &owner))
            return damaged("a steered record with a malformed owner", zone_id, diag);
        const struct steer_store_steered steered = {
            .owner = owner.octets,
            .name = steer_store_column(row, 2),
            .kind = steer_store_column(row, 3),
            .document = steer_store_column(row, 4),
            .json = steer_store_column(row, 5),
        };
        err = reader->steered(reader->ctx, &steered);
        if (!err)
            err = cursor_next(cursor, diag);
    }
    return err;
}

static enum steer_err read_zones(struct cursor *zones, struct cursor *rrsets,
                                 struct cursor *steered,
                                 const struct steer_store_zone_reader *reader,
                                 struct steer_diag *diag)
{
    enum steer_err err = STEER_OK;
    while (!err && !zones->at_end) {
        struct steer_name origin;
        int64_t zone_id = zones->zone_id;
        if (!read_name(zones->statement, 1, &origin))
            return damaged("a malformed origin", zone_id, diag);
        err = reader->zone(reader->ctx, zone_id, &origin, steer_store_column(zones->statement, 2));
        if (!err)
            err = read_rrsets(rrsets, zone_id, reader, diag);
        if (!err)
            err = read_steered(steered, zone_id, reader, diag);
        if (!err)
            err = cursor_next(zones, diag);
    }
    return err;
}

enum steer_err steer_store_load_zones(struct steer_store *store,
                                      const struct steer_store_zone_reader *reader,
                                      struct steer_diag *diag)
{
    struct cursor zones = {0}, rrsets = {0}, steered = {0};
    enum steer_err err = cursor_open(&zones, store, SQL_LOAD_ZONES, diag);
    if (!err)
        err = cursor_open(&rrsets, store, SQL_LOAD_RRSETS, diag);
    if (!err)
        err = cursor_open(&steered, store, SQL_LOAD_STEERED, diag);
    if (!err)
        err = read_zones(&zones, &rrsets, &steered, reader, diag);
    // A row left over belongs to a zone that isn't there: it would be lost in silence.
    if (!err && !(rrsets.at_end && steered.at_end))
        err = damaged("a record without its zone", rrsets.at_end ? steered.zone_id : rrsets.zone_id,
                      diag);
    sqlite3_reset(zones.statement);
    sqlite3_reset(rrsets.statement);
    sqlite3_reset(steered.statement);
    steer_store_release_cache(store);
    return err;
}
