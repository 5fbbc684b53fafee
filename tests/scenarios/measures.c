// SPDX-License-Identifier: GPL-3.0-or-later
// Measured latency tables: samples in, tables frozen, as control does it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage.h"
#include "steerd/base/mem.h"
#include "steerd/policy/latency_rows.h"

static struct steer_measure *measure_of(const struct stage *stage, const struct line *line)
{
    struct steer_measure *m = steer_measures_find(stage->measures, line->words[1]);
    if (!m)
        script_broken(stage->script, line->number, "'%s' is not a table that is measured",
                      line->words[1]);
    return m;
}

static void judge_number(struct stage *stage, const struct line *detail, size_t value)
{
    char got[64];
    snprintf(got, sizeof got, "%s %zu", detail->words[0], value);
    script_judge(stage->script, detail->number,
                 script_number(stage->script, detail, 1, 1000000) == value, detail->tails[0], got);
}

static void judge_text(struct stage *stage, const struct line *detail, const char *said)
{
    script_judge(stage->script, detail->number,
                 detail->count == 2 && strstr(said, detail->words[1]), detail->tails[0],
                 *said ? said : "nothing was refused");
}

// ---- measure TABLE CLIENT SITE MS [xN] -----------------------------------------------------------

void stage_measure(struct stage *stage, const struct line *line)
{
    struct steer_latency_batch batch;
    struct steer_diag diag = {0};
    struct steer_buf text = {0};
    struct line detail;
    unsigned times = 1;
    size_t limited;
    if (line->count < 5 || (line->count > 5 && sscanf(line->words[5], "x%u", &times) != 1))
        script_broken(stage->script, line->number, "give: measure TABLE CLIENT SITE MS [xN]");
    steer_buf_printf(&text, "{\"client\":\"%s\",\"samples\":[", line->words[2]);
    for (unsigned i = 0; i < times; i++)
        steer_buf_printf(&text, "%s{\"site\":\"%s\",\"ms\":%s}", i ? "," : "", line->words[3],
                         line->words[4]);
    steer_buf_puts(&text, "]}");
    if (steer_latency_batch_parse(text.data, text.len, NULL, &batch, &diag) != STEER_OK)
        script_broken(stage->script, line->number, "%s", diag.message);
    const size_t accepted =
        steer_measure_take(measure_of(stage, line), steer_linker_catalog(stage->linker),
                           steer_linker_geo(stage->linker), &batch, stage->now_unix_s, &limited);
    while (script_detail(stage->script, &detail)) {
        if (strcmp(detail.words[0], "accepted") == 0)
            judge_number(stage, &detail, accepted);
        else if (strcmp(detail.words[0], "limited") == 0)
            judge_number(stage, &detail, limited);
        else if (strcmp(detail.words[0], "refused") == 0)
            judge_text(stage, &detail, batch.refusal_count ? batch.refusals[0].reason : "");
        else
            script_broken(stage->script, detail.number, "'%s' is not expected here",
                          detail.words[0]);
    }
    steer_latency_batch_fini(&batch);
    steer_buf_fini(&text);
}

// ---- freeze [TABLE] ------------------------------------------------------------------------------

struct outcome {
    size_t frozen;
    uint32_t changes, number;
    char refusal[1024];
};

static void freeze(struct stage *stage, struct steer_measure *m, struct outcome *out)
{
    struct steer_diag diag = {0};
    const struct steer_object *table =
        steer_catalog_get(steer_linker_catalog(stage->linker), STEER_LATENCY, m->name);
    const struct steer_measure_moment moment = {steer_linker_catalog(stage->linker),
                                                steer_linker_geo(stage->linker), stage->now_unix_s,
                                                NULL, NULL};
    struct steer_latency *next = steer_measure_freeze(m, table, &moment, &out->changes);
    m->judged_unix_s = stage->now_unix_s;
    out->number = table->frozen_number;
    if (out->changes) {
        struct steer_link *link = steer_link_begin(stage->linker);
        struct steer_object *object = steer_object_freeze(table, next, table->frozen_number + 1);
        steer_link_put(link, object);
        steer_object_unref(object);
        if (stage_finish(stage, link, STEER_OK, &diag) == STEER_OK) {
            out->frozen++;
            out->number++;
        }
    }
    snprintf(out->refusal, sizeof out->refusal, "%s", diag.message);
    steer_measure_set_refusal(m, diag.message, stage->now_unix_s);
    steer_latency_unref(next);
}

void stage_freeze(struct stage *stage, const struct line *line)
{
    struct outcome out = {0};
    struct line detail;
    if (line->count > 1)
        freeze(stage, measure_of(stage, line), &out);
    for (size_t i = 0; line->count == 1 && i < steer_measures_count(stage->measures); i++) {
        struct steer_measure *m = steer_measures_at(stage->measures, i);
        if (steer_measure_is_due(m, stage->now_unix_s) && steer_measure_is_silent(m))
            m->judged_unix_s = stage->now_unix_s;
        else if (steer_measure_is_due(m, stage->now_unix_s))
            freeze(stage, m, &out);
    }
    stage_check_fresh(stage, line->number);
    while (script_detail(stage->script, &detail)) {
        if (strcmp(detail.words[0], "frozen") == 0)
            judge_number(stage, &detail, out.frozen);
        else if (strcmp(detail.words[0], "number") == 0)
            judge_number(stage, &detail, out.number);
        else if (strcmp(detail.words[0], "changes") == 0)
            judge_number(stage, &detail, out.changes);
        else if (strcmp(detail.words[0], "refused") == 0)
            judge_text(stage, &detail, out.refusal);
        else
            script_broken(stage->script, detail.number, "'%s' is not expected here",
                          detail.words[0]);
    }
}

// ---- restart -------------------------------------------------------------------------------------

struct steer_object *stage_move_frozen(struct stage *to, const struct steer_object *from,
                                       struct steer_object *object)
{
    struct steer_object *rows;
    struct steer_diag diag = {0};
    if (!from->frozen)
        return object;
    json_t *body = json_pack("{s:o}", "rows", steer_latency_rows_json(from->frozen));
    char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(15));
    if (steer_object_from_json(STEER_LATENCY, from->name, "", text, NULL, &rows, &diag) != STEER_OK)
        script_broken(to->script, 0, "%s", diag.message);
    struct steer_object *frozen = steer_object_freeze(object, rows->latency, from->frozen_number);
    steer_object_unref(rows);
    steer_object_unref(object);
    free(text);
    json_decref(body);
    return frozen;
}

static void move_estimates(struct stage *to, const struct steer_measure *from,
                           struct steer_measure *m, const struct line *line)
{
    for (size_t i = 0; i < steer_estimates_count(from->estimates); i++) {
        const struct steer_latency_row *who;
        const struct steer_estimate *e = steer_estimates_at(from->estimates, i, &who);
        struct steer_latency_row again = {.site = who->site};
        struct steer_estimate copy = {
            .at_unix_s = e->at_unix_s, .window = e->window, .used = e->used};
        struct steer_buf bins = {0};
        char client[64];
        steer_estimate_pack(e, &bins);
        steer_latency_client_format(who, client, sizeof client);
        if (!steer_latency_client_parse(client, &again) ||
            !steer_estimate_unpack((const uint8_t *)bins.data, bins.len, &copy))
            script_missed(to->script, line->number, client, "an equal estimate comes back");
        steer_measure_restore(m, &again, &copy);
        steer_buf_fini(&bins);
    }
}

void stage_move_measures(struct stage *to, const struct stage *from,
                         const struct steer_catalog *catalog, const struct line *line)
{
    steer_measures_follow(to->measures, catalog, to->now_unix_s, NULL, NULL);
    for (size_t i = 0; i < steer_measures_count(from->measures); i++) {
        const struct steer_measure *old = steer_measures_at(from->measures, i);
        struct steer_measure *m = steer_measures_find(to->measures, old->name);
        m->judged_unix_s = old->judged_unix_s;
        steer_measure_set_refusal(m, old->refusal, old->refused_unix_s);
        move_estimates(to, old, m, line);
    }
}
