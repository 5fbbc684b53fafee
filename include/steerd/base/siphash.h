// SPDX-License-Identifier: GPL-3.0-or-later
// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash of short inputs that nobody without the key can
// forge. For DNS cookies (RFC 9018 4.4). Floor 0. Pure; any thread.
#ifndef STEERD_BASE_SIPHASH_H
#define STEERD_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

enum { STEER_SIPHASH_KEY_BYTES = 16 };

// The hash as the number that the paper gives; its octets in the order of the paper are little-endian.
uint64_t steer_siphash(const uint8_t key[STEER_SIPHASH_KEY_BYTES], const void *data, size_t len);

#endif
