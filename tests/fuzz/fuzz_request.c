// SPDX-License-Identifier: GPL-3.0-or-later
// links: admin
// What the admin API takes apart itself (libmicrohttpd does the rest of HTTP): bodies of many zones, encoded path
// segments and parameters, the Authorization field. The first octet says which of them the input is.
#include <stdlib.h>
#include <string.h>

#include "admin/admin_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())

// Zones lie in the body one after the other, with their heads in between, to its end.
static void parse_zones(char *body, size_t size)
{
    struct steer_control_zone *zones;
    struct steer_diag diag = {0};
    size_t count;
    const char *at = body;
    if (admin_frames_parse(body, size, &zones, &count, &diag) != STEER_OK) {
        CHECK(diag.message[0]);
        return;
    }
    CHECK(count > 0);
    for (size_t i = 0; i < count; i++) {
        CHECK(zones[i].origin == at + 5 && zones[i].origin[0]);
        CHECK(zones[i].file > zones[i].origin && zones[i].file[0]);
        CHECK(zones[i].data == zones[i].file + strlen(zones[i].file) + 1);
        CHECK(zones[i].len <= (size_t)(body + size - zones[i].data));
        at = zones[i].data + zones[i].len;
    }
    CHECK(at == body + size);
    free(zones);
}

static char *encode(const char *text)
{
    static const char digits[] = "0123456789abcdef";
    char *out = malloc(3 * strlen(text) + 1);
    char *p = out;
    CHECK(out);
    for (; *text; text++) {
        *p++ = '%';
        *p++ = digits[(uint8_t)*text >> 4];
        *p++ = digits[(uint8_t)*text & 15];
    }
    *p = '\0';
    return out;
}

// What was decoded has no NUL inside, and is what its encoded form decodes to. A segment of a path has no NUL
// behind it either.
static void decode(const char *text)
{
    const size_t len = strlen(text);
    char *exact = malloc(len ? len : 1);
    char *decoded = malloc(len + 1);
    CHECK(exact && decoded);
    memcpy(exact, text, len);
    if (admin_decode(exact, len, decoded)) {
        CHECK(strlen(decoded) <= len);
        char *encoded = encode(decoded);
        char *again = malloc(strlen(encoded) + 1);
        CHECK(again && admin_decode(encoded, strlen(encoded), again));
        CHECK(strcmp(again, decoded) == 0);
        free(again);
        free(encoded);
    }
    free(decoded);
    free(exact);
}

static void match(const char *header)
{
    static const char token[] = "0123456789abcdef0123456789abcdef";
    const size_t len = strlen(header);
    const bool fits = len >= strlen(token) && strcmp(header + len - strlen(token), token) == 0;
    CHECK(fits || !admin_token_matches(token, header));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    // The server keeps a NUL behind each of them.
    char *text = malloc(size);
    CHECK(text);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] % 3 == 0)
        parse_zones(text, size - 1);
    else if (data[0] % 3 == 1)
        decode(text);
    else
        match(text);
    free(text);
    return 0;
}
