// SPDX-License-Identifier: GPL-3.0-or-later
// Values -> YAML that people can go on with: short things on a line, the rest in blocks.
#include <stdlib.h>
#include <string.h>

#include "octodns_internal.h"

enum { WIDTH = 100, STEP = 2 };

struct writer {
    struct steer_buf *out;
    bool sorted;
};

// ---- order ---------------------------------------------------------------------------------------

int steer_natural_compare(const char *a, const char *b)
{
    const char *digits = "0123456789";
    while (*a && *b) {
        size_t x = strspn(a, digits), y = strspn(b, digits);
        if (x && y) {
            const char *m = a + strspn(a, "0"), *n = b + strspn(b, "0");
            size_t m_len = strspn(m, digits), n_len = strspn(n, digits);
            int order = m_len != n_len ? (m_len > n_len ? 1 : -1) : strncmp(m, n, m_len);
            if (order)
                return order;
            a += x;
            b += y;
            continue;
        }
        if (*a != *b)
            return (unsigned char)*a > (unsigned char)*b ? 1 : -1;
        a++;
        b++;
    }
    return (*a != 0) - (*b != 0);
}

static int by_name(const void *a, const void *b)
{
    return steer_natural_compare(*(const char *const *)a, *(const char *const *)b);
}

// The keys of a mapping in the order they are written in; the array is the caller's.
static const char **keys_of(const struct writer *w, const json_t *object, size_t *count)
{
    const char *key;
    json_t *value;
    *count = 0;
    const char **keys = steer_calloc(json_object_size(object), sizeof *keys);
    json_object_foreach((json_t *)(uintptr_t)object, key, value) keys[(*count)++] = key;
    if (w->sorted && *count)
        qsort(keys, *count, sizeof *keys, by_name);
    return keys;
}

// ---- scalars -------------------------------------------------------------------------------------

// Words that YAML 1.1 or 1.2 takes for something other than a string.
static bool is_keyword(const char *text)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no",
                                        "on",   "off",  "y",     "n"};
    for (size_t i = 0; i < STEER_ARRAY_LEN(words); i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return false;
}

static bool is_plain(const char *text)
{
    static const char *const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                       "0123456789_./-";
    size_t len = strlen(text);
    if (!len || strspn(text, allowed) != len || strchr("-.", *text) || is_keyword(text))
        return false;
    // Numbers and dates; an IPv4 address and its prefix are neither.
    bool dotted = strspn(text, "0123456789./") == len && strchr(text, '.') &&
                  strchr(text, '.') != strrchr(text, '.');
    bool number =
        *text >= '0' && *text <= '9' && strspn(text, "0123456789abcdefABCDEFoxOX_.-") == len;
    return dotted || !number;
}

static void put_string(struct steer_buf *out, const char *text)
{
    if (is_plain(text)) {
        steer_buf_puts(out, text);
        return;
    }
    json_t *string = json_string(text);
    char *quoted = json_dumps(string, JSON_ENCODE_ANY);
    steer_buf_puts(out, quoted ? quoted : "\"\"");
    free(quoted);
    json_decref(string);
}

static void put_scalar(struct steer_buf *out, const json_t *value)
{
    if (json_is_string(value)) {
        put_string(out, json_string_value(value));
        return;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    steer_buf_puts(out, text ? text : "null");
    free(text);
}

// ---- containers ----------------------------------------------------------------------------------

static void put_flow(const struct writer *w, struct steer_buf *out, const json_t *value)
{
    size_t i, count;
    const json_t *item;
    if (json_is_object(value)) {
        const char **keys = keys_of(w, value, &count);
        steer_buf_puts(out, "{");
        for (i = 0; i < count; i++) {
            steer_buf_puts(out, i ? ", " : "");
            put_string(out, keys[i]);
            steer_buf_puts(out, ": ");
            put_flow(w, out, json_object_get(value, keys[i]));
        }
        steer_buf_puts(out, "}");
        free(keys);
    } else if (json_is_array(value)) {
        steer_buf_puts(out, "[");
        json_array_foreach(value, i, item)
        {
            steer_buf_puts(out, i ? ", " : "");
            put_flow(w, out, item);
        }
        steer_buf_puts(out, "]");
    } else {
        put_scalar(out, value);
    }
}

static void put_blanks(struct steer_buf *out, unsigned count)
{
    while (count--)
        steer_buf_puts(out, " ");
}

// The value after "key:" or "-", when a line holds it. used: what stands on the line already.
static bool put_on_line(const struct writer *w, const json_t *value, size_t used, bool may_flow)
{
    struct steer_buf flow = {0};
    bool scalar = !json_is_object(value) && !json_is_array(value);
    bool empty = !scalar && json_object_size(value) + json_array_size(value) == 0;
    put_flow(w, &flow, value);
    bool fits = scalar || empty || (may_flow && used + flow.len + 1 <= WIDTH);
    if (fits) {
        steer_buf_puts(w->out, " ");
        steer_buf_puts(w->out, flow.data);
        steer_buf_puts(w->out, "\n");
    }
    steer_buf_fini(&flow);
    return fits;
}

static void put_block(const struct writer *w, const json_t *value, unsigned indent, bool begun);

static void put_mapping(const struct writer *w, const json_t *object, unsigned indent, bool begun)
{
    size_t count;
    const char **keys = keys_of(w, object, &count);
    for (size_t i = 0; i < count; i++) {
        size_t before = w->out->len;
        if (i || !begun)
            put_blanks(w->out, indent);
        put_string(w->out, keys[i]);
        steer_buf_puts(w->out, ":");
        const json_t *value = json_object_get(object, keys[i]);
        if (put_on_line(w, value, w->out->len - before + indent, indent > 0))
            continue;
        steer_buf_puts(w->out, "\n");
        put_block(w, value, indent + STEP, false);
    }
    free(keys);
}

static void put_list(const struct writer *w, const json_t *array, unsigned indent)
{
    size_t i;
    const json_t *item;
    json_array_foreach(array, i, item)
    {
        put_blanks(w->out, indent);
        steer_buf_puts(w->out, "-");
        if (put_on_line(w, item, indent + 1, true))
            continue;
        if (json_is_object(item)) {
            steer_buf_puts(w->out, " ");
            put_block(w, item, indent + STEP, true);
        } else {
            steer_buf_puts(w->out, "\n");
            put_block(w, item, indent + STEP, false);
        }
    }
}

// begun: the first line's indent stands there.
static void put_block(const struct writer *w, const json_t *value, unsigned indent, bool begun)
{
    if (json_is_object(value))
        put_mapping(w, value, indent, begun);
    else
        put_list(w, value, indent);
}

void steer_yaml_write(const json_t *root, bool sorted, struct steer_buf *out)
{
    const struct writer w = {out, sorted};
    put_block(&w, root, 0, false);
}
