// SPDX-License-Identifier: GPL-3.0-or-later
// /api/v1/apply, /api/v1/plan and /api/v1/documents.
#include <stdlib.h>
#include <string.h>

#include "admin_internal.h"
#include "steerd/base/mem.h"
#include "steerd/control/replay.h"

enum { NAME_MAX_OCTETS = 255 };

bool admin_read_document(struct admin_request *r, json_t *document, size_t index,
                         struct steer_control_text *text)
{
    static const char *const known[] = {"name", "text"};
    if (!json_is_object(document)) {
        admin_problem(r, 422, "documents[%zu] must be an object with name and text", index);
        return false;
    }
    if (!admin_only_members(r, document, "a document", known, STEER_ARRAY_LEN(known)))
        return false;
    json_t *name = json_object_get(document, "name"), *data = json_object_get(document, "text");
    if (!json_is_string(name) || json_string_length(name) == 0 ||
        json_string_length(name) > NAME_MAX_OCTETS) {
        admin_problem(r, 422, "documents[%zu].name must be a string of 1 to %d octets", index,
                      NAME_MAX_OCTETS);
        return false;
    }
    if (!json_is_string(data)) {
        admin_problem(r, 422,
                      "documents[%zu].text must be a string: the YAML or JSON of the document",
                      index);
        return false;
    }
    *text = (struct steer_control_text){json_string_value(name), json_string_value(data),
                                        json_string_length(data)};
    return true;
}

bool admin_read_flag(struct admin_request *r, json_t *body, const char *name, bool *flag)
{
    json_t *value = json_object_get(body, name);
    if (value && !json_is_boolean(value)) {
        admin_problem(r, 422, "%s must be true or false", name);
        return false;
    }
    *flag = json_is_true(value);
    return true;
}

bool admin_read_string(struct admin_request *r, json_t *body, const char *name, const char **text)
{
    json_t *value = json_object_get(body, name);
    if (value && !json_is_string(value)) {
        admin_problem(r, 422, "%s must be a string", name);
        return false;
    }
    *text = value ? json_string_value(value) : "";
    return true;
}

bool admin_read_names(struct admin_request *r, json_t *body, const char *member,
                      const char ***names, size_t *count)
{
    json_t *list = json_object_get(body, member), *item;
    size_t i;
    *count = json_array_size(list);
    *names = steer_calloc(*count, sizeof **names);
    if (list && !json_is_array(list)) {
        admin_problem(r, 422, "%s must be a list of strings", member);
        return false;
    }
    json_array_foreach(list, i, item)
    {
        (*names)[i] = json_string_value(item);
        if ((*names)[i])
            continue;
        admin_problem(r, 422, "%s[%zu] must be a string", member, i);
        return false;
    }
    return true;
}

static bool read_reason(struct admin_request *r, json_t *body, const char **reason)
{
    json_t *value = json_object_get(body, "reason");
    *reason = json_string_value(value);
    if (!value || *reason)
        return true;
    admin_problem(r, 422, "reason must be a string");
    return false;
}

static bool read_apply(struct admin_request *r, json_t *body, struct steer_control_apply *apply,
                       struct steer_control_text *texts)
{
    json_t *documents = json_object_get(body, "documents");
    for (size_t i = 0; i < apply->count; i++)
        if (!admin_read_document(r, json_array_get(documents, i), i, &texts[i]))
            return false;
    return admin_read_flag(r, body, "take_over", &apply->take_over) &&
           admin_read_flag(r, body, "prune", &apply->prune) &&
           admin_read_flag(r, body, "dry_run", &apply->dry_run) &&
           read_reason(r, body, &apply->reason);
}

void admin_with_documents(struct admin_request *r, json_t *body, bool required,
                          void (*run)(struct admin_request *r, json_t *body,
                                      const struct steer_control_apply *apply))
{
    struct steer_control_apply apply = {
        .count = json_array_size(json_object_get(body, "documents")), .by = admin_by(r)};
    struct steer_control_text *texts = steer_calloc(apply.count, sizeof *texts);
    const char **names = NULL;
    apply.texts = texts;
    if (apply.count == 0 && required) {
        admin_problem(r, 422, "documents must be a list with at least one {\"name\", \"text\"}");
    } else if (read_apply(r, body, &apply, texts) &&
               admin_read_names(r, body, "override_asserts", &names,
                                &apply.override_assert_count)) {
        apply.override_asserts = names;
        run(r, body, &apply);
    }
    free(names);
    free(texts);
}

static void run_apply(struct admin_request *r, json_t *body,
                      const struct steer_control_apply *apply)
{
    json_t *summary = NULL;
    struct steer_diag diag = {0};
    (void)body;
    enum steer_err err = steer_control_apply(r->admin->control, apply, &summary, &diag);
    admin_reply_result(r, err, &diag, summary);
}

void admin_apply(struct admin_request *r)
{
    static const char *const known[] = {"documents", "take_over",        "prune",
                                        "dry_run",   "override_asserts", "reason"};
    json_t *body = admin_body_object(r, known, STEER_ARRAY_LEN(known));
    if (body)
        admin_with_documents(r, body, true, run_apply);
    json_decref(body);
}

// Whom shares are of; the questions are the caller's.
static bool read_population(struct admin_request *r, json_t *body,
                            struct steer_replay_question **asked, struct steer_plan_how *how)
{
    json_t *value = json_object_get(body, "population");
    const char *text = json_string_value(value);
    if (!value || (text && strcmp(text, "addresses") == 0))
        return true;
    if (!text || strcmp(text, "queries") != 0) {
        admin_problem(r, 422, "population must be \"addresses\" or \"queries\"");
        return false;
    }
    if (!admin_replay_questions(r, STEER_REPLAY_QUESTIONS_MAX, asked, &how->asked_count))
        return false;
    how->asked = *asked;
    if (!how->asked_count) {
        free(*asked);
        admin_problem(r, 409,
                      "no query is in the sample yet: ask again later, or plan by addresses");
    }
    return how->asked_count > 0;
}

static void run_plan(struct admin_request *r, json_t *body, const struct steer_control_apply *apply)
{
    struct steer_plan_how how = {0};
    struct steer_replay_question *asked = NULL;
    if (!admin_read_flag(r, body, "all", &how.all) || !read_population(r, body, &asked, &how))
        return;
    struct steer_buf plan = {0};
    struct steer_diag diag = {0};
    enum steer_err err = steer_control_plan(r->admin->control, apply, &how, &plan, &diag);
    const size_t len = plan.len;
    if (err == STEER_OK)
        admin_reply(r, 200, "application/json", steer_buf_take(&plan), len);
    else
        admin_reply_result(r, err, &diag, NULL);
    steer_buf_fini(&plan);
    free(asked);
}

void admin_plan(struct admin_request *r)
{
    static const char *const known[] = {"documents",        "take_over", "prune",
                                        "override_asserts", "all",       "population"};
    json_t *body = admin_body_object(r, known, STEER_ARRAY_LEN(known));
    if (body)
        admin_with_documents(r, body, true, run_plan);
    json_decref(body);
}

void admin_documents_list(struct admin_request *r)
{
    json_t *list = NULL;
    struct steer_diag diag = {0};
    enum steer_err err = steer_control_documents(r->admin->control, &list, &diag);
    admin_reply_result(r, err, &diag, list);
}

void admin_documents_get(struct admin_request *r)
{
    struct steer_buf text = {0};
    struct steer_diag diag = {0};
    enum steer_err err = steer_control_document(r->admin->control, r->params[0], &text, &diag);
    if (err != STEER_OK) {
        steer_buf_fini(&text);
        admin_reply_result(r, err, &diag, NULL);
        return;
    }
    size_t len = text.len;
    admin_reply(r, 200, "text/yaml; charset=utf-8", steer_buf_take(&text), len);
}
