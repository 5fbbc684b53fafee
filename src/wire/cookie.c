// SPDX-License-Identifier: GPL-3.0-or-later
// A server cookie (RFC 9018 4): version 1, three reserved octets, a time of 32 bits, a hash of 64.
#include "steerd/wire/cookie.h"

#include <string.h>

enum { VERSION = 1, TIME_AT = STEER_COOKIE_CLIENT_BYTES + 4, HASH_AT = TIME_AT + 4 };

// RFC 9018 4.4: over client cookie, version, reserved, time (as they stand in the option) and address.
static void hash_cookie(const uint8_t *secret, const uint8_t *cookie,
                        const struct steer_addr *client, uint8_t hash[8])
{
    uint8_t input[HASH_AT + sizeof client->octets];
    const size_t address = steer_family_bits(client->family) / 8;
    memcpy(input, cookie, HASH_AT);
    memcpy(input + HASH_AT, client->octets, address);
    const uint64_t word = steer_siphash(secret, input, HASH_AT + address);
    for (unsigned i = 0; i < 8; i++)
        hash[i] = (uint8_t)(word >> (8 * i));
}

static void sign(const struct steer_cookie_secrets *secrets, const uint8_t *client_cookie,
                 const struct steer_addr *client, uint32_t now_s,
                 uint8_t cookie[STEER_COOKIE_BYTES])
{
    memcpy(cookie, client_cookie, STEER_COOKIE_CLIENT_BYTES);
    const uint8_t head[] = {VERSION,
                            0,
                            0,
                            0,
                            (uint8_t)(now_s >> 24),
                            (uint8_t)(now_s >> 16),
                            (uint8_t)(now_s >> 8),
                            (uint8_t)now_s};
    memcpy(cookie + STEER_COOKIE_CLIENT_BYTES, head, sizeof head);
    hash_cookie(secrets->secret[0], cookie, client, cookie + HASH_AT);
}

// Seconds since the cookie was made; RFC 9018 4.3: in serial number arithmetic.
static int32_t age_of(const uint8_t *cookie, uint32_t now_s)
{
    const uint8_t *p = cookie + TIME_AT;
    return (int32_t)(now_s -
                     ((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]));
}

// Which secret made it; -1: none of ours. The difference is found without a branch on what the hash is.
static int signer_of(const struct steer_cookie_secrets *secrets, const uint8_t *cookie,
                     const struct steer_addr *client)
{
    for (unsigned i = 0; i < secrets->count; i++) {
        uint8_t hash[8], different = 0;
        hash_cookie(secrets->secret[i], cookie, client, hash);
        for (unsigned k = 0; k < sizeof hash; k++)
            different |= (uint8_t)(hash[k] ^ cookie[HASH_AT + k]);
        if (!different)
            return (int)i;
    }
    return -1;
}

enum steer_cookie_kind steer_cookie_check(const struct steer_cookie_secrets *secrets,
                                          const struct steer_edns *edns,
                                          const struct steer_addr *client, uint32_t now_s,
                                          uint8_t cookie[STEER_COOKIE_BYTES])
{
    enum steer_cookie_kind kind = STEER_COOKIE_CLIENT;
    if (edns->cookie_len == 0)
        return STEER_COOKIE_NONE;
    if (edns->cookie_len > STEER_COOKIE_CLIENT_BYTES) {
        const int32_t age = age_of(edns->cookie, now_s);
        int signer = -1;
        kind = STEER_COOKIE_WRONG;
        if (edns->cookie_len == STEER_COOKIE_BYTES &&
            edns->cookie[STEER_COOKIE_CLIENT_BYTES] == VERSION && age <= STEER_COOKIE_PAST_S &&
            age >= -STEER_COOKIE_FUTURE_S)
            signer = signer_of(secrets, edns->cookie, client);
        if (signer >= 0)
            kind = STEER_COOKIE_GOOD;
        if (signer == 0 && age <= STEER_COOKIE_RENEW_S) {
            memcpy(cookie, edns->cookie, STEER_COOKIE_BYTES);
            return kind;
        }
    }
    sign(secrets, edns->cookie, client, now_s, cookie);
    return kind;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool steer_cookie_secret_parse(const char *text, uint8_t secret[STEER_SIPHASH_KEY_BYTES])
{
    uint8_t octets[STEER_SIPHASH_KEY_BYTES];
    if (strlen(text) != 2 * sizeof octets)
        return false;
    for (unsigned i = 0; i < sizeof octets; i++) {
        const int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        octets[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(secret, octets, sizeof octets);
    return true;
}
