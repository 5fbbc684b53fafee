// SPDX-License-Identifier: GPL-3.0-or-later
// Errors for people and programs: RFC 9457 problem details.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_internal.h"
#include "steerd/base/hash.h"
#include "steerd/base/mem.h"

// Text from outside may not be UTF-8; a message with '?' in it is better than none.
static json_t *text_value(const char *text)
{
    json_t *value = json_string(text);
    if (value)
        return value;
    char *clean = steer_strdup(text);
    for (char *c = clean; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    value = json_string(clean);
    free(clean);
    return value;
}

void admin_problem_diag(struct admin_request *r, unsigned status, const struct steer_diag *diag)
{
    json_t *problem = json_pack("{s:s, s:s, s:i, s:o}", "type", "about:blank", "title",
                                MHD_get_reason_phrase_for(status), "status", (int)status, "detail",
                                text_value(diag->message));
    if (diag->file[0])
        json_object_set_new(problem, "file", text_value(diag->file));
    if (diag->line)
        json_object_set_new(problem, "line", json_integer(diag->line));
    if (diag->column)
        json_object_set_new(problem, "column", json_integer(diag->column));
    admin_reply_json(r, status, problem);
    r->type = "application/problem+json";
}

void admin_problem(struct admin_request *r, unsigned status, const char *fmt, ...)
{
    struct steer_diag diag = {0};
    va_list args;
    va_start(args, fmt);
    vsnprintf(diag.message, sizeof diag.message, fmt, args);
    va_end(args);
    admin_problem_diag(r, status, &diag);
}

unsigned admin_status_of(enum steer_err err)
{
    switch (err) {
    case STEER_OK:
        return 200;
    case STEER_EINVAL:
        return 422;
    case STEER_ENOTFOUND:
        return 404;
    case STEER_EEXIST:
    case STEER_ECONFLICT:
        return 409;
    case STEER_ELIMIT:
        return 413;
    case STEER_EIO:
        return 500;
    case STEER_ESTOPPED:
        return 503;
    }
    return 500;
}

void admin_reply_result(struct admin_request *r, enum steer_err err, const struct steer_diag *diag,
                        json_t *json)
{
    if (err == STEER_OK)
        admin_reply_json(r, 200, json);
    else if (diag->message[0])
        admin_problem_diag(r, admin_status_of(err), diag);
    else
        admin_problem(r, admin_status_of(err), "%s", steer_err_text(err));
}

bool admin_only_members(struct admin_request *r, json_t *object, const char *where,
                        const char *const *known, size_t count)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        size_t i = 0;
        while (i < count && strcmp(known[i], key) != 0)
            i++;
        if (i < count)
            continue;
        const char *near = steer_nearest_word(key, known, count);
        admin_problem(r, 422,
                      near ? "%s: unknown member '%s'; did you mean '%s'?"
                           : "%s: unknown member '%s'",
                      where, key, near);
        return false;
    }
    return true;
}

json_t *admin_body_object(struct admin_request *r, const char *const *known, size_t count)
{
    json_error_t error;
    json_t *object =
        json_loadb(r->body ? r->body : "", r->body_len, JSON_REJECT_DUPLICATES, &error);
    if (!object) {
        struct steer_diag diag = {0};
        diag.line = error.line > 0 ? (uint32_t)error.line : 0;
        diag.column = error.column > 0 ? (uint32_t)error.column : 0;
        snprintf(diag.message, sizeof diag.message, "the body is not valid JSON: %s", error.text);
        admin_problem_diag(r, 400, &diag);
        return NULL;
    }
    if (!json_is_object(object))
        admin_problem(r, 422, "the body must be a JSON object");
    else if (admin_only_members(r, object, "the body", known, count))
        return object;
    json_decref(object);
    return NULL;
}
