// SPDX-License-Identifier: GPL-3.0-or-later
// steerctl document ...
#include <stdlib.h>

#include "cli_internal.h"

int cmd_document_list(struct cli *cli, int argc, char **argv)
{
    static const struct cli_column columns[] = {
        {"DOCUMENT", "name", false}, {"APPLIED", "applied", true}, {"BYTES", "bytes", false}};
    if (!cli_takes_nothing(cli, &argc, argv))
        return CLI_USAGE;
    return cli_list(cli, "/api/v1/documents", columns, STEER_ARRAY_LEN(columns));
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
