// SPDX-License-Identifier: GPL-3.0-or-later
// The routing table, and the order in which a request is checked before anybody works for it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin_internal.h"
#include "steerd/base/clock.h"
#include "steerd/base/log.h"
#include "steerd/base/mem.h"

#define API   ADMIN_NEEDS_TOKEN
#define SMALL ADMIN_BODY_SMALL

static const struct admin_route routes[] = {
    {"GET", "/healthz", admin_health_get, 0, SMALL, {NULL}},
    {"GET", "/metrics", admin_metrics_get, 0, SMALL, {NULL}},
    {"POST",
     "/api/v1/apply",
     admin_apply,
     API | ADMIN_LONG | ADMIN_HAS_BODY,
     ADMIN_BODY_DOCUMENTS,
     {NULL}},
    {"POST",
     "/api/v1/plan",
     admin_plan,
     API | ADMIN_LONG | ADMIN_HAS_BODY,
     ADMIN_BODY_DOCUMENTS,
     {NULL}},
    {"GET", "/api/v1/documents", admin_documents_list, API, SMALL, {NULL}},
    {"GET", "/api/v1/documents/*", admin_documents_get, API, SMALL, {NULL}},
    {"GET", "/api/v1/zones", admin_zones_list, API, SMALL, {NULL}},
    {"POST",
     "/api/v1/zones",
     admin_zones_post,
     API | ADMIN_LONG | ADMIN_HAS_BODY,
     ADMIN_BODY_ZONES,
     {NULL}},
    {"GET", "/api/v1/zones/*", admin_zones_get, API | ADMIN_LONG, SMALL, {NULL}},
    {"PUT",
     "/api/v1/zones/*",
     admin_zones_put,
     API | ADMIN_LONG | ADMIN_HAS_BODY,
     ADMIN_BODY_ZONES,
     {"file"}},
    {"DELETE", "/api/v1/zones/*", admin_zones_delete, API | ADMIN_LONG, SMALL, {NULL}},
    {"GET", "/api/v1/overrides", admin_overrides_list, API, SMALL, {NULL}},
    {"PUT", "/api/v1/overrides/*/*", admin_overrides_put, API | ADMIN_HAS_BODY, SMALL, {NULL}},
    {"DELETE", "/api/v1/overrides/*/*", admin_overrides_delete, API, SMALL, {"clients"}},
    {"GET", "/api/v1/switches", admin_switches_list, API, SMALL, {NULL}},
    {"PUT", "/api/v1/switches/*", admin_switches_put, API | ADMIN_HAS_BODY, SMALL, {NULL}},
    {"GET", "/api/v1/latency", admin_latency_list, API, SMALL, {NULL}},
    {"GET", "/api/v1/latency/*", admin_latency_get, API | ADMIN_LONG, SMALL, {"at"}},
    {"GET",
     "/api/v1/latency/*/estimates",
     admin_latency_estimates,
     API | ADMIN_LONG,
     SMALL,
     {"limit"}},
    {"POST",
     "/api/v1/latency/*/freeze",
     admin_latency_freeze,
     API | ADMIN_LONG | ADMIN_HAS_BODY,
     SMALL,
     {NULL}},
    {"POST",
     "/api/v1/latency/*/samples",
     admin_latency_samples,
     API | ADMIN_BEACON | ADMIN_LONG | ADMIN_HAS_BODY,
     ADMIN_BODY_SAMPLES,
     {"client"}},
    {"GET", "/api/v1/status", admin_status_get, API, SMALL, {NULL}},
    {"GET", "/api/v1/audit", admin_audit_get, API, SMALL, {"limit", "since", "before"}},
    {"GET", "/api/v1/explain", admin_explain_get, API, SMALL, {"name", "type", "client"}},
    {"POST",
     "/api/v1/explain",
     admin_explain_post,
     API | ADMIN_LONG | ADMIN_HAS_BODY,
     ADMIN_BODY_DOCUMENTS,
     {NULL}},
    {"GET", "/api/v1/replay", admin_replay_get, API | ADMIN_LONG, SMALL, {"limit"}},
    {"POST",
     "/api/v1/replay",
     admin_replay_post,
     API | ADMIN_LONG | ADMIN_HAS_BODY,
     ADMIN_BODY_DOCUMENTS,
     {NULL}},
};

struct segment {
    const char *text;
    size_t len;
};

static bool path_matches(const char *pattern, const char *path, struct segment params[ADMIN_PARAMS])
{
    unsigned n = 0;
    for (; *pattern; pattern++) {
        if (*pattern == '*') {
            size_t len = strcspn(path, "/");
            if (len == 0)
                return false;
            params[n++] = (struct segment){path, len};
            path += len;
        } else if (*pattern != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

// Sets r->route and its parameters; on false the reply is 404, 405 or 400.
static bool route(struct admin_request *r)
{
    const char *method = strcmp(r->method, "HEAD") == 0 ? "GET" : r->method;
    struct segment params[ADMIN_PARAMS] = {{0}};
    for (size_t i = 0; i < STEER_ARRAY_LEN(routes); i++) {
        struct segment here[ADMIN_PARAMS] = {{0}};
        if (!path_matches(routes[i].pattern, r->path, here))
            continue;
        size_t at = strlen(r->allow);
        snprintf(r->allow + at, sizeof r->allow - at, "%s%s", at ? ", " : "",
                 strcmp(routes[i].method, "GET") == 0 ? "GET, HEAD" : routes[i].method);
        if (strcmp(routes[i].method, method) == 0) {
            r->route = &routes[i];
            memcpy(params, here, sizeof params);
        }
    }
    if (!r->route && !r->allow[0]) {
        admin_problem(r, 404, "there is nothing at %s", r->path);
        return false;
    }
    if (!r->route) {
        admin_problem(r, 405, "%s allows %s, not %s", r->path, r->allow, r->method);
        return false;
    }
    for (unsigned i = 0; i < ADMIN_PARAMS && params[i].text; i++) {
        r->params[i] = steer_alloc(params[i].len + 1);
        if (!admin_decode(params[i].text, params[i].len, r->params[i])) {
            admin_problem(r, 400, "%s has a '%%' that is not followed by two hexadecimal digits",
                          r->path);
            return false;
        }
    }
    return admin_request_read_args(r);
}

static const char *header(struct admin_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

// A flood of bad requests must not become a flood of lines.
static void log_refusal(const struct admin_request *r, const char *what)
{
    static _Atomic uint64_t last_s;
    uint64_t now = steer_clock_unix_s();
    if (atomic_exchange(&last_s, now) != now)
        steer_log(STEER_LOG_WARN, "admin", "%s %s refused: %s", r->method, r->path, what);
}

static bool allowed(struct admin_request *r)
{
    if (strncmp(r->path, "/api/", 5) != 0)
        return true;
    // steerctl and scripts send no Origin; a page in a browser (also one that rebinds a name of its own to
    // this address) must not drive the API.
    if (header(r, "Origin")) {
        log_refusal(r, "it comes from a web page (Origin)");
        admin_problem(r, 403, "requests from web pages (with an Origin field) are not accepted");
        return false;
    }
    const char *authorization = header(r, "Authorization");
    const bool is_admin = admin_token_matches(r->admin->token, authorization);
    r->is_beacon = admin_token_matches(r->admin->beacon_token, authorization) && !is_admin;
    if (!is_admin && !r->is_beacon) {
        log_refusal(r, authorization ? "wrong token" : "no token");
        admin_problem(r, 401,
                      authorization ? "the token is not the one in the server's admin.token"
                                    : "a token is required: Authorization: Bearer TOKEN");
        return false;
    }
    return true;
}

// The beacon token lies on web servers, and opens one thing only.
static bool permitted(struct admin_request *r)
{
    if (!r->is_beacon || r->route->flags & ADMIN_BEACON)
        return true;
    log_refusal(r, "the beacon token");
    admin_problem(r, 403, "the beacon token is for POST /api/v1/latency/TABLE/samples only");
    return false;
}

// Content-Length, or SIZE_MAX when a body comes in chunks; libmicrohttpd has checked its form.
static size_t announced_length(struct admin_request *r)
{
    if (header(r, "Transfer-Encoding"))
        return SIZE_MAX;
    const char *text = header(r, "Content-Length");
    return text ? (size_t)strtoull(text, NULL, 10) : 0;
}

static bool body_acceptable(struct admin_request *r, size_t length)
{
    if ((r->route->flags & ADMIN_HAS_BODY) && length == 0 && !header(r, "Content-Length")) {
        admin_problem(r, 411, "%s %s needs a body and its Content-Length", r->method, r->path);
        return false;
    }
    return length == SIZE_MAX || admin_request_reserve(r, length);
}

// When the head of a request has arrived: refuse early, before a body is read, what can be refused.
static enum MHD_Result begin(struct admin_request *r)
{
    size_t length = announced_length(r);
    if (atomic_load(&r->admin->stopping))
        admin_problem(r, 503, "steerd is stopping");
    else if (allowed(r) && route(r) && permitted(r))
        (void)body_acceptable(r, length);
    // Slow senders get 30 s, and more for a large body at 64 KiB/s or better.
    size_t most = r->status ? 0 : length == SIZE_MAX ? r->route->max_body : length;
    admin_conns_allow(r->admin->conns, r->connection, ADMIN_TIMEOUT_S + (most >> 16));
    if (!r->status)
        return MHD_YES;
    // A client that waits for "100 Continue", or has much to send, is answered now and the connection
    // closes. A small body is read first: closing over unread data would reset the answer away.
    bool waits = header(r, "Expect") != NULL;
    bool much = length != SIZE_MAX && length > ADMIN_BODY_SMALL;
    return waits || much ? admin_reply_queue(r) : MHD_YES;
}

enum MHD_Result admin_http_on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                      const char *method, const char *version, const char *data,
                                      size_t *data_len, void **request)
{
    (void)version;
    struct admin_request *r = *request;
    if (!r) {
        *request = r = admin_request_create(ctx, connection, method, url);
        return begin(r);
    }
    if (*data_len) {
        bool go_on = admin_request_receive(r, data, *data_len);
        *data_len = 0;
        return go_on ? MHD_YES : MHD_NO;
    }
    admin_conns_allow(r->admin->conns, connection, 0);
    if (!r->status) {
        if (admin_jobs_submit(r->admin->jobs, r))
            return MHD_YES; // suspended; called again with the reply
        admin_problem(r, 503, "too many requests are waiting; try again in a second");
    }
    return admin_reply_queue(r);
}

void admin_http_on_completed(void *ctx, struct MHD_Connection *connection, void **request,
                             enum MHD_RequestTerminationCode code)
{
    (void)code;
    struct steer_admin *admin = ctx;
    struct admin_request *r = *request;
    if (!r)
        return;
    admin_conns_allow(admin->conns, connection, ADMIN_TIMEOUT_S);
    if (r->submitted)
        admin_jobs_answered(admin->jobs);
    admin_request_destroy(r);
    *request = NULL;
}
