// SPDX-License-Identifier: GPL-3.0-or-later
// The server knows one text; people know the files that it was made of. Places in the server's messages are brought
// back to those.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli_internal.h"
#include "steerd/base/mem.h"

enum { NAME_SHOWN = sizeof((struct steer_diag *)0)->file - 1 }; // the server cuts names to this

void cli_zone_file_fini(struct cli_zone_file *file)
{
    free(file->shown);
    free(file->real);
    steer_buf_fini(&file->text);
    *file = (struct cli_zone_file){0};
}

void cli_zone_text_fini(struct cli_zone_text *text)
{
    for (size_t i = 0; i < text->file_count; i++)
        cli_zone_file_fini(&text->files[i]);
    free(text->files);
    free(text->spans);
    steer_buf_fini(&text->text);
    *text = (struct cli_zone_text){0};
}

json_t *cli_json_text(const char *text)
{
    json_t *string = json_string(text);
    if (string)
        return string;
    char *ascii = steer_strdup(text);
    for (char *c = ascii; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    string = json_string(ascii);
    free(ascii);
    return string;
}

bool cli_zone_text_place(const struct cli_zone_text *text, uint32_t line, uint32_t column,
                         struct cli_zone_place *place)
{
    size_t low = 0, high = text->span_count; // the last span that does not begin after the line
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (text->spans[middle].line <= line)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return false;
    const struct cli_zone_span *span = &text->spans[low - 1];
    *place = (struct cli_zone_place){text->files[span->file].shown, span->source_line, column};
    if (span->is_fixed)
        place->column = 0; // the line was written by us
    else
        place->line += line - span->line;
    if (span->shift && line == span->line && column)
        place->column = column > span->shift ? column - span->shift : 1;
    return true;
}

// Whether `got`, len characters, is how the server wrote the name: it cuts long ones, and puts '?' for
// what is not ASCII in text that is not UTF-8.
static bool is_name(const char *name, const char *got, size_t len)
{
    if (strnlen(name, NAME_SHOWN) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (name[i] != got[i] && !((unsigned char)name[i] >= 0x80 && got[i] == '?'))
            return false;
    return true;
}

// "... the record on line 12" ends with a place too.
static void put_message(struct steer_buf *out, const char *message,
                        const struct cli_zone_text *sent)
{
    static const char words[] = " on line ";
    struct cli_zone_place place;
    const char *found = NULL;
    for (const char *p = message; (p = strstr(p, words)); p++)
        found = p;
    const char *digits = found ? found + strlen(words) : "";
    if (!isdigit((unsigned char)*digits) || digits[strspn(digits, "0123456789")] ||
        !cli_zone_text_place(sent, (uint32_t)strtoul(digits, NULL, 10), 0, &place)) {
        steer_buf_puts(out, message);
        return;
    }
    steer_buf_add(out, message, (size_t)(digits - message));
    steer_buf_printf(out, "%u", place.line);
}

static void set(json_t *object, const char *key, uint32_t value)
{
    if (value)
        json_object_set_new(object, key, json_integer(value));
    else
        json_object_del(object, key);
}

// A problem or warning: an object with "file", "line" and "column".
static void translate_object(json_t *problem, const struct cli_source *sources, size_t count)
{
    const char *file = json_string_value(json_object_get(problem, "file"));
    const char *key = json_object_get(problem, "detail") ? "detail" : "message";
    const char *message = json_string_value(json_object_get(problem, key));
    json_int_t line = json_integer_value(json_object_get(problem, "line"));
    json_int_t column = json_integer_value(json_object_get(problem, "column"));
    struct cli_zone_place place;
    if (!file || !message || line < 1 || line >= UINT32_MAX || column < 0 || column >= UINT32_MAX)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct cli_zone_text *sent = sources[i].sent;
        if (!sent || !is_name(sources[i].name, file, strlen(file)) ||
            !cli_zone_text_place(sent, (uint32_t)line, (uint32_t)column, &place))
            continue;
        struct steer_buf text = {0};
        put_message(&text, message, sent);
        json_object_set_new(problem, key, cli_json_text(text.data));
        json_object_set_new(problem, "file", cli_json_text(place.file));
        set(problem, "line", place.line);
        set(problem, "column", place.column);
        steer_buf_fini(&text);
        return;
    }
}

// "file:line:column: message" of the name's length, made anew; false when it is not of this file.
static bool translate_text(struct steer_buf *out, const char *text, size_t len,
                           const struct cli_source *source)
{
    struct cli_zone_place place;
    char *end;
    if (text[len] != ':' || !isdigit((unsigned char)text[len + 1]) ||
        !is_name(source->name, text, len))
        return false;
    unsigned long line = strtoul(text + len + 1, &end, 10), column = 0;
    if (*end == ':' && isdigit((unsigned char)end[1]))
        column = strtoul(end + 1, &end, 10);
    if (strncmp(end, ": ", 2) != 0 || line >= UINT32_MAX || column >= UINT32_MAX ||
        !cli_zone_text_place(source->sent, (uint32_t)line, (uint32_t)column, &place))
        return false;
    steer_buf_printf(out, "%s:%u", place.file, place.line);
    if (place.column)
        steer_buf_printf(out, ":%u", place.column);
    steer_buf_puts(out, ": ");
    put_message(out, end + 2, source->sent);
    return true;
}

// One of a list's rejected zones: its "error" begins with the place.
static void translate_rejected(json_t *entry, const struct cli_source *sources, size_t count)
{
    const char *error = json_string_value(json_object_get(entry, "error"));
    struct steer_buf text = {0};
    for (size_t i = 0; error && i < count && !text.len; i++) {
        size_t len = strlen(sources[i].name);
        len = len > NAME_SHOWN ? NAME_SHOWN : len;
        if (sources[i].sent && strlen(error) > len)
            translate_text(&text, error, len, &sources[i]);
    }
    if (text.len)
        json_object_set_new(entry, "error", cli_json_text(text.data));
    steer_buf_fini(&text);
}

void cli_zone_translate(json_t *answer, const struct cli_source *sources, size_t count)
{
    size_t i;
    json_t *entry;
    translate_object(answer, sources, count);
    json_array_foreach(json_object_get(answer, "warnings"), i, entry)
        translate_object(entry, sources, count);
    json_array_foreach(json_object_get(answer, "rejected"), i, entry)
        translate_rejected(entry, sources, count);
}
