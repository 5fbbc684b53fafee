// SPDX-License-Identifier: GPL-3.0-or-later
// What the files of the room store share.
#ifndef STEERD_STORE_INTERNAL_H
#define STEERD_STORE_INTERNAL_H

#include <sqlite3.h>
#include <string.h>

#include "steerd/store/store.h"

// "STRd" in the header of the file, so that file(1) and we know whose it is.
#define STEER_STORE_APPLICATION_ID 0x53545264

// Each names one SQL text in statements.c.
enum store_statement {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_SAVEPOINT,
    SQL_RELEASE,
    SQL_BROKEN_REFERENCE,
    SQL_PUT_SITE, // the kinds keep one order, see objects.c
    SQL_PUT_CHECK,
    SQL_PUT_ENDPOINT,
    SQL_PUT_POOL,
    SQL_PUT_SWITCH,
    SQL_PUT_LATENCY,
    SQL_PUT_POLICY,
    SQL_PUT_ASSERTION,
    SQL_DELETE_SITE,
    SQL_DELETE_CHECK,
    SQL_DELETE_ENDPOINT,
    SQL_DELETE_POOL,
    SQL_DELETE_SWITCH,
    SQL_DELETE_LATENCY,
    SQL_DELETE_POLICY,
    SQL_DELETE_ASSERTION,
    SQL_LOAD_SITES,
    SQL_LOAD_CHECKS,
    SQL_LOAD_ENDPOINTS,
    SQL_LOAD_POOLS,
    SQL_LOAD_SWITCHES,
    SQL_LOAD_LATENCIES,
    SQL_LOAD_POLICIES,
    SQL_LOAD_ASSERTIONS,
    SQL_CLEAR_ENDPOINT_CHECKS,
    SQL_FORGET_VERDICTS,
    SQL_PUT_ENDPOINT_CHECK,
    SQL_CLEAR_POOL_MEMBERS,
    SQL_PUT_POOL_MEMBER,
    SQL_PUT_ZONE,
    SQL_FIND_ZONE,
    SQL_DELETE_ZONE,
    SQL_CLEAR_ZONE,
    SQL_PUT_RRSET,
    SQL_DELETE_RRSET,
    SQL_PUT_STEERED,
    SQL_DELETE_STEERED,
    SQL_LOAD_ZONES,
    SQL_LOAD_RRSETS,
    SQL_LOAD_STEERED,
    SQL_PUT_OVERRIDE,
    SQL_DELETE_OVERRIDE,
    SQL_LOAD_OVERRIDES,
    SQL_PUT_POSITION,
    SQL_LOAD_POSITIONS,
    SQL_PUT_VERDICT,
    SQL_LOAD_VERDICTS,
    SQL_PUT_SETTING,
    SQL_GET_SETTING,
    SQL_PUT_DOCUMENT,
    SQL_LOAD_DOCUMENTS,
    SQL_AUDIT,
    SQL_TRIM_AUDIT,
    SQL_LOAD_AUDIT,
    SQL_PUT_ESTIMATE,
    SQL_DELETE_ESTIMATE,
    SQL_LOAD_ESTIMATES,
    SQL_PUT_FROZEN,
    SQL_TRIM_FROZEN,
    SQL_LOAD_NEWEST_FROZEN,
    SQL_LOAD_FROZEN,
    SQL_LIST_FROZEN,
    SQL_PUT_FREEZING,
    SQL_LOAD_FREEZING,
    SQL_FORGET_ESTIMATES,
    SQL_FORGET_FROZEN,
    SQL_FORGET_FREEZING,
    STORE_STATEMENT_COUNT,
};

struct steer_store {
    sqlite3 *db;
    int lock_fd; // holds the lock on steerd.lock
    uint64_t commit_ns;
    int64_t changes_at_begin;                        // of sqlite3_total_changes64
    sqlite3_stmt *statements[STORE_STATEMENT_COUNT]; // prepared when first used
};

// ---- values of parameters --------------------------------------------------------------------------
enum store_value_kind { STORE_NULL, STORE_INTEGER, STORE_TEXT, STORE_BLOB };
struct store_value {
    enum store_value_kind kind;
    int64_t integer;
    const void *data;
    size_t len;
};
#define STORE_VALUES(...)                                                                          \
    (const struct store_value[]){__VA_ARGS__},                                                     \
        sizeof((const struct store_value[]){__VA_ARGS__}) / sizeof(struct store_value)

static inline struct store_value store_integer(int64_t value)
{
    return (struct store_value){.kind = STORE_INTEGER, .integer = value};
}
static inline struct store_value store_text_or_null(const char *text)
{
    return (struct store_value){
        .kind = text ? STORE_TEXT : STORE_NULL, .data = text, .len = text ? strlen(text) : 0};
}
static inline struct store_value store_text(const char *text)
{
    return store_text_or_null(text ? text : "");
}
static inline struct store_value store_blob(const void *data, size_t len)
{
    return (struct store_value){.kind = STORE_BLOB, .data = data, .len = len};
}

// ---- statements.c ----------------------------------------------------------------------------------
// The result of SQLite as an error of ours: "<doing> <subject> failed: ..."; subject may be NULL.
enum steer_err steer_store_fail(sqlite3 *db, int rc, const char *doing, const char *subject,
                                struct steer_diag *diag);
// Prepared, reset and with its parameters bound, or NULL with diag and *err.
sqlite3_stmt *steer_store_bind(struct steer_store *store, enum store_statement which,
                               const struct store_value *values, size_t count, enum steer_err *err,
                               struct steer_diag *diag);
// A statement without parameters and rows, whether or not a transaction is open.
enum steer_err steer_store_step(struct steer_store *store, enum store_statement which,
                                const char *subject, struct steer_diag *diag);
// A statement that changes something: refused outside a transaction. subject: for diag, may be NULL.
enum steer_err steer_store_run(struct steer_store *store, enum store_statement which,
                               const struct store_value *values, size_t count, const char *subject,
                               struct steer_diag *diag);
// The same; STEER_ENOTFOUND when no row was changed.
enum steer_err steer_store_run_found(struct steer_store *store, enum store_statement which,
                                     const struct store_value *values, size_t count,
                                     const char *subject, struct steer_diag *diag);
// Calls row for each row; a result other than STEER_OK stops and is returned.
enum steer_err steer_store_scan(struct steer_store *store, enum store_statement which,
                                const struct store_value *values, size_t count,
                                enum steer_err (*row)(void *ctx, sqlite3_stmt *statement),
                                void *ctx, struct steer_diag *diag);
// What the statement does, as in "storing a site".
const char *steer_store_doing(enum store_statement which);
// A text column; "" for NULL.
const char *steer_store_column(sqlite3_stmt *statement, int column);
void steer_store_finalize(struct steer_store *store);

// ---- store.c ---------------------------------------------------------------------------------------
// Gives the memory of the page cache back to the system.
void steer_store_release_cache(struct steer_store *store);

// ---- migrations.c ----------------------------------------------------------------------------------
extern const char *const steer_store_migrations[];
extern const int steer_store_migration_count;
// Brings db from its user_version to count, each step in a transaction of its own.
enum steer_err steer_store_migrate(sqlite3 *db, const char *const *migrations, int count,
                                   struct steer_diag *diag) STEER_MUST_USE;
// The one number that a PRAGMA or SELECT gives.
enum steer_err steer_store_number(sqlite3 *db, const char *sql, int64_t *number,
                                  struct steer_diag *diag) STEER_MUST_USE;

#endif
