// SPDX-License-Identifier: GPL-3.0-or-later
// steerctl latency samples: a file of measurements, in batches.
#include <stdlib.h>
#include <string.h>

#include "cli_internal.h"

enum { BATCH = 1000, FIELDS = 3 };

struct sending {
    const struct cli *cli;
    const char *table, *shown;
    json_t *rows;
    uint32_t lines[BATCH]; // of the rows
    uint64_t accepted, limited, refused;
};

static void refuse_line(struct sending *s, uint32_t line, const char *why)
{
    struct steer_buf out = {0};
    steer_buf_printf(&out, "%s:%u: ", s->shown, line);
    cli_put(&out, why);
    fprintf(stderr, "%s\n", out.data);
    steer_buf_fini(&out);
    s->refused++;
}

static void account(struct sending *s, const json_t *reply)
{
    const json_t *refusal;
    size_t i;
    s->accepted += (uint64_t)json_integer_value(json_object_get(reply, "accepted"));
    s->limited += (uint64_t)json_integer_value(json_object_get(reply, "limited"));
    json_array_foreach(json_object_get(reply, "refused"), i, refusal)
    {
        const json_int_t index = json_integer_value(json_object_get(refusal, "index"));
        if (index >= 0 && index < BATCH)
            refuse_line(s, s->lines[index], cli_member(refusal, "reason"));
    }
}

static int send_batch(struct sending *s)
{
    struct cli_reply reply;
    struct steer_buf path = {0};
    if (!json_array_size(s->rows))
        return CLI_OK;
    json_t *body = json_pack("{s:O}", "samples", s->rows);
    char *text = json_dumps(body, JSON_COMPACT);
    steer_buf_puts(&path, "/api/v1/latency/");
    cli_encode(&path, s->table);
    steer_buf_puts(&path, "/samples");
    const struct cli_request request = {.method = "POST",
                                        .path = path.data,
                                        .type = "application/json",
                                        .data = text,
                                        .len = strlen(text)};
    int status = cli_http(s->cli, &request, &reply, NULL, 0);
    if (status == CLI_OK) {
        account(s, reply.json);
        cli_reply_fini(&reply);
    }
    json_array_clear(s->rows);
    json_decref(body);
    steer_buf_fini(&path);
    free(text);
    return status;
}

// "client,site,ms", cut at the commas, without blanks around the fields.
static unsigned cut(char *line, char *fields[FIELDS])
{
    unsigned count = 0;
    for (char *next = line; next; count++) {
        char *field = next + strspn(next, " \t");
        next = strchr(field, ',');
        if (next)
            *next++ = '\0';
        size_t len = strlen(field);
        while (len && strchr(" \t\r", field[len - 1]))
            field[--len] = '\0';
        if (count < FIELDS)
            fields[count] = field;
    }
    return count;
}

static int add_line(struct sending *s, char *line, uint32_t number)
{
    char *fields[FIELDS];
    char *end;
    if (!line[strspn(line, " \t\r")] || *line == '#')
        return CLI_OK;
    if (cut(line, fields) != FIELDS) {
        refuse_line(s, number,
                    "a line has client, site and ms, apart by commas: 192.0.2.7,fra,9.5");
        return CLI_OK;
    }
    const double ms = strtod(fields[2], &end);
    if (number == 1 && strcmp(fields[2], "ms") == 0)
        return CLI_OK; // a heading
    json_t *row = *fields[2] && !*end
                      ? json_pack("{s:o,s:o,s:f}", "client", cli_json_text(fields[0]), "site",
                                  cli_json_text(fields[1]), "ms", ms)
                      : NULL;
    if (!row) {
        refuse_line(s, number, "the third field is not a time in milliseconds, like 9.5");
        return CLI_OK;
    }
    s->lines[json_array_size(s->rows)] = number;
    json_array_append_new(s->rows, row);
    return json_array_size(s->rows) == BATCH ? send_batch(s) : CLI_OK;
}

int cmd_latency_samples(struct cli *cli, int argc, char **argv)
{
    struct steer_buf text = {0};
    uint32_t number = 1;
    int status = CLI_OK;
    if (!cli_options_read(cli, NULL, 0, false, &argc, argv))
        return CLI_USAGE;
    if (argc != 2)
        return cli_usage(cli, "expected NAME FILE ('-' is standard input)");
    if (!cli_read_file(cli, argv[1], &text))
        return CLI_FAILED;
    struct sending s = {.cli = cli,
                        .table = argv[0],
                        .shown = strcmp(argv[1], "-") == 0 ? "stdin" : argv[1],
                        .rows = json_array()};
    for (char *line = text.data; line && status == CLI_OK; number++) {
        char *next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        status = add_line(&s, line, number);
        line = next;
    }
    if (status == CLI_OK)
        status = send_batch(&s);
    json_decref(s.rows);
    steer_buf_fini(&text);
    if (status != CLI_OK)
        return status;
    if (cli->json)
        printf("{\"accepted\":%llu,\"limited\":%llu,\"refused\":%llu}\n",
               (unsigned long long)s.accepted, (unsigned long long)s.limited,
               (unsigned long long)s.refused);
    else
        printf("latency table %s: %llu samples counted, %llu beyond what their network may send, "
               "%llu refused\n",
               argv[0], (unsigned long long)s.accepted, (unsigned long long)s.limited,
               (unsigned long long)s.refused);
    return s.refused ? CLI_PARTLY : CLI_OK;
}
