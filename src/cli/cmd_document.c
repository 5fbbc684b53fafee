// SPDX-License-Identifier: GPL-3.0-or-later
// steerctl document ...
#include <stdlib.h>

#include "cli_internal.h"

int cmd_document_list(struct cli *cli, int argc, char **argv)
{
    if (!cli_options_read(cli, NULL, 0, false, &argc, argv))
        return CLI_USAGE;
    if (argc != 0)
        return cli_usage(cli, "'%s' is too much", argv[0]);
    json_t *list = NULL;
    int status = cli_get_json(cli, "/api/v1/documents", &list);
    if (status != CLI_OK)
        return status;
    if (cli->json) {
        cli_json_print(list);
    } else {
        struct cli_table table = {0};
        size_t i;
        json_t *document;
        cli_table_row(&table, (const char *[]){"DOCUMENT", "APPLIED", "BYTES"}, 3);
        json_array_foreach(list, i, document)
            cli_table_row(&table,
                          (const char *[]){cli_member(document, "name"),
                                           cli_moment(json_object_get(document, "applied")),
                                           cli_member(document, "bytes")},
                          3);
        cli_table_print(&table, cli->colour_out);
    }
    json_decref(list);
    return CLI_OK;
}

int cmd_document_show(struct cli *cli, int argc, char **argv)
{
    if (!cli_options_read(cli, NULL, 0, false, &argc, argv))
        return CLI_USAGE;
    if (argc != 1)
        return cli_usage(cli, "expected NAME");
    struct steer_buf path = {0};
    steer_buf_puts(&path, "/api/v1/documents/");
    cli_encode(&path, argv[0]);
    struct cli_request request = {.method = "GET", .path = path.data};
    struct cli_reply reply;
    int status = cli_http(cli, &request, &reply, NULL, 0);
    steer_buf_fini(&path);
    if (status != CLI_OK)
        return status;
    steer_buf_puts(&reply.body, "");
    fwrite(reply.body.data, 1, reply.body.len, stdout);
    cli_reply_fini(&reply);
    return CLI_OK;
}
