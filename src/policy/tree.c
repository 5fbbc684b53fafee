// SPDX-License-Identifier: GPL-3.0-or-later
// The builder that both text readers feed, and the table of places beside the tree it builds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_internal.h"

unsigned steer_utf8_octets(const char *text, size_t left)
{
    const uint8_t *s = (const uint8_t *)text;
    if (!left)
        return 0;
    if (s[0] < 0x80)
        return 1;
    // RFC 3629 4: no overlong forms, no surrogates, nothing above U+10FFFF.
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        return left > 1 && (s[1] & 0xc0) == 0x80 ? 2 : 0;
    if ((s[0] & 0xf0) == 0xe0) {
        uint8_t low = s[0] == 0xe0 ? 0xa0 : 0x80;
        uint8_t high = s[0] == 0xed ? 0x9f : 0xbf;
        return left > 2 && s[1] >= low && s[1] <= high && (s[2] & 0xc0) == 0x80 ? 3 : 0;
    }
    if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        uint8_t low = s[0] == 0xf0 ? 0x90 : 0x80;
        uint8_t high = s[0] == 0xf4 ? 0x8f : 0xbf;
        bool valid = left > 3 && s[1] >= low && s[1] <= high && (s[2] & 0xc0) == 0x80 &&
                     (s[3] & 0xc0) == 0x80;
        return valid ? 4 : 0;
    }
    return 0;
}

void steer_message_clean(char *message)
{
    size_t left = strlen(message);
    while (left) {
        unsigned n = steer_utf8_octets(message, left);
        bool c1 = n == 2 && (uint8_t)message[0] == 0xc2 && (uint8_t)message[1] < 0xa0;
        if (n == 0 || c1 || (uint8_t)*message < 0x20 || *message == 0x7f) {
            *message = '?';
            n = 1;
        }
        message += n;
        left -= n;
    }
}

// ---- places --------------------------------------------------------------------------------------

static size_t span_slot(const struct steer_tree *tree, const json_t *container)
{
    size_t i = (size_t)steer_mix64((uintptr_t)container) & (tree->span_cap - 1);
    while (tree->spans[i].container && tree->spans[i].container != container)
        i = (i + 1) & (tree->span_cap - 1);
    return i;
}

static void span_add(struct steer_tree *tree, const json_t *container, size_t first)
{
    if ((tree->span_used + 1) * 4 > tree->span_cap * 3) {
        struct steer_span *old = tree->spans;
        size_t old_cap = tree->span_cap;
        tree->span_cap = old_cap ? old_cap * 2 : 64;
        tree->spans = steer_calloc(tree->span_cap, sizeof *tree->spans);
        for (size_t i = 0; i < old_cap; i++)
            if (old[i].container)
                tree->spans[span_slot(tree, old[i].container)] = old[i];
        free(old);
    }
    tree->spans[span_slot(tree, container)] = (struct steer_span){container, first};
    tree->span_used++;
}

const struct steer_position *steer_tree_positions(const struct steer_tree *tree,
                                                  const json_t *container)
{
    return tree->positions + tree->spans[span_slot(tree, container)].first;
}

void steer_tree_fini(struct steer_tree *tree)
{
    json_decref(tree->root);
    free(tree->spans);
    free(tree->positions);
    memset(tree, 0, sizeof *tree);
}

// ---- builder -------------------------------------------------------------------------------------

void steer_builder_fail(struct steer_builder *b, struct steer_where at, const char *fmt, ...)
{
    if (b->err)
        return;
    char message[sizeof b->diag->message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    steer_message_clean(message);
    b->err = steer_diag_at(b->diag, b->file, at.line, at.column, "%s", message);
}

uint64_t steer_scalar_cost(size_t len)
{
    return 1 + len / 64;
}

static struct steer_frame *top(struct steer_builder *b)
{
    return b->depth ? &b->frames[b->depth - 1] : NULL;
}

bool steer_builder_wants_key(const struct steer_builder *b)
{
    const struct steer_frame *frame = b->depth ? &b->frames[b->depth - 1] : NULL;
    return frame && json_is_object(frame->container) && !frame->key;
}

void steer_builder_open(struct steer_builder *b, bool mapping, struct steer_where at)
{
    if (b->err)
        return;
    if (steer_builder_wants_key(b)) {
        steer_builder_fail(b, at, "a key must be plain text, not a list or a mapping");
        return;
    }
    if (b->depth == STEER_TREE_DEPTH_MAX) {
        steer_builder_fail(b, at, "nested deeper than %d levels", STEER_TREE_DEPTH_MAX);
        return;
    }
    struct steer_frame *frame = &b->frames[b->depth++];
    frame->container = mapping ? json_object() : json_array();
    frame->at = at;
    frame->count = 0;
}

json_t *steer_builder_close(struct steer_builder *b)
{
    if (b->err)
        return NULL;
    struct steer_frame *frame = top(b);
    struct steer_tree *tree = b->tree;
    size_t first = tree->position_count;
    tree->positions = steer_grow(tree->positions, &tree->position_cap, first + frame->count + 1,
                                 sizeof *tree->positions);
    if (frame->count)
        memcpy(tree->positions + first, frame->positions, frame->count * sizeof *frame->positions);
    tree->position_count += frame->count;
    span_add(tree, frame->container, first);
    json_t *container = frame->container;
    frame->container = NULL;
    b->depth--;
    steer_builder_value(b, container, 1, frame->at);
    return b->err ? NULL : container;
}

static void duplicate(struct steer_builder *b, const struct steer_frame *frame, const char *key,
                      struct steer_where at)
{
    const char *other;
    json_t *value;
    size_t i = 0;
    json_object_foreach(frame->container, other, value)
    {
        if (strcmp(other, key) == 0)
            break;
        i++;
    }
    struct steer_where first = frame->positions[i].key_at;
    steer_builder_fail(b, at, "key '%.100s' is given twice; it first stands at line %u, column %u",
                       key, first.line, first.column);
}

void steer_builder_key(struct steer_builder *b, const char *text, size_t len, struct steer_where at)
{
    if (b->err)
        return;
    struct steer_frame *frame = top(b);
    if (memchr(text, '\0', len)) {
        steer_builder_fail(b, at, "a key must not hold a NUL");
        return;
    }
    frame->key = steer_strndup(text, len);
    frame->key_at = at;
    if (json_object_get(frame->container, frame->key))
        duplicate(b, frame, frame->key, at);
}

void steer_builder_value(struct steer_builder *b, json_t *value, uint64_t cost,
                         struct steer_where at)
{
    if (b->err) {
        json_decref(value);
        return;
    }
    b->cost += cost;
    if (++b->nodes > STEER_TREE_NODES_MAX)
        steer_builder_fail(b, at, "more than %d values in one document", STEER_TREE_NODES_MAX);
    struct steer_frame *frame = top(b);
    if (!frame) {
        b->tree->root = value;
        b->tree->at = at;
        return;
    }
    frame->positions =
        steer_grow(frame->positions, &frame->cap, frame->count + 1, sizeof *frame->positions);
    frame->positions[frame->count++] = (struct steer_position){frame->key_at, at};
    int failed = 0;
    if (json_is_array(frame->container))
        failed = json_array_append_new(frame->container, value);
    else
        failed = json_object_set_new(frame->container, frame->key, value);
    if (failed)
        steer_builder_fail(b, at, "text that is not valid Unicode");
    free(frame->key);
    frame->key = NULL;
}

// ---- text ----------------------------------------------------------------------------------------

// libfyaml keeps the tokens of a whole line while a key may still end on it, some 400 bytes for each
// octet in the worst case, so that lines are bounded. JSON, which is often one line, is read otherwise.
enum { YAML_LINE_MAX = 256 * 1024 };

static void check_text(struct steer_builder *b, const char *text, size_t len, bool json)
{
    struct steer_where at = {1, 1};
    size_t line_start = 0;
    for (size_t i = 0; i < len && !b->err;) {
        unsigned n = steer_utf8_octets(text + i, len - i);
        if (n == 0)
            steer_builder_fail(b, at, "not valid UTF-8 (octet 0x%02x)", (uint8_t)text[i]);
        else if (!text[i])
            steer_builder_fail(b, at, "a NUL; documents are text");
        else if (!json && i - line_start > YAML_LINE_MAX)
            steer_builder_fail(b, (struct steer_where){at.line, 1},
                               "a line of more than %d octets; break it up", YAML_LINE_MAX);
        else if (!json && text[i] == '%' && i == line_start &&
                 (len - i < 9 || memcmp(text + i, "%YAML 1.2", 9) != 0))
            steer_builder_fail(b, at,
                               "directives other than %%YAML 1.2 are not supported; text that "
                               "begins with '%%' must be indented");
        at.column++;
        if (text[i] == '\n') {
            at = (struct steer_where){at.line + 1, 1};
            line_start = i + 1;
        }
        i += n;
    }
}

enum steer_err steer_tree_parse(const char *text, size_t len, const char *file,
                                struct steer_tree *tree, struct steer_diag *diag)
{
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { // a byte order mark
        text += 3;
        len -= 3;
    }
    size_t blank = 0;
    while (blank < len && strchr(" \t\r\n", text[blank]) && text[blank])
        blank++;
    bool json = blank < len && (text[blank] == '{' || text[blank] == '[');
    struct steer_builder *b = steer_calloc(1, sizeof *b);
    memset(tree, 0, sizeof *tree);
    *b = (struct steer_builder){.tree = tree, .file = file, .diag = diag};
    check_text(b, text, len, json);
    if (!b->err && json)
        steer_json_read(b, text, len);
    else if (!b->err)
        steer_yaml_read(b, text, len);
    if (!b->err && (!tree->root || json_is_null(tree->root)))
        steer_builder_fail(b, (struct steer_where){1, 1}, "the document is empty");
    enum steer_err err = b->err;
    for (unsigned i = 0; i < b->depth; i++)
        json_decref(b->frames[i].container);
    for (unsigned i = 0; i < STEER_TREE_DEPTH_MAX; i++) {
        free(b->frames[i].key);
        free(b->frames[i].positions);
    }
    free(b);
    if (err)
        steer_tree_fini(tree);
    return err;
}
