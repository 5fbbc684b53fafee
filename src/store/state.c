// SPDX-License-Identifier: GPL-3.0-or-later
// Overrides, verdicts, settings and the audit.
#include "store_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "steerd/base/mem.h"

// One row's callback and what it is passed, for steer_store_scan.
struct row_reader {
    union {
        enum steer_err (*override)(void *ctx, const struct steer_store_override *row);
        enum steer_err (*position)(void *ctx, const struct steer_store_position *row);
        enum steer_err (*verdict)(void *ctx, const struct steer_store_verdict *row);
        enum steer_err (*audit)(void *ctx, const struct steer_store_audit_entry *row);
    };
    void *ctx;
};

enum steer_err steer_store_put_override(struct steer_store *store,
                                        const struct steer_store_override *o,
                                        struct steer_diag *diag)
{
    return steer_store_run(store, SQL_PUT_OVERRIDE,
                           STORE_VALUES(store_text(o->kind), store_text(o->target),
                                        store_text(o->clients), store_text(o->state),
                                        store_text(o->reason), store_text(o->owner),
                                        store_integer((int64_t)o->set_unix_s),
                                        store_integer((int64_t)o->expires_unix_s)),
                           o->target, diag);
}

enum steer_err steer_store_delete_override(struct steer_store *store, const char *kind,
                                           const char *target, const char *clients,
                                           struct steer_diag *diag)
{
    char subject[512];
    snprintf(subject, sizeof subject, "%s %s", kind, target);
    return steer_store_run_found(
        store, SQL_DELETE_OVERRIDE,
        STORE_VALUES(store_text(kind), store_text(target), store_text(clients)), subject, diag);
}

static enum steer_err read_override(void *ctx, sqlite3_stmt *row)
{
    const struct row_reader *reader = ctx;
    const struct steer_store_override o = {
        .kind = steer_store_column(row, 0),
        .target = steer_store_column(row, 1),
        .clients = steer_store_column(row, 2),
        .state = steer_store_column(row, 3),
        .reason = steer_store_column(row, 4),
        .owner = steer_store_column(row, 5),
        .set_unix_s = (uint64_t)sqlite3_column_int64(row, 6),
        .expires_unix_s = (uint64_t)sqlite3_column_int64(row, 7),
    };
    return reader->override(reader->ctx, &o);
}

enum steer_err
steer_store_load_overrides(struct steer_store *store,
                           enum steer_err (*row)(void *ctx, const struct steer_store_override *),
                           void *ctx, struct steer_diag *diag)
{
    struct row_reader reader = {.override = row, .ctx = ctx};
    return steer_store_scan(store, SQL_LOAD_OVERRIDES, NULL, 0, read_override, &reader, diag);
}

enum steer_err steer_store_put_position(struct steer_store *store,
                                        const struct steer_store_position *p,
                                        struct steer_diag *diag)
{
    return steer_store_run(store, SQL_PUT_POSITION,
                           STORE_VALUES(store_text(p->name), store_text(p->position),
                                        store_text(p->reason), store_text(p->owner),
                                        store_integer((int64_t)p->set_unix_s)),
                           p->name, diag);
}

static enum steer_err read_position(void *ctx, sqlite3_stmt *row)
{
    const struct row_reader *reader = ctx;
    const struct steer_store_position p = {
        .name = steer_store_column(row, 0),
        .position = steer_store_column(row, 1),
        .reason = steer_store_column(row, 2),
        .owner = steer_store_column(row, 3),
        .set_unix_s = (uint64_t)sqlite3_column_int64(row, 4),
    };
    return reader->position(reader->ctx, &p);
}

enum steer_err
steer_store_load_positions(struct steer_store *store,
                           enum steer_err (*row)(void *ctx, const struct steer_store_position *),
                           void *ctx, struct steer_diag *diag)
{
    struct row_reader reader = {.position = row, .ctx = ctx};
    return steer_store_scan(store, SQL_LOAD_POSITIONS, NULL, 0, read_position, &reader, diag);
}

enum steer_err steer_store_put_verdict(struct steer_store *store,
                                       const struct steer_store_verdict *v, struct steer_diag *diag)
{
    return steer_store_run(
        store, SQL_PUT_VERDICT,
        STORE_VALUES(store_text(v->endpoint), store_text(v->check), store_text(v->verdict),
                     store_integer((int64_t)v->since_unix_s), store_text(v->reason)),
        v->endpoint, diag);
}

static enum steer_err read_verdict(void *ctx, sqlite3_stmt *row)
{
    const struct row_reader *reader = ctx;
    const struct steer_store_verdict v = {
        .endpoint = steer_store_column(row, 0),
        .check = steer_store_column(row, 1),
        .verdict = steer_store_column(row, 2),
        .since_unix_s = (uint64_t)sqlite3_column_int64(row, 3),
        .reason = steer_store_column(row, 4),
    };
    return reader->verdict(reader->ctx, &v);
}

enum steer_err steer_store_load_verdicts(struct steer_store *store,
                                         enum steer_err (*row)(void *ctx,
                                                               const struct steer_store_verdict *),
                                         void *ctx, struct steer_diag *diag)
{
    struct row_reader reader = {.verdict = row, .ctx = ctx};
    return steer_store_scan(store, SQL_LOAD_VERDICTS, NULL, 0, read_verdict, &reader, diag);
}

enum steer_err steer_store_put_setting(struct steer_store *store, const char *key,
                                       const char *value, struct steer_diag *diag)
{
    return steer_store_run(store, SQL_PUT_SETTING, STORE_VALUES(store_text(key), store_text(value)),
                           key, diag);
}

static enum steer_err read_setting(void *ctx, sqlite3_stmt *row)
{
    char **value = ctx;
    *value = steer_strdup(steer_store_column(row, 0));
    return STEER_OK;
}

enum steer_err steer_store_get_setting(struct steer_store *store, const char *key, char **value,
                                       struct steer_diag *diag)
{
    char *found = NULL; // the key is unique: one row at most
    enum steer_err err = steer_store_scan(store, SQL_GET_SETTING, STORE_VALUES(store_text(key)),
                                          read_setting, &found, diag);
    if (err) {
        free(found);
        return err;
    }
    if (!found)
        return steer_diag_set(diag, STEER_ENOTFOUND, "the setting '%s' was never stored", key);
    *value = found;
    return STEER_OK;
}

enum steer_err steer_store_put_document(struct steer_store *store, const char *name,
                                        const char *text, size_t len, uint64_t applied_unix_s,
                                        struct steer_diag *diag)
{
    return steer_store_run(store, SQL_PUT_DOCUMENT,
                           STORE_VALUES(store_text(name), store_blob(text, len),
                                        store_integer((int64_t)applied_unix_s)),
                           name, diag);
}

struct document_reader {
    enum steer_err (*row)(void *ctx, const char *name, const char *text, size_t len,
                          uint64_t applied_unix_s);
    void *ctx;
};

static enum steer_err read_document(void *ctx, sqlite3_stmt *row)
{
    const struct document_reader *reader = ctx;
    const char *text = sqlite3_column_blob(row, 1);
    return reader->row(reader->ctx, steer_store_column(row, 0), text ? text : "",
                       (size_t)sqlite3_column_bytes(row, 1),
                       (uint64_t)sqlite3_column_int64(row, 2));
}

enum steer_err steer_store_load_documents(struct steer_store *store,
                                          enum steer_err (*row)(void *ctx, const char *name,
                                                                const char *text, size_t len,
                                                                uint64_t applied_unix_s),
                                          void *ctx, struct steer_diag *diag)
{
    struct document_reader reader = {row, ctx};
    return steer_store_scan(store, SQL_LOAD_DOCUMENTS, NULL, 0, read_document, &reader, diag);
}

enum steer_err steer_store_audit(struct steer_store *store, const char *who, const char *action,
                                 const char *subject, const char *detail, struct steer_diag *diag)
{
    enum steer_err err = steer_store_run(
        store, SQL_AUDIT,
        STORE_VALUES(store_text(who), store_text(action), store_text(subject), store_text(detail)),
        action, diag);
    if (!err)
        err = steer_store_run(store, SQL_TRIM_AUDIT, STORE_VALUES(store_integer(STEER_AUDIT_MAX)),
                              NULL, diag);
    return err;
}

static enum steer_err read_audit(void *ctx, sqlite3_stmt *row)
{
    const struct row_reader *reader = ctx;
    const struct steer_store_audit_entry entry = {
        .id = sqlite3_column_int64(row, 0),
        .at_unix_s = (uint64_t)sqlite3_column_int64(row, 1),
        .who = steer_store_column(row, 2),
        .action = steer_store_column(row, 3),
        .subject = steer_store_column(row, 4),
        .detail = steer_store_column(row, 5),
    };
    return reader->audit(reader->ctx, &entry);
}

enum steer_err steer_store_load_audit(struct steer_store *store, int64_t before_id,
                                      uint64_t since_unix_s, uint32_t limit,
                                      enum steer_err (*row)(void *ctx,
                                                            const struct steer_store_audit_entry *),
                                      void *ctx, struct steer_diag *diag)
{
    struct row_reader reader = {.audit = row, .ctx = ctx};
    return steer_store_scan(store, SQL_LOAD_AUDIT,
                            STORE_VALUES(store_integer(before_id > 0 ? before_id : INT64_MAX),
                                         store_integer((int64_t)since_unix_s),
                                         store_integer(limit)),
                            read_audit, &reader, diag);
}
