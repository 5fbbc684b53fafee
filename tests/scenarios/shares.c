// SPDX-License-Identifier: GPL-3.0-or-later
// Shares of answers, twice: exactly, as explain has them, and by drawing.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dialogue.h"
#include "steerd/base/hash.h"
#include "steerd/base/mem.h"

enum { DRAWS = 20000, OUTCOMES_MAX = 256, SEED = 20260131, SIGMAS = 5, TEXT_MAX = 4096 };

// One RRset: its records' data, sorted and joined with ", ", and how often it is given.
struct outcome {
    unsigned line;
    uint64_t num, den; // wanted
    char *text;
    unsigned drawn;
    bool explained;
};

struct outcomes {
    struct outcome items[OUTCOMES_MAX];
    unsigned count;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *join_sorted(char **parts, size_t count)
{
    struct steer_buf out = {0};
    qsort(parts, count, sizeof *parts, by_text);
    for (size_t i = 0; i < count; i++)
        steer_buf_printf(&out, "%s%s", i ? ", " : "", parts[i]);
    return steer_buf_take(&out);
}

static struct outcome *find(struct outcomes *o, const char *text)
{
    for (unsigned i = 0; i < o->count; i++)
        if (strcmp(o->items[i].text, text) == 0)
            return &o->items[i];
    return NULL;
}

// ---- what is wanted ------------------------------------------------------------------------------

static uint64_t common(uint64_t a, uint64_t b)
{
    return b ? common(b, a % b) : a;
}

// 90%, 12.5%, 9/10 or 1, in lowest terms.
static void parse_share(const struct stage *stage, const struct line *d, struct outcome *o)
{
    unsigned long long num = 0;
    unsigned long long den = 1;
    char *end;
    num = strtoull(d->words[1], &end, 10);
    if (*end == '/') {
        den = strtoull(end + 1, &end, 10);
    } else {
        if (*end == '.')
            for (end++; *end >= '0' && *end <= '9'; end++, den *= 10)
                num = num * 10 + (unsigned)(*end - '0');
        if (*end == '%') {
            den *= 100;
            end++;
        }
    }
    if (*end || !den || !num || num > den)
        script_broken(stage->script, d->number, "'%s' is not a share like 90%% or 9/10",
                      d->words[1]);
    uint64_t divisor = common(num, den);
    o->num = num / divisor;
    o->den = den / divisor;
}

static void read_share(struct stage *stage, const struct line *d, struct outcomes *wanted)
{
    char *parts[WORDS_MAX];
    char text[TEXT_MAX];
    size_t count = 0;
    if (strcmp(d->words[0], "share") != 0 || d->count < 3 || wanted->count == OUTCOMES_MAX)
        script_broken(stage->script, d->number, "give: share SHARE DATA[, DATA...]");
    struct outcome *o = &wanted->items[wanted->count];
    *o = (struct outcome){.line = d->number};
    parse_share(stage, d, o);
    snprintf(text, sizeof text, "%s", d->tails[2]);
    for (char *rest = text, *part; (part = strsep(&rest, ",")) && count < WORDS_MAX;) {
        part += strspn(part, " ");
        parts[count++] = part;
    }
    o->text = join_sorted(parts, count);
    wanted->count++;
}

// ---- exactly -------------------------------------------------------------------------------------

static json_t *explain(const struct stage *stage, const struct question *q)
{
    struct steer_explain_question e = {.name = q->name, .type = q->type};
    bool by_ecs = q->has_ecs && q->ecs.len;
    steer_name_lower(&e.name);
    e.client = by_ecs ? q->ecs.addr : q->client;
    e.source = by_ecs ? q->ecs.len : (uint8_t)steer_family_bits(q->client.family);
    return steer_linker_explain(stage->linker, &e);
}

static void judge_exact(struct stage *stage, const struct line *line, const struct question *q,
                        struct outcomes *wanted)
{
    json_t *told = explain(stage, q);
    size_t i;
    const json_t *answer;
    json_array_foreach(json_object_get(told, "answers"), i, answer)
    {
        char *parts[WORDS_MAX];
        char exact[64];
        size_t k;
        size_t count = 0;
        json_t *record;
        json_array_foreach(json_object_get(answer, "records"), k, record) if (count < WORDS_MAX)
            parts[count++] = (char *)(uintptr_t)json_string_value(record);
        char *text = join_sorted(parts, count);
        const char *got = json_string_value(json_object_get(answer, "exact"));
        struct outcome *o = find(wanted, text);
        if (o) {
            o->explained = true;
            snprintf(exact, sizeof exact, "%llu/%llu", (unsigned long long)o->num,
                     (unsigned long long)o->den);
            script_judge(stage->script, o->line, strcmp(exact, got) == 0, exact, got);
        } else {
            script_missed(stage->script, line->number, text, "only the answers listed");
        }
        free(text);
    }
    for (unsigned w = 0; w < wanted->count; w++)
        if (!wanted->items[w].explained)
            script_missed(stage->script, wanted->items[w].line, "explain has no such answer", "%s",
                          wanted->items[w].text);
    json_decref(told);
}

// ---- by drawing ----------------------------------------------------------------------------------

static char *answer_text(const struct reply *r)
{
    const knot_pktsection_t *section = r->pkt ? knot_pkt_section(r->pkt, KNOT_ANSWER) : NULL;
    char *parts[WORDS_MAX];
    size_t count = 0;
    for (uint16_t i = 0; section && i < section->count && count < WORDS_MAX; i++) {
        char data[1024] = "";
        knot_rrset_txt_dump_data(knot_pkt_rr(section, i), 0, data, sizeof data,
                                 &KNOT_DUMP_STYLE_DEFAULT);
        parts[count++] = steer_strdup(data);
    }
    char *text = join_sorted(parts, count);
    for (size_t i = 0; i < count; i++)
        free(parts[i]);
    return text;
}

static void judge_drawn(struct stage *stage, const struct outcome *o)
{
    char got[64];
    double p = (double)o->num / (double)o->den;
    double mean = DRAWS * p;
    double off = fabs(o->drawn - mean);
    snprintf(got, sizeof got, "%u of %d draws", o->drawn, DRAWS);
    if (off > SIGMAS * sqrt(mean * (1 - p)))
        script_missed(stage->script, o->line, got, "%s in about %.0f of %d draws", o->text, mean,
                      DRAWS);
    else
        script_met(stage->script, o->line);
}

static void draw(struct stage *stage, const struct line *line, const struct question *q,
                 struct outcomes *wanted)
{
    static struct reply r;
    struct steer_rng rng;
    unsigned others = 0;
    steer_rng_init(&rng, SEED);
    for (unsigned i = 0; i < DRAWS; i++) {
        ask_quietly(stage, q, steer_rng_next(&rng), &r);
        char *text = answer_text(&r);
        struct outcome *o = find(wanted, text);
        if (o)
            o->drawn++;
        else if (others++ == 0)
            script_missed(stage->script, line->number, text, "only the answers listed are drawn");
        free(text);
        reply_fini(&r);
    }
    for (unsigned i = 0; i < wanted->count; i++)
        judge_drawn(stage, &wanted->items[i]);
}

void expect_shares(struct stage *stage, const struct line *line)
{
    static struct question q;
    struct outcomes *wanted = steer_calloc(1, sizeof *wanted);
    struct line detail;
    question_parse(stage, line, 1, &q);
    while (script_detail(stage->script, &detail))
        read_share(stage, &detail, wanted);
    if (!wanted->count)
        script_broken(stage->script, line->number, "no share is given");
    judge_exact(stage, line, &q, wanted);
    draw(stage, line, &q, wanted);
    for (unsigned i = 0; i < wanted->count; i++)
        free(wanted->items[i].text);
    free(wanted);
}

// ---- explain -------------------------------------------------------------------------------------

// answers.0.exact: keys and indices.
static json_t *at_path(json_t *json, const char *path)
{
    char text[TEXT_MAX];
    snprintf(text, sizeof text, "%s", path);
    for (char *rest = text, *key; json && (key = strsep(&rest, "."));)
        json = json_is_array(json) ? json_array_get(json, strtoul(key, NULL, 10))
                                   : json_object_get(json, key);
    return json;
}

static void judge_path(struct stage *stage, const struct line *d, json_t *told)
{
    json_t *value = at_path(told, d->words[1]);
    char *got = json_is_string(value) ? steer_strdup(json_string_value(value))
                : value               ? json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS)
                                      : steer_strdup("nothing");
    const char *wanted = d->count == 3 ? d->words[2] : d->count > 3 ? d->tails[2] : "";
    script_judge(stage->script, d->number, strcmp(got, wanted) == 0, d->tails[0], got);
    free(got);
}

void expect_json(struct stage *stage, json_t *told)
{
    struct line d;
    char *all = json_dumps(told, JSON_INDENT(1));
    while (script_detail(stage->script, &d)) {
        const char *what = d.words[0];
        if (strcmp(what, "path") == 0 && d.count > 2)
            judge_path(stage, &d, told);
        else if (strcmp(what, "contains") == 0 && d.count == 2)
            script_judge(stage->script, d.number, strstr(all, d.words[1]) != NULL, d.tails[0], all);
        else if (strcmp(what, "lacks") == 0 && d.count == 2)
            script_judge(stage->script, d.number, strstr(all, d.words[1]) == NULL, d.tails[0], all);
        else
            script_broken(stage->script, d.number,
                          "give: path PATH VALUE, contains TEXT or lacks TEXT");
    }
    free(all);
}

void expect_explain(struct stage *stage, const struct line *line)
{
    static struct question q;
    question_parse(stage, line, 1, &q);
    json_t *told = explain(stage, &q);
    expect_json(stage, told);
    json_decref(told);
}
