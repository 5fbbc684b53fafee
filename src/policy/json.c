// SPDX-License-Identifier: GPL-3.0-or-later
// JSON text (RFC 8259) -> the builder. The structure is read here, for the places of all values;
// jansson reads each scalar. jansson alone gives no places, and libfyaml's JSON mode holds the tokens of a
// whole line in memory, which is the whole document where it was written without line breaks.
#include <string.h>

#include "policy_internal.h"

struct scanner {
    struct steer_builder *b;
    const char *text;
    size_t len, at;
    struct steer_where where;
};

static void advance(struct scanner *s, size_t octets)
{
    for (size_t end = s->at + octets; s->at < end; s->at++) {
        if (s->text[s->at] == '\n')
            s->where = (struct steer_where){s->where.line + 1, 1};
        else if (((uint8_t)s->text[s->at] & 0xc0) != 0x80) // columns count characters, not octets
            s->where.column++;
    }
}

// The next octet that is not blank, '\0' at the end.
static char peek(struct scanner *s)
{
    while (s->at < s->len && strchr(" \t\r\n", s->text[s->at]))
        advance(s, 1);
    return s->at < s->len ? s->text[s->at] : '\0';
}

static bool take(struct scanner *s, char c)
{
    if (peek(s) != c)
        return false;
    advance(s, 1);
    return true;
}

static void expected(struct scanner *s, const char *what)
{
    char c = peek(s);
    const char *hint = "the text begins with '{' or '[' and is read as JSON";
    if (c)
        steer_builder_fail(s->b, s->where, "expected %s, not '%.*s' (%s)", what,
                           (int)steer_utf8_octets(s->text + s->at, s->len - s->at), s->text + s->at,
                           hint);
    else
        steer_builder_fail(s->b, s->where, "expected %s, but the text ends (%s)", what, hint);
}

// Octets of the scalar that begins here, quotes included; 0 where there is none.
static size_t scalar_octets(const struct scanner *s)
{
    size_t i = s->at;
    if (i < s->len && s->text[i] == '"') {
        for (i++; i < s->len && s->text[i] != '"' && s->text[i] != '\n'; i++)
            if (s->text[i] == '\\')
                i++;
        return i < s->len && s->text[i] == '"' ? i + 1 - s->at : 0;
    }
    while (i < s->len && !strchr(" \t\r\n,:[]{}\"", s->text[i]))
        i++;
    return i - s->at;
}

static json_t *scalar(struct scanner *s, size_t octets)
{
    json_error_t error;
    json_t *value = json_loadb(s->text + s->at, octets, JSON_DECODE_ANY, &error);
    if (!value && json_error_code(&error) == json_error_null_character)
        steer_builder_fail(s->b, s->where, "text must not hold a NUL");
    else if (!value && s->text[s->at] == '"')
        steer_builder_fail(s->b, s->where, "a bad string: %s", error.text);
    else if (!value)
        steer_builder_fail(s->b, s->where,
                           "'%.*s' is not a JSON value; text stands in double quotes",
                           octets > 40 ? 40 : (int)octets, s->text + s->at);
    return value;
}

static void read_scalar(struct scanner *s)
{
    size_t octets = scalar_octets(s);
    if (octets == 0 && s->at < s->len && s->text[s->at] == '"')
        steer_builder_fail(s->b, s->where, "a string without its closing quote");
    else if (octets == 0)
        expected(s, "a value");
    else
        steer_builder_value(s->b, scalar(s, octets), steer_scalar_cost(octets), s->where);
    if (!s->b->err)
        advance(s, octets);
}

static void read_key(struct scanner *s)
{
    if (peek(s) != '"') {
        expected(s, "a key in double quotes");
        return;
    }
    size_t octets = scalar_octets(s);
    if (octets == 0) {
        steer_builder_fail(s->b, s->where, "a string without its closing quote");
        return;
    }
    json_t *key = scalar(s, octets);
    if (key)
        steer_builder_key(s->b, json_string_value(key), json_string_length(key), s->where);
    json_decref(key);
    advance(s, octets);
    if (!s->b->err && !take(s, ':'))
        expected(s, "':'");
}

// The builder bounds the depth, and with it the recursion.
static void read_value(struct scanner *s)
{
    char open = peek(s);
    if (open != '{' && open != '[') {
        read_scalar(s);
        return;
    }
    char close = open == '{' ? '}' : ']';
    steer_builder_open(s->b, open == '{', s->where);
    advance(s, 1);
    bool more = !s->b->err && !take(s, close);
    while (more && !s->b->err) {
        if (open == '{')
            read_key(s);
        if (!s->b->err)
            read_value(s);
        if (s->b->err)
            return;
        more = take(s, ',');
        if (!more && !take(s, close))
            expected(s, open == '{' ? "',' or '}'" : "',' or ']'");
    }
    steer_builder_close(s->b);
}

void steer_json_read(struct steer_builder *b, const char *text, size_t len)
{
    struct scanner s = {.b = b, .text = text, .len = len, .where = {1, 1}};
    read_value(&s);
    if (!b->err && peek(&s))
        expected(&s, "the end of the text");
}
