// SPDX-License-Identifier: GPL-3.0-or-later
// steerctl override ...
#include <stdlib.h>
#include <string.h>

#include "cli_internal.h"

static char *override_path(const char *kind, const char *target)
{
    struct steer_buf path = {0};
    steer_buf_puts(&path, "/api/v1/overrides/");
    cli_encode(&path, kind);
    steer_buf_puts(&path, "/");
    cli_encode(&path, target);
    return steer_buf_take(&path);
}

static json_t *override_body(const char *state, const char *reason, const char *owner,
                             const char *expires_in)
{
    json_t *body = json_pack("{s:s, s:s, s:s}", "state", state, "reason", reason, "owner", owner);
    if (body && expires_in)
        json_object_set_new(body, "expires_in", json_string(expires_in));
    return body;
}

int cmd_override_set(struct cli *cli, int argc, char **argv)
{
    const char *reason = NULL, *owner = NULL, *expires_in = NULL;
    const struct cli_option options[] = {{"reason", 0, &reason, NULL, NULL},
                                         {"owner", 0, &owner, NULL, NULL},
                                         {"for", 0, &expires_in, NULL, NULL}};
    if (!cli_options_read(cli, options, STEER_ARRAY_LEN(options), false, &argc, argv))
        return CLI_USAGE;
    if (argc != 3)
        return cli_usage(cli, "expected KIND TARGET up|down|drained");
    if (!reason || !*reason)
        return cli_usage(cli, "an override needs --reason TEXT, for those who find it later");
    if (!owner)
        owner = getenv("USER");
    json_t *body = override_body(argv[2], reason, owner ? owner : "", expires_in);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (!text)
        return cli_error(cli, "the reason and the owner must be UTF-8 text");
    char *path = override_path(argv[0], argv[1]);
    struct cli_request request = {.method = "PUT",
                                  .path = path,
                                  .type = "application/json",
                                  .data = text,
                                  .len = strlen(text)};
    struct cli_reply reply;
    int status = cli_http(cli, &request, &reply, NULL, 0);
    free(path);
    free(text);
    if (status != CLI_OK)
        return status;
    if (cli->json)
        cli_json_print(reply.json);
    else
        printf("%s %s is forced %s%s%s\n", argv[0], argv[1], argv[2], expires_in ? " for " : "",
               expires_in ? expires_in : "");
    cli_reply_fini(&reply);
    return CLI_OK;
}

int cmd_override_clear(struct cli *cli, int argc, char **argv)
{
    if (!cli_options_read(cli, NULL, 0, false, &argc, argv))
        return CLI_USAGE;
    if (argc != 2)
        return cli_usage(cli, "expected KIND TARGET");
    char *path = override_path(argv[0], argv[1]);
    struct cli_request request = {.method = "DELETE", .path = path};
    struct cli_reply reply;
    int status = cli_http(cli, &request, &reply, NULL, 0);
    free(path);
    if (status != CLI_OK)
        return status;
    if (!cli->json)
        printf("%s %s is no longer forced\n", argv[0], argv[1]);
    cli_reply_fini(&reply);
    return CLI_OK;
}

int cmd_override_list(struct cli *cli, int argc, char **argv)
{
    static const struct cli_column columns[] = {
        {"KIND", "kind", false},      {"TARGET", "target", false}, {"STATE", "state", false},
        {"REASON", "reason", false},  {"OWNER", "owner", false},   {"SET", "set", true},
        {"EXPIRES", "expires", true},
    };
    if (!cli_takes_nothing(cli, &argc, argv))
        return CLI_USAGE;
    return cli_list(cli, "/api/v1/overrides", columns, STEER_ARRAY_LEN(columns));
}
