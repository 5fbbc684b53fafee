// SPDX-License-Identifier: GPL-3.0-or-later
// Estimates, frozen tables, and how freezing goes.
#include "steerd/store/latency.h"

#include <stdio.h>

#include "store_internal.h"

struct latency_reader {
    union {
        enum steer_err (*estimate)(void *ctx, const struct steer_store_estimate *row);
        enum steer_err (*frozen)(void *ctx, const struct steer_store_frozen *row);
        enum steer_err (*freezing)(void *ctx, const struct steer_store_freezing *row);
    };
    void *ctx;
    bool found;
};

enum steer_err steer_store_put_estimate(struct steer_store *store,
                                        const struct steer_store_estimate *e,
                                        struct steer_diag *diag)
{
    return steer_store_run_found(
        store, SQL_PUT_ESTIMATE,
        STORE_VALUES(store_text(e->table), store_text(e->client), store_text(e->site),
                     store_integer((int64_t)e->at_unix_s), store_integer((int64_t)e->window),
                     store_integer(e->used), store_blob(e->bins, e->bins_len)),
        e->table, diag);
}

enum steer_err steer_store_delete_estimate(struct steer_store *store, const char *table,
                                           const char *client, const char *site,
                                           struct steer_diag *diag)
{
    return steer_store_run(store, SQL_DELETE_ESTIMATE,
                           STORE_VALUES(store_text(table), store_text(client), store_text(site)),
                           table, diag);
}

static enum steer_err read_estimate(void *ctx, sqlite3_stmt *row)
{
    const struct latency_reader *reader = ctx;
    const struct steer_store_estimate e = {
        .table = steer_store_column(row, 0),
        .client = steer_store_column(row, 1),
        .site = steer_store_column(row, 2),
        .at_unix_s = (uint64_t)sqlite3_column_int64(row, 3),
        .window = (uint64_t)sqlite3_column_int64(row, 4),
        .used = (uint32_t)sqlite3_column_int64(row, 5),
        .bins = sqlite3_column_blob(row, 6),
        .bins_len = (size_t)sqlite3_column_bytes(row, 6),
    };
    return reader->estimate(reader->ctx, &e);
}

enum steer_err
steer_store_load_estimates(struct steer_store *store,
                           enum steer_err (*row)(void *ctx, const struct steer_store_estimate *),
                           void *ctx, struct steer_diag *diag)
{
    struct latency_reader reader = {.estimate = row, .ctx = ctx};
    return steer_store_scan(store, SQL_LOAD_ESTIMATES, NULL, 0, read_estimate, &reader, diag);
}

enum steer_err steer_store_put_frozen(struct steer_store *store, const struct steer_store_frozen *f,
                                      struct steer_diag *diag)
{
    enum steer_err err = steer_store_run_found(
        store, SQL_PUT_FROZEN,
        STORE_VALUES(store_text(f->table), store_integer(f->number),
                     store_integer((int64_t)f->frozen_unix_s), store_integer(f->rows),
                     store_integer(f->changes), store_text(f->body)),
        f->table, diag);
    if (!err)
        err = steer_store_run(store, SQL_TRIM_FROZEN,
                              STORE_VALUES(store_text(f->table), store_integer(STEER_FROZEN_KEPT)),
                              f->table, diag);
    return err;
}

static enum steer_err read_frozen(void *ctx, sqlite3_stmt *row)
{
    struct latency_reader *reader = ctx;
    const struct steer_store_frozen f = {
        .table = steer_store_column(row, 0),
        .number = (uint32_t)sqlite3_column_int64(row, 1),
        .frozen_unix_s = (uint64_t)sqlite3_column_int64(row, 2),
        .rows = (uint32_t)sqlite3_column_int64(row, 3),
        .changes = (uint32_t)sqlite3_column_int64(row, 4),
        .body = (const char *)sqlite3_column_text(row, 5),
    };
    reader->found = true;
    return reader->frozen(reader->ctx, &f);
}

enum steer_err
steer_store_load_newest_frozen(struct steer_store *store,
                               enum steer_err (*row)(void *ctx, const struct steer_store_frozen *),
                               void *ctx, struct steer_diag *diag)
{
    struct latency_reader reader = {.frozen = row, .ctx = ctx};
    return steer_store_scan(store, SQL_LOAD_NEWEST_FROZEN, NULL, 0, read_frozen, &reader, diag);
}

enum steer_err
steer_store_load_frozen(struct steer_store *store, const char *table, uint32_t number,
                        enum steer_err (*row)(void *ctx, const struct steer_store_frozen *),
                        void *ctx, struct steer_diag *diag)
{
    struct latency_reader reader = {.frozen = row, .ctx = ctx};
    enum steer_err err = steer_store_scan(store, SQL_LOAD_FROZEN,
                                          STORE_VALUES(store_text(table), store_integer(number)),
                                          read_frozen, &reader, diag);
    if (!err && !reader.found)
        err =
            steer_diag_set(diag, STEER_ENOTFOUND, "table %u of '%s' is not kept; the newest %d are",
                           number, table, STEER_FROZEN_KEPT);
    return err;
}

enum steer_err steer_store_list_frozen(struct steer_store *store, const char *table,
                                       enum steer_err (*row)(void *ctx,
                                                             const struct steer_store_frozen *),
                                       void *ctx, struct steer_diag *diag)
{
    struct latency_reader reader = {.frozen = row, .ctx = ctx};
    return steer_store_scan(store, SQL_LIST_FROZEN, STORE_VALUES(store_text(table)), read_frozen,
                            &reader, diag);
}

enum steer_err steer_store_put_freezing(struct steer_store *store,
                                        const struct steer_store_freezing *f,
                                        struct steer_diag *diag)
{
    return steer_store_run_found(
        store, SQL_PUT_FREEZING,
        STORE_VALUES(store_text(f->table), store_integer((int64_t)f->judged_unix_s),
                     store_integer(f->held), store_integer((int64_t)f->refused_unix_s),
                     store_text(f->refusal)),
        f->table, diag);
}

static enum steer_err read_freezing(void *ctx, sqlite3_stmt *row)
{
    const struct latency_reader *reader = ctx;
    const struct steer_store_freezing f = {
        .table = steer_store_column(row, 0),
        .judged_unix_s = (uint64_t)sqlite3_column_int64(row, 1),
        .held = sqlite3_column_int64(row, 2) != 0,
        .refused_unix_s = (uint64_t)sqlite3_column_int64(row, 3),
        .refusal = steer_store_column(row, 4),
    };
    return reader->freezing(reader->ctx, &f);
}

enum steer_err steer_store_load_freezing(struct steer_store *store,
                                         enum steer_err (*row)(void *ctx,
                                                               const struct steer_store_freezing *),
                                         void *ctx, struct steer_diag *diag)
{
    struct latency_reader reader = {.freezing = row, .ctx = ctx};
    return steer_store_scan(store, SQL_LOAD_FREEZING, NULL, 0, read_freezing, &reader, diag);
}

enum steer_err steer_store_forget_measured(struct steer_store *store, const char *table,
                                           struct steer_diag *diag)
{
    static const enum store_statement all[] = {SQL_FORGET_ESTIMATES, SQL_FORGET_FROZEN,
                                               SQL_FORGET_FREEZING};
    enum steer_err err = STEER_OK;
    for (size_t i = 0; i < STEER_ARRAY_LEN(all) && !err; i++)
        err = steer_store_run(store, all[i], STORE_VALUES(store_text(table)), table, diag);
    return err;
}
