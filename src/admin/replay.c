// SPDX-License-Identifier: GPL-3.0-or-later
// /api/v1/replay: the sample of queries, and what a change would have meant for them.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_internal.h"
#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/control/replay.h"
#include "steerd/rr/rdata.h"
#include "steerd/rr/type.h"

enum { LIMIT_DEFAULT = 10000, LIMIT_MAX = STEER_REPLAY_QUESTIONS_MAX };

struct records {
    struct steer_replay_record *items;
    size_t count, cap;
};

static bool take(void *ctx, const struct steer_replay_record *record)
{
    struct records *records = ctx;
    records->items =
        steer_grow(records->items, &records->cap, records->count + 1, sizeof *records->items);
    records->items[records->count++] = *record;
    return true;
}

static int newest_first(const void *a, const void *b)
{
    const struct steer_replay_record *x = a, *y = b;
    return (x->unix_s < y->unix_s) - (x->unix_s > y->unix_s);
}

// The newest records of all workers, at most limit; false: the reply says that none are kept.
static bool collect(struct admin_request *r, size_t limit, struct records *records)
{
    if (!r->admin->server || !steer_server_replay(r->admin->server, take, records)) {
        admin_problem(r, 409, "no queries are kept; start steerd with --replay-sample 1/100");
        return false;
    }
    if (records->count)
        qsort(records->items, records->count, sizeof *records->items, newest_first);
    if (records->count > limit)
        records->count = limit;
    return true;
}

// ---- the dump ------------------------------------------------------------------------------------

static bool read_limit(struct admin_request *r, size_t *limit)
{
    uint64_t given = LIMIT_DEFAULT;
    const bool good = admin_read_number(r, "limit", LIMIT_MAX, &given);
    *limit = given;
    return good;
}

static void put_answer(json_t *line, const struct steer_replay_record *record)
{
    struct steer_buf text = {0};
    char type[STEER_TYPE_TEXT_MAX];
    steer_rdata_format(record->answer_type, record->answer, record->answer_len, &text);
    json_object_set_new(line, "answer", json_string(text.data));
    if (record->answer_type != record->type)
        json_object_set_new(line, "answer_type",
                            json_string(steer_type_format(record->answer_type, type)));
    steer_buf_fini(&text);
}

static void put_record(struct steer_buf *out, const struct steer_replay_record *record)
{
    char name[STEER_NAME_TEXT_MAX], type[STEER_TYPE_TEXT_MAX], client[64];
    json_t *line = json_pack("{s:I, s:s, s:s, s:s, s:i, s:b}", "at", (json_int_t)record->unix_s,
                             "name", steer_name_format(record->name.octets, name), "type",
                             steer_type_format(record->type, type), "client",
                             steer_prefix_format(&record->client, client, sizeof client), "rcode",
                             (int)record->rcode, "steered", record->steered);
    if (record->answer_type)
        put_answer(line, record);
    char *text = json_dumps(line, JSON_COMPACT);
    steer_buf_puts(out, text ? text : "{}");
    steer_buf_puts(out, "\n");
    free(text);
    json_decref(line);
}

void admin_replay_get(struct admin_request *r)
{
    struct records records = {0};
    size_t limit;
    if (read_limit(r, &limit) && collect(r, limit, &records)) {
        struct steer_buf out = {0};
        steer_buf_puts(&out, "");
        for (size_t i = 0; i < records.count; i++)
            put_record(&out, &records.items[i]);
        size_t len = out.len;
        admin_reply(r, 200, "application/x-ndjson", steer_buf_take(&out), len);
    }
    free(records.items);
}

// ---- with other documents ------------------------------------------------------------------------

// Equal questions become one.
static struct steer_replay_question *questions_of(const struct records *records, size_t *count)
{
    struct steer_replay_question *questions = steer_calloc(records->count, sizeof *questions);
    struct steer_map index = {0};
    struct steer_buf key = {0};
    char name[STEER_NAME_TEXT_MAX], client[64];
    *count = 0;
    for (size_t i = 0; i < records->count; i++) {
        const struct steer_replay_record *record = &records->items[i];
        uint32_t at;
        steer_buf_clear(&key);
        steer_buf_printf(&key, "%s %u %s", steer_name_format(record->name.octets, name),
                         record->type, steer_prefix_format(&record->client, client, sizeof client));
        if (!steer_map_get(&index, key.data, &at)) {
            at = (uint32_t)(*count)++;
            questions[at] =
                (struct steer_replay_question){record->name, record->type, record->client, 0};
            steer_map_put(&index, key.data, at);
        }
        questions[at].count++;
    }
    steer_buf_fini(&key);
    steer_map_fini(&index);
    return questions;
}

bool admin_replay_questions(struct admin_request *r, size_t limit,
                            struct steer_replay_question **questions, size_t *count)
{
    struct records records = {0};
    const bool kept = collect(r, limit, &records);
    if (kept)
        *questions = questions_of(&records, count);
    free(records.items);
    return kept;
}

static bool read_body_limit(struct admin_request *r, json_t *body, size_t *limit)
{
    json_t *value = json_object_get(body, "limit");
    json_int_t n = json_integer_value(value);
    *limit = value ? (size_t)n : LIMIT_DEFAULT;
    if (!value || (json_is_integer(value) && n >= 1 && n <= LIMIT_MAX))
        return true;
    admin_problem(r, 422, "limit must be a whole number from 1 to %d", LIMIT_MAX);
    return false;
}

static void run(struct admin_request *r, struct steer_control_replay *replay, size_t limit)
{
    struct steer_replay_question *questions;
    json_t *result = NULL;
    struct steer_diag diag = {0};
    if (!admin_replay_questions(r, limit, &questions, &replay->question_count))
        return;
    replay->questions = questions;
    enum steer_err err = steer_control_replay(r->admin->control, replay, &result, &diag);
    admin_reply_result(r, err, &diag, result);
    free(questions);
}

void admin_replay_post(struct admin_request *r)
{
    static const char *const known[] = {"documents", "take_over", "prune", "limit"};
    json_t *body = admin_body_object(r, known, STEER_ARRAY_LEN(known));
    if (!body)
        return;
    json_t *documents = json_object_get(body, "documents");
    struct steer_control_replay replay = {.count = json_array_size(documents)};
    struct steer_control_text *texts = steer_calloc(replay.count, sizeof *texts);
    size_t limit, i = 0;
    replay.texts = texts;
    if (replay.count == 0) {
        admin_problem(r, 422, "documents must be a list with at least one {\"name\", \"text\"}");
    } else if (admin_read_flag(r, body, "take_over", &replay.take_over) &&
               admin_read_flag(r, body, "prune", &replay.prune) &&
               read_body_limit(r, body, &limit)) {
        while (i < replay.count &&
               admin_read_document(r, json_array_get(documents, i), i, &texts[i]))
            i++;
        if (i == replay.count)
            run(r, &replay, limit);
    }
    free(texts);
    json_decref(body);
}
