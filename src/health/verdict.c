// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/health/verdict.h"

#include <stddef.h>
#include <string.h>

const char *steer_verdict_text(enum steer_verdict verdict)
{
    switch (verdict) {
    case STEER_UNKNOWN:
        return "unknown";
    case STEER_UP:
        return "up";
    case STEER_DOWN:
        return "down";
    }
    return "unknown";
}

// The length of the well-formed, printable UTF-8 character at text, or 0 (RFC 3629 section 4; C0 and C1
// controls count as not printable). Reads no further than the NUL.
static size_t printable_len(const unsigned char *text)
{
    unsigned char lead = text[0];
    if (lead < 0x80)
        return lead >= 0x20 && lead != 0x7f;
    size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    // The second byte excludes overlong forms, surrogates, what lies beyond U+10FFFF, and C1 controls.
    unsigned char low = 0x80, high = 0xbf;
    if (lead == 0xc2 || lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf4)
        high = 0x8f;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

// Reasons quote what endpoints sent: they are stored so that JSON, logs and terminals can show them.
static void store_reason(struct steer_verdict_state *state, const char *reason)
{
    const unsigned char *from = (const unsigned char *)(reason ? reason : "");
    size_t at = 0;
    while (*from) {
        size_t len = printable_len(from);
        if (at + (len ? len : 1) >= sizeof state->reason)
            break;
        if (len)
            memcpy(state->reason + at, from, len);
        else
            state->reason[at] = '?';
        at += len ? len : 1;
        from += len ? len : 1;
    }
    state->reason[at] = '\0';
}

enum steer_verdict steer_verdict_effective(const struct steer_verdict_state *state,
                                           const struct steer_hysteresis *h)
{
    return state->verdict == STEER_UNKNOWN ? h->initially : state->verdict;
}

void steer_verdict_restore(struct steer_verdict_state *state, enum steer_verdict verdict,
                           uint64_t since_unix_s, const char *reason)
{
    memset(state, 0, sizeof *state);
    state->verdict = verdict;
    state->restored = verdict != STEER_UNKNOWN;
    state->since_unix_s = since_unix_s;
    store_reason(state, reason);
}

bool steer_verdict_observe(struct steer_verdict_state *state, const struct steer_hysteresis *h,
                           bool pass, const char *reason, uint64_t now_unix_s)
{
    enum steer_verdict before = steer_verdict_effective(state, h);
    if (state->streak == 0 || state->last_pass != pass)
        state->streak = 1;
    else if (state->streak < UINT8_MAX)
        state->streak++;
    state->last_pass = pass;
    state->last_unix_s = now_unix_s;
    store_reason(state, reason);

    enum steer_verdict toward = pass ? STEER_UP : STEER_DOWN;
    if (state->verdict != toward && state->streak >= (pass ? h->rise : h->fall)) {
        state->verdict = toward;
        state->restored = false;
        state->since_unix_s = now_unix_s;
    }
    return steer_verdict_effective(state, h) != before;
}
