// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/policy/latency_rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "octodns_internal.h"

enum { FIELD_MAX = 200, MS_MAX = 60000 };

enum column { CLIENT, SITE, MS, COLUMNS };

static const char *const column_names[COLUMNS] = {"client", "site", "ms"};

// One row as text, with the places of its fields.
struct row {
    char text[COLUMNS][FIELD_MAX + 1];
    struct steer_where at[COLUMNS];
};

struct rows {
    json_t *out;
    size_t count;
    struct steer_map lines; // "client site" -> where it first stood
    const char *file;
    struct steer_diag *diag;
    enum steer_err err;
};

static void fail(struct rows *r, struct steer_where at, const char *fmt, ...) STEER_PRINTF(3, 4);
static void fail(struct rows *r, struct steer_where at, const char *fmt, ...)
{
    char message[sizeof r->diag->message];
    va_list args;
    if (r->err)
        return;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    steer_message_clean(message);
    r->err = steer_diag_at(r->diag, r->file, at.line, at.column, "%s", message);
}

// ---- one row -------------------------------------------------------------------------------------

// "AS64500", written in the one way.
static bool parse_asn(const char *text, char out[64])
{
    const char *digits = text + 2;
    if (strncasecmp(text, "AS", 2) != 0 || !*digits ||
        strspn(digits, "0123456789") != strlen(digits))
        return false;
    unsigned long long asn = strlen(digits) <= 10 ? strtoull(digits, NULL, 10) : 0;
    snprintf(out, 64, "AS%llu", asn);
    return asn >= 1 && asn <= UINT32_MAX;
}

static void parse_client(struct rows *r, const struct row *row, char out[64])
{
    const char *text = row->text[CLIENT];
    struct steer_prefix prefix;
    struct steer_place place;
    struct steer_diag why;
    bool host_bits = false;
    if (parse_asn(text, out))
        return;
    if (strpbrk(text, ".:/")) {
        bool valid = steer_prefix_parse(text, &prefix, &host_bits);
        if (valid || host_bits)
            steer_prefix_format(&prefix, out, 64);
        if (host_bits)
            fail(r, row->at[CLIENT], "'%s' has bits behind its length; the network is %s", text,
                 out);
        else if (!valid)
            fail(r, row->at[CLIENT], "'%s' is not a network like 192.0.2.0/24 or 2001:db8::/32",
                 text);
    } else if (steer_place_parse(text, &place, &why) == STEER_OK) {
        steer_place_format(&place, out, 64);
    } else {
        fail(r, row->at[CLIENT], "%s", why.message);
    }
}

static double parse_ms(struct rows *r, const struct row *row)
{
    const char *text = row->text[MS];
    char *end;
    double ms = strtod(text, &end);
    if (*text < '0' || *text > '9' || *end || !isfinite(ms) || ms > MS_MAX)
        fail(r, row->at[MS], "'%s' is not a time in milliseconds like 9.5, from 0 to %d", text,
             MS_MAX);
    return round(ms * 1000) / 1000;
}

static void put_time(json_t *rows, const char *client, const char *site, double ms)
{
    json_t *sites = json_object_get(rows, client);
    const bool whole = ms == floor(ms);
    if (!sites) {
        sites = json_object();
        json_object_set_new(rows, client, sites);
    }
    json_object_set_new(sites, site, whole ? json_integer((json_int_t)ms) : json_real(ms));
}

static void add_row(struct rows *r, const struct row *row)
{
    char client[64] = "";
    char pair[FIELD_MAX + 80];
    uint32_t first;
    parse_client(r, row, client);
    if (!steer_name_text_valid(row->text[SITE]))
        fail(r, row->at[SITE],
             "'%s' is not the name of a site: 1 to 63 letters, digits, '_', '.' or '-'",
             row->text[SITE]);
    double ms = parse_ms(r, row);
    if (!r->err && r->count == STEER_LATENCY_ROWS_MAX) {
        fail(r, row->at[CLIENT], "more than %d rows", STEER_LATENCY_ROWS_MAX);
        r->err = STEER_ELIMIT;
    }
    if (r->err)
        return;
    snprintf(pair, sizeof pair, "%s %s", client, row->text[SITE]);
    if (steer_map_get(&r->lines, pair, &first)) {
        fail(r, row->at[CLIENT], "%s to site %s is given twice; it first stands at line %u", client,
             row->text[SITE], first);
        return;
    }
    steer_map_put(&r->lines, pair, row->at[CLIENT].line);
    put_time(r->out, client, row->text[SITE], ms);
    r->count++;
}

// Which column a heading names; COLUMNS: none.
static enum column column_of(const char *name)
{
    static const struct {
        const char *name;
        enum column column;
    } names[] = {{"client", CLIENT}, {"network", CLIENT}, {"place", CLIENT},
                 {"site", SITE},     {"ms", MS},          {"milliseconds", MS}};
    for (size_t i = 0; i < STEER_ARRAY_LEN(names); i++)
        if (strcasecmp(name, names[i].name) == 0)
            return names[i].column;
    return COLUMNS;
}

// ---- CSV -----------------------------------------------------------------------------------------

struct csv {
    const char *next, *end;
    uint32_t line;
    const char *line_begin;
};

static bool is_end(const struct csv *c)
{
    return c->next == c->end || *c->next == '\n' || *c->next == '\r';
}

static struct steer_where here(const struct csv *c)
{
    return (struct steer_where){c->line, (uint32_t)(c->next - c->line_begin) + 1};
}

static void next_line(struct csv *c)
{
    while (c->next < c->end && *c->next != '\n')
        c->next++;
    c->next += c->next < c->end;
    c->line++;
    c->line_begin = c->next;
}

// A field up to the comma or the line's end, blanks around it and quotes taken off.
static void read_field(struct rows *r, struct csv *c, char out[FIELD_MAX + 1],
                       struct steer_where *at)
{
    size_t len = 0;
    while (c->next < c->end && (*c->next == ' ' || *c->next == '\t'))
        c->next++;
    *at = here(c);
    bool quoted = !is_end(c) && *c->next == '"';
    c->next += quoted;
    while (!is_end(c) && (quoted || *c->next != ',')) {
        if (quoted && *c->next == '"') {
            c->next++;
            if (is_end(c) || *c->next != '"') {
                quoted = false;
                break;
            }
        }
        if (len == FIELD_MAX) {
            fail(r, *at, "a field of more than %d octets", FIELD_MAX);
            break;
        }
        out[len++] = *c->next++;
    }
    if (quoted)
        fail(r, *at, "the quote is not closed on this line");
    while (len && (out[len - 1] == ' ' || out[len - 1] == '\t'))
        len--;
    out[len] = '\0';
    while (c->next < c->end && (*c->next == ' ' || *c->next == '\t'))
        c->next++;
    if (!is_end(c) && *c->next != ',')
        fail(r, here(c), "a comma is missing after the quote");
}

// The fields of a line, in the order of the columns.
static void read_fields(struct rows *r, struct csv *c, const enum column order[COLUMNS],
                        struct row *row)
{
    struct steer_where begin = here(c);
    for (unsigned i = 0; i < COLUMNS && !r->err; i++) {
        read_field(r, c, row->text[order[i]], &row->at[order[i]]);
        bool last = i + 1 == COLUMNS;
        if (!r->err && !last && is_end(c))
            fail(r, begin, "a line has client, site and ms, apart by commas: 192.0.2.0/24,fra,9.5");
        if (!r->err && last && !is_end(c))
            fail(r, here(c), "a line has three fields: client, site and ms");
        c->next += !r->err && !last;
    }
}

// Whether the row names the columns; then their order.
static bool read_heading(struct rows *r, const struct row *row, enum column order[COLUMNS])
{
    bool seen[COLUMNS] = {false};
    unsigned known = 0;
    for (unsigned i = 0; i < COLUMNS; i++)
        known += column_of(row->text[i]) != COLUMNS;
    if (known == 0)
        return false;
    for (unsigned i = 0; i < COLUMNS; i++) {
        order[i] = column_of(row->text[i]);
        if (order[i] == COLUMNS || seen[order[i]]) {
            fail(r, row->at[i], "the columns are client (or network, place), site and ms, not '%s'",
                 row->text[i]);
            return true;
        }
        seen[order[i]] = true;
    }
    return true;
}

static void read_csv(struct rows *r, const char *text, size_t len)
{
    static const char bom[] = "\xef\xbb\xbf";
    size_t skip = len >= 3 && memcmp(text, bom, 3) == 0 ? 3 : 0;
    struct csv c = {text + skip, text + len, 1, text + skip};
    enum column order[COLUMNS] = {CLIENT, SITE, MS};
    bool first = true;
    for (; c.next < c.end && !r->err; next_line(&c)) {
        struct row row;
        if (is_end(&c) || *c.next == '#')
            continue;
        read_fields(r, &c, order, &row);
        if (!r->err && !(first && read_heading(r, &row, order)))
            add_row(r, &row);
        first = false;
    }
}

// ---- JSON ----------------------------------------------------------------------------------------

static void read_member(struct rows *r, const struct steer_item *item, struct row *row)
{
    enum column column = column_of(item->key);
    const char *text = json_string_value(item->json);
    char number[64];
    if (column == COLUMNS) {
        fail(r, item->key_at, "unknown key '%.60s'; known are client (or network, place), site, ms",
             item->key);
        return;
    }
    if (column == MS && json_is_number(item->json)) {
        snprintf(number, sizeof number, "%.15g", json_number_value(item->json));
        text = number;
    }
    if (!text || strlen(text) > FIELD_MAX)
        fail(r, item->at, "'%.60s' must be %s", item->key,
             column == MS ? "a number of milliseconds" : "a string");
    else
        snprintf(row->text[column], sizeof row->text[column], "%s", text);
    row->at[column] = item->at;
}

static void read_json(struct rows *r, const struct steer_tree *tree)
{
    const struct steer_parse p = {.tree = tree};
    const struct steer_item root = {.json = tree->root, .at = tree->at};
    struct steer_entries entries, members;
    struct steer_item entry, member;
    if (!json_is_array(root.json))
        fail(r, root.at, "latencies in JSON are a list of {\"client\", \"site\", \"ms\"}");
    steer_entries_of(&p, &root, &entries);
    while (!r->err && steer_entries_next(&entries, &entry)) {
        struct row row = {.at = {entry.at, entry.at, entry.at}};
        if (!json_is_object(entry.json))
            fail(r, entry.at, "a row must be {\"client\", \"site\", \"ms\"}");
        steer_entries_of(&p, &entry, &members);
        while (!r->err && steer_entries_next(&members, &member))
            read_member(r, &member, &row);
        for (unsigned i = 0; i < COLUMNS; i++)
            if (!row.text[i][0])
                fail(r, entry.at, "'%s' is missing", column_names[i]);
        if (!r->err)
            add_row(r, &row);
    }
}

enum steer_err steer_latency_rows_parse(const char *text, size_t len, const char *file,
                                        json_t **rows, size_t *count, struct steer_diag *diag)
{
    struct steer_diag own;
    struct steer_tree tree;
    struct rows r = {.out = json_object(), .file = file, .diag = diag ? diag : &own};
    size_t blank = 0;
    while (blank < len && strchr(" \t\r\n", text[blank]) && text[blank])
        blank++;
    if (blank < len && (text[blank] == '[' || text[blank] == '{')) {
        r.err = steer_tree_parse(text, len, file, &tree, r.diag);
        if (!r.err) {
            read_json(&r, &tree);
            steer_tree_fini(&tree);
        }
    } else {
        read_csv(&r, text, len);
    }
    if (!r.err && r.count == 0)
        fail(&r, (struct steer_where){1, 1},
             "there is no row; give lines like 192.0.2.0/24,fra,9.5");
    steer_map_fini(&r.lines);
    if (r.err) {
        json_decref(r.out);
        return r.err;
    }
    *rows = r.out;
    *count = r.count;
    return STEER_OK;
}

json_t *steer_latency_rows_json(const struct steer_latency *table)
{
    json_t *rows = json_object();
    char client[64];
    for (size_t i = 0; i < steer_latency_count(table); i++) {
        const struct steer_latency_row *row = steer_latency_at(table, i);
        put_time(rows, steer_latency_client_format(row, client, sizeof client), row->site,
                 row->rtt_us / 1000.0);
    }
    return rows;
}

void steer_latency_rows_document(const json_t *rows, const char *name, struct steer_buf *yaml)
{
    json_t *root = json_pack("{s:{s:{s:O}}}", "latencies", name, "rows", (json_t *)(uintptr_t)rows);
    steer_yaml_write(root, false, yaml);
    json_decref(root);
}
