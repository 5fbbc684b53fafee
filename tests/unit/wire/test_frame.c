// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/base/hash.h"
#include "steerd/wire/frame.h"

enum { MESSAGES = 6, STREAM_BYTES = 512 };

static void a_length_says_what_is_there(void **state)
{
    (void)state;
    static const struct {
        const char *octets;
        size_t len;
        enum steer_frame want;
        size_t size;
    } rows[] = {
        {"", 0, STEER_FRAME_PART, 0},
        {"\0", 1, STEER_FRAME_PART, 0},
        {"\377", 1, STEER_FRAME_PART, 0},
        {"\0\0", 2, STEER_FRAME_NONSENSE, 0},
        {"\0\13...........", 13, STEER_FRAME_NONSENSE, 0},
        {"\0\14", 2, STEER_FRAME_PART, 0},
        {"\0\14...........", 13, STEER_FRAME_PART, 0},
        {"\0\14............", 14, STEER_FRAME_WHOLE, 12},
        {"\0\14............+", 15, STEER_FRAME_WHOLE, 12},
        {"\377\377.", 3, STEER_FRAME_PART, 0},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = 0;
        const uint8_t *octets = (const uint8_t *)rows[i].octets;
        assert_int_equal(steer_frame_read(octets, rows[i].len, &size), rows[i].want);
        assert_int_equal(size, rows[i].size);
    }
}

static void the_longest_message_is_whole_with_its_last_octet(void **state)
{
    (void)state;
    static uint8_t stream[STEER_FRAME_MAX];
    size_t size = 0;
    steer_frame_write(stream, STEER_MESSAGE_MAX);
    assert_int_equal(steer_frame_read(stream, sizeof stream - 1, &size), STEER_FRAME_PART);
    assert_int_equal(steer_frame_read(stream, sizeof stream, &size), STEER_FRAME_WHOLE);
    assert_int_equal(size, STEER_MESSAGE_MAX);
}

// Reads what has come by and by, as a server does; the sizes of the messages in order.
static unsigned read_in_pieces(const uint8_t *stream, size_t len, struct steer_rng *rng,
                               size_t *sizes)
{
    unsigned count = 0;
    size_t size, done = 0, come = 0;
    while (come < len) {
        const size_t more = 1 + (size_t)(steer_rng_next(rng) % 40);
        come = len - come < more ? len : come + more;
        for (; steer_frame_read(stream + done, come - done, &size) == STEER_FRAME_WHOLE;
             done += STEER_FRAME_LENGTH_BYTES + size)
            sizes[count++] = size;
    }
    assert_int_equal(done, len);
    return count;
}

static void how_a_stream_is_cut_makes_no_difference(void **state)
{
    (void)state;
    struct steer_rng rng;
    steer_rng_init(&rng, 5);
    for (unsigned round = 0; round < 1000; round++) {
        uint8_t stream[STREAM_BYTES] = {0};
        size_t len = 0, want[MESSAGES], got[STREAM_BYTES];
        for (unsigned i = 0; i < MESSAGES; i++) {
            want[i] = STEER_HEADER_BYTES + (size_t)(steer_rng_next(&rng) % 60);
            steer_frame_write(stream + len, want[i]);
            len += STEER_FRAME_LENGTH_BYTES + want[i];
        }
        assert_int_equal(read_in_pieces(stream, len, &rng, got), MESSAGES);
        assert_memory_equal(got, want, sizeof want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_length_says_what_is_there),
        cmocka_unit_test(the_longest_message_is_whole_with_its_last_octet),
        cmocka_unit_test(how_a_stream_is_cut_makes_no_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
