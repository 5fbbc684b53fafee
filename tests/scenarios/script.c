// SPDX-License-Identifier: GPL-3.0-or-later
#include "script.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/base/mem.h"

enum { FILE_MAX_BYTES = 16 << 20 };

void script_open(struct script *s, const char *path)
{
    struct steer_diag diag = {0};
    s->path = path;
    const char *slash = strrchr(path, '/');
    s->folder = slash ? steer_strndup(path, (size_t)(slash - path)) : steer_strdup(".");
    if (steer_buf_read_file(&s->text, path, FILE_MAX_BYTES, &diag) != STEER_OK) {
        fprintf(stderr, "%s\n", diag.message);
        exit(2);
    }
    size_t cap = 0;
    char *rest = s->text.data;
    for (char *line; (line = strsep(&rest, "\n"));) {
        s->lines = steer_grow(s->lines, &cap, s->line_count + 1, sizeof(char *));
        s->lines[s->line_count++] = line;
    }
}

void script_close(struct script *s)
{
    steer_buf_fini(&s->text);
    free(s->lines);
    free(s->folder);
}

// ---- lines and words -----------------------------------------------------------------------------

// The end of a line's words: a # that begins a word outside quotes.
static size_t without_comment(const char *text)
{
    bool quoted = false;
    size_t i = 0;
    for (; text[i]; i++) {
        if (text[i] == '"')
            quoted = !quoted;
        if (text[i] == '#' && !quoted && (i == 0 || isspace((unsigned char)text[i - 1])))
            break;
    }
    while (i && isspace((unsigned char)text[i - 1]))
        i--;
    return i;
}

static char *next_word(char **at)
{
    char *from = *at;
    while (isspace((unsigned char)*from))
        from++;
    if (!*from)
        return NULL;
    bool quoted = *from == '"';
    char *word = quoted ? ++from : from;
    while (*from && (quoted ? *from != '"' : !isspace((unsigned char)*from)))
        from++;
    *at = *from ? from + 1 : from;
    *from = '\0';
    return word;
}

static void cut_line(struct script *s, struct line *line, const char *text)
{
    size_t len = without_comment(text);
    line->number = (unsigned)s->at;
    line->indented = isspace((unsigned char)text[0]);
    line->count = 0;
    if (len >= LINE_MAX_BYTES)
        script_broken(s, line->number, "the line is too long");
    memcpy(line->raw, text, len);
    line->raw[len] = '\0';
    memcpy(line->cut, line->raw, len + 1);
    char *at = line->cut;
    for (char *word; (word = next_word(&at));) {
        if (line->count == WORDS_MAX)
            script_broken(s, line->number, "too many words");
        size_t offset = (size_t)(word - line->cut);
        if (offset && line->raw[offset - 1] == '"')
            offset--;
        line->tails[line->count] = line->raw + offset;
        line->words[line->count++] = word;
    }
}

bool script_line(struct script *s, struct line *line)
{
    while (s->at < s->line_count) {
        const char *text = s->lines[s->at++];
        if (without_comment(text) == 0)
            continue;
        cut_line(s, line, text);
        return true;
    }
    return false;
}

bool script_detail(struct script *s, struct line *line)
{
    size_t before = s->at;
    if (script_line(s, line) && line->indented)
        return true;
    s->at = before;
    return false;
}

void script_block(struct script *s, const struct line *line, const char *tag, struct steer_buf *out)
{
    while (s->at < s->line_count) {
        const char *text = s->lines[s->at++];
        size_t blanks = strspn(text, " \t");
        if (strcmp(text + blanks, tag) == 0)
            return;
        steer_buf_printf(out, "%s\n", text);
    }
    script_broken(s, line->number, "the block has no end: '%s' is missing", tag);
}

// ---- the account ---------------------------------------------------------------------------------

void script_broken(const struct script *s, unsigned line, const char *fmt, ...)
{
    va_list args;
    fprintf(stderr, "%s:%u: ", s->path, line);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

void script_met(struct script *s, unsigned line)
{
    s->met++;
    if (s->all_must_fail)
        printf("%s:%u: this is wrong, and was not noticed\n", s->path, line);
}

void script_missed(struct script *s, unsigned line, const char *got, const char *wanted_fmt, ...)
{
    va_list args;
    s->missed++;
    if (s->all_must_fail)
        return;
    printf("%s:%u:\n  wanted: ", s->path, line);
    va_start(args, wanted_fmt);
    vprintf(wanted_fmt, args);
    va_end(args);
    printf("\n  got:    %s\n", got);
}

void script_judge(struct script *s, unsigned line, bool met, const char *wanted, const char *got)
{
    if (met)
        script_met(s, line);
    else
        script_missed(s, line, got, "%s", wanted);
}

unsigned long script_number(const struct script *s, const struct line *line, unsigned word,
                            unsigned long max)
{
    if (word >= line->count)
        script_broken(s, line->number, "a number is missing after '%s'", line->words[word - 1]);
    char *end;
    unsigned long value = strtoul(line->words[word], &end, 10);
    if (*end || end == line->words[word] || value > max)
        script_broken(s, line->number, "'%s' is not a number up to %lu", line->words[word], max);
    return value;
}
