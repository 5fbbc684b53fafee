// SPDX-License-Identifier: GPL-3.0-or-later
// Record data: octoDNS's values, which are text or mappings of fields, and presentation form.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "octodns_internal.h"
#include "steerd/rr/rdata.h"
#include "steerd/rr/type.h"
#include "steerd/wire/message.h"

enum { FIELDS_MAX = 6, TEXT_CHUNK = 255 };

enum form {
    FORM_TEXT,   // one string, as it stands
    FORM_NAME,   // a domain name, absolute
    FORM_CHUNKS, // character strings, joined; octoDNS writes "\;" for ";"
    FORM_FIELDS, // a mapping
};

// Fields in the order of the presentation form. '"' before a field: a character string; '.': a domain name.
struct layout {
    const char *type;
    enum form form;
    const char *fields[FIELDS_MAX];
};

static const struct layout layouts[] = {
    {"A", FORM_TEXT, {0}},
    {"AAAA", FORM_TEXT, {0}},
    {"CAA", FORM_FIELDS, {"flags", "tag", "\"value"}},
    {"CNAME", FORM_NAME, {0}},
    {"DNAME", FORM_NAME, {0}},
    {"DS", FORM_FIELDS, {"key_tag", "algorithm", "digest_type", "digest"}},
    {"MX", FORM_FIELDS, {"preference", ".exchange"}},
    {"NAPTR",
     FORM_FIELDS,
     {"order", "preference", "\"flags", "\"service", "\"regexp", ".replacement"}},
    {"NS", FORM_NAME, {0}},
    {"OPENPGPKEY", FORM_TEXT, {0}},
    {"PTR", FORM_NAME, {0}},
    {"SPF", FORM_CHUNKS, {0}},
    {"SRV", FORM_FIELDS, {"priority", "weight", "port", ".target"}},
    {"SSHFP", FORM_FIELDS, {"algorithm", "fingerprint_type", "fingerprint"}},
    {"TLSA",
     FORM_FIELDS,
     {"certificate_usage", "selector", "matching_type", "certificate_association_data"}},
    {"TXT", FORM_CHUNKS, {0}},
    {"URI", FORM_FIELDS, {"priority", "weight", "\"target"}},
};

static const struct layout *layout_of(const char *type)
{
    for (size_t i = 0; i < STEER_ARRAY_LEN(layouts); i++)
        if (strcmp(layouts[i].type, type) == 0)
            return &layouts[i];
    return NULL;
}

static bool is_absolute(const char *name)
{
    size_t len = strlen(name);
    return len && name[len - 1] == '.';
}

static void put_quoted(struct steer_buf *out, const char *text)
{
    steer_buf_puts(out, "\"");
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            steer_buf_puts(out, "\\");
        steer_buf_add(out, text, 1);
    }
    steer_buf_puts(out, "\"");
}

// ---- from octoDNS --------------------------------------------------------------------------------

static void refuse_relative(struct steer_parse *p, const struct steer_item *item, const char *name)
{
    if (!p->err && !is_absolute(name))
        steer_doc_fail(p, item->at,
                       "'%.200s' must end with a dot, as all names in octoDNS's values", name);
}

static void read_field(struct steer_parse *p, const struct steer_item *value, const char *field,
                       struct steer_buf *text)
{
    char kind = strchr("\".", *field) ? *field++ : ' ';
    struct steer_item item;
    // MX was {priority, value} in octoDNS's first versions.
    bool found =
        steer_doc_find(p, value, field, &item) ||
        (strcmp(field, "preference") == 0 && steer_doc_find(p, value, "priority", &item)) ||
        (strcmp(field, "exchange") == 0 && steer_doc_find(p, value, "value", &item));
    if (p->err)
        return;
    if (!found) {
        steer_doc_fail(p, value->at, "'%s' is missing", field);
        return;
    }
    if (text->len)
        steer_buf_puts(text, " ");
    if (json_is_integer(item.json))
        steer_buf_printf(text, "%lld", (long long)json_integer_value(item.json));
    else if (!json_is_string(item.json))
        steer_doc_mismatch(p, &item, "a string or a number");
    else if (kind == '"')
        put_quoted(text, json_string_value(item.json));
    else
        steer_buf_puts(text, json_string_value(item.json));
    if (kind == '.' && json_is_string(item.json))
        refuse_relative(p, &item, json_string_value(item.json));
}

static void read_fields(struct steer_parse *p, const struct steer_item *value,
                        const struct layout *layout, struct steer_buf *text)
{
    if (!json_is_object(value->json)) {
        steer_doc_mismatch(p, value, "a mapping of the record's fields");
        return;
    }
    for (size_t i = 0; i < FIELDS_MAX && layout->fields[i]; i++)
        read_field(p, value, layout->fields[i], text);
}

// octoDNS takes quotes around a value off, joins `" "`, and has a backslash before each semicolon.
static void read_chunks(const char *value, struct steer_buf *text)
{
    size_t len = strlen(value);
    bool quoted = len >= 2 && value[0] == '"';
    const char *end = value + len - quoted;
    for (const char *c = value + quoted; c < end; c++) {
        if (quoted && strncmp(c, "\" \"", 3) == 0 && c + 3 <= end)
            c += 2;
        else if (!(c[0] == '\\' && c[1] == ';'))
            steer_buf_add(text, c, 1);
    }
}

static void read_string(struct steer_parse *p, const struct steer_item *value,
                        const struct layout *layout, struct steer_buf *text)
{
    if (!json_is_string(value->json)) {
        steer_doc_mismatch(p, value, "a string");
        return;
    }
    const char *string = json_string_value(value->json);
    if (layout->form == FORM_NAME)
        refuse_relative(p, value, string);
    if (layout->form == FORM_CHUNKS)
        read_chunks(string, text);
    else
        steer_buf_puts(text, string);
}

json_t *octodns_value_read(struct steer_parse *p, const struct steer_item *value, const char *type)
{
    const struct layout *layout = layout_of(type);
    struct steer_buf text = {0};
    struct steer_fixed checked;
    uint16_t code = 0;
    if (p->err)
        return NULL;
    if (!layout || !steer_type_parse(type, &code)) {
        steer_doc_fail(p, value->at, "records of type %.40s are not converted", type);
        return NULL;
    }
    if (layout->form == FORM_FIELDS)
        read_fields(p, value, layout, &text);
    else
        read_string(p, value, layout, &text);
    steer_buf_puts(&text, "");
    // A string that begins with a quote is presentation form in documents; this one is not.
    if (layout->form == FORM_CHUNKS && (*text.data == '"' || code != STEER_TYPE_TXT)) {
        struct steer_buf quoted = {0};
        put_quoted(&quoted, text.data);
        steer_buf_fini(&text);
        text = quoted;
    }
    json_t *string = p->err ? NULL : json_string(text.data);
    const struct steer_item made = {.key = type, .json = string, .at = value->at};
    if (string)
        steer_parse_rrset(p, &made, code, &checked);
    steer_buf_fini(&text);
    if (!p->err)
        return string;
    json_decref(string);
    return NULL;
}

// ---- to octoDNS ----------------------------------------------------------------------------------

// The next word of presentation form, quotes and escapes undone; false at the end.
static bool next_word(const char **at, struct steer_buf *word)
{
    const char *c = *at + strspn(*at, " ");
    steer_buf_clear(word);
    steer_buf_puts(word, "");
    if (!*c)
        return false;
    bool quoted = *c == '"';
    for (c += quoted; *c && (quoted ? *c != '"' : *c != ' '); c++) {
        unsigned code = 0;
        if (quoted && c[0] == '\\' && sscanf(c + 1, "%3u", &code) == 1 && c[1] >= '0' &&
            c[1] <= '9' && code && code < 256) {
            char octet = (char)code;
            steer_buf_add(word, &octet, 1);
            c += 3;
            continue;
        }
        if (quoted && c[0] == '\\' && c[1])
            c++;
        steer_buf_add(word, c, 1);
    }
    *at = c + (quoted && *c);
    return true;
}

static json_t *make_fields(const struct layout *layout, const char *text)
{
    struct steer_buf word = {0};
    json_t *value = json_object();
    for (size_t i = 0; i < FIELDS_MAX && layout->fields[i]; i++) {
        const char *field = layout->fields[i];
        bool is_text = *field == '"' || *field == '.';
        // Some data in hex is written in groups.
        if (!next_word(&text, &word))
            break;
        bool last = i + 1 == FIELDS_MAX || !layout->fields[i + 1];
        struct steer_buf whole = {0};
        steer_buf_puts(&whole, word.data);
        while (last && !is_text && next_word(&text, &word))
            steer_buf_puts(&whole, word.data);
        size_t len = strlen(whole.data);
        bool number = !is_text && !last && strspn(whole.data, "0123456789") == len;
        json_object_set_new(value, field + is_text,
                            number ? json_integer(atoll(whole.data)) : json_string(whole.data));
        steer_buf_fini(&whole);
    }
    steer_buf_fini(&word);
    return value;
}

// octoDNS cuts text anew into strings of 255 octets.
static json_t *make_chunks(const uint8_t *rdata, size_t len, const char **why)
{
    struct steer_buf text = {0};
    for (size_t at = 0; at < len; at += 1u + rdata[at]) {
        if (rdata[at] != TEXT_CHUNK && at + 1 + rdata[at] < len)
            *why = "its strings are cut elsewhere than after 255 octets";
        for (size_t i = 1; i <= rdata[at]; i++) {
            const char *octet = (const char *)&rdata[at + i];
            if (*octet == ';')
                steer_buf_puts(&text, "\\");
            if (*octet < ' ' || *octet > '~')
                *why = "it has octets that are not printable ASCII";
            if (*octet == '\\' && i < rdata[at] && octet[1] == ';')
                *why = "a backslash before ';' is octoDNS's escape";
            steer_buf_add(&text, octet, 1);
        }
    }
    steer_buf_puts(&text, "");
    if (*text.data == '"' || strstr(text.data, "\" \""))
        *why = "octoDNS takes its quotes off";
    json_t *value = *why ? NULL : json_string(text.data);
    steer_buf_fini(&text);
    return value;
}

json_t *octodns_value_make(uint16_t type, const uint8_t *rdata, size_t len, const char **why)
{
    char name[STEER_TYPE_TEXT_MAX];
    const struct layout *layout = layout_of(steer_type_format(type, name));
    struct steer_buf text = {0};
    json_t *value = NULL;
    *why = NULL;
    steer_rdata_format(type, rdata, len, &text);
    if (!layout)
        *why = "octoDNS, or this converter, does not know the type";
    else if (strncmp(text.data, "\\#", 2) == 0)
        *why = "its data has no form of its own";
    else if (layout->form == FORM_CHUNKS)
        value = make_chunks(rdata, len, why);
    else if (layout->form == FORM_FIELDS)
        value = make_fields(layout, text.data);
    else
        value = json_string(text.data);
    steer_buf_fini(&text);
    return value;
}
