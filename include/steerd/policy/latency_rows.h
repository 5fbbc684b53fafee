// SPDX-License-Identifier: GPL-3.0-or-later
// Measured latencies as people have them, CSV or JSON, as the rows of a latency table. Floor 3. Pure: text in,
// values out; any thread.
#ifndef STEERD_POLICY_LATENCY_ROWS_H
#define STEERD_POLICY_LATENCY_ROWS_H

#include <jansson.h>

#include "steerd/base/buf.h"
#include "steerd/geo/latency.h"

enum { STEER_LATENCY_ROWS_MAX = 1000000 };

// CSV (RFC 4180) with the columns client (or network, place), site and ms in any order, which a first line names; or
// without such a line, in this order. '#' begins a line of comment. JSON (the first octet is '[' or '{'): a list of
// {"client": "192.0.2.0/24", "site": "fra", "ms": 9.5}. A client is a place, a network or AS64500.
// *rows: {"192.0.2.0/24": {"fra": 9.5}, ...}, the caller's; *count: pairs of client and site.
// Errors: STEER_EINVAL with file, line, column: also for a pair that is given twice; STEER_ELIMIT.
enum steer_err steer_latency_rows_parse(const char *text, size_t len, const char *file,
                                        json_t **rows, size_t *count,
                                        struct steer_diag *diag) STEER_MUST_USE;

// The rows of a table in the same form; the caller's.
json_t *steer_latency_rows_json(const struct steer_latency *table);

// Appends a document (YAML) that has them as the table `name`.
void steer_latency_rows_document(const json_t *rows, const char *name, struct steer_buf *yaml);

#endif
