// SPDX-License-Identifier: GPL-3.0-or-later
// scenario [--all-must-fail] FILE...: runs scenario files (README.md has the language). Exit status: 0
// all is as expected, 1 something is not, 2 a file is not a scenario.
#include <stdio.h>
#include <string.h>

#include "dialogue.h"

static const struct {
    const char *word;
    void (*run)(struct stage *stage, const struct line *line);
} directives[] = {
    {"geo", stage_geo},           {"document", stage_document},
    {"zonefile", stage_zonefile}, {"delete-zone", stage_delete_zone},
    {"refuse", stage_refuse},     {"probe", stage_probe},
    {"advance", stage_advance},   {"override", stage_override},
    {"clear", stage_clear},       {"state", stage_state},
    {"restart", stage_restart},   {"query", expect_query},
    {"raw", expect_raw},          {"shares", expect_shares},
    {"explain", expect_explain},  {"borders", expect_borders},
    {"switch", stage_switch},     {"plan", stage_plan},
    {"measure", stage_measure},   {"freeze", stage_freeze},
    {"rehearse", stage_rehearse}, {"end-rehearsal", stage_end_rehearsal},
};

static void run_line(struct stage *stage, const struct line *line)
{
    if (line->indented)
        script_broken(stage->script, line->number, "'%s' belongs to no directive", line->words[0]);
    for (unsigned i = 0; i < STEER_ARRAY_LEN(directives); i++) {
        if (strcmp(directives[i].word, line->words[0]) == 0) {
            directives[i].run(stage, line);
            return;
        }
    }
    script_broken(stage->script, line->number, "'%s' is not a directive", line->words[0]);
}

static bool run_file(const char *path, bool all_must_fail)
{
    struct script script = {.all_must_fail = all_must_fail};
    struct stage stage;
    struct line line;
    script_open(&script, path);
    stage_init(&stage, &script);
    while (script_line(&script, &line))
        run_line(&stage, &line);
    stage_fini(&stage);
    printf("%s: %u met, %u not met\n", path, script.met, script.missed);
    script_close(&script);
    return all_must_fail ? script.missed > 0 && script.met == 0
                         : script.met > 0 && script.missed == 0;
}

int main(int argc, char **argv)
{
    bool all_must_fail = argc > 1 && strcmp(argv[1], "--all-must-fail") == 0;
    int first = all_must_fail ? 2 : 1;
    bool good = true;
    if (first >= argc) {
        fprintf(stderr, "usage: scenario [--all-must-fail] FILE...\n");
        return 2;
    }
    for (int i = first; i < argc; i++)
        good &= run_file(argv[i], all_must_fail);
    return good ? 0 : 1;
}
