// SPDX-License-Identifier: GPL-3.0-or-later
//
// libzscanner reads items (records, errors, includes) one by one; this file adds the places. The scanner's own
// line counter misses line ends inside quotes and counts on while it looks ahead, so lines are counted
// here, from where the scanner stands after each item: at the end of the item's last line.
#include "steerd/rr/zonefile.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rr_internal.h"
#include "steerd/base/mem.h"

enum { INCLUDES_MAX = 1000, INCLUDE_BYTES_MAX = 1 << 30 };

struct reader {
    const struct steer_zonefile_options *opts;
    int (*record)(void *ctx, const struct steer_rr *rr);
    void *ctx;
    struct steer_diag *diag;
    unsigned includes;
    unsigned depth;
    const char *open_files[STEER_INCLUDE_DEPTH_MAX]; // those being included, outermost first
};

// One file on its way through the scanner.
struct source {
    const char *data;
    size_t len;
    const char *file;
    zs_scanner_t *scanner;
    size_t next;        // where the line after the last item begins
    uint32_t next_line; // its number
    uint32_t open_line; // the last record began here and its parenthesis is still open; 0: none is
};

// Where an item stands.
struct place {
    size_t end;         // offset of its last line's end
    uint32_t line;      // the line it begins on
    uint32_t column;    // and where in it
    uint32_t last_line; // the line it ends on
};

static enum steer_err read_source(struct reader *reader, const char *data, size_t len,
                                  const char *file, const struct steer_name *origin, uint32_t ttl);

static uint32_t count_lines(const char *from, const char *to)
{
    uint32_t n = 0;
    while ((from = memchr(from, '\n', (size_t)(to - from)))) {
        from++;
        n++;
    }
    return n;
}

// The first character from p on that is none of `skip`; stop when all are. The data has no NUL at its end.
static const char *skip_over(const char *p, const char *stop, const char *skip)
{
    while (p < stop && *p && strchr(skip, *p))
        p++;
    return p;
}

// Lines before the item's first one: blank, comments, directives, and the end of a parenthesis. *line is
// where that one begins.
static uint32_t count_lead(const struct source *src, size_t end, const char **line)
{
    const char *p = src->data + src->next;
    const char *stop = src->data + end;
    for (uint32_t n = 0;; n++) {
        const char *first = skip_over(p, stop, src->open_line ? " \t)" : " \t");
        *line = p;
        if (first == stop || (*first != '\n' && *first != ';' && *p != '$'))
            return n;
        p = memchr(first, '\n', (size_t)(stop - first));
        if (!p)
            return n;
        p++;
    }
}

static struct place find_place(const struct source *src)
{
    const zs_scanner_t *scanner = src->scanner;
    struct place place;
    // At the end the scanner reads a line end of its own instead of the input.
    place.end = scanner->input.eof ? src->len : (size_t)(scanner->input.current - src->data);
    if (place.end < src->next)
        place.end = src->next;
    uint32_t lines = count_lines(src->data + src->next, src->data + place.end);
    place.last_line = src->next_line + lines;
    const char *line = src->data + src->next;
    place.line = src->next_line + (lines ? count_lead(src, place.end, &line) : 0);
    place.column = (uint32_t)(skip_over(line, src->data + place.end, " \t") - line) + 1;
    return place;
}

static void pass(struct source *src, const struct place *place)
{
    src->next = place->end < src->len ? place->end + 1 : src->len;
    src->next_line = place->last_line + 1;
}

// The scanner takes a record as complete at the end of a line inside its parenthesis, when nothing is
// missing. Then only the closing one may follow.
static bool is_closed(const struct source *src, size_t end, uint32_t *line)
{
    const char *p = src->data + src->next;
    const char *stop = src->data + end;
    *line = src->next_line;
    while ((p = skip_over(p, stop, " \t")) < stop && (*p == '\n' || *p == ';')) {
        p = memchr(p, '\n', (size_t)(stop - p));
        if (!p)
            return false;
        p++;
        ++*line;
    }
    return p < stop && *p == ')';
}

static bool begins_with(const char *line, const char *end, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(end - line) >= n && strncasecmp(line, word, n) == 0;
}

static enum steer_err explain(const struct reader *reader, struct source *src,
                              const struct place *place)
{
    zs_scanner_t *scanner = src->scanner;
    if (scanner->error.code == ZS_UNCLOSED_MULTILINE)
        return steer_diag_at(reader->diag, src->file, src->open_line ? src->open_line : place->line,
                             0, "the parenthesis opened in this record is never closed");
    if (scanner->error.code == ZS_UNCOVERED_STATE)
        return steer_diag_at(reader->diag, src->file, (uint32_t)scanner->line_counter, 0, "%s",
                             zs_strerror(scanner->error.code));
    const char *end = src->data + place->end;
    const char *line = memrchr(src->data, '\n', place->end);
    line = line ? line + 1 : src->data;
    if (scanner->error.code == ZS_BAD_DIRECTIVE && begins_with(line, end, "$GENERATE"))
        return steer_diag_at(reader->diag, src->file, place->last_line, 1,
                             "$GENERATE is not supported: write its records out (named-compilezone "
                             "does) and import those");
    if (begins_with(line, end, "$TTL"))
        scanner->error.code = ZS_BAD_TTL; // rather than what is wrong with it as a number
    // The scanner has kept the rest of the line from the error on.
    size_t rest = scanner->buffer_length ? scanner->buffer_length - 1 : 0;
    size_t width = (size_t)(end - line);
    size_t column = rest <= width ? width - rest : 0;
    struct steer_buf reason = {0};
    steer_scanner_reason(scanner, line + column, width - column, &reason);
    enum steer_err err = steer_diag_at(reader->diag, src->file, place->last_line,
                                       (uint32_t)column + 1, "%s", reason.data);
    steer_buf_fini(&reason);
    return err;
}

static enum steer_err take_record(struct reader *reader, struct source *src,
                                  const struct place *place)
{
    zs_scanner_t *scanner = src->scanner;
    const char *text = src->data + src->next;
    size_t len = place->end - src->next;
    bool generic = memchr(text, '\\', len) && memmem(text, len, "\\#", 2);
    const char *reason = steer_record_reason(scanner, generic);
    if (reason)
        return steer_diag_at(reader->diag, src->file, place->line, 0, "%s", reason);
    // In place: a following record without an owner takes it as it is here. Length octets lie below 'A'.
    for (uint32_t i = 0; i < scanner->r_owner_length; i++)
        scanner->r_owner[i] = steer_lower(scanner->r_owner[i]);
    struct steer_rr rr = {
        .owner = scanner->r_owner,
        .owner_len = (uint8_t)scanner->r_owner_length,
        .type = scanner->r_type,
        .class = scanner->r_class,
        .ttl = scanner->r_ttl,
        .rdata = scanner->r_data,
        .rdata_len = (uint16_t)scanner->r_data_length,
        .file = src->file,
        .line = place->line,
        .column = place->column,
    };
    return reader->record(reader->ctx, &rr) ? STEER_ESTOPPED : STEER_OK;
}

static enum steer_err read_included(struct reader *reader, const char *path,
                                    const struct steer_name *origin, uint32_t ttl)
{
    for (unsigned i = 0; i < reader->depth; i++)
        if (strcmp(reader->open_files[i], path) == 0)
            return steer_diag_set(reader->diag, STEER_EINVAL, "$INCLUDE of %.200s in a loop", path);
    if (reader->depth == STEER_INCLUDE_DEPTH_MAX || reader->includes == INCLUDES_MAX)
        return steer_diag_set(reader->diag, STEER_ELIMIT,
                              "$INCLUDE is refused: more than %d files deep, or %d in all",
                              STEER_INCLUDE_DEPTH_MAX, INCLUDES_MAX);
    struct steer_buf contents = {0};
    enum steer_err err = steer_buf_read_file(&contents, path, INCLUDE_BYTES_MAX, reader->diag);
    if (err == STEER_OK) {
        reader->includes++;
        reader->open_files[reader->depth++] = path;
        err = read_source(reader, contents.data, contents.len, path, origin, ttl);
        reader->depth--;
    }
    steer_buf_fini(&contents);
    return err;
}

static enum steer_err take_include(struct reader *reader, const struct source *src,
                                   const struct place *place)
{
    const zs_scanner_t *scanner = src->scanner;
    const char *name = scanner->include_filename;
    if (strncmp(name, "./", 2) == 0)
        name += 2; // the scanner puts its own folder, ".", before a relative name
    if (!reader->opts || !reader->opts->include_dir)
        return steer_diag_at(reader->diag, src->file, place->last_line, 1,
                             "$INCLUDE is refused here: put the records of '%.200s' in its place",
                             name);
    // A name given with $INCLUDE is in r_data; dname is NULL when none was.
    struct steer_name origin;
    bool named = scanner->dname != NULL;
    if (!steer_name_from_wire(named ? scanner->r_data : scanner->zone_origin,
                              named ? scanner->r_data_length : scanner->zone_origin_length,
                              &origin))
        return steer_diag_at(reader->diag, src->file, place->last_line, 1, "%s",
                             zs_strerror(ZS_BAD_INCLUDE_ORIGIN));
    char *path = NULL;
    struct steer_diag unused;
    struct steer_diag *diag = reader->diag ? reader->diag : &unused;
    diag->line = 0;
    enum steer_err err = steer_include_resolve(reader->opts->include_dir, name, &path, diag);
    if (err == STEER_OK)
        err = read_included(reader, path, &origin, scanner->default_ttl);
    // An error inside the included file has its place already; one about the directive gets ours.
    if (err != STEER_OK && err != STEER_ESTOPPED && diag->line == 0) {
        char message[sizeof diag->message];
        memcpy(message, diag->message, sizeof message);
        steer_diag_at(diag, src->file, place->last_line, 1, "%s", message);
    }
    free(path);
    return err;
}

static enum steer_err take_item(struct reader *reader, struct source *src)
{
    struct place place = find_place(src);
    uint32_t line;
    if (src->open_line && src->scanner->error.code != ZS_UNCLOSED_MULTILINE &&
        !is_closed(src, place.end, &line))
        return steer_diag_at(reader->diag, src->file, line, 0,
                             "a closing parenthesis is missing before this line, or this does not "
                             "belong to the record on line %u",
                             src->open_line);
    enum steer_err err;
    if (src->scanner->state == ZS_STATE_DATA)
        err = take_record(reader, src, &place);
    else if (src->scanner->state == ZS_STATE_INCLUDE)
        err = take_include(reader, src, &place);
    else
        err = explain(reader, src, &place);
    src->open_line = src->scanner->multiline ? place.line : 0;
    pass(src, &place);
    return err;
}

static enum steer_err read_items(struct reader *reader, struct source *src)
{
    enum steer_err err = STEER_OK;
    while (err == STEER_OK) {
        src->scanner->r_type = 0;
        if (zs_parse_record(src->scanner) != 0)
            return explain(reader, src,
                           &(struct place){src->next, src->next_line, 0, src->next_line});
        if (src->scanner->state == ZS_STATE_EOF)
            break;
        err = take_item(reader, src);
    }
    return err;
}

// LF for CR LF, which libzscanner refuses.
static char *strip_returns(const char *data, size_t *len)
{
    char *copy = steer_alloc(*len + 1);
    size_t n = 0;
    for (size_t i = 0; i < *len; i++)
        if (data[i] != '\r' || i + 1 == *len || data[i + 1] != '\n')
            copy[n++] = data[i];
    copy[n] = '\0';
    *len = n;
    return copy;
}

static enum steer_err read_source(struct reader *reader, const char *data, size_t len,
                                  const char *file, const struct steer_name *origin, uint32_t ttl)
{
    char *copy = NULL;
    if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) { // what some editors put before UTF-8
        data += 3;
        len -= 3;
    }
    if (len && memmem(data, len, "\r\n", 2))
        data = copy = strip_returns(data, &len);
    struct source src = {.data = len ? data : "", .len = len, .file = file, .next_line = 1};
    src.scanner = steer_scanner_create(origin, ttl, src.data, len);
    enum steer_err err;
    if (src.scanner) {
        err = read_items(reader, &src);
        steer_scanner_destroy(src.scanner);
    } else {
        err = steer_diag_at(reader->diag, file, 0, 0, "the file cannot be read");
    }
    free(copy);
    return err;
}

enum steer_err steer_zonefile_read(const char *data, size_t len, const char *file_name,
                                   const struct steer_name *origin, uint32_t default_ttl,
                                   const struct steer_zonefile_options *opts,
                                   int (*record)(void *ctx, const struct steer_rr *rr), void *ctx,
                                   struct steer_diag *diag)
{
    struct reader reader = {.opts = opts, .record = record, .ctx = ctx, .diag = diag};
    return read_source(&reader, data, len, file_name, origin, default_ttl);
}
