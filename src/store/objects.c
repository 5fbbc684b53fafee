// SPDX-License-Identifier: GPL-3.0-or-later
// Sites, checks, endpoints, pools, switches, latency tables, policies and assertions.
#include "store_internal.h"

// In the order in which they are loaded, so that each comes after what it names.
static const char *const kinds[] = {"site",   "check",         "endpoint", "pool",
                                    "switch", "latency table", "policy",   "assertion"};
enum { SITE, CHECK, ENDPOINT, POOL, SWITCH, LATENCY, POLICY, ASSERTION };

// STEER_ARRAY_LEN(kinds), with diag, when there is no such kind.
static unsigned find_kind(const char *name, struct steer_diag *diag)
{
    for (unsigned i = 0; i < STEER_ARRAY_LEN(kinds); i++)
        if (strcmp(name, kinds[i]) == 0)
            return i;
    steer_diag_set(diag, STEER_EINVAL, "there is no kind of object '%s'", name);
    return STEER_ARRAY_LEN(kinds);
}

static enum steer_err put_relations(struct steer_store *store, unsigned kind,
                                    const struct steer_store_object *object,
                                    struct steer_diag *diag)
{
    enum store_statement clear = kind == POOL ? SQL_CLEAR_POOL_MEMBERS : SQL_CLEAR_ENDPOINT_CHECKS;
    struct store_value name = store_text(object->name);
    enum steer_err err = steer_store_run(store, clear, &name, 1, object->name, diag);
    for (size_t i = 0; !err && i < object->relation_count; i++) {
        const struct steer_store_relation *to = &object->relations[i];
        if (kind == POOL)
            err =
                steer_store_run(store, SQL_PUT_POOL_MEMBER,
                                STORE_VALUES(name, store_text(to->name), store_integer(to->weight)),
                                object->name, diag);
        else
            err = steer_store_run(store, SQL_PUT_ENDPOINT_CHECK,
                                  STORE_VALUES(name, store_text(to->name)), object->name, diag);
    }
    // A check that the endpoint dropped must not speak for it again when it is added back.
    if (!err && kind != POOL)
        err = steer_store_run(store, SQL_FORGET_VERDICTS, &name, 1, object->name, diag);
    return err;
}

enum steer_err steer_store_put_object(struct steer_store *store,
                                      const struct steer_store_object *object,
                                      struct steer_diag *diag)
{
    unsigned kind = find_kind(object->kind, diag);
    if (kind == STEER_ARRAY_LEN(kinds))
        return STEER_EINVAL;
    const struct store_value values[] = {
        store_text(object->name),
        store_text(object->document),
        store_text(object->json),
        store_text_or_null(object->site),
    };
    enum steer_err err = steer_store_run(store, SQL_PUT_SITE + kind, values,
                                         kind == ENDPOINT ? 4 : 3, object->name, diag);
    if (!err && (kind == ENDPOINT || kind == POOL))
        err = put_relations(store, kind, object, diag);
    return err;
}

enum steer_err steer_store_delete_object(struct steer_store *store, const char *kind_name,
                                         const char *name, struct steer_diag *diag)
{
    unsigned kind = find_kind(kind_name, diag);
    if (kind == STEER_ARRAY_LEN(kinds))
        return STEER_EINVAL;
    return steer_store_run_found(store, SQL_DELETE_SITE + kind, STORE_VALUES(store_text(name)),
                                 name, diag);
}

struct object_reader {
    const char *kind;
    enum steer_err (*row)(void *ctx, const struct steer_store_object *object);
    void *ctx;
};

static enum steer_err read_object(void *ctx, sqlite3_stmt *statement)
{
    const struct object_reader *reader = ctx;
    const struct steer_store_object object = {
        .kind = reader->kind,
        .name = steer_store_column(statement, 0),
        .document = steer_store_column(statement, 1),
        .json = steer_store_column(statement, 2),
        .site = (const char *)sqlite3_column_text(statement, 3),
    };
    return reader->row(reader->ctx, &object);
}

enum steer_err steer_store_load_objects(struct steer_store *store,
                                        enum steer_err (*row)(void *ctx,
                                                              const struct steer_store_object *),
                                        void *ctx, struct steer_diag *diag)
{
    struct object_reader reader = {.row = row, .ctx = ctx};
    enum steer_err err = STEER_OK;
    for (unsigned kind = SITE; !err && kind <= ASSERTION; kind++) {
        reader.kind = kinds[kind];
        err = steer_store_scan(store, SQL_LOAD_SITES + kind, NULL, 0, read_object, &reader, diag);
    }
    return err;
}
