// SPDX-License-Identifier: GPL-3.0-or-later
// The stage: what the daemon's control thread has, without a store, a prober or a clock of its own.
#ifndef STEERD_SCENARIO_STAGE_H
#define STEERD_SCENARIO_STAGE_H

#include "script.h"
#include "steerd/control/linker.h"
#include "steerd/control/measures.h"

enum { GEO_FILES_MAX = 8 };

struct stage {
    struct script *script;
    struct steer_vitals *vitals;
    struct steer_measures *measures;
    struct steer_linker *linker;
    char *geo_files[GEO_FILES_MAX];
    size_t geo_count;
    uint64_t now_unix_s;
};

void stage_init(struct stage *stage, struct script *script);
void stage_fini(struct stage *stage);
// Prepares and commits a link, or aborts it.
enum steer_err stage_finish(struct stage *stage, struct steer_link *link, enum steer_err err,
                            struct steer_diag *diag);
// Every cell is as evaluating it afresh makes it.
void stage_check_fresh(struct stage *stage, unsigned line);

// Whatever has happened, each cell is what evaluating it afresh gives.
void stage_check_fresh(struct stage *stage, unsigned line);
// The kind at a word, whose target at the next word is defined.
enum steer_kind stage_target_kind(const struct stage *stage, const struct line *line,
                                  unsigned word);
// The set with the rehearsal that a line gives from a word on.
enum steer_err stage_read_rehearsal(struct stage *stage, const struct line *line, unsigned word,
                                    struct steer_rehearsals **next, struct steer_diag *diag);
void stage_expire_rehearsals(struct stage *stage, const struct line *line);

// path PATH VALUE, contains TEXT, lacks TEXT, below a directive.
void expect_json(struct stage *stage, json_t *told);

// The directives; each is handed its line and takes its details (README.md).
void stage_geo(struct stage *stage, const struct line *line);
void stage_document(struct stage *stage, const struct line *line);
void stage_plan(struct stage *stage, const struct line *line);
void stage_zonefile(struct stage *stage, const struct line *line);
void stage_delete_zone(struct stage *stage, const struct line *line);
void stage_refuse(struct stage *stage, const struct line *line);
void stage_probe(struct stage *stage, const struct line *line);
void stage_advance(struct stage *stage, const struct line *line);
void stage_override(struct stage *stage, const struct line *line);
void stage_switch(struct stage *stage, const struct line *line);
void stage_clear(struct stage *stage, const struct line *line);
void stage_state(struct stage *stage, const struct line *line);
void stage_rehearse(struct stage *stage, const struct line *line);
void stage_end_rehearsal(struct stage *stage, const struct line *line);
void stage_restart(struct stage *stage, const struct line *line);

// measures.c
void stage_measure(struct stage *stage, const struct line *line);
void stage_freeze(struct stage *stage, const struct line *line);
// The frozen table of an object that is loaded again, and all estimates, through the forms that the store keeps.
struct steer_object *stage_move_frozen(struct stage *to, const struct steer_object *from,
                                       struct steer_object *object);
void stage_move_measures(struct stage *to, const struct stage *from,
                         const struct steer_catalog *catalog, const struct line *line);

#endif
