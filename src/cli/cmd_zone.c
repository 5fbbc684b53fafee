// SPDX-License-Identifier: GPL-3.0-or-later
// steerctl zone ...
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli_internal.h"
#include "steerd/base/mem.h"

#define ZONE_MAX ((size_t)512 << 20)

static char *zone_path(const char *origin, const char *file)
{
    struct steer_buf path = {0};
    steer_buf_puts(&path, "/api/v1/zones/");
    cli_encode(&path, origin);
    if (file) {
        steer_buf_puts(&path, "?file=");
        cli_encode(&path, file);
    }
    return steer_buf_take(&path);
}

bool cli_read_file(const struct cli *cli, const char *path, struct steer_buf *text)
{
    struct steer_diag diag;
    const char *name = strcmp(path, "-") == 0 ? "/dev/stdin" : path;
    if (steer_buf_read_file(text, name, ZONE_MAX, &diag) == STEER_OK)
        return true;
    cli_error(cli, "%s", diag.message);
    steer_buf_fini(text);
    return false;
}

static int import_list(const struct cli *cli, const char *list_path)
{
    struct steer_buf text = {0};
    struct cli_zone_list list = {0};
    if (!cli_read_file(cli, list_path, &text))
        return CLI_FAILED;
    int status = CLI_FAILED;
    if (cli_zone_list_parse(cli, text.data, list_path, &list)) {
        if (list.count)
            status = cli_zone_upload(cli, &list);
        else
            status = cli_error(cli, "%s lists no zone", list_path);
    }
    cli_zone_list_fini(&list);
    steer_buf_fini(&text);
    return status;
}

// What messages may name: the file, and those it includes.
static struct cli_source *list_sources(const struct cli_zone_text *zone, const char *shown,
                                       size_t *count)
{
    *count = zone->file_count ? zone->file_count : 1;
    struct cli_source *sources = steer_calloc(*count, sizeof *sources);
    sources[0] = (struct cli_source){shown, shown, zone->text.data, NULL};
    for (size_t i = 0; i < zone->file_count; i++)
        sources[i] = (struct cli_source){zone->files[i].shown, zone->files[i].shown,
                                         zone->files[i].text.data, i ? NULL : zone};
    return sources;
}

static int cannot_load(const struct cli *cli, const struct steer_diag *diag,
                       const struct cli_source *sources, size_t count)
{
    if (!diag->line)
        return cli_error(cli, "%s", diag->message);
    json_t *problem =
        json_pack("{s:s, s:s, s:o, s:o, s:i, s:i}", "type", "about:blank", "title", "Bad include",
                  "detail", cli_json_text(diag->message), "file", cli_json_text(diag->file), "line",
                  (int)diag->line, "column", (int)diag->column);
    if (cli->json)
        cli_json_print(problem);
    else
        cli_problem_print(cli, "error", problem, sources, count);
    json_decref(problem);
    return CLI_FAILED;
}

static void print_summary(const struct cli *cli, json_t *summary, const struct cli_source *sources,
                          size_t count)
{
    cli_print_warnings(cli, summary, sources, count);
    if (cli->json)
        cli_json_print(summary);
    else
        printf("%s %s: serial %s, %s records in %s RRsets\n", cli_member(summary, "origin"),
               json_is_false(json_object_get(summary, "changed")) ? "is unchanged" : "loaded",
               cli_member(summary, "serial"), cli_member(summary, "records"),
               cli_member(summary, "rrsets"));
}

static int send_zone(const struct cli *cli, const char *path, const struct steer_buf *text,
                     const struct cli_source *sources, size_t count)
{
    struct cli_request request = {.method = "PUT",
                                  .path = path,
                                  .type = "text/dns",
                                  .data = text->data,
                                  .len = text->len,
                                  .patient = true};
    struct cli_reply reply;
    int status = cli_http(cli, &request, &reply, sources, count);
    if (status != CLI_OK)
        return status;
    print_summary(cli, reply.json, sources, count);
    cli_reply_fini(&reply);
    return CLI_OK;
}

static int import_one(const struct cli *cli, const char *origin, const char *file)
{
    struct cli_zone_text zone = {0};
    struct steer_diag diag;
    const char *shown = strcmp(file, "-") == 0 ? "stdin" : file;
    enum steer_err err = cli_zone_load(file, origin, ZONE_MAX, true, &zone, &diag);
    size_t count;
    struct cli_source *sources = list_sources(&zone, shown, &count);
    char *path = zone_path(origin, shown);
    int status = err == STEER_OK ? send_zone(cli, path, &zone.text, sources, count)
                                 : cannot_load(cli, &diag, sources, count);
    free(path);
    free(sources);
    cli_zone_text_fini(&zone);
    return status;
}

int cmd_zone_import(struct cli *cli, int argc, char **argv)
{
    const char *list = NULL;
    const struct cli_option options[] = {{"list", 0, &list, NULL, NULL}};
    if (!cli_options_read(cli, options, STEER_ARRAY_LEN(options), false, &argc, argv))
        return CLI_USAGE;
    if (list && argc == 0)
        return import_list(cli, list);
    if (list || argc != 2)
        return cli_usage(cli, "expected ORIGIN FILE, or --list FILE");
    return import_one(cli, argv[0], argv[1]);
}

int cli_write_file(const struct cli *cli, const char *path, const struct steer_buf *text)
{
    struct steer_buf aside = {0};
    steer_buf_printf(&aside, "%s.%ld.new", path, (long)getpid());
    FILE *file = fopen(aside.data, "wxe");
    bool good = file && fwrite(text->data, 1, text->len, file) == text->len && fflush(file) == 0 &&
                fsync(fileno(file)) == 0;
    if (file)
        good = fclose(file) == 0 && good;
    good = good && rename(aside.data, path) == 0;
    int error = errno;
    if (!good && file)
        unlink(aside.data);
    steer_buf_fini(&aside);
    return good ? CLI_OK : cli_error(cli, "cannot write %s: %s", path, strerror(error));
}

int cmd_zone_export(struct cli *cli, int argc, char **argv)
{
    const char *output = NULL;
    const struct cli_option options[] = {{"output", 'o', &output, NULL, NULL}};
    if (!cli_options_read(cli, options, STEER_ARRAY_LEN(options), false, &argc, argv))
        return CLI_USAGE;
    if (argc != 1)
        return cli_usage(cli, "expected ORIGIN");
    char *path = zone_path(argv[0], NULL);
    struct cli_request request = {.method = "GET", .path = path, .patient = true};
    struct cli_reply reply;
    int status = cli_http(cli, &request, &reply, NULL, 0);
    free(path);
    if (status != CLI_OK)
        return status;
    steer_buf_puts(&reply.body, "");
    if (output && strcmp(output, "-") != 0)
        status = cli_write_file(cli, output, &reply.body);
    else
        fwrite(reply.body.data, 1, reply.body.len, stdout);
    cli_reply_fini(&reply);
    return status;
}

int cmd_zone_list(struct cli *cli, int argc, char **argv)
{
    static const struct cli_column columns[] = {{"ZONE", "origin", false},
                                                {"SERIAL", "serial", false},
                                                {"NAMES", "names", false},
                                                {"RECORDS", "records", false},
                                                {"STEERED", "steered", false}};
    if (!cli_takes_nothing(cli, &argc, argv))
        return CLI_USAGE;
    return cli_list(cli, "/api/v1/zones", columns, STEER_ARRAY_LEN(columns));
}

int cmd_zone_delete(struct cli *cli, int argc, char **argv)
{
    bool yes = false;
    const struct cli_option options[] = {{"yes", 'y', NULL, &yes, NULL}};
    if (!cli_options_read(cli, options, STEER_ARRAY_LEN(options), false, &argc, argv))
        return CLI_USAGE;
    if (argc != 1)
        return cli_usage(cli, "expected ORIGIN");
    if (!yes && !cli_on_terminal())
        return cli_usage(cli, "there is no terminal to ask on: pass --yes to delete %s", argv[0]);
    char question[512];
    snprintf(question, sizeof question, "Delete zone %s and all its records?", argv[0]);
    if (!yes && !cli_confirm(question)) {
        puts("Nothing was changed.");
        return CLI_FAILED;
    }
    char *path = zone_path(argv[0], NULL);
    struct cli_request request = {.method = "DELETE", .path = path, .patient = true};
    struct cli_reply reply;
    int status = cli_http(cli, &request, &reply, NULL, 0);
    free(path);
    if (status != CLI_OK)
        return status;
    if (!cli->json)
        printf("%s deleted\n", argv[0]);
    cli_reply_fini(&reply);
    return CLI_OK;
}
