// SPDX-License-Identifier: GPL-3.0-or-later
// The store into a first world: the same link as any change, without a journal.
#include <stdlib.h>
#include <string.h>

#include "control_internal.h"
#include "steerd/base/clock.h"
#include "steerd/base/log.h"
#include "steerd/base/mem.h"

struct loading {
    struct steer_control *control;
    struct steer_link *link;
    struct steer_diag *diag;
    struct steer_name origin;
    struct steer_zone_edit *edit;
    struct steer_map frozen_index; // latency table -> frozen
    struct frozen {
        struct steer_latency *rows;
        uint32_t number;
    } * frozen;
    size_t frozen_count, frozen_cap;
    struct steer_rehearsals *rehearsals;
    struct ended {
        char *kind, *target, *clients;
    } * ended; // overrides whose time is over, and that are in the store yet
    size_t ended_count, ended_cap;
};

static bool kind_of(const char *text, enum steer_kind *kind)
{
    for (int k = 0; k < STEER_STEERED; k++) {
        if (strcmp(text, steer_kind_text((enum steer_kind)k)) == 0) {
            *kind = (enum steer_kind)k;
            return true;
        }
    }
    return false;
}

static enum steer_err load_frozen(void *ctx, const struct steer_store_frozen *row)
{
    struct loading *l = ctx;
    struct steer_latency *rows;
    enum steer_err err = control_parse_frozen(row, &rows, l->diag);
    if (err != STEER_OK)
        return err;
    l->frozen = steer_grow(l->frozen, &l->frozen_cap, l->frozen_count + 1, sizeof *l->frozen);
    steer_map_put(&l->frozen_index, row->table, (uint32_t)l->frozen_count);
    l->frozen[l->frozen_count++] = (struct frozen){rows, row->number};
    return STEER_OK;
}

static void frozen_fini(struct loading *l)
{
    for (size_t i = 0; i < l->frozen_count; i++)
        steer_latency_unref(l->frozen[i].rows);
    free(l->frozen);
    steer_map_fini(&l->frozen_index);
}

// What was measured is in force from the first answer on.
static struct steer_object *with_frozen(const struct loading *l, struct steer_object *object)
{
    uint32_t at;
    if (object->kind != STEER_LATENCY || !object->measured ||
        !steer_map_get(&l->frozen_index, object->name, &at))
        return object;
    struct steer_object *frozen =
        steer_object_freeze(object, l->frozen[at].rows, l->frozen[at].number);
    steer_object_unref(object);
    return frozen;
}

static enum steer_err load_object(void *ctx, const struct steer_store_object *row)
{
    struct loading *l = ctx;
    struct steer_object *object;
    enum steer_kind kind;
    if (!kind_of(row->kind, &kind))
        return steer_diag_set(l->diag, STEER_EINVAL,
                              "the store holds an object of unknown kind '%s'", row->kind);
    enum steer_err err =
        steer_object_from_json(kind, row->name, row->document, row->json, NULL, &object, l->diag);
    if (err != STEER_OK)
        return err;
    object = with_frozen(l, object);
    steer_link_put(l->link, object);
    steer_object_unref(object);
    return STEER_OK;
}

static enum steer_err load_zone(void *ctx, int64_t zone_id, const struct steer_name *origin,
                                const char *document)
{
    struct loading *l = ctx;
    (void)zone_id;
    l->origin = *origin;
    l->edit = steer_link_zone(l->link, origin, document);
    return STEER_OK;
}

static enum steer_err load_rrset(void *ctx, const struct steer_store_rrset *row)
{
    struct loading *l = ctx;
    return steer_zone_put_packed(l->edit, row->owner, row->type, row->ttl_s, row->packed,
                                 row->packed_len, l->diag);
}

static enum steer_err load_steered(void *ctx, const struct steer_store_steered *row)
{
    struct loading *l = ctx;
    struct steer_object *object;
    enum steer_err err = steer_object_from_json(STEER_STEERED, row->name, row->document, row->json,
                                                &l->origin, &object, l->diag);
    if (err != STEER_OK)
        return err;
    err = steer_link_put_steered(l->link, object, l->diag);
    steer_object_unref(object);
    return err;
}

static enum steer_err load_rehearsal(struct loading *l, const struct steer_store_override *row,
                                     enum steer_forced state)
{
    struct steer_clients clients;
    struct steer_rehearsal r = {.state = state,
                                .target = row->target,
                                .reason = row->reason,
                                .owner = row->owner,
                                .set_unix_s = row->set_unix_s,
                                .expires_unix_s = row->expires_unix_s,
                                .clients = &clients};
    struct steer_rehearsals *with;
    enum steer_err err = steer_clients_parse(row->clients, &clients, l->diag);
    if (err == STEER_OK && !kind_of(row->kind, &r.kind))
        err = steer_diag_set(l->diag, STEER_EINVAL, "the store holds an override of a '%s'",
                             row->kind);
    if (err == STEER_OK)
        err = steer_rehearsals_with(l->rehearsals, &r, &with, l->diag);
    if (err != STEER_OK)
        return err;
    steer_rehearsals_unref(l->rehearsals);
    l->rehearsals = with;
    return STEER_OK;
}

// Nothing of it comes into force again, nor into the way of those that were set since it ended.
static void note_ended(struct loading *l, const struct steer_store_override *row)
{
    l->ended = steer_grow(l->ended, &l->ended_cap, l->ended_count + 1, sizeof *l->ended);
    l->ended[l->ended_count++] = (struct ended){steer_strdup(row->kind), steer_strdup(row->target),
                                                steer_strdup(row->clients)};
}

static void forget_ended(const struct loading *l)
{
    for (size_t i = 0; i < l->ended_count; i++) {
        const struct ended *e = &l->ended[i];
        control_write_expired(l->control, e->kind, e->target, e->clients);
        steer_log(STEER_LOG_INFO, "control", "override on %s %s%s%s: expired", e->kind, e->target,
                  e->clients[0] ? " for " : "", e->clients);
    }
}

static void ended_fini(struct loading *l)
{
    for (size_t i = 0; i < l->ended_count; i++) {
        free(l->ended[i].kind);
        free(l->ended[i].target);
        free(l->ended[i].clients);
    }
    free(l->ended);
}

static enum steer_err load_override(void *ctx, const struct steer_store_override *row)
{
    struct loading *l = ctx;
    enum steer_forced state;
    if (row->expires_unix_s && row->expires_unix_s <= l->control->started_unix_s) {
        note_ended(l, row);
        return STEER_OK;
    }
    if (!steer_forced_parse(row->state, &state))
        return steer_diag_set(l->diag, STEER_EINVAL, "the store holds an override '%s'",
                              row->state);
    if (row->clients[0])
        return load_rehearsal(l, row, state);
    struct steer_override o = {
        .state = state, .set_unix_s = row->set_unix_s, .expires_unix_s = row->expires_unix_s};
    char *kind = steer_strdup(row->kind);
    char *target = steer_strdup(row->target);
    char *reason = steer_strdup(row->reason ? row->reason : "");
    char *owner = steer_strdup(row->owner ? row->owner : "");
    o.kind = kind;
    o.target = target;
    o.reason = reason;
    o.owner = owner;
    steer_vitals_override(l->control->vitals, &o);
    free(kind);
    free(target);
    free(reason);
    free(owner);
    return STEER_OK;
}

static enum steer_err load_position(void *ctx, const struct steer_store_position *row)
{
    struct loading *l = ctx;
    char *texts[] = {steer_strdup(row->name), steer_strdup(row->position),
                     steer_strdup(row->reason), steer_strdup(row->owner)};
    steer_vitals_set_switch(
        l->control->vitals,
        &(struct steer_switch_setting){texts[0], texts[1], texts[2], texts[3], row->set_unix_s});
    for (unsigned i = 0; i < STEER_ARRAY_LEN(texts); i++)
        free(texts[i]);
    return STEER_OK;
}

// Verdicts hold from the first answer on, so that a restart flaps nothing.
static enum steer_err load_verdict(void *ctx, const struct steer_store_verdict *row)
{
    struct loading *l = ctx;
    struct steer_vital *vital = steer_vitals_find(l->control->vitals, row->endpoint, row->check);
    enum steer_verdict verdict = strcmp(row->verdict, "up") == 0 ? STEER_UP : STEER_DOWN;
    if (vital)
        steer_verdict_restore(&vital->state, verdict, row->since_unix_s, row->reason);
    return STEER_OK;
}

static enum steer_err load_document(void *ctx, const char *name, const char *text, size_t len,
                                    uint64_t applied_unix_s)
{
    struct loading *l = ctx;
    control_keep_document(l->control, name, text, len, applied_unix_s);
    return STEER_OK;
}

static enum steer_err load_all(struct loading *l)
{
    struct steer_control *c = l->control;
    struct steer_store_zone_reader reader = {l, load_zone, load_rrset, load_steered};
    enum steer_err err = steer_store_load_documents(c->store, load_document, l, l->diag);
    if (err == STEER_OK)
        err = steer_store_load_overrides(c->store, load_override, l, l->diag);
    if (err == STEER_OK)
        err = steer_store_load_positions(c->store, load_position, l, l->diag);
    steer_link_set_rehearsals(l->link, l->rehearsals);
    if (err == STEER_OK)
        err = steer_store_load_newest_frozen(c->store, load_frozen, l, l->diag);
    if (err == STEER_OK)
        err = steer_store_load_objects(c->store, load_object, l, l->diag);
    if (err == STEER_OK)
        err = control_load_measures(c, steer_link_catalog(l->link), l->diag);
    if (err != STEER_OK)
        return err;
    // The pairs must be there before their verdicts; there is no prober yet to hear of them.
    steer_vitals_follow(c->vitals, steer_link_catalog(l->link), NULL, NULL, NULL);
    err = steer_store_load_verdicts(c->store, load_verdict, l, l->diag);
    if (err == STEER_OK)
        err = steer_store_load_zones(c->store, &reader, l->diag);
    if (err == STEER_OK)
        err = steer_link_prepare(l->link, steer_clock_unix_s(), l->diag);
    return err;
}

enum steer_err control_load(struct steer_control *c, struct steer_diag *diag)
{
    uint64_t begin = steer_clock_mono_ns();
    struct loading l = {.control = c, .diag = diag};
    l.link = steer_link_begin(c->linker);
    steer_link_set_loading(l.link);
    enum steer_err err = load_all(&l);
    frozen_fini(&l);
    steer_rehearsals_unref(l.rehearsals);
    if (err == STEER_OK) {
        steer_link_commit(l.link);
        forget_ended(&l);
    } else {
        steer_link_abort(l.link);
    }
    ended_fini(&l);
    if (err != STEER_OK)
        return err;
    const struct steer_world *world = steer_linker_world(c->linker);
    steer_log(STEER_LOG_INFO, "control", "loaded %zu zones and %zu steered records in %.3f s",
              world->zones.count,
              steer_catalog_count(steer_linker_catalog(c->linker), STEER_STEERED),
              (double)(steer_clock_mono_ns() - begin) / 1e9);
    return STEER_OK;
}
