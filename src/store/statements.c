// SPDX-License-Identifier: GPL-3.0-or-later
// Every SQL text that runs after the schema is there, and how they are run.
#include "store_internal.h"

#include <stdio.h>

#define PUT_OBJECT(table)                                                                          \
    "INSERT INTO " table "(name, document, body) VALUES(?1, ?2, ?3)"                               \
    " ON CONFLICT(name) DO UPDATE SET document = excluded.document, body = excluded.body"
#define LOAD_OBJECTS(table) "SELECT name, document, body, NULL FROM " table " ORDER BY name"

// doing: what it does, for "<doing> <subject> failed: <SQLite's message>".
static const struct {
    const char *doing;
    const char *sql;
} texts[] = {
    [SQL_BEGIN] = {"beginning a transaction", "BEGIN IMMEDIATE"},
    [SQL_COMMIT] = {"committing", "COMMIT"},
    [SQL_SAVEPOINT] = {"setting a savepoint", "SAVEPOINT nested"},
    [SQL_RELEASE] = {"releasing a savepoint", "RELEASE nested"},
    // Names the row by its own columns: foreign_key_check knows rows by rowid, and these have none.
    [SQL_BROKEN_REFERENCE] =
        {"looking for a broken reference",
         "SELECT * FROM (SELECT 'endpoint', name, 'site', site FROM endpoint"
         "  WHERE site IS NOT NULL AND site NOT IN (SELECT name FROM site) ORDER BY name LIMIT 1)"
         " UNION ALL SELECT * FROM (SELECT 'endpoint', endpoint, 'check', health_check"
         "  FROM endpoint_check WHERE health_check NOT IN (SELECT name FROM health_check) LIMIT 1)"
         " UNION ALL SELECT * FROM (SELECT 'pool', pool, 'endpoint', endpoint FROM pool_member"
         "  WHERE endpoint NOT IN (SELECT name FROM endpoint) LIMIT 1)"},

    [SQL_PUT_SITE] = {"storing the site", PUT_OBJECT("site")},
    [SQL_PUT_CHECK] = {"storing the check", PUT_OBJECT("health_check")},
    [SQL_PUT_ENDPOINT] =
        {"storing the endpoint",
         "INSERT INTO endpoint(name, document, body, site) VALUES(?1, ?2, ?3, ?4)"
         " ON CONFLICT(name) DO UPDATE SET document = excluded.document, body = excluded.body,"
         " site = excluded.site"},
    [SQL_PUT_POOL] = {"storing the pool", PUT_OBJECT("pool")},
    [SQL_PUT_SWITCH] = {"storing the switch", PUT_OBJECT("control_switch")},
    [SQL_PUT_LATENCY] = {"storing the latency table", PUT_OBJECT("latency_table")},
    [SQL_PUT_POLICY] = {"storing the policy", PUT_OBJECT("policy")},
    [SQL_PUT_ASSERTION] = {"storing the assertion", PUT_OBJECT("assertion")},
    [SQL_DELETE_SITE] = {"deleting the site", "DELETE FROM site WHERE name = ?1"},
    [SQL_DELETE_CHECK] = {"deleting the check", "DELETE FROM health_check WHERE name = ?1"},
    [SQL_DELETE_ENDPOINT] = {"deleting the endpoint", "DELETE FROM endpoint WHERE name = ?1"},
    [SQL_DELETE_POOL] = {"deleting the pool", "DELETE FROM pool WHERE name = ?1"},
    [SQL_DELETE_SWITCH] = {"deleting the switch", "DELETE FROM control_switch WHERE name = ?1"},
    [SQL_DELETE_LATENCY] = {"deleting the latency table",
                            "DELETE FROM latency_table WHERE name = ?1"},
    [SQL_DELETE_POLICY] = {"deleting the policy", "DELETE FROM policy WHERE name = ?1"},
    [SQL_DELETE_ASSERTION] = {"deleting the assertion", "DELETE FROM assertion WHERE name = ?1"},
    [SQL_LOAD_SITES] = {"reading the sites", LOAD_OBJECTS("site")},
    [SQL_LOAD_CHECKS] = {"reading the checks", LOAD_OBJECTS("health_check")},
    [SQL_LOAD_ENDPOINTS] = {"reading the endpoints",
                            "SELECT name, document, body, site FROM endpoint ORDER BY name"},
    [SQL_LOAD_POOLS] = {"reading the pools", LOAD_OBJECTS("pool")},
    [SQL_LOAD_SWITCHES] = {"reading the switches", LOAD_OBJECTS("control_switch")},
    [SQL_LOAD_LATENCIES] = {"reading the latency tables", LOAD_OBJECTS("latency_table")},
    [SQL_LOAD_POLICIES] = {"reading the policies", LOAD_OBJECTS("policy")},
    [SQL_LOAD_ASSERTIONS] = {"reading the assertions", LOAD_OBJECTS("assertion")},
    [SQL_CLEAR_ENDPOINT_CHECKS] = {"storing the checks of the endpoint",
                                   "DELETE FROM endpoint_check WHERE endpoint = ?1"},
    [SQL_FORGET_VERDICTS] = {"forgetting the verdicts of the endpoint",
                             "DELETE FROM verdict WHERE endpoint = ?1 AND health_check NOT IN"
                             " (SELECT health_check FROM endpoint_check WHERE endpoint = ?1)"},
    [SQL_PUT_ENDPOINT_CHECK] =
        {"storing the checks of the endpoint",
         "INSERT INTO endpoint_check(endpoint, health_check) VALUES(?1, ?2)"},
    [SQL_CLEAR_POOL_MEMBERS] = {"storing the members of the pool",
                                "DELETE FROM pool_member WHERE pool = ?1"},
    [SQL_PUT_POOL_MEMBER] = {"storing the members of the pool",
                             "INSERT INTO pool_member(pool, endpoint, weight) VALUES(?1, ?2, ?3)"},

    [SQL_PUT_ZONE] = {"storing the zone", "INSERT INTO zone(origin, document) VALUES(?1, ?2)"
                                          " ON CONFLICT(origin) DO NOTHING"},
    [SQL_FIND_ZONE] = {"looking for the zone", "SELECT id FROM zone WHERE origin = ?1"},
    [SQL_DELETE_ZONE] = {"deleting the zone", "DELETE FROM zone WHERE origin = ?1"},
    [SQL_CLEAR_ZONE] = {"clearing the zone", "DELETE FROM rrset WHERE zone_id = ?1"},
    [SQL_PUT_RRSET] =
        {"storing an RRset",
         "INSERT INTO rrset(zone_id, owner, type, ttl_s, packed) VALUES(?1, ?2, ?3, ?4, ?5)"
         " ON CONFLICT(zone_id, owner, type) DO UPDATE SET ttl_s = excluded.ttl_s,"
         " packed = excluded.packed"},
    [SQL_DELETE_RRSET] = {"deleting the RRset at",
                          "DELETE FROM rrset WHERE zone_id = ?1 AND owner = ?2 AND type = ?3"},
    [SQL_PUT_STEERED] =
        {"storing the steered record",
         "INSERT INTO steered(name, zone_id, owner, kind, document, body)"
         " VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(name) DO UPDATE SET"
         " zone_id = excluded.zone_id, owner = excluded.owner, kind = excluded.kind,"
         " document = excluded.document, body = excluded.body"},
    [SQL_DELETE_STEERED] = {"deleting the steered record", "DELETE FROM steered WHERE name = ?1"},
    [SQL_LOAD_ZONES] = {"reading the zones", "SELECT id, origin, document FROM zone ORDER BY id"},
    // In the order of the primary key: the tables are read from front to back, without a sort.
    [SQL_LOAD_RRSETS] = {"reading the RRsets",
                         "SELECT zone_id, owner, type, ttl_s, packed FROM rrset"
                         " ORDER BY zone_id, owner, type"},
    [SQL_LOAD_STEERED] = {"reading the steered records",
                          "SELECT zone_id, owner, name, kind, document, body FROM steered"
                          " ORDER BY zone_id, name"},

    [SQL_PUT_OVERRIDE] =
        {"storing the override of",
         "INSERT INTO override(kind, target, clients, state, reason, owner, set_unix_s,"
         " expires_unix_s)"
         " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT(kind, target, clients) DO UPDATE SET"
         " state = excluded.state, reason = excluded.reason, owner = excluded.owner,"
         " set_unix_s = excluded.set_unix_s, expires_unix_s = excluded.expires_unix_s"},
    [SQL_DELETE_OVERRIDE] = {"deleting the override of",
                             "DELETE FROM override WHERE kind = ?1 AND target = ?2"
                             " AND clients = ?3"},
    [SQL_LOAD_OVERRIDES] = {"reading the overrides",
                            "SELECT kind, target, clients, state, reason, owner, set_unix_s,"
                            " expires_unix_s FROM override ORDER BY kind, target, clients"},
    [SQL_PUT_POSITION] =
        {"storing the position of",
         "INSERT INTO switch_position(control_switch, position, reason, owner, set_unix_s)"
         " VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(control_switch) DO UPDATE SET"
         " position = excluded.position, reason = excluded.reason, owner = excluded.owner,"
         " set_unix_s = excluded.set_unix_s"},
    [SQL_LOAD_POSITIONS] = {"reading the positions of switches",
                            "SELECT control_switch, position, reason, owner, set_unix_s"
                            " FROM switch_position ORDER BY control_switch"},
    [SQL_PUT_VERDICT] =
        {"storing the verdict on",
         "INSERT INTO verdict(endpoint, health_check, verdict, since_unix_s, reason)"
         " VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(endpoint, health_check) DO UPDATE SET"
         " verdict = excluded.verdict, since_unix_s = excluded.since_unix_s,"
         " reason = excluded.reason"},
    [SQL_LOAD_VERDICTS] = {"reading the verdicts",
                           "SELECT endpoint, health_check, verdict, since_unix_s, reason"
                           " FROM verdict ORDER BY endpoint, health_check"},
    [SQL_PUT_SETTING] = {"storing the setting",
                         "INSERT INTO setting(key, value) VALUES(?1, ?2)"
                         " ON CONFLICT(key) DO UPDATE SET value = excluded.value"},
    [SQL_PUT_DOCUMENT] = {"storing the document",
                          "INSERT INTO document(name, text, applied_unix_s) VALUES(?1, ?2, ?3)"
                          " ON CONFLICT(name) DO UPDATE SET text = excluded.text,"
                          " applied_unix_s = excluded.applied_unix_s"},
    [SQL_LOAD_DOCUMENTS] = {"reading the documents",
                            "SELECT name, text, applied_unix_s FROM document ORDER BY name"},
    [SQL_GET_SETTING] = {"reading a setting", "SELECT value FROM setting WHERE key = ?1"},
    [SQL_AUDIT] = {"storing the audit entry",
                   "INSERT INTO audit(at_unix_s, who, action, subject, detail)"
                   " VALUES(unixepoch(), ?1, ?2, ?3, ?4)"},
    [SQL_TRIM_AUDIT] = {"trimming the audit",
                        "DELETE FROM audit WHERE id <= last_insert_rowid() - ?1"},
    [SQL_LOAD_AUDIT] = {"reading the audit",
                        "SELECT id, at_unix_s, who, action, subject, detail FROM audit"
                        " WHERE id < ?1 AND at_unix_s >= ?2 ORDER BY id DESC LIMIT ?3"},
    // Of a table that went meanwhile nothing is written.
    [SQL_PUT_ESTIMATE] =
        {"storing an estimate of the latency table",
         "INSERT INTO latency_estimate(latency_table, client, site, at_unix_s, counted_in,"
         " counted, bins) SELECT name, ?2, ?3, ?4, ?5, ?6, ?7 FROM latency_table WHERE name = ?1"
         " ON CONFLICT(latency_table, client, site) DO UPDATE SET at_unix_s = excluded.at_unix_s,"
         " counted_in = excluded.counted_in, counted = excluded.counted, bins = excluded.bins"},
    [SQL_DELETE_ESTIMATE] = {"deleting an estimate of the latency table",
                             "DELETE FROM latency_estimate WHERE latency_table = ?1"
                             " AND client = ?2 AND site = ?3"},
    [SQL_LOAD_ESTIMATES] = {"reading the estimates",
                            "SELECT latency_table, client, site, at_unix_s, counted_in, counted,"
                            " bins FROM latency_estimate ORDER BY latency_table, client, site"},
    [SQL_PUT_FROZEN] =
        {"storing a frozen table of",
         "INSERT INTO frozen_table(latency_table, number, frozen_unix_s, row_count, changes, body)"
         " SELECT name, ?2, ?3, ?4, ?5, ?6 FROM latency_table WHERE name = ?1"},
    [SQL_TRIM_FROZEN] = {"trimming the frozen tables of",
                         "DELETE FROM frozen_table WHERE latency_table = ?1 AND number <="
                         " (SELECT max(number) FROM frozen_table WHERE latency_table = ?1) - ?2"},
    [SQL_LOAD_NEWEST_FROZEN] =
        {"reading the frozen tables",
         "SELECT latency_table, number, frozen_unix_s, row_count, changes, body FROM frozen_table f"
         " WHERE number = (SELECT max(number) FROM frozen_table"
         "  WHERE latency_table = f.latency_table) ORDER BY latency_table"},
    [SQL_LOAD_FROZEN] = {"reading a frozen table",
                         "SELECT latency_table, number, frozen_unix_s, row_count, changes, body"
                         " FROM frozen_table WHERE latency_table = ?1 AND number = ?2"},
    [SQL_LIST_FROZEN] = {"listing the frozen tables",
                         "SELECT latency_table, number, frozen_unix_s, row_count, changes, NULL"
                         " FROM frozen_table WHERE latency_table = ?1 ORDER BY number DESC"},
    [SQL_PUT_FREEZING] =
        {"storing the freezing of",
         "INSERT INTO freezing(latency_table, judged_unix_s, held, refused_unix_s, refusal)"
         " SELECT name, ?2, ?3, ?4, ?5 FROM latency_table WHERE name = ?1"
         " ON CONFLICT(latency_table) DO UPDATE SET judged_unix_s = excluded.judged_unix_s,"
         " held = excluded.held, refused_unix_s = excluded.refused_unix_s,"
         " refusal = excluded.refusal"},
    [SQL_LOAD_FREEZING] = {"reading the freezing of tables",
                           "SELECT latency_table, judged_unix_s, held, refused_unix_s, refusal"
                           " FROM freezing ORDER BY latency_table"},
    [SQL_FORGET_ESTIMATES] = {"forgetting the estimates of",
                              "DELETE FROM latency_estimate WHERE latency_table = ?1"},
    [SQL_FORGET_FROZEN] = {"forgetting the frozen tables of",
                           "DELETE FROM frozen_table WHERE latency_table = ?1"},
    [SQL_FORGET_FREEZING] = {"forgetting the freezing of",
                             "DELETE FROM freezing WHERE latency_table = ?1"},
};
_Static_assert(STEER_ARRAY_LEN(texts) == STORE_STATEMENT_COUNT, "each statement has its text");

const char *steer_store_doing(enum store_statement which)
{
    return texts[which].doing;
}

enum steer_err steer_store_fail(sqlite3 *db, int rc, const char *doing, const char *subject,
                                struct steer_diag *diag)
{
    enum steer_err err = STEER_EIO;
    const char *hint = "";
    char code[48];
    switch (rc & 0xff) {
    case SQLITE_CONSTRAINT:
        // What is deferred to the commit is told apart there, by name.
        err = rc == SQLITE_CONSTRAINT_FOREIGNKEY ? STEER_ENOTFOUND : STEER_EINVAL;
        hint = rc == SQLITE_CONSTRAINT_FOREIGNKEY ? " (what it belongs to is not there)" : "";
        break;
    case SQLITE_TOOBIG:
        err = STEER_ELIMIT;
        break;
    case SQLITE_IOERR: // by then errno may be another call's; the code says which call failed
        snprintf(code, sizeof code, " (SQLite's extended code %d)", rc);
        hint = code;
        break;
    case SQLITE_BUSY:
        hint = " (another program writes to it)";
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        hint = " (restore the data folder from a copy)";
        break;
    default:
        break;
    }
    const char *space = subject ? " " : "";
    return steer_diag_set(diag, err, "%s%s%s failed: %s%s", doing, space, subject ? subject : "",
                          sqlite3_errmsg(db), hint);
}

static int bind_value(sqlite3_stmt *statement, int at, const struct store_value *value)
{
    switch (value->kind) {
    case STORE_NULL:
        return sqlite3_bind_null(statement, at);
    case STORE_INTEGER:
        return sqlite3_bind_int64(statement, at, value->integer);
    case STORE_TEXT:
        return sqlite3_bind_text64(statement, at, value->data, value->len, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case STORE_BLOB:
        return value->len
                   ? sqlite3_bind_blob64(statement, at, value->data, value->len, SQLITE_STATIC)
                   : sqlite3_bind_zeroblob(statement, at, 0);
    }
    return SQLITE_MISUSE;
}

sqlite3_stmt *steer_store_bind(struct steer_store *store, enum store_statement which,
                               const struct store_value *values, size_t count, enum steer_err *err,
                               struct steer_diag *diag)
{
    sqlite3_stmt **statement = &store->statements[which];
    int rc = SQLITE_OK;
    if (!*statement)
        rc = sqlite3_prepare_v3(store->db, texts[which].sql, -1, SQLITE_PREPARE_PERSISTENT,
                                statement, NULL);
    for (size_t i = 0; i < count && rc == SQLITE_OK; i++)
        rc = bind_value(*statement, (int)i + 1, &values[i]);
    if (rc == SQLITE_OK)
        return *statement;
    *err = steer_store_fail(store->db, rc, texts[which].doing, NULL, diag);
    return NULL;
}

// Runs it once. Afterwards the statement holds no lock and no pointer of the caller is read again.
static enum steer_err step(struct steer_store *store, enum store_statement which,
                           const struct store_value *values, size_t count, const char *subject,
                           struct steer_diag *diag)
{
    enum steer_err err = STEER_OK;
    sqlite3_stmt *statement = steer_store_bind(store, which, values, count, &err, diag);
    if (!statement)
        return err;
    int rc = sqlite3_step(statement);
    err = rc == SQLITE_DONE || rc == SQLITE_ROW
              ? STEER_OK
              : steer_store_fail(store->db, rc, texts[which].doing, subject, diag);
    sqlite3_reset(statement);
    return err;
}

enum steer_err steer_store_step(struct steer_store *store, enum store_statement which,
                                const char *subject, struct steer_diag *diag)
{
    return step(store, which, NULL, 0, subject, diag);
}

enum steer_err steer_store_run(struct steer_store *store, enum store_statement which,
                               const struct store_value *values, size_t count, const char *subject,
                               struct steer_diag *diag)
{
    // Also after a full disk or a failed write, when SQLite has rolled everything back by itself: what
    // follows must not become half a change.
    if (sqlite3_get_autocommit(store->db))
        return steer_diag_set(diag, STEER_EIO, "%s: no transaction is open", texts[which].doing);
    return step(store, which, values, count, subject, diag);
}

enum steer_err steer_store_run_found(struct steer_store *store, enum store_statement which,
                                     const struct store_value *values, size_t count,
                                     const char *subject, struct steer_diag *diag)
{
    enum steer_err err = steer_store_run(store, which, values, count, subject, diag);
    if (!err && sqlite3_changes(store->db) == 0)
        err = steer_diag_set(diag, STEER_ENOTFOUND, "%s %s: it does not exist", texts[which].doing,
                             subject);
    return err;
}

enum steer_err steer_store_scan(struct steer_store *store, enum store_statement which,
                                const struct store_value *values, size_t count,
                                enum steer_err (*row)(void *ctx, sqlite3_stmt *statement),
                                void *ctx, struct steer_diag *diag)
{
    enum steer_err err = STEER_OK;
    sqlite3_stmt *statement = steer_store_bind(store, which, values, count, &err, diag);
    if (!statement)
        return err;
    int rc;
    while (!err && (rc = sqlite3_step(statement)) != SQLITE_DONE)
        err = rc == SQLITE_ROW ? row(ctx, statement)
                               : steer_store_fail(store->db, rc, texts[which].doing, NULL, diag);
    sqlite3_reset(statement);
    return err;
}

const char *steer_store_column(sqlite3_stmt *statement, int column)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    return text ? (const char *)text : "";
}

void steer_store_finalize(struct steer_store *store)
{
    for (size_t i = 0; i < STEER_ARRAY_LEN(store->statements); i++)
        sqlite3_finalize(store->statements[i]);
    memset(store->statements, 0, sizeof store->statements);
}
