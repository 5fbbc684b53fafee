// SPDX-License-Identifier: GPL-3.0-or-later
// The verdict model: probe results in, verdicts out. Floor 2. Pure: time is passed in, no thread, no
// socket, no allocation.
#ifndef STEERD_HEALTH_VERDICT_H
#define STEERD_HEALTH_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

enum steer_verdict { STEER_UNKNOWN, STEER_UP, STEER_DOWN };
const char *steer_verdict_text(enum steer_verdict verdict);

// How many results in a row move a verdict (1..255 each), and what holds before the first one.
struct steer_hysteresis {
    uint8_t rise;
    uint8_t fall;
    enum steer_verdict initially; // STEER_UP or STEER_DOWN
};

// The state of one check of one endpoint. Zeroed: nothing known, no stored verdict.
struct steer_verdict_state {
    enum steer_verdict
        verdict;    // UNKNOWN until rise or fall results in a row were seen, or one was restored
    bool restored;  // the verdict came from the store and no result has moved it since
    uint8_t streak; // results in a row (saturating) that point the way of last_pass
    bool last_pass;
    uint64_t since_unix_s; // when the verdict last changed (restored: when it had)
    uint64_t last_unix_s;  // last result; 0: none yet
    char reason[96];       // of the last result, e.g. "status 503, wanted 200-399"
};

// What answers use: the verdict, else `initially`.
enum steer_verdict steer_verdict_effective(const struct steer_verdict_state *state,
                                           const struct steer_hysteresis *h);
// Takes a stored verdict over: it holds until rise or fall new results contradict it.
void steer_verdict_restore(struct steer_verdict_state *state, enum steer_verdict verdict,
                           uint64_t since_unix_s, const char *reason);
// One probe result. True when the effective verdict changed.
bool steer_verdict_observe(struct steer_verdict_state *state, const struct steer_hysteresis *h,
                           bool pass, const char *reason, uint64_t now_unix_s);

#endif
