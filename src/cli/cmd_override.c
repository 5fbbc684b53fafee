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

// "203.0.113.0/24, 2001:db8::/48" and the option given again: a list. The server looks at the networks.
static json_t *clients_list(const struct cli_values *values)
{
    json_t *list = json_array();
    for (size_t i = 0; i < values->count; i++) {
        for (const char *at = values->items[i]; *at;) {
            at += strspn(at, ", ");
            const size_t len = strcspn(at, ", ");
            if (len)
                json_array_append_new(list, json_stringn(at, len));
            at += len;
        }
    }
    return list;
}

static json_t *override_body(const char *state, const char *reason, const char *owner,
                             const char *expires_in, const struct cli_values *clients)
{
    json_t *body = json_pack("{s:s, s:s, s:s}", "state", state, "reason", reason, "owner", owner);
    if (body && expires_in)
        json_object_set_new(body, "expires_in", json_string(expires_in));
    if (body && clients->count)
        json_object_set_new(body, "clients", clients_list(clients));
    return body;
}

// Appends " for 203.0.113.0/24, ..." with what stands before it.
static void put_clients(struct steer_buf *out, const char *before, const char *between,
                        const json_t *clients)
{
    size_t i;
    const json_t *network;
    json_array_foreach(clients, i, network)
        steer_buf_printf(out, "%s%s", i ? between : before, json_string_value(network));
}

int cmd_override_set(struct cli *cli, int argc, char **argv)
{
    const char *reason = NULL, *owner = NULL, *expires_in = NULL;
    struct cli_values clients = {.count = 0};
    const struct cli_option options[] = {{"reason", 0, &reason, NULL, NULL},
                                         {"clients", 0, NULL, NULL, &clients},
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
    json_t *body = override_body(argv[2], reason, owner ? owner : "", expires_in, &clients);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct steer_buf said = {0};
    put_clients(&said, " for clients in ", ", ", json_object_get(body, "clients"));
    json_decref(body);
    if (!text)
        return cli_error(cli, "the reason, the owner and the clients must be UTF-8 text");
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
    if (status == CLI_OK && cli->json)
        cli_json_print(reply.json);
    else if (status == CLI_OK)
        printf("%s %s is forced %s%s%s%s\n", argv[0], argv[1], argv[2], expires_in ? " for " : "",
               expires_in ? expires_in : "", said.data ? said.data : "");
    steer_buf_fini(&said);
    if (status != CLI_OK)
        return status;
    cli_reply_fini(&reply);
    return CLI_OK;
}

int cmd_override_clear(struct cli *cli, int argc, char **argv)
{
    struct cli_values clients = {.count = 0};
    const struct cli_option options[] = {{"clients", 0, NULL, NULL, &clients}};
    if (!cli_options_read(cli, options, STEER_ARRAY_LEN(options), false, &argc, argv))
        return CLI_USAGE;
    if (argc != 2)
        return cli_usage(cli, "expected KIND TARGET");
    struct steer_buf path = {0}, networks = {0}, said = {0};
    char *object = override_path(argv[0], argv[1]);
    json_t *list = clients_list(&clients);
    put_clients(&networks, "", ",", list);
    put_clients(&said, " for clients in ", ", ", list);
    steer_buf_puts(&path, object);
    if (clients.count) {
        steer_buf_puts(&path, "?clients=");
        cli_encode(&path, networks.data ? networks.data : "");
    }
    struct cli_request request = {.method = "DELETE", .path = path.data};
    struct cli_reply reply;
    int status = cli_http(cli, &request, &reply, NULL, 0);
    if (status == CLI_OK && !cli->json)
        printf("%s %s is no longer forced%s\n", argv[0], argv[1], said.data ? said.data : "");
    if (status == CLI_OK)
        cli_reply_fini(&reply);
    json_decref(list);
    free(object);
    steer_buf_fini(&path);
    steer_buf_fini(&networks);
    steer_buf_fini(&said);
    return status;
}

// For the table: the networks in one cell; the column goes where no override is for some clients only.
static void name_clients(json_t *overrides)
{
    bool some = false;
    size_t i;
    json_t *override;
    json_array_foreach(overrides, i, override) some |=
        json_array_size(json_object_get(override, "clients")) > 0;
    json_array_foreach(overrides, i, override)
    {
        struct steer_buf text = {0};
        put_clients(&text, "", ",", json_object_get(override, "clients"));
        json_object_set_new(override, "clients",
                            json_string(text.data ? text.data
                                        : some    ? "all"
                                                  : ""));
        steer_buf_fini(&text);
    }
}

int cmd_override_list(struct cli *cli, int argc, char **argv)
{
    static const struct cli_column columns[] = {
        {"KIND", "kind", false},      {"TARGET", "target", false},   {"STATE", "state", false},
        {"REASON", "reason", false},  {"OWNER", "owner", false},     {"SET", "set", true},
        {"EXPIRES", "expires", true}, {"CLIENTS", "clients", false},
    };
    json_t *list = NULL;
    if (!cli_takes_nothing(cli, &argc, argv))
        return CLI_USAGE;
    int status = cli_get_json(cli, "/api/v1/overrides", &list);
    if (status != CLI_OK)
        return status;
    if (cli->json) {
        cli_json_print(list);
    } else {
        name_clients(list);
        cli_list_print(cli, list, columns, STEER_ARRAY_LEN(columns));
    }
    json_decref(list);
    return CLI_OK;
}
