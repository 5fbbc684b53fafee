// SPDX-License-Identifier: GPL-3.0-or-later
#include "stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/base/clock.h"
#include "steerd/base/mem.h"
#include "steerd/rr/zonefile.h"

enum { START_UNIX_S = 1800000000, DEFAULT_TTL_S = 3600, FILE_MAX_BYTES = 16 << 20 };

// ---- the stage itself ----------------------------------------------------------------------------

static void raise_curtain(struct stage *stage)
{
    struct steer_diag diag = {0};
    struct steer_geo *geo;
    char text[1400];
    stage->vitals = steer_vitals_create();
    stage->measures = steer_measures_create();
    if (steer_geo_open((const char *const *)stage->geo_files, stage->geo_count, NULL, &geo,
                       &diag) != STEER_OK)
        script_broken(stage->script, 0, "%s", steer_diag_format(&diag, text, sizeof text));
    if (steer_linker_create(geo, stage->vitals, &stage->linker, &diag) != STEER_OK)
        script_broken(stage->script, 0, "%s", steer_diag_format(&diag, text, sizeof text));
    steer_geo_unref(geo);
}

void stage_init(struct stage *stage, struct script *script)
{
    *stage = (struct stage){.script = script, .now_unix_s = START_UNIX_S};
    raise_curtain(stage);
}

void stage_fini(struct stage *stage)
{
    steer_linker_destroy(stage->linker);
    steer_vitals_destroy(stage->vitals);
    steer_measures_destroy(stage->measures);
    for (size_t i = 0; i < stage->geo_count; i++)
        free(stage->geo_files[i]);
}

// Whatever has happened, each cell is what evaluating it afresh gives: nothing that a change touches was
// forgotten by the dependency index.
void stage_check_fresh(struct stage *stage, unsigned line)
{
    char got[64];
    uint32_t stale = steer_linker_refresh(stage->linker, STEER_ENDPOINT, NULL);
    if (!stale)
        return;
    snprintf(got, sizeof got, "%u cells were out of date", stale);
    script_missed(stage->script, line, got, "every cell follows the change");
}

// ---- changes -------------------------------------------------------------------------------------

// What a change is made of, and how it went.
struct change {
    const char *file; // as messages name it
    const char *name; // of the document
    bool take_over, prune;
    struct steer_buf text;
    struct steer_diag diag;
    struct steer_link_summary summary;
};

static char *beside(const struct stage *stage, const char *file)
{
    struct steer_buf path = {0};
    steer_buf_printf(&path, "%s/%s", stage->script->folder, file);
    return steer_buf_take(&path);
}

// The text that a FILE or <<TAG at the end of a line stands for.
static void read_text(struct stage *stage, const struct line *line, unsigned word,
                      struct change *change)
{
    struct steer_diag diag = {0};
    if (word + 1 != line->count)
        script_broken(stage->script, line->number, "one file or <<TAG belongs at the end");
    const char *source = line->words[word];
    if (strncmp(source, "<<", 2) == 0) {
        script_block(stage->script, line, source + 2, &change->text);
        change->file = "inline";
        return;
    }
    char *path = beside(stage, source);
    if (steer_buf_read_file(&change->text, path, FILE_MAX_BYTES, &diag) != STEER_OK)
        script_broken(stage->script, line->number, "%s", diag.message);
    free(path);
    change->file = source;
}

static void change_fini(struct change *change)
{
    steer_link_summary_fini(&change->summary);
    steer_buf_fini(&change->text);
}

enum steer_err stage_finish(struct stage *stage, struct steer_link *link, enum steer_err err,
                            struct steer_diag *diag)
{
    if (err == STEER_OK)
        err = steer_link_prepare(link, stage->now_unix_s, diag);
    if (err != STEER_OK) {
        steer_link_abort(link);
        return err;
    }
    steer_link_commit(link);
    steer_vitals_follow(stage->vitals, steer_linker_catalog(stage->linker), NULL, NULL, NULL);
    steer_measures_follow(stage->measures, steer_linker_catalog(stage->linker), stage->now_unix_s,
                          NULL, NULL);
    return STEER_OK;
}

static void read_document(struct stage *stage, const struct line *line, unsigned word,
                          struct change *change)
{
    for (; word + 1 < line->count; word++) {
        if (strcmp(line->words[word], "take-over") == 0)
            change->take_over = true;
        else if (strcmp(line->words[word], "prune") == 0)
            change->prune = true;
        else if (strcmp(line->words[word], "as") == 0)
            change->name = line->words[++word];
        else
            script_broken(stage->script, line->number, "'%s' says nothing to a document",
                          line->words[word]);
    }
    read_text(stage, line, word, change);
    if (!change->name)
        change->name = change->file;
}

static enum steer_err apply_document(struct stage *stage, struct change *change)
{
    struct steer_document *document;
    const struct steer_link_documents_options options = {change->take_over, change->prune};
    enum steer_err err = steer_document_parse(change->text.data, change->text.len, change->name,
                                              change->file, &document, &change->diag);
    if (err != STEER_OK)
        return err;
    struct steer_link *link = steer_link_begin(stage->linker);
    err = steer_link_documents(link, &document, 1, &options, &change->summary, &change->diag);
    err = stage_finish(stage, link, err, &change->diag);
    steer_document_destroy(document);
    return err;
}

struct reading {
    struct steer_zone_edit *build;
    const struct steer_name *origin;
    struct steer_diag *diag;
};

static int take_record(void *ctx, const struct steer_rr *rr)
{
    struct reading *r = ctx;
    if (!steer_name_is_below(rr->owner, r->origin->octets))
        return 0;
    if (steer_zone_add(r->build, rr->owner, rr->type, rr->ttl, rr->rdata, rr->rdata_len, NULL,
                       r->diag) == STEER_OK)
        return 0;
    r->diag->line = rr->line;
    return 1;
}

static enum steer_err apply_zonefile(struct stage *stage, const struct steer_name *origin,
                                     struct change *change)
{
    struct steer_diag *diag = &change->diag;
    struct reading reading = {steer_zone_build(origin), origin, diag};
    enum steer_err err =
        steer_zonefile_read(change->text.data, change->text.len, change->file, origin,
                            DEFAULT_TTL_S, NULL, take_record, &reading, diag);
    if (err == STEER_OK)
        err = steer_zone_check(reading.build, diag);
    if (err != STEER_OK) {
        steer_zone_abort(reading.build);
        return err;
    }
    struct steer_link *link = steer_link_begin(stage->linker);
    err = steer_link_replace_zone(link, origin, reading.build, diag);
    return stage_finish(stage, link, err, diag);
}

static void read_origin(struct stage *stage, const struct line *line, unsigned word,
                        struct steer_name *origin)
{
    struct steer_diag diag = {0};
    if (word >= line->count || steer_name_parse(line->words[word], NULL, origin, &diag) != STEER_OK)
        script_broken(stage->script, line->number, "a zone's name is missing: %s", diag.message);
    steer_name_lower(origin);
}

static void must_succeed(struct stage *stage, const struct line *line, const struct change *change,
                         enum steer_err err)
{
    char got[1400];
    if (err != STEER_OK)
        script_missed(stage->script, line->number,
                      steer_diag_format(&change->diag, got, sizeof got), "it is accepted");
    stage_check_fresh(stage, line->number);
}

// created, replaced, removed, unchanged: how many things a document changed.
static void judge_summary(struct stage *stage, const struct steer_link_summary *summary)
{
    const struct {
        const char *word;
        size_t count;
    } counts[] = {{"created", summary->created_count},
                  {"replaced", summary->replaced_count},
                  {"removed", summary->removed_count},
                  {"unchanged", summary->unchanged}};
    struct line detail;
    while (script_detail(stage->script, &detail)) {
        unsigned i = 0;
        while (i < STEER_ARRAY_LEN(counts) && strcmp(detail.words[0], counts[i].word) != 0)
            i++;
        if (i == STEER_ARRAY_LEN(counts))
            script_broken(stage->script, detail.number, "'%s' is not expected of a document",
                          detail.words[0]);
        char got[32];
        snprintf(got, sizeof got, "%zu", counts[i].count);
        script_judge(stage->script, detail.number,
                     counts[i].count == script_number(stage->script, &detail, 1, 1000000),
                     detail.tails[0], got);
    }
}

void stage_document(struct stage *stage, const struct line *line)
{
    struct change change = {0};
    read_document(stage, line, 1, &change);
    must_succeed(stage, line, &change, apply_document(stage, &change));
    judge_summary(stage, &change.summary);
    change_fini(&change);
}

void stage_plan(struct stage *stage, const struct line *line)
{
    struct change change = {0};
    struct steer_document *document = NULL;
    struct steer_plan *plan = NULL;
    struct steer_buf text = {0};
    const bool all = line->count > 1 && strcmp(line->words[1], "all") == 0;
    read_document(stage, line, all ? 2 : 1, &change);
    const struct steer_link_documents_options options = {change.take_over, change.prune};
    const struct steer_plan_how how = {.all = all};
    enum steer_err err = steer_document_parse(change.text.data, change.text.len, change.name,
                                              change.file, &document, &change.diag);
    steer_buf_puts(&text, "{");
    if (err == STEER_OK) {
        struct steer_link *link = steer_link_begin(stage->linker);
        steer_link_set_planning(link);
        err = steer_link_documents(link, &document, 1, &options, &change.summary, &change.diag);
        if (err == STEER_OK)
            err = steer_link_prepare(link, stage->now_unix_s, &change.diag);
        if (err == STEER_OK)
            plan = steer_link_plan(link, all);
        steer_link_abort(link);
    }
    if (plan)
        err = steer_plan_run(plan, &how, &text, &change.diag);
    must_succeed(stage, line, &change, err);
    steer_buf_puts(&text, "}");
    json_t *told = json_loads(text.data, 0, NULL);
    if (!told)
        script_broken(stage->script, line->number, "the plan is not JSON");
    expect_json(stage, told);
    json_decref(told);
    steer_buf_fini(&text);
    steer_plan_destroy(plan);
    steer_document_destroy(document);
    change_fini(&change);
}

void stage_zonefile(struct stage *stage, const struct line *line)
{
    struct change change = {0};
    struct steer_name origin;
    read_origin(stage, line, 1, &origin);
    read_text(stage, line, 2, &change);
    must_succeed(stage, line, &change, apply_zonefile(stage, &origin, &change));
    change_fini(&change);
}

void stage_delete_zone(struct stage *stage, const struct line *line)
{
    struct change change = {0};
    struct steer_name origin;
    read_origin(stage, line, 1, &origin);
    struct steer_link *link = steer_link_begin(stage->linker);
    enum steer_err err = STEER_OK;
    if (!steer_link_remove_zone(link, &origin))
        err = steer_diag_set(&change.diag, STEER_ENOTFOUND, "there is no such zone");
    must_succeed(stage, line, &change, stage_finish(stage, link, err, &change.diag));
}

// ---- refusals ------------------------------------------------------------------------------------

// What must be as before when a change was refused.
struct trace {
    const struct steer_world *world;
    const struct steer_catalog *catalog;
    uint64_t version, cells;
    size_t residuals, classmaps;
};

static struct trace trace_of(const struct stage *stage)
{
    struct steer_cells_stats stats;
    steer_cells_stats(steer_linker_cells(stage->linker), &stats);
    const struct steer_world *world = steer_linker_world(stage->linker);
    return (struct trace){world,
                          steer_linker_catalog(stage->linker),
                          world->version,
                          stats.cells,
                          steer_residuals_count(steer_linker_residuals(stage->linker)),
                          steer_linker_maps(stage->linker).tables};
}

// error [LINE[:COLUMN]] TEXT
static void judge_error(struct stage *stage, const struct line *detail,
                        const struct steer_diag *diag)
{
    char got[1400];
    unsigned line = 0;
    unsigned column = 0;
    unsigned word = 1;
    if (strcmp(detail->words[0], "error") != 0 || detail->count < 2)
        script_broken(stage->script, detail->number, "give: error [LINE[:COLUMN]] TEXT");
    if (sscanf(detail->words[1], "%u:%u", &line, &column) >= 1)
        word = 2;
    bool met = (!line || diag->line == line) && (!column || diag->column == column);
    for (; word < detail->count; word++)
        met = met && strstr(diag->message, detail->words[word]);
    script_judge(stage->script, detail->number, met, detail->tails[0],
                 steer_diag_format(diag, got, sizeof got));
}

void stage_refuse(struct stage *stage, const struct line *line)
{
    struct change change = {0};
    struct steer_name origin;
    struct line detail;
    struct trace before = trace_of(stage);
    enum steer_err err;
    const char *what = line->count > 1 ? line->words[1] : "";
    if (strcmp(what, "document") == 0) {
        read_document(stage, line, 2, &change);
        err = apply_document(stage, &change);
    } else if (strcmp(what, "zonefile") == 0) {
        read_origin(stage, line, 2, &origin);
        read_text(stage, line, 3, &change);
        err = apply_zonefile(stage, &origin, &change);
    } else if (strcmp(what, "rehearse") == 0) {
        struct steer_rehearsals *next = NULL;
        err = stage_read_rehearsal(stage, line, 2, &next, &change.diag);
        steer_rehearsals_unref(next);
    } else {
        script_broken(stage->script, line->number,
                      "only a document, a zonefile or a rehearsal can be refused");
    }
    struct trace after = trace_of(stage);
    script_judge(stage->script, line->number, err != STEER_OK, "it is refused", "it was accepted");
    if (err != STEER_OK && memcmp(&before, &after, sizeof before) != 0)
        script_missed(stage->script, line->number, "something was left behind",
                      "a refused change changes nothing");
    while (script_detail(stage->script, &detail))
        judge_error(stage, &detail, &change.diag);
    stage_check_fresh(stage, line->number);
    change_fini(&change);
}

// ---- geo data ------------------------------------------------------------------------------------

void stage_geo(struct stage *stage, const struct line *line)
{
    struct steer_diag diag = {0};
    struct steer_geo *geo;
    for (size_t i = 0; i < stage->geo_count; i++)
        free(stage->geo_files[i]);
    stage->geo_count = 0;
    for (unsigned i = 1; i < line->count && i <= GEO_FILES_MAX; i++) {
        struct steer_buf path = {0};
        steer_buf_printf(&path, "%s/%s", STEER_SOURCE_DIR, line->words[i]);
        stage->geo_files[stage->geo_count++] = steer_buf_take(&path);
    }
    if (steer_geo_open((const char *const *)stage->geo_files, stage->geo_count, NULL, &geo,
                       &diag) != STEER_OK)
        script_broken(stage->script, line->number, "%s", diag.message);
    struct change change = {0};
    struct steer_link *link = steer_link_begin(stage->linker);
    steer_link_set_geo(link, geo);
    must_succeed(stage, line, &change, stage_finish(stage, link, STEER_OK, &change.diag));
    steer_geo_unref(geo);
}

// ---- health --------------------------------------------------------------------------------------

// changed N: how many cells the directive changed.
static void judge_changed(struct stage *stage, const struct line *line, uint32_t changed)
{
    struct line detail;
    stage_check_fresh(stage, line->number);
    while (script_detail(stage->script, &detail)) {
        char got[32];
        if (strcmp(detail.words[0], "changed") != 0)
            script_broken(stage->script, detail.number, "only 'changed N' is expected here");
        snprintf(got, sizeof got, "changed %u", changed);
        script_judge(stage->script, detail.number,
                     script_number(stage->script, &detail, 1, 1000000) == changed, detail.tails[0],
                     got);
    }
}

// probe ENDPOINT CHECK pass|fail [xN] [REASON...]; as control does with what its prober reports.
void stage_probe(struct stage *stage, const struct line *line)
{
    unsigned times = 1;
    unsigned word = 4;
    uint32_t changed = 0;
    if (line->count < 4)
        script_broken(stage->script, line->number,
                      "give: probe ENDPOINT CHECK pass|fail [xN] [REASON]");
    bool pass = strcmp(line->words[3], "pass") == 0;
    if (!pass && strcmp(line->words[3], "fail") != 0)
        script_broken(stage->script, line->number, "a probe passes or fails");
    if (line->count > 4 && sscanf(line->words[4], "x%u", &times) == 1)
        word = 5;
    const struct steer_vital *found =
        steer_vitals_find(stage->vitals, line->words[1], line->words[2]);
    if (!found)
        script_broken(stage->script, line->number, "endpoint '%s' has no check '%s'",
                      line->words[1], line->words[2]);
    uint64_t key = found->key;
    while (times--) {
        struct steer_vital *vital = steer_vitals_by_key(stage->vitals, key);
        if (steer_verdict_observe(&vital->state, &vital->hysteresis, pass,
                                  word < line->count ? line->tails[word] : "", stage->now_unix_s))
            changed += steer_linker_refresh(stage->linker, STEER_ENDPOINT, vital->endpoint);
    }
    judge_changed(stage, line, changed);
}

void stage_advance(struct stage *stage, const struct line *line)
{
    uint64_t ms;
    if (line->count != 2 || !steer_duration_parse(line->words[1], &ms))
        script_broken(stage->script, line->number, "give: advance 30s");
    stage->now_unix_s += ms / 1000;
    stage_expire_rehearsals(stage, line);
}

enum steer_kind stage_target_kind(const struct stage *stage, const struct line *line, unsigned word)
{
    static const enum steer_kind kinds[] = {STEER_ENDPOINT, STEER_POOL, STEER_SITE, STEER_CHECK};
    if (line->count < word + 2)
        script_broken(stage->script, line->number, "give: %s KIND TARGET", line->words[0]);
    const char *kind = line->words[word], *target = line->words[word + 1];
    for (unsigned i = 0; i < STEER_ARRAY_LEN(kinds); i++) {
        if (strcmp(kind, steer_kind_text(kinds[i])) != 0)
            continue;
        if (!steer_catalog_get(steer_linker_catalog(stage->linker), kinds[i], target))
            script_broken(stage->script, line->number, "there is no %s '%s'", kind, target);
        return kinds[i];
    }
    script_broken(stage->script, line->number, "'%s' cannot be overridden", kind);
}

void stage_override(struct stage *stage, const struct line *line)
{
    enum steer_kind kind = stage_target_kind(stage, line, 1);
    char reason[] = "scenario";
    char owner[] = "";
    char *given = line->count > 4 ? line->words[4] : reason;
    struct steer_override o = {line->words[1],   line->words[2],    given, owner,
                               STEER_FORCED_NOT, stage->now_unix_s, 0};
    if (line->count < 4 || !steer_forced_parse(line->words[3], &o.state))
        script_broken(stage->script, line->number,
                      "give: override KIND TARGET up|down|drained [REASON]");
    steer_vitals_override(stage->vitals, &o);
    judge_changed(stage, line, steer_linker_refresh(stage->linker, kind, line->words[2]));
}

// switch NAME POSITION [REASON]
void stage_switch(struct stage *stage, const struct line *line)
{
    const struct steer_object *object =
        line->count < 3
            ? NULL
            : steer_catalog_get(steer_linker_catalog(stage->linker), STEER_SWITCH, line->words[1]);
    char reason[] = "scenario";
    char owner[] = "";
    if (!object || steer_switch_position(&object->control_switch, line->words[2]) ==
                       object->control_switch.position_count)
        script_broken(stage->script, line->number, "give: switch NAME POSITION [REASON]");
    const struct steer_switch_setting setting = {line->words[1], line->words[2],
                                                 line->count > 3 ? line->words[3] : reason, owner,
                                                 stage->now_unix_s};
    steer_vitals_set_switch(stage->vitals, &setting);
    judge_changed(stage, line, steer_linker_refresh(stage->linker, STEER_SWITCH, line->words[1]));
}

void stage_clear(struct stage *stage, const struct line *line)
{
    enum steer_kind kind = stage_target_kind(stage, line, 1);
    if (!steer_vitals_clear_override(stage->vitals, line->words[1], line->words[2]))
        script_broken(stage->script, line->number, "there is no such override");
    judge_changed(stage, line, steer_linker_refresh(stage->linker, kind, line->words[2]));
}

void stage_state(struct stage *stage, const struct line *line)
{
    if (line->count != 3)
        script_broken(stage->script, line->number, "give: state ENDPOINT up|down|drained|unknown");
    const struct steer_object *endpoint =
        steer_catalog_get(steer_linker_catalog(stage->linker), STEER_ENDPOINT, line->words[1]);
    if (!endpoint)
        script_broken(stage->script, line->number, "there is no endpoint '%s'", line->words[1]);
    const char *got = steer_vitals_state(steer_linker_view(stage->linker), endpoint);
    script_judge(stage->script, line->number, strcmp(got, line->words[2]) == 0, line->words[2],
                 got);
}

// ---- restart -------------------------------------------------------------------------------------

// The order of control's own load: objects, verdicts, zones. All of it passes through the forms that the
// store keeps: canonical JSON, packed RRsets, a verdict's word.
struct moving {
    struct stage *from, *to;
    struct steer_link *link;
    const struct steer_zone *zone;
    struct steer_zone_edit *edit;
    const struct line *line;
};

static void must(const struct moving *m, enum steer_err err, const struct steer_diag *diag)
{
    if (err != STEER_OK)
        script_broken(m->to->script, m->line->number, "what was stored does not load: %s",
                      diag->message);
}

static void move_objects(struct moving *m, enum steer_kind kind)
{
    const struct steer_catalog *catalog = steer_linker_catalog(m->from->linker);
    size_t count = steer_catalog_count(catalog, kind);
    const struct steer_object **list = steer_catalog_list(catalog, kind);
    for (size_t i = 0; i < count; i++) {
        struct steer_object *object;
        struct steer_diag diag = {0};
        bool steered = kind == STEER_STEERED;
        must(m,
             steer_object_from_json(kind, list[i]->name, list[i]->document, list[i]->json,
                                    steered ? &list[i]->steered.zone : NULL, &object, &diag),
             &diag);
        if (object->hash != list[i]->hash)
            script_missed(m->to->script, m->line->number, list[i]->name,
                          "an equal object comes back");
        if (kind == STEER_LATENCY)
            object = stage_move_frozen(m->to, list[i], object);
        if (steered)
            must(m, steer_link_put_steered(m->link, object, &diag), &diag);
        else
            steer_link_put(m->link, object);
        steer_object_unref(object);
    }
    free(list);
}

static void move_verdicts(struct moving *m)
{
    const struct steer_catalog *catalog = steer_link_catalog(m->link);
    size_t count = steer_catalog_count(catalog, STEER_ENDPOINT);
    const struct steer_object **list = steer_catalog_list(catalog, STEER_ENDPOINT);
    steer_vitals_follow(m->to->vitals, catalog, NULL, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        for (uint32_t c = 0; c < list[i]->endpoint.check_count; c++) {
            const char *check = list[i]->endpoint.checks[c];
            const struct steer_vital *old =
                steer_vitals_find(m->from->vitals, list[i]->name, check);
            struct steer_vital *vital = steer_vitals_find(m->to->vitals, list[i]->name, check);
            if (old && vital && old->state.verdict != STEER_UNKNOWN)
                steer_verdict_restore(&vital->state, old->state.verdict, old->state.since_unix_s,
                                      old->state.reason);
        }
    }
    free(list);
    for (size_t i = 0; i < steer_vitals_override_count(m->from->vitals); i++)
        steer_vitals_override(m->to->vitals, steer_vitals_override_at(m->from->vitals, i));
    for (size_t i = 0; i < steer_vitals_switch_count(m->from->vitals); i++)
        steer_vitals_set_switch(m->to->vitals, steer_vitals_switch_at(m->from->vitals, i));
}

static bool move_node(void *ctx, const struct steer_zone_node *node)
{
    struct moving *m = ctx;
    for (unsigned i = 0; i < node->rrset_count; i++) {
        const struct steer_rrset *set = &node->rrsets[i];
        struct steer_buf packed = {0};
        struct steer_rr_view rr;
        struct steer_diag diag = {0};
        size_t at = 0;
        if (steer_rrset_is_steered(set))
            continue;
        while (steer_rrset_next(node, set, &at, &rr)) {
            steer_buf_u16(&packed, rr.rdata_len);
            steer_buf_add(&packed, rr.rdata, rr.rdata_len);
        }
        must(m,
             steer_zone_put_packed(m->edit, steer_zone_node_owner(node), set->type, set->ttl_s,
                                   (const uint8_t *)packed.data, packed.len, &diag),
             &diag);
        steer_buf_fini(&packed);
    }
    return true;
}

static bool move_zone(void *ctx, const void *item)
{
    struct moving *m = ctx;
    m->zone = item;
    m->edit = steer_link_zone(m->link, &m->zone->origin, "");
    steer_zone_each(m->zone, move_node, m);
    return true;
}

void stage_restart(struct stage *stage, const struct line *line)
{
    struct stage old = *stage;
    struct moving m = {.from = &old, .to = stage, .line = line};
    struct steer_diag diag = {0};
    raise_curtain(stage);
    m.link = steer_link_begin(stage->linker);
    steer_link_set_loading(m.link);
    steer_link_set_rehearsals(m.link, steer_catalog_rehearsals(steer_linker_catalog(old.linker)));
    for (enum steer_kind kind = STEER_SITE; kind < STEER_STEERED; kind++)
        move_objects(&m, kind);
    move_verdicts(&m);
    stage_move_measures(stage, &old, steer_link_catalog(m.link), line);
    steer_trie_each(&steer_linker_world(old.linker)->zones, move_zone, &m);
    move_objects(&m, STEER_STEERED);
    must(&m, steer_link_prepare(m.link, stage->now_unix_s, &diag), &diag);
    steer_link_commit(m.link);
    steer_linker_destroy(old.linker);
    steer_vitals_destroy(old.vitals);
    steer_measures_destroy(old.measures);
    stage_check_fresh(stage, line->number);
}
