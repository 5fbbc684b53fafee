// SPDX-License-Identifier: GPL-3.0-or-later
// steerctl status
#include <string.h>

#include "cli_internal.h"
#include "steerd/base/mem.h"

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static void print_head(const json_t *s)
{
    struct steer_buf out = {0};
    cli_put(&out, "steerd ");
    cli_put(&out, cli_member(s, "steerd"));
    steer_buf_printf(&out, ", up %s, version %s\n", cli_span(number(s, "uptime_s")),
                     cli_member(s, "version"));
    static const char *const counts[] = {"zones", "names", "records", "steered"};
    for (size_t i = 0; i < STEER_ARRAY_LEN(counts); i++)
        if (json_object_get(s, counts[i]))
            steer_buf_printf(&out, "%s%s %s", i ? ", " : "", counts[i], cli_member(s, counts[i]));
    if (json_object_get(s, "table_bytes"))
        steer_buf_printf(&out, "\nclient tables %s, classes %s, cells %s, memory of these %s",
                         cli_member(s, "classmaps"), cli_member(s, "classes"),
                         cli_member(s, "cells"), cli_bytes(number(s, "table_bytes")));
    const json_t *server = json_object_get(s, "server");
    if (server)
        steer_buf_printf(&out, "\nqueries over UDP %s, over TCP %s, workers %s",
                         cli_member(server, "udp_queries"), cli_member(server, "tcp_queries"),
                         cli_member(server, "workers"));
    const json_t *prober = json_object_get(s, "prober"), *store = json_object_get(s, "store");
    if (json_object_size(prober))
        steer_buf_printf(&out, "\nprobe targets %s, passed %s, failed %s, in flight %s",
                         cli_member(prober, "targets"), cli_member(prober, "passed"),
                         cli_member(prober, "failed"), cli_member(prober, "in_flight"));
    if (json_object_get(store, "commit_ms"))
        steer_buf_printf(&out, "\nlast commit took %s",
                         cli_span(number(store, "commit_ms") / 1000));
    steer_buf_puts(&out, "\n");
    cli_write(&out);
}

// "down: maintenance (ana)" for an override, whatever of it is there.
static void put_override(struct steer_buf *out, const json_t *override)
{
    if (json_is_object(override)) {
        cli_put(out, "override ");
        cli_put(out, cli_member(override, "state"));
        if (cli_member(override, "reason")[0])
            steer_buf_printf(out, ": %s", cli_member(override, "reason"));
        if (cli_member(override, "owner")[0])
            steer_buf_printf(out, " (%s)", cli_member(override, "owner"));
    } else if (json_is_string(override)) {
        steer_buf_printf(out, "override %s", json_string_value(override));
    }
}

enum { COLUMNS = 9 };

static void endpoint_rows(struct cli_table *table, const json_t *endpoint)
{
    struct steer_buf reason = {0}, address = {0};
    const json_t *checks = json_object_get(endpoint, "checks");
    put_override(&reason, json_object_get(endpoint, "override"));
    const char *v4 = cli_member(endpoint, "ipv4"), *v6 = cli_member(endpoint, "ipv6");
    steer_buf_printf(&address, "%s%s%s", v4, *v4 && *v6 ? " " : "", v6);
    const size_t more = json_array_size(json_object_get(endpoint, "more_addresses"));
    if (more)
        steer_buf_printf(&address, " +%zu", more);
    if (!address.len)
        steer_buf_puts(&address, cli_member(endpoint, "hostname"));
    size_t rows = json_array_size(checks);
    bool has_override = reason.len > 0;
    if (has_override || rows == 0)
        cli_table_row(table,
                      (const char *[]){cli_member(endpoint, "name"), cli_member(endpoint, "state"),
                                       cli_member(endpoint, "site"), address.data, "", "", "", "",
                                       has_override ? reason.data : ""},
                      COLUMNS);
    for (size_t i = 0; i < rows; i++) {
        const json_t *check = json_array_get(checks, i);
        bool first = i == 0 && !has_override;
        cli_table_row(table,
                      (const char *[]){first ? cli_member(endpoint, "name") : "",
                                       first ? cli_member(endpoint, "state") : "",
                                       first ? cli_member(endpoint, "site") : "",
                                       first ? address.data : "", cli_member(check, "check"),
                                       cli_member(check, "verdict"),
                                       cli_moment(json_object_get(check, "since")),
                                       cli_member(check, "streak"), cli_member(check, "reason")},
                      COLUMNS);
    }
    steer_buf_fini(&reason);
    steer_buf_fini(&address);
}

static void print_endpoints(const json_t *status, bool colour)
{
    const json_t *endpoints = json_object_get(status, "endpoints"), *endpoint;
    size_t i;
    if (json_array_size(endpoints) == 0)
        return;
    struct cli_table table = {0};
    cli_table_row(&table,
                  (const char *[]){"ENDPOINT", "STATE", "SITE", "ADDRESS", "CHECK", "VERDICT",
                                   "SINCE", "STREAK", "REASON"},
                  COLUMNS);
    json_array_foreach(endpoints, i, endpoint) endpoint_rows(&table, endpoint);
    puts("");
    cli_table_print(&table, colour);
}

// When nobody is sent any more to what is out of service.
static void print_safe_to_stop(const json_t *status)
{
    const json_t *endpoint;
    size_t i;
    bool first = true;
    json_array_foreach(json_object_get(status, "endpoints"), i, endpoint)
    {
        struct steer_buf out = {0};
        const json_t *expires = json_object_get(endpoint, "last_given_expires");
        const char *state = cli_member(endpoint, "state");
        if (!expires || (strcmp(state, "drained") != 0 && strcmp(state, "down") != 0))
            continue;
        steer_buf_puts(&out, first ? "\n" : "");
        cli_put(&out, cli_member(endpoint, "name"));
        cli_put(&out, " (");
        cli_put(&out, state);
        if (json_is_null(expires))
            steer_buf_puts(&out, "): safe to stop, no answer that names it was given\n");
        else
            steer_buf_printf(&out,
                             "): safe to stop at %s, when the last answer that names it expires\n",
                             cli_moment(expires));
        cli_write(&out);
        first = false;
    }
}

static void print_geo(const json_t *status, bool colour)
{
    const json_t *files = json_object_get(status, "geo"), *file;
    size_t i;
    if (json_array_size(files) == 0)
        return;
    struct cli_table table = {0};
    cli_table_row(&table, (const char *[]){"GEO FILE", "TYPE", "BUILT", "NETWORKS"}, 4);
    json_array_foreach(files, i, file) cli_table_row(
        &table,
        (const char *[]){cli_member(file, "file"), cli_member(file, "type"),
                         cli_moment(json_object_get(file, "built")), cli_member(file, "networks")},
        4);
    puts("");
    cli_table_print(&table, colour);
}

static void put_trouble(struct steer_buf *out, const json_t *record, const char *key,
                        const char *what)
{
    if (!json_integer_value(json_object_get(record, key)))
        return;
    cli_put(out, "! ");
    cli_put(out, cli_member(record, "record"));
    steer_buf_printf(out, ": %s, for %s of %s classes of clients\n", what, cli_member(record, key),
                     cli_member(record, "classes"));
}

// Steered records of which some clients get what is down, or nothing.
static void print_alarms(const json_t *status)
{
    const json_t *record;
    struct steer_buf out = {0};
    size_t i;
    json_array_foreach(json_object_get(status, "alarms"), i, record)
    {
        steer_buf_puts(&out, i ? "" : "\n");
        put_trouble(&out, record, "nodata", "nothing is left to give (NODATA)");
        put_trouble(&out, record, "served_all", "all is down, and given as if it were up");
    }
    if (json_integer_value(json_object_get(status, "alarms_more")))
        steer_buf_printf(&out, "! %s more records were not looked at\n",
                         cli_member(status, "alarms_more"));
    if (out.len)
        cli_write(&out);
}

// Records whose rankings have more orders than there are classes.
static void print_cut_rankings(const json_t *status)
{
    const json_t *record;
    size_t i;
    json_array_foreach(json_object_get(status, "cut_rankings"), i, record)
    {
        struct steer_buf out = {0};
        steer_buf_puts(&out, i ? "" : "\n");
        cli_put(&out, cli_member(record, "record"));
        steer_buf_printf(&out,
                         ": too many rankings; the first %s of each are in order, the others "
                         "follow by name\n",
                         cli_member(record, "in_order"));
        cli_write(&out);
    }
}

// What the states above do not show.
static void print_rehearsals(const json_t *status)
{
    const json_int_t count = json_integer_value(json_object_get(status, "rehearsals"));
    if (count > 0)
        printf("\n%lld override%s for some clients only; see steerctl override list\n",
               (long long)count, count == 1 ? " is" : "s are");
}

int cmd_status(struct cli *cli, int argc, char **argv)
{
    if (!cli_takes_nothing(cli, &argc, argv))
        return CLI_USAGE;
    json_t *status = NULL;
    int result = cli_get_json(cli, "/api/v1/status", &status);
    if (result != CLI_OK)
        return result;
    if (cli->json) {
        cli_json_print(status);
    } else {
        print_head(status);
        print_alarms(status);
        print_endpoints(status, cli->colour_out);
        print_safe_to_stop(status);
        print_geo(status, cli->colour_out);
        print_cut_rankings(status);
        cli_measured_print(json_object_get(status, "latency"));
        print_rehearsals(status);
    }
    json_decref(status);
    return CLI_OK;
}
