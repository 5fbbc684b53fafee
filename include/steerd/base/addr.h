// SPDX-License-Identifier: GPL-3.0-or-later
// Network addresses and prefixes. Floor 0.
#ifndef STEERD_BASE_ADDR_H
#define STEERD_BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "steerd/base/err.h"

enum steer_family {
    STEER_V4 = 1,
    STEER_V6 = 2
}; // the numbers of IANA's address family registry, as ECS has them

// octets are in network order; an IPv4 address uses the first four and the rest are zero.
struct steer_addr {
    uint8_t family; // enum steer_family
    uint8_t octets[16];
};

struct steer_prefix {
    struct steer_addr addr; // bits beyond len are zero
    uint8_t len;            // 0..32 or 0..128
};

static inline unsigned steer_family_bits(uint8_t family)
{
    return family == STEER_V4 ? 32 : 128;
}

// "192.0.2.1" or "2001:db8::1"; false when it is neither.
bool steer_addr_parse(const char *text, struct steer_addr *addr);
// "192.0.2.0/24"; a missing length means the whole address. false also for bits set beyond len, in
// which case *host_bits (may be NULL) is true and the masked prefix is in *prefix.
bool steer_prefix_parse(const char *text, struct steer_prefix *prefix, bool *host_bits);
// At most 46 / 50 bytes with the NUL; both return out.
const char *steer_addr_format(const struct steer_addr *addr, char *out, uint32_t size);
const char *steer_prefix_format(const struct steer_prefix *prefix, char *out, uint32_t size);
bool steer_addr_equal(const struct steer_addr *a, const struct steer_addr *b);
bool steer_prefix_contains(const struct steer_prefix *prefix, const struct steer_addr *addr);
// Clears the bits beyond len.
void steer_addr_mask(struct steer_addr *addr, unsigned len);

// "127.0.0.1:5300", "[::1]:53"; port 0 is legal. false when malformed.
bool steer_sockaddr_parse(const char *text, struct sockaddr_storage *sa, socklen_t *len);
void steer_sockaddr_format(const struct sockaddr_storage *sa, char *out, uint32_t size);
// Address and port of a sockaddr; a mapped IPv4 address becomes plain IPv4.
void steer_addr_from_sockaddr(const struct sockaddr_storage *sa, struct steer_addr *addr,
                              uint16_t *port);
void steer_addr_to_sockaddr(const struct steer_addr *addr, uint16_t port,
                            struct sockaddr_storage *sa, socklen_t *len);

// "10s", "5m", "2h", "1d", "500ms", or combinations like "1m30s"; a bare number is seconds. Result in
// milliseconds; false when malformed or over ten years.
bool steer_duration_parse(const char *text, uint64_t *ms);

#endif
