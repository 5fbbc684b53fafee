// SPDX-License-Identifier: GPL-3.0-or-later
// What the files of the admin room share.
#ifndef STEER_ADMIN_INTERNAL_H
#define STEER_ADMIN_INTERNAL_H

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steerd/admin/admin.h"
#include "steerd/base/buf.h"

enum {
    ADMIN_CONNECTIONS = 256,
    ADMIN_CONNECTIONS_PER_IP = 64,
    ADMIN_TIMEOUT_S = 30,
    ADMIN_DRAIN_MS = 5000, // how long a stop waits for clients to read their answers
    ADMIN_ARGS = 4,
    ADMIN_PARAMS = 2,
    ADMIN_TOKEN_MAX = 256,
    ADMIN_BY_MAX = 160,
    ADMIN_AUDIT_MAX = 1000, // entries in one answer
};
#define ADMIN_BODY_SMALL     ((size_t)64 << 10)
#define ADMIN_BODY_SAMPLES   ((size_t)256 << 10)
#define ADMIN_BODY_DOCUMENTS ((size_t)64 << 20)
#define ADMIN_BODY_ZONES     ((size_t)512 << 20)
// All bodies being received or worked on together; beyond it clients are told to come back.
#define ADMIN_BODIES_TOTAL ((size_t)1 << 30)

struct admin_request;

enum {
    ADMIN_NEEDS_TOKEN = 1, // everything under /api
    ADMIN_LONG = 2,        // may take seconds; never occupies all job threads
    ADMIN_HAS_BODY = 4,    // a body without a length is 411
    ADMIN_BEACON = 8,      // open to the beacon token, too
};

struct admin_route {
    const char *method;
    const char *pattern; // '*' stands for one path segment, a parameter
    void (*handle)(struct admin_request *r);
    unsigned flags;
    size_t max_body;
    const char *args[ADMIN_ARGS]; // the names in the query string that are known
};

struct steer_admin {
    struct MHD_Daemon *daemon;
    struct steer_control *control;
    const struct steer_server *server;
    struct sockaddr_storage address;
    char token[ADMIN_TOKEN_MAX + 1], beacon_token[ADMIN_TOKEN_MAX + 1];
    struct admin_jobs *jobs;
    struct admin_conns *conns;
    _Atomic size_t body_bytes;
    _Atomic bool stopping;
};

struct admin_request {
    struct steer_admin *admin;
    struct MHD_Connection *connection;
    const struct admin_route *route; // NULL when refused before routing
    char *method, *path;             // as they came, for the log
    char *params[ADMIN_PARAMS];      // decoded path parameters
    char *args[ADMIN_ARGS];          // decoded values, in the order of route->args; NULL: not given
    char *body;                      // NUL-terminated
    size_t body_len, body_cap;
    char by[ADMIN_BY_MAX]; // see admin_by
    size_t discarded;      // octets of a body that was refused
    bool is_beacon;        // it came with the beacon token
    bool submitted;        // counted by the job threads as being answered

    unsigned status; // 0: no reply yet
    const char *type;
    char *reply;
    size_t reply_len;
    char allow[64]; // 405
    struct admin_request *next;
};

// ---- request.c
struct admin_request *admin_request_create(struct steer_admin *admin,
                                           struct MHD_Connection *connection, const char *method,
                                           const char *path);
void admin_request_destroy(struct admin_request *r);
// Decodes %XX; false for a malformed one, and for %00. out has room for len + 1.
bool admin_decode(const char *in, size_t len, char *out);
// Decodes the query string by route->args; on false a 400 is the reply.
bool admin_request_read_args(struct admin_request *r);
const char *admin_arg(const struct admin_request *r, const char *name);
// A parameter that is a whole number from 1 to max; what is not given stays as it is. False: a problem is the reply.
bool admin_read_number(struct admin_request *r, const char *name, uint64_t max, uint64_t *value);
// Who asks, for the audit: what the client says of itself in Steerd-By, and its address.
const char *admin_by(struct admin_request *r);
// Makes room for a body of `size` octets within all limits; on false the reply says why not.
bool admin_request_reserve(struct admin_request *r, size_t size);
// Adds received octets; the body of a refused request is dropped. False: cut the connection.
bool admin_request_receive(struct admin_request *r, const char *data, size_t len);
// Replies. data is given away; json is stolen.
void admin_reply(struct admin_request *r, unsigned status, const char *type, char *data,
                 size_t len);
void admin_reply_json(struct admin_request *r, unsigned status, json_t *json);
enum MHD_Result admin_reply_queue(struct admin_request *r);

// ---- problem.c
void admin_problem(struct admin_request *r, unsigned status, const char *fmt, ...)
    STEER_PRINTF(3, 4);
void admin_problem_diag(struct admin_request *r, unsigned status, const struct steer_diag *diag);
unsigned admin_status_of(enum steer_err err);
// The usual end of a handler: the JSON when err is STEER_OK, else the problem.
void admin_reply_result(struct admin_request *r, enum steer_err err, const struct steer_diag *diag,
                        json_t *json);
// The body as a JSON object whose members are all in `known`; NULL: a problem is the reply.
json_t *admin_body_object(struct admin_request *r, const char *const *known, size_t count);
// False, and a problem as the reply, when the object has a member that is not in `known`.
bool admin_only_members(struct admin_request *r, json_t *object, const char *where,
                        const char *const *known, size_t count);

// ---- jobs.c
struct admin_jobs;
struct admin_jobs *admin_jobs_start(struct steer_admin *admin);
// Suspends the connection and queues the request; false when the queue is full or stopping.
bool admin_jobs_submit(struct admin_jobs *jobs, struct admin_request *r);
void admin_jobs_answered(struct admin_jobs *jobs); // a submitted request is over
// Finishes what is queued, then waits up to wait_ms until its answers are sent. No thread is left.
void admin_jobs_finish(struct admin_jobs *jobs, unsigned wait_ms);
void admin_jobs_destroy(struct admin_jobs *jobs);

// ---- conns.c
struct admin_conns;
struct admin_conn;
struct admin_conns *admin_conns_create(void);
void admin_conns_destroy(struct admin_conns *conns);
void admin_conns_notify(void *ctx, struct MHD_Connection *connection, void **socket_context,
                        enum MHD_ConnectionNotificationCode code);
// The connection is cut when nothing more is said of it for so long; 0: no deadline.
void admin_conns_allow(struct admin_conns *conns, struct MHD_Connection *connection,
                       uint64_t seconds);
void admin_conns_reap(struct admin_conns *conns);

// ---- token.c
// FOLDER/NAME, which is made when it is missing.
enum steer_err admin_token_load(const char *folder, const char *name,
                                char token[ADMIN_TOKEN_MAX + 1],
                                struct steer_diag *diag) STEER_MUST_USE;
// header: the Authorization field, or NULL. In time that does not depend on where they differ.
bool admin_token_matches(const char *token, const char *header);

// ---- frames.c
// `zone ORIGIN LENGTH FILE\n` and LENGTH octets, repeated. Writes NULs into body; the zones point into it.
enum steer_err admin_frames_parse(char *body, size_t len, struct steer_control_zone **zones,
                                  size_t *count, struct steer_diag *diag) STEER_MUST_USE;

// ---- prometheus.c
void prom_family(struct steer_buf *out, const char *name, const char *type, const char *help);
// label NULL: none.
void prom_u64(struct steer_buf *out, const char *name, const char *label, const char *label_value,
              uint64_t value);
struct prom_label {
    const char *name, *value;
};
void prom_u64_by_two(struct steer_buf *out, const char *name, const struct prom_label labels[2],
                     uint64_t value);
void prom_real(struct steer_buf *out, const char *name, double value);

// ---- documents.c
// A list of strings in the body; *names is the caller's (also on false: a problem is the reply).
bool admin_read_names(struct admin_request *r, json_t *body, const char *member,
                      const char ***names, size_t *count);
// The documents of a body and what goes with them, handed to `run`, unless a problem is the reply.
void admin_with_documents(struct admin_request *r, json_t *body, bool required,
                          void (*run)(struct admin_request *r, json_t *body,
                                      const struct steer_control_apply *apply));
// Members of a body; false: a problem is the reply.
bool admin_read_document(struct admin_request *r, json_t *document, size_t index,
                         struct steer_control_text *text);
bool admin_read_flag(struct admin_request *r, json_t *body, const char *name, bool *flag);
// "" where it is left out.
bool admin_read_string(struct admin_request *r, json_t *body, const char *name, const char **text);

// ---- the resources
void admin_apply(struct admin_request *r);
void admin_plan(struct admin_request *r);
void admin_documents_list(struct admin_request *r);
void admin_documents_get(struct admin_request *r);
void admin_zones_list(struct admin_request *r);
void admin_zones_get(struct admin_request *r);
void admin_zones_put(struct admin_request *r);
void admin_zones_delete(struct admin_request *r);
void admin_zones_post(struct admin_request *r);
void admin_overrides_list(struct admin_request *r);
void admin_overrides_put(struct admin_request *r);
void admin_overrides_delete(struct admin_request *r);
void admin_switches_list(struct admin_request *r);
void admin_switches_put(struct admin_request *r);
void admin_status_get(struct admin_request *r);
void admin_explain_get(struct admin_request *r);
void admin_explain_post(struct admin_request *r);
void admin_audit_get(struct admin_request *r);
void admin_metrics_get(struct admin_request *r);
struct steer_replay_question;
// What was asked, each question once: the newest queries of the sample, at most limit. The questions are the caller's. false:
// the reply says that none are kept.
bool admin_replay_questions(struct admin_request *r, size_t limit,
                            struct steer_replay_question **questions, size_t *count);
void admin_replay_get(struct admin_request *r);
void admin_replay_post(struct admin_request *r);
void admin_health_get(struct admin_request *r);
void admin_latency_list(struct admin_request *r);
void admin_latency_get(struct admin_request *r);
void admin_latency_estimates(struct admin_request *r);
void admin_latency_freeze(struct admin_request *r);
void admin_latency_samples(struct admin_request *r);

// ---- http.c
enum MHD_Result admin_http_on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                      const char *method, const char *version, const char *data,
                                      size_t *data_len, void **request);
void admin_http_on_completed(void *ctx, struct MHD_Connection *connection, void **request,
                             enum MHD_RequestTerminationCode code);

#endif
