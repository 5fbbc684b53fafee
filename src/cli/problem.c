// SPDX-License-Identifier: GPL-3.0-or-later
// Errors and warnings for people.
#include <stdarg.h>
#include <string.h>

#include "cli_internal.h"

enum { LINE_SHOWN = 100, LINE_BEFORE = 60 }; // characters of a long line around the place

static const struct cli_source *find(const struct cli_source *sources, size_t count,
                                     const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(sources[i].name, name) == 0)
            return &sources[i];
    return NULL;
}

static bool starts_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

// The line's characters [from, from + LINE_SHOWN), tabs as blanks.
static void put_window(struct steer_buf *out, const char *line, size_t len, size_t from)
{
    struct steer_buf part = {0};
    size_t at = 0;
    for (size_t i = 0; i < len; i++) {
        if (i && starts_character(line[i]))
            at++;
        if (at >= from && at < from + LINE_SHOWN)
            steer_buf_add(&part, line[i] == '\t' ? " " : line + i, 1);
    }
    if (part.data)
        cli_put(out, part.data);
    steer_buf_fini(&part);
}

static void put_source(struct steer_buf *out, const char *text, uint32_t line, uint32_t column,
                       bool colour)
{
    for (uint32_t i = 1; i < line; i++) {
        text = strchr(text, '\n');
        if (!text)
            return;
        text++;
    }
    size_t len = strcspn(text, "\r\n");
    size_t from = column > LINE_BEFORE + 20 ? column - LINE_BEFORE : 0;
    char margin[32];
    snprintf(margin, sizeof margin, "%6u | ", line);
    cli_put_coloured(out, colour, CLI_DIM, margin);
    put_window(out, text, len, from);
    steer_buf_puts(out, "\n");
    if (column == 0)
        return;
    cli_put_coloured(out, colour, CLI_DIM, "       | ");
    steer_buf_printf(out, "%*s", (int)(column - 1 - from), "");
    cli_put_coloured(out, colour, CLI_RED, "^");
    steer_buf_puts(out, "\n");
}

void cli_problem_format(struct steer_buf *out, const char *severity, json_t *problem,
                        const struct cli_source *sources, size_t count, bool colour)
{
    const char *file = cli_member(problem, "file");
    const char *message =
        cli_member(problem, json_object_get(problem, "detail") ? "detail" : "message");
    json_int_t line = json_integer_value(json_object_get(problem, "line"));
    json_int_t column = json_integer_value(json_object_get(problem, "column"));
    const struct cli_source *source = find(sources, count, file);
    cli_put_coloured(out, colour, strcmp(severity, "warning") == 0 ? CLI_YELLOW : CLI_RED,
                     severity);
    steer_buf_puts(out, ": ");
    cli_put(out, source ? source->shown : file);
    if (line > 0)
        steer_buf_printf(out, "%s%lld", *file ? ":" : "line ", (long long)line);
    if (line > 0 && column > 0)
        steer_buf_printf(out, ":%lld", (long long)column);
    if (*file || line > 0)
        steer_buf_puts(out, ": ");
    cli_put(out, message);
    steer_buf_puts(out, "\n");
    if (source && line > 0 && line < UINT32_MAX && column >= 0 && column < 1 << 24)
        put_source(out, source->text, (uint32_t)line, (uint32_t)column, colour);
}

void cli_problem_print(const struct cli *cli, const char *severity, json_t *problem,
                       const struct cli_source *sources, size_t count)
{
    struct steer_buf out = {0};
    cli_problem_format(&out, severity, problem, sources, count, cli->colour_err);
    fwrite(out.data, 1, out.len, stderr);
    steer_buf_fini(&out);
}

int cli_error(const struct cli *cli, const char *fmt, ...)
{
    struct steer_buf out = {0};
    va_list args;
    va_start(args, fmt);
    cli_put_coloured(&out, cli->colour_err, CLI_RED, "error");
    fprintf(stderr, "%s: ", out.data);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    steer_buf_fini(&out);
    return CLI_FAILED;
}

void cli_print_warnings(const struct cli *cli, json_t *summary, const struct cli_source *sources,
                        size_t count)
{
    size_t i;
    json_t *warning;
    json_array_foreach(json_object_get(summary, "warnings"), i, warning)
        cli_problem_print(cli, "warning", warning, sources, count);
}
