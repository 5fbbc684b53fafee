// SPDX-License-Identifier: GPL-3.0-or-later
// One request: parameters, body, reply.
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_internal.h"
#include "steerd/base/addr.h"
#include "steerd/base/hash.h"
#include "steerd/base/mem.h"

struct admin_request *admin_request_create(struct steer_admin *admin,
                                           struct MHD_Connection *connection, const char *method,
                                           const char *path)
{
    struct admin_request *r = steer_calloc(1, sizeof *r);
    r->admin = admin;
    r->connection = connection;
    r->method = steer_strdup(method);
    r->path = steer_strdup(path);
    return r;
}

static void release_body(struct admin_request *r)
{
    atomic_fetch_sub(&r->admin->body_bytes, r->body_cap);
    free(r->body);
    r->body = NULL;
    r->body_len = r->body_cap = 0;
}

void admin_request_destroy(struct admin_request *r)
{
    release_body(r);
    for (unsigned i = 0; i < ADMIN_PARAMS; i++)
        free(r->params[i]);
    for (unsigned i = 0; i < ADMIN_ARGS; i++)
        free(r->args[i]);
    free(r->method);
    free(r->path);
    free(r->reply);
    free(r);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool admin_decode(const char *in, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        char c = in[i];
        if (c == '%') {
            int high = len - i > 2 ? hex_value(in[i + 1]) : -1;
            int low = high >= 0 ? hex_value(in[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0))
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        *out++ = c;
    }
    *out = '\0';
    return true;
}

static enum MHD_Result read_arg(void *ctx, enum MHD_ValueKind kind, const char *key,
                                const char *value)
{
    (void)kind;
    struct admin_request *r = ctx;
    const char *const *known = r->route->args;
    size_t count = 0;
    while (count < ADMIN_ARGS && known[count])
        count++;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(known[i], key) != 0)
            continue;
        if (r->args[i]) {
            admin_problem(r, 400, "parameter '%s' is given twice", key);
            return MHD_NO;
        }
        size_t len = value ? strlen(value) : 0;
        r->args[i] = steer_alloc(len + 1);
        if (!admin_decode(value ? value : "", len, r->args[i])) {
            admin_problem(r, 400,
                          "parameter '%s' is not encoded correctly: a '%%' must be followed by two "
                          "hexadecimal digits",
                          key);
            return MHD_NO;
        }
        return MHD_YES;
    }
    const char *near = steer_nearest_word(key, known, count);
    admin_problem(r, 400,
                  near ? "unknown parameter '%s'; did you mean '%s'?" : "unknown parameter '%s'",
                  key, near);
    return MHD_NO;
}

bool admin_request_read_args(struct admin_request *r)
{
    MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, read_arg, r);
    return r->status == 0;
}

const char *admin_arg(const struct admin_request *r, const char *name)
{
    for (unsigned i = 0; i < ADMIN_ARGS && r->route->args[i]; i++)
        if (strcmp(r->route->args[i], name) == 0)
            return r->args[i];
    return NULL;
}

bool admin_read_number(struct admin_request *r, const char *name, uint64_t max, uint64_t *value)
{
    const char *text = admin_arg(r, name);
    if (!text)
        return true;
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || n < 1 || n > max) {
        admin_problem(r, 400, "%s '%s' is not a whole number from 1 to %llu", name, text,
                      (unsigned long long)max);
        return false;
    }
    *value = n;
    return true;
}

const char *admin_by(struct admin_request *r)
{
    enum { SAID_MAX = ADMIN_BY_MAX - 64 };
    const char *said = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Steerd-By");
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct sockaddr_storage peer = {0};
    struct steer_addr addr = {0};
    uint16_t port;
    char text[48];
    size_t n = 0;
    for (; said && said[n] && n < SAID_MAX; n++)
        r->by[n] = said[n] > ' ' && said[n] < 0x7f ? said[n] : '?';
    if (info && info->client_addr) {
        memcpy(&peer, info->client_addr,
               info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                        : sizeof(struct sockaddr_in));
        steer_addr_from_sockaddr(&peer, &addr, &port);
    }
    steer_addr_format(&addr, text, sizeof text);
    snprintf(r->by + n, sizeof r->by - n, n ? " (%s)" : "%s", text);
    return r->by;
}

bool admin_request_reserve(struct admin_request *r, size_t size)
{
    if (size > r->route->max_body) {
        admin_problem(r, 413, "a body of %zu octets is too large; at most %zu are accepted here",
                      size, r->route->max_body);
        return false;
    }
    if (size + 1 <= r->body_cap)
        return true;
    size_t more = size + 1 - r->body_cap;
    size_t total = atomic_fetch_add(&r->admin->body_bytes, more) + more;
    // Not steer_realloc: running out of memory for a guest's body is the guest's problem.
    char *grown = total <= ADMIN_BODIES_TOTAL ? realloc(r->body, size + 1) : NULL;
    if (!grown) {
        atomic_fetch_sub(&r->admin->body_bytes, more);
        admin_problem(r, 503, "too much is being uploaded at this moment; try again soon");
        return false;
    }
    r->body = grown;
    r->body[r->body_len] = '\0';
    r->body_cap = size + 1;
    return true;
}

bool admin_request_receive(struct admin_request *r, const char *data, size_t len)
{
    if (!r->status && r->body_len + len + 1 > r->body_cap) {
        size_t need = r->body_len + len, twice = r->body_cap * 2;
        size_t size = twice > r->route->max_body ? r->route->max_body : twice;
        (void)admin_request_reserve(r, need > size ? need : size);
    }
    if (r->status) {
        release_body(r);
        r->discarded += len;
        return r->discarded <= (size_t)1 << 20;
    }
    memcpy(r->body + r->body_len, data, len);
    r->body_len += len;
    r->body[r->body_len] = '\0';
    return true;
}

void admin_reply(struct admin_request *r, unsigned status, const char *type, char *data, size_t len)
{
    free(r->reply);
    r->status = status;
    r->type = type;
    r->reply = data;
    r->reply_len = len;
}

void admin_reply_json(struct admin_request *r, unsigned status, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    json_decref(json);
    if (!text) {
        admin_problem(r, 500, "the answer cannot be written as JSON");
        return;
    }
    struct steer_buf out = {0};
    steer_buf_puts(&out, text);
    steer_buf_puts(&out, "\n");
    free(text);
    size_t len = out.len;
    admin_reply(r, status, "application/json", steer_buf_take(&out), len);
}

enum MHD_Result admin_reply_queue(struct admin_request *r)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        r->reply_len, r->reply ? r->reply : steer_strdup(""), MHD_RESPMEM_MUST_FREE);
    r->reply = NULL;
    if (!response)
        return MHD_NO;
    if (r->type)
        MHD_add_response_header(response, "Content-Type", r->type);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    if (r->status == 401)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"steerd\"");
    if (r->status == 405)
        MHD_add_response_header(response, "Allow", r->allow);
    if (r->status == 503)
        MHD_add_response_header(response, "Retry-After", "1");
    if (atomic_load(&r->admin->stopping))
        MHD_add_response_header(response, "Connection", "close");
    enum MHD_Result result = MHD_queue_response(r->connection, r->status, response);
    MHD_destroy_response(response);
    return result;
}
