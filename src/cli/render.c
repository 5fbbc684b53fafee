// SPDX-License-Identifier: GPL-3.0-or-later
// Text for people: tables, times, colours.
#include <stdlib.h>
#include <string.h>

#include "cli_internal.h"
#include "steerd/base/clock.h"
#include "steerd/base/mem.h"

enum { TURNS = 16, TURN_SIZE = 1024 };

// A buffer that stays valid for the next TURNS - 1 calls.
static char *next_buffer(void)
{
    static char buffers[TURNS][TURN_SIZE];
    static unsigned turn;
    return buffers[turn++ % TURNS];
}

void cli_put(struct steer_buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text, next = (unsigned char)text[1];
        if (c == 0xc2 && next >= 0x80 && next < 0xa0) { // C1 controls
            steer_buf_puts(out, "?");
            text++;
        } else {
            steer_buf_add(out, c < 0x20 || c == 0x7f ? "?" : text, 1);
        }
    }
    if (!out->data)
        steer_buf_puts(out, "");
}

void cli_put_coloured(struct steer_buf *out, bool colour, enum cli_colour which, const char *text)
{
    static const char *const codes[] = {
        [CLI_PLAIN] = "0",  [CLI_BOLD] = "1",    [CLI_RED] = "31",
        [CLI_GREEN] = "32", [CLI_YELLOW] = "33", [CLI_DIM] = "2",
    };
    bool on = colour && which != CLI_PLAIN;
    if (on)
        steer_buf_printf(out, "\033[%sm", codes[which]);
    cli_put(out, text);
    if (on)
        steer_buf_puts(out, "\033[0m");
}

enum cli_colour cli_state_colour(const char *word)
{
    if (strcmp(word, "up") == 0)
        return CLI_GREEN;
    if (strcmp(word, "down") == 0)
        return CLI_RED;
    return strcmp(word, "drained") == 0 || strcmp(word, "unknown") == 0 ? CLI_YELLOW : CLI_PLAIN;
}

size_t cli_width(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

const char *cli_text(const json_t *value)
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_true(value) || json_is_false(value))
        return json_is_true(value) ? "yes" : "no";
    if (!json_is_number(value))
        return "";
    char *out = next_buffer();
    if (json_is_integer(value))
        snprintf(out, TURN_SIZE, "%lld", (long long)json_integer_value(value));
    else
        snprintf(out, TURN_SIZE, "%.6g", json_real_value(value));
    return out;
}

const char *cli_member(const json_t *object, const char *key)
{
    return cli_text(json_object_get(object, key));
}

const char *cli_moment(const json_t *value)
{
    if (!json_is_integer(value))
        return cli_text(value);
    json_int_t seconds = json_integer_value(value);
    return seconds > 0 ? steer_time_format((uint64_t)seconds, next_buffer(), TURN_SIZE) : "";
}

const char *cli_span(double seconds)
{
    char *out = next_buffer();
    unsigned long long s = seconds > 0 ? (unsigned long long)seconds : 0;
    if (s >= 86400)
        snprintf(out, TURN_SIZE, "%llud%lluh", s / 86400, s % 86400 / 3600);
    else if (s >= 3600)
        snprintf(out, TURN_SIZE, "%lluh%llum", s / 3600, s % 3600 / 60);
    else if (s >= 60)
        snprintf(out, TURN_SIZE, "%llum%llus", s / 60, s % 60);
    else if (s >= 1)
        snprintf(out, TURN_SIZE, "%.1fs", seconds);
    else
        snprintf(out, TURN_SIZE, "%.3gms", seconds * 1000);
    return out;
}

const char *cli_bytes(double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    char *out = next_buffer();
    unsigned unit = 0;
    while (bytes >= 1024 && unit < STEER_ARRAY_LEN(units) - 1) {
        bytes /= 1024;
        unit++;
    }
    snprintf(out, TURN_SIZE, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
    return out;
}

void cli_json_print(const json_t *json)
{
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    fputc('\n', stdout);
}

void cli_write(struct steer_buf *out)
{
    if (out->len)
        fwrite(out->data, 1, out->len, stdout);
    steer_buf_fini(out);
}

void cli_table_row(struct cli_table *table, const char *const *cells, size_t columns)
{
    table->columns = columns;
    table->cells =
        steer_grow(table->cells, &table->cap, table->count + columns, sizeof *table->cells);
    for (size_t i = 0; i < columns; i++) {
        struct steer_buf clean = {0};
        cli_put(&clean, cells[i]);
        table->cells[table->count++] = steer_buf_take(&clean);
    }
}

static bool column_is_empty(const struct cli_table *table, size_t column)
{
    for (size_t i = table->columns + column; i < table->count; i += table->columns)
        if (table->cells[i][0])
            return false;
    return true;
}

// A column that no row fills is left out.
static void measure(const struct cli_table *table, size_t *widths)
{
    for (size_t column = 0; column < table->columns; column++) {
        widths[column] = 0;
        if (column_is_empty(table, column))
            continue;
        for (size_t i = column; i < table->count; i += table->columns) {
            size_t width = cli_width(table->cells[i]);
            widths[column] = width > widths[column] ? width : widths[column];
        }
    }
}

void cli_table_print(struct cli_table *table, bool colour)
{
    struct steer_buf out = {0};
    size_t *widths = steer_calloc(table->columns + 1, sizeof *widths);
    measure(table, widths);
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns;
        const char *cell = table->cells[i];
        if (widths[column]) {
            bool heading = i < table->columns;
            cli_put_coloured(&out, colour, heading ? CLI_BOLD : cli_state_colour(cell), cell);
            steer_buf_printf(&out, "%*s", (int)(widths[column] - cli_width(cell) + 2), "");
        }
        if (column + 1 == table->columns) {
            while (out.len && out.data[out.len - 1] == ' ')
                out.len--;
            steer_buf_puts(&out, "\n");
        }
    }
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    free(widths);
    *table = (struct cli_table){0};
    cli_write(&out);
}
