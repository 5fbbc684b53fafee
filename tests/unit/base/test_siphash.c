// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/base/err.h"
#include "steerd/base/siphash.h"

// From the vectors that come with the reference implementation: key 00 01 .. 0f, input 00 01 .. of a length.
static void the_reference_vectors_come_out(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        uint64_t hash;
    } rows[] = {
        {0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd},  {7, 0xab0200f58b01d137},
        {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5}, {63, 0x958a324ceb064572},
    };
    uint8_t key[STEER_SIPHASH_KEY_BYTES], input[65];
    for (uint8_t i = 0; i < sizeof key; i++)
        key[i] = i;
    for (unsigned shift = 0; shift < 2; shift++) { // wherever it lies
        for (uint8_t i = 0; i < 64; i++)
            input[i + shift] = i;
        for (unsigned i = 0; i < STEER_ARRAY_LEN(rows); i++)
            assert_true(steer_siphash(key, input + shift, rows[i].len) == rows[i].hash);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_vectors_come_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
