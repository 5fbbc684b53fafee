// SPDX-License-Identifier: GPL-3.0-or-later
// YAML 1.2 text -> the builder, through libfyaml's events. Its documents are not used: their check for
// duplicate keys is quadratic, and aliases are to be resolved here, where their expansion is bounded.
#include <errno.h>
#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

#include "policy_internal.h"
#include "steerd/base/buf.h"

struct anchor {
    json_t *json; // NULL while its container is open
    uint64_t cost;
};

struct reader {
    struct steer_builder *b;
    struct steer_map names; // anchor -> index
    struct anchor *anchors;
    size_t anchor_count, anchor_cap;
    uint64_t aliased_cost;
    struct {
        uint32_t anchor; // index + 1, 0: none
        uint64_t cost;   // before the container
    } open[STEER_TREE_DEPTH_MAX];
    struct steer_buf text;   // of the scalar under way
    struct steer_where last; // where the last event began, for those without a place
    bool ended;              // a document has ended
};

static struct steer_where where(struct reader *r, struct fy_token *token)
{
    const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
    if (mark)
        r->last = (struct steer_where){(uint32_t)mark->line + 1, (uint32_t)mark->column + 1};
    return r->last;
}

// ---- anchors -------------------------------------------------------------------------------------

// Names the value to come. Index + 1, 0 where there is no anchor.
static uint32_t anchor_new(struct reader *r, struct fy_token *token)
{
    const char *name = token ? fy_token_get_text0(token) : NULL;
    if (!name)
        return 0;
    r->anchors = steer_grow(r->anchors, &r->anchor_cap, r->anchor_count + 1, sizeof *r->anchors);
    r->anchors[r->anchor_count++] = (struct anchor){0};
    steer_map_put(&r->names, name,
                  (uint32_t)(r->anchor_count - 1)); // a later one replaces (YAML 7.1)
    return (uint32_t)r->anchor_count;
}

static void anchor_fill(struct reader *r, uint32_t anchor, json_t *json, uint64_t cost)
{
    if (!anchor || !json)
        return;
    r->anchors[anchor - 1] = (struct anchor){json_incref(json), cost};
}

static void alias(struct reader *r, struct fy_token *token)
{
    struct steer_where at = where(r, token);
    at.column--; // libfyaml's mark stands behind the '*'
    const char *name = fy_token_get_text0(token);
    uint32_t index;
    if (steer_builder_wants_key(r->b)) {
        steer_builder_fail(r->b, at, "a key must be plain text, not an alias");
        return;
    }
    if (!name || !steer_map_get(&r->names, name, &index)) {
        steer_builder_fail(r->b, at, "alias '*%.60s' has no anchor '&%.60s' before it",
                           name ? name : "", name ? name : "");
        return;
    }
    const struct anchor *anchor = &r->anchors[index];
    if (!anchor->json) {
        steer_builder_fail(r->b, at, "alias '*%.60s' stands inside its own anchor", name);
        return;
    }
    r->aliased_cost += anchor->cost;
    if (r->aliased_cost > STEER_TREE_ALIASED_MAX)
        steer_builder_fail(r->b, at, "the aliases of this document stand for more than %d values",
                           STEER_TREE_ALIASED_MAX);
    steer_builder_value(r->b, json_incref(anchor->json), anchor->cost, at);
}

// ---- scalars -------------------------------------------------------------------------------------

static bool is_one_of(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?   (YAML 1.2 10.3.2)
static bool is_real(const char *text)
{
    const char *p = text + strspn(text, "-+");
    if (p - text > 1)
        return false;
    size_t whole = strspn(p, "0123456789");
    p += whole;
    if (*p == '.') {
        size_t fraction = strspn(++p, "0123456789");
        if (whole + fraction == 0)
            return false;
        p += fraction;
    } else if (whole == 0) {
        return false;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        if (*p == '-' || *p == '+')
            p++;
        size_t exponent = strspn(p, "0123456789");
        if (exponent == 0)
            return false;
        p += exponent;
    }
    return !*p;
}

// 0 where text is no integer of the core schema.
static int integer_base(const char *text)
{
    if (strncmp(text, "0o", 2) == 0 && text[2] && !text[2 + strspn(text + 2, "01234567")])
        return 8;
    if (strncmp(text, "0x", 2) == 0 && text[2] &&
        !text[2 + strspn(text + 2, "0123456789abcdefABCDEF")])
        return 16;
    const char *digits = *text == '-' || *text == '+' ? text + 1 : text;
    return *digits && !digits[strspn(digits, "0123456789")] ? 10 : 0;
}

// The core schema of YAML 1.2: NO and yes are strings.
static json_t *resolve(struct reader *r, const char *text, struct steer_where at)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    static const char *const trues[] = {"true", "True", "TRUE"};
    static const char *const falses[] = {"false", "False", "FALSE"};
    static const char *const odd[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf", "+.INF",
                                      "-.inf", "-.Inf", "-.INF", ".nan",  ".NaN",  ".NAN"};
    if (is_one_of(text, nulls, STEER_ARRAY_LEN(nulls)))
        return json_null();
    if (is_one_of(text, trues, STEER_ARRAY_LEN(trues)))
        return json_true();
    if (is_one_of(text, falses, STEER_ARRAY_LEN(falses)))
        return json_false();
    json_t *value = NULL;
    int base = integer_base(text);
    if (base) {
        errno = 0;
        long long number = strtoll(base == 8 ? text + 2 : text, NULL, base);
        value = errno ? NULL : json_integer(number);
    } else if (is_real(text)) {
        value = json_real(strtod(text, NULL)); // NULL when not finite
    } else if (!is_one_of(text, odd, STEER_ARRAY_LEN(odd))) {
        return json_string(text);
    }
    if (!value)
        steer_builder_fail(r->b, at, "number %.40s is out of range", text);
    return value;
}

// Only the tags that say what text is anyway.
static bool tag_is_string(struct reader *r, struct fy_token *tag)
{
    const char *text = tag ? fy_token_get_text0(tag) : NULL;
    if (!text)
        return false;
    if (strcmp(text, "tag:yaml.org,2002:str") == 0 || strcmp(text, "!") == 0)
        return true;
    steer_builder_fail(r->b, where(r, tag), "tag '%.60s' is not supported here; only !!str is",
                       text);
    return false;
}

// Single-quoted text goes chunk by chunk: with many '' in a row fy_token_get_text of 0.7.12 loses memory,
// some forty octets for each.
static const char *scalar_text(struct reader *r, struct fy_token *token, size_t *len)
{
    if (!token)
        return "";
    if (fy_token_scalar_style(token) != FYSS_SINGLE_QUOTED)
        return fy_token_get_text(token, len);
    int failed = 0;
    struct fy_token_iter *iter = fy_token_iter_create(token);
    const struct fy_iter_chunk *chunk = NULL;
    steer_buf_clear(&r->text);
    steer_buf_puts(&r->text, "");
    while (iter && (chunk = fy_token_iter_chunk_next(iter, chunk, &failed)))
        steer_buf_add(&r->text, chunk->str, chunk->len);
    fy_token_iter_destroy(iter);
    *len = r->text.len;
    return iter && !failed ? r->text.data : NULL;
}

static void scalar(struct reader *r, struct fy_event *event)
{
    struct fy_token *token = event->scalar.value;
    struct steer_where at = where(r, token);
    size_t len = 0;
    const char *text = scalar_text(r, token, &len);
    if (!text) {
        steer_builder_fail(r->b, at, "text that cannot be read");
        return;
    }
    enum fy_scalar_style style = token ? fy_token_scalar_style(token) : FYSS_PLAIN;
    bool quoted = style != FYSS_PLAIN;
    if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED)
        at.column--; // libfyaml's mark stands behind the quote
    bool is_string = tag_is_string(r, event->scalar.tag) || quoted;
    uint32_t anchor = anchor_new(r, event->scalar.anchor);
    if (steer_builder_wants_key(r->b)) {
        json_t *key = json_stringn(text, len);
        if (!key)
            steer_builder_fail(r->b, at, "text that is not valid Unicode");
        steer_builder_key(r->b, text, len, at);
        anchor_fill(r, anchor, key, steer_scalar_cost(len));
        json_decref(key);
        return;
    }
    json_t *value;
    if (memchr(text, '\0', len)) {
        steer_builder_fail(r->b, at, "text must not hold a NUL");
        return;
    }
    if (is_string) {
        value = json_stringn(text, len);
    } else {
        char *plain = steer_strndup(text, len);
        value = resolve(r, plain, at);
        free(plain);
    }
    if (!value)
        steer_builder_fail(r->b, at, "text that is not valid Unicode");
    anchor_fill(r, anchor, value, steer_scalar_cost(len));
    steer_builder_value(r->b, value, steer_scalar_cost(len), at);
}

// ---- events --------------------------------------------------------------------------------------

static void open_container(struct reader *r, bool mapping, struct fy_token *start,
                           struct fy_token *anchor, struct fy_token *tag)
{
    struct steer_where at = where(r, start);
    if (tag)
        steer_builder_fail(r->b, where(r, tag), "tags are not supported on lists and mappings");
    steer_builder_open(r->b, mapping, at);
    if (r->b->err)
        return;
    r->open[r->b->depth - 1].anchor = anchor_new(r, anchor);
    r->open[r->b->depth - 1].cost = r->b->cost;
}

static void close_container(struct reader *r)
{
    unsigned depth = r->b->depth - 1;
    json_t *container = steer_builder_close(r->b);
    anchor_fill(r, r->open[depth].anchor, container, r->b->cost - r->open[depth].cost);
}

static void take_event(struct reader *r, struct fy_event *event)
{
    switch (event->type) {
    case FYET_DOCUMENT_START:
        if (r->ended)
            steer_builder_fail(r->b, where(r, event->document_start.document_start),
                               "a second YAML document; give several zones as `zones: [...]`");
        break;
    case FYET_DOCUMENT_END:
        r->ended = true;
        break;
    case FYET_ALIAS:
        alias(r, event->alias.anchor);
        break;
    case FYET_SCALAR:
        scalar(r, event);
        break;
    case FYET_MAPPING_START:
        open_container(r, true, event->mapping_start.mapping_start, event->mapping_start.anchor,
                       event->mapping_start.tag);
        break;
    case FYET_SEQUENCE_START:
        open_container(r, false, event->sequence_start.sequence_start, event->sequence_start.anchor,
                       event->sequence_start.tag);
        break;
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        close_container(r);
        break;
    case FYET_NONE:
    case FYET_STREAM_START:
    case FYET_STREAM_END:
        break;
    }
}

static void report(struct reader *r, struct fy_diag *diag)
{
    void *iter = NULL;
    for (struct fy_diag_error *e; (e = fy_diag_errors_iterate(diag, &iter));)
        if (e->type == FYET_ERROR) {
            struct steer_where at = {(uint32_t)(e->line > 0 ? e->line : 1),
                                     (uint32_t)(e->column > 0 ? e->column : 1)};
            steer_builder_fail(r->b, at, "YAML: %s", e->msg);
            return;
        }
    steer_builder_fail(r->b, r->last, "YAML: the text cannot be read from here on");
}

static void read_events(struct reader *r, struct fy_parser *parser, struct fy_diag *diag)
{
    while (!r->b->err) {
        struct fy_event *event = fy_parser_parse(parser);
        if (!event)
            break;
        take_event(r, event);
        fy_parser_event_free(parser, event);
    }
    if (!r->b->err && fy_parser_get_stream_error(parser))
        report(r, diag);
}

void steer_yaml_read(struct steer_builder *b, const char *text, size_t len)
{
    struct fy_diag_cfg diag_cfg;
    fy_diag_cfg_default(&diag_cfg);
    diag_cfg.fp = NULL; // nothing is printed: errors are collected
    diag_cfg.level = FYET_ERROR;
    struct fy_diag *diag = fy_diag_create(&diag_cfg);
    if (diag)
        fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg cfg = {
        .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DISABLE_DEPTH_LIMIT | FYPCF_JSON_NONE |
                 FYPCF_DEFAULT_VERSION_1_2,
        .diag = diag,
    };
    struct fy_parser *parser = diag ? fy_parser_create(&cfg) : NULL;
    struct reader *r = steer_calloc(1, sizeof *r);
    r->b = b;
    r->last = (struct steer_where){1, 1};
    if (!parser || fy_parser_set_string(parser, text, len))
        steer_builder_fail(b, r->last, "the YAML reader could not start");
    else
        read_events(r, parser, diag);
    fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    for (size_t i = 0; i < r->anchor_count; i++)
        json_decref(r->anchors[i].json);
    free(r->anchors);
    steer_map_fini(&r->names);
    steer_buf_fini(&r->text);
    free(r);
}
