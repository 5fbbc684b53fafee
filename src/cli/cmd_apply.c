// SPDX-License-Identifier: GPL-3.0-or-later
// steerctl apply and plan: documents to the server.
#include <stdlib.h>
#include <string.h>

#include "cli_internal.h"
#include "steerd/base/mem.h"

#define DOCUMENTS_MAX ((size_t)64 << 20)

struct apply {
    bool yes, dry_run, take_over, prune;
    bool plan, all;         // ask for a plan instead
    const char *population; // of a plan's shares
    struct cli_values override_asserts;
    const char *reason;
    struct cli_source *sources;
    size_t count;
};

static void apply_fini(struct apply *apply)
{
    for (size_t i = 0; i < apply->count; i++)
        free((void *)(uintptr_t)apply->sources[i].text);
    free(apply->sources);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int load(struct cli *cli, struct apply *apply, const char *path)
{
    bool is_stdin = strcmp(path, "-") == 0;
    const char *name = is_stdin ? "stdin" : base_name(path);
    for (size_t i = 0; i < apply->count; i++)
        if (strcmp(apply->sources[i].name, name) == 0)
            return cli_usage(cli,
                             "%s and %s would be the same document '%s': its name is the file's",
                             apply->sources[i].shown, path, name);
    struct steer_buf text = {0};
    struct steer_diag diag;
    if (steer_buf_read_file(&text, is_stdin ? "/dev/stdin" : path, DOCUMENTS_MAX, &diag) !=
        STEER_OK) {
        steer_buf_fini(&text);
        return cli_error(cli, "%s", diag.message);
    }
    if (text.data && strlen(text.data) != text.len) {
        steer_buf_fini(&text);
        return cli_error(cli, "%s is not text: it has NUL octets", path);
    }
    apply->sources[apply->count++] =
        (struct cli_source){name, is_stdin ? "stdin" : path, steer_buf_take(&text), NULL};
    return CLI_OK;
}

static char *request_body(struct cli *cli, const struct apply *apply, bool dry_run)
{
    json_t *documents = json_array();
    for (size_t i = 0; i < apply->count; i++) {
        json_t *document =
            json_pack("{s:s, s:s}", "name", apply->sources[i].name, "text", apply->sources[i].text);
        if (!document) {
            cli_error(cli, "%s is not UTF-8 text", apply->sources[i].shown);
            json_decref(documents);
            return NULL;
        }
        json_array_append_new(documents, document);
    }
    json_t *body = json_pack("{s:o, s:b, s:b}", "documents", documents, "take_over",
                             apply->take_over, "prune", apply->prune);
    json_object_set_new(body, apply->plan ? "all" : "dry_run",
                        json_boolean(apply->plan ? apply->all : dry_run));
    json_t *asserts = json_array();
    for (size_t i = 0; i < apply->override_asserts.count; i++)
        json_array_append_new(asserts, json_string(apply->override_asserts.items[i]));
    if (apply->override_asserts.count)
        json_object_set(body, "override_asserts", asserts);
    if (apply->population && apply->plan)
        json_object_set_new(body, "population", json_string(apply->population));
    if (apply->reason && !apply->plan)
        json_object_set_new(body, "reason", json_string(apply->reason));
    json_decref(asserts);
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return text;
}

static int send_apply(struct cli *cli, const struct apply *apply, bool dry_run, json_t **summary)
{
    char *body = request_body(cli, apply, dry_run);
    if (!body)
        return CLI_FAILED;
    struct cli_request request = {.method = "POST",
                                  .path = apply->plan ? "/api/v1/plan" : "/api/v1/apply",
                                  .type = "application/json",
                                  .data = body,
                                  .len = strlen(body),
                                  .patient = true};
    struct cli_reply reply;
    int status = cli_http(cli, &request, &reply, apply->sources, apply->count);
    free(body);
    if (status != CLI_OK)
        return status;
    *summary = json_incref(reply.json);
    cli_reply_fini(&reply);
    return CLI_OK;
}

static void put_list(struct steer_buf *out, const struct cli *cli, json_t *summary, const char *key,
                     const char *sign, enum cli_colour colour)
{
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(summary, key), i, name)
    {
        cli_put_coloured(out, cli->colour_out, colour, sign);
        steer_buf_puts(out, " ");
        cli_put(out, cli_text(name));
        steer_buf_puts(out, "\n");
    }
}

static void print_changes(const struct cli *cli, const struct apply *apply, json_t *summary,
                          bool dry_run)
{
    struct steer_buf out = {0};
    cli_print_warnings(cli, summary, apply->sources, apply->count);
    put_list(&out, cli, summary, "created", dry_run ? "+ create " : "+ created ", CLI_GREEN);
    put_list(&out, cli, summary, "replaced", dry_run ? "~ replace" : "~ replaced", CLI_YELLOW);
    put_list(&out, cli, summary, "removed", dry_run ? "- remove " : "- removed ", CLI_RED);
    const char *unchanged = cli_member(summary, "unchanged");
    if (json_integer_value(json_object_get(summary, "unchanged")) > 0)
        steer_buf_printf(&out, "= unchanged %s\n", unchanged);
    if (!json_is_true(json_object_get(summary, "changed")))
        steer_buf_puts(&out, "Nothing changes: this is what is applied already.\n");
    else if (!dry_run)
        steer_buf_printf(&out, "Applied (built in %s, committed in %s).\n",
                         cli_span(json_number_value(json_object_get(summary, "build_ms")) / 1000),
                         cli_span(json_number_value(json_object_get(summary, "commit_ms")) / 1000));
    cli_write(&out);
}

// Sends and shows; *changes says whether there is anything to apply.
static int round_trip(struct cli *cli, const struct apply *apply, bool dry_run, bool *changes)
{
    json_t *summary = NULL;
    int status = send_apply(cli, apply, dry_run, &summary);
    if (status != CLI_OK)
        return status;
    *changes = json_is_true(json_object_get(summary, "changed"));
    if (cli->json)
        cli_json_print(summary);
    else
        print_changes(cli, apply, summary, dry_run);
    json_decref(summary);
    return CLI_OK;
}

// A plan has all that a dry run has.
static int show_plan(struct cli *cli, struct apply *apply, bool *changes, bool *holds)
{
    json_t *plan = NULL;
    apply->plan = true;
    int status = send_apply(cli, apply, true, &plan);
    apply->plan = false;
    if (status != CLI_OK)
        return status;
    *changes = json_is_true(json_object_get(plan, "changed"));
    *holds = json_is_true(json_object_get(plan, "holds"));
    if (cli->json) {
        cli_json_print(plan);
    } else {
        print_changes(cli, apply, plan, true);
        cli_plan_print(cli, plan, apply->all);
    }
    json_decref(plan);
    return CLI_OK;
}

static int run(struct cli *cli, struct apply *apply)
{
    bool changes = false, holds = true;
    if (apply->yes || apply->dry_run)
        return round_trip(cli, apply, apply->dry_run, &changes);
    int status = show_plan(cli, apply, &changes, &holds);
    if (status != CLI_OK || !changes)
        return status;
    if (!holds) {
        puts("\nNothing was changed: an assertion does not hold (see --override-assert).");
        return CLI_FAILED;
    }
    if (!cli_confirm("Apply?")) {
        puts("Nothing was changed.");
        return CLI_FAILED;
    }
    return round_trip(cli, apply, false, &changes);
}

static int load_all(struct cli *cli, struct apply *apply, int argc, char **argv)
{
    if (argc == 0)
        return cli_usage(cli, "name at least one document ('-' is standard input)");
    apply->sources = steer_calloc((size_t)argc, sizeof *apply->sources);
    int status = CLI_OK;
    for (int i = 0; i < argc && status == CLI_OK; i++)
        status = load(cli, apply, argv[i]);
    return status;
}

int cmd_apply(struct cli *cli, int argc, char **argv)
{
    struct apply apply = {0};
    const struct cli_option options[] = {
        {"yes", 'y', NULL, &apply.yes, NULL},
        {"dry-run", 'n', NULL, &apply.dry_run, NULL},
        {"take-over", 0, NULL, &apply.take_over, NULL},
        {"prune", 0, NULL, &apply.prune, NULL},
        {"override-assert", 0, NULL, NULL, &apply.override_asserts},
        {"reason", 0, &apply.reason, NULL, NULL},
    };
    if (!cli_options_read(cli, options, STEER_ARRAY_LEN(options), false, &argc, argv))
        return CLI_USAGE;
    if (argc && apply.override_asserts.count && !apply.reason)
        return cli_usage(cli, "say why: --reason TEXT goes with --override-assert");
    if (argc && !apply.yes && !apply.dry_run && (cli->json || !cli_on_terminal()))
        return cli_usage(
            cli, "there is no terminal to ask on: pass --yes to apply, or --dry-run to look");
    int status = load_all(cli, &apply, argc, argv);
    if (status == CLI_OK)
        status = run(cli, &apply);
    apply_fini(&apply);
    return status;
}

int cmd_plan(struct cli *cli, int argc, char **argv)
{
    struct apply apply = {0};
    bool changes, holds = true;
    const struct cli_option options[] = {
        {"all", 'a', NULL, &apply.all, NULL},
        {"population", 0, &apply.population, NULL, NULL},
        {"take-over", 0, NULL, &apply.take_over, NULL},
        {"prune", 0, NULL, &apply.prune, NULL},
        {"override-assert", 0, NULL, NULL, &apply.override_asserts},
    };
    if (!cli_options_read(cli, options, STEER_ARRAY_LEN(options), false, &argc, argv))
        return CLI_USAGE;
    if (apply.population && strcmp(apply.population, "queries") != 0 &&
        strcmp(apply.population, "addresses") != 0)
        return cli_usage(cli, "--population is 'addresses' or 'queries', not '%s'",
                         apply.population);
    int status = load_all(cli, &apply, argc, argv);
    if (status == CLI_OK)
        status = show_plan(cli, &apply, &changes, &holds);
    apply_fini(&apply);
    return status == CLI_OK && !holds ? CLI_BROKEN : status;
}
