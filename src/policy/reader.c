// SPDX-License-Identifier: GPL-3.0-or-later
// Typed access to the tree. Every message says what is wrong, where, and what would be right.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy_internal.h"

void steer_doc_fail(struct steer_parse *p, struct steer_where at, const char *fmt, ...)
{
    if (p->err)
        return;
    char message[sizeof p->diag->message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    steer_message_clean(message);
    p->err = steer_diag_at(p->diag, p->file, at.line, at.column, "%s", message);
}

void steer_doc_warn(struct steer_parse *p, struct steer_where at, const char *fmt, ...)
{
    struct steer_warnings *w = p->warnings;
    if (!w || p->err || w->count == STEER_WARNINGS_MAX)
        return;
    w->items = steer_grow(w->items, &w->cap, w->count + 1, sizeof *w->items);
    char message[sizeof w->items->message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    steer_message_clean(message);
    (void)steer_diag_at(&w->items[w->count++], p->file, at.line, at.column, "%s", message);
}

const char *steer_json_kind(const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return "a mapping";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
        break;
    }
    return "an empty value";
}

// "'key'", or "this entry" in a list.
static const char *subject(const struct steer_item *item, char out[128])
{
    if (item->key)
        snprintf(out, 128, "'%.100s'", item->key);
    else
        snprintf(out, 128, "this entry");
    return out;
}

void steer_doc_mismatch(struct steer_parse *p, const struct steer_item *item, const char *wanted)
{
    char who[128];
    const char *hint = "";
    if ((strcmp(wanted, "a string") == 0 || strcmp(wanted, "a domain name") == 0) &&
        (json_is_number(item->json) || json_is_boolean(item->json)))
        hint = "; put it in quotes";
    steer_doc_fail(p, item->at, "%s must be %s, not %s%s", subject(item, who), wanted,
                   steer_json_kind(item->json), hint);
}

// ---- containers ----------------------------------------------------------------------------------

void steer_entries_of(const struct steer_parse *p, const struct steer_item *item,
                      struct steer_entries *entries)
{
    memset(entries, 0, sizeof *entries);
    if (p->err)
        return;
    entries->container = item->json;
    entries->count =
        json_is_object(item->json) ? json_object_size(item->json) : json_array_size(item->json);
    if (p->tree && entries->count)
        entries->positions = steer_tree_positions(p->tree, item->json);
}

// jansson's iterators take a mutable object but do not change it.
static json_t *mutable(const json_t *json)
{
    union {
        const json_t *in;
        json_t *out;
    } u = {.in = json};
    return u.out;
}

bool steer_entries_next(struct steer_entries *entries, struct steer_item *entry)
{
    if (entries->index == entries->count)
        return false;
    json_t *container = mutable(entries->container);
    *entry = (struct steer_item){0};
    if (json_is_object(container)) {
        entries->iter = entries->iter ? json_object_iter_next(container, entries->iter)
                                      : json_object_iter(container);
        entry->key = json_object_iter_key(entries->iter);
        entry->json = json_object_iter_value(entries->iter);
    } else {
        entry->json = json_array_get(container, entries->index);
    }
    if (entries->positions) {
        entry->key_at = entries->positions[entries->index].key_at;
        entry->at = entries->positions[entries->index].at;
    }
    entries->index++;
    return true;
}

bool steer_doc_find(const struct steer_parse *p, const struct steer_item *mapping, const char *key,
                    struct steer_item *item)
{
    if (p->err || !json_object_get(mapping->json, key))
        return false;
    struct steer_entries entries;
    steer_entries_of(p, mapping, &entries);
    while (steer_entries_next(&entries, item))
        if (strcmp(item->key, key) == 0)
            return true;
    return false;
}

static bool is_word(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

// "a, b, c"
static void list_words(const char *const *words, size_t count, char *out, size_t size)
{
    size_t used = 0;
    *out = '\0';
    for (size_t i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", words[i]);
}

static void unknown_key(struct steer_parse *p, const struct steer_item *entry,
                        const struct steer_shape *shape)
{
    if (is_word(entry->key, shape->later, shape->later_count)) {
        steer_doc_fail(p, entry->key_at, "'%s' is not supported by this version", entry->key);
        return;
    }
    const char *near = steer_nearest_word(entry->key, shape->keys, shape->key_count);
    char words[512];
    list_words(shape->keys, shape->key_count, words, sizeof words);
    if (near)
        steer_doc_fail(p, entry->key_at, "unknown key '%.100s' in %s; did you mean '%s'?",
                       entry->key, shape->what, near);
    else
        steer_doc_fail(p, entry->key_at, "unknown key '%.100s' in %s; known are %s", entry->key,
                       shape->what, words);
}

bool steer_doc_keys(struct steer_parse *p, const struct steer_item *item,
                    const struct steer_shape *shape)
{
    if (p->err)
        return false;
    if (!json_is_object(item->json)) {
        steer_doc_fail(p, item->at, "%s must be a mapping like %s, not %s", shape->what,
                       shape->example, steer_json_kind(item->json));
        return false;
    }
    struct steer_entries entries;
    struct steer_item entry;
    steer_entries_of(p, item, &entries);
    while (!p->err && steer_entries_next(&entries, &entry))
        if (!is_word(entry.key, shape->keys, shape->key_count))
            unknown_key(p, &entry, shape);
    return !p->err;
}

static bool container(struct steer_parse *p, const struct steer_item *item, bool right,
                      const char *word, const char *example)
{
    char who[128];
    if (p->err)
        return false;
    if (!right)
        steer_doc_fail(p, item->at, "%s must be a %s like %s, not %s", subject(item, who), word,
                       example, steer_json_kind(item->json));
    else if (json_object_size(item->json) + json_array_size(item->json) == 0)
        steer_doc_fail(p, item->at, "%s is empty; give a %s like %s", subject(item, who), word,
                       example);
    return !p->err;
}

bool steer_doc_mapping(struct steer_parse *p, const struct steer_item *item, const char *example)
{
    return container(p, item, json_is_object(item->json), "mapping", example);
}

bool steer_doc_list(struct steer_parse *p, const struct steer_item *item, const char *example)
{
    return container(p, item, json_is_array(item->json), "list", example);
}

// ---- single values -------------------------------------------------------------------------------

const char *steer_value_string(struct steer_parse *p, const struct steer_item *item)
{
    if (p->err)
        return "";
    if (!json_is_string(item->json)) {
        steer_doc_mismatch(p, item, "a string");
        return "";
    }
    return steer_arena_strdup(p->arena, json_string_value(item->json));
}

bool steer_name_text_valid(const char *text)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");
    return len >= 1 && len <= 63 && !text[len];
}

const char *steer_value_name(struct steer_parse *p, const struct steer_item *item)
{
    const char *text = steer_value_string(p, item);
    if (!p->err && !steer_name_text_valid(text))
        steer_doc_fail(p, item->at,
                       "'%.80s' is not a name: 1 to 63 letters, digits, '_', '.' or '-'", text);
    return text;
}

uint64_t steer_value_uint(struct steer_parse *p, const struct steer_item *item, uint64_t min,
                          uint64_t max)
{
    char wanted[80], who[128];
    if (p->err)
        return min;
    snprintf(wanted, sizeof wanted, "a whole number from %llu to %llu", (unsigned long long)min,
             (unsigned long long)max);
    if (!json_is_integer(item->json)) {
        steer_doc_mismatch(p, item, wanted);
        return min;
    }
    json_int_t value = json_integer_value(item->json);
    if (value >= 0 && (uint64_t)value >= min && (uint64_t)value <= max)
        return (uint64_t)value;
    steer_doc_fail(p, item->at, "%s must be %s, not %lld", subject(item, who), wanted,
                   (long long)value);
    return min;
}

static void format_duration(uint64_t ms, char out[32])
{
    if (ms % 1000)
        snprintf(out, 32, "%llums", (unsigned long long)ms);
    else if (ms && ms % 86400000 == 0)
        snprintf(out, 32, "%llud", (unsigned long long)(ms / 86400000));
    else
        snprintf(out, 32, "%llus", (unsigned long long)(ms / 1000));
}

uint64_t steer_value_duration(struct steer_parse *p, const struct steer_item *item, uint64_t min_ms,
                              uint64_t max_ms)
{
    uint64_t ms = 0;
    char who[128], low[32], high[32];
    if (p->err)
        return min_ms;
    const char *text = json_string_value(item->json);
    json_int_t number = json_integer_value(item->json);
    bool known = text ? steer_duration_parse(text, &ms) : json_is_integer(item->json);
    if (json_is_integer(item->json))
        ms = number >= 0 && number <= INT32_MAX ? (uint64_t)number * 1000 : UINT64_MAX;
    if (text && !known)
        steer_doc_fail(p, item->at, "%s must be a time like 500ms, 10s, 5m or 2h, not '%.60s'",
                       subject(item, who), text);
    else if (!known)
        steer_doc_mismatch(p, item, "a time like 500ms, 10s, 5m or 2h");
    if (p->err)
        return min_ms;
    if (ms >= min_ms && ms <= max_ms)
        return ms;
    format_duration(min_ms, low);
    format_duration(max_ms, high);
    steer_doc_fail(p, item->at, "%s must be a time from %s to %s", subject(item, who), low, high);
    return min_ms;
}

uint32_t steer_value_percent(struct steer_parse *p, const struct steer_item *item)
{
    char who[128];
    const char *text = json_string_value(item->json);
    const char *digits = "0123456789";
    if (p->err)
        return 0;
    size_t whole = text ? strspn(text, digits) : 0;
    size_t fraction = whole && text[whole] == '.' ? strspn(text + whole + 1, digits) : 0;
    const char *end = text ? text + whole + (fraction ? fraction + 1 : 0) : NULL;
    if (whole >= 1 && whole <= 2 && fraction <= 4 && strcmp(end, "%") == 0) {
        uint32_t ppm = (uint32_t)strtoul(text, NULL, 10) * 10000;
        uint32_t unit = 1000;
        for (size_t i = 0; i < fraction; i++, unit /= 10)
            ppm += (uint32_t)(text[whole + 1 + i] - '0') * unit;
        return ppm;
    }
    steer_doc_fail(p, item->at,
                   "%s must be a percentage below 100, with at most 4 decimals, like \"5%%\"",
                   subject(item, who));
    return 0;
}

struct steer_minimum steer_value_minimum(struct steer_parse *p, const struct steer_item *item)
{
    struct steer_minimum minimum = {.value = 1};
    if (p->err)
        return minimum;
    const char *text = json_string_value(item->json);
    if (!text) {
        if (json_is_integer(item->json))
            minimum.value = (uint32_t)steer_value_uint(p, item, 1, STEER_WEIGHT_MAX);
        else
            steer_doc_mismatch(p, item, "a count like 2 or a percentage like \"50%\"");
        return minimum;
    }
    size_t len = strspn(text, "0123456789");
    unsigned long percent = strtoul(text, NULL, 10);
    minimum.percent = true;
    minimum.value = (uint32_t)(percent <= 100 ? percent : 0);
    if (len == 0 || len > 3 || strcmp(text + len, "%") != 0 || minimum.value == 0)
        steer_doc_fail(p, item->at,
                       "'%.60s' must be a count like 2 or a percentage from 1%% to 100%%", text);
    return minimum;
}

// ---- values of keys ------------------------------------------------------------------------------

const char *steer_doc_string(struct steer_parse *p, const struct steer_item *mapping,
                             const char *key, const char *fallback)
{
    struct steer_item item;
    return steer_doc_find(p, mapping, key, &item) ? steer_value_string(p, &item) : fallback;
}

uint64_t steer_doc_uint(struct steer_parse *p, const struct steer_item *mapping, const char *key,
                        uint64_t min, uint64_t max, uint64_t fallback)
{
    struct steer_item item;
    return steer_doc_find(p, mapping, key, &item) ? steer_value_uint(p, &item, min, max) : fallback;
}

uint64_t steer_doc_duration(struct steer_parse *p, const struct steer_item *mapping,
                            const char *key, uint64_t min_ms, uint64_t max_ms, uint64_t fallback)
{
    struct steer_item item;
    return steer_doc_find(p, mapping, key, &item) ? steer_value_duration(p, &item, min_ms, max_ms)
                                                  : fallback;
}

uint32_t steer_doc_seconds(struct steer_parse *p, const struct steer_item *mapping, const char *key,
                           uint32_t min_s, uint32_t fallback_s)
{
    struct steer_item item;
    if (!steer_doc_find(p, mapping, key, &item))
        return fallback_s;
    // RFC 2181 8: times of the DNS have 31 bits.
    uint64_t ms =
        steer_value_duration(p, &item, (uint64_t)min_s * 1000, (uint64_t)INT32_MAX * 1000);
    if (ms % 1000)
        steer_doc_fail(p, item.at, "'%s' must be whole seconds", key);
    return (uint32_t)(ms / 1000);
}

bool steer_doc_bool(struct steer_parse *p, const struct steer_item *mapping, const char *key,
                    bool fallback)
{
    struct steer_item item;
    if (!steer_doc_find(p, mapping, key, &item))
        return fallback;
    if (!json_is_boolean(item.json))
        steer_doc_mismatch(p, &item, "true or false");
    return json_is_true(item.json);
}

unsigned steer_doc_choice(struct steer_parse *p, const struct steer_item *mapping, const char *key,
                          const char *const *words, unsigned count, unsigned supported,
                          unsigned fallback)
{
    struct steer_item item;
    if (!steer_doc_find(p, mapping, key, &item))
        return fallback;
    char known[256], wanted[300];
    list_words(words, supported, known, sizeof known);
    snprintf(wanted, sizeof wanted, "one of %s", known);
    const char *text = json_string_value(item.json);
    if (!text) {
        steer_doc_mismatch(p, &item, wanted);
        return fallback;
    }
    for (unsigned i = 0; i < count; i++) {
        if (strcasecmp(text, words[i]) != 0)
            continue;
        if (i >= supported)
            steer_doc_fail(p, item.at, "%s '%s' is not supported by this version", key, text);
        return i;
    }
    const char *near = steer_nearest_word(text, words, supported);
    if (near)
        steer_doc_fail(p, item.at, "'%s' must be %s, not '%.60s'; did you mean '%s'?", key, wanted,
                       text, near);
    else
        steer_doc_fail(p, item.at, "'%s' must be %s, not '%.60s'", key, wanted, text);
    return fallback;
}
