// SPDX-License-Identifier: GPL-3.0-or-later
// /api/v1/explain.
#include <stdlib.h>

#include "admin_internal.h"
#include "steerd/base/addr.h"

static bool read_client(struct admin_request *r, const char *text,
                        struct steer_control_explain *question)
{
    if (!text || !text[0]) {
        admin_problem(r, 400,
                      "client is missing: give the address of the client, or the subnet that its "
                      "resolver sends, as in client=192.0.2.1 or client=192.0.2.0/24");
        return false;
    }
    struct steer_prefix prefix;
    bool host_bits = false;
    char right[64];
    if (steer_prefix_parse(text, &prefix, &host_bits) && prefix.len > 0) {
        question->client = prefix.addr;
        question->source = prefix.len;
        return true;
    }
    if (host_bits)
        admin_problem(r, 400, "client '%s' has bits set beyond its length; %s would be right", text,
                      steer_prefix_format(&prefix, right, sizeof right));
    else
        admin_problem(r, 400,
                      "client '%s' is not an address or a subnet like 192.0.2.1, 192.0.2.0/24 or "
                      "2001:db8::/56",
                      text);
    return false;
}

static void answer(struct admin_request *r, struct steer_control_explain *question,
                   const char *client)
{
    if (!question->name || !question->name[0]) {
        admin_problem(r, 400, "name is missing, as in name=www.example.com");
        return;
    }
    if (!question->type || !question->type[0]) {
        admin_problem(r, 400, "type is missing, as in type=A");
        return;
    }
    if (!read_client(r, client, question))
        return;
    json_t *found = NULL;
    struct steer_diag diag = {0};
    enum steer_err err = steer_control_explain(r->admin->control, question, &found, &diag);
    admin_reply_result(r, err, &diag, found);
}

void admin_explain_get(struct admin_request *r)
{
    struct steer_control_explain question = {.name = admin_arg(r, "name"),
                                             .type = admin_arg(r, "type")};
    answer(r, &question, admin_arg(r, "client"));
}

static void with_apply(struct admin_request *r, json_t *body,
                       const struct steer_control_apply *apply)
{
    struct steer_control_explain question = {
        .name = json_string_value(json_object_get(body, "name")),
        .type = json_string_value(json_object_get(body, "type")),
        .health = json_object_get(body, "health"),
        .with = apply->count ? apply : NULL,
    };
    const char **down;
    if (admin_read_names(r, body, "down", &down, &question.down_count)) {
        question.down = down;
        answer(r, &question, json_string_value(json_object_get(body, "client")));
    }
    free(down);
}

void admin_explain_post(struct admin_request *r)
{
    static const char *const known[] = {"name",   "type",      "client", "down",
                                        "health", "documents", "prune",  "take_over"};
    json_t *body = admin_body_object(r, known, STEER_ARRAY_LEN(known));
    if (body)
        admin_with_documents(r, body, false, with_apply);
    json_decref(body);
}
