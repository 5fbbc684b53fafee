// SPDX-License-Identifier: GPL-3.0-or-later
// steerctl plan: the server's account of a change as tables.
#include <stdlib.h>
#include <string.h>

#include "cli_internal.h"
#include "steerd/base/mem.h"

enum { SLOTS_MAX = 7, PLACES_SHOWN = 4, MOVES_SHOWN = 6 };

static bool is(const json_t *object, const char *key, const char *text)
{
    return strcmp(cli_member(object, key), text) == 0;
}

static const char *family(const json_t *object)
{
    return is(object, "clients", "ipv6") ? "IPv6" : "IPv4";
}

// ---- shares --------------------------------------------------------------------------------------

// The columns of a table of shares: each type and family that stands in the list.
struct slots {
    const json_t *of[SLOTS_MAX];
    size_t count;
};

static size_t slot_of(struct slots *slots, const json_t *share)
{
    for (size_t i = 0; i < slots->count; i++)
        if (is(share, "type", cli_member(slots->of[i], "type")) &&
            is(share, "clients", cli_member(slots->of[i], "clients")))
            return i;
    if (slots->count < SLOTS_MAX)
        slots->of[slots->count++] = share;
    return slots->count - 1;
}

static void put_percent(struct steer_buf *out, const json_t *share, const char *key)
{
    const json_t *value = json_object_get(share, key);
    if (value)
        steer_buf_printf(out, "%.4g%%", json_number_value(value));
    else
        steer_buf_puts(out, "-");
}

static char *cell(const struct cli *cli, const json_t *share)
{
    struct steer_buf text = {0};
    put_percent(&text, share, "before_percent");
    if (!is(share, "before", cli_member(share, "after"))) {
        steer_buf_puts(&text, cli->utf8 ? " → " : " -> ");
        put_percent(&text, share, "after_percent");
    }
    return steer_buf_take(&text);
}

static bool shown(const json_t *share, bool all)
{
    return all || (!json_object_get(share, "place") &&
                   (is(share, "kind", "endpoint") || is(share, "kind", "none")));
}

static bool same_row(const json_t *a, const json_t *b)
{
    return is(a, "name", cli_member(b, "name")) && is(a, "kind", cli_member(b, "kind")) &&
           is(a, "place", cli_member(b, "place"));
}

static void put_row(const struct cli *cli, struct cli_table *table, struct slots *slots,
                    const json_t *shares, size_t first, bool all)
{
    const json_t *head = json_array_get(shares, first), *share;
    char *cells[SLOTS_MAX + 1] = {0};
    struct steer_buf label = {0};
    size_t i;
    if (all)
        steer_buf_printf(&label, "%s%s%s ", cli_member(head, "place"),
                         json_object_get(head, "place") ? " " : "", cli_member(head, "kind"));
    cli_put(&label, cli_member(head, "name"));
    cells[0] = steer_buf_take(&label);
    json_array_foreach(shares, i, share)
    {
        const size_t at = slot_of(slots, share) + 1;
        if (same_row(head, share) && !cells[at])
            cells[at] = cell(cli, share);
    }
    for (i = 1; i <= slots->count; i++)
        if (!cells[i])
            cells[i] = steer_strdup("=");
    cli_table_row(table, (const char *const *)cells, slots->count + 1);
    for (i = 0; i <= slots->count; i++)
        free(cells[i]);
}

static bool first_of_row(const json_t *shares, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (same_row(json_array_get(shares, i), json_array_get(shares, index)))
            return false;
    return true;
}

static void put_shares(const struct cli *cli, const json_t *shares, bool all)
{
    struct slots slots = {0};
    struct cli_table table = {0};
    char heads[SLOTS_MAX][40];
    const char *head[SLOTS_MAX + 1] = {"SHARE OF"};
    const json_t *share;
    size_t i;
    json_array_foreach(shares, i, share) slot_of(&slots, share);
    for (i = 0; i < slots.count; i++) {
        snprintf(heads[i], sizeof heads[i], "%s, %s", cli_member(slots.of[i], "type"),
                 family(slots.of[i]));
        head[i + 1] = heads[i];
    }
    if (!slots.count)
        return;
    cli_table_row(&table, head, slots.count + 1);
    json_array_foreach(shares, i, share)
    {
        if (shown(share, all) && first_of_row(shares, i))
            put_row(cli, &table, &slots, shares, i, all);
    }
    cli_table_print(&table, cli->colour_out);
}

static void put_countries(const struct cli *cli, const json_t *list)
{
    struct steer_buf out = {0};
    const json_t *alike, *item;
    size_t i, k;
    json_array_foreach(list, i, alike)
    {
        steer_buf_printf(&out, "%s for", cli_member(alike, "type"));
        json_array_foreach(json_object_get(alike, "places"), k, item)
            steer_buf_printf(&out, "%s%s", k ? ", " : " ", cli_text(item));
        json_array_foreach(json_object_get(alike, "shares"), k, item)
        {
            if (!is(item, "kind", "endpoint") && !is(item, "kind", "none"))
                continue;
            char *text = cell(cli, item);
            steer_buf_printf(&out, "%s%s %s", k ? ", " : ": ", cli_member(item, "name"), text);
            free(text);
        }
        steer_buf_puts(&out, "\n");
    }
    cli_write(&out);
}

// ---- moves and failures --------------------------------------------------------------------------

static void put_move(const struct cli *cli, struct steer_buf *out, const json_t *move)
{
    const json_t *places = json_object_get(move, "places"), *place;
    const size_t count = (size_t)json_integer_value(json_object_get(move, "place_count"));
    size_t i;
    steer_buf_printf(out, "moves: %.4g%% of %s, %s: %s %s %s",
                     json_number_value(json_object_get(move, "percent")), cli_member(move, "type"),
                     family(move), cli_member(move, "from"), cli->utf8 ? "→" : "->",
                     cli_member(move, "to"));
    json_array_foreach(places, i, place)
    {
        if (i == PLACES_SHOWN)
            break;
        steer_buf_printf(out, "%s%s %.3g%%", i ? ", " : "  (", cli_member(place, "place"),
                         json_number_value(json_object_get(place, "percent")));
    }
    if (count > PLACES_SHOWN)
        steer_buf_printf(out, " and %zu more", count - PLACES_SHOWN);
    steer_buf_puts(out, count ? ")\n" : "\n");
}

static void put_moves(const struct cli *cli, struct steer_buf *out, const json_t *moves, bool all)
{
    const json_t *move;
    size_t i;
    json_array_foreach(moves, i, move)
    {
        if (i == MOVES_SHOWN && !all)
            break;
        put_move(cli, out, move);
    }
    if (json_array_size(moves) > MOVES_SHOWN && !all)
        steer_buf_printf(out, "and %zu more moves (--all)\n", json_array_size(moves) - MOVES_SHOWN);
}

static void put_loss(struct steer_buf *out, const json_t *failure, const char *key,
                     const char *what)
{
    char before_key[32];
    const double percent = json_number_value(json_object_get(failure, key));
    if (percent <= 0)
        return;
    snprintf(before_key, sizeof before_key, "%s_before", key);
    const json_t *before = json_object_get(failure, before_key);
    steer_buf_printf(out, ", %.4g%% %s", percent, what);
    if (before && json_number_value(before) < percent)
        steer_buf_printf(out, " (now %.4g%%)", json_number_value(before));
}

static bool is_bad(const json_t *failure)
{
    return json_number_value(json_object_get(failure, "serve_all")) > 0 ||
           json_number_value(json_object_get(failure, "nodata")) > 0;
}

static void put_failures(const struct cli *cli, struct steer_buf *out, const json_t *failures,
                         bool all)
{
    const json_t *failure;
    size_t i, bad = 0;
    json_array_foreach(failures, i, failure)
    {
        bad += is_bad(failure);
        if (!all && !is_bad(failure))
            continue;
        steer_buf_puts(out, "if ");
        steer_buf_printf(out, "%s %s fails: %s, %s", cli_member(failure, "kind"),
                         cli_member(failure, "name"), cli_member(failure, "type"), family(failure));
        put_loss(out, failure, "serve_all", "get all as if it were up (serve_all)");
        put_loss(out, failure, "nodata", "get nothing");
        if (*cli_member(failure, "client"))
            steer_buf_printf(out, "; one is %s", cli_member(failure, "client"));
        const json_t *moves = json_object_get(failure, "moves"), *move;
        size_t k;
        json_array_foreach(moves, k, move)
        {
            if (all)
                steer_buf_printf(
                    out, ", %.4g%% %s %s %s", json_number_value(json_object_get(move, "percent")),
                    cli_member(move, "from"), cli->utf8 ? "→" : "->", cli_member(move, "to"));
        }
        steer_buf_puts(out, "\n");
    }
    if (!bad && json_array_size(failures))
        steer_buf_puts(out, "survives any one endpoint and any one site\n");
}

static void put_record(const struct cli *cli, const json_t *record, bool all)
{
    struct steer_buf out = {0};
    const json_t *warning;
    size_t i;
    const bool changed = json_is_true(json_object_get(record, "changed"));
    steer_buf_puts(&out, "\n");
    cli_put_coloured(&out, cli->colour_out, CLI_BOLD, cli_member(record, "record"));
    steer_buf_printf(&out, "  %s%s\n", cli_member(record, "change"),
                     changed ? "" : ", shares stay as they are");
    cli_write(&out);
    put_shares(cli, json_object_get(record, "shares"), all);
    if (all)
        put_countries(cli, json_object_get(record, "by_country"));
    out = (struct steer_buf){0};
    put_moves(cli, &out, json_object_get(record, "moves"), all);
    put_failures(cli, &out, json_object_get(record, "failures"), all);
    json_array_foreach(json_object_get(record, "warnings"), i, warning)
    {
        cli_put_coloured(&out, cli->colour_out, CLI_YELLOW, "warning: ");
        cli_put(&out, cli_text(warning));
        steer_buf_puts(&out, "\n");
    }
    cli_write(&out);
}

// ---- assertions ----------------------------------------------------------------------------------

static void put_breaches(const struct cli *cli, struct steer_buf *out, const json_t *assertion)
{
    const json_t *breach;
    size_t i;
    json_array_foreach(json_object_get(assertion, "breaches"), i, breach)
    {
        steer_buf_puts(out, "    ");
        if (json_is_true(json_object_get(breach, "now")))
            cli_put_coloured(out, cli->colour_out, CLI_YELLOW, "with health as it is now: ");
        cli_put(out, cli_member(breach, "message"));
        steer_buf_puts(out, "\n");
    }
}

static void put_assertions(const struct cli *cli, const json_t *list)
{
    struct steer_buf out = {0};
    const json_t *assertion;
    size_t i;
    if (json_array_size(list)) {
        steer_buf_puts(&out, "\n");
        cli_put_coloured(&out, cli->colour_out, CLI_BOLD, "assertions");
        steer_buf_puts(&out, "\n");
    }
    json_array_foreach(list, i, assertion)
    {
        const bool holds = json_is_true(json_object_get(assertion, "holds"));
        cli_put_coloured(&out, cli->colour_out, holds ? CLI_GREEN : CLI_RED,
                         holds ? (cli->utf8 ? "✓ " : "+ ") : (cli->utf8 ? "✗ " : "- "));
        cli_put(&out, cli_member(assertion, "name"));
        steer_buf_printf(&out, " (%s)  %s:%s:%s  ", cli_member(assertion, "text"),
                         cli_member(assertion, "document"), cli_member(assertion, "line"),
                         cli_member(assertion, "column"));
        steer_buf_printf(&out, "%s record%s%s\n", cli_member(assertion, "records"),
                         is(assertion, "records", "1") ? "" : "s",
                         json_is_true(json_object_get(assertion, "waived")) ? ", overridden" : "");
        put_breaches(cli, &out, assertion);
    }
    cli_write(&out);
}

void cli_plan_print(const struct cli *cli, const json_t *plan, bool all)
{
    const json_t *record;
    size_t i, quiet = 0;
    json_array_foreach(json_object_get(plan, "records"), i, record)
    {
        const bool told = all || json_is_true(json_object_get(record, "changed")) ||
                          json_array_size(json_object_get(record, "warnings"));
        quiet += !told;
        if (told)
            put_record(cli, record, all);
    }
    if (quiet)
        printf("\n%zu record%s: shares stay as they are\n", quiet, quiet == 1 ? "" : "s");
    put_assertions(cli, json_object_get(plan, "assertions"));
}
