// SPDX-License-Identifier: GPL-3.0-or-later
// steerctl replay
#include <stdlib.h>
#include <string.h>

#include "cli_internal.h"
#include "steerd/base/mem.h"

enum { SHOWN = 20 };

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// ---- the answer as text --------------------------------------------------------------------------

static void put_names(struct steer_buf *out, const json_t *names)
{
    struct cli_table table = {0};
    const char *const head[] = {"NAME", "TYPE", "QUERIES", "CHANGED"};
    size_t i;
    const json_t *name;
    if (json_array_size(names) == 0)
        return;
    steer_buf_puts(out, "\n");
    cli_write(out);
    cli_table_row(&table, head, STEER_ARRAY_LEN(head));
    json_array_foreach(names, i, name)
    {
        const char *const row[] = {cli_member(name, "name"), cli_member(name, "type"),
                                   cli_member(name, "queries"), cli_member(name, "changed")};
        if (i < SHOWN)
            cli_table_row(&table, row, STEER_ARRAY_LEN(row));
    }
    cli_table_print(&table, false);
}

static void put_change(struct steer_buf *out, const struct cli *cli, const json_t *change)
{
    size_t i;
    const json_t *example;
    const char *queries = cli_member(change, "queries");
    steer_buf_printf(out, "\n%s %s: %s %s\n", cli_member(change, "name"),
                     cli_member(change, "type"), queries,
                     strcmp(queries, "1") == 0 ? "query" : "queries");
    steer_buf_puts(out, "  from  ");
    cli_put_coloured(out, cli->colour_out, CLI_RED, cli_member(change, "from"));
    steer_buf_puts(out, "\n  to    ");
    cli_put_coloured(out, cli->colour_out, CLI_GREEN, cli_member(change, "to"));
    steer_buf_puts(out, "\n  for   ");
    json_array_foreach(json_object_get(change, "examples"), i, example)
    {
        steer_buf_puts(out, i ? ", " : "");
        cli_put(out, cli_text(example));
    }
    steer_buf_puts(out, "\n");
}

static void put_assertions(struct steer_buf *out, const struct cli *cli, const json_t *list)
{
    size_t i;
    const json_t *assertion;
    json_array_foreach(list, i, assertion)
    {
        const json_t *breach = json_array_get(json_object_get(assertion, "breaches"), 0);
        cli_put_coloured(out, cli->colour_out, CLI_YELLOW, "warning");
        steer_buf_printf(
            out, ": %s:%s:%s: assertion '%s' (%s) would not hold, and apply would refuse: %s\n",
            cli_member(assertion, "document"), cli_member(assertion, "line"),
            cli_member(assertion, "column"), cli_member(assertion, "name"),
            cli_member(assertion, "text"), cli_member(breach, "message"));
    }
}

static void print_result(const struct cli *cli, const json_t *result)
{
    struct steer_buf out = {0};
    const json_t *changes = json_object_get(result, "changes"), *change;
    size_t i;
    const char *questions = cli_member(result, "questions");
    steer_buf_printf(&out, "%s of %s queries would get another answer (%s different question%s).\n",
                     cli_member(result, "changed"), cli_member(result, "queries"), questions,
                     strcmp(questions, "1") == 0 ? "" : "s");
    put_assertions(&out, cli, json_object_get(result, "assertions"));
    put_names(&out, json_object_get(result, "names"));
    json_array_foreach(changes, i, change) if (i < SHOWN) put_change(&out, cli, change);
    if (json_array_size(changes) > SHOWN)
        steer_buf_printf(&out, "\nand %zu changes more; --json shows them\n",
                         json_array_size(changes) - SHOWN);
    cli_write(&out);
}

// ---- the command ---------------------------------------------------------------------------------

static char *body_of(const struct cli *cli, const char *path, const char *text, bool take_over,
                     bool prune, long limit)
{
    json_t *body = json_pack("{s:[{s:s, s:s}], s:b, s:b}", "documents", "name", base_name(path),
                             "text", text, "take_over", take_over, "prune", prune);
    if (!body) {
        cli_error(cli, "%s is not UTF-8 text", path);
        return NULL;
    }
    if (limit)
        json_object_set_new(body, "limit", json_integer(limit));
    char *out = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return out;
}

static int send(const struct cli *cli, const char *body, const struct cli_source *source)
{
    struct cli_request request = {.method = "POST",
                                  .path = "/api/v1/replay",
                                  .type = "application/json",
                                  .data = body,
                                  .len = strlen(body),
                                  .patient = true};
    struct cli_reply reply;
    int status = cli_http(cli, &request, &reply, source, 1);
    if (status != CLI_OK)
        return status;
    if (cli->json)
        cli_json_print(reply.json);
    else
        print_result(cli, reply.json);
    cli_reply_fini(&reply);
    return CLI_OK;
}

int cmd_replay(struct cli *cli, int argc, char **argv)
{
    const char *with = NULL, *limit = NULL;
    bool take_over = false, prune = false;
    const struct cli_option options[] = {{"with", 'w', &with, NULL, NULL},
                                         {"limit", 'n', &limit, NULL, NULL},
                                         {"take-over", 0, NULL, &take_over, NULL},
                                         {"prune", 0, NULL, &prune, NULL}};
    if (!cli_options_read(cli, options, STEER_ARRAY_LEN(options), false, &argc, argv))
        return CLI_USAGE;
    if (argc)
        return cli_usage(cli, "unexpected '%s'", argv[0]);
    if (!with)
        return cli_usage(cli, "say which document: --with FILE");
    char *end = NULL;
    long most = limit ? strtol(limit, &end, 10) : 0;
    if (limit && (*end || most < 1))
        return cli_usage(cli, "--limit takes a number of queries, not '%s'", limit);
    struct steer_buf text = {0};
    if (!cli_read_file(cli, with, &text))
        return CLI_FAILED;
    const struct cli_source source = {.name = base_name(with), .shown = with, .text = text.data};
    char *body = body_of(cli, with, text.data, take_over, prune, most);
    int status = body ? send(cli, body, &source) : CLI_FAILED;
    free(body);
    steer_buf_fini(&text);
    return status;
}
