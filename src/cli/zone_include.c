// SPDX-License-Identifier: GPL-3.0-or-later
// $INCLUDE (RFC 1035 5.1) taken out of a master file: the contents of each included file stand in its place in one text,
// which means the same to a reader that follows no includes. What the included file did to the origin, the default TTL
// and the last owner ends with it, so directives and an owner are put in after it where they are needed. Pure: files come
// through a callback.
//
// The text is cut into logical lines as libzscanner does it, since that is what reads the result: a quote goes over a
// line's end inside parentheses only, parentheses do not nest, a backslash takes the next character with it.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli_internal.h"
#include "steerd/base/mem.h"

enum { DEPTH_MAX = 8, INCLUDES_MAX = 1000 }; // as the reader of the room rr has them

// What records without a TTL have before any $TTL (src/control/incoming.c).
#define DEFAULT_TTL "3600"

// What a file says for the lines after. An id tells one statement from another; 0: nothing was said.
struct state {
    const char *origin;
    const char *ttl;
    const char *owner; // as it is written, owner_len characters, below owner_origin
    size_t owner_len;
    const char *owner_origin;
    unsigned origin_id, ttl_id, owner_id;
};

struct expander {
    const struct cli_zone_reader *reader;
    struct cli_zone_text *out;
    struct steer_diag *diag;
    struct steer_arena words; // origins and TTLs
    struct state said;        // by the text so far: only the ids
    unsigned last_id;
    uint32_t line; // the text's next one
    unsigned includes, depth;
    uint32_t open_files[DEPTH_MAX + 1]; // indexes of those being read, outermost first
};

// One file on its way.
struct source {
    const char *at, *end;
    uint32_t file; // index
    uint32_t line;
    struct state state;
};

// A logical line: physical ones as far as parentheses hold them together.
struct logical {
    const char *text;
    size_t len;
    uint32_t line;
    bool is_open; // the file ends inside its parenthesis
};

static enum steer_err expand_file(struct expander *x, struct source *src);

// ---- words

static bool next_logical(struct source *src, struct logical *logical)
{
    const char *p = src->at;
    bool quoted = false, comment = false, open = false;
    if (p == src->end)
        return false;
    *logical = (struct logical){.text = p, .line = src->line};
    for (; p < src->end; p++) {
        if (*p == '\n') {
            src->line++;
            comment = false;
            if (!open) {
                p++;
                break;
            }
        } else if (comment) {
            continue;
        } else if (*p == '\\' && p + 1 < src->end) {
            src->line += *++p == '\n';
        } else if (*p == '"') {
            quoted = !quoted;
        } else if (!quoted) {
            comment = *p == ';';
            open = *p == '(' || (open && *p != ')');
        }
    }
    logical->len = (size_t)(p - src->at);
    logical->is_open = open;
    src->at = p;
    return true;
}

struct word {
    const char *text; // without quotes
    size_t len;
};

static const char *skip_blanks(const char *p, const char *end)
{
    for (; p < end && strchr(" \t\r\n();", *p) && *p; p++)
        if (*p == ';' && !(p = memchr(p, '\n', (size_t)(end - p))))
            return end;
    return p;
}

// The next word from *at on; false when there is none. Empty when its quote is not closed on its line.
static bool next_word(const char **at, const char *end, struct word *word)
{
    const char *p = skip_blanks(*at, end);
    bool quoted = p < end && *p == '"';
    word->text = p += quoted;
    for (; p < end; p++) {
        if (*p == '\\' && p + 1 < end)
            p++;
        else if (quoted ? *p == '"' || *p == '\n' : *p && strchr(" \t\r\n();\"", *p))
            break;
    }
    bool closed = quoted && p < end && *p == '"';
    word->len = quoted && !closed ? 0 : (size_t)(p - word->text);
    *at = p + closed;
    return quoted || word->len;
}

static bool is_directive(const struct logical *logical, const char *name)
{
    size_t n = strlen(name);
    return logical->len >= n && strncasecmp(logical->text, name, n) == 0 &&
           (logical->len == n || strchr(" \t\r\n();", logical->text[n]));
}

// The word with its escapes resolved; NULL when it would have a NUL.
static char *plain_word(const struct word *word)
{
    struct steer_buf out = {0};
    for (size_t i = 0; i < word->len; i++) {
        unsigned char c = (unsigned char)word->text[i];
        if (c == '\\' && i + 1 < word->len) {
            const unsigned char *d = (const unsigned char *)word->text + ++i;
            c = *d;
            if (i + 2 < word->len && isdigit(d[0]) && isdigit(d[1]) && isdigit(d[2])) {
                c = (unsigned char)((d[0] - '0') * 100 + (d[1] - '0') * 10 + (d[2] - '0'));
                i += 2;
            }
        }
        if (c == '\0') {
            steer_buf_fini(&out);
            return NULL;
        }
        steer_buf_u8(&out, c);
    }
    return steer_buf_take(&out);
}

static bool is_absolute(const char *name, size_t len)
{
    size_t slashes = 0;
    if (len == 0 || name[len - 1] != '.')
        return false;
    while (slashes + 1 < len && name[len - 2 - slashes] == '\\')
        slashes++;
    return slashes % 2 == 0;
}

// Appends a name with all its labels; origin has them.
static void put_absolute(struct steer_buf *out, const char *name, size_t len, const char *origin)
{
    if (len == 1 && *name == '@') {
        steer_buf_puts(out, origin);
        return;
    }
    for (size_t i = 0; i < len; i++)
        if (name[i] == '\n')
            steer_buf_puts(out, "010"); // after a backslash; it must not make one line two
        else
            steer_buf_add(out, name + i, 1);
    if (is_absolute(name, len))
        return;
    steer_buf_puts(out, ".");
    if (strcmp(origin, ".") != 0)
        steer_buf_puts(out, origin);
}

static const char *absolute(struct expander *x, const struct word *name, const char *origin)
{
    struct steer_buf text = {0};
    put_absolute(&text, name->text, name->len, origin);
    const char *kept = steer_arena_strdup(&x->words, text.data);
    steer_buf_fini(&text);
    return kept;
}

// The zone's name, which need not have a final dot, as master files have it.
static const char *zone_origin(struct expander *x, const char *name)
{
    struct steer_buf text = {0};
    for (const char *p = name; *p; p++) {
        if (*p == '\\' && p[1])
            steer_buf_add(&text, p++, 2);
        else if (isalnum((unsigned char)*p) || strchr("*-_/.", *p))
            steer_buf_add(&text, p, 1);
        else
            steer_buf_printf(&text, "\\%03u", (unsigned char)*p);
    }
    if (!is_absolute(text.data, text.len))
        steer_buf_puts(&text, ".");
    const char *kept = steer_arena_strdup(&x->words, text.data);
    steer_buf_fini(&text);
    return kept;
}

// ---- the text

// Says where the text's next lines come from. is_fixed: all from this one line.
static void note_span(struct expander *x, uint32_t file, uint32_t line, uint32_t shift,
                      bool is_fixed)
{
    struct cli_zone_text *out = x->out;
    const struct cli_zone_span *last = out->span_count ? &out->spans[out->span_count - 1] : NULL;
    if (last && !last->is_fixed && !is_fixed && !shift && last->file == file &&
        line - last->source_line == x->line - last->line)
        return; // they go on
    out->spans = steer_grow(out->spans, &out->span_cap, out->span_count + 1, sizeof *out->spans);
    out->spans[out->span_count++] = (struct cli_zone_span){x->line, file, line, shift, is_fixed};
}

static enum steer_err put_lines(struct expander *x, const char *text, size_t len)
{
    struct steer_buf *out = &x->out->text;
    if (len > x->reader->max_bytes || out->len + len > x->reader->max_bytes)
        return steer_diag_set(x->diag, STEER_ELIMIT,
                              "the zone has more than %zu MiB with the files it includes: load it "
                              "as several zones",
                              x->reader->max_bytes >> 20);
    for (const char *p = text; (p = memchr(p, '\n', len - (size_t)(p - text))); p++)
        x->line++;
    steer_buf_add(out, text, len);
    return STEER_OK;
}

static enum steer_err put_directive(struct expander *x, const struct source *src, uint32_t line,
                                    const char *name, const char *value)
{
    struct steer_buf text = {0};
    note_span(x, src->file, line, 0, true);
    steer_buf_printf(&text, "%s %s\n", name, value);
    enum steer_err err = put_lines(x, text.data, text.len);
    steer_buf_fini(&text);
    return err;
}

// ---- includes

// Gives the error its place, unless it has one in a file further in.
static void place_error(struct expander *x, const struct source *src, uint32_t line)
{
    if (x->diag->line)
        return;
    snprintf(x->diag->file, sizeof x->diag->file, "%s", x->out->files[src->file].shown);
    x->diag->line = line;
    x->diag->column = 1;
}

static uint32_t add_file(struct cli_zone_text *out, struct cli_zone_file *file)
{
    out->files = steer_grow(out->files, &out->file_cap, out->file_count + 1, sizeof *out->files);
    out->files[out->file_count] = *file;
    *file = (struct cli_zone_file){0};
    return (uint32_t)out->file_count++;
}

static enum steer_err check_loop(const struct expander *x, const char *real)
{
    for (unsigned i = 0; i < x->depth; i++)
        if (strcmp(x->out->files[x->open_files[i]].real, real) == 0)
            return steer_diag_set(x->diag, STEER_EINVAL,
                                  "$INCLUDE of %.200s in a loop: it is being read already",
                                  x->out->files[x->open_files[i]].shown);
    return STEER_OK;
}

// Reads what the directive names, and expands it in the state given.
static enum steer_err include(struct expander *x, const struct source *src, const char *name,
                              const struct state *state)
{
    struct cli_zone_file file = {0};
    if (x->depth > DEPTH_MAX || x->includes == INCLUDES_MAX)
        return steer_diag_set(x->diag, STEER_ELIMIT,
                              "$INCLUDE is refused: more than %d files deep, or %d in all",
                              DEPTH_MAX, INCLUDES_MAX);
    x->includes++;
    enum steer_err err =
        x->reader->read(x->reader->ctx, x->out->files[src->file].shown, name, &file, x->diag);
    if (err == STEER_OK)
        err = check_loop(x, file.real);
    if (err != STEER_OK) {
        cli_zone_file_fini(&file);
        return err;
    }
    struct source child = {.at = file.text.data, .line = 1, .state = *state};
    child.end = child.at + file.text.len;
    child.file = add_file(x->out, &file);
    x->open_files[x->depth++] = child.file;
    err = expand_file(x, &child);
    x->depth--;
    if (err == STEER_OK && !x->reader->keep_texts)
        steer_buf_fini(&x->out->files[child.file].text);
    return err;
}

// The parent's origin and default TTL hold again; its owner comes with the next line that has none.
static enum steer_err restore(struct expander *x, const struct source *src, uint32_t line)
{
    enum steer_err err = STEER_OK;
    if (x->said.origin_id != src->state.origin_id)
        err = put_directive(x, src, line, "$ORIGIN", src->state.origin);
    if (err == STEER_OK && x->said.ttl_id != src->state.ttl_id)
        err = put_directive(x, src, line, "$TTL", src->state.ttl);
    x->said.origin_id = src->state.origin_id;
    x->said.ttl_id = src->state.ttl_id;
    return err;
}

static enum steer_err take_include(struct expander *x, const struct source *src,
                                   const struct logical *logical)
{
    const char *at = logical->text + strlen("$INCLUDE"), *end = logical->text + logical->len;
    struct word file, origin, more;
    struct state state = src->state;
    bool has_file = next_word(&at, end, &file) && file.len;
    bool has_origin = has_file && next_word(&at, end, &origin);
    char *name = has_file ? plain_word(&file) : NULL;
    enum steer_err err = STEER_OK;
    if (!name || (has_origin && (!origin.len || next_word(&at, end, &more))))
        err = steer_diag_set(x->diag, STEER_EINVAL,
                             "$INCLUDE takes the name of a file and, if any, an origin: $INCLUDE "
                             "FILE [ORIGIN]");
    if (err == STEER_OK && has_origin) {
        state.origin = absolute(x, &origin, state.origin);
        state.origin_id = x->said.origin_id = ++x->last_id;
        err = put_directive(x, src, logical->line, "$ORIGIN", state.origin);
    }
    if (err == STEER_OK)
        err = include(x, src, name, &state);
    if (err == STEER_OK)
        err = restore(x, src, logical->line);
    free(name);
    return err;
}

// ---- lines

static enum steer_err put_logical(struct expander *x, const struct source *src,
                                  const struct logical *logical, const struct steer_buf *owner)
{
    note_span(x, src->file, logical->line, (uint32_t)owner->len, false);
    enum steer_err err = owner->len ? put_lines(x, owner->data, owner->len) : STEER_OK;
    if (err == STEER_OK)
        err = put_lines(x, logical->text, logical->len);
    if (err == STEER_OK && logical->text[logical->len - 1] != '\n')
        err = put_lines(x, "\n", 1); // of a file's end
    return err;
}

static void note_directive(struct expander *x, struct source *src, const struct logical *logical)
{
    bool is_origin = is_directive(logical, "$ORIGIN");
    struct word value;
    const char *at = logical->text + strlen(is_origin ? "$ORIGIN" : "$TTL");
    if ((!is_origin && !is_directive(logical, "$TTL")) ||
        !next_word(&at, logical->text + logical->len, &value) || !value.len)
        return; // whoever reads the text says what is wrong
    if (is_origin) {
        src->state.origin = absolute(x, &value, src->state.origin);
        src->state.origin_id = x->said.origin_id = ++x->last_id;
    } else {
        char *ttl = steer_strndup(value.text, value.len);
        src->state.ttl = steer_arena_strdup(&x->words, ttl);
        src->state.ttl_id = x->said.ttl_id = ++x->last_id;
        free(ttl);
    }
}

static void note_owner(struct expander *x, struct source *src, const struct logical *logical)
{
    const char *at = logical->text;
    struct word owner;
    if (!next_word(&at, logical->text + logical->len, &owner) || owner.text != logical->text)
        return; // a quote, which is no name
    src->state.owner = owner.text;
    src->state.owner_len = owner.len;
    src->state.owner_origin = src->state.origin;
    src->state.owner_id = x->said.owner_id = ++x->last_id;
}

// A record whose line begins with a blank, after a file that has stated other owners: it gets its own.
static enum steer_err give_owner(struct expander *x, const struct source *src,
                                 struct steer_buf *owner)
{
    const struct state *state = &src->state;
    if (!state->owner_id)
        return steer_diag_set(
            x->diag, STEER_EINVAL,
            "a line that begins with a blank takes the owner of the record before "
            "it, and there is none but in a file that ended: write the owner");
    put_absolute(owner, state->owner, state->owner_len, state->owner_origin);
    steer_buf_puts(owner, " ");
    x->said.owner_id = state->owner_id;
    return STEER_OK;
}

static enum steer_err take_logical(struct expander *x, struct source *src,
                                   const struct logical *logical)
{
    struct steer_buf owner = {0};
    const char *end = logical->text + logical->len;
    enum steer_err err = STEER_OK;
    bool is_include = is_directive(logical, "$INCLUDE");
    if (logical->is_open && (x->depth > 1 || is_include)) // it would swallow what follows
        return steer_diag_set(x->diag, STEER_EINVAL,
                              "the parenthesis opened in this record is never closed");
    if (is_include)
        return take_include(x, src, logical);
    if (*logical->text == '$')
        note_directive(x, src, logical);
    else if (!strchr(" \t(", *logical->text))
        note_owner(x, src, logical);
    else if (src->state.owner_id != x->said.owner_id && skip_blanks(logical->text, end) < end)
        err = give_owner(x, src, &owner);
    if (err == STEER_OK)
        err = put_logical(x, src, logical, &owner);
    steer_buf_fini(&owner);
    return err;
}

// A UTF-8 byte order mark; it would not stand at the start any more.
static void pass_mark(struct source *src)
{
    if (src->end - src->at >= 3 && memcmp(src->at, "\xef\xbb\xbf", 3) == 0)
        src->at += 3;
}

static enum steer_err expand_file(struct expander *x, struct source *src)
{
    struct logical logical;
    enum steer_err err = STEER_OK;
    pass_mark(src);
    while (err == STEER_OK && next_logical(src, &logical)) {
        err = take_logical(x, src, &logical);
        if (err != STEER_OK)
            place_error(x, src, logical.line);
    }
    return err;
}

static bool has_include(struct source src)
{
    struct logical logical;
    const char *word = "$INCLUDE", *p = src.at;
    while (p && (p = memchr(p, '$', (size_t)(src.end - p))) &&
           ((size_t)(src.end - p) < strlen(word) || strncasecmp(p, word, strlen(word)) != 0))
        p++;
    if (!p)
        return false; // most files: without taking them to pieces
    pass_mark(&src);
    while (next_logical(&src, &logical))
        if (is_directive(&logical, "$INCLUDE"))
            return true;
    return false;
}

enum steer_err cli_zone_expand(struct cli_zone_file *top, const char *origin,
                               const struct cli_zone_reader *reader, struct cli_zone_text *out,
                               struct steer_diag *diag)
{
    struct expander x = {
        .reader = reader, .out = out, .diag = diag, .last_id = 1, .line = 1, .depth = 1};
    struct source src = {.at = top->text.data, .line = 1};
    src.end = src.at + top->text.len;
    if (!top->text.len || !has_include(src)) {
        out->text = top->text;
        top->text = (struct steer_buf){0};
        cli_zone_file_fini(top);
        return STEER_OK;
    }
    *diag = (struct steer_diag){0};
    steer_arena_init(&x.words);
    src.state = (struct state){.origin = zone_origin(&x, origin), .ttl = DEFAULT_TTL};
    src.file = x.open_files[0] = add_file(out, top);
    enum steer_err err = expand_file(&x, &src);
    if (err == STEER_OK && !reader->keep_texts)
        steer_buf_fini(&out->files[src.file].text);
    steer_arena_fini(&x.words);
    return err;
}
