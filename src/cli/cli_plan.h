// SPDX-License-Identifier: GPL-3.0-or-later
// What the two parts of a plan's text share.
#ifndef STEERD_CLI_PLAN_H
#define STEERD_CLI_PLAN_H

#include "cli_internal.h"

bool cli_plan_is(const json_t *object, const char *key, const char *text);
const char *cli_plan_family(const json_t *object); // "IPv4" or "IPv6"
// "A", or "A/HTTPS" where what is said of A holds for HTTPS.
void cli_plan_types(struct steer_buf *out, const json_t *record, const char *type);
// The tables, to stdout. all: also what stays, pools and sites, and every place.
void cli_plan_put_shares(const struct cli *cli, const json_t *record, bool all);
void cli_plan_put_moves(const struct cli *cli, const json_t *record, bool all);

#endif
