// SPDX-License-Identifier: GPL-3.0-or-later
// steerctl audit
#include "cli_internal.h"

int cmd_audit(struct cli *cli, int argc, char **argv)
{
    static const struct cli_column columns[] = {
        {"AT", "at", true},          {"WHO", "who", false},
        {"ACTION", "action", false}, {"SUBJECT", "subject", false},
        {"DETAIL", "detail", false},
    };
    const char *limit = NULL, *since = NULL;
    const struct cli_option options[] = {{"limit", 'n', &limit, NULL, NULL},
                                         {"since", 0, &since, NULL, NULL}};
    if (!cli_options_read(cli, options, STEER_ARRAY_LEN(options), false, &argc, argv))
        return CLI_USAGE;
    if (argc != 0)
        return cli_usage(cli, "'%s' is too much", argv[0]);
    struct steer_buf path = {0};
    steer_buf_puts(&path, "/api/v1/audit");
    if (limit) {
        steer_buf_puts(&path, "?limit=");
        cli_encode(&path, limit);
    }
    if (since) {
        steer_buf_puts(&path, limit ? "&since=" : "?since=");
        cli_encode(&path, since);
    }
    int status = cli_list(cli, path.data, columns, STEER_ARRAY_LEN(columns));
    steer_buf_fini(&path);
    return status;
}
