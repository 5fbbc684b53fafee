// SPDX-License-Identifier: GPL-3.0-or-later
// /api/v1/explain.
#include "admin_internal.h"
#include "steerd/base/addr.h"

static bool read_client(struct admin_request *r, struct steer_control_explain *question)
{
    const char *text = admin_arg(r, "client");
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

void admin_explain_get(struct admin_request *r)
{
    struct steer_control_explain question = {.name = admin_arg(r, "name"),
                                             .type = admin_arg(r, "type")};
    if (!question.name || !question.name[0]) {
        admin_problem(r, 400, "name is missing, as in name=www.example.com");
        return;
    }
    if (!question.type || !question.type[0]) {
        admin_problem(r, 400, "type is missing, as in type=A");
        return;
    }
    if (!read_client(r, &question))
        return;
    json_t *answer = NULL;
    struct steer_diag diag = {0};
    enum steer_err err = steer_control_explain(r->admin->control, &question, &answer, &diag);
    admin_reply_result(r, err, &diag, answer);
}
