// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/base/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool steer_addr_parse(const char *text, struct steer_addr *addr)
{
    struct steer_addr result = {0};
    if (inet_pton(AF_INET, text, result.octets) == 1)
        result.family = STEER_V4;
    else if (inet_pton(AF_INET6, text, result.octets) == 1)
        result.family = STEER_V6;
    else
        return false;
    *addr = result;
    return true;
}

void steer_addr_mask(struct steer_addr *addr, unsigned len)
{
    for (unsigned i = 0; i < sizeof addr->octets; i++) {
        unsigned keep = len > i * 8 ? len - i * 8 : 0;
        if (keep < 8)
            addr->octets[i] &= (uint8_t)(0xff00u >> keep);
    }
}

bool steer_prefix_parse(const char *text, struct steer_prefix *prefix, bool *host_bits)
{
    char address[64];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    struct steer_prefix result;
    if (host_bits)
        *host_bits = false;
    if (len >= sizeof address)
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    if (!steer_addr_parse(address, &result.addr))
        return false;
    unsigned bits = steer_family_bits(result.addr.family);
    result.len = (uint8_t)bits;
    if (slash) {
        char *end;
        if (slash[1] < '0' || slash[1] > '9')
            return false;
        unsigned long n = strtoul(slash + 1, &end, 10);
        if (*end || n > bits || end - slash > 4)
            return false;
        result.len = (uint8_t)n;
    }
    struct steer_addr masked = result.addr;
    steer_addr_mask(&masked, result.len);
    bool clean = steer_addr_equal(&masked, &result.addr);
    result.addr = masked;
    *prefix = result;
    if (host_bits)
        *host_bits = !clean;
    return clean;
}

const char *steer_addr_format(const struct steer_addr *addr, char *out, uint32_t size)
{
    if (!inet_ntop(addr->family == STEER_V4 ? AF_INET : AF_INET6, addr->octets, out, size) && size)
        out[0] = '\0';
    return out;
}

const char *steer_prefix_format(const struct steer_prefix *prefix, char *out, uint32_t size)
{
    steer_addr_format(&prefix->addr, out, size);
    size_t len = strlen(out);
    snprintf(out + len, size - len, "/%u", prefix->len);
    return out;
}

bool steer_addr_equal(const struct steer_addr *a, const struct steer_addr *b)
{
    return a->family == b->family && memcmp(a->octets, b->octets, sizeof a->octets) == 0;
}

bool steer_prefix_contains(const struct steer_prefix *prefix, const struct steer_addr *addr)
{
    struct steer_addr masked = *addr;
    steer_addr_mask(&masked, prefix->len);
    return steer_addr_equal(&masked, &prefix->addr);
}

bool steer_sockaddr_parse(const char *text, struct sockaddr_storage *sa, socklen_t *len)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text)
        return false;
    const char *start = text;
    size_t n = (size_t)(colon - text);
    if (text[0] == '[') {
        if (colon[-1] != ']')
            return false;
        start++;
        n -= 2;
    }
    if (n >= sizeof host)
        return false;
    memcpy(host, start, n);
    host[n] = '\0';
    char *end;
    if (colon[1] < '0' || colon[1] > '9')
        return false;
    unsigned long port = strtoul(colon + 1, &end, 10);
    struct steer_addr addr;
    if (*end || port > 65535 || !steer_addr_parse(host, &addr) ||
        (addr.family == STEER_V6) != (text[0] == '['))
        return false;
    steer_addr_to_sockaddr(&addr, (uint16_t)port, sa, len);
    return true;
}

void steer_sockaddr_format(const struct sockaddr_storage *sa, char *out, uint32_t size)
{
    struct steer_addr addr;
    uint16_t port;
    char text[64];
    steer_addr_from_sockaddr(sa, &addr, &port);
    steer_addr_format(&addr, text, sizeof text);
    snprintf(out, size, addr.family == STEER_V6 ? "[%s]:%u" : "%s:%u", text, port);
}

void steer_addr_from_sockaddr(const struct sockaddr_storage *sa, struct steer_addr *addr,
                              uint16_t *port)
{
    memset(addr, 0, sizeof *addr);
    if (sa->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof in6);
        if (port)
            *port = ntohs(in6.sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
            addr->family = STEER_V4;
            memcpy(addr->octets, in6.sin6_addr.s6_addr + 12, 4);
        } else {
            addr->family = STEER_V6;
            memcpy(addr->octets, in6.sin6_addr.s6_addr, 16);
        }
        return;
    }
    struct sockaddr_in in;
    memcpy(&in, sa, sizeof in);
    if (port)
        *port = ntohs(in.sin_port);
    addr->family = STEER_V4;
    memcpy(addr->octets, &in.sin_addr, 4);
}

void steer_addr_to_sockaddr(const struct steer_addr *addr, uint16_t port,
                            struct sockaddr_storage *sa, socklen_t *len)
{
    memset(sa, 0, sizeof *sa);
    if (addr->family == STEER_V4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&in.sin_addr, addr->octets, 4);
        memcpy(sa, &in, sizeof in);
        *len = sizeof in;
    } else {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
        memcpy(&in6.sin6_addr, addr->octets, 16);
        memcpy(sa, &in6, sizeof in6);
        *len = sizeof in6;
    }
}

bool steer_duration_parse(const char *text, uint64_t *ms)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    const uint64_t ten_years = UINT64_C(3650) * 86400000;
    uint64_t total = 0;
    const char *p = text;
    if (!*p)
        return false;
    while (*p) {
        if (*p < '0' || *p > '9')
            return false;
        char *end;
        uint64_t n = strtoull(p, &end, 10);
        size_t len = 0;
        while (end[len] >= 'a' && end[len] <= 'z')
            len++;
        uint64_t factor = 0;
        if (len == 0 && p == text && !*end)
            factor = 1000;
        for (unsigned i = 0; i < STEER_ARRAY_LEN(units); i++)
            if (strlen(units[i].name) == len && strncmp(units[i].name, end, len) == 0)
                factor = units[i].ms;
        if (!factor || n > ten_years / factor)
            return false;
        total += n * factor;
        if (total > ten_years)
            return false;
        p = end + len;
    }
    *ms = total;
    return true;
}
