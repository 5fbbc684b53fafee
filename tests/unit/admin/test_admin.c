// SPDX-License-Identifier: GPL-3.0-or-later
// The HTTP API over a socket, with a control that only remembers what it was asked.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/admin_internal.h"
#include "steerd/base/log.h"
#include "steerd/base/mem.h"
#include "steerd/control/latency.h"
#include "steerd/control/linker.h"
#include "steerd/control/replay.h"

// ---- the fake control

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum steer_err err;
    char asked[512]; // the last call, in words
    char data[128];
    bool hold; // imports wait while it is set
    unsigned held;
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static enum steer_err asked(struct steer_diag *diag, const char *fmt, ...) STEER_PRINTF(2, 3);

static enum steer_err asked(struct steer_diag *diag, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    pthread_mutex_lock(&fake.lock);
    vsnprintf(fake.asked, sizeof fake.asked, fmt, args);
    enum steer_err err = fake.err;
    pthread_mutex_unlock(&fake.lock);
    va_end(args);
    if (err == STEER_EINVAL)
        (void)steer_diag_at(diag, "front-door.yaml", 12, 15, "pool 'eux' is not defined");
    else if (err != STEER_OK)
        (void)steer_diag_set(diag, err, "refused by \"the fake\"");
    return err;
}

enum steer_err steer_control_apply(struct steer_control *control,
                                   const struct steer_control_apply *apply, json_t **summary,
                                   struct steer_diag *diag)
{
    (void)control;
    enum steer_err err = asked(diag, "apply %zu %s=%.*s %d%d%d", apply->count, apply->texts[0].name,
                               (int)apply->texts[0].len, apply->texts[0].data, apply->take_over,
                               apply->prune, apply->dry_run);
    if (err == STEER_OK)
        *summary = json_pack("{s:b}", "changed", 1);
    return err;
}

enum steer_err steer_control_plan(struct steer_control *control,
                                  const struct steer_control_apply *apply,
                                  const struct steer_plan_how *how, struct steer_buf *plan,
                                  struct steer_diag *diag)
{
    (void)control;
    enum steer_err err = asked(diag, "plan %zu %s=%.*s %d%d%d", apply->count, apply->texts[0].name,
                               (int)apply->texts[0].len, apply->texts[0].data, apply->take_over,
                               apply->prune, how->all);
    if (err == STEER_OK)
        steer_buf_puts(plan, "{\"holds\":true}");
    return err;
}

static enum steer_err listed(const char *what, json_t **list, struct steer_diag *diag)
{
    enum steer_err err = asked(diag, "%s", what);
    if (err == STEER_OK)
        *list = json_pack("[{s:s}]", "list", what);
    return err;
}

enum steer_err steer_control_documents(struct steer_control *control, json_t **list,
                                       struct steer_diag *diag)
{
    (void)control;
    return listed("documents", list, diag);
}

enum steer_err steer_control_document(struct steer_control *control, const char *name,
                                      struct steer_buf *text, struct steer_diag *diag)
{
    (void)control;
    enum steer_err err = asked(diag, "document %s", name);
    if (err == STEER_OK)
        steer_buf_puts(text, "zone: example.com\n");
    return err;
}

enum steer_err steer_control_import(struct steer_control *control,
                                    const struct steer_control_zone *zone, const char *by,
                                    json_t **summary, struct steer_diag *diag)
{
    (void)control;
    (void)by;
    pthread_mutex_lock(&fake.lock);
    fake.held++;
    pthread_cond_broadcast(&fake.changed);
    while (fake.hold)
        pthread_cond_wait(&fake.changed, &fake.lock);
    fake.held--;
    pthread_mutex_unlock(&fake.lock);
    enum steer_err err = asked(diag, "import %s %s %zu %.*s", zone->origin, zone->file, zone->len,
                               (int)(zone->len > 40 ? 40 : zone->len), zone->data);
    if (err == STEER_OK)
        *summary = json_pack("{s:s}", "origin", zone->origin);
    return err;
}

enum steer_err steer_control_import_many(struct steer_control *control,
                                         const struct steer_control_zone *zones, size_t count,
                                         const char *by, json_t **summary, struct steer_diag *diag)
{
    (void)control;
    (void)by;
    enum steer_err err =
        asked(diag, "many %zu: %s,%s,%zu %s,%s,%zu", count, zones[0].origin, zones[0].file,
              zones[0].len, zones[count - 1].origin, zones[count - 1].file, zones[count - 1].len);
    if (err == STEER_OK)
        *summary = json_pack("{s:I}", "loaded", (json_int_t)count);
    return err;
}

enum steer_err steer_control_export(struct steer_control *control, const char *origin,
                                    struct steer_buf *out, struct steer_diag *diag)
{
    (void)control;
    enum steer_err err = asked(diag, "export %s", origin);
    if (err == STEER_OK)
        steer_buf_puts(out, "$ORIGIN example.com.\n");
    return err;
}

enum steer_err steer_control_delete_zone(struct steer_control *control, const char *origin,
                                         const char *by, struct steer_diag *diag)
{
    (void)control;
    return asked(diag, "delete %s by %s", origin, by);
}

enum steer_err steer_control_zones(struct steer_control *control, json_t **list,
                                   struct steer_diag *diag)
{
    (void)control;
    return listed("zones", list, diag);
}

enum steer_err steer_control_override_set(struct steer_control *control,
                                          const struct steer_control_override *o,
                                          struct steer_diag *diag)
{
    (void)control;
    return asked(diag, "override %s %s%s%s %s %s/%s %llu by %s", o->kind, o->target,
                 o->clients ? " for " : "", o->clients ? o->clients : "", o->state, o->reason,
                 o->owner, (unsigned long long)o->expires_in_s, o->by);
}

enum steer_err steer_control_override_clear(struct steer_control *control, const char *kind,
                                            const char *target, const char *clients, const char *by,
                                            struct steer_diag *diag)
{
    (void)control;
    return asked(diag, "clear %s %s%s%s by %s", kind, target, clients ? " for " : "",
                 clients ? clients : "", by);
}

enum steer_err steer_control_audit(struct steer_control *control,
                                   const struct steer_control_audit *which, json_t **list,
                                   struct steer_diag *diag)
{
    char what[96];
    (void)control;
    snprintf(what, sizeof what, "audit %u before %lld since %llu", which->limit,
             (long long)which->before, (unsigned long long)which->since_unix_s);
    return listed(what, list, diag);
}

enum steer_err steer_control_overrides(struct steer_control *control, json_t **list,
                                       struct steer_diag *diag)
{
    (void)control;
    return listed("overrides", list, diag);
}

enum steer_err steer_control_switch_set(struct steer_control *control,
                                        const struct steer_control_switch *s,
                                        struct steer_diag *diag)
{
    (void)control;
    return asked(diag, "switch %s %s %s/%s by %s", s->name, s->position, s->reason, s->owner,
                 s->by);
}

enum steer_err steer_control_switches(struct steer_control *control, json_t **list,
                                      struct steer_diag *diag)
{
    (void)control;
    return listed("switches", list, diag);
}

enum steer_err steer_control_status(struct steer_control *control, json_t **status,
                                    struct steer_diag *diag)
{
    (void)control;
    enum steer_err err = asked(diag, "status");
    if (err == STEER_OK)
        *status = json_pack("{s:i}", "zones", 3);
    return err;
}

enum steer_err steer_control_explain(struct steer_control *control,
                                     const struct steer_control_explain *question, json_t **answer,
                                     struct steer_diag *diag)
{
    (void)control;
    char client[64];
    struct steer_prefix prefix = {question->client, question->source};
    enum steer_err err = asked(diag, "explain %s %s %s", question->name, question->type,
                               steer_prefix_format(&prefix, client, sizeof client));
    if (err == STEER_OK)
        *answer = json_pack("{s:s}", "name", question->name);
    return err;
}

void steer_control_stats(struct steer_control *control, struct steer_control_stats *stats)
{
    (void)control;
    memset(stats, 0, sizeof *stats);
    stats->zones = 3;
    stats->last_commit_ns = 1500000;
    stats->prober.passed = 7;
}

void steer_control_each_endpoint(struct steer_control *control,
                                 void (*visit)(void *ctx, const char *name, const char *state),
                                 void *ctx)
{
    (void)control;
    visit(ctx, "fra-1", "up");
    visit(ctx, "a\"b\\c\nd", "down");
    visit(ctx, "iad-1", "drained");
}

void steer_server_stats(const struct steer_server *server, struct steer_server_stats *stats)
{
    (void)server;
    memset(stats, 0, sizeof *stats);
    stats->udp_queries = 41;
    stats->rcodes[3] = 5;
    stats->kinds[STEER_FACT_NXDOMAIN] = 5;
}

bool steer_server_replay(const struct steer_server *server,
                         bool (*visit)(void *ctx, const struct steer_replay_record *record),
                         void *ctx)
{
    (void)server;
    struct steer_replay_record record = {.unix_s = 7,
                                         .type = 1,
                                         .steered = true,
                                         .answer_type = 1,
                                         .answer_len = 4,
                                         .answer = {198, 51, 100, 1}};
    assert_int_equal(steer_name_parse("www.example.com.", NULL, &record.name, NULL), STEER_OK);
    assert_true(steer_prefix_parse("192.0.2.0/24", &record.client, NULL));
    for (unsigned i = 0; i < 3; i++)
        visit(ctx, &record);
    return true;
}

enum steer_err steer_control_replay(struct steer_control *control,
                                    const struct steer_control_replay *replay, json_t **result,
                                    struct steer_diag *diag)
{
    (void)control;
    enum steer_err err =
        asked(diag, "replay %s prune=%d questions=%zu asked=%d", replay->texts[0].name,
              replay->prune, replay->question_count, (int)replay->questions[0].count);
    if (err == STEER_OK)
        *result = json_pack("{s:i}", "changed", 0);
    return err;
}

enum steer_err steer_control_latency_samples(struct steer_control *control, const char *table,
                                             struct steer_latency_batch *batch, json_t **reply,
                                             struct steer_diag *diag)
{
    (void)control;
    char client[64];
    const struct steer_latency_sample *s = batch->count ? &batch->samples[0] : NULL;
    enum steer_err err =
        asked(diag, "samples %s %zu good %zu bad %s %s", table, batch->count, batch->refusal_count,
              s ? steer_prefix_format(&s->client, client, sizeof client) : "-", s ? s->site : "-");
    if (err == STEER_OK)
        *reply = json_pack("{s:I}", "accepted", (json_int_t)batch->count);
    return err;
}

enum steer_err steer_control_latency_list(struct steer_control *control, json_t **list,
                                          struct steer_diag *diag)
{
    (void)control;
    return listed("latency", list, diag);
}

enum steer_err steer_control_latency_show(struct steer_control *control, const char *table,
                                          uint32_t number, json_t **shown, struct steer_diag *diag)
{
    char what[96];
    (void)control;
    snprintf(what, sizeof what, "latency %s at %u", table, number);
    return listed(what, shown, diag);
}

enum steer_err steer_control_latency_estimates(struct steer_control *control, const char *table,
                                               size_t limit, json_t **list, struct steer_diag *diag)
{
    char what[96];
    (void)control;
    snprintf(what, sizeof what, "%zu estimates of %s", limit, table);
    return listed(what, list, diag);
}

enum steer_err steer_control_latency_freeze(struct steer_control *control,
                                            const struct steer_control_freeze *f, json_t **reply,
                                            struct steer_diag *diag)
{
    char what[128];
    (void)control;
    snprintf(what, sizeof what, "freeze %s to %u by %s, without %s: %s", f->table, f->to, f->by,
             f->override_assert_count ? f->override_asserts[0] : "-", f->reason);
    return listed(what, reply, diag);
}

void steer_control_each_measure(struct steer_control *control,
                                void (*visit)(void *ctx, const struct steer_measure_stats *stats),
                                void *ctx)
{
    (void)control;
    visit(ctx, &(struct steer_measure_stats){.table = "world",
                                             .accepted = 9,
                                             .limited = 2,
                                             .estimates = 5,
                                             .number = 7,
                                             .refusing = true});
}

// ---- a small client

static struct {
    struct steer_admin *admin;
    char folder[64];
    char token[128];
} world;

static int connect_from(const char *source)
{
    struct sockaddr_storage sa;
    steer_admin_address(world.admin, &sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval limit = {10, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    struct sockaddr_in own = {.sin_family = AF_INET};
    inet_pton(AF_INET, source, &own.sin_addr);
    assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof own), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(struct sockaddr_in)), 0);
    return fd;
}

static int connect_admin(void)
{
    return connect_from("127.0.0.1");
}

static void send_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        data += n;
        len -= (size_t)n;
    }
}

struct answer {
    unsigned status;
    struct steer_buf all;
    const char *body;
};

static void read_answer(int fd, struct answer *answer)
{
    char part[4096];
    ssize_t n;
    while ((n = recv(fd, part, sizeof part, 0)) > 0)
        steer_buf_add(&answer->all, part, (size_t)n);
    close(fd);
    if (!answer->all.data)
        return;
    (void)sscanf(answer->all.data, "HTTP/1.1 %u", &answer->status);
    const char *body = strstr(answer->all.data, "\r\n\r\n");
    answer->body = body ? body + 4 : "";
}

// head: request line and fields, each with CRLF, without the last empty line.
static struct answer ask_raw(const char *head, const char *body, size_t len)
{
    struct steer_buf out = {0};
    steer_buf_printf(&out, "%sHost: localhost\r\nConnection: close\r\n\r\n", head);
    steer_buf_add(&out, body, len);
    int fd = connect_admin();
    send_all(fd, out.data, out.len);
    steer_buf_fini(&out);
    struct answer answer = {0};
    read_answer(fd, &answer);
    return answer;
}

static struct answer ask(const char *method, const char *path, const char *body, const char *fields)
{
    struct steer_buf head = {0};
    steer_buf_printf(&head, "%s %s HTTP/1.1\r\nAuthorization: Bearer %s\r\n%s", method, path,
                     world.token, fields ? fields : "");
    if (body)
        steer_buf_printf(&head, "Content-Length: %zu\r\n", strlen(body));
    struct answer answer = ask_raw(head.data, body ? body : "", body ? strlen(body) : 0);
    steer_buf_fini(&head);
    return answer;
}

static void read_token(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/admin.token", world.folder);
    struct steer_buf text = {0};
    struct steer_diag diag;
    assert_int_equal(steer_buf_read_file(&text, path, 1000, &diag), STEER_OK);
    snprintf(world.token, sizeof world.token, "%.*s", (int)strcspn(text.data, "\n"), text.data);
    steer_buf_fini(&text);
}

static enum steer_err start(struct steer_diag *diag)
{
    struct steer_admin_options options = {.data_folder = world.folder,
                                          .server = (const struct steer_server *)&fake};
    struct sockaddr_in *sa = (struct sockaddr_in *)&options.listen;
    sa->sin_family = AF_INET;
    sa->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    options.listen_len = sizeof *sa;
    return steer_admin_start(&options, &world.admin, diag);
}

static int set_up(void **state)
{
    (void)state;
    steer_log_set_level(STEER_LOG_ERROR);
    fake.err = STEER_OK;
    fake.hold = false;
    fake.asked[0] = '\0';
    snprintf(world.folder, sizeof world.folder, "/tmp/steer-admin-XXXXXX");
    assert_non_null(mkdtemp(world.folder));
    struct steer_diag diag;
    assert_int_equal(start(&diag), STEER_OK);
    read_token();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    steer_admin_stop(world.admin);
    world.admin = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/admin.token", world.folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/beacon.token", world.folder);
    unlink(path);
    return rmdir(world.folder);
}

// ---- the tests

static const struct {
    const char *method, *path, *body, *fields;
    unsigned status;
    const char *asked;    // what control was asked; NULL: nothing
    const char *contains; // in the whole answer; NULL: no matter
} table[] = {
    {"GET", "/healthz", NULL, NULL, 200, "overrides", "ok\n"},
    {"GET", "/api/v1/status", NULL, NULL, 200, "status", "\"udp_queries\":41"},
    {"GET", "/api/v1/documents", NULL, NULL, 200, "documents", "[{\"list\":\"documents\"}]"},
    {"GET", "/api/v1/documents/front-door.yaml", NULL, NULL, 200, "document front-door.yaml",
     "Content-Type: text/yaml"},
    {"GET", "/api/v1/zones", NULL, NULL, 200, "zones", "application/json"},
    {"GET", "/api/v1/zones/example.com", NULL, NULL, 200, "export example.com",
     "Content-Type: text/dns"},
    {"GET", "/api/v1/zones/0%2F25.2.0.192.in-addr.arpa", NULL, NULL, 200,
     "export 0/25.2.0.192.in-addr.arpa", NULL},
    {"PUT", "/api/v1/zones/example.com?file=a%20b.zone", "@ A 192.0.2.1\n", NULL, 200,
     "import example.com a b.zone 14 @ A 192.0.2.1\n", "\"origin\""},
    {"PUT", "/api/v1/zones/example.com", "", NULL, 200, "import example.com example.com 0 ", NULL},
    {"DELETE", "/api/v1/zones/example.com", NULL, NULL, 204, "delete example.com by 127.0.0.1",
     NULL},
    {"DELETE", "/api/v1/zones/example.com", NULL, "Steerd-By: ana b\xc3\xb6\r\n", 204,
     "delete example.com by ana?b?? (127.0.0.1)", NULL},
    {"POST", "/api/v1/zones", "zone a.example 3 x y\nabczone b.example 0 z\n",
     "Content-Type: application/vnd.steerd.zones\r\n", 200, "many 2: a.example,x y,3 b.example,z,0",
     "\"loaded\":2"},
    {"POST", "/api/v1/zones", "zone a.example 3 x\nab",
     "Content-Type: application/vnd.steerd.zones\r\n", 400, NULL, "only 2 more"},
    {"POST", "/api/v1/zones", "zone a.example 3 x\nabc", NULL, 415, NULL, "vnd.steerd.zones"},
    {"POST", "/api/v1/apply",
     "{\"documents\":[{\"name\":\"a\",\"text\":\"zone: x\"}],\"prune\":true}", NULL, 200,
     "apply 1 a=zone: x 010", "\"changed\":true"},
    {"POST", "/api/v1/apply", "{\"documents\":[]}", NULL, 422, NULL, "at least one"},
    {"POST", "/api/v1/apply", "{\"documents\":[{\"name\":\"a\",\"text\":\"\"}],\"prun\":true}",
     NULL, 422, NULL, "did you mean 'prune'?"},
    {"POST", "/api/v1/apply", "{\"documents\":[{\"name\":\"a\",\"text\":1}]}", NULL, 422, NULL,
     "documents[0].text"},
    {"POST", "/api/v1/apply", "{\n \"documents\": [", NULL, 400, NULL, "\"line\":2"},
    {"POST", "/api/v1/apply", "[]", NULL, 422, NULL, "must be a JSON object"},
    {"POST", "/api/v1/apply", NULL, NULL, 411, NULL, "Content-Length"},
    {"GET", "/api/v1/overrides", NULL, NULL, 200, "overrides", NULL},
    {"PUT", "/api/v1/overrides/pool/eu",
     "{\"state\":\"down\",\"reason\":\"fire\",\"owner\":\"ana\",\"expires_in\":\"2h\"}", NULL, 200,
     "override pool eu down fire/ana 7200 by 127.0.0.1", "\"expires_in_s\":7200"},
    {"PUT", "/api/v1/overrides/pool/eu", "{\"state\":\"down\",\"reason\":\"\"}", NULL, 422, NULL,
     "needs a reason"},
    {"PUT", "/api/v1/overrides/pool/eu", "{\"state\":\"dwn\",\"reason\":\"x\"}", NULL, 422, NULL,
     "did you mean 'down'?"},
    {"PUT", "/api/v1/overrides/pools/eu", "{\"state\":\"down\",\"reason\":\"x\"}", NULL, 422, NULL,
     "did you mean 'pool'?"},
    {"PUT", "/api/v1/overrides/pool/eu",
     "{\"state\":\"up\",\"reason\":\"x\",\"expires_in\":\"soon\"}", NULL, 422, NULL,
     "like 30m, 2h or 1d"},
    {"PUT", "/api/v1/overrides/pool/eu",
     "{\"state\":\"up\",\"reason\":\"x\",\"clients\":[\"203.0.113.0/24\",\"2001:db8::/48\"]}", NULL,
     200, "override pool eu for 203.0.113.0/24,2001:db8::/48 up x/ 0 by 127.0.0.1",
     "\"clients\":[\"203.0.113.0/24\",\"2001:db8::/48\"]"},
    {"PUT", "/api/v1/overrides/pool/eu", "{\"state\":\"up\",\"reason\":\"x\",\"clients\":[]}", NULL,
     422, NULL, "leave it out for all clients"},
    {"PUT", "/api/v1/overrides/pool/eu",
     "{\"state\":\"up\",\"reason\":\"x\",\"clients\":\"192.0.2.0/24\"}", NULL, 422, NULL,
     "clients must be a list of strings"},
    {"PUT", "/api/v1/overrides/pool/eu", "{\"state\":\"up\",\"reason\":\"x\",\"clients\":[7]}",
     NULL, 422, NULL, "clients[0] must be a string"},
    {"DELETE", "/api/v1/overrides/site/fra?clients=192.0.2.0%2F24,2001:db8::/48", NULL, NULL, 204,
     "clear site fra for 192.0.2.0/24,2001:db8::/48 by 127.0.0.1", NULL},
    {"GET", "/api/v1/switches", NULL, NULL, 200, "switches", NULL},
    {"PUT", "/api/v1/switches/colour", "{\"position\":\"green\",\"reason\":\"r\",\"owner\":\"o\"}",
     NULL, 200, "switch colour green r/o by 127.0.0.1", NULL},
    {"PUT", "/api/v1/switches/colour", "{\"position\":7}", NULL, 422, NULL,
     "position must be a string"},
    {"DELETE", "/api/v1/overrides/site/fra", NULL, NULL, 204, "clear site fra by 127.0.0.1", NULL},
    {"GET", "/api/v1/audit", NULL, NULL, 200, "audit 100 before 0 since 0", NULL},
    {"GET", "/api/v1/audit?limit=7&before=9&since=2026-01-31T12:00:00Z", NULL, NULL, 200,
     "audit 7 before 9 since 1769860800", NULL},
    {"GET", "/api/v1/audit?since=2026-01-31", NULL, NULL, 200,
     "audit 100 before 0 since 1769817600", NULL},
    {"GET", "/api/v1/audit?limit=1001", NULL, NULL, 400, NULL, "from 1 to 1000"},
    {"GET", "/api/v1/audit?before=-1", NULL, NULL, 400, NULL, "not a whole number"},
    {"GET", "/api/v1/audit?since=yesterday", NULL, NULL, 400, NULL, "like 2h or 7d"},
    {"GET", "/api/v1/explain?name=www.example.com&type=A&client=192.0.2.0/24", NULL, NULL, 200,
     "explain www.example.com A 192.0.2.0/24", NULL},
    {"GET", "/api/v1/explain?name=www.example.com&type=A&client=2001:db8::1", NULL, NULL, 200,
     "explain www.example.com A 2001:db8::1/128", NULL},
    {"GET", "/api/v1/explain?name=www.example.com&type=A", NULL, NULL, 400, NULL,
     "client=192.0.2.0/24"},
    {"GET", "/api/v1/explain?name=w&type=A&client=192.0.2.7/24", NULL, NULL, 400, NULL,
     "192.0.2.0/24 would be right"},
    {"GET", "/api/v1/explain?name=w&type=A&client=home", NULL, NULL, 400, NULL, "not an address"},
    {"GET", "/api/v1/replay?limit=2", NULL, NULL, 200, NULL,
     "{\"at\":7,\"name\":\"www.example.com.\",\"type\":\"A\",\"client\":\"192.0.2.0/"
     "24\",\"rcode\":0,"
     "\"steered\":true,\"answer\":\"198.51.100.1\"}\n{\"at\":7,"},
    {"GET", "/api/v1/replay?limit=0", NULL, NULL, 400, NULL, "from 1 to 100000"},
    {"POST", "/api/v1/replay", "{\"documents\":[{\"name\":\"a\",\"text\":\"\"}],\"limit\":2}", NULL,
     200, "replay a prune=0 questions=1 asked=2", NULL},
    {"POST", "/api/v1/replay", "{\"documents\":[]}", NULL, 422, NULL, "at least one"},
    {"POST", "/api/v1/replay", "{\"documents\":[{\"name\":\"a\",\"text\":\"\"}],\"limit\":0}", NULL,
     422, NULL, "limit must be"},
    {"POST", "/api/v1/replay", "{\"documents\":[{\"name\":\"a\"}]}", NULL, 422, NULL,
     "text must be"},
    {"GET", "/api/v1/latency", NULL, NULL, 200, "latency", NULL},
    {"GET", "/api/v1/latency/world", NULL, NULL, 200, "latency world at 0", NULL},
    {"GET", "/api/v1/latency/world?at=7", NULL, NULL, 200, "latency world at 7", NULL},
    {"GET", "/api/v1/latency/world?at=0", NULL, NULL, 400, NULL, "from 1 to 4294967295"},
    {"GET", "/api/v1/latency/world/estimates", NULL, NULL, 200, "1000 estimates of world", NULL},
    {"GET", "/api/v1/latency/world/estimates?limit=3", NULL, NULL, 200, "3 estimates of world",
     NULL},
    {"POST", "/api/v1/latency/world/freeze", "{}", NULL, 200,
     "freeze world to 0 by 127.0.0.1, without -: ", NULL},
    {"POST", "/api/v1/latency/world/freeze", "{\"to\":3}", "Steerd-By: ana\r\n", 200,
     "freeze world to 3 by ana (127.0.0.1), without -: ", NULL},
    {"POST", "/api/v1/latency/world/freeze", "{\"override_asserts\":[\"a\"],\"reason\":\"b\"}",
     NULL, 200, "freeze world to 0 by 127.0.0.1, without a: b", NULL},
    {"POST", "/api/v1/latency/world/freeze", "{\"override_asserts\":[1]}", NULL, 422, NULL,
     "must be a string"},
    {"POST", "/api/v1/latency/world/freeze", "{\"to\":\"3\"}", NULL, 422, NULL,
     "number of a table"},
    {"POST", "/api/v1/latency/world/freeze", "{\"from\":3}", NULL, 422, NULL, "unknown member"},
    {"POST", "/api/v1/latency/world/samples",
     "{\"samples\":[{\"client\":\"192.0.2.7\",\"site\":\"fra\",\"ms\":9},{}]}", NULL, 200,
     "samples world 1 good 1 bad 192.0.2.7/32 fra", "\"accepted\":1"},
    {"POST", "/api/v1/latency/world/samples?client=192.0.2.9",
     "{\"samples\":[{\"site\":\"fra\",\"ms\":9}]}", NULL, 200,
     "samples world 1 good 0 bad 192.0.2.9/32 fra", NULL},
    {"POST", "/api/v1/latency/world/samples", "{\"samples\":\n", NULL, 400, NULL, "\"line\":2"},
    {"POST", "/api/v1/latency/world/samples", "[]", NULL, 422, NULL, "a batch must be"},
    {"POST", "/api/v1/latency/world/samples", NULL, NULL, 411, NULL, "Content-Length"},
    {"GET", "/api/v1/explain?nam=w", NULL, NULL, 400, NULL, "did you mean 'name'?"},
    {"GET", "/api/v1/explain?name=a&name=b", NULL, NULL, 400, NULL, "given twice"},
    {"GET", "/api/v1/explain?name=%zz", NULL, NULL, 400, NULL, "hexadecimal"},
    {"GET", "/api/v1/zones/a%2", NULL, NULL, 400, NULL, "hexadecimal"},
    {"GET", "/api/v1/zones/a%00b", NULL, NULL, 400, NULL, "hexadecimal"},
    {"GET", "/api/v1/zone", NULL, NULL, 404, NULL, "application/problem+json"},
    {"GET", "/api/v1/zones/", NULL, NULL, 404, NULL, NULL},
    {"GET", "/", NULL, NULL, 404, NULL, NULL},
    {"PATCH", "/api/v1/zones/example.com", NULL, NULL, 405, NULL, "Allow: GET, HEAD, PUT, DELETE"},
    {"POST", "/metrics", "", NULL, 405, NULL, "Allow: GET, HEAD"},
    {"GET", "/api/v1/status", NULL, "Origin: http://evil.example\r\n", 403, NULL, "Origin"},
};

static void each_resource_answers_as_the_reference_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < STEER_ARRAY_LEN(table); i++) {
        fake.asked[0] = '\0';
        struct answer a = ask(table[i].method, table[i].path, table[i].body, table[i].fields);
        const char *expected = table[i].asked ? table[i].asked : "";
        if (a.status != table[i].status || strcmp(fake.asked, expected) != 0 ||
            (table[i].contains && !strstr(a.all.data, table[i].contains)))
            fail_msg("%s %s: status %u, control was asked '%s', answer:\n%s", table[i].method,
                     table[i].path, a.status, fake.asked, a.all.data);
        steer_buf_fini(&a.all);
    }
}

static void errors_of_control_become_problems_with_their_place(void **state)
{
    (void)state;
    static const struct {
        enum steer_err err;
        unsigned status;
    } rows[] = {
        {STEER_EINVAL, 422}, {STEER_ENOTFOUND, 404}, {STEER_EEXIST, 409},   {STEER_ECONFLICT, 409},
        {STEER_ELIMIT, 413}, {STEER_EIO, 500},       {STEER_ESTOPPED, 503},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        fake.err = rows[i].err;
        steer_log_set_level(STEER_LOG_ERROR);
        struct answer a = ask("GET", "/api/v1/zones/x", NULL, NULL);
        assert_int_equal(a.status, rows[i].status);
        json_t *problem = json_loads(a.body, 0, NULL);
        assert_int_equal(json_integer_value(json_object_get(problem, "status")), rows[i].status);
        assert_string_equal(json_string_value(json_object_get(problem, "type")), "about:blank");
        if (rows[i].err == STEER_EINVAL) {
            assert_string_equal(json_string_value(json_object_get(problem, "file")),
                                "front-door.yaml");
            assert_int_equal(json_integer_value(json_object_get(problem, "line")), 12);
            assert_int_equal(json_integer_value(json_object_get(problem, "column")), 15);
        }
        assert_non_null(json_object_get(problem, "detail"));
        json_decref(problem);
        steer_buf_fini(&a.all);
    }
}

static void only_the_token_opens_the_api(void **state)
{
    (void)state;
    char wrong[128];
    snprintf(wrong, sizeof wrong, "%s", world.token);
    wrong[10] = wrong[10] == 'a' ? 'b' : 'a';
    const char *tokens[] = {"", "x", wrong};
    for (size_t i = 0; i < STEER_ARRAY_LEN(tokens); i++) {
        char head[512];
        snprintf(head, sizeof head, "GET /api/v1/status HTTP/1.1\r\nAuthorization: Bearer %s\r\n",
                 tokens[i]);
        struct answer a = ask_raw(head, "", 0);
        assert_int_equal(a.status, 401);
        assert_non_null(strstr(a.all.data, "WWW-Authenticate: Bearer"));
        steer_buf_fini(&a.all);
    }
    // Without a token not even the paths can be told apart.
    struct answer a = ask_raw("GET /api/v1/nothing HTTP/1.1\r\n", "", 0);
    assert_int_equal(a.status, 401);
    steer_buf_fini(&a.all);
    assert_string_equal(fake.asked, "");
}

static struct answer ask_with(const char *token, const char *method, const char *path,
                              const char *body)
{
    char head[512];
    snprintf(head, sizeof head,
             "%s %s HTTP/1.1\r\nAuthorization: Bearer %s\r\nContent-Length: %zu\r\n", method, path,
             token, strlen(body));
    return ask_raw(head, body, strlen(body));
}

static void the_beacon_token_opens_the_samples_alone(void **state)
{
    (void)state;
    char path[128], token[128] = "";
    snprintf(path, sizeof path, "%s/beacon.token", world.folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%127s", token), 1);
    fclose(file);
    assert_string_not_equal(token, world.token);
    const char *batch = "{\"samples\":[{\"client\":\"192.0.2.7\",\"site\":\"fra\",\"ms\":9}]}";
    struct answer a = ask_with(token, "POST", "/api/v1/latency/world/samples", batch);
    assert_int_equal(a.status, 200);
    assert_string_equal(fake.asked, "samples world 1 good 0 bad 192.0.2.7/32 fra");
    steer_buf_fini(&a.all);
    for (size_t i = 0; i < STEER_ARRAY_LEN(table); i++) {
        if (strncmp(table[i].path, "/api/", 5) != 0 || strstr(table[i].path, "/samples"))
            continue;
        fake.asked[0] = '\0';
        a = ask_with(token, table[i].method, table[i].path, "{}");
        const bool refused = a.status == 403 || a.status == 404 || a.status == 405 ||
                             (a.status == 400 && table[i].status == 400);
        if (!refused || fake.asked[0])
            fail_msg("%s %s: %u, control was asked '%s'", table[i].method, table[i].path, a.status,
                     fake.asked);
        steer_buf_fini(&a.all);
    }
}

// Somebody who wants one token for both gets it.
static void one_token_for_both_is_the_admins(void **state)
{
    (void)state;
    char path[128];
    struct steer_diag diag;
    steer_admin_stop(world.admin);
    snprintf(path, sizeof path, "%s/beacon.token", world.folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s\n", world.token);
    fclose(file);
    assert_int_equal(start(&diag), STEER_OK);
    struct answer a = ask("GET", "/api/v1/status", NULL, NULL);
    assert_int_equal(a.status, 200);
    steer_buf_fini(&a.all);
}

static void the_token_is_private_and_stays(void **state)
{
    (void)state;
    char path[128], first[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/admin.token", world.folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(strlen(world.token), 64);
    snprintf(first, sizeof first, "%s", world.token);
    struct steer_diag diag = {0};
    steer_admin_stop(world.admin);
    assert_int_equal(start(&diag), STEER_OK);
    read_token();
    assert_string_equal(world.token, first);
    steer_admin_stop(world.admin);
    world.admin = NULL;
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(start(&diag), STEER_EINVAL);
    assert_non_null(strstr(diag.message, "chmod 600"));
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(start(&diag), STEER_EINVAL);
}

static void an_address_in_use_is_named(void **state)
{
    (void)state;
    struct steer_admin_options options = {.data_folder = world.folder};
    steer_admin_address(world.admin, &options.listen);
    options.listen_len = sizeof(struct sockaddr_in);
    struct steer_admin *second = NULL;
    struct steer_diag diag;
    assert_int_equal(steer_admin_start(&options, &second, &diag), STEER_EIO);
    assert_non_null(strstr(diag.message, "127.0.0.1:"));
    assert_non_null(strstr(diag.message, "in use"));
}

static void bodies_have_limits(void **state)
{
    (void)state;
    // Refused from the head alone, before any octet of the body.
    struct answer a = ask("PUT", "/api/v1/zones/x", NULL,
                          "Content-Length: 536870913\r\nExpect: 100-continue\r\n");
    assert_int_equal(a.status, 413);
    steer_buf_fini(&a.all);
    // A chunked one, when it has grown too large.
    struct steer_buf body = {0};
    for (unsigned i = 0; i < 10; i++) {
        steer_buf_puts(&body, "2000\r\n");
        for (unsigned j = 0; j < 0x2000; j++)
            steer_buf_puts(&body, " ");
        steer_buf_puts(&body, "\r\n");
    }
    steer_buf_puts(&body, "0\r\n\r\n");
    char head[256];
    snprintf(head, sizeof head,
             "PUT /api/v1/overrides/pool/eu HTTP/1.1\r\nAuthorization: Bearer %s\r\n"
             "Transfer-Encoding: chunked\r\n",
             world.token);
    a = ask_raw(head, body.data, body.len);
    assert_int_equal(a.status, 413);
    steer_buf_fini(&a.all);
    steer_buf_fini(&body);
    snprintf(head, sizeof head,
             "PUT /api/v1/zones/x HTTP/1.1\r\nAuthorization: Bearer %s\r\n"
             "Transfer-Encoding: chunked\r\n",
             world.token);
    static const char chunks[] = "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n";
    a = ask_raw(head, chunks, sizeof chunks - 1);
    assert_int_equal(a.status, 200);
    assert_string_equal(fake.asked, "import x x 7 abcdefg");
    steer_buf_fini(&a.all);
    assert_int_equal(atomic_load(&world.admin->body_bytes), 0);
}

static void a_large_zone_arrives_whole(void **state)
{
    (void)state;
    size_t len = (size_t)5 << 20;
    char *text = steer_alloc(len + 1);
    memset(text, ';', len);
    text[len] = '\0';
    struct answer a = ask("PUT", "/api/v1/zones/big?file=f", text, NULL);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(fake.asked, "import big f 5242880 "));
    steer_buf_fini(&a.all);
    free(text);
}

static void head_works_as_get_without_the_body(void **state)
{
    (void)state;
    struct answer a = ask("HEAD", "/api/v1/documents/x", NULL, NULL);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.all.data, "Content-Length: 18"));
    assert_string_equal(a.body, "");
    steer_buf_fini(&a.all);
}

static void metrics_are_prometheus_text(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "# TYPE steerd_queries_total counter\n",
        "\nsteerd_queries_total{transport=\"udp\"} 41\n",
        "\nsteerd_responses_total{rcode=\"NXDOMAIN\"} 5\n",
        "\nsteerd_responses_total{rcode=\"NOERROR\"} 0\n",
        "\nsteerd_answers_total{kind=\"nxdomain\"} 5\n",
        "\nsteerd_endpoint_available{endpoint=\"fra-1\"} 1\n",
        "\nsteerd_endpoint_available{endpoint=\"a\\\"b\\\\c\\nd\"} 0\n",
        "\nsteerd_endpoint_available{endpoint=\"iad-1\"} 0\n",
        "\nsteerd_zones 3\n",
        "\nsteerd_commit_seconds 0.0015\n",
        "\nsteerd_probes_total{result=\"pass\"} 7\n",
        "# TYPE steerd_latency_samples_total counter\n",
        "\nsteerd_latency_samples_total{table=\"world\",result=\"accepted\"} 9\n",
        "\nsteerd_latency_samples_total{table=\"world\",result=\"limited\"} 2\n",
        "\nsteerd_latency_estimates{table=\"world\"} 5\n",
        "\nsteerd_latency_table_number{table=\"world\"} 7\n",
        "\nsteerd_latency_table_refused{table=\"world\"} 1\n",
        "\nsteerd_build_info{version=\"" STEER_VERSION "\"} 1\n",
    };
    struct answer a = ask_raw("GET /metrics HTTP/1.1\r\n", "", 0);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.all.data, "Content-Type: text/plain; version=0.0.4"));
    for (size_t i = 0; i < STEER_ARRAY_LEN(lines); i++)
        if (!strstr(a.body, lines[i]))
            fail_msg("no line %s in:\n%s", lines[i], a.body);
    steer_buf_fini(&a.all);
}

static void wait_held(unsigned count)
{
    pthread_mutex_lock(&fake.lock);
    while (fake.held != count)
        pthread_cond_wait(&fake.changed, &fake.lock);
    pthread_mutex_unlock(&fake.lock);
}

static void release(void)
{
    pthread_mutex_lock(&fake.lock);
    fake.hold = false;
    pthread_cond_broadcast(&fake.changed);
    pthread_mutex_unlock(&fake.lock);
}

static int send_import(const char *source)
{
    char text[512];
    snprintf(text, sizeof text,
             "PUT /api/v1/zones/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
             "Connection: close\r\nContent-Length: 3\r\n\r\nabc",
             world.token);
    int fd = connect_from(source);
    send_all(fd, text, strlen(text));
    return fd;
}

static void wait_answered(const int *fds, unsigned count, unsigned answered)
{
    struct pollfd polls[128];
    unsigned ready = 0;
    for (unsigned i = 0; i < count; i++)
        polls[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    while (ready < answered) {
        assert_true(poll(polls, count, 10000) > 0);
        for (unsigned i = 0; i < count; i++)
            if (polls[i].fd >= 0 && polls[i].revents) {
                polls[i].fd = -1;
                ready++;
            }
    }
}

static void long_jobs_neither_hide_health_nor_pile_up(void **state)
{
    (void)state;
    enum { MOST = 80, RUNNING = 3, WAITING = 64 };
    int fds[MOST];
    fake.hold = true;
    for (unsigned i = 0; i < MOST; i++) { // from two addresses: one may have 64 connections
        fds[i] = send_import(i % 2 ? "127.0.0.1" : "127.0.0.2");
        if (i == RUNNING - 1)
            wait_held(RUNNING); // the job threads that long jobs may have
    }
    wait_answered(fds, MOST, MOST - RUNNING - WAITING);
    struct answer a = ask("GET", "/healthz", NULL, NULL);
    assert_int_equal(a.status, 200);
    steer_buf_fini(&a.all);
    release();
    unsigned done = 0, refused = 0;
    for (unsigned i = 0; i < MOST; i++) {
        a = (struct answer){0};
        read_answer(fds[i], &a);
        done += a.status == 200;
        refused += a.status == 503 && strstr(a.all.data, "Retry-After: 1") != NULL;
        steer_buf_fini(&a.all);
    }
    assert_int_equal(done, RUNNING + WAITING);
    assert_int_equal(refused, MOST - RUNNING - WAITING);
}

static void *stop_thread(void *arg)
{
    (void)arg;
    steer_admin_stop(world.admin);
    return NULL;
}

static void a_stop_answers_what_is_under_way(void **state)
{
    (void)state;
    fake.hold = true;
    int fd = send_import("127.0.0.1");
    wait_held(1);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stop_thread, NULL), 0);
    while (!atomic_load(&world.admin->stopping))
        sched_yield();
    release();
    struct answer a = {0};
    read_answer(fd, &a);
    assert_int_equal(a.status, 200);
    steer_buf_fini(&a.all);
    pthread_join(thread, NULL);
    world.admin = NULL;
}

static void a_client_that_goes_away_harms_nothing(void **state)
{
    (void)state;
    fake.hold = true;
    close(send_import("127.0.0.1"));
    int fd = connect_admin();
    send_all(fd, "PUT /api/v1/zones/x HTT", 23);
    close(fd);
    wait_held(1);
    release();
    struct answer a = ask("GET", "/healthz", NULL, NULL);
    assert_int_equal(a.status, 200);
    steer_buf_fini(&a.all);
}

static void frames_are_read_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        size_t count; // 0: refused
    } rows[] = {
        {"zone a 0 f\n", 1},
        {"zone a 2 f\nxyzone b 1 g h\nz", 2},
        {"", 0},
        {"zone a 0\n", 0},
        {"zone a 0 \n", 0},
        {"zone  0 f\n", 0},
        {"zone a -1 f\n", 0},
        {"zone a +1 f\nx", 0},
        {"zone a 1x f\nx", 0},
        {"zone a 99999999999999999999999 f\nx", 0},
        {"zone a 1 f", 0},
        {"zone a 0 f\nrest", 0},
        {"Zone a 0 f\n", 0},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        char *body = steer_strdup(rows[i].body);
        struct steer_control_zone *zones = NULL;
        size_t count = 0;
        struct steer_diag diag = {0};
        enum steer_err err = admin_frames_parse(body, strlen(body), &zones, &count, &diag);
        if (count != rows[i].count || (err == STEER_OK) != (rows[i].count > 0))
            fail_msg("row %zu: %zu zones, %s", i, count, diag.message);
        free(zones);
        free(body);
    }
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(each_resource_answers_as_the_reference_says),
        WITH_SERVER(errors_of_control_become_problems_with_their_place),
        WITH_SERVER(only_the_token_opens_the_api),
        WITH_SERVER(the_beacon_token_opens_the_samples_alone),
        WITH_SERVER(one_token_for_both_is_the_admins),
        WITH_SERVER(the_token_is_private_and_stays),
        WITH_SERVER(an_address_in_use_is_named),
        WITH_SERVER(bodies_have_limits),
        WITH_SERVER(a_large_zone_arrives_whole),
        WITH_SERVER(head_works_as_get_without_the_body),
        WITH_SERVER(metrics_are_prometheus_text),
        WITH_SERVER(long_jobs_neither_hide_health_nor_pile_up),
        WITH_SERVER(a_stop_answers_what_is_under_way),
        WITH_SERVER(a_client_that_goes_away_harms_nothing),
        cmocka_unit_test(frames_are_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
