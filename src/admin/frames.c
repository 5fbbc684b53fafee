// SPDX-License-Identifier: GPL-3.0-or-later
// Many zones in one body: `zone ORIGIN LENGTH FILE\n`, LENGTH octets, and the next one.
#include <stdlib.h>
#include <string.h>

#include "admin_internal.h"
#include "steerd/base/mem.h"

enum { HEAD_MAX = 8192 };

// Splits "zone ORIGIN LENGTH FILE" (NUL-terminated) in place.
static bool parse_head(char *line, struct steer_control_zone *zone)
{
    if (strncmp(line, "zone ", 5) != 0)
        return false;
    char *origin = line + 5;
    char *length = strchr(origin, ' ');
    if (!length || length == origin)
        return false;
    *length++ = '\0';
    char *end;
    if (*length < '0' || *length > '9')
        return false;
    unsigned long long n = strtoull(length, &end, 10);
    if (*end != ' ' || end[1] == '\0' || n > ADMIN_BODY_ZONES)
        return false;
    zone->origin = origin;
    zone->len = (size_t)n;
    zone->file = end + 1;
    return true;
}

enum steer_err admin_frames_parse(char *body, size_t len, struct steer_control_zone **zones,
                                  size_t *count, struct steer_diag *diag)
{
    struct steer_control_zone *list = NULL;
    size_t n = 0, cap = 0, at = 0;
    enum steer_err err = STEER_OK;
    while (at < len && err == STEER_OK) {
        size_t left = len - at;
        char *end = memchr(body + at, '\n', left < HEAD_MAX ? left : HEAD_MAX);
        struct steer_control_zone zone = {0};
        size_t head = end ? (size_t)(end - (body + at)) + 1 : 0;
        if (end)
            *end = '\0';
        if (!end || strlen(body + at) != head - 1 || !parse_head(body + at, &zone)) {
            err = steer_diag_set(diag, STEER_EINVAL,
                                 "octet %zu: expected a line \"zone ORIGIN LENGTH FILE\"", at);
        } else if (zone.len > left - head) {
            err = steer_diag_set(
                diag, STEER_EINVAL,
                "octet %zu: zone %s should have %zu octets, but the body has only %zu more", at,
                zone.origin, zone.len, left - head);
        } else {
            zone.data = body + at + head;
            at += head + zone.len;
            list = steer_grow(list, &cap, n + 1, sizeof *list);
            list[n++] = zone;
        }
    }
    if (err == STEER_OK && n == 0)
        err = steer_diag_set(diag, STEER_EINVAL, "the body holds no zone");
    if (err != STEER_OK) {
        free(list);
        return err;
    }
    *zones = list;
    *count = n;
    return STEER_OK;
}
