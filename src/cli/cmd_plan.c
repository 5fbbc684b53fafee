// SPDX-License-Identifier: GPL-3.0-or-later
// steerctl plan: the server's account of a change as text. What an operator must not miss stands first: assertions that do
// not hold, then the records, those that a single failure would hurt and those that move most before the others, and in
// each of them failures and warnings before the tables.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_plan.h"
#include "steerd/base/mem.h"

enum { RECORDS_SHOWN = 20 };

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

// ---- failures ------------------------------------------------------------------------------------

static bool is_bad(const json_t *failure)
{
    return number(failure, "serve_all") > 0 || number(failure, "nodata") > 0;
}

static bool is_worse(const json_t *failure)
{
    return number(failure, "serve_all") > number(failure, "serve_all_before") ||
           number(failure, "nodata") > number(failure, "nodata_before");
}

// What one failure does to those who ask for one type: neighbours in the list, one for each family.
struct loss {
    const json_t *failures;
    size_t first, end;
    bool bad, told;
};

static bool same_thing(const json_t *a, const json_t *b)
{
    return cli_plan_is(a, "kind", cli_member(b, "kind")) &&
           cli_plan_is(a, "name", cli_member(b, "name"));
}

static struct loss loss_at(const json_t *failures, size_t first)
{
    struct loss loss = {.failures = failures, .first = first, .end = first};
    const json_t *head = json_array_get(failures, first), *failure;
    while ((failure = json_array_get(failures, loss.end)) && same_thing(head, failure) &&
           cli_plan_is(head, "type", cli_member(failure, "type"))) {
        loss.bad |= is_bad(failure);
        loss.end++;
    }
    return loss;
}

static bool same_numbers(const struct loss *a, const struct loss *b)
{
    static const char *const keys[] = {"serve_all", "nodata", "serve_all_before", "nodata_before"};
    if (a->end - a->first != b->end - b->first)
        return false;
    for (size_t i = 0; i < a->end - a->first; i++) {
        const json_t *x = json_array_get(a->failures, a->first + i);
        const json_t *y = json_array_get(b->failures, b->first + i);
        if (!same_thing(x, y) || !cli_plan_is(x, "clients", cli_member(y, "clients")))
            return false;
        for (size_t k = 0; k < STEER_ARRAY_LEN(keys); k++)
            if (number(x, keys[k]) != number(y, keys[k]))
                return false;
    }
    return true;
}

// "12% of IPv4 and 11% of IPv6 clients (now 0%)"
static bool put_hit(struct steer_buf *out, const struct loss *loss, const char *key)
{
    char before_key[32], now[32], last[32] = "";
    struct steer_buf all_now = {0};
    bool hit = false, differs = false, mixed = false;
    snprintf(before_key, sizeof before_key, "%s_before", key);
    for (size_t i = loss->first; i < loss->end; i++) {
        const json_t *failure = json_array_get(loss->failures, i);
        const json_t *before = json_object_get(failure, before_key);
        const double percent = number(failure, key);
        if (percent <= 0)
            continue;
        steer_buf_printf(out, "%s%.4g%% of %s", hit ? " and " : "", percent,
                         cli_plan_family(failure));
        snprintf(now, sizeof now, "%.4g%%", json_number_value(before));
        steer_buf_printf(&all_now, "%s%s", hit ? " and " : "", now);
        mixed |= hit && strcmp(now, last) != 0;
        snprintf(last, sizeof last, "%s", now);
        differs |= before && json_number_value(before) != percent;
        hit = true;
    }
    if (hit)
        steer_buf_puts(out, " clients");
    if (differs)
        steer_buf_printf(out, " (now %s)", mixed ? all_now.data : now);
    steer_buf_fini(&all_now);
    return hit;
}

static void put_loss(struct steer_buf *out, const struct cli *cli, const struct loss *loss,
                     const char *types)
{
    const json_t *head = json_array_get(loss->failures, loss->first);
    const char *client = "";
    bool worse = false;
    for (size_t i = loss->first; i < loss->end; i++) {
        const json_t *failure = json_array_get(loss->failures, i);
        worse |= is_worse(failure);
        if (!*client)
            client = cli_member(failure, "client");
    }
    struct steer_buf what = {0};
    steer_buf_printf(&what, "if %s %s fails: ", cli_member(head, "kind"), cli_member(head, "name"));
    cli_put_coloured(out, cli->colour_out, worse ? CLI_RED : CLI_YELLOW, what.data);
    steer_buf_clear(&what);
    if (put_hit(out, loss, "serve_all"))
        steer_buf_puts(out, " are sent there all the same (serve_all)");
    if (put_hit(&what, loss, "nodata"))
        steer_buf_printf(out, "%s%s get nothing (NODATA)",
                         out->data[out->len - 1] == ')' ? ", " : "", what.data);
    steer_buf_printf(out, " for %s", types);
    if (*client)
        steer_buf_printf(out, "; one is %s", client);
    steer_buf_puts(out, "\n");
    steer_buf_fini(&what);
}

static void put_detours(struct steer_buf *out, const struct cli *cli, const json_t *record,
                        const json_t *failure)
{
    const json_t *moves = json_object_get(failure, "moves"), *move;
    size_t i;
    if (!json_array_size(moves))
        return;
    steer_buf_printf(out, "if %s %s fails, of %s clients ", cli_member(failure, "kind"),
                     cli_member(failure, "name"), cli_plan_family(failure));
    cli_plan_types(out, record, cli_member(failure, "type"));
    steer_buf_puts(out, " moves:");
    json_array_foreach(moves, i, move)
        steer_buf_printf(out, "%s %.4g%% %s %s %s", i ? "," : "", number(move, "percent"),
                         cli_member(move, "from"), cli->utf8 ? "→" : "->", cli_member(move, "to"));
    steer_buf_puts(out, "\n");
}

// Types for which it does the same stand in one line.
static void put_failures(const struct cli *cli, struct steer_buf *out, const json_t *record,
                         bool all)
{
    const json_t *failures = json_object_get(record, "failures");
    struct loss *losses = steer_calloc(json_array_size(failures), sizeof *losses);
    size_t count = 0, bad = 0;
    for (size_t at = 0; at < json_array_size(failures); at = losses[count++].end)
        losses[count] = loss_at(failures, at);
    for (size_t i = 0; i < count; i++) {
        struct steer_buf types = {0};
        const char *between = "";
        for (size_t k = i; k < count && losses[i].bad && !losses[i].told; k++) {
            if (losses[k].told || !same_numbers(&losses[i], &losses[k]))
                continue;
            steer_buf_puts(&types, between);
            cli_plan_types(&types, record,
                           cli_member(json_array_get(failures, losses[k].first), "type"));
            between = ", ";
            losses[k].told = k > i;
        }
        if (types.len)
            put_loss(out, cli, &losses[i], types.data);
        bad += losses[i].bad;
        for (size_t k = losses[i].first; k < losses[i].end && all; k++)
            put_detours(out, cli, record, json_array_get(failures, k));
        steer_buf_fini(&types);
    }
    if (!bad && !cli_plan_is(record, "change", "removed"))
        steer_buf_puts(out, "survives any one endpoint and any one site\n");
    free(losses);
}

// ---- records -------------------------------------------------------------------------------------

// What is most of all clients that move, of a family.
static double moving_of(const json_t *record, const char *family)
{
    const json_t *moves = json_object_get(record, "moves"), *move;
    double most = 0, sum = 0;
    const json_t *before = NULL;
    size_t i;
    json_array_foreach(moves, i, move)
    {
        if (!cli_plan_is(move, "clients", family))
            continue;
        if (!before || !cli_plan_is(before, "type", cli_member(move, "type")))
            sum = 0;
        sum += number(move, "percent");
        most = sum > most ? sum : most;
        before = move;
    }
    return most;
}

static double moving(const json_t *record)
{
    const double v4 = moving_of(record, "ipv4"), v6 = moving_of(record, "ipv6");
    return v4 > v6 ? v4 : v6;
}

static bool gets_worse(const json_t *record)
{
    const json_t *failure;
    size_t i;
    json_array_foreach(json_object_get(record, "failures"), i, failure)
    {
        if (is_worse(failure))
            return true;
    }
    return false;
}

static double weight(const json_t *record)
{
    return moving(record) + (gets_worse(record) ? 1000 : 0) +
           (json_is_true(json_object_get(record, "changed")) ? 500 : 0);
}

// ", 30% of clients move", or what it is of each family.
static void put_moving(struct steer_buf *out, const json_t *record, const char *whom)
{
    char v4[32], v6[32];
    snprintf(v4, sizeof v4, "%.4g%%", moving_of(record, "ipv4"));
    snprintf(v6, sizeof v6, "%.4g%%", moving_of(record, "ipv6"));
    if (strcmp(v4, v6) == 0)
        steer_buf_printf(out, ", %s of %s move", v4, whom);
    else if (strcmp(v4, "0%") != 0 && strcmp(v6, "0%") != 0)
        steer_buf_printf(out, ", %s of IPv4 and %s of IPv6 %s move", v4, v6, whom);
    else
        steer_buf_printf(out, ", %s of IPv%s %s move", strcmp(v4, "0%") != 0 ? v4 : v6,
                         strcmp(v4, "0%") != 0 ? "4" : "6", whom);
}

static void put_heading(const struct cli *cli, struct steer_buf *out, const json_t *record)
{
    const json_t *asked = json_object_get(record, "asked");
    steer_buf_puts(out, "\n");
    cli_put_coloured(out, cli->colour_out, CLI_BOLD, cli_member(record, "record"));
    steer_buf_printf(out, "  %s", cli_member(record, "change"));
    if (moving(record) > 0)
        put_moving(out, record, asked ? "queries" : "clients");
    else if (!json_is_true(json_object_get(record, "changed")))
        steer_buf_puts(out, ", shares stay as they are");
    if (asked)
        steer_buf_printf(out, "  (%s queries%s)", cli_member(asked, "queries"),
                         cli_plan_is(asked, "names", "all") ? " for all names; too few for its own"
                                                            : "");
    steer_buf_puts(out, "\n");
}

static void put_record(const struct cli *cli, const json_t *record, bool all)
{
    struct steer_buf out = {0};
    const json_t *warning;
    size_t i;
    put_heading(cli, &out, record);
    put_failures(cli, &out, record, all);
    json_array_foreach(json_object_get(record, "warnings"), i, warning)
    {
        cli_put_coloured(&out, cli->colour_out, CLI_YELLOW, "warning: ");
        cli_put(&out, cli_text(warning));
        steer_buf_puts(&out, "\n");
    }
    cli_write(&out);
    cli_plan_put_shares(cli, record, all);
    cli_plan_put_moves(cli, record, all);
}

static int heaviest_first(const void *a, const void *b)
{
    const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
    const double p = weight(x), q = weight(y);
    if (p != q)
        return p > q ? -1 : 1;
    return strcmp(cli_member(x, "record"), cli_member(y, "record"));
}

static size_t put_records(const struct cli *cli, const json_t *plan, bool all)
{
    const json_t *records = json_object_get(plan, "records"), *record;
    const json_t **told = steer_calloc(json_array_size(records), sizeof(json_t *));
    const bool brief = json_is_true(json_object_get(plan, "brief"));
    size_t i, count = 0, changed = 0;
    json_array_foreach(records, i, record)
    {
        const bool changes = json_is_true(json_object_get(record, "changed"));
        changed += changes;
        if (all || changes || json_array_size(json_object_get(record, "warnings")))
            told[count++] = record;
    }
    if (count)
        qsort(told, count, sizeof(json_t *), heaviest_first);
    const size_t shown = brief && count > RECORDS_SHOWN ? RECORDS_SHOWN : count;
    for (i = 0; i < shown; i++)
        put_record(cli, told[i], all);
    if (count > shown)
        printf(
            "\nand %zu records more, none of which moves more (--json has them; --all tells all)\n",
            count - shown);
    if (json_array_size(records) > count)
        printf("\n%zu record%s: shares stay as they are\n", json_array_size(records) - count,
               json_array_size(records) == count + 1 ? "" : "s");
    free(told);
    return changed;
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

static void put_assertion(const struct cli *cli, struct steer_buf *out, const json_t *assertion)
{
    const bool holds = json_is_true(json_object_get(assertion, "holds"));
    cli_put_coloured(out, cli->colour_out, holds ? CLI_GREEN : CLI_RED,
                     holds ? (cli->utf8 ? "✓ " : "+ ") : (cli->utf8 ? "✗ " : "- "));
    cli_put(out, cli_member(assertion, "name"));
    steer_buf_printf(out, " (%s)  %s:%s:%s  ", cli_member(assertion, "text"),
                     cli_member(assertion, "document"), cli_member(assertion, "line"),
                     cli_member(assertion, "column"));
    steer_buf_printf(out, "%s record%s%s\n", cli_member(assertion, "records"),
                     cli_plan_is(assertion, "records", "1") ? "" : "s",
                     json_is_true(json_object_get(assertion, "waived")) ? ", overridden" : "");
    put_breaches(cli, out, assertion);
}

// Those that do not hold first.
static size_t put_assertions(const struct cli *cli, const json_t *list)
{
    struct steer_buf out = {0};
    const json_t *assertion;
    size_t i, broken = 0;
    if (!json_array_size(list))
        return 0;
    steer_buf_puts(&out, "\n");
    cli_put_coloured(&out, cli->colour_out, CLI_BOLD, "assertions");
    steer_buf_puts(&out, "\n");
    for (int holds = 0; holds < 2; holds++) {
        json_array_foreach(list, i, assertion)
        {
            if (json_is_true(json_object_get(assertion, "holds")) != holds)
                continue;
            put_assertion(cli, &out, assertion);
            broken += !holds && !json_is_true(json_object_get(assertion, "waived"));
        }
    }
    cli_write(&out);
    return broken;
}

// ---- all of it -----------------------------------------------------------------------------------

// The last line, above the question whether to apply it.
static void put_verdict(const struct cli *cli, const json_t *plan, size_t changed, size_t broken)
{
    struct steer_buf out = {0};
    const json_t *record;
    size_t i, worse = 0;
    json_array_foreach(json_object_get(plan, "records"), i, record) worse += gets_worse(record);
    char text[128] = "no single failure does more harm than now";
    if (broken)
        snprintf(text, sizeof text, "%zu assertion%s not hold: an apply would be refused", broken,
                 broken == 1 ? " does" : "s do");
    else if (worse)
        snprintf(text, sizeof text, "in %zu a single failure would do more harm than now", worse);
    steer_buf_printf(&out, "\n%zu record%s with other shares; ", changed, changed == 1 ? "" : "s");
    cli_put_coloured(&out, cli->colour_out,
                     broken  ? CLI_RED
                     : worse ? CLI_YELLOW
                             : CLI_GREEN,
                     text);
    steer_buf_puts(&out, "\n");
    cli_write(&out);
}

static void put_population(const json_t *plan)
{
    const json_t *population = json_object_get(plan, "population");
    if (cli_plan_is(population, "of", "queries"))
        printf("\nShares are of %s queries of the sample, not of addresses.\n",
               cli_member(population, "queries"));
}

void cli_plan_print(const struct cli *cli, const json_t *plan, bool all)
{
    const size_t broken = put_assertions(cli, json_object_get(plan, "assertions"));
    put_population(plan);
    const size_t changed = put_records(cli, plan, all);
    if (json_array_size(json_object_get(plan, "records")))
        put_verdict(cli, plan, changed, broken);
}
