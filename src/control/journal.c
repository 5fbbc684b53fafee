// SPDX-License-Identifier: GPL-3.0-or-later
// A link's journal into the store, and the commit that makes both durable and visible.
#include <stdlib.h>
#include <string.h>

#include "control_internal.h"
#include "steerd/base/clock.h"
#include "steerd/base/mem.h"

enum { ROWS_BETWEEN_RESULTS = 1024 };

// ---- objects -------------------------------------------------------------------------------------

static enum steer_err put_object(struct steer_store *store, const struct steer_object *o,
                                 struct steer_diag *diag)
{
    struct steer_store_object row = {
        steer_kind_text(o->kind), o->name, o->document, o->json, NULL, 0, NULL};
    struct steer_store_relation *relations = NULL;
    if (o->kind == STEER_ENDPOINT) {
        row.site = o->endpoint.site;
        row.relation_count = o->endpoint.check_count;
        relations = steer_calloc(row.relation_count, sizeof *relations);
        for (size_t i = 0; i < row.relation_count; i++)
            relations[i].name = o->endpoint.checks[i];
    } else if (o->kind == STEER_POOL) {
        row.relation_count = o->pool.member_count;
        relations = steer_calloc(row.relation_count, sizeof *relations);
        for (size_t i = 0; i < row.relation_count; i++)
            relations[i] = (struct steer_store_relation){o->pool.members[i].endpoint,
                                                         o->pool.members[i].weight};
    }
    row.relations = relations;
    enum steer_err err = steer_store_put_object(store, &row, diag);
    free(relations);
    return err;
}

// ---- zones ---------------------------------------------------------------------------------------

static int by_owner(const void *a, const void *b)
{
    const struct steer_zone_node *x = *(const struct steer_zone_node *const *)a;
    const struct steer_zone_node *y = *(const struct steer_zone_node *const *)b;
    size_t len = x->owner_len < y->owner_len ? x->owner_len : y->owner_len;
    int order = memcmp(steer_zone_node_owner(x), steer_zone_node_owner(y), len);
    return order ? order : (int)x->owner_len - (int)y->owner_len;
}

static enum steer_err put_node(struct steer_store *store, int64_t zone_id,
                               const struct steer_zone_node *node, struct steer_buf *packed,
                               struct steer_diag *diag)
{
    enum steer_err err = STEER_OK;
    for (unsigned i = 0; i < node->rrset_count && err == STEER_OK; i++) {
        const struct steer_rrset *set = &node->rrsets[i];
        struct steer_rr_view rr;
        size_t at = 0;
        if (steer_rrset_is_steered(set))
            continue;
        steer_buf_clear(packed);
        while (steer_rrset_next(node, set, &at, &rr)) {
            steer_buf_u16(packed, rr.rdata_len);
            steer_buf_add(packed, rr.rdata, rr.rdata_len);
        }
        struct steer_store_rrset row = {steer_zone_node_owner(node), set->type, set->ttl_s,
                                        (const uint8_t *)packed->data, packed->len};
        err = steer_store_put_rrset(store, zone_id, &row, diag);
    }
    return err;
}

// A whole zone in the order of the table's key, so that the database only appends.
static enum steer_err put_zone_content(struct steer_control *c, const struct steer_zone *zone,
                                       struct steer_diag *diag)
{
    int64_t zone_id;
    size_t count;
    struct steer_buf packed = {0};
    enum steer_err err = steer_store_put_zone(c->store, &zone->origin, "", &zone_id, diag);
    if (err == STEER_OK)
        err = steer_store_clear_zone(c->store, zone_id, diag);
    if (err != STEER_OK)
        return err;
    const struct steer_zone_node **nodes = control_sorted_nodes(zone, by_owner, &count);
    for (size_t i = 0; i < count && err == STEER_OK; i++) {
        err = put_node(c->store, zone_id, nodes[i], &packed, diag);
        if (i % ROWS_BETWEEN_RESULTS == 0)
            control_take_results(c, false);
    }
    steer_buf_fini(&packed);
    free(nodes);
    return err;
}

static enum steer_err put_steered(struct steer_control *c, int64_t zone_id,
                                  const struct steer_object *o, struct steer_diag *diag)
{
    struct steer_store_steered row = {o->steered.owner.octets, o->name,
                                      steer_steered_kind_text(o->steered.kind), o->document,
                                      o->json};
    return steer_store_put_steered(c->store, zone_id, &row, diag);
}

static enum steer_err put_rrset(struct steer_control *c, int64_t zone_id,
                                const struct steer_journal_entry *e, struct steer_diag *diag)
{
    struct steer_store_rrset row = {e->owner.octets, e->type, e->ttl_s, e->packed, e->packed_len};
    return steer_store_put_rrset(c->store, zone_id, &row, diag);
}

// ---- entries -------------------------------------------------------------------------------------

static enum steer_err write_entry(struct steer_control *c, const struct steer_journal_entry *e,
                                  struct steer_diag *diag)
{
    int64_t zone_id = 0;
    enum steer_err err = STEER_OK;
    bool in_zone =
        e->kind == STEER_J_RRSET || e->kind == STEER_J_RRSET_GONE || e->kind == STEER_J_STEERED;
    if (in_zone)
        err = steer_store_put_zone(c->store, &e->origin, "", &zone_id, diag);
    if (err != STEER_OK)
        return err;
    switch (e->kind) {
    case STEER_J_OBJECT:
        return put_object(c->store, e->object, diag);
    case STEER_J_OBJECT_GONE:
        return steer_store_delete_object(c->store, steer_kind_text(e->kind_of), e->name, diag);
    case STEER_J_ZONE:
        return steer_store_put_zone(c->store, &e->origin, e->name, &zone_id, diag);
    case STEER_J_ZONE_GONE:
        err = steer_store_delete_zone(c->store, &e->origin, diag);
        return err == STEER_ENOTFOUND ? STEER_OK : err; // made and removed in one change
    case STEER_J_ZONE_CONTENT:
        return e->zone ? put_zone_content(c, e->zone, diag) : STEER_OK;
    case STEER_J_RRSET:
        return put_rrset(c, zone_id, e, diag);
    case STEER_J_RRSET_GONE:
        err = steer_store_delete_rrset(c->store, zone_id, e->owner.octets, e->type, diag);
        return err == STEER_ENOTFOUND ? STEER_OK : err;
    case STEER_J_STEERED:
        return put_steered(c, zone_id, e->object, diag);
    case STEER_J_STEERED_GONE:
        err = steer_store_delete_steered(c->store, e->name, diag);
        return err == STEER_ENOTFOUND ? STEER_OK : err;
    }
    return STEER_OK;
}

// A zone's content with a savepoint of its own, which also makes the zone where it is new. A failure of the store
// as a whole (a full disk) has ended the transaction, or fails the next step as well.
static enum steer_err write_alone(struct steer_control *c, struct steer_link *link,
                                  const struct steer_journal_entry *e,
                                  const struct control_commit *commit, struct steer_diag *diag)
{
    struct steer_diag why = {0};
    enum steer_err err = steer_store_savepoint(c->store, diag);
    if (err != STEER_OK)
        return err;
    if (write_entry(c, e, &why) == STEER_OK)
        return steer_store_release(c->store, diag);
    steer_store_rollback_savepoint(c->store);
    steer_link_leave_zone(link, &e->origin);
    commit->left_out(commit->ctx, &e->origin, &why);
    return STEER_OK;
}

static enum steer_err write_journal(struct steer_control *c, struct steer_link *link,
                                    const struct control_commit *commit, struct steer_diag *diag)
{
    size_t count;
    const struct steer_journal_entry *journal = steer_link_journal(link, &count);
    enum steer_err err = STEER_OK;
    for (size_t i = 0; i < count && err == STEER_OK; i++) {
        const struct steer_journal_entry *e = &journal[i];
        if (commit->left_out && e->kind == STEER_J_ZONE_CONTENT)
            err = write_alone(c, link, e, commit, diag);
        else if (!commit->left_out || e->kind != STEER_J_ZONE) // which its content makes
            err = write_entry(c, e, diag);
        if (i % ROWS_BETWEEN_RESULTS == ROWS_BETWEEN_RESULTS - 1)
            control_take_results(c, false);
    }
    return err;
}

enum steer_err control_prepare(struct steer_control *c, struct steer_link *link, uint64_t begin_ns,
                               struct steer_diag *diag)
{
    enum steer_err err = steer_link_prepare(link, steer_clock_unix_s(), diag);
    c->last_build_ns = steer_clock_mono_ns() - begin_ns;
    if (err != STEER_OK) {
        control_place_refusal(c, link, diag);
        control_refuse(c, link);
    }
    return err;
}

void control_refuse(struct steer_control *c, struct steer_link *link)
{
    c->edits_refused++;
    steer_link_abort(link);
}

enum steer_err control_commit(struct steer_control *c, struct steer_link *link,
                              const struct control_commit *commit, struct steer_diag *diag)
{
    enum steer_err err = steer_store_begin(c->store, diag);
    if (err == STEER_OK)
        err = write_journal(c, link, commit, diag);
    if (err == STEER_OK && commit->extra)
        err = commit->extra(c, commit->ctx, diag);
    if (err == STEER_OK)
        err = control_audit(c, commit->by, commit->action, commit->subject,
                            commit->detail ? commit->detail : "", diag);
    if (err == STEER_OK)
        err = steer_store_commit(c->store, diag);
    if (err != STEER_OK) {
        steer_store_rollback(c->store);
        control_refuse(c, link);
        return err;
    }
    steer_link_commit(link);
    control_follow(c);
    c->edits++;
    return STEER_OK;
}
