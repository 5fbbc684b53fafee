// SPDX-License-Identifier: GPL-3.0-or-later
// The tables of a planned record: shares and moves, a column for each type and family.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_internal.h"
#include "cli_plan.h"
#include "steerd/base/mem.h"

enum { SLOTS_MAX = 8, PLACES_SHOWN = 4, MOVES_SHOWN = 6, GROUPS_SHOWN = 6, COUNTRIES_SHOWN = 8 };

bool cli_plan_is(const json_t *object, const char *key, const char *text)
{
    return strcmp(cli_member(object, key), text) == 0;
}

const char *cli_plan_family(const json_t *object)
{
    return cli_plan_is(object, "clients", "ipv6") ? "IPv6" : "IPv4";
}

void cli_plan_types(struct steer_buf *out, const json_t *record, const char *type)
{
    const json_t *item;
    size_t i;
    steer_buf_puts(out, type);
    json_array_foreach(json_object_get(record, "types"), i, item)
    {
        if (cli_plan_is(item, "as", type))
            steer_buf_printf(out, "/%s", cli_member(item, "type"));
    }
}

// ---- columns -------------------------------------------------------------------------------------

// The columns of a table: each type and family that stands in the list.
struct slots {
    const json_t *of[SLOTS_MAX];
    size_t count;
};

static size_t slot_of(struct slots *slots, const json_t *item)
{
    for (size_t i = 0; i < slots->count; i++)
        if (cli_plan_is(item, "type", cli_member(slots->of[i], "type")) &&
            cli_plan_is(item, "clients", cli_member(slots->of[i], "clients")))
            return i;
    if (slots->count < SLOTS_MAX)
        slots->of[slots->count++] = item;
    return slots->count - 1;
}

static void put_heads(struct cli_table *table, const json_t *record, const struct slots *slots,
                      const char *const labels[2], const char *last)
{
    char *heads[SLOTS_MAX + 3] = {0};
    const char *cells[SLOTS_MAX + 3] = {labels[0], labels[1]};
    for (size_t i = 0; i < slots->count; i++) {
        struct steer_buf head = {0};
        cli_plan_types(&head, record, cli_member(slots->of[i], "type"));
        steer_buf_printf(&head, " %s", cli_plan_family(slots->of[i]));
        cells[i + 2] = heads[i] = steer_buf_take(&head);
    }
    cells[slots->count + 2] = last;
    cli_table_row(table, cells, slots->count + 3);
    for (size_t i = 0; i < slots->count; i++)
        free(heads[i]);
}

// ---- shares --------------------------------------------------------------------------------------

static void put_percent(struct steer_buf *out, const json_t *share, const char *key)
{
    const json_t *value = json_object_get(share, key);
    if (value)
        steer_buf_printf(out, "%.4g%%", json_number_value(value));
    else
        steer_buf_puts(out, "-");
}

static char *cell_of(const struct cli *cli, const json_t *share)
{
    struct steer_buf text = {0};
    put_percent(&text, share, "before_percent");
    if (!cli_plan_is(share, "before", cli_member(share, "after"))) {
        steer_buf_puts(&text, cli->utf8 ? " → " : " -> ");
        put_percent(&text, share, "after_percent");
    }
    return steer_buf_take(&text);
}

static bool same_row(const json_t *a, const json_t *b)
{
    return cli_plan_is(a, "name", cli_member(b, "name")) &&
           cli_plan_is(a, "kind", cli_member(b, "kind"));
}

// The shares of one place: neighbours in the list.
struct block {
    const json_t *shares;
    size_t first, end;
};

static struct block block_at(const json_t *shares, size_t first)
{
    struct block b = {shares, first, first};
    const json_t *head = json_array_get(shares, first);
    while (b.end < json_array_size(shares) &&
           cli_plan_is(json_array_get(shares, b.end), "place", cli_member(head, "place")))
        b.end++;
    return b;
}

static const json_t *find(const struct block *b, const json_t *like)
{
    for (size_t i = b->first; i < b->end; i++) {
        const json_t *share = json_array_get(b->shares, i);
        if (same_row(share, like) && cli_plan_is(share, "type", cli_member(like, "type")) &&
            cli_plan_is(share, "clients", cli_member(like, "clients")))
            return share;
    }
    return NULL;
}

// Whether it says of a place what is said of the whole.
static bool is_like(const struct block *whole, const struct block *b)
{
    for (size_t i = b->first; i < b->end; i++) {
        const json_t *share = json_array_get(b->shares, i);
        const json_t *other = find(whole, share);
        if (!other || !cli_plan_is(share, "before", cli_member(other, "before")) ||
            !cli_plan_is(share, "after", cli_member(other, "after")))
            return false;
    }
    return true;
}

static bool is_continent(const json_t *share)
{
    return strlen(cli_member(share, "place")) == 2;
}

static bool tells(const json_t *share, bool all)
{
    return all || cli_plan_is(share, "kind", "endpoint") || cli_plan_is(share, "kind", "none");
}

static void put_row(const struct cli *cli, struct cli_table *table, struct slots *slots,
                    const struct block *b, const json_t *head, bool first, bool all)
{
    char *cells[SLOTS_MAX + 3] = {0};
    struct steer_buf label = {0};
    const char *place = cli_member(head, "place");
    if (all)
        steer_buf_printf(&label, "%s ", cli_member(head, "kind"));
    cli_put(&label, cli_member(head, "name"));
    cells[0] = steer_strdup(!first ? "" : *place ? place : "everywhere");
    cells[1] = steer_buf_take(&label);
    for (size_t i = b->first; i < b->end; i++) {
        const json_t *share = json_array_get(b->shares, i);
        const size_t at = slot_of(slots, share) + 2;
        if (same_row(head, share) && !cells[at])
            cells[at] = cell_of(cli, share);
    }
    for (size_t i = 0; i < slots->count + 3; i++)
        if (!cells[i])
            cells[i] = steer_strdup(i < slots->count + 2 ? "=" : "");
    cli_table_row(table, (const char *const *)cells, slots->count + 3);
    for (size_t i = 0; i < slots->count + 3; i++)
        free(cells[i]);
}

static void put_block(const struct cli *cli, struct cli_table *table, struct slots *slots,
                      const struct block *b, bool all)
{
    bool first = true;
    for (size_t i = b->first; i < b->end; i++) {
        const json_t *share = json_array_get(b->shares, i);
        bool new_row = tells(share, all);
        for (size_t k = b->first; k < i && new_row; k++)
            new_row = !same_row(json_array_get(b->shares, k), share);
        if (!new_row)
            continue;
        put_row(cli, table, slots, b, share, first, all);
        first = false;
    }
}

// The countries that get the same stand in one line.
static void put_countries(const struct cli *cli, const json_t *record, bool all)
{
    const json_t *list = json_object_get(record, "by_country"), *alike, *item;
    struct steer_buf out = {0};
    size_t i, k;
    json_array_foreach(list, i, alike)
    {
        const json_t *places = json_object_get(alike, "places");
        if (i == GROUPS_SHOWN && !all)
            break;
        json_array_foreach(places, k, item)
        {
            if (k == COUNTRIES_SHOWN && !all)
                break;
            steer_buf_printf(&out, "%s%s", k ? ", " : "", cli_text(item));
        }
        if (k < json_array_size(places))
            steer_buf_printf(&out, " and %zu more", json_array_size(places) - k);
        steer_buf_puts(&out, "  ");
        cli_plan_types(&out, record, cli_member(alike, "type"));
        steer_buf_puts(&out, ": ");
        const char *between = "";
        json_array_foreach(json_object_get(alike, "shares"), k, item)
        {
            if (!tells(item, false))
                continue;
            char *text = cell_of(cli, item);
            steer_buf_printf(&out, "%s%s %s", between, cli_member(item, "name"), text);
            between = ", ";
            free(text);
        }
        steer_buf_puts(&out, "\n");
    }
    if (i < json_array_size(list))
        steer_buf_printf(&out, "and %zu more groups of countries (--all)\n",
                         json_array_size(list) - i);
    cli_write(&out);
}

void cli_plan_put_shares(const struct cli *cli, const json_t *record, bool all)
{
    static const char *const labels[] = {"SHARES", ""};
    const json_t *shares = json_object_get(record, "shares"), *share;
    struct slots slots = {0};
    struct cli_table table = {0};
    bool uniform = true;
    size_t i;
    json_array_foreach(shares, i, share) slot_of(&slots, share);
    if (!slots.count)
        return;
    put_heads(&table, record, &slots, labels, "");
    const struct block whole = block_at(shares, 0);
    const bool has_whole = !*cli_member(json_array_get(shares, 0), "place");
    if (has_whole)
        put_block(cli, &table, &slots, &whole, all);
    for (i = has_whole ? whole.end : 0; i < json_array_size(shares);) {
        const struct block b = block_at(shares, i);
        const bool like = has_whole && is_like(&whole, &b);
        uniform &= like;
        if (all || (!like && is_continent(json_array_get(shares, i))))
            put_block(cli, &table, &slots, &b, all);
        i = b.end;
    }
    cli_table_print(&table, cli->colour_out);
    if (all || !uniform)
        put_countries(cli, record, all);
}

// ---- moves ---------------------------------------------------------------------------------------

static char *where_of(const json_t *move)
{
    const json_t *places = json_object_get(move, "places"), *place;
    const size_t count = (size_t)json_integer_value(json_object_get(move, "place_count"));
    struct steer_buf out = {0};
    size_t i;
    steer_buf_puts(&out, "");
    json_array_foreach(places, i, place)
    {
        if (i == PLACES_SHOWN)
            break;
        steer_buf_printf(&out, "%s%s%s %.3g%%", i ? ", " : "", cli_member(place, "place"),
                         json_is_true(json_object_get(place, "rest")) ? " elsewhere" : "",
                         json_number_value(json_object_get(place, "percent")));
    }
    if (count > i)
        steer_buf_printf(&out, " and %zu more", count - i);
    return steer_buf_take(&out);
}

static bool same_move(const json_t *a, const json_t *b)
{
    return cli_plan_is(a, "from", cli_member(b, "from")) &&
           cli_plan_is(a, "to", cli_member(b, "to"));
}

static void put_move(const struct cli *cli, struct cli_table *table, struct slots *slots,
                     const json_t *moves, size_t first)
{
    const json_t *head = json_array_get(moves, first);
    char *cells[SLOTS_MAX + 3] = {0};
    struct steer_buf label = {0};
    steer_buf_printf(&label, "%s %s ", cli_member(head, "from"), cli->utf8 ? "→" : "->");
    cli_put(&label, cli_member(head, "to"));
    cells[0] = steer_buf_take(&label);
    for (size_t i = first; i < json_array_size(moves); i++) {
        const json_t *move = json_array_get(moves, i);
        const size_t at = slot_of(slots, move) + 2;
        struct steer_buf text = {0};
        if (!same_move(head, move) || cells[at])
            continue;
        steer_buf_printf(&text, "%.4g%%", json_number_value(json_object_get(move, "percent")));
        cells[at] = steer_buf_take(&text);
    }
    cells[slots->count + 2] = where_of(head);
    for (size_t i = 0; i < slots->count + 3; i++)
        if (!cells[i])
            cells[i] = steer_strdup("");
    cli_table_row(table, (const char *const *)cells, slots->count + 3);
    for (size_t i = 0; i < slots->count + 3; i++)
        free(cells[i]);
}

void cli_plan_put_moves(const struct cli *cli, const json_t *record, bool all)
{
    static const char *const labels[] = {"MOVES", ""};
    const json_t *moves = json_object_get(record, "moves"), *move;
    struct slots slots = {0};
    struct cli_table table = {0};
    size_t i, shown = 0, left = 0;
    json_array_foreach(moves, i, move) slot_of(&slots, move);
    if (!slots.count)
        return;
    put_heads(&table, record, &slots, labels, "WHERE MOST");
    json_array_foreach(moves, i, move)
    {
        bool new_row = true;
        for (size_t k = 0; k < i && new_row; k++)
            new_row = !same_move(json_array_get(moves, k), move);
        if (!new_row)
            continue;
        if (shown < MOVES_SHOWN || all)
            put_move(cli, &table, &slots, moves, i);
        left += shown >= MOVES_SHOWN && !all;
        shown++;
    }
    cli_table_print(&table, cli->colour_out);
    if (left)
        printf("and %zu more moves (--all)\n", left);
}
