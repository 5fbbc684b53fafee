// SPDX-License-Identifier: GPL-3.0-or-later
// Commands that show a list of the server's as a table.
#include "cli_internal.h"

bool cli_takes_nothing(struct cli *cli, int *argc, char **argv)
{
    if (!cli_options_read(cli, NULL, 0, false, argc, argv))
        return false;
    if (*argc != 0)
        cli_usage(cli, "'%s' is too much", argv[0]);
    return *argc == 0;
}

static void add_row(struct cli_table *table, const json_t *item, const struct cli_column *columns,
                    size_t count)
{
    const char *cells[CLI_COLUMNS_MAX];
    for (size_t i = 0; i < count; i++)
        cells[i] = columns[i].moment ? cli_moment(json_object_get(item, columns[i].member))
                                     : cli_member(item, columns[i].member);
    cli_table_row(table, cells, count);
}

void cli_list_print(const struct cli *cli, const json_t *list, const struct cli_column *columns,
                    size_t count)
{
    struct cli_table table = {0};
    const char *headings[CLI_COLUMNS_MAX];
    size_t i;
    const json_t *item;
    for (i = 0; i < count; i++)
        headings[i] = columns[i].heading;
    cli_table_row(&table, headings, count);
    json_array_foreach(list, i, item) add_row(&table, item, columns, count);
    cli_table_print(&table, cli->colour_out);
}

int cli_list(const struct cli *cli, const char *path, const struct cli_column *columns,
             size_t count)
{
    json_t *list = NULL;
    int status = cli_get_json(cli, path, &list);
    if (status != CLI_OK)
        return status;
    if (cli->json)
        cli_json_print(list);
    else
        cli_list_print(cli, list, columns, count);
    json_decref(list);
    return CLI_OK;
}
