// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "probe/probe_internal.h"

static void timers_come_out_in_order_however_they_were_moved(void **unused)
{
    (void)unused;
    enum { COUNT = 500 };
    static struct probe_timer timers[COUNT];
    struct probe_timers heap = {0};
    struct steer_rng rng;
    steer_rng_init(&rng, 7);
    for (unsigned i = 0; i < COUNT; i++)
        probe_timer_set(&heap, &timers[i], steer_rng_next(&rng) % 1000);
    for (unsigned i = 0; i < COUNT; i += 3)
        probe_timer_set(&heap, &timers[i], steer_rng_next(&rng) % 1000);
    size_t armed = COUNT;
    for (unsigned i = 0; i < COUNT; i += 7, armed--)
        probe_timer_clear(&heap, &timers[i]);
    probe_timer_clear(&heap, &timers[0]); // not armed: nothing happens
    uint64_t last = 0;
    for (struct probe_timer *first; (first = probe_timers_first(&heap)); armed--) {
        assert_true(first->at_ns >= last);
        last = first->at_ns;
        probe_timer_clear(&heap, first);
        assert_int_equal(first->place, 0);
    }
    assert_int_equal(armed, 0);
    probe_timers_fini(&heap);
}

static void targets_are_found_by_key(void **unused)
{
    (void)unused;
    struct probe_table table = {0};
    assert_null(probe_table_find(&table, 1));
    for (uint64_t key = 0; key < 1000; key++) {
        struct steer_probe_target spec = {.key = key * 4096, .interval_ms = 1000};
        probe_table_add(&table, probe_target_create(&spec));
    }
    for (uint64_t key = 0; key < 1000; key += 2) {
        struct probe_target *target = probe_table_find(&table, key * 4096);
        probe_table_remove(&table, target);
        probe_target_destroy(target);
    }
    for (uint64_t key = 0; key < 1000; key++)
        assert_int_equal(probe_table_find(&table, key * 4096) != NULL, key % 2);
    for (struct probe_target *target; (target = probe_table_any(&table));) {
        probe_table_remove(&table, target);
        probe_target_destroy(target);
    }
    assert_int_equal(table.used, 0);
    probe_table_fini(&table);
}

static void errors_are_told_in_plain_words(void **unused)
{
    (void)unused;
    char text[64];
    assert_string_equal(probe_errno_text(ECONNREFUSED, text, sizeof text), "connection refused");
    assert_string_equal(probe_errno_text(EHOSTUNREACH, text, sizeof text), "no route to host");
    assert_string_equal(probe_errno_text(ENETUNREACH, text, sizeof text), "network unreachable");
    assert_string_equal(probe_errno_text(ECONNRESET, text, sizeof text), "connection reset");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_come_out_in_order_however_they_were_moved),
        cmocka_unit_test(targets_are_found_by_key),
        cmocka_unit_test(errors_are_told_in_plain_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
