// SPDX-License-Identifier: GPL-3.0-or-later
// Overrides for the clients of some networks: set, cleared, and ended by the clock.
#include <string.h>

#include "stage.h"

static const char usage[] =
    "give: rehearse KIND TARGET up|down|drained CLIENTS [for TIME] [REASON]";

static void put_in_force(struct stage *stage, const struct line *line,
                         const struct steer_rehearsals *set)
{
    struct steer_diag diag = {0};
    struct steer_link *link = steer_link_begin(stage->linker);
    steer_link_set_rehearsals(link, set);
    if (steer_link_prepare(link, stage->now_unix_s, &diag) == STEER_OK) {
        steer_link_commit(link);
    } else {
        steer_link_abort(link);
        script_missed(stage->script, line->number, diag.message, "the rehearsal is accepted");
    }
    stage_check_fresh(stage, line->number);
}

static const struct steer_rehearsals *in_force(const struct stage *stage)
{
    return steer_catalog_rehearsals(steer_linker_catalog(stage->linker));
}

enum steer_err stage_read_rehearsal(struct stage *stage, const struct line *line, unsigned word,
                                    struct steer_rehearsals **next, struct steer_diag *diag)
{
    struct steer_clients clients;
    struct steer_rehearsal r = {
        .owner = "ana", .reason = "scenario", .set_unix_s = stage->now_unix_s, .clients = &clients};
    uint64_t ms;
    if (line->count < word + 4)
        script_broken(stage->script, line->number, "%s", usage);
    r.kind = stage_target_kind(stage, line, word);
    r.target = line->words[word + 1];
    if (!steer_forced_parse(line->words[word + 2], &r.state))
        script_broken(stage->script, line->number, "%s", usage);
    enum steer_err err = steer_clients_parse(line->words[word + 3], &clients, diag);
    word += 4;
    if (word + 1 < line->count && strcmp(line->words[word], "for") == 0) {
        if (!steer_duration_parse(line->words[word + 1], &ms))
            script_broken(stage->script, line->number, "%s", usage);
        r.expires_unix_s = stage->now_unix_s + ms / 1000;
        word += 2;
    }
    if (word < line->count)
        r.reason = line->words[word];
    return err == STEER_OK ? steer_rehearsals_with(in_force(stage), &r, next, diag) : err;
}

void stage_rehearse(struct stage *stage, const struct line *line)
{
    struct steer_diag diag = {0};
    struct steer_rehearsals *next;
    if (stage_read_rehearsal(stage, line, 1, &next, &diag) != STEER_OK) {
        script_missed(stage->script, line->number, diag.message, "the rehearsal is accepted");
        return;
    }
    put_in_force(stage, line, next);
    steer_rehearsals_unref(next);
}

void stage_end_rehearsal(struct stage *stage, const struct line *line)
{
    struct steer_diag diag = {0};
    struct steer_clients clients;
    if (line->count != 4 || steer_clients_parse(line->words[3], &clients, &diag) != STEER_OK)
        script_broken(stage->script, line->number, "give: end-rehearsal KIND TARGET CLIENTS");
    const struct steer_rehearsal *gone = steer_rehearsals_find(
        in_force(stage), stage_target_kind(stage, line, 1), line->words[2], &clients);
    if (!gone)
        script_broken(stage->script, line->number, "there is no such rehearsal");
    struct steer_rehearsals *next = steer_rehearsals_without(in_force(stage), gone);
    put_in_force(stage, line, next);
    steer_rehearsals_unref(next);
}

void stage_expire_rehearsals(struct stage *stage, const struct line *line)
{
    struct steer_rehearsals *next = steer_rehearsals_at_time(in_force(stage), stage->now_unix_s);
    if (steer_rehearsals_count(next) != steer_rehearsals_count(in_force(stage)))
        put_in_force(stage, line, next);
    steer_rehearsals_unref(next);
}
