// SPDX-License-Identifier: GPL-3.0-or-later
// The trace of one evaluation, for people and the API.
#include <stdarg.h>
#include <stdio.h>

#include "decide_internal.h"

json_t *steer_trace_node(const struct steer_residual *residual, bool checks_as_up)
{
    json_t *node = json_pack("{s:s}", "node", steer_residual_kind_text(residual->kind));
    if (residual->object)
        steer_trace_text(node, "name", residual->object->name);
    if (checks_as_up)
        json_object_set_new(node, "checks_as_up", json_true());
    steer_trace_id(node, residual);
    return node;
}

void steer_trace_text(json_t *node, const char *key, const char *text)
{
    if (node)
        json_object_set_new(node, key, json_string(text));
}

void steer_trace_reason(json_t *node, const char *fmt, ...)
{
    if (!node)
        return;
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    steer_trace_text(node, "reason", text);
}

static bool is_leaf(const struct steer_residual *residual)
{
    return residual->kind == STEER_R_ENDPOINT || residual->kind == STEER_R_POOL ||
           residual->kind == STEER_R_ANSWER || residual->kind == STEER_R_NONE;
}

void steer_trace_attach(json_t *node, const char *key, const struct steer_residual *residual,
                        struct steer_result *result)
{
    if (!node)
        return;
    if (!result) {
        json_object_set_new(node, key, steer_trace_node(residual, false));
        return;
    }
    if (!result->shown || is_leaf(residual)) {
        result->shown = true;
        json_object_set(node, key, result->trace);
        return;
    }
    json_t *again = steer_trace_node(residual, false);
    json_object_set_new(again, "available", json_boolean(result->available));
    json_object_set_new(again, "shown_above", json_true());
    json_object_set_new(node, key, again);
}

void steer_trace_candidate(json_t *node, const struct steer_residual *child,
                           struct steer_result *result, int32_t weight, struct steer_share share,
                           const char *reason)
{
    if (!node)
        return;
    json_t *list = json_object_get(node, "candidates");
    if (!list) {
        list = json_array();
        json_object_set_new(node, "candidates", list);
    }
    json_t *entry = json_object();
    json_array_append_new(list, entry);
    steer_trace_attach(entry, "child", child, result);
    if (weight >= 0)
        json_object_set_new(entry, "weight", json_integer(weight));
    json_object_set_new(entry, "chosen", json_boolean(share.num));
    if (share.num) {
        char exact[48];
        snprintf(exact, sizeof exact, "%llu/%llu", (unsigned long long)share.num,
                 (unsigned long long)share.den);
        json_object_set_new(entry, "share", json_real(100 * steer_share_value(share)));
        steer_trace_text(entry, "exact", exact);
    }
    if (!reason && result && !result->available)
        reason = json_string_value(json_object_get(result->trace, "reason"));
    if (reason)
        steer_trace_text(entry, "reason", reason);
}

// "check web: status 503" from what the view said of the check that decided; false when there is
// none.
static bool failing_check(const json_t *why, char *out, size_t size)
{
    size_t index;
    const json_t *check;
    json_array_foreach(json_object_get(why, "checks"), index, check)
    {
        const char *verdict = json_string_value(json_object_get(check, "verdict"));
        const char *name = json_string_value(json_object_get(check, "check"));
        const char *reason = json_string_value(json_object_get(check, "reason"));
        if (!name)
            name = json_string_value(json_object_get(check, "name"));
        if (!verdict || !name || verdict[0] == 'u' /* up, unknown */ ||
            json_object_get(check, "read_as_up"))
            continue;
        const json_t *override = json_object_get(check, "override");
        const char *clients = json_string_value(json_object_get(override, "clients"));
        if (override)
            reason = json_string_value(json_object_get(override, "reason"));
        if (override) {
            snprintf(out, size, "check %s: %s%s%s%s", name, clients ? "rehearsal for " : "override",
                     clients ? clients : "", reason && *reason ? ": " : "", reason ? reason : "");
            return true;
        }
        snprintf(out, size, "check %s%s%s", name, reason && *reason ? ": " : "",
                 reason ? reason : "");
        return true;
    }
    return false;
}

void steer_trace_why(json_t *node, const char *state, json_t *why)
{
    if (!node || !why) {
        json_decref(why);
        return;
    }
    char text[400];
    const json_t *override = json_object_get(why, "override");
    const char *reason = json_string_value(json_object_get(override, "reason"));
    const char *hypothesis = json_string_value(json_object_get(why, "hypothesis"));
    const char *clients = json_string_value(json_object_get(override, "clients"));
    if (state && hypothesis)
        steer_trace_reason(node, "%s: hypothesis: %s", state, hypothesis);
    else if (state && clients)
        steer_trace_reason(node, "%s: rehearsal for %s%s%s", state, clients,
                           reason && *reason ? ": " : "", reason ? reason : "");
    else if (state && override)
        steer_trace_reason(node, "%s: override%s%s", state, reason && *reason ? ": " : "",
                           reason ? reason : "");
    else if (state && failing_check(why, text, sizeof text))
        steer_trace_reason(node, "%s: %s", state, text);
    else if (state)
        steer_trace_reason(node, "%s", state);
    if (json_object_size(why))
        json_object_set_new(node, "why", why);
    else
        json_decref(why);
}
