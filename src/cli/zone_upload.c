// SPDX-License-Identifier: GPL-3.0-or-later
// Many zones in one request: the list of them, and the stream.
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli_internal.h"
#include "steerd/base/clock.h"
#include "steerd/base/mem.h"

#define UPLOAD_MAX ((size_t)512 << 20)

// ---- the list

static char *path_beside(const char *list_path, const char *path, size_t len)
{
    const char *slash = strrchr(list_path, '/');
    struct steer_buf out = {0};
    if (path[0] != '/' && slash)
        steer_buf_add(&out, list_path, (size_t)(slash - list_path) + 1);
    steer_buf_add(&out, path, len);
    return steer_buf_take(&out);
}

static bool parse_line(const char *line, size_t len, const char *list_path,
                       struct cli_zone_list *list)
{
    while (len && isspace((unsigned char)line[len - 1]))
        len--;
    size_t origin = 0;
    while (origin < len && !isspace((unsigned char)line[origin]))
        origin++;
    size_t path = origin;
    while (path < len && isspace((unsigned char)line[path]))
        path++;
    if (path == len)
        return false;
    list->items = steer_grow(list->items, &list->cap, list->count + 1, sizeof *list->items);
    list->items[list->count++] = (struct cli_zone_item){
        steer_strndup(line, origin), path_beside(list_path, line + path, len - path)};
    return true;
}

bool cli_zone_list_parse(const struct cli *cli, const char *text, const char *list_path,
                         struct cli_zone_list *list)
{
    unsigned number = 1;
    for (const char *line = text; *line; number++) {
        size_t len = strcspn(line, "\n");
        const char *next = line + len + (line[len] == '\n');
        while (len && isspace((unsigned char)*line)) {
            line++;
            len--;
        }
        if (len && *line != '#' && !parse_line(line, len, list_path, list)) {
            cli_error(cli, "%s:%u: expected 'ORIGIN PATH'", list_path, number);
            return false;
        }
        line = next;
    }
    return true;
}

void cli_zone_list_fini(struct cli_zone_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].origin);
        free(list->items[i].path);
    }
    free(list->items);
    *list = (struct cli_zone_list){0};
}

// ---- the stream

struct upload {
    const struct cli_zone_list *list;
    bool *skip;                 // by item: cannot be read
    struct cli_zone_text *sent; // by item: of those with includes, the places
    size_t next;                // item
    struct steer_buf part;      // head and data of the present item
    size_t at;                  // in part
    size_t sent_bytes;
    json_t *rejected; // unreadable ones
    bool progress;
    uint64_t shown_ns;
    bool too_large;
};

static void reject(struct upload *u, size_t item, const char *why)
{
    json_t *entry = json_object();
    json_object_set_new(entry, "origin", cli_json_text(u->list->items[item].origin));
    json_object_set_new(entry, "error", cli_json_text(why));
    json_array_append_new(u->rejected, entry);
    u->skip[item] = true;
}

// Finds what cannot be read, and the size of the rest, before anything is sent.
static size_t survey(struct upload *u, size_t *readable)
{
    size_t total = 0;
    for (size_t i = 0; i < u->list->count; i++) {
        const struct cli_zone_item *item = &u->list->items[i];
        struct stat st;
        struct steer_buf why = {0};
        int fd = open(item->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) != 0)
            steer_buf_printf(&why, "cannot open %s: %s", item->path, strerror(errno));
        else if (!S_ISREG(st.st_mode))
            steer_buf_printf(&why, "%s is not a regular file", item->path);
        if (fd >= 0)
            close(fd);
        if (why.len) {
            reject(u, i, why.data);
            steer_buf_fini(&why);
            continue;
        }
        ++*readable;
        total += (size_t)st.st_size + strlen(item->origin) + strlen(item->path) + 32;
    }
    return total;
}

static void show_progress(struct upload *u, bool last)
{
    uint64_t now = steer_clock_mono_ns();
    if (!u->progress || (!last && now - u->shown_ns < 100 * STEER_NS_PER_MS))
        return;
    u->shown_ns = now;
    fprintf(stderr, "\r\033[K%zu of %zu zones sent, %s%s", u->next, u->list->count,
            cli_bytes((double)u->sent_bytes), last ? "; steerd is loading them" : "");
}

// Puts the next readable item into part; false at the end.
static bool next_part(struct upload *u)
{
    steer_buf_clear(&u->part);
    u->at = 0;
    while (u->next < u->list->count) {
        size_t i = u->next++;
        const struct cli_zone_item *item = &u->list->items[i];
        struct cli_zone_text *zone = &u->sent[i];
        struct steer_diag diag;
        char why[sizeof diag.file + sizeof diag.message + 32];
        if (u->skip[i])
            continue;
        if (cli_zone_load(item->path, item->origin, UPLOAD_MAX, false, zone, &diag) != STEER_OK) {
            reject(u, i, steer_diag_format(&diag, why, sizeof why));
            cli_zone_text_fini(zone);
            continue;
        }
        steer_buf_printf(&u->part, "zone %s %zu %s\n", item->origin, zone->text.len, item->path);
        steer_buf_add(&u->part, zone->text.data, zone->text.len);
        steer_buf_fini(&zone->text);
        return true;
    }
    return false;
}

static size_t read_upload(char *out, size_t size, size_t count, void *ctx)
{
    struct upload *u = ctx;
    size_t room = size * count, n = 0;
    while (n < room) {
        if (u->at == u->part.len && !next_part(u)) {
            show_progress(u, true);
            break;
        }
        size_t take = u->part.len - u->at < room - n ? u->part.len - u->at : room - n;
        memcpy(out + n, u->part.data + u->at, take);
        u->at += take;
        n += take;
    }
    u->sent_bytes += n;
    if (u->sent_bytes > UPLOAD_MAX) { // with includes, or files have grown since the survey
        u->too_large = true;
        return CURL_READFUNC_ABORT;
    }
    if (n)
        show_progress(u, false);
    return n;
}

static void translate(const struct upload *u, json_t *summary)
{
    struct cli_source *sources = steer_calloc(u->list->count, sizeof *sources);
    size_t count = 0;
    for (size_t i = 0; i < u->list->count; i++)
        if (u->sent[i].span_count)
            sources[count++] = (struct cli_source){.name = u->list->items[i].path,
                                                   .shown = u->list->items[i].path,
                                                   .sent = &u->sent[i]};
    cli_zone_translate(summary, sources, count);
    free(sources);
}

static int report(const struct cli *cli, struct upload *u, json_t *summary)
{
    translate(u, summary);
    json_t *rejected = json_object_get(summary, "rejected");
    if (!json_is_array(rejected)) {
        rejected = json_array();
        json_object_set_new(summary, "rejected", rejected);
    }
    json_array_extend(rejected, u->rejected);
    json_int_t loaded = json_integer_value(json_object_get(summary, "loaded"));
    size_t bad = json_array_size(rejected), i;
    if (cli->json) {
        cli_json_print(summary);
    } else {
        cli_print_warnings(cli, summary, NULL, 0);
        json_t *entry;
        struct steer_buf out = {0};
        json_array_foreach(rejected, i, entry)
        {
            cli_put_coloured(&out, cli->colour_err, CLI_RED, "rejected");
            steer_buf_puts(&out, ": ");
            cli_put(&out, cli_member(entry, "origin"));
            steer_buf_puts(&out, ": ");
            cli_put(&out, cli_member(entry, "error"));
            steer_buf_puts(&out, "\n");
        }
        if (out.len)
            fwrite(out.data, 1, out.len, stderr);
        steer_buf_fini(&out);
        json_int_t unchanged = json_integer_value(json_object_get(summary, "unchanged"));
        printf("zones loaded: %lld", (long long)loaded);
        if (unchanged)
            printf(" (%lld unchanged)", (long long)unchanged);
        printf(", rejected: %zu; records: %s; took %s\n", bad, cli_member(summary, "records"),
               cli_span(json_number_value(json_object_get(summary, "ms")) / 1000));
    }
    if (bad == 0)
        return CLI_OK;
    return loaded ? CLI_PARTLY : CLI_FAILED;
}

static int say_too_large(const struct cli *cli)
{
    return cli_error(cli, "the zones have more than %zu MiB together; load them in several lists",
                     UPLOAD_MAX >> 20);
}

static int send_upload(const struct cli *cli, struct upload *u, json_t **summary)
{
    struct cli_request request = {.method = "POST",
                                  .path = "/api/v1/zones",
                                  .type = "application/vnd.steerd.zones",
                                  .read = read_upload,
                                  .ctx = u,
                                  .patient = true};
    struct cli_reply reply;
    int status = cli_http(cli, &request, &reply, NULL, 0);
    if (u->progress)
        fputs("\r\033[K", stderr);
    if (u->too_large)
        return say_too_large(cli);
    if (status != CLI_OK)
        return status;
    *summary = json_incref(reply.json);
    cli_reply_fini(&reply);
    return CLI_OK;
}

int cli_zone_upload(const struct cli *cli, const struct cli_zone_list *list)
{
    struct upload u = {
        .list = list, .rejected = json_array(), .progress = isatty(STDERR_FILENO) && !cli->json};
    u.skip = steer_calloc(list->count, sizeof *u.skip);
    u.sent = steer_calloc(list->count, sizeof *u.sent);
    size_t readable = 0;
    int status = CLI_OK;
    json_t *summary = NULL;
    if (survey(&u, &readable) > UPLOAD_MAX)
        status = say_too_large(cli);
    else if (readable && next_part(&u)) // the first one, and that there is one
        status = send_upload(cli, &u, &summary);
    else
        summary = json_pack("{s:i, s:i, s:i}", "loaded", 0, "records", 0, "ms", 0);
    if (status == CLI_OK && !json_is_object(summary))
        status = cli_error(cli, "%s did not answer with a summary: is it steerd?", cli->url);
    if (status == CLI_OK)
        status = report(cli, &u, summary);
    json_decref(summary);
    json_decref(u.rejected);
    steer_buf_fini(&u.part);
    for (size_t i = 0; i < list->count; i++)
        cli_zone_text_fini(&u.sent[i]);
    free(u.sent);
    free(u.skip);
    return status;
}
