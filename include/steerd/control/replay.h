// SPDX-License-Identifier: GPL-3.0-or-later
// What a change would have meant for queries that were really asked. Floor 7.
#ifndef STEERD_CONTROL_REPLAY_H
#define STEERD_CONTROL_REPLAY_H

#include "steerd/control/control.h"
#include "steerd/control/linker.h"

enum { STEER_REPLAY_QUESTIONS_MAX = 100000, STEER_REPLAY_EXAMPLES = 10, STEER_REPLAY_NAMES = 1000 };

// A question, and how often it was asked.
struct steer_replay_question {
    struct steer_name name; // lower case
    uint16_t type;
    struct steer_prefix client;
    uint64_t count;
};

// For a prepared link: each question answered as the world has it and as it will be, by the tables that answer.
// Health is as it is now. {"queries":n,"questions":n,"changed":queries,
// "names":[{"name","type","queries","changed"}] (most changed first; those that change),
// "changes":[{"name","type","from","to","queries","examples":["192.0.2.0/24"]}]}. The caller owns it.
json_t *steer_link_replay(const struct steer_link *link,
                          const struct steer_replay_question *questions, size_t count);

struct steer_control_replay {
    const struct steer_control_text *texts;
    size_t count;
    bool take_over, prune;
    const struct steer_replay_question *questions;
    size_t question_count;
};
// Documents that are not applied, over the questions; nothing changes. Errors as steer_control_apply, but that assertions
// refuse nothing: *result has those that would not hold as "assertions", like a plan's.
enum steer_err steer_control_replay(struct steer_control *control,
                                    const struct steer_control_replay *replay, json_t **result,
                                    struct steer_diag *diag) STEER_MUST_USE;

#endif
