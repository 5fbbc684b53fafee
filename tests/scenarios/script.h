// SPDX-License-Identifier: GPL-3.0-or-later
// A scenario file: lines, words, inline blocks, and the account of what was expected and not met.
#ifndef STEERD_SCENARIO_SCRIPT_H
#define STEERD_SCENARIO_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "steerd/base/buf.h"

enum { WORDS_MAX = 256, LINE_MAX_BYTES = 8192 };

struct script {
    const char *path;
    char *folder;
    struct steer_buf text;
    char **lines; // into text
    size_t line_count, at;
    bool all_must_fail;
    unsigned met, missed;
};

// One line, cut into words. "quoted words" may hold blanks; # begins a comment.
struct line {
    unsigned number;
    bool indented;
    unsigned count;
    char *words[WORDS_MAX];
    const char *tails[WORDS_MAX]; // the line as it stands, from this word on
    char cut[LINE_MAX_BYTES], raw[LINE_MAX_BYTES];
};

// Ends the program when the file cannot be read.
void script_open(struct script *s, const char *path);
void script_close(struct script *s);

// The next line that is not empty; false at the end.
bool script_line(struct script *s, struct line *line);
// The next line, when it is an indented one: a detail of the directive before it.
bool script_detail(struct script *s, struct line *line);
// The lines between <<TAG, which is the last word of `line`, and TAG.
void script_block(struct script *s, const struct line *line, const char *tag,
                  struct steer_buf *out);

// A mistake in the scenario itself: printed with its place; ends the program.
void script_broken(const struct script *s, unsigned line, const char *fmt, ...) STEER_PRINTF(3, 4)
    __attribute__((noreturn));
// An expectation that was met, and one that was not.
void script_met(struct script *s, unsigned line);
void script_missed(struct script *s, unsigned line, const char *got, const char *wanted_fmt, ...)
    STEER_PRINTF(4, 5);
// Either of them; got may be NULL when it is met.
void script_judge(struct script *s, unsigned line, bool met, const char *wanted, const char *got);

// Numbers; anything else is a mistake in the scenario.
unsigned long script_number(const struct script *s, const struct line *line, unsigned word,
                            unsigned long max);

#endif
