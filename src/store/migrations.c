// SPDX-License-Identifier: GPL-3.0-or-later
// The schema, version by version. A released migration is never edited; the next one changes it.
#include "store_internal.h"

#include <stdio.h>

// 1: what operators define, and the records.
//
// Between objects the references are deferred to the commit, so that the objects of one change come in any
// order. An object is replaced by an upsert, never by delete and insert, for the cascades' sake.
static const char objects_and_zones[] =
    "CREATE TABLE site("
    " name TEXT PRIMARY KEY, document TEXT NOT NULL, body TEXT NOT NULL CHECK(json_valid(body))"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE health_check("
    " name TEXT PRIMARY KEY, document TEXT NOT NULL, body TEXT NOT NULL CHECK(json_valid(body))"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE endpoint("
    " name TEXT PRIMARY KEY, document TEXT NOT NULL, body TEXT NOT NULL CHECK(json_valid(body)),"
    " site TEXT REFERENCES site(name) DEFERRABLE INITIALLY DEFERRED"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX endpoint_by_site ON endpoint(site);"
    "CREATE TABLE endpoint_check("
    " endpoint TEXT NOT NULL REFERENCES endpoint(name) ON DELETE CASCADE,"
    " health_check TEXT NOT NULL REFERENCES health_check(name) DEFERRABLE INITIALLY DEFERRED,"
    " PRIMARY KEY(endpoint, health_check)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX endpoint_check_by_check ON endpoint_check(health_check);"
    "CREATE TABLE pool("
    " name TEXT PRIMARY KEY, document TEXT NOT NULL, body TEXT NOT NULL CHECK(json_valid(body))"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE pool_member("
    " pool TEXT NOT NULL REFERENCES pool(name) ON DELETE CASCADE,"
    " endpoint TEXT NOT NULL REFERENCES endpoint(name) DEFERRABLE INITIALLY DEFERRED,"
    " weight INTEGER NOT NULL CHECK(weight BETWEEN 0 AND 4294967295),"
    " PRIMARY KEY(pool, endpoint)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX pool_member_by_endpoint ON pool_member(endpoint);"
    "CREATE TABLE policy("
    " name TEXT PRIMARY KEY, document TEXT NOT NULL, body TEXT NOT NULL CHECK(json_valid(body))"
    ") STRICT, WITHOUT ROWID;"
    // AUTOINCREMENT: a zone's number is never given again, so a late writer cannot hit another zone.
    "CREATE TABLE zone("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " origin BLOB NOT NULL UNIQUE CHECK(length(origin) BETWEEN 1 AND 255),"
    " document TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE rrset("
    " zone_id INTEGER NOT NULL REFERENCES zone(id) ON DELETE CASCADE,"
    " owner BLOB NOT NULL,"
    " type INTEGER NOT NULL CHECK(type BETWEEN 0 AND 65535),"
    " ttl_s INTEGER NOT NULL CHECK(ttl_s BETWEEN 0 AND 4294967295),"
    " packed BLOB NOT NULL CHECK(length(packed) >= 2)," // one RR at least
    " PRIMARY KEY(zone_id, owner, type)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE steered("
    " name TEXT PRIMARY KEY,"
    " zone_id INTEGER NOT NULL REFERENCES zone(id) ON DELETE CASCADE,"
    " owner BLOB NOT NULL,"
    " kind TEXT NOT NULL CHECK(kind IN ('address', 'cname')),"
    " document TEXT NOT NULL,"
    " body TEXT NOT NULL CHECK(json_valid(body))"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX steered_by_zone ON steered(zone_id);";

// 2: what happens while it runs. An override may name something that does not exist (yet).
static const char running_state[] =
    "CREATE TABLE override("
    " kind TEXT NOT NULL CHECK(kind IN ('endpoint', 'pool', 'site', 'check')),"
    " target TEXT NOT NULL,"
    " state TEXT NOT NULL CHECK(state IN ('up', 'down', 'drained')),"
    " reason TEXT NOT NULL, owner TEXT NOT NULL,"
    " set_unix_s INTEGER NOT NULL, expires_unix_s INTEGER NOT NULL,"
    " PRIMARY KEY(kind, target)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE verdict("
    " endpoint TEXT NOT NULL REFERENCES endpoint(name) ON DELETE CASCADE,"
    " health_check TEXT NOT NULL REFERENCES health_check(name) ON DELETE CASCADE,"
    " verdict TEXT NOT NULL CHECK(verdict IN ('up', 'down')),"
    " since_unix_s INTEGER NOT NULL, reason TEXT NOT NULL,"
    " PRIMARY KEY(endpoint, health_check)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX verdict_by_check ON verdict(health_check);"
    "CREATE TABLE setting(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE audit("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " at_unix_s INTEGER NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL"
    ") STRICT;";

// 3: documents as they were applied last, for reading back.
static const char documents[] =
    "CREATE TABLE document("
    " name TEXT PRIMARY KEY, text BLOB NOT NULL, applied_unix_s INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;";

// 4: who asked for a change, as far as is known.
static const char audit_who[] = "ALTER TABLE audit ADD COLUMN who TEXT NOT NULL DEFAULT '';";

// 5: switches, and where they were set to.
static const char switches[] =
    "CREATE TABLE control_switch("
    " name TEXT PRIMARY KEY, document TEXT NOT NULL, body TEXT NOT NULL CHECK(json_valid(body))"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE switch_position("
    " control_switch TEXT PRIMARY KEY REFERENCES control_switch(name) ON DELETE CASCADE,"
    " position TEXT NOT NULL, reason TEXT NOT NULL, owner TEXT NOT NULL,"
    " set_unix_s INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;";

// 6: latency tables.
static const char latency_tables[] =
    "CREATE TABLE latency_table("
    " name TEXT PRIMARY KEY, document TEXT NOT NULL, body TEXT NOT NULL CHECK(json_valid(body))"
    ") STRICT, WITHOUT ROWID;";

// 7: steered records of more kinds.
static const char steered_kinds[] =
    "CREATE TABLE steered_new("
    " name TEXT PRIMARY KEY,"
    " zone_id INTEGER NOT NULL REFERENCES zone(id) ON DELETE CASCADE,"
    " owner BLOB NOT NULL,"
    " kind TEXT NOT NULL CHECK(kind IN ('address', 'cname', 'mx', 'srv', 'txt')),"
    " document TEXT NOT NULL,"
    " body TEXT NOT NULL CHECK(json_valid(body))"
    ") STRICT, WITHOUT ROWID;"
    "INSERT INTO steered_new SELECT name, zone_id, owner, kind, document, body FROM steered;"
    "DROP TABLE steered;"
    "ALTER TABLE steered_new RENAME TO steered;"
    "CREATE INDEX steered_by_zone ON steered(zone_id);";

// 8: what must hold of the records of a document.
static const char assertions[] =
    "CREATE TABLE assertion("
    " name TEXT PRIMARY KEY, document TEXT NOT NULL, body TEXT NOT NULL CHECK(json_valid(body))"
    ") STRICT, WITHOUT ROWID;";

// 9: measured latency tables: estimates, what was frozen of them, and how freezing goes.
static const char measured_tables[] =
    "CREATE TABLE latency_estimate("
    " latency_table TEXT NOT NULL REFERENCES latency_table(name) ON DELETE CASCADE,"
    " client TEXT NOT NULL, site TEXT NOT NULL,"
    " at_unix_s INTEGER NOT NULL,"
    " counted_in INTEGER NOT NULL, counted INTEGER NOT NULL,"
    " bins BLOB NOT NULL,"
    " PRIMARY KEY(latency_table, client, site)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE frozen_table("
    " latency_table TEXT NOT NULL REFERENCES latency_table(name) ON DELETE CASCADE,"
    " number INTEGER NOT NULL CHECK(number > 0),"
    " frozen_unix_s INTEGER NOT NULL, row_count INTEGER NOT NULL, changes INTEGER NOT NULL,"
    " body TEXT NOT NULL CHECK(json_valid(body)),"
    " PRIMARY KEY(latency_table, number)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE freezing("
    " latency_table TEXT PRIMARY KEY REFERENCES latency_table(name) ON DELETE CASCADE,"
    " judged_unix_s INTEGER NOT NULL, held INTEGER NOT NULL,"
    " refused_unix_s INTEGER NOT NULL, refusal TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;";

// 10: overrides for the clients of some networks, beside the one for all.
static const char override_clients[] =
    "CREATE TABLE override_new("
    " kind TEXT NOT NULL CHECK(kind IN ('endpoint', 'pool', 'site', 'check')),"
    " target TEXT NOT NULL, clients TEXT NOT NULL,"
    " state TEXT NOT NULL CHECK(state IN ('up', 'down', 'drained')),"
    " reason TEXT NOT NULL, owner TEXT NOT NULL,"
    " set_unix_s INTEGER NOT NULL, expires_unix_s INTEGER NOT NULL,"
    " PRIMARY KEY(kind, target, clients)"
    ") STRICT, WITHOUT ROWID;"
    "INSERT INTO override_new SELECT kind, target, '', state, reason, owner, set_unix_s,"
    " expires_unix_s FROM override;"
    "DROP TABLE override;"
    "ALTER TABLE override_new RENAME TO override;";

const char *const steer_store_migrations[] = {
    objects_and_zones, running_state, documents,  audit_who,       switches,
    latency_tables,    steered_kinds, assertions, measured_tables, override_clients};
const int steer_store_migration_count = (int)STEER_ARRAY_LEN(steer_store_migrations);

enum steer_err steer_store_number(sqlite3 *db, const char *sql, int64_t *number,
                                  struct steer_diag *diag)
{
    sqlite3_stmt *statement;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    int64_t result = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    if (rc != SQLITE_ROW)
        return steer_store_fail(db, rc, "reading", sql, diag);
    *number = result;
    return STEER_OK;
}

// One version's step, inside a transaction that the caller ends.
static enum steer_err step_up(sqlite3 *db, const char *migration, int version,
                              struct steer_diag *diag)
{
    char stamp[96];
    snprintf(stamp, sizeof stamp, "PRAGMA application_id=%d; PRAGMA user_version=%d;",
             STEER_STORE_APPLICATION_ID, version);
    char subject[48];
    snprintf(subject, sizeof subject, "database to version %d", version);
    int rc = sqlite3_exec(db, migration, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, stamp, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return steer_store_fail(db, rc, "bringing the", subject, diag);
    // Foreign keys are off while tables may be rebuilt, so they are checked once at the end.
    int64_t broken = 0;
    enum steer_err err =
        steer_store_number(db, "SELECT count(*) FROM pragma_foreign_key_check", &broken, diag);
    if (!err && broken)
        err = steer_diag_set(diag, STEER_EIO, "bringing the %s left %lld broken references",
                             subject, (long long)broken);
    return err;
}

enum steer_err steer_store_migrate(sqlite3 *db, const char *const *migrations, int count,
                                   struct steer_diag *diag)
{
    int64_t version = 0;
    enum steer_err err = steer_store_number(db, "PRAGMA user_version", &version, diag);
    if (!err && (version < 0 || version > count))
        err = steer_diag_set(
            diag, STEER_EINVAL,
            "the database has schema version %lld and this steerd knows versions up to "
            "%d: start the newer steerd that wrote it, or restore an older copy",
            (long long)version, count);
    for (int64_t v = err ? count : version; v < count; v++) {
        int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        if (rc != SQLITE_OK)
            return steer_store_fail(db, rc, "upgrading", "the database", diag);
        err = step_up(db, migrations[v], (int)v + 1, diag);
        if (!err) {
            rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
            if (rc != SQLITE_OK)
                err = steer_store_fail(db, rc, "upgrading", "the database", diag);
        }
        if (err) {
            sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
            return err;
        }
    }
    return err;
}
