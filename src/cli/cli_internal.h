// SPDX-License-Identifier: GPL-3.0-or-later
// What the files of steerctl share.
#ifndef STEER_CLI_INTERNAL_H
#define STEER_CLI_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "steerd/base/buf.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_PARTLY = 3, CLI_BROKEN = 4 };

struct cli {
    const char *url;
    const char *token_file; // --token-file
    bool json;
    bool colour_out, colour_err;
    bool utf8;
    const char *command; // "zone import", for usage errors
};

// ---- options.c
struct cli_option {
    const char *name;          // without --
    char letter;               // 0: none
    const char **value;        // or
    bool *flag;                // or
    struct cli_values *values; // it may be given more than once
};
enum { CLI_VALUES_MAX = 64 };
struct cli_values {
    const char *items[CLI_VALUES_MAX];
    size_t count;
};
// Reads options (the given ones and the global ones) up to the end, or to the first operand when
// first_operand_only. Operands are moved to the front of argv; *argc becomes their number. False: a usage
// error was printed.
bool cli_options_read(struct cli *cli, const struct cli_option *options, size_t count,
                      bool first_operand_only, int *argc, char **argv);
// Prints "steerctl: <message>" and where to find help; returns CLI_USAGE.
int cli_usage(const struct cli *cli, const char *fmt, ...) STEER_PRINTF(2, 3);

// ---- commands.c
// The whole program but for argv[0]; returns the exit status.
int cli_run(int argc, char **argv);

// ---- client.c
struct cli_request {
    const char *method, *path;
    const char *type; // of the body
    const char *data; // the body, or
    size_t len;
    size_t (*read)(char *out, size_t size, size_t count, void *ctx); // it is streamed
    void *ctx;
    bool patient; // no limit of time: applies and imports
};
struct cli_reply {
    long status;
    struct steer_buf body;
    json_t *json; // the body, when it is JSON
};
// Sends and receives. CLI_OK: 2xx, and the caller frees the reply. Else what was wrong was printed (with
// --json a problem goes to stdout as it is) and the exit status is returned.
struct cli_source;
int cli_http(const struct cli *cli, const struct cli_request *request, struct cli_reply *reply,
             const struct cli_source *sources, size_t source_count);
void cli_reply_fini(struct cli_reply *reply);
// The same for a GET of JSON; *json is the caller's.
int cli_get_json(const struct cli *cli, const char *path, json_t **json);
// Appends text as one path segment or query value.
void cli_encode(struct steer_buf *out, const char *text);

// ---- problem.c
struct cli_zone_text;
struct cli_source {
    const char *name;  // as in messages of the server
    const char *shown; // as the user called it
    const char *text;
    const struct cli_zone_text *sent; // what was sent instead of text, when includes are in it
};
// "error: file:line:column: message", and the source line with a caret where the source is known.
void cli_problem_format(struct steer_buf *out, const char *severity, json_t *problem,
                        const struct cli_source *sources, size_t count, bool colour);
void cli_problem_print(const struct cli *cli, const char *severity, json_t *problem,
                       const struct cli_source *sources, size_t count);
// An error of steerctl's own; returns CLI_FAILED.
int cli_error(const struct cli *cli, const char *fmt, ...) STEER_PRINTF(2, 3);

// ---- render.c
enum cli_colour { CLI_PLAIN, CLI_BOLD, CLI_RED, CLI_GREEN, CLI_YELLOW, CLI_DIM };
// Appends text with control characters replaced.
void cli_put(struct steer_buf *out, const char *text);
void cli_put_coloured(struct steer_buf *out, bool colour, enum cli_colour which, const char *text);
enum cli_colour cli_state_colour(const char *word); // up, down, drained, ...
size_t cli_width(const char *text);                 // in characters
// A member as text: "" when it is missing or null. The result lives in one of a few buffers that are
// reused in turn.
const char *cli_member(const json_t *object, const char *key);
const char *cli_text(const json_t *value);
// A moment (Unix seconds or text) and lengths of time and memory for people.
const char *cli_moment(const json_t *value);
const char *cli_span(double seconds);
const char *cli_bytes(double bytes);
void cli_json_print(const json_t *json);
void cli_write(struct steer_buf *out); // to stdout; ends the buffer

struct cli_table {
    size_t columns, count, cap;
    char **cells; // row by row; the first row holds the headings
};
void cli_table_row(struct cli_table *table, const char *const *cells, size_t columns);
// Prints it aligned and ends it.
void cli_table_print(struct cli_table *table, bool colour);

// ---- list.c
enum { CLI_COLUMNS_MAX = 8 };
struct cli_column {
    const char *heading, *member;
    bool moment; // shown as a moment
};
// For commands without operands and options of their own; false: a usage error was printed.
bool cli_takes_nothing(struct cli *cli, int *argc, char **argv);
// Fetches an array of objects and prints it as a table; returns the exit status.
int cli_list(const struct cli *cli, const char *path, const struct cli_column *columns,
             size_t count);
void cli_list_print(const struct cli *cli, const json_t *list, const struct cli_column *columns,
                    size_t count);

// ---- the commands
int cmd_apply(struct cli *cli, int argc, char **argv);
int cmd_plan(struct cli *cli, int argc, char **argv);
int cmd_zone_import(struct cli *cli, int argc, char **argv);
int cmd_zone_export(struct cli *cli, int argc, char **argv);
int cmd_zone_list(struct cli *cli, int argc, char **argv);
int cmd_zone_delete(struct cli *cli, int argc, char **argv);
int cmd_status(struct cli *cli, int argc, char **argv);
int cmd_explain(struct cli *cli, int argc, char **argv);
int cmd_override_set(struct cli *cli, int argc, char **argv);
int cmd_override_clear(struct cli *cli, int argc, char **argv);
int cmd_override_list(struct cli *cli, int argc, char **argv);
int cmd_switch_set(struct cli *cli, int argc, char **argv);
int cmd_switch_list(struct cli *cli, int argc, char **argv);
int cmd_document_list(struct cli *cli, int argc, char **argv);
int cmd_document_show(struct cli *cli, int argc, char **argv);
int cmd_audit(struct cli *cli, int argc, char **argv);
int cmd_latency_import(struct cli *cli, int argc, char **argv);
int cmd_latency_list(struct cli *cli, int argc, char **argv);
int cmd_latency_show(struct cli *cli, int argc, char **argv);
int cmd_latency_freeze(struct cli *cli, int argc, char **argv);
int cmd_latency_rollback(struct cli *cli, int argc, char **argv);
int cmd_latency_samples(struct cli *cli, int argc, char **argv);
int cmd_replay(struct cli *cli, int argc, char **argv);
int cmd_import_octodns(struct cli *cli, int argc, char **argv);
int cmd_export_octodns(struct cli *cli, int argc, char **argv);

// ---- cmd_zone.c: files
// The whole of a file, or of standard input for "-"; false: the error was printed.
bool cli_read_file(const struct cli *cli, const char *path, struct steer_buf *text);
// Writes the file, which is replaced only when all is written; returns the exit status.
int cli_write_file(const struct cli *cli, const char *path, const struct steer_buf *text);

// Asks on the terminal; false when there is none or the answer is not yes.
bool cli_confirm(const char *question);
bool cli_on_terminal(void);
// `warnings` of a summary, to stderr.
void cli_print_warnings(const struct cli *cli, json_t *summary, const struct cli_source *sources,
                        size_t count);

// ---- cmd_plan.c: a plan's records and assertions, to stdout; all: also what stays
void cli_plan_print(const struct cli *cli, const json_t *plan, bool all);

// ---- cmd_measured.c: latency tables that are measured, for status
void cli_measured_print(const json_t *tables);

// ---- cmd_explain.c: explain's answer as text
void cli_explain_render(struct steer_buf *out, const struct cli *cli, json_t *answer);

// ---- zone_include.c: $INCLUDE
struct cli_zone_file {
    char *shown; // as the user would call it
    char *real;  // one for each file, whatever its names
    struct steer_buf text;
};
void cli_zone_file_fini(struct cli_zone_file *file);
// Lines of a text, up to the next span, and the lines of a file that they are.
struct cli_zone_span {
    uint32_t line; // the first, in the text
    uint32_t file; // index
    uint32_t source_line;
    uint32_t shift; // how many characters were put in before the first line
    bool is_fixed;  // all belong to source_line
};
// A master file as it is sent. Zero-initialise.
struct cli_zone_text {
    struct steer_buf text;
    // When includes are in it, else empty:
    struct cli_zone_file *files; // the zone's own first
    size_t file_count, file_cap;
    struct cli_zone_span *spans;
    size_t span_count, span_cap;
};
void cli_zone_text_fini(struct cli_zone_text *text);
struct cli_zone_reader {
    // Reads what $INCLUDE names in a file. Errors: any, with the reason in diag and no place.
    enum steer_err (*read)(void *ctx, const char *including, const char *name,
                           struct cli_zone_file *file, struct steer_diag *diag);
    void *ctx;
    size_t max_bytes; // of the text
    bool keep_texts;  // of the files, also when expansion fails
};
// Makes one text of a master file and those it includes; a file without $INCLUDE is the text as it is. top is taken
// over. Errors: STEER_EINVAL (the directive, a loop, a parenthesis that an included file leaves open, a line without an
// owner), STEER_ELIMIT (too deep, too many, too large), those of the reader; diag has file and line. The caller ends out
// in each case.
enum steer_err cli_zone_expand(struct cli_zone_file *top, const char *origin,
                               const struct cli_zone_reader *reader, struct cli_zone_text *out,
                               struct steer_diag *diag) STEER_MUST_USE;

// ---- zone_folder.c
// Reads a master file ("-": standard input) and expands it; includes are read in its folder only. Errors and out as
// cli_zone_expand; a top file that cannot be read leaves the diag without a place.
enum steer_err cli_zone_load(const char *path, const char *origin, size_t max_bytes,
                             bool keep_texts, struct cli_zone_text *out,
                             struct steer_diag *diag) STEER_MUST_USE;

// ---- zone_place.c
struct cli_zone_place {
    const char *file;
    uint32_t line, column;
};
// Where a place in the text comes from; false when the text has no includes in it. column may be 0: not known.
bool cli_zone_text_place(const struct cli_zone_text *text, uint32_t line, uint32_t column,
                         struct cli_zone_place *place);
// Puts the places of included files into an answer of the server: of a problem, and of its "warnings" and "rejected".
void cli_zone_translate(json_t *answer, const struct cli_source *sources, size_t count);
// Text for JSON, with '?' for what is not ASCII when it is not UTF-8.
json_t *cli_json_text(const char *text);

// ---- zone_upload.c
struct cli_zone_item {
    char *origin, *path;
};
struct cli_zone_list {
    struct cli_zone_item *items;
    size_t count, cap;
};
// "origin path" lines; '#' starts a comment; relative paths are relative to the list's folder. text is
// not changed. False: the error was printed.
bool cli_zone_list_parse(const struct cli *cli, const char *text, const char *list_path,
                         struct cli_zone_list *list);
void cli_zone_list_fini(struct cli_zone_list *list);
// Sends the zones of a list in one request; returns the exit status.
int cli_zone_upload(const struct cli *cli, const struct cli_zone_list *list);

#endif
