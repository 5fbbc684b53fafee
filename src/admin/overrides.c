// SPDX-License-Identifier: GPL-3.0-or-later
// /api/v1/overrides.
#include <stdlib.h>
#include <string.h>

#include "admin_internal.h"
#include "steerd/base/addr.h"
#include "steerd/base/hash.h"

static const char *const kinds[] = {"endpoint", "pool", "site", "check"};
static const char *const states[] = {"up", "down", "drained"};

static bool one_of(struct admin_request *r, const char *what, const char *word,
                   const char *const *words, size_t count, const char *all)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    const char *near = steer_nearest_word(word, words, count);
    admin_problem(
        r, 422, near ? "%s '%s' is not one of %s; did you mean '%s'?" : "%s '%s' is not one of %s",
        what, word, all, near);
    return false;
}

static bool known_kind(struct admin_request *r)
{
    return one_of(r, "kind", r->params[0], kinds, STEER_ARRAY_LEN(kinds),
                  "endpoint, pool, site, check");
}

void admin_overrides_list(struct admin_request *r)
{
    json_t *list = NULL;
    struct steer_diag diag = {0};
    enum steer_err err = steer_control_overrides(r->admin->control, &list, &diag);
    admin_reply_result(r, err, &diag, list);
}

static bool read_expiry(struct admin_request *r, json_t *body, uint64_t *seconds)
{
    const char *text;
    uint64_t ms;
    if (!admin_read_string(r, body, "expires_in", &text))
        return false;
    *seconds = 0;
    if (!json_object_get(body, "expires_in"))
        return true;
    if (!steer_duration_parse(text, &ms) || ms == 0) {
        admin_problem(r, 422, "expires_in '%s' is not a length of time like 30m, 2h or 1d", text);
        return false;
    }
    *seconds = (ms + 999) / 1000;
    return true;
}

static bool read_override(struct admin_request *r, json_t *body, struct steer_control_override *o)
{
    if (!admin_read_string(r, body, "state", &o->state) ||
        !admin_read_string(r, body, "reason", &o->reason) ||
        !admin_read_string(r, body, "owner", &o->owner) ||
        !read_expiry(r, body, &o->expires_in_s) ||
        !one_of(r, "state", o->state, states, STEER_ARRAY_LEN(states), "up, down, drained"))
        return false;
    if (!o->reason[0]) {
        admin_problem(r, 422, "an override needs a reason, for those who find it later");
        return false;
    }
    return true;
}

// The networks of `clients` with commas between them, NULL where it is left out; the caller's.
static bool read_clients(struct admin_request *r, json_t *body, char **clients)
{
    const char **networks;
    size_t count;
    struct steer_buf text = {0};
    *clients = NULL;
    bool good = admin_read_names(r, body, "clients", &networks, &count);
    if (good && !count && json_object_get(body, "clients")) {
        admin_problem(r, 422,
                      "clients must name at least one network; leave it out for all clients");
        good = false;
    }
    for (size_t i = 0; good && i < count; i++)
        steer_buf_printf(&text, "%s%s", i ? "," : "", networks[i]);
    free(networks);
    *clients = good && count ? steer_buf_take(&text) : NULL;
    return good;
}

void admin_overrides_put(struct admin_request *r)
{
    static const char *const known[] = {"state", "reason", "owner", "expires_in", "clients"};
    char *clients = NULL;
    if (!known_kind(r))
        return;
    json_t *body = admin_body_object(r, known, STEER_ARRAY_LEN(known));
    if (!body)
        return;
    struct steer_control_override o = {
        .kind = r->params[0], .target = r->params[1], .by = admin_by(r)};
    if (read_override(r, body, &o) && read_clients(r, body, &clients)) {
        o.clients = clients;
        struct steer_diag diag = {0};
        enum steer_err err = steer_control_override_set(r->admin->control, &o, &diag);
        json_t *reply = NULL;
        if (err == STEER_OK)
            reply = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "kind", o.kind, "target", o.target,
                              "state", o.state, "reason", o.reason, "owner", o.owner,
                              "expires_in_s", (json_int_t)o.expires_in_s);
        if (reply && clients)
            json_object_set(reply, "clients", json_object_get(body, "clients"));
        admin_reply_result(r, err, &diag, reply);
    }
    free(clients);
    json_decref(body);
}

void admin_overrides_delete(struct admin_request *r)
{
    if (!known_kind(r))
        return;
    struct steer_diag diag = {0};
    enum steer_err err = steer_control_override_clear(r->admin->control, r->params[0], r->params[1],
                                                      admin_arg(r, "clients"), admin_by(r), &diag);
    if (err == STEER_OK)
        admin_reply(r, 204, NULL, NULL, 0);
    else
        admin_reply_result(r, err, &diag, NULL);
}
