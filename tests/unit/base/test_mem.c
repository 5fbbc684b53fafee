// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "steerd/base/buf.h"
#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/base/slab.h"

// ---- arena ---------------------------------------------------------------------------------------

static void an_arena_gives_apart_and_aligned(void **state)
{
    (void)state;
    enum { PIECES = 3000 };
    static uint8_t *pieces[PIECES];
    static size_t sizes[PIECES];
    struct steer_arena arena;
    struct steer_rng rng;
    steer_rng_init(&rng, 1);
    steer_arena_init(&arena);
    for (unsigned i = 0; i < PIECES; i++) {
        const unsigned kind = (unsigned)(steer_rng_next(&rng) % 20);
        sizes[i] = steer_rng_next(&rng) % (kind == 0 ? 100000 : kind < 3 ? 5000 : 60);
        pieces[i] = steer_arena_alloc(&arena, sizes[i]);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)i, sizes[i]);
    }
    for (unsigned i = 0; i < PIECES; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(pieces[i][k], i & 0xff);
    steer_arena_fini(&arena);
    assert_int_equal(arena.total_bytes, 0);
    steer_arena_fini(&arena);
}

static void an_arena_that_is_reset_keeps_its_newest_block(void **state)
{
    (void)state;
    struct steer_arena arena;
    steer_arena_init(&arena);
    steer_arena_reset(&arena); // also before it has any
    for (unsigned round = 0; round < 50; round++) {
        uint8_t *first = NULL;
        for (unsigned i = 0; i < 200; i++) {
            uint8_t *piece = steer_arena_alloc(&arena, 100 + i);
            memset(piece, (int)i, 100 + i);
            first = first ? first : piece;
        }
        assert_int_equal(first[0], 0);
        assert_int_equal(first[99], 0);
        struct steer_arena_block *newest = arena.blocks;
        steer_arena_reset(&arena);
        assert_ptr_equal(arena.blocks, newest);
        assert_int_equal(arena.total_bytes, 0);
    }
    steer_arena_fini(&arena);
}

static void an_arena_gives_something_for_nothing(void **state)
{
    (void)state;
    struct steer_arena arena;
    steer_arena_init(&arena);
    assert_non_null(steer_arena_alloc(&arena, 0));
    assert_true(steer_arena_alloc(&arena, 0) != steer_arena_alloc(&arena, 0));
    steer_arena_fini(&arena);
    assert_non_null(steer_arena_calloc(&arena, 0));
    steer_arena_fini(&arena);
    assert_non_null(steer_arena_memdup(&arena, NULL, 0));
    assert_string_equal(steer_arena_strdup(&arena, ""), "");
    steer_arena_fini(&arena);
}

static void copies_are_copies(void **state)
{
    (void)state;
    struct steer_arena arena;
    steer_arena_init(&arena);
    char text[] = "text";
    char *in_arena = steer_arena_strdup(&arena, text), *owned = steer_strdup(text),
         *part = steer_strndup(text, 2);
    char *bytes = steer_memdup(text, 4), *none = steer_memdup(NULL, 0);
    text[0] = 'X';
    assert_string_equal(in_arena, "text");
    assert_string_equal(owned, "text");
    assert_string_equal(part, "te");
    assert_memory_equal(bytes, "text", 4);
    assert_non_null(none);
    const uint8_t *zeros = steer_arena_calloc(&arena, 100);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(zeros[i], 0);
    free(owned);
    free(part);
    free(bytes);
    free(none);
    steer_arena_fini(&arena);
}

static void arrays_grow_by_doubling(void **state)
{
    (void)state;
    uint32_t *items = NULL;
    size_t cap = 0;
    unsigned moves = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        const size_t before = cap;
        items = steer_grow(items, &cap, i + 1u, sizeof *items);
        moves += cap != before;
        items[i] = i;
    }
    for (uint32_t i = 0; i < 10000; i++)
        assert_int_equal(items[i], i);
    assert_true(moves < 15);
    items = steer_grow(items, &cap, 1000000, sizeof *items);
    assert_int_equal(cap, 1000000);
    free(items);
}

// ---- buffers -------------------------------------------------------------------------------------

static void a_buffer_takes_text_and_octets(void **state)
{
    (void)state;
    struct steer_buf buf = {0};
    steer_buf_printf(&buf, "%s", "");
    assert_string_equal(buf.data, ""); // terminated, though nothing was added
    steer_buf_puts(&buf, "a");
    steer_buf_printf(&buf, "%d-%s", 42, "b");
    steer_buf_add(&buf, "cdef", 2);
    steer_buf_add(&buf, NULL, 0);
    assert_string_equal(buf.data, "a42-bcd");
    assert_int_equal(buf.len, 7);
    steer_buf_clear(&buf);
    assert_string_equal(buf.data, "");
    steer_buf_u8(&buf, 0x01);
    steer_buf_u16(&buf, 0x0203);
    steer_buf_u32(&buf, 0x04050607);
    assert_int_equal(buf.len, 7);
    assert_memory_equal(buf.data, "\1\2\3\4\5\6\7", 8);
    char *data = steer_buf_take(&buf);
    assert_memory_equal(data, "\1\2\3\4\5\6\7", 8);
    assert_null(buf.data);
    free(data);
    data = steer_buf_take(&buf);
    assert_string_equal(data, "");
    free(data);
    steer_buf_fini(&buf);
    steer_buf_clear(&buf);
}

static void a_buffer_grows_as_needed(void **state)
{
    (void)state;
    struct steer_buf buf = {0};
    for (unsigned i = 0; i < 5000; i++) {
        steer_buf_printf(&buf, "%05u ", i);
        assert_int_equal(strlen(buf.data), buf.len);
    }
    assert_int_equal(buf.len, 30000);
    assert_memory_equal(buf.data + 6 * 4999, "04999 ", 7);
    steer_buf_fini(&buf);
}

static void files_are_read_whole_or_not_at_all(void **state)
{
    (void)state;
    char path[] = "/tmp/steerd-test-XXXXXX";
    struct steer_diag diag = {0};
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    static char content[200000];
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (char)(i * 7);
    assert_int_equal(write(fd, content, sizeof content), (ssize_t)sizeof content);
    close(fd);
    struct steer_buf buf = {0};
    steer_buf_puts(&buf, "before");
    assert_int_equal(steer_buf_read_file(&buf, path, sizeof content, &diag), STEER_OK);
    assert_int_equal(buf.len, 6 + sizeof content);
    assert_memory_equal(buf.data + 6, content, sizeof content);
    assert_int_equal(buf.data[buf.len], 0);
    buf.len = 6;
    assert_int_equal(steer_buf_read_file(&buf, path, sizeof content - 1, &diag), STEER_ELIMIT);
    assert_non_null(strstr(diag.message, "larger than 199999 bytes"));
    assert_string_equal(buf.data, "before");
    assert_int_equal(steer_buf_read_file(&buf, "/tmp", 100, &diag), STEER_EIO);
    assert_non_null(strstr(diag.message, "directory"));
    unlink(path);
    assert_int_equal(steer_buf_read_file(&buf, path, 100, &diag), STEER_EIO);
    assert_non_null(strstr(diag.message, path));
    assert_string_equal(buf.data, "before");
    steer_buf_fini(&buf);
    assert_int_equal(steer_buf_read_file(&buf, "/dev/null", 0, NULL), STEER_OK);
    assert_string_equal(buf.data, "");
    steer_buf_fini(&buf);
}

// ---- slabs ---------------------------------------------------------------------------------------

static void a_slab_grows_without_moving(void **state)
{
    (void)state;
    struct steer_slab slab;
    assert_int_equal(steer_slab_init(&slab, 24, 100000), STEER_OK);
    const uint8_t *base = slab.base;
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t index;
        assert_int_equal(steer_slab_take(&slab, &index), STEER_OK);
        assert_int_equal(index, i);
        memset(steer_slab_at(&slab, index), (int)i, 24);
    }
    uint32_t index = 7;
    assert_int_equal(steer_slab_take(&slab, &index), STEER_ELIMIT);
    assert_int_equal(index, 7);
    assert_ptr_equal(slab.base, base);
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(((const uint8_t *)steer_slab_at(&slab, i))[23], i & 0xff);
    steer_slab_fini(&slab);
    steer_slab_fini(&slab);
}

static void what_is_given_back_is_taken_again(void **state)
{
    (void)state;
    struct steer_slab slab;
    uint32_t a, b, c, run;
    assert_int_equal(steer_slab_init(&slab, 64, 10), STEER_OK);
    assert_int_equal(steer_slab_take(&slab, &a), STEER_OK);
    assert_int_equal(steer_slab_take(&slab, &b), STEER_OK);
    memset(steer_slab_at(&slab, a), 'a', 64);
    steer_slab_give(&slab, a);
    assert_int_equal(steer_slab_take_run(&slab, 3, &run),
                     STEER_OK); // never from what was given back
    assert_int_equal(run, 2);
    assert_int_equal(steer_slab_take(&slab, &c), STEER_OK);
    assert_int_equal(c, a);
    assert_int_equal(*(const char *)steer_slab_at(&slab, c), 'a'); // its old contents stay
    assert_int_equal(steer_slab_take_run(&slab, 6, &run), STEER_ELIMIT);
    assert_int_equal(steer_slab_take_run(&slab, UINT32_MAX, &run), STEER_ELIMIT);
    assert_int_equal(steer_slab_take_run(&slab, 5, &run), STEER_OK);
    assert_int_equal(run, 5);
    assert_int_equal(steer_slab_take_run(&slab, 0, &run), STEER_OK);
    steer_slab_fini(&slab);
}

static void slabs_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct steer_slab slab;
    assert_int_equal(steer_slab_init(&slab, SIZE_MAX / 2, 3), STEER_ELIMIT);
    assert_int_equal(steer_slab_init(&slab, 1, UINT32_MAX), STEER_ELIMIT);
    assert_int_equal(steer_slab_init(&slab, (size_t)1 << 40, 1 << 20), STEER_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_arena_gives_apart_and_aligned),
        cmocka_unit_test(an_arena_that_is_reset_keeps_its_newest_block),
        cmocka_unit_test(an_arena_gives_something_for_nothing),
        cmocka_unit_test(copies_are_copies),
        cmocka_unit_test(arrays_grow_by_doubling),
        cmocka_unit_test(a_buffer_takes_text_and_octets),
        cmocka_unit_test(a_buffer_grows_as_needed),
        cmocka_unit_test(files_are_read_whole_or_not_at_all),
        cmocka_unit_test(a_slab_grows_without_moving),
        cmocka_unit_test(what_is_given_back_is_taken_again),
        cmocka_unit_test(slabs_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
