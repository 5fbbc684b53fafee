// SPDX-License-Identifier: GPL-3.0-or-later
// steerctl switch ...
#include <stdlib.h>
#include <string.h>

#include "cli_internal.h"

int cmd_switch_set(struct cli *cli, int argc, char **argv)
{
    const char *reason = NULL, *owner = NULL;
    const struct cli_option options[] = {{"reason", 0, &reason, NULL, NULL},
                                         {"owner", 0, &owner, NULL, NULL}};
    if (!cli_options_read(cli, options, STEER_ARRAY_LEN(options), false, &argc, argv))
        return CLI_USAGE;
    if (argc != 2)
        return cli_usage(cli, "expected NAME POSITION");
    if (!owner)
        owner = getenv("USER");
    json_t *body = json_pack("{s:s, s:s, s:s}", "position", argv[1], "reason", reason ? reason : "",
                             "owner", owner ? owner : "");
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (!text)
        return cli_error(cli, "the position, the reason and the owner must be UTF-8 text");
    struct steer_buf path = {0};
    steer_buf_puts(&path, "/api/v1/switches/");
    cli_encode(&path, argv[0]);
    struct cli_request request = {.method = "PUT",
                                  .path = path.data,
                                  .type = "application/json",
                                  .data = text,
                                  .len = strlen(text)};
    struct cli_reply reply;
    int status = cli_http(cli, &request, &reply, NULL, 0);
    steer_buf_fini(&path);
    free(text);
    if (status != CLI_OK)
        return status;
    if (cli->json)
        cli_json_print(reply.json);
    else
        printf("switch %s is at %s\n", argv[0], argv[1]);
    cli_reply_fini(&reply);
    return CLI_OK;
}

int cmd_switch_list(struct cli *cli, int argc, char **argv)
{
    static const struct cli_column columns[] = {
        {"SWITCH", "name", false},   {"POSITION", "position", false}, {"INITIAL", "initial", false},
        {"REASON", "reason", false}, {"OWNER", "owner", false},       {"SET", "set", true},
    };
    if (!cli_takes_nothing(cli, &argc, argv))
        return CLI_USAGE;
    return cli_list(cli, "/api/v1/switches", columns, STEER_ARRAY_LEN(columns));
}
