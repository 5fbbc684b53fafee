// SPDX-License-Identifier: GPL-3.0-or-later
// /metrics.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin_internal.h"
#include "steerd/base/mem.h"
#include "steerd/control/latency.h"

static void single(struct steer_buf *out, const char *name, const char *type, const char *help,
                   uint64_t value)
{
    prom_family(out, name, type, help);
    prom_u64(out, name, NULL, NULL, value);
}

// Names as in IANA's registry. Those with `always` are shown at 0 too, so that a rate is defined from
// the first one on.
static const struct rcode {
    const char *name;
    bool always;
} rcodes[24] = {
    [0] = {"NOERROR", true},    [1] = {"FORMERR", true},   [2] = {"SERVFAIL", true},
    [3] = {"NXDOMAIN", true},   [4] = {"NOTIMP", true},    [5] = {"REFUSED", true},
    [6] = {"YXDOMAIN", false},  [7] = {"YXRRSET", false},  [8] = {"NXRRSET", false},
    [9] = {"NOTAUTH", false},   [10] = {"NOTZONE", false}, [16] = {"BADVERS", true},
    [17] = {"BADKEY", false},   [18] = {"BADTIME", false}, [19] = {"BADMODE", false},
    [20] = {"BADNAME", false},  [21] = {"BADALG", false},  [22] = {"BADTRUNC", false},
    [23] = {"BADCOOKIE", true},
};

static const char *const kinds[STEER_FACT_KINDS] = {
    [STEER_FACT_DROPPED] = "dropped",   [STEER_FACT_POSITIVE] = "positive",
    [STEER_FACT_NODATA] = "nodata",     [STEER_FACT_NXDOMAIN] = "nxdomain",
    [STEER_FACT_REFERRAL] = "referral", [STEER_FACT_REFUSED] = "refused",
    [STEER_FACT_ERROR] = "error",
};

static const char *const limits[STEER_LIMITS] = {
    [STEER_LIMIT_DROPPED] = "dropped",
    [STEER_LIMIT_SLIPPED] = "slipped",
    [STEER_LIMIT_BADCOOKIE] = "badcookie",
    [STEER_LIMIT_TRUNCATED] = "truncated",
};

static const char *const cookies[STEER_COOKIE_KINDS] = {
    [STEER_COOKIE_CLIENT] = "client",
    [STEER_COOKIE_WRONG] = "wrong",
    [STEER_COOKIE_GOOD] = "good",
};

static void limit_metrics(struct steer_buf *out, const struct steer_server_stats *s)
{
    prom_family(out, "steerd_rrl_total", "counter",
                "Replies over UDP beyond the rate limit, by what became of them and what they "
                "were.");
    for (size_t i = STEER_LIMIT_NONE + 1; i < STEER_LIMITS; i++) {
        for (size_t k = STEER_FACT_DROPPED + 1; k < STEER_FACT_KINDS; k++) {
            const struct prom_label labels[] = {{"action", limits[i]}, {"kind", kinds[k]}};
            prom_u64_by_two(out, "steerd_rrl_total", labels, s->limited[i][k]);
        }
    }
    prom_family(out, "steerd_cookies_total", "counter",
                "Queries with a cookie: of the client alone, with one of ours, with a wrong one.");
    for (size_t i = STEER_COOKIE_NONE + 1; i < STEER_COOKIE_KINDS; i++)
        prom_u64(out, "steerd_cookies_total", "cookie", cookies[i], s->cookies[i]);
}

static void server_metrics(struct steer_buf *out, const struct steer_server *server)
{
    struct steer_server_stats s;
    steer_server_stats(server, &s);
    prom_family(out, "steerd_queries_total", "counter", "Queries received.");
    prom_u64(out, "steerd_queries_total", "transport", "udp", s.udp_queries);
    prom_u64(out, "steerd_queries_total", "transport", "tcp", s.tcp_queries);
    prom_family(out, "steerd_responses_total", "counter", "Responses sent, by response code.");
    for (size_t i = 0; i < STEER_ARRAY_LEN(rcodes); i++) {
        char number[16];
        snprintf(number, sizeof number, "RCODE%zu", i);
        if (s.rcodes[i] || rcodes[i].always)
            prom_u64(out, "steerd_responses_total", "rcode",
                     rcodes[i].name ? rcodes[i].name : number, s.rcodes[i]);
    }
    prom_family(out, "steerd_answers_total", "counter", "Queries by what became of them.");
    for (size_t i = 0; i < STEER_FACT_KINDS; i++)
        prom_u64(out, "steerd_answers_total", "kind", kinds[i], s.kinds[i]);
    single(out, "steerd_dropped_total", "counter", "Packets that got no response.", s.dropped);
    single(out, "steerd_unsent_total", "counter", "Replies that the kernel did not take.",
           s.unsent);
    single(out, "steerd_truncated_total", "counter", "Responses with TC set.", s.truncated);
    limit_metrics(out, &s);
    single(out, "steerd_steered_total", "counter", "Responses chosen by a policy.", s.steered);
    single(out, "steerd_ecs_total", "counter", "Queries whose client subnet was used.", s.with_ecs);
    single(out, "steerd_tcp_accepted_total", "counter", "TCP connections accepted.",
           s.tcp_accepted);
    single(out, "steerd_tcp_refused_total", "counter", "TCP connections closed at a limit.",
           s.tcp_refused);
    single(out, "steerd_tcp_open", "gauge", "TCP connections open now.", s.tcp_open);
    single(out, "steerd_workers", "gauge", "UDP workers.", s.workers);
}

static void endpoint_metric(void *ctx, const char *name, const char *state)
{
    // "unknown" is given out: what is not known to be down counts as up.
    bool available = strcmp(state, "down") != 0 && strcmp(state, "drained") != 0;
    prom_u64(ctx, "steerd_endpoint_available", "endpoint", name, available);
}

static void world_metrics(struct steer_buf *out, const struct steer_control_stats *s)
{
    single(out, "steerd_world_version", "gauge", "Version of the world that answers.",
           s->world_version);
    single(out, "steerd_zones", "gauge", "Zones loaded.", s->zones);
    single(out, "steerd_names", "gauge", "Owner names loaded.", s->names);
    single(out, "steerd_records", "gauge", "Static records loaded.", s->records);
    single(out, "steerd_steered_records", "gauge", "Steered records.", s->steered);
    single(out, "steerd_overrides", "gauge", "Overrides in force for all clients.", s->overrides);
    single(out, "steerd_rehearsals", "gauge", "Overrides in force for some clients only.",
           s->rehearsals);
    single(out, "steerd_classmaps", "gauge", "Distinct tables of client classes.", s->classmaps);
    single(out, "steerd_classes", "gauge", "Classes of clients in all of these tables.",
           s->classes);
    single(out, "steerd_cells", "gauge", "Distribution cells.", s->cells);
    single(out, "steerd_cells_served_all", "gauge",
           "Cells whose members are all down, served as if up.", s->cells_served_all);
    single(out, "steerd_cells_exhausted", "gauge", "Cells with nothing to give: NODATA.",
           s->cells_exhausted);
    single(out, "steerd_table_bytes", "gauge", "Memory of the steering tables.", s->table_bytes);
    single(out, "steerd_edits_total", "counter", "Changes committed.", s->edits);
    single(out, "steerd_edits_refused_total", "counter", "Changes refused.", s->edits_refused);
    single(out, "steerd_verdict_changes_total", "counter", "Verdicts of checks that changed.",
           s->verdict_changes);
    prom_family(out, "steerd_commit_seconds", "gauge", "Duration of the last commit.");
    prom_real(out, "steerd_commit_seconds", (double)s->last_commit_ns / 1e9);
    prom_family(out, "steerd_build_seconds", "gauge", "Duration of building the last change.");
    prom_real(out, "steerd_build_seconds", (double)s->last_build_ns / 1e9);
}

static void probe_metrics(struct steer_buf *out, const struct steer_prober_stats *s)
{
    prom_family(out, "steerd_probes_total", "counter", "Probes finished.");
    prom_u64(out, "steerd_probes_total", "result", "pass", s->passed);
    prom_u64(out, "steerd_probes_total", "result", "fail", s->failed);
    single(out, "steerd_probes_late_total", "counter", "Probes started late.", s->late);
    single(out, "steerd_probes_in_flight", "gauge", "Probes under way.", s->in_flight);
    single(out, "steerd_probe_targets", "gauge", "Targets that are probed.", s->targets);
}

// All of one moment, so that the families agree.
struct measures {
    struct steer_measure_stats *items;
    char **tables; // their names
    size_t count, cap, table_cap;
};

static void keep_measure(void *ctx, const struct steer_measure_stats *stats)
{
    struct measures *m = ctx;
    m->items = steer_grow(m->items, &m->cap, m->count + 1, sizeof *m->items);
    m->tables = steer_grow(m->tables, &m->table_cap, m->count + 1, sizeof(char *));
    m->items[m->count] = *stats;
    m->items[m->count].table = m->tables[m->count] = steer_strdup(stats->table);
    m->count++;
}

static void put_samples(struct steer_buf *out, const struct steer_measure_stats *s)
{
    const struct {
        const char *result;
        uint64_t count;
    } all[] = {{"accepted", s->accepted}, {"limited", s->limited}, {"refused", s->refused}};
    for (size_t i = 0; i < STEER_ARRAY_LEN(all); i++) {
        const struct prom_label labels[] = {{"table", s->table}, {"result", all[i].result}};
        prom_u64_by_two(out, "steerd_latency_samples_total", labels, all[i].count);
    }
}

static void put_estimates(struct steer_buf *out, const struct steer_measure_stats *s)
{
    prom_u64(out, "steerd_latency_estimates", "table", s->table, s->estimates);
}

static void put_number(struct steer_buf *out, const struct steer_measure_stats *s)
{
    prom_u64(out, "steerd_latency_table_number", "table", s->table, s->number);
}

static void put_rows(struct steer_buf *out, const struct steer_measure_stats *s)
{
    prom_u64(out, "steerd_latency_table_rows", "table", s->table, s->rows);
}

static void put_frozen(struct steer_buf *out, const struct steer_measure_stats *s)
{
    prom_u64(out, "steerd_latency_table_frozen_seconds", "table", s->table, s->frozen_unix_s);
}

static void put_refusing(struct steer_buf *out, const struct steer_measure_stats *s)
{
    prom_u64(out, "steerd_latency_table_refused", "table", s->table, s->refusing);
}

// Of latency tables that are measured.
static void latency_metrics(struct steer_buf *out, struct steer_control *control)
{
    static const struct {
        const char *name, *type, *help;
        void (*put)(struct steer_buf *out, const struct steer_measure_stats *s);
    } families[] = {
        {"steerd_latency_samples_total", "counter", "Measurements received.", put_samples},
        {"steerd_latency_estimates", "gauge", "Pairs of clients and site that are estimated.",
         put_estimates},
        {"steerd_latency_table_number", "gauge", "The frozen table that is in force; 0: none.",
         put_number},
        {"steerd_latency_table_rows", "gauge", "Rows of the frozen table.", put_rows},
        {"steerd_latency_table_frozen_seconds", "gauge",
         "When the table in force was frozen, in seconds since 1970.", put_frozen},
        {"steerd_latency_table_refused", "gauge", "1: the last table was not published.",
         put_refusing},
    };
    struct measures m = {0};
    steer_control_each_measure(control, keep_measure, &m);
    for (size_t i = 0; i < STEER_ARRAY_LEN(families); i++) {
        prom_family(out, families[i].name, families[i].type, families[i].help);
        for (size_t k = 0; k < m.count; k++)
            families[i].put(out, &m.items[k]);
    }
    for (size_t k = 0; k < m.count; k++)
        free(m.tables[k]);
    free(m.tables);
    free(m.items);
}

static uint64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    uint64_t size = 0, resident = 0;
    if (fscanf(file, "%" SCNu64 " %" SCNu64, &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

void admin_metrics_get(struct admin_request *r)
{
    struct steer_buf out = {0};
    struct steer_control_stats stats;
    steer_control_stats(r->admin->control, &stats);
    if (r->admin->server)
        server_metrics(&out, r->admin->server);
    prom_family(&out, "steerd_endpoint_available", "gauge",
                "1: the endpoint is available; 0: it is down or drained.");
    steer_control_each_endpoint(r->admin->control, endpoint_metric, &out);
    world_metrics(&out, &stats);
    probe_metrics(&out, &stats.prober);
    latency_metrics(&out, r->admin->control);
    single(&out, "process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
    prom_family(&out, "steerd_build_info", "gauge", "The version of steerd.");
    prom_u64(&out, "steerd_build_info", "version", STEER_VERSION, 1);
    size_t len = out.len;
    admin_reply(r, 200, "text/plain; version=0.0.4; charset=utf-8", steer_buf_take(&out), len);
}
