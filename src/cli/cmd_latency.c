// SPDX-License-Identifier: GPL-3.0-or-later
// steerctl latency import
#include <stdlib.h>
#include <string.h>

#include "cli_internal.h"
#include "steerd/policy/latency_rows.h"

static int refuse(const struct cli *cli, const struct steer_diag *diag,
                  const struct cli_source *source)
{
    json_t *problem = json_pack("{s:o, s:o, s:I, s:I}", "detail", cli_json_text(diag->message),
                                "file", cli_json_text(diag->file), "line", (json_int_t)diag->line,
                                "column", (json_int_t)diag->column);
    cli_problem_print(cli, "error", problem, source, 1);
    json_decref(problem);
    return CLI_FAILED;
}

// The table is a document of its own, so that importing again replaces it whole.
static int apply(const struct cli *cli, const char *table, const struct steer_buf *yaml,
                 size_t count, bool dry_run)
{
    struct steer_buf name = {0};
    steer_buf_printf(&name, "latency-%s", table);
    json_t *body = json_pack("{s:[{s:s, s:s}], s:b}", "documents", "name", name.data, "text",
                             yaml->data, "dry_run", dry_run);
    steer_buf_fini(&name);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (!text)
        return cli_usage(cli, "the name of a table is 1 to 63 letters, digits, '_', '.' or '-'");
    struct cli_request request = {.method = "POST",
                                  .path = "/api/v1/apply",
                                  .type = "application/json",
                                  .data = text,
                                  .len = strlen(text),
                                  .patient = true};
    struct cli_reply reply;
    int status = cli_http(cli, &request, &reply, NULL, 0);
    free(text);
    if (status != CLI_OK)
        return status;
    bool changed = json_is_true(json_object_get(reply.json, "changed"));
    cli_print_warnings(cli, reply.json, NULL, 0);
    if (cli->json)
        cli_json_print(reply.json);
    else
        printf("latency table %s: %zu rows%s\n", table, count,
               !changed  ? ", as it is already"
               : dry_run ? ", not applied"
                         : "");
    cli_reply_fini(&reply);
    return CLI_OK;
}

int cmd_latency_import(struct cli *cli, int argc, char **argv)
{
    bool dry_run = false;
    const struct cli_option options[] = {{"dry-run", 'n', NULL, &dry_run, NULL}};
    if (!cli_options_read(cli, options, STEER_ARRAY_LEN(options), false, &argc, argv))
        return CLI_USAGE;
    if (argc != 2)
        return cli_usage(cli, "expected NAME FILE ('-' is standard input)");
    struct steer_buf text = {0}, yaml = {0};
    if (!cli_read_file(cli, argv[1], &text))
        return CLI_FAILED;
    const char *shown = strcmp(argv[1], "-") == 0 ? "stdin" : argv[1];
    const struct cli_source source = {.name = shown, .shown = shown, .text = text.data};
    struct steer_diag diag = {0};
    json_t *rows = NULL;
    size_t count = 0;
    int status;
    if (steer_latency_rows_parse(text.data, text.len, shown, &rows, &count, &diag)) {
        status = refuse(cli, &diag, &source);
    } else {
        steer_latency_rows_document(rows, argv[0], &yaml);
        status = apply(cli, argv[0], &yaml, count, dry_run);
    }
    json_decref(rows);
    steer_buf_fini(&text);
    steer_buf_fini(&yaml);
    return status;
}
