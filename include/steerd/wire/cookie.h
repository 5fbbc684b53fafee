// SPDX-License-Identifier: GPL-3.0-or-later
// Server cookies (RFC 7873) of the kind that all servers of an anycast set can make and check (RFC 9018).
// Floor 1. Pure: secrets and time are passed in; any thread.
//
// A client that shows a server cookie of ours has received one at its address within the last hour, so the
// address is not forged. Nothing is kept about it: the cookie is a time, and a keyed hash of that time, of the
// client's own cookie and of its address.
#ifndef STEERD_WIRE_COOKIE_H
#define STEERD_WIRE_COOKIE_H

#include "steerd/base/addr.h"
#include "steerd/base/siphash.h"
#include "steerd/wire/message.h"

enum {
    STEER_COOKIE_CLIENT_BYTES = 8,
    STEER_COOKIE_SERVER_BYTES = 16,
    STEER_COOKIE_BYTES = STEER_COOKIE_CLIENT_BYTES + STEER_COOKIE_SERVER_BYTES,
    STEER_COOKIE_SECRETS_MAX = 2,
    // RFC 9018 4.3
    STEER_COOKIE_PAST_S = 3600,
    STEER_COOKIE_FUTURE_S = 300,
    STEER_COOKIE_RENEW_S = 1800,
};

// The first secret signs, all of them verify.
struct steer_cookie_secrets {
    unsigned count;
    uint8_t secret[STEER_COOKIE_SECRETS_MAX][STEER_SIPHASH_KEY_BYTES];
};

enum steer_cookie_kind {
    STEER_COOKIE_NONE,
    STEER_COOKIE_CLIENT, // of the client alone: its first question here, or it forgot
    STEER_COOKIE_WRONG,  // with a server cookie that is not ours, or too old
    STEER_COOKIE_GOOD,   // the client's address is its own
    STEER_COOKIE_KINDS
};

// What a query's cookie is worth, and in cookie[] the one that its reply carries (set unless NONE): the same
// one when it is good, signed by the first secret and at most half an hour old; else a fresh one.
// now_s: unix time.
enum steer_cookie_kind steer_cookie_check(const struct steer_cookie_secrets *secrets,
                                          const struct steer_edns *edns,
                                          const struct steer_addr *client, uint32_t now_s,
                                          uint8_t cookie[STEER_COOKIE_BYTES]);

// "e5e973e5a6b2a43f48e7dc849e37bfcf": 32 hexadecimal digits, as other servers write theirs.
bool steer_cookie_secret_parse(const char *text, uint8_t secret[STEER_SIPHASH_KEY_BYTES]);

#endif
