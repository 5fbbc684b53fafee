// SPDX-License-Identifier: GPL-3.0-or-later
// steerctl explain: the server's answer as a readable tree.
#include <stdlib.h>
#include <string.h>

#include "cli_internal.h"

// The lines that lead to the present place of the tree.
struct branch {
    const struct branch *parent;
    bool last;
};

struct tree {
    struct steer_buf *out;
    const struct cli *cli;
};

static void put_branch(const struct tree *t, const struct branch *branch, bool own)
{
    if (!branch)
        return;
    put_branch(t, branch->parent, false);
    if (own)
        steer_buf_puts(t->out, t->cli->utf8 ? (branch->last ? "└─ " : "├─ ")
                                            : (branch->last ? "`- " : "|- "));
    else
        steer_buf_puts(t->out, branch->last ? "   " : t->cli->utf8 ? "│  " : "|  ");
}

static void put_mark(const struct tree *t, bool good)
{
    bool utf8 = t->cli->utf8;
    cli_put_coloured(t->out, t->cli->colour_out, good ? CLI_GREEN : CLI_RED,
                     good ? (utf8 ? "✓" : "+") : (utf8 ? "✗" : "-"));
    steer_buf_puts(t->out, " ");
}

static void put_dim(const struct tree *t, const char *key, const char *value)
{
    if (!*key && !*value)
        return;
    struct steer_buf text = {0};
    steer_buf_printf(&text, "  %s%s%s", key, *key && *value ? " " : "", value);
    cli_put_coloured(t->out, t->cli->colour_out, CLI_DIM, text.data);
    steer_buf_fini(&text);
}

// What there is to say of a check or an override, one line.
static void put_why_line(const struct tree *t, const struct branch *branch, const char *what,
                         const json_t *why)
{
    static const char *const states[] = {"verdict", "state", "forced"};
    put_branch(t, branch, true);
    cli_put(t->out, what);
    if (*cli_member(why, "on")) {
        steer_buf_puts(t->out, " on ");
        cli_put(t->out, cli_member(why, "on"));
    }
    const char *name = cli_member(why, "check");
    if (!*name)
        name = cli_member(why, *cli_member(why, "name") ? "name" : "target");
    if (*name) {
        steer_buf_puts(t->out, " ");
        cli_put(t->out, name);
    }
    for (size_t i = 0; i < STEER_ARRAY_LEN(states); i++) {
        const char *state = cli_member(why, states[i]);
        if (!*state)
            continue;
        steer_buf_puts(t->out, " ");
        cli_put_coloured(t->out, t->cli->colour_out, cli_state_colour(state), state);
    }
    if (*cli_moment(json_object_get(why, "since")))
        put_dim(t, "since", cli_moment(json_object_get(why, "since")));
    if (*cli_member(why, "clients"))
        put_dim(t, "rehearsal for", cli_member(why, "clients"));
    if (*cli_member(why, "reason"))
        put_dim(t, "", cli_member(why, "reason"));
    if (json_is_true(json_object_get(why, "read_as_up")))
        put_dim(t, "read as up", "");
    if (*cli_member(why, "owner"))
        put_dim(t, "by", cli_member(why, "owner"));
    if (*cli_moment(json_object_get(why, "expires")))
        put_dim(t, "until", cli_moment(json_object_get(why, "expires")));
    steer_buf_puts(t->out, "\n");
}

static size_t why_count(const json_t *node)
{
    const json_t *why = json_object_get(node, "why");
    return json_array_size(json_object_get(why, "checks")) +
           (json_is_object(json_object_get(why, "override")) ? 1 : 0);
}

static const char *const child_keys[] = {"child", "substitute", "with_checks_up"};

static size_t child_count(const json_t *node)
{
    size_t n = json_array_size(json_object_get(node, "candidates")) + why_count(node);
    for (size_t i = 0; i < STEER_ARRAY_LEN(child_keys); i++)
        n += json_is_object(json_object_get(node, child_keys[i]));
    return n;
}

// "pool eu  chosen  share 9/10  weight 10  reason"; candidate is NULL where the node is no candidate.
static void put_node_line(const struct tree *t, const json_t *node, const json_t *candidate,
                          const char *role)
{
    const json_t *available = json_object_get(node, "available");
    if (available)
        put_mark(t, json_is_true(available));
    if (*role) {
        cli_put(t->out, role);
        steer_buf_puts(t->out, " ");
    }
    cli_put(t->out, *cli_member(node, "node") ? cli_member(node, "node") : "?");
    if (*cli_member(node, "name")) {
        steer_buf_puts(t->out, " ");
        cli_put(t->out, cli_member(node, "name"));
    }
    if (*cli_member(node, "policy"))
        put_dim(t, "policy", cli_member(node, "policy"));
    if (*cli_member(candidate, "for"))
        put_dim(t, "for", cli_member(candidate, "for"));
    if (json_is_true(json_object_get(candidate, "chosen"))) {
        steer_buf_puts(t->out, "  ");
        cli_put_coloured(t->out, t->cli->colour_out, CLI_BOLD, "chosen");
    } else if (candidate && !available && !*cli_member(candidate, "reason")) {
        put_dim(t, "not looked at", "");
    }
    const char *exact = cli_member(candidate, "exact");
    if (*exact && strcmp(exact, "1/1") != 0)
        put_dim(t, "share", exact);
    const char *reason = cli_member(candidate, "reason");
    reason = *reason ? reason : cli_member(node, "reason");
    if (*cli_member(candidate, "weight") && strncmp(reason, "weight ", 7) != 0)
        put_dim(t, "weight", cli_member(candidate, "weight"));
    if (*cli_member(node, "position"))
        put_dim(t, "at", cli_member(node, "position"));
    if (json_is_true(json_object_get(node, "checks_as_up")))
        put_dim(t, "checks read as up", "");
    if (json_is_true(json_object_get(node, "shown_above")))
        put_dim(t, "shown above", "");
    if (*cli_member(node, "when_unavailable"))
        put_dim(t, "when unavailable:", cli_member(node, "when_unavailable"));
    if (*cli_member(node, "needs"))
        put_dim(t, "needs", cli_member(node, "needs"));
    put_dim(t, "", reason);
    steer_buf_puts(t->out, "\n");
}

static void put_node(const struct tree *t, const struct branch *branch, const json_t *node,
                     const json_t *candidate, const char *role);

static void put_children(const struct tree *t, const struct branch *branch, const json_t *node)
{
    size_t left = child_count(node), i;
    const json_t *candidates = json_object_get(node, "candidates"), *entry;
    const json_t *why = json_object_get(node, "why");
    json_array_foreach(candidates, i, entry)
    {
        struct branch here = {branch, --left == 0};
        put_node(t, &here, json_object_get(entry, "child"), entry, "");
    }
    json_array_foreach(json_object_get(why, "checks"), i, entry)
    {
        struct branch here = {branch, --left == 0};
        put_why_line(t, &here, "check", entry);
    }
    if (json_is_object(json_object_get(why, "override"))) {
        struct branch here = {branch, --left == 0};
        put_why_line(t, &here, "override", json_object_get(why, "override"));
    }
    for (i = 0; i < STEER_ARRAY_LEN(child_keys); i++) {
        const json_t *child = json_object_get(node, child_keys[i]);
        if (!json_is_object(child))
            continue;
        struct branch here = {branch, --left == 0};
        put_node(t, &here, child, NULL, i == 1 ? "substitute" : i == 2 ? "once more:" : "");
    }
}

static void put_node(const struct tree *t, const struct branch *branch, const json_t *node,
                     const json_t *candidate, const char *role)
{
    put_branch(t, branch, true);
    put_node_line(t, node, candidate, role);
    if (!json_is_true(json_object_get(node, "shown_above")))
        put_children(t, branch, node);
}

static void put_joined(struct steer_buf *out, const json_t *list, const char *between)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        if (i)
            steer_buf_puts(out, between);
        cli_put(out, cli_text(item));
    }
}

// A policy that was used before: what it saw of the client stands there.
static bool used_before(const json_t *resolution, size_t index)
{
    const json_t *entry = json_array_get(resolution, index);
    bool found = false;
    for (size_t i = 0; i < index && strcmp(cli_member(entry, "node"), "use") == 0; i++) {
        const json_t *other = json_array_get(resolution, i);
        found |= strcmp(cli_member(other, "node"), "use") == 0 &&
                 strcmp(cli_member(other, "name"), cli_member(entry, "name")) == 0;
    }
    return found;
}

// "rehearsal for 203.0.113.0/24: site fra down  why  by ana"
static void put_rehearsal(const struct tree *t, const json_t *entry)
{
    static const char *const members[] = {"on", "name", "state"};
    steer_buf_puts(t->out, "rehearsal for ");
    cli_put(t->out, cli_member(entry, "clients"));
    for (size_t i = 0; i < STEER_ARRAY_LEN(members); i++) {
        steer_buf_puts(t->out, i ? " " : ": ");
        cli_put(t->out, cli_member(entry, members[i]));
    }
    put_dim(t, "", cli_member(entry, "reason"));
    if (*cli_member(entry, "owner"))
        put_dim(t, "by", cli_member(entry, "owner"));
    steer_buf_puts(t->out, "\n");
}

static void put_resolution(const struct tree *t, const json_t *resolution)
{
    size_t i, j;
    const json_t *entry, *candidate;
    json_array_foreach(resolution, i, entry)
    {
        if (strcmp(cli_member(entry, "node"), "rehearsal") == 0) {
            put_rehearsal(t, entry);
            continue;
        }
        cli_put(t->out, cli_member(entry, "node"));
        if (*cli_member(entry, "name")) {
            steer_buf_puts(t->out, " ");
            cli_put(t->out, cli_member(entry, "name"));
        }
        if (*cli_member(entry, "at"))
            put_dim(t, "at", cli_member(entry, "at"));
        if (*cli_member(entry, "client"))
            put_dim(t, "client", cli_member(entry, "client"));
        if (used_before(resolution, i))
            put_dim(t, "as above", "");
        steer_buf_puts(t->out, "\n");
        const json_t *candidates = json_object_get(entry, "candidates");
        json_array_foreach(candidates, j, candidate)
        {
            struct branch here = {NULL, j + 1 == json_array_size(candidates)};
            put_branch(t, &here, true);
            const char *key = json_object_get(candidate, "network") ? "network"
                              : json_object_get(candidate, "site")  ? "site"
                                                                    : "place";
            cli_put(t->out,
                    json_is_object(candidate) ? cli_member(candidate, key) : cli_text(candidate));
            if (*cli_member(candidate, "to")) {
                steer_buf_puts(t->out, t->cli->utf8 ? " → " : " -> ");
                cli_put(t->out, cli_member(candidate, "to"));
            }
            if (json_is_true(json_object_get(candidate, "fence")))
                put_dim(t, "fence", "");
            put_dim(t, "", cli_member(candidate, "measure"));
            put_dim(t, "", cli_member(candidate, "reason"));
            steer_buf_puts(t->out, "\n");
        }
    }
}

static void put_field(const struct tree *t, const char *label, const char *value)
{
    if (!*value)
        return;
    steer_buf_printf(t->out, "%-9s ", label);
    cli_put(t->out, value);
    steer_buf_puts(t->out, "\n");
}

static void put_heading(const struct tree *t, const char *text)
{
    steer_buf_puts(t->out, "\n");
    cli_put_coloured(t->out, t->cli->colour_out, CLI_BOLD, text);
    steer_buf_puts(t->out, "\n");
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return end_len <= len && strcmp(text + len - end_len, end) == 0;
}

static void put_draw(const struct tree *t, const json_t *a)
{
    const char *draw = cli_member(a, "draw");
    struct steer_buf line = {0};
    if (!*draw || strcmp(draw, "random") == 0)
        return;
    steer_buf_puts(&line, draw);
    if (*cli_member(a, "network")) {
        steer_buf_printf(&line, ": %s", cli_member(a, "network"));
        steer_buf_printf(&line, " has slot %s", cli_member(a, "slot"));
        steer_buf_printf(&line, " of %s", cli_member(a, "slots"));
    }
    put_field(t, "draw", line.data);
    steer_buf_fini(&line);
}

static void put_head(const struct tree *t, const json_t *a)
{
    cli_put(t->out, cli_member(a, "name"));
    steer_buf_puts(t->out, " ");
    cli_put_coloured(t->out, t->cli->colour_out, CLI_BOLD, cli_member(a, "type"));
    steer_buf_puts(t->out, " for ");
    cli_put(t->out, cli_member(a, "client"));
    if (*cli_member(a, "source") && !strchr(cli_member(a, "client"), '/'))
        steer_buf_printf(t->out, "/%s", cli_member(a, "source"));
    steer_buf_puts(t->out, "\n");
    put_field(t, "zone", cli_member(a, "zone"));
    struct steer_buf line = {0};
    if (json_is_true(json_object_get(a, "steered"))) {
        steer_buf_puts(&line, cli_member(a, "record"));
        if (!ends_with(line.data, cli_member(a, "kind")))
            steer_buf_printf(&line, " (%s)", cli_member(a, "kind"));
        if (*cli_member(a, "ttl"))
            steer_buf_printf(&line, ", TTL %s", cli_member(a, "ttl"));
        put_field(t, "record", line.data);
        steer_buf_clear(&line);
        put_field(t, "place", cli_member(a, "place"));
        steer_buf_printf(&line, "%s", cli_member(a, "class"));
        if (*cli_member(a, "classes"))
            steer_buf_printf(&line, " of %s", cli_member(a, "classes"));
        put_field(t, "class", line.data);
        steer_buf_clear(&line);
        put_draw(t, a);
    }
    steer_buf_puts(&line, *cli_member(a, "scope") ? "/" : "");
    steer_buf_puts(&line, cli_member(a, "scope"));
    if (strcmp(cli_member(a, "scope"), "0") == 0)
        steer_buf_puts(&line, ": everybody gets the same");
    else if (*cli_member(a, "scope_prefix"))
        steer_buf_printf(&line, ": all of %s gets the same", cli_member(a, "scope_prefix"));
    put_field(t, "scope", line.data);
    put_field(t, "version", cli_member(a, "version"));
    if (json_is_true(json_object_get(a, "candidate")))
        put_field(t, "with", "documents that are not applied");
    steer_buf_fini(&line);
}

static void put_answers(const struct tree *t, const json_t *a)
{
    size_t i;
    const json_t *answers = json_object_get(a, "answers"), *answer;
    const json_t *given =
        json_object_get(a, "given"); // which of them, where the client's network decides
    put_heading(t, "answers");
    if (json_array_size(answers) == 0)
        put_field(t, *cli_member(a, "rcode") ? cli_member(a, "rcode") : "none", "no records");
    json_array_foreach(answers, i, answer)
    {
        steer_buf_printf(t->out, "%6.2f%%  ", json_number_value(json_object_get(answer, "share")));
        put_joined(t->out, json_object_get(answer, "records"), ", ");
        put_dim(t, "share", cli_member(answer, "exact"));
        if (*cli_member(answer, "ttl"))
            put_dim(t, "TTL", cli_member(answer, "ttl"));
        if (json_array_size(json_object_get(answer, "endpoints"))) {
            struct steer_buf names = {0};
            put_joined(&names, json_object_get(answer, "endpoints"), ", ");
            put_dim(t, "from", names.data);
            steer_buf_fini(&names);
        }
        if (json_is_integer(given) && json_integer_value(given) == (json_int_t)i)
            put_dim(t, "given to", cli_member(a, "network"));
        steer_buf_puts(t->out, "\n");
    }
    if (json_is_true(json_object_get(a, "exhausted")))
        put_field(t, "!", "nothing is left to give, even with all checks read as up: NODATA");
    else if (json_is_true(json_object_get(a, "served_all")))
        put_field(t, "!", "all members are down: they are given as if they were up (serve_all)");
}

void cli_explain_render(struct steer_buf *out, const struct cli *cli, json_t *answer)
{
    struct tree t = {out, cli};
    size_t i;
    const json_t *line;
    put_head(&t, answer);
    if (!json_is_true(json_object_get(answer, "steered"))) {
        put_heading(&t, "static data, the same for every client");
        const bool nodata = json_array_size(json_object_get(answer, "static")) == 0 &&
                            strcmp(cli_member(answer, "rcode"), "NOERROR") == 0;
        put_field(&t, "rcode", nodata ? "NOERROR, no records" : cli_member(answer, "rcode"));
        json_array_foreach(json_object_get(answer, "static"), i, line)
        {
            cli_put(out, cli_text(line));
            steer_buf_puts(out, "\n");
        }
        return;
    }
    if (json_array_size(json_object_get(answer, "resolution"))) {
        put_heading(&t, "what the client decides");
        put_resolution(&t, json_object_get(answer, "resolution"));
    }
    if (json_object_size(json_object_get(answer, "decision"))) {
        put_heading(&t, "what health decides");
        put_node(&t, NULL, json_object_get(answer, "decision"), NULL, "");
    }
    put_answers(&t, answer);
}

// ---- the command -----------------------------------------------------------------------------------

#define FILE_MAX_BYTES ((size_t)64 << 20)

struct asked {
    const char *name, *type, *client, *health;
    struct cli_values down, with;
};

static int get(struct cli *cli, const struct asked *asked, json_t **answer)
{
    struct steer_buf path = {0};
    steer_buf_puts(&path, "/api/v1/explain?name=");
    cli_encode(&path, asked->name);
    steer_buf_puts(&path, "&type=");
    cli_encode(&path, asked->type);
    steer_buf_puts(&path, "&client=");
    cli_encode(&path, asked->client);
    int status = cli_get_json(cli, path.data, answer);
    steer_buf_fini(&path);
    return status;
}

static int read_file(struct cli *cli, const char *path, struct steer_buf *text)
{
    struct steer_diag diag;
    if (steer_buf_read_file(text, strcmp(path, "-") == 0 ? "/dev/stdin" : path, FILE_MAX_BYTES,
                            &diag) == STEER_OK)
        return CLI_OK;
    return cli_error(cli, "%s", diag.message);
}

static int add_health(struct cli *cli, const struct asked *asked, json_t *body)
{
    struct steer_buf text = {0};
    json_error_t error;
    int status = read_file(cli, asked->health, &text);
    json_t *health =
        status == CLI_OK ? json_loadb(text.data ? text.data : "", text.len, 0, &error) : NULL;
    steer_buf_fini(&text);
    if (status == CLI_OK && !health)
        return cli_error(cli, "%s:%d:%d: not JSON as of 'steerctl status --json': %s",
                         asked->health, error.line, error.column, error.text);
    if (health)
        json_object_set_new(body, "health", health);
    return status;
}

static int add_document(struct cli *cli, const char *path, json_t *documents,
                        struct cli_source *source)
{
    const char *slash = strrchr(path, '/');
    const char *name = strcmp(path, "-") == 0 ? "stdin" : slash ? slash + 1 : path;
    struct steer_buf text = {0};
    int status = read_file(cli, path, &text);
    if (status != CLI_OK) {
        steer_buf_fini(&text);
        return status;
    }
    *source = (struct cli_source){.name = name, .shown = path, .text = steer_buf_take(&text)};
    json_t *document = json_pack("{s:s,s:s}", "name", name, "text", source->text);
    if (!document)
        return cli_error(cli, "%s is not UTF-8 text", path);
    json_array_append_new(documents, document);
    return CLI_OK;
}

static int post(struct cli *cli, const struct asked *asked, json_t **answer)
{
    struct cli_source sources[CLI_VALUES_MAX] = {0};
    struct cli_reply reply;
    json_t *down = json_array(), *documents = json_array();
    json_t *body =
        json_pack("{s:s,s:s,s:s,s:O,s:O,s:b}", "name", asked->name, "type", asked->type, "client",
                  asked->client, "down", down, "documents", documents, "take_over", 1);
    for (size_t i = 0; i < asked->down.count; i++)
        json_array_append_new(down, json_string(asked->down.items[i]));
    int status = asked->health ? add_health(cli, asked, body) : CLI_OK;
    for (size_t i = 0; i < asked->with.count && status == CLI_OK; i++)
        status = add_document(cli, asked->with.items[i], documents, &sources[i]);
    char *text = json_dumps(body, JSON_COMPACT);
    if (status == CLI_OK && text) {
        struct cli_request request = {.method = "POST",
                                      .path = "/api/v1/explain",
                                      .type = "application/json",
                                      .data = text,
                                      .len = strlen(text)};
        status = cli_http(cli, &request, &reply, sources, asked->with.count);
        if (status == CLI_OK) {
            *answer = json_incref(reply.json);
            cli_reply_fini(&reply);
        }
    }
    for (size_t i = 0; i < asked->with.count; i++)
        free((void *)(uintptr_t)sources[i].text);
    free(text);
    json_decref(body);
    json_decref(down);
    json_decref(documents);
    return status;
}

int cmd_explain(struct cli *cli, int argc, char **argv)
{
    struct asked asked = {0};
    const struct cli_option options[] = {{"client", 'c', &asked.client, NULL, NULL},
                                         {"down", 0, NULL, NULL, &asked.down},
                                         {"at-health", 0, &asked.health, NULL, NULL},
                                         {"with", 0, NULL, NULL, &asked.with}};
    if (!cli_options_read(cli, options, STEER_ARRAY_LEN(options), false, &argc, argv))
        return CLI_USAGE;
    if (argc != 2)
        return cli_usage(cli, "expected NAME TYPE, as in: www.example.com A");
    if (!asked.client)
        return cli_usage(cli, "say which client: --client 192.0.2.1 or --client 192.0.2.0/24");
    asked.name = argv[0];
    asked.type = argv[1];
    json_t *answer = NULL;
    const bool supposing = asked.down.count || asked.with.count || asked.health;
    int status = supposing ? post(cli, &asked, &answer) : get(cli, &asked, &answer);
    if (status != CLI_OK)
        return status;
    if (cli->json) {
        cli_json_print(answer);
    } else {
        struct steer_buf out = {0};
        cli_explain_render(&out, cli, answer);
        cli_write(&out);
    }
    json_decref(answer);
    return CLI_OK;
}
