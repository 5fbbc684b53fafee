// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef STEERD_CONTROL_LINKER_INTERNAL_H
#define STEERD_CONTROL_LINKER_INTERNAL_H

#include "steerd/base/hash.h"
#include "steerd/control/linker.h"

// A class table and who uses it: programs with equal maps share one.
struct shared_map {
    struct steer_classmap *map;
    const struct steer_geo
        *geo; // whose locations the classes speak of; kept by the linker or the link
    struct steer_classes classes; // what it was made of, without the roots
    uint32_t uses;
};

struct steer_linker {
    struct steer_geo *geo;
    struct steer_vitals *vitals;
    struct steer_catalog *catalog;       // sealed
    struct steer_references *references; // of catalog
    struct steer_vitals_view view;       // of vitals with catalog
    struct steer_residuals *residuals;
    struct steer_cells *cells;
    struct steer_publisher *publisher;
    struct steer_map programs;     // steered record's name -> program id
    struct steer_map cut_rankings; // steered record's name -> how many of a ranking are in order
    uint32_t next_program;
    uint32_t *free_programs;
    size_t free_program_count, free_program_cap;
    struct steer_classmap_store *map_store;
    struct shared_map *maps;
    size_t map_count, map_cap;
    struct steer_map endpoint_numbers; // stable for the life of the process
    uint32_t next_endpoint;
    struct steer_link *open; // one link at a time
    void (*pause)(void *ctx);
    void *pause_ctx;
};

// One zone that a link works on.
struct open_zone {
    struct steer_name origin;
    struct steer_zone_edit *edit;    // NULL: as before, or removed
    const struct steer_zone *before; // published, or NULL
    bool afresh;                     // edit is not made from `before`
    bool imported;                   // and is journalled whole
    bool changed;                    // something was put or removed: the serial rises
    bool removed;
};

struct made_program {
    uint32_t id;
    const char *name; // of an object in the candidate catalogue
    uint32_t ranked_first;
    struct steer_program *program;
};

// Health that changed while the link was open.
struct refreshed {
    enum steer_kind kind;
    char *name;
};

struct steer_link {
    struct steer_linker *linker;
    struct steer_catalog *catalog; // the candidate
    struct steer_vitals_view view;
    struct steer_geo *geo; // what programs are compiled against: the linker's, or its successor
    bool loading;
    bool rehearsing; // what is compiled says the same as before to nearly all, and to assertions
    struct open_zone **zones;
    size_t zone_count, zone_cap;
    struct steer_map zone_index;    // origin text -> index
    struct steer_map touched;       // steered names to compile; all are in the catalogue
    struct steer_map new_programs;  // steered name -> id, not yet in the linker
    struct steer_map gone_programs; // of names in the linker
    struct made_program *made;
    size_t made_count, made_cap;
    struct steer_journal_entry *journal;
    size_t journal_count, journal_cap;
    struct steer_diag *advice;
    size_t advice_count, advice_cap;
    struct refreshed *refreshed;
    size_t refreshed_count, refreshed_cap;
    struct steer_map reached; // assertions to be judged for all their records
    struct steer_map waived;  // assertions that need not hold
    struct steer_map judged;  // assertion -> for how many records
    bool planning;
    struct steer_judge *judge, *judge_now;  // made when they are needed
    const struct steer_object **assertions; // of the candidate catalogue, in order of name
    size_t assertion_count;
    bool assertions_listed;
    struct steer_link_breach *breaches;
    size_t breach_count, breach_cap;
    const struct steer_link_breach *refusal;
};

// linker.c
const struct steer_zone *linker_zone(const struct steer_linker *linker,
                                     const struct steer_name *origin);
void linker_give_program_id(struct steer_linker *linker, uint32_t id);
// Hands back what no reader can reach any more, after a grace period.
void linker_reclaim(struct steer_linker *linker);
// Lets the caller see to what cannot wait, between two steps of a long change.
void linker_pause(struct steer_linker *linker);

// explain.c: the node that answers for the name, itself or the wildcard that covers it; NULL: none.
void linker_find_node(const struct steer_zone *zone, const struct steer_name *name,
                      const struct steer_name_hashes *hashes, unsigned zone_labels,
                      const struct steer_zone_node **node);

// link.c
struct steer_journal_entry *link_journal(struct steer_link *link, enum steer_journal_kind kind);
// The zone's state in this link, opened for editing; make: also when it does not exist, else NULL.
// documents.c looks at zones through it: what is only looked at stays as it is.
struct open_zone *link_open_zone(struct steer_link *link, const struct steer_name *origin,
                                 bool make, const char *document);

// programs.c: compiling steered records.
enum steer_err link_compile(struct steer_link *link, struct steer_diag *diag);
// Ends a program's uses of cells and class table; call once no reader can reach it. Does not free it.
void link_release_program(struct steer_linker *linker, const struct steer_program *program);

// plan.c: the verdicts on assertions that do not hold, as a plan has them.
json_t *link_broken_assertions(const struct steer_link *link);

// judge.c: assertions.
// All that are about a record which is compiled.
void link_judge_record(struct steer_link *link, const struct steer_object *steered,
                       const struct steer_classes *classes);
// Then those that the change reached otherwise, and the verdict.
enum steer_err link_judge(struct steer_link *link, struct steer_diag *diag);
void link_judge_fini(struct steer_link *link);

// advice.c: what is right but may surprise; compile calls it for each record.
void link_advise(struct steer_link *link, const struct steer_object *steered,
                 const struct steer_classes *classes);

#endif
