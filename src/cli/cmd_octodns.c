// SPDX-License-Identifier: GPL-3.0-or-later
// steerctl import octodns, export octodns
#include <stdlib.h>
#include <string.h>

#include "cli_internal.h"
#include "steerd/policy/octodns.h"

static json_t *problem_of(const struct steer_diag *diag, const char *key)
{
    return json_pack("{s:o, s:o, s:I, s:I}", key, cli_json_text(diag->message), "file",
                     cli_json_text(diag->file), "line", (json_int_t)diag->line, "column",
                     (json_int_t)diag->column);
}

static void print_diag(const struct cli *cli, const struct steer_diag *diag,
                       const struct cli_source *source)
{
    json_t *problem = problem_of(diag, "detail");
    cli_problem_print(cli, "error", problem, source, source ? 1 : 0);
    json_decref(problem);
}

static void print_notes(const struct cli *cli, struct steer_octodns_notes *notes,
                        const struct cli_source *source)
{
    json_t *list = json_array();
    for (size_t i = 0; i < notes->count; i++)
        json_array_append_new(list, problem_of(&notes->items[i], "message"));
    json_t *summary = json_pack("{s:o}", "warnings", list);
    cli_print_warnings(cli, summary, source, source ? 1 : 0);
    json_decref(summary);
    free(notes->items);
}

static int put_result(const struct cli *cli, const char *output, const struct steer_buf *text)
{
    if (output && strcmp(output, "-") != 0)
        return cli_write_file(cli, output, text);
    fwrite(text->data, 1, text->len, stdout);
    return CLI_OK;
}

// ---- import --------------------------------------------------------------------------------------

// "config/example.com.yaml" -> "example.com"; NULL where the name says nothing.
static char *zone_of_file(const char *path)
{
    static const char *const ends[] = {".yaml", ".yml"};
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t len = strlen(name);
    for (size_t i = 0; i < STEER_ARRAY_LEN(ends); i++) {
        size_t end = strlen(ends[i]);
        if (len > end && strcmp(name + len - end, ends[i]) == 0)
            return steer_strndup(name, len - end);
    }
    return NULL;
}

int cmd_import_octodns(struct cli *cli, int argc, char **argv)
{
    const char *zone = NULL, *output = NULL;
    const struct cli_option options[] = {{"zone", 'z', &zone, NULL, NULL},
                                         {"output", 'o', &output, NULL, NULL}};
    if (!cli_options_read(cli, options, STEER_ARRAY_LEN(options), false, &argc, argv))
        return CLI_USAGE;
    if (argc != 1)
        return cli_usage(cli, "expected FILE, octoDNS's zone file ('-' is standard input)");
    char *derived = zone ? NULL : zone_of_file(argv[0]);
    if (!zone && !derived)
        return cli_usage(cli, "the name of %s does not tell the zone: pass --zone NAME", argv[0]);
    struct steer_buf text = {0}, yaml = {0};
    if (!cli_read_file(cli, argv[0], &text)) {
        free(derived);
        return CLI_FAILED;
    }
    const char *shown = strcmp(argv[0], "-") == 0 ? "stdin" : argv[0];
    const struct cli_source source = {.name = shown, .shown = shown, .text = text.data};
    struct steer_octodns_notes notes = {0};
    struct steer_diag diag = {0};
    int status = CLI_FAILED;
    if (steer_octodns_import(text.data, text.len, shown, zone ? zone : derived, &yaml, &notes,
                             &diag) == STEER_OK) {
        print_notes(cli, &notes, &source);
        status = put_result(cli, output, &yaml);
    } else {
        free(notes.items);
        print_diag(cli, &diag, &source);
    }
    free(derived);
    steer_buf_fini(&text);
    steer_buf_fini(&yaml);
    return status;
}

// ---- export --------------------------------------------------------------------------------------

struct fetched {
    struct steer_document **documents;
    size_t count;
};

static void fetched_fini(struct fetched *f)
{
    for (size_t i = 0; i < f->count; i++)
        steer_document_destroy(f->documents[i]);
    free(f->documents);
}

static int fetch_text(const struct cli *cli, const char *folder, const char *name,
                      struct steer_buf *text)
{
    struct steer_buf path = {0};
    steer_buf_puts(&path, folder);
    cli_encode(&path, name);
    struct cli_request request = {.method = "GET", .path = path.data, .patient = true};
    struct cli_reply reply;
    int status = cli_http(cli, &request, &reply, NULL, 0);
    steer_buf_fini(&path);
    if (status != CLI_OK)
        return status;
    steer_buf_add(text, reply.body.data, reply.body.len);
    steer_buf_puts(text, "");
    cli_reply_fini(&reply);
    return CLI_OK;
}

static int by_applied(const void *a, const void *b)
{
    const json_t *x = json_object_get(*(json_t *const *)a, "applied");
    const json_t *y = json_object_get(*(json_t *const *)b, "applied");
    if (json_is_string(x) && json_is_string(y))
        return strcmp(json_string_value(x), json_string_value(y));
    return (json_number_value(x) > json_number_value(y)) -
           (json_number_value(x) < json_number_value(y));
}

// All documents, the newest last: what two define is the newer one's.
static int fetch_documents(const struct cli *cli, struct fetched *f)
{
    json_t *list = NULL;
    int status = cli_get_json(cli, "/api/v1/documents", &list);
    if (status != CLI_OK)
        return status;
    size_t count = json_array_size(list);
    json_t **sorted = steer_calloc(count, sizeof(json_t *));
    for (size_t i = 0; i < count; i++)
        sorted[i] = json_array_get(list, i);
    qsort(sorted, count, sizeof(json_t *), by_applied);
    f->documents = steer_calloc(count, sizeof(struct steer_document *));
    for (size_t i = 0; i < count && status == CLI_OK; i++) {
        const char *name = cli_member(sorted[i], "name");
        struct steer_buf text = {0};
        struct steer_diag diag = {0};
        status = fetch_text(cli, "/api/v1/documents/", name, &text);
        if (status == CLI_OK &&
            steer_document_parse(text.data, text.len, name, name, &f->documents[f->count], &diag)) {
            print_diag(cli, &diag, NULL);
            status = CLI_FAILED;
        } else if (status == CLI_OK) {
            f->count++;
        }
        steer_buf_fini(&text);
    }
    free(sorted);
    json_decref(list);
    return status;
}

static int export(const struct cli *cli, const char *zone, const char *output,
                  const struct fetched *f, const char *master)
{
    struct steer_octodns_notes notes = {0};
    struct steer_diag diag = {0};
    struct steer_buf yaml = {0};
    int status = CLI_FAILED;
    enum steer_err err =
        steer_octodns_export(f->documents, f->count, zone, master, &yaml, &notes, &diag);
    if (err == STEER_ECONFLICT) {
        cli_error(cli, "%s; what would be lost:", diag.message);
        print_notes(cli, &notes, NULL);
    } else {
        free(notes.items);
        if (err)
            print_diag(cli, &diag, NULL);
        else
            status = put_result(cli, output, &yaml);
    }
    steer_buf_fini(&yaml);
    return status;
}

int cmd_export_octodns(struct cli *cli, int argc, char **argv)
{
    const char *output = NULL;
    const struct cli_option options[] = {{"output", 'o', &output, NULL, NULL}};
    if (!cli_options_read(cli, options, STEER_ARRAY_LEN(options), false, &argc, argv))
        return CLI_USAGE;
    if (argc != 1)
        return cli_usage(cli, "expected ZONE");
    struct steer_buf master = {0};
    struct fetched fetched = {0};
    int status = fetch_text(cli, "/api/v1/zones/", argv[0], &master);
    if (status == CLI_OK)
        status = fetch_documents(cli, &fetched);
    if (status == CLI_OK)
        status = export(cli, argv[0], output, &fetched, master.data);
    fetched_fini(&fetched);
    steer_buf_fini(&master);
    return status;
}
