// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/base/err.h"
#include "steerd/base/hash.h"

enum { KEYS = 300 };

static void key_of(unsigned i, char *key, size_t size)
{
    snprintf(key, size, "%.*skey-%u", (int)(i % 5), "xxxxx", i);
}

// The judge: values[i] is what key i has, or -1.
static void check_map(const struct steer_map *map, const int64_t *values)
{
    char key[32];
    bool met[KEYS] = {false};
    size_t count = 0, walked = 0, at = 0;
    const char *found;
    uint32_t value;
    for (unsigned i = 0; i < KEYS; i++) {
        key_of(i, key, sizeof key);
        value = 1u << 31;
        assert_int_equal(steer_map_get(map, key, &value), values[i] >= 0);
        assert_int_equal(steer_map_get(map, key, NULL), values[i] >= 0);
        assert_int_equal(value, values[i] >= 0 ? values[i] : INT64_C(1) << 31);
        count += values[i] >= 0;
    }
    while (steer_map_next(map, &at, &found, &value)) {
        const unsigned i = (unsigned)atoi(strchr(found, '-') + 1);
        assert_true(i < KEYS && !met[i]);
        met[i] = true;
        assert_int_equal(value, values[i]);
        walked++;
    }
    assert_int_equal(walked, count);
    at = 0;
    for (walked = 0; steer_map_next(map, &at, &found, NULL); walked++)
        continue;
    assert_int_equal(walked, count);
}

static void a_map_holds_what_a_list_would(void **state)
{
    (void)state;
    struct steer_map map = {0};
    int64_t values[KEYS];
    struct steer_rng rng;
    char key[32];
    memset(values, 0xff, sizeof values);
    steer_rng_init(&rng, 3);
    check_map(&map, values);
    for (unsigned step = 0; step < 20000; step++) {
        const unsigned i = (unsigned)(steer_rng_next(&rng) % KEYS);
        key_of(i, key, sizeof key);
        // First it grows, then it goes down to nothing, and again.
        const unsigned phase = step / 2500 % 2 ? 80 : 20;
        if (steer_rng_next(&rng) % 100 < phase) {
            assert_int_equal(steer_map_remove(&map, key), values[i] >= 0);
            values[i] = -1;
        } else {
            values[i] = (uint32_t)steer_rng_next(&rng);
            steer_map_put(&map, key, (uint32_t)values[i]);
        }
        if (step % 100 == 0) {
            struct steer_map copy;
            check_map(&map, values);
            steer_map_clone(&copy, &map);
            check_map(&copy, values);
            steer_map_fini(&copy);
        }
    }
    assert_true(map.cap <= 2048); // what was removed does not make it grow
    steer_map_fini(&map);
    memset(values, 0xff, sizeof values);
    check_map(&map, values);
}

static void a_clone_is_independent(void **state)
{
    (void)state;
    struct steer_map map = {0}, copy;
    char key[] = "key";
    uint32_t value;
    steer_map_put(&map, key, 1);
    key[0] = 'x'; // keys are copied
    steer_map_clone(&copy, &map);
    steer_map_put(&copy, "key", 2);
    steer_map_put(&copy, "other", 3);
    assert_true(steer_map_get(&map, "key", &value));
    assert_int_equal(value, 1);
    assert_false(steer_map_get(&map, "other", NULL));
    steer_map_fini(&map);
    assert_true(steer_map_get(&copy, "key", &value));
    assert_int_equal(value, 2);
    steer_map_fini(&copy);
    steer_map_clone(&copy, &map); // of an empty one
    assert_false(steer_map_get(&copy, "key", NULL));
    assert_false(steer_map_remove(&copy, "key"));
    steer_map_put(&copy, "", 4);
    assert_true(steer_map_get(&copy, "", &value));
    steer_map_fini(&copy);
}

static void churn_of_one_key_does_not_fill_the_map(void **state)
{
    (void)state;
    struct steer_map map = {0};
    char key[32];
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(key, sizeof key, "%u", i);
        steer_map_put(&map, key, i);
        assert_true(steer_map_remove(&map, key));
    }
    assert_true(map.cap <= 64);
    steer_map_fini(&map);
}

static void hashes_are_the_same_on_every_run(void **state)
{
    (void)state;
    // Stored with objects (steer_object.hash), so they must not change.
    assert_int_equal(steer_hash_string(""), steer_hash_bytes("x", 0, 0));
    assert_true(steer_hash_bytes("abc", 3, 0) != steer_hash_bytes("abc", 3, 1));
    assert_true(steer_hash_bytes("abc\0", 4, 0) != steer_hash_bytes("abc", 3, 0));
    assert_true(steer_hash_string("abcdefgh") != steer_hash_string("abcdefghi"));
    assert_int_equal(steer_hash_string("steerd, and a second word"), UINT64_C(0x53a5ab631268aba2));
}

static void every_octet_counts(void **state)
{
    (void)state;
    uint8_t data[40];
    memset(data, 'a', sizeof data);
    for (size_t len = 1; len <= sizeof data; len++) {
        const uint64_t plain = steer_hash_bytes(data, len, 5);
        for (size_t i = 0; i < len; i++) {
            data[i] ^= 1;
            assert_true(steer_hash_bytes(data, len, 5) != plain);
            data[i] ^= 1;
        }
    }
}

// xoshiro256** from its reference state {1, 2, 3, 4}.
static void the_generator_is_xoshiro(void **state)
{
    (void)state;
    struct steer_rng rng = {{1, 2, 3, 4}}, twin;
    static const uint64_t expected[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240)};
    for (size_t i = 0; i < STEER_ARRAY_LEN(expected); i++)
        assert_int_equal(steer_rng_next(&rng), expected[i]);
    steer_rng_init(&rng, 0);
    steer_rng_init(&twin, 1);
    assert_true(steer_rng_next(&rng) != steer_rng_next(&twin));
    assert_true(rng.s[0] | rng.s[1] | rng.s[2] | rng.s[3]);
}

static void the_nearest_word_is_suggested(void **state)
{
    (void)state;
    static const char *const words[] = {"failover", "weighted", "geo", "pool",
                                        "endpoint", "answer",   "use"};
    static const struct {
        const char *word, *nearest;
    } rows[] = {
        {"failover", "failover"},
        {"fialover", "failover"},
        {"failovr", "failover"},
        {"wieghted", "weighted"},
        {"pools", "pool"},
        {"pol", "pool"},
        {"goe", "geo"},
        {"geos", "geo"},
        {"endpoints", "endpoint"},
        {"anwser", "answer"},
        {"us", "use"},
        {"latency", NULL},
        {"xyz", NULL},
        {"f", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        const char *got = steer_nearest_word(rows[i].word, words, STEER_ARRAY_LEN(words));
        if (!rows[i].nearest)
            assert_null(got);
        else if (!got || strcmp(got, rows[i].nearest) != 0)
            fail_msg("'%s': %s came", rows[i].word, got ? got : "nothing");
    }
    assert_null(steer_nearest_word("pool", NULL, 0));
}

static void very_long_words_are_near_to_none(void **state)
{
    (void)state;
    char word[400];
    memset(word, 'a', sizeof word - 1);
    static const char *const words[] = {"a", "pool"};
    for (size_t len = 65; len < sizeof word; len += 7) {
        word[len] = '\0';
        assert_null(steer_nearest_word(word, words, STEER_ARRAY_LEN(words)));
        const char *const self = word;
        assert_null(steer_nearest_word("pool", &self, 1));
        word[len] = 'a';
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_holds_what_a_list_would),
        cmocka_unit_test(a_clone_is_independent),
        cmocka_unit_test(churn_of_one_key_does_not_fill_the_map),
        cmocka_unit_test(hashes_are_the_same_on_every_run),
        cmocka_unit_test(every_octet_counts),
        cmocka_unit_test(the_generator_is_xoshiro),
        cmocka_unit_test(the_nearest_word_is_suggested),
        cmocka_unit_test(very_long_words_are_near_to_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
