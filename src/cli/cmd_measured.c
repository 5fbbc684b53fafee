// SPDX-License-Identifier: GPL-3.0-or-later
// steerctl latency list, show, freeze, rollback: tables that are measured.
#include <stdlib.h>
#include <string.h>

#include "cli_internal.h"

static bool is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static void path_of(struct steer_buf *path, const char *table, const char *tail)
{
    steer_buf_puts(path, "/api/v1/latency/");
    cli_encode(path, table);
    steer_buf_puts(path, tail);
}

// ---- list ----------------------------------------------------------------------------------------

enum { LIST_COLUMNS = 8 };

static void list_row(struct cli_table *table, const json_t *t)
{
    const bool measured = is_true(t, "measured");
    const char *next = is_true(t, "held") ? "held" : cli_moment(json_object_get(t, "next"));
    cli_table_row(table,
                  (const char *[]){cli_member(t, "name"), measured ? "measured" : "uploaded",
                                   cli_member(t, "rows"), measured ? cli_member(t, "number") : "",
                                   cli_moment(json_object_get(t, "frozen")), measured ? next : "",
                                   cli_member(t, "estimates"), cli_member(t, "document")},
                  LIST_COLUMNS);
}

static void print_refusal(const json_t *t)
{
    const json_t *refusal = json_object_get(t, "refusal");
    struct steer_buf out = {0};
    if (!json_is_object(refusal))
        return;
    steer_buf_puts(&out, "\nlatency table ");
    cli_put(&out, cli_member(t, "name"));
    steer_buf_puts(&out, ": what was measured is not published (");
    cli_put(&out, cli_moment(json_object_get(refusal, "at")));
    steer_buf_puts(&out, "): ");
    cli_put(&out, cli_member(refusal, "why"));
    steer_buf_puts(&out, "\n");
    cli_write(&out);
}

int cmd_latency_list(struct cli *cli, int argc, char **argv)
{
    json_t *list = NULL, *t;
    size_t i;
    if (!cli_takes_nothing(cli, &argc, argv))
        return CLI_USAGE;
    int status = cli_get_json(cli, "/api/v1/latency", &list);
    if (status != CLI_OK)
        return status;
    if (cli->json) {
        cli_json_print(list);
    } else {
        struct cli_table table = {0};
        cli_table_row(&table,
                      (const char *[]){"TABLE", "KIND", "ROWS", "NUMBER", "FROZEN", "NEXT",
                                       "ESTIMATES", "DOCUMENT"},
                      LIST_COLUMNS);
        json_array_foreach(list, i, t) list_row(&table, t);
        cli_table_print(&table, cli->colour_out);
        json_array_foreach(list, i, t) print_refusal(t);
    }
    json_decref(list);
    return CLI_OK;
}

void cli_measured_print(const json_t *tables)
{
    const json_t *t;
    size_t i;
    json_array_foreach(tables, i, t)
    {
        struct steer_buf out = {0};
        steer_buf_puts(&out, i ? "latency table " : "\nlatency table ");
        cli_put(&out, cli_member(t, "name"));
        if (json_is_integer(json_object_get(t, "number")))
            steer_buf_printf(&out, ": table %s of %s, %s rows", cli_member(t, "number"),
                             cli_moment(json_object_get(t, "frozen")),
                             cli_member(t, "frozen_rows"));
        else
            steer_buf_puts(&out, ": nothing frozen yet");
        steer_buf_printf(&out, "; %s estimates, %s samples since the start%s\n",
                         cli_member(t, "estimates"), cli_member(t, "accepted"),
                         is_true(t, "held") ? "; held" : "");
        cli_write(&out);
        print_refusal(t);
    }
}

// ---- show ----------------------------------------------------------------------------------------

enum { SHOW_COLUMNS = 4, ESTIMATE_COLUMNS = 5 };

static void print_rows(const struct cli *cli, const json_t *shown)
{
    struct cli_table table = {0};
    const json_t *row;
    size_t i;
    cli_table_row(&table, (const char *[]){"CLIENT", "SITE", "MS", "TABLE"}, SHOW_COLUMNS);
    json_array_foreach(json_object_get(shown, "rows"), i, row)
    {
        const bool frozen = json_integer_value(json_object_get(row, "table")) != 0;
        cli_table_row(&table,
                      (const char *[]){cli_member(row, "client"), cli_member(row, "site"),
                                       cli_member(row, "ms"),
                                       frozen ? cli_member(row, "table") : "uploaded"},
                      SHOW_COLUMNS);
    }
    cli_table_print(&table, cli->colour_out);
}

static void print_kept(const struct cli *cli, const json_t *shown)
{
    const json_t *tables = json_object_get(shown, "tables"), *kept;
    struct cli_table table = {0};
    size_t i;
    if (!json_array_size(tables))
        return;
    cli_table_row(&table, (const char *[]){"NUMBER", "FROZEN", "ROWS", "CHANGES"}, SHOW_COLUMNS);
    json_array_foreach(tables, i, kept) cli_table_row(
        &table,
        (const char *[]){cli_member(kept, "number"), cli_moment(json_object_get(kept, "frozen")),
                         cli_member(kept, "rows"), cli_member(kept, "changes")},
        SHOW_COLUMNS);
    puts("");
    cli_table_print(&table, cli->colour_out);
}

static void print_estimates(const struct cli *cli, const json_t *list)
{
    static const char *const members[] = {"client", "site", "ms", "", "weight"};
    struct cli_table table = {0};
    const json_t *e;
    size_t i;
    cli_table_row(&table, (const char *[]){"CLIENT", "SITE", "MS", "MIDDLE HALF", "WEIGHT"},
                  ESTIMATE_COLUMNS);
    json_array_foreach(list, i, e)
    {
        struct steer_buf middle = {0};
        const char *cells[ESTIMATE_COLUMNS];
        steer_buf_printf(&middle, "%s to %s", cli_member(e, "low"), cli_member(e, "high"));
        for (size_t k = 0; k < ESTIMATE_COLUMNS; k++)
            cells[k] = *members[k] ? cli_member(e, members[k]) : middle.data;
        cli_table_row(&table, cells, ESTIMATE_COLUMNS);
        steer_buf_fini(&middle);
    }
    cli_table_print(&table, cli->colour_out);
}

int cmd_latency_show(struct cli *cli, int argc, char **argv)
{
    const char *at = NULL, *limit = NULL;
    bool estimates = false;
    const struct cli_option options[] = {{.name = "at", .value = &at},
                                         {.name = "estimates", .flag = &estimates},
                                         {.name = "limit", .letter = 'n', .value = &limit}};
    if (!cli_options_read(cli, options, STEER_ARRAY_LEN(options), false, &argc, argv))
        return CLI_USAGE;
    if (argc != 1 || (estimates && at))
        return cli_usage(cli, "expected NAME, and --at NUMBER or --estimates");
    struct steer_buf path = {0};
    path_of(&path, argv[0], estimates ? "/estimates" : "");
    const char *value = estimates ? limit : at;
    if (value) {
        steer_buf_puts(&path, estimates ? "?limit=" : "?at=");
        cli_encode(&path, value);
    }
    json_t *shown = NULL;
    int status = cli_get_json(cli, path.data, &shown);
    steer_buf_fini(&path);
    if (status != CLI_OK)
        return status;
    if (cli->json) {
        cli_json_print(shown);
    } else if (estimates) {
        print_estimates(cli, shown);
    } else {
        print_rows(cli, shown);
        print_kept(cli, shown);
    }
    json_decref(shown);
    return CLI_OK;
}

// ---- freeze, rollback ----------------------------------------------------------------------------

static int freeze(const struct cli *cli, const char *name, json_t *body)
{
    struct steer_buf path = {0};
    struct cli_reply reply;
    char *text = json_dumps(body, JSON_COMPACT);
    path_of(&path, name, "/freeze");
    struct cli_request request = {.method = "POST",
                                  .path = path.data,
                                  .type = "application/json",
                                  .data = text,
                                  .len = strlen(text),
                                  .patient = true};
    int status = cli_http(cli, &request, &reply, NULL, 0);
    steer_buf_fini(&path);
    free(text);
    json_decref(body);
    if (status != CLI_OK)
        return status;
    if (cli->json)
        cli_json_print(reply.json);
    else if (is_true(reply.json, "changed"))
        printf("latency table %s: table %s is in force, %s rows, %s changes%s\n", name,
               cli_member(reply.json, "number"), cli_member(reply.json, "rows"),
               cli_member(reply.json, "changes"),
               is_true(reply.json, "held") ? "; held until 'latency freeze'" : "");
    else
        printf("latency table %s: nothing has changed%s\n", name,
               is_true(reply.json, "held") ? "; held until 'latency freeze'" : "");
    cli_reply_fini(&reply);
    return CLI_OK;
}

// The body that both send; NULL: a usage error was printed.
static json_t *freeze_options(struct cli *cli, int *argc, char **argv, int operands)
{
    struct cli_values asserts = {0};
    const char *reason = NULL;
    const struct cli_option options[] = {{.name = "override-assert", .values = &asserts},
                                         {.name = "reason", .value = &reason}};
    if (!cli_options_read(cli, options, STEER_ARRAY_LEN(options), false, argc, argv))
        return NULL;
    if (*argc != operands) {
        cli_usage(cli, operands == 1 ? "expected NAME" : "expected NAME NUMBER");
        return NULL;
    }
    if (asserts.count && !reason) {
        cli_usage(cli, "say why: --reason TEXT goes with --override-assert");
        return NULL;
    }
    json_t *body = json_object();
    json_t *names = json_array();
    for (size_t i = 0; i < asserts.count; i++)
        json_array_append_new(names, cli_json_text(asserts.items[i]));
    if (asserts.count) {
        json_object_set(body, "override_asserts", names);
        json_object_set_new(body, "reason", cli_json_text(reason));
    }
    json_decref(names);
    return body;
}

int cmd_latency_freeze(struct cli *cli, int argc, char **argv)
{
    json_t *body = freeze_options(cli, &argc, argv, 1);
    return body ? freeze(cli, argv[0], body) : CLI_USAGE;
}

int cmd_latency_rollback(struct cli *cli, int argc, char **argv)
{
    json_t *body = freeze_options(cli, &argc, argv, 2);
    if (!body)
        return CLI_USAGE;
    const size_t digits = strspn(argv[1], "0123456789");
    const unsigned long number = strtoul(argv[1], NULL, 10);
    if (!digits || argv[1][digits] || digits > 9 || number == 0) {
        json_decref(body);
        return cli_usage(cli, "'%s' is not the number of a table", argv[1]);
    }
    json_object_set_new(body, "to", json_integer((json_int_t)number));
    return freeze(cli, argv[0], body);
}
